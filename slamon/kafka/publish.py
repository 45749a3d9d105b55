"""Writes recorded events to the inputs as their sources should: the right topic, the right partition, nothing invalid.

All lines are read before any is sent: either all are events and are published, or none is and the faults are listed.
To publish a file twice is harmless, for a second event of one identity changes nothing. With `as_is` every line is sent
as it stands, whatever it is: that shows what slamon makes of records that are no events.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from slamon.codec import Rejected, decode
from slamon.domain.events import TicketEvent
from slamon.kafka import clients
from slamon.kafka.acls import Doing
from slamon.kafka.partitioner import partition_for
from slamon.kafka.topics import Refused, check
from slamon.settings import KafkaSettings

FAULTS_LISTED = 20
NOT_OF_TICKETS = ("availability", "requests", "exclusion")
UNDER_WAY = 5000  # records sent and not yet acknowledged
TIMEOUT = 60.0  # s without an acknowledgement


@dataclass(frozen=True, slots=True)
class Fault:
    """A line that is no event, counted from 1."""

    line: int
    reason: str
    detail: str


@dataclass(slots=True)
class Published:
    """`sent`: topic → records, which are more than events where an event goes to every partition."""

    events: int = 0
    sent: Counter[str] = field(default_factory=Counter)


class NotEvents(Exception):  # noqa: N818 - reads as what it says
    """The file holds lines that are no events; nothing was published. The text lists the first of them."""

    def __init__(self, path: Path, faults: list[Fault]) -> None:
        shown = [f"{path}:{fault.line}: {fault.reason}: {fault.detail}" for fault in faults[:FAULTS_LISTED]]
        if len(faults) > FAULTS_LISTED:
            shown.append(f"… and {len(faults) - FAULTS_LISTED} more")
        lines = "1 line is no event" if len(faults) == 1 else f"{len(faults)} lines are no events"
        super().__init__("\n".join([*shown, f"{lines}, nothing was published: mend that, or use --as-is"]))
        self.faults = faults


class _Known(msgspec.Struct):
    """What can be said of a line that need not be an event."""

    type: str | None = None
    customer: str | None = None


_decode_known = msgspec.json.Decoder(_Known).decode


async def publish(settings: KafkaSettings, path: Path, *, as_is: bool = False) -> Published:
    """Raises NotEvents (never with `as_is`), topics.Refused, clients.Unreachable, OSError."""
    if not as_is:
        faults = list(find_faults(path))
        if faults:
            raise NotEvents(path, faults)
    layout = await check(settings, Doing.PUBLISH)
    producer = AIOKafkaProducer(
        **clients.connection(settings, "slamon-publish"),
        enable_idempotence=True,
        linger_ms=5,
        max_batch_size=clients.BATCH_BYTES // 4,
        max_request_size=1 << 30,  # the topic decides what is too large
    )
    await clients.start(producer, settings, TIMEOUT)
    published = Published()
    under_way: set[asyncio.Future[Any]] = set()
    try:
        for _, line in lines_of(path):
            topic, key, partitions = destination(line, settings, layout.partitions)
            for partition in partitions:
                async with asyncio.timeout(TIMEOUT):
                    under_way.add(await producer.send(topic, line, key=key, partition=partition))
            published.events += 1
            published.sent[topic] += len(partitions)
            if len(under_way) >= UNDER_WAY:
                await _acknowledged(under_way)
        await _acknowledged(under_way)
    except (KafkaError, TimeoutError) as error:
        raise Refused(
            f"the brokers did not take everything ({error!r}); publish the file again, nothing counts twice"
        ) from error
    finally:
        await clients.end(producer.stop())
    return published


def find_faults(path: Path) -> Iterator[Fault]:
    for number, line in lines_of(path):
        event = decode(line, now=None)
        if isinstance(event, Rejected):
            yield Fault(number, event.reason.value, event.detail)


def lines_of(path: Path) -> Iterator[tuple[int, bytes]]:
    """Lines by number, without those that are empty."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield number, line.rstrip(b"\r\n")


def destination(
    line: bytes, settings: KafkaSettings, partitions: int
) -> tuple[str, bytes | None, Sequence[int]]:
    """Topic, key and partitions of a line; what cannot be told of one that is no event is taken as of a ticket."""
    topics = settings.topics
    event = decode(line, now=None)
    if isinstance(event, Rejected):
        known = _known(line)
        topic = topics.availability if known.type in NOT_OF_TICKETS else topics.tickets
        customer = known.customer
        everywhere: Sequence[int] = (0,)
    else:
        topic = topics.tickets if isinstance(event, TicketEvent) else topics.availability
        customer = event.customer
        everywhere = range(partitions)
    if customer is None:
        return topic, None, everywhere
    key = customer.encode(errors="surrogatepass")
    return topic, key, (partition_for(key, partitions, settings.partitioner),)


def _known(line: bytes) -> _Known:
    try:
        return _decode_known(line)
    except msgspec.DecodeError:
        return _Known()


async def _acknowledged(under_way: set[asyncio.Future[Any]]) -> None:
    async with asyncio.timeout(TIMEOUT):
        for delivery in under_way:
            await delivery
    under_way.clear()
