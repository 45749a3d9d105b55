"""A comparison of two sets of agreement files: their terms, and what follows from them for what has happened."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from slamon.agreement_files import Difference, Loaded, compare
from slamon.diff.differences import Account, Differences, Money, Restated, between, money, restated
from slamon.diff.judging import Sides, Terms
from slamon.domain.agreement import Agreement
from slamon.domain.periods import local_date

Judging = Callable[[Terms, Terms], Sides]


@dataclass(frozen=True, slots=True)
class Consequences:
    """What another judgement the change brings, of the customers whose agreements it touches."""

    sides: Sides
    differences: Differences
    money: dict[Account, Money]
    restated: Restated


@dataclass(frozen=True, slots=True)
class Compared:
    """`untouched`: customers whose agreements are the same in both. `consequences`: None, if nothing was judged."""

    terms: tuple[Difference, ...]
    agreements: tuple[Agreement, ...]  # of the touched customers, the new ones first
    customers: int
    untouched: int
    consequences: Consequences | None

    @property
    def differs(self) -> bool:
        """Whether a term that judges is another, or anything that was judged."""
        judging = any(not one.changes or any(change.judges for change in one.changes) for one in self.terms)
        return judging or (self.consequences is not None and bool(self.consequences.differences))


def compared(old: Loaded, new: Loaded, judge: Judging | None, at: int) -> Compared:
    """Of two states without faults. `judge`: by both, what happened. `at`: the instant of the change, if nothing is judged.

    Raises what `judge` raises.
    """
    customers = {one.customer for one in (*old.agreements, *new.agreements)}
    touched = touched_by(old.agreements, new.agreements)
    consequences = None
    if judge is not None and touched.old + touched.new:
        consequences = consequences_of(touched, judge)
        at = consequences.sides.now
    changed = len({one.customer for one in touched.old + touched.new})
    return Compared(
        tuple(compare(old.documents, new.documents, lambda zone: local_date(zone, at))),
        touched.new + touched.old,
        changed,
        len(customers) - changed,
        consequences,
    )


class Touched(NamedTuple):
    """All agreements of the customers of which any is another."""

    old: tuple[Agreement, ...]
    new: tuple[Agreement, ...]


def touched_by(old: Terms, new: Terms) -> Touched:
    before, after = _by_customer(old), _by_customer(new)
    names = [one for one in sorted({*before, *after}) if before.get(one) != after.get(one)]
    return Touched(*(tuple(one for name in names for one in side.get(name, ())) for side in (before, after)))


def consequences_of(touched: Touched, judge: Judging) -> Consequences:
    sides = judge(*touched)
    said = sides.taken_up.statements
    return Consequences(
        sides,
        between(sides.old, sides.new),
        money(sides.old, sides.new, said),
        restated(sides.old, sides.new, said),
    )


def _by_customer(agreements: Sequence[Agreement]) -> dict[str, list[Agreement]]:
    """In an order in which that of the files does not show: no verdict depends on it."""
    found: dict[str, list[Agreement]] = {}
    for one in sorted(agreements, key=lambda one: (one.customer, one.name, one.start)):
        found.setdefault(one.customer, []).append(one)
    return found
