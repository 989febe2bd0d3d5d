"""The best waiting places: proven against trying everything, and the moves of `standby` held to them."""

import itertools
from typing import Any

import numpy as np
import pytest

from optimizer.cells import Cells
from optimizer.situation import Reported
from optimizer.standby import StandbySettings, advise
from optimizer.waiting import expected_cover, place_crews
from tests.unit.optimizer.situations import GROUND, KM, TRAVEL


def town(seed: int, *, bases: int = 5, points: int = 12) -> tuple[Any, Any, float]:
    rng = np.random.default_rng(seed)
    return rng.random((bases, points)) < 0.4, rng.integers(0, 20, points).astype(float), float(rng.uniform(0.1, 0.8))


def best_by_trying(cover: Any, demand: Any, crews: int, busy: float, room: int) -> float:
    return max(
        expected_cover(np.array(counts) @ cover, demand, busy)
        for counts in itertools.product(range(min(crews, room) + 1), repeat=len(cover))
        if sum(counts) <= crews
    )


@pytest.mark.parametrize("seed", range(40))
def test_no_placement_covers_more_than_the_one_found(seed: int) -> None:
    cover, demand, busy = town(seed)
    crews, room = 1 + seed % 4, 1 + seed % 3
    found = place_crews(cover, demand, crews, busy, room=room)
    assert found.covered == pytest.approx(best_by_trying(cover, demand, crews, busy, room), abs=1e-6)
    assert found.covered == pytest.approx(expected_cover(np.array(found.crews) @ cover, demand, busy))
    assert found.proven
    assert found.bound == pytest.approx(found.covered)
    assert sum(found.crews) <= crews and max(found.crews) <= room


def test_where_crews_are_seldom_busy_they_spread_and_where_they_are_busy_they_gather() -> None:
    cover = np.array([[True, False], [False, True]])
    demand = [10.0, 3.0]
    assert place_crews(cover, demand, 2, 0.05).crews == (1, 1)
    assert place_crews(cover, demand, 2, 0.6).crews == (2, 0)


def test_nobody_to_place_nowhere_to_wait_and_nothing_in_reach_are_answers_too() -> None:
    assert place_crews([[True]], [1.0], 0, 0.5).crews == (0,)
    assert place_crews(np.zeros((0, 3), dtype=bool), [1.0, 1.0, 1.0], 2, 0.5).crews == ()
    assert place_crews([[False]], [1.0], 2, 0.5).covered == 0.0
    assert place_crews([[True]], [0.0], 2, 0.5).covered == 0.0


@pytest.mark.parametrize(
    ("demand", "busy", "complaint"),
    [
        ([1.0], 0.5, "points"),
        ([1.0, -1.0], 0.5, "at least 0"),
        ([1.0, float("nan")], 0.5, "finite"),
        ([1, 1], 1.0, "busy"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(demand: list[float], busy: float, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        place_crews([[True, False]], demand, 1, busy)


COVER_ALONE = StandbySettings(
    least_s=0.0, most_s=1e9, least_gain=1e-9, drive_cost=0.0, per_drive=0.0, per_lateness=0.0, step=1.0, blur_s=0.1
)


@pytest.mark.parametrize("seed", range(20))
def test_moves_that_cost_nothing_come_near_to_the_best_cover(seed: int) -> None:
    rng = np.random.default_rng(seed)
    cells = Cells(GROUND, TRAVEL, side=5)
    for lon, lat in rng.uniform(0, 20 * KM, (60, 2)):
        cells.count(Reported(float(lon), float(lat), int(rng.integers(1, 6))))
    crews = int(rng.integers(2, 7))
    standing = rng.integers(0, 25, crews)
    for _ in range(20):
        times = cells.between[standing]
        moves = advise(times, np.zeros_like(times), np.ones(crews, dtype=bool), cells, settings=COVER_ALONE)
        if not moves:
            break
        for crew, cell in moves:
            standing[crew] = cell
    reach = cells.between <= COVER_ALONE.target_s
    covered = expected_cover(reach[standing].sum(axis=0), cells.weights, COVER_ALONE.taken)
    best = place_crews(reach[cells.inhabited], cells.weights, crews, COVER_ALONE.taken)
    assert best.proven
    assert 0.93 * best.covered <= covered <= best.covered + 1e-9
