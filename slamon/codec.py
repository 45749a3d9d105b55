"""Bytes to events and back: the JSON of one Kafka record, or of one line of a file.

Three shapes are read: a flat JSON object; a CloudEvents 1.0 event in structured mode (the same with `specversion`, its
payload beside it or in `data`); and the binary Kafka binding (`ce_*` headers, the value is the data). Where a member is
named twice, the CloudEvents attribute wins over the payload. `null` is a member left out, unknown members are ignored,
a member that belongs to another type is unknown. Nothing a record can hold makes `decode` raise. What needs none of this
is read by `plain_records`; here is what each record means, and what is wrong with it.

Instants are RFC 3339 with an offset, held as integer microseconds in UTC: digits beyond are cut off, never rounded, so
that no fact moves into the next period. Seconds are read from their digits for the same reason.
"""

import enum
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import ROUND_DOWN, Context, Decimal, InvalidOperation
from functools import lru_cache
from typing import NoReturn, TypeVar

import msgspec
import orjson

from slamon import plain_records
from slamon.domain.events import (
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    AvailabilityEvent,
    Event,
    ExclusionEvent,
    ExclusionReason,
    ExclusionState,
    Reply,
    RequestsEvent,
    ServiceStatus,
    TicketEvent,
    TicketStatus,
)
from slamon.domain.periods import TABLE_END
from slamon.plain_records import LARGEST_INTEGER, LONGEST_DURATION

FUTURE_LIMIT = HOUR  # a producer's clock may be ahead of ours by so much
LATEST_EVENT = TABLE_END - 1  # after the year 2100 no calendar is known, and nothing can be judged
LARGEST_RECORD = 1_000_000  # bytes; leaves room for headers under Kafka's default limit of 1,048,588


class RejectReason(enum.Enum):
    """Why a record is no event, or not one for here; the values are metric labels and header values."""

    TOO_LARGE = "too_large"
    NOT_JSON = "not_json"
    NOT_AN_OBJECT = "not_an_object"
    UNKNOWN_TYPE = "unknown_type"
    MISSING_MEMBER = "missing_member"
    WRONG_KIND = "wrong_kind"
    NAIVE_TIME = "naive_time"
    MALFORMED_TIME = "malformed_time"
    IN_THE_FUTURE = "in_the_future"
    INVALID = "invalid"  # well-formed, but its values contradict themselves or are outside a closed list
    WRONG_PARTITION = "wrong_partition"  # a good event in a partition that is not its customer's
    TOO_LATE = "too_late"  # a good event about a time of which the facts are kept no longer
    SUBJECT_TOO_LARGE = "subject_too_large"  # a good event too many of its ticket, service or exclusion


class Rejected(msgspec.Struct, frozen=True, gc=False):
    """A record that cannot be used. `detail` is for people and names the member."""

    reason: RejectReason
    detail: str


class InstantError(ValueError):
    """A text that names no instant; `reason` is NAIVE_TIME or MALFORMED_TIME."""

    def __init__(self, reason: RejectReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


# ---------------------------------------------------------------------------------------------------- instants, seconds

_HOURS = {f"{n:02}": n * HOUR for n in range(24)}
_MINUTES = {f"{n:02}": n * MINUTE for n in range(60)}
_SECONDS = {f"{n:02}": n * SECOND for n in range(60)}
_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_OFFSETS = {"Z": 0, "z": 0} | {
    f"{sign}{hours}:{minutes}": way * (_HOURS[hours] + _MINUTES[minutes])
    for sign, way in (("+", 1), ("-", -1))
    for hours in _HOURS
    for minutes in _MINUTES
}
_CLOCK_FACE = [f"{hour}:{minute}" for hour in _HOURS for minute in _MINUTES]
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_EARLIEST = (date.min.toordinal() - _EPOCH_ORDINAL) * DAY
_LATEST = (date.max.toordinal() + 1 - _EPOCH_ORDINAL) * DAY - 1


@lru_cache(maxsize=4096)
def _start_of_date(text: str) -> int:
    match = _DATE.fullmatch(text)
    if match is None:
        raise ValueError(text)
    year, month, day = match.groups()
    return (date(int(year), int(month), int(day)).toordinal() - _EPOCH_ORDINAL) * DAY


@lru_cache(maxsize=4096)
def _start_of_minute(text: str) -> int:
    """Of a text up to the colon before the seconds; the offset is not looked at."""
    if len(text) < 17 or text[10] not in "Tt" or text[13] != ":" or text[16] != ":":
        raise ValueError(text)
    return _start_of_date(text[:10]) + _HOURS[text[11:13]] + _MINUTES[text[14:16]]


def parse_instant(text: str) -> int:
    """RFC 3339 with an offset -> microseconds in UTC. Raises InstantError."""
    usual = plain_records.instant(text)
    return _parse_any_instant(text) if usual is None else usual


def _parse_any_instant(text: str) -> int:
    try:
        at = _start_of_minute(text[:17]) + _SECONDS[text[17:19]]  # no 60: a leap second is no instant of ours
    except (LookupError, ValueError):
        _malformed(text)
    tail = text[19:]
    offset = _OFFSETS.get(tail)
    if offset is None:
        if tail.startswith("."):
            border = -1 if tail[-1] in "Zz" else -6
            offset = _OFFSETS.get(tail[border:])
            digits = tail[1:] if offset is None else tail[1:border]
            if not (digits.isascii() and digits.isdigit()):
                _malformed(text)
            at += int(digits[:6].ljust(6, "0"))
        elif tail:
            _malformed(text)
        if offset is None:
            raise InstantError(
                RejectReason.NAIVE_TIME, f"{_shown(text)} has no offset: add Z or one like +01:00"
            )
    at -= offset
    if not _EARLIEST <= at <= _LATEST:
        _malformed(text)
    return at


def _malformed(text: str) -> NoReturn:
    raise InstantError(
        RejectReason.MALFORMED_TIME,
        f"{_shown(text)} is no RFC 3339 time: write it like 2026-11-23T12:00:00Z",
    ) from None


def format_instant(at: int) -> str:
    """Microseconds -> RFC 3339 in UTC, always with six digits; what lies beyond the year 9999 is its last instant."""
    day, rest = divmod(min(max(at, _EARLIEST), _LATEST), DAY)
    minute, rest = divmod(rest, MINUTE)
    second, microsecond = divmod(rest, SECOND)
    return f"{_date_text(day)}T{_CLOCK_FACE[minute]}:{second:02}.{microsecond:06}Z"


@lru_cache(maxsize=4096)
def _date_text(day: int) -> str:
    return date.fromordinal(_EPOCH_ORDINAL + day).isoformat()


def format_seconds(duration: int) -> str:
    """Microseconds -> seconds as an exact decimal in shortest form: `90`, `0.25`, `-1.5`."""
    seconds, rest = divmod(abs(duration), SECOND)
    sign = "-" if duration < 0 else ""
    return f"{sign}{seconds}.{rest:06}".rstrip("0") if rest else f"{sign}{seconds}"


_DIGITS = Context(prec=64, rounding=ROUND_DOWN)


@lru_cache(maxsize=1024)
def _microseconds(number: bytes) -> int:
    """The digits of a JSON number of seconds -> microseconds; what is too long for any use gives a longer one."""
    try:
        seconds = Decimal(number.decode("ascii"))
    except InvalidOperation:  # an exponent beyond all measure
        return 0 if b"e-" in number.lower() else LONGEST_DURATION + 1
    if seconds.adjusted() > 12:  # before it becomes an integer with as many digits
        return LONGEST_DURATION + 1 if seconds > 0 else 0
    if seconds.adjusted() < -6:
        return 0
    return int(_DIGITS.create_decimal(seconds).scaleb(6, _DIGITS))


# ------------------------------------------------------------------------------------------------------------- the wire

_NONE = msgspec.Raw()


class _Wire(msgspec.Struct, tag_field="type", gc=False):
    id: str | None = None
    time: str | None = None
    customer: str | None = None
    seq: int | None = None
    specversion: msgspec.Raw = _NONE
    data: msgspec.Raw = _NONE


class _Ticket(_Wire, tag="ticket", gc=False):
    ticket: str | None = None
    status: str | None = None
    waiting_on: str | None = None
    priority: str | None = None
    service: str | None = None
    reply: str | None = None
    opened_at: str | None = None
    attributes: dict[str, str | None] | None = None


class _Availability(_Wire, tag="availability", gc=False):
    service: str | None = None
    status: str | None = None
    interval_seconds: msgspec.Raw = _NONE


class _Requests(_Wire, tag="requests", gc=False):
    service: str | None = None
    total: int | None = None
    bad: int | None = None
    seconds: msgspec.Raw = _NONE


class _Exclusion(_Wire, tag="exclusion", rename={"start": "from", "end": "to"}, gc=False):
    exclusion: str | None = None
    state: str | None = None
    reason: str | None = None
    start: str | None = None
    end: str | None = None
    service: str | None = None
    announced_at: str | None = None
    approved_by: str | None = None
    evidence: str | None = None


_AnyWire = _Ticket | _Availability | _Requests | _Exclusion
_TYPES = ("ticket", "availability", "requests", "exclusion")
_wire = msgspec.json.Decoder(_AnyWire)
_syntax = msgspec.json.Decoder(msgspec.Raw)
_members = msgspec.json.Decoder(dict[str, msgspec.Raw])


class _Refused(Exception):  # noqa: N818 - never leaves this module
    def __init__(self, reason: RejectReason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def decode(
    value: bytes | None, headers: Sequence[tuple[str, bytes | None]] = (), *, now: int | None
) -> Event | Rejected:
    """The event in one record, or why there is none. `now`: the wall clock; None in a replay, where no time is too late."""
    if not value:
        return Rejected(
            RejectReason.NOT_JSON, f"the record has {'no' if value is None else 'an empty'} value"
        )
    if len(value) > LARGEST_RECORD:
        return Rejected(RejectReason.TOO_LARGE, f"{len(value)} bytes, at most {LARGEST_RECORD} are read")
    event = None if headers else plain_records.read(value)
    if event is None:
        read = _read(value, headers)
        if isinstance(read, Rejected):
            return read
        event = read
    if event.time > LATEST_EVENT:
        return Rejected(
            RejectReason.IN_THE_FUTURE, f"time: {format_instant(event.time)} is after the year 2100"
        )
    if now is not None and event.time > now + FUTURE_LIMIT:
        return Rejected(
            RejectReason.IN_THE_FUTURE, f"time: {format_instant(event.time)} is more than one hour ahead"
        )
    return event


def flat(value: bytes, headers: Sequence[tuple[str, bytes | None]]) -> bytes:
    """The record as one that needs no headers: those of the binary binding moved into its object, if that can be done."""
    try:
        context = _context(headers)
        return value if context is None else _merged(value, context)
    except (_Refused, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return value


def _read(value: bytes, headers: Sequence[tuple[str, bytes | None]]) -> Event | Rejected:
    """What the record says, whatever its time."""
    text = value
    try:
        context = _context(headers) if headers else None
        if context is not None:
            text = _merged(value, context)
        wire = _wire.decode(text)
        if wire.data is not _NONE and wire.specversion is not _NONE and context is None:
            text = _unwrapped(value)
            wire = _wire.decode(text)
        return _BUILDERS[type(wire)](wire)
    except _Refused as refused:
        return Rejected(refused.reason, refused.detail)
    except msgspec.ValidationError as error:
        return _why_not(text, str(error))
    except RecursionError:
        return Rejected(RejectReason.NOT_JSON, "nested too deeply")
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return Rejected(RejectReason.NOT_JSON, _no_json(error))


def _no_json(error: Exception) -> str:
    # msgspec says so of half a pair of surrogates too, wherever it stands.
    cut = str(error) == "Input data was truncated"
    return "JSON ends before it is complete, or holds half of a character as \\u…" if cut else str(error)


def _why_not(text: bytes, complaint: str) -> Rejected:
    """The decoder stopped at the first thing that did not fit: look at the record as a whole for the reason."""
    try:
        _syntax.decode(text)
        said = bytes(_members.decode(text).get("type", b"null"))
        kind = msgspec.json.decode(said) if said.startswith(b'"') else None
    except RecursionError:
        return Rejected(RejectReason.NOT_JSON, "nested too deeply")
    except msgspec.ValidationError:
        return Rejected(RejectReason.NOT_AN_OBJECT, "an event is a JSON object")
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return Rejected(RejectReason.NOT_JSON, _no_json(error))
    if said == b"null":
        return Rejected(RejectReason.MISSING_MEMBER, "type is missing")
    if kind is None:
        return Rejected(RejectReason.WRONG_KIND, "type: expected a string")
    if kind not in _TYPES:
        return Rejected(RejectReason.UNKNOWN_TYPE, f"type: {_shown(kind)} is none of {', '.join(_TYPES)}")
    return Rejected(RejectReason.WRONG_KIND, complaint.replace(" | null", ""))


# ---------------------------------------------------------------------------------------------------------- CloudEvents

_CONTEXT = frozenset({"ce_id", "ce_type", "ce_time", "ce_customer", "ce_seq"})
_INTEGER = re.compile(rb"-?(?:0|[1-9][0-9]*)")


def _context(headers: Sequence[tuple[str, bytes | None]]) -> dict[str, msgspec.Raw] | None:
    """The event's own members among the headers of the binary binding; None if the record is not in it."""
    if not any(name == "ce_specversion" for name, _ in headers):
        return None
    context = {}
    for name, value in headers:
        if name not in _CONTEXT or value is None:
            continue
        if name == "ce_seq":
            if _INTEGER.fullmatch(value) is None:
                raise _Refused(RejectReason.WRONG_KIND, "ce_seq: expected an integer")
            context["seq"] = msgspec.Raw(value)
        else:
            try:
                context[name.removeprefix("ce_")] = msgspec.Raw(msgspec.json.encode(value.decode()))
            except UnicodeDecodeError:
                raise _Refused(RejectReason.WRONG_KIND, f"{name}: is not UTF-8") from None
    return context


def _merged(payload: bytes, context: Mapping[str, msgspec.Raw]) -> bytes:
    """One flat object of both; what the context names wins."""
    members = _members.decode(payload)
    members.update((name, value) for name, value in context.items() if bytes(value) != b"null")
    members.pop("specversion", None)
    return msgspec.json.encode(members)


def _unwrapped(value: bytes) -> bytes:
    """A structured CloudEvent as a flat object; `data` that is no object is not ours."""
    context = _members.decode(value)
    data = bytes(context.pop("data"))
    return _merged(data if data.startswith(b"{") else b"{}", context)


# ---------------------------------------------------------------------------------------------------- from wire to fact

_Word = TypeVar("_Word", bound=enum.Enum)


def _words(closed: type[_Word]) -> dict[str, _Word]:
    return {str(word.value): word for word in closed}


_TICKET_STATUSES = _words(TicketStatus)
_REPLIES = _words(Reply)
_SERVICE_STATUSES = _words(ServiceStatus)
_EXCLUSION_STATES = _words(ExclusionState)
_EXCLUSION_REASONS = _words(ExclusionReason)


def _word(member: str, word: str | None, closed: Mapping[str, _Word]) -> _Word | None:
    if word is None:
        return None
    known = closed.get(word)
    if known is None:
        raise _Refused(RejectReason.INVALID, f"{member}: {_shown(word)} is none of {', '.join(closed)}")
    return known


def _instant(member: str, text: str) -> int:
    try:
        return parse_instant(text)
    except InstantError as error:
        raise _Refused(error.reason, f"{member}: {error}") from None


def _duration(member: str, number: msgspec.Raw) -> int | None:
    if number is _NONE:
        return None
    digits = bytes(number)
    if digits == b"null":
        return None
    if digits[0] not in b"-0123456789":
        raise _Refused(RejectReason.WRONG_KIND, f"{member}: expected a number")
    # Only what is short is kept: the memory of a cache is not for a sender to fill.
    duration = _microseconds(digits) if len(digits) <= 40 else _microseconds.__wrapped__(digits)
    if not 0 < duration <= LONGEST_DURATION:
        raise _Refused(
            RejectReason.INVALID, f"{member}: must be more than 0 and at most {LONGEST_DURATION // SECOND}"
        )
    return duration


def _seq(seq: int | None) -> int | None:
    if seq is not None and not -LARGEST_INTEGER <= seq <= LARGEST_INTEGER:
        raise _Refused(RejectReason.INVALID, "seq: more than 64 bits")
    return seq


def _identity(identity: str) -> str:
    if not identity:
        raise _Refused(RejectReason.INVALID, "id: must not be empty")
    return identity


def _missing(**required: object) -> _Refused:
    absent = [name for name, value in required.items() if value is None or value is _NONE]
    verb = "is" if len(absent) == 1 else "are"
    return _Refused(RejectReason.MISSING_MEMBER, f"{', '.join(absent)} {verb} missing")


def _ticket(wire: _Ticket) -> TicketEvent:
    if wire.id is None or wire.time is None or wire.customer is None or wire.ticket is None:
        raise _missing(id=wire.id, time=wire.time, customer=wire.customer, ticket=wire.ticket)
    attributes = wire.attributes
    return TicketEvent(
        id=_identity(wire.id),
        time=_instant("time", wire.time),
        customer=wire.customer,
        ticket=wire.ticket,
        seq=_seq(wire.seq),
        status=_word("status", wire.status, _TICKET_STATUSES),
        waiting_on=wire.waiting_on,
        priority=wire.priority,
        service=wire.service,
        reply=_word("reply", wire.reply, _REPLIES),
        opened_at=None if wire.opened_at is None else _instant("opened_at", wire.opened_at),
        attributes=None if attributes is None else {k: v for k, v in attributes.items() if v is not None},
    )


def _availability(wire: _Availability) -> AvailabilityEvent:
    status = _word("status", wire.status, _SERVICE_STATUSES)
    if wire.id is None or wire.time is None or wire.service is None or status is None:
        raise _missing(id=wire.id, time=wire.time, service=wire.service, status=status)
    return AvailabilityEvent(
        id=_identity(wire.id),
        time=_instant("time", wire.time),
        customer=wire.customer,
        service=wire.service,
        status=status,
        seq=_seq(wire.seq),
        interval=_duration("interval_seconds", wire.interval_seconds),
    )


def _requests(wire: _Requests) -> RequestsEvent:
    total, bad = wire.total, wire.bad
    seconds = _duration("seconds", wire.seconds)
    if (
        wire.id is None
        or wire.time is None
        or wire.customer is None
        or wire.service is None
        or total is None
        or bad is None
        or seconds is None
    ):
        raise _missing(
            id=wire.id,
            time=wire.time,
            customer=wire.customer,
            service=wire.service,
            total=total,
            bad=bad,
            seconds=seconds,
        )
    if not 0 <= bad <= total <= LARGEST_INTEGER:
        raise _Refused(RejectReason.INVALID, "total, bad: 0 ≤ bad ≤ total is wanted, in 64 bits")
    return RequestsEvent(
        id=_identity(wire.id),
        time=_instant("time", wire.time),
        customer=wire.customer,
        service=wire.service,
        total=total,
        bad=bad,
        duration=seconds,
        seq=_seq(wire.seq),
    )


def _exclusion(wire: _Exclusion) -> ExclusionEvent:
    state = _word("state", wire.state, _EXCLUSION_STATES)
    if (
        wire.id is None
        or wire.time is None
        or wire.customer is None
        or wire.exclusion is None
        or state is None
    ):
        raise _missing(
            id=wire.id, time=wire.time, customer=wire.customer, exclusion=wire.exclusion, state=state
        )
    reason = _word("reason", wire.reason, _EXCLUSION_REASONS)
    if state is ExclusionState.DECLARED and (reason is None or wire.start is None or wire.end is None):
        raise _missing(reason=reason, **{"from": wire.start, "to": wire.end})
    start = None if wire.start is None else _instant("from", wire.start)
    end = None if wire.end is None else _instant("to", wire.end)
    if start is not None and end is not None and start >= end:
        raise _Refused(RejectReason.INVALID, "from, to: the span must end after it begins")
    return ExclusionEvent(
        id=_identity(wire.id),
        time=_instant("time", wire.time),
        customer=wire.customer,
        exclusion=wire.exclusion,
        state=state,
        seq=_seq(wire.seq),
        reason=reason,
        start=start,
        end=end,
        service=wire.service,
        announced_at=None if wire.announced_at is None else _instant("announced_at", wire.announced_at),
        approved_by=wire.approved_by,
        evidence=wire.evidence,
    )


_BUILDERS: dict[type, Callable[..., Event]] = {  # each takes the wire type it stands beside
    _Ticket: _ticket,
    _Availability: _availability,
    _Requests: _requests,
    _Exclusion: _exclusion,
}


# ------------------------------------------------------------------------------------------------------- back to bytes


def encode(event: Event) -> bytes:
    """The event as the flat JSON object that `decode` reads; members that were not named are left out."""
    record: dict[str, object] = {
        "id": event.id,
        "type": _TYPE_NAMES[type(event)],
        "time": format_instant(event.time),
    }
    record.update(customer=event.customer, seq=event.seq)
    match event:
        case TicketEvent():
            record.update(
                ticket=event.ticket,
                status=event.status,
                waiting_on=event.waiting_on,
                priority=event.priority,
                service=event.service,
                reply=event.reply,
                opened_at=_said(event.opened_at),
                attributes=event.attributes,
            )
        case AvailabilityEvent():
            interval = None if event.interval is None else _number(event.interval)
            record.update(service=event.service, status=event.status, interval_seconds=interval)
        case RequestsEvent():
            record.update(
                service=event.service, total=event.total, bad=event.bad, seconds=_number(event.duration)
            )
        case ExclusionEvent():
            record.update({"from": _said(event.start), "to": _said(event.end)})
            record.update(
                exclusion=event.exclusion,
                state=event.state,
                reason=event.reason,
                service=event.service,
                announced_at=_said(event.announced_at),
                approved_by=event.approved_by,
                evidence=event.evidence,
            )
    return orjson.dumps({name: value for name, value in record.items() if value is not None})


_TYPE_NAMES: dict[type, str] = dict(
    zip((TicketEvent, AvailabilityEvent, RequestsEvent, ExclusionEvent), _TYPES, strict=True)
)


def _said(at: int | None) -> str | None:
    return None if at is None else format_instant(at)


def _number(duration: int) -> orjson.Fragment:
    return orjson.Fragment(format_seconds(duration))


def _shown(text: str) -> str:
    """A sender's text in a message: quoted, and short."""
    return repr(text if len(text) <= 60 else text[:60] + "…")
