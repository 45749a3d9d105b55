"""Events of a service that no agreement speaks of cost the same however many customers there are."""

from typing import Any

from slamon.domain.customer import Customer
from slamon.domain.events import AvailabilityEvent, ServiceStatus, Taken
from slamon.domain.intervals import FOREVER
from slamon.domain.service_facts import ServiceFacts
from slamon.domain.slot_facts import SlotFacts
from tests.domain.test_forgetting import NOW, SHOP, agreement


class Customers(dict[str, Customer]):
    """Counts how often all of them are gone through."""

    gone_through = 0

    def values(self) -> Any:
        self.gone_through += 1
        return super().values()


def test_an_event_for_everybody_of_a_service_of_nobody_goes_through_no_customers() -> None:
    slots = SlotFacts(hourly=True)
    customers = Customers(acme=Customer("acme", [agreement(SHOP)], slots))
    facts = ServiceFacts(customers, slots, lambda _: None, durable=True)
    before = customers.gone_through
    for number in range(3):
        event = AvailabilityEvent(f"{number}", NOW + number, None, "nobody's", ServiceStatus.UP)
        assert facts.take_status(event, -FOREVER, FOREVER) is Taken.UNMATCHED
    assert customers.gone_through == before
    known = AvailabilityEvent("known", NOW, None, "shop", ServiceStatus.UP)
    assert facts.take_status(known, -FOREVER, FOREVER) is Taken.ACCEPTED
