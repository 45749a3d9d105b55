"""Slamon broken on purpose, one rule of the scheme at a time: a simulation that does not notice proves nothing.

Each mutant says which rule it breaks, how, and what weather brings it to light soon.
"""

import asyncio
import contextlib
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

from slamon import clock
from slamon.kafka import tasks
from slamon.kafka.alert_numbers import AlertNumbers
from slamon.kafka.clients import Outgoing, TaskProducer
from slamon.kafka.source import Source
from slamon.kafka.tasks import State, Task


@dataclass(frozen=True)
class Mutant:
    """`plan`: what of the plan is not left to chance."""

    rule: str
    owner: Any
    name: str
    broken: Any
    plan: dict[str, Any] = field(default_factory=dict)

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        with mock.patch.object(self.owner, self.name, self.broken):
            yield


# The originals, which some of the broken ones do first or last.
_init_producer = TaskProducer.__init__
_commit = Task._commit
_place = Task._place
_restore_numbers = AlertNumbers.restore


def _a_name_of_its_own(producer: TaskProducer, settings: Any, transactional_id: str) -> None:
    _init_producer(producer, settings, f"{transactional_id}-{secrets.token_hex(4)}")


async def _positions_first(task: Task, records: Sequence[Outgoing]) -> tuple[float, float, int]:
    positions = [one for one in records if one.key == b"p"]
    if positions:
        await _commit(task, positions)
    return await _commit(task, [one for one in records if one.key != b"p"] or records)


async def _any_outcome_is_good(task: Task, records: Sequence[Outgoing]) -> tuple[float, float, int]:
    with contextlib.suppress(tasks.Lost):
        return await _commit(task, records)
    task._last_commit = task.proved_at = clock.monotonic()
    return 0.0, task._last_commit, -1


async def _sends_not_awaited(
    producer: TaskProducer, records: Sequence[Outgoing], seconds: float
) -> dict[tuple[str, int], int]:
    groups: dict[tuple[str, int], list[Outgoing]] = {}
    for record in records:
        groups.setdefault((record.topic, record.partition), []).append(record)
    async with asyncio.timeout(seconds):
        await producer._producer.begin_transaction()
        for target, group in groups.items():
            await producer._send(target, group)
        await producer._producer.commit_transaction()
    return dict.fromkeys(groups, -1)


async def _proof_left_out(task: Task) -> None:
    if task.state is not State.PARKED:
        await task._restore()
    else:
        task._enter(State.PROVING)
    task._enter(State.RUNNING)
    task._company.began(task)


async def _dated_at_its_end(task: Task, records: Sequence[Outgoing]) -> tuple[float, float, int]:
    seconds, begun, offset = await _commit(task, records)
    task.proved_at = begun + seconds
    return seconds, begun + seconds, offset


def _not_sought(source: Source, task: Task) -> None:
    source._consumer.resume(*task.inputs)


def _out_of_range_forgotten(source: Source, offsets: dict[Any, int]) -> None:
    for tp, offset in offsets.items():
        source._consumer.seek(tp, source._company.layout.partitions + offset)  # type: ignore[union-attr]  # - it runs


def _gap_concealed(task: Task, positions: Any, inputs: Any) -> Any:
    gaps = _place(task, positions, inputs)
    task._gaps = () if positions is None else positions.gaps
    return gaps


def _not_sent_again(numbers: AlertNumbers, *args: Any, **kwargs: Any) -> Any:
    again, given_up = _restore_numbers(numbers, *args, **kwargs)
    return [], [*given_up, *(one.number for one in again)]


def _orphans_numbered_anew(numbers: AlertNumbers, *args: Any, **kwargs: Any) -> Any:
    found = _restore_numbers(numbers, *args, **kwargs)
    numbers._orphans = {}
    return found


def _successor_not_told(task: Task) -> None:
    assert task.monitor is not None
    task._pending.note(task.monitor.drain(), task.alerts.announce)


TORN = {"torn": 0.3, "events": 60, "partitions": 1}
REFUSED = {"refused": 0.1}
ROUGH = {"lost": 0.03, "slow": 0.03}
BUSY = {"processes": 2, "faults": 6, "steps": 300, "load": 8.0, "events": 60, "static": False}
SLOW = BUSY | {"faults": 8, "slow": 0.1}

MUTANTS = (
    Mutant(
        "who starts a producer fences its predecessor", TaskProducer, "__init__", _a_name_of_its_own, BUSY
    ),
    Mutant("positions stand in the transaction of what they led to", Task, "_commit", _positions_first, BUSY),
    Mutant("after an unknown outcome memory is worth nothing", Task, "_commit", _any_outcome_is_good, ROUGH),
    Mutant("a commit succeeds over failed sends", TaskProducer, "commit", _sends_not_awaited, REFUSED),
    Mutant("a parked task that comes back is proved", Task, "_get_ready", _proof_left_out, BUSY),
    Mutant("a task was ours when its commit began", Task, "_commit", _dated_at_its_end, SLOW),
    Mutant("a task begins where the changelog says", Source, "_began", _not_sought, BUSY),
    Mutant("a trimmed input leads to a restore", Source, "_out_of_range", _out_of_range_forgotten, BUSY),
    Mutant("what was trimmed unread is recorded", Task, "_place", _gap_concealed, BUSY),
    Mutant(
        "what the outbox holds and the topic lacks is sent again",
        AlertNumbers,
        "restore",
        _not_sent_again,
        TORN,
    ),
    Mutant("an orphan keeps its number", AlertNumbers, "restore", _orphans_numbered_anew, TORN),
    Mutant("a successor learns what the monitor learns", Task, "_gather", _successor_not_told, BUSY),
    Mutant("an answer that lay unread is not new", tasks, "PROMPT", 1_000_000, BUSY),
)
