"""The commands that make topics, fill them, and move them."""

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


@click.command(name="repartition", short_help="Move to another number of partitions.")
@config_option
@click.option("--to", "partitions", type=click.IntRange(min=1), required=True, help="The new number.")
@click.option(
    "--application-id", metavar="NAME", help="Of the new application; default: the old one's and the number."
)
@click.option("--dry-run", is_flag=True, help="Only read, and say what would be moved.")
def repartition_command(config: Path, partitions: int, application_id: str | None, *, dry_run: bool) -> None:
    """Make a new application with another number of partitions, which goes on where this one stopped.

    All pods must be stopped, and nobody may write to the inputs meanwhile. The old topics stay as they are.
    """
    from slamon.kafka import repartition

    settings = settings_of(config)
    left = "" if dry_run else ". Delete the new topics that were made, and repeat: no pod goes on from them"
    moved = finish(
        lambda: repartition.repartition(settings, partitions, application_id, dry_run=dry_run),
        interrupted=f"nothing of {settings.application_id} was changed{left}",
    )
    would = "would be " if dry_run else ""
    click.echo(f"{moved.facts:,} facts {would}moved from {moved.partitions} partitions to {partitions}")
    for topic, count in sorted(moved.copied.items()):
        click.echo(f"{topic}: {count:,} records {would}copied")
    click.echo(
        "\nFrom then on, with these settings:\n" if dry_run else "\nFrom now on, with these settings:\n"
    )
    click.echo(repartition.as_yaml(moved.settings), nl=False)
