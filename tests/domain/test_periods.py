"""Local time, and the periods a verdict is about, by example."""

import zoneinfo
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from slamon.domain.periods import (
    DAY,
    MINUTE,
    TimeWindow,
    Unit,
    date_exists,
    local_date,
    local_midnight,
    period_after,
    period_at,
    periods,
    resolve_local,
    zone_rules,
)

HOUR = 60 * MINUTE
BERLIN = "Europe/Berlin"


def utc(text: str) -> int:
    """The instant of a time like 2026-03-29T01:00, in microseconds."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000


def shown(t: int) -> str:
    return datetime.fromtimestamp(t // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M")


# Zones


@pytest.fixture
def machine_without_zones(tmp_path: Path) -> Iterator[None]:
    zone_rules.cache_clear()
    zoneinfo.reset_tzpath(to=[str(tmp_path)])
    (tmp_path / "Europe").mkdir()
    (tmp_path / "Europe" / "Berlin").write_bytes(b"no zone rules")
    yield
    zoneinfo.reset_tzpath()


@pytest.mark.usefixtures("machine_without_zones")
def test_zone_rules_come_from_the_package_and_not_from_the_machine() -> None:
    assert zone_rules(BERLIN).key == BERLIN
    assert local_midnight(BERLIN, date(2026, 7, 1)) == utc("2026-06-30T22:00")


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("Europe/Berln", 'did you mean "Europe/Berlin"'),
        ("europe/berlin", 'did you mean "Europe/Berlin"'),
        ("Berlin", 'did you mean "Europe/Berlin"'),
        ("New York", 'did you mean "America/New_York"'),
        ("utc", 'did you mean "UTC"'),
        ("", 'write it like "Europe/Berlin"'),
        ("../../etc/passwd", 'write it like "Europe/Berlin"'),
    ],
)
def test_an_unknown_zone_is_refused_with_a_suggestion(name: str, suggestion: str) -> None:
    with pytest.raises(ValueError, match=suggestion):
        zone_rules(name)


# Local times


def test_a_local_time_in_a_gap_moves_forward_by_the_gap_at_both_ends_of_a_span() -> None:
    for closing in (False, True):
        assert shown(resolve_local(BERLIN, date(2026, 3, 29), 150, closing=closing)) == "2026-03-29T01:30"


def test_a_gap_of_half_an_hour_moves_by_half_an_hour() -> None:
    # Lord Howe, 2026-10-04 02:00 +10:30 -> 02:30 +11:00
    assert (
        shown(resolve_local("Australia/Lord_Howe", date(2026, 10, 4), 135, closing=False))
        == "2026-10-03T15:45"
    )


def test_of_a_local_time_seen_twice_an_opening_takes_the_first_and_a_closing_the_second() -> None:
    day = date(2026, 10, 25)

    assert shown(resolve_local(BERLIN, day, 150, closing=False)) == "2026-10-25T00:30"
    assert shown(resolve_local(BERLIN, day, 150, closing=True)) == "2026-10-25T01:30"


def test_minutes_past_midnight_are_reckoned_on_the_wall() -> None:
    # 26:30 of the day before is 02:30 in the gap, whatever time has really passed since midnight
    assert resolve_local(BERLIN, date(2026, 3, 28), 26 * 60 + 30, closing=True) == utc("2026-03-29T01:30")
    assert resolve_local(BERLIN, date(2026, 3, 28), 27 * 60 + 30, closing=True) == utc("2026-03-29T01:30")


def test_a_midnight_in_a_gap_moves_forward() -> None:
    assert shown(local_midnight("America/Sao_Paulo", date(2018, 11, 4))) == "2018-11-04T03:00"  # 01:00 -02


def test_of_two_midnights_the_first_is_taken() -> None:
    assert shown(local_midnight("America/Havana", date(2026, 11, 1))) == "2026-11-01T04:00"  # 00:00 -04


def test_a_date_that_a_zone_left_out_does_not_exist() -> None:
    assert not date_exists("Pacific/Apia", date(2011, 12, 30))
    assert date_exists("Pacific/Apia", date(2011, 12, 29))
    assert date_exists("Pacific/Apia", date(2011, 12, 31))
    assert date_exists("America/Sao_Paulo", date(2018, 11, 4))
    assert local_midnight("Pacific/Apia", date(2011, 12, 30)) == local_midnight(
        "Pacific/Apia", date(2011, 12, 31)
    )


def test_the_local_date_is_the_one_on_the_wall() -> None:
    assert local_date(BERLIN, utc("2026-06-30T22:00")) == date(2026, 7, 1)
    assert local_date(BERLIN, utc("2026-06-30T22:00") - 1) == date(2026, 6, 30)


# Periods


@pytest.mark.parametrize(
    ("unit", "start", "end"),
    [
        (Unit.WEEK, "2026-03-22T23:00", "2026-03-29T22:00"),
        (Unit.MONTH, "2026-02-28T23:00", "2026-03-31T22:00"),
        (Unit.QUARTER, "2025-12-31T23:00", "2026-03-31T22:00"),
        (Unit.YEAR, "2025-12-31T23:00", "2026-12-31T23:00"),
    ],
)
def test_a_period_runs_from_one_local_midnight_to_another(unit: Unit, start: str, end: str) -> None:
    period = (utc(start), utc(end))

    assert period_at(unit, BERLIN, utc("2026-03-28T12:00")) == period
    assert period_at(unit, BERLIN, period[0]) == period
    assert period_at(unit, BERLIN, period[1] - 1) == period
    assert period_at(unit, BERLIN, period[1])[0] == period[1]


def test_a_border_is_an_instant_where_the_old_date_is_seen_again_after_it() -> None:
    # St John's, 2009-11-01: at 00:01 the clocks went back to 23:01 of October 31.
    border = local_midnight("America/St_Johns", date(2009, 11, 1))
    an_hour_later = border + 30 * MINUTE

    assert shown(border) == "2009-11-01T02:30"
    assert local_date("America/St_Johns", an_hour_later) == date(2009, 10, 31)
    assert period_at(Unit.MONTH, "America/St_Johns", an_hour_later)[0] == border
    assert period_at(Unit.MONTH, "America/St_Johns", border - 1)[1] == border


def test_a_week_that_lacks_a_date_is_a_day_shorter() -> None:
    start, end = period_at(Unit.WEEK, "Pacific/Apia", utc("2011-12-29T00:00"))

    assert end - start == 6 * DAY


def test_periods_are_those_that_touch_the_span_whole_and_in_order() -> None:
    january, february, march = (
        (utc("2026-01-01T00:00"), utc("2026-02-01T00:00")),
        (utc("2026-02-01T00:00"), utc("2026-03-01T00:00")),
        (utc("2026-03-01T00:00"), utc("2026-04-01T00:00")),
    )

    assert list(periods(Unit.MONTH, "UTC", january[1] - 1, march[0] + 1)) == [january, february, march]
    assert list(periods(Unit.MONTH, "UTC", *february)) == [february]
    assert list(periods(Unit.MONTH, "UTC", february[0], february[0])) == []
    assert period_after(Unit.MONTH, "UTC", january) == february


def test_periods_exist_in_any_year() -> None:
    assert period_at(Unit.YEAR, "UTC", utc("1889-06-01T00:00"))[0] == utc("1889-01-01T00:00")
    assert period_at(Unit.YEAR, "UTC", utc("2345-06-01T00:00"))[1] == utc("2346-01-01T00:00")


@pytest.mark.parametrize(("unit", "rolling"), [(None, None), (Unit.MONTH, DAY)])
def test_a_time_window_is_either_calendar_or_rolling(unit: Unit | None, rolling: int | None) -> None:
    with pytest.raises(
        ValueError, match=r"^a time window is either calendar or rolling, exactly one of them$"
    ):
        TimeWindow(unit, rolling)


@pytest.mark.parametrize("rolling", [0, -DAY])
def test_a_rolling_time_window_has_a_length(rolling: int) -> None:
    with pytest.raises(ValueError, match=r"^a rolling time window has a length above zero$"):
        TimeWindow(None, rolling)


def test_a_time_window_can_be_either() -> None:
    assert TimeWindow(Unit.MONTH, None).unit is Unit.MONTH
    assert TimeWindow(None, 30 * DAY).rolling == 30 * DAY
