"""Laws of reading and writing records."""

import json
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from slamon import plain_records
from slamon.codec import (
    LATEST_EVENT,
    InstantError,
    Rejected,
    _parse_any_instant,
    _read,
    decode,
    encode,
    format_instant,
    format_seconds,
    parse_instant,
)
from slamon.domain.events import (
    AvailabilityEvent,
    Event,
    ExclusionEvent,
    ExclusionReason,
    ExclusionState,
    Reply,
    RequestsEvent,
    ServiceStatus,
    TicketEvent,
    TicketStatus,
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST = -62_135_596_800_000_000  # 0001-01-01T00:00:00Z
LAST = 253_402_300_799_999_999  # 9999-12-31T23:59:59.999999Z

instants = st.integers(FIRST, LAST)
times = st.integers(FIRST, LATEST_EVENT)  # of events
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
ids = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
integers = st.integers(-(2**63) + 1, 2**63 - 1)
durations = st.integers(1, 10**15)


def maybe(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


tickets = st.builds(
    TicketEvent,
    id=ids,
    time=times,
    customer=words,
    ticket=words,
    seq=maybe(integers),
    status=maybe(st.sampled_from(TicketStatus)),
    waiting_on=maybe(words),
    priority=maybe(words),
    service=maybe(words),
    reply=maybe(st.sampled_from(Reply)),
    opened_at=maybe(instants),
    attributes=maybe(st.dictionaries(words, words, max_size=3)),
)
availabilities = st.builds(
    AvailabilityEvent,
    id=ids,
    time=times,
    customer=maybe(words),
    service=words,
    status=st.sampled_from(ServiceStatus),
    seq=maybe(integers),
    interval=maybe(durations),
)


@st.composite
def requests(draw: st.DrawFn) -> RequestsEvent:
    total = draw(st.integers(0, 2**63 - 1))
    return RequestsEvent(
        id=draw(ids),
        time=draw(times),
        customer=draw(words),
        service=draw(words),
        total=total,
        bad=draw(st.integers(0, total)),
        duration=draw(durations),
        seq=draw(maybe(integers)),
    )


@st.composite
def exclusions(draw: st.DrawFn) -> ExclusionEvent:
    state = draw(st.sampled_from(ExclusionState))
    start, end = sorted(draw(st.sets(instants, min_size=2, max_size=2)))
    bare = state is ExclusionState.CANCELLED and draw(st.booleans())
    return ExclusionEvent(
        id=draw(ids),
        time=draw(times),
        customer=draw(words),
        exclusion=draw(words),
        state=state,
        seq=draw(maybe(integers)),
        reason=None if bare else draw(st.sampled_from(ExclusionReason)),
        start=None if bare else start,
        end=None if bare else end,
        service=draw(maybe(words)),
        announced_at=draw(maybe(instants)),
        approved_by=draw(maybe(words)),
        evidence=draw(maybe(words)),
    )


events: st.SearchStrategy[Event] = st.one_of(tickets, availabilities, requests(), exclusions())


@given(events)
def test_what_is_written_is_read_back_as_the_same_event(event: Event) -> None:
    assert decode(encode(event), now=None) == event


@given(events)
def test_a_cloud_event_in_either_mode_is_the_same_event(event: Event) -> None:
    members = json.loads(encode(event))
    context = {name: members.pop(name) for name in ("id", "type", "time")}
    structured = {**context, "specversion": "1.0", "source": "/", "data": members}
    headers = [(f"ce_{name}", text.encode()) for name, text in context.items()]
    assert decode(json.dumps(structured).encode(), now=None) == event
    assert decode(json.dumps(members).encode(), [*headers, ("ce_specversion", b"1.0")], now=None) == event


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
NAMES = [
    *("id", "type", "time", "customer", "seq", "specversion", "data", "ticket", "status", "waiting_on"),
    *(
        "priority",
        "service",
        "reply",
        "opened_at",
        "attributes",
        "interval_seconds",
        "total",
        "bad",
        "seconds",
    ),
    *("exclusion", "state", "reason", "from", "to", "announced_at", "approved_by", "evidence"),
]
LIKELY = [
    *(
        "ticket",
        "availability",
        "requests",
        "exclusion",
        "open",
        "up",
        "declared",
        "cancelled",
        "maintenance",
    ),
    *(
        "1.0",
        "2026-11-23T12:00:00Z",
        "2026-11-23T12:00:00",
        "2026-11-23T12:00:00.1+01:00",
        60,
        0.1,
        -1,
        10**400,
    ),
]
likely = st.sampled_from(LIKELY)
almost_events = st.dictionaries(st.sampled_from(NAMES), likely | json_values, min_size=5)
header_lists = st.lists(
    st.tuples(
        st.sampled_from(["ce_specversion", "ce_id", "ce_type", "ce_time", "ce_seq", "ce_customer", "x"]),
        st.none() | st.binary(max_size=6) | likely.map(lambda value: str(value).encode()),
    )
)


@given(st.binary(), header_lists)
def test_no_bytes_make_decode_raise(value: bytes, headers: list[tuple[str, bytes | None]]) -> None:
    decode(value, headers, now=0)


@given(almost_events, header_lists)
def test_no_json_makes_decode_raise(
    members: dict[str, object], headers: list[tuple[str, bytes | None]]
) -> None:
    decode(json.dumps(members).encode(errors="surrogatepass"), headers, now=0)


def damaged(data: st.DataObject, good: bytes, with_: st.SearchStrategy[bytes]) -> bytes:
    record = bytearray(good)
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(record) - 1))
        record[place : place + data.draw(st.integers(0, 2))] = data.draw(with_)
    return bytes(record)


@given(events, st.data())
def test_no_damage_to_a_good_record_makes_decode_raise(event: Event, data: st.DataObject) -> None:
    decode(damaged(data, encode(event), st.binary(max_size=2)), now=0)


@given(almost_events)
def test_what_is_accepted_can_be_written_and_read_back(members: dict[str, object]) -> None:
    event = decode(json.dumps(members).encode(errors="surrogatepass"), now=None)
    if not isinstance(event, Rejected):
        assert decode(encode(event), now=None) == event


@given(events)
def test_a_good_ticket_or_availability_record_is_plain(event: Event) -> None:
    plain = plain_records.read(encode(event))
    whole = not isinstance(event, AvailabilityEvent) or (event.interval or 0) % 1_000_000 == 0
    if isinstance(event, TicketEvent | AvailabilityEvent) and whole:
        assert plain == event


@given(almost_events)
def test_what_is_plain_says_the_same_read_either_way(members: dict[str, object]) -> None:
    value = json.dumps(members).encode(errors="surrogatepass")
    assert plain_records.read(value) in (None, _read(value, ()))


@given(events, st.data())
def test_what_is_plain_after_damage_says_the_same_read_either_way(event: Event, data: st.DataObject) -> None:
    value = damaged(
        data, encode(event), st.binary(max_size=2) | st.sampled_from([b'"', b",", b"0", b".", b"null"])
    )
    assert plain_records.read(value) in (None, _read(value, ()))


@given(instants, st.sampled_from([20, 24, 27]), st.data())
def test_an_instant_in_a_usual_form_says_the_same_read_either_way(
    at: int, length: int, data: st.DataObject
) -> None:
    usual = format_instant(at)[: length - 1] + "Z" if length > 20 else format_instant(at)[:19] + "Z"
    assert plain_records.instant(usual) == _parse_any_instant(usual)
    other = damaged(
        data, usual.encode(), st.text("0123456789-:.,+TtZzW ", max_size=2).map(str.encode)
    ).decode()
    try:
        expected = _parse_any_instant(other)
    except InstantError:
        assert plain_records.instant(other) is None
    else:
        assert plain_records.instant(other) in (None, expected)


@given(instants)
def test_an_instant_survives_being_written(at: int) -> None:
    text = format_instant(at)
    assert parse_instant(text) == at
    assert datetime.fromisoformat(text) == EPOCH + timedelta(microseconds=at)


@given(instants, st.integers(-1439, 1439))
def test_an_instant_is_the_same_in_every_offset(at: int, minutes: int) -> None:
    local = at + minutes * 60_000_000
    if FIRST <= local <= LAST:
        sign = "-" if minutes < 0 else "+"
        offset = f"{sign}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
        assert parse_instant(format_instant(local)[:-1] + offset) == at


@given(instants, st.text("0123456789", max_size=20))
def test_digits_beyond_the_microsecond_never_matter(at: int, digits: str) -> None:
    assert parse_instant(f"{format_instant(at)[:-1]}{digits}Z") == at


@given(st.integers(-(10**18), 10**18))
def test_seconds_are_written_exactly(duration: int) -> None:
    assert Fraction(format_seconds(duration)) == Fraction(duration, 1_000_000)


@given(st.decimals(min_value="0.000001", max_value=10**9, allow_nan=False, allow_infinity=False, places=9))
def test_seconds_are_read_exactly_to_the_microsecond(seconds: Any) -> None:
    value = (
        b'{"id":"1","type":"availability","time":"2026-11-23T12:00:00Z","service":"s","status":"up","interval_seconds":'
        + str(seconds).encode()
        + b"}"
    )
    event = decode(value, now=None)
    assert isinstance(event, AvailabilityEvent)
    assert event.interval == int(Fraction(seconds) * 1_000_000)
