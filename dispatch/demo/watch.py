"""What happens in the demo city, told from its event log: the figures of the status line.

A small reader of the console socket: a snapshot, then every event; after a lost connection it resumes.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException
from websockets.typing import Subprotocol

RECONNECT_S = 0.5


class CityWatch:
    """Follows the city at `base_url` with a monitor's token; `on_resolved` is told the id of each resolved order.

    `states` counts the open orders by state; `reported`, `claimed`, `arrived`, `resolved` and `late` count what
    happened since the watch began, `late` the arrivals that came, or are due, after their deadline.
    """

    def __init__(self, base_url: str, token: str, *, on_resolved: Callable[[str], None]) -> None:
        self._url = base_url.replace("http", "ws", 1) + "/ws/v1/console"
        self._token = token
        self._on_resolved = on_resolved
        self._orders: dict[str, str] = {}
        self._at: dict[str, Any] = {"resume_after": None}
        self.reported = self.claimed = self.arrived = self.resolved = self.late = 0

    @property
    def states(self) -> Counter[str]:
        """How many open orders are in each state."""
        return Counter(self._orders.values())

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            with contextlib.suppress(OSError, WebSocketException, TimeoutError):
                async with connect(
                    self._url,
                    subprotocols=[Subprotocol("qiangdan.v1")],
                    additional_headers={"Authorization": f"Bearer {self._token}"},
                    max_size=None,
                    proxy=None,
                ) as socket:
                    await self._follow(socket)
            await asyncio.sleep(RECONNECT_S)

    async def _follow(self, socket: ClientConnection) -> None:
        await socket.send(msgspec.json.encode({"type": "hello", **self._at}).decode())
        async for frame in socket:
            self._hear(msgspec.json.decode(frame))

    def _hear(self, message: dict[str, Any]) -> None:
        if message["type"] == "snapshot":
            self._at = {"resume_after": message["seq"], "epoch": message["epoch"]}
            if not message["resumed"]:
                self._orders = {order["id"]: order["state"] for order in message["orders"]}
        elif message["type"] == "event":
            self._at["resume_after"] = message["seq"]
            if "order" in message:
                self._count(message["kind"], message["order"], message["data"])

    def _count(self, kind: str, order: str, data: dict[str, Any]) -> None:
        state = data["order"]["state"]
        self._orders[order] = state
        self.reported += kind == "order.reported"
        self.claimed += kind in ("order.claimed", "order.assigned")
        self.arrived += kind == "order.arrived"
        self.late += kind == "clock.breached" and data.get("clock") == "arrival"
        if kind == "order.resolved":
            self.resolved += 1
            self._on_resolved(order)
        if state in ("resolved", "closed", "merged", "cancelled"):
            del self._orders[order]
