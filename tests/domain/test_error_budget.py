"""How long what was found of a burn rate holds."""

from fractions import Fraction

from slamon.domain.agreement import DEFAULT_BURN_RATES, Agreement, AvailabilityObjective
from slamon.domain.availability import measure
from slamon.domain.calendars import ALWAYS
from slamon.domain.error_budget import Burn, burn_of
from slamon.domain.events import DAY, HOUR, MINUTE, AvailabilityEvent, ServiceStatus
from slamon.domain.periods import TimeWindow, Unit
from slamon.domain.service_history import ServiceHistory
from slamon.domain.service_timeline import ServiceTimeline
from tests.laws.worlds import MIDNIGHT, day_of

SPAN = (MIDNIGHT, MIDNIGHT + 30 * DAY)
ROW = DEFAULT_BURN_RATES[0]  # 2 % of the budget in an hour, and still in five minutes
API = AvailabilityObjective("api", "api", Fraction(99, 100), TimeWindow(Unit.MONTH, None), ALWAYS)
TERMS = Agreement("terms", "acme", "UTC", *SPAN, day_of(MIDNIGHT), (API,))


def burn(status: ServiceStatus, now: int, until: int) -> Burn:
    """The service is up from the first instant, and has this status since noon of the second day."""
    history = ServiceHistory(AvailabilityEvent)
    timeline = ServiceTimeline(history)
    for event in (
        AvailabilityEvent("e1", MIDNIGHT, None, "api", ServiceStatus.UP),
        AvailabilityEvent("e2", MIDNIGHT + 36 * HOUR, None, "api", status),
    ):
        history.take(event, limit=2)
        timeline.add(event)
    timeline.read(now)
    measured = measure(TERMS, API, timeline, (), (), SPAN, now)
    return burn_of(TERMS, API, measured, ROW, SPAN, now, until)


def test_what_is_found_of_a_burn_rate_holds_until_it_changes_or_no_further_than_was_looked() -> None:
    noon = MIDNIGHT + 36 * HOUR
    # 2 % of the budget of 7.2 h are 8 min 38.4 s
    fires = noon + 8 * MINUTE + 38_400_001
    now = noon + MINUTE
    assert burn(ServiceStatus.DOWN, now, until=noon + HOUR) == Burn(ROW, None, None, fires, now)
    early = noon + 5 * MINUTE
    assert burn(ServiceStatus.DOWN, now, until=early) == Burn(ROW, None, None, early, now)
    assert burn(ServiceStatus.UP, now, until=noon + HOUR) == Burn(ROW, None, None, None, now)
