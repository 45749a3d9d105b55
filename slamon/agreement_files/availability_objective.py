"""A promise about a service's time, from the objective's `availability`."""

from collections.abc import Callable
from fractions import Fraction

from slamon.agreement_files.findings import listed, quoted
from slamon.agreement_files.frame import (
    WINDOW,
    Frame,
    calendar_of,
    is_time,
    severities,
    share_step,
    time_window,
)
from slamon.agreement_files.notations import (
    above_zero,
    duration,
    duration_by,
    one_of,
    percentage_up_to_100,
    target_share,
    word,
)
from slamon.agreement_files.sections import RefusedError, Section
from slamon.agreement_files.ticket_objective import ticket_filter
from slamon.domain.agreement import (
    DEFAULT_BURN_RATES,
    AlertName,
    AvailabilityAlerts,
    AvailabilityObjective,
    BurnRatePair,
    DegradedCountsAs,
    ExclusionsCountAs,
    Step,
    TicketFilter,
    TimeLeft,
    UnknownCountsAs,
)
from slamon.domain.calendars import Calendar
from slamon.domain.events import DAY, MINUTE
from slamon.domain.periods import TimeWindow, Unit

AVAILABILITY = "{target: 99.9%, timeWindow: {calendar: month}}"
DOWN_WHILE = "{tickets: {priority: [P1]}}"

_AVAILABILITY_ALERTS = (
    AlertName.OUTAGE_BUDGET,
    AlertName.BUDGET_BURN,
    AlertName.BREACHED,
    AlertName.MEASUREMENT_LOST,
)
_NOMINAL = {Unit.WEEK: 7 * DAY, Unit.MONTH: 30 * DAY, Unit.QUARTER: 90 * DAY, Unit.YEAR: 365 * DAY}


def read_availability_objective(called: str, section: Section, frame: Frame) -> AvailabilityObjective | None:
    terms = section.child("availability", AVAILABILITY)
    service = section.required("service", word, "billing-api")
    if service is not None:
        frame.check_service(section, "service", frozenset({service}))
    section.misplaced(
        "attainment",
        "`attainment` belongs to a `ticketClock`",
        "remove it: an availability has its `target` and `timeWindow` inside `availability`",
    )
    target = terms.required("target", target_share, "99.9%")
    window = time_window(terms.child("timeWindow", WINDOW, required=True), frame.report)
    calendar = calendar_of(terms, frame)
    degraded = terms.optional(
        "degradedCountsAs",
        one_of({one.value: one for one in DegradedCountsAs}, "status"),
        DegradedCountsAs.UP,
    )
    unknown = terms.optional(
        "unknownCountsAs",
        one_of({one.value: one for one in UnknownCountsAs}, "way to count"),
        UnknownCountsAs.UNDETERMINED,
    )
    minimum = terms.optional("minimumOutage", duration, 0, "60s")
    exclusions = terms.optional(
        "exclusionsCountAs",
        one_of({one.value: one for one in ExclusionsCountAs}, "way to count"),
        ExclusionsCountAs.REMOVED,
    )
    down_while = _down_while(terms, frame)
    alerts = _alerts(
        terms.child("alerts", "{timeLeft: [50%, 25%, 10m]}"), calendar, target, window, terms, frame
    )
    severity = severities(
        section.child("severity", "{SlaOutageBudget: critical}"), _AVAILABILITY_ALERTS, frame.report
    )
    if service is None or target is None or window is None or calendar is None:
        return None
    return AvailabilityObjective(
        name=called,
        service=service,
        target=target,
        window=window,
        calendar=calendar,
        degraded_counts_as=degraded,
        unknown_counts_as=unknown,
        minimum_outage=minimum,
        exclusions_count_as=exclusions,
        down_while=down_while,
        alerts=alerts,
        severity=severity,
    )


def _down_while(terms: Section, frame: Frame) -> TicketFilter | None:
    if not terms.has("downWhile"):
        terms.skip("downWhile")
        return None
    section = terms.child("downWhile", DOWN_WHILE)
    tickets = section.child("tickets", "{priority: [P1]}", required=True)
    return ticket_filter(tickets, None, terms, frame)


def _alerts(
    section: Section,
    calendar: Calendar | None,
    target: Fraction | None,
    window: TimeWindow | None,
    terms: Section,
    frame: Frame,
) -> AvailabilityAlerts:
    pairs = burn_rates(section, target, window, terms, frame)
    time_left = section.each("timeLeft", _time_left_step(calendar), example="[50%, 25%, 10m]") or ()
    alert_after = section.optional("alertAfter", duration, 2 * MINUTE, "2m")
    coverage = section.optional("coverageBelow", percentage_up_to_100, Fraction(9, 10), "90%")
    section.not_built("forecastAbove", "remove the line: nothing is forecast until then")
    return AvailabilityAlerts(pairs, time_left, alert_after, coverage)


def burn_rates(
    section: Section, target: Fraction | None, window: TimeWindow | None, terms: Section, frame: Frame
) -> tuple[BurnRatePair, ...]:
    """The pairs of the table that can tell something, from the `alerts` in `section`; `terms` hold the target."""
    tables: dict[str, tuple[BurnRatePair, ...]] = {"default": DEFAULT_BURN_RATES, "none": ()}
    table = section.optional(
        "burnRates", one_of(tables, "table of burn rates"), DEFAULT_BURN_RATES, "default"
    )
    pairs = table
    if target is not None and window is not None:
        pairs = tuple(pair for pair in table if within_reach(pair, target, window))
        left_out = [pair.step for pair in table if pair not in pairs]
        if left_out and (target < 1 or section.has("burnRates")):
            frame.report.advise(
                section.key_place("burnRates") if section.has("burnRates") else terms.key_place("target"),
                "burn-rate-out-of-reach",
                f"burn rates left out: {listed(left_out)}; with this target and time window they tell nothing"
                if target < 1
                else "a target of 100% leaves no error budget to burn: there are no burn rates",
                "nothing to do; `alerts: {burnRates: none}` leaves all of them out",
            )
    return pairs


def _time_left_step(calendar: Calendar | None) -> Callable[[str], Step]:
    read_duration = above_zero(duration_by(calendar))

    def read(text: str) -> Step:
        if text.startswith("-"):
            raise RefusedError(
                f"{quoted(text)}: `timeLeft` is always what is left",
                f"write {quoted(text[1:])}, without the minus",
            )
        if is_time(text):
            return TimeLeft(read_duration(text), text)
        return share_step(text)

    return read


def within_reach(pair: BurnRatePair, target: Fraction, window: TimeWindow) -> bool:
    """Whether the pair can tell anything: its threshold lies between even use of the budget and a full outage,
    and its long window fits into the period twice. Calendar periods have their nominal length here."""
    period = _NOMINAL[window.unit] if window.unit else window.rolling
    assert period is not None
    factor = pair.share * period / pair.long
    return target < 1 and 1 <= factor <= 1 / (1 - target) and pair.long * 2 <= period
