"""Every block of the documentation proves what it says, or says why it cannot; and what it names in passing is there.

Agreements, stories and events are proven by `tests/scenarios/test_book.py`, commands by `test_commands.py` and, where they
need a Kafka, by `tests/end_to_end/test_documentation.py`; the rest is proven here.
"""

import json
import re
import shlex
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import jsonschema
import kubernetes_validate
import pytest
import yaml

from slamon.cli import main
from slamon.settings import read_settings
from tests.shell.documentation import (
    ELSEWHERE,
    KINDS,
    PAGES,
    ROOT,
    UNRUN,
    Block,
    blocks,
    examples_of,
    files_of,
    of_kind,
    typed_in,
)

CHART = ROOT / "deploy" / "helm" / "slamon"
KUBERNETES = "1.37.0"
OF_OPERATORS = ("monitoring.coreos.com/", "keda.sh/")  # whose schemas are looked at with the chart
Part = Callable[[str], Path]

SPAN = re.compile(r"(?<![`\w])`(slamon [a-z][^`]*)`(?!`)")
FENCED = re.compile(r"^ *(```+)[^`]*?^ *\1", re.MULTILINE | re.DOTALL)


def every_block() -> list[Block]:
    return [block for path in PAGES for block in blocks(path)]


def is_used(block: Block) -> bool:
    """Whether commands of its page, or other files there, name the file that it shows, or its folder."""
    others = [other for other in blocks(ROOT / block.page) if other != block]
    texts = [each.command for other in others if other.language == "console" for each in typed_in(other)]
    texts += [other.text for other in others if other.name]
    name = re.escape(block.name.partition("/")[0])
    return any(re.search(rf"(?<![\w.]){name}\b", text) for text in texts)


def complaint(block: Block) -> str:
    if block.mark.startswith(UNRUN):
        return "" if len(block.mark.removeprefix(UNRUN).split()) >= 3 else "say why it is not run"
    if block.language == "file" or (block.name and not block.mark):
        return "" if is_used(block) else f"nothing on the page names {block.name}"
    if (block.page, block.kind) in ELSEWHERE:
        return ""
    if block.kind not in KINDS:
        return f"`{block.kind}` is no kind of tests/shell/documentation.py, and does not say `{UNRUN}why`"
    return "" if block.language != "console" or typed_in(block) else "no command stands behind `$ `"


def test_every_block_is_run_or_says_why_it_is_not() -> None:
    complaints = {str(block): complaint(block) for block in every_block()}
    assert {block: said for block, said in complaints.items() if said} == {}
    assert len(complaints) > 250, "blocks are not found"


def test_a_block_that_is_proven_elsewhere_is_named_there() -> None:
    for (page, _), test in ELSEWHERE.items():
        if (ROOT / page).is_file():
            assert Path(page).name in (ROOT / test).read_text(encoding="utf-8"), test


def test_no_fence_is_overlooked() -> None:
    for path in PAGES:
        fences = re.findall(r"^ *(?:```+|~~~+)[^`\n]*$", path.read_text(encoding="utf-8"), re.MULTILINE)
        found = [block for block in blocks(path) if not _hidden(block)]
        assert len(fences) == 2 * len(found), path


def _hidden(block: Block) -> bool:
    line = (ROOT / block.page).read_text(encoding="utf-8").splitlines()[block.line - 1]
    return line.lstrip().startswith("<!--")


def test_a_block_that_proves_nothing_is_found_out(tmp_path: Path) -> None:
    page = ROOT / "docs" / "agreements.md"
    drawn = {
        Block("docs/agreements.md", 1, "sh", "", "slamon run\n", ""),
        Block("docs/agreements.md", 1, "yaml", "agrement", "a: 1\n", ""),
        Block("docs/agreements.md", 1, "text", "unrun: ", "a drawing\n", ""),
        Block("docs/agreements.md", 1, "json", "", "{}\n", "nobody-reads.json"),
        Block("docs/agreements.md", 1, "console", "", "slamon check\n", ""),
    }
    assert page.is_file()
    assert all(complaint(block) for block in drawn)


def merged(defaults: Any, given: Any) -> Any:
    """As Helm lays given values over a chart's own."""
    if not isinstance(defaults, dict) or not isinstance(given, dict):
        return given
    both = {key: merged(defaults[key], value) if key in defaults else value for key, value in given.items()}
    return {**defaults, **{key: value for key, value in both.items() if value is not None}}


def kept(folder: Path, text: str) -> Path:
    file = folder / "block.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def accepted(program: Path, *arguments: str | Path) -> None:
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def settings(block: Block, part: Part, folder: Path) -> None:
    read_settings(kept(folder, block.text))


def values(block: Block, part: Part, folder: Path) -> None:
    defaults = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    whole = merged(defaults, yaml.safe_load(block.text))
    jsonschema.validate(whole, json.loads((CHART / "values.schema.json").read_text(encoding="utf-8")))
    read_settings(kept(folder, yaml.safe_dump(whole.get("settings") or {})))


def kubernetes(block: Block, part: Part, folder: Path) -> None:
    for document in yaml.safe_load_all(block.text):
        assert {"apiVersion", "kind", "metadata"} <= document.keys()
        if not document["apiVersion"].startswith(OF_OPERATORS):
            kubernetes_validate.validate(document, KUBERNETES, strict=True)


def prometheus(block: Block, part: Part, folder: Path) -> None:
    what = ("rules",) if "groups" in yaml.safe_load(block.text) else ("config", "--syntax-only")
    accepted(part("promtool"), "check", *what, kept(folder, block.text))


def promql(block: Block, part: Part, folder: Path) -> None:
    lines = [line for line in block.text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    rules = [{"record": f"shown:number_{number}", "expr": line} for number, line in enumerate(lines)]
    assert rules
    group = yaml.safe_dump({"groups": [{"name": "shown", "rules": rules}]})
    prometheus(block._replace(text=group), part, folder)


def alertmanager(block: Block, part: Part, folder: Path) -> None:
    accepted(part("amtool"), "check-config", kept(folder, block.text))


def make(block: Block, part: Part, folder: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for line in block.text.splitlines():
        program, *words = shlex.split(line, comments=True)
        assert program == "make"
        for word in words:
            variable, is_one, _ = word.partition("=")
            assert re.search(rf"^{variable} *\?=" if is_one else rf"^{word}:", makefile, re.MULTILINE), word


def helm(block: Block, part: Part, folder: Path) -> None:
    """What would be installed is rendered, by the files and options that the page gives."""
    files_of(ROOT / block.page, folder)
    rendered = 0
    for line in block.text.replace("\\\n", "").splitlines():
        program, action, *words = shlex.split(line, comments=True)
        if (program, action) not in (("helm", "install"), ("helm", "upgrade")):
            continue
        rendered += 1
        words = [word for word in words if word not in ("--create-namespace", "--install", "--wait")]
        words = [str(ROOT / word) if word.startswith("deploy/") else word for word in words]
        words = [str(folder / word) if (folder / word).is_file() else word for word in words]
        accepted(part("helm"), "template", *words)
    assert rendered, "helm neither installs nor upgrades anything here"


def parsed(block: Block, part: Part, folder: Path) -> None:
    json.loads(block.text)


PROOFS: dict[str, Callable[[Block, Part, Path], None]] = {
    "yaml settings": settings,
    "yaml values": values,
    "yaml kubernetes": kubernetes,
    "yaml prometheus": prometheus,
    "yaml alertmanager": alertmanager,
    "promql": promql,
    "sh make": make,
    "sh helm": helm,
    "json": parsed,
}


@pytest.mark.parametrize(
    "block", [block for block in of_kind(*PROOFS) if block.mark or not block.name], ids=str
)
def test_the_block_is_taken_by_whom_it_is_for(block: Block, part: Part, tmp_path: Path) -> None:
    PROOFS[block.kind](block, part, tmp_path)


# What is named in passing: between backticks, in a sentence or a table.


def commands_in_passing() -> Iterator[tuple[str, str]]:
    for path in PAGES:
        prose = FENCED.sub("", path.read_text(encoding="utf-8"))
        for span in sorted(set(SPAN.findall(prose))):
            yield path.relative_to(ROOT).as_posix(), " ".join(span.split())


@pytest.mark.parametrize(("page", "span"), list(commands_in_passing()))
def test_a_command_that_is_named_in_passing_is_one_with_these_options(page: str, span: str) -> None:
    words = span.split(" | ", maxsplit=1)[0].split(" > ", maxsplit=1)[0].split()[1:]
    command: click.Command = main
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        assert words[0] in command.commands or words[0] in ("COMMAND", "…"), f"{page}: {span}"
        if words[0] not in command.commands:
            return
        command = command.commands[words.pop(0)]
    known = {option for one in command.params for option in one.opts} | {"--help", "--version", "-h"}
    assert {word.partition("=")[0] for word in words if word.startswith("--")} <= known, f"{page}: {span}"


def test_examples_without_a_kafka_stand_on_pages_that_are_tried() -> None:
    from tests.shell.test_commands import PAGES as TRIED

    shown = {path.relative_to(ROOT / "docs").as_posix() for path in PAGES if examples_of(path)}
    assert shown <= set(TRIED)
