"""A technician's phone: Chromium as a Pixel 7 that knows where it is; what it says and does is written down."""

from typing import Any

from playwright.async_api import Browser, BrowserContext, ElementHandle, Locator, Page, expect

from tests.browser.town import HOME

PIXEL = {
    "viewport": {"width": 412, "height": 839},
    "device_scale_factor": 2.625,
    "is_mobile": True,
    "has_touch": True,
    "user_agent": "Mozilla/5.0 (Linux; Android 14; Pixel 7) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/130.0.0.0 Mobile Safari/537.36",
}
LISTEN = """
window.told = { spoken: [], shaken: 0, silenced: 0 };
window.SpeechSynthesisUtterance = class { constructor(text) { this.text = text; } };
Object.defineProperty(window, 'speechSynthesis', { value: {
  speak: (words) => window.told.spoken.push(words.text), cancel: () => { window.told.silenced += 1; },
}});
navigator.vibrate = (pattern) => { if (pattern) window.told.shaken += 1; return true; };
"""


class Phone:
    """A page of the phone app, with what tests look for on it."""

    def __init__(self, page: Page, context: BrowserContext) -> None:
        self.page = page
        self.context = context
        self.complaints: list[str] = []
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        # A server that is away is no fault of the page's; what the page may not do is.
        page.on("console", lambda said: self.complaints.append(said.text) if "Security Policy" in said.text else None)

    @classmethod
    async def open(cls, browser: Browser, url: str, *, at: tuple[float, float] = (HOME.lon, HOME.lat)) -> "Phone":
        """Open the app by a link, standing at a place."""
        context = await browser.new_context(
            **PIXEL,  # type: ignore[arg-type]  # a mapping of its arguments
            locale="zh-CN",
            geolocation={"longitude": at[0], "latitude": at[1], "accuracy": 12},
            permissions=["geolocation"],
        )
        page = await context.new_page()
        await page.add_init_script(LISTEN)
        phone = cls(page, context)
        await page.goto(url)
        return phone

    async def go_on_shift(self) -> None:
        """Go on shift and wait until the phone is located."""
        await expect(self.link("connected")).to_be_visible()
        await self.page.get_by_role("button", name="上班").click()
        await expect(self.page.locator("[data-where=known]")).to_be_visible()

    def link(self, kind: str) -> Locator:
        return self.page.locator(f"[data-link={kind}]")

    def offer(self, order: str) -> Locator:
        return self.page.locator(f'.offer[data-order="{order}"]')

    def order(self, order: str, state: str | None = None) -> Locator:
        return self.page.locator(f'.order[data-order="{order}"]' + (f"[data-state={state}]" if state else ""))

    @property
    def news(self) -> Locator:
        return self.page.locator("[data-news]")

    @property
    def ringing(self) -> Locator:
        return self.page.locator("[data-ringing]")

    async def tab(self, name: str) -> None:
        await self.page.locator(f"[data-tab={name}]").click()

    async def grab(self, order: str) -> None:
        await self._button(order).click()

    async def finger_on(self, order: str) -> ElementHandle:
        """Wait until the order can be grabbed and return the button, to be pressed whatever becomes of it by then."""
        await expect(self._button(order)).to_be_enabled()
        return await self._button(order).element_handle()

    def _button(self, order: str) -> Locator:
        return self.offer(order).get_by_role("button", name="抢单")

    async def told(self) -> dict[str, Any]:
        """What it has said and how often it has shaken."""
        told: dict[str, Any] = await self.page.evaluate("window.told")
        return told
