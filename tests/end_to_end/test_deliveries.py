"""Receivers of a real `slamon run` on a real Kafka: each alert at least once, in order, and no flood of repetitions."""

import asyncio
import re
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from slamon import clock
from slamon.demo.processes import Alertmanager, Kafka
from slamon.domain.events import MINUTE
from tests.end_to_end.place import Daemon, Place, placed, ticket, until, whole_second
from tests.shell.listening import Listener, listening

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
AT_RISK, BREACHED = "fired SlaTicketAtRisk", "fired SlaTicketBreached"
AT_RISK_NO_MORE, BREACHED_NO_MORE = "resolved SlaTicketAtRisk", "resolved SlaTicketBreached"
TO_TEAM = ({"receivers": ["team"]},)


def webhook(listener: Listener, **more: Any) -> dict[str, Any]:
    return {"webhook": {"url": listener.url, "body": "cloudevents", **more}}


def to_team(place: Place, listener: Listener, routes: Any = TO_TEAM, **more: Any) -> Path:
    return place.telling({"team": webhook(listener, **more), "duty manager": {"log": {}}}, routes)


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


def failing(status: int, **headers: str) -> Callable[[web.Request, Any], web.StreamResponse]:
    return lambda _request, _body: web.Response(status=status, headers=headers)


@pytest.fixture
async def place(tmp_path: Path, kafka: Kafka, alertmanager: Alertmanager) -> AsyncIterator[Place]:
    async with placed(tmp_path, kafka.bootstrap, alertmanager, ACME) as acme:
        yield acme


async def hears(listener: Listener, *expected: str) -> None:
    """Wait until it has been told all of this."""

    async def heard() -> bool:
        return set(expected) <= set(told(listener))

    await until(heard, f"{expected} are heard")


async def is_asked(listener: Listener, more: int = 1) -> None:
    before = len(listener.asked)

    async def asked() -> bool:
        return len(listener.asked) >= before + more

    await until(asked, "it is asked")


async def stop(daemon: Daemon) -> None:
    """The listeners run on this loop, and have to answer meanwhile."""
    await asyncio.to_thread(daemon.stop)


async def test_receivers_hear_by_route_and_by_escalation_each_once_and_not_again_after_a_restart(
    place: Place,
) -> None:
    async with listening() as team, listening() as duty:
        config = place.telling(
            {"team": webhook(team), "duty manager": webhook(duty)},
            [{"receivers": ["team"], "customers": ["acme"]}],
        )
        daemon = await place.running(config)
        await place.send(opened("T-1", 6 * MINUTE), opened("T-2", 11 * MINUTE))
        await hears(team, f"T-1 {AT_RISK}", f"T-2 {BREACHED}")
        await hears(duty, f"T-2 {BREACHED}")
        await stop(daemon)
        await place.running(config)
        await place.send(answered("T-1"), answered("T-2"))
        await hears(team, f"T-1 {AT_RISK_NO_MORE}", f"T-2 {BREACHED_NO_MORE}")
        await hears(duty, f"T-2 {BREACHED_NO_MORE}")
        assert len(told(team)) == 4
        assert told(duty) == [f"T-2 {BREACHED}", f"T-2 {BREACHED_NO_MORE}"]


async def test_a_kill_between_request_and_commit_repeats_one_alert_and_an_outage_loses_none(
    place: Place,
) -> None:
    tickets = [f"T-{number}" for number in range(1, 9)]
    async with listening() as team:
        config = to_team(place, team)
        daemon = await place.running(config)

        def kill_at_the_fourth(_request: web.Request, _body: object) -> None:
            if len(team.asked) == 4:
                daemon.kill()

        team.answer = kill_at_the_fourth
        await place.send(*(opened(name, 6 * MINUTE) for name in tickets))

        async def killed() -> bool:
            return daemon.process.poll() is not None

        await until(killed, "the daemon is dead")
        assert daemon.process.returncode == -signal.SIGKILL
        # The receiver is away while another pod takes over, and while more happens.
        team.answer = failing(503)
        await place.running(config)
        await place.send(*(answered(name) for name in tickets[:4]))
        await is_asked(team, 2)
        team.answer = lambda _request, _body: None
        await hears(team, *(f"{name} {AT_RISK}" for name in tickets))
        await hears(team, *(f"{name} {AT_RISK_NO_MORE}" for name in tickets[:4]))
        found = told(team)
        for name in tickets[:4]:
            assert dict.fromkeys(of(found, name)) == dict.fromkeys([AT_RISK, AT_RISK_NO_MORE]), found
            assert of(found, name)[-1] == AT_RISK_NO_MORE
        repeated = [one for one, times in Counter(found).items() if times > 1]
        assert repeated == [found[3]], "what was answered as the process died"


async def test_pods_that_come_and_go_repeat_nothing_and_lose_nothing(place: Place) -> None:
    async with listening() as team:
        config = to_team(place, team)
        daemons = [await place.running(config)]
        expected: list[str] = []
        for turn in range(4):
            names = [f"T-{turn}-{number}" for number in range(3)]
            await place.send(*(opened(name, 6 * MINUTE) for name in names))
            expected += [f"{name} {AT_RISK}" for name in names]
            await hears(team, *expected)
            if turn % 2 == 0:
                daemons.append(await place.start(config).started())
            else:
                await stop(daemons.pop(0))
        await place.send(*(answered(f"T-{turn}-0") for turn in range(4)))
        expected += [f"T-{turn}-0 {AT_RISK_NO_MORE}" for turn in range(4)]
        await hears(team, *expected)
        assert Counter(told(team)) == Counter(expected)


async def test_a_receiver_that_hangs_or_refuses_to_answer_holds_up_nobody_else(place: Place) -> None:
    never = asyncio.Event()

    async with listening() as team, listening() as slow, listening() as busy:
        slow.hangs_until = never
        busy.answer = failing(429, **{"Retry-After": "1"})
        config = place.telling(
            {"team": webhook(team), "slow": webhook(slow, timeout=2), "busy": webhook(busy)}
            | {"duty manager": {"log": {}}},
            [{"receivers": ["team", "slow", "busy"]}],
        )
        daemon = await place.running(config)
        names = [f"T-{number}" for number in range(5)]
        await place.send(*(opened(name, 6 * MINUTE) for name in names))
        await hears(team, *(f"{name} {AT_RISK}" for name in names))
        await is_asked(busy, 2)
        assert not slow.heard
        assert not busy.heard
        # Nobody waits for them at the end either; and the next pod tells them what they missed.
        begun = clock.monotonic()
        await stop(daemon)
        assert clock.monotonic() - begun < 10
        never.set()
        busy.answer = lambda _request, _body: None
        await place.running(config)
        for listener in (slow, busy):
            await hears(listener, *(f"{name} {AT_RISK}" for name in names))
            assert len(told(listener)) == len(names) or listener is slow  # which may have heard and hung
        assert len(told(team)) == len(names)


async def test_what_fires_just_before_the_end_of_the_process_is_still_told(place: Place) -> None:
    async with listening() as team:
        daemon = await place.running(to_team(place, team))
        names = [f"T-{number}" for number in range(20)]
        team.answer = _end_at_the_first(team, daemon)
        await place.send(*(opened(name, 6 * MINUTE) for name in names))

        async def ended() -> bool:
            return daemon.process.poll() is not None

        await until(ended, "the daemon has ended")
        announced = [alert.said["labels"]["ticket"] for alert in await place.alerts()]
        assert announced
        assert Counter(told(team)) == Counter(f"{name} {AT_RISK}" for name in announced)


def _end_at_the_first(listener: Listener, daemon: Daemon) -> Callable[[web.Request, Any], None]:
    def answer(_request: web.Request, _body: object) -> None:
        if len(listener.asked) == 1:
            daemon.process.send_signal(signal.SIGTERM)
            daemon.ends()

    return answer


async def test_a_new_receiver_begins_with_what_fires_and_hears_no_end_of_what_it_was_not_told(
    place: Place,
) -> None:
    async with listening() as team:
        daemon = await place.running(place.telling({"duty manager": {"log": {}}}, []))
        await place.send(opened("T-1", 6 * MINUTE), opened("T-2", 6 * MINUTE), opened("T-3", 6 * MINUTE))
        await place.fires(*(f"SlaTicketAtRisk T-{number} 50%" for number in (1, 2, 3)))
        await place.send(answered("T-1"))
        await place.fires(*(f"SlaTicketAtRisk T-{number} 50%" for number in (2, 3)))
        await stop(daemon)
        daemon = await place.running(to_team(place, team))
        await hears(team, f"T-2 {AT_RISK}", f"T-3 {AT_RISK}")
        # Its routes change: what was told has an end, what was not has none.
        await stop(daemon)
        daemon = await place.running(to_team(place, team, [{"receivers": ["team"], "customers": ["nobody"]}]))
        await place.send(opened("T-4", 6 * MINUTE))
        await place.fires(*(f"SlaTicketAtRisk T-{number} 50%" for number in (2, 3, 4)))
        await place.send(answered("T-2"))
        await hears(team, f"T-2 {AT_RISK_NO_MORE}")
        await stop(daemon)
        await place.running(to_team(place, team))
        await place.send(answered("T-4"), answered("T-3"))
        await hears(team, f"T-3 {AT_RISK_NO_MORE}")
        expected = [f"T-2 {AT_RISK}", f"T-3 {AT_RISK}", f"T-2 {AT_RISK_NO_MORE}", f"T-3 {AT_RISK_NO_MORE}"]
        assert Counter(told(team)) == Counter(expected)


async def test_a_pod_that_was_frozen_tells_nothing_when_it_wakes(place: Place) -> None:
    names = [f"T-{number}" for number in range(6)]
    async with listening(failing(503)) as team:
        config = to_team(place, team)
        frozen = await place.running(config)
        await place.send(*(opened(name, 6 * MINUTE) for name in names))
        await is_asked(team)
        frozen.process.send_signal(signal.SIGSTOP)
        await place.running(config)  # once the session of the other is over
        team.answer = lambda _request, _body: None
        await hears(team, *(f"{name} {AT_RISK}" for name in names))
        heard = len(team.asked)
        frozen.process.send_signal(signal.SIGCONT)

        async def has_tasks() -> bool:
            return bool(await frozen.owns())

        await until(has_tasks, "the one that was frozen has tasks again")
        await place.send(*(answered(name) for name in names))
        await hears(team, *(f"{name} {AT_RISK_NO_MORE}" for name in names))
        assert len(team.asked) == heard + len(names)


async def test_what_the_topic_no_longer_holds_is_counted_and_what_fires_is_told(
    place: Place, kafka: Kafka
) -> None:
    names = [f"T-{number}" for number in range(4)]
    async with listening() as team:
        daemon = await place.running(to_team(place, team))
        await place.send(opened("T-first", 6 * MINUTE))
        await hears(team, f"T-first {AT_RISK}")
        await stop(daemon)
        daemon = await place.running(place.telling({"duty manager": {"log": {}}}, []))
        await place.send(*(opened(name, 6 * MINUTE) for name in names), answered("T-first"))
        await place.fires(*(f"SlaTicketAtRisk {name} 50%" for name in names))
        await place.send(answered(names[0]))
        await place.fires(*(f"SlaTicketAtRisk {name} 50%" for name in names[1:]))
        await stop(daemon)
        partition = await place.home("acme")
        tp = TopicPartition(place.names.alerts, partition)
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
        await admin.start()
        await admin.delete_records({tp: RecordsToDelete(before_offset=-1)})
        await admin.close()
        daemon = await place.running(to_team(place, team))
        await hears(team, *(f"{name} {AT_RISK}" for name in names[1:]))
        assert set(told(team)) == {f"{name} {AT_RISK}" for name in ("T-first", *names[1:])}
        [dropped] = re.findall(
            r'^slamon_notifications_dropped_total{receiver="team"} (.*)$',
            await daemon.page("/metrics"),
            re.MULTILINE,
        )
        assert float(dropped) > 0


async def test_an_alert_that_only_a_newer_release_knows_is_counted_and_holds_up_no_other(
    place: Place, kafka: Kafka
) -> None:
    async with listening() as team:
        daemon = await place.running(to_team(place, team))
        await place.send(opened("T-1", 6 * MINUTE))
        await hears(team, f"T-1 {AT_RISK}")
        producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap)
        await producer.start()
        newer = orjson.dumps({"id": "a", "transition": "fired", "reason": "not_thought_of_yet"})
        await producer.send_and_wait(place.names.alerts, newer, partition=await place.home("acme"))
        await producer.stop()
        await place.send(opened("T-2", 6 * MINUTE))
        await hears(team, f"T-2 {AT_RISK}")
        assert 'slamon_notifications_dropped_total{receiver="team"} 1.0' in await daemon.page("/metrics")
