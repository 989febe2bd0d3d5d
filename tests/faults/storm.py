"""One storm: two cities of one installation, their crews and people at work, and everything that they do written down.

A `Storm` is passive: `tests.faults.rounds` lets it work, has faults happen, heals, waits, audits.
"""

import asyncio
import random
from collections import Counter
from contextlib import suppress

import httpx
from msgspec import Struct

from crew_client.errors import CrewClientError
from dispatch.access import issue_token
from dispatch.config import Settings
from dispatch.crews import Crew, add_crew
from dispatch.store import Database
from tests.faults.crews import CityUnderTest, CrewAtWork
from tests.faults.desk import Desk
from tests.faults.history import History, Op, Strange, now
from tests.faults.installation import TOKEN, Installation
from tests.faults.patience import Patience
from tests.faults.people import Console, Dispatcher, Pager, Pryer, Reporter, Resident
from tests.faults.recorder import Recorder
from tests.town import ZONES, Town, add_town, zone_map

READS = frozenset({"pry", "pry override", "grab again"})
"""Operations that change nothing; they are checked, and not counted as acknowledged."""


class Pace(Struct, frozen=True):
    """How one city gives its orders out, and how busy it is: crews, orders open at a time, seconds that people take."""

    mode: str = "first"
    crews: int = 36
    open_orders: int = 18
    consider_s: float = 0.25
    step_s: tuple[float, float] = (0.05, 0.25)
    override_s: float = 0.15
    greed: float = 0.7
    """How likely a crew that has an order grabs another."""


class Storm:
    """The people of an installation and their history."""

    def __init__(self, installation: Installation, history: History, seed: int, *, paces: tuple[Pace, Pace]) -> None:
        self.installation = installation
        self.history = history
        self.rng = random.Random(seed)
        self.paces = paces
        self.counts: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        self.grabbing = self.reporting = True
        self.hasty = 0.0
        self.calm_until = 0.0
        self.cities: list[CityUnderTest] = []
        self.consoles: list[Console] = []
        self.desks: list[Desk] = []
        self.followers: list[tuple[CityUnderTest, Recorder]] = []
        self._http = httpx.AsyncClient(trust_env=False, verify=False, timeout=10)
        self._working: list[asyncio.Task[None]] = []
        self._asking: list[asyncio.Task[None]] = []

    @property
    def url(self) -> str:
        """Where clients reach the installation."""
        return self.installation.url

    @property
    def crews(self) -> list[CrewAtWork]:
        """Every crew of every city."""
        return [crew for city in self.cities for crew in city.crews]

    # The history

    def write_op(self, op: Op) -> None:
        """Write an operation down."""
        self.history.write(op)
        self.count(f"{op.operation} {op.outcome}")
        if op.outcome == "ok" and op.operation not in READS:
            self.acknowledged(op.operation)

    def acknowledged(self, operation: str) -> None:
        """Count an operation that had its answer."""
        self.answered[operation] += 1

    def strange(self, city: str, client: str, what: str) -> None:
        """Write down what should never be seen."""
        self.history.write(Strange(city, client, now(), what))

    def count(self, what: str) -> None:
        """Count something for the figures."""
        self.counts[what] += 1

    # Life

    async def settle_in(self) -> None:
        """Make the cities with their maps and crews: `default`, and one that must never show in it."""
        db = Database(self.installation.database_url, size=2)
        try:
            tokens = {"default": TOKEN, "other": await add_town(db.url, "other")}
            words = ("平房区暴风甲", "道里区暴风乙")
            for place, (city_id, token) in enumerate(tokens.items()):
                city = CityUnderTest(city_id, token, self.paces[place], word=words[place], foreign=words[1 - place])
                await self._hire(Town(db, city_id, Settings()), city)
                self.cities.append(city)
        finally:
            await db.close()

    async def _hire(self, town: Town, city: CityUnderTest) -> None:
        await town.put_zones(zone_map(policies={zone: {"mode": city.pace.mode} for zone in ZONES}))
        hired = [
            Crew(id=f"{city.id}-crew-{n:03}", name=f"班组{n}", home_zone=ZONES[n % 3], capacity=1 + n % 2, skills=())
            for n in range(city.pace.crews)
        ]
        async with town.db.transaction(city.id) as tx:
            for crew in hired:
                await add_crew(tx, crew, actor="user:storm")
            tokens = [await issue_token(tx.conn, city.id, role="crew", subject=crew.id) for crew in hired]
        for n, (crew, token) in enumerate(zip(hired, tokens, strict=True)):
            city.crews.append(CrewAtWork(self, city, crew.id, token, n % 3))

    def begin(self) -> None:
        """Let everybody work."""
        for place, city in enumerate(self.cities):
            self.consoles.append(Console(self, city))
            pager, pryer = Pager(self, city, "pager"), Pryer(self, city, "pryer")
            pryer.victim = self.cities[1 - place]
            asking: list[Desk] = [
                Reporter(self, city, "reporter"),
                Dispatcher(self, city, "dispatcher"),
                Resident(self, city, "resident"),
                pryer,
            ]
            self.desks += [pager, *asking]
            self._working += [asyncio.create_task(self.consoles[-1].run()), asyncio.create_task(pager.run())]
            self._asking += [asyncio.create_task(person.run()) for person in asking]  # type: ignore[attr-defined]
            for crew in city.crews:
                self.followers.append((city, crew.recorder))
                self._working.append(asyncio.create_task(crew.run()))

    async def hush(self) -> None:
        """Let nobody begin anything new; returns when those over REST have their answers."""
        self.reporting = self.grabbing = False
        await asyncio.gather(*self._asking)

    async def end(self) -> None:
        """Let everybody go; what one failed with is raised."""
        self.reporting = self.grabbing = False
        tasks = [*self._asking, *self._working]
        for task in tasks:
            task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        for http in [self._http, *(desk.http for desk in self.desks)]:
            await http.aclose()
        for outcome in outcomes:
            if isinstance(outcome, Exception) and not isinstance(outcome, CrewClientError):
                raise outcome

    # How it stands

    def pending(self) -> dict[str, float]:
        """Return what was asked and has no answer, with the moment of the asking."""
        waiting: dict[str, float] = {}
        for crew in self.crews:
            waiting |= crew.pending
        for desk in self.desks:
            waiting |= desk.pending
        return waiting

    def offline(self) -> list[str]:
        """Return who is not connected."""
        return [f"{crew.crew} ({crew.trouble})" for crew in self.crews if crew.client.state != "online"] + [
            console.recorder.client for console in self.consoles if not console.online
        ]

    async def is_ready(self) -> bool:
        """Return whether some engine says that it is ready."""
        with suppress(httpx.HTTPError):
            return (await self._http.get(f"{self.installation.serving.url}/readyz")).status_code == 200
        return False

    async def online(self, *, within_s: float) -> None:
        """Wait until everybody is connected."""
        patience = Patience(self.installation.workers)
        while missing := self.offline():
            assert not patience.over(within_s), f"{len(missing)} are not connected: {missing[:3]}"
            await asyncio.sleep(0.1)
