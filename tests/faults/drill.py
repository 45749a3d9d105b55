"""A run: pods and load begin, faults come, all is healed, everything comes to rest, and what there is to judge is kept."""

import asyncio
import logging
import pickle
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import aiohttp
import orjson

from slamon import clock
from tests.faults.cluster import KINDS, PARTITIONS, Cluster, cluster
from tests.faults.evidence import Evidence, OpenAndHeard
from tests.faults.faults import Planned, Say, Struck, strike
from tests.faults.history import Reader, Task, alerts_of, dump, open_alerts, task_of
from tests.faults.load import Load, agreements
from tests.faults.receiver import LabelSet

PODS = 3  # that run at the beginning and at the end
SETTLING = 180.0  # s in which everything comes to rest when all is healed
QUIET_BEFORE = 3.0  # s of undisturbed work before the first fault
KEPT = "evidence.pickle"


async def run(
    folder: Path, find: Callable[[str], Path], planned: Sequence[Planned], seed: int, say: Say
) -> Evidence:
    """Everything stays in the folder, which must be there and empty; the seed draws the load."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # it mutters while everything breaks
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
            unsettled = await _until(lambda: _all_commit(under_test, reader))
            await clock.wait(QUIET_BEFORE)
            following = group.create_task(reader.follow(names.changelog), name="follow")
            await strike(under_test, planned, say, struck)
            say("all is healed; waiting until everything is read, told and heard")
            await under_test.heal(PODS)
            following.cancel()
            await asyncio.wait([following])
            load.stop()
            await loading
            unsettled += await _until(lambda: _all_read(under_test, reader))
            heard = await _heard(under_test, reader)
            watching.cancel()
        await asyncio.gather(*(under_test.stop(pod) for pod in under_test.running()))
        topics = await reader.read(*(getattr(names, kind) for kind in KINDS))
        dump(topics, folder)
        evidence = Evidence(
            folder=folder,
            seconds=clock.monotonic() - began,
            struck=struck,
            names=names,
            partitions=PARTITIONS,
            sent=load.sent,
            producers=load.renewed + 1,
            topics=topics,
            unsettled=unsettled,
            open_and_heard=heard,
            heard=under_test.receiver.heard,
            exits=under_test.exits,
            stops=under_test.stops,
            silences=under_test.silences,
            losses=under_test.losses,
            logs=[line for pod in under_test.pods.values() for line in pod.lines()],
        )
    (folder / KEPT).write_bytes(pickle.dumps(evidence))
    return evidence


# Coming to rest -------------------------------------------------------------------------------------------------------


async def _until(rests: Callable[[], Awaitable[str]]) -> str:
    """`rests` says what is still missing, nothing when nothing is; what it says when it is time that it does not."""
    deadline = clock.monotonic() + SETTLING
    while (missing := await rests()) and clock.monotonic() < deadline:
        await clock.wait(0.5)
    return missing


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
