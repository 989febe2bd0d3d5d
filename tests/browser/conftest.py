"""A served engine and a real Chromium for the tests of pages."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

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
    """A running engine: its address, and REST as its administrator."""

    def __init__(self, url: str, process: int) -> None:
        self.url = url
        self._process = process

    def kill_engine(self) -> None:
        """Kill the engine as the kernel would; the supervisor starts another."""
        for child in psutil.Process(self._process).children():
            if "engine" in child.cmdline():
                child.kill()

    def call(self, method: str, path: str, body: Any = None) -> Any:
        answer = httpx.request(
            method,
            f"{self.url}/api/v1{path}",
            json=body,
            headers={"Authorization": f"Bearer {ADMIN}"},
            timeout=20,
            trust_env=False,
        )
        assert answer.is_success, answer.text
        return answer.json()


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
    inherited = {name: text for name, text in os.environ.items() if not name.startswith("QIANGDAN_")}
    with (tmp_path / "serve.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "dispatch.cli", "serve", "--port", "0", "--data-dir", str(tmp_path / "data")],
            env={
                **inherited,
                "PYTHONPATH": os.pathsep.join(sys.path),
                "QIANGDAN_DATABASE_URL": database,
                "QIANGDAN_ADMIN_TOKEN": ADMIN,
            },
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    assert process.stdout
    line = process.stdout.readline()
    assert line.startswith("ready http://"), (tmp_path / "serve.log").read_text()
    yield Served(line.split()[1], process.pid)
    process.send_signal(signal.SIGTERM)
    process.wait(30)
    process.stdout.close()


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
