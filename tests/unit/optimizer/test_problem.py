"""What is wrong with a problem is named by its place."""

from typing import Any

import msgspec
import numpy as np
import pytest

from optimizer import Crew, Job, Problem, ProblemError, solve

SOUND = Problem(
    crews=(Crew(id="c", start=0),),
    jobs=(Job(id="j", place=1, due=60), Job(id="k", place=1)),
    travel=(np.array([[0, 60], [60, 0]], dtype=np.int32),),
)


def with_job(**changes: Any) -> Problem:
    return msgspec.structs.replace(SOUND, jobs=(SOUND.jobs[0], msgspec.structs.replace(SOUND.jobs[1], **changes)))


def with_crew(**changes: Any) -> Problem:
    return msgspec.structs.replace(SOUND, crews=(msgspec.structs.replace(SOUND.crews[0], **changes),))


def with_travel(rows: Any) -> Problem:
    return msgspec.structs.replace(SOUND, travel=(np.array(rows),))


@pytest.mark.parametrize(
    ("problem", "pointer"),
    [
        (with_job(id="j"), "/jobs/1/id"),
        (with_job(due=-1), "/jobs/1/due"),
        (with_job(service=2**70), "/jobs/1/service"),
        (with_job(service=10**12), "/jobs/1/service"),
        (with_job(weight=10**9), "/jobs/1/weight"),
        (with_job(place=2), "/jobs/1/place"),
        (with_job(windows=((50, 40),)), "/jobs/1/windows/0"),
        (with_job(windows=((50, 60), (55, 70))), "/jobs/1/windows"),
        (with_crew(start=7), "/crews/0/start"),
        (with_crew(end=7), "/crews/0/end"),
        (with_crew(profile=1), "/crews/0/profile"),
        (with_crew(earliest=-5), "/crews/0/earliest"),
        (with_crew(committed=("nobody",)), "/crews/0/committed/0"),
        (with_crew(committed=("j", "j")), "/crews/0/committed/1"),
        (with_travel([[0, 60]]), "/travel/0"),
        (with_travel([[0, -7], [60, 0]]), "/travel/0/0/1"),
        (with_travel([[0, 2**40], [60, 0]]), "/travel/0/0/1"),
        (with_travel([[0.0, 1.5], [60.0, 0.0]]), "/travel/0"),
        (msgspec.structs.replace(SOUND, travel=()), "/travel"),
        (msgspec.structs.replace(SOUND, store=9), "/store"),
    ],
)
def test_a_fault_is_named_by_its_place(problem: Problem, pointer: str) -> None:
    with pytest.raises(ProblemError) as caught:
        solve(problem)
    assert caught.value.faults[0].pointer.startswith(pointer)
