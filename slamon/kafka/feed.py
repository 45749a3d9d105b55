"""Writes events to the inputs one after the other, as a well-behaved source does."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from aiokafka import AIOKafkaProducer

from slamon.codec import encode
from slamon.domain.events import Event
from slamon.kafka import clients
from slamon.kafka.acls import Doing
from slamon.kafka.publish import destination
from slamon.kafka.topics import check
from slamon.settings import KafkaSettings

TIMEOUT = 60.0  # s


@contextlib.asynccontextmanager
async def feeding(settings: KafkaSettings) -> AsyncIterator[Callable[[Event], Awaitable[None]]]:
    """Gives a function that sends an event; on leaving the block all of them have been acknowledged.

    Raises topics.Refused, clients.Unreachable.
    """
    layout = await check(settings, Doing.PUBLISH)
    producer = AIOKafkaProducer(
        **clients.connection(settings, "slamon-feed"), enable_idempotence=True, linger_ms=5
    )
    await clients.start(producer, settings, TIMEOUT)

    async def send(event: Event) -> None:
        line = encode(event)
        topic, key, partitions = destination(line, settings, layout.partitions)
        for partition in partitions:
            delivery: Any = await producer.send(topic, line, key=key, partition=partition)
            del delivery  # an idempotent producer keeps them in order, and `flush` waits for all

    try:
        yield send
        await producer.flush()
    finally:
        await clients.end(producer.stop())
