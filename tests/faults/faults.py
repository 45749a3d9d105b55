"""What breaks: one table of faults, each drawn by the seed with its parameters, and the order in which they come.

A fault begins, lasts and is healed by itself; it waits for nothing to recover, so that faults meet recoveries. Every
second one lets the next begin while it lasts. What two faults cannot both have, such as a pod or the brokers, the second waits
for. Faults of brokers are of two kinds: a `single` one waits, before and after, until every replica is in sync, and
must be survived by Kafka's own promise; an `overlapping` one waits for nothing and kills brokers in turn, so that even a
transaction may be torn.
"""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from slamon import clock
from tests.faults.cluster import BROKERS, SESSION, Cluster, Pod

OVERLAP = 0.5  # of the faults let the next one begin meanwhile
PAUSE = 2.0  # s at most between one fault and the next
BEYOND_SESSION = SESSION + 2.5  # s after which a silent pod has lost its tasks, and others run them

T = TypeVar("T")
Say = Callable[[str], None]


class Dice:
    """Draws the parameters of one fault."""

    def __init__(self, seed: str) -> None:
        self._chance = random.Random(seed)

    def seconds(self, least: float, most: float) -> float:
        return round(self._chance.uniform(least, most), 1)

    def number(self, least: int, most: int) -> int:
        return self._chance.randint(least, most)

    def one(self, choices: Sequence[T]) -> T:
        return choices[self._chance.randrange(len(choices))]

    def brokers(self, count: int) -> list[int]:
        return self._chance.sample(range(1, BROKERS + 1), count)


Deed = Callable[[Cluster, Dice, Say], Awaitable[None]]


class Kind(NamedTuple):
    name: str
    weight: int
    deed: Deed


@dataclass(frozen=True, slots=True)
class Struck:
    """A fault as it happened; instants in microseconds by the wall clock."""

    number: int
    kind: str
    start: int
    end: int
    told: tuple[str, ...]


# Pods -----------------------------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def _a_pod(cluster: Cluster, dice: Dice) -> AsyncIterator[Pod]:
    """One that runs and that no other fault is about, for as long as this one lasts."""
    while not (running := cluster.running()):
        await clock.wait(0.1)
    pod = dice.one(running)
    async with pod.lock:
        yield pod


async def kill(cluster: Cluster, dice: Dice, say: Say) -> None:
    """Back within its session (then nobody moves), or after it."""
    async with _a_pod(cluster, dice) as pod:
        away = dice.one([0.0, dice.seconds(1, 3), dice.seconds(BEYOND_SESSION, 12)])
        say(f"kill -9 {pod.name}, back after {away:g} s")
        cluster.kill(pod)
        await clock.wait(away)
        pod.start()


async def freeze(cluster: Cluster, dice: Dice, say: Say) -> None:
    async with _a_pod(cluster, dice) as pod:
        seconds = dice.one([dice.seconds(0.5, 4), dice.seconds(BEYOND_SESSION, 12)])
        say(f"freeze {pod.name} for {seconds:g} s")
        await cluster.silence(pod, seconds)


async def freeze_beyond_the_session(cluster: Cluster, dice: Dice, say: Say) -> None:
    """Others have taken over and resolve what it would still tell of as firing."""
    async with _a_pod(cluster, dice) as pod:
        seconds = dice.seconds(BEYOND_SESSION, 14)
        say(f"freeze {pod.name} for {seconds:g} s")
        await cluster.silence(pod, seconds)


async def stop(cluster: Cluster, dice: Dice, say: Say) -> None:
    async with _a_pod(cluster, dice) as pod:
        away = dice.one([0.0, dice.seconds(1, 3), dice.seconds(BEYOND_SESSION, 10)])
        say(f"stop {pod.name}, back after {away:g} s")
        await cluster.stop(pod)
        await clock.wait(away)
        pod.start()


async def rolling_restart(cluster: Cluster, dice: Dice, say: Say) -> None:
    """Of all pods, one after the other as soon as it has started."""
    say("rolling restart of all pods")
    for pod in cluster.pods.values():
        if not pod.wanted:
            continue
        async with pod.lock:
            if pod.program.alive:
                await cluster.stop(pod)
                pod.start()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(15):
                while not pod.said("started"):
                    await clock.wait(0.1)


async def storm(cluster: Cluster, dice: Dice, say: Say) -> None:
    """Pods come and go faster than the group finds its balance; in the end there are two to four."""
    for _ in range(dice.number(2, 4)):
        absent, running = cluster.absent(), cluster.running()
        if absent and (len(running) < 3 or dice.number(0, 1)):
            pod = dice.one(absent)
            say(f"{pod.name} joins")
            pod.start()
        elif len(running) > 2:
            pod = dice.one(running)
            async with pod.lock:
                say(f"{pod.name} leaves")
                await cluster.stop(pod)
        await clock.wait(dice.seconds(0.3, 3))


# The network ----------------------------------------------------------------------------------------------------------


async def cut(cluster: Cluster, dice: Dice, say: Say) -> None:
    """Between one pod and all brokers, or one: connections refused, or silence."""
    async with _a_pod(cluster, dice) as pod:
        brokers = dice.one([[1, 2, 3], [1, 2, 3], dice.brokers(1)])
        seconds = dice.one([dice.seconds(1, 5), dice.seconds(BEYOND_SESSION, 14)])
        how, close = dice.one([("refuses", cluster.network.cut), ("swallows", cluster.network.swallow)])
        say(f"the network {how} what {pod.name} says to brokers {brokers} for {seconds:g} s")
        doors = cluster.doors(pod.name, brokers)
        for door in doors:
            close(door)
        await clock.wait(seconds)
        for door in doors:
            cluster.network.mend(door)


async def slow(cluster: Cluster, dice: Dice, say: Say) -> None:
    async with _a_pod(cluster, dice) as pod:
        latency, seconds = dice.number(20, 1500), dice.seconds(4, 10)
        say(f"{latency} ms more between {pod.name} and the brokers for {seconds:g} s")
        doors = cluster.doors(pod.name)
        for door in doors:
            cluster.network.slow(door, latency, latency // 4)
        await clock.wait(seconds)
        for door in doors:
            cluster.network.mend(door)


# Brokers --------------------------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def _single(cluster: Cluster) -> AsyncIterator[None]:
    """All replicas are in sync before and after."""
    async with cluster.brokers_lock:
        await asyncio.to_thread(cluster.kafka.await_in_sync)
        yield
        await asyncio.to_thread(cluster.kafka.await_in_sync)


async def _down(cluster: Cluster, broker: int, seconds: float) -> None:
    await asyncio.to_thread(cluster.kafka.kill, broker)
    await clock.wait(seconds)
    await asyncio.to_thread(cluster.kafka.restart, broker)


async def kill_broker(cluster: Cluster, dice: Dice, say: Say) -> None:
    [broker], away = dice.brokers(1), dice.seconds(0, 6)
    async with _single(cluster):
        say(f"kill -9 broker {broker}, back after {away:g} s")
        await _down(cluster, broker, away)


async def kill_controller(cluster: Cluster, dice: Dice, say: Say) -> None:
    away = dice.seconds(0, 6)
    async with _single(cluster):
        while (broker := await asyncio.to_thread(cluster.kafka.controller)) is None:
            await clock.wait(0.1)
        say(f"kill -9 the controller, broker {broker}, back after {away:g} s")
        await _down(cluster, broker, away)


async def stop_broker(cluster: Cluster, dice: Dice, say: Say) -> None:
    [broker] = dice.brokers(1)
    async with _single(cluster):
        say(f"stop and start broker {broker}")
        await asyncio.to_thread(cluster.kafka.restart, broker)


async def freeze_broker(cluster: Cluster, dice: Dice, say: Say) -> None:
    [broker], seconds = dice.brokers(1), dice.seconds(1, 9)
    async with _single(cluster):
        say(f"freeze broker {broker} for {seconds:g} s")
        cluster.kafka.pause(broker)
        await clock.wait(seconds)
        cluster.kafka.resume(broker)


async def restart_brokers(cluster: Cluster, dice: Dice, say: Say) -> None:
    """In turn, each when the last is in sync again; or all at once, in order."""
    async with _single(cluster):
        if dice.number(0, 1):
            say("stop and start all brokers at once")
            await asyncio.to_thread(cluster.kafka.restart)
            return
        say("stop and start all brokers in turn")
        for broker in dice.brokers(BROKERS):
            await asyncio.to_thread(cluster.kafka.restart, broker)
            await asyncio.to_thread(cluster.kafka.await_in_sync)


async def kill_brokers_in_turn(cluster: Cluster, dice: Dice, say: Say) -> None:
    """Each before the last one is in sync: more than Kafka promises to survive."""
    brokers = [*dice.brokers(BROKERS), *dice.brokers(BROKERS)][: dice.number(2, 4)]
    async with cluster.brokers_lock:
        for broker in brokers:
            away, gap = dice.seconds(0, 3), dice.seconds(0, 4)
            say(f"kill -9 broker {broker}, back after {away:g} s, {gap:g} s more until the next")
            await _down(cluster, broker, away)
            await clock.wait(gap)


async def kill_all_brokers(cluster: Cluster, dice: Dice, say: Say) -> None:
    away = dice.seconds(0, 4)
    async with cluster.brokers_lock:
        say(f"kill -9 all brokers, back after {away:g} s")
        await asyncio.to_thread(cluster.kafka.kill)
        await clock.wait(away)
        await asyncio.to_thread(cluster.kafka.restart)


async def refuse_writes(cluster: Cluster, dice: Dice, say: Say) -> None:
    """As a broker does whose disk is full: some topics take nothing for a while."""
    names = cluster.settings.kafka.topics
    topic = dice.one([names.changelog, names.alerts, names.standings, names.statements, names.dead_letters])
    how = dice.one([{"min.insync.replicas": "4"}, {"max.message.bytes": "100"}])
    seconds = dice.seconds(1, 8)
    async with cluster.topics_lock, cluster.brokers_lock:
        say(f"{topic} takes nothing for {seconds:g} s: {how}")
        try:
            await cluster.configure(topic, how)
            await clock.wait(seconds)
        finally:
            await cluster.configure(topic, {})


# Alertmanager ---------------------------------------------------------------------------------------------------------


async def silence_receivers(cluster: Cluster, dice: Dice, say: Say) -> None:
    """Both who receive alerts, or one of them: refused, or silence."""
    who = dice.one([["alertmanager", "receiver"], ["alertmanager"], ["receiver"]])
    how, close = dice.one([("refuses", cluster.network.cut), ("swallows", cluster.network.swallow)])
    seconds = dice.seconds(2, 12)
    async with cluster.alerting_lock:
        say(f"the network {how} what is said to {' and '.join(who)} for {seconds:g} s")
        for one in who:
            close(one)
        await clock.wait(seconds)
        for one in who:
            cluster.network.mend(one)


async def slow_alertmanager(cluster: Cluster, dice: Dice, say: Say) -> None:
    latency, seconds = dice.number(200, 4000), dice.seconds(3, 10)
    async with cluster.alerting_lock:
        say(f"Alertmanager hears and answers {latency} ms later for {seconds:g} s")
        cluster.network.slow("alertmanager", latency)
        await clock.wait(seconds)
        cluster.network.mend("alertmanager")


async def forgetful_alertmanager(cluster: Cluster, dice: Dice, say: Say) -> None:
    async with cluster.alerting_lock:
        say("Alertmanager is killed and loses its memory")
        await cluster.forget_alerts()


FAULTS = (
    Kind("pod: kill -9", 4, kill),
    Kind("pod: freeze", 2, freeze),
    Kind("pod: freeze beyond session", 3, freeze_beyond_the_session),
    Kind("pod: stop", 2, stop),
    Kind("pods: rolling restart", 1, rolling_restart),
    Kind("pods: join and leave", 2, storm),
    Kind("network: cut", 3, cut),
    Kind("network: slow", 2, slow),
    Kind("single: kill broker", 2, kill_broker),
    Kind("single: kill controller", 2, kill_controller),
    Kind("single: stop broker", 1, stop_broker),
    Kind("single: freeze broker", 2, freeze_broker),
    Kind("single: restart brokers", 1, restart_brokers),
    Kind("overlapping: kill brokers", 2, kill_brokers_in_turn),
    Kind("overlapping: kill all", 1, kill_all_brokers),
    Kind("topic: refuses writes", 2, refuse_writes),
    Kind("receivers: silent", 1, silence_receivers),
    Kind("receivers: slow", 1, slow_alertmanager),
    Kind("receivers: forget", 1, forgetful_alertmanager),
)


class Planned(NamedTuple):
    number: int
    kind: Kind
    seed: str
    overlaps: bool
    pause: float


def plan(count: int, seed: int, only: Sequence[str] = ()) -> list[Planned]:
    """So many faults: first each kind once, then by their weights. `only`: of these kinds, none means all."""
    chance = random.Random(f"{seed}/plan")
    chosen = [kind for kind in FAULTS if not only or kind.name in only]
    kinds: list[Kind] = []
    while len(kinds) < count:
        bag = [kind for kind in chosen for _ in range(kind.weight if kinds else 1)]
        chance.shuffle(bag)
        kinds += bag
    return [
        Planned(
            number, kind, f"{seed}/{number}", chance.random() < OVERLAP, round(chance.uniform(0, PAUSE), 1)
        )
        for number, kind in enumerate(kinds[:count], 1)
    ]


async def strike(cluster: Cluster, planned: Sequence[Planned], say: Say, struck: list[Struck]) -> None:
    """All faults, until the last is healed; `struck` gets each when it is over."""
    began = clock.monotonic()

    async def one(fault: Planned) -> None:
        told: list[str] = []
        start = 0

        def tell(what: str) -> None:
            nonlocal start
            start = start or clock.wall()  # before, it waited for what it needs
            told.append(what)
            at = clock.monotonic() - began
            say(f"{at // 60:3.0f}:{at % 60:04.1f}  {fault.number:3}/{len(planned)}  {what}")

        await fault.kind.deed(cluster, Dice(fault.seed), tell)
        struck.append(Struck(fault.number, fault.kind.name, start, clock.wall(), tuple(told)))

    async with asyncio.TaskGroup() as group:
        last: asyncio.Task[None] | None = None
        for fault in planned:
            now = group.create_task(one(fault), name=fault.kind.name)
            if not fault.overlaps:
                await now
            if last is not None:
                await last  # never more than two at once
            last = now
            await clock.wait(fault.pause)
