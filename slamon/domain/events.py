"""What comes in: the facts that sources report.

An event is a fact about a subject of one customer (a ticket, a service, an exclusion) at an instant. Two rules carry
everything built on facts:

- Identity is (customer, kind, subject, id). A second event with the same identity changes nothing.
- The order of a subject's events is `order_key`: time, then those without `seq` before those with one, then `seq`, then
  `id` by code points, then those without customer first. The order of arrival means nothing.

Instants are integer microseconds since 1970-01-01T00:00:00Z. A member that is None was not named by the event.
"""

import enum

import msgspec

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR


class TicketStatus(enum.Enum):
    OPEN = "open"
    WAITING = "waiting"
    RESOLVED = "resolved"
    CLOSED = "closed"
    CANCELLED = "cancelled"


class Reply(enum.Enum):
    AGENT = "agent"  # a public answer by a person
    CUSTOMER = "customer"


class ServiceStatus(enum.Enum):
    UP = "up"
    DEGRADED = "degraded"
    DOWN = "down"
    UNKNOWN = "unknown"


class ExclusionState(enum.Enum):
    DECLARED = "declared"
    CANCELLED = "cancelled"


class ExclusionReason(enum.Enum):
    MAINTENANCE = "maintenance"
    FORCE_MAJEURE = "force_majeure"
    CUSTOMER = "customer"  # caused by the customer
    AGREED = "agreed"


class TicketEvent(msgspec.Struct, frozen=True, array_like=True, tag="ticket", gc=False):
    """At `time` the named fields of the ticket took these values; the others stayed as they were."""

    id: str
    time: int
    customer: str
    ticket: str
    seq: int | None = None
    status: TicketStatus | None = None
    waiting_on: str | None = None
    priority: str | None = None
    service: str | None = None
    reply: Reply | None = None
    opened_at: int | None = None
    attributes: dict[str, str] | None = None


class AvailabilityEvent(msgspec.Struct, frozen=True, array_like=True, tag="availability", gc=False):
    """From `time` on the service has this status, until its next event.

    `interval` (microseconds): a next event was promised within it; after three without one the status is unknown from
    the first that was missed. Without `customer` it is a fact for every customer of the partition it came in.
    """

    id: str
    time: int
    customer: str | None
    service: str
    status: ServiceStatus
    seq: int | None = None
    interval: int | None = None


class RequestsEvent(msgspec.Struct, frozen=True, array_like=True, tag="requests", gc=False):
    """In the `duration` microseconds before `time`, `bad` of `total` requests failed."""

    id: str
    time: int
    customer: str
    service: str
    total: int
    bad: int
    duration: int
    seq: int | None = None


class ExclusionEvent(msgspec.Struct, frozen=True, array_like=True, tag="exclusion", gc=False):
    """The span [start, end) does not count, if the agreement says so. A cancelled one may name nothing but itself."""

    id: str
    time: int
    customer: str
    exclusion: str
    state: ExclusionState
    seq: int | None = None
    reason: ExclusionReason | None = None
    start: int | None = None
    end: int | None = None
    service: str | None = None
    announced_at: int | None = None
    approved_by: str | None = None
    evidence: str | None = None


Event = TicketEvent | AvailabilityEvent | RequestsEvent | ExclusionEvent


class Taken(enum.Enum):
    """What became of an event."""

    ACCEPTED = "accepted"
    LATE = "late"  # accepted, but earlier than what was known of its subject
    DUPLICATE = "duplicate"
    CONFLICTING_DUPLICATE = "conflicting_duplicate"
    UNMATCHED = "unmatched"  # no agreement speaks about it
    TOO_LATE = "too_late"  # it speaks of a time of which nothing is kept any more
    SUBJECT_TOO_LARGE = "subject_too_large"  # as many events of its subject are kept as are allowed


def order_key(event: Event) -> tuple[int, bool, int, str, bool]:
    """Sorts the events of one subject into the order in which they happened."""
    seq = event.seq
    return (event.time, seq is not None, 0 if seq is None else seq, event.id, event.customer is not None)
