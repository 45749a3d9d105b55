"""Sets of instants, by example."""

import pytest

from slamon.domain.intervals import FOREVER, Span, clip, first_difference, intersect, length, subtract, union


def test_a_union_sorts_and_joins_what_overlaps_or_touches_and_drops_what_is_empty() -> None:
    assert union([(8, 9), (1, 3)], [(3, 5), (7, 7), (6, 2)], ((2, 4),)) == [(1, 5), (8, 9)]


def test_the_union_of_nothing_is_nothing() -> None:
    assert union() == []
    assert union([], iter([])) == []


def test_a_span_inside_another_does_not_shorten_it() -> None:
    assert union([(0, 10), (2, 3)]) == [(0, 10)]


def test_what_is_common_is_cut_on_both_sides() -> None:
    assert intersect([(0, 4), (6, 9)], [(2, 7), (8, 12)]) == [(2, 4), (6, 7), (8, 9)]


def test_spans_that_touch_have_nothing_in_common() -> None:
    assert intersect([(0, 4)], [(4, 8)]) == []


def test_what_is_taken_away_may_cut_a_span_in_many() -> None:
    assert subtract([(0, 10), (12, 20)], [(-5, 1), (3, 4), (9, 13), (18, 30)]) == [(1, 3), (4, 9), (13, 18)]


def test_an_outage_without_an_end_is_cut_like_any_other() -> None:
    outage: list[Span] = [(5, FOREVER)]

    assert union(outage, [(3, 6)]) == [(3, FOREVER)]
    assert union(outage, outage) == outage
    assert intersect(outage, [(0, 7), (8, FOREVER)]) == [(5, 7), (8, FOREVER)]
    assert subtract(outage, [(6, 7)]) == [(5, 6), (7, FOREVER)]
    assert subtract([(0, 9)], outage) == [(0, 5)]
    assert clip(outage, 0, 8) == [(5, 8)]
    assert clip(outage, 9, FOREVER) == [(9, FOREVER)]


@pytest.mark.parametrize(
    ("start", "end", "inside"),
    [
        (0, 100, [(10, 20), (30, 40), (50, 60)]),
        (15, 55, [(15, 20), (30, 40), (50, 55)]),
        (12, 13, [(12, 13)]),
        (20, 30, []),
        (20, 31, [(30, 31)]),
        (60, 99, []),
        (40, 40, []),
        (45, 35, []),
    ],
)
def test_clipping_keeps_what_lies_inside(start: int, end: int, inside: list[Span]) -> None:
    assert clip(((10, 20), (30, 40), (50, 60)), start, end) == inside


def test_the_length_is_the_sum_of_the_spans() -> None:
    assert length([(0, 4), (6, 9)]) == 7
    assert length(()) == 0


@pytest.mark.parametrize(
    ("a", "b", "first"),
    [
        ([], [], None),
        ([(1, 2), (4, 6)], [(1, 2), (4, 6)], None),
        ([(1, 2)], [], 1),
        ([(1, 2)], [(1, 2), (4, 6)], 4),
        ([(1, 5)], [(1, FOREVER)], 5),
        ([(1, 5)], [(3, 5)], 1),
        ([(1, 2), (4, 6)], [(1, 2), (5, 6)], 4),
    ],
)
def test_two_sets_differ_from_the_first_instant_that_lies_in_one_alone(
    a: list[Span], b: list[Span], first: int | None
) -> None:
    assert first_difference(a, b) == first
    assert first_difference(b, a) == first
