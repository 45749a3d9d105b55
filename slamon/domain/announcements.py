"""What an alert tells the person it wakes: what happened, for whom, due when, why.

Times are told in the agreement's own zone, durations in the two units that matter. Everything that changes from minute to
minute stands here and never in a label.
"""

from datetime import UTC, datetime, timedelta
from fractions import Fraction

from slamon.domain.agreement import (
    Agreement,
    AvailabilityObjective,
    BurnRatePair,
    Measure,
    Objective,
    RequestsObjective,
    ServiceObjective,
    TicketObjective,
)
from slamon.domain.decisions import ClockRecord, RequestCounts
from slamon.domain.error_budget import Exhaustion, OutageStep
from slamon.domain.events import DAY, HOUR, MINUTE, SECOND
from slamon.domain.intervals import Span
from slamon.domain.periods import zone_rules

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LAST = 253_402_214_400_000_000  # 9999-12-31 in microseconds: what lies after it is never
_ALL = Fraction(1)
MEASURES = {
    Measure.FIRST_RESPONSE: "first response to",
    Measure.NEXT_REPLY: "next reply to",
    Measure.UPDATE: "update of",
    Measure.RESOLUTION: "resolution of",
}

KINDS: dict[type[Objective], str] = {
    TicketObjective: "ticket clock",
    AvailabilityObjective: "availability",
    RequestsObjective: "requests",
}


def instant(t: int) -> str:
    """RFC 3339 in UTC, to the microsecond."""
    there = EPOCH + timedelta(microseconds=min(t, LAST))
    return there.isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def local(t: int, agreement: Agreement) -> str:
    """`Mon 23 Nov 14:32 CET`; seconds only where they are not zero."""
    if t >= LAST:
        return "never"
    there = (EPOCH + timedelta(microseconds=t)).astimezone(zone_rules(agreement.zone))
    clock = "%H:%M:%S" if there.second else "%H:%M"
    return there.strftime(f"%a %-d %b {clock} %Z")


def duration(microseconds: int) -> str:
    """`4 min`, `1 h 5 min`, `2 d 3 h`, `42 s`: to the nearest second, then the two largest units, cut off."""
    left = (abs(microseconds) + SECOND // 2) // SECOND * SECOND
    parts = []
    for size, unit in ((DAY, "d"), (HOUR, "h"), (MINUTE, "min"), (SECOND, "s")):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {unit}")
        if len(parts) == 2:
            break
    return " ".join(parts) or "0 s"


def percent(share: Fraction, digits: int = 6) -> str:
    """`99.9 %`, shown only: cut, never rounded up to a target, to so many digits after the point, without trailing zeros."""
    whole, rest = divmod(share.numerator * 100 * 10**digits // share.denominator, 10**digits)
    return f"{whole}.{rest:0{digits}}".rstrip("0").rstrip(".") + " %"


def requests(count: Fraction) -> str:
    """`1,234`, to the nearest whole one."""
    return f"{round(count):,}"


def _who(agreement: Agreement) -> str:
    return agreement.display_name or agreement.customer


def _common(agreement: Agreement, objective: Objective) -> dict[str, str]:
    found = {"objective_kind": KINDS[type(objective)]}
    contacts = "; ".join(" ".join(filter(None, (c.role, c.email, c.phone))) for c in agreement.contacts)
    if contacts:
        found["contacts"] = contacts
    return found


def _escalated(agreement: Agreement, used: Fraction) -> dict[str, str]:
    """Who else is told once this share of a ticket's target or of an error budget is used up."""
    told = dict.fromkeys(one.to for one in agreement.escalation if one.after.of <= used)
    return {"escalate_to": ", ".join(told)} if told else {}


def ticket_at_risk(
    agreement: Agreement, objective: TicketObjective, record: ClockRecord, threshold: int
) -> dict[str, str]:
    """A warn step at `threshold` of elapsed time was reached and the clock of the record runs on."""
    due_at = record.due_at
    assert due_at is not None, "what runs is due"
    due, left = local(due_at, agreement), duration(objective.target - record.elapsed)
    kind = "" if objective.calendar.always else " of service hours"
    what = f"{record.customer}: {MEASURES[record.measure]} ticket {record.ticket} is due {due}"
    return (
        _common(agreement, objective)
        | _escalated(agreement, Fraction(threshold, objective.target))
        | {
            "summary": f"{what}; {left}{kind} left",
            "description": (
                f"{_who(agreement)}, objective {objective.name}: {duration(record.elapsed)} of {duration(objective.target)} are used. "
                f"Without {'an answer' if record.measure is not Measure.RESOLUTION else 'a resolution'} by "
                f"{due} the promise for this ticket is broken."
            ),
            "due_at": instant(due_at),
            "time_left": left,
        }
    )


def ticket_breached(agreement: Agreement, objective: TicketObjective, record: ClockRecord) -> dict[str, str]:
    due_at, breached_at = record.due_at, record.breached_at
    assert due_at is not None, "what was missed was due"
    assert breached_at is not None, "and was missed at an instant"
    overdue = (
        "is overdue"
        if record.stopped_at is None
        else f"was overdue until {local(record.stopped_at, agreement)}"
    )
    over = record.elapsed - record.target
    return (
        _common(agreement, objective)
        | _escalated(agreement, _ALL)
        | {
            "summary": (
                f"{record.customer}: {MEASURES[record.measure]} ticket {record.ticket} was due {local(due_at, agreement)} and {overdue}"
            ),
            "description": (
                f"{_who(agreement)}, objective {objective.name}: the target of {duration(objective.target)} is exceeded"
                f"{f' by {duration(over)}' if over >= SECOND else ''}. "
                "The miss counts in the period of that day, whatever comes after; ending it still limits the damage."
            ),
            "due_at": instant(due_at),
            "breached_at": instant(breached_at),
            "time_left": "0 s",
        }
    )


def outage_budget(
    agreement: Agreement,
    objective: AvailabilityObjective,
    spent: Exhaustion,
    step: OutageStep,
    left: int,
    since: int,
    now: int,
) -> dict[str, str]:
    """An outage runs since `since` and will exhaust the budget at `spent.at`, `left` microseconds of service time ahead."""
    due_at = spent.at if spent.at is not None else now
    used = 1 - step.left / spent.whole if spent.whole else _ALL  # of no budget everything is used
    kind = "" if objective.calendar.always else " of service hours"
    return (
        _common(agreement, objective)
        | _escalated(agreement, used)
        | {
            "summary": (
                f"{agreement.customer}: if nobody restores {objective.service}, {objective.name} is lost {local(due_at, agreement)}; {duration(left)}{kind} left"
            ),
            "description": (
                f"{_who(agreement)}: {objective.service} is down since {local(since, agreement)}. Of an error budget of "
                f"{duration(int(spent.whole))} (target {percent(objective.target)}) {duration(spent.consumed)} are used."
            ),
            "due_at": instant(due_at),
            "time_left": duration(left),
            "down_since": instant(since),
            "service_affected": objective.service,
        }
    )


def budget_burn(
    agreement: Agreement, objective: ServiceObjective, pair: BurnRatePair, found: Fraction | None
) -> dict[str, str]:
    rate = "" if found is None else f" {float(found):.1f} times as fast as allowed"
    return _common(agreement, objective) | {
        "summary": f"{agreement.customer}: {objective.name} burns its error budget{rate}",
        "description": (
            f"{_who(agreement)}: over the last {duration(pair.long)} and still over the last {duration(pair.short)}, {objective.service} failed "
            f"so much that {percent(pair.share)} of the period's budget is gone within {duration(pair.long)} (target {percent(objective.target)})."
        ),
        "burn_rate": "" if found is None else f"{float(found):.2f}",
        "service_affected": objective.service,
    }


def period_breached(
    agreement: Agreement, objective: AvailabilityObjective, spent: Exhaustion, period: Span, now: int
) -> dict[str, str]:
    at = spent.at if spent.at is not None else now
    rolling = objective.window.rolling is not None
    over = spent.consumed - int(spent.whole)
    return (
        _common(agreement, objective)
        | _escalated(agreement, _ALL)
        | {
            "summary": f"{agreement.customer}: {objective.name} is breached since {local(at, agreement)}",
            "description": (
                f"{_who(agreement)}: the {duration(int(spent.whole))} of downtime of {objective.service} that {percent(objective.target)} "
                f"allows are used up{f', and {duration(over)} more' if over >= SECOND else ''}. "
                + (
                    "It recovers as the outages leave the rolling window."
                    if rolling
                    else f"Nothing before {local(period[1], agreement)} can repair it."
                )
            ),
            "breached_at": instant(at),
            "service_affected": objective.service,
        }
    )


def attainment_missed(
    agreement: Agreement, objective: TicketObjective, period: Span, met: int, missed: int
) -> dict[str, str]:
    return (
        _common(agreement, objective)
        | _escalated(agreement, _ALL)
        | {
            "summary": f"{agreement.customer}: {objective.name} missed its target for the period that ended {local(period[1], agreement)}",
            "description": (
                f"{_who(agreement)}: {met} met and {missed} missed, {percent(Fraction(met, met + missed))} "
                f"where {percent(objective.attainment.target)} was promised."
            ),
            "breached_at": instant(period[1]),
        }
    )


def requests_failed(
    agreement: Agreement, objective: RequestsObjective, period: Span, at: int, counts: RequestCounts
) -> dict[str, str]:
    """More of the requests of `period` (its beginning up to now, or the whole) failed than is allowed, since `at`."""
    total, bad = Fraction(*counts.total), Fraction(*counts.bad)
    if objective.window.rolling is not None:
        outlook = "It recovers as the failures leave the rolling window, or as enough other requests succeed."
    elif objective.target == 1:
        outlook = f"Nothing before {local(period[1], agreement)} can repair it."
    else:
        outlook = f"The period ended {local(period[1], agreement)}."
    return (
        _common(agreement, objective)
        | _escalated(agreement, _ALL)
        | {
            "summary": f"{agreement.customer}: {objective.name} is breached since {local(at, agreement)}",
            "description": (
                f"{_who(agreement)}: {requests(bad)} of {requests(total)} requests to {objective.service} failed, {percent(1 - bad / total)} "
                f"succeeded where {percent(objective.target)} was promised. {outlook}"
            ),
            "breached_at": instant(at),
            "service_affected": objective.service,
        }
    )


def measurement_lost(agreement: Agreement, objective: AvailabilityObjective, since: int) -> dict[str, str]:
    return _common(agreement, objective) | {
        "summary": f"{agreement.customer}: {objective.service} is not measured well enough to judge {objective.name}",
        "description": (
            f"{_who(agreement)}: less than {percent(objective.alerts.coverage_below)} of the time is known since {local(since, agreement)}. "
            "Burn-rate alerts are frozen until the monitor reports again."
        ),
        "service_affected": objective.service,
    }
