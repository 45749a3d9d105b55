"""A ticket objective, watched: how many of its cycles are met, and what that makes of a period."""

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from slamon.domain import announcements, attainment, availability
from slamon.domain.agreement import Agreement, AlertName, Severity, TicketObjective
from slamon.domain.alerts import Ending, Wanted, severity_of
from slamon.domain.decisions import (
    AlertMemory,
    AlertTransition,
    Outcome,
    Ratios,
    Reason,
    Standing,
    StandingState,
    Statement,
    TicketCounts,
)
from slamon.domain.intervals import Span
from slamon.domain.settlement import Settlement
from slamon.domain.terms import judged_period, period_to_date
from slamon.domain.watching import CustomerFacts, Glance, Judgement, scope_of, subject_of


class TicketWatch:
    """Attainment of a ticket objective."""

    def __init__(self, agreement: Agreement, objective: TicketObjective, facts: CustomerFacts) -> None:
        self.agreement = agreement
        self.objective = objective
        self.settlement = Settlement(agreement, objective)
        self.subject = subject_of(agreement, objective)
        self.armed: int | None = None
        self._tally = facts.tally(agreement.name, objective.name)

    def notice(self, now: int) -> None:
        """Time alone changes nothing about the past of tickets that they do not tell themselves."""

    def verdict(self, span: Span, now: int) -> Statement:
        """The verdict on a period, without what it costs."""
        del now  # what was decided in it is counted as it stands
        counts = self._tally.counts(span)
        return Statement(
            customer=self.agreement.customer,
            agreement=self.agreement.name,
            objective=self.objective.name,
            start=span[0],
            end=span[1],
            revision=1,
            outcome=attainment.verdict(self.objective.attainment, counts.met, counts.missed),
            target=self.objective.attainment.target.as_integer_ratio(),
            ratios=_attained(counts),
            tickets=counts,
            seconds=None,
        )

    def as_it_stands(self, now: int) -> Statement:
        """The verdict on the running period if it ended now."""
        start, end = judged_period(self.agreement, self.objective, now)
        return replace(
            self.verdict(period_to_date(self.agreement, self.objective, now), now), start=start, end=end
        )

    def judge(self, now: int) -> Judgement:
        """`SlaBreached` stands from the end of a missed period until its statement is given."""
        wanted: list[Wanted] = []
        keys = []
        due_at = self.settlement.due_at()
        if due_at is not None:
            keys.append(2 * due_at)
            end = due_at - self.agreement.reporting.settle_after
            if end > now:
                keys.append(2 * end)
            else:
                wanted += self._missed(end, now)
        if now < self.agreement.start:
            keys.append(2 * self.agreement.start)
        return Judgement(wanted, min(keys, default=None))

    def _missed(self, end: int, now: int) -> Iterator[Wanted]:
        span = self.settlement.next_span()
        if span is None or now < end:
            return
        counts = self._tally.counts(span)
        if attainment.verdict(self.objective.attainment, counts.met, counts.missed) is Outcome.MISSED:
            yield Wanted(
                AlertName.BREACHED,
                severity_of(self.objective, AlertName.BREACHED, Severity.CRITICAL),
                self.objective.name,
                self.agreement.name,
                scope_of(span),
                None,
                end,
                Reason.LIMIT_EXCEEDED,
                lambda: announcements.attainment_missed(
                    self.agreement, self.objective, span, counts.met, counts.missed
                ),
            )

    def ending_of(
        self, memory: AlertMemory, firing: AlertTransition, wanted: Sequence[Wanted], now: int, horizon: int
    ) -> Ending:
        del firing, wanted, horizon
        given = any(memory.scope == scope_of(period) for period in self.settlement.settled)
        return Ending(Reason.PERIOD_ENDED if given else Reason.AMENDED, now)

    def standing(self, now: int) -> Standing | None:
        """Judged as if the period ended now; at risk if it would be missed with every pending cycle that was warned of."""
        if not self.agreement.start <= now < self.agreement.end:
            return None
        promise = self.objective.attainment
        period = period_to_date(self.agreement, self.objective, now)
        pending, warned = self._tally.pending, self._tally.warned(now)
        counts = self._tally.counts(period, pending)
        if counts.met + counts.missed + pending == 0:
            state = StandingState.NOT_APPLICABLE
        elif attainment.verdict(promise, counts.met, counts.missed) is Outcome.MISSED:
            state = StandingState.BREACHED
        elif warned and attainment.verdict(promise, counts.met, counts.missed + warned) is Outcome.MISSED:
            state = StandingState.AT_RISK
        else:
            state = StandingState.ON_TRACK
        return Standing(
            customer=self.agreement.customer,
            agreement=self.agreement.name,
            objective=self.objective.name,
            at=now,
            period=period,
            standing=state,
            target=promise.target,
            ratios=_attained(counts),
            tickets=counts,
            seconds=None,
            misses_left=attainment.misses_left(promise, counts.met, counts.missed),
            budget=None,
            exhausted_at=None,
        )

    @property
    def version(self) -> int:
        """Rises with whatever changes how it stands, time aside."""
        return self._tally.version

    def glance(self, now: int) -> Glance | None:
        """None: it is not in effect."""
        standing = self.standing(now)
        if standing is None:
            return None
        if self.objective.attainment.window.rolling is not None:
            return Glance(standing, now + 1)
        return Glance(standing, min(self._tally.warned_until(now), standing.period[1]))


def _attained(counts: TicketCounts) -> Ratios:
    attained = availability.share(counts.met, counts.met + counts.missed)
    return Ratios(attained, attained, attained, None)
