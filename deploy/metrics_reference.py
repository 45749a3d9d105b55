"""Writes the reference of slamon's metrics, docs/metrics.md, from the one list that declares them and the rules that use them.

python deploy/metrics_reference.py [--check]
"""
# ruff: noqa: INP001, T201 - a script, not a package; it prints

import argparse
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from slamon.outputs.metrics import METRICS, Kind, Metric, Page

ROOT = Path(__file__).resolve().parent.parent
RULES = ROOT / "deploy" / "prometheus" / "slamon.rules.yaml"
PAGE = ROOT / "docs" / "metrics.md"
HEAD = """\
# Metrics

Written by `deploy/metrics_reference.py` from `slamon/outputs/metrics.py` and the rules of Prometheus. Every pod shows what is
about its own tasks, on two pages of port 9464; scrape both, each as a job of its own ([Watching slamon](operating/watching.md)).

- Both are text as Prometheus 3 wants it, OpenMetrics if asked for, compressed if that is accepted.
- While a task moves, two pods may show its series for a scrape or two. So take one value for each set of labels:
  `max by (customer, agreement, objective) (…)`.
- A counter with labels appears when it is first raised, at its first value; `increase` sees no rise in that.
- No label is called `service` or `namespace`: those are the target's. A ticket's name is a label of one family alone, which is
  capped by the setting `metrics.ticket_series`.
"""
SECTIONS = {
    Page.PROCESS: "\n## `/metrics`: the process\n\nSmall. Beside these there are the usual `process_…` of the client library.\n\n",
    Page.SLA: (
        "\n## `/metrics/sla`: objectives and tickets\n\nAs many as there are objectives, up to `metrics.series_limit`. What does not apply"
        " to an objective, or has nothing to be judged by, has no series.\n\n"
    ),
}
TABLE = "| metric | type | labels | unit | meaning | alerts |\n|---|---|---|---|---|---|\n"
RECORDED = "\n## Recorded by the rules\n\n| series | from | alerts |\n|---|---|---|\n"
# The longest ending of a name says its unit.
UNITS = {
    "_timestamp_seconds": "seconds since 1970",
    "_seconds": "seconds",
    "_ratio": "share; 1 is all",
    "_burn_rate_ratio": "times; 1 is as fast as allowed",
    "_bytes": "bytes",
    "_info": "always 1",
}

Rule = dict[str, Any]


def main(arguments: list[str]) -> int:
    """Write the page, or with --check say whether it is as it would be written (1: it is not)."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit with 1 if the page is out of date"
    )
    check: bool = parser.parse_args(arguments).check
    text = written(METRICS, _rules())
    if not check:
        PAGE.write_text(text, encoding="utf-8")
        return 0
    same = PAGE.is_file() and PAGE.read_text(encoding="utf-8") == text
    if not same:
        print(f"docs/{PAGE.name} is not what metrics and rules say: run `python deploy/metrics_reference.py`")
    return int(not same)


def written(metrics: Iterable[Metric], rules: list[Rule]) -> str:
    metrics = list(metrics)
    text = HEAD
    for page, head in SECTIONS.items():
        text += head + TABLE + "".join(_line(metric, rules) for metric in metrics if metric.page is page)
    text += RECORDED
    for rule in rules:
        if "record" in rule:
            found = ", ".join(f"`{each.name}`" for each in metrics if _names(rule, each.name))
            text += f"| `{rule['record']}` | {found} | {_alerts(rule['record'], rules)} |\n"
    return text


def unit(metric: Metric) -> str:
    ending = max((each for each in UNITS if metric.name.endswith(each)), key=len, default="")
    return UNITS.get(ending, "number")


def _line(metric: Metric, rules: list[Rule]) -> str:
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    meaning = metric.help.replace("|", "\\|")
    if metric.kind is Kind.HISTOGRAM:
        meaning += f" Buckets up to {', '.join(f'{bound:g}' for bound in metric.buckets)}."
    alerts = _alerts(metric.name, rules)
    return f"| `{metric.name}` | {metric.kind.value} | {labels} | {unit(metric)} | {meaning} | {alerts} |\n"


def _alerts(series: str, rules: list[Rule]) -> str:
    """Those that look at it, also by what is recorded of it."""
    through = [rule["record"] for rule in rules if "record" in rule and _names(rule, series)]
    found = [
        rule["alert"]
        for rule in rules
        if "alert" in rule and any(_names(rule, each) for each in (series, *through))
    ]
    return ", ".join(f"[{alert}](runbook/{alert}.md)" for alert in found)


def _names(rule: Rule, series: str) -> bool:
    return bool(re.search(rf"(?<![\w:]){re.escape(series)}(_bucket|_count|_sum)?(?![\w:])", rule["expr"]))


def _rules() -> list[Rule]:
    return list(_each_rule(yaml.safe_load(RULES.read_text(encoding="utf-8"))))


def _each_rule(file: dict[str, Any]) -> Iterator[Rule]:
    for group in file["groups"]:
        yield from group["rules"]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
