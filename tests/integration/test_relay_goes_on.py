"""Reading a city's log goes on where it stopped, whatever failed in between."""

import asyncio

import pytest

from dispatch.config import Settings
from dispatch.engine import Engine
from dispatch.errors import Unavailable
from dispatch.store import Database
from tests.town import Town, zone_map


async def test_a_map_that_could_not_be_read_when_it_was_replaced_is_read_at_the_next_look(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    db, settings = Database(database), Settings(database_url=database)
    town = await Town.found(db, "town", settings)
    engine = Engine(settings, database)
    desk = await engine.desk("town")
    reload, failures = engine._reload_zones, 1

    async def fails_at_first(*args: object) -> None:
        nonlocal failures
        if failures:
            failures -= 1
            raise Unavailable
        await reload(desk.mirror)

    monkeypatch.setattr(engine, "_reload_zones", fails_at_first)
    await town.put_zones(zone_map(count=2))
    with pytest.raises(Unavailable):
        await desk.relay.catch_up()
    await desk.relay.catch_up()
    assert desk.mirror.city.zones is not None
    assert desk.mirror.city.zones.version == 2
    await engine.stop()
    await db.close()


async def test_a_map_that_cannot_be_read_stops_nobody_from_being_told_of_the_rest(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    db, settings = Database(database), Settings(database_url=database)
    town = await Town.found(db, "town", settings)
    engine = Engine(settings, database)
    desk = await engine.desk("town")

    async def cannot(*args: object) -> None:
        raise ValueError("a map of a later version")

    monkeypatch.setattr(engine, "_reload_zones", cannot)
    await town.put_zones(zone_map(count=2))
    await town.hire("crew", 0)
    await desk.relay.catch_up()
    assert "crew" in desk.mirror.crews
    await engine.stop()
    await db.close()


@pytest.mark.parametrize("rounds", range(4))
async def test_an_engine_stops_also_where_a_hint_to_read_comes_at_the_same_moment(database: str, rounds: int) -> None:
    db, settings = Database(database), Settings(database_url=database)
    await Town.found(db, "town", settings)
    engine = Engine(settings, database)
    desk = await engine.desk("town")
    reading = desk.tasks[0]
    await asyncio.sleep(0.05)
    desk.look.set()
    for _ in range(rounds):
        await asyncio.sleep(0)
    reading.cancel()
    done, _ = await asyncio.wait([reading], timeout=10)
    assert done, "on Python 3.11 asyncio.wait_for swallows a cancellation that comes with its result"
    await engine.stop()
    await db.close()


async def test_who_comes_while_others_wait_for_a_look_shares_it_and_sees_what_was_committed_before_he_came(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    db, settings = Database(database), Settings(database_url=database)
    town = await Town.found(db, "town", settings)
    engine = Engine(settings, database)
    desk = await engine.desk("town")
    looks, connection = 0, engine.db.connection

    def counted() -> object:
        nonlocal looks
        looks += 1
        return connection()

    monkeypatch.setattr(engine.db, "connection", counted)
    begun = asyncio.create_task(desk.relay.catch_up())
    await asyncio.sleep(0)
    await town.hire("crew", 0)
    waiting = [asyncio.create_task(desk.relay.catch_up()) for _ in range(200)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    told = await asyncio.gather(begun, *waiting[1:])
    assert "crew" in desk.mirror.crews
    assert looks == 2
    assert told[0] + told[1] > 0
    monkeypatch.undo()
    await engine.stop()
    await db.close()
