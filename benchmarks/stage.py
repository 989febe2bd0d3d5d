"""What a benchmark is played on: a PostgreSQL of its own, a city in it, and the engine as a real process.

The server is the embedded one, as `qiangdan serve` starts it (fsync on), in a temporary folder; the folder is where
`TMPDIR` says, so a disk can be chosen. Cities are made by the steps of the product (`crews.add_crew`,
`intake.take_report`), whose statements are gathered and run in bulk: the rows and events are what the steps write.
"""

import asyncio
import itertools
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Collection, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, cast
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import httpx
import msgspec
import uvloop

from crew_client.protocol import Location
from dispatch.access import hash_of
from dispatch.cities import FIRST_CITY, bare_city, ensure_first_city
from dispatch.city import City
from dispatch.config import GrabRateSettings, Settings, to_environment
from dispatch.crews import Crew, add_crew
from dispatch.intake import ReportedPlace, ReportIn, take_report
from dispatch.limits import raise_open_file_limit
from dispatch.policy import GrabPolicy
from dispatch.store.crews import CrewRows, Fix
from dispatch.store.embedded import EmbeddedPostgres
from dispatch.store.migrate import migrate
from dispatch.store.tx import LOG, Tx

T = TypeVar("T")
Connection = Any
HOST = "127.0.0.1"
PORTS = range(8400, 8500)
CITY = FIRST_CITY
ADMIN_TOKEN = "qd_bench_admin"
ROOT = Path(__file__).parents[1]
WEST, SOUTH, STEP = 126.50, 45.60, 0.01
CHUNK = 2_000


def run_async(work: Coroutine[Any, Any, T]) -> T:
    """Run on uvloop, as the engine does."""
    raise_open_file_limit()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


@contextmanager
def postgres() -> Iterator[str]:
    """Give the address of a fresh server of its own."""
    with tempfile.TemporaryDirectory(prefix="qiangdan-bench-") as folder, EmbeddedPostgres(Path(folder)) as server:
        yield server.url


def settings_for(url: str) -> Settings:
    """Return the settings of a benchmark: offers stay open, and nobody grabs too fast."""
    return Settings(
        database_url=url,
        log_level="warning",
        grab=GrabPolicy(mode="first", window_s=0, ring_s=(86_000, 86_000), assign_after_s=86_400),
        grabs=GrabRateSettings(rate_per_s=100_000, burst=1_000_000),
    )


async def another_database(url: str, name: str) -> str:
    """Make another database on the same server, with the schema, and return its address."""
    conn = await asyncpg.connect(url)
    await conn.execute(f'CREATE DATABASE "{name}"')
    await conn.close()
    made = urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
    conn = await asyncpg.connect(made)
    await migrate(conn)
    await conn.close()
    return made


class Gathered:
    """Stands in for a connection while steps run, keeps what they write, and runs it in bulk."""

    def __init__(self) -> None:
        self._calls: defaultdict[str, list[tuple[Any, ...]]] = defaultdict(list)

    async def execute(self, sql: str, *arguments: Any) -> None:
        """Keep a statement for `write`."""
        self._calls[sql].append(arguments)

    async def fetchval(self, sql: str, *arguments: Any) -> bool:
        """Keep a statement that says whether it wrote something: here it always will."""
        await self.execute(sql, *arguments)
        return True

    async def write(self, conn: Connection) -> None:
        """Run what was kept."""
        for sql, arguments in self._calls.items():
            await conn.executemany(sql, arguments)
        self._calls.clear()


class Stage:
    """A city in a fresh database: zones in a grid, crews on shift in the middle of their zones, open orders."""

    def __init__(self, url: str, conn: Connection, city: City) -> None:
        self.url = url
        self.city = city
        self.crews: list[Crew] = []
        self._conn = conn

    @classmethod
    async def build(cls, url: str, *, zones: int, crews: int) -> "Stage":
        """Make zones and, dealt out evenly among them, crews on shift."""
        conn = await asyncpg.connect(url)
        await migrate(conn)
        await ensure_first_city(conn)
        await conn.execute(LOG["insert_token"], hash_of(ADMIN_TOKEN), CITY, "admin", "admin")
        document = msgspec.json.encode(grid(zones)).decode()
        await conn.fetchval(LOG["insert_zone_map"], CITY, document, "bench", await conn.fetchval("SELECT now()"))
        stage = cls(url, conn, bare_city(CITY, settings_for(url)).with_zones(document, 1))
        await stage._add_crews(zones, crews)
        return stage

    async def close(self) -> None:
        """Let the connection go."""
        await self._conn.close()

    async def _add_crews(self, zones: int, crews: int) -> None:
        now = await self._conn.fetchval("SELECT now()")
        gathered = Gathered()
        tx = Tx(cast(Any, gathered), CITY, now)
        for number in range(crews):
            place = middle(number % zones)
            crew = Crew(
                id=f"crew-{number:05d}",
                name=f"crew {number}",
                skills=("heating",),
                home_zone=f"zone-{number % zones:03d}",
                capacity=100_000,
                on_shift=True,
                shift_since=now,
                position=place,
                position_at=now,
            )
            await add_crew(tx, crew, actor="bench")
            await tx.crews.set_shift(crew.id, True, now)
            await gathered.execute(LOG["insert_token"], hash_of(token_of(crew.id)), CITY, "crew", crew.id)
            self.crews.append(crew)
        await self._write(gathered, tx, now)
        fixes = [
            Fix(crew.id, crew.position.lon, crew.position.lat, 10.0, device_at=now, received_at=now)
            for crew in self.crews
            if crew.position
        ]
        await CrewRows(self._conn, CITY).save_fixes(fixes)

    async def open_orders(self, zones: Sequence[int]) -> list[str]:
        """Take one report in each of these zones, its order offered to the zone's crews; return the orders' ids."""
        at_home: defaultdict[str | None, list[Crew]] = defaultdict(list)
        for crew in self.crews:
            at_home[crew.home_zone].append(crew)
        ids = [f"o{number:08d}" for number in itertools.islice(_numbers, len(zones))]
        for start in range(0, len(zones), CHUNK):
            now = await self._conn.fetchval("SELECT now()")
            gathered = Gathered()
            tx = Tx(cast(Any, gathered), CITY, now)
            for zone, order in zip(zones[start : start + CHUNK], ids[start : start + CHUNK], strict=True):
                await self._take(tx, zone, order, at_home[f"zone-{zone:03d}"])
            await self._write(gathered, tx, now)
        await self._conn.execute("ANALYZE")
        return ids

    async def _take(self, tx: Tx, zone: int, order: str, crews: Collection[Crew]) -> None:
        place = middle(zone)
        report = ReportIn(
            channel="bench",
            category="no_heat",
            description="cold since the morning",
            address={"compound": "bench", "unit": order[-4:]},
            location=ReportedPlace(place.lon, place.lat),
            required_skills=("heating",),
        )
        await take_report(tx, report, city=self.city, crews=crews, report_id=f"r{order}", order_id=order, actor="bench")

    async def _write(self, gathered: Gathered, tx: Tx, now: datetime) -> None:
        async with self._conn.transaction():
            await gathered.write(self._conn)
            appended = Tx(self._conn, CITY, now)
            appended.events = tx.events
            await appended.append_events()

    async def count(self, sql: str, *arguments: Any) -> int:
        """Return the number that a query gives."""
        return int(await self._conn.fetchval(sql, *arguments))


_numbers = itertools.count(1)


def token_of(crew_id: str) -> str:
    """Return the token of a crew of the stage."""
    return f"qd_bench_{crew_id}"


def middle(zone: int) -> Location:
    """Return the middle of a zone of the grid."""
    column, line = zone % 25, zone // 25
    return Location(round(WEST + (column + 0.5) * STEP, 7), round(SOUTH + (line + 0.5) * STEP, 7))


def grid(zones: int) -> dict[str, Any]:
    """Return a map of square zones, 25 in a line, as a FeatureCollection."""
    features = []
    for zone in range(zones):
        west, south = WEST + zone % 25 * STEP, SOUTH + zone // 25 * STEP
        east, north = west + STEP, south + STEP
        ring = [(west, south), (east, south), (east, north), (west, north), (west, south)]
        features.append(
            {
                "type": "Feature",
                "properties": {"id": f"zone-{zone:03d}", "name": f"zone {zone}"},
                "geometry": {"type": "Polygon", "coordinates": [[[round(x, 7), round(y, 7)] for x, y in ring]]},
            }
        )
    return {"type": "FeatureCollection", "features": features}


class Served(NamedTuple):
    """A server under measurement: where it listens, and its process."""

    port: int
    process: "subprocess.Popen[bytes]"


@contextmanager
def engine(url: str) -> Iterator[int]:
    """Run `qiangdan engine` as a process, one worker, and give its port when it is ready."""
    with served_engine(url) as served:
        yield served.port


@contextmanager
def served_engine(url: str, *, port: int | None = None) -> Iterator[Served]:
    """Run `qiangdan engine` as a process, one worker, on this port or a free one, and give both when it is ready."""
    port = port or free_port()
    command = ["-m", "dispatch.cli", "--end-with", str(os.getpid()), "engine", "--host", HOST, "--port", str(port)]
    with _process(command, to_environment(settings_for(url))) as process:
        _wait(process, lambda: httpx.get(f"http://{HOST}:{port}/readyz", timeout=5).status_code == 200)
        yield Served(port, process)


@contextmanager
def echo() -> Iterator[int]:
    """Run the peer of the sockets, an echo on a plain Sanic websocket, as a process and give its port."""
    with served_echo() as served:
        yield served.port


@contextmanager
def served_echo() -> Iterator[Served]:
    """Run the peer of the sockets, and give its port and process."""
    port = free_port()
    with _process(["-m", "benchmarks.echo", str(port), str(os.getpid())], {}) as process:
        _wait(process, lambda: httpx.get(f"http://{HOST}:{port}/", timeout=5).status_code == 200)
        yield Served(port, process)


@contextmanager
def _process(arguments: list[str], environment: dict[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    process = subprocess.Popen(
        [sys.executable, *arguments],
        env={**os.environ, **environment, "PYTHONPATH": os.pathsep.join(paths)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(process: "subprocess.Popen[bytes]", ready: Any, *, within_s: float = 60.0) -> None:
    give_up_at = time.monotonic() + within_s
    while True:
        try:
            if ready():
                return
        except httpx.HTTPError:
            pass
        if process.poll() is not None or time.monotonic() > give_up_at:
            raise RuntimeError(f"{process.args!r} did not start")
        time.sleep(0.05)


def free_port() -> int:
    """Return a port that nobody listens on."""
    for port in PORTS:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port
    raise RuntimeError(f"no port of {PORTS} is free")
