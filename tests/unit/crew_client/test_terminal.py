"""The terminal app driven by keys, against a server of the test: what the technician sees and what is said."""

import itertools
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from textual.widgets import DataTable, RichLog, Static

from crew_client import CrewClient, Evidence, ReplacedError
from crew_client.protocol import Decline, Grab, GrabResult, OfferClosed, Position, Progress, ProgressAck, Shift, Updated
from crew_client.protocol.messages import ProgressTo
from crew_client.radio import Radio
from crew_client.terminal import CrewTerminal
from crew_client.transport import open_socket
from crew_client.wording import countdown, distance, place

Connect = Callable[..., CrewClient]


class Screen:
    """What the technician can read."""

    def __init__(self, app: CrewTerminal, pilot: Any) -> None:
        self.app = app
        self.pilot = pilot

    def rows(self, name: str) -> list[str]:
        table = self.app.screen_stack[0].query_one(f"#{name}", DataTable)
        return [" | ".join(cell.plain for cell in table.get_row(key)) for key in table.rows]

    @property
    def status(self) -> str:
        return str(self.app.screen_stack[0].query_one("#status", Static).render())

    @property
    def news(self) -> str:
        return "\n".join(strip.text for strip in self.app.screen_stack[0].query_one("#news", RichLog).lines)

    async def open_dialog(self, key: str) -> None:
        """Press a key that asks something, and wait for the question and its focus."""
        await self.pilot.press(key)
        await self.until(lambda: len(self.app.screen_stack) == 2 and self.app.focused is not None)

    async def until(self, shown: Callable[[], bool]) -> None:
        """Wait until something shows; fails after 5 s."""
        for _ in range(500):
            if shown():
                return
            await self.pilot.pause(0.01)
        raise AssertionError(f"never shown; offers {self.rows('offers')}, orders {self.rows('orders')}: {self.news}")


async def test_an_offer_shows_with_its_countdown_and_g_grabs_it(server: Any, client: Connect, make: Any) -> None:
    app = CrewTerminal(client())
    async with app.run_test() as pilot:
        screen = Screen(app, pilot)
        phone = await server.phone()
        await screen.until(lambda: "在线" in screen.status)
        await server.publish(phone, make.offer(1, closes_in_s=65))
        await screen.until(lambda: bool(screen.rows("offers")))
        assert screen.rows("offers") == ["1 | 1:05 | 完全不热 ! | 道里区中央大街1号 | 700 m | 2 分"]
        await pilot.press("g")
        assert await phone.next() == Grab(id="m1", order="o1")
        await pilot.press("g", "o")
        assert await phone.next() == Shift(on=True)
        await server.publish(phone, Updated(seq=2, order=make.held()))
        await phone.send(GrabResult(id="m1", order="o1", won=True, reason="won"))
        await screen.until(lambda: "抢到了" in screen.news)
        assert screen.rows("offers") == []
        assert screen.rows("orders") == ["已接单 |  | 完全不热 ! | 道里区中央大街1号 | "]


async def test_enter_grabs_and_d_declines_the_offer_under_the_cursor(server: Any, client: Connect, make: Any) -> None:
    server.offers = (make.offered("o1"), make.offered("o2"))
    app = CrewTerminal(client())
    async with app.run_test() as pilot:
        screen = Screen(app, pilot)
        phone = await server.phone()
        await screen.until(lambda: len(screen.rows("offers")) == 2)
        await pilot.press("down", "enter")
        assert await phone.next() == Grab(id="m1", order="o2")
        await pilot.press("up", "d")
        assert await phone.next() == Decline(id="m2", order="o1")
        await phone.send(ProgressAck(id="m2", order="o1", state="offered"))
        await screen.until(lambda: "已回绝" in screen.news)
        assert [row[0] for row in screen.rows("offers")] == ["2"]


async def test_a_number_belongs_to_its_offer_even_when_another_has_closed(
    server: Any, client: Connect, make: Any
) -> None:
    server.offers = (make.offered("o1"), make.offered("o2"))
    app = CrewTerminal(client())
    async with app.run_test() as pilot:
        screen = Screen(app, pilot)
        phone = await server.phone()
        await screen.until(lambda: len(screen.rows("offers")) == 2)
        await server.publish(phone, OfferClosed(seq=1, order="o1", reason="taken"))
        await screen.until(lambda: len(screen.rows("offers")) == 1)
        await pilot.press("1", "o")
        assert await phone.next() == Shift(on=True)
        await pilot.press("2")
        assert await phone.next() == Grab(id="m1", order="o2")
        await server.publish(phone, make.offer(2, "o3"))
        await screen.until(lambda: len(screen.rows("offers")) == 2)
        assert sorted(row[0] for row in screen.rows("offers")) == ["1", "2"]


async def test_the_visit_is_reported_by_keys_with_evidence_and_reason(server: Any, client: Connect, make: Any) -> None:
    server.orders = (make.held(),)
    app = CrewTerminal(client())
    async with app.run_test() as pilot:
        screen = Screen(app, pilot)
        phone = await server.phone()
        await screen.until(lambda: bool(screen.rows("orders")))
        steps: list[tuple[str, ProgressTo]] = [("e", "en_route"), ("a", "arrived")]
        for key, to in steps:
            await pilot.press(key)
            said = await phone.next()
            assert said == Progress(id=said.id, order="o1", to=to, at=make.now)
            await phone.send(ProgressAck(id=said.id, order="o1", state=to, unverified=to == "arrived"))
            await screen.until(lambda: "处理中" not in screen.status)
        await screen.until(lambda: "位置未核实" in screen.news)
        await screen.open_dialog("s")
        await pilot.press("2", *"DN20", "enter")
        said = await phone.next()
        assert (said.to, said.reason, said.evidence) == ("suspended", "waiting_part", Evidence(note="DN20"))
        await phone.send(ProgressAck(id=said.id, order="o1", error="not_allowed", detail="不可挂起"))
        await screen.until(lambda: "挂起未成:不可挂起" in screen.news)
        await screen.open_dialog("r")
        await pilot.press(*"20.5", "enter", *"done", "enter")
        said = await phone.next()
        assert (said.to, said.evidence) == ("resolved", Evidence(temperature_c=20.5, note="done"))


async def test_a_temperature_that_cannot_be_is_not_sent_and_escape_gives_up(
    server: Any, client: Connect, make: Any
) -> None:
    server.orders = (make.held(state="arrived"),)
    app = CrewTerminal(client())
    async with app.run_test() as pilot:
        screen = Screen(app, pilot)
        phone = await server.phone()
        await screen.until(lambda: bool(screen.rows("orders")))
        await screen.open_dialog("r")
        await pilot.press(*"205", "enter", *"x", "enter")
        assert len(app.screen_stack) == 2
        await pilot.press("escape")
        await screen.until(lambda: len(app.screen_stack) == 1)
        await pilot.press("o")
        assert await phone.next() == Shift(on=True)


async def test_the_state_of_the_connection_shows_and_work_goes_on_after_a_loss(
    server: Any, client: Connect, make: Any
) -> None:
    server.offers = (make.offered(),)
    radio = Radio(open_socket)
    app = CrewTerminal(client(open_socket=radio.open, delays=lambda rng: itertools.repeat(0.01)))
    async with app.run_test() as pilot:
        screen = Screen(app, pilot)
        assert "连接中" in screen.status
        await server.phone()
        await screen.until(lambda: bool(screen.rows("offers")))
        radio.lose(silent=False)
        await screen.until(lambda: "断线" in screen.status)
        await pilot.press("g")
        radio.regain()
        second = await server.phone()
        assert await second.next() == Grab(id="m1", order="o1")
        await screen.until(lambda: "在线" in screen.status)


async def test_the_shift_key_begins_the_shift_and_only_then_tells_the_place(server: Any, client: Connect) -> None:
    app = CrewTerminal(client(), lon=126.6, lat=45.7)
    async with app.run_test() as pilot:
        screen = Screen(app, pilot)
        phone = await server.phone()
        await screen.until(lambda: "下班" in screen.status)
        await pilot.press("o")
        assert await phone.next() == Shift(on=True)
        said = await phone.next()
        assert isinstance(said, Position)
        assert (said.lon, said.lat) == (126.6, 45.7)
        await screen.until(lambda: "上班" in screen.status)
        await pilot.press("o")
        assert await phone.next() == Shift(on=False)


async def test_a_replaced_crew_leaves_the_app_with_the_reason(server: Any, client: Connect) -> None:
    app = CrewTerminal(client())
    async with app.run_test() as pilot:
        phone = await server.phone()
        await phone.socket.close(4409)
        await Screen(app, pilot).until(lambda: app.failure is not None)
    assert isinstance(app.failure, ReplacedError)
    assert app.return_code == 1


async def test_a_clock_that_is_wrong_does_not_change_the_countdown(server: Any, client: Connect, make: Any) -> None:
    server.offers = (make.offered(closes_in_s=40),)
    app = CrewTerminal(client(clock=lambda: make.now + timedelta(minutes=8)))
    async with app.run_test() as pilot:
        screen = Screen(app, pilot)
        await screen.until(lambda: bool(screen.rows("offers")))
        assert "0:40" in screen.rows("offers")[0]


@pytest.mark.parametrize(("left", "words"), [(59.1, "1:00"), (0.2, "0:01"), (0, "超时"), (-5, "超时"), (600, "10:00")])
def test_a_countdown_never_shows_zero_while_there_is_time(make: Any, left: float, words: str) -> None:
    assert countdown(make.now + timedelta(seconds=left), make.now, over="超时") == words


def test_places_and_distances_read_as_people_write_them(make: Any) -> None:
    assert (distance(850), distance(2340)) == ("850 m", "2.3 km")
    assert place(make.order()) == "道里区中央大街1号"
