"""When a limit on requests may change although no request comes."""

from fractions import Fraction

from slamon.domain.crossings import Lengths, Sliding
from slamon.domain.intervals import FOREVER
from slamon.domain.request_counts import EvenlyFilled
from slamon.domain.request_limits import Limit, next_change


def test_the_opening_of_the_service_alone_can_break_a_limit() -> None:
    bad, total = (EvenlyFilled(Lengths([(0, FOREVER)])) for _ in range(2))
    bad.add(18, 19, 1)
    total.add(18, 19, 10)
    # Broken where one in ten failed and more than 5 of the last 10 instants were open: from the opening at 20 on.
    limit = Limit(bad, total, (10, 10), Fraction(5, 10), Sliding(Lengths([(20, FOREVER)]), 10))
    assert next_change(limit, 20, 30, broken=False) == 26
    assert not limit.cannot_change(20, 27, broken=False)
