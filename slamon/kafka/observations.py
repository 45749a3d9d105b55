"""What the daemon may know of the tasks: figures since the start of the process, and two calls as things happen."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from slamon.domain.decisions import AlertTransition
from slamon.kafka.alert_numbers import Announced


@dataclass(frozen=True, slots=True)
class Committed:
    """A task has committed. Instants: microseconds by the wall clock; seconds and `proved_at` by the monotonic one.

    `proved_at`: the task was surely ours then; nothing may be sent on its behalf half a session timeout later.
    """

    partition: int
    at: int
    seconds: float
    records: int
    proved_at: float
    alerts: tuple[Announced, ...]


@dataclass(frozen=True, slots=True)
class Restored:
    partition: int
    seconds: float
    records: int
    bytes: int
    facts: int
    resent_alerts: int


@dataclass(slots=True)
class Figures:
    """Sums over all tasks since the process started; of records only what has been committed, so nothing twice."""

    events: Counter[str] = field(default_factory=Counter)  # by type
    taken: Counter[str] = field(
        default_factory=Counter
    )  # by what became of those that were not just accepted: the words of `Taken`
    rejected: Counter[str] = field(default_factory=Counter)  # by reason
    tallied: Counter[str] = field(default_factory=Counter)  # of these, beyond the limits and not kept
    restores_failed: Counter[str] = field(default_factory=Counter)  # by kind of error
    tasks_lost: Counter[str] = field(default_factory=Counter)  # by kind of error, while they ran
    gaps: int = 0  # spans of an input that were gone before they were read
    alerts_too_old: int = 0  # missing in the alerts topic, but too old to be sent again
    producers_abandoned: int = 0  # could not be closed; their sockets may linger


@dataclass(frozen=True, slots=True)
class Proved:
    """A task that is being restored is still ours, see `Committed`. `told`: an alert that it could not commit yet."""

    partition: int
    proved_at: float
    told: AlertTransition | None


def _nothing(_: object) -> None:
    pass


def _nothing_of_two(_: object, __: object) -> None:
    pass


@dataclass(slots=True)
class Observations:
    """The calls come from the loop: they must be short, and must not raise."""

    figures: Figures = field(default_factory=Figures)
    committed: Callable[[Committed], None] = _nothing
    restored: Callable[[Restored], None] = _nothing
    proved: Callable[[Proved], None] = _nothing
    entered: Callable[[int, str], None] = _nothing_of_two  # a task, by partition, went into this state
