"""What the page of objectives and tickets shows now, taken from the monitors customer by customer.

Between two customers the loop's other tasks run: so each customer is seen as of one instant, not all of them as of the same.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from slamon import clock
from slamon.domain.agreement import TicketObjective
from slamon.domain.customer import Customer, Watch
from slamon.domain.decisions import ClockOutcome, ClockState
from slamon.domain.intervals import Span
from slamon.domain.monitor import Monitor
from slamon.domain.terms import judged_period, time_window
from slamon.domain.ticket_clock import Phase
from slamon.outputs.exposition import (
    DueClock,
    ObjectiveFacts,
    ObjectiveView,
    OpenClocks,
    View,
    duration_text,
    objective_facts,
)


async def current_view(monitors: Iterable[tuple[Monitor, Callable[[], int]]]) -> View:
    """`monitors`: each with what tells how late it is for it."""
    objectives: list[ObjectiveView] = []
    due: list[DueClock] = []
    for monitor, now in monitors:
        for customer in monitor.customers.values():
            objectives += _of_customer(customer, now(), due)
            await clock.wait(0)
    return View(objectives, due)


def _of_customer(customer: Customer, now: int, due: list[DueClock]) -> Iterator[ObjectiveView]:
    """The objectives in effect; adds the clocks that are due some time to `due`."""
    open_clocks: dict[tuple[str, str], Counter[ClockState | ClockOutcome]] = {}
    for ticket in customer.tickets.values():
        for ticket_clock in ticket.live():
            record = ticket_clock.record(now) if ticket_clock.phase is Phase.RUNNING else None
            if record is None:
                continue
            missed = record.outcome is ClockOutcome.MISSED
            counted = open_clocks.setdefault((record.agreement, record.objective), Counter())
            counted[ClockOutcome.MISSED if missed else record.state] += 1
            if not missed and record.due_at is not None:
                due.append(DueClock(record, ticket.priority))
    for watch in customer.watches():
        if watch.agreement.start <= now < watch.agreement.end:
            facts = _facts(watch)
            counted = open_clocks.get((facts.agreement, facts.objective), Counter())
            clocks = OpenClocks(
                counted[ClockState.RUNNING], counted[ClockState.PAUSED], counted[ClockOutcome.MISSED]
            )
            burning = tuple((duration_text(window), rate) for window, rate in watch.burn_rates(now))
            by_tickets = isinstance(watch.objective, TicketObjective)
            yield ObjectiveView(
                facts,
                watch.standing(now),
                burning,
                clocks if by_tickets else None,
                customer.stake(watch, now),
                _calendar_period(watch, now),
                watch.is_excluded(now),
            )


def _calendar_period(watch: Watch, now: int) -> Span | None:
    if time_window(watch.objective).rolling is not None:
        return None
    return judged_period(watch.agreement, watch.objective, now)


def _facts(watch: Watch) -> ObjectiveFacts:
    return next(
        facts for facts in objective_facts(watch.agreement) if facts.objective == watch.objective.name
    )
