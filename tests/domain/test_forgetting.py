"""What is kept for how long, and what comes too late or is too much to be taken."""

from slamon.domain.agreement import Agreement, ExclusionTerm, Measure, Objective, Reporting, TicketObjective
from slamon.domain.calendars import ALWAYS
from slamon.domain.events import (
    DAY,
    HOUR,
    Event,
    ExclusionReason,
    Taken,
    TicketEvent,
    TicketStatus,
)
from slamon.domain.monitor import Monitor
from tests.laws.worlds import MIDNIGHT, day_of

KEEP = 100 * DAY
NOW = MIDNIGHT + 200 * DAY
HORIZON = NOW - KEEP
FIX = TicketObjective("fix", Measure.RESOLUTION, HOUR, ALWAYS)


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
    return TicketEvent(f"{time}", time, "acme", name, status=status, opened_at=opened_at)


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
