"""Everything known and derived about one customer."""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import groupby
from typing import assert_never

from msgspec.structs import replace

from slamon.domain.agreement import (
    Agreement,
    AvailabilityObjective,
    Objective,
    RequestsObjective,
    TicketFilter,
    TicketObjective,
)
from slamon.domain.alerts import Subject
from slamon.domain.attainment import Tally
from slamon.domain.availability_watch import AvailabilityWatch
from slamon.domain.cold_tickets import ColdTickets
from slamon.domain.decisions import (
    AlertMemory,
    Credit,
    DecidedClock,
    FactKey,
    Kept,
    Outcome,
    Statement,
    Upshot,
)
from slamon.domain.events import ExclusionEvent, TicketEvent, order_key
from slamon.domain.exclusions import Declared, declared
from slamon.domain.intervals import FOREVER, Span
from slamon.domain.judged_by import judged_by
from slamon.domain.request_log import RequestLog
from slamon.domain.requests_watch import RequestsWatch
from slamon.domain.service_credits import (
    claim_until,
    credit_of,
    credited_objectives,
    is_credited,
    share_due,
)
from slamon.domain.service_timeline import ServiceTimeline
from slamon.domain.slot_facts import SlotFacts
from slamon.domain.terms import Terms, judged_period
from slamon.domain.terms_digest import terms_digest
from slamon.domain.ticket_clock import Mark, Verdict
from slamon.domain.ticket_downtime import TicketDowntime
from slamon.domain.ticket_rows import upshot_of
from slamon.domain.ticket_watch import TicketWatch
from slamon.domain.tickets import Identity, Look, Ticket
from slamon.domain.watching import subject_of

ServiceWatch = AvailabilityWatch | RequestsWatch
Watch = TicketWatch | ServiceWatch


class Customer:
    """The facts of one customer, the tallies over them, and the watches of its agreements."""

    def __init__(self, customer: str, agreements: Iterable[Agreement], slots: SlotFacts) -> None:
        self.id = customer
        self._slots = slots
        ordered = sorted(agreements, key=lambda agreement: (agreement.name, agreement.start))
        self.terms = [
            Terms(versions) for _, versions in groupby(ordered, key=lambda agreement: agreement.name)
        ]
        self._boundaries = sorted({at for terms in self.terms for at in terms.boundaries})
        self.tickets: dict[str, Ticket] = {}
        self.cold = ColdTickets(customer)  # decided ones; a ticket is in one of the two
        self.version = 0  # rises whenever a ticket was judged, or is forgotten
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
        self.watch_of: dict[Subject, Watch] = {watch.subject: watch for watch in self.watches()}
        self._digests = {(one.name, one.start): terms_digest(one) for one in ordered}
        # By its place an upshot names an objective, so that it is short:
        self._place_of = {
            (watch.agreement.name, id(watch.objective)): place
            for place, watch in enumerate(self.ticket_watches)
        }
        self._tally_of = [
            self.tally(watch.agreement.name, watch.objective.name) for watch in self.ticket_watches
        ]
        self.judged_by = judged_by(ordered)
        self.hears_tickets = bool(self.ticket_watches or self._downtimes)

    def watches(self) -> Iterator[Watch]:
        yield from self.ticket_watches
        yield from self.service_watches()

    def service_watches(self) -> Iterator[ServiceWatch]:
        """Those whose time can be excluded."""
        yield from self.availability_watches
        yield from self.requests_watches

    def watch_in_effect(self, agreement: str, objective: str, now: int) -> Watch | None:
        """The watch of the version that is in effect at `now`."""
        for watch in self.watches():
            named = watch.agreement.name == agreement and watch.objective.name == objective
            if named and watch.agreement.start <= now < watch.agreement.end:
                return watch
        return None

    # What watches read ----------------------------------------------------------------------------------------------

    def tally(self, agreement: str, objective: str) -> Tally:
        found = self._tallies.get((agreement, objective))
        if found is None:
            found = self._tallies[agreement, objective] = Tally()
        return found

    def timeline(self, service: str) -> ServiceTimeline:
        found = self._timelines.get(service)
        if found is None:
            heard = (self._slots.services(one, service) for one in (self.id, None))
            found = self._timelines[service] = ServiceTimeline(*heard)
        return found

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

    # Statements -----------------------------------------------------------------------------------------------------

    def statement(self, watch: Watch, period: Span, now: int) -> Statement:
        """The verdict on a period and what it costs, by what is known at `now`."""
        agreement = watch.agreement
        verdict = watch.verdict(period, now)
        taken = [share for _, share in self.taken_before(watch, period, now)]
        credit = credit_of(agreement, watch.objective, verdict, taken)
        return replace(
            verdict,
            credit=credit,
            claim_until=claim_until(agreement, period[1], credit),
            terms=self._digests[agreement.name, agreement.start],
        )

    def taken_before(self, watch: Watch, period: Span, now: int) -> list[tuple[Objective, Fraction]]:
        """The shares due to the objectives before this one under the common cap, in the same period."""
        agreement = watch.agreement
        return [
            (one, share_due(agreement, one, self.watch_of[subject_of(agreement, one)].verdict(period, now)))
            for one in _served_before(watch)
            if judged_period(agreement, one, period[1] - 1) == period
        ]

    def credit_as_it_stands(self, watch: Watch, now: int) -> Credit | None:
        """What the running period costs as it stands at `now`; None: no remedy names the objective."""
        agreement, objective = watch.agreement, watch.objective
        if not is_credited(agreement, objective):
            return None
        stands = watch.as_it_stands(now)
        taken: list[Fraction] = []
        if stands.outcome is Outcome.MISSED:
            period = (stands.start, stands.end)
            taken = [
                share_due(agreement, one, self.watch_of[subject_of(agreement, one)].as_it_stands(now))
                for one in _served_before(watch)
                if judged_period(agreement, one, now) == period
            ]
        return credit_of(agreement, objective, stands, taken)

    def moved_by(self, watch: Watch) -> list[Watch]:
        """Those whose credits are what those of this one leave of the common cap."""
        order = _under_common_cap(watch)
        after = order[order.index(watch.objective) + 1 :] if watch.objective in order else []
        return [self.watch_of[subject_of(watch.agreement, one)] for one in after]

    # What changes them ----------------------------------------------------------------------------------------------

    def ticket(self, ticket: str) -> Ticket:
        found = self.tickets.get(ticket)
        if found is None:
            found = self.tickets[ticket] = Ticket(self.id, ticket, self.terms, self._boundaries)
        return found

    def take_back(self, ticket: str, kept: Kept) -> Ticket:
        """The ticket that was released; what it came to is counted already. It is to be judged: its clocks are not read."""
        found = self.tickets[ticket] = Ticket(self.id, ticket, self.terms, self._boundaries)
        found.history.load(kept.events)
        found.history.opening_unknown = kept.upshot.opening_unknown
        found.verdicts = self._verdicts(kept.upshot)
        found.told_in_full = True
        return found

    def every_ticket(self, now: int) -> Iterator[Ticket]:
        """Those that were not read as they would be at `now`."""
        for ticket in self.tickets.values():
            if not ticket.is_read:
                ticket.read(now)
            yield ticket
        for name in self.cold.names():
            events = self.cold.events(name)
            if events:
                packed = Ticket(self.id, name, self.terms, self._boundaries)
                packed.history.load(events)
                packed.read(now)
                yield packed

    def events_of(self, ticket: str) -> tuple[TicketEvent, ...]:
        found = self.tickets.get(ticket)
        return self.cold.events(ticket) if found is None else tuple(found.history.events)

    def upshot(self, ticket: Ticket) -> Upshot:
        """What a decided ticket came to."""
        holds = any(downtime.goes_on(ticket.id) for downtime in self._downtimes.values())
        clocks = [
            DecidedClock(
                self._place_of[agreement, id(verdict.objective)],
                cycle,
                verdict.outcome,
                verdict.decided_at,
                verdict.marks,
            )
            for (agreement, _, cycle), verdict in ticket.verdicts.items()
        ]
        return Upshot(
            self.judged_by,
            FOREVER if holds else ticket.last_instant(),
            ticket.history.opening_unknown,
            tuple(clocks),
        )

    def _verdicts(self, upshot: Upshot) -> dict[Identity, Verdict]:
        """What was told of the clocks that came to this."""
        found: dict[Identity, Verdict] = {}
        for clock in upshot.clocks:
            watch = self.ticket_watches[clock.objective]
            marks = tuple([Mark(*mark) for mark in clock.marks])
            verdict = Verdict(
                watch.objective, clock.outcome, clock.decided_at, marks, governed=False, warned_at=None
            )
            found[watch.agreement.name, watch.objective.measure.value, clock.cycle] = verdict
        return found

    def kept(self, ticket: Ticket, alerts: dict[str, AlertMemory]) -> Kept:
        """A decided ticket, and its alerts."""
        return Kept(tuple(ticket.history.events), self.upshot(ticket), alerts)

    def restore_packed(self, ticket: str, packed: bytes) -> Upshot | None:
        """Count what the ticket came to, and keep it as it is (see `ticket_rows`). None: it has to be judged."""
        if self._downtimes:  # of which an upshot says nothing
            return None
        upshot = upshot_of(packed)
        if upshot is None or upshot.judged_by != self.judged_by:
            return None
        for clock in upshot.clocks:
            self._count_decided(clock, 1)
        self.cold.keep_packed(ticket, packed, upshot.last)
        return upshot

    def forget_ticket(self, ticket: Ticket) -> None:
        """As if it had never been."""
        self.version += 1
        for identity, verdict in ticket.verdicts.items():
            self._count(identity[0], verdict, -1, {})
        self._forget_downtime(ticket.id)
        self.pending.pop(ticket.id, None)
        del self.tickets[ticket.id]

    def forget_decided(self, ticket: str, upshot: Upshot) -> None:
        """The same, of one that came to this and is not here any more."""
        self.version += 1
        for clock in upshot.clocks:
            self._count_decided(clock, -1)
        self._forget_downtime(ticket)

    def _forget_downtime(self, ticket: str) -> None:
        for downtime in self._downtimes.values():
            downtime.forget(ticket)

    def add_exclusion(self, event: ExclusionEvent) -> None:
        events = self.exclusions.setdefault(event.exclusion, [])
        events.append(event)
        events.sort(key=order_key)
        self._declared = None

    def forget_exclusion(self, exclusion: str) -> None:
        self.exclusions.pop(exclusion, None)
        self._declared = None

    def forget_statement(self, key: FactKey) -> None:
        objective, start, end = key.subject.rsplit("/", 2)
        for watch in self.watches():
            if f"{watch.agreement.name}/{watch.objective.name}" == objective:
                watch.settlement.forget((int(start), int(end)))

    def tell_tally(self, ticket: Ticket, looked: Iterable[Look]) -> dict[tuple[str, str], int]:
        """Count the ticket's clocks as they are now. Returns the objectives of which something changed, with since when."""
        changed: dict[tuple[str, str], int] = {}
        counted = ticket.verdicts
        for identity in ticket.gone():
            self._count(identity[0], counted.pop(identity), -1, changed)
        for identity, _, verdict in looked:
            known = counted.get(identity)
            if known == verdict:
                continue
            if known is not None:
                self._count(identity[0], known, -1, changed)
            self._count(identity[0], verdict, 1, changed)
            counted[identity] = verdict
        if changed:
            if ticket.is_pending():
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

    def _count(self, agreement: str, one: Verdict, sign: int, changed: dict[tuple[str, str], int]) -> None:
        tally = self.tally(agreement, one.objective.name)
        tally.version += 1
        (tally.decide if sign > 0 else tally.undecide)(one.outcome, one.decided_at)
        if one.governed:
            (tally.expect if sign > 0 else tally.expect_no_more)(one.warned_at)
        instants = [(one.objective.name, one.decided_at)] if one.decided_at is not None else []
        for mark in one.marks:
            self.tally(agreement, mark.objective).pending_at[mark.end] += sign
            instants.append((mark.objective, mark.end - 1))
        for objective, instant in instants:
            known = changed.get((agreement, objective), instant)
            changed[agreement, objective] = min(known, instant)
        changed.setdefault((agreement, one.objective.name), FOREVER)  # nothing that is settled

    def _count_decided(self, one: DecidedClock, sign: int) -> None:
        """The same, without asking what it changes."""
        tally = self._tally_of[one.objective]
        tally.version += 1
        (tally.decide if sign > 0 else tally.undecide)(one.outcome, one.decided_at)
        for objective, end in one.marks:
            agreement = self.ticket_watches[one.objective].agreement.name
            self.tally(agreement, objective).pending_at[end] += sign


def _served_before(watch: Watch) -> list[Objective]:
    """The objectives that take from the common cap before this one."""
    order = _under_common_cap(watch)
    return order[: order.index(watch.objective)] if watch.objective in order else []


def _under_common_cap(watch: Watch) -> list[Objective]:
    """The credited objectives of a version in the order in which they take from its common cap; none without one."""
    remedies = watch.agreement.remedies
    if remedies is None or remedies.cap is None:
        return []
    return credited_objectives(watch.agreement)
