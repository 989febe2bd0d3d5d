"""A served installation and a Chromium for the tests of pages, each started once; each test has a city of its own."""

import itertools
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import httpx
import psutil
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright

from dispatch import web_build
from tests.conftest import with_database
from tests.processes import Serving
from tests.town import add_town, let_rest

FLAGS = (
    # Chromium refuses its sandbox to root, as which tests run in containers.
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PROGRAMS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
"""Chromium, the lightest first: the shell is the same without a browser's own windows, each of which is a page too."""

COARSE = {"device_scale_factor": 0.25}
"""Pages are laid out as ever, on a sixteenth of the pixels: the processor draws them where no graphics card does."""

HERE = Path(__file__).parent

_numbers = itertools.count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let these tests share one event loop, to which the browser belongs."""
    for item in items:
        if item.path.is_relative_to(HERE) and pytest_asyncio.is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


class Installation:
    """`qiangdan serve` on a database of its own. It can be stopped, killed and started again at the same address."""

    def __init__(self, folder: Path, database: str, **variables: str) -> None:
        self.database = database
        self._variables = variables
        self._folder = folder
        self._port = 0
        self.start()

    def start(self) -> None:
        """Start it, on the port that it had before."""
        self._serving = Serving(
            self._folder / "data",
            "--port",
            str(self._port),
            QIANGDAN_DATABASE_URL=self.database,
            # Loaded with the first question; most tests ask none.
            QIANGDAN_PLANNER_WARM_UP_AFTER_S="600",
            **self._variables,
        )
        self.url = self._serving.wait_until_ready()
        self._port = urlsplit(self.url).port or 0

    def stop(self) -> None:
        """Stop it as an operator does."""
        if self.runs:
            self._serving.stop()
        assert self._serving.process.stdout
        self._serving.process.stdout.close()

    @property
    def runs(self) -> bool:
        return self._serving.process.poll() is None

    def engine(self) -> psutil.Process:
        """The process that answers."""
        return psutil.Process(self._serving.children("engine")[0])


class Served:
    """One city of a running installation: its address, and REST as its administrator."""

    def __init__(self, installation: Installation, admin: str) -> None:
        self._installation = installation
        self.admin = admin
        self.url = installation.url
        self.start, self.stop = installation.start, installation.stop

    def kill_engine(self) -> None:
        """Kill the engine as the kernel would; the supervisor starts another."""
        self._installation.engine().kill()

    def freeze_engine(self) -> None:
        """Let the engine stand still: its connections stay open and say nothing, as behind a dead radio."""
        self._installation.engine().suspend()

    def thaw_engine(self) -> None:
        """Let the engine go on."""
        self._installation.engine().resume()

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Call a route and return its answer."""
        return self._ask(method, path, body).json()

    def get(self, path: str) -> bytes:
        """Return what a route shows, as it is."""
        return self._ask("GET", path).content

    def _ask(self, method: str, path: str, body: Any = None) -> httpx.Response:
        answer = httpx.request(
            method,
            f"{self.url}/api/v1{path}",
            json=body,
            headers={"Authorization": f"Bearer {self.admin}"},
            timeout=20,
            trust_env=False,
            verify=False,
        )
        assert answer.is_success, answer.text
        return answer


async def open_page(browser: Browser, url: str, **device: Any) -> tuple[Page, list[str]]:
    """Open a page in a context of its own; also return the list of what it complains about."""
    page = await (await browser.new_context(**{"locale": "zh-CN", **COARSE, **device})).new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    await page.goto(url)
    return page, complaints


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def _browser_database(pg_url: str) -> AsyncIterator[str]:
    name = f"qiangdan_browser_{os.getpid()}"
    connection = await asyncpg.connect(pg_url)
    await connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
    yield with_database(pg_url, name)
    await connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    await connection.close()


@pytest.fixture(scope="session")
def installation(_browser_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """`qiangdan serve`, started once."""
    if web_build.is_stale():
        pytest.skip("the web apps are not built, or older than web/: run 'python -m dispatch.web_build'")
    installation = Installation(tmp_path_factory.mktemp("browser"), _browser_database)
    yield installation
    installation.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def served(installation: Installation) -> AsyncIterator[Served]:
    """A city of the running installation that no other test sees; the installation runs again afterwards."""
    city = f"city-{next(_numbers)}"
    yield Served(installation, await add_town(installation.database, city))
    await let_rest(installation.database, [city])
    if not installation.runs:
        installation.start()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def _chromium() -> AsyncIterator[Browser]:
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        pytest.skip("no Chromium here: apt-get install chromium-headless-shell")
    async with async_playwright() as playwright:
        opened = await playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        yield opened
        await opened.close()


@pytest_asyncio.fixture(loop_scope="session")
async def browser(_chromium: Browser) -> AsyncIterator[Browser]:
    """Debian's Chromium, without a window; what a test opened in it is closed."""
    yield _chromium
    for context in _chromium.contexts:
        await context.close()
