"""The converters, on rows small enough to be read."""

from pathlib import Path

import pytest

from slamon.codec import parse_instant
from slamon.domain.events import Reply, ServiceStatus, TicketEvent, TicketStatus
from tests.scenarios.converters import (
    Row,
    edition,
    help_desk_events,
    help_desk_rows,
    shop_number,
    upptime_checks,
    upptime_transitions,
)

OPEN, WAITING, RESOLVED, CLOSED, CANCELLED = TicketStatus


def rows(*activities: str, customers: str = "") -> list[Row]:
    """A ticket with one activity an hour; `customers` has a letter for each, `a` where none is given."""
    return [
        Row(
            line=index + 2,
            ticket="Case 1",
            activity=activity,
            time=index * 3_600_000_000,
            customer=(customers or "a" * len(activities))[index],
            priority="seriousness-1",
            service_level="level-2",
            workgroup="group-3",
        )
        for index, activity in enumerate(activities)
    ]


def statuses(*activities: str) -> list[TicketStatus | None]:
    return [event.status for event in help_desk_events(rows(*activities))]


def test_a_ticket_lives_as_the_log_tells() -> None:
    taken = "Take in charge ticket"
    assert statuses("Assign seriousness", taken, "Wait", taken, "Resolve ticket", "Closed") == [
        OPEN,
        OPEN,
        WAITING,
        OPEN,
        RESOLVED,
        CLOSED,
    ]


def test_any_activity_ends_a_wait() -> None:
    assert statuses("Wait", "Require upgrade", "Wait", "Assign seriousness", "Wait", "Wait") == [
        WAITING,
        OPEN,
        WAITING,
        OPEN,
        WAITING,
        WAITING,
    ]


def test_only_taking_in_charge_undoes_a_resolution() -> None:
    others = ("Wait", "VERIFIED", "Assign seriousness")
    assert statuses("Resolve ticket", *others, "Take in charge ticket") == [RESOLVED] * 4 + [OPEN]
    assert statuses("Closed", *others, "Resolve ticket", "Take in charge ticket") == [CLOSED] * 5 + [OPEN]


def test_taking_in_charge_is_an_agents_answer() -> None:
    events = list(help_desk_events(rows("Assign seriousness", "Take in charge ticket")))
    assert [event.reply for event in events] == [None, Reply.AGENT]


def test_a_ticket_that_moves_is_cancelled_here_and_begins_there_as_it_was() -> None:
    moved = rows("Assign seriousness", "Resolve ticket", "VERIFIED", "Closed", customers="aabb")
    first, second, left, arrived, closed = help_desk_events(moved)
    assert (first.customer, second.customer, left.customer) == ("a", "a", "a")
    assert left.status is CANCELLED
    assert left.time == arrived.time
    assert (arrived.customer, arrived.status, arrived.opened_at) == ("b", RESOLVED, first.time)
    assert arrived.priority == "seriousness-1"
    assert (closed.customer, closed.status, closed.opened_at) == ("b", CLOSED, None)


def test_a_ticket_that_comes_back_is_cancelled_where_it_was() -> None:
    events = list(help_desk_events(rows("Wait", "Wait", "Wait", customers="aba")))
    assert [(event.customer, event.status) for event in events] == [
        ("a", WAITING),
        ("a", CANCELLED),
        ("b", WAITING),
        ("b", CANCELLED),
        ("a", WAITING),
    ]
    assert len({event.id for event in events}) == len(events)


def test_numbered_shops_are_customers_and_other_sites_are_everybodys() -> None:
    assert shop_number("27654-lime-commerce-production") == "27654"
    assert shop_number("lime-commerce-production") is None
    assert shop_number("12345-") is None
    assert edition("parzival") == "parzival"


def test_the_help_desk_log_is_read_in_the_time_of_rome(recordings: Path) -> None:
    first = next(help_desk_rows(recordings / "tickets" / "helpdesk.csv.gz"))
    assert first == Row(
        line=2,
        ticket="Case 1",
        activity="Assign seriousness",
        time=parse_instant("2012-10-09T14:50:17+02:00"),
        customer="customer-1",
        priority="seriousness-1",
        service_level="level-1",
        workgroup="group-1",
    )
    event = next(help_desk_events([first]))
    assert event == TicketEvent(
        id="2",
        time=first.time,
        customer="customer-1",
        ticket="Case 1",
        seq=2,
        status=OPEN,
        priority="seriousness-1",
        attributes={"service_level": "level-1", "workgroup": "group-1"},
    )


@pytest.mark.parametrize("name", ["LimeCommerce__upptime", "DHBern__upptime_digitaleditions"])
def test_checks_and_transitions_tell_one_history(recordings: Path, name: str) -> None:
    changes: dict[str, list[tuple[int, ServiceStatus]]] = {}
    for event in upptime_checks(recordings / "availability" / f"{name}_checks.csv.gz", edition):
        history = changes.setdefault(event.service, [])
        if not history or history[-1][1] is not event.status:
            history.append((event.time, event.status))
    told: dict[str, list[tuple[int, ServiceStatus]]] = {}
    for event in upptime_transitions(recordings / "availability" / f"{name}_transitions.csv", edition):
        told.setdefault(event.service, []).append((event.time, event.status))
    assert told == changes
