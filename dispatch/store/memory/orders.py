"""The rows of orders inside a transaction in memory: `store.orders.OrderRows` without SQL."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from dispatch.clocks import Alarm, alarm_at
from dispatch.crews import Candidate, Crew
from dispatch.errors import NotFound
from dispatch.orders import Order, State
from dispatch.store.memory.tables import OrderRow, Round, Tables
from dispatch.store.orders import UNDO_SURVIVES, OrderRows, StandingRating
from dispatch.store.rows import text


class MemoryOrders(OrderRows):
    """Reads and saves the orders of one city; every method of `OrderRows` has its twin here."""

    def __init__(self, tables: Tables, now: datetime) -> None:
        self._tables = tables
        self._now = now

    async def insert(self, order: Order, *, description: str | None, contact: Any) -> None:
        assert order.id not in self._tables.orders, f"order {order.id} exists already"
        self._tables.put(self._tables.orders, order.id, OrderRow.of(order, description=description, contact=contact))

    async def find(self, order_id: str) -> Order:
        row = self._tables.orders.get(order_id)
        if row is None:
            raise NotFound(f"no order {order_id} in this city")
        return row.order

    async def find_all(self, order_ids: Collection[str]) -> list[Order]:
        rows = self._tables.orders
        return [rows[order_id].order for order_id in dict.fromkeys(order_ids) if order_id in rows]

    async def lock(self, order_ids: Sequence[str]) -> dict[str, Order]:
        rows = self._tables.orders
        return {order_id: rows[order_id].order for order_id in sorted(set(order_ids)) if order_id in rows}

    async def lock_alarmed(self, now: datetime, *, limit: int) -> list[Order]:
        return [self._tables.orders[order_id].order for order_id in self._tables.due("alarm_at", now)[:limit]]

    async def save(self, *orders: Order) -> None:
        for order in orders:
            row = self._tables.orders[order.id]
            assert row.order.version == order.version - 1, (
                "an order was saved that was not locked, or not one version further"
            )
            assert (order.state is State.OFFERED) == (order.offer is not None), "an open order has terms, others none"
            self._tables.put(
                self._tables.orders, order.id, OrderRow.of(order, description=row.description, contact=row.contact)
            )

    async def reschedule(self, order: Order, *, offer_due_at: datetime | None, assign_at: datetime | None) -> None:
        row = self._tables.orders[order.id]
        changed = msgspec.structs.replace(row, offer_due_at=offer_due_at, assign_at=assign_at)
        self._tables.put(self._tables.orders, order.id, changed)

    async def set_alarms(self, orders: Sequence[Order]) -> None:
        for order in orders:
            row = self._tables.orders[order.id]
            changed = msgspec.structs.replace(row, alarm_at=alarm_at(order.clocks))
            self._tables.put(self._tables.orders, order.id, changed)

    async def add_round(self, order: Order, circle: Collection[Candidate]) -> None:
        self._add(order, list(circle))

    async def add_to_rounds(self, joined: Sequence[tuple[Order, Candidate]]) -> None:
        for order, candidate in joined:
            self._add(order, [candidate])

    def _add(self, order: Order, circle: Sequence[Candidate]) -> None:
        tables, key = self._tables, (order.id, order.cycle)
        grown = Round(
            ring=order.offer.ring if order.offer else 0,
            at=self._now,
            crews=tuple(candidate.crew for candidate in circle),
            eta_s=tuple(candidate.eta_s for candidate in circle),
            distance_m=tuple(candidate.distance_m for candidate in circle),
        )
        tables.put(tables.rounds, key, (*tables.rounds.get(key, ()), grown))
        for candidate in circle:
            known = tables.cycles_offered.get((order.id, candidate.crew), ())
            tables.put(tables.cycles_offered, (order.id, candidate.crew), (*known, order.cycle))

    async def offered_since(self, crew: Crew, order_ids: Sequence[str], *, after: int) -> set[tuple[str, int]]:
        found = set()
        for event in self._tables.events:
            if event.order is not None and event.order in order_ids and event.seq > after and crew.hears(event.at):
                told = msgspec.json.decode(event.data, type=_Told)
                if told.offered is not None and any(name == crew.id for name, *_ in told.offered.crews):
                    found.add((event.order, told.cycle))
        return found

    async def offered(self, order: Order) -> set[str]:
        return {crew for grown in self._tables.rounds.get((order.id, order.cycle), ()) for crew in grown.crews}

    async def answered(self, order: Order) -> set[str]:
        key = (order.id, order.cycle)
        return {crew for crew, _ in self._tables.grabs_of.get(key, ())} | set(self._tables.declined.get(key, ()))

    async def record_alarms(self, order_id: str, alarms: Sequence[Alarm]) -> list[Alarm]:
        fresh = []
        for alarm in alarms:
            key = (order_id, alarm.clock, alarm.deadline, alarm.kind)
            if key not in self._tables.alarms:
                self._tables.put(self._tables.alarms, key, self._now)
                fresh.append(alarm)
        return fresh

    async def insert_report(
        self, report_id: str, order_id: str, *, channel: str, external_id: str | None, body: Any
    ) -> bool:
        tables = self._tables
        if external_id is not None:
            if (channel, external_id) in tables.externals:
                return False
            tables.put(tables.externals, (channel, external_id), report_id)
        assert report_id not in tables.reports, f"report {report_id} exists already"
        row = {"report_id": report_id, "order_id": order_id, "channel": channel, "external_id": external_id}
        tables.put(tables.reports, report_id, {**row, "body": text(body), "received_at": self._now})
        return True

    async def find_external(self, channel: str, external_id: str) -> Mapping[str, Any] | None:
        found = self._tables.externals.get((channel, external_id))
        return self._tables.reports[found] if found is not None else None

    async def insert_override(
        self, override_id: str, before: Order, *, actor: str, action: str, reason: str, body: Any, version: int
    ) -> None:
        assert override_id not in self._tables.overrides, f"override {override_id} exists already"
        row = {
            "override_id": override_id,
            "order_id": before.id,
            "at": self._now,
            "actor": actor,
            "action": action,
            "reason": reason,
            "body": text(body),
            "before": text(before),
            "version": version,
            "undone": False,
        }
        self._tables.put(self._tables.overrides, override_id, row)

    async def last_override(self, order_id: str) -> Mapping[str, Any] | None:
        standing = [row for row in self._tables.overrides.values() if row["order_id"] == order_id and not row["undone"]]
        return max(standing, key=lambda row: row["version"], default=None)

    async def merged_into(self, order_id: str) -> list[str]:
        orders = [row.order for row in self._tables.orders.values()]
        return sorted(order.id for order in orders if order.merged_into == order_id and order.state is State.MERGED)

    async def mark_undone(self, override_id: str) -> None:
        row = self._tables.overrides[override_id]
        self._tables.put(self._tables.overrides, override_id, {**row, "undone": True})

    async def changed_since(self, order_id: str, version: int) -> str | None:
        for event in self._tables.events:
            if event.order == order_id and event.kind not in UNDO_SURVIVES:
                told = msgspec.json.decode(event.data, type=_Told)
                if told.order is not None and told.order.version > version:
                    return event.kind
        return None

    def _ratings(self, order: Order) -> list[tuple[datetime, dict[str, Any]]]:
        ratings = self._tables.ratings.items()
        return sorted(((at, row) for (order_id, at), row in ratings if order_id == order.id), key=lambda one: one[0])

    async def standing_rating(self, order: Order) -> StandingRating | None:
        said = self._ratings(order)
        if not said or not said[-1][1]["resolved"]:
            return None
        first_at, first = next(one for one in reversed(said) if not one[1]["amends"])
        later = [row for (_, at), row in self._tables.ratings.items() if at > first_at and not row["amends"]]
        crew = first["crew_id"]
        return StandingRating(said[-1][1]["stars"], sum(crew is not None and row["crew_id"] == crew for row in later))

    async def insert_rating(
        self, order: Order, *, actor: str, stars: int, comment: str | None, resolved: bool, amends: bool
    ) -> None:
        row = {"actor": actor, "crew_id": order.crew, "stars": stars, "comment": comment, "resolved": resolved}
        at = max([self._now, *(said_at + timedelta(microseconds=1) for said_at, _ in self._ratings(order))])
        self._tables.put(self._tables.ratings, (order.id, at), {**row, "amends": amends})


class _Version(msgspec.Struct):
    version: int


class _Offered(msgspec.Struct):
    crews: list[tuple[str, float, float]]


class _Told(msgspec.Struct):
    order: _Version | None = None
    cycle: int = 0
    offered: _Offered | None = None
