"""A dead letter is the record itself, with its origin and the reason; and always one that the topic takes."""

import hashlib

from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.structs import ConsumerRecord
from hypothesis import given
from hypothesis import strategies as st

from slamon.codec import Rejected, RejectReason
from slamon.kafka.clients import Outgoing
from slamon.kafka.dead_letters import dead_letter, size

LIMIT = 10_000


def record(
    key: bytes | None, value: bytes | None, headers: tuple[tuple[str, bytes | None], ...] = ()
) -> ConsumerRecord[bytes | None, bytes | None]:
    return ConsumerRecord("sla.tickets", 3, 42, 0, 0, key, value, None, 0, 0, headers)


def letter_of(one: object, reason: RejectReason = RejectReason.NOT_JSON, detail: str = "no") -> Outgoing:
    return dead_letter(
        one, Rejected(reason, detail), application="app", topic="dead", partition=1, limit=LIMIT
    )


def test_it_is_the_record_with_its_origin_and_the_reason_behind_its_own_headers() -> None:
    letter = letter_of(record(b"\xff", b"\x00{", (("trace", b"1"), ("empty", None))), detail="line 1: naïve")
    assert letter == Outgoing(
        "dead",
        1,
        b"\xff",
        b"\x00{",
        (
            ("trace", b"1"),
            ("empty", None),
            ("__connect.errors.topic", b"sla.tickets"),
            ("__connect.errors.partition", b"3"),
            ("__connect.errors.offset", b"42"),
            ("__connect.errors.connector.name", b"app"),
            ("__connect.errors.task.id", b"3"),
            ("__connect.errors.stage", b"event"),
            ("__connect.errors.exception.class.name", b"not_json"),
            ("__connect.errors.exception.message", "line 1: naïve".encode()),
        ),
    )


def test_what_is_too_large_is_recorded_by_size_and_digest() -> None:
    value = b"v" * LIMIT
    letter = letter_of(record(b"k", value, (("own", b"1"),)))
    headers = dict(letter.headers)
    assert (letter.key, letter.value, headers["own"]) == (b"k", b"", b"1")
    assert headers["slamon.size"] == b"10000"
    assert headers["slamon.sha256"] == hashlib.sha256(value).hexdigest().encode()


def test_a_record_without_key_and_value_can_be_recorded_too() -> None:
    letter = letter_of(record(None, None))
    assert (letter.key, letter.value) == (None, b"")
    assert dict(letter.headers)["slamon.size"] == b"0"


sizes = st.integers(0, 3 * LIMIT).map(lambda length: b"x" * length)


@given(st.none() | sizes, st.none() | sizes, st.none() | sizes, st.text(max_size=5_000))
def test_the_topic_takes_every_dead_letter(
    key: bytes | None, value: bytes | None, header: bytes | None, detail: str
) -> None:
    letter = letter_of(record(key, value, (("own", header),)), detail=detail)
    batch = DefaultRecordBatchBuilder(2, 0, 1, 1, 1, 1, LIMIT)
    batch.append(0, 0, letter.key, letter.value, list(letter.headers))
    assert len(batch.build()) <= size(letter) <= LIMIT
