"""An Alertmanager that only listens: what it was told, when and by whom, one address for each pod."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime

import orjson
from aiohttp import web

from slamon import clock
from slamon.demo.processes import HOST

LabelSet = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Heard:
    """One alert of a request. Instants in microseconds by the wall clock; it is told as firing if it ends later than it came."""

    at: int
    pod: str
    labels: LabelSet
    starts: int
    ends: int

    @property
    def firing(self) -> bool:
        return self.ends > self.at


@dataclass
class Receiver:
    port: int = 0
    heard: list[Heard] = field(default_factory=list)

    async def listen(self, request: web.Request) -> web.Response:
        told = orjson.loads(await request.read())
        at = clock.wall()
        for alert in told:
            labels = tuple(sorted(alert["labels"].items()))
            span = _instant(alert["startsAt"]), _instant(alert["endsAt"])
            self.heard.append(Heard(at, request.match_info["pod"], labels, *span))
        return web.json_response({})

    def firing(self, now: int) -> set[LabelSet]:
        """What an Alertmanager would hold for firing."""
        newest = {one.labels: one for one in self.heard}
        return {labels for labels, one in newest.items() if one.ends > now}


async def _status(_: web.Request) -> web.Response:
    return web.json_response({"uptime": "1970-01-01T00:00:00.000Z"})


def _instant(text: str) -> int:
    told = datetime.fromisoformat(text)
    return int(told.timestamp()) * clock.MICROSECONDS + told.microsecond


@contextlib.asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """Listens while the block runs, at `/{pod}`."""
    receiver = Receiver()
    app = web.Application(client_max_size=64 << 20)
    app.router.add_post("/{pod}/api/v2/alerts", receiver.listen)
    app.router.add_get("/{pod}/api/v2/status", _status)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, HOST, 0).start()
        receiver.port = runner.addresses[0][1]
        yield receiver
    finally:
        await runner.cleanup()
