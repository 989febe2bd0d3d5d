"""The loop: small changes and ruins in turn, at a heat that falls (Kirkpatrick, Gelatt, Vecchi 1983)."""

from optimizer.search.arrays import Arrays
from optimizer.search.chance import uniform
from optimizer.search.compiled import compiled
from optimizer.search.moves import step
from optimizer.search.routes import copy_best, note
from optimizer.search.ruin import rebuild
from optimizer.search.state import BEST_STANDS, State


@compiled
def anneal(p: Arrays, s: State, iterations: int, heat: float, ruins: float) -> None:
    """Make `iterations` changes at one heat; a share `ruins` of them are ruins."""
    for _ in range(iterations):
        if ruins > 0.0 and uniform(s.random) < ruins:
            rebuild(p, s, heat)
        else:
            step(p, s, heat)
        note(s)


@compiled
def finish(s: State) -> None:
    """Write the best plan down, where it is the one that stands."""
    if s.counts[BEST_STANDS]:
        copy_best(s)
