"""`python -m tests.benchmarks`: how fast slamon is beside the bare libraries, measured in the same run.

It prints a table and asserts nothing: figures differ from machine to machine, ratios hardly do.
"""

import asyncio
import gc
import logging
import os
import platform
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from slamon import __version__, logs
from slamon.daemon import CYCLES
from slamon.settings import LogSettings
from tests.benchmarks import brokers, pages, pure
from tests.benchmarks.measuring import FULL, QUICK, Effort, LeftOut, Row

BENCHMARKS: dict[str, Callable[[Effort], Iterator[Row] | AsyncIterator[Row]]] = {
    "decode": pure.decoding,
    "replay": pure.replay,
    "business-time": pure.business_time,
    "exposition": pages.exposition,
    "restore": brokers.restoring,
    "daemon": brokers.daemon,
    "alert-latency": brokers.alert_latency,
}


@click.command()
@click.option("--quick", is_flag=True, help="Less work and fewer runs: under two minutes, and rougher.")
@click.option(
    "--only", type=click.Choice(tuple(BENCHMARKS)), multiple=True, help="This one alone; may be repeated."
)
def main(*, quick: bool, only: tuple[str, ...]) -> None:
    """Measure slamon against the bare libraries it stands on, in one run on one machine."""
    effort = QUICK if quick else FULL
    gc.set_threshold(*CYCLES)  # as the daemon does; the baselines have it, too
    logs.set_up(LogSettings(level="error"))
    logging.disable(logging.ERROR)  # what libraries mutter on the way to a success
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 140)
    console.print(
        f"slamon {__version__} on {platform.python_implementation()} {platform.python_version()}, "
        f"{os.cpu_count()} cores of {_processor()}, {platform.system()} {platform.release()}\n"
        f"medians of {effort.runs} runs after one that is not counted, in turn with the baseline; rates and times are "
        "of a core's own time,\nlatencies by the wall; ratio: our speed over the baseline's, above 1 we are faster"
    )
    table = Table("what", "ours", "baseline", "ratio", "unit", "baseline is")
    for column in table.columns[1:4]:
        column.justify = "right"
    left_out: list[str] = []
    with console.status("") as status:
        for name in only or BENCHMARKS:
            status.update(name)
            rows: list[Row] = []
            try:
                asyncio.run(_collect(BENCHMARKS[name](effort), rows))
            except LeftOut as why:
                left_out.append(f"{name}: left out, {why}")
            for row in rows:
                table.add_row(
                    row.what,
                    _figure(row.ours),
                    _figure(row.baseline),
                    _figure(row.ratio),
                    row.unit,
                    row.against,
                )
    console.print(table)
    for line in left_out:
        console.print(line, soft_wrap=True)


async def _collect(rows: Iterator[Row] | AsyncIterator[Row], into: list[Row]) -> None:
    """What there is before one is left out stays."""
    if isinstance(rows, AsyncIterator):
        async for row in rows:
            into.append(row)  # noqa: PERF401 - all that came before an error is wanted
    else:
        into.extend(rows)


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}" if value < 1 else f"{value:.3g}"


def _processor() -> str:
    """By its own name where the system tells it."""
    try:
        facts = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in facts if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.machine()


if __name__ == "__main__":
    main()
