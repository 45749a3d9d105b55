"""The commands. Each parses its options, calls what does the work, and turns what a user can mend into one or two lines.

Each imports what it needs only when it is called: `slamon check` does not wait for the client of Kafka.

Exit codes: 0 fine, 1 findings or failed, 2 wrong usage.
"""

import asyncio
import difflib
import logging
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from slamon import __version__

if TYPE_CHECKING:
    from slamon.agreement_files import AgreementsInUse, Finding, Loaded
    from slamon.explain.period_notation import Asked
    from slamon.settings import Settings

T = TypeVar("T")
FAILED, USAGE = 1, 2


def fail(message: str, code: int = FAILED) -> NoReturn:
    """End with `error: message` on standard error."""
    click.echo(f"{click.style('error', fg='red', bold=True)}: {message}", err=True)
    sys.exit(code)


class InstantType(click.ParamType[int]):
    """An instant as in events."""

    name = "instant"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        from slamon.codec import LATEST_EVENT, InstantError, parse_instant

        if isinstance(value, int):
            return value
        try:
            at = parse_instant(value)
        except InstantError as error:
            self.fail(str(error), param, ctx)
        if at > LATEST_EVENT:
            self.fail(f"{value!r} is after the year 2100: nothing can be judged then", param, ctx)
        return at


class DayType(click.ParamType[date]):
    """A date as in agreements."""

    name = "date"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        from slamon.agreement_files.notations import day
        from slamon.agreement_files.sections import RefusedError

        try:
            return value if isinstance(value, date) else day(value)
        except RefusedError as refused:
            self.fail(f"{refused}; {refused.help}", param, ctx)


PATHS = click.Path(exists=True, path_type=Path)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
config_option = click.option(
    "--config",
    "config",
    type=FILE,
    required=True,
    help="YAML file of settings; SLAMON_… variables win over it.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="slamon")
def main() -> None:
    """Knows at every moment whether service-level agreements are kept, and says so before they are broken."""
    # What libraries mutter on the way to a success is for the daemon's log; commands say how it ended.
    logging.getLogger().addHandler(logging.NullHandler())


@main.command(short_help="Run the daemon.")
@config_option
def run(config: Path) -> None:
    """Run the daemon: events from Kafka in, standings, alerts and metrics out."""
    from slamon import daemon, logs

    settings = _settings(config)
    logs.set_up(settings.log)
    in_use = _agreements_of(settings)
    _await(lambda: daemon.run(settings, in_use))


@main.command(short_help="Say what is wrong with agreements, and what they should also say.")
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
@click.option("--rules", "list_rules", is_flag=True, help="List the rules of advice instead.")
def check(
    paths: tuple[Path, ...],
    *,
    form: str,
    strict: bool,
    show_silenced: bool,
    against: tuple[Path, ...],
    on: date | None,
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
        )
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}", USAGE)
    sys.exit(code)


@main.group(name="import")
def import_group() -> None:
    """Begin an agreement from what is already written elsewhere."""


class Notation(click.ParamType[str]):
    """Text that an agreement file would take."""

    def __init__(self, name: str) -> None:
        """`name`: of a reader in slamon.agreement_files.notations."""
        self.name = name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from slamon.agreement_files import notations
        from slamon.agreement_files.sections import RefusedError

        try:
            getattr(notations, self.name)(value)
        except RefusedError as error:
            self.fail("; ".join(filter(None, (str(error), error.help))), param, ctx)
        return str(value)


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
        _tell(report.faults)
        fail("nothing was written: mend the faults first")
    skeleton = skeleton_of(found, customer=customer, name=name, first_day=first_day)
    skeleton.tell(report)
    _tell(report.advice)
    if not skeleton.objectives:
        fail("no SLO in these files can be an objective of an agreement")
    click.echo(skeleton.text, nl=False)


agreements_option = click.option(
    "--agreements",
    type=PATHS,
    multiple=True,
    required=True,
    help="File or folder of agreements; may be repeated.",
)
events_option = click.option(
    "--events",
    type=FILE,
    required=True,
    help="Events, one JSON object a line, in the order of their arrival.",
)


@main.command(short_help="Judge recorded events without Kafka.")
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

    loaded = _load(agreements)
    with _progress(events, "judging") as progress:
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


@contextmanager
def _progress(events: Path, what: str) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal, that is told how many bytes more were read."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    with Progress(
        TextColumn(what),
        BarColumn(),
        TaskProgressColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    ) as progress:
        bar = progress.add_task(what, total=events.stat().st_size)
        yield lambda count: progress.advance(bar, count)


class PeriodType(click.ParamType["Asked"]):
    """A calendar period: 2026-11, 2026-W48, 2026-Q4, 2026, or a date inside it."""

    name = "period"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> "Asked":
        from slamon.explain.period_notation import Asked, parse_period

        if isinstance(value, Asked):
            return value
        try:
            return parse_period(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


@main.command(short_help="Say why a number is what it is.")
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
    loaded = _load(agreements)
    with _progress(events, "reading") as progress:
        source = Source(loaded.agreements, events, sort=sort, until=until, progress=progress)
        try:
            if objective is not None and period is not None:
                answer = answers.of_objective(source, objective, period, customer, agreement)
            else:
                answer = answers.of_ticket(source, str(ticket), customer)
        except UnanswerableError as error:
            fail(str(error))
    answers.write(answer, answers.Form(form), sys.stdout)


@main.command(name="schema", short_help="Print a JSON Schema.")
@click.argument("of", type=click.Choice(["agreement", "event", "settings"]))
def schema_command(of: str) -> None:
    """Print the JSON Schema (draft 2020-12) of agreement files, of events, or of the settings, for editors."""
    from slamon import schema

    click.echo(schema.printed(of), nl=False)


@main.group(name="topics")
def topics_group() -> None:
    """Kafka topics that slamon reads and writes."""


@topics_group.command(short_help="Make the topics that are missing.")
@config_option
def create(config: Path) -> None:
    """Make the topics that are missing; what is there is left as it is."""
    from slamon.kafka import topics

    settings = _settings(config)
    for outcome in _await(lambda: topics.create(settings.kafka)):
        click.echo(
            f"{outcome.name}: {outcome.partitions} partitions, {'made' if outcome.made else 'was there'}"
        )


@main.command(name="publish", short_help="Write recorded events to Kafka.")
@config_option
@click.option("--as-is", is_flag=True, help="Send every line as it stands, also those that are no events.")
@click.argument("file", type=FILE)
def publish_command(config: Path, file: Path, *, as_is: bool) -> None:
    """Write the events of FILE (one JSON object a line) to the right topics and partitions.

    Publishing a file twice is harmless: a second event of the same identity changes nothing.
    """
    from slamon.kafka import publish

    settings = _settings(config)
    published = _await(lambda: publish.publish(settings.kafka, file, as_is=as_is))
    for topic, count in sorted(published.sent.items()):
        click.echo(f"{topic}: {count:,} records")
    click.echo(f"{published.events:,} {'lines' if as_is else 'events'} published")


def _settings(config: Path) -> "Settings":
    import yaml
    from pydantic import ValidationError
    from pydantic_settings import SettingsError

    from slamon.settings import read_settings

    try:
        return read_settings(config)
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, fault['loc']))}: {_settings_fault(fault)}" for fault in error.errors()]
        fail("\n       ".join([f"{config} (with SLAMON_… variables) cannot be used:", *lines]), USAGE)
    except (SettingsError, yaml.YAMLError, ValueError) as error:
        fail(f"{config}: {error}", USAGE)


def _settings_fault(fault: Any) -> str:
    """What is wrong with a setting, and what is allowed there."""
    if fault["type"] != "extra_forbidden":
        return str(fault["msg"])
    from slamon.settings import Settings

    section: Any = Settings
    for name in fault["loc"][:-1]:
        field = getattr(section, "model_fields", {}).get(name)
        section = None if field is None else field.annotation
    known = sorted(getattr(section, "model_fields", {}))
    close = difflib.get_close_matches(str(fault["loc"][-1]), known, 1)
    meant = f"did you mean {close[0]}? " if close else ""
    return f"there is no such setting; {meant}{'Allowed: ' + ', '.join(known) if known else ''}".strip()


def _load(paths: tuple[Path, ...]) -> "Loaded":
    from slamon.agreement_files import load

    loaded = load(paths)
    if loaded.faults:
        _tell_faults(loaded.faults)
    if not loaded.agreements:
        fail(f"no agreements in {', '.join(map(str, paths))}", USAGE)
    return loaded


def _tell_faults(faults: "Iterable[Finding]") -> NoReturn:
    _tell(faults)
    fail("the agreements have faults; `slamon check` shows them as well", FAILED)


def _tell(findings: "Iterable[Finding]") -> None:
    from rich.console import Console

    from slamon.agreement_files import rendered

    console = Console(stderr=True, soft_wrap=True, highlight=False)
    for finding in findings:
        console.print(rendered(finding))
        console.print()


def _agreements_of(settings: "Settings") -> "AgreementsInUse":
    from slamon.agreement_files import AgreementsInUse, AgreementsRefused

    try:
        return AgreementsInUse(settings.agreements, keep_days=settings.facts.keep)
    except AgreementsRefused as refused:
        _tell_faults(refused.faults)
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}; see `agreements` in the settings", USAGE)
    except ValueError as error:
        fail(str(error), USAGE)


def _await(work: Callable[[], Awaitable[T]]) -> T:
    from slamon.kafka import changelog, clients, publish, source, topics
    from slamon.outputs.http import AddressError

    # What a user or an operator can mend: the text of these says how.
    mendable = (
        clients.Unreachable,
        topics.Refused,
        source.Stopped,
        changelog.Unreadable,
        publish.NotEvents,
        AddressError,
        ValueError,
        OSError,
    )

    async def awaited() -> T:
        return await work()

    try:
        return asyncio.run(awaited())
    except mendable as error:
        fail(str(error))
    except KeyboardInterrupt:
        sys.exit(130)


class SpanType(click.ParamType[float]):
    """A duration in seconds: `90`, `60s`, `5m`."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        units = {"s": 1, "m": 60, "h": 3600}
        number, unit = (value[:-1], value[-1]) if value[-1:] in units else (value, "s")
        if not number.isdecimal() or int(number) == 0:
            self.fail(f"{value!r} is no duration; write 90, 60s, 5m or 1h", param, ctx)
        return float(int(number) * units[unit])


@main.command(short_help="Show the whole thing on this machine.")
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
