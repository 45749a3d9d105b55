"""What the topics hold, as any reader of committed records sees it, and the changelog commit by commit."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition

from slamon.domain.decisions import AlertTransition, FactKey, Facts
from slamon.kafka import changelog, formats
from slamon.kafka.changelog import Owner, Positions, Reading


class Reader:
    """Reads on from where it was; so a topic can be looked at again and again."""

    def __init__(self, bootstrap: str, partitions: int) -> None:
        self._bootstrap = bootstrap
        self._partitions = partitions
        self._read: dict[TopicPartition, list[Any]] = {}

    async def read(self, *topics: str) -> dict[str, dict[int, list[Any]]]:
        """All records of these topics up to where they end now, by topic and partition."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="none",
            fetch_max_wait_ms=50,
        )
        await consumer.start()
        try:
            tps = [TopicPartition(topic, number) for topic in topics for number in range(self._partitions)]
            ends = await consumer.end_offsets(tps)
            first = await consumer.beginning_offsets(tps)
            for tp in tps:
                found = self._read.setdefault(tp, [])
                at = found[-1].offset + 1 if found else first[tp]
                if at >= ends[tp]:
                    continue
                consumer.assign([tp])
                consumer.seek(tp, at)
                while await consumer.position(tp) < ends[tp]:
                    found += (await consumer.getmany(tp, timeout_ms=200, max_records=5000)).get(tp, [])
        finally:
            await consumer.stop()
        return {
            topic: {
                number: list(self._read[TopicPartition(topic, number)]) for number in range(self._partitions)
            }
            for topic in topics
        }


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
    facts: tuple[tuple[FactKey, Facts | None], ...]
    decided: dict[int, AlertTransition]


@dataclass
class Task:
    """All that the changelog's partition says, in its order."""

    takings: list[Taking] = field(default_factory=list)
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
    changed: dict[bytes, None] = {}
    decided: dict[int, AlertTransition] = {}
    for record in records:
        task.reading.take(record.key, record.value)
        letter = record.key[:1]
        if letter in (changelog.FACTS, changelog.STATEMENT):
            changed[letter + b"\x00\x00" + record.key[3:]] = None
        elif letter == changelog.OUTBOX and record.value is not None:
            number = int.from_bytes(record.key[1:], "big")
            decided[number] = task.reading.outbox[number]
        elif letter == changelog.OWNER:
            assert task.reading.owner is not None
            task.takings.append(Taking(record.timestamp * 1000, task.reading.owner))
        elif letter == changelog.POSITIONS:
            assert task.reading.owner is not None
            facts = tuple(_facts(task.reading, key) for key in changed)
            task.commits.append(
                Commit(record.timestamp * 1000, task.reading.owner, task.positions, facts, decided)
            )
            changed, decided = {}, {}
    return task


def _facts(reading: Reading, key: bytes) -> tuple[FactKey, Facts | None]:
    """What stands under the key of a first part."""
    first = reading._standing.get(key)
    name = changelog._decode_key(key[3:])
    if first is None:
        return name, None
    parts: int = changelog._PART.unpack_from(first, 1)[0]
    return name, formats.unpack(first[0], name, reading._whole(key, first, parts))


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
