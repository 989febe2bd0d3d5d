"""A planning problem: crews, jobs and the seconds between places, as values. Read this first, then `plan`.

Times are whole seconds on one clock of the caller's (seconds from now in the engine). Places are row numbers of the
travel matrices. A `Problem` is checked whole by `check`, which `solve` calls: what is wrong is named by its JSON
pointer, and nothing is dropped silently.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import Meta

Matrix = npt.NDArray[np.int32]
"""Whole seconds from the place of the row to that of the column; `UNREACHABLE` where there is no way."""

UNREACHABLE = -1
MAX_SECONDS = 10**10
"""Beyond this a time is refused; Unix timestamps fit, and sums over a plan stay far below 2^62."""
MAX_LEG = 10**9
"""The longest leg, seconds: a matrix holds 32-bit integers."""

Seconds_ = Annotated[int, Meta(ge=0, le=MAX_SECONDS)]
Amount = Annotated[int, Meta(ge=0, le=10**9)]
Price = Annotated[int, Meta(ge=0, le=10**15)]
Index = Annotated[int, Meta(ge=0)]


class Fault(msgspec.Struct, frozen=True):
    """One thing that is wrong with a problem: where (RFC 6901) and what."""

    pointer: str
    detail: str


class ProblemError(ValueError):
    """A problem that cannot be solved as it is; `faults` says why, each with its place."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        """Take at least one fault."""
        self.faults = faults
        first = faults[0]
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        super().__init__(f"{first.pointer or '/'}: {first.detail}{more}")


class Crew(msgspec.Struct, frozen=True, kw_only=True):
    """A crew as the plan sees it.

    `committed` is work that it has accepted, in the order in which it will be done: it stays first and is never moved.
    `orders_done` and `on_shift` (seconds) weigh fairness. `capacity` is per kind of load, against the jobs'
    `delivery` and `pickup`; `tools` are kept, `parts` are used up, and both are had again at the problem's `store`.
    `most_travel` bounds the seconds on the way, the way home included; not together with a store.
    """

    id: str
    start: Index
    end: Index | None = None
    earliest: Seconds_ = 0
    shift_end: Seconds_ | None = None
    skills: frozenset[str] = frozenset()
    committed: tuple[str, ...] = ()
    orders_done: Amount = 0
    on_shift: Seconds_ = 0
    capacity: tuple[Amount, ...] = ()
    tools: frozenset[str] = frozenset()
    parts: tuple[Amount, ...] = ()
    profile: Index = 0
    most_travel: Seconds_ | None = None


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """An order or a planned visit.

    `due` is soft: late is who begins after it, at `weight` a second. `release` and `windows` (several, in order, both
    ends included) are hard and bound the beginning. `setup` is spent once where the crew has come from another place.
    A job is left out only where it cannot be served, the lower `priority` first; one that is `optional` (a planned
    visit) also gives way wherever serving it would make others later. `told` is the crew that was told of it; another
    one costs `change`.
    """

    id: str
    place: Index
    service: Seconds_ = 0
    setup: Seconds_ = 0
    due: Seconds_ | None = None
    weight: Annotated[int, Meta(ge=0, le=10**6)] = 1
    release: Seconds_ = 0
    windows: tuple[tuple[Seconds_, Seconds_], ...] = ()
    skills: frozenset[str] = frozenset()
    excluded: frozenset[str] = frozenset()
    priority: Annotated[int, Meta(ge=0, le=100)] = 0
    optional: bool = False
    told: str | None = None
    change: Amount = 1
    delivery: tuple[Amount, ...] = ()
    pickup: tuple[Amount, ...] = ()
    tools: frozenset[str] = frozenset()
    parts: tuple[Amount, ...] = ()


class Prices(msgspec.Struct, frozen=True, kw_only=True):
    """What each part of the objective costs: far enough apart that an earlier one decides before a later one.

    Per weighted second late, per late job, per second of travel, per thousandth of an order an hour that a crew gets
    beyond the others, per unit of change, and per crew that moves at all. docs/optimizer.md says how far apart.
    """

    lateness: Price = 100_000_000_000
    late: Price = 2_000_000_000
    travel: Price = 200_000
    fairness: Price = 1
    change: Price = 1
    crew: Price = 0


class Problem(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Who there is, what is to be done, and how long it takes to get there: `travel` holds a matrix per profile."""

    crews: tuple[Crew, ...]
    jobs: tuple[Job, ...]
    travel: tuple[Matrix, ...]
    store: int | None = None
    prices: Prices = Prices()


def check(problem: Problem) -> None:
    """Make sure that a problem can be solved.

    Raises:
        ProblemError: with every fault found, each with its JSON pointer.
    """
    faults = (*_wrong_values(problem), *_wrong_matrices(problem))
    if not faults:
        faults = tuple(_contradictions(problem))
    if faults:
        raise ProblemError(faults)


def pointer(path: str) -> str:
    """Turn a path of msgspec's, `$.jobs[3].due`, into a JSON pointer, `/jobs/3/due`."""
    return path.removeprefix("$").replace("[", "/").replace("]", "").replace(".", "/")


def fault_of(error: msgspec.ValidationError, under: str = "") -> Fault:
    """Return the fault that msgspec found: "Expected `int` >= 0 - at `$.jobs[3].due`"."""
    detail, _, path = str(error).partition(" - at `")
    known, unnamed, _ = path.rstrip("`").partition("[...]")  # so msgspec writes a member that it did not look up
    where = " within it" if unnamed else ""
    return Fault(under + pointer(known), f"{detail}{where}")


def _wrong_values(problem: Problem) -> Iterator[Fault]:
    for name, kind in (("crews", tuple[Crew, ...]), ("jobs", tuple[Job, ...])):
        try:
            msgspec.convert(msgspec.to_builtins(getattr(problem, name)), kind, strict=True)
        except msgspec.ValidationError as error:
            yield fault_of(error, f"/{name}")
        except OverflowError:
            yield Fault(f"/{name}", "holds a number of more than 64 bits")


def _wrong_matrices(problem: Problem) -> Iterator[Fault]:
    if not problem.travel:
        yield Fault("/travel", "holds no matrix")
    for number, matrix in enumerate(problem.travel):
        at = f"/travel/{number}"
        if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
            yield Fault(at, f"is of shape {matrix.shape}, not square")
        elif not np.issubdtype(matrix.dtype, np.integer):
            yield Fault(at, f"holds {matrix.dtype}, not whole seconds")
        elif matrix.shape != problem.travel[0].shape:
            yield Fault(at, f"is of another size than /travel/0: {matrix.shape[0]} rows, not {len(problem.travel[0])}")
        elif matrix.size and (matrix.min() < UNREACHABLE or matrix.max() > MAX_LEG):
            row, column = np.argwhere((matrix < UNREACHABLE) | (matrix > MAX_LEG))[0]
            yield Fault(f"{at}/{row}/{column}", f"{matrix[row, column]} s is not between 0 and {MAX_LEG}")


def _contradictions(problem: Problem) -> Iterator[Fault]:
    places = len(problem.travel[0])
    jobs = {job.id for job in problem.jobs}
    yield from _twice("/crews", [crew.id for crew in problem.crews])
    yield from _twice("/jobs", [job.id for job in problem.jobs])
    if problem.store is not None and not 0 <= problem.store < places:
        yield Fault("/store", f"{problem.store} is no row of a matrix of {places} places")
    held: dict[str, str] = {}
    for number, crew in enumerate(problem.crews):
        at = f"/crews/{number}"
        for name, place in (("start", crew.start), ("end", crew.end)):
            if place is not None and place >= places:
                yield Fault(f"{at}/{name}", f"{place} is no row of a matrix of {places} places")
        if crew.most_travel is not None and problem.store is not None:
            yield Fault(f"{at}/most_travel", "a limit on travel is not planned beside a store")
        if crew.profile >= len(problem.travel):
            yield Fault(f"{at}/profile", f"{crew.profile} is none of the {len(problem.travel)} matrices")
        for place_in_line, job_id in enumerate(crew.committed):
            if job_id not in jobs:
                yield Fault(f"{at}/committed/{place_in_line}", f"there is no job {job_id}")
            elif job_id in held:
                yield Fault(f"{at}/committed/{place_in_line}", f"job {job_id} is committed to {held[job_id]} already")
            held[job_id] = crew.id
    kinds = max((len(crew.capacity) for crew in problem.crews), default=0)
    for number, job in enumerate(problem.jobs):
        yield from _wrong_job(job, f"/jobs/{number}", places, kinds)


def _wrong_job(job: Job, at: str, places: int, kinds: int) -> Iterator[Fault]:
    if job.place >= places:
        yield Fault(f"{at}/place", f"{job.place} is no row of a matrix of {places} places")
    for number, (opens, closes) in enumerate(job.windows):
        if opens > closes:
            yield Fault(f"{at}/windows/{number}", f"ends ({closes}) before it begins ({opens})")
    if any(after[0] <= before[1] for before, after in pairwise(job.windows)):
        yield Fault(f"{at}/windows", "are not in order, or overlap")
    for name, amounts in (("delivery", job.delivery), ("pickup", job.pickup)):
        if kinds and len(amounts) > kinds:
            yield Fault(f"{at}/{name}", f"has {len(amounts)} kinds of load where the crews' capacity has {kinds}")


def _twice(at: str, ids: list[str]) -> Iterator[Fault]:
    first: dict[str, int] = {}
    for number, each in enumerate(ids):
        if first.setdefault(each, number) != number:
            yield Fault(f"{at}/{number}/id", f"{each} is the id of {at}/{first[each]} too")
