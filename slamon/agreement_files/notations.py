"""How values are written: durations, percentages, dates, times of day, names.

Each function takes the text and gives the value, or raises `RefusedError` with what to write instead, if that can be told.
"""

import re
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple, TypeVar

from slamon.agreement_files.findings import closest, listed, quoted
from slamon.agreement_files.sections import RefusedError
from slamon.domain.calendars import Calendar
from slamon.domain.events import DAY, HOUR, MINUTE, SECOND

T = TypeVar("T")

_UNITS = {"w": 7 * DAY, "d": DAY, "h": HOUR, "m": MINUTE, "s": SECOND}
_ORDER = ("w", "d", "bd", "h", "m", "s")
_LONGEST = 3660 * DAY  # some ten years: more is a slip of the pen
_PART = re.compile(r"([0-9]{1,9})(bd|[wdhms])")

# The notations as patterns, which mean the same to JSON Schema as here.
DURATION = "^(?:[0-9]{1,9}[wdhms])+$"
DURATION_OR_BUSINESS_DAYS = "^(?:[0-9]{1,9}(?:bd|[wdhms]))+$"
PERCENTAGE = r"^([0-9]{1,9}(?:\.[0-9]{1,12})?)%$"

_HOW_LONG = "whole numbers with `s`, `m`, `h`, `d` or `w`, joined where needed: `90s`, `15m`, `1h30m`, `30d`"

# Other spellings of the units, to tell what was probably meant.
_SPELLINGS = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), "s"),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), "m"),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours", "std"), "h"),
    **dict.fromkeys(("d", "day", "days"), "d"),
    **dict.fromkeys(("w", "week", "weeks"), "w"),
    **dict.fromkeys(("bd", "business day", "business days", "working day", "working days"), "bd"),
}


class Written(NamedTuple):
    """A duration as its parts; what a business day is depends on the calendar."""

    text: str
    counts: dict[str, int]  # by unit

    @property
    def plain(self) -> int:
        return sum(count * _UNITS[unit] for unit, count in self.counts.items() if unit != "bd")


def _written(text: str) -> Written:
    if re.fullmatch("[0-9]{1,9}", text):
        raise RefusedError(f"{quoted(text)} of which unit?", f"write `{text}s`, `{text}m` or `{text}h`")
    if not re.fullmatch(DURATION_OR_BUSINESS_DAYS, text):
        meant = _meant_duration(text)
        raise RefusedError(
            f"{quoted(text)} is no duration", f"write `{meant}`" if meant else f"write {_HOW_LONG}"
        )
    parts = _PART.findall(text)
    units = [unit for _, unit in parts]
    if units != [unit for unit in _ORDER if unit in units]:
        raise RefusedError(
            f"{quoted(text)} is no duration", "each unit once, the largest first: write `1h30m`, not `30m1h`"
        )
    return Written(text, {unit: int(count) for count, unit in parts})


def _meant_duration(text: str) -> str | None:
    """What somebody meant who wrote `4 hours`, `15min`, `1.5h` or `PT15M`."""
    iso = re.fullmatch(r"P(?:([0-9]+)D)?(?:T(?:([0-9]+)H)?(?:([0-9]+)M)?(?:([0-9]+)S)?)?", text)
    if iso:
        return (
            "".join(f"{count}{unit}" for count, unit in zip(iso.groups(), "dhms", strict=True) if count)
            or None
        )
    parts = re.findall(r"\s*([0-9]+)(?:[.,]([0-9]+))?\s*([a-z]+(?: days?)?)\s*(?:,|and)?", text.lower())
    rest = re.sub(r"\s*[0-9]+(?:[.,][0-9]+)?\s*[a-z]+(?: days?)?\s*(?:,|and)?", "", text.lower())
    if not parts or rest.strip():
        return None
    words = []
    for whole, fraction, word in parts:
        unit = _SPELLINGS.get(word)
        if unit is None or (fraction and unit in {"s", "bd"}):
            return None
        words.append(_in_whole_units(Fraction(f"{whole}.{fraction}"), unit) if fraction else f"{whole}{unit}")
    return "".join(words)


def _in_whole_units(count: Fraction, unit: str) -> str:
    rest = int(count * _UNITS[unit])
    words = []
    for smaller in _ORDER[_ORDER.index(unit) :]:
        if smaller != "bd":
            amount, rest = divmod(rest, _UNITS[smaller])
            words += [f"{amount}{smaller}"] if amount else []
    return "".join(words)


def _limited(length: int, text: str) -> int:
    if length > _LONGEST:
        raise RefusedError(f"{quoted(text)} is longer than ten years", "is the unit right? `m` are minutes")
    return length


def duration(text: str) -> int:
    """Microseconds of time as it passes on the wall."""
    written = _written(text)
    if "bd" in written.counts:
        raise RefusedError(
            f"{quoted(text)}: this is no time of a business calendar, so it has no business days",
            "write hours, or `d` for 24 hours",
        )
    return _limited(written.plain, text)


def days(text: str) -> int:
    """Microseconds of a whole number of days, above zero."""
    length = above_zero(duration)(text)
    if length % DAY:
        raise RefusedError(f"{quoted(text)} are no whole days", "write whole days, such as `30d`")
    return length


def duration_by(calendar: Calendar | None) -> Callable[[str], int]:
    """Microseconds of a calendar's time. None: a calendar that could not be read, and is reported elsewhere."""

    def read(text: str) -> int:
        written = _written(text)
        if calendar is None:
            return max(1, _limited(written.plain, text))
        if not calendar.always and {"d", "w"} & set(written.counts):
            raise RefusedError(
                f"{quoted(text)} is not clear with the calendar {quoted(calendar.name)}: days of 24 hours, or of its own?",
                _without_days(written, calendar),
            )
        count = written.counts.get("bd", 0)
        day = calendar.business_day()
        if count and day is None:
            raise RefusedError(
                f"{quoted(text)}: the open days of the calendar {quoted(calendar.name)} differ in length",
                "say it in hours",
            )
        return _limited(written.plain + count * (day or 0), text)

    return read


def _without_days(written: Written, calendar: Calendar) -> str:
    day = calendar.business_day()
    if day is None:
        return f"write it in hours of {quoted(calendar.name)}, such as `8h`"
    hours = "".join(f"{count}{unit}" for unit, count in _counted(day))
    if set(written.counts) == {"d"}:
        return f"write `{written.counts['d']}bd` for its business days ({hours} each), or hours"
    return f"write its business days (`5bd`, {hours} each), or hours"


def _counted(length: int) -> list[tuple[str, int]]:
    counts = []
    for unit in ("h", "m"):
        count, length = divmod(length, _UNITS[unit])
        counts += [(unit, count)] if count else []
    return counts


def above_zero(read: Callable[[str], int]) -> Callable[[str], int]:
    def checked(text: str) -> int:
        value = read(text)
        if value <= 0:
            raise RefusedError(f"{quoted(text)} is no time at all", "write a duration above zero")
        return value

    return checked


def percentage(text: str) -> Fraction:
    """A share, exactly; `99.9%` is 999/1000."""
    found = re.fullmatch(PERCENTAGE, text)
    if found:
        return Fraction(found[1]) / 100
    meant = re.fullmatch(r"([0-9]{1,9}(?:[.,][0-9]{1,12})?)\s*(%|percent|per cent|pct)?", text)
    if meant is None:
        raise RefusedError(f"{quoted(text)} is no percentage", "write it like `99.9%`")
    number = Decimal(meant[1].replace(",", "."))
    if meant[2] is None and number == 1:
        raise RefusedError(f"{quoted(text)} is no percentage", "write `100%`, or `1%`")
    if meant[2] is None and number < 1:
        number = (number * 100).normalize()
    raise RefusedError(f"{quoted(text)} is no percentage", f"write `{number:f}%`")


def percentage_up_to_100(text: str) -> Fraction:
    share = percentage(text)
    if share > 1:
        raise RefusedError(f"{quoted(text)} is more than everything", "write at most `100%`")
    return share


def target_share(text: str) -> Fraction:
    share = percentage_up_to_100(text)
    if not share:
        raise RefusedError(f"{quoted(text)} promises nothing", "write a target above `0%`")
    return share


def whole_number(text: str) -> int:
    if not re.fullmatch("[0-9]{1,9}", text):
        raise RefusedError(f"{quoted(text)} is no whole number", "write digits only, such as `20`")
    return int(text)


def yes_or_no(text: str) -> bool:
    if text not in {"true", "false"}:
        raise RefusedError(f"{quoted(text)} is neither `true` nor `false`", "write `true` or `false`")
    return text == "true"


def day(text: str) -> date:
    """A date from 1970 to 2100, the years for which calendars and zones are worked out."""
    found = re.fullmatch("([0-9]{4})-([0-9]{2})-([0-9]{2})", text)
    if found is None:
        meant = _meant_day(text)
        raise RefusedError(
            f"{quoted(text)} is no date",
            f"write `{meant}`" if meant else "write year-month-day: `2026-01-31`",
        )
    try:
        value = date(int(found[1]), int(found[2]), int(found[3]))
    except ValueError:
        raise RefusedError(
            f"{quoted(text)} is not in the calendar", "write year-month-day: `2026-01-31`"
        ) from None
    if not 1970 <= value.year <= 2100:
        raise RefusedError(
            f"{quoted(text)} is outside the years 1970 to 2100", "for an end that is open, leave `to` out"
        )
    return value


def _meant_day(text: str) -> str | None:
    """Of `31.12.2026` and `2026-1-1`; with slashes nobody knows which is the month."""
    found = re.fullmatch(r"([0-9]{1,2})\.([0-9]{1,2})\.([0-9]{4})", text)
    year, month, of_month = (found[3], found[2], found[1]) if found else ("", "", "")
    found = re.fullmatch(r"([0-9]{4})[-/.]([0-9]{1,2})[-/.]([0-9]{1,2})", text)
    year, month, of_month = (found[1], found[2], found[3]) if found else (year, month, of_month)
    try:
        return date(int(year), int(month), int(of_month)).isoformat()
    except ValueError:
        return None


def time_of_day(text: str) -> int:
    """Minutes since 00:00."""
    found = re.fullmatch("([0-9]{1,2}):([0-9]{2})", text)
    if found is None or int(found[1]) > 23 or int(found[2]) > 59:
        raise RefusedError(f"{quoted(text)} is no time of day", "write it from `00:00` to `23:59`")
    return int(found[1]) * 60 + int(found[2])


def free_text(text: str) -> str:
    if not text.strip():
        raise RefusedError("this is only blanks", "write some text, or remove the line")
    return text.strip()


def word(text: str) -> str:
    """A word that is compared with those in events: exactly, so a blank at its ends would match nothing."""
    if text != text.strip() or not text.isprintable():
        raise RefusedError(f"{quoted(text)} begins or ends with a blank", f"write {quoted(text.strip())}")
    return text


def name(text: str) -> str:
    """A name of slamon's own: it stands in labels, keys and addresses."""
    if not re.fullmatch(r"\w[\w.-]{0,99}", text):
        meant = re.sub(r"[^\w.-]+", "-", text).strip("-._")[:100]
        raise RefusedError(
            f"{quoted(text)} cannot be a name",
            "letters, digits, `-`, `_` and `.`, at most 100" + (f": write {quoted(meant)}" if meant else ""),
        )
    return text


def one_of(
    values: Mapping[str, T], what: str, not_built: Mapping[str, str] | None = None
) -> Callable[[str], T]:
    """`not_built`: words that are promised for a later release, with what to do instead."""

    def read(text: str) -> T:
        if text in values:
            return values[text]
        if not_built and text in not_built:
            *others, last = map(quoted, values)
            built = f"{', '.join(others)} and {last} are" if others else f"{last} is"
            raise RefusedError(f"{quoted(text)} is not built yet: only {built}", not_built[text])
        meant = closest(text, values)
        question = f": did you mean {quoted(meant)}?" if meant else ""
        raise RefusedError(f"{quoted(text)} is no {what}{question}", f"allowed: {listed(values)}")

    return read
