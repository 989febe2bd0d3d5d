"""Step 2: where is it. A city's zones are replaced whole, as a new version; nothing changes where one is wrong.

Every open order with a known place is looked at again under the new map, and put into the zone that it has there.
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
from dispatch.orders import OPEN, State
from dispatch.policy import GrabPolicy, read_policy
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
    if wrong := policy_problems(zone_map, city.default_policy):
        problems = tuple(Problem(problem.pointer, told(problem)) for problem in wrong)
        raise Invalid(f"the zones were not taken: {problems[0].detail}", problems=problems)
    return zone_map, city.with_zones(raw, 0)


def policy_problems(zone_map: ZoneMap, default: GrabPolicy) -> list[ZoneProblem]:
    """Return what is wrong with the grab policies of a map's zones."""
    found = []
    for n, zone in enumerate(zone_map.zones):
        if zone.policy is not None:
            try:
                read_policy(zone.policy, default, pointer=f"/features/{n}/properties/policy")
            except Invalid as error:
                found += [ZoneProblem(problem.pointer, zone.id, problem.detail) for problem in error.problems]
    return found


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


async def rezone(tx: "Tx", order_id: str, city: City, crews: Collection[Crew]) -> None:
    """Put an open order into its zone of the map in force.

    One that waited for a zone is opened, one that is open to grabs is offered to the crews of its new zone, or waits
    for a dispatcher where it lies in none; who holds one keeps it.
    """
    order = await tx.orders.lock_one(order_id)
    zone = city.locate(order.location)
    if order.location is None or order.state not in OPEN or zone == order.zone:
        return
    moved, circle = order.changed(zone=zone), None
    members: dict[str, Any] = {"left": {"zone": order.zone, "location": order.location}}
    if order.state is State.OFFERED:
        members |= await offers.close(tx, order, "expired" if zone is not None else "withdrawn")
    if order.state is State.OFFERED and zone is None:
        moved = msgspec.structs.replace(moved, state=State.UNZONED, offer=None)
    elif order.state in (State.OFFERED, State.UNZONED):
        moved, circle = offers.opened(moved, crews, city, now=tx.now, excluded=order.excluded)
    await tx.orders.save(moved)
    tx.record(Event.of_order("order.zoned", moved, actor="system:zones", **members))
    if circle is not None:
        await offers.announce(tx, moved, circle, actor="system:offers")
