"""Between what is taken back at once others have their turn, so a portion must not be long, whatever it is of."""

from itertools import chain

from slamon.domain.decisions import FactKey, FactKind, Facts
from slamon.domain.events import HOUR, MINUTE, AvailabilityEvent, ServiceStatus, TicketEvent
from slamon.kafka.restore import in_portions

HOURS_OF_HEARTBEATS = [
    (
        FactKey(FactKind.SERVICE_HOUR, "acme", "web", hour),
        Facts(
            services=tuple(
                AvailabilityEvent(
                    f"{hour}/{minute}", hour * HOUR + minute * MINUTE, "acme", "web", ServiceStatus.UP
                )
                for minute in range(60)
            )
        ),
    )
    for hour in range(40)
]
TICKETS = [
    (FactKey(FactKind.TICKET, "acme", f"T-{n}"), Facts(tickets=(TicketEvent("1", n, "acme", f"T-{n}"),)))
    for n in range(300)
]


def test_a_portion_has_as_many_events_as_asked_whether_records_hold_one_or_sixty() -> None:
    of_hours = list(in_portions(HOURS_OF_HEARTBEATS, 120))
    of_tickets = list(in_portions(TICKETS, 120))
    assert [len(portion) for portion in of_hours] == [2] * 20
    assert [len(portion) for portion in of_tickets] == [120, 120, 60]


def test_portions_together_are_all_there_is_in_its_order() -> None:
    everything = [*TICKETS, *HOURS_OF_HEARTBEATS, (FactKey(FactKind.ALERT, "acme", "a1"), Facts())]
    assert list(chain.from_iterable(in_portions(everything, 7))) == everything
    assert list(in_portions([], 7)) == []
