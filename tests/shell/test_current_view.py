"""What the page of objectives is given, straight from a monitor that has heard something."""

from datetime import date
from fractions import Fraction
from functools import partial

from slamon.domain.agreement import (
    Agreement,
    AvailabilityObjective,
    ExclusionTerm,
    Measure,
    RequestsObjective,
    TicketObjective,
)
from slamon.domain.calendars import ALWAYS
from slamon.domain.events import (
    DAY,
    HOUR,
    MINUTE,
    ExclusionEvent,
    ExclusionReason,
    ExclusionState,
    RequestsEvent,
)
from slamon.domain.intervals import FOREVER
from slamon.domain.monitor import Monitor
from slamon.domain.periods import TimeWindow, Unit
from slamon.outputs.current_view import current_view
from slamon.outputs.exposition import ObjectiveFacts, SlaPage, negotiate
from slamon.settings import MetricsSettings

START = (date(2026, 3, 1) - date(1970, 1, 1)).days * DAY


async def test_an_objective_over_requests_shows_its_share_and_its_burn_rates() -> None:
    objective = RequestsObjective(
        "requests", "api", Fraction(99, 100), TimeWindow(unit=None, rolling=30 * DAY), ALWAYS
    )
    agreement = Agreement("main", "acme", "UTC", START, FOREVER, date(2026, 3, 1), (objective,))
    now = START + 2 * DAY
    monitor = Monitor([agreement], steps=False)
    monitor.advance(now)
    monitor.apply(RequestsEvent("r1", now, "acme", "api", total=200, bad=1, duration=MINUTE))
    monitor.advance(now)
    view = await current_view([(monitor, lambda: now)])
    (shown,) = view.objectives
    assert shown.facts == ObjectiveFacts("acme", "main", "requests", "requests", "99%")
    assert shown.clocks is None
    half = Fraction(1, 2)
    assert shown.burn_rates == (("1h", half), ("6h", half), ("24h", half), ("72h", half))
    pages = [
        piece
        async for piece in SlaPage(MetricsSettings()).render(view, negotiate("text/plain;version=0.0.4"))
    ]
    page = b"".join(pages).decode()
    labels = 'customer="acme",agreement="main",objective="requests"'
    assert f"slamon_objective_attained_ratio{{{labels}}} 0.995\n" in page
    assert f"slamon_objective_budget_remaining_seconds{{{labels}" not in page


async def test_time_that_is_excluded_now_shows_and_a_ticket_objective_knows_none() -> None:
    month = TimeWindow(unit=Unit.MONTH, rolling=None)
    objectives = (
        AvailabilityObjective("api", "api", Fraction(99, 100), month, ALWAYS),
        RequestsObjective("calls", "api", Fraction(99, 100), month, ALWAYS),
        TicketObjective("fix", Measure.RESOLUTION, HOUR, ALWAYS),
    )
    clause = ExclusionTerm("maintenance", ExclusionReason.MAINTENANCE)
    agreement = Agreement(
        "main", "acme", "UTC", START, FOREVER, date(2026, 3, 1), objectives, exclusions=(clause,)
    )
    monitor = Monitor([agreement], steps=False)
    monitor.advance(START)
    monitor.apply(
        ExclusionEvent(
            "1",
            START,
            "acme",
            "X-1",
            ExclusionState.DECLARED,
            reason=ExclusionReason.MAINTENANCE,
            start=START + HOUR,
            end=START + 2 * HOUR,
        )
    )
    shown = []
    for now in (START + HOUR - 1, START + HOUR, START + 2 * HOUR):
        monitor.advance(now)
        view = await current_view([(monitor, partial(int, now))])
        shown.append({one.facts.objective: one.excluded for one in view.objectives})
    inside = {"api": True, "calls": True, "fix": None}
    outside = {"api": False, "calls": False, "fix": None}
    assert shown == [outside, inside, outside]


async def test_a_rolling_window_has_no_period_and_a_calendar_one_has() -> None:
    rolling = TimeWindow(unit=None, rolling=30 * DAY)
    objectives = (
        RequestsObjective("rolling", "api", Fraction(99, 100), rolling, ALWAYS),
        RequestsObjective(
            "monthly", "api", Fraction(99, 100), TimeWindow(unit=Unit.MONTH, rolling=None), ALWAYS
        ),
    )
    agreement = Agreement("main", "acme", "UTC", START, FOREVER, date(2026, 3, 1), objectives)
    monitor = Monitor([agreement], steps=False)
    monitor.advance(START + DAY)
    view = await current_view([(monitor, lambda: START + DAY)])
    periods = {one.facts.objective: one.period for one in view.objectives}
    assert periods == {"rolling": None, "monthly": (START, START + 31 * DAY)}
