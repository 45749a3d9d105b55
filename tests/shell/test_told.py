"""What a receiver was told, beside its offset: whatever happens, it can be written, and forgets nothing in the wrong way."""

from hypothesis import given
from hypothesis import strategies as st

from slamon.kafka.told import ROOM, Told

IDS = st.text(min_size=1, max_size=40)
STEPS = st.lists(st.tuples(IDS, st.integers(1, 12) | st.none()), max_size=60)  # None: it ended


@given(STEPS, st.booleans())
def test_what_is_written_is_read_back(steps: list[tuple[str, int | None]], beginning: bool) -> None:
    told, expected = Told(), dict[str, int]()
    for id_, episode in steps:
        if episode is None:
            told.remove(id_)
            expected.pop(id_, None)
        else:
            told.add(id_, episode)
            expected[id_] = episode
    told.beginning = beginning
    read = Told(told.written())
    assert {id_: read.episode(id_) for id_, _ in steps} == {id_: expected.get(id_, 0) for id_, _ in steps}
    assert (len(read), read.beginning, read.more) == (len(expected), beginning, False)


@given(st.integers(0, 3000), st.integers(1, 10**6))
def test_however_much_was_told_a_broker_takes_it(count: int, episode: int) -> None:
    told = Told()
    for number in range(count):
        told.add(f"alert {number}", episode)
    text = told.written()
    assert len(text.encode()) <= ROOM
    read = Told(text)
    assert read.more is (len(read) < count)
    kept = [number for number in range(count) if read.episode(f"alert {number}")]
    assert kept == list(range(count - len(kept), count)), "the newest stand there"
    assert read.more is told.more
    assert len(told) == count, "this process still knows all of them"


def test_the_star_stays() -> None:
    told = Told()
    for number in range(1000):
        told.add(str(number), 1)
    later = Told(told.written())
    for number in range(1000):
        later.remove(str(number))
    assert later.written() == "*"


def test_what_somebody_else_wrote_is_nothing_told() -> None:
    for text in ("", "hello world.x", "*+", "é.ü"):
        assert Told(text).episode("alert") == 0
