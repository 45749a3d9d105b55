"""When the verdict on a period is given, and when it is given again.

A period gets its statement `settleAfter` its end, from the agreement's first day on, facts or not. When anything a
statement says turns out different, a new revision is issued; the earlier ones stay as they were. Each revision books the
difference to the one before as an entry of its own.

A period that begins before the horizon is final (see `forgetting`). What was said of it may be forgotten, and is not said
again; what was not is never said once a restart or other terms find it there.

Statements that were given by other terms come back, too. Where the period is still one of those judged, the statement is
judged anew; where it is not, it stays as it was, and the periods that are judged now get their own.
"""

from collections.abc import Callable, Iterator

from msgspec.structs import replace

from slamon.domain.agreement import Agreement, Objective
from slamon.domain.decisions import RevisionReason, Statement
from slamon.domain.intervals import FOREVER, Span
from slamon.domain.service_credits import entry_of
from slamon.domain.terms import judged_period


class Settlement:
    """The statements of one objective of one version of an agreement."""

    __slots__ = ("_agreement", "_next", "_objective", "_restored", "_unsettled_from", "settled")

    def __init__(self, agreement: Agreement, objective: Objective) -> None:
        self._agreement = agreement
        self._objective = objective
        self._next: Span | None = judged_period(agreement, objective, agreement.start)
        self._unsettled_from = FOREVER
        self._restored: dict[Span, Statement] = {}  # of periods that are not judged, or not judged again yet
        self.settled: dict[Span, Statement] = {}  # by period, in order

    def restore(self, statement: Statement) -> None:
        self._restored[statement.start, statement.end] = statement

    def restored(self, horizon: int) -> None:
        """All statements are back: go on after those known without a gap, and look at each again."""
        while self._next is not None and (self._next in self._restored or self._next[0] < horizon):
            known = self._restored.pop(self._next, None)
            if known is not None:
                self.settled[self._next] = known
            self._advance(self._next)
        self._unsettled_from = -FOREVER if self.settled else FOREVER

    def statements(self) -> Iterator[Statement]:
        """The newest revision of each, those that are final because their period is judged no longer included.

        What is said, or forgotten, on the way of a period still to come is given as it is then; of a new period it is not
        given.
        """
        for period in (*self.settled, *self._restored):
            statement = self.settled.get(period) or self._restored.get(period)
            if statement is not None:
                yield statement

    def given_before(self, horizon: int) -> list[Statement]:
        """Those of periods that ended before, without the newest of all."""
        newest = max((*self.settled, *self._restored), key=lambda period: period[1], default=None)
        return [
            statement
            for statement in self.statements()
            if statement.end < horizon and (statement.start, statement.end) != newest
        ]

    def forget(self, period: Span) -> None:
        """What was said of it, and will not be said again."""
        self.settled.pop(period, None)
        self._restored.pop(period, None)

    def _advance(self, period: Span) -> None:
        more = period[1] < self._agreement.end
        self._next = judged_period(self._agreement, self._objective, period[1]) if more else None

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
        return ended or (bool(self.settled) and since < next(reversed(self.settled))[1])

    def issue(self, until: int, horizon: int, state: Callable[[Span], Statement]) -> Iterator[Statement]:
        """The statements that differ from what was said, and the new ones due at or before `until`."""
        since, self._unsettled_from = self._unsettled_from, FOREVER
        for period, known in self.settled.items() if since != FOREVER else ():
            if period[1] > since and period[0] >= horizon:
                yield from self._say(period, known, state(period))
        due_at = self.due_at()
        while self._next is not None and due_at is not None and due_at <= until:
            period = self._next
            yield from self._say(period, self._restored.pop(period, None), state(period))
            self._advance(period)
            due_at = self.due_at()

    def _say(self, period: Span, known: Statement | None, found: Statement) -> Iterator[Statement]:
        """Keep what was said of a period, or say what was found, if it differs."""
        reason = None if known is None else revision_reason(known, found)
        if known is not None and reason is None:
            self.settled[period] = known
            return
        booked = None if known is None else known.credit
        said = replace(
            found,
            revision=1 if known is None else known.revision + 1,
            reason=reason,
            entry=entry_of(booked, found.credit),
        )
        self.settled[period] = said
        yield said


def revision_reason(known: Statement, found: Statement) -> RevisionReason | None:
    """Why what was found has to be said anew; None: it is what was said."""
    if known.terms != found.terms:
        return RevisionReason.AGREEMENT_CORRECTED
    of_this_period = replace(found, revision=known.revision, reason=known.reason, entry=known.entry)
    if of_this_period == known:
        return None
    same_verdict = replace(of_this_period, credit=known.credit, claim_until=known.claim_until) == known
    return RevisionReason.CAP_MOVED if same_verdict else RevisionReason.AMENDED
