"""A run: pods and load begin, faults come, all is healed, everything settles, and the laws are asked."""

import asyncio
import logging
import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import orjson
from rich.table import Table

from slamon import clock
from slamon.domain.events import SECOND
from tests.faults import laws
from tests.faults.cluster import KINDS, PARTITIONS, Cluster, Loss, cluster
from tests.faults.evidence import Evidence, OpenAndHeard
from tests.faults.faults import Planned, Say, Struck, strike
from tests.faults.history import Reader, Task, alerts_of, dump, open_alerts, task_of
from tests.faults.laws import Finding
from tests.faults.load import Load, agreements
from tests.faults.receiver import LabelSet

PODS = 3  # that run at the beginning and at the end
SETTLING = 180.0  # s in which everything comes to rest when all is healed
QUIET_BEFORE = 3.0  # s of undisturbed work before the first fault


class Unsettled(AssertionError):  # noqa: N818 - reads as what it says
    """All is healed, and yet something did not come to rest."""


@dataclass(frozen=True, slots=True)
class Outcome:
    evidence: Evidence
    struck: list[Struck]
    findings: dict[str, Finding]
    figures: dict[str, str]
    seconds: float

    @property
    def violations(self) -> list[str]:
        return [
            f"{law}: {violation}"
            for law, finding in self.findings.items()
            for violation in finding.violations[: laws.SHOWN]
        ]


async def run(
    folder: Path, find: Callable[[str], Path], planned: Sequence[Planned], seed: int, say: Say
) -> Outcome:
    """Everything stays in the folder, which must be there and empty; the seed draws the load. Raises Unsettled."""
    logging.getLogger("aiokafka").setLevel(
        logging.CRITICAL
    )  # it mutters all the time while everything breaks
    began = clock.monotonic()
    struck: list[Struck] = []
    async with cluster(folder, find, agreements(clock.wall())) as under_test:
        names = under_test.settings.kafka.topics
        load = Load(f"{seed}/load", under_test.kafka.bootstrap, names, PARTITIONS)
        reader = Reader(under_test.kafka.bootstrap, PARTITIONS)
        for pod in list(under_test.pods.values())[:PODS]:
            pod.start()
        async with asyncio.TaskGroup() as group:
            loading = group.create_task(load.run(), name="load")
            watching = group.create_task(under_test.watch(), name="watch")
            await _until(lambda: _all_commit(under_test, reader), "every task has committed")
            await clock.wait(QUIET_BEFORE)
            await strike(under_test, planned, say, struck)
            say("all is healed; waiting until everything is read, told and heard")
            await under_test.heal(PODS)
            load.stop()
            await loading
            await _until(lambda: _all_read(under_test, reader), "everything is read and committed")
            heard = await _heard(under_test, reader)
            watching.cancel()
        await asyncio.gather(*(under_test.stop(pod) for pod in under_test.running()))
        topics = await reader.read(*(getattr(names, kind) for kind in KINDS))
        dump(topics, folder)
        evidence = Evidence(
            folder=folder,
            names=names,
            partitions=PARTITIONS,
            topics=topics,
            heard=under_test.receiver.heard,
            open_and_heard=heard,
            exits=under_test.exits,
            stops=under_test.stops,
            silences=under_test.silences,
            losses=under_test.losses,
        )
        logs = [line for pod in under_test.pods.values() for line in pod.lines()]
    say("asking the laws")
    findings = await asyncio.to_thread(laws.judge, evidence)
    figures = dict(_figures(evidence, load, logs))
    return Outcome(evidence, struck, findings, figures, clock.monotonic() - began)


# Coming to rest -------------------------------------------------------------------------------------------------------


async def _until(rests: Callable[[], Any], what: str) -> None:
    """`rests` gives what is still missing, empty when nothing is."""
    deadline = clock.monotonic() + SETTLING
    while missing := await rests():
        if clock.monotonic() > deadline:
            raise Unsettled(f"in vain waited until {what}: {missing}")
        await clock.wait(0.5)


async def _tasks(under_test: Cluster, reader: Reader) -> dict[int, Task]:
    changelog = under_test.settings.kafka.topics.changelog
    return {
        partition: task_of(records)
        for partition, records in (await reader.read(changelog))[changelog].items()
    }


async def _all_commit(under_test: Cluster, reader: Reader) -> str:
    silent = [number for number, task in (await _tasks(under_test, reader)).items() if not task.commits]
    return f"tasks {silent} did not" if silent else ""


async def _all_read(under_test: Cluster, reader: Reader) -> str:
    names = under_test.settings.kafka.topics
    inputs = await reader.read(names.tickets, names.availability)
    behind = []
    for partition, task in (await _tasks(under_test, reader)).items():
        for topic, partitions in inputs.items():
            end = partitions[partition][-1].offset + 1 if partitions[partition] else 0
            at = task.positions.inputs.get(topic) if task.commits else None
            if at != end:
                behind.append(f"{topic}/{partition} at {at} of {end}")
        if task.reading.outbox:
            behind.append(f"task {partition} waits to see the alerts {sorted(task.reading.outbox)}")
    return "; ".join(behind)


async def _heard(under_test: Cluster, reader: Reader) -> OpenAndHeard:
    """As soon as all agree, or what they differ by when it was time that they did."""
    names = under_test.settings.kafka.topics
    deadline = clock.monotonic() + SETTLING
    while True:
        topic = (await reader.read(names.alerts))[names.alerts]
        told = {
            alert.labels
            for records in topic.values()
            for alert in open_alerts(alerts_of(records).values()).values()
        }
        heard = OpenAndHeard(
            told, under_test.receiver.firing(clock.wall()), await _in_alertmanager(under_test)
        )
        if heard.agree or clock.monotonic() > deadline:
            return heard
        await clock.wait(0.5)


async def _in_alertmanager(under_test: Cluster) -> set[LabelSet]:
    """What fires there."""
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{under_test.alertmanager.url}/api/v2/alerts", params={"active": "true"}) as answer,
    ):
        held = orjson.loads(await answer.read())
    return {tuple(sorted(alert["labels"].items())) for alert in held if alert["status"]["state"] == "active"}


# Figures --------------------------------------------------------------------------------------------------------------


def _figures(evidence: Evidence, load: Load, logs: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    said = Counter(line["event"] for line in logs)
    restored = [line for line in logs if line["event"] == "task_restored"]
    alerts = evidence.topics[evidence.names.alerts]
    numbers = sum(len(alerts) for alerts in evidence.alerts.values())
    letters = sum(map(len, evidence.topics[evidence.names.dead_letters].values()))
    yield "records of the inputs", f"{len(evidence.inputs)}, {letters} of them dead letters"
    yield "records sent by the load", f"{load.sent}, by {load.renewed + 1} producers"
    yield "commits", f"{sum(len(task.commits) for task in evidence.tasks.values())}"
    yield "alert transitions", f"{numbers}"
    yield "… sent more than once", f"{sum(map(len, alerts.values())) - numbers}"
    torn = [line["resent_alerts"] for line in restored if line["resent_alerts"]]
    yield "torn transactions found and mended", f"{len(torn)}, {sum(torn)} alerts"
    yield "restores", f"{len(restored)}, {said['task_failed']} tasks failed"
    if restored:
        yield "… took", _spread([line["seconds"] for line in restored])
    yield "producers abandoned", f"{said['producer_abandoned']}"
    yield "pods that ended by themselves", f"{len(evidence.exits)}"
    yield "heard by the receiver", f"{len(evidence.heard)} alerts"
    for how, seconds in sorted(_takeovers(evidence).items()):
        yield f"after {how}: until another life commits", _spread(seconds)


def _takeovers(evidence: Evidence) -> dict[str, list[float]]:
    """How → for each task that was lost, the seconds until it was committed to by another life of any pod."""
    found: dict[str, list[float]] = defaultdict(list)
    for loss in evidence.losses:
        for task in evidence.tasks.values():
            seconds = _takeover(loss, task)
            if seconds is not None:
                found[loss.how].append(seconds)
    return found


def _takeover(loss: Loss, task: Task) -> float | None:
    """None: the pod did not have the task, or nobody took it until the end."""
    before = [taking for taking in task.takings if taking.at <= loss.at]
    if not before or before[-1].owner.instance != loss.pod:
        return None
    life = before[-1].owner.started
    after = (commit.at for commit in task.commits if commit.at > loss.at and commit.owner.started != life)
    first = next(after, None)
    return None if first is None else (first - loss.at) / SECOND


def _spread(seconds: list[float]) -> str:
    return f"p50 {statistics.median(seconds):.1f} s, max {max(seconds):.1f} s ({len(seconds)} times)"


def summary(outcome: Outcome) -> Iterator[Table]:
    """What people are shown: faults by kind, figures, laws."""
    faults = Table(
        "fault", "times", "takes p50", "max", title=f"{len(outcome.struck)} faults in {outcome.seconds:.0f} s"
    )
    by_kind: dict[str, list[float]] = defaultdict(list)
    for one in outcome.struck:
        by_kind[one.kind].append((one.end - one.start) / SECOND)
    for kind, seconds in sorted(by_kind.items()):
        faults.add_row(
            kind, f"{len(seconds)}", f"{statistics.median(seconds):.1f} s", f"{max(seconds):.1f} s"
        )
    yield faults
    figures = Table("figure", "", title="what went on")
    for name, value in outcome.figures.items():
        figures.add_row(name, value)
    yield figures
    judged = Table("law", "checked", "violated", title="laws")
    for law, finding in outcome.findings.items():
        judged.add_row(law, f"{finding.checked}", f"{len(finding.violations)}")
    yield judged
