#!/usr/bin/env python3
"""Take the pictures of docs/img from a served demo city, with Debian's Chromium: `make screenshots`.

Each picture is a function that gets a browser and the city; add yours to `PICTURES`.
"""

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

import httpx
from playwright.async_api import Browser, async_playwright

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "img"
PHONE = {"viewport": {"width": 412, "height": 839}, "device_scale_factor": 2, "is_mobile": True, "has_touch": True}


class DemoCity(NamedTuple):
    """A served demo city: its address, and the tokens of its made-up people by app."""

    url: str
    tokens: dict[str, str]


async def start_page(browser: Browser, city: DemoCity) -> None:
    """The start page of a demo."""
    page = await browser.new_page(viewport={"width": 1200, "height": 640})
    await page.goto(city.url)
    await page.locator("[data-health=ready]").wait_for()
    await page.screenshot(path=IMAGES / "start.png")


PICTURES: tuple[Callable[[Browser, DemoCity], Awaitable[None]], ...] = (start_page,)


async def take(city: DemoCity) -> None:
    """Take every picture."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for picture in PICTURES:
            await picture(browser, city)
        await browser.close()


def main() -> int:
    """Serve a demo city in a temporary folder and take the pictures."""
    with tempfile.TemporaryDirectory(prefix="qiangdan-pictures-") as folder:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "dispatch.cli", "demo", "--port", "0", "--data-dir", folder, "--crews", "40"]
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as demo:
            try:
                asyncio.run(take(_city(demo)))
            finally:
                demo.terminate()
                demo.wait(30)
    return 0


def _city(demo: "subprocess.Popen[str]") -> DemoCity:
    assert demo.stdout
    for line in demo.stdout:
        if "start " in line:
            url = line.split()[-1].rstrip("/")
            return DemoCity(url, httpx.get(f"{url}/demo.json", trust_env=False).json())
    raise SystemExit("The demo city did not start; its log is above.")


if __name__ == "__main__":
    sys.exit(main())
