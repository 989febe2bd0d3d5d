"""The optimum of a small problem, for proof: every order of every set of jobs for every crew, and CP-SAT to share out.

For each crew, the cheapest route through each set of jobs is found by dynamic programming over sets and last jobs
(Held and Karp 1962), keeping of the ways that end alike all that are not both later and dearer. CP-SAT then picks one
set a crew so that each job is served at most once. Independent of the compiled search: it prices with
`optimizer.schedule` rules of its own, in whole numbers.
"""

from collections.abc import Iterator, Sequence

from ortools.sat.python import cp_model

from optimizer import schedule
from optimizer.problem import UNREACHABLE, Crew, Job, Problem, check
from optimizer.search.arrays import skip_price

MOST_JOBS = 12
DIGITS = 10**9
"""Costs are compared in two parts, so many apart: CP-SAT adds in 64 bits."""


def least_cost(problem: Problem) -> tuple[int, int]:
    """Return the least sum of 1 + priority left out, and the least cost with it.

    For problems of at most `MOST_JOBS` jobs, without committed work, loads, supplies or limits on travel.

    Raises:
        ValueError: the problem is not of that kind.
        ProblemError: it is not sound.
    """
    check(problem)
    if len(problem.jobs) > MOST_JOBS or any(
        crew.committed or crew.capacity or crew.most_travel is not None for crew in problem.crews
    ):
        raise ValueError(f"only up to {MOST_JOBS} jobs, without committed work, loads and limits on travel")
    model = cp_model.CpModel()
    columns = [(crew, members, cost) for crew in problem.crews for members, cost in _columns(problem, crew)]
    picked = [model.new_bool_var("") for _ in columns]
    for crew in problem.crews:
        model.add_at_most_one(var for (whose, _, _), var in zip(columns, picked, strict=True) if whose is crew)
    missing = []
    for number, job in enumerate(problem.jobs):
        out = model.new_bool_var("")
        model.add_exactly_one(
            out, *(var for (_, members, _), var in zip(columns, picked, strict=True) if members >> number & 1)
        )
        missing.append((job, out))
    missed = sum((1 + job.priority) * out for job, out in missing if not job.optional)
    cost = [(cost, var) for (_, _, cost), var in zip(columns, picked, strict=True)]
    cost += [(int(skip_price(problem, job)), out) for job, out in missing if job.optional]
    least_missed = least(model, missed)
    model.add(missed == least_missed)
    return least_missed, _least_of_large(model, cost)


def _least_of_large(model: cp_model.CpModel, terms: Sequence[tuple[int, cp_model.IntVar]]) -> int:
    """Return the proven minimum of a sum whose factors may be too large for CP-SAT: first of its upper digits."""
    upper = model.new_int_var(0, sum(factor // DIGITS + 1 for factor, _ in terms), "")
    lower = model.new_int_var(0, DIGITS - 1, "")
    carry = model.new_int_var(0, len(terms), "")
    model.add(sum(factor % DIGITS * var for factor, var in terms) == DIGITS * carry + lower)
    model.add(sum(factor // DIGITS * var for factor, var in terms) + carry == upper)
    most = least(model, upper)
    model.add(upper == most)
    return most * DIGITS + least(model, lower)


def least(model: cp_model.CpModel, cost: cp_model.LinearExprT) -> int:
    """Return the proven minimum of `cost` under the model; raise `RuntimeError` where there is none."""
    model.minimize(cost)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.linearization_level = 2
    status = solver.solve(model)
    if status != cp_model.OPTIMAL:
        raise RuntimeError(f"CP-SAT ended with {solver.status_name(status)}")
    return round(solver.objective_value)


def _columns(problem: Problem, crew: Crew) -> Iterator[tuple[int, int]]:
    """Give each set of jobs, as a bit set, that the crew can serve, with its least cost."""
    jobs, prices = problem.jobs, problem.prices
    matrix = problem.travel[crew.profile].tolist()
    able = [n for n, job in enumerate(jobs) if job.skills <= crew.skills and crew.id not in job.excluded]
    frontier: dict[tuple[int, int], list[tuple[int, int]]] = {(0, -1): [(crew.earliest, 0)]}
    for count in range(1, len(able) + 1):
        further: dict[tuple[int, int], list[tuple[int, int]]] = {}
        fair = prices.fairness * schedule.fair_rate(crew) * (crew.orders_done + count)
        for (members, last), labels in frontier.items():
            here = crew.start if last < 0 else jobs[last].place
            for n in able:
                leg = matrix[here][jobs[n].place]
                if members >> n & 1 or leg == UNREACHABLE:
                    continue
                found = further.setdefault((members | 1 << n, n), [])
                for clock, cost in labels:
                    step = _serve(jobs[n], crew, clock + leg, moved=here != jobs[n].place)
                    if step is not None:
                        late = step[1]
                        more = prices.travel * leg + fair + prices.lateness * jobs[n].weight * late
                        found.append((step[0], cost + more + prices.late * (late > 0) + prices.change * step[2]))
        frontier = {state: _undominated(labels) for state, labels in further.items() if labels}
        yield from _closed(crew, jobs, matrix, frontier, prices.travel, prices.crew)


def _serve(job: Job, crew: Crew, arrival: int, *, moved: bool) -> tuple[int, int, int] | None:
    """Return when the crew leaves, how late it began, and the change against what was told; None if not feasible."""
    begins = max(arrival, job.release)
    if job.windows:
        open_at = [max(begins, opens) for opens, closes in job.windows if begins <= closes]
        if not open_at:
            return None
        begins = open_at[0]
    late = max(begins - job.due, 0) if job.due is not None else 0
    change = job.change if job.told not in (None, crew.id) else 0
    return begins + job.service + (job.setup if moved else 0), late, change


def _closed(
    crew: Crew,
    jobs: Sequence[Job],
    matrix: list[list[int]],
    frontier: dict[tuple[int, int], list[tuple[int, int]]],
    a_second: int,
    opened: int,
) -> Iterator[tuple[int, int]]:
    """Give the cheapest way home for each set."""
    cheapest: dict[int, int] = {}
    for (members, last), labels in frontier.items():
        home = 0 if crew.end is None else matrix[jobs[last].place][crew.end]
        if home == UNREACHABLE:
            continue
        for clock, cost in labels:
            if crew.shift_end is None or clock + home <= crew.shift_end:
                whole = cost + a_second * home + opened
                cheapest[members] = min(cheapest.get(members, whole), whole)
    yield from cheapest.items()


def _undominated(labels: list[tuple[int, int]]) -> list[tuple[int, int]]:
    kept: list[tuple[int, int]] = []
    for clock, cost in sorted(labels):
        if not kept or cost < kept[-1][1]:
            kept.append((clock, cost))
    return kept
