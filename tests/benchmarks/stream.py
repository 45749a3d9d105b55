"""What the benchmarks judge: a year's agreement of each of some customers, their tickets, and a heartbeat a minute.

The tickets are those of the demo's invented world, at desks that are busier. Seeded: the same in every run.
"""

import heapq
import random
from collections.abc import Iterator
from datetime import timedelta
from itertools import count
from pathlib import Path

from slamon.agreement_files import load
from slamon.demo import world
from slamon.demo.world import EPOCH
from slamon.domain.agreement import Agreement
from slamon.domain.events import DAY, MINUTE, AvailabilityEvent, Event, ServiceStatus

CUSTOMERS = tuple(f"customer-{n:02}" for n in range(40))
START = 20_514 * DAY  # 2026-03-02, a Monday
EVENTS_A_DAY = 77_000  # of all customers, about; three quarters are heartbeats, the rest are of tickets
REFERENCE = 1_000_000  # events from `START` on, of some 50,000 tickets: the reference stream

CALENDAR = """\
apiVersion: slamon/v1
kind: Calendar
metadata: {name: office}
spec:
  timeZone: Europe/Berlin
  hours: {mon-thu: "08:00-12:00, 13:00-18:00", fri: "08:00-16:00"}
  holidays: {country: DE, subdivision: BE}
"""
AGREEMENT = """\
---
apiVersion: slamon/v1
kind: Agreement
metadata: {{name: {customer}}}
spec:
  customer: {customer}
  effective: {{from: {first_day}}}
  timeZone: Europe/Berlin
  services: [{{name: api}}]
  objectives:
    - name: response
      ticketClock: {{measure: firstResponse, when: {{priority: [P1, P2]}}, calendar: always, target: 30m, warnAt: [50%, 75%, 90%]}}
    - name: p3-response
      ticketClock: {{measure: firstResponse, when: {{priority: [P3]}}, calendar: office, target: 4h, warnAt: [75%]}}
    - name: resolution
      ticketClock: {{measure: resolution, calendar: office, target: 9h, pauseWhile: {{waitingOn: [customer]}}, warnAt: [50%, 75%, 90%]}}
      attainment: {{target: 85%, timeWindow: {{calendar: month}}, minimumTickets: 20}}
    - name: availability
      service: api
      availability: {{target: 99.9%, timeWindow: {{calendar: month}}, minimumOutage: 60s, alerts: {{burnRates: default, timeLeft: [50%, 25%]}}}}
"""


def write_agreements(folder: Path, start: int = START) -> Path:
    """In force from the day of `start` on."""
    first_day = (EPOCH + timedelta(microseconds=start)).date()
    path = folder / "agreements.yaml"
    path.write_text(
        CALENDAR + "".join(AGREEMENT.format(customer=customer, first_day=first_day) for customer in CUSTOMERS)
    )
    return path


def agreements(folder: Path) -> tuple[Agreement, ...]:
    loaded = load([write_agreements(folder)])
    assert not loaded.faults, loaded.faults
    return loaded.agreements


def events(start: int = START) -> Iterator[Event]:
    """In the order of their time, from `start` (microseconds) on, without end."""
    streams: list[Iterator[Event]] = []
    for customer in CUSTOMERS:
        desk = world.Company(customer, "Europe/Berlin", 8.0, 0.9, ("api",), 1.0)
        streams += [
            world._tickets(random.Random(f"tickets/{customer}"), desk, start),
            _heartbeats(random.Random(f"heartbeats/{customer}"), customer, start),
        ]
    return heapq.merge(*streams, key=lambda event: event.time)


def _heartbeats(chance: random.Random, customer: str, start: int) -> Iterator[AvailabilityEvent]:
    """One a minute, at a second of the customer's own; one in three thousand says that the service is down."""
    # Known before the agreement begins: a service with time unknown in the last days costs more to judge.
    yield AvailabilityEvent("known", start - DAY, customer, "api", ServiceStatus.UP)
    first = start + chance.randrange(MINUTE)
    for number in count():
        status = ServiceStatus.DOWN if chance.random() < 1 / 3000 else ServiceStatus.UP
        yield AvailabilityEvent(
            f"{number}", first + number * MINUTE, customer, "api", status, interval=MINUTE
        )
