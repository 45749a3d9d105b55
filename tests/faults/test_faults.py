"""A short run of the fault suite: so many kinds of fault, each once. `make chaos` is the long one."""

from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from tests.faults import drill
from tests.faults.faults import plan

FAULTS = 12
SEED = 3


@pytest.mark.timeout(
    900
)  # brokers, pods and faults take a minute and a half where nobody else wants the machine
async def test_after_faults_of_every_kind_slamon_says_what_it_would_have_said_undisturbed(
    part: Callable[[str], Path], tmp_path: Path
) -> None:
    outcome = await drill.run(tmp_path, part, plan(FAULTS, SEED), SEED, print)
    for table in drill.summary(outcome):
        Console(width=120).print(table)
    assert not outcome.violations, (
        f"again: python -m tests.faults --faults {FAULTS} --seed {SEED}; see {tmp_path}\n"
        + "\n".join(outcome.violations)
    )


def test_the_same_seed_draws_the_same_faults_and_the_first_ones_are_of_different_kinds() -> None:
    assert plan(200, 7) == plan(200, 7)
    assert plan(200, 7) != plan(200, 8)
    assert len({planned.kind.name for planned in plan(FAULTS, SEED)}) == FAULTS
