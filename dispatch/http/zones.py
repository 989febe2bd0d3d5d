"""Routes of zones: replace, show, locate, and what an editor asks before it replaces them."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec import Raw

from dispatch.access import EVERY_ROLE
from dispatch.errors import Invalid
from dispatch.http.reading import malformed
from dispatch.http.routing import LARGE, Call, Routes
from dispatch.http.shapes import (
    LocateOut,
    LocateQuery,
    ZoneCheck,
    ZoneJoinIn,
    ZoneMapOut,
    ZoneParts,
    ZoneSplitIn,
    ZonesQuery,
)
from dispatch.store.tx import LOG
from dispatch.zoning import (
    foresee_zones,
    policy_problems,
    read_zones,
    replace_zones,
    require_zones_version,
    rezone,
    told,
)
from geo import ZoneEditError, ZoneMapError, ZoneProblem, join_zones, parse_zones, split_zone, to_wgs84

if TYPE_CHECKING:
    from dispatch.access import Role
    from dispatch.store import Tx

T = TypeVar("T")
OTHERS_KNOW_AFTER_S = 3.0
"""By then every engine has heard of a new map."""

routes = Routes()
ADMIN: "frozenset[Role]" = frozenset({"admin"})
DISPATCHER: "frozenset[Role]" = frozenset({"dispatcher"})


@routes.batch("PUT", "/zones", roles=ADMIN, body=bytes, query=ZonesQuery, answer=ZoneMapOut, limit=LARGE)
async def put_zones(call: Call) -> ZoneMapOut:
    """Replace the zones by a FeatureCollection, as a new version; a wrong one changes nothing."""
    if not call.raw:
        raise malformed("it is empty; send a FeatureCollection")
    zone_map, _ = await asyncio.to_thread(read_zones, call.raw, call.mirror.city)
    document = zone_map.feature_collection()
    based_on: int | None = call.query.based_on

    async def replace(tx: "Tx") -> int:
        if based_on is not None:
            await require_zones_version(tx, based_on)
        return await replace_zones(tx, document, zones=len(zone_map.zones), actor=call.identity.actor)

    version = await call.engine.run(call.city, replace)
    desk = await call.engine.desk(call.city)
    await desk.relay.catch_up()
    call.engine.later(_rezone(call))
    return ZoneMapOut(version, len(zone_map.zones), [_shown(warning) for warning in zone_map.warnings])


def _shown(problem: ZoneProblem) -> dict[str, Any]:
    """Return a problem of a map as it is sent: which member, which zone, what, where, how large."""
    return {
        "pointer": problem.pointer,
        "zone": problem.zone,
        "detail": told(problem),
        "lon": problem.lon,
        "lat": problem.lat,
        "area_m2": problem.area_m2,
    }


@routes.batch("POST", "/zones/check", roles=DISPATCHER, body=dict[str, Any], answer=ZoneCheck, limit=LARGE)
async def post_zones_check(call: Call) -> ZoneCheck:
    """Check a FeatureCollection of zones and tell what it would change; nothing is put in force."""
    if call.body.get("type") != "FeatureCollection":
        raise Invalid.field("/type", "a map of zones must be a FeatureCollection")
    try:
        zone_map = await asyncio.to_thread(parse_zones, call.body)
    except ZoneMapError as error:
        return ZoneCheck([_shown(problem) for problem in error.problems], [])
    if wrong := policy_problems(zone_map, call.mirror.city.default_policy):
        return ZoneCheck([_shown(problem) for problem in wrong], [_shown(warning) for warning in zone_map.warnings])
    preview = await asyncio.to_thread(
        foresee_zones, zone_map, [live.order for live in call.mirror.orders.values()], list(call.mirror.crews.values())
    )
    return ZoneCheck([], [_shown(warning) for warning in zone_map.warnings], preview)


@routes.batch("POST", "/zones/split", roles=DISPATCHER, body=ZoneSplitIn, answer=ZoneParts)
async def post_zones_split(call: Call) -> ZoneParts:
    """Cut the shape of a zone along a line; the largest part comes first, nothing is kept."""
    return ZoneParts(await _edited("/line", lambda: split_zone(call.body.geometry, call.body.line)))


@routes.batch("POST", "/zones/join", roles=DISPATCHER, body=ZoneJoinIn, answer=ZoneParts)
async def post_zones_join(call: Call) -> ZoneParts:
    """Join the shapes of zones that touch into one; nothing is kept."""
    return ZoneParts([await _edited("/geometries", lambda: join_zones(list(call.body.geometries)))])


async def _edited(pointer: str, edit: Callable[[], T]) -> T:
    try:
        return await asyncio.to_thread(edit)
    except ZoneEditError as error:
        raise Invalid.field(pointer, str(error)) from None


async def _rezone(call: Call) -> None:
    """Put every open order into its zone of the new map; again a little later, for what came in by the old one."""
    mirror = call.mirror
    for wait_s in (0, OTHERS_KNOW_AFTER_S):
        await asyncio.sleep(wait_s)
        moves = [
            key
            for key, live in list(mirror.orders.items())
            if live.order.location is not None and mirror.city.locate(live.order.location) != live.order.zone
        ]
        for order_id in moves:
            await call.engine.run(
                call.city,
                lambda tx, key=order_id: rezone(tx, key, mirror.city, mirror.crews.values()),  # type: ignore[misc]
            )


@routes.read("/zones", roles=EVERY_ROLE, answer=dict[str, Any])
async def get_zones(call: Call) -> dict[str, Any] | Raw:
    """Show the zones in force, with their `version`."""
    async with call.engine.db.connection() as conn:
        row = await conn.fetchrow(LOG["zone_map"], call.city)
    if row is None:
        return {"type": "FeatureCollection", "version": 0, "features": []}
    return Raw(f'{{"version":{row["version"]},{row["document"].lstrip()[1:]}'.encode())


@routes.read("/zones/locate", roles=EVERY_ROLE, query=LocateQuery, answer=LocateOut)
async def locate(call: Call) -> LocateOut:
    """Tell the zone of a place; one on a border is in exactly one zone."""
    zones = call.mirror.city.zones
    lon, lat = to_wgs84(call.query.lon, call.query.lat, call.query.crs)
    return LocateOut(zones.locate(lon, lat) if zones else None)
