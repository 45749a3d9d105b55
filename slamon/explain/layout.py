"""How an explanation lies on the page: 80 columns, no colours where nobody sees them."""

from collections.abc import Iterable, Sequence
from typing import TextIO

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

WIDTH = 80
WIDEST = 110


def write(out: TextIO, page: Iterable[RenderableType]) -> None:
    """On a terminal as wide as it is, up to a limit; elsewhere always the same."""
    console = Console(file=out, highlight=False, markup=False, emoji=False)
    console.width = width_of(out)
    for part in page:
        with console.capture() as captured:
            console.print(part)
        # Columns are filled up with spaces, which nobody wants in what is copied and compared.
        out.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))


def width_of(out: TextIO) -> int:
    """Of a line, in characters."""
    console = Console(file=out)
    return min(console.width, WIDEST) if console.is_terminal else WIDTH


def heading(text: str) -> Text:
    return Text(text, style="bold underline")


def indented(part: RenderableType) -> Padding:
    return Padding(part, (0, 0, 0, 2))


def ledger(lines: Sequence[tuple[str, str]]) -> Table:
    """What is added up, with the amounts under each other."""
    table = Table.grid(padding=(0, 2), expand=False)
    table.add_column()
    table.add_column(justify="right", no_wrap=True)
    for label, amount in lines:
        table.add_row(label, amount)
    return table


NUMBERS = {"used", "target", "requests", "failed"}  # columns in which units stand under units


def table_of(columns: Sequence[str], lines: Sequence[Sequence[str | Text]]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), show_edge=False, header_style="italic")
    for name in columns:
        table.add_column(name, justify="right" if name in NUMBERS else "left")
    for line in lines:
        table.add_row(*line)
    return table
