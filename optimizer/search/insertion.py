"""Where a job that is left out costs least. Most of a search is spent here, so no call stands in the innermost loop."""

import numpy as np

from optimizer.search.arrays import NEVER, PLACE, PROFILE, RELEASE, SERVICE, SKIP, TOLD, WINDOWS, Arrays
from optimizer.search.chance import below, uniform
from optimizer.search.compiled import compiled, inlined
from optimizer.search.loads import fits_between
from optimizer.search.routes import keep, put, take
from optimizer.search.state import TURN, Numbers, State
from optimizer.search.walking import (
    LIMITED,
    LOADED,
    NOWHERE,
    SUPPLIED,
    ZERO,
    before,
    home,
    known_rest,
    trial,
    visit,
)

BLINK = 0.01
"""How often a place is overlooked."""
FEW = 48
"""Up to so many crews all are tried for each job."""
LOOKED, EMPTY = range(2)
"""The rows of `State.turn`: routes, and empty routes by whom they are like."""


@compiled
def insert(p: Arrays, s: State, j: int) -> None:
    """Put a job that is left out where it costs least; it stays out where that is nowhere, or it is not worth it."""
    best, best_k, best_q = np.inf, p.flags[NOWHERE], p.flags[ZERO]
    if p.missed[j] == 0:
        best = p.worth[j, SKIP]
    opens, closes = p.jobs[j, RELEASE], NEVER
    if p.jobs[j, WINDOWS] > 0:
        opens, closes = max(opens, p.windows[j, 0, 0]), p.windows[j, p.jobs[j, WINDOWS] - 1, 1]
    whole_only = p.flags[SUPPLIED] or p.flags[LIMITED]
    s.counts[TURN] += 1
    first, count = 0, _candidates(p, s, j)
    for _ in range(2):
        for turn in range(first, count):
            k = s.candidates[turn]
            for q in range(s.size[k] + 1):
                if uniform(s.random) < BLINK:
                    continue
                if whole_only:
                    cost = _tried_in(p, s, j, k, q, best + s.cost[k])
                else:
                    if q > 0 and s.leaves[k, q - 1] > closes:
                        break
                    if q < s.size[k] and opens + p.jobs[j, SERVICE] + p.jobs[s.routes[k, q], SERVICE] > s.latest[k, q]:
                        continue
                    if p.flags[LOADED] and not fits_between(p, s, k, j, q):
                        continue
                    cost = placed(p, s, j, k, q, best + s.cost[k])
                if cost - s.cost[k] < best:
                    best, best_k, best_q = cost - s.cost[k], k, q
        if best_k >= 0 or p.missed[j] == 0:
            break
        first, count = count, _others(p, s, j, count)
    if best_k < 0:
        return
    keep(s, best_k)
    new = s.scratch[0]
    _with(new, s.routes[best_k], s.size[best_k], j, best_q)
    take(p, s, j)
    put(p, s, best_k, new, best_q, s.size[best_k] + 1)


@inlined
def _candidates(p: Arrays, s: State, j: int) -> int:
    """Write down whose routes to look at, and return how many: all of few, else near ones, some, those ruined."""
    m, count = s.size.shape[0], 0
    if m <= FEW:
        return _others(p, s, j, count)
    for turn in range(p.near.shape[1] + FEW // 3):
        k = s.route_of[p.near[j, turn]] if turn < p.near.shape[1] else below(s.random, m)
        if k >= 0:
            count = _also(p, s, j, k, count)
    for k in range(m):
        if s.kept_size[k] >= 0:
            count = _also(p, s, j, k, count)
    return count


@compiled
def _others(p: Arrays, s: State, j: int, count: int) -> int:
    """Write down all who are not written down yet behind the first `count`; return how many there are now."""
    for k in range(s.size.shape[0]):
        count = _also(p, s, j, k, count)
    return count


@inlined
def _also(p: Arrays, s: State, j: int, k: int, count: int) -> int:
    """Write a crew down who may do a job, once; of empty routes that are all the same to the job the first."""
    turn = s.counts[TURN]
    if s.turn[LOOKED, k] == turn or p.allowed[k, j] == 0:
        return count
    s.turn[LOOKED, k] = turn
    if s.size[k] == 0 and p.jobs[j, TOLD] != k:
        if s.turn[EMPTY, p.like[k]] == turn:
            return count
        s.turn[EMPTY, p.like[k]] = turn
    s.candidates[count] = k
    return count + 1


@inlined
def placed(p: Arrays, s: State, j: int, k: int, q: int, limit: float) -> float:
    """Return what a crew's route costs with a job put into it; as `trial`, for what is asked most."""
    profile, there = p.crews[k, PROFILE], p.jobs[j, PLACE]
    cost, clock, here = before(p, s, k, q)
    clock, more = visit(p, k, j, q + 1, here, clock, p.travel[profile, here, there])
    cost += more
    if cost > limit:
        return np.inf
    if q == s.size[k]:
        return cost + home(p, k, there, clock)
    after = s.routes[k, q]
    clock, more = visit(p, k, after, q + 2, there, clock, p.travel[profile, there, p.jobs[after, PLACE]])
    if clock > s.latest[k, q]:
        return np.inf
    if clock == s.leaves[k, q] or clock <= s.calm[k, q]:
        return cost + more + known_rest(p, s, k, q, 1)
    return float(_tried_in(p, s, j, k, q, limit))


@compiled
def _tried_in(p: Arrays, s: State, j: int, k: int, q: int, limit: float) -> float:
    new, size = s.scratch[0], s.size[k]
    _with(new, s.routes[k], size, j, q)
    return float(trial(p, s, k, new, q, size + 1, size - q, limit))


@compiled
def _with(new: Numbers, route: Numbers, size: int, j: int, q: int) -> None:
    for x in range(q):
        new[x] = route[x]
    new[q] = j
    for x in range(q, size):
        new[x + 1] = route[x]
