"""Where idle crews should wait, so that the next reports are near somebody.

The expected covering model (MEXCLP: Daskin 1983, Transportation Science 17) with two changes. Instead of covered or
not, a place costs what its expected arrival costs: a little for each second, much for each second past the 15 minutes,
and a step around them (gradual cover: Berman, Krass, Drezner 2003, European Journal of Operational Research 151;
Erkut, Ingolfsson, Erdogan 2008, "Ambulance location for maximum survival", Naval Research Logistics 55). So cover
bought with longer drives for everybody is seen for what it is. And the k-th nearest crew counts with the chance
(1 - q) q^k that the nearer ones are taken when the report comes, k up to `RANKS`.

It is used in its dynamic form (Jagtenberg, Bhulai, van der Mei 2015, Operations Research for Health Care 4): whenever
something has changed, the one or two moves that lower the expected cost most, if that is more than the drive costs.
"""

from functools import cache

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from optimizer.cells import Bools, Cells, Floats
from optimizer.search.compiled import compiled

RANKS = 3
FAR_S = 3600.0
"""A crew further away than this counts as one that is so far away."""
_STEP_S = 5.0


class StandbySettings(Struct, frozen=True):
    """When a move pays; costs are in quarters of an hour of expected arrival per report.

    `taken` is the chance q that a crew is taken when a report comes. A move must gain `least_gain` more than
    `drive_cost` for each quarter of an hour of its drive, and last between `least_s` and `most_s`. A crew is moved at
    most once in `rest_s`, and at most `moves` crews at one time. `taken` and the costs were fitted on days other than
    those of the benchmark; docs/optimizer.md has the table.
    """

    moves: int = 2
    rest_s: float = 1200.0
    least_s: float = 120.0
    most_s: float = 900.0
    taken: float = 0.13
    least_gain: float = 0.0012
    drive_cost: float = 0.004
    per_drive: float = 0.2
    per_lateness: float = 2.0
    step: float = 1.0
    target_s: float = 900.0
    blur_s: float = 90.0


@cache
def arrival_costs(settings: StandbySettings) -> Floats:
    """Return the cost of an arrival after 0, 5, 10, ... seconds, up to `FAR_S`."""
    seconds = np.arange(0.0, FAR_S + _STEP_S, _STEP_S)
    late = np.maximum(seconds - settings.target_s, 0.0) / 900.0
    step = 1.0 / (1.0 + np.exp(np.clip((settings.target_s - seconds) / settings.blur_s, -50.0, 50.0)))
    costs = settings.per_drive * seconds / 900.0 + settings.per_lateness * late + settings.step * step
    return np.asarray(costs, dtype=np.float64)


@cache
def rank_chances(settings: StandbySettings) -> Floats:
    """Return the chance that the first, second, ... crew is the nearest one that is not taken."""
    q = settings.taken
    return np.array([(1.0 - q) * q**rank for rank in range(RANKS)])


def advise(
    bound_for: Floats,
    from_here: Floats,
    movable: Bools,
    cells: Cells,
    *,
    settings: StandbySettings,
) -> list[tuple[int, int]]:
    """Return at most `settings.moves` moves as (crew, cell), the most worth first; no crew twice.

    `bound_for` of shape (crews, cells) has the seconds from where each idle crew stands or is heading, the rest of its
    way included; `from_here` those from where it is now.
    """
    times, may = bound_for.copy(), movable.copy()
    weights = cells.weights / cells.weights.sum()
    costs, chances = arrival_costs(settings), rank_chances(settings)
    shape = (len(weights), RANKS)
    nearest, owner, others = np.empty(shape), np.empty(shape, dtype=np.int64), np.empty(shape)
    moves: list[tuple[int, int]] = []
    while len(moves) < settings.moves and may.any():
        _rank(np.minimum(times, FAR_S), nearest, owner)
        crew, cell = _best_move(
            nearest, owner, others, from_here, may, cells.between, weights, cells.inhabited, costs, chances,
            np.array([settings.least_s, settings.most_s, settings.least_gain, settings.drive_cost]),
        )  # fmt: skip # one line of arrays reads better than eleven
        if crew < 0:
            break
        moves.append((int(crew), int(cell)))
        times[crew] = cells.between[cell] + 0.5 * from_here[crew, cell]
        may[crew] = False
    return moves


@compiled
def _rank(times: Floats, nearest: Floats, owner: npt.NDArray[np.int64]) -> None:
    """Write for each cell the seconds of its nearest crews, and who they are (-1 for nobody)."""
    ranks = nearest.shape[1]
    for cell in range(nearest.shape[0]):
        for rank in range(ranks):
            nearest[cell, rank] = FAR_S
            owner[cell, rank] = -1
        for crew in range(times.shape[0]):
            seconds = times[crew, cell]
            if seconds >= nearest[cell, ranks - 1]:
                continue
            rank = ranks - 1
            while rank > 0 and nearest[cell, rank - 1] > seconds:
                nearest[cell, rank] = nearest[cell, rank - 1]
                owner[cell, rank] = owner[cell, rank - 1]
                rank -= 1
            nearest[cell, rank] = seconds
            owner[cell, rank] = crew


@compiled
def _leave_out(
    crew: int,
    nearest: Floats,
    owner: npt.NDArray[np.int64],
    others: Floats,
    weights: Floats,
    costs: Floats,
    chances: Floats,
) -> float:
    """Write each cell's nearest crews without one of them; return what its leaving gains (never more than nothing)."""
    ranks = nearest.shape[1]
    gain = 0.0
    for cell in range(nearest.shape[0]):
        source = 0
        for rank in range(ranks):
            if source < ranks and owner[cell, source] == crew:
                source += 1
            others[cell, rank] = nearest[cell, source] if source < ranks else FAR_S
            source += 1
            here, without = costs[int(nearest[cell, rank] / _STEP_S)], costs[int(others[cell, rank] / _STEP_S)]
            gain += weights[cell] * chances[rank] * (here - without)
    return gain


@compiled
def _join(
    place: int, drive: float, others: Floats, between: Floats, weights: Floats, costs: Floats, chances: Floats
) -> float:
    """Return what a crew at a place gains beside the others; its drive counts half, since it may be broken off."""
    ranks = others.shape[1]
    gain = 0.0
    for cell in range(others.shape[0]):
        seconds = between[place, cell] + 0.5 * drive
        if seconds >= others[cell, ranks - 1]:
            continue
        rank = ranks - 1
        while rank > 0 and others[cell, rank - 1] > seconds:
            rank -= 1
        worse = costs[int(others[cell, ranks - 1] / _STEP_S)] * chances[ranks - 1]
        better = costs[int(seconds / _STEP_S)] * chances[rank]
        for later in range(rank, ranks - 1):
            better += costs[int(others[cell, later] / _STEP_S)] * (chances[later + 1] - chances[later])
        gain += weights[cell] * (worse - better)
    return gain


@compiled
def _best_move(
    nearest: Floats,
    owner: npt.NDArray[np.int64],
    others: Floats,
    drives: Floats,
    may: Bools,
    between: Floats,
    weights: Floats,
    inhabited: Bools,
    costs: Floats,
    chances: Floats,
    limits: Floats,
) -> tuple[int, int]:
    """Return the crew and the cell of the move that is worth most, (-1, -1) where none is worth its drive.

    `limits` is the shortest and the longest drive, the least gain, and what a quarter of an hour of driving costs.
    """
    best, best_crew, best_cell = limits[2], -1, -1
    for crew in range(drives.shape[0]):
        if not may[crew]:
            continue
        left = _leave_out(crew, nearest, owner, others, weights, costs, chances)
        for cell in range(drives.shape[1]):
            drive = drives[crew, cell]
            if not inhabited[cell] or drive < limits[0] or drive > limits[1]:
                continue
            gain = left + _join(cell, drive, others, between, weights, costs, chances) - limits[3] * drive / 900.0
            if gain > best:
                best, best_crew, best_cell = gain, crew, cell
    return best_crew, best_cell
