"""What the monitor decides, as JSON: one object a line, the same bytes for the same decision.

Members stand in the order of the interface. Instants are RFC 3339 in UTC with microseconds; seconds are exact to the
microsecond and ratios rounded half-even to nine decimals, both as decimal numbers in shortest form that never went
through a float; what does not apply is null. The keys sort the lines of a file.
"""

from fractions import Fraction

import msgspec
import orjson

from slamon.codec import format_instant, format_seconds, parse_instant
from slamon.domain.decisions import (
    AlertTransition,
    Budget,
    ClockRecord,
    Credit,
    Outcome,
    Ratios,
    Reason,
    RequestCounts,
    SecondCounts,
    Standing,
    Statement,
    TicketCounts,
    Transition,
)

_RATIO_DECIMALS = 9
_PERCENT_DECIMALS = 6
_UNDETERMINED = "No credit: too little was measured to say whether the target was missed."
_REQUEST_DECIMALS = 6


def clock_record(clock: ClockRecord) -> bytes:
    return orjson.dumps(
        {
            "customer": clock.customer,
            "agreement": clock.agreement,
            "objective": clock.objective,
            "measure": clock.measure,
            "ticket": clock.ticket,
            "cycle": clock.cycle,
            "state": clock.state,
            "outcome": clock.outcome,
            "started_at": format_instant(clock.started_at),
            "stopped_at": _instant(clock.stopped_at),
            "due_at": _instant(clock.due_at),
            "target_seconds": _seconds(clock.target),
            "elapsed_seconds": _seconds(clock.elapsed),
            "paused_seconds": _seconds(clock.paused),
            "breached_at": _instant(clock.breached_at),
            "decided_at": _instant(clock.decided_at),
        }
    )


def standing_record(standing: Standing) -> bytes:
    return orjson.dumps(
        {
            "customer": standing.customer,
            "agreement": standing.agreement,
            "objective": standing.objective,
            "at": format_instant(standing.at),
            "period": _period(*standing.period),
            "standing": standing.standing,
            "target_ratio": _ratio(standing.target),
            **_ratios(standing.ratios),
            "tickets": _tickets(standing.tickets),
            "seconds": _second_counts(standing.seconds),
            "requests": _requests(standing.requests),
            "misses_left": standing.misses_left,
            "budget": _budget(standing.budget),
            "exhausted_at": _instant(standing.exhausted_at),
        }
    )


def statement_record(statement: Statement, *, history: bool = False) -> bytes:
    """`history`: also why this revision was given and what it books, which depends on what was said before."""
    undetermined = statement.credit is not None and statement.outcome is Outcome.UNDETERMINED
    said_before = {"reason": statement.reason, "entry": statement.entry}
    return orjson.dumps(
        {
            "customer": statement.customer,
            "agreement": statement.agreement,
            "objective": statement.objective,
            "period": _period(statement.start, statement.end),
            "revision": statement.revision,
            "outcome": statement.outcome,
            "target_ratio": _ratio(Fraction(*statement.target)),
            **_ratios(statement.ratios),
            "tickets": _tickets(statement.tickets),
            "seconds": _second_counts(statement.seconds),
            "requests": _requests(statement.requests),
            "credit": _credit(statement.credit),
            "claim_until": _instant(statement.claim_until),
            "note": _UNDETERMINED if undetermined else None,
            "terms": statement.terms,
        }
        | (said_before if history else {})
    )


def books_credit(statement: Statement) -> bool:
    """Whether a revision belongs into the list of credits: it gives one, or takes back what was given."""
    gives = statement.credit is not None and statement.credit.share[0] > 0
    return gives or (statement.entry is not None and Fraction(statement.entry) != 0)


def credit_record(statement: Statement) -> bytes:
    """The entry that a revision books."""
    credit = _credit(statement.credit) or dict.fromkeys(("percent", "amount", "currency"))
    return orjson.dumps(
        {
            "customer": statement.customer,
            "agreement": statement.agreement,
            "objective": statement.objective,
            "period": _period(statement.start, statement.end),
            "revision": statement.revision,
            "percent": credit["percent"],
            "entry": statement.entry,
            "amount": credit["amount"],
            "currency": credit["currency"],
            "reason": statement.reason,
        }
    )


def alert_record(alert: AlertTransition, number: int | None) -> bytes:
    """`number` counts the transitions of a partition without gaps; None in a replay."""
    return orjson.dumps(
        {
            "id": alert.id,
            "number": number,
            "episode": alert.episode,
            "transition": alert.transition,
            "at": format_instant(alert.at),
            "detected_at": format_instant(alert.detected_at),
            "late": alert.late,
            "reason": alert.reason,
            "labels": alert.labels,
            "annotations": alert.annotations,
        }
    )


class _AlertRecord(msgspec.Struct):
    id: str
    episode: int
    transition: Transition
    at: str
    detected_at: str
    late: bool
    reason: Reason
    labels: dict[str, str]
    annotations: dict[str, str]


_decode_alert = msgspec.json.Decoder(_AlertRecord).decode


def read_alert(record: bytes) -> AlertTransition:
    """What `alert_record` wrote. Raises ValueError for anything else."""
    said = _decode_alert(record)  # msgspec's errors are ValueErrors
    return AlertTransition(
        said.id,
        said.episode,
        said.transition,
        parse_instant(said.at),
        parse_instant(said.detected_at),
        said.late,
        said.reason,
        said.labels,
        said.annotations,
    )


# ---------------------------------------------------------------------------------------------------- the order of lines


def clock_key(clock: ClockRecord) -> tuple[str, str, str, str, str, int]:
    return (
        clock.customer,
        clock.agreement,
        clock.objective,
        clock.ticket,
        clock.measure.value,
        clock.cycle,
    )


def statement_key(statement: Statement) -> tuple[str, str, str, int, int, int]:
    return (
        statement.customer,
        statement.agreement,
        statement.objective,
        statement.start,
        statement.end,
        statement.revision,
    )


# --------------------------------------------------------------------------------------------------------------- values


def _instant(at: int | None) -> str | None:
    return None if at is None else format_instant(at)


def _seconds(duration: int) -> orjson.Fragment:
    return orjson.Fragment(format_seconds(duration))


def _ratio(share: Fraction) -> orjson.Fragment:
    return number(share, _RATIO_DECIMALS)


def number(value: Fraction, decimals: int) -> orjson.Fragment:
    """Fraction.__round__ is half-even and exact; the rest is moving the point."""
    scaled = round(value * 10**decimals)
    whole, rest = divmod(abs(scaled), 10**decimals)
    text = f"{whole}.{rest:0{decimals}}".rstrip("0").rstrip(".")
    return orjson.Fragment(f"-{text}" if scaled < 0 else text)


def _ratios(ratios: Ratios) -> dict[str, orjson.Fragment | None]:
    shares = {
        "attained_ratio": ratios.attained,
        "best_case_ratio": ratios.best_case,
        "worst_case_ratio": ratios.worst_case,
        "coverage_ratio": ratios.coverage,
    }
    return {name: None if share is None else _ratio(Fraction(*share)) for name, share in shares.items()}


def _period(start: int, end: int) -> dict[str, str]:
    return {"from": format_instant(start), "to": format_instant(end)}


def _tickets(counts: TicketCounts | None) -> dict[str, int] | None:
    if counts is None:
        return None
    return {"met": counts.met, "missed": counts.missed, "pending": counts.pending}


def _second_counts(counts: SecondCounts | None) -> dict[str, orjson.Fragment] | None:
    if counts is None:
        return None
    return {
        "applicable": _seconds(counts.applicable),
        "known": _seconds(counts.known),
        "down": _seconds(counts.down),
        "unknown": _seconds(counts.unknown),
        "excluded": _seconds(counts.excluded),
    }


def _credit(credit: Credit | None) -> dict[str, orjson.Fragment | str | None] | None:
    if credit is None:
        return None
    percent = number(Fraction(*credit.share) * 100, _PERCENT_DECIMALS)
    return {"percent": percent, "amount": credit.amount, "currency": credit.currency}


def _requests(counts: RequestCounts | None) -> dict[str, orjson.Fragment] | None:
    """Whole numbers, unless a border cut a bucket."""
    if counts is None:
        return None
    return {
        "total": number(Fraction(*counts.total), _REQUEST_DECIMALS),
        "bad": number(Fraction(*counts.bad), _REQUEST_DECIMALS),
    }


def _budget(budget: Budget | None) -> dict[str, orjson.Fragment] | None:
    """A share of a period need not be whole microseconds: half-even, like ratios."""
    if budget is None:
        return None
    return {"seconds": _seconds(round(budget.whole)), "remaining_seconds": _seconds(round(budget.remaining))}
