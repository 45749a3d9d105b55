"""The commands for who writes agreements: what is wrong with them, how to begin one, what may stand in them."""

import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click

from slamon.cli.ending import FAILED, NOT_COMPARED, USAGE, fail, finish
from slamon.cli.options import FILE, PATHS, DayType, InstantType, Notation
from slamon.cli.reading import both_loaded, progress_of, settings_of, tell

if TYPE_CHECKING:
    from slamon.diff.comparing import Judging
    from slamon.diff.judging import Sides, Terms


@click.command(short_help="Say what is wrong with agreements, and what they should also say.")
@click.argument("paths", type=click.Path(path_type=Path), nargs=-1)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "github"]),
    default="text",
    show_default=True,
    help="For people, for programs, or as the workflow commands of GitHub.",
)
@click.option("--strict", is_flag=True, help="Advice is a failure, too.")
@click.option(
    "--show-silenced", is_flag=True, help="Show the advice that agreements silence, with their reasons."
)
@click.option(
    "--against",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="OLD",
    help="File or folder with an earlier state: say what the change means. May be repeated.",
)
@click.option(
    "--on", type=DayType(), metavar="DATE", help="With --against: the day of the change; default: today."
)
@click.option(
    "--config",
    type=FILE,
    help="YAML file of settings: look at whom agreements escalate to; without PATHS, check those it names.",
)
@click.option("--rules", "list_rules", is_flag=True, help="List the rules of advice instead.")
def check(
    paths: tuple[Path, ...],
    *,
    form: str,
    strict: bool,
    show_silenced: bool,
    against: tuple[Path, ...],
    on: date | None,
    config: Path | None,
    list_rules: bool,
) -> None:
    """Read agreements and calendars from files and folders; say what is wrong, and what they should also say.

    With --against, say what a change of them means before it is merged: which terms differ, and what is judged anew.

    Ends with 0 if they can be judged by, with 1 if not, and with 2 if a path does not exist.
    """
    from slamon import clock
    from slamon.check import Format, rules
    from slamon.check import check as check_files
    from slamon.domain.periods import local_date

    if list_rules:
        rules(sys.stdout, Format(form))
        return
    settings = settings_of(config) if config is not None else None
    paths = paths or (settings.agreements if settings is not None else ())
    if not paths:
        raise click.UsageError("Missing argument 'PATHS...'.")
    if on is not None and not against:
        raise click.UsageError("--on is the day of a change, and goes with --against.")
    try:
        code = check_files(
            paths,
            sys.stdout,
            form=Format(form),
            strict=strict,
            show_silenced=show_silenced,
            against=against,
            on=lambda zone: on or local_date(zone, clock.now()),
            receivers=settings.notifier.receivers if settings is not None else None,
        )
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}", USAGE)
    sys.exit(code)


@click.group(name="agreements")
def agreements_group() -> None:
    """Agreements as they change."""


@agreements_group.command(
    short_help="Say what a change of agreements does to what was judged, before it is merged."
)
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
    metavar="TIME",
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


@click.group(name="import")
def import_group() -> None:
    """Begin an agreement from what is already written elsewhere."""


@import_group.command(short_help="Turn SLOs of OpenSLO v1 into the skeleton of an agreement.")
@click.option("--customer", type=Notation("word"), metavar="ID", help="The customer's id, as events name it.")
@click.option("--name", type=Notation("name"), help="The agreement's name.")
@click.option(
    "--from",
    "first_day",
    type=Notation("day"),
    metavar="DATE",
    help="The first day on which it holds, as 2026-01-31.",
)
@click.argument("files", type=FILE, nargs=-1, required=True)
def openslo(customer: str | None, name: str | None, first_day: str | None, files: tuple[Path, ...]) -> None:
    """Turn the SLOs of OpenSLO v1 files into the skeleton of an agreement, on standard output.

    What could not be carried over stands in it as a comment, and on standard error.
    """
    from slamon.agreement_files.findings import Report
    from slamon.openslo import read_files, skeleton_of

    report = Report()
    found = read_files(files, report)
    if report.faults:
        tell(report.faults)
        fail("nothing was written: mend the faults first")
    skeleton = skeleton_of(found, customer=customer, name=name, first_day=first_day)
    skeleton.tell(report)
    tell(report.advice)
    if not skeleton.objectives:
        fail("no SLO in these files can be an objective of an agreement")
    click.echo(skeleton.text, nl=False)


@click.command(name="schema", short_help="Print a JSON Schema.")
@click.argument("of", type=click.Choice(["agreement", "event", "settings"]))
def schema_command(of: str) -> None:
    """Print the JSON Schema (draft 2020-12) of agreement files, of events, or of the settings, for editors."""
    from slamon import schema

    click.echo(schema.printed(of), nl=False)
