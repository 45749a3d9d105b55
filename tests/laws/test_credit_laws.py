"""What must hold of credits and corrections, whatever was promised, whatever happened, whenever it was heard."""

import dataclasses
from collections.abc import Sequence
from fractions import Fraction
from random import Random
from typing import NamedTuple

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from slamon import records
from slamon.domain.agreement import (
    Agreement,
    Attainment,
    Band,
    Bands,
    CreditTerm,
    Fee,
    Linear,
    Measure,
    Objective,
    PerMiss,
    Remedies,
    Reporting,
    TicketFilter,
    TicketObjective,
)
from slamon.domain.calendars import ALWAYS
from slamon.domain.decisions import (
    AlertChanged,
    Facts,
    Outcome,
    Reason,
    RevisionReason,
    Statement,
    StatementIssued,
    Transition,
)
from slamon.domain.events import DAY, HOUR, Event, TicketEvent, TicketStatus
from slamon.domain.intervals import FOREVER
from slamon.domain.monitor import Monitor
from slamon.domain.periods import TimeWindow, Unit
from slamon.domain.service_credits import share_due
from slamon.replay import judge
from tests.laws.test_laws_of_the_step import Daemon, journey, shuffled, told
from tests.laws.worlds import CUSTOMER, MIDNIGHT, World, day_of, pick, service_worlds, ticket_worlds

laws = settings(deadline=None, max_examples=80)
dear = settings(deadline=None, max_examples=50)
chances = st.randoms(use_true_random=False)

PERCENT = Fraction(1, 100)
_SHARES = tuple(share * PERCENT for share in (10, 1, 25, 100, Fraction(1, 3)))
_CAPS = (None, 15 * PERCENT, 40 * PERCENT, Fraction(1))
_FEES = (
    None,
    Fee(Fraction("12000.01"), "EUR", Unit.MONTH),
    Fee(Fraction(777), "JPY", Unit.WEEK),
    Fee(Fraction("0.07"), "KWD", Unit.QUARTER),
)
_BANDS = (
    Bands((Band(Fraction(1), 10 * PERCENT), Band(Fraction(1, 2), 50 * PERCENT))),
    Bands((Band(Fraction(9, 10), Fraction(1)),)),
)


def _credit(draw: st.DrawFn, objective: Objective) -> CreditTerm:
    ways: list[Bands | PerMiss | Linear] = [*_BANDS, Linear(Fraction(3, 2))]
    if isinstance(objective, TicketObjective):
        ways.append(PerMiss(pick(draw, _SHARES)))
    return CreditTerm(objective.name, pick(draw, ways), pick(draw, _CAPS))


_WEEK = TimeWindow(unit=Unit.WEEK, rolling=None)


def _by_the_week(objective: Objective) -> Objective:
    """Easily missed, over a period that others have, too."""
    if isinstance(objective, TicketObjective):
        return dataclasses.replace(objective, attainment=Attainment(window=_WEEK))
    return dataclasses.replace(objective, window=_WEEK, target=Fraction(999, 1000))


def _credited(draw: st.DrawFn, agreement: Agreement) -> Agreement:
    by_the_week = pick(draw, (True, True, False))
    objectives = tuple(map(_by_the_week, agreement.objectives)) if by_the_week else agreement.objectives
    return dataclasses.replace(
        agreement,
        objectives=objectives,
        reporting=Reporting(Unit.WEEK, 0) if by_the_week else agreement.reporting,
        remedies=Remedies(
            credits=tuple(_credit(draw, pick(draw, objectives)) for _ in range(pick(draw, (2, 4, 1, 3)))),
            fee=pick(draw, (*_FEES[1:], *_FEES)),
            cap=pick(draw, (20 * PERCENT, None, 5 * PERCENT, Fraction(1))),
            claim_within=pick(draw, (None, 1)),
        ),
    )


_PRIORITIES = ("P1", "P2", "P3")
_CAPPED = Agreement(
    name="main",
    customer=CUSTOMER,
    zone="UTC",
    start=MIDNIGHT - 7 * DAY,
    end=FOREVER,
    first_day=day_of(MIDNIGHT - 7 * DAY),
    objectives=tuple(
        TicketObjective(
            name,
            Measure.RESOLUTION,
            HOUR,
            ALWAYS,
            when=TicketFilter(priority=frozenset({name})),
            attainment=Attainment(window=_WEEK),
        )
        for name in _PRIORITIES
    ),
    remedies=Remedies(
        credits=tuple(CreditTerm(name, PerMiss(10 * PERCENT)) for name in ("P2", "P3", "P1")),
        fee=_FEES[1],
        cap=25 * PERCENT,
    ),
    reporting=Reporting(Unit.WEEK, 0),
)


@st.composite
def capped_worlds(draw: st.DrawFn) -> World:
    """Tickets of one week, of objectives that share a cap; some of it is heard when the week is over."""
    events: list[Event] = [
        TicketEvent("e", MIDNIGHT + HOUR, CUSTOMER, "T-next", status=TicketStatus.OPEN, priority="P1")
    ]
    for number in range(1 + pick(draw, range(5))):
        ticket, opened_at = f"T-{number}", MIDNIGHT - DAY + number * HOUR
        priority, took = pick(draw, _PRIORITIES), pick(draw, (HOUR, HOUR + 1, 2 * HOUR))
        opened = TicketEvent("a", opened_at, CUSTOMER, ticket, status=TicketStatus.OPEN, priority=priority)
        done = TicketEvent("b", opened_at + took, CUSTOMER, ticket, status=TicketStatus.RESOLVED)
        events += [opened, done]
    return World((_CAPPED,), tuple(events), MIDNIGHT - DAY, MIDNIGHT + 2 * HOUR, HOUR)


@st.composite
def credited_worlds(draw: st.DrawFn) -> World:
    """Worlds in which missing a target costs something, of one objective or of several under a common cap."""
    if pick(draw, (False, False, True)):
        return draw(capped_worlds())
    world = draw(st.one_of(ticket_worlds(), service_worlds()))
    return world._replace(agreements=tuple(_credited(draw, one) for one in world.agreements))


@st.composite
def corrected_worlds(draw: st.DrawFn) -> tuple[World, tuple[Agreement, ...]]:
    """A world, and what its agreements should have said: something else about the same, or of another world."""
    world = draw(credited_worlds())
    if pick(draw, (True, True, False)):
        return world, tuple(_credited(draw, one) for one in world.agreements)
    return world, draw(credited_worlds()).agreements


def version_of(statement: Statement, agreements: Sequence[Agreement]) -> Agreement:
    (found,) = (
        one for one in agreements if one.name == statement.agreement and one.start < statement.end <= one.end
    )
    return found


class Version(NamedTuple):
    agreement: str
    start: int
    end: int


# ------------------------------------------------------------------------------------------------------------- credits


@laws
@given(credited_worlds(), chances)
def test_what_is_credited_for_a_period_is_what_is_due_up_to_the_common_cap(
    world: World, chance: Random
) -> None:
    due: dict[Version, Fraction] = {}
    given_: dict[Version, Fraction] = {}
    caps: dict[Version, Fraction | None] = {}
    for one in judge(world.agreements, shuffled(world.events, chance), world.until).statements():
        agreement = version_of(one, world.agreements)
        assert agreement.remedies is not None
        named = {term.objective for term in agreement.remedies.credits}
        assert (one.credit is None) == (one.objective not in named)
        if one.credit is None:
            continue
        share = Fraction(*one.credit.share)
        own = _own_share(one, agreement)
        period = Version(one.agreement, one.start, one.end)
        due[period] = due.get(period, Fraction(0)) + own
        given_[period] = given_.get(period, Fraction(0)) + share
        caps[period] = agreement.remedies.cap
        assert 0 <= share <= own
        assert share == 0 or one.outcome is Outcome.MISSED
        assert (one.claim_until is None) == (share == 0 or agreement.remedies.claim_within is None)
    for period, cap in caps.items():
        assert given_[period] == (due[period] if cap is None else min(cap, due[period]))


@laws
@given(credited_worlds(), chances)
def test_no_objective_is_credited_more_than_its_own_caps_add_up_to(world: World, chance: Random) -> None:
    for one in judge(world.agreements, shuffled(world.events, chance), world.until).statements():
        remedies = version_of(one, world.agreements).remedies
        assert remedies is not None
        caps = [term.cap for term in remedies.credits if term.objective == one.objective]
        if one.credit is not None and None not in caps:
            assert Fraction(*one.credit.share) <= sum(cap for cap in caps if cap is not None)


@laws
@given(credited_worlds(), chances)
def test_the_entries_of_all_revisions_add_up_to_the_newest_amount(world: World, chance: Random) -> None:
    daemon = Daemon(world.agreements, steps=True)
    for batch, now in journey(world, chance):
        daemon.take(batch, now)
    booked: dict[tuple[str, str, int, int], Fraction] = {}
    newest: dict[tuple[str, str, int, int], Statement] = {}
    for one in daemon.statements:
        key = (one.agreement, one.objective, one.start, one.end)
        assert one.revision == (newest[key].revision + 1 if key in newest else 1)
        assert (one.reason is None) == (one.revision == 1)
        newest[key] = one
        if one.entry is not None:
            booked[key] = booked.get(key, Fraction(0)) + Fraction(one.entry)
    for key, one in newest.items():
        amount = None if one.credit is None else one.credit.amount
        assert booked.get(key) == (None if amount is None else Fraction(amount))


@laws
@given(credited_worlds(), chances)
def test_no_order_of_arrival_changes_what_is_credited(world: World, chance: Random) -> None:
    first = judge(world.agreements, shuffled(world.events, chance), world.until)
    second = judge(world.agreements, shuffled(world.events, chance), world.until)
    assert told(first).statements == told(second).statements


@dear
@given(credited_worlds(), chances, st.booleans())
def test_a_restart_books_nothing(world: World, chance: Random, steps: bool) -> None:
    daemon = Daemon(world.agreements, steps=steps)
    for batch, now in journey(world, chance):
        daemon.take(batch, now)
        fresh, _, statements = daemon.restored(now)
        assert statements == []
        assert list(fresh.statements()) == list(daemon.monitor.statements())


# --------------------------------------------------------------------------------------------------------- corrections


def corrected(daemon: Daemon, agreements: Sequence[Agreement], now: int) -> Daemon:
    """A daemon that goes on with other agreements from the kept facts."""
    successor = Daemon(agreements, steps=daemon.steps)
    for key, facts in daemon.facts.items():
        successor.monitor.restore(key, facts)
    successor.facts = dict(daemon.facts)
    successor.monitor.start(now)
    successor.pass_to(now)
    return successor


def unsaid(facts: Facts) -> bool:
    """What happened, without what was said about it."""
    return facts.alert is None and facts.statement is None


@dear
@given(corrected_worlds(), chances)
def test_corrected_terms_come_to_what_they_would_have_come_to_from_the_beginning(
    pair: tuple[World, tuple[Agreement, ...]], chance: Random
) -> None:
    world, agreements = pair
    before = Daemon(world.agreements, steps=False)
    now = world.start
    for batch, now in journey(world, chance):
        before.take(batch, now)
    after = corrected(before, agreements, now)
    fresh = Daemon(agreements, steps=False)
    fresh.facts = {key: facts for key, facts in before.facts.items() if unsaid(facts)}
    never_otherwise = corrected(fresh, agreements, now)

    assert told(after.monitor).clocks == told(never_otherwise.monitor).clocks
    assert told(after.monitor).standings == told(never_otherwise.monitor).standings
    firing = [{one.id for one in daemon.monitor.firing()} for daemon in (after, never_otherwise)]
    assert firing[0] == firing[1]
    known = {records.statement_key(one)[:-1]: one for one in before.monitor.statements()}
    found = {records.statement_key(one)[:-1]: one for one in after.monitor.statements()}
    judged = {records.statement_key(one)[:-1]: one for one in never_otherwise.monitor.statements()}
    assert judged.keys() <= found.keys()
    assert found.keys() - judged.keys() <= known.keys()
    for key, one in judged.items():
        assert contents(found[key]) == contents(one)
        assert found[key].revision <= (known[key].revision if key in known else 0) + 1


def contents(statement: Statement) -> bytes:
    return records.statement_record(msgspec.structs.replace(statement, revision=1))


@dear
@given(corrected_worlds(), chances)
def test_a_correction_is_said_once_and_for_its_reason(
    pair: tuple[World, tuple[Agreement, ...]], chance: Random
) -> None:
    world, agreements = pair
    before = Daemon(world.agreements, steps=False)
    now = world.start
    for batch, now in journey(world, chance):
        before.take(batch, now)
    after = corrected(before, agreements, now)
    for statement in after.statements:
        first = statement.revision == 1
        assert statement.reason is (None if first else RevisionReason.AGREEMENT_CORRECTED)
    again = corrected(after, agreements, now)
    assert again.statements == []
    assert again.alerts == []


@dear
@given(credited_worlds(), chances)
def test_a_document_that_takes_over_later_changes_nothing_of_what_was_said(
    world: World, chance: Random
) -> None:
    """The one that ran on for ever gets a last day ahead, and the next one begins there with other terms."""
    before = Daemon(world.agreements, steps=False)
    now = world.start
    for batch, now in journey(world, chance):
        before.take(batch, now)
    later = now + 400 * DAY  # beyond every period that has begun
    ended = [one if one.end != FOREVER else dataclasses.replace(one, end=later) for one in world.agreements]
    following = [
        dataclasses.replace(
            one,
            start=later,
            end=FOREVER,
            remedies=None,
            objectives=tuple(map(dataclasses.replace, one.objectives)),  # each document has its own
        )
        for one in world.agreements
        if one.end == FOREVER
    ]
    after = corrected(before, [*ended, *following], now)
    assert after.statements == []
    assert after.alerts == []
    assert list(after.monitor.statements()) == list(before.monitor.statements())


@dear
@given(credited_worlds(), chances)
def test_without_its_agreement_every_alert_ends_as_amended(world: World, chance: Random) -> None:
    before = Daemon(world.agreements, steps=False)
    now = world.start
    for batch, now in journey(world, chance):
        before.take(batch, now)
    gone = Monitor([], steps=False)
    for key, facts in before.facts.items():
        gone.restore(key, facts)
    gone.start(now)
    gone.advance(now)
    decisions = gone.drain()
    ended = [one.transition for one in decisions if isinstance(one, AlertChanged)]
    assert {one.id for one in ended} == {one.id for one in before.monitor.firing()}
    assert all((one.transition, one.reason) == (Transition.RESOLVED, Reason.AMENDED) for one in ended)
    assert not [one for one in decisions if isinstance(one, StatementIssued)]
    assert not list(gone.firing())


def test_the_worlds_have_what_the_laws_speak_of() -> None:
    """A law over worlds in which nothing happens proves nothing."""
    seen: set[object] = set()

    @settings(deadline=None, max_examples=250, database=None, derandomize=True)
    @given(corrected_worlds(), chances)
    def look(pair: tuple[World, tuple[Agreement, ...]], chance: Random) -> None:
        world, agreements = pair
        before = Daemon(world.agreements, steps=True)
        now = world.start
        for batch, now in journey(world, chance):
            before.take(batch, now)
        after = corrected(before, agreements, now)
        seen.update(one.reason for one in (*before.statements, *after.statements))
        seen.update((one.transition, one.reason) for one in after.alerts)
        seen.update(
            "limited by the common cap"
            for one in before.statements
            if one.credit is not None
            and Fraction(*one.credit.share) < _own_share(one, version_of(one, world.agreements))
        )

    look()
    assert {*RevisionReason, None, "limited by the common cap"} <= seen
    assert {(Transition.RESOLVED, Reason.AMENDED), (Transition.FIRED, Reason.LIMIT_EXCEEDED)} <= seen


def _own_share(statement: Statement, agreement: Agreement) -> Fraction:
    (objective,) = (one for one in agreement.objectives if one.name == statement.objective)
    return share_due(agreement, objective, statement)
