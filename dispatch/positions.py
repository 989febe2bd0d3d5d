"""Where crews are: the newest fix of each, gathered and written about once a second, on shift only.

Positions are no events: they come fast, the newest replaces the older, and one that is lost does not matter.
"""

from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

from crew_client.protocol import Location
from dispatch.mirror import Mirror
from dispatch.store import Database
from dispatch.store.crews import CREWS, CrewRows, Fix

OVERLAP = timedelta(seconds=2)
"""How far back each look at the others' fixes goes: their clocks and commits are not exactly ours."""


class Positions:
    """The fixes that an engine has received and not yet written."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._fixes: defaultdict[str, list[Fix]] = defaultdict(list)
        self._moved: defaultdict[str, dict[str, Fix]] = defaultdict(dict)
        self._seen_until: datetime | None = None

    def hear(self, mirror: Mirror, fix: Fix) -> None:
        """Take a fix of a crew on shift."""
        self._fixes[mirror.city.id].append(fix)
        self._notice(mirror, fix)

    def _notice(self, mirror: Mirror, fix: Fix) -> None:
        mirror.locate(fix.crew, Location(fix.lon, fix.lat), fix.received_at)
        self._moved[mirror.city.id][fix.crew] = fix

    def forget(self, city_id: str, crew_id: str) -> None:
        """Drop what is not written yet of a crew whose shift ends."""
        if city_id in self._fixes:
            self._fixes[city_id] = [fix for fix in self._fixes[city_id] if fix.crew != crew_id]
        self._moved[city_id].pop(crew_id, None)

    async def write(self, city_id: str, fix: Fix) -> None:
        """Write a fix at once."""
        async with self._db.connection() as conn:
            await CrewRows(conn, city_id).save_fixes([fix])

    async def flush(self, city_id: str | None = None) -> None:
        """Write what has come in; where the database does not answer, keep the newest for the next time."""
        for city in [city_id] if city_id else list(self._fixes):
            fixes = self._fixes.pop(city, [])
            if not fixes:
                continue
            try:
                async with self._db.connection() as conn:
                    await CrewRows(conn, city).save_fixes(fixes)
            except Exception:
                self._fixes[city] = (fixes + self._fixes.get(city, []))[-10_000:]
                raise

    async def hear_others(self, mirrors: dict[str, Mirror]) -> list[tuple[str, str]]:
        """Take over the fixes that other engines have written since the last look.

        Return (city, crew) of the crews whose place had not been known here.
        """
        fresh = []
        async with self._db.connection() as conn:
            now = await conn.fetchval("SELECT now()")
            rows = await conn.fetch(CREWS["positions_since"], (self._seen_until or now) - OVERLAP)
        self._seen_until = now
        for row in rows:
            mirror = mirrors.get(row["city_id"])
            crew = mirror.crews.get(row["crew_id"]) if mirror else None
            if mirror is None or crew is None or not crew.on_shift:
                continue
            if crew.position_at and crew.position_at >= row["received_at"]:
                continue
            if crew.position is None:
                fresh.append((row["city_id"], row["crew_id"]))
            self._notice(
                mirror,
                Fix(
                    row["crew_id"],
                    row["lon"],
                    row["lat"],
                    row["accuracy_m"],
                    device_at=row["received_at"],
                    received_at=row["received_at"],
                ),
            )
        return fresh

    def moved(self, city_id: str) -> list[dict[str, Any]]:
        """Return the newest fix of each crew that moved since the last call."""
        moved = self._moved.pop(city_id, {})
        return [
            {"crew": fix.crew, "lon": fix.lon, "lat": fix.lat, "accuracy_m": fix.accuracy_m, "at": fix.received_at}
            for fix in moved.values()
        ]
