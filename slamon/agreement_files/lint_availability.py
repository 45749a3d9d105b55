"""Advice on objectives about a service's time: what its error budget makes pointless."""

from collections.abc import Iterator
from fractions import Fraction

from slamon.agreement_files.findings import quoted
from slamon.agreement_files.hints import Document, Hint, Path, longest_service_time
from slamon.agreement_files.wording import days, duration, share
from slamon.domain.agreement import (
    AvailabilityObjective,
    Share,
    UnknownCountsAs,
)
from slamon.domain.periods import TimeWindow


def _availability(document: Document) -> Iterator[tuple[int, AvailabilityObjective, Fraction]]:
    """Each with where it stands and the budget of its largest period."""
    for index, objective in enumerate(document.agreement.objectives):
        if isinstance(objective, AvailabilityObjective):
            longest = longest_service_time(document.agreement, objective)
            yield index, objective, (1 - objective.target) * longest


def budgets(document: Document) -> Iterator[Hint]:
    for index, objective, budget in _availability(document):
        terms: Path = ("objectives", index, "availability")
        whole = f"the whole budget is {duration(int(budget))} ({share(objective.target)} of a {_length(objective.window)})"
        if budget and objective.minimum_outage > budget:
            yield Hint(
                "budget-below-minimum-outage",
                (*terms, "minimumOutage"),
                f"the first outage that counts breaks the target: it has lasted {duration(objective.minimum_outage)}, "
                f"and {whole}",
                f"write `minimumOutage` below {duration(int(budget))}, or a lower target",
            )
        for place, step in enumerate(objective.alerts.time_left):
            if (step.of * budget if isinstance(step, Share) else step.left) >= budget:
                yield Hint(
                    "step-out-of-reach",
                    (*terms, "alerts", "timeLeft", place),
                    f"{quoted(step.text)} is never announced: {whole}",
                    "write less than that, or a share such as `50%`" if budget else "remove it",
                )


def _length(of: TimeWindow) -> str:
    return of.unit.value if of.unit else f"window of {days(of.rolling or 0)}"


def unmeasured(document: Document) -> Iterator[Hint]:
    for index, objective, _ in _availability(document):
        terms: Path = ("objectives", index, "availability")
        if (
            objective.down_while is not None
            and objective.unknown_counts_as is UnknownCountsAs.UNDETERMINED
            and document.spec.find(*terms, "unknownCountsAs") is None
        ):
            yield Hint(
                "unmeasured-time",
                (*terms, "downWhile"),
                "outside such tickets the service is up only where a monitor says so: else its status is unknown, and "
                "the period is undetermined",
                "add `unknownCountsAs: up` if tickets alone tell of downtime, or `unknownCountsAs: undetermined` if a "
                "monitor measures it too",
            )
