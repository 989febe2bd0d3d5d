"""What the wallboard reckons: the city's days, what is usual, what could still save an order, cells of a ledger."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from crew_client.protocol import Location
from dispatch.city_time import each_hour, start_of, start_of_hour, start_of_week
from dispatch.config import load_settings
from dispatch.crews import Crew
from dispatch.ledger import csv_cells, safe_text
from dispatch.operator_errors import ConfigError
from dispatch.orders import Order, State
from dispatch.rescues import prospect
from dispatch.usual import usual_by_hour, usual_since
from geo import MetricTravel

HARBIN = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 1, 14, 16, 30, tzinfo=UTC)  # half past midnight, Thursday the 15th, in Harbin
TRAVEL = MetricTravel(speed_mps=10, detour=1)


def test_a_day_begins_at_the_citys_midnight_and_a_week_on_its_monday() -> None:
    assert start_of(date(2026, 1, 15), HARBIN) == datetime(2026, 1, 14, 16, tzinfo=UTC)
    assert start_of_week(NOW, HARBIN) == datetime(2026, 1, 11, 16, tzinfo=UTC)


def test_an_hour_begins_with_the_citys_clock_also_where_it_is_half_an_hour_off() -> None:
    kolkata = ZoneInfo("Asia/Kolkata")
    assert start_of_hour(NOW, kolkata) == datetime(2026, 1, 14, 16, 30, tzinfo=UTC)
    assert len(list(each_hour(NOW, NOW + timedelta(hours=2), kolkata))) == 2


def test_a_day_on_which_the_clocks_change_has_its_own_number_of_hours() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    since, until = (start_of(date(2026, 3, day), berlin) for day in (29, 30))
    assert len(list(each_hour(since, until, berlin))) == 23


def test_an_unknown_time_zone_is_refused_with_a_name_that_would_do() -> None:
    for wrong in ("Asia/Haerbin", "Asia", "../etc/passwd", "/etc/localtime"):
        with pytest.raises(ConfigError, match="time_zone must be the name of a time zone, such as Asia/Shanghai"):
            load_settings(environ={"QIANGDAN_TIME_ZONE": wrong})
    assert load_settings(environ={"QIANGDAN_TIME_ZONE": "Asia/Urumqi"}).time_zone == "Asia/Urumqi"


def test_two_whole_days_are_no_custom_and_the_day_of_the_first_report_does_not_count() -> None:
    midnight = start_of(date(2026, 1, 15), HARBIN)
    assert usual_since(midnight, None, days=28, zone=HARBIN) is None
    assert usual_since(midnight, midnight - timedelta(days=2, hours=12), days=28, zone=HARBIN) is None
    first = midnight - timedelta(days=3, hours=12)
    assert usual_since(midnight, first, days=28, zone=HARBIN) == midnight - timedelta(days=3)
    assert usual_since(midnight, midnight - timedelta(days=99), days=28, zone=HARBIN) == midnight - timedelta(days=28)


def test_usual_is_the_middle_of_the_days_and_a_silent_day_counts_as_nothing() -> None:
    midnight = start_of(date(2026, 1, 15), HARBIN)
    since = midnight - timedelta(days=4)
    eight = timedelta(hours=8)
    counts = {since + eight: 10, since + eight + timedelta(days=1): 20, since + eight + timedelta(days=2): 300}
    usual = usual_by_hour(counts, since, midnight, zone=HARBIN)
    thursday = 3
    assert (usual[thursday, 8].p50, usual[thursday, 9].p90) == (15.0, 0.0)
    assert {hour for weekday, hour in usual if weekday == thursday} == set(range(24))


def test_a_sunday_is_held_against_sundays_once_there_were_four() -> None:
    monday = start_of(date(2026, 1, 19), HARBIN)
    sunday, tuesday, eight = 6, 1, timedelta(hours=8)

    def counts(weeks: int) -> dict[datetime, int]:
        days = [monday - timedelta(days=n) for n in range(1, 7 * weeks + 1)]
        return {day + eight: 3 if day.astimezone(HARBIN).weekday() == sunday else 20 for day in days}

    usual = usual_by_hour(counts(4), monday - timedelta(weeks=4), monday, zone=HARBIN)
    assert (usual[sunday, 8].p50, usual[tuesday, 8].p50) == (3.0, 20.0)
    assert (usual[sunday, 8].days, usual[sunday, 8].of) == (4, "weekday")

    young = usual_by_hour(counts(3), monday - timedelta(weeks=3), monday, zone=HARBIN)
    assert (young[sunday, 8].p50, young[sunday, 8].days, young[sunday, 8].of) == (20.0, 21, "all")


def crew(name: str, metres: float, **fields: object) -> Crew:
    """A crew so many metres north of the order."""
    place = Location(126.6, 45.75 + metres / 111_195)
    return Crew(name, name, ("pipework",), "z", 1, on_shift=True, position=place, **fields)  # type: ignore[arg-type]


def order(**fields: object) -> Order:
    known = {
        "id": "o1",
        "version": 1,
        "state": State.OFFERED,
        "cycle": 1,
        "zone": "z",
        "category": "leak",
        "severity": 3,
        "location": Location(126.6, 45.75),
        "address": None,
        "required_skills": ("pipework",),
        "crew": None,
        "claimed_by": None,
        "reported_at": NOW,
        "clocks": {},
    }
    return Order(**{**known, **fields})  # type: ignore[arg-type]


def test_the_nearest_that_may_go_are_named_and_whether_they_come_in_time() -> None:
    crews = [crew("far", 5000), crew("full", 100, load=1), crew("near", 1000)]
    found = prospect(order(), "arrival", 200.0, crews, travel=TRAVEL)
    assert found.verdict == "can_be_saved"
    assert [(rescue.crew, rescue.in_time) for rescue in found.rescues] == [("near", True), ("far", False)]
    assert found.obstacles == {"at_capacity": 1}


def test_to_hand_an_order_down_anybody_will_do_who_may_take_it() -> None:
    assert prospect(order(), "hand_down", 5.0, [crew("far", 90_000)], travel=TRAVEL).verdict == "can_be_saved"


def test_a_crew_on_its_way_is_asked_first() -> None:
    held = order(state=State.EN_ROUTE, crew="his", claimed_by="grab")
    crews = [crew("his", 3000, load=1), crew("near", 500)]
    assert prospect(held, "arrival", 400.0, crews, travel=TRAVEL).verdict == "holder_in_time"
    late = prospect(held, "arrival", 200.0, crews, travel=TRAVEL)
    assert late.verdict == "can_be_saved"
    assert late.holder is not None
    assert (late.holder.crew, late.holder.in_time) == ("his", False)


def test_where_nobody_may_go_the_obstacles_are_counted() -> None:
    crews = [crew("full", 10, load=1), crew("other", 10, load=1)]
    found = prospect(order(required_skills=("gas",)), "arrival", 600.0, crews, travel=TRAVEL)
    assert found.verdict == "nobody_free"
    assert found.obstacles == {"at_capacity": 2, "lacks_skill": 2}
    assert prospect(order(), "arrival", 10.0, [crew("far", 9000)], travel=TRAVEL).verdict == "too_far"
    assert prospect(order(location=None), "arrival", 10.0, crews, travel=TRAVEL).verdict == "no_place"
    assert prospect(order(), "resolve", 10.0, crews, travel=TRAVEL).verdict == "not_by_crew"


def test_many_full_crews_nearby_hide_nobody_farther_off() -> None:
    crews = [crew(f"c{n}", 10 + n, load=1) for n in range(120)] + [crew("free", 2000)]
    found = prospect(order(), "arrival", 600.0, crews, travel=TRAVEL)
    assert [rescue.crew for rescue in found.rescues] == ["free"]
    assert found.looked_at == 121


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "  =1", "＝1", "\r\n=1"])
def test_no_text_is_a_formula(text: str) -> None:
    assert safe_text(text).startswith("'")


def test_a_number_stays_one_and_a_time_is_the_wall_clocks() -> None:
    assert csv_cells([-1.5, "3栋2单元", datetime(2026, 1, 15, 8, 30), None]) == [
        -1.5,
        "3栋2单元",
        "2026-01-15 08:30:00",
        None,
    ]
