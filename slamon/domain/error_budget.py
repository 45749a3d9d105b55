"""How much failure a period allows, when it is used up, and how fast it burns.

    budget = (1 - target) x |applicable of the whole period|, the future by its calendar and the exclusions known by now

A calendar period is breached at the exact instant at which consumed exceeds the budget; from then on it cannot be met. A
rolling window is breached while it does. With an outage running, the same instant in the future is when the promise is
lost if nobody restores the service: its due instant.

Burn rates (Google SRE Workbook, chapter 5): a pair fires when over both its long and its short window

    down / known > share x budget period / long window x (1 - target)

and resolves when the short one no longer does. With service hours both spans are measured in service hours, and the budget
period of a rolling objective ends at the instant asked about: what is allowed then slides with it. Where less than
`coverageBelow` of a long window is known, the pair is frozen: it neither fires nor resolves. Whether a pair fires is a
function of the facts and the instant alone: the newest unfrozen instant at which it had to fire or to resolve decides.
"""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

from slamon.domain.agreement import Agreement, AvailabilityObjective, BurnRatePair, Share, Step
from slamon.domain.availability import Measured
from slamon.domain.crossings import Lengths, Sliding, Values, breaks, flips, flips_of_piece, values
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
    windows = (
        Sliding(measured.down, width, agreement.start),
        Sliding(measured.applicable, width, agreement.start),
    )
    allowed = 1 - objective.target

    def excess(at: Values) -> int:
        down, applicable = at
        return allowed.denominator * down - allowed.numerator * applicable

    here = values(windows, now)
    whole, consumed = budget(objective, measured, period), here[0]
    exceeded = excess(here) > 0
    if exceeded:
        start = max(agreement.start, measured.start + width)
        before = flips(excess, windows, start, now)
        after = flips(excess, windows, now, measured.end)
        return Exhaustion(
            whole, consumed, before[-1] - 1 if before else start, exceeded, after[0] if after else None
        )
    ahead = flips(excess, windows, now, measured.end) if measured.outage is not None else []
    return Exhaustion(whole, consumed, ahead[0] - 1 if ahead else None, exceeded)


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
    """A pair at an instant. `since`: the last instant before it fired, None if it does not; `frozen_since` likewise.

    It holds, for the same facts, until before `changes_at` (None: for ever).
    """

    pair: BurnRatePair
    since: int | None
    frozen_since: int | None
    changes_at: int | None
    at: int  # the instant of which this is true


class _Pair:
    """The conditions of a burn-rate pair over the windows they slide."""

    def __init__(
        self,
        agreement: Agreement,
        objective: AvailabilityObjective,
        measured: Measured,
        pair: BurnRatePair,
        period: Span,
    ) -> None:
        floor, rolling = agreement.start, objective.window.rolling
        allowed = pair.share * (1 - objective.target)
        budgets: tuple[Sliding, ...] = ()
        if rolling is None:
            allowed *= measured.service.between(*period)
        elif objective.calendar.always:
            allowed *= rolling
        else:
            budgets = (Sliding(measured.service, rolling, floor),)
        self.numerator, self.denominator = allowed.as_integer_ratio()
        # The ratio is of what lies outside exclusions, whatever those count as in the verdict.
        self.windows = (
            *(
                Sliding(one, pair.long, floor)
                for one in (measured.down, measured.unknown, measured.countable)
            ),
            *(
                Sliding(one, pair.short, floor)
                for one in (measured.down, measured.unknown, measured.countable)
            ),
            Sliding(measured.service, pair.long),
            *budgets,
        )
        self.longest = max(window.width for window in self.windows)
        self.coverage = objective.alerts.coverage_below
        self.conditions = (self.long, self.short, self.lost)
        self.stride = max(pair.short // 16, 1)

    def at(self, t: int) -> Values:
        return values(self.windows, t)

    def long(self, at: Values) -> int:
        down, unknown, applicable, _, _, _, *spans = at
        return self._over(down, applicable - unknown, *spans)

    def short(self, at: Values) -> int:
        _, _, _, down, unknown, applicable, *spans = at
        return self._over(down, applicable - unknown, *spans)

    def _over(self, down: int, known: int, service: int, period: int = 1) -> int:
        return self.denominator * down * service - self.numerator * known * period

    def lost(self, at: Values) -> int:
        _, unknown, applicable, *_ = at
        return self.coverage.numerator * applicable - self.coverage.denominator * (applicable - unknown)


def burn_of(
    agreement: Agreement,
    objective: AvailabilityObjective,
    measured: Measured,
    row: BurnRatePair,
    period: Span,
    now: int,
    until: int,
    before: Burn | None = None,
) -> Burn:
    """A pair at `now`; changes are looked for up to `until`, which is one if it may change at all.

    `period`: the calendar period; a rolling one is known by its width.
    `before`: the same pair at an earlier instant, if up to then everything was as it is now; only what came after is
    looked at.
    """
    pair = _Pair(agreement, objective, measured, row, period)
    start = max(agreement.start, measured.start + pair.longest)
    _, unknown, _, down_lately, *_ = pair.at(now)
    fails = bool(down_lately) or _touches(measured.down, now)
    measured_well = not unknown and not _touches(measured.unknown, now)
    if measured_well and not fails:
        return Burn(row, None, None, None, now)  # nothing that could fire, nothing that could freeze
    if before is not None and not start <= min(_instants_of(before)) <= now:
        before = None
    since = _firing_since(pair, start, now, before)
    frozen_since = None if measured_well else _frozen_since(pair, start, now, before)
    change = _next_change(pair, now, until, fires=since is not None)
    return Burn(row, since, frozen_since, until if change is None else change, now)


def _instants_of(burn: Burn) -> list[int]:
    return [at for at in (burn.at, burn.since, burn.frozen_since) if at is not None]


def burn_rate(
    agreement: Agreement, objective: AvailabilityObjective, measured: Measured, row: BurnRatePair, now: int
) -> Fraction | None:
    """The ratio of the long window over what the target allows; None where nothing of it is known."""
    since = max(now - row.long, agreement.start)
    known = measured.countable.between(since, now) - measured.unknown.between(since, now)
    if known <= 0:
        return None
    down, target = measured.down.between(since, now), objective.target
    return Fraction(down * target.denominator, known * (target.denominator - target.numerator))


def _touches(lengths: Lengths, now: int) -> bool:
    """Whether the set has anything at or after `now`."""
    return bool(lengths.spans) and lengths.spans[-1][1] > now


def _pieces_backward(pair: _Pair, start: int, now: int) -> Iterator[tuple[int, Values]]:
    """The pieces of (start, now] in which all conditions are constant, from the latest on.

    Each as its first instant and the values of the windows at its last.
    """
    last = at_right = pair.at(now)
    end, stride = now, pair.stride
    while end > start:
        begin = max(start, end - stride)  # most searches end in the first, short stride
        stride *= 2
        for right, left in pairwise(reversed(breaks(pair.windows, begin, end))):
            at_left = pair.at(left)
            found = {
                t for each in pair.conditions for t in flips_of_piece(each, left, right, at_left, at_right)
            }
            for first in sorted(found, reverse=True):
                yield first, last
                last = pair.at(first - 1)
            at_right = at_left
        end = begin
    yield start, last


def _firing_since(pair: _Pair, start: int, now: int, before: Burn | None) -> int | None:
    since: int | None = None
    after: int | None = None  # the beginning of the piece that follows, if the pair fires in it
    for first, at in _pieces_backward(pair, start if before is None else before.at, now):
        if pair.lost(at) > 0:
            since = since if after is None else after  # it thawed then, and not before: firing at once
            after = None
            continue
        if pair.short(at) <= 0:
            return since
        after = first if pair.long(at) > 0 else None
        if after is not None:
            since = max(first - 1, start)
    return since if before is None or before.since is None else before.since


def _frozen_since(pair: _Pair, start: int, now: int, before: Burn | None) -> int | None:
    since: int | None = None
    for first, at in _pieces_backward(pair, start if before is None else before.at, now):
        if pair.lost(at) <= 0:
            return since
        since = max(first - 1, start)
    return since if before is None or before.frozen_since is None else before.frozen_since


def _next_change(pair: _Pair, now: int, until: int, *, fires: bool) -> int | None:
    """The first instant in (now, until] at which the pair fires, resolves, freezes or thaws."""
    if now >= until:
        return None
    edges = breaks(pair.windows, now, until)
    at_left = pair.at(now)
    frozen = pair.lost(at_left) > 0
    for left, right in pairwise(edges):
        at_right = pair.at(right)
        for t in sorted(
            {t for each in pair.conditions for t in flips_of_piece(each, left, right, at_left, at_right)}
        ):
            at = pair.at(t)
            if (pair.lost(at) > 0) != frozen:
                return t
            if not frozen and (pair.short(at) <= 0 if fires else pair.short(at) > 0 and pair.long(at) > 0):
                return t
        at_left = at_right
    return None


def coverage_lost_since(found: Sequence[Burn]) -> int | None:
    """Since when any pair is frozen, the earliest."""
    return min((burn.frozen_since for burn in found if burn.frozen_since is not None), default=None)
