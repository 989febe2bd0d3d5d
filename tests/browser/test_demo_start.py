"""Who tries the demo: the start page signs him in everywhere, and his made-up van can grab and arrive."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from playwright.async_api import Browser, TimeoutError, expect

from dispatch import web_build
from tests.browser.axe import barriers_in_both_lights
from tests.browser.conftest import open_page

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[str]:
    """The address of a running `qiangdan demo`."""
    if web_build.is_stale():
        pytest.skip("the web apps are not built, or older than web/: run 'python -m dispatch.web_build'")
    inherited = {name: text for name, text in os.environ.items() if not name.startswith("QIANGDAN_")}
    command = [sys.executable, "-m", "dispatch.cli", "demo", "--port", "0", "--data-dir", str(tmp_path / "data")]
    with (tmp_path / "demo.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--crews", "1", "--reports-per-hour", "2000"],
            env={**inherited, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    assert process.stdout
    links = (line.split()[-1].rstrip("/") for line in process.stdout if line.startswith("开始 start"))
    yield next(links)
    process.send_signal(signal.SIGTERM)
    process.wait(30)
    process.stdout.close()


async def test_the_start_page_of_a_demo_signs_in_to_all_three(demo: str, browser: Browser) -> None:
    page, complaints = await open_page(browser, demo)
    await expect(page.get_by_text("这是演示城市")).to_be_visible()
    assert await barriers_in_both_lights(page) == []
    for app in ("console", "sla"):
        await page.locator(f"[data-app={app}]").click()
        await expect(page.locator("[data-link=connected]")).to_be_visible()
        await expect(page.get_by_role("heading", level=1)).to_contain_text("哈尔滨示范城")
        await page.goto(demo)
    await page.locator("[data-app=crew]").click()
    await page.get_by_role("button", name="上班").click()
    await expect(page.locator("[data-where=known]")).to_be_visible()  # without asking where the onlooker sits
    mine = page.locator("[data-tab=mine]")
    for _ in range(30):  # others may be faster, and the machine may give him one
        if await mine.locator(".count").count():
            break
        with suppress(TimeoutError):
            await page.locator(".grab:not([disabled])").first.click(timeout=3_000)
    await mine.click()
    await page.get_by_role("button", name="出发").first.click()
    await expect(page.locator(".order[data-state=en_route]")).to_be_visible()
    assert complaints == []
