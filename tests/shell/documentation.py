"""Pages of the documentation whose examples are run: the files they show, the commands they type, what those answer.

A file is a block behind a line with its name and a colon, `agreement.yaml`: for one. An example is a block `console` whose
first line is the command; ` fails` behind the word says that it ends with 1. `slamon …` may be piped into `head -n N`, and
`cat FILE` shows what a command before it has written. Examples of a page are run in their order, in one folder.
"""

import re
import shlex
from pathlib import Path
from typing import NamedTuple

from click.testing import CliRunner, Result

from slamon.cli import main

DOCS = Path(__file__).parents[2] / "docs"
FILE = re.compile(r"^`(?P<name>[\w.-]+)`:\n\n```[^\n]+\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
EXAMPLE = re.compile(
    r"^```console(?P<fails> fails)?\n\$ (?P<command>[^\n]+)\n(?P<output>.*?)^```$", re.MULTILINE | re.DOTALL
)


class Example(NamedTuple):
    command: str
    output: str
    code: int


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def files_of(text: str, folder: Path) -> None:
    """What the page shows of them, under their names."""
    for name, contents in FILE.findall(text):
        (folder / name).write_text(contents, encoding="utf-8")


def examples_of(text: str) -> list[Example]:
    return [
        Example(found["command"], found["output"], 1 if found["fails"] else 0)
        for found in EXAMPLE.finditer(text)
    ]


def typed(command: str) -> Result:
    """Run in the present folder."""
    program, *words = shlex.split(command)
    assert program == "slamon"
    return CliRunner().invoke(main, words)


def answered(command: str) -> tuple[str, int]:
    """What a terminal would show, and the exit code."""
    if command.startswith("cat "):
        return Path(command.removeprefix("cat ")).read_text(encoding="utf-8"), 0
    alone, _, lines = command.partition(" | head -n ")
    result = typed(alone)
    shown = result.output.splitlines(keepends=True)
    return "".join(shown[: int(lines)] if lines else shown), result.exit_code
