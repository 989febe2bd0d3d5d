"""`snapshot + events = fresh snapshot`, for engines and for phones, whatever is done in whatever order.

Random lists of actions on a real database, time passed in. After each of them the engine's mirror must equal one that
is loaded anew, and the city's books must be in order; at the end each phone, which came and went and resumed, must
show what a phone that sees all for the first time shows.
"""

import asyncio
import itertools
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import UNSET

from crew_client.protocol import Decline, Evidence, Grab, GrabResult, Position, Progress, Shift, decode_to_crew, encode
from crew_client.session import Session
from dispatch import crew_commands
from dispatch.access import Identity
from dispatch.background import Background
from dispatch.clockkeeper import ClockKeeper
from dispatch.config import Settings
from dispatch.crews import CrewChange, change_crew
from dispatch.engine import Engine
from dispatch.errors import DispatchError
from dispatch.feedback import RatingIn, rate
from dispatch.http.crew_socket import CrewSession
from dispatch.http.session import Watch
from dispatch.http.sla import SLA
from dispatch.hub import welcome
from dispatch.intake import ContactIn, Place, ReportedPlace, ReportIn, take_report
from dispatch.mirror import Mirror
from dispatch.orders import ACTIONS
from dispatch.overrides import Action, OverrideIn, override
from dispatch.policy import GrabPolicy
from dispatch.relay import load_mirror
from dispatch.store.orders import ORDERS
from dispatch.zoning import rezone
from tests.solvers import plan
from tests.town import Clock, ClockedDatabase, Town, centre, zone_map

CREWS = 6
EXAMPLES = int(os.environ.get("QIANGDAN_TEST_EXAMPLES", "10"))
OVERRIDES: tuple[Action, ...] = (
    "assign",
    "revoke",
    "hold",
    "release",
    "offer",
    "reprioritize",
    "move",
    "merge",
    "unmerge",
    "transfer",
    "cancel",
    "pause",
    "resume",
    "confirm_arrival",
    "close",
    "undo",
)
NEXT = {"claimed": "en_route", "en_route": "arrived", "arrived": "resolved", "suspended": "en_route"}
PROGRESS = ("en_route", "arrived", "resolved", "suspended")
POLICIES: tuple[dict[str, Any], ...] = (
    {"west": {"mode": "first"}, "east": {"window_s": 4}},
    {"west": {"window_s": 9}, "middle": {"mode": "first", "assign_after_s": 20}},
    {"east": {"mode": "first", "ring_s": [5, 5]}, "west": {"ring_s": 3, "assign_after_s": 5}},
)
TIMES = (0.5, 2, 5, 6.5, 11, 16, 31, 61, 300, 700)

_numbers = itertools.count(1)


class Phone:
    """A crew's phone: the SDK's session at one end, the server's at the other, no network in between."""

    def __init__(self, world: "World", crew: str) -> None:
        self.world = world
        self.crew = crew
        self.session = Session()
        self.server: CrewSession | None = None
        self.verdicts: dict[str, str] = {}
        self.last_grab: Grab | None = None
        self.numbers = itertools.count(1)

    def new_id(self) -> str:
        return f"{self.crew}-{next(self.numbers)}"

    async def connect(self) -> None:
        """Open a socket, or another one, and resume."""
        engine = self.world.engine
        server = CrewSession(engine, SimpleNamespace(io_proto=None), Watch(60))
        server.line = Cable(self, server)  # type: ignore[assignment]
        server.identity = Identity(self.world.town.id, "crew", self.crew)
        self.server = server
        await server.hear(encode(self.session.hello()))

    def drop(self) -> None:
        """Lose the connection."""
        if self.server is not None:
            self.server.line.closing = True  # type: ignore[misc]
            self.server.left()
            self.server = None
        self.session.lost()

    def take(self, frame: str) -> None:
        """Take a frame in; a verdict must never change."""
        message = decode_to_crew(frame)
        if isinstance(message, GrabResult):
            assert message.won == (message.reason == "won")
            known = self.verdicts.setdefault(message.id, message.reason)
            assert known == message.reason, f"{self.crew} was told {known}, then {message.reason} for {message.id}"
        self.session.receive(message, now=self.world.clock.now)

    async def say_what_is_due(self) -> bool:
        """Send what the session has to send; return whether there was anything."""
        server, said = self.server, False
        for message in self.session.outgoing():
            said = True
            if server is not None and not server.line.closing:
                await server.hear(encode(message))
        return said


class Cable:
    """The server's sending half, straight into the phone."""

    def __init__(self, phone: Phone, server: CrewSession) -> None:
        self._phone = phone
        self._server = server
        self.closing = False
        self._closing = None

    def send(self, frame: str) -> None:
        if not self.closing and self._phone.server is self._server:
            self._phone.take(frame)

    def close(self, code: int, reason: str) -> None:
        self.closing = True


class World:
    """The town, its engine, its background processes and its phones, and everything that can happen to them."""

    def __init__(self, town: Town, clock: Clock) -> None:
        self.town = town
        self.clock = clock
        self.engine = self._new_engine()
        self.background = Background(town.settings, "test")
        self.background.db = town.db
        self.background.now = self._now  # type: ignore[method-assign]
        self.keeper = ClockKeeper()
        self.phones = [Phone(self, f"crew{n}") for n in range(CREWS)]
        self.orders: list[str] = []

    async def _now(self) -> object:
        return self.clock.now

    def _new_engine(self) -> Engine:
        engine = Engine(self.town.settings, self.town.db.url)
        engine.db = self.town.db
        engine.positions._db = self.town.db
        engine.now = lambda: self.clock.now  # type: ignore[method-assign]
        return engine

    @classmethod
    async def make(cls, url: str) -> "World":
        clock = Clock()
        config = Settings(database_url=url, grab=GrabPolicy(window_s=6, ring_s=(15, 30), assign_after_s=60))
        db = ClockedDatabase(url, clock)
        town = await Town.found(db, f"city{next(_numbers)}", config, zones=zone_map(policies=POLICIES[0]))
        world = cls(town, clock)
        for n, phone in enumerate(world.phones):
            await town.hire(phone.crew, n % 3, capacity=1 + n % 2, skills=("pipework",) if n % 2 else ())
            await phone.connect()
            phone.session.put_shift(Shift(on=True))
            world._locate(phone, n % 3, n)
        await world.settle()
        return world

    async def close(self) -> None:
        for phone in self.phones:
            phone.drop()
        await self._stop_engine()
        await self.town.db.close()

    async def _stop_engine(self) -> None:
        tasks = [task for desk in self.engine.desks.values() for task in desk.tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def mirror(self) -> Mirror:
        return self.engine.desks[self.town.id].mirror

    async def settle(self) -> None:
        """Let everything that was set off come to its end."""
        while True:
            busy = [phone.server._working for phone in self.phones if phone.server and phone.server._working]
            busy += list(self.engine._commands)
            if busy:
                await asyncio.wait(busy, timeout=10)
                continue
            for desk in self.engine.desks.values():
                await asyncio.wait_for(desk.grabs.settled(), 10)
                await desk.relay.catch_up()
            await asyncio.sleep(0)
            said = [await phone.say_what_is_due() for phone in self.phones]
            if not any(said) and not self.engine._commands and await self._told_everything():
                return

    async def _told_everything(self) -> bool:
        """Whether the mirror is at the log's end: a command may have begun and ended while we looked elsewhere."""
        async with self.town.db.connection() as conn:
            head = await conn.fetchval("SELECT last_seq FROM city_log WHERE city_id = $1", self.town.id)
        return bool(head == self.mirror.seq) and not self.engine._commands

    # What can happen.

    async def do(self, kind: str, a: int, b: int) -> None:
        action: Callable[[int, int], Awaitable[None]] = getattr(self, f"do_{kind}")
        with suppress(DispatchError):
            await action(a, b)

    def _locate(self, phone: Phone, zone: int, spread: int) -> None:
        lon, lat = centre(zone)
        where = Position(lon=lon, lat=round(lat + spread * 0.0007, 6), accuracy_m=5.0, at=self.clock.now)
        phone.session.put_position(where)

    def _order(self, n: int) -> str | None:
        return self.orders[n % len(self.orders)] if self.orders else None

    def _who(self, a: int, has: Callable[[Phone], Any]) -> Phone:
        able = [phone for phone in self.phones if phone.server and has(phone)]
        return able[a % len(able)] if able else self.phones[a % CREWS]

    async def do_report(self, a: int, b: int) -> None:
        lon, lat = centre(a % 4)
        place = None if a % 11 == 0 else ReportedPlace(lon, round(lat + b * 0.00005, 6))
        report = ReportIn(
            channel="test",
            category="no_heat",
            severity=1 + b % 5,
            description="卧室不热",
            contact=ContactIn(name="王", phone="1"),
            location=place,
            required_skills=("pipework",) if b % 3 == 0 else (),
        )
        order_id = f"o{len(self.orders):03d}"

        await self.engine.run(
            self.town.id,
            lambda tx: take_report(
                tx,
                report,
                city=self.mirror.city,
                crews=self.mirror.crews.values(),
                report_id=f"r{order_id}",
                order_id=order_id,
                actor="user:intake",
            ),
        )
        self.orders.append(order_id)

    async def do_time(self, a: int, b: int) -> None:
        self.clock.pass_by(TIMES[a % len(TIMES)])
        if b % 3:
            await self.do_due(a, b)

    async def do_due(self, a: int, b: int) -> None:
        await self.keeper.tick(self.background)
        if b % 2:
            await plan(self.background)

    async def do_shift(self, a: int, b: int) -> None:
        self.phones[a % CREWS].session.put_shift(Shift(on=bool(b % 3)))

    async def do_locate(self, a: int, b: int) -> None:
        self._locate(self.phones[a % CREWS], b % 3, b)

    async def do_grab(self, a: int, b: int) -> None:
        phone, order = self.phones[a % CREWS], self._order(b)
        if b % 8:
            phone = self._who(a, lambda each: each.session.mirror.offers)
        offered = list(phone.session.mirror.offers)
        if b % 8 and offered:
            order = offered[b % len(offered)]
        if order is not None:
            phone.last_grab = Grab(id=phone.new_id(), order=order)
            phone.session.ask(phone.last_grab)

    async def do_grab_again(self, a: int, b: int) -> None:
        phone = self.phones[a % CREWS]
        if phone.last_grab is not None:
            phone.session.ask(phone.last_grab)

    async def do_decline(self, a: int, b: int) -> None:
        phone = self.phones[a % CREWS]
        offered = list(phone.session.mirror.offers)
        order = offered[b % len(offered)] if offered else self._order(b)
        if order is not None:
            phone.session.ask(Decline(id=phone.new_id(), order=order))

    async def do_progress(self, a: int, b: int) -> None:
        phone = self._who(a, lambda each: each.session.mirror.orders)
        held = list(phone.session.mirror.orders)
        order = held[b % len(held)] if held else self._order(b)
        if order is not None:
            reason = "waiting_part" if b % 2 else None
            to: Any = PROGRESS[b % 4]
            if order in held and b > 30:
                to = NEXT[phone.session.mirror.orders[order].state]
            word = Progress(id=phone.new_id(), order=order, to=to, at=self.clock.now)
            if to == "suspended":
                found = Evidence(note="DN20") if b % 3 else None
                word = msgspec.structs.replace(word, reason=reason, evidence=found)
            phone.session.ask(word)

    async def do_override(self, a: int, b: int) -> None:
        order, action = self._order(b), OVERRIDES[a % len(OVERRIDES)]
        if order is None:
            return
        if a > 30:  # mostly something that the order's state allows
            state = (await self.town.order(order)).state
            able = [each for each in OVERRIDES if state in ACTIONS[each] and each not in ("cancel", "merge")]
            action = able[a % len(able)]
        lon, lat = centre(b % 4)
        word = OverrideIn(
            action=action,
            reason="test",
            crew=f"crew{b % CREWS}" if action == "assign" else None,
            severity=1 + b % 5 if action == "reprioritize" else None,
            location=Place(lon, lat) if action == "move" else None,
            into=self._order(b + 1 + a % 3) if action == "merge" else None,
            to="water" if action == "transfer" else None,
            pause_reason="waiting_utility" if action == "pause" else None,
        )
        await self.engine.run(
            self.town.id,
            lambda tx: override(
                tx,
                order,
                word,
                actor="user:dispatcher",
                override_id=f"v{next(_numbers)}",
                city=self.mirror.city,
                crews=self.mirror.crews.values(),
            ),
        )

    async def do_rate(self, a: int, b: int) -> None:
        order = self._order(b)
        if order is not None:
            rating = RatingIn(stars=1 + a % 5, resolved=bool(a % 2))
            await self.engine.run(
                self.town.id,
                lambda tx: rate(
                    tx,
                    order,
                    rating,
                    actor="user:intake",
                    city=self.mirror.city,
                    crews=self.mirror.crews.values(),
                ),
            )

    async def do_zones(self, a: int, b: int) -> None:
        await self.town.put_zones(zone_map(policies=POLICIES[a % 3], count=2 + b % 2))
        await self.settle()
        for order in self.orders:
            await self.engine.run(
                self.town.id,
                lambda tx, key=order: rezone(tx, key, self.mirror.city, self.mirror.crews.values()),  # type: ignore[misc]
            )

    async def do_crew(self, a: int, b: int) -> None:
        zones = self.mirror.city.zones
        change = CrewChange(
            name=f"班组 {b}" if a % 2 else UNSET,
            skills=("pipework",)[: b % 2],
            home_zone=None if a % 9 == 0 else UNSET,
            capacity=1 + b % 4,
            zones_lent=zones.ids[: b % 3] if zones else (),
        )
        crew = f"crew{a % CREWS}"
        await self.engine.run(
            self.town.id,
            lambda tx: change_crew(tx, crew, change, zones=zones.ids if zones else (), actor="user:dispatcher"),
        )

    async def do_drop(self, a: int, b: int) -> None:
        self.phones[a % CREWS].drop()

    async def do_connect(self, a: int, b: int) -> None:
        phone = self.phones[a % CREWS]
        if phone.server is not None and b % 2:
            phone.drop()
        await phone.connect()

    async def do_restart(self, a: int, b: int) -> None:
        """The engine dies and another takes its place; some phones are back at once, the others later."""
        if a % 3:
            return
        for phone in self.phones:
            phone.drop()
        await self._stop_engine()
        self.engine = self._new_engine()
        await self.engine.desk(self.town.id)
        for n, phone in enumerate(self.phones):
            if (b >> n) % 2:
                await phone.connect()

    # What must hold.

    async def check(self) -> None:
        fresh, _ = await load_mirror(self.town.db, self.town.id, self.town.settings)
        assert self.mirror.seq == fresh.seq
        ours, theirs = described(self.mirror), described(fresh)
        for part in ours:
            assert ours[part] == theirs[part], f"{part} differs from a fresh mirror's"
        await self.town.audit()

    async def check_lists(self) -> None:
        """The short ways to clocks, and to the orders of a crew, show what the long ones show."""
        met = [
            {(row["order_id"], row["clock"], row["due_at"]) for row in await self.town.fetch(SLA[name], *asked, 500)}
            for name, asked in (("clocks", ("met", None, None, None)), ("met_clocks", (None, None, None)))
        ]
        assert met[0] == met[1], "clocks that were met"
        for crew in (phone.crew for phone in self.phones):
            asked = (None, None, crew, None, 500)
            whole, short = [await self.town.fetch(ORDERS[f"list_orders{of}"], *asked) for of in ("", "_of_crew")]
            assert whole == short, f"orders of {crew}"
        for state in ("running", "at_risk", "breached", "paused"):
            whole, short = [
                await self.town.fetch(SLA[name], state, None, None, None, 500) for name in ("clocks", "unmet_clocks")
            ]
            shown = [[(row["order_id"], row["clock"], row["due_at"]) for row in rows] for rows in (whole, short)]
            assert shown[0] == shown[1], f"clocks in state {state}"

    async def check_phones(self) -> None:
        for phone in self.phones:
            if phone.server is None:
                await phone.connect()
        await self.settle()
        await self.check()
        for phone in self.phones:
            newcomer = Session()
            frame = welcome(self.mirror, phone.crew, server_time=self.clock.now, seq=self.mirror.seq, resumed=False)
            newcomer.receive(decode_to_crew(frame), now=self.clock.now)
            seen, true = shown(phone.session), shown(newcomer)
            declined = set(phone.session.mirror._declined)
            true["offers"] = {key: offer for key, offer in true["offers"].items() if key not in declined}
            for part in seen:
                assert seen[part] == true[part], f"{phone.crew} shows other {part} than a fresh phone"
            assert not [owed for owed in phone.session.owed if not isinstance(owed, Grab)], "a command has no verdict"


def described(mirror: Mirror) -> dict[str, Any]:
    """Everything about a mirror that must not depend on how it came about."""
    return {
        **mirror.state(),
        "open_to": {crew: orders for crew, orders in mirror.open_to.items() if orders},
        "terms": {
            key: (live.mode, live.window_s) for key, live in mirror.orders.items() if live.order.state == "offered"
        },
        "particulars": {key: (live.description, live.contact) for key, live in mirror.orders.items()},
        "names": {key: crew.name for key, crew in mirror.crews.items()},
        "zones": mirror.city.zones.version if mirror.city.zones else None,
    }


def shown(session: Session) -> dict[str, Any]:
    """What a phone shows its crew; when a window closes is told anew with each bid, so it may be older."""
    offers = {
        key: (offer.order, offer.mode, offer.eta_s, offer.distance_m) for key, offer in session.mirror.offers.items()
    }
    return {"orders": dict(session.mirror.orders), "offers": offers}


KINDS = (
    *("report",) * 6,
    *("grab",) * 9,
    *("time",) * 5,
    *("override",) * 6,
    *("progress",) * 9,
    *("due",) * 2,
    *("decline",) * 2,
    *("rate",) * 2,
    *("crew",) * 2,
    *("shift", "locate", "grab_again", "zones", "drop", "drop", "connect", "connect", "restart"),
)
LISTS = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 99), st.integers(0, 99)), min_size=40, max_size=90)


@pytest.fixture(autouse=True)
def _no_second_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing happens by itself a moment later: time is passed in."""
    monkeypatch.setattr(crew_commands, "SECOND_LOOK_S", 1e6)


@pytest.mark.timeout(400)
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize="QIANGDAN_TEST_EXAMPLES" not in os.environ,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
@given(actions=LISTS)
async def test_mirrors_and_phones_that_follow_equal_fresh_ones(
    database: str, actions: list[tuple[str, int, int]]
) -> None:
    world = await World.make(database)
    try:
        for kind, a, b in actions:
            await world.do(kind, a, b)
            await world.settle()
            await world.check()
        await world.check_lists()
        await world.check_phones()
    finally:
        await world.close()
