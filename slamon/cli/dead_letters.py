"""The commands about records that could not be used: which there are, and what to do about them."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from slamon.cli.ending import FAILED, finish
from slamon.cli.options import WhenType, config_option
from slamon.cli.reading import settings_of

if TYPE_CHECKING:
    from slamon.kafka.clients import Outgoing
    from slamon.kafka.dead_letter_box import Wanted
    from slamon.kafka.dead_letter_retry import Unsent
    from slamon.kafka.dead_letters import Letter

FILTERS = (
    click.option(
        "--reason", multiple=True, metavar="WORD", help="Rejected for this reason; may be repeated."
    ),
    click.option("--topic", help="That came from this input."),
    click.option(
        "--partition", type=click.IntRange(min=0), help="That came from this partition of an input."
    ),
    click.option("--customer", metavar="ID", help="Of this customer."),
    click.option(
        "--since",
        type=WhenType(),
        metavar="WHEN",
        help="Recorded since: an instant, or 90s, 30m, 2h, 7d ago.",
    ),
    click.option("--until", type=WhenType(), metavar="WHEN", help="Recorded before."),
)


def filtered(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that choose letters."""
    for option in reversed(FILTERS):
        command = option(command)
    return command


@click.group(name="dead-letters", short_help="List records that could not be used, or retry or dismiss them.")
def group() -> None:
    """Records that could not be used: look at them, send them again, or dismiss them."""


@group.command(name="list", short_help="Show them, the newest last.")
@config_option
@filtered
@click.option("--handled", is_flag=True, help="Also those that were sent again or dismissed.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    help="Show the newest; all are counted.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "lines"]),
    default="text",
    show_default=True,
    help="For people; one JSON object a line; or the records alone, for an editor and `slamon publish`.",
)
def list_command(config: Path, *, handled: bool, limit: int, form: str, **filters: Any) -> None:
    """Show the dead letters, the newest last, and how many there are for which reason."""
    from slamon import letters
    from slamon.kafka.dead_letter_box import Box, Listed

    settings = _settings(config)

    async def look() -> Listed:
        async with Box(settings, _wanted(filters)) as box:
            return await box.list(limit, handled=handled)

    for line in letters.told(finish(look), letters.Form(form)):
        click.echo(line)


@group.command(short_help="Send them to their inputs again.")
@config_option
@filtered
@click.option("--as-is", is_flag=True, help="Also those that still are no events.")
@click.option("--dry-run", is_flag=True, help="Say what would be sent, and send nothing.")
def retry(config: Path, *, as_is: bool, dry_run: bool, **filters: Any) -> None:
    """Send the dead letters to the inputs they came from again, once what was wrong has been mended.

    Doing it twice is harmless: what was sent is marked, and a second event of one identity changes nothing. Ends with 1 if
    any could not be sent.
    """
    from slamon import letters
    from slamon.kafka import dead_letter_retry
    from slamon.kafka.dead_letter_box import Box
    from slamon.kafka.dead_letter_retry import Handling, Unsent

    settings = _settings(config)

    def tell(letter: "Letter", decided: "Outgoing | Unsent") -> None:
        if dry_run:
            where = "stays" if isinstance(decided, Unsent) else f"to {decided.topic}/{decided.partition}"
            click.echo(f"{letters.headline(letter)}  {where}")

    async def send() -> Handling:
        async with Box(settings, _wanted(filters)) as box:
            return await dead_letter_retry.retry(settings, box, tell, as_is=as_is, dry_run=dry_run)

    handling = finish(send)
    for line in letters.outcome(handling, dry_run=dry_run):
        click.echo(line)
    if handling.unsent:
        sys.exit(FAILED)


@group.command(short_help="Mark them as handled, without sending anything.")
@config_option
@filtered
@click.option("--dry-run", is_flag=True, help="Say how many it would be, and mark none.")
def dismiss(config: Path, *, dry_run: bool, **filters: Any) -> None:
    """Mark the dead letters as handled: published after mending by hand, or not worth it."""
    from slamon import letters
    from slamon.kafka import dead_letter_retry
    from slamon.kafka.dead_letter_box import Box
    from slamon.kafka.dead_letter_retry import Handling

    settings = _settings(config)

    async def mark() -> Handling:
        async with Box(settings, _wanted(filters)) as box:
            return await dead_letter_retry.dismiss(settings, box, dry_run=dry_run)

    for line in letters.outcome(finish(mark), dry_run=dry_run):
        click.echo(line)


def _settings(config: Path) -> Any:
    return settings_of(config).kafka


def _wanted(filters: dict[str, Any]) -> "Wanted":
    """Of the options in `FILTERS`."""
    from slamon.codec import RejectReason
    from slamon.kafka.dead_letter_box import Wanted

    reasons = frozenset(filters.pop("reason"))
    known = {reason.value for reason in RejectReason}
    if not reasons <= known:
        unknown = ", ".join(sorted(reasons - known))
        raise click.UsageError(f"--reason {unknown}: none of {', '.join(sorted(known))}")
    return Wanted(reasons, **filters)
