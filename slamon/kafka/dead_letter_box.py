"""Reads the dead letters that lie in their topic: which of them are wanted, and which somebody has handled already."""

import heapq
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import msgspec
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from slamon.codec import Rejected, decode
from slamon.kafka import clients
from slamon.kafka.acls import Doing
from slamon.kafka.dead_letters import Handled, Letter, Mark, Place, understood
from slamon.kafka.spans import records_of
from slamon.kafka.topics import Refused, look
from slamon.settings import KafkaSettings

TIMEOUT = 30.0  # s until the brokers answer at all


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which letters; what is not said is any. `since` and `until` (microseconds): recorded in [since, until)."""

    reasons: frozenset[str] = frozenset()
    topic: str | None = None  # of origin, as is the partition
    partition: int | None = None
    customer: str | None = None
    since: int | None = None
    until: int | None = None

    def takes(self, letter: Letter) -> bool:
        return (
            (not self.reasons or letter.reason in self.reasons)
            and self.topic in (None, letter.origin.topic)
            and self.partition in (None, letter.origin.partition)
            and (self.since is None or letter.at >= self.since)
            and (self.until is None or letter.at < self.until)
            and (self.customer is None or self.customer == customer_of(letter))
        )


@dataclass(slots=True)
class Listed:
    """What a look has found: the newest letters, oldest first, and how many records all of them stand for by reason."""

    newest: list[tuple[Letter, Handled | None]] = field(default_factory=list)
    letters: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    handled: int = 0  # letters left out for it
    foreign: int = 0  # records that slamon did not write


class _Known(msgspec.Struct):
    customer: str | None = None


_decode_known = msgspec.json.Decoder(_Known).decode


def customer_of(letter: Letter) -> str | None:
    """Whose it is, as far as that can be told of what need not be an event: by its contents, else by its key."""
    event = decode(letter.value, letter.headers, now=None)
    if not isinstance(event, Rejected):
        return event.customer
    try:
        named = _decode_known(letter.value or b"").customer
    except (msgspec.DecodeError, RecursionError):
        named = None
    if named is not None or letter.key is None:
        return named
    return letter.key.decode(errors="backslashreplace")


class Box:
    """The topic as it is when the box is opened, `async with`; raises topics.Refused, clients.Unreachable."""

    def __init__(self, settings: KafkaSettings, wanted: Wanted) -> None:
        self._settings = settings
        self._wanted = wanted
        self._reader: Any = None
        self._spans: dict[TopicPartition, tuple[int, int]] = {}
        self._marks: dict[Place, Handled] = {}
        self._foreign = 0
        self.partitions = 0  # of the inputs

    async def __aenter__(self) -> Self:
        settings, name = self._settings, self._settings.topics.dead_letters
        there = await look(settings, Doing.DEAD_LETTERS)
        if not there[name].exists:
            raise Refused(f"missing: {name}. Make it with `slamon topics create`")
        self.partitions = there[settings.topics.tickets].partitions
        tps = [TopicPartition(name, partition) for partition in range(there[name].partitions)]
        self._reader = clients.reader(settings, "slamon-dead-letters")
        await clients.start(self._reader, settings, TIMEOUT)
        try:
            await self._survey(tps)
        except BaseException:
            await clients.end(self._reader.stop())
            raise
        return self

    async def _survey(self, tps: Sequence[TopicPartition]) -> None:
        """How far the letters reach, and all marks: a mark lies behind its letter, so none is judged before."""
        try:
            ends = await self._reader.end_offsets(tps)
            starts = await self._reader.beginning_offsets(tps)
            if self._wanted.since is not None:
                found = await self._reader.offsets_for_times(dict.fromkeys(tps, self._wanted.since // 1000))
                starts = {tp: ends[tp] if found[tp] is None else found[tp].offset for tp in tps}
        except KafkaError as error:
            raise Refused(f"{self._settings.topics.dead_letters} cannot be read: {error!r}") from error
        self._spans = {tp: (starts[tp], ends[tp]) for tp in tps}
        async for said in self._all():
            if isinstance(said, Mark):
                self._marks[said.place] = said.handled
            elif said is None:
                self._foreign += 1

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        await clients.end(self._reader.stop())

    async def letters(self) -> AsyncIterator[tuple[Letter, Handled | None]]:
        """Those that are wanted, one partition after the other, and what somebody has done about them."""
        async for said in self._all():
            if isinstance(said, Letter) and self._wanted.takes(said):
                yield said, self._marks.get(said.place)

    async def list(self, limit: int, *, handled: bool) -> Listed:
        """`limit`: letters kept of the newest; all are counted. `handled`: also those that somebody has handled."""
        listed = Listed(foreign=self._foreign)
        newest: list[tuple[int, Place, Letter]] = []
        async for letter, done in self.letters():
            if done is not None and not handled:
                listed.handled += 1
                continue
            listed.letters += 1
            listed.reasons[letter.reason] += letter.records
            heapq.heappush(newest, (letter.at, letter.place, letter))
            if len(newest) > limit:
                heapq.heappop(newest)
        listed.newest = [(letter, self._marks.get(place)) for _, place, letter in sorted(newest)]
        return listed

    async def first(self, tp: TopicPartition) -> int:
        """Offset of the first record that a partition still has."""
        found: int = (await self._reader.beginning_offsets([tp]))[tp]
        return found

    async def records(self, tp: TopicPartition, start: int, end: int) -> AsyncIterator[Any]:
        """Of an input, as far as they are still there; not while `letters` are being gone through."""
        async for record in records_of(self._reader, {tp: (max(start, await self.first(tp)), end)}):
            yield record

    async def _all(self) -> AsyncIterator[Letter | Mark | None]:
        for tp, span in self._spans.items():
            async for record in records_of(self._reader, {tp: span}):
                yield understood(record)
