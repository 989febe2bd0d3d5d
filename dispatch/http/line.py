"""The sending half of a socket: a bounded queue that never makes anybody wait.

Sanic's `send` takes a lock and two awaits for every frame, and keeps a client that stopped reading for ever. While
the transport takes data we therefore write ourselves, in one go what is said in one round of the loop; else frames
queue, one flush task runs with a time limit, and a full queue or an expired limit ends the socket. Resume repairs
what was lost.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from time import monotonic
from typing import Any

from sanic.exceptions import WebsocketClosed
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN

from dispatch.logs import logger

GONE = (WebsocketClosed, ConnectionClosed, ConnectionError, asyncio.CancelledError)
LINGER_S = 1.0
MOST_CORKED = 32
"""After how many frames the transport is asked whether it still takes them."""
log = logger("line")


@lru_cache(maxsize=1)
def on_the_wire(frame: str) -> bytes:
    """Return a text as a server's WebSocket frame, uncompressed; kept, as one after the other is told the same."""
    return Frame(Opcode.TEXT, frame.encode()).serialize(mask=False)


class SocketLine:
    """Frames on their way to one client."""

    def __init__(self, ws: Any, *, queue: int, send_timeout_s: float, on_close: Callable[[int], None]) -> None:
        self._ws = ws
        self._io = ws.io_proto
        self._most = queue
        self._timeout = send_timeout_s
        self._on_close = on_close
        self._waiting: list[str] = []  # an empty deque takes 600 bytes
        self._corked: list[bytes] = []
        self._flushing: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None

    @property
    def closing(self) -> bool:
        """Whether the socket is being closed."""
        return self._closing is not None

    def send(self, frame: str) -> None:
        """Send a frame, or queue it where the client is slow; a full queue ends the socket."""
        if self._closing is not None:
            return
        if self._flushing is None and self._write_soon(frame):
            return
        self._waiting.append(frame)
        if len(self._waiting) > self._most:
            self.abort()
        elif self._flushing is None:
            self._flushing = asyncio.create_task(self._flush())

    def ping(self) -> bool:
        """Send a ping where it can be written at once; where it cannot, what waits has a time limit of its own."""
        if self._closing is not None or self._flushing is not None or not self._is_writable():
            return False
        self._ws.ws_proto.send_ping(b"")
        self._cork(b"")
        return True

    def _write_soon(self, frame: str) -> bool:
        """Take a frame for the loop's next round where nobody else is writing and the transport is not full."""
        if not self._is_writable():
            return False
        self._cork(on_the_wire(frame))
        return True

    def _is_writable(self) -> bool:
        ws, io = self._ws, self._io
        if ws.conn_mutex.locked() or ws.ws_proto.state is not OPEN or not io._can_write.is_set():
            return False
        return io.transport is not None and not io.transport.is_closing()

    def _cork(self, frame: bytes) -> None:
        if not self._corked:  # whatever waits for its turn now comes after it: a flush, a goodbye
            asyncio.get_running_loop().call_soon(self._uncork)
        self._corked += self._ws.ws_proto.data_to_send()  # what the protocol itself has to say
        self._corked.append(frame)
        if len(self._corked) >= MOST_CORKED:
            self._uncork()

    def _uncork(self) -> None:
        data = b"".join(self._corked)
        self._corked.clear()
        transport = self._io.transport
        if data and transport is not None and not transport.is_closing():
            transport.write(data)

    async def _flush(self) -> None:
        try:
            while self._waiting:
                async with asyncio.timeout(self._timeout):
                    await self._ws.send(self._waiting[0])
                if self._waiting:  # the line may have been ended meanwhile
                    self._waiting.pop(0)
        except TimeoutError:
            self.abort()
        except GONE:
            self._waiting.clear()
        except Exception:
            log.exception("sending failed")
            self.abort()
        finally:
            self._flushing = None

    async def drained(self) -> None:
        """Return when what is queued was sent, or the socket is over."""
        while self._flushing is not None:
            await asyncio.wait([self._flushing])

    def close(self, code: int, reason: str) -> None:
        """Close the socket as soon as what is queued was sent."""
        if self._closing is None:
            self._closing = asyncio.create_task(self._close(code, reason))
            self._on_close(code)

    async def _close(self, code: int, reason: str) -> None:
        if self._flushing is not None:
            await asyncio.wait([self._flushing], timeout=self._timeout)
        with suppress(*GONE, TimeoutError):
            async with asyncio.timeout(self._timeout):
                await self._ws.close(code, reason)
        await self._linger()
        self._drop()

    async def _linger(self) -> None:
        """Leave the client a moment to end the connection.

        What it sent meanwhile would reset the connection before the client has read how it was closed.
        """
        give_up_at = monotonic() + LINGER_S
        while monotonic() < give_up_at:
            transport = self._io.transport
            if transport is None or transport.is_closing():
                return
            await asyncio.sleep(0.02)

    def abort(self) -> None:
        """End the socket at once: its client does not read."""
        if self._closing is None:
            self._on_close(1006)
            self._waiting.clear()
            self._closing = asyncio.get_running_loop().create_task(asyncio.sleep(0))
        self._drop()

    def _drop(self) -> None:
        transport = self._io.transport
        if transport is not None and not transport.is_closing():
            transport.abort()
