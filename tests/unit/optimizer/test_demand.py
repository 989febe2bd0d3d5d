"""Demand: the season's calendar, what counts teach, and what the prior keeps."""

from datetime import date, datetime, timedelta

import msgspec
import numpy as np
import pytest

from optimizer.demand import PHASES, Demand, HourSeen, learn_demand, phase, week_hour

ZONES = ("north", "south", "east")
MONDAY = datetime(2025, 12, 1)


def hours(count: int, truth: Demand, *, begins: datetime = MONDAY, cold: bool = False, seed: int = 1) -> list[HourSeen]:
    rng = np.random.default_rng(seed)
    seen = []
    for n in range(count):
        at = begins + timedelta(hours=n)
        outside = float(rng.uniform(-32, 5)) if cold else None
        drawn = {zone: int(rng.poisson(truth.rate(zone, at, outside))) for zone in ZONES}
        seen.append(HourSeen(at, drawn, outside))
    return seen


TRUTH = Demand(
    level=30.0,
    shares={"north": 0.6, "south": 0.3, "east": 0.1},
    week=tuple(np.repeat([0.2, 1.8], 12).tolist() * 7),
    cold=(3.0, 2.5, 2.0, 1.6, 1.4, 1.2, 1.1, 1.0),
    phases={"storm": 5.0, "season": 1.0, "off": 0.05},
)


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (date(2025, 10, 19), "off"),
        (date(2025, 10, 20), "storm"),
        (date(2025, 10, 29), "storm"),
        (date(2025, 10, 30), "season"),
        (date(2025, 12, 31), "season"),
        (date(2026, 1, 1), "season"),
        (date(2026, 2, 28), "season"),
        (date(2026, 4, 20), "season"),
        (date(2026, 4, 21), "off"),
        (date(2026, 7, 1), "off"),
    ],
)
def test_the_season_begins_with_its_storm_and_spans_the_new_year(day: date, expected: str) -> None:
    assert phase(day) == expected


def test_an_hour_of_the_week_begins_on_monday() -> None:
    assert week_hour(MONDAY) == 0
    assert week_hour(MONDAY - timedelta(minutes=1)) == 167


def test_the_prior_expects_more_in_the_storm_in_the_cold_and_in_the_evening() -> None:
    demand = Demand(shares=dict.fromkeys(ZONES, 1 / 3))
    at = MONDAY.replace(hour=19)
    assert demand.rate(None, datetime(2025, 10, 21, 19), -20) > 2 * demand.rate(None, at, -20)
    assert demand.rate(None, at, -31) > demand.rate(None, at, -12) > demand.rate(None, at, 3)
    assert demand.rate(None, at) > 3 * demand.rate(None, MONDAY.replace(hour=3))
    assert demand.rates(ZONES, at).sum() == pytest.approx(demand.rate(None, at))
    assert demand.rate("of a newer map", at) > 0


def test_ten_weeks_teach_zones_and_hours_of_the_week() -> None:
    learned = learn_demand(hours(24 * 70, TRUTH), ZONES, Demand())
    assert [learned.shares[zone] for zone in ZONES] == pytest.approx([0.6, 0.3, 0.1], abs=0.01)
    at = MONDAY + timedelta(weeks=20)
    for hour in (3, 15, 22):
        moment = at.replace(hour=hour)
        assert learned.rate("north", moment) == pytest.approx(TRUTH.rate("north", moment), rel=0.2)


def test_cold_and_storm_are_told_apart_from_the_hours_that_they_fell_on() -> None:
    season = hours(24 * 120, TRUTH, begins=datetime(2025, 10, 20), cold=True)
    learned = learn_demand(season, ZONES, Demand())
    assert learned.phases["storm"] == pytest.approx(5.0, rel=0.1)
    ratio = learned.cold[0] / learned.cold[-1]
    assert ratio == pytest.approx(3.0, rel=0.15)


def test_seen_and_expected_counts_agree_over_what_was_seen() -> None:
    seen = hours(24 * 28, TRUTH)
    learned = learn_demand(seen, ZONES, Demand(), worth=1e-6)
    expected = sum(learned.rate(None, hour.begins) for hour in seen)
    assert expected == pytest.approx(sum(sum(hour.reports.values()) for hour in seen), rel=1e-3)


def test_a_young_city_stays_near_the_prior_in_its_shape_and_learns_its_level_first() -> None:
    prior = Demand(level=10.0)
    learned = learn_demand(hours(30, TRUTH), ZONES, prior)
    silent = week_hour(MONDAY + timedelta(days=5, hours=9))
    assert learned.week[silent] == pytest.approx(prior.week[silent], rel=0.35)
    assert learned.level > 1.3 * prior.level


def test_a_phase_that_was_never_seen_keeps_what_the_prior_says_of_it() -> None:
    learned = learn_demand(hours(24 * 14, TRUTH), ZONES, Demand())
    assert learned.phases["storm"] == pytest.approx(3.0)
    assert learned.phases["off"] == pytest.approx(0.1)
    assert learned.phases["season"] == 1.0
    assert np.mean(learned.week) == pytest.approx(1.0)


def test_silence_is_learned_and_no_history_changes_nothing() -> None:
    assert learn_demand([], ZONES, Demand()) == Demand()
    quiet = [HourSeen(MONDAY + timedelta(hours=n), {}) for n in range(24 * 60)]
    learned = learn_demand(quiet, ZONES, Demand())
    assert 0 < learned.rate(None, MONDAY) < 0.05
    assert learned.hours == 24 * 60


def test_demand_survives_being_written_and_read() -> None:
    learned = learn_demand(hours(100, TRUTH), ZONES, Demand())
    assert msgspec.json.decode(msgspec.json.encode(learned), type=Demand) == learned
    assert set(learned.phases) == set(PHASES)
    with pytest.raises(ValueError, match="168"):
        Demand(week=(1.0,) * 24)
