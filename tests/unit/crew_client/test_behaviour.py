"""The dice of a simulated technician, and the ground he drives on."""

import random
import statistics

import pytest

from crew_client.behaviour import Behaviour
from crew_client.ground import Place, between, metres_between, shifted

HARBIN = Place(126.63, 45.75)


def test_durations_have_the_median_that_was_set() -> None:
    behaviour, rng = Behaviour(service_median_s=1000, reaction_median_s=4), random.Random(1)
    assert statistics.median(behaviour.service_s(rng) for _ in range(4000)) == pytest.approx(1000, rel=0.05)
    assert statistics.median(behaviour.reaction_s(rng) for _ in range(4000)) == pytest.approx(4, rel=0.05)


def test_a_technician_is_less_inclined_the_farther_and_the_busier() -> None:
    behaviour = Behaviour()
    assert behaviour.inclination(0, load=0) == behaviour.keenness
    assert (
        behaviour.inclination(500, load=0) > behaviour.inclination(5000, load=0) > behaviour.inclination(5000, load=1)
    )


def test_answers_follow_the_inclination_and_the_rest_is_declined_or_ignored() -> None:
    behaviour, rng = Behaviour(keenness=0.6, decline_share=0.25), random.Random(2)
    answers = [behaviour.answer(rng, 0, load=0) for _ in range(10_000)]
    assert answers.count("grab") / 10_000 == pytest.approx(0.6, abs=0.02)
    assert answers.count("decline") / 10_000 == pytest.approx(0.1, abs=0.02)
    assert behaviour.decline_reason(9000, load=0) == "too_far"
    assert behaviour.decline_reason(9000, load=1) == "busy"


def test_a_share_of_the_clocks_is_wrong_but_never_by_more_than_set() -> None:
    errors = [Behaviour(wrong_clock_share=0.3).clock_error_s(random.Random(seed)) for seed in range(2000)]
    assert sum(error != 0 for error in errors) / 2000 == pytest.approx(0.3, abs=0.04)
    assert 500 < max(errors) <= 600 and -600 <= min(errors) < -500


def test_visits_are_suspended_for_a_listed_reason_in_the_share_that_was_set() -> None:
    behaviour, rng = Behaviour(suspend_share=0.2), random.Random(3)
    suspensions = [found for _ in range(5000) if (found := behaviour.suspension(rng))]
    assert len(suspensions) / 5000 == pytest.approx(0.2, abs=0.02)
    assert {reason for reason, _ in suspensions} == {"resident_absent", "waiting_part", "waiting_utility"}


def test_dead_zones_come_as_often_as_set_or_never() -> None:
    behaviour, rng = Behaviour(dead_zones_per_hour=2), random.Random(4)
    zones = [behaviour.dead_zone(rng) for _ in range(4000)]
    assert statistics.mean(zone.after_s for zone in zones if zone) == pytest.approx(1800, rel=0.06)
    assert Behaviour(dead_zones_per_hour=0).dead_zone(rng) is None


@pytest.mark.parametrize("bad", [{"keenness": 1.5}, {"suspend_share": -0.1}, {"travel_mps": 0}, {"retry_s": -1}])
def test_parameters_that_make_no_sense_are_refused_by_name(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        Behaviour(**bad)


def test_a_shifted_place_is_as_far_as_it_was_shifted() -> None:
    there = shifted(HARBIN, east_m=300, north_m=400)
    assert metres_between(HARBIN, there) == pytest.approx(500, rel=1e-4)
    assert metres_between(HARBIN, between(HARBIN, there, 0.25)) == pytest.approx(125, rel=1e-4)
    assert between(HARBIN, there, 7) == there
