"""What slamon relies on, seen on the real broker and on the simulated one: the same script, the same assertions.

So what `tests/simulation` proves it proves of Kafka too, as far as these scripts go.
"""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import Any

import pytest
from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.admin import RecordsToDelete
from aiokafka.errors import (
    IllegalStateError,
    MessageSizeTooLargeError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
    OutOfOrderSequenceNumber,
)

from slamon import clock
from slamon.demo.processes import Kafka
from slamon.kafka import clients, topics
from slamon.kafka.assignor import TaskAssignor
from slamon.kafka.clients import Outgoing, TaskProducer
from slamon.settings import KafkaSettings
from tests.simulation import clients as simulated
from tests.simulation.broker import Broker, Weather
from tests.simulation.loop import loop

PARTITIONS = 2
QUIET = 0.5  # s in which nothing comes: then nothing will
LIMIT = 30.0  # s for what is awaited

numbers = itertools.count()


class Stage:
    """Clients of one application, all of which are ended in the end."""

    def __init__(self, settings: KafkaSettings, name: str) -> None:
        self.settings = settings
        self.name = name
        self.changelog = TopicPartition(settings.topics.changelog, 0)
        self._started: list[Callable[[], Awaitable[object]]] = []

    async def end(self) -> None:
        for stop in reversed(self._started):
            await stop()

    async def producer(self, task: str = "0") -> TaskProducer:
        made = TaskProducer(self.settings, f"{self.name}-{task}")
        self._started.append(made.abandon)
        await made.start(LIMIT)
        return made

    async def reader(self, target: TopicPartition, offset: int = 0) -> Any:
        made = clients.reader(self.settings, self.name)
        self._started.append(made.stop)
        await made.start()
        made.assign([target])
        made.seek(target, offset)
        return made

    async def member(self, listener: "Listener", instance: str | None = None) -> Any:
        settings = self.settings.model_copy(update={"group_instance_id": instance})
        made = clients.group_consumer(settings, self.name, TaskAssignor())
        self._started.append(made.stop)
        await made.start()
        listener.consumer = made
        made.subscribe([settings.topics.tickets, settings.topics.availability], listener=listener)
        return made

    async def admin(self) -> Any:
        made = clients.admin(self.settings)
        self._started.append(made.close)
        await made.start()
        return made

    def record(self, value: bytes, target: TopicPartition | None = None) -> Outgoing:
        topic, partition = target or self.changelog
        return Outgoing(topic, partition, b"key", value)

    async def visible(self, target: TopicPartition | None = None) -> list[bytes]:
        """All that committed readers get of a partition, until nothing more comes."""
        reader = await self.reader(target or self.changelog)
        return await values(reader)

    async def ends(self, target: TopicPartition | None = None) -> tuple[int, int]:
        """First offset, and the last one that committed readers are told."""
        target = target or self.changelog
        reader = await self.reader(target)
        first = await reader.beginning_offsets([target])
        last = await reader.end_offsets([target])
        return first[target], last[target]


class Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # - aiokafka ships no types
    """Keeps what it hears; `seeks`: as slamon does."""

    def __init__(self, *, seeks: bool = True, fails: bool = False) -> None:
        self.consumer: Any = None
        self.heard: list[tuple[str, list[int]]] = []
        self._seeks = seeks
        self._fails = fails

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        self.heard.append(("revoked", sorted({target.partition for target in revoked})))

    def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        self.heard.append(("assigned", sorted({target.partition for target in assigned})))
        if self._seeks:
            for target in assigned:
                self.consumer.seek(target, 0)
        if self._fails:
            raise RuntimeError("a listener failed")

    @property
    def has(self) -> list[int] | None:
        """Its partitions; None while they change hands."""
        return self.heard[-1][1] if self.heard and self.heard[-1][0] == "assigned" else None


async def values(consumer: Any) -> list[bytes]:
    """Until nothing more comes."""
    found: list[bytes] = []
    while batches := await consumer.getmany(timeout_ms=clients.milliseconds(QUIET)):
        found += [record.value for records in batches.values() for record in records]
    return found


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(LIMIT):
        while not condition():
            await clock.wait(0.05)


async def outcome(producer: TaskProducer, records: Sequence[Outgoing]) -> BaseException | None:
    try:
        await producer.commit(records, LIMIT)
    except Exception as error:  # noqa: BLE001 - which one is what some scripts ask
        return error
    return None


# ------------------------------------------------------------------------------------------------------------- scripts


async def a_newer_producer_fences_the_older_for_good(stage: Stage) -> None:
    older = await stage.producer()
    assert await outcome(older, [stage.record(b"first")]) is None
    newer = await stage.producer()
    assert await outcome(older, [stage.record(b"zombie")]) is not None
    assert await outcome(older, [stage.record(b"again")]) is not None
    assert await outcome(newer, [stage.record(b"second")]) is None
    assert await stage.visible() == [b"first", b"second"]


async def an_empty_transaction_of_a_fenced_producer_fails_nobody(stage: Stage) -> None:
    older = await stage.producer()
    await stage.producer()
    await older._producer.begin_transaction()
    await older._producer.commit_transaction()
    assert await stage.ends() == (0, 0)


async def a_transaction_is_visible_whole_and_its_marker_takes_an_offset(stage: Stage) -> None:
    alerts = TopicPartition(stage.settings.topics.alerts, 0)
    producer = await stage.producer()
    records = [stage.record(b"one"), stage.record(b"two"), stage.record(b"alert", alerts)]
    assert await outcome(producer, records) is None
    assert await stage.visible() == [b"one", b"two"]
    assert await stage.visible(alerts) == [b"alert"]
    assert (await stage.ends(), await stage.ends(alerts)) == ((0, 3), (0, 2))


async def what_is_open_holds_readers_back_until_its_successor_ends_it(stage: Stage) -> None:
    owner, other = await stage.producer(), await stage.producer("other")
    assert await outcome(owner, [stage.record(b"before")]) is None
    await owner._producer.begin_transaction()
    for delivery in await owner._send(stage.changelog, [stage.record(b"open")]):
        await delivery
    assert await outcome(other, [stage.record(b"behind")]) is None
    assert await stage.visible() == [b"before"]
    assert await stage.ends() == (0, 2), "the last stable offset, not the end"
    await stage.producer()
    assert await stage.visible() == [b"before", b"behind"]


async def a_position_moves_over_markers_though_nothing_is_handed_over(stage: Stage) -> None:
    producer = await stage.producer()
    await producer._producer.begin_transaction()
    for delivery in await producer._send(stage.changelog, [stage.record(b"aborted")]):
        await delivery
    await producer._producer.abort_transaction()
    assert await outcome(producer, [stage.record(b"kept")]) is None
    reader = await stage.reader(stage.changelog)
    assert await values(reader) == [b"kept"]
    assert await reader.position(stage.changelog) == 4
    assert (reader.highwater(stage.changelog), reader.last_stable_offset(stage.changelog)) == (4, 4)
    assert abs(reader.last_poll_timestamp(stage.changelog) - clock.wall() // 1000) < 60_000


async def markers_alone_do_not_end_a_call(stage: Stage) -> None:
    producer = await stage.producer()
    assert await outcome(producer, [stage.record(b"one")]) is None
    reader = await stage.reader(stage.changelog, 1)
    begun = clock.monotonic()
    assert await values(reader) == []
    assert clock.monotonic() - begun >= QUIET
    assert await reader.position(stage.changelog) == 2


async def what_was_written_before_a_nonce_is_read_before_it(stage: Stage) -> None:
    for number in range(3):
        producer = await stage.producer()
        nonce = b"nonce %d" % number
        assert await outcome(producer, [stage.record(nonce)]) is None
        reader, found = await stage.reader(stage.changelog), []
        async with asyncio.timeout(LIMIT):
            while nonce not in found:
                batches = await reader.getmany(timeout_ms=1000, max_records=1)
                found += [record.value for records in batches.values() for record in records]
        assert (
            found
            == [b"%s %d" % (kind, one) for one in range(number + 1) for kind in (b"nonce", b"then")][:-1]
        )
        assert await outcome(producer, [stage.record(b"then %d" % number)]) is None


async def who_reads_what_was_deleted_hears_of_it(stage: Stage) -> None:
    producer = await stage.producer()
    for number in range(3):
        assert await outcome(producer, [stage.record(b"%d" % number)]) is None
    admin = await stage.admin()
    await admin.delete_records({stage.changelog: RecordsToDelete(before_offset=3)})
    assert await stage.ends() == (3, 6)
    reader = await stage.reader(stage.changelog)
    with pytest.raises(OffsetOutOfRangeError) as heard:
        await values(reader)
    assert heard.value.args[0] == {stage.changelog: 0}
    reader.seek(stage.changelog, 3)
    assert await values(reader) == [b"2"]


async def a_commit_succeeds_over_a_failed_send_and_spoils_the_next(stage: Stage) -> None:
    alerts = TopicPartition(stage.settings.topics.alerts, 0)
    producer = await stage.producer()
    raw = producer._producer
    await raw.begin_transaction()
    [large] = await producer._send(stage.changelog, [stage.record(b"x" * 2_000_000)])
    [small] = await producer._send(alerts, [stage.record(b"alert", alerts)])
    await small
    with pytest.raises(MessageSizeTooLargeError):
        await large
    await raw.commit_transaction()
    assert await stage.visible(alerts) == [b"alert"]
    await raw.begin_transaction()
    [next_one] = await producer._send(stage.changelog, [stage.record(b"small")])
    with pytest.raises(OutOfOrderSequenceNumber):
        await next_one
    await raw.commit_transaction()
    assert await stage.visible() == []


async def a_partition_that_does_not_exist_is_an_assertion(stage: Stage) -> None:
    producer = await stage.producer()
    nowhere = TopicPartition(stage.changelog.topic, PARTITIONS)
    assert isinstance(await outcome(producer, [stage.record(b"", nowhere)]), AssertionError)


async def members_share_whole_tasks_and_take_over_what_one_leaves(stage: Stage) -> None:
    first, second = Listener(), Listener()
    one = await stage.member(first)
    await until(lambda: first.has == [0, 1])
    other = await stage.member(second)
    await until(lambda: first.has is not None and second.has is not None and len(second.has) == 1)
    assert sorted([*(first.has or ()), *(second.has or ())]) == [0, 1]
    assert first.heard == [
        ("revoked", []),
        ("assigned", [0, 1]),
        ("revoked", [0, 1]),
        ("assigned", first.has),
    ]
    assert {target.partition for target in one.assignment()} == set(first.has or ())
    await other.stop()
    await until(lambda: first.has == [0, 1])


async def a_static_member_that_comes_back_in_time_disturbs_nobody(stage: Stage) -> None:
    first, second, again = Listener(), Listener(), Listener()
    await stage.member(first, "first")
    await until(lambda: first.has == [0, 1])
    leaving = await stage.member(second, "second")
    await until(lambda: first.has is not None and second.has is not None and len(second.has) == 1)
    heard = len(first.heard)
    await leaving.stop()
    await stage.member(again, "second")
    await until(lambda: again.has == second.has)
    assert len(first.heard) == heard


async def what_a_listener_raises_is_only_logged(stage: Stage) -> None:
    listener = Listener(fails=True)
    member = await stage.member(listener)
    await until(lambda: listener.has == [0, 1])
    assert await member.getmany(timeout_ms=100) == {}


async def a_partition_that_nobody_sought_has_no_offset(stage: Stage) -> None:
    listener = Listener(seeks=False)
    member = await stage.member(listener)
    await until(lambda: listener.has == [0, 1])
    with pytest.raises(NoOffsetForPartitionError):
        await member.getmany(timeout_ms=clients.milliseconds(LIMIT))


async def what_is_paused_is_not_handed_over_and_what_was_sought_anew_is_fetched_anew(stage: Stage) -> None:
    target = TopicPartition(stage.settings.topics.tickets, 0)
    producer = await stage.producer()
    assert await outcome(producer, [stage.record(b"%d" % n, target) for n in range(5)]) is None
    listener = Listener()
    member = await stage.member(listener)
    await until(lambda: listener.has == [0, 1])
    [got] = (await member.getmany(timeout_ms=10_000, max_records=1)).values()
    member.pause(target)
    paused = await values(member)
    member.seek(target, 3)
    member.resume(target)
    assert [record.value for record in got] == [b"0"]
    assert paused == []
    assert await values(member) == [b"3", b"4"]


async def the_group_keeps_the_offsets_of_who_is_in_it(stage: Stage) -> None:
    target, other = (TopicPartition(stage.settings.topics.tickets, partition) for partition in (0, 7))
    listener = Listener()
    member = await stage.member(listener)
    await until(lambda: listener.has == [0, 1])
    assert await member.committed(target) is None
    await member.commit({target: 5})
    assert await member.committed(target) == 5
    with pytest.raises(IllegalStateError):
        await member.commit({other: 5})
    with pytest.raises(IllegalStateError):
        member.seek(other, 5)


SCRIPTS: tuple[Callable[[Stage], Awaitable[None]], ...] = (
    a_newer_producer_fences_the_older_for_good,
    an_empty_transaction_of_a_fenced_producer_fails_nobody,
    a_transaction_is_visible_whole_and_its_marker_takes_an_offset,
    what_is_open_holds_readers_back_until_its_successor_ends_it,
    a_position_moves_over_markers_though_nothing_is_handed_over,
    markers_alone_do_not_end_a_call,
    what_was_written_before_a_nonce_is_read_before_it,
    who_reads_what_was_deleted_hears_of_it,
    a_commit_succeeds_over_a_failed_send_and_spoils_the_next,
    a_partition_that_does_not_exist_is_an_assertion,
    members_share_whole_tasks_and_take_over_what_one_leaves,
    a_static_member_that_comes_back_in_time_disturbs_nobody,
    what_a_listener_raises_is_only_logged,
    a_partition_that_nobody_sought_has_no_offset,
    what_is_paused_is_not_handed_over_and_what_was_sought_anew_is_fetched_anew,
    the_group_keeps_the_offsets_of_who_is_in_it,
)


# -------------------------------------------------------------------------------------------------------------- brokers


def settings_for(name: str, bootstrap: str) -> KafkaSettings:
    kinds = ("tickets", "availability", "changelog", "alerts", "standings", "statements", "dead_letters")
    return KafkaSettings.model_validate(
        {
            "bootstrap_servers": bootstrap,
            "partitions": PARTITIONS,
            "replication_factor": 1,
            "session_timeout": 6,
            "heartbeat_interval": 0.3,
            "rebalance_timeout": 10,
            "topics": {kind: f"{name}.{kind}" for kind in kinds},
        }
    )


async def play(script: Callable[[Stage], Awaitable[None]], stage: Stage) -> None:
    try:
        await script(stage)
    finally:
        await stage.end()


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.__name__)
async def test_on_the_real_broker(script: Callable[[Stage], Awaitable[None]], kafka: Kafka) -> None:
    name = f"conform{next(numbers)}"
    settings = settings_for(name, kafka.bootstrap)
    await topics.create(settings)
    await play(script, Stage(settings, name))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.__name__)
def test_on_the_simulated_broker(script: Callable[[Stage], Awaitable[None]]) -> None:
    chance = Random(script.__name__)
    settings = settings_for("simulated", "nowhere:9092")
    one = loop(chance)
    broker = Broker(one, dict.fromkeys(topics.wanted(settings), PARTITIONS), Weather(chance))
    with simulated.in_place(broker), one.running():
        one.run(play(script, Stage(settings, "simulated")))
    assert one.faults == []
