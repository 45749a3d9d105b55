"""The dashboards: what is committed is what is generated, and every query means what its panel says."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from queries import queries

from slamon.outputs.metrics import BY_NAME, TASK_STATES

ROOT = Path(__file__).parents[2]
BOARDS = sorted((ROOT / "grafana").glob("*.json"))
PANELS: dict[str, dict[str, Any]] = {
    f"{file.stem}: {panel['title']}": panel
    for file in BOARDS
    for panel in json.loads(file.read_text())["panels"]
    if panel["type"] != "row"
}
TABLES = {name: panel for name, panel in PANELS.items() if panel["type"] == "table"}

Series = Mapping[str, float]


QUERIES = queries()


@pytest.fixture(scope="module")
def promtool(part: Callable[[str], Path]) -> Path:
    return part("promtool")


def generate(*arguments: str, root: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(root / "grafana" / "generate.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_committed_dashboards_are_what_is_generated() -> None:
    assert generate("--check").stdout == ""
    assert BOARDS


def test_a_dashboard_that_was_edited_by_hand_is_noticed_and_mended(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "grafana", tmp_path / "grafana")
    (tmp_path / "deploy" / "helm" / "slamon").mkdir(parents=True)
    assert generate(root=tmp_path).returncode == 0
    for file in ("grafana/on-call.json", "deploy/helm/slamon/dashboards/on-call.json"):
        before = (tmp_path / file).read_text()
        (tmp_path / file).write_text(before.replace("Due when?", "Due whenever?"))
        check = generate("--check", root=tmp_path)
        assert (check.returncode, check.stdout.count("\n")) == (1, 1)
        assert check.stdout.startswith(f"{file} is not what grafana/generate.py writes: run ")
        assert generate(root=tmp_path).returncode == 0
        assert (tmp_path / file).read_text() == before


@pytest.mark.parametrize("panel", PANELS.values(), ids=PANELS)
def test_a_panel_has_a_unit_a_description_and_words_for_nothing(panel: Mapping[str, Any]) -> None:
    defaults = panel["fieldConfig"]["defaults"]
    assert defaults["unit"]
    assert panel["description"].endswith(".")
    assert re.search("[a-z]{2}", defaults["noValue"])
    assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    assert panel["targets"]


@pytest.mark.parametrize("panel", TABLES.values(), ids=TABLES)
def test_a_column_with_values_has_its_unit_and_a_dash_for_what_does_not_apply(
    panel: Mapping[str, Any],
) -> None:
    renamed = panel["transformations"][-1]["options"]["renameByName"]
    titles = {title for name, title in renamed.items() if name.startswith("Value")}
    overrides = {
        override["matcher"]["options"]: {each["id"]: each["value"] for each in override["properties"]}
        for override in panel["fieldConfig"]["overrides"]
    }
    assert overrides.keys() == titles
    assert all(override["unit"] and override["noValue"] == "–" for override in overrides.values())


@pytest.mark.parametrize("file", BOARDS, ids=lambda file: file.stem)
def test_panels_have_ids_of_their_own_and_do_not_cover_each_other(file: Path) -> None:
    panels = json.loads(file.read_text())["panels"]
    ids = [panel["id"] for panel in panels]
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(ids)) == len(ids)
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24


@pytest.mark.parametrize("file", BOARDS, ids=lambda file: file.stem)
def test_a_board_can_be_turned_to_one_datasource_customer_and_agreement(file: Path) -> None:
    variables = {each["name"]: each for each in json.loads(file.read_text())["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    for name in ("customer", "agreement"):
        assert variables[name]["query"]["query"].endswith(f", {name})")
        assert variables[name]["current"] == {"text": ["All"], "value": ["$__all"]}


def test_queries_lists_every_query_of_every_board_without_variables() -> None:
    targets = sum(len(panel["targets"]) for panel in PANELS.values())
    assert len(QUERIES) == targets + 2 * len(BOARDS)
    assert not [query for query in QUERIES if "$" in query.expr]


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.panel)
def test_a_query_names_only_metrics_that_slamon_has_and_labels_that_they_have(query: Any) -> None:
    named = set(re.findall(r"\bslamon_\w+", query.expr))
    assert named
    assert named <= BY_NAME.keys()
    known = {"instance", *(label for name in named for label in BY_NAME[name].labels)}
    grouped = re.findall(r"\b(?:by|on) \(([^)]*)\)", query.expr)
    matched = re.findall(r"(\w+) *=~?\"", query.expr)
    assert {label for labels in grouped for label in labels.split(", ")} | set(matched) <= known


def test_every_query_is_promql(promtool: Path, tmp_path: Path) -> None:
    rules = [{"record": f"query_{number}", "expr": query.expr} for number, query in enumerate(QUERIES)]
    file = tmp_path / "rules.json"
    file.write_text(json.dumps({"groups": [{"name": "queries", "rules": rules}]}))
    checked = subprocess.run([promtool, "check", "rules", file], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


# What the queries answer. The world is given as series that stand still for two hours; the queries are asked at its end.

END = 7200
ACME = 'customer="acme", agreement="acme-2026"'
SCRAPED = {'slamon_build_info{instance="a", version="1"}': 1.0}
A_POD_WITHOUT_WORK = {**SCRAPED, 'slamon_ticket_series_left_out{instance="a"}': 0.0}


def standings(objective: str, standing: str, instance: str) -> dict[str, float]:
    return {
        f'slamon_objective_standing{{{ACME}, objective="{objective}", standing="{each}", instance="{instance}"}}': float(
            each == standing
        )
        for each in ("on_track", "at_risk", "breached", "undetermined", "not_applicable")
    }


def budget(objective: str, left: float) -> dict[str, float]:
    return {f'slamon_objective_budget_remaining_ratio{{{ACME}, objective="{objective}", instance="a"}}': left}


def due(ticket: str, seconds: float, instance: str = "a") -> dict[str, float]:
    labels = f'{ACME}, objective="p1", ticket="{ticket}", priority="P1", instance="{instance}"'
    return {f"slamon_ticket_due_timestamp_seconds{{{labels}}}": END + seconds}


BUSY = {
    **A_POD_WITHOUT_WORK,
    'slamon_build_info{instance="b", version="1"}': 1.0,
    **{
        f'slamon_task_state{{instance="a", partition="{partition}", state="{state}"}}': float(
            state == "running"
        )
        for partition in (0, 1)
        for state in TASK_STATES
    },
    'slamon_partition_lag{instance="a", topic="sla.tickets", partition="0"}': 3.0,
    'slamon_partition_lag{instance="a", topic="sla.tickets", partition="1"}': 40.0,
    'slamon_watermark_timestamp_seconds{instance="a", partition="0"}': END - 2.5,
    'slamon_watermark_timestamp_seconds{instance="a", partition="1"}': END - 1.0,
    # One objective that is moving between two pods, and is seen on both.
    **standings("p1", "breached", "a"),
    **standings("p1", "breached", "b"),
    **standings("web", "on_track", "a"),
    **standings("api", "undetermined", "a"),
    f'slamon_objective_attained_ratio{{{ACME}, objective="p1", instance="a"}}': 0.9,
    f'slamon_objective_attained_ratio{{{ACME}, objective="web", instance="a"}}': 1.0,
    **budget("web", 0.25),
    **budget("api", 1.0),
    f'slamon_tickets{{{ACME}, objective="p1", state="breached", instance="a"}}': 2.0,
    f'slamon_tickets{{{ACME}, objective="p1", state="breached", instance="b"}}': 2.0,
    **due("T-1", 600),
    **due("T-1", 600, "b"),
    **due("T-2", 2 * 3600),
    **due("T-3", 5 * 3600),
    f'slamon_objective_burn_rate_ratio{{{ACME}, objective="web", window="1h", instance="a"}}': 14.4,
}


def of_panel(title: str) -> str:
    """The first query of the panel."""
    exprs: list[str] = [query.expr for query in QUERIES if query.panel == f"slamon / on call: {title}"]
    return exprs[0]


def ask(
    promtool: Path,
    folder: Path,
    world: Series,
    answers: Iterable[tuple[str, Series]],
    changes: Mapping[str, str],
) -> None:
    """Have promtool compare; `changes` are series in its notation, a value a minute."""
    minutes = END // 60
    series = [{"series": name, "values": f"{value!r}x{minutes}"} for name, value in world.items()]
    series += [{"series": name, "values": values} for name, values in changes.items()]
    asked = [
        {
            "expr": expr,
            "eval_time": f"{END}s",
            "exp_samples": [{"labels": labels, "value": value} for labels, value in expected.items()],
        }
        for expr, expected in answers
    ]
    file = folder / "world.json"
    file.write_text(
        json.dumps(
            {
                "rule_files": [],
                "tests": [{"interval": "1m", "input_series": series, "promql_expr_test": asked}],
            }
        )
    )
    tested = subprocess.run([promtool, "test", "rules", file], capture_output=True, text=True, check=False)
    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_without_a_slamon_no_query_gives_anything_so_nothing_looks_good(
    promtool: Path, tmp_path: Path
) -> None:
    ask(promtool, tmp_path, {}, [(query.expr, {}) for query in QUERIES], {})


def test_a_slamon_without_work_has_zeros_where_none_is_meant_and_nothing_else(
    promtool: Path, tmp_path: Path
) -> None:
    zero = {"{}": 0.0}
    expected: dict[str, Series] = {
        "Processes": {"{}": 1.0},
        "Records rejected, last hour": zero,
        "Due within 1 hour": zero,
        "Due within 4 hours": zero,
        "Clocks not shown": zero,
    }
    answers = [(query.expr, expected.get(query.panel.partition(": ")[2], {})) for query in QUERIES]
    ask(promtool, tmp_path, A_POD_WITHOUT_WORK, answers, {})


def objective(name: str, *more: str) -> str:
    return "{" + ", ".join((ACME, f'objective="{name}"', *more)) + "}"


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Processes", {"{}": 2.0}),
        (
            "Tasks by state",
            {
                '{state="restoring"}': 0.0,
                '{state="running"}': 2.0,
                '{state="parked"}': 0.0,
                '{state="failed"}': 0.0,
            },
        ),
        ("Waiting to be read", {"{}": 40.0}),
        ("Clock behind by", {"{}": 2.5}),
        (
            "Objectives by standing",
            {
                '{standing="on_track"}': 1.0,
                '{standing="at_risk"}': 0.0,
                '{standing="breached"}': 1.0,
                '{standing="undetermined"}': 1.0,
                '{standing="not_applicable"}': 0.0,
            },
        ),
        ("At risk or breached", {objective("p1", 'standing="breached"'): 1.0}),
        ("Objectives breached now", {"{}": 1.0}),
        ("Tickets breached now", {"{}": 2.0}),
        ("Due within 1 hour", {"{}": 1.0}),
        ("Due within 4 hours", {"{}": 2.0}),
        (
            "Next to breach",
            {
                objective("p1", 'ticket="T-1"', 'priority="P1"'): 600.0,
                objective("p1", 'ticket="T-2"', 'priority="P1"'): 7200.0,
                objective("p1", 'ticket="T-3"', 'priority="P1"'): 18000.0,
            },
        ),
        ("Burn rate", {objective("web", 'window="1h"'): 14.4}),
        ("Error budget left", {objective("web"): 0.25}),
    ],
)
def test_a_panel_shows_each_objective_once_and_no_budget_that_was_not_measured(
    promtool: Path, tmp_path: Path, title: str, expected: Series
) -> None:
    ask(promtool, tmp_path, BUSY, [(of_panel(title), expected)], {})


def test_the_columns_of_the_table_are_of_the_objectives_at_risk_only(promtool: Path, tmp_path: Path) -> None:
    columns: Sequence[str] = [q.expr for q in QUERIES if q.panel == "slamon / on call: At risk or breached"]
    attained = next(expr for expr in columns if "attained_ratio" in expr)
    ask(promtool, tmp_path, BUSY, [(attained, {objective("p1"): 0.9})], {})


def test_a_record_that_is_the_first_to_be_rejected_for_its_reason_is_counted(
    promtool: Path, tmp_path: Path
) -> None:
    changes = {
        'slamon_events_rejected_total{reason="malformed"}': "7x120",  # long ago
        'slamon_events_rejected_total{reason="wrong_partition"}': "_x100 1x20",  # 20 minutes ago
    }
    by_reason = {'{reason="malformed"}': 0.0, '{reason="wrong_partition"}': 1.0}
    answers = [
        (of_panel("Records rejected, last hour"), {"{}": 1.0}),
        (of_panel("Records rejected, by reason"), by_reason),
    ]
    ask(promtool, tmp_path, SCRAPED, answers, changes)
