"""The pages that Prometheus and the kubelet ask for, answered for real."""

import asyncio
import contextlib
import gzip
import http.client
import re
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from fractions import Fraction

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from slamon import clock
from slamon.domain.decisions import Ratios, Standing, StandingState
from slamon.outputs.exposition import ObjectiveFacts, ObjectiveView, View
from slamon.outputs.http import AddressError, Progress, Pulse, Readiness, liveness, serving, standstill
from slamon.outputs.metrics import Metrics
from slamon.settings import HttpSettings

LOCAL = HttpSettings(host="127.0.0.1", port=0, liveness_port=0)


def objective(number: int) -> ObjectiveView:
    facts = ObjectiveFacts(f"customer-{number}", "2026", "api", "availability", "99.9%")
    standing = Standing(
        customer=facts.customer,
        agreement=facts.agreement,
        objective=facts.objective,
        at=0,
        period=(0, 1),
        standing=StandingState.ON_TRACK,
        target=Fraction(999, 1000),
        ratios=Ratios((1, 1), (1, 1), (1, 1), (1, 1)),
        tickets=None,
        seconds=None,
        misses_left=None,
        budget=None,
        exhausted_at=None,
    )
    return ObjectiveView(facts, standing)


async def nothing_shown() -> View:
    return View([], [])


@dataclass
class Site:
    """A served process, and what it shows."""

    port: int
    view: View
    readiness: Readiness
    session: aiohttp.ClientSession

    async def current_view(self) -> View:
        return self.view

    async def get(self, path: str, **headers: str) -> tuple[int, bytes, dict[str, str]]:
        """Status, body as it came over the wire, headers."""
        address = f"http://127.0.0.1:{self.port}{path}"
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.session.get(address, headers=names) as answer:
            return answer.status, await answer.read(), dict(answer.headers)


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with aiohttp.ClientSession(
        auto_decompress=False, skip_auto_headers=["Accept", "Accept-Encoding"]
    ) as session:
        shown = Site(0, View([objective(1)], []), Readiness(ready=True, why={"tasks": 2}), session)
        async with serving(
            LOCAL,
            series_limit=200_000,
            metrics=Metrics("1"),
            view=shown.current_view,
            readiness=lambda: shown.readiness,
        ) as shown.port:
            yield shown


async def test_the_index_names_every_page(site: Site) -> None:
    status, body, _ = await site.get("/")
    assert status == 200
    for path in ("/metrics ", "/metrics/sla ", "/readyz ", "/livez "):
        assert path in body.decode()


@pytest.mark.parametrize(
    ("path", "name"), [("/metrics", "slamon_build"), ("/metrics/sla", "slamon_objective_standing")]
)
async def test_metrics_are_plain_text_unless_something_else_is_asked_for(
    site: Site, path: str, name: str
) -> None:
    status, body, headers = await site.get(path)
    assert status == 200
    assert headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"
    assert "Content-Encoding" not in headers
    assert any(family.name.startswith(name) for family in text_string_to_metric_families(body.decode()))


@pytest.mark.parametrize("path", ["/metrics", "/metrics/sla"])
async def test_metrics_are_open_metrics_on_request(site: Site, path: str) -> None:
    accept = (
        "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=0.0.4;q=0.2"
    )
    _, body, headers = await site.get(path, Accept=accept)
    assert (
        headers["Content-Type"]
        == "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=allow-utf-8"
    )
    assert body.endswith(b"# EOF\n")


@pytest.mark.parametrize("path", ["/metrics", "/metrics/sla"])
async def test_metrics_are_compressed_on_request(site: Site, path: str) -> None:
    site.view = View([objective(number) for number in range(300)], [])
    _, body, headers = await site.get(path, Accept_Encoding="gzip")
    assert headers["Content-Encoding"] == "gzip"
    plain = gzip.decompress(body)
    assert len(plain) > len(body)
    assert list(text_string_to_metric_families(plain.decode()))


@pytest.mark.parametrize("accepted", ["identity", "gzip;q=0, identity", "gzip; q=0.0", "br"])
async def test_objectives_are_not_compressed_for_who_does_not_take_it(site: Site, accepted: str) -> None:
    _, body, headers = await site.get("/metrics/sla", Accept_Encoding=accepted)
    assert "Content-Encoding" not in headers
    assert body.startswith(b"# HELP")


async def test_each_scrape_shows_what_is_there_now(site: Site) -> None:
    site.view = View([objective(7)], [])
    assert b'customer="customer-7"' in (await site.get("/metrics/sla"))[1]
    site.view = View([objective(8)], [])
    page = (await site.get("/metrics/sla"))[1]
    assert b'customer="customer-8"' in page
    assert b"customer-7" not in page


async def test_a_scraper_that_hangs_up_harms_nobody(site: Site) -> None:
    site.view = View([objective(number) for number in range(5000)], [])
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    writer.write(b"GET /metrics/sla HTTP/1.1\r\nHost: here\r\n\r\n")
    await reader.readexactly(100)
    writer.close()
    await writer.wait_closed()
    assert (await site.get("/metrics/sla"))[0] == 200


async def test_readiness_is_one_line_that_says_why(site: Site) -> None:
    assert (await site.get("/readyz"))[:2] == (200, b'{"ready":true,"tasks":2}\n')
    site.readiness = Readiness(ready=False, why={"tasks": 2, "restoring": [3]})
    assert (await site.get("/readyz"))[:2] == (503, b'{"ready":false,"tasks":2,"restoring":[3]}\n')


async def test_a_port_that_is_taken_is_named_with_its_setting() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        settings = HttpSettings(host="127.0.0.1", port=port, liveness_port=port)
        start = f"cannot listen on 127.0.0.1:{port}: "
        with pytest.raises(AddressError) as refused:
            await _serve(settings)
        assert str(refused.value).startswith(start)
        assert str(refused.value).endswith("; set http.port to a free port, or to 0")
        with pytest.raises(AddressError) as refused, liveness(settings, list):
            pass
        assert str(refused.value).startswith(start)
        assert str(refused.value).endswith("; set http.liveness_port to a free port, or to 0")


async def _serve(settings: HttpSettings) -> None:
    async with serving(
        settings,
        series_limit=200_000,
        metrics=Metrics("1"),
        view=nothing_shown,
        readiness=lambda: Readiness(ready=True, why={}),
    ):
        pass


# Liveness.


def livez(port: int, path: str = "/livez") -> tuple[int, str]:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def test_what_goes_on_is_fine() -> None:
    with liveness(LOCAL, lambda: [Progress("loop", clock.monotonic(), 30)]) as port:
        assert livez(port) == (200, "ok\n")


def test_what_stands_still_is_named_with_its_time() -> None:
    progress = [Progress("loop", 95.0, 30), Progress("poll", 10.0, 60), Progress("other", 39.9, 60)]
    assert standstill(progress, 100.0) == (
        "poll: no progress for 90.0 s (limit 60 s)\nother: no progress for 60.1 s (limit 60 s)\n"
    )
    with liveness(LOCAL, lambda: [Progress("poll", clock.monotonic() - 200, 120)]) as port:
        assert livez(port) == (503, "poll: no progress for 200.0 s (limit 120 s)\n")


def test_nothing_else_is_on_the_port_of_the_probe() -> None:
    with liveness(LOCAL, list) as port:
        assert livez(port, "/metrics") == (404, "only /livez is here\n")
        assert livez(port, "/livez?verbose")[0] == 200


def test_a_probe_that_says_nothing_does_not_keep_others_waiting() -> None:
    with liveness(LOCAL, list) as port, socket.create_connection(("127.0.0.1", port)):
        assert livez(port) == (200, "ok\n")


async def test_the_pulse_beats_while_the_loop_turns() -> None:
    pulse = Pulse()
    before = pulse.at
    beating = asyncio.timeout(10)
    with contextlib.suppress(TimeoutError):
        async with beating, asyncio.TaskGroup() as group:
            group.create_task(pulse.run())
            while pulse.at == before:
                await clock.wait(0.01)
            beating.reschedule(0)
    assert pulse.at > before


STUCK = """
import asyncio
from slamon import clock
from slamon.outputs.http import Progress, Pulse, liveness
from slamon.settings import HttpSettings

async def stick(pulse):
    async with asyncio.TaskGroup() as group:
        group.create_task(pulse.run())
        await clock.wait(0)
        input()
        print("stuck", flush=True)
        clock.sleep(600)

pulse = Pulse()
settings = HttpSettings(host="127.0.0.1", liveness_port=0)
with liveness(settings, lambda: [Progress("loop", pulse.at, 3)]) as port:
    print(port, flush=True)
    asyncio.run(stick(pulse))
"""


@pytest.fixture
def sticking() -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", STUCK], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.kill()


def test_a_process_whose_loop_is_stuck_says_so(sticking: subprocess.Popen[str]) -> None:
    assert sticking.stdout is not None
    assert sticking.stdin is not None
    port = int(sticking.stdout.readline())
    assert livez(port) == (200, "ok\n")
    sticking.stdin.write("\n")
    sticking.stdin.flush()
    assert sticking.stdout.readline() == "stuck\n"
    deadline = clock.monotonic() + 30
    while (answer := livez(port))[0] == 200:
        assert clock.monotonic() < deadline, "the probe never noticed"
    status, text = answer
    assert status == 503
    assert re.fullmatch(r"loop: no progress for \d+\.\d s \(limit 3 s\)\n", text)
