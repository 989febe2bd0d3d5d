"""What an engine keeps for one city: a mirror of it, the reader that keeps the mirror true, the desk where grabs wait.

The reader looks at the log at every hint, and where the engine's poll finds more in the log than was told here. What a
told event means for the engine itself (counts, sign-outs, crews that have room again) follows from `_told`.
"""

import asyncio
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Self

import msgspec

from dispatch import forecasts
from dispatch.cities import load_city
from dispatch.errors import Unavailable
from dispatch.events import Logged
from dispatch.grab_desk import GrabDesk
from dispatch.logs import logger
from dispatch.mirror import Mirror, OrderData
from dispatch.relay import Relay, load_mirror

if TYPE_CHECKING:
    from dispatch.engine import Engine

log = logger("city")


class CityDesk:
    """One city at one engine, from the moment at which it is opened until its mirror is thrown away."""

    def __init__(self, engine: "Engine", mirror: Mirror) -> None:
        self._engine = engine
        self.mirror = mirror
        self.relay = Relay(engine.db, mirror, engine.hub, on_zones=self._reload_zones, on_event=self._told)
        self.grabs = GrabDesk(
            engine.db,
            mirror,
            engine.metrics,
            on_complete=lambda order: engine.later(engine.crews.close_window(mirror.city.id, order)),
            on_own=self.relay.hear,
        )
        self.tasks: list[asyncio.Task[None]] = []
        self._some = asyncio.Event()
        self._forecasts_of: datetime | None = None
        self._count_of = cache(engine.metrics.events.labels)
        self._told_at: datetime | None = None

    @classmethod
    async def open(cls, engine: "Engine", city_id: str) -> Self:
        """Load a city and begin to read its log; raise `NotFound` or `Unavailable`."""
        mirror, histories = await load_mirror(engine.db, city_id, engine.settings, engine.travel)
        engine.hub.histories[city_id] = histories
        desk = cls(engine, mirror)
        desk.tasks = [
            asyncio.create_task(desk._read(), name=f"read {city_id}"),
            asyncio.create_task(desk.grabs.run(), name=f"grabs {city_id}"),
        ]
        log.info("city opened", city=city_id, seq=mirror.seq, orders=len(mirror.orders), crews=len(mirror.crews))
        return desk

    def look(self) -> None:
        """Have the log read soon: there may be more in it."""
        self._some.set()

    async def compare(self, *, head: int, learned: datetime | None) -> None:
        """Compare with the database: the last event of the city's log, and when its forecasts were learned."""
        if learned != self._forecasts_of:
            await self._reload_forecasts()
            self._forecasts_of = learned
        lag = head - self.mirror.seq
        self._engine.metrics.reader_lag.labels(self.mirror.city.id).set(max(lag, 0))
        if lag > 0 or self.relay.behind:
            self.look()

    async def _reload_forecasts(self) -> None:
        async with self._engine.db.connection() as conn:
            learned = await forecasts.load(conn, self.mirror.city.id)
        self.mirror.city = msgspec.structs.replace(self.mirror.city, forecasts=learned)

    async def _reload_zones(self) -> None:
        engine = self._engine
        async with engine.db.connection() as conn:
            self.mirror.city = await load_city(conn, self.mirror.city.id, engine.settings, engine.travel)

    async def _read(self) -> None:
        """Follow the log for as long as the mirror follows it, too."""
        city = self.mirror.city.id
        while True:
            await self._some.wait()
            self._some.clear()
            try:
                await self.relay.catch_up()
                self._engine.metrics.reader_seq.labels(city).set(self.mirror.seq)
            except Unavailable:
                await asyncio.sleep(0.2)
            except AssertionError:
                log.exception("the mirror does not follow the log; loading it anew", city=city)
                return self._leave()
            except Exception:
                log.exception("reading failed", city=city)
                await asyncio.sleep(0.5)

    def _leave(self) -> None:
        """Throw the mirror away; the city's sockets are closed, and come back to a new one."""
        city = self.mirror.city.id
        hub = self._engine.hub
        for line in [*hub.crews[city].values(), *hub.consoles[city]]:
            line.close(1012, "resume")
        self._engine.desks.pop(city, None)
        for task in self.tasks:
            if task is not asyncio.current_task():
                task.cancel()

    def _told(self, event: Logged, data: OrderData | None) -> None:
        """Count an event that was told; let a crew with room again see what is open."""
        engine, city = self._engine, self.mirror.city.id
        self._count_of(event.kind).inc()
        if event.at != self._told_at:  # the events of one commit are of one age
            self._told_at = event.at
            engine.metrics.reader_age.observe(max((engine.now() - event.at).total_seconds(), 0))
        if data is not None and data.offered is not None:
            engine.metrics.offers.inc(len(data.offered.crews))
        if event.kind in ("clock.at_risk", "clock.breached"):
            engine.metrics.alarms.labels(event.kind.removeprefix("clock."), "any").inc()
        if event.kind == "crew.signed_out" and event.crew is not None:
            engine.sign_out(city, event.crew)
        if event.kind == "user.signed_out":
            engine.sign_out(city, msgspec.json.decode(event.data)["user"])
        for crew in _with_room_again(event, data):
            if crew in engine.hub.crews[city]:
                engine.crews.join_open_later(city, crew)


def _with_room_again(event: Logged, data: OrderData | None) -> set[str]:
    """Return the crews that may be offered after an event what they could not take before it."""
    freed = {data.lost.crew} if data is not None and data.lost is not None else set()
    if event.kind in ("order.resolved", "order.suspended", "crew.changed") and event.crew is not None:
        freed.add(event.crew)
    return freed
