"""The topics as they are made and refused, and a file published to them, on a real broker."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from slamon import clock
from slamon.demo.processes import Kafka
from slamon.kafka import clients, publish, topics
from slamon.kafka.partitioner import partition_for
from slamon.kafka.reaching import what_is_wrong
from slamon.settings import KafkaSettings
from tests.end_to_end.conftest import Part

PARTITIONS = 3
KINDS = ("tickets", "availability", "changelog", "alerts", "standings", "statements", "dead_letters")
names = itertools.count()


@pytest.fixture
def settings(kafka: Kafka) -> KafkaSettings:
    prefix = f"topics{next(names)}"
    return KafkaSettings.model_validate(
        {
            "bootstrap_servers": kafka.bootstrap,
            "partitions": PARTITIONS,
            "replication_factor": 1,
            "topics": {kind: f"{prefix}.{kind}" for kind in KINDS},
        }
    )


@pytest.fixture
async def admin(kafka: Kafka) -> AsyncIterator[Any]:
    client = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await client.start()
    yield client
    await client.close()


async def make(admin: Any, *ordered: NewTopic) -> None:
    """And wait until everybody can see them."""
    await admin.create_topics(list(ordered))
    while any(topic["error_code"] for topic in await admin.describe_topics([one.name for one in ordered])):
        await clock.wait(0.05)


async def read(settings: KafkaSettings, topic: str) -> list[Any]:
    reader = AIOKafkaConsumer(bootstrap_servers=settings.bootstrap_servers, enable_auto_commit=False)
    await reader.start()
    tps = [TopicPartition(topic, partition) for partition in range(PARTITIONS)]
    ends = await reader.end_offsets(tps)
    reader.assign(tps)
    for tp in tps:
        reader.seek(tp, 0)
    found: list[Any] = []
    while any([await reader.position(tp) < ends[tp] for tp in tps]):
        for records in (await reader.getmany(timeout_ms=100)).values():
            found += records
    await reader.stop()
    return found


async def test_missing_topics_are_made_as_they_must_be_and_the_others_left_alone(
    settings: KafkaSettings,
) -> None:
    with pytest.raises(
        topics.Refused, match=f"missing: {settings.topics.tickets}, .* `slamon topics create`"
    ):
        await topics.check(settings)
    made = await topics.create(settings)
    assert [(outcome.partitions, outcome.made) for outcome in made] == [(PARTITIONS, True)] * 7
    assert await topics.check(settings) == topics.Layout(
        partitions=PARTITIONS,
        dead_letter_partitions=PARTITIONS,
        dead_letter_bytes=1_048_588 + 65_536,
        alerts_retention=7 * 86_400_000_000,
    )
    again = await topics.create(settings.model_copy(update={"partitions": 12}))
    assert [(outcome.partitions, outcome.made) for outcome in again] == [(PARTITIONS, False)] * 7


async def test_topics_follow_the_partitions_of_inputs_that_are_there(
    settings: KafkaSettings, admin: Any
) -> None:
    await make(admin, NewTopic(settings.topics.tickets, 2, 1))
    made = await topics.create(settings)
    assert [(outcome.partitions, outcome.made) for outcome in made] == [(2, False)] + [(2, True)] * 6


async def test_unequal_partitions_are_refused_before_anything_is_made(
    settings: KafkaSettings, admin: Any
) -> None:
    await make(admin, NewTopic(settings.topics.tickets, 2, 1), NewTopic(settings.topics.changelog, 4, 1))
    with pytest.raises(topics.Refused, match=r"unequal numbers of partitions \(.*tickets 2, .*changelog 4\)"):
        await topics.create(settings)
    there = await admin.list_topics()
    assert settings.topics.alerts not in there


async def test_more_copies_than_brokers_are_refused_in_words(settings: KafkaSettings) -> None:
    with pytest.raises(topics.Refused, match=r"replication factor of 3 .*kafka.replication_factor is 3"):
        await topics.create(settings.model_copy(update={"replication_factor": 3}))


async def test_a_changelog_that_forgets_is_refused_with_all_its_faults(
    settings: KafkaSettings, admin: Any
) -> None:
    wrong = {"cleanup.policy": "delete", "retention.ms": "604800000", "delete.retention.ms": "1000"}
    await make(
        admin,
        NewTopic(settings.topics.changelog, PARTITIONS, 1, topic_configs=wrong),
        NewTopic(settings.topics.alerts, PARTITIONS, 1, topic_configs={"max.message.bytes": "1000"}),
    )
    await topics.create(settings)
    with pytest.raises(topics.Refused) as refused:
        await topics.check(settings)
    faults = str(refused.value).splitlines()
    assert [fault.split(":")[1].split(",")[0].strip() for fault in faults] == [
        "cleanup.policy is delete",
        "retention.ms is 604800000",
        "delete.retention.ms is 1000",
        "max.message.bytes is 1000",
    ]


async def test_two_topics_of_one_name_are_refused(settings: KafkaSettings) -> None:
    same = settings.topics.model_copy(update={"alerts": settings.topics.standings})
    with pytest.raises(topics.Refused, match="each needs its own"):
        await topics.create(settings.model_copy(update={"topics": same}))


async def test_where_no_broker_answers_is_said_in_words(settings: KafkaSettings) -> None:
    nowhere = settings.model_copy(update={"bootstrap_servers": "127.0.0.1:9"})
    with pytest.raises(
        clients.Unreachable, match=r"no Kafka answers at 127\.0\.0\.1:9.*kafka\.bootstrap_servers"
    ):
        await topics.check(nowhere)


async def test_a_proxy_before_a_broker_that_is_away_is_not_taken_for_a_wrong_protocol(
    settings: KafkaSettings,
) -> None:
    """It takes connections and ends them; another broker answers."""
    door = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    away = f"127.0.0.1:{door.sockets[0].getsockname()[1]}"
    both = settings.model_copy(update={"bootstrap_servers": f"{away},{settings.bootstrap_servers}"})
    said = await what_is_wrong(both)
    assert said == f"{away} do not answer, {settings.bootstrap_servers} do: are all brokers up?"
    alone = settings.model_copy(update={"bootstrap_servers": away})
    assert await what_is_wrong(alone) == (
        f"{away} hangs up on us: is kafka.security.protocol PLAINTEXT right for it?"
    )
    await topics.create(both)  # one that answers is enough
    door.close()
    await door.wait_closed()


TICKET = {"id": "1", "type": "ticket", "time": "2026-11-23T12:00:00Z", "customer": "acme", "ticket": "T"}
DOWN = {"id": "2", "type": "availability", "time": "2026-11-23T12:00:00Z", "service": "web", "status": "down"}


def written(folder: Path, *lines: bytes) -> Path:
    path = folder / "events.ndjson"
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path


async def test_events_are_published_where_their_sources_should_put_them(
    settings: KafkaSettings, tmp_path: Path
) -> None:
    await topics.create(settings)
    ticket, down = orjson.dumps(TICKET), orjson.dumps(DOWN)
    of_acme = orjson.dumps(DOWN | {"customer": "acme"})
    published = await publish.publish(settings, written(tmp_path, ticket, b"", down + b"\r", of_acme))
    assert published.events == 3
    assert published.sent == {settings.topics.tickets: 1, settings.topics.availability: PARTITIONS + 1}

    home = partition_for(b"acme", PARTITIONS, "murmur2")
    [one] = await read(settings, settings.topics.tickets)
    assert (one.partition, one.key, one.value) == (home, b"acme", ticket)
    found = await read(settings, settings.topics.availability)
    assert sorted(r.partition for r in found if (r.key, r.value) == (None, down)) == list(range(PARTITIONS))
    assert [r.partition for r in found if (r.key, r.value) == (b"acme", of_acme)] == [home]


async def test_nothing_is_published_of_a_file_with_lines_that_are_no_events(
    settings: KafkaSettings, tmp_path: Path
) -> None:
    await topics.create(settings)
    naive = orjson.dumps(TICKET | {"time": "2026-11-23T12:00:00"})
    path = written(tmp_path, orjson.dumps(TICKET), b"{", naive)
    with pytest.raises(publish.NotEvents) as refused:
        await publish.publish(settings, path)
    said = str(refused.value).splitlines()
    assert said[0].startswith(f"{path}:2: not_json: ")
    assert said[1].startswith(f"{path}:3: naive_time: ")
    assert said[2] == "2 lines are no events, nothing was published: mend that, or use --as-is"
    assert await read(settings, settings.topics.tickets) == []


async def test_as_is_sends_every_line_to_where_it_would_belong(
    settings: KafkaSettings, tmp_path: Path
) -> None:
    await topics.create(settings)
    unknown = orjson.dumps({"type": "requests", "customer": "acme"})
    path = written(tmp_path, b"{", unknown, orjson.dumps(TICKET))
    published = await publish.publish(settings, path, as_is=True)
    assert published.sent == {settings.topics.tickets: 2, settings.topics.availability: 1}
    tickets = await read(settings, settings.topics.tickets)
    assert {(r.key, r.value) for r in tickets} == {(None, b"{"), (b"acme", orjson.dumps(TICKET))}
    [one] = await read(settings, settings.topics.availability)
    assert (one.key, one.partition) == (b"acme", partition_for(b"acme", PARTITIONS, "murmur2"))


async def test_to_look_for_topics_makes_none_on_brokers_that_make_topics_by_themselves(
    part: Part, tmp_path: Path, settings: KafkaSettings
) -> None:
    careless = {"auto.create.topics.enable": "true"}
    with Kafka(tmp_path / "careless", java=part("java"), libs=part("kafka"), properties=careless) as kafka:
        there = settings.model_copy(update={"bootstrap_servers": kafka.bootstrap})
        for _ in range(2):
            with pytest.raises(topics.Refused, match=r"missing: .*topics create"):
                await topics.check(there)
        assert [outcome.partitions for outcome in await topics.create(there)] == [PARTITIONS] * 7
