"""A served engine and a real Chromium for the tests of pages."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil
import pytest
from playwright.async_api import Browser, Page, async_playwright

from dispatch import web_build

ADMIN = "an-administrator-for-tests"
FLAGS = (
    # Chromium refuses its sandbox to root, as which tests run in containers.
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class Served:
    """A served engine: its address, and REST as its administrator. It can be stopped, killed and started again."""

    def __init__(self, folder: Path, database: str) -> None:
        self._folder = folder
        self._database = database
        self._port = 0
        self.start()

    def start(self) -> None:
        """Start it, on the port that it had before."""
        inherited = {name: text for name, text in os.environ.items() if not name.startswith("QIANGDAN_")}
        inherited["QIANGDAN_PLANNER_WARM_UP_AFTER_S"] = "600"  # loaded with the first question; most tests ask none
        command = [sys.executable, "-m", "dispatch.cli", "serve", "--port", str(self._port), "--data-dir"]
        with (self._folder / "serve.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, str(self._folder / "data")],
                env={
                    **inherited,
                    "PYTHONPATH": os.pathsep.join(sys.path),
                    "QIANGDAN_DATABASE_URL": self._database,
                    "QIANGDAN_ADMIN_TOKEN": ADMIN,
                },
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self._process.stdout
        line = self._process.stdout.readline()
        assert line.startswith("ready http://"), (self._folder / "serve.log").read_text()
        self.url = line.split()[1]
        self._port = urlsplit(self.url).port or 0

    def stop(self) -> None:
        """Stop it as an operator does."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(30)
        if self._process.stdout:
            self._process.stdout.close()

    def kill_engine(self) -> None:
        """Kill the engine as the kernel would; the supervisor starts another."""
        self._engine().kill()

    def freeze_engine(self) -> None:
        """Let the engine stand still: its connections stay open and say nothing, as behind a dead radio."""
        self._engine().suspend()

    def thaw_engine(self) -> None:
        """Let the engine go on."""
        self._engine().resume()

    def _engine(self) -> psutil.Process:
        children = psutil.Process(self._process.pid).children()
        return next(child for child in children if "engine" in child.cmdline())

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
            headers={"Authorization": f"Bearer {ADMIN}"},
            timeout=20,
            trust_env=False,
        )
        assert answer.is_success, answer.text
        return answer


async def open_page(browser: Browser, url: str, **device: Any) -> tuple[Page, list[str]]:
    """Open a page in a context of its own; also return the list of what it complains about."""
    page = await (await browser.new_context(**{"locale": "zh-CN", **device})).new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    await page.goto(url)
    return page, complaints


@pytest.fixture
def served(database: str, tmp_path: Path) -> Iterator[Served]:
    """`qiangdan serve` on a fresh database."""
    if web_build.is_stale():
        pytest.skip("the web apps are not built, or older than web/: run 'python -m dispatch.web_build'")
    engine = Served(tmp_path, database)
    yield engine
    engine.stop()


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """Debian's Chromium, without a window."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no Chromium here: apt-get install chromium")
    async with async_playwright() as playwright:
        opened = await playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        yield opened
        await opened.close()
