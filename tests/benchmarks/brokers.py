"""What needs a real Kafka: restoring a task, a whole daemon, and how long an event takes to become an alert."""

import asyncio
import contextlib
import os
import signal
import sys
import tempfile
import time
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import msgspec
import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition
from prometheus_client.parser import text_string_to_metric_families

from slamon import clock
from slamon.codec import encode
from slamon.demo import parts
from slamon.demo.processes import Kafka, Program, free_ports
from slamon.domain.agreement import Agreement
from slamon.domain.events import DAY, HOUR, SECOND, Event, TicketEvent, TicketStatus
from slamon.domain.monitor import Monitor
from slamon.kafka import changelog, clients, topics
from slamon.kafka.clients import Outgoing, TaskProducer
from slamon.kafka.observations import Observations, Restored
from slamon.kafka.partitioner import partition_for
from slamon.kafka.source import Source
from slamon.settings import KafkaSettings, Settings, Topics, read_settings
from tests.benchmarks import libraries, stream
from tests.benchmarks.measuring import MS, Effort, LeftOut, Row, in_turn_of

PATIENCE = 600.0  # s; for what comes by itself
COPIES = 10  # of each ticket in a changelog: so many that starting a task is the lesser part of restoring it
AT_ONCE = 20_000  # records in one transaction of what fills a topic
SPACING = 0.25  # s between two alerts, so that each is alone


@contextlib.contextmanager
def room() -> Iterator[tuple[Path, str]]:
    """A folder, and the address of the brokers: those that are named, or one of our own."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        given = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
        if given:
            yield folder, given
            return
        java, libs = parts.find("java"), parts.find("kafka")
        for part in (java, libs):
            if isinstance(part, parts.Missing):
                raise LeftOut(str(part))
        assert isinstance(java, Path)
        assert isinstance(libs, Path)
        yield folder, stack.enter_context(Kafka(folder / "kafka", java=java, libs=libs)).bootstrap


async def settings_file(
    folder: Path, bootstrap: str, name: str, *, partitions: int, start: int = stream.START
) -> Path:
    """A file of settings with topics of their own, which are there when this returns."""
    application = f"{name}-{os.getpid()}"
    port, liveness_port = free_ports(2)
    settings = {
        "application_id": application,
        "agreements": [str(stream.write_agreements(folder, start))],
        "kafka": {
            "bootstrap_servers": bootstrap,
            "partitions": partitions,
            "replication_factor": 1,
            "min_insync_replicas": 1,
            "session_timeout": 600,  # a daemon is held meanwhile, and shall not be taken for dead
            "poll_stall": 600,
            "topics": {kind: f"{application}.{kind}" for kind in Topics.model_fields},
        },
        "http": {"host": "127.0.0.1", "port": port, "liveness_port": liveness_port},
        "log": {"format": "json", "level": "warning"},
    }
    file = folder / "slamon.yaml"
    file.write_bytes(orjson.dumps(settings))  # JSON is YAML
    await topics.create(read_settings(file).kafka)
    return file


def outgoing(kafka: KafkaSettings, event: Event) -> Outgoing:
    assert event.customer is not None
    topic = kafka.topics.tickets if isinstance(event, TicketEvent) else kafka.topics.availability
    key = event.customer.encode()
    return Outgoing(topic, partition_for(key, kafka.partitions, kafka.partitioner), key, encode(event))


async def fill(producer: TaskProducer, records: Sequence[Outgoing]) -> None:
    for first in range(0, len(records), AT_ONCE):
        await producer.commit(records[first : first + AT_ONCE], PATIENCE)


@contextlib.asynccontextmanager
async def producing(kafka: KafkaSettings) -> AsyncIterator[TaskProducer]:
    producer = TaskProducer(kafka, "benchmarks")
    await producer.start(PATIENCE)
    try:
        yield producer
    finally:
        await producer.close()


@contextlib.asynccontextmanager
async def _reading(kafka: KafkaSettings, **more: Any) -> AsyncIterator[Any]:
    """A bare consumer with the settings of slamon's own."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=kafka.bootstrap_servers,
        enable_auto_commit=False,
        isolation_level="read_committed",
        max_partition_fetch_bytes=kafka.max_partition_fetch_bytes,
        fetch_max_wait_ms=clients.milliseconds(kafka.fetch_max_wait),
        **more,
    )
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


async def _read(
    consumer: Any, starts: dict[TopicPartition, int], count: int, take: Callable[[bytes], object]
) -> None:
    """So many records from there on, as a loop without anything else would."""
    consumer.assign(list(starts))
    for tp, offset in starts.items():
        consumer.seek(tp, offset)
    while count > 0:
        for records in (await consumer.getmany(timeout_ms=200, max_records=1000)).values():
            for record in records:
                take(record.value)
            count -= len(records)


# ------------------------------------------------------------------------------------------------------------- restore


async def restoring(effort: Effort) -> AsyncIterator[Row]:
    """A changelog of tickets, as a task wrote it that judged them, until its task runs again."""
    with room() as (folder, bootstrap):
        settings = read_settings(await settings_file(folder, bootstrap, "restore", partitions=1))
        kafka, agreements = settings.kafka, stream.agreements(folder)
        records = list(_facts(kafka, agreements, effort.of(200_000)))
        async with producing(kafka) as producer:
            await fill(producer, records)

        async def ours() -> None:
            await _restored(settings, lambda _, __: Monitor(agreements, steps=False))

        async def baseline() -> None:
            async with _reading(kafka) as consumer:
                await _read(consumer, {TopicPartition(kafka.topics.changelog, 0): 0}, len(records), len)

        taken, bare = await in_turn_of(ours, baseline, min(effort.runs, 3))
        yield Row("restore", len(records) / taken, len(records) / bare, "records/s", "aiokafka getmany")


def _facts(kafka: KafkaSettings, agreements: Sequence[Agreement], events: int) -> Iterator[Outgoing]:
    """The records of the tickets of so many events, each ticket several times under other names, and of their alerts.

    They are judged a month later: of most tickets that a task keeps, time alone changes nothing more.
    """
    monitor = Monitor(agreements, steps=False)
    for event in islice(stream.events(), events):
        if isinstance(event, TicketEvent):
            for copy in range(COPIES):
                monitor.apply(msgspec.structs.replace(event, ticket=f"{event.ticket}.{copy}"))
    monitor.advance(stream.START + 30 * DAY)
    for key, facts in monitor.facts():
        for record in changelog.fact_records(key, facts, 1, upshot=monitor.upshot(key)):
            yield Outgoing(kafka.topics.changelog, 0, *record)


async def _restored(settings: Settings, monitor_for: Callable[[int, bool], Monitor]) -> None:
    done = asyncio.Event()

    def restored(_: Restored) -> None:
        done.set()

    source = Source(settings, monitor_for, Observations(restored=restored))
    async with asyncio.TaskGroup() as group:
        group.create_task(source.run())
        await done.wait()
        source.stop()


# -------------------------------------------------------------------------------------------------------------- daemon


@contextlib.contextmanager
def _daemon(file: Path) -> Iterator[Program]:
    """`slamon run`, ready."""
    program = Program("slamon", [sys.executable, "-m", "slamon", "run", "--config", file], file.parent)
    program.start()
    try:
        port = read_settings(file).http.port
        program.await_that(lambda: scrape(port).get("slamon_task_state", 0) > 0, 60)
        yield program
    finally:
        program.kill()


def scrape(port: int) -> dict[str, float]:
    """The daemon's own metrics: the sum of each over its labels; of task states only `running` counts."""
    found: dict[str, float] = {}
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as page:
            text = page.read().decode()
    except OSError:
        return found  # it does not listen yet
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.labels.get("state", "running") == "running":
                found[sample.name] = found.get(sample.name, 0) + sample.value
    return found


async def daemon(effort: Effort) -> AsyncIterator[Row]:
    """From the inputs to committed state in a process of its own, which is held while they are filled."""
    count = effort.of(100_000)
    with room() as (folder, bootstrap):
        days = (effort.runs + 1) * count / stream.EVENTS_A_DAY
        start = clock.now() - round((days + 0.5) * 24) * HOUR
        file = await settings_file(folder, bootstrap, "daemon", partitions=4, start=start)
        kafka = read_settings(file).kafka
        events = stream.events(start)
        with _daemon(file) as program:
            async with producing(kafka) as producer, _reading(kafka) as consumer:
                inputs = [
                    TopicPartition(topic, partition)
                    for topic in (kafka.topics.tickets, kafka.topics.availability)
                    for partition in range(kafka.partitions)
                ]
                taken, bare = [], []
                for _ in range(effort.runs + 1):
                    starts = await consumer.end_offsets(inputs)
                    some = [outgoing(kafka, event) for event in islice(events, count)]
                    program.signal(signal.SIGSTOP)
                    await fill(producer, some)
                    del some  # the baseline shall not have to look through them for cycles
                    program.signal(signal.SIGCONT)
                    taken.append(await _until_counted(file, count))
                    before = time.process_time()
                    await _read(consumer, starts, count, orjson.loads)
                    bare.append(time.process_time() - before)
        ours = count / median(taken[1:])
        yield Row("daemon", ours, count / median(bare[1:]), "events/s", "aiokafka getmany, orjson.loads")
        for row in libraries.compared(ours, effort, kafka, folder):
            yield row


async def _until_counted(file: Path, count: int) -> float:
    """CPU seconds of the daemon until so many more events are committed."""
    port = read_settings(file).http.port
    begun = await asyncio.to_thread(scrape, port)
    deadline = clock.monotonic() + PATIENCE
    while clock.monotonic() < deadline:
        await clock.wait(0.5)
        found = await asyncio.to_thread(scrape, port)
        if found["slamon_events_total"] >= begun["slamon_events_total"] + count:
            return found["process_cpu_seconds_total"] - begun["process_cpu_seconds_total"]
    raise LeftOut(f"the daemon did not take {count:,} events in {PATIENCE:g} s")


# ------------------------------------------------------------------------------------------------------------- latency


async def alert_latency(effort: Effort) -> AsyncIterator[Row]:
    """From before an event is sent until a reader of committed records has the alert it leads to."""
    count = effort.of(300)
    with room() as (folder, bootstrap):
        file = await settings_file(folder, bootstrap, "latency", partitions=1)
        kafka = read_settings(file).kafka
        alerts = TopicPartition(kafka.topics.alerts, 0)
        async with producing(kafka) as producer, _reading(kafka) as consumer:
            consumer.assign([alerts])
            consumer.seek(alerts, 0)

            async def until_seen(name: str) -> None:
                while True:
                    for records in (await consumer.getmany(timeout_ms=5000)).values():
                        if any(name.encode() in (record.value or b"") for record in records):
                            return

            async def event(name: str) -> None:
                """Opened so long ago that its time is up."""
                now = clock.now()
                late = TicketEvent(
                    name, now, stream.CUSTOMERS[0], name, status=TicketStatus.OPEN, priority="P1",
                    opened_at=now - HOUR // 2 - SECOND,
                )  # fmt: skip
                await producer.commit([outgoing(kafka, late)], PATIENCE)

            async def bare(name: str) -> None:
                await producer.commit([Outgoing(alerts.topic, 0, b"bare", name.encode())], PATIENCE)

            theirs = await _latencies(bare, until_seen, "B", count)
            with _daemon(file):
                ours = await _latencies(event, until_seen, "T", count)
    for percent in (50, 99):
        yield Row(
            f"event to visible alert, p{percent}",
            ours[percent - 1] * MS,
            theirs[percent - 1] * MS,
            "ms",
            "one transaction, sent and seen",
            faster_when_more=False,
        )


async def _latencies(
    send: Callable[[str], Awaitable[None]],
    until_seen: Callable[[str], Awaitable[None]],
    kind: str,
    count: int,
) -> list[float]:
    """The percentiles 1 to 99, in seconds by the wall."""
    taken = []
    for number in range(count + 5):
        name = f"{kind}-{number}."
        begun = clock.monotonic()
        await send(name)
        await until_seen(name)
        taken.append(clock.monotonic() - begun)
        await clock.wait(SPACING)
    return quantiles(taken[5:], n=100, method="inclusive")
