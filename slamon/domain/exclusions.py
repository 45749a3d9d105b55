"""Which time does not count: scheduled in the agreement, or declared by events under one of its clauses.

A declared exclusion is what its newest event says; cancelled, it leaves no trace. It applies by the first clause in file
order that is for declared ones of its reason, covers its service and, if it asks for notice, got it: announced at
`announced_at`, or else at the earliest event since which it has been declared with the same span without interruption. A
clause's cap limits what is taken away per calendar unit, inside service hours and effective span, earliest first.
"""

import enum
from collections.abc import Iterable, Iterator, Sequence
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


class Objection(enum.Enum):
    """Why a clause does not let a declared exclusion apply."""

    SCHEDULED = "scheduled"  # the clause is about what recurs by itself
    REASON = "reason"  # it is about another one
    SERVICE = "service"  # it does not cover the exclusion's service
    NOTICE = "notice"  # announced too late


def objection(term: ExclusionTerm, exclusion: Declared) -> Objection | None:
    """The first thing that keeps a clause from letting an exclusion apply; None: it lets it."""
    if term.schedule is not None:
        return Objection.SCHEDULED
    if term.reason is not exclusion.reason:
        return Objection.REASON
    if term.services is not None and exclusion.service is not None and exclusion.service not in term.services:
        return Objection.SERVICE
    if term.notice is not None and exclusion.start - exclusion.announced_at < term.notice:
        return Objection.NOTICE
    return None


def clause_of(agreement: Agreement, objective: ServiceObjective, exclusion: Declared) -> ExclusionTerm | None:
    """The clause by which a declared exclusion applies to the objective; None: it does not."""
    if exclusion.service is not None and exclusion.service != objective.service:
        return None
    term = next((term for term in agreement.exclusions if objection(term, exclusion) is None), None)
    return None if term is None or not concerns(term, objective) else term


def concerns(term: ExclusionTerm, objective: ServiceObjective) -> bool:
    """Whether a clause covers the objective's service."""
    return term.services is None or objective.service in term.services


class Use(NamedTuple):
    """A clause in the unit of its cap, cut to the effective span; without a cap, in the range asked about.

    `asked` is what it would take away without its cap (with one, inside service hours), `taken` what it does.
    """

    start: int
    end: int
    asked: Spans
    taken: Spans


class Granted(NamedTuple):
    """What one clause takes away inside the range asked about; it may lie outside service hours."""

    term: ExclusionTerm
    uses: list[Use]  # they may reach beyond the range
    spans: Spans


def by_clause(
    agreement: Agreement, objective: ServiceObjective, known: Iterable[Declared], start: int, end: int
) -> list[Granted]:
    """What each clause that concerns the objective takes away inside [start, end) under this version of the agreement."""
    start, end = max(start, agreement.start), min(end, agreement.end)
    if start >= end or not agreement.exclusions:
        return []
    by_term: dict[str, list[Span]] = {}
    for exclusion in known:
        term = clause_of(agreement, objective, exclusion)
        if term is not None:
            by_term.setdefault(term.name, []).append((exclusion.start, exclusion.end))
    granted = []
    for term in agreement.exclusions:
        if concerns(term, objective):
            spans = union(by_term.get(term.name, ()))
            uses = list(_uses(term, agreement, objective, spans, start, end))
            taken = [span for use in uses for span in use.taken]
            granted.append(Granted(term, uses, clip(union(taken), start, end)))
    return granted


def excluded(
    agreement: Agreement, objective: ServiceObjective, known: Iterable[Declared], start: int, end: int
) -> list[Span]:
    """The spans inside [start, end) that do not count for the objective under this version of the agreement."""
    return union(*(granted.spans for granted in by_clause(agreement, objective, known, start, end)))


def _uses(
    term: ExclusionTerm,
    agreement: Agreement,
    objective: ServiceObjective,
    spans: Spans,
    start: int,
    end: int,
) -> Iterator[Use]:
    if term.cap is None:
        asked = _spans_of(term, agreement, spans, start, end)
        yield Use(start, end, asked, asked)
        return
    for unit_start, unit_end in periods(term.cap.per, agreement.zone, start, end):
        since, until = max(unit_start, agreement.start), min(unit_end, agreement.end)
        asked = _spans_of(term, agreement, spans, since, until)
        asked = intersect(asked, objective.calendar.spans(since, until))
        yield Use(since, until, asked, _first(asked, term.cap.duration))


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
