"""The clock of an input shows an instant only when everything that stood in the log by then has been applied."""

from hypothesis import given
from hypothesis import strategies as st

from slamon.kafka.input_clock import InputClock

PROMPT = 1_000


def asked(position: int) -> InputClock:
    return InputClock(position, since=0, prompt=PROMPT)


def test_under_steady_load_it_trails_by_one_poll() -> None:
    clock = asked(0)
    clock.applied(0)
    shown = [clock.shows]  # nothing was seen yet
    clock.saw(10, 1_000)
    shown.append(clock.shows)
    clock.applied(10)
    shown.append(clock.shows)
    clock.saw(20, 2_000)
    shown.append(clock.shows)
    clock.applied(20)
    shown.append(clock.shows)
    assert shown == [None, None, 1_000, 1_000, 2_000]


def test_an_idle_input_shows_when_it_was_last_asked() -> None:
    clock = asked(5)
    for at in (1_000, 2_000, 3_000):
        clock.saw(5, at)
        clock.applied(5)
        assert clock.shows == at
    assert clock.lag == 0


def test_in_a_backlog_it_stands_still_and_jumps_at_its_end() -> None:
    clock = asked(0)
    for step in range(10):
        clock.saw(1_000 + step, step + 1)
        clock.applied(100 * step)
        assert clock.shows is None
        assert clock.lag == 1_000 + step - 100 * step
    clock.applied(1_009)
    assert clock.shows == 10


def test_an_answer_that_may_have_lain_unread_is_not_taken_for_new() -> None:
    """Frozen from 1,500 to 9,000: what the log held at 2,000 was read at 9,000, and what came meanwhile is still to come."""
    clock = asked(0)
    shown = []
    for end, read_at in ((5, 1_000), (5, 9_000), (7, 9_100)):
        clock.saw(end, read_at)
        clock.applied(end)
        shown.append(clock.shows)
    assert shown == [1_000, 1_000, 9_100]


def test_an_input_first_heard_of_late_shows_when_it_was_first_asked() -> None:
    clock = InputClock(3, since=500, prompt=PROMPT)
    clock.saw(3, 4_000)
    clock.applied(3)
    assert clock.shows == 500


def test_a_wall_clock_that_was_set_back_does_not_move_it() -> None:
    clock = asked(0)
    clock.saw(1, 900)
    clock.applied(1)
    clock.saw(2, 400)
    clock.applied(2)
    assert clock.shows == 900
    assert clock.end == 2
    clock.saw(2, 901)
    clock.applied(2)
    assert clock.shows == 901


seen_and_applied = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 3), st.integers(0, 5)), min_size=1, max_size=60
)


@given(seen_and_applied)
def test_what_it_shows_has_been_applied_and_it_never_goes_back(steps: list[tuple[int, int, int]]) -> None:
    clock = asked(0)
    end = at = position = 0
    ends: dict[int, int] = {}
    before: int | None = None
    for arrived, passed, applied in steps:
        end += arrived
        if passed:
            at += passed
            ends[at] = end
            clock.saw(end, at)
        position = min(end, position + applied)
        clock.applied(position)
        if clock.shows is not None:
            assert ends[clock.shows] <= position
            assert before is None or clock.shows >= before
        before = clock.shows
    if position == end and ends:
        clock.saw(end, at + 1)
        clock.applied(position)
        assert clock.shows == at + 1
