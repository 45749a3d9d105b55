"""Events for ever, just inside the horizon: tickets that are opened, answered and resolved.

All of them happened `KEEP` ago but for some minutes, so the daemon forgets each of them soon after it has heard of it. One
ticket in fifty is answered too late, which makes alerts.
"""

import asyncio
import random
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer

from slamon import clock
from slamon.codec import encode
from slamon.domain.events import (
    DAY,
    MINUTE,
    SECOND,
    Event,
    Reply,
    TicketEvent,
    TicketStatus,
)
from slamon.kafka import clients
from slamon.kafka.partitioner import partition_for
from slamon.settings import Settings, read_settings

CUSTOMERS = tuple(f"customer-{number:02}" for number in range(40))
KEEP = 70  # days, which is just more than the agreements need
MARGIN = 3 * MINUTE  # inside the horizon
SLICE = 0.05  # s between two bursts
LATE = 50  # one ticket in so many

AGREEMENTS = """\
apiVersion: slamon/v1
kind: Calendar
metadata: {name: office}
spec: {timeZone: Europe/Berlin, hours: {mon-fri: "08:00-18:00"}, holidays: {country: DE}}
""" + "".join(
    f"""\
---
apiVersion: slamon/v1
kind: Agreement
metadata: {{name: {customer}}}
spec:
  customer: {customer}
  effective: {{from: 2020-01-01}}
  timeZone: Europe/Berlin
  objectives:
    - name: response
      ticketClock: {{measure: firstResponse, calendar: always, target: 30s, warnAt: [75%]}}
      attainment: {{target: 90%, timeWindow: {{calendar: week}}, minimumTickets: 20}}
    - name: resolution
      ticketClock: {{measure: resolution, calendar: office, target: 8h, warnAt: [75%]}}
"""
    for customer in CUSTOMERS
)


def fill(config: Path, events: int) -> None:
    """So many, as fast as they can be written."""
    asyncio.run(_write(config, events, None))


def pace(config: Path, rate: int, seconds: float) -> None:
    """So many a second, for so long."""
    asyncio.run(_write(config, round(rate * seconds), rate))


async def _write(config: Path, events: int, rate: int | None) -> None:
    settings = read_settings(config)
    producer = AIOKafkaProducer(
        **clients.connection(settings.kafka, "soak"), linger_ms=20, max_batch_size=1 << 19, acks=1
    )
    await producer.start()
    try:
        stream = _events(random.Random(clock.now()))
        begun, sent = clock.monotonic(), 0
        while sent < events:
            due = events if rate is None else min(events, round((clock.monotonic() - begun) * rate))
            for event in islice(stream, min(due - sent, 5000)):
                await _send(producer, settings, event)
            sent += min(due - sent, 5000)
            await clock.wait(SLICE if sent >= due else 0)
        await producer.flush()
    finally:
        await producer.stop()


async def _send(producer: Any, settings: Settings, event: Event) -> None:
    kafka = settings.kafka
    key = (event.customer or "").encode()
    partition = partition_for(key, kafka.partitions, kafka.partitioner)
    await producer.send(kafka.topics.tickets, encode(event), key=key, partition=partition)


def _events(chance: random.Random) -> Iterator[Event]:
    run = f"{chance.randrange(1 << 32):08x}"
    for number in count():
        customer, ticket = chance.choice(CUSTOMERS), f"{run}-{number}"
        at = clock.now() - KEEP * DAY + MARGIN
        opened_at = at - (MINUTE if chance.randrange(LATE) == 0 else 5 * SECOND)
        yield TicketEvent(
            f"{ticket}/1", at, customer, ticket, status=TicketStatus.OPEN, priority="P1", opened_at=opened_at
        )
        yield TicketEvent(f"{ticket}/2", at + 1, customer, ticket, reply=Reply.AGENT)
        yield TicketEvent(f"{ticket}/3", at + 2, customer, ticket, status=TicketStatus.RESOLVED)
