"""A map that an earlier version took, and this one would refuse, keeps neither its city nor the others from working."""

import json
from collections.abc import AsyncIterator

import asyncpg
import pytest
from structlog.testing import capture_logs

from crew_client.protocol import Location
from dispatch.cities import add_city, load_city
from dispatch.config import Settings
from dispatch.doctor import check_database
from dispatch.relay import load_mirror
from dispatch.store import Database
from tests.town import centre, zone_map

ROUND_THE_EARTH = [[179.9, 45.0], [-179.9, 45.0], [-179.9, 46.0], [179.9, 46.0], [179.9, 45.0]]


@pytest.fixture
async def connection(database: str) -> AsyncIterator[asyncpg.Connection]:
    """Two cities; in the map of `far` a zone lies across the antimeridian."""
    connection = await asyncpg.connect(database)
    stored = zone_map()
    feature = {**stored["features"][0], "properties": {"id": "round", "name": "round"}}
    feature["geometry"] = {"type": "Polygon", "coordinates": [ROUND_THE_EARTH]}
    for city, document in (("far", {**stored, "features": [feature, *stored["features"]]}), ("near", stored)):
        await add_city(connection, city, city)
        await connection.execute(
            "INSERT INTO zone_map (city_id, version, document, actor, created_at) VALUES ($1, 1, $2, 'user:a', now())",
            city,
            json.dumps(document),
        )
    yield connection
    await connection.close()


async def test_the_other_zones_of_the_city_go_on_and_the_log_says_what_to_do(
    connection: asyncpg.Connection, database: str
) -> None:
    db = Database(database, size=2)
    try:
        for name in ("far", "near"):
            with capture_logs() as said:
                mirror, _ = await load_mirror(db, name, Settings())
            assert [line["city"] for line in said if line["event"] == "zones left out"] == ["far"] * (name == "far")
            assert all("zone 'round' crosses the antimeridian" in line["detail"] for line in said)
            assert all("PUT /api/v1/zones" in line["detail"] for line in said)
            assert mirror.city.zones is not None
            assert mirror.city.locate(Location(*centre(0))) == mirror.city.zones.zone_map.zones[0].id != "round"
            assert mirror.city.locate(Location(179.95, 45.5)) is None
            assert mirror.city.locate(Location(0.0, 45.5)) is None, "it was its opposite once"
    finally:
        await db.close()


async def test_doctor_names_the_zone_and_the_way_out(connection: asyncpg.Connection, database: str) -> None:
    findings = {finding.subject: finding async for finding in check_database(database)}
    assert not findings["zones"].good
    assert "zone 'round' crosses the antimeridian" in findings["zones"].detail
    assert "PUT /api/v1/zones" in findings["zones"].detail
    await connection.execute("UPDATE zone_map SET document = (SELECT document FROM zone_map WHERE city_id = 'near')")
    findings = {finding.subject: finding async for finding in check_database(database)}
    assert findings["zones"].good
    assert (await load_city(connection, "far", Settings())).locate(Location(*centre(0))) is not None
