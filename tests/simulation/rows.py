"""The rows that steps see inside a transaction: the store in memory, a statement at a time, with the locks of SQL.

Each method first waits as a statement does (for its way, and for the rows that it locks), then asks its twin in
`dispatch.store.memory`, which never waits. So whatever two transactions do to each other at statements' borders is
played through here; inside a statement nothing is.
"""

from collections.abc import Collection, Hashable, Mapping, Sequence
from datetime import datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from dispatch.clocks import Alarm
from dispatch.crews import Candidate, Crew
from dispatch.orders import Order
from dispatch.store.crews import Fix, GrabRow
from dispatch.store.memory.crews import MemoryCrews
from dispatch.store.memory.orders import MemoryOrders
from dispatch.store.orders import StandingRating

if TYPE_CHECKING:
    from tests.simulation.database import SimulatedTx

Row = tuple[Hashable, ...]


def crew_row(crew_id: str) -> Row:
    return "crew", crew_id


def order_row(order_id: str) -> Row:
    return "order", order_id


class LockingOrders(MemoryOrders):
    """The orders; an order's timers, clocks and terms are locked with it."""

    def __init__(self, tx: "SimulatedTx") -> None:
        super().__init__(tx.tables, tx.now)
        self._tx = tx

    async def insert(self, order: Order, *, description: str | None, contact: Any) -> None:
        await self._tx.statement(order_row(order.id))
        await super().insert(order, description=description, contact=contact)

    async def find(self, order_id: str) -> Order:
        await self._tx.statement()
        return await super().find(order_id)

    async def find_all(self, order_ids: Collection[str]) -> list[Order]:
        await self._tx.statement()
        return await super().find_all(order_ids)

    async def lock(self, order_ids: Sequence[str]) -> dict[str, Order]:
        await self._tx.statement(*map(order_row, sorted(set(order_ids))))
        return await super().lock(order_ids)

    async def lock_alarmed(self, now: datetime, *, limit: int) -> list[Order]:
        await self._tx.statement()
        due = await super().lock_alarmed(now, limit=limit)
        found = [order for order in due if self._tx.could_lock(order_row(order.id))]
        await self._tx.lock(*(order_row(order.id) for order in found))
        return found

    async def save(self, *orders: Order) -> None:
        await self._tx.statement(*(order_row(order.id) for order in orders))
        await super().save(*orders)

    async def reschedule(self, order: Order, *, offer_due_at: datetime | None, assign_at: datetime | None) -> None:
        await self._tx.statement(order_row(order.id))
        await super().reschedule(order, offer_due_at=offer_due_at, assign_at=assign_at)

    async def set_alarms(self, orders: Sequence[Order]) -> None:
        await self._tx.statement(*(order_row(order.id) for order in orders))
        await super().set_alarms(orders)

    async def add_round(self, order: Order, circle: Collection[Candidate]) -> None:
        await self._tx.statement()
        await super().add_round(order, circle)

    async def add_to_rounds(self, joined: Sequence[tuple[Order, Candidate]]) -> None:
        await self._tx.statement()
        await super().add_to_rounds(joined)

    async def offered_since(self, crew: Crew, order_ids: Sequence[str], *, after: int) -> set[tuple[str, int]]:
        await self._tx.statement()
        return await MemoryOrders(self._log(), self._tx.now).offered_since(crew, order_ids, after=after)

    def _log(self) -> Any:
        """Return the events that the transaction sees, as tables that have nothing else."""
        tables = self._tx.tables
        return SimpleNamespace(events=tables.committed.events + tables.events)

    async def offered(self, order: Order) -> set[str]:
        await self._tx.statement()
        return await super().offered(order)

    async def answered(self, order: Order) -> set[str]:
        await self._tx.statement()
        return await super().answered(order)

    async def record_alarms(self, order_id: str, alarms: Sequence[Alarm]) -> list[Alarm]:
        await self._tx.statement(*(("alarm", order_id, a.clock, a.deadline, a.kind) for a in alarms))
        return await super().record_alarms(order_id, alarms)

    async def insert_report(
        self, report_id: str, order_id: str, *, channel: str, external_id: str | None, body: Any
    ) -> bool:
        await self._tx.statement(*([("external", channel, external_id)] if external_id else []))
        return await super().insert_report(report_id, order_id, channel=channel, external_id=external_id, body=body)

    async def find_external(self, channel: str, external_id: str) -> Mapping[str, Any] | None:
        await self._tx.statement()
        return await super().find_external(channel, external_id)

    async def insert_override(
        self, override_id: str, before: Order, *, actor: str, action: str, reason: str, body: Any, version: int
    ) -> None:
        await self._tx.statement()
        await super().insert_override(
            override_id, before, actor=actor, action=action, reason=reason, body=body, version=version
        )

    async def last_override(self, order_id: str) -> Mapping[str, Any] | None:
        await self._tx.statement()
        return await super().last_override(order_id)

    async def mark_undone(self, override_id: str) -> None:
        await self._tx.statement(("override", override_id))
        await super().mark_undone(override_id)

    async def merged_into(self, order_id: str) -> list[str]:
        await self._tx.statement()
        return await super().merged_into(order_id)

    async def changed_since(self, order_id: str, version: int) -> str | None:
        await self._tx.statement()
        return await MemoryOrders(self._log(), self._tx.now).changed_since(order_id, version)

    async def standing_rating(self, order: Order) -> StandingRating | None:
        await self._tx.statement()
        return await super().standing_rating(order)

    async def insert_rating(
        self, order: Order, *, actor: str, stars: int, comment: str | None, resolved: bool, amends: bool
    ) -> None:
        await self._tx.statement()
        await super().insert_rating(order, actor=actor, stars=stars, comment=comment, resolved=resolved, amends=amends)


class LockingCrews(MemoryCrews):
    """The crews; where a crew is, is locked with it, though in SQL it is a row of its own."""

    def __init__(self, tx: "SimulatedTx") -> None:
        super().__init__(tx.tables)
        self._tx = tx

    async def insert(self, crew: Crew) -> None:
        await self._tx.statement(crew_row(crew.id))
        await super().insert(crew)

    async def change(self, crew: Crew) -> None:
        await self._tx.statement(crew_row(crew.id))
        await super().change(crew)

    async def all(self) -> list[Crew]:
        await self._tx.statement()
        return await super().all()

    async def find(self, crew_ids: Sequence[str]) -> dict[str, Crew]:
        await self._tx.statement()
        return await super().find(crew_ids)

    async def eligible(self, order: Order, *, but: Collection[str]) -> list[Crew]:
        await self._tx.statement()
        return await super().eligible(order, but=but)

    async def lock(self, crew_ids: Sequence[str]) -> dict[str, Crew]:
        await self._tx.statement(*map(crew_row, sorted(set(crew_ids))))
        return await MemoryCrews.find(self, crew_ids)

    async def set_shift(self, crew_id: str, on: bool, now: datetime) -> None:
        await self._tx.statement(crew_row(crew_id))
        await super().set_shift(crew_id, on, now)

    async def save_fixes(self, fixes: Sequence[Fix]) -> None:
        await self._tx.statement(*map(crew_row, sorted({fix.crew for fix in fixes})))
        await super().save_fixes(fixes)

    async def forget_position(self, crew_id: str) -> None:
        await self._tx.statement(crew_row(crew_id))
        await super().forget_position(crew_id)

    async def set_score(self, crew_id: str, score: float) -> None:
        await self._tx.statement(crew_row(crew_id))
        await super().set_score(crew_id, score)

    async def add_load(self, deltas: Mapping[str, int]) -> None:
        await self._tx.statement(*map(crew_row, sorted(deltas)))
        await super().add_load(deltas)

    async def known_grabs(self, asked: Sequence[tuple[str, str]]) -> dict[tuple[str, str], GrabRow]:
        await self._tx.statement()
        return await super().known_grabs(asked)

    async def insert_grabs(self, now: datetime, grabs: Sequence[GrabRow]) -> int:
        await self._tx.statement(*(("grab", grab.crew, grab.message) for grab in grabs))
        return await super().insert_grabs(now, grabs)

    async def open_bids(self, order: Order) -> list[Mapping[str, Any]]:
        await self._tx.statement()
        return await super().open_bids(order)

    async def winners(self, order: Order) -> set[str]:
        await self._tx.statement()
        return await super().winners(order)

    async def settle_bids(
        self,
        order: Order,
        *,
        winner: str | None,
        reason: str,
        reasons: Mapping[str, str] | None = None,
        of: str | None = None,
    ) -> list[tuple[str, str, str]]:
        theirs = (grab for grab in self._open(order) if of in (None, grab.crew))
        await self._tx.statement(*(("grab", grab.crew, grab.message) for grab in theirs))
        return await super().settle_bids(order, winner=winner, reason=reason, reasons=reasons, of=of)

    async def known_command(self, crew_id: str, message_id: str) -> Mapping[str, Any] | None:
        await self._tx.statement()
        return await super().known_command(crew_id, message_id)

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
        await self._tx.statement(("command", crew_id, message_id))
        await super().insert_command(
            crew_id, message_id, kind=kind, order_id=order_id, device_at=device_at, now=now, answer=answer
        )

    async def fixes_since(self, crew_id: str, since: datetime) -> list[Mapping[str, Any]]:
        await self._tx.statement()
        return await super().fixes_since(crew_id, since)
