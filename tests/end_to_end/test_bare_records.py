"""Bare records beside those that aiokafka hands over by itself, of one log of a real broker that holds everything a log can."""

import contextlib
import itertools
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from slamon.demo.processes import Kafka
from slamon.kafka.bare_records import hand_over_bare_records, whole_record

names = itertools.count()


@contextlib.asynccontextmanager
async def producing(kafka: Kafka, **more: Any) -> AsyncIterator[Any]:
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, **more)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


@pytest.fixture
async def log(kafka: Kafka) -> TopicPartition:
    log = TopicPartition(f"bare-records-{next(names)}", 0)

    async def send(producer: Any, value: bytes | None, **more: Any) -> None:
        await producer.send_and_wait(log.topic, value, partition=log.partition, **more)

    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(log.topic, num_partitions=1, replication_factor=1)])
    await admin.close()
    async with producing(kafka) as plain:
        await send(plain, b"plain", key=b"k", headers=[("h", b"1"), ("h", None)])
        await send(plain, None, key=b"k")
        await send(plain, b"", headers=[])
    async with producing(kafka, compression_type="gzip") as packed:
        batch = packed.create_batch()
        for number in range(20):
            batch.append(key=None, value=b"packed %d" % number, timestamp=None)
        await (await packed.send_batch(batch, log.topic, partition=log.partition))
    async with producing(kafka, transactional_id=log.topic) as producer:
        for value in (b"aborted", b"committed", b"aborted again"):
            await producer.begin_transaction()
            await send(producer, value)
            await (producer.commit_transaction if value == b"committed" else producer.abort_transaction)()
    async with producing(kafka) as plain:
        await send(plain, b"the last")
    return log


async def read(
    kafka: Kafka, log: TopicPartition, isolation: str, start: int, *, bare: bool
) -> tuple[list[Any], int]:
    """The records up to the end, a few at a time, and the position behind them."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=kafka.bootstrap, enable_auto_commit=False, isolation_level=isolation
    )
    await consumer.start()
    try:
        if bare:
            hand_over_bare_records(consumer)
        consumer.assign([log])
        consumer.seek(log, start)
        end = (await consumer.end_offsets([log]))[log]
        found: list[Any] = []
        while await consumer.position(log) < end:
            for records in (await consumer.getmany(timeout_ms=1000, max_records=7)).values():
                found += records
        return found, await consumer.position(log)
    finally:
        await consumer.stop()


async def test_bare_records_are_those_that_aiokafka_hands_over(kafka: Kafka, log: TopicPartition) -> None:
    for isolation in ("read_committed", "read_uncommitted"):
        for start in (0, 10):  # 10: in the midst of the packed ones
            expected, behind = await read(kafka, log, isolation, start, bare=False)
            found, also_behind = await read(kafka, log, isolation, start, bare=True)
            assert [whole_record(log, record) for record in found] == expected
            assert also_behind == behind
            aborted = [record for record in found if (record.value or b"").startswith(b"aborted")]
            assert len(aborted) == (0 if isolation == "read_committed" else 2)
            assert found[-1].value == b"the last"


async def test_a_bare_record_is_not_wrapped(kafka: Kafka, log: TopicPartition) -> None:
    """If this fails, aiokafka has changed, and what should be saved is not."""
    found, _ = await read(kafka, log, "read_committed", 0, bare=True)
    assert {type(record).__name__ for record in found} == {"DefaultRecord"}
