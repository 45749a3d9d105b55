"""What the specification says, taken at its word and counted tick by tick.

Nothing here is clever: every instant of the grid is looked at, every tick is counted or not. It is what the monitor is
compared with, so it shares no code with it beyond the records; opening hours are read off a wall clock.

All instants of a world must lie on its grid, so that nothing changes inside a tick.
"""

import math
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
    RequestsObjective,
    Schedule,
    ServiceObjective,
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


Terms = tuple[Agreement, TicketObjective]


def _matches(when: TicketFilter, fields: Fields) -> bool:
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
        listed = None if version.services is None else {service.name for service in version.services}
        if listed is not None and fields.service is not None and fields.service not in listed:
            return None
        for objective in version.objectives:
            if (
                isinstance(objective, TicketObjective)
                and objective.measure is measure
                and _matches(objective.when, fields)
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
    terms: Terms | None = None  # those it runs by
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
            stopped_at = (
                self.pause_began
                if self.first_governed is None
                else max(self.pause_began, self.first_governed)
            )
            paused -= self.pause_counted
        if self.breached_at is not None:
            outcome, objective = ClockOutcome.MISSED, self.frozen
        self.end = End(outcome, at, stopped_at, objective, self.elapsed, paused, self.due_at)
        self.pause_began, self.pause_counted = None, 0

    def take_over(self, terms: Terms | None, at: int) -> None:
        """Other terms govern from `at` on. What is used up already is due at once, what exceeds them is breached."""
        self.terms = terms
        if self.breached_at is not None:
            return
        self.due_at = None
        if terms is not None and self.elapsed >= terms[1].target:
            self.due_at = at
            if self.elapsed > terms[1].target:
                self.breached_at, self.frozen = at, terms[1]

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
    versions: Sequence[Agreement],
    measure: Measure,
    heard: Iterable[Event],
    ticket: str,
    now: int,
    tick: int,
    before: int | None = None,
    *,
    governed: bool = False,
) -> ClockRecord | None:
    """The first and only cycle of a measure as of `now`; None: there is none, or none was ever governed.

    `before`: as it stood just before that instant, by all that is known at `now`.
    `governed`: none either if no objective governs then.
    """
    events = [e for e in known_at(heard, now) if isinstance(e, TicketEvent) and e.ticket == ticket]
    if not events:
        return None
    start = opening(events)
    if start is None or start > (now if before is None else before - 1):
        return None
    changes = (
        {event.time for event in events} | {v.start for v in versions} | {v.end for v in versions} | {start}
    )
    cycle = Cycle(start, tick, measure)
    terms: Terms | None = None
    fields = Fields()
    last = now if before is None else before - 1
    for instant in range(start, last + 1, tick):
        if instant in changes:
            fields = fields_at(events, instant)
            was = terms
            terms = governing(versions, measure, fields, instant)
            replies = [e.reply for e in events if e.time == instant and e.reply is not None]
            _meet(cycle, fields, terms if instant == start else was, terms, replies, instant)
        if instant < (now if before is None else before) and cycle.end is None:
            objective = cycle.frozen or (terms and terms[1])
            if objective is None:
                cycle.pause_began, cycle.pause_counted = None, 0
            else:
                cycle.pass_tick(objective, fields, instant)
    if governed and terms is None:
        return None
    return _record(cycle, versions[0], ticket, fields, terms and terms[1], last)


def _meet(
    cycle: Cycle, fields: Fields, before: Terms | None, terms: Terms | None, replies: list[Reply], at: int
) -> None:
    """What an instant does to the cycle, before time goes on. A change of terms at the instant of a stop is too late."""
    was, governs = before and before[1], terms and terms[1]
    cycle.last = was or cycle.last
    resumed = _is_undone(cycle, fields, governs)
    if cycle.first_governed is None and was is not None and at == cycle.start:
        cycle.first_governed = at
    if resumed:
        cycle.end, cycle.cancelled = None, False
    answered = cycle.measure is Measure.FIRST_RESPONSE and Reply.AGENT in replies
    running = cycle.end is None
    if running and fields.status is TicketStatus.CANCELLED:
        cycle.finish(ClockOutcome.VOID, at, cycle.last)
        cycle.cancelled = True
    elif running and (answered or _stops(cycle, fields, governs)):
        if resumed and was is not None and cycle.first_governed is None:
            cycle.first_governed = at
        cycle.finish(ClockOutcome.VOID if was is None else ClockOutcome.MET, at, cycle.last)
        cycle.for_good = cycle.measure is Measure.FIRST_RESPONSE
    if cycle.cancelled and answered:
        cycle.for_good = True
    if cycle.end is None:  # what changes while it is over, changes when it goes on
        if cycle.first_governed is None and governs is not None:
            cycle.first_governed = at
        if cycle.terms != terms:
            cycle.take_over(terms, at)
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


def clocks(
    agreements: Sequence[Agreement],
    events: Sequence[Event],
    now: int,
    tick: int,
    before: int | None = None,
    *,
    governed: bool = False,
) -> list[ClockRecord]:
    found = []
    tickets = sorted({event.ticket for event in events if isinstance(event, TicketEvent)})
    for name in sorted({agreement.name for agreement in agreements}):
        versions = [agreement for agreement in agreements if agreement.name == name]
        for ticket in tickets:
            for measure in (Measure.FIRST_RESPONSE, Measure.RESOLUTION):
                record = clock(versions, measure, events, ticket, now, tick, before, governed=governed)
                if record is not None:
                    found.append(record)
    return sorted(found, key=lambda c: (c.agreement, c.objective, c.ticket, c.measure.value, c.cycle))


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


def open_tickets(
    objective: AvailabilityObjective, heard: Sequence[Event], now: int, tick: int, beyond: int = 0
) -> Ticks:
    """When tickets that mean downtime are open, until `now` and `beyond` it; looked at tick by tick."""
    when = objective.down_while
    if when is None:
        return set()
    if when.service is None:
        when = TicketFilter(when.priority, frozenset({objective.service}), when.attributes)
    known = [e for e in known_at(heard, now) if isinstance(e, TicketEvent)]
    found: Ticks = set()
    for ticket in {event.ticket for event in known}:
        events = [e for e in known if e.ticket == ticket]
        named = [e.opened_at for e in events if e.opened_at is not None]
        start = named[-1] if named else events[0].time
        if start > now:
            continue
        first = min(start, events[0].time)
        life = [(at, fields_at(events, at)) for at in _ticks(first, now + tick, tick)]
        active = [at for at, fields in life if fields.status in _ACTIVE]
        lost = math.inf  # since when it was active to be cancelled in the end
        if active and (after := dict(life).get(active[-1] + tick)) and after.status is TicketStatus.CANCELLED:
            lost = active[-1]
            while lost - tick in active:
                lost -= tick
        counts = {at for at, fields in life if start <= at < lost and at in active and _matches(when, fields)}
        found |= {at for at in counts if at < now}
        if now in counts:
            found |= set(_ticks(now, now + beyond, tick))
    return found


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
    objective: ServiceObjective,
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
    monitored = outages(objective, status, tick)
    tickets = open_tickets(objective, events, now, tick)
    down = monitored | tickets
    start, end = period
    # Caps count from the first day of the terms, over whole months.
    beyond = min(agreement.end, max(end, now) + 40 * DAY)
    left_out = excluded(agreement, objective, events, now, agreement.start, beyond, tick)
    whole = {at for at in _ticks(start, end, tick) if is_open(objective.calendar, at)}
    past = {at for at in whole if at < now}
    known = {at for at in past if status.get(at, ServiceStatus.UNKNOWN) is not ServiceStatus.UNKNOWN}
    known |= past & tickets
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
    running = (now - tick in monitored or objective.minimum_outage == 0) and _is_bad(objective, last)
    running = running or now in open_tickets(objective, events, now, tick, beyond=tick)
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
class RequestAccount:
    """The requests of a period as of an instant."""

    total: Fraction
    bad: Fraction
    ratio: Fraction | None
    outcome: Outcome


def request_account(
    agreement: Agreement,
    objective: RequestsObjective,
    events: Sequence[Event],
    period: tuple[int, int],
    now: int,
    tick: int,
) -> RequestAccount:
    """Each bucket spread over its ticks, each tick counted or not."""
    beyond = min(agreement.end, max(period[1], now) + 40 * DAY)
    left_out = excluded(agreement, objective, events, now, agreement.start, beyond, tick)
    removed = objective.exclusions_count_as is ExclusionsCountAs.REMOVED
    total = bad = Fraction(0)
    for event in known_at(events, now):
        if not isinstance(event, RequestsEvent) or event.service != objective.service:
            continue
        for at in _ticks(event.time - event.duration, event.time, tick):
            inside = period[0] <= at < period[1] and agreement.start <= at < agreement.end
            if inside and is_open(objective.calendar, at) and not (removed and at in left_out):
                total += Fraction(event.total * tick, event.duration)
                bad += 0 if at in left_out else Fraction(event.bad * tick, event.duration)
    ratio = 1 - bad / total if total else None
    if ratio is None:
        return RequestAccount(total, bad, None, Outcome.NOT_APPLICABLE)
    outcome = Outcome.MET if ratio >= objective.target else Outcome.MISSED
    return RequestAccount(total, bad, ratio, outcome)


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
    """Decided in the period, by all that is known at `now`; pending just before it ended, or now if it is not closed."""
    start, end = period
    versions = [one for one in agreements if one.name == agreement.name]
    met = missed = 0
    for record in clocks(versions, events, now, tick):
        decided = record.decided_at is not None and start <= record.decided_at < end
        if decided and record.objective == objective.name:
            met += record.outcome is ClockOutcome.MET
            missed += record.outcome is ClockOutcome.MISSED
    pending = sum(
        record.objective == objective.name and record.outcome is ClockOutcome.PENDING
        for record in clocks(versions, events, now, tick, end if closed else None, governed=True)
    )
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
