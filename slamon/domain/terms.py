"""Which promise governs: the versions of one agreement, and the objective that speaks at an instant.

Documents of the same customer and name are versions of one agreement; their effective spans do not overlap. At every
instant, for every measure, the first objective in file order that matches the ticket's fields of that instant governs;
outside the effective spans none does. Passing from one version to the next is a change of terms.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import NamedTuple

from slamon.domain.agreement import (
    Agreement,
    Measure,
    Objective,
    Share,
    Step,
    TicketFilter,
    TicketObjective,
)
from slamon.domain.events import TicketStatus
from slamon.domain.intervals import FOREVER, Span
from slamon.domain.periods import TimeWindow, period_after, period_at

# Tuples: members are found by identity, while to hash one runs Python.
ACTIVE = (TicketStatus.OPEN, TicketStatus.WAITING)
DONE = (TicketStatus.RESOLVED, TicketStatus.CLOSED)


class Fields(NamedTuple):
    """What is known of a ticket at an instant."""

    status: TicketStatus
    waiting_on: str | None
    priority: str | None
    service: str | None
    attributes: dict[str, str]


def matches(wanted: TicketFilter, fields: Fields) -> bool:
    """Whether every condition holds; a field that is unset matches no condition."""
    if wanted.priority is not None and fields.priority not in wanted.priority:
        return False
    if wanted.service is not None and fields.service not in wanted.service:
        return False
    if not wanted.attributes:  # most have none
        return True
    return all(fields.attributes.get(name) in values for name, values in wanted.attributes)


def same_to_filters(one: Fields, other: Fields) -> bool:
    """Whether every filter that matches one matches the other; False may be said of some for which it is so."""
    return (
        one.priority == other.priority and one.service == other.service and one.attributes is other.attributes
    )


def step_threshold(step: Step, target: int) -> int:
    """The elapsed time (microseconds) at which a warn step is reached; not positive: never announced."""
    if isinstance(step, Share):
        return -(
            -step.of.numerator * target // step.of.denominator
        )  # the first whole microsecond at or past the share
    return target - step.left


Steps = tuple[tuple[int, Step], ...]  # with the elapsed time at which each is reached, in its order


class Version(NamedTuple):
    """One document and what is looked up in it often."""

    agreement: Agreement
    by_measure: dict[Measure, tuple[TicketObjective, ...]]
    covered: frozenset[str] | None  # services; None: all


def _steps(objective: TicketObjective) -> Steps:
    steps = ((step_threshold(step, objective.target), step) for step in objective.warn_at)
    return tuple(sorted((found for found in steps if found[0] > 0), key=lambda found: found[0]))


def _version(agreement: Agreement) -> Version:
    by_measure: dict[Measure, list[TicketObjective]] = {}
    for objective in agreement.objectives:
        if isinstance(objective, TicketObjective):
            by_measure.setdefault(objective.measure, []).append(objective)
    covered = (
        None if agreement.services is None else frozenset(service.name for service in agreement.services)
    )
    return Version(agreement, {measure: tuple(found) for measure, found in by_measure.items()}, covered)


class Terms:
    """All versions of the agreement `name` of `customer`, in the order of their effective spans."""

    def __init__(self, versions: Iterable[Agreement]) -> None:
        ordered = sorted(versions, key=lambda agreement: agreement.start)
        self.customer = ordered[0].customer
        self.name = ordered[0].name
        self.versions: Sequence[Version] = tuple(_version(agreement) for agreement in ordered)
        self._starts = [agreement.start for agreement in ordered]
        self._version = self.versions[0]  # the one asked for last
        edges = {edge for agreement in ordered for edge in (agreement.start, agreement.end)}
        self.boundaries = sorted(edges - {FOREVER})  # instants at which the terms may change by themselves
        self.measures = [
            measure for measure in Measure if any(measure in v.by_measure for v in self.versions)
        ]
        # By the identity of an objective of these versions:
        self._version_of = {id(held): v for v in self.versions for held in v.agreement.objectives}
        self._steps = {
            id(held): _steps(held)
            for v in self.versions
            for held in v.agreement.objectives
            if isinstance(held, TicketObjective)
        }
        self._ends: dict[int, list[int]] = {}  # its judgement ends so far
        self._within: dict[int, Span] = {}  # and a span between two of them, or before the first

    def version_at(self, t: int) -> Version | None:
        """The version in effect at `t`."""
        last = self._version
        if last.agreement.start <= t < last.agreement.end:
            return last
        index = bisect_right(self._starts, t) - 1
        if index < 0 or t >= self.versions[index].agreement.end:
            return None
        self._version = self.versions[index]
        return self._version

    def next_boundary(self, t: int) -> int:
        """The first instant after `t` at which the terms may change by themselves; FOREVER: none."""
        index = bisect_right(self.boundaries, t)
        return self.boundaries[index] if index < len(self.boundaries) else FOREVER

    def version_of(self, objective: Objective) -> Version:
        """The version that holds this very objective."""
        return self._version_of[id(objective)]

    def steps(self, objective: TicketObjective) -> Steps:
        """The warn steps of an objective of these versions that can be reached, the first to come first."""
        return self._steps[id(objective)]

    def governing(self, measure: Measure, t: int, fields: Fields) -> TicketObjective | None:
        """The objective that governs a ticket with these fields at `t`."""
        version = self.version_at(t)
        if version is None:
            return None
        if (
            version.covered is not None
            and fields.service is not None
            and fields.service not in version.covered
        ):
            return None
        for objective in version.by_measure.get(measure, ()):
            if matches(objective.when, fields):
                return objective
        return None

    def ends_within(self, objective: TicketObjective, after: int, until: int) -> Sequence[int]:
        """The ends of the objective's judged periods in (after, until], in order."""
        within = self._within.get(id(objective))
        if within is not None and within[0] <= after and until < within[1]:
            return ()
        ends = self._ends.get(id(objective))
        if ends is None:
            ends = self._ends[id(objective)] = []
        while not ends or ends[-1] <= until:
            version = self.version_of(objective)
            previous = ends[-1] if ends else version.agreement.start
            if previous >= version.agreement.end:
                break
            ends.append(judged_period(version.agreement, objective, previous)[1])
        first, behind = bisect_right(ends, after), bisect_right(ends, until)
        if behind < len(ends):
            self._within[id(objective)] = (ends[behind - 1] if behind else -FOREVER, ends[behind])
        return ends[first:behind]


def time_window(objective: Objective) -> TimeWindow:
    return objective.attainment.window if isinstance(objective, TicketObjective) else objective.window


def target_of(objective: Objective) -> Fraction:
    """The share of cycles, time or requests that must be good in a period."""
    return objective.attainment.target if isinstance(objective, TicketObjective) else objective.target


def judged_period(agreement: Agreement, objective: Objective, t: int) -> Span:
    """The period of which the verdict is given next, seen from `t` inside the effective span.

    Calendar periods are cut to the effective span. A rolling objective is judged at the end E of each reporting period,
    over [E - d, E), cut likewise.
    """
    window = time_window(objective)
    unit = window.unit or agreement.reporting.unit
    start, end = period_at(unit, agreement.zone, t)
    if end <= t:  # a border that falls on a skipped local time
        start, end = period_after(unit, agreement.zone, (start, end))
    end = min(end, agreement.end)
    if window.rolling is not None:
        start = end - window.rolling
    return max(start, agreement.start), end


def period_to_date(agreement: Agreement, objective: Objective, now: int) -> Span:
    """The span on which the standing at `now` is taken: the running calendar period, or the rolling window up to now."""
    window = time_window(objective)
    if window.rolling is not None:
        return max(now - window.rolling, agreement.start), now
    return judged_period(agreement, objective, now)
