"""How two things are compared: in turn, several times, by the time a core spent on them.

Other work on the machine slows both and falsifies neither: what is measured is CPU time of this process (of another one
where that does the work), not time on the wall. Only latencies are by the wall.
"""

import gc
import time
from collections.abc import Awaitable, Callable
from statistics import median
from typing import NamedTuple

US, MS = 1e6, 1e3  # in a second


class Effort(NamedTuple):
    """`share`: of the full amount of work; `runs`: of which the median is shown."""

    share: float
    runs: int

    def of(self, amount: int) -> int:
        return round(amount * self.share)


FULL, QUICK = Effort(1.0, 5), Effort(0.1, 3)


class Row(NamedTuple):
    """A line of the table. `faster_when_more`: whether figures are rates, and not times."""

    what: str
    ours: float
    baseline: float
    unit: str
    against: str
    faster_when_more: bool = True

    @property
    def ratio(self) -> float:
        """Our speed over the baseline's: above 1 we are faster."""
        return self.ours / self.baseline if self.faster_when_more else self.baseline / self.ours


class LeftOut(Exception):  # noqa: N818 - reads as what it says
    """A benchmark cannot be run here; the text says why."""


def cpu_seconds(work: Callable[[], object]) -> float:
    gc.collect()
    begun = time.process_time()
    work()
    return time.process_time() - begun


async def cpu_seconds_of(work: Callable[[], Awaitable[object]]) -> float:
    gc.collect()
    begun = time.process_time()
    await work()
    return time.process_time() - begun


def in_turn(ours: Callable[[], object], baseline: Callable[[], object], runs: int) -> tuple[float, float]:
    """The median CPU seconds of each; a first run, in which caches fill, is not counted."""
    taken = [(cpu_seconds(ours), cpu_seconds(baseline)) for _ in range(runs + 1)][1:]
    return median(one for one, _ in taken), median(other for _, other in taken)


async def in_turn_of(
    ours: Callable[[], Awaitable[object]],
    baseline: Callable[[], Awaitable[object]],
    runs: int,
    before: Callable[[], object] = lambda: None,
) -> tuple[float, float]:
    """Likewise, of what runs on the loop; `before` each of our runs something happens that is not measured."""
    taken = []
    for _ in range(runs + 1):
        before()
        taken.append((await cpu_seconds_of(ours), await cpu_seconds_of(baseline)))
    del taken[0]
    return median(one for one, _ in taken), median(other for _, other in taken)
