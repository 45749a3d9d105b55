"""What `slamon run` makes of time: backlogs, idle partitions, events from the past and from the future."""

from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import orjson
import pytest

from slamon import clock
from slamon.demo.processes import Alertmanager, Kafka
from slamon.domain.events import DAY, HOUR, MINUTE, SECOND
from tests.end_to_end.place import (
    PARTITIONS,
    Alert,
    Place,
    assert_numbered,
    get,
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
  objectives:
    - name: response
      ticketClock: {measure: firstResponse, calendar: always, target: 1h, warnAt: [50%, 75%]}
"""
BACKLOG = 120_000  # records that take longer one by one than a delay must last to be said, on any machine
DELAYED = "SlaEvaluationDelayed"


@pytest.fixture
async def place(tmp_path: Path, kafka: Kafka, alertmanager: Alertmanager) -> AsyncIterator[Place]:
    async with placed(tmp_path, kafka.bootstrap, alertmanager, ACME) as acme:
        yield acme


def opened(name: str, at: int, **members: object) -> dict[str, object]:
    return ticket(name, at, customer="acme", status="open", **members)


def answered(name: str, at: int) -> dict[str, object]:
    return ticket(name, at, customer="acme", reply="agent")


def told(alerts: Iterable[Alert]) -> list[tuple[str, str, bool]]:
    return [(alert.short, alert.transition, alert.said["late"]) for alert in alerts]


async def until_judged(place: Place, at: int) -> None:
    """Every task has judged beyond this instant, and that stands."""

    async def beyond() -> bool:
        for daemon in place.daemons:
            daemon.assert_goes_on()
        positions = await place.positions()
        return len(positions) == PARTITIONS and all(one.now > at for one in positions.values())

    await until(beyond, "every task has judged so far")


async def test_a_backlog_is_caught_up_with_without_false_alerts_and_each_true_one_is_said_once_and_late(
    place: Place,
) -> None:
    now = whole_second()
    await place.send(
        opened("in-time", now - 3 * HOUR),
        answered("in-time", now - 3 * HOUR + 59 * MINUTE),
        opened("too-late", now - 3 * HOUR),
        answered("too-late", now - HOUR),
        opened("waits", now - 50 * MINUTE),
        opened("breached", now - 2 * HOUR),
    )
    daemon = await place.running()
    await until_judged(place, clock.now())
    daemon.stop()
    assert sorted(told(await place.alerts())) == [
        ("SlaTicketAtRisk waits 75%", "fired", True),
        ("SlaTicketBreached breached", "fired", True),
        ("SlaTicketBreached too-late", "fired", True),
        ("SlaTicketBreached too-late", "resolved", True),
    ]

    again = await place.running()  # and not said once more
    await until_judged(place, clock.now())
    again.stop()
    assert len(await place.alerts()) == 4


async def test_partitions_in_which_nothing_happens_hold_no_clock_back(place: Place) -> None:
    """The ticket's partition has a single event, the others none, and the other input has none at all."""
    await place.running()
    target = HOUR - 2 * SECOND
    await place.send(opened("T-1", whole_second() - target))
    await place.fires("SlaTicketBreached T-1")
    [breach] = [alert for alert in await place.alerts() if alert.short == "SlaTicketBreached T-1"]
    assert breach.said["late"] is False
    assert not [alert for alert in await place.alerts() if alert.short == DELAYED]


async def test_events_from_too_far_ahead_or_too_long_ago_are_dead_letters_and_the_others_count(
    place: Place,
) -> None:
    await place.running()
    now = whole_second()
    keep = place.settings.facts.keep * DAY
    await place.send(opened("first", now), answered("first", now))
    await until_judged(place, clock.now())  # before anything was judged, all the history there is is wanted
    await place.send(
        opened("soon", now + HOUR - MINUTE),
        opened("far", now + HOUR + 10 * MINUTE),
        opened("old", now - keep // 2),
        opened("ancient", now - 4 * keep),
    )

    async def both() -> bool:
        return len(await place.records(place.names.dead_letters)) == 2

    await until(both, "two of them are dead letters")
    letters = await place.records(place.names.dead_letters)
    why = {orjson.loads(letter.value)["ticket"]: _reason(letter) for letter in letters}
    assert why == {"far": "in_the_future", "ancient": "too_late"}
    await until_judged(place, clock.now())
    # What lies ahead moves no clock: nothing is late that is not, and the ticket that is to come has no clock yet.
    assert told(await place.alerts()) == [("SlaTicketBreached old", "fired", True)]


def _reason(letter: Any) -> str:
    headers = dict(letter.headers)
    return str(headers["__connect.errors.exception.class.name"].decode())


async def test_a_partition_that_stays_behind_is_said_to_be_until_whoever_has_it_has_caught_up(
    place: Place, alertmanager: Alertmanager
) -> None:
    """The first owner takes its backlog record by record and is killed in the middle; the second one is swift."""
    home = await place.home("acme")
    # Tickets that nobody saw open have no clocks, so they only take their time.
    closed = [ticket(f"T-{n}", whole_second(), customer="acme", status="closed") for n in range(BACKLOG)]
    await place.send(*closed)
    slow = await place.start(place.like("slow.yaml", delay_limit=1, max_records=1)).started()

    async def of_this_place() -> list[Alert]:
        return [alert for alert in await place.alerts() if alert.short == DELAYED]

    async def said() -> bool:
        slow.assert_goes_on()
        return bool(await of_this_place())

    await until(said, "it is said to be behind")
    slow.kill()
    [fired] = await of_this_place()
    assert fired.said["labels"] == {
        "alertname": DELAYED,
        "severity": "critical",
        "partition": str(home),
    }

    swift = await place.running(place.like("swift.yaml", delay_limit=1))

    async def over() -> bool:
        swift.assert_goes_on()
        return len(await of_this_place()) > 1

    await until(over, "it has caught up")
    swift.stop()
    _, resolved = await of_this_place()
    assert (fired.partition, fired.reason, fired.said["episode"]) == (home, "limit_exceeded", 1)
    assert resolved.identity == (fired.said["id"], 1, "resolved", "recovered")
    assert_numbered(await place.alerts())
    status, body = await get(f"{alertmanager.url}/api/v2/alerts", filter=f'alertname="{DELAYED}"')
    assert (status, orjson.loads(body)) == (200, [])
