"""What the planner's question says of a city: where reports are to be expected."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from crew_client.protocol import Location
from dispatch.cities import bare_city
from dispatch.city import City
from dispatch.config import Settings
from dispatch.crews import Crew
from dispatch.forecasts import Forecasts
from dispatch.questions import expected_in, ground_of, knows_demand, question_of
from geo import TravelChoice
from optimizer.demand import WEEK_HOURS, Demand
from tests.town import ZONES, zone_map


def city(hours: int) -> City:
    demand = Demand(shares={"west": 0.7, "middle": 0.2, "east": 0.1}, hours=hours)
    town = bare_city("town", Settings()).with_zones(msgspec.json.encode(zone_map()), 1)
    return msgspec.structs.replace(town, forecasts=Forecasts(demand=demand))


def test_each_zone_s_share_of_the_history_lies_over_the_zone() -> None:
    town = city(WEEK_HOURS)
    assert town.zones is not None
    shares = dict.fromkeys(ZONES, 0.0)
    for lon, lat, share in expected_in(town):
        shares[town.zones.locate(lon, lat) or ""] += share
    assert shares == pytest.approx({"west": 0.7, "middle": 0.2, "east": 0.1})
    assert ground_of(town, ()).expected == expected_in(town)


def test_less_than_a_week_of_history_says_nothing_yet() -> None:
    assert not knows_demand(city(WEEK_HOURS - 1))
    assert expected_in(city(WEEK_HOURS - 1)) == ()
    without_map = msgspec.structs.replace(city(WEEK_HOURS), zones=None)
    assert expected_in(without_map) == ()


def test_of_crews_at_one_place_whoever_had_fewer_orders_per_hour_comes_first() -> None:
    now = datetime(2026, 1, 15, 12, tzinfo=UTC)

    def crew(name: str, taken: int, hours: int) -> Crew:
        fix = {"position": Location(126.6, 45.7), "position_at": now}
        since = now - timedelta(hours=hours)
        return Crew(name, name, (), "west", 1, on_shift=True, shift_since=since, taken=taken, **fix)  # type: ignore[arg-type]

    asked = question_of(
        city(0), [crew("a", 4, 4), crew("b", 1, 2), crew("c", 7, 12)], [], [], now=now, travel=TravelChoice()
    )
    assert [(each.id, each.taken, each.on_shift_s) for each in asked.idle] == [
        ("b", 1, 7200.0),
        ("c", 7, 43200.0),
        ("a", 4, 14400.0),
    ]
