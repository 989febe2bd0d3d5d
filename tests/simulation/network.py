"""What lies between phones and engines: two directions, each in order, with delays, stalls and sudden ends."""

import asyncio
from collections import deque
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from sanic.exceptions import WebsocketClosed
from websockets.protocol import CLOSED, OPEN

from tests.simulation.virtual_time import VirtualLoop

_APART = 1e-6
"""By how much later the next frame of a direction arrives at least: the loop's timers know no order of their own."""


class Socket:
    """One connection as the engine holds it: what `SocketLine` and `Session` use of Sanic's, without a socket.

    `told` is called with each frame as the engine says it, `heard` with what it returned as that comes to the phone.
    What is on its way to the phone when the connection ends is lost.
    """

    def __init__(
        self,
        loop: VirtualLoop,
        delay: Callable[[], float],
        *,
        told: Callable[[bytes], Any],
        heard: Callable[[Any], None],
        ended: Callable[[int], None],
    ) -> None:
        self._loop, self._delay = loop, delay
        self._told, self._heard, self._ended = told, heard, ended
        self._inbox: deque[str] = deque()
        self._reader: asyncio.Future[None] | None = None
        self._down_at = self._up_at = 0.0
        self.open = True
        self.stalled = self.has_stalled = False
        # The parts of Sanic's socket that the engine's `SocketLine` looks at.
        can_write = SimpleNamespace(is_set=lambda: not self.stalled)
        self.io_proto = SimpleNamespace(transport=self, reader=self, _can_write=can_write)
        self.conn_mutex = SimpleNamespace(locked=lambda: False)
        self.ws_proto = self

    # The engine's end

    @property
    def state(self) -> Any:
        return OPEN if self.open else CLOSED

    def data_to_send(self) -> list[bytes]:
        return []  # no pings here

    def write(self, data: bytes) -> None:
        """Take WebSocket frames from a server, one after the other."""
        at = 0
        while at < len(data):
            size, at = data[at + 1], at + 2
            if size > 125:
                more = 2 if size == 126 else 8
                size, at = int.from_bytes(data[at : at + more]), at + more
            self._say(data[at : at + size])
            at += size

    def _say(self, text: bytes) -> None:
        self._down_at = max(self._down_at + _APART, self._loop.time() + self._delay())
        self._loop.call_at(self._down_at, self._arrive, self._told(text))

    def _arrive(self, message: Any) -> None:
        if self.open:
            self._heard(message)

    def is_closing(self) -> bool:
        return not self.open

    async def send(self, frame: str) -> None:
        """Send a frame as soon as the phone reads again."""
        while self.open and self.stalled:
            await asyncio.sleep(0.1)
        if not self.open:
            raise WebsocketClosed
        self._say(frame.encode())

    async def recv(self) -> str:
        while not self._inbox:
            if not self.open:
                raise WebsocketClosed
            self._reader = self._loop.create_future()
            await self._reader
        return self._inbox.popleft()

    async def close(self, code: int, reason: str) -> None:
        await asyncio.sleep(self._delay())
        self.end(code)

    def abort(self) -> None:
        self.end(1006)

    # The phone's end

    def stall(self) -> None:
        """Read nothing more."""
        self.stalled = self.has_stalled = True

    def say(self, frame: str) -> None:
        """Send a frame to the engine."""
        self._up_at = max(self._up_at + _APART, self._loop.time() + self._delay())
        self._loop.call_at(self._up_at, self._take, frame)

    def _take(self, frame: str) -> None:
        # What was sent before the end may still be read after it, as with any socket.
        self._inbox.append(frame)
        self._wake()

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    def end(self, code: int = 1006) -> None:
        """End the connection."""
        if self.open:
            self.open = False
            self._wake()
            self._ended(code)
