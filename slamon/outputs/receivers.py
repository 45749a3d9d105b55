"""Tells people and programs of alerts, other than through Alertmanager: one attempt at a time, and what came of it.

An answer is one of three: taken; refused (400, 413 or 422: this alert cannot be right as it is, so it is dropped, counted
and logged); or anything else, after which the alert waits in its topic and is told again. A key that is not accepted, an
address that is not there (401, 403, 404, 410; PagerDuty's 400 for a routing key) and a page that some proxy shows say
nothing about the alert, and whoever mends the settings gets everything. After a failure a receiver is left alone for longer and longer, or for as long as it
asks.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import Protocol

import aiohttp
import orjson
import structlog

from slamon import clock
from slamon.domain.agreement import Agreement
from slamon.domain.decisions import AlertTransition
from slamon.outputs import messages
from slamon.outputs.door import Access, DeliveryError, in_words, secret
from slamon.outputs.metrics import Metrics, NotificationMetrics
from slamon.outputs.notices import Notice, notice
from slamon.outputs.routes import Routes
from slamon.outputs.templates import Rendered, Templates
from slamon.settings import (
    AppriseSettings,
    LogReceiverSettings,
    NotifierSettings,
    PagerDutySettings,
    ReceiverKind,
    ReceiverSettings,
    SlackSettings,
    WebhookSettings,
)
from slamon.telling import Answer

FIRST_RETRY = 1.0  # s; doubled with each failure …
LAST_RETRY = 30.0  # … up to here
MOST_PATIENCE = 120.0  # s; a longer `Retry-After` is not waited for: who fails less often than every five minutes looks well
_REFUSALS = frozenset({400, 413, 422})
APPRISE_AT_ONCE = 4  # notifications of one receiver under way, those that hang included
_SAID = 300  # bytes of an answer that are looked at

log = structlog.get_logger()

Agreements = Callable[[], Iterable[Agreement]]


class Unusable(ValueError):  # noqa: N818 - reads as what it says
    """A receiver cannot work as it is set; the text says which, why, and what to do."""


class RefusedError(Exception):
    """It will not have this alert, now or later."""


class Channel(Protocol):
    """One way to tell somebody."""

    async def send(self, session: aiohttp.ClientSession, told: Notice) -> str:
        """What was answered. Raises RefusedError, DeliveryError."""
        ...

    def shown(self, told: Notice) -> str:
        """What would be sent, for people to look at; without secrets."""
        ...


class Receiver:
    """One receiver of the settings; see `telling.Receiver`."""

    def __init__(
        self,
        name: str,
        settings: ReceiverSettings,
        notifier: NotifierSettings,
        agreements: Agreements,
        counters: NotificationMetrics,
    ) -> None:
        """Raises Unusable."""
        self.name = name
        self.send_resolved = settings.send_resolved
        self.session: aiohttp.ClientSession | None = None
        self._notifier = notifier
        self._agreements = agreements
        self._counters = counters
        self.routes = Routes(notifier, name)
        self._channel = channel_of(name, settings, notifier)
        self._failures = 0  # since the last answer
        self._alone_until = 0.0

    def wants(self, alert: AlertTransition) -> bool:
        return self.routes.reach(alert)

    def pause(self) -> float:
        return self._alone_until - clock.monotonic()

    def notice(self, alert: AlertTransition, since: int | None) -> Notice:
        return notice(alert, since, self._notifier, self._agreements, clock.now())

    def shown(self, alert: AlertTransition, since: int | None) -> str:
        return self._channel.shown(self.notice(alert, since))

    async def attempt(self, alert: AlertTransition, since: int | None) -> str:
        """What was answered. Raises RefusedError, DeliveryError."""
        assert self.session is not None
        return await self._channel.send(self.session, self.notice(alert, since))

    async def tell(self, alert: AlertTransition, since: int | None) -> Answer:
        before = self._failures
        try:
            await self.attempt(alert, since)
        except RefusedError as refusal:
            self._answered()
            self._counters.dropped.inc()
            labels, why = dict(alert.labels), str(refusal)
            log.error("alert_refused", receiver=self.name, alert=alert.id, labels=labels, why=why)  # noqa: TRY400 - where in the code says nothing
            return Answer.REFUSED
        except DeliveryError as failure:
            self._counters.failed.inc()
            self._leave_alone(failure, before)
            return Answer.FAILED
        except Exception:
            # A fault of ours must not end the judging, nor lose the alert: it waits, and that is counted.
            log.exception("receiver_faulty", receiver=self.name, alert=alert.id)
            self._counters.failed.inc()
            self._leave_alone(DeliveryError("a fault of slamon's", LAST_RETRY), before)
            return Answer.FAILED
        self._answered()
        self._counters.sent.inc()
        return Answer.TAKEN

    def _answered(self) -> None:
        if self._failures:
            log.info("receiver_answers_again", receiver=self.name)
        self._failures, self._alone_until = 0, 0.0

    def _leave_alone(self, failure: DeliveryError, before: int) -> None:
        """`before`: failures when this attempt began. Those of several partitions that fail together are one failure."""
        if not self._failures:
            log.warning("receiver_fails", receiver=self.name, why=str(failure))
        before = min(before, self._failures)
        pause = max(min(LAST_RETRY, FIRST_RETRY * 2.0 ** min(before, 10)), failure.patience)
        self._failures = before + 1
        self._alone_until = clock.monotonic() + pause

    def waiting(self, alerts: int) -> None:
        self._counters.queue_length.set(alerts)

    def lost(self, alerts: int) -> None:
        self._counters.dropped.inc(alerts)


def receivers_of(settings: NotifierSettings, agreements: Agreements, metrics: Metrics) -> list[Receiver]:
    """All of the settings. Raises Unusable."""
    return [
        Receiver(name, one, settings, agreements, metrics.notifications(name))
        for name, one in settings.receivers.items()
    ]


@contextlib.asynccontextmanager
async def connected(receivers: Iterable[Receiver]) -> AsyncIterator[None]:
    """They can be told meanwhile. Proxies are those of the environment, as HTTPS_PROXY."""
    # Without a limit to its connections: one that hangs has as many as there are partitions, and nobody waits for those.
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), headers={"User-Agent": "slamon"}, trust_env=True
    ) as session:
        for one in receivers:
            one.session = session
        yield


def channel_of(name: str, settings: ReceiverSettings, notifier: NotifierSettings) -> Channel:
    """Raises Unusable."""
    kind: ReceiverKind = settings.kind
    try:
        match kind:
            case PagerDutySettings():
                return _PagerDuty(kind)
            case SlackSettings():
                return _Slack(kind)
            case WebhookSettings():
                return _Webhook(kind, name, notifier)
            case AppriseSettings():
                return _Apprise(kind)
            case LogReceiverSettings():
                return _Log(kind, name)
    except (ValueError, OSError) as error:
        raise Unusable(f"notifier.receivers.{name}: {error}") from error


# Over HTTP


class _Http:
    """Posts, and makes of the answer what came of it."""

    def __init__(self, access: Access, timeout: float) -> None:
        self._access = access
        self._timeout = aiohttp.ClientTimeout(total=timeout)

    async def post(
        self, session: aiohttp.ClientSession, url: str, body: bytes, headers: Mapping[str, str]
    ) -> tuple[int, str]:
        """Status below 300 and the beginning of the answer. Raises RefusedError, DeliveryError."""
        try:
            async with (
                session.post(
                    url,
                    data=body,
                    headers={"Content-Type": "application/json", **self._access.headers(), **headers},
                    ssl=self._access.tls(),
                    server_hostname=self._access.server_name,
                    timeout=self._timeout,
                    allow_redirects=False,  # a redirected POST may arrive as a GET, be answered 200, and have told nothing
                ) as answer
            ):
                said = (await answer.content.read(_SAID)).decode(errors="replace").strip()
                status, patience = answer.status, _patience(answer.headers.get("Retry-After"))
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise DeliveryError(in_words(error)) from error
        if status // 100 == 2:
            return status, said
        why = f"{status} {said}".strip()
        # A page for people is some proxy's, and says nothing about the alert.
        if status in _REFUSALS and not said.startswith("<"):
            raise RefusedError(why)
        raise DeliveryError(why, patience)


def _patience(header: str | None) -> float:
    """`Retry-After` in its form of seconds; that of a date is rare, and not worth trusting two clocks."""
    return min(MOST_PATIENCE, float(header)) if header and header.isdecimal() else 0.0


def _pretty(value: object) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()


class _PagerDuty:
    def __init__(self, settings: PagerDutySettings) -> None:
        self._settings = settings
        self._http = _Http(Access(settings.tls_config), settings.timeout)
        self._templates = Templates("pagerduty", settings.template)

    def _event(self, told: Notice, key: str) -> messages.Json:
        severities = {str(ours): str(theirs) for ours, theirs in self._settings.severities.items()}
        return messages.pagerduty(told, self._templates.render(told), key, severities)

    async def send(self, session: aiohttp.ClientSession, told: Notice) -> str:
        key = secret(self._settings.routing_key, self._settings.routing_key_file)
        body = orjson.dumps(self._event(told, key))
        try:
            status, said = await self._http.post(session, str(self._settings.url), body, {})
        except RefusedError as refusal:
            if "routing" in str(
                refusal
            ):  # a wrong key is a 400 like a wrong event, but says nothing about this one
                raise DeliveryError(str(refusal)) from refusal
            raise
        if status != 202:
            raise DeliveryError(f"{status} {said}: PagerDuty accepts by 202, so this is somebody else")
        return f"{status} {said}"

    def shown(self, told: Notice) -> str:
        return _pretty(self._event(told, "<routing key>"))


class _Slack:
    def __init__(self, settings: SlackSettings) -> None:
        self._settings = settings
        self._http = _Http(Access(settings.tls_config), settings.timeout)
        self._templates = Templates("slack", settings.template, messages.escaped_for_slack)

    def _message(self, told: Notice) -> messages.Json:
        return messages.slack(self._templates.render(told))

    async def send(self, session: aiohttp.ClientSession, told: Notice) -> str:
        url = secret(self._settings.url, self._settings.url_file)
        status, said = await self._http.post(session, url, orjson.dumps(self._message(told)), {})
        if said.startswith("<"):
            raise DeliveryError(f"{status} with a page: Slack says ok, so this is somebody else")
        return f"{status} {said}"

    def shown(self, told: Notice) -> str:
        return _pretty(self._message(told))


class _Webhook:
    def __init__(self, settings: WebhookSettings, name: str, notifier: NotifierSettings) -> None:
        self._settings = settings
        self._name = name
        self._source = str(notifier.external_url or "slamon")
        self._http = _Http(
            Access(settings.tls_config, settings.basic_auth, settings.authorization), settings.timeout
        )
        if settings.key is not None:
            messages.signing_key(settings.key.get_secret_value())

    def _body(self, told: Notice) -> tuple[messages.Json, str]:
        if self._settings.body == "cloudevents":
            return messages.cloudevent(told, self._source), "application/cloudevents+json"
        return messages.alertmanager(told, self._name), "application/json"

    async def send(self, session: aiohttp.ClientSession, told: Notice) -> str:
        url = secret(self._settings.url, self._settings.url_file)
        said, kind = self._body(told)
        body = orjson.dumps(said)
        headers = messages.signed(told.key, clock.wall() // clock.MICROSECONDS, body, self._keys())
        status, answer = await self._http.post(session, url, body, {"Content-Type": kind, **headers})
        return f"{status} {answer}".strip()

    def _keys(self) -> list[bytes]:
        """Raises DeliveryError."""
        settings = self._settings
        said = [secret(settings.key, settings.key_file)] if settings.key or settings.key_file else []
        said += [secret(None, settings.next_key_file)] if settings.next_key_file else []
        try:
            return [messages.signing_key(one) for one in said]
        except ValueError as error:
            raise DeliveryError(f"key: {error}") from error

    def shown(self, told: Notice) -> str:
        return _pretty(self._body(told)[0])


# Otherwise


class _Apprise:
    def __init__(self, settings: AppriseSettings) -> None:
        self._settings = settings
        # Threads of its own: one that hangs cannot be ended, and in those of the loop names are looked up for everybody.
        self._threads = ThreadPoolExecutor(APPRISE_AT_ONCE, thread_name_prefix="apprise")
        self._templates = Templates("apprise", settings.template)
        try:
            import apprise  # noqa: F401 - not everybody has it; who asks for it hears so at the start
        except ImportError as error:
            raise ValueError("Apprise is not installed: pip install 'slamon[apprise]'") from error
        logging.getLogger("apprise").addFilter(_no_addresses)

    def _addresses(self) -> list[str]:
        if self._settings.urls_file is None:
            return [one.get_secret_value() for one in self._settings.urls]
        lines = secret(None, self._settings.urls_file).splitlines()
        return [line.strip() for line in lines if line.strip() and not line.startswith("#")]

    async def send(self, session: aiohttp.ClientSession, told: Notice) -> str:
        """Apprise says only whether all went well; why not, it says in its own log."""
        del session
        addresses = self._addresses()
        rendered = self._templates.render(told)
        kind = "success" if told.resolved else _APPRISE_TYPES.get(told.words["severity"], "info")
        try:
            # In a thread: it loads a hundred plugins, which takes seconds, and most of them wait for their servers.
            async with asyncio.timeout(self._settings.timeout):
                await asyncio.get_running_loop().run_in_executor(
                    self._threads, _tell_by_apprise, addresses, rendered, kind
                )
        except DeliveryError:
            raise
        except Exception as error:  # faults of plugins, and our limit
            raise DeliveryError(f"{type(error).__name__} in Apprise") from error
        return f"told {len(addresses)}"

    def shown(self, told: Notice) -> str:
        return "\n\n".join(filter(None, self._templates.render(told)))


def _tell_by_apprise(addresses: Sequence[str], rendered: Rendered, kind: str) -> None:
    """Raises DeliveryError, and whatever plugins raise."""
    import apprise

    everybody = apprise.Apprise()
    for position, address in enumerate(addresses):
        with _reads_an_address():
            known = everybody.add(address)
        if not known:
            raise DeliveryError(f"address {position + 1} is none that Apprise knows")
    if not addresses:
        raise DeliveryError("there is no address")
    if not everybody.notify(
        body=rendered.text or rendered.title, title=rendered.title, notify_type=apprise.NotifyType(kind)
    ):
        raise DeliveryError("Apprise could not tell every address")


_reading: ContextVar[bool] = ContextVar("reading", default=False)


@contextlib.contextmanager
def _reads_an_address() -> Iterator[None]:
    """What Apprise does not like about an address it logs, with the address or the token in it."""
    before = _reading.set(True)
    try:
        yield
    finally:
        _reading.reset(before)


def _no_addresses(_: logging.LogRecord) -> bool:
    return not _reading.get()


_APPRISE_TYPES = {"critical": "failure", "warning": "warning", "info": "info"}


class _Log:
    def __init__(self, settings: LogReceiverSettings, name: str) -> None:
        self._name = name
        self._templates = Templates("log", settings.template)

    async def send(self, session: aiohttp.ClientSession, told: Notice) -> str:
        del session
        rendered = self._templates.render(told)
        log.info(
            "notification",
            receiver=self._name,
            alert=told.alert.id,
            transition=told.alert.transition.value,
            title=rendered.title,
            text=rendered.text,
        )
        return "logged"

    def shown(self, told: Notice) -> str:
        return "\n".join(filter(None, self._templates.render(told)))
