"""What must hold of packing and forgetting: nobody can tell, of what lies inside the horizon, that it ever happened.

A long world is a short one that comes again and again, some months later each time, so that what was first is forgotten
before the last begins.
"""

from collections.abc import Iterable, Iterator
from random import Random

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from slamon.domain.decisions import AlertTransition, ClockOutcome, ClockRecord, FactKind, Standing, Statement
from slamon.domain.events import DAY, Event
from slamon.domain.forgetting import needed
from slamon.domain.monitor import Monitor
from tests.laws.test_laws_of_the_step import Daemon, chances, journey, told
from tests.laws.worlds import World, request_worlds, service_worlds, ticket_worlds

laws = settings(deadline=None, max_examples=60)
dear = settings(deadline=None, max_examples=30)
worlds = st.one_of(ticket_worlds(), service_worlds(), request_worlds())

AGAIN_AFTER = 11 * 7 * DAY
TIMES = 3
WITHIN = ("time", "opened_at", "start", "end", "announced_at")  # the instants that an event may name


def again(event: Event, number: int) -> Event:
    """The same, later, of a ticket or exclusion of its own."""
    changes: dict[str, object] = {
        name: at + number * AGAIN_AFTER
        for name in WITHIN
        if isinstance(at := getattr(event, name, None), int)
    }
    for name in ("id", "ticket", "exclusion"):
        if hasattr(event, name):
            changes[name] = f"{getattr(event, name)}-{number}"
    return msgspec.structs.replace(event, **changes)


def long_journey(world: World, chance: Random) -> Iterator[tuple[list[Event], int]]:
    """Batches of arriving events, each with what the clock shows then; between two worlds nothing but time passes."""
    for number in range(TIMES):
        events = tuple(again(event, number) for event in world.events)
        later = number * AGAIN_AFTER
        here = world._replace(events=events, start=world.start + later, until=world.until + later)
        batches = journey(here, chance)
        yield from batches
        now = batches[-1][1]
        yield from (([], now + day * DAY) for day in (7, 25, 40, 55))


def kept_for(world: World) -> int:
    return max(map(needed, world.agreements), default=0)


def without_words(alerts: Iterable[AlertTransition]) -> list[AlertTransition]:
    """Announcements name since when a service is down; before the horizon only its last word is known."""
    return [msgspec.structs.replace(one, annotations={}) for one in alerts]


@laws
@given(worlds, chances, st.booleans())
def test_a_monitor_that_packs_every_decided_ticket_at_once_says_the_same(
    world: World, chance: Random, steps: bool
) -> None:
    warm, cold = Daemon(world.agreements, steps=steps), Daemon(world.agreements, steps=steps, at_hand=0)
    for batch, now in journey(world, chance):
        for daemon in (warm, cold):
            daemon.take(batch, now)
        assert cold.facts == warm.facts
        held = list(cold.monitor.facts())
        assert dict(held) == cold.facts
        assert len(held) == len(cold.facts), "none is given twice"
        assert cold.monitor.count_facts() >= len(held)
    assert told(cold.monitor) == told(warm.monitor)
    assert cold.monitor.opening_unknown() == warm.monitor.opening_unknown()
    assert list(cold.monitor.firing()) == list(warm.monitor.firing())
    assert cold.alerts == warm.alerts
    assert cold.statements == warm.statements


@dear
@given(worlds, chances)
def test_a_monitor_that_forgets_says_of_what_is_new_what_one_says_that_never_does(
    world: World, chance: Random
) -> None:
    keeps = Daemon(world.agreements, steps=False)
    forgets = Daemon(world.agreements, steps=False, keep=kept_for(world), at_hand=0)
    for batch, now in long_journey(world, chance):
        for daemon in (keeps, forgets):
            daemon.take(batch, now)
        horizon = now - kept_for(world)
        assert dict(forgets.monitor.facts()) == forgets.facts
        assert list(forgets.monitor.standings()) == list(keeps.monitor.standings())
        assert without_words(forgets.monitor.firing()) == without_words(keeps.monitor.firing())
        assert without_words(forgets.alerts) == without_words(keeps.alerts)
        assert forgets.statements == keeps.statements
        tickets = {key.subject for key in forgets.facts if key.kind is FactKind.TICKET}
        clocks = list(forgets.monitor.clocks())
        assert clocks == [clock for clock in keeps.monitor.clocks() if clock.ticket in tickets]
        gone = [clock for clock in keeps.monitor.clocks() if clock.ticket not in tickets]
        assert all(clock.outcome is not ClockOutcome.PENDING for clock in gone)
        assert all(clock.decided_at is not None and clock.decided_at < horizon for clock in gone)


def inside(monitor: Monitor, horizon: int) -> tuple[list[Standing], list[Statement], list[ClockRecord]]:
    """What it says, without what is due to be forgotten and may be looked at within the hour."""
    return (
        list(monitor.standings()),
        [statement for statement in monitor.statements() if statement.end >= horizon],
        [clock for clock in monitor.clocks() if clock.decided_at is None or clock.decided_at >= horizon],
    )


@dear
@given(worlds, chances)
def test_a_monitor_restored_after_forgetting_comes_to_the_same(world: World, chance: Random) -> None:
    daemon = Daemon(world.agreements, steps=False, keep=kept_for(world), at_hand=0)
    for batch, now in long_journey(world, chance):
        daemon.take(batch, now)
        fresh, alerts, statements = daemon.restored(now)
        assert alerts == []
        assert statements == []
        assert inside(fresh, fresh.horizon()) == inside(daemon.monitor, fresh.horizon())
        assert {*fresh.clocks()} <= {*daemon.monitor.clocks()}
        assert fresh.firing() == daemon.monitor.firing()
