"""What a running period costs as it stands, before any statement is given."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from fractions import Fraction

import pytest

from slamon.domain.agreement import (
    Agreement,
    Attainment,
    AvailabilityObjective,
    Band,
    Bands,
    CreditTerm,
    Fee,
    Linear,
    Measure,
    Objective,
    PerMiss,
    Remedies,
    RequestsObjective,
    TicketFilter,
    TicketObjective,
    UnknownCountsAs,
)
from slamon.domain.calendars import ALWAYS
from slamon.domain.decisions import Credit, StandingState
from slamon.domain.events import (
    DAY,
    HOUR,
    MINUTE,
    AvailabilityEvent,
    Event,
    RequestsEvent,
    ServiceStatus,
    TicketEvent,
    TicketStatus,
)
from slamon.domain.intervals import FOREVER
from slamon.domain.monitor import Monitor
from slamon.domain.periods import TimeWindow, Unit
from slamon.domain.service_credits import most_due

START = (date(2026, 4, 1) - date(1970, 1, 1)).days * DAY
END = START + 30 * DAY
PERCENT = Fraction(1, 100)
MONTH = TimeWindow(unit=Unit.MONTH, rolling=None)
FEE = Fee(Fraction(12000), "EUR", Unit.MONTH)
BANDS = Bands((Band(Fraction(999, 1000), 10 * PERCENT), Band(Fraction(990, 1000), 25 * PERCENT)))
API = AvailabilityObjective("api", "api", Fraction(999, 1000), MONTH, ALWAYS)  # allows 43 min 12 s a month
CALLS = RequestsObjective("calls", "api", Fraction(9, 10), MONTH, ALWAYS)


def tickets(name: str) -> TicketObjective:
    when = TicketFilter(priority=frozenset({name}))
    return TicketObjective(
        name, Measure.RESOLUTION, HOUR, ALWAYS, when=when, attainment=Attainment(window=MONTH)
    )


def agreement(
    *objectives: Objective, credits_: Iterable[CreditTerm], fee: Fee | None = FEE, cap: Fraction | None = None
) -> Agreement:
    remedies = Remedies(tuple(credits_), fee=fee, cap=cap)
    return Agreement("main", "acme", "UTC", START, FOREVER, date(2026, 4, 1), objectives, remedies=remedies)


def heard(at: int, status: ServiceStatus) -> AvailabilityEvent:
    return AvailabilityEvent(f"{at}", START + at, "acme", "api", status)


def missed(ticket: str, priority: str) -> list[TicketEvent]:
    opened = TicketEvent("1", START, "acme", ticket, status=TicketStatus.OPEN, priority=priority)
    return [opened, TicketEvent("2", START + 2 * HOUR, "acme", ticket, status=TicketStatus.RESOLVED)]


def judged(terms: Agreement, *events: Event, at: int) -> Monitor:
    monitor = Monitor([terms], steps=False)
    monitor.advance(START)
    for event in events:
        monitor.apply(event)
    monitor.advance(START + at)
    return monitor


def credits_due(monitor: Monitor) -> dict[str, Credit | None]:
    now = monitor.now
    assert now is not None
    (customer,) = monitor.customers.values()
    return {watch.objective.name: customer.credit_as_it_stands(watch, now) for watch in customer.watches()}


def due(monitor: Monitor, objective: str) -> tuple[Fraction | int, str | None]:
    credit = credits_due(monitor)[objective]
    assert credit is not None
    return Fraction(*credit.share) / PERCENT, credit.amount


BANDED = agreement(API, credits_=[CreditTerm("api", BANDS)])


def test_an_outage_costs_nothing_while_the_period_can_still_be_met() -> None:
    """Of the day to date it is 97 %, of April 99.94 %."""
    outage = (
        heard(0, ServiceStatus.UP),
        heard(HOUR, ServiceStatus.DOWN),
        heard(HOUR + 25 * MINUTE, ServiceStatus.UP),
    )
    monitor = judged(BANDED, *outage, at=DAY)
    assert due(monitor, "api") == (0, "0.00")


def test_beyond_the_budget_the_first_band_is_due_and_the_next_when_it_is_passed() -> None:
    running = (heard(0, ServiceStatus.UP), heard(HOUR, ServiceStatus.DOWN))
    for lasted, expected in (
        (43 * MINUTE, (0, "0.00")),
        (44 * MINUTE, (10, "1200.00")),
        (7 * HOUR + 12 * MINUTE, (10, "1200.00")),
        (7 * HOUR + 13 * MINUTE, (25, "3000.00")),
    ):
        assert due(judged(BANDED, *running, at=HOUR + lasted), "api") == expected


def test_what_is_due_during_the_month_is_what_its_statement_says_if_nothing_more_fails() -> None:
    outage = (heard(0, ServiceStatus.UP), heard(DAY, ServiceStatus.DOWN), heard(DAY + HOUR, ServiceStatus.UP))
    monitor = judged(BANDED, *outage, at=2 * DAY)
    before = due(monitor, "api")
    monitor.advance(END + 2 * DAY)
    (statement,) = monitor.statements()
    assert statement.credit is not None
    paid = (Fraction(*statement.credit.share) / PERCENT, statement.credit.amount)
    assert [before, paid] == [(10, "1200.00")] * 2


@pytest.mark.parametrize(
    ("counts_as", "percent"),
    [(UnknownCountsAs.UNDETERMINED, 0), (UnknownCountsAs.UP, 0), (UnknownCountsAs.DOWN, 10)],
)
def test_unknown_time_costs_only_what_the_agreement_says_and_time_to_come_is_not_unknown(
    counts_as: UnknownCountsAs, percent: int
) -> None:
    api = replace(API, unknown_counts_as=counts_as)
    unknown = (heard(0, ServiceStatus.UP), heard(HOUR, ServiceStatus.UNKNOWN))
    monitor = judged(agreement(api, credits_=[CreditTerm("api", BANDS)]), *unknown, at=3 * HOUR)
    assert due(monitor, "api")[0] == percent


def test_missed_tickets_cost_as_if_the_month_ended_now() -> None:
    terms = agreement(tickets("P1"), credits_=[CreditTerm("P1", PerMiss(2 * PERCENT), 5 * PERCENT)])
    assert due(judged(terms, at=DAY), "P1") == (0, "0.00")
    assert due(judged(terms, *missed("T-1", "P1"), *missed("T-2", "P1"), at=DAY), "P1") == (4, "480.00")


def test_failed_requests_cost_as_if_the_month_ended_now() -> None:
    terms = agreement(CALLS, credits_=[CreditTerm("calls", Linear(Fraction(1)))])
    failed = RequestsEvent("1", START + HOUR, "acme", "api", total=100, bad=30, duration=MINUTE)
    good = RequestsEvent("2", START + 2 * HOUR, "acme", "api", total=200, bad=0, duration=MINUTE)
    assert due(judged(terms, failed, at=90 * MINUTE), "calls") == (20, "2400.00")
    assert due(judged(terms, failed, good, at=3 * HOUR), "calls") == (0, "0.00")


def test_the_common_cap_leaves_to_the_later_what_the_earlier_stand_at() -> None:
    perdue = [CreditTerm(name, PerMiss(15 * PERCENT)) for name in ("P1", "P2", "P3")]
    terms = agreement(*map(tickets, ("P1", "P2", "P3")), credits_=perdue, cap=20 * PERCENT)
    monitor = judged(terms, *missed("T-1", "P1"), *missed("T-2", "P2"), *missed("T-3", "P3"), at=DAY)
    assert [due(monitor, name)[0] for name in ("P1", "P2", "P3")] == [15, 5, 0]


def test_a_rolling_window_is_judged_up_to_now_and_paid_by_the_whole_reporting_period() -> None:
    api = replace(API, target=Fraction(9, 10), window=TimeWindow(unit=None, rolling=10 * HOUR))
    terms = agreement(api, credits_=[CreditTerm("api", Bands((Band(Fraction(9, 10), 10 * PERCENT),)))])
    outage = (
        heard(0, ServiceStatus.UP),
        heard(DAY, ServiceStatus.DOWN),
        heard(DAY + 2 * HOUR, ServiceStatus.UP),
    )
    monitor = judged(terms, *outage, at=DAY + 3 * HOUR)
    assert due(monitor, "api") == (10, "1200.00")
    monitor.advance(START + 2 * DAY)
    assert due(monitor, "api") == (0, "0.00")


def test_what_no_remedy_names_has_no_credit_and_without_a_fee_there_is_no_amount() -> None:
    terms = agreement(API, CALLS, credits_=[CreditTerm("api", BANDS)], fee=None)
    monitor = judged(terms, heard(0, ServiceStatus.DOWN), at=DAY)
    assert credits_due(monitor)["calls"] is None
    assert due(monitor, "api") == (25, None)


def test_nothing_is_due_where_there_is_nothing_to_judge() -> None:
    terms = agreement(
        tickets("P1"), CALLS, credits_=[CreditTerm(name, PerMiss(PERCENT)) for name in ("P1", "calls")]
    )
    monitor = judged(terms, at=DAY)
    assert {one.standing for one in monitor.standings()} == {StandingState.NOT_APPLICABLE}
    assert [due(monitor, name) for name in ("P1", "calls")] == [(0, "0.00")] * 2


@pytest.mark.parametrize(
    ("terms", "cap", "most"),
    [
        ((CreditTerm("api", BANDS),), None, 25),
        ((CreditTerm("api", BANDS, 20 * PERCENT),), None, 20),
        ((CreditTerm("api", BANDS), CreditTerm("api", PerMiss(PERCENT), 15 * PERCENT)), None, 40),
        ((CreditTerm("api", BANDS), CreditTerm("api", PerMiss(PERCENT), 15 * PERCENT)), 30, 30),
        ((CreditTerm("api", Linear(Fraction(2))),), None, Fraction("199.8")),
        ((CreditTerm("api", Linear(Fraction(2)), 50 * PERCENT),), None, 50),
        ((CreditTerm("api", PerMiss(PERCENT)),), None, None),
        ((CreditTerm("api", PerMiss(PERCENT)), CreditTerm("api", BANDS)), 100, 100),
    ],
)
def test_the_most_that_can_become_due(
    terms: tuple[CreditTerm, ...], cap: int | None, most: Fraction | int | None
) -> None:
    promised = agreement(API, credits_=terms, cap=None if cap is None else cap * PERCENT)
    assert most_due(promised, API) == (None if most is None else most * PERCENT)
