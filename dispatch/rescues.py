"""What could still save an order whose clock runs out: the crew that holds it, or the nearest that may take it. Pure.

Every word of it is computed: a crew is named because it may hold the order and its predicted arrival was worked out,
and where nobody is named the obstacles are counted.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Literal

from msgspec import Struct

from dispatch.crews import Candidate, Crew, arrivals, candidates
from dispatch.orders import WITH_CREW, Order
from geo import TravelTimes, distance_m

BY_CREW = frozenset({"hand_down", "arrival"})
"""The clocks that a crew can stop by coming."""

AT_ONCE = 50
"""Crews that are looked at together, the nearest first, until enough of them may go."""

Verdict = Literal["holder_in_time", "can_be_saved", "too_far", "nobody_free", "no_place", "not_by_crew"]


class Rescue(Struct, frozen=True):
    """A crew that may take the order, or holds it: when it would be there, and whether that is in time."""

    crew: str
    name: str
    eta_s: float | None
    in_time: bool


class Prospect(Struct, frozen=True):
    """What can become of a clock; `obstacles` counts why crews may not go, of the `looked_at` nearest ones."""

    verdict: Verdict
    holder: Rescue | None = None
    rescues: tuple[Rescue, ...] = ()
    obstacles: dict[str, int] = {}
    looked_at: int = 0


def prospect(
    order: Order, clock: str, remaining_s: float, crews: Collection[Crew], *, travel: TravelTimes, most: int = 3
) -> Prospect:
    """Return what could still let a clock of an order be met in `remaining_s` seconds, with at most `most` crews.

    To hand an order down any crew that may take it will do; to arrive it must be there in time.
    """
    if clock not in BY_CREW:
        return Prospect("not_by_crew")
    if order.location is None:
        return Prospect("no_place")
    holder = _holder(order, crews, remaining_s, travel)
    others = [crew for crew in crews if crew.on_shift and crew.id != order.crew]
    eligible, obstacles, looked_at = _look_for(order, others, travel, most)
    names = {crew.id: crew.name for crew in others}
    hand_down = clock == "hand_down"
    rescues = tuple(
        Rescue(c.crew, names[c.crew], c.eta_s, hand_down or (c.eta_s is not None and c.eta_s <= remaining_s))
        for c in eligible
    )
    return Prospect(_verdict(holder, rescues), holder, rescues, obstacles, looked_at)


def _verdict(holder: Rescue | None, rescues: Sequence[Rescue]) -> Verdict:
    if holder is not None and holder.in_time:
        return "holder_in_time"
    if any(rescue.in_time for rescue in rescues):
        return "can_be_saved"
    return "too_far" if rescues or holder is not None else "nobody_free"


def _holder(order: Order, crews: Collection[Crew], remaining_s: float, travel: TravelTimes) -> Rescue | None:
    if order.crew is None or order.state not in WITH_CREW or order.location is None:
        return None
    crew = next((crew for crew in crews if crew.id == order.crew), None)
    if crew is None:
        return None
    eta = arrivals(order.location, [crew], travel).get(crew.id)
    return Rescue(crew.id, crew.name, eta, eta is not None and eta <= remaining_s)


def _look_for(
    order: Order, crews: list[Crew], travel: TravelTimes, most: int
) -> tuple[list[Candidate], dict[str, int], int]:
    """Return the nearest crews that may take an order, what is in others' way, and how many were looked at.

    A dispatcher may send anybody, so the ring that is open does not matter.
    """
    place = order.location
    assert place is not None

    def apart(crew: Crew) -> float:
        if crew.position is None:
            return float("inf")
        return distance_m(crew.position.lon, crew.position.lat, place.lon, place.lat)

    by_distance = sorted(crews, key=apart)
    eligible: list[Candidate] = []
    obstacles: Counter[str] = Counter()
    looked_at = 0
    for start in range(0, len(by_distance), AT_ONCE):
        ranked = candidates(order, by_distance[start : start + AT_ONCE], travel=travel)
        looked_at += len(ranked)
        eligible += [candidate for candidate in ranked if candidate.eligible]
        obstacles.update(reason.split(":")[0] for candidate in ranked for reason in candidate.reasons)
        if len(eligible) >= most:
            break
    return eligible[:most], dict(obstacles), looked_at
