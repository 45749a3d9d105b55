"""What tests of every kind need: the real programs, and one rule for a machine that does not have them."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import Phase, is_hypothesis_test, settings

from slamon.demo import parts

# No law is about how fast a machine is: a deadline would be a tolerance, which a busy one breaks now and then.
settings.register_profile("unhurried", settings(), deadline=None)
settings.load_profile("unhurried")

# What `make mutate` runs for each mutant: few examples, the same ones every time, so that a mutant that dies dies again;
# and no search for the smallest of those it fails at, which takes minutes and which nobody reads.
MUTANTS = "mutants"
settings.register_profile(
    MUTANTS,
    max_examples=5,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Under that profile laws have no more examples than it says, whatever they ask for, and run after all else."""
    if config.getoption("--hypothesis-profile") != MUTANTS:
        return
    few = settings.get_profile(MUTANTS).max_examples
    laws = [item for item in items if isinstance(item, pytest.Function) and is_hypothesis_test(item.obj)]
    for law in laws:
        # hypothesis has no public way to change the settings of a test that names its own
        own = law.obj._hypothesis_internal_use_settings
        law.obj._hypothesis_internal_use_settings = settings(own, max_examples=min(own.max_examples, few))
    items.sort(key=laws.__contains__)


@pytest.fixture(scope="session")
def part() -> Callable[[str], Path]:
    """Gives the place of a part by name; without it the test is skipped, loudly, but in CI everything has to be tested."""

    def find(name: str) -> Path:
        found = parts.find(name, say=print)
        if isinstance(found, parts.Missing):
            (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(f"NOT CHECKED: {found}")
        return found

    return find
