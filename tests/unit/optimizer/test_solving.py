"""The plan: optimal where that can be proved, never worse than what it starts from, nothing lost, nothing moved."""

import msgspec
import numpy as np
import pytest

from benchmarks.snapshots import list_schedule, make, weighted_lateness
from optimizer import UNREACHABLE, Capped, Crew, Iterations, Job, Plan, Problem, solve
from optimizer.exact import least_cost
from tests.unit.optimizer.problems import line_of, small, with_limits


def missed(problem: Problem, plan: Plan) -> int:
    out = {left.job for left in plan.left_out}
    return sum(1 + job.priority for job in problem.jobs if job.id in out and not job.optional)


@pytest.mark.parametrize("first", range(0, 300, 20))
def test_small_problems_are_solved_to_the_optimum(first: int) -> None:
    for seed in range(first, first + 20):
        problem = small(seed, most_jobs=10 if seed % 10 == 0 else 7)
        plan = solve(problem, stop=Iterations(40_000), seed=seed)
        least_missed, least = least_cost(problem)
        assert (missed(problem, plan), plan.cost) == (least_missed, float(least)), f"seed {seed}"


@pytest.mark.parametrize("seed", range(40))
def test_every_job_is_in_one_route_or_left_out_with_a_reason(seed: int) -> None:
    problem = small(seed, most_crews=3, most_jobs=30)
    plan = solve(problem, stop=Iterations(2_000), seed=seed)
    answered = [stop.job for route in plan.routes for stop in route.stops] + [left.job for left in plan.left_out]
    assert sorted(answered) == sorted(job.id for job in problem.jobs)
    assert all(left.detail for left in plan.left_out)


@pytest.mark.parametrize("seed", range(40))
def test_nobody_travels_longer_than_he_may_and_every_job_is_answered(seed: int) -> None:
    problem = with_limits(small(seed, most_crews=4, most_jobs=20), seed)
    plan = solve(problem, stop=Iterations(2_000), seed=seed)
    for crew, route in zip(problem.crews, plan.routes, strict=True):
        travel = sum(stop.travel for stop in route.stops) + route.travel_home
        assert crew.most_travel is None or travel <= crew.most_travel
    answered = [stop.job for route in plan.routes for stop in route.stops] + [left.job for left in plan.left_out]
    assert sorted(answered) == sorted(job.id for job in problem.jobs)


@pytest.mark.parametrize("iterations", [0, 100, 30_000])
def test_a_plan_is_never_worse_than_the_list_schedule(iterations: int) -> None:
    for seed in range(5):
        problem = make(10, 40, seed)
        plan = solve(problem, stop=Iterations(iterations), seed=seed)
        assert weighted_lateness(problem, plan.orders()) <= weighted_lateness(problem, list_schedule(problem))


def test_much_lateness_is_saved_against_the_list_schedule() -> None:
    problem = make(20, 40, 1)
    plan = solve(problem, stop=Iterations(100_000))
    assert weighted_lateness(problem, plan.orders()) < 0.85 * weighted_lateness(problem, list_schedule(problem))


def test_the_same_seed_gives_the_same_plan() -> None:
    problem = make(10, 40, 3)
    once, again, other = (solve(problem, stop=Iterations(5_000), seed=seed) for seed in (7, 7, 8))
    assert once == again
    assert once.orders() != other.orders()


def test_a_cap_on_time_leaves_the_search_alone_until_it_is_reached() -> None:
    problem = make(10, 40, 3)
    ticks = iter(range(10**9))
    plain = solve(problem, stop=Iterations(5_000))
    assert solve(problem, stop=Capped(5_000, seconds=1e6), clock=lambda: float(next(ticks))) == plain
    assert solve(problem, stop=Capped(5_000, seconds=10), clock=lambda: float(next(ticks))).iterations < 5_000


def test_a_cap_on_time_is_kept_however_many_changes_are_allowed() -> None:
    ticks = iter(range(10**9))
    plan = solve(make(10, 40, 3), stop=Capped(10**9, seconds=100), clock=lambda: float(next(ticks)))
    assert plan.iterations < 10_000, "each look at the clock is a second"


def test_a_warm_start_is_never_worse_than_the_plan_in_force() -> None:
    problem = make(20, 80, 2)
    plan = solve(problem, stop=Iterations(200_000))
    again = solve(problem, initial=plan.orders(), stop=Iterations(10))
    assert again.cost <= plan.cost


def test_a_plan_in_force_that_no_longer_fits_is_mended() -> None:
    problem = line_of(2, 4)
    stale = {"c0": ("j0", "gone", "j0", "j3"), "nobody": ("j1",)}
    plan = solve(problem, initial=stale, stop=Iterations(100))
    assert plan.left_out == ()


def test_committed_work_stays_first_and_with_its_crew() -> None:
    problem = line_of(2, 5)
    far = msgspec.structs.replace(problem.crews[0], committed=("j4", "j0"))
    plan = solve(msgspec.structs.replace(problem, crews=(far, problem.crews[1])), stop=Iterations(5_000))
    assert plan.orders()["c0"][:2] == ("j4", "j0")
    assert [stop.committed for stop in plan.routes[0].stops][:2] == [True, True]


def test_committed_work_stays_even_where_it_breaks_every_rule() -> None:
    travel = np.array([[0, UNREACHABLE], [UNREACHABLE, 0]], dtype=np.int32)
    crew = Crew(id="c", start=0, shift_end=10, committed=("j",))
    job = Job(id="j", place=1, service=600, windows=((0, 5),), skills=frozenset(["gas"]), excluded=frozenset(["c"]))
    plan = solve(Problem(crews=(crew,), jobs=(job,), travel=(travel,)), stop=Iterations(10))
    assert plan.orders() == {"c": ("j",)}


def test_planned_visits_fill_idle_time_and_give_way_to_repairs() -> None:
    evening = Job(
        id="visit", place=2, service=1800, windows=((6 * 3600, 8 * 3600), (16 * 3600, 20 * 3600)), optional=True
    )
    travel = (np.array([[0, 900, 900], [900, 0, 900], [900, 900, 0]], dtype=np.int32),)
    crew = Crew(id="c", start=0, shift_end=20 * 3600)
    alone = solve(Problem(crews=(crew,), jobs=(evening,), travel=travel), stop=Iterations(100))
    assert alone.routes[0].stops[0].begins == 6 * 3600
    morning = msgspec.structs.replace(evening, windows=((0, 1000),))
    repair = Job(id="leak", place=1, service=3600, due=900, weight=5)
    both = solve(Problem(crews=(crew,), jobs=(morning, repair), travel=travel), stop=Iterations(100))
    assert both.orders() == {"c": ("leak",)}
    assert both.left_out[0].reason == "gives_way"
    room = solve(Problem(crews=(crew,), jobs=(evening, repair), travel=travel), stop=Iterations(100))
    assert room.orders() == {"c": ("leak", "visit")}


def test_orders_fall_equally_where_nothing_else_decides() -> None:
    crews = tuple(Crew(id=f"c{n}", start=0, orders_done=done, on_shift=3600) for n, done in enumerate((5, 0, 5)))
    jobs = tuple(Job(id=f"j{n}", place=0) for n in range(4))
    plan = solve(Problem(crews=crews, jobs=jobs, travel=(np.zeros((1, 1), np.int32),)), stop=Iterations(2_000))
    assert plan.orders() == {"c0": (), "c1": tuple(plan.orders()["c1"]), "c2": ()}


def test_a_second_of_travel_decides_before_how_equally_orders_fall() -> None:
    crews = (Crew(id="busy", start=0, orders_done=9), Crew(id="fresh", start=1))
    jobs = tuple(Job(id=f"j{n}", place=0) for n in range(10))
    travel = np.array([[0, 1], [1, 0]], np.int32)
    plan = solve(Problem(crews=crews, jobs=jobs, travel=(travel,)), stop=Iterations(5_000))
    assert [len(line) for line in plan.orders().values()] == [10, 0]


def test_how_many_are_late_decides_before_travel() -> None:
    far = 9_000
    travel = np.array([[0, far, 0], [far, 0, 0], [0, 0, 0]], np.int32)
    crews = (Crew(id="here", start=0, earliest=far + 1), Crew(id="there", start=1))
    job = Job(id="j", place=0, due=far, weight=0)
    plan = solve(Problem(crews=crews, jobs=(job,), travel=(travel,)), stop=Iterations(500))
    assert plan.orders() == {"here": (), "there": ("j",)}, "even at no weight"


def test_nobody_is_told_otherwise_without_a_gain() -> None:
    crews = (Crew(id="a", start=0), Crew(id="b", start=0))
    job = Job(id="j", place=0, due=0, told="b")
    plan = solve(Problem(crews=crews, jobs=(job,), travel=(np.zeros((1, 1), np.int32),)), stop=Iterations(500))
    assert plan.orders() == {"a": (), "b": ("j",)}


def test_a_crew_without_the_part_calls_at_the_store() -> None:
    travel = np.array([[0, 100, 500], [100, 0, 100], [500, 100, 0]], dtype=np.int32)
    job = Job(id="j", place=2, tools=frozenset(["pump"]), parts=(1,))
    problem = Problem(crews=(Crew(id="c", start=0),), jobs=(job,), travel=(travel,), store=1)
    stop = solve(problem, stop=Iterations(10)).routes[0].stops[0]
    assert (stop.store, stop.travel) == (True, 200)
    without = solve(msgspec.structs.replace(problem, store=None), stop=Iterations(10))
    assert without.left_out[0].reason == "supplies"


def test_loads_stay_within_capacity() -> None:
    problem = line_of(2, 6)
    jobs = tuple(msgspec.structs.replace(job, delivery=(2,)) for job in problem.jobs)
    crews = tuple(msgspec.structs.replace(crew, capacity=(5,)) for crew in problem.crews)
    plan = solve(msgspec.structs.replace(problem, jobs=jobs, crews=crews), stop=Iterations(2_000))
    assert [len(line) for line in plan.orders().values()] == [2, 2]
    assert {left.reason for left in plan.left_out} == {"no_room"}
