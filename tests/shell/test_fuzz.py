"""A short run of the fuzzer; `make fuzz` is the long one."""

from slamon.codec import RejectReason
from tests.fuzz.campaign import all_agreements, rounds


def test_whatever_a_record_holds_it_is_an_event_or_a_dead_letter_and_a_successor_sees_the_same() -> None:
    """The campaign itself asserts it, see its rules; here, that it met everything there is to meet."""
    (count,) = rounds(all_agreements(), seed="short", records=8_000)
    assert count.records == 8_000
    assert set(count.events) == {"ticket", "availability", "requests", "exclusion"}
    rare = {RejectReason.WRONG_PARTITION, RejectReason.NOT_AN_OBJECT}
    assert {reason.value for reason in set(RejectReason) - rare} <= set(count.rejected)
    assert count.alerts > 100
    assert count.statements > 10
