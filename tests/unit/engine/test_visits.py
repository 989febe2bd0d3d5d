"""When fixes prove that a crew is at the door, and what a suspension rests on."""

from datetime import UTC, datetime, timedelta

import pytest

from crew_client.protocol import Evidence, Location, Progress
from dispatch.visits import at_the_door, listed_reason, shows_something

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


@pytest.mark.parametrize(
    ("reason", "note", "listed"),
    [
        ("waiting_part", "不在家", "waiting_part"),
        (None, "住户不在家", "resident_absent"),
        (None, "Waiting for a part: DN20", "waiting_part"),
        (None, "waiting_utility", "waiting_utility"),
        (None, "不在家,也等配件", None),
        (None, "吃午饭", None),
        (None, None, None),
    ],
)
def test_a_phone_without_the_member_names_a_listed_reason_in_its_note(
    reason: str | None, note: str | None, listed: str | None
) -> None:
    word = Progress("m1", "o1", "suspended", T0, evidence=Evidence(note=note), reason=reason)  # type: ignore[arg-type]
    assert listed_reason(word) == listed


@pytest.mark.parametrize(
    ("evidence", "shows"),
    [
        (None, False),
        (Evidence(), False),
        (Evidence(note=" ", photo=""), False),
        (Evidence(note="敲门无人应答"), True),
        (Evidence(photo="p1"), True),
        (Evidence(temperature_c=0.0), True),
    ],
)
def test_evidence_is_what_was_measured_written_or_photographed(evidence: Evidence | None, shows: bool) -> None:
    assert shows_something(evidence) is shows
