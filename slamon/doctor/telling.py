"""The findings as people and as programs read them."""

import enum
from collections import Counter
from collections.abc import Iterator, Sequence

import click
import orjson

from slamon.doctor.findings import Finding, Group, Level, counted

COLOURS = {Level.ERROR: "red", Level.WARNING: "yellow", Level.OK: "green"}
WIDTH = max(len(level.value) for level in Level)


class Form(enum.Enum):
    TEXT = "text"
    JSON = "json"


def told(found: Sequence[tuple[Group, Finding]], form: Form) -> Iterator[str]:
    yield from _json(found) if form is Form.JSON else _text(found)


def _text(found: Sequence[tuple[Group, Finding]]) -> Iterator[str]:
    for group in Group:
        findings = [finding for of, finding in found if of is group]
        if not findings:
            continue
        yield group.value.capitalize()
        for finding in findings:
            word = click.style(f"{finding.level.value:<{WIDTH}}", fg=COLOURS[finding.level])
            yield f"  {word}  {finding.what}"
            if finding.help:
                yield f"  {'':{WIDTH}}  → {finding.help}"
    count = Counter(finding.level for _, finding in found)
    errors, warnings = counted(count[Level.ERROR], "error"), counted(count[Level.WARNING], "warning")
    yield ""
    yield f"{errors}, {warnings}" if count[Level.ERROR] or count[Level.WARNING] else "all is well"


def _json(found: Sequence[tuple[Group, Finding]]) -> Iterator[str]:
    count = Counter(finding.level for _, finding in found)
    document = {
        "findings": [
            {
                "group": group.value,
                "level": finding.level.value,
                "what": finding.what,
                "help": finding.help or None,
            }
            for group, finding in found
        ],
        "summary": {level.value: count[level] for level in Level},
    }
    yield orjson.dumps(document, option=orjson.OPT_INDENT_2).decode()
