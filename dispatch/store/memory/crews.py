"""The rows of crews inside a transaction in memory: `store.crews.CrewRows` without SQL."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from crew_client.protocol import Location
from dispatch.crews import Crew, obstacles
from dispatch.store.crews import CrewRows, Fix, GrabRow
from dispatch.store.memory.tables import KeptGrab, Tables
from dispatch.store.rows import text

if TYPE_CHECKING:
    from dispatch.orders import Order

_replace = msgspec.structs.replace


class MemoryCrews(CrewRows):
    """Reads and saves the crews of one city; every method of `CrewRows` has its twin here."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def insert(self, crew: Crew) -> None:
        assert crew.id not in self._tables.crews, f"crew {crew.id} exists already"
        fresh = Crew(crew.id, crew.name, tuple(crew.skills), crew.home_zone, crew.capacity)
        self._tables.put(self._tables.crews, crew.id, fresh)

    async def change(self, crew: Crew) -> None:
        self._tables.put(self._tables.crews, crew.id, crew)

    async def all(self) -> list[Crew]:
        return [crew for _, crew in sorted(self._tables.crews.items())]

    async def find(self, crew_ids: Sequence[str]) -> dict[str, Crew]:
        rows = self._tables.crews
        return {crew_id: rows[crew_id] for crew_id in sorted(set(crew_ids)) if crew_id in rows}

    async def eligible(self, order: "Order", *, but: Collection[str]) -> list[Crew]:
        assert order.offer is not None
        zones, known = order.offer.zones, {*but, *order.excluded}
        return [
            crew
            for crew in await MemoryCrews.all(self)
            if crew.id not in known and not obstacles(order, crew, zones=zones, excluded=())
        ]

    async def lock(self, crew_ids: Sequence[str]) -> dict[str, Crew]:
        return await self.find(crew_ids)

    async def set_shift(self, crew_id: str, on: bool, now: datetime) -> None:
        crew = self._tables.crews[crew_id]
        changed = _replace(crew, on_shift=on, shift_since=now if on else None, taken=0 if on else crew.taken)
        self._tables.put(self._tables.crews, crew_id, changed)

    async def save_fixes(self, fixes: Sequence[Fix]) -> None:
        tables = self._tables
        for fix in fixes:
            crew = tables.crews.get(fix.crew)
            if crew is not None and crew.on_shift:
                row = {
                    "lon": fix.lon,
                    "lat": fix.lat,
                    "accuracy_m": fix.accuracy_m,
                    "device_at": fix.device_at,
                    "received_at": fix.received_at,
                }
                tables.put(tables.fixes, fix.crew, (*tables.fixes.get(fix.crew, ()), row))
        for fix in {fix.crew: fix for fix in fixes}.values():
            crew = tables.crews.get(fix.crew)
            if crew is None or not crew.on_shift:
                continue
            if crew.position_at is None or crew.position_at <= fix.received_at:
                moved = _replace(crew, position=Location(fix.lon, fix.lat), position_at=fix.received_at)
                tables.put(tables.crews, fix.crew, moved)

    async def forget_position(self, crew_id: str) -> None:
        crew = self._tables.crews[crew_id]
        self._tables.put(self._tables.crews, crew_id, _replace(crew, position=None, position_at=None))

    async def set_score(self, crew_id: str, score: float) -> None:
        crew = self._tables.crews[crew_id]
        self._tables.put(self._tables.crews, crew_id, _replace(crew, score=score))

    async def add_load(self, deltas: Mapping[str, int]) -> None:
        for crew_id, delta in deltas.items():
            crew = self._tables.crews.get(crew_id)
            if crew is None or not delta:
                continue
            assert crew.load + delta >= 0, f"crew {crew_id} would hold less than nothing"
            moved = _replace(crew, load=crew.load + delta, taken=crew.taken + max(delta, 0))
            self._tables.put(self._tables.crews, crew_id, moved)

    async def known_grabs(self, asked: Sequence[tuple[str, str]]) -> dict[tuple[str, str], GrabRow]:
        kept = {key: self._tables.grabs[key] for key in asked if key in self._tables.grabs}
        return {
            key: GrabRow(grab.crew, grab.message, grab.order, grab.cycle, None, None, grab.reason)
            for key, grab in kept.items()
        }

    async def insert_grabs(self, now: datetime, grabs: Sequence[GrabRow]) -> int:
        tables, written = self._tables, 0
        for grab in grabs:
            key, of = (grab.crew, grab.message), (grab.order, grab.cycle)
            if key in tables.grabs:
                continue
            row = KeptGrab(*key, *of, now, grab.eta_s, grab.distance_m, grab.reason)
            tables.put(tables.grabs, key, row)
            tables.put(tables.grabs_of, of, (*tables.grabs_of.get(of, ()), key))
            written += 1
        return written

    def _open(self, order: "Order") -> list[KeptGrab]:
        keys = self._tables.grabs_of.get((order.id, order.cycle), ())
        grabs = (self._tables.grabs[key] for key in keys)
        return sorted((g for g in grabs if g.reason is None), key=lambda g: (g.at, g.crew, g.message))

    async def open_bids(self, order: "Order") -> list[Mapping[str, Any]]:
        return [
            {"crew_id": g.crew, "message_id": g.message, "eta_s": g.eta_s, "distance_m": g.distance_m, "at": g.at}
            for g in self._open(order)
        ]

    async def winners(self, order: "Order") -> set[str]:
        keys = self._tables.grabs_of.get((order.id, order.cycle), ())
        return {key[0] for key in keys if self._tables.grabs[key].reason == "won"}

    async def settle_bids(
        self,
        order: "Order",
        *,
        winner: str | None,
        reason: str,
        reasons: Mapping[str, str] | None = None,
        of: str | None = None,
    ) -> list[tuple[str, str, str]]:
        settled = []
        for grab in self._open(order):
            if of is not None and grab.crew != of:
                continue
            verdict = "won" if grab.crew == winner else (reasons or {}).get(grab.crew, reason)
            self._tables.put(self._tables.grabs, (grab.crew, grab.message), _replace(grab, reason=verdict))
            settled.append((grab.crew, grab.message, verdict))
        return settled

    async def known_command(self, crew_id: str, message_id: str) -> Mapping[str, Any] | None:
        return self._tables.commands.get((crew_id, message_id))

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
        tables, key = self._tables, (crew_id, message_id)
        assert key not in tables.commands, f"crew {crew_id} used the id {message_id} before"
        row = {"kind": kind, "order_id": order_id, "device_at": device_at, "at": now, "answer": text(answer)}
        tables.put(tables.commands, key, row)
        word, _, cycle = kind.partition(":")
        if word == "decline" and cycle:
            of = (order_id, int(cycle))
            tables.put(tables.declined, of, (*tables.declined.get(of, ()), crew_id))

    async def fixes_since(self, crew_id: str, since: datetime) -> list[Mapping[str, Any]]:
        fixes = [fix for fix in self._tables.fixes.get(crew_id, ()) if fix["received_at"] >= since]
        return sorted(fixes, key=lambda fix: fix["received_at"])
