"""The grab desk on a real database: batches in flight beside each other, messages that come again."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from benchmarks.stage import CITY, Stage, settings_for
from crew_client.protocol import GrabResult
from dispatch.grab_desk import GrabDesk
from dispatch.grabs import Answer, Ask, MessageReused
from dispatch.metrics import Metrics
from dispatch.relay import load_mirror
from dispatch.store import Database

CREWS, ORDERS = 30, 40


@asynccontextmanager
async def desk_on(url: str) -> AsyncIterator[GrabDesk]:
    db = Database(url)
    mirror, _ = await load_mirror(db, CITY, settings_for(url))
    desk = GrabDesk(db, mirror, Metrics("test", "test"), on_complete=lambda order: None)
    running = asyncio.create_task(desk.run())
    try:
        yield desk
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await db.close()


async def grab_all(desk: GrabDesk, orders: list[str]) -> dict[tuple[str, str], Answer]:
    """Let every crew grab every order, all at once."""
    asks = [Ask(f"crew-{n:05d}", f"g-{order}", order) for order in orders for n in range(CREWS)]
    async with asyncio.timeout(60):
        answers = await asyncio.gather(*(desk.ask(ask) for ask in asks))
    return {(ask.crew, ask.order): answer for ask, answer in zip(asks, answers, strict=True)}


async def test_each_order_has_one_winner_and_log_loads_and_answers_agree(database: str) -> None:
    stage = await Stage.build(database, zones=1, crews=CREWS)
    orders = await stage.open_orders([0] * ORDERS)
    async with desk_on(database) as one, desk_on(database) as other:
        here, there = await asyncio.gather(grab_all(one, orders[:30]), grab_all(other, orders[10:]))
    results = [answer for answer in (*here.values(), *there.values()) if isinstance(answer, GrabResult)]
    assert len(results) == 2 * CREWS * 30
    assert {answer.reason for answer in results} == {"won", "taken"}

    winners = {
        key for seen in (here, there) for key, answer in seen.items() if isinstance(answer, GrabResult) and answer.won
    }
    assert sorted(order for _, order in winners) == orders
    conn = stage._conn
    held = {(row["crew_id"], row["order_id"]) for row in await conn.fetch("SELECT crew_id, order_id FROM orders")}
    told = {
        (row["crew_id"], row["order_id"])
        for row in await conn.fetch("SELECT crew_id, order_id FROM event WHERE kind = 'order.claimed'")
    }
    assert held == told == winners
    loads = {row["crew_id"]: row["load"] for row in await conn.fetch("SELECT crew_id, load FROM crew WHERE load > 0")}
    assert loads == Counter(crew for crew, _ in winners)
    seqs = [row["seq"] for row in await conn.fetch("SELECT seq FROM event ORDER BY seq")]
    assert seqs == list(range(1, await stage.count("SELECT last_seq FROM city_log") + 1))
    await stage.close()


async def test_all_who_ask_for_an_order_that_is_done_hear_so_together(database: str) -> None:
    stage = await Stage.build(database, zones=1, crews=CREWS)
    [order] = await stage.open_orders([0])
    await stage._conn.execute("UPDATE orders SET state = 'cancelled', offer = NULL")
    async with desk_on(database) as desk:
        answers = await grab_all(desk, [order])
    await stage.close()
    assert {answer.reason for answer in answers.values() if isinstance(answer, GrabResult)} == {"closed"}
    [batches] = [
        sample
        for metric in desk._metrics.batch_size.collect()
        for sample in metric.samples
        if sample.name.endswith("_count")
    ]
    assert batches.value <= 2, "and not one after the other"


async def test_a_message_that_comes_again_gets_its_first_verdict_beside_new_ones(database: str) -> None:
    stage = await Stage.build(database, zones=1, crews=CREWS)
    orders = await stage.open_orders([0] * ORDERS)
    async with desk_on(database) as desk:
        first = await grab_all(desk, orders[:20])
    async with desk_on(database) as desk:
        again = await grab_all(desk, orders)
        reused = await desk.ask(Ask("crew-00000", f"g-{orders[0]}", orders[1]))
    await stage.close()
    assert {key: again[key] for key in first} == first
    assert sum(isinstance(answer, GrabResult) and answer.won for answer in again.values()) == ORDERS
    assert reused == MessageReused(f"g-{orders[0]}", orders[1], orders[0])
