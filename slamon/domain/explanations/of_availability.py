"""Why an availability objective was met or missed in a period: each outage, each exclusion by its clause, each gap.

The sets are those that the verdict is made of (`availability.measure`, `exclusions.by_clause`); here they are only cut
apart by the outage, the clause and the gap they come from, so that the parts add up to what was said. Where clauses
overlap, the earlier in file order is said to have taken the time.
"""

import enum
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from slamon.domain import availability
from slamon.domain.agreement import Agreement, AvailabilityObjective
from slamon.domain.availability import DOWN, UNKNOWN, Measured, Rule
from slamon.domain.availability_watch import AvailabilityWatch
from slamon.domain.customer import Customer
from slamon.domain.decisions import Ratios, SecondCounts, Standing, Statement
from slamon.domain.error_budget import budget, exhaustion
from slamon.domain.events import ServiceStatus
from slamon.domain.exclusions import Granted, by_clause
from slamon.domain.explanations.of_exclusions import ClauseStory, DeclaredStory, clauses_of, declared_of
from slamon.domain.intervals import FOREVER, Span, Spans, clip, intersect, length, subtract
from slamon.domain.service_timeline import BEFORE_ALL, Change, ServiceTimeline


@dataclass(frozen=True, slots=True)
class OutageStory:
    """A maximal span of down, uncut; `end` is None while it runs. Lengths are microseconds.

    `in_period` = `outside_hours` + `excluded` + `counted`, if it is long enough to count; else it was only reported, and
    `counted` is 0: what of it is down by an open ticket stands in the outage of that ticket.
    """

    start: int
    end: int | None
    statuses: tuple[Change, ...]  # what was reported in it, in order
    tickets: tuple[tuple[str, Span], ...]  # by which it is down, uncut
    lasted: int  # up to now, if it runs
    long_enough: bool
    in_period: int
    outside_hours: int
    excluded: tuple[tuple[str, int], ...]  # by clause
    counted: int


class Cause(enum.Enum):
    """Why the status was unknown."""

    BEFORE_ALL = "before_first_event"
    REPORTED = "reported"
    HEARTBEATS_MISSED = "heartbeats_missed"


@dataclass(frozen=True, slots=True)
class UnknownStory:
    """A span of unknown status, uncut; `start` is None before the first event, `end` while it lasts."""

    start: int | None
    end: int | None
    cause: Cause
    last_heard: int | None  # the event whose heartbeats were missed
    counted: int


@dataclass(frozen=True, slots=True)
class BudgetStory:
    """`breached_at`: the last instant at which the budget of a calendar period is not exceeded, if it ever is."""

    whole: Fraction
    used: int
    breached_at: int | None


@dataclass(frozen=True, slots=True)
class AvailabilityExplanation:
    """`said` is the statement, or the standing while the period runs; sums are up to `until`, the end or now."""

    agreement: Agreement
    objective: AvailabilityObjective
    period: Span
    until: int
    as_of: int
    said: Statement | Standing
    hours: int  # service hours in the period, up to `until`
    outages: tuple[OutageStory, ...]
    clauses: tuple[ClauseStory, ...]
    declared: tuple[DeclaredStory, ...]
    unknown: tuple[UnknownStory, ...]
    budget: BudgetStory
    rule: Rule

    @property
    def seconds(self) -> SecondCounts:
        counts = self.said.seconds
        assert counts is not None, "what is said of availability counts seconds"
        return counts

    @property
    def ratios(self) -> Ratios:
        return self.said.ratios


def explain_availability(
    customer: Customer, watch: AvailabilityWatch, period: Span, said: Statement | Standing, now: int
) -> AvailabilityExplanation:
    """`said`: what the watch says of the period at `now`; a standing if the period is not over."""
    agreement, objective = watch.agreement, watch.objective
    timeline = customer.timeline(objective.service)
    timeline.read(now)
    known = customer.declared(now)
    span = (period[0], min(period[1], now))
    by_tickets = () if watch.tickets is None else watch.tickets.spans(*period)
    measured = availability.measure(agreement, objective, timeline, by_tickets, known, period, now)
    hours = clip(measured.service.spans, *span)
    granted = by_clause(agreement, objective, known, *period)
    down = availability.downtime(objective, timeline, by_tickets, span, now)
    counting = clip(down, *span)
    counts = said.seconds
    assert counts is not None, "what is said of availability counts seconds"
    return AvailabilityExplanation(
        agreement=agreement,
        objective=objective,
        period=period,
        until=span[1],
        as_of=now,
        said=said,
        hours=length(hours),
        outages=tuple(_outages(watch, timeline, measured, down, granted, hours, span, now)),
        clauses=tuple(clauses_of(granted, hours, lambda spans: length(intersect(spans, counting)))),
        declared=tuple(declared_of(customer, agreement, objective, hours, period, now)),
        unknown=tuple(_unknown(timeline, measured, span)),
        budget=_budget(watch, measured, period, counts, now),
        rule=availability.ruling(objective, counts),
    )


def _outages(
    watch: AvailabilityWatch,
    timeline: ServiceTimeline,
    measured: Measured,
    down: Spans,
    granted: Sequence[Granted],
    hours: Spans,
    span: Span,
    now: int,
) -> Iterator[OutageStory]:
    objective = watch.objective
    reported = availability.outages(objective, timeline, span)
    too_short = [one for one in reported if not availability.lasts(objective, one, now)]
    for outage in sorted([*down, *too_short]):
        start, end = outage
        inside = clip([outage], *span)
        if not inside:
            continue  # a ticket's, that only touches what was asked about; or the period begins only now
        long_enough = outage not in too_short
        rest: Spans = intersect(inside, hours)
        in_hours = length(rest)
        excluded = []
        for one in granted:
            taken = intersect(rest, one.spans)
            if taken:
                excluded.append((one.term.name, length(taken)))
                rest = subtract(rest, one.spans)
        yield OutageStory(
            start=start,
            end=None if end == FOREVER else end,
            statuses=tuple(_statuses(objective, timeline, outage)),
            tickets=tuple(watch.tickets.by_ticket(start, end)) if watch.tickets and long_enough else (),
            lasted=(now if end == FOREVER else end) - start,
            long_enough=long_enough,
            in_period=length(inside),
            outside_hours=length(inside) - in_hours,
            excluded=tuple(excluded),
            counted=measured.down.between(*inside[0]) if long_enough else 0,
        )


def _statuses(objective: AvailabilityObjective, timeline: ServiceTimeline, outage: Span) -> Iterator[Change]:
    down = DOWN[objective.degraded_counts_as]
    for change in timeline.changes:
        if outage[0] <= change.time < outage[1] and change.status in down:
            yield change


def _unknown(timeline: ServiceTimeline, measured: Measured, span: Span) -> Iterator[UnknownStory]:
    for start, end in timeline.spans_of(UNKNOWN, *span):
        inside = clip([(start, end)], *span)
        if not inside:  # the period begins only now
            continue
        cause, last_heard = _cause(timeline, start)
        yield UnknownStory(
            start=None if start == BEFORE_ALL else start,
            end=None if end == FOREVER else end,
            cause=cause,
            last_heard=last_heard,
            counted=measured.unknown.between(*inside[0]),
        )


def _cause(timeline: ServiceTimeline, start: int) -> tuple[Cause, int | None]:
    if start == BEFORE_ALL:
        return Cause.BEFORE_ALL, None
    heard = timeline.heard_by(start)
    assert heard is not None, "before anything is heard, nothing is known since ever"
    if heard.status is ServiceStatus.UNKNOWN:
        return Cause.REPORTED, None
    return Cause.HEARTBEATS_MISSED, heard.time


def _budget(
    watch: AvailabilityWatch, measured: Measured, period: Span, counts: SecondCounts, now: int
) -> BudgetStory:
    agreement, objective = watch.agreement, watch.objective
    whole = budget(objective, measured, period)
    if objective.window.rolling is not None:  # recovers as time goes by, so no instant ends it
        return BudgetStory(whole, counts.down, None)
    spent = exhaustion(agreement, objective, measured, period, now)
    return BudgetStory(whole, counts.down, spent.at if spent.exceeded else None)
