"""The steps of one ticket: its moments, and the instants at which the terms change by themselves."""

import pytest

from slamon.domain.agreement import Agreement, Measure, TicketObjective
from slamon.domain.calendars import ALWAYS
from slamon.domain.events import DAY, HOUR, TicketEvent, TicketStatus
from slamon.domain.terms import Terms
from slamon.domain.tickets import Ticket
from tests.laws.worlds import MIDNIGHT, day_of

FIX = TicketObjective("fix", Measure.RESOLUTION, HOUR, ALWAYS)
ENDS = MIDNIGHT + DAY
TERMS = Terms([Agreement("terms", "acme", "UTC", MIDNIGHT, ENDS, day_of(MIDNIGHT), (FIX,))])


def opened(at: int) -> Ticket:
    ticket = Ticket("acme", "T-1", (TERMS,), TERMS.boundaries)
    ticket.add(TicketEvent("e1", at, "acme", "T-1", status=TicketStatus.OPEN, priority="P1"))
    return ticket


@pytest.mark.parametrize(("now", "halts"), [(ENDS - 1, []), (ENDS, [ENDS]), (ENDS + 1, [ENDS])])
def test_the_end_of_the_agreement_is_a_step_from_that_instant_on(now: int, halts: list[int]) -> None:
    steps = list(opened(ENDS - HOUR).steps(now))
    assert [at for at, moment in steps if moment is None] == halts
    assert [at for at, moment in steps if moment is not None] == [ENDS - HOUR]


def test_a_ticket_that_is_not_open_yet_has_no_priority() -> None:
    ticket = opened(MIDNIGHT + HOUR)
    ticket.read(MIDNIGHT)
    assert ticket.priority is None
    ticket.read(MIDNIGHT + HOUR)
    assert ticket.priority == "P1"
