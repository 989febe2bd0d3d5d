"""Small changes of a plan, each taken or not: exchanges of segments between two routes and within one.

One form covers relocation, swap, or-opt, cross-exchange and the exchange of tails (2-opt*): the `a` jobs from a
position on change places with the `b` jobs from a position of another route on. Potvin and Rousseau 1995; Taillard
et al. 1997.
"""

import numpy as np

from optimizer.search.arrays import SKIP, Arrays
from optimizer.search.chance import below, uniform
from optimizer.search.compiled import compiled, inlined
from optimizer.search.routes import put, remember, spliced, strike, take
from optimizer.search.state import OUT, State
from optimizer.search.walking import trial


@compiled
def step(p: Arrays, s: State, heat: float) -> None:
    """Try one random change; take it where it costs at most `-heat * ln(u)` more (Metropolis, drawn beforehand)."""
    n = p.jobs.shape[0]
    allowance = -heat * np.log(1.0 - uniform(s.random))
    out = s.counts[OUT]
    if out > 0 and uniform(s.random) < 0.1:
        _bring_in(p, s, s.out[below(s.random, out)], allowance)
        return
    i = below(s.random, n)
    if s.route_of[i] < 0:
        return
    if p.missed[i] == 0 and uniform(s.random) < 0.02:
        _leave_out(p, s, i, allowance)
        return
    k, q = _slot(p, s, i)
    if k == s.route_of[i]:
        _within(p, s, k, s.at[i], q, allowance)
    elif p.allowed[k, i]:
        _between(p, s, s.route_of[i], s.at[i], k, q, allowance)


@inlined
def _slot(p: Arrays, s: State, i: int) -> tuple[int, int]:
    """Choose a route and a position in it: beside a near job, or anywhere."""
    width = p.near.shape[1]
    if width > 0 and uniform(s.random) < 0.6:
        j = p.near[i, int(width * uniform(s.random) * uniform(s.random))]
        if s.route_of[j] >= 0:
            return s.route_of[j], s.at[j] + below(s.random, 2)
    k = below(s.random, s.size.shape[0])
    return k, below(s.random, s.size[k] + 1)


@compiled
def _between(p: Arrays, s: State, k: int, q: int, other: int, r: int, allowance: float) -> None:
    behind, behind_other = s.size[k] - q, s.size[other] - r
    kind = uniform(s.random)
    if kind < 0.35:
        a, b = 1, 0
    elif kind < 0.65:
        a, b = 1, min(1, behind_other)
    elif kind < 0.8:
        a, b = behind, behind_other
    else:
        a, b = min(1 + below(s.random, 3), behind), min(below(s.random, 4), behind_other)
    mine, its = s.scratch[0], s.scratch[1]
    size = spliced(mine, s.routes[k], s.size[k], q, a, s.routes[other], r, b)
    size_other = spliced(its, s.routes[other], s.size[other], r, b, s.routes[k], q, a)
    limit = s.cost[k] + s.cost[other] + allowance
    cost = trial(p, s, k, mine, q, size, behind - a, limit)
    if cost > limit:
        return
    cost += trial(p, s, other, its, r, size_other, behind_other - b, limit - cost)
    if cost > limit or cost == np.inf:
        return
    remember(s, cost - s.cost[k] - s.cost[other])
    put(p, s, k, mine, q, size)
    put(p, s, other, its, r, size_other)


@compiled
def _within(p: Arrays, s: State, k: int, q: int, r: int, allowance: float) -> None:
    """Move a segment of up to three jobs elsewhere in its route, or turn round what lies between."""
    size, route, new = s.size[k], s.routes[k], s.scratch[0]
    first, last = min(q, r), min(max(q, r), size - 1)
    end = last + 1
    if first == last:
        return
    for x in range(size):
        new[x] = route[x]
    if uniform(s.random) < 0.25:
        for x in range(first, last + 1):
            new[x] = route[first + last - x]
    elif q < r:
        length = min(1 + below(s.random, 3), last - first)
        for x in range(last - first + 1):
            new[first + x] = route[first + (x + length) % (last - first + 1)]
    else:
        length = min(1 + below(s.random, 3), size - q)
        end = q + length
        for x in range(end - first):
            new[first + x] = route[first + (x + end - first - length) % (end - first)]
    limit = s.cost[k] + allowance
    cost = trial(p, s, k, new, first, size, size - end, limit)
    if cost > limit or cost == np.inf:
        return
    remember(s, cost - s.cost[k])
    put(p, s, k, new, first, size)


@compiled
def _bring_in(p: Arrays, s: State, i: int, allowance: float) -> None:
    """Put a job that is left out somewhere, alone or in the place of another."""
    k, q = _slot(p, s, i)
    if p.allowed[k, i] == 0:
        return
    b = min(below(s.random, 2), s.size[k] - q)
    new = s.scratch[0]
    for x in range(q):
        new[x] = s.routes[k, x]
    new[q] = i
    for x in range(q + b, s.size[k]):
        new[x - b + 1] = s.routes[k, x]
    gain, missed = p.worth[i, SKIP], p.missed[i]
    if b:
        gain -= p.worth[s.routes[k, q], SKIP]
        missed -= p.missed[s.routes[k, q]]
    if missed < 0:
        return
    limit = s.cost[k] + allowance + gain + (np.inf if missed > 0 else 0.0)
    cost = trial(p, s, k, new, q, s.size[k] + 1 - b, s.size[k] - q - b, limit)
    if cost > limit or cost == np.inf:
        return
    remember(s, -1.0 if missed > 0 else cost - s.cost[k] - gain)
    if b:
        strike(p, s, s.routes[k, q])
    take(p, s, i)
    put(p, s, k, new, q, s.size[k] + 1 - b)


@compiled
def _leave_out(p: Arrays, s: State, i: int, allowance: float) -> None:
    k, q = s.route_of[i], s.at[i]
    new = s.scratch[0]
    for x in range(s.size[k] - 1):
        new[x] = s.routes[k, x if x < q else x + 1]
    limit = s.cost[k] + allowance - p.worth[i, SKIP]
    cost = trial(p, s, k, new, q, s.size[k] - 1, s.size[k] - 1 - q, limit)
    if cost > limit or cost == np.inf:
        return
    remember(s, cost - s.cost[k] + p.worth[i, SKIP])
    strike(p, s, i)
    put(p, s, k, new, q, s.size[k] - 1)
