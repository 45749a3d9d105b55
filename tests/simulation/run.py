"""One run of the task life cycle: some processes, some load, what chance does to them, and the laws that hold nevertheless.

A seed decides everything: sizes, load, weather, faults, and who runs next. Faults strike between two callbacks, so also
between any two awaits. When they are over all must come to rest, within `PATIENCE`; then the laws are checked, over all
that readers of committed records have ever seen:

- The state of every commit counts exactly the records before its positions (but for recorded gaps), each once.
- Positions, clocks and alert numbers never go back. A clock never passes an instant before what stood in the inputs then
  was applied.
- Alerts are numbered without gap, a number means one transition, and no transition has two. All are there in the end.
- Nothing visible was written by a fenced producer; and no commit was reported by one who no longer had the task.
- What cannot be an event becomes one dead letter.
- Tasks move as `MOVES` says, no process ends for a reason that is not allowed, and nothing fails unseen.
"""

import contextlib
import gc
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache, partial
from random import Random
from typing import Any
from unittest import mock

import orjson
import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, NotEnoughReplicasError

from slamon import clock
from slamon.kafka import clients, rewriting, source, topics
from slamon.kafka.changelog import POSITIONS, Positions, Reading
from slamon.kafka.observations import Committed, Observations
from slamon.kafka.partitioner import partition_for
from slamon.kafka.source import Source
from slamon.kafka.tasks import MOVES, State
from slamon.settings import Settings
from tests.end_to_end.counting import CountingMonitor
from tests.simulation import clients as simulated
from tests.simulation.broker import FAIR, Broker, Fate, Log, Weather
from tests.simulation.loop import Hung, Loop, Process, loop

APPLICATION = "slamon"
CUSTOMERS = 2  # of each partition
EVERY = 4  # events of a customer for one alert
PATIENCE = 200.0  # s from the last fault until all is done; some 20 s are usual
STOPPING = 60.0  # s from asking all to stop until none runs
GARBAGE = b"{"
FEW = 10  # records that a changelog may hold before it is rewritten
ON_THE_WAY = 810_000  # microseconds: an answer counts as new for twice the longest wait, and 10 ms on its way


class Broken(AssertionError):  # noqa: N818 - reads as what it says
    """A law does not hold; the text says which, and where."""


# ---------------------------------------------------------------------------------------------------- what a seed decides


@dataclass(frozen=True)
class Plan:
    """Times in seconds, shares between 0 and 1; `faults` are drawn one after the other, so many steps apart."""

    partitions: int
    processes: int
    static: bool
    events: int
    load: float  # how long it takes
    faults: int
    steps: int  # between two faults, on average
    slow: float
    lost: float
    refused: float
    torn: float
    partial: float  # of fetches

    @classmethod
    def drawn(cls, chance: Random) -> "Plan":
        rough = chance.choice((0.0, 0.0, 0.01, 0.03))
        return cls(
            partitions=chance.choice((1, 2, 2, 3)),
            processes=chance.choice((1, 2, 2, 3)),
            static=chance.random() < 0.5,
            events=chance.randrange(20, 60),
            load=chance.choice((1.0, 4.0, 8.0)),
            faults=chance.randrange(1, 8),
            steps=chance.choice((30, 150, 500)),
            slow=rough,
            lost=rough,
            refused=chance.choice((0.0, 0.0, 0.02, 0.1)),
            torn=chance.choice((0.0, 0.0, 0.1, 0.3)),
            partial=chance.choice((0.0, 0.5)),
        )


@cache
def settings_of(partitions: int) -> Settings:
    """Short, so that a run is; and in the proportions of those that people use."""
    return Settings.model_validate(
        {
            "application_id": APPLICATION,
            "shutdown_timeout": 5,
            "kafka": {
                "partitions": partitions,
                "session_timeout": 3,
                "heartbeat_interval": 0.5,
                "rebalance_timeout": 4,
                "fetch_max_wait": 0.4,
                "max_records": 7,
                "commit_interval": 0.5,
                "commit_timeout": 2,
                "restore_timeout": 5,
                "poll_stall": 20,
            },
        }
    )


@cache
def customers(partitions: int) -> list[list[str]]:
    """Some of each partition."""
    homes: list[list[str]] = [[] for _ in range(partitions)]
    for number in range(1000):
        name = f"c{number}"
        home = homes[partition_for(name.encode(), partitions, "murmur2")]
        if len(home) < CUSTOMERS:
            home.append(name)
    return homes


@cache
def event(customer: str) -> bytes:
    told = {"type": "ticket", "time": "2026-01-01T00:00:00Z", "customer": customer, "id": "1", "ticket": "t"}
    return orjson.dumps(told)


class Storm(Weather):
    """As rough as the plan says, until it is over."""

    def __init__(self, chance: Random, plan: Plan, loop: Loop) -> None:
        super().__init__(chance)
        self.plan = plan
        self.over = False
        self.cut: dict[Process, float] = {}  # until when its requests wait
        self._loop = loop

    def fate(self, process: Process) -> Fate:
        late = max(0.0, self.cut.get(process, 0.0) - self._loop.time())
        if self.over or not (self.plan.lost or self.plan.slow):
            return Fate(late=late) if late else FAIR
        drawn = self.chance.random()
        if drawn < self.plan.lost:
            arrives = self.chance.random() < 0.5
            return Fate(arrives, False, late, self.chance.choice((0.01, 1.0, None)))
        if drawn < self.plan.lost + self.plan.slow:
            late += self.chance.choice((0.3, 1.9, 3.0))
        return Fate(late=late)

    def refusal(self) -> KafkaError | None:
        if self.over or not self.plan.refused or self.chance.random() > self.plan.refused:
            return None
        return self.chance.choice((MessageSizeTooLargeError, NotEnoughReplicasError))()

    def tears(self) -> bool:
        return not self.over and self.plan.torn > 0 and self.chance.random() < self.plan.torn

    def reaches(self, records: int) -> int:
        partial = records > 1 and self.plan.partial and self.chance.random() < self.plan.partial
        return self.chance.randrange(1, records) if partial else records


# -------------------------------------------------------------------------------------------------------------- one run


@dataclass
class Instance:
    """One process that owns tasks, and the tasks' states as they were told."""

    process: Process
    source: Source
    task: Any = None
    states: dict[int, State] = field(default_factory=dict)
    stopping: bool = False
    fair: bool = False  # began when the faults were over


class Run:
    """`play` it; raises Broken or loop.Hung. `trace`: gets a line for everything worth one."""

    def __init__(
        self,
        seed: int,
        *,
        trace: Callable[[str], None] | None = None,
        **given: Any,
    ) -> None:
        """`given`: of the plan, what is not left to chance."""
        self.chance = Random(seed)
        self.plan = replace(Plan.drawn(self.chance), **given)
        self.settings = settings_of(self.plan.partitions)
        self.names = self.settings.kafka.topics
        self.loop = loop(self.chance)
        self.weather = Storm(self.chance, self.plan, self.loop)
        self.broker = Broker(
            self.loop,
            dict.fromkeys(topics.wanted(self.settings.kafka), self.plan.partitions),
            self.weather,
        )
        self.instances: list[Instance] = []
        self.faults: dict[str, int] = {}
        self.failures: list[str] = []
        self._trace = trace
        self._closing = False
        self._asked: dict[tuple[Process, int], float] = {}  # when a task was last begun
        self._numbers = 0
        self._strike_at = 0
        self._left = self.plan.faults
        self._struck = self.loop.create_future()
        self.broker.says = self.say if trace is not None else lambda _: None

    def say(self, what: str) -> None:
        if self._trace is not None:
            self._trace(f"{self.loop.time():9.3f} {self.loop.current!r:>6}  {what}")

    def play(self) -> None:
        with (
            _nothing_collected(),
            simulated.in_place(self.broker),
            mock.patch("socket.gethostname", self._hostname),
            mock.patch.object(rewriting, "FLOOR", FEW),
            _logging_to(self.say if self._trace is not None else None),
            self.loop.running(),
        ):
            self.say(str(self.plan))
            self.loop.run(self._play())
        if self.loop.faults:
            raise Broken(f"failed unseen: {self.loop.faults}")
        if self.failures:
            raise Broken("; ".join(self.failures))

    def _hostname(self) -> str:
        return self.loop.current.name

    async def _play(self) -> None:
        for number in range(self.plan.processes):
            self._start(f"p{number}")
        self.loop.start(self.loop.world, self._load())
        self._plan_next_strike()
        self.loop.before_step = self._before_step
        await self._struck
        self.loop.before_step = None
        self.weather.over = True
        self.say("the faults are over")
        await self._until(self._settled, PATIENCE, "all is counted, announced and confirmed")
        self._closing = True
        for one in self.instances:
            one.stopping = True
            one.source.stop()
        await self._until(lambda: not self.instances, STOPPING, "all have stopped")
        for partition in range(self.plan.partitions):
            Laws(self, partition).check()

    async def _until(self, condition: Callable[[], bool], seconds: float, what: str) -> None:
        deadline = self.loop.time() + seconds
        while not condition():
            if self.failures:
                return
            if self.loop.time() > deadline:
                raise Broken(f"in vain waited until {what}: {self._states()}")
            await clock.wait(0.5)

    def _states(self) -> str:
        return ", ".join(
            f"{one.process} { ({p: s.value for p, s in one.states.items()}) }" for one in self.instances
        )

    # Processes -------------------------------------------------------------------------------------------------------

    def _start(self, name: str) -> None:
        if self._closing:
            return
        self._numbers += 1
        process = self.loop.process(f"{name}.{self._numbers}")
        kafka = self.settings.kafka
        if self.plan.static:
            kafka = kafka.model_copy(update={"group_instance_id": name})
        settings = self.settings.model_copy(update={"kafka": kafka})
        states: dict[int, State] = {}
        observations = Observations(
            committed=partial(self._committed, process), entered=partial(self._entered, process, states)
        )
        made = Source(settings, lambda _, __: CountingMonitor(EVERY), observations)
        one = Instance(process, made, states=states, fair=self.weather.over)
        self.instances.append(one)
        self.say(f"{process} starts")
        one.task = self.loop.start(process, self._life(one))

    async def _life(self, one: Instance) -> None:
        """Of a process: it ends by itself only when it is asked to, or when it says so and will be started again."""
        try:
            await one.source.run()
            if not (one.stopping or self.loop.ended):
                self.failures.append(f"{one.process} ended without a word")
        except (source.Stopped, topics.Refused, clients.Unreachable) as error:
            self.say(f"ends: {error}")
            if one.fair and not one.stopping:
                self.failures.append(f"{one.process} ended in fair weather: {error}")
        except Exception as error:  # noqa: BLE001 - a law
            if not self.loop.ended:
                where = "".join(traceback.format_tb(error.__traceback__)[-3:])
                self.failures.append(f"{one.process} failed: {error!r}\n{where}")
        if not self.loop.ended:
            self._ended(one)

    def _ended(self, one: Instance) -> None:
        if one in self.instances:
            self.instances.remove(one)
        if not self._closing:
            delay = self.chance.choice((0.0, 0.5, 2.0, 5.0))
            self.loop.in_the_world(delay, self._start, one.process.name.split(".")[0])

    def _entered(self, process: Process, states: dict[int, State], partition: int, word: str) -> None:
        state = State(word)
        before = states.get(partition, State.CLOSED)
        fresh = before is State.CLOSED and state in (State.RESTORING, State.CLOSED)
        if state is not before and state not in MOVES[before] and not fresh:
            self.failures.append(f"task {partition} of {process} went from {before} to {state}")
        states[partition] = state
        self.say(f"task {partition} is {word}")
        if state in (State.RESTORING, State.PROVING):
            self._asked[process, partition] = self.loop.time()
        elif state is State.RUNNING:
            [proved] = [
                one.source.tasks[partition].proved_at for one in self.instances if one.process is process
            ]
            if proved is None or proved < self._asked[process, partition]:
                self.failures.append(f"task {partition} of {process} runs, but was not proved to be its own")

    def _committed(self, process: Process, committed: Committed) -> None:
        started = self.broker.started.get(f"{APPLICATION}-{committed.partition}", ())
        had = [one for one in started if one.at <= committed.proved_at]
        newest = max(had, key=lambda one: one.epoch, default=None)
        if newest is not None and newest.process is not process:
            self.failures.append(
                f"{process} believes that task {committed.partition} was its own at {committed.proved_at:.3f}, "
                f"but {newest.process} had it"
            )

    # Load ------------------------------------------------------------------------------------------------------------

    async def _load(self) -> None:
        homes = customers(self.plan.partitions)
        inputs = (self.names.tickets, self.names.availability)
        for _ in range(self.plan.events):
            partition = self.chance.randrange(self.plan.partitions)
            target = TopicPartition(self.chance.choice(inputs), partition)
            customer = self.chance.choice(homes[partition])
            value = GARBAGE if self.chance.random() < 0.1 else event(customer)
            self.broker.produce(target, [(customer.encode(), value, ())])
            await clock.wait(self.chance.random() * 2 * self.plan.load / self.plan.events)

    # Faults ----------------------------------------------------------------------------------------------------------

    def _plan_next_strike(self) -> None:
        self._strike_at = self.loop.steps + 1 + int(self.chance.expovariate(1 / self.plan.steps))

    def _before_step(self) -> None:
        """A step of some process is about to be made."""
        if self.loop.steps < self._strike_at:
            return
        self._plan_next_strike()
        if self._left == 0:
            if not self._struck.done():
                self._struck.set_result(None)
            return
        self._left -= 1
        name = self.chance.choice(tuple(FAULTS))
        victim = self.chance.choice(self.instances) if self.instances else None
        if victim is not None:
            self.faults[name] = self.faults.get(name, 0) + 1
            self.say(f"{name}: {victim.process}")
            FAULTS[name](self, victim)

    def kill(self, one: Instance) -> None:
        self.loop.kill(one.process)
        self._ended(one)

    def freeze(self, one: Instance) -> None:
        one.process.frozen = True
        self.loop.in_the_world(self.chance.choice((0.1, 1.0, 2.5, 4.0, 8.0)), self._wake, one.process)

    def _wake(self, process: Process) -> None:
        process.frozen = False
        self.say(f"{process} wakes")

    def stop(self, one: Instance) -> None:
        if not one.stopping:
            one.stopping = True
            self.loop.start(one.process, _calling(one.source.stop))

    def join(self, _: Instance) -> None:
        self._start(f"p{self.plan.processes + self._numbers}")

    def renew(self, one: Instance) -> None:
        self.loop.start(one.process, _calling(partial(one.source.renew, range(self.plan.partitions))))

    def cut(self, one: Instance) -> None:
        self.weather.cut[one.process] = self.loop.time() + self.chance.choice((0.2, 1.0, 3.0, 6.0))

    def trim(self, _: Instance) -> None:
        """Only what somebody has begun to read: else nobody knows that something was there.

        And not while commits are torn: an alert whose state was lost, and then what led to it too, stays for ever.
        """
        if self.plan.torn:
            return
        target = TopicPartition(self.names.tickets, self.chance.randrange(self.plan.partitions))
        if self._reading(target.partition).positions is not None:
            log = self.broker.logs[target]
            self.broker.delete_records(target, self.chance.randint(log.start, log.end))

    # The end ---------------------------------------------------------------------------------------------------------

    def _reading(self, partition: int) -> Reading:
        """What stands in a changelog now, for who restores it."""
        log = self.broker.logs[TopicPartition(self.names.changelog, partition)]
        return read_from(log, log.start)

    def _settled(self) -> bool:
        """Everything was read and judged, and every alert was seen where it belongs."""
        if sum(self.broker.logs[target].end for target in self._inputs()) < self.plan.events:
            return False
        for partition in range(self.plan.partitions):
            reading = self._reading(partition)
            if reading.positions is None or reading.outbox:
                return False
            counts = (facts.tickets[0].seq or 0 for _, facts, _ in reading.facts() if facts.tickets)
            if reading.positions.number < sum(count // EVERY for count in counts):
                return False
            if any(
                self.broker.logs[TopicPartition(topic, partition)].end > position
                for topic, position in reading.positions.inputs.items()
            ):
                return False
        return True

    def _inputs(self) -> Iterator[TopicPartition]:
        for topic in (self.names.tickets, self.names.availability):
            for partition in range(self.plan.partitions):
                yield TopicPartition(topic, partition)


FAULTS: dict[str, Callable[[Run, Instance], None]] = {
    "kill": Run.kill,
    "freeze": Run.freeze,
    "stop": Run.stop,
    "join": Run.join,
    "renew": Run.renew,
    "cut": Run.cut,
    "trim": Run.trim,
}


def first_broken(seeds: Iterable[int], **given: Any) -> tuple[int, str] | None:
    """The first of these seeds that breaks a law, and which."""
    for seed in seeds:
        try:
            Run(seed, **given).play()
        except (Broken, Hung) as error:
            return seed, str(error)
    return None


async def _calling(do: Callable[[], None]) -> None:
    do()


@contextlib.contextmanager
def _nothing_collected() -> Iterator[None]:
    """When Python would take garbage away depends on what ran before."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@contextlib.contextmanager
def _logging_to(say: Callable[[str], None] | None) -> Iterator[None]:
    """What slamon logs belongs into the trace, or nowhere."""

    def processor(_: object, __: str, event: Any) -> Any:
        if say is not None:
            say(" ".join(f"{key}={value}" if key != "event" else str(value) for key, value in event.items()))
        raise structlog.DropEvent

    before = structlog.get_config()
    structlog.configure(processors=[processor])
    try:
        yield
    finally:
        structlog.configure(**before)


# ----------------------------------------------------------------------------------------------------------------- laws


def read_from(log: Log, start: int) -> Reading:
    """What the records of a changelog leave standing, from this offset on."""
    reading = Reading()
    for record in log.visible():
        if record.offset >= start:
            assert record.key is not None
            reading.take(record.key, record.value)
    return reading


class Laws:
    """Of one partition, over all that committed readers have ever seen of it in a run."""

    def __init__(self, run: Run, partition: int) -> None:
        self._torn = run.broker.torn > 0
        self._logs = {
            target.topic: log for target, log in run.broker.logs.items() if target.partition == partition
        }
        self._names = run.names
        self._partition = partition
        self._inputs = (run.names.tickets, run.names.availability)

    def check(self) -> None:
        counts, garbage = self._check_every_commit()
        self._check_alerts(
            {f"{name}-{n}" for name, count in counts.items() for n in range(EVERY, count + 1, EVERY)}
        )
        if not self._torn:  # nobody promises that a torn transaction keeps its dead letters
            self._check_dead_letters(garbage)
        self._check_writers()

    def _law(self, holds: bool, what: str) -> None:
        if not holds:
            raise Broken(f"partition {self._partition}: {what}")

    def _check_every_commit(self) -> tuple[Counter[str], list[tuple[str, int]]]:
        """How often each customer was counted in the end, and where garbage was read."""
        reading = Reading()
        counts: Counter[str] = Counter()
        garbage: list[tuple[str, int]] = []
        before: Positions | None = None
        for record in self._logs[self._names.changelog].visible():
            assert record.key is not None
            reading.take(record.key, record.value)
            now = reading.positions
            if now is None or record.key != POSITIONS:
                continue
            self._check_step(before, now)
            for topic in self._inputs:
                gone = {
                    offset for gap in now.gaps if gap.topic == topic for offset in range(gap.start, gap.end)
                }
                start = before.inputs[topic] if before is not None else 0
                for one in self._logs[topic].records[start : now.inputs[topic]]:
                    if one.offset in gone:
                        continue
                    if one.value == GARBAGE:
                        garbage.append((topic, one.offset))
                    else:
                        assert one.key is not None
                        counts[one.key.decode()] += 1
            found = Counter(
                {key.subject: facts.tickets[0].seq or 0 for key, facts, _ in reading.facts() if facts.tickets}
            )
            self._law(found == counts, f"at offset {record.offset} {found} are counted, not {counts}")
            before = now
        self._check_what_is_left(reading)
        return counts, garbage

    def _check_what_is_left(self, everything: Reading) -> None:
        """Of a changelog that was trimmed: all that stands."""
        log = self._logs[self._names.changelog]
        left = read_from(log, log.start)
        stands = [{key: facts for key, facts, _ in of.facts()} for of in (everything, left)]
        self._law(stands[0] == stands[1], f"before {log.start} was deleted what stood")
        self._law(
            (left.positions, left.owner) == (everything.positions, everything.owner), "so were the positions"
        )

    def _check_step(self, before: Positions | None, now: Positions) -> None:
        if before is not None:
            went = f"{before} was followed by {now}"
            self._law(all(now.inputs[topic] >= before.inputs[topic] for topic in self._inputs), went)
            self._law((now.now, now.number) >= (before.now, before.number), went)
            self._law(now.number >= before.number, went)
        for gap in now.gaps:
            self._law(gap.end <= self._logs[gap.topic].start, f"{gap} was never trimmed")
        for topic in self._inputs:
            for record in self._logs[topic].records[now.inputs[topic] :]:
                self._law(
                    record.at >= now.now - ON_THE_WAY,
                    f"the clock shows {now.now}, but {topic} {record.offset} was there {(now.now - record.at) / 1e6} s "
                    "before and is not applied",
                )

    def _check_alerts(self, expected: set[str]) -> None:
        meant: dict[int, str] = {}
        for record in self._logs[self._names.alerts].visible():
            assert record.value is not None
            alert = orjson.loads(record.value)
            known = meant.setdefault(alert["number"], alert["id"])
            self._law(known == alert["id"], f"number {alert['number']} means {known} and {alert['id']}")
        self._law(sorted(meant) == list(range(1, len(meant) + 1)), f"the numbers are {list(meant)}")
        if not self._torn:
            self._law(list(meant) == sorted(meant), f"the numbers came as {list(meant)}")
        self._law(
            sorted(meant.values()) == sorted(expected), f"{sorted(meant.values())}, not {sorted(expected)}"
        )

    def _check_dead_letters(self, garbage: list[tuple[str, int]]) -> None:
        letters = []
        for record in self._logs[self._names.dead_letters].visible():
            headers = dict(record.headers)
            topic, offset = (headers[f"__connect.errors.{name}"] or b"" for name in ("topic", "offset"))
            letters.append((topic.decode(), int(offset)))
        self._law(sorted(letters) == sorted(garbage), f"dead letters are {letters}, not {garbage}")

    def _check_writers(self) -> None:
        for topic in (self._names.changelog, self._names.alerts):
            epochs = [record.epoch for record in self._logs[topic].visible()]
            self._law(epochs == sorted(epochs), f"in {topic} a fenced producer wrote: {epochs}")
