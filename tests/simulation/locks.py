"""Row locks as PostgreSQL's: held until the transaction ends, granted in the order of asking, circles broken."""

import asyncio
from collections import deque
from collections.abc import Hashable
from typing import Any

import asyncpg


class Locks:
    """Who holds which row, and who waits for it."""

    def __init__(self) -> None:
        self._holders: dict[Hashable, Any] = {}
        self._waiting: dict[Hashable, deque[tuple[Any, asyncio.Future[None]]]] = {}
        self._held: dict[Any, list[Hashable]] = {}
        self._waits_for: dict[Any, tuple[Hashable, asyncio.Future[None]]] = {}
        self.circles = 0

    def free(self, row: Hashable, owner: Any) -> bool:
        """Return whether the owner could have the row at once."""
        return self._holders.get(row, owner) is owner

    async def take(self, row: Hashable, owner: Any) -> None:
        """Take a row, or wait for it; raises where the holder waits for the owner in turn."""
        holder = self._holders.get(row)
        if holder is owner:
            return
        if holder is None:
            self._holders[row] = owner
            self._held.setdefault(owner, []).append(row)
            return
        at: Any = holder
        while at is not None:
            if at is owner:
                self.circles += 1
                raise asyncpg.DeadlockDetectedError(f"deadlock over {row}")
            waits = self._waits_for.get(at)
            at = self._holders.get(waits[0]) if waits else None
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(row, deque()).append((owner, future))
        self._waits_for[owner] = row, future
        await future

    def release(self, owner: Any) -> None:
        """Let go of every row of an owner, each to the first who waits for it; an owner that waits wakes up."""
        waits = self._waits_for.pop(owner, None)
        if waits is not None and not waits[1].done():
            waits[1].set_result(None)
        for row in self._held.pop(owner, ()):
            del self._holders[row]
            queue = self._waiting.get(row)
            while queue:
                following, future = queue.popleft()
                if not future.done():
                    self._holders[row] = following
                    self._held.setdefault(following, []).append(row)
                    del self._waits_for[following]
                    future.set_result(None)
                    break
