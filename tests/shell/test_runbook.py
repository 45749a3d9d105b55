"""The runbook: a page for each alert and an alert for each page, and nothing in it that is not there at three in the morning."""

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from slamon.domain.agreement import AlertName, Severity
from slamon.outputs.metrics import BY_NAME
from slamon.settings import Settings
from tests.shell.test_rules import ALERTS, OF_ITS_TARGETS, RECORDED, declared

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "runbook"
PAGES = {file.stem: file.read_text(encoding="utf-8") for file in sorted(FOLDER.glob("*.md"))}
ENTRY = PAGES.pop("README")
PROMISES = {name.value for name in AlertName}
SECTIONS = ["See it", "What to do", "When it ends", "Silence it"]
QUERIES = re.compile(r"^ *```promql\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
SILENCE = re.compile(r"^amtool silence add (.*\\\n.*)$", re.MULTILINE)
# What can be queried beside slamon's own.
OF_PROMETHEUS = OF_ITS_TARGETS | {"process_cpu_seconds_total"}
# Of the alerts about promises, and of what is scraped.
LABELS = {"alertname", "severity", "customer", "agreement", "objective", "ticket", "step", "partition"}
TARGET_LABELS = {"job", "namespace", "service", "pod", "instance"}


def queries(text: str) -> list[str]:
    lines = [line.strip() for block in QUERIES.findall(text) for line in block.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def test_each_alert_has_a_page_and_each_page_an_alert() -> None:
    assert PAGES.keys() == PROMISES | ALERTS.keys()


def test_the_entry_names_each_alert_once_with_its_severity() -> None:
    rows = re.findall(r"^\| \[(\w+)\]\((\w+)\.md\) \| ([\w, ]+) \|", ENTRY, re.MULTILINE)
    assert sorted(name for name, _, _ in rows) == sorted(PAGES)
    for name, page, severity in rows:
        assert name == page
        assert set(severity.split(", ")) <= {each.value for each in Severity}
        if name in ALERTS:
            assert severity == ALERTS[name]["labels"]["severity"]


@pytest.mark.parametrize("alert", PAGES)
def test_a_page_says_in_a_sentence_what_is_so_what_it_costs_what_to_do_and_when_it_ends(alert: str) -> None:
    text = PAGES[alert]
    title, means, costs = text.split("\n\n")[:3]
    assert title == f"# {alert}"
    assert means.endswith(".")
    assert costs.startswith("**If ignored:** ")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == SECTIONS
    assert re.search(r"^1\. ", text, re.MULTILINE)
    assert queries(text)
    assert len(text.splitlines()) <= 60, "nobody reads more at night"


@pytest.mark.parametrize("alert", ["README", *PAGES])
def test_what_is_queried_is_there(alert: str) -> None:
    for expr in queries(PAGES.get(alert, ENTRY)):
        without_labels = re.sub(r"\{[^}]*\}|\b(by|without) \([^)]*\)", "", expr)
        named = set(re.findall(r"\b(?:slamon[_:][\w:]+|process_\w+|up)\b", without_labels))
        assert named, expr
        for name in named:
            assert declared(name) in BY_NAME.keys() | RECORDED.keys() | OF_PROMETHEUS, name


def test_promtool_takes_every_query(part: Callable[[str], Path], tmp_path: Path) -> None:
    found = [expr for text in (ENTRY, *PAGES.values()) for expr in queries(text)]
    rules = [{"record": f"shown:number_{number}", "expr": expr} for number, expr in enumerate(found)]
    file = tmp_path / "queries.json"
    file.write_text(json.dumps({"groups": [{"name": "queries", "rules": rules}]}))
    checked = subprocess.run(
        [part("promtool"), "check", "rules", file], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("alert", PAGES)
def test_a_silence_is_by_the_name_of_the_alert_and_by_labels_that_it_has(alert: str) -> None:
    [silence] = SILENCE.findall(PAGES[alert])
    matchers = dict(re.findall(r"(\w+)=(\S+)", silence.partition("\\\n")[2]))
    assert matchers.pop("alertname") == alert
    if alert in PROMISES:
        assert matchers, "all alerts of a name are never silenced at once"
        assert matchers.keys() <= LABELS
    else:
        shown = set(re.findall(r"\$labels\.(\w+)", " ".join(ALERTS[alert]["annotations"].values())))
        assert matchers.keys() <= shown | TARGET_LABELS


def settings(model: type[BaseModel], above: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield above + name
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from settings(field.annotation, f"{above}{name}.")


def test_a_setting_that_is_named_is_one() -> None:
    known = set(settings(Settings))
    tops = "|".join(name for name in Settings.model_fields)
    for alert, text in PAGES.items():
        assert set(re.findall(rf"`((?:{tops})\.[a-z_.]+)`", text)) <= known, alert


def test_a_line_of_the_log_that_is_named_is_written() -> None:
    code = "\n".join(file.read_text(encoding="utf-8") for file in (ROOT / "slamon").rglob("*.py"))
    written = set(re.findall(r"log\.\w+\(\s*\"(\w+)\"", code))
    named = {
        word for text in PAGES.values() for word in re.findall(r"`kubectl logs slamon-0`:\s+`(\w+)`", text)
    }
    assert {"task_failed", "agreement_fault", "alertmanager_fails"} <= named
    assert named <= written


def test_a_panel_that_is_named_is_on_its_board() -> None:
    boards = [json.loads(file.read_text()) for file in (ROOT / "grafana").glob("*.json")]
    panels = {(board["title"], panel["title"]) for board in boards for panel in board["panels"]}
    for alert, text in PAGES.items():
        named = re.findall(r"\*\*([^*]+)\*\*\s+of\s+the\s+board\s+\*([^*]+)\*", text)
        assert {(" ".join(board.split()), " ".join(panel.split())) for panel, board in named} <= panels, alert


def test_the_rules_lead_to_the_pages_as_they_are_published() -> None:
    for alert, rule in ALERTS.items():
        assert yaml.safe_dump(rule).count(f"/runbook/{alert}/") == 1
