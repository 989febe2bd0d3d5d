"""Problems for tests: random small ones with everything in them, and snapshots."""

import random

import msgspec
import numpy as np

from optimizer import UNREACHABLE, Crew, Job, Problem


def small(seed: int, *, most_crews: int = 6, most_jobs: int = 10) -> Problem:
    """Return a problem with skills, windows, shifts, visits that give way, and pairs without a way between them."""
    chance = random.Random(seed)
    m, n = chance.randint(1, most_crews), chance.randint(1, most_jobs)
    travel = np.array([[chance.randint(60, 1500) for _ in range(m + n)] for _ in range(m + n)], dtype=np.int32)
    for _ in range(chance.randint(0, 3)):
        travel[chance.randrange(m + n), chance.randrange(m + n)] = UNREACHABLE
    np.fill_diagonal(travel, 0)
    return Problem(
        crews=tuple(_crew(chance, number) for number in range(m)),
        jobs=tuple(_job(chance, number, m + number) for number in range(n)),
        travel=(travel,),
    )


def _crew(chance: random.Random, number: int) -> Crew:
    return Crew(
        id=f"c{number}",
        start=number,
        end=number if chance.random() < 0.3 else None,
        earliest=chance.randint(0, 1200),
        shift_end=chance.choice([None, chance.randint(3000, 20000)]),
        skills=frozenset(chance.sample(["gas", "water"], chance.randint(0, 2))),
        orders_done=chance.randint(0, 5),
        on_shift=chance.randint(0, 20000),
    )


def with_limits(problem: Problem, seed: int) -> Problem:
    """Return the problem with some crews that may not travel long."""
    chance = random.Random(seed)
    crews = [
        msgspec.structs.replace(crew, most_travel=chance.choice([None, chance.randint(300, 3000)]))
        for crew in problem.crews
    ]
    return msgspec.structs.replace(problem, crews=tuple(crews))


def with_loads(problem: Problem, seed: int) -> Problem:
    """Return the problem with two kinds of load, delivered and picked up."""
    chance = random.Random(seed)
    crews = [msgspec.structs.replace(crew, capacity=(chance.randint(3, 9), 12)) for crew in problem.crews]
    jobs = [
        msgspec.structs.replace(
            job,
            delivery=(chance.randint(0, 2), chance.randint(0, 3)),
            pickup=(chance.randint(0, 2), chance.randint(0, 3)),
        )
        for job in problem.jobs
    ]
    return msgspec.structs.replace(problem, crews=tuple(crews), jobs=tuple(jobs))


def _job(chance: random.Random, number: int, place: int) -> Job:
    opens = chance.randint(0, 6000)
    closes = opens + chance.randint(300, 3000)
    windows = chance.choice([(), (), (), ((opens, closes),), ((opens, closes), (closes + 600, closes + 2000))])
    return Job(
        id=f"j{number}",
        place=place,
        service=chance.randint(5, 40) * 60,
        setup=chance.choice([0, 120]),
        due=chance.choice([None, *(chance.randint(0, 900) for _ in range(4))]),
        weight=chance.choice([1, 1, 3, 10]),
        release=chance.choice([0, 0, 0, chance.randint(0, 3000)]),
        windows=windows,
        skills=frozenset(["gas"] if chance.random() < 0.15 else []),
        excluded=frozenset(["c0"] if chance.random() < 0.1 else []),
        priority=chance.choice([0, 0, 5]),
        optional=chance.random() < 0.15,
        told=chance.choice([None, None, "c0", "gone"]),
    )


def line_of(crews: int, jobs: int, *, apart: int = 600) -> Problem:
    """Return crews at the beginning of a line and jobs along it, all of one kind, due at once."""
    places = np.array([0] * crews + [number + 1 for number in range(jobs)])
    return Problem(
        crews=tuple(Crew(id=f"c{number}", start=number) for number in range(crews)),
        jobs=tuple(Job(id=f"j{number}", place=crews + number, service=600, due=0) for number in range(jobs)),
        travel=((np.abs(places[:, np.newaxis] - places) * apart).astype(np.int32),),
    )
