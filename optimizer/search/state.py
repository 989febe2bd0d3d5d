"""What the search changes: the routes as they stand, what it remembers of each, and the best found."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from optimizer.search.arrays import Arrays, Floats, Integers

Numbers = Integers

COST, BEST_COST = range(2)
"""Of `totals`: the routes' cost, what optional jobs left out cost included."""
OUT, MISSED, BEST_MISSED, BEST_STANDS, TURN = range(5)
"""Of `counts`: how many are left out; the sum of 1 + priority over those that must be done, now and at best; whether
the routes as they stand are the best; how many jobs looked for a place."""


class State(NamedTuple):
    """m routes of at most w jobs, n jobs. `leaves` and `spent` stand behind each stop of a route."""

    routes: Numbers
    """(m, w) rows of jobs."""
    size: Integers
    """(m,)."""
    leaves: Integers
    """(m, w) when the crew leaves a stop."""
    spent: Floats
    """(m, w) cost up to and with a stop."""
    latest: Integers
    """(m, w) when the crew must have left a stop for what is behind it to be feasible."""
    calm: Integers
    """(m, w) when it must have left a stop for nobody behind it to be late, -1 where somebody is."""
    ahead: Integers
    """(m, w, L, 3) loads of the stops up to and with one."""
    behind: Integers
    """(m, w, L, 3) loads of a stop and those behind it."""
    cost: Floats
    """(m,) of whole routes."""
    route_of: Numbers
    """(n,) -1 where left out."""
    at: Numbers
    """(n,) position in the route, or in `out`."""
    out: Numbers
    """(n,) the first `counts[OUT]` are left out."""
    absent: Integers
    """(n,) behind how many ruins a job was left out."""
    totals: Floats
    counts: Integers
    best: Numbers
    """(m, w)."""
    best_size: Integers
    kept: Numbers
    """(m, w) routes as they were before a ruin."""
    kept_size: Integers
    """(m,) -1 where nothing is kept."""
    turn: Integers
    """(2, m) which turn looked last at a route for a place, and at an empty one for it and all that are like it."""
    candidates: Numbers
    """(m,) whose routes are looked at."""
    scratch: Numbers
    """(2, w) routes under trial."""
    waiting: Numbers
    """(n,) jobs about to be put back, by `keys`."""
    keys: Floats
    random: npt.NDArray[np.uint64]
    """(1,)."""


def empty(arrays: Arrays, seed: int) -> State:
    """Return a state in which every job is left out."""
    m, n = len(arrays.crews), len(arrays.jobs)
    width, loads = n + 1, arrays.room.shape[1]
    return State(
        routes=np.zeros((m, width), np.int64),
        size=np.zeros(m, np.int64),
        leaves=np.zeros((m, width), np.int64),
        spent=np.zeros((m, width)),
        latest=np.zeros((m, width), np.int64),
        calm=np.zeros((m, width), np.int64),
        ahead=np.zeros((m, width if loads else 0, loads, 3), np.int64),
        behind=np.zeros((m, width if loads else 0, loads, 3), np.int64),
        cost=np.zeros(m),
        route_of=np.full(n, -1, np.int64),
        at=np.arange(n, dtype=np.int64),
        out=np.arange(n, dtype=np.int64),
        absent=np.zeros(n, np.int64),
        totals=np.array([float(arrays.worth[:, 2].sum()), np.inf]),
        counts=np.array([n, int(arrays.missed.sum()), 2**62, 0, 0], np.int64),
        best=np.zeros((m, width), np.int64),
        best_size=np.zeros(m, np.int64),
        kept=np.zeros((m, width), np.int64),
        kept_size=np.full(m, -1, np.int64),
        turn=np.zeros((2, m), np.int64),
        candidates=np.zeros(m, np.int64),
        scratch=np.zeros((2, width), np.int64),
        waiting=np.zeros(n, np.int64),
        keys=np.zeros(n),
        random=np.array([(seed * 0x9E3779B97F4A7C15 + 0x1234567) % 2**64], np.uint64),
    )
