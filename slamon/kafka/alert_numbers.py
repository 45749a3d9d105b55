"""The numbers of a task's alert transitions, by which an alert survives a torn transaction and is never said twice.

Only the task's owner writes its partition of the alerts topic, and gives every transition the next number; readers drop
a number that they have. A transaction is atomic across topics only while not too much fails at once, so after a restore
either part of the last commits may be missing. Hence:

- A transition stands in the changelog's outbox, from the commit that decided it until it was read in the alerts topic.
- What the outbox holds and the topic lacks is sent again, under its number; unless it is so old that the topic may have
  dropped it by age: that is only counted.
- What the topic holds and the state knows nothing of (an orphan) is decided again sooner or later: under its number.
  Until then it stands in the positions, for whoever restores next does not look so far back any more.
"""

from collections.abc import Iterable, Mapping

import msgspec

from slamon.domain.decisions import AlertTransition
from slamon.kafka.changelog import Orphan

ORPHANS_KEPT = (
    1000  # in a record of a hundred bytes for each; one torn commit leaves no more than it announced
)


class Announced(msgspec.Struct, frozen=True):
    """An alert transition under the number that readers know it by."""

    number: int
    transition: AlertTransition


class AlertSeen(msgspec.Struct, frozen=True):
    """What identifies a record of the alerts topic."""

    id: str
    number: int | None = None
    episode: int = 0
    transition: str = ""


_decode_seen = msgspec.json.Decoder(AlertSeen).decode


def alert_seen(value: bytes | None) -> AlertSeen | None:
    """None: not an alert transition of ours, whoever wrote it."""
    try:
        return _decode_seen(value or b"")
    except (msgspec.DecodeError, msgspec.ValidationError):
        return None


class AlertNumbers:
    def __init__(self) -> None:
        self.newest = 0
        self.seen_to = 0  # offset in the alerts topic before which everything was read
        self._outbox: set[int] = set()  # in the changelog's outbox, and not yet seen
        self._seen: list[int] = []  # to be taken out of it by the next commit
        self._orphans: dict[tuple[str, int, str], int] = {}

    def restore(
        self,
        newest: int,
        outbox: Mapping[int, AlertTransition],
        seen: Iterable[AlertSeen],
        seen_to: int,
        too_old: int,
        orphans: Iterable[Orphan] = (),
    ) -> tuple[list[Announced], list[int]]:
        """What must be sent again, and the numbers of what is missing but detected before `too_old`.

        `newest`: the number in the positions, and `orphans` those in there. `seen`: the end of the alerts topic, which ends at offset `seen_to`.
        """
        there = {one.number: one for one in seen if one.number is not None}
        self._orphans = {(one.id, one.episode, one.transition): one.number for one in orphans}
        self._orphans |= {
            (one.id, one.episode, one.transition): number for number, one in there.items() if number > newest
        }
        self.newest = max(newest, *there, *outbox, 0)
        self.seen_to = seen_to
        missing = [Announced(number, outbox[number]) for number in sorted(outbox.keys() - there.keys())]
        again = [one for one in missing if one.transition.detected_at >= too_old]
        given_up = [one.number for one in missing if one.transition.detected_at < too_old]
        self._outbox = {one.number for one in again}
        self._seen = sorted(outbox.keys() & there.keys()) + given_up
        return again, given_up

    def announce(self, transition: AlertTransition) -> Announced:
        content = (transition.id, transition.episode, transition.transition.value)
        number = self._orphans.pop(content, None)
        if number is None:
            number = self.newest = self.newest + 1
        self._outbox.add(number)
        return Announced(number, transition)

    @property
    def orphans(self) -> tuple[Orphan, ...]:
        """For the positions."""
        newest = sorted((number, *content) for content, number in self._orphans.items())[-ORPHANS_KEPT:]
        return tuple(Orphan(*one) for one in newest)

    @property
    def waiting(self) -> bool:
        """Some have not been seen where they belong."""
        return bool(self._outbox)

    @property
    def oldest_awaited(self) -> int | None:
        """The lowest number of those that have not."""
        return min(self._outbox, default=None)

    def saw(self, number: int | None, next_offset: int) -> None:
        """A record of the alerts topic was read; the next one is at `next_offset`."""
        self.seen_to = max(self.seen_to, next_offset)
        if number in self._outbox:
            self._outbox.discard(number)
            self._seen.append(number)

    def take_seen(self) -> list[int]:
        """What the next commit takes out of the outbox."""
        seen, self._seen = self._seen, []
        return seen
