"""Factors of travel times: what trips teach, and what the prior keeps."""

import math
from statistics import median

import msgspec
import numpy as np
import pytest

from geo.travel import MetricTravel
from geo.travel_factors import (
    HOURS,
    NO_FACTORS,
    Conditions,
    FactoredTravel,
    TravelFactors,
    Trip,
    check_weather,
    learn_factors,
)

A, B = (126.60, 45.70), (126.64, 45.73)


def _trips(count: int, *, hour: int, factor: float, sigma: float = 0.3, seed: int = 1) -> list[Trip]:
    rng = np.random.default_rng(seed)
    predicted = rng.uniform(120, 1200, count)
    actual = predicted * factor * np.exp(rng.normal(0, sigma, count))
    return [Trip(hour, p, a) for p, a in zip(predicted.tolist(), actual.tolist(), strict=True)]


def test_no_factors_take_the_source_by_its_word() -> None:
    plain = MetricTravel()
    factored = FactoredTravel(plain, NO_FACTORS, Conditions(8))
    assert factored.seconds(*A, *B, quantile=0.9) == plain.seconds(*A, *B)
    assert (factored.matrix([A, B], [B, A], quantile=0.9) == plain.matrix([A, B], [B, A])).all()


def test_rush_hour_snow_and_a_cautious_quantile_each_lengthen_a_trip() -> None:
    factors = TravelFactors(hours=(1.0,) * 8 + (1.5,) + (1.0,) * 15, weather={"snow": 1.4})
    calm = FactoredTravel(MetricTravel(), factors, Conditions(3)).seconds(*A, *B)
    assert FactoredTravel(MetricTravel(), factors, Conditions(8)).seconds(*A, *B) == pytest.approx(1.5 * calm, abs=1)
    snow = FactoredTravel(MetricTravel(), factors, Conditions(3, "snow"))
    assert snow.seconds(*A, *B) == pytest.approx(1.4 * calm, abs=1)
    assert snow.seconds(*A, *B, quantile=0.9) > 1.3 * snow.seconds(*A, *B)
    assert snow.matrix([A], [B], quantile=0.9)[0, 0] == snow.seconds(*A, *B, quantile=0.9)


def test_many_trips_are_believed_for_their_hour_and_for_the_scatter() -> None:
    trips = _trips(3000, hour=8, factor=1.6) + _trips(3000, hour=3, factor=0.9, seed=2)
    learned = learn_factors(trips, TravelFactors())
    assert learned.hours[8] == pytest.approx(1.6, rel=0.03)
    assert learned.hours[3] == pytest.approx(0.9, rel=0.03)
    assert learned.factor(Conditions(8), quantile=0.9) == pytest.approx(1.6 * math.exp(1.2816 * 0.3), rel=0.05)
    assert learned.trips == 6000


def test_the_learned_quantile_covers_that_share_of_the_trips_to_come() -> None:
    learned = learn_factors(_trips(500, hour=8, factor=1.6), TravelFactors())
    factor = learned.factor(Conditions(8), quantile=0.9)
    coming = _trips(4000, hour=8, factor=1.6, seed=9)
    covered = sum(trip.actual_s <= trip.predicted_s * factor for trip in coming) / len(coming)
    assert covered == pytest.approx(0.9, abs=0.03)


def test_three_trips_hardly_move_their_hour_and_other_hours_less() -> None:
    learned = learn_factors(_trips(3, hour=8, factor=3.0, sigma=0.01), TravelFactors())
    assert 1.05 < learned.hours[8] < 1.5
    assert 1.0 < learned.hours[20] < learned.hours[8]


def test_the_day_as_a_whole_is_learned_by_hours_that_had_few_trips() -> None:
    trips = [trip for hour in range(24) for trip in _trips(15, hour=hour, factor=1.5, seed=hour)]
    learned = learn_factors(trips, TravelFactors())
    assert all(1.3 < factor < 1.7 for factor in learned.hours)
    assert median(learned.hours) == pytest.approx(1.5, rel=0.06)


def test_trips_that_say_nothing_are_left_out() -> None:
    odd = [Trip(8, 0.0, 300.0), Trip(8, 300.0, 0.0), Trip(8, math.inf, 300.0), Trip(8, 60.0, 30_000.0)]
    assert learn_factors(odd, TravelFactors()) == TravelFactors()


def test_no_way_stays_no_way() -> None:
    class Nowhere:
        def seconds(self, *place: float, quantile: float = 0.5) -> float:
            return math.inf

        def matrix(self, origins: object, destinations: object, *, quantile: float = 0.5) -> np.ndarray:
            return np.full((1, 1), math.inf)

    factored = FactoredTravel(Nowhere(), TravelFactors(), Conditions(3))
    assert factored.seconds(*A, *B) == math.inf
    assert np.isinf(factored.matrix([A], [B])).all()


def test_factors_survive_being_written_and_read() -> None:
    learned = learn_factors(_trips(50, hour=8, factor=1.6), TravelFactors(weather={"snow": 1.4}))
    assert msgspec.json.decode(msgspec.json.encode(learned), type=TravelFactors) == learned


@pytest.mark.parametrize(
    "bad", [{"hours": (1.0,) * 23}, {"scatter": (0.0,) * 3}, {"scatter": (0.0, -1.0) + (0.0,) * 5}]
)
def test_tables_of_the_wrong_size_are_refused(bad: dict[str, tuple[float, ...]]) -> None:
    with pytest.raises(ValueError, match=r"must hold"):
        TravelFactors(**bad)  # type: ignore[arg-type] # the wrong values are the point


@pytest.mark.parametrize("quantile", [0.0, 1.0, -1.0, float("nan")])
def test_a_quantile_that_is_none_is_refused(quantile: float) -> None:
    with pytest.raises(ValueError, match="quantile"):
        MetricTravel().seconds(*A, *B, quantile=quantile)


def test_a_weather_without_a_factor_is_refused_by_name() -> None:
    check_weather("", {})
    with pytest.raises(ValueError, match=r"'snwo'.*snow"):
        check_weather("snwo", {"snow": 1.4})
    with pytest.raises(ValueError, match=str(HOURS - 1)):
        Conditions(24)
