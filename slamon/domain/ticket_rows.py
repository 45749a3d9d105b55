"""A ticket as bytes: a row for each event, of all that its name does not say already, and what it came to.

What it came to stands in the last row, as a member more than an event has. Who knows nothing of it reads over it, and it is
read without looking at the events.
"""

from collections.abc import Sequence
from operator import attrgetter
from typing import Any

import msgspec

from slamon.domain.decisions import Upshot
from slamon.domain.events import TicketEvent

_NAMED = ("customer", "ticket")
_FIELDS = [one for one in msgspec.structs.fields(TicketEvent) if one.name not in _NAMED]
_members = [(one.name, one.type) if one.required else (one.name, one.type, one.default) for one in _FIELDS]
_Row = msgspec.defstruct("TicketRow", _members, frozen=True, array_like=True, gc=False)
_unread = [(one.name, msgspec.Raw, msgspec.Raw()) for one in _FIELDS]
_LastRow = msgspec.defstruct(
    "LastTicketRow", [*_unread, ("upshot", Upshot | None, None)], frozen=True, array_like=True, gc=False
)
_row_of = attrgetter(*(one.name for one in _FIELDS))

_encode = msgspec.msgpack.Encoder().encode
_decode: Any = msgspec.msgpack.Decoder(tuple[_Row, ...]).decode  # type: ignore[valid-type]  # - made just above
_decode_none: Any = msgspec.msgpack.Decoder(tuple[msgspec.Raw, ...]).decode
_decode_last: Any = msgspec.msgpack.Decoder(_LastRow).decode


def rows_of(events: Sequence[TicketEvent], upshot: Upshot | None = None) -> list[tuple[Any, ...]]:
    """What is encoded."""
    rows = [_row_of(event) for event in events]
    if upshot is not None:
        rows[-1] = (*rows[-1], upshot)
    return rows


def pack(events: Sequence[TicketEvent], upshot: Upshot) -> bytes:
    return _encode(rows_of(events, upshot))


# Written out: of all that a restore does, this is done most often, and to unpack each row anew takes three times as long.
def events_of(customer: str, ticket: str, packed: bytes | memoryview) -> tuple[TicketEvent, ...]:
    """In their order."""
    return tuple(
        [
            TicketEvent(
                row.id,
                row.time,
                customer,
                ticket,
                row.seq,
                row.status,
                row.waiting_on,
                row.priority,
                row.service,
                row.reply,
                row.opened_at,
                row.attributes,
            )
            for row in _decode(packed)
        ]
    )


def upshot_of(packed: bytes | memoryview) -> Upshot | None:
    """What it came to, if that is said."""
    upshot: Upshot | None = _decode_last(_decode_none(packed)[-1]).upshot
    return upshot
