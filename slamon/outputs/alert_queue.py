"""What each Alertmanager still has to be told, decided without I/O and without a clock.

The rules, of which those of Prometheus come first:

- Each Alertmanager has a queue of its own and gets every alert. A firing alert is told again every `resend` seconds,
  because an Alertmanager holds one for resolved that it has not heard of for four times as long; a resolved one for
  another `retention` seconds, in case it did not hear.
- To an Alertmanager an alert is its set of labels. So a queue holds label sets, and what is told is always the newest
  that the book knows of them: an alert can neither be queued twice nor arrive in the wrong order, and an outage of an
  hour leaves no hour of history to work off.
- A full queue gives up the oldest for news. They are not lost for good: their next turn comes with `resend`.
- An Alertmanager reports the end only of what it has seen burning. So nothing is told as resolved that this
  Alertmanager, since its last start, has not acknowledged as firing: it is told as firing first, and as resolved
  `SETTLE` later, when the firing has left it. An alert that another one takes over from needs no such report; both go
  in one request, so that the page never shows none or two.
- What an Alertmanager acknowledged as resolved is never fired again by its restart.
- Only who owns a partition speaks for its alerts: alerts of a partition that cannot be proven ours just now are left
  waiting, and those of a partition that went away are forgotten, not resolved; its new owner goes on.

Seconds here are those of a monotonic clock, passed in.
"""

import re
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import groupby

from slamon.domain.decisions import AlertTransition, Reason, Transition

LabelSet = tuple[tuple[str, str], ...]
MaySend = Callable[[int], bool]

SETTLE = 2.0  # s; an alert older than its group's `group_wait` is flushed at once, which takes milliseconds
RECHECK = 1.0  # s; how soon a partition that could not be proven ours is asked about again
_TAKES_OVER = frozenset(
    {Reason.SUPERSEDED, Reason.BREACHED}
)  # another alert of the same commit stands for it now
_SUBJECT = ("customer", "agreement", "objective", "ticket")
_LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")  # valid in both of Alertmanager's modes


def label_set(labels: Mapping[str, str]) -> LabelSet:
    """Labels without a value are no labels to an Alertmanager."""
    return tuple(sorted((name, value) for name, value in labels.items() if value))


def fault(transition: AlertTransition) -> str | None:
    """Why an Alertmanager would refuse this alert; one refused alert can take its whole request with it."""
    if not transition.labels.get("alertname"):
        return "it has no alertname"
    for name in (*transition.labels, *transition.annotations):
        if not _LABEL_NAME.fullmatch(name):
            return f"{name!r} is no name of a label or annotation"
    return None


@dataclass(slots=True)
class Held:
    """An alert as it stands: firing, or `resolved` at the second `resolved_at`."""

    labels: LabelSet
    partition: int
    fired: AlertTransition
    resolved: AlertTransition | None = None
    resolved_at: float = 0.0

    @property
    def now(self) -> AlertTransition:
        return self.resolved or self.fired


class Book:
    """The alerts of this pod's tasks, by label set: all that fire, and for a while those that have resolved."""

    def __init__(self, retention: float) -> None:
        self._retention = retention
        self.alerts: dict[LabelSet, Held] = {}
        self._labels_of: dict[str, LabelSet] = {}  # by the id of the firing
        self._resolved: OrderedDict[LabelSet, None] = OrderedDict()  # the oldest first
        self.firing: Counter[tuple[str, str]] = Counter()  # by alertname and severity
        self.queues: list[Queue] = []

    def begin(self, partition: int, firing: Iterable[AlertTransition]) -> list[LabelSet]:
        """A task runs from here on, and these of its alerts fire. Answers what is to be told."""
        self.forget(partition)
        return _by_subject([self._fire(partition, transition) for transition in firing])

    def commit(self, partition: int, transitions: Iterable[AlertTransition], now: float) -> list[LabelSet]:
        """These were committed, in this order. Answers what is to be told, the alerts of one subject side by side."""
        changed: dict[LabelSet, Held] = {}
        for transition in transitions:
            fired = transition.transition is Transition.FIRED
            held = self._fire(partition, transition) if fired else self._resolve(transition, now)
            if held is not None:
                changed[held.labels] = held
        return _by_subject(changed.values())

    def forget(self, partition: int) -> None:
        """The task is no longer ours; its alerts go on elsewhere."""
        for held in [held for held in self.alerts.values() if held.partition == partition]:
            self._drop(held)

    def expire(self, now: float) -> None:
        """Alerts that resolved long ago need not be told any more, unless somebody still waits to hear it."""
        while self._resolved:
            held = self.alerts[next(iter(self._resolved))]
            if held.resolved_at + self._retention > now:
                return
            if any(held.labels in queue for queue in self.queues):
                held.resolved_at = now
                self._resolved.move_to_end(held.labels)
            else:
                self._drop(held)

    def _fire(self, partition: int, transition: AlertTransition) -> Held:
        labels = label_set(transition.labels)
        if before := self.alerts.get(labels):
            self._drop(before)
        held = self.alerts[labels] = Held(labels, partition, transition)
        self._labels_of[transition.id] = labels
        self.firing[_name_and_severity(held)] += 1
        return held

    def _resolve(self, transition: AlertTransition, now: float) -> Held | None:
        """By id: what was fired may have taken the labels of an alert of an earlier period, which resolves after it."""
        labels = self._labels_of.get(transition.id)
        held = self.alerts.get(labels) if labels is not None else None
        if held is None or held.resolved is not None:
            return None
        held.resolved, held.resolved_at = transition, now
        self._resolved[held.labels] = None
        self.firing[_name_and_severity(held)] -= 1
        return held

    def _drop(self, held: Held) -> None:
        del self.alerts[held.labels]
        if self._labels_of.get(held.fired.id) == held.labels:
            del self._labels_of[held.fired.id]
        if held.resolved is None:
            self.firing[_name_and_severity(held)] -= 1
        else:
            del self._resolved[held.labels]


def _name_and_severity(held: Held) -> tuple[str, str]:
    return held.fired.labels.get("alertname", ""), held.fired.labels.get("severity", "")


def _subject(held: Held) -> tuple[str | None, ...]:
    return tuple(held.fired.labels.get(name) for name in _SUBJECT)


def _by_subject(changed: Iterable[Held]) -> list[LabelSet]:
    """Side by side what is about the same ticket or objective, otherwise in order."""
    groups: dict[tuple[str | None, ...], list[LabelSet]] = {}
    for held in changed:
        groups.setdefault(_subject(held), []).append(held.labels)
    return [labels for group in groups.values() for labels in group]


@dataclass(frozen=True, slots=True)
class Notice:
    """One alert of a request: the transition that is told. `fired` has the beginning of a resolved one, too."""

    labels: LabelSet
    partition: int
    fired: AlertTransition
    told: AlertTransition

    @property
    def resolved(self) -> bool:
        return self.told.transition is Transition.RESOLVED


@dataclass(slots=True)
class _Told:
    """What one Alertmanager knows of an alert."""

    turn: float  # when it was last queued or acknowledged; `resend` later it is its turn again
    firing: AlertTransition | None = None  # acknowledged since the Alertmanager's last start …
    firing_at: float = 0.0  # … at this second
    resolved: AlertTransition | None = None  # acknowledged at any time
    refused: AlertTransition | None = None  # not wanted as it is


@dataclass(frozen=True, slots=True)
class Batch:
    """What one request tells. Without notices: nothing can be told before the second `wake_at`."""

    notices: tuple[Notice, ...]
    wake_at: float


@dataclass(slots=True)
class Queue:
    """What one Alertmanager still has to be told of the book's alerts."""

    book: Book
    capacity: int
    batch_size: int
    resend: float
    _waiting: dict[LabelSet, None] = field(default_factory=dict)  # the oldest first
    _told: OrderedDict[LabelSet, _Told] = field(default_factory=OrderedDict)  # by `turn`, the earliest first

    def __post_init__(self) -> None:
        self.book.queues.append(self)

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, labels: LabelSet) -> bool:
        return labels in self._waiting

    def offer(self, changed: Iterable[LabelSet], now: float) -> int:
        """These alerts have something new to tell. Answers how many others had to be given up for want of room."""
        for labels in changed:
            self._touch(labels, now)
            self._waiting.pop(labels, None)  # to stand beside what takes over from it
            self._waiting[labels] = None
        excess = max(0, len(self._waiting) - self.capacity)
        for _ in range(excess):
            del self._waiting[next(iter(self._waiting))]
        return excess

    def remind(self, now: float) -> None:
        """Queue what was last told `resend` seconds ago, as far as there is room: what is news is never given up for it."""
        while self._told:
            labels, told = next(iter(self._told.items()))
            if told.turn + self.resend > now:
                return
            held = self.book.alerts.get(labels)
            if held is None:
                del self._told[labels]
                continue
            self._touch(labels, now)
            if told.refused is not held.now and len(self._waiting) < self.capacity:
                self._waiting.setdefault(labels)

    def take(self, now: float, may_send: MaySend, *, settle: float = SETTLE) -> Batch:
        """The next request. What it tells stays queued until it is acknowledged."""
        wake_at = now + self.resend
        if self._told:
            wake_at = min(wake_at, next(iter(self._told.values())).turn + self.resend)
        notices: list[Notice] = []
        proven: dict[int, bool] = {}
        for gone in [labels for labels in self._waiting if labels not in self.book.alerts]:
            del self._waiting[gone]
        held_back = False
        for _, group in groupby((self.book.alerts[labels] for labels in self._waiting), key=_subject):
            picked: list[Notice] = []
            for held in group:
                if held.partition not in proven:
                    proven[held.partition] = may_send(held.partition)
                if not proven[held.partition]:
                    held_back = True
                    continue
                ready_at, told = self._next_of(held, settle)
                if ready_at > now:
                    wake_at = min(wake_at, ready_at)
                    continue
                picked += [Notice(held.labels, held.partition, held.fired, each) for each in told]
            if notices and len(notices) + len(picked) > self.batch_size:
                break
            notices += picked
        if held_back:
            wake_at = min(wake_at, now + RECHECK)
        return Batch(tuple(notices[: self.batch_size]), wake_at)

    def _next_of(self, held: Held, settle: float) -> tuple[float, tuple[AlertTransition, ...]]:
        """From which second on, and what is to be told of an alert."""
        told = self._told[held.labels]
        if held.resolved is None:
            return 0.0, (held.fired,)
        if told.resolved is held.resolved:
            return 0.0, (held.resolved,)
        if held.resolved.reason in _TAKES_OVER:
            return 0.0, (held.resolved,) if told.firing is held.fired else (held.fired, held.resolved)
        if told.firing is held.fired:
            return told.firing_at + settle, (held.resolved,)
        return 0.0, (held.fired,)

    def acknowledge(self, notices: Iterable[Notice], now: float) -> None:
        """The Alertmanager has taken these."""
        for notice in notices:
            held = self.book.alerts.get(notice.labels)
            told = self._told.get(notice.labels)
            if held is None or told is None:
                continue  # forgotten while the request was under way
            if notice.resolved:
                told.resolved = notice.told
            elif told.firing is not notice.told:
                told.firing, told.firing_at = notice.told, now
            if held.now is notice.told:
                self._waiting.pop(notice.labels, None)
                self._touch(notice.labels, now)

    def refuse(self, notice: Notice) -> None:
        """The Alertmanager will not have this one, so it is not told again until there is something new to it."""
        held = self.book.alerts.get(notice.labels)
        told = self._told.get(notice.labels)
        if held is None or told is None or held.fired is not notice.fired:
            return
        told.refused = held.now  # what it would not hear of as firing needs no end either
        self._waiting.pop(notice.labels, None)

    def restarted(self, now: float) -> None:
        """The Alertmanager has forgotten everything: what fires is told again, as far as there is room for it now."""
        for told in self._told.values():
            told.firing = told.refused = None
        for labels, held in self.book.alerts.items():
            if held.resolved is None and len(self._waiting) < self.capacity:
                self._touch(labels, now)
                self._waiting.setdefault(labels)

    def _touch(self, labels: LabelSet, now: float) -> None:
        told = self._told.setdefault(labels, _Told(now))
        told.turn = now
        self._told.move_to_end(labels)
