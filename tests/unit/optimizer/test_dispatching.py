"""Who is sent, what is held for a nearer crew, and that nobody is sent who may not go."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo import MetricTravel
from optimizer.dispatching import Average, Dispatcher, DispatchSettings, send, worth_of
from optimizer.situation import Choice, IdleCrew, WaitingOrder
from tests.unit.optimizer.situations import GROUND, crew, order, situation

PLAIN = DispatchSettings(standby=None)


def sent(choice: Choice) -> dict[str, str]:
    return {sending.crew: sending.order for sending in choice.sendings}


def used_to(worth: float, *, sendings: int = 50) -> Average:
    average = Average(100)
    for _ in range(sendings):
        average.add(worth)
    return average


NEAR = float(worth_of(np.array([3.0]), np.array([200.0]), PLAIN)[0])
"""What a severe order 200 s away is worth."""


def test_the_nearest_crew_goes() -> None:
    choice = Dispatcher(GROUND, PLAIN)(situation([crew("far", 2), crew("near", 9)], [order("o", 10)]))
    assert sent(choice) == {"near": "o"}
    assert "167 s away" in choice.sendings[0].why


def test_two_orders_get_two_crews_each_its_nearest() -> None:
    choice = Dispatcher(GROUND, PLAIN)(situation([crew("a", 2), crew("b", 18)], [order("y", 17), order("x", 3)]))
    assert sent(choice) == {"a": "x", "b": "y"}


def test_one_crew_takes_the_severe_order_before_the_slight_one_next_door() -> None:
    waiting = [order("slight", 10, severity=1), order("burst", 11, severity=5)]
    choice = Dispatcher(GROUND, PLAIN)(situation([crew("c", 10)], waiting))
    assert sent(choice) == {"c": "burst"}


def test_a_severe_order_far_away_waits_behind_a_slight_one_next_door() -> None:
    choice = Dispatcher(GROUND, PLAIN)(situation([crew("c", 0)], [order("slight", 0, severity=1), order("severe", 10)]))
    assert sent(choice) == {"c": "slight"}


def test_overdue_work_gains_rank_with_time() -> None:
    old = order("old", 10, severity=1, waited_s=900 + 4 * 3600)
    choice = Dispatcher(GROUND, PLAIN)(situation([crew("c", 10)], [order("new", 10), old]))
    assert sent(choice) == {"c": "old"}


def test_a_far_order_waits_for_a_nearer_crew_and_the_reason_says_how_far() -> None:
    seen = situation([crew("c", 0)], [order("o", 12)], at_work=20)
    sendings, held = send(seen, used_to(NEAR), PLAIN)
    assert sendings == []
    assert held[0].order == "o"
    assert "33 min away" in held[0].why


def test_what_is_held_is_looked_at_again_even_if_nothing_happens() -> None:
    dispatcher = Dispatcher(GROUND, PLAIN)
    for n in range(PLAIN.learned):
        assert dispatcher(situation([crew("c", 10)], [order(f"o{n}", 10)])).again_s is None
    choice = dispatcher(situation([crew("c", 0)], [order("o", 12)], at_work=20))
    assert (choice.sendings, choice.again_s) == ((), PLAIN.again_s)


def test_the_far_order_goes_at_once_where_many_others_are_idle() -> None:
    idle = [crew(f"c{n}", 0) for n in range(21)]
    sendings, held = send(situation(idle, [order("o", 12)]), used_to(NEAR), PLAIN)
    assert [sending.order for sending in sendings] == ["o"]
    assert held == []


def test_nothing_is_held_longer_than_patience_lasts() -> None:
    late = order("o", 12, waited_s=900 + PLAIN.patience_s)
    sendings, _ = send(situation([crew("c", 0)], [late], at_work=20), used_to(1e9), PLAIN)
    assert [sending.order for sending in sendings] == ["o"]


def test_nothing_is_held_before_anything_was_learned() -> None:
    few = used_to(NEAR, sendings=PLAIN.learned - 1)
    sendings, _ = send(situation([crew("c", 0)], [order("o", 12)], at_work=20), few, PLAIN)
    assert [sending.order for sending in sendings] == ["o"]


def test_a_city_where_every_drive_is_long_does_not_hold_for_ever() -> None:
    usual = used_to(float(worth_of(np.array([3.0]), np.array([2000.0]), PLAIN)[0]))
    sendings, _ = send(situation([crew("c", 0)], [order("o", 12)], at_work=20), usual, PLAIN)
    assert [sending.order for sending in sendings] == ["o"]


@pytest.mark.parametrize(
    ("idle", "waiting"),
    [
        (crew("c", 10), order("o", 10, needs=("gas",))),
        (crew("c", 10), order("o", 10, excluded=("c",))),
        (crew("c", 10, until_s=100), order("o", 11)),
    ],
    ids=["without the skill", "excluded", "shift over before he is there"],
)
def test_who_may_not_go_is_not_sent_and_nobody_waits_for_him(idle: IdleCrew, waiting: WaitingOrder) -> None:
    choice = Dispatcher(GROUND, PLAIN)(situation([idle], [waiting]))
    assert (choice.sendings, choice.held) == ((), ())


def test_a_skilled_crew_goes_though_it_is_the_farther() -> None:
    idle = [crew("near", 10), crew("far", 8, skills=("gas",))]
    choice = Dispatcher(GROUND, PLAIN)(situation(idle, [order("o", 10, needs=("gas",))]))
    assert sent(choice) == {"far": "o"}


class _NoWay(MetricTravel):
    def matrix(
        self, origins: npt.ArrayLike, destinations: npt.ArrayLike, *, quantile: float = 0.5
    ) -> npt.NDArray[np.float64]:
        return np.full(super().matrix(origins, destinations).shape, np.inf)


def test_where_there_is_no_way_nobody_is_sent_or_moved() -> None:
    choice = Dispatcher(GROUND)(situation([crew("c", 10)], [order("o", 11)], travel=_NoWay()))
    assert choice == Choice()


def test_no_crews_and_no_orders_are_situations_too() -> None:
    dispatcher = Dispatcher(GROUND)
    assert dispatcher(situation()) == Choice()
    assert dispatcher(situation(waiting=[order("o", 1)])).sendings == ()
    assert dispatcher(situation([crew("c", 10)])).sendings == ()


places = st.tuples(st.floats(0, 20), st.floats(0, 20))


@settings(max_examples=60, deadline=None)
@given(
    crews=st.lists(places, max_size=8),
    orders=st.lists(st.tuples(places, st.integers(1, 5), st.floats(0, 20_000)), max_size=12),
    learned=st.floats(1e-5, 1e-1),
)
def test_each_crew_and_order_once_and_what_is_not_sent_is_held_or_has_nobody(
    crews: list[tuple[float, float]], orders: list[tuple[tuple[float, float], int, float]], learned: float
) -> None:
    idle = [crew(f"c{n}", *place) for n, place in enumerate(crews)]
    waiting = [order(f"o{n}", *at, severity=s, waited_s=w) for n, (at, s, w) in enumerate(orders)]
    sendings, held = send(situation(idle, waiting), used_to(learned), PLAIN)
    assert len({each.crew for each in sendings}) == len(sendings) <= len(idle)
    given_out = [each.order for each in sendings] + [each.order for each in held]
    assert len(set(given_out)) == len(given_out) <= len(waiting)
    if len(sendings) < len(idle):
        assert len(given_out) == len(waiting), "with a crew left, an order is sent or held"


def test_the_same_situations_give_the_same_choices() -> None:
    one, other = Dispatcher(GROUND), Dispatcher(GROUND)
    for n in range(12):
        seen = situation([crew("a", n), crew("b", 19 - n, 3)], [order(f"o{n}", 10, n)], after_s=400.0 * n)
        assert one(seen) == other(seen)
