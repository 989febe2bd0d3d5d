"""The best waiting places, exactly: the yardstick that the moves of `standby` are held to.

MEXCLP (Daskin 1983, "A maximum expected covering location model", Transportation Science 17): each crew is busy with
probability q; demand d within reach of n crews is covered with probability 1 - q^n, so the k-th crew that reaches it
adds d (1 - q) q^(k-1). `place_crews` solves that exactly (OR-Tools, SCIP): 30 crews, 60 bases, 500 points in some
0.4 s. It knows no drives, so nobody is advised by it: who stands badly now, and how far he would have to go, is what
`standby` weighs.

Everything is arrays: bases are places where one can wait, points are places with demand (reports an hour), and `cover`
of shape (bases, points) says which point is within reach of which base.
"""

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
        gains = _marginal_cover(cover, demand, placed @ cover, busy)
        placed[int(np.argmax(np.where(placed < room, gains, -np.inf)))] += 1
    return tuple(placed.tolist())


def _marginal_cover(cover: Bools, demand: Floats, counts: npt.NDArray[np.int64], busy: float) -> Floats:
    """Return what one crew more at each base covers, where `counts` others reach each point already."""
    weights = np.asarray(demand, dtype=np.float64) * (1.0 - busy) * busy ** np.asarray(counts, dtype=np.float64)
    return np.asarray(np.asarray(cover, dtype=np.float64) @ weights)


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
