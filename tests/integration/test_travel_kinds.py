"""An engine with each kind of travel times: what crews are told, and what /metrics says of where it came from."""

import asyncio
from pathlib import Path

import pytest

from dispatch.config import Settings
from dispatch.engine import Engine
from dispatch.operator_errors import ConfigError
from dispatch.store import Database
from geo import MetricTravel, TravelChoice, distance_m
from geo.travel_fallback import PromptTravel
from tests.town import Town, centre
from tests.unit.geo.routing_server import routing_server, seconds
from tests.unit.geo.test_roads import road, write_map

METRIC = MetricTravel()


def counted(engine: Engine) -> dict[str, int]:
    """Predicted times by outcome, as a scrape of /metrics sees them."""
    lines = engine.metrics.page().decode().splitlines()
    found = [line.split() for line in lines if line.startswith("qiangdan_travel_pairs_total{")]
    return {name.split('"')[1]: int(float(number)) for name, number in found}


async def told_etas(town: Town, engine: Engine) -> list[float]:
    """Report a fault to the engine's own city and return the predicted arrivals that the crews were told."""
    city = (await engine.desk(town.id)).mirror.city
    order = await town.report(0, city=city)
    [row] = await town.fetch("SELECT eta_s FROM offer_round WHERE city_id = $1 AND order_id = $2", order)
    return sorted(row["eta_s"])


async def town_with(database: str, travel: TravelChoice) -> tuple[Town, Engine]:
    """A town with three crews in its first zone, and an engine that predicts travel so."""
    settings = Settings(database_url=database, travel=travel)
    town = await Town.found(Database(database), "town", settings)
    for n in range(3):
        await town.working(f"crew{n}", 0, away_m=300.0 * (n + 1))
    return town, Engine(settings, database)


async def leave(town: Town, engine: Engine) -> None:
    await engine.stop()
    await town.db.close()


def ways(count: int) -> list[tuple[float, float]]:
    lon, lat = centre(0)
    return [(lon, round(lat + 300.0 * (n + 1) / 111_195, 7)) for n in range(count)]


async def test_a_server_that_is_thinking_holds_up_no_offer_and_is_believed_when_it_has_answered(database: str) -> None:
    with routing_server() as server:
        town, engine = await town_with(database, TravelChoice(kind="osrm", url=server.url, timeout_s=20))
        server.answering.clear()
        at_first = await asyncio.wait_for(told_etas(town, engine), 10)
        assert at_first == [METRIC.seconds(*place, *centre(0)) for place in ways(3)]
        assert counted(engine) == {"not_yet_known": 3}
        server.answering.set()
        assert isinstance(engine.travel, PromptTravel)
        await asyncio.to_thread(engine.travel.settle)
        then = await told_etas(town, engine)
        assert then == pytest.approx([seconds(place, centre(0)) for place in ways(3)], abs=2)
        assert counted(engine) == {"not_yet_known": 3, "source": 3}
        await leave(town, engine)


async def test_a_server_that_is_down_is_seen_in_the_metrics(database: str) -> None:
    town, engine = await town_with(database, TravelChoice(kind="valhalla", url="http://127.0.0.1:9"))
    assert await told_etas(town, engine) == [METRIC.seconds(*place, *centre(0)) for place in ways(3)]
    assert isinstance(engine.travel, PromptTravel)
    await asyncio.to_thread(engine.travel.settle)
    assert counted(engine) == {"not_yet_known": 3, "unavailable": 3}
    await leave(town, engine)


async def test_crews_are_told_how_long_it_takes_by_road(database: str, tmp_path: Path) -> None:
    # One street from south to north through the first crews, 80 m beside the fault: grid columns are 310 m apart.
    file = write_map(tmp_path / "town.osm", [road((2, -5), (2, 20)), road((2, 20), (1, 20))])
    town, engine = await town_with(database, TravelChoice(kind="roads", file=file))
    told = await told_etas(town, engine)
    assert told == sorted(told) and told[0] < told[2]
    assert told != [METRIC.seconds(*place, *centre(0)) for place in ways(3)]
    residential_mps = 25 * 0.8 / 3.6
    apart = distance_m(*ways(3)[0], *ways(3)[2])
    assert told[2] - told[0] == pytest.approx(apart / residential_mps, abs=10)
    assert counted(engine) == {"source": 3}
    await leave(town, engine)


def test_an_engine_does_not_start_on_a_map_that_is_none() -> None:
    settings = Settings(database_url="postgresql://nowhere", travel=TravelChoice(kind="roads", file=Path(__file__)))
    with pytest.raises(ConfigError, match=r"travel\.kind.*roads.*cannot be read"):
        Engine(settings, "postgresql://nowhere")
