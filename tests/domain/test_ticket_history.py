"""The moments of one ticket: what is known of it before its first event, and from its opening on."""

from slamon.domain.events import TicketEvent, TicketStatus
from slamon.domain.terms import Fields
from slamon.domain.ticket_history import Moment, TicketHistory


def test_before_its_first_event_a_ticket_is_open_and_waits_for_nobody() -> None:
    history = TicketHistory()
    waits = TicketEvent(
        "e1", 20, "acme", "T-1", status=TicketStatus.WAITING, waiting_on="customer", opened_at=10,
        priority="P1", service="api", attributes={"region": "eu"},
    )  # fmt: skip
    history.add(waits)
    assert list(history.read(now=30)) == [
        Moment(10, Fields(TicketStatus.OPEN, None, "P1", "api", {"region": "eu"}), ()),
        Moment(20, Fields(TicketStatus.WAITING, "customer", "P1", "api", {"region": "eu"}), ()),
    ]
