"""How people write a calendar period: 2026-11, 2026-W48, 2026-Q4, 2026, or a date inside it."""

import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import NamedTuple

from slamon.domain.agreement import Agreement, Objective
from slamon.domain.intervals import Span
from slamon.domain.periods import Unit, local_date, local_midnight, period_at
from slamon.domain.terms import time_window


class Asked(NamedTuple):
    """A period as it was asked for: a whole unit, or the period in which a date lies (`unit` None)."""

    text: str
    unit: Unit | None
    day: date  # its first

    def span(self, zone: str) -> Span:
        start = local_midnight(zone, self.day)
        if self.unit is None:
            return start, local_midnight(zone, self.day + timedelta(days=1))
        return period_at(self.unit, zone, start)


_NOTATIONS: tuple[tuple[re.Pattern[str], Unit | None, Callable[..., date]], ...] = (
    (re.compile(r"(\d{4})"), Unit.YEAR, lambda year: date(year, 1, 1)),
    (re.compile(r"(\d{4})-[Qq]([1-4])"), Unit.QUARTER, lambda year, quarter: date(year, 3 * quarter - 2, 1)),
    (re.compile(r"(\d{4})-(\d{2})"), Unit.MONTH, lambda year, month: date(year, month, 1)),
    (re.compile(r"(\d{4})-[Ww](\d{2})"), Unit.WEEK, lambda year, week: date.fromisocalendar(year, week, 1)),
    (re.compile(r"(\d{4})-(\d{2})-(\d{2})"), None, date),
)


def parse_period(text: str) -> Asked:
    """ValueError, worded for who wrote it."""
    for pattern, unit, first_day in _NOTATIONS:
        found = pattern.fullmatch(text)
        if found is not None:
            try:
                return Asked(text, unit, first_day(*map(int, found.groups())))
            except ValueError:
                raise ValueError(f"{text!r} is not in the calendar") from None
    raise ValueError(
        f"{text!r} is no period: write 2026-11 (a month), 2026-W48, 2026-Q4, 2026, or a date such as 2026-11-24"
    )


def unit_of(agreement: Agreement, objective: Objective) -> Unit:
    """By what an objective is judged: a rolling window at the end of each reporting period."""
    return time_window(objective).unit or agreement.reporting.unit


def notation_of(unit: Unit, zone: str, t: int) -> str:
    """The unit that holds `t`, as people write it."""
    day = local_date(zone, period_at(unit, zone, t)[0])
    year, week, _ = day.isocalendar()
    return {
        Unit.YEAR: f"{day:%Y}",
        Unit.QUARTER: f"{day:%Y}-Q{(day.month + 2) // 3}",
        Unit.MONTH: f"{day:%Y-%m}",
        Unit.WEEK: f"{year}-W{week:02}",
    }[unit]
