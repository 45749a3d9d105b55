"""Everything that was heard of a service, packed or not: against a list of it."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slamon.domain import id_index
from slamon.domain.events import HOUR, MINUTE, AvailabilityEvent, ServiceStatus, Taken, order_key
from slamon.domain.service_history import ServiceHistory
from tests.laws.worlds import MIDNIGHT

_START = MIDNIGHT - 3 * HOUR
_HOURS = 12  # more than are at hand
_events = st.builds(
    AvailabilityEvent,
    id=st.integers(0, 30).map(str),
    time=st.integers(0, 6 * _HOURS).map(lambda ten: _START + ten * 10 * MINUTE),
    customer=st.just("acme"),
    service=st.just("api"),
    status=st.sampled_from(ServiceStatus),
    seq=st.sampled_from((None, 0, 1)),
)
LIMIT = 4


def expected(known: list[AvailabilityEvent], event: AvailabilityEvent) -> Taken:
    for one in known:
        if one.id == event.id:
            return Taken.DUPLICATE if one == event else Taken.CONFLICTING_DUPLICATE
    full = sum(one.time // HOUR == event.time // HOUR for one in known) == LIMIT
    return Taken.SUBJECT_TOO_LARGE if full else Taken.ACCEPTED


def by_hour(known: list[AvailabilityEvent]) -> dict[int, list[AvailabilityEvent]]:
    found: dict[int, list[AvailabilityEvent]] = {}
    for event in sorted(known, key=order_key):
        found.setdefault(event.time // HOUR, []).append(event)
    return found


@pytest.fixture(params=[False, True], ids=["hashes differ", "hashes are equal"], scope="module")
def _hashes(request: pytest.FixtureRequest) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        if request.param:
            patch.setattr(id_index, "hash", lambda _: 7, raising=False)
        yield


@pytest.mark.usefixtures("_hashes")
@given(st.lists(_events, max_size=60), st.integers(0, _HOURS))
def test_a_history_takes_each_id_once_and_gives_back_what_it_took(
    heard: list[AvailabilityEvent], gone: int
) -> None:
    history, known = ServiceHistory(AvailabilityEvent), list[AvailabilityEvent]()
    for event in heard:
        taken = expected(known, event)
        assert history.take(event, LIMIT) is taken
        if taken is Taken.ACCEPTED:
            known.append(event)
    for forgotten in (0, gone):
        history.forget(history.hours(end=_START // HOUR + forgotten))
        known = [event for event in known if event.time >= _START + forgotten * HOUR]
        assert {hour: history.events(hour) for hour in history.hours()} == by_hour(known)
        ordered = sorted(known, key=order_key)
        for ten in range(-1, 6 * _HOURS + 2):
            t = _START + ten * 10 * MINUTE
            before = [event for event in ordered if event.time < t]
            assert history.before(t) == (before[-1] if before else None)
            first = next((event.time for event in ordered if event.time > t), None)
            assert history.after(t) == next((e for e in reversed(ordered) if e.time == first), None)
    for event in known:
        assert history.take(event, LIMIT) is Taken.DUPLICATE
    for event in heard:
        if all(event.id != one.id for one in known):
            assert history.take(event, len(heard)) is Taken.ACCEPTED, (
                "its hour was forgotten, or it never came"
            )
            known.append(event)
