"""A process that owns tasks as the daemon does, over a domain that only counts: one fact and some alerts a customer.

Counting shows what a real verdict would hide: an event lost or applied twice is a wrong number for ever. Run it with
the settings as JSON; it writes a line whenever a task was restored or its tasks changed hands, gives all of its tasks
another monitor on SIGHUP, and ends on SIGTERM.
"""

import asyncio
import signal
import sys
from collections.abc import Generator, Iterator

from slamon import logs
from slamon.domain.decisions import (
    AlertChanged,
    AlertMemory,
    AlertTransition,
    Decision,
    FactKey,
    FactKind,
    Facts,
    FactsChanged,
    Reason,
    Standing,
    Transition,
)
from slamon.domain.events import Event, Taken, TicketEvent
from slamon.domain.monitor import Monitor
from slamon.kafka import rewriting, tasks
from slamon.kafka.source import Source
from slamon.settings import LogSettings, Settings

EVERY = 10  # events of a customer for one alert
tasks.WITHOUT_PAUSE = (
    1  # a restore, or the filling of a successor, can be disturbed after each of its few records
)
# A few commits make a log too long, and a rewrite of it takes some more: all else goes on beside it.
rewriting.FLOOR, rewriting.SLICE = 20, 5


class CountingMonitor(Monitor):
    """Fires whenever the count of a customer reaches a multiple of `every`.

    The count stands in `seq` of the customer's only fact, and in `episode` of an alert memory how far was announced: as
    with real verdicts, what was counted and not yet judged is judged after a restore.
    """

    def __init__(self, every: int = EVERY) -> None:
        super().__init__([], steps=False)
        self.every = every
        self.counts: dict[str, int] = {}
        self.announced: dict[str, int] = {}
        self.unjudged: dict[str, None] = {}
        self.decided: list[Decision] = []

    def restore(self, key: FactKey, facts: Facts | None) -> None:
        if facts is not None and facts.tickets:
            self.counts[key.subject] = facts.tickets[0].seq or 0
        if facts is not None and facts.alert is not None:
            self.announced[key.subject] = facts.alert.episode

    def facts(self) -> Iterator[tuple[FactKey, Facts]]:
        for customer in list(self.counts):
            yield FactKey(FactKind.TICKET, customer, customer), counted(customer, self.counts[customer])
        for customer in list(self.announced):
            yield FactKey(FactKind.ALERT, customer, customer), told(customer, self.announced[customer])

    def count_facts(self) -> int:
        return len(self.counts) + len(self.announced)

    def start(self, now: int) -> None:
        self.now = now
        self.unjudged = dict.fromkeys(self.counts)

    def apply(self, event: Event) -> Taken:
        customer = event.customer
        assert customer is not None
        count = self.counts[customer] = self.counts.get(customer, 0) + 1
        self.unjudged[customer] = None
        key = FactKey(FactKind.TICKET, customer, customer)
        self.decided.append(FactsChanged(key, counted(customer, count)))
        return Taken.ACCEPTED

    def advancing(self, now: int) -> Generator[None]:
        assert self.now is not None
        assert now >= self.now
        self.now = now
        for customer in tuple(self.unjudged):
            yield  # anything may happen here, as in a long judging
            count = self.counts[customer]
            for reached in range(self.announced.get(customer, 0) + self.every, count + 1, self.every):
                self.decided.append(AlertChanged(reached_alert(customer, reached, now)))
                self.announced[customer] = reached
                key = FactKey(FactKind.ALERT, customer, customer)
                self.decided.append(FactsChanged(key, told(customer, reached)))
        self.unjudged.clear()

    def wake_at(self) -> int | None:
        return None

    def drain(self) -> list[Decision]:
        decided, self.decided = self.decided, []
        return decided

    def standings(self) -> Iterator[Standing]:
        return iter(())


def counted(customer: str, count: int) -> Facts:
    return Facts(tickets=(TicketEvent("count", 0, customer, "count", seq=count),))


def told(customer: str, reached: int) -> Facts:
    return Facts(alert=AlertMemory((customer,), "", reached, None))


def reached_alert(customer: str, count: int, now: int) -> AlertTransition:
    return AlertTransition(
        f"{customer}-{count}",
        1,
        Transition.FIRED,
        now,
        now,
        late=False,
        reason=Reason.STEP_REACHED,
        labels={"alertname": "Counted", "customer": customer},
        annotations={},
    )


async def main(settings: Settings) -> None:
    source = Source(settings, lambda *_: CountingMonitor())
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, source.stop)
    loop.add_signal_handler(signal.SIGHUP, lambda: source.renew(range(settings.kafka.partitions)))
    await source.run()


if __name__ == "__main__":
    logs.set_up(LogSettings(format="json"))
    asyncio.run(main(Settings.model_validate_json(sys.argv[1])))
