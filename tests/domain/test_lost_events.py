"""Events that were lost for ever: what they might have said is unknown, and neither up nor down."""

from slamon.domain.decisions import Standing
from slamon.domain.events import HOUR, AvailabilityEvent, ServiceStatus
from slamon.domain.monitor import Monitor
from tests.domain.test_ahead_of_the_clock import AGREEMENT, PERIOD

START = PERIOD[0]


def heard(hour: int, status: ServiceStatus) -> AvailabilityEvent:
    return AvailabilityEvent(f"e{hour}", START + hour * HOUR, "acme", "api", status)


def standing(monitor: Monitor, hour: int) -> Standing:
    monitor.advance(START + hour * HOUR)
    (one,) = monitor.standings()
    return one


def microseconds(one: Standing) -> tuple[int, int, int]:
    assert one.seconds is not None
    return one.seconds.known, one.seconds.down, one.seconds.unknown


def begun(*events: AvailabilityEvent) -> Monitor:
    monitor = Monitor([AGREEMENT], steps=False)
    for event in events:
        monitor.apply(event)
    monitor.advance(START + 10 * HOUR)
    return monitor


def test_what_was_lost_is_unknown_time_until_the_service_is_heard_of_again() -> None:
    monitor = begun(heard(0, ServiceStatus.UP))
    monitor.lose_sight("lost", START + 10 * HOUR)
    assert microseconds(standing(monitor, 14)) == (10 * HOUR, 0, 4 * HOUR)
    monitor.apply(heard(14, ServiceStatus.UP))
    assert microseconds(standing(monitor, 20)) == (16 * HOUR, 0, 4 * HOUR)


def test_an_outage_that_ran_when_events_were_lost_is_not_known_to_run_on() -> None:
    monitor = begun(heard(0, ServiceStatus.UP), heard(9, ServiceStatus.DOWN))
    monitor.lose_sight("lost", START + 10 * HOUR)
    assert microseconds(standing(monitor, 14)) == (10 * HOUR, 1 * HOUR, 4 * HOUR)


def test_what_was_heard_before_the_loss_holds_also_where_it_lies_ahead_of_the_clock() -> None:
    monitor = begun(heard(0, ServiceStatus.UP), heard(12, ServiceStatus.DOWN))
    monitor.lose_sight("lost", START + 10 * HOUR)
    assert microseconds(standing(monitor, 12)) == (12 * HOUR, 0, 0)
    # The outage is a fact, if only for the microsecond in which it began.
    assert microseconds(standing(monitor, 14)) == (12 * HOUR + 1, 1, 2 * HOUR - 1)


def test_a_loss_is_a_fact_that_a_successor_takes_over_and_that_is_not_told_twice() -> None:
    monitor = begun(heard(0, ServiceStatus.UP))
    monitor.lose_sight("lost", START + 10 * HOUR)
    monitor.lose_sight("lost", START + 10 * HOUR)
    successor = Monitor([AGREEMENT], steps=False)
    for key, facts in monitor.facts():
        successor.restore(key, facts)
    successor.start(START + 10 * HOUR)
    assert (
        microseconds(standing(successor, 14))
        == (10 * HOUR, 0, 4 * HOUR)
        == microseconds(standing(monitor, 14))
    )


def test_of_a_service_never_heard_of_nothing_is_lost() -> None:
    monitor = begun()
    monitor.lose_sight("lost", START + 10 * HOUR)
    assert list(monitor.facts()) == []
