"""Where crews are is known on shift only, and everybody who decides about offers knows it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from dispatch.access import Identity
from dispatch.config import Settings
from dispatch.engine import Engine
from dispatch.errors import Unavailable
from dispatch.http.crew_socket import CrewSession
from dispatch.http.session import Watch
from dispatch.intake import ReportedPlace, ReportIn, take_report
from dispatch.policy import GrabPolicy
from dispatch.store import Database
from dispatch.store.crews import CrewRows, Fix
from dispatch.store.orders import OrderRows
from tests.town import Town, centre


@pytest.fixture
async def engine(database: str) -> AsyncIterator[Engine]:
    """An engine of the city `town`, which nobody hints to: it does what it is told."""
    settings = Settings(database_url=database, grab=GrabPolicy(mode="first", assign_after_s=3600, ring_s=3600))
    db = Database(database)
    town = await Town.found(db, "town", settings)
    await town.hire("crew", 0)
    engine = Engine(settings, database)
    await engine.desk("town")
    yield engine
    await engine.stop()
    await db.close()


def here() -> Fix:
    lon, lat = centre(0)
    now = datetime.now(UTC)
    return Fix("crew", lon, lat, 5.0, device_at=now, received_at=now)


async def known_places(engine: Engine) -> int:
    async with engine.db.connection() as conn:
        count: int = await conn.fetchval("SELECT count(*) FROM crew_position")
    return count


async def test_a_fix_that_waits_to_be_written_as_the_shift_ends_is_not_written(engine: Engine) -> None:
    await engine.crews.set_shift("town", "crew", True, fix=here())
    await engine.crews.hear_position("town", here())
    await engine.crews.set_shift("town", "crew", False)
    await engine.positions.flush()
    assert await known_places(engine) == 0
    await engine.crews.set_shift("town", "crew", True)
    assert engine.desks["town"].mirror.crews["crew"].position is None


async def test_a_fix_that_another_engine_writes_after_the_shift_is_not_kept(engine: Engine) -> None:
    await engine.crews.set_shift("town", "crew", True, fix=here())
    await engine.crews.set_shift("town", "crew", False)
    engine.positions.hear(engine.desks["town"].mirror, here())
    await engine.positions.flush()
    assert await known_places(engine) == 0


async def report_through(engine: Engine, order_id: str) -> None:
    """Take a report as the engine's route does, with the crews that its mirror knows."""
    mirror = engine.desks["town"].mirror
    lon, lat = centre(0)
    report = ReportIn(channel="test", category="no_heat", location=ReportedPlace(lon, lat))
    await engine.run(
        "town",
        lambda tx: take_report(
            tx,
            report,
            city=mirror.city,
            crews=mirror.crews.values(),
            report_id=f"r{order_id}",
            order_id=order_id,
            actor="user:test",
        ),
    )


async def offered_to(engine: Engine, order_id: str) -> set[str]:
    if engine._commands:
        await asyncio.wait(engine._commands)
    await engine.desks["town"].relay.catch_up()
    return set(engine.desks["town"].mirror.orders[order_id].offered)


async def test_what_an_engine_opened_before_it_knew_where_a_crew_is_is_offered_as_soon_as_it_does(
    engine: Engine,
) -> None:
    other = Engine(engine.settings, engine.db.url)
    await other.desk("town")
    await engine.crews.set_shift("town", "crew", True)
    await engine.crews.hear_position("town", here())
    await other.desks["town"].relay.catch_up()
    await report_through(other, "o1")
    assert await offered_to(other, "o1") == set(), "the other engine has not heard yet where the crew is"
    await other.look_around()
    assert await offered_to(other, "o1") == {"crew"}
    await other.stop()


async def test_a_first_fix_that_could_not_be_written_is_a_first_fix_again(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    await engine.crews.set_shift("town", "crew", True)
    await engine.desks["town"].relay.catch_up()
    await report_through(engine, "o1")
    await engine.desks["town"].relay.catch_up()

    async def away(*args: object) -> None:
        raise Unavailable

    with monkeypatch.context() as patched:
        patched.setattr(CrewRows, "save_fixes", away)
        with pytest.raises(Unavailable):
            await engine.crews.hear_position("town", here())
    await engine.crews.hear_position("town", here())
    assert await offered_to(engine, "o1") == {"crew"}


async def test_a_crew_that_comes_back_is_offered_what_it_missed_while_it_was_away(engine: Engine) -> None:
    await engine.crews.set_shift("town", "crew", True, fix=here())
    mirror = engine.desks["town"].mirror
    known, mirror.crews["crew"] = mirror.crews["crew"], msgspec.structs.replace(mirror.crews["crew"], position=None)
    await report_through(engine, "o1")
    mirror.crews["crew"] = known
    assert await offered_to(engine, "o1") == set()
    session = CrewSession(engine, SimpleNamespace(io_proto=None), Watch(60))
    session.line = Recorder()  # type: ignore[assignment]
    session.identity = Identity("town", "crew", "crew")
    await session.hear('{"type":"hello"}')
    assert await offered_to(engine, "o1") == {"crew"}


class Recorder:
    """A socket's sending half that keeps what it is given."""

    closing = False

    def __init__(self) -> None:
        self.frames: list[str] = []

    def send(self, frame: str) -> None:
        self.frames.append(frame)


async def test_an_order_that_was_being_opened_as_a_crew_came_on_is_offered_a_moment_later(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    await engine.crews.set_shift("town", "crew", True)
    insert = OrderRows.insert
    coming: list[asyncio.Task[None]] = []

    async def slowly(self: OrderRows, *args: Any, **more: Any) -> None:
        coming.append(asyncio.create_task(engine.crews.hear_position("town", here())))
        await asyncio.wait(coming, timeout=5)  # the circle is drawn, nothing is committed
        await insert(self, *args, **more)

    monkeypatch.setattr(OrderRows, "insert", slowly)
    await report_through(engine, "o1")
    assert await offered_to(engine, "o1") == set()
    async with asyncio.timeout(5):
        while await offered_to(engine, "o1") != {"crew"}:
            await asyncio.sleep(0.05)
