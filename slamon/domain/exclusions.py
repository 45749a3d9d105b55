"""Which time does not count: scheduled in the agreement, or declared by events under one of its clauses.

A declared exclusion is what its newest event says; cancelled, it leaves no trace. It applies by the first clause in file
order that is for declared ones of its reason, covers its service and, if it asks for notice, got it: announced at
`announced_at`, or else at the earliest event since which it has been declared with the same span without interruption. A
clause's cap limits what is taken away per calendar unit, inside service hours and effective span, earliest first.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from slamon.domain.agreement import Agreement, ExclusionTerm, ServiceObjective
from slamon.domain.events import ExclusionEvent, ExclusionReason, ExclusionState
from slamon.domain.intervals import Span, Spans, clip, intersect, union
from slamon.domain.periods import periods
from slamon.domain.schedules import occurrences


class Declared(NamedTuple):
    """An exclusion as its events leave it at an instant."""

    id: str
    reason: ExclusionReason
    start: int
    end: int
    service: str | None
    announced_at: int
    evidence: str | None


def declared(events: Sequence[ExclusionEvent], now: int) -> Declared | None:
    """What the events (in order) of one exclusion id up to `now` come to; None if nothing is declared."""
    current: ExclusionEvent | None = None
    since = 0
    for event in events:
        if event.time > now:
            break
        if event.state is ExclusionState.CANCELLED:
            current = None
            continue
        if current is None or (current.start, current.end) != (event.start, event.end):
            since = event.time
        current = event
    if current is None or current.start is None or current.end is None or current.reason is None:
        return None
    announced_at = since if current.announced_at is None else current.announced_at
    return Declared(
        current.exclusion,
        current.reason,
        current.start,
        current.end,
        current.service,
        announced_at,
        current.evidence,
    )


def _applies(term: ExclusionTerm, exclusion: Declared) -> bool:
    if term.schedule is not None or term.reason is not exclusion.reason:
        return False
    if term.services is not None and exclusion.service is not None and exclusion.service not in term.services:
        return False
    return term.notice is None or exclusion.start - exclusion.announced_at >= term.notice


def excluded(
    agreement: Agreement, objective: ServiceObjective, known: Iterable[Declared], start: int, end: int
) -> list[Span]:
    """The spans inside [start, end) that do not count for the objective under this version of the agreement."""
    start, end = max(start, agreement.start), min(end, agreement.end)
    if start >= end or not agreement.exclusions:
        return []
    by_term: dict[str, list[Span]] = {}
    for exclusion in known:
        if exclusion.service is not None and exclusion.service != objective.service:
            continue
        term = next((term for term in agreement.exclusions if _applies(term, exclusion)), None)
        if term is not None and (term.services is None or objective.service in term.services):
            by_term.setdefault(term.name, []).append((exclusion.start, exclusion.end))
    spans: list[Span] = []
    for term in agreement.exclusions:
        if term.services is not None and objective.service not in term.services:
            continue
        spans += _of_term(term, agreement, objective, union(by_term.get(term.name, ())), start, end)
    return clip(union(spans), start, end)


def _of_term(
    term: ExclusionTerm,
    agreement: Agreement,
    objective: ServiceObjective,
    spans: Spans,
    start: int,
    end: int,
) -> Spans:
    if term.cap is None:
        return _spans_of(term, agreement, spans, start, end)
    kept: list[Span] = []
    for unit_start, unit_end in periods(term.cap.per, agreement.zone, start, end):
        since, until = max(unit_start, agreement.start), min(unit_end, agreement.end)
        counted = _spans_of(term, agreement, spans, since, until)
        if not objective.calendar.always:
            counted = intersect(counted, objective.calendar.spans(since, until))
        kept += _first(counted, term.cap.duration)
    return kept


def _spans_of(
    term: ExclusionTerm, agreement: Agreement, declared_spans: Spans, start: int, end: int
) -> Spans:
    """What the clause would take away inside [start, end), were it not for its cap."""
    if term.schedule is None:
        return clip(declared_spans, start, end)
    schedule = term.schedule
    return occurrences(
        schedule.rule, agreement.zone, agreement.first_day, schedule.minute, schedule.duration, start, end
    )


def _first(spans: Spans, duration: int) -> list[Span]:
    """The earliest part of the spans that is `duration` long."""
    taken: list[Span] = []
    for start, end in spans:
        if duration <= 0:
            break
        taken.append((start, min(end, start + duration)))
        duration -= end - start
    return taken
