"""Records to events: what is read, what is refused, and the reason given."""

import json
from typing import Any

import pytest

from slamon.codec import (
    LARGEST_RECORD,
    InstantError,
    Rejected,
    RejectReason,
    decode,
    encode,
    format_instant,
    format_seconds,
    parse_instant,
)
from slamon.domain.events import (
    HOUR,
    SECOND,
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

NOON = 1_795_435_200_000_000  # 2026-11-23T12:00:00Z

TICKET = {
    "id": "1",
    "type": "ticket",
    "time": "2026-11-23T12:00:00Z",
    "customer": "acme",
    "ticket": "T-1",
}
AVAILABILITY = {
    "id": "1",
    "type": "availability",
    "time": "2026-11-23T12:00:00Z",
    "service": "api",
    "status": "up",
}
REQUESTS = {
    "id": "1",
    "type": "requests",
    "time": "2026-11-23T12:00:00Z",
    "customer": "acme",
    "service": "api",
    "total": 10,
    "bad": 1,
    "seconds": 60,
}
EXCLUSION = {
    "id": "1",
    "type": "exclusion",
    "time": "2026-11-23T12:00:00Z",
    "customer": "acme",
    "exclusion": "E-1",
    "state": "declared",
    "reason": "maintenance",
    "from": "2026-11-24T00:00:00Z",
    "to": "2026-11-24T02:00:00Z",
}
EACH_TYPE = (TICKET, AVAILABILITY, REQUESTS, EXCLUSION)


def bytes_of(base: dict[str, Any], **changes: Any) -> bytes:
    """A change to `...` takes the member away."""
    members = {**base, **changes}
    return json.dumps({name: value for name, value in members.items() if value is not ...}).encode()


def read(base: dict[str, Any], **changes: Any) -> Event:
    event = decode(bytes_of(base, **changes), now=None)
    assert not isinstance(event, Rejected), event
    return event


def refusal(base: dict[str, Any], **changes: Any) -> Rejected:
    rejected = decode(bytes_of(base, **changes), now=None)
    assert isinstance(rejected, Rejected), rejected
    return rejected


def test_a_ticket_event_names_only_what_it_changes() -> None:
    assert read(TICKET) == TicketEvent(id="1", time=NOON, customer="acme", ticket="T-1")
    assert read(
        TICKET,
        seq=7,
        status="waiting",
        waiting_on="my own word",
        priority="P1",
        service="api",
        reply="agent",
        opened_at="2026-11-23T11:00:00.5Z",
        attributes={"region": "eu"},
    ) == TicketEvent(
        id="1",
        time=NOON,
        customer="acme",
        ticket="T-1",
        seq=7,
        status=TicketStatus.WAITING,
        waiting_on="my own word",
        priority="P1",
        service="api",
        reply=Reply.AGENT,
        opened_at=NOON - HOUR + SECOND // 2,
        attributes={"region": "eu"},
    )


def test_an_availability_event_may_be_for_every_customer() -> None:
    assert read(AVAILABILITY, interval_seconds=60) == AvailabilityEvent(
        id="1", time=NOON, customer=None, service="api", status=ServiceStatus.UP, interval=60 * SECOND
    )


def test_a_requests_event_counts_the_seconds_before_it() -> None:
    assert read(REQUESTS) == RequestsEvent(
        id="1", time=NOON, customer="acme", service="api", total=10, bad=1, duration=60 * SECOND
    )


def test_an_exclusion_says_from_and_to() -> None:
    assert read(EXCLUSION, approved_by="Ann", evidence="mail") == ExclusionEvent(
        id="1",
        time=NOON,
        customer="acme",
        exclusion="E-1",
        state=ExclusionState.DECLARED,
        reason=ExclusionReason.MAINTENANCE,
        start=NOON + 12 * HOUR,
        end=NOON + 14 * HOUR,
        approved_by="Ann",
        evidence="mail",
    )


def test_a_cancelled_exclusion_needs_only_itself() -> None:
    event = read(EXCLUSION, **{"state": "cancelled", "reason": ..., "from": ..., "to": ...})
    assert event == ExclusionEvent(
        id="1", time=NOON, customer="acme", exclusion="E-1", state=ExclusionState.CANCELLED
    )


@pytest.mark.parametrize("base", EACH_TYPE, ids=lambda base: base["type"])
def test_null_is_a_member_left_out(base: dict[str, Any]) -> None:
    optional = ("seq", "status", "priority", "opened_at", "attributes", "interval_seconds", "announced_at")
    nulls = dict.fromkeys(name for name in optional if name not in base)
    assert read(base, **nulls) == read(base)


def test_null_inside_attributes_leaves_that_attribute_out() -> None:
    event = read(TICKET, attributes={"region": None, "tier": "gold"})
    assert isinstance(event, TicketEvent)
    assert event.attributes == {"tier": "gold"}


def test_unknown_members_are_ignored_whatever_they_hold() -> None:
    assert read(TICKET, subject={"a": [1, 2]}, url=1.5) == read(TICKET)


def test_members_of_another_type_are_unknown() -> None:
    mail = {
        "from": {"name": "Ann"},
        "to": ["desk"],
        "reason": 7,
        "state": "new",
        "seconds": "x",
        "total": None,
    }
    assert read(TICKET, **mail) == read(TICKET)


@pytest.mark.parametrize(
    ("base", "member"),
    [(base, name) for base in EACH_TYPE for name in base],
    ids=lambda value: value if isinstance(value, str) else value["type"],
)
def test_every_required_member_is_asked_for(base: dict[str, Any], member: str) -> None:
    for absent in (..., None):
        rejected = refusal(base, **{member: absent})
        assert rejected.reason is RejectReason.MISSING_MEMBER
        assert member in rejected.detail


@pytest.mark.parametrize(
    ("base", "changes", "reason"),
    [
        (TICKET, {"id": 1}, RejectReason.WRONG_KIND),
        (TICKET, {"id": ""}, RejectReason.INVALID),
        (TICKET, {"ticket": 4711}, RejectReason.WRONG_KIND),
        (TICKET, {"customer": 27654}, RejectReason.WRONG_KIND),
        (TICKET, {"priority": 1}, RejectReason.WRONG_KIND),
        (TICKET, {"service": ["api"]}, RejectReason.WRONG_KIND),
        (TICKET, {"seq": True}, RejectReason.WRONG_KIND),
        (TICKET, {"seq": 1.5}, RejectReason.WRONG_KIND),
        (TICKET, {"seq": "1"}, RejectReason.WRONG_KIND),
        (TICKET, {"seq": 2**63}, RejectReason.INVALID),
        (TICKET, {"seq": 10**4000}, RejectReason.INVALID),
        (TICKET, {"time": 1795435200}, RejectReason.WRONG_KIND),
        (TICKET, {"attributes": {"region": 1}}, RejectReason.WRONG_KIND),
        (TICKET, {"attributes": ["region"]}, RejectReason.WRONG_KIND),
        (TICKET, {"type": 1}, RejectReason.WRONG_KIND),
        (TICKET, {"type": "Ticket"}, RejectReason.UNKNOWN_TYPE),
        (TICKET, {"status": "Open"}, RejectReason.INVALID),
        (TICKET, {"reply": "robot"}, RejectReason.INVALID),
        (TICKET, {"opened_at": "yesterday"}, RejectReason.MALFORMED_TIME),
        (TICKET, {"opened_at": "2026-11-23T12:00:00"}, RejectReason.NAIVE_TIME),
        (AVAILABILITY, {"customer": 1}, RejectReason.WRONG_KIND),
        (AVAILABILITY, {"status": "ok"}, RejectReason.INVALID),
        (AVAILABILITY, {"status": True}, RejectReason.WRONG_KIND),
        (AVAILABILITY, {"interval_seconds": 0}, RejectReason.INVALID),
        (AVAILABILITY, {"interval_seconds": -1}, RejectReason.INVALID),
        (AVAILABILITY, {"interval_seconds": "60"}, RejectReason.WRONG_KIND),
        (AVAILABILITY, {"interval_seconds": True}, RejectReason.WRONG_KIND),
        (AVAILABILITY, {"interval_seconds": {}}, RejectReason.WRONG_KIND),
        (REQUESTS, {"seconds": 0}, RejectReason.INVALID),
        (REQUESTS, {"seconds": 10**30}, RejectReason.INVALID),
        (REQUESTS, {"total": -1, "bad": -1}, RejectReason.INVALID),
        (REQUESTS, {"bad": -1}, RejectReason.INVALID),
        (REQUESTS, {"bad": 11}, RejectReason.INVALID),
        (REQUESTS, {"total": 2**63}, RejectReason.INVALID),
        (REQUESTS, {"total": "10"}, RejectReason.WRONG_KIND),
        (REQUESTS, {"total": True}, RejectReason.WRONG_KIND),
        (EXCLUSION, {"state": "approved"}, RejectReason.INVALID),
        (EXCLUSION, {"reason": "weather"}, RejectReason.INVALID),
        (EXCLUSION, {"to": EXCLUSION["from"]}, RejectReason.INVALID),
        (EXCLUSION, {"to": "2026-11-23T00:00:00Z"}, RejectReason.INVALID),
        (EXCLUSION, {"to": EXCLUSION["from"], "state": "cancelled"}, RejectReason.INVALID),
        (EXCLUSION, {"announced_at": "2026-11-23"}, RejectReason.MALFORMED_TIME),
    ],
)
def test_what_cannot_be_judged_is_refused_with_its_reason(
    base: dict[str, Any], changes: dict[str, Any], reason: RejectReason
) -> None:
    rejected = refusal(base, **changes)
    assert rejected.reason is reason
    assert next(iter(changes)) in rejected.detail


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", RejectReason.NOT_JSON),
        (b"{", RejectReason.NOT_JSON),
        (b"id=1", RejectReason.NOT_JSON),
        (b"\xef\xbb\xbf{}", RejectReason.NOT_JSON),
        (b'{"type":"ticket"} {}', RejectReason.NOT_JSON),
        (b'{"type":"ticket","id":1, and more', RejectReason.NOT_JSON),
        (b'{"type":"ticket","id":"\xff"}', RejectReason.NOT_JSON),
        (b'{"type":"ticket","id":"\\ud800"}', RejectReason.NOT_JSON),
        (b'{"type":"ticket","id":"\xed\xa0\x80"}', RejectReason.NOT_JSON),
        (b'{"type":"ticket","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", RejectReason.NOT_JSON),
        (b'{"type":1,"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", RejectReason.NOT_JSON),
        (b"[]", RejectReason.NOT_AN_OBJECT),
        (b'"ticket"', RejectReason.NOT_AN_OBJECT),
        (b"null", RejectReason.NOT_AN_OBJECT),
        (b"{}", RejectReason.MISSING_MEMBER),
        (b'{"type":1e999}', RejectReason.WRONG_KIND),
        (b'{"type":"ticket","seq":' + b"9" * 5000 + b"}", RejectReason.WRONG_KIND),
        (b'{"type":"ticket","seq":1e999}', RejectReason.WRONG_KIND),
        (b" " * (LARGEST_RECORD + 1), RejectReason.TOO_LARGE),
    ],
)
def test_what_is_no_object_at_all_is_refused(value: bytes, reason: RejectReason) -> None:
    rejected = decode(value, now=None)
    assert isinstance(rejected, Rejected)
    assert rejected.reason is reason


def test_a_record_without_value_is_refused() -> None:
    assert decode(None, now=None) == Rejected(RejectReason.NOT_JSON, "the record has no value")


def test_a_member_named_twice_takes_its_last_value() -> None:
    value = bytes_of(TICKET)[:-1] + b',"ticket":"T-2","status":null}'
    assert decode(value, now=None) == TicketEvent(id="1", time=NOON, customer="acme", ticket="T-2")


def test_escaped_member_names_and_null_characters_are_read() -> None:
    value = bytes_of(TICKET, ticket="a\x00b").replace(b'"customer"', b'"\\u0063ustomer"')
    assert decode(value, now=None) == TicketEvent(id="1", time=NOON, customer="acme", ticket="a\x00b")


@pytest.mark.parametrize(
    ("value", "detail"),
    [
        (None, "the record has no value"),
        (b"", "the record has an empty value"),
        (b'{"id":', "JSON ends before it is complete, or holds half of a character as \\u…"),
        (
            bytes_of(TICKET)[:-1] + b',"x":"\\ud800"}',
            "JSON ends before it is complete, or holds half of a character as \\u…",
        ),
    ],
)
def test_of_what_is_cut_short_it_is_said_truly(value: bytes | None, detail: str) -> None:
    assert decode(value, now=None) == Rejected(RejectReason.NOT_JSON, detail)


# ------------------------------------------------------------------------------------------------------------ the future


def test_a_time_one_hour_ahead_is_good_and_a_microsecond_more_is_not() -> None:
    value = bytes_of(TICKET)
    assert isinstance(decode(value, now=NOON - HOUR), TicketEvent)
    rejected = decode(value, now=NOON - HOUR - 1)
    assert isinstance(rejected, Rejected)
    assert rejected.reason is RejectReason.IN_THE_FUTURE


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00Z", "2100-12-31T23:59:59.999999Z"])
def test_a_replay_reads_recordings_from_any_year_that_calendars_know(time: str) -> None:
    assert read(TICKET, time=time).time == parse_instant(time)


def test_what_lies_after_all_calendars_is_no_event_in_a_replay_either() -> None:
    rejected = decode(bytes_of(TICKET, time="2101-01-01T00:00:00Z"), now=None)
    assert isinstance(rejected, Rejected)
    assert (rejected.reason, rejected.detail) == (
        RejectReason.IN_THE_FUTURE,
        "time: 2101-01-01T00:00:00.000000Z is after the year 2100",
    )


def test_an_opening_ahead_of_now_is_no_fault() -> None:
    assert isinstance(decode(bytes_of(TICKET, opened_at="2030-01-01T00:00:00Z"), now=NOON), TicketEvent)


# ---------------------------------------------------------------------------------------------------------- CloudEvents


def test_a_flat_structured_cloud_event_is_an_event() -> None:
    assert read(TICKET, specversion="1.0", source="/desk", datacontenttype="application/json") == read(TICKET)


def test_the_data_of_a_structured_cloud_event_is_merged_below_it() -> None:
    event = read(
        {name: TICKET[name] for name in ("id", "type", "time")},
        specversion="1.0",
        source="/desk",
        data={"id": "not this one", "customer": "acme", "ticket": "T-1", "status": "open", "data": {"x": 1}},
    )
    assert event == read(TICKET, status="open")


def test_a_number_in_data_keeps_its_digits() -> None:
    value = b'{"id":"1","type":"availability","time":"2026-11-23T12:00:00Z","specversion":"1.0","source":"/","data":'
    event = decode(value + b'{"service":"api","status":"up","interval_seconds":123456789.1234567}}', now=None)
    assert isinstance(event, AvailabilityEvent)
    assert event.interval == 123_456_789_123_456


def test_data_without_specversion_is_an_unknown_member() -> None:
    assert read(TICKET, data={"status": "closed"}) == read(TICKET)


def test_data_that_is_no_object_is_ignored() -> None:
    assert read(TICKET, specversion="1.0", source="/", data="text") == read(TICKET)


def test_the_binary_binding_takes_the_attributes_from_the_headers() -> None:
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", "é1".encode()),
        ("ce_type", b"ticket"),
        ("ce_source", b"/desk"),
        ("ce_time", b"2026-11-23T12:00:00Z"),
        ("ce_seq", b"4"),
        ("content-type", b"application/json"),
    ]
    value = b'{"customer":"acme","ticket":"T-1","id":"not this one","status":"open"}'
    assert decode(value, headers, now=None) == read(TICKET, id="é1", seq=4, status="open")


def test_headers_that_are_no_cloud_event_change_nothing() -> None:
    headers = [("ce_id", b"2"), ("traceparent", b"\xff"), ("empty", None)]
    assert decode(bytes_of(TICKET), headers, now=None) == read(TICKET)


@pytest.mark.parametrize(
    ("header", "value", "reason"),
    [
        (("ce_seq", b"four"), b"{}", RejectReason.WRONG_KIND),
        (("ce_id", b"\xff"), b"{}", RejectReason.WRONG_KIND),
        (("ce_type", b"deploy"), b"{}", RejectReason.UNKNOWN_TYPE),
        (("ce_type", b"ticket"), b"[]", RejectReason.NOT_AN_OBJECT),
        (("ce_type", b"ticket"), b"", RejectReason.NOT_JSON),
        (("ce_type", None), b"{}", RejectReason.MISSING_MEMBER),
    ],
)
def test_a_faulty_binary_record_is_refused(
    header: tuple[str, bytes | None], value: bytes, reason: RejectReason
) -> None:
    rejected = decode(value, [("ce_specversion", b"1.0"), header], now=None)
    assert isinstance(rejected, Rejected)
    assert rejected.reason is reason


# ------------------------------------------------------------------------------------------------------------- instants


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2026-11-23T12:00:00Z", NOON),
        ("2026-11-23t12:00:00z", NOON),
        ("2026-11-23T12:00:00-00:00", NOON),
        ("2026-11-23T13:00:00+01:00", NOON),
        ("2026-11-24T11:59:00+23:59", NOON),
        ("2026-11-22T12:01:00-23:59", NOON),
        ("2026-11-23T12:00:00.1Z", NOON + 100_000),
        ("2026-11-23T12:00:00.000001Z", NOON + 1),
        ("2026-11-23T13:00:00.000001+01:00", NOON + 1),
        ("2026-11-23T12:00:00.0000019999Z", NOON + 1),
        ("1969-12-31T23:59:59.9999999Z", -1),
        ("2024-02-29T00:00:00Z", 1_709_164_800_000_000),
    ],
)
def test_instants_are_read_to_the_microsecond_and_cut_off(text: str, at: int) -> None:
    assert parse_instant(text) == at


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-23T12:00:00",
        "2026-11-23T12:00:00.5",
        "2026-11-23T12:00:00.123456789",
    ],
)
def test_a_time_without_offset_is_naive(text: str) -> None:
    with pytest.raises(InstantError, match="has no offset") as caught:
        parse_instant(text)
    assert caught.value.reason is RejectReason.NAIVE_TIME


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-11-23",
        "2026-11-23T12:00Z",
        "2026-11-23 12:00:00Z",
        "2026-11-23T23:59:60Z",
        "2026-11-23T24:00:00Z",
        "2026-11-23T12:60:00Z",
        "2026-02-29T12:00:00Z",
        "2026-13-01T12:00:00Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
        "2026-11-23T12:00:00.Z",
        "2026-11-23T12:00:00,5Z",
        "2026-11-23T12:00:00.5 Z",
        "2026-11-23T12:00:00+0100",
        "2026-11-23T12:00:00+01",
        "2026-11-23T12:00:00+24:00",
        "2026-11-23T12:00:00+01:60",
        "2026-11-23T12:00:00ZZ",
        "2026-11-23T12:00:00Z\n",
        "2026-11-23T12:00:00.٣Z",
        "٢٠٢٦-11-23T12:00:00Z",
        "20261123T120000Z",
        "2026-W48-1T12:00:00Z",
        "+2026-11-23T12:00:00Z",
        "2026-11-23T1２:00:00Z",
        "x" * 10_000,
    ],
)
def test_what_is_not_rfc_3339_is_malformed(text: str) -> None:
    with pytest.raises(InstantError) as caught:
        parse_instant(text)
    assert caught.value.reason is RejectReason.MALFORMED_TIME
    assert len(str(caught.value)) < 200


def test_the_message_says_what_to_write_instead() -> None:
    assert refusal(TICKET, time="2026-11-23T12:00:00").detail == (
        "time: '2026-11-23T12:00:00' has no offset: add Z or one like +01:00"
    )
    assert refusal(TICKET, time="23.11.2026").detail == (
        "time: '23.11.2026' is no RFC 3339 time: write it like 2026-11-23T12:00:00Z"
    )
    assert refusal(TICKET, status="done").detail == (
        "status: 'done' is none of open, waiting, resolved, closed, cancelled"
    )
    assert refusal(TICKET, ticket=..., customer=...).detail == "customer, ticket are missing"


def test_instants_are_written_with_six_digits() -> None:
    assert format_instant(NOON) == "2026-11-23T12:00:00.000000Z"
    assert format_instant(-1) == "1969-12-31T23:59:59.999999Z"


def test_an_instant_beyond_the_calendar_is_written_as_its_last() -> None:
    assert format_instant(1 << 62) == "9999-12-31T23:59:59.999999Z"
    assert format_instant(-(1 << 62)) == "0001-01-01T00:00:00.000000Z"


# -------------------------------------------------------------------------------------------------------------- seconds


@pytest.mark.parametrize(
    ("number", "interval"),
    [
        (b"60", 60 * SECOND),
        (b"60.0", 60 * SECOND),
        (b"6e1", 60 * SECOND),
        (b"0.1", 100_000),
        (b"1e-6", 1),
        (b"0.0000019999999999999999999999999999999999999999999999999999999999999999", 1),
        (b"2.3", 2_300_000),  # 2.3 * 1e6 is 2299999.9999999995 in floating point
        (b"999999999.999999", 999_999_999_999_999),
        (b"1" + b"." + b"0" * 5000, SECOND),
    ],
)
def test_seconds_are_read_from_their_digits(number: bytes, interval: int) -> None:
    event = decode(bytes_of(AVAILABILITY)[:-1] + b',"interval_seconds":' + number + b"}", now=None)
    assert isinstance(event, AvailabilityEvent)
    assert event.interval == interval


@pytest.mark.parametrize(
    "number",
    [
        b"0",
        b"-0",
        b"0e99",
        b"-1",
        b"-1e99",
        b"9e-7",
        b"1e-99999999999999999999",
        b"1e99999999999999999999",
        b"1e999",
        b"9" * 5000,
    ],
)
def test_seconds_that_are_none_or_beyond_use_are_refused(number: bytes) -> None:
    rejected = decode(bytes_of(AVAILABILITY)[:-1] + b',"interval_seconds":' + number + b"}", now=None)
    assert isinstance(rejected, Rejected)
    assert rejected.reason is RejectReason.INVALID


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (0, "0"),
        (1, "0.000001"),
        (-1_500_000, "-1.5"),
        (90 * SECOND, "90"),
        (10**21 + 1, "1000000000000000.000001"),
    ],
)
def test_seconds_are_written_in_shortest_form(duration: int, text: str) -> None:
    assert format_seconds(duration) == text


def test_an_event_is_written_as_the_interface_says() -> None:
    assert json.loads(encode(read(EXCLUSION))) == {**EXCLUSION, "time": "2026-11-23T12:00:00.000000Z"} | {
        "from": "2026-11-24T00:00:00.000000Z",
        "to": "2026-11-24T02:00:00.000000Z",
    }
    assert encode(read(AVAILABILITY, interval_seconds=0.25)) == (
        b'{"id":"1","type":"availability","time":"2026-11-23T12:00:00.000000Z",'
        b'"service":"api","status":"up","interval_seconds":0.25}'
    )
