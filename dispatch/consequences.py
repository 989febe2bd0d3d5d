"""What giving an order to a crew does to what it holds already: asked before a dispatcher lets go of it. Pure.

A crew is taken to finish where it stands, then go where it is going, then take the rest by severity and deadline; the
order that it would be given joins that row by the same rule. Who comes after it in the row gets his visit later.
"""

from collections.abc import Callable, Collection, Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from msgspec import Struct

from crew_client.protocol import Location

if TYPE_CHECKING:
    from crew_client.protocol import PublicOrder
    from dispatch.crews import Crew
    from geo import TravelTimes

_BEGUN = {"arrived": 0, "en_route": 1}
_LAST = datetime.max


class Delay(Struct, frozen=True):
    """An order that a crew holds and would reach `later_s` seconds later.

    `misses` says that it would then miss the arrival deadline that it would have met; an order already late does not.
    """

    order: str
    later_s: float
    misses: bool


class Consequences(Struct, frozen=True):
    """What would follow: in how many seconds the crew is at the order's door, and who waits longer for that."""

    arrives_s: float | None
    delays: tuple[Delay, ...] = ()


def foresee(
    order: "PublicOrder",
    crew: "Crew",
    held: Collection["PublicOrder"],
    *,
    travel: "TravelTimes",
    service_s: Callable[["PublicOrder"], float],
    now: datetime,
) -> Consequences:
    """Return what follows where `crew`, which holds `held`, is given `order`; `service_s` is a visit's length."""
    others = [each for each in held if each.id != order.id and each.state != "suspended"]
    before = _arrivals(sorted(others, key=_precedence), crew, travel, service_s)
    after = _arrivals(
        sorted([*others, order], key=lambda each: _precedence(each, given=order)), crew, travel, service_s
    )
    delays = []
    for each in others:
        sooner, later = before.get(each.id), after.get(each.id)
        if sooner is None or later is None or later - sooner < 1:
            continue
        left_s = _left_s(each, now)
        misses = left_s is not None and sooner <= left_s < later
        delays.append(Delay(each.id, round(later - sooner, 1), misses))
    arrives_s = after.get(order.id)
    return Consequences(None if arrives_s is None else round(arrives_s, 1), tuple(delays))


def _precedence(order: "PublicOrder", given: "PublicOrder | None" = None) -> tuple[int, int, datetime, str]:
    """Return the place of an order in a crew's row; the given one is nobody's visit yet, whatever its state says."""
    arrival = order.clocks.get("arrival")
    due = arrival.due_at.replace(tzinfo=None) if arrival is not None else _LAST
    begun = 2 if order is given else _BEGUN.get(order.state, 2)
    return (begun, -order.severity, due, order.id)


def _arrivals(
    row: Iterable["PublicOrder"],
    crew: "Crew",
    travel: "TravelTimes",
    service_s: Callable[["PublicOrder"], float],
) -> dict[str, float]:
    """Return in how many seconds the crew is at each door, as far as the places are known."""
    place: Location | None = crew.position
    arrivals: dict[str, float] = {}
    elapsed = 0.0
    for order in row:
        if order.location is None:
            continue
        if order.state != "arrived" or order.crew != crew.id:
            if place is None:
                return arrivals
            elapsed += travel.seconds(place.lon, place.lat, order.location.lon, order.location.lat)
        arrivals[order.id] = elapsed
        elapsed += service_s(order)
        place = order.location
    return arrivals


def _left_s(order: "PublicOrder", now: datetime) -> float | None:
    """Return the seconds left until the arrival deadline, None where the clock does not run."""
    arrival = order.clocks.get("arrival")
    if arrival is None or arrival.stopped_at is not None or arrival.paused_at is not None:
        return None
    return (arrival.due_at - now).total_seconds()
