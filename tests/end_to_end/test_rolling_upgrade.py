"""Two releases that follow each other, a format of the changelog apart, take tasks from each other and lose nothing.

The older one is this tree with one format less: it neither writes nor reads the newest, as the release before this one did
not. What that one wrote byte for byte is held by `tests/shell/changelog`; where git knows it, it runs here itself.
"""

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from slamon.demo.processes import Alertmanager, Kafka
from slamon.settings import FORMATS
from tests.end_to_end.customers import AGREEMENTS, Story, early, read_all, remembered, unread
from tests.end_to_end.place import PATIENCE, Daemon, Place, assert_numbered, placed, until, whole_second

ROOT = Path(__file__).parents[2]
LAST_OF_FORMAT_1 = "cd7a5f8cad47ccc9329d1fd1bc523f6ffe762dfa"
OLDER, NEWER = FORMATS
TASKS = set(range(4))


@pytest.fixture
async def place(tmp_path: Path, kafka: Kafka, alertmanager: Alertmanager) -> AsyncIterator[Place]:
    async with placed(tmp_path, kafka.bootstrap, alertmanager, AGREEMENTS) as made:
        yield made


def installed(source: Path, folder: Path) -> Path:
    """The wheel of a tree, where Python finds it; what it needs is that of this environment."""
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--target",
        folder,
        source,
    ]
    done = subprocess.run(
        [*command, "--disable-pip-version-check"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        missing = (
            f"NOT CHECKED: no wheel can be built; see that pip reaches a package index: {done.stderr[-300:]}"
        )
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(missing)
    return folder


def tree(commit: str, folder: Path) -> None:
    """What git knows under this name."""
    folder.mkdir()
    archive = folder.with_suffix(".tar")
    git: list[str | Path] = [
        "git",
        "archive",
        "--output",
        archive,
        commit,
        "slamon",
        "pyproject.toml",
        "README.md",
        "LICENSE",
    ]
    done = subprocess.run(git, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"NOT CHECKED: git does not know {commit}, as in a shallow clone: {done.stderr.strip()}")
    subprocess.run(["tar", "-x", "-f", archive, "-C", folder], check=True)


@pytest.fixture(params=["this tree with a format less", "the last release of format 1"])
def older(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    source = tmp_path / "source"
    if request.param == "the last release of format 1":
        tree(LAST_OF_FORMAT_1, source)
    else:
        source.mkdir()
        for name in ("slamon", "pyproject.toml", "README.md", "LICENSE"):
            subprocess.run(["cp", "-r", ROOT / name, source], check=True)
        settings = source / "slamon" / "settings.py"
        text = settings.read_text()
        assert f"FORMATS = {FORMATS}" in text
        settings.write_text(text.replace(f"FORMATS = {FORMATS}", f"FORMATS = {FORMATS[:1]}"))
    return installed(source, tmp_path / "release")


async def stands_in(place: Place, version: int) -> None:
    """Wait until every record of every task is of this format."""

    async def rewritten() -> bool:
        readings = (await place.readings()).values()
        return all(one.format == version and not one.in_other_formats(version) for one in readings)

    await until(rewritten, f"all stands in format {version}")


async def hand_over(place: Place, before: Daemon, after: Daemon, *, kill: bool = False) -> None:
    """Beside each other for a while, each with tasks of its own; then the one that was there first goes."""
    await after.started()

    async def shared() -> bool:
        return bool(await before.owns()) and await before.owns() | await after.owns() == TASKS

    await until(shared, "both have tasks")
    if kill:
        before.kill()
    else:
        before.stop()
    await place.until_owns(after, *TASKS)


async def test_releases_a_format_apart_roll_over_each_other_in_both_directions(
    place: Place, older: Path
) -> None:
    story = Story(place)
    start = whole_second()

    async def go_on(step: int) -> None:
        story.publish(place, unread(start + step))
        await read_all(place)

    story.publish(place, early(start))
    first = await place.running(release=older)
    await read_all(place)
    newer = place.start()
    await hand_over(place, first, newer)
    await go_on(1)
    await stands_in(place, OLDER)  # what was not asked for, the older pods could not read

    back = place.start(release=older)
    await hand_over(place, newer, back, kill=True)
    await go_on(2)
    forward = place.start()
    await hand_over(place, back, forward, kill=True)
    raised = place.start(place.with_format(NEWER))
    await hand_over(place, forward, raised)
    await go_on(3)
    await stands_in(place, NEWER)

    late = place.start(release=older)
    assert late.process.wait(PATIENCE) == 1
    words = f"format {NEWER}, this release reads format {OLDER}: run the newer release that wrote it"
    assert words in late.log.read_text()
    await place.until_owns(raised, *TASKS)
    await go_on(4)
    await story.assert_kept(place)

    lowered = place.start(place.with_format(OLDER))
    await hand_over(place, raised, lowered)
    await go_on(5)
    await stands_in(place, OLDER)
    last = place.start(release=older)
    await hand_over(place, lowered, last)
    await go_on(6)
    last.stop()
    await story.assert_kept(place)
    alerts = await place.alerts()
    assert_numbered(alerts)
    now = max(positions.now for positions in (await place.positions()).values())
    assert {name for name, _ in await remembered(place)} == story.firing(now)
