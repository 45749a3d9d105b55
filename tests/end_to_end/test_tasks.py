"""The scheme on a real broker: whatever happens to its owners, a task counts every event once and announces it once.

The owners are processes of their own (`counting.py`), so that they can be killed and frozen. What they did is read from
the topics, as any reader of committed records sees them.
"""

import copy
import itertools
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import msgspec
import orjson
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic, RecordsToDelete

from slamon import clock
from slamon.demo.processes import Kafka
from slamon.domain.decisions import (
    AlertTransition,
    FactKey,
    FactKind,
    Facts,
    Outcome,
    Ratios,
    Reason,
    Statement,
    Transition,
)
from slamon.kafka import changelog, publish, topics
from slamon.kafka.changelog import Positions, Reading
from slamon.kafka.clients import Outgoing, TaskProducer
from slamon.records import alert_record
from slamon.settings import Settings

COUNTING = Path(__file__).with_name("counting.py")
EVERY = 10  # as in counting.py
DAY = 86_400_000_000
PARTITIONS = 4
CUSTOMERS = 40
PATIENCE = 60.0  # s; for conditions that come true by themselves


class Owner:
    """One process that owns tasks, and what it has logged."""

    def __init__(self, settings: Settings, log: Path) -> None:
        self.log = log
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, COUNTING, settings.model_dump_json()],
                stdout=out,
                stderr=subprocess.STDOUT,
                env=os.environ | {"PYTHONPATH": str(Path.cwd())},
            )

    def said(self, event: str) -> list[dict[str, Any]]:
        lines = []
        for line in self.log.read_bytes().splitlines():
            try:
                one = orjson.loads(line)
            except orjson.JSONDecodeError:
                continue  # a traceback, or a line half written
            if one.get("event") == event:
                lines.append(one)
        return lines

    def restored(self) -> list[int]:
        return [line["partition"] for line in self.said("task_restored")]

    def owns(self) -> list[int]:
        assigned = self.said("tasks_assigned")
        return list(assigned[-1]["partitions"]) if assigned else []

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)

    def stop(self) -> None:
        """In good order."""
        self.process.terminate()
        assert self.process.wait(30) == 0, self.log.read_text()


@dataclass
class Alert:
    number: int
    id: str


@dataclass
class Stands:
    """What committed readers have seen of one partition so far."""

    changelog: Reading = field(default_factory=Reading)
    alerts: list[Alert] = field(default_factory=list)
    statements: list[Any] = field(default_factory=list)
    dead_letters: list[Any] = field(default_factory=list)

    @property
    def positions(self) -> Positions:
        assert self.changelog.positions is not None
        return self.changelog.positions

    @property
    def counts(self) -> dict[str, int]:
        return {
            key.subject: facts.tickets[0].seq or 0
            for key, facts, _ in self.changelog.facts()
            if facts.tickets
        }


class World:
    """Topics of their own on the shared broker, the owners of their tasks, and eyes on what they write."""

    def __init__(self, name: str, bootstrap: str, folder: Path) -> None:
        kinds = ("tickets", "availability", "changelog", "alerts", "standings", "statements", "dead_letters")
        self.settings = Settings.model_validate(
            {
                "application_id": name,
                "kafka": {
                    "bootstrap_servers": bootstrap,
                    "partitions": PARTITIONS,
                    "replication_factor": 1,
                    "commit_interval": 0.2,
                    "session_timeout": 6,
                    "heartbeat_interval": 0.3,
                    "rebalance_timeout": 10,
                    "topics": {kind: f"{name}.{kind}" for kind in kinds},
                },
            }
        )
        self.kafka = self.settings.kafka
        self.names = self.kafka.topics
        self.folder = folder
        self.published = 0
        self.owners: list[Owner] = []
        self._numbers = itertools.count()
        self._reader: Any = None
        self._stands = [Stands() for _ in range(PARTITIONS)]

    async def __aenter__(self) -> Self:
        self._reader = AIOKafkaConsumer(
            bootstrap_servers=self.kafka.bootstrap_servers,
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=20,
        )
        await self._reader.start()
        read = (self.names.changelog, self.names.alerts, self.names.statements, self.names.dead_letters)
        tps = [TopicPartition(topic, partition) for topic in read for partition in range(PARTITIONS)]
        self._reader.assign(tps)
        for tp in tps:
            self._reader.seek(tp, 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._reader.stop()
        for owner in self.owners:
            owner.signal(signal.SIGCONT)
            owner.kill()

    def start(self, instance: str | None = None, **kafka: object) -> Owner:
        values = {"group_instance_id": instance, **kafka}
        settings = self.settings.model_copy(update={"kafka": self.kafka.model_copy(update=values)})
        owner = Owner(settings, self.folder / f"owner-{next(self._numbers)}.log")
        self.owners.append(owner)
        return owner

    async def publish(self, events: int) -> None:
        """So many tickets of all customers in turn."""
        first = self.published
        self.published += events
        await self.publish_lines(
            {
                "id": f"e{n}",
                "type": "ticket",
                "time": "2026-11-23T12:00:00Z",
                "customer": f"c{n % CUSTOMERS}",
                "ticket": f"t{n}",
            }
            for n in range(first, self.published)
        )

    async def publish_lines(self, events: Iterable[dict[str, object]]) -> None:
        path = self.folder / f"events-{next(self._numbers)}.ndjson"
        path.write_bytes(b"\n".join(orjson.dumps(event) for event in events))
        await publish.publish(self.kafka, path)

    async def everything(self) -> list[Stands]:
        """Read on to where the topics end now."""
        ends = await self._reader.end_offsets(list(self._reader.assignment()))
        while any([await self._reader.position(tp) < end for tp, end in ends.items()]):
            for tp, records in (await self._reader.getmany(timeout_ms=50)).items():
                for record in records:
                    self._see(tp.topic, self._stands[tp.partition], record)
        return copy.deepcopy(self._stands)

    def _see(self, topic: str, stands: Stands, record: Any) -> None:
        if topic == self.names.changelog:
            stands.changelog.take(record.key, record.value)
        elif topic == self.names.alerts:
            alert = orjson.loads(record.value)
            stands.alerts.append(Alert(alert["number"], alert["id"]))
        elif topic == self.names.statements:
            stands.statements.append(record)
        else:
            stands.dead_letters.append(record)

    async def stands(self, partition: int) -> Stands:
        return (await self.everything())[partition]

    async def counted(self) -> int:
        return sum(sum(one.counts.values()) for one in await self.everything())

    async def all_counted(self) -> bool:
        return await self.counted() >= self.published

    async def expect_all(self) -> list[Stands]:
        """Every event counted once, every alert announced once, numbers without gaps."""
        await until(self.all_counted, "everything is counted")
        share, more = divmod(self.published, CUSTOMERS)
        counts = {f"c{n}": share + (n < more) for n in range(CUSTOMERS)}
        announced = {f"{name}-{n}" for name, count in counts.items() for n in range(EVERY, count + 1, EVERY)}

        async def all_announced() -> bool:
            return {alert.id for one in await self.everything() for alert in one.alerts} >= announced

        await until(all_announced, "everything is announced")
        everything = await self.everything()
        assert {name: count for one in everything for name, count in one.counts.items()} == counts
        assert sorted(alert.id for one in everything for alert in one.alerts) == sorted(announced)
        for one in everything:
            assert [alert.number for alert in one.alerts] == list(range(1, len(one.alerts) + 1))
            assert one.positions.number == len(one.alerts)
        return everything

    async def write_as_owner(self, partition: int, records: list[Outgoing]) -> None:
        """One transaction under the task's own name, as its owner would write it."""
        producer = TaskProducer(self.kafka, f"{self.settings.application_id}-{partition}")
        await producer.start(10)
        await producer.commit(records, 10)
        assert await producer.close()

    def kept(self, partition: int, *records: changelog.Record) -> list[Outgoing]:
        return [Outgoing(self.names.changelog, partition, *record) for record in records]


async def until(condition: Callable[[], Awaitable[bool]], what: str) -> None:
    deadline = clock.monotonic() + PATIENCE
    while not await condition():
        assert clock.monotonic() < deadline, f"in vain waited until {what}"
        await clock.wait(0.1)


async def until_said(what: str, condition: Callable[[], bool]) -> None:
    async def now() -> bool:
        return condition()

    await until(now, what)


names = itertools.count()


@pytest.fixture
async def world(kafka: Kafka, tmp_path: Path) -> AsyncIterator[World]:
    made = World(f"w{next(names)}", kafka.bootstrap, tmp_path)
    await topics.create(made.kafka)
    async with made:
        yield made


async def test_every_event_counts_once_though_the_owner_is_killed_again_and_again(world: World) -> None:
    await world.publish(4_000)
    for _ in range(3):
        before = await world.counted()
        owner = world.start("the-same")
        await world.publish(4_000)

        async def goes_on(before: int = before) -> bool:
            return await world.counted() > before

        await until(goes_on, "something more is counted")
        owner.kill()
    world.start("the-same")
    await world.expect_all()


async def test_processes_share_the_tasks_and_one_takes_over_what_another_leaves(world: World) -> None:
    await world.publish(2_000)
    first = world.start()
    await until_said("the first has all tasks", lambda: sorted(first.restored()) == [0, 1, 2, 3])
    second = world.start()
    await until_said("the second has two", lambda: len(second.restored()) == 2)
    assert set(first.owns()) | set(second.owns()) == {0, 1, 2, 3}
    assert len(first.owns()) == len(second.owns()) == 2
    await world.publish(2_000)
    await world.expect_all()
    assert len(first.restored()) == 4, "what it kept, it kept in memory"

    second.kill()
    await world.publish(2_000)
    await until_said("the first has all tasks again", lambda: first.owns() == [0, 1, 2, 3])
    await world.expect_all()
    assert sorted(first.restored()[4:]) == second.owns()

    third = world.start()
    await until_said("the third has two", lambda: len(third.restored()) == 2)
    first.stop()
    await until_said("the third has all", lambda: third.owns() == [0, 1, 2, 3])
    await world.publish(1_000)
    await world.expect_all()


async def test_tasks_that_get_another_monitor_again_and_again_count_and_announce_every_event_once(
    world: World,
) -> None:
    """In the stream, while they change hands, after somebody was killed, and shortly before the end."""

    def renew(*owners: Owner) -> None:
        for owner in owners:
            owner.signal(signal.SIGHUP)

    async def goes_on_until(condition: Callable[[], bool], what: str, *owners: Owner) -> None:
        async def renewed_once_more() -> bool:
            renew(*owners)
            await world.publish(200)
            return condition()

        await until(renewed_once_more, what)

    await world.publish(2_000)
    first = world.start()
    await until_said("the first has all tasks", lambda: sorted(first.restored()) == [0, 1, 2, 3])
    await goes_on_until(lambda: len(first.said("task_renewed")) > 8, "it was renewed often", first)
    second = world.start()
    await goes_on_until(lambda: len(second.restored()) > 1, "the second has two", first)
    await goes_on_until(
        lambda: len(second.said("task_renewed")) > 4, "both were renewed often", first, second
    )
    second.kill()
    await goes_on_until(lambda: first.owns() == [0, 1, 2, 3], "the first has all tasks again", first)
    await world.publish(1_000)
    await world.expect_all()
    renew(first)
    first.stop()
    await world.expect_all()


async def test_an_owner_that_slept_writes_nothing_more_when_it_wakes(world: World) -> None:
    await world.publish(4_000)
    sleeper = world.start()
    await until_said("it has all tasks", lambda: sorted(sleeper.restored()) == [0, 1, 2, 3])
    await world.publish(10_000)
    sleeper.signal(signal.SIGSTOP)
    heir = world.start()
    await until_said("the heir has all tasks", lambda: sorted(heir.restored()) == [0, 1, 2, 3])
    await world.publish(2_000)
    await world.expect_all()

    sleeper.signal(signal.SIGCONT)
    await until_said("it has joined again", lambda: len(sleeper.said("tasks_assigned")) == 2)
    await until_said("the heir has half", lambda: len(heir.owns()) == 2)
    await world.publish(2_000)
    await world.expect_all()


async def test_an_orderly_stop_leaves_nothing_to_do_again(world: World) -> None:
    await world.publish(2_000)
    owner = world.start()
    await world.expect_all()
    before = clock.now()
    owner.stop()
    for one in await world.everything():
        assert sum(one.positions.inputs.values()) == sum(one.counts.values())
        assert one.positions.now <= before + 2_000_000
        assert one.positions.now >= before - 60_000_000, "the clock follows the inputs, not the events"


async def test_what_is_no_event_becomes_a_dead_letter_and_stops_nothing(world: World) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=world.kafka.bootstrap_servers)
    await admin.start()
    large = f"{world.settings.application_id}.large"
    await admin.create_topics(
        [NewTopic(large, PARTITIONS, 1, topic_configs={"max.message.bytes": "4000000"})]
    )
    await admin.close()
    world.names = world.names.model_copy(update={"tickets": large})
    world.kafka = world.kafka.model_copy(update={"topics": world.names})

    good = orjson.dumps(
        {"id": "1", "type": "ticket", "time": "2026-11-23T12:00:00Z", "customer": "c0", "ticket": "t"}
    )
    [home] = publish.destination(good, world.kafka, PARTITIONS)[2]
    wrong = (home + 1) % PARTITIONS
    huge = b"x" * 2_000_000
    producer = AIOKafkaProducer(bootstrap_servers=world.kafka.bootstrap_servers, max_request_size=4_000_000)
    await producer.start()
    sent: dict[tuple[bytes | None, bytes | None], tuple[str, int]] = {}
    for key, value, reason in (
        (b"c1", b"{", "not_json"),
        (None, b'{"type": "parcel", "id": "1"}', "unknown_type"),
        (b"c0", good, "wrong_partition"),
        (b"c2", None, "not_json"),
        (b"c3", huge, "too_large"),
        (b"c4", good.replace(b'"t"', b'"' + b"t" * 2000 + b'"'), "too_large"),
    ):
        placed = await producer.send_and_wait(
            large, value, key=key, partition=wrong, headers=[("trace", b"\x00\xff")]
        )
        sent[key, b"" if value is huge else value] = (reason, placed.offset)
    await producer.stop()
    owner = world.start()
    await world.publish(400)
    await world.expect_all()

    letters = [letter for one in await world.everything() for letter in one.dead_letters]
    found = {(letter.key, letter.value): letter for letter in letters}
    assert len(letters) == len(sent)
    assert found.keys() == sent.keys()
    for record, (reason, offset) in sent.items():
        headers = dict(found[record].headers)
        assert headers["trace"] == b"\x00\xff"
        assert headers["__connect.errors.topic"].decode() == large
        assert headers["__connect.errors.partition"] == b"%d" % wrong
        assert headers["__connect.errors.offset"] == b"%d" % offset
        assert headers["__connect.errors.exception.class.name"].decode() == reason
        assert headers["__connect.errors.exception.message"]
    assert dict(found[b"c3", b""].headers)["slamon.size"] == b"2000000"
    assert owner.process.poll() is None


def transition(name: str, at: int) -> AlertTransition:
    labels = {"alertname": "Counted"}
    return AlertTransition(
        name,
        1,
        Transition.FIRED,
        at,
        at,
        late=False,
        reason=Reason.STEP_REACHED,
        labels=labels,
        annotations={},
    )


async def counted_and_stopped(world: World, events: int = 1_000) -> Stands:
    """What stands in partition 0 after an orderly stop."""
    await world.publish(events)
    owner = world.start()
    await world.expect_all()
    owner.stop()
    return await world.stands(0)


async def test_alerts_torn_from_their_commit_are_sent_again_under_their_numbers(world: World) -> None:
    """The changelog's part of a transaction stands, of the alerts' part only some: several brokers failed at once."""
    before = await counted_and_stopped(world)
    known, now = before.positions.number, clock.now()
    lost, arrived, old = (
        transition("lost", now),
        transition("arrived", now),
        transition("old", now - 4 * DAY),
    )
    await world.write_as_owner(
        0,
        [
            *world.kept(
                0,
                changelog.outbox_record(known + 1, lost),
                changelog.outbox_record(known + 2, arrived),
                changelog.outbox_record(known + 3, old),
                changelog.positions_record(msgspec.structs.replace(before.positions, number=known + 3)),
            ),
            Outgoing(world.names.alerts, 0, b"arrived", alert_record(arrived, known + 2)),
        ],
    )
    owner = world.start()

    async def settled() -> bool:
        return not (await world.stands(0)).changelog.outbox

    await until(settled, "the outbox is empty")
    after = await world.stands(0)
    new = after.alerts[len(before.alerts) :]
    assert [(alert.number, alert.id) for alert in new] == [(known + 2, "arrived"), (known + 1, "lost")]
    assert after.positions.number == known + 3
    assert [line["number"] for line in owner.said("alert_too_old_to_send_again")] == [known + 3]
    owner.stop()
    world.start()
    await world.publish(1_000)
    await until(world.all_counted, "everything is counted")
    assert [alert.id for alert in (await world.stands(0)).alerts].count("lost") == 1


async def test_an_alert_whose_state_was_torn_away_keeps_its_number_when_it_is_decided_again(
    world: World,
) -> None:
    """The other way round: the alert stands, and the changelog knows nothing of it."""
    before = await counted_and_stopped(world)
    known = before.positions.number
    customer, count = next(iter(before.counts.items()))
    orphan = transition(f"{customer}-{count + EVERY - count % EVERY}", clock.now())
    await world.write_as_owner(
        0, [Outgoing(world.names.alerts, 0, orphan.id.encode(), alert_record(orphan, known + 1))]
    )
    world.start()
    await world.publish(1_000)
    await until(world.all_counted, "everything is counted")

    async def announced() -> bool:
        return (await world.stands(0)).positions.number >= known + len(
            before.counts
        ) * 1_000 // CUSTOMERS // EVERY

    await until(announced, "everything is announced")
    alerts = (await world.stands(0)).alerts
    by_number = {alert.number: alert.id for alert in alerts}
    assert by_number[known + 1] == orphan.id
    assert all(by_number[alert.number] == alert.id for alert in alerts), "a number means one transition"
    assert sorted(by_number) == list(range(1, len(by_number) + 1))
    assert len(set(by_number.values())) == len(by_number), "no transition has two numbers"


async def test_statements_of_the_last_commit_are_written_again(world: World) -> None:
    before = await counted_and_stopped(world)
    nothing = Ratios(None, None, None, None)
    torn, older = (
        Statement("c0", "a", name, 0, DAY, 1, Outcome.MET, (1, 2), nothing, None, None)
        for name in ("torn", "older")
    )

    def kept(statement: Statement) -> list[Outgoing]:
        key = FactKey(FactKind.STATEMENT, "c0", f"a/{statement.objective}")
        records = changelog.fact_records(key, Facts(statement=statement), 1)
        return world.kept(0, *records, changelog.positions_record(before.positions))

    await world.write_as_owner(0, kept(older))
    await world.write_as_owner(0, kept(torn))
    world.start()

    async def written() -> bool:
        return bool((await world.stands(0)).statements)

    await until(written, "a statement is written")
    [record] = (await world.stands(0)).statements
    assert record.key == b"c0/a/torn/1970-01-01T00:00:00.000000Z--1970-01-02T00:00:00.000000Z/1"
    assert orjson.loads(record.value)["objective"] == "torn"


async def test_a_task_that_was_judged_ahead_of_our_clock_does_not_start(world: World) -> None:
    before = await counted_and_stopped(world)
    ahead = msgspec.structs.replace(before.positions, now=clock.now() + 3_600_000_000)
    await world.write_as_owner(0, world.kept(0, changelog.positions_record(ahead)))
    owner = world.start()
    await until_said("the others run", lambda: sorted(owner.restored()) == [1, 2, 3])
    await until_said("the task says why it does not", lambda: bool(owner.said("task_failed")))
    assert "clock is 35" in owner.said("task_failed")[0]["error"]
    assert owner.said("task_failed")[0]["partition"] == 0
    assert (await world.stands(0)).positions == ahead


async def test_what_an_input_no_longer_holds_is_a_recorded_gap(world: World) -> None:
    """The log is trimmed under an owner that sleeps, beyond what it has read."""
    await world.publish(1_000)
    owner = world.start(
        fetch_max_wait=0.01
    )  # else a fetch under way would bring it what comes while it sleeps
    before = (await world.expect_all())[0].positions
    owner.signal(signal.SIGSTOP)
    await world.publish(1_000)
    tp = TopicPartition(world.names.tickets, 0)
    read = before.inputs[tp.topic]
    admin = AIOKafkaAdminClient(bootstrap_servers=world.kafka.bootstrap_servers)
    await admin.start()
    await admin.delete_records({tp: RecordsToDelete(before_offset=read + 7)})
    await admin.close()
    owner.signal(signal.SIGCONT)

    async def caught_up() -> bool:
        return await world.counted() == world.published - 7

    await until(caught_up, "everything that is left is counted")
    [gap] = (await world.stands(0)).positions.gaps
    assert (gap.topic, gap.start, gap.end) == (tp.topic, read, read + 7)
    assert owner.process.poll() is None


async def test_nobody_goes_on_in_topics_that_were_given_more_partitions(world: World) -> None:
    """Customers would be parted from what is known of them, without a word."""
    await counted_and_stopped(world)
    admin = AIOKafkaAdminClient(bootstrap_servers=world.kafka.bootstrap_servers)
    await admin.start()
    names = world.names.model_dump().values()
    await admin.create_partitions({name: NewPartitions(PARTITIONS + 3) for name in names})
    await admin.close()
    owner = world.start()
    await until_said("it ends", lambda: owner.process.poll() is not None)
    assert owner.process.returncode == 1
    said = owner.log.read_text()
    assert re.search(r"holds facts of c\d+, who belongs in \d of 7 by murmur2", said)
    assert "Start anew under another application_id" in said


async def test_nobody_starts_over_when_the_changelog_was_lost(world: World) -> None:
    group = AIOKafkaConsumer(
        bootstrap_servers=world.kafka.bootstrap_servers, group_id=world.settings.application_id
    )
    await group.start()
    tp = TopicPartition(world.names.tickets, 2)
    group.assign([tp])
    await group.commit({tp: 5})
    await group.stop()
    owner = world.start()
    await until_said("it ends", lambda: owner.process.poll() is not None)
    assert owner.process.returncode == 1
    assert "the state was lost" in owner.log.read_text()


async def test_the_same_member_twice_makes_the_older_one_end(world: World) -> None:
    older = world.start("the-same")
    await until_said("it has all tasks", lambda: sorted(older.restored()) == [0, 1, 2, 3])
    newer = world.start("the-same")
    await until_said("the older one ends", lambda: older.process.poll() is not None)
    assert "and is newer: this one ends" in older.log.read_text()
    # It may have been fenced by the older one meanwhile, and have read one back more than once.
    await until_said("the newer one has all tasks", lambda: set(newer.restored()) == {0, 1, 2, 3})
    await world.publish(1_000)
    await world.expect_all()


async def test_an_owner_that_gets_no_answer_any_more_ends_and_says_so(world: World, kafka: Kafka) -> None:
    """aiokafka would ask the brokers that it once knew for ever; a new process looks for them anew."""
    await world.publish(1_000)
    owner = world.start("the-same", poll_stall=3.0)
    await world.expect_all()
    kafka.pause()
    await until_said("it ends", lambda: owner.process.poll() is not None)
    kafka.resume()
    assert owner.process.returncode == 1
    assert "no input has answered for 3 s (kafka.poll_stall)" in owner.log.read_text()
    world.start("the-same")
    await world.publish(1_000)
    await world.expect_all()
