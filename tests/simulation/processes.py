"""The processes of an installation: engines, clock-keepers and planners, the product's own, on simulated edges.

Each keeper and planner believes that it leads: what a lease would save is not saved here.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any

from dispatch.access import Identity
from dispatch.background import Background
from dispatch.bus import Hint
from dispatch.city import City
from dispatch.clockkeeper import ClockKeeper
from dispatch.engine import Engine
from dispatch.errors import Unavailable
from dispatch.planner import Planner
from dispatch.positions import Positions
from dispatch.solvers import SolverFailed
from optimizer.rolling import Answer, Due, Given, Moved, Question
from tests.simulation.database import CITY, Process, SimulatedDatabase

if TYPE_CHECKING:
    from tests.simulation.world import World


class SimulatedBus:
    """Hints from one engine to the others: late, lost, or there."""

    def __init__(self, world: "World", sender: str) -> None:
        self._world, self._sender = world, sender
        self._on_their_way: set[str] = set()

    def changed(self, city: str) -> None:
        for node in self._world.nodes:
            if node.name != self._sender and node.name not in self._on_their_way and not self._world.hint_is_lost():
                self._on_their_way.add(node.name)
                self._world.later(self._world.delay(), lambda node=node: self._arrive(node, city))  # type: ignore[misc]

    def _arrive(self, node: "Node", city: str) -> None:
        self._on_their_way.discard(node.name)
        if not node.process.dead:
            node._heard(Hint(self._sender, (city,)))

    def took(self, city: str, crew: str, session: str) -> None:
        for node in self._world.nodes:
            if node.name != self._sender and not self._world.hint_is_lost():
                hint = Hint(self._sender, sessions=((city, crew, session),))
                self._world.later(self._world.delay(), lambda node=node, hint=hint: self._take(node, hint))  # type: ignore[misc]

    def placed(self, city: str) -> None:
        for node in self._world.nodes:
            if node.name != self._sender and not self._world.hint_is_lost():
                hint = Hint(self._sender, placed=(city,))
                self._world.later(self._world.delay(), lambda node=node, hint=hint: self._take(node, hint))  # type: ignore[misc]

    def _take(self, node: "Node", hint: Hint) -> None:
        if not node.process.dead:
            node._heard(hint)


class Node(Engine):
    """An engine: everything but its construction, its clock and its tokens is the product's."""

    def __init__(self, world: "World", name: str, skew: timedelta) -> None:
        super().__init__(world.settings, "simulated")
        self.world = world
        self.process = Process(name)
        self.skew = skew
        self.name = name
        self.db = SimulatedDatabase(world.server, self.process, on_commit=self._committed)
        self.bus = SimulatedBus(world, name)  # type: ignore[assignment]
        self.positions = Positions(self.db)

    async def start(self) -> None:
        """Load the city and begin to read."""
        while True:
            try:
                await self.desk(CITY)
                break
            except Unavailable:
                await asyncio.sleep(0.5)
        self._spawn(self._poll(), "poll")
        self._spawn(self._flush(), "flush")
        self._spawn(self.crews.hear_placed(), "placed")

    def now(self) -> datetime:
        """Return the database's time, as well as this machine knows it."""
        return self.world.now() + self.skew

    async def _set_clock(self, conn: Any) -> None:
        pass

    async def identify(self, token: str) -> Identity | None:
        """Take a crew's name for its token."""
        async with self.db.connection():
            return Identity(CITY, "crew", token)


class SimulatedBackground(Background):
    """What a clock-keeper or a planner runs on."""

    def __init__(self, world: "World", name: str) -> None:
        self.world = world
        self.process = Process(name)
        self.settings = world.settings
        self.role = self.name = name
        self.db = SimulatedDatabase(world.server, self.process, on_commit=SimulatedBus(world, name).changed)
        self._left = {}

    async def city(self, city_id: str) -> City:
        """Return the city, whose map stays the same."""
        return self.world.city

    async def work(self, tick: Callable[[Background], Awaitable[int]], due_in: Callable[[], float]) -> None:
        """Tick soon after something is due, until the process dies; look again at least every half second."""
        rng = self.world.rng
        while not self.process.dead:
            await asyncio.sleep(min(max(due_in(), 0.0), 0.5) + rng.uniform(0.01, 0.2))
            if due_in() <= 0 and not self.process.dead:
                try:
                    await tick(self)
                except Unavailable:
                    await asyncio.sleep(0.3)


def _seconds_to(world: "World", moments: Iterable[datetime | None]) -> float:
    moment = min((moment for moment in moments if moment is not None), default=None)
    return 60.0 if moment is None else (moment - world.now()).total_seconds()


def keeper(world: "World", name: str) -> SimulatedBackground:
    """Start a clock-keeper."""
    background = SimulatedBackground(world, name)

    def due_in() -> float:
        rows = world.server.tables.orders.values()
        return _seconds_to(world, (at for row in rows for at in (row.alarm_at, row.offer_due_at, row.assign_at)))

    world.spawn(background.work(ClockKeeper().tick, due_in))
    return background


def planner(world: "World", name: str) -> SimulatedBackground:
    """Start a planner; it looks where offers are due, and when the log has grown by a few events."""
    background = SimulatedBackground(world, name)
    looked_at = 0
    planning = Planner(RashSolver(world))

    async def tick(background: Background) -> int:
        nonlocal looked_at
        looked_at = world.server.tables.last_seq
        return await planning.tick(background)

    def due_in() -> float:
        tables = world.server.tables
        if tables.last_seq - looked_at > 6:
            return 0.0
        return _seconds_to(world, (row.assign_at for row in tables.orders.values()))

    world.spawn(background.work(tick, due_in))
    return background


class RashSolver:
    """Answers late, with any plan that its question allows to name; what is not possible the engine must refuse."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._rng = Random(world.rng.random())

    def start(self) -> None:
        pass

    async def close(self) -> None:
        pass

    async def solve(self, question: Question, *, seconds: float) -> Answer:
        rng = self._rng
        await asyncio.sleep(rng.uniform(0, 3 * seconds) if rng.random() < 0.3 else 0.01)
        if rng.random() < 0.3:
            raise SolverFailed("no answer this time")
        crews = [crew.id for crew in question.idle] + [worker.id for worker in question.workers]
        if not crews:
            return Answer()
        wishes = [order.id for order in question.waiting if rng.random() < 0.8]
        told = [(held.id, worker.id) for worker in question.workers for held in worker.held if held.told]
        routes = {w.id: tuple(Due(h.id, question.now) for h in w.held) for w in question.workers if len(w.held) > 1}
        return Answer(
            given=tuple(Given(order, rng.choice(crews), "by lot") for order in wishes),
            moved=tuple(Moved(order, crew, rng.choice(crews), "by lot") for order, crew in told if rng.random() < 0.4),
            left={order.id: "by lot" for order in question.waiting if order.id not in wishes},
            routes=routes,
        )
