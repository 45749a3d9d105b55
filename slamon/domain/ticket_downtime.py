"""Downtime told by tickets: the time in which tickets that an availability objective means are open.

Down is each instant at which a ticket has been opened, is active (waits included) and matches by its fields of that
instant. An active span that ended in `cancelled` was a false alarm and is no downtime, unless the ticket became active
again later: that undoes the cancelling. What is open now is taken to stay open.

A ticket that nobody saw open has no clocks, because it would have been solved in no time; as downtime it speaks like any
other: it opens at its earliest event, and the service is down from when the ticket is active.
"""

from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import replace

from slamon.domain.agreement import AvailabilityObjective, TicketFilter
from slamon.domain.events import TicketStatus
from slamon.domain.intervals import FOREVER, Span, clip, first_difference, union
from slamon.domain.terms import ACTIVE, Fields, matches
from slamon.domain.ticket_history import TicketHistory

State = tuple[int, Fields]  # since when the ticket has these fields


def tickets_meant(objective: AvailabilityObjective) -> TicketFilter | None:
    """Those of the objective's service, unless the filter names services itself; None: no ticket is downtime."""
    wanted = objective.down_while
    if wanted is None or wanted.service is not None:
        return wanted
    return replace(wanted, service=frozenset({objective.service}))


def open_spans(history: TicketHistory, wanted: TicketFilter, now: int) -> list[Span]:
    """The downtime of one ticket by its events up to `now`; the last span may end at FOREVER."""
    states = [(moment.time, moment.fields) for moment in history.moments(now)]
    if not states:
        return []
    first, fields = states[0]
    named = history.opens_at(now)
    opened_at = first if named is None else named
    if opened_at > now:
        return []
    if opened_at < first:
        states.insert(0, (opened_at, fields._replace(status=TicketStatus.OPEN, waiting_on=None)))
    ends = [*(since for since, _ in states[1:]), FOREVER]
    spans = [
        (since, end)
        for (since, fields), end in zip(states[: _false_alarm(states)], ends, strict=False)
        if fields.status in ACTIVE and matches(wanted, fields)
    ]
    return clip(union(spans), opened_at, FOREVER)


def _false_alarm(states: Sequence[State]) -> int:
    """The index of the first state of the last active span, if that ended in `cancelled`; else behind all."""
    active = [fields.status in ACTIVE for _, fields in states]
    after = next((index for index in range(len(states), 0, -1) if active[index - 1]), len(states))
    if after == len(states) or states[after][1].status is not TicketStatus.CANCELLED:
        return len(states)
    return next((index for index in range(after, 0, -1) if not active[index - 1]), 0)


class TicketDowntime:
    """The downtime of all tickets of a customer that one filter means."""

    __slots__ = ("_of", "_spans", "_wanted", "version")

    def __init__(self, wanted: TicketFilter) -> None:
        self._wanted = wanted
        self._of: dict[str, list[Span]] = {}  # by ticket, those with any
        self._spans: list[Span] = []  # of all tickets, sorted; they may overlap
        self.version = 0  # rises with every difference in the spans

    def tell(self, ticket: str, history: TicketHistory, now: int) -> int | None:
        """The ticket is as its history says at `now`. Returns since when the downtime is another; None: it is not."""
        return self._tell(ticket, open_spans(history, self._wanted, now))

    def forget(self, ticket: str) -> None:
        """The ticket was never heard of."""
        self._tell(ticket, [])

    def _tell(self, ticket: str, after: list[Span]) -> int | None:
        before = self._of.get(ticket, [])
        since = first_difference(before, after)
        if since is None:
            return None
        for span in before:
            del self._spans[bisect_left(self._spans, span)]
        for span in after:
            insort(self._spans, span)
        if after:
            self._of[ticket] = after
        else:
            del self._of[ticket]
        self.version += 1
        return since

    def goes_on(self, ticket: str) -> bool:
        """Whether the ticket holds the service down as it was told last, and by itself will go on to."""
        spans = self._of.get(ticket)
        return spans is not None and spans[-1][1] == FOREVER

    def by_ticket(self, start: int, end: int) -> list[tuple[str, Span]]:
        """What of each ticket touches [start, end), uncut, in the order of time."""
        found = ((ticket, span) for ticket, spans in self._of.items() for span in spans)
        return sorted((one for one in found if one[1][0] < end and one[1][1] > start), key=lambda one: one[1])

    def spans(self, start: int, end: int) -> list[Span]:
        """The maximal spans of those that touch [start, end), uncut; the last one may end at FOREVER."""
        before_end = self._spans[: bisect_left(self._spans, (end,))]
        return union(span for span in before_end if span[1] > start)
