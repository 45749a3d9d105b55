"""A stand-in where no Alertmanager is to be had: takes alerts by the same interface and shows what fires. No routing."""

import contextlib
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson

from slamon import clock

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@contextlib.contextmanager
def standing_in() -> Iterator[str]:
    """Listens while the block runs; gives the base address."""
    held: dict[tuple[tuple[str, str], ...], dict[str, Any]] = {}
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with lock:
                for alert in orjson.loads(body):
                    held[tuple(sorted(alert["labels"].items()))] = alert
            self._answer({})

        def do_GET(self) -> None:
            if self.path.startswith("/api/v2/status"):
                self._answer({"uptime": "1970-01-01T00:00:00.000Z"})
                return
            now = EPOCH + timedelta(microseconds=clock.wall())
            with lock:
                self._answer(
                    [alert for alert in held.values() if datetime.fromisoformat(alert["endsAt"]) > now]
                )

        def _answer(self, content: object) -> None:
            body = orjson.dumps(content)
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
            """The terminal is the demo's."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
