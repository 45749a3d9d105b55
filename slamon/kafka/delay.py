"""Whether a task trails the wall clock by too much, and the alert that says so: `SlaEvaluationDelayed`.

The rules:

- A task has applied everything up to an instant, its clock. In a backlog that stands still and no timer runs, so nothing
  else can say that verdicts are late. An idle input moves it: to be asked and to hold nothing new is to be up to date.
- More than the limit behind, and still so `CONFIRMED` later by a clock that never jumps: it fires. So neither a wall clock
  that was set forward, nor a restart that catches up at once, is an alert. Half the limit behind: it has recovered.
- What fires and how often it did stand in the changelog's positions. So whoever has the task next goes on with it, under
  the same id and episode, and ends it.
- While a task is restored it cannot commit. Then the alert is only told, as long as the task is proved to be ours; the
  first commit after the restore writes it down.
"""

import msgspec

from slamon.codec import format_instant
from slamon.domain.agreement import AlertName, Severity
from slamon.domain.alerts import alert_id
from slamon.domain.decisions import AlertTransition, Reason, Transition
from slamon.domain.events import SECOND

CONFIRMED = 5.0  # s
ON_TIME = 10 * SECOND  # what is known within this is not called late


class DelayMemory(msgspec.Struct, frozen=True, array_like=True):
    """`episode`: how often it fired. `firing`: as it was announced, while it fires."""

    episode: int = 0
    firing: AlertTransition | None = None


class Delay:
    """Of one task. `limit` in microseconds."""

    def __init__(self, application: str, partition: int, limit: int) -> None:
        self.memory = DelayMemory()
        self._labels = {
            "alertname": AlertName.EVALUATION_DELAYED.value,
            "severity": Severity.CRITICAL.value,
            "partition": str(partition),
        }
        self._id = alert_id(self._labels, application)
        self._limit = limit
        self._behind_since: float | None = None  # monotonic

    def judge(self, applied_to: int, wall: int, monotonic: float) -> AlertTransition | None:
        """What changed. Instants in microseconds by the wall clock, `monotonic` in seconds."""
        behind = wall - applied_to
        if self.memory.firing is not None:
            return self._end(self.memory.firing, wall) if behind <= self._limit // 2 else None
        if behind <= self._limit:
            self._behind_since = None
            return None
        if self._behind_since is None:
            self._behind_since = monotonic
        if monotonic - self._behind_since < CONFIRMED:
            return None
        return self._begin(applied_to, wall)

    def restore(self, memory: DelayMemory) -> AlertTransition | None:
        """Go on from what the predecessor has committed; what is to be committed of what was only told so far."""
        told, self.memory, self._behind_since = self.memory.firing, memory, None
        if told is None or memory.firing is not None:
            return None
        fired = msgspec.structs.replace(told, episode=memory.episode + 1)
        self.memory = DelayMemory(fired.episode, fired)
        return fired

    def _begin(self, applied_to: int, wall: int) -> AlertTransition:
        at = applied_to + self._limit
        fired = AlertTransition(
            id=self._id,
            episode=self.memory.episode + 1,
            transition=Transition.FIRED,
            at=at,
            detected_at=wall,
            late=at < wall - ON_TIME,
            reason=Reason.LIMIT_EXCEEDED,
            labels=self._labels,
            annotations=self._told(applied_to),
        )
        self.memory = DelayMemory(fired.episode, fired)
        return fired

    def _end(self, fired: AlertTransition, wall: int) -> AlertTransition:
        self.memory, self._behind_since = DelayMemory(fired.episode), None
        return msgspec.structs.replace(
            fired,
            transition=Transition.RESOLVED,
            at=wall,
            detected_at=wall,
            late=False,
            reason=Reason.RECOVERED,
        )

    def _told(self, applied_to: int) -> dict[str, str]:
        partition = self._labels["partition"]
        return {
            "summary": f"slamon is behind in partition {partition}: alerts about its customers come too late",
            "description": (
                f"Judged is what happened until {format_instant(applied_to)}. What happened since is not: no breach of it "
                "is announced, and no standing shows it. Look at slamon_partition_lag, slamon_task_state and the log."
            ),
            "judged_until": format_instant(applied_to),
        }
