"""However a transaction was torn, after the next restore every alert is there, once, under one number."""

from hypothesis import given
from hypothesis import strategies as st

from slamon.domain.decisions import AlertTransition, Reason, Transition
from slamon.kafka.alert_numbers import AlertNumbers, AlertSeen, alert_seen
from slamon.records import alert_record


def fired(name: str, at: int = 100) -> AlertTransition:
    return AlertTransition(
        name, 1, Transition.FIRED, at, at, late=False, reason=Reason.STEP_REACHED, labels={}, annotations={}
    )


def seen(number: int, name: str) -> AlertSeen:
    one = alert_seen(alert_record(fired(name), number))
    assert one is not None
    return one


def test_numbers_follow_each_other_without_gaps() -> None:
    numbers = AlertNumbers()
    assert [numbers.announce(fired(name)).number for name in "abc"] == [1, 2, 3]
    assert numbers.newest == 3


def test_a_transition_is_awaited_until_it_was_seen_where_it_belongs() -> None:
    numbers = AlertNumbers()
    numbers.announce(fired("a"))
    numbers.announce(fired("b"))
    numbers.saw(2, 11)
    waiting = [numbers.waiting]
    assert numbers.take_seen() == [2]
    numbers.saw(None, 12)
    numbers.saw(1, 13)
    waiting.append(numbers.waiting)
    assert waiting == [True, False]
    assert (numbers.take_seen(), numbers.take_seen(), numbers.seen_to) == ([1], [], 13)


def test_what_the_topic_lacks_is_sent_again_and_what_it_has_is_forgotten() -> None:
    numbers = AlertNumbers()
    again, given_up = numbers.restore(
        3, {1: fired("a"), 2: fired("b"), 3: fired("old", at=9)}, [seen(1, "a")], 50, too_old=10
    )
    assert [(one.number, one.transition.id) for one in again] == [(2, "b")]
    assert given_up == [3]
    assert numbers.take_seen() == [1, 3]
    assert numbers.waiting
    assert numbers.announce(fired("c")).number == 4


def test_what_the_state_lacks_keeps_its_number_when_it_is_decided_again() -> None:
    numbers = AlertNumbers()
    numbers.restore(1, {}, [seen(1, "a"), seen(2, "b"), seen(3, "c")], 50, too_old=0)
    assert [numbers.announce(fired(name)).number for name in ("c", "d", "b", "c")] == [3, 4, 2, 5]


def test_what_was_not_decided_again_before_the_next_restore_keeps_its_number_too() -> None:
    """By then its place in the topic lies before the offset from which that is read."""
    numbers, later = AlertNumbers(), AlertNumbers()
    numbers.restore(1, {}, [seen(1, "a"), seen(2, "b"), seen(3, "c")], 50, too_old=0)
    assert numbers.announce(fired("c")).number == 3
    later.restore(numbers.newest, {3: fired("c")}, [], numbers.seen_to, too_old=0, orphans=numbers.orphans)
    assert [later.announce(fired(name)).number for name in ("d", "b")] == [4, 2]
    assert later.orphans == ()


def test_a_stranger_in_the_alerts_topic_is_no_alert_of_ours() -> None:
    assert alert_seen(None) is None
    assert alert_seen(b"hello") is None
    assert alert_seen(b'{"number": "one"}') is None


torn = st.tuples(st.integers(0, 8), st.integers(0, 8), st.integers(0, 8), st.sets(st.integers(1, 16)))


@given(torn)
def test_after_any_tear_each_transition_has_one_number_and_each_number_one_transition(
    case: tuple[int, int, int, set[int]],
) -> None:
    """`confirmed` were seen long ago, `unconfirmed` stand in the outbox, `unknown` only ever reached the topic."""
    confirmed, unconfirmed, unknown, arrived = case
    newest = confirmed + unconfirmed
    outbox = {number: fired(f"t{number}") for number in range(confirmed + 1, newest + 1)}
    topic = {number: f"t{number}" for number in range(1, confirmed + 1)}
    topic |= {number: f"t{number}" for number in outbox if number in arrived}
    topic |= {number: f"t{number}" for number in range(newest + 1, newest + unknown + 1)}
    numbers = AlertNumbers()
    again, _ = numbers.restore(newest, outbox, [seen(*one) for one in topic.items()], 0, too_old=0)
    for one in again:
        assert one.number not in topic
        topic[one.number] = one.transition.id
    # The state decides again what it does not know, and something new.
    for name in [f"t{number}" for number in range(newest + 1, newest + unknown + 1)] + ["new"]:
        number = numbers.announce(fired(name)).number
        assert topic.setdefault(number, name) == name
    assert sorted(topic) == list(range(1, newest + unknown + 2))
    assert len(set(topic.values())) == len(topic)
