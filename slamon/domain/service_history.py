"""What was heard of one service, or of its requests, from one side: every event, at some tens of bytes.

Events stand by the hour. The hours that were looked into last are held as they are, all others packed; what is not at
hand is unpacked when somebody asks for it. An event is known again by its id, whatever time it names: an index says in
which hours that id may stand (see `id_index`), and there it stands or not.
"""

import zlib
from bisect import bisect_left, bisect_right, insort
from typing import Any, Generic, TypeVar

import msgspec

from slamon.domain.events import HOUR, AvailabilityEvent, RequestsEvent, Taken, order_key
from slamon.domain.id_index import IdIndex
from slamon.domain.intervals import FOREVER

E = TypeVar("E", AvailabilityEvent, RequestsEvent)

AT_HAND = 3  # hours: the one that runs, the one before, and one that something came late for
LEVEL = 1  # of compression: more takes half as long again and saves nothing

_encode = msgspec.msgpack.Encoder().encode


class ServiceHistory(Generic[E]):
    """The events of one kind that name one service and one customer, or none; each id once."""

    __slots__ = ("_decode", "_hours", "_ids", "_open", "_packed")

    def __init__(self, kind: type[E]) -> None:
        self._decode: Any = msgspec.msgpack.Decoder(list[kind]).decode  # type: ignore[valid-type]  # - a type at run time
        self._hours: list[int] = []  # with events, in order; hours since 1970-01-01 in UTC
        self._open: dict[int, list[E]] = {}  # in the order in which they were opened; events in their order
        self._packed: dict[int, bytes] = {}
        self._ids = IdIndex()

    def take(self, event: E, limit: int) -> Taken:
        """The first event of an identity stands. Of one hour, no more than `limit` are taken."""
        time = event.time
        hour = time // HOUR
        places = self._ids.claim(event.id, hour)
        if places is not None:
            for place in places:
                for known in self._look(place):
                    if known.id == event.id:
                        return Taken.DUPLICATE if known == event else Taken.CONFLICTING_DUPLICATE
            self._ids.add(event.id, hour)
        events = self._open.get(hour)
        if events is None:
            events = self._look(hour)
        if not events:
            events.append(event)
            insort(self._hours, hour)
            return Taken.ACCEPTED
        if len(events) >= limit:
            self._ids.remove(event.id, hour)
            return Taken.SUBJECT_TOO_LARGE
        if events[-1].time < time:
            events.append(event)
        else:
            insort(events, event, key=order_key)
        if hour in self._packed:
            del self._packed[hour]
        return Taken.ACCEPTED

    def _look(self, hour: int) -> list[E]:
        """The events of an hour, which is at hand then."""
        events = self._open.get(hour)
        if events is None:
            events = self._open[hour] = self._unpacked(hour)
            if len(self._open) > AT_HAND:
                first = next(iter(self._open))
                put_away = self._open.pop(first)
                if first not in self._packed:
                    self._packed[first] = zlib.compress(_encode(put_away), LEVEL)
        return events

    def _unpacked(self, hour: int) -> list[E]:
        packed = self._packed.get(hour)
        found: list[E] = [] if packed is None else self._decode(zlib.decompress(packed))
        return found

    # What is there ---------------------------------------------------------------------------------------------------

    def hours(self, start: int = -FOREVER, end: int = FOREVER) -> list[int]:
        """Those of [start, end) in which something was heard, in order."""
        return self._hours[bisect_left(self._hours, start) : bisect_left(self._hours, end)]

    def events(self, hour: int) -> list[E]:
        """In order. Not to be changed."""
        known = self._open.get(hour)
        return self._unpacked(hour) if known is None else known

    def before(self, t: int) -> E | None:
        """The last word before `t`."""
        for index in range(bisect_right(self._hours, t // HOUR) - 1, -1, -1):
            events = self._look(self._hours[index])
            at = bisect_left(events, t, key=_time)
            if at:
                return events[at - 1]
        return None

    def after(self, t: int) -> E | None:
        """The last word at the first instant after `t` at which there is one."""
        for index in range(bisect_left(self._hours, t // HOUR), len(self._hours)):
            events = self._look(self._hours[index])
            at = bisect_right(events, t, key=_time)
            if at < len(events):
                return events[bisect_right(events, events[at].time, key=_time) - 1]
        return None

    # Forgetting ------------------------------------------------------------------------------------------------------

    def forget(self, hours: list[int]) -> None:
        """All that was heard in these."""
        for hour in hours:
            for event in self.events(hour):
                self._ids.remove(event.id, hour)
            self._open.pop(hour, None)
            self._packed.pop(hour, None)
            del self._hours[bisect_left(self._hours, hour)]


def _time(event: AvailabilityEvent | RequestsEvent) -> int:
    return event.time
