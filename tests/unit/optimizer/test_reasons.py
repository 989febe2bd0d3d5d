"""Each job that is left out has the reason that is the case."""

from typing import Any

import msgspec
import numpy as np
import pytest

from optimizer import UNREACHABLE, Crew, Iterations, Job, Problem, solve

CREW = Crew(id="c", start=0)
JOB = Job(id="j", place=1, service=60)
WAY = np.array([[0, 1140], [1140, 0]], dtype=np.int32)


@pytest.mark.parametrize(
    ("crew", "job", "way", "reason", "words"),
    [
        ({}, {"skills": frozenset(["gas"])}, 1140, "skill", "no crew has the skill gas"),
        ({}, {"excluded": frozenset(["c"])}, 1140, "excluded", "every crew is excluded"),
        ({}, {}, UNREACHABLE, "unreachable", "no crew can reach it"),
        ({}, {"windows": ((0, 600),)}, 1140, "window", "nearest qualified crew 19 min away"),
        ({"earliest": 700}, {"windows": ((0, 600),)}, 1140, "window", "its window is over"),
        ({"shift_end": 1150}, {}, 1140, "shift", "its shift ends before"),
        ({"capacity": (1,)}, {"delivery": (2,)}, 1140, "capacity", "more than any crew's capacity"),
        ({}, {"parts": (1,)}, 1140, "supplies", "no store"),
    ],
)
def test_the_reason_is_the_one_that_holds(
    crew: dict[str, Any], job: dict[str, Any], way: int, reason: str, words: str
) -> None:
    travel = np.where(WAY > 0, np.int32(way), WAY)
    crews, jobs = (msgspec.structs.replace(CREW, **crew),), (msgspec.structs.replace(JOB, **job),)
    plan = solve(Problem(crews=crews, jobs=jobs, travel=(travel,)), stop=Iterations(50))
    assert plan.left_out[0].reason == reason
    assert words in plan.left_out[0].detail


def test_a_way_home_that_is_missing_is_not_called_a_way_there() -> None:
    travel = np.array([[0, 1140], [UNREACHABLE, 0]], dtype=np.int32)
    crew = msgspec.structs.replace(CREW, end=0)
    plan = solve(Problem(crews=(crew,), jobs=(JOB,), travel=(travel,)), stop=Iterations(50))
    assert plan.left_out[0].reason == "unreachable"
    assert plan.left_out[0].detail.endswith("19 min away: there is no way from there to where it must end")


def test_how_far_a_crew_is_counts_from_where_its_committed_work_ends() -> None:
    travel = np.array([[0, UNREACHABLE, 60], [1140, 0, 60], [60, 600, 0]], dtype=np.int32)
    crew = msgspec.structs.replace(CREW, committed=("held",))
    jobs = (msgspec.structs.replace(JOB, windows=((0, 60),)), Job(id="held", place=2))
    plan = solve(Problem(crews=(crew,), jobs=jobs, travel=(travel,)), stop=Iterations(50))
    assert plan.left_out[0].reason == "window"
    assert "10 min away" in plan.left_out[0].detail


def test_without_crews_every_job_is_left_out() -> None:
    plan = solve(Problem(crews=(), jobs=(JOB,), travel=(WAY,)))
    assert [(left.job, left.reason) for left in plan.left_out] == [("j", "no_crews")]


def test_a_full_shift_says_that_there_is_no_room() -> None:
    crew = msgspec.structs.replace(CREW, shift_end=2000)
    jobs = tuple(msgspec.structs.replace(JOB, id=name, service=800) for name in "ab")
    plan = solve(Problem(crews=(crew,), jobs=jobs, travel=(WAY,)), stop=Iterations(50))
    assert plan.left_out[0].reason == "no_room"
