"""Routes of zones: replace, show, locate."""

import asyncio
from typing import TYPE_CHECKING, Any

from msgspec import Raw

from dispatch.access import EVERY_ROLE
from dispatch.http.reading import malformed
from dispatch.http.routing import LARGE, Call, Routes
from dispatch.http.shapes import LocateOut, LocateQuery, ZoneMapOut
from dispatch.store.tx import LOG
from dispatch.zoning import place_unzoned, read_zones, replace_zones, told
from geo import to_wgs84

if TYPE_CHECKING:
    from dispatch.access import Role

routes = Routes()
ADMIN: "frozenset[Role]" = frozenset({"admin"})


@routes.batch("PUT", "/zones", roles=ADMIN, body=bytes, answer=ZoneMapOut, limit=LARGE)
async def put_zones(call: Call) -> ZoneMapOut:
    """Replace the zones by a FeatureCollection, as a new version; a wrong one changes nothing."""
    if not call.raw:
        raise malformed("it is empty; send a FeatureCollection")
    zone_map, _ = await asyncio.to_thread(read_zones, call.raw, call.mirror.city)
    document = zone_map.feature_collection()
    version = await call.engine.run(
        call.city,
        lambda tx: replace_zones(tx, document, zones=len(zone_map.zones), actor=call.identity.actor),
    )
    desk = await call.engine.desk(call.city)
    await desk.relay.catch_up()
    call.engine.later(_place_waiting(call))
    warnings = [
        {"pointer": w.pointer, "zone": w.zone, "detail": told(w), "lon": w.lon, "lat": w.lat, "area_m2": w.area_m2}
        for w in zone_map.warnings
    ]
    return ZoneMapOut(version, len(zone_map.zones), warnings)


async def _place_waiting(call: Call) -> None:
    mirror = call.mirror
    waiting = [
        key for key, live in mirror.orders.items() if live.order.state == "unzoned" and live.order.location is not None
    ]
    for order_id in waiting:
        await call.engine.run(
            call.city,
            lambda tx, key=order_id: place_unzoned(tx, key, mirror.city, mirror.crews.values()),  # type: ignore[misc]
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
