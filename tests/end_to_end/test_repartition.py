"""An application that is moved to another number of partitions goes on as if nothing had happened, on a real broker."""

import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import orjson
import pytest
import yaml

from slamon.agreement_files import load
from slamon.codec import Rejected, decode
from slamon.demo.processes import Alertmanager, Kafka
from slamon.domain.agreement import Agreement
from slamon.domain.events import DAY, HOUR, MINUTE, Event
from slamon.domain.monitor import Monitor
from slamon.kafka.partitioner import partition_for
from slamon.replay import judge
from tests.end_to_end.place import (
    Alert,
    Place,
    assert_numbered,
    availability,
    placed,
    ticket,
    until,
    whole_second,
)
from tests.end_to_end.test_daemon import run_slamon
from tests.laws.test_laws_of_the_step import Told, told

CUSTOMERS = [f"customer-{n}" for n in range(10)]
AGREEMENT = """\
apiVersion: slamon/v1
kind: Agreement
metadata: {{name: "{customer}-{{place}}"}}
spec:
  customer: {customer}
  effective: {{from: 2026-01-01}}
  services: [{{name: web}}, {{name: mail}}]
  objectives:
    - name: response
      ticketClock: {{measure: firstResponse, calendar: always, target: 10m, warnAt: [75%]}}
    - name: mail-up
      service: mail
      availability: {{target: 99%, timeWindow: {{calendar: month}}, alerts: {{burnRates: none, timeLeft: [50%]}}}}
    - name: web-up
      service: web
      availability: {{target: 99%, timeWindow: {{calendar: month}}, alerts: {{burnRates: none, timeLeft: [50%]}}}}
"""


@pytest.fixture
async def place(tmp_path: Path, kafka: Kafka, alertmanager: Alertmanager) -> AsyncIterator[Place]:
    agreements = "---\n".join(AGREEMENT.format(customer=customer) for customer in CUSTOMERS)
    async with placed(tmp_path, kafka.bootstrap, alertmanager, agreements) as made:
        yield made


def early(now: int) -> Iterator[dict[str, object]]:
    """Of each customer: an old ticket that was missed, one that is about to be, and two services of which one fails."""
    for customer in CUSTOMERS:
        mine = {"customer": customer}
        yield ticket("old", now - 40 * DAY, status="open", **mine)
        yield ticket("old", now - 40 * DAY + HOUR, reply="agent", **mine)
        yield ticket("waits", now - 9 * MINUTE, status="open", **mine)
        yield availability("mail", now - 60 * DAY, "up", **mine)
        yield availability("mail", now - 2 * HOUR, "down", **mine)
    yield availability("web", now - 60 * DAY, "up")
    yield availability("web", now - 30 * DAY, "down")
    yield availability("web", now - 29 * DAY, "up")


def unread(now: int) -> Iterator[dict[str, object]]:
    """What comes while nobody runs: something that ends alerts, something that fires, something for everybody."""
    for customer in CUSTOMERS[::2]:
        yield ticket("waits", now, reply="agent", customer=customer)
        yield ticket(f"new-{now}", now - 20 * MINUTE, status="open", customer=customer)
    yield availability("web", now - 3 * DAY, "down")
    yield availability("web", now - 2 * DAY, "up")


class Story:
    """All that happened, and what a replay of it says."""

    def __init__(self, place: Place) -> None:
        self.agreements = load([place.folder / "agreements.yaml"]).agreements
        self.events: list[Event] = []

    def publish(self, place: Place, events: Iterator[dict[str, object]]) -> None:
        lines = [orjson.dumps(event) for event in events]
        file = place.folder / "events.ndjson"
        file.write_bytes(b"\n".join(lines))
        done = run_slamon("publish", "--config", place.config, file)
        assert done.returncode == 0, done.stderr
        for line in lines:
            event = decode(line, now=None)
            assert not isinstance(event, Rejected)
            self.events.append(event)

    def replayed(self, until: int) -> Told:
        return told(judge(self.agreements, self.events, until))

    async def kept(self, place: Place, until: int) -> Told:
        """What follows, as of an instant, from the facts in the changelog of the place."""
        parts = []
        for partition, reading in (await place.readings()).items():
            mine = [one for one in self.agreements if _home(one, place) == partition]
            monitor = Monitor(mine, steps=False)
            for key, facts, _ in reading.facts():
                monitor.restore(key, facts)
            monitor.start(until)
            monitor.advance(until)
            parts.append(told(monitor))
        return Told(
            *(
                sorted(line for part in parts for line in getattr(part, kind))
                for kind in ("clocks", "standings", "statements")
            )
        )

    async def assert_kept(self, place: Place) -> None:
        """Everything that happened stands, and it comes to the same."""
        now = max(positions.now for positions in (await place.positions()).values())
        replayed = self.replayed(now)
        kept = await self.kept(place, now)
        for kind in ("clocks", "standings", "statements"):
            assert getattr(kept, kind) == sorted(getattr(replayed, kind)), kind


def _home(agreement: Agreement, place: Place) -> int:
    return partition_for(agreement.customer.encode(), place.partitions, "murmur2")


async def read_all(place: Place) -> None:
    """Wait until everything in the inputs is read, and judged."""

    async def done() -> bool:
        positions = await place.positions()
        for topic in (place.names.tickets, place.names.availability):
            for partition, end in (await place.input_ends(topic)).items():
                if partition not in positions or positions[partition].inputs[topic] < end:
                    return False
        return all(one.now for one in positions.values())

    await until(done, "all inputs are read")


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


async def remembered(place: Place) -> set[tuple[str, int]]:
    """The same, as the changelog knows them."""
    return {
        (facts.alert.firing.id, facts.alert.firing.episode)
        for reading in (await place.readings()).values()
        for _, facts, _ in reading.facts()
        if facts.alert is not None and facts.alert.firing is not None
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
