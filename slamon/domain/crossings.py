"""Exact instants at which a condition on sliding windows becomes true or false.

Lengths of sets inside a window that ends at `t` are piecewise linear in `t`, so a condition `g(t) > 0` made of sums and
products of two of them is piecewise quadratic, with breaks only where an edge of a set enters or leaves a window. Within
a piece every window is known from its values at both ends; flips of its sign are found by bisection on each side of its
vertex. Everything is exact: a flip is the first whole microsecond at which the sign differs.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

from slamon.domain.intervals import FOREVER, Spans


class Lengths:
    """A set of instants that answers how much of it lies in a span, in O(log n)."""

    __slots__ = ("_before", "_ends", "_starts", "spans")

    def __init__(self, spans: Spans) -> None:
        self.spans = spans
        self._starts = [start for start, _ in spans]
        self._ends = [end for _, end in spans]
        self._before = [0] * len(spans)
        total = 0
        for index, (start, end) in enumerate(spans):
            self._before[index] = total
            total += end - start

    def upto(self, t: int) -> int:
        """Microseconds of the set before `t`."""
        index = bisect_right(self._starts, t) - 1
        if index < 0:
            return 0
        return self._before[index] + min(t, self._ends[index]) - self._starts[index]

    def between(self, start: int, end: int) -> int:
        return self.upto(end) - self.upto(start) if start < end else 0

    def overrun(self, start: int, amount: int) -> int:
        """The greatest lower bound of the instants by which more than `amount` has passed since `start`; else FOREVER."""
        wanted = self.upto(start) + amount
        index = bisect_right(self._before, wanted) - 1
        for at in range(max(index, 0), len(self.spans)):
            reached = self._starts[at] + max(wanted - self._before[at], 0)
            if reached < self._ends[at]:
                return max(reached, start)
        return FOREVER

    def back(self, end: int, amount: int) -> int:
        """The latest instant from which `amount` passes until `end`; less than there is: -FOREVER."""
        wanted = self.upto(end) - amount
        if wanted < 0 or not self.spans:
            return -FOREVER
        index = bisect_right(self._before, wanted) - 1
        return min(self._starts[index] + wanted - self._before[index], end)

    def edge_from(self, t: int) -> int:
        """The first border of the set at or after `t`; none: FOREVER."""
        index = bisect_left(self._ends, t)
        return min(
            (edge for span in self.spans[index : index + 1] for edge in span if edge >= t), default=FOREVER
        )

    def edges(self, start: int, end: int) -> Iterator[int]:
        """The borders of the set in (start, end)."""
        for index in range(bisect_right(self._ends, start), bisect_left(self._starts, end)):
            for edge in self.spans[index]:
                if start < edge < end:
                    yield edge


class Sliding(NamedTuple):
    """How much of a set lies in the window `[t - width, t)`, not before `floor`."""

    lengths: Lengths
    width: int
    floor: int = -FOREVER

    def at(self, t: int) -> int:
        return self.lengths.between(max(t - self.width, self.floor), t)

    def breaks(self, start: int, end: int) -> Iterator[int]:
        """Where in (start, end) the slope may change."""
        yield from self.lengths.edges(start, end)
        for edge in self.lengths.edges(start - self.width, end - self.width):
            yield edge + self.width
        yield from (at for at in (self.floor, self.floor + self.width) if start < at < end)


Exact = int | Fraction
Values = tuple[int, ...]  # of some windows at one instant
Condition = Callable[[Values], int]  # true where positive


def breaks(windows: Sequence[Sliding], start: int, end: int) -> list[int]:
    """Start, end, and every instant between them at which the slope of a window may change, in order."""
    return sorted({start, end, *(at for window in windows for at in window.breaks(start, end))})


def values(windows: Sequence[Sliding], t: int) -> Values:
    return tuple([window.at(t) for window in windows])


def flips(condition: Condition, windows: Sequence[Sliding], start: int, end: int) -> list[int]:
    """All `t` in (start, end] at which the condition differs from what it was at `t - 1`, in order."""
    found: list[int] = []
    edges = breaks(windows, start, end)
    at_left = values(windows, start)
    for left, right in pairwise(edges):
        at_right = values(windows, right)
        found += flips_of_piece(condition, left, right, at_left, at_right)
        at_left = at_right
    return found


def flips_of_piece(
    condition: Condition, left: int, right: int, at_left: Values, at_right: Values
) -> list[int]:
    """As `flips`, between two neighbouring breaks: there every window is linear, with a slope of -1, 0 or 1."""
    width = right - left
    slopes = [(after - before) // width for before, after in zip(at_left, at_right, strict=True)]
    first, last = condition(at_left), condition(at_right)
    if (first > 0) == (last > 0) and sum(map(bool, slopes)) <= 1:
        return []  # linear in one window alone: it cannot have been otherwise in between
    second = condition(tuple([value + slope for value, slope in zip(at_left, slopes, strict=True)]))
    third = condition(tuple([value + 2 * slope for value, slope in zip(at_left, slopes, strict=True)]))
    return [left + step for step in sign_changes(first, second - first, third - 2 * second + first, width)]


def sign_changes(first: Exact, slope: Exact, bend: Exact, width: int) -> list[int]:
    """The steps in 1..width at which `first + slope x step + bend x step (step - 1) / 2` becomes positive, or ceases to be."""

    def at(step: int) -> Exact:
        return first + slope * step + bend * (step * (step - 1) // 2)

    if bend == 0:
        if slope == 0 or (first > 0) == (slope > 0):
            return []
        step = -(first // slope) if first > 0 else -first // slope + 1
        return [step] if step <= width else []
    vertex = -slope // bend
    parts = (0, vertex, vertex + 1, width) if 0 <= vertex < width else (0, width)
    return [flip for low, high in pairwise(parts) if (flip := _flip_of_monotone(at, low, high)) is not None]


def _flip_of_monotone(at: Callable[[int], Exact], low: int, high: int) -> int | None:
    before = at(low) > 0
    if (at(high) > 0) == before:
        return None
    while high - low > 1:
        middle = (low + high) // 2
        if (at(middle) > 0) == before:
            low = middle
        else:
            high = middle
    return high
