"""The compose file as Docker reads it, and its services' files where they lie here."""

from pathlib import Path, PurePosixPath
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "compose"
COMPOSE: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


def mounts(service: str) -> list[tuple[str, PurePosixPath, str]]:
    """Source as it is written, place in the container, `ro` or `rw`."""
    found = []
    for line in SERVICES[service].get("volumes", []):
        source, place, *mode = line.split(":")
        found.append((source, PurePosixPath(place), *(mode or ["rw"])))
    return found


def here(service: str, path: str) -> Path:
    """The file of this repository that the service finds under the path."""
    for source, place, _ in mounts(service):
        if source.startswith(".") and PurePosixPath(path).is_relative_to(place):
            return (FOLDER / source / PurePosixPath(path).relative_to(place)).resolve()
    raise AssertionError(f"{service} has nothing of this repository at {path}")


def as_here(service: str, text: str) -> str:
    """The text of a file of that service with every path of a mount replaced by where it is here."""
    for source, place, _ in mounts(service):
        if source.startswith("."):
            text = text.replace(str(place), str((FOLDER / source).resolve()))
    return text
