"""Sets of spans behave as the sets of instants they stand for."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from slamon.domain.intervals import FOREVER, Span, clip, intersect, length, subtract, union

# FOREVER stands for every instant from LAST on, so that a set of it stays small enough to write down.
LAST = 40

instants = st.integers(-LAST, LAST)
any_spans = st.lists(st.tuples(instants, st.one_of(instants, st.just(FOREVER))), max_size=8)
sets = any_spans.map(union)


def members(spans: list[Span]) -> set[int]:
    return {instant for start, end in spans for instant in range(start, LAST + 1 if end == FOREVER else end)}


def is_normal(spans: list[Span]) -> bool:
    borders = [border for span in spans for border in span]
    return all(earlier < later for earlier, later in pairwise(borders))


@given(any_spans, any_spans)
def test_a_union_holds_what_is_in_either(a: list[Span], b: list[Span]) -> None:
    united = union(a, b)

    assert members(united) == members(a) | members(b)
    assert is_normal(united)


@given(sets)
def test_the_normal_form_is_its_own_union(a: list[Span]) -> None:
    assert union(a) == a
    assert union(a, a) == a


@given(sets, sets)
def test_an_intersection_holds_what_is_in_both(a: list[Span], b: list[Span]) -> None:
    common = intersect(a, b)

    assert members(common) == members(a) & members(b)
    assert is_normal(common)
    assert common == intersect(b, a)


@given(sets, sets)
def test_a_difference_holds_what_is_in_the_first_alone(a: list[Span], b: list[Span]) -> None:
    left = subtract(a, b)

    assert members(left) == members(a) - members(b)
    assert is_normal(left)


@given(sets, instants, st.one_of(instants, st.just(FOREVER)))
def test_clipping_is_the_intersection_with_one_span(a: list[Span], start: int, end: int) -> None:
    assert clip(a, start, end) == intersect(a, union([(start, end)]))
    assert clip(tuple(a), start, end) == clip(a, start, end)


@given(sets, sets)
def test_length_is_additive_over_a_split_by_another_set(a: list[Span], b: list[Span]) -> None:
    assert length(a) == length(intersect(a, b)) + length(subtract(a, b))


@given(sets.map(lambda spans: clip(spans, -LAST, LAST)))
def test_length_counts_the_instants(a: list[Span]) -> None:
    assert length(a) == len(members(a))
