"""How likely a grab is, and how long the machine may wait for one."""

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimizer.grab_chance import (
    PRIOR,
    GrabChance,
    GrabChances,
    OfferSeen,
    latest_assignment_s,
    learn_grab_chances,
)

NEVER, SOON = GrabChance(0.01, 1e6), GrabChance(100.0, 500.0)


def offers(zone: str, hour: int, count: int, *, mean_s: float, cut_s: float = 60.0, seed: int = 1) -> list[OfferSeen]:
    """Offers that are grabbed after an exponential time, or given out by the machine at `cut_s`."""
    taken = np.random.default_rng(seed).exponential(mean_s, count)
    return [OfferSeen(zone, hour, min(t, cut_s), bool(t < cut_s)) for t in taken.tolist()]


def wait(
    chance: GrabChance = PRIOR, *, due: float = 900, eta: float = 300, late: float = 400, longest: float = 60
) -> float:
    return latest_assignment_s(longest_s=longest, due_in_s=due, eta_s=eta, late_eta_s=late, chance=chance)


def test_the_rate_is_found_although_the_machine_cut_many_offers_short() -> None:
    learned = learn_grab_chances(offers("north", 8, 2000, mean_s=120))
    for seconds in (10, 60, 300):
        assert learned.of("north", 8).within(seconds) == pytest.approx(1 - math.exp(-seconds / 120), abs=0.02)
    assert learned.offers == 2000


def test_zones_and_hours_differ_once_they_were_seen_often_enough() -> None:
    seen = [
        *offers("north", 8, 300, mean_s=10),
        *offers("north", 3, 300, mean_s=200, seed=2),
        *offers("south", 8, 300, mean_s=100, seed=3),
        *offers("south", 3, 2, mean_s=1, seed=4),
    ]
    chances = learn_grab_chances(seen)
    assert chances.of("north", 8).within(20) > 0.8
    assert chances.of("north", 3).within(20) < 0.2
    south = chances.of("south", 20).within(20)
    assert chances.of("south", 3).within(20) == pytest.approx(south, abs=0.1), "two offers hardly count"
    assert chances.of("new", 8) == chances.of(None, 8) == chances.overall


def test_before_any_offer_the_prior_speaks() -> None:
    assert learn_grab_chances([]) == GrabChances()
    assert PRIOR.within(0) == 0.0
    assert 0.1 < PRIOR.within(6) < 0.25
    assert PRIOR.within(60) == pytest.approx(0.75)
    assert learn_grab_chances([OfferSeen("z", 1, math.nan, True), OfferSeen("z", 1, -1.0, True)]) == GrabChances()


def test_a_crew_nearby_leaves_all_the_time_for_grabs() -> None:
    assert wait(eta=120, late=200) == 60


def test_without_scatter_the_last_moment_is_when_the_nearest_crew_must_leave() -> None:
    assert wait(NEVER, due=340, eta=300, late=300) == pytest.approx(40, abs=0.25)
    assert wait(SOON, due=340, eta=300, late=300) == 60, "somebody will have grabbed it by then"


def test_where_grabs_are_rare_the_machine_does_not_wait_for_them() -> None:
    rare, usual = wait(NEVER, due=900, eta=800, late=1000), wait(SOON, due=900, eta=800, late=1000)
    assert rare < 30
    assert usual == 60


def test_the_more_travel_times_scatter_the_earlier_it_goes_on_a_tight_clock() -> None:
    assert wait(NEVER, due=400, eta=300, late=420) < wait(NEVER, due=400, eta=300, late=330) <= 60


def test_what_cannot_be_saved_is_left_to_grabs() -> None:
    assert wait(NEVER, due=100, eta=900, late=1100) == 60
    assert wait(NEVER, due=-50, eta=10, late=20) == 60
    assert wait(NEVER, longest=0) == 0


@given(
    due=st.floats(-1000, 10_000),
    eta=st.floats(0, 7200),
    more=st.floats(1, 5),
    longest=st.floats(0, 86_400),
    grabs=st.floats(0.1, 1000),
)
def test_it_never_waits_longer_than_it_may(due: float, eta: float, more: float, longest: float, grabs: float) -> None:
    waited = wait(GrabChance(grabs, 60.0), due=due, eta=eta, late=eta * more, longest=longest)
    assert 0.0 <= waited <= longest


def test_chances_survive_being_written_and_read() -> None:
    learned = learn_grab_chances(offers("道里", 8, 20, mean_s=20))
    assert msgspec.json.decode(msgspec.json.encode(learned), type=GrabChances) == learned
