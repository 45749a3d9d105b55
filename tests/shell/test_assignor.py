"""The laws of sharing out tasks, and that they reach the wire and come back."""

from dataclasses import dataclass

from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment, ConsumerProtocolMemberMetadata
from hypothesis import given
from hypothesis import strategies as st

from slamon.kafka.assignor import Claim, TaskAssignor, share_out

members = st.integers(1, 12).map(lambda n: [f"member-{i}" for i in range(n)])
claims = members.flatmap(
    lambda names: st.fixed_dictionaries(
        {
            name: st.builds(
                Claim, st.integers(0, 3), st.lists(st.integers(-1, 40), unique=True, max_size=40).map(tuple)
            )
            for name in names
        }
    )
)


def newest_claims(tasks: int, made: dict[str, Claim]) -> dict[str, set[int]]:
    owner = {
        task: max((claim.round, name) for name, claim in made.items() if task in claim.tasks)[1]
        for task in range(tasks)
        if any(task in claim.tasks for claim in made.values())
    }
    return {name: {task for task, its in owner.items() if its == name} for name in made}


@given(st.integers(0, 40), claims)
def test_every_task_has_exactly_one_owner(tasks: int, made: dict[str, Claim]) -> None:
    assert sorted(task for has in share_out(tasks, made).values() for task in has) == list(range(tasks))


@given(st.integers(0, 40), claims)
def test_nobody_has_two_tasks_more_than_another(tasks: int, made: dict[str, Claim]) -> None:
    sizes = [len(has) for has in share_out(tasks, made).values()]
    assert len(sizes) == len(made)
    assert max(sizes) - min(sizes) <= 1


@given(st.integers(0, 40), claims)
def test_no_task_moves_without_need(tasks: int, made: dict[str, Claim]) -> None:
    had = newest_claims(tasks, made)
    share, one_more = divmod(tasks, len(made))
    most_that_can_stay = sum(min(len(its), share) for its in had.values()) + min(
        one_more, sum(len(its) > share for its in had.values())
    )
    shared = share_out(tasks, made)
    assert sum(len(had[name] & set(shared[name])) for name in made) == most_that_can_stay


@given(st.integers(0, 40), claims)
def test_sharing_out_again_changes_nothing(tasks: int, made: dict[str, Claim]) -> None:
    once = share_out(tasks, made)
    assert share_out(tasks, {name: Claim(9, has) for name, has in once.items()}) == once


def test_a_member_that_slept_through_a_rebalance_is_not_believed() -> None:
    shared = share_out(2, {"awake": Claim(2, (0, 1)), "slept": Claim(1, (0, 1))})
    assert shared == {"awake": (0,), "slept": (1,)}


@dataclass
class Cluster:
    topics: dict[str, int]

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        return set(range(self.topics[topic])) if topic in self.topics else None


def rebalance(cluster: Cluster, group: dict[str, TaskAssignor]) -> dict[str, list[tuple[str, list[int]]]]:
    """One round as the coordinator carries it out, everything through its encoded form."""
    sent = {
        name: ConsumerProtocolMemberMetadata.decode(assignor.metadata(["tickets", "availability"]).encode())
        for name, assignor in group.items()
    }
    answers = next(iter(group.values())).assign(cluster, sent)
    got = {name: ConsumerProtocolMemberAssignment.decode(answers[name].encode()) for name in group}
    for name, assignment in got.items():
        group[name].on_assignment(assignment)
    return {name: [(topic, list(some)) for topic, some in its.assignment] for name, its in got.items()}


def test_a_task_is_its_partition_of_every_input() -> None:
    cluster = Cluster({"tickets": 5, "availability": 5})
    shared = rebalance(cluster, {"a": TaskAssignor(), "b": TaskAssignor()})
    assert shared == {
        "a": [("availability", [0, 1, 2]), ("tickets", [0, 1, 2])],
        "b": [("availability", [3, 4]), ("tickets", [3, 4])],
    }


def test_members_that_come_and_go_move_only_what_they_must() -> None:
    cluster = Cluster({"tickets": 6, "availability": 6})
    a, b, c = TaskAssignor(), TaskAssignor(), TaskAssignor()
    rebalance(cluster, {"a": a, "b": b})
    before = {"a": set(a.has.tasks), "b": set(b.has.tasks)}
    rebalance(cluster, {"a": a, "b": b, "c": c})
    assert set(a.has.tasks) < before["a"]
    assert set(b.has.tasks) < before["b"]
    assert [len(one.has.tasks) for one in (a, b, c)] == [2, 2, 2]
    kept = set(a.has.tasks)
    rebalance(cluster, {"a": a, "c": c})
    assert kept < set(a.has.tasks)
    assert a.has.round == c.has.round == 3


def test_what_another_release_sends_is_no_claim() -> None:
    assignor = TaskAssignor()
    members = {
        "old": ConsumerProtocolMemberMetadata(0, ["tickets"], b""),
        "new": ConsumerProtocolMemberMetadata(0, ["tickets"], b"\xff\x01"),
    }
    answers = assignor.assign(Cluster({"tickets": 2}), members)
    assert sorted(tp.partition for answer in answers.values() for tp in answer.partitions()) == [0, 1]
