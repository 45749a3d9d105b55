"""The records that most are, read in one go: a flat JSON object without fault, its times as they are usually written.

One truth, two speeds: what does not fit these types, for whatever reason, is none of them, and `codec` reads it by types
that can tell what is wrong. What does fit is the same event either way.
"""

from datetime import UTC, datetime
from typing import Annotated

import msgspec

from slamon.domain.events import (
    DAY,
    SECOND,
    AvailabilityEvent,
    Event,
    Reply,
    RequestsEvent,
    ServiceStatus,
    TicketEvent,
    TicketStatus,
)

LARGEST_INTEGER = 2**63 - 1  # state holds 64-bit integers
LONGEST_DURATION = 10**15  # microseconds, some 31 years: more is a mistake

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def instant(text: str) -> int | None:
    """Microseconds in UTC, if it is written in one of the usual ways: whole seconds, milli- or microseconds, then Z."""
    # Of other shapes the standard library takes more than RFC 3339 allows.
    usual = len(text) in (20, 24, 27) and text[19] in ".Z" and text[-1] == "Z"
    if not (usual and text[7] == "-" and text[10] == "T"):
        return None
    try:
        since = datetime.fromisoformat(text) - _EPOCH
    except ValueError:
        return None
    return since.days * DAY + since.seconds * SECOND + since.microseconds


_Id = Annotated[str, msgspec.Meta(min_length=1)]
_Seq = Annotated[int, msgspec.Meta(ge=-LARGEST_INTEGER, le=LARGEST_INTEGER)]
_Count = Annotated[int, msgspec.Meta(ge=0, le=LARGEST_INTEGER)]
_Seconds = Annotated[int, msgspec.Meta(gt=0, le=LONGEST_DURATION // SECOND)]  # whole ones


class _Line(msgspec.Struct, tag_field="type", kw_only=True, gc=False):
    id: _Id
    time: str
    seq: _Seq | None = None
    specversion: msgspec.UnsetType = msgspec.UNSET  # whatever is said here: `data` may have to be looked into


class _Ticket(_Line, tag="ticket", kw_only=True, gc=False):
    customer: str
    ticket: str
    status: TicketStatus | None = None
    waiting_on: str | None = None
    priority: str | None = None
    service: str | None = None
    reply: Reply | None = None
    opened_at: str | None = None
    attributes: dict[str, str] | None = None


class _Availability(_Line, tag="availability", kw_only=True, gc=False):
    service: str
    status: ServiceStatus
    customer: str | None = None
    interval_seconds: _Seconds | None = None


class _Requests(_Line, tag="requests", kw_only=True, gc=False):
    customer: str
    service: str
    total: _Count
    bad: _Count
    seconds: _Seconds


_decode = msgspec.json.Decoder(_Ticket | _Availability | _Requests).decode


def read(value: bytes) -> Event | None:
    """The event, whatever its time; None: look closer."""
    try:
        line = _decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    time = instant(line.time)
    if time is None:
        return None
    if type(line) is _Availability:
        seconds = line.interval_seconds
        return AvailabilityEvent(
            line.id,
            time,
            line.customer,
            line.service,
            line.status,
            line.seq,
            None if seconds is None else seconds * SECOND,
        )
    if type(line) is _Ticket:
        opened_at = None if line.opened_at is None else instant(line.opened_at)
        if opened_at is None and line.opened_at is not None:
            return None
        return TicketEvent(
            line.id,
            time,
            line.customer,
            line.ticket,
            line.seq,
            line.status,
            line.waiting_on,
            line.priority,
            line.service,
            line.reply,
            opened_at,
            line.attributes,
        )
    if line.bad > line.total:
        return None
    return RequestsEvent(
        line.id,
        time,
        line.customer,
        line.service,
        line.total,
        line.bad,
        line.seconds * SECOND,
        line.seq,
    )
