"""The store in memory is the store: the same random commands on both, every answer, row and event compared."""

import inspect
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from crew_client.protocol import Evidence, Progress
from dispatch import claims, clocks, crews, feedback, grabs, intake, offers, overrides, planning, visits
from dispatch.cities import bare_city
from dispatch.city import City
from dispatch.config import Settings
from dispatch.crews import Crew
from dispatch.errors import DispatchError
from dispatch.intake import ReportedPlace, ReportIn
from dispatch.orders import ACTIONS
from dispatch.overrides import OverrideIn
from dispatch.store import Contended, Tx
from dispatch.store.crews import CrewRows, Fix
from dispatch.store.memory import MemoryCity
from dispatch.store.memory.crews import MemoryCrews
from dispatch.store.memory.orders import MemoryOrders
from dispatch.store.orders import OrderRows
from dispatch.store.rows import order_of
from tests.town import WEST, ZONES, Clock, ClockedDatabase, add_town, centre, zone_map

CREWS = ("c1", "c2", "c3", "c4", "c5")
COMMANDS = 160
Step = Callable[[Tx], Coroutine[Any, Any, Any]]


class Both:
    """One city twice: over SQL and in memory, at the same moments."""

    def __init__(self, db: ClockedDatabase, clock: Clock, city: City) -> None:
        self.db, self.clock, self.city = db, clock, city
        self.memory = MemoryCity(city.id)

    async def run(self, step: Step) -> Any:
        """Run a step on both; the answers, or the errors, are the same."""
        over_sql = await _outcome(lambda: self.db.run(self.city.id, step))
        in_memory = await _outcome(lambda: _now(lambda: self.memory.run(self.clock.now, step)))
        assert _plain(over_sql) == _plain(in_memory)
        return over_sql

    async def compare(self) -> None:
        """Every row and every event is the same."""
        tables = self.memory.tables
        found = {row["order_id"]: row for row in await self._rows("orders")}
        timers = {row["order_id"]: row for row in await self._rows("order_timer")}
        assert set(found) == set(tables.orders)
        for order_id, kept in tables.orders.items():
            row, timer = found[order_id], timers[order_id]
            assert order_of(row) == kept.order
            assert row["description"] == kept.description
            told = (timer["alarm_at"], timer["offer_due_at"], timer["assign_at"])
            assert told == (kept.alarm_at, kept.offer_due_at, kept.assign_at)
        async with self.db.transaction(self.city.id) as tx:
            assert await tx.crews.all() == [crew for _, crew in sorted(tables.crews.items())]
        assert _set(await self._rows("crew_grab"), "crew_id", "message_id", "order_id", "cycle", "eta_s", "reason") == {
            (g.crew, g.message, g.order, g.cycle, g.eta_s, g.reason) for g in tables.grabs.values()
        }
        assert _set(await self._rows("crew_command"), "crew_id", "message_id", "kind", "order_id", "at") == {
            (*key, row["kind"], row["order_id"], row["at"]) for key, row in tables.commands.items()
        }
        assert _set(await self._rows("offer_round"), "order_id", "cycle", "round", "ring", "at", "crews") == {
            (*key, place, grown.ring, grown.at, grown.crews)
            for key, rounds in tables.rounds.items()
            for place, grown in enumerate(rounds)
        }
        assert _set(await self._rows("clock_alarm"), "order_id", "clock", "deadline", "kind", "at") == {
            (*key, at) for key, at in tables.alarms.items()
        }
        assert _set(await self._rows("report"), "report_id", "order_id", "channel", "external_id") == {
            (key, row["order_id"], row["channel"], row["external_id"]) for key, row in tables.reports.items()
        }
        assert _set(await self._rows("order_override"), "override_id", "action", "version", "undone", "before") == {
            (key, row["action"], row["version"], row["undone"], row["before"]) for key, row in tables.overrides.items()
        }
        assert _set(await self._rows("rating"), "order_id", "at", "crew_id", "stars", "resolved", "amends") == {
            (*key, row["crew_id"], row["stars"], row["resolved"], row["amends"]) for key, row in tables.ratings.items()
        }
        events = await self._rows("event", "ORDER BY seq")
        assert [
            _event(*(row[name] for name in ("seq", "kind", "order_id", "crew_id", "actor", "data"))) for row in events
        ] == [_event(e.seq, e.kind, e.order, e.crew, e.actor, bytes(e.data)) for e in tables.events]

    async def _rows(self, table: str, rest: str = "") -> list[Any]:
        async with self.db.connection() as conn:
            return list(await conn.fetch(f"SELECT * FROM {table} WHERE city_id = $1 {rest}", self.city.id))


async def _now(work: Callable[[], Any]) -> Any:
    return work()


async def _outcome(work: Callable[[], Awaitable[Any]]) -> Any:
    try:
        return await work()
    except Contended:
        return "contended"
    except DispatchError as error:
        return type(error).__name__, error.detail


def _plain(value: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(value))


def _set(rows: list[Any], *columns: str) -> set[tuple[Any, ...]]:
    return {tuple(tuple(row[c]) if isinstance(row[c], list) else row[c] for c in columns) for row in rows}


def _event(seq: int, kind: str, order: str | None, crew: str | None, actor: str, data: str | bytes) -> Any:
    told = msgspec.json.decode(data)
    if "bids" in told:
        told["bids"].sort()
    return seq, kind, order, crew, actor, told


@pytest.fixture
async def clocked(database: str) -> AsyncIterator[tuple[ClockedDatabase, Clock]]:
    clock = Clock()
    db = ClockedDatabase(database, clock)
    yield db, clock
    await db.close()


@pytest.mark.parametrize("seed", range(4))
async def test_the_same_commands_leave_the_same_rows_events_and_answers(
    clocked: tuple[ClockedDatabase, Clock], seed: int
) -> None:
    db, clock = clocked
    rng = random.Random(seed)
    await add_town(db.url, "town")
    document = msgspec.json.encode(zone_map(policies={"east": {"mode": "first"}}))
    both = Both(db, clock, bare_city("town", Settings()).with_zones(document, 1))
    script = Script(both, rng)
    for name in CREWS:
        await script.hire(name)
    for _ in range(COMMANDS):
        clock.pass_by(rng.choice((0, 0, 0, 1, 1, 3, 7, 7, 20, 200)))
        await rng.choice(script.commands)()
    await both.compare()
    kinds = {event.kind for event in both.memory.tables.events}
    assert {"order.reported", "order.offered", "order.claimed", "order.resolved"} <= kinds


class Script:
    """The commands, each with its own dice."""

    def __init__(self, both: Both, rng: random.Random) -> None:
        self.both, self.rng, self.city = both, rng, both.city
        self.orders: list[str] = []
        self.messages: list[tuple[str, str, str]] = []
        self.numbers = 0
        often = [
            self.report,
            self.fix,
            self.grab,
            self.grab,
            *[self.progress] * 4,
            self.close_window,
            self.widen,
            self.assign,
        ]
        self.commands = [
            *often,
            *often,
            self.claim,
            self.claim,
            self.shift,
            self.decline,
            self.alarms,
            self.override,
            self.rate,
            self.join,
        ]

    def number(self) -> int:
        self.numbers += 1
        return self.numbers

    def order(self) -> str:
        rows = self.both.memory.tables.orders.values()
        offered = [row.order.id for row in rows if row.order.state == "offered"]
        among = offered if offered and self.rng.random() < 0.7 else self.orders
        return self.rng.choice(among) if among and self.rng.random() < 0.98 else "o-none"

    async def hire(self, name: str) -> None:
        zone = self.rng.choice((*ZONES, None))
        crew = Crew(name, name, self.rng.choice(((), ("gas",))), zone, self.rng.choice((1, 2, 3)))
        await self.both.run(lambda tx: crews.add_crew(tx, crew, actor="user:test"))
        await self.shift(name, on=True)

    def somewhere(self) -> tuple[float, float]:
        lon, lat = centre(self.rng.randrange(3))
        return round(lon + self.rng.uniform(-0.008, 0.008), 6), lat

    async def shift(self, name: str | None = None, *, on: bool | None = None) -> None:
        name = name or self.rng.choice(CREWS)
        on = self.rng.random() < 0.7 if on is None else on
        fix = self.a_fix(name) if self.rng.random() < 0.8 else None
        await self.both.run(lambda tx: crews.set_shift(tx, name, on, fix=fix))

    def a_fix(self, name: str) -> Fix:
        now: datetime = self.both.clock.now + timedelta(seconds=self.rng.choice((0, 0, -30)))
        return Fix(name, *self.somewhere(), 5.0, device_at=now, received_at=now)

    async def fix(self) -> None:
        fixes = [self.a_fix(self.rng.choice(CREWS)) for _ in range(self.rng.randint(1, 3))]
        await self.both.run(lambda tx: tx.crews.save_fixes(fixes))

    async def report(self) -> None:
        lon, lat = self.somewhere()
        body = ReportIn(
            channel="test",
            category=self.rng.choice(("leak", "no_heat")),
            description="cold",
            severity=self.rng.choice((None, 1, 5)),
            location=self.rng.choice(
                (ReportedPlace(lon, lat), ReportedPlace(lon, lat), ReportedPlace(WEST - 1, lat), None)
            ),
            external_id=self.rng.choice((None, "e1", f"e{self.numbers}")),
            required_skills=self.rng.choice(((), (), ("gas",))),
            reported_at=self.rng.choice((None, self.both.clock.now - timedelta(minutes=10))),
        )
        order_id = f"o{self.number():03}"
        self.orders.append(order_id)
        await self.both.run(lambda tx: self._take(tx, body, order_id))

    async def _take(self, tx: Tx, body: ReportIn, order_id: str) -> Any:
        return await intake.take_report(
            tx,
            body,
            city=self.city,
            crews=await tx.crews.all(),
            report_id=f"r-{order_id}",
            order_id=order_id,
            actor="user:test",
        )

    async def grab(self) -> None:
        chosen = self.rng.sample(CREWS, self.rng.randint(1, 4))
        order = self.order()
        asks = [
            grabs.Ask(name, f"m{self.number()}", order if self.rng.random() < 0.8 else self.order()) for name in chosen
        ]
        if self.messages and self.rng.random() < 0.3:
            crew, message, of = self.rng.choice(self.messages)
            asks = [ask for ask in asks if ask.crew != crew] + [grabs.Ask(crew, message, of)]
        self.messages += [(ask.crew, ask.message, ask.order) for ask in asks]
        fresh = self.rng.random() < 0.5
        judged = await self.both.run(lambda tx: self._judge(tx, asks, fresh=fresh))
        for done in grabs.complete(judged.answers):
            await self.both.run(lambda tx, done=done: grabs.close_window(tx, done, city=self.city))  # type: ignore[misc]

    async def _judge(self, tx: Tx, asks: list[grabs.Ask], *, fresh: bool) -> Any:
        known = await tx.crews.known_grabs([(ask.crew, ask.message) for ask in asks])
        return await grabs.judge_batch(tx, asks, self.city, fresh=fresh and not known)

    async def claim(self) -> None:
        """Grab at once what memory shows to be open in mode `first`; now and then memory is wrong."""
        rows = [row.order for row in self.both.memory.tables.orders.values()]
        open_ = [order for order in rows if order.offer is not None and order.offer.mode == "first"]
        order = self.rng.choice(open_ if open_ and self.rng.random() < 0.9 else rows or [None])
        if order is None:
            return
        crew = self.both.memory.tables.crews[self.rng.choice(CREWS)]
        asks = [grabs.Ask(crew.id, f"m{self.number()}", order.id)]
        sights = {order.id: claims.Sight(order.public(), order.cycle, crew)}
        await self.both.run(lambda tx: claims.claim_batch(tx, asks, sights, self.city))

    async def decline(self) -> None:
        crew, message, order = self.rng.choice(CREWS), f"m{self.number()}", self.order()
        await self.both.run(lambda tx: visits.decline(tx, crew, message, order, "busy", city=self.city))

    async def progress(self) -> None:
        held = [row.order for row in self.both.memory.tables.orders.values() if row.order.crew]
        if not held:
            return
        order = self.rng.choice(held)
        crew = order.crew if self.rng.random() < 0.9 else self.rng.choice(CREWS)
        to = self.rng.choice(("en_route", "arrived", "arrived", "resolved", "resolved", "suspended"))
        word = Progress(
            f"m{self.number()}",
            order.id,
            to,  # type: ignore[arg-type]
            self.both.clock.now,
            evidence=self.rng.choice((None, Evidence(temperature_c=20.5))),
            reason=self.rng.choice((None, "resident_absent")) if to == "suspended" else None,
        )
        assert crew is not None
        for _ in range(self.rng.choice((1, 1, 2))):
            await self.both.run(lambda tx: visits.report_progress(tx, crew, word, city=self.city))

    async def close_window(self) -> None:
        order = self.order()
        await self.both.run(lambda tx: grabs.close_window(tx, order))

    async def widen(self) -> None:
        order = self.order()
        await self.both.run(lambda tx: self._widen(tx, order))

    async def _widen(self, tx: Tx, order: str) -> None:
        await offers.widen(tx, order, await tx.crews.all(), self.city)

    async def assign(self) -> None:
        order = self.order()
        await self.both.run(lambda tx: self._assign(tx, order))

    async def _assign(self, tx: Tx, order: str) -> bool:
        return await planning.assign_due(tx, order, await tx.crews.all(), self.city)

    async def alarms(self) -> None:
        await self.both.run(lambda tx: clocks.sound_due(tx, tx.now))

    async def join(self) -> None:
        crew, orders = self.rng.choice(CREWS), sorted({self.order() for _ in range(4)})
        since = max(self.both.memory.tables.last_seq - self.rng.randrange(20), 0)
        await self.both.run(lambda tx: offers.join(tx, crew, orders, self.city, since=since))

    async def override(self) -> None:
        lon, lat = self.somewhere()
        order, action = self.order(), self.rng.choice(list(ACTIONS))
        word = OverrideIn(
            action=action,  # type: ignore[arg-type]
            reason="test",
            crew=self.rng.choice(CREWS),
            severity=self.rng.randint(1, 5),
            location=intake.Place(lon, lat),
            into=self.order(),
            to="another office",
            pause_reason="waiting_part",
            version=self.rng.choice((None, None, 1)),
        )
        name = f"v{self.number()}"
        await self.both.run(lambda tx: self._override(tx, order, word, name))
        if self.rng.random() < 0.3:
            undo = OverrideIn(action="undo", reason="test")
            await self.both.run(lambda tx: self._override(tx, order, undo, f"{name}-undo"))

    async def _override(self, tx: Tx, order: str, word: OverrideIn, name: str) -> Any:
        return await overrides.override(
            tx, order, word, actor="user:test", override_id=name, city=self.city, crews=await tx.crews.all()
        )

    async def rate(self) -> None:
        order = self.order()
        rating = feedback.RatingIn(stars=self.rng.randint(1, 5), resolved=self.rng.random() < 0.5)
        await self.both.run(lambda tx: self._rate(tx, order, rating))

    async def _rate(self, tx: Tx, order: str, rating: feedback.RatingIn) -> Any:
        return await feedback.rate(tx, order, rating, actor="user:test", city=self.city, crews=await tx.crews.all())


@pytest.mark.parametrize(("twin", "of"), [(MemoryOrders, OrderRows), (MemoryCrews, CrewRows)])
def test_every_question_to_the_rows_has_its_answer_in_memory(twin: type, of: type) -> None:
    asked = {name for name, _ in inspect.getmembers(of, inspect.iscoroutinefunction)}
    shared = {"lock_one"}  # asks `lock` and is the same for both
    assert asked - shared == asked & set(vars(twin))
