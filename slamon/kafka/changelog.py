"""The changelog: everything a task remembers, as records of its partition, and the way back.

- A record is upserted whole, and a key's newest record holds; no value: it is gone. Compaction may drop all others.
- Keys begin with a letter for the kind of record, values with the version of their format (see `formats`). What stands in
  another format than this release reads, or of a kind unknown here, is refused: a release that guesses would destroy what
  another one wrote. What something newer has replaced does not stand, and is never looked into.
- All records of one commit stand or fall together, and the positions are its last record. So what stands after the
  newest positions is of no commit, and what stands between them and the positions before was the last commit.
- An alert transition stands in the outbox, under its number, from the commit that decided it until it was seen in the
  alerts topic. Transactions are atomic across topics only while not too much fails at once: see `tasks`.
- Facts of more than `PART_BYTES` are cut into parts, a record each.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from slamon.domain.decisions import AlertTransition, FactKey, FactKind, Facts, Upshot
from slamon.kafka.delay import DelayMemory
from slamon.kafka.formats import NEWEST, PREVIOUS, pack, packed_ticket, unpack
from slamon.settings import FORMATS

PART_BYTES = 256 * 1024  # a broker takes a batch of 1 MiB by default

OWNER = b"o"
POSITIONS = b"p"
FACTS = b"f"
STATEMENT = (
    b"s"  # facts too, with a letter of their own: those of the last commit are sent out again after a restore
)
OUTBOX = b"a"
KINDS = (OWNER, POSITIONS, FACTS, STATEMENT, OUTBOX)

FIRST_PART = b"\x00\x00"
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
    delay: DelayMemory = DelayMemory()


_encode = msgspec.msgpack.Encoder().encode
_decode_owner = msgspec.msgpack.Decoder(Owner).decode
_decode_positions = msgspec.msgpack.Decoder(Positions).decode
_decode_transition = msgspec.msgpack.Decoder(AlertTransition).decode
_decode_key = msgspec.msgpack.Decoder(FactKey).decode

Record = tuple[bytes, bytes | None]


def owner_record(owner: Owner) -> Record:
    """In the same shape and under the same version in both formats: it is written before anything was read."""
    return OWNER, _head(PREVIOUS) + _encode(owner)


def positions_record(positions: Positions, version: int = NEWEST) -> Record:
    # The delay came later, at the end: a release that does not know it reads over it, and until there was one nothing differs.
    whole = positions if positions.delay.episode else msgspec.structs.astuple(positions)[:-1]
    return POSITIONS, _head(version) + _encode(whole)


def outbox_record(number: int, transition: AlertTransition | None, version: int = NEWEST) -> Record:
    """None: it has been seen where it belongs."""
    value = None if transition is None else _head(version) + _encode(transition)
    return OUTBOX + _NUMBER.pack(number), value


def fact_records(
    key: FactKey, facts: Facts | None, parts: int, version: int = NEWEST, upshot: Upshot | None = None
) -> list[Record]:
    """The records that make `facts` (None: nothing) stand under `key`, where so far as many `parts` stand.

    `upshot`: what a ticket came to.
    """
    letter = STATEMENT if key.kind is FactKind.STATEMENT else FACTS
    name = _encode(key)
    packed = b"" if facts is None else pack(version, key, facts, upshot)
    count = -(-len(packed) // PART_BYTES)
    head = _head(version) + _PART.pack(count)
    records: list[Record] = [
        (letter + _PART.pack(part) + name, head + packed[part * PART_BYTES : (part + 1) * PART_BYTES])
        for part in range(count)
    ]
    records += [(letter + _PART.pack(part) + name, None) for part in range(count, parts)]
    return records


def _head(version: int) -> bytes:
    return version.to_bytes()


class PackedFacts(NamedTuple):
    """What stands under a key, as it was written, in so many parts."""

    key: FactKey
    version: int
    packed: bytes
    parts: int

    @property
    def facts(self) -> Facts:
        return unpack(self.version, self.key, self.packed)

    @property
    def ticket(self) -> bytes | None:
        """A ticket as `ticket_rows` lays it out, if it is one."""
        return packed_ticket(self.version, self.key, self.packed)


class Reading:
    """What the records taken so far, in the order of the log, leave standing. Nothing but that is ever decoded."""

    def __init__(self) -> None:
        self.records = 0
        self.bytes = 0
        self._standing: dict[bytes, bytes] = {}
        self._owner_before: bytes | None = None  # unless it was compacted away
        self._since_positions: dict[bytes, None] = {}  # statements, in order
        self._last_commit: tuple[bytes, ...] = ()

    def take(self, key: bytes, value: bytes | None) -> None:
        self.records += 1
        self.bytes += len(key) + len(value or b"")
        if value is None:
            self._standing.pop(key, None)
            self._since_positions.pop(key, None)
            return
        letter = key[:1]
        if letter == OWNER:
            self._owner_before = self._standing.get(key)
        elif letter == POSITIONS:
            self._last_commit = tuple(self._since_positions)
            self._since_positions.clear()
        elif letter == STATEMENT and key[1:3] == FIRST_PART:
            self._since_positions[key] = None
        self._standing[key] = value

    def check(self) -> None:
        """Once everything was taken. Raises Unreadable."""
        for key, value in self._standing.items():
            letter, version = key[:1], value[0] if value else 0
            if letter != OWNER and version not in FORMATS:
                newer = version > NEWEST
                what = (
                    "run the newer release that wrote it"
                    if newer
                    else f"run the release before, with format: {PREVIOUS} in its settings, until it is rewritten"
                )
                raise Unreadable(
                    f"the changelog holds a record of format {version or 'none'}, this release reads format "
                    f"{' and '.join(map(str, FORMATS))}: {what}"
                )
            if letter not in KINDS:
                raise Unreadable(
                    f"the changelog holds a record of unknown kind {letter!r}: run the newer release that wrote it"
                )

    def ends_with(self, nonce: bytes) -> bool:
        """Whether the newest owner is the one with this nonce."""
        return nonce in self._standing.get(OWNER, b"")

    @property
    def standing(self) -> int:
        """How many records do."""
        return len(self._standing)

    @property
    def owner(self) -> Owner | None:
        value = self._standing.get(OWNER)
        return None if value is None else _decode_owner(value[1:])

    @property
    def owner_before(self) -> Owner | None:
        return None if self._owner_before is None else _decode_owner(self._owner_before[1:])

    @property
    def positions(self) -> Positions | None:
        value = self._standing.get(POSITIONS)
        return None if value is None else _decode_positions(value[1:])

    @property
    def format(self) -> int | None:
        """In which the last commit was written."""
        value = self._standing.get(POSITIONS)
        return None if value is None else value[0]

    @property
    def outbox(self) -> dict[int, AlertTransition]:
        return {
            _NUMBER.unpack(key[1:])[0]: _decode_transition(value[1:])
            for key, value in self._standing.items()
            if key[:1] == OUTBOX
        }

    def facts(self) -> Iterator[tuple[FactKey, Facts, int]]:
        """What stands: key, facts, and of how many parts."""
        for fact in self.packed_facts():
            yield fact.key, fact.facts, fact.parts

    def packed_facts(self) -> Iterator["PackedFacts"]:
        """The same, to be looked into one by one."""
        for name, value in self._facts():
            parts: int = _PART.unpack_from(value, 1)[0]
            yield PackedFacts(_decode_key(name[3:]), value[0], self._whole(name, value, parts), parts)

    def in_other_formats(self, version: int) -> list[FactKey]:
        """Of which facts."""
        return [_decode_key(name[3:]) for name, value in self._facts() if value[0] != version]

    def last_statements(self) -> Iterator[tuple[FactKey, Facts]]:
        """The statements that the last commit issued, or more of them."""
        for name in self._last_commit:
            value = self._standing.get(name)
            if value is not None:
                key = _decode_key(name[3:])
                yield key, unpack(value[0], key, value[3:])

    def _facts(self) -> Iterator[tuple[bytes, bytes]]:
        """The first part of each."""
        for name, value in self._standing.items():
            if name[:1] in (FACTS, STATEMENT) and name[1:3] == FIRST_PART:
                yield name, value

    def _whole(self, name: bytes, value: bytes, parts: int) -> bytes:
        if parts == 1:
            return value[3:]
        rest = (self._standing[name[:1] + _PART.pack(part) + name[3:]][3:] for part in range(1, parts))
        return value[3:] + b"".join(rest)
