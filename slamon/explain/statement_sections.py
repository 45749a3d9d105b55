"""What the page of a period says of what came of the verdict: the credit, and the statements."""

from collections.abc import Iterator
from fractions import Fraction
from typing import assert_never

from rich.console import RenderableType
from rich.text import Text

from slamon.domain.agreement import Bands, Linear, PerMiss
from slamon.domain.announcements import percent
from slamon.domain.decisions import RevisionReason, Statement
from slamon.domain.events import (
    AvailabilityEvent,
    Event,
    ExclusionEvent,
    ExclusionState,
    RequestsEvent,
    TicketEvent,
)
from slamon.domain.service_credits import Due, band_reached, money
from slamon.explain.gathering import PeriodExplanation, Revision
from slamon.explain.layout import indented, ledger
from slamon.explain.wording import lasting, moment, percent_of, request_count


def credit(period: PeriodExplanation) -> Iterator[RenderableType]:
    story, zone = period.credit, period.found.agreement.zone
    if story is None:
        return
    if story.judged is None:
        outcome = story.outcome.value.replace("_", " ")
        yield Text(f"None: a credit is due for a missed period only, and this one is {outcome}.")
        return
    yield Text(f"The period was missed with {percent(story.judged)}.")
    lines = []
    for due in story.dues:
        lines.append((_entry(due, story.judged, period), percent(due.uncapped)))
        if due.share < due.uncapped:
            lines.append(("  limited by its own cap to", percent(due.share)))
    lines.append(("due", percent(story.due)))
    cap = story.remedies.cap
    if cap is not None and (story.taken or story.due > cap):
        lines.append(("common cap (cap)", percent(cap)))
        lines += [(f"  of it due to {name} before", percent(share)) for name, share in story.taken]
    lines.append(("share of the fee", percent(Fraction(*story.credit.share))))
    if story.fee is not None and story.credit.currency is not None:
        currency = story.credit.currency
        lines += [
            ("fee of the period", f"{money(story.fee, currency)} {currency}"),
            ("credit", f"{story.credit.amount} {currency}"),
        ]
    yield ledger(lines)
    if story.claim_until is not None:
        yield Text(f"It can be claimed until {moment(story.claim_until, zone)} (claimWithin).")


def _entry(due: Due, judged: Fraction, period: PeriodExplanation) -> str:
    match due.term.by:
        case Bands(bands):
            reached = band_reached(bands, judged)
            return "bands: none reached" if reached is None else f"bands: below {percent(reached.below)}"
        case PerMiss(credit):
            tickets = period.found.said.tickets
            return f"perMiss: {percent(credit)} for each of {0 if tickets is None else tickets.missed} missed"
        case Linear(percent_per_point):
            points = (_target(period) - judged) * 100
            return f"linear: {_plain(percent_per_point)} % for each of {_plain(points)} points missed"
        case _:
            assert_never(due.term.by)


def _target(period: PeriodExplanation) -> Fraction:
    said = period.found.said
    return Fraction(*said.target) if isinstance(said, Statement) else said.target


def _plain(value: Fraction) -> str:
    """A number as a percentage shows it, without its sign."""
    return percent(value / 100).removesuffix(" %")


def revisions(period: PeriodExplanation) -> Iterator[RenderableType]:
    zone = period.found.agreement.zone
    for one in period.revisions:
        statement = one.statement
        said = [
            f"{statement.outcome.value.replace('_', ' ')}, attained {percent_of(statement.ratios.attained)}"
        ]
        if statement.tickets is not None:
            said.append(f"{statement.tickets.met} met, {statement.tickets.missed} missed")
        if statement.requests is not None:
            total, bad = Fraction(*statement.requests.total), Fraction(*statement.requests.bad)
            said.append(f"{request_count(bad)} of {request_count(total)} failed")
        if statement.seconds is not None:
            said.append(
                f"down {lasting(statement.seconds.down)}, excluded {lasting(statement.seconds.excluded)}"
            )
        if statement.credit is not None and statement.credit.amount is not None:
            booked = f", booked {statement.entry}" if statement.revision > 1 else ""
            said.append(f"credit {statement.credit.amount} {statement.credit.currency}{booked}")
        by = "by " if statement.revision > 1 and one.because is None else ""
        yield Text(f"Revision {statement.revision}, {by}{moment(one.said_at, zone)}: {'; '.join(said)}.")
        if statement.revision > 1:
            yield indented(Text(_because(one, zone)))


def _because(revision: Revision, zone: str) -> str:
    if revision.statement.reason is RevisionReason.CAP_MOVED:
        return "The verdict stands; what other objectives are credited moved what the common cap leaves."
    if revision.because is None:
        return "Changed by time alone: what was known turned out to mean something else as time passed."
    event, line, _ = revision.because
    return f"Changed by line {line}: {_fact(event)}, of {moment(event.time, zone)}."


def _fact(event: Event) -> str:
    match event:
        case TicketEvent():
            return f"event {event.id} about ticket {event.ticket}"
        case AvailabilityEvent():
            return f"event {event.id}, {event.service} {event.status.value}"
        case ExclusionEvent():
            withdrawn = event.state is ExclusionState.CANCELLED
            return f"event {event.id}, exclusion {event.exclusion} {'withdrawn' if withdrawn else 'declared'}"
        case RequestsEvent():
            return f"event {event.id}, requests to {event.service}"
        case _:
            assert_never(event)
