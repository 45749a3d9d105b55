"""What an author is told: faults and advice, each with its place, and how they look.

A fault keeps agreements from being used; advice never does. Everything that goes wrong in a run is collected in one
`Report`, so that an author mends it all in one go.
"""

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from rich.text import Text

_QUOTED_LENGTH = 60  # characters of a value that a message repeats
_LINE_LENGTH = 100  # characters of a source line that are shown, around the place


class Place(NamedTuple):
    """Where something is written. Lines and columns count from 1; line 0 means the file as a whole."""

    file: str
    line: int = 0
    column: int = 0
    path: str = ""  # as in `spec.objectives[2].name`, entries counted from 0
    length: int = 1  # characters, on this line
    source: str = ""  # the whole line

    def below(self, key: str) -> "Place":
        """The same place, as the place of something that is not written there but should be."""
        return self._replace(path=f"{self.path}.{key}" if self.path else key)

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


@dataclass(frozen=True, slots=True)
class Finding:
    """`message` says what is wrong, `help` what is allowed or what to write instead."""

    file: str
    line: int
    column: int
    path: str
    message: str
    help: str = ""
    length: int = field(default=1, repr=False)
    source: str = field(default="", repr=False)

    @property
    def where(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file

    def __str__(self) -> str:
        """One line, for logs."""
        return f"{self.where}: {f'{_printable(self.path)}: ' if self.path else ''}{self.message}"


@dataclass(frozen=True, slots=True)
class Fault(Finding):
    """What keeps the agreements from being used."""


@dataclass(frozen=True, slots=True)
class Advice(Finding):
    """What is allowed, but probably not meant."""

    rule: str = ""  # the name of the finding, for those who look it up


class Report:
    """Collects the findings of a run."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self.advice: list[Advice] = []

    def fault(self, at: Place, message: str, help: str = "") -> None:  # noqa: A002 - the word of the finding's field
        self.faults.append(Fault(at.file, at.line, at.column, at.path, message, help, at.length, at.source))

    def advise(self, at: Place, rule: str, message: str, help: str = "") -> None:  # noqa: A002 - as above
        self.advice.append(
            Advice(at.file, at.line, at.column, at.path, message, help, at.length, at.source, rule)
        )


def quoted(text: str) -> str:
    """As it stands in a message: in backticks, short, and without anything that could move a terminal's cursor."""
    short = text if len(text) <= _QUOTED_LENGTH else text[: _QUOTED_LENGTH - 1] + "…"
    return f"`{_printable(short)}`"


def listed(words: Iterable[str]) -> str:
    return ", ".join(map(quoted, words))


def closest(word: str, known: Iterable[str]) -> str | None:
    """The one of the known words that was probably meant; case, `_` and `-` make no difference."""
    plain = {_plain(one): one for one in known}
    if _plain(word) in plain:
        return plain[_plain(word)]
    found = difflib.get_close_matches(_plain(word), plain, n=1, cutoff=0.7)
    return plain[found[0]] if found else None


def _plain(word: str) -> str:
    return re.sub("[-_ ]", "", word).lower()


def rendered(finding: Finding) -> Text:
    """Some lines: what is wrong, where, the line itself with the place underlined, and what to do."""
    colour = "bold yellow" if isinstance(finding, Advice) else "bold red"
    title = f"advice[{finding.rule}]" if isinstance(finding, Advice) else "error"
    gutter = len(str(finding.line)) if finding.line else 1
    margin = ("\n" + " " * (gutter + 1), "")
    parts: list[tuple[str, str]] = [(title, colour), (f": {finding.message}", "bold")]
    parts += [(f"\n{' ' * gutter}--> ", "blue"), (finding.where, "")]
    if finding.line and finding.source:
        before, marked, after = _window(finding)
        parts += [margin, ("|", "blue"), (f"\n{finding.line} | ", "blue"), (before + marked + after, "")]
        parts += [margin, ("| ", "blue"), (" " * len(before) + "^" * max(1, len(marked)), colour)]
    if finding.path:
        parts += [margin, ("= at ", "blue"), (_printable(finding.path), "")]
    if finding.help:
        parts += [margin, ("= help: ", "blue"), (finding.help, "")]
    return Text.assemble(*parts)


def _window(finding: Finding) -> tuple[str, str, str]:
    """The source line before, at and after the place, cut to what one can take in."""
    line = _printable(finding.source)
    start = finding.column - 1
    end = min(start + finding.length, len(line), start + _LINE_LENGTH)
    if len(line) <= _LINE_LENGTH:
        return line[:start], line[start:end], line[end:].rstrip()
    first = max(0, min(start - _LINE_LENGTH // 2, len(line) - _LINE_LENGTH))
    last = max(first + _LINE_LENGTH, end)
    before = ("…" if first else "") + line[first:start]
    return before, line[start:end], line[end:last].rstrip() + ("…" if last < len(line) else "")


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)
