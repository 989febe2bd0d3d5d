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
from optimizer.search.state import COST, Numbers, State

LATE, TRAVEL, FAIRNESS, CREW = range(4)
"""Of `Arrays.prices`."""
STORE, SUPPLIED, LOADED, NOWHERE, FROM_START = range(5)
"""Of `Arrays.flags`."""


@inlined
def tail(
    p: Arrays, k: int, route: Numbers, first: int, size: int, clock: int, here: int, store: int, limit: float
) -> float:
    """Return what the stops from `first` on and the way home cost; infinity where it is not feasible or over `limit`.

    `store`: the position before which the way leads over the store, -1 for none.
    """
    jobs, travel, profile = p.jobs, p.travel, p.crews[k, PROFILE]
    a_second, late_price = p.prices[TRAVEL], p.prices[LATE]
    fair = p.prices[FAIRNESS] * p.crews[k, RATE]
    cost, done = 0.0, p.crews[k, DONE]
    for x in range(first, size):
        j = route[x]
        if p.allowed[k, j] == 0:
            return np.inf
        there = jobs[j, PLACE]
        leg = 0
        if x == store:
            leg = travel[profile, here, p.flags[STORE]]
            if leg < 0:
                return np.inf
            here = p.flags[STORE]
        way = travel[profile, here, there]
        if way < 0:
            return np.inf
        leg += way
        clock = begins(p, j, clock + leg)
        if clock == NEVER:
            return np.inf
        cost += a_second * leg + fair * (done + x + 1)
        told = jobs[j, TOLD]
        if told >= 0 and told != k:
            cost += p.worth[j, CHANGE]
        late = clock - jobs[j, DUE]
        if late > 0:
            cost += p.worth[j, WEIGHT] * late + late_price
        if cost > limit:
            return np.inf
        if here != there:
            clock += jobs[j, SETUP]
        clock += jobs[j, SERVICE]
        here = there
    if size > 0:
        home = p.crews[k, END]
        if home >= 0:
            way = travel[profile, here, home]
            if way < 0:
                return np.inf
            clock += way
            cost += a_second * way
        if clock > p.crews[k, SHIFT_END]:
            return np.inf
    return cost


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


@compiled
def whole(p: Arrays, k: int, route: Numbers, size: int, limit: float) -> float:
    """Return what a whole route costs, the best place for a call at the store chosen; infinity as in `tail`."""
    if size == 0:
        return idle(p, k)
    opened = 0.0 if p.crews[k, HELD] else p.prices[CREW]
    if p.flags[LOADED] and not (_loads_fit(p, k, route, size) and _way_fits(p, k, route, size)):
        return np.inf
    start, free = p.crews[k, START], p.crews[k, FREE]
    lacks = _first_lack(p, k, route, size) if p.flags[SUPPLIED] else -1
    if lacks >= 0 and p.flags[STORE] < 0:
        return np.inf
    best, begin = np.inf, p.flags[FROM_START]
    for before in range(lacks, min(lacks, 0) - 1, -1):
        best = min(best, tail(p, k, route, begin, size, free, start, before, min(limit, best)))
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
def trial(p: Arrays, s: State, k: int, route: Numbers, first: int, size: int, limit: float) -> float:
    """Return what a route costs that is the crew's present one up to `first`."""
    if size == 0 or p.flags[LOADED] or p.flags[SUPPLIED]:
        return whole(p, k, route, size, limit)
    if first == 0:
        spent, clock, here = 0.0 if p.crews[k, HELD] else p.prices[CREW], p.crews[k, FREE], p.crews[k, START]
    else:
        spent, clock, here = s.spent[k, first - 1], s.leaves[k, first - 1], p.jobs[route[first - 1], PLACE]
    return float(spent + tail(p, k, route, first, size, clock, here, p.flags[NOWHERE], limit - spent))


@compiled
def settle(p: Arrays, s: State, k: int, first: int) -> None:
    """Make what is remembered of a route right again, from a position on: times, costs, who is where."""
    size, route = s.size[k], s.routes[k]
    clock, here = p.crews[k, FREE], p.crews[k, START]
    spent = 0.0 if p.crews[k, HELD] else p.prices[CREW]
    if first:
        clock, here, spent = s.leaves[k, first - 1], p.jobs[route[first - 1], PLACE], s.spent[k, first - 1]
    profile, home = p.crews[k, PROFILE], p.crews[k, END]
    fair = p.prices[FAIRNESS] * p.crews[k, RATE]
    for x in range(first, size):
        j = route[x]
        there = p.jobs[j, PLACE]
        leg = p.travel[profile, here, there]
        clock = begins(p, j, clock + leg)
        spent += p.prices[TRAVEL] * leg + fair * (p.crews[k, DONE] + x + 1)
        told = p.jobs[j, TOLD]
        if told >= 0 and told != k:
            spent += p.worth[j, CHANGE]
        late = clock - p.jobs[j, DUE]
        if late > 0:
            spent += p.worth[j, WEIGHT] * late + p.prices[LATE]
        if here != there:
            clock += p.jobs[j, SETUP]
        clock += p.jobs[j, SERVICE]
        s.leaves[k, x] = clock
        s.spent[k, x] = spent
        s.route_of[j] = k
        s.at[j] = x
        here = there
    if size == 0 or p.flags[LOADED] or p.flags[SUPPLIED]:
        cost = whole(p, k, route, size, np.inf)
    else:
        cost = spent + (p.prices[TRAVEL] * p.travel[profile, here, home] if home >= 0 else 0.0)
    s.totals[COST] += cost - s.cost[k]
    s.cost[k] = cost


@compiled
def _loads_fit(p: Arrays, k: int, route: Numbers, size: int) -> bool:
    for kind in range(p.room.shape[1]):
        load = 0
        for x in range(size):
            load += p.delivery[route[x], kind]
        highest = load
        for x in range(size):
            load += p.pickup[route[x], kind] - p.delivery[route[x], kind]
            highest = max(highest, load)
        if highest > p.room[k, kind]:
            return False
    return True


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
