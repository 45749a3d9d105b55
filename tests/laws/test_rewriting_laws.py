"""A changelog is kept short by writing what stands once more and deleting what lies before: nothing that stands changes.

A task's commits, onto a list in the place of a partition; what is deleted of it is cut off at the front.
"""

from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import given, settings

from slamon.domain.decisions import FactKey, FactKind, Facts
from slamon.domain.events import TicketEvent, TicketStatus
from slamon.domain.monitor import Monitor
from slamon.kafka import changelog, formats, rewriting
from slamon.kafka.alert_numbers import AlertNumbers
from slamon.kafka.changelog import Owner, Positions, Reading, Record
from slamon.kafka.pending import Pending
from slamon.kafka.restore import take_back
from slamon.kafka.rewriting import ChangelogLength
from tests.laws.test_laws_of_the_step import chances, journey, worlds
from tests.laws.worlds import CUSTOMER, World

often = settings(deadline=None, max_examples=60)
FLOOR, SLICE = 3, 1  # so that small worlds are rewritten often, and over several commits


class Task:
    """What stands in its partition, and the monitor that knows it; restored from there whenever it is asked."""

    def __init__(self, world: World, version: int) -> None:
        self.world = world
        self.version = version
        self.log: list[Record] = []
        self.first = 0  # offset of the first record that was not deleted
        self.deletions = 0
        self.owners = 0
        self.restore()

    def reading(self) -> Reading:
        reading = Reading()
        for record in self.log:
            reading.take(*record)
        reading.check()
        return reading

    def standing(self) -> tuple[dict[FactKey, Facts], object, object, object]:
        reading = self.reading()
        facts = {key: found for key, found, _ in reading.facts()}
        return facts, reading.outbox, reading.positions, reading.owner

    def restore(self) -> None:
        """As the next owner does; it knows nothing but the log."""
        self.owners += 1
        self.owner = changelog.owner_record(Owner(b"%016d" % self.owners, "pod", 0))
        self.log.append(self.owner)
        reading = self.reading()
        self.monitor = self.new_monitor()
        self.parts: dict[FactKey, int] = {}
        for fact in reading.packed_facts():
            take_back(self.monitor, fact)
        positions = reading.positions
        self.monitor.start(self.world.start if positions is None else positions.now)
        self.alerts = AlertNumbers()
        self.alerts.restore(0 if positions is None else positions.number, reading.outbox, [], 0, too_old=0)
        self.length = ChangelogLength(reading.records, reading.in_other_formats(self.version))

    def new_monitor(self) -> Monitor:
        return Monitor(self.world.agreements, steps=False)

    def succeed(self) -> None:
        """By another monitor, as when agreements change."""
        self.commit()
        before, self.monitor = self.monitor, self.new_monitor()
        for key, facts in before.facts():
            self.monitor.restore(key, facts)
        assert before.now is not None
        self.monitor.start(before.now)

    def commit(self) -> None:
        pending = Pending()
        pending.note(self.monitor.drain(), self.alerts.announce)
        last = self.length.add_slice(pending.facts, self.monitor, more_parts=0, announced=self.alerts.newest)
        positions = Positions({}, self.monitor.now or 0, self.alerts.newest, 0)
        records = pending.for_changelog(
            positions, self.alerts.take_seen(), self.parts, self.version, self.monitor.upshot
        )
        if last:
            records = [self.owner, *records]
        offset = self.first + len(self.log)
        self.log += records
        self.length.committed(pending.facts, len(records), offset)
        assert self.standing()[0] == dict(self.monitor.facts())

    def trim(self) -> None:
        before = self.length.deletable(self.alerts.oldest_awaited)
        if before is None:
            return
        whole = self.standing()
        del self.log[: before - self.first]
        self.first = before
        assert self.standing() == whole
        assert self.length.records == len(self.log)
        self.deletions += 1

    def see_alerts(self, chance: Random) -> None:
        if self.alerts.oldest_awaited is not None and chance.randrange(3) == 0:
            self.alerts.saw(self.alerts.oldest_awaited, 0)


@pytest.fixture(autouse=True, scope="module")
def small_measures() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rewriting, "FLOOR", FLOOR)
        patch.setattr(rewriting, "SLICE", SLICE)
        yield


@often
@given(worlds, chances)
def test_whatever_is_deleted_stands_further_on(world: World, chance: Random) -> None:
    """Beside events, successors, owners that come back with nothing but the log, and alerts that are seen late."""
    task = Task(world, formats.NEWEST)
    for batch, now in journey(world, chance):
        for event in batch:
            task.monitor.apply(event)
        if chance.randrange(2):
            task.monitor.advance(max(now, task.monitor.now or now))
        task.commit()
        if chance.randrange(2):
            task.trim()  # an owner that is killed between the last slice and this never does
        task.see_alerts(chance)
        disturbance = chance.randrange(4)
        if disturbance == 0:
            task.restore()
        elif disturbance == 1 and task.monitor.now is not None:
            task.succeed()


@often
@given(worlds, chances)
def test_a_log_is_bounded_by_what_stands_in_it(world: World, chance: Random) -> None:
    task = Task(world, formats.NEWEST)
    for batch, now in journey(world, chance):
        for event in batch:
            task.monitor.apply(event)
        task.monitor.advance(now)
        task.commit()
        task.trim()
        task.see_alerts(chance)
    while task.alerts.oldest_awaited is not None:
        task.see_alerts(chance)
    facts = task.monitor.count_facts()
    for _ in range(facts + 2):  # commits in which nothing else happens, enough for a whole rewrite
        task.commit()
        task.trim()
    for _ in range(10):
        task.commit()
        task.trim()
        written_anew = 2 * facts + 3  # the facts, positions with each slice, the owner
        assert len(task.log) <= max(FLOOR, rewriting.TIMES * facts) + written_anew


@often
@given(worlds, chances)
def test_a_log_passes_into_another_format_and_back_and_nothing_of_the_other_is_left(
    world: World, chance: Random
) -> None:
    versions = [1, 2] if chance.randrange(2) else [2, 1]
    task = Task(world, versions[0])
    batches = journey(world, chance)
    half = chance.randrange(len(batches))
    for number, (batch, now) in enumerate(batches):
        if number == half:
            task.version = versions[1]
            task.restore()
        for event in batch:
            task.monitor.apply(event)
        task.monitor.advance(now)
        task.commit()
        task.trim()
        if chance.randrange(8) == 0:
            task.restore()
    while task.alerts.oldest_awaited is not None:
        task.see_alerts(chance)
    task.commit()
    while task.length.under_way:
        task.commit()
    assert task.reading().in_other_formats(versions[1]) == []
    assert task.reading().format == versions[1]
    assert task.standing()[0] == dict(task.monitor.facts())


def test_a_rewrite_whose_beginning_is_not_known_begins_once_more() -> None:
    """Brokers that have a batch already do not say where it lies."""
    monitor, changed = Monitor([], steps=False), dict[FactKey, Facts | None]()
    length = ChangelogLength(records=FLOOR + 1)
    assert length.add_slice(changed, monitor, more_parts=0, announced=0)
    length.committed(changed, 2, -1)
    assert length.deletable(None) is None
    assert length.add_slice(changed, monitor, more_parts=0, announced=0)
    length.committed(changed, 2, 12)
    assert length.deletable(None) == 12
    assert length.deletable(None) is None, "once"


def test_a_rewrite_begins_again_with_a_successor_whose_facts_are_newer() -> None:
    keys = [FactKey(FactKind.TICKET, CUSTOMER, name) for name in "ab"]

    def monitor_of(status: TicketStatus) -> Monitor:
        """No agreement speaks of them, so it only keeps them."""
        monitor = Monitor([], steps=False)
        for key in keys:
            event = TicketEvent("e", 0, CUSTOMER, key.subject, status=status)
            monitor.restore(key, Facts(tickets=(event,)))
        return monitor

    before, after = map(monitor_of, (TicketStatus.OPEN, TicketStatus.RESOLVED))
    length = ChangelogLength(records=100)
    written = dict[FactKey, Facts | None]()
    for offset, monitor in enumerate((before, after, after, after), 100):
        changed = dict[FactKey, Facts | None]()
        length.add_slice(changed, monitor, more_parts=0, announced=0)
        length.committed(changed, 2, offset)
        written |= changed
    assert written == dict(after.facts())
    assert length.deletable(None) == 101, "where the successor's first slice stands"


def test_nothing_is_deleted_while_an_alert_that_was_announced_before_is_not_seen() -> None:
    monitor, changed = Monitor([], steps=False), dict[FactKey, Facts | None]()
    length = ChangelogLength(records=100)
    assert length.add_slice(changed, monitor, more_parts=0, announced=5)
    length.committed(changed, 2, 100)
    assert length.deletable(5) is None
    assert length.deletable(6) == 100


def test_a_log_that_does_not_say_what_many_tickets_came_to_is_rewritten_once_if_its_format_can() -> None:
    monitor, changed = Monitor([], steps=False), dict[FactKey, Facts | None]()
    for told_in_part, upshots, due in (
        (FLOOR, True, False),
        (FLOOR + 1, False, False),
        (FLOOR + 1, True, True),
    ):
        monitor.told_in_part = told_in_part
        length = ChangelogLength(upshots=upshots)
        assert length.add_slice(changed, monitor, more_parts=0, announced=0) is due
    assert monitor.told_in_part == 0
