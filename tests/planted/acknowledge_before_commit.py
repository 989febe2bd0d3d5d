"""A grab is answered when it is judged, and committed afterwards.

Breaks promise 1: `won: true` is said before the claim is durable; where the commit fails, the crew drives to an order
that another crew wins.
"""

from collections.abc import Awaitable, Callable
from copy import copy
from typing import Any

from dispatch.grab_desk import GrabDesk
from dispatch.store import Tx


class _Hasty:
    """A database on which what a batch came to is told within its transaction."""

    def __init__(self, db: Any, batch: list[Any]) -> None:
        self._db, self._batch = db, batch

    async def run(self, city_id: str, step: Callable[[Tx], Awaitable[Any]]) -> Any:
        async def told(tx: Tx) -> Any:
            judged = await step(tx)
            for (_, future), answer in zip(self._batch, judged.answers, strict=True):
                if not future.done():
                    future.set_result(answer)
            return judged

        return await self._db.run(city_id, told)


def plant() -> None:
    """Put the bug back."""
    judge = GrabDesk._judge

    async def hastily(self: GrabDesk, batch: list[Any]) -> None:
        desk = copy(self)
        desk._db = _Hasty(self._db, batch)  # type: ignore[assignment]
        await judge(desk, batch)

    GrabDesk._judge = hastily  # type: ignore[method-assign]
