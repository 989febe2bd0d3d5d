"""An event loop whose time stands still while there is work, and jumps to the next timer where there is none."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context, copy_context
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from itertools import count
from typing import Any, TypeVarTuple

Args = TypeVarTuple("Args")
START = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)


class Stuck(Exception):
    """Nothing is left to happen, and the work is not done."""


class _Call(asyncio.TimerHandle):
    """A callback with its time; the standard handles also know how to tell where they come from, which takes time."""

    __slots__ = ()

    def __init__(self, callback: Any, args: Any, context: Context | None) -> None:
        self._callback, self._args = callback, args
        self._context = copy_context() if context is None else context
        self._cancelled = False

    def cancel(self) -> None:
        self._cancelled = True
        self._callback, self._args = None, ()


class VirtualLoop(asyncio.AbstractEventLoop):
    """What asyncio needs of a loop, and no more: callbacks in order, timers by time and then in order, tasks.

    What runs on it depends on what it is given alone, never on the machine.
    """

    def __init__(self, failed: Callable[[str], None]) -> None:
        self._passed = 0.0
        self._ready: deque[_Call] = deque()
        self._timers: list[tuple[float, int, _Call]] = []
        self._count = count()
        self._failed = failed
        self._tasks: list[asyncio.Task[Any]] = []

    # Time

    def time(self) -> float:
        """Return the seconds since the beginning."""
        return self._passed

    def now(self) -> datetime:
        """Return the virtual moment."""
        return START + timedelta(seconds=self._passed)

    # What asyncio asks of it

    def call_soon(
        self, callback: Callable[[*Args], object], *args: *Args, context: Context | None = None
    ) -> asyncio.Handle:
        call = _Call(callback, args, context)
        self._ready.append(call)
        return call

    def call_at(
        self, when: float, callback: Callable[[*Args], object], *args: *Args, context: Context | None = None
    ) -> asyncio.TimerHandle:
        call = _Call(callback, args, context)
        heappush(self._timers, (when, next(self._count), call))
        return call

    def call_later(
        self, delay: float, callback: Callable[[*Args], object], *args: *Args, context: Context | None = None
    ) -> asyncio.TimerHandle:
        call = _Call(callback, args, context)
        heappush(self._timers, (self._passed + delay, next(self._count), call))
        return call

    def create_future(self) -> "asyncio.Future[Any]":
        return asyncio.Future(loop=self)

    def create_task(
        self, coro: Any, *, name: str | None = None, context: Context | None = None, **_: Any
    ) -> "asyncio.Task[Any]":
        task: asyncio.Task[Any] = asyncio.Task(coro, loop=self, name=name or "", context=context)
        self._tasks.append(task)
        return task

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Tell what nobody caught; what is left of a dead process is nobody's."""
        error = context.get("exception")
        if error is not None:
            self._failed(f"{context.get('message')}: {error!r}")

    # Running

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Run until the work is done; what else goes on then waits for `end`."""
        asyncio._set_running_loop(self)
        try:
            task = self.create_task(work)
            self._go_on(task.done)
            task.result()
        finally:
            asyncio._set_running_loop(None)

    def end(self) -> None:
        """End what is still going on, living or dead."""
        asyncio._set_running_loop(self)
        try:
            for _ in range(5):
                for task in self._tasks:
                    if not task.done():
                        task.cancel()
                self._go_on(lambda: not self._ready)
            self._tasks.clear()
            self._timers.clear()
        finally:
            asyncio._set_running_loop(None)

    def _go_on(self, over: Callable[[], bool]) -> None:
        """Run what is ready, and where nothing is the next timer, round after round until it is over."""
        ready, timers = self._ready, self._timers
        while not over():
            if not ready:
                if not timers:
                    raise Stuck
                when, _, call = heappop(timers)
                if when > self._passed:
                    self._passed = when
                ready.append(call)
            for _ in range(len(ready)):
                call = ready.popleft()
                if not call._cancelled:
                    try:
                        call._context.run(call._callback, *call._args)
                    except Exception as error:
                        self._failed(f"{call._callback}: {error!r}")


def elapsed() -> float:
    """Return the running loop's time; stands in for `time.monotonic`."""
    return asyncio.get_running_loop().time()
