"""What an explanation shows is what was judged: every figure is that of the record, and the parts add up to it."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

from hypothesis import given, settings

from slamon.domain.agreement import Agreement, ExclusionsCountAs
from slamon.domain.counted_time import counted_time
from slamon.domain.customer import Watch
from slamon.domain.decisions import ClockOutcome, Standing, Statement, TicketCounts
from slamon.domain.events import Event, TicketEvent, order_key
from slamon.domain.explanations.counted_days import rows
from slamon.domain.explanations.of_attainment import explain_attainment
from slamon.domain.explanations.of_availability import explain_availability
from slamon.domain.explanations.of_exclusions import Refusal
from slamon.domain.explanations.of_requests import explain_requests
from slamon.domain.explanations.of_ticket import Change, Heard, Kind, TicketExplanation, explain_ticket
from slamon.domain.intervals import Span
from slamon.domain.monitor import Monitor
from slamon.domain.request_counts import Requests
from slamon.replay import judge
from tests.laws.worlds import CUSTOMER, World, request_worlds, service_worlds, ticket_worlds

STOPS = (Change.STOPPED, Change.VOIDED)
UNDOINGS = (Change.REOPENED, Change.UNCANCELLED)
laws = settings(deadline=None, max_examples=120)


def in_order(world: World) -> list[Event]:
    return sorted((event for event in world.events if event.time <= world.until), key=order_key)


def explained(
    agreements: Sequence[Agreement], events: Iterable[Event], until: int
) -> list[TicketExplanation]:
    """Every ticket of the world."""
    heard: dict[str, list[Heard]] = {}
    monitor = Monitor(agreements, steps=True, durable=False)
    for line, event in enumerate(events, start=1):
        taken = monitor.apply(event)
        if isinstance(event, TicketEvent):
            heard.setdefault(event.ticket, []).append(Heard(event, line, event.time, taken))
    monitor.advance(until)
    monitor.finish()
    customer = monitor.customers[CUSTOMER]
    return [explain_ticket(customer.tickets[ticket], of_it, until) for ticket, of_it in heard.items()]


@laws
@given(ticket_worlds())
def test_the_clocks_of_an_explanation_are_those_of_the_replay(world: World) -> None:
    if not world.agreements:
        return
    found = explained(world.agreements, in_order(world), world.until)
    told = {(story.record.ticket, *story.identity): story.record for each in found for story in each.clocks}
    judged = judge(world.agreements, in_order(world), world.until)
    records = judged.clocks() if judged.now is not None else ()
    assert told == {
        (record.ticket, record.agreement, record.measure.value, record.cycle): record for record in records
    }


@laws
@given(ticket_worlds())
def test_the_stints_of_a_clock_add_up_to_its_record(world: World) -> None:
    if not world.agreements:
        return
    for each in explained(world.agreements, in_order(world), world.until):
        for story in each.clocks:
            stints, record = story.stints, story.record
            assert sum(one.opening for one in stints if one.kind is Kind.COUNTED) == record.elapsed
            assert sum(one.opening for one in stints if one.kind is Kind.PAUSED) == record.paused
            assert all(one.opening == one.calendar.elapsed(one.start, one.end) for one in stints)
            edges = [record.started_at, *(one.end for one in stints)]
            assert [one.start for one in stints] == edges[:-1]
            assert edges[-1] == (each.as_of if record.stopped_at is None else record.stopped_at)


@laws
@given(ticket_worlds(fine=False))
def test_the_days_of_a_clock_add_up_to_its_record(world: World) -> None:
    if not world.agreements:
        return
    for each in explained(world.agreements, in_order(world), world.until):
        for story in each.clocks:
            table = rows(story.stints, "Europe/Berlin")
            assert (table == []) == all(one.calendar.always for one in story.stints)
            if table:
                assert sum(row.counted for row in table) == story.record.elapsed
                assert sum(row.paused for row in table) == story.record.paused
                assert all(row.first <= row.last for row in table)


@laws
@given(ticket_worlds())
def test_the_effects_of_a_clock_lead_to_its_record(world: World) -> None:
    if not world.agreements:
        return
    for each in explained(world.agreements, in_order(world), world.until):
        effects = [effect for entry in each.entries for effect in entry.effects]
        assert [effect.at for effect in effects] == sorted(effect.at for effect in effects)
        for story in each.clocks:
            own = [effect for effect in effects if effect.clock == story.identity]
            record = story.record
            assert own[0].change is Change.STARTED
            breaches = [effect.at for effect in own if effect.change is Change.BREACHED]
            assert breaches == ([] if record.breached_at is None else [record.breached_at])
            ends = [effect for effect in own if effect.change in (*STOPS, *UNDOINGS)]
            if record.outcome in (ClockOutcome.MET, ClockOutcome.VOID):
                assert (ends[-1].at, ends[-1].stopped_at) == (record.decided_at, record.stopped_at)
                assert ends[-1].outcome is record.outcome
                assert ends[-1].elapsed == record.elapsed
            elif record.outcome is ClockOutcome.PENDING:
                assert not ends or ends[-1].change in UNDOINGS
            governed = [effect for effect in own if effect.change in (Change.GOVERNED, Change.RESET)]
            assert governed[-1].objective is not None
            assert governed[-1].objective.name == record.objective


# ------------------------------------------------------------------------------------------------------- objectives


def periods_of(monitor: Monitor, watch: Watch) -> Iterator[tuple[Span, Statement | Standing]]:
    """The settled periods of an objective, and the running one."""
    now = monitor.now
    assert now is not None
    yield from watch.settlement.settled.items()
    standing = watch.standing(now)
    if standing is not None:
        yield standing.period, standing


def finished(world: World) -> Monitor | None:
    """The monitor after a replay; None if nothing is promised, or nothing ever came."""
    monitor = judge(world.agreements, in_order(world), world.until)
    return None if monitor.now is None or not world.agreements else monitor


@laws
@given(ticket_worlds())
def test_the_cycles_of_a_period_are_as_many_as_were_said(world: World) -> None:
    monitor = finished(world)
    if monitor is None:
        return
    for customer in monitor.customers.values():
        for watch in customer.ticket_watches:
            for span, said in periods_of(monitor, watch):
                found = explain_attainment(customer, watch, span, said, world.until)
                outcomes = Counter(record.outcome for record in found.decided)
                counts = TicketCounts(
                    outcomes[ClockOutcome.MET], outcomes[ClockOutcome.MISSED], len(found.pending)
                )
                assert counts == said.tickets


@laws
@given(ticket_worlds())
def test_a_cycle_counts_in_the_period_that_its_ticket_names(world: World) -> None:
    monitor = finished(world)
    if monitor is None:
        return
    named = {
        (story.record.ticket, *story.identity): story.counted_in
        for each in explained(world.agreements, in_order(world), world.until)
        for story in each.clocks
    }
    decided = {
        (record.ticket, record.agreement, record.measure.value, record.cycle): record.decided_at
        for record in monitor.clocks()
    }
    for identity, span in named.items():
        at = decided[identity]
        assert span is None or (at is not None and span[0] <= at < span[1])
    for customer in monitor.customers.values():
        for watch in customer.ticket_watches:
            if watch.objective.attainment.window.rolling is not None:
                continue  # a cycle counts in every window that holds it
            for span, said in periods_of(monitor, watch):
                for record in explain_attainment(customer, watch, span, said, world.until).decided:
                    assert named[record.ticket, record.agreement, record.measure.value, record.cycle] == span


@laws
@given(service_worlds())
def test_the_parts_of_a_period_add_up_to_what_was_said_of_it(world: World) -> None:
    monitor = finished(world)
    if monitor is None:
        return
    for customer in monitor.customers.values():
        for watch in customer.availability_watches:
            for span, said in periods_of(monitor, watch):
                found = explain_availability(customer, watch, span, said, world.until)
                counts = said.seconds
                assert counts is not None
                assert sum(outage.counted for outage in found.outages) == counts.down
                assert sum(gap.counted for gap in found.unknown) == counts.unknown
                assert sum(clause.taken for clause in found.clauses) == counts.excluded
                removed = watch.objective.exclusions_count_as is ExclusionsCountAs.REMOVED
                assert found.hours - (counts.excluded if removed else 0) == counts.applicable
                for outage in found.outages:
                    cut = outage.outside_hours + sum(taken for _, taken in outage.excluded)
                    assert outage.counted == (outage.in_period - cut if outage.long_enough else 0)
                for clause in found.clauses:
                    assert clause.failures <= clause.taken
                    assert all(cap.granted <= cap.asked for cap in clause.caps)


@laws
@given(service_worlds())
def test_the_budget_of_a_period_is_that_of_its_standing_and_its_breach_that_of_its_alert(
    world: World,
) -> None:
    monitor = finished(world)
    if monitor is None:
        return
    for customer in monitor.customers.values():
        for watch in customer.availability_watches:
            for span, said in periods_of(monitor, watch):
                found = explain_availability(customer, watch, span, said, world.until)
                whole, used = found.budget.whole, found.budget.used
                if isinstance(said, Standing):
                    assert said.budget is not None
                    assert (whole, whole - used) == (said.budget.whole, said.budget.remaining)
                    if found.budget.breached_at is not None:
                        assert found.budget.breached_at == said.exhausted_at
                if watch.objective.window.rolling is None:
                    assert (found.budget.breached_at is not None) == (used > whole)


@laws
@given(service_worlds())
def test_every_declared_exclusion_is_said_to_apply_or_why_not(world: World) -> None:
    monitor = finished(world)
    if monitor is None:
        return
    for customer in monitor.customers.values():
        for watch in customer.availability_watches:
            for span, said in periods_of(monitor, watch):
                for story in explain_availability(customer, watch, span, said, world.until).declared:
                    assert (story.clause is None) != (story.refusal is None)
                    assert (story.refusal is Refusal.WITHDRAWN) == (story.announced_at is None)


@laws
@given(request_worlds())
def test_the_requests_of_each_date_add_up_to_what_was_said_of_the_period(world: World) -> None:
    monitor = finished(world)
    if monitor is None:
        return
    for customer in monitor.customers.values():
        for watch in customer.requests_watches:
            for span, said in periods_of(monitor, watch):
                found = explain_requests(customer, watch, span, said, world.until)
                counts = said.requests
                assert counts is not None
                assert sum(one.total for one in found.dates) == Fraction(*counts.total)
                assert sum(one.bad for one in found.dates) == Fraction(*counts.bad)
                if isinstance(said, Statement):
                    assert found.outcome is said.outcome


@laws
@given(request_worlds())
def test_what_no_clause_took_of_the_failed_requests_is_what_counts(world: World) -> None:
    monitor = finished(world)
    if monitor is None:
        return
    for customer in monitor.customers.values():
        for watch in customer.requests_watches:
            for span, said in periods_of(monitor, watch):
                found = explain_requests(customer, watch, span, said, world.until)
                bare = replace(watch.agreement, exclusions=())
                everything = counted_time(bare, watch.objective, (), span)
                requests = Requests(
                    watch.objective, everything, customer.request_log(watch.objective.service), span
                )
                requests.read(world.until)
                failed = Fraction(*requests.counts(span, world.until).bad)
                taken = sum((Fraction(clause.failures) for clause in found.clauses), Fraction(0))
                assert failed - taken == Fraction(*found.counts.bad)
