"""Judges recorded events without Kafka: the same step, driven by the events' own times.

The order given is the order of arrival. Before an event whose time lies beyond all before, the clock visits every instant
strictly before that time; then the event is applied. At the end of the input what is due exactly then is judged, too.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import orjson

from slamon import records
from slamon.codec import Rejected, decode, format_instant
from slamon.domain.agreement import Agreement
from slamon.domain.decisions import AlertChanged, AlertTransition, Statement, StatementIssued
from slamon.domain.events import Event, order_key
from slamon.domain.monitor import Monitor, Taken


class Replay:
    """Feeds a monitor, event by event, and hands on what it decides."""

    def __init__(
        self,
        agreements: Sequence[Agreement],
        *,
        until: int | None = None,
        on_alert: Callable[[AlertTransition], None] = lambda _: None,
        on_statement: Callable[[Statement], None] = lambda _: None,
    ) -> None:
        self.monitor = Monitor(agreements, steps=True, durable=False)
        self.counts: Counter[str] = Counter()
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
        return taken

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
        for number, text in enumerate(file, start=1):
            progress(len(text))
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
    progress: Callable[[int], None] = lambda _: None,
) -> Summary:
    """Judge a file of events and write alerts, clocks, standings, statements and credits into the folder `out`.

    Lines that cannot be events are written to `rejected.ndjson` with their number and the reason.
    """
    out.mkdir(parents=True, exist_ok=True)
    written: Counter[str] = Counter()
    rejected: Counter[str] = Counter()
    statements: list[Statement] = []
    with ExitStack() as stack:
        files = {
            name: stack.enter_context((out / f"{name}.ndjson").open("wb"))
            for name in ("alerts", "clocks", "standings", "statements", "credits", "rejected")
        }

        def write(name: str, record: bytes) -> None:
            files[name].write(record + b"\n")
            written[name] += 1

        replay = Replay(
            agreements,
            until=until,
            on_alert=lambda alert: write("alerts", records.alert_record(alert, None)),
            on_statement=statements.append,
        )
        lines = read_events(events, progress)
        for line in in_order(lines) if sort else lines:
            if isinstance(line.event, Rejected):
                rejected[line.event.reason.value] += 1
                write("rejected", _rejected_record(line, line.event))
            else:
                replay.feed(line.event)
        monitor = replay.finish()
        if monitor.now is not None:
            for clock in monitor.clocks():
                write("clocks", records.clock_record(clock))
            for standing in monitor.standings():
                write("standings", records.standing_record(standing))
        for statement in sorted(statements, key=records.statement_key):
            write("statements", records.statement_record(statement))
            if records.books_credit(statement):
                write("credits", records.credit_record(statement))
    counts = dict(replay.counts)
    unknown = monitor.opening_unknown()
    if unknown:
        counts["opening_unknown"] = unknown
    return Summary(monitor.now, counts, dict(rejected), dict(written))


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
    events = ", ".join(
        f"{count:,} {name.replace('_', ' ')}" for name, count in sorted(summary.events.items())
    )
    yield f"events: {events or 'none'}"
    if summary.rejected:
        why = ", ".join(f"{count:,} {reason}" for reason, count in sorted(summary.rejected.items()))
        yield f"cannot be events: {why}; see rejected.ndjson"
    if summary.now is not None:
        yield f"judged as of {format_instant(summary.now)}"
    yield "written: " + ", ".join(
        f"{summary.written.get(name, 0):,} {name}"
        for name in ("clocks", "standings", "statements", "credits", "alerts")
    )
