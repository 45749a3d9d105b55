"""One ticket: its history, its clocks under every agreement of its customer, and the alerts that follow.

One truth, two speeds: an event that continues the history advances the clocks in place; one that lies in the past rewinds
the ticket, and the same fold begins anew. Nothing outside this file knows which way was taken.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from functools import partial

from slamon.domain import announcements
from slamon.domain.agreement import AlertName, Severity, Share, Step, TicketObjective
from slamon.domain.alerts import Ending, Wanted, severity_of
from slamon.domain.attainment import Contribution
from slamon.domain.decisions import AlertMemory, AlertTransition, ClockOutcome, ClockState, Reason
from slamon.domain.events import TicketEvent
from slamon.domain.intervals import FOREVER
from slamon.domain.terms import Fields, Terms
from slamon.domain.ticket_clock import Clock, Phase, View, step_threshold
from slamon.domain.ticket_history import NEW, TicketHistory

Identity = tuple[str, str, int]  # agreement, measure, cycle


class Ticket:
    __slots__ = (
        "_fields",
        "_folded_until",
        "armed",
        "clocks",
        "contributions",
        "customer",
        "history",
        "id",
        "subject",
        "terms",
    )

    def __init__(self, customer: str, ticket: str, terms: Iterable[Terms]) -> None:
        self.customer = customer
        self.id = ticket
        self.terms = tuple(terms)
        self.subject = ("ticket", customer, ticket)
        self.history = TicketHistory()
        self.armed: int | None = None
        self.contributions: dict[Identity, Contribution] = {}
        self.rewind()

    def rewind(self) -> None:
        self.history.rewind()
        self.clocks: dict[Identity, Clock] = {}
        self._fields: Fields = NEW
        self._folded_until = -FOREVER

    def add(self, event: TicketEvent) -> None:
        if not self.history.add(event) or event.time <= self._folded_until:
            self.rewind()

    def read(self, now: int) -> None:
        """Bring the clocks to what is known at `now`."""
        if self.history.is_stale(now):
            self.rewind()
        for moment in self.history.read(now):
            if not self.clocks:
                self._open(moment.time)
            self._change_terms(moment.time)
            for clock in self.clocks.values():
                clock.moment(moment.time, moment.fields, moment.replies)
            self._fields, self._folded_until = moment.fields, moment.time
        if self.clocks:
            self._change_terms(now + 1)

    def _open(self, at: int) -> None:
        self._folded_until = at
        for terms in self.terms:
            for measure in terms.measures:
                self.clocks[terms.name, measure.value, 1] = Clock(terms, self.id, measure, 1, at)

    def _change_terms(self, until: int) -> None:
        """Pass the instants before `until` at which a version of an agreement begins or ends."""
        passed = sorted(
            {at for terms in self.terms for at in _between(terms.boundaries, self._folded_until, until)}
        )
        for at in passed:
            for clock in self.clocks.values():
                if at in clock.terms.boundaries:
                    clock.moment(at, self._fields)
            self._folded_until = at

    def views(self, now: int) -> Iterator[tuple[Identity, Clock, View]]:
        for identity, clock in self.clocks.items():
            view = clock.view(now)
            if view is not None:
                yield identity, clock, view

    @property
    def priority(self) -> str | None:
        """As of what has been read."""
        return self._fields.priority

    def pending(self) -> bool:
        return any(found.outcome is ClockOutcome.PENDING for found in self.contributions.values())

    def wake_at(self, now: int) -> int | None:
        """The next instant, in half microseconds (see `monitor`), at which something changes although no event comes."""
        keys = []
        ahead = self.history.next_after(now)
        if ahead is not None:
            keys.append(2 * ahead)
        if self.history.read_until is None:
            opens_at = self.history.opens_at(now)
            if opens_at is not None and opens_at > now:
                keys.append(2 * opens_at)
        for clock in self.clocks.values():
            if clock.phase is Phase.RUNNING:
                boundaries = clock.terms.boundaries
                index = bisect_right(boundaries, now)
                if index < len(boundaries):
                    keys.append(2 * boundaries[index])
            keys += [2 * at + 1 for at in _limits(clock, now)]
        return min(keys, default=None)


def _between(boundaries: Sequence[int], after: int, before: int) -> Sequence[int]:
    return boundaries[bisect_right(boundaries, after) : bisect_left(boundaries, before)]


def _limits(clock: Clock, now: int) -> Iterator[int]:
    """The instants not before `now` at which a running clock reaches a step or passes its target."""
    objective = clock.objective
    if objective is None or not clock.runs() or clock.breached_at is not None:
        return
    breach_at = clock.breach_at()
    if breach_at is None or breach_at < now:
        return
    yield breach_at
    if clock.anchor >= now:
        yield now  # whatever step holds since the clock resumed or was taken over is told once this instant has passed
    for step in objective.warn_at:
        ahead = step_threshold(step, objective.target) - clock.elapsed
        if ahead > 0:
            at = objective.calendar.add(clock.anchor, ahead)
            if at >= now:
                yield at


def default_severity(step: Step) -> Severity:
    """Info below 75 %, warning below 90 %, critical from there on and for any time left."""
    if not isinstance(step, Share) or step.of * 100 >= 90:
        return Severity.CRITICAL
    return Severity.WARNING if step.of * 100 >= 75 else Severity.INFO


def _steps_down(objective: TicketObjective) -> list[tuple[int, Step]]:
    """The steps with the elapsed time of each, the last one to come first."""
    steps = [(step_threshold(step, objective.target), step) for step in objective.warn_at]
    return sorted((found for found in steps if found[0] > 0), key=lambda found: found[0], reverse=True)


def _scope(identity: Identity) -> str:
    _, measure, cycle = identity
    return f"{measure}/{cycle}"


def wanted_alert(identity: Identity, clock: Clock, view: View, now: int) -> Wanted | None:
    """The one alert that is true of a clock at `now`: its breach, or the newest step that it has passed."""
    record, objective = view.record, view.objective
    version = clock.terms.version_of(objective).agreement
    if record.breached_at is not None:
        over = None
        if record.state is ClockState.STOPPED:
            reason = Reason.STOPPED if clock.phase is Phase.DONE else Reason.VOID
            over = Ending(reason, clock.stop_event if clock.stop_event is not None else now)
        return Wanted(
            AlertName.TICKET_BREACHED,
            severity_of(objective, AlertName.TICKET_BREACHED, Severity.CRITICAL),
            objective.name,
            record.agreement,
            _scope(identity),
            None,
            record.breached_at,
            Reason.LIMIT_EXCEEDED,
            lambda: announcements.ticket_breached(version, objective, record, now),
            record.ticket,
            over,
        )
    if record.outcome is not ClockOutcome.PENDING or not clock.runs():
        return None
    for threshold, step in _steps_down(objective):
        reached = clock.reached(threshold, now)
        if reached is None or max(reached, view.resumed_at) >= now:
            continue
        resumed = reached < view.resumed_at != clock.took_over_at
        return Wanted(
            AlertName.TICKET_AT_RISK,
            severity_of(objective, AlertName.TICKET_AT_RISK, default_severity(step)),
            objective.name,
            record.agreement,
            _scope(identity),
            step.text,
            max(reached, view.resumed_at) if resumed else reached,
            Reason.RESUMED if resumed else Reason.STEP_REACHED,
            partial(announcements.ticket_at_risk, version, objective, record, threshold, now),
            record.ticket,
        )
    return None


def ending_of(
    ticket: Ticket, memory: AlertMemory, firing: AlertTransition, wanted: Sequence[Wanted], now: int
) -> Ending:
    """Why an alert of this ticket that fires should not, and since when."""
    labels = firing.labels
    amended = Ending(Reason.AMENDED, now)
    found = [
        one
        for one in ticket.views(now)
        if one[0][0] == labels["agreement"] and _scope(one[0]) == memory.scope
    ]
    if not found:
        return amended
    _, clock, view = found[0]
    record, objective = view.record, view.objective
    if labels["alertname"] == AlertName.TICKET_BREACHED.value:
        return amended
    if record.objective != labels["objective"]:
        return Ending(Reason.TAKEN_OVER, clock.took_over_at) if clock.took_over_at > firing.at else amended
    if record.breached_at is not None:
        return Ending(Reason.BREACHED, record.breached_at) if record.breached_at >= firing.at else amended
    threshold = next(
        (step_threshold(step, objective.target) for step in objective.warn_at if step.text == labels["step"]),
        None,
    )
    if threshold is None and clock.took_over_at > firing.at:
        return Ending(Reason.TAKEN_OVER, clock.took_over_at)  # by a version with other steps
    if threshold is None or clock.reached(threshold, now) is None:
        return amended  # by what is known now it was never reached
    if clock.phase is not Phase.RUNNING:
        reason = Reason.VOID if record.state is ClockState.VOID else Reason.STOPPED
        return Ending(reason, clock.stop_event if clock.stop_event is not None else now)
    if clock.pausing_since is not None:
        return Ending(Reason.PAUSED, clock.pausing_since)
    if clock.governing is None:
        return Ending(Reason.TAKEN_OVER, clock.anchor)
    newer = [one for one in wanted if one.agreement == record.agreement and one.scope == memory.scope]
    return Ending(Reason.SUPERSEDED, newer[0].at) if newer else amended
