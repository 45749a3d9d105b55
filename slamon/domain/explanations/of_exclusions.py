"""What each clause took away from a period, and what became of each declared exclusion.

Where clauses overlap, the earlier in file order is said to have taken the time.
"""

import enum
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from slamon.domain.agreement import Agreement, ExclusionTerm, ServiceObjective
from slamon.domain.customer import Customer
from slamon.domain.events import ExclusionEvent
from slamon.domain.exclusions import Declared, Granted, Objection, clause_of, declared, objection
from slamon.domain.intervals import Span, Spans, clip, intersect, length, subtract, union
from slamon.domain.request_counts import Amount


@dataclass(frozen=True, slots=True)
class CapUse:
    """A unit of a clause's cap: how much was asked for inside service hours, and how much of it was granted."""

    start: int
    end: int
    asked: int
    granted: int


@dataclass(frozen=True, slots=True)
class ClauseStory:
    """What a clause took away in the period, inside service hours, beyond what earlier clauses took."""

    term: ExclusionTerm
    spans: tuple[Span, ...]  # inside service hours, overlaps with earlier clauses included
    taken: int
    failures: (
        Amount  # what of that would have counted against the target: microseconds of downtime, or requests
    )
    caps: tuple[CapUse, ...]


class Refusal(enum.Enum):
    """Why a declared exclusion changes nothing."""

    WITHDRAWN = "withdrawn"
    OTHER_SERVICE = "other_service"
    NO_CLAUSE = "no_clause"  # none is for declared ones of its reason
    CLAUSE_SERVICES = "clause_services"  # those that are do not cover the service
    NOTICE = "notice"  # announced too late


@dataclass(frozen=True, slots=True)
class DeclaredStory:
    """One exclusion id: what its newest event says, and by which clause it applies, or why by none."""

    event: ExclusionEvent  # the newest
    span: Span | None  # None: withdrawn without ever naming one
    announced_at: int | None
    clause: str | None
    refusal: Refusal | None
    notice: int | None  # asked for by the clause that applies, or that would but for its notice
    in_period: int  # of its span, inside service hours


def clauses_of(
    granted: Sequence[Granted], hours: Spans, failures: Callable[[Spans], Amount]
) -> Iterator[ClauseStory]:
    """`failures`: what a set of instants holds of what would count against the target."""
    earlier: Spans = []
    for one in granted:
        inside = intersect(one.spans, hours)
        beyond = subtract(inside, earlier)
        earlier = union(earlier, inside)
        caps = [CapUse(use.start, use.end, length(use.asked), length(use.taken)) for use in one.uses]
        yield ClauseStory(
            one.term,
            tuple(inside),
            length(beyond),
            failures(beyond),
            tuple(caps) if one.term.cap is not None else (),
        )


def declared_of(
    customer: Customer,
    agreement: Agreement,
    objective: ServiceObjective,
    hours: Spans,
    period: Span,
    now: int,
) -> Iterator[DeclaredStory]:
    """The exclusions whose span touches the period, withdrawn ones included."""
    for _, all_events in sorted(customer.exclusions.items()):
        events = [event for event in all_events if event.time <= now]
        spans = [
            (event.start, event.end) for event in events if event.start is not None and event.end is not None
        ]
        if not spans or not clip([spans[-1]], *period):
            continue
        current = declared(events, now)
        clause = None if current is None else clause_of(agreement, objective, current)
        refusal, notice = (
            (None, clause.notice) if clause is not None else _refusal(agreement, objective, current)
        )
        yield DeclaredStory(
            event=events[-1],
            span=spans[-1],
            announced_at=None if current is None else current.announced_at,
            clause=None if clause is None else clause.name,
            refusal=refusal,
            notice=notice,
            in_period=length(intersect([spans[-1]], hours)),
        )


def _refusal(
    agreement: Agreement, objective: ServiceObjective, exclusion: Declared | None
) -> tuple[Refusal, int | None]:
    """Why no clause lets it apply, and the notice that would have been needed."""
    if exclusion is None:
        return Refusal.WITHDRAWN, None
    if exclusion.service not in (None, objective.service):
        return Refusal.OTHER_SERVICE, None
    objections = {term.name: objection(term, exclusion) for term in agreement.exclusions}
    too_late = next(
        (term for term in agreement.exclusions if objections[term.name] is Objection.NOTICE), None
    )
    if None not in objections.values() and too_late is not None:
        return Refusal.NOTICE, too_late.notice
    if {None, Objection.SERVICE} & set(objections.values()):
        return Refusal.CLAUSE_SERVICES, None
    return Refusal.NO_CLAUSE, None
