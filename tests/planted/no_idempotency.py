"""What a crew's message came to is not looked up: the same id is judged anew each time that it comes.

Breaks promise 2: the same `id` from the same crew gets another verdict after a lost answer, on another socket, or on
another engine.
"""

from collections.abc import Sequence
from typing import Any

from crew_client.protocol import Progress, ProgressAck
from dispatch import grab_desk, grabs, visits
from dispatch.city import City
from dispatch.grabs import Ask, Judged
from dispatch.store import Tx


class _Forgetful:
    """The rows of crews without what became of their grabs."""

    def __init__(self, rows: Any) -> None:
        self._rows = rows

    def __getattr__(self, name: str) -> Any:
        return getattr(self._rows, name)

    async def known_grabs(self, asked: Any) -> dict[Any, Any]:
        return {}

    async def insert_grabs(self, now: Any, rows: Any) -> int:
        await self._rows.insert_grabs(now, rows)
        return len(rows)


def plant() -> None:
    """Put the bug back."""
    judge_batch = grabs.judge_batch

    async def judge_anew(tx: Tx, asks: Sequence[Ask], city: City, *, fresh: bool = False, **more: Any) -> Judged:
        remembering, settle = tx.crews, tx.settle

        async def settle_anew(rows: Any, won: Any) -> Any:
            settled = await settle(rows, won)
            return settled._replace(answered=len(rows))

        tx.crews = _Forgetful(remembering)  # type: ignore[assignment]
        tx.settle = settle_anew  # type: ignore[method-assign, assignment]
        try:
            return await judge_batch(tx, asks, city, fresh=False, **more)
        finally:
            tx.crews = remembering

    async def report_anew(tx: Tx, crew_id: str, word: Progress, *, city: City) -> ProgressAck:
        crew = await tx.crews.lock_one(crew_id)
        order = (await tx.orders.lock([word.order])).get(word.order)
        return await visits._take(tx, crew, order, word, city)

    grabs.judge_batch = judge_anew
    grab_desk.judge_batch = judge_anew  # type: ignore[attr-defined]
    visits.report_progress = report_anew
