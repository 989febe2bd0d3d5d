"""What is due is done, whatever is wrong with another order."""

from datetime import timedelta
from typing import Any

import pytest

from dispatch import grabs, planning
from dispatch.background import Background
from dispatch.clockkeeper import ClockKeeper
from dispatch.config import Settings
from dispatch.orders import State
from dispatch.planner import Planner
from dispatch.policy import GrabPolicy
from tests.solvers import NoSolver
from tests.town import Clock, ClockedDatabase, Town


async def test_an_order_that_cannot_be_done_holds_up_no_other(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    db = ClockedDatabase(database, clock)
    settings = Settings(database_url=database, grab=GrabPolicy(window_s=5, assign_after_s=30))
    town = await Town.found(db, "town", settings)
    background = Background(settings, "test")
    background.db = db

    async def now() -> Any:
        return clock.now

    monkeypatch.setattr(background, "now", now)
    orders = [await town.report(0) for _ in range(3)]
    for n in range(3):
        await town.working(f"crew{n}", 0)
    sick = orders[0]
    deciding = grabs._decide
    tried = []

    async def decide(tx: Any, order: Any, locked: Any) -> Any:
        if order.id == sick:
            tried.append(order.id)
            raise ValueError("this order is not as it should be")
        return await deciding(tx, order, locked)

    monkeypatch.setattr(grabs, "_decide", decide)
    keeper = ClockKeeper()
    clock.pass_by(6)
    await keeper.tick(background)
    await keeper.tick(background)
    assert len(tried) == 1, "it is left for a while"
    due = {
        row["order_id"]: row["offer_due_at"] for row in await town.fetch("SELECT * FROM order_timer WHERE city_id = $1")
    }
    assert all(due[order] > clock.now for order in orders[1:])

    picking = planning.assign_due

    async def assign(tx: Any, order_id: str, *more: Any, **named: Any) -> bool:
        if order_id == sick:
            raise ValueError("nor here")
        return await picking(tx, order_id, *more, **named)

    monkeypatch.setattr(planning, "assign_due", assign)
    background._left.clear()
    clock.now += timedelta(seconds=60)
    assert await Planner(NoSolver()).tick(background) == 2
    states = [(await town.order(order)).state for order in orders]
    assert states == [State.OFFERED, State.CLAIMED, State.CLAIMED]
    await background.db.close()
