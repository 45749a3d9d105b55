"""How many cycles of a ticket objective were met, and what that makes of a period.

A cycle counts where it was decided: met at the event that stopped it, missed at its breach. Void counts nowhere. Pending
ones of a closed period are those begun before its end and decided no earlier, under the objective that governed then.
"""

import enum
from bisect import bisect_left, insort
from collections import Counter

from slamon.domain.agreement import Attainment, BelowMinimum
from slamon.domain.decisions import ClockOutcome, Outcome, TicketCounts
from slamon.domain.intervals import FOREVER, Span


class Tally:
    """The decided and the pending cycles of one objective of one agreement."""

    __slots__ = ("met", "missed", "pending", "pending_at", "version", "warned_at")

    def __init__(self) -> None:
        self.version = 0  # rises with every cycle that is counted or no longer
        self.met: list[int] = []  # instants of decision, sorted
        self.missed: list[int] = []
        self.pending_at: Counter[int] = Counter()  # end of a judged period: cycles pending then
        self.pending = 0  # now, under an objective
        self.warned_at: list[
            int
        ] = []  # of those, the last instants before they pass their first step, sorted

    def decide(self, outcome: ClockOutcome, at: int | None) -> None:
        if at is None:
            return
        if outcome is ClockOutcome.MET:
            insort(self.met, at)
        elif outcome is ClockOutcome.MISSED:
            insort(self.missed, at)

    def undecide(self, outcome: ClockOutcome, at: int | None) -> None:
        if at is None:
            return
        if outcome is ClockOutcome.MET:
            del self.met[bisect_left(self.met, at)]
        elif outcome is ClockOutcome.MISSED:
            del self.missed[bisect_left(self.missed, at)]

    def expect(self, warned_at: int | None) -> None:
        """A cycle is pending."""
        self.pending += 1
        if warned_at is not None:
            insort(self.warned_at, warned_at)

    def expect_no_more(self, warned_at: int | None) -> None:
        self.pending -= 1
        if warned_at is not None:
            del self.warned_at[bisect_left(self.warned_at, warned_at)]

    def warned(self, now: int) -> int:
        """The pending cycles that have passed their first step by `now`."""
        return bisect_left(self.warned_at, now)

    def warned_until(self, now: int) -> int:
        """Before which instant no other passes its first step."""
        index = bisect_left(self.warned_at, now)
        return self.warned_at[index] + 1 if index < len(self.warned_at) else FOREVER

    def counts(self, span: Span, pending: int | None = None) -> TicketCounts:
        """Cycles decided in [start, end); pending at its end unless told."""
        start, end = span
        met, missed = (
            bisect_left(decided, end) - bisect_left(decided, start) for decided in (self.met, self.missed)
        )
        return TicketCounts(met, missed, self.pending_at[end] if pending is None else pending)


class Rule(enum.Enum):
    """By which rule the verdict falls, in the order in which they are asked."""

    NOTHING_DECIDED = "nothing_decided"
    TOO_FEW = "too_few"  # fewer than the minimum: not applicable
    ONE_MISS_ALLOWED = "one_miss_allowed"  # fewer than the minimum, and at most one missed
    RATIO = "ratio"


def ruling(attainment: Attainment, met: int, missed: int) -> Rule:
    """What decides about a period with these decided cycles."""
    decided = met + missed
    if decided == 0:
        return Rule.NOTHING_DECIDED
    if decided < attainment.minimum_tickets:
        if attainment.below_minimum is BelowMinimum.NOT_APPLICABLE:
            return Rule.TOO_FEW
        if attainment.below_minimum is BelowMinimum.ALLOW_ONE_MISS and missed <= 1:
            return Rule.ONE_MISS_ALLOWED
    return Rule.RATIO


OUTCOMES = {
    Rule.NOTHING_DECIDED: Outcome.NOT_APPLICABLE,
    Rule.TOO_FEW: Outcome.NOT_APPLICABLE,
    Rule.ONE_MISS_ALLOWED: Outcome.MET,
}


def verdict(attainment: Attainment, met: int, missed: int) -> Outcome:
    """What a period with these decided cycles comes to."""
    rule = ruling(attainment, met, missed)
    if rule is not Rule.RATIO:
        return OUTCOMES[rule]
    return Outcome.MET if met >= attainment.target * (met + missed) else Outcome.MISSED


def misses_left(attainment: Attainment, met: int, missed: int) -> int | None:
    """How many of the tickets to come may be missed, were they all; None when nothing is decided."""
    if met + missed == 0:
        return None
    return max(0, int(met / attainment.target) - met - missed)
