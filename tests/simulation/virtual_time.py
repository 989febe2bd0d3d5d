"""An event loop whose time stands still while there is work, and jumps to the next timer where there is none."""

import asyncio
import heapq
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, TypeVarTuple

Args = TypeVarTuple("Args")
START = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)


class Stuck(Exception):
    """Nothing is left to happen, and the work is not done."""


class VirtualLoop(asyncio.AbstractEventLoop):
    """What asyncio needs of a loop, and no more: callbacks in order, timers by time and then in order, tasks.

    What runs on it depends on what it is given alone, never on the machine.
    """

    def __init__(self, failed: Callable[[str], None]) -> None:
        self._passed = 0.0
        self._ready: deque[asyncio.Handle] = deque()
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
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
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_at(
        self, when: float, callback: Callable[[*Args], object], *args: *Args, context: Context | None = None
    ) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        heapq.heappush(self._timers, (when, next(self._count), handle))
        return handle

    def call_later(
        self, delay: float, callback: Callable[[*Args], object], *args: *Args, context: Context | None = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self._passed + delay, callback, *args, context=context)

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

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        pass

    # Running

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Run until the work is done; what else goes on then waits for `end`."""
        asyncio._set_running_loop(self)
        try:
            task = self.create_task(work)
            while not task.done():
                self._run_once()
            task.result()
        finally:
            asyncio._set_running_loop(None)

    def end(self) -> None:
        """End what is still going on, living or dead."""
        asyncio._set_running_loop(self)
        try:
            for _ in range(5):
                going_on = [task for task in self._tasks if not task.done()]
                for task in going_on:
                    task.cancel()
                while self._ready:
                    self._run_once()
        finally:
            asyncio._set_running_loop(None)

    def _run_once(self) -> None:
        ready, timers = self._ready, self._timers
        if not ready:
            if not timers:
                raise Stuck
            when, _, timer = heapq.heappop(timers)
            self._passed = max(self._passed, when)
            ready.append(timer)
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle.cancelled():
                handle._run()


def elapsed() -> float:
    """Return the running loop's time; stands in for `time.monotonic`."""
    return asyncio.get_running_loop().time()
