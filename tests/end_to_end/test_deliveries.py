"""Receivers of a real `slamon run` on a real Kafka: each alert at least once, in order, and no flood of repetitions."""

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from slamon.demo.processes import Alertmanager, Kafka
from slamon.domain.events import MINUTE
from tests.end_to_end.listening import Listener, listening
from tests.end_to_end.place import Place, placed, ticket, until, whole_second

ACME = """\
apiVersion: slamon/v1
kind: Agreement
metadata: {name: "{place}", displayName: Managed services for ACME}
spec:
  customer: acme
  effective: {from: 2020-01-01, to: 2099-12-31}
  timeZone: Europe/Berlin
  support: {escalation: [{after: 100%, to: duty manager}]}
  objectives:
    - name: p1-response
      ticketClock: {measure: firstResponse, calendar: always, target: 10m, warnAt: [50%]}
      attainment: {target: 95%, timeWindow: {rolling: 30d}}
"""


def receivers(**urls: str) -> dict[str, Any]:
    return {name: {"webhook": {"url": url, "body": "cloudevents"}} for name, url in urls.items()}


def told(listener: Listener) -> list[str]:
    """`T-1 fired SlaTicketAtRisk`, in the order in which they were taken."""
    return [_short(body) for body in listener.heard]


def _short(body: Any) -> str:
    data = body["data"]
    return f"{data['labels'].get('ticket')} {data['transition']} {data['labels']['alertname']}"


def of(found: list[str], name: str) -> list[str]:
    return [one.removeprefix(f"{name} ") for one in found if one.startswith(f"{name} ")]


def opened(name: str, ago: int) -> dict[str, object]:
    return ticket(name, whole_second() - ago, customer="acme", status="open")


def answered(name: str) -> dict[str, object]:
    return ticket(name, whole_second(), customer="acme", reply="agent")


@pytest.fixture
async def place(tmp_path: Path, kafka: Kafka, alertmanager: Alertmanager) -> AsyncIterator[Place]:
    async with placed(tmp_path, kafka.bootstrap, alertmanager, ACME) as acme:
        yield acme


async def test_receivers_hear_by_route_and_by_escalation_each_once_and_not_again_after_a_restart(
    place: Place,
) -> None:
    async with listening() as team, listening() as duty:
        config = place.telling(
            {"team": {"webhook": {"url": team.url, "body": "cloudevents"}}}
            | {"duty manager": {"webhook": {"url": duty.url, "body": "cloudevents"}}},
            [{"receivers": ["team"], "customers": ["acme"]}],
        )
        daemon = await place.running(config)
        await place.send(opened("T-1", 6 * MINUTE), opened("T-2", 11 * MINUTE))

        async def both_heard() -> bool:
            return len(team.heard) >= 2 and len(duty.heard) >= 1

        await until(both_heard, "both have heard what fires")
        assert set(told(team)) == {"T-1 fired SlaTicketAtRisk", "T-2 fired SlaTicketBreached"}
        assert told(duty) == ["T-2 fired SlaTicketBreached"]
        await asyncio.to_thread(daemon.stop)
        await place.running(config)
        await place.send(answered("T-1"), answered("T-2"))

        async def both_ended() -> bool:
            return len(team.heard) >= 4 and len(duty.heard) >= 2

        await until(both_ended, "both have heard what ended")
        assert Counter(told(team)[2:]) == Counter(
            ["T-1 resolved SlaTicketAtRisk", "T-2 resolved SlaTicketBreached"]
        )
        assert told(duty)[1:] == ["T-2 resolved SlaTicketBreached"]


async def test_a_kill_between_request_and_commit_repeats_one_alert_and_loses_none(place: Place) -> None:
    tickets = [f"T-{number}" for number in range(1, 9)]
    async with listening() as team:
        config = place.telling(
            {"team": {"webhook": {"url": team.url, "body": "cloudevents"}}, "duty manager": {"log": {}}},
            [{"receivers": ["team"]}],
        )
        daemon = await place.running(config)

        def kill_at_the_fourth(_request: web.Request, _body: object) -> web.Response | None:
            if len(team.asked) == 4:
                daemon.kill()
            return None

        team.answer = kill_at_the_fourth
        await place.send(*(opened(name, 6 * MINUTE) for name in tickets))

        async def killed() -> bool:
            return daemon.process.poll() is not None

        await until(killed, "the daemon is dead")
        assert daemon.process.returncode == -signal.SIGKILL
        # The receiver is away while another pod takes over, and while more happens.
        team.answer = lambda _request, _body: web.Response(status=503)
        await place.running(config)
        await place.send(*(answered(name) for name in tickets[:4]))

        async def asked_again() -> bool:
            return len(team.asked) > 5

        await until(asked_again, "the receiver was asked while it was away")
        team.answer = lambda _request, _body: None

        async def all_heard() -> bool:
            return len(set(told(team))) == len(tickets) + 4

        await until(all_heard, "the receiver has heard everything")
        found = told(team)
        for name in tickets[:4]:
            heard = of(found, name)
            assert heard[-1] == "resolved SlaTicketAtRisk", found
            assert set(heard[:-1]) == {"fired SlaTicketAtRisk"}, found
        assert len(found) - len(set(found)) <= 1, found
