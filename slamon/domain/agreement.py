"""What was promised: agreements as the rest of the domain reads them, already checked and typed.

Durations are microseconds, shares and targets are fractions, instants are microseconds in UTC. Nothing here knows
YAML; `agreement_files` builds these and refuses what cannot be built.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction

from slamon.domain.calendars import Calendar
from slamon.domain.events import DAY, HOUR, MINUTE, ExclusionReason
from slamon.domain.periods import TimeWindow, Unit


class Severity(enum.Enum):
    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class AlertName(enum.Enum):
    TICKET_AT_RISK = "SlaTicketAtRisk"
    TICKET_BREACHED = "SlaTicketBreached"
    OUTAGE_BUDGET = "SlaOutageBudget"
    BUDGET_BURN = "SlaBudgetBurn"
    BREACH_FORECAST = "SlaBreachForecast"
    BREACHED = "SlaBreached"
    MEASUREMENT_LOST = "SlaMeasurementLost"
    EVALUATION_DELAYED = "SlaEvaluationDelayed"


class Measure(enum.Enum):
    FIRST_RESPONSE = "firstResponse"
    NEXT_REPLY = "nextReply"
    UPDATE = "update"
    RESOLUTION = "resolution"


class StopOn(enum.Enum):
    RESOLVED = "resolved"
    CLOSED = "closed"


class OnPriorityChange(enum.Enum):
    CARRY = "carry"
    RESET = "reset"


class OnReopen(enum.Enum):
    CONTINUE = "continue"
    IGNORE = "ignore"
    NEW_CYCLE = "newCycle"


class BelowMinimum(enum.Enum):
    ALLOW_ONE_MISS = "allowOneMiss"
    COUNT_AS_USUAL = "countAsUsual"
    NOT_APPLICABLE = "notApplicable"


class UnknownCountsAs(enum.Enum):
    UNDETERMINED = "undetermined"
    UP = "up"
    DOWN = "down"


class DegradedCountsAs(enum.Enum):
    UP = "up"
    DOWN = "down"


class ExclusionsCountAs(enum.Enum):
    REMOVED = "removed"  # out of both sides of the ratio
    UP = "up"


@dataclass(frozen=True, slots=True)
class Share:
    """A threshold as a share of a target or a budget: `75%`."""

    of: Fraction
    text: str  # as written: the `step` label of its alerts


@dataclass(frozen=True, slots=True)
class TimeLeft:
    """A threshold as time that is left, in the clock's own time: `-10m` of a ticket, `10m` of a budget."""

    left: int
    text: str


Step = Share | TimeLeft


@dataclass(frozen=True, slots=True)
class TicketFilter:
    """Which tickets are meant. None: any; a field that is unset on the ticket matches no condition."""

    priority: frozenset[str] | None = None
    service: frozenset[str] | None = None
    attributes: tuple[tuple[str, frozenset[str]], ...] = ()


@dataclass(frozen=True, slots=True)
class Attainment:
    """What share of the cycles must be met, over which time."""

    target: Fraction = Fraction(1)
    window: TimeWindow = TimeWindow(unit=Unit.MONTH, rolling=None)
    minimum_tickets: int = 0
    below_minimum: BelowMinimum = BelowMinimum.ALLOW_ONE_MISS


@dataclass(frozen=True, slots=True)
class TicketObjective:
    """A promise about each ticket that the filter matches: the measure takes at most `target` of calendar time."""

    name: str
    measure: Measure
    target: int
    calendar: Calendar
    when: TicketFilter = TicketFilter()
    pause_on: frozenset[str] = frozenset()  # parties whose waits stop the time
    stop_on: StopOn = StopOn.RESOLVED
    on_priority_change: OnPriorityChange = OnPriorityChange.CARRY
    on_reopen: OnReopen = OnReopen.CONTINUE
    warn_at: tuple[Step, ...] = ()
    attainment: Attainment = Attainment()
    severity: Mapping[AlertName, Severity] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BurnRatePair:
    """One row of a multi-window burn-rate table: `share` of the budget gone within `long`, and still going in `short`."""

    step: str
    share: Fraction
    long: int
    short: int
    severity: Severity


# Google SRE Workbook, chapter 5 "Alerting on SLOs", table 5-8 "Recommended parameters for the multiwindow,
# multi-burn-rate alerts" for 2 % in 1h, 5 % in 6h and 10 % in 3d; 10 % in 1d is the customary fourth row
# (factor 3). The short window is a twelfth of the long one.
DEFAULT_BURN_RATES = (
    BurnRatePair("fast", Fraction(2, 100), HOUR, HOUR // 12, Severity.CRITICAL),
    BurnRatePair("medium", Fraction(5, 100), 6 * HOUR, 6 * HOUR // 12, Severity.CRITICAL),
    BurnRatePair("slow", Fraction(10, 100), DAY, DAY // 12, Severity.WARNING),
    BurnRatePair("trickle", Fraction(10, 100), 3 * DAY, 3 * DAY // 12, Severity.WARNING),
)


@dataclass(frozen=True, slots=True)
class AvailabilityAlerts:
    """Which warnings an availability objective gives before its budget is gone."""

    burn_rates: tuple[BurnRatePair, ...] = (
        DEFAULT_BURN_RATES  # only those within reach of the target and the period
    )
    time_left: tuple[Step, ...] = ()  # shares of the period's budget, or durations in service hours
    alert_after: int = 2 * MINUTE
    coverage_below: Fraction = Fraction(9, 10)


@dataclass(frozen=True, slots=True)
class AvailabilityObjective:
    """A promise about the share of time in which a service is up."""

    name: str
    service: str
    target: Fraction
    window: TimeWindow
    calendar: Calendar
    degraded_counts_as: DegradedCountsAs = DegradedCountsAs.UP
    unknown_counts_as: UnknownCountsAs = UnknownCountsAs.UNDETERMINED
    minimum_outage: int = 0
    exclusions_count_as: ExclusionsCountAs = ExclusionsCountAs.REMOVED
    down_while: TicketFilter | None = None  # time in which such a ticket is open is down, too
    alerts: AvailabilityAlerts = AvailabilityAlerts()
    severity: Mapping[AlertName, Severity] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RequestsObjective:
    """A promise about the share of requests to a service that succeed."""

    name: str
    service: str
    target: Fraction
    window: TimeWindow
    calendar: Calendar
    exclusions_count_as: ExclusionsCountAs = ExclusionsCountAs.REMOVED
    burn_rates: tuple[BurnRatePair, ...] = DEFAULT_BURN_RATES
    severity: Mapping[AlertName, Severity] = field(default_factory=dict)


ServiceObjective = AvailabilityObjective | RequestsObjective
Objective = TicketObjective | ServiceObjective


@dataclass(frozen=True, slots=True)
class Schedule:
    """When an exclusion recurs: an RFC 5545 rule whose first day is the agreement's first, at a local minute of the day."""

    rule: str
    minute: int
    duration: int


@dataclass(frozen=True, slots=True)
class Cap:
    """At most `duration` is taken away in each calendar unit."""

    duration: int
    per: Unit


@dataclass(frozen=True, slots=True)
class ExclusionTerm:
    """A clause that lets time not count: scheduled in the agreement, or declared by events when `schedule` is None."""

    name: str
    reason: ExclusionReason
    schedule: Schedule | None = None
    notice: int | None = None
    cap: Cap | None = None
    services: frozenset[str] | None = None  # None: all
    clause: str | None = None


@dataclass(frozen=True, slots=True)
class Service:
    name: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class Contact:
    role: str
    email: str | None = None
    phone: str | None = None


@dataclass(frozen=True, slots=True)
class Escalation:
    """Who else is told once this share of a ticket's target, or of an objective's error budget, is used up."""

    after: Share
    to: str  # the name of a receiver


@dataclass(frozen=True, slots=True)
class Fee:
    """What is paid for each calendar unit; `amount` in the currency's main unit, exactly."""

    amount: Fraction
    currency: str  # ISO 4217
    per: Unit


@dataclass(frozen=True, slots=True)
class Band:
    """A credit (share of the fee) for a judged ratio under `below`."""

    below: Fraction
    credit: Fraction


@dataclass(frozen=True, slots=True)
class Bands:
    """The credit of the lowest band reached, alone."""

    bands: tuple[Band, ...]


@dataclass(frozen=True, slots=True)
class PerMiss:
    """A credit (share of the fee) for each missed cycle of the period."""

    credit: Fraction


@dataclass(frozen=True, slots=True)
class Linear:
    """A credit of so many percent of the fee for each percentage point missed, continuous."""

    percent_per_point: Fraction


@dataclass(frozen=True, slots=True)
class CreditTerm:
    """What a missed objective costs; `cap` (share of the fee) limits this term alone."""

    objective: str
    by: Bands | PerMiss | Linear
    cap: Fraction | None = None


@dataclass(frozen=True, slots=True)
class Remedies:
    """What is owed for missed periods; `cap` limits the sum over all objectives whose statements have the same period."""

    credits: tuple[CreditTerm, ...]
    fee: Fee | None = None
    cap: Fraction | None = None
    claim_within: int | None = None


@dataclass(frozen=True, slots=True)
class Reporting:
    """When periods are judged: by `unit` where the objective has no calendar period, `settle_after` their end."""

    unit: Unit = Unit.MONTH
    settle_after: int = DAY


@dataclass(frozen=True, slots=True)
class Agreement:
    """One document: the terms of (customer, name) from the instant `start` until before `end` (FOREVER: no end)."""

    name: str
    customer: str
    zone: str
    start: int
    end: int
    first_day: date
    objectives: tuple[Objective, ...]
    display_name: str = ""
    services: tuple[Service, ...] | None = None  # None: every service is covered
    exclusions: tuple[ExclusionTerm, ...] = ()
    contacts: tuple[Contact, ...] = ()
    escalation: tuple[Escalation, ...] = ()
    remedies: Remedies | None = None
    reporting: Reporting = Reporting()
    liability: Mapping[str, str] = field(default_factory=dict)
