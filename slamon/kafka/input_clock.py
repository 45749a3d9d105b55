"""The clock of one input partition: the latest instant whose records have all been applied.

Each answer to a fetch says where the log ended and when that was seen. Once everything before that end has been
applied, every record that stood in the log at that instant has been: the clock shows it. So under steady load it trails
by one poll, and in a backlog it stands still. Two ends are enough: the one waited for, and the newest, which is waited
for next.

An answer is dated when it is read, and may have lain unread while the process was frozen or the network stood still: then
its end is old, and to date it now would be to judge deadlines by events not yet seen. It was asked for after the answer
before it was read, so an end is surely not older than that. An answer that came promptly is dated when it was read, any
other when the one before was.
"""


class InputClock:
    __slots__ = ("_newest", "_prompt", "_read_at", "_waited_for", "end", "position", "shows")

    def __init__(self, position: int, since: int, prompt: int) -> None:
        """Of an input that is asked from the instant `since` on, and answers within `prompt` microseconds."""
        self.position = position  # offset of the next record
        self.end: int | None = None  # of the log, as last seen
        self.shows: int | None = None  # microseconds by the wall clock; None: nothing is known yet
        self._waited_for: tuple[int, int] | None = None
        self._newest: tuple[int, int] | None = None
        self._read_at = since
        self._prompt = prompt

    def saw(self, end: int, read_at: int) -> None:
        """The log ended at offset `end` by an answer read at that instant. One not after the last one says nothing."""
        self.end = end
        if read_at <= self._read_at:
            return
        before, self._read_at = self._read_at, read_at
        at = read_at if read_at - before <= self._prompt else before
        if self._newest is not None and at <= self._newest[1]:
            return
        self._newest = (end, at)
        if self._waited_for is None:
            self._waited_for = self._newest

    def applied(self, position: int) -> None:
        """Everything before `position` has been applied."""
        self.position = position
        if self._newest is not None and position >= self._newest[0]:
            self.shows = self._newest[1]
            self._waited_for = None
        elif self._waited_for is not None and position >= self._waited_for[0]:
            self.shows = self._waited_for[1]
            self._waited_for = self._newest

    @property
    def lag(self) -> int | None:
        """Records still to come, as last seen; control records of transactions count too."""
        return None if self.end is None else max(0, self.end - self.position)
