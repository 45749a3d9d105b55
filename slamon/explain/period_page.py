"""A period of an objective explained to people: section by section, from what was promised to what was said of it."""

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import assert_never

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from slamon.codec import format_seconds
from slamon.domain.agreement import (
    AvailabilityObjective,
    Bands,
    BelowMinimum,
    DegradedCountsAs,
    ExclusionsCountAs,
    Linear,
    PerMiss,
    UnknownCountsAs,
)
from slamon.domain.announcements import duration, percent
from slamon.domain.attainment import Rule as AttainmentRule
from slamon.domain.availability import Rule as AvailabilityRule
from slamon.domain.decisions import ClockRecord, Outcome, RevisionReason, Standing, Statement
from slamon.domain.events import (
    AvailabilityEvent,
    Event,
    ExclusionEvent,
    ExclusionState,
    RequestsEvent,
    TicketEvent,
)
from slamon.domain.explanations.of_attainment import AttainmentExplanation
from slamon.domain.explanations.of_availability import (
    AvailabilityExplanation,
    Cause,
    OutageStory,
    UnknownStory,
)
from slamon.domain.explanations.of_exclusions import ClauseStory, DeclaredStory, Refusal
from slamon.domain.explanations.of_requests import RequestsExplanation
from slamon.domain.intervals import FOREVER
from slamon.domain.periods import TimeWindow, period_at
from slamon.domain.service_credits import Due, band_reached, money
from slamon.domain.terms import time_window
from slamon.domain.ticket_downtime import tickets_meant
from slamon.explain.gathering import Explanation, PeriodExplanation, Revision
from slamon.explain.layout import heading, indented, ledger
from slamon.explain.period_notation import notation_of, unit_of
from slamon.explain.ticket_page import MEASURES, OUTCOMES, conditions
from slamon.explain.wording import counted, day, lasting, lasting_about, listed, moment

Section = tuple[str, Callable[[PeriodExplanation], Iterator[RenderableType]]]

MOST_WINDOWS = 10  # that are listed one by one

VERDICTS = {
    "met": "bold green",
    "on_track": "bold green",
    "missed": "bold red",
    "breached": "bold red",
    "at_risk": "bold yellow",
    "undetermined": "bold yellow",
    "not_applicable": "bold",
}


def page(period: PeriodExplanation) -> Iterator[RenderableType]:
    """A section that has nothing to say is left out."""
    found = period.found
    agreement, said = found.agreement, found.said
    zone = agreement.zone
    verdict = said.outcome.value if isinstance(said, Statement) else said.standing.value
    yield Text.assemble(
        (
            f"{found.objective.name} of {agreement.name} with {agreement.customer}, {_name(found)}: ",
            "bold underline",
        ),
        (verdict.replace("_", " "), VERDICTS[verdict]),
    )
    start, end = found.period
    yield Text(f"From {moment(start, zone)} until before {moment(end, zone)}.")
    yield Text(f"Judged as of {moment(found.as_of, zone)}. {_state_of(period)} Times are those of {zone}.")
    for title, section in SECTIONS[type(found)]:
        parts = list(section(period))
        if parts:
            yield Text("")
            yield heading(title)
            yield from map(indented, parts)


def _name(found: Explanation) -> str:
    """As `--period` takes it; a period that the agreement cuts is no whole one."""
    agreement, objective = found.agreement, found.objective
    start, end = found.period
    window = time_window(objective)
    if window.rolling is not None:
        return f"{duration(window.rolling)} until {day(end, agreement.zone)}"
    unit = unit_of(agreement, objective)
    name = notation_of(unit, agreement.zone, start)
    whole = found.period == period_at(unit, agreement.zone, start)
    return name if whole else f"{name}, as far as these terms hold"


def _state_of(period: PeriodExplanation) -> str:
    if isinstance(period.found.said, Standing):
        return "The period runs: these are the figures to date, not a verdict."
    if period.settles_at is not None:
        zone = period.found.agreement.zone
        return f"Not settled: the statement is due {moment(period.settles_at, zone)}."
    count = len(period.revisions)
    return f"Settled; this is revision {count}." if count > 1 else "Settled."


def _over(window: TimeWindow) -> str:
    if window.unit is not None:
        return f"a calendar {window.unit.value}"
    return f"the last {duration(window.rolling or 0)}"


# Ticket objectives --------------------------------------------------------------------------------------------------


def _attainment(period: PeriodExplanation) -> AttainmentExplanation:
    assert isinstance(period.found, AttainmentExplanation)
    return period.found


BELOW_MINIMUM = {
    BelowMinimum.ALLOW_ONE_MISS: "one may be missed",
    BelowMinimum.COUNT_AS_USUAL: "they count as usual",
    BelowMinimum.NOT_APPLICABLE: "there is no verdict",
}


def _promised_of_tickets(period: PeriodExplanation) -> Iterator[RenderableType]:
    objective = _attainment(period).objective
    promise, calendar = objective.attainment, objective.calendar
    within = "around the clock" if calendar.always else f"in the hours of {calendar.name}"
    few = (
        f" With fewer than {promise.minimum_tickets} decided, {BELOW_MINIMUM[promise.below_minimum]}."
        if promise.minimum_tickets
        else ""
    )
    yield Text(
        f"The {MEASURES[objective.measure.value]} of a ticket takes at most {lasting(objective.target)} {within}, "
        f"for {percent(promise.target)} of the cycles decided in {_over(promise.window)}.{few}"
    )


def _cycles(period: PeriodExplanation) -> Iterator[RenderableType]:
    found = _attainment(period)
    if not found.decided:
        yield Text("None.")
        return
    zone = found.agreement.zone
    yield _table(
        ("decided", "ticket", "outcome", "used", "target"),
        [
            (
                moment(one.decided_at or 0, zone),
                _cycle(one),
                Text(one.outcome.value, style=OUTCOMES[one.outcome]),
                lasting(one.elapsed),
                lasting(one.target),
            )
            for one in found.decided
        ],
    )


def _pending(period: PeriodExplanation) -> Iterator[RenderableType]:
    found = _attainment(period)
    zone = found.agreement.zone
    if found.pending:
        yield Text("These were begun and not decided; they count in the period that decides them.")
        yield _table(
            ("started", "ticket", "now"),
            [(moment(one.started_at, zone), _cycle(one), Text(one.outcome.value)) for one in found.pending],
        )


def _cycle(record: ClockRecord) -> str:
    return f"{record.ticket} cycle {record.cycle}" if record.cycle > 1 else record.ticket


def _sum_of_tickets(period: PeriodExplanation) -> Iterator[RenderableType]:
    found = _attainment(period)
    counts = found.counts
    lines = [("met", f"{counts.met:,}"), ("missed", f"{counts.missed:,}")]
    if counts.met + counts.missed:
        whole = counts.met + counts.missed
        lines += [
            ("decided", f"{whole:,}"),
            ("attained, met / decided", f"{counts.met} / {whole} = {percent(Fraction(counts.met, whole))}"),
        ]
    yield ledger([*lines, ("target", percent(found.objective.attainment.target))])


def _if_it_ended(period: PeriodExplanation) -> str:
    return "If the period ended now: " if isinstance(period.found.said, Standing) else ""


def _verdict_on_tickets(period: PeriodExplanation) -> Iterator[RenderableType]:
    found = _attainment(period)
    promise, counts = found.objective.attainment, found.counts
    decided = counts.met + counts.missed
    reached = decided and counts.met >= promise.target * decided
    few = f"{decided} decided are fewer than {promise.minimum_tickets}"
    yield Text(
        _if_it_ended(period)
        + {
            AttainmentRule.NOTHING_DECIDED: "Nothing was decided, so there is nothing to judge: not applicable.",
            AttainmentRule.TOO_FEW: f"{few} (minimumTickets, belowMinimum: notApplicable): not applicable.",
            AttainmentRule.ONE_MISS_ALLOWED: (
                f"{few}, and no more than one was missed (minimumTickets, belowMinimum: allowOneMiss): met."
            ),
            AttainmentRule.RATIO: (
                "The ratio reaches the target: met."
                if reached
                else "The ratio stays below the target: missed."
            ),
        }[found.rule]
    )


# Availability -------------------------------------------------------------------------------------------------------


def _availability(period: PeriodExplanation) -> AvailabilityExplanation:
    assert isinstance(period.found, AvailabilityExplanation)
    return period.found


UNKNOWN = {
    UnknownCountsAs.UNDETERMINED: "as neither up nor down: where it would decide, the verdict is undetermined",
    UnknownCountsAs.UP: "as up, where it would decide",
    UnknownCountsAs.DOWN: "as down, where it would decide",
}
EXCLUDED = {
    ExclusionsCountAs.REMOVED: "is on neither side of the ratio (removed)",
    ExclusionsCountAs.UP: "counts as up",
}


def _promised_of_service(period: PeriodExplanation) -> Iterator[RenderableType]:
    objective = _availability(period).objective
    hours = "around the clock" if objective.calendar.always else f"in the hours of {objective.calendar.name}"
    degraded = "up" if objective.degraded_counts_as is DegradedCountsAs.UP else "down"
    shorter = (
        f"Outages shorter than {lasting(objective.minimum_outage)} do not count. "
        if objective.minimum_outage
        else ""
    )
    by_tickets = (
        "" if objective.down_while is None else f" Down is also while {_tickets(objective)} are open."
    )
    yield Text(
        f"{objective.service} is up for {percent(objective.target)} of {_over(objective.window)}, {hours}. Degraded "
        f"counts as {degraded}. {shorter}Excluded time {EXCLUDED[objective.exclusions_count_as]}. Time that nobody "
        f"measured counts {UNKNOWN[objective.unknown_counts_as]}.{by_tickets}"
    )


def _tickets(objective: AvailabilityObjective) -> str:
    meant = tickets_meant(objective)
    assert meant is not None, "tickets are downtime only where the agreement says which"
    return f"tickets with {', '.join(conditions(meant))}"


def _outages(period: PeriodExplanation) -> Iterator[RenderableType]:
    found = _availability(period)
    if not found.outages:
        yield Text("None was reported.")
    for outage in found.outages:
        yield from _outage(outage, found)


def _outage(outage: OutageStory, found: AvailabilityExplanation) -> Iterator[RenderableType]:
    zone = found.agreement.zone
    until = "until now" if outage.end is None else f"to {moment(outage.end, zone)}"
    yield Text(f"{moment(outage.start, zone)} {until}", style="bold")
    if len(outage.statuses) > 1:
        parts = [f"{change.status.value} from {moment(change.time, zone)}" for change in outage.statuses]
        yield indented(Text(f"One outage: {listed(parts)}."))
    for ticket, (start, end) in outage.tickets:
        since = f"ticket {ticket} open from {moment(start, zone)}"
        yield indented(
            Text(f"Down by {since} {'until now' if end == FOREVER else f'to {moment(end, zone)}'}.")
        )
    lines = [("lasted", lasting(outage.lasted))]
    if not outage.long_enough:
        yield indented(
            ledger([*lines, ("counted", "0 s")]),
        )
        yield indented(Text(f"Shorter than {lasting(found.objective.minimum_outage)} (minimumOutage): up."))
        return
    if outage.in_period != outage.lasted:
        lines.append(("less outside the period", f"- {lasting(outage.lasted - outage.in_period)}"))
    if outage.outside_hours:
        lines.append(
            (
                f"less outside the hours of {found.objective.calendar.name}",
                f"- {lasting(outage.outside_hours)}",
            )
        )
    lines += [(f"less excluded by {name}", f"- {lasting(taken)}") for name, taken in outage.excluded]
    yield indented(ledger([*lines, ("counted as down", lasting(outage.counted))]))


def _exclusions(period: PeriodExplanation) -> Iterator[RenderableType]:
    found = period.found
    assert isinstance(found, AvailabilityExplanation | RequestsExplanation), "exclusions are of services"
    for story in found.clauses:
        if story.spans or any(cap.asked for cap in story.caps):
            yield from _clause(story, found)
    for declared in found.declared:
        if declared.clause is None:
            yield from _declared(declared, found)


def _clause(
    story: ClauseStory, found: AvailabilityExplanation | RequestsExplanation
) -> Iterator[RenderableType]:
    term, zone = story.term, found.agreement.zone
    words = [term.reason.value.replace("_", " "), *([term.clause] if term.clause else [])]
    kind = "scheduled" if term.schedule is not None else "declared"
    yield Text(f"{term.name} ({', '.join(words)}; {kind})", style="bold")
    if term.schedule is not None:
        total = f"{counted(len(story.spans), 'window')} by {term.schedule.rule}"
        yield indented(Text(f"{total}, {lasting(term.schedule.duration)} each."))
        if len(story.spans) <= MOST_WINDOWS:
            for start, end in story.spans:
                yield indented(Text(f"{moment(start, zone)} to {moment(end, zone)}"))
    for declared in found.declared:
        if declared.clause == term.name:
            yield from map(indented, _declared(declared, found))
    for cap in story.caps:
        if cap.asked:
            assert term.cap is not None, "what is capped has a cap"
            span = f"{day(cap.start, zone)} until before {day(cap.end, zone)}"
            over = f"; {lasting(cap.asked - cap.granted)} over it counts" if cap.asked > cap.granted else ""
            yield indented(
                Text(
                    f"At most {lasting(term.cap.duration)} a {term.cap.per.value} (atMost), {span}: "
                    f"{lasting(cap.granted)} of {lasting(cap.asked)} taken away{over}."
                )
            )
    yield indented(
        ledger(
            [
                ("taken away", lasting(story.taken)),
                ("of that, down", lasting(int(story.failures)))
                if isinstance(found, AvailabilityExplanation)
                else ("failed requests in it", _amount(Fraction(story.failures))),
            ]
        )
    )


def _declared(story: DeclaredStory, found: Explanation) -> Iterator[RenderableType]:
    event, zone = story.event, found.agreement.zone
    about = f" of {event.service}" if event.service is not None else ""
    span = "" if story.span is None else f", {moment(story.span[0], zone)} to {moment(story.span[1], zone)}"
    yield Text(f"{event.exclusion}{about}{span}")
    said = []
    if story.announced_at is not None and story.span is not None:
        ahead = story.span[0] - story.announced_at
        notice = f"{lasting(ahead)} ahead" if ahead >= 0 else f"{lasting(-ahead)} after it began"
        said.append(f"announced {moment(story.announced_at, zone)}, {notice}")
        if story.notice is not None:
            said.append(
                f"{lasting(story.notice)} of notice {'kept' if ahead >= story.notice else 'not kept'}"
            )
    said += [f"approved by {event.approved_by}"] if event.approved_by is not None else []
    said += [f"evidence {event.evidence}"] if event.evidence is not None else []
    if story.refusal is not None:
        said.append(f"changes nothing: {REFUSALS[story.refusal]}")
    yield indented(Text(f"{'; '.join(said)}."))


REFUSALS = {
    Refusal.WITHDRAWN: "it was withdrawn",
    Refusal.OTHER_SERVICE: "it is about another service",
    Refusal.NO_CLAUSE: "no clause lets exclusions of its reason be declared",
    Refusal.CLAUSE_SERVICES: "the clause for its reason does not cover the service",
    Refusal.NOTICE: "announced too late, so all of it counts",
}


def _unknown(period: PeriodExplanation) -> Iterator[RenderableType]:
    found = _availability(period)
    for story in found.unknown:
        yield from _gap(story, found)


def _gap(story: UnknownStory, found: AvailabilityExplanation) -> Iterator[RenderableType]:
    zone = found.agreement.zone
    start = "From before all events" if story.start is None else moment(story.start, zone)
    end = "until now" if story.end is None else f"to {moment(story.end, zone)}"
    why = {
        Cause.BEFORE_ALL: "no event had told a status yet",
        Cause.REPORTED: "reported as unknown",
        Cause.HEARTBEATS_MISSED: (
            ""
            if story.last_heard is None
            else f"heartbeats missed after that of {moment(story.last_heard, zone)}"
        ),
    }[story.cause]
    yield Text(f"{start} {end}: {why}; {lasting(story.counted)} of the counted time.")


def _sum_of_service(period: PeriodExplanation) -> Iterator[RenderableType]:
    found = _availability(period)
    counts = found.seconds
    calendar = found.objective.calendar
    hours = "time of the period" if calendar.always else f"hours of {calendar.name}"
    lines = [(f"{hours}{'' if found.until == found.period[1] else ' to date'}", lasting(found.hours))]
    if found.objective.exclusions_count_as is ExclusionsCountAs.REMOVED:
        lines.append(("less excluded", f"- {lasting(counts.excluded)}"))
    lines += [
        ("applicable", lasting(counts.applicable)),
        ("of that unknown", lasting(counts.unknown)),
        ("of that known", lasting(counts.known)),
        ("of the known, down", lasting(counts.down)),
    ]
    if found.objective.exclusions_count_as is ExclusionsCountAs.UP:
        lines.append(("excluded, and counted as up", lasting(counts.excluded)))
    yield ledger(lines)


def _budget(period: PeriodExplanation) -> Iterator[RenderableType]:
    found = _availability(period)
    whole, used = found.budget.whole, found.budget.used
    over = used > whole
    yield ledger(
        [
            (
                f"allowed, 100 % - {percent(found.objective.target)} of the applicable time",
                lasting_about(whole),
            ),
            ("used", lasting(used)),
            ("over it" if over else "left", lasting_about(abs(whole - used))),
        ]
    )
    if found.budget.breached_at is not None:
        at = moment(found.budget.breached_at, found.agreement.zone)
        yield Text(f"Used up {at}: from then on the period could not be met.")


def _ratios(period: PeriodExplanation) -> Iterator[RenderableType]:
    found = _availability(period)
    counts, ratios = found.seconds, found.ratios
    unknown_too = counts.down + counts.unknown
    table = (
        ("attained, 1 - down / known", counts.down, counts.known, ratios.attained),
        ("best case, 1 - down / applicable", counts.down, counts.applicable, ratios.best_case),
        ("worst case, 1 - (down + unknown) / applicable", unknown_too, counts.applicable, ratios.worst_case),
    )
    lines = [
        (label, f"1 - {_seconds(part)} / {_seconds(whole)} = {_percent(ratio)}")
        for label, part, whole, ratio in table
    ]
    coverage = f"{_seconds(counts.known)} / {_seconds(counts.applicable)} = {_percent(ratios.coverage)}"
    yield ledger([*lines, ("coverage, known / applicable", coverage)])


def _seconds(duration: int) -> str:
    return f"{format_seconds(duration)} s"


def _percent(ratio: tuple[int, int] | None) -> str:
    return "none" if ratio is None else percent(Fraction(*ratio))


def _verdict_on_service(period: PeriodExplanation) -> Iterator[RenderableType]:
    found = _availability(period)
    target = percent(found.objective.target)
    as_agreed = found.objective.unknown_counts_as
    outcome = {
        UnknownCountsAs.UNDETERMINED: "undetermined",
        UnknownCountsAs.UP: "met",
        UnknownCountsAs.DOWN: "missed",
    }[as_agreed]
    yield Text(
        _if_it_ended(period)
        + {
            AvailabilityRule.NOTHING_APPLICABLE: "No time applies, so there is nothing to judge: not applicable.",
            AvailabilityRule.WORST_CASE_REACHES: f"Even the worst case reaches {target}: met.",
            AvailabilityRule.BEST_CASE_FAILS: f"Even the best case stays below {target}: missed.",
            AvailabilityRule.UNKNOWN_COUNTS: (
                f"The best case reaches {target} and the worst does not, so unknown time decides, and it counts as "
                f"{as_agreed.value} (unknownCountsAs): {outcome}."
            ),
        }[found.rule]
    )


# Requests -----------------------------------------------------------------------------------------------------------

MOST_DATES = 31


def _requests(period: PeriodExplanation) -> RequestsExplanation:
    assert isinstance(period.found, RequestsExplanation)
    return period.found


def _promised_of_requests(period: PeriodExplanation) -> Iterator[RenderableType]:
    objective = _requests(period).objective
    hours = "" if objective.calendar.always else f", in the hours of {objective.calendar.name}"
    yield Text(
        f"{percent(objective.target)} of the requests to {objective.service} succeed, over {_over(objective.window)}"
        f"{hours}. Excluded time {EXCLUDED[objective.exclusions_count_as]}."
    )


def _dates_of_requests(period: PeriodExplanation) -> Iterator[RenderableType]:
    """Where there are many dates, those with failures, and the others together."""
    dates = _requests(period).dates
    if not dates:
        yield Text("None.")
        return
    shown = dates if len(dates) <= MOST_DATES else [one for one in dates if one.bad]
    lines = [(f"{one.day:%a %-d %b %Y}", _amount(one.total), _amount(one.bad)) for one in shown]
    if len(shown) < len(dates):
        others = sum((one.total for one in dates if not one.bad), Fraction(0))
        lines.append((f"{counted(len(dates) - len(shown), 'other date')}", _amount(others), "0"))
    yield _table(("date", "requests", "failed"), lines)


def _sum_of_requests(period: PeriodExplanation) -> Iterator[RenderableType]:
    found = _requests(period)
    total, bad = Fraction(*found.counts.total), Fraction(*found.counts.bad)
    allowed = (1 - found.objective.target) * total
    yield ledger(
        [
            ("requests", _amount(total)),
            ("failed", _amount(bad)),
            (f"allowed, 100 % - {percent(found.objective.target)} of the requests", _amount(allowed)),
            ("attained, 1 - failed / requests", _percent(found.said.ratios.attained)),
            ("target", percent(found.objective.target)),
        ]
    )


def _verdict_on_requests(period: PeriodExplanation) -> Iterator[RenderableType]:
    yield Text(
        _if_it_ended(period)
        + {
            Outcome.NOT_APPLICABLE: "There were no requests, so there is nothing to judge: not applicable.",
            Outcome.MET: "No more failed than is allowed: met.",
            Outcome.MISSED: "More failed than is allowed: missed.",
        }[_requests(period).outcome]
    )


def _amount(requests: Fraction) -> str:
    """Whole, but where a border cut a bucket: then to six decimals."""
    whole, rest = divmod(round(requests * 10**6), 10**6)
    return f"{whole:,}.{rest:06}".rstrip("0").rstrip(".")


# Credits ------------------------------------------------------------------------------------------------------------


def _credit(period: PeriodExplanation) -> Iterator[RenderableType]:
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


# Statements ---------------------------------------------------------------------------------------------------------


def _revisions(period: PeriodExplanation) -> Iterator[RenderableType]:
    zone = period.found.agreement.zone
    for one in period.revisions:
        statement = one.statement
        said = [
            f"{statement.outcome.value.replace('_', ' ')}, attained {_percent(statement.ratios.attained)}"
        ]
        if statement.tickets is not None:
            said.append(f"{statement.tickets.met} met, {statement.tickets.missed} missed")
        if statement.requests is not None:
            total, bad = Fraction(*statement.requests.total), Fraction(*statement.requests.bad)
            said.append(f"{_amount(bad)} of {_amount(total)} failed")
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


NUMBERS = {"used", "target", "requests", "failed"}


def _table(columns: Sequence[str], lines: Sequence[Sequence[str | Text]]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), show_edge=False, header_style="italic")
    for name in columns:
        table.add_column(name, justify="right" if name in NUMBERS else "left")
    for line in lines:
        table.add_row(*line)
    return table


ATTAINMENT: tuple[Section, ...] = (
    ("What was promised", _promised_of_tickets),
    ("Cycles decided in the period", _cycles),
    ("Pending", _pending),
    ("Sum", _sum_of_tickets),
    ("Verdict", _verdict_on_tickets),
    ("Credit", _credit),
    ("Statements", _revisions),
)
REQUESTS: tuple[Section, ...] = (
    ("What was promised", _promised_of_requests),
    ("Requests that count", _dates_of_requests),
    ("Exclusions", _exclusions),
    ("Sum", _sum_of_requests),
    ("Verdict", _verdict_on_requests),
    ("Credit", _credit),
    ("Statements", _revisions),
)
AVAILABILITY: tuple[Section, ...] = (
    ("What was promised", _promised_of_service),
    ("Outages", _outages),
    ("Exclusions", _exclusions),
    ("Not measured", _unknown),
    ("Sum", _sum_of_service),
    ("Error budget", _budget),
    ("Ratios", _ratios),
    ("Verdict", _verdict_on_service),
    ("Credit", _credit),
    ("Statements", _revisions),
)
SECTIONS: dict[type[Explanation], tuple[Section, ...]] = {
    AttainmentExplanation: ATTAINMENT,
    AvailabilityExplanation: AVAILABILITY,
    RequestsExplanation: REQUESTS,
}
