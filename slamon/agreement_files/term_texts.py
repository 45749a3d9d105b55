"""Every term of an agreement as text, by path: what two states of it are compared by.

The tables below say for each key how it is told and whether it judges: whether another value can give another verdict,
ratio or credit. Contacts, descriptions and what only warns do not.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from slamon.agreement_files import wording
from slamon.domain.agreement import (
    Agreement,
    AvailabilityObjective,
    Bands,
    Contact,
    CreditTerm,
    Fee,
    Objective,
    PerMiss,
    RequestsObjective,
    Schedule,
    Step,
    TicketFilter,
    TicketObjective,
)
from slamon.domain.calendars import ALWAYS, WEEKDAYS, Calendar
from slamon.domain.terms import time_window

NONE = "none"  # where nothing is written


class Term(NamedTuple):
    text: str
    judges: bool
    about: frozenset[str] | None  # names of the objectives it is about; None: all


class _Key(NamedTuple):
    path: str
    read: Callable[[Any], str | None]  # None: as if it were not there
    judges: bool = True


def _listing(words: Iterable[str]) -> str:
    return f"[{', '.join(words)}]"


def _filter(wanted: TicketFilter) -> str:
    named = [("priority", wanted.priority), ("service", wanted.service), *wanted.attributes]
    parts = [f"{key}: {_listing(sorted(values))}" for key, values in named if values is not None]
    return f"{{{', '.join(parts)}}}" if parts else "every ticket"


def _steps(steps: Iterable[Step]) -> str:
    return _listing(step.text for step in steps)


def _severity(objective: Objective | RequestsObjective) -> str:
    return _listing(f"{alert.value}: {severity.value}" for alert, severity in objective.severity.items())


def _hours_on(weekday: int) -> Callable[[Any], str]:
    def clock(minute: int) -> str:
        return f"{minute // 60:02}:{minute % 60:02}"

    def read(terms: Any) -> str:
        spans = [f"{clock(opening)}-{clock(closing)}" for opening, closing in terms.hours[weekday]]
        return ", ".join(spans) or "closed"

    return read


def _optional(value: Any, read: Callable[[Any], str]) -> str | None:
    return None if value is None else read(value)


_TICKETS = (
    _Key("ticketClock.measure", lambda one: one.measure.value),
    _Key("ticketClock.when", lambda one: _filter(one.when)),
    _Key("ticketClock.calendar", lambda one: one.calendar.name),
    _Key("ticketClock.target", lambda one: wording.duration(one.target)),
    _Key("ticketClock.pauseWhile.waitingOn", lambda one: _listing(sorted(one.pause_on))),
    _Key("ticketClock.stopOn", lambda one: one.stop_on.value),
    _Key("ticketClock.onPriorityChange", lambda one: one.on_priority_change.value),
    _Key("ticketClock.onReopen", lambda one: one.on_reopen.value),
    _Key("ticketClock.warnAt", lambda one: _steps(one.warn_at), judges=False),
    _Key("attainment.target", lambda one: wording.share(one.attainment.target)),
    _Key("attainment.timeWindow", lambda one: wording.window(one.attainment.window)),
    _Key("attainment.minimumTickets", lambda one: str(one.attainment.minimum_tickets)),
    _Key("attainment.belowMinimum", lambda one: one.attainment.below_minimum.value),
    _Key("severity", _severity, judges=False),
)
_AVAILABILITY = (
    _Key("service", lambda one: one.service),
    _Key("availability.target", lambda one: wording.share(one.target)),
    _Key("availability.timeWindow", lambda one: wording.window(one.window)),
    _Key("availability.calendar", lambda one: one.calendar.name),
    _Key("availability.degradedCountsAs", lambda one: one.degraded_counts_as.value),
    _Key("availability.unknownCountsAs", lambda one: one.unknown_counts_as.value),
    _Key("availability.minimumOutage", lambda one: wording.duration(one.minimum_outage)),
    _Key("availability.exclusionsCountAs", lambda one: one.exclusions_count_as.value),
    _Key("availability.downWhile", lambda one: _optional(one.down_while, _filter)),
    _Key("availability.alerts.burnRates", lambda one: _pairs(one.alerts.burn_rates), judges=False),
    _Key("availability.alerts.timeLeft", lambda one: _steps(one.alerts.time_left), judges=False),
    _Key(
        "availability.alerts.alertAfter", lambda one: wording.duration(one.alerts.alert_after), judges=False
    ),
    _Key(
        "availability.alerts.coverageBelow",
        lambda one: wording.share(one.alerts.coverage_below),
        judges=False,
    ),
    _Key("severity", _severity, judges=False),
)
_REQUESTS = (
    _Key("service", lambda one: one.service),
    _Key("requests.target", lambda one: wording.share(one.target)),
    _Key("requests.timeWindow", lambda one: wording.window(one.window)),
    _Key("requests.calendar", lambda one: one.calendar.name),
    _Key("requests.exclusionsCountAs", lambda one: one.exclusions_count_as.value),
    _Key("requests.alerts.burnRates", lambda one: _pairs(one.burn_rates), judges=False),
    _Key("severity", _severity, judges=False),
)
_EXCLUSION = (
    _Key("reason", lambda one: one.reason.value),
    _Key("schedule", lambda one: _optional(one.schedule, _schedule)),
    _Key("declared", lambda one: "true" if one.schedule is None else None),
    _Key("notice", lambda one: _optional(one.notice, wording.duration)),
    _Key(
        "atMost",
        lambda one: _optional(one.cap, lambda cap: f"{wording.duration(cap.duration)} per {cap.per.value}"),
    ),
    _Key("services", lambda one: _listing(sorted(one.services)) if one.services else "all"),
    _Key("clause", lambda one: one.clause, judges=False),
)
_AGREEMENT = (
    _Key("metadata.displayName", lambda one: one.display_name or None, judges=False),
    _Key("effective.from", lambda one: str(one.first_day)),
    _Key("effective.to", lambda one: str(wording.last_day(one) or "open")),
    _Key("timeZone", lambda one: one.zone),
    _Key(
        "services", lambda one: _optional(one.services, lambda found: _listing(each.name for each in found))
    ),
    _Key(
        "liability",
        lambda one: _listing(f"{key}: {text}" for key, text in one.liability.items()),
        judges=False,
    ),
)
_REMEDIES = (
    _Key("fee", lambda one: _optional(one.fee, _fee)),
    _Key("cap", lambda one: _optional(one.cap, wording.share)),
    _Key("claimWithin", lambda one: _optional(one.claim_within, wording.days)),
)
_OF_OBJECTIVE = {
    TicketObjective: _TICKETS,
    AvailabilityObjective: _AVAILABILITY,
    RequestsObjective: _REQUESTS,
}
_GOVERNS = (".ticketClock.measure", ".ticketClock.when")
_CALENDAR = (
    _Key("timeZone", lambda terms: terms.zone),
    *(_Key(f"hours.{day}", _hours_on(weekday)) for weekday, day in enumerate(WEEKDAYS)),
    _Key("holidays.country", lambda terms: terms.country),
    _Key("holidays.subdivision", lambda terms: terms.subdivision),
    _Key("holidays.except", lambda terms: _listing(map(str, sorted(terms.opened)))),
    _Key("holidays.also", lambda terms: _listing(map(str, sorted(terms.closed)))),
)


def _pairs(pairs: Iterable[Any]) -> str:
    return _listing(
        f"{pair.step} {wording.share(pair.share)} in {wording.duration(pair.long)}" for pair in pairs
    )


def _fee(fee: Fee) -> str:
    return f"{wording.decimal(fee.amount)} {fee.currency} per {fee.per.value}"


def _schedule(schedule: Schedule) -> str:
    hour, minute = divmod(schedule.minute, 60)
    return f"{schedule.rule} at {hour:02}:{minute:02} for {wording.duration(schedule.duration)}"


def _credit(term: CreditTerm) -> str:
    cap = "" if term.cap is None else f" up to {wording.share(term.cap)}"
    match term.by:
        case Bands():
            return (
                ", ".join(
                    f"{wording.share(band.credit)} below {wording.share(band.below)}"
                    for band in term.by.bands
                )
                + cap
            )
        case PerMiss():
            return f"{wording.share(term.by.credit)} for each miss{cap}"
        case _:
            return f"{wording.share(term.by.percent_per_point / 100)} for each point{cap}"


def terms_of(agreement: Agreement) -> Iterator[tuple[str, Term]]:
    """Everything an agreement says, in the order of its document."""
    tickets = frozenset(one.name for one in agreement.objectives if isinstance(one, TicketObjective))
    timed = frozenset(one.name for one in agreement.objectives) - tickets
    yield from _read(_AGREEMENT, agreement, "", None)
    for role, reached in _contacts(agreement.contacts).items():
        yield f"support.contacts[{role}]", Term("; ".join(reached), judges=False, about=None)
    for escalation in agreement.escalation:
        at = f"support.escalation[{escalation.to} after {escalation.after.text}]"
        yield at, Term("told", judges=False, about=None)
    for service in agreement.services or ():
        text = service.description or NONE
        yield f"services[{service.name}].description", Term(text, judges=False, about=tickets)
    rolling = frozenset(one.name for one in agreement.objectives if time_window(one).rolling is not None)
    # What is judged by default in the reporting period changes its own time window, too.
    yield "reporting.period", Term(agreement.reporting.unit.value, judges=True, about=rolling)
    settle_after = wording.duration(agreement.reporting.settle_after)
    yield "reporting.settleAfter", Term(settle_after, judges=True, about=frozenset())
    for calendar, used_by in _calendars(agreement):
        yield from _read(_CALENDAR, calendar.made_of, f"calendars[{calendar.name}].", used_by)
    of_measure: dict[str, list[str]] = {}
    for objective in agreement.objectives:
        if isinstance(objective, TicketObjective):
            of_measure.setdefault(objective.measure.value, []).append(objective.name)
    for measure, names in of_measure.items():
        yield f"objectives of {measure}, in order", Term(_listing(names), judges=True, about=frozenset(names))
    for objective in agreement.objectives:
        above = f"objectives[{objective.name}]."
        of_same = (
            of_measure[objective.measure.value]
            if isinstance(objective, TicketObjective)
            else [objective.name]
        )
        for path, term in _read(
            _OF_OBJECTIVE[type(objective)], objective, above, frozenset({objective.name})
        ):
            # Whom a filter lets through falls to the objectives after it.
            yield path, term._replace(about=frozenset(of_same)) if path.endswith(_GOVERNS) else term
    for exclusion in agreement.exclusions:
        yield from _read(_EXCLUSION, exclusion, f"exclusions[{exclusion.name}].", timed)
    yield from _remedies(agreement)


def _contacts(contacts: Iterable[Contact]) -> dict[str, list[str]]:
    """How people are reached, by their role."""
    by_role: dict[str, list[str]] = {}
    for one in contacts:
        ways = [f"{way} {to}" for way, to in (("email", one.email), ("phone", one.phone)) if to]
        by_role.setdefault(one.role, []).append(", ".join(ways))
    return by_role


def _read(
    keys: Iterable[_Key], of: object, above: str, about: frozenset[str] | None
) -> Iterator[tuple[str, Term]]:
    for key in keys:
        text = key.read(of)
        yield above + key.path, Term(NONE if text is None else text, key.judges, about)


def _calendars(agreement: Agreement) -> Iterator[tuple[Calendar, frozenset[str]]]:
    used: dict[str, list[Objective]] = {}
    for objective in agreement.objectives:
        if objective.calendar is not ALWAYS:
            used.setdefault(objective.calendar.name, []).append(objective)
    for objectives in used.values():
        yield objectives[0].calendar, frozenset(one.name for one in objectives)


def _remedies(agreement: Agreement) -> Iterator[tuple[str, Term]]:
    remedies = agreement.remedies
    if remedies is None:
        return
    paid = frozenset(term.objective for term in remedies.credits)
    yield from _read(_REMEDIES, remedies, "remedies.", paid)
    for name in dict.fromkeys(term.objective for term in remedies.credits):
        said = "; ".join(_credit(term) for term in remedies.credits if term.objective == name)
        yield f"remedies.credits[{name}]", Term(said, judges=True, about=frozenset({name}))
