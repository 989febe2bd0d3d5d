"""One engine that everything is thrown at: a real process on a real database, watched until the last test is done.

Whatever the tests of a session sent, at its end the process must be the one that was started, must have logged no
failure, and must hold no more descriptors than before.
"""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import asyncpg
import httpx
import pytest

from benchmarks.data import data_folder
from dispatch.access import issue_token
from dispatch.cities import add_city, ensure_first_city
from dispatch.replans import REPLANS
from dispatch.store.migrate import migrate
from tests.acceptance.city import centre, usual_map
from tests.acceptance.documents import AsyncApi
from tests.conftest import with_database
from tests.fuzz.engine import ROLES, Fuzzed, free_port, minutes
from tests.processes import eventually

CREWS = 12
"""Those that speak over sockets. Paths name others: a request may sign out whom it names."""

SPARE_DESCRIPTORS = 8
"""Connections of the pool that were not open yet."""

MOST_GROWTH_MIB = 64
"""In a short run, which adds some hundred crews, users and reports to the city; far more than they take."""


@pytest.fixture(scope="session")
def fuzzed(pg_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fuzzed]:
    """An engine with a city in it: zones, crews, users, orders in several states."""
    name = f"qiangdan_fuzz_{os.getpid()}"
    url = with_database(pg_url, name)
    tokens = asyncio.run(_make(pg_url, name))
    port = free_port()
    log = tmp_path_factory.mktemp("fuzz") / "engine.log"
    inherited = {key: text for key, text in os.environ.items() if not key.startswith("QIANGDAN_")}
    environment = {**inherited, "PYTHONPATH": os.pathsep.join(sys.path), "QIANGDAN_DATABASE_URL": url}
    command = [sys.executable, "-m", "dispatch.cli", "engine", "--port", str(port), "--log-format", "json"]
    with log.open("wb") as out:
        process = subprocess.Popen(command, env=environment, stdout=out, stderr=out)
    engine = Fuzzed(url=f"http://127.0.0.1:{port}", pid=process.pid, log=log, tokens=tokens)
    try:
        eventually(lambda: engine.is_ready() or process.poll() is not None, within_s=60)
        assert process.poll() is None, log.read_text()
        _people(engine)
        asyncio.run(_propose(url, engine))
        before = engine.footprint()
        yield engine
        assert process.poll() is None, f"the engine has died:\n{log.read_text()[-4000:]}"
        assert not (failures := engine.failures()), failures[:3]
        eventually(lambda: engine.footprint().descriptors <= before.descriptors + SPARE_DESCRIPTORS)
        after = engine.footprint()
        print(f"\nthe engine: before {before}, after {after}", file=sys.stderr)
        assert minutes() or after.mib <= before.mib + MOST_GROWTH_MIB, f"{before} grew to {after}"
    finally:
        process.terminate()
        process.wait(30)
        asyncio.run(_drop(pg_url, name))


async def _make(server: str, name: str) -> dict[str, str]:
    connection = await asyncpg.connect(server)
    await connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
    await connection.close()
    connection = await asyncpg.connect(with_database(server, name))
    try:
        await migrate(connection)
        await ensure_first_city(connection)
        tokens = {"admin": await add_city(connection, "fuzz", "城")}
        for role in ROLES[1:-1]:
            tokens[role] = await issue_token(connection, "fuzz", role=role, subject=f"u-{role}")  # type: ignore[arg-type]
    finally:
        await connection.close()
    return tokens


async def _drop(server: str, name: str) -> None:
    connection = await asyncpg.connect(server)
    await connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    await connection.close()


def _people(engine: Fuzzed) -> None:
    """Fill the city, and note the ids that paths may name."""
    with engine.http("admin") as http:

        def post(path: str, body: Any = None) -> Any:
            answer = http.post(path, json=body)
            assert answer.is_success, answer.text
            return answer.json()

        zones = http.put("/zones", json=usual_map({"mode": "first", "assign_after_s": 600, "ring_s": [300, 300]}))
        assert zones.status_code == 200, zones.text
        for number in range(CREWS):
            made = post("/crews", {"name": f"班组 {number}", "home_zone": "z00", "capacity": 50})
            engine.crew_tokens.append(post(f"/crews/{made['id']}/tokens")["token"])
        for number in range(3):
            engine.ids["crew_id"].append(post("/crews", {"name": f"别组 {number}", "home_zone": "z00"})["id"])
        engine.tokens["crew"] = engine.crew_tokens[0]
        engine.ids["user_id"].append(post("/users", {"name": "值班", "role": "intake"})["id"])
        lon, lat = centre(0)
        for number in range(24):
            place = {"location": {"lon": lon, "lat": lat}} if number % 3 else {}
            taken = post("/reports", {"channel": "fuzz", "category": "leak", "severity": 1 + number % 5, **place})
            engine.ids["report_id"].append(taken["id"])
            engine.ids["order_id"].append(taken["order"]["id"])
        picture = engine.call("crew", "POST", "/photos", content=b"\xff\xd8\xff picture")
        engine.ids["photo_id"].append(picture.json()["photo"])
    engine.ids["service_request_id"] = engine.ids["token"] = engine.ids["order_id"]
    engine.ids["service_code"] = ["leak", "no_heat"]


async def _propose(url: str, engine: Fuzzed) -> None:
    """Write proposals as the planner would; accepting one is refused, as its order has moved on."""
    connection = await asyncpg.connect(url)
    crew, to, _ = engine.ids["crew_id"]
    now = await connection.fetchval("SELECT now()")
    for number, order in enumerate(engine.ids["order_id"][:4]):
        replan = f"p{number}"
        await connection.execute(
            REPLANS["put_replan"], "fuzz", order, replan, crew, to, "nearer", 300.0, 600.0, "[]", now
        )
        engine.ids["replan_id"].append(replan)
    await connection.close()


@pytest.fixture(scope="session")
def asyncapi(fuzzed: Fuzzed) -> AsyncApi:
    """What the engine says that its sockets say."""
    return AsyncApi(httpx.get(f"{fuzzed.url}/asyncapi.json", trust_env=False, verify=False).json())


@pytest.fixture(scope="session")
def naughty_strings() -> list[str]:
    """Strings that break software; none where the folder of test data is absent, which keeps the rest going."""
    file = data_folder() / "suites" / "blns" / "blns.json"
    strings: list[str] = json.loads(file.read_text("utf-8")) if file.exists() else []
    return strings
