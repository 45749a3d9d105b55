"""What the page of a period of a ticket objective says of its cycles."""

from collections.abc import Iterator
from fractions import Fraction

from rich.console import RenderableType
from rich.text import Text

from slamon.domain.agreement import BelowMinimum
from slamon.domain.announcements import percent
from slamon.domain.attainment import Rule as AttainmentRule
from slamon.domain.decisions import ClockRecord
from slamon.domain.explanations.of_attainment import AttainmentExplanation
from slamon.explain.gathering import PeriodExplanation
from slamon.explain.layout import ledger, table_of
from slamon.explain.ticket_page import MEASURES, OUTCOMES
from slamon.explain.wording import if_it_ended, lasting, moment, window_named


def _attainment(period: PeriodExplanation) -> AttainmentExplanation:
    assert isinstance(period.found, AttainmentExplanation)
    return period.found


BELOW_MINIMUM = {
    BelowMinimum.ALLOW_ONE_MISS: "one may be missed",
    BelowMinimum.COUNT_AS_USUAL: "they count as usual",
    BelowMinimum.NOT_APPLICABLE: "there is no verdict",
}


def promised(period: PeriodExplanation) -> Iterator[RenderableType]:
    objective = _attainment(period).objective
    promise, calendar = objective.attainment, objective.calendar
    within = "around the clock" if calendar.always else f"in the hours of {calendar.name}"
    few = (
        f" With fewer than {promise.minimum_tickets} decided, {BELOW_MINIMUM[promise.below_minimum]}."
        if promise.minimum_tickets
        else ""
    )
    yield Text(
        f"The {MEASURES[objective.measure.value]} of a ticket takes at most {lasting(objective.target)} {within}, "
        f"for {percent(promise.target)} of the cycles decided in {window_named(promise.window)}.{few}"
    )


def cycles(period: PeriodExplanation) -> Iterator[RenderableType]:
    found = _attainment(period)
    if not found.decided:
        yield Text("None.")
        return
    zone = found.agreement.zone
    yield table_of(
        ("decided", "ticket", "outcome", "used", "target"),
        [
            (
                moment(one.decided_at or 0, zone),
                _cycle(one),
                Text(one.outcome.value, style=OUTCOMES[one.outcome]),
                lasting(one.elapsed),
                lasting(one.target),
            )
            for one in found.decided
        ],
    )


def pending(period: PeriodExplanation) -> Iterator[RenderableType]:
    found = _attainment(period)
    zone = found.agreement.zone
    if found.pending:
        yield Text("These were begun and not decided; they count in the period that decides them.")
        yield table_of(
            ("started", "ticket", "now"),
            [(moment(one.started_at, zone), _cycle(one), Text(one.outcome.value)) for one in found.pending],
        )


def _cycle(record: ClockRecord) -> str:
    return f"{record.ticket} cycle {record.cycle}" if record.cycle > 1 else record.ticket


def summed(period: PeriodExplanation) -> Iterator[RenderableType]:
    found = _attainment(period)
    counts = found.counts
    lines = [("met", f"{counts.met:,}"), ("missed", f"{counts.missed:,}")]
    if counts.met + counts.missed:
        whole = counts.met + counts.missed
        lines += [
            ("decided", f"{whole:,}"),
            ("attained, met / decided", f"{counts.met} / {whole} = {percent(Fraction(counts.met, whole))}"),
        ]
    yield ledger([*lines, ("target", percent(found.objective.attainment.target))])


def verdict(period: PeriodExplanation) -> Iterator[RenderableType]:
    found = _attainment(period)
    promise, counts = found.objective.attainment, found.counts
    decided = counts.met + counts.missed
    reached = decided and counts.met >= promise.target * decided
    few = f"{decided} decided are fewer than {promise.minimum_tickets}"
    yield Text(
        if_it_ended(period.found.said)
        + {
            AttainmentRule.NOTHING_DECIDED: "Nothing was decided, so there is nothing to judge: not applicable.",
            AttainmentRule.TOO_FEW: f"{few} (minimumTickets, belowMinimum: notApplicable): not applicable.",
            AttainmentRule.ONE_MISS_ALLOWED: (
                f"{few}, and no more than one was missed (minimumTickets, belowMinimum: allowOneMiss): met."
            ),
            AttainmentRule.RATIO: (
                "The ratio reaches the target: met."
                if reached
                else "The ratio stays below the target: missed."
            ),
        }[found.rule]
    )
