"""The monitor says what a naive reading of the specification says, tick by tick."""

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from slamon.replay import judge
from tests.laws import reference
from tests.laws.worlds import World, ticket_worlds

worded = settings(deadline=None, max_examples=200)


@worded
@given(ticket_worlds(fine=True), st.randoms(use_true_random=False))
def test_ticket_clocks_are_what_counting_every_microsecond_gives(world: World, chance: Random) -> None:
    arrived = [*world.events]
    chance.shuffle(arrived)
    seen = list(judge(world.agreements, arrived, world.until).clocks())
    assert seen == reference.clocks(world.agreements, world.events, world.until, world.tick)


@worded
@given(ticket_worlds(fine=False), st.randoms(use_true_random=False))
def test_ticket_clocks_are_what_counting_every_ten_minutes_gives(world: World, chance: Random) -> None:
    arrived = [*world.events]
    chance.shuffle(arrived)
    seen = list(judge(world.agreements, arrived, world.until).clocks())
    assert seen == reference.clocks(world.agreements, world.events, world.until, world.tick)
