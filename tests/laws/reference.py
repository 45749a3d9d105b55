"""What the specification says, taken at its word and counted tick by tick.

Nothing here is clever: every instant of the grid is looked at, every tick is counted or not. It is what the monitor is
compared with, so it shares no code with it beyond the records; opening hours are read off a wall clock.

All instants of a world must lie on its grid, so that nothing changes inside a tick.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from functools import lru_cache

from slamon.domain.agreement import (
    Agreement,
    AvailabilityObjective,
    BelowMinimum,
    DegradedCountsAs,
    ExclusionsCountAs,
    ExclusionTerm,
    Measure,
    OnPriorityChange,
    OnReopen,
    RequestsObjective,
    Schedule,
    StopOn,
    TicketFilter,
    TicketObjective,
    UnknownCountsAs,
)
from slamon.domain.calendars import Calendar
from slamon.domain.decisions import (
    ClockOutcome,
    ClockRecord,
    ClockState,
    Outcome,
    SecondCounts,
    TicketCounts,
)
from slamon.domain.events import (
    DAY,
    MINUTE,
    AvailabilityEvent,
    Event,
    ExclusionEvent,
    ExclusionState,
    Reply,
    RequestsEvent,
    ServiceStatus,
    TicketEvent,
    TicketStatus,
)
from slamon.domain.periods import TimeWindow, Unit
from tests.laws.worlds import HOURS, day_of

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


def _subject(event: Event) -> str:
    match event:
        case TicketEvent():
            return event.ticket
        case ExclusionEvent():
            return event.exclusion
        case _:
            return event.service


def known_at(events: Iterable[Event], now: int) -> list[Event]:
    """The facts that hold at `now`, each once, in the order in which they happened."""
    once: dict[tuple[object, ...], Event] = {}
    for event in events:
        if event.time <= now:
            once.setdefault((type(event), event.customer, _subject(event), event.id), event)
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


@dataclass(frozen=True)
class Terms:
    """What holds at an instant: the version in force, and its objective for one measure that matches the ticket."""

    version: Agreement | None
    objective: TicketObjective | None


NOTHING = Terms(None, None)


def matches(when: TicketFilter, fields: Fields) -> bool:
    return (
        (when.priority is None or fields.priority in when.priority)
        and (when.service is None or fields.service in when.service)
        and all(fields.attributes.get(name) in among for name, among in when.attributes)
    )


def terms_at(versions: Sequence[Agreement], measure: Measure, fields: Fields, instant: int) -> Terms:
    """The first objective in file order that matches, of the version in force."""
    for version in versions:
        if not version.start <= instant < version.end:
            continue
        listed = None if version.services is None else {service.name for service in version.services}
        if listed is not None and fields.service is not None and fields.service not in listed:
            return Terms(version, None)
        for objective in version.objectives:
            if (
                isinstance(objective, TicketObjective)
                and objective.measure is measure
                and matches(objective.when, fields)
            ):
                return Terms(version, objective)
        return Terms(version, None)
    return NOTHING


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
    elapsed: int = 0
    paused: int = 0
    terms: Terms = NOTHING  # those it runs by, or ran by until it was over
    started_at: int | None = None  # from where elapsed counts; None: no objective ever governed
    last: TicketObjective | None = None  # the last that governed, also while it was over
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
            began = self.pause_began
            stopped_at = began if self.started_at is None else max(began, self.started_at)
            paused -= self.pause_counted
        if self.breached_at is not None:
            outcome, objective = ClockOutcome.MISSED, self.frozen
        self.end = End(outcome, at, stopped_at, objective, self.elapsed, paused, self.due_at)
        self.pause_began, self.pause_counted = None, 0

    def run_on(self) -> None:
        self.end, self.cancelled = None, False

    def run_by(self, terms: Terms, at: int) -> None:
        """These terms hold from `at` on. What is used up already is due at once, what exceeds them is breached."""
        before, self.terms = self.terms, terms
        if before == terms or self.breached_at is not None:
            return
        self.due_at = None
        objective = terms.objective
        if objective is None:
            return
        if self.started_at is None:
            self.started_at = at
        # One name is one objective through all versions, and passing from version to version carries.
        changes = before.objective is None or before.objective.name != objective.name
        resets = objective.on_priority_change is OnPriorityChange.RESET
        if changes and resets and before.version is terms.version:
            self.elapsed = self.paused = self.pause_counted = 0
            self.started_at = at
        if self.elapsed >= objective.target:
            self.due_at = at
            if self.elapsed > objective.target:
                self.breached_at, self.frozen = at, objective

    def pass_tick(self, fields: Fields, at: int) -> None:
        objective = self.frozen or self.terms.objective
        if objective is None:
            self.pause_began, self.pause_counted = None, 0
            return
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


@dataclass
class Watch:
    """One measure of one ticket in one agreement, instant by instant; `cycles` in the order in which they start."""

    measure: Measure
    tick: int
    cycles: list[Cycle] = field(default_factory=list)
    terms: Terms = NOTHING  # at the last instant looked at
    fields: Fields = field(default_factory=Fields)
    active: bool = False
    was_done: bool = False  # at some instant since it was last active
    was_cancelled: bool = (
        False  # first of all, since it was last active: what is done after that was not resolved
    )
    responded: bool = False
    unanswered: bool = False  # a reply of the customer

    @property
    def running(self) -> Cycle | None:
        return self.cycles[-1] if self.cycles and self.cycles[-1].end is None else None

    @property
    def voided(self) -> Cycle | None:
        """Cancelled, and to run on if the ticket becomes active again."""
        last = self.cycles[-1] if self.cycles else None
        return last if last is not None and last.cancelled and not last.for_good else None

    def begin(self, terms: Terms, at: int) -> None:
        cycle = Cycle(at, self.tick, last=terms.objective)
        cycle.run_by(terms, at)
        self.cycles.append(cycle)

    def stop(self, before: Terms, at: int) -> None:
        """By the terms just before; those after the changes of the instant hold for a cycle that starts in it."""
        cycle = self.running
        if cycle is None:
            return
        if cycle.start != at:
            cycle.run_by(
                before, at
            )  # news only for one that resumed at this instant: it changed while it was over
        cycle.last = cycle.terms.objective or cycle.last
        outcome = ClockOutcome.VOID if cycle.terms.objective is None else ClockOutcome.MET
        cycle.finish(outcome, at, cycle.last)

    def meet(self, fields: Fields, terms: Terms, replies: Sequence[Reply], at: int, *, opens: bool) -> None:
        """What an instant does before time goes on: first what the fields came to, then the replies one by one."""
        before = terms if opens else self.terms
        was_active, self.active = self.active, fields.status in _ACTIVE
        self.fields, self.terms = fields, terms
        if opens and self.measure in (Measure.FIRST_RESPONSE, Measure.RESOLUTION):
            self.begin(terms, at)
        if self.running is not None:
            self.running.last = before.objective or self.running.last
        if fields.status is TicketStatus.CANCELLED:
            self._is_cancelled(at)
        elif fields.status in _DONE:
            self._is_done(before, at)
        elif not was_active and not opens:
            self._is_active_again(at)
        for reply in replies:
            if reply is Reply.AGENT:
                self._agent_replies(before, at)
            else:
                self._customer_replies(at)
        if self.running is not None:
            self.running.run_by(terms, at)
            self.running.last = terms.objective or self.running.last

    def _is_cancelled(self, at: int) -> None:
        if not self.was_done:
            self.was_cancelled = True
        cycle = self.running
        if cycle is not None:
            cycle.finish(ClockOutcome.VOID, at, cycle.last)
            cycle.cancelled = True
        if self.cycles:
            self.cycles[-1].ignored = False

    def _is_done(self, before: Terms, at: int) -> None:
        if self.measure is Measure.RESOLUTION:
            last = self.cycles[-1]
            objective = last.frozen or self.terms.objective
            closes = objective is not None and objective.stop_on is StopOn.CLOSED
            if self.fields.status is TicketStatus.CLOSED or not closes:
                self.stop(before, at)
                last.ignored = False
        else:
            self.stop(before, at)
        if not self.was_cancelled:
            self.responded = True
            if not self.was_done:
                self.unanswered = False
        self.was_done = True

    def _is_active_again(self, at: int) -> None:
        was_done, self.was_done, self.was_cancelled = self.was_done, False, False
        if self.voided is not None:
            self.voided.run_on()
        elif self.measure is Measure.RESOLUTION:
            self._is_reopened(self.cycles[-1], at)
        elif self.responded:
            reopened = self.measure is Measure.UPDATE and was_done
            asked = self.measure is Measure.NEXT_REPLY and self.unanswered
            if reopened or asked:
                self.begin(self.terms, at)

    def _is_reopened(self, last: Cycle, at: int) -> None:
        if last.end is None or last.ignored:
            return
        objective = self.terms.objective
        match OnReopen.IGNORE if objective is None else objective.on_reopen:
            case OnReopen.CONTINUE:
                last.run_on()
            case OnReopen.NEW_CYCLE:
                self.begin(self.terms, at)
            case OnReopen.IGNORE:
                last.ignored = True

    def _agent_replies(self, before: Terms, at: int) -> None:
        self.responded, self.unanswered = True, False
        if self.measure is Measure.RESOLUTION:
            return
        if self.voided is not None:
            self.voided.for_good = True
        self.stop(before, at)
        if self.measure is Measure.UPDATE and self.active:
            self.begin(self.terms, at)

    def _customer_replies(self, at: int) -> None:
        starts = self.responded and not self.unanswered and self.active
        self.unanswered = True
        if self.measure is Measure.NEXT_REPLY and starts:
            self.begin(self.terms, at)


def watched(
    versions: Sequence[Agreement],
    measure: Measure,
    heard: Iterable[Event],
    ticket: str,
    now: int,
    tick: int,
) -> Watch | None:
    """All cycles of a measure as of `now`; None: the ticket has none."""
    events = _of_ticket(known_at(heard, now), ticket)
    start = opening(events) if events else None
    if start is None or start > now:
        return None
    changes = {event.time for event in events} | {v.start for v in versions} | {v.end for v in versions}
    watch = Watch(measure, tick)
    for instant in range(start, now + 1, tick):
        if instant in changes or instant == start:
            fields = fields_at(events, instant)
            terms = terms_at(versions, measure, fields, instant)
            replies = [e.reply for e in events if e.time == instant and e.reply is not None]
            watch.meet(fields, terms, replies, instant, opens=instant == start)
        if instant < now and watch.running is not None:
            watch.running.pass_tick(watch.fields, instant)
    return watch


def _of_ticket(events: Iterable[Event], ticket: str) -> list[TicketEvent]:
    return [e for e in events if isinstance(e, TicketEvent) and e.ticket == ticket]


def _reached(objective: TicketObjective, missing: int, start: int, tick: int) -> int:
    """When `missing` has passed in opening hours."""
    at = start
    while missing > 0:
        missing -= tick if is_open(objective.calendar, at) else 0
        at += tick
    return at


def _record(watch: Watch, number: int, agreement: Agreement, ticket: str, now: int) -> ClockRecord | None:
    """Of the cycle of that number, from 1. None: no objective ever governed it."""
    cycle, fields, governs = watch.cycles[number - 1], watch.fields, watch.terms.objective
    end = cycle.end
    if cycle.started_at is None:
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
        measure=watch.measure,
        ticket=ticket,
        cycle=number,
        state=state,
        outcome=outcome,
        started_at=cycle.started_at,
        stopped_at=stopped_at,
        due_at=due_at,
        target=objective.target,
        elapsed=elapsed,
        paused=paused_time,
        breached_at=cycle.breached_at,
        decided_at=decided_at,
    )


@dataclass(frozen=True)
class Judged:
    """A cycle that an objective governed at some time, as of now; `governs`: the one that does now."""

    start: int
    record: ClockRecord
    governs: TicketObjective | None


def judged(agreements: Sequence[Agreement], events: Sequence[Event], now: int, tick: int) -> Iterator[Judged]:
    tickets = sorted({event.ticket for event in events if isinstance(event, TicketEvent)})
    for name in sorted({agreement.name for agreement in agreements}):
        versions = [agreement for agreement in agreements if agreement.name == name]
        for ticket in tickets:
            for measure in Measure:
                watch = watched(versions, measure, events, ticket, now, tick)
                for index, cycle in enumerate(watch.cycles if watch is not None else ()):
                    assert watch is not None
                    record = _record(watch, index + 1, versions[0], ticket, now)
                    if record is not None:
                        yield Judged(cycle.start, record, watch.terms.objective)


def clocks(
    agreements: Sequence[Agreement], events: Sequence[Event], now: int, tick: int
) -> list[ClockRecord]:
    return sorted(
        (one.record for one in judged(agreements, events, now, tick)),
        key=lambda c: (c.agreement, c.objective, c.ticket, c.measure.value, c.cycle),
    )


# ------------------------------------------------------------------------------------------------------------ services

Ticks = set[int]  # the first instant of each


def _ticks(start: int, end: int, tick: int) -> range:
    return range(start, end, tick)


def statuses(
    events: Sequence[Event], customer: str, service: str, now: int, tick: int, beyond: int = 0
) -> dict[int, ServiceStatus]:
    """The status in each tick from the first event until `now`, and `beyond` it if nothing more is heard.

    Where there is none, nobody knows.
    """
    heard = [
        e
        for e in known_at(events, now)
        if isinstance(e, AvailabilityEvent) and e.service == service and e.customer in (customer, None)
    ]
    found = {}
    for index, event in enumerate(heard):
        last = index + 1 == len(heard)
        until = now if last else heard[index + 1].time
        silent = event.interval is not None and until - event.time > 3 * event.interval
        for at in _ticks(event.time, until + (beyond if last else 0), tick):
            lost = silent and event.interval is not None and at >= event.time + event.interval
            found[at] = ServiceStatus.UNKNOWN if lost else event.status
    return found


def _is_bad(objective: AvailabilityObjective, status: ServiceStatus | None) -> bool:
    degraded = objective.degraded_counts_as is DegradedCountsAs.DOWN
    return status is ServiceStatus.DOWN or (degraded and status is ServiceStatus.DEGRADED)


def outages(objective: AvailabilityObjective, status: dict[int, ServiceStatus], tick: int) -> Ticks:
    """Down, as far as each outage is long enough; whole, not cut by anything."""
    down = {at for at, word in status.items() if _is_bad(objective, word)}
    counted: Ticks = set()
    for at in sorted(down):
        if at - tick in down:
            continue
        outage = [at]
        while outage[-1] + tick in down:
            outage.append(outage[-1] + tick)
        if len(outage) * tick >= objective.minimum_outage:
            counted.update(outage)
    return counted


def ticket_downtime(objective: AvailabilityObjective, heard: Sequence[Event], now: int, tick: int) -> Ticks:
    """While such a ticket is active, the tick that begins at `now` included, if nothing more is heard."""
    events = known_at(heard, now)
    tickets = {event.ticket for event in events if isinstance(event, TicketEvent)}
    found: Ticks = set()
    for ticket in tickets:
        found |= _down_by(objective, _of_ticket(events, ticket), now, tick)
    return found


def _down_by(objective: AvailabilityObjective, history: Sequence[TicketEvent], now: int, tick: int) -> Ticks:
    """An active span that ended in being cancelled does not count, unless the ticket became active again later.

    A ticket that nobody saw open has no clocks; here it speaks from its first event on, as far as it is active.
    """
    start, when = opening(history), objective.down_while
    if when is None:
        return set()
    start = history[0].time if start is None else start
    changes = {start, *(event.time for event in history)}
    found: Ticks = set()
    span: Ticks = set()  # of the active span that lasts, or that was cancelled
    fields, was_active = Fields(), False
    for at in _ticks(start, now + tick, tick):
        if at in changes:
            fields = fields_at(history, at)
            active = fields.status in _ACTIVE
            if active != was_active and fields.status is not TicketStatus.CANCELLED:
                found |= span
                span = set()
            was_active = active
        if (
            was_active
            and matches(when, fields)
            and (when.service is not None or fields.service == objective.service)
        ):
            span.add(at)
    return found | span if was_active else found


def _occurs(rule: str, day: date) -> bool:
    if rule == "FREQ=DAILY":
        return True
    names = rule.removeprefix("FREQ=WEEKLY;BYDAY=").split(",")
    return ("MO", "TU", "WE", "TH", "FR", "SA", "SU")[day.weekday()] in names


def _scheduled(agreement: Agreement, schedule: Schedule, start: int, end: int, tick: int) -> Ticks:
    found: Ticks = set()
    day = max(agreement.first_day, day_of(start) - timedelta(days=3))
    while (midnight := (day - date(1970, 1, 1)).days * DAY) < end:
        if _occurs(schedule.rule, day):
            begin = midnight + schedule.minute * MINUTE
            found.update(_ticks(begin, begin + schedule.duration, tick))
        day += timedelta(days=1)
    return found


def _declared(
    agreement: Agreement, term: ExclusionTerm, service: str, events: Sequence[Event], tick: int
) -> Ticks:
    """What events declare under this term: those that no earlier term takes."""
    found: Ticks = set()
    exclusions = [e for e in events if isinstance(e, ExclusionEvent)]
    for name in {e.exclusion for e in exclusions}:
        history = [e for e in exclusions if e.exclusion == name]
        newest = history[-1]
        if newest.state is ExclusionState.CANCELLED:
            continue
        assert newest.start is not None
        assert newest.end is not None
        announced = newest.announced_at
        if announced is None:
            announced = newest.time
            for event in reversed(history):
                same = (event.start, event.end) == (newest.start, newest.end)
                if event.state is ExclusionState.CANCELLED or not same:
                    break
                announced = event.time
        first = next(
            (
                one
                for one in agreement.exclusions
                if one.schedule is None
                and one.reason is newest.reason
                and (one.services is None or newest.service is None or newest.service in one.services)
                and (one.notice is None or newest.start - announced >= one.notice)
            ),
            None,
        )
        if (
            first is term
            and newest.service in (None, service)
            and (term.services is None or service in term.services)
        ):
            found.update(_ticks(newest.start, newest.end, tick))
    return found


def _unit_of(unit: Unit, instant: int) -> tuple[int, ...]:
    day = day_of(instant)
    return day.isocalendar()[:2] if unit is Unit.WEEK else (day.year, day.month)


def excluded(
    agreement: Agreement,
    objective: AvailabilityObjective | RequestsObjective,
    heard: Sequence[Event],
    now: int,
    start: int,
    end: int,
    tick: int,
) -> Ticks:
    """What does not count between `start` and `end`, as known at `now`; all borders of caps must lie inside."""
    events = known_at(heard, now)
    found: Ticks = set()
    for term in agreement.exclusions:
        if term.schedule is not None:
            wanted = (
                _scheduled(agreement, term.schedule, start, end, tick)
                if term.services is None or objective.service in term.services
                else set()
            )
        else:
            wanted = _declared(agreement, term, objective.service, events, tick)
        taken: dict[tuple[int, ...], int] = {}
        for at in sorted(wanted):
            if not (start <= at < end and is_open(objective.calendar, at)):
                continue
            if term.cap is not None:
                unit = _unit_of(term.cap.per, at)
                if taken.get(unit, 0) >= term.cap.duration:
                    continue
                taken[unit] = taken.get(unit, 0) + tick
            found.add(at)
    return found


@dataclass(frozen=True)
class Account:
    """A period of a service as of an instant; `exhausted_at` as known then, a running outage counted as running on."""

    seconds: SecondCounts
    ratios: tuple[Fraction | None, Fraction | None, Fraction | None, Fraction | None]
    outcome: Outcome
    budget: Fraction
    remaining: Fraction
    exhausted_at: int | None


def account(
    agreement: Agreement,
    objective: AvailabilityObjective,
    events: Sequence[Event],
    period: tuple[int, int],
    now: int,
    tick: int,
) -> Account:
    status = statuses(events, agreement.customer, objective.service, now, tick)
    by_tickets = ticket_downtime(objective, events, now, tick)
    outage = outages(objective, status, tick)
    down = outage | (by_tickets - {now})
    start, end = period
    # Caps count from the first day of the terms, over whole months.
    beyond = min(agreement.end, max(end, now) + 40 * DAY)
    left_out = excluded(agreement, objective, events, now, agreement.start, beyond, tick)
    whole = {at for at in _ticks(start, end, tick) if is_open(objective.calendar, at)}
    past = {at for at in whole if at < now}
    known = {at for at in past if status.get(at, ServiceStatus.UNKNOWN) is not ServiceStatus.UNKNOWN}
    known |= past & by_tickets
    if objective.exclusions_count_as is ExclusionsCountAs.REMOVED:
        applicable, budgeted, known = past - left_out, whole - left_out, known - left_out
    else:
        applicable, budgeted, known = past, whole, known | (past & left_out)
    bad = (down - left_out) & applicable
    seconds = SecondCounts(
        applicable=len(applicable) * tick,
        known=len(known) * tick,
        down=len(bad) * tick,
        unknown=len(applicable - known) * tick,
        excluded=len(past & left_out) * tick,
    )
    attained = best = worst = coverage = None
    if applicable:
        best = 1 - Fraction(len(bad), len(applicable))
        worst = 1 - Fraction(len(bad) + len(applicable - known), len(applicable))
        coverage = Fraction(len(known), len(applicable))
        attained = 1 - Fraction(len(bad), len(known)) if known else None
    if best is None or worst is None:
        outcome = Outcome.NOT_APPLICABLE
    elif worst >= objective.target:
        outcome = Outcome.MET
    elif best < objective.target:
        outcome = Outcome.MISSED
    else:
        outcome = {
            UnknownCountsAs.UNDETERMINED: Outcome.UNDETERMINED,
            UnknownCountsAs.UP: Outcome.MET,
            UnknownCountsAs.DOWN: Outcome.MISSED,
        }[objective.unknown_counts_as]
    budget = (1 - objective.target) * len(budgeted) * tick
    consumed = len(bad) * tick
    last = statuses(events, agreement.customer, objective.service, now, tick, beyond=tick).get(now)
    running = (now - tick in outage or objective.minimum_outage == 0) and _is_bad(objective, last)
    running = running or now in by_tickets
    used, exhausted_at = 0, None
    for at in sorted(bad | ({at for at in whole - left_out if at >= now} if running else set())):
        if used + tick > budget:
            exhausted_at = at + int(budget - used)
            break
        used += tick
    return Account(
        seconds, (attained, best, worst, coverage), outcome, budget, budget - consumed, exhausted_at
    )


@dataclass(frozen=True)
class Requests:
    """What was asked of a service in a period, exactly, and what it comes to."""

    total: Fraction
    bad: Fraction
    ratio: Fraction | None
    outcome: Outcome


def requests(
    agreement: Agreement,
    objective: RequestsObjective,
    heard: Sequence[Event],
    period: tuple[int, int],
    now: int,
    tick: int,
) -> Requests:
    """Each tick of a bucket holds the same share of its requests."""
    start, end = period
    beyond = min(agreement.end, max(end, now) + 40 * DAY)
    left_out = excluded(agreement, objective, heard, now, agreement.start, beyond, tick)
    removed = objective.exclusions_count_as is ExclusionsCountAs.REMOVED
    total = bad = Fraction(0)
    for event in known_at(heard, now):
        if not isinstance(event, RequestsEvent) or event.service != objective.service:
            continue
        for at in _ticks(event.time - event.duration, event.time, tick):
            if not (start <= at < end and is_open(objective.calendar, at)):
                continue
            if removed and at in left_out:
                continue
            total += Fraction(event.total * tick, event.duration)
            if at not in left_out:
                bad += Fraction(event.bad * tick, event.duration)
    if total == 0:
        return Requests(total, bad, None, Outcome.NOT_APPLICABLE)
    ratio = 1 - bad / total
    return Requests(total, bad, ratio, Outcome.MET if ratio >= objective.target else Outcome.MISSED)


def unit_period(unit: Unit, instant: int) -> tuple[int, int]:
    """The week or month around an instant, in UTC."""
    day = day_of(instant)
    if unit is Unit.WEEK:
        first = day - timedelta(days=day.weekday())
        after = first + timedelta(days=7)
    else:
        first = day.replace(day=1)
        after = (first + timedelta(days=31)).replace(day=1)
    return (first - date(1970, 1, 1)).days * DAY, (after - date(1970, 1, 1)).days * DAY


def closed_periods(agreement: Agreement, window: TimeWindow, now: int) -> Iterator[tuple[int, int]]:
    """The periods that are settled at `now`, cut to the effective dates."""
    unit = window.unit or agreement.reporting.unit
    at = agreement.start
    while at < agreement.end:
        _, end = unit_period(unit, at)
        end = min(end, agreement.end)
        if end + agreement.reporting.settle_after > now:
            return
        start = at if window.rolling is None else max(agreement.start, end - window.rolling)
        yield start, end
        at = end


# --------------------------------------------------------------------------------------------------- tickets in periods


@dataclass(frozen=True)
class Counts:
    """The cycles of an objective in a period, and what they come to."""

    tickets: TicketCounts
    ratio: Fraction | None
    outcome: Outcome


def _verdict(objective: TicketObjective, met: int, missed: int) -> Outcome:
    terms, decided = objective.attainment, met + missed
    if decided == 0:
        return Outcome.NOT_APPLICABLE
    if decided < terms.minimum_tickets:
        if terms.below_minimum is BelowMinimum.NOT_APPLICABLE:
            return Outcome.NOT_APPLICABLE
        if terms.below_minimum is BelowMinimum.ALLOW_ONE_MISS and missed <= 1:
            return Outcome.MET
    return Outcome.MET if Fraction(met, decided) >= terms.target else Outcome.MISSED


def counts(
    agreements: Sequence[Agreement],
    agreement: Agreement,
    objective: TicketObjective,
    events: Sequence[Event],
    period: tuple[int, int],
    now: int,
    tick: int,
    *,
    closed: bool,
) -> Counts:
    """Decided in the period, by all that is known at `now`; pending when it ended, or now if it is not closed.

    At its end those were pending that had begun and are not decided, as far as is known now, or only from then on.
    """
    start, end = period
    versions = [one for one in agreements if one.name == agreement.name]
    known = known_at(events, now)
    met = missed = pending = 0
    for one in judged(versions, events, now, tick):
        record = one.record
        decided = record.decided_at
        if decided is not None and start <= decided < end and record.objective == objective.name:
            met += record.outcome is ClockOutcome.MET
            missed += record.outcome is ClockOutcome.MISSED
        if closed:
            last = end - 1
            fields = fields_at(_of_ticket(known, record.ticket), last)
            governed = terms_at(versions, record.measure, fields, last).objective
            open_then = one.start < end and (decided is None or decided >= end)
            pending += open_then and governed is objective
        else:
            governed = one.governs
            pending += decided is None and governed is not None and record.objective == objective.name
    ratio = Fraction(met, met + missed) if met + missed else None
    return Counts(TicketCounts(met, missed, pending), ratio, _verdict(objective, met, missed))


def misses_left(objective: TicketObjective, seen: TicketCounts) -> int | None:
    if seen.met + seen.missed == 0:
        return None
    return max(0, int(seen.met / objective.attainment.target) - seen.met - seen.missed)


def current_period(agreement: Agreement, window: TimeWindow, now: int) -> tuple[int, int]:
    """What a standing speaks of, cut to the effective dates."""
    if window.rolling is not None:
        return max(agreement.start, now - window.rolling), now
    assert window.unit is not None
    start, end = unit_period(window.unit, now)
    return max(start, agreement.start), min(end, agreement.end)
