"""What an assignment would delay, as a dispatcher is told before it is made."""

from datetime import UTC, datetime, timedelta

from crew_client.protocol import Clock, Location, PublicOrder
from dispatch.consequences import Consequences, foresee
from dispatch.crews import Crew
from geo import MetricTravel, distance_m

NOW = datetime(2026, 12, 1, 8, tzinfo=UTC)
SERVICE_S = 600.0


A_DEGREE_A_MINUTE = MetricTravel(speed_mps=distance_m(0, 0, 1, 0) / 60, detour=1)


def order(id: str, lon: float | None, *, severity: int = 2, state: str = "claimed", due_min: float = 60) -> PublicOrder:
    clock = Clock(state="running", started_at=NOW, due_at=NOW + timedelta(minutes=due_min))
    return PublicOrder(
        id=id,
        version=1,
        state=state,  # type: ignore[arg-type]  # the words of the wire
        zone="z",
        category="no_heat",
        severity=severity,
        location=None if lon is None else Location(lon, 0),
        address=None,
        crew="c" if state != "offered" else None,
        claimed_by=None,
        reported_at=NOW,
        clocks={"arrival": clock},
    )


def crew(at: float | None = 0) -> Crew:
    place = None if at is None else Location(at, 0)
    return Crew(id="c", name="王", skills=(), home_zone="z", capacity=3, on_shift=True, position=place)


def foreseen(given: PublicOrder, held: list[PublicOrder], at: float | None = 0) -> Consequences:
    return foresee(given, crew(at), held, travel=A_DEGREE_A_MINUTE, service_s=lambda _: SERVICE_S, now=NOW)


def test_an_idle_crew_goes_straight_there_and_delays_nobody() -> None:
    assert foreseen(order("new", 2, state="offered"), []) == Consequences(120)


def test_a_burst_goes_first_and_each_of_the_others_gets_later() -> None:
    held = [order("a", 1), order("b", 2, due_min=90)]
    told = foreseen(order("burst", 0, severity=5, state="offered"), held)
    assert told.arrives_s == 0
    assert [(delay.order, delay.later_s) for delay in told.delays] == [("a", 600), ("b", 600)]


def test_who_is_at_a_door_finishes_there_first() -> None:
    told = foreseen(order("burst", 3, severity=5, state="offered"), [order("here", 1, state="arrived")], at=1)
    assert told == Consequences(600 + 120)


def test_a_routine_order_comes_last_and_delays_nobody() -> None:
    told = foreseen(order("new", 0, severity=1, state="offered"), [order("a", 1)])
    assert told == Consequences(60 + 600 + 60)


def test_it_says_which_deadline_would_be_missed_and_not_those_missed_anyway() -> None:
    held = [order("soon", 1, due_min=15), order("late", 2, due_min=-5)]
    told = foreseen(order("burst", 0, severity=5, state="offered"), held)
    assert {delay.order: delay.misses for delay in told.delays} == {"soon": True, "late": False}


def test_the_order_that_he_holds_already_is_not_counted_twice() -> None:
    mine = order("mine", 1)
    assert foreseen(mine, [mine]) == Consequences(60)


def test_nothing_is_foreseen_for_a_crew_that_nobody_knows_the_place_of() -> None:
    assert foreseen(order("new", 0, state="offered"), [order("a", 1)], at=None) == Consequences(None)


def test_an_order_without_a_place_delays_nobody() -> None:
    assert foreseen(order("new", None, severity=5, state="offered"), [order("a", 1)]) == Consequences(None)
