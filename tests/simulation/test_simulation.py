"""The task life cycle under an adversarial scheduler; `python -m tests.simulation` runs more of it."""

import pytest

from tests.simulation.mutants import MUTANTS, Mutant
from tests.simulation.run import Run, first_broken

SEEDS = 200
SOON = 1000  # seeds within which a mutant must be noticed; most are within twenty


def test_whatever_happens_every_event_counts_once_and_is_announced_once() -> None:
    assert first_broken(range(SEEDS)) is None


def test_a_seed_tells_the_same_story_every_time() -> None:
    def story() -> list[str]:
        lines: list[str] = []
        Run(11, lost=0.02, slow=0.02, faults=5, trace=lines.append).play()
        return lines

    assert story() == story()


def test_seeds_tell_stories_of_every_kind() -> None:
    """A simulation in which nothing goes wrong proves nothing."""
    said: set[str] = set()
    for seed in range(40):
        Run(seed, trace=lambda line: said.update(line.split()), lost=0.02, torn=0.1, refused=0.05).play()
    assert said >= {"kill:", "freeze:", "stop:", "join:", "renew:", "cut:", "torn:", "refuses", "silent"}
    assert said >= {"restoring", "running", "finishing", "parked", "proving", "failed", "closed"}
    assert said >= {"error=ProducerFenced:", "error=TimeoutError", "task_renewed"}


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.rule)
def test_a_rule_that_is_broken_is_noticed(mutant: Mutant) -> None:
    with mutant.in_place():
        assert first_broken(range(SOON), **mutant.plan) is not None
