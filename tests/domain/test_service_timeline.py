"""The status of one service: which spans are given, and by what others know that it is another than before."""

from collections.abc import Iterable
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from slamon.domain.events import MINUTE, AvailabilityEvent, ServiceStatus, Taken, order_key
from slamon.domain.intervals import FOREVER
from slamon.domain.service_history import ServiceHistory
from slamon.domain.service_timeline import BEFORE_ALL, Added, Change, ServiceTimeline
from tests.laws.worlds import MIDNIGHT

DOWN = frozenset({ServiceStatus.DOWN})


def event(time: int, status: ServiceStatus, *, every: int | None = None) -> AvailabilityEvent:
    return AvailabilityEvent(f"e{time}", time, "acme", "api", status, interval=every)


def heard(timeline: ServiceTimeline, event: AvailabilityEvent) -> Added:
    """As a service that one side speaks of hears it."""
    (history,) = timeline._heard
    history.take(event, FOREVER)
    return timeline.add(event)


def read(*events: AvailabilityEvent, now: int) -> ServiceTimeline:
    timeline = ServiceTimeline(ServiceHistory(AvailabilityEvent))
    for one in events:
        heard(timeline, one)
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
        heard(timeline, event(late, ServiceStatus.UP))
        timeline.read(100)
        versions.append(timeline.version)
    assert versions == sorted(set(versions))


def test_a_heartbeat_that_says_the_same_in_time_is_taken_and_changes_nothing() -> None:
    timeline = read(event(10, ServiceStatus.UP, every=10), now=15)
    version = timeline.version
    assert timeline.repeat(event(40, ServiceStatus.UP, every=10))
    timeline.read(70)
    assert timeline.version == version
    timeline.read(71)
    assert timeline.changes[-1] == Change(50, ServiceStatus.UNKNOWN), (
        "it was missed after that one, not before"
    )


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


# ------------------------------------------------------------------------------------------------- runs of heartbeats

_Beat = tuple[int, ServiceStatus, int | None, str | None, int | None]
_BEATS = st.tuples(
    st.integers(0, 40),
    st.sampled_from([ServiceStatus.UP] * 6 + [ServiceStatus.DOWN, ServiceStatus.UNKNOWN]),
    st.sampled_from([1] * 6 + [None, 2, 7]),
    st.sampled_from(["acme"] * 3 + [None]),
    st.sampled_from([None, None, 0, 1]),
)


def folded(events: Iterable[AvailabilityEvent], now: int) -> list[Change]:
    """The rules once more, event by event."""
    last_words = {event.time: event for event in sorted(events, key=order_key) if event.time <= now}
    words = list(last_words.values())
    changes = [Change(BEFORE_ALL, ServiceStatus.UNKNOWN)]
    for word, follows in zip(words, [*(one.time for one in words), now][1:], strict=True):
        spoken = [Change(word.time, word.status)]
        if word.interval is not None and follows - word.time > 3 * word.interval:
            spoken.append(Change(word.time + word.interval, ServiceStatus.UNKNOWN))
        changes += [
            one for before, one in pairwise([changes[-1], *spoken]) if one.status is not before.status
        ]
    return changes


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(_BEATS, st.none() | st.integers(0, 50)), max_size=25))
def test_heartbeats_heard_in_any_order_make_the_line_of_changes_that_they_make_in_order(
    heard_and_read: list[tuple[_Beat, int | None]],
) -> None:
    sides = {customer: ServiceHistory(AvailabilityEvent) for customer in ("acme", None)}
    timeline = ServiceTimeline(*sides.values())
    known: list[AvailabilityEvent] = []
    now = 0  # up to which it was read
    told, told_at, unsettled_since = folded([], now), timeline.version, FOREVER
    for number, ((minute, status, interval, customer, seq), read_at) in enumerate(heard_and_read):
        beat = AvailabilityEvent(
            f"{number}",
            MIDNIGHT + minute * 10 * MINUTE,
            customer,
            "api",
            status,
            seq,
            interval and interval * 10 * MINUTE,
        )
        if sides[customer].take(beat, FOREVER) is not Taken.ACCEPTED:
            continue
        if not timeline.repeat(beat):
            since, late = timeline.add(beat)
            assert late == (beat != max([*known, beat], key=order_key))
            unsettled_since = min(unsettled_since, FOREVER if since is None else since)
        known.append(beat)
        if read_at is None:
            continue
        as_told = folded(known, now)
        assert [one for one in as_told if one.time < unsettled_since] == [
            one for one in told if one.time < unsettled_since
        ]
        assert unsettled_since < FOREVER or as_told == told
        now = max(now, MIDNIGHT + read_at * 10 * MINUTE)
        timeline.read(now)
        assert timeline.changes == folded(known, now)
        assert told_at != timeline.version or told == timeline.changes
        told, told_at, unsettled_since = timeline.changes.copy(), timeline.version, FOREVER
    now = MIDNIGHT + 60 * 10 * MINUTE
    timeline.read(now)
    assert timeline.changes == folded(known, now)


@settings(max_examples=150, deadline=None)
@given(st.lists(_BEATS, max_size=25), st.integers(0, 50), st.integers(0, 40), st.booleans())
def test_a_timeline_that_forgot_is_one_that_has_heard_nothing_before_the_newest_word_before_the_horizon(
    beats: list[_Beat],
    minutes: int,
    horizon: int,
    was_read: bool,
) -> None:
    now, since = (MIDNIGHT + number * 10 * MINUTE for number in (max(minutes, horizon), horizon))
    heard_of = [
        AvailabilityEvent(
            f"{number}",
            MIDNIGHT + minute * 10 * MINUTE,
            "acme",
            "api",
            status,
            seq,
            interval and interval * 10 * MINUTE,
        )
        for number, (minute, status, interval, _, seq) in enumerate(beats)
    ]
    timeline = read(*heard_of, now=now if was_read else MIDNIGHT - 1)
    timeline.forget(since)
    timeline.read(now)
    before = [event for event in heard_of if event.time < since]
    kept = [max(before, key=order_key)] if before else []
    assert (
        timeline.changes
        == read(*kept, *(event for event in heard_of if event.time >= since), now=now).changes
    )
