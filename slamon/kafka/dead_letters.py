"""What becomes of a record that cannot be used: itself, byte for byte, with headers that say why and where from.

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
"""

import hashlib
from collections.abc import Sequence
from typing import Any

from slamon.codec import Rejected
from slamon.kafka.clients import Outgoing

OVERHEAD = 512  # bytes of a batch and a record beside keys, values and headers, with room to spare
DETAIL_BYTES = 2000  # a message for people, not another copy of the record


def dead_letter(
    record: Any, rejected: Rejected, *, application: str, topic: str, partition: int, limit: int
) -> Outgoing:
    """`limit`: the largest record in bytes that the topic takes."""
    why: list[tuple[str, bytes | None]] = [
        ("__connect.errors.topic", record.topic.encode()),
        ("__connect.errors.partition", b"%d" % record.partition),
        ("__connect.errors.offset", b"%d" % record.offset),
        ("__connect.errors.connector.name", application.encode()),
        ("__connect.errors.task.id", b"%d" % record.partition),
        ("__connect.errors.stage", b"event"),
        ("__connect.errors.exception.class.name", rejected.reason.value.encode()),
        ("__connect.errors.exception.message", rejected.detail.encode(errors="replace")[:DETAIL_BYTES]),
    ]
    own: Sequence[tuple[str, bytes | None]] = record.headers
    whole = Outgoing(topic, partition, record.key, record.value, (*own, *why))
    if size(whole) <= limit and not (record.key is None and record.value is None):
        return whole
    value = record.value or b""
    why += [
        ("slamon.size", b"%d" % len(value)),
        ("slamon.sha256", hashlib.sha256(value).hexdigest().encode()),
    ]
    empty = whole._replace(value=b"", headers=(*own, *why))
    return empty if size(empty) <= limit else empty._replace(key=None, headers=tuple(why))


def size(record: Outgoing) -> int:
    """Bytes of the record as sent alone; never too few."""
    headers = sum(len(name.encode()) + len(value or b"") + 10 for name, value in record.headers)
    return OVERHEAD + len(record.key or b"") + len(record.value or b"") + headers
