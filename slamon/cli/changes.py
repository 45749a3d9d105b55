"""The commands for who merges a change of agreements: what it does to what was judged."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from slamon.cli.ending import FAILED, NOT_COMPARED, fail, finish
from slamon.cli.options import FILE, PATHS, InstantType
from slamon.cli.reading import both_loaded, progress_of, settings_of

if TYPE_CHECKING:
    from slamon.diff.comparing import Judging
    from slamon.diff.judging import Sides, Terms


@click.group(name="agreements")
def group() -> None:
    """Agreements as they change."""


@group.command(short_help="Say what a change of agreements does to what was judged, before it is merged.")
@click.argument("old", type=PATHS)
@click.argument("new", type=PATHS)
@click.option(
    "--events",
    type=FILE,
    help="Judge these by both: one JSON object a line, in the order of their arrival.",
)
@click.option(
    "--config",
    type=FILE,
    help="Or judge by both what a running slamon has kept in Kafka: its YAML file of settings.",
)
@click.option("--sort", is_flag=True, help="Take the events in the order of their time instead.")
@click.option(
    "--until",
    type=InstantType(),
    help="The instant of the change; default: the latest event, without events now.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="For people or for programs.",
)
def diff(
    old: Path,
    new: Path,
    *,
    events: Path | None,
    config: Path | None,
    sort: bool,
    until: int | None,
    form: str,
) -> None:
    """Compare agreements, files or folders, with what they were: which terms differ, and, with --events or --config, what
    they make of what happened: standings, statements, tickets, alerts and credits that come out otherwise, and what a
    running slamon says when it takes the change into use.

    Ends with 0 if nothing that judges differs, with 1 if something does, and with 2 if the two cannot be compared.
    """
    from slamon import clock
    from slamon.diff import for_programs, judging, page
    from slamon.diff.comparing import compared

    if events is not None and config is not None:
        raise click.UsageError("Give --events, or --config of a running slamon, not both.")
    if sort and events is None:
        raise click.UsageError("--sort is about the order of --events.")
    if until is not None and config is not None:
        raise click.UsageError(
            "What a running slamon has kept is judged as of its own clock: leave out --until."
        )
    states = both_loaded(old, new)
    at = clock.now() if until is None else until
    try:
        if events is not None:
            with progress_of(events, "judging") as progress:
                judge = judging.of_file(events, sort=sort, until=until, progress=progress)
                found = compared(*states, judge, at)
        else:
            found = compared(*states, None if config is None else _judging_kept(config), at)
    except (judging.NothingHeard, OSError) as error:
        fail(str(error), NOT_COMPARED)
    if form == "json":
        click.echo(for_programs.document(found), nl=False)
    else:
        page.write(found, sys.stdout)
    sys.exit(FAILED if found.differs else 0)


def _judging_kept(config: Path) -> "Judging":
    from slamon.diff.running import of_tasks
    from slamon.kafka.kept import tasks_of

    settings = settings_of(config)

    def judge(old: "Terms", new: "Terms") -> "Sides":
        customers = {one.customer for one in (*old, *new)}
        tasks = finish(lambda: tasks_of(settings, customers), failed=NOT_COMPARED)
        return of_tasks(old, new, tasks, settings.facts)

    return judge
