"""How long facts are kept, and which of them are due to be forgotten.

The horizon is so far behind the clock as facts are kept. What lies before it is over:

- What speaks of a time before it comes too late.
- A period that begins before it is final: neither late facts nor corrected agreements revise its statement, because facts
  of it may be gone. Its statement is forgotten when its end lies before the horizon; the newest of an objective stays.
- A ticket is forgotten when time alone changes nothing more of it, and all that is told of it (its events, the instants at
  which its clocks were breached or stopped) lies before the horizon; its alerts go with it. While it holds a service down
  it stays.
- An exclusion is forgotten when its events and the spans that they name lie before the horizon.
- An alert of an objective is forgotten when it does not fire, and the period it speaks of ended before the horizon.
- What no agreement speaks of is forgotten by its own times.

So that a verdict on a period still open never rests on what is forgotten, facts are kept for at least as long as `needed`.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import assert_never

from slamon.domain.agreement import (
    Agreement,
    AvailabilityObjective,
    Objective,
    RequestsObjective,
    TicketObjective,
)
from slamon.domain.alerts import AlertBook
from slamon.domain.customer import Customer
from slamon.domain.decisions import FactKey, FactKind, Facts, statement_fact
from slamon.domain.events import DAY, AvailabilityEvent, ExclusionEvent, RequestsEvent, TicketEvent
from slamon.domain.periods import longest
from slamon.domain.terms import time_window

LEEWAY = 35 * DAY  # beyond the statement of the longest window: a month and some days to correct it


def needed(agreement: Agreement) -> int:
    """For how many microseconds facts must be kept at least to judge by this agreement."""
    reaches = [_reach(objective) for objective in agreement.objectives]
    # What an exclusion took of a cap counts until the cap's unit ends.
    reaches += [longest(term.cap.per) for term in agreement.exclusions if term.cap is not None]
    return max(reaches, default=0) + agreement.reporting.settle_after + LEEWAY


def _reach(objective: Objective) -> int:
    """How far before now a verdict or an alert may look."""
    window = time_window(objective)
    length = window.rolling if window.unit is None else longest(window.unit)
    assert length is not None, "a time window is either calendar or rolling"
    match objective:
        case TicketObjective():
            return length
        case AvailabilityObjective():
            pairs = objective.alerts.burn_rates
        case RequestsObjective():
            pairs = objective.burn_rates
        case _:
            assert_never(objective)
    # Since when a rolling window is exceeded is asked of all instants in it, each of which has a window of its own.
    return length + max([pair.long for pair in pairs] + [window.rolling or 0])


def forgettable(
    customers: Iterable[Customer], alerts: AlertBook, aside: Mapping[FactKey, Facts], horizon: int
) -> Iterator[FactKey | None]:
    """Everything that is kept, looked at once: what is due to be forgotten, None for each that is not.

    What is there when its turn comes is looked at; all may change meanwhile.
    """
    for customer in customers:
        for ticket in customer.cold.names():
            due = customer.cold.last_before(ticket, horizon)
            yield FactKey(FactKind.TICKET, customer.id, ticket) if due else None
        for exclusion, events in list(customer.exclusions.items()):
            due = last_of_exclusion(events) < horizon
            yield FactKey(FactKind.EXCLUSION, customer.id, exclusion) if due else None
        for watch in customer.watches():
            yield from map(statement_fact, watch.settlement.given_before(horizon))
            yield None
    for subject, id_, memory in alerts.memories():
        # That of a ticket goes with the ticket.
        over = subject[0] == "objective" and _ended_before(memory.scope, horizon)
        due = over and memory.firing is None
        yield FactKey(FactKind.ALERT, subject[1], id_) if due else None
    for key, facts in list(aside.items()):
        yield key if _last_of(facts) < horizon else None


def last_of_exclusion(events: Iterable[ExclusionEvent]) -> int:
    return max(max(event.time, event.time if event.end is None else event.end) for event in events)


def _ended_before(scope: str, horizon: int) -> bool:
    """Whether the period named by the scope of an alert did; a rolling window has no end."""
    _, _, end = scope.partition("/")
    return bool(end) and int(end) < horizon


def _last_of(facts: Facts) -> int:
    """The last instant of which facts speak that no agreement speaks of."""
    if facts.statement is not None:
        return facts.statement.end
    if facts.exclusions is not None:
        return last_of_exclusion(facts.exclusions)
    events: tuple[TicketEvent | AvailabilityEvent | RequestsEvent, ...] = (
        *(facts.tickets or ()),
        *(facts.services or ()),
        *(facts.requests or ()),
    )
    return max(event.time for event in events)
