"""What a decided ticket came to stands beside its events: it comes back by that, and is forgotten by that, unjudged."""

import dataclasses
import shutil
from collections.abc import Callable, Iterable
from importlib.metadata import version
from pathlib import Path

import pytest

from slamon.domain import judged_by, ticket_rows
from slamon.domain.agreement import Agreement, Measure, TicketObjective
from slamon.domain.calendars import ALWAYS
from slamon.domain.customer import Customer
from slamon.domain.decisions import FactKey, FactKind, Upshot
from slamon.domain.events import DAY, HOUR, MINUTE, Taken, TicketEvent, TicketStatus
from slamon.domain.monitor import Monitor
from tests.laws.worlds import MIDNIGHT, day_of

NOW = MIDNIGHT + 2 * DAY
OPEN, RESOLVED = TicketStatus.OPEN, TicketStatus.RESOLVED
FIX = TicketObjective("fix", Measure.RESOLUTION, HOUR, ALWAYS)
ANSWER = TicketObjective("answer", Measure.FIRST_RESPONSE, HOUR, ALWAYS)
TERMS = Agreement(
    name="terms",
    customer="acme",
    zone="UTC",
    start=MIDNIGHT,
    end=MIDNIGHT + 4000 * DAY,
    first_day=day_of(MIDNIGHT),
    objectives=(FIX, ANSWER),
)
KEY = FactKey(FactKind.TICKET, "acme", "T-1")


def story(after: int, last: TicketStatus = RESOLVED) -> list[TicketEvent]:
    """Of a ticket that is opened, and has another status so long after."""
    return [
        TicketEvent(f"{at}", MIDNIGHT + at, "acme", "T-1", status=status)
        for at, status in ((0, OPEN), (after, last))
    ]


def judged(events: Iterable[TicketEvent]) -> Monitor:
    monitor = Monitor([TERMS], steps=False)
    for event in events:
        monitor.apply(event)
    monitor.advance(NOW)
    monitor.drain()
    return monitor


def restored(of: Monitor, terms: Agreement = TERMS, *, keep: int | None = None) -> Monitor:
    """With what was written of it, before it judges."""
    fresh = Monitor([terms], steps=False, keep=keep)
    for key, facts in of.facts():
        upshot = of.upshot(key)
        packed = None if upshot is None else ticket_rows.pack(facts.tickets or (), upshot)
        if packed is None or not fresh.restore_packed(key, packed):
            fresh.restore(key, facts)
    fresh.start(NOW)
    return fresh


def customer(of: Monitor) -> Customer:
    return of.customers["acme"]


@pytest.mark.parametrize("after", [MINUTE, 2 * HOUR], ids=["met", "missed, and alerted"])
def test_a_decided_ticket_comes_back_without_being_judged(after: int) -> None:
    before = judged(story(after))
    after_restart = restored(before)
    assert "T-1" in customer(after_restart).cold
    assert list(after_restart.standings()) == list(before.standings())
    assert list(after_restart.clocks()) == list(before.clocks())
    assert dict(after_restart.facts()) == dict(before.facts())


def test_what_came_back_unjudged_goes_on_when_it_is_heard_of_again() -> None:
    before = judged(story(2 * HOUR))
    after_restart = restored(before)
    again = TicketEvent("again", MIDNIGHT + DAY, "acme", "T-1", status=OPEN)
    for monitor in (before, after_restart):
        assert monitor.apply(story(2 * HOUR)[1]) is Taken.DUPLICATE
        assert monitor.apply(again) is Taken.ACCEPTED
        assert monitor.upshot(KEY) is None, "what it comes to is open again"
        monitor.advance(NOW + 1)
    assert list(after_restart.clocks()) == list(before.clocks())
    assert list(after_restart.standings()) == list(before.standings())


def test_a_ticket_that_nobody_saw_open_is_counted_as_such_until_it_is_forgotten() -> None:
    before = judged(story(MINUTE)[1:])
    assert before.opening_unknown() == 1
    after_restart = restored(before, keep=100 * DAY)
    assert "T-1" in customer(after_restart).cold
    assert after_restart.opening_unknown() == 1
    after_restart.advance(NOW + 101 * DAY)
    assert after_restart.opening_unknown() == 0


def test_of_a_ticket_that_may_come_to_something_else_nothing_is_said() -> None:
    assert judged(story(MINUTE, OPEN)).upshot(KEY) is None
    unjudged = Monitor([TERMS], steps=False)
    for event in story(MINUTE):
        unjudged.apply(event)
    assert unjudged.upshot(KEY) is None


def other_target(terms: Agreement) -> Agreement:
    return dataclasses.replace(terms, objectives=(dataclasses.replace(FIX, target=MINUTE - 1), ANSWER))


def other_order(terms: Agreement) -> Agreement:
    return dataclasses.replace(terms, objectives=(ANSWER, FIX))


def other_end(terms: Agreement) -> Agreement:
    return dataclasses.replace(terms, end=MIDNIGHT + 1)


@pytest.mark.parametrize("change", [other_target, other_order, other_end])
def test_by_other_terms_it_is_judged_anew(change: Callable[[Agreement], Agreement]) -> None:
    after_restart = restored(judged(story(MINUTE)), change(TERMS))
    assert "T-1" in customer(after_restart).tickets
    by_the_terms_of_now = Monitor([change(TERMS)], steps=False)
    for event in story(MINUTE):
        by_the_terms_of_now.apply(event)
    for monitor in (after_restart, by_the_terms_of_now):
        monitor.advance(NOW)
    assert list(after_restart.clocks()) == list(by_the_terms_of_now.clocks())


@pytest.mark.parametrize(
    ("module", "package"), [("ticket_clock.py", None), (None, "tzdata"), (None, "holidays")]
)
def test_by_other_code_or_other_zones_and_holidays_it_is_judged_anew(
    module: str | None, package: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = judged(story(MINUTE))
    assert "T-1" not in customer(restored(before)).tickets
    domain = tmp_path / "domain"
    shutil.copytree(Path(judged_by.__file__).parent, domain)
    if module is not None:
        (domain / module).write_text("# other code")
    monkeypatch.setattr(judged_by, "files", lambda _: domain)
    monkeypatch.setattr(judged_by, "version", lambda name: "0" if name == package else version(name))
    monkeypatch.setattr(judged_by, "_judge", judged_by._judge.__wrapped__)  # what is kept of it is of before
    assert "T-1" in customer(restored(before)).tickets


@pytest.mark.parametrize("after", [MINUTE, 2 * HOUR], ids=["met", "missed, and alerted"])
def test_what_came_back_unjudged_is_forgotten_as_if_it_had_never_been(after: int) -> None:
    monitor = restored(judged(story(after)), keep=100 * DAY)
    monitor.advance(NOW + 101 * DAY)
    kinds = {key.kind for key, _ in monitor.facts()}
    assert kinds <= {FactKind.STATEMENT}, "of its periods"
    for objective in ("fix", "answer"):
        tally = customer(monitor).tally("terms", objective)
        assert (tally.met, tally.missed) == ([], [])


def test_the_tickets_packed_of_which_no_record_says_what_they_came_to_are_counted() -> None:
    assert judged(story(MINUTE)).told_in_part == 1, "packed at once, because it is so old"
    told = Monitor([TERMS], steps=False)
    for event in story(MINUTE):
        told.apply(event)
    told.advance(MIDNIGHT + 2 * MINUTE)
    assert isinstance(told.upshot(KEY), Upshot)
    told.advance(NOW)
    assert "T-1" in customer(told).cold
    assert told.told_in_part == 0
