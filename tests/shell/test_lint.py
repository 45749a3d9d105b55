"""Advice on what an agreement should also say: one agreement that is silent, and for each rule one change that is not."""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TypeVar

import pytest

from slamon.agreement_files import RULES, load
from slamon.agreement_files.coverage import governed, space_of
from slamon.agreement_files.hints import Document, Hint
from slamon.agreement_files.lint import lint, lint_together
from slamon.domain.agreement import (
    Agreement,
    Attainment,
    AvailabilityAlerts,
    AvailabilityObjective,
    Band,
    Bands,
    BelowMinimum,
    Contact,
    CreditTerm,
    Escalation,
    ExclusionTerm,
    Linear,
    Measure,
    Objective,
    PerMiss,
    Remedies,
    Service,
    Share,
    TicketFilter,
    TicketObjective,
    TimeLeft,
    UnknownCountsAs,
)
from slamon.domain.calendars import ALWAYS
from slamon.domain.events import DAY, HOUR, MINUTE, ExclusionReason
from slamon.domain.periods import TimeWindow, Unit

T = TypeVar("T")

SILENT = """
apiVersion: slamon/v1
kind: Agreement
metadata: {name: acme}
spec:
  customer: acme
  effective: {from: 2026-01-01, to: 2026-12-31}
  services: [{name: api}, {name: shop}]
  support: {contacts: [{role: service manager, email: sla@example.com}]}
  objectives:
    - name: urgent-response
      ticketClock: {measure: firstResponse, when: {priority: [P1]}, target: 15m, warnAt: [75%]}
      attainment: {target: 95%, minimumTickets: 20}
    - name: response
      ticketClock: {measure: firstResponse, target: 2h}
      attainment: {target: 95%, minimumTickets: 20}
    - name: resolution
      ticketClock: {measure: resolution, target: 8h}
      attainment: {target: 90%, minimumTickets: 10}
    - name: api-up
      service: api
      availability: {target: 99.9%, timeWindow: {calendar: month}, minimumOutage: 60s, alerts: {timeLeft: [25%, 10m]}}
  exclusions:
    - {name: maintenance, reason: maintenance, declared: true, notice: 72h, atMost: {duration: 8h, per: month}}
    - {name: force, reason: force_majeure, declared: true}
  liability: {indemnification: "§ 7"}
  reporting: {period: month, settleAfter: 24h}
"""
P1, REST, RESOLUTION, API = range(4)  # where the objectives stand


def percent(number: str) -> Fraction:
    return Fraction(number) / 100


CREDITS = (
    CreditTerm("urgent-response", PerMiss(percent("1")), cap=percent("15")),
    CreditTerm("response", PerMiss(percent("1")), cap=percent("15")),
    CreditTerm("resolution", Linear(Fraction(1)), cap=percent("15")),
    CreditTerm("api-up", Bands((Band(percent("99.9"), percent("10")), Band(percent("99"), percent("25"))))),
)


@pytest.fixture(scope="module")
def silent(tmp_path_factory: pytest.TempPathFactory) -> Document:
    file = tmp_path_factory.mktemp("silent") / "acme.yaml"
    file.write_text(SILENT)
    loaded = load([file])
    assert [str(fault) for fault in loaded.faults] == []
    (document,) = loaded.documents
    complete = replace(
        document.agreement,
        escalation=(Escalation(Share(percent("75"), "75%"), "duty manager"),),
        remedies=Remedies(CREDITS, cap=Fraction(1)),
    )
    return document._replace(agreement=complete)


def hints(document: Document) -> list[tuple[str, str]]:
    return [(hint.rule, document.spec.place(*hint.path).path) for hint in lint(document)]


def put(entries: tuple[T, ...], index: int, entry: T) -> tuple[T, ...]:
    return (*entries[:index], entry, *entries[index + 1 :])


Edit = Callable[[Agreement], Agreement]


def of_ticket(index: int, edit: Callable[[TicketObjective], TicketObjective]) -> Edit:
    def edited(agreement: Agreement) -> Agreement:
        objective = agreement.objectives[index]
        assert isinstance(objective, TicketObjective)
        return replace(agreement, objectives=put(agreement.objectives, index, edit(objective)))

    return edited


def of_api(edit: Callable[[AvailabilityObjective], AvailabilityObjective]) -> Edit:
    def edited(agreement: Agreement) -> Agreement:
        objective = agreement.objectives[API]
        assert isinstance(objective, AvailabilityObjective)
        return replace(agreement, objectives=put(agreement.objectives, API, edit(objective)))

    return edited


def of_remedies(edit: Callable[[Remedies], Remedies]) -> Edit:
    def edited(agreement: Agreement) -> Agreement:
        assert agreement.remedies is not None
        return replace(agreement, remedies=edit(agreement.remedies))

    return edited


def credit(index: int, term: CreditTerm) -> Edit:
    return of_remedies(lambda remedies: replace(remedies, credits=put(remedies.credits, index, term)))


def bands(*pairs: tuple[str, str]) -> Edit:
    found = Bands(tuple(Band(percent(below), percent(credited)) for below, credited in pairs))
    return credit(3, CreditTerm("api-up", found))


def only(*objectives: Objective) -> Edit:
    """The measure's objectives are these, in this order; the resolution and the service stay."""

    def edited(agreement: Agreement) -> Agreement:
        assert agreement.remedies is not None
        terms = tuple(CreditTerm(one.name, PerMiss(Fraction(1))) for one in objectives) + CREDITS[2:]
        return replace(
            agreement,
            objectives=(*objectives, *agreement.objectives[RESOLUTION:]),
            remedies=replace(agreement.remedies, credits=terms),
            escalation=(Escalation(Share(percent("75"), "75%"), "duty manager"),),
        )

    return edited


def response(name: str, priority: str = "", service: str = "") -> TicketObjective:
    when = TicketFilter(
        priority=frozenset(priority.split()) if priority else None,
        service=frozenset(service.split()) if service else None,
    )
    attainment = Attainment(Fraction(95, 100), minimum_tickets=20)
    return TicketObjective(
        name,
        Measure.FIRST_RESPONSE,
        HOUR,
        ALWAYS,
        when,
        warn_at=(Share(percent("75"), "75%"),),
        attainment=attainment,
    )


RED = {
    "nothing is excluded": (lambda a: replace(a, exclusions=()), "no-exclusions", "objectives"),
    "no remedies": (lambda a: replace(a, remedies=None), "no-remedy", "remedies"),
    "no remedy for one objective": (
        of_remedies(lambda r: replace(r, credits=r.credits[:3])),
        "no-remedy",
        "objectives[3]",
    ),
    "nobody to call": (lambda a: replace(a, contacts=()), "no-contacts", "support.contacts"),
    "no escalation": (lambda a: replace(a, escalation=()), "no-escalation", "support.escalation"),
    "no clause of indemnification": (
        lambda a: replace(a, liability={"notes": "none"}),
        "no-liability",
        "liability.indemnification",
    ),
    "tickets about a service that nobody governs": (
        only(response("api-response", service="api")),
        "tickets-unmatched",
        "objectives[0]",
    ),
    "an objective that is shadowed wholly": (
        only(response("all"), response("urgent", "P1")),
        "objective-shadowed",
        "objectives[1].ticketClock.when",
    ),
    "an objective that two others shadow together": (
        only(response("one", "P1"), response("two", "P2"), response("both", "P1 P2"), response("rest")),
        "objective-shadowed",
        "objectives[2].ticketClock.when",
    ),
    "objectives that cross each other": (
        only(response("urgent", "P1"), response("shop", service="shop"), response("rest")),
        "objective-partly-shadowed",
        "objectives[1].ticketClock.when",
    ),
    "tickets that nobody governs": (
        only(response("urgent", "P1"), response("high", "P2")),
        "tickets-unmatched",
        "objectives[1]",
    ),
    "a response that may take longer than the resolution": (
        of_ticket(REST, lambda one: replace(one, target=9 * HOUR)),
        "response-longer-than-resolution",
        "objectives[1].ticketClock.target",
    ),
    "a pause on suppliers": (
        of_ticket(RESOLUTION, lambda one: replace(one, pause_on=frozenset({"customer", "supplier"}))),
        "pause-on-supplier",
        "objectives[2].ticketClock.pauseWhile.waitingOn",
    ),
    "one miss breaks few tickets": (
        of_ticket(P1, lambda one: replace(one, attainment=replace(one.attainment, minimum_tickets=0))),
        "one-miss-breaks",
        "objectives[0].attainment.target",
    ),
    "an outage that counts is longer than the budget": (
        of_api(lambda one: replace(one, minimum_outage=45 * MINUTE)),
        "budget-below-minimum-outage",
        "objectives[3].availability.minimumOutage",
    ),
    "time left that is longer than the budget": (
        of_api(
            lambda one: replace(
                one,
                alerts=AvailabilityAlerts(
                    time_left=(TimeLeft(45 * MINUTE, "45m"), Share(percent("25"), "25%"))
                ),
            )
        ),
        "step-out-of-reach",
        "objectives[3].availability.alerts.timeLeft[0]",
    ),
    "all of the budget is no step": (
        of_api(
            lambda one: replace(
                one,
                alerts=AvailabilityAlerts(
                    time_left=(Share(percent("25"), "25%"), Share(Fraction(1), "100%"))
                ),
            )
        ),
        "step-out-of-reach",
        "objectives[3].availability.alerts.timeLeft[1]",
    ),
    "downtime by tickets with nobody who measures": (
        of_api(lambda one: replace(one, down_while=TicketFilter(priority=frozenset({"P1"})))),
        "unmeasured-time",
        "objectives[3].availability.downWhile",
    ),
    "an exclusion without notice": (
        lambda a: replace(a, exclusions=put(a.exclusions, 0, replace(a.exclusions[0], notice=None))),
        "exclusion-without-notice",
        "exclusions[0]",
    ),
    "an exclusion without a limit": (
        lambda a: replace(a, exclusions=put(a.exclusions, 0, replace(a.exclusions[0], cap=None))),
        "exclusion-without-cap",
        "exclusions[0]",
    ),
    "more and more misses": (
        of_remedies(lambda r: Remedies((replace(r.credits[0], cap=None), *r.credits[1:]))),
        "credits-uncapped",
        "remedies.credits[0]",
    ),
    "credits that together exceed the fee": (
        of_remedies(lambda r: Remedies((*r.credits[:2], replace(r.credits[2], cap=None), r.credits[3]))),
        "credits-uncapped",
        "remedies",
    ),
    "a miss that costs nothing": (
        bands(("99.5", "10"), ("99", "25")),
        "band-gap",
        "remedies.credits[3].bands[0].below",
    ),
    "two bands with one border": (
        bands(("99.9", "10"), ("99.9", "25")),
        "band-overlap",
        "remedies.credits[3].bands[1].below",
    ),
    "a worse ratio that costs less": (
        bands(("99", "10"), ("99.9", "25")),
        "band-overlap",
        "remedies.credits[3].bands[0].credit",
    ),
    "a band that is met": (
        bands(("99.95", "5"), ("99.9", "10")),
        "band-above-target",
        "remedies.credits[3].bands[0].below",
    ),
    "credits for a rolling window": (
        of_api(lambda one: replace(one, window=TimeWindow(None, 30 * DAY))),
        "rolling-window-with-credits",
        "remedies.credits[3].objective",
    ),
    "an escalation at which nothing fires": (
        lambda a: replace(a, escalation=(Escalation(Share(percent("90"), "90%"), "duty manager"),)),
        "escalation-without-step",
        "support.escalation[0].after",
    ),
}


def test_the_silent_agreement_is_silent(silent: Document) -> None:
    assert hints(silent) == []


@pytest.mark.parametrize("case", RED.values(), ids=RED)
def test_one_change_is_advised_on_by_one_rule_at_its_place(
    silent: Document, case: tuple[Edit, str, str]
) -> None:
    edit, rule, path = case
    assert hints(silent._replace(agreement=edit(silent.agreement))) == [(rule, f"spec.{path}")]


GREEN: dict[str, Edit] = {
    "the special case before the general one": only(response("urgent", "P1"), response("rest")),
    "objectives that do not meet": only(response("urgent", "P1"), response("high", "P2"), response("rest")),
    "covered services leave no others over": only(
        response("api", service="api"), response("shop", service="shop"), response("rest")
    ),
    "a response as long as the resolution": of_ticket(REST, lambda one: replace(one, target=8 * HOUR)),
    "nine tickets are few whatever is promised": of_ticket(
        P1,
        lambda one: replace(
            one, attainment=Attainment(Fraction(88, 100), below_minimum=BelowMinimum.COUNT_AS_USUAL)
        ),
    ),
    "all tickets, if it is written": of_ticket(
        P1, lambda one: replace(one, attainment=Attainment(Fraction(1)))
    ),
    "an outage as long as the budget": of_api(
        lambda one: replace(one, minimum_outage=31 * 24 * 60 * MINUTE // 1000)
    ),
    "time left just within the budget of the longest month": of_api(
        lambda one: replace(
            one,
            alerts=AvailabilityAlerts(
                time_left=(TimeLeft(31 * 24 * 60 * MINUTE // 1000 - 1, "44m38s"), Share(percent("25"), "25%"))
            ),
        )
    ),
    "tickets tell of downtime, and what nobody measures is up": of_api(
        lambda one: replace(
            one,
            down_while=TicketFilter(priority=frozenset({"P1"})),
            unknown_counts_as=UnknownCountsAs.UP,
        )
    ),
    "what nobody plans needs neither notice nor limit": lambda a: replace(
        a, exclusions=(*a.exclusions, ExclusionTerm("theirs", ExclusionReason.CUSTOMER))
    ),
    "misses without a cap of their own under the cap of all": credit(
        0, CreditTerm("urgent-response", PerMiss(percent("1")))
    ),
    "an escalation at the breach": lambda a: replace(
        a, escalation=(Escalation(Share(Fraction(1), "100%"), "board"),)
    ),
    "an escalation when a quarter of the budget is left": of_ticket(P1, lambda one: replace(one, warn_at=())),
    "one contact": lambda a: replace(a, contacts=(Contact("anyone", phone="1"),)),
}


@pytest.mark.parametrize("edit", GREEN.values(), ids=GREEN)
def test_what_is_as_it_should_be_is_not_advised_on(silent: Document, edit: Edit) -> None:
    assert hints(silent._replace(agreement=edit(silent.agreement))) == []


def test_a_service_that_only_other_objectives_speak_of_is_promised_nothing(silent: Document) -> None:
    agreement = replace(silent.agreement, services=(*(silent.agreement.services or ()), Service("phones")))
    narrowed = agreement
    for index in (P1, REST, RESOLUTION):
        narrowed = of_ticket(
            index, lambda one: replace(one, when=replace(one.when, service=frozenset({"api", "shop"})))
        )(narrowed)
    assert ("service-without-objective", "spec.services[2]") in hints(silent._replace(agreement=narrowed))


def test_an_escalation_without_a_step_is_told_with_the_next_alert(silent: Document) -> None:
    def told(after: str, agreement: Agreement) -> Hint:
        level = Escalation(Share(percent(after), f"{after}%"), "duty manager")
        (hint,) = lint(silent._replace(agreement=replace(agreement, escalation=(level,))))
        return hint

    hint = told("60", silent.agreement)
    assert hint.message == "no alert fires when `60%` is used up: `duty manager` is told at 75%"
    assert hint.help == "add `60%` to a `warnAt`, or `40%` to a `timeLeft`"
    # With 10m left of the 44m38.4s of a long month, no finite share is used up.
    assert told("76", silent.agreement).message.endswith("`duty manager` is told at 77.599%")


def test_an_agreement_without_reporting_says_nothing_about_reports(tmp_path: Path) -> None:
    file = tmp_path / "acme.yaml"
    file.write_text(SILENT.replace("  reporting: {period: month, settleAfter: 24h}\n", ""))
    assert ("no-reporting", "spec.reporting") in hints(load([file]).documents[0])


def test_without_attainment_every_ticket_counts(tmp_path: Path) -> None:
    file = tmp_path / "acme.yaml"
    file.write_text(SILENT.replace("      attainment: {target: 90%, minimumTickets: 10}\n", ""))
    assert ("one-miss-breaks", "spec.objectives[2].attainment") in hints(load([file]).documents[0])


def test_agreements_of_one_customer_that_share_services_and_days_overlap(silent: Document) -> None:
    other = replace(silent.agreement, name="internal", services=(Service("shop"),))

    def overlap(agreement: Agreement) -> list[tuple[str, str]]:
        pair = [silent, silent._replace(agreement=agreement)]
        return [(document.agreement.name, hint.rule) for document, hint in lint_together(pair)]

    assert overlap(other) == [("internal", "agreements-overlap")]
    assert overlap(replace(other, services=None)) == [("internal", "agreements-overlap")]
    assert overlap(replace(other, services=(Service("phones"),))) == []
    assert overlap(replace(other, customer="globex")) == []
    assert overlap(replace(other, start=silent.agreement.end, end=silent.agreement.end + DAY)) == []
    assert overlap(replace(other, name="acme")) == []  # versions of one agreement, whose overlap is a fault


def test_governed_tickets_and_the_rest_divide_all_tickets(silent: Document) -> None:
    agreement = only(
        response("urgent", "P1"), response("shop", service="shop"), response("both", "P1 P2", "shop")
    )(silent.agreement)
    space = space_of(agreement)
    found, left = governed(agreement, space, Measure.FIRST_RESPONSE)
    assert [one.objective.name for one in found if one.boxes] == ["urgent", "shop"]
    assert [space.said(box) for box in left] == [
        "tickets with priority other than `P1` and service other than `shop`",
    ]


def test_the_budget_of_service_hours_is_that_of_the_longest_period(silent: Document) -> None:
    week = of_api(
        lambda one: replace(
            one,
            target=percent("99"),
            window=TimeWindow(Unit.WEEK, None),
            alerts=AvailabilityAlerts(time_left=(TimeLeft(2 * HOUR, "2h"), Share(percent("25"), "25%"))),
        )
    )
    (hint,) = lint(silent._replace(agreement=bands(("99", "10"))(week(silent.agreement))))
    assert hint.message == "`2h` is never announced: the whole budget is 1h40m48s (99% of a week)"


def test_every_rule_of_an_agreement_has_an_example() -> None:
    told = "".join(file.read_text() for file in (Path(__file__).parent / "advised").glob("*.txt"))
    seen = {rule for _, rule, _ in RED.values()} | {rule for rule in RULES if f"[{rule}]" in told}
    assert set(RULES) - seen == {"removed-in-effect", "empty-file"}  # of two states, and of a file
