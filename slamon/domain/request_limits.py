"""When more requests fail than is allowed: the error budget of a rolling window, and how fast a budget burns.

Both are limits over windows that end at the instant asked about. A limit breaks when in its long and its short window

    bad / total > allowed

and holds again when that is no longer so in the short one. For a rolling budget both windows are the objective's and
`allowed` is 1 - target. For a burn-rate pair (Google SRE Workbook, chapter 5, see `error_budget`) it is

    share x service time of the period / service time in the long window x (1 - target)

The period of a rolling objective ends at the instant asked about, too: in service hours what is allowed slides with it.

A bucket is in a window from when its end has passed, for its end is when it becomes known; before that nothing is guessed.
It leaves as the beginning of the window passes it, evenly. A short window without requests says nothing: where buckets are
longer than it, it is empty until the next one comes, and a limit that is broken stays so until requests show otherwise or
the long window is empty too.

So between the ends of buckets everything moves piecewise linearly, and each instant at which a limit breaks or holds again
is solved for exactly, to the microsecond. Whether a limit is broken is a function of facts and instant alone: the newest
instant at which it had to break or to hold decides.
"""

from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

from slamon.domain.agreement import Agreement, BurnRatePair, RequestsObjective
from slamon.domain.crossings import Sliding, sign_changes
from slamon.domain.intervals import FOREVER, Span
from slamon.domain.request_counts import Amount, EvenlyFilled, Requests


class Values(NamedTuple):
    """What lies in the windows at an instant."""

    bad_long: Amount
    total_long: Amount
    bad_short: Amount
    total_short: Amount
    service: Amount  # time in the long window, or 1 where `allowed` is not divided by it
    period: Amount  # service time of the rolling period, or 1 where `allowed` is not multiplied by it


Condition = Callable[[Values], Amount]  # true where positive


class Limit:
    """`allowed`: a share of requests, times microseconds with `service`, and for each microsecond of `period`."""

    def __init__(
        self,
        bad: EvenlyFilled,
        total: EvenlyFilled,
        windows: tuple[int, int],
        allowed: Fraction,
        service: Sliding | None = None,
        period: Sliding | None = None,
    ) -> None:
        self.bad = bad
        self.total = total
        self.long, self.short = windows
        self.service = service
        self.period = period
        self._numerator, self._denominator = allowed.as_integer_ratio()
        self.conditions: tuple[Condition, ...] = (
            self.over_long,
            self.over_short,
            lambda at: at.total_long,
            lambda at: at.total_short,
        )

    def at(self, t: int) -> Values:
        return Values(
            self.bad.after(t - self.long, t),
            self.total.after(t - self.long, t),
            self.bad.after(t - self.short, t),
            self.total.after(t - self.short, t),
            1 if self.service is None else self.service.at(t),
            1 if self.period is None else self.period.at(t),
        )

    def has_to_break(self, at: Values) -> bool:
        return self.over_short(at) > 0 and self.over_long(at) > 0

    def has_to_hold(self, at: Values) -> bool:
        return at.total_long == 0 or (at.total_short != 0 and self.over_short(at) <= 0)

    def over_long(self, at: Values) -> Amount:
        return self._over(at.bad_long, at.total_long, at.service, at.period)

    def over_short(self, at: Values) -> Amount:
        return self._over(at.bad_short, at.total_short, at.service, at.period)

    def _over(self, bad: Amount, total: Amount, service: Amount, period: Amount) -> Amount:
        return self._denominator * bad * service - self._numerator * total * period

    def breaks(self, start: int, end: int) -> list[int]:
        """Start, end, and every instant between at which a window may bend or jump, in order."""
        found = {start, end}
        for width in {self.long, self.short}:
            found.update(self.bad.breaks(width, start, end))
            found.update(self.total.breaks(width, start, end))
        for sliding in (self.service, self.period):
            if sliding is not None:
                found.update(sliding.breaks(start, end))
        return sorted(found)

    def cannot_change(self, now: int, until: int, *, broken: bool) -> bool:
        """Whether the short window cannot come to the other side before `until`, as it only loses what it has."""
        most, least = (
            [filled.after(t - self.short, FOREVER) for filled in (self.bad, self.total)] for t in (now, until)
        )
        if broken:
            return self.service is None and self._over(least[0], most[1], 1, 1) > 0
        service = 1 if self.service is None else self.long
        return self._over(most[0], least[1], service, self._least_period(now, until)) <= 0

    def _least_period(self, now: int, until: int) -> int:
        """No less of it lies in the period before any instant from `now` to `until`: what all of them have in common."""
        if self.period is None:
            return 1
        return self.period.lengths.between(max(until - self.period.width, self.period.floor), now)


def burn_limit(
    agreement: Agreement, objective: RequestsObjective, requests: Requests, pair: BurnRatePair, period: Span
) -> Limit:
    """A pair of the table; the ratio is of what lies outside exclusions, whatever those count as in the verdict.

    `period`: the calendar period; a rolling one is known by its width.
    """
    bad, total, windows = requests.bad, requests.outside, (pair.long, pair.short)
    allowed = pair.share * (1 - objective.target)
    service, rolling = requests.time.service, objective.window.rolling
    if rolling is None:
        allowed *= service.between(*period)
    if objective.calendar.always:
        return Limit(bad, total, windows, allowed * (rolling or 1) / pair.long)
    sliding = None if rolling is None else Sliding(service, rolling, agreement.start)
    return Limit(bad, total, windows, allowed, Sliding(service, pair.long), sliding)


def rolling_limit(objective: RequestsObjective, requests: Requests, width: int) -> Limit:
    return Limit(requests.bad, requests.total, (width, width), 1 - objective.target)


def earliest(agreement: Agreement, requests: Requests, limit: Limit) -> int:
    """The instant before which nothing is looked at: what is measured would not fill the windows."""
    longest = limit.long if limit.period is None else max(limit.long, limit.period.width)
    return max(agreement.start, requests.start + longest)


def _flips(condition: Condition, left: int, right: int, at_left: Values, at_right: Values) -> list[int]:
    """All `t` in (left, right] at which the condition differs from what it was at `t - 1`; all is linear between them."""
    first, last = condition(at_left), condition(at_right)
    width = right - left
    if at_left.service == at_right.service and at_left.period == at_right.period:
        if (first > 0) == (last > 0):
            return []
        return [left + step for step in sign_changes(first, Fraction(last - first, width), 0, width)]
    slopes = [Fraction(after - before, width) for before, after in zip(at_left, at_right, strict=True)]
    second, third = (
        condition(Values(*[value + n * slope for value, slope in zip(at_left, slopes, strict=True)]))
        for n in (1, 2)
    )
    return [left + step for step in sign_changes(first, second - first, third - 2 * second + first, width)]


def _pieces_backward(limit: Limit, start: int, now: int) -> Iterator[tuple[int, Values]]:
    """The pieces of (start, now] in which all conditions are constant, from the latest on.

    Each as its first instant and the values of the windows at its last.
    """
    last = at_right = limit.at(now)
    end = now
    while end > start:
        begin = max(start, end - limit.short)  # most searches end in the first stride
        for right, left in pairwise(reversed(limit.breaks(begin, end))):
            at_left = limit.at(left)
            found = {t for each in limit.conditions for t in _flips(each, left, right, at_left, at_right)}
            for first in sorted(found, reverse=True):
                yield first, last
                last = limit.at(first - 1)
            at_right = at_left
        end = begin
    yield start, last


def broken_since(limit: Limit, start: int, now: int, known: int | None = None) -> int | None:
    """The last instant before the limit broke; None if it holds at `now`. `known`: the same as of `start`."""
    if limit.has_to_hold(limit.at(now)):
        return None
    since: int | None = None
    for first, at in _pieces_backward(limit, start, now):
        if limit.has_to_hold(at):
            return since
        if limit.has_to_break(at):
            since = max(first - 1, start)
    return since if known is None else known


def next_change(limit: Limit, now: int, until: int, *, broken: bool) -> int | None:
    """The first instant in (now, until] at which the limit breaks or holds again, by the buckets it has."""
    if now >= until:
        return None
    at_left = limit.at(now)
    for left, right in pairwise(limit.breaks(now, until)):
        at_right = limit.at(right)
        for t in sorted(
            {t for each in limit.conditions for t in _flips(each, left, right, at_left, at_right)}
        ):
            at = limit.at(t)
            if limit.has_to_hold(at) if broken else limit.has_to_break(at):
                return t
        at_left = at_right
    return None
