"""Events whose time the clock has not reached yet: they are kept, and hold from their time on."""

from fractions import Fraction

from slamon.domain.agreement import (
    Agreement,
    AvailabilityAlerts,
    AvailabilityObjective,
    ExclusionTerm,
    Reporting,
)
from slamon.domain.calendars import ALWAYS
from slamon.domain.decisions import Outcome, StatementIssued
from slamon.domain.events import (
    DAY,
    HOUR,
    MINUTE,
    AvailabilityEvent,
    ExclusionEvent,
    ExclusionReason,
    ExclusionState,
    ServiceStatus,
)
from slamon.domain.monitor import Monitor
from slamon.domain.periods import TimeWindow, Unit
from tests.laws.worlds import MIDNIGHT, day_of

PERIOD = (MIDNIGHT, MIDNIGHT + 7 * DAY)  # a week
AGREEMENT = Agreement(
    name="terms",
    customer="acme",
    zone="UTC",
    start=MIDNIGHT,
    end=PERIOD[1] + 7 * DAY,
    first_day=day_of(MIDNIGHT),
    objectives=(
        AvailabilityObjective(
            name="api",
            service="api",
            target=Fraction(999, 1000),
            window=TimeWindow(unit=Unit.WEEK, rolling=None),
            calendar=ALWAYS,
            alerts=AvailabilityAlerts(burn_rates=()),
        ),
    ),
    exclusions=(ExclusionTerm("force-majeure", ExclusionReason.FORCE_MAJEURE),),
    reporting=Reporting(settle_after=0),
)


def outcomes(monitor: Monitor, now: int) -> list[tuple[int, Outcome]]:
    """Revision and outcome of the statements given when the clock shows `now`."""
    monitor.advance(now)
    return [
        (one.statement.revision, one.statement.outcome)
        for one in monitor.drain()
        if isinstance(one, StatementIssued)
    ]


def test_an_exclusion_ahead_of_the_clock_amends_a_settled_statement_when_its_time_comes() -> None:
    monitor = Monitor([AGREEMENT], steps=False)
    for at, status in ((0, ServiceStatus.UP), (DAY, ServiceStatus.DOWN), (DAY + HOUR, ServiceStatus.UP)):
        monitor.apply(AvailabilityEvent(f"e{at}", MIDNIGHT + at, "acme", "api", status))
    now = PERIOD[1] + MINUTE
    assert outcomes(monitor, now) == [(1, Outcome.MISSED)]
    monitor.apply(
        ExclusionEvent(
            id="x1",
            time=now + 30 * MINUTE,
            customer="acme",
            exclusion="storm",
            state=ExclusionState.DECLARED,
            reason=ExclusionReason.FORCE_MAJEURE,
            start=MIDNIGHT + DAY,
            end=MIDNIGHT + DAY + HOUR,
        )
    )
    assert outcomes(monitor, now + MINUTE) == []
    wake_at = monitor.wake_at()
    assert wake_at == now + 30 * MINUTE
    assert outcomes(monitor, wake_at) == [(2, Outcome.MET)]
