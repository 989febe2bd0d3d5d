"""When fixes prove that a crew is at the door."""

from datetime import UTC, datetime, timedelta

from crew_client.protocol import Location
from dispatch.visits import at_the_door

DOOR = Location(126.63, 45.75)
T0 = datetime(2026, 1, 15, 8, 0, tzinfo=UTC)
NEAR = (126.6301, 45.7501)
FAR = (126.64, 45.75)


def track(*fixes: tuple[float, tuple[float, float]]) -> list[dict[str, object]]:
    return [{"received_at": T0 + timedelta(seconds=at), "lon": place[0], "lat": place[1]} for at, place in fixes]


def test_two_fixes_five_seconds_apart_at_the_place_prove_it() -> None:
    assert at_the_door(DOOR, track((0, NEAR), (5, NEAR)))


def test_one_fix_proves_nothing() -> None:
    assert not at_the_door(DOOR, track((0, NEAR)))


def test_two_fixes_in_one_moment_prove_nothing() -> None:
    assert not at_the_door(DOOR, track((0, NEAR), (2, NEAR)))


def test_a_fix_outside_between_two_inside_breaks_the_stay() -> None:
    assert not at_the_door(DOOR, track((0, NEAR), (3, FAR), (6, NEAR)))


def test_who_has_driven_on_is_no_longer_at_the_door() -> None:
    assert not at_the_door(DOOR, track((0, NEAR), (6, NEAR), (60, FAR)))


def test_the_circle_is_150_metres_wide() -> None:
    inside, outside = (126.63 + 0.00190, 45.75), (126.63 + 0.00196, 45.75)
    assert at_the_door(DOOR, track((0, inside), (6, inside)))
    assert not at_the_door(DOOR, track((0, outside), (6, outside)))


def test_an_order_without_a_place_is_never_proved() -> None:
    assert not at_the_door(None, track((0, NEAR), (6, NEAR)))
