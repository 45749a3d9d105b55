"""Random worlds to hold the laws against: agreements, what happened under them, and in which order it was heard.

Every instant of a world lies on a grid of equal ticks, so that a naive reference can look at each of them. A tick is
a microsecond where all clocks run day and night (then the borders are exact to the last digit), else ten minutes.
"""

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from fractions import Fraction
from functools import cache
from typing import NamedTuple, TypeVar, cast
from zoneinfo import ZoneInfo

import msgspec
from hypothesis import strategies as st

from slamon.domain.agreement import (
    Agreement,
    Attainment,
    AvailabilityAlerts,
    AvailabilityObjective,
    BelowMinimum,
    BurnRatePair,
    Cap,
    DegradedCountsAs,
    ExclusionsCountAs,
    ExclusionTerm,
    Measure,
    Objective,
    OnPriorityChange,
    OnReopen,
    Reporting,
    RequestsObjective,
    Schedule,
    Service,
    Severity,
    Share,
    Step,
    StopOn,
    TicketFilter,
    TicketObjective,
    TimeLeft,
    UnknownCountsAs,
)
from slamon.domain.calendars import ALWAYS, Calendar
from slamon.domain.events import (
    DAY,
    HOUR,
    MINUTE,
    AvailabilityEvent,
    Event,
    ExclusionEvent,
    ExclusionReason,
    ExclusionState,
    Reply,
    RequestsEvent,
    ServiceStatus,
    TicketEvent,
    TicketStatus,
)
from slamon.domain.intervals import FOREVER
from slamon.domain.periods import TimeWindow, Unit

T = TypeVar("T")

CUSTOMER = "acme"
TEN_MINUTES = 10 * MINUTE


class Hours(NamedTuple):
    """A calendar as its author wrote it: by weekday (0 for Monday), spans in minutes of the local day."""

    zone: ZoneInfo
    week: dict[int, tuple[tuple[int, int], ...]]


HOURS: dict[str, Hours | None] = {
    "always": None,
    "office": Hours(ZoneInfo("UTC"), dict.fromkeys(range(5), ((9 * 60, 17 * 60),))),
    "berlin": Hours(
        ZoneInfo("Europe/Berlin"),
        {**dict.fromkeys(range(4), ((8 * 60, 12 * 60), (13 * 60, 18 * 60))), 4: ((8 * 60, 16 * 60),)},
    ),
    "nights": Hours(ZoneInfo("UTC"), dict.fromkeys(range(7), ((22 * 60, 26 * 60),))),
}
CALENDARS = {
    name: ALWAYS if hours is None else Calendar.weekly(name, hours.zone.key, hours.week)
    for name, hours in HOURS.items()
}

MIDNIGHT = (
    date(2026, 3, 30) - date(1970, 1, 1)
).days * DAY  # a Monday; Berlin changed its clocks the day before


class World(NamedTuple):
    agreements: tuple[Agreement, ...]
    events: tuple[Event, ...]  # in no order; each once
    start: int  # the first tick that matters
    until: int
    tick: int


def day_of(instant: int) -> date:
    return date(1970, 1, 1) + timedelta(days=instant // DAY)


# ------------------------------------------------------------------------------------------------------------- tickets

PRIORITIES = ("P1", "P2", "P3")
SERVICES = ("api", "shop")
PARTIES = ("customer", "supplier")


@cache
def _below(count: int) -> st.SearchStrategy[int]:
    return st.integers(0, count - 1)


def pick(draw: st.DrawFn, options: Sequence[T]) -> T:
    """The same as `sampled_from`, at a fraction of its cost; it shrinks to the first."""
    return options[draw(_below(len(options)))]


_PERMUTATIONS = {count: st.permutations(range(count)) for count in range(1, 13)}

_FILTERS = tuple(
    TicketFilter(priority=priority, service=service, attributes=attributes)
    for attributes in ((), (), (("region", frozenset({"eu"})),))
    for service in (None, None, frozenset({"api"}), frozenset({"api", "shop"}))
    for priority in (
        None,
        frozenset({"P1"}),
        frozenset({"P2"}),
        frozenset({"P1", "P2"}),
        frozenset({"P2", "P3"}),
    )
)
_WIDE_FILTERS = (
    TicketFilter(),
    TicketFilter(priority=frozenset({"P1"})),
    TicketFilter(priority=frozenset({"P2", "P3"})),
    TicketFilter(priority=frozenset({"P1", "P2"})),
    *_FILTERS[::7],
)
_PAUSES = tuple(map(frozenset, (("customer",), (), ("supplier",), ("customer", "supplier"))))
_STEPS = tuple(Share(Fraction(percent, 100), f"{percent}%") for percent in (25, 50, 75, 90))
_STEP_SETS = ((), (0,), (1,), (1, 2), (1, 2, 3), (0, 3))
_TICKET_WINDOWS = (
    TimeWindow(unit=Unit.WEEK, rolling=None),
    TimeWindow(unit=Unit.MONTH, rolling=None),
    TimeWindow(unit=None, rolling=2 * DAY),
)
_ATTAINMENTS = tuple(
    Attainment(target=target, window=window, minimum_tickets=minimum, below_minimum=below)
    for below in BelowMinimum
    for minimum in (0, 2, 3)
    for window in _TICKET_WINDOWS
    for target in (Fraction(1), Fraction(9, 10), Fraction(1, 2))
)
_MEASURES = (Measure.RESOLUTION, Measure.NEXT_REPLY, Measure.UPDATE, Measure.FIRST_RESPONSE)
_STOPS = ((StopOn.RESOLVED,), (StopOn.CLOSED,), tuple(StopOn))
_REPORTINGS = tuple(
    Reporting(unit=unit, settle_after=settle_after)
    for settle_after in (0, HOUR, DAY)
    for unit in (Unit.WEEK, Unit.MONTH)
)
_FILE_ORDERS = ("ab", "ba", "a", "b", "abc", "cab", "bca")


def _ticket_objective(
    draw: st.DrawFn,
    name: str,
    tick: int,
    calendars: Sequence[str],
    longest: int,
    stops: Sequence[StopOn],
    measures: Sequence[Measure],
) -> TicketObjective:
    measure = pick(draw, measures)
    target = (1 + draw(_below(longest))) * tick
    steps: list[Step] = [_STEPS[index] for index in pick(draw, _STEP_SETS)]
    left = draw(_below(longest))
    if left % 2:
        steps.append(TimeLeft(left * tick, f"-{left}t"))
    steps.sort(key=lambda step: step.of * target if isinstance(step, Share) else target - step.left)
    return TicketObjective(
        name=name,
        measure=measure,
        target=target,
        calendar=CALENDARS[pick(draw, calendars)],
        when=pick(draw, _WIDE_FILTERS),
        pause_on=pick(draw, _PAUSES),
        stop_on=pick(draw, stops) if measure is Measure.RESOLUTION else StopOn.RESOLVED,
        on_priority_change=pick(draw, tuple(OnPriorityChange)),
        on_reopen=(pick(draw, tuple(OnReopen)) if measure is Measure.RESOLUTION else OnReopen.CONTINUE),
        warn_at=tuple(steps),
        attainment=pick(draw, _ATTAINMENTS),
    )


def _ticket_agreements(
    draw: st.DrawFn, name: str, borders: Sequence[int], tick: int, calendars: Sequence[str], longest: int
) -> list[Agreement]:
    """One to three versions, back to back or with a gap, none overlapping; `borders` are midnights."""
    stops = pick(draw, _STOPS)
    # Few objectives govern much only if they are not spread over all measures.
    among = [pick(draw, _MEASURES) for _ in range(pick(draw, (1, 2)))]
    count = pick(draw, (1, 1, 2, 3))
    edges = [borders[0], *sorted({pick(draw, borders[1:]) for _ in range(count - 1)})]
    versions = []
    for index, start in enumerate(edges):
        end = FOREVER if index == len(edges) - 1 else edges[index + 1]
        if len(edges) > 1 and pick(draw, (False, False, False, True)):
            continue  # nothing was promised between two versions
        versions.append(
            Agreement(
                name=name,
                customer=CUSTOMER,
                zone="UTC",
                start=start,
                end=end,
                first_day=day_of(start),
                objectives=tuple(
                    _ticket_objective(draw, called, tick, calendars, longest, stops, among)
                    for called in pick(draw, _FILE_ORDERS)
                ),
                services=pick(draw, (None, None, (Service("api"),))),
                reporting=pick(draw, _REPORTINGS),
            )
        )
    return versions


_ANY_STATUS = (
    None,
    TicketStatus.OPEN,
    TicketStatus.WAITING,
    TicketStatus.RESOLVED,
    None,
    TicketStatus.WAITING,
    TicketStatus.OPEN,
    TicketStatus.CLOSED,
    TicketStatus.CANCELLED,
)
_LIVELY_STATUS = (
    None,
    None,
    TicketStatus.OPEN,
    TicketStatus.RESOLVED,
    TicketStatus.WAITING,
    TicketStatus.CANCELLED,
    TicketStatus.OPEN,
    TicketStatus.CLOSED,
    None,
)
_LIVELY_REPLIES = (Reply.AGENT, Reply.CUSTOMER, None, Reply.CUSTOMER)
_FIRST_STATUS = (None, TicketStatus.OPEN, TicketStatus.OPEN, *_ANY_STATUS)
_WAITING_ON = ("customer", "supplier", None, "customer", "nobody")
_RARELY = (False, False, False, False, False, True)


def _ticket_event(
    draw: st.DrawFn, ticket: str, identity: str, time: int, *, first: bool, opened_at: int
) -> TicketEvent:
    status = pick(draw, _FIRST_STATUS if first else _LIVELY_STATUS)
    rare = pick(draw, ("", "", "", "", "", "", "service", "attributes", "opened_at", "nothing"))
    return TicketEvent(
        id=identity,
        time=time,
        customer=CUSTOMER,
        ticket=ticket,
        seq=pick(draw, (None, None, 0, 1)),
        status=status,
        waiting_on=pick(draw, _WAITING_ON) if status is TicketStatus.WAITING else None,
        priority=None
        if rare == "nothing"
        else pick(draw, PRIORITIES if first else (None, None, None, *PRIORITIES)),
        service=pick(draw, SERVICES) if rare == "service" else None,
        reply=pick(draw, _LIVELY_REPLIES),
        opened_at=opened_at if rare == "opened_at" else None,
        attributes={"region": pick(draw, ("eu", "us"))} if rare == "attributes" else None,
    )


@st.composite
def ticket_worlds(draw: st.DrawFn, *, fine: bool | None = None) -> World:
    """`fine`: ticks of a microsecond around a midnight, else of ten minutes over some days."""
    calendars: tuple[str, ...] = ("always",)
    if pick(draw, (True, False)) if fine is None else fine:
        tick, longest = 1, 30
        start, horizon = MIDNIGHT - 20, 60
        borders = [MIDNIGHT - 30 * DAY, MIDNIGHT, MIDNIGHT + DAY]
    else:
        tick, calendars, longest = TEN_MINUTES, tuple(HOURS), 90
        start, horizon = MIDNIGHT - 4 * DAY, 9 * 144
        borders = [MIDNIGHT - 30 * DAY, *(MIDNIGHT + n * DAY for n in range(-3, 4))]
    agreements = _ticket_agreements(draw, "main", borders, tick, calendars, longest)
    if pick(draw, (False, False, False, True)):
        agreements += _ticket_agreements(draw, "inner", borders, tick, calendars, longest)
    middle = draw(_below(horizon))

    def some_tick() -> int:
        near = pick(draw, (True, True, True, False))
        at = middle + draw(_below(42)) - 12 if near else draw(_below(horizon))
        return start + min(max(at, 0), horizon) * tick

    events: list[Event] = []
    tickets = ("T-1", "T-2")[: pick(draw, (1, 1, 2))]
    for ticket in tickets:
        count = 3 + draw(_below(10))
        order = draw(_PERMUTATIONS[count])
        for position, time in enumerate(sorted(some_tick() for _ in range(count))):
            events.append(
                _ticket_event(
                    draw,
                    ticket,
                    f"e{order[position]}",
                    time,
                    first=position == 0,
                    opened_at=some_tick(),
                )
            )
    last = max(event.time for event in events)
    until = pick(draw, (last, start + horizon * tick, some_tick()))
    return World(tuple(agreements), tuple(events), start, until, tick)


# ------------------------------------------------------------------------------------------------------------ services

_TARGETS = tuple(Fraction(share, 1000) for share in (900, 990, 999, 500, 950, 1000))
_WINDOWS = (
    TimeWindow(unit=Unit.WEEK, rolling=None),
    TimeWindow(unit=Unit.MONTH, rolling=None),
    TimeWindow(unit=None, rolling=2 * DAY),
)
_LENGTHS = (1, 2, 3, 6, 12, 36, 100)  # of outages, heartbeats, notices and caps, in ticks
_RULES = ("FREQ=DAILY", "FREQ=WEEKLY;BYDAY=MO,WE", "FREQ=WEEKLY;BYDAY=SU")
_REASONS = (ExclusionReason.MAINTENANCE, ExclusionReason.FORCE_MAJEURE)
_TIME_LEFT = (
    (),
    (Share(Fraction(1, 2), "50%"), TimeLeft(HOUR, "1h")),
    (Share(Fraction(3, 4), "75%"), Share(Fraction(1, 4), "25%")),
)
BURN_RATES = (
    BurnRatePair("fast", Fraction(1, 10), HOUR, 10 * MINUTE, Severity.CRITICAL),
    BurnRatePair("slow", Fraction(1, 5), 6 * HOUR, HOUR, Severity.WARNING),
)


def _availability_objective(draw: st.DrawFn, name: str, calendars: Sequence[str]) -> AvailabilityObjective:
    target = pick(draw, _TARGETS)
    burn_rates = pick(draw, ((), (), BURN_RATES))
    return AvailabilityObjective(
        name=name,
        service=pick(draw, SERVICES),
        target=target,
        window=pick(draw, _WINDOWS),
        calendar=CALENDARS[pick(draw, calendars)],
        degraded_counts_as=pick(draw, tuple(DegradedCountsAs)),
        unknown_counts_as=pick(draw, tuple(UnknownCountsAs)),
        minimum_outage=pick(draw, (0, 0, 1, 2, 3, 6)) * TEN_MINUTES,
        exclusions_count_as=pick(draw, tuple(ExclusionsCountAs)),
        down_while=pick(draw, (None, None, *_FILTERS)),
        alerts=AvailabilityAlerts(
            burn_rates=burn_rates if target < 1 else (),  # at 100 % there is no burn rate
            time_left=pick(draw, _TIME_LEFT),
            alert_after=pick(draw, (0, 2 * MINUTE, 30 * MINUTE)),
            coverage_below=pick(draw, (Fraction(9, 10), Fraction(0), Fraction(1))),
        ),
    )


def _exclusion_term(draw: st.DrawFn, name: str) -> ExclusionTerm:
    scheduled = pick(draw, (False, False, True))
    length = pick(draw, _LENGTHS) * TEN_MINUTES
    return ExclusionTerm(
        name=name,
        reason=pick(draw, _REASONS),
        schedule=Schedule(pick(draw, _RULES), pick(draw, (0, 120, 600, 1430)), length) if scheduled else None,
        notice=None if scheduled else pick(draw, (None, None, *_LENGTHS, 200)) and length,
        cap=pick(draw, (None, None, Cap(2 * HOUR, Unit.WEEK), Cap(HOUR, Unit.MONTH), Cap(length, Unit.WEEK))),
        services=pick(draw, (None, None, frozenset({"api"}), frozenset(SERVICES))),
    )


_SERVICE_STATUSES = (
    ServiceStatus.UP,
    ServiceStatus.DOWN,
    ServiceStatus.UP,
    ServiceStatus.DOWN,
    ServiceStatus.DEGRADED,
    ServiceStatus.UNKNOWN,
)


@st.composite
def service_worlds(draw: st.DrawFn) -> World:
    """Some days around the end of a week and of a month, in ticks of ten minutes."""
    return _service_world(draw, _availability_objective, _monitored)


def _service_world(
    draw: st.DrawFn,
    promised: Callable[[st.DrawFn, str, Sequence[str]], AvailabilityObjective | RequestsObjective],
    happened: Callable[[st.DrawFn, Callable[[], int], int], list[Event]],
) -> World:
    """Versions back to back, exclusions, and what `happened` at ticks drawn from a function, given the tick's length."""
    tick = TEN_MINUTES
    start, horizon = MIDNIGHT - 3 * DAY, 7 * 144
    borders = [MIDNIGHT - n * DAY for n in (40, 6, 3)]
    edges = sorted({pick(draw, borders), *pick(draw, ((), (), (MIDNIGHT,), (MIDNIGHT + 3 * DAY,)))})
    agreements = [
        Agreement(
            name="main",
            customer=CUSTOMER,
            zone="UTC",
            start=begin,
            end=end,
            first_day=day_of(begin),
            objectives=cast(
                "tuple[Objective, ...]",
                tuple(promised(draw, called, tuple(HOURS)) for called in pick(draw, ("a", "ab", "ba"))),
            ),
            exclusions=tuple(_exclusion_term(draw, called) for called in pick(draw, ("", "x", "xy", "xyz"))),
            reporting=pick(draw, _REPORTINGS),
        )
        for begin, end in zip(
            edges, [*edges[1:], pick(draw, (FOREVER, FOREVER, MIDNIGHT + 5 * DAY))], strict=True
        )
    ]
    middle = draw(_below(horizon))

    def some_tick() -> int:
        near = pick(draw, (True, True, True, False))
        at = middle + draw(_below(60)) - 12 if near else draw(_below(horizon))
        return start + min(max(at, 0), horizon) * tick

    events = [*happened(draw, some_tick, tick), *_exclusions(draw, some_tick, tick)]
    last = max((event.time for event in events), default=start)
    until = pick(draw, (last, start + horizon * tick, some_tick()))
    return World(tuple(agreements), tuple(events), start, until, tick)


def _monitored(draw: st.DrawFn, some_tick: Callable[[], int], tick: int) -> list[Event]:
    events: list[Event] = [
        AvailabilityEvent(
            id=f"e{position}",
            time=some_tick(),
            customer=pick(draw, (CUSTOMER, CUSTOMER, None)),
            service=pick(draw, ("api", "api", "shop")),
            status=pick(draw, _SERVICE_STATUSES),
            seq=pick(draw, (None, None, 0, 1)),
            interval=(pick(draw, (None, None, None, 1, 2, 6)) or 0) * tick or None,
        )
        for position in range(draw(_below(9)))
    ]
    for ticket in ("T-1", "T-2")[: pick(draw, (0, 1, 1, 2))]:
        for position, time in enumerate(sorted(some_tick() for _ in range(1 + draw(_below(6))))):
            first = position == 0
            event = _ticket_event(draw, ticket, f"e{position}", time, first=first, opened_at=some_tick())
            events.append(msgspec.structs.replace(event, service=pick(draw, SERVICES)) if first else event)
    return events


def _exclusions(draw: st.DrawFn, some_tick: Callable[[], int], tick: int) -> list[Event]:
    windows = [sorted({some_tick(), some_tick()}) for _ in range(2)]
    events: list[Event] = []
    for position in range(draw(_below(5))):
        window = pick(draw, windows)
        events.append(
            ExclusionEvent(
                id=f"x{position}",
                time=some_tick(),
                customer=CUSTOMER,
                exclusion=pick(draw, ("X-1", "X-1", "X-2")),
                state=pick(
                    draw, (ExclusionState.DECLARED, ExclusionState.DECLARED, ExclusionState.CANCELLED)
                ),
                reason=pick(draw, _REASONS),
                start=window[0],
                end=window[0] + max(window[-1] - window[0], tick),
                service=pick(draw, (None, None, *SERVICES)),
                announced_at=pick(draw, (None, None, some_tick() - DAY)),
            )
        )
    return events


# ------------------------------------------------------------------------------------------------------------ requests


def _requests_objective(draw: st.DrawFn, name: str, calendars: Sequence[str]) -> RequestsObjective:
    target = pick(draw, _TARGETS)
    return RequestsObjective(
        name=name,
        service=pick(draw, SERVICES),
        target=target,
        window=pick(draw, _WINDOWS),
        calendar=CALENDARS[pick(draw, calendars)],
        exclusions_count_as=pick(draw, tuple(ExclusionsCountAs)),
        burn_rates=pick(draw, ((), BURN_RATES)) if target < 1 else (),
    )


def _requested(draw: st.DrawFn, some_tick: Callable[[], int], tick: int) -> list[Event]:
    """Buckets overlap, straddle borders and may hold nothing."""
    totals = (7, 1, 100, 0)
    events: list[Event] = []
    for position in range(3 + draw(_below(9))):
        total = pick(draw, totals)
        events.append(
            RequestsEvent(
                id=f"r{position}",
                time=some_tick(),
                customer=CUSTOMER,
                service=pick(draw, ("api", "api", "api", "shop")),
                total=total,
                bad=draw(_below(total + 1)),
                duration=pick(draw, _LENGTHS) * tick,
            )
        )
    return events


@st.composite
def request_worlds(draw: st.DrawFn) -> World:
    """The same days as those of services, with buckets of requests."""
    return _service_world(draw, _requests_objective, _requested)
