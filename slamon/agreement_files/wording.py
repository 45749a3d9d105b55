"""How values stand in messages: as an author would write them, exactly."""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from fractions import Fraction

from slamon.domain.agreement import Agreement
from slamon.domain.events import DAY, HOUR, MINUTE, SECOND
from slamon.domain.intervals import FOREVER
from slamon.domain.periods import TimeWindow, local_date


def duration(length: int) -> str:
    """`1h30m`, `27h`, `42s`; in hours however long, for days may be business days. Below a second: `0s`."""
    left = length
    parts = []
    for size, unit in ((HOUR, "h"), (MINUTE, "m"), (SECOND, "s")):
        count, left = divmod(left, size)
        parts += [f"{count}{unit}"] if count else []
    return "".join(parts) or "0s"


def days(length: int) -> str:
    """`30d`, or as `duration` where it is no whole number of days of 24 hours."""
    return f"{length // DAY}d" if length and length % DAY == 0 else duration(length)


def share(value: Fraction) -> str:
    """`99.95%`, with as many digits as it takes; what has no end is rounded to three decimals."""
    return f"{decimal(value * 100)}%"


def decimal(value: Fraction) -> str:
    """As `share`, without the sign."""
    number = Decimal(value.numerator) / Decimal(value.denominator)
    return f"{(number if value == Fraction(number) else round(number, 3)).normalize():f}"


def window(value: TimeWindow) -> str:
    return value.unit.value if value.unit else f"rolling {days(value.rolling or 0)}"


def effective(agreement: Agreement) -> str:
    """`2026-01-01 to 2026-12-31`, `from 2026-01-01 on`."""
    last = last_day(agreement)
    return f"from {agreement.first_day} on" if last is None else f"{agreement.first_day} to {last}"


def last_day(agreement: Agreement) -> date | None:
    """None: its end is open."""
    return None if agreement.end == FOREVER else local_date(agreement.zone, agreement.end - 1)


def counted(count: int, thing: str) -> str:
    return f"{count} {thing}{'' if count == 1 else 's'}"


def joined(words: Iterable[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last
