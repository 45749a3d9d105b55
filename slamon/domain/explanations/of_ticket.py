"""Why the clocks of a ticket say what they say: its facts in order, and what each did to each clock.

Nothing is judged here. The ticket reads its history anew and halts before each step of it; what a clock was just before
the step and just after it tells what the step did, and between two steps only time passes. The time of a clock is thereby
cut into stints of one kind each, in which either its elapsed time grew, or its paused time, or neither. So their sums are
those of its record, by whatever calendars it was counted.
"""

import enum
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from slamon.domain.agreement import Agreement, Measure, TicketObjective
from slamon.domain.calendars import Calendar
from slamon.domain.decisions import ClockOutcome, ClockRecord
from slamon.domain.events import Taken, TicketEvent
from slamon.domain.intervals import Span
from slamon.domain.terms import ACTIVE, Fields, Terms, judged_period
from slamon.domain.ticket_clock import Clock, Phase
from slamon.domain.ticket_history import NEW
from slamon.domain.tickets import Identity, Ticket


class Heard(NamedTuple):
    """An event as it arrived: the line it came in, what the stream's clock showed then, and what became of it."""

    event: TicketEvent
    line: int
    known_at: int
    taken: Taken


class FieldChange(NamedTuple):
    """A field takes another value; it had none before: None. Attributes are fields by their own name."""

    field: str
    before: str | None
    after: str


@dataclass(frozen=True, slots=True)
class Fact:
    """One event of the ticket and what it says that was not so before."""

    event: TicketEvent
    line: int
    known_at: int
    changes: tuple[FieldChange, ...]
    duplicates: int  # times that it was said again
    conflicts: int  # times that its id came with other contents, which do not count

    @property
    def is_late(self) -> bool:
        return self.known_at > self.event.time


class Opening(NamedTuple):
    """When the ticket opened, and the event that says so in `opened_at`; None: it is its earliest event."""

    at: int
    named_by: TicketEvent | None


class Change(enum.Enum):
    """What happened to a clock."""

    STARTED = "started"
    GOVERNED = "governed"  # an objective governs that did not before; the elapsed time is carried
    RESET = "reset"  # likewise, but counting starts anew
    UNGOVERNED = "ungoverned"
    PAUSED = "paused"
    RESUMED = "resumed"
    STEP_REACHED = "step_reached"
    BREACHED = "breached"
    STOPPED = "stopped"
    VOIDED = "voided"
    VOID_FOR_GOOD = "void_for_good"  # answered while cancelled
    REOPENED = "reopened"  # the stop is undone: the clock runs on
    UNCANCELLED = "uncancelled"  # likewise
    LEFT_STOPPED = "left_stopped"  # reopened, and the verdict stands
    NEW_CYCLE = "new_cycle"  # reopened, and the verdict stands; another cycle begins


@dataclass(frozen=True, slots=True)
class Effect:
    """What happened to a clock at an instant, and what it showed then. Times are microseconds of the clock's own time."""

    at: int
    clock: Identity
    change: Change
    objective: TicketObjective | None  # the one of the clock's record
    elapsed: int
    outcome: ClockOutcome
    due_at: int | None = None  # as it looked then
    step: str | None = None
    waiting_on: str | None = None
    stopped_at: int | None = None  # of a stop out of a pause: when that began


@dataclass(frozen=True, slots=True)
class Entry:
    """An instant of the timeline. Without facts, time alone did it, or other terms began."""

    at: int
    facts: tuple[Fact, ...]
    effects: tuple[Effect, ...]


class Kind(enum.Enum):
    """How time of a clock counts."""

    COUNTED = "counted"
    PAUSED = "paused"
    UNGOVERNED = "ungoverned"
    DONE = "done"
    CANCELLED = "cancelled"


class Stint(NamedTuple):
    """Time of one kind in the life of a clock; `opening` is how much of it lies inside the calendar's hours."""

    start: int
    end: int
    kind: Kind
    calendar: Calendar
    opening: int
    waiting_on: str | None


@dataclass(frozen=True, slots=True)
class ClockStory:
    """A clock as its record says, and the time it is made of: `elapsed` and `paused` are sums over the stints."""

    identity: Identity
    agreement: Agreement  # the version of the record's objective
    objective: TicketObjective
    record: ClockRecord
    stints: tuple[Stint, ...]
    counted_in: Span | None  # the judged period in which it counts


@dataclass(frozen=True, slots=True)
class TicketExplanation:
    customer: str
    ticket: str
    as_of: int
    opening: Opening | None  # None: not opened yet, or unknown
    opening_unknown: bool
    entries: tuple[Entry, ...]
    clocks: tuple[ClockStory, ...]


def explain_ticket(ticket: Ticket, heard: Sequence[Heard], now: int) -> TicketExplanation:
    """`heard`: every event of the ticket, in the order of arrival. `now`: the instant up to which the monitor judged."""
    lives = _lives(ticket, now)
    opening = _opening(ticket)
    facts: dict[int, list[Fact]] = {}
    for fact in _facts(ticket.history.events, heard):
        facts.setdefault(fact.event.time, []).append(fact)
    effects: dict[int, list[Effect]] = {}
    for life in lives:
        for effect in life.effects:
            effects.setdefault(effect.at, []).append(effect)
    instants = {*facts, *effects, *([] if opening is None else [opening.at])}
    return TicketExplanation(
        customer=ticket.customer,
        ticket=ticket.id,
        as_of=now,
        opening=opening,
        opening_unknown=ticket.history.opening_unknown,
        entries=tuple(
            Entry(at, tuple(facts.get(at, ())), tuple(effects.get(at, ()))) for at in sorted(instants)
        ),
        clocks=tuple(_stories(ticket, lives, now)),
    )


def _lives(ticket: Ticket, now: int) -> "list[_Life]":
    """Read the ticket anew, and see what each step does to each clock."""
    lives: dict[Identity, _Life] = {}
    status = NEW.status
    halts = ticket.steps(now)
    step = next(halts, None)
    while step is not None:
        at, moment = step
        for life in lives.values():
            life.wait(at)
        step = next(halts, None)  # by which the one before is taken
        reopened = moment is not None and status not in ACTIVE and moment.fields.status in ACTIVE
        status = status if moment is None else moment.fields.status
        for identity, clock in ticket.clocks.items():
            life = lives.setdefault(identity, _Life(identity, clock))
            life.compare(at, None if moment is None else moment.fields, reopened=reopened)
    for life in lives.values():
        life.wait(now)
    promised = {(terms.name, measure.value) for terms in ticket.terms for measure in terms.measures}
    return [life for life in lives.values() if life.identity[:2] in promised]


class _Seen(NamedTuple):
    """A clock at an instant."""

    phase: Phase
    governing: TicketObjective | None
    objective: TicketObjective | None
    started_at: int
    pausing_since: int | None
    breached_at: int | None
    stop_event: int | None
    followed: bool
    elapsed: int
    paused: int


class _Life:
    """What is seen of one clock on the way."""

    def __init__(self, identity: Identity, clock: Clock) -> None:
        self.identity = identity
        self.effects: list[Effect] = []
        self.stints: list[Stint] = []
        self._clock = clock
        self._at = clock.start
        self._seen: _Seen | None = None
        self._waiting_on: str | None = None  # while the clock is paused
        self._steps_told: set[tuple[int, int]] = set()  # by identity of the objective, and threshold

    def _see(self, at: int) -> _Seen:
        clock, record = self._clock, self._clock.record(at)
        return _Seen(
            clock.phase,
            clock.governing,
            clock.objective,
            clock.started_at,
            clock.pausing_since,
            clock.breached_by(at),
            clock.stop_event,
            clock.followed,
            0 if record is None else record.elapsed,
            0 if record is None else record.paused,
        )

    # Time passes ----------------------------------------------------------------------------------------------------

    def wait(self, until: int) -> None:
        """Nothing happens to the ticket up to `until`, but time."""
        before, clock, start = self._seen, self._clock, self._at
        self._at = until
        if before is None or until <= start:
            return
        now = self._see(until)
        if clock.objective is not None:
            kind = _kind_of(clock)
            grown = {Kind.COUNTED: now.elapsed - before.elapsed, Kind.PAUSED: now.paused - before.paused}
            calendar = clock.objective.calendar
            opening = grown[kind] if kind in grown else calendar.elapsed(start, until)
            self._add(Stint(start, until, kind, calendar, opening, self._waiting_on))
        for step_at, text, elapsed in self._steps_reached(until):
            self._tell(step_at, Change.STEP_REACHED, elapsed, ClockOutcome.PENDING, step=text)
        if before.breached_at is None and now.breached_at is not None and now.objective is not None:
            self._tell(now.breached_at, Change.BREACHED, now.objective.target, ClockOutcome.MISSED)
        self._seen = now

    def _add(self, stint: Stint) -> None:
        last = self.stints[-1] if self.stints else None
        if last is not None and (last.end, last.kind, last.calendar, last.waiting_on) == (
            stint.start,
            stint.kind,
            stint.calendar,
            stint.waiting_on,
        ):
            self.stints[-1] = last._replace(end=stint.end, opening=last.opening + stint.opening)
        else:
            self.stints.append(stint)

    def _steps_reached(self, until: int) -> Iterator[tuple[int, str, int]]:
        """The warn steps passed before `until` that were not told yet: when, which, at how much elapsed."""
        clock, objective = self._clock, self._clock.objective
        if objective is None or not clock.runs() or clock.breached_at is not None:
            return
        for threshold, step in clock.terms.steps(objective):
            reached = clock.reached(threshold, until)
            if reached is None or reached >= until or (id(objective), threshold) in self._steps_told:
                continue
            self._steps_told.add((id(objective), threshold))
            yield reached, step.text, max(threshold, clock.took_over_elapsed)

    # A step is taken ------------------------------------------------------------------------------------------------

    def compare(self, at: int, fields: Fields | None, *, reopened: bool) -> None:
        """The step at `at` was taken, by which the ticket had these fields; None: only terms changed."""
        before, now = self._seen, self._see(at)
        self._seen, self._at = now, at
        changes = list(
            _changes(before, now, reopened=reopened and self.identity[1] == Measure.RESOLUTION.value)
        )
        if before is not None and now.started_at != before.started_at:
            self.stints.clear()  # what was before counts no longer
        if Change.PAUSED in changes:
            self._waiting_on = None if fields is None else fields.waiting_on
        elif now.pausing_since is None:
            self._waiting_on = None
        record = self._clock.record(at)
        outcome = ClockOutcome.PENDING if record is None else record.outcome
        for change in changes:
            self._tell(at, change, now.elapsed, outcome, due_at=None if record is None else record.due_at)

    def _tell(
        self,
        at: int,
        change: Change,
        elapsed: int,
        outcome: ClockOutcome,
        *,
        due_at: int | None = None,
        step: str | None = None,
    ) -> None:
        stopped_at = self._clock.stopped_at if change in _STOPS else None
        self.effects.append(
            Effect(
                at,
                self.identity,
                change,
                self._clock.objective,
                elapsed,
                outcome,
                due_at=due_at,
                step=step,
                waiting_on=self._waiting_on if change is Change.PAUSED else None,
                stopped_at=stopped_at,
            )
        )


_STOPS = (Change.STOPPED, Change.VOIDED)
_STOPPED_KINDS = {Phase.DONE: Kind.DONE, Phase.CANCELLED: Kind.CANCELLED, Phase.ENDED: Kind.CANCELLED}


def _kind_of(clock: Clock) -> Kind:
    if clock.phase is not Phase.RUNNING:
        return _STOPPED_KINDS[clock.phase]
    if clock.runs():
        return Kind.COUNTED
    return Kind.UNGOVERNED if clock.pausing_since is None else Kind.PAUSED


def _changes(before: _Seen | None, now: _Seen, *, reopened: bool) -> Iterator[Change]:
    """What a step did to a clock, in the order in which it bites. `reopened`: a resolution might be undone."""
    ran = before is None or before.phase is Phase.RUNNING
    runs = now.phase is Phase.RUNNING
    undone = before is not None and not ran and (runs or now.stop_event != before.stop_event)
    if before is None:
        yield Change.STARTED
    elif undone:
        yield Change.REOPENED if before.phase is Phase.DONE else Change.UNCANCELLED
    elif reopened and before.phase is Phase.DONE and not before.followed:
        yield Change.NEW_CYCLE if now.followed else Change.LEFT_STOPPED
    governed = None if before is None else before.governing
    if now.governing is not governed or (before is None and governed is None):
        if now.governing is None:
            yield Change.UNGOVERNED
        elif before is not None and before.objective is not None and now.started_at != before.started_at:
            yield Change.RESET
        else:
            yield Change.GOVERNED
    if now.breached_at is not None and (before is None or before.breached_at is None):
        yield Change.BREACHED
    paused = before is not None and ran and before.pausing_since is not None
    if runs and now.pausing_since is not None and not paused:
        yield Change.PAUSED
    elif runs and now.pausing_since is None and paused:
        yield Change.RESUMED
    if not runs and (ran or undone):
        yield Change.VOIDED if now.phase is Phase.CANCELLED else Change.STOPPED
    elif before is not None and before.phase is Phase.CANCELLED and now.phase is Phase.ENDED:
        yield Change.VOID_FOR_GOOD


# What is told beside the clocks -------------------------------------------------------------------------------------


def _opening(ticket: Ticket) -> Opening | None:
    history = ticket.history
    if history.opened_at is None:
        return None
    naming = [event for event in history.events if event.opened_at is not None]
    return Opening(history.opened_at, naming[-1] if naming else None)


def _facts(events: Sequence[TicketEvent], heard: Sequence[Heard]) -> Iterator[Fact]:
    """In the order in which things happened."""
    accepted: dict[str, Heard] = {}
    again: Counter[tuple[str, Taken]] = Counter()
    for one in heard:
        if one.taken in (Taken.ACCEPTED, Taken.LATE):
            accepted[one.event.id] = one
        again[one.event.id, one.taken] += 1
    known: dict[str, str] = {}
    for event in events:
        arrival = accepted[event.id]
        said = _named(event)
        yield Fact(
            event,
            arrival.line,
            arrival.known_at,
            tuple(
                FieldChange(field, known.get(field), value)
                for field, value in said.items()
                if known.get(field) != value
            ),
            again[event.id, Taken.DUPLICATE],
            again[event.id, Taken.CONFLICTING_DUPLICATE],
        )
        known |= said


def _named(event: TicketEvent) -> dict[str, str]:
    """The fields that the event names."""
    named = {
        "status": None if event.status is None else event.status.value,
        "waiting_on": event.waiting_on,
        "priority": event.priority,
        "service": event.service,
        **(event.attributes or {}),
    }
    return {field: value for field, value in named.items() if value is not None}


def _stories(ticket: Ticket, lives: "Sequence[_Life]", now: int) -> Iterator[ClockStory]:
    """Of every clock that something ever governed."""
    by_name = {terms.name: terms for terms in ticket.terms}
    for life in lives:
        clock = ticket.clocks[life.identity]
        record, objective = clock.record(now), clock.objective
        if record is None or objective is None:
            continue
        terms = by_name[record.agreement]
        until = now if record.stopped_at is None else record.stopped_at
        yield ClockStory(
            life.identity,
            terms.version_of(objective).agreement,
            objective,
            record,
            tuple(stint for stint in life.stints if record.started_at <= stint.start < until),
            _counted_in(terms, record),
        )


def _counted_in(terms: Terms, record: ClockRecord) -> Span | None:
    """The judged period of which the statement counts this cycle; None: not decided, void, or between rolling windows."""
    at = record.decided_at
    if at is None or record.outcome is ClockOutcome.VOID:
        return None
    version = terms.version_at(at)
    if version is None:
        return None
    objective = next((one for one in version.agreement.objectives if one.name == record.objective), None)
    if objective is None:
        return None
    start, end = judged_period(version.agreement, objective, at)
    return (start, end) if start <= at < end else None
