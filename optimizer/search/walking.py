"""What a route costs, compiled; the same as `optimizer.schedule.walk`, which tests hold it to."""

import numpy as np

from optimizer.search.arrays import (
    CHANGE,
    DONE,
    DUE,
    END,
    FREE,
    HELD,
    NEVER,
    PLACE,
    PROFILE,
    RATE,
    RELEASE,
    SERVICE,
    SETUP,
    SHIFT_END,
    START,
    TOLD,
    TOOLS,
    TRAVEL_LEFT,
    WEIGHT,
    WINDOWS,
    Arrays,
)
from optimizer.search.compiled import compiled, inlined
from optimizer.search.loads import all_fit, fits, sum_up
from optimizer.search.state import COST, Numbers, State

LATE, TRAVEL, FAIRNESS, CREW = range(4)
"""Of `Arrays.prices`."""
STORE, SUPPLIED, LOADED, LIMITED, NOWHERE, ZERO = range(6)
"""Of `Arrays.flags`."""


@inlined
def visit(p: Arrays, k: int, j: int, number: int, here: int, clock: int, leg: int) -> tuple[int, float]:
    """Return when a crew leaves a job that is its `number`-th, and its cost: infinity where it cannot be."""
    begin = begins(p, j, clock + leg)
    if leg < 0 or p.allowed[k, j] == 0 or begin == NEVER:
        return NEVER, np.inf
    cost = p.prices[TRAVEL] * leg + p.prices[FAIRNESS] * p.crews[k, RATE] * (p.crews[k, DONE] + number)
    told = p.jobs[j, TOLD]
    if told >= 0 and told != k:
        cost += p.worth[j, CHANGE]
    late = begin - p.jobs[j, DUE]
    if late > 0:
        cost += p.worth[j, WEIGHT] * late + p.prices[LATE]
    if here != p.jobs[j, PLACE]:
        begin += p.jobs[j, SETUP]
    return begin + p.jobs[j, SERVICE], cost


@inlined
def begins(p: Arrays, j: int, arrival: int) -> int:
    """Return when work can begin for an arrival, `NEVER` where all windows are over."""
    clock: int = max(arrival, p.jobs[j, RELEASE])
    count = p.jobs[j, WINDOWS]
    if count == 0:
        return clock
    for w in range(count):
        if clock <= p.windows[j, w, 1]:
            return int(max(clock, p.windows[j, w, 0]))
    return NEVER


@inlined
def last_arrival(p: Arrays, j: int, begin: int) -> int:
    """Return the last arrival after which work begins by `begin`, -1 for none: `begins` turned round."""
    if begin < p.jobs[j, RELEASE]:
        return -1
    count = p.jobs[j, WINDOWS]
    if count == 0:
        return begin
    for w in range(count - 1, -1, -1):
        if p.windows[j, w, 0] <= begin:
            return int(min(begin, p.windows[j, w, 1])) if p.jobs[j, RELEASE] <= p.windows[j, w, 1] else -1
    return -1


@inlined
def home(p: Arrays, k: int, here: int, clock: int) -> float:
    """Return what the way home costs; infinity where there is none or the shift is over by then."""
    way = p.travel[p.crews[k, PROFILE], here, p.crews[k, END]] if p.crews[k, END] >= 0 else 0
    if way < 0 or clock + way > p.crews[k, SHIFT_END]:
        return np.inf
    return float(p.prices[TRAVEL] * way)


@compiled
def walked(p: Arrays, k: int, route: Numbers, size: int, store: int, limit: float) -> float:
    """Return what the stops of a route and the way home cost; infinity where it is not feasible or over `limit`.

    `store`: the position before which the way leads over the store, -1 for none.
    """
    clock, here, profile, cost = p.crews[k, FREE], p.crews[k, START], p.crews[k, PROFILE], 0.0
    for x in range(size):
        there = p.jobs[route[x], PLACE]
        leg = 0
        if x == store:
            leg = p.travel[profile, here, p.flags[STORE]]
            here = p.flags[STORE]
        way = p.travel[profile, here, there]
        clock, more = visit(p, k, route[x], x + 1, here, clock, -1 if leg < 0 or way < 0 else leg + way)
        cost += more
        if cost > limit:
            return np.inf
        here = there
    return cost + home(p, k, here, clock)


@compiled
def whole(p: Arrays, k: int, route: Numbers, size: int, limit: float) -> float:
    """Return what a whole route costs, the best place for a call at the store chosen; infinity as in `tail`."""
    if size == 0:
        return idle(p, k)
    opened = 0.0 if p.crews[k, HELD] else p.prices[CREW]
    if p.flags[LOADED] and not all_fit(p, k, route, size):
        return np.inf
    if p.flags[LIMITED] and not _way_fits(p, k, route, size):
        return np.inf
    lacks = _first_lack(p, k, route, size) if p.flags[SUPPLIED] else -1
    if lacks >= 0 and p.flags[STORE] < 0:
        return np.inf
    best = np.inf
    for before in range(lacks, min(lacks, 0) - 1, -1):
        best = min(best, walked(p, k, route, size, before, min(limit, best)))
    return float(opened + best)


@compiled
def idle(p: Arrays, k: int) -> float:
    """Return what a crew costs that gets nothing: the way home where it is on the way already."""
    if p.crews[k, HELD] == 0:
        return 0.0
    home = p.crews[k, END]
    way = p.travel[p.crews[k, PROFILE], p.crews[k, START], home] if home >= 0 else 0
    return float(p.prices[TRAVEL] * max(way, 0))


@compiled
def trial(p: Arrays, s: State, k: int, route: Numbers, first: int, size: int, rest: int, limit: float) -> float:
    """Return what a route costs that is the crew's present one up to `first`, and in its last `rest` stops.

    Behind the first of those stops nothing is walked that is known: the crew leaves it as it does now, or so early
    that nobody is late, or too late for somebody's window (Savelsbergh 1992, "The vehicle routing problem with time
    windows: minimizing route duration").
    """
    if size == 0 or p.flags[SUPPLIED]:
        return whole(p, k, route, size, limit)
    if p.flags[LOADED] and not fits(p, s, k, route, first, size, rest):
        return np.inf
    if p.flags[LIMITED] and not _way_fits(p, k, route, size):
        return np.inf
    cost, clock, here = before(p, s, k, first)
    profile, moved = p.crews[k, PROFILE], size - s.size[k]
    for x in range(first, size):
        there = p.jobs[route[x], PLACE]
        clock, more = visit(p, k, route[x], x + 1, here, clock, p.travel[profile, here, there])
        cost += more
        if cost > limit:
            return np.inf
        here = there
        if x >= size - rest:
            y = x - moved
            if clock > s.latest[k, y]:
                return np.inf
            if clock == s.leaves[k, y] or clock <= s.calm[k, y]:
                return float(cost + known_rest(p, s, k, y, moved))
    return float(cost + home(p, k, here, clock))


@inlined
def before(p: Arrays, s: State, k: int, first: int) -> tuple[float, int, int]:
    """Return what a crew has spent before its stop `first`, and when and where it sets out to it."""
    if first == 0:
        return 0.0 if p.crews[k, HELD] else p.prices[CREW], p.crews[k, FREE], p.crews[k, START]
    return s.spent[k, first - 1], s.leaves[k, first - 1], p.jobs[s.routes[k, first - 1], PLACE]


@inlined
def known_rest(p: Arrays, s: State, k: int, y: int, moved: int) -> float:
    """Return what the stops behind a crew's stop `y` cost, `moved` places further back than they are now."""
    return float(s.cost[k] - s.spent[k, y] + p.prices[FAIRNESS] * p.crews[k, RATE] * moved * (s.size[k] - 1 - y))


@inlined
def settle(p: Arrays, s: State, k: int, first: int) -> None:
    """Make what is remembered of a route right again, from a position on: times, costs, who is where."""
    size, route, profile = s.size[k], s.routes[k], p.crews[k, PROFILE]
    spent, clock, here = before(p, s, k, first)
    for x in range(first, size):
        j = route[x]
        there = p.jobs[j, PLACE]
        clock, more = visit(p, k, j, x + 1, here, clock, p.travel[profile, here, there])
        spent += more
        s.leaves[k, x] = clock
        s.spent[k, x] = spent
        s.route_of[j] = k
        s.at[j] = x
        here = there
    if size == 0 or p.flags[SUPPLIED]:
        cost = whole(p, k, route, size, np.inf)
    else:
        cost = spent + home(p, k, here, clock)
        _look_back(p, s, k, first)
        if p.flags[LOADED]:
            sum_up(p, s, k)
    s.totals[COST] += cost - s.cost[k]
    s.cost[k] = cost


@inlined
def _look_back(p: Arrays, s: State, k: int, first: int) -> None:
    """Remember how late a crew may leave each stop for the rest to be feasible, and for nobody behind it to be late."""
    size, route, profile, end = s.size[k], s.routes[k], p.crews[k, PROFILE], p.crews[k, END]
    latest = p.crews[k, SHIFT_END]
    if end >= 0:
        latest -= p.travel[profile, p.jobs[route[size - 1], PLACE], end]
    calm = latest
    for x in range(size - 1, -1, -1):
        kept = calm if s.leaves[k, x] <= calm else -1
        if x < first and s.latest[k, x] == latest and s.calm[k, x] == kept:
            return
        s.latest[k, x], s.calm[k, x] = latest, kept
        if x > 0:
            j = route[x]
            here, there = p.jobs[route[x - 1], PLACE], p.jobs[j, PLACE]
            leg, work = p.travel[profile, here, there], p.jobs[j, SERVICE] + (p.jobs[j, SETUP] if here != there else 0)
            latest = last_arrival(p, j, latest - work) - leg
            calm = last_arrival(p, j, min(calm - work, p.jobs[j, DUE])) - leg


@compiled
def _way_fits(p: Arrays, k: int, route: Numbers, size: int) -> bool:
    """Return whether a route is within what the crew may still travel; pairs without a way count nothing here."""
    if p.crews[k, TRAVEL_LEFT] == NEVER:
        return True
    travel, profile, here = 0, p.crews[k, PROFILE], p.crews[k, START]
    for x in range(size):
        there = p.jobs[route[x], PLACE]
        travel += max(p.travel[profile, here, there], 0)
        here = there
    home = p.crews[k, END]
    if home >= 0:
        travel += max(p.travel[profile, here, home], 0)
    return bool(travel <= p.crews[k, TRAVEL_LEFT])


@compiled
def _first_lack(p: Arrays, k: int, route: Numbers, size: int) -> int:
    for x in range(size):
        j = route[x]
        if p.jobs[j, TOOLS] & ~p.crew_tools[k]:
            return x
        for kind in range(p.parts.shape[1]):
            need = p.parts[j, kind]
            if need > 0:
                had = p.crew_parts[k, kind]
                for y in range(x + 1):
                    had -= p.parts[route[y], kind]
                if had < 0:
                    return x
    return -1
