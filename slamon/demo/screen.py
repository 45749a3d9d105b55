"""What the terminal shows of the demo: who is at risk, what is due when, what fired. Pure: figures in, text out."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from slamon.domain.announcements import duration
from slamon.domain.events import SECOND

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
COLOURS = {"critical": "bold red", "warning": "yellow", "info": "cyan"}
ROWS = 12


class Alert(NamedTuple):
    """An alert as Alertmanager has it. Instants in microseconds of the demo's time."""

    fingerprint: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    due_at: int | None


class Due(NamedTuple):
    customer: str
    objective: str
    ticket: str
    due_at: int


class Event(NamedTuple):
    """Something that happened on the way to the pager."""

    at: int
    text: str
    severity: str


class Screen(NamedTuple):
    now: int
    firing: Sequence[Alert]
    due: Sequence[Due]
    standings: Mapping[str, int]  # standing: objectives
    happened: Sequence[Event]
    addresses: Mapping[str, str]
    events: int


def clock_text(t: int) -> str:
    return (EPOCH + timedelta(microseconds=t)).strftime("%a %H:%M:%S UTC")


def left(due_at: int, now: int) -> Text:
    """`in 4 min`, or how long overdue."""
    ahead = due_at - now
    if ahead < 0:
        return Text(f"{duration(ahead)} ago", style="bold red")
    return Text(f"in {duration(ahead)}", style="yellow" if ahead < 600 * SECOND else "green")


def _order(alert: Alert) -> tuple[int, int]:
    return list(COLOURS).index(
        alert.labels["severity"]
    ), alert.due_at if alert.due_at is not None else 1 << 62


def render(screen: Screen) -> RenderableType:
    """The whole screen."""
    firing = Table(expand=True, box=None, padding=(0, 1))
    for column in ("", "customer", "what", "due"):
        firing.add_column(column, no_wrap=column != "what", ratio=1 if column == "what" else None)
    for alert in sorted(screen.firing, key=_order)[:ROWS]:
        severity = alert.labels["severity"]
        due = Text("") if alert.due_at is None else left(alert.due_at, screen.now)
        # How much was left when it fired is said no more: the last column knows how much is.
        summary = (
            alert.annotations["summary"].removeprefix(f"{alert.labels['customer']}: ").partition("; ")[0]
        )
        firing.add_row(Text(severity, style=COLOURS[severity]), alert.labels["customer"], summary, due)
    if not screen.firing:
        firing.add_row("", "", Text("nothing fires", style="dim"), "")
    more = len(screen.firing) - ROWS
    waiting = Table(expand=True, box=None, padding=(0, 1))
    for column in ("customer", "objective", "ticket", "due"):
        waiting.add_column(column)
    for due_clock in sorted(screen.due, key=lambda one: one.due_at)[:8]:
        waiting.add_row(
            due_clock.customer, due_clock.objective, due_clock.ticket, left(due_clock.due_at, screen.now)
        )
    told = Group(*(happened_line(event) for event in list(screen.happened)[-8:]))
    standings = ", ".join(
        f"{count} {name.replace('_', ' ')}" for name, count in screen.standings.items() if count
    )
    where = "   ".join(f"{name} {address}" for name, address in screen.addresses.items())
    return Group(
        Text.assemble(
            (f" {clock_text(screen.now)} ", "reverse"),
            f"  {screen.events:,} events   objectives: {standings}",
        ),
        Panel(
            firing,
            title=f"firing in Alertmanager{f' (and {more} more)' if more > 0 else ''}",
            title_align="left",
        ),
        Panel(waiting, title="due next", title_align="left"),
        Panel(told, title="what happened", title_align="left"),
        Text(where, style="dim"),
    )


def happened_line(event: Event) -> Text:
    return Text.assemble(
        (f"{clock_text(event.at)}  ", "dim"), (event.text, COLOURS.get(event.severity, "green"))
    )


def happened_text(events: Iterable[Event]) -> Iterable[str]:
    """The same for a pipe, a line each."""
    return (f"{clock_text(event.at)}  {event.text}" for event in events)
