"""A receiver as others run it: a server that hears what it is sent, and answers as the test wants."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web

Answering = Callable[[web.Request, Any], web.StreamResponse | None]


@dataclass
class Listener:
    """`heard`: the body of each request that was answered by 2xx; `asked`: of each."""

    url: str = ""
    heard: list[Any] = field(default_factory=list)
    asked: list[Any] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    answer: Answering = lambda _request, _body: None  # None: 200
    hangs_until: asyncio.Event | None = None  # before it answers

    async def hear(self, request: web.Request) -> web.StreamResponse:
        body = orjson.loads(await request.read())
        self.asked.append(body)
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        if self.hangs_until is not None:
            await self.hangs_until.wait()
        answer = self.answer(request, body) or web.Response(text="ok")
        if answer.status // 100 == 2:
            self.heard.append(body)
        return answer


@contextlib.asynccontextmanager
async def listening(answer: Answering = lambda _request, _body: None) -> AsyncIterator[Listener]:
    listener = Listener(answer=answer)
    app = web.Application()
    app.router.add_post("/{path:.*}", listener.hear)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    listener.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    try:
        yield listener
    finally:
        await runner.cleanup()
