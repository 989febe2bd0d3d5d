"""The zone editor in a real browser: cut, check, save; new orders fall by the new map."""

import asyncio
import math
from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
from playwright.async_api import Browser, Page, expect
from shapely.geometry import shape

from tests.browser.axe import barriers_in_both_lights
from tests.browser.conftest import Served
from tests.browser.consoles import Console
from tests.browser.town import CITY, HOME, Town

pytestmark = [pytest.mark.browser, pytest.mark.slow]
FIRST: dict[str, object] = {"mode": "first", "assign_after_s": 600}
CENTRE = (126.63, 45.75)
PADDING = 48
"""What the map leaves free around the zones that it shows."""


def places(zones: Iterable[Any]) -> list[tuple[float, float]]:
    return [(lon, lat) for zone in zones for lon, lat in zone["geometry"]["coordinates"][0]]


def mercator(lon: float, lat: float) -> tuple[float, float]:
    return math.radians(lon), math.log(math.tan(math.pi / 4 + math.radians(lat) / 2))


class ZonesMap:
    """The editor's map: where on the screen a place is, as the map stands after it was opened."""

    def __init__(self, page: Page, box: dict[str, float]) -> None:
        self.page = page
        corners = [mercator(lon, lat) for lon, lat in places(CITY.zones["features"])]
        (west, east), (south, north) = ((min(axis), max(axis)) for axis in zip(*corners, strict=True))
        scale = min((box["width"] - 2 * PADDING) / (east - west), (box["height"] - 2 * PADDING) / (north - south))
        self._scale = scale
        self._middle = ((west + east) / 2, (south + north) / 2)
        self._centre = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)

    def _at(self, lon: float, lat: float) -> tuple[float, float]:
        east, north = mercator(lon, lat)
        return (
            self._centre[0] + (east - self._middle[0]) * self._scale,
            self._centre[1] - (north - self._middle[1]) * self._scale,
        )

    async def click(self, lon: float, lat: float) -> None:
        at = self._at(lon, lat)
        await self.page.mouse.move(*at, steps=3)
        await self.page.mouse.click(*at)

    async def drag(self, begin: tuple[float, float], end: tuple[float, float]) -> None:
        await self.page.mouse.move(*self._at(*begin), steps=3)
        await self.page.mouse.down()
        await self.page.mouse.move(*self._at(*end), steps=8)
        await self.page.mouse.up()


async def editor_of(console: Console) -> ZonesMap:
    await console.page.get_by_role("button", name="片区", exact=True).click()
    stands = console.page.locator("[data-zones-map=ready]")
    await expect(stands).to_be_visible(timeout=20_000)
    box = await stands.bounding_box()
    assert box is not None
    return ZonesMap(console.page, dict(box))  # type: ignore[arg-type]  # a typed mapping of the four numbers


async def test_a_zone_is_cut_and_new_orders_fall_right(served: Served, browser: Browser) -> None:
    town = await asyncio.to_thread(Town, served, FIRST)
    waiting = await asyncio.to_thread(town.report)
    console = await Console.open(browser, served.url, served.admin)
    await expect(console.order(waiting)).to_be_visible()
    zones_map = await editor_of(console)
    assert await barriers_in_both_lights(console.page) == []
    home = next(zone for zone in CITY.zones["features"] if zone["properties"]["id"] == HOME.zone)
    lons, lats = zip(*places([home]), strict=True)
    west, east, south, north = min(lons), max(lons), min(lats), max(lats)
    lat = HOME.lat + (0.1 if north - HOME.lat > HOME.lat - south else -0.1) * (north - south)
    row = console.page.locator(f'[data-zone="{HOME.zone}"]')
    await row.get_by_role("checkbox").check()
    await console.page.locator("[data-tool=cut]").click()
    margin = (east - west) * 0.15
    await zones_map.click(west - margin, lat)
    await zones_map.click(east + margin, lat)
    await zones_map.click(east + margin, lat)
    part = console.page.locator(f'[data-zone="{HOME.zone}-2"]')
    await expect(part).to_be_visible()
    await expect(console.page.locator("[data-check=good]")).to_be_visible()
    await part.get_by_label("名称").fill("新片")
    await part.get_by_label("名称").press("Tab")
    await expect(console.page.locator("[data-check=good]")).to_be_visible()
    assert await barriers_in_both_lights(console.page) == []
    await console.page.locator("[data-tool=save]").click()
    await expect(console.page.locator("[data-zones-saved]")).to_contain_text("第 2 版")
    new_map = (await asyncio.to_thread(served.call, "GET", "/zones"))["features"]
    assert "新片" in {zone["properties"]["name"] for zone in new_map}
    sides = []
    for side in (lat - 0.05 * (north - south), lat + 0.05 * (north - south)):
        order = await asyncio.to_thread(town.report, location={"lon": HOME.lon, "lat": side})
        sides.append((await asyncio.to_thread(town.order, order))["zone"])
    assert set(sides) == {HOME.zone, f"{HOME.zone}-2"}
    await console.page.get_by_role("button", name="关闭").click()
    assert console.complaints == []


async def test_a_zone_is_halved_by_keyboard_and_open_orders_follow_when_asked_to(
    served: Served, browser: Browser
) -> None:
    town = await asyncio.to_thread(Town, served, FIRST)
    orders = [await asyncio.to_thread(town.report, location={"lon": c.lon, "lat": c.lat}) for c in CITY.compounds[:60]]
    console = await Console.open(browser, served.url, served.admin)
    await editor_of(console)
    await console.page.locator(f'[data-zone="{HOME.zone}"]').get_by_role("checkbox").focus()
    await console.page.keyboard.press(" ")
    await console.page.locator("[data-tool=halve]").focus()
    await console.page.keyboard.press("Enter")
    await expect(console.page.locator("[data-check=good]")).to_contain_text("张未完工单会换片区")
    await console.page.locator("[data-tool=save]").press("Enter")
    await console.page.get_by_role("button", name="张未完工单也归到新片区").press("Enter")
    await expect(console.page.get_by_text("已归区")).to_be_visible()
    zones = {(await asyncio.to_thread(town.order, order))["zone"] for order in orders}
    assert f"{HOME.zone}-2" in zones


async def test_the_corners_of_a_zone_s_second_part_are_dragged_and_its_first_stays(
    served: Served, browser: Browser
) -> None:
    await asyncio.to_thread(Town, served, FIRST)
    first, *between, last = CITY.zones["features"]
    both = [first["geometry"]["coordinates"], last["geometry"]["coordinates"]]
    twin = {**first, "geometry": {"type": "MultiPolygon", "coordinates": both}}
    await asyncio.to_thread(served.call, "PUT", "/zones", {**CITY.zones, "features": [twin, *between]})
    console = await Console.open(browser, served.url, served.admin)
    zones_map = await editor_of(console)
    await console.page.locator(f'[data-zone="{first["properties"]["id"]}"]').get_by_role("checkbox").check()
    await console.page.locator("[data-tool=shape]").click()
    corners = places([last])
    middle = shape(last["geometry"]).representative_point()
    outermost = max(corners, key=lambda place: math.dist(place, CENTRE))
    drawn_in = tuple(0.8 * corner + 0.2 * inner for corner, inner in zip(outermost, (middle.x, middle.y), strict=True))
    await zones_map.click(middle.x, middle.y)
    await zones_map.drag(outermost, drawn_in)
    await expect(console.page.locator("[data-check=good]")).to_be_visible()
    await console.page.locator("[data-tool=shape]").click()
    await console.page.locator("[data-tool=save]").click()
    await expect(console.page.locator("[data-zones-saved]")).to_contain_text("第 3 版")
    new_map = (await asyncio.to_thread(served.call, "GET", "/zones"))["features"]
    kept = next(zone for zone in new_map if zone["properties"]["id"] == first["properties"]["id"])["geometry"]
    assert kept["coordinates"][0] == both[0]
    moved = [tuple(place) for place in kept["coordinates"][1][0]]
    assert all(math.dist(place, outermost) > 1e-6 for place in moved)
    assert min(math.dist(place, drawn_in) for place in moved) < 0.2 * math.dist(outermost, drawn_in), (
        "to a pixel or two"
    )
    assert console.complaints == []


async def test_overlaps_are_told_before_saving_and_a_newer_map_is_not_overwritten(
    served: Served, browser: Browser
) -> None:
    await asyncio.to_thread(Town, served, FIRST)
    console = await Console.open(browser, served.url, served.admin)
    await editor_of(console)
    twice = {
        **CITY.zones,
        "features": [
            *CITY.zones["features"],
            {**CITY.zones["features"][0], "properties": {"id": "again", "name": "又一个"}},
        ],
    }
    await console.page.locator("input[type=file]").set_input_files(
        {"name": "z.geojson", "mimeType": "application/geo+json", "buffer": msgspec.json.encode(twice)}
    )
    await expect(console.page.locator("[data-check=bad]")).to_contain_text("overlap")
    await expect(console.page.locator("[data-tool=save]")).to_be_disabled()
    assert await barriers_in_both_lights(console.page) == []
    await console.page.get_by_role("button", name="退一步").click()
    name = console.page.locator(f'[data-zone="{HOME.zone}"]').get_by_label("名称")
    await name.fill("改名")
    await name.press("Tab")
    await asyncio.to_thread(served.call, "PUT", "/zones", CITY.zones)
    await expect(console.page.locator("[data-check=good]")).to_be_visible()
    await console.page.locator("[data-tool=save]").click()
    await expect(console.page.get_by_role("alert")).to_contain_text("别人已经保存了第 2 版")
    async with console.page.expect_download() as told:
        await console.page.get_by_role("button", name="导出 GeoJSON").click()
    assert "改名" in (await (await told.value).path()).read_text()


async def test_a_dispatcher_draws_and_checks_but_an_administrator_saves(served: Served, browser: Browser) -> None:
    town = await asyncio.to_thread(Town, served, FIRST)
    console = await Console.open(browser, served.url, await asyncio.to_thread(town.user, "dispatcher"))
    await editor_of(console)
    await console.page.locator("[data-zone]").first.get_by_role("checkbox").check()
    await console.page.locator("[data-tool=halve]").click()
    await expect(console.page.locator("[data-check=good]")).to_be_visible()
    await expect(console.page.locator("[data-tool=save]")).to_be_disabled()
    await expect(console.page.get_by_text("保存要管理员登录")).to_be_visible()
