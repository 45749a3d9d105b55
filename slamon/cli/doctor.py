"""The command that says what is wrong around slamon."""

import sys
from pathlib import Path

import click

from slamon.cli.ending import FAILED, finish
from slamon.cli.options import config_option
from slamon.cli.reading import settings_of


@click.command(short_help="Say what is wrong around slamon, and what to do about it.")
@config_option
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="For people or for programs.",
)
@click.option("--thorough", is_flag=True, help="Read the whole changelog too, as a restore does.")
@click.option("--strict", is_flag=True, help="A warning is a failure, too.")
def doctor(config: Path, *, form: str, thorough: bool, strict: bool) -> None:
    """Look at brokers, topics, rights, tasks, inputs, clocks, dead letters, agreements and Alertmanagers.

    Changes nothing and joins no group. Ends with 1 if there is an error.
    """
    from slamon import clock
    from slamon import doctor as examination
    from slamon.doctor import Level

    settings = settings_of(config)
    found = finish(lambda: examination.examined(settings, config, clock.wall(), thorough=thorough))
    for line in examination.told(found, examination.Form(form)):
        click.echo(line)
    failing = {Level.ERROR, Level.WARNING} if strict else {Level.ERROR}
    if any(finding.level in failing for _, finding in found):
        sys.exit(FAILED)
