"""Buckets that become known in batches, and not in their order."""

from fractions import Fraction

from slamon.domain.agreement import Agreement, RequestsObjective
from slamon.domain.calendars import ALWAYS
from slamon.domain.counted_time import counted_time
from slamon.domain.crossings import Lengths
from slamon.domain.decisions import RequestCounts
from slamon.domain.events import DAY, MINUTE, RequestsEvent
from slamon.domain.periods import TimeWindow, Unit
from slamon.domain.request_counts import EvenlyFilled, Requests
from slamon.domain.request_log import RequestLog
from tests.laws.worlds import MIDNIGHT, day_of

SPAN = (MIDNIGHT, MIDNIGHT + DAY)
OBJECTIVE = RequestsObjective(
    "api", "api", Fraction(9, 10), TimeWindow(unit=Unit.MONTH, rolling=None), ALWAYS, burn_rates=()
)
AGREEMENT = Agreement("terms", "acme", "UTC", *SPAN, day_of(MIDNIGHT), (OBJECTIVE,))


def heard(log: RequestLog, requests: Requests, minute: int) -> None:
    """A bucket of ten requests that ends at this minute."""
    end = MIDNIGHT + minute * MINUTE
    log.add(RequestsEvent(f"r{minute}", end, "acme", "api", 10, 0, MINUTE))
    if requests.has_passed(end):
        requests.forget_from(end)


def test_of_several_late_buckets_heard_before_the_next_look_none_is_left_out() -> None:
    log = RequestLog()
    requests = Requests(OBJECTIVE, counted_time(AGREEMENT, OBJECTIVE, (), SPAN), log, SPAN)
    for minute in (10, 20, 30):
        heard(log, requests, minute)
    requests.read(SPAN[1])
    for minute in (5, 15, 25, 15 + 1, 40):
        heard(log, requests, minute)
    requests.read(SPAN[1])
    assert requests.counts(SPAN, SPAN[1]) == RequestCounts((80, 1), (0, 1))


def test_a_bucket_that_ends_before_those_still_read_has_passed() -> None:
    log = RequestLog()
    requests = Requests(OBJECTIVE, counted_time(AGREEMENT, OBJECTIVE, (), SPAN), log, SPAN)
    for minute in (10, 20, 30):
        heard(log, requests, minute)
    requests.read(SPAN[1])
    heard(log, requests, 25)  # what ends later is to be read anew: the last that is read ends at 20
    assert [requests.has_passed(MIDNIGHT + minute * MINUTE) for minute in (15, 20, 25)] == [
        True,
        False,
        False,
    ]


def test_only_what_lies_in_the_span_asked_about_counts_and_a_bucket_over_its_border_in_proportion() -> None:
    log = RequestLog()
    requests = Requests(OBJECTIVE, counted_time(AGREEMENT, OBJECTIVE, (), SPAN), log, SPAN)
    for minute in (10, 20, 30):
        heard(log, requests, minute)
    requests.read(SPAN[1])
    half = MINUTE // 2
    found = [
        requests.counts((MIDNIGHT + start, MIDNIGHT + end), SPAN[1]).total
        for start, end in (
            (0, 15 * MINUTE),
            (10 * MINUTE - half, 20 * MINUTE - half),
            (10 * MINUTE, 19 * MINUTE),
        )
    ]
    assert found == [(10, 1), (10, 1), (0, 1)]


def test_the_first_bucket_after_an_instant_is_the_first_to_end_with_something_in_the_set_after_it() -> None:
    filled = EvenlyFilled(Lengths([(0, 100), (200, 300)]))
    for start, end in ((10, 20), (90, 110), (150, 205), (210, 220)):
        filled.add(start, end, 7)
    found = {x: filled.first_after(x) for x in (0, 19, 20, 99, 100, 204, 205, 219, 220)}
    assert found == {0: 20, 19: 20, 20: 110, 99: 110, 100: 205, 204: 205, 205: 220, 219: 220, 220: None}
