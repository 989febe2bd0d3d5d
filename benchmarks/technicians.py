"""The technician routing instances of Pillac, Guéret and Medaglia (2013), and a day of one as it unfolds.

Technicians start and end at home, with skills, tools and spare parts; a call at the depot gives every tool and any
number of parts. Requests have hard windows. Of a dynamic day, some are released while it runs: each is taken at its
release, for good, or rejected. Who waits, waits where he is, until he has to leave for his next stop.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from optimizer import Crew, Iterations, Job, Plan, Problem, solve
from optimizer.problem import Matrix

UNIT = 1000
"""Our whole seconds per unit of an instance: distances are Euclidean, kept to three decimals."""

NIGHT = 10**9
"""After every day."""

TAKEN = 50
"""Priority of a request that was taken: no number of new ones in a day's instant outweighs it."""


class Instance(msgspec.Struct, frozen=True, eq=False):
    """An instance: the problem with all requests, and when each is released (-1: known before the day)."""

    name: str
    problem: Problem
    released: Mapping[str, int]


def read(path: Path, dates: Path) -> Instance:
    """Return the instance with its release dates."""
    text = path.read_text()
    counts = re.search(r"SPARE PARTS\s*\n\s*(\d+)\s", text)
    if counts is None:
        raise ValueError(f"{path} is no technician routing instance")
    crews = int(counts[1])
    rows = [_row(line) for line in text.splitlines() if re.match(r"\s*\d+\s.*\[.*\]", line)]
    places = np.array([row["place"] for row in rows], dtype=np.float64)
    legs = np.hypot(*(places[:, np.newaxis] - places).transpose(2, 0, 1))
    travel: Matrix = np.rint(legs * UNIT).astype(np.int32)
    technicians = tuple(
        Crew(
            id=str(row["id"]),
            start=number,
            end=number,
            earliest=row["window"][0],
            shift_end=row["window"][1],
            skills=row["skills"],
            tools=row["tools"],
            parts=row["parts"],
        )
        for number, row in enumerate(rows)
        if 0 < row["id"] <= crews
    )
    requests = tuple(
        Job(
            id=str(row["id"]),
            place=number,
            service=row["service"],
            windows=(row["window"],),
            skills=row["skills"],
            tools=row["tools"],
            parts=row["parts"],
        )
        for number, row in enumerate(rows)
        if row["id"] > crews and row["skills"]
    )
    released = {number: int(at) for number, at in re.findall(r"(?m)^\s*(\d+)\s+(-?\d+)\s*$", dates.read_text())}
    problem = Problem(crews=technicians, jobs=requests, travel=(travel,), store=0)
    return Instance(path.stem, problem, {job.id: released.get(job.id, -1) * UNIT for job in requests})


class Visit(msgspec.Struct, frozen=True):
    """A stop as it was driven to: who, what, when he set out and when work began; over the depot or not."""

    crew: str
    job: str
    left: int
    began: int
    store: bool


class Day(msgspec.Struct, frozen=True):
    """What became of the requests."""

    rejected: frozenset[str]
    visits: tuple[Visit, ...]


def live_through(instance: Instance, *, before: int, each: int, seed: int) -> Day:
    """Return the day, with so many iterations before it and at each release."""
    problem, released = instance.problem, instance.released
    jobs = {job.id: job for job in problem.jobs}
    crews = problem.crews
    waiting = {job for job, at in released.items() if at < 0}
    taken = set[str]()
    plan: Plan | None = None
    rejected, visits = set[str](), list[Visit]()
    for now in sorted({max(at, -1) for at in released.values()}):
        if now >= 0:
            crews, begun = _advance(problem, crews, plan, now)
            taken -= {visit.job for visit in begun}
            visits += begun
            waiting = {job for job, at in released.items() if at == now}
        at_hand = tuple(
            msgspec.structs.replace(jobs[job], priority=TAKEN if job in taken else 0)
            for job in sorted(taken | waiting, key=int)
        )
        part = msgspec.structs.replace(problem, crews=crews, jobs=at_hand)
        known = None if plan is None else plan.orders()
        plan = solve(part, initial=known, stop=Iterations(each if now >= 0 else before), seed=seed)
        left_out = {left.job for left in plan.left_out}
        if left_out & taken:
            raise AssertionError(f"{instance.name}: a request that was taken is not served")
        rejected |= left_out
        taken |= waiting - left_out
    return Day(frozenset(rejected), (*visits, *_advance(problem, crews, plan, NIGHT)[1]))


def faults(instance: Instance, day: Day) -> list[str]:
    """Look over a day without the planner: who was where when, with what, and whether every request was answered."""
    jobs = {job.id: job for job in instance.problem.jobs}
    matrix, found = instance.problem.travel[0], list[str]()
    for crew in instance.problem.crews:
        here, free, parts, tools = crew.start, crew.earliest, list(crew.parts), crew.tools
        for visit in (each for each in day.visits if each.crew == crew.id):
            job = jobs[visit.job]
            leg = matrix[here, 0] + matrix[0, job.place] if visit.store else matrix[here, job.place]
            if visit.store:
                parts, tools = [NIGHT] * len(parts), frozenset().union(*(each.tools for each in jobs.values()))
            parts = [had - used for had, used in zip(parts, job.parts, strict=True)]
            told = instance.released[job.id] <= visit.left
            inside = job.windows[0][0] <= visit.began <= job.windows[0][1]
            if visit.left < free or visit.began < visit.left + leg or not told or not inside:
                found.append(f"{crew.id} cannot be at {job.id} at {visit.began}")
            if min(parts) < 0 or not job.tools <= tools or not job.skills <= crew.skills:
                found.append(f"{crew.id} has not what {job.id} needs")
            here, free = job.place, visit.began + job.service
        if crew.shift_end is not None and free + matrix[here, crew.start] > crew.shift_end:
            found.append(f"{crew.id} is home too late")
    if sorted([*day.rejected, *(visit.job for visit in day.visits)]) != sorted(jobs):
        found.append("a request is answered twice, or not at all")
    return found


def _advance(
    problem: Problem, crews: Sequence[Crew], plan: Plan | None, now: int
) -> tuple[tuple[Crew, ...], list[Visit]]:
    """Return the crews as they stand at `now`, and the visits that they have set out for since."""
    jobs = {job.id: job for job in problem.jobs}
    lines = {} if plan is None else {route.crew: route.stops for route in plan.routes}
    moved, begun = [], list[Visit]()
    for crew in crews:
        state = crew
        for stop in lines.get(crew.id, ()):
            if stop.begins - stop.travel > now:
                break
            job = jobs[stop.job]
            left = stop.begins - stop.travel
            begun.append(Visit(crew.id, job.id, left, stop.begins, stop.store))
            parts, tools = state.parts, state.tools
            if stop.store:
                parts, tools = (10**6,) * len(parts), frozenset(map(str, range(100)))
            state = msgspec.structs.replace(
                state,
                start=job.place,
                earliest=stop.leaves,
                tools=tools,
                parts=tuple(had - used for had, used in zip(parts, job.parts, strict=True)),
            )
        moved.append(msgspec.structs.replace(state, earliest=max(state.earliest, now)))
    return tuple(moved), begun


def _row(line: str) -> dict[str, Any]:
    numbers = [int(each) for each in line[: line.index("[")].split()]
    sets = [tuple(int(each) for each in found.split(",") if each) for found in re.findall(r"\[(.*?)\]", line)]
    identity, x, y, opens, closes, service = numbers
    return {
        "id": identity,
        "place": (x, y),
        "window": (opens * UNIT, closes * UNIT),
        "service": service * UNIT,
        "skills": frozenset(map(str, sets[0])),
        "tools": frozenset(map(str, sets[1])),
        "parts": sets[2],
    }
