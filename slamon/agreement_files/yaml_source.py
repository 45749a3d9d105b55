"""YAML text as nodes that know their place: every scalar as its source text, nothing guessed.

PyYAML only finds the structure. What its types would do to `NO`, `02:00` or `1.10` does not happen here, and what makes
a file mean more than one reads is refused: repeated keys, anchors, aliases and tags.
"""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import yaml
from yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    Event,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
)

from slamon.agreement_files.findings import Place, Report, quoted

_DEEPEST = 24  # no agreement nests deeper than 8; a reader that recurses needs some limit
_LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")  # what PyYAML counts as one


class Scalar(NamedTuple):
    text: str
    at: Place
    refused: bool = False  # stands for what is already reported


class Listing(NamedTuple):
    items: tuple["Node", ...]
    at: Place


class Mapping(NamedTuple):
    entries: dict[str, "Entry"]
    at: Place


Node = Scalar | Listing | Mapping


class Entry(NamedTuple):
    key_at: Place
    value: Node


def documents(file: str, data: bytes, report: Report) -> list[Node]:
    """The documents of one file; those before a syntax fault are still read. Empty documents are left out."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - (data.rfind(b"\n", 0, error.start) + 1) + 1
        source = data.split(b"\n")[line - 1].decode("utf-8", "replace")
        report.fault(
            Place(file, line, column, source=source),
            "this is not UTF-8 text",
            "save the file with the encoding UTF-8",
        )
        return []
    return _Builder(file, text, report).documents()


class _Builder:
    def __init__(self, file: str, text: str, report: Report) -> None:
        self._file = file
        self._text = text
        self._lines = _LINE_BREAK.split(text)
        self._report = report

    def documents(self) -> list[Node]:
        events, error = _events(self._text)
        found = []
        stream = iter(events)
        for event in stream:
            if isinstance(event, DocumentStartEvent):
                node = self._node(next(stream, None), stream, "", None, 0)
                # A document that runs into the syntax fault is not read: what it lacks may come after the fault.
                complete = isinstance(next(stream, None), DocumentEndEvent)
                if complete and (not isinstance(node, Scalar) or node.text or node.refused):
                    found.append(node)
        if error is not None:
            self._syntax_fault(error)
        return found

    def _node(
        self, event: Event | None, stream: Iterator[Event], path: str, key_at: Place | None, depth: int
    ) -> Node:
        if event is None:  # a syntax fault follows
            return Scalar("", Place(self._file), refused=True)
        at = self._place(event, path)
        if isinstance(event, AliasEvent):
            self._report.fault(at, "aliases are not used here", "write the value out where it is meant")
            return Scalar("", at, refused=True)
        assert isinstance(event, NodeEvent)
        self._refuse_marks(event, at)
        if isinstance(event, ScalarEvent):
            return Scalar(event.value, at)
        if depth == _DEEPEST:
            self._report.fault(at, f"this is nested more than {_DEEPEST} deep")
            _skip_collection(stream)
            return Scalar("", at, refused=True)
        if isinstance(event, MappingStartEvent):
            return Mapping(self._entries(stream, path, depth), key_at or at)
        items: list[Node] = []
        for inner in stream:
            if isinstance(inner, CollectionEndEvent):
                break
            items.append(self._node(inner, stream, f"{path}[{len(items)}]", None, depth + 1))
        return Listing(tuple(items), key_at or at)

    def _entries(self, stream: Iterator[Event], path: str, depth: int) -> dict[str, Entry]:
        entries: dict[str, Entry] = {}
        for event in stream:
            if isinstance(event, CollectionEndEvent):
                break
            if not isinstance(event, ScalarEvent):
                key = self._node(event, stream, path, None, depth + 1)
                self._node(next(stream, None), stream, path, None, depth + 1)
                self._report.fault(key.at, "a key is one word, not a list, a mapping or an alias")
                continue
            text = event.value
            below = f"{path}.{text}" if path else text
            key_at = self._place(event, below)
            self._refuse_marks(event, key_at)
            value = self._node(next(stream, None), stream, below, key_at, depth + 1)
            if text in entries:
                first = entries[text].key_at.line
                self._report.fault(
                    key_at, f"{quoted(text)} is already set in line {first}", "keep one of the two"
                )
            else:
                entries[text] = Entry(key_at, value)
        return entries

    def _refuse_marks(self, event: NodeEvent, at: Place) -> None:
        if event.anchor is not None:
            self._report.fault(
                at,
                f"anchors are not used here: {quoted('&' + event.anchor)}",
                "write the value out where it is meant, and text that begins with `&` in quotes",
            )
        tag = getattr(event, "tag", None)
        if tag is not None:
            self._report.fault(
                at,
                f"tags are not used here: {quoted(tag.replace('tag:yaml.org,2002:', '!!'))}",
                "leave the tag out, and write text that begins with `!` in quotes",
            )

    def _place(self, event: Event, path: str) -> Place:
        start, end = event.start_mark, event.end_mark
        assert start is not None
        assert end is not None
        source = self._lines[start.line] if start.line < len(self._lines) else ""
        if not isinstance(event, (ScalarEvent, AliasEvent)):
            length = 1
        elif end.line == start.line:
            length = end.column - start.column
        else:
            length = len(source.rstrip()) - start.column
        return Place(self._file, start.line + 1, start.column + 1, path, max(1, length), source)

    def _syntax_fault(self, error: yaml.YAMLError) -> None:
        message, advice, line, column = _explained(error, self._text)
        while (
            line and line >= len(self._lines) - 1 and not self._lines[min(line, len(self._lines) - 1)].strip()
        ):
            line = min(line, len(self._lines)) - 1  # "at the end of the file" is where its last words are
            column = len(self._lines[line].rstrip())
        source = self._lines[line] if line < len(self._lines) else ""
        self._report.fault(Place(self._file, line + 1, column + 1, source=source), message, advice)


def _skip_collection(stream: Iterator[Event]) -> None:
    """Reads over the rest of a collection, so that what follows keeps its place."""
    still_open = 1
    while still_open and (event := next(stream, None)) is not None:
        still_open += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)


def _events(text: str) -> tuple[list[Event], yaml.YAMLError | None]:
    """By the fast parser; where that fails by the other, which has the better words and does not vary by build."""
    events, error = _parsed(text, getattr(yaml, "CBaseLoader", yaml.BaseLoader))
    return (events, error) if error is None else _parsed(text, yaml.BaseLoader)


def _parsed(text: str, loader: Any) -> tuple[list[Event], yaml.YAMLError | None]:
    events: list[Event] = []
    try:
        for event in yaml.parse(text, Loader=loader):
            events.append(event)  # noqa: PERF402 - what came before an error is wanted
    except yaml.YAMLError as error:
        return events, error
    return events, None


_SPACING = (
    "a blank follows the `:` of a key, entries of one block begin in the same column, "
    "and text that contains `: ` stands in quotes"
)
# What PyYAML says, and how to say it to somebody who does not know its grammar; `context` marks where it began.
_SYNTAX: tuple[tuple[str, str, str, bool], ...] = (
    (r"found character '\\t' that cannot start", "a tab cannot indent YAML", "replace it with blanks", False),
    (
        r"found character '(.)' that cannot start",
        r"text cannot begin with `\1`",
        "put the text in quotes",
        False,
    ),
    (r"mapping values are not allowed here", "a key is not expected here", _SPACING, False),
    (r"could not find expected ':'", "this line is neither `key: value` nor a list entry", _SPACING, True),
    (
        r"expected ',' or '\}', but got",
        "the `{` that is opened here does not end where it should",
        "close it with `}` and separate its entries with `,`",
        True,
    ),
    (
        r"expected ',' or '\]', but got",
        "the `[` that is opened here does not end where it should",
        "close it with `]` and separate its entries with `,`",
        True,
    ),
    (
        r"found unexpected end of stream",
        "the quote that is opened here is never closed",
        "close it on the same line",
        True,
    ),
    (
        r"found unknown escape character '(.)'",
        r"`\\\1` means nothing inside \"…\"",
        "write the text in '…'",
        False,
    ),
    (
        r"sequence entries are not allowed here",
        "a list entry is not expected here",
        "begin the list on a line of its own",
        False,
    ),
    (
        r"expected <block end>, but found '(<block mapping start>|<block sequence start>|\?|-)'",
        "this line does not fit the indentation of the lines above",
        "entries of one block begin in the same column",
        False,
    ),
    (
        r"expected <block end>, but found",
        "this is too much for one value",
        "put the whole text in quotes, or remove the rest",
        False,
    ),
    (r"expected '<document start>', but found", "a document begins with `---`", "", False),
    (
        r"expected the node content, but found '<stream end>'",
        "the file ends too early",
        "close what was opened with `{` or `[`",
        False,
    ),
    (
        r"expected alphabetic or numeric character",
        "`&` and `*` have a meaning of their own in YAML",
        "put the text in quotes",
        False,
    ),
)


def _explained(error: yaml.YAMLError, text: str) -> tuple[str, str, int, int]:
    """Message, help, line and column, counted from 0."""
    if isinstance(error, yaml.reader.ReaderError):
        before = _LINE_BREAK.split(text[: error.position])
        message = f"the character U+{ord(text[error.position]):04X} cannot stand in YAML"
        return message, "remove it", len(before) - 1, len(before[-1])
    if not isinstance(error, yaml.MarkedYAMLError):
        return f"this is not YAML: {error}", "", 0, 0
    problem = error.problem or str(error)
    mark = error.problem_mark or error.context_mark
    for pattern, message, advice, at_context in _SYNTAX:
        found = re.match(pattern, problem)
        if found:
            if at_context and error.context_mark:
                mark = error.context_mark
            line, column = (mark.line, mark.column) if mark else (0, 0)
            return found.expand(message).replace('\\"', '"'), advice, line, column
    line, column = (mark.line, mark.column) if mark else (0, 0)
    return f"this is not YAML: {problem}", "", line, column
