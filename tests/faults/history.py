"""What the topics hold, as any reader of committed records sees it, and the changelog commit by commit."""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from slamon import clock
from slamon.domain.decisions import AlertTransition, FactKey, Facts
from slamon.kafka import changelog
from slamon.kafka.changelog import Owner, Positions, Reading

FOLLOW_EVERY = 1.0  # s


class Reader:
    """Keeps what it has read, and reads on from there. `follow` keeps also what is deleted later."""

    def __init__(self, bootstrap: str, partitions: int) -> None:
        self._bootstrap = bootstrap
        self._partitions = partitions
        self._read: dict[TopicPartition, list[Any]] = defaultdict(list)
        self._at: dict[TopicPartition, int] = defaultdict(int)

    async def read(self, *topics: str) -> dict[str, dict[int, list[Any]]]:
        """All records of these topics up to where they end now, by topic and partition."""
        tps = [TopicPartition(topic, number) for topic in topics for number in range(self._partitions)]
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="none",
            fetch_max_wait_ms=50,
        )
        try:
            await consumer.start()
            ends = await consumer.end_offsets(tps)
            first = await consumer.beginning_offsets(tps)
            for tp in tps:
                assert first[tp] <= self._at[tp], f"{tp}: deleted before it was read"
                if self._at[tp] == ends[tp]:
                    continue
                consumer.assign([tp])
                consumer.seek(tp, self._at[tp])
                while self._at[tp] < ends[tp]:
                    found = (await consumer.getmany(tp, timeout_ms=200, max_records=5000)).get(tp, [])
                    at = await consumer.position(tp)
                    self._read[tp] += found  # no await from here on: both or neither
                    self._at[tp] = at
        finally:
            await consumer.stop()
        return {
            topic: {
                number: list(self._read[TopicPartition(topic, number)]) for number in range(self._partitions)
            }
            for topic in topics
        }

    async def follow(self, topic: str) -> None:
        """Read on and on, until it is cancelled; while brokers are away, once they are back."""
        while True:
            with contextlib.suppress(KafkaError, TimeoutError):
                async with asyncio.timeout(20):
                    await self.read(topic)
            await clock.wait(FOLLOW_EVERY)


@dataclass(frozen=True, slots=True)
class Taking:
    """Somebody took a task; `at`: microseconds by the wall clock."""

    at: int
    owner: Owner


@dataclass(frozen=True, slots=True)
class Commit:
    """`facts`: what the commit changed. `decided`: the alert transitions that it says for the first time, by number."""

    at: int
    owner: Owner
    positions: Positions
    facts: tuple[tuple[FactKey, Facts], ...]
    decided: dict[int, AlertTransition]


@dataclass
class Task:
    """All that the changelog's partition says, in its order."""

    takings: list[Taking] = field(default_factory=list)
    renewals: list[Taking] = field(
        default_factory=list
    )  # the owner was written once more, as in a long restore
    commits: list[Commit] = field(default_factory=list)
    reading: Reading = field(default_factory=Reading)

    @property
    def positions(self) -> Positions:
        assert self.reading.positions is not None, "the task never committed"
        return self.reading.positions

    def facts(self) -> Iterator[tuple[FactKey, Facts]]:
        return ((key, facts) for key, facts, _ in self.reading.facts())


def task_of(records: Iterable[Any]) -> Task:
    task = Task()
    facts: dict[bytes, dict[bytes, bytes]] = defaultdict(dict)  # name → its parts, by key
    changed: dict[bytes, None] = {}
    commit = Reading()  # what it says for the first time
    owner: Owner | None = None
    for record in records:
        key, value = record.key, record.value
        task.reading.take(key, value)
        letter = key[:1]
        if letter in (changelog.FACTS, changelog.STATEMENT):
            name = letter + key[3:]
            changed[name] = None
            if value is None:
                facts[name].pop(key, None)
            else:
                facts[name][key] = value
        else:
            commit.take(key, value)
        if letter == changelog.OWNER:
            assert commit.owner is not None
            renewed = owner is not None and owner.nonce == commit.owner.nonce
            owner = commit.owner
            (task.renewals if renewed else task.takings).append(Taking(record.timestamp * 1000, owner))
        elif letter == changelog.POSITIONS:
            for name in changed:
                for part, said in facts[name].items():
                    commit.take(part, said)
            assert owner is not None
            assert commit.positions is not None
            found = tuple((of, one) for of, one, _ in commit.facts())
            at = record.timestamp * 1000
            task.commits.append(Commit(at, owner, commit.positions, found, commit.outbox))
            changed, commit = {}, Reading()
    return task


@dataclass(frozen=True, slots=True)
class Alert:
    """A record of the alerts topic."""

    id: str
    number: int
    episode: int
    transition: str
    said: dict[str, Any]

    @property
    def labels(self) -> tuple[tuple[str, str], ...]:
        return tuple(sorted(self.said["labels"].items()))


def alerts_of(records: Iterable[Any]) -> dict[int, Alert]:
    """Without repetitions, by number.

    Raises AssertionError if a number has two contents.
    """
    found: dict[int, Alert] = {}
    for record in records:
        said = orjson.loads(record.value)
        alert = Alert(said["id"], said["number"], said["episode"], said["transition"], said)
        known = found.setdefault(alert.number, alert)
        assert known.said == said, f"two transitions have the number {alert.number}: {known.said} and {said}"
    return dict(sorted(found.items()))


def open_alerts(alerts: Iterable[Alert]) -> dict[str, Alert]:
    """By id; those that have fired and not resolved."""
    newest = {alert.id: alert for alert in alerts}
    return {id_: alert for id_, alert in newest.items() if alert.transition == "fired"}


def dump(topics: Mapping[str, Mapping[int, list[Any]]], folder: Path) -> None:
    """As NDJSON, a file for each topic: what the brokers hold is gone with them."""
    for topic, partitions in topics.items():
        with (folder / f"{topic}.ndjson").open("wb") as file:
            for partition, records in partitions.items():
                for record in records:
                    said = {
                        "partition": partition,
                        "offset": record.offset,
                        "timestamp": record.timestamp,
                        "key": _text(record.key),
                        "value": _text(record.value),
                    }
                    file.write(orjson.dumps(said) + b"\n")


def _text(told: bytes | None) -> str | None:
    """A character for each byte."""
    return None if told is None else told.decode("latin-1")
