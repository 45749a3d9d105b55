"""Decided tickets, packed: what a monitor keeps of a ticket of which time alone changes nothing more.

What it came to is counted in the tallies; its events and alerts are only wanted again should it be heard of once more.
As bytes they take a tenth of the room.
"""

import struct

import msgspec

from slamon.domain.decisions import Kept

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(Kept).decode
_LAST = struct.Struct(">q")  # in front of what is packed, to be seen without unpacking it


class ColdTickets:
    """Those of one customer, by name."""

    __slots__ = ("_packed", "alerts")

    def __init__(self) -> None:
        self._packed: dict[str, bytes] = {}
        self.alerts = 0  # packed with them

    def __len__(self) -> int:
        return len(self._packed)

    def __contains__(self, ticket: str) -> bool:
        return ticket in self._packed

    def keep(self, ticket: str, kept: Kept, last: int) -> None:
        """`last`: the last instant that anything told of the ticket speaks of."""
        self._packed[ticket] = _LAST.pack(last) + _pack(kept)
        self.alerts += len(kept.alerts)

    def take(self, ticket: str) -> Kept | None:
        """What was kept of it, which is no longer here then."""
        packed = self._packed.pop(ticket, None)
        if packed is None:
            return None
        kept = _unpacked(packed)
        self.alerts -= len(kept.alerts)
        return kept

    def look(self, ticket: str) -> Kept | None:
        packed = self._packed.get(ticket)
        return None if packed is None else _unpacked(packed)

    def names(self) -> list[str]:
        return list(self._packed)

    def last_before(self, ticket: str, horizon: int) -> bool:
        """Whether it is here, and nothing told of it speaks of the horizon or later."""
        packed = self._packed.get(ticket)
        return packed is not None and _LAST.unpack_from(packed)[0] < horizon


def _unpacked(packed: bytes) -> Kept:
    return _unpack(memoryview(packed)[_LAST.size :])
