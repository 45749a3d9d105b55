"""What of the alerts topic is news to a receiver; the carrying itself is tried on a real Kafka, in tests/end_to_end."""

from collections.abc import Sequence

import msgspec
import pytest

from slamon.domain.decisions import AlertTransition, Reason, Transition
from slamon.domain.events import MINUTE
from slamon.kafka.acls import Doing, delivery_group, needed
from slamon.kafka.deliveries import Deliveries, _over_long_ago
from slamon.kafka.told import Told
from slamon.settings import Settings

RETENTION = 15 * MINUTE
NOW = 1_000 * MINUTE


def fired(episode: int = 1, *, at: int = NOW - 60 * MINUTE, detected: int = NOW) -> AlertTransition:
    return AlertTransition(
        id="a",
        episode=episode,
        transition=Transition.FIRED,
        at=at,
        detected_at=detected,
        late=at < detected,
        reason=Reason.STEP_REACHED,
        labels={},
        annotations={},
    )


def resolved(firing: AlertTransition, *, at: int, detected: int = NOW) -> AlertTransition:
    return msgspec.structs.replace(
        firing, transition=Transition.RESOLVED, at=at, detected_at=detected, late=at < detected
    )


OVER: dict[str, tuple[Sequence[AlertTransition], bool]] = {
    "it ended long before both were learnt of": ([fired(), resolved(fired(), at=NOW - 20 * MINUTE)], True),
    "it ended just now": ([fired(), resolved(fired(), at=NOW - 10 * MINUTE)], False),
    "it was told when it fired, and its end alone is old news": (
        [fired(detected=NOW - 50 * MINUTE), resolved(fired(), at=NOW - 20 * MINUTE)],
        False,
    ),
    "only its end is here": ([resolved(fired(), at=NOW - 20 * MINUTE)], False),
    "it still fires": ([fired()], False),
    "it fired once more": ([fired(1), resolved(fired(1), at=NOW - 20 * MINUTE), fired(2)], True),
}


@pytest.mark.parametrize("case", OVER)
def test_over_long_ago_is_what(case: str) -> None:
    alerts, over = OVER[case]
    assert _over_long_ago(alerts, Told(), RETENTION) == ({("a", 1)} if over else set())


def test_the_end_of_what_was_told_is_told_although_both_are_sent_again() -> None:
    told = Told()
    told.add("a", 1)
    end = resolved(fired(), at=NOW - 20 * MINUTE)
    assert _over_long_ago([end, fired(), end], told, RETENTION) == set()


def test_what_fires_is_known_from_what_is_committed_whatever_is_sent_again() -> None:
    deliveries = Deliveries(Settings(), [], bool, lambda: 1)
    deliveries.begin(0, 0, [fired(2)])
    firing = deliveries._firing[0]
    deliveries.commit(0, [fired(1), resolved(fired(1), at=NOW)])
    assert firing == {"a": fired(2)}, "an earlier episode, as it is sent again after a restore"
    deliveries.commit(0, [resolved(fired(2), at=NOW)])
    assert firing == {}
    deliveries.commit(0, [fired(3)])
    assert firing == {"a": fired(3)}
    deliveries.forget(0)
    deliveries.commit(0, [fired(4)])
    assert deliveries._firing == {}


def test_groups_of_receivers_are_asked_for_once_there_are_receivers() -> None:
    plain = Settings(application_id="sla")
    told = Settings.model_validate(
        {"application_id": "sla", "notifier": {"receivers": {"duty manager": {"log": {}}}}}
    )
    more = [acl for acl in needed(told, Doing.RUN) if acl not in needed(plain, Doing.RUN)]
    assert [(str(acl), acl.operations) for acl in more] == [("group sla.delivery.*", ("Read",))]
    assert delivery_group("sla", "duty manager") == "sla.delivery.duty manager"


async def test_without_receivers_there_is_nothing_to_stop() -> None:
    deliveries = Deliveries(Settings(), (), lambda _: True, lambda: 1)
    await deliveries.run()
    deliveries.stop(1.0)
    await deliveries.run()
