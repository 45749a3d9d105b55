"""What must hold of a comparison of two sets of agreements, whatever they say and whatever happened.

The other judge is `slamon replay`: both sets are replayed as users would, and the files it writes are compared by themselves.
"""

import dataclasses
import tempfile
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import orjson
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from slamon.codec import encode, format_instant
from slamon.diff.comparing import Consequences, consequences_of, touched_by
from slamon.diff.differences import Pair
from slamon.diff.judging import PeriodKey, of_events
from slamon.domain.agreement import Agreement, Objective, TicketObjective
from slamon.domain.decisions import Statement
from slamon.domain.events import Event
from slamon.domain.terms import judged_period
from slamon.replay import replay_file
from tests.laws.test_credit_laws import chances, corrected, corrected_worlds, credited_worlds
from tests.laws.test_laws_of_the_step import Daemon, shuffled
from tests.laws.worlds import World, pick

laws = settings(deadline=None, max_examples=80)

Corrected = tuple[World, tuple[Agreement, ...]]
Record = dict[str, Any]


@st.composite
def changed_worlds(draw: st.DrawFn) -> Corrected:
    """As a service manager changes a document: another target, an objective less; or other remedies, or all of it.

    Looked at in the middle of what happens, or later.
    """
    world, corrections = draw(corrected_worlds())
    if pick(draw, (True, True, False)):
        corrections = tuple(_edited(draw, one) for one in world.agreements)
    seen = [world.until, *sorted({one.time + world.tick for one in world.events if one.time < world.until})]
    return world._replace(until=pick(draw, seen)), corrections


def _edited(draw: st.DrawFn, agreement: Agreement) -> Agreement:
    kept = [one for one in agreement.objectives if pick(draw, (True, True, True, True, False))]
    objectives = tuple(_with_other_target(one, pick(draw, (1, 2, 3))) for one in kept)
    credits_ = () if agreement.remedies is None else agreement.remedies.credits
    names = {one.name for one in objectives}
    left = tuple(term for term in credits_ if term.objective in names)
    remedies = None if agreement.remedies is None else dataclasses.replace(agreement.remedies, credits=left)
    return dataclasses.replace(agreement, objectives=objectives, remedies=remedies)


def _with_other_target(one: Objective, harder: int) -> Objective:
    if isinstance(one, TicketObjective):
        return dataclasses.replace(one, target=-(-one.target // harder))
    return dataclasses.replace(one, target=1 - (1 - one.target) / harder)


def compared(
    old: Sequence[Agreement], new: Sequence[Agreement], events: Sequence[Event], until: int
) -> Consequences:
    return consequences_of(touched_by(old, new), partial(of_events, events=events, until=until))


@laws
@given(credited_worlds(), chances, st.booleans())
def test_the_same_terms_judge_the_same_and_say_nothing_anew(
    world: World, chance: Random, at_a_border: bool
) -> None:
    until = world.until
    if at_a_border:  # where a period ends, most is due at one instant
        agreement = world.agreements[0]
        until = judged_period(agreement, agreement.objectives[0], max(agreement.start, world.start))[1]
    assert touched_by(world.agreements, tuple(reversed(world.agreements))) == ((), ())
    sides = of_events(world.agreements, world.agreements, shuffled(world.events, chance), until)
    assert sides.old == sides.new
    assert (sides.taken_up.statements, sides.taken_up.alerts, sides.taken_up.unheard) == ((), (), 0)


@laws
@given(changed_worlds(), chances)
def test_everything_that_two_replays_do_not_agree_about_is_named(pair: Corrected, chance: Random) -> None:
    """Another customer, whose agreements are the same in both, has the same events and is named by nothing."""
    world, corrections = pair
    bystander = [dataclasses.replace(one, customer="bystander") for one in world.agreements]
    old, new = [*world.agreements, *bystander], [*bystander, *corrections]
    events = [
        told
        for event in shuffled(world.events, chance)
        for told in (event, msgspec.structs.replace(event, customer="bystander"))
    ]
    found = compared(old, new, events, world.until) if touched_by(old, new).old else None
    replayed = [written(one, events, world.until) for one in (old, new)]
    for kind, (key, figures) in COMPARED.items():
        before, after = ({key(one): figures(one) for one in side[kind]} for side in replayed)
        differing = {one for one in before.keys() | after.keys() if before.get(one) != after.get(one)}
        named = () if found is None else getattr(found.differences, kind)
        assert [name_of(one) for one in named] == sorted(differing)
        if found is not None and kind != "alerts":  # whose ids do not say of whom they are
            ours = {one for one in before.keys() | after.keys() if "bystander" not in one}
            assert len(named) + found.differences.same[kind] == len(ours)


@laws
@given(changed_worlds(), chances)
def test_what_is_said_anew_is_what_a_daemon_says_that_takes_the_change_into_use(
    pair: Corrected, chance: Random
) -> None:
    world, corrections = pair
    events = shuffled(world.events, chance)
    before = Daemon(world.agreements, steps=True)
    for event in events:
        if event.time <= world.until:
            before.take([event], max(event.time, before.monitor.now or event.time))
    before.pass_to(world.until)
    after = corrected(before, corrections, world.until)
    for one in (before, after):
        said = len(one.statements), len(one.alerts)
        one.monitor.finish()
        one.keep()
        assume(said == (len(one.statements), len(one.alerts)))  # nothing is due at this very instant
    found = of_events(world.agreements, corrections, events, world.until).taken_up
    assert list(found.statements) == after.statements
    assert list(found.alerts) == after.alerts


@laws
@given(changed_worlds(), chances)
def test_what_is_booked_leads_from_the_old_credits_to_the_new_ones(pair: Corrected, chance: Random) -> None:
    """And to those of periods that are judged no longer, which stay."""
    world, corrections = pair
    remedies = [one.remedies for one in (*world.agreements, *corrections) if one.remedies is not None]
    assume(len({one.fee.currency for one in remedies if one.fee is not None}) < 2)
    found = compared(world.agreements, corrections, shuffled(world.events, chance), world.until)
    assume(found.sides.taken_up.unheard == 0)
    old, new = found.sides.old.statements, found.sides.new.statements
    left = sum((credited(one) for key, one in old.items() if key not in new), Fraction(0))
    for one in found.money.values():
        assert one.old + one.booked == one.new + left


def credited(statement: Statement) -> Fraction:
    amount = None if statement.credit is None else statement.credit.amount
    return Fraction(amount or 0)


def name_of(pair: Pair[Any, Any]) -> tuple[object, ...]:
    """As a record says it."""
    match pair.key:
        case PeriodKey(customer, agreement, objective, start, end):
            return customer, agreement, objective, format_instant(start), format_instant(end)
        case str():
            return (pair.key,)
        case _:
            return tuple(pair.key)


def written(agreements: Sequence[Agreement], events: Sequence[Event], until: int) -> dict[str, list[Record]]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "events.ndjson"
        file.write_bytes(b"".join(encode(event) + b"\n" for event in events))
        replay_file(agreements, file, Path(folder), until=until)
        read = {
            name: [orjson.loads(line) for line in (Path(folder) / f"{name}.ndjson").read_bytes().splitlines()]
            for name in COMPARED
        }
    newest = {_period_of(one): one for one in read["statements"]}  # revisions are in order
    firing: dict[str, Record] = {}
    for alert in read["alerts"]:
        if alert["transition"] == "fired":
            firing[alert["id"]] = alert
        else:
            del firing[alert["id"]]
    return read | {"statements": list(newest.values()), "alerts": list(firing.values())}


def _without(record: Record, *names: str) -> Record:
    return {name: value for name, value in record.items() if name not in names}


def _course(clock: Record) -> object:
    return clock if clock["outcome"] == "pending" else (clock["objective"], clock["outcome"])


def _period_of(one: Record) -> tuple[str, ...]:
    return one["customer"], one["agreement"], one["objective"], *one["period"].values()


COMPARED: dict[str, tuple[Callable[[Record], tuple[Any, ...]], Callable[[Record], object]]] = {
    "standings": (
        lambda one: (one["customer"], one["agreement"], one["objective"]),
        lambda one: _without(one, "target_ratio"),
    ),
    "statements": (_period_of, lambda one: _without(one, "target_ratio", "revision", "terms")),
    "clocks": (
        lambda one: (one["customer"], one["agreement"], one["ticket"], one["measure"], one["cycle"]),
        _course,
    ),
    "alerts": (lambda one: (one["id"],), lambda one: one["id"]),
}
