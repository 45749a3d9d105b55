"""`python -m tests.benchmarks.scrapes`: scrapes of a living daemon of 100,000 series while events come, and how long its loop stands still.

The daemon runs in a process of its own, with a task beside it that notes every stretch of the loop's thread, in CPU time,
in which nobody else had a turn: other work on the machine does not count as standing still.
"""

import asyncio
import contextlib
import gc
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import aiohttp
import click
import orjson

from slamon import clock, logs
from slamon.agreement_files import AgreementsInUse
from slamon.daemon import CYCLES, Daemon
from slamon.demo.processes import Program
from slamon.domain.events import (
    DAY,
    MINUTE,
    AvailabilityEvent,
    Event,
    ServiceStatus,
    TicketEvent,
    TicketStatus,
)
from slamon.settings import LogSettings, read_settings
from tests.benchmarks import stream
from tests.benchmarks.brokers import fill, outgoing, producing, room, settings_file
from tests.benchmarks.measuring import MS
from tests.benchmarks.pages import SERIES, SERIES_A_CUSTOMER, TICKETS_A_CUSTOMER

SCRAPES = 10
EVENTS_BETWEEN = 300  # two scrapes: ten a second, at one scrape each half a minute
NOTED = 1.0  # ms of the loop's thread
ACCEPT = {"Accept": "application/openmetrics-text;version=1.0.0", "Accept-Encoding": "gzip"}


class Scrape(NamedTuple):
    begun: float  # by the monotonic clock, which all processes share
    ended: float
    cpu: float  # s of the daemon's process
    size: int


@click.command()
@click.option("--inside", type=click.Path(path_type=Path), help="Be the daemon of this file of settings.")
@click.option("--series", default=SERIES, show_default=True)
def main(inside: Path | None, series: int) -> None:
    """Scrape a living daemon."""
    if inside is not None:
        asyncio.run(_be_watched(inside))
    else:
        asyncio.run(_scrape(max(series // SERIES_A_CUSTOMER, 1)))


async def _be_watched(file: Path) -> None:
    """The daemon, and beside it who tells of each long stretch, a line each: when it ended, and how long it was."""
    logs.set_up(LogSettings(level="warning", format="json"))
    settings = read_settings(file)
    gc.set_threshold(*CYCLES)
    daemon = Daemon(settings, AgreementsInUse(settings.agreements, keep_days=settings.facts.keep))
    async with asyncio.TaskGroup() as group:
        group.create_task(daemon.run())
        while True:
            before = time.thread_time()
            await clock.wait(0)
            stretch = (time.thread_time() - before) * MS
            if stretch > NOTED:
                sys.stdout.buffer.write(orjson.dumps([clock.monotonic(), stretch]) + b"\n")
                sys.stdout.flush()
            await clock.wait(0.0005)


async def _scrape(customers: int) -> None:
    names = [f"customer-{number}" for number in range(customers)]
    with room() as (folder, bootstrap), tempfile.TemporaryDirectory() as own:
        start = clock.now() // DAY * DAY
        with _customers(names):
            file = await settings_file(folder, bootstrap, "scrapes", partitions=4, start=start - 30 * DAY)
        kafka, port = read_settings(file).kafka, read_settings(file).http.port
        command = [sys.executable, "-m", "tests.benchmarks.scrapes", "--inside", str(file)]
        program = Program("watched", command, Path(own))
        async with producing(kafka) as producer, aiohttp.ClientSession(auto_decompress=False) as session:
            await fill(producer, [outgoing(kafka, event) for event in _known(names, start)])
            program.start()
            try:
                address = f"http://127.0.0.1:{port}/metrics/sla"
                size = 0
                while size < series_bytes(customers):
                    await clock.wait(1)
                    with contextlib.suppress(aiohttp.ClientConnectionError):
                        size = (await _scraped(session, address, program)).size
                found = []
                for number in range(SCRAPES):
                    some = [
                        names[(number * EVENTS_BETWEEN + each) % customers] for each in range(EVENTS_BETWEEN)
                    ]
                    now = clock.now()
                    waits = (
                        TicketEvent(f"w{number}", now, name, "T-1", status=TicketStatus.WAITING)
                        for name in some
                    )
                    sending = asyncio.gather(fill(producer, [outgoing(kafka, event) for event in waits]))
                    found.append(await _scraped(session, address, program))
                    await sending
                    await clock.wait(2)
            finally:
                program.kill()
        _tell(found, _stretches(Path(own)))


def series_bytes(customers: int) -> int:
    """A compressed page that holds them all is no smaller."""
    return customers * SERIES_A_CUSTOMER * 3


@contextlib.contextmanager
def _customers(names: Sequence[str]) -> Iterator[None]:
    """The agreements of the stream are for these."""
    before, stream.CUSTOMERS = stream.CUSTOMERS, tuple(names)
    try:
        yield
    finally:
        stream.CUSTOMERS = before


def _known(names: Sequence[str], start: int) -> Iterator[Event]:
    """Every service is up, one in four was down for some minutes this month; and some tickets are open."""
    now = clock.now()
    for number, name in enumerate(names):
        yield AvailabilityEvent("up", start - 31 * DAY, name, "api", ServiceStatus.UP)
        if number % 4 == 0:
            yield AvailabilityEvent("down", start - 3 * DAY, name, "api", ServiceStatus.DOWN)
            yield AvailabilityEvent("again", start - 3 * DAY + 5 * MINUTE, name, "api", ServiceStatus.UP)
        for ticket in range(TICKETS_A_CUSTOMER):
            opened = now - ticket * MINUTE
            yield TicketEvent("1", opened, name, f"T-{ticket}", status=TicketStatus.OPEN, priority="P2")


async def _scraped(session: aiohttp.ClientSession, address: str, program: Program) -> Scrape:
    before, begun = _cpu(program.pid), clock.monotonic()
    async with session.get(address, headers=ACCEPT) as answer:
        size = len(await answer.read())
    return Scrape(begun, clock.monotonic(), _cpu(program.pid) - before, size)


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100  # ticks of a hundredth of a second


def _stretches(folder: Path) -> list[tuple[float, float]]:
    [log] = folder.glob("watched*.log")
    return [tuple(orjson.loads(line)) for line in log.read_bytes().splitlines() if line.startswith(b"[")]


def _tell(scrapes: Sequence[Scrape], stretches: Sequence[tuple[float, float]]) -> None:
    for one in scrapes:
        during = [took for at, took in stretches if one.begun <= at <= one.ended + 0.01]
        click.echo(
            f"{one.size / 1024:,.0f} KiB in {(one.ended - one.begun) * MS:,.0f} ms, {one.cpu * MS:,.0f} ms of CPU; "
            f"the loop stood still for {max(during, default=NOTED):.1f} ms at most"
        )
    since, until = scrapes[0].begun, scrapes[-1].ended
    between = [
        took
        for at, took in stretches
        if since < at < until and not any(one.begun <= at <= one.ended for one in scrapes)
    ]
    click.echo(f"between scrapes: {max(between, default=NOTED):.1f} ms at most")


if __name__ == "__main__":
    main()
