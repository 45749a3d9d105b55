"""aiokafka's clients as slamon sets them, and how they are ended when they do not end by themselves.

Every call to a client is bounded in time by whoever makes it: aiokafka itself retries many things for ever.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Sequence
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaConnectionError, KafkaError
from aiokafka.record import default_records

from slamon import clock
from slamon.kafka import reaching, security
from slamon.kafka.assignor import TaskAssignor
from slamon.settings import KafkaSettings

BATCH_BYTES = 1 << 20  # of one batch; a broker's own limit is 12 bytes more by default
TRANSACTION_TIMEOUT = 60.0  # s until a broker ends what somebody left open; above any commit timeout
RESTORE_WAIT = 0.05  # s; the last fetch of a restore lasts as long as the broker may hold it
CLOSING = 3.0  # s for one client to end in good order


class Outgoing(NamedTuple):
    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]] = ()


class Unreachable(Exception):  # noqa: N818 - reads as what it says
    """No broker takes us in; the text says where it was tried, and why not."""


def milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def connection(settings: KafkaSettings, name: str) -> dict[str, Any]:
    """What all clients are given: where the brokers are, and how they know us."""
    return {
        "bootstrap_servers": settings.bootstrap_servers,
        "client_id": name,
        **security.credentials(settings.security),
    }


def uses_compiled_records() -> bool:
    """Whether aiokafka reads records by its C extension; without it everything is ten times slower."""
    return "_crecords" in default_records.DefaultRecordBatch.__module__


def group_consumer(settings: KafkaSettings, group: str, assignor: TaskAssignor) -> Any:
    """Reads the inputs as a member of the group; where it starts is decided by the tasks, never by itself."""
    return AIOKafkaConsumer(
        **connection(settings, group),
        group_id=group,
        group_instance_id=settings.group_instance_id,
        partition_assignment_strategy=[assignor],
        enable_auto_commit=False,
        auto_offset_reset="none",
        isolation_level="read_committed",
        session_timeout_ms=milliseconds(settings.session_timeout),
        heartbeat_interval_ms=milliseconds(settings.heartbeat_interval),
        rebalance_timeout_ms=milliseconds(settings.rebalance_timeout),
        request_timeout_ms=milliseconds(max(40.0, settings.rebalance_timeout + 10)),  # joining waits for all
        fetch_max_wait_ms=milliseconds(settings.fetch_max_wait),
        max_partition_fetch_bytes=settings.max_partition_fetch_bytes,
        check_crcs=settings.check_crcs,
        metadata_max_age_ms=60_000,
    )


def reader(settings: KafkaSettings, name: str) -> Any:
    """Reads committed records of partitions it is told, from where it is told."""
    return AIOKafkaConsumer(
        **connection(settings, name),
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="none",
        isolation_level="read_committed",
        fetch_max_wait_ms=milliseconds(RESTORE_WAIT),
        retry_backoff_ms=20,
        check_crcs=settings.check_crcs,
    )


def offset_keeper(settings: KafkaSettings, group: str, wait: float) -> Any:
    """Reads committed records of partitions it is told, and keeps offsets in a group that has no members."""
    return AIOKafkaConsumer(
        **connection(settings, group),
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="none",
        isolation_level="read_committed",
        fetch_max_wait_ms=milliseconds(wait),
        check_crcs=settings.check_crcs,
        metadata_max_age_ms=60_000,
    )


def admin(settings: KafkaSettings) -> Any:
    return AIOKafkaAdminClient(**connection(settings, "slamon-admin"), request_timeout_ms=20_000)


async def start(client: Any, settings: KafkaSettings, seconds: float) -> None:
    """Raises Unreachable."""
    try:
        async with asyncio.timeout(seconds):
            await client.start()
    except (KafkaConnectionError, TimeoutError) as error:
        await end(client.close() if hasattr(client, "close") else client.stop())
        raise Unreachable(await reaching.what_is_wrong(settings)) from error


async def end(ending: Awaitable[object], seconds: float = CLOSING) -> bool:
    """Whether it ended in time and without error.

    aiokafka's clients, while they stop, let out the cancellation of their own tasks, and swallow that of ours.
    """
    current = asyncio.current_task()
    assert current is not None
    cancelled = current.cancelling()
    ended = False
    with contextlib.suppress(KafkaError, OSError, TimeoutError, AssertionError, asyncio.CancelledError):
        async with asyncio.timeout(seconds):
            await ending
        ended = True
    if current.cancelling() > cancelled:
        raise asyncio.CancelledError
    return ended


class TaskProducer:
    """The transactional producer of one task. Whoever starts one later, anywhere, fences this one.

    After anything but success it must be abandoned: what a producer sends after a failed send may be lost silently.
    """

    def __init__(self, settings: KafkaSettings, transactional_id: str) -> None:
        self._producer = AIOKafkaProducer(
            **connection(settings, transactional_id),
            transactional_id=transactional_id,
            transaction_timeout_ms=milliseconds(max(TRANSACTION_TIMEOUT, 2 * settings.commit_timeout)),
            max_batch_size=BATCH_BYTES,
            retry_backoff_ms=20,
        )

    async def start(self, seconds: float) -> None:
        """Fences the predecessor and ends what it left open."""
        async with asyncio.timeout(seconds):
            await self._producer.start()

    async def commit(self, records: Sequence[Outgoing], seconds: float) -> dict[tuple[str, int], int]:
        """All records in one transaction. If it raises, whatever it raises, the outcome is unknown.

        Returns by topic and partition the offset of the first record there; -1: the broker had it already, and did not say.
        """
        groups: dict[tuple[str, int], list[Outgoing]] = {}
        for record in records:
            groups.setdefault((record.topic, record.partition), []).append(record)
        try:
            async with asyncio.timeout(seconds):
                await self._producer.begin_transaction()
                sent = {target: await self._send(target, group) for target, group in groups.items()}
                # A commit succeeds over failed sends, so each one's end is awaited before.
                placed = {
                    target: [await delivery for delivery in deliveries] for target, deliveries in sent.items()
                }
                await self._producer.commit_transaction()
        except Exception as error:
            # Sends to a topic that is denied never end, or fail for another reason; only the transaction knows that one.
            outcome = self._outcome()
            ended = outcome is not None and outcome.done() and not outcome.cancelled()
            failure = outcome.exception() if outcome is not None and ended else None
            if failure is None:
                raise
            raise failure from error
        return {target: batches[0].offset for target, batches in placed.items()}

    async def _send(self, target: tuple[str, int], records: Sequence[Outgoing]) -> list[asyncio.Future[Any]]:
        topic, partition = target
        sent: list[asyncio.Future[Any]] = []
        batch = self._producer.create_batch()
        for record in records:
            fields = {
                "timestamp": None,
                "key": record.key,
                "value": record.value,
                "headers": list(record.headers),
            }
            if batch.append(**fields) is None:
                sent.append(await self._deliver(batch, topic, partition))
                batch = self._producer.create_batch()
                batch.append(**fields)  # the first one always fits
        sent.append(await self._deliver(batch, topic, partition))
        return sent

    async def _deliver(self, batch: Any, topic: str, partition: int) -> asyncio.Future[Any]:
        delivery: asyncio.Future[Any] = await self._producer.send_batch(batch, topic, partition=partition)
        delivery.add_done_callback(_retrieved)
        return delivery

    async def close(self) -> bool:
        """End it in good order, or abandon it; False: its sockets and tasks may linger."""
        return await end(self._producer.stop()) or await self.abandon()

    async def abandon(self) -> bool:
        """End it although something may be under way: by itself it could commit that later."""
        self._producer._closed = True  # noqa: SLF001 - else it complains of not having been stopped
        self._hush()
        sender = self._producer._sender.sender_task  # noqa: SLF001 - there is no other way to end it
        if sender is not None:
            sender.cancel()  # no new requests; it now waits for those under way, which end with the connections
        closed = await end(self._producer.client.close())
        if sender is not None and not sender.done():
            sender.cancel()
            await asyncio.wait([sender], timeout=CLOSING)
        return closed and (sender is None or sender.done())

    def _outcome(self) -> "asyncio.Future[object] | None":
        outcome: asyncio.Future[object] | None
        outcome = self._producer._txn_manager.wait_for_transaction_end()  # noqa: SLF001 - kept for commits alone
        return outcome

    def _hush(self) -> None:
        """Nobody asks the rest of a failed transaction how it ended; asyncio would log that as a fault."""
        producer, outcome = self._producer, self._outcome()
        rest = [] if outcome is None else [outcome]
        for batches in producer._message_accumulator._batches.values():  # noqa: SLF001 - never sent, and failed too
            rest += [batch._drain_waiter for batch in batches]  # noqa: SLF001 - set by the failure, read by nobody
        for future in rest:
            future.add_done_callback(_retrieved)


def _retrieved(delivery: "asyncio.Future[Any]") -> None:
    """Only the first failure is reported; asyncio would log the others as never seen."""
    if not delivery.cancelled():
        delivery.exception()


async def within(event: asyncio.Event, seconds: float) -> bool:
    """Whether the event came in time."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(max(0.0, seconds)):
            await event.wait()
    return event.is_set()


async def breathe() -> None:
    """Let heartbeats and fetches run in the middle of long work."""
    await clock.wait(0)
