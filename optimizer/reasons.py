"""Why a job is left out: looked up from the problem and the plan, never guessed.

The reasons are tried in the order of `plan.Reason`; the first that holds for every crew that is left is given.
"""

from collections.abc import Iterator, Sequence

from optimizer.plan import LeftOut, Reason, Route
from optimizer.problem import UNREACHABLE, Crew, Job, Problem
from optimizer.schedule import Infeasible, walk


def explain(problem: Problem, routes: Sequence[Route], jobs: Sequence[Job]) -> Iterator[LeftOut]:
    """Give each job that is left out of these routes its reason."""
    for job in jobs:
        reason, detail = _why(problem, routes, job)
        yield LeftOut(job=job.id, reason=reason, detail=detail)


def _why(problem: Problem, routes: Sequence[Route], job: Job) -> tuple[Reason, str]:
    crews = problem.crews
    if not crews:
        return "no_crews", "there is no crew"
    asked = [crew for crew in crews if crew.id not in job.excluded]
    if not asked:
        return "excluded", "every crew is excluded from it"
    able = [crew for crew in asked if job.skills <= crew.skills]
    if not able:
        return "skill", _missing_skill(asked, job)
    alone = {crew.id: _alone(problem, crew, job) for crew in able}
    failures = [why for why in alone.values() if why is not None]
    if len(failures) == len(able):
        return _most_telling(problem, able, job, failures)
    fit = [crew for crew in able if alone[crew.id] is None]
    if job.optional:
        return "gives_way", "a visit that gives way: every crew that could do it would come late elsewhere"
    return "no_room", _no_room(problem, routes, fit, job)


def _missing_skill(crews: Sequence[Crew], job: Job) -> str:
    nobody = sorted(skill for skill in job.skills if not any(skill in crew.skills for crew in crews))
    if nobody:
        return f"no crew has the skill {nobody[0]}"
    return f"no crew has all of the skills {', '.join(sorted(job.skills))}"


def _alone(problem: Problem, crew: Crew, job: Job) -> Infeasible | None:
    """Return why a crew could not do the job even as its next, None where it could."""
    by_id = {each.id: each for each in problem.jobs} if crew.committed else {}
    try:
        walk(problem, crew, [*(by_id[each] for each in crew.committed), job])
    except Infeasible as why:
        return why
    return None


def _most_telling(
    problem: Problem, crews: Sequence[Crew], job: Job, failures: Sequence[Infeasible]
) -> tuple[Reason, str]:
    kinds = {why.reason for why in failures}
    nearest = _nearest(problem, crews, job)
    if nearest is None or all(why.reason == "unreachable" and why.job is not None for why in failures):
        return "unreachable", "no crew can reach it"
    if kinds == {"unreachable"}:
        return "unreachable", f"nearest qualified crew {nearest} away: there is no way from there to where it must end"
    if "window" in kinds:
        last = job.windows[-1][1]
        if all(last < crew.earliest for crew in crews):
            return "window", f"its window is over: it ended at {last} s, before any crew is free"
        return "window", f"nearest qualified crew {nearest} away: no crew arrives before its window ends at {last} s"
    if "shift" in kinds:
        return "shift", f"nearest qualified crew {nearest} away: its shift ends before"
    if "travel" in kinds:
        return "travel", f"nearest qualified crew {nearest} away: further than it may travel"
    if "capacity" in kinds:
        return "capacity", "it is more than any crew's capacity"
    if "supplies" in kinds:
        return "supplies", "no crew has its tools and parts, and there is no store to take them from"
    return failures[0].reason, failures[0].detail


def _no_room(problem: Problem, routes: Sequence[Route], crews: Sequence[Crew], job: Job) -> str:
    nearest = _nearest(problem, crews, job)
    ids = {crew.id for crew in crews}
    full = sum(len(route.stops) for route in routes if route.crew in ids)
    where = f"nearest qualified crew {nearest} away; " if nearest else ""
    return f"{where}no room beside the {full} other jobs of the {len(crews)} crew(s) that could do it"


def _nearest(problem: Problem, crews: Sequence[Crew], job: Job) -> str | None:
    """Return how far the nearest of the crews is, or will be after its committed work, in words."""
    by_id = {each.id: each for each in problem.jobs} if any(crew.committed for crew in crews) else {}
    starts = [by_id[crew.committed[-1]].place if crew.committed else crew.start for crew in crews]
    legs = [int(problem.travel[crew.profile][start, job.place]) for crew, start in zip(crews, starts, strict=True)]
    reached = [leg for leg in legs if leg != UNREACHABLE]
    if not reached:
        return None
    least = min(reached)
    return f"{round(least / 60)} min" if least >= 60 else f"{least} s"
