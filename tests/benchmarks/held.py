"""What a task holds of each kind of thing: bytes of memory, and bytes of changelog before they are compressed.

Two processes, which end with it, hold few and many of the same; what one thing takes is the difference, by its number.
Memory is what the system says that the process has (Linux), since that is what a pod is given.
"""

import gc
import multiprocessing
import os
import random
import tempfile
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from slamon.agreement_files import load
from slamon.daemon import CYCLES
from slamon.demo.world import EPOCH
from slamon.domain.agreement import Agreement
from slamon.domain.decisions import FactKey, FactKind, Facts, Upshot
from slamon.domain.events import (
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    AvailabilityEvent,
    Event,
    Reply,
    RequestsEvent,
    ServiceStatus,
    TicketEvent,
    TicketStatus,
)
from slamon.domain.monitor import Monitor
from slamon.kafka.changelog import fact_records
from tests.benchmarks import stream
from tests.benchmarks.measuring import LeftOut

DESKS = 40  # customers, where their number is not what is counted
BEATS = 180  # minutes of heartbeats that a service has at hand as they are: three hours
TICKET_EVERY = 5 * SECOND
A_DAY = DAY // MINUTE
STEP = 15 * MINUTE  # of the clock
PAGE = os.sysconf("SC_PAGE_SIZE")

HEAD = """\
---
apiVersion: slamon/v1
kind: Agreement
metadata: {{name: {customer}}}
spec:
  customer: {customer}
  effective: {{from: {first_day}}}
  timeZone: Europe/Berlin
  services: [{{name: api}}{services}]
  objectives:
    - name: response
      ticketClock: {{measure: firstResponse, when: {{priority: [P1, P2]}}, calendar: always, target: 30m, warnAt: [50%, 75%, 90%]}}
    - name: p3-response
      ticketClock: {{measure: firstResponse, when: {{priority: [P3]}}, calendar: office, target: 4h, warnAt: [75%]}}
    - name: resolution
      ticketClock: {{measure: resolution, calendar: office, target: 9h, pauseWhile: {{waitingOn: [customer]}}, warnAt: [50%, 75%, 90%]}}
      attainment: {{target: 85%, timeWindow: {{calendar: month}}, minimumTickets: 20}}
"""
AVAILABILITY = """\
    - name: {service}-up
      service: {service}
      availability: {{target: 99.9%, timeWindow: {{calendar: month}}, minimumOutage: 60s, alerts: {{burnRates: default, timeLeft: [50%, 25%]}}}}
"""
REQUESTS = """\
    - name: {service}-requests
      service: {service}
      requests: {{target: 99.5%, timeWindow: {{calendar: month}}, alerts: {{burnRates: default}}}}
"""


class Held(NamedTuple):
    """Bytes: of a process that holds so many things, or of one thing."""

    memory: float
    changelog: float


class Kind(NamedTuple):
    """`hold`: a monitor that holds so many. `few`, `many`: enough that the difference is far above what pages round."""

    what: str
    few: int
    many: int
    hold: Callable[[int], Monitor]


def each(kind: str) -> Held:
    """By the difference of two processes."""
    one = KINDS[kind]
    few, many = _alone(kind, one.few), _alone(kind, one.many)
    more = one.many - one.few
    return Held((many.memory - few.memory) / more, (many.changelog - few.changelog) / more)


def _alone(kind: str, count: int) -> Held:
    if not Path("/proc/self/statm").exists():
        raise LeftOut("how much memory a process has is read from /proc, which is Linux's")
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_hold, (kind, count))


def _hold(kind: str, count: int) -> Held:
    gc.set_threshold(*CYCLES)
    monitor = KINDS[kind].hold(count)
    gc.collect()
    memory = int(Path("/proc/self/statm").read_text().split()[1]) * PAGE
    return Held(memory, sum(_length(key, facts, monitor.upshot(key)) for key, facts in monitor.facts()))


def _length(key: FactKey, facts: Facts, upshot: Upshot | None) -> int:
    records = fact_records(key, facts, 1, upshot=upshot)
    return sum(len(name) + len(value or b"") for name, value in records)


# --------------------------------------------------------------------------------------------------------- what is held


class Promised(NamedTuple):
    """So many customers, each with three ticket objectives and with one for each of so many services."""

    customers: int
    services: int = 0
    requests: int = 0

    def sides(self) -> list[tuple[str, str]]:
        """(customer, service) of all."""
        return [(_customer(number), name) for number in range(self.customers) for name in self._services()]

    def _services(self) -> list[str]:
        return [f"s-{number}" for number in range(self.services + self.requests)]

    def write(self, folder: Path, start: int = stream.START) -> Path:
        """In force from the day before `start` on."""
        names = self._services()
        listed = "".join(f", {{name: {name}}}" for name in names)
        first_day = (EPOCH + timedelta(microseconds=start - DAY)).date()
        text = stream.CALENDAR
        for number in range(self.customers):
            text += HEAD.format(customer=_customer(number), services=listed, first_day=first_day)
            text += "".join(AVAILABILITY.format(service=name) for name in names[: self.services])
            text += "".join(REQUESTS.format(service=name) for name in names[self.services :])
        file = folder / "agreements.yaml"
        file.write_text(text)
        return file

    def agreements(self) -> tuple[Agreement, ...]:
        with tempfile.TemporaryDirectory() as folder:
            loaded = load([self.write(Path(folder))])
        assert not loaded.faults, loaded.faults[0]
        return loaded.agreements


def _customer(number: int) -> str:
    return f"customer-{number:05}"


def _fed(promised: Promised, events: Iterable[Event], until: int) -> Monitor:
    """What is decided on the way is taken to be written; what is to be packed is packed."""
    monitor = Monitor(promised.agreements(), steps=False, keep=200 * DAY)
    monitor.advance(stream.START)
    due = stream.START
    for event in events:
        while event.time >= due:
            monitor.advance(due)
            monitor.drain()
            due += STEP
        monitor.apply(event)
    for at in range(due, until + 1, STEP):
        monitor.advance(at)
        monitor.drain()
    return monitor


def customers(count: int) -> Monitor:
    return _fed(Promised(count), (), stream.START + HOUR)


def services(count: int) -> Monitor:
    """Each with as many heartbeats as are at hand."""
    promised = Promised(DESKS, services=count // DESKS)
    return _fed(promised, heartbeats(promised.sides(), BEATS), stream.START + BEATS * MINUTE)


def heartbeats_kept(count: int) -> Monitor:
    promised, minutes = Promised(DESKS, services=1), count // DESKS
    return _fed(promised, heartbeats(promised.sides(), minutes), stream.START + minutes * MINUTE)


def heartbeats(
    sides: Sequence[tuple[str, str]], minutes: int, start: int = stream.START
) -> Iterator[AvailabilityEvent]:
    """One a minute of each service, at a second of its own; one in three thousand says that it is down."""
    chance = random.Random(1)
    for minute in range(minutes):
        for number, (customer, service) in enumerate(sides):
            status = ServiceStatus.DOWN if chance.random() < 1 / 3000 else ServiceStatus.UP
            at = start + minute * MINUTE + number * (MINUTE // len(sides))
            yield AvailabilityEvent(_id(chance), at, customer, service, status, interval=MINUTE)


def requests_kept(count: int) -> Monitor:
    """A bucket a minute of each service."""
    promised, minutes = Promised(DESKS, requests=1), count // DESKS
    return _fed(promised, _buckets(promised.sides(), minutes), stream.START + minutes * MINUTE)


def _buckets(sides: Sequence[tuple[str, str]], minutes: int) -> Iterator[RequestsEvent]:
    chance = random.Random(1)
    for minute in range(minutes):
        for customer, service in sides:
            at, total = stream.START + (minute + 1) * MINUTE, chance.randrange(1000, 5000)
            yield RequestsEvent(_id(chance), at, customer, service, total, total // 2000, MINUTE)


def waiting_tickets(count: int) -> Monitor:
    """Opened, answered, waiting for the customer: no alert."""
    events = (event for ticket in tickets(count) for event in ticket[:2])
    return _fed(Promised(DESKS), sorted(events, key=_time), stream.START + count * TICKET_EVERY + HOUR)


def late_tickets(count: int) -> Monitor:
    """Opened, and not heard of for days: warned of three times, and breached."""
    events = (ticket[0] for ticket in tickets(count))
    return _fed(Promised(DESKS), events, stream.START + count * TICKET_EVERY + 4 * DAY)


def decided_tickets(count: int) -> Monitor:
    events = (event for ticket in tickets(count) for event in ticket)
    return _fed(Promised(DESKS), sorted(events, key=_time), stream.START + count * TICKET_EVERY + DAY)


def tickets(count: int, start: int = stream.START) -> Iterator[tuple[TicketEvent, ...]]:
    """Opened, answered, back from the customer, resolved."""
    chance = random.Random(1)
    for number in range(count):
        at, customer, name = start + number * TICKET_EVERY, _customer(number % DESKS), f"INC-{number:07}"
        opened = TicketEvent(
            _id(chance), at, customer, name, status=TicketStatus.OPEN, priority="P2", service="api"
        )
        yield (
            opened,
            TicketEvent(
                _id(chance), at + 10 * MINUTE, customer, name,
                status=TicketStatus.WAITING, reply=Reply.AGENT, waiting_on="customer",
            ),
            TicketEvent(_id(chance), at + 90 * MINUTE, customer, name, status=TicketStatus.OPEN),
            TicketEvent(
                _id(chance), at + 3 * HOUR, customer, name, status=TicketStatus.RESOLVED, reply=Reply.AGENT
            ),
        )  # fmt: skip


def _id(chance: random.Random) -> str:
    return str(uuid.UUID(int=chance.getrandbits(128), version=4))


def _time(event: Event) -> int:
    return event.time


# ----------------------------------------------------------------------------------------------------- as it is written


def ticket_facts(count: int, start: int) -> Iterator[tuple[FactKey, Facts]]:
    for events in tickets(count, start):
        first = events[0]
        yield FactKey(FactKind.TICKET, first.customer, first.ticket), Facts(tickets=events)


def heartbeat_facts(
    sides: Sequence[tuple[str, str]], hours: int, start: int
) -> Iterator[tuple[FactKey, Facts]]:
    """`start`: of an hour."""
    for hour, found in groupby(heartbeats(sides, hours * 60, start), key=lambda event: event.time // HOUR):
        by_side: dict[tuple[str, str], list[AvailabilityEvent]] = {}
        for event in found:
            by_side.setdefault((event.customer or "", event.service), []).append(event)
        for side, events in by_side.items():
            yield FactKey(FactKind.SERVICE_HOUR, *side, hour), Facts(services=tuple(events))


KINDS = {
    kind.what: kind
    for kind in (
        Kind("customer with three ticket objectives", 100, 600, customers),
        Kind("service with its objective, three hours of heartbeats", 40, 440, services),
        Kind("heartbeat before that", DESKS * A_DAY, DESKS * 8 * A_DAY, heartbeats_kept),
        Kind("bucket of requests", DESKS * A_DAY, DESKS * 8 * A_DAY, requests_kept),
        Kind("open ticket", 1_000, 21_000, waiting_tickets),
        Kind("open ticket, three warnings and a breach", 1_000, 11_000, late_tickets),
        Kind("decided ticket", 2_000, 42_000, decided_tickets),
    )
}
