"""A real help desk, judged: 4,580 tickets of 397 customers, each accounted for, each second of them.

The expected times are computed from the log by arithmetic on sets of spans, not from the events: done is from a Resolve or
Closed to the next Take in charge, waiting is from a Wait to the next row.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from itertools import groupby
from pathlib import Path
from zoneinfo import ZoneInfo

import holidays
import pytest

from slamon.agreement_files import load
from slamon.codec import parse_instant
from slamon.domain.agreement import Measure
from slamon.domain.decisions import ClockOutcome, ClockRecord, Outcome, TicketCounts
from slamon.domain.events import DAY, HOUR, order_key
from slamon.domain.intervals import Span, intersect, subtract, union
from slamon.domain.monitor import Monitor
from slamon.replay import judge
from tests.scenarios.converters import Row, help_desk_events, help_desk_rows

TERMS = Path(__file__).parent / "agreements" / "helpdesk.yaml"
TICKETS = 4_580
MOVED = {f"Case {number}" for number in (732, 1129, 1345, 2436, 2918, 3897, 4259)}
OPENED_BEFORE_THE_RECORDING = 2  # first row: Resolve ticket
END = parse_instant("2014-01-03T13:20:58+01:00")  # the last row of the log


@dataclass(frozen=True)
class Desk:
    tickets: dict[str, list[Row]]
    monitor: Monitor
    clocks: dict[tuple[str, str, Measure], list[ClockRecord]]  # by agreement, ticket, measure


@pytest.fixture(scope="module")
def desk(recordings: Path) -> Desk:
    """Every customer of the log gets the same terms."""
    rows = list(help_desk_rows(recordings / "tickets" / "helpdesk.csv.gz"))
    loaded = load([TERMS])
    assert not loaded.faults
    customers = sorted({row.customer for row in rows})
    assert len(customers) == 397
    agreements = [
        replace(agreement, customer=customer) for customer in customers for agreement in loaded.agreements
    ]
    monitor = judge(agreements, sorted(help_desk_events(rows), key=order_key))
    tickets: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        tickets[row.ticket].append(row)
    clocks: dict[tuple[str, str, Measure], list[ClockRecord]] = defaultdict(list)
    for clock in monitor.clocks():
        clocks[clock.agreement, clock.ticket, clock.measure].append(clock)
    return Desk(tickets, monitor, clocks)


def opening_unknown(rows: list[Row]) -> bool:
    return rows[0].activity in ("Resolve ticket", "Closed")


def first_done(rows: list[Row], *endings: str) -> int:
    return min((row.time for row in rows if row.activity in endings), default=END)


def waits(rows: list[Row]) -> list[Span]:
    return union(
        (row.time, following)
        for row, following in zip(rows, [*(row.time for row in rows[1:]), END], strict=True)
        if row.activity == "Wait"
    )


def done(rows: list[Row], *endings: str) -> list[Span]:
    taken = [row.time for row in rows if row.activity == "Take in charge ticket"]
    return union(
        (row.time, min((again for again in taken if again > row.time), default=END + 1))
        for row in rows
        if row.activity in endings
    )


def running(rows: list[Row], *endings: str) -> list[Span]:
    """When the desk owed a resolution and did not wait on the customer. `endings`: what counts as the end.

    A Wait on a resolved ticket is none: it has been answered.
    """
    waiting = subtract(waits(rows), done(rows, "Resolve ticket", "Closed"))
    return subtract([(rows[0].time, END)], union(done(rows, *endings), waiting))


def length(spans: list[Span]) -> int:
    return sum(end - start for start, end in spans)


def settled(desk: Desk) -> Iterator[tuple[str, list[Row]]]:
    """Tickets that stayed with one customer from a known opening."""
    for ticket, rows in desk.tickets.items():
        if ticket not in MOVED and not opening_unknown(rows):
            yield ticket, rows


def test_every_ticket_is_accounted_for(desk: Desk) -> None:
    reasons = Counter(
        "moved to another customer"
        if ticket in MOVED
        else "opening unknown"
        if opening_unknown(rows)
        else "has its clocks"
        for ticket, rows in desk.tickets.items()
    )
    assert reasons == {
        "has its clocks": TICKETS - len(MOVED) - OPENED_BEFORE_THE_RECORDING,
        "moved to another customer": len(MOVED),
        "opening unknown": OPENED_BEFORE_THE_RECORDING,
    }
    assert desk.monitor.opening_unknown() == OPENED_BEFORE_THE_RECORDING
    for ticket, _ in settled(desk):
        for agreement in ("support", "internal"):
            for measure in (Measure.FIRST_RESPONSE, Measure.RESOLUTION):
                assert [clock.cycle for clock in desk.clocks[agreement, ticket, measure]] == [1], ticket


def test_a_ticket_that_moved_has_clocks_with_each_of_its_customers(desk: Desk) -> None:
    for ticket in MOVED:
        customers = {row.customer for row in desk.tickets[ticket]}
        assert len(customers) == 2
        for agreement in ("support", "internal"):
            for measure in (Measure.FIRST_RESPONSE, Measure.RESOLUTION):
                clocks = desk.clocks[agreement, ticket, measure]
                assert {clock.customer for clock in clocks} == customers
                opened = desk.tickets[ticket][0].time
                assert {clock.started_at for clock in clocks} == {opened}


def test_a_ticket_whose_opening_is_unknown_has_no_clock(desk: Desk) -> None:
    unknown = {ticket for ticket, rows in desk.tickets.items() if opening_unknown(rows)}
    assert len(unknown) == OPENED_BEFORE_THE_RECORDING
    assert not unknown & {ticket for _, ticket, _ in desk.clocks}


def test_there_is_no_clock_beside_those(desk: Desk) -> None:
    visits = {
        (row.customer, ticket)
        for ticket, rows in desk.tickets.items()
        if not opening_unknown(rows)
        for row in rows
    }
    clocks = [clock for group in desk.clocks.values() for clock in group]
    assert {(clock.customer, clock.ticket) for clock in clocks} == visits
    once = [clock for clock in clocks if clock.agreement in ("support", "internal")]
    assert len(once) == len(visits) * 2 * 2  # agreements, measures


def test_a_first_response_takes_from_the_opening_to_the_first_taking_in_charge_or_the_end(desk: Desk) -> None:
    for ticket, rows in settled(desk):
        [clock] = desk.clocks["internal", ticket, Measure.FIRST_RESPONSE]
        answered = first_done(rows, "Take in charge ticket", "Resolve ticket", "Closed")
        assert clock.elapsed == answered - rows[0].time, ticket


def test_a_resolution_takes_the_time_in_which_the_desk_was_at_it(desk: Desk) -> None:
    for ticket, rows in settled(desk):
        [clock] = desk.clocks["internal", ticket, Measure.RESOLUTION]
        assert clock.elapsed == length(running(rows, "Resolve ticket", "Closed")), ticket


def elapsed(desk: Desk, agreement: str, ticket: str, measure: Measure) -> list[int]:
    """Of each cycle, in their order."""
    clocks = sorted(desk.clocks[agreement, ticket, measure], key=lambda clock: clock.cycle)
    assert [clock.cycle for clock in clocks] == list(range(1, len(clocks) + 1))
    return [clock.elapsed for clock in clocks]


def test_each_reopening_is_a_resolution_of_its_own_where_that_was_agreed(desk: Desk) -> None:
    """Waits included; a ticket that was resolved as it opened has one cycle all the same."""
    cycles = 0
    for ticket, rows in settled(desk):
        open_spans = subtract([(rows[0].time, END)], done(rows, "Resolve ticket", "Closed"))
        expected = [end - start for start, end in open_spans] or [0]
        assert elapsed(desk, "strict", ticket, Measure.RESOLUTION) == expected, ticket
        cycles += len(expected)
    assert cycles == 4_727


def silences(rows: list[Row]) -> Iterator[int]:
    """How long the customer heard nothing, from each taking in charge, and from each reopening, to the next or the end."""
    since: int | None = None
    was_done = False
    for at, moment in groupby(rows, key=lambda row: row.time):
        activities = [row.activity for row in moment]
        words = [word for word in activities if word in ("Take in charge ticket", "Resolve ticket", "Closed")]
        is_done = words[-1] != "Take in charge ticket" if words else was_done
        if since is not None and is_done and not was_done:
            yield at - since
            since = None
        if was_done and not is_done:
            since = at
        for _ in range(words.count("Take in charge ticket")):
            if since is not None:
                yield at - since
            since = None if is_done else at
        was_done = is_done
    if since is not None:
        yield END - since


def test_a_customer_hears_from_the_desk_as_often_as_its_takings_in_charge_say(desk: Desk) -> None:
    cycles = 0
    for ticket, rows in settled(desk):
        expected = list(silences(rows))
        assert elapsed(desk, "strict", ticket, Measure.UPDATE) == expected, ticket
        cycles += len(expected)
    assert cycles == 5_204


def office_hours() -> list[Span]:
    """Monday to Friday 09:00-13:00 and 14:00-18:00 in Rome, but for Italian holidays, day by day."""
    rome = ZoneInfo("Europe/Rome")
    closed = holidays.country_holidays("IT", years=range(2009, 2016))
    spans = []
    day = date(2009, 12, 31)
    while day < date(2014, 1, 6):
        if day.weekday() < 5 and day not in closed:
            for opens, closes in ((9, 13), (14, 18)):
                start, end = (
                    parse_instant(datetime.combine(day, time(hour), rome).isoformat())
                    for hour in (opens, closes)
                )
                spans.append((start, end))
        day += timedelta(days=1)
    return spans


def test_office_hours_are_counted_to_the_second(desk: Desk) -> None:
    office = office_hours()
    counted = 0
    for ticket, rows in settled(desk):
        if len({(row.service_level, row.priority) for row in rows}) > 1:
            continue  # other terms in mid-life; the time of each is in the laws
        [clock] = desk.clocks["support", ticket, Measure.RESOLUTION]
        endings = ("Closed",) if clock.objective == "closed-others" else ("Resolve ticket", "Closed")
        assert clock.elapsed == length(intersect(running(rows, *endings), office)), ticket
        [clock] = desk.clocks["support", ticket, Measure.FIRST_RESPONSE]
        answered = first_done(rows, "Take in charge ticket", "Resolve ticket", "Closed")
        assert clock.elapsed == length(intersect([(rows[0].time, answered)], office)), ticket
        counted += 1
    assert counted == 4_480


def test_missed_is_more_than_the_target_and_nothing_else(desk: Desk) -> None:
    targets = {
        "taken-first-rank": 4 * HOUR,
        "taken": 8 * HOUR,
        "solved-level-1": 5 * 8 * HOUR,
        "solved-level-2": 10 * 8 * HOUR,
        "closed-others": 30 * 8 * HOUR,
        "taken-in-a-day": DAY,
        "solved-in-thirty-days": 30 * DAY,
        "solved-each-time": 20 * DAY,
        "never-silent": 10 * DAY,
    }
    outcomes: Counter[ClockOutcome] = Counter()
    for clock in (clock for group in desk.clocks.values() for clock in group):
        outcomes[clock.outcome] += 1
        assert clock.target == targets[clock.objective]
        assert (clock.outcome is ClockOutcome.MISSED) == (clock.breached_at is not None)
        if clock.outcome is not ClockOutcome.VOID:
            assert (clock.outcome is ClockOutcome.MISSED) == (clock.elapsed > clock.target), clock
    assert outcomes == {
        ClockOutcome.MET: 20_555,
        ClockOutcome.MISSED: 7_716,
        ClockOutcome.PENDING: 7,
        ClockOutcome.VOID: 18,
    }


def test_only_a_ticket_that_moved_is_void(desk: Desk) -> None:
    clocks = [clock for group in desk.clocks.values() for clock in group]
    assert {clock.ticket for clock in clocks if clock.outcome is ClockOutcome.VOID} <= MOVED


def test_every_decided_clock_is_in_one_statement_or_in_the_running_period(desk: Desk) -> None:
    counted: Counter[tuple[str, str, str]] = Counter()
    reported: Counter[tuple[str, str, str]] = Counter()
    for clock in (clock for group in desk.clocks.values() for clock in group):
        if clock.outcome in (ClockOutcome.MET, ClockOutcome.MISSED):
            counted[clock.customer, clock.objective, clock.outcome.value] += 1

    def report(customer: str, objective: str, tickets: TicketCounts | None) -> None:
        assert tickets is not None
        reported[customer, objective, "met"] += tickets.met
        reported[customer, objective, "missed"] += tickets.missed

    for statement in desk.monitor.statements():
        report(statement.customer, statement.objective, statement.tickets)
    for standing in desk.monitor.standings():
        report(standing.customer, standing.objective, standing.tickets)
    assert +reported == counted


def test_what_a_month_of_silences_costs_is_a_hundredth_of_the_fee_each_and_eight_at_most(desk: Desk) -> None:
    paid = 0
    for statement in desk.monitor.statements():
        if statement.objective != "never-silent":
            continue
        assert statement.tickets is not None
        assert statement.credit is not None
        missed = statement.tickets.missed if statement.outcome is Outcome.MISSED else 0
        due = min(missed * 10, 80)
        assert (statement.credit.amount, statement.credit.currency) == (f"{due}.00", "EUR")
        paid += due
    assert paid == 3_470


def test_the_whole_desk_has_the_verdicts_it_had(desk: Desk) -> None:
    """The figures as first judged, so that a change of any rule is seen."""
    totals: Counter[tuple[str, str]] = Counter()
    for clock in (clock for group in desk.clocks.values() for clock in group):
        totals[clock.objective, clock.outcome.value] += 1
    assert totals == {
        ("closed-others", "met"): 667,
        ("closed-others", "missed"): 262,
        ("closed-others", "void"): 2,
        ("solved-in-thirty-days", "met"): 4325,
        ("solved-in-thirty-days", "missed"): 250,
        ("solved-in-thirty-days", "pending"): 4,
        ("solved-in-thirty-days", "void"): 6,
        ("solved-level-1", "met"): 87,
        ("solved-level-1", "missed"): 29,
        ("solved-level-1", "void"): 1,
        ("solved-level-2", "met"): 2666,
        ("solved-level-2", "missed"): 867,
        ("solved-level-2", "pending"): 3,
        ("solved-level-2", "void"): 1,
        ("taken", "met"): 1526,
        ("taken", "missed"): 963,
        ("taken-first-rank", "met"): 1035,
        ("taken-first-rank", "missed"): 1061,
        ("taken-in-a-day", "met"): 2622,
        ("taken-in-a-day", "missed"): 1963,
        ("never-silent", "met"): 3966,
        ("never-silent", "missed"): 1245,
        ("never-silent", "void"): 4,
        ("solved-each-time", "met"): 3661,
        ("solved-each-time", "missed"): 1076,
        ("solved-each-time", "void"): 4,
    }
