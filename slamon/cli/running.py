"""The commands that run the daemon: on a real Kafka, or the whole thing on this machine."""

import sys
from pathlib import Path

import click

from slamon.cli.ending import fail, finish
from slamon.cli.options import SpanType, config_option
from slamon.cli.reading import agreements_in_use, settings_of


@click.command(short_help="Run the daemon.")
@config_option
def run(config: Path) -> None:
    """Run the daemon: events from Kafka in, standings, alerts and metrics out."""
    from slamon import daemon, logs

    settings = settings_of(config)
    logs.set_up(settings.log)
    in_use = agreements_in_use(settings)
    finish(lambda: daemon.run(settings, in_use))


@click.command(short_help="Show the whole thing on this machine.")
@click.option("--for", "seconds", type=SpanType(), help="End by itself after this time, such as 60s or 5m.")
@click.option(
    "--speed",
    type=click.IntRange(1, 600),
    default=60,
    show_default=True,
    help="How much faster its time runs.",
)
@click.option("--seed", type=int, default=7, show_default=True, help="Another seed is another world.")
def demo(*, seconds: float | None, speed: int, seed: int) -> None:
    """Show the whole thing on this machine: Kafka, invented customers, the monitor, its alerts.

    Fetches what it needs once (some 80 MB). With --for it ends with 0 only if an alert was delivered before it was due.
    """
    from slamon.demo import parts, processes, stage
    from slamon.kafka import clients, topics

    mendable = (
        stage.DemoFailed,
        parts.Missing,
        processes.ProcessFailed,
        topics.Refused,
        clients.Unreachable,
        OSError,
    )
    try:
        sys.exit(stage.demo(seconds=seconds, speed=speed, seed=seed))
    except mendable as error:
        fail(str(error))
    except KeyboardInterrupt:
        sys.exit(130)
