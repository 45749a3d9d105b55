"""Agreements corrected while slamon was down: what it says when it comes back with the facts of before.

A monitor judges, another with corrected terms takes over its facts, and what that one decides by itself is looked at.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from fractions import Fraction

from slamon.domain.agreement import (
    Agreement,
    Attainment,
    AvailabilityAlerts,
    AvailabilityObjective,
    CreditTerm,
    Fee,
    Measure,
    Objective,
    PerMiss,
    Remedies,
    Share,
    TicketFilter,
    TicketObjective,
)
from slamon.domain.calendars import ALWAYS
from slamon.domain.decisions import (
    AlertChanged,
    AlertTransition,
    FactKey,
    Facts,
    FactsChanged,
    Outcome,
    Reason,
    RevisionReason,
    Statement,
    StatementIssued,
    Transition,
)
from slamon.domain.events import (
    DAY,
    HOUR,
    AvailabilityEvent,
    Event,
    ServiceStatus,
    TicketEvent,
    TicketStatus,
)
from slamon.domain.intervals import FOREVER
from slamon.domain.monitor import Monitor
from slamon.domain.periods import TimeWindow, Unit, local_midnight

CUSTOMER = "acme"
MONTH = TimeWindow(unit=Unit.MONTH, rolling=None)


def day(text: str) -> int:
    return local_midnight("UTC", date.fromisoformat(text))


FIX = TicketObjective("fix", Measure.RESOLUTION, HOUR, ALWAYS, warn_at=(Share(Fraction(1, 2), "50%"),))
API = AvailabilityObjective("api", "billing-api", Fraction(999, 1000), MONTH, ALWAYS)
QUIET = replace(API, alerts=AvailabilityAlerts(burn_rates=()))
REMEDIES = Remedies(
    (CreditTerm("fix", PerMiss(Fraction(1, 10))),), Fee(Fraction(1000), "EUR", Unit.MONTH), claim_within=DAY
)


def terms(
    *objectives: Objective, start: str = "2026-01-01", end: str | None = None, name: str = "acme-2026"
) -> Agreement:
    return Agreement(
        name=name,
        customer=CUSTOMER,
        zone="UTC",
        start=day(start),
        end=FOREVER if end is None else day(end),
        first_day=date.fromisoformat(start),
        objectives=objectives,
        remedies=REMEDIES if FIX.name in {one.name for one in objectives} else None,
    )


def ticket(name: str, time: int, status: TicketStatus) -> Event:
    return TicketEvent(f"{name}-{status.value}", time, CUSTOMER, name, status=status, priority="P1")


def solved(name: str, opened_at: int, took: int) -> list[Event]:
    return [
        ticket(name, opened_at, TicketStatus.OPEN),
        ticket(name, opened_at + took, TicketStatus.RESOLVED),
    ]


def api(time: int, status: ServiceStatus) -> Event:
    return AvailabilityEvent(f"{time}", time, CUSTOMER, API.service, status)


@dataclass
class Said:
    """What a monitor decided, and the facts it left."""

    monitor: Monitor
    facts: dict[FactKey, Facts]
    statements: list[Statement]
    alerts: list[AlertTransition]


def drained(monitor: Monitor, facts: dict[FactKey, Facts]) -> Said:
    said = Said(monitor, facts, [], [])
    for decision in monitor.drain():
        match decision:
            case FactsChanged(key, changed) if changed is not None:
                said.facts[key] = changed
            case StatementIssued(statement):
                said.statements.append(statement)
            case AlertChanged(transition):
                said.alerts.append(transition)
            case _:
                pass
    return said


def judged(agreements: Sequence[Agreement], events: Iterable[Event], now: int) -> Said:
    monitor = Monitor(agreements, steps=True)
    for event in sorted(events, key=lambda one: one.time):
        monitor.advance(event.time)
        monitor.apply(event)
    monitor.advance(now)
    return drained(monitor, {})


def corrected(before: Said, agreements: Sequence[Agreement], now: int) -> Said:
    monitor = Monitor(agreements, steps=True)
    for key, facts in before.facts.items():
        monitor.restore(key, facts)
    monitor.start(now)
    monitor.advance(now)
    return drained(monitor, dict(before.facts))


def spans(statements: Iterable[Statement]) -> list[tuple[int, int, int]]:
    return [(one.start, one.end, one.revision) for one in statements]


def transitions(alerts: Iterable[AlertTransition]) -> list[tuple[str, Transition, Reason]]:
    return [(one.labels["alertname"], one.transition, one.reason) for one in alerts]


# ---------------------------------------------------------------------------------------------------------- statements

TWO_HOURS_IN_MARCH = solved("T-1", day("2026-03-10"), 2 * HOUR)
IN_APRIL = day("2026-04-10")


def test_a_settled_statement_is_judged_by_the_corrected_terms_and_takes_its_credit_back() -> None:
    before = judged([terms(FIX, start="2026-03-01")], TWO_HOURS_IN_MARCH, IN_APRIL)
    after = corrected(before, [terms(replace(FIX, target=3 * HOUR), start="2026-03-01")], IN_APRIL)
    (was,), (became,) = before.statements, after.statements
    assert (was.outcome, was.entry, was.claim_until) == (Outcome.MISSED, "100.00", day("2026-04-03"))
    assert (became.outcome, became.entry, became.claim_until) == (Outcome.MET, "-100.00", None)
    assert (became.revision, became.reason) == (2, RevisionReason.AGREEMENT_CORRECTED)
    assert became.terms != was.terms


def test_a_late_fact_alone_is_no_correction() -> None:
    agreement = terms(FIX, start="2026-03-01")
    before = judged([agreement], TWO_HOURS_IN_MARCH, IN_APRIL)
    after = corrected(before, [agreement], IN_APRIL)
    assert after.statements == []
    after.monitor.apply(ticket("T-1", day("2026-03-10") + HOUR, TicketStatus.CLOSED))
    after.monitor.advance(IN_APRIL)
    (became,) = drained(after.monitor, {}).statements
    assert (became.outcome, became.reason) == (Outcome.MET, RevisionReason.AMENDED)


def test_what_no_verdict_depends_on_can_be_corrected_without_a_word() -> None:
    before = judged([terms(FIX, API)], TWO_HOURS_IN_MARCH, IN_APRIL)
    other = replace(terms(replace(FIX, warn_at=()), QUIET), display_name="ACME", liability={"notes": "none"})
    assert corrected(before, [other], IN_APRIL).statements == []


def test_statements_of_periods_that_are_judged_no_longer_stay_and_the_right_ones_get_their_own() -> None:
    quarterly = replace(FIX, attainment=Attainment(window=TimeWindow(unit=Unit.QUARTER, rolling=None)))
    before = judged([terms(FIX)], TWO_HOURS_IN_MARCH, IN_APRIL)
    after = corrected(before, [terms(quarterly)], IN_APRIL)
    (quarter,) = after.statements
    assert (quarter.start, quarter.end, quarter.revision) == (day("2026-01-01"), day("2026-04-01"), 1)
    assert (quarter.outcome, quarter.entry) == (Outcome.MISSED, "300.00")
    assert set(after.monitor.statements()) == {quarter, *before.statements}


def test_what_was_said_of_periods_that_are_judged_no_longer_outlives_one_renewal_after_the_other() -> None:
    quarterly = replace(FIX, attainment=Attainment(window=TimeWindow(unit=Unit.QUARTER, rolling=None)))
    before = judged([terms(FIX)], TWO_HOURS_IN_MARCH, IN_APRIL)
    by_quarters = corrected(before, [terms(quarterly)], IN_APRIL).monitor
    by_months = Monitor([terms(FIX)], steps=True)
    for key, facts in by_quarters.facts():
        by_months.restore(key, facts)
    by_months.start(IN_APRIL)
    by_months.advance(IN_APRIL)
    assert drained(by_months, {}).statements == []
    assert set(by_months.statements()) == set(by_quarters.statements())


def test_a_corrected_first_day_cuts_its_month_anew_and_later_ones_are_judged_anew() -> None:
    before = judged([terms(FIX)], TWO_HOURS_IN_MARCH, IN_APRIL)
    after = corrected(before, [terms(FIX, start="2026-01-15")], IN_APRIL)
    january, february, march, april = (day(f"2026-0{month}-01") for month in range(1, 5))
    assert spans(after.statements) == [
        (day("2026-01-15"), february, 1),
        (february, march, 2),
        (march, april, 2),
    ]
    assert spans(after.monitor.statements()) == [
        (january, february, 1),
        *spans(after.statements),
    ]


def test_a_correction_is_said_once() -> None:
    before = judged([terms(FIX)], TWO_HOURS_IN_MARCH, IN_APRIL)
    agreements = [terms(FIX, start="2026-01-15")]
    after = corrected(before, agreements, IN_APRIL)
    assert corrected(after, agreements, IN_APRIL).statements == []


# -------------------------------------------------------------------------------------------------------------- alerts

OPEN_FOR_TWO_HOURS = [ticket("T-1", day("2026-03-10"), TicketStatus.OPEN)]
TEN_PAST_TWO = day("2026-03-10") + 2 * HOUR
RESOLVED = ("SlaTicketBreached", Transition.RESOLVED, Reason.AMENDED)


def test_a_breach_that_is_none_by_the_corrected_target_is_resolved_and_the_step_that_holds_fires() -> None:
    before = judged([terms(FIX)], OPEN_FOR_TWO_HOURS, TEN_PAST_TWO)
    after = corrected(before, [terms(replace(FIX, target=3 * HOUR))], TEN_PAST_TWO)
    assert transitions(after.alerts) == [
        RESOLVED,
        ("SlaTicketAtRisk", Transition.FIRED, Reason.STEP_REACHED),
    ]


def test_a_step_of_a_clock_that_was_breached_before_it_is_amended_too() -> None:
    long = terms(replace(FIX, target=3 * HOUR))
    before = judged([long], OPEN_FOR_TWO_HOURS, TEN_PAST_TWO)
    after = corrected(before, [terms(FIX)], TEN_PAST_TWO)
    assert transitions(after.alerts) == [
        ("SlaTicketAtRisk", Transition.RESOLVED, Reason.AMENDED),
        ("SlaTicketBreached", Transition.FIRED, Reason.LIMIT_EXCEEDED),
    ]


def test_a_ticket_that_no_objective_governs_any_more_ends_its_alerts() -> None:
    before = judged([terms(FIX)], OPEN_FOR_TWO_HOURS, TEN_PAST_TWO)
    other = replace(FIX, when=TicketFilter(priority=frozenset({"P2"})))
    for agreements in ([terms(other)], [terms(QUIET)], [terms(FIX, start="2026-04-01")], []):
        after = corrected(before, agreements, TEN_PAST_TWO)
        assert transitions(after.alerts) == [RESOLVED]
        assert list(after.monitor.firing()) == []


def test_a_ticket_under_a_renamed_agreement_ends_its_alerts_and_fires_those_of_the_other_name() -> None:
    before = judged([terms(FIX)], OPEN_FOR_TWO_HOURS, TEN_PAST_TWO)
    after = corrected(before, [terms(FIX, name="acme")], TEN_PAST_TWO)
    assert transitions(after.alerts) == [
        RESOLVED,
        ("SlaTicketBreached", Transition.FIRED, Reason.LIMIT_EXCEEDED),
    ]


DOWN = [
    api(day("2026-02-20"), ServiceStatus.UP),
    api(day("2026-03-10"), ServiceStatus.DOWN),
    api(day("2026-03-10") + HOUR, ServiceStatus.UP),
]
NEXT_DAY = day("2026-03-11")
BREACH_AMENDED = ("SlaBreached", Transition.RESOLVED, Reason.AMENDED)


def test_a_lost_period_that_is_not_lost_by_the_corrected_target_is_resolved() -> None:
    before = judged([terms(QUIET)], DOWN, NEXT_DAY)
    assert transitions(before.alerts)[-1][:2] == ("SlaBreached", Transition.FIRED)
    after = corrected(before, [terms(replace(QUIET, target=Fraction(99, 100)))], NEXT_DAY)
    assert transitions(after.alerts) == [BREACH_AMENDED]


def test_alerts_of_an_objective_an_agreement_or_a_customer_that_is_gone_are_resolved() -> None:
    before = judged([terms(QUIET)], DOWN, NEXT_DAY)
    renamed = replace(QUIET, name="billing")
    of_somebody_else = replace(terms(QUIET), customer="other")
    for agreements in ([terms(FIX)], [of_somebody_else], [terms(QUIET, start="2026-04-01")], []):
        after = corrected(before, agreements, NEXT_DAY)
        assert transitions(after.alerts) == [BREACH_AMENDED]
        assert list(after.monitor.firing()) == []
    for agreements in ([terms(renamed)], [terms(QUIET, name="acme")]):
        after = corrected(before, agreements, NEXT_DAY)
        fired = ("SlaBreached", Transition.FIRED, Reason.LIMIT_EXCEEDED)
        assert sorted(transitions(after.alerts), key=str) == sorted([BREACH_AMENDED, fired], key=str)


def test_an_alert_that_is_still_true_goes_on_under_a_version_with_another_first_day() -> None:
    before = judged([terms(QUIET)], DOWN, NEXT_DAY)
    agreements = [terms(QUIET, start="2026-02-01")]
    after = corrected(before, agreements, NEXT_DAY)
    assert after.alerts == []
    assert list(after.monitor.firing()) == list(before.monitor.firing())
    after.monitor.advance(day("2026-04-01") + DAY)
    assert ("SlaBreached", Transition.RESOLVED, Reason.PERIOD_ENDED) in transitions(
        drained(after.monitor, after.facts).alerts
    )


def test_the_alert_of_a_month_is_amended_where_quarters_are_judged() -> None:
    before = judged([terms(QUIET)], DOWN, NEXT_DAY)
    quarterly = replace(QUIET, window=TimeWindow(unit=Unit.QUARTER, rolling=None))
    assert transitions(corrected(before, [terms(quarterly)], NEXT_DAY).alerts) == [BREACH_AMENDED]


def test_a_missed_month_of_tickets_is_amended_where_quarters_are_judged() -> None:
    just_ended = day("2026-03-01") + 1
    before = judged([terms(FIX)], solved("T-1", day("2026-02-10"), 2 * HOUR), just_ended)
    assert [one.labels["alertname"] for one in before.monitor.firing()] == ["SlaBreached"]
    quarterly = replace(FIX, attainment=Attainment(window=TimeWindow(unit=Unit.QUARTER, rolling=None)))
    assert transitions(corrected(before, [terms(quarterly)], just_ended).alerts) == [BREACH_AMENDED]


# ------------------------------------------------------------------------------------------------------ a new document


def test_a_document_that_takes_over_from_a_date_changes_nothing_before_it() -> None:
    events = [*TWO_HOURS_IN_MARCH, *DOWN, ticket("T-2", IN_APRIL - 3 * HOUR, TicketStatus.OPEN)]
    before = judged([terms(FIX, QUIET)], events, IN_APRIL)
    stricter = replace(FIX, target=HOUR // 2)
    after = corrected(
        before, [terms(FIX, QUIET, end="2026-05-01"), terms(stricter, start="2026-05-01")], IN_APRIL
    )
    assert after.statements == []
    assert after.alerts == []
    assert list(after.monitor.statements()) == list(before.monitor.statements())
    assert len(list(after.monitor.firing())) == 1
