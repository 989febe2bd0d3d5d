"""What is on board: whether a route's loads fit, by sums kept for its beginnings and ends.

Of a stretch of stops three numbers are enough: what it delivers, what it picks up, and the most that is on board for
it at any moment. Those of two stretches give those of both in a row (Vidal, Crainic, Gendreau, Prins 2013, "A hybrid
genetic algorithm with adaptive diversity management for a large class of vehicle routing problems with time-windows").
"""

from optimizer.search.arrays import Arrays
from optimizer.search.compiled import compiled, inlined
from optimizer.search.state import Numbers, State

DELIVERED, PICKED, HIGHEST = range(3)
"""The last axis of `State.ahead` and `State.behind`."""


@compiled
def fits(p: Arrays, s: State, k: int, route: Numbers, first: int, size: int, rest: int) -> bool:
    """Return whether the loads of a route fit that is the crew's up to `first` and in its last `rest` stops."""
    for kind in range(p.room.shape[1]):
        delivered, picked, highest = 0, 0, 0
        if first > 0:
            delivered, picked = s.ahead[k, first - 1, kind, DELIVERED], s.ahead[k, first - 1, kind, PICKED]
            highest = s.ahead[k, first - 1, kind, HIGHEST]
        for x in range(first, size - rest):
            one, other = p.delivery[route[x], kind], p.pickup[route[x], kind]
            delivered, picked, highest = _joined(delivered, picked, highest, one, other, max(one, other))
        if rest > 0:
            y = s.size[k] - rest
            delivered, picked, highest = _joined(
                delivered,
                picked,
                highest,
                s.behind[k, y, kind, DELIVERED],
                s.behind[k, y, kind, PICKED],
                s.behind[k, y, kind, HIGHEST],
            )
        if highest > p.room[k, kind]:
            return False
    return True


@inlined
def fits_between(p: Arrays, s: State, k: int, j: int, q: int) -> bool:
    """Return whether the loads of a crew's route fit with a job put in at a place."""
    for kind in range(p.room.shape[1]):
        delivered, picked, highest = p.delivery[j, kind], p.pickup[j, kind], max(p.delivery[j, kind], p.pickup[j, kind])
        if q > 0:
            delivered, picked, highest = _joined(
                s.ahead[k, q - 1, kind, DELIVERED],
                s.ahead[k, q - 1, kind, PICKED],
                s.ahead[k, q - 1, kind, HIGHEST],
                delivered,
                picked,
                highest,
            )
        if q < s.size[k]:
            highest = max(highest + s.behind[k, q, kind, DELIVERED], picked + s.behind[k, q, kind, HIGHEST])
        if highest > p.room[k, kind]:
            return False
    return True


@compiled
def all_fit(p: Arrays, k: int, route: Numbers, size: int) -> bool:
    """Return whether the loads of a route fit of which nothing is remembered."""
    for kind in range(p.room.shape[1]):
        delivered, picked, highest = 0, 0, 0
        for x in range(size):
            one, other = p.delivery[route[x], kind], p.pickup[route[x], kind]
            delivered, picked, highest = _joined(delivered, picked, highest, one, other, max(one, other))
        if highest > p.room[k, kind]:
            return False
    return True


@inlined
def sum_up(p: Arrays, s: State, k: int) -> None:
    """Make the sums of a crew's route right again."""
    for kind in range(p.room.shape[1]):
        delivered, picked, highest = 0, 0, 0
        for x in range(s.size[k]):
            one, other = p.delivery[s.routes[k, x], kind], p.pickup[s.routes[k, x], kind]
            delivered, picked, highest = _joined(delivered, picked, highest, one, other, max(one, other))
            s.ahead[k, x, kind, DELIVERED], s.ahead[k, x, kind, PICKED] = delivered, picked
            s.ahead[k, x, kind, HIGHEST] = highest
        delivered, picked, highest = 0, 0, 0
        for x in range(s.size[k] - 1, -1, -1):
            one, other = p.delivery[s.routes[k, x], kind], p.pickup[s.routes[k, x], kind]
            delivered, picked, highest = _joined(one, other, max(one, other), delivered, picked, highest)
            s.behind[k, x, kind, DELIVERED], s.behind[k, x, kind, PICKED] = delivered, picked
            s.behind[k, x, kind, HIGHEST] = highest


@inlined
def _joined(
    delivered: int, picked: int, highest: int, delivered_then: int, picked_then: int, highest_then: int
) -> tuple[int, int, int]:
    """Return the three numbers of two stretches in a row: all that is delivered is on board from the start."""
    return (
        delivered + delivered_then,
        picked + picked_then,
        max(highest + delivered_then, picked + highest_then),
    )
