"""What lies in the topics, as `slamon doctor` wants to know it: how far tasks have come, what is still unread, whether the
newest records of the inputs can be used, and by which clocks all that was written. Reads, and changes nothing.

The clocks: a task writes its records by its own clock, and the broker ends each transaction with a record by the broker's
clock. So behind each commit lies, to a few milliseconds, how far the two are apart. It is the smallest difference of many,
for some commits take long; and it shows also where nobody could ask a broker for the time.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.record import MemoryRecords

from slamon.codec import Rejected, RejectReason, decode
from slamon.kafka import changelog, clients, cluster
from slamon.kafka.changelog import Positions, Reading
from slamon.kafka.cluster import Cluster
from slamon.kafka.partitioner import Partitioner, partition_for
from slamon.kafka.spans import records_of
from slamon.kafka.topics import Refused
from slamon.settings import KafkaSettings

SAMPLE = 100  # newest records of each input partition
TAIL = 500  # records of the changelog in which its newest positions usually are
COMMITS_BYTES = 256 * 1024  # of the end of the changelog, in which commits are looked for
COMMITS = 1000  # records of it
TIMEOUT = 30.0  # s
PARTITIONERS: tuple[Partitioner, ...] = ("murmur2", "crc32")


class Bounds(NamedTuple):
    """Of a partition: offset of its first record, and of the next one to come."""

    first: int
    end: int


class Commit(NamedTuple):
    """Instants in microseconds: of a task's last record by its own clock, and of its end by the broker's."""

    written: int
    ended: int


class Length(NamedTuple):
    """Of a task's changelog: records in the log, and how many of them stand. `unreadable`: why this release cannot restore it."""

    records: int
    standing: int
    unreadable: str | None


@dataclass(slots=True)
class Sample:
    """The newest records of an input: how many, why some are of no use and one of each, and who would put them where.

    `misplaced`: events in a partition that is not their customer's, by partitioner; of so many events `with_customer`.
    """

    records: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    with_customer: int = 0
    misplaced: Counter[Partitioner] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Logs:
    """By partition, where no topic is named. What could not be read is missing; `unread` says why."""

    bounds: Mapping[TopicPartition, Bounds]
    positions: Mapping[int, Positions]
    oldest_unread: Mapping[TopicPartition, int]  # microseconds, by the record's time
    samples: Mapping[str, Sample]
    commits: Mapping[int, Sequence[Commit]]
    unread: Sequence[str]
    lengths: Mapping[int, Length] = field(default_factory=dict)


async def inspect(seen: Cluster, settings: KafkaSettings, now: int, *, thorough: bool = False) -> Logs:
    """`thorough`: read the whole changelog for its `lengths`. Raises clients.Unreachable, topics.Refused."""
    names = settings.topics
    reader = clients.reader(settings, "slamon-doctor")
    await clients.start(reader, settings, TIMEOUT)
    unread: list[str] = []
    try:
        inputs = _partitions(seen, names.tickets) + _partitions(seen, names.availability)
        kept = _partitions(seen, names.changelog)
        bounds = await bounds_of(reader, [*inputs, *kept])
        positions: dict[int, Positions] = {}
        samples: dict[str, Sample] = {}
        oldest: dict[TopicPartition, int] = {}
        lengths: dict[int, Length] = {}
        try:
            positions = await _positions(reader, {tp: bounds[tp] for tp in kept})
            if thorough:
                lengths = {tp.partition: await _length(reader, tp, bounds[tp]) for tp in kept}
        except Refused as error:
            unread.append(str(error))
        try:
            oldest = await _oldest_unread(reader, {tp: bounds[tp] for tp in inputs}, positions)
            samples = await _samples(reader, {tp: bounds[tp] for tp in inputs}, seen, settings, now)
        except Refused as error:
            unread.append(str(error))
        async with cluster.asking(settings) as admin:
            commits = {tp.partition: await _commits(admin, seen, tp, bounds[tp]) for tp in kept}
    finally:
        await clients.end(reader.stop())
    return Logs(bounds, positions, oldest, samples, commits, unread, lengths)


def _partitions(seen: Cluster, topic: str) -> list[TopicPartition]:
    """Those that have a leader, for no other would answer."""
    there = seen.topics.get(topic)
    return [
        TopicPartition(topic, number)
        for number, partition in enumerate(there.partitions if there is not None else ())
        if partition.leader >= 0
    ]


async def bounds_of(reader: Any, tps: Sequence[TopicPartition]) -> dict[TopicPartition, Bounds]:
    """Of what is committed. Raises topics.Refused."""
    try:
        async with asyncio.timeout(TIMEOUT):
            first = await reader.beginning_offsets(tps) if tps else {}
            end = await reader.end_offsets(tps) if tps else {}
    except (KafkaError, TimeoutError) as error:
        raise Refused(f"where the topics begin and end cannot be seen: {error!r}") from error
    return {tp: Bounds(first[tp], end[tp]) for tp in tps}


async def _positions(reader: Any, bounds: Mapping[TopicPartition, Bounds]) -> dict[int, Positions]:
    """The newest of each partition; they are the last record of each commit, so they are near the end."""
    found: dict[int, Positions] = {}
    tail, rest = TAIL, dict(bounds)
    while rest:
        spans = {tp: (max(log.first, log.end - tail), log.end) for tp, log in rest.items()}
        readings = {tp: Reading() for tp in spans}
        async for record in records_of(reader, spans):
            if record.key == changelog.POSITIONS:
                readings[TopicPartition(record.topic, record.partition)].take(record.key, record.value)
        for tp, reading in readings.items():
            if reading.positions is not None:
                found[tp.partition] = reading.positions
        rest = {
            tp: log for tp, log in rest.items() if tp.partition not in found and log.first < log.end - tail
        }
        tail *= 10
    return found


async def _length(reader: Any, tp: TopicPartition, bounds: Bounds) -> Length:
    reading = Reading()
    async for record in records_of(reader, {tp: bounds}):
        reading.take(record.key or b"", record.value)
    try:
        reading.check()
    except changelog.Unreadable as error:
        return Length(reading.records, reading.standing, str(error))
    return Length(reading.records, reading.standing, None)


async def _oldest_unread(
    reader: Any, bounds: Mapping[TopicPartition, Bounds], positions: Mapping[int, Positions]
) -> dict[TopicPartition, int]:
    found: dict[TopicPartition, int] = {}
    spans = {}
    for tp, log in bounds.items():
        position = positions[tp.partition].inputs.get(tp.topic) if tp.partition in positions else None
        if position is not None and log.first <= position < log.end:
            spans[tp] = (position, min(position + 1, log.end))
    async for record in records_of(reader, spans):
        found[TopicPartition(record.topic, record.partition)] = record.timestamp * 1000
    return found


async def _samples(
    reader: Any,
    bounds: Mapping[TopicPartition, Bounds],
    seen: Cluster,
    settings: KafkaSettings,
    now: int,
) -> dict[str, Sample]:
    samples = {tp.topic: Sample() for tp in bounds}
    counts = {name: len(topic.partitions) for name, topic in seen.topics.items()}
    spans = {tp: (max(log.first, log.end - SAMPLE), log.end) for tp, log in bounds.items()}
    async for record in records_of(reader, spans):
        sample = samples[record.topic]
        sample.records += 1
        event = decode(record.value, record.headers, now=now)
        if isinstance(event, Rejected):
            _reject(sample, record, event)
        elif event.customer is not None:
            sample.with_customer += 1
            key = event.customer.encode(errors="surrogatepass")
            for kind in PARTITIONERS:
                home = partition_for(key, counts[record.topic], kind)
                if home == record.partition:
                    continue
                sample.misplaced[kind] += 1
                if kind == settings.partitioner:
                    why = f"customer {event.customer!r} belongs in partition {home}"
                    _reject(sample, record, Rejected(RejectReason.WRONG_PARTITION, why))
    return samples


def _reject(sample: Sample, record: Any, rejected: Rejected) -> None:
    reason = rejected.reason.value
    sample.rejected[reason] += 1
    where = f"{record.topic}/{record.partition}/{record.offset}"
    sample.examples[reason] = f"{where}: {rejected.detail}"


async def _commits(admin: Any, seen: Cluster, tp: TopicPartition, bounds: Bounds) -> list[Commit]:
    """The last ones of the changelog's partition, as batches show them; none if that cannot be seen."""
    leader = seen.topics[tp.topic].partitions[tp.partition].leader
    start = max(bounds.first, bounds.end - COMMITS)
    found: list[Commit] = []
    written: dict[int, int] = {}  # by producer
    while start < bounds.end:
        request = FetchRequest(0, 1, COMMITS_BYTES, 0, [(tp.topic, [(tp.partition, start, COMMITS_BYTES)])])
        try:
            answer = await cluster.ask(admin, request, leader)
        except (KafkaError, TimeoutError, OSError):
            return found
        [(_, [(_, error, *_, records)])] = answer.topics
        batches = MemoryRecords(records or b"")
        before = start
        while not error and batches.has_next():
            batch = batches.next_batch()
            start = batch.next_offset
            if not batch.is_control_batch:
                written[batch.producer_id] = batch.max_timestamp * 1000
            elif batch.producer_id in written:
                found.append(Commit(written.pop(batch.producer_id), batch.max_timestamp * 1000))
        if start == before:
            break
    return found
