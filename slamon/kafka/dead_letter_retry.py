"""Sends dead letters to their inputs again, after what was wrong has been mended, and marks what was handled.

The rules:

- A record goes to the input that it came from, byte for byte, with its own headers and `slamon.retry.of`. An event goes
  to its customer's partition under the customer's key, for a wrong key is how it got lost; what is no event (only
  `as_is`) goes to the partition that it came from, under the key that it had.
- A letter is marked once its record was acknowledged. Whatever happens between the two costs at most a second record,
  and that is harmless: a second event of one identity changes nothing.
- A tally kept no records: they are read again from their input, and all between its first and its last that are events
  are sent; those that had been taken already change nothing. What was rejected for its contents is no event today either.
"""

import asyncio
import enum
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from slamon import clock
from slamon.codec import Rejected, RejectReason, decode
from slamon.kafka import clients
from slamon.kafka.clients import Outgoing
from slamon.kafka.dead_letter_box import Box
from slamon.kafka.dead_letters import RETRY_OF, Handled, Letter, Place, mark
from slamon.kafka.partitioner import partition_for
from slamon.kafka.topics import Refused
from slamon.settings import KafkaSettings

TIMEOUT = 60.0  # s without an acknowledgement
AT_ONCE = 500  # records sent before their letters are marked

Headers = Sequence[tuple[str, bytes | None]]


class Unsent(enum.Enum):
    """Why a letter is not sent; the values are told."""

    STILL_NO_EVENT = "still no events: mend them (`list --format lines` writes what `slamon publish` takes), or send them --as-is"
    NOT_KEPT = (
        "kept without key and value, for they were too large: their source has to send them again, smaller"
    )
    OTHER_INPUT = "of topics that are no inputs in these settings, or of partitions that are no more"
    GONE = "tallied, and no longer all in their input: their source has to send them again"


@dataclass(slots=True)
class Handling:
    """What was done, or would be: records sent by topic, letters left by reason, letters that were handled before."""

    sent: Counter[str] = field(default_factory=Counter)
    unsent: Counter[Unsent] = field(default_factory=Counter)
    dismissed: int = 0
    before: int = 0


Tell = Callable[[Letter, "Outgoing | Unsent"], None]


async def retry(
    settings: KafkaSettings, box: Box, tell: Tell, *, as_is: bool = False, dry_run: bool = False
) -> Handling:
    """`tell` hears of every record as it is decided. Raises topics.Refused, clients.Unreachable."""
    done = Handling()
    tallies: list[Letter] = []
    async with _Sender(settings, idle=dry_run) as sender:
        async for letter, handled in box.letters():
            if handled is not None:
                done.before += 1
            elif letter.is_tally:
                tallies.append(letter)
            else:
                record = again(letter, settings, box.partitions, clock.now(), as_is=as_is)
                tell(letter, record)
                if isinstance(record, Unsent):
                    done.unsent[record] += 1
                else:
                    done.sent[record.topic] += 1
                    await sender.send(record, letter.place)
        for letter in tallies:
            await _retry_tally(letter, settings, box, tell, done, sender)
    return done


async def dismiss(settings: KafkaSettings, box: Box, *, dry_run: bool = False) -> Handling:
    """Mark the letters that are wanted as handled, without sending anything. Raises as `retry`."""
    done = Handling()
    async with _Sender(settings, idle=dry_run) as sender:
        async for letter, handled in box.letters():
            if handled is not None:
                done.before += 1
            else:
                done.dismissed += 1
                await sender.mark(letter.place, Handled.DISMISSED)
    return done


def again(
    letter: Letter, settings: KafkaSettings, partitions: int, now: int, *, as_is: bool
) -> Outgoing | Unsent:
    """The record to be sent. `partitions` of the inputs, `now` the wall clock in microseconds."""
    if not letter.whole:
        return Unsent.NOT_KEPT
    if not _is_input(letter.origin, settings, partitions):
        return Unsent.OTHER_INPUT
    sent = _as_event(letter.origin, letter.value, letter.headers, letter.place, settings, partitions, now)
    if sent is not None:
        return sent
    if not as_is:
        return Unsent.STILL_NO_EVENT
    topic, partition, _ = letter.origin
    return Outgoing(topic, partition, letter.key, letter.value, _headers(letter.headers, letter.place))


# What was rejected for anything else is no event, and never will be.
_MAY_BE_TAKEN_NOW = {
    RejectReason.WRONG_PARTITION.value,
    RejectReason.IN_THE_FUTURE.value,
    RejectReason.TOO_LATE.value,
    RejectReason.SUBJECT_TOO_LARGE.value,
}


def _as_event(
    origin: Place,
    value: bytes | None,
    headers: Headers,
    place: Place,
    settings: KafkaSettings,
    partitions: int,
    now: int,
) -> Outgoing | None:
    event = decode(value, headers, now=now)
    if isinstance(event, Rejected):
        return None
    key, partition = None, origin.partition
    if event.customer is not None:
        key = event.customer.encode(errors="surrogatepass")
        partition = partition_for(key, partitions, settings.partitioner)
    return Outgoing(origin.topic, partition, key, value, _headers(headers, place))


def _headers(own: Headers, place: Place) -> Headers:
    """A letter that came of a retry names the newest."""
    return (*(one for one in own if one[0] != RETRY_OF), (RETRY_OF, str(place).encode()))


def _is_input(origin: Place, settings: KafkaSettings, partitions: int) -> bool:
    return (
        origin.topic in (settings.topics.tickets, settings.topics.availability)
        and origin.partition < partitions
    )


async def _retry_tally(
    letter: Letter, settings: KafkaSettings, box: Box, tell: Tell, done: Handling, sender: "_Sender"
) -> None:
    """It is marked when all of its records were still there."""
    origin = letter.origin
    assert letter.last_offset is not None
    unsent = None
    if not _is_input(origin, settings, box.partitions):
        unsent = Unsent.OTHER_INPUT
    elif letter.reason not in _MAY_BE_TAKEN_NOW:
        unsent = Unsent.STILL_NO_EVENT
    else:
        tp = TopicPartition(origin.topic, origin.partition)
        if await box.first(tp) > origin.offset:
            unsent = Unsent.GONE
        async for record in box.records(tp, origin.offset, letter.last_offset + 1):
            sent = _as_event(
                origin, record.value, record.headers, letter.place, settings, box.partitions, clock.now()
            )
            if sent is not None:
                tell(letter, sent)
                done.sent[sent.topic] += 1
                await sender.send(sent, None)
    if unsent is None:
        await sender.mark(letter.place, Handled.SENT)
    else:
        tell(letter, unsent)
        done.unsent[unsent] += letter.records


class _Sender:
    """Sends records, and marks their letters after they were acknowledged; when idle, does neither."""

    def __init__(self, settings: KafkaSettings, *, idle: bool) -> None:
        self._settings = settings
        self._idle = idle
        self._producer: Any = None
        self._under_way: list[asyncio.Future[object]] = []
        self._marks: list[Outgoing] = []

    async def __aenter__(self) -> Self:
        if not self._idle:
            self._producer = AIOKafkaProducer(
                **clients.connection(self._settings, "slamon-dead-letters"),
                enable_idempotence=True,
                max_request_size=1 << 30,  # the topic decides what is too large
            )
            await clients.start(self._producer, self._settings, TIMEOUT)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._producer is not None:
            try:
                if kind is None:
                    await self._settle()
            finally:
                await clients.end(self._producer.stop())

    async def send(self, record: Outgoing, place: Place | None) -> None:
        """`place`: of the letter that is handled by it."""
        if self._producer is None:
            return
        await self._hand_over(record)
        if place is not None:
            self._marks.append(mark(place, Handled.SENT))
        if len(self._under_way) >= AT_ONCE:
            await self._settle()

    async def mark(self, place: Place, handled: Handled) -> None:
        if self._producer is None:
            return
        self._marks.append(mark(place, handled))
        if len(self._marks) >= AT_ONCE:
            await self._settle()

    async def _settle(self) -> None:
        await self._acknowledged()
        marks, self._marks = self._marks, []
        for one in marks:
            await self._hand_over(one)
        await self._acknowledged()

    async def _hand_over(self, record: Outgoing) -> None:
        try:
            async with asyncio.timeout(TIMEOUT):
                self._under_way.append(
                    await self._producer.send(
                        record.topic,
                        record.value,
                        key=record.key,
                        partition=record.partition,
                        headers=list(record.headers),
                    )
                )
        except (KafkaError, TimeoutError) as error:
            raise _refused(error) from error

    async def _acknowledged(self) -> None:
        try:
            async with asyncio.timeout(TIMEOUT):
                for delivery in self._under_way:
                    await delivery
        except (KafkaError, TimeoutError) as error:
            raise _refused(error) from error
        self._under_way.clear()


def _refused(error: Exception) -> Refused:
    return Refused(
        f"the brokers did not take everything ({error!r}); do it again, nothing counts twice and what is marked stays so"
    )
