"""`slamon doctor` on real brokers: a healthy slamon is all well, and each fault that is provoked gives its finding."""

import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import GroupCoordinatorNotAvailableError
from aiokafka.protocol.admin import CreateAclsRequest

from slamon import clock
from slamon.demo.processes import Alertmanager, Kafka, free_ports
from slamon.doctor import Finding, Group, Level, examined
from slamon.domain.events import MINUTE, SECOND
from slamon.kafka import changelog, topics
from slamon.kafka.changelog import Positions
from slamon.kafka.partitioner import partition_for
from slamon.settings import read_settings
from tests.end_to_end.conftest import Part
from tests.end_to_end.place import (
    PARTITIONS,
    SLAMON,
    Place,
    availability,
    placed,
    ticket,
    until,
    whole_second,
)

ACME = """\
apiVersion: slamon/v1
kind: Agreement
metadata: {name: "{place}"}
spec:
  customer: acme
  effective: {from: 2020-01-01}
  objectives: [{name: response, ticketClock: {measure: firstResponse, calendar: always, target: 10m}}]
"""
ONE_BROKER = "there is one broker: whatever happens to it stops everything"


@pytest.fixture
async def place(tmp_path: Path, kafka: Kafka, alertmanager: Alertmanager) -> AsyncIterator[Place]:
    async with placed(tmp_path, kafka.bootstrap, alertmanager, ACME) as acme:
        yield acme


@pytest.fixture
async def admin(kafka: Kafka) -> AsyncIterator[Any]:
    client = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await client.start()
    yield client
    await client.close()


async def found(place: Place, config: Path | None = None) -> list[tuple[Group, Finding]]:
    """All that is not well, but for what the broker of these tests is: one."""
    settings = read_settings(config or place.config)
    return [
        (group, finding)
        for group, finding in await examined(settings, place.config, clock.wall())
        if finding.level is not Level.OK and finding.what != ONE_BROKER
    ]


def slamon(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*SLAMON, *arguments], capture_output=True, text=True, check=False, timeout=120)


async def test_of_a_healthy_slamon_all_is_well(place: Place) -> None:
    for number in range(3):
        await place.send(
            ticket(f"T-{number}", whole_second(), customer="acme"),
            availability("web", whole_second() + number, "up", customer="acme"),
        )
    await place.running()

    async def judged() -> bool:
        return len(await place.positions()) == PARTITIONS

    await until(judged, "every task has committed")
    done = slamon("doctor", "--config", place.config)
    assert done.returncode == 0, done.stdout
    lines = done.stdout.splitlines()
    assert [line for line in lines if line.startswith("  ") and not line.startswith("  ok ")] == [
        f"  warning  {ONE_BROKER}",
        "           → run three",
    ]
    assert [line.lower() for line in lines if line and not line.startswith(" ")] == [
        *(group.value for group in Group),
        "0 errors, 1 warning",
    ]
    for well in (
        "  ok       7 topics of 4 partitions",
        f"  ok       1 process in the group {place.name}",
        "  ok       4 tasks judge by the minute",
        f"  ok       {place.names.tickets}: the newest 3 records can be used",
        "  ok       those of processes and brokers agree, by the commits of 4 tasks",
        "  ok       1 agreement of 1 customer",
    ):
        assert well in lines
    thorough = slamon("doctor", "--config", place.config, "--strict", "--thorough")
    assert thorough.returncode == 1
    assert f"  ok       {place.names.changelog} holds " in thorough.stdout
    document = orjson.loads(slamon("doctor", "--config", place.config, "--format", "json").stdout)
    assert document["summary"]["error"] == 0
    assert {finding["group"] for finding in document["findings"]} == {group.value for group in Group}


@pytest.mark.parametrize(
    ("kind", "settings", "level", "what"),
    [
        ("tickets", {"cleanup.policy": "compact"}, Level.ERROR, "cleanup.policy is compact: events are dropped"),
        ("availability", {"retention.ms": "3600000"}, Level.WARNING, "retention.ms is 3600000: after an outage"),
        ("changelog", {"cleanup.policy": "compact"}, Level.ERROR, "cleanup.policy is compact: live state would vanish"),
        ("changelog", {"retention.ms": "604800000"}, Level.ERROR, "retention.ms is 604800000: live state would vanish"),
        ("changelog", {"delete.retention.ms": "1000"}, Level.ERROR, "delete.retention.ms is 1000: a restore could"),
        ("alerts", {"retention.ms": "60000"}, Level.WARNING, "retention.ms is 60000: alerts that a restore"),
        ("alerts", {"max.message.bytes": "1000"}, Level.ERROR, "max.message.bytes is 1000: commits would be refused"),
        ("standings", {"cleanup.policy": "delete"}, Level.ERROR, "cleanup.policy is delete: the standing of an"),
        ("statements", {"cleanup.policy": "compact,delete"}, Level.ERROR, "compact,delete with a retention: statements"),
        ("dead_letters", {"retention.ms": "3600000"}, Level.WARNING, "retention.ms is 3600000: dead letters of"),
        ("dead_letters", {"max.message.bytes": "1048588"}, Level.WARNING, "the largest records are kept there without"),
        ("tickets", {"unclean.leader.election.enable": "true"}, Level.WARNING, "a broker that lags behind may take over"),
    ],
)  # fmt: skip
async def test_a_topic_with_a_wrong_setting_is_found_with_the_command_that_mends_it(
    place: Place, admin: Any, kind: str, settings: dict[str, str], level: Level, what: str
) -> None:
    name = getattr(place.names, kind)
    right = topics.wanted(place.settings.kafka)[name]
    await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, {**right, **settings})])
    findings: list[Finding] = []

    async def in_force() -> bool:
        findings[:] = [finding for group, finding in await found(place) if group is Group.TOPICS]
        return bool(findings)

    await until(in_force, "the setting is in force")
    [finding] = findings
    assert finding.level is level
    assert finding.what.startswith(f"{name}: ")
    assert what in finding.what
    [setting] = settings
    assert f"--alter --topic {name} --add-config {setting}=" in finding.help


async def test_missing_and_unequal_topics_are_found(place: Place, admin: Any) -> None:
    await admin.delete_topics([place.names.alerts])

    async def gone() -> bool:
        return place.names.alerts not in await admin.list_topics()

    await until(gone, "the topic is deleted")
    whole = await examined(place.settings, place.config, clock.wall())
    assert Group.RIGHTS not in dict(whole), "of what is not there nothing is said to be well"
    assert [finding.level for group, finding in whole if group is Group.TOPICS] == [Level.ERROR]
    assert (
        Group.TOPICS,
        Finding(Level.ERROR, f"missing: {place.names.alerts}", "make them with `slamon topics create`"),
    ) in await found(place)
    await admin.create_topics([NewTopic(place.names.alerts, PARTITIONS + 1, 1)])

    async def there() -> bool:
        return place.names.alerts in await admin.list_topics()

    await until(there, "the topic is made")
    assert any("unequal numbers of partitions" in finding.what for _, finding in await found(place))


async def test_a_producer_with_the_other_partitioner_is_found_by_the_newest_records(place: Place) -> None:
    for number in range(30):
        customer = f"c{number}"
        event = ticket("T", whole_second(), customer=customer)
        await place.producer.send_and_wait(
            place.names.tickets,
            orjson.dumps(event),
            partition=partition_for(customer.encode(), PARTITIONS, "crc32"),
        )
    [finding] = [one for group, one in await found(place) if group is Group.INPUTS]
    assert finding.level is Level.ERROR
    assert (
        "of the newest 30 events with a customer lie in another partition than murmur2 says" in finding.what
    )
    assert finding.help.startswith("set kafka.partitioner: crc32")
    assert [
        one
        for group, one in await found(place, place.like("crc.yaml", partitioner="crc32"))
        if group is Group.INPUTS
    ] == []


async def test_records_that_are_no_events_are_found_with_an_example(place: Place) -> None:
    await place.send(*(ticket(f"T-{number}", whole_second(), customer="acme") for number in range(3)))
    await place.producer.send_and_wait(place.names.tickets, b"{", partition=0)
    [finding] = [one for group, one in await found(place) if group is Group.INPUTS]
    assert finding.level is Level.WARNING
    assert "1 of the newest 4 records cannot be used: 1 not_json" in finding.what
    assert f"{place.names.tickets}/0/" in finding.help


async def test_dead_letters_and_who_is_not_there_are_found(place: Place) -> None:
    await place.producer.send_and_wait(place.names.tickets, b"{", partition=0)
    daemon = await place.running()

    async def recorded() -> bool:
        return len(await place.records(place.names.dead_letters)) == 1

    await until(recorded, "the letter is there")
    daemon.stop()
    [port] = free_ports(1)
    place.agree(ACME.replace("target: 10m", "tagret: 10m"))
    config = place.like("faulty.yaml")
    said = orjson.loads(config.read_bytes())
    said["notifier"]["alertmanagers"] = [{"url": f"http://127.0.0.1:{port}"}]
    config.write_bytes(orjson.dumps(said))
    findings = dict(await found(place, config))
    assert findings[Group.DEAD_LETTERS].what == "since yesterday 1 record could not be used: 1 not_json"
    assert f"--config {place.config} --since 1d" in findings[Group.DEAD_LETTERS].help
    assert findings[Group.TASKS].what == f"no slamon runs as the group {place.name}"
    assert "unknown key `tagret`" in findings[Group.AGREEMENTS].what
    assert findings[Group.AGREEMENTS].level is Level.ERROR
    refused = f"http://127.0.0.1:{port}/: no connection to 127.0.0.1:{port}: Connection refused"
    assert findings[Group.ALERTMANAGERS].what == refused
    assert slamon("dead-letters", "dismiss", "--config", place.config).stdout == "1 dismissed\n"
    assert Group.DEAD_LETTERS not in dict(await found(place, config))


async def test_where_no_broker_answers_the_rest_is_looked_at_all_the_same(place: Place) -> None:
    [port] = free_ports(1)
    findings = await found(place, place.like("nowhere.yaml", bootstrap_servers=f"127.0.0.1:{port}"))
    [(group, finding)] = findings
    assert group is Group.BROKERS
    assert finding.what == f"no Kafka answers at 127.0.0.1:{port}"
    assert "kafka.bootstrap_servers" in finding.help


async def commit(place: Place, positions: Positions, at: int) -> None:
    """What a task 0 whose clock shows `at` would have committed."""
    producer = AIOKafkaProducer(
        bootstrap_servers=place.settings.kafka.bootstrap_servers, transactional_id=f"{place.name}-0"
    )
    await producer.start()
    key, value = changelog.positions_record(positions)
    async with producer.transaction():
        await producer.send_and_wait(
            place.names.changelog, value, key=key, partition=0, timestamp_ms=at // 1000
        )
    await producer.stop()


async def test_lost_records_are_found(place: Place, admin: Any) -> None:
    topic = TopicPartition(place.names.tickets, 0)
    for _ in range(9):
        await place.producer.send_and_wait(topic.topic, b"{}", partition=0)
    inputs = {place.names.tickets: 2, place.names.availability: 5}
    await commit(place, Positions(inputs, clock.now(), 0, 0), clock.now())
    await admin.delete_records({topic: RecordsToDelete(6)})
    findings = {finding.what: finding for group, finding in await found(place) if group is Group.INPUTS}
    assert f"{topic.topic}/0: 4 records gone before they were read" in findings
    assert any(
        what.startswith(f"{place.names.availability}/0 ends at 0, before what was read of it (5)")
        for what in findings
    )


@pytest.mark.parametrize(
    ("off", "level", "side"),
    [
        (-30 * SECOND, Level.WARNING, "behind"),
        (30 * SECOND, Level.WARNING, "ahead of"),
        (-20 * MINUTE, Level.ERROR, "behind"),
    ],
)
async def test_clocks_that_are_apart_are_found_by_what_was_committed(
    place: Place, off: int, level: Level, side: str
) -> None:
    await commit(place, Positions({}, clock.now(), 0, 0), clock.now() + off)
    [finding] = [one for group, one in await found(place) if group is Group.CLOCKS]
    assert finding.level is level
    assert "the process that has task 0 is " in finding.what
    assert finding.what.endswith(f" {side} its broker's")


# ------------------------------------------------------------------------------------------------- brokers of their own


@pytest.fixture(scope="module")
def strict_kafka(part: Part, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """With limits that do not suit slamon, and an authorizer for which what has no list is open to all."""
    properties = {
        "transaction.max.timeout.ms": "30000",
        "group.max.session.timeout.ms": "4000",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "allow.everyone.if.no.acl.found": "true",
    }
    folder = tmp_path_factory.mktemp("strict") / "kafka"
    with Kafka(folder, java=part("java"), libs=part("kafka"), properties=properties) as started:
        yield started


async def test_limits_and_rights_of_the_brokers_are_found(
    strict_kafka: Kafka, alertmanager: Alertmanager, tmp_path: Path
) -> None:
    async with placed(tmp_path, strict_kafka.bootstrap, alertmanager, ACME) as place:
        admin = AIOKafkaAdminClient(bootstrap_servers=strict_kafka.bootstrap)
        await admin.start()
        topic, group, transactional_id, literal, allow = 2, 3, 5, 3, 3
        read, write, describe, configs = 3, 4, 8, 10

        async def coordinated() -> bool:
            """The brokers have made the topics that say who coordinates groups and transactions."""
            try:
                for kind in (0, 1):
                    await place.producer.client.coordinator_lookup(kind, place.name)
            except GroupCoordinatorNotAvailableError:
                return False
            return True

        await until(coordinated, "there are coordinators")
        lists = [
            (topic, place.names.alerts, literal, "User:somebody", "*", read, allow),
            (group, place.name, literal, "User:somebody", "*", read, allow),
            (transactional_id, f"{place.name}-0", literal, "User:somebody", "*", write, allow),
            *(
                (topic, place.names.statements, literal, "User:ANONYMOUS", "*", operation, allow)
                for operation in (describe, configs)
            ),
        ]
        for entry in lists:
            answer = await admin._client.send(admin._client.get_random_node(), CreateAclsRequest(*entry))
            assert not any(one["error_code"] for one in answer.to_object()["creation_responses"]), answer
        await admin.close()

        async def in_force() -> bool:
            return len([one for one in await found(place) if one[0] is Group.RIGHTS]) == 4

        await until(in_force, "the lists are in force")
        findings = await found(place)
        brokers = [finding.what for group, finding in findings if group is Group.BROKERS]
        assert brokers == [
            "broker 1: transaction.max.timeout.ms is 30000: no task can start: its transactions may last longer",
            "broker 1: group.max.session.timeout.ms is 4000: no process can join: kafka.session_timeout is longer",
        ]
        rights = [finding for group, finding in findings if group is Group.RIGHTS]
        assert [finding.what.partition(":")[0] for finding in rights] == [
            f"no right to Read, Write, DescribeConfigs on topic {place.names.alerts}",
            f"no right to Write on topic {place.names.statements}",
            f"no right to Read on group {place.name}",
            f"no right to Write on transactional-id {place.name}-*",
        ]
        assert rights[1].help.endswith(f"--operation Write --topic {place.names.statements}")
        hidden = [finding.what for group, finding in findings if group is Group.TOPICS]
        assert f"{place.names.alerts} cannot be seen: TopicAuthorizationFailedError" in hidden


async def test_copies_that_are_not_in_sync_are_found(
    part: Part, alertmanager: Alertmanager, tmp_path: Path
) -> None:
    with Kafka(tmp_path / "three", java=part("java"), libs=part("kafka"), brokers=3) as three:
        async with placed(tmp_path, three.bootstrap, alertmanager, ACME) as place:
            config = place.like("three.yaml", replication_factor=3, min_insync_replicas=2)
            single = {finding.what for _, finding in await found(place)}
            assert any("has one copy" in what for what in single)
            client = AIOKafkaAdminClient(bootstrap_servers=three.bootstrap)
            await client.start()
            names = list(topics.wanted(place.settings.kafka))
            await client.delete_topics(names)

            async def gone() -> bool:
                return not set(names) & set(await client.list_topics())

            await until(gone, "the topics are deleted")
            await client.close()
            await topics.create(read_settings(config).kafka)
            healthy = [finding for group, finding in await found(place, config) if group is not Group.TASKS]
            assert healthy == []
            three.kill(3)

            async def noticed() -> bool:
                seen = await found(place, config)
                return any("has copies that are not in sync" in finding.what for _, finding in seen)

            await until(noticed, "the brokers have noticed")
