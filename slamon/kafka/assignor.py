"""Who owns which task: sticky, whole tasks, balanced within one.

A task is a partition number across all co-partitioned inputs, so it is given away whole. The rules of `share_out`:

- every task has exactly one owner;
- no member has two tasks more than another;
- nobody loses a task without need: a member keeps what it had, except what it has beyond its share.

What a member had travels with its request to join (aiokafka's own sticky assignor never learns its generation, so a
member that slept through a rebalance would be believed): the leader numbers its assignments, a member sends back the
number with its tasks, and the newest claim to a task wins.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from aiokafka.coordinator.assignors.abstract import AbstractPartitionAssignor
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment, ConsumerProtocolMemberMetadata


class Claim(msgspec.Struct, frozen=True, array_like=True):
    """What a member had, and in which of the leader's assignments it got that."""

    round: int
    tasks: tuple[int, ...]


NO_CLAIM = Claim(0, ())


def share_out(tasks: int, claims: Mapping[str, Claim]) -> dict[str, tuple[int, ...]]:
    """Member → its tasks, for the tasks 0, 1, … `tasks` - 1."""
    if not claims:
        return {}
    claimed: dict[int, tuple[int, str]] = {}
    for member in sorted(claims):
        for task in claims[member].tasks:
            if 0 <= task < tasks:
                claimed[task] = max(claimed.get(task, (-1, "")), (claims[member].round, member))
    kept: dict[str, list[int]] = {member: [] for member in claims}
    for task in sorted(claimed):
        kept[claimed[task][1]].append(task)

    share, one_more = divmod(tasks, len(claims))
    # Those who have most get the larger shares: so the fewest tasks move.
    members = sorted(claims, key=lambda member: (-len(kept[member]), member))
    free = set(range(tasks))
    for place, member in enumerate(members):
        kept[member] = kept[member][: share + (place < one_more)]
        free.difference_update(kept[member])
    waiting = sorted(free, reverse=True)
    for place, member in enumerate(members):
        while len(kept[member]) < share + (place < one_more):
            kept[member].append(waiting.pop())
    return {member: tuple(sorted(has)) for member, has in kept.items()}


class TaskAssignor(AbstractPartitionAssignor):  # type: ignore[misc]  # - aiokafka ships no types
    """One for each consumer, passed to it as an instance: it remembers what this member has."""

    name = "slamon"

    def __init__(self) -> None:
        self.has = NO_CLAIM

    def metadata(self, topics: Iterable[str]) -> Any:
        return ConsumerProtocolMemberMetadata(0, sorted(topics), msgspec.msgpack.encode(self.has))

    def on_assignment(self, assignment: Any) -> None:
        tasks = tuple(sorted({tp.partition for tp in assignment.partitions()}))
        self.has = Claim(_claim(assignment.user_data).round, tasks)

    def assign(self, cluster: Any, members: Mapping[str, Any]) -> dict[str, Any]:
        """Called in the group's leader, with the members' own metadata."""
        topics = sorted({topic for member in members.values() for topic in member.subscription})
        partitions = {topic: set(cluster.partitions_for_topic(topic) or ()) for topic in topics}
        claims = {member: _claim(metadata.user_data) for member, metadata in members.items()}
        number = 1 + max((claim.round for claim in claims.values()), default=0)
        tasks = max((max(some) + 1 for some in partitions.values() if some), default=0)
        return {
            member: ConsumerProtocolMemberAssignment(
                0,
                [(topic, [task for task in has if task in partitions[topic]]) for topic in topics],
                msgspec.msgpack.encode(Claim(number, has)),
            )
            for member, has in share_out(tasks, claims).items()
        }


def _claim(user_data: bytes | None) -> Claim:
    try:
        return msgspec.msgpack.decode(user_data or b"", type=Claim)
    except msgspec.MsgspecError:
        return NO_CLAIM  # of another release: its tasks may move, which is only work
