"""What the planner and the clock-keeper share: a loop under a lease, the cities as the steps need them, a clean end."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import TYPE_CHECKING, TypeVar

from ulid import ULID

from dispatch.bus import make_bus
from dispatch.cities import load_city, open_travel
from dispatch.city import City
from dispatch.crews import Crew
from dispatch.errors import NotFound, Unavailable
from dispatch.leases import TERM, Lease
from dispatch.logs import logger
from dispatch.store import Contended, Database
from dispatch.store.crews import CREWS
from dispatch.store.rows import crew_of
from dispatch.store.tx import LOG
from geo.travel_fallback import PromptTravel, Tally, no_tally

if TYPE_CHECKING:
    from dispatch.config import Settings
    from dispatch.store import Tx

T = TypeVar("T")
LEAVE_S = 5.0
log = logger("background")


class Background:
    """One background process: its database, its lease, and a recent look at each city."""

    def __init__(self, settings: "Settings", role: str, *, tally: Tally = no_tally) -> None:
        assert settings.database_url is not None
        self.settings = settings
        self.role = role
        self.name = str(ULID())
        self.bus = make_bus(settings.database_url, settings.bus_url, self.name)
        self.db = Database(settings.database_url, size=4, on_commit=self.bus.changed)
        self.travel = open_travel(settings, tally=tally)
        self.lease = Lease(self.db, role, self.name)
        self._cities: dict[str, tuple[object, City]] = {}
        self._left: dict[tuple[str, str], float] = {}
        self._stopping = asyncio.Event()

    async def city(self, city_id: str) -> City:
        """Return a city with the zones and forecasts in force."""
        async with self.db.connection() as conn:
            version = tuple(await conn.fetchrow(LOG["city_version"], city_id))
            known = self._cities.get(city_id)
            if known is None or known[0] != version:
                known = self._cities[city_id] = (version, await load_city(conn, city_id, self.settings, self.travel))
        return known[1]

    async def crews(self, city_id: str) -> list[Crew]:
        """Return every crew of a city as it stands now."""
        async with self.db.connection() as conn:
            return [crew_of(row) for row in await conn.fetch(CREWS["find_crews"], city_id, None)]

    async def now(self) -> object:
        """Return the database's time."""
        async with self.db.connection() as conn:
            return await conn.fetchval("SELECT clock_timestamp()")

    async def do(self, city_id: str, order_id: str, *steps: Callable[["Tx"], Awaitable[T]]) -> list[T]:
        """Do what is due of one order, each step in a transaction; return what they answered.

        An order that cannot be done is left for a while, and those behind it have their turn. Raises `Unavailable`
        where the database does not answer.
        """
        if self._left.get((city_id, order_id), 0.0) > monotonic():
            return []
        try:
            return [await self.db.run(city_id, step) for step in steps]
        except (NotFound, Contended):
            return []
        except Unavailable:
            raise
        except Exception:
            log.exception("an order could not be done", role=self.role, city=city_id, order=order_id)
            now = monotonic()
            self._left = {key: until for key, until in self._left.items() if until > now}
            self._left[(city_id, order_id)] = now + LEAVE_S
            return []

    async def run(self, tick: Callable[["Background"], Awaitable[int]], *, every_s: float) -> int:
        """Call `tick` every `every_s` seconds, at once again where it found work, until SIGTERM."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        await self.bus.start(None)
        renew_at = 0.0
        leading = False
        log.info("started", role=self.role)
        while not self._stopping.is_set():
            done = 0
            try:
                if monotonic() >= renew_at:
                    leading = await self.lease.take()
                    renew_at = monotonic() + TERM.total_seconds() / 3
                if leading:
                    done = await tick(self)
            except Unavailable as error:
                log.warning("waiting for the database", role=self.role, error=error.detail)
                leading, renew_at = False, monotonic() + 0.3
            except Exception:
                log.exception("a tick failed", role=self.role)
                await asyncio.sleep(0.5)
            if not done:
                await self._pause(every_s)
        await self.lease.free()
        await self.bus.stop()
        await self.db.close()
        if isinstance(self.travel, PromptTravel):
            self.travel.close()
        return 0

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return
