"""`assign_now`: which crew goes to which of a few new jobs, at once and exactly.

Each crew's plan stays as it is; each new job is put where it costs that crew least, at most one new job a crew, and
the cheapest matching is found exactly (Jonker and Volgenant 1987, in scipy). What is left over is matched again
behind what was just given.
"""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

from optimizer import schedule
from optimizer.problem import MAX_LEG, UNREACHABLE, Crew, Job, Problem, check
from optimizer.schedule import Infeasible

CANDIDATES = 24
"""So many of the nearest crews that may are priced for each job."""


def assign_now(
    problem: Problem, new: Collection[str], *, initial: Mapping[str, Sequence[str]] | None = None
) -> dict[str, tuple[str, ...]]:
    """Return the ids of each crew's jobs in order, the `new` ones put among those of `initial` where that costs least.

    What of `initial` can no longer be done where it stands is placed like a new job, a job in two lines stays in the
    first. A job that no candidate can do is in no crew's list; `reasons.explain` says why.

    Raises:
        ProblemError: the problem is not sound.
    """
    check(problem)
    lines, waiting = _lines(problem, new, initial or {})
    waiting.sort(key=lambda job: -job.weight)
    while waiting:
        given = _match(problem, lines, waiting)
        if not given:
            break
        for crew_id, (job, at) in given.items():
            lines[crew_id].insert(at, job)
        placed = {job.id for job, _ in given.values()}
        waiting = [job for job in waiting if job.id not in placed]
    return {crew: tuple(job.id for job in line) for crew, line in lines.items()}


def _lines(
    problem: Problem, new: Collection[str], initial: Mapping[str, Sequence[str]]
) -> tuple[dict[str, list[Job]], list[Job]]:
    """Return what each crew has in line as far as it can still be done so, and the jobs that are in no line yet."""
    by_id = {job.id: job for job in problem.jobs}
    taken = {each for crew in problem.crews for each in crew.committed}
    waiting = [by_id[each] for each in dict.fromkeys(new) if each in by_id and each not in taken]
    taken |= {job.id for job in waiting}
    lines: dict[str, list[Job]] = {}
    for crew in problem.crews:
        mine = [by_id[each] for each in dict.fromkeys(initial.get(crew.id, ())) if each in by_id and each not in taken]
        taken |= {job.id for job in mine}
        lines[crew.id], lost = _kept(problem, crew, [by_id[each] for each in crew.committed], mine)
        waiting += lost
    return lines, waiting


def _kept(problem: Problem, crew: Crew, committed: list[Job], mine: list[Job]) -> tuple[list[Job], list[Job]]:
    if all(_may(crew, job) for job in mine) and _can_do(problem, crew, [*committed, *mine]):
        return [*committed, *mine], []
    line, lost = list(committed), list[Job]()
    for job in mine:
        (line if _may(crew, job) and _can_do(problem, crew, [*line, job]) else lost).append(job)
    return line, lost


def _may(crew: Crew, job: Job) -> bool:
    return job.skills <= crew.skills and crew.id not in job.excluded


def _can_do(problem: Problem, crew: Crew, line: Sequence[Job]) -> bool:
    try:
        schedule.walk(problem, crew, line)
    except Infeasible:
        return False
    return True


def _match(problem: Problem, lines: Mapping[str, list[Job]], waiting: Sequence[Job]) -> dict[str, tuple[Job, int]]:
    """Return for each crew that gets one of the jobs which, and where in its line."""
    costs = np.full((len(waiting), len(problem.crews)), np.inf)
    places = np.zeros(costs.shape, dtype=np.int64)
    for row, job in enumerate(waiting):
        for column in _candidates(problem, lines, job):
            found = _cheapest_place(problem, problem.crews[column], lines[problem.crews[column].id], job)
            if found is not None:
                costs[row, column], places[row, column] = found
    possible = np.isfinite(costs)
    dearer_than_all = 1.0 + 2.0 * len(waiting) * costs[possible].max(initial=0.0)
    rows, columns = linear_sum_assignment(np.where(possible, costs, dearer_than_all))
    return {
        problem.crews[column].id: (waiting[row], int(places[row, column]))
        for row, column in zip(rows, columns, strict=True)
        if possible[row, column]
    }


def _candidates(problem: Problem, lines: Mapping[str, list[Job]], job: Job) -> list[int]:
    """Return the rows of the crews that may do the job, the nearest by the clock first."""
    legs = [int(problem.travel[crew.profile][crew.start, job.place]) for crew in problem.crews]
    able = [
        (crew.earliest + (MAX_LEG if leg == UNREACHABLE else leg), len(lines[crew.id]), row)
        for row, (crew, leg) in enumerate(zip(problem.crews, legs, strict=True))
        if _may(crew, job)
    ]
    idle_first = sorted(able, key=lambda each: (each[0] + 1800 * each[1], each[2]))
    return [row for _, _, row in idle_first[:CANDIDATES]]


def _cheapest_place(problem: Problem, crew: Crew, line: list[Job], job: Job) -> tuple[float, int] | None:
    before = schedule.price(problem, crew, schedule.walk(problem, crew, line))
    best: tuple[float, int] | None = None
    for at in range(len(crew.committed), len(line) + 1):
        try:
            route = schedule.walk(problem, crew, [*line[:at], job, *line[at:]])
        except Infeasible:
            continue
        more = float(schedule.price(problem, crew, route) - before)
        if best is None or more < best[0]:
            best = more, at
    return best
