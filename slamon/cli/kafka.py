"""The commands that make topics and fill them."""

from pathlib import Path

import click

from slamon.cli.ending import finish
from slamon.cli.options import FILE, config_option
from slamon.cli.reading import settings_of


@click.group(name="topics")
def topics_group() -> None:
    """Kafka topics that slamon reads and writes."""


@topics_group.command(short_help="Make the topics that are missing.")
@config_option
def create(config: Path) -> None:
    """Make the topics that are missing; what is there is left as it is."""
    from slamon.kafka import topics

    settings = settings_of(config)
    for outcome in finish(lambda: topics.create(settings.kafka)):
        click.echo(
            f"{outcome.name}: {outcome.partitions} partitions, {'made' if outcome.made else 'was there'}"
        )


@click.command(name="publish", short_help="Write recorded events to Kafka.")
@config_option
@click.option("--as-is", is_flag=True, help="Send every line as it stands, also those that are no events.")
@click.argument("file", type=FILE)
def publish_command(config: Path, file: Path, *, as_is: bool) -> None:
    """Write the events of FILE (one JSON object a line) to the right topics and partitions.

    Publishing a file twice is harmless: a second event of the same identity changes nothing.
    """
    from slamon.kafka import publish

    settings = settings_of(config)
    published = finish(lambda: publish.publish(settings.kafka, file, as_is=as_is))
    for topic, count in sorted(published.sent.items()):
        click.echo(f"{topic}: {count:,} records")
    click.echo(f"{published.events:,} {'lines' if as_is else 'events'} published")
