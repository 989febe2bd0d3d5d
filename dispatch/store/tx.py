"""One transaction of one city, as the step modules see it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple, Protocol

from dispatch.store.crews import CrewRows, GrabRow, grab_columns
from dispatch.store.orders import OrderRows
from dispatch.store.rows import text
from dispatch.store.sql import load

if TYPE_CHECKING:
    import asyncpg

    from crew_client.protocol import Clock
    from dispatch.events import Event

LOG = load("log")
GRABS = load("grabs")


class Versioned(Protocol):
    """An order with its clocks, as it is after a change."""

    @property
    def version(self) -> int:
        """The version after the change."""
        ...

    @property
    def clocks(self) -> "Mapping[str, Clock]":
        """The clocks after the change."""
        ...


class Win(NamedTuple):
    """A grab that won: the order as its crew holds it, its event, and the crew's `revision` by which it was judged."""

    order: Versioned
    event: "Event"
    revision: int


class Settled(NamedTuple):
    """What came of a batch: how many answers were new, and whether every winner has his order."""

    answered: int
    claimed: bool


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

    async def settle(self, grabs: Sequence[GrabRow], won: Mapping[int, Win]) -> Settled:
        """Write judged grabs; of those at the places in `won` also the order, its crew's load and its event.

        An order must be open and one version back, its crew on shift, with room and unchanged, or nothing at all is
        written and `claimed` is false: then the transaction must be given up. Nothing may be locked after it: the
        city's counter is taken. The events are all of one kind, by the crews themselves.
        """
        assert not self.events, "the events of a batch of grabs are numbered with it"
        wins = [won.get(place) for place in range(len(grabs))]
        nth = {place: number for number, place in enumerate(sorted(won), 1)}
        row = await self.conn.fetchrow(
            GRABS["settle"],
            self.city_id,
            self.now,
            *grab_columns(grabs),
            [nth.get(place) for place in range(len(grabs))],
            [win.order.version - 1 if win else None for win in wins],
            [win.revision if win else None for win in wins],
            [text(win.order.clocks) if win else None for win in wins],
            [win.event.data.decode() if win else None for win in wins],
            len(won),
            next(win.event.kind for win in won.values()),
        )
        assert row is not None
        self.last_seq = row["last_seq"]
        return Settled(row["answered"], row["claimed"])
