"""What a whole daemon takes on a real broker: idle, restoring, and working off a backlog; alone, and two of them.

Figures are of the daemon's own process: its CPU by its own metrics, its memory by the system.
"""

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from slamon import clock
from slamon.demo.processes import Program, free_ports
from slamon.domain.decisions import FactKey, Facts
from slamon.domain.events import DAY, HOUR
from slamon.kafka import changelog
from slamon.kafka.clients import Outgoing
from slamon.kafka.partitioner import partition_for
from slamon.settings import KafkaSettings, read_settings
from tests.benchmarks import held, stream
from tests.benchmarks.brokers import PATIENCE, fill, outgoing, producing, room, scrape, settings_file
from tests.benchmarks.measuring import LeftOut

IDLE = 20.0  # s that an idle daemon is watched
SETTLED = 30.0  # s after a restore, when what only it needed is given back
LOOK_EVERY = 0.1  # s
PARTITIONS = (8, 32, 64)
# Of this depends how often an idle task proves itself; other benchmarks hold their daemons for longer.
BY_DEFAULT = (f"SLAMON_KAFKA__SESSION_TIMEOUT={KafkaSettings().session_timeout:g}",)
RESTORED_ON = 8  # partitions
BEATING = 100  # services of which heartbeats are restored
PROMISED = held.Promised(held.DESKS, services=BEATING // held.DESKS + 1)


class Figure(NamedTuple):
    what: str
    value: float
    unit: str


class Pod(NamedTuple):
    """A daemon, and where its metrics are."""

    program: Program
    port: int

    def figures(self) -> dict[str, float]:
        return scrape(self.port)

    def memory(self, name: str) -> int:
        """Bytes: VmRSS is what it has, VmHWM the most it ever had."""
        status = Path(f"/proc/{self.program.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in status if line.startswith(name)) * 1024


@contextlib.contextmanager
def _pods(file: Path, count: int = 1, *environment: str) -> Iterator[list[Pod]]:
    """So many of one application, started but not awaited. `environment`: more of it, NAME=VALUE."""
    with contextlib.ExitStack() as stack:
        found = []
        for number in range(count):
            port, liveness_port = free_ports(2)
            command = [
                "env", f"SLAMON_HTTP__PORT={port}", f"SLAMON_HTTP__LIVENESS_PORT={liveness_port}",
                f"SLAMON_KAFKA__GROUP_INSTANCE_ID=pod-{number}", *environment,
                sys.executable, "-m", "slamon", "run", "--config", str(file),
            ]  # fmt: skip
            program = Program(f"slamon-{number}", command, file.parent)
            program.start()
            stack.callback(program.kill)
            found.append(Pod(program, port))
        yield found


async def _until_running(pods: Sequence[Pod], partitions: int) -> float:
    """All tasks do. Returns the longest that one waited for its metrics: so long its loop stood still."""
    longest, deadline = 0.0, clock.monotonic() + PATIENCE
    while clock.monotonic() < deadline:
        running, stood = 0.0, clock.monotonic()
        for pod in pods:
            if not pod.program.alive:
                raise LeftOut(f"a daemon has ended: {pod.program.said()[-500:]}")
            running += (await asyncio.to_thread(pod.figures)).get("slamon_task_state", 0)
        longest = max(longest, clock.monotonic() - stood)
        if running == partitions:
            return longest
        await clock.wait(LOOK_EVERY)
    raise LeftOut(f"no {partitions} tasks ran after {PATIENCE:g} s")


# ---------------------------------------------------------------------------------------------------------------- idle


async def idle() -> AsyncIterator[Figure]:
    """Tasks without an event: what they cost by being there."""
    with room() as (folder, bootstrap):
        for partitions in PARTITIONS:
            file = await settings_file(folder, bootstrap, f"idle-{partitions}", partitions=partitions)
            with _pods(file, 1, *BY_DEFAULT) as (pod,):
                await _until_running([pod], partitions)
                await clock.wait(IDLE / 4)
                before, begun = pod.figures()["process_cpu_seconds_total"], clock.monotonic()
                await clock.wait(IDLE)
                used = pod.figures()["process_cpu_seconds_total"] - before
                seconds = clock.monotonic() - begun
                what = f"idle, {partitions} partitions"
                yield Figure(what, 100 * used / seconds, "% of a core")
                yield Figure(what, pod.memory("VmRSS") / 1e6, "MB")


# ------------------------------------------------------------------------------------------------------------- restore


async def restore() -> AsyncIterator[Figure]:
    """A pod that takes over everything; its tasks restore at the same time."""
    start = clock.now() // HOUR * HOUR - 30 * DAY
    contents: dict[str, Iterable[tuple[FactKey, Facts]]] = {
        "nothing": (),
        "100,000 decided tickets": held.ticket_facts(100_000, start),
        "1,000,000 heartbeats": islice(
            held.heartbeat_facts(PROMISED.sides(), 24 * 29, start), 1_000_000 // 60
        ),
    }
    with room() as (folder, bootstrap):
        for number, (what, facts) in enumerate(contents.items()):
            file = await settings_file(
                folder, bootstrap, f"restore-{number}", partitions=RESTORED_ON, start=start
            )
            PROMISED.write(folder, start)
            kafka = read_settings(file).kafka
            async with producing(kafka) as producer:
                await fill(producer, [*_written(kafka, facts), *_positions(kafka)])
            with _pods(file) as (pod,):
                begun = clock.monotonic()
                stood = await _until_running([pod], RESTORED_ON)
                yield Figure(
                    f"restore of {what}", clock.monotonic() - begun, "s from the start of the process"
                )
                cpu = pod.figures()["process_cpu_seconds_total"]
                before = clock.monotonic()
                pod.figures()
                stood = max(stood, clock.monotonic() - before)
                yield Figure(f"restore of {what}", cpu, "s of a core, start included")
                await clock.wait(SETTLED)
                yield Figure(f"restore of {what}", stood, "s that the loop stood still at most")
                yield Figure(f"restore of {what}", pod.memory("VmHWM") / 1e6, "MB at most")
                yield Figure(f"restore of {what}", pod.memory("VmRSS") / 1e6, f"MB {SETTLED:g} s later")


def _written(kafka: KafkaSettings, facts: Iterable[tuple[FactKey, Facts]]) -> Iterator[Outgoing]:
    for key, found in facts:
        assert key.customer is not None
        partition = partition_for(key.customer.encode(), kafka.partitions, kafka.partitioner)
        for record in changelog.fact_records(key, found, 1):
            yield Outgoing(kafka.topics.changelog, partition, *record)


def _positions(kafka: KafkaSettings) -> Iterator[Outgoing]:
    """Judged up to now, and nothing left to read."""
    inputs = {kafka.topics.tickets: 0, kafka.topics.availability: 0}
    positions = changelog.Positions(inputs, clock.now(), 0, 0)
    for partition in range(kafka.partitions):
        yield Outgoing(kafka.topics.changelog, partition, *changelog.positions_record(positions))


# ------------------------------------------------------------------------------------------------------------- backlog


async def backlog() -> AsyncIterator[Figure]:
    """The stream of the benchmarks, worked off from a standing start: by one process, then by two that share it."""
    events = 200_000
    start = clock.now() - round((events / stream.EVENTS_A_DAY + 0.5) * 24) * HOUR
    with room() as (folder, bootstrap):
        for partitions, pods in ((1, 1), (8, 1), (64, 1), (64, 2)):
            name = f"backlog-{partitions}-{pods}"
            file = await settings_file(folder, bootstrap, name, partitions=partitions, start=start)
            kafka = read_settings(file).kafka
            with _pods(file, pods) as running:
                await _until_running(running, partitions)
                for pod in running:
                    pod.program.signal(signal.SIGSTOP)
                async with producing(kafka) as producer:
                    await fill(
                        producer, [outgoing(kafka, event) for event in islice(stream.events(start), events)]
                    )
                for pod in running:
                    pod.program.signal(signal.SIGCONT)
                begun = clock.monotonic()
                before = await _sums(running)
                while (now := await _sums(running))["slamon_events_total"] < events:
                    if clock.monotonic() - begun > PATIENCE:
                        raise LeftOut(f"{events:,} events were not taken in {PATIENCE:g} s")
                    await clock.wait(LOOK_EVERY)
                seconds = clock.monotonic() - begun
                used = now["process_cpu_seconds_total"] - before["process_cpu_seconds_total"]
                what = f"backlog, {partitions} partitions, {pods} process{'es' * (pods > 1)}"
                yield Figure(what, events / seconds, "events/s by the wall")
                yield Figure(what, events / used, "events/s of a core")
                yield Figure(what, used / seconds, "cores in use")


async def _sums(pods: Sequence[Pod]) -> dict[str, float]:
    found = [await asyncio.to_thread(pod.figures) for pod in pods]
    names = ("slamon_events_total", "process_cpu_seconds_total")
    return {name: sum(one.get(name, 0) for one in found) for name in names}
