"""Dead letters from the command line, as who is on call works through them; and a flood of them, on a real broker."""

import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from slamon.codec import format_instant
from slamon.demo.processes import Alertmanager, Kafka
from slamon.domain.events import HOUR, MINUTE
from slamon.kafka.dead_letters import Letter, understood
from tests.end_to_end.place import PARTITIONS, SLAMON, Place, placed, ticket, until, whole_second

ACME = """\
apiVersion: slamon/v1
kind: Agreement
metadata: {name: "{place}"}
spec:
  customer: acme
  effective: {from: 2020-01-01}
  objectives:
    - name: response
      ticketClock: {measure: firstResponse, calendar: always, target: 10m, warnAt: [50%]}
"""


@pytest.fixture
async def place(tmp_path: Path, kafka: Kafka, alertmanager: Alertmanager) -> AsyncIterator[Place]:
    async with placed(tmp_path, kafka.bootstrap, alertmanager, ACME) as acme:
        yield acme


def slamon(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [*SLAMON, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def listed(place: Place, *options: object) -> list[dict[str, Any]]:
    done = slamon("dead-letters", "list", "--config", place.config, "--format", "json", *options)
    assert done.returncode == 0, done.stderr
    return [orjson.loads(line) for line in done.stdout.splitlines()]


def opened(name: str) -> bytes:
    """An event of a ticket that was opened so long ago that its warning step has passed."""
    return orjson.dumps(ticket(name, whole_second() - 6 * MINUTE, customer="acme", status="open"))


async def letters(place: Place) -> list[Letter]:
    found = [understood(record) for record in await place.records(place.names.dead_letters)]
    return [letter for letter in found if isinstance(letter, Letter)]


async def until_recorded(place: Place, records: int) -> None:
    async def there() -> bool:
        return sum(letter.records for letter in await letters(place)) >= records

    await until(there, f"{records} records are among the dead letters")


async def test_letters_are_listed_mended_and_sent_again_once(place: Place, tmp_path: Path) -> None:
    home = await place.home("acme")
    wrong = (home + 1) % PARTITIONS
    topic = place.names.tickets
    lost, naive = opened("T-1"), opened("T-2").replace(b'Z"', b'"', 1)
    escape = b"\x1b[31mred"
    for value, partition, key in ((lost, wrong, b"T-1"), (naive, home, b"acme"), (escape, home, None)):
        await place.producer.send_and_wait(topic, value, key=key, partition=partition)
    await place.running()
    await until_recorded(place, 3)

    assert {one["reason"] for one in listed(place)} == {"wrong_partition", "naive_time", "not_json"}
    assert [one["value"] for one in listed(place, "--reason", "not_json")] == [escape.decode()]
    assert listed(place, "--customer", "globex") == []
    assert listed(place, "--until", format_instant(whole_second() - HOUR)) == []
    assert len(listed(place, "--since", "1h", "--limit", 2)) == 2
    [one] = listed(place, "--topic", topic, "--partition", wrong)
    assert one["from"]["partition"] == wrong
    text = slamon("dead-letters", "list", "--config", place.config).stdout
    assert r"\x1b[31mred" in text
    assert "\x1b" not in text
    assert text.splitlines()[-1] == "3 dead letters (1 naive_time, 1 not_json, 1 wrong_partition)"

    # What would be done is told, and nothing is done.
    retry = ("dead-letters", "retry", "--config", place.config)
    told = slamon(*retry, "--dry-run")
    assert told.returncode == 1, told.stderr
    assert f"{topic}: 1 record would be sent again" in told.stdout
    assert len(listed(place)) == 3

    done = slamon(*retry)
    assert done.returncode == 1
    assert done.stdout.splitlines()[0] == f"{topic}: 1 record sent again"
    assert done.stdout.splitlines()[1].startswith("2 records not sent: still no events: mend them")
    await place.fires("SlaTicketAtRisk T-1 50%")
    [sent] = [record for record in await place.records(topic) if dict(record.headers).get("slamon.retry.of")]
    assert (sent.partition, sent.key, sent.value) == (home, b"acme", lost)

    again = slamon(*retry, "--reason", "wrong_partition")
    assert (again.returncode, again.stdout) == (0, "1 handled before\n")
    assert {one["reason"] for one in listed(place)} == {"naive_time", "not_json"}
    assert [one["handled"] for one in listed(place, "--handled", "--reason", "wrong_partition")] == ["sent"]

    # The other two: one is mended in an editor and published, both are done with.
    [line] = slamon(
        *("dead-letters", "list", "--config", place.config, "--format", "lines", "--reason", "naive_time")
    ).stdout.splitlines()
    event = orjson.loads(line)
    mended = tmp_path / "mended.ndjson"
    mended.write_bytes(orjson.dumps({**event, "time": event["time"] + "Z"}))
    assert slamon("publish", "--config", place.config, mended).returncode == 0
    await place.fires("SlaTicketAtRisk T-1 50%", "SlaTicketAtRisk T-2 50%")
    dismissed = slamon("dead-letters", "dismiss", "--config", place.config)
    assert dismissed.stdout.splitlines() == ["2 dismissed", "1 handled before"]
    assert listed(place) == []


async def test_a_flood_is_counted_by_offsets_while_good_records_flow_and_can_be_sent_again(
    place: Place,
) -> None:
    home = await place.home("acme")
    wrong = (home + 1) % PARTITIONS
    topic, flood = place.names.tickets, 3000
    for number in range(flood):
        await place.producer.send(topic, b"garbage %d" % number, partition=home)
    lost = [opened(f"T-{number}") for number in range(20)]
    for value in lost:
        await place.producer.send(topic, value, key=b"acme", partition=wrong)
    await place.producer.send(topic, opened("T-99"), key=b"acme", partition=home)
    await place.producer.flush()
    daemon = await place.running(place.like("limited.yaml", dead_letter_records=5))
    await place.fires("SlaTicketAtRisk T-99 50%")
    await until_recorded(place, flood + len(lost))

    found = await letters(place)
    counted: dict[str, int] = {}
    for letter in found:
        counted[letter.reason] = counted.get(letter.reason, 0) + letter.records
    assert counted == {"not_json": flood, "wrong_partition": len(lost)}
    # A task keeps five a minute, and this took two minutes at most; each commit adds a tally at most.
    assert len([letter for letter in found if not letter.is_tally]) <= 20
    tallied = [letter for letter in found if letter.is_tally]
    for letter in tallied:
        assert letter.last_offset is not None
        assert letter.last_offset - letter.origin.offset + 1 == letter.records
    beyond = sum(letter.records for letter in tallied if letter.reason == "not_json")
    await daemon.shows(f'slamon_events_rejected_total{{reason="not_json"}} {float(flood)}')
    await daemon.shows(f'slamon_dead_letters_tallied_total{{reason="not_json"}} {float(beyond)}')
    assert {line["reason"] for line in daemon.said("dead_letters_limited")} == {"not_json", "wrong_partition"}

    # What was never kept still lies in its input.
    done = slamon("dead-letters", "retry", "--config", place.config, "--reason", "wrong_partition")
    assert (done.returncode, done.stdout) == (0, f"{topic}: {len(lost)} records sent again\n")
    await place.fires(*(f"SlaTicketAtRisk T-{number} 50%" for number in (*range(20), 99)))
    assert listed(place, "--reason", "wrong_partition") == []
