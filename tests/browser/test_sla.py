"""The wallboard in a real browser: figures follow the log, a breach rings once, somebody answers for it, reports."""

import asyncio
import csv
import io
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Locator, Page, expect

from tests.browser.axe import barriers_in_both_lights
from tests.browser.conftest import COARSE, Served, open_page
from tests.browser.phones import Phone
from tests.browser.town import HOME, Town

pytestmark = [pytest.mark.browser, pytest.mark.slow]
FIRST = {"mode": "first", "assign_after_s": 600}
WALL: dict[str, Any] = {"viewport": {"width": 1920, "height": 1080}, **COARSE}
LISTEN = """
window.bells = 0;
window.AudioContext = class {
  constructor() { this.state = 'running'; this.currentTime = 0; this.destination = {}; }
  resume() { return Promise.resolve(); }
  createOscillator() { window.bells += 1; return { frequency: {}, connect: (to) => to, start() {}, stop() {} }; }
  createGain() { return { gain: { setValueAtTime() {}, exponentialRampToValueAtTime() {} }, connect: (to) => to }; }
};
"""
TONES = 4  # of one bell
SPILT = """
[...document.querySelectorAll('.wall .card *')].filter((one) => {
  const [box, card] = [one.getBoundingClientRect(), one.closest('.card').getBoundingClientRect()];
  return !one.closest('svg, .where, details') && box.width && (box.right > card.right + 1 || box.left < card.left - 1);
}).map((one) => one.outerHTML.slice(0, 120))
"""
"""What reaches over the sides of its card; a long address ends in dots, and a table that is folded up has no place."""


CUT = """
() => {
  const rows = [...document.querySelectorAll('.wall .card ol > *')].filter((row) => {
    const [box, list] = [row.getBoundingClientRect(), row.parentElement.getBoundingClientRect()];
    return box.top < list.bottom - 1 && box.bottom > list.bottom + 1;
  });
  return rows.length > 0 && rows.every((row) => getComputedStyle(row).opacity === '0');
}
"""
"""Whether there are rows that the edge of their list cuts through, and none of them shows."""


def ago(seconds: float) -> str:
    return (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat()


class Wall:
    """A wallboard on a page, with what tests look for on it."""

    def __init__(self, page: Page) -> None:
        self.page = page

    @classmethod
    async def open(cls, browser: Browser, served: Served, token: str, **device: Any) -> "Wall":
        page = await (await browser.new_context(**{"locale": "zh-CN", **WALL, **device})).new_page()
        await page.add_init_script(LISTEN)
        await page.goto(f"{served.url}/sla#token={token}")
        wall = cls(page)
        await wall.ready()
        return wall

    async def ready(self) -> None:
        await expect(self.page.locator("[data-link=connected]")).to_be_visible()
        await expect(self.page.locator("[data-share=arrival]")).to_be_visible()

    def share(self, clock: str, window: str = "hour") -> Locator:
        return self.page.locator(f"[data-share={clock}] [data-window={window}]")

    def count(self, name: str) -> Locator:
        return self.page.locator(f'[data-count="{name}"]')

    def alarm(self, order: str, clock: str = "arrival") -> Locator:
        return self.page.locator(f'[data-alarm="{order}"][data-clock={clock}]')

    def seen(self, order: str, clock: str = "arrival") -> Locator:
        return self.page.locator(f'[data-seen="{order}"][data-clock={clock}]')

    async def bells(self) -> int:
        tones: int = await self.page.evaluate("window.bells")
        return tones // TONES


@pytest.fixture
def town(served: Served) -> Iterator[Town]:
    """A town in which the first grab wins."""
    yield Town(served, FIRST)


async def test_the_figures_follow_a_report_from_the_call_to_the_door(town: Town, browser: Browser) -> None:
    monitor = await asyncio.to_thread(town.user, "monitor")
    _, token = await asyncio.to_thread(town.crew)
    wall = await Wall.open(browser, town.served, monitor)
    await expect(wall.share("arrival")).to_contain_text("还没有")
    await expect(wall.count("on-shift")).to_have_text("0")
    phone = await Phone.open(browser, f"{town.served.url}/crew#token={token}")
    await phone.go_on_shift()
    await expect(wall.count("idle")).to_have_text("1")
    order = await asyncio.to_thread(town.report)
    clock = wall.page.locator(f'[data-clock="{order}|hand_down"]')
    await expect(clock).to_contain_text("接单")
    await expect(wall.page.locator(f'[data-danger="{order}"]').first).to_contain_text("王师傅")
    await expect(wall.page.locator(f'[data-danger="{order}"]').first).to_contain_text("可派人")
    table = wall.page.locator(f'tr[data-zone="{HOME.zone}"]')
    await expect(table.locator("td").last).to_have_text("1")
    await phone.grab(order)
    await expect(wall.share("hand_down")).to_contain_text("100%")
    await expect(wall.share("hand_down", "week")).to_contain_text("1 / 1")
    await expect(wall.count("busy")).to_have_text("1")
    await expect(wall.page.locator("[data-claim=grab]")).to_contain_text("1")
    await expect(clock).to_have_count(0)
    await phone.tab("mine")
    mine = phone.order(order)
    await mine.get_by_role("button", name="出发").click()
    await mine.get_by_role("button", name="到达").click()
    await expect(wall.share("arrival")).to_contain_text("100%")
    await expect(wall.share("arrival", "today")).to_contain_text("1 / 1")
    await expect(wall.page.locator(f'svg [data-zone="{HOME.zone}"]')).to_have_attribute("data-share", "100%")
    fresh = await Wall.open(browser, town.served, monitor)
    for window in ("hour", "today", "week"):
        for clock_name in ("hand_down", "arrival"):
            followed = await wall.share(clock_name, window).inner_text()
            assert followed == await fresh.share(clock_name, window).inner_text(), "as if counted anew"


async def test_a_breach_rings_once_and_not_again_after_a_reload(town: Town, browser: Browser) -> None:
    old = await asyncio.to_thread(town.report, reported_at=ago(2000))
    monitor = await asyncio.to_thread(town.user, "monitor")
    wall = await Wall.open(browser, town.served, monitor)
    await expect(wall.alarm(old)).to_be_visible()
    assert await wall.bells() == 0, "what was late before is shown, and does not ring"
    # Late is what is past its deadline already: its alarms fire at the next look, and are new.
    late = await asyncio.to_thread(town.report, reported_at=ago(1000))
    await expect(wall.alarm(late)).to_contain_text("到场")
    await expect(wall.alarm(late, "hand_down")).to_be_visible()
    await expect(wall.page.locator("[data-ringing]")).to_be_visible()
    rung = await wall.bells()
    assert 1 <= rung <= 2, "once for each clock at most"
    await wall.page.reload()
    await wall.ready()
    await expect(wall.alarm(late)).to_be_visible()
    await expect(wall.share("arrival")).to_contain_text("0%")
    assert await wall.bells() == 0
    await expect(wall.page.locator("[data-ringing]")).to_have_count(0)


async def test_an_answer_to_an_alarm_is_seen_on_another_screen_with_its_note(town: Town, browser: Browser) -> None:
    order = await asyncio.to_thread(town.report, reported_at=ago(2000))
    monitor = await asyncio.to_thread(town.user, "monitor")
    dispatcher = await asyncio.to_thread(town.user, "dispatcher")
    mine = await Wall.open(browser, town.served, monitor)
    theirs = await Wall.open(browser, town.served, dispatcher)
    await expect(theirs.alarm(order)).to_be_visible()
    await mine.alarm(order).get_by_role("button", name="确认").click()
    assert await barriers_in_both_lights(mine.page) == []
    await mine.page.get_by_label("处理说明").fill("已电话催促王师傅")
    await mine.page.get_by_role("dialog").get_by_role("button", name="确认").click()
    for wall in (mine, theirs):
        await expect(wall.alarm(order)).to_have_count(0)
        await expect(wall.seen(order)).to_contain_text("已电话催促王师傅")
        await expect(wall.seen(order)).to_contain_text("monitor")
    await expect(theirs.alarm(order, "hand_down")).to_be_visible()
    # By the keyboard alone, without a word.
    await theirs.alarm(order, "hand_down").get_by_role("button", name="确认").press("Enter")
    await theirs.page.get_by_role("dialog").get_by_role("button", name="确认").press("Enter")
    await expect(mine.seen(order, "hand_down")).to_contain_text("已确认")
    await expect(mine.page.get_by_text("没有未确认的告警")).to_be_visible()


async def test_rows_under_a_finger_stay_and_new_alarms_wait(town: Town, browser: Browser) -> None:
    order = await asyncio.to_thread(town.report, reported_at=ago(2000))
    wall = await Wall.open(browser, town.served, await asyncio.to_thread(town.user, "monitor"))
    button = wall.alarm(order).get_by_role("button", name="确认")
    await button.hover()
    where = await button.bounding_box()
    await asyncio.to_thread(town.report, reported_at=ago(1000))
    await expect(wall.page.get_by_text("2 条新告警在等")).to_be_visible()
    box = await button.bounding_box()
    assert box is not None
    assert where is not None
    assert abs(box["y"] - where["y"]) < where["height"], "it is still under the finger"
    await wall.page.mouse.move(5, 5)
    await expect(wall.page.get_by_text("条新告警在等")).to_have_count(0)
    await expect(wall.page.locator("[data-alarm]")).to_have_count(4)


async def test_a_lost_server_shows_and_what_was_missed_is_made_up_for(town: Town, browser: Browser) -> None:
    wall = await Wall.open(browser, town.served, await asyncio.to_thread(town.user, "monitor"))
    town.served.stop()
    await expect(wall.page.locator("[data-link=lost]")).to_be_visible()
    await expect(wall.share("arrival")).to_be_visible()
    assert await barriers_in_both_lights(wall.page) == []
    await asyncio.to_thread(town.served.start)
    await asyncio.to_thread(town.report)
    await expect(wall.page.locator("[data-link=connected]")).to_be_visible(timeout=30_000)
    await expect(wall.page.locator(f'tr[data-zone="{HOME.zone}"] td').last).to_have_text("1", timeout=15_000)


@pytest.mark.parametrize("size", [(1920, 1080), (1200, 760), (412, 839)])
async def test_nobody_is_barred_in_either_language_and_nothing_is_cut_off(
    town: Town, browser: Browser, size: tuple[int, int]
) -> None:
    monitor = await asyncio.to_thread(town.user, "monitor")
    width, height = size
    wall = await Wall.open(browser, town.served, monitor, viewport={"width": width, "height": height})
    complaints: list[str] = []
    wall.page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    assert await barriers_in_both_lights(wall.page) == [], "empty"
    await asyncio.to_thread(town.report, reported_at=ago(1000))
    await asyncio.to_thread(town.report, reported_at=ago(500))
    await expect(wall.page.locator("[data-alarm]")).to_have_count(2)
    await expect(wall.page.locator("[data-danger]").first).to_be_visible()
    assert await barriers_in_both_lights(wall.page) == [], "Chinese"
    await wall.page.get_by_role("button", name="English").click()
    await expect(wall.page.get_by_role("heading", name="Breaches")).to_be_visible()
    assert await barriers_in_both_lights(wall.page) == [], "English"
    assert await wall.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    # Figures of a bad day: no card may push one out of sight.
    await wall.page.evaluate(
        "document.querySelectorAll('[data-count] dd, [data-count=on-shift], [data-claim] b').forEach("
        "(figure) => { figure.textContent = '8888'; })"
    )
    assert await wall.page.evaluate(SPILT) == []
    await wall.page.get_by_role("button", name="中文").click()
    assert await wall.page.evaluate(SPILT) == []
    if width >= 1200:
        assert await wall.page.evaluate("document.documentElement.scrollHeight <= innerHeight"), (
            "a wall is not scrolled"
        )
    if width == 1200:
        for _ in range(8):
            await asyncio.to_thread(town.report)
        await wall.page.wait_for_function(CUT)
    assert complaints == []


async def test_light_is_chosen_by_hand_and_remembered(town: Town, browser: Browser) -> None:
    wall = await Wall.open(browser, town.served, await asyncio.to_thread(town.user, "monitor"))
    await wall.page.get_by_role("button", name="换深色").click()
    await expect(wall.page.locator("html[data-theme=dark]")).to_be_attached()
    await wall.page.reload()
    await wall.ready()
    await expect(wall.page.locator("html[data-theme=dark]")).to_be_attached()


async def test_a_token_of_another_role_is_told_so(town: Town, browser: Browser) -> None:
    intake = await asyncio.to_thread(town.user, "intake")
    page, _ = await open_page(browser, f"{town.served.url}/sla#token={intake}")
    await expect(page.get_by_role("alert")).to_be_visible()
    await expect(page.get_by_label("令牌")).to_be_visible()


async def test_a_periods_report_is_shown_printed_and_taken_along(town: Town, browser: Browser, tmp_path: Path) -> None:
    order = await asyncio.to_thread(town.report, reported_at=ago(30), address={"text": "=1+1"})
    monitor = await asyncio.to_thread(town.user, "monitor")
    wall = await Wall.open(browser, town.served, monitor)
    page = wall.page
    await page.get_by_role("link", name="时段报告").click()
    await page.get_by_role("button", name="本周").click()
    await expect(page.locator("[data-report]")).to_contain_text("共 1 单报修")
    await expect(page.locator("tr[data-clock=arrival]")).to_contain_text("到场")
    await expect(page.locator(".chart canvas")).to_have_count(2)
    assert await barriers_in_both_lights(page) == []
    await page.emulate_media(media="print")
    await expect(page.get_by_role("button", name="下载 CSV")).to_be_hidden()
    paper = await page.pdf(prefer_css_page_size=True)
    assert paper.startswith(b"%PDF-")
    assert len(paper) > 10_000
    await page.emulate_media(media="screen")
    async with page.expect_download() as waiting:
        await page.get_by_role("button", name="下载 CSV").click()
    kept = tmp_path / (await waiting.value).suggested_filename
    await (await waiting.value).save_as(kept)
    assert kept.name.startswith("qiangdan-sla-")
    (row,) = csv.DictReader(io.StringIO(kept.read_text("utf-8-sig")))
    assert (row["工单号"], row["地址"]) == (order, "'=1+1")
    async with page.expect_download() as waiting:
        await page.get_by_role("button", name="下载 Excel").click()
    await (await waiting.value).save_as(tmp_path / "report.xlsx")
    with zipfile.ZipFile(tmp_path / "report.xlsx") as book:
        assert order in book.read("xl/worksheets/sheet3.xml").decode()
        assert "工单台账" in book.read("xl/workbook.xml").decode()
    await page.get_by_label("止（含当日）").fill("2020-01-01")
    await expect(page.get_by_role("alert")).to_contain_text("止日不能早于起日")
    await page.get_by_role("button", name="English").click()
    await page.get_by_role("button", name="Last week").click()
    await expect(page.locator("[data-report]")).to_contain_text("0 reports")
    await expect(page.get_by_text("No breach in this period")).to_be_visible()
    assert await barriers_in_both_lights(page) == []
