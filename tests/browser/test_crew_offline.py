"""The technician's phone when the server is away: it says what it knows and since when, and comes back right."""

import asyncio
from datetime import datetime

import pytest
from playwright.async_api import Browser, expect

from tests.browser.axe import barriers_in_both_lights
from tests.browser.conftest import Served
from tests.browser.phones import Phone
from tests.browser.town import HOME, Town

pytestmark = [pytest.mark.browser, pytest.mark.slow]
FIRST = {"mode": "first", "assign_after_s": 600}


async def holding(served: Served, browser: Browser) -> tuple[Town, Phone, str, str]:
    """A town, a phone on shift that holds an order, the order, and the crew."""
    town = await asyncio.to_thread(Town, served, FIRST)
    crew, token = await asyncio.to_thread(town.crew)
    phone = await Phone.open(browser, f"{served.url}/crew#token={token}")
    await phone.go_on_shift()
    order = await asyncio.to_thread(town.report)
    await phone.grab(order)
    await expect(phone.news).to_contain_text("抢到了")
    await phone.tab("mine")
    await expect(phone.order(order, "claimed")).to_be_visible()
    return town, phone, order, crew


async def test_steps_taken_without_the_server_are_sent_later_with_the_time_of_the_step(
    served: Served, browser: Browser
) -> None:
    town, phone, order, _ = await holding(served, browser)
    served.stop()
    await expect(phone.link("lost")).to_contain_text("断线")
    await phone.order(order).get_by_role("button", name="出发").click()
    await phone.order(order).get_by_role("button", name="到达").click()
    await expect(phone.order(order, "arrived")).to_contain_text("还没发出")
    await expect(phone.page.locator("[data-unsent]")).to_contain_text("2 条未发送")
    assert await barriers_in_both_lights(phone.page) == []
    said_at = datetime.now().astimezone()
    await phone.page.reload()
    await phone.tab("mine")
    await expect(phone.order(order, "arrived")).to_contain_text("还没发出")
    await expect(phone.page.locator("[data-unsent]")).to_be_visible()
    await phone.order(order).get_by_role("button", name="完成").click()
    await phone.page.get_by_label("处理情况").fill("放气")
    await phone.page.get_by_role("button", name="完成，提交").click()
    await asyncio.to_thread(served.start)
    await expect(phone.link("connected")).to_be_visible(timeout=30_000)
    await expect(phone.order(order)).to_have_count(0)
    await expect(phone.page.locator("[data-unsent]")).to_have_count(0)
    told = (await asyncio.to_thread(town.order, order))["timeline"]
    steps = [event for event in told if event["kind"] in ("order.en_route", "order.arrived", "order.resolved")]
    assert [step["kind"] for step in steps] == ["order.en_route", "order.arrived", "order.resolved"]
    assert datetime.fromisoformat(steps[1]["data"]["device_at"]) <= said_at < datetime.fromisoformat(steps[1]["at"])
    assert steps[2]["data"]["evidence"]["note"] == "放气"
    assert phone.complaints == []


async def test_what_was_taken_away_meanwhile_is_gone_after_the_tunnel(served: Served, browser: Browser) -> None:
    town, phone, order, _ = await holding(served, browser)
    other, _ = await asyncio.to_thread(town.crew, "李师傅")
    await phone.context.set_offline(True)
    await phone.page.reload()
    await expect(phone.link("lost")).to_contain_text("断线")
    await phone.tab("mine")
    await expect(phone.link("lost")).to_contain_text("以下是")
    await expect(phone.order(order)).to_be_visible()
    await asyncio.to_thread(town.override, order, "assign", crew=other)
    await phone.order(order).get_by_role("button", name="出发").click()
    await phone.context.set_offline(False)
    await expect(phone.link("connected")).to_be_visible(timeout=30_000)
    await expect(phone.order(order)).to_have_count(0)
    await expect(phone.news).to_contain_text("没有被接受")
    assert (await asyncio.to_thread(town.order, order))["crew"] == other


async def test_an_engine_that_is_killed_costs_nothing_but_a_moment(served: Served, browser: Browser) -> None:
    town, phone, order, _ = await holding(served, browser)
    await phone.tab("offers")
    served.kill_engine()
    await expect(phone.link("lost")).to_be_visible()
    await expect(phone.page.get_by_text("收不到新单")).to_be_visible()
    await expect(phone.link("connected")).to_be_visible(timeout=30_000)
    second = await asyncio.to_thread(town.report)
    await phone.grab(second)
    await phone.tab("mine")
    await expect(phone.order(second, "claimed")).to_be_visible()
    await expect(phone.order(order, "claimed")).to_be_visible()


async def test_a_phone_that_wakes_up_on_a_dead_socket_notices_within_seconds(served: Served, browser: Browser) -> None:
    _, phone, order, _ = await holding(served, browser)
    served.freeze_engine()
    try:
        await phone.page.evaluate("window.dispatchEvent(new PageTransitionEvent('pageshow'))")
        await expect(phone.link("lost")).to_be_visible(timeout=15_000)
        await expect(phone.link("lost")).to_contain_text("以下是")
    finally:
        served.thaw_engine()
    await expect(phone.link("connected")).to_be_visible(timeout=30_000)
    await expect(phone.order(order, "claimed")).to_be_visible()


async def test_an_offer_that_went_while_the_phone_was_away_neither_shows_nor_rings(
    served: Served, browser: Browser
) -> None:
    town, phone, _, _ = await holding(served, browser)
    await phone.tab("offers")
    order = await asyncio.to_thread(town.report)
    await expect(phone.offer(order)).to_be_visible()
    await expect(phone.ringing).to_be_visible()
    served.stop()
    await expect(phone.link("lost")).to_be_visible()
    await expect(phone.offer(order).get_by_role("button", name="暂不能抢")).to_be_disabled()
    assert await barriers_in_both_lights(phone.page) == []
    await asyncio.to_thread(served.start)
    await asyncio.to_thread(town.override, order, "hold")
    await expect(phone.link("connected")).to_be_visible(timeout=30_000)
    await expect(phone.offer(order)).to_have_count(0)
    await expect(phone.ringing).to_have_count(0)


async def test_a_bid_outlives_the_engine_and_the_app(served: Served, browser: Browser) -> None:
    sealed = {"mode": "sealed", "window_s": 60, "assign_after_s": 600}
    town = await asyncio.to_thread(Town, served, sealed)
    phones = []
    for name, away in (("近", 0.0), ("远", 0.03)):
        _, token = await asyncio.to_thread(town.crew, name)
        phones.append(await Phone.open(browser, f"{served.url}/crew#token={token}", at=(HOME.lon + away, HOME.lat)))
        await phones[-1].go_on_shift()
    near, far = phones
    order = await asyncio.to_thread(town.report)
    await near.grab(order)
    await expect(near.page.locator(f'[data-order="{order}"][data-bid=in]')).to_be_visible()
    served.kill_engine()
    await expect(near.link("lost")).to_be_visible()
    await near.page.reload()
    await expect(near.page.locator(f'[data-order="{order}"][data-bid=in]')).to_be_visible()
    for phone in phones:
        await expect(phone.link("connected")).to_be_visible(timeout=30_000)
    await far.grab(order)
    await expect(far.news).to_contain_text("没抢到", timeout=20_000)
    await expect(near.news).to_contain_text("抢到了")
    await near.tab("mine")
    await expect(near.order(order, "claimed")).to_be_visible()


async def test_a_second_phone_takes_over_and_the_first_says_so(served: Served, browser: Browser) -> None:
    town = await asyncio.to_thread(Town, served, FIRST)
    _, token = await asyncio.to_thread(town.crew)
    first = await Phone.open(browser, f"{served.url}/crew#token={token}")
    await expect(first.link("connected")).to_be_visible()
    second = await Phone.open(browser, f"{served.url}/crew#token={token}")
    await expect(second.link("connected")).to_be_visible()
    await expect(first.link("ended")).to_contain_text("另一台设备")
    assert await barriers_in_both_lights(first.page) == []
    await first.page.get_by_role("button", name="在这里继续").click()
    await expect(first.link("connected")).to_be_visible()
    await expect(second.link("ended")).to_be_visible()
