"""What the simulation answers in the place of SQL is what PostgreSQL answers: each question is asked of both."""

import random
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from dispatch.cities import bare_city
from dispatch.config import Settings
from dispatch.replans import REPLANS
from dispatch.store.crews import CREWS
from dispatch.store.orders import ORDERS
from dispatch.store.tx import LOG
from tests.integration.test_memory_store import CREWS as NAMES
from tests.integration.test_memory_store import Both, Script, clocked
from tests.simulation.queries import QUERIES
from tests.town import Clock, ClockedDatabase, add_town, zone_map

__all__ = ["clocked"]

COMMANDS = 120
MOST = 1_000
NOT_THE_CITYS = {"epoch", "name"}
"""Columns that the simulation makes up."""


def plain(row: Any, columns: set[str]) -> dict[str, Any]:
    """Return a row as plain values, with its JSON read."""
    values = {name: msgspec.to_builtins(row[name]) for name in columns - NOT_THE_CITYS}
    read = {
        name: msgspec.json.decode(value) if isinstance(value, str) and value[:1] in "{[" else value
        for name, value in values.items()
    }
    if "bids" in (read.get("data") or {}):
        read["data"]["bids"].sort()  # verdicts of one moment, in no order
    return read


def told(rows: list[dict[str, Any]]) -> list[bytes]:
    return sorted(msgspec.json.encode(row, order="deterministic") for row in rows)


@pytest.mark.parametrize("seed", range(2))
async def test_a_question_has_the_same_answer_in_memory(clocked: tuple[ClockedDatabase, Clock], seed: int) -> None:
    db, clock = clocked
    await add_town(db.url, "town")
    document = msgspec.json.encode(zone_map(policies={"east": {"mode": "first"}}))
    both = Both(db, clock, bare_city("town", Settings()).with_zones(document, 1))
    script = Script(both, random.Random(seed))
    for name in NAMES:
        await script.hire(name)
    begun = clock.now
    for _ in range(COMMANDS):
        clock.pass_by(script.rng.choice((0, 1, 3, 7, 20)))
        await script.rng.choice(script.commands)()
    some, later = script.orders[::2], clock.now + timedelta(seconds=300)
    asked: dict[str, list[tuple[Any, ...]]] = {
        LOG["heads"]: [()],
        LOG["head"]: [("town",)],
        LOG["read_with_particulars"]: [("town", 0, MOST), ("town", 7, 5)],
        LOG["as_reported"]: [("town", order) for order in some[:3]],
        ORDERS["open_orders"]: [("town",)],
        ORDERS["in_hand"]: [("town",)],
        ORDERS["find_orders"]: [("town", some)],
        ORDERS["rounds_of_orders"]: [("town", some)],
        ORDERS["anything_due"]: [(begun - timedelta(hours=1),), (clock.now,), (later,)],
        ORDERS["due_offers"]: [(clock.now, MOST), (later, MOST)],
        ORDERS["due_assignments"]: [(clock.now, MOST), (later, MOST)],
        ORDERS["due_alarms"]: [(begun,), (later,)],
        ORDERS["reported_since"]: [("town", begun, MOST)],
        CREWS["find_crews"]: [("town", None), ("town", list(NAMES[:2]))],
        REPLANS["replans"]: [("town",)],
        CREWS["positions_since"]: [(begun - timedelta(hours=1),), (clock.now,)],
    }
    answered = 0
    for sql, questions in asked.items():
        for values in questions:
            here = QUERIES[sql](both.memory.tables, *values)
            async with db.connection() as conn:
                there = await conn.fetch(sql, *values)
            answered += len(there)
            if sql == LOG["as_reported"]:  # a column without a name of its own
                here, there = ([{"order": next(iter(row.values()))} for row in rows] for rows in (here, there))
            columns = set(here[0]) if here else set()
            assert told([plain(row, columns) for row in here]) == told([plain(row, columns) for row in there]), sql
    assert answered > 50, "the questions were of something"
    assert set(QUERIES) - set(asked) == {sql for sql in QUERIES if "FROM forecast " in sql}, (
        "every question is compared"
    )
