"""Reading back what a task's predecessor left: its changelog, its tail of the alerts topic, and where its inputs lie.

The changelog is read until a nonce that we have written ourselves comes by: that is the end, whatever offsets say.
The alerts topic needs no nonce: its partition has no other writer, and our producer's start has ended what was open.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from slamon.domain.decisions import FactKey, Facts
from slamon.domain.monitor import Monitor
from slamon.kafka import clients
from slamon.kafka.alert_numbers import AlertSeen, alert_seen
from slamon.kafka.bare_records import hand_over_bare_records
from slamon.kafka.changelog import OWNER, PackedFacts, Reading, Unreadable
from slamon.settings import KafkaSettings

AT_ONCE = 2000  # records taken in one poll
WAIT = 1000  # ms of one poll


class Stalled(Exception):  # noqa: N818 - reads as what it says
    """A restore made no progress for too long."""


class FellBehind(Exception):  # noqa: N818 - reads as what it says
    """An input was trimmed beyond what had been read of it."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Of a partition: offset of its first record, and of the next one to come."""

    first: int
    end: int


@dataclass(frozen=True, slots=True)
class Found:
    """`alerts`: those of the topic that the outbox may speak of, up to offset `alerts_end`. `inputs`: by topic."""

    reading: Reading
    alerts: list[AlertSeen]
    alerts_end: int
    inputs: dict[str, Bounds]


async def _nothing() -> None:
    pass


async def read_back(
    settings: KafkaSettings,
    name: str,
    partition: int,
    inputs: list[TopicPartition],
    nonce: bytes,
    meanwhile: Callable[[], Awaitable[None]] = _nothing,
) -> Found:
    """Everything, once our owner record with the nonce is committed. `meanwhile` is done between two polls.

    Raises Stalled, changelog.Unreadable, and what aiokafka raises.
    """
    changelog = TopicPartition(settings.topics.changelog, partition)
    alerts = TopicPartition(settings.topics.alerts, partition)
    reader = clients.reader(settings, name)
    try:
        async with asyncio.timeout(settings.commit_timeout):
            await reader.start()
            hand_over_bare_records(reader)
            # Before anything is fetched: later, the answers would wait behind the fetches.
            partitions = [alerts, *inputs]
            first = await reader.beginning_offsets(partitions)
            end = await reader.end_offsets(partitions)
        reading = await _read_changelog(reader, changelog, nonce, settings.restore_timeout, meanwhile)
        start = first[alerts] if reading.positions is None else reading.positions.alerts_seen
        if not first[alerts] <= start <= end[alerts]:
            start = first[alerts]
        tail = await _read_alerts(reader, alerts, start, end[alerts], settings.restore_timeout)
    finally:
        await clients.end(reader.stop())
    return Found(reading, tail, end[alerts], {tp.topic: Bounds(first[tp], end[tp]) for tp in inputs})


async def _read_changelog(
    reader: Any,
    changelog: TopicPartition,
    nonce: bytes,
    stalled_after: float,
    meanwhile: Callable[[], Awaitable[None]],
) -> Reading:
    loop = asyncio.get_running_loop()
    while True:
        reading = Reading()
        first = (await reader.beginning_offsets([changelog]))[changelog]
        reader.assign([changelog])
        reader.seek(changelog, first)
        try:
            async with asyncio.timeout(stalled_after) as limit:
                while True:
                    for records in (await reader.getmany(timeout_ms=WAIT, max_records=AT_ONCE)).values():
                        for record in records:
                            _take(reading, record, changelog.partition)
                            if record.key == OWNER and reading.ends_with(nonce):
                                reading.check()
                                return reading
                        limit.reschedule(loop.time() + stalled_after)
                    await meanwhile()
                    await clients.breathe()
        except OffsetOutOfRangeError:
            # The log was trimmed under us. What was read so far may have been deleted since: begin with nothing.
            continue
        except TimeoutError as error:
            raise Stalled(f"no progress in the changelog for {stalled_after:g} s") from error


def _take(reading: Reading, record: Any, partition: int) -> None:
    if record.key is None:
        raise Unreadable(
            f"the changelog holds a record without key at offset {record.offset} of partition {partition}, "
            "which slamon never writes: who else does?"
        )
    reading.take(record.key, record.value)


def take_back(monitor: Monitor, fact: PackedFacts) -> int:
    """Give it to the monitor. Returns a measure of how long that took: in events, of which each takes some microseconds."""
    ticket = fact.ticket
    if ticket is not None and monitor.restore_packed(fact.key, ticket):
        return 1
    facts = fact.facts
    monitor.restore(fact.key, facts)
    return _events(facts)


def in_portions(
    records: Iterable[tuple[FactKey, Facts]], events: int
) -> Iterator[list[tuple[FactKey, Facts]]]:
    """All of them, in their order; in each portion so many as hold that many events, or some more.

    One record may be of one event or of an hour's heartbeats, and the time to take it back goes by the events.
    """
    portion: list[tuple[FactKey, Facts]] = []
    held = 0
    for record in records:
        portion.append(record)
        held += _events(record[1])
        if held >= events:
            yield portion
            portion, held = [], 0
    if portion:
        yield portion


def _events(facts: Facts) -> int:
    """How many facts hold; what is no event counts as one."""
    kinds = (facts.tickets, facts.services, facts.requests, facts.exclusions)
    return sum(len(events) for events in kinds if events is not None) or 1


async def _read_alerts(
    reader: Any, alerts: TopicPartition, start: int, end: int, stalled_after: float
) -> list[AlertSeen]:
    seen: list[AlertSeen] = []
    if start >= end:
        return seen
    reader.assign([alerts])
    reader.seek(alerts, start)
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(stalled_after) as limit:
            while await reader.position(alerts) < end:
                # Markers of transactions move the position without ending the call: so it must be a short one.
                wait = clients.milliseconds(clients.RESTORE_WAIT)
                for records in (await reader.getmany(timeout_ms=wait, max_records=AT_ONCE)).values():
                    seen += [one for record in records if (one := alert_seen(record.value)) is not None]
                    limit.reschedule(loop.time() + stalled_after)
                await clients.breathe()
    except TimeoutError as error:
        raise Stalled(f"no progress in the alerts for {stalled_after:g} s") from error
    return seen


def is_transient(error: BaseException) -> bool:
    """Whether trying again may help: anything that Kafka, the network or time did."""
    return isinstance(error, KafkaError | OSError | TimeoutError | AssertionError | Stalled)
