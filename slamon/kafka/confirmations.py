"""Sees the alert transitions of the running tasks in their topic, so that the tasks may forget them.

Nothing depends on when that happens: what was not yet seen is merely kept longer. So whatever goes wrong with Kafka
here is waited out.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from slamon import clock
from slamon.kafka import clients
from slamon.kafka.alert_numbers import alert_seen
from slamon.kafka.tasks import Task
from slamon.settings import KafkaSettings

IDLE = 0.5  # s between two looks for tasks that wait
LOOK = 5.0  # s of one look; what is not there by then must not keep the others waiting
AFTER_FAILURE = 5.0  # s
AT_ONCE = 500

log = structlog.get_logger()


async def confirm(settings: KafkaSettings, application: str, running: Callable[[], Iterable[Task]]) -> None:
    """Until it is cancelled."""
    while True:
        try:
            await _read(settings, f"{application}-confirmations", running)
        except (KafkaError, OSError, TimeoutError) as error:
            log.info("confirmations_interrupted", error=repr(error))
        await clock.wait(AFTER_FAILURE)


async def _read(settings: KafkaSettings, name: str, running: Callable[[], Iterable[Task]]) -> None:
    reader = clients.reader(settings, name)
    try:
        async with asyncio.timeout(settings.commit_timeout):
            await reader.start()
        while True:
            await _look(reader, settings, running)
            await clock.wait(IDLE)
    finally:
        await clients.end(reader.stop())


async def _look(reader: Any, settings: KafkaSettings, running: Callable[[], Iterable[Task]]) -> None:
    """Read on for those tasks that now wait for their transitions."""
    waiting = {
        TopicPartition(settings.topics.alerts, task.partition): task
        for task in running()
        if task.alerts.waiting
    }
    if not waiting:
        return
    reader.assign(list(waiting))
    for tp, task in waiting.items():
        reader.seek(tp, task.alerts.seen_to)
    until = clock.monotonic() + LOOK
    while clock.monotonic() < until and any(task.alerts.waiting for task in waiting.values()):
        try:
            async with asyncio.timeout(settings.commit_timeout):
                batches = await reader.getmany(timeout_ms=1000, max_records=AT_ONCE)
        except OffsetOutOfRangeError as error:
            # What lay there is older than the topic keeps.
            async with asyncio.timeout(settings.commit_timeout):
                first = await reader.beginning_offsets(list(error.args[0]))
            for tp, offset in first.items():
                waiting[tp].alerts.seen_to = offset
                reader.seek(tp, offset)
            continue
        for tp, records in batches.items():
            for record in records:
                one = alert_seen(record.value)
                waiting[tp].alerts.saw(one.number if one is not None else None, record.offset + 1)
        await clients.breathe()
    reader.pause(*waiting)
