"""`qiangdan crew`: the terminal app of one technician.

Offers with a countdown on top, held orders below, what happened at the bottom. g or Enter grabs the offer under the
cursor, 1 to 9 the offer with that number; an offer keeps its number while it is open, so that a key never hits another
order that has moved up. Countdowns run on the server's clock. The app waits for no answer: a command under way is
shown as such, and a lost connection is the client's business.
"""

from collections.abc import Coroutine
from typing import Any, ClassVar, cast

from rich.markup import escape
from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import DataTable, Footer, RichLog, Static

from crew_client.client import CrewClient
from crew_client.dialogs import EvidenceDialog, SuspendDialog
from crew_client.errors import CrewClientError, GaveUpError
from crew_client.protocol import Evidence, Offer
from crew_client.protocol.messages import ProgressTo, SuspendReason
from crew_client.protocol.words import GRAB_REASONS, STATES
from crew_client.wording import CONNECTIONS, news, offer_row, order_row

POSITION_EVERY_S = 10.0


def run_terminal(url: str, token: str, lon: float | None = None, lat: float | None = None) -> None:
    """Run the app until the technician leaves it; raises `GaveUpError` where the server ended the connection.

    With `lon` and `lat` (WGS-84 degrees) the crew is said to be there while it is on shift; without, a server that
    needs a position offers nothing.
    """
    app = CrewTerminal(CrewClient(url, token), lon=lon, lat=lat)
    app.run()
    if app.failure is not None:
        raise app.failure


class CrewTerminal(App[None]):
    """The app over a client that is not entered yet; `failure` is why the server ended the connection, if it did."""

    TITLE = "抢单"
    CSS = """
    #status { height: 1; padding: 0 1; background: $panel; }
    #offers { height: 2fr; border: round $accent; }
    #orders { height: 1fr; border: round $success; }
    #news { height: 8; border: round $panel; }
    .dialog { width: 60; height: auto; padding: 1 2; border: thick $accent; background: $surface; }
    EvidenceDialog, SuspendDialog { align: center middle; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("g", "grab", "抢单"),
        *(Binding(str(number), f"grab_number({number})", show=False) for number in range(1, 10)),
        Binding("d", "decline", "不接"),
        Binding("e", "progress('en_route')", "出发"),
        Binding("a", "progress('arrived')", "到场"),
        Binding("r", "resolve", "办结"),
        Binding("s", "suspend", "挂起"),
        Binding("o", "shift", "上/下班"),
        Binding("q", "quit", "退出"),
    ]

    def __init__(self, crew: CrewClient, *, lon: float | None = None, lat: float | None = None) -> None:
        super().__init__()
        self.failure: GaveUpError | None = None
        self._crew = crew
        self._at = (lon, lat) if lon is not None and lat is not None else None
        self._numbers: dict[str, int] = {}
        self._under_way: set[str] = set()

    def compose(self) -> ComposeResult:
        """Lay out the screen."""
        yield Static(id="status")
        offers: DataTable[Text] = DataTable(id="offers", cursor_type="row")
        offers.border_title = "可抢工单"
        yield offers
        orders: DataTable[Text] = DataTable(id="orders", cursor_type="row")
        orders.border_title = "我的工单"
        yield orders
        yield RichLog(id="news", markup=False)
        yield Footer()

    def on_mount(self) -> None:
        """Connect, and keep the screen true."""
        self._table("offers").add_columns("号", "截止", "故障", "地址", "距离", "预计")
        self._table("orders").add_columns("状态", "到场时限", "故障", "地址", "联系人")
        self._table("offers").focus()
        self.run_worker(self._live())
        self.set_interval(0.5, self.show_state)
        if self._at is not None:
            self.set_interval(POSITION_EVERY_S, self._report_position)
        self.show_state()

    def show_state(self) -> None:
        """Bring the screen in line with what the client knows."""
        if not self.screen_stack or not self._main.query("#status"):  # the app ends: its widgets go before its timers
            return
        now = self._crew.server_now()
        for gone in self._numbers.keys() - self._crew.offers.keys():
            del self._numbers[gone]
        for order_id in self._crew.offers:
            if order_id not in self._numbers:
                self._numbers[order_id] = _lowest_free(set(self._numbers.values()))
        offers = {id: offer_row(self._numbers[id], offer, now) for id, offer in self._crew.offers.items()}
        _fill(self._table("offers"), offers)
        _fill(self._table("orders"), {id: order_row(order, now) for id, order in self._crew.orders.items()})
        shift = "上班" if self._crew.on_shift else "下班"
        under_way = f"  处理中 {len(self._under_way)}" if self._under_way else ""
        parts = (
            CONNECTIONS[self._crew.state],
            escape(self._crew.crew or ""),
            shift,
            f"{now.astimezone():%H:%M:%S}{under_way}",
        )
        self._main.query_one("#status", Static).update("  ".join(part for part in parts if part))

    # Keys.

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        """Grab on Enter."""
        if event.data_table.id == "offers":
            self.action_grab()

    def action_grab(self) -> None:
        """Grab the offer under the cursor."""
        order_id = self._under_cursor("offers")
        if order_id is not None:
            self._start(order_id, self._grab(order_id))

    def action_grab_number(self, number: int) -> None:
        """Grab the offer with a number."""
        for order_id, given in self._numbers.items():
            if given == number and order_id in self._crew.offers:
                self._start(order_id, self._grab(order_id))

    def action_decline(self) -> None:
        """Turn down the offer under the cursor."""
        order_id = self._under_cursor("offers")
        if order_id is not None:
            self._start(order_id, self._decline(order_id))

    def action_progress(self, to: str) -> None:
        """Say how the visit of the order under the cursor goes."""
        order_id = self._under_cursor("orders")
        if order_id is not None:
            self._start(order_id, self._progress(order_id, cast(ProgressTo, to)))

    async def action_resolve(self) -> None:
        """Ask for the evidence, then close the order under the cursor."""
        order_id = self._under_cursor("orders")
        if order_id is None:
            return

        def resolve(evidence: Evidence | None) -> None:
            if evidence is not None:
                self._start(order_id, self._progress(order_id, "resolved", evidence=evidence))

        await self.push_screen(EvidenceDialog(), resolve)

    async def action_suspend(self) -> None:
        """Ask for the reason and what was found, then let the order under the cursor wait."""
        order_id = self._under_cursor("orders")
        if order_id is None:
            return

        def suspend(answer: tuple[str, Evidence | None] | None) -> None:
            if answer is not None:
                reason, evidence = answer
                said = self._progress(order_id, "suspended", reason=cast(SuspendReason, reason), evidence=evidence)
                self._start(order_id, said)

        await self.push_screen(SuspendDialog(), suspend)

    async def action_shift(self) -> None:
        """Begin or end the shift."""
        if self._crew.state not in ("online", "offline"):
            return
        await self._crew.shift(not self._crew.on_shift)
        await self._report_position()
        self.show_state()

    # Commands, each under way on its own.

    def _start(self, order_id: str, command: Coroutine[Any, Any, str]) -> None:
        """Run a command; a second one for the same order waits for the technician to press again."""
        if order_id in self._under_way or self._crew.state not in ("online", "offline"):
            command.close()
            self.bell()
            return
        self._under_way.add(order_id)
        self.run_worker(self._finish(order_id, command))
        self.show_state()

    async def _finish(self, order_id: str, command: Coroutine[Any, Any, str]) -> None:
        try:
            self._tell(f"{order_id} {await command}")
        except (CrewClientError, ValueError) as error:
            self._tell(f"{order_id} {error}")
        finally:
            self._under_way.discard(order_id)
            self.show_state()

    async def _grab(self, order_id: str) -> str:
        return GRAB_REASONS[(await self._crew.grab(order_id)).reason]

    async def _decline(self, order_id: str) -> str:
        answer = await self._crew.decline(order_id)
        return f"不接未成:{answer.detail or answer.error}" if answer.error else "已回绝"

    async def _progress(
        self,
        order_id: str,
        to: ProgressTo,
        *,
        evidence: Evidence | None = None,
        reason: SuspendReason | None = None,
    ) -> str:
        answer = await self._crew.progress(order_id, to, evidence=evidence, reason=reason)
        if answer.error is not None:
            return f"{STATES[to]}未成:{answer.detail or answer.error}"
        return STATES[to] + ("(位置未核实)" if answer.unverified else "")

    # The connection.

    async def _live(self) -> None:
        try:
            async with self._crew:
                await self._report_position()
                async for message in self._crew:
                    if isinstance(message, Offer):
                        self.bell()
                    words = news(message)
                    if words is not None:
                        self._tell(words)
                    self.show_state()
        except GaveUpError as failure:
            self.failure = failure
            self.exit(return_code=1)

    async def _report_position(self) -> None:
        if self._at is not None and self._crew.on_shift and self._crew.state in ("online", "offline"):
            await self._crew.position(*self._at)

    # The screen.

    @property
    def _main(self) -> Screen[Any]:
        """The screen under any dialog."""
        return self.screen_stack[0]

    def _tell(self, words: str) -> None:
        if not self.screen_stack:
            return
        self._main.query_one("#news", RichLog).write(f"{self._crew.server_now().astimezone():%H:%M:%S} {words}")

    def _table(self, name: str) -> "DataTable[Text]":
        return self._main.query_one(f"#{name}", DataTable)

    def _under_cursor(self, name: str) -> str | None:
        table = self._table(name)
        if not table.row_count:
            return None
        return table.coordinate_to_cell_key(table.cursor_coordinate).row_key.value


def _lowest_free(taken: set[int]) -> int:
    return next(number for number in range(1, len(taken) + 2) if number not in taken)


def _fill(table: "DataTable[Text]", rows: dict[str, tuple[str, ...]]) -> None:
    """Make the table show `rows`, by key, touching only what has changed so that the cursor stays.

    Cells are `Text`: an address with brackets is no markup.
    """
    for key in [key for key in table.rows if key.value not in rows]:
        table.remove_row(key)
    for row, cells in rows.items():
        if row not in table.rows:
            table.add_row(*(Text(cell) for cell in cells), key=row)
            continue
        for column, cell in zip(table.columns, cells, strict=True):
            if table.get_cell(row, column).plain != cell:
                table.update_cell(row, column, Text(cell), update_width=True)
