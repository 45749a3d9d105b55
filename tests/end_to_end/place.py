"""A slamon as users run it: settings in a file, `slamon run` as a process, events from a producer that knows nothing of it.

A `Place` has topics, application and agreements of its own, so that tests can share a broker. What its daemons did is
read where users read it: their log, their pages, the topics, Alertmanager.
"""

import contextlib
import itertools
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import aiohttp
import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from slamon import clock
from slamon.codec import format_instant
from slamon.demo.processes import Alertmanager
from slamon.domain.events import SECOND
from slamon.kafka import topics
from slamon.kafka.changelog import Positions, Reading
from slamon.settings import Settings, read_settings

PATIENCE = 60.0  # s; for what comes true by itself
PARTITIONS = 4
SLAMON = (sys.executable, "-m", "slamon")
KINDS = ("tickets", "availability", "changelog", "alerts", "standings", "statements", "dead_letters")

Event = Mapping[str, object]
_numbers = itertools.count()


def whole_second() -> int:
    """Now, so that it is told everywhere in the same way."""
    return clock.now() // SECOND * SECOND


def ticket(name: str, at: int, **members: object) -> dict[str, object]:
    """An event of a ticket; the first of a ticket opens it."""
    told = {"time": format_instant(at), "type": "ticket", "ticket": name, **members}
    return {"id": f"{name}-{at}-{'-'.join(members)}", **told}


def availability(service: str, at: int, status: str, **members: object) -> dict[str, object]:
    told = {"time": format_instant(at), "type": "availability", "service": service, "status": status}
    return {"id": f"{service}-{at}", **told, **members}


async def until(condition: Callable[[], Awaitable[bool]], what: str, within: float = PATIENCE) -> None:
    deadline = clock.monotonic() + within
    while not await condition():
        assert clock.monotonic() < deadline, f"in vain waited until {what}"
        await clock.wait(0.05)


async def get(address: str, **parameters: str) -> tuple[int, bytes]:
    """Status and body; (0, b"") while nobody listens there."""
    try:
        async with aiohttp.ClientSession() as session, session.get(address, params=parameters) as answer:
            return answer.status, await answer.read()
    except aiohttp.ClientConnectionError:
        return 0, b""


def run_slamon(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*SLAMON, *arguments], capture_output=True, text=True, check=False, timeout=120)


class Daemon:
    """One `slamon run`, and what it has said."""

    def __init__(
        self, config: Path, log: Path, release: Path | None = None, program: Sequence[str] = SLAMON
    ) -> None:
        """`release`: a folder in which another one is installed."""
        self.log = log
        environment = os.environ if release is None else os.environ | {"PYTHONPATH": str(release)}
        with log.open("wb") as out:
            command = [*program, "run", "--config", str(config)]
            self.process = subprocess.Popen(
                command, stdout=out, stderr=subprocess.STDOUT, env=environment, cwd=release
            )
        self._ended = False  # by us

    def assert_goes_on(self) -> None:
        assert self._ended or self.process.poll() is None, self.log.read_text()

    def lines(self) -> list[dict[str, Any]]:
        """Its log; a line that it is just writing is left out."""
        lines = self.log.read_text().splitlines(keepends=True)
        return [orjson.loads(line) for line in lines if line.startswith("{") and line.endswith("\n")]

    def said(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.lines() if line["event"] == event]

    async def started(self) -> "Daemon":
        """Wait until its ports answer; its tasks need not run yet."""

        async def listening() -> bool:
            self.assert_goes_on()
            return bool(self.said("started"))

        await until(listening, "the daemon has started")
        return self

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.said('started')[0]['port']}"

    async def livez(self) -> int:
        status, _ = await get(f"http://127.0.0.1:{self.said('started')[0]['liveness_port']}/livez")
        return status

    async def readyz(self) -> tuple[int, dict[str, str]]:
        """Status, and the state of each task that it owns."""
        status, body = await get(f"{self.address}/readyz")
        tasks: dict[str, str] = orjson.loads(body)["tasks"] if body else {}
        return status, tasks

    async def owns(self) -> set[int]:
        """The tasks that run here; empty while any of its tasks does not."""
        self.assert_goes_on()
        status, tasks = await self.readyz()
        return (
            {int(task) for task in tasks} if status == 200 and {"running"} == set(tasks.values()) else set()
        )

    async def page(self, path: str) -> str:
        self.assert_goes_on()
        status, body = await get(self.address + path)
        assert status == 200, body
        return body.decode()

    async def shows(self, sample: str, page: str = "/metrics") -> None:
        """Wait until the page has this line."""

        async def there() -> bool:
            return sample in (await self.page(page)).splitlines()

        await until(there, f"{page} shows {sample}")

    def ends(self) -> None:
        """It may, from now on."""
        self._ended = True

    def kill(self) -> None:
        """Like a power cut."""
        self._ended = True
        self.process.kill()
        self.process.wait(10)

    def stop(self) -> None:
        """In good order, and the process says so."""
        self._ended = True
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(PATIENCE) == 0, self.log.read_text()


class Place:
    """`agreements` may name the place as `{place}`, so that what Alertmanager holds of it can be told from the rest."""

    def __init__(self, folder: Path, bootstrap: str, alertmanager: str, agreements: str) -> None:
        self.name = f"e{os.getpid()}-{next(_numbers)}"
        self.folder = folder
        self.config = folder / "slamon.yaml"
        self.agree(agreements)
        self._said = {
            "application_id": self.name,
            "agreements": ["agreements.yaml"],
            "kafka": {
                "bootstrap_servers": bootstrap,
                "partitions": PARTITIONS,
                "replication_factor": 1,
                "min_insync_replicas": 1,
                "session_timeout": 6,
                "heartbeat_interval": 0.5,
                "rebalance_timeout": 10,
                "topics": {kind: f"{self.name}.{kind}" for kind in KINDS},
            },
            "notifier": {"alertmanagers": [{"url": alertmanager}]},
            "http": {"host": "127.0.0.1", "port": 0, "liveness_port": 0},
            "log": {"format": "json"},
        }
        self.settings = self._write(self.config, self._said)
        self.names = self.settings.kafka.topics
        self.daemons: list[Daemon] = []
        self.producer: Any = None
        self._alertmanager = alertmanager
        self._reader: Any = None

    def agree(self, agreements: str) -> None:
        """These are the agreements from now on."""
        draft = self.folder / "draft"
        draft.write_text(agreements.replace("{place}", self.name))
        draft.replace(self.folder / "agreements.yaml")

    @staticmethod
    def _write(config: Path, said: Mapping[str, object]) -> Settings:
        config.write_bytes(orjson.dumps(said))  # JSON is YAML
        return read_settings(config)

    async def __aenter__(self) -> Self:
        bootstrap = self.settings.kafka.bootstrap_servers
        self.producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all")
        self._reader = AIOKafkaConsumer(
            bootstrap_servers=bootstrap,
            isolation_level="read_committed",
            enable_auto_commit=False,
            fetch_max_wait_ms=50,
        )
        await self.producer.start()
        await self._reader.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        for daemon in self.daemons:
            daemon.kill()
        await self.producer.stop()
        await self._reader.stop()

    def like(self, name: str, *, agreements_poll: float = 10, **kafka: object) -> Path:
        """Another file of settings, with these changed; those that are not named here are of `kafka`."""
        config = self.folder / name
        changed = {"agreements_poll": agreements_poll, "kafka": {**self._kafka, **kafka}}
        self._write(config, self._said | changed)
        return config

    def with_format(self, version: int) -> Path:
        """Another file of settings, that asks for this format of the changelog."""
        config = self.folder / f"format-{version}.yaml"
        self._write(config, {**self._said, "format": version})
        return config

    def telling(
        self, receivers: Mapping[str, Any], routes: Sequence[Mapping[str, Any]], *, keep: int = 100
    ) -> Path:
        """Another file of settings, with these receivers and routes; `keep` is of `facts`."""
        config = self.folder / "telling.yaml"
        notifier = self._said["notifier"]
        assert isinstance(notifier, dict)
        told = {**notifier, "receivers": dict(receivers), "routes": list(routes)}
        self._write(config, {**self._said, "notifier": told, "facts": {"keep": keep}})
        return config

    @property
    def partitions(self) -> int:
        return self.settings.kafka.partitions

    @property
    def _kafka(self) -> dict[str, object]:
        kafka = self._said["kafka"]
        assert isinstance(kafka, dict)
        return kafka

    async def beside(self) -> "Place":
        """Another application that judges the same inputs by the same agreements; in a folder of its own."""
        folder = self.folder / "beside"
        folder.mkdir()
        other = Place(folder, self.settings.kafka.bootstrap_servers, self._alertmanager, "")
        (folder / "agreements.yaml").write_text((self.folder / "agreements.yaml").read_text())
        inputs = {"tickets": self.names.tickets, "availability": self.names.availability}
        other.names = other.names.model_copy(update=inputs)
        other._said["kafka"] = other._kafka | {"topics": other.names.model_dump()}
        other.settings = self._write(other.config, other._said)
        await other.make_topics()
        return other

    def moved(self, said: Mapping[str, Any]) -> "Place":
        """The same under settings of which these are others; in a folder of its own."""
        folder = self.folder / str(said["application_id"])
        folder.mkdir()
        other = Place(folder, self.settings.kafka.bootstrap_servers, self._alertmanager, "")
        other.name = self.name
        (folder / "agreements.yaml").write_text((self.folder / "agreements.yaml").read_text())
        kafka: dict[str, Any] = self._kafka | said["kafka"]
        kafka["topics"] = self.names.model_dump() | said["kafka"]["topics"]
        other._said = {**self._said, **said, "kafka": kafka}
        other.settings = self._write(other.config, other._said)
        other.names = other.settings.kafka.topics
        return other

    async def make_topics(self) -> None:
        await topics.create(self.settings.kafka)

    def start(
        self, config: Path | None = None, release: Path | None = None, program: Sequence[str] = SLAMON
    ) -> Daemon:
        log = self.folder / f"daemon-{next(_numbers)}.log"
        daemon = Daemon(config or self.config, log, release, program)
        self.daemons.append(daemon)
        return daemon

    async def running(self, config: Path | None = None, release: Path | None = None) -> Daemon:
        """A daemon that owns every task and runs them all."""
        daemon = await self.start(config, release).started()
        await self.until_owns(daemon, *range(self.partitions))
        return daemon

    async def until_owns(self, daemon: Daemon, *tasks: int) -> None:
        async def all_of_them() -> bool:
            return await daemon.owns() == set(tasks)

        await until(all_of_them, f"the daemon runs the tasks {tasks}")

    # Events in -------------------------------------------------------------------------------------------------------

    async def send(self, *events: Event) -> None:
        """As their source would: JSON, by the customer's key; which partition that is, is the producer's business."""
        for event in events:
            topic = self.names.tickets if event["type"] == "ticket" else self.names.availability
            await self.producer.send(topic, orjson.dumps(event), key=str(event["customer"]).encode())
        await self.producer.flush()

    async def home(self, customer: str) -> int:
        """The partition that the producer chooses for a customer."""
        key = customer.encode()
        partitions = sorted(await self.producer.partitions_for(self.names.tickets))
        chosen: int = self.producer._partitioner(key, partitions, partitions)
        return chosen

    # What comes out --------------------------------------------------------------------------------------------------

    async def records(self, topic: str) -> list[Any]:
        """All that readers of committed records see now, one partition after the other."""
        found: list[Any] = []
        for partition in range(self.partitions):
            tp = TopicPartition(topic, partition)
            first = (await self._reader.beginning_offsets([tp]))[tp]
            end = (await self._reader.end_offsets([tp]))[tp]
            self._reader.assign([tp])
            self._reader.seek(tp, first)
            while await self._reader.position(tp) < end:
                found += (await self._reader.getmany(tp, timeout_ms=200)).get(tp, [])
        return found

    async def alerts(self) -> list["Alert"]:
        """Alert transitions in their topic, partition by partition in their order."""
        return [
            Alert(record.partition, orjson.loads(record.value))
            for record in await self.records(self.names.alerts)
        ]

    async def readings(self) -> dict[int, Reading]:
        """What stands in the changelog of each task."""
        readings = {partition: Reading() for partition in range(self.partitions)}
        for record in await self.records(self.names.changelog):
            readings[record.partition].take(record.key, record.value)
        return readings

    async def positions(self) -> dict[int, Positions]:
        """What the changelog says of how far each task has come."""
        found = {partition: reading.positions for partition, reading in (await self.readings()).items()}
        return {partition: positions for partition, positions in found.items() if positions is not None}

    async def input_ends(self, topic: str) -> dict[int, int]:
        ends = await self._reader.end_offsets([TopicPartition(topic, p) for p in range(self.partitions)])
        return {tp.partition: end for tp, end in ends.items()}

    async def firing(self) -> dict[str, dict[str, Any]]:
        """What of this place fires in Alertmanager, by name, ticket and step: `SlaTicketAtRisk T-1 75%`."""
        status, body = await get(
            f"{self._alertmanager}/api/v2/alerts", active="true", filter=f'agreement="{self.name}"'
        )
        assert status in (0, 200), body
        found = [alert for alert in orjson.loads(body or b"[]") if alert["status"]["state"] == "active"]
        return {_short(alert["labels"]): alert for alert in found}

    async def fires(self, *expected: str) -> dict[str, dict[str, Any]]:
        """Wait until exactly these alerts of this place fire in Alertmanager."""
        deadline = clock.monotonic() + PATIENCE
        while True:
            found = await self.firing()
            if set(found) == set(expected):
                return found
            for daemon in self.daemons:
                daemon.assert_goes_on()
            assert clock.monotonic() < deadline, f"{set(found)} fire, and not {expected}"
            await clock.wait(0.05)


class Alert:
    """A record of the alerts topic."""

    def __init__(self, partition: int, said: dict[str, Any]) -> None:
        self.partition = partition
        self.said = said
        self.number: int = said["number"]
        self.short = _short(said["labels"])
        self.transition: str = said["transition"]
        self.reason: str = said["reason"]

    @property
    def identity(self) -> tuple[str, int, str, str]:
        return self.said["id"], self.said["episode"], self.transition, self.reason


def _short(labels: Mapping[str, str]) -> str:
    told = (labels.get(name) for name in ("alertname", "ticket", "step"))
    return " ".join(filter(None, told))


def assert_numbered(alerts: Iterable[Alert]) -> None:
    """In each partition without a gap, without repetition and in order, and no transition twice."""
    numbers: dict[int, list[int]] = {}
    seen: set[tuple[str, int, str]] = set()
    for alert in alerts:
        numbers.setdefault(alert.partition, []).append(alert.number)
        assert alert.identity[:3] not in seen, alert.said
        seen.add(alert.identity[:3])
    for partition, found in numbers.items():
        assert found == list(range(1, len(found) + 1)), f"partition {partition}"


@contextlib.asynccontextmanager
async def placed(
    folder: Path, bootstrap: str, alertmanager: Alertmanager, agreements: str
) -> AsyncIterator[Place]:
    """A place whose topics are there."""
    async with Place(folder, bootstrap, alertmanager.url, agreements) as place:
        await place.make_topics()
        yield place
