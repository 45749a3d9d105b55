"""What tests of every kind need: the real programs, and one rule for a machine that does not have them."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from slamon.demo import parts


@pytest.fixture(scope="session")
def part() -> Callable[[str], Path]:
    """Gives the place of a part by name; without it the test is skipped, loudly, but in CI everything has to be tested."""

    def find(name: str) -> Path:
        found = parts.find(name, say=print)
        if isinstance(found, parts.Missing):
            (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(f"NOT CHECKED: {found}")
        return found

    return find
