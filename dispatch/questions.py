"""From a city's rows to the planner's question; pure. A part of step 5."""

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import shapely

from dispatch.city import City
from dispatch.crews import Crew, hours_on_shift
from dispatch.orders import Order, State
from geo import TravelChoice
from optimizer.demand import WEEK_HOURS
from optimizer.dispatching import Dispatcher, DispatchSettings
from optimizer.rolling import Held, Question, Worker
from optimizer.situation import Ground, IdleCrew, Reported, WaitingOrder
from optimizer.standby import StandbySettings

if TYPE_CHECKING:
    from shapely import MultiPolygon

    from dispatch.config import PlannerSettings

DUE_NEVER = timedelta(days=1)
"""An order without a clock of its arrival is due a day from now."""
SPREAD = 8
"""Over so many places along each side a zone's share of what is expected is spread."""
NO_GROUND = Ground(0.0, 0.0, 0.0, 0.0)
LEAST_LEFT = 0.25
"""A work that lasts longer than expected is expected to last this share of its usual time more."""


def settings_of(settings: "PlannerSettings") -> DispatchSettings:
    """Return how the policy works in the engine: an order is never held back while somebody could go.

    Whoever may grab is asked first, for `assign_after_s`; after that the contract knows no further waiting.
    """
    standby = None
    if settings.advise and settings.moves_per_hour > 0:
        standby = StandbySettings(rest_s=3600 / settings.moves_per_hour)
    return DispatchSettings(threshold=0.0, standby=standby)


def ground_of(city: City, crews: Collection[Crew]) -> Ground:
    """Return the box of the city's zones, or of its crews where it has none, where its crews are, what to expect."""
    posts = tuple((crew.position.lon, crew.position.lat) for crew in crews if crew.position is not None)
    zones = city.zones.zone_map.zones if city.zones is not None else ()
    boxes = [zone.geometry.bounds for zone in zones] or [(*post, *post) for post in posts] or [(0.0, 0.0, 0.0, 0.0)]
    west, south, east, north = zip(*boxes, strict=True)
    return Ground(min(west), min(south), max(east), max(north), posts, expected_in(city))


def knows_demand(city: City) -> bool:
    """Return whether the city's history has taught at least a week of where reports come from."""
    return city.forecasts.demand.hours >= WEEK_HOURS


def expected_in(city: City) -> tuple[tuple[float, float, float], ...]:
    """Return where reports are to be expected as (lon, lat, share); nothing while history has not taught it.

    Of all that demand depends on only the shares of the zones say where: hour, cold and season are the whole city's. A
    zone's share lies evenly over it.
    """
    if city.zones is None or not knows_demand(city):
        return ()
    demand = city.forecasts.demand
    expected: list[tuple[float, float, float]] = []
    for zone in city.zones.zone_map.zones:
        places = _spread_over(zone.geometry)
        share = demand.share(zone.id) / len(places)
        expected += [(lon, lat, share) for lon, lat in places]
    return tuple(expected)


def _spread_over(area: "MultiPolygon") -> list[tuple[float, float]]:
    """Return places spread evenly over an area, at least one."""
    west, south, east, north = area.bounds
    steps = (np.arange(SPREAD) + 0.5) / SPREAD
    lons, lats = np.meshgrid(west + (east - west) * steps, south + (north - south) * steps)
    inside = shapely.contains_xy(area, lons, lats)
    if not inside.any():
        middle = area.representative_point()
        return [(middle.x, middle.y)]
    return list(zip(lons[inside].tolist(), lats[inside].tolist(), strict=True))


def question_of(
    city: City,
    crews: Sequence[Crew],
    waiting: Sequence[Order],
    in_hand: Sequence[Order],
    *,
    now: datetime,
    travel: TravelChoice,
    reported: Sequence[Reported] = (),
    dispatcher: Dispatcher | None = None,
    settings: DispatchSettings | None = None,
) -> Question:
    """Return the question that the city's rows ask. Crews not heard of lately, and orders without a place, stay out."""
    heard_of = [crew for crew in crews if _heard_of(crew, now, city.stale_s)]
    held: dict[str, list[Order]] = {}
    for order in in_hand:
        if order.crew is not None:
            held.setdefault(order.crew, []).append(order)
    idle = [crew for crew in heard_of if crew.load == 0 and crew.id not in held]
    # Of two crews that are as near the first goes: to whom fewer orders fell per hour on shift.
    idle.sort(key=lambda crew: (crew.taken / hours_on_shift(crew, now), crew.shift_since or now, crew.id))
    conditions = city.travel_at(now).conditions
    # Where to work is looked at once, by a policy that begins.
    ground = ground_of(city, heard_of) if dispatcher is None else NO_GROUND
    return Question(
        now=now,
        idle=tuple(_idle(crew, now) for crew in idle),
        workers=tuple(_worker(crew, held[crew.id], city, now) for crew in heard_of if crew.id in held),
        waiting=tuple(_waiting(order, now) for order in waiting if order.location is not None),
        work_s={order.id: _work_s(order, city) for order in waiting},
        travel=travel,
        ground=ground,
        factors=city.forecasts.travel or city.factors,
        conditions=conditions,
        reported=tuple(reported),
        dispatcher=dispatcher,
        settings=settings or DispatchSettings(),
    )


def _heard_of(crew: Crew, now: datetime, stale_s: float) -> bool:
    if not crew.on_shift or crew.position is None or crew.position_at is None:
        return False
    return now - crew.position_at <= timedelta(seconds=stale_s)


def _idle(crew: Crew, now: datetime) -> IdleCrew:
    assert crew.position is not None
    return IdleCrew(
        crew.id,
        crew.position.lon,
        crew.position.lat,
        crew.skills,
        None,
        crew.shift_since or now,
        taken=crew.taken,
        on_shift_s=_on_shift_s(crew, now),
    )


def _on_shift_s(crew: Crew, now: datetime) -> float:
    return max((now - crew.shift_since).total_seconds(), 0.0) if crew.shift_since is not None else 0.0


def _worker(crew: Crew, held: Sequence[Order], city: City, now: datetime) -> Worker:
    """Return a crew with work: what it is at first, then the rest as it is due."""
    assert crew.position is not None
    order_of = {State.ARRIVED: 0, State.EN_ROUTE: 1}
    ranked = sorted(held, key=lambda order: (order_of.get(order.state, 2), _due_at(order, now), order.id))
    return Worker(
        crew.id,
        crew.position.lon,
        crew.position.lat,
        crew.skills,
        None,
        tuple(_held(order, city, now) for order in ranked if order.location is not None),
        room=max(crew.capacity - crew.load, 0),
        taken=crew.taken,
        on_shift_s=_on_shift_s(crew, now),
    )


def _held(order: Order, city: City, now: datetime) -> Held:
    assert order.location is not None
    work_s = _work_s(order, city)
    arrival = order.clocks.get("arrival")
    if order.state is State.ARRIVED and arrival is not None and arrival.stopped_at is not None:
        work_s = max(work_s - (now - arrival.stopped_at).total_seconds(), LEAST_LEFT * work_s)
    begun = order.state is not State.CLAIMED
    return Held(
        order.id,
        order.location.lon,
        order.location.lat,
        order.severity,
        _due_at(order, now),
        work_s,
        begun=begun,
        told=not begun and order.claimed_by == "optimizer",
        required_skills=order.required_skills,
        excluded=order.excluded,
    )


def _waiting(order: Order, now: datetime) -> WaitingOrder:
    assert order.location is not None
    return WaitingOrder(
        order.id,
        order.location.lon,
        order.location.lat,
        order.zone,
        order.category,
        order.severity,
        order.reported_at,
        _due_at(order, now),
        order.required_skills,
        order.excluded,
    )


def _work_s(order: Order, city: City) -> float:
    return city.forecasts.service.of(order.category, order.severity).median_s


def _due_at(order: Order, now: datetime) -> datetime:
    arrival = order.clocks.get("arrival")
    return arrival.due_at if arrival is not None else now + DUE_NEVER


def several(in_hand: Sequence[Order]) -> bool:
    """Return whether planning anew can help anybody: a crew holds several orders, or one that may still move."""
    held = Counter(order.crew for order in in_hand)
    movable = any(order.state is State.CLAIMED and order.claimed_by == "optimizer" for order in in_hand)
    return movable or any(count > 1 for count in held.values())
