"""What a change of the shipped agreements does to recorded events, as `slamon agreements diff` tells it.

Each change is an edit of a file in config/; beside the events in `diffed` stands, word for word, what is said of it.
"""

import io
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from click.testing import CliRunner, Result

from slamon.agreement_files import load
from slamon.cli import main
from slamon.diff.comparing import compared
from slamon.diff.judging import of_file
from slamon.diff.page import write

HERE = Path(__file__).parent / "diffed"
CONFIG = Path(__file__).parents[2] / "config"
CONTOSO = """\
apiVersion: slamon/v1
kind: Agreement
metadata: {name: contoso-desk}
spec:
  customer: contoso
  effective: {from: 2026-11-01}
  objectives: [{name: answer, ticketClock: {measure: firstResponse, target: 2h}}]
"""


class Edit(NamedTuple):
    """In a file of config/; `code`: how the command ends."""

    file: str
    edit: Callable[[str], str]
    code: int = 1


def replaced(*pairs: tuple[str, str]) -> Callable[[str], str]:
    def edit(text: str) -> str:
        for old, new in pairs:
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        return text

    return edit


def without(*lines: str) -> Callable[[str], str]:
    """Blocks that begin with one of these lines, to the next free line; or the line alone, if it is a list's entry."""

    def edit(text: str) -> str:
        for line in lines:
            text, count = re.subn(
                rf"^ *- (name: {line}\n(.+\n)*\n|\{{objective: {line},.*\n|\{{rule: .*at: {line},.*\n)",
                "",
                text,
                flags=re.MULTILINE,
            )
            assert count, line
        return text

    return edit


MAINTENANCE = """\
    - name: saturday-maintenance
      reason: maintenance
      schedule: {rrule: "FREQ=WEEKLY;BYDAY=SA", at: "22:00", duration: 2h}
      services: [billing-api]
"""
ACME = "agreements/acme.yaml"
EDITS = {
    "target": Edit(
        ACME,
        replaced(
            ("target: 99.9% # 43", "target: 99.95% # half of 43"),
            ("{below: 99.9%, credit: 10%}", "{below: 99.95%, credit: 10%}"),
        ),
    ),
    "maintenance": Edit(
        ACME,
        replaced(("    - name: announced-maintenance", f"{MAINTENANCE}    - name: announced-maintenance")),
    ),
    "calendar": Edit("calendars/office-hours.yaml", replaced(('fri: "08:00-16:00"', 'fri: "08:00-18:00"'))),
    "removed-objective": Edit(
        ACME, lambda text: without("portal-availability")(text).partition("  silence:")[0]
    ),
    "new-customer": Edit("agreements/contoso.yaml", lambda _: CONTOSO),
    "another-fee": Edit(ACME, replaced(('amount: "12000.00"', 'amount: "15000.00"'))),
    "contacts": Edit(ACME, replaced(("sla@example.com", "service@example.com")), code=0),
}


@pytest.fixture
def states(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Edit]:
    """Lays out OLD, NEW and the events in the present folder."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(HERE / "events.ndjson", tmp_path)
    for name in ("old", "new"):
        shutil.copytree(CONFIG, tmp_path / name)

    def edited(name: str) -> Edit:
        edit = EDITS[name]
        file = tmp_path / "new" / edit.file
        file.write_text(
            edit.edit(file.read_text(encoding="utf-8") if file.exists() else ""), encoding="utf-8"
        )
        return edit

    return edited


def command(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["agreements", "diff", *arguments])


@pytest.mark.parametrize("name", EDITS)
def test_a_change_is_told_word_for_word(name: str, states: Callable[[str], Edit]) -> None:
    edit = states(name)
    result = command("old", "new", "--events", "events.ndjson")
    assert (result.output, result.exit_code) == (
        (HERE / f"{name}.txt").read_text(encoding="utf-8"),
        edit.code,
    )


def test_every_answer_belongs_to_a_change() -> None:
    assert {file.stem for file in HERE.glob("*.txt")} == set(EDITS)


def test_the_same_states_differ_in_nothing() -> None:
    result = command(str(CONFIG), str(CONFIG), "--events", str(HERE / "events.ndjson"))
    assert (result.output, result.exit_code) == ("no term differs; 3 customers untouched\n", 0)
    told = json.loads(command(str(CONFIG), str(CONFIG), "--format", "json").output)
    assert told == {
        "differs": False,
        "customers": {"changed": 0, "untouched": 3},
        "changes": [],
        "judged": None,
    }


def test_without_events_the_terms_are_told_as_of_a_day(states: Callable[[str], Edit]) -> None:
    states("target")
    told = [command("old", "new", "--until", f"{day}T12:00:00Z") for day in ("2025-12-31", "2026-11-24")]
    assert [result.exit_code for result in told] == [1, 1]
    assert "its dates have not begun: only the future changes" in " ".join(told[0].output.split())
    assert "10 settled periods to 2026-10-31, and the running one" in " ".join(told[1].output.split())


def test_programs_get_each_record_as_a_replay_writes_it(states: Callable[[str], Edit]) -> None:
    states("maintenance")
    told = json.loads(command("old", "new", "--events", "events.ndjson", "--format", "json").output)
    assert (told["differs"], told["customers"]) == (True, {"changed": 1, "untouched": 2})
    judged = told["judged"]
    assert (judged["by"], judged["at"]) == ("20 events", "2026-11-24T12:00:00.000000Z")
    for side in ("old", "new"):
        CliRunner().invoke(main, ["replay", "--agreements", side, "--events", "events.ndjson", "--out", side])
        for kind in ("standings", "statements"):
            lines = (Path(side) / f"{kind}.ndjson").read_text(encoding="utf-8").splitlines()
            written = [json.loads(line) for line in lines]
            assert judged[kind]
            assert all(without_history(pair[side]) in written for pair in judged[kind])
    assert judged["credits"] == {
        "customers": [
            {"customer": "acme", "currency": "EUR", "old": "1200.00", "new": "0.00", "booked": "-1200.00"}
        ],
        "in_sum": [{"currency": "EUR", "old": "1200.00", "new": "0.00", "booked": "-1200.00"}],
    }
    again = judged["taken_into_use"]["statements"]
    assert {one["reason"] for one in again} == {"agreement_corrected"}
    assert [one["entry"] for one in again if one["entry"] not in (None, "0.00")] == ["-1200.00"]


def without_history(record: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name not in {"reason", "entry"}}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("old", "nowhere"), "Path 'nowhere' does not exist"),
        (("old", "new", "--events", "nowhere.ndjson"), "nowhere.ndjson"),
        (("old", "new", "--events", "none.ndjson"), "none.ndjson holds no event"),
        (
            ("old", "new", "--events", "events.ndjson", "--until", "2026-01-01T00:00:00Z"),
            "up to that instant",
        ),
        (("old", "new", "--sort"), "--sort is about the order of --events"),
        (
            ("old", "new", "--config", "new/slamon.yaml", "--until", "2026-01-01T00:00:00Z"),
            "leave out --until",
        ),
        (("old", "new", "--config", "new/slamon.yaml", "--events", "events.ndjson"), "not both"),
        (("old", "broken.yaml"), "did you mean `kind`?"),
        (("broken.yaml", "new"), "the agreements have faults"),
    ],
)
def test_what_cannot_be_compared_is_no_difference(
    arguments: tuple[str, ...], said: str, states: Callable[[str], Edit]
) -> None:
    states("target")
    Path("none.ndjson").write_text('{"type": "ticket"}\n', encoding="utf-8")
    Path("broken.yaml").write_text("apiVersion: slamon/v1\nkindd: Agreement\n", encoding="utf-8")
    result = command(*arguments)
    assert (result.exit_code, said in result.output) == (2, True), result.output


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize("name", EDITS)
def test_no_line_is_wider_than_the_terminal(
    name: str, columns: int, states: Callable[[str], Edit], monkeypatch: pytest.MonkeyPatch
) -> None:
    states(name)
    for variable, value in (("COLUMNS", str(columns)), ("TERM", "xterm"), ("NO_COLOR", "1")):
        monkeypatch.setenv(variable, value)
    old, new = (load([Path(side)]) for side in ("old", "new"))
    out = Terminal()
    write(compared(old, new, of_file(Path("events.ndjson")), at=0), out)
    plain = re.sub("\x1b\\[[0-9;]*m", "", out.getvalue())
    assert [line for line in plain.splitlines() if len(line) > columns] == []


def test_what_there_may_be_thousands_of_is_counted_beyond_the_first(tmp_path: Path) -> None:
    promised = CONTOSO.replace("target: 2h", "target: TARGET, warnAt: [50%]")
    for name, target in (("old", "8h"), ("new", "4h")):
        (tmp_path / f"{name}.yaml").write_text(promised.replace("TARGET", target), encoding="utf-8")
    events = [
        {
            "id": f"{number}-{what}",
            "type": "ticket",
            "customer": "contoso",
            "ticket": f"C-{number:02}",
            **said,
        }
        for number in range(25)
        for what, said in (
            ("opened", {"time": "2026-11-10T09:00:00Z", "status": "open"}),
            *([("answered", {"time": "2026-11-10T14:00:00Z", "reply": "agent"})] if number < 12 else []),
        )
    ]
    file = tmp_path / "events.ndjson"
    file.write_text("".join(f"{json.dumps(event)}\n" for event in events), encoding="utf-8")
    arguments = [str(tmp_path / "old.yaml"), str(tmp_path / "new.yaml"), "--events", str(file)]
    early, late = "2026-11-10T12:00:00Z", "2026-11-10T14:00:00Z"
    told = {at: command(*arguments, "--sort", "--until", at).output for at in (early, late)}
    assert told[early].count("C-") == 20  # ten open ones, and ten alerts
    assert "and 15 more" in told[early]
    assert re.search(r"C-00, C-01, C-02 +met +missed\n +and 9 more\n", told[late])
    everything = json.loads(command(*arguments, "--sort", "--until", early, "--format", "json").output)
    assert len(everything["judged"]["clocks"]) == 25
