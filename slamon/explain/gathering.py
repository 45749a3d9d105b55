"""Finds what is asked about in a file of events, and judges as much of it as the answer needs.

What concerns one customer is judged without the others: no standing depends on theirs. The events of the others only
say how late it is.
"""

import difflib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, assert_never

from slamon.codec import Rejected
from slamon.domain.agreement import Agreement, Objective, TicketObjective
from slamon.domain.availability_watch import AvailabilityWatch
from slamon.domain.customer import Customer, Watch
from slamon.domain.decisions import Standing, Statement
from slamon.domain.events import Event, TicketEvent
from slamon.domain.explanations.of_attainment import AttainmentExplanation, explain_attainment
from slamon.domain.explanations.of_availability import AvailabilityExplanation, explain_availability
from slamon.domain.explanations.of_credit import CreditExplanation, explain_credit
from slamon.domain.explanations.of_requests import RequestsExplanation, explain_requests
from slamon.domain.explanations.of_ticket import Heard, TicketExplanation, explain_ticket
from slamon.domain.intervals import FOREVER, Span
from slamon.domain.monitor import Monitor
from slamon.domain.requests_watch import RequestsWatch
from slamon.domain.terms import judged_period, period_to_date
from slamon.domain.ticket_watch import TicketWatch
from slamon.explain.period_notation import Asked, notation_of, unit_of
from slamon.explain.wording import day, listed
from slamon.replay import Line, Replay, in_order, read_events

Explanation = AttainmentExplanation | AvailabilityExplanation | RequestsExplanation


class UnanswerableError(Exception):
    """What is asked about does not exist; the text says what does."""


@dataclass(frozen=True, slots=True)
class Source:
    """The recorded events, and how to read them: as `slamon replay` does."""

    agreements: Sequence[Agreement]
    events: Path
    sort: bool = False
    until: int | None = None
    progress: Callable[[int], None] = lambda _: None

    def arrivals(self) -> "Iterator[Arrival]":
        lines: Iterable[Line] = read_events(self.events, self.progress)
        now: int | None = None
        for line in in_order(lines) if self.sort else lines:
            event = line.event
            if isinstance(event, Rejected) or (self.until is not None and event.time > self.until):
                continue
            now = event.time if now is None else max(now, event.time)
            yield Arrival(event, line.number, now)


class Arrival(NamedTuple):
    """An event, its line, and what the stream's clock shows when it arrives."""

    event: Event
    line: int
    known_at: int


class Revision(NamedTuple):
    """A statement as it was given. `because`: the event that changed it; None: its time had come, or time alone did.

    What time alone changed was said by `said_at`, when the next event came or the input ended, and perhaps before.
    """

    statement: Statement
    said_at: int
    because: Arrival | None


class PeriodExplanation(NamedTuple):
    """What leads to the verdict on a period, and every statement that was made about it."""

    found: Explanation
    credit: CreditExplanation | None  # None: none is promised, or the period runs
    settles_at: int | None  # when the first statement is due; None: it was given
    revisions: tuple[Revision, ...]


# A ticket -----------------------------------------------------------------------------------------------------------


def of_ticket(source: Source, ticket: str, customer: str | None) -> TicketExplanation:
    arrivals: list[Arrival] = []
    known: dict[str, set[str]] = defaultdict(set)  # tickets by customer
    now: int | None = None
    for arrival in source.arrivals():
        now = arrival.known_at
        event = arrival.event
        if isinstance(event, TicketEvent):
            known[event.customer].add(event.ticket)
            if event.ticket == ticket and customer in (None, event.customer):
                arrivals.append(arrival)
    if now is None:
        raise _nothing_in(source)
    owner = _owner_of(source, ticket, customer, arrivals, known)
    until = now if source.until is None else source.until
    monitor = Monitor([one for one in source.agreements if one.customer == owner], steps=True, durable=False)
    heard = [
        Heard(arrival.event, arrival.line, arrival.known_at, monitor.apply(arrival.event))
        for arrival in arrivals
        if isinstance(arrival.event, TicketEvent) and arrival.event.customer == owner
    ]
    monitor.advance(until)
    monitor.finish()
    return explain_ticket(monitor.customers[owner].tickets[ticket], heard, until)


def _owner_of(
    source: Source,
    ticket: str,
    customer: str | None,
    arrivals: Sequence[Arrival],
    known: dict[str, set[str]],
) -> str:
    """The customer whose ticket it is."""
    owners = sorted({arrival.event.customer for arrival in arrivals if arrival.event.customer is not None})
    agreed = {one.customer for one in source.agreements}
    if not owners:
        elsewhere = sorted(name for name, tickets in known.items() if ticket in tickets)
        if elsewhere:
            raise UnanswerableError(
                f"customer {customer} has no ticket {ticket}; it is one of {listed(elsewhere)}: "
                f"say --customer {elsewhere[0]}"
            )
        names = {one for tickets in known.values() for one in tickets}
        raise UnanswerableError(f"{source.events} has no ticket {ticket}{_meant(ticket, names)}")
    promised = [owner for owner in owners if owner in agreed]
    if not promised:
        raise UnanswerableError(
            f"ticket {ticket} has {len(arrivals)} {'event' if len(arrivals) == 1 else 'events'} under customer "
            f"{listed(owners)}, with whom there is no agreement; agreements are with {_few(sorted(agreed))}"
        )
    if len(promised) > 1:
        raise UnanswerableError(
            f"ticket {ticket} is one of {listed(promised)}: say which with --customer, as in --customer {promised[0]}"
        )
    if not any(one.customer == promised[0] and _has_tickets(one) for one in source.agreements):
        raise UnanswerableError(f"the agreements with {promised[0]} promise nothing about tickets")
    return promised[0]


def _has_tickets(agreement: Agreement) -> bool:
    return any(isinstance(objective, TicketObjective) for objective in agreement.objectives)


# An objective -------------------------------------------------------------------------------------------------------


def of_objective(
    source: Source, objective: str, asked: Asked, customer: str | None, agreement: str | None
) -> list[PeriodExplanation]:
    """Usually of one period; where a version of the agreement ends inside what was asked for, of one for each."""
    versions = _versions(source.agreements, objective, customer, agreement)
    owner, name = versions[0].customer, versions[0].name
    revisions: list[Revision] = []
    statements: list[Statement] = []
    replay = Replay(
        [one for one in source.agreements if one.customer == owner], on_statement=statements.append
    )

    def take(said_at: int, because: Arrival | None) -> None:
        revisions.extend(Revision(statement, said_at, because) for statement in statements)
        statements.clear()

    now: int | None = None
    for arrival in source.arrivals():
        now = arrival.known_at
        if arrival.event.customer in (owner, None):
            replay.pass_to(now)
            take(now, None)
            replay.feed(arrival.event)
            take(now, arrival)
    if now is None:
        raise _nothing_in(source)
    now = now if source.until is None else source.until
    replay.pass_to(now)
    take(now, None)
    monitor = replay.finish()
    take(now, None)
    whose = monitor.customers[owner]
    found = []
    for watch in whose.watches():
        if (watch.agreement.name, watch.objective.name) != (name, objective):
            continue
        for span in _periods(watch.agreement, watch.objective, asked, now):
            said = _said(whose, watch, span, now)
            found.append(
                PeriodExplanation(
                    _explained(whose, watch, span, said, now),
                    explain_credit(whose, watch, said, now) if isinstance(said, Statement) else None,
                    _settles_at(watch, span),
                    tuple(_revisions(watch, span, revisions)),
                )
            )
    if not found:
        raise _no_period(versions, objective, asked, now)
    return found


def _versions(
    agreements: Sequence[Agreement], objective: str, customer: str | None, agreement: str | None
) -> list[Agreement]:
    """The versions of the one agreement that has the objective, in order of time."""
    meant = [one for one in agreements if customer in (None, one.customer) and agreement in (None, one.name)]
    if not meant:
        asked = " ".join(
            f"{word} {value}"
            for word, value in (("with customer", customer), ("named", agreement))
            if value is not None
        )
        there = _few(sorted({f"{one.name} with {one.customer}" for one in agreements}))
        raise UnanswerableError(f"there is no agreement {asked}; there are: {there}")
    having = [one for one in meant if any(held.name == objective for held in one.objectives)]
    names = sorted({held.name for one in meant for held in one.objectives})
    if not having:
        raise UnanswerableError(
            f"there is no objective {objective}{_meant(objective, names)}; there are: {listed(names)}"
        )
    keys = sorted({(one.customer, one.name) for one in having})
    if len(keys) > 1:
        first_customer, first_name = keys[0]
        raise UnanswerableError(
            f"objective {objective} stands in {len(keys)} agreements ({_few(f'{name} with {of}' for of, name in keys)}): "
            f"say which, as in --customer {first_customer} --agreement {first_name}"
        )
    return sorted(having, key=lambda one: one.start)


def _periods(agreement: Agreement, objective: Objective, asked: Asked, now: int) -> Iterator[Span]:
    """The judged periods of this version that lie in what was asked for and have begun; a running window is up to now."""
    if asked.unit not in (None, unit_of(agreement, objective)):
        return
    start, end = asked.span(agreement.zone)
    t, stop = max(start, agreement.start), min(end, agreement.end)
    while t < stop:
        span = judged_period(agreement, objective, t)
        runs = agreement.start <= now < agreement.end and judged_period(agreement, objective, now) == span
        if runs:
            yield period_to_date(agreement, objective, now)
        elif span[1] <= now:
            yield span
        t = stop if asked.unit is None else span[1]


def _said(customer: Customer, watch: Watch, span: Span, now: int) -> Statement | Standing:
    """The newest statement about the period, given or not; while it runs, the standing."""
    said: Statement | Standing | None = watch.settlement.settled.get(span)
    if said is None:
        running = _is_running(watch, now, span)
        said = watch.standing(now) if running else customer.statement(watch, span, now)
    assert said is not None, "a period that runs has a standing"
    return said


def _explained(
    customer: Customer, watch: Watch, span: Span, said: Statement | Standing, now: int
) -> Explanation:
    match watch:
        case TicketWatch():
            return explain_attainment(customer, watch, span, said, now)
        case AvailabilityWatch():
            return explain_availability(customer, watch, span, said, now)
        case RequestsWatch():
            return explain_requests(customer, watch, span, said, now)
        case _:
            assert_never(watch)


def _is_running(watch: Watch, now: int, span: Span) -> bool:
    agreement = watch.agreement
    return agreement.start <= now < agreement.end and period_to_date(agreement, watch.objective, now) == span


def _settles_at(watch: Watch, span: Span) -> int | None:
    """When the first statement about the period is due; None: it was given, or a window runs on."""
    if span in watch.settlement.settled or span not in _judged_next(watch):
        return None
    return span[1] + watch.agreement.reporting.settle_after


def _judged_next(watch: Watch) -> list[Span]:
    """The periods ahead without a statement, as far as one can be asked about."""
    found: list[Span] = []
    span = watch.settlement.next_span()
    while span is not None and len(found) < 2:
        found.append(span)
        more = span[1] < watch.agreement.end
        span = judged_period(watch.agreement, watch.objective, span[1]) if more else None
    return found


def _revisions(watch: Watch, span: Span, revisions: Iterable[Revision]) -> Iterator[Revision]:
    """Those of the period. The first statement was given when it was due, whenever the next event came."""
    due_at = span[1] + watch.agreement.reporting.settle_after
    of = (watch.agreement.name, watch.objective.name, *span)
    for one in revisions:
        statement = one.statement
        if (statement.agreement, statement.objective, statement.start, statement.end) == of:
            yield Revision(statement, due_at, None) if statement.revision == 1 else one


def _no_period(versions: Sequence[Agreement], objective: str, asked: Asked, now: int) -> UnanswerableError:
    newest = versions[-1]
    units = {unit_of(one, held) for one in versions for held in one.objectives if held.name == objective}
    if asked.unit is not None and asked.unit not in units:
        unit = next(iter(units))
        example = notation_of(unit, newest.zone, asked.span(newest.zone)[0])
        return UnanswerableError(
            f"{objective} is judged by the {unit.value}, and {asked.text} is no {unit.value}: "
            f"write --period {example}, or a date inside the {unit.value}"
        )
    start, end = asked.span(newest.zone)
    if not any(max(start, one.start) < min(end, one.end) for one in versions):
        spans = (
            f"from {day(one.start, one.zone)}"
            + ("" if one.end == FOREVER else f" until before {day(one.end, one.zone)}")
            for one in versions
        )
        return UnanswerableError(
            f"{asked.text} lies outside the agreement {newest.name}, which holds {', and '.join(spans)}"
        )
    return UnanswerableError(
        f"{asked.text} has not begun: the events end {day(now, newest.zone)}, and nothing is known of what comes after"
    )


# Words of errors ----------------------------------------------------------------------------------------------------


def _nothing_in(source: Source) -> UnanswerableError:
    until = "" if source.until is None else " up to the instant given by --until"
    return UnanswerableError(
        f"{source.events} holds no event{until}; `slamon replay` lists lines that cannot be events in rejected.ndjson"
    )


def _meant(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, sorted(known), 1)
    return f"; did you mean {close[0]}?" if close else ""


def _few(words: Iterable[str]) -> str:
    """The first ones; there may be hundreds of customers."""
    found = list(words)
    return listed(found) if len(found) <= 5 else f"{', '.join(found[:5])} and {len(found) - 5} more"
