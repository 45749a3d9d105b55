"""How many cycles of a ticket objective were met, and what that makes of a period.

A cycle counts where it was decided: met at the event that stopped it, missed at its breach. Void counts nowhere. Pending
ones of a closed period are those begun before its end and decided no earlier, under the objective that governed then.
"""

from bisect import bisect_left, insort
from collections import Counter

from slamon.domain.agreement import Attainment, BelowMinimum
from slamon.domain.decisions import ClockOutcome, Outcome, TicketCounts
from slamon.domain.intervals import Span


class Tally:
    """The decided and the pending cycles of one objective of one agreement."""

    __slots__ = ("met", "missed", "pending_at")

    def __init__(self) -> None:
        self.met: list[int] = []  # instants of decision, sorted
        self.missed: list[int] = []
        self.pending_at: Counter[int] = Counter()  # end of a judged period: cycles pending then

    def _decided(self, outcome: ClockOutcome) -> list[int] | None:
        if outcome is ClockOutcome.MET:
            return self.met
        return self.missed if outcome is ClockOutcome.MISSED else None

    def decide(self, outcome: ClockOutcome, at: int | None) -> None:
        decided = self._decided(outcome)
        if decided is not None and at is not None:
            insort(decided, at)

    def undecide(self, outcome: ClockOutcome, at: int | None) -> None:
        decided = self._decided(outcome)
        if decided is not None and at is not None:
            del decided[bisect_left(decided, at)]

    def counts(self, span: Span, pending: int | None = None) -> TicketCounts:
        """Cycles decided in [start, end); pending at its end unless told."""
        start, end = span
        met, missed = (
            bisect_left(decided, end) - bisect_left(decided, start) for decided in (self.met, self.missed)
        )
        return TicketCounts(met, missed, self.pending_at[end] if pending is None else pending)


def verdict(attainment: Attainment, met: int, missed: int) -> Outcome:
    """What a period with these decided cycles comes to."""
    decided = met + missed
    if decided == 0:
        return Outcome.NOT_APPLICABLE
    if decided < attainment.minimum_tickets:
        if attainment.below_minimum is BelowMinimum.NOT_APPLICABLE:
            return Outcome.NOT_APPLICABLE
        if attainment.below_minimum is BelowMinimum.ALLOW_ONE_MISS and missed <= 1:
            return Outcome.MET
    return Outcome.MET if met >= attainment.target * decided else Outcome.MISSED


def misses_left(attainment: Attainment, met: int, missed: int) -> int | None:
    """How many of the tickets to come may be missed, were they all; None when nothing is decided."""
    if met + missed == 0:
        return None
    return max(0, int(met / attainment.target) - met - missed)
