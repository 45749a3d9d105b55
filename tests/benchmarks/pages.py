"""A scrape of 100,000 series (a tenth of them in quick runs): from the state of the monitor to the page, and how long the loop stands still for it.

The baseline is the client library with a gauge a series, which hold their values already: what it does is only to write
them. Ours begins at the monitor. Half a minute passes between two pages, as between two scrapes; of one service in four
the month holds an outage, so that its shares are others at each look. In a busy half minute one customer in seven hears
of a ticket.
"""

import asyncio
import contextlib
import dataclasses
import gzip
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from slamon import clock
from slamon.domain.events import (
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    AvailabilityEvent,
    ServiceStatus,
    TicketEvent,
    TicketStatus,
)
from slamon.domain.monitor import Monitor
from slamon.outputs.current_view import Sight
from slamon.outputs.exposition import SlaPage, View, negotiate
from slamon.outputs.http import Readiness, serving
from slamon.outputs.metrics import Metrics
from slamon.settings import HttpSettings
from tests.benchmarks import stream
from tests.benchmarks.measuring import MS, Effort, Row, in_turn_of

SERIES = 100_000
SERIES_A_CUSTOMER = 60  # of the four objectives of the stream's agreement, about
TICKETS_A_CUSTOMER = 10
BETWEEN = 30 * SECOND  # two scrapes
ONE_IN_HEARS, ONE_IN_FAILED = 7, 4
AGAINST = "prometheus_client.generate_latest"


class Pod:
    """A monitor that goes on from scrape to scrape, and what looks at it."""

    def __init__(self, customers: int) -> None:
        self.now = stream.START + 10 * HOUR
        self.monitor = _monitor(customers, self.now)
        self.sight = Sight(ticket_series=100)
        self._names = list(self.monitor.customers)
        self._turn = 0

    def pass_time(self) -> None:
        """What a daemon does anyway between two scrapes, when nothing happens."""
        self.now += BETWEEN
        self.monitor.advance(self.now)
        self.monitor.drain()

    def be_busy(self) -> None:
        """What it does when much happens."""
        self.now += BETWEEN
        self._turn += 1
        for name in self._names[self._turn % ONE_IN_HEARS :: ONE_IN_HEARS]:
            waits = TicketEvent(
                f"w{self._turn}", self.now, name, "T-1", status=TicketStatus.WAITING, waiting_on="customer"
            )
            self.monitor.apply(waits)
        self.monitor.advance(self.now)
        self.monitor.drain()

    async def view(self) -> View:
        return await self.sight.look([(self.monitor, lambda: self.now)])


async def exposition(effort: Effort) -> AsyncIterator[Row]:
    """Against the client library, which is given the same series ready to be written."""
    pod, page = Pod(effort.of(SERIES) // SERIES_A_CUSTOMER), SlaPage(2 * SERIES)

    async def ours() -> bytes:
        return b"".join([piece async for piece in page.render(await pod.view(), negotiate(""))])

    text = (await ours()).decode()
    registry, count = _gauges(text)

    async def baseline() -> None:
        generate_latest(registry)

    bare = 0.0
    for when, before in (("quiet", pod.pass_time), ("busy", pod.be_busy)):
        taken, bare = await in_turn_of(ours, baseline, effort.runs, before)
        what = f"page of {count:,} series, {when}"
        yield Row(what, taken * MS, bare * MS, "ms", AGAINST, faster_when_more=False)
    pod.be_busy()
    async with _longest_turn() as turns:
        await ours()
    yield Row(
        "page: the loop stands still", max(turns) * MS, bare * MS, "ms", AGAINST, faster_when_more=False
    )
    async for row in _over_http(pod, registry, effort):
        yield row


async def _over_http(pod: Pod, registry: CollectorRegistry, effort: Effort) -> AsyncIterator[Row]:
    """What Prometheus asks for: OpenMetrics, compressed; what it costs to read that is in both figures."""
    local = HttpSettings(host="127.0.0.1", port=0, liveness_port=0)
    accept = {"Accept": "application/openmetrics-text;version=1.0.0", "Accept-Encoding": "gzip"}
    async with (
        aiohttp.ClientSession(auto_decompress=False) as session,
        serving(
            local,
            series_limit=2 * SERIES,
            metrics=Metrics("1"),
            view=pod.view,
            readiness=lambda: Readiness(ready=True, why={}),
        ) as port,
    ):

        async def scrape() -> None:
            address = f"http://127.0.0.1:{port}/metrics/sla"
            async with session.get(address, headers=accept) as answer:
                assert answer.headers["Content-Encoding"] == "gzip"
                await answer.read()

        async def baseline() -> None:
            gzip.compress(generate_latest(registry))  # as its own server does

        taken, bare = await in_turn_of(scrape, baseline, effort.runs, pod.be_busy)
        yield Row(
            "page: over HTTP, gzip, busy",
            taken * MS,
            bare * MS,
            "ms",
            f"{AGAINST}, gzip.compress",
            faster_when_more=False,
        )
        pod.be_busy()
        async with _longest_turn() as turns:
            await scrape()
        yield Row(
            "page: over HTTP the loop stands still",
            max(turns) * MS,
            bare * MS,
            "ms",
            f"{AGAINST}, gzip.compress",
            faster_when_more=False,
        )


def _monitor(customers: int, now: int) -> Monitor:
    """Every customer has a service that is up and some open tickets."""
    with tempfile.TemporaryDirectory() as folder:
        agreement = stream.agreements(Path(folder))[0]
    names = [f"customer-{n}" for n in range(customers)]
    monitor = Monitor([dataclasses.replace(agreement, customer=name) for name in names], steps=False)
    for number, name in enumerate(names):
        # Known before the agreement begins: a service with time unknown in the month costs more to judge.
        statuses = [(stream.START - DAY, ServiceStatus.UP)]
        if number % ONE_IN_FAILED == 0:
            statuses += [
                (stream.START + 5 * HOUR, ServiceStatus.DOWN),
                (stream.START + 5 * HOUR + 3 * MINUTE, ServiceStatus.UP),
            ]
        for at, status in statuses:
            monitor.apply(AvailabilityEvent(f"{at}", at, name, "api", status))
        for n in range(TICKETS_A_CUSTOMER):
            opened = now - n * 7 * MINUTE - number % 420 * SECOND  # their steps are not passed all at once
            monitor.apply(TicketEvent("1", opened, name, f"T-{n}", status=TicketStatus.OPEN, priority="P2"))
    monitor.advance(now)
    monitor.drain()
    return monitor


def _gauges(text: str) -> tuple[CollectorRegistry, int]:
    """The series of a page as the gauges of the client library, and how many they are."""
    registry = CollectorRegistry()
    count = 0
    for family in text_string_to_metric_families(text):
        gauge = None
        for sample in family.samples:
            count += 1
            if gauge is None:
                gauge = Gauge(sample.name, family.documentation, list(sample.labels), registry=registry)
            (gauge.labels(**sample.labels) if sample.labels else gauge).set(sample.value)
    return registry, count


@contextlib.asynccontextmanager
async def _longest_turn() -> AsyncIterator[list[float]]:
    """Collects the CPU seconds between any two turns of the loop."""
    turns: list[float] = []

    async def turn() -> None:
        before = time.process_time()
        while True:
            await clock.wait(0)
            now = time.process_time()
            turns.append(now - before)
            before = now

    async with asyncio.TaskGroup() as group:
        turning = group.create_task(turn())
        await clock.wait(0)
        yield turns
        await clock.wait(0)  # so that the last turn is seen as well
        turning.cancel()
