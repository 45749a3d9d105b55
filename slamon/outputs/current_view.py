"""What the page of objectives and tickets shows now, taken from the monitors customer by customer.

A page is asked for every few seconds, and of a hundred thousand series hardly any is another than before. So what was
seen of an objective is kept: it stands for as long as the watch has the same version and says that time changes nothing
(`stands_until`); of a ticket likewise until it is judged again. What comes out is what one would see who looks for the
first time.

Between two customers, and inside one with many tickets, the loop's other tasks run: so each is seen as of one instant, not
all of them as of the same. A monitor that is in the midst of judging is shown as it was seen last.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple

from slamon import clock
from slamon.domain.agreement import TicketObjective
from slamon.domain.customer import Customer, Watch
from slamon.domain.decisions import ClockState
from slamon.domain.intervals import FOREVER, Span
from slamon.domain.monitor import Monitor
from slamon.domain.service_credits import fee_of, most_due
from slamon.domain.terms import judged_period, time_window
from slamon.outputs.exposition import (
    DueClock,
    ObjectiveFacts,
    ObjectiveView,
    OpenClocks,
    Stake,
    View,
    duration_text,
    objective_facts,
)

TICKETS_AT_ONCE = 100  # looked at in one go, in a ms or two if all of them have changed
EFFORT_AT_ONCE = 2_000  # one is half a microsecond, about
A_QUIET_ONE, A_FRESH_ONE = 4, 200  # a customer as seen before, and an objective seen anew

NO_CLOCKS = OpenClocks(0, 0, 0)

Moment = Callable[[], int | None]
"""How late it is for a monitor; None: it is judging."""


class _Shown(NamedTuple):
    """An objective as it was seen, and for how long it stands so."""

    version: int
    until: int
    view: ObjectiveView


_Due = tuple[int, str, str, str, str]  # when, agreement, objective, ticket, priority: so they are in order


class _Clocks(NamedTuple):
    """The open clocks of a customer: how many by agreement and objective, and those that are due next, soonest first."""

    version: int
    counts: Mapping[tuple[str, str], OpenClocks]
    soonest: Sequence[_Due]
    due: int  # how many are due some time


_NEVER_SEEN = _Clocks(-1, {}, (), 0)


class _Objective:
    """What never changes of an objective, and the fee, which seldom does."""

    def __init__(self, watch: Watch, facts: ObjectiveFacts) -> None:
        self.watch = watch
        self.facts = facts
        self.in_effect = (watch.agreement.start, watch.agreement.end)
        self.rolling = time_window(watch.objective).rolling is not None
        self.most_due = most_due(watch.agreement, watch.objective)
        self._paid: tuple[Span, Fraction | None] = ((0, 0), None)

    def fee(self, now: int) -> Fraction | None:
        """What is paid for the running period; None: no fee is agreed."""
        agreement, objective = self.watch.agreement, self.watch.objective
        remedies, (period, fee) = agreement.remedies, self._paid
        if not period[0] <= now < period[1] and remedies is not None and remedies.fee is not None:
            period = judged_period(agreement, objective, now)
            fee = fee_of(remedies.fee, agreement, objective, period)
            self._paid = (period, fee)
        return fee


class _Customer:
    """What was seen of a customer last."""

    def __init__(self, customer: Customer) -> None:
        self.customer = customer
        facts: dict[int, Mapping[str, ObjectiveFacts]] = {}  # by identity of the agreement
        for agreement in {id(watch.agreement): watch.agreement for watch in customer.watches()}.values():
            facts[id(agreement)] = {one.objective: one for one in objective_facts(agreement)}
        self.objectives = [
            _Objective(watch, facts[id(watch.agreement)][watch.objective.name])
            for watch in customer.watches()
        ]
        self.shown: dict[int, _Shown] = {}  # by identity of the watch
        self.views: list[ObjectiveView] = []  # of those shown
        self.clocks = _NEVER_SEEN
        self._as_before: tuple[int, Sequence[int], _Clocks] = (0, (), _NEVER_SEEN)

    def is_as_before(self, now: int) -> bool:
        """Whether nothing at all has changed since `show`: so it is with most, most of the time."""
        until, versions, clocks = self._as_before
        return now < until and clocks is self.clocks and versions == self._versions()

    def show(self, shown: dict[int, _Shown], now: int) -> None:
        edges = (edge for one in self.objectives for edge in one.in_effect if edge > now)
        until = min((one.until for one in shown.values()), default=FOREVER)
        self.shown, self.views = shown, [one.view for one in shown.values()]
        self._as_before = (min(until, min(edges, default=FOREVER)), self._versions(), self.clocks)

    def _versions(self) -> list[int]:
        return [one.watch.version for one in self.objectives]


class Sight:
    """Looks at monitors, again and again, and keeps what it saw."""

    def __init__(self, ticket_series: int) -> None:
        """`ticket_series`: so many clocks are shown, those that are due soonest."""
        self._ticket_series = ticket_series
        self._seen: dict[int, _Customer] = {}  # by identity of the customer

    async def look(self, monitors: Iterable[tuple[Monitor, Moment]]) -> View:
        seen: dict[int, _Customer] = {}
        objectives: list[ObjectiveView] = []
        effort = 0
        for monitor, moment in monitors:
            for customer in monitor.customers.values():
                one = self._seen.get(id(customer)) or _Customer(customer)
                seen[id(customer)] = one
                now = moment()
                if one.clocks.version != customer.version and now is not None:
                    await self._look_at_tickets(one, moment)
                    now = moment()
                effort += A_QUIET_ONE
                if now is not None and not one.is_as_before(now):
                    effort += _look_at_objectives(one, now)
                objectives += one.views
                if effort >= EFFORT_AT_ONCE:
                    effort = 0
                    await clock.wait(0)
        self._seen = seen
        soonest = self._soonest([one for one in seen.values() if one.clocks.due])
        due = sum(one.clocks.due for one in seen.values())
        return View(objectives, soonest, due - len(soonest))

    def _soonest(self, customers: Iterable[_Customer]) -> list[DueClock]:
        """They are found at as many customers, at most: those whose first are the soonest."""
        most = self._ticket_series
        first = sorted(customers, key=_first_due)[:most]
        found = [(due[0], one.customer.id, *due[1:]) for one in first for due in one.clocks.soonest]
        return [
            DueClock(customer, agreement, objective, ticket, priority, due_at)
            for due_at, customer, agreement, objective, ticket, priority in sorted(found)[:most]
        ]

    async def _look_at_tickets(self, seen: _Customer, moment: Moment) -> None:
        customer, version = seen.customer, seen.customer.version
        counted: dict[tuple[str, str], Counter[str]] = {}
        due: list[_Due] = []
        tickets = list(customer.tickets.values())
        for start in range(0, len(tickets), TICKETS_AT_ONCE):
            if start:
                await clock.wait(0)
            now = moment()
            if now is None:
                return  # the next look comes to it
            for ticket in tickets[start : start + TICKETS_AT_ONCE]:
                for found in ticket.open_clocks(now):
                    state = "breached" if found.missed else found.state.value
                    counted.setdefault((found.agreement, found.objective), Counter())[state] += 1
                    if found.due_at is not None:
                        of_ticket = (ticket.id, ticket.priority or "")
                        due.append((found.due_at, found.agreement, found.objective, *of_ticket))
        due.sort()
        counts = {names: _open_clocks(found) for names, found in counted.items()}
        seen.clocks = _Clocks(version, counts, due[: self._ticket_series], len(due))


def _first_due(seen: _Customer) -> tuple[int, str]:
    return seen.clocks.soonest[0][0], seen.customer.id


def _open_clocks(counted: Counter[str]) -> OpenClocks:
    return OpenClocks(
        counted[ClockState.RUNNING.value], counted[ClockState.PAUSED.value], counted["breached"]
    )


def _look_at_objectives(seen: _Customer, now: int) -> int:
    """Bring what is shown of the objectives in effect to what it is `now`. Returns what it cost."""
    before = seen.shown
    now_shown: dict[int, _Shown] = {}
    fresh: set[int] = set()
    moved: set[int] = set()  # agreements, by identity
    for one in seen.objectives:
        watch, (start, end) = one.watch, one.in_effect
        if not start <= now < end:
            continue
        shown = before.get(id(watch))
        if shown is None or shown.version != watch.version or now >= shown.until:
            shown = _look_at(one, now)
            fresh.add(id(watch))
            moved.add(id(watch.agreement))
        if isinstance(watch.objective, TicketObjective):
            clocks = seen.clocks.counts.get((one.facts.agreement, one.facts.objective), NO_CLOCKS)
            if shown.view.clocks is not clocks and shown.view.clocks != clocks:
                shown = shown._replace(view=shown.view._replace(clocks=clocks))
        now_shown[id(watch)] = shown
    for one in seen.objectives if moved else ():
        watch, remedies = one.watch, one.watch.agreement.remedies
        # What others are due matters under a common cap only.
        capped = remedies is not None and remedies.cap is not None and id(watch.agreement) in moved
        if id(watch) in now_shown and (capped or id(watch) in fresh):
            shown = now_shown[id(watch)]
            stake = _stake(seen.customer, one, now)
            if shown.view.stake != stake:
                now_shown[id(watch)] = shown._replace(view=shown.view._replace(stake=stake))
    seen.show(now_shown, now)
    return A_FRESH_ONE * len(fresh) + A_QUIET_ONE * len(seen.objectives)


def _look_at(one: _Objective, now: int) -> _Shown:
    """All but what other objectives and tickets tell."""
    glance = one.watch.glance(now)
    assert glance is not None, "the agreement is in effect"
    view = ObjectiveView(
        one.facts,
        glance.standing,
        tuple((duration_text(window), rate) for window, rate in glance.burn_rates),
        period=None if one.rolling else glance.standing.period,
        excluded=glance.excluded,
    )
    return _Shown(one.watch.version, glance.until, view)


def _stake(customer: Customer, one: _Objective, now: int) -> Stake | None:
    credit = customer.credit_as_it_stands(one.watch, now)
    return None if credit is None else Stake(credit, one.most_due, one.fee(now))
