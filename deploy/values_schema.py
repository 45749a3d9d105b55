"""Brings the chart's values.schema.json up to date, so that Helm refuses what slamon or Kubernetes would.

Written by hand is everything but `properties.settings` and `$defs`. The settings are made from `slamon.settings`, without
what the chart sets itself and without passwords, for the settings of a chart become a ConfigMap. What the values hand on to
Kubernetes, such as tolerations, is named by hand (`$ref`) and defined as Kubernetes itself publishes it.

    python deploy/values_schema.py [--check]
"""
# ruff: noqa: INP001, T201 - a script beside the chart, not a package; it prints

import argparse
import json
import re
import sys
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

from slamon.settings import Settings

SCHEMA = Path(__file__).parent / "helm" / "slamon" / "values.schema.json"
KUBERNETES = "1.37.0"  # the newest there are schemas for: what it does not know, no cluster does
SET_BY_THE_CHART = {
    "Settings": {"agreements"},
    "HttpSettings": {"port", "liveness_port"},
    "KafkaSettings": {"group_instance_id"},
}


def main(arguments: list[str]) -> int:
    """Write the file, or with --check say whether it is as it would be written (1: it is not)."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit with 1 if the file is out of date"
    )
    check: bool = parser.parse_args(arguments).check
    before = SCHEMA.read_text()
    after = updated(before)
    if check:
        if before != after:
            print(
                f"{SCHEMA.name} is not what slamon's settings ask for: run `python deploy/values_schema.py`"
            )
        return int(before != after)
    SCHEMA.write_text(after)
    return 0


def updated(schema: str) -> str:
    values = json.loads(schema)
    settings = _settings()
    values["properties"]["settings"] = {"type": "object"}
    del values["$defs"]
    values["$defs"] = settings.pop("$defs") | _of_kubernetes(values)
    values["properties"]["settings"] = settings
    return json.dumps(values, indent=2, ensure_ascii=False) + "\n"


def _settings() -> dict[str, Any]:
    settings = Settings.model_json_schema()
    for name, model in [("Settings", settings), *settings["$defs"].items()]:
        properties = model["properties"]
        for key in list(properties):
            if key in SET_BY_THE_CHART.get(name, ()) or _is_secret(properties[key]):
                del properties[key]
            else:
                properties[key].pop("title", None)
                if "$ref" in properties[key]:
                    properties[key].pop("default", None)  # its own properties have theirs
        model.pop("title", None)
    return settings


def _of_kubernetes(values: dict[str, Any]) -> dict[str, Any]:
    """The definitions that the values name, and those that these name, without their descriptions."""
    kept = files("kubernetes_validate") / "kubernetes-json-schema" / f"v{KUBERNETES}-local-strict"
    known = json.loads((kept / "_definitions.json").read_text())["$defs"]
    found: dict[str, Any] = {}
    wanted = list(_named(values))
    while wanted:
        name = wanted.pop()
        if name not in found:
            found[name] = _bare(known[name])
            wanted += _named(found[name])
    return dict(sorted(found.items()))


def _named(schema: object) -> Iterator[str]:
    return (match[1] for match in re.finditer(r'"#/\$defs/(io\.k8s\.[^"]+)"', json.dumps(schema)))


def _bare(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {
            key: _bare(part)
            for key, part in schema.items()
            if not (key == "description" and isinstance(part, str)) and not key.startswith("x-kubernetes-")
        }
    return [_bare(part) for part in schema] if isinstance(schema, list) else schema


def _is_secret(schema: dict[str, Any]) -> bool:
    """Whether it holds one, also as one of several."""
    return '"writeOnly": true' in json.dumps(schema)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
