"""Crossings are exact: what is solved for is what looking at every instant finds."""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from slamon.domain.crossings import Lengths, Sliding, Values, flips
from slamon.domain.intervals import FOREVER, Span, union

instants = st.integers(0, 120)
sets = st.lists(st.tuples(instants, instants), max_size=6).map(
    lambda spans: union((a, b) for a, b in spans if a < b)
)
widths = st.integers(1, 60)


@given(sets, instants, instants)
def test_lengths_between_two_instants_are_what_counting_finds(
    spans: list[Span], start: int, end: int
) -> None:
    counted = sum(any(a <= t < b for a, b in spans) for t in range(start, end))
    assert Lengths(spans).between(start, end) == counted


@given(sets, instants, st.integers(0, 100))
def test_overrun_is_the_last_instant_by_which_no_more_than_the_amount_has_passed(
    spans: list[Span], start: int, amount: int
) -> None:
    lengths = Lengths(spans)
    overrun = lengths.overrun(start, amount)
    if lengths.between(start, 200) <= amount:
        assert overrun == FOREVER
    else:
        assert lengths.between(start, overrun) <= amount < lengths.between(start, overrun + 1)


def test_all_there_is_passes_from_its_beginning_on_and_more_from_no_instant() -> None:
    lengths = Lengths([(10, 20), (30, 40)])
    assert lengths.back(50, 20) == 10
    assert lengths.back(50, 21) == -FOREVER
    assert lengths.back(35, 15) == 10


@given(sets, instants, st.integers(0, 100))
def test_back_is_the_latest_instant_from_which_the_amount_passes(
    spans: list[Span], end: int, amount: int
) -> None:
    lengths = Lengths(spans)
    if amount > lengths.upto(end):
        assert lengths.back(end, amount) == -FOREVER
    elif spans:
        start = lengths.back(end, amount)
        assert start <= end
        assert lengths.between(start, end) == amount


@settings(max_examples=400)
@example([(61, 63)], [], [(0, 3)], 2, 1, 60, 0, 1, 0)  # positive at the second of three instants alone
@given(sets, sets, sets, widths, widths, widths, st.integers(0, 9), st.integers(1, 9), st.integers(0, 60))
def test_flips_of_sums_and_products_are_what_looking_at_every_instant_finds(
    a: list[Span],
    b: list[Span],
    c: list[Span],
    wide: int,
    narrow: int,
    other: int,
    part: int,
    whole: int,
    floor: int,
) -> None:
    windows = (Sliding(Lengths(a), wide, floor), Sliding(Lengths(b), narrow), Sliding(Lengths(c), other))

    def condition(at: Values) -> int:
        down, known, service = at
        return whole * down * service - part * 20 * known

    def holds(t: int) -> bool:
        return condition(tuple(window.at(t) for window in windows)) > 0

    start, end = 10, 200
    assert flips(condition, windows, start, end) == [
        t for t in range(start + 1, end + 1) if holds(t) != holds(t - 1)
    ]
