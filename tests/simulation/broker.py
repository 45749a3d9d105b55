"""What a Kafka cluster does, as far as slamon can see it: logs, transactions, consumer groups; in memory and at once.

What stands here was seen on a real broker (`tests/end_to_end/test_simulated_broker.py` holds the two side by side). The rules:

- A request takes its time on the way there and back. What becomes of it on the way is drawn by `Weather`: it may be slow,
  get lost, or be done without an answer.
- A producer with an older epoch than the newest of its transactional id is fenced. Starting one ends what its predecessor
  left open.
- An ended transaction becomes visible partition by partition, by a marker that takes an offset. Readers of committed
  records get nothing at or behind the first record of a transaction that is still open.
- A torn transaction got its markers in some of its partitions; the rest is still open, and whoever starts the producer
  next aborts that.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, NamedTuple

from aiokafka import TopicPartition
from aiokafka.errors import (
    BrokerResponseError,
    ConcurrentTransactions,
    IllegalGenerationError,
    InvalidProducerEpoch,
    InvalidTxnState,
    KafkaConnectionError,
    KafkaError,
    MessageSizeTooLargeError,
    OffsetOutOfRangeError,
    OutOfOrderSequenceNumber,
    RebalanceInProgressError,
    RequestTimedOutError,
    UnknownMemberIdError,
    UnknownTopicOrPartitionError,
)

from tests.simulation.loop import BEGIN, Loop, Process

BATCH_BYTES = 1_048_588  # what a broker takes by default
REQUEST_TIMEOUT = 40.0  # s; of aiokafka's clients, unless they are told otherwise


class NoAnswer(Exception):  # noqa: N818 - reads as what it says
    """Whoever asked will wait in vain."""


class FencedInstanceId(BrokerResponseError):  # type: ignore[misc]  # noqa: N818 - aiokafka ships no types; its own names are such
    """aiokafka has no name for it."""

    errno = 82
    message = "FENCED_INSTANCE_ID"


@dataclass(slots=True)
class Record:
    """Also a marker, which has neither key nor value. `at`: when it was appended, in microseconds."""

    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    at: int
    producer: int | None
    epoch: int
    visible: bool | None  # None: its transaction is open
    marker: bool = False


class Started(NamedTuple):
    """A transactional producer got its epoch. `at`: by the loop's clock."""

    at: float
    epoch: int
    process: Process


class Fate(NamedTuple):
    """Of a request. `noticed`: seconds until its sender hears that the connection broke; None: it waits in vain."""

    arrives: bool = True
    answered: bool = True
    late: float = 0.0
    noticed: float | None = None


FAIR = Fate()


@dataclass(slots=True)
class Log:
    """One partition. What was trimmed stays in `records`, for those who look from outside."""

    start: int = 0
    records: list[Record] = field(default_factory=list)
    open: dict[int, list[Record]] = field(default_factory=dict)  # producer → of its open transaction
    sequences: dict[int, tuple[int, int, int]] = field(
        default_factory=dict
    )  # producer → epoch, next, last batch
    waiting: list[Callable[[], None]] = field(default_factory=list)  # fetches

    @property
    def end(self) -> int:
        return len(self.records)

    @property
    def stable_end(self) -> int:
        """What readers of committed records get lies before this."""
        return min((records[0].offset for records in self.open.values() if records), default=self.end)

    def append(self, record: Record) -> None:
        record.offset = self.end
        self.records.append(record)

    def wake(self) -> None:
        waiting, self.waiting = self.waiting, []
        for look in waiting:
            look()

    def visible(self) -> list[Record]:
        """All that readers of committed records have ever got."""
        return [record for record in self.records[: self.stable_end] if record.visible]


@dataclass(slots=True)
class Fetched:
    """Records of one partition in [position, `next`), or what is wrong with it."""

    records: list[Record]
    next: int
    end: int
    stable_end: int
    error: KafkaError | None = None


@dataclass(slots=True)
class Transactional:
    """What the coordinator knows of a transactional id. `ending`: partitions whose marker is on its way."""

    producer: int
    epoch: int
    timeout: float
    partitions: set[TopicPartition] = field(default_factory=set)
    ending: set[TopicPartition] = field(default_factory=set)
    number: int = 0  # of the transaction


@dataclass(slots=True)
class Member:
    id: str
    instance: str | None
    metadata: Any
    session: float
    rebalance: float
    expires: Any = None
    joined: Any = None  # the answer that it waits for
    synced: Any = None


@dataclass(slots=True)
class Group:
    state: str = "empty"  # preparing, completing, stable
    generation: int = 0
    leader: str | None = None
    members: dict[str, Member] = field(default_factory=dict)
    assignment: dict[str, Any] = field(default_factory=dict)
    offsets: dict[TopicPartition, int] = field(default_factory=dict)
    until: Any = None  # the timer of the rebalance


class Weather:
    """How long requests take, and what becomes of them. This one is fair: everything arrives, in its own time."""

    def __init__(self, chance: Random) -> None:
        self.chance = chance

    def latency(self) -> float:
        """Few values, so that things often happen at the same instant and chance says which comes first."""
        return self.chance.choice((0.0, 0.001, 0.001, 0.002, 0.005))

    def fate(self, process: Process) -> Fate:
        """Of a request of this process."""
        del process
        return FAIR

    def refusal(self) -> KafkaError | None:
        """Of a batch that a producer sends."""
        return None

    def tears(self) -> bool:
        """This commit."""
        return False

    def reaches(self, records: int) -> int:
        """How many of the records that stand ready a fetch gets of one partition."""
        return records


class Broker:
    def __init__(self, loop: Loop, topics: Mapping[str, int], weather: Weather) -> None:
        """`topics`: name → partitions."""
        self.loop = loop
        self.logs = {
            TopicPartition(topic, partition): Log()
            for topic, partitions in topics.items()
            for partition in range(partitions)
        }
        self.partitions = dict(topics)
        self.weather = weather
        self.groups: dict[str, Group] = {}
        self.says: Callable[[str], None] = lambda _: None  # what is worth a line in a trace
        self.torn = 0
        self.started: dict[str, list[Started]] = {}  # by transactional id
        self._transactional: dict[str, Transactional] = {}
        self._numbers = itertools.count(1)

    def now(self) -> int:
        """Microseconds since 1970."""
        return round((BEGIN + self.loop.time()) * 1_000_000)

    # -------------------------------------------------------------------------------------------------------- requests

    def ask(
        self, name: str, do: Callable[..., object], *args: object, timeout: float = REQUEST_TIMEOUT
    ) -> Any:
        """A future of what `do` returns or raises when the request arrives."""

        def answer(respond: Callable[[object], None]) -> None:
            try:
                value = do(*args)
            except NoAnswer:
                return
            except KafkaError as error:
                value = error
            respond(value)

        return self.request(name, answer, timeout)

    def request(
        self, name: str, do: Callable[[Callable[[Any], None]], None], timeout: float = REQUEST_TIMEOUT
    ) -> Any:
        """A future of what `do` answers, by a call, now or later; an exception as answer is raised."""
        loop, process = self.loop, self.loop.current
        answer = loop.create_future()
        if loop.ended:
            answer.set_exception(KafkaError("the run is over"))
            return answer
        arrives, answered, late, noticed = self.weather.fate(process)

        def settle(value: Any) -> None:
            expires.cancel()
            if answer.done() or process.dead:
                return
            if isinstance(value, BaseException):
                answer.set_exception(value)
            else:
                answer.set_result(value)

        def respond(value: Any) -> None:
            if answered:
                loop.in_the_world(self.weather.latency(), settle, value)

        if arrives:
            loop.in_the_world(self.weather.latency() + late, do, respond)
        if not (arrives and answered):
            self.says(f"{name} of {process} {'is done without an answer' if arrives else 'gets lost'}")
        expires = loop.in_the_world(timeout, settle, RequestTimedOutError())
        if noticed is not None:
            loop.in_the_world(noticed, settle, KafkaConnectionError("the connection broke"))
        return answer

    def _log(self, target: TopicPartition) -> Log:
        log = self.logs.get(target)
        if log is None:
            raise UnknownTopicOrPartitionError(str(target))
        return log

    # ---------------------------------------------------------------------------------------------------- transactions

    def start_producer(self, process: Process, name: str, timeout: float) -> tuple[int, int]:
        """Producer id and epoch. Raises ConcurrentTransactions while its predecessor's transaction is ending."""
        known = self._transactional.get(name)
        if known is None:
            known = self._transactional[name] = Transactional(next(self._numbers), -1, timeout)
        if known.ending:
            raise ConcurrentTransactions
        known.epoch += 1
        if known.partitions:
            self._end(known, commit=False)
            raise ConcurrentTransactions
        self.started.setdefault(name, []).append(Started(self.loop.time(), known.epoch, process))
        return known.producer, known.epoch

    def new_producer(self) -> int:
        """Of one without transactions."""
        return next(self._numbers)

    def _of(self, name: str, epoch: int) -> Transactional:
        known = self._transactional[name]
        if known.epoch != epoch:
            raise InvalidProducerEpoch
        return known

    def add_partitions(self, name: str, epoch: int, targets: Sequence[TopicPartition]) -> None:
        known = self._of(name, epoch)
        if known.ending:
            raise ConcurrentTransactions
        for target in targets:
            self._log(target)
        if not known.partitions:
            known.number += 1
            self.loop.in_the_world(known.timeout, self._time_out, name, known.number)
        known.partitions.update(targets)

    def _time_out(self, name: str, number: int) -> None:
        known = self._transactional[name]
        if known.number == number and known.partitions and not known.ending:
            known.epoch += 1
            self._end(known, commit=False)

    def end_transaction(self, name: str, epoch: int, *, commit: bool) -> None:
        """Answered before the markers are written. Raises NoAnswer if the transaction was torn."""
        known = self._of(name, epoch)
        if known.ending:
            raise ConcurrentTransactions
        if not known.partitions:
            raise InvalidTxnState
        if commit and len(known.partitions) > 1 and self.weather.tears():
            kept = self.weather.chance.randrange(1, len(known.partitions))
            partitions = self.weather.chance.sample(sorted(known.partitions), len(known.partitions))
            self.torn += 1
            self.says(f"the transaction of {name} is torn: only {partitions[:kept]} get their markers")
            for target in partitions[:kept]:
                self._mark(known, target, commit=True)
                known.partitions.discard(target)
            raise NoAnswer
        self._end(known, commit=commit)

    def _end(self, known: Transactional, *, commit: bool) -> None:
        known.ending, known.partitions = known.partitions, set()

        def mark(target: TopicPartition) -> None:
            self._mark(known, target, commit=commit)
            known.ending.discard(target)

        for target in sorted(known.ending):
            self.loop.in_the_world(self.weather.latency(), mark, target)

    def _mark(self, known: Transactional, target: TopicPartition, *, commit: bool) -> None:
        log = self.logs[target]
        for record in log.open.pop(known.producer, ()):
            record.visible = commit
        log.append(
            Record(0, None, None, (), self.now(), known.producer, known.epoch, visible=False, marker=True)
        )
        log.wake()

    # ------------------------------------------------------------------------------------------------------ logs: write

    def produce(
        self,
        target: TopicPartition,
        records: Sequence[tuple[bytes | None, bytes | None, tuple[tuple[str, bytes | None], ...]]],
        name: str | None = None,
        producer: tuple[int, int, int] | None = None,
    ) -> int:
        """Offset of the first. `name`: transactional id; `producer`: id, epoch, and number of the first record."""
        log = self._log(target)
        if producer is None:
            first = log.end
            for key, value, headers in records:
                log.append(Record(0, key, value, headers, self.now(), None, 0, visible=True))
            log.wake()
            return first
        number, epoch, sequence = producer
        if name is not None and target not in self._of(name, epoch).partitions:
            raise InvalidTxnState
        known_epoch, next_sequence, last = log.sequences.get(number, (epoch, 0, -1))
        if epoch < known_epoch:
            raise InvalidProducerEpoch
        if epoch > known_epoch:
            next_sequence, last = 0, -1
        if sequence + len(records) == next_sequence and last >= 0:
            return last  # the same again: its answer was lost
        if sequence != next_sequence:
            raise OutOfOrderSequenceNumber
        if sum(len(key or b"") + len(value or b"") for key, value, _ in records) > BATCH_BYTES:
            raise MessageSizeTooLargeError
        first = log.end
        for key, value, headers in records:
            record = Record(0, key, value, headers, self.now(), number, epoch, visible=None if name else True)
            log.append(record)
            if name is not None:
                log.open.setdefault(number, []).append(record)
        log.sequences[number] = (epoch, sequence + len(records), first)
        log.wake()
        return first

    def delete_records(self, target: TopicPartition, before: int) -> int:
        log = self._log(target)
        if before > log.end:
            raise OffsetOutOfRangeError
        log.start = max(log.start, before)
        return log.start

    # ------------------------------------------------------------------------------------------------------- logs: read

    def first_offset(self, target: TopicPartition) -> int:
        return self._log(target).start

    def last_offset(self, target: TopicPartition) -> int:
        """As readers of committed records are told."""
        return self._log(target).stable_end

    def _look(self, target: TopicPartition, position: int) -> Fetched:
        log = self._log(target)
        end = log.stable_end
        if not log.start <= position <= log.end:
            return Fetched([], position, log.end, end, OffsetOutOfRangeError({target: position}))
        ready = log.records[position:end]
        if ready:
            ready = ready[: self.weather.reaches(len(ready))]
        records = [record for record in ready if record.visible]
        return Fetched(records, position + len(ready), log.end, end)

    def fetch(
        self, positions: Mapping[TopicPartition, int], wait: float, respond: Callable[[Any], None]
    ) -> None:
        """Answers partition → Fetched: when there is something, or after so many seconds."""
        done = False

        def look(*, anyway: bool) -> None:
            nonlocal done
            if done:
                return
            found = {target: self._look(target, position) for target, position in positions.items()}
            if anyway or any(one.error or one.next > positions[target] for target, one in found.items()):
                done = True
                respond(found)
            else:
                for target in positions:
                    self.logs[target].waiting.append(lambda: look(anyway=False))

        look(anyway=False)
        if not done:
            self.loop.in_the_world(wait, lambda: look(anyway=True))

    # ----------------------------------------------------------------------------------------------------------- groups

    def group(self, name: str) -> Group:
        return self.groups.setdefault(name, Group())

    def join(
        self,
        group: Group,
        member_id: str,
        instance: str | None,
        metadata: Any,
        session: float,
        rebalance: float,
        respond: Callable[[Any], None],
    ) -> None:
        """Answers (generation, member id, leader's id, members' metadata if it is the leader's answer)."""
        if instance is not None and not member_id:
            before = next((one for one in group.members.values() if one.instance == instance), None)
            if before is not None:
                self._replace(group, before, metadata, respond)
                return
        if member_id and member_id not in group.members:
            fenced = instance is not None and any(one.instance == instance for one in group.members.values())
            respond(FencedInstanceId() if fenced else UnknownMemberIdError())
            return
        member = group.members.get(member_id)
        if member is None:
            member_id = f"{instance or 'member'}-{next(self._numbers)}"
            member = group.members[member_id] = Member(member_id, instance, None, session, rebalance)
        member.metadata, member.joined = metadata, respond
        self._heard(group, member)
        if group.state != "preparing":
            self._prepare(group)
        self._all_joined(group)

    def _replace(self, group: Group, before: Member, metadata: Any, respond: Callable[[Any], None]) -> None:
        """A static member came back under a new id; whoever has the old one is fenced."""
        del group.members[before.id]
        before.expires.cancel()
        for waiting in (before.joined, before.synced):
            if waiting is not None:
                waiting(FencedInstanceId())
        member = Member(
            f"{before.instance}-{next(self._numbers)}",
            before.instance,
            metadata,
            before.session,
            before.rebalance,
        )
        group.members[member.id] = member
        self._heard(group, member)
        if before.id in group.assignment:
            group.assignment[member.id] = group.assignment.pop(before.id)
        leads = group.leader == before.id
        if leads:
            group.leader = member.id
        if group.state == "stable":
            # Its answer names a leader that it is not, so it does not share out anything.
            respond((group.generation, member.id, before.id if leads else group.leader, {}))
            return
        member.joined = respond
        if group.state != "preparing":
            self._prepare(group)
        self._all_joined(group)

    def _prepare(self, group: Group) -> None:
        group.state = "preparing"
        for member in group.members.values():
            if member.synced is not None:
                member.synced(RebalanceInProgressError())
                member.synced = None
        longest = max(member.rebalance for member in group.members.values())
        if group.until is not None:
            group.until.cancel()
        group.until = self.loop.in_the_world(longest, self._wait_no_longer, group)

    def _wait_no_longer(self, group: Group) -> None:
        for member in [one for one in group.members.values() if one.joined is None]:
            if member.instance is None:
                self._drop(group, member)
        self._all_joined(group, anyway=True)

    def _all_joined(self, group: Group, *, anyway: bool = False) -> None:
        members = group.members
        if group.state != "preparing":
            return
        if not members:
            group.state, group.leader, group.assignment = "empty", None, {}
            return
        joined = [member for member in members.values() if member.joined is not None]
        if not joined or not (anyway or len(joined) == len(members)):
            return
        group.until.cancel()
        group.state = "completing"
        group.generation += 1
        if group.leader not in members or members[group.leader].joined is None:
            group.leader = joined[0].id
        self.says(f"generation {group.generation} of {sorted(members)}, led by {group.leader}")
        for member in joined:
            leads = member.id == group.leader
            metadata = {one.id: one.metadata for one in members.values()} if leads else {}
            respond, member.joined = member.joined, None
            self._heard(group, member)
            respond((group.generation, member.id, group.leader, metadata))

    def sync(
        self,
        group: Group,
        member_id: str,
        generation: int,
        assignment: Mapping[str, Any],
        respond: Callable[[Any], None],
    ) -> None:
        """Answers what the leader gave this member."""
        member = group.members.get(member_id)
        if member is None:
            respond(UnknownMemberIdError())
        elif generation != group.generation:
            respond(IllegalGenerationError())
        elif group.state == "preparing":
            respond(RebalanceInProgressError())
        elif group.state == "stable":
            self._heard(group, member)
            respond(group.assignment.get(member_id))
        else:
            self._heard(group, member)
            member.synced = respond
            if member_id == group.leader:
                group.assignment = dict(assignment)
                group.state = "stable"
                for one in group.members.values():
                    if one.synced is not None:
                        one.synced(group.assignment.get(one.id))
                        one.synced = None

    def heartbeat(self, group: Group, member_id: str, generation: int) -> None:
        """Raises what the member must hear."""
        member = self._member(group, member_id)
        if generation != group.generation:
            raise IllegalGenerationError
        self._heard(group, member)
        if group.state == "preparing":
            raise RebalanceInProgressError

    def _member(self, group: Group, member_id: str) -> Member:
        if member_id not in group.members:
            raise UnknownMemberIdError
        return group.members[member_id]

    def leave(self, group: Group, member_id: str) -> None:
        member = group.members.get(member_id)
        if member is not None:
            self._gone(group, member)

    def commit_offsets(
        self, group: Group, member_id: str, generation: int, offsets: Mapping[TopicPartition, int]
    ) -> None:
        if member_id or group.members:
            self._member(group, member_id)
            if generation != group.generation:
                raise IllegalGenerationError
            if group.state == "completing":
                raise RebalanceInProgressError
        group.offsets.update(offsets)

    def _heard(self, group: Group, member: Member) -> None:
        if member.expires is not None:
            member.expires.cancel()
        member.expires = self.loop.in_the_world(member.session, self._silent, group, member)

    def _silent(self, group: Group, member: Member) -> None:
        if group.members.get(member.id) is not member:
            return
        if member.joined is not None or member.synced is not None:
            self._heard(group, member)  # it waits for us
            return
        self.says(f"member {member.id} has been silent for too long")
        self._gone(group, member)

    def _gone(self, group: Group, member: Member) -> None:
        self._drop(group, member)
        if group.state in ("stable", "completing") and group.members:
            self._prepare(group)
        elif not group.members:
            group.state, group.leader, group.assignment = "empty", None, {}
        self._all_joined(group)

    def _drop(self, group: Group, member: Member) -> None:
        del group.members[member.id]
        member.expires.cancel()
        group.assignment.pop(member.id, None)
