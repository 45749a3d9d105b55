"""An invented, believable world: a dozen customers, their tickets and their services, as events of the contract.

Seeded: the same seed and start give the same events. Tickets come by the hour, more in the customer's office hours; teams
answer mostly in good time and sometimes far too late; tickets wait for customers, are escalated, reopened, cancelled.
Services fail as real ones do: many short outages, a few long ones. One maintenance is announced in time and one is not.
What each customer was promised stands in `agreements/`, in the files a service manager would write.
"""

import heapq
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from slamon.domain.events import (
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    AvailabilityEvent,
    Event,
    ExclusionEvent,
    ExclusionReason,
    ExclusionState,
    Reply,
    ServiceStatus,
    TicketEvent,
    TicketStatus,
)
from slamon.domain.periods import Unit, period_at, zone_rules

AGREEMENTS = Path(__file__).parent / "agreements"
TICKET_HISTORY = 3 * DAY  # how far back tickets go; services go back to the beginning of the month
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Company(NamedTuple):
    """A customer as its service desk knows it. `slowness`: the team's typical answer time, as a share of a good one."""

    customer: str
    zone: str
    tickets_an_hour: float
    slowness: float
    services: tuple[str, ...]
    days_between_outages: float


COMPANIES = (
    Company("acme", "Europe/Berlin", 1.6, 0.9, ("billing-api", "shop"), 1.5),
    Company("nordwind", "Europe/Berlin", 0.9, 0.7, ("warehouse",), 3.0),
    Company("hudson-freight", "America/New_York", 1.1, 1.1, ("tracking",), 2.0),
    Company("sakura-robotics", "Asia/Tokyo", 0.7, 0.5, ("telemetry",), 6.0),
    Company("kookaburra-media", "Australia/Sydney", 0.8, 1.0, ("streaming",), 1.0),
    Company("himalaya-air", "Asia/Kathmandu", 0.5, 1.2, ("booking",), 2.5),
    Company("casa-verde", "America/Sao_Paulo", 0.6, 0.8, ("storefront",), 4.0),
    Company("lagos-pay", "Africa/Lagos", 1.2, 0.9, ("payments",), 90.0),
    Company("fjord-energy", "Europe/Oslo", 0.4, 0.6, ("metering",), 5.0),
    Company("st-johns-clinic", "America/St_Johns", 0.7, 0.8, ("patient-records",), 4.0),
    Company("mumbai-logistics", "Asia/Kolkata", 1.0, 1.1, ("dispatch",), 1.5),
    Company("internal-it", "Europe/London", 1.3, 1.3, ("mail",), 3.0),
)

# A good team's typical first answer and repair, by priority.
ANSWER = {"P1": 4 * MINUTE, "P2": 13 * MINUTE, "P3": 70 * MINUTE}
REPAIR = {"P1": 90 * MINUTE, "P2": 4 * HOUR, "P3": 14 * HOUR}
RAISED = {"P3": "P2", "P2": "P1"}


def events(seed: int, start: int) -> Iterator[Event]:
    """Every event of the world in the order of its time, without end: history first, then what comes after `start`.

    `start` (microseconds) is the instant at which the demo begins; shortly after it two things go badly wrong.
    """
    streams: list[Iterator[Event]] = [_scene(start)]
    for company in COMPANIES:
        streams.append(_tickets(random.Random(f"{seed}/{company.customer}"), company, start - TICKET_HISTORY))
        month, _ = period_at(Unit.MONTH, company.zone, start)
        streams += [
            _service(random.Random(f"{seed}/{name}"), company, name, month) for name in company.services
        ]
    streams.append(iter(sorted(_maintenance(start), key=lambda event: event.time)))
    return heapq.merge(*streams, key=lambda event: event.time)


def _scene(start: int) -> Iterator[Event]:
    """A P1 nobody answers, and an outage that eats a month's budget."""
    opened = start + 2 * MINUTE
    yield TicketEvent(
        "scene-1", opened, "acme", "INC-4711", status=TicketStatus.OPEN, priority="P1", service="billing-api"
    )
    yield AvailabilityEvent("scene-1", start + 4 * MINUTE, "lagos-pay", "payments", ServiceStatus.DOWN)
    yield TicketEvent(
        "scene-2", opened + 22 * MINUTE, "acme", "INC-4711", reply=Reply.AGENT, waiting_on="internal"
    )
    yield AvailabilityEvent("scene-2", start + 75 * MINUTE, "lagos-pay", "payments", ServiceStatus.UP)
    yield TicketEvent(
        "scene-3", opened + 95 * MINUTE, "acme", "INC-4711", status=TicketStatus.RESOLVED, reply=Reply.AGENT
    )


def _busy(zone: str, t: int) -> float:
    """How busy a desk is at `t`: 1 in office hours, little at night and on weekends."""
    there = (EPOCH + timedelta(microseconds=t)).astimezone(zone_rules(zone))
    if there.weekday() >= 5:
        return 0.25
    return 1.0 if 8 <= there.hour < 18 else 0.3


def _tickets(chance: random.Random, company: Company, since: int) -> Iterator[TicketEvent]:
    """Tickets opened from `since` on; a heap holds what is still to happen to those that are open."""
    ahead: list[tuple[int, int, TicketEvent]] = []
    number = 1000
    pushed = 0
    opened = since
    while True:
        opened += round(chance.expovariate(company.tickets_an_hour * _busy(company.zone, opened)) * HOUR)
        while ahead and ahead[0][0] <= opened:
            yield heapq.heappop(ahead)[2]
        number += 1
        for event in _ticket(chance, company, f"{company.customer.split('-')[0].upper()}-{number}", opened):
            pushed += 1
            heapq.heappush(ahead, (event.time, pushed, event))


def _around(chance: random.Random, typical: float, spread: float = 0.6) -> int:
    """A duration whose median is `typical`, with a long tail: most are near it, a few far beyond."""
    return max(round(typical * chance.lognormvariate(0, spread)), SECOND)


def _ticket(chance: random.Random, company: Company, ticket: str, opened: int) -> Iterator[TicketEvent]:
    """The life of one ticket, in order."""
    priority = chance.choices(("P1", "P2", "P3"), (0.08, 0.27, 0.65))[0]
    service = chance.choice(company.services)
    step = 0

    def told(at: int, **named: Any) -> TicketEvent:
        nonlocal step
        step += 1
        blank = TicketEvent(f"{ticket}/{step}", at, company.customer, ticket, seq=step)
        return msgspec.structs.replace(blank, **named)

    yield told(opened, status=TicketStatus.OPEN, priority=priority, service=service)
    if chance.random() < 0.03:
        yield told(opened + _around(chance, 20 * MINUTE), status=TicketStatus.CANCELLED)
        return
    at = opened
    if chance.random() < 0.07 and priority in RAISED:
        at += _around(chance, 15 * MINUTE)
        priority = RAISED[priority]
        yield told(at, priority=priority)
    at += _around(chance, ANSWER[priority] * company.slowness)
    yield told(at, reply=Reply.AGENT)
    for _ in range(chance.choices((0, 1, 2), (0.6, 0.3, 0.1))[0]):
        at += _around(chance, REPAIR[priority] / 4)
        yield told(
            at,
            status=TicketStatus.WAITING,
            waiting_on=chance.choice(("customer", "customer", "supplier")),
            reply=Reply.AGENT,
        )
        at += _around(chance, 3 * HOUR)
        yield told(at, status=TicketStatus.OPEN, reply=Reply.CUSTOMER)
    at += _around(chance, REPAIR[priority] * company.slowness)
    yield told(at, status=TicketStatus.RESOLVED, reply=Reply.AGENT)
    if chance.random() < 0.05:
        at += _around(chance, 5 * HOUR)
        yield told(at, status=TicketStatus.OPEN, reply=Reply.CUSTOMER)
        at += _around(chance, 2 * HOUR)
        yield told(at, status=TicketStatus.RESOLVED, reply=Reply.AGENT)
    yield told(at + _around(chance, DAY, 0.3), status=TicketStatus.CLOSED)


def _service(
    chance: random.Random, company: Company, service: str, since: int
) -> Iterator[AvailabilityEvent]:
    """Up, and now and then down: five of six outages are over in minutes, the sixth takes most of an hour."""
    at = since
    number = 0
    status = ServiceStatus.UP
    while True:
        number += 1
        yield AvailabilityEvent(f"{service}/{number}", at, company.customer, service, status, seq=number)
        if status is ServiceStatus.UP:
            at += round(chance.expovariate(1 / company.days_between_outages) * DAY) + MINUTE
            status = ServiceStatus.DOWN if chance.random() < 0.8 else ServiceStatus.DEGRADED
        else:
            at += _around(chance, 2 * MINUTE if chance.random() < 5 / 6 else 12 * MINUTE, 0.7)
            status = ServiceStatus.UP


def _maintenance(start: int) -> Iterator[Event]:
    """One announced three days ahead, as agreed, and one that nobody was told of in time."""
    day = start - start % DAY
    for customer, service, begins, announced in (
        ("nordwind", "warehouse", day - DAY + 2 * HOUR, day - 6 * DAY),
        ("hudson-freight", "tracking", day - DAY + 5 * HOUR, day - DAY + 4 * HOUR),
    ):
        yield ExclusionEvent(
            id=f"{service}-window",
            time=announced,
            customer=customer,
            exclusion=f"{service}-window",
            state=ExclusionState.DECLARED,
            reason=ExclusionReason.MAINTENANCE,
            start=begins,
            end=begins + HOUR,
            service=service,
            approved_by="change board",
        )
        yield AvailabilityEvent(
            f"{service}-window/down", begins + 5 * MINUTE, customer, service, ServiceStatus.DOWN
        )
        yield AvailabilityEvent(
            f"{service}-window/up", begins + 45 * MINUTE, customer, service, ServiceStatus.UP
        )
