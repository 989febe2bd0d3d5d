"""What is kept for a set time goes when it is over, a few rows at a time, and what is younger stays."""

from datetime import timedelta

import pytest

from dispatch import clockkeeper
from dispatch.background import Background
from dispatch.clockkeeper import ClockKeeper
from dispatch.config import PhotoSettings, PositionSettings, Settings
from tests.town import add_town

KEPT = {
    "crew_fix": "INSERT INTO crew_fix VALUES ($1, 'c1', $2, $2, 126.6, 45.7, 5)",
    "photo": "INSERT INTO photo VALUES ($1, gen_random_uuid()::text, 'c1', 'image/jpeg', 'x', $2)",
    "idempotency": "INSERT INTO idempotency VALUES ($1, 's', gen_random_uuid()::text, 'x', 200, 'x', $2)",
    "sign_in_code": "INSERT INTO sign_in_code VALUES (sha256(gen_random_uuid()::text::bytea), $1, 'c1', 'u', $2, $2)",
}


async def test_what_was_kept_long_enough_is_deleted_a_few_at_a_time(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(
        database_url=database, positions=PositionSettings(keep_days=7), photos=PhotoSettings(keep_days=30)
    )
    await add_town(database, "town")
    background = Background(settings, "clocks")
    try:
        async with background.db.connection() as conn:
            now = await conn.fetchval("SELECT now()")
            for table, insert in KEPT.items():
                days = {"crew_fix": 7, "photo": 30}.get(table, 2)
                for age in (days - 0.5, *[days + 0.5] * 5):
                    await conn.execute(insert, "town", now - timedelta(days=age))
        monkeypatch.setattr(clockkeeper, "FORGET_AT_ONCE", 2)
        monkeypatch.setattr(clockkeeper, "TIDY_EVERY_S", 0.0)
        keeper = ClockKeeper()
        await keeper.tick(background)
        monkeypatch.setattr(clockkeeper, "TIDY_EVERY_S", 600.0)
        assert await left(background) == {**dict.fromkeys(KEPT, 6), "sign_in_code": 4}
        for _ in range(4 * 3):
            await keeper.tick(background)
        assert await left(background) == dict.fromkeys(KEPT, 1)
    finally:
        await background.db.close()


async def left(background: Background) -> dict[str, int]:
    """How many rows each table has."""
    async with background.db.connection() as conn:
        return {table: await conn.fetchval(f"SELECT count(*) FROM {table}") for table in KEPT}
