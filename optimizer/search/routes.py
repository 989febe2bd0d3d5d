"""How routes are changed and the best is kept: the few functions that write a `State`."""

from optimizer.search.arrays import SKIP, Arrays
from optimizer.search.compiled import compiled, inlined
from optimizer.search.state import BEST_COST, BEST_MISSED, BEST_STANDS, COST, MISSED, OUT, Numbers, State
from optimizer.search.walking import settle


@inlined
def spliced(new: Numbers, one: Numbers, size: int, q: int, a: int, other: Numbers, r: int, b: int) -> int:
    """Write `one` with its `a` jobs from `q` replaced by the `b` jobs of `other` from `r`; return its size."""
    for x in range(q):
        new[x] = one[x]
    for x in range(b):
        new[q + x] = other[r + x]
    for x in range(q + a, size):
        new[x + b - a] = one[x]
    return size + b - a


@compiled
def put(p: Arrays, s: State, k: int, route: Numbers, first: int, size: int) -> None:
    """Make `route` the crew's; it is its present one up to `first`. Who leaves it is put elsewhere by the caller."""
    for x in range(first, size):
        s.routes[k, x] = route[x]
    s.size[k] = size
    settle(p, s, k, first)


@inlined
def strike(p: Arrays, s: State, j: int) -> None:
    """Write a job down as left out."""
    s.route_of[j] = -1
    s.at[j] = s.counts[OUT]
    s.out[s.counts[OUT]] = j
    s.counts[OUT] += 1
    s.counts[MISSED] += p.missed[j]
    s.totals[COST] += p.worth[j, SKIP]


@inlined
def take(p: Arrays, s: State, j: int) -> None:
    """Write a job down as no longer left out."""
    hole = s.at[j]
    s.counts[OUT] -= 1
    last = s.out[s.counts[OUT]]
    s.out[hole] = last
    s.at[last] = hole
    s.counts[MISSED] -= p.missed[j]
    s.totals[COST] -= p.worth[j, SKIP]


@compiled
def remember(s: State, more: float) -> None:
    """Keep the best plan found before it is made worse: to be called with what the next change costs."""
    if more > 0.0 and s.counts[BEST_STANDS]:
        copy_best(s)


@compiled
def copy_best(s: State) -> None:
    """Write the routes as they stand into the best."""
    for k in range(s.size.shape[0]):
        s.best_size[k] = s.size[k]
        for x in range(s.size[k]):
            s.best[k, x] = s.routes[k, x]
    s.counts[BEST_STANDS] = 0


@compiled
def note(s: State) -> None:
    """See whether the routes as they stand are the best so far."""
    missed, cost = s.counts[MISSED], s.totals[COST]
    if missed < s.counts[BEST_MISSED] or (missed == s.counts[BEST_MISSED] and cost < s.totals[BEST_COST] - 0.5):
        s.counts[BEST_MISSED] = missed
        s.totals[BEST_COST] = cost
        s.counts[BEST_STANDS] = 1


@inlined
def keep(s: State, k: int) -> None:
    """Keep a route as it is before a ruin."""
    if s.kept_size[k] >= 0:
        return
    s.kept_size[k] = s.size[k]
    for x in range(s.size[k]):
        s.kept[k, x] = s.routes[k, x]
