"""Cities, the tenants of one database: made, listed, and loaded as the steps need them."""

from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import msgspec
from ulid import ULID

from dispatch import forecasts
from dispatch.access import ADMIN, FIRST_ADMIN, issue_token
from dispatch.city import City
from dispatch.errors import Conflict, Invalid, NotFound
from dispatch.logs import logger
from dispatch.operator_errors import ConfigError
from dispatch.store.tx import LOG
from geo import TravelChoiceError, TravelTimes, ZoneProblem, make_prompt_travel
from geo.travel_fallback import Tally, no_tally

if TYPE_CHECKING:
    from collections.abc import Sequence

    import asyncpg

    from dispatch.config import Settings

log = logger("cities")
FIRST_CITY = "default"
"""The city made at the first start."""
DEMO_CITY = "哈尔滨示范城"
"""How that city is named where it is made for a demo."""


def is_city_id(text: str) -> bool:
    """Return whether a text may be the id of a city: 1 to 64 letters, digits, `-` or `_`."""
    return 0 < len(text) <= 64 and all(c.isalnum() or c in "-_" for c in text)


async def add_city(conn: "asyncpg.Connection[asyncpg.Record]", city_id: str, name: str) -> str:
    """Make a city and return its administrator's token; raise `Invalid`, or `Conflict` where it exists."""
    if not is_city_id(city_id):
        raise Invalid.field("/id", "a city's id has 1 to 64 letters, digits, - or _")
    async with conn.transaction():
        if await conn.fetchval(LOG["head"], city_id) is not None:
            raise Conflict(f"city {city_id} exists already")
        await _insert(conn, city_id, name)
        return await issue_token(conn, city_id, role=ADMIN, subject=FIRST_ADMIN)


async def ensure_first_city(conn: "asyncpg.Connection[asyncpg.Record]", name: str = FIRST_CITY) -> None:
    """Make the city `default` where there is none yet; one that is there keeps its name."""
    async with conn.transaction():
        await conn.execute("SELECT pg_advisory_xact_lock(hashtext('qiangdan.first_city'))")
        if await conn.fetchval(LOG["head"], FIRST_CITY) is None:
            await _insert(conn, FIRST_CITY, name)


async def rename_city(conn: "asyncpg.Connection[asyncpg.Record]", city_id: str, name: str) -> None:
    """Give a city another name; raise `NotFound`. Engines that run tell the old one until they are started again."""
    if not await conn.fetchval(LOG["rename_city"], city_id, name):
        raise NotFound(f"no city {city_id}")


async def _insert(conn: "asyncpg.Connection[asyncpg.Record]", city_id: str, name: str) -> None:
    await conn.execute(LOG["insert_city"], city_id, name, str(ULID()))
    await conn.execute(LOG["insert_log"], city_id)


async def list_cities(conn: "asyncpg.Connection[asyncpg.Record]") -> list[dict[str, Any]]:
    """Return every city with `city_id`, `name` and `created_at`."""
    return [dict(row) for row in await conn.fetch(LOG["list_cities"])]


def open_travel(settings: "Settings", *, tally: Tally = no_tally) -> TravelTimes:
    """Return the installation's travel times, made once per process: a road map takes a second or two to read.

    Raises `ConfigError` where the map cannot be read.
    """
    try:
        return make_prompt_travel(settings.travel, tally=tally)
    except TravelChoiceError as error:
        raise ConfigError(f'The setting travel.kind = "{settings.travel.kind}" does not work: {error}.') from None


def bare_city(city_id: str, settings: "Settings", travel: TravelTimes | None = None) -> City:
    """Return a city without zones, with the installation's policy, targets and travel (opened here unless given)."""
    return City(
        id=city_id,
        zones=None,
        policies={},
        default_policy=settings.grab,
        targets=settings.clocks,
        travel=travel or open_travel(settings),
        stale_s=settings.positions.stale_s,
        factors=settings.travel.factors,
        time_zone=ZoneInfo(settings.time_zone),
        weather=settings.travel.weather,
    )


async def load_city(
    conn: "asyncpg.Connection[asyncpg.Record]", city_id: str, settings: "Settings", travel: TravelTimes | None = None
) -> City:
    """Return a city with the zones in force; raise `NotFound`.

    A zone that an earlier version took and this one cannot use is left out, and the log says how to mend it.
    """
    if await conn.fetchval(LOG["head"], city_id) is None:
        raise NotFound(f"no city {city_id}")
    city = msgspec.structs.replace(bare_city(city_id, settings, travel), forecasts=await forecasts.load(conn, city_id))
    row = await conn.fetchrow(LOG["zone_map"], city_id)
    if row is None:
        return city
    zoned, problems = city.with_stored_zones(row["document"], row["version"])
    if problems:
        log.error("zones left out", city=city_id, detail=unusable(city_id, problems))
    return zoned


def unusable(city_id: str, problems: "Sequence[ZoneProblem]") -> str:
    """Return why zones of a map in force are not used, what follows, and the way out, for an operator."""
    first = problems[0].detail
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return (
        f"the map in force of city {city_id} has zones that are left out: {first}{more}; reports from there wait for a "
        "dispatcher until the map is put right and in force again (GET and PUT /api/v1/zones, or the console)"
    )
