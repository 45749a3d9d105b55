"""What the page of objectives is given, straight from a monitor that has heard something."""

from datetime import date
from fractions import Fraction

from slamon.domain.agreement import Agreement, RequestsObjective
from slamon.domain.calendars import ALWAYS
from slamon.domain.events import DAY, MINUTE, RequestsEvent
from slamon.domain.intervals import FOREVER
from slamon.domain.monitor import Monitor
from slamon.domain.periods import TimeWindow
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
