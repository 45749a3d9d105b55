"""Reads spans of partitions: the records between two offsets each, and no more, for commands that look and go."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from slamon.kafka import clients
from slamon.kafka.topics import Refused

AT_ONCE = 500  # records taken in one poll
WAIT = clients.milliseconds(clients.RESTORE_WAIT)  # of one poll: the end of a transaction does not end it
STALLED = 30.0  # s without a record


Spans = Mapping[TopicPartition, tuple[int, int]]


async def records_of(reader: Any, spans: Spans) -> AsyncIterator[Any]:
    """Committed records with offsets in [start, end) of each partition. Raises topics.Refused if they do not come.

    How long the caller takes over one of them does not matter.
    """
    rest = {tp for tp, (start, end) in spans.items() if start < end}
    if not rest:
        return
    reader.assign(sorted(rest))
    for tp in rest:
        reader.seek(tp, spans[tp][0])
    try:
        while rest:
            for tp, records in (await _next(reader, spans, rest)).items():
                for record in records:
                    if record.offset < spans[tp][1]:
                        yield record
            await clients.breathe()
    except (KafkaError, TimeoutError) as error:
        where = ", ".join(f"{tp.topic}/{tp.partition}" for tp in sorted(rest))
        raise Refused(f"{where} cannot be read: {error!r}") from error


async def _next(reader: Any, spans: Spans, rest: set[TopicPartition]) -> Mapping[TopicPartition, Any]:
    """More records, or the end of some of the `rest`, which are taken out of it.

    The limit is here, for a generator that yields within one interrupts what its caller waits for then.
    """
    async with asyncio.timeout(STALLED):
        while True:
            batches: Mapping[TopicPartition, Any]
            batches = await reader.getmany(timeout_ms=WAIT, max_records=AT_ONCE)
            read = [tp for tp in rest if await reader.position(tp) >= spans[tp][1]]
            rest.difference_update(read)
            reader.pause(*read)
            if batches or read:
                return batches
