"""The words of every kind of alert, whole: what somebody reads at night is compared to the letter."""

from datetime import UTC, date, datetime
from fractions import Fraction

import pytest

from slamon.domain.agreement import (
    Agreement,
    Attainment,
    AvailabilityObjective,
    BurnRatePair,
    Contact,
    Escalation,
    Measure,
    RequestsObjective,
    Severity,
    Share,
    TicketObjective,
    TimeLeft,
)
from slamon.domain.announcements import (
    attainment_missed,
    budget_burn,
    duration,
    instant,
    local,
    measurement_lost,
    outage_budget,
    percent,
    period_breached,
    requests,
    requests_failed,
    ticket_at_risk,
    ticket_breached,
)
from slamon.domain.calendars import ALWAYS, Calendar
from slamon.domain.decisions import ClockOutcome, ClockRecord, ClockState, RequestCounts
from slamon.domain.error_budget import Exhaustion, OutageStep
from slamon.domain.events import DAY, HOUR, MINUTE, SECOND
from slamon.domain.intervals import FOREVER
from slamon.domain.periods import TimeWindow, Unit

MONTH = TimeWindow(unit=Unit.MONTH, rolling=None)
ROLLING = TimeWindow(unit=None, rolling=30 * DAY)


def utc(text: str) -> int:
    """The instant of a time like 2026-03-29T01:00, in microseconds."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND


OFFICE = Calendar.weekly("office", "Europe/Berlin", {day: [(9 * 60, 17 * 60)] for day in range(5)})
BARE = Agreement("terms", "acme", "Europe/Berlin", 0, FOREVER, date(1970, 1, 1), ())
FULL = Agreement(
    "terms", "acme", "Europe/Berlin", 0, FOREVER, date(1970, 1, 1), (),
    display_name="Managed services for ACME",
    contacts=(Contact("desk", "desk@example.com", "+49 30 1"), Contact("lead", phone="+49 30 2")),
    escalation=(
        Escalation(Share(Fraction(1, 2), "50%"), "duty"),
        Escalation(Share(Fraction(3, 4), "75%"), "lead"),
        Escalation(Share(Fraction(3, 4), "75%"), "duty"),
        Escalation(Share(Fraction(1), "100%"), "board"),
    ),
)  # fmt: skip
CONTACTS = "desk desk@example.com +49 30 1; lead +49 30 2"
FIX = TicketObjective("fix", Measure.RESOLUTION, 4 * HOUR, ALWAYS)
ANSWER = TicketObjective("answer", Measure.FIRST_RESPONSE, 4 * HOUR, OFFICE)
API = AvailabilityObjective("api-up", "api", Fraction(999, 1000), MONTH, ALWAYS)
MARCH = (utc("2026-02-28T23:00"), utc("2026-03-31T22:00"))


def clock(
    objective: TicketObjective,
    elapsed: int,
    *,
    due_at: int | None,
    breached_at: int | None = None,
    stopped_at: int | None = None,
) -> ClockRecord:
    return ClockRecord(
        customer="acme",
        agreement="terms",
        objective=objective.name,
        measure=objective.measure,
        ticket="T-1",
        cycle=1,
        state=ClockState.RUNNING if stopped_at is None else ClockState.STOPPED,
        outcome=ClockOutcome.PENDING if breached_at is None else ClockOutcome.MISSED,
        started_at=0,
        stopped_at=stopped_at,
        due_at=due_at,
        target=objective.target,
        elapsed=elapsed,
        paused=0,
        breached_at=breached_at,
        decided_at=breached_at,
    )


# Tickets


def test_a_ticket_at_risk_is_told_with_what_is_left_and_to_whom_it_escalates() -> None:
    due_at = utc("2026-03-06T14:00")
    record = clock(FIX, 3 * HOUR, due_at=due_at)
    assert ticket_at_risk(FULL, FIX, record, 3 * HOUR) == {
        "objective_kind": "ticket clock",
        "contacts": CONTACTS,
        "escalate_to": "duty, lead",
        "summary": "acme: resolution of ticket T-1 is due Fri 6 Mar 15:00 CET; 1 h left",
        "description": "Managed services for ACME, objective fix: 3 h of 4 h are used. Without a resolution by "
        "Fri 6 Mar 15:00 CET the promise for this ticket is broken.",
        "due_at": "2026-03-06T14:00:00.000000Z",
        "time_left": "1 h",
    }


def test_what_is_left_of_a_clock_with_hours_is_left_of_its_hours() -> None:
    due_at = utc("2026-03-09T08:30:15")
    record = clock(ANSWER, 3 * HOUR, due_at=due_at)
    assert ticket_at_risk(BARE, ANSWER, record, 3 * HOUR) == {
        "objective_kind": "ticket clock",
        "summary": "acme: first response to ticket T-1 is due Mon 9 Mar 09:30:15 CET; 1 h of service hours left",
        "description": "acme, objective answer: 3 h of 4 h are used. Without an answer by Mon 9 Mar 09:30:15 CET "
        "the promise for this ticket is broken.",
        "due_at": "2026-03-09T08:30:15.000000Z",
        "time_left": "1 h",
    }


def test_a_breach_tells_by_how_much_and_that_it_still_runs() -> None:
    due_at = utc("2026-03-06T14:00")
    record = clock(FIX, 4 * HOUR + 5 * MINUTE, due_at=due_at, breached_at=due_at)
    assert ticket_breached(FULL, FIX, record) == {
        "objective_kind": "ticket clock",
        "contacts": CONTACTS,
        "escalate_to": "duty, lead, board",
        "summary": "acme: resolution of ticket T-1 was due Fri 6 Mar 15:00 CET and is overdue",
        "description": "Managed services for ACME, objective fix: the target of 4 h is exceeded by 5 min. The miss counts in "
        "the period of that day, whatever comes after; ending it still limits the damage.",
        "due_at": "2026-03-06T14:00:00.000000Z",
        "breached_at": "2026-03-06T14:00:00.000000Z",
        "time_left": "0 s",
    }


def test_a_breach_of_a_stopped_clock_tells_until_when() -> None:
    due_at, breached_at = utc("2026-03-06T16:00"), utc("2026-03-09T08:00")
    record = clock(
        ANSWER,
        4 * HOUR + SECOND - 1,
        due_at=due_at,
        breached_at=breached_at,
        stopped_at=utc("2026-03-09T09:00"),
    )
    found = ticket_breached(BARE, ANSWER, record)
    assert found == {
        "objective_kind": "ticket clock",
        "summary": "acme: first response to ticket T-1 was due Fri 6 Mar 17:00 CET and was overdue until Mon 9 Mar 10:00 CET",
        "description": "acme, objective answer: the target of 4 h is exceeded. The miss counts in "
        "the period of that day, whatever comes after; ending it still limits the damage.",
        "due_at": "2026-03-06T16:00:00.000000Z",
        "breached_at": "2026-03-09T08:00:00.000000Z",
        "time_left": "0 s",
    }


def test_a_breach_by_a_whole_second_tells_it() -> None:
    record = clock(FIX, 4 * HOUR + SECOND, due_at=0, breached_at=0)
    assert "the target of 4 h is exceeded by 1 s." in ticket_breached(BARE, FIX, record)["description"]


def test_tickets_that_missed_their_share_are_told_in_numbers() -> None:
    fix = TicketObjective("fix", Measure.RESOLUTION, HOUR, ALWAYS, attainment=Attainment(Fraction(95, 100)))
    assert attainment_missed(FULL, fix, MARCH, 2, 1) == {
        "objective_kind": "ticket clock",
        "contacts": CONTACTS,
        "escalate_to": "duty, lead, board",
        "summary": "acme: fix missed its target for the period that ended Wed 1 Apr 00:00 CEST",
        "description": "Managed services for ACME: 2 met and 1 missed, 66.666666 % where 95 % was promised.",
        "breached_at": "2026-03-31T22:00:00.000000Z",
    }


# Services


def test_an_outage_is_told_with_when_the_budget_will_be_gone() -> None:
    due_at = utc("2026-03-06T14:00")
    spent = Exhaustion(Fraction(40 * MINUTE), 29 * MINUTE, due_at, exceeded=False)
    step = OutageStep(TimeLeft(10 * MINUTE, "10m"), due_at - 10 * MINUTE, 10 * MINUTE)
    assert outage_budget(FULL, API, spent, step, 11 * MINUTE, due_at - HOUR, due_at - 11 * MINUTE) == {
        "objective_kind": "availability",
        "contacts": CONTACTS,
        "escalate_to": "duty, lead",
        "summary": "acme: if nobody restores api, api-up is lost Fri 6 Mar 15:00 CET; 11 min left",
        "description": "Managed services for ACME: api is down since Fri 6 Mar 14:00 CET. Of an error budget of 40 min "
        "(target 99.9 %) 29 min are used.",
        "due_at": "2026-03-06T14:00:00.000000Z",
        "time_left": "11 min",
        "down_since": "2026-03-06T13:00:00.000000Z",
        "service_affected": "api",
    }


def test_where_there_is_no_budget_everything_is_used_at_once() -> None:
    perfect = AvailabilityObjective("api-up", "api", Fraction(1), MONTH, OFFICE)
    now = utc("2026-03-06T14:00")
    spent = Exhaustion(Fraction(0), 0, None, exceeded=False)
    found = outage_budget(FULL, perfect, spent, OutageStep(TimeLeft(0, "0m"), now, 0), 0, now, now)
    assert found["escalate_to"] == "duty, lead, board"
    assert found["summary"] == (
        "acme: if nobody restores api, api-up is lost Fri 6 Mar 15:00 CET; 0 s of service hours left"
    )
    assert found["due_at"] == "2026-03-06T14:00:00.000000Z"


@pytest.mark.parametrize(
    ("window", "outlook"),
    [
        (MONTH, "Nothing before Wed 1 Apr 00:00 CEST can repair it."),
        (ROLLING, "It recovers as the outages leave the rolling window."),
    ],
)
def test_a_budget_that_is_gone_is_told_with_what_can_repair_it(window: TimeWindow, outlook: str) -> None:
    objective = AvailabilityObjective("api-up", "api", Fraction(999, 1000), window, ALWAYS)
    at = utc("2026-03-06T14:00")
    spent = Exhaustion(Fraction(40 * MINUTE), 42 * MINUTE, at, exceeded=True)
    assert period_breached(FULL, objective, spent, MARCH, at + 2 * MINUTE) == {
        "objective_kind": "availability",
        "contacts": CONTACTS,
        "escalate_to": "duty, lead, board",
        "summary": "acme: api-up is breached since Fri 6 Mar 15:00 CET",
        "description": "Managed services for ACME: the 40 min of downtime of api that 99.9 % allows are used up, and 2 min more. "
        + outlook,
        "breached_at": "2026-03-06T14:00:00.000000Z",
        "service_affected": "api",
    }


@pytest.mark.parametrize(("over", "more"), [(SECOND - 1, ""), (SECOND, ", and 1 s more")])
def test_of_a_budget_just_gone_less_than_a_second_more_is_not_told(over: int, more: str) -> None:
    spent = Exhaustion(Fraction(40 * MINUTE), 40 * MINUTE + over, None, exceeded=True)
    found = period_breached(BARE, API, spent, MARCH, utc("2026-03-06T14:00"))
    assert f"are used up{more}. Nothing" in found["description"]
    assert found["breached_at"] == "2026-03-06T14:00:00.000000Z"


def test_a_burning_budget_is_told_with_how_fast() -> None:
    pair = BurnRatePair("fast", Fraction(2, 100), HOUR, 5 * MINUTE, Severity.CRITICAL)
    found = budget_burn(FULL, API, pair, Fraction(1444, 100))
    assert found == {
        "objective_kind": "availability",
        "contacts": CONTACTS,
        "summary": "acme: api-up burns its error budget 14.4 times as fast as allowed",
        "description": "Managed services for ACME: over the last 1 h and still over the last 5 min, api failed so much that 2 % of "
        "the period's budget is gone within 1 h (target 99.9 %).",
        "burn_rate": "14.44",
        "service_affected": "api",
    }
    unknown = budget_burn(FULL, API, pair, None)
    assert unknown == found | {"summary": "acme: api-up burns its error budget", "burn_rate": ""}


@pytest.mark.parametrize(
    ("window", "target", "promised", "outlook"),
    [
        (MONTH, Fraction(1), "100 %", "Nothing before Wed 1 Apr 00:00 CEST can repair it."),
        (MONTH, Fraction(999, 1000), "99.9 %", "The period ended Wed 1 Apr 00:00 CEST."),
        (
            ROLLING,
            Fraction(1),
            "100 %",
            "It recovers as the failures leave the rolling window, or as enough other requests succeed.",
        ),
    ],
)
def test_failed_requests_are_told_in_numbers(
    window: TimeWindow, target: Fraction, promised: str, outlook: str
) -> None:
    objective = RequestsObjective("calls", "api", target, window, ALWAYS)
    found = requests_failed(FULL, objective, MARCH, utc("2026-03-06T14:00"), RequestCounts((2400, 1), (5, 2)))
    assert found == {
        "objective_kind": "requests",
        "contacts": CONTACTS,
        "escalate_to": "duty, lead, board",
        "summary": "acme: calls is breached since Fri 6 Mar 15:00 CET",
        "description": "Managed services for ACME: 2 of 2,400 requests to api failed, 99.895833 % succeeded where "
        f"{promised} was promised. {outlook}",
        "breached_at": "2026-03-06T14:00:00.000000Z",
        "service_affected": "api",
    }


def test_a_service_that_is_not_measured_is_told_since_when() -> None:
    assert measurement_lost(FULL, API, utc("2026-03-06T14:00")) == {
        "objective_kind": "availability",
        "contacts": CONTACTS,
        "summary": "acme: api is not measured well enough to judge api-up",
        "description": "Managed services for ACME: less than 90 % of the time is known since Fri 6 Mar 15:00 CET. Burn-rate alerts "
        "are frozen until the monitor reports again.",
        "service_affected": "api",
    }


# Numbers in words


@pytest.mark.parametrize(
    ("microseconds", "words"),
    [
        (0, "0 s"),
        (SECOND // 2 - 1, "0 s"),
        (SECOND // 2, "1 s"),
        (MINUTE - SECOND // 2, "1 min"),
        (61 * SECOND, "1 min 1 s"),
        (HOUR, "1 h"),
        (HOUR + SECOND, "1 h 1 s"),
        (DAY + HOUR + MINUTE, "1 d 1 h"),
        (-65 * MINUTE, "1 h 5 min"),
    ],
)
def test_a_duration_is_told_in_its_two_largest_units_to_the_nearest_second(
    microseconds: int, words: str
) -> None:
    assert duration(microseconds) == words


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (Fraction(0), "0 %"),
        (Fraction(1), "100 %"),
        (Fraction(1, 10), "10 %"),
        (Fraction(2, 3), "66.666666 %"),
        (Fraction(99_999_999_999, 100_000_000_000), "99.999999 %"),
        (Fraction(10_005, 1_000_000), "1.0005 %"),
    ],
)
def test_a_share_is_cut_and_never_rounded_up_to_a_target(share: Fraction, words: str) -> None:
    assert percent(share) == words


def test_a_share_is_shown_to_as_many_digits_as_are_asked_for() -> None:
    assert percent(Fraction(2, 3), 2) == "66.66 %"


def test_requests_are_told_in_thousands_to_the_nearest_whole_one() -> None:
    assert [requests(Fraction(one)) for one in (Fraction(14, 10), 1234, 1_000_000)] == [
        "1",
        "1,234",
        "1,000,000",
    ]


def test_what_lies_beyond_the_calendar_is_never() -> None:
    last = utc("9999-12-31T00:00")
    assert instant(FOREVER) == instant(last) == "9999-12-31T00:00:00.000000Z"
    assert instant(last - 1) == "9999-12-30T23:59:59.999999Z"
    assert local(last, BARE) == "never"
    assert local(last - SECOND, BARE) == "Fri 31 Dec 00:59:59 CET"
