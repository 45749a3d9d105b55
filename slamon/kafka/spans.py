"""Reads spans of partitions: the records between two offsets each, and no more, for commands that look and go."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from slamon.kafka import clients
from slamon.kafka.topics import Refused

AT_ONCE = 500  # records taken in one poll
WAIT = 500  # ms of one poll
STALLED = 30.0  # s without a record


Spans = Mapping[TopicPartition, tuple[int, int]]


async def records_of(reader: Any, spans: Spans) -> AsyncIterator[Any]:
    """Committed records with offsets in [start, end) of each partition. Raises topics.Refused if they do not come."""
    rest = {tp for tp, (start, end) in spans.items() if start < end}
    if not rest:
        return
    reader.assign(sorted(rest))
    for tp in rest:
        reader.seek(tp, spans[tp][0])
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(STALLED) as limit:
            while rest:
                for tp, records in (await reader.getmany(timeout_ms=WAIT, max_records=AT_ONCE)).items():
                    for record in records:
                        if record.offset < spans[tp][1]:
                            yield record
                    limit.reschedule(loop.time() + STALLED)
                for tp in list(rest):
                    if await reader.position(tp) >= spans[tp][1]:
                        rest.discard(tp)
                        reader.pause(tp)
                await clients.breathe()
    except (KafkaError, TimeoutError) as error:
        where = ", ".join(f"{tp.topic}/{tp.partition}" for tp in sorted(rest))
        raise Refused(f"{where} cannot be read: {error!r}") from error
