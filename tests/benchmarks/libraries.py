"""Quix Streams and Faust, each of which counts the events of each customer: a toy of what slamon does.

They are installed by a lock of their own into the cache of parts, and run without anything of slamon in sight.
"""

import hashlib
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from slamon.demo import parts
from slamon.demo.parts import Missing, Recipe
from slamon.settings import KafkaSettings
from tests.benchmarks.measuring import Effort, LeftOut, Row

HERE = Path(__file__).parent
LOCK = HERE.parents[1] / "requirements" / "compared.txt"
PATIENCE = 600.0  # s


class Library(NamedTuple):
    name: str
    package: str
    script: str
    events: int  # of a full run; each takes its time
    takes_partitions: bool


LIBRARIES = (
    Library("Quix Streams", "quixstreams", "quix_streams.py", 100_000, takes_partitions=False),
    Library("Faust", "faust-streaming", "faust_streaming.py", 5_000, takes_partitions=True),
)


def compared(ours: float, effort: Effort, kafka: KafkaSettings, folder: Path) -> Iterator[Row]:
    """A row for each. `ours`: events that slamon takes in a second of a core; the inputs hold more than are counted."""
    try:
        home = parts.make("compared", _recipe(), lambda _: None)
    except Missing as missing:
        raise LeftOut(f"Quix Streams and Faust are not to be had: {missing.reason}") from missing
    for library in LIBRARIES:
        events = effort.of(library.events)
        theirs = events / _cpu_seconds(library, home, events, kafka, folder)
        against = f"{library.name} {_version(library.package)}, which only counts events per customer"
        yield Row(f"daemon beside {library.name}", ours, theirs, "events/s", against)


def _cpu_seconds(library: Library, home: Path, events: int, kafka: KafkaSettings, folder: Path) -> float:
    topics = (kafka.topics.tickets, kafka.topics.availability)
    group = f"{kafka.topics.changelog}.{library.package}"
    partitions = [str(kafka.partitions)] if library.takes_partitions else []
    script = HERE / "compared" / library.script
    arguments = [
        kafka.bootstrap_servers,
        group,
        str(folder / library.package),
        str(events),
        *partitions,
        *topics,
    ]
    # -S: without the packages of this environment.
    run = subprocess.run(
        [sys.executable, "-S", "-W", "ignore", script, *arguments],
        env={"PYTHONPATH": str(home)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    if run.returncode != 0:
        raise LeftOut(f"{library.name} ended with code {run.returncode}: {_last_line(run.stderr)}")
    return float(_last_line(run.stdout))


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["it said nothing"])[-1]


def _recipe() -> Recipe:
    digest = hashlib.sha256(LOCK.read_bytes()).hexdigest()[:12]
    return Recipe(f"compared-{digest}", _install, lambda home: home if (home / "faust").is_dir() else None)


def _install(home: Path, _: object) -> None:
    client: Sequence[str | Path] = (sys.executable, "-m", "pip", "install", "--quiet", "--no-input")
    flags: Sequence[str | Path] = ("--require-hashes", "--no-deps", "--target", home, "-r", LOCK)
    run = subprocess.run([*client, *flags], capture_output=True, text=True, check=False)
    if run.returncode != 0:
        raise Missing("compared", _last_line(run.stderr), "See that pip reaches its index")


def _version(package: str) -> str:
    pins = (line.split("==") for line in LOCK.read_text().splitlines() if line.startswith(f"{package}=="))
    return next(pins)[1].split()[0]
