"""What a route costs: compiled as in plain Python, and by what is remembered of it as by a walk of the whole."""

import random
from collections.abc import Iterator

import numpy as np
import pytest

from optimizer import Problem, schedule
from optimizer.schedule import Infeasible
from optimizer.search import annealing, listing
from optimizer.search.arrays import RANK, Numbered, number
from optimizer.search.insertion import placed
from optimizer.search.loads import fits_between
from optimizer.search.state import COST, State, empty
from optimizer.search.walking import trial, whole
from tests.unit.optimizer.problems import small, with_limits, with_loads

Row = list[int]


def problems() -> Iterator[tuple[int, Problem]]:
    for seed in range(60):
        problem = small(seed, most_crews=3, most_jobs=14)
        yield seed, with_loads(problem, seed) if seed % 3 else with_limits(problem, seed)


def searched(problem: Problem, seed: int) -> tuple[Numbered, State]:
    """Return a problem and routes as they stand in the midst of a search."""
    numbered = number(problem)
    found = empty(numbered.arrays, seed)
    listing.fill(numbered.arrays, found, np.argsort(numbered.arrays.worth[:, RANK]))
    annealing.anneal(numbered.arrays, found, 200, 1e9, 0.1)
    return numbered, found


def plain(problem: Problem, numbered: Numbered, k: int, row: Row) -> float:
    try:
        route = schedule.walk(problem, problem.crews[k], [numbered.jobs[j] for j in row])
    except Infeasible:
        return float("inf")
    return schedule.price(problem, problem.crews[k], route)


def compiled(numbered: Numbered, k: int, row: Row) -> float:
    return whole(numbered.arrays, k, np.array(row), len(row), np.inf)


def test_what_the_search_has_added_up_is_what_its_routes_cost() -> None:
    for seed, problem in problems():
        numbered, found = searched(problem, seed)
        rows = [found.routes[k, : found.size[k]].tolist() for k in range(len(problem.crews))]
        left_out = [j for j in range(len(numbered.jobs)) if found.route_of[j] < 0]
        costs = [plain(problem, numbered, k, row) if row else 0.0 for k, row in enumerate(rows)]
        assert found.cost.tolist() == pytest.approx(costs), f"seed {seed}"
        assert found.totals[COST] == pytest.approx(sum(costs) + sum(numbered.arrays.worth[left_out, 2])), f"seed {seed}"


def test_a_changed_route_costs_the_same_walked_in_python_compiled_and_by_what_is_remembered_of_it() -> None:
    fits = fits_not = 0
    for seed, problem in problems():
        chance = random.Random(seed)
        numbered, found = searched(problem, seed)
        for _ in range(100):
            k = chance.randrange(len(problem.crews))
            size = int(found.size[k])
            row: Row = found.routes[k, :size].tolist()
            others = [j for j in range(len(numbered.jobs)) if j not in row and numbered.arrays.allowed[k, j]]
            first = chance.randint(0, size)
            last = chance.randint(first, size)
            new = row[:first] + chance.sample(others, min(chance.randint(0, 2), len(others))) + row[last:]
            if not new:
                continue
            known = trial(numbered.arrays, found, k, np.array(new), first, len(new), size - last, np.inf)
            walked = plain(problem, numbered, k, new)
            assert compiled(numbered, k, new) == pytest.approx(walked), f"seed {seed}: {row} to {new}"
            assert known == pytest.approx(walked), f"seed {seed}: {row} to {new}"
            fits, fits_not = fits + (walked < np.inf), fits_not + (walked == np.inf)
    assert fits > 500
    assert fits_not > 500


def test_a_job_put_into_a_route_costs_what_a_walk_says_and_goes_nowhere_where_loads_do_not_fit() -> None:
    tried = too_much = 0
    for seed in range(60):
        problem = with_loads(small(seed, most_crews=3, most_jobs=14), seed)
        numbered, found = searched(problem, seed)
        for k in range(len(problem.crews)):
            row: Row = found.routes[k, : found.size[k]].tolist()
            for j in range(len(numbered.jobs)):
                for q in range(len(row) + 1):
                    if j not in row and numbered.arrays.allowed[k, j]:
                        there = fits_between(numbered.arrays, found, k, j, q)
                        cost = placed(numbered.arrays, found, j, k, q, np.inf) if there else np.inf
                        too_much += not there
                        assert cost == pytest.approx(plain(problem, numbered, k, [*row[:q], j, *row[q:]]))
                        tried += 1
    assert tried > 1_000
    assert too_much > 100
