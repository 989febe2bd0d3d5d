"""The proof of what a snapshot can come to at best agrees with trying everything."""

import msgspec
import pytest

from benchmarks.snapshot_optimum import least_lateness
from benchmarks.snapshots import list_schedule, make, weighted_lateness
from optimizer.exact import least_cost
from optimizer.problem import Prices

LATENESS_ALONE = Prices(lateness=1, late=0, travel=0, fairness=0, change=0, crew=0)


@pytest.mark.parametrize("seed", range(8))
def test_the_proven_optimum_of_a_snapshot_is_that_of_all_sets_and_orders(seed: int) -> None:
    problem = msgspec.structs.replace(make(2 + seed % 3, 8, seed), prices=LATENESS_ALONE)
    known = list_schedule(problem)
    bound, best = least_lateness(problem, known)
    assert (0, best) == least_cost(problem)
    assert bound <= best + 1e-6 <= weighted_lateness(problem, known) + 1e-6
