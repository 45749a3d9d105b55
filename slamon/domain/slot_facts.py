"""The facts of services and of requests as records: what happened in an hour, or on a day, stands under one key.

Earlier releases wrote days. Which of the two is written is said once; records of the other width are taken back, too.
"""

from bisect import insort
from collections.abc import Iterable, Iterator

from slamon.domain.decisions import FactKey, FactKind, Facts
from slamon.domain.events import DAY, HOUR, AvailabilityEvent, RequestsEvent, order_key

ServiceEvent = AvailabilityEvent | RequestsEvent

WIDTHS = {
    FactKind.SERVICE_DAY: DAY,
    FactKind.SERVICE_HOUR: HOUR,
    FactKind.REQUESTS_DAY: DAY,
    FactKind.REQUESTS_HOUR: HOUR,
}


class SlotFacts:
    """What monitors reported of services, by the key of the record in which it stands."""

    def __init__(self, *, hourly: bool) -> None:
        """`hourly`: records are of an hour, else of a day."""
        self._services = FactKind.SERVICE_HOUR if hourly else FactKind.SERVICE_DAY
        self._requests = FactKind.REQUESTS_HOUR if hourly else FactKind.REQUESTS_DAY
        self._width = HOUR if hourly else DAY
        self._slots: dict[FactKey, list[ServiceEvent]] = {}

    def __contains__(self, key: FactKey) -> bool:
        return key in self._slots

    def __len__(self) -> int:
        return len(self._slots)

    def __iter__(self) -> Iterator[FactKey]:
        yield from self._slots

    def key_of(self, event: ServiceEvent) -> FactKey:
        """The record in which it stands."""
        kind = self._services if isinstance(event, AvailabilityEvent) else self._requests
        return FactKey(kind, event.customer, event.service, event.time // self._width)

    def add(self, event: ServiceEvent) -> FactKey:
        """Returns the key of the record that is another now."""
        key = self.key_of(event)
        insort(self._slots.setdefault(key, []), event, key=order_key)
        return key

    def facts(self, key: FactKey) -> Facts:
        return packed(self._slots[key])

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
