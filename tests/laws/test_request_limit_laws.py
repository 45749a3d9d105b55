"""A limit over requests breaks and holds when looking at every microsecond says so."""

from fractions import Fraction
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from slamon.domain.crossings import Lengths, Sliding
from slamon.domain.intervals import Span, clip, length, union
from slamon.domain.request_counts import EvenlyFilled
from slamon.domain.request_limits import Limit, broken_since, next_change

LAST = 120
FLOOR = -40  # the agreement began


class Bucket(NamedTuple):
    end: int
    duration: int
    total: int
    bad: int

    @property
    def start(self) -> int:
        return self.end - self.duration


@st.composite
def buckets(draw: st.DrawFn) -> Bucket:
    total = draw(st.integers(0, 9))
    return Bucket(draw(st.integers(20, LAST)), draw(st.integers(1, 30)), total, draw(st.integers(0, total)))


spans = st.lists(st.tuples(st.integers(-60, LAST), st.integers(1, 60)), max_size=3).map(
    lambda found: union((start, start + size) for start, size in found)
)


class Case(NamedTuple):
    buckets: list[Bucket]
    inside: list[Span]
    long: int
    short: int
    allowed: Fraction
    service: list[Span] | None
    period: int | None  # the width of one that slides
    now: int

    def limit(self, known: list[Bucket]) -> Limit:
        bad, total = EvenlyFilled(Lengths(self.inside)), EvenlyFilled(Lengths(self.inside))
        for bucket in sorted(known):
            bad.add(bucket.start, bucket.end, bucket.bad)
            total.add(bucket.start, bucket.end, bucket.total)
        service = None if self.service is None else Sliding(Lengths(self.service), self.long)
        period = None if self.period is None else Sliding(Lengths(self.service or []), self.period, FLOOR)
        return Limit(bad, total, (self.long, self.short), self.allowed, service, period)

    def inside_window(self, known: list[Bucket], width: int, t: int) -> tuple[Fraction, Fraction, bool]:
        """Bad and total in the window by the buckets that ended before `t`, one by one; and whether that is more than allowed."""
        bad = total = Fraction(0)
        for bucket in known:
            window = clip([(bucket.start, bucket.end)], t - width, t) if bucket.end < t else []
            part = Fraction(sum(length(clip(self.inside, *span)) for span in window), bucket.duration)
            bad += part * bucket.bad
            total += part * bucket.total
        service = 1 if self.service is None else length(clip(self.service, t - self.long, t))
        start = FLOOR if self.period is None else max(t - self.period, FLOOR)
        period = 1 if self.period is None else length(clip(self.service or [], start, t) if start < t else [])
        return bad, total, bad * service > self.allowed * period * total

    def history(self, known: list[Bucket], until: int) -> list[int | None]:
        """At each instant from 0 on, the last one before the limit broke."""
        since, found = None, []
        for t in range(until + 1):
            _, total, over = self.inside_window(known, self.short, t)
            _, in_long, over_long = self.inside_window(known, self.long, t)
            if in_long == 0 or (total > 0 and not over):
                since = None
            elif since is None and over and over_long:
                since = max(t - 1, 0)
            found.append(since)
        return found


@st.composite
def cases(draw: st.DrawFn) -> Case:
    long = draw(st.integers(2, 40))
    scaled = draw(st.booleans())
    share = draw(st.fractions(0, 1, max_denominator=12))
    period = draw(st.one_of(st.none(), st.integers(long, 80))) if scaled else None
    return Case(
        draw(st.lists(buckets(), max_size=6)),
        draw(st.one_of(st.just([(-100, 300)]), spans)),
        long,
        draw(st.integers(1, long)),
        share * (long if scaled and period is None else 1),
        draw(spans) if scaled else None,
        period,
        draw(st.integers(1, LAST + 10)),
    )


@settings(deadline=None, max_examples=300)
@given(cases())
def test_a_limit_is_broken_since_the_instant_that_looking_at_all_finds(case: Case) -> None:
    known = [bucket for bucket in case.buckets if bucket.end <= case.now]
    assert broken_since(case.limit(known), 0, case.now) == case.history(known, case.now)[-1]


@settings(deadline=None, max_examples=200)
@given(cases(), st.integers(1, LAST))
def test_going_on_from_an_earlier_instant_finds_the_same(case: Case, earlier: int) -> None:
    limit, start = case.limit(case.buckets), min(earlier, case.now)
    before = broken_since(limit, 0, start)
    assert broken_since(limit, start, case.now, before) == broken_since(limit, 0, case.now)


@settings(deadline=None, max_examples=200)
@given(cases())
def test_the_next_change_is_the_first_instant_at_which_it_is_otherwise(case: Case) -> None:
    until = LAST + 50
    history = case.history(case.buckets, until)
    broken = history[case.now] is not None
    later = (t for t in range(case.now + 1, until + 1) if (history[t] is not None) != broken)
    assert next_change(case.limit(case.buckets), case.now, until, broken=broken) == next(later, None)


@settings(deadline=None, max_examples=200)
@given(cases(), st.integers(1, 60))
def test_where_nothing_can_change_nothing_does(case: Case, ahead: int) -> None:
    known = [bucket for bucket in case.buckets if bucket.end <= case.now]
    history = case.history(known, case.now + ahead)
    broken = history[case.now] is not None
    if case.limit(known).cannot_change(case.now, case.now + ahead, broken=broken):
        assert all((since is not None) == broken for since in history[case.now :])


@settings(deadline=None, max_examples=200)
@given(cases(), st.integers(20, LAST))
def test_buckets_taken_back_leave_no_trace(case: Case, t: int) -> None:
    whole = case.limit(case.buckets)
    whole.bad.forget_from(t)
    whole.total.forget_from(t)
    fresh = case.limit([bucket for bucket in case.buckets if bucket.end < t])
    assert [whole.at(now) for now in range(LAST + 50)] == [fresh.at(now) for now in range(LAST + 50)]
