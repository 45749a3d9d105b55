"""The loop: takes batches from the inputs, gives them to the tasks they belong to, and follows the group's rebalances.

The rules:

- What is assigned is paused and set to offset 0 at once, and restored in the background: aiokafka sends no heartbeats
  while it waits for that callback. A task is fed from the moment it runs.
- What is polled while its task does not run is thrown away: the task will seek to where it stands.
- Between a poll and the tasks' having applied it nothing is awaited that really waits. So a task never sees half a poll,
  and the instants shown by its clocks are those of what it has applied.
- Whatever a task, a callback or the monitor raises fails the whole: the process ends and is started again. What Kafka
  does to a task only costs that task a restore.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Container, Iterator
from typing import Any

import structlog
from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import (
    IllegalStateError,
    KafkaError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)

from slamon import clock
from slamon.domain.monitor import Monitor
from slamon.kafka import acls, clients
from slamon.kafka.assignor import TaskAssignor
from slamon.kafka.bare_records import hand_over_bare_records
from slamon.kafka.clients import TaskProducer
from slamon.kafka.confirmations import confirm
from slamon.kafka.observations import Observations
from slamon.kafka.rewriting import Trimming
from slamon.kafka.tasks import Company, State, Task
from slamon.kafka.topics import Layout, Refused, check
from slamon.settings import Settings

GROUP_OFFSETS_EVERY = 10.0  # s; they are for lag tools alone
WATCH_EVERY = 1.0  # s
REVOKING = 0.7  # of the rebalance timeout: the rest is for joining again
READABLE = (State.RUNNING, State.FINISHING, State.PARKED, State.PROVING)

log = structlog.get_logger()


class Stopped(Exception):  # noqa: N818 - reads as what it says
    """Kafka gives no more records, and a new process may get some; the text says which and why."""


class Source:
    """Owns the tasks of this process. `run` it in a task group, end it by `stop`."""

    def __init__(
        self,
        settings: Settings,
        monitor_for: Callable[[int, bool], Monitor],
        observations: Observations | None = None,
    ) -> None:
        """`monitor_for`: makes the empty monitor for the customers of a partition, that keeps services by the hour or not."""
        self.tasks: dict[int, Task] = {}
        self.observations = observations if observations is not None else Observations()
        self.layout: Layout | None = None  # known once it runs
        self.last_turn = clock.monotonic()  # of the loop
        self.last_fetch = clock.monotonic()  # when an input last answered, or none was asked
        self._settings = settings
        self._kafka = settings.kafka
        self._monitor_for = monitor_for
        self._topics = (settings.kafka.topics.tickets, settings.kafka.topics.availability)
        self._consumer: Any = None
        self._company: Company | None = None
        self._group: asyncio.TaskGroup | None = None
        self._lives: dict[int, asyncio.Task[None]] = {}
        self._held: set[int] = set()  # tasks whose inputs wait for a commit
        self._ended: asyncio.Queue[tuple[TaskProducer, bool] | None] = asyncio.Queue()
        self._trimming = Trimming(settings.kafka)
        self._joined = False
        self._stopping = asyncio.Event()
        self._failed = asyncio.Event()
        self._failure: BaseException | None = None

    # ------------------------------------------------------------------------------------------- what the daemon may ask

    def running(self) -> Iterator[Task]:
        return (task for task in self.tasks.values() if task.state is State.RUNNING)

    def monitors(self) -> dict[int, Monitor]:
        """Partition → state that is good to show; during a rebalance too."""
        return {
            partition: task.monitor
            for partition, task in self.tasks.items()
            if task.monitor is not None and task.state in READABLE
        }

    @property
    def ready(self) -> bool:
        """Every task that we have runs; having none is ready too."""
        return self._joined and all(task.state in READABLE for task in self.tasks.values())

    def renew(self, partitions: Container[int]) -> None:
        """For these `monitor_for` makes another monitor from now on: their tasks go on by it, with the same facts."""
        for task in self.tasks.values():
            if task.partition in partitions:
                task.renew()

    def stop(self) -> None:
        """Finish what was begun, and let `run` return."""
        self._stopping.set()

    async def run(self) -> None:
        """Until `stop`.

        Raises:
            clients.Unreachable, topics.Refused, changelog.Unreadable, Stopped: the text says what to do. Anything
            else is a fault of ours; several things at once come as an exception group.

        """
        if not clients.uses_compiled_records():
            raise Refused("aiokafka runs without its C extension: install a wheel of it for this platform")
        self.layout = layout = await check(self._kafka)
        application = self._settings.application_id
        self._company = Company(
            self._settings,
            layout,
            self._kafka.group_instance_id or f"{socket.gethostname()}-{os.getpid()}",
            clock.wall(),
            self._monitor_for,
            self.observations,
            self._began,
            self._hold_back,
            self._group_position,
            lambda producer, in_order: self._ended.put_nowait((producer, in_order)),
            self._trimming.delete_before,
        )
        consumer = clients.group_consumer(self._kafka, application, TaskAssignor())
        await clients.start(consumer, self._kafka, self._kafka.commit_timeout)
        hand_over_bare_records(consumer)
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                self._consumer = consumer
                group.create_task(self._end_producers())
                helpers = [
                    group.create_task(self._watch()),
                    group.create_task(self._commit_group_offsets()),
                    group.create_task(self._trimming.run()),
                    group.create_task(confirm(self._kafka, application, self.running)),
                ]
                consumer.subscribe(list(self._topics), listener=_Listener(self))
                poll = group.create_task(self._poll())
                await self._stopping.wait()
                await self._finish(poll)
                for helper in helpers:
                    helper.cancel()
                self._ended.put_nowait(None)
        except BaseExceptionGroup as failures:
            raise only(failures) from failures
        finally:
            self._consumer = None
            await self._close(consumer)

    # ---------------------------------------------------------------------------------------------------------- the loop

    async def _poll(self) -> None:
        consumer = self._consumer
        timeout = clients.milliseconds(self._kafka.fetch_max_wait)
        while not self._stopping.is_set():
            try:
                batches = await consumer.getmany(timeout_ms=timeout, max_records=self._kafka.max_records)
            except OffsetOutOfRangeError as error:
                self._out_of_range(error.args[0])
                continue
            except NoOffsetForPartitionError as error:
                # Asked before our callback came; its task will seek.
                with contextlib.suppress(IllegalStateError):  # and given away again since
                    consumer.seek(error.args[0], 0)
                continue
            except KafkaError as error:
                if error.retriable:
                    log.warning("poll_failed", error=repr(error))
                    await clock.wait(0.1)
                    continue
                if (words := acls.denied(error, self._settings)) is not None:
                    raise Refused(words) from error
                raise Stopped(
                    f"the consumer can go on no more: {error!r}. If another process runs under the same "
                    "kafka.group_instance_id, give each its own"
                ) from error
            if self._stopping.is_set():
                return  # a rebalance may have moved positions that no task will seek any more
            self._feed(batches)
            await self._read_clocks()
            for task in list(self.running()):
                if task.state is not State.RUNNING:
                    continue  # it left while others were judged
                judged = task.turn()
                self._hold_or_release(task)
                if judged:  # what is judged first after a restore is everything: seconds, in each task
                    await clients.breathe()
            self.last_turn = clock.monotonic()
            if batches:
                await clients.breathe()  # with records at hand the consumer does not wait

    def _feed(self, batches: dict[TopicPartition, list[Any]]) -> None:
        wall = clock.now()
        for tp, records in batches.items():
            task = self.tasks.get(tp.partition)
            if task is not None and task.state is State.RUNNING:
                task.take(tp.topic, records, wall)

    async def _read_clocks(self) -> None:
        """How far each input was read, and where its log ended when. Does not really wait."""
        consumer = self._consumer
        for task in self.running():
            for tp in task.inputs:
                with contextlib.suppress(IllegalStateError, AssertionError):  # a rebalance has begun
                    answered = consumer.last_poll_timestamp(tp)
                    if answered is None:
                        continue
                    end = consumer.last_stable_offset(tp)
                    one = task.clocks[tp.topic]
                    one.saw(consumer.highwater(tp) if end is None or end < 0 else end, answered * 1000)
                    one.applied(await consumer.position(tp))

    def _hold_or_release(self, task: Task) -> None:
        """Inputs wait while too much of what they led to waits for a commit."""
        held = task.partition in self._held
        if task.full and not held:
            self._hold_back(task)
            self._held.add(task.partition)
        elif held and not task.full:
            self._held.discard(task.partition)
            self._assigned_only(self._consumer.resume, task)

    def _out_of_range(self, offsets: dict[TopicPartition, int]) -> None:
        """The log was trimmed beyond what we have read: the task's restore will see how far."""
        for tp in offsets:
            task = self.tasks.get(tp.partition)
            if task is not None and task.state is State.RUNNING:
                task.fall_behind(tp.topic)
            else:
                with contextlib.suppress(IllegalStateError):  # given away since it was asked
                    self._consumer.pause(tp)

    # ------------------------------------------------------------------------------------------------ what tasks ask for

    def _began(self, task: Task) -> None:
        if self._stopping.is_set():
            return  # nobody polls any more, and its inputs may be assigned to somebody else
        for tp in task.inputs:
            self._consumer.seek(tp, task.clocks[tp.topic].position)
        self._held.discard(task.partition)
        self._consumer.resume(*task.inputs)
        self.last_fetch = clock.monotonic()

    def _hold_back(self, task: Task) -> None:
        self._assigned_only(self._consumer.pause, task)

    def _assigned_only(self, do: Callable[..., None], task: Task) -> None:
        if self._consumer is not None:
            assigned = self._consumer.assignment()
            do(*(tp for tp in task.inputs if tp in assigned))

    async def _group_position(self, tp: TopicPartition) -> int | None:
        position: int | None = await self._consumer.committed(tp)
        return position

    # --------------------------------------------------------------------------------------------------------- rebalances

    def assigned(self, partitions: set[TopicPartition]) -> None:
        assert self._group is not None
        assert self._company is not None
        consumer = self._consumer
        consumer.pause(*partitions)
        for tp in partitions:
            consumer.seek(tp, 0)  # so that nobody asks the group for an offset
        if self._stopping.is_set():
            return
        ours = {tp.partition for tp in partitions}
        for partition in sorted(ours):
            whole = {TopicPartition(topic, partition) for topic in self._topics} <= partitions
            if not whole or partition >= self._company.layout.partitions:
                raise Refused(
                    f"the inputs now have other numbers of partitions than {self._kafka.topics.changelog} "
                    f"({self._company.layout.partitions}): stop all pods and make them equal"
                )
        self._joined = True
        for partition in [one for one in self.tasks if one not in ours]:
            self.tasks.pop(partition).close()
        for partition in sorted(ours):
            task = self.tasks.get(partition)
            if task is None:
                task = self.tasks[partition] = Task(partition, self._company)
            life = task.live()
            try:
                self._lives[partition] = self._group.create_task(life, name=f"task-{partition}")
            except RuntimeError:  # everything is ending
                life.close()
                raise
        log.info("tasks_assigned", partitions=sorted(ours))

    async def revoked(self, partitions: set[TopicPartition]) -> None:
        if partitions:
            log.info("tasks_revoked", partitions=sorted({tp.partition for tp in partitions}))
        if not self._stopping.is_set():  # else they part already
            await self._part(self._kafka.rebalance_timeout * REVOKING)

    async def _part(self, seconds: float) -> None:
        """All tasks finish within the time or are dropped; those that stay in `tasks` are parked."""
        lives, self._lives = self._lives, {}
        for partition, life in lives.items():
            if not self.tasks[partition].leave():
                life.cancel()
        if lives:
            _, late = await asyncio.wait(lives.values(), timeout=seconds)
            for life in late:
                life.cancel()
            if late:
                await asyncio.wait(late, timeout=clients.CLOSING)
        for partition in lives:
            task = self.tasks[partition]
            if task.state is not State.PARKED:
                del self.tasks[partition]
                if task.state is not State.CLOSED:
                    task.close()  # cancelled before it could begin

    def fail(self, error: BaseException) -> None:
        """From a callback: aiokafka would only log it."""
        if self._failure is None:
            self._failure = error
        self._failed.set()

    # ------------------------------------------------------------------------------------------------------------ helpers

    async def _watch(self) -> None:
        """Fail when a callback did, or when no input has answered for too long: aiokafka never looks for new brokers."""
        answered: dict[TopicPartition, int | None] = {}
        while not await clients.within(self._failed, WATCH_EVERY):
            paused = self._consumer.paused()
            asked = self._consumer.assignment() - paused
            latest = {tp: self._consumer.last_poll_timestamp(tp) for tp in asked}
            if not asked or any(at != answered.get(tp) for tp, at in latest.items()):
                self.last_fetch = clock.monotonic()
            answered = latest
            if clock.monotonic() - self.last_fetch > self._kafka.poll_stall:
                raise Stopped(
                    f"no input has answered for {self._kafka.poll_stall:g} s (kafka.poll_stall): are the brokers at "
                    f"{self._kafka.bootstrap_servers} up?"
                )
        assert self._failure is not None
        raise self._failure

    async def _commit_group_offsets(self) -> None:
        while True:
            await clock.wait(GROUP_OFFSETS_EVERY)
            offsets = {
                TopicPartition(topic, task.partition): offset
                for task in self.running()
                for topic, offset in task.committed.items()
            }
            if offsets:
                with contextlib.suppress(KafkaError, TimeoutError):
                    async with asyncio.timeout(GROUP_OFFSETS_EVERY):
                        await self._consumer.commit(offsets)

    async def _end_producers(self) -> None:
        async with asyncio.TaskGroup() as group:
            while (ended := await self._ended.get()) is not None:
                group.create_task(self._end_producer(*ended))

    async def _end_producer(self, producer: TaskProducer, in_order: bool) -> None:
        if not await (producer.close() if in_order else producer.abandon()):
            self.observations.figures.producers_abandoned += 1
            log.warning("producer_abandoned")

    async def _finish(self, poll: "asyncio.Task[None]") -> None:
        """No more batches, then the last commits."""
        budget = self._settings.shutdown_timeout
        _, late = await asyncio.wait([poll], timeout=min(1.0, budget / 10))
        if late:
            poll.cancel()  # it waits for a rebalance
        await self._part(budget / 2)

    async def _close(self, consumer: Any) -> None:
        """The group is left only now, so that nobody takes a task before its last commit."""
        budget = self._settings.shutdown_timeout
        await clients.end(consumer.stop(), budget / 5)
        for task in self.tasks.values():
            if task.state is not State.CLOSED:
                task.close()
        self.tasks.clear()
        self._ended.put_nowait(None)
        await self._end_producers()


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # - aiokafka ships no types
    def __init__(self, source: Source) -> None:
        self._source = source

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        try:
            await self._source.revoked(revoked)
        except Exception as error:  # noqa: BLE001 - aiokafka would log it and go on
            self._source.fail(error)

    def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        try:
            self._source.assigned(assigned)
        except Exception as error:  # noqa: BLE001 - aiokafka would log it and go on
            self._source.fail(error)


def only(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """What people must see, if all failures are one: what is refused to one task is refused to all."""
    first, *others = _single(failures)
    if all((type(other), str(other)) == (type(first), str(first)) for other in others):
        return first
    return failures


def _single(failure: BaseException) -> Iterator[BaseException]:
    if isinstance(failure, BaseExceptionGroup):
        for each in failure.exceptions:
            yield from _single(each)
    else:
        yield failure
