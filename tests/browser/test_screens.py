"""What all pages share: the start page leads on, signing in works, a lost server shows, nothing bars anybody's way."""

import asyncio

import httpx
import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.axe import barriers_in_both_lights
from tests.browser.conftest import Served, open_page
from tests.browser.town import Town

pytestmark = [pytest.mark.browser, pytest.mark.slow]


async def test_the_start_page_leads_to_all_three_and_gives_no_sign_in_away(served: Served, browser: Browser) -> None:
    page, complaints = await open_page(browser, served.url)
    await expect(page.locator("[data-health=ready]")).to_be_visible()
    for app in ("crew", "console", "sla"):
        assert await page.locator(f"[data-app={app}]").get_attribute("href") == f"/{app}"
    await page.get_by_role("button", name="English").click()
    await expect(page.get_by_role("link", name="Dispatcher")).to_be_visible()
    assert await page.locator("html").get_attribute("lang") == "en"
    await page.reload()
    await expect(page.get_by_role("link", name="Dispatcher")).to_be_visible()
    assert await barriers_in_both_lights(page) == []
    assert complaints == []


@pytest.mark.parametrize(("app", "role"), [("console", "dispatcher"), ("sla", "monitor")])
async def test_a_large_screen_signs_in_sees_the_city_and_says_when_it_does_not(
    served: Served, browser: Browser, app: str, role: str
) -> None:
    town = await asyncio.to_thread(Town, served)
    token = await asyncio.to_thread(town.user, role)
    page, _ = await open_page(browser, f"{served.url}/{app}#token=wrong")
    await expect(page.get_by_role("alert")).to_be_visible()
    assert await barriers_in_both_lights(page) == []
    await page.get_by_label("令牌").fill(token)
    await page.get_by_role("button", name="登录").click()
    await expect(page.locator("[data-link=connected]")).to_be_visible()
    assert await barriers_in_both_lights(page) == []
    served.kill_engine()
    await expect(page.locator("[data-link=lost]")).to_be_visible()
    await expect(page.locator("[data-link=connected]")).to_be_visible(timeout=20_000)
    await page.reload()
    await expect(page.locator("[data-link=connected]")).to_be_visible()


@pytest.mark.parametrize("path", ["/", "/crew", "/console", "/sla"])
async def test_no_page_may_talk_to_another_host(served: Served, browser: Browser, path: str) -> None:
    page: Page = await browser.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await page.goto(served.url + path)
    await expect(page.locator("#app *").first).to_be_visible()
    assert [url for url in asked if not url.startswith(served.url)] == []
    with pytest.raises(Exception, match="Failed to fetch"):
        await page.evaluate("fetch('http://127.0.0.2:9/')")


async def test_assets_are_kept_for_ever_and_pages_asked_for_again(served: Served, browser: Browser) -> None:
    page: Page = await browser.new_page()
    assets: list[str] = []
    page.on("request", lambda request: assets.append(request.url) if "/assets/" in request.url else None)
    await page.goto(served.url)
    with httpx.Client(base_url=served.url, trust_env=False, verify=False) as client:
        html = client.get("/")
        assert html.headers["cache-control"] == "no-cache"
        assert client.get("/", headers={"If-None-Match": html.headers["etag"]}).status_code == 304
        asset = client.get(assets[0], headers={"Accept-Encoding": "br"})
        assert "immutable" in asset.headers["cache-control"]
        assert asset.headers["content-encoding"] == "br"
