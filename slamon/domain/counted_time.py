"""Which time of a service counts for an objective: its hours within the agreement, and what is excluded from them.

With `removed`, excluded time is on neither side of a ratio; with `up` it stays applicable, and nothing in it is a failure.
"""

from collections.abc import Sequence
from typing import NamedTuple

from slamon.domain.agreement import Agreement, ExclusionsCountAs, ServiceObjective
from slamon.domain.crossings import Lengths
from slamon.domain.exclusions import Declared, excluded
from slamon.domain.intervals import Span, clip, intersect, subtract


class CountedTime(NamedTuple):
    """The sets inside a range."""

    service: Lengths  # service hours by the calendar alone
    applicable: Lengths
    countable: Lengths  # where failures count: service hours outside exclusions
    excluded: Lengths  # inside service hours


def counted_time(
    agreement: Agreement, objective: ServiceObjective, known: Sequence[Declared], span: Span
) -> CountedTime:
    """`known`: the exclusions declared by now."""
    opening = objective.calendar.spans(*span)
    hours = clip(opening, agreement.start, agreement.end)
    without = excluded(agreement, objective, known, *span)
    countable = subtract(hours, without)
    removed = objective.exclusions_count_as is ExclusionsCountAs.REMOVED
    return CountedTime(
        service=Lengths(opening),
        applicable=Lengths(countable if removed else hours),
        countable=Lengths(countable),
        excluded=Lengths(intersect(hours, without)),
    )
