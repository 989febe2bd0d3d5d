"""Where a zone's policy lets a person decide, the plan proposes moves of told work, and forgets them when overtaken."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dispatch import planning, replans
from dispatch.background import Background
from dispatch.config import PlannerSettings, Settings
from dispatch.errors import DispatchError, Impossible, NotFound
from dispatch.orders import State
from dispatch.planner import Planner
from dispatch.policy import GrabPolicy
from dispatch.replans import REPLANS, Replan, replan_of
from dispatch.store import Database
from optimizer.rolling import Answer, Due, Moved, Question
from tests.solvers import NoSolver, SolverHere
from tests.town import Town, zone_map

ASKED: dict[str, Any] = {"east": {"replans": "propose"}}


class Proposing(SolverHere):
    """Answers with the moves that it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.moves: tuple[Moved, ...] = ()
        self.routes: dict[str, tuple[Due, ...]] = {}

    async def solve(self, question: Question, *, seconds: float) -> Answer:
        return Answer(moved=self.moves, routes=self.routes)


class Desk:
    """A town whose east lets people decide, with an order that a far crew was told of, and its planner."""

    def __init__(self, town: Town, background: Background) -> None:
        self.town = town
        self.background = background
        self.solver = Proposing()
        self.planner = Planner(self.solver)
        self.order = ""

    async def tick(self) -> None:
        """Let something happen, and the planner look."""
        await self.town.report(0)
        await self.planner.tick(self.background)

    async def open(self) -> list[Replan]:
        rows = await self.town.fetch(REPLANS["replans"])
        return [replan_of(row) for row in rows if row["dismissed_at"] is None]

    async def told(self, kind: str) -> list[Any]:
        rows = await self.town.fetch(
            "SELECT actor, data FROM event WHERE city_id = $1 AND kind = $2 ORDER BY seq", kind
        )
        return [{"actor": row["actor"], **json.loads(row["data"])} for row in rows]


@asynccontextmanager
async def desk(url: str) -> AsyncIterator[Desk]:
    policy = GrabPolicy(mode="first", assign_after_s=3600, ring_s=(3600, 3600))
    settings = Settings(database_url=url, grab=policy, planner=PlannerSettings(debounce_s=0))
    db = Database(url, size=4)
    background = Background(settings, "planner")
    town = await Town.found(db, "town", settings, zones=zone_map(policies=ASKED))
    here = Desk(town, background)
    try:
        await town.working("far", 0, capacity=3)
        await town.working("near", 2, capacity=3)
        # The far crew would be late; a minute less alone is not worth a move.
        here.order = await town.report(2, reported_at=datetime.now(UTC) - timedelta(seconds=840))
        seen = await town.order(here.order)
        await town.run(lambda tx: planning.give(tx, seen, "far", why="first"))
        await here.planner.tick(background)  # sees the city for the first time
        here.solver.moves = (Moved(here.order, "far", "near", "there in 1 min"),)
        yield here
        await town.audit()
    finally:
        await background.db.close()
        await db.close()


async def test_a_move_is_proposed_once_with_its_effect_and_nothing_is_moved(database: str) -> None:
    async with desk(database) as here:
        here.solver.routes = {"near": (), "far": ()}
        await here.tick()
        await here.tick()
        [replan] = await here.open()
        assert (replan.order, replan.crew, replan.to, replan.reason) == (here.order, "far", "near", "there in 1 min")
        assert replan.arrives_s is not None and replan.instead_of_s is not None
        assert replan.arrives_s < replan.instead_of_s
        assert (await here.town.order(here.order)).crew == "far"
        [event] = await here.told("order.replan_proposed")
        assert event["replan"]["id"] == replan.id
        assert await here.told("crew.routed") == [], "a route would hold what is not decided"


async def test_in_a_zone_that_says_nothing_the_machine_moves_as_ever(database: str) -> None:
    async with desk(database) as here:
        await here.town.put_zones(zone_map())
        await here.tick()
        assert (await here.town.order(here.order)).crew == "near"
        assert await here.open() == []


async def test_what_a_person_accepts_is_moved_and_both_crews_are_told(database: str) -> None:
    async with desk(database) as here:
        await here.tick()
        [replan] = await here.open()
        moved = await here.town.run(lambda tx: replans.accept(tx, replan.id, actor="user:dispatcher"))
        assert (moved.crew, moved.state) == ("near", State.CLAIMED)
        event = (await here.told("order.assigned"))[-1]
        assert (event["actor"], event["lost"]["crew"], event["given"]["crew"]) == ("user:dispatcher", "far", "near")
        assert await here.open() == []
        with pytest.raises(NotFound):
            await here.town.run(lambda tx: replans.accept(tx, replan.id, actor="user:other"))


async def test_what_is_dismissed_is_not_proposed_again_but_another_crew_is(database: str) -> None:
    async with desk(database) as here:
        await here.tick()
        [replan] = await here.open()
        await here.town.run(lambda tx: replans.dismiss(tx, replan.id, actor="user:dispatcher", reason="he knows it"))
        await here.tick()
        assert await here.open() == []
        assert (await here.told("order.replan_dismissed"))[0]["reason"] == "he knows it"
        await here.town.working("third", 2, capacity=3)
        here.solver.moves = (Moved(here.order, "far", "third", "there in 2 min"),)
        await here.tick()
        assert [one.to for one in await here.open()] == ["third"]


@pytest.mark.parametrize("what", ["begun", "elsewhere", "outdated"])
async def test_what_is_overtaken_is_refused_withdrawn_and_says_why(database: str, what: str) -> None:
    async with desk(database) as here:
        town = here.town
        await here.tick()
        [replan] = await here.open()
        if what == "outdated":
            here.solver.moves = ()
        else:
            change = "state = 'en_route'" if what == "begun" else "crew_id = 'third', version = version + 1"
            await town.working("third", 2, capacity=3)
            async with town.db.connection() as conn:
                await conn.execute(f"UPDATE orders SET {change} WHERE order_id = $1", here.order)
                if what == "elsewhere":
                    await conn.execute("UPDATE crew SET load = load - 1 WHERE crew_id = 'far'")
                    await conn.execute("UPDATE crew SET load = load + 1 WHERE crew_id = 'third'")
            with pytest.raises(Impossible, match="too late"):
                await town.run(lambda tx: replans.accept(tx, replan.id, actor="user:dispatcher"))
        await here.tick()
        assert await here.open() == []
        [event] = await here.told("order.replan_withdrawn")
        assert (event["replan"]["id"], event["reason"]) == (replan.id, what)


async def test_of_two_people_who_decide_at_once_one_does(database: str) -> None:
    async with desk(database) as here:
        await here.tick()
        [replan] = await here.open()

        async def decide(step: Any) -> bool:
            try:
                await here.town.run(step)
            except DispatchError:
                return False
            return True

        done = await asyncio.gather(
            decide(lambda tx: replans.accept(tx, replan.id, actor="user:a")),
            decide(lambda tx: replans.dismiss(tx, replan.id, actor="user:b", reason=None)),
        )
        assert sorted(done) == [False, True]


async def test_the_real_search_proposes_a_crew_that_came_on_shift_nearer(database: str) -> None:
    async with desk(database) as here:
        planner = Planner(SolverHere())
        await planner.tick(here.background)
        await here.town.working("nearest", 2, away_m=10)
        await planner.tick(here.background)
        [replan] = await here.open()
        assert (replan.order, replan.crew) == (here.order, "far")
        assert replan.to in ("near", "nearest")


async def test_a_plan_that_failed_is_asked_for_again_though_nothing_else_happens(database: str) -> None:
    async with desk(database) as here:
        planner = Planner(NoSolver())
        await planner.tick(here.background)
        await here.town.report(0)
        await planner.tick(here.background)
        planner._solver = here.solver
        await planner.tick(here.background)
        assert len(await here.open()) == 1
