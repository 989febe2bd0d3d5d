"""Lean clients, so that the server is what is measured: WebSocket frames by hand on asyncio protocols.

A phone of this kind costs some microseconds a message. It masks with zeros, answers pings, takes whole text frames
only, and is the same towards the engine and towards the echo.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from time import perf_counter
from typing import Protocol, cast

from benchmarks.stage import HOST

SOURCES = tuple(f"127.0.0.{last}" for last in range(1, 9)) if sys.platform == "linux" else (HOST,)
HELLO = b'{"type":"hello","resume_after":null}'
PING = b"\x81\x8f\0\0\0\0" + b'{"type":"ping"}'
PING_EVERY_S = 25.0
PING_SLICE_S = 0.05
BATCH = 500
Heard = Callable[["Phone", bytes], None]


def masked(payload: bytes, *, opcode: int = 1) -> bytes:
    """Return a client's frame of less than 64 KiB."""
    size = len(payload)
    head = bytes((0x80 | opcode, 0x80 | size)) if size < 126 else bytes((0x80 | opcode, 0xFE)) + size.to_bytes(2, "big")
    return head + b"\0\0\0\0" + payload


class Phone(asyncio.Protocol):
    """One socket; `heard` is called with each text frame. `open` is done when the handshake is."""

    def __init__(self, path: str, token: str | None, heard: Heard) -> None:
        self.heard = heard
        self.open: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.code: int | None = None
        self.transport: asyncio.Transport
        self._path = path
        self._token = token
        self._data = b""
        self._shaken = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the upgrade."""
        self.transport = cast(asyncio.Transport, transport)
        bearer = f"Authorization: Bearer {self._token}\r\n" if self._token else ""
        self.transport.write(
            f"GET {self._path} HTTP/1.1\r\nHost: {HOST}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Protocol: qiangdan.v1\r\n{bearer}\r\n".encode()
        )

    def connection_lost(self, error: Exception | None) -> None:
        """Tell who waits for the handshake, or for the end."""
        self.lost.set_result(None)
        if not self.open.done():
            self.open.set_exception(ConnectionError("the socket was closed during the handshake"))

    def send(self, frame: bytes) -> None:
        """Send a frame that `masked` made; nothing where the connection is over."""
        if not self.transport.is_closing():
            self.transport.write(frame)

    def data_received(self, data: bytes) -> None:
        """Take frames apart."""
        if self._data:
            data = self._data + data
        if not self._shaken:
            head, found, data = data.partition(b"\r\n\r\n")
            if not found:
                self._data = head
                return
            if b" 101 " not in head[:20]:
                self.open.set_exception(ConnectionError(head[:200].decode(errors="replace")))
                return
            self._shaken = True
            self.open.set_result(None)
        at, have = 0, len(data)
        while have - at >= 2:
            size, begin = data[at + 1], at + 2
            if size == 126:
                begin = at + 4
                size = int.from_bytes(data[at + 2 : begin], "big")
            elif size == 127:
                begin = at + 10
                size = int.from_bytes(data[at + 2 : begin], "big")
            end = begin + size
            if end > have or begin > have:
                break
            if data[at] == 0x81:
                self.heard(self, data[begin:end])
            elif data[at] == 0x89:
                self.send(masked(data[begin:end], opcode=10))
            elif data[at] == 0x88:
                self.code = int.from_bytes(data[begin : begin + 2], "big")
                self.transport.close()
            at = end
        self._data = data[at:]


async def connect(port: int, path: str, tokens: Sequence[str | None], heard: Heard) -> list[Phone]:
    """Open one phone per token, a hundred at a time, from several addresses: one has some 28,000 ports to give."""
    phones: list[Phone] = []
    for start in range(0, len(tokens), 100):
        source = SOURCES[start // 100 % len(SOURCES)]
        some = [await dial(port, path, token, heard, source=source) for token in tokens[start : start + 100]]
        async with asyncio.timeout(60):
            await asyncio.gather(*(phone.open for phone in some))
        phones += some
    return phones


async def dial(port: int, path: str, token: str | None, heard: Heard, *, source: str = HOST) -> Phone:
    """Connect one phone; its handshake is under way."""
    loop = asyncio.get_running_loop()
    made = await loop.create_connection(lambda: Phone(path, token, heard), HOST, port, local_addr=(source, 0))
    return made[1]


async def hang_up(phones: Sequence[Phone]) -> None:
    """Say goodbye, and return when every connection is over."""
    for phone in phones:
        phone.send(masked((1000).to_bytes(2, "big"), opcode=8))
    async with asyncio.timeout(30):
        await asyncio.gather(*(phone.lost for phone in phones))


class Pinging(Protocol):
    """What can be kept from falling silent."""

    def send(self, frame: bytes) -> None:
        """Send a frame that `masked` made."""
        ...


@asynccontextmanager
async def pinged(phones: Sequence[Pinging]) -> AsyncIterator[None]:
    """Let each phone ping every 25 s, evenly spread, those too that are added meanwhile."""
    task = asyncio.create_task(_ping(phones))
    try:
        yield
    finally:
        task.cancel()


async def _ping(phones: Sequence[Pinging]) -> None:
    due, number = 0.0, 0
    while True:
        await asyncio.sleep(PING_SLICE_S)
        due += len(phones) * PING_SLICE_S / PING_EVERY_S
        for _ in range(int(due)):
            number += 1
            phones[number % len(phones)].send(PING)
        due %= 1


async def join(phones: list[Phone], port: int, tokens: Sequence[str | None], *, path: str = "/ws") -> None:
    """Add phones, some hundred at a time, so that who is in may be pinged meanwhile; without tokens those of a peer."""
    for start in range(0, len(tokens), BATCH):
        some = tokens[start : start + BATCH]
        signed = [token for token in some if token is not None]
        phones += await (sign_in(port, signed) if signed else connect(port, path, some, ignore))


async def sign_in(port: int, tokens: Sequence[str]) -> list[Phone]:
    """Open the phones of crews at an engine, and return when every one was welcomed."""
    welcomed: set[Phone] = set()
    everybody = asyncio.Event()

    def heard(phone: Phone, frame: bytes) -> None:
        if frame.startswith(b'{"type":"welcome"'):
            welcomed.add(phone)
            if len(welcomed) == len(tokens):
                everybody.set()

    phones = await connect(port, "/ws/v1/crew", tokens, heard)
    for phone in phones:
        phone.send(masked(HELLO))
    async with asyncio.timeout(60 + len(tokens) / 100):
        await everybody.wait()
    return phones


async def until(holds: Callable[[], bool], *, within_s: float) -> None:
    """Return soon after it holds; raise `TimeoutError` where it does not in time."""
    give_up_at = perf_counter() + within_s
    while not holds():
        if perf_counter() > give_up_at:
            raise TimeoutError
        await asyncio.sleep(0.02)


class Exchange:
    """Sends each phone's frames one after the other, the next when the answer to the last is there."""

    def __init__(self, phones: Sequence[Phone], frames: Sequence[Sequence[bytes]]) -> None:
        self.answers: list[bytes] = []
        self.took_s = 0.0
        self._left = {phone: iter(own) for phone, own in zip(phones, frames, strict=True)}
        self._open = len(self._left)
        self._done = asyncio.Event()

    async def run(self) -> float:
        """Return the seconds from the first frame to the last answer."""
        for phone in self._left:
            phone.heard = self._hear
        begun = perf_counter()
        for phone in self._left:
            self._next(phone)
        async with asyncio.timeout(300):
            await self._done.wait()
        self.took_s = perf_counter() - begun
        for phone in self._left:
            phone.heard = ignore
        return self.took_s

    def _hear(self, phone: Phone, frame: bytes) -> None:
        if frame.startswith(b'{"type":"grab'):
            self.answers.append(frame)
            self._next(phone)

    def _next(self, phone: Phone) -> None:
        frame = next(self._left[phone], None)
        if frame is not None:
            phone.send(frame)
            return
        self._open -= 1
        if not self._open:
            self._done.set()


def ignore(phone: Phone, frame: bytes) -> None:
    """Hear a frame that nobody waits for."""


def grab(message: str, order: str) -> bytes:
    """Return a crew's grab of an order; the echo is sent the same."""
    return masked(f'{{"type":"grab","id":"{message}","order":"{order}"}}'.encode())
