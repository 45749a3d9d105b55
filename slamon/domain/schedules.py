"""Maintenance schedules: when a recurrence rule of RFC 5545 applies in a zone.

Rules:

- The rule is local: DTSTART is a date and a time of day in the zone, and so is UNTIL, which is inclusive; a
  date alone means its whole day.
- Only DAILY and slower, one occurrence a day at most. DTSTART itself counts only if the rule matches it.
- An occurrence begins by the rule for beginnings (periods.py: moved forward over a gap, the first of two) and
  lasts its duration in real time. On a date that the zone left out there is none.
- Nothing recurs beyond the year 2100.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Any

from dateutil import rrule as recurrence

from slamon.domain.intervals import Span, clip, union
from slamon.domain.periods import TABLE_END, date_exists, resolve_local, zone_rules

_FREQUENCIES = {
    "DAILY": recurrence.DAILY,
    "WEEKLY": recurrence.WEEKLY,
    "MONTHLY": recurrence.MONTHLY,
    "YEARLY": recurrence.YEARLY,
}
_WEEKDAYS = {str(day): day for day in recurrence.weekdays}
_LONGEST_MONTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_PROBE = datetime(2000, 1, 1, tzinfo=UTC)


def check_rule(rule: str) -> None:
    """ValueError, worded for who wrote it, if the rule cannot be read, is too fast, or never applies."""
    parts = _parts(rule)
    parts.pop("until", None)  # that it is over by now is no fault
    if next(iter(recurrence.rrule(dtstart=_PROBE, **parts)), None) is None:
        raise ValueError(f'"{rule}" never applies: no date has all it asks for')


def occurrences(
    rule: str, zone: str, first: date, minute: int, duration: int, start: int, end: int
) -> list[Span]:
    """The time inside `[start, end)` in which the rule applies, united.

    DTSTART is `minute` minutes after 00:00 on the wall of `first`; `duration` is in microseconds of real time.
    ValueError as `check_rule`.
    """
    if start >= end or duration <= 0:
        return []
    begins = _begins(rule, zone, first, minute)
    begins.reach(end)
    known = begins.known
    found = known[bisect_right(known, start - duration) : bisect_left(known, end)]
    return clip(union((begin, begin + duration) for begin in found), start, end)


class _Begins:
    """The instants at which a rule applies, ascending, worked out as far as they were asked for."""

    def __init__(self, begins: Iterator[int]) -> None:
        self.known: list[int] = []
        self._rest = begins

    def reach(self, end: int) -> None:
        """Makes `known` complete before `end`."""
        while not self.known or self.known[-1] < end:
            begin = next(self._rest, None)
            if begin is None:
                return
            self.known.append(begin)


@cache
def _begins(rule: str, zone: str, first: date, minute: int) -> _Begins:
    zone_rules(zone)  # an unknown one is told every time, not only where the iterator breaks
    # The wall is dressed as UTC, where every day has 24 hours: dateutil is to know nothing of the zone.
    start = datetime.combine(first, time(), UTC) + timedelta(minutes=minute)
    return _Begins(_instants(iter(recurrence.rrule(dtstart=start, **_parts(rule))), zone, minute))


def _instants(dates: Iterator[datetime], zone: str, minute: int) -> Iterator[int]:
    for local in dates:
        day = local.date()
        begin = resolve_local(zone, day, minute, closing=False)
        if begin >= TABLE_END:
            return
        if date_exists(zone, day):
            yield begin


def _parts(rule: str) -> dict[str, Any]:
    """The rule as the arguments of dateutil's."""
    parts: dict[str, Any] = {}
    for part in rule.upper().removeprefix("RRULE:").split(";"):
        name, _, value = (word.strip() for word in part.partition("="))
        if name in {"BYHOUR", "BYMINUTE", "BYSECOND"}:
            raise ValueError(f'"{rule}": leave {name} out, the time of day is what `at` says')
        if name == "DTSTART":
            raise ValueError(f'"{rule}": leave DTSTART out, the rule starts with the agreement')
        if name not in _READERS:
            raise ValueError(f'"{rule}": "{part}" is not understood, write it like "FREQ=WEEKLY;BYDAY=SU"')
        keyword, read = _READERS[name]
        if keyword in parts:
            raise ValueError(f'"{rule}" names {name} twice')
        try:
            parts[keyword] = read(value)
        except ValueError as error:
            raise ValueError(f'"{rule}": {name} {error}') from None
    for holds, fault in _FAULTS:
        if holds(parts):
            raise ValueError(f'"{rule}": {fault}')
    return parts


def _frequency(value: str) -> int:
    if value not in _FREQUENCIES:
        raise ValueError(f'is one of {", ".join(_FREQUENCIES)}, not "{value}"')
    return _FREQUENCIES[value]


def _above_zero(value: str) -> int:
    if not re.fullmatch(r"0*[1-9]\d{0,3}", value):
        raise ValueError(f'is a whole number from 1 to 9999, not "{value}"')
    return int(value)


def _until(value: str) -> datetime:
    if value.endswith("Z"):
        raise ValueError("is local time: leave the Z out")
    if not re.fullmatch(r"\d{8}(T\d{6})?", value):
        raise ValueError(f'is a local date or time like 20261231 or 20261231T235959, not "{value}"')
    try:
        day, _, clock = value.partition("T")
        return datetime.strptime(day + (clock or "235959"), "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        raise ValueError(f'is "{value}", which is not in the calendar') from None


def _weekday(value: str) -> recurrence.weekday:
    if value not in _WEEKDAYS:
        raise ValueError(f'is one of {", ".join(_WEEKDAYS)}, not "{value}"')
    return _WEEKDAYS[value]


def _weekdays(value: str) -> list[recurrence.weekday]:
    days = []
    for word in map(str.strip, value.split(",")):
        number = word[:-2]
        if number and not re.fullmatch(r"[+-]?0?[1-9]\d?", number):
            raise ValueError(f'lists weekdays like SU, 2TU or -1FR, not "{word}"')
        day = _weekday(word[-2:])
        days.append(day(int(number)) if number else day)
    return days


def _numbers(low: int, high: int) -> Callable[[str], list[int]]:
    def read(value: str) -> list[int]:
        words = [word.strip() for word in value.split(",")]
        if not all(
            re.fullmatch(r"[+-]?\d{1,3}", word) and int(word) and low <= int(word) <= high for word in words
        ):
            raise ValueError(f'lists numbers from {low} to {high}, and not 0, not "{value}"')
        return [int(word) for word in words]

    return read


_READERS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "FREQ": ("freq", _frequency),
    "INTERVAL": ("interval", _above_zero),
    "COUNT": ("count", _above_zero),
    "UNTIL": ("until", _until),
    "WKST": ("wkst", _weekday),
    "BYDAY": ("byweekday", _weekdays),
    "BYMONTH": ("bymonth", _numbers(1, 12)),
    "BYMONTHDAY": ("bymonthday", _numbers(-31, 31)),
    "BYYEARDAY": ("byyearday", _numbers(-366, 366)),
    "BYWEEKNO": ("byweekno", _numbers(-53, 53)),
    "BYSETPOS": ("bysetpos", _numbers(-366, 366)),
}


def _is(parts: dict[str, Any], *frequencies: str) -> bool:
    frequency: int = parts["freq"]
    return frequency in [_FREQUENCIES[name] for name in frequencies]


def _has_numbered_days(parts: dict[str, Any]) -> bool:
    return any(day.n for day in parts.get("byweekday", ()))


def _lacks_the_days(parts: dict[str, Any]) -> bool:
    days: list[int] = parts.get("bymonthday", [1])
    months: list[int] = parts.get("bymonth", [1])
    return min(map(abs, days)) > max(_LONGEST_MONTHS[month - 1] for month in months)


def _skips_the_days(parts: dict[str, Any]) -> bool:
    interval: int = parts.get("interval", 1)
    return _is(parts, "DAILY") and "byweekday" in parts and interval % 7 == 0


def _has_no_such_position(parts: dict[str, Any]) -> bool:
    days = {"DAILY": 1, "WEEKLY": len(parts.get("byweekday", (None,)))}
    positions: list[int] = parts.get("bysetpos", [1])
    return any(_is(parts, name) and min(map(abs, positions)) > most for name, most in days.items())


# What RFC 5545 (3.3.10) forbids, and what can be seen never to apply: searching all dates for it takes seconds.
_FAULTS: tuple[tuple[Callable[[dict[str, Any]], bool], str], ...] = (
    (lambda parts: "freq" not in parts, "FREQ is missing, write it like FREQ=WEEKLY;BYDAY=SU"),
    (lambda parts: "until" in parts and "count" in parts, "UNTIL and COUNT exclude each other"),
    (lambda parts: "byyearday" in parts and not _is(parts, "YEARLY"), "BYYEARDAY goes with FREQ=YEARLY only"),
    (lambda parts: "byweekno" in parts and not _is(parts, "YEARLY"), "BYWEEKNO goes with FREQ=YEARLY only"),
    (lambda parts: "bymonthday" in parts and _is(parts, "WEEKLY"), "BYMONTHDAY does not go with FREQ=WEEKLY"),
    (
        lambda parts: _has_numbered_days(parts) and ("byweekno" in parts or _is(parts, "DAILY", "WEEKLY")),
        "numbers in BYDAY go with FREQ=MONTHLY or YEARLY only, without BYWEEKNO",
    ),
    (
        lambda parts: (
            "bysetpos" in parts and not any(name.startswith("by") for name in parts if name != "bysetpos")
        ),
        "BYSETPOS chooses among what another part lists, such as BYDAY, which is missing",
    ),
    (_lacks_the_days, "no month it names has the days it names"),
    (_skips_the_days, "steps of whole weeks meet one weekday only, use FREQ=WEEKLY"),
    (_has_no_such_position, "BYSETPOS is beyond what the other parts list"),
)
