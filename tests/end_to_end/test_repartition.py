"""An application that is moved to another number of partitions goes on as if nothing had happened, on a real broker."""

import contextlib
import re
import shlex
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml

from slamon.demo.processes import Alertmanager, Kafka
from slamon.kafka import repartition, topics
from tests.end_to_end.customers import AGREEMENTS, CUSTOMERS, Story, early, read_all, remembered, unread
from tests.end_to_end.place import (
    PATIENCE,
    Alert,
    Place,
    assert_numbered,
    placed,
    run_slamon,
    until,
    whole_second,
)
from tests.shell.documentation import page


@pytest.fixture
async def place(tmp_path: Path, kafka: Kafka, alertmanager: Alertmanager) -> AsyncIterator[Place]:
    async with placed(tmp_path, kafka.bootstrap, alertmanager, AGREEMENTS) as made:
        yield made


def as_documented(place: Place, to: int, *, dry_run: bool = False) -> "subprocess.CompletedProcess[str]":
    """What the page tells to type, with the number wanted."""
    found = re.findall(
        r"^\$ slamon (repartition .*)$",
        page("operating/repartition.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    [command] = [one for one in found if ("--dry-run" in one) == dry_run]
    words = shlex.split(command.replace("--to 12", f"--to {to}"))
    return run_slamon(*(str(place.config) if word == "slamon.yaml" else word for word in words))


async def move(place: Place, to: int) -> Place:
    done = as_documented(place, to)
    assert done.returncode == 0, done.stderr
    _, _, settings = done.stdout.partition("with these settings:\n")
    return place.moved(yaml.safe_load(settings))


def firing(alerts: list[Alert]) -> set[tuple[str, int]]:
    """By id and episode."""
    newest = {alert.said["id"]: alert for alert in alerts}
    return {
        (alert.said["id"], alert.said["episode"]) for alert in newest.values() if alert.transition == "fired"
    }


async def stopped_group(place: Place) -> None:
    """A member that stopped leaves the group at once unless it is a static one."""

    async def empty() -> bool:
        done = as_documented(place, 5, dry_run=True)
        assert "has members" in done.stderr or done.returncode == 0, done.stderr
        assert done.returncode != 0 or "facts would be moved from" in done.stdout
        return done.returncode == 0

    await until(empty, "the group has no members")
    there = await place.producer.client.fetch_all_metadata()
    assert not [topic for topic in there.topics() if topic.startswith(f"{place.settings.application_id}-5")]


async def test_an_application_goes_on_in_more_partitions_and_then_in_fewer(place: Place) -> None:
    story = Story(place)
    story.publish(place, early(whole_second()))
    daemon = await place.running()
    await read_all(place)

    refused = as_documented(place, 6)
    assert refused.returncode == 1
    assert "has members (1, Stable): stop all pods" in refused.stderr
    daemon.stop()

    said = await place.alerts()
    async with contextlib.AsyncExitStack() as places:
        for to in (6, 3):
            story.publish(place, unread(whole_second() + to))
            await stopped_group(place)
            before = firing(said)
            assert len(before) >= len(CUSTOMERS), "something fires that could be announced again"
            moved = await places.enter_async_context(await move(place, to))
            assert moved.partitions == to
            assert await remembered(moved) == before
            again = as_documented(place, to)
            assert again.returncode == 1
            assert f"{moved.names.tickets} holds records already" in again.stderr

            daemon = await moved.running()
            await read_all(moved)
            daemon.stop()
            await story.assert_kept(moved)
            new = await moved.alerts()
            assert_numbered(new)
            known = {alert.identity[:3] for alert in said}
            assert new, "something was said since"
            assert not known & {alert.identity[:3] for alert in new}, "nothing is announced again"
            said += new
            assert await statements(place) <= await statements(moved)
            place = moved


async def statements(place: Place) -> set[tuple[bytes, bytes]]:
    return {(record.key, record.value) for record in await place.records(place.names.statements)}


async def test_no_pod_starts_on_what_an_interrupted_move_has_left(place: Place) -> None:
    new = repartition.moved_settings(place.settings, 6)
    await topics.create(new.kafka)
    await repartition._begin_group(new)  # the first thing that it writes; the positions are the last
    async with place.moved(yaml.safe_load(repartition.as_yaml(new))) as moved:
        daemon = moved.start()
        assert daemon.process.wait(PATIENCE) == 1
        said = daemon.log.read_text()
        assert f"the consumer group {new.application_id} has read" in said
        assert "Traceback" not in said, "though each of the six tasks is refused for a partition of its own"


async def test_what_no_pod_has_read_yet_is_not_moved(place: Place) -> None:
    done = as_documented(place, 6)
    assert done.returncode == 1
    assert "holds no positions: run the pods once until they are ready" in done.stderr
