"""The status of one service: which spans are given, and by what others know that it is another than before."""

from slamon.domain.events import AvailabilityEvent, ServiceStatus
from slamon.domain.intervals import FOREVER
from slamon.domain.service_timeline import ServiceTimeline

DOWN = frozenset({ServiceStatus.DOWN})


def event(time: int, status: ServiceStatus, *, every: int | None = None) -> AvailabilityEvent:
    return AvailabilityEvent(f"e{time}", time, "acme", "api", status, interval=every)


def read(*events: AvailabilityEvent, now: int) -> ServiceTimeline:
    timeline = ServiceTimeline()
    for one in events:
        timeline.add(one)
    timeline.read(now)
    return timeline


def test_the_spans_of_a_status_are_those_that_touch_the_range_uncut() -> None:
    up, down = ServiceStatus.UP, ServiceStatus.DOWN
    timeline = read(event(10, down), event(20, up), event(30, down), now=100)
    assert timeline.spans_of(DOWN, 15, 30) == [(10, 20)]
    assert timeline.spans_of(DOWN, 20, 31) == [(30, FOREVER)]
    assert timeline.spans_of(DOWN, 20, 30) == []


def test_every_late_event_makes_another_version_of_the_timeline() -> None:
    timeline = read(event(10, ServiceStatus.UP), event(100, ServiceStatus.DOWN), now=100)
    versions = [timeline.version]
    for late in (50, 60, 70):
        timeline.add(event(late, ServiceStatus.UP))
        timeline.read(100)
        versions.append(timeline.version)
    assert versions == sorted(set(versions))


def test_a_heartbeat_that_says_the_same_in_time_is_taken_and_changes_nothing() -> None:
    timeline = read(event(10, ServiceStatus.UP, every=10), now=15)
    version = timeline.version
    assert timeline.repeat(event(40, ServiceStatus.UP, every=10))
    assert (len(timeline.events), timeline.version) == (2, version)


def test_a_heartbeat_that_says_more_than_the_last_one_is_not_taken_as_its_repetition() -> None:
    timeline = read(event(10, ServiceStatus.UP, every=10), now=15)
    for more in (
        event(10, ServiceStatus.UP, every=10),
        event(20, ServiceStatus.DOWN, every=10),
        event(20, ServiceStatus.UP, every=5),
        event(41, ServiceStatus.UP, every=10),
    ):
        assert not timeline.repeat(more)
    timeline.read(41)
    assert not timeline.repeat(event(40, ServiceStatus.UP, every=10)), "it seemed to be missed, and was not"
    assert len(timeline.events) == 1
