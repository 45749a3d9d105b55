"""The facts of services and of requests: taken, told to those whom they concern, kept as records, and forgotten.

Who hears of a service is settled by the agreements, so it is looked up once for each side that speaks of it. A heartbeat
that says once more what was said before touches nothing but its own record.

Where records of the other width were taken back, what is to stand in their place is written whole in the same breath in
which they go, some at a time. So that can be cut off anywhere: to take back both is to take back one.

A record is forgotten when all of it lies before the horizon. Of a service the newest of those stays: what it says holds
on. What came before that is as if it had never been, so that a monitor that goes on and one that was restored agree.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Generic

from slamon.domain.availability_watch import AvailabilityWatch
from slamon.domain.customer import Customer, ServiceWatch
from slamon.domain.decisions import FactKey, Facts, FactsChanged
from slamon.domain.events import HOUR, AvailabilityEvent, RequestsEvent, Taken
from slamon.domain.intervals import FOREVER
from slamon.domain.request_log import RequestLog
from slamon.domain.requests_watch import RequestsWatch
from slamon.domain.service_history import E, ServiceHistory
from slamon.domain.service_timeline import ServiceTimeline
from slamon.domain.slot_facts import SlotFacts, cut

REWRITTEN_AT_ONCE = 100  # records of the width that is written no more: a commit is not to take seconds
FORGOTTEN_AT_ONCE = 50  # hours, or sides without one: some milliseconds

Soil = Callable[[ServiceWatch], None]


class _Side(Generic[E]):
    """One side that speaks of a service, and whom it concerns."""

    __slots__ = ("end", "history", "start")
    history: ServiceHistory[E]
    newest_holds_on: bool

    def __init__(self, history: ServiceHistory[E]) -> None:
        self.history = history
        self.start = self.end = 0  # of the record last noted as changed

    def tell(self, event: E, soil: Soil) -> bool:
        """Whether it came late."""
        raise NotImplementedError

    def forget(self, t: int) -> None:
        """Let those whom it concerns forget what was before `t`."""
        raise NotImplementedError


class _StatusSide(_Side[AvailabilityEvent]):
    __slots__ = ("_hearers",)
    newest_holds_on = True

    def __init__(
        self,
        history: ServiceHistory[AvailabilityEvent],
        hearers: list[tuple[ServiceTimeline, list[AvailabilityWatch]]],
    ) -> None:
        super().__init__(history)
        self._hearers = hearers

    def tell(self, event: AvailabilityEvent, soil: Soil) -> bool:
        late = False
        for timeline, watches in self._hearers:
            if timeline.repeat(event):  # the watches see it when the heartbeat before would have been missed
                continue
            since, behind = timeline.add(event)
            late = late or behind
            if since is not None:
                for watch in watches:
                    watch.settlement.unsettle(since)
                    soil(watch)
        return late

    def forget(self, t: int) -> None:
        for timeline, _ in self._hearers:
            timeline.forget(t)


class _RequestsSide(_Side[RequestsEvent]):
    __slots__ = ("_log", "_watches")
    newest_holds_on = False

    def __init__(
        self, history: ServiceHistory[RequestsEvent], log: RequestLog, watches: list[RequestsWatch]
    ) -> None:
        super().__init__(history)
        self._log = log
        self._watches = watches

    def tell(self, event: RequestsEvent, soil: Soil) -> bool:
        newest = self._log.add(event)
        for watch in self._watches:
            watch.hear(event)
            soil(watch)
        return not newest

    def forget(self, t: int) -> None:
        self._log.forget(t)


class ServiceFacts:
    """All of them that concern some customers."""

    def __init__(
        self, customers: Mapping[str, Customer], slots: SlotFacts, soil: Soil, *, durable: bool
    ) -> None:
        """`soil`: is told each watch that has to judge anew. `durable`: what changes is to be written."""
        self._customers = customers
        self._spoken_of = {service for customer in customers.values() for service in customer.services}
        self._slots = slots
        self._soil = soil
        self._durable = durable
        self._statuses: dict[tuple[str | None, str], _StatusSide] = {}
        self._requests: dict[tuple[str, str], _RequestsSide] = {}
        self._noted: list[_Side[Any]] = []  # since what changed was handed out
        self._changed: dict[FactKey, None] = {}
        # Records of the other width that stand, by which records are to replace them.
        self._outgrown: dict[FactKey, tuple[FactKey, ...]] = {}
        self._swept_to = -FOREVER  # the hour of the horizon for which the last sweep was begun
        self._to_sweep: list[_StatusSide | _RequestsSide] = []

    # Taken -----------------------------------------------------------------------------------------------------------

    def take_status(self, event: AvailabilityEvent, horizon: int, limit: int) -> Taken:
        """`horizon`: nothing before it is taken. `limit`: so many events of a side are taken in an hour."""
        side = self._statuses.get((event.customer, event.service)) or self._status_side(event)
        return Taken.UNMATCHED if side is None else self._take(side, event, horizon, limit)

    def take_requests(self, event: RequestsEvent, horizon: int, limit: int) -> Taken:
        side = self._requests.get((event.customer, event.service)) or self._requests_side(event)
        return Taken.UNMATCHED if side is None else self._take(side, event, horizon, limit)

    def _take(self, side: _Side[E], event: E, horizon: int, limit: int) -> Taken:
        time = event.time
        if time < horizon:
            return Taken.TOO_LATE
        taken = side.history.take(event, limit)
        if taken is not Taken.ACCEPTED:
            return taken
        if not side.start <= time < side.end and self._durable:
            self._note(side, event)
        return Taken.LATE if side.tell(event, self._soil) else taken

    def _note(self, side: _Side[E], event: E) -> None:
        """The record in which the event stands is another now."""
        side.start, side.end = self._slots.span_of(event.time)
        self._noted.append(side)
        self._changed[self._slots.key_of(event)] = None

    def _status_side(self, event: AvailabilityEvent) -> _StatusSide | None:
        """A side that is heard for the first time; None: it concerns nobody."""
        if event.service not in self._spoken_of:
            return None  # asked for each event of such a service, of which there may be many
        if event.customer is None:
            asked: Iterable[Customer | None] = self._customers.values()
        else:
            asked = [self._customers.get(event.customer)]
        hearers = [
            (
                customer.timeline(event.service),
                [one for one in customer.availability_watches if one.objective.service == event.service],
            )
            for customer in asked
            if customer is not None and event.service in customer.services
        ]
        if not hearers:
            return None
        side = _StatusSide(self._slots.services(event.customer, event.service), hearers)
        self._statuses[event.customer, event.service] = side
        return side

    def _requests_side(self, event: RequestsEvent) -> _RequestsSide | None:
        customer = self._customers.get(event.customer)
        watches = [] if customer is None else customer.requests_watches
        concerned = [watch for watch in watches if watch.objective.service == event.service]
        if customer is None or not concerned:
            return None
        log = customer.request_log(event.service)
        side = _RequestsSide(self._slots.requests(customer.id, event.service), log, concerned)
        self._requests[customer.id, event.service] = side
        return side

    # Records ---------------------------------------------------------------------------------------------------------

    def take_back(self, horizon: int) -> None:
        """All records are restored: what stands as it does was written before."""
        self._changes()
        for side in self._sides():
            side.forget(horizon // HOUR * HOUR)

    def replace(self, key: FactKey, by: Iterable[FactKey]) -> None:
        """A record of the other width stands: let these replace it."""
        self._outgrown[key] = tuple(by)

    def has_changed(self) -> bool:
        return bool(self._changed or self._outgrown)

    def changed(self, facts: Callable[[FactKey], Facts | None]) -> Iterator[FactsChanged]:
        """The records to be written, once; `facts` gives each of them."""
        outgrown = dict(islice(self._outgrown.items(), REWRITTEN_AT_ONCE))
        changed = self._changes()
        for key, by in outgrown.items():
            changed.update(dict.fromkeys(by))
            del self._outgrown[key]
        yield from (FactsChanged(key, facts(key)) for key in changed)
        yield from (FactsChanged(key, None) for key in outgrown)

    def _changes(self) -> dict[FactKey, None]:
        changed, self._changed = self._changed, {}
        for side in self._noted:
            side.start = side.end = 0
        self._noted.clear()
        return changed

    def count_outgrown(self) -> int:
        return len(self._outgrown)

    def outgrown(self, facts: Callable[[FactKey], Facts | None]) -> Iterator[tuple[FactKey, Facts]]:
        """The records of the other width that stand then; `facts` gives those that are to replace them."""
        for key, by in tuple(self._outgrown.items()):
            if key not in self._outgrown:  # replaced meanwhile
                continue
            yield key, cut((found for one in by if (found := facts(one)) is not None), key)

    # Forgotten -------------------------------------------------------------------------------------------------------

    def forget(self, horizon: int) -> None:
        """What lies before the horizon; of much only a part, the rest is for the next calls."""
        hour = horizon // HOUR
        if hour > self._swept_to:
            self._swept_to = hour
            self._to_sweep = self._sides()
        left = FORGOTTEN_AT_ONCE
        while self._to_sweep and left > 0:
            side = self._to_sweep[-1]
            past = self._slots.past(side.history, horizon)
            if side.newest_holds_on:
                past = past[:-1]
            for hours in past:
                if left <= 0:
                    break
                self._changed[self._slots.key_of(side.history.events(hours[0])[0])] = None
                side.history.forget(hours)
                left -= len(hours)
            left -= 1
            if left > 0:
                side.forget(hour * HOUR)
                self._to_sweep.pop()

    def _sides(self) -> list[_StatusSide | _RequestsSide]:
        return [*self._statuses.values(), *self._requests.values()]
