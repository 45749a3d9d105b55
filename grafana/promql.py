"""What the boards ask alike, as PromQL.

Rules:
- A series carries the pod that exports it; while a task moves, two pods may show one objective. Every query therefore
  begins by taking one value for each set of slamon's own labels (`one`).
- Nothing to show never looks like a good number: a zero that means "none" is given only while a slamon is scraped
  (`or_none`).
- One Prometheus may scrape several slamons: all is asked of the chosen namespace, which `in_namespace` writes into every
  selector once a board is whole. Where targets have no such label, "All" means all.
- A counter with labels appears when it is first raised; that raise counts too (`lately`).
"""

import re

OBJECTIVE = "customer, agreement, objective"
CHOSEN = 'customer=~"$customer", agreement=~"$agreement"'
HOUR = 3600

NOT_SCRAPED = "No slamon is scraped"
NO_TASK = f"{NOT_SCRAPED}, or no task runs"
NO_OBJECTIVES = f"No objectives are known: none agreed for this choice, or: {NOT_SCRAPED.lower()}"

# As of the last scrape, not of now: between two scrapes a clock does not stand.
CLOCK_BEHIND = "timestamp(slamon_watermark_timestamp_seconds) - slamon_watermark_timestamp_seconds"


_SELECTOR = re.compile(r"\b((?:slamon|process)_\w+)(\{)?")


def in_namespace(expr: str) -> str:
    def narrowed(selector: re.Match[str]) -> str:
        return f'{selector[1]}{{namespace=~"$namespace"' + (", " if selector[2] else "}")

    return _SELECTOR.sub(narrowed, expr)


def one(metric: str, *labels: str, where: str = "", at: str = "") -> str:
    """One value for each chosen objective (and each of `labels`), whichever pods export it; `at` follows the selector."""
    return f"max by ({', '.join((OBJECTIVE, *labels))}) ({metric}{{{', '.join(filter(None, (CHOSEN, where)))}}}{at})"


def or_none(expr: str) -> str:
    """`expr`, or 0 where it has no series; still nothing when no slamon is scraped."""
    return f"({expr} or 0 * max(slamon_build_info))"


def lately(counter: str, *labels: str, window: str = "1h") -> str:
    """How far the counter was raised within the window.

    A counter with labels appears when it is first raised, at its first value, and `increase` sees no rise in that:
    the first value of series that were not there before is added. Rounded, because it reckons up to the window's ends.
    """
    by = f" by ({', '.join(labels)})" if labels else ""
    risen = f"sum{by} (round(increase({counter}[{window}])))"
    begun = f"sum{by} (min_over_time({counter}[{window}]) unless {counter} offset {window})"
    if not labels:
        return f"{or_none(risen)} + {or_none(begun)}"
    return f"{risen} + {begun} or {risen} or {begun}"


def stirred(counter: str, window: str) -> str:
    """How far a counter whose series are all there from a pod's start was raised; nothing where it has none."""
    return f"sum(round(increase({counter}[{window}])))"


def of_slamon(metric: str) -> str:
    """A metric that other programs have, too: of the processes that are slamon's, one value for each."""
    return f"max by (instance) ({metric} and on (instance) slamon_build_info)"


def quantile(share: str, histogram: str) -> str:
    """The duration within which that share of what was measured in the hour before lay."""
    return f"histogram_quantile({share}, sum by (le) (increase({histogram}_bucket[1h])))"


MONEY = "currency"  # a label of whatever is an amount
CREDIT = one("slamon_objective_credit_amount", MONEY)
FEE = one("slamon_objective_fee_amount", MONEY)
# What can still become due, at the most, in the running period; nothing where no fee is agreed, or no limit.
AT_STAKE = f"({FEE} * on ({OBJECTIVE}) group_left () {one('slamon_objective_credit_limit_ratio')} - {CREDIT})"


def standing(states: str, *labels: str) -> str:
    """The chosen objectives that stand so now, with the value 1; `states` as "at_risk|breached"."""
    stands = one("slamon_objective_standing", *labels, where=f'standing=~"{states}"')
    return f"({stands} == 1)"
