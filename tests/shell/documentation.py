"""The blocks of the documentation, and how each of them proves what it says.

A block is fenced. Behind its language stands a mark, which no reader sees: what the block is. `KINDS` lists them. A block
that proves nothing says why: `unrun: ` and the reason. What has to happen and is not worth showing, stands in a comment,
`<!-- console kafka` in the place of the fence.

A file is a block behind a line with its name and a colon, `agreement.yaml`:; or a comment `<!-- file events.ndjson`.
Commands stand behind `$ `, each above what it answers. In an answer, `…` stands for any text within a line, and for any
lines where it stands alone. ` fails` in the mark says that the last command ends with 1.
Blocks of a page are run in their order, in one folder.
"""

import re
import shlex
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from click.testing import CliRunner, Result

from slamon.cli import main

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
NOT_OURS = {".venv", "build", "dist", "mutants", "node_modules"}
PAGES = sorted(
    path
    for path in ROOT.rglob("*.md")
    if not any(part in NOT_OURS or part.startswith(".") for part in path.relative_to(ROOT).parts)
)
UNRUN = "unrun: "

# Language and mark → what is done with the block. Files that commands of their page name need no mark.
KINDS = {
    "yaml agreement": "slamon check takes it",
    "yaml agreement refused": "slamon check refuses it, with the words of its first line",
    "yaml agreement pending": "slamon check refuses it, for an option in it is not built yet",
    "yaml story": "a replay comes out as it says",
    "yaml story pending": "a replay cannot be made, for an option in it is not built yet",
    "json event": "each line is an event",
    "json event refused": "each line is refused",
    "yaml settings": "slamon reads it as settings",
    "yaml values": "the chart's schema takes it, and slamon the settings in it",
    "yaml kubernetes": "the API schemas take each document",
    "yaml prometheus": "promtool takes it: rules, or a configuration",
    "yaml alertmanager": "amtool takes it",
    "promql": "promtool takes each line as an expression",
    "sh make": "make has these targets and takes these variables",
    "sh helm": "helm renders what it would install; what else stands there needs a cluster",
    "json": "it is JSON",
    "console": "typed here; it answers so",
    "console fails": "typed here; it answers so, and ends with 1",
    "console kafka": "typed beside a real Kafka and, where there are pods, a daemon",
    "console kafka fails": "likewise, and it ends with 1",
    "console kafka soon": "likewise, again and again until it answers so",
}

# Page and kind → the test that takes the block from there.
ELSEWHERE = {
    ("docs/agreements.md", "sh pipeline"): "tests/shell/test_review_of_changes.py",
    ("docs/agreements.md", "yaml pipeline"): "tests/shell/test_review_of_changes.py",
    ("docs/notifications.md", "python"): "tests/shell/test_receivers.py",
    ("docs/notifications.md", "yaml shipped slack"): "tests/shell/test_receivers.py",
}

BLOCK = re.compile(
    r"^(?P<indent> *)(?:(?P<fence>```+|~~~+)|<!-- (?=console |file ))(?P<info>[^\n`]*)\n(?P<text>.*?)^ *(?(fence)(?P=fence)|-->) *$",
    re.MULTILINE | re.DOTALL,
)
NAME = re.compile(r"`(?P<name>[\w./-]+)`:\n\n$")
TYPED = re.compile(r"^\$ (?P<command>(?:[^\n]*\\\n)*[^\n]+)\n(?P<output>(?:(?!\$ )[^\n]*\n)*)", re.MULTILINE)

INSTANT = r"\d{4}-\d\d-\d\dT[\d:.]+Z"


class Block(NamedTuple):
    page: str  # from the top of the repository
    line: int
    language: str
    mark: str
    text: str
    name: str  # of the file that it shows; empty if it shows none

    @property
    def kind(self) -> str:
        return f"{self.language} {self.mark}".strip()

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


class Example(NamedTuple):
    command: str
    output: str
    code: int


def blocks(path: Path) -> Iterator[Block]:
    text = path.read_text(encoding="utf-8")
    for found in BLOCK.finditer(text):
        language, _, mark = found["info"].strip().partition(" ")
        named = NAME.search(text[: found.start()])
        name = mark if language == "file" else named["name"] if named else ""
        body = textwrap.dedent(found["text"]) if found["indent"] else found["text"]
        line = text.count("\n", 0, found.start()) + 1
        yield Block(path.relative_to(ROOT).as_posix(), line, language, mark, body, name)


def of_kind(*kinds: str) -> list[Block]:
    return [block for path in PAGES for block in blocks(path) if block.kind in kinds]


def page(name: str) -> Path:
    return DOCS / name


def files_of(path: Path, folder: Path) -> None:
    """What the page shows of them, under their names."""
    for block in blocks(path):
        if block.name:
            file = folder / block.name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.text, encoding="utf-8")


def typed_in(block: Block) -> list[Example]:
    """The commands of a block of the kind `console`."""
    found = [
        Example(one["command"].replace("\\\n", ""), one["output"], 0) for one in TYPED.finditer(block.text)
    ]
    if block.mark.endswith("fails"):
        found[-1] = found[-1]._replace(code=1)
    return found


def examples_of(path: Path) -> list[Example]:
    """Those that are typed here, without a Kafka."""
    return [
        each
        for block in blocks(path)
        if block.kind in ("console", "console fails")
        for each in typed_in(block)
    ]


def is_answered(shown: str, said: str, *, at_any_time: bool = False) -> bool:
    """Whether that is what the page shows, with its gaps. `at_any_time`: at whatever instants."""
    instant = INSTANT if at_any_time else r"(?!)"

    def pattern(line: str) -> str:
        if line == "…\n":
            return "(?:.*\n)*?"
        parts = re.split(f"(…|{instant})", line)
        gaps = ["" if not gap else ".*?" if gap == "…" else instant for gap in [*parts[1::2], ""]]
        return "".join(re.escape(part) + gap for part, gap in zip(parts[::2], gaps, strict=True))

    return re.fullmatch("".join(map(pattern, shown.splitlines(keepends=True))), said) is not None


def typed(command: str) -> Result:
    """Run in the present folder."""
    program, *words = shlex.split(command)
    assert program == "slamon"
    return CliRunner().invoke(main, words)


def answered(command: str) -> tuple[str, int]:
    """What a terminal would show, and the exit code; of `slamon …`, which may be piped into `head -n N`, and of `cat FILE`."""
    if command.startswith("cat "):
        return Path(command.removeprefix("cat ")).read_text(encoding="utf-8"), 0
    alone, _, lines = command.partition(" | head -n ")
    result = typed(alone)
    shown = result.output.splitlines(keepends=True)
    return "".join(shown[: int(lines)] if lines else shown), result.exit_code
