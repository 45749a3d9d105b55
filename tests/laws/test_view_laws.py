"""What must hold of the page of objectives: that something was looked at before shows in nothing."""

import asyncio
from functools import partial
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from slamon.domain.events import HOUR, Event
from slamon.domain.monitor import Monitor
from slamon.outputs.current_view import Sight
from slamon.outputs.exposition import SlaPage, View, negotiate
from tests.laws.test_credit_laws import capped_worlds, credited_worlds
from tests.laws.worlds import World, request_worlds, service_worlds, ticket_worlds

laws = settings(deadline=None, max_examples=80)
worlds = st.one_of(ticket_worlds(), service_worlds(), request_worlds(), credited_worlds(), capped_worlds())
chances = st.randoms(use_true_random=False)

TICKET_SERIES = 3  # fewer than there are, so that some are left out
STEPS = (1, 2, HOUR // 4, HOUR, 30 * HOUR)


def later(monitor: Monitor, chance: Random) -> int:
    """Now, or an instant before anything is due: the daemon looks at such without a judging."""
    assert monitor.now is not None
    due = monitor.wake_at()
    now = monitor.now + chance.choice((0, *STEPS))
    return now if due is None else max(min(now, due - 1), monitor.now)


async def page(view: View, of: SlaPage) -> bytes:
    return b"".join([piece async for piece in of.render(view, negotiate(""))])


async def first_look(monitor: Monitor, now: int) -> bytes:
    """As of somebody who never looked before."""
    for customer in monitor.customers.values():
        for ticket in customer.tickets.values():
            ticket._open = None
    view = await Sight(TICKET_SERIES).look([(monitor, lambda: now)])
    return await page(view, SlaPage(200_000))


async def looked_at_often(world: World, chance: Random) -> None:
    monitor = Monitor(world.agreements, steps=False)
    sight, lines = Sight(TICKET_SERIES), SlaPage(200_000)
    arrived: list[Event] = sorted(world.events, key=lambda event: event.time + chance.choice((0, 0, HOUR)))
    clock_shows = min((event.time for event in arrived), default=world.until)
    looked_at = clock_shows
    for event in arrived:
        clock_shows = max(clock_shows, looked_at, event.time) + chance.choice((0, *STEPS))
        monitor.apply(event)
        monitor.advance(clock_shows)
        for _ in range(chance.randrange(3)):
            now = looked_at = max(looked_at, later(monitor, chance))
            kept = await page(await sight.look([(monitor, partial(int, now))]), lines)
            assert kept == await first_look(monitor, now)
            if chance.randrange(2):
                clock_shows = now + chance.choice((0, *STEPS))
                monitor.advance(clock_shows)


@laws
@given(worlds, chances)
def test_a_page_after_any_history_of_looks_is_the_page_of_who_looks_first(
    world: World, chance: Random
) -> None:
    asyncio.run(looked_at_often(world, chance))
