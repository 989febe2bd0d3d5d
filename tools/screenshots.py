#!/usr/bin/env python3
"""Take the pictures of docs/img from a served demo city, with Debian's Chromium: `make screenshots`.

Each picture is a function that gets a browser and the city; add yours to `PICTURES`.
"""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
from base64 import b64encode
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import httpx
from playwright.async_api import Browser, TimeoutError, async_playwright

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "img"
SMALL: Any = {"type": "jpeg", "quality": 75}
"""Of a page with a map or many words, which as PNG has 300 KB."""
PHONE = {"viewport": {"width": 412, "height": 839}, "device_scale_factor": 2, "is_mobile": True, "has_touch": True}


class DemoCity(NamedTuple):
    """A served demo city: its address, the tokens of its made-up people by app, where the technician begins his day."""

    url: str
    tokens: dict[str, str]
    technician_at: tuple[float, float]


async def start_page(browser: Browser, city: DemoCity) -> None:
    """The start page of a demo."""
    page = await browser.new_page(viewport={"width": 1200, "height": 640})
    await page.goto(city.url)
    await page.locator("[data-health=ready]").wait_for()
    await page.screenshot(path=IMAGES / "start.png")


async def phone_pages(browser: Browser, city: DemoCity) -> None:
    """Three moments of the technician's phone side by side: an offer, the same in the dark, the order that he holds."""
    lon, lat = city.technician_at
    context = await browser.new_context(
        **PHONE,
        locale="zh-CN",
        geolocation={"longitude": lon, "latitude": lat, "accuracy": 9},
        permissions=["geolocation"],
    )
    page = await context.new_page()
    await page.goto(f"{city.url}/crew#token={city.tokens['crew']}")
    await page.get_by_role("button", name="上班").click()
    moments = []
    while len(moments) < 3:
        moments = []
        grab = page.locator(".grab:not([disabled])").first
        await grab.wait_for(timeout=120_000)
        for light in ("light", "dark"):
            await page.emulate_media(color_scheme=light)
            moments.append(await page.screenshot())
        await page.emulate_media(color_scheme="light")
        with suppress(TimeoutError):  # somebody was faster: the next one
            await grab.click(timeout=1_000)
            await page.locator("[data-tab=mine] .count").wait_for(timeout=15_000)
            await page.locator("[data-tab=mine]").click()
            moments.append(await page.screenshot())
    await context.close()
    await side_by_side(browser, moments, IMAGES / "crew.png")


async def console_pages(browser: Browser, city: DemoCity) -> None:
    """The dispatcher's console: the city, an order's candidates beside it, and the same at night."""
    page = await browser.new_page(viewport={"width": 1360, "height": 800}, locale="zh-CN")
    await page.goto(f"{city.url}/console#token={city.tokens['console']}")
    await page.locator("[data-map=ready]").wait_for()
    rows = page.locator("[data-queue] [data-order]")
    for n in range(10):
        with suppress(TimeoutError):  # it may be done by the time that it is looked at: another
            await rows.nth(n).click(timeout=5_000)
            await page.locator("[data-follows]").first.wait_for(timeout=5_000)
            break
    await page.wait_for_timeout(1500)  # the map moves to the order
    await page.get_by_role("button", name="全城").click()
    await page.wait_for_timeout(1500)
    await page.screenshot(path=IMAGES / "console.jpg", **SMALL)
    await page.emulate_media(color_scheme="dark")
    await page.get_by_role("tab", name="经过").click()
    await page.locator("[data-panel] time").first.wait_for()
    await page.wait_for_timeout(1000)
    await page.screenshot(path=IMAGES / "console-night.jpg", **SMALL)


async def wallboard_pages(browser: Browser, city: DemoCity) -> None:
    """The wallboard as it hangs in the room."""
    page = await browser.new_page(viewport={"width": 1600, "height": 900}, locale="zh-CN")
    await page.goto(f"{city.url}/sla#token={city.tokens['sla']}")
    await page.locator("[data-share=arrival]").wait_for()
    await page.locator("[data-clock]").first.wait_for(timeout=60_000)
    await page.wait_for_timeout(1500)  # the charts have drawn themselves
    await page.screenshot(path=IMAGES / "wallboard.jpg", **SMALL)


async def side_by_side(browser: Browser, pictures: list[bytes], file: Path) -> None:
    """Write several pictures as one."""
    page = await browser.new_page(viewport={"width": 390 * len(pictures), "height": 790})
    images = "".join(f'<img src="data:image/png;base64,{b64encode(one).decode()}">' for one in pictures)
    style = "body{margin:0;display:flex;gap:14px;padding:12px;background:#c9d1d9}img{height:766px;border-radius:20px}"
    await page.set_content(f"<style>{style}</style>{images}")
    await page.wait_for_function("[...document.images].every((image) => image.complete)")
    await page.screenshot(path=file)
    await page.close()


PICTURES: tuple[Callable[[Browser, DemoCity], Awaitable[None]], ...] = (
    start_page,
    phone_pages,
    wallboard_pages,
    console_pages,
)


async def take(city: DemoCity) -> None:
    """Take every picture."""
    async with async_playwright() as playwright:
        program = shutil.which("chromium") or shutil.which("chromium-headless-shell")
        browser = await playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        for picture in PICTURES:
            await picture(browser, city)
        await browser.close()


def main() -> int:
    """Serve a demo city in a temporary folder and take the pictures."""
    with tempfile.TemporaryDirectory(prefix="qiangdan-pictures-") as folder:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "dispatch.cli", "demo", "--port", "0", "--data-dir", folder, "--crews", "40"]
        command += ["--speed", "5", "--reports-per-hour", "1200"]
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as demo:
            try:
                asyncio.run(take(_city(demo, Path(folder))))
            finally:
                demo.terminate()
                demo.wait(30)
    return 0


def _city(demo: "subprocess.Popen[str]", folder: Path) -> DemoCity:
    assert demo.stdout
    for line in demo.stdout:
        if "start " in line:
            url = line.split()[-1].rstrip("/")
            technician = json.loads((folder / "demo.json").read_text())["technician"]
            tokens = httpx.get(f"{url}/demo.json", trust_env=False).json()
            return DemoCity(url, tokens, (technician["lon"], technician["lat"]))
    raise SystemExit("The demo city did not start; its log is above.")


if __name__ == "__main__":
    sys.exit(main())
