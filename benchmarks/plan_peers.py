"""The peers of the plan benchmarks, each made to fit as well as it can be: OR-Tools' routing, VROOM, PyVRP.

Of the three only OR-Tools knows soft deadlines with a price. VROOM and PyVRP know hard windows and jobs that may be
left out: each serves as much weight in time as it can, and what it leaves out is put behind by the list schedule.
"""

from datetime import timedelta
from typing import Any

import numpy as np

from benchmarks.snapshots import Orders, list_schedule
from optimizer import Problem

FAR = 10**7
"""Seconds beyond every plan."""


def or_tools(problem: Problem, seconds: float, *, initial: Orders | None = None) -> dict[str, list[str]]:
    """Solve with soft upper bounds at the deadlines, guided local search; from the given plan where there is one."""
    from ortools.constraint_solver import (  # type: ignore[import-untyped]  # ships no types
        pywrapcp,
        routing_enums_pb2,
    )

    m, n = len(problem.crews), len(problem.jobs)
    nowhere = m + n
    manager = pywrapcp.RoutingIndexManager(nowhere + 1, m, list(range(m)), [nowhere] * m)
    model = pywrapcp.RoutingModel(manager)
    travel = np.zeros((nowhere + 1, nowhere + 1), dtype=np.int64)
    travel[:nowhere, :nowhere] = problem.travel[0]
    service = np.array([0] * m + [job.service for job in problem.jobs] + [0], dtype=np.int64)
    model.SetArcCostEvaluatorOfAllVehicles(model.RegisterTransitMatrix(travel.tolist()))
    model.AddDimension(model.RegisterTransitMatrix((travel + service[:, np.newaxis]).tolist()), 0, FAR, True, "time")
    time = model.GetDimensionOrDie("time")
    for number, job in enumerate(problem.jobs):
        index = manager.NodeToIndex(m + number)
        time.SetCumulVarSoftUpperBound(index, job.due or 0, 1000 * job.weight)
        model.AddDisjunction([index], 10**12)
    parameters: Any = pywrapcp.DefaultRoutingSearchParameters()
    parameters.first_solution_strategy = routing_enums_pb2.FirstSolutionStrategy.PARALLEL_CHEAPEST_INSERTION
    parameters.local_search_metaheuristic = routing_enums_pb2.LocalSearchMetaheuristic.GUIDED_LOCAL_SEARCH
    parameters.time_limit.FromMilliseconds(round(1000 * seconds))
    if initial is None:
        found = model.SolveWithParameters(parameters)
    else:
        row = {job.id: m + number for number, job in enumerate(problem.jobs)}
        model.CloseModelWithParameters(parameters)
        start = model.ReadAssignmentFromRoutes([[row[each] for each in initial[c.id]] for c in problem.crews], True)
        found = model.SolveFromAssignmentWithParameters(start, parameters)
    if found is None:
        return list_schedule(problem, initial)
    lines: dict[str, list[str]] = {}
    for number, crew in enumerate(problem.crews):
        index, line = found.Value(model.NextVar(model.Start(number))), list[str]()
        while not model.IsEnd(index):
            line.append(problem.jobs[manager.IndexToNode(index) - m].id)
            index = found.Value(model.NextVar(index))
        lines[crew.id] = line
    return list_schedule(problem, lines)


def vroom(problem: Problem, seconds: float) -> dict[str, list[str]]:
    """Serve as much priority within hard windows that end at the deadlines as VROOM can, the rest behind."""
    import vroom as peer  # type: ignore[import-untyped]  # ships no types

    made = peer.Input()
    made.set_durations_matrix("car", problem.travel[0].astype(np.uint32))
    for crew in problem.crews:
        made.add_vehicle(peer.Vehicle(int(crew.id), start=crew.start))
    for job in problem.jobs:
        windows = [peer.TimeWindow(0, job.due or 0)]
        made.add_job(
            peer.Job(
                int(job.id), job.place, default_service=job.service, priority=10 * job.weight, time_windows=windows
            )
        )
    solution = made.solve(exploration_level=5, nb_threads=1, timeout=timedelta(seconds=seconds))
    lines: dict[str, list[str]] = {crew.id: [] for crew in problem.crews}
    routes = solution.routes
    for vehicle, kind, each in zip(routes["vehicle_id"], routes["type"], routes["id"], strict=True):
        if kind == "job":
            lines[str(int(vehicle))].append(str(int(each)))
    return list_schedule(problem, lines)


def pyvrp(problem: Problem, seconds: float) -> dict[str, list[str]]:
    """Serve as much weight within hard windows that end at the deadlines as PyVRP can, the rest behind."""
    from pyvrp import Model
    from pyvrp.stop import MaxRuntime

    model = Model()
    places = [model.add_location(0, 0) for _ in range(len(problem.travel[0]) + 1)]
    depots = [model.add_depot(places[crew.start]) for crew in problem.crews]
    nowhere = model.add_depot(places[-1])
    for crew, depot in zip(problem.crews, depots, strict=True):
        model.add_vehicle_type(1, start_depot=depot, end_depot=nowhere, name=crew.id)
    for job in problem.jobs:
        model.add_client(
            places[job.place],
            service_duration=job.service,
            tw_late=job.due or 0,
            prize=job.weight * 10_000,
            required=False,
            name=job.id,
        )
    travel = problem.travel[0]
    for i in range(len(travel)):
        model.add_edge(places[i], places[-1], distance=0, duration=0)
        for j in range(len(travel)):
            model.add_edge(places[i], places[j], distance=int(travel[i, j]), duration=int(travel[i, j]))
    result = model.solve(MaxRuntime(seconds), display=False, collect_stats=False)
    lines: dict[str, list[str]] = {crew.id: [] for crew in problem.crews}
    if result.is_feasible():
        for route in result.best.routes():
            line = [problem.jobs[visit.idx].id for visit in route if visit.is_client()]
            lines[problem.crews[route.vehicle_type()].id] = line
    return list_schedule(problem, lines)
