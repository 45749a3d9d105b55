"""How much failure a period allows, when it is used up, and how fast it burns.

    budget = (1 - target) x |applicable of the whole period|, the future by its calendar and the exclusions known by now

A calendar period is breached at the exact instant at which consumed exceeds the budget; from then on it cannot be met. A
rolling window is breached while it does. With an outage running, the same instant in the future is when the promise is
lost if nobody restores the service: its due instant.

Burn rates (Google SRE Workbook, chapter 5): a pair fires when over both its long and its short window

    down / known > share x budget period / long window x (1 - target)

and resolves when the short one no longer does. With service hours both spans are measured in service hours. Where less
than `coverageBelow` of a long window is known, the pair is frozen: it neither fires nor resolves. Whether a pair fires is
a function of the facts and the instant alone: the newest unfrozen instant at which it had to fire or to resolve decides.
"""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

from slamon.domain.agreement import Agreement, AvailabilityObjective, BurnRatePair, Share, Step
from slamon.domain.availability import Measured
from slamon.domain.crossings import Condition, Lengths, Sliding, flips
from slamon.domain.intervals import Span


class Exhaustion(NamedTuple):
    """`at`: the last instant at which the budget is not exceeded; None: with what is known it never is.

    `exceeded`: it is exceeded now. `until`: the first instant at which it no longer is (rolling windows), as far as known.
    """

    whole: Fraction
    consumed: int
    at: int | None
    exceeded: bool
    until: int | None = None


def budget(objective: AvailabilityObjective, measured: Measured, period: Span) -> Fraction:
    return (1 - objective.target) * measured.applicable.between(*period)


def exhaustion(
    agreement: Agreement, objective: AvailabilityObjective, measured: Measured, period: Span, now: int
) -> Exhaustion:
    """When the budget of the period is used up; `period` is whole, or ends now for a rolling window."""
    rolling = objective.window.rolling
    if rolling is not None:
        return _rolling_exhaustion(agreement, objective, measured, rolling, period, now)
    whole = budget(objective, measured, period)
    consumed = measured.down.between(period[0], min(now, period[1]))
    at = measured.down.overrun(period[0], int(whole))
    return Exhaustion(whole, consumed, at if at < period[1] else None, consumed > whole)


def _rolling_exhaustion(
    agreement: Agreement,
    objective: AvailabilityObjective,
    measured: Measured,
    width: int,
    period: Span,
    now: int,
) -> Exhaustion:
    down = Sliding(measured.down, width, agreement.start)
    applicable = Sliding(measured.applicable, width, agreement.start)
    allowed = 1 - objective.target

    def excess(t: int) -> int:
        return allowed.denominator * down.at(t) - allowed.numerator * applicable.at(t)

    whole, consumed = budget(objective, measured, period), down.at(now)
    exceeded = excess(now) > 0
    if exceeded:
        start = max(agreement.start, measured.start + width)
        before = flips(excess, _breaks((down, applicable), start, now), start, now)
        since = before[-1] - 1 if before else start
        after = _next_flip(excess, (down, applicable), now, measured.end)
        return Exhaustion(whole, consumed, since, exceeded, after)
    if measured.outage is None:
        return Exhaustion(whole, consumed, None, exceeded)
    flip = _next_flip(excess, (down, applicable), now, measured.end)
    return Exhaustion(whole, consumed, None if flip is None else flip - 1, exceeded)


def _breaks(windows: Sequence[Sliding], start: int, end: int) -> Iterator[int]:
    for window in windows:
        yield from window.breaks(start, end)


def _next_flip(condition: Condition, windows: Sequence[Sliding], now: int, end: int) -> int | None:
    found = flips(condition, _breaks(windows, now, end), now, end)
    return found[0] if found else None


class OutageStep(NamedTuple):
    """A threshold of time left, and the last instant at which more than that was left."""

    step: Step
    at: int
    left: int


def outage_steps(objective: AvailabilityObjective, measured: Measured, spent: Exhaustion) -> list[OutageStep]:
    """The `timeLeft` steps of the running outage, in the order in which they come; none without one that can lose it.

    Time left is countable time up to the due instant. A step not smaller than what was left when the outage began does
    not exist for it, and none comes before the outage has lasted `alertAfter` and `minimumOutage`.
    """
    outage, due = measured.outage, spent.at
    if outage is None or due is None or spent.exceeded:
        return []
    left_at_start = measured.countable.between(outage.since, due)
    earliest = outage.since + max(objective.minimum_outage, objective.alerts.alert_after)
    steps = []
    for step in objective.alerts.time_left:
        left = int(step.of * spent.whole) if isinstance(step, Share) else step.left
        if 0 < left < left_at_start:
            steps.append(OutageStep(step, max(measured.countable.back(due, left), earliest), left))
    return sorted(steps, key=lambda found: -found.left)


class Burn(NamedTuple):
    """A pair at an instant. `since`: the last instant before it fired, None if it does not; `frozen_since` likewise."""

    pair: BurnRatePair
    rate: Fraction | None  # of the long window: ratio / (1 - target)
    since: int | None
    frozen_since: int | None
    next_change: int | None  # the first instant after now at which either may differ, if no fact comes


class _Pair:
    """The three conditions of a burn-rate pair, and the windows they slide."""

    def __init__(
        self,
        agreement: Agreement,
        objective: AvailabilityObjective,
        measured: Measured,
        pair: BurnRatePair,
        period: int,
    ) -> None:
        floor = agreement.start
        self.down_long, self.down_short = (
            Sliding(measured.down, width, floor) for width in (pair.long, pair.short)
        )
        self.unknown_long, self.unknown_short = (
            Sliding(measured.unknown, width, floor) for width in (pair.long, pair.short)
        )
        # outside exclusions, whatever those count as in the verdict
        self.all_long, self.all_short = (
            Sliding(measured.countable, width, floor) for width in (pair.long, pair.short)
        )
        self.service = Sliding(measured.service, pair.long)
        threshold = pair.share * (1 - objective.target) * period
        self.numerator, self.denominator = threshold.numerator, threshold.denominator
        self.coverage = objective.alerts.coverage_below
        self.windows = (
            self.down_long, self.down_short, self.unknown_long, self.unknown_short, self.all_long, self.all_short, self.service,
        )  # fmt: skip

    def long(self, t: int) -> int:
        known = self.all_long.at(t) - self.unknown_long.at(t)
        return self.denominator * self.down_long.at(t) * self.service.at(t) - self.numerator * known

    def short(self, t: int) -> int:
        known = self.all_short.at(t) - self.unknown_short.at(t)
        return self.denominator * self.down_short.at(t) * self.service.at(t) - self.numerator * known

    def lost(self, t: int) -> int:
        return self.coverage.numerator * self.all_long.at(t) - self.coverage.denominator * (
            self.all_long.at(t) - self.unknown_long.at(t)
        )


def service_time(objective: AvailabilityObjective, measured: Measured, period: Span) -> int:
    """How much service time the budget is of: the period's by its calendar, or a rolling window's."""
    if objective.window.rolling is not None and objective.calendar.always:
        return objective.window.rolling
    return measured.service.between(*period)


def burns(
    agreement: Agreement,
    objective: AvailabilityObjective,
    measured: Measured,
    period: Span,
    now: int,
    until: int,
) -> list[Burn]:
    """Each pair at `now`; changes are looked for up to `until`."""
    period_length = service_time(objective, measured, period)
    return [
        _burn(agreement, objective, measured, pair, period_length, now, until)
        for pair in objective.alerts.burn_rates
    ]


def _burn(
    agreement: Agreement,
    objective: AvailabilityObjective,
    measured: Measured,
    row: BurnRatePair,
    period: int,
    now: int,
    until: int,
) -> Burn:
    pair = _Pair(agreement, objective, measured, row, period)
    start = max(agreement.start, measured.start + row.long)
    known = pair.all_long.at(now) - pair.unknown_long.at(now)
    rate = Fraction(pair.down_long.at(now), known) / (1 - objective.target) if known else None
    idle = not pair.down_long.at(now) and not pair.unknown_long.at(now)
    if idle and not _touches(measured.down, now) and not _touches(measured.unknown, now):
        return Burn(row, rate, None, None, None)  # nothing in the windows, nothing enters: nothing can change
    since, frozen_since = _firing_since(pair, start, now), _frozen_since(pair, start, now)
    return Burn(row, rate, since, frozen_since, _next_change(pair, now, until, fires=since is not None))


def _touches(lengths: Lengths, now: int) -> bool:
    """Whether the set has anything at or after `now`."""
    return bool(lengths.spans) and lengths.spans[-1][1] > now


def _pieces_backward(pair: _Pair, start: int, now: int) -> Iterator[int]:
    """First instants of the pieces of (start, now] in which all three conditions are constant, from the latest on."""
    edges = [start, *sorted({edge for edge in _breaks(pair.windows, start, now) if start < edge < now}), now]
    for left, right in zip(reversed(edges[:-1]), reversed(edges), strict=False):
        found = {
            t for condition in (pair.long, pair.short, pair.lost) for t in flips(condition, (), left, right)
        }
        yield from sorted(found, reverse=True)
    yield start


def _firing_since(pair: _Pair, start: int, now: int) -> int | None:
    since: int | None = None
    at = now
    for first in _pieces_backward(pair, start, now):
        if pair.lost(at) <= 0:
            if pair.short(at) <= 0:
                break
            if pair.long(at) > 0:
                since = first - 1 if first > start else start
        at = first - 1
    return since


def _frozen_since(pair: _Pair, start: int, now: int) -> int | None:
    if pair.lost(now) <= 0:
        return None
    for first in _pieces_backward(pair, start, now):
        if first > start and pair.lost(first - 1) <= 0:
            return first - 1
    return start


def _next_change(pair: _Pair, now: int, until: int, *, fires: bool) -> int | None:
    """The first instant in (now, until] at which the pair fires, resolves, freezes or thaws."""
    if now >= until:
        return None
    found = set()
    for condition in (pair.long, pair.short, pair.lost):
        found |= set(flips(condition, _breaks(pair.windows, now, until), now, until))
    frozen = pair.lost(now) > 0
    for t in sorted(found):
        if (pair.lost(t) > 0) != frozen:
            return t
        if not frozen and (pair.short(t) <= 0 if fires else pair.short(t) > 0 and pair.long(t) > 0):
            return t
    return None


def coverage_lost_since(found: Sequence[Burn]) -> int | None:
    """Since when any pair is frozen, the earliest."""
    return min((burn.frozen_since for burn in found if burn.frozen_since is not None), default=None)
