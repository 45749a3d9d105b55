"""An application that is moved to another number of partitions goes on as if nothing had happened, on a real broker."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml

from slamon.demo.processes import Alertmanager, Kafka
from tests.end_to_end.customers import AGREEMENTS, CUSTOMERS, Story, early, read_all, remembered, unread
from tests.end_to_end.place import Alert, Place, assert_numbered, placed, run_slamon, until, whole_second


@pytest.fixture
async def place(tmp_path: Path, kafka: Kafka, alertmanager: Alertmanager) -> AsyncIterator[Place]:
    async with placed(tmp_path, kafka.bootstrap, alertmanager, AGREEMENTS) as made:
        yield made


async def move(place: Place, to: int) -> Place:
    done = run_slamon("repartition", "--config", place.config, "--to", str(to))
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
        done = run_slamon("repartition", "--config", place.config, "--to", "5", "--dry-run")
        assert "members are in the group" in done.stderr or done.returncode == 0, done.stderr
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

    refused = run_slamon("repartition", "--config", place.config, "--to", "6")
    assert refused.returncode == 1
    assert "1 members are in the group" in refused.stderr
    assert "stop all pods" in refused.stderr
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
            again = run_slamon("repartition", "--config", place.config, "--to", str(to))
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
