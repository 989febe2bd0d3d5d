"""Dispatch snapshots: some crews, some orders that are due soon or already late, and a list schedule to be measured by.

Positions are uniform on a 6 km square, travel is Manhattan metres / 6 m/s, cut to whole seconds; service 15 to 40 whole
minutes; an order has waited 0 to 15 min and is due 15 min after its report; weights are drawn from 1, 1, 1, 3, 10. The
same seed gives the same snapshot as the reference generator that the targets were measured on.
"""

import random
from collections.abc import Mapping, Sequence

import numpy as np

from optimizer import Crew, Job, Problem

Orders = Mapping[str, Sequence[str]]


def make(crews: int, orders: int, seed: int) -> Problem:
    """Return a snapshot."""
    rng = random.Random(seed)
    points = np.array([(rng.uniform(0, 6000), rng.uniform(0, 6000)) for _ in range(crews + orders)])
    metres = np.abs(points[:, np.newaxis, 0] - points[:, 0]) + np.abs(points[:, np.newaxis, 1] - points[:, 1])
    jobs = tuple(
        Job(
            id=str(number + 1),
            place=crews + number,
            service=rng.randint(15, 40) * 60,
            due=900 - rng.randint(0, 899),
            weight=rng.choice([1, 1, 1, 3, 10]),
        )
        for number in range(orders)
    )
    return Problem(
        crews=tuple(Crew(id=str(number + 1), start=number) for number in range(crews)),
        jobs=jobs,
        travel=((metres / 6).astype(np.int32),),
    )


def list_schedule(problem: Problem, given: Orders | None = None) -> dict[str, list[str]]:
    """Put what is in nobody's line behind the lines given: by weight, then deadline, to the crew that arrives first."""
    lines = {crew.id: list((given or {}).get(crew.id, ())) for crew in problem.crews}
    jobs = {job.id: job for job in problem.jobs}
    free, place = [], []
    for crew in problem.crews:
        clock, here = 0, crew.start
        for each in lines[crew.id]:
            clock += int(problem.travel[0][here, jobs[each].place]) + jobs[each].service
            here = jobs[each].place
        free.append(clock)
        place.append(here)
    at, clocks = np.array(place), np.array(free, dtype=np.int64)
    served = {each for line in lines.values() for each in line}
    rest = [job for job in problem.jobs if job.id not in served]
    for job in sorted(rest, key=lambda job: (-job.weight, job.due or 0)):
        arrivals = clocks + problem.travel[0][at, job.place]
        k = int(arrivals.argmin())
        clocks[k], at[k] = arrivals[k] + job.service, job.place
        lines[problem.crews[k].id].append(job.id)
    return lines


def weighted_lateness(problem: Problem, lines: Orders) -> int:
    """Return what a plan comes to, every job served exactly once made sure of."""
    jobs = {job.id: job for job in problem.jobs}
    starts = {crew.id: crew.start for crew in problem.crews}
    total, served = 0, list[str]()
    for crew, line in lines.items():
        clock, here = 0, starts[crew]
        for each in line:
            job = jobs[each]
            clock += int(problem.travel[0][here, job.place])
            total += job.weight * max(0, clock - (job.due or 0))
            clock += job.service
            here = job.place
        served += line
    if sorted(served) != sorted(jobs):
        raise AssertionError("a plan serves a job twice, or not at all")
    return total
