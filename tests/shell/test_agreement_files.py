"""Agreements from files: what is read, from where, and that a fault never passes for a term."""

import os
from datetime import date
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slamon.agreement_files import Loaded, load, yaml_source
from slamon.agreement_files.availability_objective import within_reach
from slamon.agreement_files.findings import Report
from slamon.agreement_files.notations import duration, duration_by, percentage
from slamon.domain.agreement import (
    DEFAULT_BURN_RATES,
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
    Objective,
    PerMiss,
    Remedies,
    Reporting,
    RequestsObjective,
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
from slamon.domain.events import DAY, HOUR, MINUTE, SECOND, ExclusionReason
from slamon.domain.intervals import FOREVER
from slamon.domain.periods import TimeWindow, Unit, local_midnight

CONFIG = Path(__file__).parents[2] / "config"
SHIPPED = sorted(CONFIG.glob("*/*.yaml"))

OFFICE = """
apiVersion: slamon/v1
kind: Calendar
metadata: {name: office}
spec:
  timeZone: Europe/Berlin
  hours: {mon-fri: "09:00-17:00"}
"""

FULL = """
apiVersion: slamon/v1
kind: Agreement
metadata: {name: acme-2026, displayName: Managed services for ACME}
spec:
  customer: acme
  effective: {from: 2026-01-01, to: 2026-12-31}
  timeZone: Europe/Berlin
  services:
    - {name: billing-api, description: Invoicing}
    - name: shop
  support:
    calendar: office
    contacts: [{role: service manager, email: sla@example.com}]
    escalation: [{after: 75%, to: duty manager}, {after: 100%, to: head of IT}]
  objectives:
    - name: p1-response
      ticketClock:
        measure: firstResponse
        when: {priority: [P1, P2], attributes: {region: eu}}
        calendar: always
        target: 1h30m
        pauseWhile: {waitingOn: [customer, the bank]}
        onPriorityChange: carry
        warnAt: [-10m, 90%, 50%]
      attainment: {target: 95%, timeWindow: {rolling: 90d}, minimumTickets: 20, belowMinimum: notApplicable}
      severity: {SlaTicketAtRisk: warning, SlaBreached: info}
    - name: shop-resolution
      service: shop
      ticketClock: {measure: resolution, calendar: office, target: 2bd, stopOn: closed, onReopen: continue}
      attainment: {target: 90.5%}
    - name: api
      service: billing-api
      availability:
        target: 99.95%
        timeWindow: {calendar: quarter}
        calendar: office
        degradedCountsAs: down
        unknownCountsAs: up
        minimumOutage: 60s
        exclusionsCountAs: up
        downWhile: {tickets: {priority: P1, service: [shop], attributes: {region: [eu, us]}}}
        alerts: {burnRates: none, timeLeft: [50%, 10m, 1bd], alertAfter: 5m, coverageBelow: 80%}
      severity: {SlaOutageBudget: critical}
    - name: api-requests
      service: shop
      requests:
        target: 99.5%
        timeWindow: {rolling: 28d}
        calendar: office
        exclusionsCountAs: up
        alerts: {burnRates: none}
      severity: {SlaBudgetBurn: critical, SlaBreached: info}
  exclusions:
    - {name: sunday, reason: maintenance, schedule: {rrule: "FREQ=WEEKLY;BYDAY=SU", at: 02:00, duration: 2h}, services: [shop]}
    - {name: announced, reason: agreed, declared: true, notice: 72h, atMost: {duration: 8h, per: month}, clause: § 9}
  remedies:
    fee: {amount: 12000.10, currency: EUR, per: month}
    credits:
      - {objective: api, bands: [{below: 99.95%, credit: 10%}, {below: 99%, credit: 25.5%}]}
      - {objective: p1-response, perMiss: 1%, cap: 15%}
      - {objective: api, linear: {percentPerPoint: 0.5}}
    cap: 100%
    claimWithin: 30d
  liability: {indemnification: § 7, notes: free text}
  reporting: {period: quarter, settleAfter: 48h, portal: false}
"""


def loaded(tmp_path: Path, *texts: str) -> Loaded:
    for index, text in enumerate(texts):
        (tmp_path / f"{index}.yaml").write_text(text, encoding="utf-8")
    return load([tmp_path])


def only(tmp_path: Path, *texts: str) -> Agreement:
    found = loaded(tmp_path, *texts)
    assert [str(fault) for fault in found.faults] == []
    (agreement,) = found.agreements
    return agreement


def agreement_with(
    objective: str, *, name: str = "acme", dates: str = "{from: 2026-01-01}", more: str = ""
) -> str:
    return f"""
apiVersion: slamon/v1
kind: Agreement
metadata: {{name: {name}}}
spec:
  customer: acme
  effective: {dates}
  objectives: [{objective}]
  {more}
"""


RESPONSE = "{name: response, ticketClock: {measure: firstResponse, target: 15m}}"
API = "{name: api, service: billing-api, availability: {target: 99.9%, timeWindow: {calendar: month}}}"

REQUESTS = "{name: requests, service: billing-api, requests: {target: 99.5%, timeWindow: {calendar: month}}}"


def objective_of(tmp_path: Path, objective: str, more: str = "") -> Objective:
    return only(tmp_path, agreement_with(objective, more=more), OFFICE).objectives[0]


def messages(found: Loaded) -> list[str]:
    return [fault.message for fault in found.faults]


def test_every_term_of_an_agreement_is_typed(tmp_path: Path) -> None:
    office = Calendar.weekly("office", "Europe/Berlin", {weekday: [(540, 1020)] for weekday in range(5)})
    assert only(tmp_path, FULL, OFFICE) == Agreement(
        name="acme-2026",
        customer="acme",
        zone="Europe/Berlin",
        start=local_midnight("Europe/Berlin", date(2026, 1, 1)),
        end=local_midnight("Europe/Berlin", date(2027, 1, 1)),
        first_day=date(2026, 1, 1),
        objectives=(
            TicketObjective(
                name="p1-response",
                measure=Measure.FIRST_RESPONSE,
                target=90 * MINUTE,
                calendar=ALWAYS,
                when=TicketFilter(
                    priority=frozenset({"P1", "P2"}), attributes=(("region", frozenset({"eu"})),)
                ),
                pause_on=frozenset({"customer", "the bank"}),
                warn_at=(
                    Share(Fraction(1, 2), "50%"),
                    TimeLeft(10 * MINUTE, "-10m"),  # at 80 of 90 minutes
                    Share(Fraction(9, 10), "90%"),
                ),
                attainment=Attainment(
                    Fraction(95, 100), TimeWindow(None, 90 * DAY), 20, BelowMinimum.NOT_APPLICABLE
                ),
                severity={AlertName.TICKET_AT_RISK: Severity.WARNING, AlertName.BREACHED: Severity.INFO},
            ),
            TicketObjective(
                name="shop-resolution",
                measure=Measure.RESOLUTION,
                target=16 * HOUR,
                calendar=office,
                when=TicketFilter(service=frozenset({"shop"})),
                pause_on=frozenset({"customer"}),
                stop_on=StopOn.CLOSED,
                attainment=Attainment(Fraction(905, 1000), TimeWindow(Unit.QUARTER, None)),
            ),
            AvailabilityObjective(
                name="api",
                service="billing-api",
                target=Fraction(9995, 10000),
                window=TimeWindow(Unit.QUARTER, None),
                calendar=office,
                degraded_counts_as=DegradedCountsAs.DOWN,
                unknown_counts_as=UnknownCountsAs.UP,
                minimum_outage=MINUTE,
                exclusions_count_as=ExclusionsCountAs.UP,
                down_while=TicketFilter(
                    frozenset({"P1"}), frozenset({"shop"}), (("region", frozenset({"eu", "us"})),)
                ),
                alerts=AvailabilityAlerts(
                    burn_rates=(),
                    time_left=(
                        Share(Fraction(1, 2), "50%"),
                        TimeLeft(10 * MINUTE, "10m"),
                        TimeLeft(8 * HOUR, "1bd"),
                    ),
                    alert_after=5 * MINUTE,
                    coverage_below=Fraction(4, 5),
                ),
                severity={AlertName.OUTAGE_BUDGET: Severity.CRITICAL},
            ),
            RequestsObjective(
                name="api-requests",
                service="shop",
                target=Fraction(995, 1000),
                window=TimeWindow(None, 28 * DAY),
                calendar=office,
                exclusions_count_as=ExclusionsCountAs.UP,
                burn_rates=(),
                severity={AlertName.BUDGET_BURN: Severity.CRITICAL, AlertName.BREACHED: Severity.INFO},
            ),
        ),
        display_name="Managed services for ACME",
        services=(Service("billing-api", "Invoicing"), Service("shop")),
        exclusions=(
            ExclusionTerm(
                name="sunday",
                reason=ExclusionReason.MAINTENANCE,
                schedule=Schedule("FREQ=WEEKLY;BYDAY=SU", 120, 2 * HOUR),
                services=frozenset({"shop"}),
            ),
            ExclusionTerm(
                name="announced",
                reason=ExclusionReason.AGREED,
                notice=72 * HOUR,
                cap=Cap(8 * HOUR, Unit.MONTH),
                clause="§ 9",
            ),
        ),
        contacts=(Contact("service manager", email="sla@example.com"),),
        escalation=(
            Escalation(Share(Fraction(3, 4), "75%"), "duty manager"),
            Escalation(Share(Fraction(1), "100%"), "head of IT"),
        ),
        remedies=Remedies(
            credits=(
                CreditTerm(
                    "api",
                    Bands(
                        (
                            Band(Fraction(9995, 10000), Fraction(1, 10)),
                            Band(Fraction(99, 100), Fraction(255, 1000)),
                        )
                    ),
                ),
                CreditTerm("p1-response", PerMiss(Fraction(1, 100)), cap=Fraction(15, 100)),
                CreditTerm("api", Linear(Fraction(1, 2))),
            ),
            fee=Fee(Fraction(1200010, 100), "EUR", Unit.MONTH),
            cap=Fraction(1),
            claim_within=30 * DAY,
        ),
        reporting=Reporting(Unit.QUARTER, 48 * HOUR),
        liability={"indemnification": "§ 7", "notes": "free text"},
    )


def test_what_is_left_out_has_its_default(tmp_path: Path) -> None:
    agreement = only(tmp_path, agreement_with(f"{RESPONSE}, {API}, {REQUESTS}"))
    assert (agreement.zone, agreement.end, agreement.services) == ("UTC", FOREVER, None)
    assert agreement.reporting == Reporting(Unit.MONTH, 24 * HOUR)
    response, api, requests = agreement.objectives
    assert response == TicketObjective("response", Measure.FIRST_RESPONSE, 15 * MINUTE, ALWAYS)
    assert api == AvailabilityObjective(
        "api", "billing-api", Fraction(999, 1000), TimeWindow(Unit.MONTH, None), ALWAYS
    )
    assert requests == RequestsObjective(
        "requests", "billing-api", Fraction(995, 1000), TimeWindow(Unit.MONTH, None), ALWAYS
    )


def test_attainment_is_all_tickets_of_the_reporting_period_by_default(tmp_path: Path) -> None:
    objective = objective_of(tmp_path, RESPONSE, "reporting: {period: week}")
    assert isinstance(objective, TicketObjective)
    assert objective.attainment == Attainment(Fraction(1), TimeWindow(Unit.WEEK, None))


@pytest.mark.parametrize(
    ("clock", "parties"),
    [
        ("measure: resolution", {"customer"}),
        ("measure: firstResponse", set()),
        ("measure: resolution, pauseWhile: {waitingOn: []}", set()),
        ("measure: resolution, pauseWhile: {waitingOn: supplier}", {"supplier"}),
        ("measure: firstResponse, pauseWhile: {waitingOn: [customer]}", {"customer"}),
    ],
)
def test_a_resolution_waits_for_the_customer_unless_it_says_otherwise(
    tmp_path: Path, clock: str, parties: set[str]
) -> None:
    objective = objective_of(tmp_path, f"{{name: x, ticketClock: {{{clock}, target: 4h}}}}")
    assert isinstance(objective, TicketObjective)
    assert objective.pause_on == parties


def test_a_scalar_means_what_it_says_quoted_or_not(tmp_path: Path) -> None:
    plain = only(tmp_path, agreement_with(RESPONSE).replace("customer: acme", "customer: NO"))
    quoted = only(tmp_path, agreement_with(RESPONSE).replace("customer: acme", 'customer: "NO"'))
    assert plain == quoted
    assert plain.customer == "NO"


def test_priorities_that_look_like_numbers_stay_words(tmp_path: Path) -> None:
    clock = "{measure: resolution, target: 4h, when: {priority: [1, 02, 1.10, on, ~]}}"
    objective = objective_of(tmp_path, f"{{name: x, ticketClock: {clock}}}")
    assert isinstance(objective, TicketObjective)
    assert objective.when.priority == frozenset({"1", "02", "1.10", "on", "~"})


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("12,000.00", "12000.00"),
        ("12.000,50 €", "12000.50"),
        ("EUR 12000", "12000"),
        ("12000,5", "12000.5"),
        ("12,000", "12000"),
        ("1'200'000.00", "1200000.00"),
        ("1,200,000", "1200000"),
        ("-5.00", "5.00"),
        ("much", "12000.00"),
    ],
)
def test_an_amount_written_otherwise_is_answered_with_what_was_meant(
    tmp_path: Path, written: str, meant: str
) -> None:
    more = (
        f'remedies: {{fee: {{amount: "{written}", currency: EUR, per: month}}, '
        "credits: [{objective: response, perMiss: 1%}]}"
    )
    (fault,) = loaded(tmp_path, agreement_with(RESPONSE, more=more)).faults
    assert fault.help == f'write `amount: "{meant}"`'


def test_the_last_day_belongs_to_the_agreement(tmp_path: Path) -> None:
    agreement = only(tmp_path, agreement_with(RESPONSE, dates="{from: 2026-05-01, to: 2026-05-01}"))
    assert agreement.end - agreement.start == DAY


def test_versions_that_follow_each_other_do_not_overlap(tmp_path: Path) -> None:
    found = loaded(
        tmp_path,
        agreement_with(RESPONSE, dates="{from: 2026-01-01, to: 2026-12-31}"),
        agreement_with(RESPONSE, dates="{from: 2027-01-01}"),
    )
    assert messages(found) == []
    assert len(found.agreements) == 2


def test_an_overlap_names_both_places(tmp_path: Path) -> None:
    found = loaded(tmp_path, agreement_with(RESPONSE), agreement_with(RESPONSE))
    (fault,) = found.faults
    assert fault.file == str(tmp_path / "1.yaml")
    assert f"{tmp_path / '0.yaml'}:7:3" in fault.message
    assert fault.where == f"{tmp_path / '1.yaml'}:7:3"


def test_with_a_fault_there_are_no_agreements_at_all(tmp_path: Path) -> None:
    found = loaded(tmp_path, agreement_with(RESPONSE, name="good"), agreement_with("{name: bad}"))
    assert found.agreements == ()
    assert len(found.faults) == 1


def test_faults_come_in_the_order_of_the_files_from_top_to_bottom(tmp_path: Path) -> None:
    broken = FULL.replace("2026-12-31", "soon").replace("1h30m", "long").replace("quarter", "season")
    found = loaded(tmp_path, broken, OFFICE.replace("Berlin", "Berln"), broken)
    places = [(fault.file, fault.line, fault.column) for fault in found.faults]
    assert places == sorted(places)
    assert len(places) == 9


def test_a_fault_in_one_line_for_logs(tmp_path: Path) -> None:
    (fault,) = loaded(tmp_path, agreement_with(RESPONSE.replace("15m", "15"))).faults
    assert str(fault) == (
        f"{tmp_path / '0.yaml'}:8:79: spec.objectives[0].ticketClock.target: `15` of which unit?"
    )


def test_a_faulty_calendar_is_reported_once_and_not_by_those_who_name_it(tmp_path: Path) -> None:
    found = loaded(tmp_path, FULL, OFFICE.replace("09:00-17:00", "9-5"))
    assert messages(found) == ["`9-5` is no opening hours: write `08:00-18:00`, several with a comma"]


def test_a_calendar_in_a_file_that_cannot_be_read_is_not_called_unknown(tmp_path: Path) -> None:
    found = loaded(tmp_path, FULL, OFFICE.replace("{name: office}", "{name: office"))
    assert [fault.file for fault in found.faults] == [str(tmp_path / "1.yaml")]


def test_documents_before_a_syntax_fault_are_still_read(tmp_path: Path) -> None:
    found = loaded(tmp_path, agreement_with("{name: bad}") + "---\n" + OFFICE.replace('"09', "'09"))
    assert messages(found)[0] == "this objective promises nothing"
    assert len(found.faults) == 2


def test_the_service_of_an_objective_narrows_its_filter(tmp_path: Path) -> None:
    clock = "{measure: resolution, target: 4h, when: {service: [shop, api]}}"
    objective = objective_of(tmp_path, f"{{name: x, service: shop, ticketClock: {clock}}}")
    assert isinstance(objective, TicketObjective)
    assert objective.when.service == frozenset({"shop"})


# Where files are found


def test_directories_are_read_with_all_below_and_each_file_once(tmp_path: Path) -> None:
    (tmp_path / "a" / "deep").mkdir(parents=True)
    (tmp_path / "a" / "deep" / "acme.yml").write_text(FULL)
    (tmp_path / "calendars.yaml").write_text(OFFICE)
    (tmp_path / "notes.txt").write_text("not: ours")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "again.yaml").symlink_to(tmp_path / "calendars.yaml")
    found = load([tmp_path, tmp_path / "calendars.yaml", tmp_path / "a"])
    assert messages(found) == []
    assert found.files == (str(tmp_path / "a" / "deep" / "acme.yml"), str(tmp_path / "again.yaml"))


def test_a_mounted_config_map_is_read_once(tmp_path: Path) -> None:
    version = tmp_path / "..2026_01_01"
    version.mkdir()
    (version / "acme.yaml").write_text(agreement_with(RESPONSE))
    (tmp_path / "..data").symlink_to(version.name)
    (tmp_path / "acme.yaml").symlink_to(Path("..data") / "acme.yaml")
    found = load([tmp_path])
    assert found.files == (str(tmp_path / "acme.yaml"),)
    assert len(found.agreements) == 1


def test_hidden_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / ".acme.yaml.swp.yaml").write_text("{")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "x.yaml").write_text("{")
    assert len(loaded(tmp_path, agreement_with(RESPONSE)).files) == 1


def test_a_missing_path_is_the_callers_mistake(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load([tmp_path / "missing"])


def test_a_link_to_nowhere_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "gone.yaml").symlink_to(tmp_path / "nowhere")
    assert messages(load([tmp_path])) == ["this file cannot be read: No such file or directory"]


def test_a_file_in_another_encoding_is_a_fault_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes("a: 1\nname: Müller\n".encode("latin-1"))
    (fault,) = load([tmp_path]).faults
    assert (fault.line, fault.column, fault.message) == (2, 8, "this is not UTF-8 text")


def test_the_mark_that_some_editors_put_first_is_ignored(tmp_path: Path) -> None:
    (tmp_path / "bom.yaml").write_bytes(b"\xef\xbb\xbf" + agreement_with(RESPONSE).encode())
    assert len(load([tmp_path]).agreements) == 1


def test_line_ends_of_windows_change_nothing(tmp_path: Path) -> None:
    text = FULL + "---" + OFFICE
    unix = only(tmp_path, text)
    (tmp_path / "0.yaml").write_bytes(text.replace("\n", "\r\n").encode())
    assert load([tmp_path]).agreements == (unix,)


def test_a_file_with_comments_only_gets_advice(tmp_path: Path) -> None:
    found = loaded(tmp_path, "# to come\n---\n", OFFICE)
    assert messages(found) == []
    assert [(advice.rule, advice.file) for advice in found.advice] == [
        ("empty-file", str(tmp_path / "0.yaml"))
    ]


def test_a_misspelt_header_in_a_directory_is_a_fault_and_not_left_out(tmp_path: Path) -> None:
    found = loaded(tmp_path, "apiversion: slamon/v1\nknd: Agreement\n")
    assert messages(found) == [
        "unknown key `apiversion`: did you mean `apiVersion`?",
        "unknown key `knd`: did you mean `kind`?",
    ]


def test_nesting_has_a_limit(tmp_path: Path) -> None:
    found = loaded(tmp_path, "apiVersion: " + "[" * 2_000 + "]" * 2_000)
    assert "this is nested more than 24 deep" in messages(found)


# Notations

UNITS = {"w": 7 * DAY, "d": DAY, "h": HOUR, "m": MINUTE, "s": SECOND}


@settings(deadline=None)  # the machine may be busy
@given(st.dictionaries(st.sampled_from(sorted(UNITS)), st.integers(0, 250), min_size=1))
def test_a_duration_is_exactly_the_sum_of_its_parts(counts: dict[str, int]) -> None:
    text = "".join(f"{counts[unit]}{unit}" for unit in UNITS if unit in counts)
    assert duration(text) == sum(count * UNITS[unit] for unit, count in counts.items())


@settings(deadline=None)  # the machine may be busy
@given(st.integers(0, 10**6), st.integers(0, 9))
def test_a_percentage_is_exact(number: int, decimals: int) -> None:
    digits = f"{number:0{decimals + 1}}"
    text = (
        f"{digits[: len(digits) - decimals]}.{digits[len(digits) - decimals :]}%"
        if decimals
        else f"{digits}%"
    )
    assert percentage(text) * 100 * 10**decimals == number


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("4 hours", "4h"),
        ("15min", "15m"),
        ("15 m", "15m"),
        ("1.5h", "1h30m"),
        ("1,5 hours", "1h30m"),
        ("0.5d", "12h"),
        ("1 hour 30 minutes", "1h30m"),
        ("2 hours and 5 min", "2h5m"),
        ("PT15M", "15m"),
        ("P1DT2H", "1d2h"),
        ("4H", "4h"),
        ("2 business days", "2bd"),
    ],
)
def test_a_duration_written_otherwise_is_answered_with_what_was_meant(written: str, meant: str) -> None:
    with pytest.raises(ValueError, match="no duration") as refused:
        duration(written)
    assert getattr(refused.value, "help", None) == f"write `{meant}`"


@pytest.mark.parametrize(
    ("written", "meant"),
    [("99,9%", "99.9%"), ("99.9", "99.9%"), ("99.9 %", "99.9%"), ("0.999", "99.9%"), ("95 percent", "95%")],
)
def test_a_percentage_written_otherwise_is_answered_with_what_was_meant(written: str, meant: str) -> None:
    with pytest.raises(ValueError, match="no percentage") as refused:
        percentage(written)
    assert getattr(refused.value, "help", None) == f"write `{meant}`"


def test_a_business_day_is_the_calendars_own_hours() -> None:
    office = Calendar.weekly("office", "Europe/Berlin", {weekday: [(510, 1020)] for weekday in range(5)})
    assert duration_by(office)("2bd1h") == 18 * HOUR
    assert duration_by(ALWAYS)("1bd") == duration_by(ALWAYS)("1d") == 24 * HOUR


# Burn rates

WINDOWS = [
    *(TimeWindow(unit, None) for unit in Unit),
    *(TimeWindow(None, days * DAY) for days in (1, 2, 7, 28, 90)),
]


@pytest.mark.parametrize(
    ("target", "window", "steps"),
    [
        ("99.9%", TimeWindow(Unit.MONTH, None), ["fast", "medium", "slow", "trickle"]),
        ("99.9%", TimeWindow(Unit.WEEK, None), ["fast", "medium"]),
        ("93%", TimeWindow(Unit.MONTH, None), ["medium", "slow", "trickle"]),  # 14.4 > 1 / 0.07
        ("99%", TimeWindow(None, DAY), []),  # 2 % of a day is less than half an hour of even use
        ("100%", TimeWindow(Unit.MONTH, None), []),
    ],
)
def test_only_burn_rates_that_can_tell_something_are_used(
    target: str, window: TimeWindow, steps: list[str]
) -> None:
    assert [
        pair.step for pair in DEFAULT_BURN_RATES if within_reach(pair, percentage(target), window)
    ] == steps


@settings(deadline=None)  # the machine may be busy
@given(st.fractions(Fraction(1, 1000), 1), st.sampled_from(WINDOWS))
def test_a_burn_rate_in_reach_fires_in_a_full_outage_and_not_at_even_use(
    target: Fraction, window: TimeWindow
) -> None:
    nominal = {Unit.WEEK: 7 * DAY, Unit.MONTH: 30 * DAY, Unit.QUARTER: 90 * DAY, Unit.YEAR: 365 * DAY}
    period = window.rolling or nominal[window.unit or Unit.MONTH]
    for pair in DEFAULT_BURN_RATES:
        if within_reach(pair, target, window):
            threshold = pair.share * period / pair.long
            assert threshold * (1 - target) <= 1 <= threshold
            assert pair.long * 2 <= period


# Whatever is written


def test_both_parsers_see_the_same_documents(monkeypatch: pytest.MonkeyPatch) -> None:
    def read() -> list[list[yaml_source.Node]]:
        return [yaml_source.documents(file.name, file.read_bytes(), Report()) for file in SHIPPED]

    fast = read()
    monkeypatch.delattr("yaml.CBaseLoader", raising=False)
    assert read() == fast


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_file_is_answered_with_faults_at_places_that_exist(
    tmp_path: Path, data: st.DataObject
) -> None:
    text = FULL + "---" + OFFICE
    start = data.draw(st.integers(0, len(text)))
    length = data.draw(st.integers(0, 40))
    patch = data.draw(st.text(alphabet="ab1%:,-{}[]\"'#&*!|>? \t\n\r\x07é\u2028", max_size=8))
    damaged = text[:start] + patch + text[start + length :]
    (tmp_path / "0.yaml").write_text(damaged, encoding="utf-8", newline="")
    found = load([tmp_path / "0.yaml"])
    assert bool(found.faults) != bool(found.agreements) or not found.agreements
    for fault in found.faults:
        assert fault.message
        assert fault.source[: fault.column - 1] == fault.source[: fault.column - 1].rstrip("\n")
        assert 1 <= fault.column <= len(fault.source) + 1
        assert fault.source in damaged


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=60))
def test_any_bytes_are_answered_and_never_raise(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "0.yaml").write_bytes(data)
    found = load([tmp_path / "0.yaml"])
    assert found.faults
    assert os.fspath(tmp_path / "0.yaml") == found.faults[0].file
