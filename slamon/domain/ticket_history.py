"""What happened to one ticket: its events in order, folded into moments.

All events of a ticket at one instant are folded in their order, and only the last value of each field at the instant
exists; replies are points that happen after the fields have changed. The ticket opens at the last `opened_at` named, or
else at its earliest event. Before its earliest event it is open and has that instant's priority, service and attributes;
what lies before a later opening is known at the opening, replies excepted. A ticket that nobody saw open (no `opened_at`,
and done or cancelled from the first) has no clocks: it would have been solved in no time.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from slamon.domain.events import Reply, TicketEvent, TicketStatus, order_key
from slamon.domain.terms import ACTIVE, Fields

NEW = Fields(TicketStatus.OPEN, None, None, None, {})


class Moment(NamedTuple):
    time: int
    fields: Fields
    replies: tuple[Reply, ...]


def fold(fields: Fields, event: TicketEvent) -> Fields:
    """The fields after the event: what it names is replaced, attributes key by key."""
    return Fields(
        event.status or fields.status,
        fields.waiting_on if event.waiting_on is None else event.waiting_on,
        fields.priority if event.priority is None else event.priority,
        fields.service if event.service is None else event.service,
        fields.attributes if event.attributes is None else fields.attributes | event.attributes,
    )


class TicketHistory:
    """The events of one ticket and the fold over them; `read` continues it, `rewind` begins it anew."""

    __slots__ = ("_by_id", "_fields", "_read", "events", "opened_at", "opening_unknown", "read_until")

    def __init__(self) -> None:
        self.events: list[TicketEvent] = []  # in order
        self._by_id: dict[str, TicketEvent] | None = (
            None  # made when it is needed first: most restored ones never are
        )
        self.rewind()

    def rewind(self) -> None:
        self._read = 0  # events folded so far
        self._fields = NEW
        self.read_until: int | None = None  # the time of the last moment read
        self.opened_at: int | None = None
        self.opening_unknown = False

    def find(self, event: TicketEvent) -> TicketEvent | None:
        """The event of the same identity, if there is one."""
        if self._by_id is None:
            self._by_id = {known.id: known for known in self.events}
        return self._by_id.get(event.id)

    def load(self, events: Iterable[TicketEvent]) -> None:
        """Begin with what an earlier history held: in order, and each only once."""
        assert not self.events, "there is a history already"
        self.events.extend(events)

    def add(self, event: TicketEvent) -> bool:
        """Insert in order. True: it continues what was read; False: the fold must begin anew."""
        if self._by_id is not None:
            self._by_id[event.id] = event
        if not self.events or order_key(self.events[-1]) < order_key(event):
            self.events.append(event)
        else:
            self.events.insert(bisect_left(self.events, order_key(event), key=order_key), event)
        return self.read_until is None or event.time > self.read_until

    def is_stale(self, now: int) -> bool:
        """Whether an event that has become known moves the opening that was read."""
        if self.read_until is None:
            return False
        unread = (event for event in self.events[self._read :] if event.time <= now)
        return any(event.opened_at not in (None, self.opened_at) for event in unread)

    def next_after(self, now: int) -> int | None:
        """The time of the first event that is not known at `now`."""
        index = bisect_right(self.events, now, key=lambda event: event.time)
        return self.events[index].time if index < len(self.events) else None

    def opens_at(self, now: int) -> int | None:
        """The opening by the events known at `now`; None if nobody saw the ticket open or there is no event yet."""
        self.opening_unknown = False
        named = [
            event.opened_at for event in self.events if event.time <= now and event.opened_at is not None
        ]
        if named:
            return named[-1]
        first = next(self._instants(0, NEW, now), None)
        if first is None:
            return None
        moment, _ = first
        self.opening_unknown = moment.fields.status not in ACTIVE
        return None if self.opening_unknown else moment.time

    def read(self, now: int) -> Iterator[Moment]:
        """The moments up to `now` that were not read before; the first of all is the opening."""
        if self.read_until is None:
            opened_at = self.opens_at(now)
            if opened_at is None or opened_at > now:
                return
            yield from self._opening(opened_at)
        yield from self._continue(now)

    def _opening(self, opened_at: int) -> Iterator[Moment]:
        self.opened_at = opened_at
        first, index = next(self._instants(0, NEW, self.events[0].time))
        if opened_at == first.time:
            self._read, self._fields, self.read_until = index, first.fields, opened_at
            yield first
            return
        if opened_at < first.time:
            self.read_until = opened_at
            yield Moment(opened_at, first.fields._replace(status=TicketStatus.OPEN, waiting_on=None), ())
            return
        opening = Moment(opened_at, NEW, ())
        for moment, index in self._instants(0, NEW, opened_at):
            opening = Moment(opened_at, moment.fields, moment.replies if moment.time == opened_at else ())
            self._read = index
        self._fields, self.read_until = opening.fields, opened_at
        yield opening

    def _continue(self, now: int) -> Iterator[Moment]:
        for moment, index in self._instants(self._read, self._fields, now):
            self._read, self._fields, self.read_until = index, moment.fields, moment.time
            yield moment

    def moments(self, now: int) -> list[Moment]:
        """All instants at which events happened up to `now`, whatever was read; openings are not among them."""
        return [moment for moment, _ in self._instants(0, NEW, now)]

    def _instants(self, index: int, fields: Fields, until: int) -> Iterator[tuple[Moment, int]]:
        """Moments from event `index` on, each with the index of the first event after it."""
        events = self.events
        while index < len(events) and events[index].time <= until:
            time = events[index].time
            replies: list[Reply] = []
            while index < len(events) and events[index].time == time:
                fields = fold(fields, events[index])
                reply = events[index].reply
                if reply is not None:
                    replies.append(reply)
                index += 1
            yield Moment(time, fields, tuple(replies)), index
