"""What running tasks have kept, for commands that look and go: read from the changelog, as it is committed, changing nothing.

A task may commit meanwhile: what it had committed when the reading began is read, and that whole. So what is known of a task
is of one instant, by its own clock.
"""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from aiokafka import TopicPartition

from slamon.domain.decisions import FactKey, Facts
from slamon.kafka import clients, topics
from slamon.kafka.changelog import Reading
from slamon.kafka.inspection import Bounds, bounds_of
from slamon.kafka.partitioner import partition_for
from slamon.kafka.spans import records_of
from slamon.kafka.topics import Refused
from slamon.settings import Settings

TIMEOUT = 30.0  # s for one question to the brokers


class Task(NamedTuple):
    """`now`: its clock. `facts`: of the customers asked for that belong to it, and of services for every customer."""

    partition: int
    now: int
    customers: frozenset[str]
    facts: Sequence[tuple[FactKey, Facts]]


async def tasks_of(settings: Settings, customers: Collection[str]) -> list[Task]:
    """The tasks to which these customers belong.

    Raises topics.Refused, clients.Unreachable, changelog.Unreadable.
    """
    kafka = settings.kafka
    name = kafka.topics.changelog
    seen = await topics.all_about(kafka, [name], settings.application_id)
    there = seen.topics.get(name)
    if there is None or not there.partitions:
        raise Refused(f"there is no topic {name}, in which a running slamon keeps what it knows")
    homes: dict[int, set[str]] = {}
    for customer in customers:
        key = customer.encode(errors="surrogatepass")
        homes.setdefault(partition_for(key, len(there.partitions), kafka.partitioner), set()).add(customer)
    tps = [TopicPartition(name, home) for home in sorted(homes)]
    reader = clients.reader(kafka, "slamon-diff")
    await clients.start(reader, kafka, TIMEOUT)
    try:
        bounds = await bounds_of(reader, tps)
        return [await _task(reader, tp, bounds[tp], frozenset(homes[tp.partition])) for tp in tps]
    finally:
        await clients.end(reader.stop())


async def _task(reader: Any, tp: TopicPartition, bounds: Bounds, customers: frozenset[str]) -> Task:
    reading = Reading()
    async for record in records_of(reader, {tp: bounds}):
        reading.take(record.key or b"", record.value)
    reading.check()
    positions = reading.positions
    if positions is None:
        raise Refused(f"{tp.topic}/{tp.partition} holds no positions: no slamon has come so far there")
    ours = [(key, facts) for key, facts, _ in reading.facts() if key.customer in (None, *customers)]
    return Task(tp.partition, positions.now, customers, ours)
