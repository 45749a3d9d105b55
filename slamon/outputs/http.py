"""Answers Prometheus and the kubelet: the metrics, whether tasks are ready, whether the process still moves.

`/livez` is answered by a thread of its own and looks only at how long ago the loop turned and the poll came back: a
process that is stuck can say so, and one whose broker is away is not restarted for it.
"""

import contextlib
import socket
import threading
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer

import orjson
from aiohttp import web

from slamon import clock
from slamon.outputs.exposition import SlaPage, View, negotiate, process_page
from slamon.outputs.metrics import Metrics, Page
from slamon.settings import HttpSettings

GZIP = zlib.MAX_WBITS + 16  # says zlib for the gzip format
GZIP_LEVEL = 3  # a third of the usual level's time, for a tenth more bytes
PULSE = 1.0  # s between two turns of the loop that are noted
_PROBE_TIMEOUT = 5.0  # s; a probe that says no more is hung up on


class AddressError(Exception):
    """A port cannot be listened on; the text says which setting names it."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """`why` goes into the answer, as `{"tasks": 4, "restoring": [2]}`."""

    ready: bool
    why: Mapping[str, object]


@contextlib.asynccontextmanager
async def serving(
    settings: HttpSettings,
    *,
    series_limit: int,
    metrics: Metrics,
    view: Callable[[], Awaitable[View]],
    readiness: Callable[[], Readiness],
) -> AsyncIterator[int]:
    """Serves `/`, `/metrics`, `/metrics/sla` and `/readyz` while the block runs; gives the port.

    `view` and `readiness` are called for each request, on the loop. Raises AddressError.
    """
    page = SlaPage(series_limit)

    async def index(_: web.Request) -> web.Response:
        return web.Response(text=_INDEX)

    async def of_process(request: web.Request) -> web.Response:
        text_format = negotiate(request.headers.get("Accept", ""))
        response = web.Response(
            body=process_page(metrics.registry, text_format),
            headers={"Content-Type": text_format.content_type},
        )
        response.enable_compression()  # if the request accepts it
        return response

    async def of_objectives(request: web.Request) -> web.StreamResponse:
        text_format = negotiate(request.headers.get("Accept", ""))
        response = web.StreamResponse(headers={"Content-Type": text_format.content_type})
        # As aiohttp would, but faster: at its level, and in a thread for each piece, it takes longer than all the rest.
        gzip = zlib.compressobj(GZIP_LEVEL, wbits=GZIP) if _takes_gzip(request) else None
        if gzip is not None:
            response.headers["Content-Encoding"] = "gzip"
        with contextlib.suppress(
            ConnectionError
        ):  # a scrape that timed out hangs up; there is nobody left to tell
            await response.prepare(request)
            async for piece in page.render(await view(), text_format):
                await response.write(piece if gzip is None else gzip.compress(piece))
            await response.write_eof(b"" if gzip is None else gzip.flush())
        return response

    async def ready(_: web.Request) -> web.Response:
        state = readiness()
        body = orjson.dumps({"ready": state.ready, **state.why}, option=orjson.OPT_APPEND_NEWLINE)
        status = HTTPStatus.OK if state.ready else HTTPStatus.SERVICE_UNAVAILABLE
        return web.Response(body=body, status=status, content_type="application/json")

    app = web.Application()
    app.router.add_get("/", index)
    app.router.add_get(Page.PROCESS.value, of_process)
    app.router.add_get(Page.SLA.value, of_objectives)
    app.router.add_get("/readyz", ready)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_PROBE_TIMEOUT)
    await runner.setup()
    try:
        site = web.TCPSite(runner, settings.host, settings.port)
        with _naming(settings.host, settings.port, "http.port"):
            await site.start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def _takes_gzip(request: web.Request) -> bool:
    codings = (
        part.replace(" ", "").split(";") for part in request.headers.get("Accept-Encoding", "").split(",")
    )
    return any(name == "gzip" and quality not in (["q=0"], ["q=0.0"]) for name, *quality in codings)


_INDEX = """\
slamon

/metrics      this process: events, tasks, commits, notifications
/metrics/sla  objectives and tickets of the tasks that run here
/readyz       200 when the tasks of this pod run, else 503 and why
/livez        on http.liveness_port: 200 while the process moves, else 503 and what stands still
"""


@contextlib.contextmanager
def _naming(host: str, port: int, setting: str) -> Iterator[None]:
    try:
        yield
    except (OSError, OverflowError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise AddressError(
            f"cannot listen on {host}:{port}: {why}; set {setting} to a free port, or to 0"
        ) from error


@dataclass(frozen=True, slots=True)
class Progress:
    """Something that must go on: it last did at the monotonic second `at`, and may pause for `limit` seconds."""

    what: str
    at: float
    limit: float


class Pulse:
    """The instant at which the loop last turned."""

    def __init__(self) -> None:
        self.at = clock.monotonic()

    async def run(self) -> None:
        while True:
            self.at = clock.monotonic()
            await clock.wait(PULSE)


def standstill(progress: Iterable[Progress], now: float) -> str:
    """What stands still and for how long, a line each; empty when all goes on."""
    lines = [
        f"{each.what}: no progress for {now - each.at:.1f} s (limit {each.limit:g} s)\n"
        for each in progress
        if now - each.at > each.limit
    ]
    return "".join(lines)


@contextlib.contextmanager
def liveness(settings: HttpSettings, progress: Callable[[], Iterable[Progress]]) -> Iterator[int]:
    """Serves `/livez` from a thread of its own while the block runs; gives the port.

    `progress` is called on that thread: it only reads what others have noted. Raises AddressError.
    """

    class Handler(BaseHTTPRequestHandler):
        timeout = _PROBE_TIMEOUT

        def do_GET(self) -> None:
            if self.path.partition("?")[0] != "/livez":
                self._answer(HTTPStatus.NOT_FOUND, "only /livez is here\n")
            elif still := standstill(progress(), clock.monotonic()):
                self._answer(HTTPStatus.SERVICE_UNAVAILABLE, still)
            else:
                self._answer(HTTPStatus.OK, "ok\n")

        def _answer(self, status: HTTPStatus, text: str) -> None:
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/plain; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
            """Every ten seconds from every kubelet: nobody would read it."""

    class Server(ThreadingHTTPServer):
        address_family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        daemon_threads = True

        def server_bind(self) -> None:
            """As the base class does, but without asking the name service who we are."""
            TCPServer.server_bind(self)
            self.server_name, self.server_port = settings.host, self.server_address[1]

        def handle_error(self, request: object, client_address: object) -> None:
            """A probe that hung up."""

    with _naming(settings.host, settings.liveness_port, "http.liveness_port"):
        server = Server((settings.host, settings.liveness_port), Handler)
    with server:
        thread = threading.Thread(target=server.serve_forever, name="livez", daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()
