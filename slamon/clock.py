"""The only place that reads the time, or waits for it."""

import asyncio
import time
from typing import NamedTuple

MICROSECONDS = 1_000_000  # in a second


class Pace(NamedTuple):
    """A clock that stands at `origin` until the wall clock shows `since`, then runs `speed` times as fast."""

    since: int
    origin: int
    speed: int


_pace: Pace | None = None


def set_pace(pace: Pace) -> None:
    """Let agreements be judged by a faster clock from now on; only the demo does."""
    global _pace  # noqa: PLW0603 - there is one time in a process
    _pace = pace


def wall() -> int:
    """The wall clock in microseconds since 1970-01-01T00:00:00Z, for what other systems understand; it may jump."""
    return time.time_ns() // 1000  # noqa: TID251 - this module is where time is read


def now() -> int:
    """The time that agreements are judged by, in microseconds: the wall clock, unless the demo has set a pace."""
    return judged_at(wall())


def judged_at(shown: int) -> int:
    """The time that agreements are judged by at the instant when the wall clock shows `shown`."""
    if _pace is None:
        return shown
    return _pace.origin + max(shown - _pace.since, 0) * _pace.speed


def monotonic() -> float:
    """Seconds on a clock that never jumps, for limits and ages; its zero means nothing."""
    return time.monotonic()  # noqa: TID251 - this module is where time is read


async def wait(seconds: float) -> None:
    """Let other tasks run for so many seconds."""
    await asyncio.sleep(seconds)  # noqa: TID251 - this module is where time is waited for


def sleep(seconds: float) -> None:
    """Block this thread for so many seconds."""
    time.sleep(seconds)  # noqa: TID251 - this module is where time is waited for
