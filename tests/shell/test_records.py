"""Outputs as JSON lines: the members, their order, and numbers as they must be written."""

from dataclasses import replace
from fractions import Fraction

import msgspec
import pytest

from slamon.codec import parse_instant
from slamon.domain.agreement import Measure
from slamon.domain.decisions import (
    AlertTransition,
    Budget,
    ClockOutcome,
    ClockRecord,
    ClockState,
    Credit,
    Outcome,
    Ratios,
    Reason,
    RequestCounts,
    RevisionReason,
    SecondCounts,
    Standing,
    StandingState,
    Statement,
    TicketCounts,
    Transition,
)
from slamon.records import (
    alert_record,
    books_credit,
    clock_key,
    clock_record,
    credit_record,
    standing_record,
    statement_key,
    statement_record,
)

NOON = parse_instant("2026-11-23T12:00:00Z")
MINUTE = 60_000_000
MONTH = (parse_instant("2026-11-01T00:00:00+01:00"), parse_instant("2026-12-01T00:00:00+01:00"))

CLOCK = ClockRecord(
    customer="acme",
    agreement="acme-2026",
    objective="p1-response",
    measure=Measure.FIRST_RESPONSE,
    ticket="T-1",
    cycle=1,
    state=ClockState.RUNNING,
    outcome=ClockOutcome.PENDING,
    started_at=NOON,
    stopped_at=None,
    due_at=NOON + 15 * MINUTE,
    target=15 * MINUTE,
    elapsed=90_250_000,
    paused=1,
    breached_at=None,
    decided_at=None,
)
STANDING = Standing(
    customer="acme",
    agreement="acme-2026",
    objective="api-availability",
    at=NOON,
    period=MONTH,
    standing=StandingState.AT_RISK,
    target=Fraction(999, 1000),
    ratios=Ratios(attained=(2, 3), best_case=(1, 1), worst_case=(0, 1), coverage=None),
    tickets=None,
    seconds=SecondCounts(applicable=3 * MINUTE, known=2 * MINUTE, down=1, unknown=MINUTE, excluded=0),
    misses_left=None,
    budget=Budget(whole=Fraction(2_592_000_000), remaining=Fraction(-3, 2)),
    exhausted_at=NOON,
)
STATEMENT = Statement(
    customer="acme",
    agreement="acme-2026",
    objective="p1-response",
    start=MONTH[0],
    end=MONTH[1],
    revision=2,
    outcome=Outcome.MISSED,
    target=(19, 20),
    ratios=Ratios(attained=(1, 2), best_case=(1, 2), worst_case=(1, 2), coverage=None),
    tickets=TicketCounts(met=1, missed=1, pending=0),
    seconds=None,
)
ALERT = AlertTransition(
    id="a1b2",
    episode=1,
    transition=Transition.FIRED,
    at=NOON,
    detected_at=NOON + 1,
    late=False,
    reason=Reason.STEP_REACHED,
    labels={"alertname": "SlaTicketAtRisk", "severity": "warning", "step": "75%"},
    annotations={"summary": "Ticket T-1: 3 minutes left — “Zürich”"},
)


def test_a_clock_has_the_members_of_the_interface_in_their_order() -> None:
    assert clock_record(CLOCK).decode() == (
        '{"customer":"acme","agreement":"acme-2026","objective":"p1-response","measure":"firstResponse",'
        '"ticket":"T-1","cycle":1,"state":"running","outcome":"pending",'
        '"started_at":"2026-11-23T12:00:00.000000Z","stopped_at":null,"due_at":"2026-11-23T12:15:00.000000Z",'
        '"target_seconds":900,"elapsed_seconds":90.25,"paused_seconds":0.000001,'
        '"breached_at":null,"decided_at":null}'
    )


def test_a_standing_has_the_members_of_the_interface_in_their_order() -> None:
    assert standing_record(STANDING).decode() == (
        '{"customer":"acme","agreement":"acme-2026","objective":"api-availability",'
        '"at":"2026-11-23T12:00:00.000000Z",'
        '"period":{"from":"2026-10-31T23:00:00.000000Z","to":"2026-11-30T23:00:00.000000Z"},'
        '"standing":"at_risk","target_ratio":0.999,"attained_ratio":0.666666667,"best_case_ratio":1,'
        '"worst_case_ratio":0,"coverage_ratio":null,"tickets":null,'
        '"seconds":{"applicable":180,"known":120,"down":0.000001,"unknown":60,"excluded":0},'
        '"requests":null,"misses_left":null,"budget":{"seconds":2592,"remaining_seconds":-0.000002},'
        '"exhausted_at":"2026-11-23T12:00:00.000000Z"}'
    )


def test_a_statement_has_the_members_of_the_interface_in_their_order() -> None:
    assert statement_record(STATEMENT).decode() == (
        '{"customer":"acme","agreement":"acme-2026","objective":"p1-response",'
        '"period":{"from":"2026-10-31T23:00:00.000000Z","to":"2026-11-30T23:00:00.000000Z"},'
        '"revision":2,"outcome":"missed","target_ratio":0.95,"attained_ratio":0.5,"best_case_ratio":0.5,'
        '"worst_case_ratio":0.5,"coverage_ratio":null,"tickets":{"met":1,"missed":1,"pending":0},'
        '"seconds":null,"requests":null,"credit":null,"claim_until":null,"note":null,"terms":""}'
    )


CREDITED = msgspec.structs.replace(
    STATEMENT,
    credit=Credit(share=(1, 3), amount="4000.00", currency="EUR"),
    claim_until=NOON,
    terms="0123456789abcdef",
    reason=RevisionReason.AMENDED,
    entry="-800.00",
)


def test_a_credit_is_told_in_percent_with_its_amount_and_until_when_it_can_be_claimed() -> None:
    assert (
        statement_record(CREDITED)
        .decode()
        .endswith(
            ',"credit":{"percent":33.333333,"amount":"4000.00","currency":"EUR"},'
            '"claim_until":"2026-11-23T12:00:00.000000Z","note":null,"terms":"0123456789abcdef"}'
        )
    )


@pytest.mark.parametrize(
    ("share", "percent"),
    [
        ((0, 1), "0"),
        ((1, 10), "10"),
        ((7, 1), "700"),
        ((1, 3), "33.333333"),
        ((1, 2 * 10**8), "0"),  # half a millionth of a percent: to the even neighbour
        ((3, 2 * 10**8), "0.000002"),
    ],
)
def test_percents_are_rounded_half_even_to_six_decimals(share: tuple[int, int], percent: str) -> None:
    credited = msgspec.structs.replace(CREDITED, credit=Credit(share, None, None))
    wanted = f'"credit":{{"percent":{percent},"amount":null,"currency":null}}'
    assert wanted in statement_record(credited).decode()


def test_the_history_of_a_revision_stands_behind_what_does_not_depend_on_it() -> None:
    plain = statement_record(CREDITED).decode()
    history = ',"reason":"amended","entry":"-800.00"}'
    assert statement_record(CREDITED, history=True).decode() == plain.removesuffix("}") + history


def test_an_undetermined_period_with_a_remedy_says_why_there_is_no_credit() -> None:
    note = '"note":"No credit: too little was measured to say whether the target was missed."'
    none = Credit(share=(0, 1), amount="0.00", currency="EUR")
    undetermined = msgspec.structs.replace(CREDITED, outcome=Outcome.UNDETERMINED, credit=none)
    assert note in statement_record(undetermined).decode()
    without_remedy = msgspec.structs.replace(undetermined, credit=None)
    assert '"note":null' in statement_record(without_remedy).decode()
    met = msgspec.structs.replace(undetermined, outcome=Outcome.MET)
    assert '"note":null' in statement_record(met).decode()


def test_an_entry_has_its_members_in_their_order() -> None:
    assert credit_record(CREDITED).decode() == (
        '{"customer":"acme","agreement":"acme-2026","objective":"p1-response",'
        '"period":{"from":"2026-10-31T23:00:00.000000Z","to":"2026-11-30T23:00:00.000000Z"},'
        '"revision":2,"percent":33.333333,"entry":"-800.00","amount":"4000.00","currency":"EUR","reason":"amended"}'
    )


@pytest.mark.parametrize(
    ("credit", "entry", "books"),
    [
        (Credit((1, 3), "4000.00", "EUR"), "0.00", True),
        (Credit((1, 3), None, None), None, True),
        (Credit((0, 1), "0.00", "EUR"), "-4000.00", True),
        (Credit((0, 1), "0.00", "EUR"), "0.00", False),
        (Credit((0, 1), None, None), None, False),
        (None, None, False),
        (None, "-4000.00", True),
    ],
)
def test_the_list_of_credits_holds_what_is_given_and_what_is_taken_back(
    credit: Credit | None, entry: str | None, books: bool
) -> None:
    assert books_credit(msgspec.structs.replace(CREDITED, credit=credit, entry=entry)) is books


def test_requests_are_whole_numbers_unless_a_border_cut_a_bucket() -> None:
    counts = RequestCounts((1300, 1), (20, 3))
    standing = replace(STANDING, seconds=None, budget=None, requests=counts)
    statement = msgspec.structs.replace(STATEMENT, tickets=None, requests=counts)
    for record in (standing_record(standing), statement_record(statement)):
        assert b'"tickets":null,"seconds":null,"requests":{"total":1300,"bad":6.666667}' in record


def test_an_alert_has_the_members_of_the_interface_in_their_order() -> None:
    assert alert_record(ALERT, 7).decode() == (
        '{"id":"a1b2","number":7,"episode":1,"transition":"fired","at":"2026-11-23T12:00:00.000000Z",'
        '"detected_at":"2026-11-23T12:00:00.000001Z","late":false,"reason":"step_reached",'
        '"labels":{"alertname":"SlaTicketAtRisk","severity":"warning","step":"75%"},'
        '"annotations":{"summary":"Ticket T-1: 3 minutes left — “Zürich”"}}'
    )


def test_an_alert_of_a_replay_has_no_number() -> None:
    assert b'"number":null' in alert_record(ALERT, None)


@pytest.mark.parametrize(
    ("share", "text"),
    [
        ((1, 1), "1"),
        ((0, 1), "0"),
        ((1, 3), "0.333333333"),
        ((2, 3), "0.666666667"),
        ((999, 1000), "0.999"),
        ((1, 2 * 10**9), "0"),  # half a billionth: to the even neighbour
        ((3, 2 * 10**9), "0.000000002"),
        ((1, 10**9), "0.000000001"),
        ((10**20 - 1, 10**20), "1"),
    ],
)
def test_ratios_are_rounded_half_even_to_nine_decimals(share: tuple[int, int], text: str) -> None:
    ratios = Ratios(attained=share, best_case=None, worst_case=None, coverage=None)
    statement = msgspec.structs.replace(STATEMENT, ratios=ratios)
    assert f'"attained_ratio":{text},"best_case_ratio":null' in statement_record(statement).decode()


def test_seconds_keep_every_microsecond_however_long_they_are() -> None:
    century = 100 * 366 * 86_400 * 1_000_000 + 1
    assert b'"elapsed_seconds":3162240000.000001,' in clock_record(replace(CLOCK, elapsed=century))


def test_clocks_are_ordered_by_ticket_before_measure_and_cycle() -> None:
    clocks = [
        replace(CLOCK, ticket="T-2", cycle=1),
        replace(CLOCK, measure=Measure.RESOLUTION),
        replace(CLOCK, cycle=10),
        replace(CLOCK, cycle=9),
        replace(CLOCK, objective="other"),
        replace(CLOCK, customer="Zeta"),
    ]
    assert sorted(clocks, key=clock_key) == [
        clocks[5],
        clocks[4],
        clocks[3],
        clocks[2],
        clocks[1],
        clocks[0],
    ]


def test_statements_are_ordered_by_period_and_revision_last() -> None:
    assert statement_key(STATEMENT) == ("acme", "acme-2026", "p1-response", *MONTH, 2)
