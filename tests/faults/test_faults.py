"""A short run of the fault suite, a dozen kinds of fault, each once; `make chaos` is the long one.

What the run leaves is also spoilt in every way that a law is to notice: a law that cannot fail proves nothing.
"""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from rich.console import Console

from slamon.kafka import changelog
from slamon.kafka.changelog import Reading
from tests.faults import drill, laws, report
from tests.faults.cluster import Exit, Stop
from tests.faults.evidence import Evidence
from tests.faults.faults import plan
from tests.faults.laws import Finding
from tests.faults.receiver import Heard

FAULTS = 12
SEED = 3

pytestmark = pytest.mark.timeout(900)  # the run takes a minute and a half where nobody else wants the machine


@pytest.fixture(scope="module")
def evidence(part: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    folder = tmp_path_factory.mktemp("faults")
    return asyncio.run(drill.run(folder, part, plan(FAULTS, SEED), SEED, print))


def test_after_a_dozen_kinds_of_fault_slamon_says_what_it_would_have_said_undisturbed(
    evidence: Evidence,
) -> None:
    findings = laws.judge(evidence)
    for table in report.tables(evidence, findings):
        Console(width=120).print(table)
    violations = report.violations(findings)
    again = (
        f"again: python -m tests.faults --faults {FAULTS} --seed {SEED}; logs and topics: {evidence.folder}"
    )
    assert not violations, "\n".join([again, *violations])
    unused = [law for law, finding in findings.items() if not finding.checked]
    assert not unused, "they had nothing to look at"


def test_the_same_seed_draws_the_same_faults_and_the_first_ones_are_of_different_kinds() -> None:
    assert plan(200, 7) == plan(200, 7)
    assert plan(200, 7) != plan(200, 8)
    assert len({planned.kind.name for planned in plan(FAULTS, SEED)}) == FAULTS


# Spoilt evidence ------------------------------------------------------------------------------------------------------


def _changed(evidence: Evidence, topic: str, change: Callable[[list[Any]], list[Any]]) -> Evidence:
    """In the partition that holds most of the topic."""
    partitions = dict(evidence.topics[topic])
    fullest = max(partitions, key=lambda number: len(partitions[number]))
    partitions[fullest] = change(partitions[fullest])
    return replace(evidence, topics={**evidence.topics, topic: partitions})


def _without_the_newest(records: list[Any]) -> list[Any]:
    return records[:-1]


def _without_the_newest_key(records: list[Any]) -> list[Any]:
    """Nor its repetitions: what a torn transaction lost is said once more."""
    return [record for record in records if record.key != records[-1].key]


def _without_the_newest_number(records: list[Any]) -> list[Any]:
    """Nor its repetitions, as above."""
    newest = orjson.loads(records[-1].value)["number"]
    return [record for record in records if orjson.loads(record.value)["number"] != newest]


def _without_the_older_half(records: list[Any]) -> list[Any]:
    """One alone may be a duplicate, or no event."""
    return records[len(records) // 2 :]


def _with_the_newest_twice(records: list[Any]) -> list[Any]:
    return [*records, replace(records[-1], offset=records[-1].offset + 1)]


def _without_a_breached_ticket(evidence: Evidence) -> Evidence:
    """The changelog knows nothing of a ticket that alerts speak of."""
    ticket = next(
        alert.said["labels"]["ticket"]
        for alerts in evidence.alerts.values()
        for alert in alerts.values()
        if alert.said["labels"]["alertname"] == "SlaTicketBreached"
    )

    def speaks_of_it(record: Any) -> bool:
        if record.key[:1] != changelog.FACTS:
            return False
        alone = Reading()
        alone.take(record.key, record.value)
        return any(facts.tickets and facts.tickets[0].ticket == ticket for _, facts, _ in alone.facts())

    topic = evidence.names.changelog
    kept = {
        partition: [record for record in records if not speaks_of_it(record)]
        for partition, records in evidence.topics[topic].items()
    }
    return replace(evidence, topics={**evidence.topics, topic: kept})


def _without_breaches(records: list[Any]) -> list[Any]:
    return [
        record
        for record in records
        if orjson.loads(record.value)["labels"]["alertname"] != "SlaTicketBreached"
    ]


def _with_the_newest_under_the_next_number(records: list[Any]) -> list[Any]:
    said = orjson.loads(records[-1].value)
    return [*records, replace(records[-1], value=orjson.dumps({**said, "number": said["number"] + 1}))]


def _heard_of_a_stranger(evidence: Evidence) -> Evidence:
    first = evidence.heard[0]
    zombie = Heard(first.at, "pod-0", first.labels, first.starts, first.ends)
    return replace(evidence, heard=[*evidence.heard, zombie])


def _spoilt(evidence: Evidence) -> Iterator[tuple[Evidence, Callable[[Evidence, Finding], None]]]:
    names = evidence.names
    yield replace(evidence, unsettled="it goes on and on"), laws.everything_comes_to_rest
    yield (
        _changed(evidence, names.tickets, _with_the_newest_twice),
        laws.everything_was_read,
    )
    for change in (_without_the_newest, _with_the_newest_twice):
        spoilt = _changed(evidence, names.dead_letters, change)
        yield spoilt, laws.dead_letters_are_what_is_no_event_each_once
    for law in (
        laws.facts_are_the_accepted_events,
        laws.clocks_and_standings_are_those_of_a_replay,
        laws.no_alert_was_untrue_of_the_facts_committed_with_it,
    ):
        yield _without_a_breached_ticket(evidence), law
    yield (
        _changed(evidence, names.availability, _without_the_older_half),
        laws.newest_statements_are_those_of_a_replay,
    )
    yield (
        _changed(evidence, names.statements, _without_the_newest_key),
        laws.statements_topic_holds_every_revision_up_to_the_newest,
    )
    yield (
        _changed(evidence, names.standings, _without_the_newest_key),
        laws.standings_topic_holds_how_objectives_stand,
    )
    fewer = _changed(evidence, names.alerts, _without_the_newest_number)
    yield fewer, laws.numbers_have_no_gap_and_are_those_of_the_state
    yield fewer, laws.what_is_open_is_what_a_replay_has_open
    yield (
        _changed(evidence, names.alerts, _with_the_newest_under_the_next_number),
        laws.each_alert_fires_and_resolves_in_turn_and_counts_its_episodes,
    )
    yield _changed(evidence, names.alerts, _without_breaches), laws.every_breach_was_announced
    yield replace(evidence, heard=[]), laws.each_alert_was_heard_or_its_owner_was_lost_first
    nothing = evidence.open_and_heard._replace(alertmanager=set())
    yield replace(evidence, open_and_heard=nothing), laws.receivers_hold_what_is_open
    yield _heard_of_a_stranger(evidence), laws.no_zombie_was_heard
    killed = Stop(0, "pod-1", True, 25.0, None)
    yield replace(evidence, stops=[killed]), laws.pods_end_in_order_and_within_their_grace
    crashed = Exit(0, "pod-1", 1, "Traceback (most recent call last):")
    yield replace(evidence, exits=[crashed]), laws.no_pod_ends_by_a_fault_of_its_own


def test_every_law_notices_what_it_is_there_for(evidence: Evidence) -> None:
    noticed = set()
    for spoilt, law in _spoilt(evidence):
        finding = Finding()
        law(spoilt, finding)
        assert finding.violations, law.__name__
        noticed.add(law)
    assert noticed == set(laws.LAWS)
