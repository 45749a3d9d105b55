"""Tells Alertmanagers what fires and what has resolved, each by a loop of its own, until each has heard it.

What is told, and in which order, is decided in `alert_queue`; here are requests, secrets and waiting. An answer is one
of three: taken; refused (the request cannot be right as it is: it is halved until the alert at fault is found, which is
dropped and counted); or anything else, after which all stays queued and is tried again a little later.

Alertmanager keeps alerts in memory only, so its restarts must be noticed: its status names the instant it started. It
is asked for now and then, and after every request that tells of an end, before that counts as told. An instant seen
before is no restart: several Alertmanagers may answer under one address.
"""

import asyncio
import contextlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import aiohttp
import orjson
import structlog
import yarl

from slamon import clock
from slamon.domain.decisions import AlertTransition, Transition
from slamon.outputs.alert_queue import SETTLE, Book, LabelSet, MaySend, Notice, Queue, fault
from slamon.outputs.door import DeliveryError, Door, in_words
from slamon.outputs.metrics import Metrics, NotificationMetrics
from slamon.outputs.notices import linked, text
from slamon.settings import AlertmanagerSettings, NotifierSettings

VALID_FOR = 4  # resend intervals until an Alertmanager that hears no more holds an alert for resolved; Prometheus' own
FIRST_RETRY = 0.5  # s; doubled with each failure …
LAST_RETRY = 10.0  # … up to here: an Alertmanager that comes back is told within it
MOST_PATIENCE = 60.0  # s; a longer `Retry-After` is not waited for
STATUS_EVERY = 10.0  # s; how soon a restart is noticed while alerts fire
STATUS_TIMEOUT = 3.0  # s; the status is only asked for caution, and holds up nothing for long
_REFUSALS = frozenset({400, 413, 422})
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

log = structlog.get_logger()


class Notifier:
    """Feeds every Alertmanager of the settings. Its methods are called on the loop that runs `run`.

    `may_send` says whether this pod owns a partition, as far as can be proven just now; it is asked before each request.
    Raises ValueError when the settings contradict themselves.
    """

    def __init__(self, settings: NotifierSettings, metrics: Metrics, may_send: MaySend) -> None:
        self._metrics = metrics
        self._book = Book(settings.resolved_retention)
        self._retention = round(settings.resolved_retention * clock.MICROSECONDS)
        self._stopping = asyncio.Event()
        self._limit: asyncio.Timeout | None = None
        self._stop_at: float | None = None  # by the loop's clock
        self._senders: list[_Sender] = []
        for position, each in enumerate(settings.alertmanagers):
            name = _name(yarl.URL(str(each.url)))
            if any(name == sender.name for sender in self._senders):
                msg = f"notifier.alertmanagers[{position}]: {name} is named twice"
                raise ValueError(msg)
            counters = metrics.notifications(name, settings.queue_capacity)
            queue = Queue(self._book, settings.queue_capacity, settings.batch_size, settings.resend_interval)
            self._senders.append(
                _Sender(
                    name,
                    each,
                    common=settings,
                    queue=queue,
                    counters=counters,
                    may_send=may_send,
                    stopping=self._stopping,
                )
            )

    def begin(self, partition: int, firing: Iterable[AlertTransition]) -> None:
        """The task runs here from now on, and these are its firing alerts, as they were announced."""
        self._tell(self._book.begin(partition, self._tellable(firing)))

    def commit(self, partition: int, transitions: Sequence[AlertTransition]) -> None:
        """These transitions were committed, in this order."""
        for each in transitions:
            name = each.labels.get("alertname", "")
            self._metrics.transition(name, each.transition.value, each.reason.value)
        current = list(_worth_telling(transitions, clock.now() - self._retention))
        now = clock.monotonic()
        self._book.expire(now)  # nobody else does where there is no Alertmanager
        self._tell(self._book.commit(partition, self._tellable(current), now))

    def forget(self, partition: int) -> None:
        """The task went away. Its alerts are not resolved: its new owner goes on with them."""
        self._book.forget(partition)
        self._tell([])

    async def run(self) -> None:
        """Runs until `stop`; failures of Alertmanagers never end it."""
        self._limit = asyncio.timeout_at(self._stop_at)
        with contextlib.suppress(TimeoutError):
            async with self._limit, asyncio.TaskGroup() as group:
                for sender in self._senders:
                    group.create_task(sender.run(), name=f"notifier {sender.name}")
                await self._stopping.wait()
        for sender in self._senders:
            sender.give_up()

    def stop(self, seconds: float) -> None:
        """Tell what can be told within so many seconds, then end `run`; what remains is for the tasks' next owners."""
        self._stopping.set()
        self._stop_at = asyncio.get_running_loop().time() + seconds
        if self._limit is not None:
            self._limit.reschedule(self._stop_at)
        self._tell([])

    def _tellable(self, transitions: Iterable[AlertTransition]) -> Iterable[AlertTransition]:
        for each in transitions:
            why = fault(each) if each.transition is Transition.FIRED else None
            if why is None:
                yield each
            else:
                log.error("alert_not_tellable", alert=each.id, labels=each.labels, why=why)
                for sender in self._senders:
                    sender.counters.dropped.inc()

    def _tell(self, changed: Sequence[LabelSet]) -> None:
        for (alertname, severity), number in self._book.firing.items():
            self._metrics.firing(alertname, severity, number)
        for sender in self._senders:
            sender.offer(changed)


def _worth_telling(transitions: Sequence[AlertTransition], since: int) -> Iterable[AlertTransition]:
    """Without the firings that are learnt of only now, with their ends, and that were over before `since`.

    They stand on the alerts topic; but nobody is to be woken for what was over long ago, as when months are caught up.
    """
    over = {
        (each.id, each.episode)
        for each in transitions
        if each.transition is Transition.RESOLVED and each.late and each.at < since
    }
    fired = {(each.id, each.episode) for each in transitions if each.transition is Transition.FIRED}
    return (each for each in transitions if (each.id, each.episode) not in over & fired)


class _RefusalError(Exception):
    """The Alertmanager will not have this request as it is, now or later."""


class _Sender:
    """Tells one Alertmanager."""

    def __init__(
        self,
        name: str,
        settings: AlertmanagerSettings,
        *,
        common: NotifierSettings,
        queue: Queue,
        counters: NotificationMetrics,
        may_send: MaySend,
        stopping: asyncio.Event,
    ) -> None:
        self.name = name
        self.counters = counters
        self._settings = settings
        self._valid_for = round(VALID_FOR * common.resend_interval * clock.MICROSECONDS)
        self._common = common
        self._queue = queue
        self._may_send = may_send
        self._stopping = stopping
        self._changed = asyncio.Event()
        self._door = Door(settings)
        self._starts: set[str] = set()  # instants at which this Alertmanager started, as far as seen
        self._status_at = -STATUS_EVERY
        self._failures = 0  # since the last request that was answered

    def offer(self, changed: Iterable[LabelSet]) -> None:
        if dropped := self._queue.offer(changed, clock.monotonic()):
            self.counters.dropped.inc(dropped)
            log.warning("notification_queue_full", alertmanager=self.name, dropped=dropped)
        self.counters.queue_length.set(len(self._queue))
        self._changed.set()

    def give_up(self) -> None:
        if left := len(self._queue):
            self.counters.dropped.inc(left)
            log.warning("notifications_left_to_next_owner", alertmanager=self.name, alerts=left)

    async def run(self) -> None:
        async with aiohttp.ClientSession(headers={"User-Agent": "slamon"}) as session:
            while True:
                self._changed.clear()
                now = clock.monotonic()
                self._queue.book.expire(now)
                self._queue.remind(now)
                stopping = self._stopping.is_set()
                batch = self._queue.take(now, self._may_send, settle=0.0 if stopping else SETTLE)
                if stopping and not batch.notices:
                    return
                try:
                    if batch.notices:
                        await self._tell(session, batch.notices)
                    elif now >= self._status_at + STATUS_EVERY and self._queue.book.alerts:
                        await self._noticed_restart(session)
                    else:
                        status_in = (
                            self._status_at + STATUS_EVERY - now if self._queue.book.alerts else STATUS_EVERY
                        )
                        await _until(self._changed, min(batch.wake_at - now, status_in))
                except DeliveryError as failure:
                    await self._pause_after(failure)
                self.counters.queue_length.set(len(self._queue))

    async def _tell(self, session: aiohttp.ClientSession, notices: Sequence[Notice]) -> None:
        """Halves what is refused, so that one bad alert cannot hold up the others."""
        notices = [notice for notice in notices if self._may_send(notice.partition)]
        if not notices:
            return
        try:
            await self._post(session, notices)
        except _RefusalError as refusal:
            if len(notices) > 1:
                middle = len(notices) // 2
                await self._tell(session, notices[:middle])
                await self._tell(session, notices[middle:])
            else:
                self._queue.refuse(notices[0])
                self.counters.dropped.inc()
                labels = dict(notices[0].labels)
                why = str(refusal)
                log.error("alert_refused", alertmanager=self.name, labels=labels, why=why)  # noqa: TRY400 - where in the code says nothing
            return
        except DeliveryError:
            self.counters.failed.inc(len(notices))
            raise
        self.counters.sent.inc(len(notices))
        recovered, self._failures = self._failures > 0, 0
        if recovered:
            log.info("alertmanager_answers_again", alertmanager=self.name, waiting=len(self._queue))
        due = clock.monotonic() >= self._status_at + STATUS_EVERY
        ends = any(notice.resolved for notice in notices)
        restarted = (due or ends or recovered) and await self._noticed_restart(session, recovered=recovered)
        if not restarted:  # else nobody knows which life of it has heard this: it is told again
            self._queue.acknowledge(notices, clock.monotonic())
            self.counters.queue_length.set(len(self._queue))

    async def _post(self, session: aiohttp.ClientSession, notices: Sequence[Notice]) -> None:
        body = payload(notices, clock.wall(), self._valid_for, self._common)
        timeout = aiohttp.ClientTimeout(total=self._settings.timeout)
        try:
            async with (
                session.post(
                    self._door.alerts,
                    data=body,
                    headers={"Content-Type": "application/json", **self._door.headers()},
                    ssl=self._door.tls(),
                    server_hostname=self._door.server_name,
                    timeout=timeout,
                    allow_redirects=False,  # a redirected POST may arrive as a GET, be answered 200, and have told nothing
                ) as answer
            ):
                if answer.status // 100 == 2:
                    return
                why = f"{answer.status} {(await answer.content.read(200)).decode(errors='replace').strip()}"
                # A proxy's own 400 is a page for people, and says nothing about the alerts.
                if answer.status in _REFUSALS and (
                    answer.content_type == "application/json" or answer.status == 413
                ):
                    raise _RefusalError(why)
                raise DeliveryError(why, _patience(answer.headers.get("Retry-After")))
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise DeliveryError(in_words(error)) from error

    async def _noticed_restart(self, session: aiohttp.ClientSession, *, recovered: bool = False) -> bool:
        """Whether the Alertmanager has started since it was last asked; if it will not say, a failure stands for it."""
        started = await self._started(session)
        self._status_at = clock.monotonic()
        if started is None:
            restarted = recovered
        else:
            restarted = bool(self._starts) and started not in self._starts
            self._starts.add(started)
        if restarted:
            self._queue.restarted(clock.monotonic())
            log.info("alertmanager_restarted", alertmanager=self.name, waiting=len(self._queue))
        return restarted

    async def _started(self, session: aiohttp.ClientSession) -> str | None:
        try:
            async with session.get(
                self._door.status,
                headers=self._door.headers(),
                ssl=self._door.tls(),
                server_hostname=self._door.server_name,
                timeout=aiohttp.ClientTimeout(total=min(STATUS_TIMEOUT, self._settings.timeout)),
                allow_redirects=False,
            ) as answer:
                status = orjson.loads(await answer.read()) if answer.status == 200 else None
        except (aiohttp.ClientError, OSError, TimeoutError, DeliveryError, orjson.JSONDecodeError):
            return None
        started = status.get("uptime") if isinstance(status, Mapping) else None
        return started if isinstance(started, str) else None

    async def _pause_after(self, failure: DeliveryError) -> None:
        if not self._failures:
            log.warning(
                "alertmanager_fails", alertmanager=self.name, why=str(failure), waiting=len(self._queue)
            )
        pause = max(retry_after(self._failures), failure.patience)
        self._failures += 1
        if self._stopping.is_set():
            await clock.wait(FIRST_RETRY)
        else:
            await _until(self._stopping, pause)


def retry_after(failures: int) -> float:
    """Seconds to wait when so many requests have failed before this one."""
    return min(LAST_RETRY, FIRST_RETRY * 2.0 ** min(failures, 10))


def _patience(header: str | None) -> float:
    """`Retry-After` in its form of seconds; that of a date is rare, and not worth trusting two clocks."""
    return min(MOST_PATIENCE, float(header)) if header and header.isdecimal() else 0.0


async def _until(event: asyncio.Event, seconds: float) -> None:
    """Until the event, at most so long."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(max(0.0, seconds)):
            await event.wait()


def payload(notices: Iterable[Notice], wall: int, valid_for: int, settings: NotifierSettings) -> bytes:
    """The body for /api/v2/alerts; those that fire are good for `valid_for` microseconds from `wall` on.

    No instant lies after `wall`: an Alertmanager would hold an end in the future for firing still.
    """
    source = {"generatorURL": str(settings.external_url)} if settings.external_url else {}
    return orjson.dumps(
        [
            {
                "labels": {name: text(value) for name, value in notice.labels},
                "annotations": {name: text(value) for name, value in notice.told.annotations.items()}
                | linked(settings, notice.fired.labels),
                "startsAt": _rfc3339(min(notice.fired.at, wall)),
                # An end before the start, as an amended history may give it, would be refused.
                "endsAt": _rfc3339(
                    min(max(notice.told.at, notice.fired.at), wall) if notice.resolved else wall + valid_for
                ),
                **source,
            }
            for notice in notices
        ]
    )


def _rfc3339(at: int) -> str:
    return (_EPOCH + timedelta(microseconds=at)).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _name(url: yarl.URL) -> str:
    """Host, port and path: what tells Alertmanagers apart, and never a password."""
    return f"{url.host}:{url.port}{url.path.rstrip('/')}"
