"""The planner on a real PostgreSQL: what the answer says is done, and whatever dies, no order is lost."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pytest

from dispatch import forecasts, intake, planning
from dispatch.background import Background
from dispatch.config import PlannerSettings, Settings
from dispatch.crews import set_shift
from dispatch.forecasts import Forecasts
from dispatch.grabs import Ask, judge_batch
from dispatch.metrics import PlannerMetrics
from dispatch.orders import Order, State
from dispatch.overrides import OverrideIn, override
from dispatch.planner import Planner
from dispatch.policy import GrabPolicy
from dispatch.solvers import DaskSolver, LocalSolver, Solver, SolverFailed
from dispatch.store import Database
from optimizer.demand import WEEK_HOURS, Demand
from optimizer.rolling import Answer, Moved, Question
from optimizer.situation import Move
from tests.processes import eventually, is_gone
from tests.solvers import NoSolver, SolverHere
from tests.town import Town, centre
from tests.unit.optimizer.test_rolling import Sight, held, order, worker

AT_ONCE = GrabPolicy(mode="first", assign_after_s=0, ring_s=(3600, 3600))


class Place:
    """A town with a planner of its own, whose offers are due at once."""

    def __init__(self, town: Town, background: Background) -> None:
        self.town = town
        self.background = background

    async def plan(self, solver: Solver) -> int:
        return await Planner(solver).tick(self.background)

    async def events(self, kind: str) -> list[Any]:
        return await self.town.fetch("SELECT * FROM event WHERE city_id = $1 AND kind = $2 ORDER BY seq", kind)

    async def timeline(self, order_id: str) -> list[str]:
        rows = await self.town.fetch(
            "SELECT kind FROM event WHERE city_id = $1 AND order_id = $2 ORDER BY seq", order_id
        )
        return [row["kind"] for row in rows]


@asynccontextmanager
async def place(url: str, **planner: Any) -> AsyncIterator[Place]:
    settings = Settings(database_url=url, grab=AT_ONCE, planner=PlannerSettings(debounce_s=0, **planner))
    db = Database(url, size=4)
    background = Background(settings, "planner")
    town = await Town.found(db, "town", settings)
    try:
        yield Place(town, background)
    finally:
        await background.db.close()
        await db.close()


async def test_what_is_due_goes_to_whom_the_plan_says_with_its_reason(database: str) -> None:
    async with place(database) as here:
        town = here.town
        near, far = await town.working("near", 0, away_m=50), await town.working("far", 0, away_m=900)
        orders = [await town.report(0), await town.report(0)]
        assert await here.plan(SolverHere()) == 2
        held = [await town.order(order) for order in orders]
        assert {(order.state, order.claimed_by) for order in held} == {(State.CLAIMED, "optimizer")}
        assert {order.crew for order in held} == {near, far}
        [first, _] = await here.events("order.assigned")
        assert "s away" in first["data"]
        await town.audit()


async def test_an_order_left_over_goes_behind_the_work_of_a_crew_with_room(database: str) -> None:
    async with place(database) as here:
        town = here.town
        crew = await town.working("crew", 0, capacity=2)
        first = await town.report(0)
        assert await here.plan(SolverHere()) == 1
        second = await town.report(0)
        assert await here.plan(SolverHere()) == 1
        assert [(await town.order(order)).crew for order in (first, second)] == [crew, crew]
        given = (await here.events("order.assigned"))[-1]
        assert "behind the work that it has" in given["data"]
        await town.audit()


async def test_where_nobody_can_go_the_dispatchers_are_told_once_why(database: str) -> None:
    async with place(database) as here:
        town = here.town
        await town.working("crew", 0)
        await town.report(0)
        await here.plan(SolverHere())
        stuck = await town.report(0)
        solver = SolverHere()
        for _ in range(3):
            await here.plan(solver)
        [told] = await here.events("order.stranded")
        assert told["order_id"] == stuck
        assert "crew crew could be there in" in told["data"] and "at_capacity 1" in told["data"]
        await town.audit()


async def test_where_nobody_is_on_shift_the_dispatchers_are_told_and_no_solver_is_asked(database: str) -> None:
    async with place(database) as here:
        stuck = await here.town.report(0)
        solver = SolverHere()
        for _ in range(3):
            await here.plan(solver)
        [told] = await here.events("order.stranded")
        assert (told["order_id"], json.loads(told["data"])["reason"]) == (stuck, "the city has no crews")
        assert solver.questions == []


async def test_where_no_plan_comes_the_nearest_crew_goes(database: str) -> None:
    async with place(database) as here:
        town = here.town
        await town.working("far", 0, away_m=900)
        near = await town.working("near", 0, away_m=50)
        order = await town.report(0)
        metrics = PlannerMetrics("p")
        assert await Planner(NoSolver(), metrics).tick(here.background) == 1
        assert (await town.order(order)).crew == near
        page = metrics.page().decode()
        assert 'qiangdan_plan_failures_total{cause="error"} 1.0' in page
        assert 'qiangdan_plan_parts_total{outcome="applied",part="nearest"} 1.0' in page
        assert "qiangdan_plan_age_seconds{" not in page, "there was no plan"
        await town.audit()


class Meddling(SolverHere):
    """Answers, and before the answer is heard something happens in the city."""

    def __init__(self, meanwhile: Any) -> None:
        super().__init__()
        self._meanwhile = meanwhile

    async def solve(self, question: Question, *, seconds: float) -> Answer:
        found = await super().solve(question, seconds=seconds)
        await self._meanwhile()
        return found


async def test_a_stale_part_of_a_plan_is_dropped_and_the_rest_is_done(database: str) -> None:
    async with place(database) as here:
        town = here.town
        crews = [await town.working(name, zone) for zone, name in enumerate(("a", "b", "c"))]
        orders = [await town.report(zone) for zone in range(3)]

        async def grabbed_meanwhile() -> None:
            seen = await town.order(orders[1])
            await town.run(lambda tx: planning.give(tx, seen, crews[1], why="sooner"))

        metrics = PlannerMetrics("p")
        assert await Planner(Meddling(grabbed_meanwhile), metrics).tick(here.background) == 2
        page = metrics.page().decode()
        assert 'qiangdan_plan_parts_total{outcome="applied",part="given"} 2.0' in page
        assert 'qiangdan_plan_parts_total{outcome="stale",part="given"} 1.0' in page
        assert 'qiangdan_plan_questions_total{kind="due"} 1.0' in page
        assert 'qiangdan_plan_age_seconds{city="town"}' in page
        assert [(await town.order(order)).crew for order in orders] == crews
        assert len(await here.events("order.assigned")) == 3
        await town.audit()


async def test_a_crew_that_is_gone_when_the_plan_comes_loses_nothing_for_the_order(database: str) -> None:
    async with place(database) as here:
        town = here.town
        crew = await town.working("crew", 0)
        order = await town.report(0)

        async def gone() -> None:
            await town.run(lambda tx: set_shift(tx, crew, False))

        assert await here.plan(Meddling(gone)) == 0
        assert (await town.order(order)).state is State.OFFERED
        other = await town.working("other", 0)
        assert await here.plan(SolverHere()) == 1
        assert (await town.order(order)).crew == other
        await town.audit()


async def told(town: Town, order_id: str, crew: str) -> Order:
    seen = await town.order(order_id)
    await town.run(lambda tx: planning.give(tx, seen, crew, why="first"))
    return await town.order(order_id)


async def test_what_was_only_told_moves_and_both_crews_hear_of_it(database: str) -> None:
    async with place(database) as here:
        town = here.town
        await town.working("far", 0)
        near = await town.working("near", 2)
        order = await town.report(2)
        await told(town, order, "far")

        class MovesIt(SolverHere):
            async def solve(self, question: Question, *, seconds: float) -> Answer:
                return Answer(moved=(Moved(order, "far", near, "there in 1 min"),))

        planner = Planner(MovesIt())
        await planner.tick(here.background)  # sees the city for the first time
        await town.report(0)
        await planner.tick(here.background)
        moved = await town.order(order)
        assert (moved.crew, moved.claimed_by) == (near, "optimizer")
        [_, event] = [event for event in await here.events("order.assigned") if event["order_id"] == order]
        assert '"lost":{"crew":"far"' in event["data"] and '"given":{"crew":"near"' in event["data"]
        await town.audit()


async def test_a_move_planned_before_the_order_itself_changed_is_dropped(database: str) -> None:
    async with place(database) as here:
        town = here.town
        far, near = await town.working("far", 0), await town.working("near", 2)
        order = await town.report(2)
        await told(town, order, far)

        class TooLate(SolverHere):
            async def solve(self, question: Question, *, seconds: float) -> Answer:
                city = await here.background.city("town")
                word = OverrideIn(action="move", reason="the address was another", location=intake.Place(*centre(0)))
                given: Any = {"actor": "user:d", "override_id": "v1", "city": city, "crews": ()}
                await town.run(lambda tx: override(tx, order, word, **given))
                return Answer(moved=(Moved(order, far, near, "there in 1 min"),))

        planner = Planner(TooLate())
        await planner.tick(here.background)  # sees the city for the first time
        await town.report(0)
        await planner.tick(here.background)
        assert (await town.order(order)).crew == far, "it was nearest to the place that it is at no more"
        await town.audit()


@pytest.mark.parametrize("state", ["en_route", "grab"])
async def test_what_a_crew_has_begun_or_grabbed_is_not_moved(database: str, state: str) -> None:
    async with place(database) as here:
        town = here.town
        crew, other = await town.working("crew", 0), await town.working("other", 0)
        order = await town.report(0)
        await told(town, order, crew)
        column, value = ("state", "en_route") if state == "en_route" else ("claimed_by", "grab")
        async with town.db.connection() as conn:
            await conn.execute(f"UPDATE orders SET {column} = $1 WHERE order_id = $2", value, order)
        assert not await town.run(lambda tx: planning.move(tx, order, crew, other, why="nearer"))
        assert (await town.order(order)).crew == crew


async def test_what_a_crew_was_told_that_it_won_is_not_moved(database: str) -> None:
    async with place(database) as here:
        town = here.town
        crew, other = await town.working("crew", 0), await town.working("other", 0)
        order = await town.report(0)
        await told(town, order, crew)  # while the crew's grab was on its way
        city = await here.background.city("town")
        judged = await town.run(lambda tx: judge_batch(tx, [Ask(crew, "m1", order)], city))
        assert judged.answers[0].reason == "won"  # type: ignore[union-attr]
        assert not await town.run(lambda tx: planning.move(tx, order, crew, other, why="nearer"))
        assert (await town.order(order)).crew == crew, "of one cycle two crews would be told that they won"


async def test_an_order_moved_to_who_has_it_stays_one_order(database: str) -> None:
    async with place(database) as here:
        town = here.town
        crew = await town.working("crew", 0, capacity=3)
        order = await town.report(0)
        await told(town, order, crew)
        assert not await town.run(lambda tx: planning.move(tx, order, crew, crew, why="stay"))
        await town.audit()


async def test_a_crew_is_told_its_route_once_as_long_as_it_is_the_same(database: str) -> None:
    async with place(database) as here:
        town = here.town
        await town.working("crew", 0, capacity=3)
        for _ in range(2):
            await town.report(0)
        planner = Planner(SolverHere())
        for _ in range(4):
            await planner.tick(here.background)
        routes = await here.events("crew.routed")
        assert len(routes) == 1
        assert routes[0]["crew_id"] == "crew" and routes[0]["data"].count("eta") == 2


async def test_idle_crews_are_advised_only_after_reports_were_seen(database: str) -> None:
    class Advising(SolverHere):
        async def solve(self, question: Question, *, seconds: float) -> Answer:
            found = await super().solve(question, seconds=seconds)
            return Answer(given=found.given, advice=(Move("idle", 126.61, 45.75),), dispatcher=found.dispatcher)

    async with place(database, advise_after=3) as here:
        town = here.town
        await town.working("idle", 2)
        planner = Planner(Advising())
        await planner.tick(here.background)
        for count in (0, 2):
            crew = await town.working(f"crew{count}", 0)
            await town.report(0)
            await town.report(0)
            await planner.tick(here.background)
            assert bool(await here.events("crew.advised")) is (count == 2), crew


async def test_a_planner_that_has_just_begun_advises_by_the_city_s_history(database: str) -> None:
    class Advising(SolverHere):
        async def solve(self, question: Question, *, seconds: float) -> Answer:
            self.questions.append(question)
            return Answer(advice=(Move("idle", 126.61, 45.75),))

    async with place(database, advise_after=1000) as here:
        town = here.town
        await town.working("idle", 2)
        learned = Forecasts(demand=Demand(shares={"west": 1.0}, hours=WEEK_HOURS))
        async with town.db.connection() as conn:
            await forecasts.save(conn, "town", learned, now=datetime.now(UTC))
        solver = Advising()
        planner = Planner(solver)
        await planner.tick(here.background)
        await town.hire("another", 0)
        await planner.tick(here.background)
        assert [event["crew_id"] for event in await here.events("crew.advised")] == ["idle"]
        [question] = solver.questions
        assert question.ground.expected, "where to expect reports goes with the question"


@asynccontextmanager
async def local_solver() -> AsyncIterator[tuple[LocalSolver, psutil.Process]]:
    """A solver that is ready, and its child."""
    before = set(psutil.Process().children(recursive=True))
    solver = LocalSolver()
    try:
        solver.start()
        assert solver._ready is not None
        await asyncio.wrap_future(solver._ready)
        new = set(psutil.Process().children(recursive=True)) - before
        [child] = [process for process in new if "spawn_main" in " ".join(process.cmdline())]
        yield solver, child
    finally:
        await solver.close()


def hard(orders: int = 400) -> Question:
    """A question that a search may think about for as long as it is let."""
    sight = Sight([], [worker(f"w{n}", n, held(f"h{n}", n, begun=True), room=9) for n in range(40)])
    sight.waiting = [order(f"o{n}", n % 40) for n in range(orders)]
    return sight.question()


async def test_the_child_answers_dies_and_answers_again() -> None:
    async with local_solver() as (solver, child):
        assert len((await solver.solve(hard(20), seconds=0.2)).given) == 20
        killed = asyncio.create_task(solver.solve(hard(), seconds=5))
        await asyncio.sleep(0.5)
        child.send_signal(signal.SIGKILL)
        with pytest.raises(SolverFailed) as failed:
            await killed
        assert failed.value.cause == "died"
        await answers_again(solver)


async def test_a_child_that_dies_between_two_questions_is_replaced() -> None:
    async with local_solver() as (solver, child):
        child.send_signal(signal.SIGKILL)
        eventually(lambda: is_gone(child.pid))
        await asyncio.sleep(0.5)  # until its pool has noticed
        await answers_again(solver)


async def test_a_child_that_dies_in_the_middle_of_its_answer_is_replaced() -> None:
    async with local_solver() as (solver, _):
        asked = asyncio.create_task(solver.solve(hard(), seconds=5))
        await asyncio.sleep(0.3)
        assert solver._pool is not None
        # What the pool makes of half an answer.
        solver._pool._pool_manager.handle_broken_pool(BrokenProcessPool("Unpicklable object from worker"))
        with pytest.raises(SolverFailed) as failed:
            await asked
        assert failed.value.cause == "died"
        await answers_again(solver)


async def answers_again(solver: LocalSolver) -> None:
    """Fail where the solver does not answer again before long; until then it may only say that it has failed."""
    async with asyncio.timeout(90):
        while True:
            try:
                assert len((await solver.solve(hard(20), seconds=0.2)).given) == 20
                return
            except SolverFailed:
                await asyncio.sleep(0.2)


async def test_a_child_that_hangs_is_killed_at_its_limit() -> None:
    async with local_solver() as (solver, child):
        child.suspend()
        with pytest.raises(SolverFailed) as failed:
            await solver.solve(hard(20), seconds=0.2)
        assert failed.value.cause == "timeout"
        async with asyncio.timeout(60):
            while child.is_running() and child.status() != psutil.STATUS_ZOMBIE:
                await asyncio.sleep(0.05)


async def test_a_solver_that_is_still_starting_says_so_at_once() -> None:
    solver = LocalSolver()
    try:
        with pytest.raises(SolverFailed, match="still starting"):
            await solver.solve(hard(1), seconds=0.2)
    finally:
        await solver.close()


@asynccontextmanager
async def cluster(folder: Path, *, workers: int) -> AsyncIterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """A scheduler and worker processes of Dask on this machine."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}

    def start(program: str, *options: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", f"distributed.cli.{program}", "--scheduler-file", str(known_by), *options]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)

    known_by = folder / "scheduler.json"
    here = ("--host", "127.0.0.1", "--no-dashboard")
    processes = [start("dask_scheduler", *here, "--port", "0", "--no-show")]
    try:
        processes += [start("dask_worker", *here, "--nthreads", "1", "--no-nanny") for _ in range(workers)]
        async with asyncio.timeout(60):
            while not known_by.exists():
                await asyncio.sleep(0.1)
        yield json.loads(known_by.read_text())["address"], processes
    finally:
        for process in processes:
            process.kill()
            process.wait()


async def test_questions_are_answered_on_a_cluster_also_after_one_of_its_workers_died(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    async with cluster(tmp_path, workers=2) as (url, processes):
        solver = DaskSolver(url)

        async def answered() -> Answer:
            async with asyncio.timeout(90):
                while True:
                    try:
                        return await solver.solve(hard(20), seconds=0.2)
                    except SolverFailed:
                        await asyncio.sleep(0.5)

        assert len((await answered()).given) == 20
        processes[1].kill()
        assert len((await answered()).given) == 20
        processes[0].kill()
        with pytest.raises(SolverFailed):
            await solver.solve(hard(20), seconds=0.2)
        await solver.close()
