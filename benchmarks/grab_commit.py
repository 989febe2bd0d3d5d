"""Durable claims a second of the commit layer: `GrabDesk`, `judge_batch` and `Database` on distinct orders.

2,000 crews have one grab each under way and send the next when the last is judged; every order is asked for once.
The server is the embedded PostgreSQL with fsync on. The peer is pgbench on the same server with one claim per
transaction (see `benchmarks.pgbench` for what it does and does not do). The target is held against its faster form,
without the city's counter row; the form with the counter is shown beside. Both take turns; medians of the turns.
"""

import asyncio
from time import perf_counter

from benchmarks.figures import Row, at_least, median, row
from benchmarks.pgbench import CLIENTS, WITH_COUNTER, WITHOUT_COUNTER, Pgbench
from benchmarks.stage import CITY, Stage, another_database, postgres, run_async, settings_for
from crew_client.protocol import GrabResult
from dispatch import garbage
from dispatch.grab_desk import GrabDesk
from dispatch.grabs import Ask
from dispatch.metrics import Metrics
from dispatch.relay import load_mirror
from dispatch.store import Database

NAME = "grab-commit"
TARGET_RATIO = 3.0
UNIT = "claims/s"


def run(*, crews: int = 2_000, claims: int = 20_000, rounds: int = 5) -> list[Row]:
    """Measure `rounds` turns of `claims` claims of ours and a fifth as many of the peer's."""
    with postgres() as url:
        return run_async(_measure(url, crews, claims, rounds))


async def _measure(url: str, crews: int, claims: int, rounds: int) -> list[Row]:
    theirs = max(claims // 5 // CLIENTS, 1) * CLIENTS
    peer_stage = await Stage.build(await another_database(url, "peer"), zones=10, crews=20)
    await peer_stage.open_orders([n % 10 for n in range(theirs * (2 * rounds + 2))])
    await peer_stage.close()
    peer = await Pgbench.on(peer_stage.url)
    stage = await Stage.build(url, zones=500, crews=crews)
    warm, each = 2, max(claims // crews, 1)
    zones = [n % crews % 500 for n in range(crews * (each * rounds + warm))]
    orders = await stage.open_orders(zones)

    db = Database(url)
    mirror, _ = await load_mirror(db, CITY, settings_for(url))
    garbage.settle()
    desk = GrabDesk(db, mirror, Metrics("bench", "bench"), on_complete=lambda order: None)
    running = asyncio.create_task(desk.run())
    ours, plain, counted = [], [], []
    try:
        await _claim(desk, crews, orders[: crews * warm])
        await peer.claims(theirs)
        await peer.claims(theirs, counter=True)
        for turn in range(rounds):
            begin = crews * (warm + each * turn)
            ours.append(await _claim(desk, crews, orders[begin : begin + crews * each]))
            plain.append(await peer.claims(theirs))
            counted.append(await peer.claims(theirs, counter=True))
    finally:
        running.cancel()
        await db.close()
    done = await stage.count("SELECT count(*) FROM event WHERE kind = 'order.claimed'")
    kept = await stage.count("SELECT count(*) FROM crew_grab WHERE reason = 'won'")
    await stage.close()
    if not done == kept == len(orders):
        raise RuntimeError(f"{len(orders)} claims were asked for, {done} are in the log and {kept} are answered")
    return [
        at_least(
            TARGET_RATIO,
            row(NAME, "distinct-orders", UNIT, ours=median(ours), peer=median(plain), peer_name=WITHOUT_COUNTER),
        ),
        row(NAME, "distinct-orders", UNIT, ours=median(ours), peer=median(counted), peer_name=WITH_COUNTER),
    ]


async def _claim(desk: GrabDesk, crews: int, orders: list[str]) -> float:
    """Let each crew grab its orders, one after the other; return the claims a second."""

    async def grab(crew: str, own: list[str]) -> None:
        for order in own:
            answer = await desk.ask(Ask(crew, f"grab-{order}", order))
            if not (isinstance(answer, GrabResult) and answer.won):
                raise RuntimeError(f"{crew} did not get {order}: {answer}")

    begun = perf_counter()
    await asyncio.gather(*(grab(f"crew-{n:05d}", orders[n::crews]) for n in range(crews)))
    return len(orders) / (perf_counter() - begun)
