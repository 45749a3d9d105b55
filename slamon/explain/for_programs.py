"""An explanation as JSON. Clocks, statements and standings are the records that `slamon replay` writes.

Instants are RFC 3339 in UTC, seconds exact decimal numbers, both as in those records; what does not apply is null.
"""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any, assert_never

import orjson

from slamon import records
from slamon.codec import format_instant, format_seconds
from slamon.domain.agreement import Bands, Linear, PerMiss
from slamon.domain.decisions import ClockRecord, Statement
from slamon.domain.explanations.counted_days import Row, rows
from slamon.domain.explanations.of_attainment import AttainmentExplanation
from slamon.domain.explanations.of_availability import (
    AvailabilityExplanation,
    OutageStory,
    UnknownStory,
)
from slamon.domain.explanations.of_credit import CreditExplanation
from slamon.domain.explanations.of_exclusions import ClauseStory, DeclaredStory
from slamon.domain.explanations.of_requests import RequestsExplanation
from slamon.domain.explanations.of_ticket import (
    ClockStory,
    Effect,
    Entry,
    Fact,
    Stint,
    TicketExplanation,
)
from slamon.domain.intervals import FOREVER, Span
from slamon.explain.gathering import Explanation, PeriodExplanation, Revision


def ticket(found: TicketExplanation) -> bytes:
    opening = found.opening
    return _dumped(
        {
            "customer": found.customer,
            "ticket": found.ticket,
            "as_of": format_instant(found.as_of),
            "opened_at": None if opening is None else format_instant(opening.at),
            "opened_by": None if opening is None or opening.named_by is None else opening.named_by.id,
            "opening_unknown": found.opening_unknown,
            "timeline": [_entry(one) for one in found.entries],
            "clocks": [_clock(one) for one in found.clocks],
        }
    )


def objective(found: Sequence[PeriodExplanation]) -> bytes:
    return _dumped({"periods": [_period(one) for one in found]})


def _dumped(whole: dict[str, Any]) -> bytes:
    return orjson.dumps(whole, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


# A ticket -----------------------------------------------------------------------------------------------------------


def _entry(entry: Entry) -> dict[str, Any]:
    return {
        "at": format_instant(entry.at),
        "facts": [_fact(one) for one in entry.facts],
        "effects": [_effect(one) for one in entry.effects],
    }


def _fact(fact: Fact) -> dict[str, Any]:
    event = fact.event
    return {
        "id": event.id,
        "line": fact.line,
        "known_at": format_instant(fact.known_at),
        "late": fact.is_late,
        "changes": [change._asdict() for change in fact.changes],
        "reply": event.reply,
        "opened_at": _instant(event.opened_at),
        "duplicates": fact.duplicates,
        "conflicting_duplicates": fact.conflicts,
    }


def _effect(effect: Effect) -> dict[str, Any]:
    agreement, measure, cycle = effect.clock
    objective = effect.objective
    return {
        "agreement": agreement,
        "measure": measure,
        "cycle": cycle,
        "change": effect.change,
        "objective": None if objective is None else objective.name,
        "target_seconds": None if objective is None else _seconds(objective.target),
        "elapsed_seconds": _seconds(effect.elapsed),
        "outcome": effect.outcome,
        "due_at": _instant(effect.due_at),
        "step": effect.step,
        "waiting_on": effect.waiting_on,
        "stopped_at": _instant(effect.stopped_at),
    }


def _clock(story: ClockStory) -> dict[str, Any]:
    return {
        "record": _record(story.record),
        "calendar": story.objective.calendar.name,
        "stints": [_stint(one) for one in story.stints],
        "dates": [_dates(one) for one in rows(story.stints, story.agreement.zone)],
        "counted_in": None if story.counted_in is None else _span(story.counted_in),
    }


def _record(record: ClockRecord) -> orjson.Fragment:
    return orjson.Fragment(records.clock_record(record))


def _stint(stint: Stint) -> dict[str, Any]:
    return {
        "from": format_instant(stint.start),
        "to": format_instant(stint.end),
        "kind": stint.kind,
        "waiting_on": stint.waiting_on,
        "calendar": stint.calendar.name,
        "opening_seconds": _seconds(stint.opening),
    }


def _dates(row: Row) -> dict[str, Any]:
    return {
        "from": row.first.isoformat(),
        "to": row.last.isoformat(),
        "calendar": row.calendar.name,
        "counted_seconds": _seconds(row.counted),
        "paused_seconds": _seconds(row.paused),
        "other_seconds": _seconds(row.other),
        "remarks": [{"date": remark.day.isoformat(), "text": remark.text} for remark in row.remarks],
    }


# A period -----------------------------------------------------------------------------------------------------------


def _period(period: PeriodExplanation) -> dict[str, Any]:
    found = period.found
    statement, standing = (
        (orjson.Fragment(records.statement_record(found.said)), None)
        if isinstance(found.said, Statement)
        else (None, orjson.Fragment(records.standing_record(found.said)))
    )
    return {
        "as_of": format_instant(found.as_of),
        "statement": statement,
        "standing": standing,
        "settles_at": _instant(period.settles_at),
        "credit": None if period.credit is None else _credit(period.credit),
        **_parts(found),
        "revisions": [_revision(one) for one in period.revisions],
    }


def _revision(revision: Revision) -> dict[str, Any]:
    because = revision.because
    return {
        "said_at": format_instant(revision.said_at),
        "because": None if because is None else {"id": because.event.id, "line": because.line},
        "statement": orjson.Fragment(records.statement_record(revision.statement, history=True)),
    }


def _credit(story: CreditExplanation) -> dict[str, Any]:
    cap = story.remedies.cap
    return {
        "judged_ratio": None if story.judged is None else records.number(story.judged, 9),
        "entries": [
            {
                "kind": KINDS[type(due.term.by)],
                "percent": _percent(due.uncapped),
                "cap_percent": None if due.term.cap is None else _percent(due.term.cap),
                "due_percent": _percent(due.share),
            }
            for due in story.dues
        ],
        "due_percent": _percent(story.due),
        "cap_percent": None if cap is None else _percent(cap),
        "taken_before": [{"objective": name, "percent": _percent(share)} for name, share in story.taken],
        "percent": _percent(Fraction(*story.credit.share)),
        "fee": None if story.fee is None else records.number(story.fee, 6),
        "amount": story.credit.amount,
        "currency": story.credit.currency,
        "claim_until": _instant(story.claim_until),
    }


KINDS: dict[type, str] = {Bands: "bands", PerMiss: "perMiss", Linear: "linear"}


def _percent(share: Fraction) -> orjson.Fragment:
    return records.number(share * 100, 6)


def _parts(found: Explanation) -> dict[str, Any]:
    match found:
        case AttainmentExplanation():
            return _attainment(found)
        case AvailabilityExplanation():
            return _availability(found)
        case RequestsExplanation():
            return _requests(found)
        case _:
            assert_never(found)


def _requests(found: RequestsExplanation) -> dict[str, Any]:
    return {
        "calendar": found.objective.calendar.name,
        "dates": [
            {
                "date": one.day.isoformat(),
                "total": records.number(one.total, 6),
                "bad": records.number(one.bad, 6),
            }
            for one in found.dates
        ],
        "clauses": [
            _clause(one) | {"bad": records.number(Fraction(one.failures), 6)} for one in found.clauses
        ],
        "declared": [_declared(one) for one in found.declared],
    }


def _attainment(found: AttainmentExplanation) -> dict[str, Any]:
    promise = found.objective.attainment
    return {
        "rule": found.rule,
        "minimum_tickets": promise.minimum_tickets,
        "below_minimum": promise.below_minimum,
        "decided": [_record(one) for one in found.decided],
        "pending": [_record(one) for one in found.pending],
    }


def _availability(found: AvailabilityExplanation) -> dict[str, Any]:
    return {
        "rule": found.rule,
        "calendar": found.objective.calendar.name,
        "service_seconds": _seconds(found.hours),
        "outages": [_outage(one) for one in found.outages],
        "clauses": [
            _clause(one) | {"downtime_seconds": _seconds(int(one.failures))} for one in found.clauses
        ],
        "declared": [_declared(one) for one in found.declared],
        "unknown": [_unknown(one) for one in found.unknown],
        "budget": {
            "seconds": _seconds(round(found.budget.whole)),
            "used_seconds": _seconds(found.budget.used),
            "breached_at": _instant(found.budget.breached_at),
        },
    }


def _outage(outage: OutageStory) -> dict[str, Any]:
    return {
        "from": format_instant(outage.start),
        "to": _instant(outage.end),
        "statuses": [
            {"at": format_instant(change.time), "status": change.status} for change in outage.statuses
        ],
        "tickets": [
            {
                "ticket": ticket,
                "from": format_instant(start),
                "to": None if end == FOREVER else format_instant(end),
            }
            for ticket, (start, end) in outage.tickets
        ],
        "lasted_seconds": _seconds(outage.lasted),
        "long_enough": outage.long_enough,
        "in_period_seconds": _seconds(outage.in_period),
        "outside_hours_seconds": _seconds(outage.outside_hours),
        "excluded": [{"clause": name, "seconds": _seconds(taken)} for name, taken in outage.excluded],
        "counted_seconds": _seconds(outage.counted),
    }


def _clause(story: ClauseStory) -> dict[str, Any]:
    term = story.term
    return {
        "name": term.name,
        "reason": term.reason,
        "clause": term.clause,
        "scheduled": term.schedule is not None,
        "spans": _spans(story.spans),
        "taken_seconds": _seconds(story.taken),
        "caps": [
            {
                "period": _span((cap.start, cap.end)),
                "asked_seconds": _seconds(cap.asked),
                "granted_seconds": _seconds(cap.granted),
            }
            for cap in story.caps
        ],
    }


def _declared(story: DeclaredStory) -> dict[str, Any]:
    event = story.event
    return {
        "exclusion": event.exclusion,
        "event": event.id,
        "state": event.state,
        "reason": event.reason,
        "period": None if story.span is None else _span(story.span),
        "service": event.service,
        "announced_at": _instant(story.announced_at),
        "notice_seconds": None if story.notice is None else _seconds(story.notice),
        "approved_by": event.approved_by,
        "evidence": event.evidence,
        "clause": story.clause,
        "refusal": story.refusal,
        "in_period_seconds": _seconds(story.in_period),
    }


def _unknown(story: UnknownStory) -> dict[str, Any]:
    return {
        "from": _instant(story.start),
        "to": _instant(story.end),
        "cause": story.cause,
        "last_heard_at": _instant(story.last_heard),
        "counted_seconds": _seconds(story.counted),
    }


# Values -------------------------------------------------------------------------------------------------------------


def _instant(at: int | None) -> str | None:
    return None if at is None else format_instant(at)


def _seconds(duration: int) -> orjson.Fragment:
    return orjson.Fragment(format_seconds(duration))


def _span(span: Span) -> dict[str, str]:
    return {"from": format_instant(span[0]), "to": format_instant(span[1])}


def _spans(spans: Iterable[Span]) -> list[dict[str, str]]:
    return [_span(one) for one in spans]
