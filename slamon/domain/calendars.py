"""Business calendars: how much time passes inside opening hours, and when a given amount has passed.

Rules:

- Opening hours are resolved date by date in the calendar's zone, both ends of a span by the rule for local
  times (periods.py): a gap moves an end forward, of a fold an opening takes the first, a closing the second.
  A span whose opening would thereby come at or after its closing keeps its length: moved, not lost.
- A span belongs to the date on which it opens. A closed date takes away, whole, the spans that open on it;
  the tail of the evening before stays. A date that the zone left out has none.
- `also` closes a date, `except` opens one in spite of a holiday, and `also` wins.
- Overlapping spans are united, never counted twice.
- Holidays are the public ones with their observed days, as far as the `holidays` package knows them.

Opening hours are worked out by the year, when first needed, into one table with running totals; every
question is then one or two binary searches. The table begins in 1970 and ends with 2100: outside, a calendar
is closed, unless it is always open. What never comes is FOREVER.
"""

import difflib
import re
import warnings
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from functools import cache
from itertools import accumulate
from typing import NamedTuple

import holidays
from holidays.registry import COUNTRIES

from slamon.domain.intervals import FOREVER, Span, length, subtract, union
from slamon.domain.periods import (
    MINUTE,
    TABLE_END,
    TABLE_START,
    date_exists,
    local_date,
    local_midnight,
    local_readings,
    resolve_local,
    zone_rules,
)

NO_HOURS = "no opening hours"
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_DAY_MINUTES = 1440
_WEEK_MINUTES = 7 * _DAY_MINUTES
_FIRST_YEAR, _LAST_YEAR = 1970, 2100
_LONGEST_TAIL = 3  # days: a span of up to 24 h, that a date left out by the zone pushes on

_SPAN = re.compile(r"(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})")


def parse_hours(text: str) -> list[tuple[int, int]]:
    """Opening and closing in minutes from 00:00 of the opening date, as written: "22:00-02:00" is (1320, 1560)."""
    spans = []
    for part in map(str.strip, text.split(",")):
        found = _SPAN.fullmatch(part)
        if found is None:
            raise ValueError(f'"{part}" is no opening hours: write "08:00-18:00", several with a comma')
        opening = _minute(found[1], found[2], part)
        closing = _minute(found[3], found[4], part)
        if opening == _DAY_MINUTES:
            raise ValueError(f'"{part}": 24:00 can only end a span, write 00:00 on the next day')
        if opening == closing:
            raise ValueError(f'"{part}" has no length: for the whole day write "00:00-24:00"')
        spans.append((opening, closing if closing > opening else closing + _DAY_MINUTES))
    return spans


def _minute(hour: str, minute: str, part: str) -> int:
    value = int(hour) * 60 + int(minute)
    if int(minute) > 59 or value > _DAY_MINUTES:
        raise ValueError(f'"{part}": {hour}:{minute} is no time of day, they run from 00:00 to 24:00')
    return value


def parse_days(text: str) -> list[int]:
    """Weekdays, 0 for Monday, in the order written: "fri-mon" is [4, 5, 6, 0]."""
    days: list[int] = []
    for part in text.split(","):
        first, dash, last = (word.strip() for word in part.partition("-"))
        start = _weekday(first)
        end = _weekday(last) if dash else start
        if dash and start == end:
            raise ValueError(
                f'"{part.strip()}" begins and ends on one day: write "{first}", or "mon-sun" for every day'
            )
        days += [(start + step) % 7 for step in range((end - start) % 7 + 1)]
    for day in days:
        if days.count(day) > 1:
            raise ValueError(f'"{text}" names {WEEKDAYS[day]} twice')
    return days


def _weekday(word: str) -> int:
    try:
        return WEEKDAYS.index(word.lower())
    except ValueError:
        raise ValueError(f'"{word}" is no weekday: they are {", ".join(WEEKDAYS)}') from None


class _Table(NamedTuple):
    """The opening hours of the years `first` to `last`: exact for the instants from `start` on, before `end`."""

    opens: list[int]
    closes: list[int]
    before: list[int]  # opening time before each span, and, as one more, before the end
    start: int
    end: int
    first: int
    last: int


_NO_TABLE = _Table([], [], [0], FOREVER, -FOREVER, _LAST_YEAR, _FIRST_YEAR)


class _Terms(NamedTuple):
    name: str
    zone: str
    hours: tuple[tuple[tuple[int, int], ...], ...]  # by weekday; minutes from 00:00 of the opening date
    country: str | None
    subdivision: str | None
    opened: frozenset[date]
    closed: frozenset[date]


class Calendar:
    """Made by `Calendar.weekly`; equal to another with the same terms. `always` means open at every instant."""

    __slots__ = ("_table", "_terms", "_years", "always", "name", "zone")

    def __init__(self, terms: _Terms) -> None:
        self.name = terms.name
        self.zone = terms.zone
        self.always = terms.country is None and not terms.closed and _is_whole_week(terms.hours)
        self._terms = terms
        self._years: dict[int, list[Span]] = {}
        self._table = _NO_TABLE

    @classmethod
    def weekly(
        cls,
        name: str,
        zone: str,
        hours: Mapping[int, Sequence[tuple[int, int]]],
        *,
        country: str | None = None,
        subdivision: str | None = None,
        except_dates: frozenset[date] = frozenset(),
        also_dates: frozenset[date] = frozenset(),
    ) -> "Calendar":
        """`hours`: by weekday (0 for Monday), openings and closings in minutes from 00:00 of the opening date.

        A closing may lie past midnight, up to 24 h after its opening. ValueError, worded for who wrote the
        calendar, if the terms make no sense.
        """
        if name == "always":
            raise ValueError(
                '"always" is the built-in calendar, open 24 hours on 7 days: choose another name'
            )
        zone_rules(zone)
        for weekday, spans in hours.items():
            if weekday not in range(7):
                raise ValueError(f"weekday {weekday} does not exist: 0 is Monday, 6 is Sunday")
            for opening, closing in spans:
                if not 0 <= opening < _DAY_MINUTES:
                    raise ValueError(f"{WEEKDAYS[weekday]}: an opening lies between 00:00 and 23:59")
                if opening == closing:
                    raise ValueError(
                        f"{WEEKDAYS[weekday]}: a span from {_clock(opening)} to {_clock(closing)} has no length"
                    )
                if not opening < closing <= opening + _DAY_MINUTES:
                    raise ValueError(f"{WEEKDAYS[weekday]}: a span closes after it opens, within 24 hours")
        if not any(hours.values()):
            raise ValueError("no opening hours at all: name at least one day")
        if subdivision is not None and country is None:
            raise ValueError(f'subdivision "{subdivision}" needs its country')
        if country is not None:
            _check_holidays(country, subdivision)
        by_weekday = tuple(tuple(sorted(hours.get(weekday, ()))) for weekday in range(7))
        return cls(_Terms(name, zone, by_weekday, country, subdivision, except_dates, also_dates))

    def __eq__(self, other: object) -> bool:
        return self._terms == other._terms if isinstance(other, Calendar) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._terms)

    @property
    def terms(self) -> tuple[object, ...]:
        """All that its hours follow from, in a fixed order."""
        return self._terms[1:]  # not its name

    def __repr__(self) -> str:
        return f"<Calendar {self.name} ({self.zone})>"

    @property
    def made_of(self) -> _Terms:
        """For those who tell how two calendars differ."""
        return self._terms

    def elapsed(self, a: int, b: int) -> int:
        """The length of `[a, b)` inside opening hours; 0 if `b` is not after `a`."""
        if b <= a:
            return 0
        if self.always:
            return b - a
        opens, closes, before, start, end, _, _ = self._table
        if a < start or b >= end:
            opens, closes, before, *_ = self._covering(a, b)
        i = bisect_right(opens, b) - 1
        if i < 0:
            return 0
        opening = opens[i]
        closing = closes[i]
        if a >= opening:  # both inside or after the same span
            return 0 if a >= closing else b - a if b < closing else closing - a
        total = before[i] + b - opening if b < closing else before[i + 1]
        i = bisect_right(opens, a, 0, i) - 1
        if i < 0:
            return total
        return total - (before[i] + a - opens[i] if a < closes[i] else before[i + 1])

    def add(self, a: int, d: int) -> int:
        """The earliest instant by which `d` has elapsed since `a`; `a` itself if `d` is not above 0; FOREVER if never."""
        if d <= 0:
            return a
        if self.always:
            return a + d
        opens, closes, before, start, end, _, _ = self._table
        while True:
            if start <= a < end:
                i = bisect_right(opens, a) - 1
                total = d  # opening time since the beginning of the table
                if i >= 0:
                    total += before[i] + a - opens[i] if a < closes[i] else before[i + 1]
                if total <= before[-1]:
                    i = bisect_left(before, total) - 1
                    return opens[i] + total - before[i]
                if end >= FOREVER:
                    return FOREVER
                opens, closes, before, start, end, _, _ = self._extended(self._table)
            else:
                opens, closes, before, start, end, _, _ = self._covering(a, a)

    def overrun(self, a: int, d: int) -> int:
        """The greatest lower bound of the instants t >= a with `elapsed(a, t) > d`; FOREVER if there are none.

        Where `d` is used up exactly at a closing, this is the next opening, `add` the closing.
        """
        if d < 0:
            return a
        if self.always:
            return a + d
        table = self._table
        if not table.start <= a < table.end:
            table = self._covering(a, a)
        total = _open_until(table, a) + d
        while total >= table.before[-1]:
            if table.end >= FOREVER:
                return FOREVER
            table = self._extended(table)
        i = bisect_right(table.before, total) - 1
        return table.opens[i] + total - table.before[i]

    def spans(self, a: int, b: int) -> list[Span]:
        """The opening hours inside `[a, b)`."""
        if b <= a:
            return []
        if self.always:
            return [(a, b)]
        table = self._table
        if a < table.start or b >= table.end:
            table = self._covering(a, b)
        first = bisect_right(table.closes, a)
        after = bisect_left(table.opens, b)
        inside = list(zip(table.opens[first:after], table.closes[first:after], strict=True))
        if inside:
            inside[0] = (max(inside[0][0], a), inside[0][1])
            inside[-1] = (inside[-1][0], min(inside[-1][1], b))
        return inside

    def is_open(self, t: int) -> bool:
        if self.always:
            return True
        table = self._table
        if not table.start <= t < table.end:
            table = self._covering(t, t)
        i = bisect_right(table.opens, t) - 1
        return i >= 0 and t < table.closes[i]

    def next_change(self, t: int) -> int:
        """The next opening or closing strictly after `t`; FOREVER if there is none."""
        if self.always:
            return FOREVER
        table = self._table
        if not table.start <= t < table.end:
            table = self._covering(t, t)
        while True:
            i = bisect_right(table.opens, t) - 1
            if i >= 0 and t < table.closes[i]:
                change = table.closes[i]
            else:
                change = table.opens[i + 1] if i + 1 < len(table.opens) else FOREVER
            if change < table.end or table.end >= FOREVER:
                return change
            table = self._extended(table)  # a closing at the end of the table may be none

    def closed_on(self, day: date) -> str | None:
        """Why nothing opens on `day`: NO_HOURS on that weekday, the holiday's name, or `closed`; None: something does."""
        _, _, hours, country, subdivision, _, closed = self._terms
        if not hours[day.weekday()]:
            return NO_HOURS
        if not self._is_closed(day):
            return None
        if day in closed or country is None:
            return "closed"
        return _public_holidays(country, subdivision, day.year)[day]

    def business_day(self) -> int | None:
        """The nominal opening time of one open weekday; None if the weekdays differ.

        By the weekly hours alone: no change of clocks and no holiday touches it. Where a span runs into hours
        of the next day, the common part counts for the day on which it opened.
        """
        hours = self._terms.hours
        lengths = set()
        for weekday, spans in enumerate(hours):
            tail = [
                (opening - _DAY_MINUTES, closing - _DAY_MINUTES) for opening, closing in hours[weekday - 1]
            ]
            if spans:
                lengths.add(length(subtract(union(spans), union(tail))))
        return lengths.pop() * MINUTE if len(lengths) == 1 else None

    def _covering(self, a: int, b: int) -> _Table:
        """Makes the table exact from `a` up to and including `b`."""
        table = self._table
        first, last = (local_date(self.zone, min(max(t, TABLE_START), TABLE_END)).year for t in (a, b))
        # One year more: where the clocks are set back over New Year's midnight, the old year is seen after it.
        return self._make_table(min(first, table.first), max(last + 1, table.last))

    def _extended(self, table: _Table) -> _Table:
        return self._make_table(table.first, table.last + max(1, table.last - table.first))

    def _make_table(self, first: int, last: int) -> _Table:
        first, last = max(first, _FIRST_YEAR), min(last, _LAST_YEAR)
        spans: list[Span] = []
        if first > _FIRST_YEAR:
            spans += self._openings(date(first, 1, 1) - timedelta(days=_LONGEST_TAIL), date(first, 1, 1))
        for year in range(first, last + 1):
            if year not in self._years:
                self._years[year] = self._openings(date(year, 1, 1), date(year + 1, 1, 1))
            spans += self._years[year]
        spans = union(spans)
        self._table = _Table(
            [opening for opening, _ in spans],
            [closing for _, closing in spans],
            list(accumulate((closing - opening for opening, closing in spans), initial=0)),
            -FOREVER if first == _FIRST_YEAR else local_midnight(self.zone, date(first, 1, 1)),
            FOREVER if last == _LAST_YEAR else local_midnight(self.zone, date(last + 1, 1, 1)),
            first,
            last,
        )
        return self._table

    def _openings(self, start: date, end: date) -> list[Span]:
        """The spans that open on the dates from `start` on, before `end`; they may overlap."""
        spans = []
        for ordinal in range(start.toordinal(), end.toordinal()):
            day = date.fromordinal(ordinal)
            hours = self._terms.hours[day.weekday()]
            if hours and not self._is_closed(day):
                spans += [span for times in hours if (span := self._resolve(day, *times))]
        return spans

    def _is_closed(self, day: date) -> bool:
        _, _, _, country, subdivision, opened, closed = self._terms
        if day in closed:
            return True
        return (
            country is not None
            and day not in opened
            and day in _public_holidays(country, subdivision, day.year)
        )

    def _resolve(self, day: date, opening: int, closing: int) -> Span | None:
        start, after = local_readings(self.zone, day, opening)
        if start > after and not date_exists(self.zone, day):
            return None
        end = resolve_local(self.zone, day, closing, closing=True)
        return start, end if end > start else start + (closing - opening) * MINUTE


def _open_until(table: _Table, t: int) -> int:
    """Opening time from the beginning of the table to `t`."""
    i = bisect_right(table.opens, t) - 1
    if i < 0:
        return 0
    closing = table.closes[i]
    return table.before[i] + min(t, closing) - table.opens[i]


def _is_whole_week(hours: tuple[tuple[Span, ...], ...]) -> bool:
    starts = [weekday * _DAY_MINUTES for weekday in range(-1, 7)]  # Sunday's hours may run into Monday
    spans = [
        (start + opening, start + closing)
        for start, times in zip(starts, (hours[-1], *hours), strict=True)
        for opening, closing in times
    ]
    return any(start <= 0 and end >= _WEEK_MINUTES for start, end in union(spans))


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _check_holidays(country: str, subdivision: str | None) -> None:
    codes = {
        alias: code
        for _, code, *aliases in COUNTRIES.values()
        for alias in (code, *aliases)
        if len(alias) <= 3
    }
    if country not in codes:
        spellings = {key.replace("_", " "): code for key, (_, code, *_) in COUNTRIES.items()}
        spellings |= {alias.lower(): code for alias, code in codes.items()}
        close = difflib.get_close_matches(country.lower(), spellings, n=1)
        hint = (
            f'did you mean "{spellings[close[0]]}"?'
            if close
            else 'write the two letters of ISO 3166, like "DE"'
        )
        raise ValueError(f'no holidays are known for country "{country}": {hint}')
    if subdivision is None:
        return
    entity = getattr(holidays, country)
    known: tuple[str, ...] = (*entity.subdivisions, *entity.subdivisions_aliases)
    if subdivision in known:
        return
    spellings = {name.lower(): name for name in known}
    asked = subdivision.lower().removeprefix(f"{country.lower()}-")
    close = [asked] if asked in spellings else difflib.get_close_matches(asked, spellings, n=1)
    if close:
        hint = f'did you mean "{spellings[close[0]]}"?'
    elif known:
        hint = f"known are {', '.join(entity.subdivisions)}"
    else:
        hint = "its holidays are the same everywhere, leave the subdivision out"
    raise ValueError(f'no holidays are known for subdivision "{subdivision}" of {country}: {hint}')


@cache
def _public_holidays(country: str, subdivision: str | None, year: int) -> dict[date, str]:
    """With their names: in English if they are known in it, else in the country's own language."""
    entity = getattr(holidays, country)
    language = "en_US" if "en_US" in entity.supported_languages else entity.default_language
    with warnings.catch_warnings():
        # India warns that moving feasts are known for some years only; there is nobody here to be told.
        warnings.simplefilter("ignore", UserWarning)
        known = holidays.country_holidays(
            country,
            subdiv=subdivision,
            years=(year - 1, year, year + 1),  # a holiday may be observed in the year before or after
            categories=("public",),
            language=language,  # else it is the machine's
        )
    return {day: name for day, name in known.items() if day.year == year}


ALWAYS = Calendar(_Terms("always", "UTC", (((0, _DAY_MINUTES),),) * 7, None, None, frozenset(), frozenset()))
