"""An event loop of several processes, without clock, sockets or threads: chance says who runs next, and time jumps.

The rules:

- What runs is a callback of a process, or of the world around them. Whose it is follows from its context, which tasks and
  callbacks inherit: so whatever a process starts is its own.
- Callbacks of one process run in the order in which they became ready, as asyncio promises. Which process runs next is
  drawn. No time passes while anything is ready; then it jumps to the next timer.
- A frozen process runs nothing until it wakes, then finds everything that came meanwhile. Of a dead one nothing runs again,
  not even what stands in a `finally`.
- One seed is one run: whatever else Python does by chance, such as the order of a set of tasks, is given an order here.
"""

import asyncio
import contextlib
import heapq
import itertools
import time
from asyncio import events
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from contextvars import Context, ContextVar, copy_context
from random import Random
from types import SimpleNamespace
from typing import Any
from unittest import mock

from slamon import clock

LAST_ROUNDS = 100  # of cancelling all, after the end; each gets everybody out of one await
BEGIN = 1_800_000_000  # s since 1970: the wall clock when a run begins


class Hung(AssertionError):  # noqa: N818 - reads as what it says
    """Nothing is ready, no timer runs, and what was waited for has not come."""


class Process:
    """Whose callbacks run together, freeze together and die together."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.ready: deque[_Handle] = deque()
        self.frozen = False
        self.dead = False

    def __repr__(self) -> str:
        return self.name


class _Handle:
    """What asyncio asks of a handle, and when it is due if it is a timer."""

    __slots__ = ("_when", "args", "callback", "cancelled_", "context", "process")

    def __init__(
        self, callback: Callable[..., object], args: tuple[Any, ...], context: Context, process: Process
    ) -> None:
        self.callback = callback
        self.args = args
        self.context = context
        self.process = process
        self.cancelled_ = False
        self._when = 0.0

    def cancel(self) -> None:
        self.cancelled_ = True

    def cancelled(self) -> bool:
        return self.cancelled_

    def when(self) -> float:
        return self._when


class _Task(asyncio.Task[Any]):
    """A set of tasks is walked in an order that does not depend on where they lie in memory."""

    _numbers = itertools.count()

    def __init__(self, coroutine: Coroutine[Any, Any, Any], **kwargs: Any) -> None:
        self._number = next(_Task._numbers)
        super().__init__(coroutine, **kwargs)

    def __hash__(self) -> int:
        return self._number


class Loop(asyncio.AbstractEventLoop):
    """`run` it inside `running`, which makes it the loop and the clock of everything inside."""

    def __init__(self, chance: Random) -> None:
        self.world = Process("world")
        self.steps = 0
        self.before_step: Callable[[], None] | None = None
        self.faults: list[str] = []  # what nobody caught
        self._chance = chance.random
        self._now = 0.0
        self._lanes = [self.world]
        self._buried: list[Process] = []
        self._kept: list[set[asyncio.Task[Any]]] = []
        self._timers: list[tuple[float, int, _Handle]] = []
        self._numbers = itertools.count()
        self._owner: ContextVar[Process] = ContextVar("process", default=self.world)
        self.ended = False  # the run; what happens now happens to nobody
        _Task._numbers = itertools.count()

    # ------------------------------------------------------------------------------------------------------- processes

    def process(self, name: str) -> Process:
        made = Process(name)
        self._lanes.append(made)
        return made

    def start(self, process: Process, coroutine: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        """As the first task of a process."""
        context = copy_context()
        context.run(self._owner.set, process)
        return _Task(coroutine, loop=self, context=context)

    @property
    def current(self) -> Process:
        return self._owner.get()

    def kill(self, process: Process) -> None:
        process.dead = True
        self._lanes.remove(process)
        self._buried.append(process)
        self._kept.append(
            asyncio.all_tasks(self)
        )  # else they would be collected, and would run once more for that

    # ------------------------------------------------------------------------------------------------ what asyncio asks

    def time(self) -> float:
        return self._now

    def call_soon(  # type: ignore[override]  # - asyncio's own says more of `args` than it asks
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Any:
        handle = self._handle(callback, args, context)
        if not handle.process.dead:
            handle.process.ready.append(handle)
        return handle

    def call_at(  # type: ignore[override]  # - as above
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Any:
        handle = self._handle(callback, args, context)
        handle._when = when
        heapq.heappush(self._timers, (when, next(self._numbers), handle))
        return handle

    def call_later(  # type: ignore[override]  # - as above
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Any:
        return self.call_at(self._now + delay, callback, *args, context=context)

    def _handle(
        self, callback: Callable[..., object], args: tuple[Any, ...], context: Context | None
    ) -> _Handle:
        if context is None:
            context = copy_context()
        return _Handle(callback, args, context, context.get(self._owner, self.world))

    def in_the_world(self, delay: float, callback: Callable[..., object], *args: Any) -> Any:
        """Let this happen whatever becomes of the process that asks for it."""
        handle = _Handle(callback, args, self._context_of_world, self.world)
        handle._when = self._now + delay
        heapq.heappush(self._timers, (handle._when, next(self._numbers), handle))
        return handle

    def create_future(self) -> "asyncio.Future[Any]":
        return asyncio.Future(loop=self)

    def create_task(self, coro: Any, **kwargs: Any) -> Any:
        return _Task(coro, loop=self, **kwargs)

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        self._complain(f"{context['message']}: {context.get('exception')!r}")

    def _complain(self, what: str) -> None:
        if not self.ended:
            self.faults.append(what)

    # ---------------------------------------------------------------------------------------------------------- running

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        self._context_of_world = copy_context()
        shown = SimpleNamespace(
            time_ns=lambda: round((BEGIN + self._now) * 1_000_000) * 1000, monotonic=lambda: self._now
        )
        with mock.patch.object(clock, "time", shown):
            events._set_running_loop(self)
            try:
                yield
            finally:
                self._end()
                events._set_running_loop(None)

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Until this one, which belongs to the world, is done; its result."""
        done = _Task(coroutine, loop=self, context=self._context_of_world.copy())
        while not done.done():
            self.step()
        return done.result()

    def step(self) -> None:
        """One callback of one process."""
        lanes = [lane for lane in self._lanes if lane.ready and not lane.frozen]
        while not lanes:
            self._jump()
            lanes = [lane for lane in self._lanes if lane.ready and not lane.frozen]
        lane = lanes[0] if len(lanes) == 1 else lanes[int(self._chance() * len(lanes))]
        handle = lane.ready.popleft()
        if handle.cancelled_:
            return
        self.steps += 1
        if self.before_step is not None and lane is not self.world:
            self.before_step()
            if lane.dead or lane.frozen:
                lane.ready.appendleft(handle)
                return
        try:
            handle.context.run(handle.callback, *handle.args)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:  # noqa: BLE001 - as asyncio does
            self._complain(f"{handle.callback}: {error!r}")

    def _jump(self) -> None:
        timers = self._timers
        while timers and timers[0][2].cancelled_:
            heapq.heappop(timers)
        if not timers:
            raise Hung("nothing will ever happen again")
        self._now = max(self._now, timers[0][0])
        while timers and timers[0][0] <= self._now:
            handle = heapq.heappop(timers)[2]
            if not (handle.cancelled_ or handle.process.dead):
                handle.process.ready.append(handle)

    def _end(self) -> None:
        """Let everything that is still under way run out, the dead too, cancelled and unheard: Python wants it so."""
        self.ended, self.before_step = True, None
        self._lanes += self._buried
        for process in self._lanes:
            process.dead = process.frozen = False
        for _ in range(LAST_ROUNDS):
            left = asyncio.all_tasks(self)
            if not left:
                break
            for task in left:
                task.cancel()
            while any(lane.ready for lane in self._lanes):
                self.step()
        self._timers.clear()
        self._kept.clear()


def loop(chance: Random) -> Loop:
    return Loop(chance)  # type: ignore[abstract]  # - asyncio asks no more of a loop without sockets


def seconds_of_the_machine() -> float:
    """That this process has computed for: all that the machine's clock is asked here."""
    return time.process_time()
