"""Keeps a task's changelog short and in one format: what stands is written once more, and all before it is deleted.

The rules:

- A log is rewritten when it holds more than `TIMES` the records that stand, and more than `FLOOR`; when something stands in
  it in another format than the task writes; and when of too many decided tickets it does not say what they came to, so
  that a restore would have to judge them: those of a backlog, or as another release, or other terms, judged them.
- A rewrite goes in slices, each in a commit that is made anyway, and each of what the monitor knows at that commit. So
  nothing is ever written over by something older, and a commit of one slice and no more can be lost.
- In the end everything that stands was written at or after the first slice: the facts by the slices or because they changed
  meanwhile, the positions by every commit, the owner with the last slice. The outbox is not written again, but waited
  for: until all transitions that were announced before were seen where they belong. Only then what lies before the
  first slice is deleted.
- What was so once is so for ever, whoever owns the task then. So a deletion may come late, twice, or never; and a rewrite may
  be broken off anywhere: the next owner counts what it reads.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, MutableMapping

import structlog
from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete
from aiokafka.errors import KafkaError

from slamon import clock
from slamon.domain.decisions import FactKey, Facts
from slamon.domain.monitor import Monitor
from slamon.kafka import clients
from slamon.settings import KafkaSettings

TIMES = 4  # a restore reads at most so many records for one that stands
FLOOR = 10_000  # records that are read back in a tenth of a second, however few of them stand
IN_PART = 4  # at most one of so many facts is a decided ticket of which it is not said what it came to
SLICE = 4_000  # events in one commit: some ms to gather, some hundred KiB to write
DELETING = 30.0  # s for the brokers to answer
AFTER_FAILURE = 60.0  # s
FAILURES = (KafkaError, OSError, TimeoutError)  # that Kafka or the network may have got over by then

log = structlog.get_logger()


class ChangelogLength:
    """Of one task, while its memory is good: how long the log is, and how far a rewrite of it has come."""

    def __init__(
        self, records: int = 0, other_formats: Iterable[FactKey] = (), *, upshots: bool = True
    ) -> None:
        """`records`: in the log, all of them. `other_formats`: the facts that stand in another than the task writes.

        `upshots`: whether that one says what tickets came to.
        """
        self.records = records
        self._other_formats = dict.fromkeys(other_formats)
        self._upshots = upshots
        self._look_at = 0  # records below which nothing is to be done, as far as is known
        self._of: Monitor | None = None  # whose facts are being written
        self._rest: Iterator[tuple[FactKey, Facts | None]] = iter(())
        self._begins: int | None = None  # offset of the first slice
        self._announced = 0  # number of the newest alert transition when it was begun
        self._since = 0  # records written since it was begun
        self._written = False  # all slices are

    @property
    def under_way(self) -> bool:
        """There are slices to be written."""
        return self._of is not None and not self._written

    def add_slice(
        self,
        changed: MutableMapping[FactKey, Facts | None],
        monitor: Monitor,
        *,
        more_parts: int,
        announced: int,
    ) -> bool:
        """Put what is due of a rewrite beside what has changed anyway. True: the owner is to be written with it.

        `more_parts`: records of facts beyond the first of each. `announced`: number of the newest alert transition.
        """
        if self.under_way and monitor is not self._of:
            self._of = None  # a successor took over: what the other one knows is no longer what stands
        if self._of is None and self._is_due(monitor, more_parts):
            self._of, self._rest = monitor, self._everything(monitor)
            monitor.told_in_part = 0
            self._begins, self._announced = None, announced
            self._since, self._written = 0, False
        if not self.under_way:
            return False
        events = 0
        for key, facts in self._rest:
            changed.setdefault(key, facts)
            self._other_formats.pop(key, None)
            events += _events(facts)
            if events >= SLICE:
                return False
        self._written = True
        return True

    def _is_due(self, monitor: Monitor, more_parts: int) -> bool:
        if self._other_formats:
            return True
        if self._upshots and monitor.told_in_part > max(FLOOR, monitor.count_facts() // IN_PART):
            return True
        if self.records <= max(FLOOR, self._look_at):
            return False
        self._look_at = TIMES * (monitor.count_facts() + more_parts)
        return self.records > self._look_at

    def _everything(self, monitor: Monitor) -> Iterator[tuple[FactKey, Facts | None]]:
        yield from monitor.facts()
        # What only the other format has records of: it stands under other keys by now.
        for key in list(self._other_formats):
            if key in self._other_formats:
                yield key, None

    def committed(self, changed: Mapping[FactKey, Facts | None], records: int, offset: int) -> None:
        """The commit of what has changed stands, from this offset on (-1: the brokers did not say), as so many records."""
        self.records += records
        if self._other_formats:
            for key in changed:
                self._other_formats.pop(key, None)
        if self._of is None:
            return
        self._since += records
        if self._begins is None and offset >= 0:
            self._begins = offset
        elif self._begins is None:
            self._of = None  # it must be known: begin once more

    def deletable(self, oldest_awaited: int | None) -> int | None:
        """The offset before which nothing stands any more, once. `oldest_awaited`: number of an alert in the outbox."""
        if not self._written or self._begins is None:
            return None
        if oldest_awaited is not None and oldest_awaited <= self._announced:
            return None
        self.records, self._look_at = self._since, 0
        self._of, self._written = None, False
        return self._begins


def _events(facts: Facts | None) -> int:
    """A measure of how much facts are to write."""
    if facts is None:
        return 1
    return len(facts.tickets or facts.services or facts.requests or facts.exclusions or (None,))


class Trimming:
    """Deletes what the tasks no longer need of their logs, beside everything else."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._before: dict[TopicPartition, int] = {}
        self._asked = asyncio.Event()

    def delete_before(self, partition: int, offset: int) -> None:
        self._before[TopicPartition(self._settings.topics.changelog, partition)] = offset
        self._asked.set()

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            while self._before:
                try:
                    failure = await self._delete()
                except FAILURES as error:
                    failure = error
                if failure is not None:
                    log.warning(
                        "changelog_not_trimmed",
                        topic=self._settings.topics.changelog,
                        error=repr(failure),
                        help="it goes on growing: is the ACL Delete on it granted?",
                    )
                    await clock.wait(AFTER_FAILURE)

    async def _delete(self) -> Exception | None:
        """All that is asked for, one by one: a partition without a leader must not let the others grow. The last failure."""
        failure = None
        admin = clients.admin(self._settings)
        try:
            async with asyncio.timeout(DELETING):
                await admin.start()
            for tp, offset in list(self._before.items()):
                try:
                    async with asyncio.timeout(DELETING):
                        await admin.delete_records({tp: RecordsToDelete(before_offset=offset)})
                except FAILURES as error:
                    failure = error
                    continue
                log.info("changelog_trimmed", partition=tp.partition, before=offset)
                if self._before[tp] == offset:
                    del self._before[tp]
        finally:
            await clients.end(admin.close())
        return failure
