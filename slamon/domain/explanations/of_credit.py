"""What a judged period costs, and how that came: each entry of the remedies, the caps, and the fee."""

from dataclasses import dataclass
from fractions import Fraction

from slamon.domain.agreement import Remedies
from slamon.domain.customer import Customer, Watch
from slamon.domain.decisions import Credit, Outcome, Statement
from slamon.domain.service_credits import Due, dues, fee_of, judged_ratio


@dataclass(frozen=True, slots=True)
class CreditExplanation:
    """Shares are of the fee. `share` of the statement's credit = the sum of the dues, or what the common cap left."""

    remedies: Remedies
    judged: Fraction | None  # the ratio; None: the period was not missed, so nothing is due
    dues: tuple[Due, ...]
    taken: tuple[tuple[str, Fraction], ...]  # by the objectives before this one, under the common cap
    fee: Fraction | None  # of the period
    credit: Credit
    claim_until: int | None
    outcome: Outcome

    @property
    def due(self) -> Fraction:
        """Before the common cap."""
        return sum((one.share for one in self.dues), Fraction(0))


def explain_credit(customer: Customer, watch: Watch, said: Statement, now: int) -> CreditExplanation | None:
    """`said`: what the customer's statement of the period says at `now`. None: no remedy names the objective."""
    agreement, objective = watch.agreement, watch.objective
    remedies, credit, period = agreement.remedies, said.credit, (said.start, said.end)
    if remedies is None or credit is None:
        return None
    missed = said.outcome is Outcome.MISSED
    taken = customer.taken_before(watch, period, now) if missed else []
    return CreditExplanation(
        remedies=remedies,
        judged=judged_ratio(objective, said) if missed else None,
        dues=tuple(dues(agreement, objective, said)),
        taken=tuple((one.name, share) for one, share in taken),
        fee=None if remedies.fee is None else fee_of(remedies.fee, agreement, objective, period),
        credit=credit,
        claim_until=said.claim_until,
        outcome=said.outcome,
    )
