"""Instants, lengths, shares, windows and numbers as an explanation writes them: exact, so that a reader can add them up."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from fractions import Fraction

from slamon.domain.announcements import EPOCH, LAST, duration, percent
from slamon.domain.decisions import Standing, Statement
from slamon.domain.events import HOUR, MINUTE, SECOND
from slamon.domain.periods import TimeWindow, zone_rules


def local(t: int, zone: str) -> datetime:
    return (EPOCH + timedelta(microseconds=t)).astimezone(zone_rules(zone))


def offset(t: int, zone: str) -> str:
    """`+01:00`."""
    found = f"{local(t, zone):%z}"
    return f"{found[:3]}:{found[3:5]}"


def clock(t: int, zone: str) -> str:
    """`14:32`; seconds and fractions only where they are not zero."""
    there = local(t, zone)
    fraction = f".{there.microsecond:06}".rstrip("0") if there.microsecond else ""
    return f"{there:%H:%M:%S}{fraction}" if there.second or fraction else f"{there:%H:%M}"


def day(t: int, zone: str) -> str:
    """`Tue 24 Nov 2026`."""
    return f"{local(t, zone):%a %-d %b %Y}" if t < LAST else "never"


def moment(t: int, zone: str) -> str:
    """`Tue 24 Nov 2026 14:32 +01:00`."""
    return f"{day(t, zone)} {clock(t, zone)} {offset(t, zone)}" if t < LAST else "never"


def lasting(microseconds: int) -> str:
    """`2 h 5 min 3.5 s`, never in days: a business day and a day are not the same."""
    left = abs(microseconds)
    hours, left = divmod(left, HOUR)
    minutes, left = divmod(left, MINUTE)
    seconds, fraction = divmod(left, SECOND)
    parts = [f"{count:,} {unit}" for count, unit in ((hours, "h"), (minutes, "min")) if count]
    if seconds or fraction or not parts:
        digits = f".{fraction:06}".rstrip("0") if fraction else ""
        parts.append(f"{seconds}{digits} s")
    return ("- " if microseconds < 0 else "") + " ".join(parts)


def lasting_about(microseconds: Fraction) -> str:
    """As `lasting`; what is no whole number of microseconds is cut off, and said to be."""
    whole = int(microseconds)
    return f"{'' if whole == microseconds else 'just over '}{lasting(whole)}"


def listed(words: Iterable[str]) -> str:
    """`a, b and c`."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def times(count: int) -> str:
    """`once`, `twice`, `3 times`."""
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def counted(count: int, thing: str) -> str:
    """`1 cycle`, `2 cycles`."""
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def window_named(window: TimeWindow) -> str:
    """`a calendar month`, `the last 30 d`."""
    if window.unit is not None:
        return f"a calendar {window.unit.value}"
    return f"the last {duration(window.rolling or 0)}"


def if_it_ended(said: Standing | Statement) -> str:
    """What a verdict on figures to date begins with."""
    return "If the period ended now: " if isinstance(said, Standing) else ""


def percent_of(ratio: tuple[int, int] | None) -> str:
    """`99.95 %`; `none` where nothing is known to take it of."""
    return "none" if ratio is None else percent(Fraction(*ratio))


def request_count(requests: Fraction) -> str:
    """Whole, but where a border cut a bucket: then to six decimals."""
    whole, rest = divmod(round(requests * 10**6), 10**6)
    return f"{whole:,}.{rest:06}".rstrip("0").rstrip(".")
