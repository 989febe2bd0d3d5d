"""The receiving half of a socket: whole messages in the order in which they came, without a task for each.

Sanic starts a task and wakes two others for every message, and leaves a text that is not UTF-8 without an answer.
Here what comes in is parsed where it comes in (by the same `websockets`), and waits for the one who reads; beyond
`MOST` messages the client is not read from until some were taken. Pings, closing and the end go Sanic's way.
"""

import asyncio
from collections.abc import Coroutine, Sequence
from time import monotonic
from typing import Any

from sanic.exceptions import BadRequest, WebsocketClosed
from sanic.http import Http
from sanic.server.protocols.websocket_protocol import WebSocketProtocol
from websockets.frames import CloseCode, Frame, Opcode

MOST = 64
"""How many messages may wait before the client is not read from."""

OFFERED = "sec-websocket-protocol"

_tasks: set[asyncio.Task[None]] = set()


class FrameReader:
    """Messages on their way from one client. `fed_at` is when something came in last, by the monotonic clock."""

    __slots__ = ("_messages", "_over", "_parts", "_paused", "_text", "_waiter", "_ws", "fed_at")

    def __init__(self, ws: Any) -> None:
        self.fed_at = monotonic()
        self._ws = ws
        self._messages: list[str | bytes] = []  # an empty deque takes 600 bytes
        self._parts: list[bytes] = []
        self._text = True
        self._over = False
        self._paused = False
        self._waiter: asyncio.Future[None] | None = None

    def feed(self, data: bytes) -> None:
        """Take what came in."""
        self.fed_at = monotonic()
        proto = self._ws.ws_proto
        proto.receive_data(data)
        for event in proto.events_received():
            if isinstance(event, Frame):
                self._take(event)
        if answers := proto.data_to_send():  # what the protocol itself has to say; an empty one is the end
            self._later(self._ws.async_data_received(answers, ()))
        if len(self._messages) > MOST and not self._paused:
            self._paused = True
            self._ws.io_proto.transport.pause_reading()

    def end(self) -> None:
        """Nothing more will come: who reads gets what is there, and then hears that it is over."""
        self._over = True
        self._wake()

    async def recv(self) -> str | bytes:
        """Return the next message, text or binary; raises `WebsocketClosed` when the last was taken. One reader."""
        while not self._messages:
            if self._over:
                raise WebsocketClosed("the client has gone")
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        message = self._messages.pop(0)
        if self._paused and len(self._messages) <= MOST // 2:
            self._paused = False
            if (transport := self._ws.io_proto.transport) is not None and not transport.is_closing():
                transport.resume_reading()
        return message

    def _take(self, frame: Frame) -> None:
        if frame.opcode is Opcode.CLOSE:
            self.end()
        elif frame.opcode not in (Opcode.PING, Opcode.PONG):  # the protocol answers the one, the other says `fed_at`
            self._assemble(frame)

    def _assemble(self, frame: Frame) -> None:
        if frame.opcode is not Opcode.CONT:
            self._text = frame.opcode is Opcode.TEXT
        data = bytes(frame.data)
        if self._parts or not frame.fin:
            self._parts.append(data)
            if not frame.fin:
                return
            data = b"".join(self._parts)
            self._parts.clear()
        try:
            self._messages.append(data.decode() if self._text else data)
        except UnicodeDecodeError:
            self._ws.ws_proto.fail(CloseCode.INVALID_DATA, "text frames are UTF-8")
            return
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        _tasks.add(task)
        task.add_done_callback(_tasks.discard)


class _Requests(Http):
    """Sanic's reading of requests, which fails in its own log line where it ends in the midst of a request's head."""

    __slots__ = ()

    async def http1_request_header(self) -> None:
        try:
            await super().http1_request_header()  # type: ignore[no-untyped-call]
        except asyncio.CancelledError:
            if self.request is None:
                self.create_empty_request()
            raise


class SocketProtocol(WebSocketProtocol):
    """Sanic's protocol, whose sockets are read by a `FrameReader`, kept as `reader`."""

    __slots__ = ("reader",)
    HTTP_CLASS = _Requests

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.reader: FrameReader | None = None

    async def websocket_handshake(self, request: Any, subprotocols: Sequence[str] | None = None) -> Any:
        """Shake hands; what comes in from then on is the reader's.

        A client that offers no subprotocol gets none (RFC 6455, 4.2.2); one that offers only others is refused.
        """
        offered = {name.strip() for value in request.headers.getall(OFFERED, ()) for name in value.split(",")}
        if subprotocols and offered and offered.isdisjoint(subprotocols):
            raise BadRequest(f"offer the subprotocol {' or '.join(subprotocols)}, or none")
        ws = await super().websocket_handshake(request, subprotocols if offered else None)
        self.reader = FrameReader(ws)
        ws.assembler = None  # its part is the reader's: locks, events and a queue of 3 KiB
        return ws

    def data_received(self, data: bytes) -> None:
        """Take what came in."""
        if self.reader is not None:
            self.reader.feed(data)
        else:
            super().data_received(data)  # type: ignore[no-untyped-call]

    def eof_received(self) -> bool | None:
        """The client sends no more."""
        result: bool | None = super().eof_received()
        if self.reader is not None:
            self.reader.end()
        return result

    def connection_lost(self, error: Exception | None) -> None:
        """The connection is over."""
        super().connection_lost(error)  # type: ignore[no-untyped-call]
        if self.reader is not None:
            self.reader.end()
