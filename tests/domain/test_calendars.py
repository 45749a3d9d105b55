"""Business calendars, by example."""

import re
from datetime import UTC, date, datetime, timedelta

import pytest

from slamon.domain.calendars import ALWAYS, Calendar, parse_days, parse_hours
from slamon.domain.intervals import FOREVER, Span, length, subtract
from slamon.domain.periods import DAY, MINUTE, zone_rules

HOUR = 60 * MINUTE
BERLIN = "Europe/Berlin"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def local(text: str, zone: str = BERLIN, fold: int = 0) -> int:
    """The instant of a local time like 2026-03-28T12:00, in microseconds."""
    when = datetime.fromisoformat(text).replace(tzinfo=zone_rules(zone), fold=fold)
    return (when.astimezone(UTC) - _EPOCH) // timedelta(microseconds=1)


def calendar(
    hours: dict[str, str],
    *,
    zone: str = BERLIN,
    country: str | None = None,
    subdivision: str | None = None,
    opened: str = "",
    closed: str = "",
) -> Calendar:
    by_weekday = {day: parse_hours(text) for days, text in hours.items() for day in parse_days(days)}
    return Calendar.weekly(
        "office",
        zone,
        by_weekday,
        country=country,
        subdivision=subdivision,
        except_dates=frozenset(map(date.fromisoformat, opened.split())),
        also_dates=frozenset(map(date.fromisoformat, closed.split())),
    )


OFFICE = calendar({"mon-fri": "09:00-17:00"})
ROUND_THE_CLOCK = calendar({"mon-sun": "00:00-24:00"})


# What is promised in words


def test_a_clock_paused_over_the_weekend_is_due_by_what_is_left() -> None:
    opened, waiting, back = local("2026-03-06T15:00"), local("2026-03-06T16:00"), local("2026-03-09T10:00")

    def used(now: int) -> int:
        return length(subtract(OFFICE.spans(opened, now), [(waiting, min(back, now))]))

    assert used(local("2026-03-06T16:30")) == HOUR
    assert used(back) == HOUR
    assert OFFICE.add(back, 4 * HOUR - used(back)) == local("2026-03-09T13:00")


def test_a_day_of_23_hours_is_one_hour_short_of_a_target_of_24() -> None:
    assert ROUND_THE_CLOCK.add(local("2026-03-28T12:00"), 24 * HOUR) == local("2026-03-29T13:00")


def test_a_target_used_up_at_closing_time_is_due_then_and_overrun_at_the_next_opening() -> None:
    opened = local("2026-03-06T13:00")  # a Friday

    assert OFFICE.add(opened, 4 * HOUR) == local("2026-03-06T17:00")
    assert OFFICE.overrun(opened, 4 * HOUR) == local("2026-03-09T09:00")
    assert OFFICE.overrun(opened, 4 * HOUR - 1) == local("2026-03-06T17:00") - 1


def test_nothing_has_elapsed_at_once() -> None:
    saturday, monday = local("2026-03-07T12:00"), local("2026-03-09T12:00")

    assert OFFICE.add(saturday, 0) == saturday
    assert OFFICE.overrun(saturday, 0) == local("2026-03-09T09:00")
    assert OFFICE.overrun(monday, 0) == monday
    assert OFFICE.elapsed(saturday, saturday) == 0
    assert OFFICE.elapsed(monday, saturday) == 0


# Questions


def test_hours_are_those_inside_the_span_asked_about() -> None:
    friday, monday = local("2026-03-06T16:00"), local("2026-03-09T09:30")

    assert OFFICE.spans(friday, monday) == [(friday, friday + HOUR), (monday - 30 * MINUTE, monday)]
    assert OFFICE.spans(friday + HOUR, monday - 30 * MINUTE) == []
    assert OFFICE.spans(monday, friday) == []
    assert OFFICE.elapsed(friday, monday) == HOUR + 30 * MINUTE


def test_an_opening_is_open_and_a_closing_is_closed() -> None:
    opening, closing = local("2026-03-06T09:00"), local("2026-03-06T17:00")

    assert [OFFICE.is_open(t) for t in (opening - 1, opening, closing - 1, closing)] == [
        False,
        True,
        True,
        False,
    ]
    assert OFFICE.next_change(opening - 1) == opening
    assert OFFICE.next_change(opening) == closing
    assert OFFICE.next_change(closing) == local("2026-03-09T09:00")


def test_always_is_open_at_every_instant() -> None:
    assert ALWAYS.always
    assert ALWAYS.elapsed(-5, 7) == 12
    assert ALWAYS.elapsed(7, -5) == 0
    assert ALWAYS.elapsed(0, FOREVER) == FOREVER
    assert ALWAYS.add(3, 4) == ALWAYS.overrun(3, 4) == 7
    assert ALWAYS.add(3, -4) == ALWAYS.overrun(3, -4) == 3
    assert ALWAYS.spans(3, 9) == [(3, 9)]
    assert ALWAYS.spans(9, 9) == []
    assert ALWAYS.is_open(0)
    assert ALWAYS.next_change(0) == FOREVER
    assert ALWAYS.business_day() == DAY


def test_hours_that_leave_nothing_out_are_open_at_every_instant() -> None:
    assert ROUND_THE_CLOCK.always
    assert calendar({"mon-sun": "06:00-22:00, 22:00-06:00"}).always
    assert calendar({"mon-sun": "06:00-22:00, 21:00-07:00"}).always
    assert not calendar({"mon-sun": "00:00-23:59"}).always
    assert not calendar({"mon-sat": "00:00-24:00"}).always
    assert not calendar({"mon-sun": "00:00-24:00"}, closed="2026-01-01").always
    assert not calendar({"mon-sun": "00:00-24:00"}, country="DE").always


# Days and spans


def test_a_shift_past_midnight_belongs_to_the_evening_on_which_it_opens() -> None:
    shifts = calendar({"mon-sun": "22:00-06:00"}, closed="2026-01-01")
    window = local("2025-12-31T12:00"), local("2026-01-02T12:00")

    assert shifts.spans(*window) == [(local("2025-12-31T22:00"), local("2026-01-01T06:00"))]


def test_overlapping_spans_are_united() -> None:
    doubled = calendar({"mon-sun": "08:00-12:00, 10:00-18:00, 17:00-02:00, 01:00-03:00"})
    window = local("2026-03-02T04:00"), local("2026-03-03T04:00")

    assert doubled.spans(*window) == [(local("2026-03-02T08:00"), local("2026-03-03T03:00"))]
    assert doubled.elapsed(*window) == 19 * HOUR


def test_spans_that_touch_at_midnight_are_one() -> None:
    weekend = calendar({"sat-sun": "00:00-24:00"})

    assert weekend.next_change(local("2026-03-07T00:00")) == local("2026-03-09T00:00")


def test_hours_over_new_year_are_one_span_whichever_year_is_asked_about_first() -> None:
    window = local("2026-12-31T12:00"), local("2027-01-01T12:00")
    shift = [(local("2026-12-31T22:00"), local("2027-01-01T06:00"))]

    for first_asked in ("2026-06-01T00:00", "2027-06-01T00:00", "2028-06-01T00:00", "2020-06-01T00:00"):
        nights = calendar({"mon-sun": "22:00-06:00"})
        nights.is_open(local(first_asked))

        assert nights.next_change(local("2026-12-31T23:00")) == local("2027-01-01T06:00")
        assert nights.next_change(local("2027-01-01T01:00")) == local("2027-01-01T06:00")
        assert nights.spans(*window) == shift


def test_days_that_touch_at_new_year_are_one_span_even_if_only_the_old_year_is_worked_out() -> None:
    weekdays = calendar({"mon-fri": "00:00-24:00"})
    weekdays.is_open(local("2025-06-01T00:00"))

    assert weekdays.next_change(local("2026-12-31T12:00")) == local("2027-01-02T00:00")  # a Saturday


# Changes of the clocks


def hours_on(day: str, hours: str, zone: str = BERLIN) -> list[Span]:
    """The spans of a daily calendar that open on the day or run into it, up to 06:00 of the next."""
    start = local(f"{day}T00:00", zone)
    return calendar({"mon-sun": hours}, zone=zone).spans(start, start + 30 * HOUR)[: hours.count("-")]


def test_an_opening_in_a_gap_moves_forward() -> None:
    assert hours_on("2026-03-29", "02:30-06:00") == [(local("2026-03-29T03:30"), local("2026-03-29T06:00"))]


def test_a_closing_in_a_gap_moves_forward() -> None:
    assert hours_on("2026-03-29", "01:00-02:30") == [(local("2026-03-29T01:00"), local("2026-03-29T03:30"))]


@pytest.mark.parametrize(
    ("hours", "opening", "closing"),
    [
        ("02:15-02:45", "2026-03-29T03:15", "2026-03-29T03:45"),
        ("02:00-03:00", "2026-03-29T03:00", "2026-03-29T04:00"),
        ("02:30-03:15", "2026-03-29T03:30", "2026-03-29T04:15"),
    ],
)
def test_a_span_that_a_gap_would_swallow_keeps_its_length(hours: str, opening: str, closing: str) -> None:
    assert hours_on("2026-03-29", hours) == [(local(opening), local(closing))]


def test_in_a_fold_an_opening_is_the_first_and_a_closing_the_second() -> None:
    day = "2026-10-25"

    assert hours_on(day, "02:30-06:00") == [(local(f"{day}T02:30"), local(f"{day}T06:00"))]
    assert hours_on(day, "01:00-02:30") == [(local(f"{day}T01:00"), local(f"{day}T02:30", fold=1))]
    assert length(hours_on(day, "02:00-03:00")) == 2 * HOUR


def test_a_date_that_the_zone_left_out_has_no_hours_and_the_evening_before_keeps_its_tail() -> None:
    apia = "Pacific/Apia"
    window = local("2011-12-29T12:00", apia), local("2012-01-01T00:00", apia)

    office = calendar({"mon-thu,sat-sun": "09:00-17:00", "fri": "06:00-20:00"}, zone=apia)
    nights = calendar({"mon-sun": "22:00-02:00"}, zone=apia)

    assert office.elapsed(*window) == 5 * HOUR + 8 * HOUR
    assert nights.spans(*window) == [
        (local("2011-12-29T22:00", apia), local("2011-12-31T02:00", apia)),
        (local("2011-12-31T22:00", apia), local("2012-01-01T00:00", apia)),
    ]
    assert length(nights.spans(*window)[:1]) == 4 * HOUR


def test_a_half_hour_gap_shortens_a_day_by_half_an_hour() -> None:
    island = "Australia/Lord_Howe"
    daily = calendar({"mon-sun": "00:00-24:00"}, zone=island, closed="2026-10-05")

    assert (
        daily.elapsed(local("2026-10-04T00:00", island), local("2026-10-06T00:00", island))
        == 23 * HOUR + 30 * MINUTE
    )


# Holidays


def is_open_on(day: str, office: Calendar) -> bool:
    return office.is_open(local(f"{day}T12:00"))


def test_holidays_are_those_of_the_subdivision() -> None:
    womens_day = "2027-03-08"  # a Monday, and a holiday in Berlin but not in Bavaria

    assert not is_open_on(womens_day, calendar({"mon-fri": "09:00-17:00"}, country="DE", subdivision="BE"))
    assert is_open_on(womens_day, calendar({"mon-fri": "09:00-17:00"}, country="DE", subdivision="BY"))
    assert is_open_on(womens_day, calendar({"mon-fri": "09:00-17:00"}, country="DE"))


def test_a_holiday_counts_on_the_day_on_which_it_is_observed_even_if_that_is_in_another_year() -> None:
    american = calendar({"mon-fri": "00:00-24:00"}, country="US")

    assert not is_open_on("2021-12-31", american)  # for Saturday, 2022-01-01
    assert not is_open_on("2021-07-05", american)  # for Sunday the 4th


def test_except_opens_a_holiday_also_closes_any_day_and_also_wins() -> None:
    office = calendar(
        {"mon-fri": "08:00-18:00"},
        country="DE",
        opened="2026-12-25 2026-01-01",
        closed="2026-12-31 2026-01-01",
    )

    assert is_open_on("2026-12-25", office)
    assert not is_open_on("2026-12-31", office)
    assert not is_open_on("2026-01-01", office)
    assert is_open_on("2026-12-30", office)


def test_except_makes_no_hours_on_a_weekday_that_has_none() -> None:
    assert not is_open_on(
        "2026-12-26", calendar({"mon-fri": "08:00-18:00"}, country="DE", opened="2026-12-26")
    )


def test_a_country_whose_moving_feasts_are_known_for_some_years_has_the_fixed_ones_in_all() -> None:
    indian = calendar({"mon-sun": "00:00-24:00"}, zone="Asia/Kolkata", country="IN")

    assert not indian.is_open(local("2099-08-15T12:00", "Asia/Kolkata"))


# The ends of the table


def test_outside_the_years_1970_to_2100_a_calendar_is_closed() -> None:
    last_opening, last_closing = local("2100-12-31T09:00"), local("2100-12-31T17:00")
    late = local("2250-01-01T00:00")

    assert OFFICE.add(last_opening, 8 * HOUR) == last_closing
    assert OFFICE.add(last_opening, 8 * HOUR + 1) == FOREVER
    assert OFFICE.overrun(last_opening, 8 * HOUR) == FOREVER
    assert OFFICE.add(late, 1) == OFFICE.overrun(late, 0) == OFFICE.next_change(late) == FOREVER
    assert OFFICE.next_change(last_opening) == last_closing
    assert OFFICE.next_change(last_closing) == FOREVER
    assert OFFICE.elapsed(last_opening, FOREVER) == 8 * HOUR
    assert OFFICE.elapsed(FOREVER - 1, FOREVER) == 0
    assert not OFFICE.is_open(FOREVER)
    assert OFFICE.overrun(-FOREVER, 0) == OFFICE.next_change(-FOREVER) == local("1970-01-01T09:00")


def test_an_amount_of_many_years_is_found() -> None:
    start = local("1990-01-01T00:00")
    due = OFFICE.add(start, 60_000 * HOUR)

    assert OFFICE.elapsed(start, due) == 60_000 * HOUR


# The nominal day


def test_a_business_day_is_the_hours_of_an_open_day_if_all_are_alike() -> None:
    assert OFFICE.business_day() == 8 * HOUR
    assert calendar({"mon,wed": "08:00-12:00, 13:00-18:00", "fri": "09:00-18:00"}).business_day() == 9 * HOUR
    assert calendar({"mon-thu": "08:00-12:00, 13:00-18:00", "fri": "08:00-16:00"}).business_day() is None


def test_a_business_day_counts_nothing_twice() -> None:
    assert calendar({"mon": "08:00-12:00, 10:00-16:00"}).business_day() == 8 * HOUR
    assert calendar({"mon-sun": "22:00-06:00"}).business_day() == 8 * HOUR
    assert calendar({"mon-sun": "22:00-06:00, 00:00-06:00"}).business_day() == 8 * HOUR
    assert calendar({"mon-fri": "22:00-06:00, 00:00-06:00"}).business_day() is None


# As written


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("08:00-12:00, 13:00-18:00", [(480, 720), (780, 1080)]),
        ("22:00-02:00", [(1320, 1560)]),
        ("00:00-24:00", [(0, 1440)]),
        ("18:00-00:00", [(1080, 1440)]),
        ("18:00 - 24:00", [(1080, 1440)]),
        ("9:00-17:30", [(540, 1050)]),
    ],
)
def test_hours_are_read_as_written(text: str, spans: list[Span]) -> None:
    assert parse_hours(text) == spans


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", 'write "08:00-18:00"'),
        ("closed", '"closed" is no opening hours'),
        ("08:00-12:00,", '"" is no opening hours'),
        ("08:00–12:00", "is no opening hours"),
        ("8-12", "is no opening hours"),
        ("08:00-25:00", "25:00 is no time of day"),
        ("08:60-09:00", "08:60 is no time of day"),
        ("08:00-24:30", "24:30 is no time of day"),
        ("24:00-02:00", "24:00 can only end a span"),
        ("08:00-08:00", 'has no length: for the whole day write "00:00-24:00"'),
        ("00:00-00:00", 'has no length: for the whole day write "00:00-24:00"'),
    ],
)
def test_hours_that_make_no_sense_are_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_hours(text)


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("mon", [0]),
        ("mon-thu", [0, 1, 2, 3]),
        ("fri-mon", [4, 5, 6, 0]),
        ("mon,wed", [0, 2]),
        ("Sat - Sun, tue", [5, 6, 1]),
        ("mon-sun", [0, 1, 2, 3, 4, 5, 6]),
    ],
)
def test_days_are_read_as_written(text: str, days: list[int]) -> None:
    assert parse_days(text) == days


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("monday", '"monday" is no weekday: they are mon, tue, wed, thu, fri, sat, sun'),
        ("", '"" is no weekday'),
        ("mon-", '"" is no weekday'),
        ("mon,", '"" is no weekday'),
        ("mon-wed,tue", "names tue twice"),
        ("mon-mon", 'begins and ends on one day: write "mon"'),
    ],
)
def test_days_that_make_no_sense_are_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_days(text)


@pytest.mark.parametrize(
    ("hours", "message"),
    [
        ({}, "no opening hours at all"),
        ({0: [], 3: []}, "no opening hours at all"),
        ({7: [(0, 60)]}, "weekday 7 does not exist"),
        ({0: [(60, 60)]}, "mon: a span from 01:00 to 01:00 has no length"),
        ({1: [(60, 30)]}, "tue: a span closes after it opens"),
        ({1: [(60, 1501)]}, "tue: a span closes after it opens, within 24 hours"),
        ({2: [(1440, 1500)]}, "wed: an opening lies between 00:00 and 23:59"),
    ],
)
def test_hours_that_cannot_be_are_refused(hours: dict[int, list[Span]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Calendar.weekly("office", BERLIN, hours)


@pytest.mark.parametrize(
    ("country", "subdivision", "message"),
    [
        ("Germny", None, 'no holidays are known for country "Germny": did you mean "DE"?'),
        ("de", None, 'did you mean "DE"?'),
        ("Germany", None, 'did you mean "DE"?'),
        ("date", None, "no holidays are known"),
        ("?", None, "write the two letters of ISO 3166"),
        ("DE", "DE-BE", 'did you mean "BE"?'),
        ("DE", "Brelin", 'did you mean "Berlin"?'),
        ("DE", "BX", 'no holidays are known for subdivision "BX" of DE: known are BB, BE, BW,'),
        ("JP", "13", "leave the subdivision out"),
        (None, "BE", 'subdivision "BE" needs its country'),
    ],
)
def test_holidays_of_an_unknown_place_are_refused_with_a_suggestion(
    country: str | None, subdivision: str | None, message: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        calendar({"mon": "09:00-17:00"}, country=country, subdivision=subdivision)


def test_the_name_always_and_unknown_zones_are_refused() -> None:
    with pytest.raises(ValueError, match="choose another name"):
        Calendar.weekly("always", BERLIN, {0: [(0, 60)]})
    with pytest.raises(ValueError, match='unknown time zone "Europe/Berlni": did you mean "Europe/Berlin"'):
        Calendar.weekly("office", "Europe/Berlni", {0: [(0, 60)]})


def test_calendars_are_equal_if_their_terms_are() -> None:
    same = Calendar.weekly("office", BERLIN, {day: [(540, 1020)] for day in range(5)})

    assert same == OFFICE
    assert hash(same) == hash(OFFICE)
    assert calendar({"mon-fri": "09:00-17:00"}, closed="2026-01-01") != OFFICE
    assert OFFICE != "office"
