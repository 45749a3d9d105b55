"""Decided tickets, packed: what a monitor keeps of a ticket of which time alone changes nothing more.

What it came to is counted in the tallies; its events and alerts are only wanted again should it be heard of once more.
As bytes they take a tenth of the room.
"""

import struct

import msgspec

from slamon.domain import ticket_rows
from slamon.domain.decisions import AlertMemory, Kept, Upshot
from slamon.domain.events import TicketEvent

_LAST = struct.Struct(">q")  # in front of what is packed, to be seen without unpacking it
_pack_alerts = msgspec.msgpack.Encoder().encode
_unpack_alerts = msgspec.msgpack.Decoder(dict[str, AlertMemory]).decode


class ColdTickets:
    """Those of one customer, by name."""

    __slots__ = ("_alerts", "_customer", "_packed", "alerts")

    def __init__(self, customer: str) -> None:
        self._customer = customer
        self._packed: dict[str, bytes] = {}
        self._alerts: dict[str, bytes] = {}  # of those that ever alerted
        self.alerts = 0  # packed with them

    def __len__(self) -> int:
        return len(self._packed)

    def __contains__(self, ticket: str) -> bool:
        return ticket in self._packed

    def keep(self, ticket: str, kept: Kept) -> None:
        self.keep_packed(ticket, ticket_rows.pack(kept.events, kept.upshot), kept.upshot.last)
        if kept.alerts:
            self.keep_alerts(ticket, kept.alerts)

    def keep_packed(self, ticket: str, packed: bytes, last: int) -> None:
        """`packed`: its events and what it came to, as `ticket_rows` lays them out."""
        self._packed[ticket] = _LAST.pack(last) + packed

    def keep_alerts(self, ticket: str, alerts: dict[str, AlertMemory]) -> None:
        """Of a ticket of which none are kept yet."""
        self._alerts[ticket] = _pack_alerts(alerts)
        self.alerts += len(alerts)

    def take(self, ticket: str) -> Kept | None:
        """What was kept of it, which is no longer here then."""
        kept = self.look(ticket)
        if kept is not None:
            self._drop(ticket, kept.alerts)
        return kept

    def drop(self, ticket: str) -> tuple[Upshot, dict[str, AlertMemory]] | None:
        """The same, when nobody wants to see its events any more."""
        upshot = self.upshot(ticket)
        if upshot is None:
            return None
        alerts = self.alerts_of(ticket)
        self._drop(ticket, alerts)
        return upshot, alerts

    def _drop(self, ticket: str, alerts: dict[str, AlertMemory]) -> None:
        del self._packed[ticket]
        self._alerts.pop(ticket, None)
        self.alerts -= len(alerts)

    def look(self, ticket: str) -> Kept | None:
        upshot = self.upshot(ticket)
        return None if upshot is None else Kept(self.events(ticket), upshot, self.alerts_of(ticket))

    def events(self, ticket: str) -> tuple[TicketEvent, ...]:
        packed = self._packed.get(ticket)
        return () if packed is None else ticket_rows.events_of(self._customer, ticket, _rows(packed))

    def upshot(self, ticket: str) -> Upshot | None:
        packed = self._packed.get(ticket)
        return None if packed is None else ticket_rows.upshot_of(_rows(packed))

    def alerts_of(self, ticket: str) -> dict[str, AlertMemory]:
        packed = self._alerts.get(ticket)
        return {} if packed is None else _unpack_alerts(packed)

    def names(self) -> list[str]:
        return list(self._packed)

    def last_before(self, ticket: str, horizon: int) -> bool:
        """Whether it is here, and nothing told of it speaks of the horizon or later."""
        packed = self._packed.get(ticket)
        return packed is not None and _LAST.unpack_from(packed)[0] < horizon


def _rows(packed: bytes) -> memoryview:
    return memoryview(packed)[_LAST.size :]
