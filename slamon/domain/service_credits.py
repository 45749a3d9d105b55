"""What a missed period costs: service credits, exact until they are rounded once.

Rules:

- Only a missed period costs anything. Bands and `linear` look at the judged ratio: the worst case where unknown time
  counts as down, else the best case, so that a credit is for what is proven.
- Each entry of `credits` is limited by its own cap; those of one objective add up. The common cap holds for the sum over
  the objectives whose statements have the same period: in the order of each one's first entry, each gets at most what is
  left.
- The fee of a period is, for each unit of `per` that it touches, the amount by its share of the unit's local calendar
  dates. A rolling window is paid by the reporting period that ends with it.
- Shares are of the fee. Money is rounded half-even to the currency's minor unit, once, where it is said.
"""

from collections.abc import Iterable
from fractions import Fraction
from typing import NamedTuple

from slamon.domain.agreement import (
    Agreement,
    AvailabilityObjective,
    Band,
    Bands,
    CreditTerm,
    Fee,
    Linear,
    Objective,
    PerMiss,
    UnknownCountsAs,
)
from slamon.domain.currencies import MINOR_UNIT
from slamon.domain.decisions import Credit, Outcome, Statement
from slamon.domain.intervals import Span
from slamon.domain.periods import local_date, period_at, unit_dates
from slamon.domain.terms import target_of, time_window


def credited_objectives(agreement: Agreement) -> list[Objective]:
    """Those that a remedy names, in the order of each one's first entry."""
    if agreement.remedies is None:
        return []
    by_name = {objective.name: objective for objective in agreement.objectives}
    names = dict.fromkeys(term.objective for term in agreement.remedies.credits)
    return [by_name[name] for name in names]


def is_credited(agreement: Agreement, objective: Objective) -> bool:
    """Whether a remedy names it."""
    remedies = agreement.remedies
    return remedies is not None and any(term.objective == objective.name for term in remedies.credits)


class Due(NamedTuple):
    """What one entry of `credits` gives for a verdict, without its own cap and with it."""

    term: CreditTerm
    uncapped: Fraction
    share: Fraction


def dues(agreement: Agreement, objective: Objective, verdict: Statement) -> list[Due]:
    """What each of the objective's own entries gives; none but for a missed period."""
    if agreement.remedies is None or verdict.outcome is not Outcome.MISSED:
        return []
    found = (
        (term, _share_by(term, objective, verdict))
        for term in agreement.remedies.credits
        if term.objective == objective.name
    )
    return [Due(term, share, _limited(share, term.cap)) for term, share in found]


def share_due(agreement: Agreement, objective: Objective, verdict: Statement) -> Fraction:
    """The share of the fee that the objective's own entries give for a verdict, before the common cap."""
    return sum((due.share for due in dues(agreement, objective, verdict)), Fraction(0))


def band_reached(bands: Iterable[Band], ratio: Fraction) -> Band | None:
    """The lowest of those that the ratio is under."""
    return min((band for band in bands if ratio < band.below), key=lambda band: band.below, default=None)


def _share_by(term: CreditTerm, objective: Objective, verdict: Statement) -> Fraction:
    ratio = judged_ratio(objective, verdict)
    match term.by:
        case Bands(bands):
            reached = band_reached(bands, ratio)
            return Fraction(0) if reached is None else reached.credit
        case PerMiss(credit):
            return credit * (0 if verdict.tickets is None else verdict.tickets.missed)
        case Linear(percent_per_point):
            # Percent of the fee for a hundredth of the ratio: the hundreds cancel out.
            return percent_per_point * max(Fraction(*verdict.target) - ratio, Fraction(0))


def judged_ratio(objective: Objective, verdict: Statement) -> Fraction:
    """What a missed period is judged by."""
    unknown_is_down = (
        isinstance(objective, AvailabilityObjective) and objective.unknown_counts_as is UnknownCountsAs.DOWN
    )
    ratio = verdict.ratios.worst_case if unknown_is_down else verdict.ratios.best_case
    if ratio is None:
        raise ValueError("a period of which nothing applies cannot be missed")
    return Fraction(*ratio)


def most_due(agreement: Agreement, objective: Objective) -> Fraction | None:
    """The greatest share of the fee that a period of the objective can cost; None: nothing limits it."""
    remedies = agreement.remedies
    if remedies is None:
        return Fraction(0)
    own = [_most_by(term, objective) for term in remedies.credits if term.objective == objective.name]
    whole = sum((most for most in own if most is not None), Fraction(0)) if None not in own else None
    return remedies.cap if whole is None else _limited(whole, remedies.cap)


def _most_by(term: CreditTerm, objective: Objective) -> Fraction | None:
    match term.by:
        case Bands(bands):
            return _limited(max(band.credit for band in bands), term.cap)
        case PerMiss():
            return term.cap
        case Linear(percent_per_point):
            return _limited(percent_per_point * target_of(objective), term.cap)


def _limited(share: Fraction, cap: Fraction | None) -> Fraction:
    return share if cap is None else min(share, cap)


def credit_of(
    agreement: Agreement, objective: Objective, verdict: Statement, taken: Iterable[Fraction] = ()
) -> Credit | None:
    """What the verdict costs; `taken`: the shares due to the objectives before this one in the same period.

    None: no remedy names the objective.
    """
    remedies = agreement.remedies
    if remedies is None or not is_credited(agreement, objective):
        return None
    share = share_due(agreement, objective, verdict)
    if remedies.cap is not None:
        share = min(share, max(remedies.cap - sum(taken), Fraction(0)))
    if remedies.fee is None:
        return Credit(share.as_integer_ratio(), None, None)
    currency, amount = remedies.fee.currency, Fraction(0)
    if share:  # mostly there is none, and no need to look at dates
        amount = share * fee_of(remedies.fee, agreement, objective, (verdict.start, verdict.end))
    return Credit(share.as_integer_ratio(), money(amount, currency), currency)


def fee_of(fee: Fee, agreement: Agreement, objective: Objective, period: Span) -> Fraction:
    """What is paid for a judged period, in the currency's main unit."""
    start, end = period
    if time_window(objective).rolling is not None:
        start = max(period_at(agreement.reporting.unit, agreement.zone, end - 1)[0], agreement.start)
    day, after = local_date(agreement.zone, start), local_date(agreement.zone, end)
    units = Fraction(0)
    while day < after:
        first, following = unit_dates(fee.per, day)
        units += Fraction((min(following, after) - day).days, (following - first).days)
        day = following
    return fee.amount * units


def money(amount: Fraction, currency: str) -> str:
    """`1200.00`: rounded half-even to the currency's minor unit."""
    decimals = MINOR_UNIT[currency]
    minor = round(amount * 10**decimals)  # Fraction.__round__ is half-even and exact
    whole, rest = divmod(abs(minor), 10**decimals)
    text = f"{whole}.{rest:0{decimals}}" if decimals else str(whole)
    return f"-{text}" if minor < 0 else text


def claim_until(agreement: Agreement, end: int, credit: Credit | None) -> int | None:
    """Until when a credit for the period that ended at `end` can be claimed; None: nothing to claim, or no limit."""
    remedies = agreement.remedies
    if remedies is None or remedies.claim_within is None or credit is None or not credit.share[0]:
        return None
    return end + agreement.reporting.settle_after + remedies.claim_within


def entry_of(before: Credit | None, now: Credit | None) -> str | None:
    """What a revision books: its amount less what was booked before. None: neither has an amount.

    An amount that is gone is taken back. Amounts of two currencies have no difference: then it is the new amount whole.
    """
    newest = next((one for one in (now, before) if one is not None and one.amount is not None), None)
    if newest is None or newest.currency is None:
        return None
    booked, due = (
        Fraction(one.amount)
        if one is not None and one.amount is not None and one.currency == newest.currency
        else Fraction(0)
        for one in (before, now)
    )
    return money(due - booked, newest.currency)
