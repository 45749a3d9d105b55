"""Which burn rates warn: the default table, none, or the agreement's own.

Of the default table, what can tell nothing is left out; in a table of one's own it is a fault.
"""

from fractions import Fraction

from slamon.agreement_files.findings import listed, quoted
from slamon.agreement_files.frame import SEVERITIES, Frame
from slamon.agreement_files.notations import (
    above_zero,
    duration,
    one_of,
    percentage_up_to_100,
    word,
)
from slamon.agreement_files.sections import Section
from slamon.domain.agreement import DEFAULT_BURN_RATES, BurnRatePair
from slamon.domain.events import DAY
from slamon.domain.periods import TimeWindow, Unit

SHORT = 12  # a pair's short window is this part of its long one, if nothing else is said

_EXAMPLE = "{share: 2%, long: 1h, severity: critical}"
_NOMINAL = {Unit.WEEK: 7 * DAY, Unit.MONTH: 30 * DAY, Unit.QUARTER: 90 * DAY, Unit.YEAR: 365 * DAY}


def burn_rates(
    section: Section, target: Fraction | None, window: TimeWindow | None, terms: Section, frame: Frame
) -> tuple[BurnRatePair, ...]:
    """The pairs that can tell something, from the `alerts` in `section`; `terms` hold the target."""
    if section.is_list("burnRates"):
        return _own_table(section, target, window, frame)
    tables: dict[str, tuple[BurnRatePair, ...]] = {"default": DEFAULT_BURN_RATES, "none": ()}
    table = section.optional(
        "burnRates", one_of(tables, "table of burn rates"), DEFAULT_BURN_RATES, "default"
    )
    if target is None or window is None:
        return table
    pairs = tuple(pair for pair in table if why_out_of_reach(pair, target, window) is None)
    left_out = [pair.step for pair in table if pair not in pairs]
    if left_out and (target < 1 or section.has("burnRates")):
        frame.report.advise(
            section.key_place("burnRates") if section.has("burnRates") else terms.key_place("target"),
            "burn-rate-out-of-reach",
            f"burn rates left out: {listed(left_out)}; with this target and time window they tell nothing"
            if target < 1
            else "a target of 100% leaves no error budget to burn: there are no burn rates",
            "nothing to do; `alerts: {burnRates: none}` leaves all of them out",
        )
    return pairs


def _own_table(
    section: Section, target: Fraction | None, window: TimeWindow | None, frame: Frame
) -> tuple[BurnRatePair, ...]:
    pairs: list[BurnRatePair] = []
    for row in section.children("burnRates", _EXAMPLE):
        share = row.required("share", percentage_up_to_100, "2%")
        long = row.required("long", above_zero(duration), "1h")
        short = row.optional("short", above_zero(duration), None if long is None else long // SHORT, "5m")
        severity = row.required("severity", one_of(SEVERITIES, "severity"), "critical")
        length = row.written("long")
        step = row.optional("step", word, length[0].text if length else None)
        if share is None or long is None or short is None or severity is None or step is None:
            continue
        pair = BurnRatePair(step, share, long, short, severity)
        if short >= long:
            frame.report.fault(
                row.key_place("short"),
                "the short window is not shorter than the long one",
                f"leave `short` out: it is then a twelfth of `long`, {long // SHORT / 60_000_000:g} minutes",
            )
        elif any(step == other.step for other in pairs):
            frame.report.fault(
                row.key_place("step" if row.has("step") else "long"),
                f"another row has the step {quoted(step)} too",
                "give each row a `step` of its own: it is the label of its alerts",
            )
        elif target is not None and window is not None and (why := why_out_of_reach(pair, target, window)):
            frame.report.fault(
                row.key_place("share"), f"this row can tell nothing: {why}", "change the row, or remove it"
            )
        pairs.append(pair)
    return tuple(pairs)


def why_out_of_reach(pair: BurnRatePair, target: Fraction, window: TimeWindow) -> str | None:
    """Why the pair can tell nothing; None if it can.

    Its threshold has to lie between even use of the budget and a full outage, and its long window to fit into the period
    twice. Calendar periods have their nominal length here.
    """
    period = _NOMINAL[window.unit] if window.unit else window.rolling
    assert period is not None
    if target == 1:
        return "a target of 100% leaves no error budget to burn"
    if pair.long * 2 > period:
        return "its long window is more than half the period"
    factor = pair.share * period / pair.long
    if factor < 1:
        return "it would fire while the budget is used more slowly than evenly"
    if factor > 1 / (1 - target):
        return "even a full outage does not burn so fast"
    return None
