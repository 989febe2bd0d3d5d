"""A problem as arrays, the form in which the compiled search reads it.

Committed work is folded into the crew's start: where and when it is free afterwards, what it has left. So the search
cannot move it.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from optimizer import schedule
from optimizer.plan import Route
from optimizer.problem import Crew, Job, Problem

NEVER = 2**61
"""A time that is not reached."""

PLACE, SERVICE, SETUP, DUE, RELEASE, WINDOWS, TOLD, TOOLS = range(8)
"""The columns of `jobs`: a row is one cache line. `TOOLS` is a bit set."""
WEIGHT, CHANGE, SKIP, RANK = range(4)
"""The columns of `worth`: cost of a second late, of another crew than told, of leaving it out; and the list's order."""
START, END, FREE, SHIFT_END, PROFILE, DONE, RATE, HELD, TRAVEL_LEFT = range(9)
"""The columns of `crews`. `HELD`: how many of its jobs are committed. `TRAVEL_LEFT`: how long it may still travel."""

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Arrays(NamedTuple):
    """The problem. m crews, n jobs, p places, L kinds of load, S kinds of parts."""

    travel: npt.NDArray[np.int32]
    """(profiles, p, p) seconds."""
    crews: Integers
    """(m, 9)."""
    room: Integers
    """(m, L) load that still fits."""
    crew_tools: Integers
    """(m,) bit sets."""
    crew_parts: Integers
    """(m, S)."""
    jobs: Integers
    """(n, 8)."""
    worth: Floats
    """(n, 4)."""
    windows: Integers
    """(n, W, 2)."""
    delivery: Integers
    """(n, L)."""
    pickup: Integers
    """(n, L)."""
    parts: Integers
    """(n, S)."""
    allowed: npt.NDArray[np.uint8]
    """(m, n): skills had, not excluded."""
    like: Integers
    """(m,) the first crew with the same skills, place, times and all else: to a job their empty routes are the same."""
    missed: Integers
    """(n,) what leaving it out counts ahead of all costs: 1 + priority, 0 for what is optional."""
    near: Integers
    """(n, K) the nearest jobs of each."""
    prices: Floats
    """Late, travel, fairness, crew."""
    flags: Integers
    """Place of the store (-1: none), 1 where tools or parts are asked for, so that only whole routes can be judged, 1
    where there are loads, 1 where travel is limited; then -1 and 0, to be passed where a number is meant: numba
    compiles a function anew for each literal that it is called with."""


class Numbered(NamedTuple):
    """The arrays, and whom and what their rows mean: `jobs` are those not committed."""

    arrays: Arrays
    jobs: tuple[Job, ...]
    begun: tuple[Route, ...]


NEIGHBOURS = 32


def number(problem: Problem) -> Numbered:
    """Turn a checked problem into arrays."""
    by_id = {job.id: job for job in problem.jobs}
    committed = {each for crew in problem.crews for each in crew.committed}
    jobs = tuple(job for job in problem.jobs if job.id not in committed)
    held = [[by_id[each] for each in crew.committed] for crew in problem.crews]
    begun = tuple(schedule.walk(problem, crew, mine) for crew, mine in zip(problem.crews, held, strict=True))
    travel = np.ascontiguousarray(np.stack(problem.travel), dtype=np.int32)
    tools = sorted({tool for job in jobs for tool in job.tools})
    bits = {tool: 1 << place for place, tool in enumerate(tools)}
    loads = max((len(crew.capacity) for crew in problem.crews), default=0)
    kinds = max((len(job.parts) for job in jobs), default=0)
    delivery, pickup = (_table([getattr(job, name) for job in jobs], loads) for name in ("delivery", "pickup"))
    supplied = int(bool(tools) or any(any(job.parts) for job in jobs))
    limited = any(crew.most_travel is not None for crew in problem.crews)
    crews, room, may = _crews(problem, held, begun), _room(problem, held, loads), allowed(problem, jobs)
    crew_tools = np.array([_bits(crew.tools, bits) for crew in problem.crews], dtype=np.int64)
    crew_parts = _table([_left(crew, mine, kinds) for crew, mine in zip(problem.crews, held, strict=True)], kinds)
    arrays = Arrays(
        travel=travel,
        crews=crews,
        room=room,
        crew_tools=crew_tools,
        crew_parts=crew_parts,
        jobs=_jobs(problem, jobs, bits),
        worth=_worth(problem, jobs),
        windows=_windows(jobs),
        delivery=delivery,
        pickup=pickup,
        parts=_table([job.parts for job in jobs], kinds),
        allowed=may,
        like=_like(crews, room, crew_tools, crew_parts, may),
        missed=np.array([0 if job.optional else 1 + job.priority for job in jobs], dtype=np.int64),
        near=_nearest(travel[0], np.array([job.place for job in jobs], dtype=np.int64)),
        prices=np.array(
            [problem.prices.late, problem.prices.travel, problem.prices.fairness, problem.prices.crew], dtype=np.float64
        ),
        flags=np.array(
            [-1 if problem.store is None else problem.store, supplied, int(loads > 0), int(limited), -1, 0],
            dtype=np.int64,
        ),
    )
    return Numbered(arrays, jobs, begun)


def allowed(problem: Problem, jobs: Sequence[Job]) -> npt.NDArray[np.uint8]:
    """Return which crew (row) has the skills for which job (column) and is not excluded from it."""
    kinds = sorted({(job.skills, job.excluded) for job in jobs}, key=lambda kind: (sorted(kind[0]), sorted(kind[1])))
    row_of = {kind: row for row, kind in enumerate(kinds)}
    table = np.array(
        [[skills <= crew.skills and crew.id not in excluded for crew in problem.crews] for skills, excluded in kinds],
        dtype=np.uint8,
    ).reshape(len(kinds), len(problem.crews))
    rows = [row_of[job.skills, job.excluded] for job in jobs]
    return np.ascontiguousarray(table[rows].T) if jobs else np.zeros((len(problem.crews), 0), np.uint8)


def _crews(problem: Problem, held: list[list[Job]], begun: tuple[Route, ...]) -> Integers:
    rows = []
    for crew, mine, route in zip(problem.crews, held, begun, strict=True):
        free = route.stops[-1].leaves if route.stops else crew.earliest
        rows.append(
            (
                mine[-1].place if mine else crew.start,
                -1 if crew.end is None else crew.end,
                free,
                NEVER if crew.shift_end is None else crew.shift_end,
                crew.profile,
                crew.orders_done + len(mine),
                schedule.fair_rate(crew),
                len(mine),
                NEVER if crew.most_travel is None else crew.most_travel - sum(stop.travel for stop in route.stops),
            )
        )
    return np.array(rows, dtype=np.int64).reshape(-1, 9)


def _like(*tables: npt.NDArray[Any]) -> Integers:
    """Return for each row the first that is the same in all tables."""
    first: dict[bytes, int] = {}
    keys = (b"".join(table[row].tobytes() for table in tables) for row in range(len(tables[0])))
    return np.array([first.setdefault(key, row) for row, key in enumerate(keys)], dtype=np.int64)


def _left(crew: Crew, mine: list[Job], kinds: int) -> list[int]:
    """Return the parts of each kind that a crew has left behind its committed jobs."""
    had = _table([crew.parts], kinds)[0]
    used = _table([job.parts for job in mine], kinds).sum(axis=0)
    return [int(each) for each in had - used]


def _room(problem: Problem, held: list[list[Job]], loads: int) -> Integers:
    room = np.full((len(problem.crews), loads), NEVER, dtype=np.int64)
    for row, (crew, mine) in enumerate(zip(problem.crews, held, strict=True)):
        for kind, most in enumerate(crew.capacity):
            room[row, kind] = most - sum(
                sum((*job.delivery[kind : kind + 1], *job.pickup[kind : kind + 1])) for job in mine
            )
    return room


def _jobs(problem: Problem, jobs: Sequence[Job], bits: Mapping[str, int]) -> Integers:
    crew_row = {crew.id: row for row, crew in enumerate(problem.crews)}
    rows = [
        (
            job.place,
            job.service,
            job.setup,
            NEVER if job.due is None else job.due,
            job.release,
            len(job.windows),
            -1 if job.told is None else crew_row.get(job.told, len(crew_row)),
            _bits(job.tools, bits),
        )
        for job in jobs
    ]
    return np.array(rows, dtype=np.int64).reshape(-1, 8)


def _worth(problem: Problem, jobs: Sequence[Job]) -> Floats:
    prices = problem.prices
    order = sorted(range(len(jobs)), key=lambda row: list_rank(jobs[row], row))
    rank = np.empty(len(jobs))
    rank[order] = np.arange(len(jobs))
    rows = [
        (prices.lateness * job.weight, prices.change * job.change, skip_price(problem, job), rank[row])
        for row, job in enumerate(jobs)
    ]
    return np.array(rows, dtype=np.float64).reshape(-1, 4)


def list_rank(job: Job, row: int) -> tuple[int, ...]:
    """Return where a job stands in the list schedule: what must be done, by priority, weight, deadline."""
    return (job.optional, -job.priority, -job.weight if job.due is not None else 0, _last_moment(job), row)


def skip_price(problem: Problem, job: Job) -> float:
    """Return what leaving a job out costs: counted apart (1 + priority) where it must be done, else below lateness.

    A visit that gives way is worth a long drive, but not one weighted second of another's lateness.
    """
    if job.optional:
        return float(problem.prices.lateness * (1 + job.priority) // 250)
    return 0.0


def _last_moment(job: Job) -> int:
    if job.due is not None:
        return job.due
    return job.windows[-1][1] if job.windows else NEVER


def _windows(jobs: Sequence[Job]) -> Integers:
    width = max((len(job.windows) for job in jobs), default=0)
    table = np.zeros((len(jobs), max(width, 1), 2), dtype=np.int64)
    for row, job in enumerate(jobs):
        table[row, : len(job.windows)] = np.array(job.windows, dtype=np.int64).reshape(-1, 2)
    return table


def _nearest(travel: npt.NDArray[np.int32], places: Integers) -> Integers:
    count = min(NEIGHBOURS, max(len(places) - 1, 0))
    if count == 0:
        return np.zeros((len(places), 0), dtype=np.int64)
    there = travel[np.ix_(places, places)].astype(np.int64)
    there[there < 0] = NEVER // 4
    there = there + there.T
    np.fill_diagonal(there, NEVER)
    nearest = np.argpartition(there, count - 1, axis=1)[:, :count]
    order = np.argsort(np.take_along_axis(there, nearest, axis=1), axis=1, kind="stable")
    return np.ascontiguousarray(np.take_along_axis(nearest, order, axis=1), dtype=np.int64)


def _table(rows: Sequence[Sequence[int]], width: int) -> Integers:
    table = np.zeros((len(rows), width), dtype=np.int64)
    for row, amounts in enumerate(rows):
        table[row, : min(len(amounts), width)] = amounts[:width]
    return table


def _bits(names: Any, bits: Mapping[str, int]) -> int:
    return sum(bits.get(name, 0) for name in names)
