"""The same facts judged by two sets of agreements, and what is said as the one takes over from the other.

Both are judged by the monitor that the daemon judges by. Three are needed:

- `old` and `new` each take all events, as `slamon replay` does: what the terms make of the facts, had they always been so.
- A successor judges by the new terms from what the old monitor kept and said, as the daemon does when it takes changed files
  into use. What that one decides at once is what would be said: revisions of statements that were given, alerts that
  begin or end. Events of which the old terms do not speak were not kept, so it does not know them.

A customer whose agreements are the same is judged the same, so nothing of it is judged here at all: customers share no facts
but the state of services, and that each judges for itself.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from slamon.codec import Rejected
from slamon.domain.agreement import Agreement
from slamon.domain.decisions import (
    AlertChanged,
    AlertTransition,
    ClockRecord,
    FactKey,
    Facts,
    Standing,
    Statement,
    StatementIssued,
    Transition,
)
from slamon.domain.events import Event, Taken
from slamon.domain.monitor import Monitor
from slamon.explain.wording import counted
from slamon.replay import Line, Replay, in_order, read_events

Terms = Sequence[Agreement]


class ObjectiveKey(NamedTuple):
    customer: str
    agreement: str
    objective: str


class PeriodKey(NamedTuple):
    customer: str
    agreement: str
    objective: str
    start: int
    end: int


class CycleKey(NamedTuple):
    customer: str
    agreement: str
    ticket: str
    measure: str
    cycle: int


class Judged(NamedTuple):
    """What a monitor says at an instant, by what it says it of. Of a period, the newest revision; alerts that fire, by id."""

    standings: dict[ObjectiveKey, Standing]
    statements: dict[PeriodKey, Statement]
    clocks: dict[CycleKey, ClockRecord]
    alerts: dict[str, AlertTransition]


class TakenUp(NamedTuple):
    """What a running slamon says as it takes the new terms into use. `unheard`: events that it has not kept."""

    statements: tuple[Statement, ...]
    alerts: tuple[AlertTransition, ...]
    unheard: int = 0


class Sides(NamedTuple):
    """`now`: as of when was judged. `heard`: where the facts are from, in words.

    `foreign`: statements that a running slamon has given by other terms than the old ones.
    """

    now: int
    heard: str
    old: Judged
    new: Judged
    taken_up: TakenUp
    foreign: int = 0


class NothingHeard(Exception):  # noqa: N818 - reads as what it says
    """There is nothing to judge; the text says where it was looked for."""


def judged(monitor: Monitor) -> Judged:
    return Judged(
        {ObjectiveKey(one.customer, one.agreement, one.objective): one for one in monitor.standings()},
        {period_of(one): one for one in monitor.statements()},
        {
            CycleKey(one.customer, one.agreement, one.ticket, one.measure.value, one.cycle): one
            for one in monitor.clocks()
        },
        {one.id: one for one in monitor.firing()},
    )


def period_of(statement: Statement) -> PeriodKey:
    return PeriodKey(
        statement.customer, statement.agreement, statement.objective, statement.start, statement.end
    )


def of_file(
    events: Path,
    *,
    sort: bool = False,
    until: int | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Callable[[Terms, Terms], Sides]:
    """Judges recorded events in their order of arrival, or `sort`ed by time, as `slamon replay` does.

    What it gives raises NothingHeard, OSError.
    """

    def judge(old: Terms, new: Terms) -> Sides:
        lines: Iterable[Line] = read_events(events, progress)
        counts: Counter[str] = Counter()

        def heard() -> Iterator[Event]:
            for line in in_order(lines) if sort else lines:
                if isinstance(line.event, Rejected):
                    counts["rejected"] += 1
                elif until is None or line.event.time <= until:
                    counts["events"] += 1
                    yield line.event
            if not counts["events"]:
                raise NothingHeard(f"{events} holds no event{'' if until is None else ' up to that instant'}")

        sides = of_events(old, new, heard(), until)
        rejected = f", {counted(counts['rejected'], 'line')} left out" if counts["rejected"] else ""
        return sides._replace(heard=f"{counted(counts['events'], 'event')}{rejected}")

    return judge


def of_events(old: Terms, new: Terms, events: Iterable[Event], until: int | None = None) -> Sides:
    """Judge by both the events in their order of arrival, as of `until` or of the latest."""
    before, after = Replay(old, until=until), Replay(new, until=until)
    unheard = 0
    for event in events:
        taken = before.feed(event), after.feed(event)
        unheard += taken[0] is Taken.UNMATCHED and taken[1] is not Taken.UNMATCHED
    now = before.monitor.now if until is None else until
    assert now is not None, "there is an event, or an instant is given"
    before.pass_to(now)
    successor = Monitor(new, steps=True, durable=False)
    hand_over(before.monitor.facts(), successor, now)
    successor.finish()
    said = said_in(successor)
    before.monitor.finish()
    taken_up = said_anew(said, said_in(before.monitor))._replace(unheard=unheard)
    return Sides(now, "", judged(before.monitor), judged(after.finish()), taken_up)


def hand_over(kept: Iterable[tuple[FactKey, Facts]], successor: Monitor, now: int) -> None:
    """It judges at `now` from what another monitor kept."""
    for key, facts in kept:
        successor.restore(key, facts)
    successor.start(now)
    successor.advance(now)


def said_in(monitor: Monitor) -> TakenUp:
    """What it decided since it was last asked."""
    decided = monitor.drain()
    return TakenUp(
        tuple(one.statement for one in decided if isinstance(one, StatementIssued)),
        tuple(one.transition for one in decided if isinstance(one, AlertChanged)),
    )


def said_anew(said: TakenUp, anyway: TakenUp) -> TakenUp:
    """Without what is said at this very instant by the old terms, too: no change brings that."""

    def move(alert: AlertTransition) -> tuple[str, int, Transition]:
        return alert.id, alert.episode, alert.transition

    moves = {move(alert) for alert in anyway.alerts}
    return TakenUp(
        tuple(one for one in said.statements if one not in anyway.statements),
        tuple(one for one in said.alerts if move(one) not in moves),
    )
