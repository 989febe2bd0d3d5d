"""A configured basemap under the console's map: asked of that host alone, named, moved where its datum differs."""

import asyncio
import base64
import struct
import threading
import zlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.conftest import Installation, Served
from tests.browser.consoles import DESKTOP, Console
from tests.browser.town import Town
from tests.town import add_town

pytestmark = [pytest.mark.browser, pytest.mark.slow]
MAGENTA = (255, 0, 255)
COLOUR_AT = """async ([picture, x, y]) => {
  const image = new Image();
  image.src = 'data:image/png;base64,' + picture;
  await image.decode();
  const canvas = Object.assign(document.createElement('canvas'), { width: image.width, height: image.height });
  const context = canvas.getContext('2d');
  context.drawImage(image, 0, 0);
  return [...context.getImageData(x, y, 1, 1).data].slice(0, 3);
}"""


def png(colour: tuple[int, int, int]) -> bytes:
    """Return a picture of one pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    size = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0" + bytes(colour))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def varint(number: int) -> bytes:
    more, last = divmod(number, 128)
    return bytes([last | 128]) + varint(more) if more else bytes([last])


def pmtiles(tile: bytes, *, zooms: int = 15) -> bytes:
    """Return an archive that has the same picture for every tile: one entry of its directory that repeats.

    https://github.com/protomaps/PMTiles/blob/main/spec/v3/spec.md
    """
    tiles = (4**zooms - 1) // 3
    directory = b"".join(map(varint, (1, 0, tiles, len(tile), 1)))
    metadata = b"{}"
    at = 127
    sections = []
    for part in (directory, metadata, b"", tile):
        sections += [at, len(part)]
        at += len(part)
    earth = (-180_0000000, -85_0000000, 180_0000000, 85_0000000)
    return b"".join(
        (
            b"PMTiles\x03",
            struct.pack("<8Q", *sections),
            struct.pack("<3Q", tiles, 1, 1),
            # Clustered; directories and tiles as they are; PNG.
            struct.pack("<6B", 1, 1, 1, 2, 0, zooms - 1),
            struct.pack("<4i", *earth),
            struct.pack("<B2i", 0, 0, 0),
            directory,
            metadata,
            tile,
        )
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
        self.wfile.write(png(MAGENTA))

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


async def test_the_map_is_drawn_on_a_pmtiles_file_that_the_engine_serves_piece_by_piece(
    browser: Browser, installation: Installation, tmp_path: Path
) -> None:
    archive = tmp_path / "map.pmtiles"
    archive.write_bytes(pmtiles(png(MAGENTA)))
    opened = await asyncio.to_thread(
        Installation,
        tmp_path,
        installation.database,
        QIANGDAN_BASEMAP_FILE=str(archive),
        QIANGDAN_BASEMAP_ATTRIBUTION="© 测试地图",
    )
    try:
        served = Served(opened, await add_town(opened.database, "basemap-file"))
        town = await asyncio.to_thread(Town, served)
        token = await asyncio.to_thread(town.user, "dispatcher")
        page = await (await browser.new_context(locale="zh-CN", viewport={"width": 1000, "height": 700})).new_page()
        pieces: set[int] = set()
        hosts: set[str] = set()
        page.on("request", lambda asked: hosts.add(asked.url.split("/")[2]) if asked.url.startswith("http") else None)
        page.on("response", lambda told: pieces.add(told.status) if told.url.endswith(".pmtiles") else None)
        console = Console(page)
        await page.goto(f"{served.url}/console#token={token}")
        await console.map_stands()
        box = await page.locator("[data-map]").bounding_box()
        assert box is not None
        # The map's left edge, where no zone is.
        corner = [round(box["x"] + 3), round(box["y"] + box["height"] / 2)]
        async with asyncio.timeout(20):
            while await colour_at(page, *corner) != MAGENTA:
                await asyncio.sleep(0.1)
        assert (pieces, hosts) == ({206}, {served.url.split("/")[2]})
        assert str(tmp_path) not in (await (await page.request.get(f"{served.url}/basemap.json")).text())
        too_far = await page.request.get(f"{served.url}/basemap.pmtiles", headers={"Range": "bytes=99999-"})
        assert too_far.status == 416
        whole = await page.request.get(f"{served.url}/basemap.pmtiles")
        assert await whole.body() == archive.read_bytes()
        await expect(page.locator("[data-bare]")).to_have_count(0)
        assert console.complaints == []
    finally:
        await asyncio.to_thread(opened.stop)


async def colour_at(page: Page, x: int, y: int) -> tuple[int, ...]:
    """Return the colour of a pixel of the page as it is shown."""
    picture = base64.b64encode(await page.screenshot()).decode()
    return tuple(await page.evaluate(COLOUR_AT, [picture, x, y]))
