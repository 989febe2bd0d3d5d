"""`qiangdan replay`: a city's logged hours come back as they were, and run again under another policy."""

import asyncio
import csv
import json
import os
import sys
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from crew_client.protocol import HandBack, Progress
from crew_client.protocol.messages import ProgressTo
from dispatch.cities import load_city
from dispatch.city import City
from dispatch.config import Settings
from dispatch.crews import set_shift
from dispatch.grabs import Ask, judge_batch
from dispatch.orders import Order
from dispatch.overrides import Action, OverrideIn, override
from dispatch.simulate.replay import logged_day, read_rows
from dispatch.store.crews import Fix
from dispatch.visits import hand_back, report_progress
from tests.town import Clock, ClockedDatabase, Town, centre, zone_map


class LoggedTown(Town):
    """A town whose people do a little, at known moments."""

    clock: Clock
    messages = 0

    def message(self) -> str:
        self.messages += 1
        return f"m{self.messages}"

    async def comes_on(self, name: str, zone: int) -> None:
        await self.hire(name, zone)
        lon, lat = centre(zone)
        fix = Fix(name, lon, lat, 5.0, device_at=self.clock.now, received_at=self.clock.now)
        await self.run(lambda tx: set_shift(tx, name, True, fix=fix))

    async def city(self) -> City:
        async with self.db.connection() as conn:
            return await load_city(conn, self.id, self.settings)

    async def grabs(self, crew: str, order: str) -> None:
        city = await self.city()
        ask = Ask(crew, self.message(), order)
        await self.run(lambda tx: judge_batch(tx, [ask], city))

    async def says(self, crew: str, order: str, to: ProgressTo, *, after_s: float) -> None:
        self.clock.pass_by(after_s)
        word, city = Progress(self.message(), order, to, self.clock.now), await self.city()
        await self.run(lambda tx: report_progress(tx, crew, word, city=city))

    async def hands_back(self, crew: str, order: str, *, after_s: float) -> None:
        self.clock.pass_by(after_s)
        word = HandBack(self.message(), order, "too_far", self.clock.now)
        city = await self.city()
        await self.run(lambda tx: hand_back(tx, crew, word, city=city, crews=()))

    async def tells(self, order: str, action: Action) -> Order:
        self.clock.pass_by(1)
        word = OverrideIn(action=action, reason="as a dispatcher sees fit")
        city = await self.city()
        key = f"{order}-{self.message()}"
        return await self.run(
            lambda tx: override(tx, order, word, actor="user:d", override_id=key, city=city, crews=())
        )


@pytest.fixture
async def town(database: str) -> AsyncIterator[LoggedTown]:
    clock = Clock()
    db = ClockedDatabase(database, clock)
    first = {"mode": "first", "assign_after_s": 86400}
    zones = zone_map(policies=dict.fromkeys(("west", "middle", "east"), first))
    town = await LoggedTown.found(db, "town", Settings(), zones=zones)
    assert isinstance(town, LoggedTown)
    town.clock = clock
    yield town
    await db.close()


async def replay(town: Town, start: datetime, end: datetime, *more: str) -> tuple[int, str, str]:
    """Run the command; returns status, stdout, stderr."""
    command = [sys.executable, "-m", "dispatch.cli", "replay", "--database-url", town.db.url, "--city", town.id]
    running = await asyncio.create_subprocess_exec(
        *command,
        *("--from", start.isoformat(), "--to", end.isoformat(), *more),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "COLUMNS": "100"},
    )
    out, err = await running.communicate()
    return running.returncode or 0, out.decode(), err.decode()


async def test_logged_hours_come_back_as_they_were_beside_another_policy(town: LoggedTown, tmp_path: Path) -> None:
    start = town.clock.now
    await town.comes_on("near", 0)
    await town.comes_on("idle", 2)
    first = await town.report(0)
    await town.grabs("near", first)
    await town.says("near", first, "en_route", after_s=60)
    await town.says("near", first, "arrived", after_s=1200)
    second = await town.report(0)
    await town.says("near", first, "resolved", after_s=600)
    await town.grabs("near", second)
    await town.says("near", second, "arrived", after_s=240)
    dropped = await town.report(1)
    await town.tells(dropped, "cancel")
    await town.run(lambda tx: set_shift(tx, "near", False))

    end = town.clock.now + timedelta(hours=1)
    status, out, err = await replay(town, start, end, "--policy", "nearest", "--json", "--out", str(tmp_path))
    assert (status, err) == (0, "")
    figures = json.loads(out)
    logged, nearest = figures["as_logged"], figures["nearest"]
    assert (logged["reports"], logged["arrived_15"], logged["unserved"], figures["left_out"]) == (2, 1, 0, 1)
    assert logged["claimed_by"] == {"grab": 2}
    assert logged["weighted_tardiness_s"] == 2 * 360, "the first came 21 minutes after the report, the second 14"
    assert (nearest["arrived_15"], nearest["unserved"]) == (2, 0), "nobody waits while a crew stands next door"
    assert figures["difference"]["arrived_15"] == 1
    assert "as logged" in (tmp_path / "compare.html").read_text()

    status, out, _ = await replay(town, start, end, "--policy", "nearest")
    assert status == 0
    assert "1 reports were left out" in out


async def test_a_replay_goes_on_from_what_was_open_and_from_what_crews_held(town: LoggedTown, tmp_path: Path) -> None:
    await town.comes_on("driver", 0)
    await town.comes_on("worker", 1)
    await town.comes_on("idle", 2)
    worked = await town.report(1)
    await town.grabs("worker", worked)
    await town.says("worker", worked, "en_route", after_s=10)
    await town.says("worker", worked, "arrived", after_s=300)
    driven = await town.report(0)
    await town.grabs("driver", driven)
    await town.says("driver", driven, "en_route", after_s=30)
    held, kept = await town.report(2), await town.report(2)
    await town.tells(held, "hold")
    await town.tells(kept, "hold")
    unanswered = await town.report(1)
    town.clock.pass_by(120)
    start = town.clock.now

    await town.says("driver", driven, "arrived", after_s=240)
    await town.says("worker", worked, "resolved", after_s=60)
    await town.grabs("worker", unanswered)
    await town.says("worker", unanswered, "arrived", after_s=1200)
    await town.tells(held, "release")
    await town.grabs("idle", held)
    await town.says("idle", held, "arrived", after_s=900)

    end = town.clock.now + timedelta(hours=1)
    status, out, err = await replay(town, start, end, "--policy", "nearest", "--json", "--out", str(tmp_path))
    assert (status, err) == (0, "")
    figures = json.loads(out)
    logged, nearest = figures["as_logged"], figures["nearest"]
    assert figures["taken_over"] == 4, "one at work, one driven to, one open, one with a dispatcher for a while"
    assert figures["left_out"] == 1, "one stood on a dispatcher's list all the while"
    assert logged["reports"] == nearest["reports"] == 3, "whom somebody had reached before is no matter of this period"
    assert (logged["unserved"], nearest["unserved"]) == (0, 0)

    visits = {row["report"]: row for row in csv.DictReader((tmp_path / "visits.csv").open())}
    assert set(visits) == {driven, held, unanswered}
    assert visits[driven]["crew"] == "driver", "what a crew has accepted it keeps, whatever the policy"
    assert visits[driven]["claimed_by"] == "grab"
    assert datetime.fromisoformat(visits[driven]["departed_at"]) < start
    [reported] = await town.fetch(
        "SELECT at FROM event WHERE city_id = $1 AND order_id = $2 AND kind = 'order.reported'", unanswered
    )
    assert visits[unanswered]["crew"] == "idle", "open since before, and at once for whoever is free"
    arrived_at = datetime.fromisoformat(visits[unanswered]["arrived_at"])
    assert datetime.fromisoformat(visits[unanswered]["claimed_at"]) == start > reported["at"]
    assert arrived_at > start
    released = town.clock.now - timedelta(seconds=901)
    assert datetime.fromisoformat(visits[held]["claimed_at"]) >= released, "not before the dispatcher let it go"

    status, out, _ = await replay(town, start, end, "--policy", "hybrid")
    assert (status, "4 orders were open at the beginning" in out) == (0, True)


async def test_both_sides_end_with_the_period_and_shifts_where_they_ended(town: LoggedTown, tmp_path: Path) -> None:
    start = town.clock.now
    await town.comes_on("near", 0)
    first, second = await town.report(0), await town.report(0)
    await town.grabs("near", first)
    await town.says("near", first, "en_route", after_s=60)
    await town.says("near", first, "arrived", after_s=240)
    end = town.clock.now + timedelta(seconds=60)
    await town.says("near", first, "resolved", after_s=1200)
    await town.grabs("near", second)
    await town.says("near", second, "en_route", after_s=10)
    await town.says("near", second, "arrived", after_s=100)
    await town.run(lambda tx: set_shift(tx, "near", False))
    home_at = town.clock.now

    city = await town.city()
    async with town.db.connection() as conn:
        day = logged_day(await read_rows(conn, town.id, start, end), city, start, end)
    assert [shift.end for shift in day.scenario.crews[0].shifts] == [home_at]
    status, out, err = await replay(town, start, end, "--policy", "nearest", "--out", str(tmp_path))
    assert (status, err) == (0, "")
    assert "unserved in either (as logged 1, nearest 1)" in out
    assert [row["report"] for row in csv.DictReader((tmp_path / "visits.csv").open())] == [first]
    later = await replay(town, start, home_at + timedelta(seconds=1), "--policy", "nearest")
    assert "unserved in either (as logged 0, nearest 0)" in later[1]


async def test_who_handed_an_order_back_before_the_period_is_not_asked_again_in_it(
    town: LoggedTown, tmp_path: Path
) -> None:
    await town.comes_on("near", 0)
    await town.comes_on("far", 1)
    order = await town.report(0)
    await town.grabs("near", order)
    await town.hands_back("near", order, after_s=10)
    town.clock.pass_by(30)
    start = town.clock.now
    for policy in ("nearest", "hybrid"):
        status, _, err = await replay(
            town, start, start + timedelta(hours=2), "--policy", policy, "--out", str(tmp_path)
        )
        assert (status, err) == (0, "")
        [visit] = csv.DictReader((tmp_path / "visits.csv").open())
        assert visit["crew"] == "far", policy


async def test_what_cannot_be_replayed_is_told_in_one_sentence(town: LoggedTown) -> None:
    now = town.clock.now
    status, _, err = await replay(town, now, now + timedelta(hours=1))
    assert (status, "has no report" in err, err.count("\n")) == (1, True, 1)
    status, _, err = await replay(town, now, now)
    assert (status, "--to must be later" in err) == (2, True)
    status, _, err = await replay(town, now.replace(tzinfo=None), now)
    assert (status, "no time with its offset" in err) == (2, True)
    town.id = "nowhere"
    status, _, err = await replay(town, now, now + timedelta(hours=1))
    assert (status, "There is no city nowhere" in err) == (1, True)
