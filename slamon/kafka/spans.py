"""Reads a span of a partition: the records between two offsets, and no more, for commands that look and go."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from slamon.kafka import clients
from slamon.kafka.topics import Refused

AT_ONCE = 500  # records taken in one poll
WAIT = 500  # ms of one poll
STALLED = 30.0  # s without a record


async def records_of(reader: Any, tp: TopicPartition, start: int, end: int) -> AsyncIterator[Any]:
    """Committed records with offsets in [start, end). Raises topics.Refused if they do not come."""
    if start >= end:
        return
    reader.assign([tp])
    reader.seek(tp, start)
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(STALLED) as limit:
            while await reader.position(tp) < end:
                for record in (await reader.getmany(tp, timeout_ms=WAIT, max_records=AT_ONCE)).get(tp, []):
                    if record.offset >= end:
                        return
                    yield record
                    limit.reschedule(loop.time() + STALLED)
                await clients.breathe()
    except (KafkaError, TimeoutError) as error:
        raise Refused(f"{tp.topic} partition {tp.partition} cannot be read: {error!r}") from error
