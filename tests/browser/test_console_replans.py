"""What the plan proposes where a zone lets a person decide: shown with its effect, taken, turned down, overtaken."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import Browser, Locator, expect

from tests.browser.axe import barriers_in_both_lights
from tests.browser.conftest import Served
from tests.browser.consoles import Console
from tests.browser.phones import Phone
from tests.browser.town import HOME, Town

pytestmark = [pytest.mark.browser, pytest.mark.slow]
ASKED: dict[str, object] = {"mode": "first", "assign_after_s": 0, "replans": "propose"}
SOLVED_MS = 90_000
"""The plan's search is loaded with its first question."""


class Proposed:
    """An order that the machine gave to a far crew, and its proposal to give it to a near one that came later."""

    def __init__(
        self, town: Town, console: Console, order: str, near: tuple[str, Phone], far: tuple[str, Phone]
    ) -> None:
        self.town = town
        self.console = console
        self.order = order
        self.near, self.near_phone = near
        self.far, self.far_phone = far

    @classmethod
    async def make(cls, served: Served, browser: Browser) -> "Proposed":
        town = await asyncio.to_thread(Town, served, ASKED)
        console = await Console.open(browser, served.url, await asyncio.to_thread(town.user, "dispatcher"))
        far = await cls._phone(served, browser, town, "远师傅", 0.08)
        # So late that the far crew misses the deadline and the near one does not: that is worth a move.
        late = (datetime.now(UTC) - timedelta(seconds=600)).isoformat()
        order = await asyncio.to_thread(town.report, reported_at=late)
        await far[1].tab("mine")
        await expect(far[1].order(order, "claimed")).to_be_visible(timeout=SOLVED_MS)
        near = await cls._phone(served, browser, town, "近师傅", 0.0)
        here = cls(town, console, order, near, far)
        await expect(here.proposal).to_be_visible(timeout=SOLVED_MS)
        await expect(here.proposal.locator("[data-settled]")).to_be_attached()
        return here

    @staticmethod
    async def _phone(served: Served, browser: Browser, town: Town, name: str, east: float) -> tuple[str, Phone]:
        crew, token = await asyncio.to_thread(town.crew, name)
        phone = await Phone.open(browser, f"{served.url}/crew#token={token}", at=(HOME.lon + east, HOME.lat))
        await phone.go_on_shift()
        return crew, phone

    @property
    def proposal(self) -> Locator:
        return self.console.page.locator("[data-replan]")

    async def holder(self) -> str:
        return str((await asyncio.to_thread(self.town.order, self.order))["crew"])


async def test_a_proposed_move_shows_its_minutes_and_is_accepted_by_keys_alone(
    served: Served, browser: Browser
) -> None:
    here = await Proposed.make(served, browser)
    await expect(here.proposal).to_contain_text("远师傅 → 近师傅")
    await expect(here.proposal).to_contain_text("现在的人")
    await expect(here.proposal).to_contain_text("早")
    assert await barriers_in_both_lights(here.console.page) == []
    assert await here.holder() == here.far, "nothing moves without a word"
    await here.console.page.keyboard.press("g")
    await expect(here.proposal.locator("[data-accept]")).to_be_focused()
    await here.console.page.keyboard.press("y")
    await expect(here.proposal).to_have_count(0)
    assert await here.holder() == here.near
    await here.near_phone.tab("mine")
    await expect(here.near_phone.order(here.order)).to_be_visible()
    await expect(here.far_phone.order(here.order)).to_have_count(0)
    await here.console.order(here.order).click()
    await here.console.page.get_by_role("tab", name="经过").click()
    await expect(here.console.panel).to_contain_text("系统建议改派：远师傅 → 近师傅")
    await expect(here.console.panel).to_contain_text("您采纳建议，改派 近师傅")
    assert here.console.complaints == []


async def test_a_proposed_move_is_dismissed_by_a_press_and_stays_away(served: Served, browser: Browser) -> None:
    here = await Proposed.make(served, browser)
    await here.proposal.locator("[data-dismiss]").click()
    await expect(here.proposal).to_have_count(0)
    await here.console.page.mouse.move(900, 20)
    other = await asyncio.to_thread(here.town.report, category="no_heat")  # the plan is made anew
    await expect(here.console.order(other)).to_have_attribute("data-state", "claimed", timeout=SOLVED_MS)
    await here.console.page.reload()
    await expect(here.console.order(here.order)).to_be_visible()
    await expect(here.proposal).to_have_count(0)
    assert await here.holder() == here.far


async def test_a_proposed_move_that_is_overtaken_goes_and_says_why(served: Served, browser: Browser) -> None:
    here = await Proposed.make(served, browser)
    await here.far_phone.order(here.order).get_by_role("button", name="出发").click()
    await expect(here.proposal).to_have_count(0)
    await expect(here.console.page.locator("[data-gone]")).to_contain_text("他已经动身")
    assert await barriers_in_both_lights(here.console.page) == []
    await here.console.page.get_by_role("button", name="English").click()
    await expect(here.console.page.locator("[data-gone]")).to_contain_text("has set off")
