"""A promise about a service's requests, from the objective's `requests`."""

from slamon.agreement_files.availability_objective import burn_rates
from slamon.agreement_files.frame import WINDOW, Frame, calendar_of, severities, time_window
from slamon.agreement_files.notations import one_of, target_share, word
from slamon.agreement_files.sections import Section
from slamon.domain.agreement import AlertName, ExclusionsCountAs, RequestsObjective

REQUESTS = "{target: 99.5%, timeWindow: {rolling: 28d}}"

_REQUESTS_ALERTS = (AlertName.BUDGET_BURN, AlertName.BREACHED)


def read_requests_objective(called: str, section: Section, frame: Frame) -> RequestsObjective | None:
    terms = section.child("requests", REQUESTS)
    service = section.required("service", word, "billing-api")
    if service is not None:
        frame.check_service(section, "service", frozenset({service}))
    section.misplaced(
        "attainment",
        "`attainment` belongs to a `ticketClock`",
        "remove it: requests have their `target` and `timeWindow` inside `requests`",
    )
    target = terms.required("target", target_share, "99.5%")
    window = time_window(terms.child("timeWindow", WINDOW, required=True), frame.report)
    calendar = calendar_of(terms, frame)
    exclusions = terms.optional(
        "exclusionsCountAs",
        one_of({one.value: one for one in ExclusionsCountAs}, "way to count"),
        ExclusionsCountAs.REMOVED,
    )
    pairs = burn_rates(terms.child("alerts", "{burnRates: none}"), target, window, terms, frame)
    severity = severities(
        section.child("severity", "{SlaBudgetBurn: critical}"), _REQUESTS_ALERTS, frame.report
    )
    if service is None or target is None or window is None or calendar is None:
        return None
    return RequestsObjective(
        name=called,
        service=service,
        target=target,
        window=window,
        calendar=calendar,
        exclusions_count_as=exclusions,
        burn_rates=pairs,
        severity=severity,
    )
