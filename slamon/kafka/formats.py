"""How facts are laid out as bytes, in each format of the changelog that this release reads.

- Format 1: the facts whole, so every event names its customer and its subject again.
- Format 2: without what the key says already, which halves what stands of a ticket; and what is known of a service by the
  hour, so that an event writes no more than the hour again. Of a decided ticket it may say what it came to: that came later,
  as a member more than earlier releases of this format read.

Keys are the same in all formats: what is written anew in another format takes the place of what stood.

A release reads two formats, its own and the one before, so that pods of two releases that follow each other can take
tasks from each other. Which one a task writes: see `to_write`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import msgspec

from slamon.domain import ticket_rows
from slamon.domain.decisions import AlertMemory, FactKey, FactKind, Facts, Statement, Upshot
from slamon.domain.events import AvailabilityEvent, Event, ExclusionEvent, RequestsEvent
from slamon.settings import FORMATS

PREVIOUS, NEWEST = FORMATS[0], FORMATS[-1]
BY_THE_HOUR = 2  # from this one on, what is known of a service stands by the hour
WITH_UPSHOTS = 2  # from this one on, what a decided ticket came to can be said
NAMED_BY_KEY = slice(2, 4)  # of the members of an event: its customer and its subject


def to_write(asked: int | None, standing: int | None) -> int:
    """`asked`: by the settings. `standing`: in which the task was last written; None: it is new.

    What was not asked for stays as it is: during a rolling upgrade that is what the older pods read, too. A new task has no
    older pods.
    """
    return asked or standing or NEWEST


def pack(version: int, key: FactKey, facts: Facts, upshot: Upshot | None = None) -> bytes:
    """`upshot`: what a ticket came to, for `packed_ticket`."""
    if version < WITH_UPSHOTS:
        contents: Any = facts
    elif facts.tickets is not None:
        contents = ticket_rows.rows_of(facts.tickets, upshot)
    else:
        contents = _CONTENTS[key.kind].pack(facts)
    try:
        return _encode(contents)
    except OverflowError:
        return _encode(_digits_where_wide(msgspec.to_builtins(contents)))


def unpack(version: int, key: FactKey, packed: bytes) -> Facts:
    return _decode_facts(packed) if version == 1 else _CONTENTS[key.kind].unpack(key, packed)


def packed_ticket(version: int, key: FactKey, packed: bytes) -> bytes | None:
    """A ticket as `ticket_rows` lays it out; None: it is none, or laid out in another way."""
    return packed if version >= WITH_UPSHOTS and key.kind is FactKind.TICKET else None


_encode = msgspec.msgpack.Encoder().encode


def _digits_where_wide(value: Any) -> Any:
    """Msgpack has integers of 64 bits, and exact shares of many requests need more: those are written as digits."""
    if isinstance(value, list | tuple):
        return [_digits_where_wide(one) for one in value]
    return str(value) if isinstance(value, int) and not -(2**63) <= value < 2**63 else value


def _decoder(of: Any) -> Callable[[bytes], Any]:
    exact = msgspec.msgpack.Decoder(of).decode
    wide = msgspec.msgpack.Decoder(of, strict=False).decode  # digits are integers, too

    def decode(packed: bytes) -> Any:
        try:
            return exact(packed)
        except msgspec.ValidationError:
            return wide(packed)

    return decode


_decode_facts: Callable[[bytes], Facts] = _decoder(Facts)
_facts: Callable[..., Facts] = Facts  # by the name of its member


@dataclass(frozen=True, slots=True)
class _Contents:
    """What stands under a kind of key: which member of the facts, as what is encoded, and back."""

    pack: Callable[[Facts], Any]
    unpack: Callable[[FactKey, bytes], Facts]


# Written out: of all that a restore does, this is done most often, and to unpack each row anew takes three times as long.


def _services(key: FactKey, rows: Iterable[Any]) -> tuple[AvailabilityEvent, ...]:
    customer, service = key.customer, key.subject
    return tuple(
        [
            AvailabilityEvent(row.id, row.time, customer, service, row.status, row.seq, row.interval)
            for row in rows
        ]
    )


def _requests(key: FactKey, rows: Iterable[Any]) -> tuple[RequestsEvent, ...]:
    customer, service = _customer(key), key.subject
    return tuple(
        [
            RequestsEvent(row.id, row.time, customer, service, row.total, row.bad, row.duration, row.seq)
            for row in rows
        ]
    )


def _exclusions(key: FactKey, rows: Iterable[Any]) -> tuple[ExclusionEvent, ...]:
    customer, exclusion = _customer(key), key.subject
    return tuple(
        [
            ExclusionEvent(
                row.id,
                row.time,
                customer,
                exclusion,
                row.state,
                row.seq,
                row.reason,
                row.start,
                row.end,
                row.service,
                row.announced_at,
                row.approved_by,
                row.evidence,
            )
            for row in rows
        ]
    )


def _customer(key: FactKey) -> str:
    assert key.customer is not None, "only what is known of a service may be for everybody"
    return key.customer


def _events(
    member: str, event: type[Event], whole: Callable[[FactKey, Iterable[Any]], tuple[Event, ...]]
) -> _Contents:
    """Events as rows of all that the key does not say; `whole`: makes events of such rows."""
    fields = list(msgspec.structs.fields(event))
    del fields[NAMED_BY_KEY]
    row = msgspec.defstruct(
        f"{event.__name__}Row",
        [(one.name, one.type) if one.required else (one.name, one.type, one.default) for one in fields],
        frozen=True,
        array_like=True,
        gc=False,
    )
    events_of, row_of = attrgetter(member), attrgetter(*(one.name for one in fields))
    decode = msgspec.msgpack.Decoder(tuple[row, ...]).decode  # type: ignore[valid-type]  # - made just above

    def unpack(key: FactKey, packed: bytes) -> Facts:
        return _facts(**{member: whole(key, decode(packed))})

    return _Contents(lambda facts: [row_of(one) for one in events_of(facts)], unpack)


def _ticket(key: FactKey, packed: bytes) -> Facts:
    return Facts(tickets=ticket_rows.events_of(_customer(key), key.subject, packed))


def _whole(member: str, what: type[AlertMemory] | type[Statement]) -> _Contents:
    decode = _decoder(what)
    return _Contents(attrgetter(member), lambda _, packed: _facts(**{member: decode(packed)}))


_CONTENTS = {
    FactKind.TICKET: _Contents(lambda facts: ticket_rows.rows_of(facts.tickets or ()), _ticket),
    FactKind.SERVICE_DAY: _events("services", AvailabilityEvent, _services),
    FactKind.SERVICE_HOUR: _events("services", AvailabilityEvent, _services),
    FactKind.REQUESTS_DAY: _events("requests", RequestsEvent, _requests),
    FactKind.REQUESTS_HOUR: _events("requests", RequestsEvent, _requests),
    FactKind.EXCLUSION: _events("exclusions", ExclusionEvent, _exclusions),
    FactKind.ALERT: _whole("alert", AlertMemory),
    FactKind.STATEMENT: _whole("statement", Statement),
}
