"""The alert of a task that trails the wall clock; all time is passed in."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slamon.domain.decisions import AlertTransition, Reason, Transition
from slamon.domain.events import HOUR, MINUTE, SECOND
from slamon.kafka import changelog
from slamon.kafka.changelog import Positions
from slamon.kafka.delay import CONFIRMED, Delay, DelayMemory

LIMIT = 2 * MINUTE
NOON = 1_800_000_000 * SECOND


def delay(application: str = "slamon", partition: int = 3) -> Delay:
    return Delay(application, partition, LIMIT)


def judged(one: Delay, behind: int, at: float) -> AlertTransition | None:
    """So far behind the wall clock, so many seconds after noon."""
    wall = NOON + round(at * SECOND)
    return one.judge(wall - behind, wall, at)


def fired(one: Delay) -> AlertTransition:
    assert judged(one, LIMIT + SECOND, 0) is None
    transition = judged(one, LIMIT + SECOND, CONFIRMED)
    assert transition is not None
    return transition


def test_it_fires_once_when_it_stays_behind_and_ends_when_half_the_limit_is_made_good() -> None:
    one = delay()
    said = fired(one)
    assert said.labels == {"alertname": "SlaEvaluationDelayed", "severity": "critical", "partition": "3"}
    assert (said.transition, said.reason, said.episode) == (Transition.FIRED, Reason.LIMIT_EXCEEDED, 1)
    assert (said.at, said.detected_at, said.late) == (NOON + 4 * SECOND, NOON + 5 * SECOND, False)
    assert judged(one, LIMIT + HOUR, 10) is None
    assert judged(one, LIMIT // 2 + 1, 20) is None
    ended = judged(one, LIMIT // 2, 30)
    assert ended is not None
    assert (ended.transition, ended.reason, ended.episode) == (Transition.RESOLVED, Reason.RECOVERED, 1)
    assert (ended.id, ended.labels, ended.at) == (said.id, said.labels, NOON + 30 * SECOND)
    assert judged(one, 0, 31) is None


@pytest.mark.parametrize("behind", [0, SECOND, LIMIT])
def test_within_the_limit_it_says_nothing_however_long(behind: int) -> None:
    one = delay()
    assert [judged(one, behind, at) for at in (0, 5, 3600)] == [None] * 3


def test_a_wall_clock_that_jumps_forward_is_no_delay_once_the_inputs_have_been_asked_again() -> None:
    one = delay()
    assert judged(one, HOUR, 0) is None
    assert judged(one, 0, 0.2) is None
    assert judged(one, HOUR, 100) is None  # the next jump is confirmed from its own beginning
    assert judged(one, HOUR, 100 + CONFIRMED - 0.1) is None


def test_a_wall_clock_that_jumps_back_neither_fires_nor_hides_what_fires() -> None:
    one = delay()
    assert judged(one, -HOUR, 0) is None
    said = fired(delay())
    assert said.at <= said.detected_at


def test_a_restart_that_catches_up_at_once_is_none() -> None:
    one = delay()
    assert judged(one, HOUR, 0) is None
    assert judged(one, SECOND, CONFIRMED - 1) is None
    assert judged(one, SECOND, CONFIRMED + 1) is None


def test_what_was_found_long_after_it_began_is_late() -> None:
    one = delay()
    assert judged(one, HOUR, 0) is None
    said = judged(one, HOUR, CONFIRMED)
    assert said is not None
    assert said.late


def test_the_next_owner_goes_on_under_the_same_id_and_episode_and_ends_it() -> None:
    said = fired(first := delay())
    second = delay()
    assert second.restore(first.memory) is None
    assert judged(second, HOUR, 40) is None
    ended = judged(second, 0, 50)
    assert ended is not None
    assert (ended.id, ended.episode, ended.reason) == (said.id, 1, Reason.RECOVERED)
    third = delay()
    assert third.restore(second.memory) is None
    assert fired(third).episode == 2


def test_what_was_only_told_during_a_restore_is_to_be_committed_after_it() -> None:
    said = fired(one := delay())
    committed = one.restore(DelayMemory(episode=7))
    assert committed == msgspec.structs.replace(said, episode=8)
    assert one.memory == DelayMemory(8, committed)
    assert one.restore(one.memory) is None


def test_each_partition_of_each_application_has_an_id_of_its_own() -> None:
    ids = {fired(delay(name, partition)).id for name in ("slamon", "slamon-eu") for partition in (0, 1)}
    assert len(ids) == 4


@given(st.lists(st.tuples(st.integers(0, 3 * LIMIT), st.integers(0, 20), st.booleans()), max_size=30))
def test_whatever_happens_firings_and_ends_alternate_and_episodes_count_up(
    steps: list[tuple[int, int, bool]],
) -> None:
    one, at, said = delay(), 0, list[AlertTransition]()
    for behind, seconds, restored in steps:
        at += seconds
        if restored:  # after a commit: by a process that knows nothing else
            memory, one = one.memory, delay()
            assert one.restore(memory) is None
        told = judged(one, behind, at)
        said += [] if told is None else [told]
    kinds = [(each.episode, each.transition) for each in said]
    every = [(episode, kind) for episode in range(1, 32) for kind in (Transition.FIRED, Transition.RESOLVED)]
    assert kinds == every[: len(kinds)]


def test_it_stands_in_the_positions_and_a_release_that_knows_no_delay_reads_over_it() -> None:
    class Before(msgspec.Struct, frozen=True, array_like=True):
        inputs: dict[str, int]
        now: int
        number: int
        alerts_seen: int
        gaps: tuple[changelog.Gap, ...] = ()
        orphans: tuple[changelog.Orphan, ...] = ()

    _, value = changelog.positions_record(Positions({"in": 7}, NOON, 3, 12))
    assert value is not None
    assert value[1:] == msgspec.msgpack.encode(Before({"in": 7}, NOON, 3, 12))
    assert msgspec.msgpack.decode(value[1:], type=Positions).delay == DelayMemory()
    memory = DelayMemory(1, fired(delay()))
    _, value = changelog.positions_record(Positions({"in": 7}, NOON, 3, 12, delay=memory))
    assert value is not None
    assert msgspec.msgpack.decode(value[1:], type=Positions).delay == memory
    assert msgspec.msgpack.decode(value[1:], type=Before) == Before({"in": 7}, NOON, 3, 12)
