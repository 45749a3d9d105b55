"""Which time of a service counts for an objective, which of it was down, and the verdict on a period.

The order of work is the order of the rules: status mapped by `degradedCountsAs`; outages as maximal spans of down over the
whole history, those shorter than `minimumOutage` become up; downtime told by tickets (`downWhile`) united with them,
however short, which makes that time known; then cut to service hours, effective dates and exclusions. A running outage
counts from its first second as soon as it has lasted `minimumOutage`. With `removed`, excluded time is on neither side of
the ratio; with `up` it is applicable, known and up.

    attained   = 1 - down / known            best case  = 1 - down / applicable
    worst case = 1 - (down + unknown) / applicable        coverage = known / applicable
"""

import enum
from collections.abc import Sequence
from math import gcd
from typing import NamedTuple

from slamon.domain.agreement import (
    Agreement,
    AvailabilityObjective,
    DegradedCountsAs,
    UnknownCountsAs,
)
from slamon.domain.counted_time import counted_time
from slamon.domain.crossings import Lengths
from slamon.domain.decisions import Outcome, Ratios, SecondCounts
from slamon.domain.events import ServiceStatus
from slamon.domain.exclusions import Declared
from slamon.domain.intervals import FOREVER, Span, Spans, first_difference, intersect, subtract, union
from slamon.domain.service_timeline import ServiceTimeline

DOWN = {
    DegradedCountsAs.UP: frozenset({ServiceStatus.DOWN}),
    DegradedCountsAs.DOWN: frozenset({ServiceStatus.DOWN, ServiceStatus.DEGRADED}),
}
UNKNOWN = frozenset({ServiceStatus.UNKNOWN})


class Outage(NamedTuple):
    """The outage that runs: since when, by the wall clock, and whether it has lasted long enough to count."""

    since: int
    counts: bool


class Measured(NamedTuple):
    """The sets inside a range. What runs is taken to run on: the sets hold until a fact, or time, ends that."""

    service: Lengths  # service hours by the calendar alone
    applicable: Lengths
    countable: Lengths  # where downtime counts: service hours outside exclusions
    excluded: Lengths  # inside service hours
    down: Lengths
    unknown: Lengths
    outage: Outage | None  # that runs out of the range
    start: int
    end: int


def running_outage(objective: AvailabilityObjective, timeline: ServiceTimeline, now: int) -> Outage | None:
    """The one that monitors report."""
    last = timeline.spans_of(DOWN[objective.degraded_counts_as], now, FOREVER)
    if not last or last[-1][1] != FOREVER:
        return None
    since = last[-1][0]
    return Outage(since, now - since >= objective.minimum_outage)


def outages(objective: AvailabilityObjective, timeline: ServiceTimeline, span: Span) -> list[Span]:
    """The reported outages that touch [start, end), uncut, however short; the last may end at FOREVER."""
    return timeline.spans_of(DOWN[objective.degraded_counts_as], *span)


def lasts(objective: AvailabilityObjective, outage: Span, now: int) -> bool:
    """Whether a reported outage has lasted long enough by `now` to count."""
    since, until = outage
    return (until if until != FOREVER else now) - since >= objective.minimum_outage


def downtime(
    objective: AvailabilityObjective, timeline: ServiceTimeline, tickets: Spans, span: Span, now: int
) -> list[Span]:
    """The maximal spans that are down, service hours and exclusions aside; uncut like what they are made of."""
    return union([one for one in outages(objective, timeline, span) if lasts(objective, one, now)], tickets)


def measure(
    agreement: Agreement,
    objective: AvailabilityObjective,
    timeline: ServiceTimeline,
    tickets: Spans,
    known: Sequence[Declared],
    span: Span,
    now: int,
) -> Measured:
    """The sets of [start, end) as known at `now`; the timeline must have been read up to `now`.

    `tickets`: the downtime that tickets tell, as far as it touches the range, uncut.
    """
    start, end = span
    time = counted_time(agreement, objective, known, span)
    countable = time.countable.spans
    reported = running_outage(objective, timeline, now)
    down = downtime(objective, timeline, tickets, span, now)
    runs = bool(down) and down[-1][1] == FOREVER
    unknown = subtract(timeline.spans_of(UNKNOWN, start, end), tickets)
    return Measured(
        service=time.service,
        applicable=time.applicable,
        countable=time.countable,
        excluded=time.excluded,
        down=Lengths(intersect(down, countable)),
        unknown=Lengths(intersect(unknown, countable)),
        outage=Outage(down[-1][0], counts=True) if runs else reported,
        start=start,
        end=end,
    )


def seconds(measured: Measured, span: Span) -> SecondCounts:
    """The sums of [start, end), which lies inside the measured range."""
    start, end = span
    applicable = measured.applicable.between(start, end)
    unknown = measured.unknown.between(start, end)
    return SecondCounts(
        applicable=applicable,
        known=applicable - unknown,
        down=measured.down.between(start, end),
        unknown=unknown,
        excluded=measured.excluded.between(start, end),
    )


def share(part: int, whole: int) -> tuple[int, int] | None:
    """`part / whole` in lowest terms; None where there is nothing to divide by."""
    if not whole:
        return None
    common = gcd(part, whole)
    return part // common, whole // common


def ratios(counts: SecondCounts) -> Ratios:
    applicable, known = counts.applicable, counts.known
    return Ratios(
        attained=share(known - counts.down, known),
        best_case=share(applicable - counts.down, applicable),
        worst_case=share(applicable - counts.down - counts.unknown, applicable),
        coverage=share(known, applicable),
    )


class Rule(enum.Enum):
    """By which rule the verdict falls, in the order in which they are asked."""

    NOTHING_APPLICABLE = "nothing_applicable"
    WORST_CASE_REACHES = "worst_case_reaches"  # the target
    BEST_CASE_FAILS = "best_case_fails"
    UNKNOWN_COUNTS = "unknown_counts"  # as the objective says: between worst and best case nobody knows


OUTCOMES = {
    Rule.NOTHING_APPLICABLE: Outcome.NOT_APPLICABLE,
    Rule.WORST_CASE_REACHES: Outcome.MET,
    Rule.BEST_CASE_FAILS: Outcome.MISSED,
}
ELSE = {
    UnknownCountsAs.UNDETERMINED: Outcome.UNDETERMINED,
    UnknownCountsAs.UP: Outcome.MET,
    UnknownCountsAs.DOWN: Outcome.MISSED,
}


def ruling(objective: AvailabilityObjective, counts: SecondCounts) -> Rule:
    """Met if even the worst case reaches the target, missed if even the best does not; else what unknown counts as."""
    if counts.applicable == 0:
        return Rule.NOTHING_APPLICABLE
    allowed = (1 - objective.target) * counts.applicable
    if counts.down + counts.unknown <= allowed:
        return Rule.WORST_CASE_REACHES
    return Rule.BEST_CASE_FAILS if counts.down > allowed else Rule.UNKNOWN_COUNTS


def verdict(objective: AvailabilityObjective, counts: SecondCounts) -> Outcome:
    rule = ruling(objective, counts)
    return ELSE[objective.unknown_counts_as] if rule is Rule.UNKNOWN_COUNTS else OUTCOMES[rule]


def same_until(one: Measured, other: Measured) -> int:
    """Up to which instant two measurements of a range are the same; -FOREVER if the ranges begin at different instants."""
    if one is other:
        return FOREVER
    if one.start != other.start:
        return -FOREVER
    sets = (
        (one.down, other.down),
        (one.unknown, other.unknown),
        (one.countable, other.countable),
        (one.service, other.service),
    )
    found = (first_difference(a.spans, b.spans) for a, b in sets)
    return min((at for at in found if at is not None), default=FOREVER)
