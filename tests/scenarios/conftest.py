"""Where the recorded data is."""

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def recordings() -> Path:
    """The folder of recorded data: beside the repository, or named by SLAMON_DATA. It is not part of the project."""
    folder = Path(os.environ.get("SLAMON_DATA") or REPOSITORY.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no recorded data in {folder}: set SLAMON_DATA to the folder that holds it")
    return folder
