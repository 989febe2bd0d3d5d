"""A dispatcher's console in a browser, with what tests look for on it."""

from typing import Any

from playwright.async_api import Browser, Locator, Page, WebSocketRoute, expect

from tests.browser.conftest import COARSE

DESKTOP = {"viewport": {"width": 1440, "height": 900}, **COARSE}
DUTY_PHONE = {"viewport": {"width": 412, "height": 839}, "is_mobile": True, "has_touch": True}


class Console:
    """A page of the console."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    @classmethod
    async def open(cls, browser: Browser, url: str, token: str, **device: Any) -> "Console":
        """Open it by a link and wait until it shows the city."""
        context = await browser.new_context(**{"locale": "zh-CN", **DESKTOP, **device})
        console = cls(await context.new_page())
        await console.page.goto(f"{url}/console#token={token}")
        await expect(console.page.locator("[data-link=connected]")).to_be_visible()
        return console

    @classmethod
    async def open_with_a_valve(cls, browser: Browser, url: str, token: str) -> tuple["Console", "Valve"]:
        """Open it with a valve in its socket, so that a test can hold back what the server says."""
        context = await browser.new_context(locale="zh-CN", **DESKTOP)  # type: ignore[arg-type]  # of its arguments
        console, valve = cls(await context.new_page()), Valve()
        await console.page.route_web_socket("**/ws/v1/console", valve.join)
        await console.page.goto(f"{url}/console#token={token}")
        await expect(console.page.locator("[data-link=connected]")).to_be_visible()
        return console, valve

    def order(self, order: str) -> Locator:
        return self.page.locator(f'[data-queue] [data-order="{order}"]')

    def crew(self, crew: str) -> Locator:
        """A crew as a candidate or in the list of crews."""
        return self.page.locator(f'[data-crew="{crew}"]').first

    @property
    def dialog(self) -> Locator:
        return self.page.get_by_role("dialog")

    @property
    def collision(self) -> Locator:
        return self.page.locator("[data-collision]")

    @property
    def toast(self) -> Locator:
        return self.page.locator("[data-toast]")

    @property
    def panel(self) -> Locator:
        return self.page.locator("[data-panel]")

    async def map_stands(self) -> None:
        await expect(self.page.locator("[data-map=ready]")).to_be_attached(timeout=20_000)

    async def drag(self, order: str) -> None:
        """Take an order from the queue and hold it."""
        box = await self.order(order).bounding_box()
        assert box is not None
        await self.page.mouse.move(box["x"] + 120, box["y"] + 30)
        await self.page.mouse.down()
        await self.page.mouse.move(box["x"] + 200, box["y"] + 60, steps=4)
        await expect(self.page.locator("[data-ghost]")).to_be_visible()

    async def over(self, crew: str) -> None:
        """Move what is held over a crew."""
        await expect(self.crew(crew)).to_be_visible()
        box = await self.crew(crew).bounding_box()
        assert box is not None
        await self.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, steps=4)

    async def drop(self) -> None:
        await self.page.mouse.up()


class Valve:
    """Lets a console's socket through, or holds back what the server says."""

    def __init__(self) -> None:
        self.shut = False

    def join(self, socket: WebSocketRoute) -> None:
        """Stand between the page and the server."""
        server = socket.connect_to_server()
        socket.on_message(server.send)
        server.on_message(lambda message: None if self.shut else socket.send(message))
