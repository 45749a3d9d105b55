"""The pages of the documentation that show commands: each is answered as they say, and none is left out."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from slamon.cli import main
from tests.shell.documentation import answered, examples_of, files_of, is_answered, page

PAGES = ("quickstart.md", "commands.md", "explain.md", "operating/security.md")
# They need a Kafka, or start one.
NAMED_ONLY = {
    "run",
    "doctor",
    "publish",
    "repartition",
    "topics create",
    "demo",
    *(f"dead-letters {word}" for word in ("list", "retry", "dismiss")),
}
ASKED = {"--help", "--version"}
NEED_KAFKA = {"--config"}  # of a command that does without, too
WRITTEN = ("clocks", "standings", "statements", "credits", "alerts", "rejected")


@pytest.mark.parametrize("name", PAGES)
def test_the_page_shows_what_its_commands_say(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    files_of(page(name), tmp_path)
    examples = examples_of(page(name))
    assert len(examples) >= 2
    for example in examples:
        said, code = answered(example.command)
        if not is_answered(example.output, said):
            assert said == example.output, example.command
        assert code == example.code, example.command


def commands(group: click.Group, above: str = "") -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{above}{name} ")
        else:
            yield f"{above}{name}", command


@pytest.mark.parametrize(("name", "command"), list(commands(main)), ids=[name for name, _ in commands(main)])
def test_every_command_is_on_the_page_and_every_option_in_an_example(
    name: str, command: click.Command
) -> None:
    assert f"`slamon {name}" in page("commands.md").read_text(encoding="utf-8")
    if name in NAMED_ONLY:
        return
    of_it = [
        each.command
        for file in PAGES
        for each in examples_of(page(file))
        if each.command.startswith(f"slamon {name} ")
    ]
    shown = {word for each in of_it for word in each.split() if word.startswith("--")}
    options = {option for one in command.params if isinstance(one, click.Option) for option in one.opts[:1]}
    assert of_it
    assert options - ASKED - NEED_KAFKA == shown - NEED_KAFKA


def test_every_choice_of_an_option_is_in_an_example() -> None:
    shown = " ".join(each.command for file in PAGES for each in examples_of(page(file)))
    assert set(re.findall(r"--format (\w+)", shown)) == {"json", "github"}, "text is what is shown without it"


def test_every_member_of_what_a_replay_writes_is_on_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = page("commands.md").read_text(encoding="utf-8")
    files_of(page("commands.md"), tmp_path)
    _, code = answered("slamon replay --agreements support.yaml --events events.ndjson --out all")
    assert code == 0
    assert {path.name for path in Path("all").iterdir()} == {f"{name}.ndjson" for name in WRITTEN}
    for name in WRITTEN:
        row = next(line for line in text.splitlines() if line.startswith(f"| `{name}.ndjson` |"))
        lines = (Path("all") / f"{name}.ndjson").read_text(encoding="utf-8").splitlines()
        (members,) = {tuple(json.loads(line)) for line in lines}
        named = row.split(" | ")[2]
        assert re.findall(r"`(\w+)`", named) == list(members)
