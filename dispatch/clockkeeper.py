"""The clock-keeper process: what must happen by itself, at its time. Timers are rows, so nothing is lost when it dies.

Every tenth of a second: windows that end, rings that open (steps 3 and 4), clocks that run out (step 9). Now and
then: whereabouts, photos and idempotency keys that have been kept long enough, a few at a time, so that no clock waits.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from time import monotonic
from typing import TYPE_CHECKING

from dispatch import clocks, grabs, offers
from dispatch.background import Background
from dispatch.logs import configure_logs, logger
from dispatch.signing_in import PHONES
from dispatch.store.crews import CREWS
from dispatch.store.orders import ORDERS
from dispatch.store.tx import LOG

if TYPE_CHECKING:
    from datetime import datetime

    from dispatch.city import City
    from dispatch.config import Settings
    from dispatch.crews import Crew
    from dispatch.store import Tx

EVERY_S = 0.1
MOST = 200
TIDY_EVERY_S = 600.0
FORGET_AT_ONCE = 5_000
KEEP_KEYS = timedelta(hours=48)
Step = Callable[["Tx"], Awaitable[None]]
log = logger("clocks")


class ClockKeeper:
    """One tick after the other."""

    def __init__(self) -> None:
        self._tidied_at = monotonic()
        self._untidy: list[tuple[str, datetime]] = []

    async def tick(self, background: Background) -> int:
        """Do what is due; return how many things that were."""
        now: datetime = await background.now()  # type: ignore[assignment]
        async with background.db.connection() as conn:
            due = await conn.fetchrow(ORDERS["anything_due"], now)
        done = await self._offers(background, now) if due["offers"] else 0
        done += await self._alarms(background, now) if due["alarms"] else 0
        if monotonic() - self._tidied_at > TIDY_EVERY_S:
            self._tidied_at = monotonic()
            self._untidy = kept_long_enough(background.settings, now)
        if self._untidy:
            await self._tidy(background)
        return done

    async def _offers(self, background: Background, now: "datetime") -> int:
        async with background.db.connection() as conn:
            stopped = await conn.execute(ORDERS["stop_offer_timers"], now, MOST)
            due = await conn.fetch(ORDERS["due_offers"], now, MOST)
        done = int(stopped.rpartition(" ")[2])
        looked: dict[str, tuple[City, list[Crew]]] = {}
        for row in due:
            city_id, order_id = row["city_id"], row["order_id"]
            # Two transactions: the window locks its winner before the order. Who bid in time goes before who is asked.
            steps: list[Step] = [_close_window(order_id)] if row["windowed"] else []
            if row["ring_due"]:  # most windows end without one, and then nobody need be looked for
                if city_id not in looked:
                    looked[city_id] = await background.city(city_id), await background.crews(city_id)
                city, crews = looked[city_id]
                steps.append(_widen(order_id, crews, city))
            done += len(await background.do(city_id, order_id, *steps))
        return done

    async def _alarms(self, background: Background, now: "datetime") -> int:
        async with background.db.connection() as conn:
            cities = [row["city_id"] for row in await conn.fetch(ORDERS["due_alarms"], now)]
        done = 0
        for city_id in cities:
            done += await background.db.run(city_id, lambda tx: clocks.sound_due(tx, tx.now, limit=MOST))
        return done

    async def _tidy(self, background: Background) -> None:
        """Delete some of what has been kept long enough; what is left waits for the next tick."""
        forget, before = self._untidy[-1]
        async with background.db.connection() as conn:
            deleted = await conn.execute(forget, before, FORGET_AT_ONCE)
        if int(deleted.rpartition(" ")[2]) < FORGET_AT_ONCE:
            self._untidy.pop()


def _close_window(order_id: str) -> Step:
    async def step(tx: "Tx") -> None:
        await grabs.close_window(tx, order_id)

    return step


def _widen(order_id: str, crews: "list[Crew]", city: "City") -> Step:
    async def step(tx: "Tx") -> None:
        await offers.widen(tx, order_id, crews, city)

    return step


def kept_long_enough(settings: "Settings", now: "datetime") -> "list[tuple[str, datetime]]":
    """Return the statements that delete what is kept for a time, each with the moment before which it may go."""
    return [
        (CREWS["forget_fixes"], now - timedelta(days=settings.positions.keep_days)),
        (PHONES["forget_photos"], now - timedelta(days=settings.photos.keep_days)),
        (LOG["forget_keys"], now - KEEP_KEYS),
        (PHONES["forget_codes"], now - KEEP_KEYS),
    ]


def run_clockkeeper(settings: "Settings") -> int:
    """Keep the clocks until SIGTERM."""
    configure_logs(settings.log_level, settings.log_format, process="clocks")

    async def main() -> int:
        return await Background(settings, "clocks").run(ClockKeeper().tick, every_s=EVERY_S)

    return asyncio.run(main())
