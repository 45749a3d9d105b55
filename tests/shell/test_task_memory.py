"""What a task keeps of what it reads does not grow with what nobody has an agreement for."""

from types import SimpleNamespace

import pytest

from slamon.domain.monitor import Monitor
from slamon.kafka import tasks
from slamon.kafka.observations import Observations
from slamon.kafka.tasks import Company, Task
from slamon.kafka.topics import DEFAULT_RECORD_BYTES, Layout
from slamon.settings import Settings


def nothing(*_: object) -> None:
    pass


async def nobody(_: object) -> None:
    return None


def a_task() -> Task:
    def monitor(*_: object) -> Monitor:
        return Monitor([], steps=False)

    layout = Layout(1, 1, DEFAULT_RECORD_BYTES, 0)
    company = Company(
        Settings(), layout, "pod", 0, monitor, Observations(), nothing, nothing, nobody, nothing, nothing
    )
    task = Task(0, company)
    task.monitor = monitor()
    return task


def ticket_of(customer: str, offset: int) -> SimpleNamespace:
    text = f'{{"id":"1","type":"ticket","time":"2026-01-01T00:00:00Z","customer":"{customer}","ticket":"T"}}'
    return SimpleNamespace(offset=offset, key=None, value=text.encode(), headers=())


def test_a_stream_of_ever_new_customers_takes_no_more_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "HOMES_KEPT", 10)
    task = a_task()
    records = [ticket_of(f"customer-{number}", number) for number in range(105)]
    task.take(task.topics[0], records, wall=2_000_000_000_000_000)
    assert task._pending.records == 105
    assert not task._pending.dead_letters
    assert len(task._homes) <= 10
