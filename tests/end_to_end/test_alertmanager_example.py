"""The Alertmanager example on the real Alertmanager: who is rung for what, who is not, and what they read."""

import re
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from slamon import clock
from slamon.demo.processes import Alertmanager

EXAMPLE = Path(__file__).parents[2] / "deploy" / "alertmanager"
SECRETS = {
    "service-desk-routing-key": "key-of-the-desk",
    "platform-routing-key": "key-of-the-platform",
    "service-desk-slack-url": "{url}/slack/desk",
    "platform-slack-url": "{url}/slack/platform",
    "acme-webhook-url": "{url}/acme",
    "acme-webhook-token": "token-of-acme",
}

Json = dict[str, Any]


@dataclass
class People:
    """PagerDuty, Slack and a customer's own program, as far as Alertmanager can tell."""

    url: str = ""
    heard: list[tuple[str, Json]] = field(default_factory=list)  # path and body, in order

    async def hear(self, request: web.Request) -> web.Response:
        if request.path == "/acme":
            assert request.headers["Authorization"] == "Bearer token-of-acme"
        self.heard.append((request.path, await request.json()))
        return web.json_response({"status": "success"}, status=202 if request.path == "/pager" else 200)

    def pages(self, alertname: str, ticket: str, action: str) -> list[Json]:
        """What the pager was told; its key holds the labels by which alerts are grouped, hashed: the text does not."""
        words = f"{alertname} {ticket}"
        return [
            body
            for path, body in self.heard
            if path == "/pager"
            and body["event_action"] == action
            and body["payload"]["summary"].removeprefix("Over: ") == words
        ]

    def chat(self, channel: str) -> str:
        return "\n".join(str(body) for path, body in self.heard if path == f"/slack/{channel}")


@pytest.fixture
async def people() -> AsyncIterator[People]:
    found = People()
    app = web.Application()
    app.router.add_post("/{tail:.*}", found.hear)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    found.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield found
    await runner.cleanup()


@pytest.fixture
def alertmanager(part: Callable[[str], Path], tmp_path: Path, people: People) -> Iterator[Alertmanager]:
    """The example as it is, but for where its files lie, where PagerDuty is, and how long an end waits."""
    folder = tmp_path / "etc"
    (folder / "secrets").mkdir(parents=True)
    for name, secret in SECRETS.items():
        (folder / "secrets" / name).write_text(secret.format(url=people.url))
    (folder / "slamon.tmpl").write_text((EXAMPLE / "slamon.tmpl").read_text())
    config = (EXAMPLE / "alertmanager.yaml").read_text().replace("/etc/alertmanager/", f"{folder}/")
    config = config.replace("global:\n", f"global:\n  pagerduty_url: {people.url}/pager\n", 1)
    config, times = re.subn(r"group_(interval|wait): (30s|5m)", r"group_\1: 1s", config)
    assert times == 3
    with Alertmanager(tmp_path / "run", program=part("alertmanager"), config=config) as started:
        yield started


def alert(
    name: str, ticket: str, severity: str, *, customer: str = "nordwind", over: bool = False, **labels: str
) -> Json:
    now = datetime.fromtimestamp(clock.wall() / clock.MICROSECONDS, UTC)
    about = {"customer": customer, "agreement": "2026", "objective": "p1", "ticket": ticket}
    ends = now - timedelta(milliseconds=1) if over else now + timedelta(hours=1)
    return {
        "labels": {
            "alertname": name,
            "severity": severity,
            **({} if name.startswith("Slamon") else about),
            **labels,
        },
        "annotations": {
            "summary": f"{name} {ticket}",
            "description": "Told by a test.",
            "due_at": "2026-11-25T03:00:00Z",
            "time_left": "12 min",
            "runbook_url": f"https://slamon.example/docs/runbook/{name}/",
            "dashboard_url": "https://grafana.example/d/slamon-on-call",
        },
        "startsAt": (now - timedelta(minutes=1)).isoformat(),
        "endsAt": ends.isoformat(),
    }


async def tell(alertmanager: Alertmanager, *alerts: Json) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{alertmanager.url}/api/v2/alerts", json=alerts) as answer,
    ):
        assert answer.status == 200, await answer.text()


async def until(so: Callable[[], object], what: str) -> None:
    deadline = clock.monotonic() + 60
    while not so():
        assert clock.monotonic() < deadline, f"not within 60 s: {what}"
        await clock.wait(0.05)


async def test_a_breach_rings_although_the_warning_was_acknowledged_and_ends_when_it_is_over(
    alertmanager: Alertmanager, people: People
) -> None:
    await tell(alertmanager, alert("SlaTicketAtRisk", "T-1", "critical", step="90%"))
    await until(lambda: people.pages("SlaTicketAtRisk", "T-1", "trigger"), "the warning rings")
    [warned] = people.pages("SlaTicketAtRisk", "T-1", "trigger")
    # A pager that has acknowledged an incident is silent for everything of the same key. The breach is another.
    await tell(alertmanager, alert("SlaTicketBreached", "T-1", "critical"))
    await until(lambda: people.pages("SlaTicketBreached", "T-1", "trigger"), "the breach rings")
    [broken] = people.pages("SlaTicketBreached", "T-1", "trigger")
    assert broken["dedup_key"] != warned["dedup_key"]
    assert broken["routing_key"] == "key-of-the-desk"
    assert broken["payload"]["severity"] == "critical"
    assert broken["client_url"] == "https://grafana.example/d/slamon-on-call"
    shown = broken["payload"]["custom_details"]["firing"]
    assert shown.splitlines() == [
        "SlaTicketBreached T-1",
        "Told by a test.",
        "Due at 2026-11-25T03:00:00Z",
        "Time left: 12 min",
        "What to do: https://slamon.example/docs/runbook/SlaTicketBreached/",
        "Dashboard: https://grafana.example/d/slamon-on-call",
    ]
    await tell(alertmanager, alert("SlaTicketBreached", "T-1", "critical", over=True))
    await until(lambda: people.pages("SlaTicketBreached", "T-1", "resolve"), "it is told that it is over")
    [over] = people.pages("SlaTicketBreached", "T-1", "resolve")
    assert over["dedup_key"] == broken["dedup_key"]


async def test_what_a_breach_covers_is_not_told_but_the_same_of_another_ticket_is(
    alertmanager: Alertmanager, people: People
) -> None:
    await tell(alertmanager, alert("SlaTicketBreached", "T-1", "critical"))
    await until(lambda: people.pages("SlaTicketBreached", "T-1", "trigger"), "the breach rings")
    await tell(
        alertmanager,
        alert("SlaTicketAtRisk", "T-1", "critical", step="-10m"),
        alert("SlaTicketAtRisk", "T-2", "critical", step="-10m"),
    )
    await until(lambda: people.pages("SlaTicketAtRisk", "T-2", "trigger"), "another ticket rings")
    # And again, now that one interval of the groups has passed since.
    await tell(alertmanager, alert("SlaTicketAtRisk", "T-3", "critical", step="-10m"))
    await until(lambda: people.pages("SlaTicketAtRisk", "T-3", "trigger"), "a third one rings")
    assert not people.pages("SlaTicketAtRisk", "T-1", "trigger")
    assert "SlaTicketAtRisk T-1" not in people.chat("desk")
    assert "SlaTicketAtRisk T-2" in people.chat("desk")


async def test_a_warning_is_chat_and_a_customer_hears_of_its_own_alone(
    alertmanager: Alertmanager, people: People
) -> None:
    await tell(
        alertmanager,
        alert("SlaTicketAtRisk", "T-1", "warning", customer="acme", step="75%"),
        alert("SlaTicketAtRisk", "T-2", "warning", step="75%"),
    )

    def customers() -> list[str]:
        return [body["commonLabels"]["customer"] for path, body in people.heard if path == "/acme"]

    await until(
        lambda: customers() and "T-1" in people.chat("desk") and "T-2" in people.chat("desk"), "all told"
    )
    assert set(customers()) == {"acme"}
    assert not [path for path, _ in people.heard if path in ("/pager", "/slack/platform")]


async def test_slamon_gone_rings_the_platform_once_and_not_for_each_partition(
    alertmanager: Alertmanager, people: People
) -> None:
    await tell(alertmanager, alert("SlamonAbsent", "all", "critical"))
    await until(lambda: people.pages("SlamonAbsent", "all", "trigger"), "it rings")
    await tell(
        alertmanager,
        *(alert("SlamonPartitionNotJudged", str(one), "critical", partition=str(one)) for one in range(3)),
        alert("SlamonDeadLetters", "bad", "warning", reason="not_json"),
    )
    await until(lambda: "SlamonDeadLetters bad" in people.chat("platform"), "a warning is chat")
    assert not [body for path, body in people.heard if path == "/pager" and "Partition" in str(body)]
    [page] = people.pages("SlamonAbsent", "all", "trigger")
    assert page["routing_key"] == "key-of-the-platform"
    assert people.chat("desk") == ""
