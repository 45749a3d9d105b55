"""The step: events in, decisions out.

A monitor holds the facts of its customers and every verdict that follows from them. It is driven by two calls: `apply`
takes a fact, `advance` says how late it is; then what changed and what came due is judged, and `drain` gives what was
decided. Which facts arrived in which order changes nothing but revisions and alerts.

Time is kept in half microseconds where order at one instant matters: key `2t` is due when the clock shows `t`, key
`2t + 1` when it has passed `t`. So everything that happens at an instant is in before the instant is judged: a ticket
resolved exactly when it is due never alerts.

The clock moves in one of two ways. In a replay it visits every key on its way (`steps`), and what is due exactly at an
event's time waits. In the daemon it jumps to the instant up to which everything has been read; of what came due on the
way only what still holds is said.

What must be kept for the next restart (`durable`) is as small as it can be: a decided ticket is packed after a while, and
what can matter no more is forgotten (see `forgetting`), a little at each advance.
"""

import heapq
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from operator import itemgetter
from typing import assert_never

from slamon.domain.agreement import Agreement
from slamon.domain.alerts import AlertBook, Ending, Instant, Wanted
from slamon.domain.alerts import Subject as AlertSubject
from slamon.domain.availability_watch import AvailabilityWatch
from slamon.domain.customer import Customer, Watch
from slamon.domain.decisions import (
    AlertChanged,
    AlertMemory,
    AlertTransition,
    ClockRecord,
    Decision,
    FactKey,
    FactKind,
    Facts,
    FactsChanged,
    Kept,
    Reason,
    Released,
    Standing,
    StandingChanged,
    Statement,
    StatementIssued,
    Upshot,
    statement_fact,
)
from slamon.domain.events import (
    MINUTE,
    AvailabilityEvent,
    Event,
    ExclusionEvent,
    RequestsEvent,
    ServiceStatus,
    Taken,
    TicketEvent,
)
from slamon.domain.forgetting import forgettable
from slamon.domain.intervals import FOREVER
from slamon.domain.service_facts import ServiceFacts
from slamon.domain.slot_facts import WIDTHS, SlotFacts, joined
from slamon.domain.ticket_watch import TicketWatch
from slamon.domain.tickets import Look, Ticket, ending_of, wanted_alert

STANDING_EVERY = MINUTE  # a standing is written at once when what matters changes, else so often
BETWEEN_BREAKS = 50  # tickets judged, or standings said, in one go, some ms
A_WATCH = 10  # tickets take as long as a watch
AT_HAND = 15 * MINUTE  # so long a decided ticket waits to be heard of again before it is packed
PACKED_AT_ONCE = 200  # tickets at one advance, some ms
FORGOTTEN_EVERY = 10 * MINUTE  # how often all that is kept is looked through
LOOKS_AT_ONCE = 2000  # of that at one advance, a ms or two
FORGETTING_COSTS = 20  # looks: 100 at one advance, some ms; as many tickets as come at the peak rate must go
MANY_TIMERS = 1000  # out of use, before it is worth while to look for them


Subject = Ticket | Watch


class Monitor:
    """The state of one task. Owned by one task and changed in place; not thread-safe."""

    def __init__(
        self,
        agreements: Sequence[Agreement],
        *,
        steps: bool,
        on_time: int = 0,
        durable: bool = True,
        keep: int | None = None,
        subject_limit: int | None = None,
        at_hand: int = AT_HAND,
        recall: Callable[[str, str], Kept | None] | None = None,
        hourly: bool = True,
    ) -> None:
        """`steps`: visit every key (replay). `on_time`: what is known within so many microseconds is not late.

        `durable`: decide `FactsChanged` and `StandingChanged` as the clock moves; without it facts cannot be taken up by
        another monitor, and standings are only there to be asked for.
        `keep`: for so many microseconds facts are kept after they can last matter; None: for ever (see `horizon`).
        `subject_limit`: so many events of one subject are taken, no more; None: any number.
        `at_hand`: a decided ticket is packed so many microseconds after it was last heard of (only if `durable`).
        `recall`: gives back what was kept of a ticket, by customer and ticket, and keeps it no longer (see `release`).
        `hourly`: records of services and requests are of an hour each, else of a day; both are taken back.
        """
        by_customer: dict[str, list[Agreement]] = {}
        for agreement in agreements:
            by_customer.setdefault(agreement.customer, []).append(agreement)
        self._slots = SlotFacts(hourly=hourly)
        self.customers = {
            name: Customer(name, found, self._slots) for name, found in sorted(by_customer.items())
        }
        self._services = ServiceFacts(self.customers, self._slots, self._soil, durable=durable)
        self.now: int | None = None
        self._steps = steps
        self._on_time = on_time
        self._durable = durable
        self._keep = keep
        self._horizon = -FOREVER  # see `horizon`
        self._subject_limit = FOREVER if subject_limit is None else subject_limit
        self._limit = FOREVER  # the same, but what is restored is never too much
        self._recall = recall
        self._at_hand = at_hand
        self._cooling: deque[tuple[int, Customer, Ticket]] = deque()  # decided ones, with when to pack them
        self._sweep: Iterator[FactKey | None] | None = None  # what is looked through, to be forgotten
        self._sweeps_at = -FOREVER  # the next time
        self.told_in_part = 0  # of the tickets packed so far, those of which no record says what they came to
        self._released_unknown = 0  # of the packed and the released tickets, those that nobody saw open
        self._alerts = AlertBook()
        self._decisions: list[Decision] = []
        self._told: list[tuple[AlertSubject, list[Decision]]] = []  # alerts of the instant judged
        self._aside: dict[FactKey, Facts] = {}  # restored, but no agreement speaks of it
        self._changed: dict[FactKey, None] = {}  # records to write, in the order of their first change
        self._dirty: dict[int, Subject] = {}  # by identity, in the order of their first change
        self._timers: list[tuple[int, tuple[str, ...], int, Subject]] = []  # at one key in the order of names
        self._armed = 0  # timers ever set: no two entries are equal
        self._outdated = 0  # of the timers, those that were set anew since, or are not wanted any more
        self._said: dict[
            int, tuple[int, Standing]
        ] = {}  # the last standing written, by identity of the watch
        self._orphans: list[AlertSubject] = []  # no agreement speaks of them any more, their alerts must end
        self._swept_at: int | None = None
        for customer in self.customers.values():
            for watch in customer.watches():
                self._soil(watch)

    # Facts ----------------------------------------------------------------------------------------------------------

    def restore(self, key: FactKey, facts: Facts | None) -> None:
        """Take back a record that an earlier monitor wrote (None: it is gone); only before the first `advance`.

        Events of a key may be given again, with more than before; of alerts and statements the last one given holds.
        What no agreement speaks of any more is kept aside: should an agreement come back, so do its facts. But what
        arrives while no agreement speaks of it (`Taken.UNMATCHED`) is kept by nobody.
        """
        if facts is None:
            self._forget(key)
            return
        if self._slots.is_outgrown(key):
            parts = self._slots.resized(facts)
            for one, part in parts.items():
                self.restore(one, part)
            self._services.replace(key, parts)
            return
        if facts.tickets is not None and self._restore_ticket(key, facts.tickets):
            return
        events: tuple[Event, ...] = (
            *(facts.tickets or ()),
            *(facts.services or ()),
            *(facts.requests or ()),
            *(facts.exclusions or ()),
        )
        # They are about one subject: an agreement speaks of all of them or of none.
        spoken_of = all(self.apply(event) is not Taken.UNMATCHED for event in events)
        if facts.alert is not None:
            self._alerts.restore(key.subject, facts.alert)
        if facts.statement is not None:
            watch = self._watch_of(facts.statement)
            if watch is not None:
                watch.settlement.restore(facts.statement)
            spoken_of = watch is not None
        if not spoken_of:
            known = self._aside.get(key) if key.kind in WIDTHS else None
            self._aside[key] = facts if known is None else joined(known, facts)

    def _restore_ticket(self, key: FactKey, events: Sequence[TicketEvent]) -> bool:
        """Take back a ticket of which nothing is known yet, whole; False: it has to be taken event by event."""
        customer = self.customers.get(key.customer or "")
        if customer is None or not customer.hears_tickets or self._knows(customer.id, key.subject):
            return False
        ticket = customer.ticket(key.subject)
        ticket.history.load(events)
        self._soil(ticket)
        return True

    def restore_packed(self, key: FactKey, packed: bytes) -> bool:
        """Take back a ticket by what it came to, if `packed` says it (see `ticket_rows`), without judging it.

        False: it does not, or what it came to may be another by now; nothing was taken.
        """
        customer = self.customers.get(key.customer or "")
        if customer is None or key.subject in customer.tickets or key.subject in customer.cold:
            return False
        upshot = customer.restore_packed(key.subject, packed)
        if upshot is None:
            return False
        self._released_unknown += upshot.opening_unknown
        return True

    def start(self, now: int) -> None:
        """Everything is restored: derive all verdicts as of `now`; what fires or is settled is not said again.

        If an agreement was corrected since, the next `advance` says what became of it: settled statements get a revision,
        alerts that are not true by the terms of now are resolved.
        """
        self._move_to(now)
        for customer in self.customers.values():
            for ticket in customer.tickets.values():
                self._soil(ticket)
            for watch in customer.watches():
                watch.settlement.restored(self._horizon)
        for subject in self._alerts.subjects():
            self._find_owner(subject, now)
        self._changed.clear()
        self._services.take_back(self._horizon)

    def _find_owner(self, subject: AlertSubject, now: int) -> None:
        """Somebody has to end the alerts of a subject, also when its ticket, objective, version or customer is gone."""
        customer = self.customers.get(subject[1])
        if customer is None:
            self._orphans.append(subject)
        elif subject[0] == "ticket":
            ticket = subject[2]
            if ticket in customer.cold and not self._alerts.fires(subject):
                customer.cold.keep_alerts(ticket, self._alerts.release(subject))
            else:
                self._soil(self._recalled(customer, ticket) or customer.ticket(ticket))
        elif subject not in customer.watch_of:
            heir = customer.watch_in_effect(agreement=subject[2], objective=subject[3], now=now)
            if heir is None:
                self._orphans.append(subject)
            else:
                self._alerts.hand_over(subject, heir.subject)

    def apply(self, event: Event) -> Taken:
        """Take a fact. What follows from it is decided by the next `advance`."""
        match event:
            case TicketEvent():
                return self._take_ticket(event)
            case AvailabilityEvent():
                return self._services.take_status(event, self._horizon, self._limit)
            case ExclusionEvent():
                return self._take_exclusion(event)
            case RequestsEvent():
                return self._services.take_requests(event, self._horizon, self._limit)
            case _:
                assert_never(event)

    def lose_sight(self, mark: str, since: int) -> None:
        """Events were lost that nobody will ever read: of no service is anything known from `since` on, or from what was
        last heard of it if that is later, until it is heard of again.

        It is kept like an event, with the id `mark`.
        """
        for customer in self.customers.values():
            for service in sorted(customer.services):
                newest = customer.timeline(service).newest()
                if newest is not None:  # else nothing was known anyway
                    at = max(since, newest + 1)
                    lost = AvailabilityEvent(mark, at, customer.id, service, ServiceStatus.UNKNOWN)
                    self._services.take_status(lost, -FOREVER, FOREVER)

    def _take_ticket(self, event: TicketEvent) -> Taken:
        customer = self.customers.get(event.customer)
        if customer is None or not customer.hears_tickets:
            return Taken.UNMATCHED
        if event.time < self._horizon:
            return Taken.TOO_LATE
        ticket = customer.tickets.get(event.ticket) or self._recalled(customer, event.ticket)
        if ticket is None:
            if event.opened_at is not None and event.opened_at < self._horizon:
                return Taken.TOO_LATE
            ticket = customer.ticket(event.ticket)
        known = ticket.history.find(event)
        if known is not None:
            return _repeated(known, event)
        if len(ticket.history.events) >= self._limit:
            return Taken.SUBJECT_TOO_LARGE
        ticket.add(event)
        self._soil(ticket)
        if self._durable:
            self._changed[ticket.key] = None
        return Taken.ACCEPTED if ticket.history.events[-1] is event else Taken.LATE

    def _take_exclusion(self, event: ExclusionEvent) -> Taken:
        customer = self.customers.get(event.customer)
        if customer is None or not any(customer.service_watches()):
            return Taken.UNMATCHED
        if min(event.time, event.time if event.end is None else event.end) < self._horizon:
            return Taken.TOO_LATE
        events = customer.exclusions.get(event.exclusion, [])
        known = next((one for one in events if one.id == event.id), None)
        if known is not None:
            return _repeated(known, event)
        if len(events) >= self._limit:
            return Taken.SUBJECT_TOO_LARGE
        customer.add_exclusion(event)
        if self._durable:
            self._changed[FactKey(FactKind.EXCLUSION, customer.id, event.exclusion)] = None
        for watch in customer.service_watches():
            self._soil(watch)
        return Taken.ACCEPTED if customer.exclusions[event.exclusion][-1] is event else Taken.LATE

    def _watch_of(self, statement: Statement) -> Watch | None:
        customer = self.customers.get(statement.customer)
        if customer is None:
            return None
        for watch in customer.watches():
            agreement = watch.agreement
            here = agreement.name == statement.agreement and watch.objective.name == statement.objective
            if here and agreement.start < statement.end <= agreement.end:
                return watch
        return None

    # Time -----------------------------------------------------------------------------------------------------------

    def advance(self, now: int) -> None:
        """The clock shows `now`, not before what it showed: judge what changed, and what came due."""
        for _ in self.advancing(now):
            pass

    def advancing(self, now: int) -> Generator[None]:
        """As `advance`, with a break for others every few milliseconds: after a restore, all tickets are to be judged.

        Nothing may be applied in a break; everything else may be asked, but that verdicts are of all facts holds only at the
        end. What is left when it is closed before is judged the next time.
        """
        if self.now is not None and now < self.now:
            raise ValueError(f"the clock went back from {self.now} to {now}")
        if self._steps:
            if self._timers and self._timers[0][0] <= 2 * now:
                self._pass_timers(2 * now - 1)
                # Facts of this instant hold; what is due at it waits.
                self._collect_timers(2 * now, of=Ticket)
            self._move_to(now)
            if self._dirty or self._orphans:
                yield from self._judging(now, 2 * now - 1, now)
        else:
            self._collect_timers(2 * now)
            self._move_to(now)
            if self._dirty or self._orphans:
                yield from self._judging(now, 2 * now, now - self._on_time)
        if self._durable:
            yield from self._saying_standings(now)
            self._pack_decided(now)
            if self._keep is not None:
                self._forget_some(now)
                self._services.forget(self._horizon)

    def _move_to(self, now: int) -> None:
        self.now = now
        self._limit = self._subject_limit
        if self._keep is not None and now:
            self._horizon = now - self._keep

    def horizon(self) -> int:
        """What speaks of a time before this instant comes too late.

        So long as nothing was ever judged (the clock shows nothing, or 0) nothing is too late: a task that begins reads all
        the history there is. What is restored is never too late, and never too much.
        """
        return self._horizon

    def finish(self) -> None:
        """The input has ended (replay): what is due exactly now waits no longer.

        Verdicts stay as of now; only the alerts of limits reached exactly now are told, as if the clock had passed it.
        """
        if self.now is None:
            return
        now = self.now
        self._pass_timers(2 * now)
        self._collect_timers(2 * now + 1)
        subjects, self._dirty = list(self._dirty.values()), {}
        when = Instant(now + 1, now, self._steps)
        for subject in subjects:
            if isinstance(subject, Ticket):
                self._settle_ticket_alerts(subject, subject.look(when.now), when)
            else:
                self._settle_watch_alerts(subject, when)
                if isinstance(subject, AvailabilityWatch):
                    subject.rewind()
        self._decide_alerts()

    def wake_at(self) -> int | None:
        """The next instant (microseconds) at which something is due although no event comes."""
        due = self._next_timer()
        if self._keep is None or not self._durable:
            return due
        goes_on = self._sweeps_at if self._sweep is None else self._clock()
        return goes_on if due is None else min(due, goes_on)

    def _next_timer(self) -> int | None:
        while self._timers and self._timers[0][-1].armed != self._timers[0][0]:
            heapq.heappop(self._timers)  # armed anew since
            self._outdated -= 1
        return None if not self._timers else (self._timers[0][0] + 1) // 2

    def _pass_timers(self, until: int) -> None:
        """Visit every key up to `until`, each with all that is due at it."""
        timers = self._timers
        while timers and timers[0][0] <= until:
            if self._next_timer() is None or timers[0][0] > until:
                return
            key = timers[0][0]
            self._collect_timers(key)
            self.now = (key + 1) // 2
            if self._dirty:
                self._judge(self.now, key, key // 2)

    def _collect_timers(self, until: int, of: type[Ticket] | None = None) -> None:
        """What is due by `until` has changed; `of`: only such subjects, the others wait on."""
        if not self._timers or self._timers[0][0] > until:
            return
        waiting = []
        while self._next_timer() is not None and self._timers[0][0] <= until:
            timer = heapq.heappop(self._timers)
            key, subject = timer[0], timer[-1]
            if of is not None and not isinstance(subject, of):
                waiting.append(timer)
                continue
            subject.armed = None
            later = subject.put_off(key) if isinstance(subject, AvailabilityWatch) else None
            if later is None:
                self._soil(subject)
            else:
                self._arm(subject, later)
        for timer in waiting:
            heapq.heappush(self._timers, timer)

    def _arm(self, subject: Subject, key: int | None) -> None:
        if key == subject.armed:
            return
        if subject.armed is not None:
            self._outdated += 1
        subject.armed = key
        if key is not None:
            self._armed += 1
            heapq.heappush(self._timers, (key, subject.subject, self._armed, subject))
        if self._outdated > MANY_TIMERS and 2 * self._outdated > len(self._timers):
            self._drop_outdated_timers()

    def _drop_outdated_timers(self) -> None:
        """They would hold on to what is packed or released."""
        self._timers = [timer for timer in self._timers if timer[-1].armed == timer[0]]
        heapq.heapify(self._timers)
        self._outdated = 0

    def _soil(self, subject: Subject) -> None:
        self._dirty[id(subject)] = subject

    # Decided tickets, packed or released, and recalled ----------------------------------------------------------------

    def _cool(self, customer: Customer, ticket: Ticket, now: int) -> None:
        """A ticket is decided: pack it when it was not heard of for a while."""
        events = ticket.history.events
        if not events:
            del customer.tickets[ticket.id]  # only its alerts had to be ended
        elif events[-1].time <= now - self._at_hand:
            self._pack(customer, ticket)
        else:
            self._cooling.append((now + self._at_hand, customer, ticket))

    def _pack_decided(self, now: int) -> None:
        for _ in range(PACKED_AT_ONCE):
            if not self._cooling or self._cooling[0][0] > now:
                return
            _, customer, ticket = self._cooling.popleft()
            if customer.tickets.get(ticket.id) is ticket and ticket.decided:
                self._pack(customer, ticket)

    def _pack(self, customer: Customer, ticket: Ticket) -> None:
        self.told_in_part += not ticket.told_in_full
        customer.cold.keep(ticket.id, self._parted_from(customer, ticket))

    def _parted_from(self, customer: Customer, ticket: Ticket) -> Kept:
        """What is kept of a decided ticket, which is no longer at hand then."""
        del customer.tickets[ticket.id]
        self._released_unknown += ticket.history.opening_unknown
        return customer.kept(ticket, self._alerts.release(ticket.subject))

    def release(self) -> Iterator[Released]:
        """Forget every ticket of which time alone changes nothing more; only when all is judged and drained.

        What it came to stays counted. Whoever keeps what is returned gives it back through `recall` as soon as the ticket
        is heard of again, and all goes on as if it had never been away.
        """
        now = self._clock()
        self._drop_outdated_timers()
        for customer in self.customers.values():
            for ticket in [one for one in customer.tickets.values() if one.decided]:
                kept = self._parted_from(customer, ticket)
                yield Released(customer.id, ticket.id, kept, tuple(ticket.records(now)))

    def _recalled(self, customer: Customer, ticket: str) -> Ticket | None:
        """The ticket that was packed or released, to be judged again; None: nobody knows it."""
        kept = customer.cold.take(ticket)
        if kept is None and self._recall is not None:
            kept = self._recall(customer.id, ticket)
        if kept is None:
            return None
        found = customer.take_back(ticket, kept)
        self._released_unknown -= kept.upshot.opening_unknown
        for id_, memory in kept.alerts.items():
            self._alerts.restore(id_, memory)
        self._soil(found)
        return found

    # What can matter no more ------------------------------------------------------------------------------------------

    def _forget_some(self, now: int) -> None:
        """Go on looking through what is kept, and forget what is due."""
        if self._sweep is None and now >= self._sweeps_at:
            self._sweep = forgettable(self.customers.values(), self._alerts, self._aside, self._horizon)
            self._sweeps_at = now + FORGOTTEN_EVERY
        looks = 0
        for due in self._sweep or ():
            if due is not None:
                looks += FORGETTING_COSTS
                for key in self._forget(due):
                    self._say_gone(key)
            looks += 1
            if looks >= LOOKS_AT_ONCE:
                return
        self._sweep = None

    def _forget(self, key: FactKey) -> list[FactKey]:
        """As if what stands under the key had never been. Returns all keys under which nothing stands now."""
        self._aside.pop(key, None)
        customer = self.customers.get(key.customer or "")
        match key.kind:
            case FactKind.TICKET:
                alerts = self._alerts.release(("ticket", key.customer or "", key.subject))
                if customer is not None:
                    alerts |= self._forget_ticket(customer, key.subject)
                return [key, *(FactKey(FactKind.ALERT, key.customer, id_) for id_ in alerts)]
            case FactKind.EXCLUSION if customer is not None:
                customer.forget_exclusion(key.subject)
            case FactKind.ALERT:
                self._alerts.forget(key.subject)
            case FactKind.STATEMENT if customer is not None:
                customer.forget_statement(key)
            case _:
                pass  # kept aside only
        return [key]

    def _forget_ticket(self, customer: Customer, ticket: str) -> dict[str, AlertMemory]:
        """Returns the alerts that were packed with it."""
        at_hand = customer.tickets.get(ticket)
        if at_hand is not None:
            customer.forget_ticket(at_hand)
            return {}
        packed = customer.cold.drop(ticket)
        if packed is None:
            return {}
        upshot, alerts = packed
        customer.forget_decided(ticket, upshot)
        self._released_unknown -= upshot.opening_unknown
        return alerts

    def _say_gone(self, key: FactKey) -> None:
        if key.kind in (FactKind.ALERT, FactKind.STATEMENT):
            self._decisions.append(FactsChanged(key, None))
        else:
            self._changed[key] = (
                None  # as all others that changed: it may be there again before it is asked for
            )

    # Verdicts -------------------------------------------------------------------------------------------------------

    def _judge(self, now: int, key: int, on_time: int) -> None:
        for _ in self._judging(now, key, on_time):
            pass

    def _judging(self, now: int, key: int, on_time: int) -> Generator[None]:
        """Judge everything that changed, as of `now`, with breaks; statements due by `key` are given.

        In every break, and when it is given up, the alerts so far are decided: their memories say already that they were told,
        and may be committed.
        """
        when = Instant(now, on_time, self._steps)
        for orphan in self._orphans:
            self._settle_alerts(orphan[1], orphan, [], lambda *_: Ending(Reason.AMENDED, now), when)
        self._orphans.clear()
        watches: dict[int, Watch] = {}
        counted: dict[int, TicketWatch] = {}
        moved: dict[int, Watch] = {}
        effort, whole = 0, False
        dirty = self._dirty
        try:
            while dirty:
                self._dirty = {}
                for identity, subject in dirty.items():
                    if isinstance(subject, Ticket):
                        self._judge_ticket(subject, when, watches, counted)
                    else:
                        watches[identity] = subject
                        self._meet_period_end(subject, now)
                    effort += 1
                    if effort % BETWEEN_BREAKS == 0:
                        self._decide_alerts()
                        yield
                dirty = self._dirty
            for watch in watches.values():
                self._judge_watch(watch, when, key, moved)
                effort += A_WATCH
                if effort % BETWEEN_BREAKS < A_WATCH:
                    self._decide_alerts()
                    yield
            for watch in moved.values():  # all that follow a revision: what they say moves nobody else
                self._judge_watch(watch, when, key, {})
            for identity, ticket_watch in counted.items():
                if identity not in watches:  # else it is said already
                    self._say_standing(ticket_watch, now)
            whole = True
        finally:
            if not whole:  # what was judged already comes out the same once more
                self._dirty = {**dirty, **watches, **moved, **self._dirty}
            self._decide_alerts()

    def _meet_period_end(self, watch: Watch, now: int) -> None:
        """When a period of tickets has ended, those pending then are counted as pending of it."""
        span = watch.settlement.next_span()
        if isinstance(watch, TicketWatch) and span is not None and span[1] <= now:
            for ticket in self.customers[watch.agreement.customer].pending.values():
                self._soil(ticket)

    def _judge_ticket(
        self,
        ticket: Ticket,
        when: Instant,
        watches: dict[int, Watch],
        counted: dict[int, TicketWatch],
    ) -> None:
        """`watches` gets those to be judged; `counted` those of which no more than the standing is another."""
        customer = self.customers[ticket.customer]
        if customer.tickets.get(ticket.id) is not ticket:
            return  # judged a moment ago, and packed
        customer.version += 1
        ticket.read(when.now)
        looked = ticket.look(when.now)
        changed = customer.tell_tally(ticket, looked)
        if changed:
            for watch in customer.ticket_watches:
                since = changed.get((watch.agreement.name, watch.objective.name))
                if since is not None and watch.settlement.concerns(since, when.now):
                    watch.settlement.unsettle(since)
                    watches[id(watch)] = watch
                elif since is not None:
                    counted[id(watch)] = watch
        for down_watch, since in customer.tell_downtime(ticket, when.now):
            down_watch.settlement.unsettle(since)
            watches[id(down_watch)] = down_watch
        self._settle_ticket_alerts(ticket, looked, when)
        wake_at = ticket.wake_at(when.now)
        self._arm(ticket, wake_at)
        ticket.decided = wake_at is None and not ticket.runs()
        if ticket.decided and self._durable:
            self._cool(customer, ticket, when.now)

    def _judge_watch(self, watch: Watch, when: Instant, key: int, moved: dict[int, Watch]) -> None:
        """`moved` gets the watches whose credits may change by what this one says anew."""
        customer = self.customers[watch.agreement.customer]
        watch.notice(when.now)
        wake_at = self._settle_watch_alerts(watch, when)
        due_before = watch.settlement.due_at()
        for statement in watch.settlement.issue(
            key // 2, self._horizon, lambda period: customer.statement(watch, period, when.now)
        ):
            kept = FactsChanged(statement_fact(statement), Facts(statement=statement))
            self._decisions += [kept, StatementIssued(statement)]
            if statement.revision > 1:
                for other in customer.moved_by(watch):
                    other.settlement.unsettle(statement.end - 1)
                    moved[id(other)] = other
        if watch.settlement.due_at() != due_before:  # the next period's turn
            wake_at = self._settle_watch_alerts(watch, when)
        self._arm(watch, wake_at)
        self._say_standing(watch, when.now)

    def _settle_ticket_alerts(self, ticket: Ticket, looked: Sequence[Look], when: Instant) -> None:
        judged = [wanted_alert(one, when.now) for one in looked]
        wanted = [one for one in judged if one is not None]
        if not wanted and not self._alerts.remembers(ticket.subject):
            return  # most tickets never alert

        def ending(memory: AlertMemory, firing: AlertTransition) -> Ending:
            return ending_of(ticket, memory, firing, wanted, when.now)

        self._settle_alerts(ticket.customer, ticket.subject, wanted, ending, when)

    def _settle_watch_alerts(self, watch: Watch, when: Instant) -> int | None:
        judgement = watch.judge(when.now)

        def ending(memory: AlertMemory, firing: AlertTransition) -> Ending:
            return watch.ending_of(memory, firing, judgement.wanted, when.now, self._horizon)

        self._settle_alerts(watch.agreement.customer, watch.subject, judgement.wanted, ending, when)
        return judgement.wake_at

    def _settle_alerts(
        self,
        customer: str,
        subject: tuple[str, ...],
        wanted: Sequence[Wanted],
        ending: Callable[[AlertMemory, AlertTransition], Ending],
        when: Instant,
    ) -> None:
        for id_, memory, transition in self._alerts.settle(customer, subject, wanted, ending, when):
            decided: list[Decision] = [AlertChanged(transition)]
            if self._durable:
                kept = FactsChanged(FactKey(FactKind.ALERT, customer, id_), Facts(alert=memory))
                decided.insert(0, kept)
            self._told.append((subject, decided))

    def _decide_alerts(self) -> None:
        """Of one instant in the order of names, so that what was heard first, or a restart, does not show in it."""
        self._told.sort(key=itemgetter(0))
        for _, decided in self._told:
            self._decisions += decided
        self._told.clear()

    # Standings ------------------------------------------------------------------------------------------------------

    def _say_standing(self, watch: Watch, now: int) -> None:
        """Write the standing if what matters of it changed, or if a minute has passed since it was written."""
        if not self._durable:
            return
        standing = watch.standing(now)
        if standing is None:
            return
        said_at, said = self._said.get(id(watch), (None, None))
        if (
            said is None
            or said_at is None
            or _matters(standing) != _matters(said)
            or now - said_at >= STANDING_EVERY
        ):
            self._said[id(watch)] = (now, standing)
            self._decisions.append(StandingChanged(standing))

    def _saying_standings(self, now: int) -> Generator[None]:
        """All of them, now and then, with breaks; given up before the end, it begins anew the next time."""
        if self._swept_at is not None and now - self._swept_at < STANDING_EVERY:
            return
        for number, watch in enumerate(self.watches(), 1):
            self._say_standing(watch, now)
            if number % BETWEEN_BREAKS == 0:
                yield
        self._swept_at = now

    # What is asked of it --------------------------------------------------------------------------------------------

    def drain(self) -> list[Decision]:
        """What was decided since the last call: changed records first, then the rest in the order of deciding."""
        if not self._changed and not self._decisions and not self._services.has_changed():
            return []
        records = [FactsChanged(key, self._facts(key)) for key in self._changed]
        decided = [*self._services.changed(self._facts), *records, *self._decisions]
        self._changed = {}
        self._decisions = []
        return decided

    def facts(self) -> Iterator[tuple[FactKey, Facts]]:
        """Everything that another monitor needs to go on from here, by `restore` and `start`.

        It may go on itself meanwhile: a record is given as it is then, unless it is gone, and those that are new come by
        `drain`. To give what `drain` has called gone would bring it back for good.
        """
        keys = [
            *self._slots.keys(),
            *(
                FactKey(FactKind.TICKET, customer.id, ticket)
                for customer in self.customers.values()
                for ticket in (*customer.tickets, *customer.cold.names())
            ),
            *(
                FactKey(FactKind.EXCLUSION, customer.id, exclusion)
                for customer in self.customers.values()
                for exclusion in customer.exclusions
            ),
        ]
        for key in keys:
            facts = self._facts(key)
            if facts is not None:
                yield key, facts
            if key.kind is FactKind.TICKET:
                for id_, memory in self._alerts_of_ticket(key):
                    yield FactKey(FactKind.ALERT, key.customer, id_), Facts(alert=memory)
        for subject, id_, memory in self._alerts.memories():
            if subject[0] != "ticket" or not self._knows(*subject[1:]):
                yield FactKey(FactKind.ALERT, subject[1], id_), Facts(alert=memory)
        for watch in self.watches():
            for statement in watch.settlement.statements():
                yield statement_fact(statement), Facts(statement=statement)
        for key in list(self._aside):
            if key in self._aside:
                yield key, self._aside[key]
        yield from self._services.outgrown(self._facts)

    def upshot(self, key: FactKey) -> Upshot | None:
        """What the ticket came to, for the record that is written of it now: what was drained last.

        None: it may come to something else, or was not judged since it was heard of.
        """
        customer = self.customers.get(key.customer or "")
        if customer is None:
            return None
        ticket = customer.tickets.get(key.subject)
        if ticket is None:
            return customer.cold.upshot(key.subject)
        if not ticket.decided:
            return None
        ticket.told_in_full = True
        return customer.upshot(ticket)

    def count_facts(self) -> int:
        """How many `facts` would give, without making them; or some more, for tickets of which only alerts are known."""
        return (
            len(self._slots)
            + self._services.count_outgrown()
            + sum(
                len(customer.tickets) + len(customer.cold) + customer.cold.alerts + len(customer.exclusions)
                for customer in self.customers.values()
            )
            + self._alerts.count()
            + sum(1 for watch in self.watches() for _ in watch.settlement.statements())
            + len(self._aside)
        )

    def _facts(self, key: FactKey) -> Facts | None:
        """What stands under the key; None: nothing."""
        if key.kind in WIDTHS:
            return self._slots.facts(key) or self._aside.get(key)
        customer = self.customers.get(key.customer or "")
        if customer is None:
            return None
        if key.kind is FactKind.TICKET:
            events = customer.events_of(key.subject)
            return Facts(tickets=events) if events else None
        exclusions = customer.exclusions.get(key.subject)
        return Facts(exclusions=tuple(exclusions)) if exclusions else None

    def _knows(self, customer: str, ticket: str) -> bool:
        found = self.customers.get(customer)
        return found is not None and (ticket in found.tickets or ticket in found.cold)

    def _alerts_of_ticket(self, key: FactKey) -> list[tuple[str, AlertMemory]]:
        customer = self.customers[key.customer or ""]
        at_hand = self._alerts.of(("ticket", customer.id, key.subject))
        return [*at_hand.items(), *customer.cold.alerts_of(key.subject).items()]

    def clocks(self) -> Iterator[ClockRecord]:
        """Every clock as of now, in the order customer, agreement, objective, ticket, measure, cycle."""
        now = self._clock()
        found = [
            record
            for customer in self.customers.values()
            for ticket in customer.every_ticket(now)
            for record in ticket.records(now)
        ]
        found.sort(key=lambda r: (r.customer, r.agreement, r.objective, r.ticket, r.measure.value, r.cycle))
        yield from found

    def standings(self) -> Iterator[Standing]:
        """Every objective in effect as of now, in the order customer, agreement, objective."""
        now = self._clock()
        found = [standing for watch in self.watches() if (standing := watch.standing(now)) is not None]
        yield from sorted(found, key=lambda s: (s.customer, s.agreement, s.objective))

    def statements(self) -> Iterator[Statement]:
        """The newest revision of every statement given, in the order customer, agreement, objective, period."""
        found = [statement for watch in self.watches() for statement in watch.settlement.statements()]
        yield from sorted(found, key=lambda s: (s.customer, s.agreement, s.objective, s.start, s.end))

    def watches(self) -> Iterator[Watch]:
        """Every watched objective."""
        for customer in self.customers.values():
            yield from customer.watches()

    def firing(self) -> list[AlertTransition]:
        """The alerts that fire, each as it was announced."""
        return self._alerts.firing()

    def opening_unknown(self) -> int:
        """Tickets without clocks because nobody saw them open."""
        return self._released_unknown + sum(
            ticket.history.opening_unknown for c in self.customers.values() for ticket in c.tickets.values()
        )

    def _clock(self) -> int:
        if self.now is None:
            raise ValueError("the clock has not been set: call advance first")
        return self.now


def _repeated(known: Event, event: Event) -> Taken:
    return Taken.DUPLICATE if known == event else Taken.CONFLICTING_DUPLICATE


def _matters(standing: Standing) -> tuple[object, ...]:
    return standing.standing, standing.tickets, standing.period, standing.exhausted_at
