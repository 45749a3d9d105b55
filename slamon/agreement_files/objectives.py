"""One entry of `spec.objectives` as an objective."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from slamon.agreement_files.findings import Report, closest, listed, quoted
from slamon.agreement_files.notations import (
    above_zero,
    days,
    duration,
    duration_by,
    name,
    one_of,
    percentage_up_to_100,
    target_share,
    whole_number,
    word,
)
from slamon.agreement_files.sections import RefusedError, Section
from slamon.domain.agreement import (
    DEFAULT_BURN_RATES,
    AlertName,
    Attainment,
    AvailabilityAlerts,
    AvailabilityObjective,
    BelowMinimum,
    BurnRatePair,
    DegradedCountsAs,
    ExclusionsCountAs,
    Measure,
    Objective,
    OnPriorityChange,
    OnReopen,
    Severity,
    Share,
    Step,
    StopOn,
    TicketFilter,
    TicketObjective,
    TimeLeft,
    UnknownCountsAs,
)
from slamon.domain.calendars import ALWAYS, Calendar
from slamon.domain.events import DAY, MINUTE
from slamon.domain.periods import TimeWindow, Unit

UNITS = {unit.value: unit for unit in Unit}
WINDOW = "{calendar: month}"
PARTIES = (
    "customer",
    "supplier",
    "third_party",
    "internal",
)  # the words slamon knows; authors may have their own

_MEASURES = {one.value: one for one in (Measure.FIRST_RESPONSE, Measure.RESOLUTION)}
_LATER_MEASURES = {
    one.value: "remove this objective until then" for one in (Measure.NEXT_REPLY, Measure.UPDATE)
}
_LATER_PRIORITY_CHANGES = {OnPriorityChange.RESET.value: "remove the line or write `carry`"}
_LATER_REOPENS = {
    one.value: "remove the line or write `continue`" for one in (OnReopen.IGNORE, OnReopen.NEW_CYCLE)
}
_SEVERITIES = {one.value: one for one in Severity}
_TICKET_ALERTS = (AlertName.TICKET_AT_RISK, AlertName.TICKET_BREACHED, AlertName.BREACHED)
_AVAILABILITY_ALERTS = (
    AlertName.OUTAGE_BUDGET,
    AlertName.BUDGET_BURN,
    AlertName.BREACHED,
    AlertName.MEASUREMENT_LOST,
)
_NOMINAL = {Unit.WEEK: 7 * DAY, Unit.MONTH: 30 * DAY, Unit.QUARTER: 90 * DAY, Unit.YEAR: 365 * DAY}
_KINDS = ("ticketClock", "availability")
_TICKET_CLOCK = "{measure: firstResponse, target: 15m}"
_AVAILABILITY = "{target: 99.9%, timeWindow: {calendar: month}}"


@dataclass(frozen=True, slots=True)
class Frame:
    """What the rest of the agreement, and the other files, say to its objectives."""

    calendars: Mapping[str, Calendar | None]  # None: written, but with a fault
    calendars_complete: bool  # False: a file could not be read, and may hold the missing one
    unit: Unit  # of periods, where the objective says none
    services: frozenset[str] | None  # None: all
    support_calendar: str | None
    report: Report

    def calendar(self, text: str) -> Calendar | None:
        if text == "always":
            return ALWAYS
        if text not in self.calendars and self.calendars_complete:
            known = ["always", *sorted(self.calendars)]
            meant = closest(text, known)
            question = f": did you mean {quoted(meant)}?" if meant else ""
            raise RefusedError(
                f"no calendar is named {quoted(text)}{question}",
                f"known are {listed(known)}; others need a document of `kind: Calendar` in the files that are read",
            )
        return self.calendars.get(text)

    def check_service(self, section: Section, key: str, services: frozenset[str]) -> None:
        """A promise about a service that the agreement does not list is allowed, and probably a slip."""
        for written in section.written(key):
            text = written.text
            if self.services is not None and text in services - self.services:
                meant = closest(text, self.services)
                self.report.advise(
                    written.at,
                    "service-not-listed",
                    f"the service {quoted(text)} is not among the agreement's `services`",
                    f"did you mean {quoted(meant)}?"
                    if meant
                    else f"listed are {listed(sorted(self.services))}",
                )


def read_objective(section: Section, frame: Frame) -> Objective | None:
    """None if there is a fault, which is in the report."""
    faults = len(frame.report.faults)
    called = section.required("name", name, "p1-response")
    kinds = [kind for kind in (*_KINDS, "requests") if section.has(kind)]
    section.not_built(
        "requests", "remove this objective until then; `availability` can judge the service by time"
    )
    objective: Objective | None = None
    if len(kinds) > 1:
        frame.report.fault(
            section.key_place(kinds[1]),
            f"one objective is either {' or '.join(map(quoted, kinds))}",
            "make an objective of its own, with its own name, out of each",
        )
        section.skip(*_KINDS, "service", "attainment", "severity")
    elif kinds == ["ticketClock"]:
        objective = _ticket_objective(called or "?", section, frame)
    elif kinds == ["availability"]:
        objective = _availability_objective(called or "?", section, frame)
    else:
        section.skip(*_KINDS, "service", "attainment", "severity")
        if not kinds and section.present and section.nothing_like(*_KINDS):
            frame.report.fault(
                section.at,
                "this objective promises nothing",
                f"add `ticketClock: {_TICKET_CLOCK}` or `availability: {_AVAILABILITY}`",
            )
    return None if called is None or len(frame.report.faults) > faults else objective


def _ticket_objective(called: str, section: Section, frame: Frame) -> TicketObjective | None:
    clock = section.child("ticketClock", _TICKET_CLOCK)
    service = section.optional("service", word, None, "billing-api")
    measure = clock.required("measure", one_of(_MEASURES, "measure", _LATER_MEASURES), "firstResponse")
    when = _ticket_filter(clock.child("when", "{priority: [P1]}"), service, section, frame)
    calendar = _calendar(clock, frame)
    target = clock.required("target", above_zero(duration_by(calendar)), "15m")
    pause_on = _pauses(clock.child("pauseWhile", "{waitingOn: [customer]}"), frame.report)
    stop_on = clock.optional(
        "stopOn", one_of({one.value: one for one in StopOn}, "end of a resolution"), StopOn.RESOLVED
    )
    carry = {OnPriorityChange.CARRY.value: OnPriorityChange.CARRY}
    on_change = clock.optional(
        "onPriorityChange", one_of(carry, "way to change", _LATER_PRIORITY_CHANGES), OnPriorityChange.CARRY
    )
    go_on = {OnReopen.CONTINUE.value: OnReopen.CONTINUE}
    on_reopen = clock.optional("onReopen", one_of(go_on, "way to reopen", _LATER_REOPENS), OnReopen.CONTINUE)
    if measure is Measure.FIRST_RESPONSE:
        for key in ("stopOn", "onReopen"):
            clock.misplaced(
                key,
                f"{quoted(key)} is for `measure: resolution` only",
                "remove the line: the first response is given once, and a reply or the end of the ticket stops it",
            )
    warn_at = clock.each("warnAt", _warn_step(calendar), example="[50%, 75%, 90%, -10m]") or ()
    _advise_on_clock(clock, calendar, target, warn_at, frame)
    attainment = _attainment(section.child("attainment", "{target: 95%}"), frame)
    severity = _severity(
        section.child("severity", "{SlaTicketAtRisk: warning}"), _TICKET_ALERTS, frame.report
    )
    if measure is None or target is None or calendar is None:
        return None
    if pause_on is None:
        pause_on = frozenset({"customer"}) if measure is Measure.RESOLUTION else frozenset()
    steps = sorted(
        warn_at, key=lambda step: step.of * target if isinstance(step, Share) else target - step.left
    )
    return TicketObjective(
        name=called,
        measure=measure,
        target=target,
        calendar=calendar,
        when=when,
        pause_on=pause_on,
        stop_on=stop_on,
        on_priority_change=on_change,
        on_reopen=on_reopen,
        warn_at=tuple(steps),
        attainment=attainment,
        severity=severity,
    )


def _ticket_filter(when: Section, service: str | None, section: Section, frame: Frame) -> TicketFilter:
    empty = "this would match no ticket"
    priority = when.each("priority", word, example="[P1]", empty=empty)
    services = when.each("service", word, example="[billing-api]", empty=empty)
    attributes = when.child("attributes", "{region: [eu]}")
    wanted = [(pair.key, attributes.values(pair, word, "[eu]")) for pair in attributes.pairs()]
    among = None if services is None else frozenset(services)
    if service is not None:
        frame.check_service(section, "service", frozenset({service}))
        if among is not None and service not in among:
            frame.report.fault(
                when.key_place("service"),
                f"no ticket can match: the objective is for the service {quoted(service)}",
                "remove one of the two",
            )
        among = frozenset({service})
    elif among is not None:
        frame.check_service(when, "service", among)
    return TicketFilter(
        priority=None if priority is None else frozenset(priority),
        service=among,
        attributes=tuple((key, frozenset(values)) for key, values in wanted if values),
    )


def _calendar(section: Section, frame: Frame) -> Calendar | None:
    if not section.has("calendar"):
        section.skip("calendar")
        return ALWAYS
    return section.required("calendar", frame.calendar, "always")


def _pauses(section: Section, report: Report) -> frozenset[str] | None:
    parties = section.each("waitingOn", word, example="[customer]")
    for party in section.written("waitingOn"):
        meant = closest(party.text, PARTIES)
        if meant is not None and party.text not in PARTIES:
            report.advise(
                party.at,
                "unusual-party",
                f"{quoted(party.text)} is not {quoted(meant)}: words are compared exactly with those in the events",
                f"write {quoted(meant)}, unless your tickets really say {quoted(party.text)}",
            )
    return None if parties is None else frozenset(parties)


def _warn_step(calendar: Calendar | None) -> Callable[[str], Step]:
    read_duration = above_zero(duration_by(calendar))

    def read(text: str) -> Step:
        if text.startswith("-"):
            return TimeLeft(read_duration(text[1:]), text)
        if not text.endswith("%") and text[-1:].isalpha():
            read_duration(text)
            raise RefusedError(
                f"{quoted(text)} of what?", f"time that is left is written with a minus: `-{text}`"
            )
        return Share(_above_nothing(percentage_up_to_100(text), text), text)

    return read


def _time_left_step(calendar: Calendar | None) -> Callable[[str], Step]:
    read_duration = above_zero(duration_by(calendar))

    def read(text: str) -> Step:
        if text.startswith("-"):
            raise RefusedError(
                f"{quoted(text)}: `timeLeft` is always what is left",
                f"write {quoted(text[1:])}, without the minus",
            )
        if not text.endswith("%") and text[-1:].isalpha():
            return TimeLeft(read_duration(text), text)
        return Share(_above_nothing(percentage_up_to_100(text), text), text)

    return read


def _above_nothing(share: Fraction, text: str) -> Fraction:
    if not share:
        raise RefusedError(f"{quoted(text)} is reached before anything begins", "write a share above `0%`")
    return share


def _advise_on_clock(
    clock: Section, calendar: Calendar | None, target: int | None, warn_at: tuple[Step, ...], frame: Frame
) -> None:
    for step, written in zip(
        warn_at, clock.written("warnAt"), strict=False
    ):  # none, if one could not be read
        if isinstance(step, TimeLeft) and target is not None and step.left >= target:
            frame.report.advise(
                written.at,
                "step-out-of-reach",
                f"{quoted(step.text)} is never announced: the whole target is not longer",
                "write less than the target, or a share such as `50%`",
            )
    for written in clock.written("target"):
        if calendar is not None and calendar.always and "bd" in written.text:
            frame.report.advise(
                written.at,
                "business-days-of-24-hours",
                f"with the calendar {quoted(calendar.name)} a business day has 24 hours",
                "name the calendar that is meant, or write the target in hours",
            )
    if not clock.has("calendar") and frame.support_calendar not in {None, "always"}:
        frame.report.advise(
            clock.at,
            "clock-without-calendar",
            f"this clock runs day and night, though support has the hours {quoted(frame.support_calendar or '')}",
            f"add `calendar: {frame.support_calendar}`, or `calendar: always` if that is meant",
        )


def time_window(section: Section, report: Report) -> TimeWindow | None:
    """None if the section is absent or has a fault."""
    unit = section.optional("calendar", one_of(UNITS, "period"), None)
    rolling = section.optional("rolling", days, None, "30d")
    both = section.has("calendar") and section.has("rolling")
    if both or (section.present and section.nothing_like("calendar", "rolling")):
        report.fault(
            section.key_place("rolling") if both else section.at,
            "a time window is either `calendar` or `rolling`" if both else "a time window of which length?",
            "write `{calendar: month}` or `{rolling: 30d}`",
        )
        return None
    return TimeWindow(unit=unit, rolling=rolling) if unit or rolling else None


def _attainment(section: Section, frame: Frame) -> Attainment:
    target = section.optional("target", target_share, Fraction(1), "95%")
    window = time_window(section.child("timeWindow", WINDOW), frame.report)
    minimum = section.optional("minimumTickets", whole_number, 0, "20")
    below = section.optional(
        "belowMinimum",
        one_of({one.value: one for one in BelowMinimum}, "way to judge few tickets"),
        BelowMinimum.ALLOW_ONE_MISS,
    )
    if section.has("belowMinimum") and not section.has("minimumTickets"):
        frame.report.fault(
            section.key_place("belowMinimum"),
            "`belowMinimum` says what holds below `minimumTickets`, which is missing",
            "add `minimumTickets: 20`, or remove the line",
        )
    return Attainment(target, window or TimeWindow(unit=frame.unit, rolling=None), minimum, below)


def _severity(section: Section, alerts: tuple[AlertName, ...], report: Report) -> dict[AlertName, Severity]:
    by_name = {alert.value: alert for alert in alerts}
    read_name = one_of(
        by_name,
        "alert of this objective",
        {AlertName.BREACH_FORECAST.value: "remove the line: nothing is forecast until then"},
    )
    severities = {}
    for pair in section.pairs():
        severity = section.value(pair, one_of(_SEVERITIES, "severity"), "warning")
        try:
            alert = read_name(pair.key)
        except RefusedError as refused:
            report.fault(pair.key_at, str(refused), refused.help)
            continue
        if severity is not None:
            severities[alert] = severity
    return severities


def _availability_objective(called: str, section: Section, frame: Frame) -> AvailabilityObjective | None:
    terms = section.child("availability", _AVAILABILITY)
    service = section.required("service", word, "billing-api")
    if service is not None:
        frame.check_service(section, "service", frozenset({service}))
    section.misplaced(
        "attainment",
        "`attainment` belongs to a `ticketClock`",
        "remove it: an availability has its `target` and `timeWindow` inside `availability`",
    )
    target = terms.required("target", target_share, "99.9%")
    window = time_window(terms.child("timeWindow", WINDOW, required=True), frame.report)
    calendar = _calendar(terms, frame)
    degraded = terms.optional(
        "degradedCountsAs",
        one_of({one.value: one for one in DegradedCountsAs}, "status"),
        DegradedCountsAs.UP,
    )
    unknown = terms.optional(
        "unknownCountsAs",
        one_of({one.value: one for one in UnknownCountsAs}, "way to count"),
        UnknownCountsAs.UNDETERMINED,
    )
    minimum = terms.optional("minimumOutage", duration, 0, "60s")
    exclusions = terms.optional(
        "exclusionsCountAs",
        one_of({one.value: one for one in ExclusionsCountAs}, "way to count"),
        ExclusionsCountAs.REMOVED,
    )
    terms.not_built("downWhile", "remove the line: only what monitors report counts as downtime until then")
    alerts = _alerts(
        terms.child("alerts", "{timeLeft: [50%, 25%, 10m]}"), calendar, target, window, terms, frame
    )
    severity = _severity(
        section.child("severity", "{SlaOutageBudget: critical}"), _AVAILABILITY_ALERTS, frame.report
    )
    if service is None or target is None or window is None or calendar is None:
        return None
    return AvailabilityObjective(
        name=called,
        service=service,
        target=target,
        window=window,
        calendar=calendar,
        degraded_counts_as=degraded,
        unknown_counts_as=unknown,
        minimum_outage=minimum,
        exclusions_count_as=exclusions,
        alerts=alerts,
        severity=severity,
    )


def _alerts(
    section: Section,
    calendar: Calendar | None,
    target: Fraction | None,
    window: TimeWindow | None,
    terms: Section,
    frame: Frame,
) -> AvailabilityAlerts:
    tables: dict[str, tuple[BurnRatePair, ...]] = {"default": DEFAULT_BURN_RATES, "none": ()}
    table = section.optional(
        "burnRates", one_of(tables, "table of burn rates"), DEFAULT_BURN_RATES, "default"
    )
    time_left = section.each("timeLeft", _time_left_step(calendar), example="[50%, 25%, 10m]") or ()
    alert_after = section.optional("alertAfter", duration, 2 * MINUTE, "2m")
    coverage = section.optional("coverageBelow", percentage_up_to_100, Fraction(9, 10), "90%")
    section.not_built("forecastAbove", "remove the line: nothing is forecast until then")
    pairs = table
    if target is not None and window is not None:
        pairs = tuple(pair for pair in table if within_reach(pair, target, window))
        left_out = [pair.step for pair in table if pair not in pairs]
        if left_out and (target < 1 or section.has("burnRates")):
            frame.report.advise(
                section.key_place("burnRates") if section.has("burnRates") else terms.key_place("target"),
                "burn-rate-out-of-reach",
                f"for this target and time window {listed(left_out)} of the burn rates "
                f"{'is' if len(left_out) == 1 else 'are'} left out: out of reach, or below the average the target allows",
                "nothing to do, or write `alerts: {burnRates: none}` to have none at all",
            )
    return AvailabilityAlerts(pairs, time_left, alert_after, coverage)


def within_reach(pair: BurnRatePair, target: Fraction, window: TimeWindow) -> bool:
    """Whether the pair can tell anything: its threshold lies between even use of the budget and a full outage,
    and its long window fits into the period twice. Calendar periods have their nominal length here."""
    period = _NOMINAL[window.unit] if window.unit else window.rolling
    assert period is not None
    factor = pair.share * period / pair.long
    return target < 1 and 1 <= factor <= 1 / (1 - target) and pair.long * 2 <= period
