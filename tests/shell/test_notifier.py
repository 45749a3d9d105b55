"""What Alertmanagers are told, and when: the rules by themselves, then the requests to a server on this machine."""

import asyncio
import base64
import contextlib
import functools
import os
import shutil
import ssl
import subprocess
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import orjson
import pytest
import structlog
from aiohttp import web
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from pydantic import HttpUrl

from slamon import clock
from slamon.domain.decisions import AlertTransition, Reason, Transition
from slamon.outputs.alert_queue import RECHECK, SETTLE, Book, LabelSet, Notice, Queue, fault, label_set
from slamon.outputs.metrics import Metrics
from slamon.outputs.notifier import FIRST_RETRY, LAST_RETRY, VALID_FOR, Notifier, payload, retry_after
from slamon.settings import AlertmanagerSettings, NotifierSettings

SECOND = 1_000_000
RESEND = 60.0
RETENTION = 900.0


def fired(
    ticket: str = "T-1",
    *,
    step: str = "75%",
    name: str = "SlaTicketAtRisk",
    at: int = 100,
    id_: str = "",
    **more: str,
) -> AlertTransition:
    labels = {"alertname": name, "severity": "warning", "customer": "acme", "agreement": "acme-2026"}
    labels |= {"objective": "p1", "ticket": ticket, "step": step} | more
    return AlertTransition(
        id=id_ or f"{name}/{ticket}/{step}",
        episode=1,
        transition=Transition.FIRED,
        at=at * SECOND,
        detected_at=at * SECOND,
        late=False,
        reason=Reason.STEP_REACHED,
        labels=labels,
        annotations={"summary": f"{ticket} is at {step}"},
    )


def resolved(firing: AlertTransition, reason: Reason = Reason.STOPPED, *, at: int = 200) -> AlertTransition:
    return AlertTransition(
        id=firing.id,
        episode=firing.episode,
        transition=Transition.RESOLVED,
        at=at * SECOND,
        detected_at=at * SECOND,
        late=False,
        reason=reason,
        labels=firing.labels,
        annotations=firing.annotations,
    )


def always(_: int) -> bool:
    return True


@dataclass
class Desk:
    """A book and one queue of it, with the hands of a sender: what is told is taken at once."""

    capacity: int = 100
    batch_size: int = 256
    book: Book = field(default_factory=lambda: Book(RETENTION))
    queue: Queue = field(init=False)
    dropped: int = 0

    def __post_init__(self) -> None:
        self.queue = Queue(self.book, self.capacity, self.batch_size, RESEND)

    def commit(self, *transitions: AlertTransition, now: float = 0.0, partition: int = 0) -> None:
        self.dropped += self.queue.offer(self.book.commit(partition, transitions, now), now)

    def begin(self, *firing: AlertTransition, now: float = 0.0, partition: int = 0) -> None:
        self.dropped += self.queue.offer(self.book.begin(partition, firing), now)

    def take(self, now: float = 0.0, may_send: Callable[[int], bool] = always) -> list[AlertTransition]:
        """The next request, not yet answered."""
        return [notice.told for notice in self._take(now, may_send)]

    def tell(self, now: float = 0.0, may_send: Callable[[int], bool] = always) -> list[AlertTransition]:
        """The next request, answered with 200."""
        notices = self._take(now, may_send)
        self.queue.acknowledge(notices, now)
        return [notice.told for notice in notices]

    def _take(self, now: float, may_send: Callable[[int], bool]) -> tuple[Notice, ...]:
        self.book.expire(now)
        self.queue.remind(now)
        return self.queue.take(now, may_send).notices


# Firing.


def test_a_firing_alert_is_told_once_and_again_when_its_turn_comes() -> None:
    desk = Desk()
    alert = fired()
    desk.commit(alert)
    assert desk.tell(0) == [alert]
    assert desk.tell(RESEND - 1) == []
    assert desk.tell(RESEND) == [alert]
    assert desk.tell(2 * RESEND - 1) == []


def test_what_was_not_acknowledged_is_told_again() -> None:
    desk = Desk()
    alert = fired()
    desk.commit(alert)
    assert desk.take() == [alert]
    assert desk.tell(1) == [alert]
    assert desk.tell(2) == []


def test_a_queue_sleeps_until_the_next_turn() -> None:
    desk = Desk()
    desk.commit(fired())
    desk.tell(5)
    assert desk.queue.take(6, always).wake_at == 5 + RESEND


def test_requests_hold_at_most_a_batch() -> None:
    desk = Desk(batch_size=3)
    alerts = [fired(f"T-{number}") for number in range(7)]
    desk.commit(*alerts)
    assert [len(desk.tell()) for _ in range(4)] == [3, 3, 1, 0]


def test_the_alerts_of_a_task_that_starts_here_are_told() -> None:
    desk = Desk()
    alerts = [fired("T-1"), fired("T-2")]
    desk.begin(*alerts)
    assert desk.tell() == alerts


# Resolving.


def test_an_end_is_told_when_its_beginning_has_left_the_alertmanager() -> None:
    desk = Desk()
    alert = fired()
    end = resolved(alert)
    desk.commit(alert)
    desk.tell(10)
    desk.commit(end, now=10)
    assert desk.tell(10) == []
    assert desk.queue.take(10, always).wake_at == 10 + SETTLE
    assert desk.tell(10 + SETTLE) == [end]


def test_what_fired_and_resolved_at_once_is_told_as_firing_first() -> None:
    desk = Desk()
    alert = fired()
    end = resolved(alert)
    desk.commit(alert, end)
    assert desk.tell(0) == [alert]
    assert desk.tell(0) == []
    assert desk.tell(SETTLE) == [end]
    assert desk.tell(SETTLE) == []


def test_a_resolved_alert_is_told_for_a_while_and_then_no_more() -> None:
    desk = Desk()
    alert = fired()
    desk.commit(alert)
    desk.tell(0)
    desk.commit(resolved(alert), now=10)
    told = sum(len(desk.tell(float(now))) for now in range(10, 10 + int(RETENTION)))
    assert told == RETENTION // RESEND
    assert sum(len(desk.tell(float(now))) for now in range(10 + int(RETENTION), 3000)) == 0
    assert not desk.book.alerts


def test_a_step_gives_way_to_the_next_in_one_request() -> None:
    desk = Desk()
    low, high = fired(step="75%"), fired(step="90%")
    desk.commit(low)
    desk.tell(0)
    desk.commit(resolved(low, Reason.SUPERSEDED), high, now=1)
    assert desk.tell(1) == [resolved(low, Reason.SUPERSEDED), high]


def test_a_step_that_was_never_told_gives_way_in_one_request_too() -> None:
    desk = Desk()
    low, high = fired(step="75%"), fired(step="90%")
    desk.commit(low)
    desk.commit(resolved(low, Reason.SUPERSEDED), high)
    assert desk.tell() == [low, resolved(low, Reason.SUPERSEDED), high]


def test_what_gives_way_is_not_torn_from_what_takes_over_where_a_batch_ends() -> None:
    desk = Desk(batch_size=3)
    lows = [fired(f"T-{number}", step="75%") for number in range(4)]
    highs = [fired(f"T-{number}", step="90%") for number in range(4)]
    desk.commit(*lows)
    while desk.tell(0):
        pass
    desk.commit(*(resolved(low, Reason.SUPERSEDED) for low in lows), *highs, now=5)
    requests = [desk.tell(5) for _ in range(4)]
    assert [[each.labels["ticket"] for each in request] for request in requests] == [
        [f"T-{number}"] * 2 for number in range(4)
    ]


def test_what_waited_already_gives_way_together_with_what_takes_over() -> None:
    desk = Desk(batch_size=3)
    low, high = fired("T-1", step="75%"), fired("T-1", step="90%")
    desk.commit(low, *(fired(f"T-{number}") for number in range(2, 6)))
    desk.commit(end := resolved(low, Reason.SUPERSEDED), high)
    requests = [desk.tell() for _ in range(3)]
    assert [len(request) for request in requests] == [3, 1, 3]
    assert requests[-1] == [low, end, high]


def test_an_end_that_is_repeated_counts_once() -> None:
    desk = Desk()
    alert = fired()
    desk.commit(alert, resolved(alert), resolved(alert, at=300))
    assert desk.book.firing == {("SlaTicketAtRisk", "warning"): 0}
    desk.tell(0)
    assert desk.tell(SETTLE) == [resolved(alert)]


def test_the_end_of_an_earlier_alert_with_equal_labels_leaves_the_new_one_firing() -> None:
    desk = Desk()
    october, november = fired(id_="october"), fired(id_="november", at=300)
    desk.commit(october)
    desk.tell(0)
    desk.commit(november, resolved(october, Reason.PERIOD_ENDED), now=1)
    assert desk.tell(1) == [november]
    assert desk.tell(1 + RESEND) == [november]


def test_an_end_with_changed_labels_ends_what_was_announced() -> None:
    desk = Desk()
    alert = fired()
    desk.commit(alert)
    desk.tell(0)
    end = resolved(fired(severity="critical"))
    desk.commit(end, now=10)
    [notice] = desk.queue.take(20, always).notices
    assert (notice.labels, notice.told) == (label_set(alert.labels), end)


def test_an_alert_that_fires_again_is_not_resolved_by_its_earlier_end() -> None:
    desk = Desk()
    first, second = fired(), fired(at=300)
    desk.commit(first)
    desk.tell(0)
    desk.commit(resolved(first), now=10)
    desk.commit(second, now=11)
    assert desk.tell(11) == [second]
    assert desk.tell(11 + RESEND) == [second]


def test_what_fires_anew_while_a_request_is_under_way_is_not_taken_for_told() -> None:
    desk = Desk()
    first, second = fired(), fired(at=300)
    desk.commit(first)
    under_way = desk.queue.take(0, always).notices
    desk.commit(second)
    desk.queue.acknowledge(under_way, 1)
    assert desk.tell(1) == [second]


# Restarts.


def test_a_restarted_alertmanager_is_told_again_what_fires() -> None:
    desk = Desk()
    alert = fired()
    desk.commit(alert)
    desk.tell(0)
    desk.queue.restarted(5)
    assert desk.tell(5) == [alert]


def test_a_restarted_alertmanager_hears_of_the_beginning_before_the_end() -> None:
    desk = Desk()
    alert = fired()
    end = resolved(alert)
    desk.commit(alert)
    desk.tell(0)
    desk.queue.restarted(5)
    desk.commit(end, now=5)
    assert desk.tell(5) == [alert]
    assert desk.tell(5 + SETTLE) == [end]


def test_what_has_ended_is_not_fired_again_by_a_restart() -> None:
    desk = Desk()
    alert = fired()
    end = resolved(alert)
    desk.commit(alert)
    desk.tell(0)
    desk.commit(end, now=10)
    assert desk.tell(10) == [end]
    desk.queue.restarted(20)
    assert desk.tell(20) == []
    assert desk.tell(10 + RESEND) == [end]


def test_an_end_that_nobody_has_heard_is_not_forgotten_however_long_it_takes() -> None:
    desk = Desk()
    alert = fired()
    end = resolved(alert)
    desk.commit(alert, end)
    for hours in range(1, 4):
        assert desk.take(hours * 3600.0) == [alert]
    assert desk.tell(4 * 3600.0) == [alert]
    assert desk.tell(4 * 3600.0 + SETTLE) == [end]


# Ownership.


def test_alerts_of_a_partition_that_is_not_proven_ours_wait() -> None:
    desk = Desk()
    ours, theirs = fired("T-1"), fired("T-2")
    desk.commit(ours, partition=1)
    desk.commit(theirs, partition=2)
    assert desk.tell(0, lambda partition: partition == 1) == [ours]
    assert desk.queue.take(0, lambda _: False).wake_at == RECHECK
    assert desk.tell(1) == [theirs]


def test_the_alerts_of_a_task_that_went_away_are_forgotten_and_not_resolved() -> None:
    desk = Desk()
    gone, kept = fired("T-1"), fired("T-2")
    desk.commit(gone, partition=1)
    desk.commit(kept, partition=2)
    desk.tell(0)
    desk.commit(resolved(gone), now=1, partition=1)
    desk.book.forget(1)
    assert desk.tell(30) == []
    assert desk.tell(RESEND) == [kept]


def test_a_task_that_comes_back_has_the_alerts_it_comes_with() -> None:
    desk = Desk()
    old, new = fired("T-1"), fired("T-2")
    desk.begin(old, partition=1)
    desk.tell(0)
    desk.begin(new, partition=1)
    assert desk.tell(0) == [new]
    assert desk.tell(RESEND) == [new]


# Limits.


def test_a_full_queue_gives_up_the_oldest_and_counts_them() -> None:
    desk = Desk(capacity=3)
    alerts = [fired(f"T-{number}") for number in range(5)]
    desk.commit(*alerts)
    assert desk.dropped == 2
    assert desk.tell() == alerts[2:]


def test_what_was_given_up_has_its_turn_again() -> None:
    desk = Desk(capacity=3)
    alerts = [fired(f"T-{number}") for number in range(5)]
    desk.commit(*alerts)
    desk.tell(0)
    assert desk.tell(RESEND) == alerts[:2] + alerts[2:3], "there is room for three; the others follow"


def test_reminders_give_up_nothing_that_is_news() -> None:
    desk = Desk(capacity=2)
    desk.begin(*(fired(f"old-{number}") for number in range(2)))
    desk.tell(0)
    news = [fired("new-1"), fired("new-2")]
    desk.commit(*news, now=1)
    assert desk.tell(RESEND) == news
    assert desk.dropped == 0


def test_what_is_refused_is_not_told_again_until_there_is_news() -> None:
    desk = Desk()
    alert = fired()
    desk.commit(alert)
    [notice] = desk.queue.take(0, always).notices
    desk.queue.refuse(notice)
    assert desk.tell(RESEND) == []
    desk.commit(again := fired(at=500), now=RESEND)
    assert desk.tell(RESEND) == [again]


def test_what_is_refused_is_tried_again_after_a_restart() -> None:
    desk = Desk()
    desk.commit(fired())
    [notice] = desk.queue.take(0, always).notices
    desk.queue.refuse(notice)
    desk.queue.restarted(1)
    assert len(desk.tell(1)) == 1


def test_firing_alerts_are_counted_by_name_and_severity() -> None:
    desk = Desk()
    alert, other = fired("T-1"), fired("T-2")
    desk.commit(alert, other)
    assert desk.book.firing == {("SlaTicketAtRisk", "warning"): 2}
    desk.commit(resolved(alert))
    assert desk.book.firing == {("SlaTicketAtRisk", "warning"): 1}
    desk.book.forget(0)
    assert desk.book.firing == {("SlaTicketAtRisk", "warning"): 0}


def badly_named() -> AlertTransition:
    return msgspec.structs.replace(fired(), annotations={"due-at": "x"})


@pytest.mark.parametrize(
    ("transition", "why"),
    [
        (fired(), None),
        (fired(name=""), "it has no alertname"),
        (badly_named(), "'due-at' is no name of a label or annotation"),
    ],
)
def test_an_alert_that_would_be_refused_is_found_out_before(
    transition: AlertTransition, why: str | None
) -> None:
    assert fault(transition) == why


# The law: whatever happens on the way, an Alertmanager that answers ends up with the truth.


@dataclass
class Memory:
    """What an Alertmanager remembers: which alerts fire, since when, and until when it believes so."""

    firing: dict[LabelSet, tuple[int, float]] = field(default_factory=dict)

    def hear(self, notices: Iterable[Notice], now: float) -> None:
        for notice in notices:
            if notice.resolved:
                self.firing.pop(notice.labels, None)
            else:
                self.firing[notice.labels] = notice.fired.at, now + VALID_FOR * RESEND

    def since(self, now: float) -> dict[LabelSet, int]:
        return {labels: at for labels, (at, until) in self.firing.items() if until > now}


class AnyHistory(RuleBasedStateMachine):
    """Alerts fire and end, requests fail or succeed, the Alertmanager forgets, tasks come and go."""

    def __init__(self) -> None:
        super().__init__()
        self.desk = Desk(capacity=6, batch_size=3)
        self.now = 0.0
        self.at = 1
        self.open: OrderedDict[tuple[int, str, str], AlertTransition] = OrderedDict()
        self.memory = Memory()
        self.ended: set[tuple[LabelSet, int]] = set()  # acknowledged ends
        self.proven = {0: True, 1: True}

    def _commit(self, partition: int, *transitions: AlertTransition) -> None:
        self.desk.commit(*transitions, now=self.now, partition=partition)

    @rule(
        partition=st.sampled_from([0, 1]), ticket=st.sampled_from("abc"), step=st.sampled_from(["75%", "90%"])
    )
    def fires_or_ends(self, partition: int, ticket: str, step: str) -> None:
        key = (partition, ticket, step)
        self.at += 1
        if alert := self.open.pop(key, None):
            self._commit(partition, resolved(alert, at=self.at))
        else:
            alert = self.open[key] = fired(
                f"{partition}{ticket}", step=step, at=self.at, id_=f"{key}{self.at}"
            )
            self._commit(partition, alert)

    @rule(partition=st.sampled_from([0, 1]), ticket=st.sampled_from("abc"))
    def next_step(self, partition: int, ticket: str) -> None:
        if low := self.open.pop((partition, ticket, "75%"), None):
            key = (partition, ticket, "90%")
            self.at += 1
            high = fired(f"{partition}{ticket}", step="90%", at=self.at, id_=f"{key}{self.at}")
            earlier = [resolved(old, at=self.at) for old in [self.open.pop(key, None)] if old]
            self.open[key] = high
            self._commit(partition, *earlier, resolved(low, Reason.SUPERSEDED, at=self.at), high)

    @rule(seconds=st.sampled_from([0.1, SETTLE, RESEND, RETENTION]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(partition=st.sampled_from([0, 1]))
    def proof_comes_or_goes(self, partition: int) -> None:
        self.proven[partition] = not self.proven[partition]

    @rule(partition=st.sampled_from([0, 1]))
    def task_goes_and_comes_back(self, partition: int) -> None:
        firing = [alert for (where, *_), alert in self.open.items() if where == partition]
        self.desk.book.forget(partition)
        # Its new owner has told what ended meanwhile, before the task came back.
        still = {label_set(alert.labels) for alert in firing}
        for labels in list(self.memory.firing):
            if dict(labels)["ticket"].startswith(str(partition)) and labels not in still:
                del self.memory.firing[labels]
        self.desk.begin(*firing, now=self.now, partition=partition)

    @rule()
    def alertmanager_restarts(self) -> None:
        self.memory.firing.clear()
        self.desk.queue.restarted(self.now)

    @rule(answered=st.booleans(), heard=st.booleans())
    def request(self, *, answered: bool, heard: bool) -> None:
        self.desk.book.expire(self.now)
        self.desk.queue.remind(self.now)
        notices = self.desk.queue.take(self.now, self.proven.__getitem__).notices
        assert len(notices) <= self.desk.batch_size
        assert all(self.proven[notice.partition] for notice in notices)
        for position, notice in enumerate(notices):
            if notice.resolved:
                begun = self.memory.firing.get(notice.labels, (0, 0.0))[0] == notice.fired.at
                here = any(each.told is notice.fired for each in notices[:position])
                assert begun or here or (notice.labels, notice.fired.at) in self.ended, (
                    "an end without a beginning"
                )
        if answered or heard:
            self.memory.hear(notices, self.now)
        if answered:
            self.desk.queue.acknowledge(notices, self.now)
        if answered or heard:
            self.ended |= {(notice.labels, notice.fired.at) for notice in notices if notice.resolved}

    @invariant()
    def no_queue_is_longer_than_allowed(self) -> None:
        assert len(self.desk.queue) <= self.desk.capacity

    def teardown(self) -> None:
        """Everything answers for two turns, so the Alertmanager knows what fires and nothing else."""
        self.proven = {0: True, 1: True}
        for _ in range(4):
            self.now += RESEND
            for _ in range(20):
                self.request(answered=True, heard=True)
                self.now += SETTLE / 10
        truth = {label_set(alert.labels): alert.at for alert in self.open.values()}
        assert self.memory.since(self.now) == truth


TestAnyHistoryEndsInTheTruth = AnyHistory.TestCase
TestAnyHistoryEndsInTheTruth.settings = hypothesis_settings(
    max_examples=200, stateful_step_count=30, deadline=None
)


# Requests.


@dataclass
class Standin:
    """Answers like an Alertmanager, or as a test wants it to; remembers what it was told."""

    answers: list[Callable[[web.Request, list[dict[str, Any]]], web.Response | None]] = field(
        default_factory=list
    )
    requests: list[list[dict[str, Any]]] = field(default_factory=list)  # bodies of those answered with 200
    headers: list[dict[str, str]] = field(default_factory=list)
    attempts: int = 0
    starts: list[str | None] = field(default_factory=lambda: ["2026-11-23T00:00:00Z"])  # the last stays
    hangs: asyncio.Event = field(default_factory=asyncio.Event)

    async def alerts(self, request: web.Request) -> web.Response:
        body = orjson.loads(await request.read())
        self.attempts += 1
        self.headers.append(dict(request.headers))
        if self.answers:
            answer = self.answers[0](request, body)
            if len(self.answers) > 1:
                self.answers.pop(0)
            if answer is not None:
                if answer.status == 599:
                    await self.hangs.wait()
                return answer
        self.requests.append(body)
        return web.Response()

    async def status(self, _: web.Request) -> web.Response:
        start = self.starts.pop(0) if len(self.starts) > 1 else self.starts[0]
        return web.json_response({"uptime": start}) if start else web.Response(status=403)

    @property
    def told(self) -> list[str]:
        """Tickets and what was said of them, in order."""
        return [_said(alert) for body in self.requests for alert in body]

    def heard(self, what: str) -> bool:
        return what in self.told


def _said(alert: dict[str, Any]) -> str:
    ended = alert["endsAt"] < "2000"  # tests let alerts happen in 1970
    return f"{alert['labels']['ticket']} {'resolved' if ended else 'fired'}"


def answer(status: int, body: str = "", **headers: str) -> Callable[[web.Request, Any], web.Response]:
    kind = "application/json" if status in {400, 422} and body.startswith("{") else "text/html"
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _request, _body: web.Response(status=status, text=body, content_type=kind, headers=names)


def taken(_request: web.Request, _body: object) -> None:
    """As an Alertmanager would."""


@contextlib.asynccontextmanager
async def serving(standin: Standin, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_post("/am/api/v2/alerts", standin.alerts)
    app.router.add_get("/am/api/v2/status", standin.status)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    try:
        yield f"http{'s' if tls else ''}://127.0.0.1:{runner.addresses[0][1]}/am"
    finally:
        standin.hangs.set()
        await runner.cleanup()


@dataclass
class Running:
    notifier: Notifier
    metrics: Metrics

    def count(self, name: str, position: int = 0) -> float:
        """A metric of the Alertmanager at this position of the settings."""
        samples = [
            sample.value
            for family in self.metrics.registry.collect()
            for sample in family.samples
            if sample.name == name
        ]
        return samples[position]


@contextlib.asynccontextmanager
async def notifying(
    *urls: str | AlertmanagerSettings,
    may_send: Callable[[int], bool] = always,
    resend: float = RESEND,
    capacity: int = 100,
    batch_size: int = 256,
) -> AsyncIterator[Running]:
    settings = NotifierSettings(
        alertmanagers=tuple(
            url
            if isinstance(url, AlertmanagerSettings)
            else AlertmanagerSettings(url=HttpUrl(url), timeout=0.3)
            for url in urls
        ),
        resend_interval=resend,
        queue_capacity=capacity,
        batch_size=batch_size,
        external_url=HttpUrl("https://slamon.example/"),
    )
    metrics = Metrics("1")
    notifier = Notifier(settings, metrics, may_send)
    async with asyncio.TaskGroup() as group:
        group.create_task(notifier.run())
        yield Running(notifier, metrics)
        notifier.stop(1.0)


async def until(condition: Callable[[], object], within: float = 20.0) -> None:
    deadline = clock.monotonic() + within
    while not condition():
        assert clock.monotonic() < deadline, "this never came to be"
        await clock.wait(0.01)


NOW = 1_764_007_200 * SECOND  # 2025-11-24T18:00:00Z
COMMON = NotifierSettings(
    external_url=HttpUrl("https://slamon.example/"),
    dashboard_url="https://grafana.example/d/sla?var-customer=$customer",
    runbook_url="https://wiki.example/$alertname",
)


def test_the_body_is_what_alertmanager_wants() -> None:
    alert = fired("T-1", at=1_764_000_000, owner="")
    end = resolved(alert, at=1_764_000_060)
    labels = label_set(alert.labels)
    notices = [Notice(labels, 0, alert, alert), Notice(labels, 0, alert, end)]
    firing, ended = orjson.loads(payload(notices, NOW, 240 * SECOND, COMMON))
    assert firing == {
        "labels": {name: value for name, value in alert.labels.items() if value},
        "annotations": {
            "summary": "T-1 is at 75%",
            "runbook_url": "https://wiki.example/SlaTicketAtRisk",
            "dashboard_url": "https://grafana.example/d/sla?var-customer=acme",
        },
        "startsAt": "2025-11-24T16:00:00.000000Z",
        "endsAt": "2025-11-24T18:04:00.000000Z",
        "generatorURL": "https://slamon.example/",
    }
    assert ended["startsAt"] == "2025-11-24T16:00:00.000000Z"
    assert ended["endsAt"] == "2025-11-24T16:01:00.000000Z"


def test_an_end_is_never_before_its_beginning() -> None:
    alert = fired(at=1_764_000_000)
    end = resolved(alert, at=1_763_999_000)
    [body] = orjson.loads(
        payload([Notice(label_set(alert.labels), 0, alert, end)], NOW, 0, NotifierSettings())
    )
    assert body["startsAt"] == body["endsAt"]
    assert "generatorURL" not in body


def test_no_instant_is_ahead_of_the_alertmanagers_clock() -> None:
    alert = fired(at=1_764_999_000)
    end = resolved(alert, at=1_764_999_999)
    [body] = orjson.loads(
        payload([Notice(label_set(alert.labels), 0, alert, end)], NOW, 0, NotifierSettings())
    )
    assert body["startsAt"] == body["endsAt"] == "2025-11-24T18:00:00.000000Z"


def test_text_that_is_no_unicode_is_told_all_the_same() -> None:
    alert = fired("half \ud800")
    [body] = orjson.loads(
        payload([Notice(label_set(alert.labels), 0, alert, alert)], NOW, 0, NotifierSettings())
    )
    assert body["labels"]["ticket"] == "half ?"


def test_retries_come_later_and_later_but_never_rarely() -> None:
    pauses = [retry_after(failures) for failures in range(2000)]
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (FIRST_RETRY, LAST_RETRY)


async def test_what_fires_and_resolves_arrives() -> None:
    async with serving(standin := Standin()) as url, notifying(url) as running:
        alert = fired("T-1")
        running.notifier.commit(0, [alert])
        await until(lambda: standin.told == ["T-1 fired"])
        running.notifier.commit(0, [resolved(alert)])
        await until(lambda: standin.told == ["T-1 fired", "T-1 resolved"])
        await until(lambda: running.count("slamon_notification_queue_length") == 0)
        assert running.count("slamon_notifications_total") == 2
        assert running.count("slamon_notification_queue_capacity") == 100
        assert running.count("slamon_alert_transitions_total") == 1
        assert running.count("slamon_alerts_firing") == 0


async def test_without_an_alertmanager_what_resolved_long_ago_is_not_kept() -> None:
    notifier = Notifier(NotifierSettings(resolved_retention=1e-9), Metrics("1"), always)
    notifier.commit(0, [fired("T-1"), fired("T-2")])
    notifier.commit(0, [resolved(fired("T-1"))])
    notifier.commit(0, [])
    assert [held.fired.id for held in notifier._book.alerts.values()] == [fired("T-2").id]


async def test_answers_of_429_and_500_and_none_at_all_lose_nothing() -> None:
    standin = Standin([answer(429, Retry_After="1"), answer(500), answer(599), answer(503), taken])
    async with serving(standin) as url, notifying(url, batch_size=4) as running:
        running.notifier.commit(0, [fired(f"T-{number}") for number in range(10)])
        await until(lambda: len(standin.told) == 10)
        assert standin.told == [f"T-{number} fired" for number in range(10)]
        assert running.count("slamon_notifications_failed_total") == 4 * 4
        assert running.count("slamon_notifications_dropped_total") == 0


async def test_an_alertmanager_that_is_not_there_yet_gets_everything_later() -> None:
    standin = Standin()
    async with serving(Standin()) as url:
        pass
    port = int(url.split(":")[2].split("/")[0])
    async with notifying(url) as running:
        running.notifier.commit(0, [fired("T-1")])
        await until(lambda: running.count("slamon_notifications_failed_total") >= 1)
        app = web.Application()
        app.router.add_post("/am/api/v2/alerts", standin.alerts)
        app.router.add_get("/am/api/v2/status", standin.status)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port, reuse_address=True).start()
        try:
            await until(lambda: "T-1 fired" in standin.told)
        finally:
            await runner.cleanup()


async def test_one_alert_that_is_refused_does_not_hold_up_the_others() -> None:
    def picky(_: web.Request, body: list[dict[str, Any]]) -> web.Response | None:
        bad = any(alert["labels"]["ticket"] == "T-13" for alert in body)
        return web.json_response({"code": 602, "message": "no"}, status=422) if bad else None

    async with serving(standin := Standin([picky])) as url, notifying(url) as running:
        running.notifier.commit(0, [fired(f"T-{number}") for number in range(40)])
        await until(lambda: running.count("slamon_notifications_dropped_total") == 1)
        await until(lambda: len(standin.told) == 39)
        assert set(standin.told) == {f"T-{number} fired" for number in range(40) if number != 13}
        await until(lambda: running.count("slamon_notification_queue_length") == 0)
        assert running.count("slamon_notifications_failed_total") == 0


async def test_of_a_batch_that_was_refused_but_taken_in_part_nothing_is_lost_and_only_the_fault_is_dropped() -> (
    None
):
    """Alertmanager stores the valid alerts of a request that it answers with 400."""
    standin = Standin()

    def stores_what_is_valid(_: web.Request, body: list[dict[str, Any]]) -> web.Response | None:
        valid = [alert for alert in body if alert["labels"]["ticket"] != "T-13"]
        if len(valid) == len(body):
            return None
        standin.requests.append(valid)
        return web.json_response("at least one alert is invalid", status=400)

    standin.answers = [stores_what_is_valid]
    async with serving(standin) as url, notifying(url, batch_size=16) as running:
        running.notifier.commit(0, [fired(f"T-{number}") for number in range(40)])
        await until(lambda: running.count("slamon_notifications_dropped_total") == 1)
        await until(lambda: running.count("slamon_notification_queue_length") == 0)
        assert set(standin.told) == {f"T-{number} fired" for number in range(40) if number != 13}
        assert running.count("slamon_notifications_total") == 39
        assert running.count("slamon_notifications_failed_total") == 0


@pytest.mark.parametrize("status", [400, 401, 403, 404, 307])
async def test_what_a_proxy_says_about_itself_refuses_no_alert(status: int) -> None:
    standin = Standin([answer(status, "<html>", Location="/am/api/v2/status"), taken])
    async with serving(standin) as url, notifying(url) as running:
        running.notifier.commit(0, [fired("T-1")])
        await until(lambda: standin.told == ["T-1 fired"])
        assert running.count("slamon_notifications_dropped_total") == 0


async def test_beyond_its_capacity_the_oldest_are_dropped_and_counted() -> None:
    standin = Standin([answer(500)])
    async with serving(standin) as url, notifying(url, capacity=5) as running:
        running.notifier.commit(0, [fired(f"T-{number}") for number in range(12)])
        assert running.count("slamon_notifications_dropped_total") == 7
        assert running.count("slamon_notification_queue_length") == 5
        await until(lambda: standin.attempts > 0)
        standin.answers[:] = [taken]
        await until(lambda: len(standin.told) == 5)
        assert standin.told == [f"T-{number} fired" for number in range(7, 12)]


async def test_each_alertmanager_gets_everything_whatever_the_other_does() -> None:
    well, ill = Standin(), Standin([answer(599)])
    async with serving(well) as url, serving(ill) as other, notifying(url, other) as running:
        running.notifier.commit(0, [fired("T-1"), fired("T-2")])
        await until(lambda: len(well.told) == 2)
        await until(lambda: running.count("slamon_notifications_failed_total", 1) >= 2)
        assert running.count("slamon_notifications_failed_total", 0) == 0
        ill.answers[:] = [taken]
        await until(lambda: len(ill.told) == 2)


async def test_nothing_is_sent_while_ownership_is_not_proven() -> None:
    proven = False
    async with serving(standin := Standin()) as url, notifying(url, may_send=lambda _: proven) as running:
        running.notifier.commit(3, [fired("T-1")])
        await until(lambda: running.count("slamon_notification_queue_length") == 1)
        assert standin.attempts == 0
        proven = True
        await until(lambda: standin.told == ["T-1 fired"])


async def test_proof_is_asked_for_again_before_each_retry() -> None:
    asked: list[int] = []

    def until_it_was_lost(partition: int) -> bool:
        asked.append(partition)
        return standin.attempts == 0

    standin = Standin([answer(500)])
    async with serving(standin) as url, notifying(url, may_send=until_it_was_lost) as running:
        running.notifier.commit(3, [fired("T-1")])
        await until(lambda: standin.attempts == 1)
        before = len(asked)
        await until(lambda: len(asked) > before + 1)
        assert standin.attempts == 1


async def test_a_restart_that_is_noticed_with_an_end_brings_the_beginning_first() -> None:
    standin = Standin(starts=["monday"])
    async with serving(standin) as url, notifying(url) as running:
        alert, other = fired("T-1"), fired("T-2")
        running.notifier.commit(0, [alert, other])
        await until(lambda: len(standin.told) == 2)
        standin.starts[:] = ["tuesday"]
        standin.requests.clear()
        running.notifier.commit(0, [resolved(alert)])
        await until(lambda: "T-1 resolved" in standin.told[1:])
        assert standin.told[0] == "T-1 resolved", "the request in which the restart was noticed"
        again = standin.told[1:]
        assert again.index("T-1 fired") < again.index("T-1 resolved")
        await until(lambda: "T-2 fired" in standin.told)


async def test_several_alertmanagers_under_one_address_are_no_restarts() -> None:
    starts: list[str | None] = ["monday", "tuesday"]
    standin = Standin(starts=starts * 20)
    async with serving(standin) as url, notifying(url) as running:
        for number in range(8):
            alert = fired(f"T-{number}")
            running.notifier.commit(0, [alert])
            await until(functools.partial(standin.heard, f"T-{number} fired"))
            running.notifier.commit(0, [resolved(alert, Reason.SUPERSEDED)])
            await until(functools.partial(standin.heard, f"T-{number} resolved"))
        assert len(standin.told) <= 2 * 8 + 2, "at most the one time at which the second was new"


async def test_an_alertmanager_that_hides_its_status_is_taken_for_restarted_after_it_failed() -> None:
    standin = Standin(starts=[None])
    async with serving(standin) as url, notifying(url) as running:
        running.notifier.commit(0, [fired("T-1")])
        await until(lambda: standin.told == ["T-1 fired"])
        standin.answers[:] = [answer(500), taken]
        running.notifier.commit(0, [fired("T-2")])
        await until(lambda: standin.told.count("T-1 fired") == 2)


async def test_what_no_alertmanager_would_take_is_dropped_before_and_counted() -> None:
    async with serving(standin := Standin()) as url, notifying(url) as running:
        running.notifier.commit(0, [fired(name=""), fired("T-2")])
        await until(lambda: standin.told == ["T-2 fired"])
        assert running.count("slamon_notifications_dropped_total") == 1


async def test_what_is_learnt_of_only_after_it_was_long_over_wakes_nobody() -> None:
    async with serving(standin := Standin()) as url, notifying(url) as running:
        old, running_on = fired("T-1"), fired("T-2")
        ended = msgspec.structs.replace(resolved(old), late=True)
        running.notifier.commit(0, [old, ended, running_on])
        await until(lambda: standin.told == ["T-2 fired"])
        assert running.count("slamon_alerts_firing") == 1
        assert running.count("slamon_notifications_dropped_total") == 0


# Stopping.


async def test_stopping_tells_what_waits_and_ends_at_once() -> None:
    proven = False
    async with serving(standin := Standin()) as url:
        async with notifying(url, may_send=lambda _: proven) as running:
            alert = fired("T-1")
            running.notifier.commit(0, [alert, resolved(alert), fired("T-2")])
            proven = True
        assert set(standin.told) == {"T-1 fired", "T-1 resolved", "T-2 fired"}


async def test_stopping_waits_no_longer_than_it_may_and_counts_what_is_left() -> None:
    async with serving(Standin([answer(500)])) as url:
        async with notifying(url) as running:
            running.notifier.commit(0, [fired("T-1"), fired("T-2")])
        assert running.count("slamon_notifications_dropped_total") == 2


async def test_stopping_sends_nothing_for_partitions_that_went_away() -> None:
    async with serving(standin := Standin()) as url:
        async with notifying(url) as running:
            running.notifier.commit(0, [fired("T-1")])
            running.notifier.forget(0)
        assert standin.attempts == 0


async def test_without_alertmanagers_alerts_are_counted_only() -> None:
    async with notifying() as running:
        running.notifier.begin(0, [fired("T-1")])
        running.notifier.commit(0, [fired("T-2")])
        assert running.count("slamon_alerts_firing") == 2
        assert running.count("slamon_alert_transitions_total") == 1


# Secrets.


def alertmanager(url: str, **more: object) -> AlertmanagerSettings:
    return AlertmanagerSettings.model_validate({"url": url, "timeout": 5, **more})


async def test_passwords_are_read_again_for_each_request(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("first\n")
    standin = Standin()
    async with serving(standin) as url:
        settings = alertmanager(url, basic_auth={"username": "slamon", "password_file": file})
        async with notifying(settings) as running:
            running.notifier.commit(0, [fired("T-1")])
            await until(lambda: len(standin.told) == 1)
            file.write_text("second\n")
            running.notifier.commit(0, [fired("T-2")])
            await until(lambda: len(standin.told) == 2)
    sent = [base64.b64decode(headers["Authorization"].removeprefix("Basic ")) for headers in standin.headers]
    assert sent == [b"slamon:first", b"slamon:second"]


async def test_a_password_file_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    file = tmp_path / "token"
    async with serving(standin := Standin()) as url:
        settings = alertmanager(url, authorization={"credentials_file": file})
        with structlog.testing.capture_logs() as lines:
            async with notifying(settings) as running:
                running.notifier.commit(0, [fired("T-1")])
                await until(lambda: running.count("slamon_notifications_failed_total") == 1)
                file.write_text("abc")
                await until(lambda: standin.told == ["T-1 fired"])
    assert standin.headers[0]["Authorization"] == "Bearer abc"
    [line] = [line for line in lines if line["event"] == "alertmanager_fails"]
    assert str(file) in line["why"]


async def test_no_secret_is_in_logs_or_representations() -> None:
    with structlog.testing.capture_logs() as lines:
        async with serving(Standin([answer(500, "no")])) as url:
            both = (
                alertmanager(url, basic_auth={"username": "someone", "password": "hunter2"}),
                alertmanager(url + "/", authorization={"type": "Token", "credentials": "hunter3"}),
            )
            async with notifying(both[0]) as one, notifying(both[1]) as two:
                for running in (one, two):
                    running.notifier.commit(0, [fired("T-1")])
                    await until(functools.partial(running.count, "slamon_notifications_failed_total"))
                texts = [
                    repr(one.notifier),
                    repr(vars(one.notifier)),
                    repr(vars(two.notifier)),
                    repr(both),
                ]
                texts += [orjson.dumps([str(family) for family in one.metrics.registry.collect()]).decode()]
    texts += [repr(line) for line in lines]
    assert any("alertmanager_fails" in text for text in texts)
    for text in texts:
        assert "hunter" not in text


def test_a_password_in_the_address_is_refused_where_logs_would_show_it() -> None:
    with pytest.raises(
        ValueError, match="no user or password in the url, where logs would show them: use basic_auth"
    ):
        alertmanager("http://someone:p%40ss@am:9093")


def notifier(*alertmanagers: AlertmanagerSettings) -> Notifier:
    return Notifier(NotifierSettings(alertmanagers=alertmanagers), Metrics("1"), always)


def test_settings_that_contradict_themselves_are_refused() -> None:
    url = "http://am:9093"
    with pytest.raises(ValueError, match="give basic_auth or authorization, not both"):
        alertmanager(url, basic_auth={"username": "u"}, authorization={"credentials": "c"})
    with pytest.raises(ValueError, match=r"alertmanagers\[1\]: am:9093 is named twice"):
        notifier(alertmanager(url), alertmanager(url + "/"))


# TLS.


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    openssl = shutil.which("openssl")
    if openssl is None:
        assert os.environ.get("CI") != "true", "openssl is needed to make a certificate"
        pytest.skip("NOT CHECKED: no openssl on the PATH to make a certificate with")
    cert, key = folder / f"{name}.crt", folder / f"{name}.key"
    arguments = f"req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN={name}"
    more = ["-addext", f"subjectAltName=DNS:{name}", "-keyout", str(key), "-out", str(cert)]
    subprocess.run([openssl, *arguments.split(), *more], check=True, capture_output=True)
    return cert, key


async def test_mutual_tls_with_the_files_of_the_settings(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path, "alertmanager.example")
    own_cert, own_key = certificate(tmp_path, "slamon.example")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=own_cert)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(cert, key)
    tls = {"ca_file": cert, "cert_file": own_cert, "key_file": own_key, "server_name": "alertmanager.example"}
    standin = Standin()
    async with serving(standin, context) as url, notifying(alertmanager(url, tls_config=tls)) as running:
        running.notifier.commit(0, [fired("T-1")])
        await until(lambda: standin.told == ["T-1 fired"])


async def test_a_certificate_that_is_renewed_is_taken_up(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path, "alertmanager.example")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert, key)
    trusted = tmp_path / "ca.crt"
    shutil.copy(certificate(tmp_path, "wrong.example")[0], trusted)
    tls = {"ca_file": trusted, "server_name": "alertmanager.example"}
    standin = Standin()
    async with serving(standin, context) as url, notifying(alertmanager(url, tls_config=tls)) as running:
        running.notifier.commit(0, [fired("T-1")])
        await until(lambda: running.count("slamon_notifications_failed_total") >= 1)
        assert standin.attempts == 0
        shutil.copy(cert, trusted)
        await until(lambda: standin.told == ["T-1 fired"])


async def test_an_unknown_certificate_is_accepted_only_on_request(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path, "alertmanager.example")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert, key)
    async with serving(standin := Standin(), context) as url:
        async with notifying(alertmanager(url)) as running:
            running.notifier.commit(0, [fired("T-1")])
            await until(lambda: running.count("slamon_notifications_failed_total") >= 1)
        assert standin.attempts == 0
        async with notifying(alertmanager(url, tls_config={"insecure_skip_verify": True})) as running:
            running.notifier.commit(0, [fired("T-1")])
            await until(lambda: standin.told == ["T-1 fired"])
