"""Where idle crews wait: nearer to where reports come from, never far, never often, and as good as any single move."""

import msgspec
import numpy as np
import pytest

from optimizer.cells import Cells
from optimizer.dispatching import Dispatcher
from optimizer.situation import Ground, IdleCrew, Move, Reported
from optimizer.standby import FAR_S, StandbySettings, advise, arrival_costs, rank_chances
from tests.unit.optimizer.situations import GROUND, KM, TRAVEL, crew, order, situation

CENTRE = [Reported(12 * KM, 12 * KM, 3)] * 50


def moved(dispatcher: Dispatcher, idle: list[IdleCrew], *, after_s: float = 0.0) -> tuple[Move, ...]:
    return dispatcher(situation(idle, reported=CENTRE, after_s=after_s)).moves


def test_an_idle_crew_goes_to_wait_where_reports_come_from() -> None:
    [move] = moved(Dispatcher(GROUND), [crew("c", 9, 9)])
    assert abs(move.lon / KM - 12) < 2
    assert abs(move.lat / KM - 12) < 2


def test_history_says_where_to_wait_before_anything_was_reported() -> None:
    ground = msgspec.structs.replace(GROUND, expected=((12 * KM, 12 * KM, 1.0),))
    choice = Dispatcher(ground)(situation([crew("c", 9, 9)]))
    [move] = choice.moves
    assert abs(move.lon / KM - 12) < 2
    assert Dispatcher(GROUND)(situation([crew("c", 9, 9)])).moves == ()


def test_who_stands_well_stays() -> None:
    assert moved(Dispatcher(GROUND), [crew("c", 11.25, 11.25)]) == ()


def test_nobody_drives_longer_than_the_longest_move() -> None:
    assert moved(Dispatcher(GROUND), [crew("c", 0, 0)]) == ()


def test_who_was_moved_rests_before_he_is_moved_again() -> None:
    dispatcher, rest = Dispatcher(GROUND), StandbySettings().rest_s
    assert moved(dispatcher, [crew("c", 9, 9)])
    assert moved(dispatcher, [crew("c", 9, 9)], after_s=rest - 1) == ()
    assert moved(dispatcher, [crew("c", 9, 9)], after_s=rest)


def test_who_is_sent_is_not_moved() -> None:
    choice = Dispatcher(GROUND)(situation([crew("c", 9, 9)], [order("o", 9, 9)], reported=CENTRE))
    assert [sending.crew for sending in choice.sendings] == ["c"]
    assert choice.moves == ()


def test_who_is_on_the_way_counts_where_he_is_going() -> None:
    [move] = moved(Dispatcher(GROUND), [crew("first", 9, 9)])
    going = IdleCrew("first", 9 * KM, 9 * KM, (), None, situation().now, heading=(move.lon, move.lat))
    second = moved(Dispatcher(GROUND), [going, crew("second", 9.2, 9)])
    assert all((each.lon, each.lat) != (move.lon, move.lat) for each in second)


def test_who_is_still_far_from_where_he_is_going_does_not_cover_it_yet() -> None:
    there = (11.25 * KM, 11.25 * KM)
    near, far = (IdleCrew("first", x * KM, x * KM, (), None, situation().now, heading=there) for x in (11.0, 0.0))
    second = crew("second", 9, 9)
    assert there not in [(move.lon, move.lat) for move in moved(Dispatcher(GROUND), [near, second])]
    assert pytest.approx(there) in [(move.lon, move.lat) for move in moved(Dispatcher(GROUND), [far, second])]


def test_at_most_so_many_move_at_one_time() -> None:
    idle = [crew(f"c{n}", 8 + 0.1 * n, 8) for n in range(9)]
    assert len(moved(Dispatcher(GROUND), idle)) <= StandbySettings().moves


def _expected_cost(times: np.ndarray, weights: np.ndarray, settings: StandbySettings) -> float:
    """The objective as the module's text has it, straight from sorted times."""
    costs, chances = arrival_costs(settings), rank_chances(settings)
    ranked = np.sort(np.vstack([np.minimum(times, FAR_S), np.full((len(chances), len(weights)), FAR_S)]), axis=0)
    return float((weights * (chances[:, np.newaxis] * costs[(ranked[: len(chances)] / 5.0).astype(int)]).sum(0)).sum())


@pytest.mark.parametrize("seed", range(25))
def test_no_single_move_is_worth_more_than_the_one_advised(seed: int) -> None:
    rng = np.random.default_rng(seed)
    settings = StandbySettings(moves=1)
    cells = Cells(GROUND, TRAVEL, side=5)
    for lon, lat in rng.uniform(0, 20 * KM, (30, 2)):
        cells.count(Reported(float(lon), float(lat), int(rng.integers(1, 6))))
    times = cells.seconds_from([(float(x), float(y)) for x, y in rng.uniform(0, 20 * KM, (int(rng.integers(1, 6)), 2))])
    weights = cells.weights / cells.weights.sum()
    now = _expected_cost(times, weights, settings)
    worth = {}
    for row in range(len(times)):
        for cell in np.flatnonzero(cells.inhabited).tolist():
            drive = times[row, cell]
            if settings.least_s <= drive <= settings.most_s:
                after = times.copy()
                after[row] = cells.between[cell] + 0.5 * drive
                worth[row, cell] = now - _expected_cost(after, weights, settings) - settings.drive_cost * drive / 900
    best = max(worth, key=lambda move: worth[move], default=None)
    advised = advise(times, times, np.ones(len(times), dtype=bool), cells, settings=settings)
    if best is None or worth[best] <= settings.least_gain:
        assert advised == []
    else:
        assert worth[advised[0]] == pytest.approx(worth[best], abs=1e-9)


def test_a_place_outside_the_box_belongs_to_the_nearest_cell() -> None:
    cells = Cells(GROUND, TRAVEL, side=4)
    assert cells.of(-1.0, -1.0) == 0
    assert cells.of(1.0, 1.0) == 15


def test_a_box_without_extent_is_one_place() -> None:
    cells = Cells(Ground(5.0, 5.0, 5.0, 5.0), TRAVEL)
    cells.count(Reported(5.0, 5.0, 2))
    assert cells.inhabited.sum() == 1


@pytest.mark.parametrize("box", [(1.0, 0.0, 0.0, 1.0), (0.0, 0.0, float("nan"), 1.0)])
def test_a_box_the_wrong_way_round_is_refused(box: tuple[float, float, float, float]) -> None:
    with pytest.raises(ValueError, match="west, south, east, north"):
        Cells(Ground(*box), TRAVEL)
