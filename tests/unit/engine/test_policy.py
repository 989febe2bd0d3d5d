"""The grab policy of a zone: what may be asked for, and when the machine takes over."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.errors import Invalid
from dispatch.policy import GrabPolicy, machine_takes_over, near_enough_to_grab, read_policy, safe_to_grab
from optimizer.grab_chance import GrabChance

NOW = datetime(2026, 1, 15, 8, tzinfo=UTC)


def after(policy: GrabPolicy, *, due_in: float | None = None, eta: float | None = None, **more: Any) -> float:
    due = None if due_in is None else NOW + timedelta(seconds=due_in)
    return (machine_takes_over(policy, NOW, arrival_due=due, best_eta_s=eta, **more) - NOW).total_seconds()


def test_the_default_is_the_contracts() -> None:
    policy = GrabPolicy()
    assert (policy.mode, policy.window_s, policy.tie_s, policy.rings, policy.assign_after_s) == (
        "sealed",
        6,
        30,
        (15, 30),
        60,
    )


@pytest.mark.parametrize(
    ("due_in", "eta", "expected"),
    [
        (None, None, 60),
        (900, None, 60),
        (None, 100, 60),
        (900, 300, 60),
        (900, 840, 40),  # 60 s are left, 20 s of them to spare
        (900, 875, 5),
        (900, 885, 0),
        (900, 900, 0),
        (900, 901, 60),  # nobody can be in time: there is no last moment
        (-5, 0, 60),
    ],
)
def test_the_machine_takes_over_in_time(due_in: float | None, eta: float | None, expected: float) -> None:
    assert after(GrabPolicy(), due_in=due_in, eta=eta) == expected


@given(
    assign_after=st.floats(0, 86400), due_in=st.floats(-3600, 86400), eta=st.floats(0, 7200), scatter=st.floats(1, 3)
)
def test_it_is_never_later_than_the_last_moment_at_which_the_nearest_crew_can_be_in_time(
    assign_after: float, due_in: float, eta: float, scatter: float
) -> None:
    moment = after(GrabPolicy(assign_after_s=assign_after), due_in=due_in, eta=eta, late_eta_s=scatter * eta)
    assert 0 <= moment <= assign_after + 1e-3
    if due_in - eta >= 1e-3:
        assert moment <= due_in - eta + 1e-3


def test_where_nobody_is_likely_to_grab_a_tight_order_is_assigned_sooner_but_not_before_its_window_ends() -> None:
    idle, keen = GrabChance(grabs=0.1, open_s=10_000), GrabChance(grabs=100, open_s=1_000)
    first = GrabPolicy(mode="first")
    tight: dict[str, Any] = {"due_in": 900, "eta": 780, "late_eta_s": 1080}
    assert after(first, **tight, chance=keen) == 60
    assert 0 < after(first, **tight, chance=idle) < 45
    assert after(first, due_in=900, eta=200, late_eta_s=280, chance=idle) == 60, "there is time enough"
    assert after(GrabPolicy(window_s=50), **tight, chance=idle) == 50


def test_what_a_zone_leaves_out_is_the_installations() -> None:
    policy = read_policy({"mode": "first", "ring_s": 10}, GrabPolicy(assign_after_s=45), pointer="/p")
    assert (policy.mode, policy.rings, policy.assign_after_s, policy.tie_s) == ("first", (10, 20), 45, 30)
    assert read_policy(None, GrabPolicy(tie_s=1), pointer="/p") == GrabPolicy(tie_s=1)


@pytest.mark.parametrize(
    ("raw", "pointer"),
    [
        ({"modus": "first"}, "/p/modus"),
        ({"mode": "auction"}, "/p/mode"),
        ({"window_s": -1}, "/p/window_s"),
        ({"window_s": "6"}, "/p/window_s"),
        ({"tie_s": 1e9}, "/p/tie_s"),
        ({"ring_s": [15]}, "/p/ring_s"),
        ({"ring_s": [30, 15]}, "/p/ring_s"),
        ({"assign_after_s": None}, "/p/assign_after_s"),
    ],
)
def test_a_wrong_policy_is_pointed_at(raw: dict[str, Any], pointer: str) -> None:
    with pytest.raises(Invalid) as caught:
        read_policy(raw, GrabPolicy(), pointer=pointer[:2])
    assert [problem.pointer for problem in caught.value.problems] == [pointer]


@pytest.mark.parametrize(
    ("etas", "best", "safe"),
    [
        ([100.0, 800.0], 100.0, True),
        ([250.0], 100.0, True),
        ([251.0], 100.0, False),  # somebody clearly nearer stands outside the circle
        ([], 100.0, False),
        ([], None, False),  # nobody can go: whoever is freed first and best
    ],
)
def test_an_offer_is_left_to_grabs_only_where_the_nearest_may_grab_it(
    etas: list[float], best: float | None, safe: bool
) -> None:
    assert safe_to_grab(etas, best_eta_s=best) is safe


@pytest.mark.parametrize(
    ("eta", "due_in", "asked"),
    [
        (840.0, 900.0, True),
        (841.0, 900.0, False),  # would be late
        (450.0, -600.0, True),  # late by now, and near
        (451.0, -600.0, False),
        (5000.0, -2701.0, True),  # the machine has held it long enough
        (5000.0, None, True),  # no clock runs
    ],
)
def test_a_crew_is_asked_only_where_its_grab_is_no_loss(eta: float, due_in: float | None, asked: bool) -> None:
    assert near_enough_to_grab(eta, due_in_s=due_in) is asked


def test_everything_is_left_to_grabs_unless_the_zone_asks_otherwise() -> None:
    assert GrabPolicy().leave_to_grabs == "always"
    assert read_policy({"leave_to_grabs": "when_safe"}, GrabPolicy(), pointer="").leave_to_grabs == "when_safe"
