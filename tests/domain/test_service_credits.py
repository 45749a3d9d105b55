"""Service credits by example: what a missed period costs, to the last digit."""

from datetime import date
from fractions import Fraction
from typing import Any

import pytest

from slamon.domain.agreement import (
    Agreement,
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
    Reporting,
    TicketObjective,
    UnknownCountsAs,
)
from slamon.domain.calendars import ALWAYS
from slamon.domain.currencies import MINOR_UNIT
from slamon.domain.decisions import Credit, Outcome, Ratios, Statement, TicketCounts
from slamon.domain.events import DAY
from slamon.domain.intervals import FOREVER, Span
from slamon.domain.periods import TimeWindow, Unit, local_midnight
from slamon.domain.service_credits import (
    claim_until,
    credit_of,
    credited_objectives,
    entry_of,
    fee_of,
    money,
    share_due,
)

BERLIN = "Europe/Berlin"
PERCENT = Fraction(1, 100)
MONTH = TimeWindow(unit=Unit.MONTH, rolling=None)
API = AvailabilityObjective("api", "billing-api", Fraction(999, 1000), MONTH, ALWAYS)
FIX = TicketObjective("fix", Measure.RESOLUTION, DAY, ALWAYS)
BANDS = Bands(
    (
        Band(Fraction(950, 1000), 100 * PERCENT),
        Band(Fraction(999, 1000), 10 * PERCENT),
        Band(Fraction(990, 1000), 25 * PERCENT),
    )
)
EUR = Fee(Fraction(12000), "EUR", Unit.MONTH)


def day(text: str, zone: str = BERLIN) -> int:
    return local_midnight(zone, date.fromisoformat(text))


MARCH = (day("2026-03-01"), day("2026-04-01"))


def agreement(
    *credits_: CreditTerm,
    objectives: tuple[Objective, ...] = (API, FIX),
    zone: str = BERLIN,
    start: str = "2026-01-01",
    unit: Unit = Unit.MONTH,
    **remedies: Any,
) -> Agreement:
    return Agreement(
        name="acme-2026",
        customer="acme",
        zone=zone,
        start=day(start, zone),
        end=FOREVER,
        first_day=date.fromisoformat(start),
        objectives=objectives,
        remedies=Remedies(credits_, **remedies),
        reporting=Reporting(unit),
    )


def verdict(
    objective: Objective,
    best: Fraction | str,
    outcome: Outcome = Outcome.MISSED,
    *,
    worst: Fraction | str | None = None,
    missed: int | None = None,
    period: Span = MARCH,
) -> Statement:
    case = Fraction(best).as_integer_ratio()
    target = objective.attainment.target if isinstance(objective, TicketObjective) else objective.target
    return Statement(
        customer="acme",
        agreement="acme-2026",
        objective=objective.name,
        start=period[0],
        end=period[1],
        revision=1,
        outcome=outcome,
        target=target.as_integer_ratio(),
        ratios=Ratios(case, case, case if worst is None else Fraction(worst).as_integer_ratio(), None),
        tickets=None if missed is None else TicketCounts(10, missed, 0),
        seconds=None,
    )


# -------------------------------------------------------------------------------------------------------------- shares


@pytest.mark.parametrize(
    ("ratio", "percent"),
    [
        ("0.998999999999", 10),
        ("0.99", 10),  # a band is reached below its border, not at it
        ("0.989999999999", 25),
        ("0.95", 25),
        ("0.949999999999", 100),
        ("0", 100),
    ],
)
def test_of_the_bands_reached_the_lowest_counts_alone_in_whatever_order_they_stand(
    ratio: str, percent: int
) -> None:
    assert share_due(agreement(CreditTerm("api", BANDS)), API, verdict(API, ratio)) == percent * PERCENT


def test_a_missed_period_above_all_bands_costs_nothing() -> None:
    low = Bands((Band(Fraction(1, 2), PERCENT),))
    assert share_due(agreement(CreditTerm("api", low)), API, verdict(API, "0.9")) == 0


@pytest.mark.parametrize("outcome", [one for one in Outcome if one is not Outcome.MISSED])
def test_only_a_missed_period_costs_anything(outcome: Outcome) -> None:
    terms = agreement(CreditTerm("api", BANDS), CreditTerm("fix", PerMiss(PERCENT)))
    assert share_due(terms, API, verdict(API, "0.5", outcome)) == 0
    assert share_due(terms, FIX, verdict(FIX, "0.5", outcome, missed=1)) == 0


def test_each_miss_costs_up_to_the_cap_of_its_entry() -> None:
    terms = agreement(CreditTerm("fix", PerMiss(PERCENT), cap=15 * PERCENT))
    assert share_due(terms, FIX, verdict(FIX, "0.5", missed=14)) == 14 * PERCENT
    assert share_due(terms, FIX, verdict(FIX, "0.5", missed=16)) == 15 * PERCENT


def test_linear_credits_go_by_the_points_missed_and_not_by_whole_ones() -> None:
    terms = agreement(CreditTerm("api", Linear(Fraction(3))))
    third_of_a_point = Fraction(999, 1000) - Fraction(1, 300)
    assert share_due(terms, API, verdict(API, third_of_a_point)) == 1 * PERCENT


def test_several_entries_of_one_objective_add_up_each_after_its_own_cap() -> None:
    terms = agreement(
        CreditTerm("fix", PerMiss(PERCENT), cap=2 * PERCENT),
        CreditTerm("api", BANDS),
        CreditTerm("fix", Linear(Fraction(1)), cap=5 * PERCENT),
        CreditTerm("fix", PerMiss(PERCENT / 2)),
    )
    assert share_due(terms, FIX, verdict(FIX, "0.5", missed=4)) == (2 + 5 + 2) * PERCENT


def test_the_best_case_is_judged_unless_unknown_counts_as_down() -> None:
    strict = AvailabilityObjective(
        "api", "billing-api", API.target, MONTH, ALWAYS, unknown_counts_as=UnknownCountsAs.DOWN
    )
    terms = agreement(CreditTerm("api", BANDS))
    assert share_due(terms, API, verdict(API, "0.998", worst="0.9")) == 10 * PERCENT
    assert share_due(terms, strict, verdict(strict, "0.998", worst="0.9")) == 100 * PERCENT


# -------------------------------------------------------------------------------------------------------- common cap


def test_under_the_common_cap_each_gets_at_most_what_those_before_it_left() -> None:
    terms = agreement(CreditTerm("api", BANDS), cap=30 * PERCENT, fee=EUR)
    missed = verdict(API, "0.98")  # 25 %
    assert credit_of(terms, API, missed, [4 * PERCENT]) == Credit((1, 4), "3000.00", "EUR")
    assert credit_of(terms, API, missed, [4 * PERCENT, 20 * PERCENT]) == Credit((3, 50), "720.00", "EUR")
    assert credit_of(terms, API, missed, [50 * PERCENT]) == Credit((0, 1), "0.00", "EUR")


def test_the_cap_is_taken_from_in_the_order_of_each_ones_first_entry() -> None:
    terms = agreement(
        CreditTerm("fix", PerMiss(PERCENT)),
        CreditTerm("api", BANDS),
        CreditTerm("fix", Linear(Fraction(1))),
    )
    assert credited_objectives(terms) == [FIX, API]


def test_no_remedy_is_not_the_same_as_none_due() -> None:
    terms = agreement(CreditTerm("api", BANDS), fee=EUR)
    assert credit_of(terms, FIX, verdict(FIX, "0.5", missed=3)) is None
    assert credit_of(terms, API, verdict(API, "1", Outcome.MET)) == Credit((0, 1), "0.00", "EUR")


def test_without_a_fee_there_is_a_share_and_no_amount() -> None:
    terms = agreement(CreditTerm("api", BANDS))
    assert credit_of(terms, API, verdict(API, "0.995")) == Credit((1, 10), None, None)


# --------------------------------------------------------------------------------------------------------------- fees


@pytest.mark.parametrize(
    ("per", "first", "after", "fee"),
    [
        (Unit.MONTH, "2026-03-01", "2026-04-01", Fraction(12000)),  # a month of 31 days less an hour
        (Unit.MONTH, "2026-02-01", "2026-03-01", Fraction(12000)),
        (Unit.MONTH, "2026-03-15", "2026-04-01", Fraction(12000 * 17, 31)),
        (Unit.MONTH, "2026-01-01", "2026-04-01", Fraction(36000)),
        (Unit.MONTH, "2026-03-30", "2026-04-06", Fraction(12000 * 2, 31) + Fraction(12000 * 5, 30)),
        (Unit.QUARTER, "2026-03-01", "2026-04-01", Fraction(12000 * 31, 90)),
        (Unit.YEAR, "2024-02-01", "2024-03-01", Fraction(12000 * 29, 366)),
        (Unit.WEEK, "2026-03-30", "2026-04-06", Fraction(12000)),
        (Unit.WEEK, "2026-03-30", "2026-04-07", Fraction(12000 * 8, 7)),
    ],
)
def test_the_fee_of_a_period_is_that_of_its_dates_in_each_unit_it_touches(
    per: Unit, first: str, after: str, fee: Fraction
) -> None:
    found = fee_of(Fee(Fraction(12000), "EUR", per), agreement(), API, (day(first), day(after)))
    assert found == fee


def test_months_without_a_fee_for_their_missing_date_are_whole_all_the_same() -> None:
    apia = "Pacific/Apia"  # had no 2011-12-30
    december = (day("2011-12-01", apia), day("2012-01-01", apia))
    assert fee_of(EUR, agreement(zone=apia, start="2011-01-01"), API, december) == 12000


@pytest.mark.parametrize(
    ("start", "fee"), [("2026-01-01", Fraction(36000)), ("2026-02-15", Fraction(12000 * 14, 28) + 12000)]
)
def test_a_rolling_window_is_paid_by_the_reporting_period_that_ends_with_it(
    start: str, fee: Fraction
) -> None:
    rolling = AvailabilityObjective(
        "api", "billing-api", API.target, TimeWindow(unit=None, rolling=30 * DAY), ALWAYS
    )
    end = day("2026-04-01")
    terms = agreement(objectives=(rolling,), start=start, unit=Unit.QUARTER)
    assert fee_of(EUR, terms, rolling, (end - 30 * DAY, end)) == fee


# -------------------------------------------------------------------------------------------------------------- money


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (Fraction(1200), "EUR", "1200.00"),
        (Fraction(5, 1000), "EUR", "0.00"),  # half a cent: to the even neighbour
        (Fraction(15, 1000), "EUR", "0.02"),
        (Fraction(25, 1000), "EUR", "0.02"),
        (Fraction(1, 3), "EUR", "0.33"),
        (Fraction(-1, 3), "EUR", "-0.33"),
        (Fraction(-1, 1000), "EUR", "0.00"),
        (Fraction(3, 2), "JPY", "2"),
        (Fraction(5, 2), "JPY", "2"),
        (Fraction(1, 3), "KWD", "0.333"),
        (Fraction(10**15), "CLF", "1000000000000000.0000"),
    ],
)
def test_money_is_rounded_half_even_to_the_minor_unit(amount: Fraction, currency: str, text: str) -> None:
    assert money(amount, currency) == text


def test_an_amount_is_rounded_once_and_not_on_the_way() -> None:
    fee = Fee(Fraction("100.03"), "EUR", Unit.MONTH)
    terms = agreement(CreditTerm("fix", PerMiss(25 * PERCENT)), fee=fee, start="2026-03-15")
    missed = verdict(FIX, "0.5", missed=1, period=(day("2026-03-15"), day("2026-04-01")))
    # A quarter of 54.8551… is 13.7137…, a quarter of 54.86 would be 13.72.
    assert credit_of(terms, FIX, missed) == Credit((1, 4), "13.71", "EUR")


@pytest.mark.parametrize(
    ("code", "decimals"), [("EUR", 2), ("JPY", 0), ("KWD", 3), ("UYW", 4), ("XCG", 2), ("ISK", 0), ("HUF", 2)]
)
def test_the_minor_unit_is_that_of_iso_4217(code: str, decimals: int) -> None:
    assert MINOR_UNIT[code] == decimals


def test_currencies_are_codes_of_three_letters_without_those_that_cannot_be_paid_in() -> None:
    assert all(len(code) == 3 and code.isascii() and code.isupper() for code in MINOR_UNIT)
    assert not MINOR_UNIT.keys() & {"XAU", "XDR", "XXX", "XTS", "DEM", "HRK"}


# ------------------------------------------------------------------------------------------------- claims and entries


def test_a_credit_can_be_claimed_within_its_time_after_the_statement() -> None:
    terms = agreement(CreditTerm("api", BANDS), claim_within=30 * DAY)
    assert claim_until(terms, MARCH[1], Credit((1, 10), None, None)) == MARCH[1] + DAY + 30 * DAY


def test_nothing_can_be_claimed_where_nothing_is_owed_and_for_ever_where_no_limit_is_agreed() -> None:
    limited = agreement(CreditTerm("api", BANDS), claim_within=30 * DAY)
    assert claim_until(limited, MARCH[1], Credit((0, 1), "0.00", "EUR")) is None
    assert claim_until(limited, MARCH[1], None) is None
    assert claim_until(agreement(CreditTerm("api", BANDS)), MARCH[1], Credit((1, 10), None, None)) is None


def euros(amount: str) -> Credit:
    return Credit((1, 10), amount, "EUR")


@pytest.mark.parametrize(
    ("before", "now", "entry"),
    [
        (None, euros("1200.00"), "1200.00"),
        (None, euros("0.00"), "0.00"),
        (euros("1200.00"), euros("3000.00"), "1800.00"),
        (euros("3000.00"), euros("1200.00"), "-1800.00"),
        (euros("3000.00"), euros("3000.00"), "0.00"),
        (Credit((1, 10), None, None), euros("3000.00"), "3000.00"),
        (euros("3000.00"), Credit((1, 10), None, None), "-3000.00"),
        (euros("3000.00"), None, "-3000.00"),
        (euros("3000.00"), Credit((1, 10), "30", "JPY"), "30"),
        (Credit((1, 10), None, None), Credit((1, 5), None, None), None),
        (None, None, None),
    ],
)
def test_an_entry_is_the_difference_to_what_was_booked_before(
    before: Credit | None, now: Credit | None, entry: str | None
) -> None:
    assert entry_of(before, now) == entry
