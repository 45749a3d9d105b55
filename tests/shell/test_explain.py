"""`slamon explain` as it is typed: its page in the documentation, its forms, and what it says to a wrong question."""

import json
import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from slamon.cli import main

PAGE = Path(__file__).parents[2] / "docs" / "explain.md"
COMMAND = re.compile(r"^```console\n\$ (?P<command>[^\n]+)\n(?P<output>.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"^```(?:yaml|json) (agreement|event)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILES = {"agreement": "agreement.yaml", "event": "events.ndjson"}


def files_of(page: str, folder: Path) -> None:
    """The agreement and the events of the page, under the names that its commands use."""
    for kind, text in BLOCK.findall(page):
        (folder / FILES[kind]).write_text(text, encoding="utf-8")


def typed(command: str, folder: Path) -> Result:
    words = shlex.split(command)
    assert words[0] == "slamon"
    placed = [str(folder / word) if word in FILES.values() else word for word in words[1:]]
    return CliRunner().invoke(main, placed)


def answered(command: str, folder: Path) -> str:
    result = typed(command, folder)
    assert result.exit_code == 0, result.stderr
    return result.stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    files_of(PAGE.read_text(encoding="utf-8"), tmp_path)
    return tmp_path


BASE = "slamon explain --agreements agreement.yaml --events events.ndjson"
COMMANDS = [(found["command"], found["output"]) for found in COMMAND.finditer(PAGE.read_text("utf-8"))]


@pytest.mark.parametrize(("command", "output"), COMMANDS, ids=[command for command, _ in COMMANDS])
def test_the_page_shows_what_the_command_says(command: str, output: str, folder: Path) -> None:
    assert answered(command, folder) == output


def test_the_page_has_an_example_of_each_kind() -> None:
    assert len(COMMANDS) == 3


@pytest.mark.parametrize("question", ["--ticket T-7", "--objective shop-up --period 2026-04-30"])
def test_programs_get_one_json_object(question: str, folder: Path) -> None:
    found = json.loads(answered(f"{BASE} {question} --format json", folder))
    assert found.keys() >= {"clocks"} or found.keys() == {"periods"}


def test_what_came_late_is_marked_with_when_it_became_known(folder: Path) -> None:
    line = {"type": "ticket", "customer": "acme", "ticket": "T-8"}
    events = [
        line | {"id": "1", "time": "2026-04-07T10:00:00Z", "status": "resolved"},
        line | {"id": "2", "time": "2026-04-07T09:00:00Z", "priority": "P1", "status": "open"},
    ]
    (folder / "events.ndjson").write_text("".join(f"{json.dumps(one)}\n" for one in events))
    page = answered(f"{BASE} --ticket T-8", folder)
    assert "priority P1 [known only since Tue 7 Apr 2026 12:00 +02:00]" in page
    assert "known only since" not in answered(f"{BASE} --ticket T-8 --sort", folder)


@pytest.mark.parametrize(("resolved_at", "is_told"), [("12:00:00", False), ("12:00:01", True)])
def test_a_warning_step_reached_as_the_ticket_is_resolved_is_none(
    resolved_at: str, is_told: bool, folder: Path
) -> None:
    line = {"type": "ticket", "customer": "acme", "ticket": "T-8"}
    events = [
        line | {"id": "1", "time": "2026-04-07T09:00:00+02:00", "priority": "P1", "status": "open"},
        line | {"id": "2", "time": f"2026-04-07T{resolved_at}+02:00", "status": "resolved"},
    ]
    (folder / "events.ndjson").write_text("".join(f"{json.dumps(one)}\n" for one in events))
    assert ("warning step 75% passed: 3 h used" in answered(f"{BASE} --ticket T-8", folder)) is is_told


def test_a_ticket_that_nobody_saw_open_has_no_clocks_and_is_told_why(folder: Path) -> None:
    event = {"id": "1", "time": "2026-04-07T10:00:00Z", "type": "ticket", "customer": "acme", "ticket": "T-9"}
    (folder / "events.ndjson").write_text(f"{json.dumps(event | {'status': 'resolved'})}\n")
    assert "Opening unknown: no event says when it was opened" in answered(f"{BASE} --ticket T-9", folder)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("--ticket T-77", "has no ticket T-77; did you mean T-7?"),
        (
            "--ticket T-7 --customer foo",
            "customer foo has no ticket T-7; it is one of acme: say --customer acme",
        ),
        ("--ticket X-1", "ticket X-1 has 1 event under customer other, with whom there is no agreement"),
        ("--objective shop-upp --period 2026-04", "there is no objective shop-upp; did you mean shop-up?"),
        (
            "--objective shop-up --period 2026-Q2",
            "judged by the month, and 2026-Q2 is no month: write --period 2026-04",
        ),
        (
            "--objective shop-up --period 2025-12",
            "2025-12 lies outside the agreement shop-support, which holds from",
        ),
        ("--objective shop-up --period 2026-07", "2026-07 has not begun: the events end Mon 4 May 2026"),
        (
            "--objective shop-up --period 2026-04 --customer x",
            "there is no agreement with customer x; there are:",
        ),
        ("--ticket T-7 --until 2020-01-01T00:00:00Z", "holds no event up to the instant given by --until"),
    ],
)
def test_a_question_without_an_answer_is_told_what_there_is(question: str, answer: str, folder: Path) -> None:
    with (folder / "events.ndjson").open("a") as file:
        other = {"id": "1", "type": "ticket", "customer": "other", "ticket": "X-1"}
        file.write(json.dumps(other | {"time": "2026-04-07T10:00:00Z"}) + "\n")
    result = typed(f"{BASE} {question}", folder)
    assert result.exit_code == 1
    assert answer in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    "question",
    [
        "",
        "--ticket T-7 --objective shop-up",
        "--objective shop-up",
        "--ticket T-7 --period 2026-04",
        "--period 2026-13",
    ],
)
def test_half_a_question_is_wrong_usage(question: str, folder: Path) -> None:
    result = typed(f"{BASE} {question}", folder)
    assert result.exit_code == 2
    assert "Usage: " in result.stderr
