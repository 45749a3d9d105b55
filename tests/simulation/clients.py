"""aiokafka's clients as slamon uses them, over the simulated broker: the same calls, the same order of things, the same traps.

What they do was read from aiokafka 0.14, and what slamon relies on is held against the real ones by `test_simulated_broker`:

- A consumer fetches ahead in the background, one request at a time; what it fetched for a position that was left, or for a
  partition that was paused or lost, is thrown away. Ends of logs are stamped when the answer is read.
- It joins its group and sends heartbeats in the background, but none while a listener is called on an assignment. What a
  listener raises is only logged. An error that the group cannot get over is raised by the next `getmany`, again and again.
- A producer sends in the background, and goes on when nobody waits any more. Its commit succeeds over failed sends. Once
  it was fenced, later calls fail in other ways.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple
from unittest import mock

from aiokafka import TopicPartition
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment, ConsumerProtocolMemberMetadata
from aiokafka.errors import (
    CommitFailedError,
    ConcurrentTransactions,
    ConsumerStoppedError,
    IllegalGenerationError,
    IllegalOperation,
    IllegalStateError,
    InvalidProducerEpoch,
    KafkaError,
    NoOffsetForPartitionError,
    ProducerFenced,
    RebalanceInProgressError,
    RequestTimedOutError,
    UnknownMemberIdError,
)

from slamon import clock
from slamon.kafka import clients, reaching, source
from slamon.kafka.topics import DAY, DEAD_LETTER_ROOM, DEFAULT_RECORD_BYTES, Layout
from tests.simulation.broker import Broker, Fetched, Group

BACKOFF = 0.1  # s; aiokafka's retry_backoff_ms where nothing else is set
BETWEEN_TRANSACTIONS = 0.02  # s; when the last one's markers are still being written


class Record(NamedTuple):
    """What `getmany` gives."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    timestamp_type: int
    key: bytes | None
    value: bytes | None
    checksum: None
    headers: tuple[tuple[str, bytes | None], ...]


def _notify(waiter: "asyncio.Future[None] | None") -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(None)


# ------------------------------------------------------------------------------------------------------------- consumers


class _Partition:
    def __init__(self) -> None:
        self.position: int | None = None
        self.paused = False
        self.end: int | None = None
        self.stable_end: int | None = None
        self.stamp: int | None = None


class _Assignment:
    def __init__(self, targets: Sequence[TopicPartition], loop: asyncio.AbstractEventLoop) -> None:
        self.states = {target: _Partition() for target in sorted(targets)}
        self.left: asyncio.Future[None] = loop.create_future()

    @property
    def active(self) -> bool:
        return not self.left.done()


class _Buffer:
    """Fetched and not yet given away; of `records`, those from `at` on."""

    def __init__(self, position: int, fetched: Fetched) -> None:
        self.position = position
        self.fetched = fetched
        self.at = 0

    def take(self, state: _Partition, most: int | None) -> list[Any]:
        """Moves the position. Nothing if the partition is not where it was when this was asked for."""
        records = self.fetched.records
        if state.paused or state.position != self.position:
            self.at = len(records)
            return []
        left = records[self.at :]
        taken = left if most is None else left[:most]
        self.at += len(taken)
        whole = self.at == len(records)
        # Like aiokafka's, it finds out that nothing is left when it is asked for more.
        if most is not None and len(taken) == most and taken:
            whole = False
        self.position = self.fetched.next if whole else taken[-1].offset + 1
        state.position = self.position
        self.empty = whole
        return taken

    empty = False


class Consumer:
    """AIOKafkaConsumer: a member of a group when it has a `group_id`, else it reads what it is told."""

    def __init__(
        self,
        broker: Broker,
        *,
        group_id: str | None = None,
        group_instance_id: str | None = None,
        partition_assignment_strategy: Sequence[Any] = (),
        session_timeout_ms: int = 10_000,
        heartbeat_interval_ms: int = 3_000,
        rebalance_timeout_ms: int = 30_000,
        request_timeout_ms: int = 40_000,
        fetch_max_wait_ms: int = 500,
        retry_backoff_ms: int = 100,
        auto_offset_reset: str = "latest",
        isolation_level: str = "read_uncommitted",
        enable_auto_commit: bool = True,
        **_: object,
    ) -> None:
        assert isolation_level == "read_committed"
        assert auto_offset_reset in ("none", "earliest")
        assert not enable_auto_commit
        self._broker = broker
        self._loop = broker.loop
        self._group: Group | None = broker.group(group_id) if group_id is not None else None
        self._instance = group_instance_id
        self._assignor = partition_assignment_strategy[0] if partition_assignment_strategy else None
        self._session = session_timeout_ms / 1000
        self._heartbeat = heartbeat_interval_ms / 1000
        self._rebalance = rebalance_timeout_ms / 1000
        self._timeout = request_timeout_ms / 1000
        self._wait = fetch_max_wait_ms / 1000
        self._backoff = retry_backoff_ms / 1000
        self._from_start = auto_offset_reset == "earliest"
        self._topics: tuple[str, ...] = ()
        self._listener: Any = None
        self._assignment: _Assignment | None = None
        self._joining = True
        self._buffers: dict[TopicPartition, _Buffer | KafkaError] = {}
        self._member = ""
        self._generation = -1
        self._error: KafkaError | None = None
        self._error_taken: asyncio.Future[None] | None = None
        self._rejoin: asyncio.Future[None] = self._loop.create_future()
        self._closing: asyncio.Future[None] = self._loop.create_future()
        self._changed: asyncio.Future[None] | None = None  # what the fetcher may do
        self._arrived: asyncio.Future[None] | None = None  # something to give away
        self._assigned: list[asyncio.Future[None]] = []
        self._tasks: list[asyncio.Task[None]] = []  # the first one fetches
        self._closed = False
        self._fetcher = SimpleNamespace(_records={})  # what it gives is bare anyway

    # Its life --------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        await self._retried("metadata", lambda: None)
        self._tasks = [self._loop.create_task(self._fetching())]

    async def stop(self) -> None:
        if self._closed:
            return
        self._closed = True
        _notify(self._closing)
        for task in self._tasks[1:]:
            await asyncio.wait([task])
        if self._group is not None and self._instance is None and self._generation > 0:
            with contextlib.suppress(KafkaError):
                await self._ask("leave", self._broker.leave, self._group, self._member)
        for task in self._tasks[:1]:
            task.cancel()
            await asyncio.wait([task])

    async def _ask(self, name: str, do: Callable[..., object], *args: object) -> Any:
        return await self._broker.ask(name, do, *args, timeout=self._timeout)

    async def _retried(self, name: str, do: Callable[..., object], *args: object) -> Any:
        while True:
            try:
                return await self._ask(name, do, *args)
            except KafkaError as error:
                if not error.retriable:
                    raise
                await clock.wait(self._backoff)

    # What it reads, and where ----------------------------------------------------------------------------------------

    def subscribe(self, topics: Sequence[str], listener: Any = None) -> None:
        self._topics = tuple(topics)
        self._listener = listener
        self._tasks.append(self._loop.create_task(self._coordinating()))

    def assign(self, partitions: Sequence[TopicPartition]) -> None:
        self._assign(partitions)

    def _assign(self, partitions: Sequence[TopicPartition]) -> None:
        if self._assignment is not None:
            _notify(self._assignment.left)
        self._assignment = _Assignment(partitions, self._loop)
        self._joining = False
        waiting, self._assigned = self._assigned, []
        for waiter in waiting:
            _notify(waiter)
        _notify(self._changed)

    def assignment(self) -> set[TopicPartition]:
        return set() if self._assignment is None else set(self._assignment.states)

    def _state(self, target: TopicPartition) -> _Partition:
        if self._assignment is None or target not in self._assignment.states:
            raise IllegalStateError(f"No current assignment for partition {target}")
        return self._assignment.states[target]

    def seek(self, target: TopicPartition, offset: int) -> None:
        self._state(target).position = offset
        self._buffers.pop(target, None)
        _notify(self._changed)

    def pause(self, *targets: TopicPartition) -> None:
        for target in targets:
            self._state(target).paused = True

    def resume(self, *targets: TopicPartition) -> None:
        for target in targets:
            self._state(target).paused = False
        _notify(self._changed)

    def paused(self) -> set[TopicPartition]:
        states = {} if self._assignment is None else self._assignment.states
        return {target for target, state in states.items() if state.paused}

    async def position(self, target: TopicPartition) -> int:
        while (position := self._state(target).position) is None:
            await clock.wait(self._backoff)
        return position

    def _assigned_state(self, target: TopicPartition) -> _Partition:
        assert self._assignment is not None
        assert target in self._assignment.states, "Partition is not assigned"
        return self._assignment.states[target]

    def highwater(self, target: TopicPartition) -> int | None:
        return self._assigned_state(target).end

    def last_stable_offset(self, target: TopicPartition) -> int | None:
        return self._assigned_state(target).stable_end

    def last_poll_timestamp(self, target: TopicPartition) -> int | None:
        return self._assigned_state(target).stamp

    async def beginning_offsets(self, targets: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        return await self._offsets(self._broker.first_offset, list(targets))

    async def end_offsets(self, targets: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        return await self._offsets(self._broker.last_offset, list(targets))

    async def _offsets(
        self, of: Callable[[TopicPartition], int], targets: list[TopicPartition]
    ) -> dict[TopicPartition, int]:
        found: dict[TopicPartition, int] = await self._retried(
            "offsets", lambda: {target: of(target) for target in targets}
        )
        return found

    # Fetching --------------------------------------------------------------------------------------------------------

    async def _fetching(self) -> None:
        """Until it is cancelled."""
        while True:
            assignment = self._assignment
            self._changed = self._loop.create_future()
            if assignment is None:
                await self._changed
                continue
            if not assignment.active:
                self._buffers.clear()
                await self._changed
                continue
            lost = [target for target, state in assignment.states.items() if state.position is None]
            lost = [target for target in lost if target not in self._buffers]
            wanted = {
                target: state.position
                for target, state in assignment.states.items()
                if not state.paused and state.position is not None and target not in self._buffers
            }
            if lost and self._group is not None:
                await self._find_positions(assignment, lost)
            elif wanted and not self._buffers:
                await self._fetch(assignment, wanted)
            else:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._wait if wanted else None):
                        await self._changed
                if wanted and self._buffers:
                    await self._fetch(assignment, wanted)  # the others are not kept waiting for ever

    async def _fetch(self, assignment: _Assignment, wanted: dict[TopicPartition, int]) -> None:
        answer = self._broker.request(
            "fetch", lambda respond: self._broker.fetch(wanted, self._wait, respond), self._timeout
        )
        await asyncio.wait([answer, assignment.left], return_when=asyncio.FIRST_COMPLETED)
        if not assignment.active:
            answer.cancel()
            self._buffers.clear()
            return
        try:
            found: dict[TopicPartition, Fetched] = answer.result()
        except KafkaError:
            await clock.wait(self._backoff)
            return
        stamp = clock.wall() // 1000
        for target, fetched in found.items():
            state = assignment.states[target]
            if state.position != wanted[target]:
                continue
            if fetched.error is not None:
                self._put(target, fetched.error)
                continue
            state.end, state.stable_end, state.stamp = fetched.end, fetched.stable_end, stamp
            if fetched.next > wanted[target]:
                self._put(target, _Buffer(wanted[target], fetched))

    def _put(self, target: TopicPartition, found: _Buffer | KafkaError) -> None:
        self._buffers[target] = found
        _notify(self._arrived)

    async def _find_positions(self, assignment: _Assignment, targets: list[TopicPartition]) -> None:
        assert self._group is not None
        try:
            known = await self._ask("committed", dict, self._group.offsets)
        except KafkaError:
            await clock.wait(self._backoff)
            return
        for target in targets:
            state = assignment.states[target]
            if state.position is None and assignment.active:
                if target in known:
                    state.position = known[target]
                else:
                    self._put(target, NoOffsetForPartitionError(target))

    async def getmany(
        self, *, timeout_ms: int = 0, max_records: int | None = None
    ) -> dict[TopicPartition, list[Record]]:
        if self._closed:
            raise ConsumerStoppedError
        self._check_errors()
        timeout = timeout_ms / 1000
        while True:
            if self._joining and self._group is not None:
                waiter = self._loop.create_future()
                self._assigned.append(waiter)
                await waiter
            begun = clock.monotonic()
            drained = self._drain(max_records)
            if drained or not timeout:
                return drained
            self._arrived = self._loop.create_future()
            done, waiting = await asyncio.wait([self._arrived], timeout=timeout)
            if not done or self._closed:
                for waiter in waiting:
                    waiter.cancel()
                return {}
            self._arrived.result()
            timeout = max(0.0, timeout - (clock.monotonic() - begun))

    def _drain(self, most: int | None) -> dict[TopicPartition, list[Record]]:
        drained: dict[TopicPartition, list[Record]] = {}
        for target in list(self._buffers):
            buffer = self._buffers[target]
            if isinstance(buffer, KafkaError):
                if drained:
                    break
                del self._buffers[target]
                _notify(self._changed)
                raise buffer
            assert self._assignment is not None
            state = self._assignment.states.get(target)
            taken = buffer.take(state, most) if state is not None else []
            if state is None or buffer.empty or not taken:
                del self._buffers[target]
                _notify(self._changed)
            if taken:
                drained[target] = [
                    Record(
                        target.topic,
                        target.partition,
                        one.offset,
                        one.at // 1000,
                        0,
                        one.key,
                        one.value,
                        None,
                        one.headers,
                    )
                    for one in taken
                ]
                if most is not None:
                    most -= len(taken)
                    if most == 0:
                        break
        return drained

    # The group -------------------------------------------------------------------------------------------------------

    def _check_errors(self) -> None:
        if self._error_taken is not None:
            _notify(self._error_taken)
            self._error_taken = None
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    async def _tell(self, error: KafkaError) -> None:
        """An error for the user: the group waits until it was taken."""
        self._error = error
        self._error_taken = taken = self._loop.create_future()
        for waiter in [*self._assigned, *([self._arrived] if self._arrived is not None else [])]:
            if not waiter.done():
                waiter.set_exception(error)
        self._assigned.clear()
        await asyncio.wait([taken, self._closing], return_when=asyncio.FIRST_COMPLETED)

    async def _coordinating(self) -> None:
        """Join, beat, and join again when need be; until it closes."""
        assert self._group is not None
        prepared, beating = False, None
        while not self._closing.done():
            try:
                if self._joining or self._rejoin.done():
                    if not prepared:
                        await self._prepare()
                        prepared = True
                    if beating is not None:
                        beating.cancel()
                        await asyncio.wait([beating])
                        beating = None
                    joined = await self._join()
                    if joined is None:
                        continue
                    await self._joined(joined)
                    prepared = False
                    beating = self._loop.create_task(self._beating())
            except KafkaError as error:
                await self._tell(error)
                continue
            waits: list[Any] = [self._closing, self._rejoin]
            if beating is not None:
                waits.append(beating)
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            if beating is not None and beating.done() and not beating.cancelled() and beating.exception():
                # It is asked again and again: the heartbeat task stays as it failed.
                await self._tell(beating.exception())
        if beating is not None:
            beating.cancel()
            await asyncio.wait([beating])

    async def _prepare(self) -> None:
        revoked = self.assignment()
        self._joining = True
        try:
            await self._listener.on_partitions_revoked(revoked)
        except Exception as error:  # noqa: BLE001 - aiokafka only logs it
            self._broker.says(f"a listener failed: {error!r}")

    async def _join(self) -> Any:
        """What the leader gave us; None: to be tried again."""
        assert self._assignor is not None
        group, broker = self._group, self._broker
        assert group is not None
        metadata = self._assignor.metadata(frozenset(self._topics)).encode()
        member = self._member
        try:
            answer = await broker.request(
                "join",
                lambda respond: broker.join(
                    group, member, self._instance, metadata, self._session, self._rebalance, respond
                ),
                self._timeout,
            )
            self._generation, self._member, leader, members = answer
            assignment: dict[str, bytes] = {}
            if leader == self._member:
                told = {name: ConsumerProtocolMemberMetadata.decode(one) for name, one in members.items()}
                shared = self._assignor.assign(self._cluster, told)
                assignment = {name: one.encode() for name, one in shared.items()}
            self._rejoin = self._loop.create_future()
            generation, member = self._generation, self._member
            given = await broker.request(
                "sync",
                lambda respond: broker.sync(group, member, generation, assignment, respond),
                self._timeout,
            )
        except (UnknownMemberIdError, IllegalGenerationError):
            self._reset()
        except RebalanceInProgressError:
            self._ask_to_join_again()
        except KafkaError as error:
            if not error.retriable:
                raise
            self._ask_to_join_again()
            await clock.wait(self._backoff)
        else:
            return given
        return None

    @property
    def _cluster(self) -> Any:
        partitions = self._broker.partitions
        return SimpleNamespace(partitions_for_topic=lambda topic: set(range(partitions[topic])))

    async def _joined(self, given: bytes | None) -> None:
        assert self._assignor is not None
        assignment = (
            ConsumerProtocolMemberAssignment.decode(given)
            if given
            else ConsumerProtocolMemberAssignment(0, [], b"")
        )
        self._assign([TopicPartition(*target) for target in assignment.partitions()])
        self._assignor.on_assignment(assignment)
        await clock.wait(0)  # the last assignment's search for positions is ended
        assigned = self.assignment()
        self._broker.says(f"{self._loop.current} gets {sorted({target.partition for target in assigned})}")
        try:
            self._listener.on_partitions_assigned(assigned)
        except Exception as error:  # noqa: BLE001 - aiokafka only logs it
            self._broker.says(f"a listener failed: {error!r}")

    def _ask_to_join_again(self) -> None:
        _notify(self._rejoin)

    def _reset(self) -> None:
        self._generation, self._member = -1, ""
        self._ask_to_join_again()

    async def _beating(self) -> None:
        group = self._group
        assert group is not None
        pause = self._heartbeat
        while self._member:
            await clock.wait(pause)
            pause = self._heartbeat
            try:
                await self._ask(
                    "heartbeat",
                    self._broker.heartbeat,
                    group,
                    self._member,
                    self._generation,
                )
            except RebalanceInProgressError:
                self._ask_to_join_again()
            except (UnknownMemberIdError, IllegalGenerationError):
                self._reset()
            except KafkaError as error:
                if error.retriable:
                    pause = self._backoff
                    continue
                raise KafkaError(f"Unexpected exception in heartbeat task: {error!r}") from error

    async def committed(self, target: TopicPartition) -> int | None:
        assert self._group is not None
        found: int | None = await self._retried("committed", self._group.offsets.get, target)
        return found

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        assert self._group is not None
        for target in offsets:
            if target not in self.assignment():
                raise IllegalStateError(f"Partition {target} is not assigned")
        try:
            await self._retried(
                "offsets",
                self._broker.commit_offsets,
                self._group,
                self._member,
                self._generation,
                dict(offsets),
            )
        except (UnknownMemberIdError, IllegalGenerationError, RebalanceInProgressError) as error:
            raise CommitFailedError(str(error)) from error


# ------------------------------------------------------------------------------------------------------------- producers


class _Batch:
    """What `create_batch` gives, and then what is sent of it."""

    def __init__(self, most: int, loop: asyncio.AbstractEventLoop) -> None:
        self.records: list[tuple[bytes | None, bytes | None, tuple[tuple[str, bytes | None], ...]]] = []
        self.future: asyncio.Future[Any] = loop.create_future()
        self.sequence: int | None = None
        self._most = most
        self._size = 61
        self._drain_waiter: asyncio.Future[Any] = loop.create_future()

    def append(
        self,
        *,
        timestamp: int | None,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes | None]] = (),
    ) -> object | None:
        assert timestamp is None, "records are dated by who takes them"
        size = len(key or b"") + len(value or b"") + 20 + sum(len(n) + len(v or b"") for n, v in headers)
        if self.records and self._size + size > self._most:
            return None
        self._size += size
        self.records.append((key, value, tuple(headers)))
        return self

    def fail(self, error: BaseException) -> None:
        for future in (self.future, self._drain_waiter):
            if not future.done():
                future.set_exception(error)
                future.exception()


class Producer:
    """AIOKafkaProducer: transactional, or plain when it has no `transactional_id`."""

    def __init__(
        self,
        broker: Broker,
        *,
        transactional_id: str | None = None,
        transaction_timeout_ms: int = 60_000,
        max_batch_size: int = 16_384,
        retry_backoff_ms: int = 100,
        request_timeout_ms: int = 40_000,
        **_: object,
    ) -> None:
        self._broker = broker
        self._loop = broker.loop
        self._name = transactional_id
        self._transaction_timeout = transaction_timeout_ms / 1000
        self._most = max_batch_size
        self._backoff = retry_backoff_ms / 1000
        self._timeout = request_timeout_ms / 1000
        self._producer: tuple[int, int] | None = None
        self._sequences: dict[TopicPartition, int] = {}
        self._state = "new"  # ready, open, committing, aborting, fatal
        self._added: set[TopicPartition] = set()
        self._ended: asyncio.Future[None] | None = None
        self._failure: BaseException | None = None
        self._work: asyncio.Future[None] | None = None
        self._under_way: asyncio.Future[Any] | None = None
        self._connected = True
        self._ending = False
        self._closed = False
        self._sender = SimpleNamespace(sender_task=None)
        self._txn_manager = SimpleNamespace(wait_for_transaction_end=lambda: self._ended)
        self._message_accumulator = SimpleNamespace(_batches={})
        self.client = SimpleNamespace(close=self._disconnect)

    async def _ask(self, name: str, do: Callable[..., object], *args: object) -> Any:
        """Asked again until there is an answer that is not to be asked again for; for ever, if need be."""
        while True:
            if not self._connected:
                raise RequestTimedOutError
            try:
                return await self._answered(self._broker.ask(name, do, *args, timeout=self._timeout))
            except ConcurrentTransactions:
                pause = BETWEEN_TRANSACTIONS
            except KafkaError as error:
                if not error.retriable or self._ending:
                    raise
                pause = self._backoff
            await clock.wait(pause)

    async def _answered(self, answer: "asyncio.Future[Any]") -> Any:
        """Who is ended waits nevertheless for what is under way, but asks for nothing more."""
        self._under_way = answer
        while True:
            try:
                return await asyncio.shield(answer)
            except asyncio.CancelledError:
                if self._sender.sender_task is None:
                    raise
                self._ending = True

    async def start(self) -> None:
        if self._name is not None:
            self._producer = await self._ask(
                "start producer",
                self._broker.start_producer,
                self._loop.current,
                self._name,
                self._transaction_timeout,
            )
        else:
            self._producer = (await self._ask("start producer", self._broker.new_producer), 0)
        self._state = "ready"
        self._sender.sender_task = self._loop.create_task(self._sending())

    def _must_be(self, state: str, wanted: str) -> None:
        assert self._state == state, f"Invalid state transition {self._state} -> {wanted}"
        self._state = wanted

    async def begin_transaction(self) -> None:
        self._must_be("ready", "open")
        self._ended = self._loop.create_future()

    async def commit_transaction(self) -> None:
        await self._finish("committing")

    async def abort_transaction(self) -> None:
        await self._finish("aborting")

    async def _finish(self, how: str) -> None:
        self._must_be("open", how)
        _notify(self._work)
        assert self._ended is not None
        await asyncio.shield(self._ended)

    def create_batch(self) -> _Batch:
        return _Batch(self._most, self._loop)

    async def send_batch(self, batch: _Batch, topic: str, *, partition: int) -> "asyncio.Future[object]":
        if topic not in self._broker.partitions:
            await self._loop.create_future()  # aiokafka looks for it for ever
        assert partition < self._broker.partitions[topic], "Unrecognized partition"
        if self._name is not None and self._state != "open":
            raise IllegalOperation("Can't send messages while not in transaction")
        if self._failure is not None:
            raise self._failure
        target = TopicPartition(topic, partition)
        while self._message_accumulator._batches.get(target):
            await asyncio.wait([self._message_accumulator._batches[target][-1]._drain_waiter])
        self._message_accumulator._batches.setdefault(target, []).append(batch)
        _notify(self._work)
        return asyncio.shield(batch.future)

    async def send(
        self, topic: str, value: bytes | None = None, *, key: bytes | None = None, partition: int
    ) -> "asyncio.Future[object]":
        batch = self.create_batch()
        batch.append(timestamp=None, key=key, value=value)
        return await self.send_batch(batch, topic, partition=partition)

    # In the background -----------------------------------------------------------------------------------------------

    async def _sending(self) -> None:
        try:
            while not self._ending:
                batches: dict[TopicPartition, list[_Batch]] = self._message_accumulator._batches
                self._work = self._loop.create_future()
                new = [target for target in batches if target not in self._added]
                if batches and new and self._name is not None:
                    await self._add(new)
                elif batches:
                    await self._produce(batches)
                elif self._state in ("committing", "aborting"):
                    await self._end(commit=self._state == "committing")
                else:
                    await self._work
        except KafkaError as error:
            self._fail(ProducerFenced() if isinstance(error, InvalidProducerEpoch) else error)

    async def _add(self, targets: list[TopicPartition]) -> None:
        await self._ask("add partitions", self._broker.add_partitions, self._name, self._epoch, targets)
        self._added.update(targets)

    @property
    def _epoch(self) -> int:
        assert self._producer is not None
        return self._producer[1]

    async def _produce(self, batches: dict[TopicPartition, list[_Batch]]) -> None:
        """One batch of each partition, in one request."""
        assert self._producer is not None
        number, epoch = self._producer
        under_way = {target: waiting.pop(0) for target, waiting in batches.items()}
        for target in under_way:
            if not batches[target]:
                del batches[target]
        for target, batch in under_way.items():
            if batch.sequence is None:
                batch.sequence = self._sequences.get(target, 0)
                self._sequences[target] = batch.sequence + len(batch.records)
            _notify(batch._drain_waiter)
        process = self._loop.current

        def write() -> dict[TopicPartition, int | KafkaError]:
            written: dict[TopicPartition, int | KafkaError] = {}
            for target, batch in under_way.items():
                refusal = self._broker.weather.refusal()
                if refusal is not None:
                    self._broker.says(f"{target} refuses {process}: {refusal!r}")
                    written[target] = refusal
                    continue
                assert batch.sequence is not None
                try:
                    written[target] = self._broker.produce(
                        target, batch.records, self._name, (number, epoch, batch.sequence)
                    )
                except KafkaError as error:
                    written[target] = error
            return written

        while under_way:
            written = await self._ask("produce", write)
            for target, outcome in written.items():
                if not isinstance(outcome, KafkaError):
                    batch = under_way.pop(target)
                    if not batch.future.done():
                        batch.future.set_result(SimpleNamespace(offset=outcome))
                elif not outcome.retriable:
                    fenced = isinstance(outcome, InvalidProducerEpoch)
                    under_way.pop(target).fail(ProducerFenced() if fenced else outcome)
            if under_way:
                await clock.wait(self._backoff)

    async def _end(self, *, commit: bool) -> None:
        if self._added:
            await self._ask(
                "end transaction",
                lambda: self._broker.end_transaction(self._name or "", self._epoch, commit=commit),
            )
        self._added.clear()
        self._state = "ready"
        _notify(self._ended)

    def _fail(self, error: BaseException) -> None:
        self._state = "fatal"
        self._failure = error
        for waiting in self._message_accumulator._batches.values():
            for batch in waiting:
                batch.fail(error)
        if self._ended is None or self._ended.done():
            self._ended = self._loop.create_future()
        self._ended.set_exception(error)
        self._ended.exception()

    # Its end ---------------------------------------------------------------------------------------------------------

    async def flush(self) -> None:
        batches = [batch.future for some in self._message_accumulator._batches.values() for batch in some]
        if batches:
            await asyncio.wait(batches)

    async def stop(self) -> None:
        """Waits for what was sent; a second time for nothing."""
        if self._closed:
            return
        self._closed = True
        sender = self._sender.sender_task
        if sender is not None:
            flushing = self._loop.create_task(self.flush())
            await asyncio.wait([flushing, sender], return_when=asyncio.FIRST_COMPLETED)
            if not sender.done():
                sender.cancel()
                await asyncio.wait([sender])
        await self._disconnect()

    async def _disconnect(self) -> None:
        """What is under way may arrive, but nobody will hear of it."""
        self._connected = False
        if self._under_way is not None and not self._under_way.done():
            self._under_way.set_exception(RequestTimedOutError())
            self._under_way.exception()


class Admin:
    """AIOKafkaAdminClient, of which only deleting records is simulated: the topics are there from the beginning."""

    def __init__(self, broker: Broker, **_: object) -> None:
        self._broker = broker

    async def start(self) -> None:
        await self._broker.ask("metadata", lambda: None)

    async def close(self) -> None:
        pass

    async def delete_records(self, records: Mapping[TopicPartition, Any]) -> dict[TopicPartition, int]:
        return {
            target: await self._broker.ask(
                "delete records", self._broker.delete_records, target, wanted.before_offset
            )
            for target, wanted in records.items()
        }


async def _silence(_: object) -> str:
    return "nobody answers"


@contextlib.contextmanager
def in_place(broker: Broker) -> Iterator[None]:
    """Slamon's clients are these, on this broker. Its topics are as they must be, and nobody looks for others."""

    async def check(_: object) -> Layout:
        partitions = min(broker.partitions.values())
        return Layout(partitions, partitions, DEFAULT_RECORD_BYTES + DEAD_LETTER_ROOM, 7 * DAY * 1_000_000)

    def of(kind: Callable[..., Any]) -> Callable[..., Any]:
        def make(**settings: Any) -> Any:
            return kind(broker, **settings)

        return make

    with (
        mock.patch.object(source, "check", check),
        mock.patch.object(reaching, "what_is_wrong", _silence),
        mock.patch.object(clients, "AIOKafkaConsumer", of(Consumer)),
        mock.patch.object(clients, "AIOKafkaProducer", of(Producer)),
        mock.patch.object(clients, "AIOKafkaAdminClient", of(Admin)),
    ):
        yield
