"""What two judgements of the same facts do not agree about, and what each comes to in money.

Verdicts are compared, and neither their history nor the terms that they repeat: revision, reason and entry of a statement
depend on what was said before; that a target is another one is told as a term, and here only what comes of it. A decided clock is told by whom it counts for and how it came
out: under another target each has another due instant, which is of no interest any more.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from operator import add
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec

from slamon.diff.judging import CycleKey, Judged, ObjectiveKey, PeriodKey, period_of
from slamon.domain.decisions import AlertTransition, ClockOutcome, ClockRecord, Credit, Standing, Statement

K = TypeVar("K")
V = TypeVar("V")


class Pair(NamedTuple, Generic[K, V]):
    """What is said of `key` by the old terms and by the new ones; None: nothing."""

    key: K
    old: V | None
    new: V | None

    @property
    def either(self) -> V:
        found = self.old if self.new is None else self.new
        assert found is not None
        return found


@dataclass(frozen=True, slots=True)
class Differences:
    """In the order of names; `same` counts what is not another, by the names of these members."""

    standings: tuple[Pair[ObjectiveKey, Standing], ...]
    statements: tuple[Pair[PeriodKey, Statement], ...]
    clocks: tuple[Pair[CycleKey, ClockRecord], ...]
    alerts: tuple[Pair[str, AlertTransition], ...]
    same: Counter[str]

    def __bool__(self) -> bool:
        return any((self.standings, self.statements, self.clocks, self.alerts))

    def count(self) -> Counter[str]:
        """Of what differs, by the names of the members."""
        return Counter({name: len(getattr(self, name)) for name in KINDS})


KINDS = ("standings", "statements", "clocks", "alerts")


def between(old: Judged, new: Judged) -> Differences:
    same: Counter[str] = Counter()

    def differing(
        kind: str, before: Mapping[Any, V], after: Mapping[Any, V], said: Callable[[V], object]
    ) -> tuple[Pair[Any, V], ...]:
        pairs = [Pair(key, before.get(key), after.get(key)) for key in sorted({*before, *after})]
        found = tuple(
            pair for pair in pairs if pair.old is None or pair.new is None or said(pair.old) != said(pair.new)
        )
        same[kind] = len(pairs) - len(found)
        return found

    return Differences(
        differing("standings", old.standings, new.standings, _figures_of),
        differing("statements", old.statements, new.statements, verdict_of),
        differing("clocks", old.clocks, new.clocks, _course_of),
        differing("alerts", old.alerts, new.alerts, lambda one: one.id),
        same,
    )


def _figures_of(standing: Standing) -> Standing:
    return replace(standing, target=Fraction(0))


def verdict_of(statement: Statement) -> Statement:
    """Without the terms, and without what depends on what was said before."""
    return msgspec.structs.replace(statement, target=(0, 1), terms="", revision=1, reason=None, entry=None)


def _course_of(clock: ClockRecord) -> object:
    return clock if is_open(clock) else (clock.objective, clock.outcome)


def is_open(clock: ClockRecord) -> bool:
    return clock.outcome is ClockOutcome.PENDING


# Money ----------------------------------------------------------------------------------------------------------------


class Account(NamedTuple):
    customer: str
    currency: str


class Money(NamedTuple):
    """What all statements credit by the old terms and by the new ones, and what is booked as those are taken up."""

    old: Fraction
    new: Fraction
    booked: Fraction


def money(old: Judged, new: Judged, said: Iterable[Statement]) -> dict[Account, Money]:
    """By account, in the order of names; those without any credit are left out."""
    amounts: tuple[dict[Account, Fraction], ...] = ({}, {}, {})

    def count(to: int, customer: str, credit: Credit | None, amount: str | None) -> None:
        if amount is not None and credit is not None and credit.currency is not None:
            account = Account(customer, credit.currency)
            amounts[to][account] = amounts[to].get(account, Fraction(0)) + Fraction(amount)

    for side, judged in enumerate((old, new)):
        for one in judged.statements.values():
            count(side, one.customer, one.credit, None if one.credit is None else one.credit.amount)
    for one in said:
        known = old.statements.get(period_of(one))
        # What is credited no more is taken back in the currency in which it was booked.
        gone = one.credit is None or one.credit.amount is None
        count(2, one.customer, known.credit if gone and known is not None else one.credit, one.entry)
    accounts = sorted({account for one in amounts for account, amount in one.items() if amount})
    return {account: Money(*(one.get(account, Fraction(0)) for one in amounts)) for account in accounts}


def in_sum(found: Mapping[Account, Money]) -> dict[str, Money]:
    """By currency."""
    sums: dict[str, Money] = {}
    for account, one in found.items():
        before = sums.get(account.currency, Money(Fraction(0), Fraction(0), Fraction(0)))
        sums[account.currency] = Money(*map(add, before, one))
    return sums


# Taking it up ---------------------------------------------------------------------------------------------------------


class Restated(NamedTuple):
    """What becomes of the statements that were given: those given again, of them those with another verdict or credit, those
    given for the first time, and those that stay as they were because their period is judged no longer.
    """

    again: int
    otherwise: int
    first: int
    left: int


def restated(old: Judged, new: Judged, said: Iterable[Statement]) -> Restated:
    again = [one for one in said if one.revision > 1]
    known = [(one, old.statements.get(period_of(one))) for one in again]
    return Restated(
        again=len(again),
        otherwise=sum(
            before is None or (before.outcome, before.credit) != (one.outcome, one.credit)
            for one, before in known
        ),
        first=sum(one.revision == 1 for one in said),
        left=len(old.statements.keys() - new.statements.keys()),
    )
