"""Step 2: where is it. A city's zones are replaced whole, as a new version; nothing changes where one is wrong.

Orders that wait in `unzoned` with a known place are looked at again under the new map, and opened where it has them.
"""

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from crew_client.protocol import PublicOrder
from dispatch import offers
from dispatch.city import City
from dispatch.crews import Crew
from dispatch.errors import Invalid, Problem, StaleVersion
from dispatch.events import Event
from dispatch.orders import State
from dispatch.store.tx import LOG
from geo import GeoJsonError, ZoneIndex, ZoneMap, ZoneMapError, ZoneProblem, parse_zones

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


class OrderMove(Struct, frozen=True):
    """An open order that lies in another zone on a new map; None is outside every zone."""

    order: str
    zone: str | None
    to: str | None


class Preview(Struct, frozen=True):
    """What a map would change: orders whose place falls otherwise, crews that belong or are lent to no zone of it."""

    orders: tuple[OrderMove, ...]
    crews: tuple[str, ...]


def foresee_zones(zone_map: ZoneMap, orders: Iterable[PublicOrder], crews: Iterable[Crew]) -> Preview:
    """Return what putting a map in force would change for what is open now; pure."""
    index = ZoneIndex(zone_map)
    placed = [order for order in orders if order.location is not None]
    lons = [order.location.lon for order in placed if order.location]
    lats = [order.location.lat for order in placed if order.location]
    found = index.locate_many(lons, lats) if placed else []
    known = frozenset(index.ids)
    moves = [OrderMove(order.id, order.zone, to) for order, to in zip(placed, found, strict=True) if order.zone != to]
    homeless = [crew.id for crew in crews if not known.issuperset(filter(None, (crew.home_zone, *crew.zones_lent)))]
    return Preview(tuple(moves), tuple(homeless))


async def require_zones_version(tx: "Tx", version: int) -> None:
    """Raise `StaleVersion` where another map than this one is in force by now; holds off who replaces it meanwhile."""
    await _lock_zones(tx)
    row = await tx.conn.fetchrow(LOG["zone_map"], tx.city_id)
    current = row["version"] if row else 0
    if current != version:
        raise StaleVersion(
            f"the map in force is version {current}, yours began from {version}", extra={"version": current}
        )


async def _lock_zones(tx: "Tx") -> None:
    await tx.conn.execute("SELECT pg_advisory_xact_lock(hashtext('qiangdan.zones.' || $1))", tx.city_id)


async def replace_zones(tx: "Tx", document: dict[str, Any], *, zones: int, actor: str) -> int:
    """Put a checked map in force and return its version."""
    await _lock_zones(tx)
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
