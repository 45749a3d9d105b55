"""Judges recorded events without Kafka: the same step, driven by the events' own times.

The order given is the order of arrival. Before an event whose time lies beyond all before, the clock visits every instant
strictly before that time; then the event is applied. At the end of the input what is due exactly then is judged, too.

Memory is bounded: when too much is in use, decided tickets wait in temporary files until they are heard of again, and so
do lists that are to be sorted. What is written is the same, whatever the bound.
"""

import heapq
from codecs import BOM_UTF8
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import orjson

from slamon import records
from slamon.codec import Rejected, decode, format_instant
from slamon.domain.agreement import Agreement
from slamon.domain.decisions import (
    AlertChanged,
    AlertTransition,
    ClockRecord,
    Statement,
    StatementIssued,
)
from slamon.domain.events import Event, Taken, order_key
from slamon.domain.monitor import Monitor
from slamon.overflow import Memory, Room, Shelf, Sorter, temporary_folder

T = TypeVar("T")


class Replay:
    """Feeds a monitor, event by event, and hands on what it decides.

    With a `shelf`, decided tickets are put there as `memory` says; all others stay in the monitor.
    """

    def __init__(
        self,
        agreements: Sequence[Agreement],
        *,
        until: int | None = None,
        on_alert: Callable[[AlertTransition], None] = lambda _: None,
        on_statement: Callable[[Statement], None] = lambda _: None,
        shelf: Shelf | None = None,
        memory: Memory | None = None,
    ) -> None:
        recall = None if shelf is None else shelf.recall
        self.monitor = Monitor(agreements, steps=True, durable=False, recall=recall)
        self.counts: Counter[str] = Counter()
        self._shelf = shelf
        memory = memory or Memory()
        self._room = Room(memory)
        self._ask_every = self._ask_in = memory.every  # events
        self._until = until
        self._on_alert = on_alert
        self._on_statement = on_statement

    def pass_to(self, now: int) -> None:
        """Nothing arrives before the clock shows `now`."""
        self.monitor.advance(now)
        self._hand_on()

    def feed(self, event: Event) -> Taken | None:
        """Apply the next event to arrive. None: it lies after `until`, and is not read."""
        if self._until is not None and event.time > self._until:
            self.counts["after_until"] += 1
            return None
        monitor = self.monitor
        now = monitor.now
        if now is None or event.time > now:
            now = event.time
            monitor.advance(now)
        taken = monitor.apply(event)
        self.counts[taken.value] += 1
        monitor.advance(now)
        self._hand_on()
        self._ask_in -= 1
        if self._ask_in == 0:
            self._ask_in = self._ask_every
            self._make_room()
        return taken

    def _make_room(self) -> None:
        if self._shelf is not None and self._room.is_full(self._held()):
            self._shelf.keep(self.monitor.release())
            self._room.emptied(self._held())

    def _held(self) -> int:
        return sum(len(customer.tickets) for customer in self.monitor.customers.values())

    def finish(self) -> Monitor:
        """The input has ended; the clock goes to `until`, if there is one."""
        monitor = self.monitor
        if self._until is not None:
            monitor.advance(self._until)
        monitor.finish()
        self._hand_on()
        return monitor

    def _hand_on(self) -> None:
        for decision in self.monitor.drain():
            if isinstance(decision, AlertChanged):
                self._on_alert(decision.transition)
            elif isinstance(decision, StatementIssued):
                self._on_statement(decision.statement)


def judge(agreements: Sequence[Agreement], events: Iterable[Event], until: int | None = None) -> Monitor:
    """The monitor after all these events, in their order of arrival."""
    replay = Replay(agreements, until=until)
    for event in events:
        replay.feed(event)
    return replay.finish()


class Line(NamedTuple):
    """A line of an events file, numbered from 1."""

    number: int
    text: bytes
    event: Event | Rejected


def read_events(path: Path, progress: Callable[[int], None] = lambda _: None) -> Iterator[Line]:
    """The lines of an NDJSON file, blank ones left out; `progress` is told the bytes of each."""
    with path.open("rb") as file:
        for number, written in enumerate(file, start=1):
            progress(len(written))
            text = written.removeprefix(BOM_UTF8) if number == 1 else written
            if text.strip():
                yield Line(number, text, decode(text, now=None))


class Summary(NamedTuple):
    """What a replay did: how many events became what, and how many records it wrote."""

    now: int | None
    events: dict[str, int]
    rejected: dict[str, int]
    written: dict[str, int]


def replay_file(
    agreements: Sequence[Agreement],
    events: Path,
    out: Path,
    *,
    sort: bool = False,
    until: int | None = None,
    memory: Memory | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Summary:
    """Judge a file of events and write alerts, clocks, standings, statements and credits into the folder `out`.

    Lines that cannot be events are written to `rejected.ndjson` with their number and the reason. What exceeds `memory`
    (default: 1 GiB) is kept in temporary files in `out`.
    """
    out.mkdir(parents=True, exist_ok=True)
    memory = memory or Memory()
    written: Counter[str] = Counter()
    rejected: Counter[str] = Counter()
    with temporary_folder(out) as folder, ExitStack() as stack:
        files = {
            name: stack.enter_context((out / f"{name}.ndjson").open("wb"))
            for name in ("alerts", "clocks", "standings", "statements", "credits", "rejected")
        }

        def write(name: str, record: bytes) -> None:
            files[name].write(record + b"\n")
            written[name] += 1

        def sorter(kind: Any, key: Callable[[T], Any]) -> Sorter[T]:
            return stack.enter_context(closing(Sorter(folder, memory, kind, key)))

        def accepted() -> Iterator[Event]:
            for line in read_events(events, progress):
                if isinstance(line.event, Rejected):
                    rejected[line.event.reason.value] += 1
                    write("rejected", _rejected_record(line, line.event))
                else:
                    yield line.event

        statements = sorter(Statement, records.statement_key)
        shelf = stack.enter_context(closing(Shelf(folder)))
        replay = Replay(
            agreements,
            until=until,
            on_alert=lambda alert: write("alerts", records.alert_record(alert, None)),
            on_statement=statements.add,
            shelf=shelf,
            memory=memory,
        )
        arrived = accepted()
        if sort:
            by_time = sorter(Event, _order_of_time)
            for event in arrived:
                by_time.add(event)
            arrived = by_time.sorted()
        for event in arrived:
            replay.feed(event)
        monitor = replay.finish()
        if monitor.now is not None:
            shelved = sorter(ClockRecord, records.clock_key)
            for clock in shelf.clocks():
                shelved.add(clock)
            for clock in heapq.merge(shelved.sorted(), monitor.clocks(), key=records.clock_key):
                write("clocks", records.clock_record(clock))
            for standing in monitor.standings():
                write("standings", records.standing_record(standing))
        for statement in statements.sorted():
            write("statements", records.statement_record(statement))
            if records.books_credit(statement):
                write("credits", records.credit_record(statement))
    counts = dict(replay.counts)
    unknown = monitor.opening_unknown()
    if unknown:
        counts["opening_unknown"] = unknown
    return Summary(monitor.now, counts, dict(rejected), dict(written))


def _order_of_time(event: Event) -> tuple[int, bool, int, str]:
    """By time, `seq` and `id`; what is equal stays in the order of the lines."""
    return order_key(event)[:4]


def _rejected_record(line: Line, rejected: Rejected) -> bytes:
    return orjson.dumps(
        {
            "line": line.number,
            "reason": rejected.reason.value,
            "detail": rejected.detail,
            "text": line.text.rstrip(b"\r\n").decode(errors="replace"),
        }
    )


def in_order(lines: Iterable[Line]) -> list[Line]:
    """By time, `seq`, `id`, then line; what cannot be an event comes first, as nobody knows when it was."""
    return sorted(
        lines,
        key=lambda line: (
            (0, line.number)
            if isinstance(line.event, Rejected)
            else (1, *order_key(line.event)[:4], line.number)
        ),
    )


def told(summary: Summary) -> Iterator[str]:
    """The summary in lines for people."""
    counts = dict(summary.events)
    late = counts.pop("late", 0)
    if late:
        counts["accepted"] = counts.get("accepted", 0) + late  # they count like all others
    events = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in sorted(counts.items()))
    yield f"events: {events or 'none'}" + (f" ({late:,} of them late)" if late else "")
    if summary.rejected:
        why = ", ".join(f"{count:,} {reason}" for reason, count in sorted(summary.rejected.items()))
        yield f"cannot be events: {why}; see rejected.ndjson"
    if summary.now is not None:
        yield f"judged as of {format_instant(summary.now)}"
    yield "written: " + ", ".join(
        f"{summary.written.get(name, 0):,} {name}"
        for name in ("clocks", "standings", "statements", "credits", "alerts")
    )
