"""When cycles of `nextReply` and `update` begin: what was said to whom, and whether somebody still owes an answer.

A function of the ticket's history alone, the same under every agreement:

- The first response is given by the first agent's reply, or by the ticket being done; not by one that was cancelled and
  then closed, for nobody answered it.
- `nextReply` begins at a customer's reply, if the first response was given, none before it is unanswered and the ticket is
  active. Said to a ticket that is not, it waits, and the cycle begins when the ticket becomes active. An agent's reply or
  the resolution answers all.
- `update` begins at each agent's reply to an active ticket, and at each reopening of a done one that had its first response.

What is cancelled is only suspended: its cycle runs on when the ticket becomes active again, so no other begins beside it.
"""

from collections.abc import Sequence
from typing import NamedTuple

from slamon.domain.agreement import Measure
from slamon.domain.events import Reply, TicketStatus
from slamon.domain.terms import ACTIVE, DONE


class Beginning(NamedTuple):
    """A cycle begins; `replies` are those that come after it at the same instant."""

    measure: Measure
    replies: Sequence[Reply]


class Conversation:
    """The fold over the moments of one ticket."""

    __slots__ = ("_asked", "_before", "_given", "_left", "_next_reply", "_update")

    def __init__(self) -> None:
        self._before = TicketStatus.OPEN
        self._left = TicketStatus.OPEN  # the last status that was not `cancelled`
        self._given = False  # the first response
        self._asked = False  # a customer's reply is unanswered, and no cycle runs for it
        self._next_reply = False  # a cycle runs, or is suspended
        self._update = False

    def moment(self, status: TicketStatus, replies: Sequence[Reply]) -> list[Beginning]:
        """The cycles that begin at a moment, in their order: the status changes first, then the replies happen."""
        begun: list[Beginning] = []
        if status is not self._before:
            self._change(status, replies, begun)
        for position, reply in enumerate(replies, start=1):
            if reply is Reply.AGENT:
                self._given, self._asked, self._next_reply = True, False, False
                self._update = status in ACTIVE
                if self._update:
                    begun.append(Beginning(Measure.UPDATE, replies[position:]))
            elif not self._next_reply:
                self._ask(status, replies[position:], begun)
        return begun

    def _change(self, status: TicketStatus, replies: Sequence[Reply], begun: list[Beginning]) -> None:
        before, self._before = self._before, status
        if status is TicketStatus.CANCELLED:
            return
        left, self._left = self._left, status
        if status in DONE and before in ACTIVE:  # the resolution
            self._given, self._asked, self._next_reply, self._update = True, False, False, False
        elif status in ACTIVE and before not in ACTIVE and self._given:
            if self._asked and not self._next_reply:
                self._ask(status, replies, begun)
            if left in DONE and not self._update:
                self._update = True
                begun.append(Beginning(Measure.UPDATE, replies))

    def _ask(self, status: TicketStatus, replies: Sequence[Reply], begun: list[Beginning]) -> None:
        self._next_reply = self._given and status in ACTIVE
        self._asked = not self._next_reply
        if self._next_reply:
            begun.append(Beginning(Measure.NEXT_REPLY, replies))
