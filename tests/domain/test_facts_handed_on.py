"""What a monitor hands on while it goes on itself: each record as it is then, and none that is gone."""

from slamon.domain.decisions import FactKey, FactKind, Facts, FactsChanged
from slamon.domain.events import DAY, AvailabilityEvent, ServiceStatus
from slamon.domain.monitor import Monitor
from slamon.domain.service_facts import REWRITTEN_AT_ONCE
from tests.domain.test_forgetting import HORIZON, KEEP, NOW, SHOP, agreement, ticket
from tests.laws.worlds import MIDNIGHT


def gone(monitor: Monitor) -> set[FactKey]:
    """What the next commit takes out of the changelog."""
    return {one.key for one in monitor.drain() if isinstance(one, FactsChanged) and one.facts is None}


def test_what_was_kept_aside_and_is_forgotten_on_the_way_is_not_handed_on() -> None:
    monitor = Monitor([], steps=False, keep=KEEP)
    for name in ("T-1", "T-2"):
        key = FactKey(FactKind.TICKET, "acme", name)
        monitor.restore(key, Facts(tickets=(ticket(HORIZON - 1, name=name),)))
    monitor.start(NOW - DAY)
    facts = monitor.facts()
    first, _ = next(facts)
    assert first.subject == "T-1"
    monitor.advance(NOW)
    assert FactKey(FactKind.TICKET, "acme", "T-2") in gone(monitor)
    assert list(facts) == []


def test_records_of_days_that_were_replaced_by_hours_on_the_way_are_not_handed_on() -> None:
    monitor = Monitor([agreement(SHOP)], steps=False)
    first_day = MIDNIGHT // DAY
    for day in range(first_day, first_day + REWRITTEN_AT_ONCE + 2):
        up = AvailabilityEvent(f"{day}", day * DAY, "acme", "shop", ServiceStatus.UP)
        monitor.restore(FactKey(FactKind.SERVICE_DAY, "acme", "shop", day), Facts(services=(up,)))
    monitor.start(NOW)
    facts = monitor.facts()
    key = next(key for key, _ in facts if key.kind is FactKind.SERVICE_DAY)
    assert key.slot == first_day
    replaced = gone(monitor)
    assert len(replaced) == REWRITTEN_AT_ONCE
    handed_on = {key for key, _ in facts}
    assert handed_on == {
        FactKey(FactKind.SERVICE_DAY, "acme", "shop", day)
        for day in (first_day + REWRITTEN_AT_ONCE, first_day + REWRITTEN_AT_ONCE + 1)
    }
