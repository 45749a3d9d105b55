"""What a running slamon has kept, judged by two sets of agreements: by its own, and by those that are to take over.

Nothing was recorded, so nothing is replayed: each task's facts are taken back by one monitor for the old terms, as at a restart,
and by one for the new ones, as at a reload. What the latter decides is what that task would say. What the former decides it
would say anyway, unless others than the old terms are in use: then statements were given by other words, which is told.
"""

from collections.abc import Iterable

from slamon.daemon import ON_TIME
from slamon.diff.judging import Judged, Sides, TakenUp, Terms, hand_over, judged, said_anew, said_in
from slamon.domain.decisions import RevisionReason
from slamon.domain.events import DAY
from slamon.domain.monitor import Monitor
from slamon.kafka.kept import Task
from slamon.settings import FactsSettings


def of_tasks(old: Terms, new: Terms, tasks: Iterable[Task], facts: FactsSettings) -> Sides:
    """As of each task's own clock; that of the whole is the latest. `tasks`: at least one."""
    sides = [_of_task(old, new, task, facts) for task in tasks]
    return Sides(
        max(one.now for one in sides),
        f"what {len(sides)} of the running tasks know" if len(sides) > 1 else "what one running task knows",
        _united(one.old for one in sides),
        _united(one.new for one in sides),
        TakenUp(
            tuple(statement for one in sides for statement in one.taken_up.statements),
            tuple(alert for one in sides for alert in one.taken_up.alerts),
        ),
        foreign=sum(one.foreign for one in sides),
    )


def _of_task(old: Terms, new: Terms, task: Task, settings: FactsSettings) -> Sides:
    def taken_over(terms: Terms) -> Monitor:
        monitor = Monitor(
            [one for one in terms if one.customer in task.customers],
            steps=False,
            on_time=ON_TIME,
            durable=False,
            keep=settings.keep * DAY,
            subject_limit=settings.subject_limit,
        )
        hand_over(task.facts, monitor, task.now)
        return monitor

    before, after = taken_over(old), taken_over(new)
    anyway = said_in(before)
    foreign = sum(one.reason is RevisionReason.AGREEMENT_CORRECTED for one in anyway.statements)
    taken_up = said_anew(said_in(after), anyway)
    return Sides(task.now, "", judged(before), judged(after), taken_up, foreign=foreign)


def _united(parts: Iterable[Judged]) -> Judged:
    """Tasks have no customer in common."""
    whole = Judged({}, {}, {}, {})
    for part in parts:
        whole.standings.update(part.standings)
        whole.statements.update(part.statements)
        whole.clocks.update(part.clocks)
        whole.alerts.update(part.alerts)
    return whole
