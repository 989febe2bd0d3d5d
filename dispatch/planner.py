"""The planner process: gives out what nobody grabbed in time (step 5), and looks ahead.

Four times a second it looks which offers' time for grabs is over, and which cities' logs have grown. Of a city with
something due, at once, and of one in which something happened, after a short while, it gathers a question
(`questions`), has it answered somewhere else (`solvers`), and does what the answer says: each part in a transaction of
its own, by the cycle and state that the question saw. Where no answer comes, what is due goes to the nearest crew. It
keeps nothing that is missed when it dies: what a city's policy has learned, it learns again.

Beside that it learns the city's forecasts now and then.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime
from time import monotonic
from typing import TYPE_CHECKING

import msgspec
from ulid import ULID

from crew_client.protocol import Location
from dispatch import planning, replans
from dispatch.background import Background
from dispatch.forecaster import Forecaster
from dispatch.logs import configure_logs, logger
from dispatch.metrics import MetricsPort, PlannerMetrics
from dispatch.questions import knows_demand, question_of, settings_of, several
from dispatch.replans import REPLANS, Replan, overtaken, replan_of, with_effect
from dispatch.solvers import Solver, SolverFailed, make_solver
from dispatch.store import TryAgain
from dispatch.store.crews import CREWS
from dispatch.store.orders import ORDERS
from dispatch.store.rows import crew_of, order_of
from dispatch.store.tx import LOG
from optimizer.situation import Reported

if TYPE_CHECKING:
    from dispatch.city import City
    from dispatch.config import Settings
    from dispatch.crews import Crew
    from dispatch.orders import Order
    from dispatch.store import Tx
    from optimizer.dispatching import Dispatcher
    from optimizer.rolling import Answer, Due, Moved, Question

EVERY_S = 0.25
MOST = 100
ADVICE = "more of the expected reports are near from there"
Step = Callable[["Tx"], Awaitable[bool]]
log = logger("planner")


class CityWatch:
    """What the planner remembers of one city between two questions."""

    def __init__(self, seq: int, reported_until: datetime) -> None:
        self.seq = seq
        self.reported_until = reported_until
        self.reported: list[Reported] = []
        self.reports = 0
        self.asked_at = 0.0
        self.touched = False
        self.dispatcher: Dispatcher | None = None
        self.routes: dict[str, tuple[str, ...]] = {}


def split(
    moves: "Sequence[Moved]", in_hand: "Sequence[Order]", city: "City"
) -> "tuple[tuple[Moved, ...], tuple[Moved, ...]]":
    """Return the moves that the machine makes, and those that a zone's policy leaves to people."""
    zones = {order.id: order.zone for order in in_hand}
    asked = {moved.order for moved in moves if city.policy(zones.get(moved.order)).replans == "propose"}
    return tuple(m for m in moves if m.order not in asked), tuple(m for m in moves if m.order in asked)


def without(routes: "Mapping[str, tuple[Due, ...]]", undecided: "Sequence[Moved]") -> "Mapping[str, tuple[Due, ...]]":
    """Return the routes of the crews that no undecided move concerns: theirs would hold what is not theirs."""
    concerned = {crew for moved in undecided for crew in (moved.crew, moved.to)}
    return {crew: stops for crew, stops in routes.items() if crew not in concerned}


class Planner:
    """One tick after the other; `solver` answers its questions."""

    def __init__(self, solver: Solver, metrics: PlannerMetrics | None = None) -> None:
        self._solver = solver
        self._metrics = metrics or PlannerMetrics("planner")
        self._watches: dict[str, CityWatch] = {}

    async def tick(self, background: Background) -> int:
        """Do what is due; return how many orders found a crew, or another one."""
        now: datetime = await background.now()  # type: ignore[assignment]
        async with background.db.connection() as conn:
            due: dict[str, list[str]] = {}
            for row in await conn.fetch(ORDERS["due_assignments"], now, MOST):
                due.setdefault(row["city_id"], []).append(row["order_id"])
            heads = {row["city_id"]: row["last_seq"] for row in await conn.fetch(LOG["heads"])}
        settings = background.settings.planner
        done = 0
        for city_id, head in heads.items():
            watch = self._watches.setdefault(city_id, CityWatch(head, now))
            watch.touched |= head != watch.seq
            watch.seq = head
            rested = monotonic() - watch.asked_at >= settings.debounce_s
            if city_id in due or (watch.touched and rested):
                watch.asked_at, watch.touched = monotonic(), False
                done += await self._plan(background, city_id, watch, due.get(city_id, []), now)
        return done

    async def _plan(
        self, background: Background, city_id: str, watch: CityWatch, due: Sequence[str], now: datetime
    ) -> int:
        """Ask about one city and do what is answered."""
        city = await background.city(city_id)
        settings = background.settings.planner
        async with background.db.connection() as conn:
            crews = [crew_of(row) for row in await conn.fetch(CREWS["find_crews"], city_id, None)]
            in_hand = [order_of(row) for row in await conn.fetch(ORDERS["in_hand"], city_id)]
            found = {row["order_id"]: order_of(row) for row in await conn.fetch(ORDERS["find_orders"], city_id, due)}
            reported = await conn.fetch(ORDERS["reported_since"], city_id, watch.reported_until, 10 * MOST)
            proposed = [replan_of(row) for row in await conn.fetch(REPLANS["replans"], city_id)]
        watch.reported += [Reported(row["lon"], row["lat"], row["severity"]) for row in reported]
        del watch.reported[: -10 * MOST]  # nobody may ask for long: the newest say enough
        watch.reports += len(reported)
        watch.reported_until = reported[-1]["reported_at"] if reported else watch.reported_until
        proposed = await self._still_proposed(background, city_id, proposed, {order.id: order for order in in_hand})
        advising = settings.advise and (watch.reports >= settings.advise_after or knows_demand(city))
        rolling = several(in_hand)
        if not due and not rolling and not advising:
            return 0
        kind = "due" if due else "rolling" if rolling else "advice"
        waiting = [found[order_id] for order_id in due if order_id in found]
        question = question_of(
            city,
            crews,
            waiting,
            in_hand,
            now=now,
            travel=background.settings.travel,
            reported=watch.reported,
            dispatcher=watch.dispatcher,
            settings=settings_of(settings),
        )
        if not question.idle and not question.workers:  # no solver helps whom nobody can go to
            watch.routes.clear()
            await self._propose(background, city, (), proposed, crews, in_hand, now)
            return await self._nearest(background, city, due)
        answer = await self._ask(question, settings.solve_s, city_id=city_id, kind=kind, due=len(due))
        if answer is None:
            watch.touched = True  # asked again before long, also where nothing else happens
            return await self._nearest(background, city, due)
        watch.dispatcher, watch.reported = answer.dispatcher, []
        moves, left_to_people = split(answer.moved, in_hand, city)
        await self._propose(background, city, left_to_people, proposed, crews, in_hand, now)
        answer = msgspec.structs.replace(answer, moved=moves, routes=without(answer.routes, left_to_people))
        versions = {order.id: order.version for order in in_hand}
        return await self._do(background, city, watch, answer, found, versions, advising=advising)

    async def _ask(self, question: "Question", seconds: float, *, city_id: str, kind: str, due: int) -> "Answer | None":
        asked_at = monotonic()
        self._metrics.questions.labels(kind).inc()
        try:
            answer = await self._solver.solve(question, seconds=seconds)
        except SolverFailed as error:
            self._metrics.failures.labels(error.cause).inc()
            log.warning("no plan this time", city=city_id, due=due, error=str(error))
            return None
        took_s = monotonic() - asked_at
        self._metrics.count_answer(city_id, kind, seconds=took_s, travel=answer.travel_pairs)
        return answer

    async def _nearest(self, background: Background, city: "City", due: Collection[str]) -> int:
        """Give what is due to the nearest crews: the plan without a planner."""
        done = 0
        for order_id in due:
            done += await self._try(background, city, "nearest", order_id, _assign(background, city, order_id))
        return done

    async def _try(self, background: Background, city: "City", part: str, key: str, step: Step) -> int:
        """Do one part of a plan and count it; return 1 where it was done, 0 where it was stale or could not be."""
        done = sum(await background.do(city.id, key, step))
        self._metrics.count_part(part, bool(done))
        return done

    async def _do(
        self,
        background: Background,
        city: "City",
        watch: CityWatch,
        answer: "Answer",
        seen: "dict[str, Order]",
        versions: Mapping[str, int],
        *,
        advising: bool,
    ) -> int:
        """Do what an answer says, part by part; what is stale by now is dropped. `versions`: of what crews held."""
        done = 0
        for given in answer.given:
            step = _give(seen[given.order], given.crew, given.why)
            done += await self._try(background, city, "given", given.order, step)
        for moved in answer.moved:
            step = _move(moved, versions.get(moved.order, 0))
            done += await self._try(background, city, "moved", moved.order, step)
        handled = {given.order for given in answer.given}
        for order_id in sorted(seen.keys() - handled):  # nobody can go now, or its place is not known
            step = _assign(background, city, order_id, planned=answer.left.get(order_id))
            done += sum(await background.do(city.id, order_id, step))
        await self._tell_routes(background, city, watch, answer)
        if advising:
            for advice in answer.advice:
                step = _advise(advice.crew, advice.lon, advice.lat)
                await self._try(background, city, "advice", f"advice {advice.crew}", step)
        return done

    async def _still_proposed(
        self, background: Background, city_id: str, proposed: "Sequence[Replan]", in_hand: "Mapping[str, Order]"
    ) -> "list[Replan]":
        """Take back what was proposed and is overtaken; return the others."""
        still = []
        for replan in proposed:
            if overtaken(replan, in_hand.get(replan.order)):
                await background.do(city_id, replan.order, _withdraw(replan))
            else:
                still.append(replan)
        return still

    async def _propose(
        self,
        background: Background,
        city: "City",
        moves: "Sequence[Moved]",
        proposed: "Sequence[Replan]",
        crews: "Sequence[Crew]",
        in_hand: "Sequence[Order]",
        now: datetime,
    ) -> None:
        """Propose what is new among the moves that people decide, and take back what the plan no longer says."""
        known = {replan.order: replan for replan in proposed}
        for moved in moves:
            before = known.pop(moved.order, None)
            if before is None or (before.crew, before.to) != (moved.crew, moved.to):
                bare = Replan(f"p{ULID()}", moved.order, moved.crew, moved.to, moved.why, now)
                step = _put(with_effect(bare, crews, in_hand, city))
                await background.do(city.id, moved.order, step)
        for order_id, replan in known.items():
            if not replan.dismissed:
                await background.do(city.id, order_id, _withdraw(replan))

    async def _tell_routes(self, background: Background, city: "City", watch: CityWatch, answer: "Answer") -> None:
        """Tell crews with several stops their order, where it is another than they were told last."""
        for crew_id, stops in answer.routes.items():
            order = tuple(stop.order for stop in stops)
            if watch.routes.get(crew_id) != order:
                watch.routes[crew_id] = order
                told = [(stop.order, stop.at) for stop in stops]
                await self._try(background, city, "route", f"route {crew_id}", _route(crew_id, told))
        for crew_id in watch.routes.keys() - answer.routes.keys():
            del watch.routes[crew_id]


def _assign(background: Background, city: "City", order_id: str, *, planned: str | None = None) -> Step:
    async def step(tx: "Tx") -> bool:
        # Looked at anew in each attempt: the crew that was picked before may be the one that has no room now.
        return await planning.assign_due(tx, order_id, await background.crews(city.id), city, planned=planned)

    return step


def _give(seen: "Order", crew_id: str, why: str) -> Step:
    async def step(tx: "Tx") -> bool:
        try:
            return await planning.give(tx, seen, crew_id, why=why)
        except TryAgain:
            return False  # the crew is gone, or has no room any more: asked again at the next tick

    return step


def _move(moved: "Moved", version: int) -> Step:
    async def step(tx: "Tx") -> bool:
        return await planning.move(tx, moved.order, moved.crew, moved.to, why=moved.why, version=version)

    return step


def _put(replan: Replan) -> Step:
    async def step(tx: "Tx") -> bool:
        return await replans.propose(tx, replan)

    return step


def _withdraw(replan: Replan) -> Step:
    async def step(tx: "Tx") -> bool:
        await replans.withdraw(tx, replan)
        return True

    return step


def _route(crew_id: str, stops: Sequence[tuple[str, datetime]]) -> Step:
    async def step(tx: "Tx") -> bool:
        planning.route(tx, crew_id, stops)
        return True

    return step


def _advise(crew_id: str, lon: float, lat: float) -> Step:
    async def step(tx: "Tx") -> bool:
        planning.advise(tx, crew_id, Location(lon, lat), why=ADVICE)
        return True

    return step


def run_planner(settings: "Settings") -> int:
    """Plan until SIGTERM."""
    configure_logs(settings.log_level, settings.log_format, process="planner")
    forecaster, solver = Forecaster(), make_solver(settings)
    metrics = PlannerMetrics(str(os.getpid()))
    port = MetricsPort(metrics, settings.planner.metrics_host, settings.planner.metrics_port)
    planner = Planner(solver, metrics)

    async def plan_and_learn(background: Background) -> int:
        port.look()
        forecaster.look(background)
        return await planner.tick(background)

    async def main() -> int:
        # Whoever is due before the solver is ready goes by the nearest crew.
        warming = asyncio.get_running_loop().call_later(settings.planner.warm_up_after_s, solver.start)
        try:
            background = Background(settings, "planner", tally=metrics.count_travel)
            return await background.run(plan_and_learn, every_s=EVERY_S)
        finally:
            warming.cancel()
            port.close()
            await solver.close()

    return asyncio.run(main())
