"""`slamon check PATH…`: what is wrong with agreements and calendars, and what they should also say."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.text import Text

from slamon.agreement_files import Loaded, load, rendered

FINE, FAULTS, WRONG_USAGE = 0, 1, 2


def check(paths: Sequence[Path], out: TextIO) -> int:
    """The exit code: 0 fine (advice or not), 1 faults, 2 a path that does not exist."""
    console = Console(file=out, soft_wrap=True, highlight=False, markup=False, emoji=False)
    try:
        loaded = load(paths)
    except OSError as error:
        console.print(Text.assemble(("error", "bold red"), f": {error.filename}: {error.strerror}"))
        return WRONG_USAGE
    for finding in (*loaded.faults, *loaded.advice):
        console.print(rendered(finding))
        console.print()
    console.print(_summary(loaded))
    return FAULTS if loaded.faults else FINE


def _summary(loaded: Loaded) -> str:
    if loaded.faults:
        files = len({fault.file for fault in loaded.faults})
        return f"{_counted(len(loaded.faults), 'fault')} in {_counted(files, 'file')}{_advice(loaded)}"
    said = f"{_counted(len(loaded.agreements), 'agreement')}, {_counted(loaded.calendars, 'calendar')}: no faults"
    return said + _advice(loaded) + _left_out(loaded.left_out)


def _advice(loaded: Loaded) -> str:
    count = len(loaded.advice)
    return f", {count} {'piece' if count == 1 else 'pieces'} of advice" if count else ""


def _left_out(files: Iterable[str]) -> str:
    named = ", ".join(files)
    return f" (left out, for it is something else: {named})" if named else ""


def _counted(count: int, thing: str) -> str:
    return f"{count} {thing}{'' if count == 1 else 's'}"
