"""Dead letters: what becomes of a record that cannot be used, and how such a record is read again.

It is kept as it came, byte for byte, with headers that say why and where from.

The headers carry the names that Kafka Connect gives them, so that tools for its dead letters work:

    __connect.errors.topic, .partition, .offset     where the record came from
    __connect.errors.connector.name                 the application id
    __connect.errors.task.id                        the task, which is the partition
    __connect.errors.stage                          always "event"
    __connect.errors.exception.class.name           the reason, one word of `codec.RejectReason`
    __connect.errors.exception.message              what is wrong, for people

They stand behind the record's own headers. A record too large for the topic is recorded without its value (and without
its key and own headers, if need be), with two headers more: slamon.size (bytes of its value) and slamon.sha256 (of its
value, hexadecimal). So is the only other one that cannot be kept as it was: neither key nor value becomes an empty value.

Two other records lie among them, both without value:

- A tally stands for records beyond the limits of `dead_letter_limits`: of one input, for one reason, between two commits.
  It has the headers of its first record, and two more: slamon.tally.records (how many they were) and
  slamon.tally.last_offset. They still lie in their input, as long as it keeps them.
- A mark says that somebody has handled a letter, which stays where it is: slamon.handled (sent or dismissed) and
  slamon.handled.offset (of the letter, in the mark's own partition).

A record that was sent again carries slamon.retry.of, topic/partition/offset of its letter.
"""

import enum
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from slamon.codec import Rejected, RejectReason
from slamon.kafka.clients import Outgoing

TOPIC, PARTITION, OFFSET = (f"__connect.errors.{name}" for name in ("topic", "partition", "offset"))
REASON, MESSAGE = (f"__connect.errors.exception.{name}" for name in ("class.name", "message"))
SIZE, SHA256 = "slamon.size", "slamon.sha256"
TALLY, LAST_OFFSET = "slamon.tally.records", "slamon.tally.last_offset"
HANDLED, HANDLED_OFFSET = "slamon.handled", "slamon.handled.offset"
RETRY_OF = "slamon.retry.of"

OVERHEAD = 512  # bytes of a batch and a record beside keys, values and headers, with room to spare
DETAIL_BYTES = 2000  # a message for people, not another copy of the record


class Handled(enum.Enum):
    """What somebody did about a letter."""

    SENT = "sent"  # again, to its input
    DISMISSED = "dismissed"


class Place(NamedTuple):
    """Of one record."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"


@dataclass(slots=True)
class Tally:
    """Records of one input, rejected for one reason and not kept; offsets of the first and the last."""

    first: int
    last: int
    records: int = 1


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter, or a tally of some. `at`: microseconds, when it was recorded.

    `headers`: the record's own. `size`: bytes of its value as it came. `whole`: key, value and headers are as they came.
    `records`: how many it stands for; `last_offset`: of the last of them, in a tally.
    """

    place: Place
    at: int
    origin: Place
    reason: str
    message: str
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    size: int
    whole: bool
    records: int
    last_offset: int | None = None

    @property
    def is_tally(self) -> bool:
        return self.last_offset is not None


class Mark(NamedTuple):
    """Says what became of the letter at `place`."""

    place: Place
    handled: Handled


def dead_letter(
    record: Any, rejected: Rejected, *, application: str, topic: str, partition: int, limit: int
) -> Outgoing:
    """`limit`: the largest record in bytes that the topic takes."""
    origin = Place(record.topic, record.partition, record.offset)
    why = _why(origin, rejected.reason, rejected.detail, application)
    own: Sequence[tuple[str, bytes | None]] = record.headers
    whole = Outgoing(topic, partition, record.key, record.value, (*own, *why))
    if size(whole) <= limit and not (record.key is None and record.value is None):
        return whole
    value = record.value or b""
    why += [(SIZE, b"%d" % len(value)), (SHA256, hashlib.sha256(value).hexdigest().encode())]
    empty = whole._replace(value=b"", headers=(*own, *why))
    return empty if size(empty) <= limit else empty._replace(key=None, headers=tuple(why))


def tally(
    origin: Place, reason: RejectReason, of: Tally, *, application: str, topic: str, partition: int
) -> Outgoing:
    """`origin`: of the first record that it stands for."""
    records = f"{of.records:,} {'record' if of.records == 1 else 'records'}"
    message = (
        f"{records} from offset {of.first} to {of.last}, beyond what a task may record in a minute "
        "(kafka.dead_letter_records, kafka.dead_letter_bytes): they still lie in their input"
    )
    headers = (
        *_why(origin, reason, message, application),
        (TALLY, b"%d" % of.records),
        (LAST_OFFSET, b"%d" % of.last),
    )
    return Outgoing(topic, partition, None, b"", headers)


def mark(place: Place, handled: Handled) -> Outgoing:
    """It lies in the letter's own partition, so that who reads a partition knows all of its letters."""
    headers = ((HANDLED, handled.value.encode()), (HANDLED_OFFSET, b"%d" % place.offset))
    return Outgoing(place.topic, place.partition, None, b"", headers)


def _why(
    origin: Place, reason: RejectReason, message: str, application: str
) -> list[tuple[str, bytes | None]]:
    return [
        (TOPIC, origin.topic.encode()),
        (PARTITION, b"%d" % origin.partition),
        (OFFSET, b"%d" % origin.offset),
        ("__connect.errors.connector.name", application.encode()),
        ("__connect.errors.task.id", b"%d" % origin.partition),
        ("__connect.errors.stage", b"event"),
        (REASON, reason.value.encode()),
        (MESSAGE, message.encode(errors="replace")[:DETAIL_BYTES]),
    ]


def understood(record: Any) -> Letter | Mark | None:
    """What a record of the topic is; None: nothing of slamon's."""
    place = Place(record.topic, record.partition, record.offset)
    names = [name for name, _ in record.headers]
    # The record's own headers may hold such names too, if it had been a dead letter of somebody else's: ours are last.
    begin = len(names) - 1 - names[::-1].index(TOPIC) if TOPIC in names else len(names)
    own, ours = record.headers[:begin], dict(record.headers[begin:])
    try:
        if not ours:
            said = dict(own)
            return Mark(place._replace(offset=_number(said, HANDLED_OFFSET)), Handled(_text(said, HANDLED)))
        size_as_it_came = _number(ours, SIZE) if SIZE in ours else len(record.value or b"")
        return Letter(
            place,
            record.timestamp * 1000,
            Place(_text(ours, TOPIC), _number(ours, PARTITION), _number(ours, OFFSET)),
            _text(ours, REASON),
            _text(ours, MESSAGE),
            record.key,
            record.value,
            tuple(own),
            size_as_it_came,
            whole=SIZE not in ours and TALLY not in ours,
            records=_number(ours, TALLY) if TALLY in ours else 1,
            last_offset=_number(ours, LAST_OFFSET) if TALLY in ours else None,
        )
    except (KeyError, ValueError):
        return None


def _text(headers: dict[str, bytes | None], name: str) -> str:
    return (headers[name] or b"").decode(errors="replace")


def _number(headers: dict[str, bytes | None], name: str) -> int:
    return int(headers[name] or b"")


def size(record: Outgoing) -> int:
    """Bytes of the record as sent alone; never too few."""
    headers = sum(len(name.encode()) + len(value or b"") + 10 for name, value in record.headers)
    return OVERHEAD + len(record.key or b"") + len(record.value or b"") + headers
