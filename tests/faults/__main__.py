"""`python -m tests.faults`: so many faults on a real cluster, drawn by a seed, and then the laws. Fails if one is broken.

The folder with all logs and topics is kept if a law was broken, or anything went wrong; and always with `--keep`.
`--judge FOLDER` asks the laws again about a run that was kept.
"""

import asyncio
import pickle
import shutil
import sys
import tempfile
import traceback
from pathlib import Path

import click
from rich.console import Console

from slamon.demo import parts
from tests.faults import drill, laws, report
from tests.faults.evidence import Evidence
from tests.faults.faults import FAULTS, plan

CONSOLE = Console(highlight=False, soft_wrap=True)


@click.command()
@click.option("--faults", default=200, show_default=True, help="How many.")
@click.option("--seed", default=1, show_default=True, help="The same seed, the same faults.")
@click.option(
    "--only",
    type=click.Choice([kind.name for kind in FAULTS]),
    multiple=True,
    help="Of this kind; may be repeated.",
)
@click.option("--keep", is_flag=True, help="Keep the folder in any case.")
@click.option(
    "--judge", type=click.Path(path_type=Path, exists=True), help="Only judge what a run has kept there."
)
def main(*, faults: int, seed: int, only: tuple[str, ...], keep: bool, judge: Path | None) -> None:
    """Break a real cluster again and again, and compare what slamon says with what it should."""
    if judge is not None:
        evidence: Evidence = pickle.loads((judge / drill.KEPT).read_bytes())
        sys.exit(not holds(evidence))
    folder = Path(tempfile.mkdtemp(prefix="slamon-faults-"))
    say(f"{faults} faults by seed {seed} in {folder}")
    well = False
    try:
        well = holds(asyncio.run(drill.run(folder, find, plan(faults, seed, only), seed, say)))
    except Exception:  # noqa: BLE001 - whatever it was, the seed and the folder must be told
        traceback.print_exc()
    if not well:
        again = "".join(f" --only '{kind}'" for kind in only)
        say(f"logs and topics are in {folder}")
        say(f"again: python -m tests.faults --faults {faults} --seed {seed}{again}")
    elif keep:
        say(f"kept: {folder}")
    else:
        shutil.rmtree(folder)
    sys.exit(not well)


def say(what: str) -> None:
    CONSOLE.print(what, markup=False)


def find(part: str) -> Path:
    return parts.require(part, say=say)


def holds(evidence: Evidence) -> bool:
    """Whether all laws do; tells what is broken."""
    findings = laws.judge(evidence)
    for table in report.tables(evidence, findings):
        CONSOLE.print(table)
    violations = report.violations(findings)
    for violation in violations:
        say(f"BROKEN  {violation}")
    return not violations


if __name__ == "__main__":
    main()
