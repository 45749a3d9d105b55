"""A task records so many dead letters in a minute; what is beyond is refused, and the next minute begins anew."""

from hypothesis import given
from hypothesis import strategies as st

from slamon.domain.events import MINUTE
from slamon.kafka.dead_letter_limits import Allowance

NOON = 1_000_000 * MINUTE


def test_so_many_letters_are_allowed_in_a_minute_and_as_many_in_the_next() -> None:
    allowance = Allowance(2, 1000)
    for minute in (NOON, NOON + MINUTE, NOON + 7 * MINUTE):
        for at in (minute, minute + 1):
            assert allowance.allows(at)
            allowance.spend(10)
        assert not allowance.allows(minute + MINUTE - 1)


def test_bytes_are_limited_too_but_the_first_letter_of_a_minute_may_be_larger() -> None:
    allowance = Allowance(10, 1000)
    assert allowance.allows(NOON)
    allowance.spend(999)
    assert allowance.allows(NOON)
    allowance.spend(5000)
    assert not allowance.allows(NOON)
    assert allowance.allows(NOON + MINUTE)
    allowance.spend(5000)
    assert not allowance.allows(NOON + MINUTE)


def test_only_the_first_refusal_of_a_minute_is_worth_a_word() -> None:
    allowance = Allowance(1, 1000)
    said = []
    for at in (NOON, NOON + 1, NOON + 2, NOON + MINUTE, NOON + MINUTE + 1):
        if allowance.allows(at):
            allowance.spend(1)
        else:
            said.append((at, allowance.refuse()))
    assert said == [(NOON + 1, True), (NOON + 2, False), (NOON + MINUTE + 1, True)]


@given(
    st.integers(1, 5),
    st.integers(1, 100),
    st.lists(st.tuples(st.integers(0, 3 * MINUTE), st.integers(1, 60)), max_size=60),
)
def test_no_minute_has_more_than_it_allows(records: int, size: int, asked: list[tuple[int, int]]) -> None:
    allowance = Allowance(records, size)
    taken: dict[int, list[int]] = {}
    for at, each in sorted(asked):
        if allowance.allows(at):
            allowance.spend(each)
            taken.setdefault(at // MINUTE, []).append(each)
    for letters in taken.values():
        assert len(letters) <= records
        assert sum(letters[:-1]) < size
