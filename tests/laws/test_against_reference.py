"""The monitor says what a naive reading of the specification says, counted tick by tick."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from slamon.domain.agreement import Agreement, AvailabilityObjective, RequestsObjective, TicketObjective
from slamon.domain.decisions import Budget, Outcome, Ratios, RequestCounts, SecondCounts, TicketCounts
from slamon.domain.events import Event
from slamon.replay import judge
from tests.laws import reference
from tests.laws.worlds import World, request_worlds, service_worlds, ticket_worlds

chances = st.randoms(use_true_random=False)
Shares = tuple[Fraction | None, ...]


def arrived(world: World, chance: Random) -> list[Event]:
    events = [*world.events, *(event for event in world.events if chance.randrange(4) == 0)]
    chance.shuffle(events)
    return events


def shares(ratios: Ratios) -> Shares:
    found = (ratios.attained, ratios.best_case, ratios.worst_case, ratios.coverage)
    return tuple(None if one is None else Fraction(*one) for one in found)


# -------------------------------------------------------------------------------------------------------------- tickets


@settings(deadline=None, max_examples=150)
@given(ticket_worlds(fine=True), chances)
def test_ticket_clocks_are_what_counting_every_microsecond_gives(world: World, chance: Random) -> None:
    seen = list(judge(world.agreements, arrived(world, chance), world.until).clocks())
    assert seen == reference.clocks(world.agreements, world.events, world.until, world.tick)


@settings(deadline=None, max_examples=60)
@given(ticket_worlds(fine=False), chances)
def test_ticket_clocks_are_what_counting_every_ten_minutes_gives(world: World, chance: Random) -> None:
    seen = list(judge(world.agreements, arrived(world, chance), world.until).clocks())
    assert seen == reference.clocks(world.agreements, world.events, world.until, world.tick)


@settings(deadline=None, max_examples=60)
@given(ticket_worlds(), chances)
def test_statements_count_the_cycles_decided_in_their_period_and_those_pending_at_its_end(
    world: World, chance: Random
) -> None:
    seen: dict[tuple[str, str, int, int], tuple[TicketCounts | None, Shares, Outcome]] = {
        (one.agreement, one.objective, one.start, one.end): (one.tickets, shares(one.ratios), one.outcome)
        for one in judge(world.agreements, arrived(world, chance), world.until).statements()
    }
    expected: dict[tuple[str, str, int, int], tuple[TicketCounts | None, Shares, Outcome]] = {}
    for agreement in world.agreements:
        for objective in agreement.objectives:
            assert isinstance(objective, TicketObjective)
            window = objective.attainment.window
            for period in reference.closed_periods(agreement, window, world.until):
                counts = reference.counts(
                    world.agreements,
                    agreement,
                    objective,
                    world.events,
                    period,
                    world.until,
                    world.tick,
                    closed=True,
                )
                ratios = (counts.ratio, counts.ratio, counts.ratio, None)
                expected[agreement.name, objective.name, *period] = (counts.tickets, ratios, counts.outcome)
    assert seen == expected


@settings(deadline=None, max_examples=60)
@given(ticket_worlds(), chances)
def test_standings_count_the_cycles_of_the_period_so_far(world: World, chance: Random) -> None:
    until = world.until
    seen = {
        (one.agreement, one.objective): (one.period, one.tickets, shares(one.ratios)[0], one.misses_left)
        for one in judge(world.agreements, arrived(world, chance), until).standings()
    }
    expected = {}
    for agreement in world.agreements:
        for objective in agreement.objectives:
            assert isinstance(objective, TicketObjective)
            if agreement.start <= until < agreement.end:
                period = reference.current_period(agreement, objective.attainment.window, until)
                counts = reference.counts(
                    world.agreements,
                    agreement,
                    objective,
                    world.events,
                    period,
                    until,
                    world.tick,
                    closed=False,
                )
                left = reference.misses_left(objective, counts.tickets)
                expected[agreement.name, objective.name] = (period, counts.tickets, counts.ratio, left)
    assert seen == expected


# ------------------------------------------------------------------------------------------------------------- services


@settings(deadline=None, max_examples=60)
@given(service_worlds(), chances)
def test_statements_of_services_are_what_counting_every_tick_gives(world: World, chance: Random) -> None:
    seen: dict[tuple[str, int, int], tuple[SecondCounts | None, Shares, Outcome]] = {
        (one.objective, one.start, one.end): (one.seconds, shares(one.ratios), one.outcome)
        for one in judge(world.agreements, arrived(world, chance), world.until).statements()
    }
    expected: dict[tuple[str, int, int], tuple[SecondCounts | None, Shares, Outcome]] = {}
    for agreement in world.agreements:
        for objective in agreement.objectives:
            assert isinstance(objective, AvailabilityObjective)
            for period in reference.closed_periods(agreement, objective.window, world.until):
                account = reference.account(
                    agreement, objective, world.events, period, world.until, world.tick
                )
                expected[objective.name, *period] = (account.seconds, account.ratios, account.outcome)
    assert seen == expected


@settings(deadline=None, max_examples=60)
@given(service_worlds(), chances)
def test_standings_of_services_are_what_counting_every_tick_gives(world: World, chance: Random) -> None:
    """Down to the instant of exhaustion, for calendar periods; that of a rolling window slides with it."""
    until = world.until
    standings = {
        one.objective: one for one in judge(world.agreements, arrived(world, chance), until).standings()
    }
    expected = 0
    for agreement in world.agreements:
        for objective in agreement.objectives:
            assert isinstance(objective, AvailabilityObjective)
            if not agreement.start <= until < agreement.end:
                continue
            expected += 1
            seen = standings[objective.name]
            period = reference.current_period(agreement, objective.window, until)
            account = reference.account(agreement, objective, world.events, period, until, world.tick)
            assert seen.period == period
            assert seen.seconds == account.seconds
            assert shares(seen.ratios) == account.ratios
            assert seen.budget == Budget(account.budget, account.remaining)
            if objective.window.rolling is None:
                assert seen.exhausted_at == account.exhausted_at
    assert len(standings) == expected


# ------------------------------------------------------------------------------------------------------------ requests


@settings(deadline=None, max_examples=60)
@given(request_worlds(), chances)
def test_statements_of_requests_are_what_counting_every_tick_of_every_bucket_gives(
    world: World, chance: Random
) -> None:
    seen = {
        (one.objective, one.start, one.end): (counted(one.requests), shares(one.ratios), one.outcome)
        for one in judge(world.agreements, arrived(world, chance), world.until).statements()
    }
    expected = {}
    for agreement in world.agreements:
        for objective in promised(agreement):
            for period in reference.closed_periods(agreement, objective.window, world.until):
                found = reference.requests(
                    agreement, objective, world.events, period, world.until, world.tick
                )
                ratios = (found.ratio, found.ratio, found.ratio, None)
                expected[objective.name, *period] = ((found.total, found.bad), ratios, found.outcome)
    assert seen == expected


@settings(deadline=None, max_examples=60)
@given(request_worlds(), chances)
def test_standings_of_requests_are_what_counting_every_tick_of_every_bucket_gives(
    world: World, chance: Random
) -> None:
    until = world.until
    seen = {
        one.objective: (one.period, counted(one.requests), shares(one.ratios))
        for one in judge(world.agreements, arrived(world, chance), until).standings()
    }
    expected = {}
    for agreement in world.agreements:
        for objective in promised(agreement):
            if agreement.start <= until < agreement.end:
                period = reference.current_period(agreement, objective.window, until)
                found = reference.requests(agreement, objective, world.events, period, until, world.tick)
                ratios = (found.ratio, found.ratio, found.ratio, None)
                expected[objective.name] = (period, (found.total, found.bad), ratios)
    assert seen == expected


def promised(agreement: Agreement) -> Iterator[RequestsObjective]:
    objectives: Sequence[object] = agreement.objectives
    for objective in objectives:
        assert isinstance(objective, RequestsObjective)
        yield objective


def counted(requests: RequestCounts | None) -> tuple[Fraction, Fraction]:
    assert requests is not None
    return Fraction(*requests.total), Fraction(*requests.bad)
