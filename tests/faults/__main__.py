"""`python -m tests.faults`: so many faults on a real cluster, drawn by a seed, and then the laws. Fails if one is broken.

The folder with all logs and data is kept if a law was broken, or anything went wrong; and always with `--keep`.
"""

import asyncio
import shutil
import sys
import tempfile
import traceback
from pathlib import Path

import click
from rich.console import Console

from slamon.demo import parts
from tests.faults import drill
from tests.faults.faults import FAULTS, plan


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
def main(*, faults: int, seed: int, only: tuple[str, ...], keep: bool) -> None:
    """Break a real cluster again and again, and compare what slamon says with what it should."""
    console = Console(highlight=False, soft_wrap=True)
    folder = Path(tempfile.mkdtemp(prefix="slamon-faults-"))

    def say(what: str) -> None:
        console.print(what, markup=False)

    say(f"{faults} faults by seed {seed} in {folder}")
    failed = True
    try:
        outcome = asyncio.run(
            drill.run(folder, lambda name: parts.require(name, say=say), plan(faults, seed, only), seed, say)
        )
        for table in drill.summary(outcome):
            console.print(table)
        failed = bool(outcome.violations)
        for violation in outcome.violations:
            say(f"BROKEN  {violation}")
    except Exception:  # noqa: BLE001 - whatever it was, the seed and the folder must be told
        traceback.print_exc()
    if failed:
        again = "".join(f" --only '{kind}'" for kind in only)
        say(
            f"logs and topics are in {folder}; again: python -m tests.faults --faults {faults} --seed {seed}{again}"
        )
    elif keep:
        say(f"kept: {folder}")
    else:
        shutil.rmtree(folder)
    sys.exit(failed)


if __name__ == "__main__":
    main()
