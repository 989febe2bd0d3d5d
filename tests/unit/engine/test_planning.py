"""Whom the machine sends, and what it says where nobody can go."""

from datetime import UTC, datetime, timedelta

from crew_client.protocol import Location
from dispatch import clocks
from dispatch.cities import bare_city
from dispatch.config import Settings
from dispatch.crews import Crew
from dispatch.orders import Order, State
from dispatch.planning import pick

T0 = datetime(2026, 1, 15, 8, 0, tzinfo=UTC)
CITY = bare_city("city", Settings())
ORDER = Order(
    id="o1",
    version=1,
    state=State.OFFERED,
    cycle=1,
    zone="z",
    category="leak",
    severity=4,
    location=Location(126.63, 45.75),
    address=None,
    required_skills=("pipework",),
    crew=None,
    claimed_by=None,
    reported_at=T0,
    clocks=clocks.start({}, clocks.AT_REPORT, T0, severity=4, targets=CITY.targets),
    excluded=("c-lost",),
)


def crew(name: str, *, km: float, heard_s: float = 5, **fields: object) -> Crew:
    known = {"skills": ("pipework",), "home_zone": "z", "capacity": 1, "on_shift": True, **fields}
    return Crew(
        id=name,
        name=name,
        position=Location(126.63, 45.75 + km / 111),
        position_at=T0 - timedelta(seconds=heard_s),
        **known,  # type: ignore[arg-type]
    )


def picked(*crews: Crew) -> str | None:
    best, _ = pick(ORDER, crews, CITY, now=T0)
    return best.crew if best else None


def test_the_nearest_fit_crew_goes() -> None:
    assert picked(crew("far", km=3), crew("near", km=1), crew("busy", km=0.1, load=1)) == "near"


def test_a_crew_not_heard_of_goes_only_where_there_is_no_other() -> None:
    silent = crew("silent", km=0.1, heard_s=601)
    assert picked(silent, crew("far", km=3)) == "far"
    assert picked(silent) == "silent"


def test_who_lost_the_order_is_not_sent_again_by_the_machine() -> None:
    assert picked(crew("c-lost", km=0.1), crew("other", km=2)) == "other"


def test_where_nobody_can_go_the_reasons_are_counted() -> None:
    best, why = pick(
        ORDER, [crew("a", km=1, load=1), crew("b", km=1, load=1), crew("c", km=1, skills=())], CITY, now=T0
    )
    assert best is None
    assert why == "at_capacity 2, lacks_skill:pipework 1"
    assert pick(ORDER, [], CITY, now=T0) == (None, "the city has no crews")
