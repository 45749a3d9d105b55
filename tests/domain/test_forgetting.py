"""What is kept for how long, and what comes too late or is too much to be taken."""

import dataclasses
import gc
from fractions import Fraction

import pytest

from slamon.domain.agreement import (
    Agreement,
    Attainment,
    AvailabilityObjective,
    Cap,
    ExclusionTerm,
    Measure,
    Objective,
    Reporting,
    StopOn,
    TicketFilter,
    TicketObjective,
)
from slamon.domain.alerts import AlertBook
from slamon.domain.calendars import ALWAYS
from slamon.domain.decisions import (
    AlertChanged,
    AlertMemory,
    AlertTransition,
    FactKey,
    FactKind,
    Facts,
    FactsChanged,
    Reason,
    RevisionReason,
    Statement,
    StatementIssued,
    Transition,
)
from slamon.domain.events import (
    DAY,
    HOUR,
    MINUTE,
    AvailabilityEvent,
    Event,
    ExclusionEvent,
    ExclusionReason,
    ExclusionState,
    ServiceStatus,
    Taken,
    TicketEvent,
    TicketStatus,
)
from slamon.domain.forgetting import LEEWAY, forgettable, needed
from slamon.domain.monitor import Monitor
from slamon.domain.periods import TimeWindow, Unit
from slamon.domain.tickets import Ticket
from tests.laws.worlds import MIDNIGHT, day_of

KEEP = 100 * DAY
NOW = MIDNIGHT + 200 * DAY
HORIZON = NOW - KEEP
FIX = TicketObjective("fix", Measure.RESOLUTION, HOUR, ALWAYS)
SHOP = AvailabilityObjective(
    "shop",
    "shop",
    Fraction(999, 1000),
    TimeWindow(Unit.MONTH, None),
    ALWAYS,
    down_while=TicketFilter(),
)


def agreement(*objectives: Objective) -> Agreement:
    return Agreement(
        name="terms",
        customer="acme",
        zone="UTC",
        start=MIDNIGHT,
        end=MIDNIGHT + 4000 * DAY,
        first_day=day_of(MIDNIGHT),
        objectives=objectives,
        exclusions=(ExclusionTerm("storms", ExclusionReason.FORCE_MAJEURE),),
        reporting=Reporting(settle_after=0),
    )


def ticket(
    time: int, status: TicketStatus = TicketStatus.OPEN, name: str = "T-1", opened_at: int | None = None
) -> TicketEvent:
    return TicketEvent(f"{time}", time, "acme", name, status=status, service="shop", opened_at=opened_at)


# ------------------------------------------------------------------------------------------------- too late, or too much


def test_what_speaks_of_a_time_before_the_horizon_comes_too_late() -> None:
    monitor = Monitor([agreement(FIX)], steps=False, keep=KEEP)
    monitor.advance(NOW)
    assert monitor.horizon() == HORIZON
    assert monitor.apply(ticket(HORIZON - 1)) is Taken.TOO_LATE
    assert monitor.apply(ticket(HORIZON)) is Taken.ACCEPTED


def test_so_long_as_nothing_was_judged_no_history_is_too_old() -> None:
    monitor = Monitor([agreement(FIX)], steps=False, keep=KEEP)
    assert monitor.apply(ticket(MIDNIGHT)) is Taken.ACCEPTED
    monitor.start(0)
    assert monitor.apply(ticket(MIDNIGHT + 1)) is Taken.ACCEPTED


def test_without_a_limit_nothing_is_ever_too_late() -> None:
    monitor = Monitor([agreement(FIX)], steps=False)
    monitor.advance(NOW)
    assert monitor.apply(ticket(0)) is Taken.ACCEPTED


def test_what_nobody_has_an_agreement_for_is_not_too_late_but_unmatched() -> None:
    monitor = Monitor([], steps=False, keep=KEEP)
    monitor.advance(NOW)
    assert monitor.apply(ticket(0)) is Taken.UNMATCHED


def test_so_many_events_of_a_ticket_are_taken_and_no_more_and_a_restart_changes_nothing_of_it() -> None:
    monitor = Monitor([agreement(FIX)], steps=False, subject_limit=2)
    monitor.advance(NOW)
    events: list[Event] = [ticket(NOW + at) for at in range(3)]
    assert [monitor.apply(event) for event in events] == [
        Taken.ACCEPTED,
        Taken.ACCEPTED,
        Taken.SUBJECT_TOO_LARGE,
    ]
    assert monitor.apply(events[1]) is Taken.DUPLICATE
    assert monitor.apply(ticket(NOW, name="T-2")) is Taken.ACCEPTED
    monitor.advance(NOW + HOUR)
    for limit, taken in ((2, Taken.SUBJECT_TOO_LARGE), (1, Taken.SUBJECT_TOO_LARGE), (3, Taken.ACCEPTED)):
        fresh = Monitor([agreement(FIX)], steps=False, subject_limit=limit)
        for key, facts in monitor.facts():
            fresh.restore(key, facts)
        fresh.start(NOW + HOUR)
        assert dict(fresh.facts()) == dict(monitor.facts())
        assert fresh.apply(events[2]) is taken


def test_a_ticket_that_nobody_knows_and_that_opened_before_the_horizon_comes_too_late() -> None:
    monitor = Monitor([agreement(FIX)], steps=False, keep=KEEP)
    monitor.advance(NOW)
    assert monitor.apply(ticket(NOW, opened_at=HORIZON - 1)) is Taken.TOO_LATE
    assert monitor.apply(ticket(NOW, opened_at=HORIZON)) is Taken.ACCEPTED
    monitor.advance(NOW + DAY)
    assert monitor.apply(ticket(NOW + 1, opened_at=HORIZON)) is Taken.ACCEPTED


def test_an_exclusion_of_a_span_before_the_horizon_comes_too_late() -> None:
    monitor = Monitor([agreement(SHOP)], steps=False, keep=KEEP)
    monitor.advance(NOW)
    assert monitor.apply(storm(NOW, HORIZON - 1)) is Taken.TOO_LATE
    assert monitor.apply(storm(NOW, HORIZON)) is Taken.ACCEPTED


# ----------------------------------------------------------------------------------------------------- what is forgotten


class Daemon:
    """A monitor that packs and forgets, and what would stand in its changelog."""

    def __init__(self, *agreements: Agreement, keep: int = KEEP) -> None:
        self.monitor = Monitor(agreements, steps=False, keep=keep, at_hand=0)
        self.kept: dict[FactKey, Facts] = {}
        self.statements: list[Statement] = []

    def take(self, now: int, *events: Event) -> None:
        for event in events:
            assert self.monitor.apply(event) in (Taken.ACCEPTED, Taken.LATE)
        self.monitor.advance(now)
        for decision in self.monitor.drain():
            if isinstance(decision, StatementIssued):
                self.statements.append(decision.statement)
            elif isinstance(decision, FactsChanged) and decision.facts is not None:
                self.kept[decision.key] = decision.facts
            elif isinstance(decision, FactsChanged):
                del self.kept[
                    decision.key
                ]  # or it was told twice to forget it, or before it was told to keep it

    def holds(self, kind: FactKind) -> list[str]:
        assert dict(self.monitor.facts()) == self.kept
        return sorted(key.subject for key in self.kept if key.kind is kind)


def storm(time: int, end: int, state: ExclusionState = ExclusionState.DECLARED) -> ExclusionEvent:
    return ExclusionEvent(
        id=f"{time}",
        time=time,
        customer="acme",
        exclusion="storm",
        state=state,
        reason=ExclusionReason.FORCE_MAJEURE,
        start=end - HOUR,
        end=end,
    )


def test_a_ticket_and_its_alerts_are_forgotten_when_all_that_is_told_of_it_lies_before_the_horizon() -> None:
    daemon = Daemon(agreement(FIX))
    solved = MIDNIGHT + 2 * HOUR
    daemon.take(MIDNIGHT, ticket(MIDNIGHT))
    daemon.take(solved, ticket(solved, TicketStatus.RESOLVED))
    breach = daemon.holds(FactKind.ALERT)
    assert len(breach) == 1
    daemon.take(solved + KEEP)
    assert daemon.holds(FactKind.TICKET) == ["T-1"]
    assert {*breach} < {*daemon.holds(FactKind.ALERT)}  # there are those of its month
    daemon.take(solved + KEEP + HOUR)
    assert daemon.holds(FactKind.TICKET) == []
    assert {*breach}.isdisjoint(daemon.holds(FactKind.ALERT))
    assert list(daemon.monitor.clocks()) == []


def test_a_ticket_that_is_heard_of_again_is_kept_for_longer_with_all_that_was_told_of_it() -> None:
    daemon = Daemon(agreement(FIX))
    solved, closed = MIDNIGHT + 2 * HOUR, MIDNIGHT + 90 * DAY
    daemon.take(MIDNIGHT, ticket(MIDNIGHT))
    daemon.take(solved, ticket(solved, TicketStatus.RESOLVED))
    daemon.take(closed, ticket(closed, TicketStatus.CLOSED))
    daemon.take(closed + KEEP)
    assert [clock.breached_at for clock in daemon.monitor.clocks()] == [MIDNIGHT + HOUR]
    daemon.take(closed + KEEP + HOUR)
    assert daemon.holds(FactKind.TICKET) == []


def test_a_ticket_that_is_not_decided_is_never_forgotten() -> None:
    daemon = Daemon(agreement(FIX))
    daemon.take(MIDNIGHT, ticket(MIDNIGHT))
    for day in range(0, 1000, 50):
        daemon.take(MIDNIGHT + day * DAY)
    assert daemon.holds(FactKind.TICKET) == ["T-1"]
    assert len(list(daemon.monitor.firing())) == 1


def test_a_ticket_that_holds_a_service_down_is_never_forgotten() -> None:
    """Not even one without clocks, because nobody saw it open."""
    daemon = Daemon(agreement(SHOP))
    daemon.take(MIDNIGHT, ticket(MIDNIGHT - HOUR, TicketStatus.RESOLVED), ticket(MIDNIGHT))
    for day in range(0, 1000, 50):
        daemon.take(MIDNIGHT + day * DAY)
    assert daemon.holds(FactKind.TICKET) == ["T-1"]
    [standing] = daemon.monitor.standings()
    assert standing.seconds is not None
    assert standing.seconds.down == standing.at - standing.period[0]


def test_what_a_forgotten_ticket_came_to_is_as_if_it_had_never_been() -> None:
    daemon = Daemon(agreement(FIX, SHOP))
    daemon.take(MIDNIGHT + 3 * HOUR, ticket(MIDNIGHT), ticket(MIDNIGHT + 2 * HOUR, TicketStatus.RESOLVED))
    [customer] = daemon.monitor.customers.values()
    [watch] = customer.availability_watches
    assert watch.tickets is not None
    tally = customer.tally("terms", "fix")
    assert (tally.missed, len(watch.tickets.by_ticket(MIDNIGHT, NOW))) == ([MIDNIGHT + HOUR], 1)
    daemon.take(MIDNIGHT + 4 * HOUR + KEEP)
    assert (tally.missed, watch.tickets.by_ticket(MIDNIGHT, NOW)) == ([], [])


def test_a_ticket_is_kept_as_long_as_its_clocks_stopped_inside_the_horizon_by_other_terms() -> None:
    closes = dataclasses.replace(FIX, stop_on=StopOn.CLOSED, target=100 * DAY)
    second = MIDNIGHT + 50 * DAY
    daemon = Daemon(
        dataclasses.replace(agreement(closes), end=second),
        dataclasses.replace(agreement(dataclasses.replace(closes, stop_on=StopOn.RESOLVED)), start=second),
    )
    daemon.take(MIDNIGHT + 1, ticket(MIDNIGHT), ticket(MIDNIGHT + 1, TicketStatus.RESOLVED))
    daemon.take(second + 1)
    daemon.take(second + KEEP)
    assert [clock.decided_at for clock in daemon.monitor.clocks()] == [second]
    daemon.take(second + KEEP + HOUR)
    assert daemon.holds(FactKind.TICKET) == []


def test_an_exclusion_is_forgotten_when_its_span_and_its_last_word_lie_before_the_horizon() -> None:
    daemon = Daemon(agreement(SHOP))
    declared, end, cancelled = MIDNIGHT, MIDNIGHT + 30 * DAY, MIDNIGHT + 60 * DAY
    daemon.take(declared, storm(declared, end))
    daemon.take(declared + KEEP + HOUR)
    assert daemon.holds(FactKind.EXCLUSION) == ["storm"]
    daemon.take(end + KEEP, storm(cancelled, end, ExclusionState.CANCELLED))
    daemon.take(end + KEEP + 2 * HOUR)
    assert daemon.holds(FactKind.EXCLUSION) == ["storm"]
    daemon.take(cancelled + KEEP + HOUR)
    assert daemon.holds(FactKind.EXCLUSION) == []


def test_a_forgotten_exclusion_is_declared_no_longer() -> None:
    daemon = Daemon(agreement(SHOP))
    daemon.take(MIDNIGHT, storm(MIDNIGHT, MIDNIGHT + DAY))
    [customer] = daemon.monitor.customers.values()
    assert len(customer.declared(MIDNIGHT)) == 1
    now = MIDNIGHT + DAY + KEEP + HOUR
    daemon.take(now)
    assert customer.declared(now) == ()


def test_statements_are_forgotten_and_the_newest_of_an_objective_stays_for_ever() -> None:
    daemon = Daemon(dataclasses.replace(agreement(FIX), end=MIDNIGHT + 100 * DAY))
    for day in range(0, 101, 10):
        daemon.take(MIDNIGHT + day * DAY)
    assert len(daemon.holds(FactKind.STATEMENT)) == 5  # the rest of March, three months, and the days of July
    daemon.take(MIDNIGHT + 150 * DAY)
    assert len(daemon.holds(FactKind.STATEMENT)) == 3
    daemon.take(MIDNIGHT + 1000 * DAY)
    assert daemon.holds(FactKind.STATEMENT) == [
        f"terms/fix/{daemon.statements[-1].start}/{MIDNIGHT + 100 * DAY}"
    ]


def test_alerts_of_a_period_are_forgotten_when_it_ended_before_the_horizon() -> None:
    daemon = Daemon(agreement(SHOP))
    down = AvailabilityEvent("d", MIDNIGHT, "acme", "shop", ServiceStatus.DOWN)
    up = AvailabilityEvent("u", MIDNIGHT + HOUR, "acme", "shop", ServiceStatus.UP)
    daemon.take(MIDNIGHT + 1, down)
    daemon.take(MIDNIGHT + HOUR, up)
    end = MIDNIGHT + 2 * DAY  # of March
    daemon.take(end + 5 * DAY)
    assert daemon.holds(FactKind.ALERT) != []
    daemon.take(end + KEEP)
    assert daemon.holds(FactKind.ALERT) != []
    daemon.take(end + KEEP + HOUR)
    assert daemon.holds(FactKind.ALERT) == []


def test_an_alert_that_fires_is_not_forgotten() -> None:
    subject = ("objective", "acme", "terms", "shop", f"{MIDNIGHT}")
    fired = AlertTransition(
        "a", 1, Transition.FIRED, 0, 0, late=False, reason=Reason.LIMIT_EXCEEDED, labels={}, annotations={}
    )
    book = AlertBook()
    book.restore("fires", AlertMemory(subject, "0/1", 1, fired))
    book.restore("over", AlertMemory(subject, "0/1", 1, None))
    book.restore("rolling", AlertMemory(subject, "rolling", 1, None))
    book.restore("of a ticket", AlertMemory(("ticket", "acme", "T-1"), "resolution/1", 1, None))
    due = [key.subject for key in forgettable([], book, {}, HORIZON) if key is not None]
    assert due == ["over"]


def test_of_what_was_said_before_the_horizon_nobody_can_say_any_more_that_it_never_was_true() -> None:
    rolling = dataclasses.replace(SHOP, window=TimeWindow(None, 2 * DAY), down_while=None)
    monitor = Monitor([agreement(rolling)], steps=False, keep=KEEP)
    said: list[Reason] = []
    for day, status in [
        (0, ServiceStatus.UP),
        *((day, ServiceStatus.DOWN) for day in range(3, 200)),
        (200, ServiceStatus.UP),
        (203, None),
    ]:
        now = MIDNIGHT + day * DAY
        if status is not None:
            monitor.apply(AvailabilityEvent(f"{day}", now, "acme", "shop", status))
        monitor.advance(now + 1)
        decisions = monitor.drain()
        said += [
            one.transition.reason
            for one in decisions
            if isinstance(one, AlertChanged) and one.transition.labels["alertname"] == "SlaBreached"
        ]
    assert said == [Reason.LIMIT_EXCEEDED, Reason.RECOVERED]


def test_a_successor_that_is_being_filled_forgets_what_the_monitor_forgets() -> None:
    daemon = Daemon(agreement(FIX, SHOP))
    daemon.take(MIDNIGHT + 3 * HOUR, ticket(MIDNIGHT), ticket(MIDNIGHT + 2 * HOUR, TicketStatus.RESOLVED))
    daemon.take(MIDNIGHT + 3 * HOUR, storm(MIDNIGHT + HOUR, MIDNIGHT + 2 * HOUR))
    daemon.take(MIDNIGHT + KEEP - DAY)
    successor = Monitor([agreement(FIX, SHOP)], steps=False, keep=KEEP)
    for key, facts in daemon.monitor.facts():
        successor.restore(key, facts)
    before = dict(daemon.kept)
    daemon.take(MIDNIGHT + KEEP + 5 * DAY)
    gone = before.keys() - daemon.kept.keys()
    assert {key.kind for key in gone} == {
        FactKind.TICKET,
        FactKind.EXCLUSION,
        FactKind.ALERT,
        FactKind.STATEMENT,
    }
    for key in before.keys() | daemon.kept.keys():
        if before.get(key) != daemon.kept.get(key):
            successor.restore(key, daemon.kept.get(key))
    successor.start(MIDNIGHT + KEEP + 5 * DAY)
    assert dict(successor.facts()) == daemon.kept
    assert successor.drain() == []


def test_what_no_agreement_speaks_of_is_forgotten_by_its_own_times() -> None:
    before = Daemon(agreement(FIX, SHOP))
    solved = MIDNIGHT + 2 * HOUR
    up = AvailabilityEvent("u", solved, "acme", "shop", ServiceStatus.UP)
    before.take(MIDNIGHT, ticket(MIDNIGHT))
    before.take(solved, ticket(solved, TicketStatus.RESOLVED), storm(solved, solved + HOUR), up)
    before.take(MIDNIGHT + 3 * DAY)
    daemon = Daemon(keep=KEEP)
    for key, facts in before.kept.items():
        daemon.monitor.restore(key, facts)
    daemon.kept = dict(before.kept)
    daemon.monitor.start(MIDNIGHT + 3 * DAY)
    daemon.take(solved + KEEP)
    kinds = {FactKind.TICKET, FactKind.EXCLUSION, FactKind.SERVICE_HOUR, FactKind.ALERT, FactKind.STATEMENT}
    assert {key.kind for key in daemon.kept} == kinds
    assert dict(daemon.monitor.facts()) == daemon.kept
    daemon.take(MIDNIGHT + 3 * DAY + KEEP)
    assert daemon.kept == {}
    assert dict(daemon.monitor.facts()) == {}


# ------------------------------------------------------------------------------------------------------- what is final


def test_neither_late_facts_nor_corrections_revise_a_period_that_begins_before_the_horizon() -> None:
    """April begins before the horizon when the ticket of its last day is heard of late; May does not."""
    april, may = MIDNIGHT + 2 * DAY, MIDNIGHT + 32 * DAY
    daemon = Daemon(agreement(FIX))
    now = may + KEEP - DAY
    daemon.take(now - DAY)
    said = len(daemon.statements)
    assert daemon.statements[1].start == april
    late = [
        ticket(may + at, status, "T-1")
        for at, status in ((-HOUR, TicketStatus.OPEN), (-60, TicketStatus.RESOLVED))
    ]
    daemon.take(now, *late)
    assert len(daemon.statements) == said
    daemon.take(now + 1, ticket(may, name="T-2"), ticket(may + HOUR, TicketStatus.RESOLVED, "T-2"))
    assert [one.start for one in daemon.statements[said:]] == [may]

    corrected = Daemon(agreement(dataclasses.replace(FIX, target=HOUR // 2)))
    for key, facts in daemon.monitor.facts():
        corrected.monitor.restore(key, facts)
    corrected.monitor.start(now + 1)
    corrected.take(now + 2)
    assert {one.start for one in corrected.statements} == {
        one.start for one in daemon.statements if one.start >= may
    }
    assert {one.reason for one in corrected.statements} == {RevisionReason.AGREEMENT_CORRECTED}


def test_an_objective_that_is_new_says_nothing_of_periods_before_the_horizon() -> None:
    """Their facts may be gone."""
    daemon = Daemon(agreement(FIX))
    daemon.take(NOW)
    renamed = Daemon(agreement(dataclasses.replace(FIX, name="resolution")))
    for key, facts in daemon.monitor.facts():
        renamed.monitor.restore(key, facts)
    renamed.monitor.start(NOW)
    renamed.take(NOW + 1)
    assert min(one.start for one in daemon.statements) < HORIZON
    assert {one.start for one in renamed.statements} == {
        one.start for one in daemon.statements if one.start >= HORIZON
    }


def test_at_the_first_start_all_history_is_judged_before_anything_of_it_is_forgotten() -> None:
    monitor = Monitor([agreement(FIX)], steps=False, keep=KEEP, at_hand=0)
    monitor.start(0)
    monitor.apply(ticket(MIDNIGHT))
    monitor.apply(ticket(MIDNIGHT + 2 * HOUR, TicketStatus.RESOLVED))
    monitor.advance(NOW)
    first = next(one.statement for one in monitor.drain() if isinstance(one, StatementIssued))
    assert first.tickets is not None
    assert first.tickets.missed == 1
    assert list(monitor.clocks()) == []


# ------------------------------------------------------------------------------------------------------- a little at once


def test_at_one_advance_only_a_little_is_forgotten_and_the_rest_soon_after_without_any_event() -> None:
    daemon = Daemon(agreement(FIX))
    count = 500
    for number in range(count):
        daemon.take(
            MIDNIGHT + 2,
            ticket(MIDNIGHT, name=f"T-{number}"),
            ticket(MIDNIGHT + 1, TicketStatus.RESOLVED, f"T-{number}"),
        )
    now = MIDNIGHT + KEEP + HOUR
    daemon.take(now)
    left = count
    while found := daemon.holds(FactKind.TICKET):
        assert left - 100 <= len(found) < left
        left = len(found)
        wake_at = daemon.monitor.wake_at()
        assert wake_at is not None
        assert wake_at <= now
        now += 1
        daemon.take(now)
    assert left <= 100
    daemon.take(now + 1)
    assert daemon.monitor.wake_at() == MIDNIGHT + KEEP + HOUR + 10 * MINUTE


def test_of_a_forgotten_ticket_nothing_is_held_any_more() -> None:
    monitor = Monitor([agreement(FIX)], steps=False, keep=KEEP, at_hand=HOUR)
    monitor.apply(ticket(MIDNIGHT, name="once known"))
    monitor.apply(ticket(MIDNIGHT + 1, TicketStatus.RESOLVED, "once known"))
    monitor.advance(MIDNIGHT + 1)
    monitor.advance(MIDNIGHT + DAY)
    assert len(monitor.customers["acme"].cold) == 1
    monitor.advance(NOW)
    assert list(monitor.clocks()) == []
    monitor.drain()
    gc.collect()
    assert [one for one in gc.get_objects() if isinstance(one, Ticket) and one.id == "once known"] == []


def test_decided_tickets_are_packed_when_they_were_not_heard_of_for_a_while() -> None:
    monitor = Monitor([agreement(FIX)], steps=False, at_hand=HOUR)
    monitor.apply(ticket(MIDNIGHT))
    monitor.apply(ticket(MIDNIGHT + 1, TicketStatus.RESOLVED))
    customer = monitor.customers["acme"]
    for now, packed in ((MIDNIGHT + 1, 0), (MIDNIGHT + HOUR, 0), (MIDNIGHT + 1 + HOUR, 1)):
        monitor.advance(now)
        assert (len(customer.tickets), len(customer.cold)) == (1 - packed, packed)
    assert monitor.apply(ticket(MIDNIGHT + 1, TicketStatus.RESOLVED)) is Taken.DUPLICATE
    assert len(customer.tickets) == 1
    monitor.advance(MIDNIGHT + 3 * HOUR)
    assert len(customer.cold) == 1


# ------------------------------------------------------------------------------------------------------- how long at least


@pytest.mark.parametrize(
    ("window", "days"),
    [
        (TimeWindow(Unit.WEEK, None), 7),
        (TimeWindow(Unit.MONTH, None), 31),
        (TimeWindow(Unit.QUARTER, None), 92),
        (TimeWindow(Unit.YEAR, None), 366),
        (TimeWindow(None, 30 * DAY), 30),
    ],
)
def test_facts_are_needed_for_the_longest_window_the_time_to_settle_and_35_days(
    window: TimeWindow, days: int
) -> None:
    by_tickets = dataclasses.replace(FIX, attainment=Attainment(window=window))
    assert needed(agreement(by_tickets)) == days * DAY + LEEWAY
    # An alert on a service also looks back over its longest burn-rate window, or over a rolling window in each of its instants.
    by_service = dataclasses.replace(SHOP, window=window)
    more = days if window.rolling is not None else 3
    assert needed(agreement(by_service)) == (days + more) * DAY + LEEWAY
    late = dataclasses.replace(agreement(by_tickets), reporting=Reporting(settle_after=2 * DAY))
    assert needed(late) == (days + 2) * DAY + LEEWAY


def test_facts_are_needed_for_as_long_as_the_cap_of_an_exclusion_counts() -> None:
    capped = ExclusionTerm("storms", ExclusionReason.FORCE_MAJEURE, cap=Cap(HOUR, Unit.YEAR))
    assert needed(dataclasses.replace(agreement(FIX), exclusions=(capped,))) == 366 * DAY + LEEWAY
