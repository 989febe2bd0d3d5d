"""The rows of orders inside a transaction."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from dispatch.clocks import Alarm, alarm_at
from dispatch.crews import Candidate, Crew
from dispatch.errors import NotFound
from dispatch.orders import Order
from dispatch.store.rows import changes_of, order_of, text
from dispatch.store.sql import load

if TYPE_CHECKING:
    import asyncpg

ORDERS = load("orders")

UNDO_SURVIVES = (
    "clock.at_risk",
    "clock.breached",
    "order.updated",
    "order.widened",
    "order.offered_to",
    "order.declined",
    "order.stranded",
    "order.offered",
)
"""Events after which an override can still be undone: they change nothing that a dispatcher decided."""


class StandingRating(NamedTuple):
    """The stars of a rated visit, and how many other visits of its crew were rated since it first was."""

    stars: int
    rated_since: int


class OrderRows:
    """Reads, locks and saves the orders of one city."""

    def __init__(self, conn: "asyncpg.Connection[asyncpg.Record]", city_id: str, now: datetime) -> None:
        self._conn = conn
        self._city = city_id
        self._now = now

    async def insert(self, order: Order, *, description: str | None, contact: Any) -> None:
        """Write a new order."""
        place, offer = order.location, order.offer
        await self._conn.execute(
            ORDERS["insert_order"],
            self._city,
            order.id,
            order.version,
            order.state.value,
            order.cycle,
            order.zone,
            order.category,
            order.severity,
            place.lon if place else None,
            place.lat if place else None,
            None if order.address is None else text(order.address),
            list(order.required_skills),
            description,
            None if contact is None else text(contact),
            order.reported_at,
            text(order.clocks),
            text(offer) if offer else None,
            alarm_at(order.clocks),
            offer.due_at if offer else None,
            offer.assign_at if offer else None,
        )

    async def find(self, order_id: str) -> Order:
        """Return an order without locking it; raise `NotFound`."""
        row = await self._conn.fetchrow(ORDERS["find_order"], self._city, order_id)
        if row is None:
            raise NotFound(f"no order {order_id} in this city")
        return order_of(row)

    async def find_all(self, order_ids: Collection[str]) -> list[Order]:
        """Return those of the orders that exist, not locked."""
        return [order_of(row) for row in await self._conn.fetch(ORDERS["find_orders"], self._city, list(order_ids))]

    async def lock(self, order_ids: Sequence[str]) -> dict[str, Order]:
        """Lock orders in a fixed order and return those that exist; crews must be locked before."""
        rows = await self._conn.fetch(ORDERS["lock_orders"], self._city, list(order_ids))
        return {row["order_id"]: order_of(row) for row in rows}

    async def lock_one(self, order_id: str) -> Order:
        """Lock one order; raise `NotFound`."""
        found = await self.lock([order_id])
        if order_id not in found:
            raise NotFound(f"no order {order_id} in this city")
        return found[order_id]

    async def lock_alarmed(self, now: datetime, *, limit: int) -> list[Order]:
        """Lock the orders whose alarm may be due: a timer may be early."""
        return [order_of(row) for row in await self._conn.fetch(ORDERS["lock_alarmed"], self._city, now, limit)]

    async def save(self, *orders: Order) -> None:
        """Write changed orders, each locked before and exactly one version further."""
        saved = await self._conn.fetch(ORDERS["save_orders"], self._city, text([changes_of(order) for order in orders]))
        assert len(saved) == len(orders), "an order was saved that was not locked, or not one version further"

    async def set_alarms(self, orders: Sequence[Order]) -> None:
        """Set the timers of locked orders to when their clocks have something to say next."""
        await self._conn.execute(
            ORDERS["set_alarms"], self._city, [order.id for order in orders], [alarm_at(o.clocks) for o in orders]
        )

    async def reschedule(self, order: Order, *, offer_due_at: datetime | None, assign_at: datetime | None) -> None:
        """Look at an open offer again at another time; its version does not change."""
        await self._conn.execute(ORDERS["reschedule"], self._city, order.id, offer_due_at, assign_at)

    async def add_round(self, order: Order, circle: Collection[Candidate]) -> None:
        """Write down who is offered an order from now on."""
        await self._conn.execute(
            ORDERS["insert_round"],
            self._city,
            order.id,
            order.cycle,
            order.offer.ring if order.offer else 0,
            self._now,
            [candidate.crew for candidate in circle],
            [candidate.eta_s for candidate in circle],
            [candidate.distance_m for candidate in circle],
        )

    async def add_to_rounds(self, joined: Sequence[tuple[Order, Candidate]]) -> None:
        """Write down single crews to whom open orders are offered later than to the others."""
        if joined:
            await self._conn.execute(
                ORDERS["insert_single_rounds"],
                self._city,
                self._now,
                [order.id for order, _ in joined],
                [order.cycle for order, _ in joined],
                [order.offer.ring if order.offer else 0 for order, _ in joined],
                [candidate.crew for _, candidate in joined],
                [candidate.eta_s for _, candidate in joined],
                [candidate.distance_m for _, candidate in joined],
            )

    async def offered_since(self, crew: Crew, order_ids: Sequence[str], *, after: int) -> set[tuple[str, int]]:
        """Return the (order, cycle) of those offered to a crew by later events, on this shift."""
        rows = await self._conn.fetch(
            ORDERS["offered_since"], self._city, list(order_ids), crew.id, after, crew.shift_since
        )
        return {(row["order_id"], row["cycle"]) for row in rows}

    async def offered(self, order: Order) -> set[str]:
        """Return everybody to whom the order is open in its present cycle."""
        rows = await self._conn.fetch(ORDERS["offered_crews"], self._city, order.id, order.cycle)
        return {row["crew_id"] for row in rows}

    async def answered(self, order: Order) -> set[str]:
        """Return everybody who bid for, or declined, the order in its present cycle."""
        rows = await self._conn.fetch(ORDERS["answered_crews"], self._city, order.id, order.cycle)
        return {row["crew_id"] for row in rows}

    async def record_alarms(self, order_id: str, alarms: Sequence[Alarm]) -> list[Alarm]:
        """Write alarms; return those that had not fired before."""
        if not alarms:
            return []
        rows = await self._conn.fetch(
            ORDERS["insert_alarms"],
            self._city,
            order_id,
            [alarm.clock for alarm in alarms],
            [alarm.deadline for alarm in alarms],
            [alarm.kind for alarm in alarms],
            self._now,
        )
        return [Alarm(row["clock"], row["deadline"], row["kind"]) for row in rows]

    async def insert_report(
        self, report_id: str, order_id: str, *, channel: str, external_id: str | None, body: Any
    ) -> bool:
        """Write a report as it came in; return whether it is the first with its external id."""
        written = await self._conn.fetchval(
            ORDERS["insert_report"], self._city, report_id, order_id, channel, external_id, text(body), self._now
        )
        return written is not None

    async def find_external(self, channel: str, external_id: str) -> "asyncpg.Record | None":
        """Return the report that a channel sent under this id."""
        return await self._conn.fetchrow(ORDERS["find_external"], self._city, channel, external_id)

    async def insert_override(
        self, override_id: str, before: Order, *, actor: str, action: str, reason: str, body: Any, version: int
    ) -> None:
        """Write down what a dispatcher did, and how the order was before."""
        await self._conn.execute(
            ORDERS["insert_override"],
            self._city,
            override_id,
            before.id,
            self._now,
            actor,
            action,
            reason,
            text(body),
            text(before),
            version,
        )

    async def last_override(self, order_id: str) -> "asyncpg.Record | None":
        """Return the newest override of an order that is not undone."""
        return await self._conn.fetchrow(ORDERS["last_override"], self._city, order_id)

    async def merged_into(self, order_id: str) -> list[str]:
        """Return the ids of the orders that were merged into an order."""
        return [row["order_id"] for row in await self._conn.fetch(ORDERS["merged_into"], self._city, order_id)]

    async def mark_undone(self, override_id: str) -> None:
        """Mark an override as taken back."""
        await self._conn.execute(ORDERS["mark_undone"], self._city, override_id)

    async def changed_since(self, order_id: str, version: int) -> str | None:
        """Return the first event, beside those of `UNDO_SURVIVES`, that changed an order since a version of it."""
        kind: str | None = await self._conn.fetchval(
            ORDERS["changes_since"], self._city, order_id, version, list(UNDO_SURVIVES)
        )
        return kind

    async def standing_rating(self, order: Order) -> StandingRating | None:
        """Return what was said last of the visit that a locked order ended with, None where nothing was."""
        row = await self._conn.fetchrow(ORDERS["standing_rating"], self._city, order.id)
        return StandingRating(**row) if row else None

    async def insert_rating(
        self, order: Order, *, actor: str, stars: int, comment: str | None, resolved: bool, amends: bool
    ) -> None:
        """Write what the resident says of a locked order; `amends`: in place of what he said of the same visit."""
        await self._conn.execute(
            ORDERS["insert_rating"],
            self._city,
            order.id,
            self._now,
            actor,
            order.crew,
            stars,
            comment,
            resolved,
            amends,
        )
