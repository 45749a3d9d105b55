"""What a task remembers comes back as it was, whatever compaction left of it and wherever a reader stopped.

`changelog/format-N.ndjson` are the records of each format as the first release that wrote it did: [key, value] in
hexadecimal digits. A pod of another release reads them, so they never change.
"""

from pathlib import Path

import msgspec
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slamon.domain import ticket_rows
from slamon.domain.decisions import (
    AlertMemory,
    AlertTransition,
    ClockOutcome,
    DecidedClock,
    FactKey,
    FactKind,
    Facts,
    Outcome,
    Ratios,
    Reason,
    RequestCounts,
    Statement,
    Transition,
    Upshot,
)
from slamon.domain.events import (
    AvailabilityEvent,
    ExclusionEvent,
    ExclusionReason,
    ExclusionState,
    Reply,
    RequestsEvent,
    ServiceStatus,
    TicketEvent,
    TicketStatus,
)
from slamon.kafka import changelog
from slamon.kafka.changelog import Gap, Owner, Positions, Reading, Record, Unreadable
from slamon.kafka.formats import to_write
from slamon.settings import FORMATS

TICKET = TicketEvent(
    "e1",
    1_700_000_000_000_001,
    "acme",
    "T-1",
    seq=-3,
    status=TicketStatus.WAITING,
    waiting_on="customer",
    reply=Reply.AGENT,
    opened_at=-5,
    attributes={"region": "eu", "naïve": "\N{SNOWMAN}"},
)
REPLIED = TicketEvent("e2", 1_700_000_000_000_002, "acme", "T-1", status=TicketStatus.OPEN)
SERVICE = AvailabilityEvent("a1", 5, None, "web", ServiceStatus.DOWN, interval=60_000_000)
REQUESTS = RequestsEvent("r1", 5, "acme", "web", total=100, bad=3, duration=60_000_000)
EXCLUSION = ExclusionEvent(
    "x1", 6, "acme", "X", ExclusionState.DECLARED, reason=ExclusionReason.MAINTENANCE, start=1, end=2
)
FIRED = AlertTransition(
    "id",
    2,
    Transition.FIRED,
    7,
    8,
    late=True,
    reason=Reason.RESUMED,
    labels={"a": "b"},
    annotations={"c": "d"},
)
STATEMENT = Statement(
    "acme", "a", "o", 1, 2, 3, Outcome.MISSED, (999, 1000), Ratios((1, 3), None, None, None), None, None
)
EVERYTHING = {
    FactKey(FactKind.TICKET, "acme", "T-1"): Facts(tickets=(TICKET, REPLIED)),
    FactKey(FactKind.SERVICE_DAY, None, "web", 19_000): Facts(services=(SERVICE,)),
    FactKey(FactKind.SERVICE_HOUR, None, "web", 456_000): Facts(services=(SERVICE,)),
    FactKey(FactKind.REQUESTS_DAY, "acme", "web", 19_000): Facts(requests=(REQUESTS,)),
    FactKey(FactKind.REQUESTS_HOUR, "acme", "web", 456_000): Facts(requests=(REQUESTS,)),
    FactKey(FactKind.EXCLUSION, "acme", "X"): Facts(exclusions=(EXCLUSION,)),
    FactKey(FactKind.ALERT, "acme", "id"): Facts(alert=AlertMemory(("ticket", "acme", "T-1"), "1", 2, FIRED)),
    FactKey(FactKind.STATEMENT, "acme", "a/o/1/2"): Facts(statement=STATEMENT),
}
POSITIONS = Positions({"sla.tickets": 7, "sla.availability": 0}, 1_700_000_000_000_000, 3, 12)


FROZEN = Path(__file__).parent / "changelog"
of_each_format = pytest.mark.parametrize("version", FORMATS)


def read(*records: Record) -> Reading:
    reading = Reading()
    for key, value in records:
        reading.take(key, value)
    reading.check()
    return reading


def written(version: int) -> list[Record]:
    """One record of each kind."""
    return [
        changelog.owner_record(Owner(b"\x01" * 16, "pod-1", 98)),
        *(
            record
            for key, facts in EVERYTHING.items()
            for record in changelog.fact_records(key, facts, 0, version)
        ),
        changelog.outbox_record(7, FIRED, version),
        changelog.positions_record(
            msgspec.structs.replace(POSITIONS, gaps=(Gap("sla.tickets", 1, 5, 99),)), version
        ),
    ]


def frozen(version: int) -> list[Record]:
    lines = (FROZEN / f"format-{version}.ndjson").read_text().splitlines()
    return [(bytes.fromhex(key), bytes.fromhex(value)) for key, value in map(orjson.loads, lines)]


def standing(reading: Reading) -> dict[FactKey, Facts]:
    return {key: facts for key, facts, _ in reading.facts()}


def ticket_of(size: int, letter: str = "x") -> Facts:
    return Facts(tickets=(msgspec.structs.replace(TICKET, attributes={"text": letter * size}),))


@of_each_format
def test_a_format_is_written_for_ever_as_it_was_first(version: int) -> None:
    assert written(version) == frozen(version)


UPSHOT = Upshot(b"digest", 9, False, (DecidedClock(0, 1, ClockOutcome.MET, 8, (("fix", 7),)),))


def test_what_a_ticket_came_to_stands_beside_its_events_and_who_does_not_ask_for_it_reads_over_it() -> None:
    key = FactKey(FactKind.TICKET, "acme", "T-1")
    [record] = changelog.fact_records(key, EVERYTHING[key], 0, 2, UPSHOT)
    reading = read(record)
    assert standing(reading) == {key: EVERYTHING[key]}
    [fact] = reading.packed_facts()
    assert fact.ticket is not None
    assert ticket_rows.upshot_of(fact.ticket) == UPSHOT


def test_format_1_has_no_room_for_what_a_ticket_came_to_and_records_of_before_say_nothing_of_it() -> None:
    key = FactKey(FactKind.TICKET, "acme", "T-1")
    assert changelog.fact_records(key, EVERYTHING[key], 0, 1, UPSHOT) == changelog.fact_records(
        key, EVERYTHING[key], 0, 1
    )
    assert {fact.ticket for fact in read(*frozen(1)).packed_facts()} == {None}
    tickets = [fact.ticket for fact in read(*frozen(2)).packed_facts() if fact.ticket is not None]
    assert [ticket_rows.upshot_of(packed) for packed in tickets] == [None]


@of_each_format
def test_records_of_every_kind_come_back_as_they_were(version: int) -> None:
    reading = read(*frozen(version))
    assert standing(reading) == EVERYTHING
    assert reading.outbox == {7: FIRED}
    assert reading.positions is not None
    assert reading.positions.gaps == (Gap("sla.tickets", 1, 5, 99),)
    assert reading.format == version


def test_what_is_written_in_another_format_takes_the_place_of_what_stood() -> None:
    for before, after in ((1, 2), (2, 1)):
        reading = read(*written(before), *written(after))
        assert standing(reading) == EVERYTHING
        assert reading.in_other_formats(after) == []
        assert reading.in_other_formats(before) == list(EVERYTHING)
        assert reading.format == after


def test_what_was_not_asked_for_stays_in_its_format_and_what_is_new_gets_the_newest() -> None:
    assert [to_write(None, standing) for standing in (None, 1, 2)] == [2, 1, 2]
    assert [to_write(asked, standing) for asked in (1, 2) for standing in (None, 1, 2)] == [1, 1, 1, 2, 2, 2]


def test_what_the_key_says_is_not_said_again_in_each_event() -> None:
    ticket = FactKey(FactKind.TICKET, "a-customer-with-a-name", "a-ticket-with-a-name")
    facts = Facts(tickets=(msgspec.structs.replace(TICKET, customer=ticket.customer, ticket=ticket.subject),))
    [(name, value)] = changelog.fact_records(ticket, facts, 0)
    assert value is not None
    assert b"with-a-name" in name
    assert b"with-a-name" not in value
    assert standing(read((name, value))) == {ticket: facts}


def test_shares_of_more_requests_than_64_bits_hold_come_back_exactly() -> None:
    share = (2**70 - 1, 2**70)
    counts = RequestCounts((2**64, 1), (-(2**63) - 1, 3))
    wide = msgspec.structs.replace(STATEMENT, ratios=Ratios(share, share, share, None), requests=counts)
    key = FactKey(FactKind.STATEMENT, "acme", "a/o/1/2")
    [*records] = changelog.fact_records(key, Facts(statement=wide), 0)
    assert standing(read(*records)) == {key: Facts(statement=wide)}


def test_positions_owner_and_outbox_come_back_as_they_were() -> None:
    positions = msgspec.structs.replace(POSITIONS, gaps=(Gap("sla.tickets", 1, 5, 99),))
    owner = Owner(b"\x00" * 16, "pod-0", 99)
    reading = read(
        changelog.owner_record(Owner(b"\x01" * 16, "pod-1", 98)),
        changelog.owner_record(owner),
        changelog.outbox_record(1, FIRED),
        changelog.outbox_record(2, FIRED),
        changelog.outbox_record(1, None),
        changelog.positions_record(positions),
    )
    assert reading.positions == positions
    assert reading.owner == owner
    assert reading.owner_before is not None
    assert reading.owner_before.instance == "pod-1"
    assert reading.outbox == {2: FIRED}
    assert reading.records == 6


@pytest.mark.parametrize("size", [0, 1, changelog.PART_BYTES, 3 * changelog.PART_BYTES])
def test_large_facts_are_cut_into_records_that_a_broker_takes(size: int) -> None:
    key = FactKey(FactKind.TICKET, "acme", "T-1")
    records = changelog.fact_records(key, ticket_of(size), 0)
    assert all(len(name) + len(value or b"") < changelog.PART_BYTES + 100 for name, value in records)
    assert standing(read(*records)) == {key: ticket_of(size)}


parts_written = st.lists(
    st.sampled_from([None, 0, changelog.PART_BYTES, 2 * changelog.PART_BYTES]), min_size=1, max_size=5
)


@given(parts_written)
def test_facts_that_grow_and_shrink_leave_only_their_newest_parts(sizes: list[int | None]) -> None:
    key = FactKey(FactKind.TICKET, "acme", "T-1")
    parts = 0
    records: list[Record] = []
    for step, size in enumerate(sizes):
        facts = None if size is None else ticket_of(size, "abc"[step % 3])
        written = changelog.fact_records(key, facts, parts)
        parts = sum(value is not None for _, value in written)
        records += written
    newest = None if sizes[-1] is None else ticket_of(sizes[-1], "abc"[(len(sizes) - 1) % 3])
    assert standing(read(*records)) == ({} if newest is None else {key: newest})
    assert len({key for key, value in dict(records).items() if value is not None}) == parts


changes = st.lists(
    st.tuples(st.sampled_from(sorted(EVERYTHING, key=repr)), st.booleans()), min_size=1, max_size=30
)


@given(changes, st.data())
def test_what_compaction_drops_changes_nothing_that_stands(
    made: list[tuple[FactKey, bool]], data: st.DataObject
) -> None:
    """Compaction may drop any record that has a newer one of its key, and tombstones that have nothing before them."""
    log = [
        record
        for key, there in made
        for record in (
            *changelog.fact_records(key, EVERYTHING[key] if there else None, 1),
            changelog.positions_record(POSITIONS),
        )
    ]
    newest = {key: place for place, (key, _) in enumerate(log)}
    forgotten = {key for key, value in dict(log).items() if value is None and data.draw(st.booleans())}
    kept = [
        (key, value)
        for place, (key, value) in enumerate(log)
        if key not in forgotten and (place == newest[key] or data.draw(st.booleans()))
    ]
    whole = read(*log)
    assert standing(read(*kept)) == standing(whole)
    assert {key for key, _ in whole.last_statements()} <= {key for key, _ in read(*kept).last_statements()}


def statement(name: str) -> tuple[FactKey, Facts]:
    key = FactKey(FactKind.STATEMENT, "acme", name)
    return key, Facts(statement=msgspec.structs.replace(STATEMENT, objective=name))


def test_the_statements_of_the_last_commit_are_known() -> None:
    older, newer, torn = statement("older"), statement("newer"), statement("torn")
    reading = read(
        *changelog.fact_records(*older, 0),
        changelog.positions_record(POSITIONS),
        *changelog.fact_records(*newer, 0),
        changelog.positions_record(POSITIONS),
        changelog.owner_record(Owner(b"n", "pod", 1)),
    )
    assert list(reading.last_statements()) == [newer]
    for record in changelog.fact_records(*torn, 0):
        reading.take(*record)
    reading.take(*changelog.positions_record(POSITIONS))
    assert list(reading.last_statements()) == [torn]


def test_what_stands_in_a_format_that_is_not_known_is_refused_in_words() -> None:
    key, value = changelog.positions_record(POSITIONS)
    assert value is not None
    newer = "record of format 3, this release reads format 1 and 2: run the newer release that wrote it"
    with pytest.raises(Unreadable, match=newer):
        read((key, b"\x03" + value[1:]))
    with pytest.raises(Unreadable, match="unknown kind b'z'"):
        read((b"z", b"\x01"))
    with pytest.raises(Unreadable, match="format none"):
        read((key, b""))


def test_what_only_older_releases_read_is_refused_with_the_way_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changelog, "FORMATS", (2, 3))
    monkeypatch.setattr(changelog, "PREVIOUS", 2)
    with pytest.raises(Unreadable, match="run the release before, with format: 2 in its settings, until"):
        read(changelog.positions_record(POSITIONS, 1))


def test_what_was_replaced_is_not_looked_into() -> None:
    """So a format that was tried and taken back is no obstacle, though compaction has not come by yet."""
    key, value = changelog.positions_record(POSITIONS)
    owner, _ = changelog.owner_record(Owner(b"n", "pod", 1))
    reading = read((key, b"\x03"), (owner, b"\x03"), (b"z", b"\x03"), (b"z", None), (key, value))
    assert reading.positions == POSITIONS
