"""What authors are told: each file of `broken` and `advised` has beside it, word for word, the answer to `slamon check`."""

import io
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from slamon.check import Format, check
from slamon.cli import main

HERE = Path(__file__).parent
CONFIG = HERE.parents[1] / "config"
BROKEN = sorted((HERE / "broken").glob("*.yaml"))
ADVISED = sorted((HERE / "advised").glob("*.yaml"))


def never(zone: str) -> date:
    raise AssertionError(f"nobody asked what day it is in {zone}")


def answer(*paths: Path, form: Format = Format.TEXT, **options: Any) -> tuple[int, str]:
    out = io.StringIO()
    code = check(paths, out, form=form, on=never, **options)
    return code, out.getvalue()


def command(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["check", *map(str, arguments)])


@pytest.mark.parametrize("file", BROKEN, ids=lambda file: file.stem)
def test_a_broken_file_is_answered_word_for_word(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.parent)
    assert answer(Path(file.name)) == (1, file.with_suffix(".txt").read_text(encoding="utf-8"))


@pytest.mark.parametrize("file", ADVISED, ids=lambda file: file.stem)
def test_advice_is_given_word_for_word_and_fails_nothing(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.parent)
    assert answer(Path(file.name)) == (0, file.with_suffix(".txt").read_text(encoding="utf-8"))


def test_every_answer_belongs_to_a_file() -> None:
    answers = {*(HERE / "broken").glob("*.txt"), *(HERE / "advised").glob("*.txt")}
    assert answers == {file.with_suffix(".txt") for file in (*BROKEN, *ADVISED)}


def test_the_shipped_agreements_have_neither_faults_nor_advice() -> None:
    assert answer(CONFIG / "agreements", CONFIG / "calendars") == (
        0,
        "4 agreements, 4 calendars: no faults, 10 silenced\n",
    )


def test_the_whole_config_directory_can_be_checked() -> None:
    code, text = answer(CONFIG)
    assert code == 0
    assert text.startswith("4 agreements, 4 calendars: no faults")
    assert text.count("\n") == 1


def test_a_path_that_does_not_exist_is_wrong_usage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = command("agrements")
    assert (result.exit_code, result.output) == (2, "error: agrements: No such file or directory\n")


def test_a_directory_without_yaml_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    code, text = answer(Path("empty"))
    assert code == 1
    assert text.splitlines() == [
        "error: no *.yaml or *.yml file in this directory",
        " --> empty",
        "  = help: is it the right one?",
        "",
        "1 fault in 1 file",
    ]


def test_a_file_of_another_kind_in_a_directory_is_named_and_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "slamon.yaml").write_text("application_id: slamon\nkafka: {partitions: 8}\n")
    (tmp_path / "acme.yaml").write_text((CONFIG / "calendars" / "office-hours.yaml").read_text())
    assert answer(Path()) == (
        0,
        "0 agreements, 2 calendars: no faults (left out, for it is something else: slamon.yaml)\n",
    )


def test_the_same_file_named_by_the_user_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "slamon.yaml").write_text("application_id: slamon\n")
    code, text = answer(Path("slamon.yaml"))
    assert code == 1
    assert "error: `apiVersion` is missing\n --> slamon.yaml:1:1\n" in text


def test_colours_are_for_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    out = Terminal()
    check([HERE / "broken" / "tab.yaml"], out, on=never)
    assert "\x1b[1;31merror\x1b[0m" in out.getvalue()


def test_a_value_cannot_move_the_cursor_of_the_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "evil.yaml").write_text('apiVersion: "slamon\\e[2J"\nkind: Agreement\n')
    assert "\x1b" not in answer(Path("evil.yaml"))[1]
