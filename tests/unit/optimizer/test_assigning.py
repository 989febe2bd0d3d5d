"""A new urgent order, or a batch, gets its crew at once: the matching that costs least, nobody else's plan touched."""

import msgspec
import numpy as np

from optimizer import Crew, Job, Problem
from optimizer.assigning import assign_now
from tests.unit.optimizer.problems import line_of


def test_an_urgent_order_goes_to_the_crew_that_is_there_first() -> None:
    travel = np.array([[0, 0, 600], [0, 0, 100], [600, 100, 0]], dtype=np.int32)
    crews = (Crew(id="far", start=0), Crew(id="near", start=1), Crew(id="late", start=2, earliest=3600))
    problem = Problem(crews=crews, jobs=(Job(id="leak", place=2, due=0, weight=5),), travel=(travel,))
    assert assign_now(problem, ["leak"]) == {"far": (), "near": ("leak",), "late": ()}


def test_a_batch_is_matched_as_a_whole() -> None:
    travel = np.array([[0, 0, 100, 150], [0, 0, 110, 900], [100, 110, 0, 0], [150, 900, 0, 0]], dtype=np.int32)
    crews = (Crew(id="a", start=0), Crew(id="b", start=1))
    jobs = (Job(id="x", place=2, due=0), Job(id="y", place=3, due=0))
    given = assign_now(Problem(crews=crews, jobs=jobs, travel=(travel,)), ["x", "y"])
    assert given == {"a": ("y",), "b": ("x",)}  # to each its nearest would send b on the long way


def test_a_batch_of_more_orders_than_crews_is_served_whole() -> None:
    problem = line_of(2, 7)
    given = assign_now(problem, [job.id for job in problem.jobs])
    assert sorted(job for line in given.values() for job in line) == sorted(job.id for job in problem.jobs)


def test_what_the_plan_holds_keeps_its_crew_and_order() -> None:
    problem = line_of(2, 5)
    crews = (msgspec.structs.replace(problem.crews[0], committed=("j2",)), problem.crews[1])
    given = assign_now(
        msgspec.structs.replace(problem, crews=crews), ["j4"], initial={"c0": ("j2", "j0"), "c1": ("j1", "j3")}
    )
    assert [job for job in given["c0"] if job != "j4"] == ["j2", "j0"]
    assert [job for job in given["c1"] if job != "j4"] == ["j1", "j3"]
    assert given["c0"][0] == "j2"


def test_nobody_gets_what_he_has_not_the_skill_for() -> None:
    problem = line_of(2, 1)
    jobs = (msgspec.structs.replace(problem.jobs[0], skills=frozenset(["gas"])),)
    assert assign_now(msgspec.structs.replace(problem, jobs=jobs), ["j0"]) == {"c0": (), "c1": ()}


def test_crews_without_a_way_take_nobodys_place_among_the_candidates() -> None:
    crews = (*(Crew(id=f"c{number}", start=0) for number in range(30)), Crew(id="across", start=1))
    travel = np.array([[0, -1, -1], [-1, 0, 900], [-1, 900, 0]], dtype=np.int32)
    problem = Problem(crews=crews, jobs=(Job(id="leak", place=2),), travel=(travel,))
    assert assign_now(problem, ["leak"])["across"] == ("leak",)


def test_what_can_no_longer_be_done_where_it_stands_is_placed_anew() -> None:
    problem = line_of(3, 4)
    late = msgspec.structs.replace(problem.jobs[1], windows=((0, 1),), place=problem.crews[1].start)
    skilled = msgspec.structs.replace(problem.jobs[2], skills=frozenset(["gas"]))
    crews = (*problem.crews[:2], msgspec.structs.replace(problem.crews[2], skills=frozenset(["gas"])))
    jobs = (problem.jobs[0], late, skilled, problem.jobs[3])
    problem = msgspec.structs.replace(problem, crews=crews, jobs=jobs)
    initial = {"c0": ("j0", "j1", "j2"), "c1": ("j0",)}
    given = assign_now(problem, ["j3"], initial=initial)
    assert sorted(job for line in given.values() for job in line) == ["j0", "j1", "j2", "j3"]
    assert ("j0" in given["c0"], "j1" in given["c1"], "j2" in given["c2"]) == (True, True, True)
