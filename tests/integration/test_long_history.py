"""Lists in a city with a long history read what they show, not everything that there ever was."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any

import asyncpg
import msgspec
import pytest

from dispatch.store.orders import ORDERS
from dispatch.store.sql import load

CITY = "default"
PAGE = 20
ORDERS_DONE, ORDERS_OPEN, CREWS = 9_000, 200, 60
FILL = """
INSERT INTO orders (city_id, order_id, version, state, cycle, category, severity, required_skills,
                    reported_at, crew_id, clocks)
SELECT $1, 'o' || to_char(n, 'FM000000'), 1, CASE WHEN n > $2 THEN 'claimed' ELSE 'closed' END, 1, 'leak', 1, '{}',
       now() - interval '1 day', 'c' || n % $4,
       json_build_object('arrival', json_build_object('state', CASE WHEN n > $2 THEN 'running' ELSE 'met' END,
           'started_at', now(), 'due_at', now() + n * interval '1 s', 'at_risk_at', now() + interval '9 days',
           'stopped_at', CASE WHEN n <= $2 THEN now() END))
FROM generate_series(1, $2::int + $3::int) AS n
"""


@pytest.fixture
async def long_history(database: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database)
    await connection.execute("INSERT INTO city (city_id, name, epoch) VALUES ($1, $1, 'e')", CITY)
    await connection.execute(FILL, CITY, ORDERS_DONE, ORDERS_OPEN, CREWS)
    await connection.execute("ANALYZE orders")
    yield connection
    await connection.close()


def _orders_read(plan: dict[str, Any]) -> Iterator[float]:
    """How many rows of `orders` each part of a plan that ran has looked at."""
    if plan.get("Relation Name") == "orders":
        passed_over = sum(plan.get(f"Rows Removed by {by}", 0) for by in ("Filter", "Index Recheck"))
        yield (plan["Actual Rows"] + passed_over) * plan["Actual Loops"]
    for part in plan.get("Plans", ()):
        yield from _orders_read(part)


async def orders_read(connection: asyncpg.Connection, sql: str, *values: Any) -> float:
    told = await connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", CITY, *values)
    return sum(_orders_read(msgspec.json.decode(told)[0]["Plan"]))


@pytest.mark.parametrize("states", [None, ["closed"], ["closed", "claimed"]])
async def test_what_a_crew_did_is_found_without_the_orders_of_all_others(
    long_history: asyncpg.Connection, states: list[str] | None
) -> None:
    asked = ORDERS["list_orders_of_crew"]
    rows = await long_history.fetch(asked, CITY, states, None, "c7", None, PAGE)
    everything = await long_history.fetch(ORDERS["list_orders"], CITY, states, None, "c7", None, PAGE)
    assert [row["order_id"] for row in rows] == [row["order_id"] for row in everything]
    assert len(rows) == PAGE
    assert await orders_read(long_history, asked, states, None, "c7", None, PAGE) <= ORDERS_OPEN + PAGE
    assert await orders_read(long_history, asked, states, None, "nobody", None, PAGE) <= ORDERS_OPEN


async def test_clocks_that_were_met_are_listed_without_a_walk_through_the_history(
    long_history: asyncpg.Connection,
) -> None:
    asked = load("sla")["met_clocks"]
    after = ("o004500", "arrival", datetime.now(UTC))
    rows = await long_history.fetch(asked, CITY, *after, PAGE)
    assert [row["order_id"] for row in rows] == [f"o{n:06}" for n in range(4_499, 4_499 - PAGE, -1)]
    assert await orders_read(long_history, asked, *after, PAGE) <= 2 * PAGE
    assert await orders_read(long_history, asked, None, None, None, PAGE) <= ORDERS_OPEN + 2 * PAGE
