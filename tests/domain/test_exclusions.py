"""What the events of one exclusion come to at an instant."""

from slamon.domain.events import ExclusionEvent, ExclusionReason, ExclusionState
from slamon.domain.exclusions import Declared, declared


def event(id_: str, time: int, start: int) -> ExclusionEvent:
    reason = ExclusionReason.MAINTENANCE
    state = ExclusionState.DECLARED
    return ExclusionEvent(id_, time, "acme", "CHG-7", state, reason=reason, start=start, end=90)


def test_what_is_not_known_yet_leaves_an_exclusion_as_it_was() -> None:
    events = [event("e1", 10, 50), event("e2", 20, 60)]
    kept = Declared("CHG-7", ExclusionReason.MAINTENANCE, 50, 90, None, 10, None)
    moved = Declared("CHG-7", ExclusionReason.MAINTENANCE, 60, 90, None, 20, None)
    assert [declared(events, now) for now in (9, 10, 19, 20)] == [None, kept, kept, moved]
