"""What slamon must be allowed in Kafka: with exactly that everything works, and without any of it words name what is missing."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.admin import CreateAclsRequest, DeleteAclsRequest, DescribeAclsRequest
from aiokafka.structs import ConsumerRecord

from slamon import clock
from slamon.codec import Rejected, RejectReason
from slamon.demo.processes import Kafka
from slamon.doctor import Level, examined
from slamon.kafka import acls, topics
from slamon.kafka.acls import Acl, Doing, Resource
from slamon.kafka.dead_letters import dead_letter
from slamon.kafka.publish import publish
from slamon.kafka.topics import Refused
from slamon.settings import read_settings
from tests.end_to_end.guarded import GUEST, PASSWORD, Certificates
from tests.end_to_end.place import SLAMON, Place, until
from tests.end_to_end.test_security import ACME, NOWHERE, alert_of, opened

# As in Kafka's protocol.
RESOURCES = {Resource.TOPIC: 2, Resource.GROUP: 3, Resource.TRANSACTIONAL_ID: 5}
OPERATIONS = {"Read": 3, "Write": 4, "Create": 5, "Delete": 6, "Describe": 8, "DescribeConfigs": 10}
KINDS = {number: resource for resource, number in RESOURCES.items()}
NAMES = {number: operation for operation, number in OPERATIONS.items()}
ANY, LITERAL, PREFIXED, ALLOW = 1, 3, 4, 3


Right = tuple[Resource, str, int, str]  # with the pattern of the name, and one operation


class Grants:
    """What the guest may do; told by somebody who may do everything."""

    def __init__(self, admin: Any) -> None:
        self._admin = admin
        self._held: set[Right] = set()

    async def nothing(self) -> None:
        await self._tell(DeleteAclsRequest(ANY, None, ANY, f"User:{GUEST}", None, ANY, ANY))
        self._held.clear()

    async def exactly(self, wanted: Iterable[Acl]) -> None:
        """What is held already and wanted still is never missed for a moment."""
        rights = {
            (acl.resource, acl.name, PREFIXED if acl.prefixed else LITERAL, operation)
            for acl in wanted
            for operation in acl.operations
        }
        for right in rights - self._held:
            await self._tell(CreateAclsRequest(*_told(right)))
        for right in self._held - rights:
            await self._tell(DeleteAclsRequest(*_told(right)))
        self._held = rights
        await until(self._known, "the broker goes by it")

    async def _known(self) -> bool:
        asked = DescribeAclsRequest(ANY, None, ANY, f"User:{GUEST}", None, ANY, ANY)
        answer = (await self._admin._send_request(asked)).to_object()
        return self._held == {
            (
                KINDS[found["resource_type"]],
                found["resource_name"],
                found["resource_pattern_type"],
                NAMES[acl["operation"]],
            )
            for found in answer["resources"]
            for acl in found["acls"]
        }

    async def _tell(self, request: Any) -> None:
        answer = (await self._admin._send_request(request)).to_object()
        [outcome] = answer.get("creation_responses") or answer["filter_responses"]
        assert not outcome["error_code"], outcome


def _told(right: Right) -> tuple[int, str, int, str, str, int, int]:
    resource, name, pattern, operation = right
    return RESOURCES[resource], name, pattern, f"User:{GUEST}", "*", OPERATIONS[operation], ALLOW


@pytest.fixture
async def grants(guarded: Kafka) -> AsyncIterator[Grants]:
    admin = AIOKafkaAdminClient(bootstrap_servers=guarded.bootstrap)
    await admin.start()
    grants = Grants(admin)
    await grants.nothing()
    yield grants
    await admin.close()


@pytest.fixture
async def place(tmp_path: Path, guarded: Kafka) -> AsyncIterator[Place]:
    async with Place(tmp_path, guarded.bootstrap, NOWHERE, ACME) as place:
        yield place


@pytest.fixture
def config(place: Place, guarded: Kafka, certificates: Certificates) -> Path:
    """Settings by which slamon is the guest."""
    sasl = {"mechanism": "SCRAM-SHA-512", "username": GUEST, "password": PASSWORD}
    security = {"protocol": "SASL_SSL", "tls": {"ca_file": str(certificates.ca)}, "sasl": sasl}
    config = place.like(
        "guest.yaml", bootstrap_servers=guarded.bootstrap_of("PASSWORDS"), security=security, commit_timeout=5
    )
    said = orjson.loads(config.read_bytes())
    said["notifier"] |= {"receivers": {"team": {"log": {}}}, "routes": [{"receivers": ["team"]}]}
    config.write_bytes(orjson.dumps(said))
    return config


def without(acl: Acl, operation: str, among: Iterable[Acl]) -> list[Acl]:
    left = replace(acl, operations=tuple(one for one in acl.operations if one != operation))
    return [left if one == acl else one for one in among]


async def test_with_exactly_these_rights_topics_are_made_events_published_and_judged(
    place: Place, config: Path, grants: Grants, tmp_path: Path
) -> None:
    settings = read_settings(config)
    await grants.exactly(acls.needed(settings, Doing.TOPICS_CREATE))
    assert all(outcome.made for outcome in await topics.create(settings.kafka))

    await grants.exactly(acls.needed(settings, Doing.PUBLISH))
    events = tmp_path / "events.ndjson"
    events.write_bytes(orjson.dumps({**opened("T-1")}) + b"\n")
    assert (await publish(settings.kafka, events)).events == 1

    await grants.exactly(acls.needed(settings, Doing.RUN))
    daemon = await place.running(config)
    await place.producer.send_and_wait(place.names.tickets, b"no event", key=b"acme")
    await alert_of(place, "T-1")

    async def told() -> bool:
        return bool(daemon.said("notification"))

    await until(told, "the receiver is told")

    async def rejected() -> bool:
        daemon.assert_goes_on()
        return len(await place.records(place.names.dead_letters)) == 1

    await until(rejected, "what is no event is a dead letter")
    assert await place.records(place.names.standings)
    daemon.stop()
    again = await place.running(config)  # which reads back what the first one has written
    again.stop()
    assert not again.said("task_failed")


async def test_a_right_on_a_topic_that_is_missing_is_named_before_anything_is_done(
    place: Place, config: Path, grants: Grants
) -> None:
    await place.make_topics()
    settings = read_settings(config)
    for doing in (Doing.RUN, Doing.PUBLISH, Doing.DEAD_LETTERS):
        needed = acls.needed(settings, doing)
        for acl in needed:
            if acl.resource is not Resource.TOPIC:
                continue
            for operation in acl.operations:
                await grants.exactly(without(acl, operation, needed))
                lacking = f"Kafka does not allow us .*{operation}.* on topic {acl.name};"
                with pytest.raises(Refused, match=lacking):
                    await topics.look(settings.kafka, doing)
        await grants.exactly(needed)
        await topics.check(settings.kafka, doing)


async def test_topics_are_not_made_without_the_right_to(place: Place, config: Path, grants: Grants) -> None:
    settings = read_settings(config)
    needed = acls.needed(settings, Doing.TOPICS_CREATE)
    for operation in ("Create", "Describe"):
        await grants.exactly(without(needed[2], operation, needed))
        with pytest.raises(Refused, match=f"allow us Create.* on topic {place.names.changelog};"):
            await topics.create(settings.kafka)


@pytest.mark.parametrize(
    ("resource", "named"),
    [
        (Resource.GROUP, "Kafka does not allow us Read on group {};"),
        (Resource.TRANSACTIONAL_ID, "Kafka does not allow us Write on transactional-id {}-*;"),
    ],
)
async def test_without_its_group_or_its_transactions_it_ends_and_names_them(
    resource: Resource, named: str, place: Place, config: Path, grants: Grants
) -> None:
    await place.make_topics()
    needed = acls.needed(read_settings(config), Doing.RUN)
    await grants.exactly(acl for acl in needed if acl.resource is not resource)
    daemon = place.start(config)

    async def ended() -> bool:
        return daemon.process.poll() is not None

    await until(ended, "it ends")
    [words] = [line for line in daemon.log.read_text().splitlines() if line and not line.startswith("{")]
    assert daemon.process.returncode == 1
    assert words.startswith("error: " + named.format(place.name))


async def test_a_right_that_is_taken_away_while_it_runs_ends_it_with_words(
    place: Place, config: Path, grants: Grants
) -> None:
    await place.make_topics()
    needed = acls.needed(read_settings(config), Doing.RUN)
    await grants.exactly(needed)
    daemon = await place.running(config)
    [alerts] = [acl for acl in needed if acl.name == place.names.alerts]
    await grants.exactly(without(alerts, "Write", needed))
    await place.send(opened("T-1"))

    async def ended() -> bool:
        return daemon.process.poll() is not None

    await until(ended, "it ends")
    said = daemon.log.read_text()
    named = f"error: Kafka does not allow us Read, Write, DescribeConfigs on topic {place.names.alerts};"
    assert named in said, said
    assert "Traceback" not in said


async def test_the_doctor_names_each_right_that_is_missing_and_misses_none_itself(
    place: Place, config: Path, grants: Grants
) -> None:
    await place.make_topics()
    settings = read_settings(config)
    needed = acls.needed(settings, Doing.RUN)

    async def found() -> list[str]:
        examination = await examined(settings, config, clock.wall())
        return [finding.what for group, finding in examination if finding.level is Level.ERROR]

    await grants.exactly(needed)
    assert [what for what in await found() if not what.startswith(NOWHERE)] == []
    changelog = next(acl for acl in needed if acl.name == place.names.changelog)
    for acl, operation in ((changelog, "Delete"), (needed[0], "Read")):
        await grants.exactly(without(acl, operation, needed))
        # Who may not read a topic may not even see it.
        assert any(re.match(rf"no right to {operation}.* on {acl}: ", what) for what in await found())


async def test_with_exactly_these_rights_dead_letters_are_listed_and_sent_again(
    place: Place, config: Path, grants: Grants
) -> None:
    await place.make_topics()
    event = orjson.dumps({**opened("T-1")})
    home = await place.home("acme")
    lost = ConsumerRecord(place.names.tickets, home, 0, 0, 0, None, event, None, 0, 0, ())
    letter = dead_letter(
        lost,
        Rejected(RejectReason.IN_THE_FUTURE, "then"),
        application=place.name,
        topic=place.names.dead_letters,
        partition=0,
        limit=1_000_000,
    )
    await place.producer.send_and_wait(
        letter.topic, letter.value, partition=letter.partition, headers=list(letter.headers)
    )
    await grants.exactly(acls.needed(read_settings(config), Doing.DEAD_LETTERS))
    command = [*SLAMON, "dead-letters", "retry", "--config", str(config)]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    said, _ = await process.communicate()
    assert said.decode() == f"{place.names.tickets}: 1 record sent again\n"
    [record] = await place.records(place.names.tickets)
    assert (record.value, record.partition) == (event, home)
