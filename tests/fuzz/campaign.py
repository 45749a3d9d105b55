"""Mutated records through everything a task does with them but Kafka itself: decode, step, commit, restore.

The rules:

- Nothing that a record holds makes anything raise.
- Every record is accounted for: as an event, or as a dead letter with its reason, or in a tally of them.
- What a commit would write fits into its topic, and a successor that reads it back comes to the same standings,
  statements and clocks.
- A round ends with such a successor and begins anew, so memory does not depend on how many records there were.
"""

import random
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from aiokafka import TopicPartition

from slamon.agreement_files import load
from slamon.domain.agreement import Agreement
from slamon.domain.events import DAY, SECOND
from slamon.domain.monitor import Monitor
from slamon.kafka.changelog import Reading
from slamon.kafka.dead_letters import OVERHEAD
from slamon.kafka.dead_letters import size as letter_size
from slamon.kafka.formats import BY_THE_HOUR
from slamon.kafka.input_clock import InputClock
from slamon.kafka.observations import Observations
from slamon.kafka.pending import Pending
from slamon.kafka.restore import take_back
from slamon.kafka.tasks import Company, State, Task
from slamon.kafka.topics import DEAD_LETTER_ROOM, DEFAULT_RECORD_BYTES, Layout
from slamon.records import clock_record, standing_record, statement_record
from slamon.settings import FORMATS, Settings
from tests.fuzz.mutations import Headers, World
from tests.scenarios.test_every_option import TERMS

START = 20_544 * DAY  # 2026-04-01: all agreements are in force
BATCH = 2000  # records of one poll, as in a backlog
COMMIT_EVERY = 2  # polls
ROUND = 20_000  # records until a successor takes over
ON_TIME = 10 * SECOND
KEEP = 100 * DAY
SUBJECT_LIMIT = 12  # events; some tickets of a round have more
STRANGERS = 8  # one round in so many is of a partition of which not all customers are


@dataclass(slots=True)
class Record:
    """As the consumer gives it, see `bare_records`."""

    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    timestamp: int = 0
    timestamp_type: int = 0
    checksum: int | None = None


@dataclass(slots=True)
class Count:
    records: int = 0
    events: Counter[str] = field(default_factory=Counter)  # by type
    taken: Counter[str] = field(default_factory=Counter)  # of those, what was not just accepted
    rejected: Counter[str] = field(default_factory=Counter)  # by reason
    letters: int = 0
    tallied: int = 0  # rejected, and only counted: there were too many
    commits: int = 0
    successors: int = 0
    alerts: int = 0
    statements: int = 0
    changelog_bytes: int = 0

    def add(self, other: "Count") -> None:
        for name in self.__slots__:
            one, more = getattr(self, name), getattr(other, name)
            setattr(self, name, one + more)


def all_agreements() -> tuple[Agreement, ...]:
    """The examples, and one in which every option stands."""
    with tempfile.TemporaryDirectory() as folder:
        terms = Path(folder, "terms.yaml")
        terms.write_text(TERMS, encoding="utf-8")
        loaded = load([Path("config"), terms])
    assert not loaded.faults, loaded.faults
    return loaded.agreements


def rounds(agreements: Sequence[Agreement], seed: str, records: int) -> Iterator[Count]:
    """So many records, a round at a time; each depends on the seed and its own number alone."""
    for number in range(-(-records // ROUND)):
        yield _Round(agreements, f"{seed}/{number}").run(min(ROUND, records - number * ROUND))


class _Round:
    def __init__(self, agreements: Sequence[Agreement], name: str) -> None:
        self._name = name
        self._agreements = agreements
        self._settings = Settings()
        self._wall = START
        self._offset = 0
        self._count = Count()
        self._format = random.Random(name).choice(FORMATS)
        partitions = 2 if random.Random(name).randrange(STRANGERS) == 0 else 1
        layout = Layout(partitions, partitions, DEFAULT_RECORD_BYTES + DEAD_LETTER_ROOM, 7 * DAY)
        self._observations = Observations()
        self._company = Company(
            self._settings, layout, "fuzz", START, lambda *_: self._monitor(), self._observations,
            _nothing, _nothing, _nobody_asks, _nothing, _nothing,
        )  # fmt: skip
        self._task = Task(0, self._company)
        self._task.state = State.RUNNING
        self._topic = self._settings.kafka.topics.tickets
        self._task.monitor = self._monitor()
        self._task.monitor.start(START)
        self._task.now = START
        self._task.clocks = {topic: InputClock(0, since=0, prompt=1 << 62) for topic in self._task.topics}
        self._log = Reading()

    def _monitor(self) -> Monitor:
        return Monitor(
            self._agreements,
            steps=False,
            on_time=ON_TIME,
            keep=KEEP,
            subject_limit=SUBJECT_LIMIT,
            hourly=self._format >= BY_THE_HOUR,
        )

    def run(self, records: int) -> Count:
        services: dict[str, tuple[str, ...]] = {"nobody": ("nothing",)}
        for agreement in self._agreements:
            named = {service.name for service in agreement.services or ()}
            services[agreement.customer] = tuple(
                sorted({*services.get(agreement.customer, ()), *named, "another"})
            )
        chance = random.Random(self._name)
        stream = World(chance, services, tickets=100).records(lambda: self._wall)
        polls = 0
        while self._offset < records:
            batch = [
                Record(self._offset + one, b"key", *next(stream))
                for one in range(min(BATCH, records - self._offset))
            ]
            self._poll(batch)
            polls += 1
            if polls % COMMIT_EVERY == 0 or self._offset >= records:
                self._commit()
        self._succeed()
        return self._count

    def _poll(self, batch: list[Record]) -> None:
        self._wall += random.Random(f"{self._name}/{self._offset}").choice(
            (SECOND, 60 * SECOND, 3600 * SECOND)
        )
        self._task.take(self._topic, batch, self._wall)
        self._offset += len(batch)
        for one in self._task.clocks.values():
            one.saw(self._offset, self._wall)
            one.applied(self._offset)
        for _ in self._task.turn():
            pass

    def _commit(self) -> None:
        """What `Task` does, but for Kafka."""
        task, count, names = self._task, self._count, self._settings.kafka.topics
        task._gather()
        pending, task._pending = task._pending, Pending()
        assert task.monitor is not None
        for key, value in pending.for_changelog(
            task._positions(), task.alerts.take_seen(), task._parts, self._format, task.monitor.upshot
        ):
            assert len(key) + len(value or b"") + OVERHEAD <= DEFAULT_RECORD_BYTES, key
            count.changelog_bytes += len(key) + len(value or b"")
            self._log.take(key, value)
        for record in pending.for_readers(names, 0):
            limit = DEFAULT_RECORD_BYTES + (DEAD_LETTER_ROOM if record.topic == names.dead_letters else 0)
            assert letter_size(record) <= limit, record.topic
        count.letters += len(pending.dead_letters)
        count.tallied += sum(of.records for of in pending.tallies.values())
        count.alerts += len(pending.alerts)
        count.statements += len(pending.statements)
        count.records += pending.records
        count.commits += 1
        pending.count_into(self._observations.figures)

    def _succeed(self) -> None:
        """A successor that reads back what was written sees what we see; and the round is accounted for."""
        figures, count = self._observations.figures, self._count
        count.events, count.taken, count.rejected = figures.events, figures.taken, figures.rejected
        count.successors += 1
        assert count.records == count.events.total() + count.rejected.total(), (
            "some records are in no counter"
        )
        told = count.letters + count.tallied
        assert told == count.rejected.total(), "some rejected records are neither a dead letter nor tallied"
        before, after = self._task.monitor, self._monitor()
        assert before is not None
        assert before.now is not None
        for fact in self._log.packed_facts():
            take_back(after, fact)
        after.start(before.now)
        after.advance(before.now)
        for of in (_clocks, _standings, _statements):
            assert of(before) == of(after), f"a successor has other {of.__name__.strip('_')}"


def _clocks(monitor: Monitor) -> list[bytes]:
    return [clock_record(one) for one in monitor.clocks()]


def _standings(monitor: Monitor) -> list[bytes]:
    return [standing_record(one) for one in monitor.standings()]


def _statements(monitor: Monitor) -> list[bytes]:
    return [statement_record(one, history=False) for one in monitor.statements()]


def _nothing(*_: Any) -> None:
    pass


async def _nobody_asks(_: TopicPartition) -> NoReturn:
    raise AssertionError
