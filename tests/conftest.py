"""What tests share: a real PostgreSQL, a fresh database for each test that asks, and the folder of test data.

The server is the embedded one in a temporary folder, unless `QIANGDAN_TEST_DATABASE_URL` names another, or
`QIANGDAN_TEST_POSTGRES` is 15: then Debian's PostgreSQL of that version, run the same way.
"""

import itertools
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
import pytest_asyncio
from xdist.scheduler import LoadScopeScheduling

from dispatch.store.embedded import EmbeddedPostgres
from dispatch.store.migrate import migrate

TEMPLATE = "qiangdan_template"

# httpcore tries to import it several times a request, and every folder is searched each time: a third of its work.
if find_spec("sniffio") is None:
    sys.modules["sniffio"] = None  # type: ignore[assignment]  # what Python takes for "there is none"

_numbers = itertools.count(1)


ON_OLD_POSTGRES = (
    "tests/acceptance/test_sla.py",
    "tests/integration/test_claims.py",
    "tests/integration/test_database_outcomes.py",
    "tests/integration/test_forecasts.py",
    "tests/integration/test_grabs_race.py",
    "tests/integration/test_importing.py",
    "tests/integration/test_long_history.py",
    "tests/integration/test_migrations.py",
    "tests/integration/test_planner.py",
    "tests/integration/test_whereabouts.py",
)
ON_ONE_INSTALLATION = ("tests/acceptance", "tests/browser")
EACH_ALONE = "tests/simulation/test_seeds.py"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that run a second time on the oldest PostgreSQL, those that go deepest into it."""
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        if "pg_url" in fixtures and item.nodeid.startswith(ON_OLD_POSTGRES):
            item.add_marker(pytest.mark.matters_on_old_postgres)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Pass over files of which no test is run a second time, where that is all that is asked for."""
    if config.option.markexpr != "matters_on_old_postgres" or not collection_path.name.startswith("test_"):
        return None
    return collection_path.relative_to(config.rootpath).as_posix() not in ON_OLD_POSTGRES or None


class ByInstallation(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Keeps together a file, or a folder whose tests share running processes, so that these run once.

    The seeds have nothing in common, and go wherever there is time.
    """

    def _split_scope(self, nodeid: str) -> str:
        file: str = nodeid.split("::", 1)[0]
        if file == EACH_ALONE:
            return nodeid
        return next((folder for folder in ON_ONE_INSTALLATION if file.startswith(folder)), file)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByInstallation:
    """Let several processes take the tests by installation."""
    return ByInstallation(config, log)


@pytest.fixture(scope="session")
def pg_url() -> Iterator[str]:
    """The address of a real PostgreSQL that is ours for this session."""
    if url := os.environ.get("QIANGDAN_TEST_DATABASE_URL"):
        yield url
        return
    programs = None
    if version := os.environ.get("QIANGDAN_TEST_POSTGRES"):
        programs = Path(f"/usr/lib/postgresql/{version}/bin")
        if not (programs / "postgres").exists():
            pytest.skip(f"PostgreSQL {version} is not installed in {programs}")
    with (
        tempfile.TemporaryDirectory(prefix="qiangdan-tests-") as folder,
        EmbeddedPostgres(Path(folder), programs=programs) as server,
    ):
        yield server.url


@pytest.fixture
async def empty_database(pg_url: str) -> AsyncIterator[str]:
    """The address of a fresh database with nothing in it."""
    name = f"qiangdan_test_{os.getpid()}_{next(_numbers)}"
    await _execute(pg_url, f'CREATE DATABASE "{name}" TEMPLATE template0')
    yield with_database(pg_url, name)
    await _execute(pg_url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@pytest.fixture
async def database(pg_url: str, _template: str) -> AsyncIterator[str]:
    """The address of a fresh database with the schema in it."""
    name = f"qiangdan_test_{os.getpid()}_{next(_numbers)}"
    await _execute(pg_url, f'CREATE DATABASE "{name}" TEMPLATE "{_template}" STRATEGY {STRATEGY}')
    yield with_database(pg_url, name)
    await _execute(pg_url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder with the files that tests read."""
    return Path(__file__).parent / "data"


# `file_copy` makes the whole server write a checkpoint, twice; through the log a small schema takes some 35 ms.
STRATEGY = "wal_log"


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def _template(pg_url: str) -> str:
    """The name of a migrated database that is copied for each test."""
    name = f"{TEMPLATE}_{os.getpid()}"
    await _execute(pg_url, f'DROP DATABASE IF EXISTS "{name}"')
    await _execute(pg_url, f'CREATE DATABASE "{name}" TEMPLATE template0')
    connection = await asyncpg.connect(with_database(pg_url, name))
    try:
        await migrate(connection)
    finally:
        await connection.close()
    return name


def with_database(url: str, name: str) -> str:
    """Return the address of another database of the same server."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


async def _execute(url: str, sql: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()
