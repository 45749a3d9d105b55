"""What an author is told: faults and advice, each with its place, and how they look.

A fault keeps agreements from being used; advice never does. Everything that goes wrong in a run is collected in one
`Report`, so that an author mends it all in one go.
"""

import difflib
import re
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from rich.text import Text

from slamon.agreement_files.rules import RULES, Severity

_QUOTED_LENGTH = 60  # characters of a value that a message repeats
_LINE_LENGTH = 100  # characters of a source line that are shown, around the place
_GLUE = "\x00"  # stands for a blank at which a line is not broken
COLOURS = {Severity.WARNING: "bold yellow", Severity.NOTE: "bold cyan"}
_SHORTEST_LINE = 40  # in a terminal narrower than this nothing reads well


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
    """What is allowed, but probably not meant, or not all that should be said."""

    rule: str = ""
    silenced: str = ""  # why the author does not want to hear it

    def silenced_by(self, reason: str) -> "Advice":
        return replace(self, silenced=reason)


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


def rendered(finding: Finding, *, why: bool = True, width: int | None = None) -> Text:
    """Some lines: what is wrong, where, the line itself with the place underlined, and what to do.

    `why`: whether to give the reason of the rule, too. `width`: of the terminal, in which no line is to break by itself.
    """
    title, colour, reason, silenced = "error", "bold red", "", ""
    if isinstance(finding, Advice):
        rule = RULES.get(finding.rule)  # other commands than `check` have rules of their own
        title = f"{rule.severity.value if rule else 'advice'}[{finding.rule}]"
        colour = COLOURS[rule.severity if rule else Severity.WARNING]
        reason, silenced = rule.reason if rule and why else "", finding.silenced
    gutter = len(str(finding.line)) if finding.line else 1
    margin = ("\n" + " " * (gutter + 1), "")
    message = wrapped(f"{title}: {finding.message}", width, 0)
    parts: list[tuple[str, str]] = [(title, colour), (message.removeprefix(title), "bold")]
    parts += [(f"\n{' ' * gutter}--> ", "blue"), (finding.where, "")]
    if finding.line and finding.source:
        longest = _LINE_LENGTH if width is None else max(_SHORTEST_LINE, width - gutter - 5)
        before, marked, after = _window(finding, min(longest, _LINE_LENGTH))
        parts += [margin, ("|", "blue"), (f"\n{finding.line} | ", "blue"), (before + marked + after, "")]
        parts += [margin, ("| ", "blue"), (" " * len(before) + "^" * max(1, len(marked)), colour)]
    notes = (
        ("at", _printable(finding.path)),
        ("why", reason),
        ("help", finding.help),
        ("silenced", silenced),
    )
    for word, text in notes:
        if text:
            lead = f"= {word}{' ' if word == 'at' else ': '}"
            parts += [margin, (lead, "blue"), (wrapped(text, width, gutter + 1 + len(lead)), "")]
    return Text.assemble(*parts)


def wrapped(text: str, width: int | None, indent: int) -> str:
    """Broken between words, the later lines below the beginning of the first; what one may copy stays in one piece."""
    if width is None:
        return text
    room = max(_SHORTEST_LINE, width - indent)
    whole = re.sub(
        "`[^`]*`", lambda code: code[0].replace(" ", _GLUE) if len(code[0]) < room else code[0], text
    )
    lines = textwrap.wrap(whole, room, break_long_words=False, break_on_hyphens=False)
    return ("\n" + " " * indent).join(lines).replace(_GLUE, " ")


def _window(finding: Finding, longest: int) -> tuple[str, str, str]:
    """The source line before, at and after the place, cut to what one can take in."""
    line = _printable(finding.source)
    start = finding.column - 1
    end = min(start + finding.length, len(line), start + longest)
    if len(line) <= longest:
        return line[:start], line[start:end], line[end:].rstrip()
    first = max(0, min(start - longest // 2, len(line) - longest))
    last = max(first + longest, end)
    before = ("…" if first else "") + line[first:start]
    return before, line[start:end], line[end:last].rstrip() + ("…" if last < len(line) else "")


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)
