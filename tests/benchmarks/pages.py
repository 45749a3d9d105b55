"""A scrape of 100,000 series (a tenth of them in quick runs): from the state of the monitor to the page, and how long the loop stands still for it."""

import asyncio
import contextlib
import dataclasses
import tempfile
import time
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from slamon import clock
from slamon.domain.events import HOUR, MINUTE, AvailabilityEvent, ServiceStatus, TicketEvent, TicketStatus
from slamon.domain.monitor import Monitor
from slamon.outputs.current_view import current_view
from slamon.outputs.exposition import SlaPage, negotiate
from slamon.settings import MetricsSettings
from tests.benchmarks import stream
from tests.benchmarks.measuring import MS, Effort, Row, in_turn_of

SERIES = 100_000
SERIES_A_CUSTOMER = 51  # of the four objectives of the stream's agreement, about
TICKETS_A_CUSTOMER = 10
NOW = stream.START + 10 * HOUR


async def exposition(effort: Effort) -> AsyncIterator[Row]:
    """Against the client library, which is given the same series ready to be written."""
    monitor = _monitor(effort.of(SERIES) // SERIES_A_CUSTOMER)
    page = SlaPage(MetricsSettings(series_limit=2 * SERIES))

    async def ours() -> bytes:
        view = await current_view([(monitor, lambda: NOW)])
        return b"".join([piece async for piece in page.render(view, negotiate(""))])

    text = (await ours()).decode()
    registry = CollectorRegistry()
    registry.register(_Families(text_string_to_metric_families(text)))
    count = sum(not line.startswith("#") for line in text.splitlines())

    async def baseline() -> None:
        generate_latest(registry)

    taken, bare = await in_turn_of(ours, baseline, effort.runs)
    against = "prometheus_client.generate_latest"
    yield Row(f"page of {count:,} series", taken * MS, bare * MS, "ms", against, faster_when_more=False)
    async with _longest_turn() as turns:
        await ours()
    yield Row(
        "page: the loop stands still", max(turns) * MS, bare * MS, "ms", against, faster_when_more=False
    )


def _monitor(customers: int) -> Monitor:
    """Every customer has a service that is up and some open tickets."""
    with tempfile.TemporaryDirectory() as folder:
        agreement = stream.agreements(Path(folder))[0]
    names = [f"customer-{n}" for n in range(customers)]
    monitor = Monitor([dataclasses.replace(agreement, customer=name) for name in names], steps=False)
    for name in names:
        monitor.apply(AvailabilityEvent("1", stream.START, name, "api", ServiceStatus.UP))
        for n in range(TICKETS_A_CUSTOMER):
            opened = NOW - n * 7 * MINUTE
            monitor.apply(TicketEvent("1", opened, name, f"T-{n}", status=TicketStatus.OPEN, priority="P2"))
    monitor.advance(NOW)
    monitor.drain()
    return monitor


class _Families(Collector):
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = list(families)

    def collect(self) -> Iterable[Metric]:
        return self._families


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
