"""Plan snapshots: weighted lateness after a time, as a ratio to the list schedule, ours beside three peers.

Medians over five seeds a size. `warm` starts from the plan of the full time, after one new order came and after one
order was grabbed, and has a tenth of the time; its peer is the cold search with the full time on the same problem.
"""

from collections.abc import Callable, Sequence

import msgspec

from benchmarks import plan_peers
from benchmarks.figures import Row, median, row, within
from benchmarks.snapshots import Orders, list_schedule, make, weighted_lateness
from optimizer import Problem, Seconds, solve

NAME = "plan-snapshot"
UNIT = "weighted lateness by the list schedule's, less is better"
SIZES: tuple[tuple[int, int, tuple[float, ...]], ...] = (
    (20, 40, (0.1, 1.0)),
    (40, 150, (0.1, 1.0)),
    (100, 500, (0.1, 1.0, 2.0)),
    (300, 2000, (1.0, 2.0)),
)
TARGETS = {
    (20, 40, 1.0): 0.76,
    (20, 40, 0.1): 0.76 * 1.03,
    (40, 150, 1.0): 0.82,
    (40, 150, 0.1): 0.82 * 1.03,
    (100, 500, 2.0): 0.84,
    (300, 2000, 2.0): 0.88,
}
LARGEST_MODEL = 700
"""Jobs beyond which OR-Tools and PyVRP take longer to build their model than they have to solve it."""

Solver = Callable[[Problem, float], Orders]


def run(
    *, sizes: Sequence[tuple[int, int, tuple[float, ...]]] = SIZES, seeds: Sequence[int] = (1, 2, 3, 4, 5)
) -> list[Row]:
    """Measure every size, time and peer; returns one row per size, time and peer, and two for warm starts."""
    rows: list[Row] = []
    for crews, orders, times in sizes:
        problems = [make(crews, orders, seed) for seed in seeds]
        for seconds in times:
            ours = _ratio(problems, seconds, _ours)
            for name, solver in _peers(problems, orders).items():
                peer = _ratio(problems, seconds, solver)
                figure = f"{crews} x {orders}, {seconds:g} s"
                measured = row(NAME, figure, UNIT, ours=ours, peer=peer, peer_name=name)
                target = TARGETS.get((crews, orders, seconds))
                rows.append(within(target, measured) if target is not None else measured)
        rows += _warm(problems, f"{crews} x {orders}", times[-1])
    return rows


def _ours(problem: Problem, seconds: float) -> Orders:
    return solve(problem, stop=Seconds(seconds)).orders()


def _peers(problems: Sequence[Problem], orders: int) -> dict[str, Solver]:
    def warm(problem: Problem, seconds: float) -> Orders:
        return plan_peers.or_tools(problem, seconds, initial=list_schedule(problem))

    small: dict[str, Solver] = {
        "OR-Tools routing, soft bounds, cold": plan_peers.or_tools,
        "OR-Tools routing, from the list schedule": warm,
        "PyVRP, hard windows, rest behind": plan_peers.pyvrp,
    }
    return {**(small if orders <= LARGEST_MODEL else {}), "VROOM, hard windows, rest behind": plan_peers.vroom}


def _ratio(problems: Sequence[Problem], seconds: float, solver: Solver) -> float:
    ratios = [
        weighted_lateness(problem, solver(problem, seconds)) / weighted_lateness(problem, list_schedule(problem))
        for problem in problems
    ]
    return median(ratios)


def _warm(problems: Sequence[Problem], size: str, seconds: float) -> list[Row]:
    """Measure a tenth of the time from the plan in force against all of it from nothing, after one change."""
    rows = []
    for figure, change in (("one new order", _one_more), ("one grab", _one_grabbed)):
        ours, cold = [], []
        for problem in problems:
            after, known = change(problem, seconds)
            warm = solve(after, initial=known, stop=Seconds(seconds / 10)).orders()
            fresh = solve(after, stop=Seconds(seconds)).orders()
            least = weighted_lateness(after, list_schedule(after))
            ours.append(weighted_lateness(after, warm) / least)
            cold.append(weighted_lateness(after, fresh) / least)
        name = f"ours, cold, {seconds:g} s"
        title = f"{size}, warm after {figure}, {seconds / 10:g} s"
        rows.append(row(NAME, title, UNIT, ours=median(ours), peer=median(cold), peer_name=name))
    return rows


def _one_more(problem: Problem, seconds: float) -> tuple[Problem, Orders]:
    """Return the snapshot, and the plan for it without its last order."""
    before = msgspec.structs.replace(problem, jobs=problem.jobs[:-1])
    return problem, solve(before, stop=Seconds(seconds)).orders()


def _one_grabbed(problem: Problem, seconds: float) -> tuple[Problem, Orders]:
    """Let a crew grab the first order of another's line; return the snapshot after it, and the old plan."""
    plan = solve(problem, stop=Seconds(seconds)).orders()
    loser = max(plan, key=lambda crew: len(plan[crew]))
    winner = min(plan, key=lambda crew: (len(plan[crew]), crew))
    grabbed = plan[loser][0]
    crews = tuple(
        msgspec.structs.replace(crew, committed=(grabbed,)) if crew.id == winner else crew for crew in problem.crews
    )
    return msgspec.structs.replace(problem, crews=crews), plan
