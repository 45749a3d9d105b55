"""Every story in `timelines/` comes out as it says."""

from pathlib import Path

import pytest

from tests.scenarios.stories import Story, prove, stories

FILES = sorted((Path(__file__).parent / "timelines").glob("*.yaml"))


@pytest.mark.parametrize("story", list(stories(FILES)), ids=str)
def test_the_story_comes_out_as_it_says(story: Story, tmp_path: Path) -> None:
    prove(story, tmp_path)
