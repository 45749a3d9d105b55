"""The time of a clock by local dates of its calendar: how much of each day, week or month counted, paused, or did neither."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import groupby, pairwise

from slamon.domain.calendars import NO_HOURS, Calendar
from slamon.domain.events import DAY
from slamon.domain.explanations.of_ticket import Kind, Stint
from slamon.domain.periods import date_exists, local_date, local_midnight

MOST_ROWS = 20
ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Remark:
    """What is particular about a date: a holiday by its name, clocks that are changed."""

    day: date
    text: str


@dataclass(slots=True)
class Row:
    """Opening hours (microseconds) of the dates `first` to `last`, as far as they lie in the life of the clock."""

    first: date
    last: date
    calendar: Calendar
    counted: int = 0
    paused: int = 0
    other: int = 0
    remarks: list[Remark] = field(default_factory=list)


def rows(stints: Sequence[Stint], zone: str) -> list[Row]:
    """By the day if that are few, else by the week or by the month; none where all calendars are always open.

    `zone`: of the dates of a calendar that is always open, and therefore kept in no zone.
    """
    if all(stint.calendar.always for stint in stints):
        return []
    days = list(_days(stints, zone))
    if len(days) <= MOST_ROWS:
        return days
    weeks = _joined(days, lambda day: day - timedelta(days=day.weekday()))
    return weeks if len(weeks) <= MOST_ROWS else _joined(days, lambda day: day.replace(day=1))


def _days(stints: Iterable[Stint], zone: str) -> Iterator[Row]:
    row: Row | None = None
    for stint in stints:
        for day, start, end in _parts(stint, zone if stint.calendar.always else stint.calendar.zone):
            if row is None or (row.first, row.calendar) != (day, stint.calendar):
                if row is not None:
                    yield row
                row = Row(day, day, stint.calendar, remarks=list(_remarks(stint.calendar, day)))
            opening = stint.calendar.elapsed(start, end)
            if stint.kind is Kind.COUNTED:
                row.counted += opening
            elif stint.kind is Kind.PAUSED:
                row.paused += opening
            else:
                row.other += opening
    if row is not None:
        yield row


def _parts(stint: Stint, zone: str) -> Iterator[tuple[date, int, int]]:
    """A stint cut at the midnights of the zone."""
    first, last = local_date(zone, stint.start), local_date(zone, stint.end)
    after = [first + n * ONE_DAY for n in range(1, (last - first).days + 1)]
    borders = [at for at in (local_midnight(zone, day) for day in after) if stint.start < at < stint.end]
    for start, end in pairwise([stint.start, *borders, stint.end]):
        yield local_date(zone, start), start, end


def _remarks(calendar: Calendar, day: date) -> Iterator[Remark]:
    if calendar.always:
        return
    if not date_exists(calendar.zone, day):
        yield Remark(day, "date left out")
        return
    closed = calendar.closed_on(day)
    if closed is not None:
        yield Remark(day, closed)
    length = local_midnight(calendar.zone, day + ONE_DAY) - local_midnight(calendar.zone, day)
    if length != DAY:
        yield Remark(day, "clocks go forward" if length < DAY else "clocks go back")


def _joined(days: Sequence[Row], first_of: Callable[[date], date]) -> list[Row]:
    """One row for the dates with the same first date; that a weekday has no hours is no longer worth a remark."""
    joined = []
    for (_, calendar), group in groupby(days, key=lambda row: (first_of(row.first), row.calendar)):
        found = list(group)
        joined.append(
            Row(
                found[0].first,
                found[-1].last,
                calendar,
                sum(row.counted for row in found),
                sum(row.paused for row in found),
                sum(row.other for row in found),
                [remark for row in found for remark in row.remarks if remark.text != NO_HOURS],
            )
        )
    return joined
