"""The plain pages in a real browser: a technician grabs, the dispatcher sees it and says otherwise."""

import asyncio
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from dispatch.demo.city import generate_city
from tests.browser.conftest import Served

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CITY = generate_city(1)
HOME = CITY.compounds[0]


async def open_page(browser: Browser, url: str) -> tuple[Page, list[str]]:
    """Open a page in a context of its own; also return the list of what it complains about."""
    page = await (await browser.new_context()).new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    await page.goto(url)
    return page, complaints


class Town:
    """Zones, a technician and a dispatcher made over REST."""

    def __init__(self, served: Served) -> None:
        self._served = served
        served.call("PUT", "/zones", CITY.zones)
        crew = served.call("POST", "/crews", {"name": "王师傅", "skills": ["pipework"], "home_zone": HOME.zone})
        self.crew = crew["id"]
        self.crew_token = served.call("POST", f"/crews/{self.crew}/tokens")["token"]
        user = served.call("POST", "/users", {"name": "调度", "role": "dispatcher"})
        self.dispatcher_token = served.call("POST", f"/users/{user['id']}/tokens")["token"]

    def report(self, **more: Any) -> str:
        body = {
            "channel": "wechat",
            "category": "leak",
            "location": {"lon": HOME.lon, "lat": HOME.lat},
            "address": {"text": "松江家园3栋"},
            **more,
        }
        return str(self._served.call("POST", "/reports", body)["order"]["id"])


async def go_to_work(page: Page) -> None:
    await page.fill("#lon", str(HOME.lon))
    await page.fill("#lat", str(HOME.lat))
    await page.click("#place button:not([type=button])")
    await page.click("#shift")


async def test_a_technician_grabs_on_his_phone_and_the_console_shows_it(served: Served, browser: Browser) -> None:
    town = await asyncio.to_thread(Town, served)
    phone, phone_complaints = await open_page(browser, f"{served.url}/crew")
    await phone.fill("#token", town.crew_token)
    await phone.click("#signin button")
    await expect(phone.locator("#state")).to_contain_text("online")
    await go_to_work(phone)
    console, console_complaints = await open_page(browser, f"{served.url}/console#token={town.dispatcher_token}")
    await expect(console.locator("#crews")).to_contain_text("王师傅")

    order = await asyncio.to_thread(town.report, contact={"name": "<b>李</b>", "phone": "12000000000"})
    row = console.locator(f'#orders [data-order="{order}"]')
    await expect(row).to_contain_text("待抢")
    await phone.click(f'#offers [data-order="{order}"] .grab')
    await expect(phone.locator(f'#orders [data-order="{order}"]')).to_contain_text("<b>李</b> 12000000000")
    await expect(row).to_contain_text("已接单")
    await expect(row).to_contain_text("王师傅")

    await phone.click(f'#orders [data-order="{order}"] >> text=set off')
    await expect(row).to_contain_text("在途")
    await row.click()
    await console.fill("#reason", "顾客改约")
    await console.click("[data-action=hold]")
    await expect(phone.locator("#notice")).to_contain_text("顾客改约")
    await expect(phone.locator("#order-count")).to_have_text("0")
    await expect(row).to_contain_text("挂单")
    assert (phone_complaints, console_complaints) == ([], [])


async def test_a_phone_comes_back_by_itself_when_the_engine_was_killed(served: Served, browser: Browser) -> None:
    town = await asyncio.to_thread(Town, served)
    phone, _ = await open_page(browser, f"{served.url}/crew#token={town.crew_token}")
    await go_to_work(phone)
    first = await asyncio.to_thread(town.report)
    await expect(phone.locator(f'#offers [data-order="{first}"]')).to_be_visible()
    served.kill_engine()
    await expect(phone.locator("#state")).to_contain_text("reconnecting")
    await expect(phone.locator("#state")).to_contain_text("online", timeout=20_000)
    second = await asyncio.to_thread(town.report)
    await phone.click(f'#offers [data-order="{second}"] .grab')
    await expect(phone.locator(f'#orders [data-order="{second}"]')).to_be_visible(timeout=20_000)


async def test_the_start_page_and_the_wallboard_show_how_things_stand(served: Served, browser: Browser) -> None:
    town = await asyncio.to_thread(Town, served)
    await asyncio.to_thread(town.report)
    start, start_complaints = await open_page(browser, f"{served.url}/")
    await expect(start.locator("#state")).to_contain_text("ready")
    board, board_complaints = await open_page(browser, f"{served.url}/sla#token={town.dispatcher_token}")
    await expect(board.locator("#notice")).to_contain_text("needs role monitor")
    user = await asyncio.to_thread(served.call, "POST", "/users", {"name": "督办", "role": "monitor"})
    token = (await asyncio.to_thread(served.call, "POST", f"/users/{user['id']}/tokens"))["token"]
    await board.click("#signout")
    await board.fill("#token", token)
    await board.click("#signin button")
    await expect(board.locator("#summary")).to_contain_text("arrival")
    assert start_complaints == []
    assert all("403" in complaint for complaint in board_complaints), board_complaints
