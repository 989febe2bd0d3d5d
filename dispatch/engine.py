"""One engine process: the composition root, and every command that a socket or a request can give.

A command runs in a task that the engine owns and the caller awaits shielded: a client that goes away in the middle
cancels nothing. It runs as one transaction; when the transaction has committed, the engine's own readers look at
the log at once, and the bus tells the others.
"""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from datetime import datetime, timedelta
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

from ulid import ULID

from dispatch import forecasts, garbage
from dispatch.access import Identity, identify
from dispatch.bus import Hint, make_bus
from dispatch.cities import open_travel
from dispatch.city_desk import CityDesk
from dispatch.crew_commands import CrewCommands
from dispatch.database_time import DatabaseClock
from dispatch.errors import DispatchError, NotFound, Unavailable
from dispatch.http.app import make_app
from dispatch.http.reader import SocketProtocol
from dispatch.hub import Hub
from dispatch.logs import logger
from dispatch.metrics import Metrics
from dispatch.positions import Positions
from dispatch.store import Database, Tx
from dispatch.store.tx import LOG
from geo.travel_fallback import PromptTravel

if TYPE_CHECKING:
    from dispatch.config import Settings

T = TypeVar("T")
TOKEN_TTL = timedelta(seconds=60)
log = logger("engine")


class Engine:
    """Everything of one engine process, and how the parts know each other."""

    def __init__(self, settings: "Settings", database_url: str) -> None:
        self.settings = settings
        self.name = str(ULID())
        self.metrics = Metrics("engine", self.name)
        self.db = Database(database_url, size=10, on_commit=self._committed)
        self.travel = open_travel(settings, tally=self.metrics.count_travel)
        self.hub = Hub()
        self.bus = make_bus(database_url, settings.bus_url, self.name)
        self.positions = Positions(self.db)
        self.crews = CrewCommands(self)
        self.desks: dict[str, CityDesk] = {}
        self.draining = False
        self.sessions: dict[tuple[str, str], str] = {}
        self._opening: dict[str, asyncio.Lock] = {}
        self._tokens: dict[str, tuple[Identity, datetime]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._commands: set[asyncio.Task[Any]] = set()
        self._clock = DatabaseClock()

    # Life

    async def start(self) -> None:
        """Load every city and begin to read; waits until the database answers."""
        while True:
            try:
                async with self.db.connection() as conn:
                    cities = [row["city_id"] for row in await conn.fetch(LOG["heads"])]
                    await self._set_clock(conn)
                for city in cities:
                    await self.desk(city)
                break
            except Unavailable as error:
                log.warning("waiting for the database", error=error.detail)
                await asyncio.sleep(0.5)
        garbage.settle()
        await self.bus.start(self._heard)
        self._spawn(self._poll(), "poll")
        self._spawn(self._flush(), "flush")
        self._spawn(self.crews.hear_placed(), "placed")

    async def stop(self) -> None:
        """Finish the commands that are under way, then let go of everything."""
        self.draining = True
        if self._commands:
            await asyncio.wait(self._commands, timeout=5)
        for desk in self.desks.values():
            with suppress(TimeoutError):
                async with asyncio.timeout(5):
                    await desk.grabs.settled()
        with suppress(Unavailable, TimeoutError):
            async with asyncio.timeout(2):
                await self.positions.flush()
        tasks = [*self._tasks, *(task for desk in self.desks.values() for task in desk.tasks)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.bus.stop()
        await self.db.close()
        if isinstance(self.travel, PromptTravel):
            self.travel.close()

    def _spawn(self, work: Coroutine[Any, Any, Any], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def now(self) -> datetime:
        """Return the database's time, as well as this machine knows it."""
        return self._clock.at(monotonic())

    async def _set_clock(self, conn: Any) -> None:
        asked = monotonic()
        theirs: datetime = await conn.fetchval("SELECT clock_timestamp()")
        self._clock.compare(theirs, asked, monotonic())
        self.metrics.database_up.set(1)

    # Cities

    async def desk(self, city_id: str) -> CityDesk:
        """Return the desk of a city, opened at its first use; raise `NotFound`."""
        desk = self.desks.get(city_id)
        if desk is not None:
            return desk
        async with self._opening.setdefault(city_id, asyncio.Lock()):
            if city_id in self.desks:
                return self.desks[city_id]
            desk = self.desks[city_id] = await CityDesk.open(self, city_id)
            return desk

    def sign_out(self, city: str, subject: str) -> None:
        """Forget the tokens of a crew or user and close the sockets: who still has a good one comes back."""
        self._tokens = {
            token: known
            for token, known in self._tokens.items()
            if (known[0].city, known[0].subject) != (city, subject)
        }
        line = self.hub.crews[city].get(subject)
        for one in [*([line] if line else []), *(line for line in self.hub.consoles[city] if line.is_of(subject))]:
            one.close(1012, "sign in again")

    # Hints

    def _committed(self, city_id: str) -> None:
        desk = self.desks.get(city_id)
        if desk is not None:
            desk.look()
        self.bus.changed(city_id)

    def _heard(self, hint: Hint) -> None:
        for city in hint.cities:
            desk = self.desks.get(city)
            if desk is not None:
                desk.look()
        for city, crew, session in hint.sessions:
            ours = self.sessions.get((city, crew), "")
            if session > ours:
                self._replaced(city, crew)
            elif session < ours and crew in self.hub.crews[city]:
                self.bus.took(city, crew, ours)  # whoever still has the older one was away when ours was told
        self.crews.placed_elsewhere(hint.placed)
        if hint.asks:
            for city, lines in self.hub.crews.items():
                for crew in lines:
                    self.bus.took(city, crew, self.sessions[(city, crew)])

    def new_session(self, city: str, crew: str) -> None:
        """Note that the newest socket of a crew is here; a session's name is younger the later it began."""
        self.sessions[(city, crew)] = session = str(ULID.from_datetime(self.now()))
        self.bus.took(city, crew, session)

    def _replaced(self, city: str, crew: str) -> None:
        line = self.hub.crews[city].get(crew)
        if line is not None:
            line.close(4409, "another connection of this crew has taken over")

    async def _poll(self) -> None:
        """Once a second: how far behind each reader is, where the other engines' crews are, what time it is."""
        while True:
            await asyncio.sleep(1.0)
            try:
                await self.look_around()
            except Unavailable:
                self.metrics.database_up.set(0)
            except Exception:
                log.exception("the poll failed")

    async def look_around(self) -> None:
        """See what the other engines did that no log tells: new cities, and where their crews are."""
        async with self.db.connection() as conn:
            heads = await conn.fetch(LOG["heads"])
            learned = {row["city_id"]: row["computed_at"] for row in await conn.fetch(forecasts.FORECASTS["newest"])}
            await self._set_clock(conn)
        for row in heads:
            city = row["city_id"]
            await (await self.desk(city)).compare(head=row["last_seq"], learned=learned.get(city))
        await self.crews.hear_others()

    async def _flush(self) -> None:
        """Once a second: write positions, and show them to the consoles."""
        while True:
            await asyncio.sleep(1.0)
            try:
                for city in list(self.desks):
                    moved = self.positions.moved(city)
                    if moved:
                        for line in list(self.hub.consoles[city]):
                            line.positions(moved)
                await self.positions.flush()
            except Unavailable:
                continue
            except Exception:
                log.exception("writing positions failed")

    # Commands

    async def command(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a command in a task of the engine's own and wait for it; who waits may go away."""
        task = asyncio.create_task(work)
        self._commands.add(task)
        task.add_done_callback(self._commands.discard)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(_unheard)
            raise

    def later(self, work: Coroutine[Any, Any, Any]) -> None:
        """Run a command that nobody waits for."""

        async def guarded() -> None:
            try:
                await work
            except (Unavailable, NotFound) as error:
                log.warning("left for the next look", error=error.detail)
            except Exception:
                log.exception("a background command failed")

        task = asyncio.create_task(guarded())
        self._commands.add(task)
        task.add_done_callback(self._commands.discard)

    async def run(self, city_id: str, step: Callable[[Tx], Awaitable[T]], *, repeatable: bool = False) -> T:
        """Run a step as one transaction."""
        return await self.db.run(city_id, step, repeatable=repeatable)

    async def identify(self, token: str) -> Identity | None:
        """Return whose token it is; known tokens are remembered for a minute."""
        now = self.now()
        known = self._tokens.get(token)
        if known is not None and known[1] > now:
            return known[0]
        async with self.db.connection() as conn:
            identity = await identify(conn, token)
        if identity is not None:
            if len(self._tokens) > 50_000:
                self._tokens.clear()
            self._tokens[token] = (identity, now + TOKEN_TTL)
        return identity

    async def touch_database(self) -> None:
        """Return when the database has answered; raise `Unavailable` where it does not."""
        async with self.db.connection() as conn:
            await conn.fetchval("SELECT 1 FROM city_log LIMIT 1")


def _unheard(command: "asyncio.Task[Any]") -> None:
    """Take note of how a command ended whose caller had gone away: a refusal was for him alone."""
    if command.cancelled() or (error := command.exception()) is None or isinstance(error, DispatchError):
        return
    log.error("a command failed whose caller had gone", exc_info=error)


def run_engine(settings: "Settings", *, host: str, port: int, sock: socket.socket | None) -> int:
    """Serve one engine until SIGTERM: a Sanic of a single process, on the given socket where several share a port."""
    assert settings.database_url is not None
    # Sanic's hint to developers is none to those who run this on a terminal.
    os.environ.setdefault("SANIC_IGNORE_PRODUCTION_WARNING", "1")
    engine = Engine(settings, settings.database_url)
    app = make_app(engine)
    if sock is not None:
        app.run(sock=sock, protocol=SocketProtocol, single_process=True, motd=False, access_log=False)
    else:
        app.run(host=host, port=port, protocol=SocketProtocol, single_process=True, motd=False, access_log=False)
    return 0
