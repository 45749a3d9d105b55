"""The changelog: everything a task remembers, as records of its partition, and the way back.

- A record is upserted whole, and a key's newest record holds; no value: it is gone. Compaction may drop all others.
- Keys begin with a letter for the kind of record, values with the version of their format. A record of a newer format,
  or of a kind unknown here, is refused: a release that guesses would destroy what a newer one wrote.
- All records of one commit stand or fall together, and the positions are its last record. So what stands after the
  newest positions is of no commit, and what stands between them and the positions before was the last commit.
- An alert transition stands in the outbox, under its number, from the commit that decided it until it was seen in the
  alerts topic. Transactions are atomic across topics only while not too much fails at once: see `tasks`.
- Facts of more than `PART_BYTES` are cut into parts, a record each.
"""

import struct
from collections.abc import Iterator
from typing import Any

import msgspec

from slamon.domain.decisions import AlertTransition, FactKey, FactKind, Facts

FORMAT = 1
PART_BYTES = 256 * 1024  # a broker takes a batch of 1 MiB by default

OWNER = b"o"
POSITIONS = b"p"
FACTS = b"f"
STATEMENT = (
    b"s"  # facts too, with a letter of their own: those of the last commit are sent out again after a restore
)
OUTBOX = b"a"

_VERSION = bytes([FORMAT])
_PART = struct.Struct(">H")
_NUMBER = struct.Struct(">Q")


class Unreadable(Exception):  # noqa: N818 - reads as what it says
    """The changelog holds a record that this release cannot read; the text says which and what to do."""


class Owner(msgspec.Struct, frozen=True, array_like=True):
    """Somebody took the task. The nonce is theirs alone: who reads it again has read to the end.

    `started`: when their process began, in microseconds.
    """

    nonce: bytes
    instance: str
    started: int


class Gap(msgspec.Struct, frozen=True, array_like=True):
    """Records [start, end) of an input were gone before they were read."""

    topic: str
    start: int
    end: int
    seen_at: int


class Orphan(msgspec.Struct, frozen=True, array_like=True):
    """An alert transition that stands in the alerts topic, of a commit of which nothing else does."""

    number: int
    id: str
    episode: int
    transition: str


class Positions(msgspec.Struct, frozen=True, array_like=True):
    """How far the task has come. `inputs`: topic → offset of the next record. `now`: its clock.

    `number`: of the newest alert transition. `alerts_seen`: offset in the alerts topic before which every transition
    was seen. `orphans`: those that were not decided again so far.
    """

    inputs: dict[str, int]
    now: int
    number: int
    alerts_seen: int
    gaps: tuple[Gap, ...] = ()
    orphans: tuple[Orphan, ...] = ()


_encode = msgspec.msgpack.Encoder().encode
_decode_owner = msgspec.msgpack.Decoder(Owner).decode
_decode_positions = msgspec.msgpack.Decoder(Positions).decode
_decode_transition = msgspec.msgpack.Decoder(AlertTransition).decode
_decode_key = msgspec.msgpack.Decoder(FactKey).decode
_decode_facts = msgspec.msgpack.Decoder(Facts).decode
_decode_wide_facts = msgspec.msgpack.Decoder(Facts, strict=False).decode  # digits are integers, too

Record = tuple[bytes, bytes | None]


def owner_record(owner: Owner) -> Record:
    return OWNER, _VERSION + _encode(owner)


def positions_record(positions: Positions) -> Record:
    return POSITIONS, _VERSION + _encode(positions)


def outbox_record(number: int, transition: AlertTransition | None) -> Record:
    """None: it has been seen where it belongs."""
    return OUTBOX + _NUMBER.pack(number), None if transition is None else _VERSION + _encode(transition)


def fact_records(key: FactKey, facts: Facts | None, parts: int) -> list[Record]:
    """The records that make `facts` (None: nothing) stand under `key`, where so far as many `parts` stand."""
    letter = STATEMENT if key.kind is FactKind.STATEMENT else FACTS
    name = _encode(key)
    packed = b"" if facts is None else _packed(facts)
    count = -(-len(packed) // PART_BYTES)
    head = _VERSION + _PART.pack(count)
    records: list[Record] = [
        (letter + _PART.pack(part) + name, head + packed[part * PART_BYTES : (part + 1) * PART_BYTES])
        for part in range(count)
    ]
    records += [(letter + _PART.pack(part) + name, None) for part in range(count, parts)]
    return records


def _packed(facts: Facts) -> bytes:
    """Msgpack has integers of 64 bits, and exact shares of many requests need more: those are written as digits."""
    try:
        return _encode(facts)
    except OverflowError:
        return _encode(_digits_where_wide(msgspec.to_builtins(facts)))


def _digits_where_wide(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_digits_where_wide(one) for one in value]
    return str(value) if isinstance(value, int) and not -(2**63) <= value < 2**63 else value


def _unpacked(packed: bytes) -> Facts:
    try:
        return _decode_facts(packed)
    except msgspec.ValidationError:
        return _decode_wide_facts(packed)


class Reading:
    """What the records taken so far, in the order of the log, leave standing."""

    def __init__(self) -> None:
        self.owner: Owner | None = None
        self.owner_before: Owner | None = None  # unless it was compacted away
        self.positions: Positions | None = None
        self.outbox: dict[int, AlertTransition] = {}
        self.records = 0
        self.bytes = 0
        self._facts: dict[bytes, bytes] = {}
        self._since_positions: dict[bytes, None] = {}  # statements, in order
        self._last_commit: tuple[bytes, ...] = ()

    def take(self, key: bytes, value: bytes | None) -> None:
        """Raises Unreadable."""
        self.records += 1
        self.bytes += len(key) + len(value or b"")
        letter = key[:1]
        if value is not None and value[:1] != _VERSION:
            raise Unreadable(
                f"the changelog holds a record of format {value[0] if value else 'none'}, this release reads "
                f"format {FORMAT}: run the newer release that wrote it"
            )
        match letter:
            case b"f" | b"s":
                if value is None:
                    self._facts.pop(key, None)
                    self._since_positions.pop(key, None)
                else:
                    self._facts[key] = value
                    if letter == STATEMENT and key[1:3] == b"\x00\x00":
                        self._since_positions[key] = None
            case b"a":
                number: int = _NUMBER.unpack(key[1:])[0]
                if value is None:
                    self.outbox.pop(number, None)
                else:
                    self.outbox[number] = _decode_transition(value[1:])
            case b"p" if value is not None:
                self.positions = _decode_positions(value[1:])
                self._last_commit = tuple(self._since_positions)
                self._since_positions.clear()
            case b"o" if value is not None:
                self.owner_before, self.owner = self.owner, _decode_owner(value[1:])
            case _:
                raise Unreadable(
                    f"the changelog holds a record of unknown kind {letter!r}: run the newer release that wrote it"
                )

    def facts(self) -> Iterator[tuple[FactKey, Facts, int]]:
        """What stands: key, facts, and of how many parts."""
        for key, value in self._facts.items():
            if key[1:3] != b"\x00\x00":
                continue  # taken with its first part
            parts: int = _PART.unpack_from(value, 1)[0]
            packed = value[3:]
            if parts > 1:
                packed += b"".join(
                    self._facts[key[:1] + _PART.pack(part) + key[3:]][3:] for part in range(1, parts)
                )
            yield _decode_key(key[3:]), _unpacked(packed), parts

    def last_statements(self) -> Iterator[tuple[FactKey, Facts]]:
        """The statements that the last commit issued, or more of them."""
        for key in self._last_commit:
            if key in self._facts:
                yield _decode_key(key[3:]), _unpacked(self._facts[key][3:])
