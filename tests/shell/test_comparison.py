"""What differs between two states of an agreement: every term of the domain has its words, and says whether it judges."""

from dataclasses import dataclass, fields, replace
from datetime import date
from fractions import Fraction
from typing import Any

import pytest

from slamon.agreement_files.comparison import Difference, Kind, compare
from slamon.agreement_files.findings import Place, Report
from slamon.agreement_files.hints import Document
from slamon.agreement_files.sections import Section
from slamon.domain.agreement import (
    Agreement,
    AlertName,
    Attainment,
    AvailabilityAlerts,
    AvailabilityObjective,
    Band,
    Bands,
    BelowMinimum,
    Cap,
    Contact,
    CreditTerm,
    DegradedCountsAs,
    Escalation,
    ExclusionsCountAs,
    ExclusionTerm,
    Fee,
    Linear,
    Measure,
    OnPriorityChange,
    OnReopen,
    PerMiss,
    Remedies,
    Reporting,
    Schedule,
    Service,
    Severity,
    Share,
    StopOn,
    TicketFilter,
    TicketObjective,
    TimeLeft,
    UnknownCountsAs,
)
from slamon.domain.calendars import ALWAYS, Calendar
from slamon.domain.events import DAY, HOUR, MINUTE, ExclusionReason
from slamon.domain.intervals import FOREVER
from slamon.domain.periods import TimeWindow, Unit, local_midnight

OFFICE = Calendar.weekly("office", "UTC", {0: [(540, 1020)]})
HALF = Share(Fraction(1, 2), "50%")
MONTH, YEAR = TimeWindow(Unit.MONTH, None), TimeWindow(Unit.YEAR, None)
FIRST = date(2026, 1, 1)
FIX = TicketObjective("fix", Measure.RESOLUTION, HOUR, ALWAYS)
UP = AvailabilityObjective("up", "api", Fraction(999, 1000), MONTH, ALWAYS)
EXCLUSION = ExclusionTerm("maintenance", ExclusionReason.MAINTENANCE)
REMEDIES = Remedies((CreditTerm("fix", PerMiss(Fraction(1, 100))),))
AGREEMENT = Agreement(
    name="acme",
    customer="acme",
    zone="UTC",
    start=local_midnight("UTC", FIRST),
    end=FOREVER,
    first_day=FIRST,
    objectives=(FIX, UP),
    exclusions=(EXCLUSION,),
    remedies=REMEDIES,
    services=(Service("api"),),
)


def document(agreement: Agreement) -> Document:
    return Document(agreement, Section(None, Place("acme.yaml", 5, 1, "spec"), Report()))


def differences(old: list[Agreement], new: list[Agreement], on: date = date(2026, 3, 15)) -> list[Difference]:
    return compare([document(one) for one in old], [document(one) for one in new], lambda _: on)


@dataclass
class Edit:
    """Another value of a field, and the change it makes: path, old, new."""

    value: Any
    path: str
    old: str
    new: str
    judges: bool = True


# For each type of the domain all its fields but the name that keeps its place.
EDITS: dict[type, dict[str, Edit]] = {
    TicketObjective: {
        "measure": Edit(Measure.UPDATE, "ticketClock.measure", "resolution", "update"),
        "target": Edit(90 * MINUTE, "ticketClock.target", "1h", "1h30m"),
        "calendar": Edit(OFFICE, "ticketClock.calendar", "always", "office"),
        "when": Edit(
            TicketFilter(frozenset({"P2", "P1"}), attributes=(("region", frozenset({"eu"})),)),
            "ticketClock.when",
            "every ticket",
            "{priority: [P1, P2], region: [eu]}",
        ),
        "pause_on": Edit(frozenset({"customer"}), "ticketClock.pauseWhile.waitingOn", "[]", "[customer]"),
        "stop_on": Edit(StopOn.CLOSED, "ticketClock.stopOn", "resolved", "closed"),
        "on_priority_change": Edit(OnPriorityChange.RESET, "ticketClock.onPriorityChange", "carry", "reset"),
        "on_reopen": Edit(OnReopen.NEW_CYCLE, "ticketClock.onReopen", "continue", "newCycle"),
        "warn_at": Edit(
            (HALF, TimeLeft(MINUTE, "-1m")), "ticketClock.warnAt", "[]", "[50%, -1m]", judges=False
        ),
        "severity": Edit(
            {AlertName.BREACHED: Severity.INFO}, "severity", "[]", "[SlaBreached: info]", judges=False
        ),
    },
    Attainment: {
        "target": Edit(Fraction(955, 1000), "attainment.target", "100%", "95.5%"),
        "window": Edit(TimeWindow(None, 30 * DAY), "attainment.timeWindow", "month", "rolling 30d"),
        "minimum_tickets": Edit(20, "attainment.minimumTickets", "0", "20"),
        "below_minimum": Edit(
            BelowMinimum.NOT_APPLICABLE, "attainment.belowMinimum", "allowOneMiss", "notApplicable"
        ),
    },
    AvailabilityObjective: {
        "service": Edit("shop", "service", "api", "shop"),
        "target": Edit(Fraction(9995, 10000), "availability.target", "99.9%", "99.95%"),
        "window": Edit(YEAR, "availability.timeWindow", "month", "year"),
        "calendar": Edit(OFFICE, "availability.calendar", "always", "office"),
        "degraded_counts_as": Edit(DegradedCountsAs.DOWN, "availability.degradedCountsAs", "up", "down"),
        "unknown_counts_as": Edit(
            UnknownCountsAs.DOWN, "availability.unknownCountsAs", "undetermined", "down"
        ),
        "minimum_outage": Edit(MINUTE, "availability.minimumOutage", "0s", "1m"),
        "exclusions_count_as": Edit(ExclusionsCountAs.UP, "availability.exclusionsCountAs", "removed", "up"),
        "down_while": Edit(
            TicketFilter(service=frozenset({"api"})), "availability.downWhile", "none", "{service: [api]}"
        ),
        "severity": Edit(
            {AlertName.BREACHED: Severity.INFO}, "severity", "[]", "[SlaBreached: info]", judges=False
        ),
    },
    AvailabilityAlerts: {
        "burn_rates": Edit(
            (),
            "availability.alerts.burnRates",
            "[fast 2% in 1h, medium 5% in 6h, slow 10% in 24h, trickle 10% in 72h]",
            "[]",
            judges=False,
        ),
        "time_left": Edit((HALF,), "availability.alerts.timeLeft", "[]", "[50%]", judges=False),
        "alert_after": Edit(MINUTE, "availability.alerts.alertAfter", "2m", "1m", judges=False),
        "coverage_below": Edit(
            Fraction(1, 2), "availability.alerts.coverageBelow", "90%", "50%", judges=False
        ),
    },
    ExclusionTerm: {
        "reason": Edit(ExclusionReason.AGREED, "reason", "maintenance", "agreed"),
        "notice": Edit(72 * HOUR, "notice", "none", "72h"),
        "cap": Edit(Cap(8 * HOUR, Unit.MONTH), "atMost", "none", "8h per month"),
        "services": Edit(frozenset({"shop", "api"}), "services", "all", "[api, shop]"),
        "clause": Edit("§ 9", "clause", "none", "§ 9", judges=False),
    },
    Remedies: {
        "fee": Edit(
            Fee(Fraction("12000.50"), "EUR", Unit.MONTH), "remedies.fee", "none", "12000.5 EUR per month"
        ),
        "cap": Edit(Fraction(1), "remedies.cap", "none", "100%"),
        "claim_within": Edit(30 * DAY, "remedies.claimWithin", "none", "30d"),
    },
    CreditTerm: {
        "by": Edit(
            Bands((Band(Fraction(99, 100), Fraction(1, 10)), Band(Fraction(95, 100), Fraction(1)))),
            "remedies.credits[fix]",
            "1% for each miss",
            "10% below 99%, 100% below 95%",
        ),
        "cap": Edit(
            Fraction(15, 100), "remedies.credits[fix]", "1% for each miss", "1% for each miss up to 15%"
        ),
    },
    Reporting: {
        "unit": Edit(Unit.QUARTER, "reporting.period", "month", "quarter"),
        "settle_after": Edit(2 * DAY, "reporting.settleAfter", "24h", "48h"),
    },
    Service: {
        "description": Edit("Invoices", "services[api].description", "none", "Invoices", judges=False),
    },
    Agreement: {
        "zone": Edit("Europe/Berlin", "timeZone", "UTC", "Europe/Berlin"),
        "end": Edit(local_midnight("UTC", date(2026, 3, 1)), "effective.to", "open", "2026-02-28"),
        "first_day": Edit(date(2026, 1, 2), "effective.from", "2026-01-01", "2026-01-02"),
        "display_name": Edit("ACME", "metadata.displayName", "none", "ACME", judges=False),
        "services": Edit((Service("api"), Service("shop")), "services", "[api]", "[api, shop]"),
        "contacts": Edit(
            (Contact("boss", phone="1"),), "support.contacts[boss]", "none", "phone 1", judges=False
        ),
        "escalation": Edit(
            (Escalation(HALF, "boss"),), "support.escalation[boss after 50%]", "none", "told", judges=False
        ),
        "liability": Edit({"notes": "none"}, "liability", "[]", "[notes: none]", judges=False),
    },
}
# Fields that are edited as types of their own, or that say what is compared with what.
ELSEWHERE = {
    (TicketObjective, "attainment"),
    (AvailabilityObjective, "alerts"),
    (Remedies, "credits"),
    (CreditTerm, "objective"),
    (ExclusionTerm, "schedule"),
    (Agreement, "start"),
    *((Agreement, part) for part in ("customer", "objectives", "exclusions", "remedies", "reporting")),
}


def edited(kind: type, change: dict[str, Any]) -> tuple[Agreement, str]:
    """The agreement with another value in one of its parts, and the path above that part."""
    if kind is TicketObjective:
        return replace(AGREEMENT, objectives=(replace(FIX, **change), UP)), "objectives[fix]."
    if kind is Attainment:
        attainment = replace(FIX.attainment, **change)
        return replace(AGREEMENT, objectives=(replace(FIX, attainment=attainment), UP)), "objectives[fix]."
    if kind is AvailabilityObjective:
        return replace(AGREEMENT, objectives=(FIX, replace(UP, **change))), "objectives[up]."
    if kind is AvailabilityAlerts:
        alerts = replace(UP.alerts, **change)
        return replace(AGREEMENT, objectives=(FIX, replace(UP, alerts=alerts))), "objectives[up]."
    if kind is ExclusionTerm:
        return replace(AGREEMENT, exclusions=(replace(EXCLUSION, **change),)), "exclusions[maintenance]."
    if kind is Remedies:
        return replace(AGREEMENT, remedies=replace(REMEDIES, **change)), ""
    if kind is CreditTerm:
        credit = replace(REMEDIES.credits[0], **change)
        return replace(AGREEMENT, remedies=replace(REMEDIES, credits=(credit,))), ""
    if kind is Reporting:
        return replace(AGREEMENT, reporting=replace(AGREEMENT.reporting, **change)), ""
    if kind is Service:
        return replace(AGREEMENT, services=(replace(Service("api"), **change),)), ""
    return replace(AGREEMENT, **change), ""


CASES = [(kind, name, edit) for kind, edits in EDITS.items() for name, edit in edits.items()]


@pytest.mark.parametrize(
    ("kind", "name", "edit"), CASES, ids=[f"{kind.__name__}.{name}" for kind, name, _ in CASES]
)
def test_another_value_is_told_at_its_path_and_by_whether_it_judges(
    kind: type, name: str, edit: Edit
) -> None:
    new, above = edited(kind, {name: edit.value})
    (difference,) = differences([AGREEMENT], [new])
    told = {change.path: change for change in difference.changes}
    found = told[above + edit.path]
    assert (found.old, found.new, found.judges) == (edit.old, edit.new, edit.judges)
    assert difference.kind is (Kind.CORRECTION if edit.judges else Kind.WITHOUT_EFFECT)


@pytest.mark.parametrize("kind", EDITS, ids=lambda kind: kind.__name__)
def test_every_field_of_the_domain_has_an_edit(kind: type) -> None:
    keeping_its_place = set() if kind in {Remedies, Attainment, AvailabilityAlerts, Reporting} else {"name"}
    others = {name for owner, name in ELSEWHERE if owner is kind}
    names = {one.name for one in fields(kind)}
    assert names - keeping_its_place - others == set(EDITS[kind])


@pytest.mark.parametrize(
    ("by", "said"),
    [(Linear(Fraction(5)), "5% for each point"), (PerMiss(Fraction(1, 200)), "0.5% for each miss")],
)
def test_credits_are_told_in_words(by: Linear | PerMiss, said: str) -> None:
    remedies = Remedies((*REMEDIES.credits, CreditTerm("up", by)))
    (difference,) = differences([AGREEMENT], [replace(AGREEMENT, remedies=remedies)])
    assert [(one.path, one.old, one.new) for one in difference.changes] == [
        ("remedies.credits[up]", "none", said)
    ]
    assert [one.objective for one in difference.anew] == ["up"]


def test_a_schedule_is_told_in_words() -> None:
    schedule = Schedule("FREQ=WEEKLY;BYDAY=SU", 125, 2 * HOUR)
    new = replace(AGREEMENT, exclusions=(replace(EXCLUSION, schedule=schedule),))
    (difference,) = differences([AGREEMENT], [new])
    assert [(one.path, one.old, one.new) for one in difference.changes] == [
        ("exclusions[maintenance].schedule", "none", "FREQ=WEEKLY;BYDAY=SU at 02:05 for 2h"),
        ("exclusions[maintenance].declared", "true", "none"),
    ]
    assert [one.objective for one in difference.anew] == ["up"]  # exclusions touch no ticket


def test_the_hours_of_a_calendar_count_for_those_who_use_it() -> None:
    shorter = Calendar.weekly("office", "UTC", {0: [(540, 960)]}, also_dates=frozenset({date(2026, 12, 24)}))

    def with_hours(calendar: Calendar) -> Agreement:
        return replace(AGREEMENT, objectives=(FIX, replace(UP, calendar=calendar)))

    (difference,) = differences([with_hours(OFFICE)], [with_hours(shorter)])
    assert [(one.path, one.old, one.new) for one in difference.changes] == [
        ("calendars[office].hours.mon", "09:00-17:00", "09:00-16:00"),
        ("calendars[office].holidays.also", "[]", "[2026-12-24]"),
    ]
    assert [one.objective for one in difference.anew] == ["up"]


def test_the_order_of_objectives_judges_all_of_the_measure() -> None:
    urgent = replace(FIX, name="urgent", when=TicketFilter(priority=frozenset({"P1"})))
    reply = TicketObjective("reply", Measure.FIRST_RESPONSE, HOUR, ALWAYS)
    old = replace(AGREEMENT, objectives=(urgent, FIX, reply, UP))
    new = replace(AGREEMENT, objectives=(FIX, urgent, reply, UP))
    (difference,) = differences([old], [new])
    assert [(one.path, one.old, one.new) for one in difference.changes] == [
        ("objectives of resolution, in order", "[urgent, fix]", "[fix, urgent]")
    ]
    assert [one.objective for one in difference.anew] == ["fix", "urgent"]


def test_a_rolling_window_is_judged_by_the_reporting_period() -> None:
    rolling = replace(AGREEMENT, objectives=(FIX, replace(UP, window=TimeWindow(None, 30 * DAY))))
    (difference,) = differences([rolling], [replace(rolling, reporting=Reporting(Unit.WEEK))])
    assert [(one.objective, one.settled) for one in difference.anew] == [("up", 10)]
    assert difference.kind is Kind.CORRECTION


def test_another_delay_of_settlement_changes_no_figure() -> None:
    (difference,) = differences([AGREEMENT], [replace(AGREEMENT, reporting=Reporting(settle_after=2 * DAY))])
    assert (difference.kind, difference.anew) == (Kind.CORRECTION, ())


def test_a_period_is_settled_some_time_after_its_end() -> None:
    new = replace(AGREEMENT, objectives=(replace(FIX, target=MINUTE), UP))

    def settled(on: date) -> list[tuple[int, date | None]]:
        (difference,) = differences([AGREEMENT], [new], on)
        return [(one.settled, one.last_day) for one in difference.anew]

    assert settled(date(2026, 2, 1)) == [(0, None)]
    assert settled(date(2026, 2, 2)) == [(1, date(2026, 1, 31))]


@pytest.mark.parametrize(
    ("last", "kind"), [(date(2026, 3, 14), Kind.CORRECTION), (date(2026, 3, 15), Kind.ENDED)]
)
def test_an_end_that_is_yet_to_come_corrects_nothing(last: date, kind: Kind) -> None:
    ended = replace(AGREEMENT, end=local_midnight("UTC", last) + DAY)
    assert [one.kind for one in differences([AGREEMENT], [ended])] == [kind]


def test_versions_are_told_apart_by_their_first_day() -> None:
    ended = replace(AGREEMENT, end=local_midnight("UTC", date(2026, 7, 1)))
    follower = replace(
        AGREEMENT, first_day=date(2026, 7, 1), start=ended.end, objectives=(replace(FIX, target=MINUTE), UP)
    )
    found = differences([AGREEMENT], [follower, ended])
    assert [(one.agreement.first_day, one.kind) for one in found] == [
        (date(2026, 7, 1), Kind.ADDED),
        (date(2026, 1, 1), Kind.ENDED),
    ]
