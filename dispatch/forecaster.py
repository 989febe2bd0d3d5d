"""Learns the forecasts of every city anew now and then, beside the planner's work and never in its way.

History is read on a connection of its own, what is computed is computed in a thread, and what fails is tried again at
the next time: the forecasts in force stay until there are better ones.
"""

import asyncio
from datetime import datetime, timedelta
from time import monotonic
from typing import TYPE_CHECKING

from dispatch import forecasts
from dispatch.errors import Unavailable
from dispatch.logs import logger
from dispatch.store.tx import LOG
from geo import TravelTimes
from geo.travel_fallback import PromptTravel

if TYPE_CHECKING:
    from dispatch.background import Background
    from dispatch.city import City

log = logger("forecasts")


class Forecaster:
    """Begins to learn when it is time; one at a time."""

    def __init__(self) -> None:
        self._due_at = monotonic()
        self._learning: asyncio.Task[None] | None = None

    def look(self, background: "Background") -> None:
        """Begin to learn if it is time and nobody is at it; returns at once."""
        if monotonic() < self._due_at or (self._learning is not None and not self._learning.done()):
            return
        self._due_at = monotonic() + background.settings.forecasts.every_s
        self._learning = asyncio.create_task(self._learn_all(background), name="forecasts")

    async def _learn_all(self, background: "Background") -> None:
        try:
            async with background.db.connection() as conn:
                cities = [row["city_id"] for row in await conn.fetch(LOG["heads"])]
                newest = {row["city_id"]: row["computed_at"] for row in await conn.fetch(forecasts.FORECASTS["newest"])}
                now: datetime = await conn.fetchval("SELECT clock_timestamp()")
            every = timedelta(seconds=background.settings.forecasts.every_s)
            for city_id in cities:
                if city_id not in newest or now - newest[city_id] >= 0.9 * every:
                    await learn_city(background, city_id, now=now)
        except Unavailable as error:
            log.warning("forecasts wait for the database", error=error.detail)
        except Exception:
            log.exception("learning forecasts failed")


async def learn_city(background: "Background", city_id: str, *, now: datetime) -> forecasts.Forecasts:
    """Learn what a city's history since `forecasts.days` ago teaches, and keep it."""
    city = await background.city(city_id)
    since = now - timedelta(days=background.settings.forecasts.days)
    zones = city.zones.ids if city.zones is not None else ()
    async with background.db.connection() as conn:
        history = await forecasts.gather(conn, city_id, zones, now=now, since=since, time_zone=city.time_zone)
    prior = background.settings.travel.factors
    learned = await asyncio.to_thread(forecasts.learn, history, patient(city), prior)
    async with background.db.connection() as conn:
        await forecasts.save(conn, city_id, learned, now=now)
    log.info("forecasts learned", city=city_id, trips=len(history.drives), visits=len(history.visits))
    return learned


def patient(city: "City") -> TravelTimes:
    """Return the city's travel times for those who may wait for a server: never inside a transaction."""
    return city.travel.patient if isinstance(city.travel, PromptTravel) else city.travel
