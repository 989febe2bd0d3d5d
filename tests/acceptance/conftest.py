"""The product as a stranger meets it: two engines, a planner and a clock-keeper as real processes on one database.

They are started once; each test gets a city of its own in that database, so that tests cannot meet. What differs
between installations is set on the second engine: it waits neither long for a silent phone nor for a slow one, and
shows requests to nobody without a key.
"""

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from dispatch.cities import ensure_first_city
from dispatch.store.migrate import migrate
from tests.acceptance.city import City, Installation
from tests.acceptance.documents import AsyncApi, OpenApi
from tests.conftest import with_database
from tests.town import let_rest

SILENCE_S = 3
"""How long the second engine waits for a silent socket."""

IMPATIENT = {"QIANGDAN_SOCKETS_IDLE_TIMEOUT_S": str(SILENCE_S), "QIANGDAN_SOCKETS_QUEUE": "100"}
"""What is set on the second engine alone: little patience with who is silent, and with who does not read."""

RESERVED = {"QIANGDAN_OPEN311_PUBLIC": "false"}
"""And there: requests are shown to who has a key."""


@pytest.fixture(scope="session")
def installation(pg_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Two engines, a planner and a clock-keeper, each a process, on a fresh database."""
    name = f"qiangdan_acceptance_{os.getpid()}"
    url = with_database(pg_url, name)
    asyncio.run(_make(pg_url, name))
    folder = tmp_path_factory.mktemp("acceptance")
    config = folder / "config.toml"
    config.write_text(CONFIG)
    ports = [_free_port(), _free_port()]
    inherited = {key: text for key, text in os.environ.items() if not key.startswith("QIANGDAN_")}
    inherited["QIANGDAN_PLANNER_WARM_UP_AFTER_S"] = "600"  # loaded with the first question; most tests ask none
    environment = {**inherited, "PYTHONPATH": os.pathsep.join(sys.path), "QIANGDAN_DATABASE_URL": url}
    commands = {
        "engine-1": ["engine", "--port", str(ports[0])],
        "engine-2": ["engine", "--port", str(ports[1])],
        "planner": ["planner"],
        "clocks": ["clocks"],
    }
    running: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for process, command in commands.items():
            own = {**IMPATIENT, **RESERVED} if process == "engine-2" else {}
            with (folder / f"{process}.log").open("wb") as log:
                running[process] = subprocess.Popen(
                    [sys.executable, "-m", "dispatch.cli", *command, "--config", str(config), "--log-format", "json"],
                    env={**environment, **own},
                    stdout=log,
                    stderr=log,
                )
        urls = [f"http://127.0.0.1:{port}" for port in ports]
        for engine in urls:
            _wait_until_ready(engine, folder, running)
        with httpx.Client(base_url=urls[0], trust_env=False, verify=False) as http:
            openapi, asyncapi = http.get("/openapi.json").json(), http.get("/asyncapi.json").json()
        yield Installation(url, urls[0], urls[1], OpenApi(openapi), AsyncApi(asyncapi), folder)
    finally:
        for child in running.values():
            child.terminate()
        for child in running.values():
            child.wait(30)
        asyncio.run(_drop(pg_url, name))


CONFIG = """\
[clocks.severity.5]
hand_down_s = 4
arrival_s = 4.5
resolve_s = 3600
"""


def _wait_until_ready(url: str, folder: Path, running: dict[str, "subprocess.Popen[bytes]"]) -> None:
    give_up_at = time.monotonic() + 60
    while True:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(f"{url}/readyz", timeout=2, trust_env=False, verify=False).is_success:
                return
        for name, child in running.items():
            assert child.poll() is None, (folder / f"{name}.log").read_text()
        assert time.monotonic() < give_up_at, f"{url} is not ready"
        time.sleep(0.05)


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


async def _make(server: str, name: str) -> None:
    connection = await asyncpg.connect(server)
    await connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
    await connection.close()
    connection = await asyncpg.connect(with_database(server, name))
    await migrate(connection)
    await ensure_first_city(connection)
    await connection.close()


async def _drop(server: str, name: str) -> None:
    connection = await asyncpg.connect(server)
    await connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    await connection.close()


MakeCity = Callable[..., Any]


@pytest.fixture
async def make_city(installation: Installation) -> AsyncIterator[MakeCity]:
    """Makes cities with a token for each role; `City` says what else one can do."""
    made: list[str] = []
    async with contextlib.AsyncExitStack() as stack:

        async def make(policy: dict[str, Any] | None = None, *, zones: bool = True) -> City:
            connection = await asyncpg.connect(installation.database_url)
            try:
                city = await City.make(installation, connection, stack)
            finally:
                await connection.close()
            made.append(city.id)
            if zones:
                await city.put_zones(policy)
            return city

        yield make
    await let_rest(installation.database_url, made)


@pytest.fixture
async def city(make_city: MakeCity) -> City:
    """A city of four by two zones under the product's own policy."""
    made: City = await make_city()
    return made


@pytest.fixture
async def quick(make_city: MakeCity) -> City:
    """A city in which the first grab wins, and nothing is assigned while a test looks on."""
    made: City = await make_city({"mode": "first", "assign_after_s": 600, "ring_s": [300, 300]})
    return made


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of data that nobody on the project wrote."""
    folder = Path(os.environ.get("QIANGDAN_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"test data is not at {folder}; set QIANGDAN_TEST_DATA")
    return folder


@pytest.fixture(scope="session")
def naughty_strings(shared_data: Path) -> list[str]:
    """Strings that break software."""
    strings: list[str] = json.loads((shared_data / "suites" / "blns" / "blns.json").read_text("utf-8"))
    return strings
