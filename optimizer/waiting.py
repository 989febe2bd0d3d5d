"""Where idle crews should wait, so that as much of the expected demand as possible can be reached in time.

MEXCLP (Daskin 1983, "A maximum expected covering location model", Transportation Science 17): each crew is busy with
probability q; demand d within reach of n crews is covered with probability 1 - q^n, so the k-th crew that reaches it
adds d (1 - q) q^(k-1). `place_crews` solves that exactly (OR-Tools, SCIP): where to stand at the beginning of a shift.
`marginal_cover` and `send_freed` are its dynamic form (Jagtenberg, Bhulai, van der Mei 2015, "An efficient heuristic
for real-time ambulance redeployment", Operations Research for Health Care 4): whoever is freed goes where he adds most,
given where the others are or are going. `advise` moves crews who already wait, a few an hour, where it is worth the
drive.

Everything is arrays: bases are places where one can wait, points are places with demand (reports an hour), and `cover`
of shape (bases, points) says which point is within reach of which base.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from msgspec import Struct

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

_NEGLIGIBLE = 1e-9
"""A crew that adds less than this share of a point's demand is left out of the model."""


class Placement(Struct, frozen=True):
    """How many crews wait at each base; `covered` is the demand so covered, at most `bound` could be.

    `proven` says that no placement covers more: the two agree.
    """

    crews: tuple[int, ...]
    covered: float
    bound: float
    proven: bool


class Move(Struct, frozen=True):
    """Advice: an idle crew should go to a base; it covers `gain` reports an hour more, after `seconds` of driving."""

    crew: int
    base: int
    gain: float
    seconds: float


def busy_share(reports_per_hour: float, work_s: float, crews: int) -> float:
    """Return the share of the time that a crew is busy: offered load by crews, kept between 0.02 and 0.95.

    `work_s` is the mean time that a report takes a crew, drive and work.
    """
    if crews <= 0:
        return 0.95
    return min(max(reports_per_hour * work_s / 3600.0 / crews, 0.02), 0.95)


def expected_cover(counts: npt.ArrayLike, demand: npt.ArrayLike, busy: float) -> float:
    """Return the demand covered where `counts` crews reach each point: the sum of d (1 - q^n)."""
    weights = np.asarray(demand, dtype=np.float64)
    return float(weights @ (1.0 - busy ** np.asarray(counts, dtype=np.float64)))


def place_crews(
    cover: npt.ArrayLike,
    demand: npt.ArrayLike,
    crews: int,
    busy: float,
    *,
    room: int | None = None,
    time_limit_s: float = 10.0,
) -> Placement:
    """Return the placement of crews over bases that covers most; at most `room` of them at one base.

    Raises:
        ValueError: an array has the wrong shape, a demand is negative, or busy is not between 0 and 1.
    """
    reach, weights = _checked(cover, demand, busy)
    if crews <= 0 or not reach.any():
        return Placement((0,) * len(reach), 0.0, 0.0, True)
    # Points that the same bases reach are one point; those that no base reaches, or nobody asks from, are none.
    asked = reach.any(axis=0) & (weights > 0.0)
    patterns, group = np.unique(reach[:, asked], axis=1, return_inverse=True)
    grouped = np.zeros(patterns.shape[1])
    np.add.at(grouped, group.reshape(-1), weights[asked])
    found, bound = _solve(patterns, grouped, crews, busy, crews if room is None else room, time_limit_s)
    covered = expected_cover(np.array(found) @ reach, weights, busy)
    return Placement(found, covered, bound, abs(bound - covered) <= max(1e-6 * covered, 1e-9))


def _solve(
    cover: Bools, demand: Floats, crews: int, busy: float, room: int, time_limit_s: float
) -> tuple[tuple[int, ...], float]:
    """Return crews per base and the bound, of Daskin's model: y[i, k] says that at least k crews reach point i.

    y need not be whole: for each point the k-th crew adds less than the one before, so the lower ones fill first.
    """
    from ortools.linear_solver.python import model_builder

    model = model_builder.Model()  # type: ignore[no-untyped-call] # OR-Tools types its methods, not this one
    at = [model.new_int_var(0, room, f"crews at {base}") for base in range(len(cover))]
    model.add(sum(at) <= crews)
    gains = []
    for point, weight in enumerate(demand.tolist()):
        near = [at[base] for base in np.flatnonzero(cover[:, point]).tolist()]
        levels = [(1.0 - busy) * busy**k for k in range(min(crews, room * len(near)))]
        levels = [share for share in levels if share > _NEGLIGIBLE]
        reached = [model.new_num_var(0.0, 1.0, f"point {point} by {k + 1}") for k in range(len(levels))]
        model.add(sum(reached) <= sum(near))
        gains += [weight * share * y for share, y in zip(levels, reached, strict=True)]
    model.maximize(sum(gains))
    solver = model_builder.Solver("scip")
    solver.set_time_limit_in_seconds(time_limit_s)
    solver.set_solver_specific_parameters("limits/gap = 0\nrandomization/randomseedshift = 1")
    status = solver.solve(model)
    if status not in (model_builder.SolveStatus.OPTIMAL, model_builder.SolveStatus.FEASIBLE):
        return _greedily(cover, demand, crews, busy, room), float(demand.sum())
    return tuple(round(solver.value(each)) for each in at), float(solver.best_objective_bound)


def _greedily(cover: Bools, demand: Floats, crews: int, busy: float, room: int) -> tuple[int, ...]:
    """Return a placement made one crew at a time: what is left where the time ran out before a first answer."""
    placed = np.zeros(len(cover), dtype=np.int64)
    for _ in range(min(crews, room * len(cover))):
        gains = marginal_cover(cover, demand, placed @ cover, busy)
        placed[int(np.argmax(np.where(placed < room, gains, -np.inf)))] += 1
    return tuple(placed.tolist())


def marginal_cover(cover: npt.ArrayLike, demand: npt.ArrayLike, counts: npt.ArrayLike, busy: float) -> Floats:
    """Return what one crew more at each base covers, where `counts` others reach each point already."""
    weights = np.asarray(demand, dtype=np.float64) * (1.0 - busy) * busy ** np.asarray(counts, dtype=np.float64)
    return np.asarray(np.asarray(cover, dtype=np.float64) @ weights)


def send_freed(
    cover: npt.ArrayLike,
    demand: npt.ArrayLike,
    counts: npt.ArrayLike,
    busy: float,
    *,
    seconds: npt.ArrayLike,
    cost_per_s: float = 0.0,
) -> int | None:
    """Return the base for a crew that was freed: the one where it adds most, less what the drive costs.

    `counts` is how many of the other idle crews reach each point from where they are going, `seconds` the drive to
    each base, `cost_per_s` what a second of it is worth in reports an hour. The nearest of equals; a base that cannot
    be reached (infinity) is none, and without any the answer is None.
    """
    drive = np.asarray(seconds, dtype=np.float64)
    reachable = np.isfinite(drive)
    if not reachable.any():
        return None
    drive = np.where(reachable, drive, 0.0)
    net = np.where(reachable, marginal_cover(cover, demand, counts, busy) - cost_per_s * drive, -np.inf)
    best = np.flatnonzero(net >= net.max() - 1e-12)
    return int(best[np.argmin(drive[best])])


def advise(
    here: npt.ArrayLike,
    cover: npt.ArrayLike,
    demand: npt.ArrayLike,
    busy: float,
    *,
    seconds: npt.ArrayLike,
    moves: int,
    cost_per_s: float = 0.0,
    least_gain: float = 0.0,
    may_move: Sequence[bool] | None = None,
) -> list[Move]:
    """Return at most `moves` moves of idle crews, the most worth first, each worth more than its drive.

    `here` of shape (crews, points) says what each idle crew reaches from where it stands (or is going), `seconds` of
    shape (crews, bases) how long it drives to each base. A move is worth the demand covered more, less `cost_per_s` for
    every second of the drive, and must be worth more than `least_gain`. No crew is moved twice, and none that
    `may_move` forbids: the limit per hour is the caller's, who knows what was advised before.
    """
    reach, weights = _checked(cover, demand, busy)
    standing = np.array(here, dtype=np.float64).reshape(-1, reach.shape[1])
    drive = np.asarray(seconds, dtype=np.float64).reshape(len(standing), len(reach))
    cost = np.where(np.isfinite(drive), cost_per_s * np.where(np.isfinite(drive), drive, 0.0), np.inf)
    free = np.ones(len(standing), dtype=bool) if may_move is None else np.array(may_move, dtype=bool)
    advice: list[Move] = []
    while len(advice) < moves and free.any() and len(reach):
        others = standing.sum(axis=0) - standing  # for each crew, how many of the rest reach each point
        worth = weights * (1.0 - busy) * busy**others
        gain = worth @ reach.T - (worth * standing).sum(axis=1, keepdims=True)
        net = np.where(free[:, np.newaxis], gain - cost, -np.inf)
        crew, base = np.unravel_index(int(np.argmax(net)), net.shape)
        if net[crew, base] <= least_gain + 1e-12:
            break
        advice.append(Move(int(crew), int(base), float(gain[crew, base]), float(drive[crew, base])))
        standing[crew] = reach[base]
        free[crew] = False
    return advice


def _checked(cover: npt.ArrayLike, demand: npt.ArrayLike, busy: float) -> tuple[Bools, Floats]:
    reach = np.asarray(cover, dtype=bool)
    weights = np.asarray(demand, dtype=np.float64)
    if reach.ndim != 2 or weights.shape != reach.shape[1:]:
        raise ValueError(f"cover must be bases x points and demand points, not {reach.shape} and {weights.shape}")
    if not (np.isfinite(weights).all() and (weights >= 0.0).all()):
        raise ValueError("demand must be finite numbers of at least 0")
    if not 0.0 <= busy < 1.0:
        raise ValueError(f"busy must be at least 0 and below 1, not {busy!r}")
    return reach, weights
