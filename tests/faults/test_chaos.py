"""The promises hold while everything dies: crews race for orders, engines are killed, PostgreSQL crashes twice.

`QIANGDAN_TEST_CHAOS_SECONDS` sets how long the killing goes on (60), `QIANGDAN_TEST_SEED` the seed. What it did and
found is printed, and shown with `pytest -rP`.
"""

import asyncio
import os
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import asyncpg
import pytest

from dispatch.config import Settings
from dispatch.store import Database
from dispatch.store.embedded import EmbeddedPostgres
from tests.faults.audit import Books, wrongs
from tests.faults.storm import CREWS, Storm, end
from tests.processes import Serving
from tests.town import Town

SECONDS = float(os.environ.get("QIANGDAN_TEST_CHAOS_SECONDS", "60"))
TOKEN = "chaos-administrator"
MODES = {
    "first": {"QIANGDAN_GRAB_MODE": "first"},
    "sealed": {"QIANGDAN_GRAB_MODE": "sealed", "QIANGDAN_GRAB_WINDOW_S": "1"},
}
HURRIED = {
    "QIANGDAN_ADMIN_TOKEN": TOKEN,
    "QIANGDAN_GRAB_RING_S": "2,4",
    "QIANGDAN_GRAB_ASSIGN_AFTER_S": "6",
    "QIANGDAN_CLOCKS_HAND_DOWN_S": "3",
    "QIANGDAN_CLOCKS_ARRIVAL_S": "8",
    "QIANGDAN_CLOCKS_RESOLVE_S": "16",
    "QIANGDAN_LOG_LEVEL": "warning",
}


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    """A PostgreSQL that nobody starts again but the test."""
    with EmbeddedPostgres(tmp_path / "database") as server:
        yield server


@pytest.mark.slow
@pytest.mark.timeout(SECONDS + 180)
@pytest.mark.parametrize("mode", MODES)
async def test_nothing_that_was_promised_is_broken_while_everything_dies(
    tmp_path: Path, postgres: EmbeddedPostgres, mode: str
) -> None:
    seed = int(os.environ.get("QIANGDAN_TEST_SEED", "0")) or random.randrange(1, 2**31)
    print(f"mode {mode}, seed {seed}, {SECONDS:g} s")
    serving = Serving(tmp_path / "data", "--workers", "2", **HURRIED, **MODES[mode], QIANGDAN_DATABASE_URL=postgres.url)
    try:
        await asyncio.to_thread(serving.wait_until_ready)
        await run(Storm(serving, postgres, TOKEN, seed))
    finally:
        status = serving.stop()
        assert serving.process.stdout
        serving.process.stdout.close()
    assert status == 0
    assert "Traceback" not in serving.log.read_text(), serving.log


async def run(storm: Storm) -> None:
    """Let it storm, heal, audit."""
    settings = Settings(database_url=storm.postgres.url)
    await storm.settle_in()
    crews = [asyncio.create_task(crew.run()) for crew in storm.crews]
    await storm.online(within_s=20)
    people = [asyncio.create_task(storm.report()), asyncio.create_task(storm.interfere())]
    until = monotonic() + SECONDS
    deaths = [
        asyncio.create_task(storm.kill("engine", (1.5, 4), until)),
        asyncio.create_task(storm.kill("planner", (4, 9), until)),
        asyncio.create_task(storm.kill("clocks", (3, 8), until)),
    ]
    for part in (1, 2):
        await asyncio.sleep(max(0.0, until - SECONDS * (1 - part / 3) - monotonic()))
        await storm.stop_postgres(lambda: last_seq(storm.postgres.url))
    await asyncio.wait(deaths)
    for task in deaths:
        task.result()

    storm.reporting = False
    await asyncio.gather(*people)
    await storm.online(within_s=10)
    db = Database(storm.postgres.url, size=2)
    town = Town(db, "default", settings)
    try:
        await calm(town, storm)
        await asyncio.gather(*(crew.ask_again() for crew in storm.crews))
        storm.grabbing = False
        books = await quiet(db, storm, settings)
        found = await wrongs(town, books, [crew.diary for crew in storm.crews])
        gaps = [gap for crew in storm.crews for gap in books.gaps(crew.diary)]
        report_figures(storm, books, found, gaps)
        await town.audit()
        assert not found
        assert not gaps
        assert_it_was_a_storm(storm, books)
    finally:
        await end(crews)
        await db.close()
        await storm.http.aclose()


async def last_seq(url: str) -> int:
    """Where the log ends."""
    connection = await asyncpg.connect(url)
    try:
        seq: int = await connection.fetchval("SELECT last_seq FROM city_log WHERE city_id = 'default'")
    finally:
        await connection.close()
    return seq


async def calm(town: Town, storm: Storm) -> None:
    """Wait until every grab has its verdict and no order is open any more: held, on a list, or done."""
    give_up_at = monotonic() + 25
    while True:
        waiting = [m for crew in storm.crews for m in crew.diary.asked if m not in crew.diary.verdicts]
        rows = await town.fetch("SELECT order_id FROM orders WHERE city_id = $1 AND state = 'offered'")
        if not waiting and not rows:
            return
        assert monotonic() < give_up_at, f"{len(waiting)} grabs without a verdict, {len(rows)} orders still open"
        await asyncio.sleep(0.2)


async def quiet(db: Database, storm: Storm, settings: Settings) -> Books:
    """Wait until the log grows no more but for clocks and everybody has heard what it says; return it."""
    give_up_at = monotonic() + 15
    while True:
        books = await Books.open(db, "default", settings)
        if not any(books.gaps(crew.diary) for crew in storm.crews) or monotonic() > give_up_at:
            return books
        await asyncio.sleep(0.3)


def report_figures(storm: Storm, books: Books, found: list[str], gaps: list[str]) -> None:
    verdicts = Counter(reason for crew in storm.crews for reason in crew.diary.verdicts.values())
    frames = sum(len(crew.diary.heard) for crew in storm.crews)
    snapshots = sum(h.type == "welcome" and not h.resumed for crew in storm.crews for h in crew.diary.heard)
    resumed = sum(h.type == "welcome" and h.resumed for crew in storm.crews for h in crew.diary.heard)
    print(f"{books.events} events, {frames} frames told, {resumed} resumes, {snapshots - CREWS} snapshots on return")
    print(f"grabs: {sum(verdicts.values())} {dict(verdicts)}")
    print(f"counts: {dict(storm.counts)}")
    print(f"events: {dict(books.kinds)}")
    print(f"not ready after {[round(s, 2) for s in storm.not_ready_after_s]} s")
    print(f"work went on after {[round(s, 2) for s in storm.working_after_s]} s")
    print(f"violations: {len(found) + len(gaps)}", *found[:20], *gaps[:20], sep="\n  ")


def assert_it_was_a_storm(storm: Storm, books: Books) -> None:
    """A run in which little happened shows nothing."""
    assert storm.counts["postgres stopped"] == 2
    assert storm.counts["engine killed"] >= SECONDS / 10 - 1
    assert books.kinds["order.claimed"] >= SECONDS
    assert books.kinds["clock.breached"] > 0
