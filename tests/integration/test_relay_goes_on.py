"""Reading a city's log goes on where it stopped, whatever failed in between."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import pytest

from dispatch import city_desk
from dispatch.cities import load_city
from dispatch.city import City
from dispatch.city_desk import CityDesk
from dispatch.config import Settings
from dispatch.engine import Engine
from dispatch.errors import Unavailable
from dispatch.store import Database
from tests.town import Town, zone_map


class Reading(NamedTuple):
    """A town, and an engine that reads its log."""

    town: Town
    engine: Engine
    desk: CityDesk


@pytest.fixture
async def reading(database: str) -> AsyncIterator[Reading]:
    db, settings = Database(database), Settings(database_url=database)
    town = await Town.found(db, "town", settings)
    engine = Engine(settings, database)
    yield Reading(town, engine, await engine.desk("town"))
    await engine.stop()
    await db.close()


async def test_a_map_that_could_not_be_read_when_it_was_replaced_is_read_at_the_next_look(
    reading: Reading, monkeypatch: pytest.MonkeyPatch
) -> None:
    town, desk = reading.town, reading.desk
    failures = 1

    async def fails_at_first(*args: Any) -> City:
        nonlocal failures
        if failures:
            failures -= 1
            raise Unavailable
        return await load_city(*args)

    monkeypatch.setattr(city_desk, "load_city", fails_at_first)
    await town.put_zones(zone_map(count=2))
    with pytest.raises(Unavailable):
        await desk.relay.catch_up()
    await desk.relay.catch_up()
    assert desk.mirror.city.zones is not None
    assert desk.mirror.city.zones.version == 2


async def test_a_map_that_cannot_be_read_stops_nobody_from_being_told_of_the_rest(
    reading: Reading, monkeypatch: pytest.MonkeyPatch
) -> None:
    town, desk = reading.town, reading.desk

    async def cannot(*args: object) -> None:
        raise ValueError("a map of a later version")

    before = desk.mirror.city.zones
    monkeypatch.setattr(city_desk, "load_city", cannot)
    await town.put_zones(zone_map(count=2))
    await town.hire("crew", 0)
    await desk.relay.catch_up()
    assert "crew" in desk.mirror.crews
    assert desk.mirror.city.zones is before


@pytest.mark.parametrize("rounds", range(4))
async def test_an_engine_stops_also_where_a_hint_to_read_comes_at_the_same_moment(
    reading: Reading, rounds: int
) -> None:
    desk, reader = reading.desk, reading.desk.tasks[0]
    await asyncio.sleep(0.05)
    desk.look()
    for _ in range(rounds):
        await asyncio.sleep(0)
    reader.cancel()
    done, _ = await asyncio.wait([reader], timeout=10)
    assert done, "on Python 3.11 asyncio.wait_for swallows a cancellation that comes with its result"


async def test_who_comes_while_others_wait_for_a_look_shares_it_and_sees_what_was_committed_before_he_came(
    reading: Reading, monkeypatch: pytest.MonkeyPatch
) -> None:
    town, engine, desk = reading.town, reading.engine, reading.desk
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
