"""A process that owns tasks as the daemon does, over a domain that only counts: one fact and some alerts a customer.

Counting shows what a real verdict would hide: an event lost or applied twice is a wrong number for ever. Run it with
the settings as JSON; it writes a line whenever a task was restored or its tasks changed hands, and ends on SIGTERM.
"""

import asyncio
import signal
import sys
from collections.abc import Iterator

from slamon import logs
from slamon.domain.decisions import (
    AlertChanged,
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
from slamon.domain.events import Event, TicketEvent
from slamon.domain.monitor import Monitor, Taken
from slamon.kafka.source import Source
from slamon.settings import LogSettings, Settings

EVERY = 10  # events of a customer for one alert


class CountingMonitor(Monitor):
    """Fires when the count of a customer reaches a multiple of `EVERY`; the count stands in `seq` of its only fact."""

    def __init__(self) -> None:
        super().__init__([], steps=False)
        self.counts: dict[str, int] = {}
        self.decided: list[Decision] = []
        self.reached: list[tuple[str, int]] = []

    def restore(self, key: FactKey, facts: Facts | None) -> None:
        if facts is not None and facts.tickets:
            self.counts[key.subject] = facts.tickets[0].seq or 0

    def start(self, now: int) -> None:
        self.now = now

    def apply(self, event: Event) -> Taken:
        assert event.customer is not None
        count = self.counts[event.customer] = self.counts.get(event.customer, 0) + 1
        fact = TicketEvent("count", 0, event.customer, "count", seq=count)
        key = FactKey(FactKind.TICKET, event.customer, event.customer)
        self.decided.append(FactsChanged(key, Facts(tickets=(fact,))))
        if count % EVERY == 0:
            self.reached.append((event.customer, count))
        return Taken.ACCEPTED

    def advance(self, now: int) -> None:
        assert self.now is not None
        assert now >= self.now
        self.now = now
        for customer, count in self.reached:
            labels = {"alertname": "Counted", "customer": customer}
            self.decided.append(
                AlertChanged(
                    AlertTransition(
                        f"{customer}-{count}",
                        1,
                        Transition.FIRED,
                        now,
                        now,
                        False,
                        Reason.STEP_REACHED,
                        labels,
                        {},
                    )
                )
            )
            key = FactKey(FactKind.ALERT, customer, f"{customer}-{count}")
            self.decided.append(FactsChanged(key, Facts()))
        self.reached.clear()

    def wake_at(self) -> int | None:
        return None

    def drain(self) -> list[Decision]:
        decided, self.decided = self.decided, []
        return decided

    def standings(self) -> Iterator[Standing]:
        return iter(())


async def main(settings: Settings) -> None:
    source = Source(settings, lambda _: CountingMonitor())
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, source.stop)
    await source.run()


if __name__ == "__main__":
    logs.set_up(LogSettings(format="json"))
    asyncio.run(main(Settings.model_validate_json(sys.argv[1])))
