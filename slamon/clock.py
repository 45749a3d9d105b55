"""The only place that reads the time, or waits for it."""

import asyncio
import time

MICROSECONDS = 1_000_000  # in a second


def now() -> int:
    """The wall clock in microseconds since 1970-01-01T00:00:00Z; it may jump."""
    return time.time_ns() // 1000  # noqa: TID251 - this module is where time is read


def monotonic() -> float:
    """Seconds on a clock that never jumps, for limits and ages; its zero means nothing."""
    return time.monotonic()  # noqa: TID251 - this module is where time is read


async def wait(seconds: float) -> None:
    """Let other tasks run for so many seconds."""
    await asyncio.sleep(seconds)  # noqa: TID251 - this module is where time is waited for


def sleep(seconds: float) -> None:
    """Block this thread for so many seconds."""
    time.sleep(seconds)  # noqa: TID251 - this module is where time is waited for
