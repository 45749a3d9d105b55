"""Ten customers whose tickets and services give every kind of number, and what a replay says of all that happened to them."""

from collections.abc import Iterator

import orjson

from slamon.agreement_files import load
from slamon.codec import Rejected, decode
from slamon.domain.agreement import Agreement
from slamon.domain.events import DAY, HOUR, MINUTE, Event
from slamon.domain.monitor import Monitor
from slamon.kafka.partitioner import partition_for
from slamon.replay import judge
from tests.end_to_end.place import Place, availability, run_slamon, ticket, until
from tests.laws.test_laws_of_the_step import Told, told

CUSTOMERS = [f"customer-{n}" for n in range(10)]
AGREEMENT = """\
apiVersion: slamon/v1
kind: Agreement
metadata: {{name: "{customer}-{{place}}"}}
spec:
  customer: {customer}
  effective: {{from: 2026-01-01}}
  services: [{{name: web}}, {{name: mail}}]
  objectives:
    - name: response
      ticketClock: {{measure: firstResponse, calendar: always, target: 10m, warnAt: [75%]}}
    - name: mail-up
      service: mail
      availability: {{target: 99%, timeWindow: {{calendar: month}}, alerts: {{burnRates: none, timeLeft: [50%]}}}}
    - name: web-up
      service: web
      availability: {{target: 99%, timeWindow: {{calendar: month}}, alerts: {{burnRates: none, timeLeft: [50%]}}}}
"""


AGREEMENTS = "---\n".join(AGREEMENT.format(customer=customer) for customer in CUSTOMERS)


def early(now: int) -> Iterator[dict[str, object]]:
    """Of each customer: an old ticket that was missed, one that is about to be, and two services of which one fails."""
    for customer in CUSTOMERS:
        mine = {"customer": customer}
        yield ticket("old", now - 40 * DAY, status="open", **mine)
        yield ticket("old", now - 40 * DAY + HOUR, reply="agent", **mine)
        yield ticket("waits", now - 9 * MINUTE, status="open", **mine)
        yield availability("mail", now - 60 * DAY, "up", **mine)
        yield availability("mail", now - 2 * HOUR, "down", **mine)
    yield availability("web", now - 60 * DAY, "up")
    yield availability("web", now - 30 * DAY, "down")
    yield availability("web", now - 29 * DAY, "up")


def unread(now: int) -> Iterator[dict[str, object]]:
    """What comes while nobody runs: something that ends alerts, something that fires, something for everybody."""
    for customer in CUSTOMERS[::2]:
        yield ticket("waits", now, reply="agent", customer=customer)
        yield ticket(f"new-{now}", now - 20 * MINUTE, status="open", customer=customer)
    yield availability("web", now - 3 * DAY, "down")
    yield availability("web", now - 2 * DAY, "up")


class Story:
    """All that happened, and what a replay of it says."""

    def __init__(self, place: Place) -> None:
        self.agreements = load([place.folder / "agreements.yaml"]).agreements
        self.events: list[Event] = []

    def publish(self, place: Place, events: Iterator[dict[str, object]]) -> None:
        lines = [orjson.dumps(event) for event in events]
        file = place.folder / "events.ndjson"
        file.write_bytes(b"\n".join(lines))
        done = run_slamon("publish", "--config", place.config, file)
        assert done.returncode == 0, done.stderr
        for line in lines:
            event = decode(line, now=None)
            assert not isinstance(event, Rejected)
            self.events.append(event)

    def replayed(self, until: int) -> Told:
        return told(judge(self.agreements, self.events, until))

    def firing(self, until: int) -> set[str]:
        """Ids of alerts; how often each had fired before depends on when things became known."""
        return {one.id for one in judge(self.agreements, self.events, until).firing()}

    async def kept(self, place: Place, until: int) -> Told:
        """What follows, as of an instant, from the facts in the changelog of the place."""
        parts = []
        for partition, reading in (await place.readings()).items():
            mine = [one for one in self.agreements if _home(one, place) == partition]
            monitor = Monitor(mine, steps=False)
            for key, facts, _ in reading.facts():
                monitor.restore(key, facts)
            monitor.start(until)
            monitor.advance(until)
            parts.append(told(monitor))
        return Told(
            *(
                sorted(line for part in parts for line in getattr(part, kind))
                for kind in ("clocks", "standings", "statements")
            )
        )

    async def assert_kept(self, place: Place) -> None:
        """Everything that happened stands, and it comes to the same."""
        now = max(positions.now for positions in (await place.positions()).values())
        replayed = self.replayed(now)
        kept = await self.kept(place, now)
        for kind in ("clocks", "standings", "statements"):
            assert getattr(kept, kind) == sorted(getattr(replayed, kind)), kind


def _home(agreement: Agreement, place: Place) -> int:
    return partition_for(agreement.customer.encode(), place.partitions, "murmur2")


async def read_all(place: Place) -> None:
    """Wait until everything in the inputs is read, and judged."""

    async def done() -> bool:
        positions = await place.positions()
        for topic in (place.names.tickets, place.names.availability):
            for partition, end in (await place.input_ends(topic)).items():
                if partition not in positions or positions[partition].inputs[topic] < end:
                    return False
        return all(one.now for one in positions.values())

    await until(done, "all inputs are read")


async def remembered(place: Place) -> set[tuple[str, int]]:
    """What fires, as the changelog knows it: ids and episodes."""
    return {
        (facts.alert.firing.id, facts.alert.firing.episode)
        for reading in (await place.readings()).values()
        for _, facts, _ in reading.facts()
        if facts.alert is not None and facts.alert.firing is not None
    }
