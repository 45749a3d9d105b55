"""Copies the Prometheus rules into the Helm chart, which can only ship its own files.

python deploy/chart_rules.py [--check]
"""
# ruff: noqa: INP001, T201 - a script beside the chart, not a package; it prints

import argparse
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
RULES = HERE / "prometheus" / "slamon.rules.yaml"
COPY = HERE / "helm" / "slamon" / "rules" / RULES.name


def main(arguments: list[str]) -> int:
    """Write the copy, or with --check say whether it is one (1: it is not)."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit with 1 if the copy is out of date"
    )
    check: bool = parser.parse_args(arguments).check
    rules = RULES.read_bytes()
    if not check:
        COPY.parent.mkdir(exist_ok=True)
        COPY.write_bytes(rules)
        return 0
    same = COPY.is_file() and COPY.read_bytes() == rules
    if not same:
        print(f"the chart's rules/{COPY.name} is no copy of ours: run `python deploy/chart_rules.py`")
    return int(not same)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
