"""A `Plan` to VROOM's JSON, with `weighted_tardiness` in the summary and a `reason` for each job left out."""

from collections.abc import Iterable
from itertools import zip_longest
from typing import Any, Literal

from optimizer.plan import LeftOut, Plan, Route, Stop
from optimizer.problem import Crew, Job, Problem


def write(
    problem: Problem,
    plan: Plan,
    document: dict[str, Any],
    *,
    computing_ms: dict[str, int],
    stopped_by: Literal["iterations", "time"] = "iterations",
) -> dict[str, Any]:
    """Return the output for the document that the problem was read from. `cost` is travel seconds, as VROOM's is."""
    jobs = {job.id: job for job in problem.jobs}
    crews = {crew.id: crew for crew in problem.crews}
    given = {str(job["id"]): job for job in document.get("jobs", [])}
    vehicles = {str(vehicle["id"]): vehicle for vehicle in document.get("vehicles", [])}
    routes = [
        _route(route, crews[route.crew], vehicles[route.crew], jobs, given) for route in plan.routes if route.stops
    ]
    totals = ["cost", "setup", "service", "duration", "waiting_time", "priority"]
    if any(matrices.get("distances") is not None for matrices in document.get("matrices", {}).values()):
        for route in routes:
            _measure(route, document["matrices"][_profile(vehicles[str(route["vehicle"])])]["distances"])
        totals.append("distance")
    return {
        "code": 0,
        "summary": {
            **{name: sum(route[name] for route in routes) for name in totals},
            **{name: _added(route[name] for route in routes) for name in ("delivery", "pickup")},
            "routes": len(routes),
            "unassigned": len(plan.left_out),
            "weighted_tardiness": plan.figures.weighted_lateness,
            "late": plan.figures.late,
            "violations": [],
            "iterations": plan.iterations,
            "stopped_by": stopped_by,
            "computing_times": computing_ms,
        },
        "unassigned": [_unassigned(left, jobs[left.job], given[left.job]) for left in plan.left_out],
        "routes": routes,
    }


def _added(amounts: Iterable[list[int]]) -> list[int]:
    return [sum(kind) for kind in zip_longest(*amounts, fillvalue=0)]


def _route(
    route: Route, crew: Crew, vehicle: dict[str, Any], jobs: dict[str, Job], given: dict[str, Any]
) -> dict[str, Any]:
    kinds = range(len(vehicle.get("capacity", ())))  # a crew has one kind more where tasks are limited
    mine = [jobs[stop.job] for stop in route.stops]
    load = [sum(_amount(job.delivery, kind) for job in mine) for kind in kinds]
    loaded = list(load)
    steps = []
    if vehicle.get("start") is not None or vehicle.get("start_index") is not None:
        steps.append(_end("start", vehicle, "start", route.begins, 0, loaded))
    driven = 0
    for stop, job in zip(route.stops, mine, strict=True):
        driven += stop.travel
        load = [load[k] + _amount(job.pickup, k) - _amount(job.delivery, k) for k in kinds]
        steps.append(_step(stop, job, given[job.id], driven, load))
    if crew.end is not None:
        driven += route.travel_home
        steps.append(_end("end", vehicle, "end", route.ends, driven, load))
    return {
        "vehicle": vehicle["id"],
        "cost": driven,
        "setup": sum(stop.setup for stop in route.stops),
        "service": sum(stop.service for stop in route.stops),
        "duration": driven,
        "waiting_time": sum(stop.waiting for stop in route.stops),
        "priority": sum(job.priority for job in mine),
        "delivery": loaded,
        "pickup": [sum(_amount(job.pickup, k) for job in mine) for k in kinds],
        **({"description": vehicle["description"]} if vehicle.get("description") else {}),
        "steps": steps,
        "violations": [],
    }


def _step(stop: Stop, job: Job, given: dict[str, Any], driven: int, load: list[int]) -> dict[str, Any]:
    return {
        "type": "job",
        **_where(given, "location"),
        "id": given["id"],
        "job": given["id"],
        "setup": stop.setup,
        "service": stop.service,
        "waiting_time": stop.waiting,
        "load": load,
        "arrival": stop.arrival,
        "duration": driven,
        **({"tardiness": stop.late} if job.due is not None else {}),
        **({"description": given["description"]} if given.get("description") else {}),
        "violations": [],
    }


def _end(kind: str, vehicle: dict[str, Any], member: str, at: int, driven: int, load: list[int]) -> dict[str, Any]:
    return {
        "type": kind,
        **_where(vehicle, member),
        "setup": 0,
        "service": 0,
        "waiting_time": 0,
        "load": list(load),
        "arrival": at,
        "duration": driven,
        "violations": [],
    }


def _unassigned(left: LeftOut, job: Job, given: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": given["id"],
        "type": "job",
        **_where(given, "location"),
        **({"description": given["description"]} if given.get("description") else {}),
        "reason": left.detail,
        "reason_code": left.reason,
    }


def _profile(vehicle: dict[str, Any]) -> str:
    return str(vehicle.get("profile", "car"))


def _measure(route: dict[str, Any], distances: list[list[int]]) -> None:
    """Write into a route and its steps how far it is from where the route begins."""
    driven, here = 0, route["steps"][0]["location_index"]
    for step in route["steps"]:
        driven += distances[here][step["location_index"]]
        here, step["distance"] = step["location_index"], driven
    route["distance"] = driven


def _where(given: dict[str, Any], member: str) -> dict[str, Any]:
    index = f"{member}_index"
    return {
        **({"location": given[member]} if given.get(member) is not None else {}),
        **({"location_index": given[index]} if given.get(index) is not None else {}),
    }


def _amount(amounts: tuple[int, ...], kind: int) -> int:
    return amounts[kind] if kind < len(amounts) else 0
