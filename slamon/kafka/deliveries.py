"""Carries alerts from their topic to receivers: at least once, in order, across restarts, takeovers and long outages.

The rules:

- The owner of task p tells each receiver what stands in partition p of the alerts topic, one alert after the other. The
  topic is the queue: a receiver that is away loses nothing for as long as the topic keeps it, and holds up nobody but
  itself.
- How far a receiver was told is the offset that its own consumer group `{application}.delivery.{receiver}` has committed:
  after each alert that it took or refused for good. So a process that dies between the two repeats one alert, and no
  more, for each receiver and partition. Nobody is a member of that group; partitions are those of the tasks.
- Beside the offset stands what the receiver was told and not yet seen end (`told`). So what it was never told has no
  end for it either, whatever the routes were meanwhile; and a repetition in the topic is not told again.
- A receiver without an offset is new: it begins with what fires, and goes on from where the task began. One whose place in
  the topic is gone hears what fires and it was not told, and goes on with what is left; what it missed is counted.
- What became true, ended, and was learnt of only when it was long over is told to nobody.
- Before each request, and before each commit, it is asked whether the task is provably ours (`may_send`): a process that
  was frozen tells nothing, and moves no offset. Two owners could at worst repeat an alert: neither commits what it has
  not told.
- When a task goes away, what is under way is finished and committed, and the rest left to the next owner. At the end of
  the process what stands in the topic is told to its end, within a limit.
- Whatever Kafka does costs a new connection, and not what was remembered since.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import (
    IllegalStateError,
    KafkaError,
    OffsetMetadataTooLargeError,
    OffsetOutOfRangeError,
)
from aiokafka.structs import OffsetAndMetadata

from slamon import clock
from slamon.domain.decisions import AlertTransition, Transition
from slamon.kafka import acls, clients
from slamon.kafka.told import Told
from slamon.records import read_alert
from slamon.settings import Settings
from slamon.telling import Answer, Receiver

AT_ONCE = 500  # records of one look
WAIT = 1.0  # s of one look; what comes meanwhile ends it
RECHECK = 1.0  # s until a task that is not provably ours is asked about again
AFTER_FAILURE = 5.0  # s until Kafka is connected to again
RENEW = 3600.0  # s; a broker forgets an offset that nobody has committed for a week
LOOK_AT_END = 10.0  # s between two looks at how much waits, while a receiver does not answer

log = structlog.get_logger()


Firing = dict[str, AlertTransition]  # what fires of a task, as far as it is committed, by alert id


@dataclass(slots=True, eq=False)
class _Share:
    """One partition, as one receiver is told of it while the task is ours."""

    tp: TopicPartition
    begun: int  # all before this offset of its alerts was known to the task when it began …
    firing: Firing  # … and this fires now
    told: Told = field(default_factory=Told)
    since: dict[str, int] = field(default_factory=dict)  # alert id → when it fired, as far as seen
    position: int | None = None  # None: what was committed is not known yet
    placed: bool = False  # the position is one that the log has
    halt: asyncio.Event = field(default_factory=asyncio.Event)  # finish what is under way, then end
    end: int = 0  # of the log, as last seen
    looked_at: float = 0.0  # when that was
    committed: tuple[int, str] | None = None
    committed_at: float = 0.0

    @property
    def waiting(self) -> int:
        return 0 if self.position is None else max(0, self.end - self.position)


class Deliveries:
    """To all receivers. Its methods are called on the loop that runs `run`."""

    def __init__(
        self,
        settings: Settings,
        receivers: Iterable[Receiver],
        may_send: Callable[[int], bool],
        partitions: Callable[[], int],
    ) -> None:
        """`partitions`: how many the alerts topic has; asked once a task has begun."""
        self._limit: asyncio.Timeout | None = None
        self._stop_at: float | None = None
        self._of = [_Delivery(settings, one, may_send, partitions) for one in receivers]
        self._firing: dict[int, Firing] = {}  # by partition

    def begin(self, partition: int, offset: int, firing: Iterable[AlertTransition]) -> None:
        """The task runs here from now on: what stands before `offset` of its alerts is known to it, and these fire."""
        self._firing[partition] = {one.id: one for one in firing}
        for one in self._of:
            one.begin(partition, offset, self._firing[partition])

    def commit(self, partition: int, transitions: Iterable[AlertTransition]) -> None:
        """These transitions were committed, in this order."""
        firing = self._firing.get(partition, {})
        for one in transitions:
            held = firing.get(one.id)  # may be of a later episode than what is only sent again
            if one.transition is Transition.FIRED:
                if held is None or held.episode < one.episode:
                    firing[one.id] = one
            elif held is not None and held.episode <= one.episode:
                del firing[one.id]

    def forget(self, partition: int) -> None:
        """The task went away."""
        self._firing.pop(partition, None)
        for one in self._of:
            one.forget(partition)

    async def run(self) -> None:
        """Until `stop`; nothing that Kafka or receivers do ends it."""
        self._limit = asyncio.timeout_at(self._stop_at)
        with contextlib.suppress(TimeoutError):
            async with self._limit, asyncio.TaskGroup() as group:
                for one in self._of:
                    group.create_task(one.run(), name=f"delivery to {one.name}")
        self._limit = None  # without receivers this is over at once

    def stop(self, seconds: float) -> None:
        """Tell what stands in the topic now within so many seconds, then end `run`."""
        self._stop_at = asyncio.get_running_loop().time() + seconds
        if self._limit is not None:
            self._limit.reschedule(self._stop_at)
        for one in self._of:
            one.stop()


class _Delivery:
    """To one receiver."""

    def __init__(
        self,
        settings: Settings,
        receiver: Receiver,
        may_send: Callable[[int], bool],
        partitions: Callable[[], int],
    ) -> None:
        self.name = receiver.name
        self._settings = settings
        self._kafka = settings.kafka
        self._topic = settings.kafka.topics.alerts
        self._retention = round(settings.notifier.resolved_retention * clock.MICROSECONDS)
        self._group = acls.delivery_group(settings.application_id, receiver.name)
        self._receiver = receiver
        self._may_send = may_send
        self._partitions = partitions
        self._shares: dict[int, _Share] = {}
        self._changed = asyncio.Event()
        self._stopping = False
        self._failure: BaseException | None = None  # of this connection
        self._failures = 0  # connections since the last one that worked

    def begin(self, partition: int, offset: int, firing: Firing) -> None:
        self.forget(partition)
        self._shares[partition] = _Share(TopicPartition(self._topic, partition), offset, firing)
        self._changed.set()

    def forget(self, partition: int) -> None:
        share = self._shares.pop(partition, None)
        if share is not None:
            share.halt.set()
            self._tell_waiting()
            self._changed.set()

    def stop(self) -> None:
        self._stopping = True
        self._changed.set()
        if self._receiver.pause() > 0:
            for share in self._shares.values():
                share.halt.set()

    async def run(self) -> None:
        while True:
            while not self._shares and not self._stopping:
                self._changed.clear()
                await self._changed.wait()
            if not self._shares:
                return
            try:
                if await self._connected():
                    return
            except (KafkaError, OSError, TimeoutError, AssertionError) as error:
                self._interrupted(error)
                await clock.wait(AFTER_FAILURE)

    def _interrupted(self, error: BaseException) -> None:
        self._failures += 1
        if (words := acls.denied(error, self._settings)) is not None:
            log.error("delivery_denied", receiver=self.name, what=words)
        elif self._failures > 1:
            log.warning("delivery_interrupted", receiver=self.name, error=repr(error))
        else:
            log.info("delivery_interrupted", receiver=self.name, error=repr(error))

    async def _connected(self) -> bool:
        """By one connection, until it fails; True: until everything was told that had to be."""
        consumer = clients.offset_keeper(self._kafka, self._group, WAIT / 2)
        try:
            async with asyncio.timeout(self._kafka.commit_timeout):
                await consumer.start()
            every = [TopicPartition(self._topic, number) for number in range(self._partitions())]
            consumer.assign(every)
            consumer.pause(*every)
            for tp in every:
                consumer.seek(tp, 0)  # so that nobody asks the group for an offset
            await self._serve(consumer)
        finally:
            await clients.end(consumer.stop())
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure
        return self._stopping

    async def _serve(self, consumer: Any) -> None:
        """A worker for each share. When one fails, the others finish what they have under way."""
        working: dict[int, _Share] = {}
        async with asyncio.TaskGroup() as group:

            async def work(share: _Share) -> None:
                try:
                    await self._work(consumer, share)
                except (KafkaError, OSError, TimeoutError, AssertionError) as error:
                    self._failure = self._failure or error
                finally:
                    del working[share.tp.partition]
                    self._changed.set()

            done: set[_Share] = set()
            while True:
                self._changed.clear()
                if self._failure is not None:
                    for share in working.values():
                        share.halt.set()
                for partition, share in self._shares.items():
                    if partition not in working and share not in done and self._failure is None:
                        working[partition] = share
                        done.add(share)
                        group.create_task(work(share), name=f"delivery to {self.name} of {partition}")
                if not working and (self._failure is not None or self._stopping or not self._shares):
                    break
                await self._changed.wait()
        for share in self._shares.values():
            share.halt.clear()

    async def _work(self, consumer: Any, share: _Share) -> None:
        if not share.placed:
            await self._place(consumer, share)
        if share.told.beginning:
            await self._tell_firing(consumer, share)
        if share.halt.is_set():
            return
        tp = share.tp
        consumer.seek(tp, share.position)
        consumer.resume(tp)
        try:
            while not share.halt.is_set():
                try:
                    async with asyncio.timeout(self._kafka.commit_timeout):
                        found = await consumer.getmany(
                            tp, timeout_ms=clients.milliseconds(WAIT), max_records=AT_ONCE
                        )
                except OffsetOutOfRangeError:
                    share.placed = False
                    raise
                self._failures = 0
                records = found.get(tp, [])
                self._saw_end(share, consumer.last_stable_offset(tp) or 0)
                if records:
                    await self._take(consumer, share, records)
                else:
                    # Markers of transactions move the position, too.
                    share.position = max(share.position or 0, await consumer.position(tp))
                    await self._commit(consumer, share)
                    if self._stopping and await self._at_end(consumer, share):
                        return
        finally:
            with contextlib.suppress(IllegalStateError):  # it was closed meanwhile
                consumer.pause(tp)

    # --------------------------------------------------------------------------------------------------- where it begins

    async def _place(self, consumer: Any, share: _Share) -> None:
        """Where to go on: what was committed, if the log still has it."""
        tp = share.tp
        async with asyncio.timeout(self._kafka.commit_timeout):
            if share.position is None:
                # The consumer itself tells an offset without what stands beside it.
                known = (await consumer._coordinator.fetch_committed_offsets([tp])).get(tp)  # noqa: SLF001 - as said
                if known is not None:
                    share.position, share.told = known.offset, Told(known.metadata or "")
                    share.committed = (known.offset, known.metadata or "")
            first = (await consumer.beginning_offsets([tp]))[tp]
            end = (await consumer.end_offsets([tp]))[tp]
        share.since |= {
            one.id: one.at for one in share.firing.values() if share.told.episode(one.id) == one.episode
        }
        if share.position is None:
            log.info("receiver_begins", receiver=self.name, partition=tp.partition)
            share.position, share.told.beginning = _within(share.begun, first, end), True
        elif share.position < first:
            lost = first - share.position
            log.error("alerts_gone", receiver=self.name, partition=tp.partition, at_most=lost)
            self._receiver.lost(lost)
            share.position, share.told.beginning = first, True
        elif share.position > end:  # made anew, or cut back by an unclean election
            log.error(
                "alerts_begun_anew",
                receiver=self.name,
                partition=tp.partition,
                told=share.position,
                end=end,
            )
            share.position, share.told.beginning = _within(share.begun, first, end), True
        share.placed = True
        self._saw_end(share, end)

    async def _tell_firing(self, consumer: Any, share: _Share) -> None:
        for alert in list(share.firing.values()):
            if self._concerns(share, alert) and not await self._deliver(consumer, share, alert):
                return
        share.told.beginning = False
        await self._commit(consumer, share)

    async def _at_end(self, consumer: Any, share: _Share) -> bool:
        async with asyncio.timeout(self._kafka.commit_timeout):
            self._saw_end(share, (await consumer.end_offsets([share.tp]))[share.tp])
        return share.waiting == 0

    # ------------------------------------------------------------------------------------------------------ what is told

    async def _take(self, consumer: Any, share: _Share, records: Sequence[Any]) -> None:
        alerts = [_alert(record.value) for record in records]
        over = _over_long_ago([one for one in alerts if one is not None], share.told, self._retention)
        for record, alert in zip(records, alerts, strict=True):
            if alert is not None and (alert.id, alert.episode) not in over and self._concerns(share, alert):
                if not await self._deliver(consumer, share, alert, record.offset + 1):
                    return
            else:
                share.position = record.offset + 1
            if alert is None:
                place = {"partition": share.tp.partition, "offset": record.offset}
                log.error("alert_unreadable", receiver=self.name, **place)
                self._receiver.lost(1)
            elif alert.transition is Transition.RESOLVED:
                share.since.pop(alert.id, None)
        self._tell_waiting()

    def _concerns(self, share: _Share, alert: AlertTransition) -> bool:
        """Whether it is news to this receiver; an end that it need not hear is noted."""
        known = share.told.episode(alert.id)
        if alert.transition is Transition.FIRED:
            return known < alert.episode and self._receiver.wants(alert)
        told = known == alert.episode or (known == 0 and share.told.more and self._receiver.wants(alert))
        if told and not self._receiver.send_resolved:
            share.told.remove(alert.id)
            return False
        return told

    async def _deliver(
        self, consumer: Any, share: _Share, alert: AlertTransition, behind: int | None = None
    ) -> bool:
        """Tell it, until it is taken or refused, and commit the offset `behind` it. False: halted before.

        At the end of the process nobody is waited for: what was not taken is there for the task's next owner.
        """
        fired = alert.transition is Transition.FIRED
        since = alert.at if fired else share.since.get(alert.id)
        answer = Answer.FAILED
        while answer is Answer.FAILED:
            allowed, pause = self._may_send(share.tp.partition), self._receiver.pause()
            if self._stopping and not (allowed and pause <= 0):
                share.halt.set()
            if share.halt.is_set():
                return False
            if not allowed:
                await clients.within(share.halt, RECHECK)
            elif pause > 0:
                await clients.within(share.halt, pause)
                if clock.monotonic() >= share.looked_at + LOOK_AT_END:
                    await self._at_end(consumer, share)
            else:
                answer = await self._receiver.tell(alert, since)
        if not fired:
            share.told.remove(alert.id)
        elif answer is Answer.TAKEN:
            share.told.add(alert.id, alert.episode)
            share.since[alert.id] = alert.at
        if behind is not None:
            share.position = behind
        await self._commit(consumer, share)
        return True

    async def _commit(self, consumer: Any, share: _Share) -> None:
        """If there is anything new, or nothing was committed for long."""
        position, text = share.position or 0, share.told.written()
        now = clock.monotonic()
        if share.committed == (position, text) and now < share.committed_at + RENEW:
            return
        if not self._may_send(share.tp.partition):
            return
        async with asyncio.timeout(self._kafka.commit_timeout):
            try:
                await consumer.commit({share.tp: OffsetAndMetadata(position, text)})
            except OffsetMetadataTooLargeError:
                share.told.more = True
                await consumer.commit({share.tp: OffsetAndMetadata(position, share.told.written(8))})
        share.committed, share.committed_at = (position, text), now
        self._tell_waiting()

    # ------------------------------------------------------------------------------------------------------- how it goes

    def _saw_end(self, share: _Share, end: int) -> None:
        if end > 0:
            share.end, share.looked_at = end, clock.monotonic()
        self._tell_waiting()

    def _tell_waiting(self) -> None:
        self._receiver.waiting(sum(share.waiting for share in self._shares.values()))


def _within(offset: int, first: int, end: int) -> int:
    return min(max(offset, first), end)


def _alert(value: bytes | None) -> AlertTransition | None:
    """None: no alert transition that this release knows, whoever wrote it."""
    try:
        return read_alert(value or b"")
    except ValueError:
        return None


def _over_long_ago(alerts: Sequence[AlertTransition], told: Told, retention: int) -> set[tuple[str, int]]:
    """Id and episode of what was learnt of together with its end, and had ended more than `retention` microseconds before.

    Not of what was told: a look may end between the two, and the next begin with both once more.
    """
    fired = {(one.id, one.episode, one.detected_at) for one in alerts if one.transition is Transition.FIRED}
    return {
        (one.id, one.episode)
        for one in alerts
        if one.transition is Transition.RESOLVED
        and one.late
        and one.at < one.detected_at - retention
        and (one.id, one.episode, one.detected_at) in fired
        and told.episode(one.id) != one.episode
    }
