"""Writes the dashboards: here for people who import them, and into the Helm chart, which can only ship its own files.

And what their panels say, into the documentation.

python grafana/generate.py [--check]
"""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import itself
import on_call
import service_manager
from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from promql import in_namespace

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "docs" / "dashboards.md"
FOLDERS = (HERE, HERE.parent / "deploy" / "helm" / "slamon" / "dashboards")
BOARDS = {
    "on-call.json": on_call.board,
    "service-manager.json": service_manager.board,
    "itself.json": itself.board,
}


def main(arguments: list[str]) -> int:
    """Write every file, or with --check say which are not as they would be written (1: some are not)."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit with 1 if a file is out of date"
    )
    check: bool = parser.parse_args(arguments).check
    boards = {name: rendered(board()) for name, board in BOARDS.items()}
    files = {folder / name: text for name, text in boards.items() for folder in FOLDERS}
    files[PAGE] = _page(PAGE.read_text(), boards)
    if not check:
        for file, text in files.items():
            file.parent.mkdir(exist_ok=True)
            file.write_text(text)
        return 0
    out_of_date = [file for file, text in files.items() if not file.is_file() or file.read_text() != text]
    out_of_date += [file for folder in FOLDERS for file in sorted(folder.glob("*.json")) if file not in files]
    for file in out_of_date:
        print(
            f"{file.relative_to(HERE.parent)} is not what grafana/generate.py writes: run `python grafana/generate.py`"
        )
    return int(bool(out_of_date))


def rendered(board: Dashboard) -> str:
    built = board.build()
    for number, panel in enumerate(built.panels or [], 1):
        panel.id_val = number  # links to a panel go on working when Grafana is started anew
    plain = json.loads(json.dumps(built, cls=JSONEncoder))
    _without_what_the_library_adds(plain)
    _in_the_chosen_namespace(plain)
    return json.dumps(plain, indent=2, ensure_ascii=False) + "\n"


def _without_what_the_library_adds(board: dict[str, Any]) -> None:
    """What nobody asked for, and Grafana's own schema does not know, or takes for more than it is."""
    for variable in board["templating"]["list"]:
        for name in ("auto", "auto_min", "auto_count"):  # of variables of another kind
            variable.pop(name, None)
    for panel in board["panels"]:
        panel.get("options", {}).pop("footer", None)  # no table has one
    for shown in (*board["links"], *board["annotations"]["list"]):
        shown.pop("placement", None)  # "inControlsMenu" hides it behind a menu


def _page(page: str, boards: Mapping[str, str]) -> str:
    """The page with a table of the panels between the marks of each board."""
    for name, text in boards.items():
        begin, end = f"<!-- panels of {name} -->\n", f"<!-- end of {name} -->"
        before, _, rest = page.partition(begin)
        _, _, after = rest.partition(end)
        page = before + begin + "\n" + _panels(json.loads(text)) + "\n" + end + after
    return page


def _panels(board: dict[str, Any]) -> str:
    lines = ["| panel | what it says | when it is empty |", "|---|---|---|"]
    for panel in board["panels"]:
        if panel["type"] == "row":
            lines.append(f"| **{panel['title']}** | | |")
        else:
            empty = panel["fieldConfig"]["defaults"]["noValue"]
            lines.append(f"| {panel['title']} | {panel['description']} | {empty} |")
    return "\n".join(lines) + "\n"


def _in_the_chosen_namespace(board: dict[str, Any]) -> None:
    for panel in board["panels"]:
        for target in panel.get("targets", ()):
            target["expr"] = in_namespace(target["expr"])
    for annotation in board["annotations"]["list"]:
        annotation["expr"] = in_namespace(annotation["expr"])
    for variable in board["templating"]["list"]:
        if variable["type"] == "query" and variable["name"] != "namespace":
            asked = variable["query"]
            asked["query"] = variable["definition"] = in_namespace(asked["query"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
