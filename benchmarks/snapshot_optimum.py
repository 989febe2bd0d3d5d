"""What the small plan snapshots can come to at best, proven: `python -m benchmarks.snapshot_optimum`.

Set partitioning by column generation (Desrosiers, Soumis, Desrochers 1984, "Routing with time windows by column
generation"). A column is one crew's line of orders and its weighted lateness; the linear programme over the columns
found so far prices orders and crews, and every line of any length that those prices make cheaper than nothing is
sought depth first, with a bound on what orders further back could still bring. Where no such line is left the
programme's value is a lower bound; all lines within the gap to the best plan known then go to CP-SAT, whose answer is
the optimum. Independent of the search that it judges, but for the plan that it starts from.
"""

import sys
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from ortools.sat.python import cp_model
from scipy.optimize import linprog
from scipy.sparse import csr_array

from benchmarks.snapshots import list_schedule, make, weighted_lateness
from optimizer import Iterations, Problem, solve
from optimizer.exact import least
from optimizer.search.compiled import compiled

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

LONGEST = 12
MOST_FOUND = 400
"""Lines that one crew may add a round; as many as it likes when all are wanted."""
TOLERANCE = 1e-6
Line = tuple[int, tuple[int, ...], int]
"""A crew, its orders in turn, their weighted lateness."""


class _Instance:
    """A snapshot as arrays: travel between places, and what the search needs of crews and orders."""

    def __init__(self, problem: Problem) -> None:
        self.travel = problem.travel[0].astype(np.int64)
        self.crews, self.orders = len(problem.crews), len(problem.jobs)
        self.service = np.array([job.service for job in problem.jobs])
        self.due = np.array([job.due or 0 for job in problem.jobs])
        self.weight = np.array([job.weight for job in problem.jobs])
        between = self.travel[self.crews :, self.crews :] + np.diag(np.full(self.orders, 10**6))
        self.nearest = between.min(axis=0)

    def lateness(self, crew: int, line: Sequence[int]) -> int:
        clock, here, late = 0, crew, 0
        for order in line:
            clock += int(self.travel[here, self.crews + order])
            late += int(self.weight[order]) * max(clock - int(self.due[order]), 0)
            clock, here = clock + int(self.service[order]), self.crews + order
        return late


@compiled
def _lines(
    crew: int,
    crews: int,
    travel: Integers,
    service: Integers,
    due: Integers,
    weight: Integers,
    nearest: Integers,
    prices: Floats,
    least: float,
    stack: Integers,
    values: Floats,
    found: Integers,
    sizes: Integers,
) -> int:
    """Write the lines of a crew whose lateness less the prices of their orders is below `least`; return how many.

    Negative where there were more than `found` has room for. `stack` and `values` are scratch, all 0.
    """
    n, depth, count = len(service), 0, 0
    line, clocks, tried, used = stack[0], stack[1], stack[2], stack[3]
    while depth >= 0:
        j = tried[depth]
        if j == n or depth == LONGEST:
            tried[depth] = 0
            depth -= 1
            if depth >= 0:
                used[line[depth]] = 0
            continue
        tried[depth] += 1
        if used[j]:
            continue
        here = crew if depth == 0 else crews + line[depth - 1]
        arrival = clocks[depth] + travel[here, crews + j]
        value = values[depth] + weight[j] * max(arrival - due[j], 0) - prices[j]
        leaves = arrival + service[j]
        used[j] = 1
        bound = value
        for other in range(n):
            if used[other] == 0:
                late = max(leaves + nearest[other] - due[other], 0)
                bound += min(weight[other] * late - prices[other], 0.0)
        if bound >= least:
            used[j] = 0
            continue
        line[depth] = j
        if value < least:
            if count == len(sizes):
                return -count
            for x in range(depth + 1):
                found[count, x] = line[x]
            sizes[count] = depth + 1
            count += 1
        depth += 1
        clocks[depth], values[depth] = leaves, value
    return count


def _priced(instance: _Instance, prices: Floats, wages: Floats, *, below: float, room: int) -> tuple[list[Line], bool]:
    """Return lines whose reduced cost is under `below`, and whether these are all."""
    lines, complete = list[Line](), True
    found, sizes = np.zeros((room, LONGEST), np.int64), np.zeros(room, np.int64)
    for crew in range(instance.crews):
        stack, values = np.zeros((4, max(LONGEST + 1, instance.orders)), np.int64), np.zeros(LONGEST + 1)
        count = _lines(
            crew, instance.crews, instance.travel, instance.service, instance.due, instance.weight, instance.nearest,
            prices, below + float(wages[crew]), stack, values, found, sizes,
        )  # fmt: skip # one line of arrays reads better than eleven
        complete &= count >= 0
        for row in range(abs(count)):
            line = tuple(found[row, : sizes[row]].tolist())
            lines.append((crew, line, instance.lateness(crew, line)))
    return lines, complete


def _relaxed(instance: _Instance, lines: Sequence[Line]) -> tuple[float, Floats, Floats]:
    """Return the value of the linear programme over these lines, the prices of orders and the wages of crews."""
    rows = [order for _, line, _ in lines for order in line]
    columns = [number for number, (_, line, _) in enumerate(lines) for _ in line]
    cover = csr_array((np.ones(len(rows)), (rows, columns)), shape=(instance.orders, len(lines)))
    whose = csr_array(
        (np.ones(len(lines)), ([crew for crew, _, _ in lines], range(len(lines)))), shape=(instance.crews, len(lines))
    )
    solved = linprog(
        [late for _, _, late in lines],
        A_eq=cover,
        b_eq=np.ones(instance.orders),
        A_ub=whose,
        b_ub=np.ones(instance.crews),
        method="highs",
    )
    return float(solved.fun), np.asarray(solved.eqlin.marginals), np.asarray(solved.ineqlin.marginals)


def _best_of(instance: _Instance, lines: Sequence[Line]) -> int:
    """Return the least lateness that lines of this choice come to, each order in one of them."""
    model = cp_model.CpModel()
    picked = [model.new_bool_var("") for _ in lines]
    for order in range(instance.orders):
        model.add_exactly_one(var for var, (_, line, _) in zip(picked, lines, strict=True) if order in line)
    for crew in range(instance.crews):
        model.add_at_most_one(var for var, (whose, _, _) in zip(picked, lines, strict=True) if whose == crew)
    return least(model, sum(late * var for var, (_, _, late) in zip(picked, lines, strict=True)))


def least_lateness(problem: Problem, known: dict[str, list[str]]) -> tuple[float, int]:
    """Return a lower bound on a snapshot's weighted lateness, and the optimum; `known` is the best plan so far."""
    instance = _Instance(problem)
    row_of = {job.id: row for row, job in enumerate(problem.jobs)}
    start = [tuple(row_of[each] for each in known[crew.id]) for crew in problem.crews]
    lines = {(crew, line): instance.lateness(crew, line) for crew, line in enumerate(start) if line}
    best = sum(lines.values())
    while True:
        value, prices, wages = _relaxed(instance, [(*key, late) for key, late in lines.items()])
        fresh, complete = _priced(instance, prices, wages, below=-TOLERANCE, room=MOST_FOUND)
        if not fresh:
            break
        lines.update(((crew, line), late) for crew, line, late in fresh)
    every, complete = _priced(instance, prices, wages, below=best - value + TOLERANCE, room=1_000_000)
    if not complete:
        raise RuntimeError("the gap to the best known plan is too wide to list every line in it")
    # Of the ways through the same orders only the cheapest can be in an optimum.
    cheapest: dict[tuple[int, frozenset[int]], Line] = {}
    for candidate in sorted(every, key=lambda each: each[2]):
        cheapest.setdefault((candidate[0], frozenset(candidate[1])), candidate)
    return value, _best_of(instance, list(cheapest.values()))


def main() -> None:
    """Print, for each snapshot of 20 crews and 40 orders, list schedule, ours, lower bound and optimum."""
    for seed in (1, 2, 3, 4, 5):
        problem = make(20, 40, seed)
        listed = weighted_lateness(problem, list_schedule(problem))
        plans = [solve(problem, stop=Iterations(1_000_000), seed=turn).orders() for turn in (0, 1, 2)]
        known = min(plans, key=lambda plan: weighted_lateness(problem, plan))
        bound, best = least_lateness(problem, {crew: list(line) for crew, line in known.items()})
        ours = weighted_lateness(problem, known)
        sys.stdout.write(
            f"seed {seed}: list schedule {listed}, ours {ours} ({ours / listed:.4f}), "
            f"at least {bound:.0f}, optimum {best} ({best / listed:.4f})\n"
        )
        sys.stdout.flush()


if __name__ == "__main__":
    main()
