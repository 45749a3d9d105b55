"""`slamon run` among the real Kafka, Alertmanager and Prometheus: what is promised to its users, seen as they see it."""

import asyncio
import gzip
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics_families

from slamon import clock
from slamon.codec import format_instant, parse_instant
from slamon.demo.processes import Alertmanager, Kafka, Prometheus
from slamon.domain.events import DAY, HOUR, MINUTE, SECOND, ServiceStatus
from slamon.kafka.changelog import Reading
from tests.end_to_end.conftest import ALERTMANAGER
from tests.end_to_end.place import (
    PARTITIONS,
    PATIENCE,
    SLAMON,
    Alert,
    Daemon,
    Event,
    Place,
    assert_numbered,
    availability,
    get,
    placed,
    run_slamon,
    ticket,
    until,
    whole_second,
)

Placing = Callable[[str], AbstractAsyncContextManager[Place]]

ACME = """\
apiVersion: slamon/v1
kind: Agreement
metadata: {name: "{place}", displayName: Managed services for ACME}
spec:
  customer: acme
  effective: {from: 2020-01-01, to: 2099-12-31}
  timeZone: Europe/Berlin
  services: [{name: billing-api}, {name: web}, {name: shop}]
  objectives:
    - name: p1-response
      ticketClock: {measure: firstResponse, when: {priority: [P1]}, calendar: always, target: 10m, warnAt: [75%, 90%]}
      attainment: {target: 95%, timeWindow: {rolling: 30d}}
    - name: api
      service: billing-api
      availability:
        {target: 99%, timeWindow: {rolling: 30d}, calendar: always,
         alerts: {burnRates: none, timeLeft: [99.99%, 50%], alertAfter: 1s}}
"""


@pytest.fixture
def placing(tmp_path: Path, kafka: Kafka, alertmanager: Alertmanager) -> Placing:
    return lambda agreements: placed(tmp_path, kafka.bootstrap, alertmanager, agreements)


@pytest.fixture
async def place(placing: Placing) -> AsyncIterator[Place]:
    async with placing(ACME) as acme:
        yield acme


def opened(name: str, ago: int, **members: object) -> dict[str, object]:
    """A P1 ticket of acme's, so many microseconds old."""
    told: dict[str, object] = {"customer": "acme", "priority": "P1", "status": "open", **members}
    return ticket(name, whole_second() - ago, **told)


def at_of(event: Event) -> int:
    return parse_instant(str(event["time"]))


async def test_tickets_and_outages_are_in_alertmanager_before_they_are_due_and_gone_when_they_end(
    place: Place,
) -> None:
    await place.running()
    # Two seconds before 75 % and 90 % of ten minutes, and before all of them.
    warned, urgent, missed = (
        opened("T-1", 7 * MINUTE + 28 * SECOND),
        opened("T-2", 8 * MINUTE + 58 * SECOND),
        opened("T-3", 9 * MINUTE + 58 * SECOND),
    )
    down = whole_second()
    await place.send(
        warned,
        urgent,
        missed,
        availability("billing-api", down - 40 * DAY, "up", customer="acme"),
        availability("billing-api", down, "down", customer="acme"),
    )
    expected = (
        "SlaTicketAtRisk T-1 75%",
        "SlaTicketAtRisk T-2 90%",
        "SlaTicketBreached T-3",
        "SlaOutageBudget 99.99%",
    )
    found = await place.fires(*expected)
    seen_at = clock.now()
    announced = {alert.short: alert.said for alert in await place.alerts() if alert.transition == "fired"}

    def is_as_promised(short: str, since: int, due_at: int, **labels: str) -> None:
        alert = found[short]
        name, _, _ = short.partition(" ")
        assert alert["labels"] == {
            "alertname": name, "customer": "acme", "agreement": place.name, **labels
        }  # fmt: skip
        annotations = alert["annotations"]
        runbook = {"runbook_url": f"https://slamon.example/docs/runbook/{name}/"}
        assert annotations == announced[short]["annotations"] | runbook
        assert parse_instant(alert["startsAt"]) == parse_instant(announced[short]["at"]) == since
        assert parse_instant(annotations["due_at"]) == due_at
        assert annotations["summary"].startswith("acme: ")
        assert annotations["description"].startswith("Managed services for ACME")
        if name != "SlaTicketBreached":
            assert seen_at < due_at
            left = due_at - parse_instant(announced[short]["detected_at"])
            assert annotations["time_left"] == in_words(left)
            assert annotations["summary"].endswith(f"; {annotations['time_left']} left")

    p1 = {"objective": "p1-response"}
    due = {event["ticket"]: at_of(event) + 10 * MINUTE for event in (warned, urgent, missed)}
    is_as_promised(
        "SlaTicketAtRisk T-1 75%",
        due["T-1"] - 150 * SECOND,
        due["T-1"],
        **p1,
        severity="warning",
        ticket="T-1",
        step="75%",
    )
    is_as_promised(
        "SlaTicketAtRisk T-2 90%",
        due["T-2"] - 60 * SECOND,
        due["T-2"],
        **p1,
        severity="critical",
        ticket="T-2",
        step="90%",
    )
    is_as_promised("SlaTicketBreached T-3", due["T-3"], due["T-3"], **p1, severity="critical", ticket="T-3")
    budget = 30 * DAY // 100
    is_as_promised(
        "SlaOutageBudget 99.99%", down + budget // 10_000, down + budget,
        objective="api", severity="warning", step="99.99%",
    )  # fmt: skip
    assert found["SlaOutageBudget 99.99%"]["annotations"]["service_affected"] == "billing-api"

    answered = whole_second()
    await place.send(
        ticket("T-1", answered, customer="acme", reply="agent"),
        ticket("T-3", answered, customer="acme", status="resolved"),
        availability("billing-api", answered, "up", customer="acme"),
    )
    await place.fires("SlaTicketAtRisk T-2 90%")
    ended = {
        a.short: (a.reason, parse_instant(a.said["at"]))
        for a in await place.alerts()
        if a.reason in ("stopped", "recovered")
    }
    assert ended == {
        "SlaTicketAtRisk T-1 75%": ("stopped", answered),
        "SlaTicketBreached T-3": ("stopped", answered),
        "SlaOutageBudget 99.99%": ("recovered", answered),
    }


def in_words(left: int) -> str:
    """Microseconds to the nearest second, in the two largest units."""
    seconds = (left + SECOND // 2) // SECOND
    counts = {"h": seconds // 3600, "min": seconds % 3600 // 60, "s": seconds % 60}
    return " ".join([f"{count} {unit}" for unit, count in counts.items() if count][:2])


MEASURED = ACME.replace("burnRates: none, ", "")


async def test_prometheus_sees_what_a_replay_of_the_events_says(
    placing: Placing, prometheus: Prometheus, part: Callable[[str], Path], tmp_path: Path
) -> None:
    promtool = part("promtool")
    async with placing(MEASURED) as place:
        daemon = place.start()
        now = whole_second()
        events = [
            # Known for longer than the window, down for longer than 1 % of it ten days ago, and again now.
            availability("billing-api", now - 40 * DAY, "up", customer="acme"),
            availability("billing-api", now - 10 * DAY, "down", customer="acme"),
            availability("billing-api", now - 10 * DAY + 8 * HOUR, "up", customer="acme"),
            ticket("met", now - 3 * DAY, customer="acme", priority="P1", status="open"),
            ticket("met", now - 3 * DAY + 5 * MINUTE, customer="acme", reply="agent"),
            ticket("missed", now - 2 * DAY, customer="acme", priority="P1", status="open"),
            ticket("missed", now - 2 * DAY + HOUR, customer="acme", reply="agent", status="resolved"),
            ticket("overdue", now - HOUR, customer="acme", priority="P1", status="open"),
            ticket("running", now - SECOND, customer="acme", priority="P1", status="open"),
        ]
        file = tmp_path / "events.ndjson"
        file.write_bytes(b"\n".join(map(orjson.dumps, events)))
        replayed = run_slamon(
            "replay", "--agreements", tmp_path / "agreements.yaml", "--events", file, "--out", tmp_path / "out",
            "--until", format_instant(now),
        )  # fmt: skip
        assert replayed.returncode == 0, replayed.stderr
        standings = {line["objective"]: line for line in lines_of(tmp_path / "out" / "standings.ndjson")}
        [running] = [
            line
            for line in lines_of(tmp_path / "out" / "clocks.ndjson")
            if line["state"] == "running" and line["outcome"] == "pending"
        ]

        await daemon.started()
        await place.send(*events)
        await place.producer.send_and_wait(place.names.tickets, b"{", key=b"acme")
        target = daemon.address.removeprefix("http://")
        (prometheus.folder / "targets" / "daemon.json").write_bytes(orjson.dumps([{"targets": [target]}]))
        await place.fires("SlaTicketBreached overdue", "SlaBreached")

        p1, api = standings["p1-response"], standings["api"]
        assert (p1["standing"], api["standing"]) == ("breached", "breached")
        of_p1, of_api = (
            f'{{customer="acme",agreement="{place.name}",objective="{name}"}}'
            for name in ("p1-response", "api")
        )
        expected = {
            f"slamon_objective_target_ratio{of_p1}": p1["target_ratio"],
            f"slamon_objective_attained_ratio{of_p1}": p1["attained_ratio"],
            f"slamon_objective_misses_left{of_p1}": p1["misses_left"],
            f"slamon_objective_target_ratio{of_api}": api["target_ratio"],
            f"slamon_objective_attained_ratio{of_api}": api["attained_ratio"],
            f"slamon_objective_worst_case_ratio{of_api}": api["worst_case_ratio"],
            f"slamon_objective_coverage_ratio{of_api}": api["coverage_ratio"],
            f"slamon_objective_budget_remaining_seconds{of_api}": api["budget"]["remaining_seconds"],
            f"slamon_objective_budget_exhausted_timestamp_seconds{of_api}": parse_instant(api["exhausted_at"])
            / SECOND,
            f'slamon_tickets{of_p1[:-1]},state="breached"}}': 1,
            f'slamon_tickets{of_p1[:-1]},state="running"}}': 1,
            f'slamon_ticket_due_timestamp_seconds{of_p1[:-1]},ticket="running",priority="P1"}}': parse_instant(
                running["due_at"]
            )
            / SECOND,
            'slamon_events_total{type="ticket"}': 6,
            'slamon_events_total{type="availability"}': 3,
            'slamon_events_rejected_total{reason="not_json"}': 1,
            'sum(slamon_alerts_firing{alertname="SlaTicketBreached",severity="critical"})': 1,
            f'sum(slamon_partition_lag{{topic="{place.names.tickets}"}})': 0,
            'sum(slamon_task_state{state="running"})': PARTITIONS,
        }
        await shows(prometheus, expected)
        for path in ("/metrics", "/metrics/sla"):
            checked = await asyncio.to_thread(promtool_on, promtool, await daemon.page(path))
            assert (checked.returncode, checked.stderr) == (0, "")
            headers, page = await scraped(daemon.address + path)
            assert headers["Content-Encoding"] == "gzip"
            media_type, *parameters = headers["Content-Type"].split("; ")
            assert media_type == "application/openmetrics-text"
            assert {"version=1.0.0", "escaping=allow-utf-8"} <= set(parameters)
            families = list(open_metrics_families(gzip.decompress(page).decode()))  # type: ignore[no-untyped-call]  # - the library leaves it untyped
            assert {"slamon_build", "slamon_objective_standing"} & {family.name for family in families}


PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
    "application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,"
    "text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
)


async def scraped(address: str) -> tuple[Mapping[str, str], bytes]:
    """Headers, and the body as it came over the wire, of what Prometheus 3 asks for."""
    asked = {"Accept": PROMETHEUS_3, "Accept-Encoding": "gzip"}
    async with (
        aiohttp.ClientSession(auto_decompress=False) as session,
        session.get(address, headers=asked) as answer,
    ):
        return dict(answer.headers), await answer.read()


def promtool_on(promtool: Path, page: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [promtool, "check", "metrics"], input=page, capture_output=True, text=True, check=False
    )


async def shows(prometheus: Prometheus, expected: Mapping[str, float]) -> None:
    """Wait until each query has just this value, to the nine decimals to which records are rounded."""
    deadline = clock.monotonic() + PATIENCE
    while True:
        answers = {expr: await ask(prometheus, expr) for expr in expected}
        found = {expr: [round(value, 9) for value in values] for expr, values in answers.items()}
        wanted = {expr: [value] for expr, value in expected.items()}
        if found == wanted or clock.monotonic() > deadline:
            assert found == wanted
            return
        await clock.wait(0.2)


async def ask(prometheus: Prometheus, expr: str) -> list[float]:
    """The values of an instant query."""
    status, body = await get(f"{prometheus.url}/api/v1/query", query=expr)
    answer = orjson.loads(body)
    assert (status, answer["status"]) == (200, "success"), (expr, body)
    return [float(each["value"][1]) for each in answer["data"]["result"]]


def lines_of(file: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in file.read_bytes().splitlines()]


async def test_what_cannot_be_judged_becomes_a_dead_letter_as_it_came_and_the_stream_goes_on(
    place: Place,
) -> None:
    topic = place.names.tickets
    home = await place.home("acme")
    wrong = (home + 1) % PARTITIONS
    headers = [("traceparent", b"\x00\xfe\xff"), ("empty", b"")]
    sent = {}

    async def bring(value: bytes, partition: int, reason: str) -> None:
        record = await place.producer.send_and_wait(
            topic, value, key=b"acme", partition=partition, headers=headers
        )
        sent[value] = (partition, record.offset, reason)

    await bring(b"\x00\xff\x80 \n\xc3(", home, "not_json")
    await bring(b"not JSON, but words", home, "not_json")
    await bring(orjson.dumps(opened("T-9", MINUTE)), wrong, "wrong_partition")
    await place.send(opened("T-1", 8 * MINUTE))
    daemon = await place.running()
    await place.fires("SlaTicketAtRisk T-1 75%")
    # Only what comes after history was judged can be too late.
    await bring(orjson.dumps(opened("T-8", 101 * DAY)), home, "too_late")

    async def all_are_there() -> bool:
        return len(await place.records(place.names.dead_letters)) >= len(sent)

    await until(all_are_there, "every task has committed its dead letters")
    letters = await place.records(place.names.dead_letters)
    assert {letter.value for letter in letters} == sent.keys()
    assert len(letters) == len(sent)
    for letter in letters:
        partition, offset, reason = sent[letter.value]
        assert letter.key == b"acme"
        assert list(letter.headers[: len(headers)]) == headers
        why = {name: value.decode() for name, value in letter.headers[len(headers) :]}
        assert why.pop("__connect.errors.exception.message")
        assert why == {
            "__connect.errors.topic": topic,
            "__connect.errors.partition": str(partition),
            "__connect.errors.offset": str(offset),
            "__connect.errors.connector.name": place.name,
            "__connect.errors.task.id": str(partition),
            "__connect.errors.stage": "event",
            "__connect.errors.exception.class.name": reason,
        }
    await daemon.shows('slamon_events_rejected_total{reason="not_json"} 2.0')
    await daemon.shows('slamon_events_rejected_total{reason="wrong_partition"} 1.0')
    await daemon.shows('slamon_events_rejected_total{reason="too_late"} 1.0')


CUSTOMERS = [f"c{number}" for number in range(12)]
MANY = "---\n".join(
    f"""\
apiVersion: slamon/v1
kind: Agreement
metadata: {{name: "{{place}}"}}
spec:
  customer: {customer}
  effective: {{from: 2020-01-01, to: 2099-12-31}}
  timeZone: UTC
  services: [{{name: web}}]
  objectives:
    - name: resolution
      ticketClock: {{measure: resolution, calendar: always, target: 1h, warnAt: [75%]}}
"""
    for customer in CUSTOMERS
)


def story(number: int, base: int) -> tuple[Event, Event | None]:
    """How a ticket begins and ends. What it leads to does not depend on when the one and the other become known.

    By turns: missed and ended, overdue and open, at risk for another quarter of an hour, met without ever being at risk.
    """
    customer = CUSTOMERS[number % len(CUSTOMERS)]
    began, ended = [
        (base - 2 * HOUR, base - 30 * MINUTE),
        (base - 2 * HOUR, None),
        (base - 46 * MINUTE, None),
        (base - 10 * MINUTE, base - 5 * MINUTE),
    ][number % 4]
    name = f"T-{number}"
    begin = ticket(name, began, customer=customer, status="open")
    return begin, None if ended is None else ticket(name, ended, customer=customer, status="resolved")


LEADS_TO = (
    (("SlaTicketBreached", "fired", "limit_exceeded"), ("SlaTicketBreached", "resolved", "stopped")),
    (("SlaTicketBreached", "fired", "limit_exceeded"),),
    (("SlaTicketAtRisk", "fired", "step_reached"),),
    (),
)
ENDS_LATER = 40  # tickets after its begin a ticket's end is sent


async def test_killed_in_mid_stream_it_announces_what_an_undisturbed_one_announces_and_nothing_twice(
    placing: Placing,
) -> None:
    async with placing(MANY) as place:
        config = place.like("static.yaml", group_instance_id="the-same")
        base = whole_second()
        enough = asyncio.Event()

        async def stream() -> int:
            ends: list[Event | None] = []
            number = 0
            while not enough.is_set() or number % 4:
                begin, end = story(number, base)
                ends.append(end)
                due = ends[number - ENDS_LATER] if number >= ENDS_LATER else None
                await place.send(begin, *([due] if due else []))
                await clock.wait(0.01)
                number += 1
            await place.send(*(end for end in ends[-ENDS_LATER:] if end))
            return number

        async def starts_and_goes_on() -> Daemon:
            known = len(await place.alerts())
            daemon = place.start(config)

            async def more() -> bool:
                return len(await place.alerts()) > known + 20

            await until(more, "it announces something more")
            return daemon

        async with asyncio.TaskGroup() as group:
            streaming = group.create_task(stream())
            for _ in range(2):
                (await starts_and_goes_on()).kill()
            daemon = await starts_and_goes_on()
            enough.set()
            begun = await streaming
        assert sum(restored["facts"] for restored in daemon.said("task_restored")), (
            "it had something to remember"
        )
        expected = sorted((f"T-{number}", *what) for number in range(begun) for what in LEADS_TO[number % 4])

        async def all_is_said(where: Place) -> bool:
            return len(await where.alerts()) >= len(expected)

        await until(lambda: all_is_said(place), f"all {len(expected)} transitions are announced")
        await stopped(daemon, place)
        alerts = await place.alerts()
        assert_numbered(alerts)
        said = sorted(
            (a.said["labels"]["ticket"], a.said["labels"]["alertname"], a.transition, a.reason)
            for a in alerts
        )
        assert said == expected

        async with await place.beside() as undisturbed:
            other = undisturbed.start()
            await until(lambda: all_is_said(undisturbed), "the undisturbed one has announced all")
            other.stop()
            assert {told(alert) for alert in await undisturbed.alerts()} == {told(alert) for alert in alerts}


def told(alert: Alert) -> tuple[Any, ...]:
    return *alert.identity, alert.said["at"], tuple(sorted(alert.said["labels"].items()))


async def stopped(daemon: Daemon, place: Place) -> None:
    """An orderly stop leaves nothing unread: the recorded positions are the ends of the inputs."""
    daemon.stop()
    positions = await place.positions()
    for topic in (place.names.tickets, place.names.availability):
        ends = await place.input_ends(topic)
        assert {partition: one.inputs[topic] for partition, one in positions.items()} == ends


async def test_the_other_instance_takes_over_what_a_killed_one_had_and_its_alerts(placing: Placing) -> None:
    async with placing(MANY) as place:
        first, second = place.start(), place.start()
        await asyncio.gather(first.started(), second.started())

        async def shared() -> bool:
            return len(await first.owns()) == len(await second.owns()) == PARTITIONS // 2

        await until(shared, "each runs half of the tasks")
        homes = {customer: await place.home(customer) for customer in CUSTOMERS}
        left = await second.owns()
        assert left | await first.owns() == set(range(PARTITIONS))
        moves = [customer for customer, home in homes.items() if home in left]
        stays = [customer for customer, home in homes.items() if home not in left]
        before, stayed = moves[0], stays[0]
        now = whole_second()
        await place.send(
            ticket("before", now - 50 * MINUTE, customer=before, status="open"),
            ticket("stayed", now - 50 * MINUTE, customer=stayed, status="open"),
        )
        await place.fires("SlaTicketAtRisk before 75%", "SlaTicketAtRisk stayed 75%")

        due = whole_second() - 45 * MINUTE + 3 * SECOND  # its step is reached while nobody owns it
        await place.send(ticket("meanwhile", due, customer=moves[-1], status="open"))
        second.kill()
        await place.until_owns(first, *range(PARTITIONS))
        later = whole_second() - 45 * MINUTE + 2 * SECOND
        await place.send(
            ticket("after", later, customer=before, status="open"),
            ticket("before", whole_second(), customer=before, status="resolved"),
        )
        await place.fires(
            "SlaTicketAtRisk stayed 75%", "SlaTicketAtRisk meanwhile 75%", "SlaTicketAtRisk after 75%"
        )
        alerts = await place.alerts()
        assert_numbered(alerts)
        assert sorted((alert.short, alert.transition) for alert in alerts) == [
            ("SlaTicketAtRisk after 75%", "fired"),
            ("SlaTicketAtRisk before 75%", "fired"),
            ("SlaTicketAtRisk before 75%", "resolved"),
            ("SlaTicketAtRisk meanwhile 75%", "fired"),
            ("SlaTicketAtRisk stayed 75%", "fired"),
        ]
        [meanwhile] = [alert.said for alert in alerts if "meanwhile" in alert.short]
        assert parse_instant(meanwhile["at"]) == due + 45 * MINUTE
        await stopped(first, place)


async def test_of_a_partition_that_moved_prometheus_sees_no_series_of_its_old_owner(
    placing: Placing, prometheus: Prometheus
) -> None:
    async with placing(MANY) as place:
        objectives = f'slamon_objective_info{{agreement="{place.name}"}}'
        targets = prometheus.folder / "targets" / "moving.json"
        first = await place.running()
        targets.write_bytes(orjson.dumps([{"targets": [first.address.removeprefix("http://")]}]))
        now = whole_second()
        await place.send(*(ticket("T", now - MINUTE, customer=one, status="open") for one in CUSTOMERS))
        await shows(prometheus, {f"count({objectives})": len(CUSTOMERS)})

        second = await place.start().started()
        both = [daemon.address.removeprefix("http://") for daemon in (first, second)]
        targets.write_bytes(orjson.dumps([{"targets": both}]))

        async def shared() -> bool:
            return len(await first.owns()) == len(await second.owns()) == PARTITIONS // 2

        await until(shared, "each runs half of the tasks")
        owned = {each: await daemon.owns() for each, daemon in zip(both, (first, second), strict=True)}
        expected = {f"count({objectives})": float(len(CUSTOMERS))}
        for customer in CUSTOMERS:
            home = await place.home(customer)
            [owner] = [each for each, partitions in owned.items() if home in partitions]
            of_customer = f'agreement="{place.name}",customer="{customer}"'
            for name in ("slamon_objective_info", "slamon_ticket_due_timestamp_seconds"):
                expected[f"count({name}{{{of_customer}}})"] = 1.0
                expected[f'count({name}{{{of_customer},instance="{owner}"}})'] = 1.0
        for each, partitions in owned.items():
            expected[f'count(slamon_watermark_timestamp_seconds{{instance="{each}"}})'] = float(
                len(partitions)
            )
        await shows(prometheus, expected)
        targets.unlink()


@pytest.fixture
def paused(kafka: Kafka) -> Iterator[Kafka]:
    """May be paused; goes on in any case."""
    yield kafka
    kafka.resume()


async def test_it_is_ready_while_its_tasks_run_and_a_stop_drains_what_was_begun(
    place: Place, paused: Kafka
) -> None:
    kafka = paused
    kafka.pause()
    daemon = await place.start().started()
    assert await daemon.readyz() == (503, {}), "nothing is known of any task yet"
    assert await daemon.livez() == 200, "a broker that is away is no reason to be restarted"
    kafka.resume()
    await place.until_owns(daemon, *range(PARTITIONS))

    tickets = [opened(f"T-{number}", MINUTE) for number in range(200)]
    await place.send(*tickets)
    labels = f'customer="acme",agreement="{place.name}",objective="p1-response"'
    await daemon.shows(f'slamon_tickets{{{labels},state="running"}} 200', "/metrics/sla")
    kafka.pause()  # so that the last commit takes long enough to be watched
    daemon.process.send_signal(signal.SIGTERM)

    async def drains() -> bool:
        return (await daemon.readyz())[0] == 503

    await until(drains, "it is no longer ready")
    assert await daemon.livez() == 200
    assert daemon.process.poll() is None
    kafka.resume()
    assert daemon.process.wait(place.settings.shutdown_timeout) == 0, daemon.log.read_text()
    assert daemon.lines()[-1]["event"] == "stopped"
    positions = await place.positions()
    ends = await place.input_ends(place.names.tickets)
    assert {partition: one.inputs[place.names.tickets] for partition, one in positions.items()} == ends


BROKEN = {
    "agreements with a fault": (1, "the agreements have faults: mend them first"),
    "facts kept for too short": (2, "for corrections. Set facts.keep to 96 or more"),
    "a setting that does not exist": (
        2,
        "broker: there is no such setting; Allowed: agreements, agreements_poll, application_id, facts, format, http, kafka, log, metrics, notifier, shutdown_timeout",
    ),
    "no broker": (1, "no Kafka answers at 127.0.0.1:1: is it running, and is kafka.bootstrap_servers right?"),
    "no topics": (1, "Make them with `slamon topics create`"),
}
"""What is wrong: exit code, and how the last line ends."""


@pytest.fixture(scope="module")
def broken_starts(kafka: Kafka, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, str]]:
    """What is wrong → exit code and all that was said; all at once, because starting is slow."""
    folder = tmp_path_factory.mktemp("broken")
    agreements = ACME.replace("{place}", "acme-2026")
    (folder / "good.yaml").write_text(agreements)
    (folder / "faulty.yaml").write_text(agreements.replace("target: 10m", "target: 10 minutes"))
    good: dict[str, Any] = {
        "agreements": ["good.yaml"],
        "kafka": {"bootstrap_servers": kafka.bootstrap, "topics": {"tickets": "never.made"}},
        "http": {"host": "127.0.0.1", "port": 0, "liveness_port": 0},
    }
    settings = {
        "agreements with a fault": {**good, "agreements": ["faulty.yaml"]},
        "facts kept for too short": {**good, "facts": {"keep": 60}},
        "a setting that does not exist": {**good, "broker": "kafka:9092"},
        "no broker": {**good, "kafka": {"bootstrap_servers": "127.0.0.1:1"}},
        "no topics": good,
    }
    started = {}
    for number, (what, said) in enumerate(settings.items()):
        config = folder / f"slamon-{number}.yaml"
        config.write_bytes(orjson.dumps(said))
        started[what] = subprocess.Popen(
            [*SLAMON, "run", "--config", config], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
    said_by = {what: process.communicate(timeout=120)[0] for what, process in started.items()}
    return {what: (process.returncode, said_by[what]) for what, process in started.items()}


@pytest.mark.parametrize("what", BROKEN)
def test_what_a_user_can_mend_ends_the_start_with_words_and_without_a_traceback(
    what: str, broken_starts: dict[str, tuple[int, str]]
) -> None:
    code, said = broken_starts[what]
    expected_code, ending = BROKEN[what]
    words = [line for line in said.splitlines() if line and not line.startswith("{")]
    assert code == expected_code, said
    assert words[-1].endswith(ending)
    assert "Traceback" not in said
    if what == "agreements with a fault":
        assert "faulty.yaml:11:" in said
    else:
        assert words[0].startswith("error: ")
        assert len(words) <= 2


async def test_topics_are_made_once_and_a_published_file_is_read(
    tmp_path: Path, kafka: Kafka, alertmanager: Alertmanager
) -> None:
    async with Place(tmp_path, kafka.bootstrap, alertmanager.url, ACME) as place:
        names = sorted(place.names.model_dump().values())
        for did in ("made", "was there"):
            made = run_slamon("topics", "create", "--config", place.config)
            assert (made.returncode, made.stderr) == (0, "")
            assert sorted(made.stdout.splitlines()) == [
                f"{name}: {PARTITIONS} partitions, {did}" for name in names
            ]

        daemon = place.start()
        file = tmp_path / "events.ndjson"
        now = whole_second()
        for_everybody = availability("billing-api", now - DAY, "up")
        events = [opened("T-1", 8 * MINUTE), opened("T-2", MINUTE), for_everybody]
        file.write_bytes(b"\n".join(map(orjson.dumps, events)))
        published = run_slamon("publish", "--config", place.config, file)
        assert (published.returncode, published.stderr) == (0, "")
        assert sorted(published.stdout.splitlines()) == sorted(
            [
                f"{place.names.tickets}: 2 records",
                f"{place.names.availability}: {PARTITIONS} records",
                "3 events published",
            ]
        )
        await daemon.started()
        await place.fires("SlaTicketAtRisk T-1 75%")
        await daemon.shows('slamon_events_total{type="ticket"} 2.0')
        await daemon.shows(f'slamon_events_total{{type="availability"}} {PARTITIONS}.0')
        await daemon.shows(f"slamon_events_unmatched_total {PARTITIONS - 1}.0")


async def test_an_alertmanager_that_was_killed_and_lost_its_data_is_told_again_what_fires(
    tmp_path: Path, kafka: Kafka, part: Callable[[str], Path]
) -> None:
    with Alertmanager(tmp_path / "alertmanager", program=part("alertmanager"), config=ALERTMANAGER) as own:
        async with placed(tmp_path, kafka.bootstrap, own, ACME) as place:
            await place.send(opened("T-1", 8 * MINUTE), opened("T-2", HOUR))
            place.start()
            firing = ("SlaTicketAtRisk T-1 75%", "SlaTicketBreached T-2")
            before = await place.fires(*firing)
            own.kill()
            shutil.rmtree(own.folder / "data")
            await asyncio.to_thread(own.restart)
            after = await place.fires(*firing)
            for short in firing:
                assert after[short]["labels"] == before[short]["labels"]
                assert after[short]["startsAt"] == before[short]["startsAt"]
                assert after[short]["annotations"] == before[short]["annotations"]


async def test_what_an_input_no_longer_holds_makes_its_services_unknown_until_they_are_heard_of_again(
    place: Place,
) -> None:
    daemon = await place.running()
    home, topic = await place.home("acme"), place.names.availability
    await place.send(availability("web", whole_second() - MINUTE, "up", customer="acme"))

    async def read(count: int) -> bool:
        stands = (await place.positions()).get(home)
        return stands is not None and stands.inputs[topic] == count

    await until(lambda: read(1), "the first event is committed")
    daemon.stop()
    await place.send(availability("web", whole_second(), "down", customer="acme"))
    admin = AIOKafkaAdminClient(bootstrap_servers=place.settings.kafka.bootstrap_servers)
    await admin.start()
    await admin.delete_records({TopicPartition(topic, home): RecordsToDelete(before_offset=2)})
    await admin.close()
    after = await place.running()
    await until(lambda: read(2), "the gap is committed")
    await after.shows("slamon_input_gaps_total 1.0")
    reading = Reading()
    for record in await place.records(place.names.changelog):
        if record.partition == home:
            reading.take(record.key, record.value)
    events = [event for _, facts, _ in reading.facts() for event in facts.services or ()]
    newest = max(events, key=lambda event: event.time)
    assert (newest.id, newest.service, newest.status) == (f"{topic}/{home}/1", "web", ServiceStatus.UNKNOWN)
    assert len(events) == 2
