"""A configured basemap under the console's map: asked of that host alone, named, moved where its datum differs."""

import asyncio
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.browser.conftest import Installation, Served
from tests.browser.consoles import DESKTOP, Console
from tests.browser.town import Town
from tests.town import add_town

pytestmark = [pytest.mark.browser, pytest.mark.slow]
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360f8cf50"
    "0f0003860180d2a4b7c60000000049454e44ae426082"
)


class Tiles(ThreadingHTTPServer):
    """A tile server of another host that remembers what it was asked for."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), TileHandler)
        self.asked: set[tuple[int, int, int]] = set()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def template(self) -> str:
        return f"http://localhost:{self.server_address[1]}/{{z}}/{{x}}/{{y}}.png"


class TileHandler(BaseHTTPRequestHandler):
    server: Tiles

    def do_GET(self) -> None:
        z, x, y = (int(part) for part in self.path.removesuffix(".png").split("/")[1:])
        self.server.asked.add((z, x, y))
        self.send_response(200)
        self.send_header("Content-Type", "image/png")
        self.send_header("Access-Control-Allow-Origin", "*")
        self.end_headers()
        self.wfile.write(PIXEL)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def tiles() -> Iterator[Tiles]:
    server = Tiles()
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("datum", ["wgs84", "gcj02"])
async def test_the_map_is_drawn_on_the_configured_tiles_and_on_nobody_else_s(
    tiles: Tiles, browser: Browser, installation: Installation, tmp_path: Path, datum: str
) -> None:
    opened = await asyncio.to_thread(
        Installation,
        tmp_path,
        installation.database,
        QIANGDAN_BASEMAP_URL=tiles.template,
        QIANGDAN_BASEMAP_ATTRIBUTION="© 测试地图",
        QIANGDAN_BASEMAP_DATUM=datum,
    )
    try:
        served = Served(opened, await add_town(opened.database, f"basemap-{datum}"))
        town = await asyncio.to_thread(Town, served)
        token = await asyncio.to_thread(town.user, "dispatcher")
        page = await (await browser.new_context(locale="zh-CN", **DESKTOP)).new_page()  # type: ignore[arg-type]  # of its arguments
        refused: list[str] = []
        page.on("console", lambda said: refused.append(said.text) if "Security Policy" in said.text else None)
        hosts: set[str] = set()
        page.on("request", lambda asked: hosts.add(asked.url.split("/")[2]) if asked.url.startswith("http") else None)
        console = Console(page)
        await page.goto(f"{served.url}/console#token={token}")
        await console.map_stands()
        await expect(page.get_by_text("© 测试地图")).to_be_attached()
        async with asyncio.timeout(20):
            while len(tiles.asked) < 4:
                await asyncio.sleep(0.05)
        assert hosts <= {served.url.split("/")[2], tiles.template.split("/")[2]}
        assert refused == [] and console.complaints == []
    finally:
        await asyncio.to_thread(opened.stop)
