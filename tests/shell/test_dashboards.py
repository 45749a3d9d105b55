"""The dashboards: what is committed is what is generated, and every query means what its panel says."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from queries import GRAFANAS, Query, queries

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

TITLES = {
    "slamon-on-call": "slamon / on call",
    "slamon-service-manager": "slamon / service manager",
    "slamon-itself": "slamon / itself",
}

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
    (tmp_path / "docs").mkdir()
    shutil.copy(ROOT / "docs" / "dashboards.md", tmp_path / "docs")
    assert generate(root=tmp_path).returncode == 0
    for file in ("grafana/on-call.json", "deploy/helm/slamon/dashboards/itself.json", "docs/dashboards.md"):
        before = (tmp_path / file).read_text()
        (tmp_path / file).write_text(before.replace("Tasks by state", "Tasks by taste"))
        check = generate("--check", root=tmp_path)
        assert (check.returncode, check.stdout.count("\n")) == (1, 1)
        assert check.stdout.startswith(f"{file} is not what grafana/generate.py writes: run ")
        assert generate(root=tmp_path).returncode == 0
        assert (tmp_path / file).read_text() == before


# What a board holds beyond the types that Grafana publishes.
BEYOND = {
    "annotations.list": {
        "expr",
        "step",
        "titleFormat",
        "textFormat",
    },  # of Prometheus' datasource, not of Grafana
    "templating.list": {
        "definition"
    },  # written by Grafana's own editor; without it a variable's list shows no query
}


@pytest.fixture(scope="module")
def grafana_schema(part: Callable[[str], Path]) -> Callable[[str], jsonschema.Draft7Validator]:
    """Gives what checks a `board`, or a panel of a kind, by the types of the Grafana in the compose file."""
    schema = json.loads(part("grafana-schema").read_text())
    [boards] = [each for name, each in schema["definitions"].items() if name == "Boards"]
    kinds = {"board": boards["properties"]["board"], **boards["properties"]["kinds"]["properties"]}
    return lambda kind: jsonschema.Draft7Validator(
        {"definitions": schema["definitions"], "allOf": [kinds[kind]]}
    )


@pytest.mark.parametrize("file", BOARDS, ids=lambda file: file.stem)
def test_a_board_holds_nothing_that_grafana_does_not_know_and_nothing_of_another_type(
    file: Path, grafana_schema: Callable[[str], jsonschema.Draft7Validator]
) -> None:
    board = json.loads(file.read_text())
    found = list(grafana_schema("board").iter_errors(without_what_is_beyond(board)))
    for panel in board["panels"]:
        found += grafana_schema(panel["type"]).iter_errors(panel)
    assert [f"{error.json_path}: {error.message}" for error in found] == []


def test_what_grafana_does_not_know_is_found_on_a_board_and_on_every_kind_of_panel(
    grafana_schema: Callable[[str], jsonschema.Draft7Validator],
) -> None:
    boards = [json.loads(file.read_text()) for file in BOARDS]
    kinds = {panel["type"]: panel for board in boards for panel in board["panels"]}
    for kind, thing in {"board": without_what_is_beyond(boards[0]), **kinds}.items():
        assert grafana_schema(kind).is_valid(thing)
        assert not grafana_schema(kind).is_valid({**thing, "colour": "red"})
        assert not grafana_schema(kind).is_valid({**thing, "title": 1})
        if "options" in thing:
            assert not grafana_schema(kind).is_valid(
                {**thing, "options": {**thing["options"], "colour": "red"}}
            )


def without_what_is_beyond(board: Mapping[str, Any]) -> dict[str, Any]:
    known = dict(board)
    for path, beyond in BEYOND.items():
        place, _, name = path.partition(".")
        known[place] = {
            name: [
                {key: value for key, value in each.items() if key not in beyond}
                for each in board[place][name]
            ]
        }
    return known


@pytest.mark.parametrize("panel", PANELS.values(), ids=PANELS)
def test_a_panel_has_a_unit_a_description_and_words_for_nothing(panel: Mapping[str, Any]) -> None:
    defaults = panel["fieldConfig"]["defaults"]
    assert defaults["unit"]
    assert panel["description"].endswith(".")
    assert re.search("[a-z]{2}", defaults["noValue"])
    assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    assert panel["targets"]


@pytest.mark.parametrize("panel", TABLES.values(), ids=TABLES)
def test_a_column_has_a_dash_for_what_does_not_apply_and_its_unit_if_it_has_values(
    panel: Mapping[str, Any],
) -> None:
    titles = panel["transformations"][-1]["options"]["renameByName"]
    overrides = properties(panel)
    assert overrides.keys() == set(titles.values())
    assert all(override["noValue"] == "–" for override in overrides.values())
    assert {title for title, override in overrides.items() if "unit" in override} == {
        title for name, title in titles.items() if name.startswith("Value")
    }


def properties(panel: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What a panel changes of single fields, by their titles."""
    return {
        override["matcher"]["options"]: {each["id"]: each["value"] for each in override["properties"]}
        for override in panel["fieldConfig"]["overrides"]
    }


@pytest.mark.parametrize("panel", PANELS.values(), ids=PANELS)
def test_what_has_a_colour_is_said_in_words_or_numbers_too(panel: Mapping[str, Any]) -> None:
    mappings = panel["fieldConfig"]["defaults"].get("mappings", [])
    assert all(shown["text"] for mapping in mappings for shown in mapping["options"].values())
    if panel["type"] == "stat":
        assert panel["options"]["textMode"] in ("value", "value_and_name")
        named = [target["legendFormat"] for target in panel["targets"] if target["legendFormat"]]
        assert len(named) == len(panel["targets"]) or len(panel["targets"]) == 1


@pytest.mark.parametrize("panel", TABLES.values(), ids=TABLES)
def test_a_row_opens_another_board_for_its_customer_at_the_time_shown(panel: Mapping[str, Any]) -> None:
    titles = panel["transformations"][-1]["options"]["renameByName"]
    links = [link for shown in properties(panel).values() for link in shown.get("links", ())]
    assert len(links) == ("customer" in titles)
    for link in links:
        board, _, asked = link["url"].removeprefix("/d/").partition("?")
        assert board in TITLES
        chosen = dict(each.split("=") for each in asked.split("&") if "=" in each)
        expected = {
            f"var-{label}": f"${{__data.fields.{titles[label]}}}"
            for label in ("customer", "agreement")
            if label in titles
        }
        assert chosen == {"var-datasource": "${datasource}", **expected}
        assert asked.startswith("var-datasource=${datasource}&${namespace:queryparam}&")
        assert asked.endswith("&${__url_time_range}")


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
def test_a_board_has_a_choice_of_datasource_namespace_customer_and_agreement_and_passes_it_on(
    file: Path,
) -> None:
    board = json.loads(file.read_text())
    variables = {each["name"]: each for each in board["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    for name in ("namespace", "customer", "agreement"):
        assert variables[name]["query"]["query"].endswith(f", {name})")
        assert variables[name]["current"] == {"text": ["All"], "value": ["$__all"]}
        unseen = board["uid"] == "slamon-itself" and name != "namespace"
        assert variables[name]["hide"] == (2 if unseen else 0)
    [among, *_] = board["links"]
    assert (among["type"], among["tags"]) == ("dashboards", ["slamon"])
    assert (among["includeVars"], among["keepTime"]) == (True, True)
    assert "slamon" in board["tags"]
    assert not [link for link in board["links"] if "placement" in link]  # else they hide in a menu


def test_every_board_has_the_name_and_address_that_the_others_link_to() -> None:
    boards = [json.loads(file.read_text()) for file in BOARDS]
    assert {board["uid"]: board["title"] for board in boards} == TITLES


def test_a_page_that_sends_its_reader_to_a_panel_names_one_that_is_there() -> None:
    boards = [json.loads(file.read_text()) for file in BOARDS]
    there = {(panel["title"], board["title"]) for board in boards for panel in board["panels"]}
    named = {
        (*found, page.name)
        for page in (ROOT / "docs").rglob("*.md")
        for found in re.findall(
            r"\*\*([^*]+)\*\*,? of the board \*([^*]+)\*", " ".join(page.read_text(encoding="utf-8").split())
        )
    }
    assert named
    assert {(title, board, page) for title, board, page in named if (title, board) not in there} == set()


def test_queries_lists_every_query_of_every_board_without_variables() -> None:
    boards = [json.loads(file.read_text()) for file in BOARDS]
    targets = sum(len(panel["targets"]) for panel in PANELS.values())
    annotations = sum(len(board["annotations"]["list"]) for board in boards)
    assert annotations == 7
    assert len(QUERIES) == targets + annotations + 3 * len(BOARDS)
    assert not [query for query in QUERIES if "$" in query.expr]


# Not slamon's own: those of every process that Prometheus' client libraries watch.
OF_ANY_PROCESS = {
    "process_cpu_seconds_total",
    "process_open_fds",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
}


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.panel)
def test_a_query_names_only_metrics_that_slamon_has_and_labels_that_they_have(query: Query) -> None:
    named = set(re.findall(r"\b(?:slamon|process)_\w+", query.expr))
    assert named
    of_slamon = {base_name(name) for name in named if name.startswith("slamon_")}
    assert of_slamon <= BY_NAME.keys()
    assert {name for name in named if name.startswith("process_")} <= OF_ANY_PROCESS
    known = {
        "instance",
        "namespace",
        "le",
        "reason",
        *(label for name in of_slamon for label in BY_NAME[name].labels),
    }
    grouped = re.findall(r"\b(?:by|on|group_left) \(([^)]*)\)", query.expr)
    matched = re.findall(r"(\w+) *=~?\"", query.expr)
    asked = {label for labels in grouped for label in labels.split(", ") if label} | set(matched)
    assert asked <= known


def base_name(name: str) -> str:
    """Of a histogram, whose series are called after it."""
    return name if name in BY_NAME else re.sub(r"_(bucket|sum|count)$", "", name)


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.panel)
def test_everything_is_asked_of_the_chosen_namespace(query: Query) -> None:
    selectors = re.findall(r"\b(?:slamon|process)_\w+(?:\{[^}]*\})?", query.expr)
    if not query.panel.endswith("$namespace"):
        assert all('{namespace=~".*"' in selector for selector in selectors)


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.panel)
def test_a_rate_is_taken_over_what_grafana_reckons_from_the_scrape_interval(query: Query) -> None:
    assert set(re.findall(r"\brate\([^\[]*\[(\w+)\]", query.expr)) <= {GRAFANAS["__rate_interval"]}


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


def money(objective: str, limit: float, due: float) -> dict[str, float]:
    """Of a fee of 18,000 EUR."""
    labels = f'{ACME}, objective="{objective}", instance="a"'
    return {
        f'slamon_objective_fee_amount{{{labels}, currency="EUR"}}': 18_000.0,
        f'slamon_objective_credit_amount{{{labels}, currency="EUR"}}': due,
        f"slamon_objective_credit_limit_ratio{{{labels}}}": limit,
    }


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
    f'slamon_objective_budget_exhausted_timestamp_seconds{{{ACME}, objective="web", instance="a"}}': END
    + 1800.0,
    **money("p1", limit=0.1, due=180.0),
    f'slamon_objective_burn_rate_ratio{{{ACME}, objective="web", window="1h", instance="a"}}': 14.4,
}


def exprs_of(title: str, board: str = "on call") -> list[str]:
    """The queries of the panel."""
    found = [query.expr for query in QUERIES if query.panel == f"slamon / {board}: {title}"]
    assert found
    return found


def of_panel(title: str, board: str = "on call") -> str:
    """The first query of the panel."""
    return exprs_of(title, board)[0]


def ask(
    promtool: Path,
    folder: Path,
    world: Series,
    answers: Iterable[tuple[str, Series]],
    changes: Mapping[str, str],
    *,
    end: int = END,
    every: int = 60,
) -> None:
    """Have promtool compare at `end`; `changes` are series in its notation, a value `every` so many seconds."""
    series = [{"series": name, "values": f"{value!r}x{end // every}"} for name, value in world.items()]
    series += [{"series": name, "values": values} for name, values in changes.items()]
    asked = [
        {
            "expr": expr,
            "eval_time": f"{end}s",
            "exp_samples": [{"labels": labels, "value": value} for labels, value in expected.items()],
        }
        for expr, expected in answers
    ]
    file = folder / "world.json"
    file.write_text(
        json.dumps(
            {
                "rule_files": [],
                "tests": [{"interval": f"{every}s", "input_series": series, "promql_expr_test": asked}],
            }
        )
    )
    tested = subprocess.run([promtool, "test", "rules", file], capture_output=True, text=True, check=False)
    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_without_a_slamon_nothing_is_said_but_that_there_is_none(promtool: Path, tmp_path: Path) -> None:
    doubts = of_panel("Reasons to doubt this board")
    none = {'{reason="No slamon is scraped: all numbers are missing or old"}': 1.0}
    answers = [(query.expr, none if query.expr == doubts else {}) for query in QUERIES]
    ask(promtool, tmp_path, {}, answers, {})


ZERO = {"{}": 0.0}
ZEROS_WITHOUT_WORK: Mapping[str, Sequence[Series]] = {
    **{f"{title}: $namespace": [{"{}": 1.0}] for title in TITLES.values()},
    "slamon / on call: Tickets due within 1 hour": [ZERO],
    "slamon / on call: Tickets due within 4 hours": [ZERO],
    "slamon / on call: Budgets that end within 4 hours": [ZERO],
    "slamon / on call: Clocks not shown": [ZERO],
    "slamon / on call: Reasons to doubt this board": [{'{reason="No task runs: nothing is judged"}': 1.0}],
    "slamon / itself: Pods": [{'{instance="a", version="1"}': 1.0}, {}, {}, {}, {}, {}],
    "slamon / itself: Restores in the time shown": [ZERO] * 4,
    "slamon / itself: Events that are odd": [ZERO] * 4,
    "slamon / itself: Rejected or lost, last hour": [ZERO] * 3,
    "slamon / itself: Series of objectives": [{}, {}, ZERO],
}


def test_a_slamon_without_work_has_zeros_where_none_is_meant_and_nothing_else(
    promtool: Path, tmp_path: Path
) -> None:
    asked: dict[str, list[str]] = {}
    for query in QUERIES:
        asked.setdefault(query.panel, []).append(query.expr)
    answers = [
        (expr, expected)
        for panel, exprs in asked.items()
        for expr, expected in zip(exprs, ZEROS_WITHOUT_WORK.get(panel, [{}] * len(exprs)), strict=True)
    ]
    ask(promtool, tmp_path, A_POD_WITHOUT_WORK, answers, {})


def objective(name: str, *more: str) -> str:
    return "{" + ", ".join((ACME, f'objective="{name}"', *more)) + "}"


@pytest.mark.parametrize(
    ("title", "expected"),
    [
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
        ("Budgets that end within 4 hours", {"{}": 1.0}),
        ("Credits due as it stands", {'{currency="EUR"}': 180.0}),
        ("Reasons to doubt this board", {}),
        ("Objectives breached now", {"{}": 1.0}),
        ("Tickets breached now", {"{}": 2.0}),
        ("Tickets due within 1 hour", {"{}": 1.0}),
        ("Tickets due within 4 hours", {"{}": 2.0}),
        (
            "Next to breach",
            {
                objective("p1", 'ticket="T-1"', 'priority="P1"'): 600.0,
                objective("p1", 'ticket="T-2"', 'priority="P1"'): 7200.0,
                objective("p1", 'ticket="T-3"', 'priority="P1"'): 18000.0,
                objective("web"): 1800.0,
            },
        ),
        ("Standing of each objective, over time", {objective("p1"): 5.0}),
        ("Burn rate", {objective("web", 'window="1h"'): 14.4}),
        ("Error budget left, over time", {objective("web"): 0.25}),
    ],
)
def test_a_panel_shows_each_objective_once_and_no_budget_that_was_not_measured(
    promtool: Path, tmp_path: Path, title: str, expected: Series
) -> None:
    ask(promtool, tmp_path, BUSY, [(of_panel(title), expected)], {})


def test_the_columns_of_the_table_are_of_the_objectives_at_risk_only(promtool: Path, tmp_path: Path) -> None:
    attained = next(expr for expr in exprs_of("At risk or breached") if "attained_ratio" in expr)
    ask(promtool, tmp_path, BUSY, [(attained, {objective("p1"): 0.9})], {})


def test_beside_each_clock_stands_what_its_objective_can_still_cost(promtool: Path, tmp_path: Path) -> None:
    at_stake = next(expr for expr in exprs_of("Next to breach") if "fee_amount" in expr)
    expected = {
        objective("p1", f'ticket="{ticket}"', 'priority="P1"', 'currency="EUR"'): 1620.0
        for ticket in ("T-1", "T-2", "T-3")
    }
    ask(promtool, tmp_path, BUSY, [(at_stake, expected)], {})


def test_since_is_when_an_objective_was_last_seen_to_stand_otherwise(promtool: Path, tmp_path: Path) -> None:
    since = next(expr for expr in exprs_of("At risk or breached") if "timestamp(" in expr)
    changes = {
        f'slamon_objective_standing{{{ACME}, objective="new", standing="breached", instance="a"}}': "0x99 1x20",
        # Seen on another pod since, where it never stood otherwise.
        f'slamon_objective_standing{{{ACME}, objective="moved", standing="at_risk", instance="a"}}': "0x49 1x10 _x60",
        f'slamon_objective_standing{{{ACME}, objective="moved", standing="at_risk", instance="b"}}': "_x59 1x60",
        f'slamon_objective_standing{{{ACME}, objective="old", standing="breached", instance="a"}}': "1x120",
        f'slamon_objective_standing{{{ACME}, objective="over", standing="breached", instance="a"}}': "0x9 1x9 0x110",
    }
    step = 30  # in Grafana's place, and the values' minute; so the last instant seen is within the minute
    expected = {
        objective("new", 'standing="breached"'): (99 * 60 + step) * 1000.0,
        objective("moved", 'standing="at_risk"'): (49 * 60 + step) * 1000.0,
    }
    ask(promtool, tmp_path, {}, [(since, expected)], changes)


# What makes each reason for doubt hold, beside a pod that has a task and runs it.
WITH_A_TASK = {**SCRAPED, 'slamon_task_state{instance="a", partition="0", state="running"}': 1.0}
CAUSES: Mapping[str, tuple[Series, Mapping[str, str]]] = {
    "No slamon is scraped": ({}, {}),
    "No task runs": (SCRAPED, {}),
    "A task restores, is parked": (
        {**WITH_A_TASK, 'slamon_task_state{instance="a", partition="1", state="failed"}': 1.0},
        {},
    ),
    "A clock is behind": (
        {**WITH_A_TASK, 'slamon_watermark_timestamp_seconds{instance="a", partition="0"}': END - 61.0},
        {},
    ),
    "Deliveries failed": (WITH_A_TASK, {'slamon_notifications_failed_total{instance="a"}': "0x117 3x3"}),
    "Alerts have waited": (
        {**WITH_A_TASK, 'slamon_notification_queue_length{instance="a"}': 2.0},
        {'slamon_notification_queue_length{instance="b"}': "5x118 0 5"},
    ),
    "Alerts were given up": (WITH_A_TASK, {'slamon_notifications_dropped_total{instance="a"}': "0x90 1x30"}),
    "Records were rejected": (
        WITH_A_TASK,
        {'slamon_events_rejected_total{instance="a", reason="not_json"}': "_x90 1x30"},
    ),
    "Input was deleted": (WITH_A_TASK, {'slamon_input_gaps_total{instance="a"}': "0x90 2x30"}),
    "The newest agreement files were refused": (
        {
            **WITH_A_TASK,
            'slamon_config_last_reload_successful{instance="a"}': 1.0,
            'slamon_config_last_reload_successful{instance="b"}': 0.0,
        },
        {},
    ),
    "Objectives are left out": ({**WITH_A_TASK, 'slamon_series_left_out{instance="a"}': 15.0}, {}),
}


DOUBTS = re.findall(r'"reason", "([^"]+)"', of_panel("Reasons to doubt this board"))


@pytest.mark.parametrize("reason", DOUBTS, ids=lambda reason: reason.partition(":")[0])
def test_each_reason_for_doubt_is_told_when_it_holds(reason: str, promtool: Path, tmp_path: Path) -> None:
    [(world, changes)] = [cause for begins, cause in CAUSES.items() if reason.startswith(begins)]
    query = of_panel("Reasons to doubt this board")
    named = f"sum by (reason) (0 * ({query}))"  # which, and not how far
    ask(promtool, tmp_path, world, [(named, {f'{{reason="{reason}"}}': 0.0})], changes)


def test_a_record_that_is_the_first_to_be_rejected_for_its_reason_is_counted(
    promtool: Path, tmp_path: Path
) -> None:
    changes = {
        'slamon_events_rejected_total{reason="malformed"}': "7x120",  # long ago
        'slamon_events_rejected_total{reason="wrong_partition"}': "_x100 1x20",  # 20 minutes ago
    }
    by_reason = {'{reason="malformed"}': 0.0, '{reason="wrong_partition"}': 1.0}
    answers = [
        (of_panel("Rejected or lost, last hour", "itself"), {"{}": 1.0}),
        (of_panel("Records rejected, by reason", "itself"), by_reason),
    ]
    ask(promtool, tmp_path, SCRAPED, answers, changes)


def test_partitions_that_lost_their_task_and_those_that_two_pods_judge_are_told(
    promtool: Path, tmp_path: Path
) -> None:
    running = 'slamon_task_state{{instance="{}", partition="{}", state="running"}}'.format
    world = {**SCRAPED, running("a", 0): 1.0, running("a", 1): 1.0, running("b", 1): 1.0}
    judged, not_judged, twice = exprs_of("Partitions", "itself")
    lost = {running("b", 2): "1x60 _x60"}
    answers: list[tuple[str, Series]] = [
        (judged, {"{}": 2.0}),
        (not_judged, {"{}": 1.0}),
        (twice, {"{}": 1.0}),
    ]
    ask(promtool, tmp_path, world, answers, lost)
    del world[running("b", 1)]
    answers = [(judged, {"{}": 2.0}), (not_judged, ZERO), (twice, ZERO)]
    ask(promtool, tmp_path, world, answers, {})


# Annotations.


def test_a_breach_is_marked_when_it_comes_and_not_when_a_pod_begins_to_say_so(
    promtool: Path, tmp_path: Path
) -> None:
    changes = {
        f'slamon_objective_standing{{{ACME}, objective="new", standing="breached", instance="a"}}': "0x119 1",
        f'slamon_objective_standing{{{ACME}, objective="moved", standing="breached", instance="b"}}': "_x119 1",
        f'slamon_objective_standing{{{ACME}, objective="old", standing="breached", instance="a"}}': "0x60 1x60",
    }
    ask(promtool, tmp_path, {}, [(of_panel("@Breaches"), {objective("new"): 1.0})], changes)


def test_time_is_marked_while_it_is_excluded(promtool: Path, tmp_path: Path) -> None:
    def excluded(name: str) -> str:
        return f'slamon_objective_excluded{{{ACME}, objective="{name}", instance="a"}}'

    world = {excluded("web"): 1.0, excluded("api"): 0.0}
    ask(promtool, tmp_path, world, [(of_panel("@Exclusions"), {f"{{{ACME}}}": 1.0})], {})
    ask(promtool, tmp_path, {excluded("api"): 0.0}, [(of_panel("@Exclusions"), {})], {})


def test_a_pod_that_started_is_marked_for_two_minutes_and_other_programs_are_not(
    promtool: Path, tmp_path: Path
) -> None:
    started = 'process_start_time_seconds{{instance="{}"}}'.format
    world = {**SCRAPED, started("a"): END - 90.0, started("something else"): END - 10.0}
    ask(promtool, tmp_path, world, [(of_panel("@Restarts"), {'{instance="a"}': 90.0})], {})
    world[started("a")] = END - 120.0
    ask(promtool, tmp_path, world, [(of_panel("@Restarts"), {})], {})


# What the world of the demo is too young for (see tests/end_to_end/test_boards.py).


def test_what_was_attained_a_month_ago_stands_beside_what_is_attained_now(
    promtool: Path, tmp_path: Path
) -> None:
    of_web = f'{{{ACME}, objective="web", instance="a"}}'
    hours = 31 * 24
    changes = {f"slamon_objective_attained_ratio{of_web}": f"0.75x100 0.5x{hours - 101}"}
    change, now, before, promised = exprs_of("Attained, now and before", "service manager")
    answers: list[tuple[str, Series]] = [
        (change, {objective("web"): -0.25}),
        (now, {objective("web"): 0.5}),
        (before, {objective("web"): 0.75}),
        (promised, {objective("web"): 0.99}),
    ]
    world = {f"slamon_objective_target_ratio{of_web}": 0.99}
    ask(promtool, tmp_path, world, answers, changes, end=hours * 3600, every=3600)
