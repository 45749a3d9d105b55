"""Why a ticket objective was met or missed in a period: the cycles that count in it, and the rule that decided."""

from dataclasses import dataclass

from slamon.domain import attainment
from slamon.domain.agreement import Agreement, TicketObjective
from slamon.domain.attainment import Rule
from slamon.domain.customer import Customer
from slamon.domain.decisions import ClockOutcome, ClockRecord, Standing, Statement, TicketCounts
from slamon.domain.intervals import Span
from slamon.domain.ticket_clock import Mark
from slamon.domain.ticket_watch import TicketWatch


@dataclass(frozen=True, slots=True)
class AttainmentExplanation:
    """`said` is the statement, or the standing while the period runs; the cycles are those that its counts are of."""

    agreement: Agreement
    objective: TicketObjective
    period: Span
    as_of: int
    said: Statement | Standing
    decided: tuple[ClockRecord, ...]  # met or missed in the period, by instant
    pending: tuple[ClockRecord, ...]  # undecided at its end, or now
    rule: Rule

    @property
    def counts(self) -> TicketCounts:
        counts = self.said.tickets
        assert counts is not None, "what is said of a ticket objective counts tickets"
        return counts


def explain_attainment(
    customer: Customer, watch: TicketWatch, period: Span, said: Statement | Standing, now: int
) -> AttainmentExplanation:
    """`said`: what the watch says of the period at `now`; a standing if the period is not over."""
    agreement, objective = watch.agreement.name, watch.objective.name
    end_of_period = Mark(objective, period[1])
    decided, pending = [], []
    for ticket in customer.tickets.values():
        for clock in ticket.clocks.values():
            record, verdict = clock.record(now), clock.verdict(now)
            if record is None or verdict is None or record.agreement != agreement:
                continue
            if record.objective == objective and _counts(record, period):
                decided.append(record)
            if isinstance(said, Statement):
                is_pending = end_of_period in verdict.marks
            else:
                is_pending = verdict.governed and record.objective == objective
            if is_pending:
                pending.append(record)
    counts = said.tickets
    assert counts is not None, "what is said of a ticket objective counts tickets"
    return AttainmentExplanation(
        agreement=watch.agreement,
        objective=watch.objective,
        period=period,
        as_of=now,
        said=said,
        decided=tuple(
            sorted(decided, key=lambda one: (one.decided_at, one.ticket, one.measure.value, one.cycle))
        ),
        pending=tuple(
            sorted(pending, key=lambda one: (one.started_at, one.ticket, one.measure.value, one.cycle))
        ),
        rule=attainment.ruling(watch.objective.attainment, counts.met, counts.missed),
    )


def _counts(record: ClockRecord, period: Span) -> bool:
    """Whether a cycle was decided in the period, and not void."""
    if record.outcome not in (ClockOutcome.MET, ClockOutcome.MISSED) or record.decided_at is None:
        return False
    return period[0] <= record.decided_at < period[1]
