"""The status of one service as one customer sees it, as a line of changes.

Events that name the customer and events for everybody are one history; the last word wins. Before the first event the
status is unknown. An event that promises another within `interval` and is followed by none for more than three of them
held for one interval only: from the first heartbeat that was missed the service is unknown, back-dated.

Of a heartbeat a minute hardly one says anything new, so what is folded are runs: words of one status that follow each
other in time. Where a late word falls into a run, what was said before and after it is looked up in the history.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from slamon.domain.events import AvailabilityEvent, ServiceStatus, order_key
from slamon.domain.intervals import FOREVER, Span
from slamon.domain.service_history import ServiceHistory

MISSED_AFTER = 3  # intervals without a heartbeat


class Change(NamedTuple):
    time: int
    status: ServiceStatus


class Added(NamedTuple):
    """What an event made of it. `since`: the earliest instant whose meaning may be another; None: nothing changed.

    `late`: later words were known.
    """

    since: int | None
    late: bool


BEFORE_ALL = -FOREVER
UNKNOWN = ServiceStatus.UNKNOWN


class Run(msgspec.Struct, gc=False):
    """Words of one status, none of them missed: what the fold needs of them. `interval`: of the last one."""

    first: int
    last: int
    status: ServiceStatus
    interval: int | None
    holds_for: int = FOREVER  # after the last one, unless something else is heard

    def __post_init__(self) -> None:
        if self.interval is not None:
            self.holds_for = MISSED_AFTER * self.interval

    def goes_on(self, other: "Run") -> bool:
        """Whether the later one says the same, in time."""
        return self.status is other.status and other.first - self.last <= self.holds_for


class ServiceTimeline:
    """The fold over what was heard. `read(now)` brings it to `now`; it never goes back."""

    __slots__ = ("_heard", "_last", "_missed", "_read", "_runs", "changes", "version")

    def __init__(self, *heard: ServiceHistory[AvailabilityEvent]) -> None:
        """`heard`: all that speaks of the service; whatever is added there is told here, by `repeat` or `add`."""
        self._heard = heard
        self._runs: list[Run] = []  # in order
        self._last: Run | None = None  # of them
        self.version = 0  # rises with every difference in `changes`
        self.rewind()

    def rewind(self) -> None:
        self._read = 0  # runs that have begun
        self._missed = False  # heartbeats of the one that has begun last, as it seems
        self.changes: list[Change] = [Change(BEFORE_ALL, UNKNOWN)]
        self.version += 1

    def repeat(self, event: AvailabilityEvent) -> bool:
        """Take an event that only says once more, in time, what the newest one said: it changes no span and no verdict.

        False: it says more than that, and was not taken.
        """
        last = self._last
        if (
            last is None
            or last.status is not event.status
            or last.interval != event.interval
            or not 0 < event.time - last.last <= last.holds_for
            or self._missed  # as it seemed, and they were not
        ):
            return False
        last.last = event.time
        return True

    def add(self, event: AvailabilityEvent) -> Added:
        """Take any other event; what was read after it is read again."""
        t = event.time
        word, before, after = self._newest_before(t + 1), self._newest_before(t), self._first_after(t)
        if word != event:
            return Added(since=None, late=True)  # another one at the same instant hides it
        since, continues = self.unsettled_since(t), self._continues(t)
        at = 0 if before is None else self._run_at(before.time)
        end = len(self._runs) if after is None else self._run_at(after.time) + 1
        replaced = self._runs[at:end]
        pieces = [Run(t, t, event.status, event.interval)]
        if before is not None:
            pieces.insert(0, Run(replaced[0].first, before.time, before.status, before.interval))
        if after is not None:
            last = replaced[-1]
            pieces.append(Run(after.time, last.last, last.status, last.interval))
        joined = _joined(pieces)
        if joined == replaced:  # once more what was said in the midst of a run
            return Added(since=None, late=after is not None)
        self._runs[at:end] = joined
        self._last = self._runs[-1]
        if not continues:
            self._rewind_to(at, before)
        return Added(since, late=after is not None)

    def _run_at(self, t: int) -> int:
        """The run that has begun last at `t`."""
        return bisect_right(self._runs, t, key=_first) - 1

    def _rewind_to(self, index: int, before: AvailabilityEvent | None) -> None:
        """Forget what was read behind this run, in which stands what was said before; and what it seemed not to say."""
        if before is None:
            self.rewind()
            return
        self._read = min(self._read, index + 1)
        self._missed = False
        del self.changes[bisect_right(self.changes, before.time, key=lambda change: change.time) :]
        self.version += 1

    def _continues(self, t: int) -> bool:
        """Whether an event at `t` leaves what was read as it is."""
        if self._read == 0:
            return True
        tail = self._runs[self._read - 1]
        return t > tail.last + (tail.holds_for if self._missed else 0)

    def _newest_before(self, t: int) -> AvailabilityEvent | None:
        found = [event for one in self._heard if (event := one.before(t)) is not None]
        return max(found, key=order_key, default=None)

    def _first_after(self, t: int) -> AvailabilityEvent | None:
        """The last word at the first instant after `t` at which there is one."""
        found = [event for one in self._heard if (event := one.after(t)) is not None]
        if not found:
            return None
        instant = min(event.time for event in found)
        return max((event for event in found if event.time == instant), key=order_key)

    def heard_by(self, t: int) -> AvailabilityEvent | None:
        """The newest word at `t`."""
        return self._newest_before(t + 1)

    def forget(self, t: int) -> None:
        """All but the newest word before `t`, and what followed from it."""
        word = self._newest_before(t)
        if word is None:
            return
        index = self._run_at(word.time)
        del self._runs[:index]
        self._runs[0].first = word.time
        if self._read <= index:  # it has not begun, as far as was read
            self.rewind()
            return
        self._read -= index
        begun = [Change(word.time, word.status)] if word.status is not UNKNOWN else []
        kept = bisect_right(self.changes, word.time, key=lambda change: change.time)
        self.changes = [Change(BEFORE_ALL, UNKNOWN), *begun, *self.changes[kept:]]

    def newest(self) -> int | None:
        """When the newest event happened."""
        return None if self._last is None else self._last.last

    def next_unread(self) -> int | None:
        return self._runs[self._read].first if self._read < len(self._runs) else None

    def read(self, now: int) -> None:
        """Fold the events up to `now`, and the heartbeats missed by then."""
        runs = self._runs
        while self._read < len(runs) and runs[self._read].first <= now:
            run = runs[self._read]
            self._miss_heartbeats(run.first)
            self._read += 1
            self._missed = False
            self._change(run.first, run.status)
        self._miss_heartbeats(now)

    def heartbeat_limit(self) -> int | None:
        """The last instant up to which the newest status holds without another event; None: it holds on."""
        if self._read == 0 or self.changes[-1].status is UNKNOWN:
            return None
        tail = self._runs[self._read - 1]
        return None if tail.interval is None else tail.last + tail.holds_for

    def _miss_heartbeats(self, now: int) -> None:
        limit = self.heartbeat_limit()
        if limit is not None and now > limit:
            tail = self._runs[self._read - 1]
            self._missed = True
            self._change(tail.last + (tail.interval or 0), UNKNOWN)

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
        settled = (ServiceStatus.UP, UNKNOWN)
        if changes[index].status in settled and self._continues(t):
            return t
        if index > 0 and changes[index].status is UNKNOWN:
            index -= 1  # perhaps heartbeats that were not missed after all: then the run before goes on
        while index > 0 and changes[index].status not in settled and changes[index - 1].status not in settled:
            index -= 1
        return changes[index].time


def _first(run: Run) -> int:
    return run.first


def _joined(runs: Sequence[Run]) -> list[Run]:
    found = [runs[0]]
    for run in runs[1:]:
        if found[-1].goes_on(run):
            found[-1] = Run(found[-1].first, run.last, run.status, run.interval)
        else:
            found.append(run)
    return found
