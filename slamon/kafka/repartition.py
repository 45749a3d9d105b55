"""Moves an application to another number of partitions: a new one is made beside it, which goes on where it stopped.

The rules:

- No pod of the old application runs: its group has no members. Each of its tasks is taken over as a pod would take it, which
  fences whoever slept and ends what was left open; then it is read back. Nothing else is written to the old topics, so
  whoever changes his mind starts the old pods again.
- A customer's facts, and what was last said of its objectives, go to the partition that the customer has now. What is known of
  a service for every customer goes everywhere, and what the old tasks knew of it is united.
- The clock of each new task is the latest of the old ones: nothing was ever judged later, and it moves on only when all that
  was not yet read has been.
- Records of the inputs that were not yet read are copied in their order. Events that the new tasks know already change
  nothing there.
- Alerts are numbered from 1 again, in a topic of their own; only transitions that the old topic lacks are said in it. Those that
  fire keep their ids and episodes, so none is announced again.
- The positions are written last. Until then a pod of the new application finds a group that has read and a changelog without
  positions, and refuses to start. Should this be interrupted, the new topics are deleted and it is done again; into topics
  that hold something already, nothing is written.
"""

import asyncio
import contextlib
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from slamon import clock
from slamon.codec import decode
from slamon.domain.decisions import AlertTransition, FactKey, Facts
from slamon.domain.events import AvailabilityEvent, order_key
from slamon.kafka import changelog, clients, formats, restore, topics
from slamon.kafka.changelog import Gap, Owner, Positions
from slamon.kafka.clients import Outgoing, TaskProducer
from slamon.kafka.partitioner import partition_for
from slamon.kafka.spans import records_of
from slamon.kafka.topics import Refused
from slamon.settings import KafkaSettings, Settings

KINDS = ("tickets", "availability", "changelog", "alerts", "standings", "statements")
AT_ONCE = 1000  # records of one commit, and of one poll
BYTES_AT_ONCE = 8 << 20
TIMEOUT = 60.0  # s for one question to the brokers
GAPS_KEPT = 20  # as tasks keep them
IDLE = ("Empty", "Dead")  # states of a group without members


@dataclass(slots=True)
class Moved:
    """What was moved, or would be."""

    partitions: int  # before
    settings: Settings  # of the new application
    facts: int = 0
    copied: Counter[str] = field(default_factory=Counter)  # old topic → records


def moved_settings(settings: Settings, partitions: int, application_id: str | None = None) -> Settings:
    """With the names of the new application. Dead letters stay together in their topic, whose partitions mean nothing."""
    kafka = settings.kafka
    name = application_id or f"{settings.application_id.removesuffix(f'-{kafka.partitions}')}-{partitions}"
    renamed = kafka.topics.model_copy(update={kind: f"{name}.{kind}" for kind in KINDS})
    return settings.model_copy(
        update={
            "application_id": name,
            "kafka": kafka.model_copy(update={"partitions": partitions, "topics": renamed}),
        }
    )


def as_yaml(settings: Settings) -> str:
    """What of the settings is another now."""
    names = "".join(f"    {kind}: {getattr(settings.kafka.topics, kind)}\n" for kind in KINDS)
    return (
        f"application_id: {settings.application_id}\n"
        f"kafka:\n  partitions: {settings.kafka.partitions}\n  topics:\n{names}"
    )


async def repartition(
    settings: Settings, partitions: int, application_id: str | None = None, *, dry_run: bool = False
) -> Moved:
    """`dry_run`: only read, and count.

    Raises topics.Refused, clients.Unreachable, changelog.Unreadable.
    """
    layout = await topics.check(settings.kafka)
    settings = settings.model_copy(
        update={"kafka": settings.kafka.model_copy(update={"partitions": layout.partitions})}
    )
    new = moved_settings(settings, partitions, application_id)
    if new.application_id == settings.application_id or partitions == layout.partitions:
        raise Refused(
            f"{settings.application_id} has {layout.partitions} partitions already, or the same application_id: "
            "--to wants another number, --application-id another name"
        )
    await _check_stopped(settings)
    moved = Moved(layout.partitions, new)
    try:
        if dry_run:
            await _move(settings, new, moved, None)
        else:
            await topics.create(new.kafka)
            await _check_empty(new.kafka)
            await _begin_group(new)
            async with _writing(new) as writing:
                await _move(settings, new, moved, writing)
    except (KafkaError, TimeoutError, AssertionError, restore.Stalled) as error:
        raise Refused(
            f"interrupted: {type(error).__name__} {error}. Nothing of {settings.application_id} was changed; delete "
            f"what was made of the topics {new.application_id}.* and repeat. If a record was too large, make them "
            "before with the old ones' max.message.bytes"
        ) from error
    return moved


# What must be so ----------------------------------------------------------------------------------------------------------


async def _check_stopped(settings: Settings) -> None:
    admin = clients.admin(settings.kafka)
    await clients.start(admin, settings.kafka, TIMEOUT)
    try:
        async with asyncio.timeout(TIMEOUT):
            [answer] = await admin.describe_consumer_groups([settings.application_id])
    except (KafkaError, TimeoutError) as error:
        raise Refused(f"the brokers do not say who is in the group: {error!r}") from error
    finally:
        await clients.end(admin.close())
    _, _, state, _, _, members, *_ = answer.groups[0]
    if state not in IDLE:
        raise Refused(
            f"{len(members)} members are in the group {settings.application_id} ({state}): stop all pods, and wait for "
            f"kafka.session_timeout ({settings.kafka.session_timeout:g} s) after the last"
        )


async def _check_empty(new: KafkaSettings) -> None:
    async with _reading(new) as reader:
        for kind in KINDS:
            tps = [
                TopicPartition(getattr(new.topics, kind), partition) for partition in range(new.partitions)
            ]
            if any((await reader.end_offsets(tps)).values()):
                raise Refused(
                    f"{tps[0].topic} holds records already: the application has been moved there, or that was "
                    "interrupted. In the latter case delete its topics and repeat; or give another --application-id"
                )


async def _begin_group(new: Settings) -> None:
    """See the last rule."""
    group = AIOKafkaConsumer(
        **clients.connection(new.kafka, "slamon-repartition"),
        group_id=new.application_id,
        enable_auto_commit=False,
    )
    await clients.start(group, new.kafka, TIMEOUT)
    try:
        tps = [
            TopicPartition(topic, partition)
            for topic in (new.kafka.topics.tickets, new.kafka.topics.availability)
            for partition in range(new.kafka.partitions)
        ]
        group.assign(tps)
        async with asyncio.timeout(TIMEOUT):
            await group.commit(dict.fromkeys(tps, 0))
    finally:
        await clients.end(group.stop())


# Reading the old --------------------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def _reading(settings: KafkaSettings) -> AsyncIterator[Any]:
    reader = clients.reader(settings, "slamon-repartition")
    await clients.start(reader, settings, TIMEOUT)
    try:
        yield reader
    finally:
        await clients.end(reader.stop())


async def _take_over(settings: Settings, partition: int) -> restore.Found:
    """What stands of a task, which nobody else can change any more."""
    kafka, nonce = settings.kafka, secrets.token_bytes(16)
    name = f"{settings.application_id}-{partition}"
    producer = TaskProducer(kafka, name)
    try:
        await producer.start(kafka.commit_timeout)
        record = changelog.owner_record(Owner(nonce, "slamon repartition", clock.wall()))
        await producer.commit([Outgoing(kafka.topics.changelog, partition, *record)], kafka.commit_timeout)
    finally:
        await producer.close()
    inputs = [TopicPartition(topic, partition) for topic in (kafka.topics.tickets, kafka.topics.availability)]
    return await restore.read_back(kafka, name, partition, inputs, nonce)


def _check_read(positions: Positions | None, found: restore.Found, partition: int) -> Positions:
    if positions is None:
        raise Refused(
            f"partition {partition} of the changelog holds no positions: run the pods once until they are ready, "
            "then stop them"
        )
    for topic, log_of in found.inputs.items():
        if not log_of.first <= positions.inputs.get(topic, 0) <= log_of.end:
            raise Refused(
                f"partition {partition} of {topic} no longer holds what comes next: run the pods once more until they "
                "are ready, so that it is noted as unknown time, then stop them"
            )
    return positions


async def _records(
    settings: KafkaSettings, tp: TopicPartition, start: int | None = None
) -> AsyncIterator[Any]:
    """All committed ones that stand now, from an offset on."""
    async with _reading(settings) as reader:
        first = (await reader.beginning_offsets([tp]))[tp] if start is None else start
        end = (await reader.end_offsets([tp]))[tp]
        async for record in records_of(reader, {tp: (first, end)}):
            yield record


class _Of(msgspec.Struct):
    """What an output says of whom."""

    customer: str


_customer_of = msgspec.json.Decoder(_Of).decode


# Writing the new --------------------------------------------------------------------------------------------------------


class _Writing:
    """Into the topics of the new application."""

    def __init__(self, new: Settings, copier: Any, producers: Sequence[TaskProducer]) -> None:
        self._kafka = new.kafka
        self._copier = copier
        self._producers = producers
        self._waiting: list[list[Outgoing]] = [[] for _ in producers]
        self._size = [0] * len(producers)
        self._under_way: list[asyncio.Future[Any]] = []

    async def keep(self, partition: int, records: Iterable[changelog.Record]) -> None:
        for record in records:
            self._waiting[partition].append(Outgoing(self._kafka.topics.changelog, partition, *record))
            self._size[partition] += len(record[1] or b"")
        if len(self._waiting[partition]) >= AT_ONCE or self._size[partition] >= BYTES_AT_ONCE:
            await self.flush(partition)

    async def flush(self, partition: int) -> None:
        records, self._waiting[partition] = self._waiting[partition], []
        self._size[partition] = 0
        if records:
            await self._producers[partition].commit(records, self._kafka.commit_timeout)

    async def copy(self, topic: str, partition: int, record: Any) -> None:
        async with asyncio.timeout(TIMEOUT):
            delivery = await self._copier.send(
                topic,
                record.value,
                key=record.key,
                partition=partition,
                timestamp_ms=record.timestamp,
                headers=list(record.headers),
            )
        self._under_way.append(delivery)
        if len(self._under_way) >= AT_ONCE:
            await self.copied()

    async def copied(self) -> None:
        """All that was to be copied has been."""
        deliveries, self._under_way = self._under_way, []
        async with asyncio.timeout(TIMEOUT):
            for delivery in deliveries:
                await delivery


@contextlib.asynccontextmanager
async def _writing(new: Settings) -> AsyncIterator[_Writing]:
    copier = AIOKafkaProducer(
        **clients.connection(new.kafka, "slamon-repartition"),
        enable_idempotence=True,
        max_request_size=1 << 30,  # the topic decides what is too large
    )
    producers = [
        TaskProducer(new.kafka, f"{new.application_id}-{partition}")
        for partition in range(new.kafka.partitions)
    ]
    await clients.start(copier, new.kafka, TIMEOUT)
    try:
        for producer in producers:
            await producer.start(new.kafka.commit_timeout)
        yield _Writing(new, copier, producers)
    finally:
        await clients.end(copier.stop())
        for producer in producers:
            await producer.close()


# From the one to the other ----------------------------------------------------------------------------------------------


class _Everywhere:
    """What is said of services for every customer, to all old tasks in turn."""

    def __init__(self) -> None:
        self._known: dict[FactKey, dict[str, AvailabilityEvent]] = {}
        self._copied: set[tuple[str, str]] = set()

    def is_first(self, event: AvailabilityEvent) -> bool:
        """Of those that are still to be read; the others of one identity say the same."""
        identity = event.service, event.id
        first = identity not in self._copied
        self._copied.add(identity)
        return first

    def add(self, key: FactKey, facts: Facts) -> None:
        known = self._known.setdefault(key, {})
        for event in facts.services or ():
            known.setdefault(event.id, event)

    def facts(self) -> Iterable[tuple[FactKey, Facts]]:
        for key, known in self._known.items():
            yield key, Facts(services=tuple(sorted(known.values(), key=order_key)))


async def _move(settings: Settings, new: Settings, moved: Moved, writing: _Writing | None) -> None:
    """None: only count."""
    old, count = settings.kafka, new.kafka.partitions

    def home(customer: str) -> int:
        return partition_for(customer.encode(errors="surrogatepass"), count, new.kafka.partitioner)

    everywhere = _Everywhere()
    untold: list[list[AlertTransition]] = [[] for _ in range(count)]
    gaps: list[Gap] = []
    now, version = 0, formats.PREVIOUS
    for partition in range(moved.partitions):
        found = await _take_over(settings, partition)
        positions = _check_read(found.reading.positions, found, partition)
        now = max(now, positions.now)
        version = formats.to_write(settings.format, max(version, found.reading.format or version))
        gaps += positions.gaps
        for key, facts, _ in found.reading.facts():
            moved.facts += 1
            if key.customer is None:
                everywhere.add(key, facts)
            elif writing is not None:
                await writing.keep(home(key.customer), changelog.fact_records(key, facts, 0, version))
        for transition in _untold(found):
            untold[home(transition.labels["customer"])].append(transition)
        for topic, offset in positions.inputs.items():
            unread = TopicPartition(topic, partition)
            await _copy_input(old, new.kafka, unread, offset, moved, writing, everywhere)
        for kind in ("standings", "statements"):
            source = getattr(old.topics, kind)
            async for record in _records(old, TopicPartition(source, partition)):
                moved.copied[source] += 1
                if writing is not None and record.value is not None:
                    at = home(_customer_of(record.value).customer)
                    await writing.copy(getattr(new.kafka.topics, kind), at, record)
    if writing is None:
        return
    inputs = dict.fromkeys((new.kafka.topics.tickets, new.kafka.topics.availability), 0)
    for partition in range(count):
        for key, facts in everywhere.facts():
            await writing.keep(partition, changelog.fact_records(key, facts, 0, version))
        numbered = list(enumerate(untold[partition], 1))
        await writing.keep(partition, (changelog.outbox_record(*one, version) for one in numbered))
        await writing.flush(partition)
        last = Positions(inputs, now, len(numbered), 0, tuple(gaps[-GAPS_KEPT:]))
        # Twice: else all statements would be those of the last commit, and be issued again.
        await writing.keep(partition, [changelog.positions_record(last, version)] * 2)
    await writing.copied()
    for partition in range(count):
        await writing.flush(partition)


def _untold(found: restore.Found) -> Iterable[AlertTransition]:
    """Transitions that stand in the outbox and were never seen in the alerts topic, in their order."""
    there = {one.number for one in found.alerts}
    for number, transition in sorted(found.reading.outbox.items()):
        if number not in there and "customer" in transition.labels:
            yield transition


async def _copy_input(
    old: KafkaSettings,
    new: KafkaSettings,
    tp: TopicPartition,
    start: int,
    moved: Moved,
    writing: _Writing | None,
    everywhere: _Everywhere,
) -> None:
    """What was not yet read. It goes where its producer would put it now; what is no event, by its key, or anywhere."""
    target = new.topics.tickets if tp.topic == old.topics.tickets else new.topics.availability
    async for record in _records(old, tp, start):
        moved.copied[tp.topic] += 1
        if writing is None:
            continue
        event = decode(record.value, record.headers, now=None)
        if isinstance(event, AvailabilityEvent) and event.customer is None:
            partitions: Iterable[int] = range(new.partitions if everywhere.is_first(event) else 0)
        elif record.key is not None:
            partitions = (partition_for(record.key, new.partitions, new.partitioner),)
        else:
            partitions = (tp.partition % new.partitions,)
        for partition in partitions:
            await writing.copy(target, partition, record)
