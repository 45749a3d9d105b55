"""What the doctor says of clusters that are hard to come by: each case changes one thing of a healthy one, and one finding comes."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import orjson
import pytest
from aiokafka import TopicPartition

from slamon.doctor import Finding, Form, Group, Level, told
from slamon.doctor.brokers_and_topics import CHECKS as OF_CLUSTER
from slamon.doctor.surroundings import agreements, alertmanagers
from slamon.doctor.tasks_and_inputs import CHECKS as OF_LOGS
from slamon.domain.events import DAY, HOUR, MINUTE, SECOND
from slamon.kafka import changelog, formats
from slamon.kafka.changelog import Gap, Positions, Reading, Unreadable
from slamon.kafka.cluster import Broker, Cluster, GroupSeen, Partition, TopicSeen
from slamon.kafka.inspection import Bounds, Commit, Length, Logs, Sample
from slamon.kafka.topics import wanted
from slamon.settings import Settings

NOW = 1_800_000_000_000_000
SETTINGS = Settings()
NAMES = SETTINGS.kafka.topics
KAFKA_4 = {28: (0, 5), 61: (0, 0), 75: (0, 0), 80: (0, 1), 69: (0, 1), 76: (1, 1)}
WELL = (1, (1, 2, 3), (1, 2, 3))
ALL_RIGHTS = frozenset({"Describe", "DescribeConfigs", "Read", "Write", "Delete"})


def topic(name: str, *partitions: tuple[int, tuple[int, ...], tuple[int, ...]], **settings: str) -> TopicSeen:
    kept = {"min.insync.replicas": "2", "retention.ms": "604800000", **wanted(SETTINGS.kafka).get(name, {})}
    changed = {setting.replace("_", "."): value for setting, value in settings.items()}
    return TopicSeen(
        name,
        tuple(Partition(*one) for one in partitions or (WELL, WELL)),
        ALL_RIGHTS,
        {**kept, **changed},
    )


def healthy() -> Cluster:
    limits = {"transaction.max.timeout.ms": "900000", "group.min.session.timeout.ms": "6000"}
    internal = ("__transaction_state", "__consumer_offsets")
    return Cluster(
        tuple(Broker(node, f"b{node}", 9092, KAFKA_4, limits) for node in (1, 2, 3)),
        {name: topic(name) for name in wanted(SETTINGS.kafka)},
        {name: topic(name) for name in internal},
        GroupSeen("Stable", ("slamon at 10.0.0.1", "slamon at 10.0.0.2"), frozenset({"Read", "Describe"})),
    )


INPUTS = [TopicPartition(name, number) for name in (NAMES.tickets, NAMES.availability) for number in (0, 1)]


def read_to_the_end() -> Logs:
    positions = Positions({NAMES.tickets: 100, NAMES.availability: 100}, NOW - SECOND, 0, 0)
    return Logs(
        {tp: Bounds(50, 100) for tp in INPUTS},
        {0: positions, 1: positions},
        {},
        {name: Sample(records=100, with_customer=100) for name in (NAMES.tickets, NAMES.availability)},
        {number: [Commit(NOW - SECOND, NOW - SECOND + 5000)] for number in (0, 1)},
        [],
    )


def findings(cluster: Cluster, logs: Logs | None = None) -> list[Finding]:
    found = [one for _, check, _ in OF_CLUSTER for one in check(cluster, SETTINGS)]
    found += [
        one for _, check, _ in OF_LOGS for one in check(cluster, logs or read_to_the_end(), SETTINGS, NOW)
    ]
    return [one for one in found if one.level is not Level.OK]


def the_finding(cluster: Cluster, logs: Logs | None = None) -> Finding:
    [finding] = findings(cluster, logs)
    assert finding.help
    return finding


def test_a_healthy_cluster_and_tasks_that_have_read_everything_are_well() -> None:
    assert findings(healthy()) == []


def with_broker(**changes: Any) -> Cluster:
    seen = healthy()
    return replace(seen, brokers=(*seen.brokers[:2], seen.brokers[2]._replace(**changes)))


@pytest.mark.parametrize(
    ("changes", "level", "what"),
    [
        ({"speaks": None, "settings": None}, Level.ERROR, "broker 3 does not answer at b3:9092"),
        ({"speaks": {28: (0, 2)}}, Level.ERROR, "broker 3 is older than Kafka 2.5"),
        ({"settings": {"transaction.max.timeout.ms": "59999"}}, Level.ERROR, "broker 3: transaction.max.timeout.ms is 59999"),
        ({"settings": {"group.min.session.timeout.ms": "30001"}}, Level.ERROR, "kafka.session_timeout is shorter"),
    ],
)  # fmt: skip
def test_a_broker_that_cannot_serve_is_named(changes: Mapping[str, Any], level: Level, what: str) -> None:
    finding = the_finding(with_broker(**changes))
    assert finding.level is level
    assert what in finding.what


@pytest.mark.parametrize(
    ("changes", "level", "what"),
    [
        (topic(NAMES.alerts, WELL, (-1, (1, 2, 3), (2,))), Level.ERROR, "slamon.alerts: nobody leads partition 1"),
        (topic(NAMES.alerts, WELL, (1, (1, 2, 3), (1,))), Level.ERROR, "partition 1 cannot be written, for fewer than 2"),
        (topic(NAMES.alerts, WELL, (1, (1, 2, 3), (1, 2))), Level.WARNING, "partition 1 has copies that are not in sync"),
        (topic(NAMES.alerts, *[(1, (1, 2), (1, 2))] * 2, min_insync_replicas="1"), Level.WARNING, "has two copies"),
        (topic(NAMES.alerts, min_insync_replicas="3"), Level.WARNING, "while one broker is away, nothing can be written"),
        (topic(NAMES.alerts, min_insync_replicas="1"), Level.WARNING, "what one broker has taken, and nobody else"),
        (topic(NAMES.alerts, WELL), Level.ERROR, "unequal numbers of partitions"),
        (replace(topic(NAMES.alerts), rights=ALL_RIGHTS - {"Write"}), Level.ERROR, "no right to Write on topic slamon.alerts"),
        (replace(topic(NAMES.alerts), rights=ALL_RIGHTS, settings=None), Level.ERROR, "settings of slamon.alerts may not be seen"),
    ],
)  # fmt: skip
def test_a_topic_that_is_not_safe_is_named(changes: TopicSeen, level: Level, what: str) -> None:
    seen = healthy()
    finding = the_finding(replace(seen, topics={**seen.topics, changes.name: changes}))
    assert finding.level is level
    assert what in finding.what


def test_the_brokers_own_topics_must_have_copies_too() -> None:
    seen = healthy()
    alone = topic("__transaction_state", (1, (1,), (1,)), min_insync_replicas="1")
    finding = the_finding(replace(seen, internal={**seen.internal, alone.name: alone}))
    assert finding.level is Level.WARNING
    assert finding.what.startswith("__transaction_state has 1 copy: ")


@pytest.mark.parametrize(
    ("group", "level", "what"),
    [
        (GroupSeen("Empty", (), frozenset({"Read"})), Level.WARNING, "no slamon runs as the group slamon"),
        (GroupSeen("PreparingRebalance", ("a",), None), Level.WARNING, "tasks are changing hands"),
        (
            GroupSeen("", (), None, "GroupAuthorizationFailedError"),
            Level.ERROR,
            "no right to Read on group slamon",
        ),
        (
            GroupSeen("Stable", ("a",), frozenset({"Describe"})),
            Level.ERROR,
            "no right to Read on group slamon",
        ),
    ],
)
def test_a_group_that_does_not_work_is_told(group: GroupSeen, level: Level, what: str) -> None:
    finding = the_finding(replace(healthy(), group=group))
    assert finding.level is level
    assert what in finding.what


def position(now: int = NOW, **inputs: int) -> Positions:
    return Positions({NAMES.tickets: 100, NAMES.availability: 100} | inputs, now, 0, 0)


@pytest.mark.parametrize(
    ("positions", "level", "what"),
    [
        (position(NOW - 6 * MINUTE), Level.ERROR, "task 1 has judged up to 2027-01-15T07:54:00Z, 6 min ago; 0 records"),
        (position(NOW - 2 * MINUTE, **{NAMES.tickets: 99}), Level.WARNING, "2 min ago; 1 record to read"),
        (position(**{NAMES.tickets: 40}), Level.ERROR, "sla.tickets/1: 10 records gone before they were read"),
        (position(**{NAMES.tickets: 101}), Level.ERROR, "sla.tickets/1 ends at 100, before what was read of it (101)"),
        (Positions({}, NOW, 0, 0, (Gap("sla.tickets", 7, 10, NOW - HOUR),)), Level.ERROR, "3 records from offset 7 on were gone"),
    ],
)  # fmt: skip
def test_a_task_that_stands_or_has_lost_something_is_told(
    positions: Positions, level: Level, what: str
) -> None:
    finding = the_finding(healthy(), replace(read_to_the_end(), positions={0: position(), 1: positions}))
    assert finding.level is level
    assert what in finding.what


def test_a_task_without_positions_is_told_where_others_have_some() -> None:
    logs = read_to_the_end()
    assert (
        "task 1 has recorded no position"
        in the_finding(healthy(), replace(logs, positions={0: position()})).what
    )
    assert findings(healthy(), replace(logs, positions={})) == []


def test_retention_that_is_about_to_overtake_a_task_is_told_in_time() -> None:
    logs = replace(
        read_to_the_end(),
        positions={0: position(**{NAMES.tickets: 60}), 1: position()},
    )
    tp = TopicPartition(NAMES.tickets, 0)
    assert findings(healthy(), replace(logs, oldest_unread={tp: NOW - 3 * DAY})) == []
    finding = the_finding(healthy(), replace(logs, oldest_unread={tp: NOW - 4 * DAY}))
    assert finding.what == "sla.tickets/0: the next record to read is 4 d old, and is kept for 7 d"


def test_another_partitioner_is_advised_only_if_it_explains_everything() -> None:
    def sampled(**misplaced: int) -> Finding:
        sample = Sample(records=50, with_customer=50)
        sample.misplaced.update(misplaced)  # type: ignore[arg-type]  # - keyword names are the partitioners
        sample.rejected["wrong_partition"] = misplaced["murmur2"]
        sample.examples["wrong_partition"] = "sla.tickets/0/7: customer 'acme' belongs in partition 1"
        logs = read_to_the_end()
        return the_finding(healthy(), replace(logs, samples={**logs.samples, NAMES.tickets: sample}))

    assert sampled(murmur2=30).help.startswith("set kafka.partitioner: crc32")
    both_wrong = sampled(murmur2=30, crc32=1)
    assert both_wrong.level is Level.ERROR
    assert both_wrong.help == "mend their source; sla.tickets/0/7: customer 'acme' belongs in partition 1"
    assert sampled(murmur2=2, crc32=9).level is Level.WARNING


def test_a_machine_whose_clock_is_behind_the_brokers_hears_of_it() -> None:
    logs = read_to_the_end()
    ahead = {0: [Commit(NOW + 10 * SECOND, NOW + 10 * SECOND)]}
    assert (
        "this machine's clock is at least 10 s behind"
        in the_finding(healthy(), replace(logs, commits=ahead)).what
    )


@pytest.mark.parametrize(
    ("length", "level", "what"),
    [
        (Length(90_001, 10_000, None), Level.WARNING, "task 1 holds 90,001 records, 10,000 of which stand"),
        (Length(7, 7, "the changelog holds a record of format 9, this release reads format 1 and 2: run the newer one"), Level.ERROR, "task 1 cannot be restored: the changelog holds a record of format 9"),
    ],
)  # fmt: skip
def test_a_changelog_that_a_restore_would_suffer_from_is_told(
    length: Length, level: Level, what: str
) -> None:
    lengths = {0: Length(90_000, 10_000, None), 1: length}
    finding = the_finding(healthy(), replace(read_to_the_end(), lengths=lengths))
    assert finding.level is level
    assert what in finding.what


@pytest.mark.parametrize(
    ("key", "version"), [(changelog.FACTS, 0), (changelog.FACTS, 99), (b"z", formats.NEWEST)]
)
def test_what_to_do_about_a_changelog_of_another_release_is_told_whole(key: bytes, version: int) -> None:
    reading = Reading()
    reading.take(key, version.to_bytes())
    with pytest.raises(Unreadable) as unreadable:
        reading.check()
    lengths = {0: Length(1, 1, str(unreadable.value))}
    finding = the_finding(healthy(), replace(read_to_the_end(), lengths=lengths))
    assert finding.help.startswith("run the ")


def test_a_transactional_id_of_others_is_told() -> None:
    finding = the_finding(replace(healthy(), transactions_denied=True))
    assert finding.what.startswith("no right to Write on transactional-id slamon-*: each task commits")
    assert finding.help.endswith(
        "--operation Write --transactional-id slamon- --resource-pattern-type prefixed"
    )


def test_one_slow_commit_is_no_clock_that_is_wrong() -> None:
    logs = read_to_the_end()
    commits = {0: [Commit(NOW - 9 * SECOND, NOW - SECOND), Commit(NOW - SECOND, NOW - SECOND + 5000)]}
    assert findings(healthy(), replace(logs, commits=commits)) == []


def test_people_read_findings_by_heading_and_programs_all_of_them() -> None:
    found = [
        (Group.TOPICS, Finding(Level.ERROR, "gone", "bring it back")),
        (Group.BROKERS, Finding(Level.OK, "fine")),
        (Group.TOPICS, Finding(Level.WARNING, "odd", "look")),
    ]
    assert [click.unstyle(line) for line in told(found, Form.TEXT)] == [
        "Brokers",
        "  ok       fine",
        "Topics",
        "  error    gone",
        "           → bring it back",
        "  warning  odd",
        "           → look",
        "",
        "1 error, 1 warning",
    ]
    [document] = told(found, Form.JSON)
    assert orjson.loads(document)["summary"] == {"error": 1, "warning": 1, "ok": 1}
    assert list(told(found[1:2], Form.TEXT))[-1] == "all is well"


def test_agreements_that_need_facts_for_longer_than_they_are_kept_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "acme.yaml").write_text(
        """\
apiVersion: slamon/v1
kind: Agreement
metadata: {name: acme}
spec:
  customer: acme
  effective: {from: 2026-01-01}
  objectives: [{name: up, service: web, availability: {target: 99%, timeWindow: {calendar: year}}}]
"""
    )
    settings = Settings(agreements=(tmp_path,))
    [finding] = agreements(settings)
    assert finding.level is Level.ERROR
    assert "facts.keep" in finding.what + finding.help
    [well] = agreements(
        settings.model_copy(update={"facts": settings.facts.model_copy(update={"keep": 500})})
    )
    assert well == Finding(Level.OK, "1 agreement of 1 customer")


def test_without_an_alertmanager_receivers_will_do() -> None:
    [nobody] = alertmanagers([], 0)
    assert (nobody.level, nobody.what) == (
        Level.WARNING,
        "none is set: alerts stand in their topic, and nobody is told",
    )
    [somebody] = alertmanagers([], 2)
    assert (somebody.level, somebody.what) == (Level.OK, "none is set; slamon tells 2 receivers itself")
