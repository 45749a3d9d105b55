"""How many requests of a service count for an objective, how many of them failed, and the verdict on a period.

A bucket is evenly filled. Its parts outside period, service hours, effective dates and exclusions (with `removed`) do not
count; with `up`, its failures inside exclusions count as successes. Overlapping buckets add up. A bucket is known from its
end on, not before. Everything is exact: whole numbers, and fractions where a border cuts a bucket.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

from slamon.domain.agreement import ExclusionsCountAs, RequestsObjective
from slamon.domain.counted_time import CountedTime
from slamon.domain.crossings import Lengths
from slamon.domain.decisions import Outcome, Ratios, RequestCounts
from slamon.domain.intervals import Span
from slamon.domain.request_log import Bucket, RequestLog

Amount = int | Fraction


class _Cut(NamedTuple):
    """A bucket that lies in the set in part."""

    start: int
    end: int
    amount: int


class EvenlyFilled:
    """Amounts spread evenly over buckets, of which only what lies inside a set counts.

    Nearly all buckets lie in the set as a whole, and count in whole numbers: of those, sums are kept by their ends.
    """

    __slots__ = ("_cuts", "_ends", "_inside", "_longest", "_starts", "_sums")

    def __init__(self, inside: Lengths) -> None:
        self._inside = inside
        self._starts: list[int] = []
        self._ends: list[int] = []  # in order
        self._sums: list[int] = [0]  # of the amounts before each, and of all
        self._cuts: list[_Cut] = []  # by their ends
        self._longest = 0

    def add(self, start: int, end: int, amount: int) -> None:
        """Buckets are added in the order of their ends."""
        within = self._inside.between(start, end) if amount else 0
        if within == 0:
            return
        self._longest = max(self._longest, end - start)
        if within < end - start:
            self._cuts.append(_Cut(start, end, amount))
            return
        self._starts.append(start)
        self._ends.append(end)
        self._sums.append(self._sums[-1] + amount)

    def forget_from(self, t: int) -> None:
        """Take back the buckets that end at `t` or later."""
        index = bisect_left(self._ends, t)
        del self._starts[index:], self._ends[index:], self._sums[index + 1 :]
        del self._cuts[bisect_left(self._cuts, t, key=_end) :]

    def after(self, x: int, before: int) -> Amount:
        """What lies at or after `x`, of the buckets that end before `before`."""
        last = bisect_left(self._ends, before)
        first = bisect_right(self._ends, x, 0, last)
        whole = bisect_left(self._ends, x + self._longest, first, last)  # from here on none begins before `x`
        found: Amount = self._sums[last] - self._sums[whole]
        for index in range(first, whole):
            start, end = self._starts[index], self._ends[index]
            amount = self._sums[index + 1] - self._sums[index]
            found += amount if start >= x else Fraction(amount * (end - x), end - start)
        for start, end, amount in self._cuts[bisect_right(self._cuts, x, key=_end) :]:
            if end >= before:
                break
            found += Fraction(amount * self._inside.between(max(start, x), end), end - start)
        return found

    def first_after(self, x: int) -> int | None:
        """The earliest end of a bucket that has something at or after `x`."""
        index = bisect_right(self._ends, x)
        ends = self._ends[index : index + 1]
        cuts = self._cuts[bisect_right(self._cuts, x, key=_end) :]
        ends += [end for start, end, _ in cuts if self._inside.between(max(start, x), end)][:1]
        return min(ends, default=None)

    def breaks(self, width: int, start: int, end: int) -> Iterator[int]:
        """Where in (start, end) the amount in the window `[t - width, t)` may bend or jump.

        A bucket is in the window from the instant after its end on; it leaves it while the window's beginning passes it.
        """
        for ends in (self._ends, [cut.end for cut in self._cuts]):
            for index in range(bisect_left(ends, start), bisect_left(ends, end)):
                yield from (at for at in (ends[index], ends[index] + 1) if start < at < end)
        first = bisect_right(self._ends, start - width)
        behind = bisect_left(self._ends, end - width + self._longest)
        for index in range(first, behind):
            for edge in (self._starts[index], self._ends[index]):
                if start < edge + width < end:
                    yield edge + width
        for cut in self._cuts[bisect_right(self._cuts, start - width, key=_end) :]:
            if cut.start + width >= end:
                continue
            edges = (cut.start, *self._inside.edges(cut.start, cut.end), cut.end)
            yield from (edge + width for edge in edges if start < edge + width < end)


def _end(cut: _Cut) -> int:
    return cut.end


class Requests:
    """The buckets that touch a range, as far as they are known; `time` says which of the range counts."""

    def __init__(self, objective: RequestsObjective, time: CountedTime, log: RequestLog, span: Span) -> None:
        self.time = time
        self.start, self.end = span
        self.total = EvenlyFilled(time.applicable)
        self.bad = EvenlyFilled(time.countable)
        removed = objective.exclusions_count_as is ExclusionsCountAs.REMOVED
        self.outside = (
            self.total if removed else EvenlyFilled(time.countable)
        )  # all of them, outside exclusions
        self.newest: int | None = None  # the end of the last bucket that is read
        self.taken = 0  # how many buckets were ever read
        self._log = log
        self._next = log.first_from(self.start + 1)

    def read(self, now: int) -> None:
        """Take the buckets that are known at `now` and reach into the range."""
        log, before = self._log, min(now + 1, self.end + self._log.longest)
        self._next = max(self._next, log.forgotten)
        while self._next < len(log) and log.end_of(self._next) < before:
            self._take(log[self._next])
            self._next += 1

    def _take(self, bucket: Bucket) -> None:
        start, end, total, bad = bucket
        self.newest = end
        self.taken += 1
        self.total.add(start, end, total)
        self.bad.add(start, end, bad)
        if self.outside is not self.total:
            self.outside.add(start, end, total)

    def has_passed(self, t: int) -> bool:
        """Whether a bucket more that ends at `t` came too late to be read in its order."""
        return t < (self.start + 1 if self.newest is None else self.newest)

    def forget_from(self, t: int) -> None:
        """The log has a bucket more that ends at `t`: read it and all after it anew."""
        for filled in {id(one): one for one in (self.total, self.bad, self.outside)}.values():
            filled.forget_from(t)
        first = self._log.first_from(self.start + 1)
        self._next = max(self._log.first_from(t), first)
        self.newest = self._log.end_of(self._next - 1) if self._next > first else None

    def counts(self, span: Span, now: int) -> RequestCounts:
        """The requests in [start, end), which lies in the range, by the buckets known at `now`."""
        start, end = span
        total, bad = (
            Fraction(filled.after(start, now + 1) - filled.after(end, now + 1))
            for filled in (self.total, self.bad)
        )
        return RequestCounts(total.as_integer_ratio(), bad.as_integer_ratio())


def exceeded(objective: RequestsObjective, counts: RequestCounts) -> bool:
    """Whether more failed than the target allows."""
    return Fraction(*counts.bad) > (1 - objective.target) * Fraction(*counts.total)


def verdict(objective: RequestsObjective, counts: RequestCounts) -> Outcome:
    if counts.total[0] == 0:
        return Outcome.NOT_APPLICABLE
    return Outcome.MISSED if exceeded(objective, counts) else Outcome.MET


def ratios(counts: RequestCounts) -> Ratios:
    """What is known is all there is: best and worst case are what was attained; None without requests."""
    if counts.total[0] == 0:
        return Ratios(None, None, None, None)
    attained = (1 - Fraction(*counts.bad) / Fraction(*counts.total)).as_integer_ratio()
    return Ratios(attained, attained, attained, None)
