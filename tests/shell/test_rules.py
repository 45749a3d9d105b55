"""The Prometheus rules: each alert fires when it should and not next to that, and names only what slamon has.

The worlds that are judged stand in `rules/`, a file an alert, as promtool reads them.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from slamon.domain.agreement import AlertName, Severity
from slamon.outputs.metrics import BY_NAME, TASK_STATES, Kind

ROOT = Path(__file__).parents[2]
FILE = ROOT / "deploy" / "prometheus" / "slamon.rules.yaml"
WORLDS = {file.stem: file for file in sorted((Path(__file__).parent / "rules").glob("*.yaml"))}

Rule = dict[str, Any]

RULES: list[Rule] = [
    rule for group in yaml.safe_load(FILE.read_text(encoding="utf-8"))["groups"] for rule in group["rules"]
]
ALERTS: dict[str, Rule] = {rule["alert"]: rule for rule in RULES if "alert" in rule}
RECORDED: dict[str, Rule] = {rule["record"]: rule for rule in RULES if "record" in rule}
IDS = [rule.get("alert") or rule["record"] for rule in RULES]

# What is slamon's, and not of its own making: Prometheus adds the one, the client library the other.
OF_ITS_TARGETS = {"up", "process_resident_memory_bytes"}
OF_OTHERS = {"kube_pod_container_resource_limits"}
OURS = 'job=~"slamon(-sla)?"'  # the chart replaces it by what tells one release from another
NAMED = re.compile(r"\b(slamon[_:][\w:]*\w|up|process_\w+|kube_\w+)(\{[^}]*\})?")
TARGET_LABELS = {"job", "namespace", "service", "pod", "instance"}


@pytest.fixture(scope="module")
def promtool(part: Callable[[str], Path]) -> Path:
    return part("promtool")


def said(*command: str | Path) -> tuple[int, str]:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def declared(name: str) -> str:
    """The metric to which a series belongs: a histogram has three kinds of them."""
    base = re.sub("_(bucket|count|sum)$", "", name)
    return base if base in BY_NAME and BY_NAME[base].kind is Kind.HISTOGRAM else name


# What promtool says.


def test_promtool_finds_nothing_to_say_about_the_rules(promtool: Path) -> None:
    code, words = said(promtool, "check", "rules", "--lint=all", "--lint-fatal", FILE)
    assert code == 0, words


@pytest.mark.parametrize("alert", WORLDS)
def test_an_alert_fires_when_it_should_and_not_next_to_that(promtool: Path, alert: str) -> None:
    code, words = said(promtool, "test", "rules", WORLDS[alert])
    assert code == 0, words


def test_every_alert_is_seen_firing_and_not_firing_and_no_other_has_a_test() -> None:
    assert WORLDS.keys() == ALERTS.keys()
    for alert, file in WORLDS.items():
        worlds = yaml.safe_load(file.read_text(encoding="utf-8"))["tests"]
        names = [world["name"] for world in worlds]
        assert len(set(names)) == len(names)
        fires = {
            world["name"]: [bool(each["exp_alerts"]) for each in world["alert_rule_test"]] for world in worlds
        }
        asked = {each["alertname"] for world in worlds for each in world["alert_rule_test"]}
        assert asked == {alert}
        assert any(map(any, fires.values())), f"{alert} is never seen firing"
        assert not all(map(any, fires.values())), f"{alert} is seen firing in every world"
        if "for" in ALERTS[alert]:
            begins = [each for each in fires.values() if any(each) and not each[0]]
            assert begins, f"{alert} is never seen waiting before it fires"


# What the rules say.


@pytest.mark.parametrize("rule", RULES, ids=IDS)
def test_a_rule_names_only_metrics_that_slamon_has_and_asks_for_its_own_series(rule: Rule) -> None:
    used = NAMED.findall(re.sub(r"\b(by|on|without|ignoring|group_left) \([^)]*\)", "", rule["expr"]))
    assert used
    for name, selector in used:
        assert declared(name) in BY_NAME.keys() | RECORDED.keys() | OF_ITS_TARGETS | OF_OTHERS, name
        assert name in OF_OTHERS or OURS in selector, f"{name} may be another's"


@pytest.mark.parametrize("rule", RULES, ids=IDS)
def test_a_rule_names_only_labels_that_its_metrics_have(rule: Rule) -> None:
    named = {name for name, _ in NAMED.findall(rule["expr"])}
    inner = {name for one in named & RECORDED.keys() for name, _ in NAMED.findall(RECORDED[one]["expr"])}
    of_metrics = {declared(name) for name in named | inner} & BY_NAME.keys()
    known = TARGET_LABELS | {"le"} | {label for name in of_metrics for label in BY_NAME[name].labels}
    own = re.sub(r"kube_\w+\{[^}]*\}", "", rule["expr"])
    grouped = re.findall(r"\b(?:by|on|without|ignoring) \(([^)]*)\)", own)
    matched = re.findall(r'(\w+)(?:=~|!=|=)"', own)
    assert {label for labels in grouped for label in labels.split(", ")} | set(matched) <= known
    shown = set(re.findall(r"\$labels\.(\w+)", " ".join(rule.get("annotations", {}).values())))
    assert shown <= known | {"metrics_path"}, "metrics_path is the chart's"


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_says_what_is_so_what_to_do_and_where_that_is_written(alert: str) -> None:
    rule = ALERTS[alert]
    assert alert.startswith("Slamon")
    assert alert not in {name.value for name in AlertName}
    assert rule["labels"].keys() == {"severity"}
    Severity(rule["labels"]["severity"])
    annotations = rule["annotations"]
    assert annotations.keys() == {"summary", "description", "runbook_url"}
    assert not annotations["summary"].endswith(".")
    assert annotations["description"].endswith((".", "?"))
    assert "{{" in annotations["summary"] + annotations["description"] or alert == "SlamonAbsent"
    assert annotations["runbook_url"] == f"https://slamon.example/docs/runbook/{alert}/"


def test_the_comment_above_an_alert_says_why_it_waits_or_does_not() -> None:
    lines = FILE.read_text(encoding="utf-8").splitlines()
    for alert, rule in ALERTS.items():
        above = lines.index(f"      - alert: {alert}") - 1
        comment = ""
        while lines[above].startswith("      # "):
            comment = f"{lines[above].removeprefix('      # ')} {comment}"
            above -= 1
        assert rule.get("for", "Has happened") in comment, alert


def test_what_is_recorded_is_used_by_an_alert() -> None:
    for name in RECORDED:
        assert any(name in rule["expr"] for rule in ALERTS.values()), name


def test_states_that_are_asked_for_are_states_of_tasks() -> None:
    asked = re.findall(r'state="(\w+)"', FILE.read_text(encoding="utf-8"))
    assert asked
    assert set(asked) <= set(TASK_STATES)


# The chart's copy.


def copied(*arguments: str, root: Path = ROOT) -> tuple[int, str]:
    return said(sys.executable, root / "deploy" / "chart_rules.py", *arguments)


def test_the_chart_ships_these_rules() -> None:
    assert copied("--check") == (0, "")


def test_a_copy_that_was_edited_by_hand_is_noticed_and_mended(tmp_path: Path) -> None:
    (tmp_path / "deploy" / "helm" / "slamon").mkdir(parents=True)
    shutil.copy(ROOT / "deploy" / "chart_rules.py", tmp_path / "deploy")
    shutil.copytree(FILE.parent, tmp_path / "deploy" / "prometheus")
    assert copied("--check", root=tmp_path)[0] == 1
    assert copied(root=tmp_path) == (0, "")
    copy = tmp_path / "deploy" / "helm" / "slamon" / "rules" / FILE.name
    copy.write_text(copy.read_text().replace("critical", "warning"))
    code, words = copied("--check", root=tmp_path)
    assert (code, words.count("\n")) == (1, 1)
    assert copied(root=tmp_path) == (0, "")
    assert copy.read_bytes() == FILE.read_bytes()
