"""When a crew is where: the one reference for times and costs, in plain Python.

The compiled search must price every route as `walk` does, which the tests hold it to. Committed work is walked as it
is, whatever it breaks; behind it a route is either feasible or not.
"""

from collections.abc import Iterable, Mapping, Sequence

from optimizer.plan import Figures, Reason, Route, Stop
from optimizer.problem import UNREACHABLE, Crew, Job, Problem


class Infeasible(Exception):  # a result of looking, named for what is the case
    """A route that cannot be done: the job that it fails at, None for the way home, and why."""

    def __init__(self, job: str | None, reason: Reason, detail: str) -> None:
        """Say where and why."""
        super().__init__(detail)
        self.job, self.reason, self.detail = job, reason, detail


def walk(problem: Problem, crew: Crew, jobs: Sequence[Job]) -> Route:
    """Return the route of a crew that does its committed jobs and then the others of `jobs`, in the order given.

    Where tools or parts run short, the way leads once over the store, at the place where that costs least.

    Raises:
        Infeasible: at the first job that cannot be done.
    """
    fixed = len(crew.committed)
    check_loads(crew, jobs, fixed)
    lacks = first_lack(crew, jobs, fixed)
    if lacks is None:
        return _walk(problem, crew, jobs, None)
    if problem.store is None:
        job = jobs[lacks]
        raise Infeasible(job.id, "supplies", f"crew {crew.id} lacks a tool or part and there is no store")
    found: list[tuple[int, Route]] = []
    failure: Infeasible | None = None
    for before in range(fixed, lacks + 1):
        try:
            route = _walk(problem, crew, jobs, before)
        except Infeasible as error:
            failure = error
        else:
            found.append((price(problem, crew, route), route))
    if found:
        return min(found, key=lambda each: each[0])[1]
    assert failure is not None
    raise failure


def check_loads(crew: Crew, jobs: Sequence[Job], fixed: int) -> None:
    """Make sure that the loads fit: all deliveries are on board at the start, pick-ups stay until the end.

    Raises:
        Infeasible: for the last job, where they do not; committed work alone always fits.
    """
    for kind, room in enumerate(crew.capacity):
        load = highest = sum(_amount(job.delivery, kind) for job in jobs)
        for job in jobs:
            load += _amount(job.pickup, kind) - _amount(job.delivery, kind)
            highest = max(highest, load)
        if highest > room and len(jobs) > fixed:
            raise Infeasible(jobs[-1].id, "capacity", f"load {highest} is over crew {crew.id}'s capacity of {room}")


def first_lack(crew: Crew, jobs: Sequence[Job], fixed: int) -> int | None:
    """Return the number of the first job, committed ones apart, that the crew has not the tools or parts for."""
    left = list(crew.parts)
    for number, job in enumerate(jobs):
        lack = not job.tools <= crew.tools
        for kind, need in enumerate(job.parts):
            had = left[kind] if kind < len(left) else 0
            lack = lack or 0 < need > had
            if kind < len(left):
                left[kind] = had - need
        if lack and number >= fixed:
            return number
    return None


def price(problem: Problem, crew: Crew, route: Route) -> int:
    """Return what a route costs by the problem's prices, what is left out apart."""
    prices, jobs = problem.prices, _by_id(problem.jobs, route)
    figures = figures_of(crew, route, jobs)
    return (
        prices.lateness * figures.weighted_lateness
        + prices.late * figures.late
        + prices.travel * figures.travel
        + prices.fairness * figures.fairness
        + prices.change * figures.changes
        + prices.crew * bool(route.stops)
    )


def figures_of(crew: Crew, route: Route, jobs: Mapping[str, Job]) -> Figures:
    """Return the parts of the objective that one route contributes."""
    done = len(route.stops)
    return Figures(
        left_out=0,
        weighted_lateness=sum(jobs[stop.job].weight * stop.late for stop in route.stops),
        late=sum(stop.late > 0 for stop in route.stops),
        travel=sum(stop.travel for stop in route.stops) + route.travel_home,
        fairness=fair_rate(crew) * (crew.orders_done * done + done * (done + 1) // 2),
        changes=sum(jobs[stop.job].change for stop in route.stops if jobs[stop.job].told not in (None, crew.id)),
    )


def fair_rate(crew: Crew) -> int:
    """Return by how much one more order raises a crew's orders per hour on shift, in thousandths.

    A crew's m-th order costs this times m: the sum is least where orders per hour are most equal.
    """
    return 3_600_000 // max(crew.on_shift, 3600)


def total(problem: Problem, routes: Iterable[Route]) -> Figures:
    """Return the figures of a whole plan."""
    jobs = {job.id: job for job in problem.jobs}
    crews = {crew.id: crew for crew in problem.crews}
    each = [figures_of(crews[route.crew], route, jobs) for route in routes]
    served = {stop.job for route in routes for stop in route.stops}
    out = [job for job in problem.jobs if job.id not in served]
    return Figures(
        left_out=len(out),
        weighted_lateness=sum(one.weighted_lateness for one in each),
        late=sum(one.late for one in each),
        travel=sum(one.travel for one in each),
        fairness=sum(one.fairness for one in each),
        changes=sum(one.changes for one in each) + sum(job.change for job in out if job.told is not None),
    )


def _walk(problem: Problem, crew: Crew, jobs: Sequence[Job], store_before: int | None) -> Route:
    matrix, fixed = problem.travel[crew.profile], len(crew.committed)
    clock, here, stops = crew.earliest, crew.start, list[Stop]()
    for number, job in enumerate(jobs):
        committed, leg, came_from = number < fixed, 0, here
        for there in ([problem.store] if store_before == number else []) + [job.place]:
            assert there is not None
            seconds = int(matrix[here, there])
            if seconds == UNREACHABLE:
                if not committed:
                    raise Infeasible(job.id, "unreachable", f"there is no way from place {here} to place {there}")
                seconds = 0
            leg, came_from, here = leg + seconds, here, there
        arrival = clock + leg
        begins = _beginning(job, arrival)
        if begins is None:
            if not committed:
                raise Infeasible(job.id, "window", f"crew {crew.id} cannot be there before its windows are over")
            begins = arrival
        stop = Stop(
            job=job.id,
            arrival=arrival,
            waiting=begins - arrival,
            setup=job.setup if came_from != job.place else 0,
            service=job.service,
            travel=leg,
            late=max(begins - job.due, 0) if job.due is not None else 0,
            committed=committed,
            store=store_before == number,
        )
        stops.append(stop)
        clock = stop.leaves
    return _go_home(problem, crew, stops, clock, here)


def _go_home(problem: Problem, crew: Crew, stops: list[Stop], clock: int, here: int) -> Route:
    home = 0
    if crew.end is not None and stops:
        home = int(problem.travel[crew.profile][here, crew.end])
        if home == UNREACHABLE:
            if len(stops) > len(crew.committed):
                raise Infeasible(None, "unreachable", f"there is no way home for crew {crew.id} from place {here}")
            home = 0
    ends = clock + home
    added = len(stops) > len(crew.committed)
    if crew.shift_end is not None and ends > crew.shift_end and added:
        raise Infeasible(None, "shift", f"crew {crew.id}'s shift ends before")
    travel = sum(stop.travel for stop in stops) + home
    if crew.most_travel is not None and travel > crew.most_travel and added:
        raise Infeasible(
            None, "travel", f"{travel} s on the way is over crew {crew.id}'s limit of {crew.most_travel} s"
        )
    return Route(crew=crew.id, stops=tuple(stops), begins=crew.earliest, ends=ends, travel_home=home)


def _beginning(job: Job, arrival: int) -> int | None:
    begins = max(arrival, job.release)
    if not job.windows:
        return begins
    return next((max(begins, opens) for opens, closes in job.windows if begins <= closes), None)


def _amount(amounts: Sequence[int], kind: int) -> int:
    return amounts[kind] if kind < len(amounts) else 0


def _by_id(jobs: Sequence[Job], route: Route) -> dict[str, Job]:
    wanted = {stop.job for stop in route.stops}
    return {job.id: job for job in jobs if job.id in wanted}
