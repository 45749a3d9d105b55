"""What holds for opening hours in any zone and any year from 1990 to 2100."""

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from slamon.domain.calendars import Calendar
from slamon.domain.intervals import FOREVER, length, union
from slamon.domain.periods import DAY, MINUTE, Unit, period_after, period_at, periods, zone_rules

# Half hours, three quarters, midnights that do not exist or come twice, dates left out, changes without a
# summer; and those most people live in.
ZONES = (
    "UTC",
    "Europe/Berlin",
    "Europe/Dublin",
    "Europe/Lisbon",
    "America/New_York",
    "America/St_Johns",
    "America/Havana",
    "America/Sao_Paulo",
    "America/Caracas",
    "Africa/Casablanca",
    "Africa/Cairo",
    "Asia/Beirut",
    "Asia/Gaza",
    "Asia/Kathmandu",
    "Asia/Pyongyang",
    "Asia/Tehran",
    "Antarctica/Troll",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Pacific/Kiritimati",
    "Pacific/Kwajalein",
)

laws = settings(deadline=None, max_examples=100)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Terms(NamedTuple):
    zone: str
    hours: dict[int, list[tuple[int, int]]]
    opened: frozenset[date] = frozenset()
    closed: frozenset[date] = frozenset()

    def calendar(self) -> Calendar:
        return Calendar.weekly("any", self.zone, self.hours, except_dates=self.opened, also_dates=self.closed)


class Case(NamedTuple):
    terms: Terms
    start: int  # in minutes since the epoch


def minutes(text: str) -> int:
    """A time of UTC in minutes since the epoch."""
    return (datetime.fromisoformat(text).replace(tzinfo=UTC) - EPOCH) // timedelta(minutes=1)


@st.composite
def spans_of_a_day(draw: st.DrawFn, around: int) -> list[tuple[int, int]]:
    """Up to three, maybe overlapping, maybe past midnight; many begin or end about the given minute."""
    times = st.one_of(
        st.integers(0, 95).map(lambda quarter: quarter * 15),
        st.integers(-6, 6).map(lambda quarter: (around + quarter * 15) % 1440),
        st.integers(0, 1439),
    )
    spans = []
    for _ in range(draw(st.integers(0, 3))):
        opening, closing = draw(times), draw(times)
        spans.append((opening, closing if closing > opening else closing + 1440))
    return spans


def changes_of_the_clocks(zone: str) -> list[int]:
    """In minutes since the epoch, 1990 to 2100, found by halving the days on which the offset differs."""
    rules = zone_rules(zone)

    def offset(minute: int) -> timedelta | None:
        return datetime.fromtimestamp(minute * 60, rules).utcoffset()

    changes = []
    for day in range(minutes("1990-01-01T00:00"), minutes("2100-12-25T00:00"), 1440):
        low, high = day, day + 1440
        if offset(low) != offset(high):
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if offset(middle) == offset(low) else (low, middle)
            changes.append(high)
    return changes


CHANGES: dict[str, list[int]] = {}


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Half of them near a change of the clocks, where the errors are."""
    zone = draw(st.sampled_from(ZONES))
    if zone not in CHANGES:
        CHANGES[zone] = changes_of_the_clocks(zone) or [minutes("2000-01-01T00:00")]
    change = draw(st.sampled_from(CHANGES[zone]))
    anywhere = st.integers(minutes("1990-01-01T00:00"), minutes("2100-12-01T00:00"))
    start = draw(st.one_of(anywhere, st.integers(change - 2 * 1440, change)))
    on_the_wall = datetime.fromtimestamp(change * 60, zone_rules(zone))
    spans = spans_of_a_day(on_the_wall.hour * 60 + on_the_wall.minute)
    hours = draw(
        st.dictionaries(st.integers(0, 6), spans, min_size=1).filter(lambda days: any(days.values()))
    )
    first = on_the_wall.date()
    dates = st.frozensets(st.integers(-2, 9).map(lambda days: first + timedelta(days=days)), max_size=2)
    return Case(Terms(zone, hours, draw(dates), draw(dates)), start)


def open_minutes(terms: Terms, start: int, end: int) -> set[int]:
    """The minutes from `start` on, before `end`, that are open: counted on the wall, one by one.

    Reads the wall clock at every minute of real time, and knows of no offset, fold or gap beyond that.
    """
    rules = zone_rules(terms.zone)
    margin = 4 * 1440
    seen: dict[int, list[int]] = defaultdict(
        list
    )  # by what the wall shows, in minutes since 1970-01-01 00:00
    for minute in range(start - margin, end + margin):
        shown = datetime.fromtimestamp(minute * 60, rules)
        seen[(shown.toordinal() - EPOCH.toordinal()) * 1440 + shown.hour * 60 + shown.minute].append(minute)
    walls = sorted(seen)
    gaps = [(before + 1, after) for before, after in pairwise(walls) if after - before > 1]

    def moved(wall: int) -> int:
        return next((wall + (until - since) for since, until in gaps if since <= wall < until), wall)

    existing = {wall // 1440 for wall in walls[2 * 1440 : -2 * 1440]}
    closed = {day.toordinal() - EPOCH.toordinal() for day in terms.closed}
    count: set[int] = set()
    for day in existing - closed:
        weekday = date.fromordinal(day + EPOCH.toordinal()).weekday()
        for opening, closing in terms.hours.get(weekday, []):
            first = seen[moved(day * 1440 + opening)][0]
            last = seen[moved(day * 1440 + closing)][-1]
            count.update(range(first, last if last > first else first + closing - opening))
    return {minute for minute in count if start <= minute < end}


# Differs from day to day, so that hours moved to another date do not hide behind those that it has itself.
NIGHTS = {day: [(150, 210), (600 + 60 * day, 720 + 60 * day), (1320, 1590)] for day in range(7)}


@settings(laws, max_examples=100)
@given(cases(), st.integers(0, 3 * 1440))
@example(Case(Terms("Pacific/Apia", NIGHTS), minutes("2011-12-29T00:00")), 4 * 1440)
@example(Case(Terms("Pacific/Kwajalein", NIGHTS), minutes("1993-08-19T00:00")), 4 * 1440)
@example(Case(Terms("Pacific/Kiritimati", NIGHTS), minutes("1994-12-30T00:00")), 4 * 1440)
@example(Case(Terms("America/St_Johns", NIGHTS), minutes("2009-10-31T00:00")), 3 * 1440)
@example(Case(Terms("Asia/Beirut", NIGHTS), minutes("2026-10-24T00:00")), 3 * 1440)
@example(Case(Terms("Europe/Berlin", NIGHTS), minutes("2026-10-24T12:00")), 1440)
@example(Case(Terms("Europe/Berlin", NIGHTS), minutes("2026-03-28T12:00")), 1440)
@example(
    Case(
        Terms("America/Sao_Paulo", {day: [(0, 30), (1380, 1440)] for day in range(7)}),
        minutes("2018-11-03T00:00"),
    ),
    3 * 1440,
)
def test_elapsed_agrees_with_counting_minute_by_minute(case: Case, duration: int) -> None:
    start, end = case.start, case.start + duration

    counted = open_minutes(case.terms, start, end)

    assert case.terms.calendar().elapsed(start * MINUTE, end * MINUTE) == len(counted) * MINUTE
    assert case.terms.calendar().spans(start * MINUTE, end * MINUTE) == union(
        (minute * MINUTE, (minute + 1) * MINUTE) for minute in counted
    )


# A year is counted in half a million steps: failures are left as they are found, for making them smaller
# takes minutes.
@settings(laws, max_examples=2, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(cases().filter(lambda case: case.start < minutes("2099-12-01T00:00")))
def test_elapsed_over_a_year_agrees_with_counting_minute_by_minute(case: Case) -> None:
    start, end = case.start, case.start + 366 * 1440

    counted = open_minutes(case.terms, start, end)

    assert case.terms.calendar().elapsed(start * MINUTE, end * MINUTE) == len(counted) * MINUTE


spreads = st.one_of(st.integers(0, 5 * DAY), st.integers(0, 800 * DAY))


@laws
@given(cases(), spreads, spreads)
def test_elapsed_is_additive_over_a_split_and_monotone(case: Case, until_middle: int, until_end: int) -> None:
    calendar = case.terms.calendar()
    a = case.start * MINUTE + until_end % MINUTE
    b = a + until_middle
    c = b + until_end

    assert calendar.elapsed(a, c) == calendar.elapsed(a, b) + calendar.elapsed(b, c)
    assert 0 <= calendar.elapsed(a, b) <= b - a
    assert calendar.elapsed(b, a) == 0 or a == b


amounts = st.one_of(st.integers(0, 60 * 60).map(lambda m: m * MINUTE), st.integers(0, 100 * DAY))


@laws
@given(cases(), st.integers(0, MINUTE - 1), amounts)
def test_add_is_the_earliest_instant_by_which_the_amount_has_elapsed(case: Case, offset: int, d: int) -> None:
    calendar = case.terms.calendar()
    a = case.start * MINUTE + offset
    t = calendar.add(a, d)

    if t == FOREVER:
        assert calendar.elapsed(a, FOREVER) < d
    else:
        assert calendar.elapsed(a, t) == d
        assert t == a if d == 0 else calendar.elapsed(a, t - 1) == d - 1


@laws
@given(cases(), st.integers(0, MINUTE - 1), amounts)
def test_overrun_is_the_last_instant_up_to_which_no_more_than_the_amount_has_elapsed(
    case: Case, offset: int, d: int
) -> None:
    calendar = case.terms.calendar()
    a = case.start * MINUTE + offset
    t = calendar.overrun(a, d)

    assert t >= calendar.add(a, d)
    if t == FOREVER:
        assert calendar.elapsed(a, FOREVER) <= d
    else:
        assert calendar.elapsed(a, t) == d
        assert calendar.elapsed(a, t + 1) == d + 1


@laws
@given(cases(), st.integers(0, MINUTE - 1), amounts)
def test_an_amount_left_over_is_due_when_the_whole_is(case: Case, offset: int, d: int) -> None:
    calendar = case.terms.calendar()
    a = case.start * MINUTE + offset
    used = d // 3

    assert calendar.add(calendar.add(a, used), d - used) == calendar.add(a, d)
    assert calendar.overrun(calendar.add(a, used), d - used) == calendar.overrun(a, d)


@laws
@given(cases(), spreads)
def test_spans_are_the_elapsed_time_in_normal_form(case: Case, spread: int) -> None:
    calendar = case.terms.calendar()
    a = case.start * MINUTE
    spans = calendar.spans(a, a + spread)

    assert spans == union(spans)
    assert length(spans) == calendar.elapsed(a, a + spread)
    assert all(a <= start and end <= a + spread for start, end in spans)


@laws
@given(cases(), st.integers(0, MINUTE - 1))
def test_nothing_changes_before_the_next_change(case: Case, offset: int) -> None:
    calendar = case.terms.calendar()
    t = case.start * MINUTE + offset
    change = calendar.next_change(t)
    is_open = calendar.is_open(t)

    assert change > t
    assert is_open == (calendar.elapsed(t, t + 1) == 1)
    if change == FOREVER:
        assert calendar.always or calendar.elapsed(t, FOREVER) == 0
    else:
        assert calendar.elapsed(t, change) == (change - t if is_open else 0)
        assert calendar.is_open(change) != is_open


@settings(laws, max_examples=40)
@given(cases(), spreads, st.lists(st.integers(-3 * 365 * DAY, 6 * 365 * DAY), max_size=3), amounts)
def test_what_was_asked_before_changes_no_answer(case: Case, spread: int, asked: list[int], d: int) -> None:
    fresh, used = case.terms.calendar(), case.terms.calendar()
    a = case.start * MINUTE
    for distance in asked:
        used.is_open(a + distance)

    assert used.elapsed(a, a + spread) == fresh.elapsed(a, a + spread)
    assert used.add(a, d) == fresh.add(a, d)
    assert used.next_change(a) == fresh.next_change(a)
    assert used.spans(a, a + spread) == fresh.spans(a, a + spread)


near_and_far = st.tuples(
    st.sampled_from(ZONES), st.sampled_from(Unit), st.integers(20 * 365 * DAY, 131 * 365 * DAY)
)


@laws
@given(near_and_far)
def test_periods_tile_time(where: tuple[str, Unit, int]) -> None:
    zone, unit, t = where
    start, end = period_at(unit, zone, t)

    assert start <= t < end
    assert period_at(unit, zone, start) == period_at(unit, zone, end - 1) == (start, end)
    assert period_at(unit, zone, start - 1)[1] == start
    assert period_after(unit, zone, (start, end))[0] == end


@laws
@given(near_and_far, st.integers(1, 400 * DAY))
def test_the_periods_of_a_span_touch_it_and_one_another(where: tuple[str, Unit, int], spread: int) -> None:
    zone, unit, start = where
    end = start + spread
    found = list(periods(unit, zone, start, end))

    assert found[0][0] <= start < found[0][1]
    assert found[-1][0] < end <= found[-1][1]
    assert all(earlier[1] == later[0] for earlier, later in pairwise(found))


@laws
@given(near_and_far)
def test_a_period_begins_when_its_first_date_is_first_seen(where: tuple[str, Unit, int]) -> None:
    zone, unit, t = where
    start, _ = period_at(unit, zone, t)
    before, after = (
        datetime.fromtimestamp((start + step) // 1_000_000, zone_rules(zone)).date() for step in (-1, 0)
    )

    assert before < after
    assert {
        Unit.WEEK: before.isocalendar()[:2] != after.isocalendar()[:2],
        Unit.MONTH: before.month != after.month,
        Unit.QUARTER: (before.month - 1) // 3 != (after.month - 1) // 3,
        Unit.YEAR: before.year != after.year,
    }[unit]
