"""`python -m tests.soak --minutes 60`: the daemon at half its peak rate, and whether memory and lag stay flat.

A real broker, one `slamon run`, one process that writes events. Everything that is written happened just inside the horizon
(`facts.keep`), so that all of it is forgotten when what is kept is next looked through, every ten minutes: memory rises by what
a packed ticket takes for so long, and what grows beyond that grows for ever. Memory, lag and the age of the clock are looked at
every few seconds, told as a table of tenths, and drawn (`soak.svg`, `soak.csv`).
"""

import csv
import multiprocessing
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from statistics import median
from typing import NamedTuple

import click
import orjson
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console
from rich.table import Table

from slamon import clock
from slamon.demo import parts
from slamon.demo.processes import Kafka, Program, free_ports
from tests.soak.drawing import Curve, drawn
from tests.soak.writing import AGREEMENTS, KEEP, fill, pace

PARTITIONS = 4
LOOK_EVERY = 5.0  # s
PEAK_EVENTS = 100_000  # of which the peak rate is measured
PATIENCE = 300.0  # s
TENTHS = 10


class Look(NamedTuple):
    """`at`: s since the beginning; `memory`: bytes; `lag`: records; `behind`: s by which the oldest clock trails."""

    at: float
    memory: float
    lag: float
    behind: float
    events: float


@click.command()
@click.option(
    "--minutes", type=float, default=60.0, show_default=True, help="How long, after the peak is known."
)
@click.option(
    "--rate", type=int, help="Events a second; default: half of what the daemon can do at its best."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("soak"),
    show_default=True,
    help="Where the drawing and the figures go.",
)
def main(*, minutes: float, rate: int | None, out: Path) -> None:
    """Let the daemon run for long at half its peak rate."""
    console = Console(highlight=False)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        kafka = stack.enter_context(_kafka(folder))
        config = _settings(folder, kafka.bootstrap)
        slamon = [sys.executable, "-m", "slamon"]
        subprocess.run([*slamon, "topics", "create", "--config", config], check=True, capture_output=True)
        if rate is None:
            fill(config, PEAK_EVENTS)
        daemon = stack.enter_context(
            _running(Program("slamon", [*slamon, "run", "--config", config], folder))
        )
        port = orjson.loads(config.read_bytes())["http"]["port"]
        _listens(port, daemon)
        if rate is None:
            rate = _peak(port, daemon) // 2
        console.print(f"{rate:,} events/s for {minutes:g} minutes")
        writer = multiprocessing.Process(target=pace, args=(config, rate, minutes * 60), daemon=True)
        writer.start()
        looks = list(_watch(port, daemon, minutes * 60))
        writer.join(PATIENCE)
    _tell(console, looks)
    _keep(looks, out)
    console.print(f"drawn in {out / 'soak.svg'}")


@contextmanager
def _kafka(folder: Path) -> Iterator[Kafka]:
    java, libs = parts.find("java"), parts.find("kafka")
    if not (isinstance(java, Path) and isinstance(libs, Path)):
        raise click.ClickException(f"{java}, {libs}: run `make parts`")
    with Kafka(folder / "kafka", java=java, libs=libs) as kafka:
        yield kafka


def _settings(folder: Path, bootstrap: str) -> Path:
    port, liveness_port = free_ports(2)
    (folder / "agreements.yaml").write_text(AGREEMENTS, encoding="utf-8")
    config = folder / "slamon.yaml"
    said = {
        "agreements": ["agreements.yaml"],
        "kafka": {
            "bootstrap_servers": bootstrap,
            "partitions": PARTITIONS,
            "replication_factor": 1,
            "min_insync_replicas": 1,
        },
        "facts": {"keep": KEEP},
        "http": {"host": "127.0.0.1", "port": port, "liveness_port": liveness_port},
        "log": {"format": "json", "level": "warning"},
    }
    config.write_bytes(orjson.dumps(said))  # JSON is YAML
    return config


@contextmanager
def _running(program: Program) -> Iterator[Program]:
    program.start()
    try:
        yield program
    finally:
        program.kill()


def _figures(port: int) -> dict[str, float]:
    """The daemon's own metrics: sums over labels, but of clocks the oldest."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as page:
        text = page.read().decode()
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == "slamon_watermark_timestamp_seconds":
                found[sample.name] = min(found.get(sample.name, sample.value), sample.value)
            else:
                found[sample.name] = found.get(sample.name, 0) + sample.value
    return found


def _peak(port: int, daemon: Program) -> int:
    """Events a second by the wall, while the daemon works off what waits for it."""
    deadline = clock.monotonic() + PATIENCE
    seen: list[tuple[float, float]] = []
    while not seen or seen[-1][1] < PEAK_EVENTS:
        _goes_on(daemon)
        if clock.monotonic() > deadline:
            raise click.ClickException(f"the daemon did not take {PEAK_EVENTS:,} events in {PATIENCE:g} s")
        clock.sleep(0.2)
        events = _figures(port).get("slamon_events_total", 0)
        if events:
            seen.append((clock.monotonic(), events))
    (began, first), (ended, last) = seen[0], seen[-1]
    if last == first:
        raise click.ClickException("the daemon was faster than could be watched: give --rate")
    return round((last - first) / (ended - began))


def _listens(port: int, daemon: Program) -> None:
    deadline = clock.monotonic() + PATIENCE
    while clock.monotonic() < deadline:
        _goes_on(daemon)
        with suppress(OSError):
            _figures(port)
            return
        clock.sleep(0.2)
    raise click.ClickException(f"the daemon did not listen in {PATIENCE:g} s")


def _goes_on(daemon: Program) -> None:
    if not daemon.alive:
        raise click.ClickException(f"the daemon has ended:\n{daemon.said()[-2000:]}")


def _watch(port: int, daemon: Program, seconds: float) -> Iterator[Look]:
    begun = clock.monotonic()
    while (at := clock.monotonic() - begun) < seconds:
        _goes_on(daemon)
        found = _figures(port)
        yield Look(
            at,
            found["process_resident_memory_bytes"],
            found.get("slamon_partition_lag", 0),
            clock.now() / 1e6 - found.get("slamon_watermark_timestamp_seconds", clock.now() / 1e6),
            found["slamon_events_total"],
        )
        clock.sleep(LOOK_EVERY)


def _tell(console: Console, looks: Sequence[Look]) -> None:
    table = Table("tenth", "events/s", "memory MiB", "lag, median", "lag, most", "clock behind, most s")
    for column in table.columns[1:]:
        column.justify = "right"
    size = max(len(looks) // TENTHS, 2)
    for number in range(TENTHS):
        some = looks[number * size : (number + 1) * size]
        if len(some) < 2:
            break
        rate = (some[-1].events - some[0].events) / (some[-1].at - some[0].at)
        table.add_row(
            str(number + 1),
            f"{rate:,.0f}",
            f"{median(look.memory for look in some) / 2**20:,.1f}",
            f"{median(look.lag for look in some):,.0f}",
            f"{max(look.lag for look in some):,.0f}",
            f"{max(look.behind for look in some):.2f}",
        )
    console.print(table)


def _keep(looks: Sequence[Look], out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    with (out / "soak.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(Look._fields)
        writer.writerows(looks)
    curves = (
        Curve("memory, MiB", [(look.at / 60, look.memory / 2**20) for look in looks]),
        Curve("lag, records", [(look.at / 60, look.lag) for look in looks]),
        Curve("clock behind, s", [(look.at / 60, look.behind) for look in looks]),
    )
    (out / "soak.svg").write_text(drawn(curves, "minutes"), encoding="utf-8")


if __name__ == "__main__":
    main()
