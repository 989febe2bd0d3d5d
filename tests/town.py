"""A small town for tests of races and faults: three zones in a row, and its people, driven through the steps."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import asyncpg
import msgspec

from dispatch.cities import add_city, load_city
from dispatch.city import City
from dispatch.clocks import alarm_at
from dispatch.config import Settings
from dispatch.crews import Crew, add_crew, set_shift
from dispatch.grab_desk import GrabDesk
from dispatch.grabs import Answer, Ask
from dispatch.intake import ReportedPlace, ReportIn, take_report
from dispatch.orders import WITH_CREW, Order
from dispatch.store import Database, Tx
from dispatch.store.crews import Fix
from dispatch.store.orders import OrderRows
from dispatch.store.rows import order_of
from dispatch.zoning import read_zones, replace_zones

T = TypeVar("T")
WEST, SOUTH, SIDE = 126.60, 45.74, 0.02
ZONES = ("west", "middle", "east")


def centre(zone: int) -> tuple[float, float]:
    """The middle of a zone: longitude, latitude."""
    return round(WEST + (zone + 0.5) * SIDE, 6), round(SOUTH + 0.5 * SIDE, 6)


def zone_map(*, policies: dict[str, dict[str, Any]] | None = None, count: int = 3) -> dict[str, Any]:
    """The first `count` zones as a FeatureCollection, with the policies given by zone."""
    features = []
    for n, name in enumerate(ZONES[:count]):
        west, east = round(WEST + n * SIDE, 6), round(WEST + (n + 1) * SIDE, 6)
        north = round(SOUTH + SIDE, 6)
        properties: dict[str, Any] = {"id": name, "name": name}
        if policies and name in policies:
            properties["policy"] = policies[name]
        ring = [[west, SOUTH], [east, SOUTH], [east, north], [west, north], [west, SOUTH]]
        geometry = {"type": "Polygon", "coordinates": [ring]}
        features.append({"type": "Feature", "properties": properties, "geometry": geometry})
    return {"type": "FeatureCollection", "features": features}


class Clock:
    """A time that passes when a test says so; each transaction has a moment of its own."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC).replace(microsecond=0)

    def tick(self) -> datetime:
        """Return the next moment."""
        self.now += timedelta(milliseconds=1)
        return self.now

    def pass_by(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)


class ClockedDatabase(Database):
    """A database whose transactions happen at the time of a test's clock."""

    def __init__(self, url: str, clock: Clock) -> None:
        super().__init__(url, size=6)
        self._clock = clock

    @asynccontextmanager
    async def transaction(self, city_id: str) -> AsyncIterator[Tx]:
        """Run a block as one transaction, at the clock's next moment."""
        async with super().transaction(city_id) as tx:
            tx.now = self._clock.tick()
            tx.orders = OrderRows(tx.conn, city_id, tx.now)
            yield tx


class Town:
    """One city of a database, driven through the steps."""

    def __init__(self, db: Database, city_id: str, settings: Settings) -> None:
        self.db = db
        self.id = city_id
        self.settings = settings
        self.numbers = 0

    @classmethod
    async def found(
        cls, db: Database, city_id: str, settings: Settings, *, zones: dict[str, Any] | None = None
    ) -> "Town":
        """Make a city with its map."""
        await add_town(db.url, city_id)
        town = cls(db, city_id, settings)
        await town.put_zones(zones or zone_map())
        return town

    async def run(self, step: Callable[[Tx], Awaitable[T]]) -> T:
        """Run a step as one transaction."""
        return await self.db.run(self.id, step)

    async def put_zones(self, document: dict[str, Any]) -> None:
        """Put a map in force."""
        from dispatch.cities import bare_city

        zones, _ = read_zones(msgspec.json.encode(document), bare_city(self.id, self.settings))
        found = zones.feature_collection()
        await self.run(lambda tx: replace_zones(tx, found, zones=len(zones.zones), actor="user:test"))

    async def hire(self, name: str, zone: int, *, capacity: int = 1, skills: tuple[str, ...] = ()) -> str:
        """Make a crew of a zone and return its id."""
        crew = Crew(id=name, name=name.title(), skills=skills, home_zone=ZONES[zone], capacity=capacity)
        await self.run(lambda tx: add_crew(tx, crew, actor="user:test"))
        return name

    async def working(
        self, name: str, zone: int, *, capacity: int = 1, away_m: float = 100.0, skills: tuple[str, ...] = ()
    ) -> str:
        """Make a crew that is on shift, `away_m` metres north of the middle of its zone."""
        await self.hire(name, zone, capacity=capacity, skills=skills)
        lon, lat = centre(zone)
        now = datetime.now(UTC)
        fix = Fix(name, lon, round(lat + away_m / 111_195, 7), 5.0, device_at=now, received_at=now)
        await self.run(lambda tx: set_shift(tx, name, True, fix=fix))
        return name

    async def report(self, zone: int, *, city: City | None = None, **fields: Any) -> str:
        """Report a fault in the middle of a zone, to the city as an engine sees it, and return the order's id."""
        self.numbers += 1
        order_id = f"{self.id}-o{self.numbers:04d}"
        lon, lat = centre(zone)
        report = ReportIn(channel="test", category="no_heat", severity=2, location=ReportedPlace(lon, lat), **fields)
        async with self.db.connection() as conn:
            seen = city or await load_city(conn, self.id, self.settings)

        async def step(tx: Tx) -> None:
            crews = await tx.crews.all()
            await take_report(
                tx, report, city=seen, crews=crews, report_id=f"r-{order_id}", order_id=order_id, actor="user:test"
            )

        await self.run(step)
        return order_id

    async def order(self, order_id: str) -> Order:
        """An order as the database has it."""
        return await self.run(lambda tx: tx.orders.find(order_id))

    async def fetch(self, sql: str, *values: Any) -> list[Any]:
        """Rows of the database; $1 is the city."""
        async with self.db.connection() as conn:
            return list(await conn.fetch(sql, self.id, *values))

    async def audit(self) -> None:
        """Check what must hold of a city at any time, whatever happened to it."""
        seqs = [row["seq"] for row in await self.fetch("SELECT seq FROM event WHERE city_id = $1 ORDER BY seq")]
        assert seqs == list(range(1, len(seqs) + 1)), "the log has a gap"
        [head] = await self.fetch("SELECT last_seq FROM city_log WHERE city_id = $1")
        assert head["last_seq"] == len(seqs), "the log's counter is not at its end"
        held = ", ".join(f"'{state.value}'" for state in WITH_CREW)
        wrong = await self.fetch(
            f"""SELECT c.crew_id, c.load, count(o.order_id) AS held FROM crew AS c
                LEFT JOIN orders AS o ON o.city_id = c.city_id AND o.crew_id = c.crew_id AND o.state IN ({held})
                WHERE c.city_id = $1 GROUP BY c.crew_id, c.load HAVING c.load <> count(o.order_id)"""
        )
        assert not wrong, f"a crew's load is not what it holds: {wrong}"
        odd = await self.fetch(
            f"""SELECT order_id, state, crew_id FROM orders WHERE city_id = $1
                AND (state IN ({held}) <> (crew_id IS NOT NULL AND state IN ({held}))
                     OR state IN ('offered', 'unzoned', 'held', 'transferred', 'merged', 'cancelled')
                        AND crew_id IS NOT NULL)"""
        )
        assert not odd, f"an order is nowhere, or in two places: {odd}"
        for row in await self.fetch(
            "SELECT * FROM orders LEFT JOIN order_timer USING (city_id, order_id) WHERE city_id = $1"
        ):
            order = order_of(row)
            terms = order.offer
            for timer, moment in (
                ("alarm_at", alarm_at(order.clocks)),
                ("offer_due_at", terms.due_at if terms else None),
                ("assign_at", terms.assign_at if terms else None),
            ):
                assert moment is None or row[timer] is not None, f"{timer} of {order.id} will never come"
        stray = await self.fetch(
            """SELECT g.* FROM crew_grab AS g LEFT JOIN orders AS o ON o.city_id = g.city_id AND o.order_id = g.order_id
               AND o.cycle = g.cycle AND o.state = 'offered' WHERE g.city_id = $1 AND g.reason IS NULL
               AND o.order_id IS NULL"""
        )
        assert not stray, f"a bid waits for a window that is over: {stray}"
        twice = await self.fetch(
            """SELECT order_id, cycle, array_agg(DISTINCT crew_id) AS crews FROM crew_grab
               WHERE city_id = $1 AND reason = 'won' GROUP BY order_id, cycle HAVING count(DISTINCT crew_id) > 1"""
        )
        assert not twice, f"two crews won the same cycle: {twice}"
        alarms = await self.fetch(
            """SELECT order_id, data ->> 'clock' AS clock, data ->> 'deadline' AS deadline, kind, count(*) FROM event
               WHERE city_id = $1 AND kind IN ('clock.at_risk', 'clock.breached') GROUP BY 1, 2, 3, 4
               HAVING count(*) > 1"""
        )
        assert not alarms, f"an alarm was told twice: {alarms}"


async def add_town(url: str, city_id: str) -> str:
    """Make a city and return its administrator's token."""
    connection = await asyncpg.connect(url)
    try:
        return await add_city(connection, city_id, city_id)
    finally:
        await connection.close()


async def let_rest(url: str, cities: list[str]) -> None:
    """Stop every timer of cities whose test is over: what it left open would be looked at to the end of the run."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(LET_REST, cities)
    finally:
        await connection.close()


LET_REST = """
WITH left_open AS MATERIALIZED (
    SELECT city_id, order_id FROM orders WHERE city_id = ANY ($1::text[]) FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE order_timer AS t SET alarm_at = NULL, offer_due_at = NULL, assign_at = NULL
FROM left_open WHERE t.city_id = left_open.city_id AND t.order_id = left_open.order_id
"""


async def ask(desk: GrabDesk, crew: str, message: str, order: str) -> Answer:
    """Grab an order at an engine's desk and wait for the verdict."""
    return await desk.ask(Ask(crew, message, order))
