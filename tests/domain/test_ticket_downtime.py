"""The downtime of several tickets, and when it is another than before."""

from slamon.domain.agreement import TicketFilter
from slamon.domain.events import TicketEvent, TicketStatus
from slamon.domain.intervals import FOREVER
from slamon.domain.ticket_downtime import TicketDowntime
from slamon.domain.ticket_history import TicketHistory


def history(*events: tuple[int, TicketStatus | None, str | None]) -> TicketHistory:
    found = TicketHistory()
    for number, (time, status, priority) in enumerate(events):
        found.add(TicketEvent(f"e{number}", time, "acme", "T", status=status, priority=priority))
    return found


def test_what_changes_no_time_leaves_the_downtime_as_it_was() -> None:
    downtime = TicketDowntime(TicketFilter(priority=frozenset({"P1"})))
    open_p1 = (10, TicketStatus.OPEN, "P1")
    assert downtime.tell("T-1", history(open_p1), now=100) == 10
    assert downtime.tell("T-1", history(open_p1, (20, TicketStatus.WAITING, None)), now=100) is None
    assert downtime.tell("T-2", history((15, TicketStatus.OPEN, "P2")), now=100) is None
    assert downtime.version == 1
    assert downtime.spans(0, 200) == [(10, FOREVER)]


def test_the_tickets_of_a_service_are_one_downtime() -> None:
    downtime = TicketDowntime(TicketFilter())
    done = TicketStatus.RESOLVED
    downtime.tell("T-1", history((10, None, None), (30, done, None)), now=100)
    downtime.tell("T-2", history((20, None, None), (40, done, None)), now=100)
    downtime.tell("T-3", history((60, None, None)), now=100)
    assert downtime.spans(35, 60) == [(20, 40)]
    assert downtime.spans(40, 60) == []
    assert downtime.spans(25, 70) == [(10, 40), (60, FOREVER)]
    assert downtime.tell("T-1", history((10, None, None), (15, TicketStatus.CANCELLED, None)), now=100) == 10
    assert downtime.spans(0, 50) == [(20, 40)]


def test_an_event_ahead_of_the_clock_is_not_known_yet() -> None:
    downtime = TicketDowntime(TicketFilter())
    ahead = history((10, None, None), (30, TicketStatus.RESOLVED, None))
    assert downtime.tell("T-1", ahead, now=20) == 10
    assert downtime.spans(0, 20) == [(10, FOREVER)]
    assert downtime.tell("T-1", ahead, now=30) == 30


def test_what_each_ticket_tells_is_listed_in_the_order_of_time() -> None:
    downtime = TicketDowntime(TicketFilter())
    done, again = TicketStatus.RESOLVED, TicketStatus.OPEN
    downtime.tell("T-1", history((20, None, None), (40, done, None), (60, again, None)), now=100)
    downtime.tell("T-2", history((10, None, None), (50, done, None)), now=100)
    assert downtime.by_ticket(0, 200) == [("T-2", (10, 50)), ("T-1", (20, 40)), ("T-1", (60, FOREVER))]
    assert downtime.by_ticket(40, 60) == [("T-2", (10, 50))]
