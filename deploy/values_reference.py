"""Writes the reference of the chart's values from the comments of its values.yaml, for people who read rather than scroll.

What stands above a value describes it; lines that begin with two blanks more are examples, and are left out.

    python deploy/values_reference.py [--check]
"""
# ruff: noqa: INP001, T201 - a script beside the chart, not a package; it prints

import argparse
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

HERE = Path(__file__).resolve().parent
VALUES = HERE / "helm" / "slamon" / "values.yaml"
PAGE = HERE.parent / "docs" / "operating" / "chart-values.md"
WHOLE = {"resources", "settings"}  # what Kubernetes and `slamon schema settings` describe
HEAD = """\
# The values of the Helm chart

Written by `deploy/values_reference.py` from `deploy/helm/slamon/values.yaml`, where they stand with examples. What is misspelt
is refused, also inside `settings`. [Installing it in Kubernetes](kubernetes.md) says which of them you need.

| value | default | |
|---|---|---|
"""


def main(arguments: list[str]) -> int:
    """Write the page, or with --check say whether it is as it would be written (1: it is not)."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit with 1 if the page is out of date"
    )
    check: bool = parser.parse_args(arguments).check
    page = HEAD + "".join(rows(VALUES.read_text()))
    if not check:
        PAGE.write_text(page)
        return 0
    same = PAGE.is_file() and PAGE.read_text() == page
    if not same:
        print(f"{PAGE.name} is not what the values say: run `python deploy/values_reference.py`")
    return int(not same)


def rows(text: str) -> Iterator[str]:
    """A line of the table for each value; those of a section follow it."""
    lines = text.splitlines()
    root = yaml.compose(text)
    assert isinstance(root, yaml.MappingNode)
    yield from _rows(root, "", lines)


def _rows(section: yaml.MappingNode, path: str, lines: list[str]) -> Iterator[str]:
    for key, value in section.value:
        name = f"{path}{key.value}"
        told = _comment_above(key.start_mark.line, lines)
        if not told:
            raise SystemExit(f"values.yaml:{key.start_mark.line + 1}: {name} has no comment")
        if isinstance(value, yaml.MappingNode) and not value.flow_style and name not in WHOLE:
            yield f"| **`{name}`** | | {told} |\n"
            yield from _rows(value, f"{name}.", lines)
        else:
            yield f"| `{name}` | `{json.dumps(_plain(value), ensure_ascii=False)}` | {told} |\n"


def _plain(node: yaml.Node) -> object:
    return yaml.safe_load(yaml.serialize(node))


def _comment_above(line: int, lines: list[str]) -> str:
    """As one line of a table."""
    found: list[str] = []
    while line > 0 and (match := re.match(r" *#( ? ?)(.*)", lines[line - 1])):
        line -= 1
        if match[1] != "  ":
            found.insert(0, match[2])
    return re.sub(r" +", " ", " ".join(found)).replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
