"""What a check of the advice yields, and what the checks share."""

from fractions import Fraction
from typing import NamedTuple

from slamon.agreement_files.sections import Section
from slamon.domain.agreement import (
    Agreement,
    AvailabilityObjective,
    Objective,
    RequestsObjective,
    TicketObjective,
)
from slamon.domain.events import DAY
from slamon.domain.periods import TimeWindow, periods

Path = tuple[str | int, ...]  # from `spec` down: keys, and indices of lists


class Document(NamedTuple):
    """An agreement, and where it is written."""

    agreement: Agreement
    spec: Section


class Hint(NamedTuple):
    rule: str
    path: Path
    message: str
    help: str


def judged_window(objective: Objective | RequestsObjective) -> TimeWindow:
    return objective.attainment.window if isinstance(objective, TicketObjective) else objective.window


def target_of(objective: Objective | RequestsObjective) -> Fraction:
    return objective.attainment.target if isinstance(objective, TicketObjective) else objective.target


def longest_service_time(agreement: Agreement, objective: AvailabilityObjective) -> int:
    """The service hours of its largest period in the first two years: enough to know them all."""
    start, end = agreement.start, min(agreement.end, agreement.start + 2 * 366 * DAY)
    if objective.window.unit is not None:
        spans = [
            (max(start, first), min(end, last))
            for first, last in periods(objective.window.unit, agreement.zone, start, end)
        ]
    else:
        width = objective.window.rolling
        assert width is not None
        spans = [
            (first, min(end, first + width))
            for first in range(start, max(start, end - width) + 1, DAY)
            if first < end
        ]
    return max((objective.calendar.elapsed(*span) for span in spans), default=0)
