"""One seed: the city and its people, the faults, the time in which everything must come to rest, and the audit."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from functools import cache
from random import Random
from typing import Any

import msgspec

from dispatch import crews
from dispatch.cities import bare_city
from dispatch.city import City
from dispatch.config import ClockSettings, ClockTargets, PlannerSettings, Settings
from dispatch.crews import Crew
from dispatch.http.session import Session
from dispatch.policy import GrabPolicy
from dispatch.relay import load_mirror
from dispatch.store.crews import Fix
from dispatch.store.memory import MemoryCity
from tests.simulation.actions import perform
from tests.simulation.database import CITY, Server, SimulatedDatabase, SimulatedTx
from tests.simulation.model import HELD, Model
from tests.simulation.office import Office
from tests.simulation.phone import Phone
from tests.simulation.processes import Node, SimulatedBackground, keeper, planner
from tests.simulation.script import BUSY_S, Script
from tests.simulation.substitutes import substituted
from tests.simulation.virtual_time import START, Stuck, VirtualLoop
from tests.town import ZONES, centre, zone_map

REST_S = 12.0
"""How long everything has to come to rest."""
GRACE_S = 1.0
"""How late an alarm may be, with clock-keepers that look ten times a second."""

SETTINGS = Settings(
    clocks=ClockSettings(
        hand_down_s=2,
        arrival_s=4,
        resolve_s=60,
        transfer_s=2,
        call_back_s=60,
        severity={5: ClockTargets(hand_down_s=1, arrival_s=2, resolve_s=3, call_back_s=2)},
    ),
    grab=GrabPolicy(window_s=0.8, tie_s=5, ring_s=(0.7, 2.0), assign_after_s=2.5),
    planner=PlannerSettings(advise=False, debounce_s=0.5, solve_s=0.1),
)


@cache
def the_city() -> City:
    """Return the city of every seed: a sealed zone, one in which the first grab wins, and a hasty sealed one."""
    hasty = {"window_s": 0.4, "leave_to_grabs": "when_safe"}
    policies: dict[str, dict[str, Any]] = {"middle": {"mode": "first"}, "east": hasty}
    return bare_city(CITY, SETTINGS).with_zones(msgspec.json.encode(zone_map(policies=policies)), 1)


class World:
    """Everything of one seed."""

    def __init__(self, script: Script, *, tracing: bool = False) -> None:
        self.script = script
        self.settings = SETTINGS
        self.city = the_city()
        self.loop = VirtualLoop(self.wrong)  # type: ignore[abstract]  # asyncio needs no more of it
        self.rng = Random(f"chance {script.seed}")
        self.violations: list[str] = []
        self.lines: list[tuple[float, tuple[Any, ...]]] | None = [] if tracing else None
        self.model = Model(self.wrong)
        self.server = Server(self.loop, self.rng, self._committed)
        self.office = Office(self)
        self.phones: list[Phone] = []
        self.nodes: list[Node] = []
        self.background: list[SimulatedBackground] = []
        self.numbers = 0
        self._over = False
        self.seen: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._sockets: dict[str, list[Any]] = {}
        self._sessions: list[Session] = []
        self._hints_lost = script.lost_hints

    # What everybody asks

    def now(self) -> datetime:
        """Return the virtual moment."""
        return self.loop.now()

    def number(self) -> int:
        """Return a number that nobody has had."""
        self.numbers += 1
        return self.numbers

    def delay(self) -> float:
        """Return how long a message is on its way, in seconds."""
        return self.rng.expovariate(1 / self.script.slow_s)

    def hint_is_lost(self) -> bool:
        """Return whether a hint gets lost."""
        return self._hints_lost > 0 and self.rng.random() < self._hints_lost

    def later(self, seconds: float, what: Callable[[], None]) -> None:
        """Let something happen after a while."""
        self.loop.call_later(seconds, what)

    def spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        """Let work go on by itself."""
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self.wrong(f"a task died of {task.exception()!r}")

    def wrong(self, what: str) -> None:
        """Note what should not be."""
        if self._over:
            return
        self.violations.append(what)
        self.trace("VIOLATION", what)

    def trace(self, *words: Any) -> None:
        """Note what happened, where somebody reads it."""
        if self.lines is not None and not self._over:
            self.lines.append((self.loop.time(), words))

    def some_node(self) -> Node | None:
        """Return an engine that answers."""
        alive = [node for node in self.nodes if not node.process.dead]
        return self.rng.choice(alive) if alive else None

    def serve(self, node: Node, socket: Any, session: Session) -> None:
        """Let an engine serve a socket, which ends with its handler, or with the engine."""
        self._sockets.setdefault(node.name, []).append(socket)
        self._sessions.append(session)

        async def handle() -> None:
            await session.run(None)
            socket.end()

        self.spawn(handle())

    def somewhere_near(self, crew: str) -> tuple[float, float]:
        """Return a place in the zone of a crew."""
        lon, lat = centre(int(crew[1:]) % 3)
        return round(lon + self.rng.uniform(-0.004, 0.004), 6), lat

    # Processes

    def start_node(self) -> None:
        """Start an engine."""
        skew = timedelta(seconds=self.rng.choice((0.0, 0.0, -0.2, 0.2)))
        node = Node(self, f"engine-{self.number()}", skew)
        self.nodes.append(node)
        self.spawn(node.start())

    def crash(self, node: Node) -> None:
        """Kill an engine between two steps; another starts a little later."""
        self.trace(node.name, "dies")
        self.seen["crashes"] += 1
        node.process.dead = True
        self.nodes.remove(node)
        self.server.abort(node.process)
        for socket in self._sockets.pop(node.name, ()):
            socket.end()
        self.later(self.rng.uniform(0.1, 1.0), self.start_node)

    def replace_background(self, pick: int) -> None:
        """Kill a clock-keeper or planner; another takes over."""
        old = self.background.pop(pick % len(self.background))
        self.trace(old.name, "dies")
        self.seen["crashes"] += 1
        old.process.dead = True
        self.server.abort(old.process)
        begin = keeper if old.name.startswith("keeper") else planner
        name = f"{old.name.partition('-')[0]}-{self.number()}"
        self.later(self.rng.uniform(0.1, 0.8), lambda: self.background.append(begin(self, name)))

    def away(self, seconds: float) -> None:
        """Let the database be gone for a while, and what ran there with it."""
        self.trace("database", "is away for", seconds)
        self.server.away = True
        self.server.abort()

        def back() -> None:
            self.server.away = False

        self.later(seconds, back)

    # The log

    def _committed(self, tx: SimulatedTx) -> None:
        """Show the model what is being committed, and hold the rows to it."""
        self.seen["commits"] += 1
        self.seen["events"] += len(tx.tables.events)
        model, tables = self.model, tx.tables
        for event in tables.events:
            data = msgspec.json.decode(event.data)
            self.trace("log", event.seq, event.kind, event.actor, event.order or event.crew, data)
            model.add(event.seq, event.at, event.kind, event.actor, event.order, event.crew, data)
            if event.actor.startswith("user:d") and "action" in data:
                rows = [row for row in dict.values(tables.own("overrides")) if row["order_id"] == event.order]
                if not any(row["action"] == data["action"] and row["actor"] == event.actor for row in rows):
                    self.wrong(f"{event.kind} of {event.order} was not audited")
        for key, row in dict.items(tables.own("orders")):
            order, known = row.order, model.orders.get(key)
            shown = (order.version, order.state.value, order.crew, order.cycle)
            if known is None or shown != (known["version"], known["state"], known["crew"], model.cycles[key]):
                self.wrong(f"{key} is written as {shown}, the log has {known}")
            if order.state == "offered" and (order.offer is None or row.assign_at is None):
                self.wrong(f"{key} is open, and nobody looks at it again")
        for key, crew in dict.items(tables.own("crews")):
            if crew.load != model.load(key):
                self.wrong(f"{key} is written with {crew.load} orders and holds {model.load(key)}")
        for asked, grab in dict.items(tables.own("grabs")):
            before = tables.committed.grabs.get(asked)
            if before is not None and before.reason not in (None, grab.reason):
                self.wrong(f"the verdict on {asked} was {before.reason} and is {grab.reason}")

    # A seed

    def run(self) -> list[str]:
        """Live through the seed and return what was wrong."""
        with substituted(self.city, self.wrong):
            try:
                self.loop.run(self._live())
            except Stuck:
                self.wrong("nothing is left to happen, and not everybody has his answer")
            self._over = True
            for session in self._sessions:
                while session._commands:
                    session._commands.pop().close()
            self.loop.end()
        return self.violations

    async def _live(self) -> None:
        self._found()
        script, server = self.script, self.server
        server.pause_share, server.lost_answers = script.pause_share, script.lost_answers
        for _ in range(script.nodes):
            self.start_node()
        self.background = [keeper(self, f"keeper-{n}") for n in range(script.keepers)]
        self.background += [planner(self, f"planner-{n}") for n in range(script.planners)]
        for phone in self.phones:
            phone.connect()
        for action in script.actions:
            await asyncio.sleep(max(action.at_s - self.loop.time(), 0))
            if self.violations:
                return
            perform(self, action)
        await asyncio.sleep(max(BUSY_S - self.loop.time(), 0))
        await self._rest()

    def _found(self) -> None:
        """Make the crews, on shift where they are."""
        city = MemoryCity(CITY)
        for number in range(self.script.crews):
            name = f"c{number}"
            crew = Crew(name, name, ("gas",) if number == 1 else (), ZONES[number % 3], 1 + number % 2)
            fix = Fix(name, *self.somewhere_near(name), 5.0, device_at=START, received_at=START)
            city.run(START, lambda tx, crew=crew: crews.add_crew(tx, crew, actor="user:admin"))  # type: ignore[misc]
            city.run(START, lambda tx, name=name, fix=fix: crews.set_shift(tx, name, True, fix=fix))  # type: ignore[misc]
            self.phones.append(Phone(self, name))
        for event in city.tables.events:
            data = msgspec.json.decode(event.data)
            self.model.add(event.seq, event.at, event.kind, event.actor, event.order, event.crew, data)
        for name, table in vars(city.tables).items():
            if not name.startswith("_"):
                setattr(self.server.tables, name, table)

    async def _rest(self) -> None:
        """Mend everything, and wait until nothing is left to be done."""
        self.trace("everything", "is mended")
        self.server.away, self.server.lost_answers, self._hints_lost = False, 0.0, 0.0
        for phone in self.phones:
            phone.gone = False
            if phone.line is not None:
                phone.line.socket.stalled = False
            phone.reconnect()
        until = self.loop.time() + REST_S
        await asyncio.sleep(self.rng.choice((1.0, 1.0, 2.0, 5.0)))  # some clocks run out only then
        while self.loop.time() < until and not self.violations and self._unrest():
            await asyncio.sleep(0.5)
        if not self.violations:
            await self._audit()

    def _unrest(self) -> list[str]:
        """Return what is not at rest yet."""
        tables, model = self.server.tables, self.model
        found = [f"{key} has no answer" for key in sorted(self.office.waiting)]
        for phone in self.phones:
            found += [f"{phone.crew} has no answer to {message}" for message in phone.pending.values()]
            if phone.line is None or not phone.line.complete():
                found.append(f"{phone.crew} was not told everything")
        for key, row in tables.orders.items():
            order = row.order
            if order.state != "offered" or order.offer is None:
                continue
            eligible = [
                crew.id
                for crew in tables.crews.values()
                if crew.on_shift
                and crew.position is not None
                and crew.load < crew.capacity
                and set(order.required_skills) <= set(crew.skills)
                and crew.id not in order.excluded
            ]
            if eligible:
                found.append(f"{key} is open, and {eligible} could have it")
            elif key not in model.stranded:
                found.append(f"{key} is open, nobody can have it, and no dispatcher was told")
        found += [f"the bid {key} has no verdict" for key, grab in tables.grabs.items() if grab.reason is None]
        return found + [f"missed: {alarm}" for alarm in model.missed_alarms(self.now(), GRACE_S)]

    async def _audit(self) -> None:
        """Compare what everybody believes with what is so."""
        for what in self._unrest():
            self.wrong(f"after all was mended: {what}")
        model, tables = self.model, self.server.tables
        for key, order in model.orders.items():
            kept = tables.orders[key].order
            if msgspec.json.decode(msgspec.json.encode(kept.public())) != order:
                self.wrong(f"{key} is kept as {kept}, the log has {order}")
        for node in self.nodes:
            mirror = node.desks[CITY].mirror
            await node.desks[CITY].relay.catch_up()
            database: Any = SimulatedDatabase(self.server, node.process)
            fresh, _ = await load_mirror(database, CITY, self.settings)
            if mirror.seq == fresh.seq and mirror.state() != fresh.state():
                self.wrong(f"{node.name} believes {mirror.state()}, and loaded anew {fresh.state()}")
        for phone in self.phones:
            if phone.seq is None:
                continue
            offers, orders = model.told[phone.crew].at(phone.seq)
            theirs = {
                key: order["version"] for key, order in phone.orders.items() if order["state"] in HELD | {"suspended"}
            }
            if (phone.offers, theirs) != (offers, orders):
                self.wrong(f"{phone.crew} shows {phone.offers} and {theirs}, the log has {offers} and {orders}")
