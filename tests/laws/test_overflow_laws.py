"""What temporary files must not change: a replay writes the same bytes, however little it may hold in memory."""

import tempfile
from collections.abc import Iterable
from itertools import count
from operator import itemgetter
from pathlib import Path
from random import Random

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from slamon.codec import encode
from slamon.domain.agreement import Agreement
from slamon.domain.events import Event
from slamon.overflow import Memory, Sorter
from slamon.replay import replay_file
from tests.laws.worlds import World, service_worlds, ticket_worlds

worlds = st.one_of(ticket_worlds(), ticket_worlds(), service_worlds())
chances = st.randoms(use_true_random=False)


def boundless() -> Memory:
    return Memory(peak=lambda: 0)


def exhausted() -> Memory:
    """Too much is in use whenever it is asked, and it is asked at every item."""
    return Memory(0, every=1, peak=count(1).__next__)


def arrived(world: World, chance: Random) -> list[Event]:
    """In any order, some twice, and some a second time with other words under the same identity."""
    events = list(world.events)
    for event in world.events:
        repeated = chance.randrange(6)
        if repeated == 0:
            events.append(event)
        elif repeated == 1:
            events.append(msgspec.structs.replace(event, seq=7))
    chance.shuffle(events)
    if chance.randrange(2):
        events.sort(key=lambda event: event.time)
    return events


def written(
    agreements: Iterable[Agreement], events: Iterable[Event], until: int, memory: Memory, *, sort: bool
) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as name:
        file, out = Path(name) / "events.ndjson", Path(name) / "out"
        file.write_bytes(b"".join(encode(event) + b"\n" for event in events))
        summary = replay_file(tuple(agreements), file, out, sort=sort, until=until, memory=memory)
        return {"summary": summary} | {path.name: path.read_bytes() for path in out.iterdir()}


@settings(deadline=None, max_examples=150)
@given(worlds, chances, st.booleans())
def test_a_replay_that_forgets_every_decided_ticket_after_every_event_writes_the_same_bytes(
    world: World, chance: Random, sort: bool
) -> None:
    events = arrived(world, chance)
    free = written(world.agreements, events, world.until, boundless(), sort=sort)
    assert written(world.agreements, events, world.until, exhausted(), sort=sort) == free


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 99))), st.integers(1, 9))
def test_sorting_with_files_is_sorting_and_keeps_equal_ones_in_their_order(
    items: list[tuple[int, int]], every: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        memory = Memory(0, every=every, peak=count(1).__next__)
        sorter = Sorter[tuple[int, int]](Path(folder), memory, tuple[int, int], itemgetter(0))
        for item in items:
            sorter.add(item)
        assert list(sorter.sorted()) == sorted(items, key=itemgetter(0))
        sorter.close()
