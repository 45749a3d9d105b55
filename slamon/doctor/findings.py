"""What a check comes to: how bad it is, what is the matter, and what to do."""

import enum
from dataclasses import dataclass


class Level(enum.Enum):
    """An error keeps slamon from working, or loses something; a warning will, when something else happens."""

    ERROR = "error"
    WARNING = "warning"
    OK = "ok"


class Group(enum.Enum):
    """Under which heading a finding is told, in this order."""

    BROKERS = "brokers"
    TOPICS = "topics"
    RIGHTS = "rights"
    TASKS = "tasks"
    INPUTS = "inputs"
    CLOCKS = "clocks"
    DEAD_LETTERS = "dead letters"
    AGREEMENTS = "agreements"
    ALERTMANAGERS = "alertmanagers"


@dataclass(frozen=True, slots=True)
class Finding:
    """`help`: what to do; none where all is well."""

    level: Level
    what: str
    help: str = ""


def error(what: str, help: str) -> Finding:  # noqa: A002 - named as it is told
    return Finding(Level.ERROR, what, help)


def warning(what: str, help: str) -> Finding:  # noqa: A002 - named as it is told
    return Finding(Level.WARNING, what, help)


def ok(what: str) -> Finding:
    return Finding(Level.OK, what)


def counted(count: int, one: str, many: str = "") -> str:
    return f"{count:,} {one if count == 1 else many or one + 's'}"
