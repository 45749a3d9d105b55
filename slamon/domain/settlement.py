"""When the verdict on a period is given, and when it is given again.

A period gets its statement `settleAfter` its end, from the agreement's first day on, facts or not. When anything a
statement says turns out different, a new revision is issued; the earlier ones stay as they were.
"""

from collections.abc import Callable, Iterator

import msgspec

from slamon.domain.agreement import Agreement, Objective
from slamon.domain.decisions import Statement
from slamon.domain.intervals import FOREVER, Span
from slamon.domain.terms import judged_period


class Settlement:
    """The statements of one objective of one version of an agreement."""

    __slots__ = ("_agreement", "_next", "_objective", "_unsettled_from", "settled")

    def __init__(self, agreement: Agreement, objective: Objective) -> None:
        self._agreement = agreement
        self._objective = objective
        self._next: Span | None = judged_period(agreement, objective, agreement.start)
        self._unsettled_from = FOREVER
        self.settled: dict[int, Statement] = {}  # by the end of the period, in order

    def restore(self, statement: Statement) -> None:
        self.settled[statement.end] = statement

    def restored(self) -> None:
        """All statements are back: go on after the last of them, and look at each again."""
        self.settled = dict(sorted(self.settled.items()))
        while self._next is not None and self._next[1] in self.settled:
            self._advance(self._next[1])
        self._unsettled_from = -FOREVER if self.settled else FOREVER

    def _advance(self, end: int) -> None:
        more = end < self._agreement.end
        self._next = judged_period(self._agreement, self._objective, end) if more else None

    def next_span(self) -> Span | None:
        """The earliest period without a statement."""
        return self._next

    def due_at(self) -> int | None:
        """When the next statement is due."""
        return None if self._next is None else self._next[1] + self._agreement.reporting.settle_after

    def unsettle(self, since: int) -> None:
        """Something changed about `since` or later."""
        self._unsettled_from = min(self._unsettled_from, since)

    def concerns(self, since: int, now: int) -> bool:
        """Whether a change about `since` touches a period that has ended by `now`: else nobody was told of it yet."""
        ended = self._next is not None and self._next[1] <= now
        return ended or (bool(self.settled) and since < next(reversed(self.settled)))

    def issue(self, until: int, state: Callable[[Span], Statement]) -> Iterator[Statement]:
        """The statements that differ from what was said, and the new ones due at or before `until`."""
        since, self._unsettled_from = self._unsettled_from, FOREVER
        for end, known in self.settled.items() if since != FOREVER else ():
            if end <= since:
                continue
            found = state((known.start, end))
            if msgspec.structs.replace(found, revision=known.revision) != known:
                self.settled[end] = msgspec.structs.replace(found, revision=known.revision + 1)
                yield self.settled[end]
        due_at = self.due_at()
        while self._next is not None and due_at is not None and due_at <= until:
            statement = state(self._next)
            self.settled[statement.end] = statement
            yield statement
            self._advance(statement.end)
            due_at = self.due_at()
