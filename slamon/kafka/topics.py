"""The seven topics: made as they must be, and looked at before anything starts.

A changelog with a retention loses live state, inputs with unequal partitions split a task, and a topic that refuses
large batches would stop a task for ever: so `check` refuses to start on them.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka.admin import NewTopic
from aiokafka.errors import KafkaError, NodeNotReadyError, TopicAuthorizationFailedError, for_code

from slamon import clock
from slamon.kafka import acls, clients, cluster, reaching
from slamon.kafka.acls import Doing
from slamon.settings import KafkaSettings

HOUR = 3600
DAY = 24 * HOUR
DEFAULT_RECORD_BYTES = 1_048_588  # max.message.bytes of a broker that was told nothing
DEAD_LETTER_ROOM = 64 * 1024  # for the headers that say why
TOMBSTONES = DAY  # a deleted key must stay deleted for whoever is in the middle of a restore
TIMEOUT = 30.0  # s for one question to the brokers
TOPIC_EXISTS = 36
TOPIC_DENIED = 29
HIDDEN = TopicAuthorizationFailedError.__name__  # it may be there, and we may not even know


class Refused(Exception):  # noqa: N818 - reads as what it says
    """Kafka, or what is in it, is not as it must be; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Layout:
    """What tasks must know of the topics. Retention in microseconds."""

    partitions: int
    dead_letter_partitions: int
    dead_letter_bytes: int
    alerts_retention: int


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as it is; no partitions: it is not there."""

    name: str
    partitions: int
    settings: Mapping[str, str | None]

    @property
    def exists(self) -> bool:
        return self.partitions > 0

    def number(self, name: str, default: int) -> int:
        return int(self.settings.get(name) or default)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What `create` did about one topic."""

    name: str
    partitions: int
    made: bool


def wanted(settings: KafkaSettings) -> dict[str, dict[str, str]]:
    """Topic → the settings it is made with, beside `min.insync.replicas`."""
    names = settings.topics
    return {
        names.tickets: {},
        names.availability: {},
        names.changelog: {
            # "delete" only so that records may be deleted by offset: with a retention, live state would vanish.
            "cleanup.policy": "compact,delete",
            "retention.ms": "-1",
            "retention.bytes": "-1",
            "delete.retention.ms": _ms(TOMBSTONES),
        },
        names.alerts: {"cleanup.policy": "delete", "retention.ms": _ms(7 * DAY)},
        names.standings: {"cleanup.policy": "compact"},
        names.statements: {"cleanup.policy": "compact"},
        names.dead_letters: {
            "cleanup.policy": "delete",
            "retention.ms": _ms(14 * DAY),
            "max.message.bytes": str(DEFAULT_RECORD_BYTES + DEAD_LETTER_ROOM),
        },
    }


async def create(settings: KafkaSettings) -> list[Outcome]:
    """Make the topics that are missing; those that are there are left as they are, right or wrong.

    Raises Refused, before anything is made if the numbers of partitions would not fit; clients.Unreachable.
    """
    admin = await _started(settings)
    try:
        there = await _look(admin, settings, Doing.TOPICS_CREATE)
        partitions = _common_partitions(
            {topic.name: topic.partitions for topic in there.values() if topic.exists}, settings
        )
        missing = [name for name, topic in there.items() if not topic.exists]
        if not missing:
            return [Outcome(name, topic.partitions, made=False) for name, topic in there.items()]
        made = await _make(admin, settings, missing, partitions)
        there = await _look(
            admin, settings, Doing.TOPICS_CREATE
        )  # somebody else may have made some meanwhile, differently
        _common_partitions({topic.name: topic.partitions for topic in there.values()}, settings)
        return [Outcome(name, topic.partitions, made=name in made) for name, topic in there.items()]
    finally:
        await clients.end(admin.close())


async def check(settings: KafkaSettings, doing: Doing = Doing.RUN) -> Layout:
    """What tasks must know of the topics. Raises Refused with everything that is wrong; clients.Unreachable."""
    there = await look(settings, doing)
    faults = faults_of(there, settings)
    if faults:
        raise Refused("\n".join(faults))
    names = settings.topics
    return Layout(
        partitions=there[names.tickets].partitions,
        dead_letter_partitions=there[names.dead_letters].partitions,
        dead_letter_bytes=there[names.dead_letters].number("max.message.bytes", DEFAULT_RECORD_BYTES),
        alerts_retention=_retention(there[names.alerts]),
    )


async def look(settings: KafkaSettings, doing: Doing) -> dict[str, Topic]:
    """The topics as they are, by name.

    Raises Refused if the brokers do not say, or do not allow what is to be done; clients.Unreachable.
    """
    admin = await _started(settings)
    try:
        return await _look(admin, settings, doing)
    finally:
        await clients.end(admin.close())


async def all_about(settings: KafkaSettings, names: Sequence[str], group: str) -> cluster.Cluster:
    """Brokers, topics and group. Raises Refused if the brokers do not say; clients.Unreachable."""
    try:
        return await cluster.look(settings, names, group)
    except (KafkaError, TimeoutError) as error:
        raise Refused(f"the brokers do not answer: {error!r}") from error


def faults_of(there: Mapping[str, Topic], settings: KafkaSettings) -> list[str]:
    """Why tasks must not start on these topics, a sentence each."""
    names = settings.topics
    missing = [name for name, topic in there.items() if not topic.exists]
    if missing:
        return [f"missing: {', '.join(missing)}. Make them with `slamon topics create`"]
    faults = []
    try:
        _common_partitions({name: topic.partitions for name, topic in there.items()}, settings)
    except Refused as refused:
        faults.append(str(refused))

    changelog = there[names.changelog]
    policy = {word.strip() for word in (changelog.settings.get("cleanup.policy") or "").split(",")}
    if policy != {"compact", "delete"}:
        faults.append(_wrong(changelog, "cleanup.policy", "compact,delete", "live state would vanish"))
    faults += [
        _wrong(changelog, name, "-1", "live state would vanish")
        for name in ("retention.ms", "retention.bytes")
        if changelog.number(name, 0) != -1
    ]
    if changelog.number("delete.retention.ms", 0) < HOUR * 1000:
        why = "a restore could miss deletions"
        faults.append(_wrong(changelog, "delete.retention.ms", _ms(TOMBSTONES), why))
    written = (names.changelog, names.alerts, names.standings, names.statements, names.dead_letters)
    faults += [
        _wrong(there[name], "max.message.bytes", str(DEFAULT_RECORD_BYTES), "commits would be refused")
        for name in written
        if there[name].number("max.message.bytes", DEFAULT_RECORD_BYTES) < DEFAULT_RECORD_BYTES
    ]
    return faults


def _wrong(topic: Topic, name: str, right: str, why: str) -> str:
    return f"{topic.name}: {name} is {topic.settings.get(name)}, must be {right}, else {why}"


def _common_partitions(there: Mapping[str, int], settings: KafkaSettings) -> int:
    """The number that all topics but the dead letters share; of none, the setting. Raises Refused."""
    counted = {name: count for name, count in there.items() if name != settings.topics.dead_letters}
    if len(set(counted.values())) > 1:
        listed = ", ".join(f"{name} {count}" for name, count in counted.items())
        raise Refused(
            f"the topics have unequal numbers of partitions ({listed}). Make the one that differs anew, or "
            "begin anew under other names: to let the others grow would part customers from what is known of them"
        )
    return next(iter(counted.values()), settings.partitions)


def _retention(topic: Topic) -> int:
    """For ever is a hundred years."""
    kept = topic.number("retention.ms", 7 * DAY * 1000)
    return (kept if kept >= 0 else 100 * 365 * DAY * 1000) * 1000


def _ms(seconds: int) -> str:
    return str(seconds * 1000)


async def _started(settings: KafkaSettings) -> Any:
    admin = clients.admin(settings)
    await clients.start(admin, settings, TIMEOUT)
    return admin


async def _look(admin: Any, settings: KafkaSettings, doing: Doing) -> dict[str, Topic]:
    names = list(wanted(settings))
    if len(set(names)) < 7:
        raise Refused("two of the topics in kafka.topics have one name: each needs its own")
    try:
        seen = await cluster.topics_seen(admin, names)
        configured = await cluster.settings_of(admin, names)
    except NodeNotReadyError as error:
        raise clients.Unreachable(await reaching.what_is_wrong(settings)) from error
    except (KafkaError, TimeoutError) as error:
        raise Refused(f"the brokers do not say which topics there are: {error!r}") from error
    hidden = {name: frozenset[str]() for name, topic in seen.items() if topic.error == HIDDEN}
    rights = {name: topic.rights for name, topic in seen.items()}
    # Who makes topics needs no right to make those that are there.
    faults = acls.missing(
        acls.topics_needed(settings.topics, doing),
        hidden if doing is Doing.TOPICS_CREATE else rights | hidden,
    )
    faults += [f"{topic.name}: {topic.error}" for topic in seen.values() if topic.error not in (None, HIDDEN)]
    if faults:
        raise Refused("\n".join(faults))
    return {
        name: Topic(name, len(seen[name].partitions) if name in seen else 0, configured.get(name) or {})
        for name in names
    }


async def _make(admin: Any, settings: KafkaSettings, missing: list[str], partitions: int) -> set[str]:
    """Those that were made by us, when all are served."""
    copies = settings.replication_factor
    in_sync = {"min.insync.replicas": str(min(settings.min_insync_replicas, copies))}
    ordered = [
        NewTopic(name, partitions, copies, topic_configs=in_sync | wanted(settings)[name]) for name in missing
    ]
    try:
        async with asyncio.timeout(TIMEOUT):
            answer = await admin.create_topics(ordered)
    except (KafkaError, TimeoutError) as error:
        raise Refused(f"the brokers do not make topics: {error!r}") from error
    failed = [(name, code, why) for name, code, why in answer.topic_errors if code not in (0, TOPIC_EXISTS)]
    if TOPIC_DENIED in {code for _, code, _ in failed}:
        wanted_acls = acls.topics_needed(settings.topics, Doing.TOPICS_CREATE)
        raise Refused("\n".join(acls.missing(wanted_acls, {name: frozenset() for name, *_ in failed})))
    if failed:
        reasons: dict[str, list[str]] = {}
        for name, code, why in failed:
            reasons.setdefault(why or for_code(code).__name__, []).append(name)
        listed = "; ".join(f"{', '.join(of)}: {why}" for why, of in reasons.items())
        raise Refused(
            f"could not make {listed} (kafka.replication_factor is {copies}, kafka.partitions {settings.partitions})"
        )
    await _until_led(admin, missing)
    return {name for name, code, _ in answer.topic_errors if code == 0}


async def _until_led(admin: Any, names: list[str]) -> None:
    """A topic that was just made has no leaders yet for a moment."""
    try:
        async with asyncio.timeout(TIMEOUT):
            while True:
                described = await admin.describe_topics(names)
                if all(
                    topic["error_code"] == 0
                    and topic["partitions"]
                    and all(one["error_code"] == 0 for one in topic["partitions"])
                    for topic in described
                ):
                    return
                await clock.wait(0.05)
    except (KafkaError, TimeoutError) as error:
        raise Refused(
            f"made {', '.join(names)}, but the brokers do not serve them: are all brokers up?"
        ) from error
