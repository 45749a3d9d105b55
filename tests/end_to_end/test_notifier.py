"""The real Alertmanager: what fires is there, what ends is gone, and nothing is lost on the way."""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
from aiohttp import web
from pydantic import HttpUrl

from slamon import clock
from slamon.demo.processes import Alertmanager, free_ports
from slamon.domain.decisions import AlertTransition, Reason, Transition
from slamon.outputs.metrics import Metrics
from slamon.outputs.notifier import Notifier
from slamon.settings import AlertmanagerSettings, NotifierSettings

RESEND = 60.0

# The shipped route in short: an alert goes out at once, and so do later changes, as far as Alertmanager allows.
CONFIG = """\
route:
  receiver: people
  group_by: [customer, agreement, objective, ticket]
  group_wait: 0s
  group_interval: 1s
  repeat_interval: 4h
receivers:
  - name: people
    webhook_configs: [{{url: "{url}", send_resolved: true}}]
"""


def fired(
    ticket: str, *, step: str = "75%", name: str = "SlaTicketAtRisk", at: int | None = None
) -> AlertTransition:
    at = clock.now() if at is None else at
    return AlertTransition(
        id=f"{name}/{ticket}/{step}",
        episode=1,
        transition=Transition.FIRED,
        at=at,
        detected_at=at,
        late=False,
        reason=Reason.STEP_REACHED,
        labels={
            "alertname": name,
            "severity": "warning",
            "customer": "Bäcker & Söhne",
            "agreement": "acme-2026",
            "objective": "p1",
            "ticket": ticket,
            "step": step,
        },
        annotations={
            "summary": f'Ticket "{ticket}" has used {step}\nof its time',
            "due_at": "2026-11-23T12:00:00Z",
        },
    )


def resolved(firing: AlertTransition, reason: Reason = Reason.STOPPED) -> AlertTransition:
    return AlertTransition(
        id=firing.id,
        episode=firing.episode,
        transition=Transition.RESOLVED,
        at=clock.now(),
        detected_at=clock.now(),
        late=False,
        reason=reason,
        labels=firing.labels,
        annotations=firing.annotations,
    )


@dataclass
class People:
    """Whom Alertmanager notifies."""

    url: str = ""
    told: list[str] = field(default_factory=list)  # `T-1 75% firing`, in order

    async def hear(self, request: web.Request) -> web.Response:
        body = orjson.loads(await request.read())
        for alert in body["alerts"]:
            self.told.append(f"{alert['labels']['ticket']} {alert['labels']['step']} {alert['status']}")
        return web.Response()


@pytest.fixture
async def people() -> AsyncIterator[People]:
    heard = People()
    app = web.Application()
    app.router.add_post("/", heard.hear)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    heard.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    yield heard
    await runner.cleanup()


@pytest.fixture(scope="session")
def program(part: Callable[[str], Path]) -> Path:
    return part("alertmanager")


@contextlib.contextmanager
def running(
    program: Path, folder: Path, people: People, cluster: Sequence[int] = ()
) -> Iterator[Alertmanager]:
    config = CONFIG.format(url=people.url)
    # A peer waits so long for another to notify before it does so itself.
    flags = ["--cluster.peer-timeout=1s", "--cluster.settle-timeout=1s"] if cluster else []
    with Alertmanager(folder, program=program, config=config, cluster=cluster, flags=flags) as alertmanager:
        yield alertmanager


@pytest.fixture
def alertmanager(program: Path, tmp_path: Path, people: People) -> Iterator[Alertmanager]:
    with running(program, tmp_path / "alertmanager", people) as one:
        yield one


async def lose_everything_and_start_again(alertmanager: Alertmanager) -> None:
    alertmanager.kill()
    shutil.rmtree(alertmanager.folder / "data")
    await asyncio.to_thread(alertmanager.restart)


@contextlib.asynccontextmanager
async def notifying(
    *alertmanagers: Alertmanager, may_send: Callable[[int], bool] = bool
) -> AsyncIterator[Notifier]:
    settings = NotifierSettings(
        alertmanagers=tuple(AlertmanagerSettings(url=HttpUrl(each.url), timeout=2) for each in alertmanagers),
        resend_interval=RESEND,
        external_url=HttpUrl("https://slamon.example/"),
    )
    notifier = Notifier(settings, Metrics("1"), may_send)
    async with asyncio.TaskGroup() as group:
        group.create_task(notifier.run())
        yield notifier
        notifier.stop(5)


OURS = 1  # a partition of which `bool` says that it is ours; 0 is not


async def active(alertmanager: Alertmanager) -> list[dict[str, Any]]:
    """The alerts that fire, as this Alertmanager sees it."""
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{alertmanager.url}/api/v2/alerts", params={"active": "true"}) as answer,
    ):
        alerts: list[dict[str, Any]] = await answer.json()
        return [alert for alert in alerts if alert["status"]["state"] != "suppressed"]


async def fires(alertmanager: Alertmanager, *expected: str, within: float = 30) -> list[dict[str, Any]]:
    """Wait until exactly these tickets have firing alerts, each as `T-1 75%`."""
    deadline = clock.monotonic() + within
    while True:
        alerts = await active(alertmanager)
        found = sorted(f"{alert['labels']['ticket']} {alert['labels']['step']}" for alert in alerts)
        if found == sorted(expected):
            return alerts
        assert clock.monotonic() < deadline, f"{found} fire, and not {expected}"
        await clock.wait(0.05)


async def hears(people: People, *expected: str, within: float = 30) -> None:
    """Wait until people were told just this, in this order."""
    deadline = clock.monotonic() + within
    while people.told != list(expected):
        assert clock.monotonic() < deadline, f"{people.told} was told, and not {expected}"
        await clock.wait(0.05)


async def test_what_fires_is_there_as_it_was_given_and_what_resolves_is_gone(
    alertmanager: Alertmanager, people: People
) -> None:
    async with notifying(alertmanager) as notifier:
        alert = fired("T-1", at=1_764_000_000_123_456)
        notifier.commit(OURS, [alert])
        [found] = await fires(alertmanager, "T-1 75%")
        assert found["labels"] == alert.labels
        runbook = {"runbook_url": f"https://slamon.example/docs/runbook/{alert.labels['alertname']}/"}
        assert found["annotations"] == alert.annotations | runbook
        assert found["startsAt"] == "2025-11-24T16:00:00.123Z", "Alertmanager shows milliseconds"
        assert found["generatorURL"] == "https://slamon.example/"
        ends = _seconds(found["endsAt"]) - _seconds(found["updatedAt"])
        assert round(ends) == 4 * RESEND
        notifier.commit(OURS, [resolved(alert)])
        await fires(alertmanager)
        await hears(people, "T-1 75% firing", "T-1 75% resolved")


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


async def test_a_breach_found_late_and_over_already_is_told_all_the_same(
    alertmanager: Alertmanager, people: People
) -> None:
    async with notifying(alertmanager) as notifier:
        alert = fired("T-1")
        notifier.commit(OURS, [alert, resolved(alert)])
        await hears(people, "T-1 75% firing", "T-1 75% resolved")


async def test_the_next_step_takes_over_and_people_see_one_alert_at_a_time(
    alertmanager: Alertmanager, people: People
) -> None:
    async with notifying(alertmanager) as notifier:
        low, high = fired("T-1", step="75%"), fired("T-1", step="90%")
        notifier.commit(OURS, [low])
        await hears(people, "T-1 75% firing")
        notifier.commit(OURS, [resolved(low, Reason.SUPERSEDED), high])
        await fires(alertmanager, "T-1 90%")
        await hears(people, "T-1 75% firing", "T-1 75% resolved", "T-1 90% firing")


async def test_an_alertmanager_that_lost_its_memory_is_told_again_what_fires(
    alertmanager: Alertmanager,
) -> None:
    async with notifying(alertmanager) as notifier:
        notifier.commit(OURS, [fired("T-1"), fired("T-2")])
        await fires(alertmanager, "T-1 75%", "T-2 75%")
        await lose_everything_and_start_again(alertmanager)
        assert await active(alertmanager) == []
        await fires(alertmanager, "T-1 75%", "T-2 75%", within=RESEND / 2)


async def test_an_end_during_the_outage_is_notified_by_an_alertmanager_that_lost_its_memory(
    alertmanager: Alertmanager, people: People
) -> None:
    async with notifying(alertmanager) as notifier:
        alert = fired("T-1")
        notifier.commit(OURS, [alert])
        await hears(people, "T-1 75% firing")
        alertmanager.kill()
        notifier.commit(OURS, [resolved(alert)])
        shutil.rmtree(alertmanager.folder / "data")
        await asyncio.to_thread(alertmanager.restart)
        await hears(people, "T-1 75% firing", "T-1 75% firing", "T-1 75% resolved")
        await fires(alertmanager)


async def test_what_happened_while_it_was_away_is_delivered_after(
    alertmanager: Alertmanager, people: People
) -> None:
    async with notifying(alertmanager) as notifier:
        before, brief = fired("T-1"), fired("T-2")
        notifier.commit(OURS, [before])
        await fires(alertmanager, "T-1 75%")
        alertmanager.kill()
        notifier.commit(
            OURS, [resolved(before), brief, resolved(brief), *(fired(f"N-{n}") for n in range(300))]
        )
        await asyncio.to_thread(alertmanager.restart)
        await fires(alertmanager, *(f"N-{n} 75%" for n in range(300)))
        await _heard(people, "T-2 75% firing", "T-2 75% resolved", "T-1 75% resolved")


async def _heard(people: People, *some: str) -> None:
    deadline = clock.monotonic() + 30
    while not set(some) <= set(people.told):
        assert clock.monotonic() < deadline, f"not all of {some} was told"
        await clock.wait(0.05)


async def test_every_alertmanager_gets_everything(program: Path, tmp_path: Path, people: People) -> None:
    with running(program, tmp_path / "one", people) as one, running(program, tmp_path / "two", people) as two:
        async with notifying(one, two) as notifier:
            alert = fired("T-1")
            notifier.commit(OURS, [alert, fired("T-2")])
            for each in (one, two):
                await fires(each, "T-1 75%", "T-2 75%")
            one.kill()
            notifier.commit(OURS, [resolved(alert)])
            await fires(two, "T-2 75%")
            await asyncio.to_thread(one.restart)
            await fires(one, "T-2 75%")


async def test_of_two_alertmanagers_in_a_cluster_people_hear_once_and_either_can_be_away(
    program: Path, tmp_path: Path, people: People
) -> None:
    here, there = free_ports(2)
    with (
        running(program, tmp_path / "one", people, (here, there)) as one,
        running(program, tmp_path / "two", people, (there, here)) as two,
    ):
        for each in (one, two):
            await peers(each, 2)
        async with notifying(one, two) as notifier:
            first = fired("T-1")
            notifier.commit(OURS, [first])
            for each in (one, two):
                await fires(each, "T-1 75%")
            await hears(people, "T-1 75% firing")
            one.kill()
            second = fired("T-2")
            notifier.commit(OURS, [resolved(first), second])
            await fires(two, "T-2 75%")
            await _heard(people, "T-1 75% resolved", "T-2 75% firing")
            await asyncio.to_thread(one.restart)
            await fires(one, "T-2 75%")
            two.kill()
            notifier.commit(OURS, [resolved(second)])
            await fires(one)
            await _heard(people, "T-2 75% resolved")
    assert [told for told in people.told if told.startswith("T-2")] == ["T-2 75% firing", "T-2 75% resolved"]


async def peers(alertmanager: Alertmanager, number: int) -> None:
    """Wait until it sees so many in its cluster, itself included, and has settled among them."""
    deadline = clock.monotonic() + 30
    while True:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{alertmanager.url}/api/v2/status") as answer,
        ):
            cluster = (await answer.json())["cluster"]
        if (cluster["status"], len(cluster["peers"])) == ("ready", number):
            return
        assert clock.monotonic() < deadline, cluster
        await clock.wait(0.05)


async def test_a_task_that_moves_goes_on_firing_without_a_gap_and_its_old_owner_is_silent(
    alertmanager: Alertmanager, people: People
) -> None:
    ours = True
    alert = fired("T-1")
    async with notifying(alertmanager, may_send=lambda _: ours) as old, notifying(alertmanager) as new:
        old.commit(OURS, [alert])
        await hears(people, "T-1 75% firing")
        ours = False  # frozen, or fenced: it knows nothing of what follows
        new.begin(OURS, [alert])
        new.commit(OURS, [resolved(alert)])
        await hears(people, "T-1 75% firing", "T-1 75% resolved")
        old.commit(OURS, [fired("T-2")])
        old.forget(OURS)
        await fires(alertmanager)
    assert people.told == ["T-1 75% firing", "T-1 75% resolved"]
