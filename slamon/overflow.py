"""What does not fit into memory, in temporary files: decided tickets by their name, and long lists in their order.

`Memory` and `Room` say when there is too much. `Shelf` keeps what a monitor released until the ticket is heard of again. `Sorter` puts
any number of items in order: sorted runs in a file, merged at the end. Both are exact: what comes back is what went in.
"""

import errno
import heapq
import os
import resource
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Generic, NamedTuple, TypeVar

import msgspec

from slamon.domain.decisions import ClockRecord, Kept, Released

T = TypeVar("T")

MEBIBYTE = 1 << 20
DEFAULT_LIMIT = 1024 * MEBIBYTE
_ASK_EVERY = 1000  # items; asking costs a call of the system
_BLOCK = 256  # items read back at once


def peak() -> int:
    """The most memory that this process ever had in use, in bytes."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024  # bytes there, KiB elsewhere


class Memory:
    """A soft bound on the memory of the process, common to all `Room`s in it."""

    def __init__(
        self, limit: int = DEFAULT_LIMIT, *, every: int = _ASK_EVERY, peak: Callable[[], int] = peak
    ) -> None:
        """`limit` in bytes; `every`: after how many items to ask again."""
        self.every = every
        self._mark = limit
        self._peak = peak

    def is_exceeded(self) -> bool:
        """Whether more is in use than ever was allowed."""
        return self._peak() > self._mark

    def relieved(self) -> None:
        """Something was freed. That lowers no peak, but is used again before the peak rises: what it is now, it may be."""
        self._mark = max(self._mark, self._peak())


class Room:
    """How many items one holder may hold: as many as it held the last time before memory was exceeded."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._fit: int | None = None
        self._held = 0  # when asked last
        self._left = 0  # that could not be let go last time

    def is_full(self, held: int) -> bool:
        before, self._held = self._held, held
        if held < self._left + self._left // 4:  # to look at what must stay would be most of the work
            return False
        if self._memory.is_exceeded():
            self._fit = before
            return True
        return self._fit is not None and held >= self._fit

    def emptied(self, left: int = 0) -> None:
        """All that could be let go was, `left` could not."""
        self._held = self._left = left
        self._memory.relieved()


@contextmanager
def temporary_folder(beside: Path) -> Iterator[Path]:
    """A folder in the folder `beside`, gone afterwards whatever happens. OSError if what is kept in it cannot be kept."""
    with tempfile.TemporaryDirectory(prefix="overflow-", dir=beside) as name:
        try:
            yield Path(name)
        except sqlite3.Error as error:
            raise OSError(errno.EIO, str(error), name) from error


# ------------------------------------------------------------------------------------------------------- decided tickets


class Shelf:
    """Tickets that a monitor released. The index is in the file, too: what is held does not grow with what is kept."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: sqlite3.Connection | None = None
        self._kept = msgspec.msgpack.Decoder(Kept)
        self._clocks = msgspec.msgpack.Decoder(tuple[ClockRecord, ...])

    def keep(self, released: Iterable[Released]) -> None:
        """Keep each until it is recalled."""
        pack = msgspec.msgpack.Encoder().encode
        self._opened().executemany(
            "INSERT INTO tickets VALUES (?, ?, ?, ?)",
            ((one.customer, one.ticket, pack(one.kept), pack(one.clocks)) for one in released),
        )

    def recall(self, customer: str, ticket: str) -> Kept | None:
        """What was kept of a ticket, which is no longer here then."""
        if self._file is None:
            return None
        name = (customer, ticket)
        row = self._file.execute(
            "SELECT rowid, kept FROM tickets WHERE customer = ? AND ticket = ?", name
        ).fetchone()
        if row is None:
            return None
        self._file.execute("DELETE FROM tickets WHERE rowid = ?", row[:1])
        return self._kept.decode(row[1])

    def clocks(self) -> Iterator[ClockRecord]:
        """Of all tickets that are here, in no order."""
        if self._file is not None:
            for (packed,) in self._file.execute("SELECT clocks FROM tickets"):
                yield from self._clocks.decode(packed)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def _opened(self) -> sqlite3.Connection:
        if self._file is None:
            # One transaction that is never ended: nobody reads the file after us.
            self._file = sqlite3.connect(self._folder / "tickets")
            self._file.execute("PRAGMA journal_mode = OFF")
            self._file.execute("PRAGMA synchronous = OFF")
            self._file.execute(
                "CREATE TABLE tickets (customer TEXT, ticket TEXT, kept BLOB, clocks BLOB, PRIMARY KEY (customer, ticket))"
            )
        return self._file


# ----------------------------------------------------------------------------------------------------------- long lists


class _Block(NamedTuple):
    """Where some items of a run stand in the file."""

    offset: int
    length: int


class Sorter(Generic[T]):
    """Items in the order of their keys; equal ones in the order in which they were added."""

    def __init__(self, folder: Path, memory: Memory, kind: Any, key: Callable[[T], Any]) -> None:
        """`kind`: the type of the items, something that msgspec can pack."""
        self._folder = folder
        self._every = memory.every
        self._room = Room(memory)
        self._key = key
        self._packer = msgspec.msgpack.Encoder()
        self._unpacker: msgspec.msgpack.Decoder[list[T]] = msgspec.msgpack.Decoder(list[kind])
        self._held: list[T] = []
        self._runs: list[list[_Block]] = []
        self._file: IO[bytes] | None = None

    def add(self, item: T) -> None:
        self._held.append(item)
        if len(self._held) % self._every == 0 and self._room.is_full(len(self._held)):
            self._write_run()
            self._room.emptied()

    def sorted(self) -> Iterator[T]:
        """All of them, once; what was handed out is held no longer."""
        held = self._held
        held.sort(key=self._key)
        if self._file is None:
            return _emptied(held)
        self._file.flush()
        file = self._file.fileno()
        return heapq.merge(*(self._read(file, run) for run in self._runs), _emptied(held), key=self._key)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def _write_run(self) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115 - closed by `close`
        held = self._held
        held.sort(key=self._key)
        run = []
        for first in range(0, len(held), _BLOCK):
            packed = self._packer.encode(held[first : first + _BLOCK])
            run.append(_Block(self._file.tell(), len(packed)))
            self._file.write(packed)
        self._runs.append(run)
        self._held = []

    def _read(self, file: int, run: list[_Block]) -> Iterator[T]:
        for block in run:
            yield from self._unpacker.decode(os.pread(file, block.length, block.offset))


def _emptied(items: list[T]) -> Iterator[T]:
    items.reverse()
    while items:
        yield items.pop()
