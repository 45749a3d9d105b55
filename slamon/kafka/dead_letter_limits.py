"""How many dead letters a task may record in a minute: a producer gone mad must neither fill their topic nor stall commits.

Beyond the limits a rejected record is not kept, but counted in a tally (see `dead_letters`), of which there are few:
one for each input and reason in each commit. So nothing vanishes uncounted, and what it costs to reject a record no
longer depends on its size. A minute is one of the wall clock; one letter that is larger than all bytes of a minute is
recorded too, if it is the first.
"""

from slamon.domain.events import MINUTE


class Allowance:
    def __init__(self, records: int, size: int) -> None:
        """What one minute allows: so many letters, and so many bytes of them."""
        self._records = records
        self._size = size
        self._minute: int | None = None
        self._left_records = 0
        self._left_size = 0
        self._refused = False

    def allows(self, at: int) -> bool:
        """Whether another letter may be recorded at this instant (microseconds)."""
        minute = at // MINUTE
        if minute != self._minute:
            self._minute = minute
            self._left_records, self._left_size = self._records, self._size
            self._refused = False
        return self._left_records > 0 and self._left_size > 0

    def spend(self, size: int) -> None:
        """A letter of so many bytes is recorded."""
        self._left_records -= 1
        self._left_size -= size

    def refuse(self) -> bool:
        """A letter is not recorded. Whether it is the first of this minute."""
        first = not self._refused
        self._refused = True
        return first
