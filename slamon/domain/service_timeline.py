"""The status of one service as one customer sees it, as a line of changes.

Events that name the customer and events for everybody are one history; the last word wins. Before the first event the
status is unknown. An event that promises another within `interval` and is followed by none for more than three of them
held for one interval only: from the first heartbeat that was missed the service is unknown, back-dated.
"""

from bisect import bisect_left, bisect_right
from typing import NamedTuple

from slamon.domain.events import AvailabilityEvent, ServiceStatus, order_key
from slamon.domain.intervals import FOREVER, Span

MISSED_AFTER = 3  # intervals without a heartbeat


class Change(NamedTuple):
    time: int
    status: ServiceStatus


BEFORE_ALL = -FOREVER


class ServiceTimeline:
    """The events and the fold over them. `read(now)` brings it to `now`; it never goes back."""

    __slots__ = ("_keys", "_read", "_tail", "changes", "events", "version")

    def __init__(self) -> None:
        self.events: list[AvailabilityEvent] = []  # in order
        self.version = 0  # rises with every difference in `changes`
        self.rewind()

    def rewind(self) -> None:
        self._read = 0
        self._tail: AvailabilityEvent | None = None  # the last event read
        self.changes: list[Change] = [Change(BEFORE_ALL, ServiceStatus.UNKNOWN)]
        self.version += 1

    def add(self, event: AvailabilityEvent) -> None:
        """Insert in order; what was read after it is read again."""
        continues = self._continues(event.time)
        if not self.events or order_key(self.events[-1]) < order_key(event):
            self.events.append(event)
        else:
            self.events.insert(bisect_left(self.events, order_key(event), key=order_key), event)
        if not continues:
            self._rewind_to(event.time)

    def _rewind_to(self, t: int) -> None:
        """Forget what was read of events at `t` and later, and what followed from their not being there."""
        first = bisect_left(self.events, t, key=lambda event: event.time)
        if first == 0:
            self.rewind()
            return
        self._read, self._tail = first, self.events[first - 1]
        del self.changes[bisect_right(self.changes, self._tail.time, key=lambda change: change.time) :]
        self.version += 1

    def _continues(self, t: int) -> bool:
        """Whether an event at `t` leaves what was read as it is."""
        tail = self._tail
        if tail is None:
            return True
        missed = self.changes[-1].time > tail.time  # heartbeats of the tail, as it seemed
        return t > tail.time + (MISSED_AFTER * (tail.interval or 0) if missed else 0)

    def repeat(self, event: AvailabilityEvent) -> bool:
        """Take an event that only says once more, in time, what the newest one said: it changes no span and no verdict.

        False: it says more than that, and was not taken.
        """
        if not self.events:
            return False
        last, interval = self.events[-1], event.interval
        if last.status is not event.status or last.interval != interval or event.time <= last.time:
            return False
        if interval is not None and event.time - last.time > MISSED_AFTER * interval:
            return False
        if not self._continues(event.time):
            return False  # heartbeats seemed to be missed, and were not
        self.events.append(event)
        return True

    def newest(self) -> int | None:
        """When the newest event happened."""
        return self.events[-1].time if self.events else None

    def next_unread(self) -> int | None:
        return self.events[self._read].time if self._read < len(self.events) else None

    def read(self, now: int) -> None:
        """Fold the events up to `now`, and the heartbeats missed by then."""
        events = self.events
        while self._read < len(events) and events[self._read].time <= now:
            event = events[self._read]
            self._read += 1
            if self._read < len(events) and events[self._read].time == event.time:
                continue  # only the last word at an instant exists
            self._miss_heartbeats(event.time)
            self._tail = event
            self._change(event.time, event.status)
        self._miss_heartbeats(now)

    def heartbeat_limit(self) -> int | None:
        """The last instant up to which the newest status holds without another event; None: it holds on."""
        tail = self._tail
        if tail is None or tail.interval is None or self.changes[-1].status is ServiceStatus.UNKNOWN:
            return None
        return tail.time + MISSED_AFTER * tail.interval

    def _miss_heartbeats(self, now: int) -> None:
        limit = self.heartbeat_limit()
        tail = self._tail
        if limit is not None and now > limit and tail is not None and tail.interval is not None:
            self._change(tail.time + tail.interval, ServiceStatus.UNKNOWN)

    def _change(self, time: int, status: ServiceStatus) -> None:
        if self.changes[-1].status is not status:
            self.changes.append(Change(time, status))
            self.version += 1

    def spans_of(self, statuses: frozenset[ServiceStatus], start: int, end: int) -> list[Span]:
        """The maximal spans of these statuses that touch [start, end), uncut; the last one may end at FOREVER."""
        changes = self.changes
        index = max(bisect_right(changes, start, key=lambda change: change.time) - 1, 0)
        while index > 0 and changes[index].status in statuses and changes[index - 1].status in statuses:
            index -= 1
        spans: list[Span] = []
        while index < len(changes) and changes[index].time < end:
            begin = changes[index].time
            if changes[index].status not in statuses:
                index += 1
                continue
            while index < len(changes) and changes[index].status in statuses:
                index += 1
            spans.append((begin, changes[index].time if index < len(changes) else FOREVER))
        return spans

    def change_after(self, t: int) -> int:
        """When the status first changed after `t`, or last if it did not."""
        index = bisect_right(self.changes, t, key=lambda change: change.time)
        return self.changes[min(index, len(self.changes) - 1)].time

    def unsettled_since(self, t: int) -> int:
        """The earliest instant whose meaning an event at `t` can change: the run of one kind of status before it."""
        changes = self.changes
        index = max(bisect_left(changes, t, key=lambda change: change.time) - 1, 0)
        settled = (ServiceStatus.UP, ServiceStatus.UNKNOWN)
        if changes[index].status in settled and self._continues(t):
            return t
        if index > 0 and changes[index].status is ServiceStatus.UNKNOWN:
            index -= 1  # perhaps heartbeats that were not missed after all: then the run before goes on
        while index > 0 and changes[index].status not in settled and changes[index - 1].status not in settled:
            index -= 1
        return changes[index].time
