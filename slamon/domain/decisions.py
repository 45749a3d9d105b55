"""What goes out: everything the monitor decides, as a closed union.

Records here are plain values with whole microseconds and exact fractions; `records` writes them as JSON, `kafka` keeps
and sends them.
"""

import enum
from dataclasses import dataclass
from fractions import Fraction

import msgspec

from slamon.domain.agreement import Measure
from slamon.domain.events import AvailabilityEvent, ExclusionEvent, RequestsEvent, TicketEvent
from slamon.domain.intervals import Span


class ClockState(enum.Enum):
    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"
    VOID = "void"


class ClockOutcome(enum.Enum):
    PENDING = "pending"
    MET = "met"
    MISSED = "missed"
    VOID = "void"


class StandingState(enum.Enum):
    ON_TRACK = "on_track"
    AT_RISK = "at_risk"
    BREACHED = "breached"
    UNDETERMINED = "undetermined"
    NOT_APPLICABLE = "not_applicable"


class Outcome(enum.Enum):
    """The verdict on a closed period."""

    MET = "met"
    MISSED = "missed"
    UNDETERMINED = "undetermined"
    NOT_APPLICABLE = "not_applicable"


class Transition(enum.Enum):
    FIRED = "fired"
    RESOLVED = "resolved"


class Reason(enum.Enum):
    """Why an alert fired or resolved."""

    STEP_REACHED = "step_reached"
    LIMIT_EXCEEDED = "limit_exceeded"
    RESUMED = "resumed"
    SUPERSEDED = "superseded"
    BREACHED = "breached"
    STOPPED = "stopped"
    PAUSED = "paused"
    VOID = "void"
    TAKEN_OVER = "taken_over"
    RECOVERED = "recovered"
    PERIOD_ENDED = "period_ended"
    AMENDED = "amended"


@dataclass(frozen=True, slots=True)
class ClockRecord:
    """One clock as seen at an instant; durations in microseconds."""

    customer: str
    agreement: str
    objective: str
    measure: Measure
    ticket: str
    cycle: int
    state: ClockState
    outcome: ClockOutcome
    started_at: int
    stopped_at: int | None
    due_at: int | None
    target: int
    elapsed: int
    paused: int
    breached_at: int | None
    decided_at: int | None


class TicketCounts(msgspec.Struct, frozen=True, array_like=True, gc=False):
    met: int
    missed: int
    pending: int


class SecondCounts(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Microseconds of a period, up to the instant asked about; known + unknown = applicable, down <= known."""

    applicable: int
    known: int
    down: int
    unknown: int
    excluded: int


class RequestCounts(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Requests of a period, as exact (numerator, denominator): a bucket that straddles a border is split in proportion."""

    total: tuple[int, int]
    bad: tuple[int, int]


class Ratios(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Exact shares as (numerator, denominator) in lowest terms; None where there is nothing to divide by."""

    attained: tuple[int, int] | None
    best_case: tuple[int, int] | None
    worst_case: tuple[int, int] | None
    coverage: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class Budget:
    """The error budget of a period in microseconds; fractions, because a target's share of a period need not be whole."""

    whole: Fraction
    remaining: Fraction


@dataclass(frozen=True, slots=True)
class Standing:
    """How an objective stands at an instant."""

    customer: str
    agreement: str
    objective: str
    at: int
    period: Span
    standing: StandingState
    target: Fraction
    ratios: Ratios
    tickets: TicketCounts | None
    seconds: SecondCounts | None
    misses_left: int | None
    budget: Budget | None
    exhausted_at: int | None
    requests: RequestCounts | None = None


class RevisionReason(enum.Enum):
    """Why a statement was given again."""

    AMENDED = "amended"  # facts, or time alone, showed the period to be different
    AGREEMENT_CORRECTED = "agreement_corrected"
    CAP_MOVED = "cap_moved"  # what another objective is credited changed what the common cap leaves


class Credit(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What is owed for a period. `share` of the fee, exact; `amount` rounded to the currency's minor unit, as text."""

    share: tuple[int, int]
    amount: str | None  # None: no fee is agreed
    currency: str | None


class Statement(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The judged period. Each revision is a new one; the earlier ones are never changed."""

    customer: str
    agreement: str
    objective: str
    start: int
    end: int
    revision: int
    outcome: Outcome
    target: tuple[int, int]
    ratios: Ratios
    tickets: TicketCounts | None
    seconds: SecondCounts | None
    requests: RequestCounts | None = None
    credit: Credit | None = None  # None: no remedy names the objective
    claim_until: int | None = None
    terms: str = ""  # digest of the terms judged by
    # Of this revision, not of the period; both depend on what was said before.
    reason: RevisionReason | None = None
    entry: str | None = None  # what this revision adds to the credits booked before, as text


class AlertTransition(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One firing or resolving of an alert. `at`: when it became true; `detected_at`: when the stream's clock knew."""

    id: str
    episode: int
    transition: Transition
    at: int
    detected_at: int
    late: bool
    reason: Reason
    labels: dict[str, str]
    annotations: dict[str, str]


class AlertMemory(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What must be remembered of an alert id: how often it fired, and while it fires, the firing as it was announced."""

    subject: tuple[str, ...]  # the ticket or objective it speaks of
    scope: str  # which cycle or period of it
    episode: int
    firing: AlertTransition | None


class FactKind(enum.Enum):
    TICKET = "ticket"  # subject: ticket; value: its events
    # Subject: service; slot: days or hours since 1970-01-01 in UTC; value: its events of then, or the buckets that end then.
    SERVICE_DAY = "service_day"
    SERVICE_HOUR = "service_hour"
    REQUESTS_DAY = "requests_day"
    REQUESTS_HOUR = "requests_hour"
    EXCLUSION = "exclusion"  # subject: exclusion id; value: its events
    ALERT = "alert"  # subject: alert id; value: its memory
    STATEMENT = (
        "statement"  # subject: agreement/objective/start/end of the period; value: the newest revision
    )


class FactKey(msgspec.Struct, frozen=True, array_like=True, gc=False, cache_hash=True):
    """Names one record of the state; `customer` is None for what is known of a service for every customer."""

    kind: FactKind
    customer: str | None
    subject: str
    slot: int = 0


def statement_fact(statement: Statement) -> FactKey:
    subject = f"{statement.agreement}/{statement.objective}/{statement.start}/{statement.end}"
    return FactKey(FactKind.STATEMENT, statement.customer, subject)


class Facts(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What stands under one key: exactly one member is set."""

    tickets: tuple[TicketEvent, ...] | None = None
    services: tuple[AvailabilityEvent, ...] | None = None
    exclusions: tuple[ExclusionEvent, ...] | None = None
    alert: AlertMemory | None = None
    statement: Statement | None = None
    requests: tuple[RequestsEvent, ...] | None = None


class DecidedClock(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a clock came to. `objective`: by its place among the ticket objectives of the customer."""

    objective: int
    cycle: int
    outcome: ClockOutcome
    decided_at: int | None
    marks: tuple[tuple[str, int], ...] = ()  # see `ticket_clock.Mark`


class Upshot(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a ticket came to of which time alone changes nothing more: enough to count it, or to count it no more.

    `judged_by`: a digest of all that it follows from besides the ticket's events.
    `last`: the last instant that anything told of the ticket speaks of.
    """

    judged_by: bytes
    last: int
    opening_unknown: bool
    clocks: tuple[DecidedClock, ...]


class Kept(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """All that a monitor must be given back to go on with a ticket that it forgot."""

    events: tuple[TicketEvent, ...]
    upshot: Upshot
    alerts: dict[str, AlertMemory]  # by alert id


@dataclass(frozen=True, slots=True)
class Released:
    """A decided ticket that a monitor forgot; its clocks stay as they are unless it is heard of again."""

    customer: str
    ticket: str
    kept: Kept
    clocks: tuple[ClockRecord, ...]


@dataclass(frozen=True, slots=True)
class FactsChanged:
    """The record under `key` is now `facts`; None: it is gone."""

    key: FactKey
    facts: Facts | None


@dataclass(frozen=True, slots=True)
class StandingChanged:
    standing: Standing


@dataclass(frozen=True, slots=True)
class StatementIssued:
    statement: Statement


@dataclass(frozen=True, slots=True)
class AlertChanged:
    transition: AlertTransition


Decision = FactsChanged | StandingChanged | StatementIssued | AlertChanged
