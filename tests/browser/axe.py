"""axe-core on an open page: what keeps people from using it."""

from functools import cache
from pathlib import Path

import pytest
from playwright.async_api import Page

AXE = Path(__file__).parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"
STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


@cache
def _source() -> str:
    if not AXE.exists():
        pytest.skip("axe-core is not installed: 'npm ci --include=dev' in web/")
    return AXE.read_text()


async def barriers(page: Page) -> list[str]:
    """Return what axe finds on the page as it stands now, one line each with the element that it is about."""
    await page.evaluate(_source())
    found = await page.evaluate(
        "(standards) => axe.run(document, { runOnly: standards, resultTypes: ['violations'] })", STANDARDS
    )
    return [
        f"{violation['id']}: {node['html'][:160]} ({node['failureSummary'].splitlines()[-1].strip()})"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]


async def barriers_in_both_lights(page: Page) -> list[str]:
    """Return what axe finds in light and in dark."""
    found = []
    for light in ("light", "dark"):
        await page.emulate_media(color_scheme=light, reduced_motion="reduce")
        found += [f"{light}: {barrier}" for barrier in await barriers(page)]
    await page.emulate_media(color_scheme="light")
    return found
