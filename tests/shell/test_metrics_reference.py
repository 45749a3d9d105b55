"""docs/metrics.md is what the list of metrics and the rules say."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from slamon.outputs.metrics import METRICS, Kind, Metric, Page
from tests.shell.test_rules import ALERTS, RULES

ROOT = Path(__file__).parents[2]


def _loaded() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "metrics_reference", ROOT / "deploy" / "metrics_reference.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


reference = _loaded()
PAGE = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")


def test_the_page_is_what_metrics_and_rules_say() -> None:
    assert reference.main(["--check"]) == 0


def test_a_page_that_is_behind_is_noticed_and_written_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(reference, "PAGE", tmp_path / "metrics.md")
    assert reference.main(["--check"]) == 1
    assert "run `python deploy/metrics_reference.py`" in capsys.readouterr().out
    assert reference.main([]) == 0
    assert reference.main(["--check"]) == 0


@pytest.mark.parametrize("metric", METRICS, ids=[metric.name for metric in METRICS])
def test_a_metric_stands_once_under_its_page_with_type_labels_unit_and_meaning(metric: Metric) -> None:
    [line] = [line for line in PAGE.splitlines() if line.startswith(f"| `{metric.name}` |")]
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells[1:3] == [metric.kind.value, ", ".join(f"`{label}`" for label in metric.labels)]
    assert cells[4].startswith(metric.help)
    above = re.findall(r"^## `(/\S+)`", PAGE[: PAGE.index(line)], re.MULTILINE)
    assert above[-1] == metric.page.value


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("slamon_watermark_timestamp_seconds", "seconds since 1970"),
        ("slamon_commit_duration_seconds", "seconds"),
        ("slamon_objective_coverage_ratio", "share; 1 is all"),
        ("slamon_objective_burn_rate_ratio", "times; 1 is as fast as allowed"),
        ("slamon_build_info", "always 1"),
        ("slamon_events_total", "number"),
    ],
)
def test_the_ending_of_a_name_says_its_unit(name: str, unit: str) -> None:
    assert reference.unit(Metric(name, Kind.GAUGE, "")) == unit


def test_an_alert_stands_beside_every_metric_that_it_looks_at_also_by_what_is_recorded() -> None:
    lines = {line.split("`")[1]: line for line in PAGE.splitlines() if line.startswith("| `slamon")}
    assert "[SlamonDeadLetters](runbook/SlamonDeadLetters.md)" in lines["slamon_events_rejected_total"]
    assert "[SlamonCommitsSlow](runbook/SlamonCommitsSlow.md)" in lines["slamon_commit_duration_seconds"]
    assert lines["slamon_events_late_total"].endswith("|  |")
    named = set(re.findall(r"\(runbook/(\w+)\.md\)", PAGE))
    of_others = {"SlamonPodDown", "SlamonMemoryNearLimit"}  # up, and the client library's
    assert named == ALERTS.keys() - of_others


def test_what_is_new_in_the_list_is_on_the_page() -> None:
    new = Metric("slamon_new_seconds", Kind.HISTOGRAM, "How new.", page=Page.PROCESS, buckets=(0.5, 10.0))
    assert "| `slamon_new_seconds` | histogram |  | seconds | How new. Buckets up to 0.5, 10. |  |" in (
        reference.written([*METRICS, new], RULES)
    )
