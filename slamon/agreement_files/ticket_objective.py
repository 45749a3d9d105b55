"""A promise about tickets, from the objective's `ticketClock` and `attainment`."""

from collections.abc import Callable
from fractions import Fraction

from slamon.agreement_files.findings import Report, closest, quoted
from slamon.agreement_files.frame import (
    WINDOW,
    Frame,
    calendar_of,
    is_time,
    severities,
    share_step,
    time_window,
)
from slamon.agreement_files.notations import above_zero, duration_by, one_of, target_share, whole_number, word
from slamon.agreement_files.sections import RefusedError, Section
from slamon.domain.agreement import (
    AlertName,
    Attainment,
    BelowMinimum,
    Measure,
    OnPriorityChange,
    OnReopen,
    Share,
    Step,
    StopOn,
    TicketFilter,
    TicketObjective,
    TimeLeft,
)
from slamon.domain.calendars import Calendar
from slamon.domain.periods import TimeWindow

TICKET_CLOCK = "{measure: firstResponse, target: 15m}"
PARTIES = (
    "customer",
    "supplier",
    "third_party",
    "internal",
)  # the words slamon knows; authors may have their own

_MEASURES = {one.value: one for one in Measure}
_PRIORITY_CHANGES = {one.value: one for one in OnPriorityChange}
_REOPENS = {one.value: one for one in OnReopen}
_TICKET_ALERTS = (AlertName.TICKET_AT_RISK, AlertName.TICKET_BREACHED, AlertName.BREACHED)


def read_ticket_objective(called: str, section: Section, frame: Frame) -> TicketObjective | None:
    clock = section.child("ticketClock", TICKET_CLOCK)
    service = section.optional("service", word, None, "billing-api")
    measure = clock.required("measure", one_of(_MEASURES, "measure"), "firstResponse")
    when = ticket_filter(clock.child("when", "{priority: [P1]}"), service, section, frame)
    calendar = calendar_of(clock, frame)
    target = clock.required("target", above_zero(duration_by(calendar)), "15m")
    pause_on = _pauses(clock.child("pauseWhile", "{waitingOn: [customer]}"), frame.report)
    stop_on = clock.optional(
        "stopOn", one_of({one.value: one for one in StopOn}, "end of a resolution"), StopOn.RESOLVED
    )
    on_change = clock.optional(
        "onPriorityChange", one_of(_PRIORITY_CHANGES, "way to change"), OnPriorityChange.CARRY
    )
    on_reopen = clock.optional("onReopen", one_of(_REOPENS, "way to reopen"), OnReopen.CONTINUE)
    if measure is not None and measure is not Measure.RESOLUTION:
        _refuse_ends(clock, measure, frame.report)
    warn_at = clock.each("warnAt", _warn_step(calendar), example="[50%, 75%, 90%, -10m]") or ()
    _advise_on_clock(clock, calendar, target, warn_at, frame)
    attainment = _attainment(section.child("attainment", "{target: 95%}"), frame)
    severity = severities(
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


def _refuse_ends(clock: Section, measure: Measure, report: Report) -> None:
    """A reply is given once, by a reply or the end of the ticket; what it is by default may be said."""
    for key, default in (("stopOn", StopOn.RESOLVED.value), ("onReopen", OnReopen.CONTINUE.value)):
        for written in clock.written(key):
            message = f"{quoted(key)} is for `measure: resolution`, it means nothing here"
            if written.text == default:
                report.advise(written.at, "without-effect", message, "remove the line")
            else:
                report.fault(written.at, message, f"remove the line: {_ENDS[measure]}")


_ENDS = {
    Measure.FIRST_RESPONSE: "the first response is given once",
    Measure.NEXT_REPLY: "each question of the customer begins a cycle of its own",
    Measure.UPDATE: "each reply begins a cycle of its own, and so does reopening",
}


def ticket_filter(when: Section, service: str | None, section: Section, frame: Frame) -> TicketFilter:
    """`service`: what the objective in `section` says to be for; None if it does not restrict its tickets."""
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


def _pauses(section: Section, report: Report) -> frozenset[str] | None:
    parties = section.each("waitingOn", word, example="[customer]", required=True)
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
        if is_time(text):
            read_duration(text)
            raise RefusedError(
                f"{quoted(text)} of what?", f"time that is left is written with a minus: `-{text}`"
            )
        return share_step(text)

    return read


def _advise_on_clock(
    clock: Section, calendar: Calendar | None, target: int | None, warn_at: tuple[Step, ...], frame: Frame
) -> None:
    steps = {step.text: step for step in warn_at}
    for written in clock.written("warnAt"):
        step = steps.get(written.text)
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
