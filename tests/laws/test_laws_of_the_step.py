"""What must hold of the step for every history: no order, no duplicate, no restart and no batching changes a verdict.

A monitor is fed as the daemon feeds it (`advance`, `apply`, `advance`, `drain`), so the clock may stand before or after
the time an event speaks of.
"""

import dataclasses
from collections.abc import Iterable, Sequence
from contextlib import closing
from fractions import Fraction
from functools import partial
from itertools import islice
from random import Random

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from slamon import records
from slamon.domain import monitor as step
from slamon.domain import service_facts, ticket_rows
from slamon.domain.agreement import (
    Agreement,
    Attainment,
    AvailabilityAlerts,
    AvailabilityObjective,
    BurnRatePair,
    Measure,
    Objective,
    Reporting,
    RequestsObjective,
    Share,
    Step,
    TicketObjective,
)
from slamon.domain.calendars import ALWAYS
from slamon.domain.decisions import (
    AlertChanged,
    AlertTransition,
    ClockOutcome,
    ClockRecord,
    ClockState,
    FactKey,
    FactKind,
    Facts,
    FactsChanged,
    Outcome,
    RequestCounts,
    StandingChanged,
    StandingState,
    Statement,
    StatementIssued,
    TicketCounts,
    Transition,
    Upshot,
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
    RequestsEvent,
    ServiceStatus,
    TicketEvent,
    TicketStatus,
)
from slamon.domain.intervals import FOREVER
from slamon.domain.monitor import AT_HAND, Monitor
from slamon.domain.periods import TimeWindow, Unit
from slamon.domain.terms import step_threshold
from slamon.replay import Replay, judge
from tests.laws.worlds import (
    BURN_RATES,
    CALENDARS,
    CUSTOMER,
    MIDNIGHT,
    World,
    day_of,
    request_worlds,
    service_worlds,
    ticket_worlds,
)

laws = settings(deadline=None, max_examples=80)
dear = settings(deadline=None, max_examples=50)  # judges a world at each of its events
worlds = st.one_of(ticket_worlds(), service_worlds(), request_worlds())
chances = st.randoms(use_true_random=False)


class Told(msgspec.Struct):
    """What a monitor says as of now, as the bytes that would be written."""

    clocks: list[bytes]
    standings: list[bytes]
    statements: list[bytes]


def told(monitor: Monitor) -> Told:
    """Without the numbers of revisions, which tell how often something was said."""
    return Told(
        [records.clock_record(clock) for clock in monitor.clocks()],
        [records.standing_record(standing) for standing in monitor.standings()],
        [
            records.statement_record(msgspec.structs.replace(statement, revision=1))
            for statement in monitor.statements()
        ],
    )


def shuffled(events: Iterable[Event], chance: Random, *, duplicates: bool = True) -> list[Event]:
    arrived = list(events)
    if duplicates:
        arrived += [event for event in arrived if chance.randrange(3) == 0]
    chance.shuffle(arrived)
    return arrived


# ------------------------------------------------------------------------------------------------- order and duplicates


@laws
@given(worlds, chances)
def test_no_order_of_arrival_and_no_duplicate_changes_a_byte(world: World, chance: Random) -> None:
    first = judge(world.agreements, shuffled(world.events, chance), world.until)
    second = judge(world.agreements, shuffled(world.events, chance), world.until)
    assert told(first) == told(second)


@laws
@given(worlds, chances)
def test_a_late_event_leaves_what_an_early_one_would_have_left(world: World, chance: Random) -> None:
    in_order = sorted(
        world.events, key=lambda event: (event.time, event.seq is not None, event.seq or 0, event.id)
    )
    late = judge(world.agreements, shuffled(world.events, chance), world.until)
    assert told(late) == told(judge(world.agreements, in_order, world.until))


# --------------------------------------------------------------------------------------------- one truth, at two speeds


class Daemon:
    """Keeps the facts that a monitor emits, and what tickets came to, as the changelog does, and follows its alerts."""

    def __init__(
        self,
        agreements: Sequence[Agreement],
        *,
        steps: bool,
        keep: int | None = None,
        at_hand: int = AT_HAND,
        hourly: bool = True,
    ) -> None:
        self.agreements = agreements
        self.steps = steps
        self.fresh = partial(Monitor, agreements, steps=steps, keep=keep, at_hand=at_hand, hourly=hourly)
        self.monitor = self.fresh()
        self.facts: dict[FactKey, Facts] = {}
        self.upshots: dict[FactKey, Upshot | None] = {}
        self.statements: list[Statement] = []
        self.alerts: list[AlertTransition] = []

    def pass_to(self, now: int) -> None:
        self.monitor.advance(now)
        self.keep()

    def take(self, events: Iterable[Event], now: int) -> None:
        self.monitor.advance(now)
        for event in events:
            self.monitor.apply(event)
        self.monitor.advance(now)
        self.keep()

    def keep(self) -> None:
        for decision in self.monitor.drain():
            match decision:
                case FactsChanged(key, None):
                    self.facts.pop(key, None)
                case FactsChanged(key, facts) if facts is not None:
                    self.facts[key] = facts
                    self.upshots[key] = self.monitor.upshot(key) if facts.tickets is not None else None
                case StatementIssued(statement):
                    self.statements.append(statement)
                case AlertChanged(transition):
                    self.alerts.append(transition)
                case _:
                    pass

    def restored(self, now: int) -> tuple[Monitor, list[AlertTransition], list[Statement]]:
        """A fresh monitor from the kept facts, and what it decides by itself."""
        fresh = self.fresh()
        for key, facts in self.facts.items():
            upshot = self.upshots[key]
            packed = None if upshot is None else ticket_rows.pack(facts.tickets or (), upshot)
            if packed is None or not fresh.restore_packed(key, packed):
                fresh.restore(key, facts)
        fresh.start(now)
        fresh.advance(now)
        decisions = fresh.drain()
        return (
            fresh,
            [one.transition for one in decisions if isinstance(one, AlertChanged)],
            [one.statement for one in decisions if isinstance(one, StatementIssued)],
        )


def journey(world: World, chance: Random) -> list[tuple[list[Event], int]]:
    """Batches of arriving events, each with what the clock shows then: mostly after them, sometimes before."""
    arrived = shuffled(world.events, chance)
    if chance.randrange(2):
        arrived.sort(key=lambda event: event.time)
    now = world.start
    batches = []
    while arrived:
        count = 1 + chance.randrange(2)
        batch, arrived = arrived[:count], arrived[count:]
        latest = max(event.time for event in batch)
        now = max(now, latest + (chance.randrange(4) - 1) * world.tick * chance.choice((0, 1, 7)))
        batches.append((batch, now))
    batches.append(([], max(now, world.until)))
    return batches


def judged_later(now: int, *, steps: bool) -> bool:
    """Whether a period may end just now: a clock that visits every instant judges it once all of the instant is in."""
    return steps and now % DAY == 0


@dear
@given(worlds, chances, st.booleans())
def test_at_every_prefix_a_restored_monitor_says_what_the_one_that_kept_running_says(
    world: World, chance: Random, steps: bool
) -> None:
    daemon = Daemon(world.agreements, steps=steps)
    for batch, now in journey(world, chance):
        daemon.take(batch, now)
        if judged_later(now, steps=steps):
            continue
        fresh, alerts, statements = daemon.restored(now)
        assert alerts == []
        assert statements == []
        assert told(fresh) == told(daemon.monitor)
        assert list(fresh.firing()) == list(daemon.monitor.firing())
        assert fresh.opening_unknown() == daemon.monitor.opening_unknown()


@dear
@given(worlds, chances, st.booleans())
def test_a_monitor_restored_on_the_way_goes_on_as_if_it_had_never_stopped(
    world: World, chance: Random, steps: bool
) -> None:
    batches = journey(world, chance)
    stopped_at = chance.randrange(len(batches))
    assume(not judged_later(batches[stopped_at][1], steps=steps))
    daemon = Daemon(world.agreements, steps=steps)
    successor = Daemon(world.agreements, steps=steps)
    for number, (batch, now) in enumerate(batches):
        daemon.take(batch, now)
        if number < stopped_at:
            continue
        if number == stopped_at:
            successor.monitor, _, _ = daemon.restored(now)
            daemon.alerts, daemon.statements = [], []
            continue
        successor.take(batch, now)
    assert told(successor.monitor) == told(daemon.monitor)
    assert list(successor.monitor.firing()) == list(daemon.monitor.firing())
    assert successor.alerts == daemon.alerts
    assert successor.statements == daemon.statements


@laws
@given(ticket_worlds(), chances)
def test_a_standing_counts_every_pending_clock_that_has_passed_its_first_step_and_no_other(
    world: World, chance: Random
) -> None:
    daemon = Daemon(world.agreements, steps=chance.randrange(2) == 0)
    for batch, now in journey(world, chance):
        daemon.take(batch, now)
        for customer in daemon.monitor.customers.values():
            clocks = [clock for ticket in customer.tickets.values() for clock in ticket.clocks.values()]
            for watch in customer.ticket_watches:
                if not watch.agreement.start <= now < watch.agreement.end:
                    continue
                name, objective = watch.agreement.name, watch.objective
                governed = [
                    clock
                    for clock in clocks
                    if clock.terms.name == name and clock.governing is objective
                    if (record := clock.record(now)) is not None and record.outcome is ClockOutcome.PENDING
                ]
                steps = [step_threshold(step, objective.target) for step in objective.warn_at]
                first_step = min((at for at in steps if at > 0), default=FOREVER)
                tally = customer.tally(name, objective.name)
                assert tally.pending == len(governed)
                assert tally.warned(now) == sum(clock.elapsed_at(now) > first_step for clock in governed)


# ------------------------------------------------------------------------------------------ agreements that are replaced


def replaced(
    monitor: Monitor, agreements: Sequence[Agreement], *, steps: bool, hourly: bool = True
) -> Monitor:
    """As a task does it: another monitor with the same facts, not yet judged."""
    assert monitor.now is not None
    fresh = Monitor(agreements, steps=steps, hourly=hourly)
    for key, facts in monitor.facts():
        fresh.restore(key, facts)
    fresh.start(monitor.now)
    return fresh


@dear
@given(worlds, chances, st.booleans())
def test_a_monitor_replaced_at_any_time_under_the_same_agreements_changes_nothing(
    world: World, chance: Random, steps: bool
) -> None:
    """Also with events applied and not yet judged, and also if for a moment no agreement speaks of anything."""
    undisturbed, other = (Daemon(world.agreements, steps=steps) for _ in range(2))
    for batch, now in journey(world, chance):
        undisturbed.take(batch, now)
        other.monitor.advance(now)
        for event in batch:
            other.monitor.apply(event)
        other.keep()
        if chance.randrange(3) == 0:
            nobody = replaced(other.monitor, [], steps=steps)
            other.monitor = replaced(nobody, world.agreements, steps=steps)
        elif chance.randrange(2):
            other.monitor = replaced(other.monitor, world.agreements, steps=steps)
        other.pass_to(now)
    assert told(other.monitor) == told(undisturbed.monitor)
    assert list(other.monitor.firing()) == list(undisturbed.monitor.firing())
    assert other.alerts == undisturbed.alerts
    assert other.statements == undisturbed.statements
    assert other.facts == undisturbed.facts


@dear
@given(worlds, chances)
def test_a_monitor_interrupted_while_it_judges_comes_to_the_same(world: World, chance: Random) -> None:
    """In every break it may be asked for what is decided so far, given up, and begun again; later too, or by a successor."""
    undisturbed, other = (Daemon(world.agreements, steps=False) for _ in range(2))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(step, "BETWEEN_BREAKS", 1)
        for batch, now in journey(world, chance):
            undisturbed.take(batch, now)
            other.monitor.advance(now)
            for event in batch:
                other.monitor.apply(event)
            for _ in range(chance.randrange(3)):
                with closing(other.monitor.advancing(now)) as steps:
                    for _ in islice(steps, chance.randrange(8)):
                        if chance.randrange(2):
                            other.keep()
                            # Else a commit in the break would keep that it was told, and a successor not tell it.
                            newest = {one.id: one for one in other.alerts}.values()
                            told_of = [one for one in newest if one.transition is Transition.FIRED]
                            assert by_id(other.monitor.firing()) == by_id(told_of)
                other.keep()
                if chance.randrange(3) == 0:
                    other.monitor = replaced(other.monitor, world.agreements, steps=False)
            other.pass_to(now)
    assert told(other.monitor) == told(undisturbed.monitor)
    assert by_id(other.monitor.firing()) == by_id(undisturbed.monitor.firing())
    assert by_id(other.alerts) == by_id(undisturbed.alerts)
    assert {one.start: one for one in other.statements} == {one.start: one for one in undisturbed.statements}
    assert other.facts == undisturbed.facts


def by_id(alerts: Iterable[AlertTransition]) -> list[AlertTransition]:
    """Those of one id in their order."""
    return sorted(alerts, key=lambda one: one.id)


@dear
@given(worlds, chances)
def test_everything_a_monitor_holds_is_what_it_has_said_to_keep(world: World, chance: Random) -> None:
    daemon = Daemon(world.agreements, steps=False)
    for batch, now in journey(world, chance):
        daemon.take(batch, now)
        assert dict(daemon.monitor.facts()) == daemon.facts
        assert daemon.monitor.count_facts() >= len(daemon.facts)


@dear
@given(worlds, chances)
def test_a_successor_filled_while_the_monitor_goes_on_ends_with_the_same_facts(
    world: World, chance: Random
) -> None:
    """As a task fills it: record by record, and with whatever is decided on the way."""
    daemon = Daemon(world.agreements, steps=False)
    batches = journey(world, chance)
    half = chance.randrange(len(batches))
    for batch, now in batches[:half]:
        daemon.take(batch, now)
    if daemon.monitor.now is None:
        daemon.pass_to(world.start)
    successor = Monitor(world.agreements, steps=False)
    copying = daemon.monitor.facts()
    for batch, now in batches[half:]:
        for _ in range(chance.randrange(3)):
            record = next(copying, None)
            if record is not None:
                successor.restore(*record)
        known = dict(daemon.facts)
        daemon.take(batch, now)
        for key, facts in daemon.facts.items():
            if known.get(key) != facts:
                successor.restore(key, facts)
    for record in copying:
        successor.restore(*record)
    assert daemon.monitor.now is not None
    successor.start(daemon.monitor.now)
    assert dict(successor.facts()) == daemon.facts
    successor.advance(daemon.monitor.now)
    assert told(successor) == told(daemon.monitor)
    assert [one for one in successor.drain() if isinstance(one, AlertChanged | StatementIssued)] == []


# ------------------------------------------------------------------------------------- records of an hour, and of a day


@dear
@given(st.one_of(service_worlds(), request_worlds()), chances, st.booleans())
def test_records_of_the_other_width_are_taken_back_and_rewritten_without_a_word(
    world: World, chance: Random, hourly: bool
) -> None:
    """Also if that is cut off anywhere, and if meanwhile no agreement speaks of what they tell."""
    other, wanted = (Daemon(world.agreements, steps=False, hourly=one) for one in (not hourly, hourly))
    for batch, now in journey(world, chance):
        other.take(batch, now)
        wanted.take(batch, now)
    now = world.until if wanted.monitor.now is None else wanted.monitor.now
    said = (len(other.alerts), len(other.statements))
    promised: tuple[tuple[Agreement, ...], ...] = ((), world.agreements, world.agreements)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(service_facts, "REWRITTEN_AT_ONCE", 1)
        for agreements in promised:
            other.monitor = Monitor(agreements, steps=False, hourly=hourly)
            for key, facts in other.facts.items():
                other.monitor.restore(key, facts)
            other.monitor.start(now)
            for _ in range(chance.randrange(4) if agreements else 1):
                other.keep()
        other.monitor = replaced(other.monitor, world.agreements, steps=False, hourly=hourly)
        for _ in range(len(other.facts) + 1):
            other.pass_to(now)
    assert other.facts == wanted.facts
    assert told(other.monitor) == told(wanted.monitor)
    assert (len(other.alerts), len(other.statements)) == said


# ------------------------------------------------------------------------------------------------- what was long ago

KEEP = 60 * DAY


@st.composite
def long_ago(draw: st.DrawFn) -> list[Event]:
    """What services did long before there was an agreement, in order."""
    events: list[Event] = []
    for position in range(draw(st.integers(0, 6))):
        time = MIDNIGHT - 200 * DAY + draw(st.integers(0, 100 * 144)) * 10 * MINUTE
        service = draw(st.sampled_from(["api", "shop"]))
        status = draw(st.sampled_from([ServiceStatus.UP, ServiceStatus.UP, ServiceStatus.DOWN]))
        interval = draw(st.sampled_from([None, None, HOUR]))
        customer = draw(st.sampled_from([CUSTOMER, None]))
        events += [
            AvailabilityEvent(f"old{position}", time, customer, service, status, interval=interval),
            RequestsEvent(f"old{position}", time, CUSTOMER, service, total=10, bad=3, duration=HOUR),
        ]
    return sorted(events, key=lambda event: event.time)


@dear
@given(st.one_of(service_worlds(), request_worlds()), long_ago(), chances, st.booleans())
def test_what_a_monitor_has_forgotten_of_services_changes_nothing_it_says_of_later(
    world: World, before: list[Event], chance: Random, hourly: bool
) -> None:
    forgetful, other = (Daemon(world.agreements, steps=False, hourly=hourly) for _ in range(2))
    forgetful.monitor = Monitor(world.agreements, steps=False, hourly=hourly, keep=KEEP)
    now = MIDNIGHT - 200 * DAY
    for event in before:
        now = event.time
        for daemon in (forgetful, other):
            daemon.take([event], now)
    while now < world.start:
        now = min(now + 10 * DAY, world.start)
        for daemon in (forgetful, other):
            daemon.pass_to(now)
    sides = {(key.kind, key.customer, key.subject) for key in forgetful.facts if key.slot}
    assert len(sides) == sum(key.slot > 0 for key in forgetful.facts), (
        "of each side the newest record is left"
    )
    assert FactKind.REQUESTS_HOUR not in {kind for kind, *_ in sides}
    batches = journey(world, chance)
    restored_at = chance.randrange(len(batches))
    for number, (batch, then) in enumerate(batches):
        if number == restored_at:
            fresh = Monitor(world.agreements, steps=False, hourly=hourly, keep=KEEP)
            for key, facts in forgetful.facts.items():
                fresh.restore(key, facts)
            fresh.start(now)
            fresh.advance(now)
            forgetful.monitor = fresh
        for daemon in (forgetful, other):
            daemon.take(batch, now := then)
        assert told(forgetful.monitor) == told(other.monitor)
    assert list(forgetful.monitor.firing()) == list(other.monitor.firing())
    assert forgetful.alerts == other.alerts
    assert forgetful.statements == other.statements
    assert dict(forgetful.monitor.facts()) == forgetful.facts


# ------------------------------------------------------------------------------------------------------------- batching


@laws
@given(worlds, chances)
def test_it_does_not_matter_how_many_events_are_taken_at_once(world: World, chance: Random) -> None:
    arrived = shuffled(world.events, chance)
    now = max([world.until, *(event.time for event in world.events)])
    one_by_one = Daemon(world.agreements, steps=True)
    one_by_one.pass_to(world.start)
    for event in arrived:
        one_by_one.take([event], now)
    one_by_one.pass_to(now)
    at_once = Daemon(world.agreements, steps=True)
    at_once.take(arrived, now)
    assert told(one_by_one.monitor) == told(at_once.monitor)


@laws
@given(worlds, chances)
def test_a_clock_that_jumps_and_one_that_stops_at_every_instant_come_to_the_same_verdicts(
    world: World, chance: Random
) -> None:
    batches = journey(world, chance)
    # A replay lets what is due exactly now wait for more events: go on until nothing may be due just then.
    last = batches[-1][1] + world.tick
    batches.append(([], last + world.tick if judged_later(last, steps=True) else last))
    slow, fast = Daemon(world.agreements, steps=True), Daemon(world.agreements, steps=False)
    for batch, now in batches:
        slow.take(batch, now)
    for batch, now in batches:
        fast.take(batch, now)
    assert told(slow.monitor) == told(fast.monitor)


# ------------------------------------------------------------------------------------------------------------- verdicts


@laws
@given(ticket_worlds(), chances)
def test_a_cycle_is_met_only_within_its_target_and_missed_only_beyond_it(
    world: World, chance: Random
) -> None:
    for clock in judge(world.agreements, shuffled(world.events, chance), world.until).clocks():
        if clock.outcome is ClockOutcome.MISSED:
            assert clock.breached_at is not None
            assert clock.due_at is not None
            assert clock.due_at <= clock.breached_at
            assert clock.elapsed >= clock.target  # at the very instant of the breach they are equal
        else:
            assert clock.elapsed <= clock.target
            assert clock.breached_at is None


@laws
@given(service_worlds(), chances)
def test_what_was_attained_lies_between_the_worst_and_the_best_case(world: World, chance: Random) -> None:
    monitor = judge(world.agreements, shuffled(world.events, chance), world.until)
    seen = [(one.ratios, one.seconds) for one in monitor.statements()]
    seen += [(one.ratios, one.seconds) for one in monitor.standings()]
    for ratios, seconds in seen:
        assert seconds is not None
        assert seconds.known + seconds.unknown == seconds.applicable
        assert 0 <= seconds.down <= seconds.known
        if ratios.best_case is None:
            assert ratios == type(ratios)(None, None, None, None)
            assert seconds.applicable == 0
            continue
        assert ratios.worst_case is not None
        best, worst = Fraction(*ratios.best_case), Fraction(*ratios.worst_case)
        assert 0 <= worst <= best <= 1
        if ratios.attained is not None:
            assert worst <= Fraction(*ratios.attained) <= best


def _declaration(identity: str, time: int, start: int, end: int, reason: ExclusionReason) -> ExclusionEvent:
    return ExclusionEvent(
        id=identity,
        time=time,
        customer=CUSTOMER,
        exclusion="X-new",
        state=ExclusionState.DECLARED,
        reason=reason,
        start=start,
        end=end,
    )


def _down(monitor: Monitor) -> dict[tuple[str, int, int], int]:
    return {
        (one.objective, one.start, one.end): 0 if one.seconds is None else one.seconds.down
        for one in monitor.statements()
    }


def _without_caps(agreements: Sequence[Agreement]) -> list[Agreement]:
    """A cap goes to the earliest: one exclusion more can leave less for those after it."""
    return [
        dataclasses.replace(
            agreement,
            exclusions=tuple(dataclasses.replace(term, cap=None) for term in agreement.exclusions),
        )
        for agreement in agreements
    ]


@laws
@given(service_worlds(), chances)
def test_one_exclusion_more_never_raises_the_downtime_that_counts(world: World, chance: Random) -> None:
    agreements = _without_caps(world.agreements)
    before = _down(judge(agreements, world.events, world.until))
    start = world.start + chance.randrange(900) * world.tick
    more = _declaration(
        "more",
        world.start,
        start,
        start + (1 + chance.randrange(200)) * world.tick,
        chance.choice((ExclusionReason.MAINTENANCE, ExclusionReason.FORCE_MAJEURE)),
    )
    after = _down(judge(agreements, [*world.events, more], world.until))
    assert before.keys() == after.keys()
    assert all(after[key] <= before[key] for key in before)


@laws
@given(service_worlds(), chances)
def test_a_cancelled_exclusion_leaves_no_trace(world: World, chance: Random) -> None:
    start = world.start + chance.randrange(900) * world.tick
    declared = _declaration("d", world.start, start, start + 100 * world.tick, ExclusionReason.MAINTENANCE)
    cancelled = ExclusionEvent(
        id="c",
        time=world.start + world.tick,
        customer=CUSTOMER,
        exclusion="X-new",
        state=ExclusionState.CANCELLED,
    )
    until = max(world.until, cancelled.time)
    arrived = shuffled([*world.events, declared, cancelled], chance)
    assert told(judge(world.agreements, arrived, until)) == told(judge(world.agreements, world.events, until))


@laws
@given(service_worlds(), chances)
def test_more_downtime_never_improves_a_verdict(world: World, chance: Random) -> None:
    better = (Outcome.NOT_APPLICABLE, Outcome.MISSED, Outcome.UNDETERMINED, Outcome.MET)
    worse_events = [
        msgspec.structs.replace(event, status=ServiceStatus.DOWN)
        if isinstance(event, AvailabilityEvent) and chance.randrange(2)
        else event
        for event in world.events
    ]
    before = judge(world.agreements, world.events, world.until)
    after = judge(world.agreements, worse_events, world.until)
    for was, became in zip(before.statements(), after.statements(), strict=True):
        assert better.index(became.outcome) <= better.index(was.outcome)
        assert became.outcome is not Outcome.NOT_APPLICABLE or was.outcome is Outcome.NOT_APPLICABLE


# --------------------------------------------------------------------------------------------------------------- alerts


@laws
@given(worlds, chances)
def test_an_alert_fires_and_resolves_in_turn_and_counts_its_episodes(world: World, chance: Random) -> None:
    transitions: list[AlertTransition] = []
    replay = Replay(world.agreements, until=world.until, on_alert=transitions.append)
    for event in shuffled(world.events, chance):
        replay.feed(event)
    monitor = replay.finish()
    firing: dict[str, AlertTransition] = {}
    episodes: dict[str, int] = {}
    for one in transitions:
        assert one.late == (one.at < one.detected_at)
        if one.transition is Transition.FIRED:
            assert one.id not in firing
            assert one.episode == episodes.get(one.id, 0) + 1
            firing[one.id], episodes[one.id] = one, one.episode
        else:
            fired = firing.pop(one.id)
            assert one.episode == fired.episode
            assert one.labels == fired.labels
    assert sorted(firing.values(), key=lambda one: one.id) == sorted(monitor.firing(), key=lambda one: one.id)


def _reached(step: Step, clock: ClockRecord) -> bool:
    mark = step.of * clock.target if isinstance(step, Share) else clock.target - step.left
    return mark > 0 and clock.elapsed >= mark


def _objective(agreements: Sequence[Agreement], clock: ClockRecord) -> TicketObjective:
    """The terms of the record: the newest version's of that name with that target and measure."""
    return next(
        one
        for agreement in reversed(agreements)
        if agreement.name == clock.agreement
        for one in agreement.objectives
        if isinstance(one, TicketObjective)
        and (one.name, one.measure, one.target) == (clock.objective, clock.measure, clock.target)
    )


def _one_version(agreements: Sequence[Agreement]) -> list[Agreement]:
    return list({agreement.name: agreement for agreement in agreements}.values())


@laws
@given(ticket_worlds(), chances)
def test_of_each_ticket_clock_exactly_what_holds_is_firing(world: World, chance: Random) -> None:
    """The breach of what is missed and still runs; else the highest step reached by what runs."""
    agreements = _one_version(world.agreements)
    monitor = judge(agreements, shuffled(world.events, chance), world.until)
    expected: set[tuple[str | None, ...]] = set()
    for clock in monitor.clocks():
        if clock.outcome is ClockOutcome.MISSED and clock.state in (ClockState.RUNNING, ClockState.PAUSED):
            expected.add(("SlaTicketBreached", clock.agreement, clock.objective, clock.ticket, None))
        if clock.outcome is ClockOutcome.PENDING and clock.state is ClockState.RUNNING:
            objective = _objective(agreements, clock)
            steps = [step for step in objective.warn_at if _reached(step, clock)]
            if clock.elapsed == clock.target and objective.calendar.is_open(world.until):
                # Used up at the last instant of all: told at once, for the input has ended (ruling 19).
                expected.add(("SlaTicketBreached", clock.agreement, clock.objective, clock.ticket, None))
            elif steps:
                expected.add(
                    ("SlaTicketAtRisk", clock.agreement, clock.objective, clock.ticket, steps[-1].text)
                )
    seen: set[tuple[str | None, ...]] = {
        (
            one.labels["alertname"],
            one.labels["agreement"],
            one.labels["objective"],
            one.labels["ticket"],
            one.labels.get("step"),
        )
        for one in monitor.firing()
        if one.labels["alertname"].startswith("SlaTicket")
    }
    assert seen == expected


@laws
@given(service_worlds(), chances)
def test_a_calendar_period_is_breached_on_the_page_and_in_the_alerts_at_once(
    world: World, chance: Random
) -> None:
    monitor = judge(world.agreements, shuffled(world.events, chance), world.until)
    firing = {one.labels["objective"] for one in monitor.firing() if one.labels["alertname"] == "SlaBreached"}
    breached = {
        standing.objective
        for standing in monitor.standings()
        if standing.budget is not None
        # A budget that ends at the last instant of all is told at once, for the input has ended (ruling 19).
        and (standing.budget.remaining < 0 or standing.exhausted_at == world.until)
    }
    assert firing == breached


def test_the_worlds_have_what_the_laws_speak_of() -> None:
    """A law over worlds in which nothing happens proves nothing."""
    wanted: set[object] = {
        (ClockState.RUNNING, ClockOutcome.PENDING),
        (ClockState.PAUSED, ClockOutcome.PENDING),
        (ClockState.STOPPED, ClockOutcome.MET),
        (ClockState.STOPPED, ClockOutcome.MISSED),
        (ClockState.RUNNING, ClockOutcome.MISSED),
        (ClockState.VOID, ClockOutcome.VOID),
        *Outcome,
    }
    seen: set[object] = set()

    @settings(deadline=None, max_examples=6000, database=None, derandomize=True)
    @given(worlds)
    def look(world: World) -> None:
        if wanted <= seen:
            return  # which examples are drawn depends on what else the process has loaded, so there are plenty
        transitions: list[AlertTransition] = []
        replay = Replay(world.agreements, until=world.until, on_alert=transitions.append)
        for event in sorted(world.events, key=lambda event: event.time):
            replay.feed(event)
        monitor = replay.finish()
        seen.update((clock.state, clock.outcome) for clock in monitor.clocks())
        seen.update(statement.outcome for statement in monitor.statements())
        seen.update(standing.standing for standing in monitor.standings())
        seen.update((one.labels["alertname"], one.transition) for one in transitions)

    look()
    assert wanted <= seen
    assert {
        (name, transition)
        for name in (
            "SlaTicketAtRisk",
            "SlaTicketBreached",
            "SlaOutageBudget",
            "SlaBudgetBurn",
            "SlaBreached",
            "SlaMeasurementLost",
        )
        for transition in Transition
    } <= seen


# -------------------------------------------------------------------------------------- what the laws once brought to light

_ALWAYS_WEEK = TimeWindow(unit=Unit.WEEK, rolling=None)


def _agreement(objective: Objective) -> Agreement:
    start = MIDNIGHT - 3 * DAY
    return Agreement(
        "main",
        CUSTOMER,
        "UTC",
        start,
        FOREVER,
        day_of(start),
        (objective,),
        reporting=Reporting(settle_after=0),
    )


_HOUR_TO_RESOLVE = _agreement(
    TicketObjective("a", Measure.RESOLUTION, HOUR, ALWAYS, attainment=Attainment(window=_ALWAYS_WEEK))
)


def _ticket(
    identity: str, time: int, status: TicketStatus | None = None, opened_at: int | None = None
) -> Event:
    return TicketEvent(
        id=identity, time=time, customer=CUSTOMER, ticket="T-1", status=status, opened_at=opened_at
    )


def test_a_cycle_missed_in_a_period_is_not_pending_in_it_too_when_the_ticket_is_reopened_later() -> None:
    history = [
        _ticket("1", MIDNIGHT - 10 * HOUR),
        _ticket("2", MIDNIGHT - 5 * HOUR, TicketStatus.RESOLVED),
        _ticket("3", MIDNIGHT + 5 * HOUR, TicketStatus.OPEN),
    ]
    (week,) = judge([_HOUR_TO_RESOLVE], history, MIDNIGHT + 10 * HOUR).statements()
    assert week.tickets == TicketCounts(met=0, missed=1, pending=0)


def test_an_opening_named_ahead_of_the_clock_wakes_a_ticket_that_nobody_saw_open() -> None:
    daemon = Daemon([_HOUR_TO_RESOLVE], steps=False)
    named = [
        _ticket("1", MIDNIGHT, TicketStatus.CLOSED),
        _ticket("2", MIDNIGHT + 2 * HOUR, opened_at=MIDNIGHT - HOUR),
    ]
    daemon.take(named, MIDNIGHT + HOUR)
    daemon.pass_to(MIDNIGHT + 3 * HOUR)
    assert [clock.started_at for clock in daemon.monitor.clocks()] == [MIDNIGHT - HOUR]


@pytest.mark.parametrize("burn_rates", [(), BURN_RATES])
@pytest.mark.parametrize("first_heard", [MIDNIGHT - 3 * DAY, MIDNIGHT - 19 * HOUR, MIDNIGHT, MIDNIGHT + HOUR])
def test_a_settled_period_gets_its_statement_whenever_the_first_event_came(
    first_heard: int, burn_rates: tuple[BurnRatePair, ...]
) -> None:
    objective = AvailabilityObjective(
        "b", "shop", Fraction(9, 10), _ALWAYS_WEEK, ALWAYS, alerts=AvailabilityAlerts(burn_rates=burn_rates)
    )
    heard = AvailabilityEvent("e", first_heard, CUSTOMER, "shop", ServiceStatus.UP)
    monitor = judge([_agreement(objective)], [heard], MIDNIGHT + 4 * DAY)
    assert [(one.start, one.end) for one in monitor.statements()] == [(MIDNIGHT - 3 * DAY, MIDNIGHT)]


def test_a_period_is_settled_at_the_very_instant_of_its_settlement() -> None:
    objective = AvailabilityObjective("b", "shop", Fraction(9, 10), _ALWAYS_WEEK, ALWAYS)
    (statement,) = judge([_agreement(objective)], [], MIDNIGHT).statements()
    assert (statement.start, statement.end) == (MIDNIGHT - 3 * DAY, MIDNIGHT)


def test_a_bucket_ahead_of_the_clock_amends_the_settled_period_once_it_is_known() -> None:
    objective = RequestsObjective("r", "api", Fraction(9, 10), _ALWAYS_WEEK, ALWAYS, burn_rates=())
    daemon = Daemon([_agreement(objective)], steps=False)
    ahead = RequestsEvent("r1", MIDNIGHT + 2 * HOUR, CUSTOMER, "api", total=100, bad=50, duration=4 * HOUR)
    daemon.take([ahead], MIDNIGHT + HOUR)
    daemon.pass_to(MIDNIGHT + 3 * HOUR)
    assert [one.requests for one in daemon.statements] == [
        RequestCounts((0, 1), (0, 1)),
        RequestCounts((50, 1), (25, 1)),
    ]


def test_a_standing_is_said_once_for_all_the_events_of_a_batch() -> None:
    monitor = Monitor([_HOUR_TO_RESOLVE], steps=False)
    monitor.advance(MIDNIGHT)
    monitor.drain()
    for name in ("T-1", "T-2", "T-3"):
        monitor.apply(TicketEvent(name, MIDNIGHT + 1, CUSTOMER, name))
    monitor.advance(MIDNIGHT + 2)
    said = [one.standing.tickets for one in monitor.drain() if isinstance(one, StandingChanged)]
    assert said == [TicketCounts(met=0, missed=0, pending=3)]


def test_a_step_used_up_exactly_at_closing_time_is_a_risk_only_when_the_clock_runs_on() -> None:
    objective = TicketObjective(
        "a",
        Measure.RESOLUTION,
        8 * HOUR,
        CALENDARS["office"],
        warn_at=(Share(Fraction(1, 2), "50%"),),
        attainment=Attainment(window=_ALWAYS_WEEK),
    )
    monitor = Monitor([_agreement(objective)], steps=False)
    monitor.apply(_ticket("1", MIDNIGHT - 3 * DAY + 13 * HOUR))  # a Friday, four hours before closing time
    found = []
    for now in (MIDNIGHT - DAY, MIDNIGHT + 9 * HOUR, MIDNIGHT + 9 * HOUR + 1):
        monitor.advance(now)
        found += [standing.standing for standing in monitor.standings()]
    assert found == [StandingState.ON_TRACK, StandingState.ON_TRACK, StandingState.AT_RISK]


def _beat(time: int) -> Event:
    return AvailabilityEvent(f"{time}", time, CUSTOMER, "shop", ServiceStatus.UP, interval=15 * MINUTE)


def test_heartbeats_missed_across_a_settled_end_amend_it_whatever_else_is_heard_before_the_next_look() -> (
    None
):
    objective = AvailabilityObjective("b", "shop", Fraction(9, 10), _ALWAYS_WEEK, ALWAYS)
    daemon = Daemon([_agreement(objective)], steps=False)
    daemon.take([_beat(MIDNIGHT - 3 * DAY), _beat(MIDNIGHT - 30 * MINUTE)], MIDNIGHT - 30 * MINUTE)
    daemon.pass_to(MIDNIGHT)
    for heard in (MIDNIGHT + HOUR, MIDNIGHT + 3 * HOUR):
        daemon.monitor.apply(_beat(heard))
    daemon.pass_to(MIDNIGHT + 3 * HOUR)
    unknown = [one.seconds.unknown for one in daemon.statements if one.seconds is not None]
    silent = 3 * DAY - 45 * MINUTE  # from the interval after the first one to the second
    assert unknown == [silent, silent + 15 * MINUTE]


_ROLLING_IN_HOURS = _agreement(
    RequestsObjective(
        "r",
        "api",
        Fraction(9, 10),
        TimeWindow(unit=None, rolling=2 * DAY),
        CALENDARS["office"],
        burn_rates=BURN_RATES,
    )
)


def _few_failed(time: int, total: int) -> Event:
    return RequestsEvent(f"{time}", time, CUSTOMER, "api", total=total, bad=total // 50, duration=10 * MINUTE)


def test_a_burn_of_a_rolling_window_is_judged_by_the_service_hours_before_each_instant_not_before_now() -> (
    None
):
    """Of the two days before ten past nine on a Monday, ten minutes were open; fifty minutes later it is an hour."""
    undisturbed = Daemon([_ROLLING_IN_HOURS], steps=False)
    for time, total in ((MIDNIGHT + 9 * HOUR + 10 * MINUTE, 100), (MIDNIGHT + 9 * HOUR + 25 * MINUTE, 0)):
        undisturbed.take([_few_failed(time, total)], time + 1)
    other = Daemon([_ROLLING_IN_HOURS], steps=False)
    other.monitor = replaced(undisturbed.monitor, [_ROLLING_IN_HOURS], steps=False)
    for daemon in (undisturbed, other):
        daemon.pass_to(MIDNIGHT + 10 * HOUR)
        assert [one.labels["step"] for one in daemon.monitor.firing()] == ["fast"]
    undisturbed.pass_to(MIDNIGHT + 11 * HOUR)
    told_of_fast = [(one.transition, one.at) for one in undisturbed.alerts]
    assert told_of_fast == [
        (Transition.FIRED, MIDNIGHT + 9 * HOUR + 10 * MINUTE),
        (Transition.RESOLVED, MIDNIGHT + 10 * HOUR + 10 * MINUTE),
    ]


def test_alerts_of_one_instant_are_told_by_the_names_of_what_they_speak_of_whatever_was_heard_first() -> None:
    told_of = []
    for tickets in (("T-1", "T-2"), ("T-2", "T-1")):
        daemon = Daemon([_HOUR_TO_RESOLVE], steps=False)
        daemon.take(
            [TicketEvent(name, MIDNIGHT, CUSTOMER, name, opened_at=MIDNIGHT - 2 * HOUR) for name in tickets],
            MIDNIGHT + 1,
        )
        told_of.append([one.labels["ticket"] for one in daemon.alerts])
        told_of.append([one.labels["ticket"] for one in daemon.monitor.firing()])
    assert told_of == [["T-1", "T-2"]] * 4
