"""The dispatcher's console in a real browser: what is shown, and what a person does to orders."""

import asyncio
from typing import Any

import pytest
from playwright.async_api import Browser, expect

from tests.browser.axe import barriers_in_both_lights
from tests.browser.conftest import Served
from tests.browser.consoles import DUTY_PHONE, Console
from tests.browser.phones import Phone
from tests.browser.town import CITY, HOME, Town

pytestmark = [pytest.mark.browser, pytest.mark.slow]
FIRST: dict[str, object] = {"mode": "first", "assign_after_s": 600}


async def town_of(served: Served) -> Town:
    return await asyncio.to_thread(Town, served, FIRST)


async def dispatcher(served: Served, browser: Browser, town: Town, **device: Any) -> Console:
    token = await asyncio.to_thread(town.user, "dispatcher")
    return await Console.open(browser, served.url, token, **device)


async def phone_of(served: Served, browser: Browser, town: Town, name: str, east: float = 0) -> tuple[str, Phone]:
    """A technician on shift with his phone, some way east of home."""
    crew, token = await asyncio.to_thread(town.crew, name)
    phone = await Phone.open(browser, f"{served.url}/crew#token={token}", at=(HOME.lon + east, HOME.lat))
    await phone.go_on_shift()
    return crew, phone


async def test_a_report_appears_is_told_in_both_languages_and_bars_nobody(served: Served, browser: Browser) -> None:
    town = await town_of(served)
    console = await dispatcher(served, browser, town)
    await console.map_stands()
    await expect(console.page.get_by_text("没有未完工单")).to_be_visible()
    assert await barriers_in_both_lights(console.page) == []
    order = await asyncio.to_thread(town.report, severity=4)
    row = console.order(order)
    await expect(row).to_contain_text("跑冒滴漏")
    await expect(row).to_contain_text("松江家园3栋2单元501")
    await expect(row.get_by_role("img", name="4 级 紧急")).to_be_visible()
    await expect(row).to_contain_text("接单")
    await row.click()
    await console.page.get_by_role("tab", name="经过").click()
    await expect(console.panel).to_contain_text("报修（微信）")
    await expect(console.panel).to_contain_text("开抢：本片区，没有人可通知")
    await expect(console.panel.get_by_role("link", name="13800000000")).to_be_visible()
    assert await barriers_in_both_lights(console.page) == []
    await console.page.get_by_role("button", name="English").click()
    await expect(row).to_contain_text("Leak")
    await expect(console.panel).to_contain_text("Open to grabs: the zone, nobody to tell")
    await console.page.keyboard.press("?")
    await expect(console.dialog).to_contain_text("Take back")
    assert await barriers_in_both_lights(console.page) == []
    assert console.complaints == []


async def test_an_order_without_a_place_is_pointed_out_by_keyboard_or_by_coordinates(
    served: Served, browser: Browser
) -> None:
    town = await town_of(served)
    console = await dispatcher(served, browser, town)
    await console.map_stands()
    order = await asyncio.to_thread(town.report, location=None)
    await console.order(order).click()
    await expect(console.panel).to_contain_text("地点不明")
    press = console.page.keyboard.press
    await press("l")
    asks = console.page.locator("[data-placing]")
    await expect(asks.get_by_role("button", name="就是这里")).to_be_focused()
    assert await barriers_in_both_lights(console.page) == []
    await press("Escape")
    await expect(asks).to_have_count(0)
    await press("l")
    await press("ArrowDown")
    zone = next(one for one in CITY.zones["features"] if one["properties"]["id"] == "zone-09")["properties"]
    await expect(asks.locator("[data-under]")).to_have_text(zone["name"])
    await press("Enter")
    await expect(console.dialog).to_contain_text("定位置")
    await press("Enter")
    await expect(console.toast).to_contain_text("已定位置")
    placed = await asyncio.to_thread(town.order, order)
    assert (placed["state"], placed["zone"]) == ("offered", zone["id"])
    await expect(console.panel).not_to_contain_text("地点不明")
    await press("l")
    await asks.get_by_role("button", name="输入坐标").click()
    await console.dialog.locator("[data-coordinates]").fill("松江家园")
    await expect(console.dialog.get_by_role("alert")).to_contain_text("经度和纬度")
    assert await barriers_in_both_lights(console.page) == []
    await console.dialog.locator("[data-coordinates]").fill(f"{HOME.lat} {HOME.lon}")
    await console.dialog.get_by_role("button", name="地址对上了").click()
    await expect(console.dialog).to_have_count(0)
    moved = await asyncio.to_thread(town.order, order)
    assert moved["location"] == {"lon": HOME.lon, "lat": HOME.lat}
    assert console.complaints == []


async def test_an_order_is_dragged_to_a_crew_while_two_others_grab_it_and_the_person_wins(
    served: Served, browser: Browser
) -> None:
    town = await town_of(served)
    wang, wangs = await phone_of(served, browser, town, "王师傅", east=0.01)
    _, lis = await phone_of(served, browser, town, "李师傅")
    _, zhaos = await phone_of(served, browser, town, "赵师傅")
    console = await dispatcher(served, browser, town)
    order = await asyncio.to_thread(town.report)
    fingers = [await phone.finger_on(order) for phone in (lis, zhaos)]
    await console.drag(order)
    await console.over(wang)
    ghost = console.page.locator("[data-ghost]")
    await expect(ghost).to_contain_text("派给 王师傅")
    await expect(ghost.locator("[data-follows]")).to_contain_text("手上没有单")
    await asyncio.gather(*(finger.evaluate("(button) => button.click()") for finger in fingers))
    await expect(ghost).to_contain_text("抢到")
    await console.drop()
    await expect(console.collision).to_contain_text("抢到")
    await expect(console.collision).to_contain_text("现在：已接单")
    assert await barriers_in_both_lights(console.page) == []
    await console.dialog.get_by_role("button", name="用户要求").click()
    await expect(console.dialog).to_have_count(0)
    await expect(console.order(order)).to_contain_text("王师傅")
    await wangs.tab("mine")
    await expect(wangs.order(order)).to_be_visible()
    for phone in (lis, zhaos):
        await phone.tab("mine")
        await expect(phone.order(order)).to_have_count(0)
    whole = await asyncio.to_thread(town.order, order)
    assert (whole["crew"], whole["claimed_by"]) == (wang, "dispatcher")
    await console.page.get_by_role("tab", name="经过").click()
    await expect(console.panel).to_contain_text("您派给 王师傅")
    assert console.complaints == []


async def test_who_had_not_heard_of_a_grab_is_told_by_the_server_and_one_press_does_it_all_the_same(
    served: Served, browser: Browser
) -> None:
    town = await town_of(served)
    wang, _ = await phone_of(served, browser, town, "王师傅", east=0.01)
    _, lis = await phone_of(served, browser, town, "李师傅")
    token = await asyncio.to_thread(town.user, "dispatcher")
    console, valve = await Console.open_with_a_valve(browser, served.url, token)
    order = await asyncio.to_thread(town.report)
    await console.order(order).click()
    await console.crew(wang).click()
    valve.shut = True
    await lis.grab(order)
    await expect(lis.news).to_contain_text("抢到了")
    await expect(console.collision).to_have_count(0)
    await console.dialog.get_by_role("button", name="他熟悉这里").click()
    await expect(console.collision).to_contain_text("李师傅 抢到")
    await console.dialog.get_by_role("button", name="仍然指派").click()
    await expect(console.dialog).to_have_count(0)
    valve.shut = False
    assert (await asyncio.to_thread(town.order, order))["crew"] == wang


async def test_an_override_by_keyboard_alone_and_its_undo(served: Served, browser: Browser) -> None:
    town = await town_of(served)
    near, _ = await phone_of(served, browser, town, "近师傅")
    far, _ = await phone_of(served, browser, town, "远师傅", east=0.02)
    console = await dispatcher(served, browser, town)
    order = await asyncio.to_thread(town.report)
    await expect(console.order(order)).to_be_visible()
    press = console.page.keyboard.press
    await press("1")
    await expect(console.order(order)).to_be_focused()
    await press("a")
    await expect(console.crew(near)).to_be_focused()
    await press("ArrowDown")
    await expect(console.crew(far)).to_be_focused()
    await press("Enter")
    await expect(console.dialog).to_contain_text("派给 远师傅")
    await expect(console.dialog.locator("[data-quick]").first).to_be_focused()
    await press("Enter")
    await expect(console.toast).to_contain_text("已指派")
    assert (await asyncio.to_thread(town.order, order))["crew"] == far
    await press("u")
    await expect(console.toast).to_contain_text("已撤销")
    assert (await asyncio.to_thread(town.order, order))["state"] == "offered"
    await press("1")
    await press("h")
    await expect(console.dialog).to_contain_text("挂单")
    await console.dialog.get_by_role("textbox").focus()
    await console.page.keyboard.type("等用户回电")
    await press("Enter")
    await expect(console.order(order)).to_have_attribute("data-state", "held")
    assert console.complaints == []


async def test_many_at_once_with_a_result_for_each(served: Served, browser: Browser) -> None:
    town = await town_of(served)
    wang, _ = await asyncio.to_thread(town.crew)
    held, offered = await asyncio.to_thread(town.report), await asyncio.to_thread(town.report, category="no_heat")
    await asyncio.to_thread(town.override, held, "assign", crew=wang)
    console = await dispatcher(served, browser, town)
    await expect(console.order(held)).to_have_attribute("data-state", "claimed")
    for order in (held, offered):
        await console.order(order).focus()
        await console.page.keyboard.press(" ")
    await expect(console.page.locator("[data-bulk]")).to_contain_text("已选 2 单")
    assert await barriers_in_both_lights(console.page) == []
    await console.page.locator("[data-bulk-action=revoke]").click()
    await console.dialog.get_by_role("button", name="联系不上").click()
    await expect(console.dialog).to_contain_text("1 单成功，1 单没成")
    await expect(console.dialog.locator(f'[data-result="{held}"]')).to_have_attribute("data-status", "200")
    await expect(console.dialog.locator(f'[data-result="{offered}"]')).to_have_attribute("data-status", "409")
    assert await barriers_in_both_lights(console.page) == []
    assert (await asyncio.to_thread(town.order, held))["state"] == "offered"


async def test_what_an_assignment_delays_stands_beside_the_candidate(served: Served, browser: Browser) -> None:
    town = await town_of(served)
    wang, _ = await phone_of(served, browser, town, "王师傅")
    first = await asyncio.to_thread(town.report, category="no_heat", severity=2)
    await asyncio.to_thread(town.override, first, "assign", crew=wang)
    burst = await asyncio.to_thread(town.report, category="burst", severity=5)
    console = await dispatcher(served, browser, town)
    await console.order(burst).click()
    await expect(console.crew(wang)).to_contain_text("他手上另外 1 单晚到 20 分钟")
    await expect(console.crew(wang)).to_contain_text("其中 1 单会因此超时")


async def test_nothing_jumps_under_the_pointer(served: Served, browser: Browser) -> None:
    town = await town_of(served)
    calm = await asyncio.to_thread(town.report, category="no_heat", severity=1)
    console = await dispatcher(served, browser, town)
    await console.order(calm).hover()
    place = await console.order(calm).bounding_box()
    burst = await asyncio.to_thread(town.report, category="burst", severity=5)
    await expect(console.page.get_by_text("有 1 条新工单")).to_be_visible()
    await asyncio.to_thread(town.override, calm, "cancel")
    await expect(console.order(calm)).to_contain_text("已取消")
    assert await console.order(calm).bounding_box() == place
    await expect(console.order(burst)).to_have_count(0)
    await console.page.mouse.move(900, 20)
    await expect(console.order(burst)).to_be_visible()
    await expect(console.order(calm)).to_have_count(0)


async def test_a_crew_is_lent_to_another_zone(served: Served, browser: Browser) -> None:
    town = await town_of(served)
    wang, phone = await phone_of(served, browser, town, "王师傅")
    console = await dispatcher(served, browser, town)
    await console.page.locator("[data-figure=idle]").click()
    await console.crew(wang).click()
    await console.page.get_by_role("button", name="修改").click()
    assert await barriers_in_both_lights(console.page) == []
    boxes = console.page.get_by_role("group", name="借调到片区").get_by_role("checkbox")
    other = next(zone for zone in await asyncio.to_thread(town.zones) if zone != HOME.zone)
    await boxes.and_(console.page.locator(f'[value="{other}"]')).check()
    await console.page.get_by_label("最多几单").fill("5")
    await console.page.get_by_role("button", name="保存").click()
    await expect(console.page.get_by_text("已保存")).to_be_visible()
    crews = (await asyncio.to_thread(served.call, "GET", "/crews"))["items"]
    assert [(crew["zones_lent"], crew["capacity"]) for crew in crews] == [([other], 5)]
    assert phone.complaints == console.complaints == []


async def test_the_duty_manager_overrides_on_a_phone_at_night(served: Served, browser: Browser) -> None:
    town = await town_of(served)
    wang, _ = await phone_of(served, browser, town, "王师傅")
    order = await asyncio.to_thread(town.report)
    console = await dispatcher(served, browser, town, color_scheme="dark", **DUTY_PHONE)
    await console.page.locator("[data-view=map]").click()
    await console.map_stands()
    assert await barriers_in_both_lights(console.page) == []
    await console.page.locator("[data-view=crews]").click()
    await expect(console.crew(wang)).to_be_visible()
    assert await barriers_in_both_lights(console.page) == []
    await console.page.locator("[data-view=queue]").click()
    await console.order(order).tap()
    assert await barriers_in_both_lights(console.page) == []
    await console.panel.locator(f'[data-crew="{wang}"]').tap()
    await console.dialog.get_by_role("button", name="他最近").tap()
    await expect(console.toast).to_contain_text("已指派")
    wide = await console.page.evaluate("document.documentElement.scrollWidth")
    assert wide <= 412, "the page scrolls sideways"
    assert console.complaints == []


async def test_a_lost_server_is_said_and_what_was_known_stays(served: Served, browser: Browser) -> None:
    town = await town_of(served)
    order = await asyncio.to_thread(town.report)
    console = await dispatcher(served, browser, town)
    await expect(console.order(order)).to_be_visible()
    await asyncio.to_thread(served.stop)
    await expect(console.page.locator("[data-link=lost]")).to_contain_text("以下是")
    await expect(console.order(order)).to_be_visible()
    await console.order(order).click()
    await expect(console.page.get_by_role("alert")).to_contain_text("连不上服务器")
    assert await barriers_in_both_lights(console.page) == []
    await asyncio.to_thread(served.start)
    later = await asyncio.to_thread(town.report, category="no_heat")
    await expect(console.page.locator("[data-link=connected]")).to_be_visible(timeout=20_000)
    await console.page.mouse.move(900, 20)
    await expect(console.order(later)).to_be_visible()


async def test_a_forgotten_shift_is_ended_from_the_console_and_the_phone_says_why(
    served: Served, browser: Browser
) -> None:
    town = await town_of(served)
    wang, phone = await phone_of(served, browser, town, "王师傅")
    console = await dispatcher(served, browser, town)
    await console.page.locator("[data-figure=idle]").click()
    await console.crew(wang).click()
    await expect(console.panel.locator("[data-since]")).to_contain_text("上的班，已")
    await console.panel.locator("[data-shift]").focus()
    await console.page.keyboard.press("Enter")
    await expect(console.dialog).to_contain_text("他的手机会马上收到")
    assert await barriers_in_both_lights(console.page) == []
    await console.dialog.get_by_role("textbox").fill("连班十四小时")
    await console.page.keyboard.press("Enter")
    await expect(console.dialog).to_have_count(0)
    await expect(console.panel.locator("[data-since]")).to_have_count(0)
    await expect(console.panel).to_contain_text("休班")
    await expect(phone.news).to_contain_text("调度员替您下了班")
    await expect(phone.news).to_contain_text("连班十四小时")
    await expect(phone.page.get_by_role("button", name="上班")).to_be_visible()
    await console.panel.locator("[data-shift]").click()
    await console.dialog.get_by_role("button", name="忘了打卡").click()
    await expect(phone.news).to_contain_text("调度员替您上了班")
    # Chromium's made-up position is told once; where the phone moves, it is told again.
    await phone.context.set_geolocation({"longitude": HOME.lon, "latitude": HOME.lat + 1e-4, "accuracy": 12})
    await expect(phone.page.locator("[data-where=known]")).to_be_visible()
    assert phone.complaints == console.complaints == []


async def test_an_administrator_signs_a_phone_in_by_qr_code_and_out_when_it_is_lost(
    served: Served, browser: Browser
) -> None:
    town = await town_of(served)
    wang, phone = await phone_of(served, browser, town, "王师傅")
    console = await Console.open(browser, served.url, served.admin)
    await console.page.locator("[data-figure=idle]").click()
    await console.crew(wang).click()
    await console.panel.locator("[data-sign-ins]").click()
    await console.dialog.locator("[data-make-link]").click()
    await expect(console.dialog.get_by_role("img", name="登录二维码")).to_be_visible()
    assert await barriers_in_both_lights(console.page) == []
    lost = console.dialog.locator("[data-token]")
    await lost.get_by_role("button", name="作废").click()
    await expect(phone.link("connected")).to_be_visible()
    await lost.get_by_role("button", name="再按一次确定").click()
    await expect(lost).to_have_count(0)
    await expect(phone.page.get_by_label("令牌")).to_be_visible(timeout=15_000)
    assert console.complaints == []
