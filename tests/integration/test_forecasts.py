"""What a city learns from its own log, on a real PostgreSQL: read, kept, and used by who looks ahead."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crew_client.protocol import Progress
from dispatch import forecasts, grabs
from dispatch.background import Background
from dispatch.cities import load_city
from dispatch.config import ForecastSettings, Settings
from dispatch.engine import Engine
from dispatch.forecaster import Forecaster, learn_city
from dispatch.grabs import Ask
from dispatch.policy import GrabPolicy
from dispatch.store import Tx
from dispatch.store.crews import Fix
from dispatch.visits import report_progress
from optimizer.demand import Demand
from tests.town import Clock, ClockedDatabase, Town, centre

AWAY_M = 1500.0


class LivedTown:
    """A town with one crew that does one order after the other, at the times that the test says."""

    def __init__(self, town: Town, clock: Clock, background: Background) -> None:
        self.town, self.clock, self.background = town, clock, background
        self.numbers = 0

    async def live(self, *, drive_s: float, work_s: float, grab_s: float, prove: bool = True) -> str:
        """Report, grab, drive, work; return the order."""
        order = await self.town.report(0)
        self.clock.pass_by(grab_s)
        city = await self.background.city(self.town.id)
        self.numbers += 1
        await self.town.run(lambda tx: grabs.judge_batch(tx, [Ask("wang", f"g{self.numbers}", order)], city))
        lon, lat = centre(0)
        await self._fix(lon, lat + AWAY_M / 111_195)
        await self._say(order, "en_route", city)
        self.clock.pass_by(drive_s - 6)
        if prove:
            await self._fix(lon, lat)
        self.clock.pass_by(6)
        if prove:
            await self._fix(lon, lat)
        await self._say(order, "arrived", city)
        self.clock.pass_by(work_s)
        await self._say(order, "resolved", city)
        return order

    async def _fix(self, lon: float, lat: float) -> None:
        now = self.clock.tick()
        await self.town.run(lambda tx: tx.crews.save_fixes([Fix("wang", lon, lat, 5.0, now, now)]))

    async def _say(self, order: str, word: str, city: Any) -> None:
        self.numbers += 1
        told = Progress(id=f"p{self.numbers}", order=order, to=word, at=self.clock.now)  # type: ignore[arg-type]

        async def step(tx: Tx) -> None:
            answer = await report_progress(tx, "wang", told, city=city)
            assert answer.error is None, answer

        await self.town.run(step)

    async def learn(self) -> forecasts.Forecasts:
        return await learn_city(self.background, self.town.id, now=self.clock.now)


@pytest.fixture
async def lived(database: str) -> AsyncIterator[LivedTown]:
    clock = Clock()
    # Ten in the morning in Harbin, three days ago.
    clock.now = (datetime.now(UTC) - timedelta(days=3)).replace(hour=2, minute=0, second=0, microsecond=0)
    settings = Settings(database_url=database, grab=GrabPolicy(mode="first", assign_after_s=600))
    town = await Town.found(ClockedDatabase(database, clock), "town", settings)
    await town.working("wang", 0, away_m=AWAY_M)
    await town.fetch("DELETE FROM crew_fix WHERE city_id = $1")  # it is of now, later than all that is to come
    background = Background(settings, "test")
    yield LivedTown(town, clock, background)
    await background.db.close()
    await town.db.close()


async def test_arrivals_visits_grabs_and_reports_teach_the_city(lived: LivedTown) -> None:
    for _ in range(12):
        await lived.live(drive_s=650, work_s=2400, grab_s=4)
    learned = await lived.learn()
    plain = (await lived.background.city("town")).travel.seconds(
        *centre(0), centre(0)[0], centre(0)[1] + AWAY_M / 111_195
    )
    assert plain == pytest.approx(AWAY_M * 1.3 / 6.0, abs=2)
    assert learned.travel is not None and learned.travel.trips == 12
    assert learned.travel.hours[10] > 1.1, "drives take twice as long as predicted"
    assert learned.service.of("no_heat", 2).seen == 12
    assert 1800 < learned.service.of("no_heat", 2).median_s < 2401
    assert learned.grabs.offers == 12
    assert learned.grabs.of("west", 10).within(10) > 0.5
    assert learned.demand.hours == 9, "whole hours after the first report"
    assert learned.demand.shares["west"] > learned.demand.shares["east"]


async def test_what_was_learned_is_kept_and_comes_with_the_city(lived: LivedTown) -> None:
    for _ in range(3):
        await lived.live(drive_s=650, work_s=2400, grab_s=4)
    before = await lived.background.city("town")
    learned = await lived.learn()
    after = await lived.background.city("town")
    assert before.forecasts == forecasts.Forecasts()
    assert after.forecasts == learned
    now = datetime(2025, 11, 11, 2, 0, tzinfo=UTC)
    places = (*centre(0), *centre(1))
    assert after.travel_at(now).seconds(*places) > before.travel_at(now).seconds(*places)
    assert after.grab_chance("west", now).within(10) > before.grab_chance("west", now).within(10)
    again = await lived.learn()
    assert (await lived.background.city("town")).forecasts == again
    rows = await lived.town.fetch("SELECT kind FROM forecast WHERE city_id = $1 ORDER BY kind")
    assert [row["kind"] for row in rows] == ["demand", "grabs", "service", "travel"]


async def test_an_arrival_that_nothing_proves_teaches_no_drive(lived: LivedTown) -> None:
    await lived.live(drive_s=30, work_s=2400, grab_s=4, prove=False)
    learned = await lived.learn()
    assert learned.travel is not None and learned.travel.trips == 0
    assert learned.service.of("no_heat", 2).seen == 1


async def test_an_offer_that_nobody_grabs_counts_with_the_time_it_was_open(lived: LivedTown) -> None:
    await lived.town.report(0)
    lived.clock.pass_by(500)
    learned = await lived.learn()
    assert learned.grabs.offers == 1
    assert learned.grabs.of("west", 10).within(60) < forecasts.Forecasts().grabs.of("west", 10).within(60)


async def test_a_city_without_history_learns_nothing_and_history_has_an_end(lived: LivedTown) -> None:
    nothing = await lived.learn()
    assert nothing.demand == Demand()
    assert nothing.travel == lived.background.settings.travel.factors
    await lived.live(drive_s=650, work_s=2400, grab_s=4)
    lived.clock.pass_by(40 * 86_400)
    assert (await lived.learn()).service.overall.seen == 0, "older than the days that are looked at"


async def test_a_forecast_of_another_version_is_left_out(lived: LivedTown, database: str) -> None:
    await lived.live(drive_s=650, work_s=2400, grab_s=4)
    learned = await lived.learn()
    await lived.town.fetch("""UPDATE forecast SET document = '{"hours": [1]}' WHERE city_id = $1 AND kind = 'travel'""")
    await lived.town.fetch("""INSERT INTO forecast VALUES ($1, 'moon', now(), '{}')""")
    async with lived.background.db.connection() as conn:
        city = await load_city(conn, "town", lived.background.settings)
    assert city.forecasts.travel is None
    assert city.forecasts.service == learned.service


async def test_the_planner_learns_beside_its_work_and_an_engine_hears_of_it(lived: LivedTown, database: str) -> None:
    await lived.live(drive_s=650, work_s=2400, grab_s=4)
    settings = Settings(database_url=database, forecasts=ForecastSettings(every_s=3600))
    engine = Engine(settings, database)
    desk = await engine.desk("town")
    assert desk.mirror.city.forecasts == forecasts.Forecasts()
    background = Background(settings, "planner")
    forecaster = Forecaster()
    forecaster.look(background)
    forecaster.look(background)
    assert forecaster._learning is not None
    await asyncio.wait_for(forecaster._learning, 30)
    await engine.look_around()
    assert desk.mirror.city.forecasts.service.of("no_heat", 2).seen == 1
    at = await lived.town.fetch("SELECT max(computed_at) AS at FROM forecast WHERE city_id = $1")
    forecaster.look(background)
    fresh = Forecaster()
    fresh.look(background)  # another planner took over: what is fresh is not learned again
    assert fresh._learning is not None
    await asyncio.wait_for(fresh._learning, 30)
    assert await lived.town.fetch("SELECT max(computed_at) AS at FROM forecast WHERE city_id = $1") == at
    await background.db.close()
    await engine.stop()


def test_silent_hours_count_and_those_under_way_do_not() -> None:
    from zoneinfo import ZoneInfo

    harbin = ZoneInfo("Asia/Shanghai")
    begins, ends = datetime(2025, 11, 10, 1, 30, tzinfo=UTC), datetime(2025, 11, 10, 5, 10, tzinfo=UTC)
    rows = [{"hour": datetime(2025, 11, 10, 11), "zone": "west", "reports": 3}]
    seen = forecasts.hours_between(begins, ends, rows, harbin)
    assert [(hour.begins.hour, hour.reports) for hour in seen] == [(10, {}), (11, {"west": 3}), (12, {})]
    assert forecasts.hours_between(ends, begins - timedelta(days=1), [], harbin) == []
