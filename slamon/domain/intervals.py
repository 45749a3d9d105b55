"""Sets of instants, as sorted spans that neither overlap nor touch.

A span is `(start, end)`, half-open, in microseconds since the epoch; `FOREVER` as an end says that it has
none yet. Every function returns the normal form; all but `union` expect it, too.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import chain

Span = tuple[int, int]
Spans = Sequence[Span]

FOREVER = 1 << 62
"""An instant after every date (about the year 148,000)."""

_AFTER_ALL = FOREVER << 1  # as the end of a probe: behind every span that has the same start


def union(*sets: Iterable[Span]) -> list[Span]:
    """Takes spans in any order, overlapping or empty: this is what makes the normal form."""
    united: list[Span] = []
    pending = iter(sorted(span for span in chain(*sets) if span[0] < span[1]))
    first = next(pending, None)
    if first is None:
        return united
    start, end = first
    for next_start, next_end in pending:
        if next_start > end:
            united.append((start, end))
            start, end = next_start, next_end
        elif next_end > end:
            end = next_end
    united.append((start, end))
    return united


def intersect(a: Spans, b: Spans) -> list[Span]:
    common: list[Span] = []
    if not a or not b:
        return common
    i, j = _first_ending_after(a, b[0][0]), _first_ending_after(b, a[0][0])
    while i < len(a) and j < len(b):
        a_start, a_end = a[i]
        b_start, b_end = b[j]
        start = max(b_start, a_start)
        end = min(b_end, a_end)
        if start < end:
            common.append((start, end))
        if a_end <= b_end:
            i += 1
        else:
            j += 1
    return common


def subtract(a: Spans, b: Spans) -> list[Span]:
    if not a or not b:
        return list(a)
    left: list[Span] = []
    j = _first_ending_after(b, a[0][0])
    for span_start, end in a:
        start = span_start
        while j < len(b) and b[j][1] <= start:
            j += 1
        k = j  # the last one that cuts this span may reach into the next
        while k < len(b) and b[k][0] < end:
            if start < b[k][0]:
                left.append((start, b[k][0]))
            start = b[k][1]
            k += 1
        if start < end:
            left.append((start, end))
        j = max(j, k - 1)
    return left


def clip(a: Spans, start: int, end: int) -> list[Span]:
    """What of `a` lies in `[start, end)`, in O(log n + result)."""
    if start >= end:
        return []
    first = _first_ending_after(a, start)
    after = bisect_right(a, (end - 1, _AFTER_ALL))
    inside = list(a[first:after])
    if inside:
        inside[0] = (max(inside[0][0], start), inside[0][1])
        inside[-1] = (inside[-1][0], min(inside[-1][1], end))
    return inside


def first_difference(a: Spans, b: Spans) -> int | None:
    """The earliest instant that lies in one of the two sets alone; None if they are equal."""
    for (a_start, a_end), (b_start, b_end) in zip(a, b, strict=False):
        if a_start != b_start:
            return min(a_start, b_start)
        if a_end != b_end:
            return min(a_end, b_end)
    rest = [*a[len(b) :], *b[len(a) :]]
    return rest[0][0] if rest else None


def length(a: Spans) -> int:
    """In microseconds; an open end counts up to `FOREVER`, so clip first."""
    return sum([end - start for start, end in a])


def _first_ending_after(a: Spans, instant: int) -> int:
    index = bisect_right(a, (instant, _AFTER_ALL))
    return index - 1 if index and a[index - 1][1] > instant else index
