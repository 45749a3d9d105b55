"""What is told of dead letters, and which record a retry makes of one; nothing that a record holds reaches the terminal."""

import unicodedata

import orjson
from hypothesis import given
from hypothesis import strategies as st

from slamon.codec import Rejected, decode
from slamon.domain.events import HOUR
from slamon.kafka.clients import Outgoing
from slamon.kafka.dead_letter_box import Listed, Wanted, customer_of
from slamon.kafka.dead_letter_retry import Handling, Unsent, again
from slamon.kafka.dead_letters import Handled, Letter, Place
from slamon.kafka.partitioner import partition_for
from slamon.letters import Form, outcome, safe, summary, told
from slamon.settings import KafkaSettings

NOW = 1_800_000_000_000_000
PARTITIONS = 4
SETTINGS = KafkaSettings()
EVENT = {"id": "1", "type": "ticket", "time": "2026-11-23T12:00:00Z", "customer": "acme", "ticket": "T"}
HOME = partition_for(b"acme", PARTITIONS, "murmur2")
WRONG = (HOME + 1) % PARTITIONS


def letter(
    value: bytes | None,
    *,
    key: bytes | None = b"acme",
    headers: tuple[tuple[str, bytes | None], ...] = (),
    reason: str = "wrong_partition",
    topic: str = "sla.tickets",
    partition: int = WRONG,
    whole: bool = True,
    message: str = "why",
) -> Letter:
    return Letter(
        Place("slamon.dead-letters", 2, 7),
        NOW,
        Place(topic, partition, 42),
        reason,
        message,
        key,
        value,
        headers,
        len(value or b""),
        whole=whole,
        records=1,
    )


GOOD = orjson.dumps(EVENT)


def test_an_event_goes_to_its_customers_partition_under_the_customers_key() -> None:
    own = (("trace", b"\xff"),)
    sent = again(letter(GOOD, key=b"T", headers=own), SETTINGS, PARTITIONS, NOW, as_is=False)
    retry_of = ("slamon.retry.of", b"slamon.dead-letters/2/7")
    assert sent == Outgoing("sla.tickets", HOME, b"acme", GOOD, (*own, retry_of))


def test_an_event_of_nobody_goes_to_where_it_came_from() -> None:
    down = orjson.dumps(
        {"id": "2", "type": "availability", "time": EVENT["time"], "service": "web", "status": "down"}
    )
    sent = again(letter(down, key=b"web"), SETTINGS, PARTITIONS, NOW, as_is=False)
    assert isinstance(sent, Outgoing)
    assert (sent.partition, sent.key, sent.value) == (WRONG, None, down)


def test_what_is_no_event_is_sent_only_as_it_is() -> None:
    broken = letter(b"{", key=b"T")
    assert again(broken, SETTINGS, PARTITIONS, NOW, as_is=False) is Unsent.STILL_NO_EVENT
    sent = again(broken, SETTINGS, PARTITIONS, NOW, as_is=True)
    assert isinstance(sent, Outgoing)
    assert (sent.topic, sent.partition, sent.key, sent.value) == ("sla.tickets", WRONG, b"T", b"{")


def test_an_event_from_the_future_is_sent_once_it_is_not_any_more() -> None:
    early = letter(GOOD, reason="in_the_future")
    at = 1_795_435_200_000_000  # its time
    assert again(early, SETTINGS, PARTITIONS, at - HOUR - 1, as_is=False) is Unsent.STILL_NO_EVENT
    assert isinstance(again(early, SETTINGS, PARTITIONS, at - HOUR, as_is=False), Outgoing)


def test_what_was_not_kept_or_belongs_elsewhere_is_told_apart() -> None:
    for one, why in (
        (letter(b"", whole=False), Unsent.NOT_KEPT),
        (letter(GOOD, topic="other"), Unsent.OTHER_INPUT),
        (letter(GOOD, partition=PARTITIONS), Unsent.OTHER_INPUT),
    ):
        for as_is in (False, True):
            assert again(one, SETTINGS, PARTITIONS, NOW, as_is=as_is) is why


def test_a_retry_of_a_retry_names_the_newest_letter_only() -> None:
    own = (("slamon.retry.of", b"slamon.dead-letters/0/1"), ("trace", None))
    sent = again(letter(GOOD, headers=own), SETTINGS, PARTITIONS, NOW, as_is=False)
    assert isinstance(sent, Outgoing)
    assert sent.headers == (("trace", None), ("slamon.retry.of", b"slamon.dead-letters/2/7"))


def test_each_filter_takes_what_it_says() -> None:
    one = letter(GOOD)
    for wanted, taken in (
        (Wanted(), True),
        (Wanted(reasons=frozenset({"not_json"})), False),
        (Wanted(reasons=frozenset({"not_json", "wrong_partition"})), True),
        (Wanted(topic="sla.tickets", partition=WRONG, customer="acme"), True),
        (Wanted(topic="sla.availability"), False),
        (Wanted(partition=HOME), False),
        (Wanted(customer="globex"), False),
        (Wanted(since=NOW, until=NOW + 1), True),
        (Wanted(since=NOW + 1), False),
        (Wanted(until=NOW), False),
    ):
        assert wanted.takes(one) == taken, wanted


def test_whose_it_is_is_told_as_well_as_it_can_be() -> None:
    for one, customer in (
        (letter(GOOD, key=b"T"), "acme"),
        (letter(b'{"customer": "globex"}', key=b"T"), "globex"),
        (letter(b"{", key=b"initech"), "initech"),
        (letter(b"{", key=b"\xff"), "\\xff"),
        (letter(None, key=None), None),
    ):
        assert customer_of(one) == customer


def test_people_see_when_why_whence_and_the_beginning_of_the_record() -> None:
    listed = Listed(newest=[(letter(GOOD), Handled.SENT)], letters=3, handled=2, foreign=1)
    listed.reasons.update({"wrong_partition": 2, "not_json": 1200})
    assert list(told(listed, Form.TEXT)) == [
        f"2027-01-15T08:00:00Z  wrong_partition  sla.tickets/{WRONG}/42  {len(GOOD)} B  customer acme  sent",
        "    why",
        f"    {GOOD.decode()}",
        "",
        (
            "3 dead letters (1,200 not_json, 2 wrong_partition); the newest 1 are shown; "
            "2 more handled before: --handled shows them; 1 in the topic not written by slamon"
        ),
    ]


def test_programs_get_the_whole_record() -> None:
    [line] = told(
        Listed(newest=[(letter(b"\xff", key=None, headers=(("a", b"1"), ("b", b"\xfe"))), None)]), Form.JSON
    )
    found = orjson.loads(line)
    assert found["value_base64"] == "/w=="
    assert found["key"] is None
    assert found["headers"] == [{"name": "a", "value": "1"}, {"name": "b", "value_base64": "/g=="}]
    assert found["from"] == {"topic": "sla.tickets", "partition": WRONG, "offset": 42}


def test_lines_are_events_again_for_who_mends_them() -> None:
    spread = orjson.dumps(EVENT, option=orjson.OPT_INDENT_2)
    context = tuple((f"ce_{name}", str(EVENT[name]).encode()) for name in ("id", "type", "time", "customer"))
    binary = letter(b'{"ticket": "T"}', headers=(("ce_specversion", b"1.0"), *context))
    listed = Listed(newest=[(letter(spread), None), (binary, None), (letter(None), None)])
    lines = list(told(listed, Form.LINES))
    assert len(lines) == 2
    for line in lines:
        assert decode(line.encode(), now=None) == decode(GOOD, now=None)


def test_the_outcome_says_what_is_left_to_do() -> None:
    done = Handling(before=3)
    done.sent["sla.tickets"] = 1
    done.unsent[Unsent.NOT_KEPT] = 2
    assert list(outcome(done, dry_run=False)) == [
        "sla.tickets: 1 record sent again",
        f"2 records not sent: {Unsent.NOT_KEPT.value}",
        "3 handled before",
    ]
    assert next(outcome(done, dry_run=True)) == "sla.tickets: 1 record would be sent again"
    assert list(outcome(Handling(), dry_run=False)) == ["no dead letters"]
    assert summary(Listed(letters=1)) == "1 dead letter; the newest 0 are shown"


@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode(errors="replace")))
def test_no_record_can_write_on_a_terminal(value: bytes) -> None:
    one = letter(value, message=value.decode(errors="replace"), key=value)
    for line in told(Listed(newest=[(one, None)]), Form.TEXT):
        assert not any(unicodedata.category(char).startswith("C") for char in line)


@given(st.text(), st.integers(1, 50))
def test_what_is_shown_is_bounded(text: str, limit: int) -> None:
    assert len(safe(text, limit)) <= 10 * limit + 1


@given(st.binary(max_size=40), st.none() | st.binary(max_size=40))
def test_whatever_a_letter_holds_a_retry_decides(value: bytes, key: bytes | None) -> None:
    sent = again(letter(value, key=key), SETTINGS, PARTITIONS, NOW, as_is=True)
    assert isinstance(sent, Outgoing)
    assert isinstance(decode(value, now=NOW), Rejected) == (sent.partition == WRONG and sent.key == key)
