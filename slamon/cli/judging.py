"""The commands that judge recorded events without Kafka, and say why."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from slamon.cli.ending import fail
from slamon.cli.options import InstantType, PeriodType, agreements_option, events_option
from slamon.cli.reading import loaded_from, progress_of

if TYPE_CHECKING:
    from slamon.explain.period_notation import Asked


@click.command(short_help="Judge recorded events without Kafka.")
@agreements_option
@events_option
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder for the results."
)
@click.option("--sort", is_flag=True, help="Take the events in the order of their time instead.")
@click.option("--until", type=InstantType(), help="Judge as of this instant; default: the latest event.")
@click.option(
    "--memory",
    type=click.IntRange(min=1),
    metavar="MIB",
    default=1024,
    show_default=True,
    help="Memory to stay near, in MiB; beyond it, decided tickets wait in temporary files in the folder for the results.",
)
def replay(
    agreements: tuple[Path, ...], events: Path, out: Path, *, sort: bool, until: int | None, memory: int
) -> None:
    """Judge recorded events without Kafka.

    Writes clocks, standings, statements, credits and alerts as NDJSON into the folder, the same bytes for the same input.
    """
    from slamon.overflow import MEBIBYTE, Memory
    from slamon.replay import replay_file, told

    loaded = loaded_from(agreements)
    with progress_of(events, "judging") as progress:
        try:
            summary = replay_file(
                loaded.agreements,
                events,
                out,
                sort=sort,
                until=until,
                memory=Memory(memory * MEBIBYTE),
                progress=progress,
            )
        except OSError as error:
            fail(f"{error.filename}: {error.strerror}")
    for line in told(summary):
        click.echo(line)
    if summary.rejected and not summary.events:
        fail(f"{events}: not one line of it is an event")


@click.command(short_help="Say why a number is what it is.")
@agreements_option
@events_option
@click.option("--ticket", metavar="ID", help="Explain the clocks of this ticket.")
@click.option("--objective", metavar="NAME", help="Explain this objective, in --period.")
@click.option("--period", type=PeriodType(), help="As 2026-11, 2026-W48, 2026-Q4, 2026, or a date inside it.")
@click.option("--customer", metavar="ID", help="Whose, if several customers have one of that name.")
@click.option("--agreement", metavar="NAME", help="Which of its agreements, if several have the objective.")
@click.option("--sort", is_flag=True, help="Take the events in the order of their time instead.")
@click.option("--until", type=InstantType(), help="Judge as of this instant; default: the latest event.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="For people or for programs.",
)
def explain(
    agreements: tuple[Path, ...],
    events: Path,
    *,
    ticket: str | None,
    objective: str | None,
    period: "Asked | None",
    customer: str | None,
    agreement: str | None,
    sort: bool,
    until: int | None,
    form: str,
) -> None:
    """Say why a ticket's clocks, or an objective in a period, came out as they did: the facts, clause by clause.

    Judges the same events as `slamon replay` and gives the same numbers.
    """
    from slamon.explain import answers
    from slamon.explain.gathering import Source, UnanswerableError

    if (ticket is None) == (objective is None) or (objective is None) != (period is None):
        raise click.UsageError("Say what to explain: --ticket ID, or --objective NAME with --period PERIOD.")
    if agreement is not None and objective is None:
        raise click.UsageError("--agreement goes with --objective; a ticket is explained under all of them.")
    loaded = loaded_from(agreements)
    with progress_of(events, "reading") as progress:
        source = Source(loaded.agreements, events, sort=sort, until=until, progress=progress)
        try:
            if objective is not None and period is not None:
                answer = answers.of_objective(source, objective, period, customer, agreement)
            else:
                answer = answers.of_ticket(source, str(ticket), customer)
        except UnanswerableError as error:
            fail(str(error))
    answers.write(answer, answers.Form(form), sys.stdout)
