"""The start: a list schedule, or a plan that is given.

The list schedule takes the jobs by rank (what must be done, priority, weight, deadline) and gives each to the crew that
begins it first behind all it has; where none can, or where no deadline presses, it goes where it costs least.
"""

import numpy as np

from optimizer.search.arrays import DUE, FREE, NEVER, PLACE, PROFILE, START, Arrays, Integers
from optimizer.search.compiled import compiled
from optimizer.search.insertion import insert
from optimizer.search.routes import note, put, take
from optimizer.search.state import Numbers, State
from optimizer.search.walking import NOWHERE, ZERO, begins, settle, trial


@compiled
def load(p: Arrays, s: State, routes: Numbers, sizes: Integers) -> None:
    """Take over given routes as far as they are feasible: a job that cannot stay in its place is left out."""
    for k in range(s.size.shape[0]):
        settle(p, s, k, p.flags[ZERO])
        new = s.scratch[0]
        for x in range(sizes[k]):
            j, size = routes[k, x], s.size[k]
            for y in range(size):
                new[y] = s.routes[k, y]
            new[size] = j
            if s.route_of[j] < 0 and trial(p, s, k, new, size, size + 1, p.flags[ZERO], np.inf) < np.inf:
                take(p, s, j)
                put(p, s, k, new, size, size + 1)


@compiled
def fill(p: Arrays, s: State, order: Integers) -> None:
    """Give the jobs that are left out to crews, in the order given."""
    for j in order:
        if s.route_of[j] < 0 and (p.jobs[j, DUE] == NEVER or not _append(p, s, j)):
            insert(p, s, j)
    for k in range(s.size.shape[0]):
        s.kept_size[k] = -1
    note(s)


@compiled
def _append(p: Arrays, s: State, j: int) -> bool:
    best, best_k, tried = NEVER, p.flags[NOWHERE], s.scratch[0]
    for k in range(s.size.shape[0]):
        size = s.size[k]
        if p.allowed[k, j] == 0:
            continue
        clock, here = p.crews[k, FREE], p.crews[k, START]
        if size > 0:
            clock, here = s.leaves[k, size - 1], p.jobs[s.routes[k, size - 1], PLACE]
        way = p.travel[p.crews[k, PROFILE], here, p.jobs[j, PLACE]]
        if way < 0 or clock + way >= best:
            continue
        clock = begins(p, j, clock + way)
        if clock < best:
            for x in range(size):
                tried[x] = s.routes[k, x]
            tried[size] = j
            more = trial(p, s, k, tried, size, size + 1, p.flags[ZERO], np.inf) - s.cost[k]
            if more < np.inf and (p.missed[j] > 0 or more < p.worth[j, 2]):
                best, best_k = clock, k
    if best_k < 0:
        return False
    for x in range(s.size[best_k]):
        tried[x] = s.routes[best_k, x]
    tried[s.size[best_k]] = j
    take(p, s, j)
    put(p, s, best_k, tried, s.size[best_k], s.size[best_k] + 1)
    return True
