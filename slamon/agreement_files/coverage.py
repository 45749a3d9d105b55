"""Which tickets an objective governs: filters as sets of tickets, exactly.

A ticket is a point with one value for each field that any filter of the agreement names; a filter is a box of such points.
Of a field's values only those are told apart that some filter names; all others, and a field that is unset, behave alike
and are OTHER. So "no ticket is left" is proven, not tried.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from slamon.agreement_files.findings import listed
from slamon.domain.agreement import Agreement, Measure, TicketFilter, TicketObjective

OTHER = None  # any value that no filter names, or none at all
Box = tuple[frozenset[str | None], ...]  # values of each field


class Space(NamedTuple):
    """All tickets an agreement covers."""

    fields: tuple[str, ...]
    whole: Box

    def box(self, wanted: TicketFilter) -> Box | None:
        """The tickets that a filter matches; None: not one."""
        conditions = _conditions(wanted)
        box = tuple(
            values & conditions[field] if field in conditions else values
            for field, values in zip(self.fields, self.whole, strict=True)
        )
        return box if all(box) else None

    def said(self, box: Box) -> str:
        """For messages: tickets with which values."""
        parts = []
        for field, values, known in zip(self.fields, box, self.whole, strict=True):
            if values == known:
                continue
            if OTHER in values:
                parts.append(f"{field} other than {listed(_sorted(known - values))}")
            else:
                parts.append(f"{field} {listed(_sorted(values))}")
        return f"tickets with {' and '.join(parts)}" if parts else "any ticket"


class Governed(NamedTuple):
    """An objective of a measure, where it stands, what it matches and what of that no earlier one takes."""

    place: int  # in the list of objectives
    objective: TicketObjective
    matched: Box | None
    boxes: Sequence[Box]


def _conditions(wanted: TicketFilter) -> dict[str, frozenset[str]]:
    named = {"priority": wanted.priority, "service": wanted.service}
    return {key: values for key, values in named.items() if values is not None} | dict(wanted.attributes)


def _sorted(values: Iterable[str | None]) -> list[str]:
    return sorted(value for value in values if value is not None)


def space_of(agreement: Agreement) -> Space:
    named: dict[str, set[str | None]] = {}
    for objective in agreement.objectives:
        if isinstance(objective, TicketObjective):
            for field, values in _conditions(objective.when).items():
                named.setdefault(field, {OTHER}).update(values)
    if agreement.services is not None and "service" in named:  # tickets about others are not covered
        named["service"] &= {OTHER, *(service.name for service in agreement.services)}
    return Space(tuple(named), tuple(map(frozenset, named.values())))


def governed(agreement: Agreement, space: Space, measure: Measure) -> tuple[list[Governed], list[Box]]:
    """The objectives of a measure in file order, and the tickets that none of them matches."""
    left = [space.whole]
    found = []
    for index, objective in enumerate(agreement.objectives):
        if not isinstance(objective, TicketObjective) or objective.measure is not measure:
            continue
        matched = space.box(objective.when)
        if matched is None:
            found.append(Governed(index, objective, None, ()))
            continue
        taken = [common for box in left if (common := overlap(box, matched)) is not None]
        found.append(Governed(index, objective, matched, taken))
        left = [rest for box in left for rest in without(box, matched)]
    return found, left


def overlap(one: Box, other: Box) -> Box | None:
    common = tuple(mine & its for mine, its in zip(one, other, strict=True))
    return common if all(common) else None


def without(box: Box, taken: Box) -> Iterator[Box]:
    """What is left of a box, as boxes that do not meet."""
    if overlap(box, taken) is None:
        yield box
        return
    kept = list(box)
    for index, (mine, its) in enumerate(zip(box, taken, strict=True)):
        if mine - its:
            yield (*kept[:index], mine - its, *kept[index + 1 :])
        kept[index] = mine & its
