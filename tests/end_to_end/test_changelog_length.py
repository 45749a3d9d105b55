"""The changelog on a real broker: it stays short, whatever happens to its owners, and no retention of the broker cuts into it."""

import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from slamon.demo.processes import Kafka
from slamon.kafka import topics
from tests.end_to_end.conftest import Part
from tests.end_to_end.test_tasks import CUSTOMERS, PARTITIONS, Owner, World, until, until_said

names = itertools.count()
FACTS = 2 * CUSTOMERS  # a count and a memory of alerts for each


@pytest.fixture
async def world(kafka: Kafka, tmp_path: Path) -> AsyncIterator[World]:
    made = World(f"length{next(names)}", kafka.bootstrap, tmp_path)
    await topics.create(made.kafka)
    async with made:
        yield made


async def lengths(world: World, topic: str) -> dict[int, tuple[int, int]]:
    """Partition → offsets of its first record and of the next one to come."""
    reader = AIOKafkaConsumer(bootstrap_servers=world.kafka.bootstrap_servers)
    await reader.start()
    tps = [TopicPartition(topic, partition) for partition in range(PARTITIONS)]
    first, end = await reader.beginning_offsets(tps), await reader.end_offsets(tps)
    await reader.stop()
    return {tp.partition: (first[tp], end[tp]) for tp in tps}


def trimmed(owners: list[Owner]) -> int:
    return sum(len(owner.said("changelog_trimmed")) for owner in owners)


async def test_the_log_stays_short_and_nothing_is_lost_though_owners_are_killed_in_the_middle(
    world: World,
) -> None:
    for _ in range(4):
        owner = world.start("the-same")
        before = trimmed(world.owners)

        async def shortened(before: int = before) -> bool:
            await world.publish(400)
            return trimmed(world.owners) >= before + 2 * PARTITIONS

        await until(shortened, "logs are rewritten and trimmed")
        owner.kill()  # wherever it is: rewrites begin all the time
    last = world.start("the-same")
    await world.expect_all()
    await until_said("all tasks are restored", lambda: len(last.restored()) == PARTITIONS)
    written = sum(end for _, end in (await lengths(world, world.names.changelog)).values())
    restored = sum(line["records"] for line in last.said("task_restored"))
    assert written > 10 * FACTS
    assert restored < written / 2
    assert all(first > 0 for first, _ in (await lengths(world, world.names.changelog)).values())


async def test_a_broker_that_keeps_records_for_a_moment_only_keeps_the_whole_changelog(
    part: Part, tmp_path: Path
) -> None:
    """The inputs vanish by its default; what they led to stands."""
    folder = tmp_path / "kafka"
    folder.mkdir()
    short = {"log.retention.ms": "1000", "log.retention.check.interval.ms": "500", "log.roll.ms": "1000"}
    with Kafka(folder, java=part("java"), libs=part("kafka"), properties=short) as kafka:
        world = World("short", kafka.bootstrap, tmp_path)
        await topics.create(world.kafka)
        async with world:
            await world.publish(2_000)
            owner = world.start()
            await world.expect_all()
            owner.stop()

            async def gone() -> bool:
                ends = await lengths(world, world.names.tickets)
                return all(first == end > 0 for first, end in ends.values())

            await until(gone, "the broker has deleted the inputs")
            heir = world.start()
            await until_said("it is restored", lambda: len(heir.restored()) == PARTITIONS)
            assert sum(line["facts"] for line in heir.said("task_restored")) == FACTS
            await world.publish(1_000)
            await world.expect_all()
