"""Who does a background role's work. A lease only saves work: two that both believe they lead do no harm."""

from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from dispatch.errors import Unavailable
from dispatch.store.tx import LOG

if TYPE_CHECKING:
    from dispatch.store import Database

TERM = timedelta(seconds=3)


class Lease:
    """A role that one process of many holds; it must be taken again before `TERM` is over."""

    def __init__(self, db: "Database", role: str, holder: str) -> None:
        self._db = db
        self._role = role
        self._holder = holder
        self.term: int | None = None

    async def take(self) -> bool:
        """Take the role, or keep it; return whether it is ours now."""
        async with self._db.connection() as conn:
            self.term = await conn.fetchval(LOG["take_lease"], self._role, self._holder, TERM)
        return self.term is not None

    async def free(self) -> None:
        """Give the role up, so that another can take it at once."""
        with suppress(Unavailable):
            async with self._db.connection() as conn:
                await conn.execute(LOG["free_lease"], self._role, self._holder)
