"""What the page of a period of an availability objective says of its outages, budget and ratios."""

from collections.abc import Iterator

from rich.console import RenderableType
from rich.text import Text

from slamon.codec import format_seconds
from slamon.domain.agreement import (
    AvailabilityObjective,
    DegradedCountsAs,
    ExclusionsCountAs,
    UnknownCountsAs,
)
from slamon.domain.announcements import percent
from slamon.domain.availability import Rule as AvailabilityRule
from slamon.domain.explanations.of_availability import (
    AvailabilityExplanation,
    Cause,
    OutageStory,
    UnknownStory,
)
from slamon.domain.intervals import FOREVER
from slamon.domain.ticket_downtime import tickets_meant
from slamon.explain.exclusion_sections import EXCLUDED
from slamon.explain.gathering import PeriodExplanation
from slamon.explain.layout import indented, ledger
from slamon.explain.ticket_page import conditions
from slamon.explain.wording import (
    if_it_ended,
    lasting,
    lasting_about,
    listed,
    moment,
    percent_of,
    window_named,
)


def _availability(period: PeriodExplanation) -> AvailabilityExplanation:
    assert isinstance(period.found, AvailabilityExplanation)
    return period.found


UNKNOWN = {
    UnknownCountsAs.UNDETERMINED: "as neither up nor down: where it would decide, the verdict is undetermined",
    UnknownCountsAs.UP: "as up, where it would decide",
    UnknownCountsAs.DOWN: "as down, where it would decide",
}


def promised(period: PeriodExplanation) -> Iterator[RenderableType]:
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
        f"{objective.service} is up for {percent(objective.target)} of {window_named(objective.window)}, {hours}. Degraded "
        f"counts as {degraded}. {shorter}Excluded time {EXCLUDED[objective.exclusions_count_as]}. Time that nobody "
        f"measured counts {UNKNOWN[objective.unknown_counts_as]}.{by_tickets}"
    )


def _tickets(objective: AvailabilityObjective) -> str:
    meant = tickets_meant(objective)
    assert meant is not None, "tickets are downtime only where the agreement says which"
    return f"tickets with {', '.join(conditions(meant))}"


def outages(period: PeriodExplanation) -> Iterator[RenderableType]:
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


def unknown(period: PeriodExplanation) -> Iterator[RenderableType]:
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


def summed(period: PeriodExplanation) -> Iterator[RenderableType]:
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


def budget(period: PeriodExplanation) -> Iterator[RenderableType]:
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


def ratios(period: PeriodExplanation) -> Iterator[RenderableType]:
    found = _availability(period)
    counts, ratios = found.seconds, found.ratios
    unknown_too = counts.down + counts.unknown
    table = (
        ("attained, 1 - down / known", counts.down, counts.known, ratios.attained),
        ("best case, 1 - down / applicable", counts.down, counts.applicable, ratios.best_case),
        ("worst case, 1 - (down + unknown) / applicable", unknown_too, counts.applicable, ratios.worst_case),
    )
    lines = [
        (label, f"1 - {_seconds(part)} / {_seconds(whole)} = {percent_of(ratio)}")
        for label, part, whole, ratio in table
    ]
    coverage = f"{_seconds(counts.known)} / {_seconds(counts.applicable)} = {percent_of(ratios.coverage)}"
    yield ledger([*lines, ("coverage, known / applicable", coverage)])


def _seconds(duration: int) -> str:
    return f"{format_seconds(duration)} s"


def verdict(period: PeriodExplanation) -> Iterator[RenderableType]:
    found = _availability(period)
    target = percent(found.objective.target)
    as_agreed = found.objective.unknown_counts_as
    outcome = {
        UnknownCountsAs.UNDETERMINED: "undetermined",
        UnknownCountsAs.UP: "met",
        UnknownCountsAs.DOWN: "missed",
    }[as_agreed]
    yield Text(
        if_it_ended(period.found.said)
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
