"""What the specification says, taken at its word and counted tick by tick.

Nothing here is clever: every instant of the grid is looked at, every tick is counted or not. It is what the monitor is
compared with, so it shares no code with it beyond the records; opening hours are read off a wall clock.

All instants of a world must lie on its grid, so that nothing changes inside a tick.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from slamon.domain.agreement import Agreement, Measure, StopOn, TicketObjective
from slamon.domain.calendars import Calendar
from slamon.domain.decisions import ClockOutcome, ClockRecord, ClockState
from slamon.domain.events import Event, Reply, TicketEvent, TicketStatus
from tests.laws.worlds import HOURS

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ACTIVE = (TicketStatus.OPEN, TicketStatus.WAITING)
_DONE = (TicketStatus.RESOLVED, TicketStatus.CLOSED)


@lru_cache(maxsize=65536)
def is_open(calendar: Calendar, instant: int) -> bool:
    """By the wall clock; the worlds keep their opening hours away from the hours in which clocks are changed."""
    hours = HOURS[calendar.name]
    if hours is None:
        return True
    local = (_EPOCH + timedelta(microseconds=instant)).astimezone(hours.zone)
    minute = local.hour * 60 + local.minute
    today, yesterday = local.weekday(), (local.weekday() - 1) % 7
    return any(a <= minute < b for a, b in hours.week.get(today, ())) or any(
        a <= minute + 1440 < b for a, b in hours.week.get(yesterday, ())
    )


def known_at(events: Iterable[Event], now: int) -> list[Event]:
    """The facts that hold at `now`, each once, in the order in which they happened."""
    once: dict[tuple[object, ...], Event] = {}
    for event in events:
        subject = getattr(event, "ticket", None) or getattr(event, "exclusion", None) or event.service  # type: ignore[union-attr] - an event has one of the three
        if event.time <= now:
            once.setdefault((type(event), event.customer, subject, event.id), event)
    return sorted(
        once.values(),
        key=lambda e: (e.time, e.seq is not None, e.seq or 0, e.id, e.customer is not None),
    )


# ------------------------------------------------------------------------------------------------------------- tickets


@dataclass
class Fields:
    status: TicketStatus = TicketStatus.OPEN
    waiting_on: str | None = None
    priority: str | None = None
    service: str | None = None
    attributes: dict[str, str] = field(default_factory=dict)

    def take(self, event: TicketEvent) -> None:
        self.status = event.status or self.status
        self.waiting_on = event.waiting_on or self.waiting_on
        self.priority = event.priority or self.priority
        self.service = event.service or self.service
        self.attributes.update(event.attributes or {})


Terms = tuple[Agreement, TicketObjective]


def _matches(objective: TicketObjective, fields: Fields) -> bool:
    when = objective.when
    return (
        (when.priority is None or fields.priority in when.priority)
        and (when.service is None or fields.service in when.service)
        and all(fields.attributes.get(name) in among for name, among in when.attributes)
    )


def governing(versions: Sequence[Agreement], measure: Measure, fields: Fields, instant: int) -> Terms | None:
    """The first objective in file order that matches, of the version in force."""
    for version in versions:
        if not version.start <= instant < version.end:
            continue
        if version.services is not None and fields.service is not None:
            if fields.service not in {service.name for service in version.services}:
                return None
        for objective in version.objectives:
            if (
                isinstance(objective, TicketObjective)
                and objective.measure is measure
                and _matches(objective, fields)
            ):
                return version, objective
    return None


@dataclass(frozen=True)
class End:
    """The cycle is over: by being stopped, or by being cancelled; either can be undone later."""

    outcome: ClockOutcome
    at: int
    stopped_at: int
    objective: TicketObjective | None
    elapsed: int
    paused: int
    due_at: int | None


@dataclass
class Cycle:
    """What the ticks have told so far."""

    start: int
    tick: int
    measure: Measure
    elapsed: int = 0
    paused: int = 0
    first_governed: int | None = None
    last: TicketObjective | None = None  # the last that governed
    frozen: TicketObjective | None = None  # the objective of its breach
    breached_at: int | None = None
    due_at: int | None = None  # when elapsed first reached the target under the objective that governs now
    pause_began: int | None = None  # only while it lasts
    pause_counted: int = 0  # opening hours in it
    end: End | None = None
    cancelled: bool = False  # the end is one that becoming active again undoes, whatever the terms
    for_good: bool = False  # nothing undoes the end
    ignored: bool = False  # active again, but without terms that would go on

    def finish(self, outcome: ClockOutcome, at: int, objective: TicketObjective | None) -> None:
        paused = self.paused
        stopped_at = at
        if self.pause_began is not None:
            stopped_at = self.pause_began if self.first_governed is None else max(self.pause_began, self.first_governed)
            paused -= self.pause_counted
        if self.breached_at is not None:
            outcome, objective = ClockOutcome.MISSED, self.frozen
        self.end = End(outcome, at, stopped_at, objective, self.elapsed, paused, self.due_at)
        self.pause_began, self.pause_counted = None, 0

    def take_over(self, objective: TicketObjective | None, at: int) -> None:
        """Other terms govern from `at` on; what is used up already is due at once."""
        if self.breached_at is not None:
            return
        self.due_at = None
        if objective is not None and self.elapsed >= objective.target:
            self.due_at = at

    def check(self, objective: TicketObjective | None, at: int) -> None:
        """A target that is exceeded although no time has passed under it: breached by the change itself."""
        if self.breached_at is None and objective is not None and self.elapsed > objective.target:
            self.breached_at, self.frozen = at, objective

    def pass_tick(self, objective: TicketObjective, fields: Fields, at: int) -> None:
        if fields.status is TicketStatus.WAITING and fields.waiting_on in objective.pause_on:
            if self.pause_began is None:
                self.pause_began, self.pause_counted = at, 0
            if is_open(objective.calendar, at):
                self.paused += self.tick
                self.pause_counted += self.tick
            return
        self.pause_began, self.pause_counted = None, 0
        if is_open(objective.calendar, at):
            if self.breached_at is None and self.elapsed >= objective.target:
                self.breached_at, self.frozen = at, objective
            self.elapsed += self.tick
            if self.due_at is None and self.elapsed >= objective.target:
                self.due_at = at + self.tick


def opening(events: Sequence[TicketEvent]) -> int | None:
    """None: nobody saw it open."""
    named = [event.opened_at for event in events if event.opened_at is not None]
    if named:
        return named[-1]
    fields = Fields()
    for event in events:
        if event.time == events[0].time:
            fields.take(event)
    return events[0].time if fields.status in _ACTIVE else None


def fields_at(events: Sequence[TicketEvent], instant: int) -> Fields:
    fields = Fields()
    if instant < events[0].time:  # opened before anything was heard
        for event in events:
            if event.time == events[0].time:
                fields.take(event)
        fields.status, fields.waiting_on = TicketStatus.OPEN, None
        return fields
    for event in events:
        if event.time <= instant:
            fields.take(event)
    return fields


def clock(
    versions: Sequence[Agreement], measure: Measure, heard: Iterable[Event], ticket: str, now: int, tick: int
) -> ClockRecord | None:
    """The first and only cycle of a measure as of `now`; None: there is none, or none was ever governed."""
    events = [e for e in known_at(heard, now) if isinstance(e, TicketEvent) and e.ticket == ticket]
    if not events:
        return None
    start = opening(events)
    if start is None or start > now:
        return None
    changes = {event.time for event in events} | {v.start for v in versions} | {v.end for v in versions} | {start}
    cycle = Cycle(start, tick, measure)
    terms: Terms | None = None
    fields = Fields()
    for instant in range(start, now + 1, tick):
        if instant in changes:
            fields = fields_at(events, instant)
            before = terms
            terms = governing(versions, measure, fields, instant)
            replies = [e.reply for e in events if e.time == instant and e.reply is not None]
            _meet(cycle, fields, terms if instant == start else before, terms, replies, instant)
        if instant < now and cycle.end is None:
            objective = cycle.frozen or (terms and terms[1])
            if objective is None:
                cycle.pause_began, cycle.pause_counted = None, 0
            else:
                cycle.pass_tick(objective, fields, instant)
    return _record(cycle, versions[0], ticket, fields, terms and terms[1], now)


def _meet(
    cycle: Cycle, fields: Fields, before: Terms | None, terms: Terms | None, replies: list[Reply], at: int
) -> None:
    """What an instant does to the cycle, before time goes on. A change of terms at the instant of a stop is too late."""
    was, governs = before and before[1], terms and terms[1]
    cycle.last = was or cycle.last
    resumed = _is_undone(cycle, fields, governs)
    if cycle.first_governed is None and was is not None and (at == cycle.start or resumed):
        cycle.first_governed = at
    if resumed:
        cycle.end, cycle.cancelled = None, False
    answered = cycle.measure is Measure.FIRST_RESPONSE and Reply.AGENT in replies
    running = cycle.end is None
    if running and fields.status is TicketStatus.CANCELLED:
        cycle.finish(ClockOutcome.VOID, at, cycle.last)
        cycle.cancelled = True
    elif running and (answered or _stops(cycle, fields, governs)):
        cycle.finish(ClockOutcome.VOID if was is None else ClockOutcome.MET, at, cycle.last)
        cycle.for_good = cycle.measure is Measure.FIRST_RESPONSE
    if cycle.cancelled and answered:
        cycle.for_good = True
    if before != terms:
        cycle.take_over(governs, at)
    if cycle.end is None:
        if cycle.first_governed is None and governs is not None:
            cycle.first_governed = at
        if resumed or before != terms:
            cycle.check(governs, at)
    cycle.last = governs or cycle.last


def _is_undone(cycle: Cycle, fields: Fields, governs: TicketObjective | None) -> bool:
    """Active again: what was cancelled runs on; what was stopped does if the terms of now say so."""
    if cycle.end is None or cycle.for_good:
        return False
    if fields.status not in _ACTIVE:
        cycle.ignored = False
        return False
    if cycle.cancelled:
        return True
    if cycle.ignored:
        return False
    cycle.ignored = governs is None
    return not cycle.ignored


def _stops(cycle: Cycle, fields: Fields, governs: TicketObjective | None) -> bool:
    if cycle.measure is Measure.FIRST_RESPONSE:
        return fields.status in _DONE
    objective = cycle.frozen or governs
    if objective is not None and objective.stop_on is StopOn.CLOSED:
        return fields.status is TicketStatus.CLOSED
    return fields.status in _DONE


def _reached(objective: TicketObjective, missing: int, start: int, tick: int) -> int:
    """When `missing` has passed in opening hours."""
    at = start
    while missing > 0:
        missing -= tick if is_open(objective.calendar, at) else 0
        at += tick
    return at


def _record(
    cycle: Cycle,
    agreement: Agreement,
    ticket: str,
    fields: Fields,
    governs: TicketObjective | None,
    now: int,
) -> ClockRecord | None:
    end = cycle.end
    if cycle.first_governed is None:
        return None
    due_at: int | None
    if end is None:
        objective = cycle.frozen or governs or cycle.last
        assert objective is not None
        rules = cycle.frozen or governs
        paused = rules is None or (
            fields.status is TicketStatus.WAITING and fields.waiting_on in rules.pause_on
        )
        state = ClockState.PAUSED if paused else ClockState.RUNNING
        outcome = ClockOutcome.PENDING if cycle.breached_at is None else ClockOutcome.MISSED
        stopped_at = None
        elapsed, paused_time, due_at = cycle.elapsed, cycle.paused, cycle.due_at
        if outcome is ClockOutcome.PENDING:
            if paused:
                due_at = None
            elif due_at is None:
                due_at = _reached(objective, objective.target - elapsed, now, cycle.tick)
        decided_at = cycle.breached_at
    else:
        assert end.objective is not None
        objective, outcome, stopped_at = end.objective, end.outcome, end.stopped_at
        elapsed, paused_time, due_at = end.elapsed, end.paused, end.due_at
        state = ClockState.VOID if outcome is ClockOutcome.VOID else ClockState.STOPPED
        decided_at = cycle.breached_at if outcome is ClockOutcome.MISSED else end.at
        if outcome is ClockOutcome.VOID:
            due_at = None
        elif due_at is None:
            due_at = _reached(objective, objective.target - elapsed, stopped_at, cycle.tick)
    return ClockRecord(
        customer=agreement.customer,
        agreement=agreement.name,
        objective=objective.name,
        measure=cycle.measure,
        ticket=ticket,
        cycle=1,
        state=state,
        outcome=outcome,
        started_at=cycle.first_governed,
        stopped_at=stopped_at,
        due_at=due_at,
        target=objective.target,
        elapsed=elapsed,
        paused=paused_time,
        breached_at=cycle.breached_at,
        decided_at=decided_at,
    )


def clocks(agreements: Sequence[Agreement], events: Sequence[Event], now: int, tick: int) -> list[ClockRecord]:
    found = []
    tickets = sorted({event.ticket for event in events if isinstance(event, TicketEvent)})
    for name in sorted({agreement.name for agreement in agreements}):
        versions = [agreement for agreement in agreements if agreement.name == name]
        for ticket in tickets:
            for measure in (Measure.FIRST_RESPONSE, Measure.RESOLUTION):
                record = clock(versions, measure, events, ticket, now, tick)
                if record is not None:
                    found.append(record)
    return sorted(found, key=lambda c: (c.agreement, c.objective, c.ticket, c.measure.value, c.cycle))
