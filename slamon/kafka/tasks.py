"""One task: partition p of every input, its state in memory, and the only producer that may write on its behalf.

The rules:

- Who starts the producer of `{application}-{p}` owns the task: that fences whoever had it before. What is written
  without the newest producer never becomes visible.
- The input positions stand in the changelog, in the transaction of the state that they led to. Nothing else says where
  to go on.
- Memory runs ahead of the last commit, by what was applied since. After a commit of unknown outcome memory is worth
  nothing: drop it and the producer, read back what stands.
- A transaction is atomic across topics only while not too much fails at once. So alerts are numbered and looked for after
  a restore (`alert_numbers`); standings and statements are upserts: they are written again.
- Batches are applied between two awaits, and a commit takes what there is between two awaits: so no lock is needed. A
  failure shows in the task's state before anybody else runs.
- When agreements change, a successor of the monitor is filled beside it, while it goes on: what it holds is copied, what it
  learns or says meanwhile is handed on with every gathering. The successor takes over between two awaits, when the clock
  moves next; so it never judges the middle of a backlog.
"""

import asyncio
import contextlib
import enum
import secrets
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import IllegalOperation, ProducerFenced

from slamon import clock
from slamon.codec import Rejected, RejectReason, decode, format_instant
from slamon.domain.decisions import AlertTransition, FactKey, FactKind, FactsChanged
from slamon.domain.events import Event, ExclusionEvent, Taken, TicketEvent
from slamon.domain.monitor import Monitor
from slamon.kafka import acls, changelog, clients, formats, restore
from slamon.kafka.alert_numbers import AlertNumbers
from slamon.kafka.bare_records import whole_record
from slamon.kafka.changelog import Gap, Owner, Positions, Reading
from slamon.kafka.clients import Outgoing, TaskProducer
from slamon.kafka.dead_letter_limits import Allowance
from slamon.kafka.dead_letters import Place, dead_letter, size, tally
from slamon.kafka.delay import Delay, DelayMemory
from slamon.kafka.formats import NEWEST
from slamon.kafka.input_clock import InputClock
from slamon.kafka.observations import Committed, Observations, Proved, Restored
from slamon.kafka.partitioner import partition_for
from slamon.kafka.pending import Pending
from slamon.kafka.rewriting import ChangelogLength
from slamon.kafka.topics import Layout, Refused
from slamon.settings import Settings

ALERT_SPACING = (
    0.1  # s between commits that alerts ask for; a commit too soon after another waits 20 ms in the client
)
CLOCK_AHEAD = 5_000_000  # microseconds that a predecessor's clock may have been ahead of ours
RECORDS_AT_ONCE = (
    100_000  # of the inputs, applied and not yet committed, before the inputs wait for the commit
)
CHANGES_AT_ONCE = (
    20_000  # the same in records to be written: a commit of so many takes some tenths of a second
)
LETTER_BYTES_AT_ONCE = 32 << 20  # the same in bytes of dead letters, each of which may be a megabyte
HOMES_KEPT = (
    10_000  # customers that are known to belong here; of those without an agreement there may be any number
)
NAME_BYTES = 1024  # of a customer, a subject, an id: they become keys, and keys are kept for long
GAPS_KEPT = 20
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 15.0  # s between two attempts to restore
PROMPT = 2  # times the broker's longest wait, within which an input answers while all is well
WITHOUT_PAUSE = 1000  # events taken back in one go, a few ms

log = structlog.get_logger()


class State(enum.Enum):
    RESTORING = "restoring"
    RUNNING = "running"
    FINISHING = "finishing"  # revoked; takes nothing more, the last commit is under way
    PARKED = "parked"  # everything is committed; memory is kept, should the task come back
    PROVING = "proving"  # it came back: was it somebody else's meanwhile?
    FAILED = "failed"  # memory and producer are dropped; a restore will be tried again
    CLOSED = "closed"


MOVES: dict[State, tuple[State, ...]] = {
    State.RESTORING: (State.RUNNING, State.FAILED, State.CLOSED),
    State.RUNNING: (State.FINISHING, State.FAILED, State.CLOSED),
    State.FINISHING: (State.PARKED, State.FAILED, State.CLOSED),
    State.PARKED: (State.PROVING, State.CLOSED),
    State.PROVING: (State.RUNNING, State.FAILED, State.CLOSED),
    State.FAILED: (State.RESTORING, State.CLOSED),
    State.CLOSED: (),
}


class Lost(Exception):  # noqa: N818 - reads as what it says
    """What the task holds may not be what stands; it must be read back."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)
        self.kind = type(error).__name__
        # A producer that was fenced fails its later calls by assertion.
        self.fenced = isinstance(error, ProducerFenced | IllegalOperation | AssertionError)


class ClockBehind(Exception):  # noqa: N818 - reads as what it says
    """Our clock is behind that of the task's predecessor."""


@dataclass(frozen=True, slots=True)
class Company:
    """What all tasks of a process share."""

    settings: Settings
    layout: Layout
    instance: str  # a name of this process, or of the pod that it is the newest process of
    started: int  # when this process began
    monitor_for: Callable[[int, bool], Monitor]  # of a partition; whether it keeps services by the hour
    observations: Observations
    began: Callable[["Task"], None]  # it runs: feed it from its positions on
    failed: Callable[["Task"], None]  # it runs no more: feed it nothing
    group_position: Callable[[TopicPartition], Awaitable[int | None]]
    discard: Callable[[TaskProducer, bool], None]  # end this producer; True: in good order
    delete_before: Callable[[int, int], None]  # of a partition of the changelog, what lies before an offset


class Task:
    """Lives from its assignment to its end by `live`; the source feeds it, and asks it to leave."""

    def __init__(self, partition: int, company: Company) -> None:
        kafka = company.settings.kafka
        self.partition = partition
        self.topics = (kafka.topics.tickets, kafka.topics.availability)
        self.inputs = [TopicPartition(topic, partition) for topic in self.topics]
        self.state = State.RESTORING
        self.failure: str | None = None  # why it last failed, until it runs again
        self.monitor: Monitor | None = None  # set while memory is good
        self.clocks: dict[str, InputClock] = {}
        self.judged = False  # its verdicts are of all facts that were applied up to `now`
        self.now = 0  # the instant up to which everything has been applied
        self.committed: dict[str, int] = {}  # topic → position that stands in the changelog
        self.proved_at: float | None = None  # monotonic; see `Committed`
        self.alerts = AlertNumbers()
        self._delay = Delay(
            company.settings.application_id, partition, round(kafka.delay_limit * clock.MICROSECONDS)
        )
        self._applied_to = (
            clock.wall()
        )  # like `now`, but by the wall clock; before it is known, since when we try
        self._company = company
        self._kafka = kafka
        self._names = kafka.topics
        self._producer: TaskProducer | None = None
        self._pending = Pending()
        self._outdated = False  # the monitor judges by agreements that are no longer the newest
        self._successor: Monitor | None = None  # the one that will, being filled or waiting for the clock
        self._copied = False  # all that the monitor held when the successor was begun
        self._unjudged = False  # events were applied since the monitor's clock was last moved
        self._parts: dict[FactKey, int] = {}  # of facts with more than one
        self._format = NEWEST
        self._length = ChangelogLength()
        self._nonce = b""  # of our owner record
        self._told: AlertTransition | None = None  # of the delay, while it cannot be committed
        self._gaps: tuple[Gap, ...] = ()
        self._homes: set[str] = set()  # customers that belong here, some of them
        self._letters = Allowance(kafka.dead_letter_records, kafka.dead_letter_bytes)
        self._last_commit = 0.0
        self._waits_until = 0.0
        self._leaving = False
        self._lost: Lost | None = None
        self._wake = asyncio.Event()

    # ------------------------------------------------------------------------------------------------- fed by the source

    def take(self, topic: str, records: Sequence[Any], wall: int) -> None:
        """Apply a batch of bare records of an input. `wall`: the wall clock, to know events from the future by."""
        assert self.monitor is not None
        apply, homes = self.monitor.apply, self._homes
        events, other = self._pending.events, self._pending.taken
        record = None
        try:
            for record in records:
                event = decode(record.value, record.headers, now=wall)
                if isinstance(event, Rejected):
                    self._reject(topic, record, event, wall)
                    continue
                customer = event.customer
                if (customer is not None and customer not in homes) or len(record.value) > NAME_BYTES:
                    refused = self._out_of_place(event)
                    if refused is not None:
                        self._reject(topic, record, refused, wall)
                        continue
                taken = apply(event)
                if taken is not Taken.ACCEPTED:  # what nearly all are is not worth counting
                    refused = self._turned_away(event, taken)
                    if refused is not None:
                        self._reject(topic, record, refused, wall)
                        continue
                    other[taken] += 1
                events[type(event)] += 1
        except Exception as error:
            if record is not None:
                error.add_note(f"while applying {topic} partition {self.partition} offset {record.offset}")
            raise
        self._pending.records += len(records)
        self._pending.moved = True
        self._unjudged = True

    def _out_of_place(self, event: Event) -> Rejected | None:
        for name, word in (("customer", event.customer), ("id", event.id), ("subject", _subject(event))):
            length = len((word or "").encode(errors="surrogatepass"))
            if length > NAME_BYTES:
                return Rejected(
                    RejectReason.TOO_LARGE, f"{name}: {length} bytes, a name may have {NAME_BYTES}"
                )
        if event.customer is None or event.customer in self._homes:
            return None
        key = event.customer.encode(errors="surrogatepass")
        home = partition_for(key, self._company.layout.partitions, self._kafka.partitioner)
        if home != self.partition:
            return Rejected(
                RejectReason.WRONG_PARTITION,
                f"customer {event.customer!r} belongs in partition {home} by {self._kafka.partitioner}: "
                "produce with the customer as key, and the partitioner that slamon is set to",
            )
        self._remember_home(event.customer)
        return None

    def _remember_home(self, customer: str) -> None:
        if len(self._homes) >= HOMES_KEPT:
            self._homes.clear()  # in place: a batch that is being applied looks there, too
        self._homes.add(customer)

    def _turned_away(self, event: Event, taken: Taken) -> Rejected | None:
        """What the monitor does not take, but people may want to see."""
        assert self.monitor is not None
        if taken is Taken.TOO_LATE:
            horizon = format_instant(self.monitor.horizon())
            return Rejected(
                RejectReason.TOO_LATE,
                f"it speaks of a time before {horizon}, of which no facts are kept any more: see facts.keep in the settings",
            )
        if taken is Taken.SUBJECT_TOO_LARGE:
            return Rejected(
                RejectReason.SUBJECT_TOO_LARGE,
                f"of {_subject(event)!r} as many events are kept as facts.subject_limit in the settings allows",
            )
        return None

    def _reject(self, topic: str, record: Any, rejected: Rejected, wall: int) -> None:
        self._pending.rejected[rejected.reason] += 1
        if not self._letters.allows(wall):
            self._pending.tally(topic, rejected.reason, record.offset)
            if self._letters.refuse():
                log.warning(
                    "dead_letters_limited",
                    topic=topic,
                    partition=self.partition,
                    reason=rejected.reason.value,
                )
            return
        layout = self._company.layout
        letter = dead_letter(
            whole_record(TopicPartition(topic, self.partition), record),
            rejected,
            application=self._company.settings.application_id,
            topic=self._names.dead_letters,
            partition=self.partition % layout.dead_letter_partitions,
            limit=layout.dead_letter_bytes,
        )
        self._pending.dead_letters.append(letter)
        self._pending.letter_bytes += size(letter)
        self._letters.spend(size(letter))

    def _tallies(self, pending: Pending) -> list[Outgoing]:
        return [
            tally(
                Place(topic, self.partition, of.first),
                reason,
                of,
                application=self._company.settings.application_id,
                topic=self._names.dead_letters,
                partition=self.partition % self._company.layout.dead_letter_partitions,
            )
            for (topic, reason), of in pending.tallies.items()
        ]

    def turn(self) -> Iterator[None]:
        """Once after every poll, when the clocks of its inputs are up to date: time may have passed.

        With breaks for others, in which the task may end: nothing may be taken before all is done.
        """
        assert self.monitor is not None
        shown = [one.shows for one in self.clocks.values()]
        known = [at for at in shown if at is not None]
        whole = len(known) == len(shown)
        latest = clock.judged_at(min(known)) if whole else 0
        if whole:
            self._applied_to = min(known)
        if latest > self.now:
            self.now = latest
            if self._copied:
                self._succeed()
            due = self.monitor.wake_at()
            if self._unjudged or (due is not None and due <= latest):
                with contextlib.closing(self.monitor.advancing(latest)) as steps:
                    self.judged = False
                    for _ in steps:
                        yield
                        if self.state is not State.RUNNING:
                            return
                    self.judged = True
                self._unjudged = False
                self._gather()
        self._announce(self._delay.judge(self._applied_to, clock.wall(), clock.monotonic()))
        if self._next_commit() < self._waits_until:
            self._wake.set()

    def firing(self) -> Iterator[AlertTransition]:
        """The alerts that fire, each as it was announced."""
        assert self.monitor is not None
        yield from self.monitor.firing()
        if self._delay.memory.firing is not None:
            yield self._delay.memory.firing

    def _announce(self, transition: AlertTransition | None) -> None:
        """What is about the task itself, and not decided by the monitor."""
        if transition is not None:
            self._pending.alerts.append(self.alerts.announce(transition))

    def _gather(self) -> None:
        assert self.monitor is not None
        decided = self.monitor.drain()
        self._pending.note(decided, self.alerts.announce)
        if self._successor is not None:
            for decision in decided:
                if isinstance(decision, FactsChanged):
                    self._successor.restore(decision.key, decision.facts)

    @property
    def full(self) -> bool:
        """So much waits for a commit that its inputs must wait too."""
        pending = self._pending
        return (
            pending.records >= RECORDS_AT_ONCE
            or pending.size >= CHANGES_AT_ONCE
            or pending.letter_bytes >= LETTER_BYTES_AT_ONCE
        )

    @property
    def lag(self) -> dict[str, int | None]:
        """Topic → records still to come, as last seen."""
        return {topic: one.lag for topic, one in self.clocks.items()}

    # ---------------------------------------------------------------------------------------------------------- its life

    def leave(self) -> bool:
        """The task is revoked. Whether it still has something to finish; if not, it may be cancelled."""
        self._leaving = True
        self._wake.set()
        if self.state is State.RUNNING:
            self._enter(State.FINISHING)
        return self.state is State.FINISHING

    def renew(self) -> None:
        """The agreements of its customers have changed: soon it goes on by the new ones, with the same facts."""
        self._outdated = True
        self._wake.set()

    def fall_behind(self, topic: str) -> None:
        """What it was to read next of an input is there no more; a restore will see how much that is."""
        self._lost = Lost(restore.FellBehind(f"{topic} no longer holds what comes next"))
        self._company.failed(self)
        self._wake.set()

    async def live(self) -> None:
        """Until it has left: then it is PARKED, or CLOSED when there is nothing worth keeping.

        Raises Refused and changelog.Unreadable when people must act, and whatever the monitor raises.
        """
        self._leaving = False
        self._company.observations.entered(self.partition, self.state.value)
        attempts = 0
        try:
            while True:
                try:
                    await self._get_ready()
                    attempts = 0
                    await self._serve()
                    self._enter(State.PARKED)
                except Lost as lost:
                    if (words := acls.denied(lost.__cause__, self._company.settings)) is not None:
                        raise Refused(words) from lost
                    attempts += 1
                    self._lose(lost)
                    if not self._leaving:
                        await self._pause(attempts, fenced=lost.fenced)
                        self._enter(State.RESTORING)
                if self._leaving:
                    return
        finally:
            if self.state not in (State.PARKED, State.CLOSED):
                self.close()

    def close(self) -> None:
        """Let everything go; what was not committed is the next owner's."""
        in_order = self.state is State.PARKED
        self._enter(State.CLOSED)
        self._forget(in_order=in_order)

    async def _get_ready(self) -> None:
        if self.state is State.PARKED:
            self._enter(State.PROVING)
            self._nonce = secrets.token_bytes(16)
            await self._commit([self._owner()])
        else:
            await self._restore()
        current = asyncio.current_task()
        if current is not None and current.cancelling():
            raise asyncio.CancelledError  # somebody below swallowed it
        self._enter(State.RUNNING)
        self.failure = self._lost = None
        # Tasks that begin together must not go on committing together: that is slow for all.
        self._last_commit = clock.monotonic() - self._kafka.commit_interval * (self.partition * 0.618 % 1)
        self._company.began(self)

    async def _serve(self) -> None:
        while not self._leaving:
            if self._outdated:
                await self._copy()
            else:
                self._waits_until = self._next_commit()
                rest = self._waits_until - clock.monotonic()
                if rest > 0:
                    self._wake.clear()
                    await clients.within(self._wake, rest)
                else:
                    await self._commit_pending()
            if self._lost is not None:
                raise self._lost
        if self._pending.anything:
            await self._commit_pending()

    async def _copy(self) -> None:
        """Fill a successor; commits go on. Given up if it has to leave, or if the agreements have changed once more."""
        assert self.monitor is not None
        self._outdated = self._copied = False
        self._successor = successor = self._new_monitor()
        for portion in restore.in_portions(self.monitor.facts(), WITHOUT_PAUSE):
            for key, facts in portion:
                successor.restore(key, facts)
            await clients.breathe()
            if self._leaving or self._outdated or self._lost is not None:
                self._successor, self._outdated = None, True
                return
            if self._next_commit() <= clock.monotonic():
                await self._commit_pending()
        self._copied = True

    def _succeed(self) -> None:
        """The successor takes over with all that is known and was said; what it makes of it is still to be judged."""
        assert self.monitor is not None
        assert self.monitor.now is not None
        assert self._successor is not None
        self._gather()
        self._successor.start(self.monitor.now)
        self.monitor, self._successor, self._copied = self._successor, None, False
        self._unjudged, self.judged = True, False
        log.info("task_renewed", partition=self.partition)

    def _next_commit(self) -> float:
        """When, by the monotonic clock. An idle task commits too: that proves that it is still ours."""
        if self._pending.urgent or self.full:
            return self._last_commit + min(ALERT_SPACING, self._kafka.commit_interval)
        proof = self._kafka.session_timeout / 4
        anything = self._pending.anything or self._length.under_way
        return self._last_commit + (min(self._kafka.commit_interval, proof) if anything else proof)

    def _lose(self, lost: Lost) -> None:
        was = self.state
        self._enter(State.FAILED)
        self._forget(in_order=False)
        self.failure = str(lost)
        figures = self._company.observations.figures
        counted = figures.tasks_lost if was in (State.RUNNING, State.FINISHING) else figures.restores_failed
        counted[lost.kind] += 1
        log.warning("task_failed", partition=self.partition, state=was.value, error=str(lost))
        self._company.failed(self)

    def _forget(self, *, in_order: bool) -> None:
        producer, self._producer = self._producer, None
        self.monitor = self._successor = None
        self._copied = False
        self.proved_at = None
        self.clocks = {}
        self._pending = Pending()
        self.alerts = AlertNumbers()
        if producer is not None:
            self._company.discard(producer, in_order)

    async def _pause(self, attempts: int, *, fenced: bool) -> None:
        pause = min(FIRST_PAUSE * 2 ** (attempts - 1), LONGEST_PAUSE)
        if fenced:
            # Another owner has it, and we are about to hear: a restore now would only take it from them once more.
            pause = max(pause, 1.5 * self._kafka.heartbeat_interval)
        await clock.wait(pause)

    def _enter(self, state: State) -> None:
        assert state in MOVES[self.state], f"a task does not go from {self.state} to {state}"
        self.state = state
        self._company.observations.entered(self.partition, state.value)

    # ------------------------------------------------------------------------------------------------------------ commits

    async def _commit_pending(self) -> None:
        self._gather()
        pending, self._pending = self._pending, Pending()
        positions = self._positions()
        owner = self._rewrite(pending)
        assert self.monitor is not None
        kept = pending.for_changelog(
            positions, self.alerts.take_seen(), self._parts, self._format, self.monitor.upshot
        )
        seconds, begun, offset = await self._commit(
            [
                *owner,
                *(Outgoing(self._names.changelog, self.partition, *record) for record in kept),
                *pending.for_readers(self._names, self.partition),
                *self._tallies(pending),
            ]
        )
        self.committed = positions.inputs
        self._length.committed(pending.facts, len(owner) + len(kept), offset)
        deletable = self._length.deletable(self.alerts.oldest_awaited)
        if deletable is not None:
            self._company.delete_before(self.partition, deletable)
        pending.count_into(self._company.observations.figures)
        alerts = (*pending.alerts_again, *pending.alerts)
        self._company.observations.committed(
            Committed(self.partition, clock.now(), seconds, pending.records, begun, alerts)
        )

    def _rewrite(self, pending: Pending) -> list[Outgoing]:
        """Put what is due of a rewrite into this commit; the owner once more if that is the end of it."""
        assert self.monitor is not None
        last = self._length.add_slice(
            pending.facts,
            self.monitor,
            more_parts=sum(self._parts.values()) - len(self._parts),
            announced=self.alerts.newest,
        )
        return [self._owner()] if last else []

    async def _commit(self, records: Sequence[Outgoing]) -> tuple[float, float, int]:
        """Seconds it took, when it began, and the offset at which the changelog goes on with it. Raises Lost."""
        assert self._producer is not None
        begun = clock.monotonic()
        try:
            placed = await self._producer.commit(records, self._kafka.commit_timeout)
        except Exception as error:
            raise Lost(error) from error
        self._last_commit = clock.monotonic()
        self.proved_at = begun
        return self._last_commit - begun, begun, placed[self._names.changelog, self.partition]

    def _positions(self) -> Positions:
        inputs = {topic: one.position for topic, one in self.clocks.items()}
        alerts, delay = self.alerts, self._delay.memory
        return Positions(inputs, self.now, alerts.newest, alerts.seen_to, self._gaps, alerts.orphans, delay)

    def _owner(self) -> Outgoing:
        owner = Owner(self._nonce, self._company.instance, self._company.started)
        record = changelog.owner_record(owner)
        return Outgoing(self._names.changelog, self.partition, *record)

    # ------------------------------------------------------------------------------------------------------------ restore

    async def _restore(self) -> None:
        begun = clock.monotonic()
        try:
            found = await self._read_back()
        except Exception as error:
            if not restore.is_transient(error):
                raise
            raise Lost(error) from error
        reading = found.reading
        self._check_owner(reading)
        self._check_clock(reading.positions)
        self._format = formats.to_write(self._company.settings.format, reading.format)
        self._length = ChangelogLength(
            reading.records,
            reading.in_other_formats(self._format),
            upshots=self._format >= formats.WITH_UPSHOTS,
        )
        monitor, facts = await self._rebuild(reading)
        for gap in self._place(reading.positions, found.inputs):
            monitor.lose_sight(f"{gap.topic}/{self.partition}/{gap.start}", self.now)
        self._settle_alerts(found)
        delay = reading.positions.delay if reading.positions is not None else DelayMemory()
        self._announce(self._delay.restore(delay))
        if self.now:
            self._applied_to = self.now
        self._issue_again(reading)
        self._pending.moved = True  # the first commit records where it starts from
        self._unjudged = True
        self.monitor = monitor
        restored = Restored(
            self.partition,
            clock.monotonic() - begun,
            reading.records,
            reading.bytes,
            facts,
            len(self._pending.alerts_again),
        )
        log.info("task_restored", **{name: getattr(restored, name) for name in Restored.__slots__})
        self._company.observations.restored(restored)

    async def _read_back(self) -> restore.Found:
        kafka, self._nonce = self._kafka, secrets.token_bytes(16)
        name = f"{self._company.settings.application_id}-{self.partition}"
        self._producer = TaskProducer(kafka, name)
        await self._producer.start(kafka.commit_timeout)
        await self._commit([self._owner()])
        self._told = None
        await self._keep_proving()
        found = await restore.read_back(
            kafka, name, self.partition, self.inputs, self._nonce, self._keep_proving
        )
        if found.reading.positions is None:
            await self._check_that_nothing_was_lost()
        return found

    async def _keep_proving(self) -> None:
        """In a long restore the task must stay provably ours, or nobody may be told that its verdicts are late."""
        if clock.monotonic() - self._last_commit >= self._kafka.session_timeout / 4:
            await self._commit([self._owner()])
        self._delay.judge(self._applied_to, clock.wall(), clock.monotonic())
        told, self._told = self._told, self._delay.memory.firing
        proved = Proved(self.partition, self.proved_at or 0.0, None if told is self._told else self._told)
        self._company.observations.proved(proved)

    async def _check_that_nothing_was_lost(self) -> None:
        async with asyncio.timeout(self._kafka.commit_timeout):
            for tp in self.inputs:
                if await self._company.group_position(tp) is not None:
                    raise Refused(
                        f"partition {self.partition} of {self._names.changelog} is empty, but the consumer group "
                        f"{self._company.settings.application_id} has read {tp.topic}: the state was lost. Bring the "
                        "changelog back, or start anew under another application_id"
                    )

    def _check_owner(self, reading: Reading) -> None:
        """Two processes that pass for one member would take the tasks from each other for ever: the older one yields."""
        before, company = reading.owner_before, self._company
        if before is not None and before.instance == company.instance and before.started > company.started:
            raise Refused(
                f"another process runs as {company.instance} (kafka.group_instance_id) and is newer: this one ends. "
                "Give each process its own"
            )

    def _check_clock(self, positions: Positions | None) -> None:
        ahead = (positions.now if positions is not None else 0) - clock.now()
        if ahead > CLOCK_AHEAD:
            raise Lost(
                ClockBehind(
                    f"this machine's clock is {ahead / 1e6:.0f} s behind the instant up to which the task was "
                    "already judged: set it right"
                )
            )

    async def _rebuild(self, reading: Reading) -> tuple[Monitor, int]:
        self._outdated = False
        monitor = self._new_monitor()
        self._parts = {}
        count = held = 0
        for fact in reading.packed_facts():
            self._check_home(fact.key)
            held += restore.take_back(monitor, fact)
            if fact.parts > 1:
                self._parts[fact.key] = fact.parts
            count += 1
            if held >= WITHOUT_PAUSE:
                await clients.breathe()
                held = 0
        self.now = reading.positions.now if reading.positions is not None else 0
        monitor.start(self.now)
        self.judged = False
        return monitor, count

    def _check_home(self, key: FactKey) -> None:
        """Facts of a customer who belongs elsewhere were left behind, and the task to which he belongs knows nothing of them.

        What follows from agreements alone (statements, alerts) says nothing: its customer may never have been heard of.
        """
        customer = key.customer
        if customer is None or customer in self._homes or key.kind in (FactKind.STATEMENT, FactKind.ALERT):
            return
        partitions = self._company.layout.partitions
        home = partition_for(customer.encode(errors="surrogatepass"), partitions, self._kafka.partitioner)
        if home != self.partition:
            raise Refused(
                f"partition {self.partition} of {self._names.changelog} holds facts of {customer}, who belongs in {home} of "
                f"{partitions} by {self._kafka.partitioner}: either kafka.partitioner is not what it was, or the topics "
                "were given more partitions, which parts customers from what is known of them. Start anew under another "
                "application_id and other topics beside the inputs; next time, `slamon repartition`"
            )
        self._remember_home(customer)

    def _new_monitor(self) -> Monitor:
        return self._company.monitor_for(self.partition, self._format >= formats.BY_THE_HOUR)

    def _place(self, positions: Positions | None, inputs: dict[str, restore.Bounds]) -> list[Gap]:
        """Where to go on reading: the recorded positions, else the setting. What turns out to be gone for ever."""
        gaps: list[Gap] = []
        self.clocks = {}
        for topic, log_of in inputs.items():
            at = positions.inputs.get(topic) if positions is not None else None
            if at is None:
                at = log_of.first if self._kafka.start == "earliest" else log_of.end
            elif at < log_of.first:
                gaps.append(Gap(topic, at, log_of.first, clock.now()))
                self._company.observations.figures.gaps += 1
                log.error("input_gap", topic=topic, partition=self.partition, start=at, end=log_of.first)
                at = log_of.first
            elif at > log_of.end:
                # Made anew, or cut back by an unclean election. Facts that are known already change nothing.
                log.error("input_begun_anew", topic=topic, partition=self.partition, read=at, end=log_of.end)
                at = log_of.first
            self.clocks[topic] = InputClock(
                at, clock.wall(), prompt=round(PROMPT * self._kafka.fetch_max_wait * 1e6)
            )
        # What does not stand in the changelog is not told to the group: without one of them the other would look lost.
        self.committed = dict(positions.inputs) if positions is not None else {}
        self._gaps = (*(positions.gaps if positions is not None else ()), *gaps)[-GAPS_KEPT:]
        return gaps

    def _settle_alerts(self, found: restore.Found) -> None:
        reading = found.reading
        again, given_up = self.alerts.restore(
            0 if reading.positions is None else reading.positions.number,
            reading.outbox,
            found.alerts,
            found.alerts_end,
            too_old=clock.now() - self._company.layout.alerts_retention // 2,
            orphans=() if reading.positions is None else reading.positions.orphans,
        )
        self._pending.alerts_again += again
        self._company.observations.figures.alerts_too_old += len(given_up)
        for number in given_up:
            log.error("alert_too_old_to_send_again", partition=self.partition, number=number)

    def _issue_again(self, reading: Reading) -> None:
        """The statements of the last commit, should it have been torn; standings the monitor says anew by itself."""
        for key, facts in reading.last_statements():
            if facts.statement is not None:
                self._pending.statements.append(facts.statement)
                self._pending.facts[key] = facts  # so that it is of the last commit once more


def _subject(event: Event) -> str:
    if isinstance(event, TicketEvent):
        return event.ticket
    if isinstance(event, ExclusionEvent):
        return event.exclusion
    return event.service
