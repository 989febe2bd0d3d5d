"""The rows of crews, their grabs and their commands inside a transaction."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from dispatch.crews import Crew
from dispatch.errors import NotFound
from dispatch.store.rows import crew_of, text
from dispatch.store.sql import load

if TYPE_CHECKING:
    import asyncpg

    from dispatch.orders import Order

CREWS = load("crews")


class GrabRow(Struct, frozen=True):
    """A grab as it is kept; `reason` None while its sealed window is open."""

    crew: str
    message: str
    order: str
    cycle: int
    eta_s: float | None
    distance_m: float | None
    reason: str | None


def grab_columns(grabs: Sequence[GrabRow]) -> tuple[list[Any], ...]:
    """Return grabs column by column, as `insert_grabs` and `settle` take them."""
    return (
        [grab.crew for grab in grabs],
        [grab.message for grab in grabs],
        [grab.order for grab in grabs],
        [grab.cycle for grab in grabs],
        [grab.eta_s for grab in grabs],
        [grab.distance_m for grab in grabs],
        [grab.reason for grab in grabs],
    )


class Fix(Struct, frozen=True):
    """One fix of a crew's phone, WGS-84; `device_at` is the phone's time, `received_at` ours."""

    crew: str
    lon: float
    lat: float
    accuracy_m: float
    device_at: datetime
    received_at: datetime

    def columns(self, city_id: str) -> tuple[Any, ...]:
        """Return the fix as `save_positions` and `save_fixes` take it."""
        return (city_id, self.crew, self.lon, self.lat, self.accuracy_m, self.device_at, self.received_at)


class CrewRows:
    """Reads, locks and saves the crews of one city."""

    def __init__(self, conn: "asyncpg.Connection[asyncpg.Record]", city_id: str) -> None:
        self._conn = conn
        self._city = city_id

    async def insert(self, crew: Crew) -> None:
        """Write a new crew."""
        await self._conn.execute(
            CREWS["insert_crew"], self._city, crew.id, crew.name, list(crew.skills), crew.home_zone, crew.capacity
        )

    async def change(self, crew: Crew) -> None:
        """Keep what a crew can do and where; it must be locked."""
        await self._conn.execute(
            CREWS["change_crew"],
            self._city,
            crew.id,
            crew.name,
            list(crew.skills),
            crew.home_zone,
            crew.capacity,
            list(crew.zones_lent),
            crew.revision,
        )

    async def all(self) -> list[Crew]:
        """Return every crew of the city, not locked."""
        return [crew_of(row) for row in await self._conn.fetch(CREWS["find_crews"], self._city, None)]

    async def find(self, crew_ids: Sequence[str]) -> dict[str, Crew]:
        """Return crews without locking them."""
        rows = await self._conn.fetch(CREWS["find_crews"], self._city, list(crew_ids))
        return {row["crew_id"]: crew_of(row) for row in rows}

    async def eligible(self, order: "Order", *, but: Collection[str]) -> list[Crew]:
        """Return who could grab an open order now, beside those named, not locked; see `crews.obstacles`."""
        assert order.offer is not None
        zones = None if order.offer.zones is None else list(order.offer.zones)
        skills, known = list(order.required_skills), [*but, *order.excluded]
        rows = await self._conn.fetch(CREWS["eligible_crews"], self._city, skills, zones, known)
        return [crew_of(row) for row in rows]

    async def lock(self, crew_ids: Sequence[str]) -> dict[str, Crew]:
        """Lock crews in a fixed order and return those that exist; before any order is locked."""
        rows = await self._conn.fetch(CREWS["lock_crews"], self._city, list(crew_ids))
        return {row["crew_id"]: crew_of(row) for row in rows}

    async def lock_one(self, crew_id: str) -> Crew:
        """Lock one crew; raise `NotFound`."""
        found = await self.lock([crew_id])
        if crew_id not in found:
            raise NotFound(f"no crew {crew_id} in this city")
        return found[crew_id]

    async def set_shift(self, crew_id: str, on: bool, now: datetime) -> None:
        """Begin or end a shift."""
        await self._conn.execute(CREWS["set_shift"], self._city, crew_id, on, now)

    async def save_fixes(self, fixes: Sequence["Fix"]) -> None:
        """Keep fixes: the newest as each crew's position, all of them as what an arrival is proved with."""
        columns = [list(column) for column in zip(*[fix.columns(self._city) for fix in fixes], strict=True)]
        newest = {fix.crew: fix.columns(self._city) for fix in fixes}
        await self._conn.execute(
            CREWS["save_positions"], *[list(column) for column in zip(*newest.values(), strict=True)]
        )
        await self._conn.execute(CREWS["save_fixes"], *columns)

    async def forget_position(self, crew_id: str) -> None:
        """Forget where a crew is."""
        await self._conn.execute(CREWS["forget_position"], self._city, crew_id)

    async def set_score(self, crew_id: str, score: float) -> None:
        """Keep a new service score."""
        await self._conn.execute(CREWS["set_score"], self._city, crew_id, score)

    async def add_load(self, deltas: Mapping[str, int]) -> None:
        """Add to, or take from, what crews hold; the crews must be locked. What is added also counts as taken."""
        moved = {crew: delta for crew, delta in deltas.items() if delta}
        if moved:
            await self._conn.execute(
                CREWS["add_load"], self._city, list(moved), list(moved.values()), [max(d, 0) for d in moved.values()]
            )

    async def known_grabs(self, asked: Sequence[tuple[str, str]]) -> dict[tuple[str, str], GrabRow]:
        """Return what became of (crew, message) pairs that came before."""
        rows = await self._conn.fetch(
            CREWS["known_grabs"], self._city, [crew for crew, _ in asked], [message for _, message in asked]
        )
        return {
            (row["crew_id"], row["message_id"]): GrabRow(
                row["crew_id"], row["message_id"], row["order_id"], row["cycle"], None, None, row["reason"]
            )
            for row in rows
        }

    async def insert_grabs(self, now: datetime, grabs: Sequence[GrabRow]) -> int:
        """Write grabs; return how many were new."""
        rows = await self._conn.fetch(
            CREWS["insert_grabs"],
            self._city,
            now,
            *grab_columns(grabs),
        )
        return len(rows)

    async def open_bids(self, order: "Order") -> "list[asyncpg.Record]":
        """Return the bids of an order that have no verdict yet, oldest first."""
        return list(await self._conn.fetch(CREWS["open_bids"], self._city, order.id, order.cycle))

    async def winners(self, order: "Order") -> set[str]:
        """Return who was told that he won the order in its present cycle."""
        rows = await self._conn.fetch(CREWS["winners"], self._city, order.id, order.cycle)
        return {row["crew_id"] for row in rows}

    async def settle_bids(
        self,
        order: "Order",
        *,
        winner: str | None,
        reason: str,
        reasons: Mapping[str, str] | None = None,
        of: str | None = None,
    ) -> list[tuple[str, str, str]]:
        """Give every open bid of an order, or those `of` one crew, its verdict; return (crew, message, reason) of each.

        `reasons` has the verdict of single crews where it is not the common `reason`.
        """
        rows = await self._conn.fetch(
            CREWS["settle_bids"], self._city, order.id, order.cycle, winner, reason, text(reasons or {}), of
        )
        return [(row["crew_id"], row["message_id"], row["reason"]) for row in rows]

    async def known_command(self, crew_id: str, message_id: str) -> "asyncpg.Record | None":
        """Return the answer to a command that came before."""
        return await self._conn.fetchrow(CREWS["known_command"], self._city, crew_id, message_id)

    async def insert_command(
        self,
        crew_id: str,
        message_id: str,
        *,
        kind: str,
        order_id: str,
        device_at: datetime | None,
        now: datetime,
        answer: Any,
    ) -> None:
        """Keep a command with its answer."""
        await self._conn.execute(
            CREWS["insert_command"], self._city, crew_id, message_id, kind, order_id, device_at, now, text(answer)
        )

    async def fixes_since(self, crew_id: str, since: datetime) -> "list[asyncpg.Record]":
        """Return a crew's fixes since a moment, oldest first."""
        return list(await self._conn.fetch(CREWS["fixes_since"], self._city, crew_id, since))
