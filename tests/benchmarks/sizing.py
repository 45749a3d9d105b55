"""`python -m tests.benchmarks.sizing`: what a pod has to be given, measured here; docs/operating/sizing.md computes with it.

It prints what each thing takes, as soon as it is known, and asserts nothing.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable

import click

from slamon import logs
from slamon.settings import LogSettings
from tests.benchmarks import held, pods
from tests.benchmarks.measuring import LeftOut

PODS: dict[str, Callable[[], AsyncIterator[pods.Figure]]] = {
    "idle": pods.idle,
    "restore": pods.restore,
    "backlog": pods.backlog,
}
PARTS = ("held", *PODS)


@click.command()
@click.option("--only", type=click.Choice(PARTS), multiple=True, help="This one alone; may be repeated.")
def main(*, only: tuple[str, ...]) -> None:
    """Measure what customers, tickets, heartbeats, partitions and events take of a pod."""
    logs.set_up(LogSettings(level="error"))
    logging.disable(logging.ERROR)  # what libraries mutter on the way to a success
    for part in only or PARTS:
        try:
            if part == "held":
                _held()
            else:
                asyncio.run(_of_pods(PODS[part]()))
        except LeftOut as why:
            click.echo(f"{part}: left out, {why}")


def _held() -> None:
    for kind in held.KINDS:
        memory, changelog = held.each(kind)
        _say(f"one {kind}", memory, "bytes of memory")
        _say(f"one {kind}", changelog, "bytes of changelog")


async def _of_pods(figures: AsyncIterator[pods.Figure]) -> None:
    async for what, value, unit in figures:
        _say(what, value, unit)


def _say(what: str, value: float, unit: str) -> None:
    click.echo(f"{what:<60}{f'{value:,.1f}' if value < 1000 else f'{value:,.0f}':>10}  {unit}")


if __name__ == "__main__":
    main()
