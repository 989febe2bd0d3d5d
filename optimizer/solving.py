"""`solve`: problem in, plan out.

Check, number, start from the list schedule or a given plan, anneal until the rule says stop, write down. The plan is
never worse than what it started from.
"""

import functools
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from optimizer import reasons, schedule
from optimizer.plan import Plan, Route
from optimizer.problem import Crew, Job, Problem, check
from optimizer.search import annealing, arrays, listing, state
from optimizer.search.arrays import RANK, Numbered
from optimizer.search.walking import LIMITED, SUPPLIED
from optimizer.stopping import Seconds, Stopping

HOT, COLD = 0.2, 0.003
"""Heat at the start and at the end, as a share of what a job costs on average."""
PUNCTUAL_HOT, PUNCTUAL_COLD = 2.0, 0.015
"""The same where nobody can be late, and a job costs its way alone."""
WARM = 0.02
"""Heat at the start of a search from a given plan."""
SOFT_RUINS, HARD_RUINS, PUNCTUAL_RUINS = 0.0005, 0.02, 1.0
"""Which share of the changes are ruins: where all is soft, where windows, loads or supplies bind, and where nobody can
be late, so that a place for a job is judged in constant time."""
STEPS = 200
"""How often the heat is lowered."""
PART_S = 0.01
"""After how long a search looks at the clock; into how many parts the changes at one heat are cut does not matter."""
SMALL = 50
"""Up to so many jobs a number of changes that surely fits into a time still finds what the whole time would."""
ENOUGH = 15_000
"""So many changes for each job and second then."""


def solve(
    problem: Problem,
    *,
    initial: Mapping[str, Sequence[str]] | None = None,
    stop: Stopping | None = None,
    seed: int = 0,
    clock: Callable[[], float] = time.perf_counter,
) -> Plan:
    """Return the best plan found until `stop`, one second if not given.

    `initial`: ids of jobs in order by crew, such as `Plan.orders()` of the plan in force; what is unknown in it or no
    longer feasible is passed over. The same problem, seed and `Iterations` give the same plan.

    Raises:
        ProblemError: the problem is not sound; every fault is named by its place.
    """
    check(problem)
    ready()
    began = clock()
    numbered = arrays.number(problem)
    if not problem.crews or not numbered.jobs:
        return write_down(problem, numbered, [()] * len(problem.crews))
    found = state.empty(numbered.arrays, seed)
    if initial is not None:
        listing.load(numbered.arrays, found, *_given(numbered, problem, initial))
    listing.fill(numbered.arrays, found, np.argsort(numbered.arrays.worth[:, RANK]))
    heats = (WARM, COLD) if initial is not None else _heats(numbered)
    iterations = _search(numbered, found, stop if stop is not None else Seconds(1.0), heats, began, clock)
    annealing.finish(found)
    rows = [found.best[k, : found.best_size[k]].tolist() for k in range(len(problem.crews))]
    return write_down(problem, numbered, rows, iterations=iterations)


@functools.cache
def ready() -> None:
    """Have the search compiled: from the cache in a fraction of a second, the first time ever in some 20 s."""
    problem = Problem(crews=(Crew(id="", start=0),), jobs=(Job(id="", place=0),), travel=(np.zeros((1, 1), np.int32),))
    numbered = arrays.number(problem)
    found = state.empty(numbered.arrays, 0)
    listing.load(numbered.arrays, found, *_given(numbered, problem, {}))
    listing.fill(numbered.arrays, found, np.zeros(0, np.int64))
    annealing.anneal(numbered.arrays, found, 0, 1.0, HARD_RUINS)
    annealing.finish(found)


def surely_fits(problem: Problem, seconds: float) -> int | None:
    """Return how many changes even a slow or busy machine tries in a time; None for more than `SMALL` jobs.

    A change takes some 0.5 microseconds. A ruin takes one more for each 50 pairs of jobs, or 16 where only whole routes
    can be judged: so much with few crews and long routes; where nobody can be late, five and one for each 5 jobs. A
    quarter of that speed is counted on. Few jobs need fewer.
    """
    if len(problem.jobs) > SMALL:
        return None
    numbered = arrays.number(problem)
    jobs, ruins = len(numbered.jobs), _ruins(numbered)
    if ruins == PUNCTUAL_RUINS:
        each = 5.0 + 0.2 * jobs
    else:
        each = (0.06 if _judged_whole(numbered) else 0.02) * jobs**2
    return int(seconds * min(1e6 / 4.0 / (0.5 + ruins * each), ENOUGH * jobs))


def _search(
    numbered: Numbered,
    found: state.State,
    stop: Stopping,
    heats: tuple[float, float],
    began: float,
    clock: Callable[[], float],
) -> int:
    """Anneal `found` and return the iterations made."""
    scale = float(found.totals[state.COST]) / len(numbered.jobs)
    if scale <= 0.0:
        scale = 1.0
    iterations, batch, part = 0, 64, 64
    ruins, (hot, cold) = _ruins(numbered), heats
    while (share := stop.share(iterations=iterations, seconds=clock() - began)) < 1.0:
        heat = scale * hot * (cold / hot) ** share
        before, until = clock(), iterations + batch
        while iterations < until and stop.share(iterations=iterations, seconds=clock() - began) < 1.0:
            part, begun = min(part, until - iterations), clock()
            annealing.anneal(numbered.arrays, found, part, heat, ruins)
            iterations += part
            part = 2 * part if clock() - begun < PART_S else max(part // 2, 1)
        batch = _next_batch(stop, iterations, batch, clock() - began, clock() - before)
    return iterations


def _next_batch(stop: Stopping, iterations: int, batch: int, seconds: float, last: float) -> int:
    """Return how many iterations one heat gets: a `STEPS`-th of the search, and not beyond its end."""
    one = stop.share(iterations=iterations + 1, seconds=seconds) - stop.share(iterations=iterations, seconds=seconds)
    if one > 0.0:
        left = 1.0 - stop.share(iterations=iterations, seconds=seconds)
        return max(1, round(min(1.0 / STEPS, left) / one))
    each = last / batch
    share = stop.share(iterations=iterations, seconds=seconds + last) - stop.share(
        iterations=iterations, seconds=seconds
    )
    if share <= 0.0 or each <= 0.0:
        return batch
    return max(8, min(4 * batch, round(batch / share / STEPS)))


def _ruins(numbered: Numbered) -> float:
    """Return which share of the changes are ruins."""
    if not numbered.arrays.flags[1:4].any() and not any(job.windows or job.due is None for job in numbered.jobs):
        return SOFT_RUINS
    if _judged_whole(numbered) or any(job.due is not None for job in numbered.jobs):
        return HARD_RUINS
    return PUNCTUAL_RUINS


def _heats(numbered: Numbered) -> tuple[float, float]:
    """Return the heat at the start and at the end of a search from the list schedule."""
    return (PUNCTUAL_HOT, PUNCTUAL_COLD) if _ruins(numbered) == PUNCTUAL_RUINS else (HOT, COLD)


def _judged_whole(numbered: Numbered) -> bool:
    return bool(numbered.arrays.flags[SUPPLIED] or numbered.arrays.flags[LIMITED])


def _given(
    numbered: Numbered, problem: Problem, initial: Mapping[str, Sequence[str]]
) -> tuple[state.Numbers, arrays.Integers]:
    row_of = {job.id: row for row, job in enumerate(numbered.jobs)}
    rows = [[row_of[each] for each in initial.get(crew.id, ()) if each in row_of] for crew in problem.crews]
    table = np.zeros((len(rows), max(map(len, rows), default=0)), np.int64)
    for number, row in enumerate(rows):
        table[number, : len(row)] = row
    return table, np.array([len(row) for row in rows], np.int64)


def write_down(problem: Problem, numbered: Numbered, rows: Sequence[Sequence[int]], *, iterations: int = 0) -> Plan:
    """Return the plan in which each crew does its committed jobs and then those of its row."""
    by_id = {job.id: job for job in problem.jobs}
    routes: list[Route] = []
    for crew, row in zip(problem.crews, rows, strict=True):
        jobs = [by_id[each] for each in crew.committed] + [numbered.jobs[j] for j in row]
        routes.append(schedule.walk(problem, crew, jobs))
    served = {stop.job for route in routes for stop in route.stops}
    left = [job for job in problem.jobs if job.id not in served]
    return Plan(
        routes=tuple(routes),
        left_out=tuple(reasons.explain(problem, routes, left)),
        figures=schedule.total(problem, routes),
        cost=float(
            sum(schedule.price(problem, crew, route) for crew, route in zip(problem.crews, routes, strict=True))
            + sum(arrays.skip_price(problem, job) for job in left)
        ),
        iterations=iterations,
    )
