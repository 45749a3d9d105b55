"""Advice on objectives about tickets: who governs which, and whether the terms fit each other."""

from collections.abc import Iterator, Sequence

from slamon.agreement_files.coverage import Governed, Space, governed, overlap, space_of, without
from slamon.agreement_files.findings import quoted
from slamon.agreement_files.hints import Document, Hint, Path
from slamon.agreement_files.wording import duration, joined, share, window
from slamon.domain.agreement import (
    BelowMinimum,
    Measure,
    TicketObjective,
)

# A period in which fewer cycles of one objective are decided is nothing unusual: one customer, one priority, one month.
_FEW_TICKETS = 10
_OURS = frozenset({"supplier", "third_party", "internal"})  # parties whom the customer did not choose
_SHOWN = 3  # examples in one message


def who_governs(document: Document) -> Iterator[Hint]:
    space = space_of(document.agreement)
    for measure in Measure:
        found, left = governed(document.agreement, space, measure)
        for place, one in enumerate(found):
            yield from _shadows(space, found[:place], one)
        if found and left:
            said = [space.said(box) for box in left[:_SHOWN]]
            more = f", and {len(left) - _SHOWN} more kinds" if len(left) > _SHOWN else ""
            yield Hint(
                "tickets-unmatched",
                ("objectives", found[-1].place),
                f"no objective of `{measure.value}` matches {'; or '.join(said)}{more}",
                f"add an objective of `{measure.value}` without `when` as the last of them",
            )


def _shadows(space: Space, earlier: Sequence[Governed], one: Governed) -> Iterator[Hint]:
    if one.matched is None:  # its services are not listed, which is another rule
        return
    clock: Path = ("objectives", one.place, "ticketClock", "when")
    met = [
        (other, common)
        for other in earlier
        if other.matched is not None and (common := overlap(one.matched, other.matched)) is not None
    ]
    if not one.boxes:
        names = [quoted(other.objective.name) for other, _ in met]
        yield Hint(
            "objective-shadowed",
            clock,
            f"{quoted(one.objective.name)} governs no ticket: {joined(names)} before it "
            f"{'takes' if len(names) == 1 else 'take'} them all",
            f"move it before {names[0]}, narrow what stands before it, or remove it",
        )
        return
    for other, common in met:
        assert other.matched is not None
        if any(without(other.matched, one.matched)):  # else the earlier one is the special case, as is usual
            yield Hint(
                "objective-partly-shadowed",
                clock,
                f"{space.said(common)} match {quoted(one.objective.name)} and, before it, "
                f"{quoted(other.objective.name)}, which governs them",
                "put the one that shall govern them first, or let only one of the two match them",
            )


def late_responses(document: Document) -> Iterator[Hint]:
    space = space_of(document.agreement)
    responses, _ = governed(document.agreement, space, Measure.FIRST_RESPONSE)
    resolutions, _ = governed(document.agreement, space, Measure.RESOLUTION)
    for response in responses:
        for resolution in resolutions:
            slow, fast = response.objective, resolution.objective
            if slow.target > fast.target and _meet(response, resolution):
                yield Hint(
                    "response-longer-than-resolution",
                    ("objectives", response.place, "ticketClock", "target"),
                    f"the first response may take {duration(slow.target)} ({slow.calendar.name}), but "
                    f"{quoted(fast.name)} has such tickets resolved in {duration(fast.target)} ({fast.calendar.name})",
                    f"write less than {duration(fast.target)}",
                )


def _meet(one: Governed, other: Governed) -> bool:
    return any(overlap(mine, its) is not None for mine in one.boxes for its in other.boxes)


def pauses(document: Document) -> Iterator[Hint]:
    for index, objective in _tickets(document):
        ours = sorted(_OURS & objective.pause_on)
        if ours:
            yield Hint(
                "pause-on-supplier",
                ("objectives", index, "ticketClock", "pauseWhile", "waitingOn"),
                f"waiting on {joined([quoted(party) for party in ours])} stops the clock, though the customer waits on",
                "write `waitingOn: [customer]`; if a clause allows it, silence this and name the clause",
            )


def unlucky_tickets(document: Document) -> Iterator[Hint]:
    for index, objective in _tickets(document):
        attainment = objective.attainment
        path: Path = ("objectives", index, "attainment")
        if attainment.target == 1 and document.spec.find(*path) is None:
            yield Hint(
                "one-miss-breaks",
                path,
                f"without `attainment` every ticket has to be in time: one miss breaks the {window(attainment.window)}",
                "add `attainment: {target: 95%, minimumTickets: 20}`, or `{target: 100%}` if every ticket is meant",
            )
        elif attainment.target < 1 and not attainment.minimum_tickets:
            needed = -(-1 // (1 - attainment.target))  # the fewest tickets among which one may be missed
            if needed >= _FEW_TICKETS:
                yield Hint(
                    "one-miss-breaks",
                    (*path, "target"),
                    f"with fewer than {needed} tickets decided in the {window(attainment.window)}, "
                    f"one miss breaks {share(attainment.target)}",
                    f"add `minimumTickets: {needed}`; `belowMinimum` says what holds below it "
                    f"(`{BelowMinimum.ALLOW_ONE_MISS.value}` by default)",
                )


def _tickets(document: Document) -> Iterator[tuple[int, TicketObjective]]:
    for index, objective in enumerate(document.agreement.objectives):
        if isinstance(objective, TicketObjective):
            yield index, objective
