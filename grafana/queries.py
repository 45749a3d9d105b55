"""Every query of the committed dashboards, panels', variables' and annotations', with "All" filled in as Grafana does.

So each of them can be run on a Prometheus, without a Grafana.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
# Grafana's own, for the boards' 6 hours at a panel's width.
GRAFANAS = {"__rate_interval": "2m", "__interval": "30s", "__range": "6h"}
_VARIABLE = re.compile(r"\$(?:\{(\w+)(?::\w+)?\}|(\w+))")
_LABEL_VALUES = re.compile(r"label_values\((?P<series>.+), *(?P<label>\w+)\)")


@dataclass(frozen=True, slots=True)
class Query:
    """`panel` is "board: title", "board: $variable" or "board: @annotation"; `over_time` if it is asked for every instant."""

    panel: str
    expr: str
    over_time: bool = False


def queries(folder: Path = HERE) -> list[Query]:
    """Of every variable, annotation and panel of the dashboards in the folder, in their order.

    Raises a KeyError where a query uses a variable that its dashboard does not have, and a ValueError where a
    variable asks for something else than `label_values`.
    """
    return [
        query for file in sorted(folder.glob("*.json")) for query in _of_board(json.loads(file.read_text()))
    ]


def _of_board(board: Mapping[str, Any]) -> Iterator[Query]:
    asked = [variable for variable in board["templating"]["list"] if variable["type"] == "query"]
    listed = [variable for variable in board["templating"]["list"] if variable["type"] == "custom"]
    values = (
        GRAFANAS
        | {variable["name"]: variable["allValue"] for variable in asked}
        | {variable["name"]: variable["current"]["value"] for variable in listed}
    )
    for variable in asked:
        yield Query(
            f"{board['title']}: ${variable['name']}", _filled_in(_series(variable["query"]["query"]), values)
        )
    for annotation in board["annotations"]["list"]:
        yield Query(f"{board['title']}: @{annotation['name']}", _filled_in(annotation["expr"], values), True)
    for panel in _panels(board["panels"]):
        for target in panel.get("targets", ()):
            yield Query(
                f"{board['title']}: {panel['title']}",
                _filled_in(target["expr"], values),
                over_time=not target["instant"],
            )


def _panels(panels: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Also those inside collapsed rows."""
    for panel in panels:
        yield panel
        yield from _panels(panel.get("panels", []))


def _series(label_values: str) -> str:
    """The same question in PromQL: Grafana asks for it through an interface of its own."""
    found = _LABEL_VALUES.fullmatch(label_values)
    if not found:
        raise ValueError(f"{label_values!r} is not label_values(series, label)")
    return f"group by ({found['label']}) ({found['series']})"


def _filled_in(expr: str, values: Mapping[str, str]) -> str:
    return _VARIABLE.sub(lambda variable: values[variable[1] or variable[2]], expr)
