"""VROOM's JSON to a `Problem`: every fault is named by its place in the document."""

from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from typing import Any, TypeVar

import msgspec
import numpy as np

from geo.travel import MetricTravel
from optimizer.problem import (
    MAX_LEG,
    UNREACHABLE,
    Crew,
    Fault,
    Job,
    Matrix,
    Prices,
    Problem,
    ProblemError,
    check,
    fault_of,
)
from optimizer.vroom.shapes import (
    DEFAULT_PROFILE,
    Costs,
    Document,
    Former,
    JobShape,
    Legs,
    Matrices,
    Names,
    StepOut,
    Vehicle,
)

T = TypeVar("T")

NOT_KEPT = {
    "shipments": "shipments are not planned: give each end as a job with `pickup` or `delivery`",
    "breaks": "breaks are not planned: give the vehicle a `time_window`, or two vehicles with one each",
    "costs": "costs of vehicles are not planned: the objective is lateness, then travel time; leave them out",
    "max_distance": "a limit on distance is not planned: use `max_travel_time`",
    "steps": "steps are not read: give them as a former output by --initial",
    "setup_per_type": "setups by type of vehicle are not planned: give one `setup`",
    "service_per_type": "services by type of vehicle are not planned: give one `service`",
    "matrices": "a matrix of costs is not planned with: the objective is lateness, then travel time; leave it out",
    "amount": "amounts are not read, as in VROOM since 1.3: give `delivery` or `pickup`",
}
"""What VROOM knows and is not planned with; refused where it would change a plan, with the way out."""
OURS = ("due", "weight", "optional")
PRICES = Prices(fairness=0, change=0)
"""Lateness ahead of travel, and nothing else: VROOM knows no fairness, and nobody was told of anything."""
ANYWHERE = -1
"""Where a vehicle with an end alone starts: at its first job, wherever that is."""
AMPLE = 10**9
"""The capacity of a vehicle without a limit on its tasks, where another has one."""
_NAMES = {"crews": "vehicles", "committed": "steps", "place": "location_index"}


def read(text: bytes) -> Problem:
    """Return the problem of a document. Its ids are those of the document, as text.

    Raises:
        ProblemError: it is no JSON, not of this form, or contradicts itself.
    """
    document = _decode(text, Document)
    _decode(text, Any)  # what is not read must be JSON, too: the answer repeats some of it
    slips = _slips("", _decode(text, dict[str, msgspec.Raw]), Document.__struct_fields__)
    faults = [*slips, *_not_kept(document, _decode(text, Names)), *_places(document)]
    if faults:
        raise ProblemError(tuple(faults))
    profiles = sorted({(vehicle.profile, vehicle.speed_factor) for vehicle in document.vehicles}) or [
        (DEFAULT_PROFILE, 1.0)
    ]
    travel = _matrices(document, profiles)
    by_index = bool(document.profiles)
    if faults := list(_beyond(document, len(travel[0]) if travel else 0)):
        raise ProblemError(tuple(faults))
    index = _Places()
    counted = any(vehicle.max_tasks is not None for vehicle in document.vehicles)
    kinds = max((len(vehicle.capacity) for vehicle in document.vehicles), default=0) if counted else None
    jobs = tuple(_job(each, index, by_index=by_index, kinds=kinds) for each in document.jobs)
    crews = tuple(_crew(each, index, profiles, by_index=by_index, kinds=kinds) for each in document.vehicles)
    travel = travel if by_index else index.travel(profiles)
    if any(crew.start == ANYWHERE for crew in crews):
        anywhere = len(travel[0])
        travel = tuple(map(_with_anywhere, travel))
        crews = tuple(
            msgspec.structs.replace(crew, start=anywhere) if crew.start == ANYWHERE else crew for crew in crews
        )
    problem = Problem(crews=crews, jobs=jobs, travel=travel, prices=PRICES)
    try:
        check(problem)
    except ProblemError as error:
        raise ProblemError(
            tuple(
                Fault(_in_their_words(fault.pointer), fault.detail.replace("/crews/", "/vehicles/"))
                for fault in error.faults
            )
        ) from None
    return problem


def read_former(text: bytes) -> Former:
    """Return a former output.

    Raises:
        ProblemError: it is none.
    """
    former = _decode(text, Former)
    if faults := tuple(_nameless(former)):
        raise ProblemError(faults)
    return former


def _nameless(former: Former) -> Iterator[Fault]:
    for number, route in enumerate(former.routes):
        for place, step in enumerate(route.steps):
            if step.type == "job" and step.names is None:
                yield Fault(f"/routes/{number}/steps/{place}/id", "is missing: a step of a job names it")


def begun(problem: Problem, former: Former) -> Problem:
    """Return the problem with what has begun by then committed: steps that a crew set out for by its earliest time."""
    known = {job.id for job in problem.jobs}
    routes = {str(route.vehicle): route.steps for route in former.routes}
    crews, taken = [], set[str]()
    for crew in problem.crews:
        kept: list[str] = []
        left = 0
        for number, step in enumerate(routes.get(crew.id, ())):
            if step.type == "job" and str(step.names) in known and str(step.names) not in taken:
                if number > 0 and left > crew.earliest:
                    break
                kept.append(str(step.names))
                taken.add(str(step.names))
            left = _leaves(step)
        crews.append(msgspec.structs.replace(crew, committed=tuple(kept)))
    return msgspec.structs.replace(problem, crews=tuple(crews))


def orders_of(former: Former) -> dict[str, tuple[str, ...]]:
    """Return the ids of each vehicle's jobs in order."""
    return {
        str(route.vehicle): tuple(str(step.names) for step in route.steps if step.type == "job")
        for route in former.routes
    }


def _leaves(step: StepOut) -> int:
    return step.arrival + step.waiting_time + step.setup + step.service


def _decode(text: bytes, kind: type[T], under: str = "") -> T:
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.ValidationError as error:
        raise ProblemError((fault_of(error, under),)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ProblemError((Fault("", f"is not JSON: {error}"),)) from None
    except RecursionError:
        raise ProblemError((Fault("", "is nested too deep"),)) from None


def _not_kept(document: Document, names: Names) -> Iterator[Fault]:
    """Find what would change the plan and is not planned with, and what looks like a slip in one of our own names."""
    if document.shipments:
        yield Fault("/shipments", NOT_KEPT["shipments"])
    if document.matrix and document.matrices:
        yield Fault("/matrix", "is the older form of `matrices`, which are given too: leave one out")
    plain = Vehicle(id=0)
    for number, members in enumerate(names.vehicles):
        yield from _slips(f"/vehicles/{number}", members, Vehicle.__struct_fields__)
        for name in _decode(bytes(members["costs"]), dict[str, object]) if "costs" in members else ():
            if name not in Costs.__struct_fields__:
                yield Fault(f"/vehicles/{number}/costs/{_escaped(name)}", NOT_KEPT["costs"])
    for number, vehicle in enumerate(document.vehicles):
        for name in ("breaks", "costs", "max_distance", "steps"):
            if getattr(vehicle, name) != getattr(plain, name):
                yield Fault(f"/vehicles/{number}/{name}", NOT_KEPT[name])
    for number, members in enumerate(names.jobs):
        yield from _slips(f"/jobs/{number}", members, JobShape.__struct_fields__, ours=OURS)
        for name in members:
            if name in ("setup_per_type", "service_per_type", "amount"):
                yield Fault(f"/jobs/{number}/{name}", NOT_KEPT[name])


def _slips(at: str, members: Iterable[str], known: Sequence[str], *, ours: Sequence[str] = ()) -> Iterator[Fault]:
    """Find members that are a known one in other capitals, underscores or number; of `ours`, whatever looks like one.

    A `time_window` of a job or a `skill` would change the plan, and nobody would see that it did not.
    """
    plain = {_plain(name): name for name in known}
    for name in members:
        if name in known:
            continue
        near = [each for each in ours if sorted(each) == sorted(name.lower())]
        near += get_close_matches(name.lower(), ours, 1, 0.75)
        if meant := plain.get(_plain(name)) or next(iter(near), None):
            yield Fault(f"{at}/{_escaped(name)}", f"is not known; did you mean `{meant}`?")


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "").rstrip("s")


def _places(document: Document) -> Iterator[Fault]:
    """Look whether each place is given in the one way that the document asks for, and lies on the map."""
    indexed = bool(document.profiles)
    for number, vehicle in enumerate(document.vehicles):
        at = f"/vehicles/{number}"
        ends = (vehicle.start_index, vehicle.end_index) if indexed else (vehicle.start, vehicle.end)
        if ends == (None, None):
            name = "start_index" if indexed else "start"
            yield Fault(f"{at}/{name}", "is missing: a vehicle starts or ends somewhere")
        yield from _off_map(f"{at}/start", None if indexed else vehicle.start)
        yield from _off_map(f"{at}/end", None if indexed else vehicle.end)
        if vehicle.time_window is not None and vehicle.time_window[0] > vehicle.time_window[1]:
            yield Fault(f"{at}/time_window", "ends before it begins")
        if indexed and vehicle.profile not in document.profiles:
            yield Fault(f"{at}/profile", f"there is no matrix for {vehicle.profile}")
    for number, job in enumerate(document.jobs):
        at = f"/jobs/{number}"
        if (job.location_index if indexed else job.location) is None:
            name = "location_index" if indexed else "location"
            yield Fault(f"{at}/{name}", "is missing: a job is somewhere")
        yield from _off_map(f"{at}/location", None if indexed else job.location)


def _beyond(document: Document, size: int) -> Iterator[Fault]:
    """Look whether each index is that of a row."""
    if not document.profiles:
        return
    given = [
        (f"/vehicles/{number}/{name}", getattr(vehicle, name))
        for number, vehicle in enumerate(document.vehicles)
        for name in ("start_index", "end_index")
    ]
    given += [(f"/jobs/{number}/location_index", job.location_index) for number, job in enumerate(document.jobs)]
    for at, row in given:
        if row is not None and row >= size:
            yield Fault(at, f"{row} is no row of a matrix of {size} places")


def _off_map(at: str, place: Sequence[float] | None) -> Iterator[Fault]:
    if place is None:
        return
    for number, (name, most) in enumerate((("longitude", 180.0), ("latitude", 90.0))):
        if not -most <= place[number] <= most:
            yield Fault(f"{at}/{number}", f"{place[number]} is no {name}: it is not between -{most:g} and {most:g}")


def _matrices(document: Document, profiles: Sequence[tuple[str, float]]) -> tuple[Matrix, ...]:
    if not document.profiles:
        return ()
    tables: dict[str, Matrix] = {}
    metres: dict[str, Matrix] = {}
    size: int | None = None
    for name, under, durations, distances in _given(document):
        size = len(durations) if size is None else size
        tables[name] = _table(durations, size, under)
        if distances is not None:
            at = f"/matrices/{_escaped(name)}/distances"
            metres[name] = _table(distances, size, at)
            unknown = np.argwhere((metres[name] == UNREACHABLE) & (tables[name] != UNREACHABLE))
            if len(unknown):
                pair = "/".join(map(str, unknown[0]))
                raise ProblemError((Fault(f"{at}/{pair}", "is null where there is a duration"),))
    if metres and (lacking := [profile for profile, _ in profiles if profile in tables and profile not in metres]):
        under = f"/matrices/{_escaped(lacking[0])}/distances"
        raise ProblemError((Fault(under, f"is missing, and {next(iter(metres))} has distances"),))
    names = [profile for profile in profiles if profile[0] in tables] or [(next(iter(tables)), 1.0)]
    return tuple(_at_speed(tables[name], factor) for name, factor in names)


def _given(document: Document) -> Iterator[tuple[str, str, Legs, Legs | None]]:
    """Yield each profile with the place of its durations in the document, the durations and, if given, distances."""
    if document.matrix:
        yield DEFAULT_PROFILE, "/matrix", document.matrix, None
    for name, raw in document.matrices.items():
        under = f"/matrices/{_escaped(name)}"
        given = _decode(bytes(raw), Matrices, under)
        if given.costs is not None:
            raise ProblemError((Fault(f"{under}/costs", NOT_KEPT["matrices"]),))
        yield name, f"{under}/durations", given.durations, given.distances


def _table(rows: list[list[int | None]], size: int, at: str) -> Matrix:
    if len(rows) != size:
        raise ProblemError((Fault(at, f"has {len(rows)} rows where another matrix has {size}"),))
    for number, row in enumerate(rows):
        if len(row) != size:
            raise ProblemError((Fault(f"{at}/{number}", f"has {len(row)} columns in a matrix of {size} rows"),))
    legs = [[UNREACHABLE if leg is None else leg for leg in row] for row in rows]
    return np.array(legs, dtype=np.int32).reshape(size, size)


def _at_speed(table: Matrix, factor: float) -> Matrix:
    if factor == 1.0:
        return table
    slower = np.minimum(np.ceil(table / factor), MAX_LEG).astype(np.int32)
    return np.where(table < 0, np.int32(UNREACHABLE), slower)


def _with_anywhere(table: Matrix) -> Matrix:
    """Return the table with one more place, from which every other is at once and to which there is no way."""
    wider = np.pad(table, ((0, 1), (0, 1)))
    wider[:-1, -1] = UNREACHABLE
    return wider


class _Places:
    """The coordinates that were named, each once, in the order in which they were first."""

    def __init__(self) -> None:
        self.rows: dict[tuple[float, float], int] = {}

    def row(self, place: Sequence[float]) -> int:
        return self.rows.setdefault((place[0], place[1]), len(self.rows))

    def travel(self, profiles: Sequence[tuple[str, float]]) -> tuple[Matrix, ...]:
        """Return whole seconds by great circle, detour and speed, for each profile and speed."""
        places = np.array(list(self.rows), dtype=np.float64).reshape(-1, 2)
        metric = MetricTravel()
        seconds = metric.matrix(places, places)
        return tuple(np.ceil(seconds / factor).astype(np.int32) for _, factor in profiles)


def _crew(
    vehicle: Vehicle, index: _Places, profiles: Sequence[tuple[str, float]], *, by_index: bool, kinds: int | None
) -> Crew:
    """Return a vehicle as a crew; a limit on tasks is one more kind of load after `kinds`, of which each job is 1."""
    opens, closes = vehicle.time_window or (0, None)
    end: Any = vehicle.end_index if by_index else vehicle.end
    start: Any = vehicle.start_index if by_index else vehicle.start
    return Crew(
        id=str(vehicle.id),
        start=ANYWHERE if start is None else start if by_index else index.row(start),
        end=end if by_index or end is None else index.row(end),
        earliest=opens,
        shift_end=closes,
        skills=frozenset(map(str, vehicle.skills)),
        capacity=tuple(vehicle.capacity)
        if kinds is None
        else _filled(vehicle.capacity, kinds, AMPLE, AMPLE if vehicle.max_tasks is None else vehicle.max_tasks),
        profile=profiles.index((vehicle.profile, vehicle.speed_factor)),
        most_travel=vehicle.max_travel_time,
    )


def _filled(amounts: Sequence[int], kinds: int, usual: int, last: int) -> tuple[int, ...]:
    return (*amounts, *[usual] * (kinds - len(amounts)), last)


def _job(job: JobShape, index: _Places, *, by_index: bool, kinds: int | None) -> Job:
    place: Any = job.location_index if by_index else job.location
    return Job(
        id=str(job.id),
        place=place if by_index else index.row(place),
        service=job.service,
        setup=job.setup,
        due=job.due,
        weight=job.weight,
        windows=tuple((opens, closes) for opens, closes in job.time_windows),
        skills=frozenset(map(str, job.skills)),
        priority=job.priority,
        optional=job.optional,
        delivery=tuple(job.delivery) if kinds is None else _filled(job.delivery, kinds, 0, 1),
        pickup=tuple(job.pickup) if kinds is None else _filled(job.pickup, kinds, 0, 0),
    )


def _in_their_words(at: str) -> str:
    names = {
        **_NAMES,
        "windows": "time_windows",
        "earliest": "time_window/0",
        "shift_end": "time_window/1",
        "most_travel": "max_travel_time",
    }
    parts = at.split("/")
    if parts[1:2] == ["crews"]:
        names = {**names, "start": "start_index", "end": "end_index"}
    return "/".join(names.get(part, part) for part in parts)


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
