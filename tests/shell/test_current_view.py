"""What the page of objectives is given, straight from a monitor that has heard something."""

from datetime import date
from fractions import Fraction
from functools import partial

from slamon.domain.agreement import (
    Agreement,
    AvailabilityAlerts,
    AvailabilityObjective,
    BurnRatePair,
    ExclusionTerm,
    Measure,
    RequestsObjective,
    Severity,
    Share,
    TicketFilter,
    TicketObjective,
)
from slamon.domain.calendars import ALWAYS
from slamon.domain.decisions import StandingState
from slamon.domain.events import (
    DAY,
    HOUR,
    MINUTE,
    AvailabilityEvent,
    ExclusionEvent,
    ExclusionReason,
    ExclusionState,
    RequestsEvent,
    ServiceStatus,
    TicketEvent,
    TicketStatus,
)
from slamon.domain.intervals import FOREVER
from slamon.domain.monitor import Monitor
from slamon.domain.periods import TimeWindow, Unit
from slamon.outputs.current_view import Sight
from slamon.outputs.exposition import DueClock, ObjectiveFacts, OpenClocks, SlaPage, View, negotiate

START = (date(2026, 3, 1) - date(1970, 1, 1)).days * DAY


async def look(monitor: Monitor, sight: Sight | None = None) -> View:
    return await (sight or Sight(100)).look([(monitor, lambda: monitor.now)])


async def rendered(view: View, page: SlaPage) -> str:
    return b"".join([piece async for piece in page.render(view, negotiate(""))]).decode()


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
    view = await look(monitor)
    (shown,) = view.objectives
    assert shown.facts == ObjectiveFacts("acme", "main", "requests", "requests", "99%")
    assert shown.clocks is None
    half = Fraction(1, 2)
    assert shown.burn_rates == (("1h", half), ("6h", half), ("24h", half), ("72h", half))
    page = await rendered(view, SlaPage(200_000))
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
        view = await look(monitor)
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
    view = await look(monitor)
    periods = {one.facts.objective: one.period for one in view.objectives}
    assert periods == {"rolling": None, "monthly": (START, START + 31 * DAY)}


def tickets(*events: TicketEvent, now: int) -> Monitor:
    when = TicketFilter(priority=frozenset({"P1"}))
    objective = TicketObjective(
        "fix", Measure.RESOLUTION, HOUR, ALWAYS, when=when, pause_on=frozenset({"customer"})
    )
    monitor = Monitor(
        [Agreement("main", "acme", "UTC", START, FOREVER, date(2026, 3, 1), (objective,))], steps=False
    )
    for event in events:
        monitor.apply(event)
    monitor.advance(now)
    return monitor


def opened(ticket: str, at: int) -> TicketEvent:
    return TicketEvent("1", START + at, "acme", ticket, status=TicketStatus.OPEN, priority="P1")


async def test_only_the_clocks_due_soonest_are_shown_and_those_that_are_missed_or_wait_are_not_due() -> None:
    waits = TicketEvent(
        "2", START + 90 * MINUTE, "acme", "waits", status=TicketStatus.WAITING, waiting_on="customer"
    )
    monitor = tickets(
        opened("missed", 0),
        opened("waits", HOUR),
        opened("third", 70 * MINUTE),
        opened("first", 50 * MINUTE),
        opened("second", HOUR),
        waits,
        now=START + 100 * MINUTE,
    )
    view = await look(monitor, Sight(2))
    names = ("acme", "main", "fix")
    assert view.due == [
        DueClock(*names, "first", "P1", START + 110 * MINUTE),
        DueClock(*names, "second", "P1", START + 120 * MINUTE),
    ]
    assert view.due_left_out == 1
    assert view.objectives[0].clocks == OpenClocks(running=3, paused=1, breached=1)


async def test_while_a_monitor_is_judging_it_is_shown_as_it_was_before() -> None:
    monitor = tickets(opened("T-1", 0), now=START + MINUTE)
    sight = Sight(100)
    before = await look(monitor, sight)
    monitor.apply(opened("T-2", MINUTE))
    monitor.advance(START + 2 * MINUTE)
    assert await sight.look([(monitor, lambda: None)]) == before
    after = await look(monitor, sight)
    assert after.objectives[0].clocks == OpenClocks(2, 0, 0)


async def test_of_a_monitor_that_has_not_judged_yet_nothing_is_shown() -> None:
    monitor = tickets(now=START)
    assert await Sight(100).look([(monitor, lambda: None)]) == View([], [])


async def test_what_has_not_changed_is_the_very_same_so_that_its_lines_are_not_written_anew() -> None:
    monitor = tickets(opened("T-1", 0), now=START + MINUTE)
    sight = Sight(100)
    first = await look(monitor, sight)
    monitor.advance(START + 2 * MINUTE)
    assert (await look(monitor, sight)).objectives[0] is first.objectives[0]


async def test_an_objective_that_only_time_puts_at_risk_is_shown_so_from_that_microsecond_on() -> None:
    fix = TicketObjective("fix", Measure.RESOLUTION, HOUR, ALWAYS, warn_at=(Share(Fraction(3, 4), "75%"),))
    monitor = Monitor(
        [Agreement("main", "acme", "UTC", START, FOREVER, date(2026, 3, 1), (fix,))], steps=False
    )
    monitor.apply(opened("T-1", 0))
    sight, shown = Sight(100), []
    for now in (START + MINUTE, START + 45 * MINUTE, START + 45 * MINUTE + 1):
        monitor.advance(now)
        [view] = (await look(monitor, sight)).objectives
        assert view.standing is not None
        shown.append(view.standing.standing)
    assert shown == [StandingState.ON_TRACK, StandingState.ON_TRACK, StandingState.AT_RISK]


async def test_a_monitor_that_went_away_leaves_nothing_behind() -> None:
    monitor, sight = tickets(opened("T-1", 0), now=START + MINUTE), Sight(100)
    await look(monitor, sight)
    assert await sight.look([]) == View([], [])
    assert sight._seen == {}


async def test_a_burn_rate_goes_when_all_of_its_window_is_excluded_and_comes_back_after() -> None:
    pair = BurnRatePair("fast", Fraction(2, 100), HOUR, 5 * MINUTE, Severity.CRITICAL)
    objective = AvailabilityObjective(
        "api",
        "api",
        Fraction(99, 100),
        TimeWindow(unit=Unit.MONTH, rolling=None),
        ALWAYS,
        alerts=AvailabilityAlerts(burn_rates=(pair,)),
    )
    clause = ExclusionTerm("maintenance", ExclusionReason.MAINTENANCE)
    agreement = Agreement(
        "main", "acme", "UTC", START, FOREVER, date(2026, 3, 1), (objective,), exclusions=(clause,)
    )
    monitor = Monitor([agreement], steps=False)
    monitor.apply(AvailabilityEvent("1", START - DAY, "acme", "api", ServiceStatus.UP))
    monitor.apply(
        ExclusionEvent(
            "1",
            START,
            "acme",
            "X-1",
            ExclusionState.DECLARED,
            reason=ExclusionReason.MAINTENANCE,
            start=START + 2 * HOUR,
            end=START + 5 * HOUR,
        )
    )
    sight, shown = Sight(100), []
    for now in (2 * HOUR, 3 * HOUR - 1, 3 * HOUR, 5 * HOUR, 5 * HOUR + 1):
        monitor.advance(START + now)
        [view] = (await look(monitor, sight)).objectives
        shown.append(view.burn_rates)
    spent = (("1h", Fraction(0)),)
    assert shown == [spent, spent, (), (), spent]


async def test_what_is_excluded_grows_on_the_page_while_the_exclusion_lasts() -> None:
    month = TimeWindow(unit=Unit.MONTH, rolling=None)
    api = AvailabilityObjective(
        "api", "api", Fraction(99, 100), month, ALWAYS, alerts=AvailabilityAlerts(burn_rates=())
    )
    clause = ExclusionTerm("maintenance", ExclusionReason.MAINTENANCE)
    agreement = Agreement(
        "main", "acme", "UTC", START, FOREVER, date(2026, 3, 1), (api,), exclusions=(clause,)
    )
    monitor = Monitor([agreement], steps=False)
    monitor.apply(AvailabilityEvent("up", START, "acme", "api", ServiceStatus.UP))
    monitor.apply(
        ExclusionEvent(
            "1",
            START,
            "acme",
            "X-1",
            ExclusionState.DECLARED,
            reason=ExclusionReason.MAINTENANCE,
            start=START + HOUR,
            end=START + 3 * HOUR,
        )
    )
    monitor.advance(START + HOUR)
    sight, page = Sight(100), SlaPage(200_000)
    shown = []
    for now in (START + HOUR + MINUTE, START + 2 * HOUR):
        text = await rendered(await sight.look([(monitor, partial(int, now))]), page)
        shown += [
            line.split()[-1]
            for line in text.splitlines()
            if line.startswith("slamon_objective_excluded_seconds{")
        ]
    assert shown == ["60.0", "3600.0"]
