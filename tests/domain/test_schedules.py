"""Maintenance schedules, by example."""

from datetime import UTC, date, datetime

import pytest

from slamon.domain.intervals import FOREVER, Span
from slamon.domain.periods import DAY, MINUTE
from slamon.domain.schedules import check_rule, occurrences

HOUR = 60 * MINUTE
BERLIN = "Europe/Berlin"


def utc(text: str) -> int:
    """The instant of a time like 2026-03-29T01:00, in microseconds."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000


def spans(*texts: str) -> list[Span]:
    return [(utc(start), utc(end)) for start, end in (text.split(" ") for text in texts)]


def sundays(start: str, end: str) -> list[Span]:
    rule = "FREQ=WEEKLY;BYDAY=SU"
    return occurrences(rule, BERLIN, date(2026, 1, 1), 120, 2 * HOUR, utc(start), utc(end))


def test_a_weekly_rule_recurs_at_its_local_time() -> None:
    assert sundays("2026-01-01T00:00", "2026-01-15T00:00") == spans(
        "2026-01-04T01:00 2026-01-04T03:00", "2026-01-11T01:00 2026-01-11T03:00"
    )


def test_the_start_of_the_agreement_counts_only_if_the_rule_matches_it() -> None:
    assert sundays("2026-01-01T00:00", "2026-01-02T00:00") == []


def test_an_occurrence_in_a_gap_moves_forward_and_keeps_its_length() -> None:
    assert sundays("2026-03-29T00:00", "2026-03-30T00:00") == spans("2026-03-29T01:00 2026-03-29T03:00")


def test_an_occurrence_seen_twice_begins_the_first_time_and_lasts_in_real_time() -> None:
    assert sundays("2026-10-25T00:00", "2026-10-26T00:00") == spans("2026-10-25T00:00 2026-10-25T02:00")


def test_occurrences_are_cut_to_the_span_asked_about() -> None:
    assert sundays("2026-01-04T02:00", "2026-01-11T01:30") == spans(
        "2026-01-04T02:00 2026-01-04T03:00", "2026-01-11T01:00 2026-01-11T01:30"
    )
    assert sundays("2026-01-04T03:00", "2026-01-11T01:00") == []
    assert sundays("2026-01-11T00:00", "2026-01-04T00:00") == []


def test_what_was_asked_before_changes_nothing() -> None:
    later = sundays("2030-01-01T00:00", "2030-02-01T00:00")

    assert len(later) == 4
    assert sundays("2026-01-01T00:00", "2026-01-06T00:00") == spans("2026-01-04T01:00 2026-01-04T03:00")
    assert sundays("2030-01-01T00:00", "2030-02-01T00:00") == later


def test_occurrences_longer_than_their_distance_are_united() -> None:
    found = occurrences(
        "FREQ=DAILY", "UTC", date(2026, 1, 1), 0, 30 * HOUR, utc("2026-01-01T00:00"), utc("2026-01-05T00:00")
    )

    assert found == spans("2026-01-01T00:00 2026-01-05T00:00")


def test_a_date_alone_as_until_includes_its_whole_day() -> None:
    found = occurrences("FREQ=DAILY;UNTIL=20260102", BERLIN, date(2026, 1, 1), 1380, HOUR, 0, FOREVER)

    assert found == spans("2026-01-01T22:00 2026-01-01T23:00", "2026-01-02T22:00 2026-01-02T23:00")


def test_until_is_a_local_time_and_inclusive() -> None:
    found = occurrences("FREQ=DAILY;UNTIL=20260102T230000", BERLIN, date(2026, 1, 1), 1380, HOUR, 0, FOREVER)

    assert len(found) == 2


def test_count_ends_a_rule() -> None:
    found = occurrences("freq=monthly; byday=-1FR; count=2", "UTC", date(2026, 1, 1), 0, DAY, 0, FOREVER)

    assert found == spans("2026-01-30T00:00 2026-01-31T00:00", "2026-02-27T00:00 2026-02-28T00:00")


def test_a_date_that_the_zone_left_out_has_no_occurrence() -> None:
    window = utc("2011-12-29T10:00"), utc("2012-01-01T10:00")
    found = occurrences("FREQ=DAILY", "Pacific/Apia", date(2011, 12, 1), 120, HOUR, *window)

    # 02:00 -10 on the 29th, nothing on the 30th, 02:00 +14 on the 31st and the 1st
    assert found == spans(
        "2011-12-29T12:00 2011-12-29T13:00",
        "2011-12-30T12:00 2011-12-30T13:00",
        "2011-12-31T12:00 2011-12-31T13:00",
    )


def test_nothing_recurs_after_the_year_2100() -> None:
    found = occurrences("FREQ=YEARLY", "UTC", date(2099, 6, 1), 0, DAY, 0, FOREVER)

    assert found == spans("2099-06-01T00:00 2099-06-02T00:00", "2100-06-01T00:00 2100-06-02T00:00")


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=WEEKLY;BYDAY=SU",
        "RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,TH;WKST=SU",
        "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
        "FREQ=MONTHLY;BYDAY=2TU",
        "FREQ=MONTHLY;BYMONTHDAY=-1",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29",
        "FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO",
        "FREQ=DAILY;INTERVAL=10;COUNT=5",
        "FREQ=DAILY;UNTIL=19991231T235959",
    ],
)
def test_a_rule_may_be(rule: str) -> None:
    check_rule(rule)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("", "is not understood, write it like"),
        ("every sunday", "is not understood, write it like"),
        ("FREQ=WEEKLY;BYDAYS=SU", '"BYDAYS=SU" is not understood'),
        ("BYDAY=SU", "FREQ is missing"),
        ("FREQ=HOURLY", "FREQ is one of DAILY, WEEKLY, MONTHLY, YEARLY"),
        ("FREQ=WEEKLY;FREQ=DAILY", "names FREQ twice"),
        ("FREQ=DAILY;BYHOUR=2", "leave BYHOUR out, the time of day is what `at` says"),
        ("FREQ=DAILY;BYMINUTE=30", "leave BYMINUTE out, the time of day is what `at` says"),
        ("FREQ=DAILY;BYSECOND=30", "leave BYSECOND out, the time of day is what `at` says"),
        ("FREQ=DAILY;DTSTART=20260101", "leave DTSTART out"),
        ("FREQ=WEEKLY;BYDAY=SO", "BYDAY is one of MO, TU"),
        ("FREQ=MONTHLY;BYDAY=0SU", "BYDAY lists weekdays like"),
        ("FREQ=WEEKLY;BYDAY=", "BYDAY is one of MO, TU"),
        ("FREQ=WEEKLY;BYDAY=2SU", "numbers in BYDAY go with FREQ=MONTHLY or YEARLY"),
        ("FREQ=DAILY;INTERVAL=0", "INTERVAL is a whole number from 1"),
        ("FREQ=DAILY;BYMONTH=13", "BYMONTH lists numbers from 1 to 12"),
        ("FREQ=MONTHLY;BYMONTHDAY=0", "BYMONTHDAY lists numbers from -31 to 31, and not 0"),
        ("FREQ=DAILY;UNTIL=20261231T000000Z", "UNTIL is local time: leave the Z out"),
        ("FREQ=DAILY;UNTIL=tomorrow", "UNTIL is a local date or time like 20261231"),
        ("FREQ=DAILY;UNTIL=20260230", 'UNTIL is "20260230", which is not in the calendar'),
        ("FREQ=DAILY;UNTIL=20261231;COUNT=3", "UNTIL and COUNT exclude each other"),
        ("FREQ=MONTHLY;BYYEARDAY=3", "BYYEARDAY goes with FREQ=YEARLY only"),
        ("FREQ=WEEKLY;BYWEEKNO=3", "BYWEEKNO goes with FREQ=YEARLY only"),
        ("FREQ=WEEKLY;BYMONTHDAY=3", "BYMONTHDAY does not go with FREQ=WEEKLY"),
        ("FREQ=MONTHLY;BYSETPOS=1", "BYSETPOS chooses among what another part lists"),
        ("FREQ=WEEKLY;BYDAY=MO,TU;BYSETPOS=3", "BYSETPOS is beyond"),
        ("FREQ=DAILY;BYMONTH=2,4;BYMONTHDAY=31", "no month it names has the days it names"),
        ("FREQ=DAILY;INTERVAL=14;BYDAY=MO", "use FREQ=WEEKLY"),
        ("FREQ=YEARLY;BYYEARDAY=200;BYMONTH=1", "never applies"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_and_told_why(rule: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_rule(rule)
    if message != "never applies":
        with pytest.raises(ValueError, match=message):
            occurrences(rule, BERLIN, date(2026, 1, 1), 0, HOUR, 0, FOREVER)


def test_an_unknown_zone_is_told_every_time() -> None:
    for _ in range(2):
        with pytest.raises(ValueError, match="unknown time zone"):
            occurrences("FREQ=DAILY", "Mars/Olympus", date(2026, 1, 1), 0, HOUR, 0, FOREVER)
