"""The technician's phone in a real browser: from the QR code to the resident's door."""

import asyncio
import json

import pytest
from playwright.async_api import Browser, expect

from tests.browser.axe import barriers_in_both_lights
from tests.browser.conftest import Served
from tests.browser.phones import Phone
from tests.browser.town import HOME, Town

pytestmark = [pytest.mark.browser, pytest.mark.slow]
# Bids are collected for a while, and no machine takes the orders away from the test.
FIRST = {"mode": "first", "assign_after_s": 600}
SEALED = {"mode": "sealed", "window_s": 60, "assign_after_s": 600}


async def town_of(served: Served, policy: dict[str, object]) -> Town:
    return await asyncio.to_thread(Town, served, policy)


async def test_a_link_signs_the_phone_in_once(served: Served, browser: Browser) -> None:
    town = await town_of(served, FIRST)
    crew, _ = await asyncio.to_thread(town.crew)
    link = await asyncio.to_thread(served.call, "POST", f"/crews/{crew}/sign-in-links")
    phone = await Phone.open(browser, link["url"])
    await expect(phone.link("connected")).to_be_visible()
    assert "code=" not in phone.page.url
    await phone.page.reload()
    await expect(phone.link("connected")).to_be_visible()
    thief = await Phone.open(browser, link["url"])
    await expect(thief.page.get_by_role("alert")).to_contain_text("不能用了")
    assert await barriers_in_both_lights(thief.page) == []
    await phone.tab("day")
    phone.page.once("dialog", lambda dialog: dialog.accept())
    await phone.page.get_by_role("button", name="退出登录").click()
    await expect(phone.page.get_by_label("令牌")).to_be_visible()
    assert phone.complaints == []


async def test_three_hear_of_a_report_one_grabs_it_and_goes_all_the_way(served: Served, browser: Browser) -> None:
    town = await town_of(served, FIRST)
    phones = []
    for name in ("王师傅", "李师傅", "赵师傅"):
        _, token = await asyncio.to_thread(town.crew, name)
        phones.append(await Phone.open(browser, f"{served.url}/crew#token={token}"))
        await phones[-1].go_on_shift()
    order = await asyncio.to_thread(town.report)
    for phone in phones:
        await expect(phone.offer(order)).to_contain_text("跑冒滴漏")
        await expect(phone.offer(order)).to_contain_text("松江家园3栋2单元501")
        await expect(phone.offer(order)).to_contain_text("先到先得")
        await expect(phone.ringing).to_be_visible()
        told = await phone.told()
        assert told["spoken"][0].startswith("新工单，跑冒滴漏，松江家园3栋2单元501")
        assert told["shaken"] > 0
    winner, *others = phones
    assert await barriers_in_both_lights(winner.page) == []
    await winner.grab(order)
    await expect(winner.news).to_contain_text("抢到了")
    for phone in others:
        await expect(phone.offer(order)).to_have_count(0)
        await expect(phone.ringing).to_have_count(0)
        assert (await phone.told())["silenced"] > 0
        await phone.tab("mine")
        await expect(phone.page.get_by_text("手上没有单")).to_be_visible()
    await winner.news.get_by_role("button", name="去看").click()
    mine = winner.order(order)
    await expect(mine.get_by_role("link", name="打电话")).to_have_attribute("href", "tel:13800000000")
    way = await mine.get_by_role("link", name="导航").get_attribute("href")
    assert way is not None
    assert way.startswith("amapuri://route/plan/")
    assert f"{HOME.lon:.4f}" not in way, "Amap wants GCJ-02"
    assert await barriers_in_both_lights(winner.page) == []
    await mine.get_by_role("button", name="出发").click()
    await mine.get_by_role("button", name="到达").click()
    await mine.get_by_role("button", name="完成").click()
    assert await barriers_in_both_lights(winner.page) == []
    sheet = winner.page.get_by_role("dialog")
    await sheet.get_by_label("室温").fill("热")
    await sheet.get_by_role("button", name="完成，提交").click()
    await expect(sheet.get_by_role("alert")).to_contain_text("-60 到 100")
    await sheet.get_by_label("室温").fill("21.5")
    await sheet.get_by_label("处理情况").fill("换了阀门")
    await sheet.locator("input[type=file]").set_input_files(
        {"name": "p.png", "mimeType": "image/png", "buffer": await winner.page.screenshot()}
    )
    await expect(sheet.get_by_role("img")).to_be_visible()
    await sheet.get_by_role("button", name="完成，提交").click()
    await expect(winner.order(order)).to_have_count(0)
    whole = await asyncio.to_thread(town.order, order)
    (resolved,) = [event for event in whole["timeline"] if event["kind"] == "order.resolved"]
    evidence = resolved["data"]["evidence"]
    assert (evidence["temperature_c"], evidence["note"]) == (21.5, "换了阀门")
    picture = await asyncio.to_thread(town.photo, evidence["photo"])
    assert picture.startswith(b"\xff\xd8\xff")
    await winner.tab("day")
    await expect(winner.page.locator("[data-figure=resolved]")).to_have_text("1")
    assert await barriers_in_both_lights(winner.page) == []
    assert [phone.complaints for phone in phones] == [[], [], []]


async def test_a_sealed_bid_is_acknowledged_and_the_loser_is_shown_the_next(served: Served, browser: Browser) -> None:
    town = await town_of(served, SEALED)
    _, near_token = await asyncio.to_thread(town.crew, "近")
    _, far_token = await asyncio.to_thread(town.crew, "远")
    near = await Phone.open(browser, f"{served.url}/crew#token={near_token}")
    far = await Phone.open(browser, f"{served.url}/crew#token={far_token}", at=(HOME.lon + 0.03, HOME.lat))
    await near.go_on_shift()
    await far.go_on_shift()
    first = await asyncio.to_thread(town.report)
    second = await asyncio.to_thread(town.report, category="no_heat", severity=2)
    for phone in (near, far):
        await expect(phone.offer(first)).to_contain_text("最早能到的得单")
        await expect(phone.offer(second)).to_be_visible()
    await far.grab(first)
    await expect(far.page.locator(f'[data-order="{first}"][data-bid=in]')).to_contain_text("已报名，等结果")
    assert await barriers_in_both_lights(far.page) == []
    await near.grab(first)  # everybody has answered now, so the window closes
    await expect(near.news).to_contain_text("抢到了")
    await expect(far.news).to_contain_text("没抢到：有人能更早到")
    await far.news.get_by_role("button", name="看下一单").click()
    await expect(far.offer(second)).to_be_in_viewport()


async def test_what_is_handed_back_leaves_the_phone_and_what_is_revoked_says_why(
    served: Served, browser: Browser
) -> None:
    town = await town_of(served, FIRST)
    crew, token = await asyncio.to_thread(town.crew)
    phone = await Phone.open(browser, f"{served.url}/crew#token={token}")
    await phone.go_on_shift()
    first, second = [await asyncio.to_thread(town.report) for _ in range(2)]
    for order in (first, second):
        await asyncio.to_thread(town.override, order, "assign", crew=crew)
    await expect(phone.news).to_contain_text("调度员给您派了一单")
    assert any("给您派了一单" in text for text in (await phone.told())["spoken"])
    await phone.tab("mine")
    await phone.order(first).get_by_role("button", name="挂起").click()
    assert await barriers_in_both_lights(phone.page) == []
    await phone.page.get_by_label("情况说明").fill("敲门无人应答")
    await phone.page.get_by_role("button", name="用户不在家").click()
    await expect(phone.order(first, "suspended")).to_contain_text("已挂起")
    clock = (await asyncio.to_thread(town.order, first))["clocks"]["resolve"]
    assert (clock["state"], clock["pause_reason"]) == ("paused", "resident_absent")
    await phone.order(first).get_by_role("button", name="退单").click()
    await phone.page.get_by_role("button", name="没有配件").click()
    await expect(phone.order(first)).to_have_count(0)
    assert (await asyncio.to_thread(town.order, first))["state"] == "offered"
    await asyncio.to_thread(town.override, second, "hold")
    await expect(phone.news).to_contain_text("工单被收回：顾客改约")
    await expect(phone.order(second)).to_have_count(0)


async def test_an_english_technician_reads_english(served: Served, browser: Browser) -> None:
    town = await town_of(served, FIRST)
    _, token = await asyncio.to_thread(town.crew)
    phone = await Phone.open(browser, f"{served.url}/crew#token={token}")
    await phone.go_on_shift()
    await phone.page.get_by_role("button", name="English").click()
    order = await asyncio.to_thread(town.report)
    await expect(phone.offer(order)).to_contain_text("First come, first served")
    assert (await phone.told())["spoken"][0].startswith("New order. Leak.")
    await phone.page.get_by_role("button", name="Got it").click()
    await expect(phone.ringing).to_have_count(0)
    await phone.offer(order).get_by_role("button", name="GRAB").click()
    await expect(phone.news).to_contain_text("It is yours!")
    await phone.tab("mine")
    await expect(phone.order(order).get_by_role("button", name="Set off")).to_be_visible()
    assert await barriers_in_both_lights(phone.page) == []


async def test_a_phone_without_a_position_says_so(served: Served, browser: Browser) -> None:
    town = await town_of(served, FIRST)
    _, token = await asyncio.to_thread(town.crew)
    phone = await Phone.open(browser, f"{served.url}/crew#token={token}")
    await expect(phone.link("connected")).to_be_visible()
    await phone.context.clear_permissions()
    await phone.page.get_by_role("button", name="上班").click()
    await expect(phone.page.locator("[data-where=denied]")).to_contain_text("定位被拒绝")


async def test_the_app_can_be_installed(served: Served, browser: Browser) -> None:
    phone = await Phone.open(browser, f"{served.url}/crew")
    manifest = json.loads(await phone.page.evaluate("fetch('/crew.webmanifest').then((r) => r.text())"))
    assert (manifest["start_url"], manifest["scope"], manifest["display"]) == ("/crew", "/crew", "standalone")
    for icon in manifest["icons"]:
        assert await phone.page.evaluate("(src) => fetch(src).then((r) => r.status)", icon["src"]) == 200
    scope = await phone.page.evaluate("navigator.serviceWorker.ready.then((it) => new URL(it.scope).pathname)")
    assert scope == "/crew"
