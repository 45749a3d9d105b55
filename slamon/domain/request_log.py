"""The requests of one service of one customer, as its sources reported them: buckets in the order of their ends."""

from bisect import bisect_left, bisect_right, insort

from slamon.domain.events import RequestsEvent


class RequestLog:
    """Two sources may report the same time: that adds up, so only a repeated `id` is a repetition."""

    __slots__ = ("_by_id", "events", "longest")

    def __init__(self) -> None:
        self.events: list[RequestsEvent] = []  # by `time`
        self.longest = 0  # of the buckets' durations
        self._by_id: dict[str, RequestsEvent] = {}

    def find(self, event: RequestsEvent) -> RequestsEvent | None:
        """The event of the same identity, if there is one."""
        return self._by_id.get(event.id)

    def add(self, event: RequestsEvent) -> bool:
        """True: it ends no earlier than all others."""
        self._by_id[event.id] = event
        self.longest = max(self.longest, event.duration)
        insort(self.events, event, key=_time)
        return self.events[-1] is event

    def first_from(self, t: int) -> int:
        """The index of the first bucket that ends at `t` or later."""
        return bisect_left(self.events, t, key=_time)

    def newest_lasted(self) -> int:
        """The duration of the last bucket."""
        return self.events[-1].duration if self.events else 0

    def ends_at(self, t: int) -> bool:
        """Whether a bucket ends just then."""
        index = self.first_from(t)
        return index < len(self.events) and self.events[index].time == t

    def next_after(self, now: int) -> int | None:
        """When the first bucket that is not known at `now` becomes known."""
        index = bisect_right(self.events, now, key=_time)
        return self.events[index].time if index < len(self.events) else None


def _time(event: RequestsEvent) -> int:
    return event.time
