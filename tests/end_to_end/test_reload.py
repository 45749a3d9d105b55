"""Agreements that change under a running `slamon run`: taken, refused, and what they make of what was said before."""

import asyncio
import signal
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest

from slamon.codec import parse_instant
from slamon.demo.processes import Alertmanager, Kafka
from slamon.domain.events import DAY, HOUR, SECOND
from tests.end_to_end.place import (
    Daemon,
    Place,
    assert_numbered,
    placed,
    run_slamon,
    ticket,
    until,
    whole_second,
)

EVER = 3600.0  # s; no test lasts so long, so nothing is seen but by being told

OF = """\
apiVersion: slamon/v1
kind: Agreement
metadata: {{name: "{{place}}"}}
spec:
  customer: {customer}
  effective: {{from: {since}{to}}}
  reporting: {{settleAfter: 0s}}
  objectives:
    - name: resolution
      ticketClock: {{measure: resolution, calendar: always, target: {target}, warnAt: []}}
      attainment: {{target: 100%}}
"""


def today() -> date:
    return datetime.fromtimestamp(whole_second() // SECOND, UTC).date()


def last_month() -> date:
    """Its first day."""
    return (today().replace(day=1) - timedelta(days=1)).replace(day=1)


def midnight(day: date) -> int:
    return parse_instant(f"{day}T00:00:00Z")


def terms(
    target: str, customer: str = "acme", since: date | None = None, until_day: date | None = None
) -> str:
    to = "" if until_day is None else f", to: {until_day}"
    return OF.format(customer=customer, since=since or last_month(), to=to, target=target)


@pytest.fixture
async def place(tmp_path: Path, kafka: Kafka, alertmanager: Alertmanager) -> AsyncIterator[Place]:
    async with placed(tmp_path, kafka.bootstrap, alertmanager, terms("4h")) as acme:
        yield acme


def opened(name: str, at: int, customer: str = "acme") -> dict[str, object]:
    return ticket(name, at, customer=customer, status="open")


async def statements(place: Place, customer: str = "acme") -> list[tuple[int, str]]:
    """Revision and outcome of what was said of the last month, in its order."""
    said = [orjson.loads(record.value) for record in await place.records(place.names.statements)]
    return [
        (one["revision"], one["outcome"])
        for one in said
        if one["customer"] == customer and parse_instant(one["period"]["from"]) == midnight(last_month())
    ]


async def until_stated(place: Place, *expected: tuple[int, str]) -> None:
    async def stated() -> bool:
        return await statements(place) == list(expected)

    await until(stated, f"of the last month was said {expected}")


async def until_said(daemon: Daemon, event: str, count: int = 1) -> list[dict[str, Any]]:
    async def said() -> bool:
        daemon.assert_goes_on()
        return len(daemon.said(event)) >= count

    await until(said, f"the daemon has said {event}")
    return daemon.said(event)


async def running(place: Place, agreements_poll: float) -> Daemon:
    return await place.running(place.like("reloading.yaml", agreements_poll=agreements_poll))


async def test_a_corrected_file_is_seen_and_changes_what_was_said_and_what_will_be(place: Place) -> None:
    long_ago = midnight(last_month()) + 10 * DAY
    await place.send(
        opened("solved", long_ago),
        ticket("solved", long_ago + 2 * HOUR, customer="acme", status="resolved"),
        opened("waits", whole_second() - 2 * HOUR),
    )
    daemon = await running(place, 0.2)
    await until_stated(place, (1, "met"))
    assert await place.firing() == {}

    place.agree(terms("1h"))
    await place.fires("SlaTicketBreached waits")
    await until_stated(place, (1, "met"), (2, "missed"))
    assert [line["partition"] for line in daemon.said("task_renewed")] == [await place.home("acme")]
    alerts = await place.alerts()
    assert_numbered(alerts)
    assert {alert.said["late"] for alert in alerts} == {True}
    assert sorted((alert.short, alert.transition) for alert in alerts) == [
        ("SlaTicketBreached solved", "fired"),
        ("SlaTicketBreached solved", "resolved"),
        ("SlaTicketBreached waits", "fired"),
    ]

    # What was said is remembered by whoever comes next.
    daemon.kill()
    await place.running()
    await place.send(opened("overdue", whole_second() - 3 * HOUR))
    await place.fires("SlaTicketBreached waits", "SlaTicketBreached overdue")
    # It may write the last one again, never another.
    assert set(await statements(place)) == {(1, "met"), (2, "missed")}


async def test_a_diff_of_what_is_running_tells_beforehand_what_the_change_then_brings(place: Place) -> None:
    long_ago = midnight(last_month()) + 10 * DAY
    await place.send(
        opened("solved", long_ago),
        ticket("solved", long_ago + 2 * HOUR, customer="acme", status="resolved"),
        opened("waits", whole_second() - 2 * HOUR),
    )
    await running(place, 0.2)
    await until_stated(place, (1, "met"))

    async def heard_of() -> bool:
        standings = [orjson.loads(record.value) for record in await place.records(place.names.standings)]
        return bool(standings) and standings[-1]["tickets"]["pending"] == 1

    await until(heard_of, "the ticket that waits is known")

    merged = place.folder / "merged.yaml"
    merged.write_text(terms("1h").replace("{place}", place.name))
    arguments = ("agreements", "diff", place.folder / "agreements.yaml", merged, "--config", place.config)
    foretold = await asyncio.to_thread(run_slamon, *arguments, "--format", "json")
    assert (foretold.returncode, foretold.stderr) == (1, "")
    judged = orjson.loads(foretold.stdout)["judged"]
    assert judged["taken_into_use"]["statements_by_other_terms"] == 0

    place.agree(terms("1h"))
    await place.fires("SlaTicketBreached waits")
    await until_stated(place, (1, "met"), (2, "missed"))
    alerts = await place.alerts()
    assert {(one["id"], one["transition"]) for one in judged["taken_into_use"]["alerts"]} == {
        (alert.said["id"], alert.transition) for alert in alerts
    }
    assert {one["new"]["id"] for one in judged["alerts"]} < {alert.said["id"] for alert in alerts}
    written = [orjson.loads(record.value) for record in await place.records(place.names.statements)]
    assert judged["taken_into_use"]["statements"] == written[1:]

    # By now OLD is not what is in use, and a comparison with it says so.
    before = place.folder / "before.yaml"
    before.write_text(terms("4h").replace("{place}", place.name))
    behind = await asyncio.to_thread(
        run_slamon, "agreements", "diff", before, merged, "--config", place.config
    )
    assert behind.returncode == 1
    assert "1 statement of the running slamon given by other terms than OLD" in " ".join(
        behind.stdout.split()
    )


async def test_a_bad_file_is_refused_and_verdicts_go_on_by_the_old_one_until_it_is_mended(
    place: Place,
) -> None:
    daemon = await running(place, 0.2)
    await daemon.shows("slamon_config_last_reload_successful 1.0")
    place.agree(terms("one hour"))
    await daemon.shows("slamon_config_last_reload_successful 0.0")
    [fault] = daemon.said("agreement_fault")
    assert (fault["level"], fault["line"], fault["path"]) == (
        "error",
        10,
        "spec.objectives[0].ticketClock.target",
    )
    assert fault["file"].endswith("agreements.yaml")
    assert "one hour" in fault["message"]
    assert len(daemon.said("agreements_refused")) == 1

    now = whole_second()
    await place.send(opened("old", now - 5 * HOUR), opened("young", now - 2 * HOUR))
    await place.fires("SlaTicketBreached old")

    place.agree(terms("1h"))
    await place.fires("SlaTicketBreached old", "SlaTicketBreached young")
    await daemon.shows("slamon_config_last_reload_successful 1.0")
    (place.folder / "agreements.yaml").unlink()
    await daemon.shows("slamon_config_last_reload_successful 0.0")
    await place.send(ticket("young", whole_second(), customer="acme", status="resolved"))
    await place.fires("SlaTicketBreached old")


async def test_told_by_sighup_it_goes_on_by_a_document_that_takes_over_from_a_date(place: Place) -> None:
    """A clock that runs across that date counts on against the new target; what was decided before stays as it was."""
    place.agree(terms("700h"))
    long_ago, begun = midnight(last_month()), midnight(today())
    await place.send(
        opened("solved", long_ago),
        ticket("solved", long_ago + 2 * HOUR, customer="acme", status="resolved"),
        opened("runs", begun - 4 * HOUR),
    )
    daemon = await running(place, EVER)
    await until_stated(place, (1, "met"))

    yesterday = today() - timedelta(days=1)
    place.agree("---\n".join([terms("700h", until_day=yesterday), terms("1h", since=today())]))
    daemon.process.send_signal(signal.SIGHUP)
    await place.fires("SlaTicketBreached runs")
    [alert] = await place.alerts()
    assert parse_instant(alert.said["at"]) == begun, "broken by the change of terms itself"
    [taken] = daemon.said("agreements_taken")
    assert (taken["agreements"], taken["changed_partitions"]) == (2, [await place.home("acme")])
    assert {outcome for _, outcome in await statements(place)} == {"met"}

    # Asked again without a change, it reads, says so, and changes nothing.
    daemon.process.send_signal(signal.SIGHUP)
    [_, again] = await until_said(daemon, "agreements_taken", 2)
    assert again["changed_partitions"] == []
    assert len(daemon.said("task_renewed")) == 1


async def test_a_customer_that_comes_later_is_judged_from_then_on_and_the_others_are_left_alone(
    place: Place,
) -> None:
    daemon = await running(place, EVER)
    customers = [f"c{number}" for number in range(12)]
    home = await place.home("acme")
    homes = {one: await place.home(one) for one in customers}
    other = next(one for one in customers if homes[one] != home)
    now = whole_second()
    await place.send(opened("old", now - 5 * HOUR), opened("unheard", now - 5 * HOUR, other))
    await place.fires("SlaTicketBreached old")
    await daemon.shows("slamon_events_unmatched_total 1.0")

    place.agree("---\n".join([terms("4h"), terms("4h", other)]))
    daemon.process.send_signal(signal.SIGHUP)
    [renewed] = await until_said(daemon, "task_renewed")
    assert renewed["partition"] == homes[other]
    await place.send(opened("heard", now - 5 * HOUR, other))
    await place.fires("SlaTicketBreached old", "SlaTicketBreached heard")


async def test_agreements_that_change_again_and_again_in_a_stream_lose_and_double_nothing(
    place: Place,
) -> None:
    """Every ticket is overdue by each of the terms, so whenever they change, each is announced just once."""
    daemon = await running(place, EVER)
    now = whole_second()
    # So many others that the task breathes while it copies them.
    await place.send(*(opened(f"young-{number}", now) for number in range(2_000)))
    begun: list[str] = []

    async def renewed(times: int) -> bool:
        """Sends some more, as the stream would."""
        daemon.assert_goes_on()
        more = [f"T-{number}" for number in range(len(begun), len(begun) + 5)]
        await place.send(*(opened(name, now - DAY) for name in more))
        begun.extend(more)
        return len(daemon.said("task_renewed")) >= times

    for times in range(1, 7):
        place.agree(terms(f"{100 + times}m"))
        daemon.process.send_signal(signal.SIGHUP)
        await until(partial(renewed, times), "the task goes on by the new agreements", within=180)

    async def all_announced() -> bool:
        return len(await place.alerts()) >= len(begun)

    await until(all_announced, "every ticket was announced")
    ended = whole_second()
    await place.send(*(ticket(name, ended, customer="acme", status="resolved") for name in begun))
    await place.fires()
    daemon.stop()
    alerts = await place.alerts()
    assert_numbered(alerts)
    for transition in ("fired", "resolved"):
        told = [alert.short for alert in alerts if alert.transition == transition]
        assert sorted(told) == sorted(f"SlaTicketBreached {name}" for name in begun)
    positions = await place.positions()
    ends = await place.input_ends(place.names.tickets)
    assert {partition: one.inputs[place.names.tickets] for partition, one in positions.items()} == ends
