"""What a changelog no longer needs is deleted sooner or later, whatever becomes of other partitions."""

import asyncio
from collections.abc import Mapping
from random import Random

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete
from aiokafka.errors import NotLeaderForPartitionError

from slamon import clock
from slamon.kafka import clients
from slamon.kafka.rewriting import AFTER_FAILURE, Trimming
from slamon.settings import KafkaSettings
from tests.simulation.loop import loop

LEADERLESS, OTHER = (TopicPartition(KafkaSettings().topics.changelog, number) for number in (0, 1))


class Brokers:
    """As aiokafka's admin client: where one of the partitions has no leader, nothing of a request is sent."""

    def __init__(self) -> None:
        self.leaderless = {LEADERLESS}
        self.deleted: dict[TopicPartition, int] = {}

    async def start(self) -> None:
        pass

    async def close(self) -> None:
        pass

    async def delete_records(self, wanted: Mapping[TopicPartition, RecordsToDelete]) -> None:
        if self.leaderless & wanted.keys():
            raise NotLeaderForPartitionError
        self.deleted |= {tp: one.before_offset for tp, one in wanted.items()}


def test_a_partition_without_a_leader_keeps_no_other_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    brokers = Brokers()
    monkeypatch.setattr(clients, "admin", lambda _: brokers)

    async def trimmed() -> None:
        trimming = Trimming(KafkaSettings())
        async with asyncio.TaskGroup() as group:
            under_way = group.create_task(trimming.run())
            trimming.delete_before(LEADERLESS.partition, 7)
            trimming.delete_before(OTHER.partition, 8)
            await clock.wait(AFTER_FAILURE / 2)
            assert brokers.deleted == {OTHER: 8}
            brokers.leaderless.clear()
            await clock.wait(AFTER_FAILURE)
            assert brokers.deleted == {OTHER: 8, LEADERLESS: 7}
            under_way.cancel()

    time = loop(Random(0))
    with time.running():
        time.run(trimmed())
