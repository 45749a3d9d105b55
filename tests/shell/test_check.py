"""What authors are told: each file of `broken` and `advised` has beside it, word for word, the answer to `slamon check`.

Each folder of `compared` holds an old and a new state, and what `--against` says of them on 2026-11-24.
"""

import io
import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from slamon.agreement_files import RULES
from slamon.check import Format, check
from slamon.cli import main

HERE = Path(__file__).parent
CONFIG = HERE.parents[1] / "config"
BROKEN = sorted((HERE / "broken").glob("*.yaml"))
ADVISED = sorted((HERE / "advised").glob("*.yaml"))
COMPARED = sorted((HERE / "compared").iterdir())


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
        "4 agreements, 4 calendars: no faults, 5 silenced\n",
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


# Formats


def told_as_json(*paths: Path, **options: Any) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(answer(*paths, form=Format.JSON, **options)[1])
    return document


def test_json_holds_every_finding_with_its_rule_place_and_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(HERE / "advised")
    document = told_as_json(Path("silenced.yaml"))
    assert document["summary"] == {
        "files": 1,
        "agreements": 2,
        "calendars": 0,
        "errors": 0,
        "advice": 5,
        "silenced": 7,
        "left_out": [],
    }
    assert document["changes"] is None
    pauses = [finding for finding in document["findings"] if finding["rule"] == "pause-on-supplier"]
    reason = RULES["pause-on-supplier"].reason
    common = {
        "level": "advice",
        "severity": "warning",
        "rule": "pause-on-supplier",
        "file": "silenced.yaml",
        "message": "waiting on `supplier` stops the clock, though the customer waits on",
        "reason": reason,
        "help": "write `waitingOn: [customer]`; if a clause allows it, silence this and name the clause",
    }
    path = "spec.objectives[{}].ticketClock.pauseWhile.waitingOn"
    assert pauses == [
        {**common, "line": 12, "column": 111, "path": path.format(0), "silenced": None},
        {
            **common,
            "line": 15,
            "column": 108,
            "path": path.format(1),
            "silenced": "§ 4.2: parts come from a supplier whom ACME chose",
        },
    ]


def test_json_holds_faults_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(HERE / "broken")
    (finding,) = told_as_json(Path("tab.yaml"))["findings"]
    assert finding == {
        "level": "error",
        "severity": "error",
        "rule": None,
        "file": "tab.yaml",
        "line": 5,
        "column": 1,
        "path": "",
        "message": "a tab cannot indent YAML",
        "reason": None,
        "help": "replace it with blanks",
        "silenced": None,
    }


def test_json_of_nothing_to_say_is_still_a_document() -> None:
    assert told_as_json(CONFIG / "calendars")["findings"] == []


def test_github_is_told_the_line_and_nothing_breaks_its_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = (HERE / "broken" / "missing.yaml").read_text()
    Path("50%, really: a\nname.yaml").write_text(text)
    code, told = answer(Path("50%, really: a\nname.yaml"), form=Format.GITHUB)
    assert code == 1
    *commands, summary = told.splitlines()
    assert summary.endswith("in 1 file")
    assert {line.partition(",line=")[0] for line in commands} == {
        "::error file=50%25%2C really%3A a%0Aname.yaml"
    }


def test_github_is_told_how_much_a_finding_weighs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(HERE / "advised")
    lines = answer(Path("silenced.yaml"), form=Format.GITHUB)[1].splitlines()
    reason = RULES["service-without-objective"].reason
    assert lines[0] == (
        "::notice file=silenced.yaml,line=8,col=42,endColumn=48,title=service-without-objective::"
        f"nothing is promised for the service `phones`%0AWhy: {reason}%0AHelp: add an objective with `service: phones`"
    )
    assert lines[1].startswith(
        "::warning file=silenced.yaml,line=12,col=111,endColumn=119,title=pause-on-supplier::"
    )
    assert len(lines) == 6


def test_silenced_advice_is_shown_on_request_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(HERE / "advised")
    text = answer(Path("silenced.yaml"), show_silenced=True)[1]
    assert "   = silenced: § 4.2: parts come from a supplier whom ACME chose\n" in text
    assert text.count("= silenced: ") == 7
    assert (
        "Silenced: the rest is best effort"
        in answer(Path("silenced.yaml"), show_silenced=True, form=Format.GITHUB)[1]
    )


@pytest.mark.parametrize(("file", "code"), [("advised/advice.yaml", 1), ("../../config", 0)])
def test_strict_fails_on_advice_but_not_on_what_is_silenced(file: str, code: int) -> None:
    assert command(HERE / file, "--strict").exit_code == code


def test_the_rules_are_listed_for_people_and_for_programs() -> None:
    listed = json.loads(command("--rules", "--format", "json").output)
    assert [rule["rule"] for rule in listed] == list(RULES)
    assert all(rule["reason"] and rule["help"] and rule["severity"] in {"warning", "note"} for rule in listed)
    text = command("--rules").output
    assert [line for line in text.splitlines() if line.endswith("]")] == [
        f"{rule.severity.value}[{rule.name}]" for rule in RULES.values()
    ]


def test_without_paths_it_says_how_it_is_used() -> None:
    result = command()
    assert result.exit_code == 2
    assert "Missing argument" in result.output


def test_a_terminal_breaks_no_line_that_could_have_been_broken_between_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.chdir(HERE / "advised")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    out = Terminal()
    check([Path("advice.yaml")], out, on=never)
    plain = re.sub("\x1b\\[[0-9;]*m", "", out.getvalue())
    assert [line for line in plain.splitlines() if len(line) > 80] == []
    assert "add `attainment: {target: 95%, minimumTickets: 20}`, or\n           `{target: 100%}` if" in plain


# A change of the files


@pytest.mark.parametrize("folder", COMPARED, ids=lambda folder: folder.name)
def test_a_change_is_told_word_for_word(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    result = command("new.yaml", "--against", "old.yaml", "--on", "2026-11-24")
    assert (result.exit_code, result.output) == (0, (folder / "told.txt").read_text(encoding="utf-8"))


@pytest.mark.parametrize("form", Format)
def test_the_same_state_is_no_change(form: Format) -> None:
    code, text = answer(CONFIG, form=form, against=[CONFIG])
    assert code == 0
    assert '"changes": []' in text if form is Format.JSON else "nothing changed" in text


def test_programs_get_each_term_and_the_periods_that_are_judged_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(HERE / "compared" / "correction")
    result = command("new.yaml", "--against", "old.yaml", "--on", "2026-11-24", "--format", "json")
    (change,) = json.loads(result.output)["changes"]
    assert change["kind"] == "correction"
    assert change["effective"] == {"from": "2026-01-01", "to": None}
    assert {
        "path": "objectives[api].availability.target",
        "old": "99.9%",
        "new": "99.95%",
        "judges": True,
    } in change["changes"]
    assert change["judged_anew"] == [
        {"objective": name, "from": "2026-01-01", "to": "2026-10-31", "settled": 10}
        for name in ("p2-response", "api", "shop")
    ]


def test_github_warns_of_a_correction_at_its_document(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(HERE / "compared" / "correction")
    result = command("new.yaml", "--against", "old.yaml", "--on", "2026-11-24", "--format", "github")
    first = result.output.splitlines()[0]
    assert first.startswith(
        "::warning file=new.yaml,line=11,col=1,endColumn=5,title=correction::`acme` of `acme`"
    )
    assert "%0Aobjectives[api].availability.target: 99.9%25 -> 99.95%25%0A" in first


@pytest.mark.parametrize(("strict", "code"), [([], 0), (["--strict"], 1)])
def test_to_remove_what_is_in_effect_fails_if_advice_does(
    strict: list[str], code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(HERE / "compared" / "removed")
    result = command("new.yaml", "--against", "old.yaml", "--on", "2026-11-24", *strict)
    assert result.exit_code == code


@pytest.mark.parametrize(
    ("on", "kind"), [("2026-12-31", "future"), ("2027-01-31", "correction"), ("2027-02-01", "correction")]
)
def test_an_edit_is_a_correction_from_the_earlier_of_its_first_days_on(
    on: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(HERE / "compared" / "began")
    result = command("new.yaml", "--against", "old.yaml", "--on", on, "--format", "json")
    assert [one["kind"] for one in json.loads(result.output)["changes"] if one["customer"] == "acme"] == [
        kind
    ]


def test_an_old_state_with_faults_cannot_be_compared_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(HERE / "broken")
    code, text = answer(CONFIG, against=[Path("tab.yaml")])
    assert code == 1
    assert text.startswith("error: a tab cannot indent YAML\n --> tab.yaml:")
    assert text.splitlines()[-1].startswith("1 fault in 1 file")


def test_the_day_of_a_change_goes_with_a_change() -> None:
    result = command(CONFIG, "--on", "2026-11-24")
    assert (result.exit_code, "--against" in result.output) == (2, True)
    assert "write `2026-11-24`" in command(CONFIG, "--against", CONFIG, "--on", "24.11.2026").output
