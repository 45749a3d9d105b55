"""A document of kind Agreement as the model of the domain."""

from datetime import date, timedelta

from slamon.agreement_files.calendar_document import zone
from slamon.agreement_files.findings import Report, quoted
from slamon.agreement_files.frame import UNITS, Frame
from slamon.agreement_files.notations import (
    above_zero,
    day,
    duration,
    free_text,
    name,
    one_of,
    time_of_day,
    word,
    yes_or_no,
)
from slamon.agreement_files.objectives import read_objective
from slamon.agreement_files.remedies import read_escalation, read_remedies
from slamon.agreement_files.sections import Section
from slamon.domain.agreement import (
    Agreement,
    Cap,
    Contact,
    ExclusionTerm,
    Reporting,
    Schedule,
    Service,
)
from slamon.domain.calendars import Calendar
from slamon.domain.events import DAY, ExclusionReason
from slamon.domain.intervals import FOREVER
from slamon.domain.periods import Unit, local_midnight
from slamon.domain.schedules import check_rule

_REASONS = {one.value: one for one in ExclusionReason}
_LIABILITY = ("indemnification", "notes")
_SCHEDULE = '{rrule: "FREQ=WEEKLY;BYDAY=SU", at: "02:00", duration: 2h}'


def read_agreement(
    called: str | None,
    display_name: str,
    spec: Section,
    calendars: dict[str, Calendar | None],
    report: Report,
    *,
    calendars_complete: bool,
) -> Agreement | None:
    """None if there is a fault, which is in the report."""
    faults = len(report.faults)
    customer = spec.required("customer", word, "acme")
    time_zone = spec.optional("timeZone", zone, "UTC", "Europe/Berlin")
    effective = _effective(spec.child("effective", "{from: 2026-01-01}", required=True), report)
    services = _services(spec, report)
    support = spec.child("support", "{contacts: [{role: service manager, email: sla@example.com}]}")
    support_calendar = support.optional("calendar", word, None, "always")
    contacts = _contacts(support, report)
    escalation = read_escalation(support)
    reporting = _reporting(spec.child("reporting", "{period: month}"), report)
    frame = Frame(
        calendars=calendars,
        calendars_complete=calendars_complete,
        unit=reporting.unit,
        services=None if not services else frozenset(service.name for service in services),
        support_calendar=support_calendar,
        report=report,
    )
    if support_calendar is not None:
        support.optional("calendar", frame.calendar, None, "always")
    entries = spec.children("objectives", "{name: p1-response, ticketClock: {…}}", required=True)
    _refuse_same_names(entries, "objective", report)
    objectives = [read_objective(entry, frame) for entry in entries]
    exclusions = _exclusions(spec, frame)
    counts_tickets = {
        written.text: entry.has("ticketClock") for entry in entries for written in entry.written("name")
    }
    remedies = read_remedies(
        spec.child("remedies", '{fee: {amount: "12000.00", currency: EUR, per: month}, credits: […]}'),
        counts_tickets,
        report,
    )
    liability = spec.child("liability", '{indemnification: "§ 7"}')
    clauses = {key: liability.optional(key, free_text, "") for key in _LIABILITY}
    promised = [objective for objective in objectives if objective is not None]
    if called is None or customer is None or effective is None or len(report.faults) > faults:
        return None
    first, last = effective
    return Agreement(
        name=called,
        customer=customer,
        zone=time_zone,
        start=local_midnight(time_zone, first),
        end=FOREVER if last is None else local_midnight(time_zone, last + timedelta(days=1)),
        first_day=first,
        objectives=tuple(promised),
        display_name=display_name,
        services=services,
        exclusions=tuple(term for term in exclusions if term is not None),
        contacts=contacts,
        escalation=escalation,
        remedies=remedies,
        reporting=reporting,
        liability={key: text for key, text in clauses.items() if text},
    )


def _effective(section: Section, report: Report) -> tuple[date, date | None] | None:
    first = section.required("from", day, "2026-01-01")
    last = section.optional("to", day, None, "2026-12-31")
    if first is not None and last is not None and last < first:
        report.fault(
            section.written("to")[0].at,
            f"the agreement ends on {last}, before it begins on {first}",
            "`to` is the last day; leave it out for an open end",
        )
        return None
    return None if first is None else (first, last)


def _services(spec: Section, report: Report) -> tuple[Service, ...] | None:
    """None: not written, every service is covered."""
    entries = spec.children("services", "{name: billing-api}")
    _refuse_same_names(entries, "service", report)
    services = []
    for entry in entries:
        called = entry.required("name", word, "billing-api")
        description = entry.optional("description", free_text, "")
        if called is not None:
            services.append(Service(called, description))
    return tuple(services) if spec.has("services") else None


def _contacts(support: Section, report: Report) -> tuple[Contact, ...]:
    contacts = []
    for entry in support.children("contacts", "{role: service manager, email: sla@example.com}"):
        role = entry.required("role", free_text, "service manager")
        email = entry.optional("email", free_text, None)
        phone = entry.optional("phone", free_text, None)
        if entry.present and not entry.has("phone") and entry.nothing_like("email", "phone"):
            report.fault(entry.at, "a contact that cannot be reached", "add `email: …` or `phone: …`")
        if role is not None:
            contacts.append(Contact(role, email, phone))
    return tuple(contacts)


def _reporting(section: Section, report: Report) -> Reporting:
    unit = section.optional("period", one_of(UNITS, "period"), Unit.MONTH)
    settle_after = section.optional("settleAfter", duration, DAY, "24h")
    if section.optional("portal", yes_or_no, default=False):
        report.fault(
            section.key_place("portal"),
            "`portal: true` is not built yet",
            "remove the line: there are no pages for customers until then",
        )
    return Reporting(unit, settle_after)


def _exclusions(spec: Section, frame: Frame) -> tuple[ExclusionTerm | None, ...]:
    entries = spec.children("exclusions", "{name: maintenance, reason: maintenance, declared: true}")
    _refuse_same_names(entries, "exclusion", frame.report)
    return tuple(_exclusion(entry, frame) for entry in entries)


def _exclusion(entry: Section, frame: Frame) -> ExclusionTerm | None:
    called = entry.required("name", name, "sunday-maintenance")
    reason = entry.required("reason", one_of(_REASONS, "reason"), "maintenance")
    schedule = _schedule(entry.child("schedule", _SCHEDULE))
    declared = entry.optional("declared", yes_or_no, default=False)
    notice = entry.optional("notice", duration, None, "72h")
    most = entry.child("atMost", "{duration: 8h, per: month}")
    longest = most.required("duration", above_zero(duration), "8h")
    per = most.required("per", one_of(UNITS, "period"), "month")
    services = entry.each(
        "services", word, example="[billing-api]", empty="remove the line, if the entry is for every service"
    )
    clause = entry.optional("clause", free_text, None)
    if services is not None:
        frame.check_service(entry, "services", frozenset(services))
    if declared and entry.has("schedule"):
        frame.report.fault(
            entry.key_place("declared"),
            "an exclusion is either scheduled here or declared by events",
            "remove `schedule` or `declared`, or make two entries of it",
        )
    if entry.present and not entry.has("declared") and entry.nothing_like("schedule", "declared"):
        frame.report.fault(
            entry.at,
            "when does this exclusion apply?",
            f"add `schedule: {_SCHEDULE}`, or `declared: true` if events announce it",
        )
    if entry.has("declared") and not declared and not entry.has("schedule"):
        _refuse_undeclared(entry, frame.report)
    if entry.has("notice") and entry.has("schedule") and not declared:
        frame.report.fault(
            entry.key_place("notice"),
            "`notice` is for declared exclusions only: the schedule is notice enough",
            "remove the line",
        )
    if called is None or reason is None:
        return None
    cap = None if longest is None or per is None else Cap(longest, per)
    return ExclusionTerm(
        name=called,
        reason=reason,
        schedule=schedule,
        notice=notice,
        cap=cap,
        services=None if not services else frozenset(services),
        clause=clause,
    )


def _refuse_undeclared(entry: Section, report: Report) -> None:
    if [written.text for written in entry.written("declared")] == ["false"]:
        report.fault(
            entry.key_place("declared"),
            "this exclusion never applies: it is neither scheduled nor declared",
            f"write `declared: true`, or add `schedule: {_SCHEDULE}`",
        )


def _schedule(section: Section) -> Schedule | None:
    def rule(text: str) -> str:
        check_rule(text)
        return text

    recurs = section.required("rrule", rule, '"FREQ=WEEKLY;BYDAY=SU"')
    minute = section.required("at", time_of_day, '"02:00"')
    length = section.required("duration", above_zero(duration), "2h")
    return None if recurs is None or minute is None or length is None else Schedule(recurs, minute, length)


def _refuse_same_names(entries: list[Section], what: str, report: Report) -> None:
    lines: dict[str, int] = {}
    for entry in entries:
        for written in entry.written("name"):
            if written.text and written.text in lines:
                report.fault(
                    written.at,
                    f"another {what} in line {lines[written.text]} is named {quoted(written.text)} too",
                    "give each its own name",
                )
            lines.setdefault(written.text, written.at.line)
