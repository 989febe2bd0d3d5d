"""Travel times: against known distances and by their rules."""

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.travel import EARTH_RADIUS_M, MetricTravel, distance_m

LONS = st.floats(-180.0, 180.0)
LATS = st.floats(-90.0, 90.0)


def test_a_degree_of_meridian_is_a_ninetieth_of_the_way_to_the_pole() -> None:
    assert distance_m(126.6, 45.0, 126.6, 46.0) == pytest.approx(EARTH_RADIUS_M * math.pi / 180.0)
    assert distance_m(0.0, 0.0, 0.0, 90.0) == pytest.approx(10_007_557.2, abs=1.0)


def test_beijing_to_harbin() -> None:
    # Great-circle distance by an ellipsoidal solver is 1,054.6 km; a sphere is within 0.3 % of that.
    assert distance_m(116.3913, 39.9075, 126.6424, 45.7567) == pytest.approx(1_054_600.0, rel=0.003)


@given(LONS, LATS, LONS, LATS)
def test_distance_is_symmetric_and_never_beyond_the_antipode(
    lon1: float, lat1: float, lon2: float, lat2: float
) -> None:
    there = distance_m(lon1, lat1, lon2, lat2)
    assert there == pytest.approx(distance_m(lon2, lat2, lon1, lat1), abs=0.02)
    assert 0.0 <= there <= math.pi * EARTH_RADIUS_M + 1e-6


def test_seconds_are_metres_times_detour_by_speed_rounded_up() -> None:
    metres = distance_m(126.60, 45.70, 126.61, 45.71)
    assert MetricTravel(6.0, 1.3).seconds(126.60, 45.70, 126.61, 45.71) == math.ceil(metres * 1.3 / 6.0)
    assert MetricTravel(12.0, 1.0).seconds(126.60, 45.70, 126.61, 45.71) == math.ceil(metres / 12.0)


def test_any_way_takes_at_least_a_second_and_no_way_takes_none() -> None:
    assert MetricTravel().seconds(126.6, 45.7, 126.6, 45.7) == 0.0
    assert MetricTravel().seconds(126.6, 45.7, 126.600001, 45.7) == 1.0


def test_matrix_agrees_with_seconds_and_has_origins_as_rows() -> None:
    rng = np.random.default_rng(1)
    origins = rng.uniform((126.5, 45.6), (126.8, 45.8), (40, 2))
    destinations = rng.uniform((126.5, 45.6), (126.8, 45.8), (30, 2))
    travel = MetricTravel()
    matrix = travel.matrix(origins, destinations)
    assert matrix.shape == (40, 30)
    one_by_one = [[travel.seconds(*a, *b) for b in destinations.tolist()] for a in origins.tolist()]
    assert (matrix == np.array(one_by_one)).all()


def test_matrix_of_nothing_is_empty() -> None:
    assert MetricTravel().matrix([], [(126.6, 45.7)]).shape == (0, 1)


@pytest.mark.parametrize("bad", [[126.6, 45.7], [[126.6, 45.7, 0.0]], [[126.6, float("nan")]]])
def test_matrix_refuses_what_are_not_rows_of_places(bad: npt.ArrayLike) -> None:
    with pytest.raises(ValueError, match=r"^destinations "):
        MetricTravel().matrix([(126.6, 45.7)], bad)


@pytest.mark.parametrize("speed", [0.0, -1.0, float("nan"), float("inf")])
def test_a_speed_that_leads_nowhere_is_refused(speed: float) -> None:
    with pytest.raises(ValueError, match="speed_mps"):
        MetricTravel(speed_mps=speed)


@pytest.mark.parametrize("detour", [0.99, float("nan"), float("inf")])
def test_a_detour_shorter_than_the_great_circle_is_refused(detour: float) -> None:
    with pytest.raises(ValueError, match="detour"):
        MetricTravel(detour=detour)
