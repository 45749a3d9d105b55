"""The digest of terms: what a verdict depends on changes it, nothing else does."""

import subprocess
import sys
from dataclasses import replace
from datetime import date
from fractions import Fraction
from typing import Any

import pytest

from slamon.domain.agreement import (
    Agreement,
    AlertName,
    Attainment,
    AvailabilityAlerts,
    AvailabilityObjective,
    Contact,
    CreditTerm,
    Escalation,
    ExclusionTerm,
    Measure,
    PerMiss,
    Remedies,
    Reporting,
    Service,
    Severity,
    Share,
    TicketFilter,
    TicketObjective,
)
from slamon.domain.calendars import ALWAYS, Calendar
from slamon.domain.events import DAY, HOUR, ExclusionReason
from slamon.domain.intervals import FOREVER
from slamon.domain.periods import TimeWindow, Unit
from slamon.domain.terms_digest import terms_digest

FIX = TicketObjective(
    "fix",
    Measure.RESOLUTION,
    HOUR,
    Calendar.weekly("office", "Europe/Berlin", {0: [(540, 1020)]}, also_dates=frozenset({date(2026, 5, 4)})),
    when=TicketFilter(priority=frozenset({"P1", "P2", "P3", "P4"})),
)
API = AvailabilityObjective(
    "api", "billing-api", Fraction(999, 1000), TimeWindow(unit=Unit.MONTH, rolling=None), ALWAYS
)
TERMS = Agreement(
    name="acme-2026",
    customer="acme",
    zone="Europe/Berlin",
    start=0,
    end=FOREVER,
    first_day=date(1970, 1, 1),
    objectives=(FIX, API),
    services=(Service("billing-api", "Invoicing"),),
    exclusions=(ExclusionTerm("maintenance", ExclusionReason.MAINTENANCE, notice=DAY, clause="§ 9"),),
    remedies=Remedies((CreditTerm("fix", PerMiss(Fraction(1, 100))),)),
)


def with_fix(**changes: Any) -> Agreement:
    return replace(TERMS, objectives=(replace(FIX, **changes), API))


def with_api(**changes: Any) -> Agreement:
    return replace(TERMS, objectives=(FIX, replace(API, **changes)))


OTHER_HOURS = Calendar.weekly("office", "Europe/Berlin", {0: [(540, 1021)]})
OTHER_HOLIDAYS = Calendar.weekly("office", "Europe/Berlin", {0: [(540, 1020)]})


@pytest.mark.parametrize(
    "other",
    [
        with_fix(target=HOUR + 1),
        with_fix(calendar=OTHER_HOURS),
        with_fix(calendar=OTHER_HOLIDAYS),
        with_fix(when=TicketFilter(priority=frozenset({"P1", "P2", "P3"}))),
        with_fix(when=TicketFilter(service=frozenset({"P1", "P2", "P3", "P4"}))),
        with_fix(pause_on=frozenset({"customer"})),
        with_fix(attainment=Attainment(minimum_tickets=3)),
        with_api(target=Fraction(99, 100)),
        with_api(minimum_outage=1),
        with_api(window=TimeWindow(unit=None, rolling=30 * DAY)),
        replace(TERMS, objectives=(API, FIX)),
        replace(TERMS, objectives=(FIX,)),
        replace(TERMS, exclusions=()),
        replace(TERMS, exclusions=(replace(TERMS.exclusions[0], notice=None),)),
        replace(TERMS, services=None),
        replace(TERMS, services=()),
        replace(TERMS, zone="UTC"),
        replace(TERMS, start=1),
        replace(TERMS, reporting=Reporting(settle_after=0)),
        replace(TERMS, remedies=None),
        replace(TERMS, remedies=Remedies((CreditTerm("fix", PerMiss(Fraction(1, 50))),))),
        replace(TERMS, remedies=Remedies((CreditTerm("fix", PerMiss(Fraction(1, 100))),), claim_within=DAY)),
    ],
)
def test_other_terms_have_another_digest(other: Agreement) -> None:
    assert terms_digest(other) != terms_digest(TERMS)


@pytest.mark.parametrize(
    "same",
    [
        replace(TERMS, end=10**15),  # shows in the periods that it cuts
        replace(TERMS, display_name="Managed services"),
        replace(TERMS, contacts=(Contact("service manager", "sla@example.com"),)),
        replace(TERMS, escalation=(Escalation(Share(Fraction(1, 2), "50%"), "head of IT"),)),
        replace(TERMS, liability={"notes": "none"}),
        replace(TERMS, services=(Service("billing-api"),)),
        replace(TERMS, exclusions=(replace(TERMS.exclusions[0], clause="§ 10"),)),
        with_fix(warn_at=(Share(Fraction(1, 2), "50%"),)),
        with_fix(severity={AlertName.BREACHED: Severity.INFO}),
        with_api(alerts=AvailabilityAlerts(burn_rates=())),
        with_api(severity={AlertName.BREACHED: Severity.INFO}),
        with_fix(
            calendar=Calendar.weekly(
                "bureau", "Europe/Berlin", {0: [(540, 1020)]}, also_dates=frozenset({date(2026, 5, 4)})
            )
        ),
    ],
)
def test_what_no_verdict_depends_on_leaves_the_digest_alone(same: Agreement) -> None:
    assert terms_digest(same) == terms_digest(TERMS)


def test_sets_have_one_digest_in_every_process() -> None:
    asked = (
        "from slamon.domain.agreement import TicketFilter\n"
        "from slamon.domain.terms_digest import canonical\n"
        "print(canonical(TicketFilter(priority=frozenset('P1 P2 P3 P4'.split()))))"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", asked],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert found == {b"TicketFilter(priority={'P1', 'P2', 'P3', 'P4'})\n"}
