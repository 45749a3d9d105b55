"""The facts of services and of requests as records: what happened in an hour, or on a day, stands under one key.

Earlier releases wrote days. Which of the two is written is said once; records of the other width are taken back, too.
"""

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

from slamon.domain.decisions import FactKey, FactKind, Facts
from slamon.domain.events import DAY, HOUR, AvailabilityEvent, RequestsEvent, order_key
from slamon.domain.intervals import Span
from slamon.domain.service_history import E, ServiceHistory

ServiceEvent = AvailabilityEvent | RequestsEvent
Side = tuple[str | None, str]  # customer or None, and service

WIDTHS = {
    FactKind.SERVICE_DAY: DAY,
    FactKind.SERVICE_HOUR: HOUR,
    FactKind.REQUESTS_DAY: DAY,
    FactKind.REQUESTS_HOUR: HOUR,
}


class SlotFacts:
    """What was heard of services, by whose record it stands in: of a service, of a customer or none, of a slot."""

    def __init__(self, *, hourly: bool) -> None:
        """`hourly`: a record is of an hour, else of a day."""
        self._kinds = (
            (FactKind.SERVICE_HOUR, FactKind.REQUESTS_HOUR)
            if hourly
            else (FactKind.SERVICE_DAY, FactKind.REQUESTS_DAY)
        )
        self._width = HOUR if hourly else DAY
        self._hours = self._width // HOUR  # in a record
        self._services: dict[Side, ServiceHistory[AvailabilityEvent]] = {}
        self._requests: dict[Side, ServiceHistory[RequestsEvent]] = {}

    def services(self, customer: str | None, service: str) -> ServiceHistory[AvailabilityEvent]:
        """What was heard of a service for one customer; None: for all."""
        found = self._services.get((customer, service))
        if found is None:
            found = self._services[customer, service] = ServiceHistory(AvailabilityEvent)
        return found

    def requests(self, customer: str, service: str) -> ServiceHistory[RequestsEvent]:
        found = self._requests.get((customer, service))
        if found is None:
            found = self._requests[customer, service] = ServiceHistory(RequestsEvent)
        return found

    # Records ---------------------------------------------------------------------------------------------------------

    def span_of(self, t: int) -> Span:
        """Of the record in which an event at `t` stands."""
        start = t - t % self._width
        return start, start + self._width

    def key_of(self, event: ServiceEvent) -> FactKey:
        """Of the record in which it stands."""
        kind = self._kinds[isinstance(event, RequestsEvent)]
        return FactKey(kind, event.customer, event.service, event.time // self._width)

    def __len__(self) -> int:
        """Of records."""
        heard: list[ServiceHistory[Any]] = [*self._services.values(), *self._requests.values()]
        return sum(len(self._slots(one.hours())) for one in heard)

    def keys(self) -> Iterator[FactKey]:
        """Of all records."""
        services, requests = self._kinds
        for (customer, service), history in self._services.items():
            yield from (FactKey(services, customer, service, slot) for slot in self._slots(history.hours()))
        for (customer, service), log in self._requests.items():
            yield from (FactKey(requests, customer, service, slot) for slot in self._slots(log.hours()))

    def _slots(self, hours: list[int]) -> dict[int, None]:
        return dict.fromkeys(hour // self._hours for hour in hours)

    def facts(self, key: FactKey) -> Facts | None:
        """The record of that key as it is now; None: there is none."""
        side = key.customer, key.subject
        if key.kind is self._kinds[0]:
            services = self._events(self._services.get(side), key.slot)
            return Facts(services=services) if services else None
        requests = self._events(self._requests.get(side), key.slot)
        return Facts(requests=requests) if requests else None

    def _events(self, history: ServiceHistory[E] | None, slot: int) -> tuple[E, ...]:
        if history is None:
            return ()
        hours = history.hours(slot * self._hours, (slot + 1) * self._hours)
        return tuple(event for hour in hours for event in history.events(hour))

    def past(self, history: ServiceHistory[Any], horizon: int) -> list[list[int]]:
        """The hours of a history whose records end at the horizon or before; those of one record together, in order."""
        hours = history.hours(end=horizon // self._width * self._hours)
        return [list(one) for _, one in groupby(hours, key=lambda hour: hour // self._hours)]

    # Records of the other width --------------------------------------------------------------------------------------

    def is_outgrown(self, key: FactKey) -> bool:
        """Whether a record of that key is of the other width."""
        return WIDTHS.get(key.kind, self._width) != self._width

    def resized(self, facts: Facts) -> dict[FactKey, Facts]:
        """A record of the other width, as those in which its events are to stand."""
        events: dict[FactKey, list[ServiceEvent]] = {}
        for event in events_of(facts):
            events.setdefault(self.key_of(event), []).append(event)
        return {key: packed(found) for key, found in events.items()}


def events_of(facts: Facts) -> tuple[ServiceEvent, ...]:
    """In their order."""
    return (*(facts.services or ()), *(facts.requests or ()))


def packed(events: Iterable[ServiceEvent]) -> Facts:
    """Events of one kind, as a record."""
    found = tuple(events)
    services = tuple(event for event in found if isinstance(event, AvailabilityEvent))
    requests = tuple(event for event in found if isinstance(event, RequestsEvent))
    return Facts(services=services) if services else Facts(requests=requests)


def joined(first: Facts, second: Facts) -> Facts:
    """Two records of one key, each with events that the other may have, too."""
    found = {event.id: event for event in (*events_of(second), *events_of(first))}
    return packed(sorted(found.values(), key=order_key))


def cut(facts: Iterable[Facts], key: FactKey) -> Facts:
    """Of records in the order of their slots, the events that belong under a key, whatever its width."""
    width = WIDTHS[key.kind]
    return packed(event for one in facts for event in events_of(one) if event.time // width == key.slot)
