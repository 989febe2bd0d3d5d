"""One transaction of one city, as the step modules see it."""

from datetime import datetime
from typing import TYPE_CHECKING

from dispatch.store.crews import CrewRows
from dispatch.store.orders import OrderRows
from dispatch.store.sql import load

if TYPE_CHECKING:
    import asyncpg

    from dispatch.events import Event

LOG = load("log")


class Tx:
    """A running transaction: `now` is the database's clock, `record` keeps events for the end of it.

    Rows are locked in one order everywhere: crews, then orders, then the city's counter.
    """

    def __init__(self, conn: "asyncpg.Connection[asyncpg.Record]", city_id: str, now: datetime) -> None:
        self.conn = conn
        self.city_id = city_id
        self.now = now
        self.orders = OrderRows(conn, city_id, now)
        self.crews = CrewRows(conn, city_id)
        self.events: list[Event] = []
        self.last_seq: int | None = None

    def record(self, event: "Event") -> None:
        """Let an event be written when the transaction ends."""
        self.events.append(event)

    async def append_events(self) -> None:
        """Write the recorded events; called once, by the edge, as the last thing before the commit."""
        if not self.events:
            return
        events, self.events = self.events, []
        self.last_seq = await self.conn.fetchval(
            LOG["append"],
            self.city_id,
            self.now,
            [event.kind for event in events],
            [event.order for event in events],
            [event.crew for event in events],
            [event.actor for event in events],
            [event.data.decode() for event in events],
        )
