"""The life of an alert: what should fire now against what does, and why the difference.

What should fire (`Wanted`) is a function of facts and instant; what fires is remembered. An alert's id is made of its
labels and its scope (the cycle or period), so every replay gives the same id. Each firing of an id is an episode.

| an alert that fires | becomes                                   | because       |
|---------------------|-------------------------------------------|---------------|
| a step              | resolved as a higher step fires           | superseded    |
| a step              | resolved as the limit is passed           | breached      |
| a step              | resolved as the ticket starts to wait     | paused        |
| a step              | resolved as nothing is promised any more  | paused        |
| anything            | resolved as another objective takes over  | taken_over    |
| anything            | resolved as the clock stops               | stopped       |
| anything            | resolved as the ticket is cancelled       | void          |
| anything            | resolved as it holds no longer            | recovered     |
| anything            | resolved as its period is over            | period_ended  |
| anything            | resolved as it turns out never to have been true | amended |
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import NamedTuple

from msgspec.structs import replace

from slamon.domain.agreement import AlertName, Objective, Severity
from slamon.domain.decisions import AlertMemory, AlertTransition, Reason, Transition

Subject = tuple[str, ...]
Annotations = dict[str, str]


class Ending(NamedTuple):
    """Why and when an alert stopped being true."""

    reason: Reason
    at: int


class Wanted(NamedTuple):
    """An alert that is true: `at` is the last instant before it was. `over`: it was true, and is known to be over."""

    name: AlertName
    severity: Severity
    objective: str
    agreement: str
    scope: str
    step: str | None
    at: int
    reason: Reason
    describe: Callable[[], Annotations]
    ticket: str | None = None
    over: Ending | None = None


class Instant(NamedTuple):
    """When something is judged. `detected`: what is said of the time of knowing; what is older than `on_time` is late."""

    now: int
    on_time: int
    steps: bool  # the clock visits every instant: what is on time was known at once

    def detected(self, at: int) -> int:
        return at if self.steps and at >= self.on_time else self.now


def severity_of(objective: Objective, name: AlertName, default: Severity) -> Severity:
    return objective.severity.get(name, default)


def labels_of(customer: str, wanted: Wanted) -> dict[str, str]:
    labels = {
        "alertname": wanted.name.value,
        "severity": wanted.severity.value,
        "customer": customer,
        "agreement": wanted.agreement,
        "objective": wanted.objective,
    }
    if wanted.ticket is not None:
        labels["ticket"] = wanted.ticket
    if wanted.step is not None:
        labels["step"] = wanted.step
    return labels


def alert_id(labels: Mapping[str, str], scope: str) -> str:
    """32 hexadecimal digits, the same for the same labels and scope for ever."""
    text = "\x1f".join([*(f"{name}={value}" for name, value in sorted(labels.items())), scope])
    return hashlib.sha256(text.encode()).hexdigest()[:32]


class AlertBook:
    """Every alert id that ever fired, by subject."""

    def __init__(self) -> None:
        self._of: dict[Subject, dict[str, AlertMemory]] = {}
        self._subject_of: dict[str, Subject] = {}  # by id, of objectives

    def restore(self, id_: str, memory: AlertMemory) -> None:
        self._of.setdefault(memory.subject, {})[id_] = memory
        self._note(id_, memory.subject)

    def _note(self, id_: str, subject: Subject) -> None:
        if subject[0] == "objective":
            self._subject_of[id_] = subject

    def _taken_over(self, id_: str, subject: Subject) -> AlertMemory | None:
        """What another version of the objective left under this id, from now on this one's: episodes are counted on.

        Only the alerts of rolling windows have the same id in every version: of others the period is a part of it.
        """
        other = self._subject_of.get(id_, subject)
        memory = self._of.get(other, {}).pop(id_, None) if other != subject else None
        if memory is None:
            return None
        self._of[subject][id_] = memory = replace(memory, subject=subject)
        return memory

    def subjects(self) -> list[Subject]:
        return list(self._of)

    def hand_over(self, subject: Subject, to: Subject) -> None:
        """The alerts of a subject that is no more are from now on those of another."""
        for id_, memory in self._of.pop(subject).items():
            self.restore(id_, replace(memory, subject=to))

    def memories(self) -> Iterator[tuple[Subject, str, AlertMemory]]:
        """What is remembered under each id; what changes on the way is given as it is then."""
        for subject, memories in list(self._of.items()):
            for id_ in list(memories):
                memory = self._of.get(subject, {}).get(id_)
                if memory is not None:
                    yield subject, id_, memory

    def of(self, subject: Subject) -> dict[str, AlertMemory]:
        """What is remembered of a subject, by alert id."""
        return self._of.get(subject, {})

    def remembers(self, subject: Subject) -> bool:
        """Whether an alert of the subject ever fired."""
        return subject in self._of

    def fires(self, subject: Subject) -> bool:
        """Whether an alert of the subject does."""
        return any(memory.firing is not None for memory in self.of(subject).values())

    def count(self) -> int:
        """Of memories."""
        return sum(map(len, self._of.values()))

    def release(self, subject: Subject) -> dict[str, AlertMemory]:
        """Forget what is remembered of a subject, and return it by alert id."""
        return self._of.pop(subject, {})

    def forget(self, id_: str) -> None:
        """Forget one alert of an objective."""
        subject = self._subject_of.pop(id_, None)
        memories = self._of.get(subject, {}) if subject is not None else {}
        if subject is not None and memories.pop(id_, None) is not None and not memories:
            del self._of[subject]

    def firing(self) -> list[AlertTransition]:
        """By the names of what they speak of: what was judged first, or restored first, does not show in it."""
        found = [
            (subject, memory.firing)
            for subject, memories in self._of.items()
            for memory in memories.values()
            if memory.firing is not None
        ]
        found.sort(key=itemgetter(0))
        return [firing for _, firing in found]

    def settle(
        self,
        customer: str,
        subject: Subject,
        wanted: Sequence[Wanted],
        ending: Callable[[AlertMemory, AlertTransition], Ending],
        when: Instant,
    ) -> Iterator[tuple[str, AlertMemory, AlertTransition]]:
        """The transitions that bring what fires to what is wanted: ends first, then beginnings in their order."""
        if not wanted and subject not in self._of:
            return
        memories = self._of.setdefault(subject, {})
        labelled = [(labels_of(customer, one), one) for one in wanted]
        by_id = {alert_id(labels, one.scope): (labels, one) for labels, one in labelled}
        for id_, memory in list(memories.items()):
            if memory.firing is not None and (id_ not in by_id or by_id[id_][1].over is not None):
                end = by_id[id_][1].over if id_ in by_id else None
                yield self._end(
                    memories, id_, memory, memory.firing, end or ending(memory, memory.firing), when
                )
        for id_, (labels, one) in by_id.items():
            known = memories.get(id_) or self._taken_over(id_, subject)
            if known is not None and (known.firing is not None or one.over is not None):
                continue  # it fires, or it is over and was told
            episode = 1 if known is None else known.episode + 1
            fired = AlertTransition(
                id=id_,
                episode=episode,
                transition=Transition.FIRED,
                at=one.at,
                detected_at=when.detected(one.at),
                late=one.at < when.on_time,
                reason=one.reason,
                labels=labels,
                annotations=one.describe(),
            )
            memories[id_] = AlertMemory(subject, one.scope, episode, fired)
            self._note(id_, subject)
            yield id_, memories[id_], fired
            if one.over is not None:
                yield self._end(memories, id_, memories[id_], fired, one.over, when)
        if not memories:
            del self._of[subject]

    @staticmethod
    def _end(
        memories: dict[str, AlertMemory],
        id_: str,
        memory: AlertMemory,
        fired: AlertTransition,
        end: Ending,
        when: Instant,
    ) -> tuple[str, AlertMemory, AlertTransition]:
        memories[id_] = AlertMemory(memory.subject, memory.scope, memory.episode, None)
        resolved = AlertTransition(
            id=id_,
            episode=memory.episode,
            transition=Transition.RESOLVED,
            at=end.at,
            detected_at=when.detected(end.at),
            late=end.at < when.on_time,
            reason=end.reason,
            labels=fired.labels,
            annotations=fired.annotations,
        )
        return id_, memories[id_], resolved
