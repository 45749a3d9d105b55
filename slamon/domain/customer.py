"""Everything known and derived about one customer."""

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import assert_never

from slamon.domain.agreement import (
    Agreement,
    AvailabilityObjective,
    RequestsObjective,
    TicketFilter,
    TicketObjective,
)
from slamon.domain.attainment import Contribution, Tally, contribution
from slamon.domain.availability_watch import AvailabilityWatch
from slamon.domain.events import ExclusionEvent, order_key
from slamon.domain.exclusions import Declared, declared
from slamon.domain.request_log import RequestLog
from slamon.domain.requests_watch import RequestsWatch
from slamon.domain.service_timeline import ServiceTimeline
from slamon.domain.terms import Terms
from slamon.domain.ticket_clock import Clock
from slamon.domain.ticket_downtime import TicketDowntime
from slamon.domain.ticket_watch import TicketWatch
from slamon.domain.tickets import Ticket

ServiceWatch = AvailabilityWatch | RequestsWatch
Watch = TicketWatch | ServiceWatch


class Customer:
    """The facts of one customer, the tallies over them, and the watches of its agreements."""

    def __init__(self, customer: str, agreements: Iterable[Agreement]) -> None:
        self.id = customer
        ordered = sorted(agreements, key=lambda agreement: (agreement.name, agreement.start))
        self.terms = [
            Terms(versions) for _, versions in groupby(ordered, key=lambda agreement: agreement.name)
        ]
        self.tickets: dict[str, Ticket] = {}
        self.pending: dict[str, Ticket] = {}  # those with a clock that is not decided
        self.exclusions: dict[str, list[ExclusionEvent]] = {}
        self._timelines: dict[str, ServiceTimeline] = {}
        self._request_logs: dict[str, RequestLog] = {}
        self._downtimes: dict[TicketFilter, TicketDowntime] = {}
        self._tallies: dict[tuple[str, str], Tally] = {}
        self._declared: tuple[Declared, ...] | None = ()
        self._next_exclusion: int | None = None
        self.services = {
            service
            for agreement in ordered
            for service in (
                *(service.name for service in agreement.services or ()),
                *(one.service for one in agreement.objectives if isinstance(one, AvailabilityObjective)),
            )
        }
        self.ticket_watches: list[TicketWatch] = []
        self.availability_watches: list[AvailabilityWatch] = []
        self.requests_watches: list[RequestsWatch] = []
        for agreement in ordered:
            for objective in agreement.objectives:
                match objective:
                    case TicketObjective():
                        self.ticket_watches.append(TicketWatch(agreement, objective, self))
                    case AvailabilityObjective():
                        self.availability_watches.append(AvailabilityWatch(agreement, objective, self))
                    case RequestsObjective():
                        self.requests_watches.append(RequestsWatch(agreement, objective, self))
                    case _:
                        assert_never(objective)

        self.hears_tickets = bool(self.ticket_watches or self._downtimes)

    def watches(self) -> Iterator[Watch]:
        yield from self.ticket_watches
        yield from self.service_watches()

    def service_watches(self) -> Iterator[ServiceWatch]:
        """Those whose time can be excluded."""
        yield from self.availability_watches
        yield from self.requests_watches

    # What watches read ----------------------------------------------------------------------------------------------

    def tally(self, agreement: str, objective: str) -> Tally:
        return self._tallies.setdefault((agreement, objective), Tally())

    def pending_clocks(self, agreement: str, objective: str, now: int) -> Iterator[Clock]:
        """The clocks that are undecided at `now` and governed by this objective, or another version's of its name."""
        for ticket in self.pending.values():
            for clock in ticket.clocks.values():
                if clock.governed_by(agreement, objective) and clock.is_pending(now):
                    yield clock

    def timeline(self, service: str) -> ServiceTimeline:
        return self._timelines.setdefault(service, ServiceTimeline())

    def request_log(self, service: str) -> RequestLog:
        return self._request_logs.setdefault(service, RequestLog())

    def ticket_downtime(self, wanted: TicketFilter) -> TicketDowntime:
        return self._downtimes.setdefault(wanted, TicketDowntime(wanted))

    def declared(self, now: int) -> tuple[Declared, ...]:
        """The exclusions that are declared as of `now`."""
        if self._declared is None or (self._next_exclusion is not None and now >= self._next_exclusion):
            found = (declared(events, now) for _, events in sorted(self.exclusions.items()))
            self._declared = tuple(one for one in found if one is not None)
            ahead = (
                event.time for events in self.exclusions.values() for event in events if event.time > now
            )
            self._next_exclusion = min(ahead, default=None)
        return self._declared

    def next_exclusion(self, now: int) -> int | None:
        """When the next word about an exclusion becomes known."""
        self.declared(now)
        return self._next_exclusion

    # What changes them ----------------------------------------------------------------------------------------------

    def ticket(self, ticket: str) -> Ticket:
        found = self.tickets.get(ticket)
        if found is None:
            found = self.tickets[ticket] = Ticket(self.id, ticket, self.terms)
        return found

    def add_exclusion(self, event: ExclusionEvent) -> None:
        events = self.exclusions.setdefault(event.exclusion, [])
        events.append(event)
        events.sort(key=order_key)
        self._declared = None

    def tell_tally(self, ticket: Ticket, now: int) -> dict[tuple[str, str], int]:
        """Count the ticket's clocks as they are now. Returns the objectives of which something changed, with since when."""
        changed: dict[tuple[str, str], int] = {}
        before = ticket.contributions
        after = {identity: contribution(view) for identity, _, view in ticket.views(now)}
        if before != after:
            for sign, found in ((-1, before), (1, after)):
                for (agreement, measure, cycle), one in found.items():
                    if before.get((agreement, measure, cycle)) != after.get((agreement, measure, cycle)):
                        self._count(agreement, one, sign, changed)
            ticket.contributions = after
            if ticket.pending():
                self.pending[ticket.id] = ticket
            else:
                self.pending.pop(ticket.id, None)
        return changed

    def tell_downtime(self, ticket: Ticket, now: int) -> Iterator[tuple[AvailabilityWatch, int]]:
        """Take the ticket's time as downtime as it is now. Returns the watches it changes, with since when."""
        for downtime in self._downtimes.values():
            since = downtime.tell(ticket.id, ticket.history, now)
            if since is not None:
                concerned = (watch for watch in self.availability_watches if watch.tickets is downtime)
                yield from ((watch, since) for watch in concerned)

    def _count(
        self, agreement: str, one: Contribution, sign: int, changed: dict[tuple[str, str], int]
    ) -> None:
        tally = self.tally(agreement, one.objective)
        (tally.decide if sign > 0 else tally.undecide)(one.outcome, one.decided_at)
        instants = [(one.objective, one.decided_at)] if one.decided_at is not None else []
        for mark in one.marks:
            self.tally(agreement, mark.objective).pending_at[mark.end] += sign
            instants.append((mark.objective, mark.end - 1))
        for objective, instant in instants:
            known = changed.get((agreement, objective), instant)
            changed[agreement, objective] = min(known, instant)
        changed.setdefault((agreement, one.objective), _NOTHING_SETTLED)


_NOTHING_SETTLED = 1 << 62
