"""The requests of one service of one customer, as its sources reported them: buckets in the order of their ends.

Two sources may report the same time: that adds up. Buckets are named by their place among all there ever were, those
that are forgotten included, so that a name stays good; one that comes late moves those behind it.
"""

from array import array
from bisect import bisect_left, bisect_right
from typing import NamedTuple

from slamon.domain.events import RequestsEvent


class Bucket(NamedTuple):
    """In [start, end), `bad` of `total` requests failed."""

    start: int
    end: int
    total: int
    bad: int


class RequestLog:
    """Whole numbers, packed."""

    __slots__ = ("_bad", "_durations", "_ends", "_total", "forgotten", "longest")

    def __init__(self) -> None:
        self.longest = 0  # of the buckets' durations, forgotten ones included
        self.forgotten = 0  # how many are
        self._ends = array("q")
        self._durations = array("q")
        self._total = array("q")
        self._bad = array("q")

    def __len__(self) -> int:
        """The place of the next one to come."""
        return self.forgotten + len(self._ends)

    def __getitem__(self, place: int) -> Bucket:
        index = place - self.forgotten
        end = self._ends[index]
        return Bucket(end - self._durations[index], end, self._total[index], self._bad[index])

    def add(self, event: RequestsEvent) -> bool:
        """True: it ends no earlier than all others."""
        index = bisect_right(self._ends, event.time)
        newest = index == len(self._ends)
        self.longest = max(self.longest, event.duration)
        for column, value in (
            (self._ends, event.time),
            (self._durations, event.duration),
            (self._total, event.total),
            (self._bad, event.bad),
        ):
            column.insert(index, value)
        return newest

    def end_of(self, place: int) -> int:
        return self._ends[place - self.forgotten]

    def first_from(self, t: int) -> int:
        """The place of the first bucket that ends at `t` or later."""
        return self.forgotten + bisect_left(self._ends, t)

    def newest_lasted(self) -> int:
        """The duration of the last bucket."""
        return self._durations[-1] if self._durations else 0

    def ends_at(self, t: int) -> bool:
        """Whether a bucket ends just then."""
        index = bisect_left(self._ends, t)
        return index < len(self._ends) and self._ends[index] == t

    def next_after(self, now: int) -> int | None:
        """When the first bucket that is not known at `now` becomes known."""
        index = bisect_right(self._ends, now)
        return self._ends[index] if index < len(self._ends) else None

    def forget(self, t: int) -> None:
        """The buckets that end before `t`."""
        index = bisect_left(self._ends, t)
        for column in (self._ends, self._durations, self._total, self._bad):
            del column[:index]
        self.forgotten += index
