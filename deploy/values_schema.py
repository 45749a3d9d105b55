"""Brings the chart's values.schema.json up to date with slamon's settings, so that Helm refuses what slamon would.

Written by hand is everything but `properties.settings` and `$defs`; these are made from `slamon.settings`, without
what the chart sets itself and without passwords, for the settings of a chart become a ConfigMap.

    python deploy/values_schema.py [--check]
"""
# ruff: noqa: INP001, T201 - a script beside the chart, not a package; it prints

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from slamon.settings import Settings

SCHEMA = Path(__file__).parent / "helm" / "slamon" / "values.schema.json"
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
    values["$defs"] = settings.pop("$defs")
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


def _is_secret(schema: dict[str, Any]) -> bool:
    choices = [*schema.get("anyOf", [schema]), schema.get("items", {})]
    return any(choice.get("writeOnly") for choice in choices)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
