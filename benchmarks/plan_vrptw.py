"""Vehicle routing with hard windows and loads: the gap to the best known distance, ours beside VROOM and PyVRP.

Solomon's instances with 100 customers, distances cut to one decimal, best known by distance alone; Gehring and
Homberger's with 200, where the best known use the fewest vehicles first, so that a plan that looks at distance alone,
as all three do here, may lie below them. Every plan is checked and measured by the same few lines.
"""

import csv
import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from statistics import fmean
from typing import Any

import msgspec
import numpy as np

from benchmarks.data import data_folder
from benchmarks.figures import Row, row
from optimizer import Crew, Job, Prices, Problem, Seconds, solve
from optimizer.problem import Matrix

NAME = "plan-vrptw"
UNIT = "mean gap to best known distance where both serve everybody, %, less is better"
LEFT_UNIT = "instances in which somebody is not served, less is better"
Lines = list[list[str]]


class Instance(msgspec.Struct, frozen=True, eq=False):
    """A problem, the best known distance, and how many of our seconds make one of its units."""

    problem: Problem
    best: float
    unit: int


def run(*, times: Sequence[float] = (1.0, 10.0), every: int = 5) -> list[Row]:
    """Measure every `every`-th instance of both sets; returns a row per set, time and peer."""
    folder = data_folder()
    sets = {
        "Solomon 100": _solomon(folder / "solomon")[::every],
        "Gehring-Homberger 200": _homberger(folder / "gehring-homberger-200")[:: 2 * every],
    }
    solvers: dict[str, Callable[[Instance, float], Lines]] = {"ours": _ours, "VROOM": _vroom, "PyVRP": _pyvrp}
    rows = []
    for name, instances in sets.items():
        for seconds in times if instances else ():
            gaps = {who: [_gap(each, solver(each, seconds)) for each in instances] for who, solver in solvers.items()}
            rows += _compared(f"{name}, {seconds:g} s", gaps)
    return rows


def _compared(figure: str, gaps: Mapping[str, Sequence[float]]) -> list[Row]:
    """Return two rows per peer: in how many instances somebody is left out, and the gap where nobody is."""
    rows, left = [], {who: sum(map(math.isinf, theirs)) for who, theirs in gaps.items()}
    for peer in sorted(gaps.keys() - {"ours"}):
        of = f"{figure}, {len(gaps[peer])} instances"
        rows.append(row(NAME, of, LEFT_UNIT, ours=left["ours"], peer=left[peer], peer_name=peer))
        both = [pair for pair in zip(gaps["ours"], gaps[peer], strict=True) if not any(map(math.isinf, pair))]
        if both:
            ours, theirs = map(fmean, zip(*both, strict=True))
            rows.append(row(NAME, f"{figure}, {len(both)} instances", UNIT, ours=ours, peer=theirs, peer_name=peer))
    return rows


def _ours(instance: Instance, seconds: float) -> Lines:
    plan = solve(instance.problem, stop=Seconds(seconds))
    return [list(line) for line in plan.orders().values() if line]


def _gap(instance: Instance, lines: Lines) -> float:
    """Return the gap in percent; infinity where a customer is not served, in time and once."""
    problem = instance.problem
    jobs = {job.id: job for job in problem.jobs}
    matrix, room, total = problem.travel[0], problem.crews[0].capacity[0], 0
    if sorted(each for line in lines for each in line) != sorted(jobs) or len(lines) > len(problem.crews):
        return math.inf
    for line in lines:
        clock, here = 0, 0
        for each in line:
            job = jobs[each]
            total += int(matrix[here, job.place])
            clock = max(clock + int(matrix[here, job.place]), job.windows[0][0])
            if clock > job.windows[0][1]:
                return math.inf
            clock, here = clock + job.service, job.place
        total += int(matrix[here, 0])
        if sum(jobs[each].delivery[0] for each in line) > room:
            return math.inf
    return 100.0 * (total / instance.unit / instance.best - 1.0)


def _vroom(instance: Instance, seconds: float) -> Lines:
    import vroom as peer  # type: ignore[import-untyped]  # ships no types

    problem = instance.problem
    made = peer.Input()
    made.set_durations_matrix("car", problem.travel[0].astype(np.uint32))
    for crew in problem.crews:
        window = peer.TimeWindow(0, crew.shift_end or 0)
        vehicle = peer.Vehicle(int(crew.id), start=0, end=0, capacity=list(crew.capacity), time_window=window)
        made.add_vehicle(vehicle)
    for job in problem.jobs:
        made.add_job(
            peer.Job(
                int(job.id),
                job.place,
                default_service=job.service,
                delivery=peer.Amount(list(job.delivery)),
                time_windows=[peer.TimeWindow(*job.windows[0])],
            )
        )
    solution = made.solve(exploration_level=5, nb_threads=1, timeout=timedelta(seconds=seconds))
    lines: dict[int, list[str]] = {}
    routes = solution.routes
    for vehicle, kind, each in zip(routes["vehicle_id"], routes["type"], routes["id"], strict=True):
        if kind == "job":
            lines.setdefault(int(vehicle), []).append(str(int(each)))
    return list(lines.values())


def _pyvrp(instance: Instance, seconds: float) -> Lines:
    from pyvrp import Model
    from pyvrp.stop import MaxRuntime

    problem, model = instance.problem, Model()
    places = [model.add_location(0, 0) for _ in range(len(problem.travel[0]))]
    depot = model.add_depot(places[0])
    crew = problem.crews[0]
    model.add_vehicle_type(len(problem.crews), list(crew.capacity), depot, depot, tw_late=crew.shift_end or 0)
    for job in problem.jobs:
        opens, closes = job.windows[0]
        model.add_client(
            places[job.place],
            delivery=list(job.delivery),
            service_duration=job.service,
            tw_early=opens,
            tw_late=closes,
        )
    for i, legs in enumerate(problem.travel[0].tolist()):
        for j, leg in enumerate(legs):
            model.add_edge(places[i], places[j], distance=leg, duration=leg)
    result = model.solve(MaxRuntime(seconds), display=False, collect_stats=False)
    if not result.is_feasible():
        return []
    return [[problem.jobs[visit.idx].id for visit in route if visit.is_client()] for route in result.best.routes()]


def _solomon(folder: Path) -> list[Instance]:
    best = _best_of_solomon(folder / "solomon-100-minD.sol")
    paths = sorted((folder / "solomon_100").glob("*.txt"))
    return [_read(path, best[path.stem], unit=10, cut=True) for path in paths if path.stem in best]


def _homberger(folder: Path) -> list[Instance]:
    if not (folder / "best-known.csv").exists():
        return []
    with (folder / "best-known.csv").open(newline="") as file:
        best = {line["instance"].lower(): float(line["distance"]) for line in csv.DictReader(file)}
    paths = sorted(folder.glob("*.vrptw"))
    return [_read(path, best[path.name.split(".")[0].lower()], unit=1000, cut=False) for path in paths]


def _best_of_solomon(path: Path) -> dict[str, float]:
    if not path.exists():
        return {}
    found: dict[str, Any] = dict(re.findall(r"(?m)^(R?C?\d{3}) = (\d+\.?\d*)", path.read_text()))
    return {name: float(value) for name, value in found.items()}


def _read(path: Path, best: float, *, unit: int, cut: bool) -> Instance:
    """Return an instance; `cut` distances to whole units, or round them to the nearest."""
    (vehicles, room), customers = _solomon_rows(path) if path.suffix == ".txt" else _vrplib_rows(path)
    places = np.array([customer[1:3] for customer in customers], dtype=np.float64)
    legs = np.hypot(*(places[:, np.newaxis] - places).transpose(2, 0, 1)) * unit
    travel: Matrix = (np.floor(legs) if cut else np.rint(legs)).astype(np.int32)
    horizon = customers[0][5] * unit
    crews = tuple(
        Crew(id=str(number + 1), start=0, end=0, shift_end=horizon, capacity=(room,)) for number in range(vehicles)
    )
    jobs = tuple(
        Job(
            id=str(number),
            place=number,
            delivery=(demand,),
            windows=((opens * unit, closes * unit),),
            service=service * unit,
        )
        for number, (_, _, _, demand, opens, closes, service) in enumerate(customers)
        if number > 0
    )
    prices = Prices(fairness=0, change=0)
    return Instance(Problem(crews=crews, jobs=jobs, travel=(travel,), prices=prices), best, unit)


def _solomon_rows(path: Path) -> tuple[list[int], list[list[int]]]:
    """Return vehicles and room, and a row (number, x, y, demand, opens, closes, service) per customer."""
    lines = [re.findall(r"\d+", line) for line in path.read_text().splitlines()[1:]]
    numbers = [[int(each) for each in line] for line in lines]
    return next(line for line in numbers if len(line) == 2), [line for line in numbers if len(line) == 7]


def _vrplib_rows(path: Path) -> tuple[list[int], list[list[int]]]:
    """Return the same of a file in VRPLIB's form."""
    head: dict[str, str] = {}
    sections: dict[str, dict[int, list[int]]] = {}
    rows: dict[int, list[int]] = {}
    for line in path.read_text().splitlines():
        name, colon, value = line.partition(":")
        if colon:
            head[name.strip()] = value.strip()
        elif line.strip().endswith("_SECTION"):
            rows = sections.setdefault(line.strip(), {})
        elif re.match(r"\s*\d", line):
            number, *values = (int(float(each)) for each in line.split())
            rows[number] = values
    demand, windows = sections["DEMAND_SECTION"], sections["TIME_WINDOW_SECTION"]
    service, depot = int(head["SERVICE_TIME"]), min(windows)
    customers = [
        [number, *place, *demand[number], *windows[number], 0 if number == depot else service]
        for number, place in sections["NODE_COORD_SECTION"].items()
    ]
    return [int(head["VEHICLES"]), int(head["CAPACITY"])], customers
