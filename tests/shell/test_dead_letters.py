"""A dead letter is the record itself, with its origin and the reason; always one that the topic takes, and it can be read."""

import hashlib

from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.structs import ConsumerRecord
from hypothesis import given
from hypothesis import strategies as st

from slamon.codec import Rejected, RejectReason
from slamon.kafka.clients import Outgoing
from slamon.kafka.dead_letters import (
    Handled,
    Letter,
    Mark,
    Place,
    Tally,
    dead_letter,
    mark,
    size,
    tally,
    understood,
)

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


def lying(letter: Outgoing, offset: int = 7) -> ConsumerRecord[bytes | None, bytes | None]:
    """As who reads the topic gets it."""
    return ConsumerRecord(
        letter.topic,
        letter.partition,
        offset,
        1_700_000_000_123,
        0,
        letter.key,
        letter.value,
        None,
        0,
        0,
        tuple(letter.headers),
    )


headers = st.lists(
    st.tuples(
        st.sampled_from(["trace", "__connect.errors.topic", "slamon.size", "slamon.handled", ""]),
        st.none() | st.binary(max_size=5),
    ),
    max_size=4,
).map(tuple)


@given(st.none() | st.binary(max_size=20), st.none() | st.binary(max_size=20), headers, st.text(max_size=30))
def test_what_was_recorded_is_read_as_it_was(
    key: bytes | None,
    value: bytes | None,
    own: tuple[tuple[str, bytes | None], ...],
    detail: str,
) -> None:
    letter = understood(lying(letter_of(record(key, value, own), detail=detail)))
    assert isinstance(letter, Letter)
    assert (letter.place, letter.origin) == (Place("dead", 1, 7), Place("sla.tickets", 3, 42))
    assert (letter.reason, letter.at) == ("not_json", 1_700_000_000_123_000)
    assert letter.message == detail.encode(errors="replace").decode()
    assert letter.headers == own
    assert letter.whole == (key is not None or value is not None)
    if letter.whole:
        assert (letter.key, letter.value, letter.size) == (key, value, len(value or b""))
    assert not letter.is_tally


def test_a_letter_that_was_too_large_says_how_large_it_was() -> None:
    letter = understood(lying(letter_of(record(b"k", b"v" * LIMIT))))
    assert isinstance(letter, Letter)
    assert (letter.whole, letter.value, letter.size) == (False, b"", LIMIT)


def test_a_tally_is_read_as_what_it_stands_for() -> None:
    origin = Place("sla.tickets", 3, 100)
    sent = tally(
        origin, RejectReason.NOT_JSON, Tally(100, 2099, 1500), application="app", topic="dead", partition=1
    )
    letter = understood(lying(sent))
    assert isinstance(letter, Letter)
    assert letter.is_tally
    assert not letter.whole
    assert (letter.origin, letter.last_offset, letter.records) == (origin, 2099, 1500)
    assert letter.message.startswith("1,500 records from offset 100 to 2099, beyond what a task may record")


def test_a_mark_names_its_letter() -> None:
    place = Place("dead", 1, 7)
    assert understood(lying(mark(place, Handled.DISMISSED), 99)) == Mark(place, Handled.DISMISSED)


def test_what_others_write_there_is_not_taken_for_a_letter() -> None:
    for foreign in (
        (),
        (("__connect.errors.topic", b"x"),),
        (("slamon.handled", b"eaten"), ("slamon.handled.offset", b"1")),
        (("slamon.handled", b"sent"), ("slamon.handled.offset", b"one")),
    ):
        assert understood(lying(Outgoing("dead", 1, None, b"hello", foreign))) is None
