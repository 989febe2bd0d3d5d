"""Waiting places: proven against trying everything, and advice that pays for its drives."""

import itertools
from typing import Any

import numpy as np
import pytest

from optimizer.waiting import (
    advise,
    busy_share,
    expected_cover,
    marginal_cover,
    place_crews,
    send_freed,
)


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


@pytest.mark.parametrize("seed", range(20))
def test_a_freed_crew_goes_where_it_adds_most(seed: int) -> None:
    cover, demand, busy = town(seed, bases=8, points=30)
    counts = np.random.default_rng(seed).integers(0, 3, 30)
    chosen = send_freed(cover, demand, counts, busy, seconds=np.full(8, 60.0))
    assert chosen is not None
    before = expected_cover(counts, demand, busy)
    gains = [expected_cover(counts + cover[base], demand, busy) - before for base in range(8)]
    assert gains[chosen] == pytest.approx(max(gains))
    assert marginal_cover(cover, demand, counts, busy) == pytest.approx(np.array(gains))


def test_of_equal_bases_the_nearest_and_none_that_cannot_be_reached() -> None:
    cover = [[True], [True], [True]]
    assert send_freed(cover, [5.0], [0], 0.3, seconds=[300.0, 100.0, 200.0]) == 1
    assert send_freed(cover, [5.0], [0], 0.3, seconds=[300.0, np.inf, 200.0]) == 2
    assert send_freed(cover, [5.0], [0], 0.3, seconds=[np.inf, np.inf, np.inf], cost_per_s=1.0) is None
    assert send_freed(np.zeros((0, 1)), [5.0], [0], 0.3, seconds=[]) is None


def test_a_long_drive_must_be_worth_it() -> None:
    cover, demand = [[True, False], [False, True]], [5.0, 6.0]
    assert send_freed(cover, demand, [0, 0], 0.3, seconds=[60.0, 1200.0]) == 1
    assert send_freed(cover, demand, [0, 0], 0.3, seconds=[60.0, 1200.0], cost_per_s=0.001) == 0


@pytest.mark.parametrize("seed", range(20))
def test_a_single_move_is_the_best_that_there_is(seed: int) -> None:
    cover, demand, busy = town(seed, bases=6, points=25)
    rng = np.random.default_rng(seed)
    here, seconds = rng.random((4, 25)) < 0.3, rng.uniform(60, 900, (4, 6))
    advice = advise(here, cover, demand, busy, seconds=seconds, moves=1, cost_per_s=0.002)
    now = expected_cover(here.sum(axis=0), demand, busy)
    worth = np.zeros((4, 6))
    for crew, base in itertools.product(range(4), range(6)):
        moved = here.copy()
        moved[crew] = cover[base]
        worth[crew, base] = expected_cover(moved.sum(axis=0), demand, busy) - now - 0.002 * seconds[crew, base]
    if worth.max() <= 0:
        assert advice == []
    else:
        assert worth[advice[0].crew, advice[0].base] == pytest.approx(worth.max())
        assert advice[0].gain == pytest.approx(worth.max() + 0.002 * advice[0].seconds)


def test_advice_keeps_to_its_limit_and_moves_nobody_twice_or_against_his_turn() -> None:
    rng = np.random.default_rng(3)
    cover, demand = rng.random((6, 25)) < 0.4, rng.integers(1, 20, 25).astype(float)
    here, seconds = np.zeros((5, 25), dtype=bool), rng.uniform(60, 900, (5, 6))
    three = advise(here, cover, demand, 0.4, seconds=seconds, moves=3)
    assert len({move.crew for move in three}) == 3
    assert advise(here, cover, demand, 0.4, seconds=seconds, moves=0) == []
    allowed = [False, False, True, False, False]
    assert [m.crew for m in advise(here, cover, demand, 0.4, seconds=seconds, moves=3, may_move=allowed)] == [2]
    assert advise(here, cover, demand, 0.4, seconds=seconds, moves=3, least_gain=1e6) == []
    assert advise(here, cover, demand, 0.4, seconds=np.full((5, 6), np.inf), moves=3) == []
    assert advise(np.zeros((0, 25)), cover, demand, 0.4, seconds=np.zeros((0, 6)), moves=3) == []


def test_crews_that_stand_together_are_told_to_spread_until_it_no_longer_pays() -> None:
    cover = np.eye(4, dtype=bool)
    here = np.tile(cover[0], (4, 1))
    advice = advise(here, cover, [5.0, 5.0, 5.0, 5.0], 0.3, seconds=np.full((4, 4), 300.0), moves=10)
    assert sorted(move.base for move in advice) == [1, 2, 3]


def test_a_crew_is_as_busy_as_the_work_there_is_for_it() -> None:
    assert busy_share(30, 2400, 40) == pytest.approx(0.5)
    assert busy_share(1000, 2400, 40) == 0.95
    assert busy_share(0, 2400, 40) == 0.02
    assert busy_share(10, 2400, 0) == 0.95
