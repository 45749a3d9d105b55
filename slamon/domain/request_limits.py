"""When more requests fail than is allowed: the error budget of a rolling window, and how fast a budget burns.

Both are limits over windows that end at the instant asked about. A limit breaks when in its long and its short window

    bad / total > allowed

and holds again when that is no longer so in the short one. For a rolling budget both windows are the objective's and
`allowed` is 1 - target. For a burn-rate pair (Google SRE Workbook, chapter 5, see `error_budget`) it is

    share x service time of the period / service time in the long window x (1 - target)

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


Condition = Callable[[Values], Amount]  # true where positive


class Limit:
    """`allowed`: a share of requests; with `service`, that times microseconds."""

    def __init__(
        self,
        bad: EvenlyFilled,
        total: EvenlyFilled,
        windows: tuple[int, int],
        allowed: Fraction,
        service: Sliding | None = None,
    ) -> None:
        self.bad = bad
        self.total = total
        self.long, self.short = windows
        self.service = service
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
        )

    def has_to_break(self, at: Values) -> bool:
        return self.over_short(at) > 0 and self.over_long(at) > 0

    def has_to_hold(self, at: Values) -> bool:
        return at.total_long == 0 or (at.total_short != 0 and self.over_short(at) <= 0)

    def over_long(self, at: Values) -> Amount:
        return self._over(at.bad_long, at.total_long, at.service)

    def over_short(self, at: Values) -> Amount:
        return self._over(at.bad_short, at.total_short, at.service)

    def _over(self, bad: Amount, total: Amount, service: Amount) -> Amount:
        return self._denominator * bad * service - self._numerator * total

    def breaks(self, start: int, end: int) -> list[int]:
        """Start, end, and every instant between at which a window may bend or jump, in order."""
        found = {start, end}
        for width in {self.long, self.short}:
            found.update(self.bad.breaks(width, start, end))
            found.update(self.total.breaks(width, start, end))
        if self.service is not None:
            found.update(self.service.breaks(start, end))
        return sorted(found)

    def cannot_change(self, now: int, until: int, *, broken: bool) -> bool:
        """Whether the short window cannot come to the other side before `until`, as it only loses what it has."""
        most, least = (
            [filled.after(t - self.short, FOREVER) for filled in (self.bad, self.total)] for t in (now, until)
        )
        if broken:
            return self.service is None and self._over(least[0], most[1], 1) > 0
        return self._over(most[0], least[1], 1 if self.service is None else self.long) <= 0


def burn_limit(objective: RequestsObjective, requests: Requests, pair: BurnRatePair, period: Span) -> Limit:
    """A pair of the table; the ratio is of what lies outside exclusions, whatever those count as in the verdict."""
    if objective.window.rolling is not None and objective.calendar.always:
        service_time = objective.window.rolling
    else:
        service_time = requests.time.service.between(*period)
    allowed = pair.share * (1 - objective.target) * service_time
    windows = (pair.long, pair.short)
    if objective.calendar.always:
        return Limit(requests.bad, requests.outside, windows, allowed / pair.long)
    in_window = Sliding(requests.time.service, pair.long)
    return Limit(requests.bad, requests.outside, windows, allowed, in_window)


def rolling_limit(objective: RequestsObjective, requests: Requests, width: int) -> Limit:
    return Limit(requests.bad, requests.total, (width, width), 1 - objective.target)


def earliest(agreement: Agreement, requests: Requests, limit: Limit) -> int:
    """The instant before which nothing is looked at: what is measured would not fill the window."""
    return max(agreement.start, requests.start + limit.long)


def _flips(condition: Condition, left: int, right: int, at_left: Values, at_right: Values) -> list[int]:
    """All `t` in (left, right] at which the condition differs from what it was at `t - 1`; all is linear between them."""
    first, last = condition(at_left), condition(at_right)
    width = right - left
    if at_left.service == at_right.service:
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
