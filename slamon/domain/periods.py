"""Local time in a zone, and the calendar periods a verdict is about.

Rules:

- Zone rules come from the `tzdata` package, never from the machine, so that two machines agree.
- A local time that does not exist (a gap, in spring) moves forward by the gap. One that exists twice (a
  fold, in autumn) is the first of the two when something begins and the second when something ends.
- Periods are bounded by local midnights, taken as beginnings. Where a zone sets its clocks back across
  midnight, the old date is seen again after the border: those instants belong to the new period, because
  the border is an instant and not a date.
- Weeks begin on Monday.
"""

import difflib
import enum
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo

from slamon.domain.intervals import Span

SECOND = 1_000_000
MINUTE = 60 * SECOND
DAY = 24 * 60 * MINUTE

TABLE_START = 0
"""1970-01-01 UTC: nothing recurs (opening hours, maintenance) before."""
TABLE_END = (date(2101, 1, 1).toordinal() - date(1970, 1, 1).toordinal()) * DAY
"""2101-01-01 UTC: nothing that recurs begins after about this instant (by local dates, so give or take a day)."""

_EPOCH_DAY = date(1970, 1, 1).toordinal()
_MIDNIGHT = time()


class Unit(enum.Enum):
    """The calendar periods."""

    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


@dataclass(frozen=True, slots=True)
class TimeWindow:
    """What an objective is judged over: whole calendar units, or the last `rolling` microseconds."""

    unit: Unit | None
    rolling: int | None

    def __post_init__(self) -> None:
        if (self.unit is None) == (self.rolling is None):
            raise ValueError("a time window is either calendar or rolling, exactly one of them")
        if self.rolling is not None and self.rolling <= 0:
            raise ValueError("a rolling time window has a length above zero")


@cache
def zone_rules(zone: str) -> ZoneInfo:
    """ValueError, with a suggestion, for a name that the IANA database does not have."""
    names = _zone_names()
    if zone not in names:
        spellings = {name.rpartition("/")[2].lower(): name for name in names}
        spellings |= {name.lower(): name for name in names}
        close = difflib.get_close_matches(zone.lower().replace(" ", "_"), spellings, n=1)
        hint = f'did you mean "{spellings[close[0]]}"?' if close else 'write it like "Europe/Berlin" or "UTC"'
        raise ValueError(f'unknown time zone "{zone}": {hint}')
    with files("tzdata").joinpath("zoneinfo", *zone.split("/")).open("rb") as rules:
        return ZoneInfo.from_file(rules, key=zone)


@cache
def _zone_names() -> frozenset[str]:
    return frozenset(files("tzdata").joinpath("zones").read_text(encoding="utf-8").split())


def local_readings(zone: str, day: date, minute: int) -> tuple[int, int]:
    """The instants of a local time by the offset before and by the offset after a change of the clocks.

    Equal where nothing changes; ascending in a fold (the first and the second time it is seen); descending
    in a gap, where the former is the time moved forward by the gap. `minute` counts from 00:00 of `day` on
    the wall and may exceed a day.
    """
    local = datetime.combine(day, _MIDNIGHT, zone_rules(zone))
    if minute:
        local += timedelta(minutes=minute)
    wall = (day.toordinal() - _EPOCH_DAY) * DAY + minute * MINUTE
    return wall - _offset(local), wall - _offset(local.replace(fold=1))


def _offset(local: datetime) -> int:
    offset = local.utcoffset()
    assert offset is not None
    return (offset.days * 86_400 + offset.seconds) * SECOND


def resolve_local(zone: str, day: date, minute: int, *, closing: bool) -> int:
    """The instant of a local time; `minute` counts from 00:00 of `day` on the wall and may exceed a day."""
    before, after = local_readings(zone, day, minute)
    return max(before, after) if closing else before  # in a gap, `before` is the greater


def local_midnight(zone: str, day: date) -> int:
    """Where `day` begins: moved forward over a gap, the first of two."""
    return resolve_local(zone, day, 0, closing=False)


def local_date(zone: str, t: int) -> date:
    """ValueError or OverflowError outside the years 1 to 9999."""
    return datetime.fromtimestamp(t // SECOND, zone_rules(zone)).date()


def date_exists(zone: str, day: date) -> bool:
    """False for a date that a zone left out when it crossed the date line, as Samoa did 2011-12-30."""
    before, after = local_readings(zone, day, 0)
    return before <= after or local_date(zone, before) == day


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _first_of_month(day: date) -> date:
    return day.replace(day=1)


def _first_of_quarter(day: date) -> date:
    return day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)


def _first_of_year(day: date) -> date:
    return day.replace(month=1, day=1)


# The first day of the unit that contains a day; and the length in days that reaches from there into the
# next unit, never past it.
_UNITS: dict[Unit, tuple[Callable[[date], date], timedelta]] = {
    Unit.WEEK: (_monday, timedelta(days=7)),
    Unit.MONTH: (_first_of_month, timedelta(days=31)),
    Unit.QUARTER: (_first_of_quarter, timedelta(days=92)),
    Unit.YEAR: (_first_of_year, timedelta(days=366)),
}


def longest(unit: Unit) -> int:
    """Microseconds of the longest period of a unit, changes of the clocks aside."""
    return _UNITS[unit][1].days * DAY


def unit_dates(unit: Unit, day: date) -> tuple[date, date]:
    """The first day of the unit that contains `day`, and the first of the next one."""
    first_day, longest = _UNITS[unit]
    first = first_day(day)
    return first, first_day(first + longest)


_CHUNK = 3_653 * DAY  # borders are kept by the decade: 522 weeks at most


def period_at(unit: Unit, zone: str, t: int) -> Span:
    """The period `[from, to)` that contains `t`, whole. ValueError or OverflowError outside the years 1 to 9999."""
    borders = _borders(unit, zone, t // _CHUNK)
    after = bisect_right(borders, t)
    return borders[after - 1], borders[after]


@cache
def _borders(unit: Unit, zone: str, chunk: int) -> tuple[int, ...]:
    """From the last border at or before the chunk to the first one at or after its end."""
    first_day, longest = _UNITS[unit]
    start, end = chunk * _CHUNK, (chunk + 1) * _CHUNK
    day = first_day(local_date(zone, start))
    borders = [local_midnight(zone, day)]
    while borders[-1] < end:
        day = first_day(day + longest)
        borders.append(local_midnight(zone, day))
    return tuple(borders)


def period_after(unit: Unit, zone: str, period: Span) -> Span:
    """The period that contains the end of this one; a cut one is thus followed by the whole one it was cut from."""
    return period_at(unit, zone, period[1])


def periods(unit: Unit, zone: str, start: int, end: int) -> Iterator[Span]:
    """Those that touch `[start, end)`, whole, in order."""
    t = start
    while t < end:
        period = period_at(unit, zone, t)
        yield period
        t = period[1]
