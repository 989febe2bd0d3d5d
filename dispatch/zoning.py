"""Step 2: where is it. A city's zones are replaced whole, as a new version; nothing changes where one is wrong.

Orders that wait in `unzoned` with a known place are looked at again under the new map, and opened where it has them.
"""

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import msgspec

from dispatch import offers
from dispatch.city import City
from dispatch.crews import Crew
from dispatch.errors import Invalid, Problem
from dispatch.events import Event
from dispatch.orders import State
from dispatch.store.tx import LOG
from geo import GeoJsonError, ZoneMap, ZoneMapError, ZoneProblem, parse_zones

if TYPE_CHECKING:
    from dispatch.store import Tx


def read_zones(raw: bytes, city: City) -> tuple[ZoneMap, City]:
    """Return the map that a document holds, and the city as it would be; raise `Invalid` that names zone and place."""
    try:
        zone_map = parse_zones(raw)
    except ZoneMapError as error:
        problems = tuple(Problem(problem.pointer, told(problem)) for problem in error.problems)
        raise Invalid(f"the zones were not taken: {problems[0].detail}", problems=problems) from None
    except GeoJsonError as error:
        problems = tuple(Problem(problem.pointer, problem.detail) for problem in error.problems)
        raise Invalid(f"the zones are no GeoJSON: {problems[0].detail}", problems=problems) from None
    return zone_map, city.with_zones(raw, 0)


def told(problem: ZoneProblem) -> str:
    """Return a problem of a map as one sentence with zone, place and area."""
    parts = [f"zone {problem.zone}: {problem.detail}" if problem.zone else problem.detail]
    if problem.lon is not None and problem.lat is not None:
        parts.append(f"at {problem.lon:.6f}, {problem.lat:.6f}")
    if problem.area_m2 is not None:
        parts.append(f"{problem.area_m2:,.0f} m²")
    return ", ".join(parts)


async def replace_zones(tx: "Tx", document: dict[str, Any], *, zones: int, actor: str) -> int:
    """Put a checked map in force and return its version."""
    await tx.conn.execute("SELECT pg_advisory_xact_lock(hashtext('qiangdan.zones.' || $1))", tx.city_id)
    version: int = await tx.conn.fetchval(
        LOG["insert_zone_map"], tx.city_id, msgspec.json.encode(document).decode(), actor, tx.now
    )
    tx.record(Event.of_city("zones.replaced", actor=actor, version=version, zones=zones))
    return version


async def place_unzoned(tx: "Tx", order_id: str, city: City, crews: Collection[Crew]) -> None:
    """Open an order that waited for a zone, if the city has one for it now."""
    order = await tx.orders.lock_one(order_id)
    zone = city.locate(order.location)
    if order.state is not State.UNZONED or zone is None:
        return
    placed = order.changed(zone=zone)
    opened, circle = offers.opened(placed, crews, city, now=tx.now, excluded=order.excluded)
    await tx.orders.save(opened)
    tx.record(Event.of_order("order.zoned", opened, actor="system:zones"))
    await offers.announce(tx, opened, circle, actor="system:offers")
