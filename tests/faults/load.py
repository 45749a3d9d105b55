"""What goes on while everything breaks: customers, their agreements, and events of every kind, good, late, doubled and bad.

All is drawn by the seed but the instants, which are those of the wall. Tickets have lives of seconds against targets of
seconds, so that there is always something about to be due. An event without customer is written to every partition.

The producer is no part of what is tested: what it cannot deliver it sends again, with a new producer. So an event may be
there twice, as with any source; what counts is what the inputs hold in the end.
"""

import asyncio
import heapq
import itertools
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import orjson
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from slamon import clock
from slamon.codec import format_instant
from slamon.domain.events import DAY, HOUR, MINUTE, SECOND
from slamon.kafka import clients
from slamon.settings import Topics

CUSTOMERS = tuple(f"customer-{number}" for number in range(18))
STRANGER = "stranger"  # no agreement speaks of it
TICKETS_A_SECOND = 1.5
TICK = 0.1  # s between two looks at what is due
BURST_EVERY = 15.0  # s, on average
BURST = 250  # tickets of the past at once
REMEMBERED = 400  # sent records from which those are drawn that are sent again
PAST = 60 * DAY  # how far back what is late may lie

AGREEMENT = """\
apiVersion: slamon/v1
kind: Agreement
metadata: {{name: "{customer}-services"}}
spec:
  customer: {customer}
  effective: {{from: {since}}}
  timeZone: Europe/Berlin
  services: [{{name: shop}}, {{name: mail}}]
  objectives:
    - name: response
      ticketClock: {{measure: firstResponse, when: {{priority: [P1]}}, calendar: always, target: 20s, warnAt: [50%, -4s]}}
      attainment: {{target: 90%, timeWindow: {{calendar: month}}}}
    - name: repair
      ticketClock: {{measure: resolution, calendar: always, target: 1m, warnAt: [50%, 90%]}}
      attainment: {{target: 80%, timeWindow: {{rolling: 30d}}}}
    - name: shop-up
      service: shop
      availability:
        {{target: 99.99%, timeWindow: {{calendar: month}}, calendar: always, minimumOutage: 2s,
          alerts: {{burnRates: none, timeLeft: [99.9%, 50%], alertAfter: 1s}}}}
    - name: mail-up
      service: mail
      availability:
        {{target: 99%, timeWindow: {{calendar: week}}, calendar: always, unknownCountsAs: up, alerts: {{burnRates: none}}}}
    - name: shop-requests
      service: shop
      requests: {{target: 99%, timeWindow: {{calendar: month}}}}
  exclusions:
    - {{name: announced, reason: maintenance, declared: true, notice: 1h, atMost: {{duration: 8h, per: month}}}}
    - {{name: forced, reason: force_majeure, declared: true}}
  remedies:
    fee: {{amount: "1000.00", currency: EUR, per: month}}
    credits:
      - {{objective: shop-up, bands: [{{below: 99.99%, credit: 10%}}, {{below: 99%, credit: 30%}}]}}
      - {{objective: response, perMiss: 1%, cap: 20%}}
    cap: 40%
  reporting: {{period: month, settleAfter: 24h}}
"""


def agreements(now: int) -> str:
    """Of all customers, in force for longer than anything lies back."""
    began = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=now - PAST - 10 * DAY)
    return "---\n".join(
        AGREEMENT.format(customer=customer, since=began.date().isoformat()) for customer in CUSTOMERS
    )


class Record(NamedTuple):
    topic: str
    key: bytes | None
    value: bytes
    partition: int | None = None  # None: by the key


Deed = Callable[[], Iterator[Record]]


class Load:
    """`run` it until `stop`; then what it had begun comes to its end at once, and all that was sent arrives."""

    def __init__(self, seed: str, bootstrap: str, names: Topics, partitions: int) -> None:
        self.sent = 0
        self.renewed = 0  # producers
        self._chance = random.Random(seed)
        self._bootstrap = bootstrap
        self._names = names
        self._partitions = partitions
        self._due: list[tuple[float, int, Deed]] = []
        self._numbers = itertools.count(1)
        self._recent: list[Record] = []
        self._stopping = asyncio.Event()
        self._producer: Any = None

    def stop(self) -> None:
        self._stopping.set()

    async def run(self) -> None:
        last = clock.monotonic()
        self._after(0, self._first)
        try:
            while not await clients.within(self._stopping, TICK):
                now = clock.monotonic()
                self._begin(now - last)
                last = now
                records: list[Record] = []
                while self._due and self._due[0][0] <= now:
                    records += heapq.heappop(self._due)[2]()
                await self._deliver(records)
            while self._due:
                await self._deliver(list(heapq.heappop(self._due)[2]()))
        finally:
            if self._producer is not None:
                await clients.end(self._producer.stop(), 30)

    # Delivery ---------------------------------------------------------------------------------------------------------

    async def _deliver(self, records: list[Record]) -> None:
        self.sent += len(records)
        self._recent = [*self._recent, *records][-REMEMBERED:]
        while records:
            records = await self._try(records)

    async def _try(self, records: list[Record]) -> list[Record]:
        """What did not arrive."""
        try:
            if self._producer is None:
                self._producer = AIOKafkaProducer(
                    bootstrap_servers=self._bootstrap, enable_idempotence=True, retry_backoff_ms=50
                )
                async with asyncio.timeout(20):
                    await self._producer.start()
            async with asyncio.timeout(60):
                sent = [
                    await self._producer.send(one.topic, one.value, key=one.key, partition=one.partition)
                    for one in records
                ]
                ended = await asyncio.gather(*sent, return_exceptions=True)
        except (KafkaError, OSError, TimeoutError, AssertionError):
            ended = [TimeoutError()] * len(records)
        failed = [one for one, end in zip(records, ended, strict=True) if isinstance(end, BaseException)]
        if failed:
            producer, self._producer = self._producer, None
            self.renewed += 1
            if producer is not None:
                await clients.end(producer.stop())
        return failed

    # What happens -----------------------------------------------------------------------------------------------------

    def _after(self, seconds: float, deed: Deed) -> None:
        heapq.heappush(self._due, (clock.monotonic() + seconds, next(self._numbers), deed))

    def _begin(self, seconds: float) -> None:
        """What begins by itself in so many seconds."""
        for rate, deed in (
            (TICKETS_A_SECOND, self._ticket),
            (1.0, self._outage),
            (1.0, self._requests),
            (0.2, self._exclusion),
            (0.5, self._late),
            (0.6, self._again),
            (0.2, self._conflict),
            (0.5, self._garbage),
            (0.1, self._everywhere),
            (0.1, self._ahead),
            (0.2, self._strange),
            (1 / BURST_EVERY, self._burst),
        ):
            # Of a long pause no more than of a second: else what an outage held back would come at once, for ever.
            if self._chance.random() < rate * min(seconds, 1.0):
                self._after(0, deed)

    def _event(self, kind: str, customer: str | None, at: int, **members: object) -> Record:
        event = {"type": kind, "time": format_instant(at), "id": f"e{next(self._numbers)}"}
        if customer is not None:
            event["customer"] = customer
        topic = self._names.tickets if kind == "ticket" else self._names.availability
        key = None if customer is None else customer.encode()
        return Record(topic, key, orjson.dumps({**event, **members}))

    def _customer(self) -> str:
        return self._chance.choice(CUSTOMERS)

    def _first(self) -> Iterator[Record]:
        """Everything was up for long."""
        at = clock.now() - PAST - 20 * DAY
        for customer in CUSTOMERS:
            for service in ("shop", "mail"):
                yield self._event("availability", customer, at, service=service, status="up")

    def _ticket(self) -> Iterator[Record]:
        """Opened now; what becomes of it follows in its own time, or never."""
        chance, customer = self._chance, self._customer()
        name = f"T-{next(self._numbers)}"

        def then(seconds: float, **members: object) -> None:
            self._after(
                seconds, lambda: iter([self._event("ticket", customer, clock.now(), ticket=name, **members)])
            )

        yield self._event(
            "ticket",
            customer,
            clock.now(),
            ticket=name,
            status="open",
            priority=chance.choice(("P1", "P1", "P2")),
        )
        answered = chance.uniform(3, 30)
        then(answered, reply="agent")
        solved = answered + chance.uniform(2, 60)
        if chance.random() < 0.2:
            then(answered + 1, status="waiting", waiting_on="customer")
            then(answered + chance.uniform(5, 20), status="open", reply="customer")
        if chance.random() < 0.2:
            then(chance.uniform(1, solved), priority=chance.choice(("P1", "P2")))
        end = chance.random()
        if end < 0.03:
            return
        then(solved, status="cancelled" if end < 0.08 else "resolved")
        if end > 0.9:
            then(solved + chance.uniform(2, 20), status="open", reply="customer")
            then(solved + chance.uniform(25, 60), status="resolved", reply="agent")

    def _outage(self) -> Iterator[Record]:
        customer, service = self._customer(), self._chance.choice(("shop", "mail"))
        status = self._chance.choice(("down", "down", "degraded", "unknown"))
        yield self._event("availability", customer, clock.now(), service=service, status=status)
        heartbeats = {"interval_seconds": 2} if self._chance.random() < 0.2 else {}
        self._after(
            self._chance.uniform(1, 12),
            lambda: iter(
                [
                    self._event(
                        "availability", customer, clock.now(), service=service, status="up", **heartbeats
                    )
                ]
            ),
        )

    def _everywhere(self) -> Iterator[Record]:
        """For every customer: its producer writes it to every partition."""
        status = self._chance.choice(("up", "up", "down"))
        one = self._event("availability", None, clock.now(), service="mail", status=status)
        for partition in range(self._partitions):
            yield one._replace(partition=partition)

    def _requests(self) -> Iterator[Record]:
        total = self._chance.randrange(1000)
        bad = self._chance.choice((0, 0, total // 100, total // 20))
        at = clock.now() - self._chance.choice((0, 0, 0, self._chance.randrange(PAST)))
        yield self._event("requests", self._customer(), at, service="shop", total=total, bad=bad, seconds=60)

    def _exclusion(self) -> Iterator[Record]:
        chance, customer, now = self._chance, self._customer(), clock.now()
        name, begins = f"X-{next(self._numbers)}", now - chance.randrange(PAST)
        members = {
            "exclusion": name,
            "reason": chance.choice(("maintenance", "force_majeure", "customer")),
            "from": format_instant(begins),
            "to": format_instant(begins + chance.randrange(MINUTE, 3 * HOUR)),
        }
        announced = {"announced_at": format_instant(begins - 2 * HOUR)} if chance.random() < 0.5 else {}
        yield self._event("exclusion", customer, now, state="declared", **members, **announced)
        if chance.random() < 0.4:
            self._after(
                chance.uniform(2, 30),
                lambda: iter(
                    [self._event("exclusion", customer, clock.now(), exclusion=name, state="cancelled")]
                ),
            )

    def _late(self) -> Iterator[Record]:
        """A correction of what was long ago: settled months are judged anew."""
        chance, customer = self._chance, self._customer()
        at = clock.now() - chance.randrange(MINUTE, PAST)
        if chance.random() < 0.5:
            for moment, status in ((at, "down"), (at + chance.randrange(SECOND, HOUR), "up")):
                yield self._event("availability", customer, moment, service="shop", status=status)
        else:
            yield from self._past_ticket(customer, at)

    def _past_ticket(self, customer: str, at: int) -> Iterator[Record]:
        name = f"P-{next(self._numbers)}"
        took = self._chance.randrange(10 * SECOND, 2 * MINUTE)
        yield self._event("ticket", customer, at, ticket=name, status="open", priority="P1")
        yield self._event("ticket", customer, at + took // 2, ticket=name, reply="agent")
        yield self._event("ticket", customer, at + took, ticket=name, status="resolved")

    def _burst(self) -> Iterator[Record]:
        """A source that was away catches up."""
        at = clock.now() - self._chance.randrange(DAY, PAST)
        for _ in range(BURST):
            yield from self._past_ticket(self._customer(), at + self._chance.randrange(DAY))

    def _again(self) -> Iterator[Record]:
        if self._recent:
            yield self._chance.choice(self._recent)

    def _conflict(self) -> Iterator[Record]:
        """One identity, two contents: the first to arrive stands."""
        customer, at = self._customer(), clock.now()
        first = self._event("ticket", customer, at, ticket=f"C-{next(self._numbers)}", status="open")
        yield first
        yield first._replace(value=first.value.replace(b'"open"', b'"resolved"'))

    def _ahead(self) -> Iterator[Record]:
        """By a source whose clock is ahead, within what is allowed."""
        name = f"A-{next(self._numbers)}"
        yield self._event("ticket", self._customer(), clock.now() + 20 * SECOND, ticket=name, status="open")

    def _strange(self) -> Iterator[Record]:
        """Nobody has an agreement for it."""
        yield self._event("ticket", STRANGER, clock.now(), ticket="S-1", status="open")
        yield self._event("availability", self._customer(), clock.now(), service="fax", status="down")

    def _garbage(self) -> Iterator[Record]:
        customer, at = self._customer(), clock.now()
        good = self._event("ticket", customer, at, ticket="G-1", status="open")
        home = self._chance.randrange(self._partitions)
        yield self._chance.choice(
            (
                good._replace(value=b"{", key=None, partition=home),
                good._replace(value=b"\xff\x00\xfe" * 50),
                good._replace(value=b"[]"),
                good._replace(value=good.value.replace(b'"open"', b'"ajar"')),
                good._replace(value=good.value.replace(b'"ticket":"G-1"', b'"ticket":7')),
                self._event("weather", customer, at, status="sunny"),
                self._event("ticket", customer, at + 3 * DAY, ticket="G-2", status="open"),
                good._replace(key=customer.encode(), partition=home),  # most often not its own
            )
        )
