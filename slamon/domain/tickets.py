"""One ticket: its history, its clocks under every agreement of its customer, and the alerts that follow.

One truth, two speeds: an event that continues the history advances the clocks in place; one that lies in the past rewinds
the ticket, and the same fold begins anew. Nothing outside this file knows which way was taken.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple

from slamon.domain import announcements
from slamon.domain.agreement import AlertName, Measure, Severity, Share, Step, TicketObjective
from slamon.domain.alerts import Annotations, Ending, Wanted, severity_of
from slamon.domain.conversation import Conversation
from slamon.domain.decisions import (
    AlertMemory,
    AlertTransition,
    ClockOutcome,
    ClockRecord,
    FactKey,
    FactKind,
    Reason,
)
from slamon.domain.events import TicketEvent
from slamon.domain.intervals import FOREVER
from slamon.domain.terms import Fields, Terms
from slamon.domain.ticket_clock import Clock, OpenClock, Phase, Verdict
from slamon.domain.ticket_history import NEW, Moment, TicketHistory

Identity = tuple[str, str, int]  # agreement, measure, cycle

FROM_THE_OPENING = (Measure.FIRST_RESPONSE, Measure.RESOLUTION)


class Look(NamedTuple):
    """A clock and what it comes to at the instant at which it was looked at."""

    identity: Identity
    clock: Clock
    verdict: Verdict


class Ticket:
    __slots__ = (
        "_boundaries", "_conversation", "_fields", "_folded_until", "_gone", "_live", "_open", "_opened", "armed", "clocks",
        "customer", "decided", "history", "id", "key", "subject", "terms", "told_in_full", "verdicts",
    )  # fmt: skip

    def __init__(self, customer: str, ticket: str, terms: Sequence[Terms], boundaries: Sequence[int]) -> None:
        """`boundaries`: the instants at which a version of any of these terms begins or ends, in order."""
        self.customer = customer
        self.id = ticket
        self.terms = terms
        self.subject = ("ticket", customer, ticket)
        self.key = FactKey(FactKind.TICKET, customer, ticket)
        self.history = TicketHistory()
        self.armed: int | None = None
        self.decided = False  # as it was judged last, time alone changes nothing more of it
        self.told_in_full = False  # what stands of it says what it came to
        self.clocks: dict[Identity, Clock] = {}
        self.verdicts: dict[Identity, Verdict] = {}  # as they were told last
        self._boundaries = boundaries
        self._open: tuple[OpenClock, ...] | None = None  # as of the last look, once somebody asked
        self._begin_anew()

    def rewind(self) -> None:
        self.history.rewind()
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._gone = True  # whatever clocks there were may not come again
        self.clocks = {}
        self._live: dict[Identity, Clock] = {}
        self._conversation = Conversation()
        self._opened = False
        self._fields: Fields = NEW
        self._folded_until = -FOREVER

    def add(self, event: TicketEvent) -> None:
        self.decided = self.told_in_full = False
        if not self.history.add(event) or event.time <= self._folded_until:
            self.rewind()

    def read(self, now: int) -> None:
        """Bring the clocks to what is known at `now`."""
        if self.history.is_stale(now):
            self.rewind()
        for moment in self.history.read(now):
            self._change_terms(moment.time)
            self._fold(moment)
        self._change_terms(now + 1)

    def _fold(self, moment: Moment) -> None:
        t, fields, replies = moment
        if not self._opened:
            self._opened = True
            for measure in FROM_THE_OPENING:
                for terms in self.terms:
                    self._begin(terms, measure, t)
        for clock in list(self._live.values()):
            if clock.is_final:
                continue  # it is only here to be looked at once more
            if clock.moment(t, fields, replies):
                self._begin(clock.terms, clock.measure, t).moment(t, fields)
        for measure, later in self._conversation.moment(fields.status, replies):
            for terms in self.terms:
                if measure in terms.measures:
                    self._begin(terms, measure, t).moment(t, fields, later)
        self._fields, self._folded_until = fields, t

    def _begin(self, terms: Terms, measure: Measure, at: int) -> Clock:
        """The next cycle of a measure."""
        cycle = 1
        while (identity := (terms.name, measure.value, cycle)) in self.clocks:
            cycle += 1
        clock = self.clocks[identity] = self._live[identity] = Clock(terms, self.id, measure, cycle, at)
        return clock

    def steps(self, now: int) -> Iterator[tuple[int, Moment | None]]:
        """Read the history anew up to `now`, halting before each step on the way.

        A step is a moment, or None at the instants at which a version of an agreement begins or ends.
        """
        self.rewind()
        for moment in self.history.read(now):
            yield from self._boundary_steps(moment.time)
            yield moment.time, moment
            self._fold(moment)
        yield from self._boundary_steps(now + 1)

    def _boundary_steps(self, until: int) -> Iterator[tuple[int, None]]:
        for at in self._boundaries_before(until):
            yield at, None
            self._pass_boundary(at)

    def _change_terms(self, until: int) -> None:
        """Pass the instants before `until` at which a version of an agreement begins or ends."""
        for at in self._boundaries_before(until):
            self._pass_boundary(at)

    def _boundaries_before(self, until: int) -> Sequence[int]:
        """Those not passed yet; what lies before the opening concerns no clock."""
        if not self._opened:
            return ()
        first = bisect_right(self._boundaries, self._folded_until)
        return self._boundaries[first : bisect_left(self._boundaries, until)]

    def _pass_boundary(self, at: int) -> None:
        for clock in self._live.values():
            if at in clock.terms.boundaries:
                clock.moment(at, self._fields)
        self._folded_until = at

    def look(self, now: int) -> list[Look]:
        """The clocks of which something may have changed since the last look: those that go on, and those that ended."""
        self._open = None
        looked: list[Look] = []
        ended: list[Identity] = []
        for identity, clock in self._live.items():
            verdict = clock.verdict(now)
            if verdict is not None:
                looked.append(Look(identity, clock, verdict))
            if clock.is_final:
                ended.append(identity)
        for identity in ended:
            del self._live[identity]
        return looked

    def gone(self) -> list[Identity]:
        """The clocks that were told of and are no more: late facts may show that a cycle, or its promise, never was."""
        if not self._gone:
            return []
        self._gone = False
        governed = {identity for identity, clock in self.clocks.items() if clock.objective is not None}
        return [identity for identity in self.verdicts if identity not in governed]

    def open_clocks(self, now: int) -> tuple[OpenClock, ...]:
        """The clocks that have not stopped, as of the last look: whatever changes of them, time included, leads to one."""
        if self._open is None:
            found = (clock.as_open(now) for clock in self._live.values())
            self._open = tuple(one for one in found if one is not None)
        return self._open

    def records(self, now: int) -> Iterator[ClockRecord]:
        """Every clock that something ever governed."""
        for clock in self.clocks.values():
            record = clock.record(now)
            if record is not None:
                yield record

    @property
    def is_read(self) -> bool:
        """Whether anything of what is known was."""
        return self.history.read_until is not None

    @property
    def priority(self) -> str | None:
        """As of what has been read."""
        return self._fields.priority

    def is_pending(self) -> bool:
        return any(found.outcome is ClockOutcome.PENDING for found in self.verdicts.values())

    def runs(self) -> bool:
        """Whether a clock runs, or is paused."""
        return any(clock.phase is Phase.RUNNING for clock in self._live.values())

    def last_instant(self) -> int:
        """Of all that is told of it: its opening and its events, and where its clocks were breached or stopped."""
        told = [self.history.events[-1].time, self.history.opened_at]
        for clock in self.clocks.values():
            told += [clock.breached_at, clock.stop_event]
        return max(at for at in told if at is not None)

    def wake_at(self, now: int) -> int | None:
        """The next instant, in half microseconds (see `monitor`), at which something changes although no event comes."""
        keys = []
        ahead = self.history.next_after(now)
        if ahead is not None:
            keys.append(2 * ahead)
        if not self._opened:
            opens_at = self.history.opens_at(now)
            if opens_at is not None and opens_at > now:
                keys.append(2 * opens_at)
        for clock in self._live.values():
            if clock.phase is not Phase.RUNNING:
                continue
            boundaries = clock.terms.boundaries
            index = bisect_right(boundaries, now)
            if index < len(boundaries):
                keys.append(2 * boundaries[index])
            limit = _next_limit(clock, now)
            if limit is not None:
                keys.append(2 * limit + 1)
        return min(keys, default=None)


def _next_limit(clock: Clock, now: int) -> int | None:
    """The first instant not before `now` at which a running clock reaches a step or passes its target."""
    objective = clock.objective
    if objective is None or not clock.runs() or clock.breached_at is not None:
        return None
    elapsed = clock.elapsed_at(now)
    if elapsed > objective.target:
        return None
    steps = clock.terms.steps(objective)
    if clock.anchor >= now and steps and steps[0][0] <= elapsed:
        return now  # whatever step holds since the clock resumed or was taken over is told once this instant has passed
    for threshold, _ in steps:
        if threshold >= elapsed and threshold > clock.elapsed:
            at = objective.calendar.add(clock.anchor, threshold - clock.elapsed)
            if at >= now:
                return at
    return clock.breach_at()


def default_severity(step: Step) -> Severity:
    """Info below 75 %, warning below 90 %, critical from there on and for any time left."""
    if not isinstance(step, Share) or step.of * 100 >= 90:
        return Severity.CRITICAL
    return Severity.WARNING if step.of * 100 >= 75 else Severity.INFO


def _scope(identity: Identity) -> str:
    _, measure, cycle = identity
    return f"{measure}/{cycle}"


def wanted_alert(look: Look, now: int) -> Wanted | None:
    """The one alert that is true of a clock at `now`: its breach, or the newest step that it has passed."""
    identity, clock, (objective, outcome, decided_at, *_) = look
    if outcome is ClockOutcome.MISSED and decided_at is not None:
        return _breach(identity, clock, objective, decided_at, now)
    if outcome is not ClockOutcome.PENDING or not clock.runs():
        return None
    elapsed = clock.elapsed_at(now)
    for threshold, step in reversed(clock.terms.steps(objective)):
        reached = clock.reached(threshold, now) if threshold <= elapsed else None
        if reached is None or max(reached, clock.resumed_at) >= now:
            continue
        resumed = reached < clock.resumed_at != clock.took_over_at
        return Wanted(
            AlertName.TICKET_AT_RISK,
            severity_of(objective, AlertName.TICKET_AT_RISK, default_severity(step)),
            objective.name,
            clock.terms.name,
            _scope(identity),
            step.text,
            max(reached, clock.resumed_at) if resumed else reached,
            Reason.RESUMED if resumed else Reason.STEP_REACHED,
            partial(_describe_step, clock, objective, threshold, now),
            clock.ticket,
        )
    return None


def _describe_step(clock: Clock, objective: TicketObjective, threshold: int, now: int) -> Annotations:
    version = clock.terms.version_of(objective).agreement
    return announcements.ticket_at_risk(version, objective, _record(clock, now), threshold)


def _breach(identity: Identity, clock: Clock, objective: TicketObjective, at: int, now: int) -> Wanted:
    over = None
    if clock.phase is not Phase.RUNNING:
        reason = Reason.STOPPED if clock.phase is Phase.DONE else Reason.VOID
        over = Ending(reason, clock.stop_event if clock.stop_event is not None else now)
    version = clock.terms.version_of(objective).agreement
    return Wanted(
        AlertName.TICKET_BREACHED,
        severity_of(objective, AlertName.TICKET_BREACHED, Severity.CRITICAL),
        objective.name,
        clock.terms.name,
        _scope(identity),
        None,
        at,
        Reason.LIMIT_EXCEEDED,
        lambda: announcements.ticket_breached(version, objective, _record(clock, now)),
        clock.ticket,
        over,
    )


def _record(clock: Clock, now: int) -> ClockRecord:
    record = clock.record(now)
    assert record is not None, "a clock that alerts has an objective"
    return record


def ending_of(
    ticket: Ticket, memory: AlertMemory, firing: AlertTransition, wanted: Sequence[Wanted], now: int
) -> Ending:
    """Why an alert of this ticket that fires should not, and since when."""
    labels = firing.labels
    amended = Ending(Reason.AMENDED, now)
    measure, _, cycle = memory.scope.partition("/")
    clock = ticket.clocks.get((labels["agreement"], measure, int(cycle)))
    if clock is None or clock.objective is None or labels["alertname"] == AlertName.TICKET_BREACHED.value:
        return amended
    objective, breached_at = clock.objective, clock.breached_by(now)
    if objective.name != labels["objective"]:
        return Ending(Reason.TAKEN_OVER, clock.took_over_at) if clock.took_over_at > firing.at else amended
    if breached_at is not None:
        return Ending(Reason.BREACHED, breached_at) if breached_at >= firing.at else amended
    threshold = next(
        (at for at, step in clock.terms.steps(objective) if step.text == labels["step"]),
        None,
    )
    if threshold is None and clock.took_over_at > firing.at:
        return Ending(Reason.TAKEN_OVER, clock.took_over_at)  # by a version with other steps
    if threshold is None or clock.reached(threshold, now) is None:
        return amended  # by what is known now it was never reached
    if clock.phase is not Phase.RUNNING:
        reason = Reason.STOPPED if clock.phase is Phase.DONE else Reason.VOID
        return Ending(reason, clock.stop_event if clock.stop_event is not None else now)
    if clock.pausing_since is not None:
        return Ending(Reason.PAUSED, clock.pausing_since)
    if clock.governing is None:
        return Ending(Reason.PAUSED, clock.anchor)  # nothing is promised any more, and nobody took over
    newer = [one for one in wanted if one.agreement == labels["agreement"] and one.scope == memory.scope]
    return Ending(Reason.SUPERSEDED, newer[0].at) if newer else amended
