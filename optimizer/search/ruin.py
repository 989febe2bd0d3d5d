"""Larger changes: strings of neighbouring jobs are taken out and put back greedily where they cost least.

Slack induction by string removals (Christiaens and Vanden Berghe 2020, "Slack induction by string removals for vehicle
routing problems"), with its order of insertion and its blinks.
"""

import numpy as np

from optimizer.search.arrays import PLACE, RANK, SERVICE, Arrays
from optimizer.search.chance import below, uniform
from optimizer.search.compiled import compiled, inlined
from optimizer.search.insertion import insert
from optimizer.search.routes import keep, put, strike, take
from optimizer.search.state import BEST_STANDS, COST, MISSED, OUT, State
from optimizer.search.walking import ZERO, trial

LONGEST = 10
"""The most jobs taken out of one route."""
AVERAGE = 10.0
"""Jobs taken out, on average."""


@compiled
def rebuild(p: Arrays, s: State, heat: float) -> None:
    """Take jobs out, put them back, and keep the outcome where no more is left out than before and Metropolis takes it.

    Where as much is left out it is also kept, whatever it costs, if those who are out now were out less often: what is
    hard to place comes in, and what is easier goes out for it and finds another place.
    """
    n = p.jobs.shape[0]
    missed, cost, absences = s.counts[MISSED], s.totals[COST], _absences(p, s)
    out = s.counts[OUT]
    seed = s.out[below(s.random, out)] if out > 0 and uniform(s.random) < 0.5 else below(s.random, n)
    _take_out(p, s, seed)
    _put_back(p, s)
    more = s.totals[COST] - cost
    allowed = -heat * np.log(1.0 - uniform(s.random))
    as_much = s.counts[MISSED] == missed
    if s.counts[MISSED] < missed or (as_much and (more <= allowed or _absences(p, s) < absences)):
        if s.counts[BEST_STANDS] and (more > 0.0 and as_much):
            _copy_kept_best(s)
        for k in range(s.size.shape[0]):
            s.kept_size[k] = -1
    else:
        _restore(p, s)
    for x in range(s.counts[OUT]):
        s.absent[s.out[x]] += 1


@inlined
def _absences(p: Arrays, s: State) -> int:
    """Return how often those who are left out and must be done were left out so far."""
    total = 0
    for x in range(s.counts[OUT]):
        if p.missed[s.out[x]] > 0:
            total += s.absent[s.out[x]]
    return total


@compiled
def _take_out(p: Arrays, s: State, seed: int) -> None:
    n, served = p.jobs.shape[0], 0
    for k in range(s.size.shape[0]):
        served += min(s.size[k], 1)
    mean = max((n - s.counts[OUT]) / max(served, 1), 1.0)
    longest = min(float(LONGEST), mean)
    strings = int(1.0 + uniform(s.random) * max(4.0 * AVERAGE / (1.0 + longest) - 1.0, 1.0))
    for turn in range(-1, p.near.shape[1]):
        if strings <= 0:
            return
        j = seed if turn < 0 else p.near[seed, turn]
        k = s.route_of[j]
        if k < 0 or s.kept_size[k] >= 0:
            continue
        most = min(longest, float(s.size[k]))
        _cut(p, s, k, s.at[j], int(1.0 + uniform(s.random) * most))
        strings -= 1


@compiled
def _cut(p: Arrays, s: State, k: int, q: int, length: int) -> None:
    """Take a string of jobs with the one at `q` out of a route, sometimes leaving some of its middle in."""
    keep(s, k)
    size = s.size[k]
    spared = 0
    if length > 1 and uniform(s.random) < 0.5:
        while length + spared < size and uniform(s.random) > 0.01:
            spared += 1
            if uniform(s.random) < 0.5:
                break
    length = min(length + spared, size)
    lowest, highest = max(0, q - length + 1), min(q, size - length)
    first = lowest + below(s.random, highest - lowest + 1)
    hole = first + below(s.random, length - spared + 1)
    new, count = s.scratch[0], 0
    for x in range(size):
        if not first <= x < first + length or hole <= x < hole + spared:
            new[count] = s.routes[k, x]
            count += 1
    if trial(p, s, k, new, first, count, size - first - length, np.inf) == np.inf:
        return  # without them there is no way from one of the others to the next
    for x in range(first, first + length):
        if not hole <= x < hole + spared:
            strike(p, s, s.routes[k, x])
    put(p, s, k, new, first, count)


@compiled
def _put_back(p: Arrays, s: State) -> None:
    count = s.counts[OUT]
    order = below(s.random, 4)
    for x in range(count):
        j = s.out[x]
        key = uniform(s.random)
        if order == 1:
            key = p.worth[j, RANK]
        elif order == 2:
            key = -float(p.travel[0, p.jobs[j, PLACE], p.jobs[s.out[0], PLACE]])
        elif order == 3:
            key = -float(p.jobs[j, SERVICE])
        if p.missed[j] == 0:
            key += 1e12
        y = x  # insertion sort: the few that are out
        while y > 0 and s.keys[y - 1] > key:
            s.keys[y], s.waiting[y] = s.keys[y - 1], s.waiting[y - 1]
            y -= 1
        s.keys[y], s.waiting[y] = key, j
    for x in range(count):
        insert(p, s, s.waiting[x])


@compiled
def _restore(p: Arrays, s: State) -> None:
    for k in range(s.size.shape[0]):
        if s.kept_size[k] >= 0:
            for x in range(s.size[k]):
                strike(p, s, s.routes[k, x])
    for k in range(s.size.shape[0]):
        if s.kept_size[k] >= 0:
            for x in range(s.kept_size[k]):
                if s.route_of[s.kept[k, x]] < 0:
                    take(p, s, s.kept[k, x])
            put(p, s, k, s.kept[k], p.flags[ZERO], s.kept_size[k])
            s.kept_size[k] = -1


@compiled
def _copy_kept_best(s: State) -> None:
    """Write the routes as they were before the ruin into the best."""
    for k in range(s.size.shape[0]):
        kept = s.kept_size[k] >= 0
        size = s.kept_size[k] if kept else s.size[k]
        s.best_size[k] = size
        for x in range(size):
            s.best[k, x] = s.kept[k, x] if kept else s.routes[k, x]
    s.counts[BEST_STANDS] = 0
