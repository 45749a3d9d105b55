"""`slamon explain` as it is typed: its forms, and what it says to a wrong question. `test_commands` has its page."""

import json
from pathlib import Path

import pytest

from tests.shell.documentation import files_of, page, typed

BASE = "slamon explain --agreements agreement.yaml --events events.ndjson"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    files_of(page("explain.md"), tmp_path)
    return tmp_path


def answered(command: str) -> str:
    result = typed(command)
    assert result.exit_code == 0, result.stderr
    return result.stdout


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("question", ["--ticket T-7", "--objective shop-up --period 2026-04-30"])
def test_programs_get_one_json_object(question: str) -> None:
    found = json.loads(answered(f"{BASE} {question} --format json"))
    assert found.keys() >= {"clocks"} or found.keys() == {"periods"}


def test_what_came_late_is_marked_with_when_it_became_known(folder: Path) -> None:
    line = {"type": "ticket", "customer": "acme", "ticket": "T-8"}
    events = [
        line | {"id": "1", "time": "2026-04-07T10:00:00Z", "status": "resolved"},
        line | {"id": "2", "time": "2026-04-07T09:00:00Z", "priority": "P1", "status": "open"},
    ]
    (folder / "events.ndjson").write_text("".join(f"{json.dumps(one)}\n" for one in events))
    text = answered(f"{BASE} --ticket T-8")
    assert "priority P1 [known only since Tue 7 Apr 2026 12:00 +02:00]" in text
    assert "known only since" not in answered(f"{BASE} --ticket T-8 --sort")


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
    assert ("warning step 75% passed: 3 h used" in answered(f"{BASE} --ticket T-8")) is is_told


def test_a_ticket_that_nobody_saw_open_has_no_clocks_and_is_told_why(folder: Path) -> None:
    event = {"id": "1", "time": "2026-04-07T10:00:00Z", "type": "ticket", "customer": "acme", "ticket": "T-9"}
    (folder / "events.ndjson").write_text(f"{json.dumps(event | {'status': 'resolved'})}\n")
    assert "Opening unknown: no event says when it was opened" in answered(f"{BASE} --ticket T-9")


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
    result = typed(f"{BASE} {question}")
    assert result.exit_code == 1
    assert answer in result.stderr
    assert result.stdout == ""


@pytest.mark.usefixtures("folder")
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
def test_half_a_question_is_wrong_usage(question: str) -> None:
    result = typed(f"{BASE} {question}")
    assert result.exit_code == 2
    assert "Usage: " in result.stderr
