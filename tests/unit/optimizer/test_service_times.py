"""Service times: what history teaches, and what a kind of work seen seldom borrows."""

import math

import msgspec
import numpy as np
import pytest

from optimizer.service_times import MEDIAN_S, P90_S, PRIOR, ServiceTime, ServiceTimes, Visit, learn_service_times


def visits(category: str, severity: int, count: int, *, median_s: float, sigma: float, seed: int = 1) -> list[Visit]:
    logs = np.random.default_rng(seed).normal(math.log(median_s), sigma, count)
    return [Visit(category, severity, s) for s in np.exp(logs).tolist()]


def test_before_any_history_the_prior_speaks_for_all_work() -> None:
    times = learn_service_times([])
    assert times.of("leak", 4) == PRIOR
    assert PRIOR.median_s == MEDIAN_S
    assert PRIOR.p90_s == pytest.approx(P90_S)


def test_much_history_is_believed_for_its_median_and_its_tail() -> None:
    history = visits("leak", 4, 2000, median_s=2400, sigma=0.4) + visits("cold", 2, 2000, median_s=600, sigma=0.9)
    times = learn_service_times(history)
    assert times.of("leak", 4).median_s == pytest.approx(2400, rel=0.03)
    assert times.of("leak", 4).p90_s == pytest.approx(2400 * math.exp(1.2816 * 0.4), rel=0.05)
    assert times.of("cold", 2).median_s == pytest.approx(600, rel=0.07)
    seen = sorted(visit.service_s for visit in history if visit.category == "cold")
    covered = sum(s <= times.of("cold", 2).p90_s for s in seen) / len(seen)
    assert covered == pytest.approx(0.9, abs=0.02)


def test_two_long_visits_hardly_change_what_is_expected_of_their_kind() -> None:
    times = learn_service_times([Visit("odour", 3, 4 * 3600.0)] * 2)
    assert MEDIAN_S < times.of("odour", 3).median_s < 3.5 * MEDIAN_S
    assert times.of("odour", 3).sigma > PRIOR.sigma, "and widen what may happen"


def test_a_severity_never_seen_borrows_from_its_category_and_a_category_from_all() -> None:
    times = learn_service_times(visits("leak", 4, 500, median_s=3000, sigma=0.3))
    assert times.of("leak", 5).median_s == pytest.approx(3000, rel=0.05)
    assert times.of("unknown", 1).median_s == times.overall.median_s
    assert times.of("leak", 5) == times.categories["leak"]


def test_a_forgotten_phone_and_a_slip_of_the_finger_teach_nothing() -> None:
    odd = [Visit("leak", 4, s) for s in (0.0, -5.0, 1.0, 10 * 86_400.0, math.inf, math.nan)]
    assert learn_service_times(odd) == ServiceTimes()


def test_predictions_survive_being_written_and_read() -> None:
    times = learn_service_times(visits("漏水", 4, 20, median_s=2400, sigma=0.4))
    assert msgspec.json.decode(msgspec.json.encode(times), type=ServiceTimes) == times
    assert times.of("漏水", 4).seen == 20
    assert ServiceTime(100.0, 0.0).p90_s == 100.0
