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


@topics_group.command(short_help="Print the commands that grant slamon what it needs.")
@config_option
@click.option("--principal", required=True, metavar="USER", help="Whom to grant it, such as User:slamon.")
@click.option(
    "--for",
    "doing",
    type=click.Choice(["run", "topics create", "publish", "dead-letters"]),
    default="run",
    show_default=True,
    help="The command that is to be used.",
)
def acls(config: Path, principal: str, doing: str) -> None:
    """Print the commands of Kafka's own tool that grant what a command of slamon's needs, and no more.

    Nothing is asked of Kafka, and nothing is changed there.
    """
    from slamon.kafka.acls import Doing, commands, needed

    settings = settings_of(config)
    for command in commands(needed(settings, Doing(doing)), principal, settings.kafka.bootstrap_servers):
        click.echo(command)


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
