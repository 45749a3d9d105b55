"""The commands for who writes agreements: what is wrong with them, how to begin one, what may stand in them."""

import sys
from datetime import date
from pathlib import Path

import click

from slamon.cli.ending import USAGE, fail
from slamon.cli.options import FILE, DayType, Notation
from slamon.cli.reading import settings_of, tell


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
