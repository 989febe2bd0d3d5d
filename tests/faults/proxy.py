"""A TCP proxy that hurts: latency, little bandwidth, single bytes, silence, half-open sockets, resets, lost commits.

`Proxy` listens on a port and connects each client with a server. What a connection suffers is a `Toxics`, changed at
any time; without any it passes data on as it comes. A `DatabaseProxy` knows enough of PostgreSQL to cut the answer of a
COMMIT off, and to keep notifications back. All in one loop, and all randomness from one seed.
"""

import asyncio
import random
import socket
import struct
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from typing import cast

from msgspec import Struct

from tests.faults import wire

MOST_HELD = 64 * 1024
"""How many bytes a direction holds before it stops to read; from there on the sender's own buffers fill."""
BYTE_EVERY_S = 0.0005
RESET = struct.pack("ii", 1, 0)


class Toxics(Struct, frozen=True):
    """What a connection suffers, in both directions. `hole` swallows everything: a half-open socket."""

    latency_s: tuple[float, float] | None = None
    bits_per_s: float | None = None
    bytewise: bool = False
    stalled: bool = False
    deaf: bool = False
    """What the server says is not read: a client that has stopped reading."""
    hole: bool = False


HEALTHY = Toxics()
Opener = Callable[["End"], Awaitable[object]]


class End(asyncio.Protocol):
    """One of the two sockets of a link."""

    def __init__(self, link: "Link") -> None:
        self.link = link
        self.transport: asyncio.Transport | None = None
        self.writable = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport; bytes are to go out one by one where that is asked for."""
        self.transport = cast(asyncio.Transport, transport)
        raw = transport.get_extra_info("socket")
        if raw is not None and raw.family != socket.AF_UNIX:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        """Hand on what came."""
        self.link.received(self, data)

    def connection_lost(self, error: Exception | None) -> None:
        """Tell the link."""
        self.link.lost(self)

    def pause_writing(self) -> None:
        """Stop the other end from being read."""
        self.writable = False
        self.link.balance()

    def resume_writing(self) -> None:
        """Go on."""
        self.writable = True
        self.link.balance()

    def reset(self) -> None:
        """End the socket with a reset."""
        if self.transport is None or self.transport.is_closing():
            return
        raw = self.transport.get_extra_info("socket")
        if raw is not None and raw.family != socket.AF_UNIX:
            with suppress(OSError):
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.transport.abort()


class Pipe:
    """One direction of a link: what came from `source` and is not yet with `sink`."""

    def __init__(self, link: "Link", source: End, sink: End, *, from_server: bool) -> None:
        self.link, self.source, self.sink = link, source, sink
        self.from_server = from_server
        self.held: deque[tuple[float, bytes]] = deque()
        self.size = 0
        self.paused = False
        self._timer: asyncio.TimerHandle | None = None
        self._free_at = 0.0

    def feed(self, data: bytes) -> None:
        """Take data in, and pass it on at once where nothing is in its way."""
        toxics = self.link.toxics
        if toxics.hole:
            return
        if toxics is HEALTHY and not self.held and self.sink.transport is not None:
            self.sink.transport.write(data)
            return
        at = self.link.loop.time()
        if toxics.latency_s is not None:
            at = max(at + self.link.rng.uniform(*toxics.latency_s), self.held[-1][0] if self.held else 0.0)
        self.held.append((at, data))
        self.size += len(data)
        self.balance()
        self.pump()

    @property
    def blocked(self) -> bool:
        """Whether nothing may pass now."""
        toxics = self.link.toxics
        return toxics.stalled or (toxics.deaf and self.from_server) or self.sink.transport is None

    def pump(self) -> None:
        """Pass on what may pass by now, and come back for the rest."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        toxics, now = self.link.toxics, self.link.loop.time()
        while self.held and not self.blocked and self.sink.transport is not None:
            at, data = self.held[0]
            slow = toxics.bytewise or toxics.bits_per_s is not None
            at = max(at, self._free_at) if slow else at
            if at > now:
                self._timer = self.link.loop.call_at(at, self.pump)
                break
            part = data[: 1 if toxics.bytewise else 64] if slow else data
            if len(part) == len(data):
                self.held.popleft()
            else:
                self.held[0] = (self.held[0][0], data[len(part) :])
            self.size -= len(part)
            self.sink.transport.write(part)
            if slow:
                rate = toxics.bits_per_s
                self._free_at = now + (len(part) * 8 / rate if rate is not None else BYTE_EVERY_S)
        self.balance()

    def balance(self) -> None:
        """Read from the source only while there is room for what comes."""
        full = self.size > MOST_HELD or not self.sink.writable
        if full != self.paused and self.source.transport is not None and not self.source.transport.is_closing():
            self.paused = full
            (self.source.transport.pause_reading if full else self.source.transport.resume_reading)()

    def stop(self) -> None:
        """Pass nothing on any more."""
        if self._timer is not None:
            self._timer.cancel()
        self.held.clear()


class Link:
    """A client and its server, and what lies between them."""

    def __init__(self, proxy: "Proxy") -> None:
        self.proxy = proxy
        self.loop = proxy.loop
        self.rng = proxy.rng
        self.toxics = proxy.toxics_of_new()
        self.client, self.server = End(self), End(self)
        self.up = Pipe(self, self.client, self.server, from_server=False)
        self.down = Pipe(self, self.server, self.client, from_server=True)
        self.over = False

    async def connect(self) -> None:
        """Connect with the server; a client who finds none is reset."""
        try:
            await self.proxy.open(self.server)
        except OSError:
            self.reset()
            return
        if self.over:
            self.server.reset()
            return
        self.up.pump()

    def received(self, end: End, data: bytes) -> None:
        """Take what came from one end."""
        (self.up if end is self.client else self.down).feed(data)

    def set(self, toxics: Toxics) -> None:
        """Let the connection suffer this from now on. Who comes out of a hole is reset: nobody knows it any more."""
        was, self.toxics = self.toxics, toxics
        if was.hole and not toxics.hole:
            self.reset()
        for pipe in (self.up, self.down):
            pipe.pump()

    def balance(self) -> None:
        """Let both directions see whether they may read."""
        self.up.balance()
        self.down.balance()

    def lost(self, end: End) -> None:
        """One end is gone: so is the other, as soon as it has what was sent to it; into a hole nothing is told."""
        if self.over or self.toxics.hole:
            return
        other = self.server if end is self.client else self.client
        for pipe in (self.up, self.down):
            if pipe.sink is other and other.transport is not None:
                while pipe.held:
                    other.transport.write(pipe.held.popleft()[1])
        if other.transport is not None and not other.transport.is_closing():
            other.transport.close()
        self._end()

    def reset(self) -> None:
        """End both sockets with a reset."""
        self._end()
        self.client.reset()
        self.server.reset()

    def _end(self) -> None:
        self.over = True
        self.up.stop()
        self.down.stop()
        self.proxy.links.pop(self, None)


class Proxy:
    """Listens on a port of its own for connections to one server."""

    link_class = Link

    def __init__(self, rng: random.Random, open_server: Callable[[asyncio.Protocol], Awaitable[object]]) -> None:
        self.rng = rng
        self.loop = asyncio.get_running_loop()
        self.links: dict[Link, None] = {}
        self.share = 0.0
        self.toxics = HEALTHY
        self._open = open_server
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.port = 0

    async def start(self) -> None:
        """Begin to listen."""
        self._server = await self.loop.create_server(self._accept, "127.0.0.1", 0, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening and end everything."""
        if self._server is not None:
            self._server.close()
        for link in list(self.links):
            link.reset()
        for task in list(self._tasks):
            task.cancel()

    async def open(self, end: End) -> None:
        """Connect an end with the server."""
        await self._open(end)

    def _accept(self) -> End:
        link = self.link_class(self)
        self.links[link] = None
        task = self.loop.create_task(link.connect())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return link.client

    def toxics_of_new(self) -> Toxics:
        """Return what a new connection suffers: the toxics in force, with the chance `share`."""
        return self.toxics if self.rng.random() < self.share else HEALTHY

    def poison(self, toxics: Toxics, share: float) -> None:
        """Let a share of the connections, those that are there and those that come, suffer this from now on."""
        self.toxics, self.share = toxics, share
        for link in list(self.links):
            if self.rng.random() < share:
                link.set(toxics)

    def calm(self) -> None:
        """End what `poison` began."""
        self.toxics, self.share = HEALTHY, 0.0
        for link in list(self.links):
            link.set(HEALTHY)

    def heal(self) -> None:
        """Let every connection be healthy."""
        self.calm()

    def reset_some(self, share: float) -> int:
        """Reset a share of the connections; return how many."""
        chosen = [link for link in list(self.links) if self.rng.random() < share]
        for link in chosen:
            link.reset()
        return len(chosen)


class DatabaseLink(Link):
    """A connection to PostgreSQL."""

    proxy: "DatabaseProxy"

    def __init__(self, proxy: "DatabaseProxy") -> None:
        super().__init__(proxy)
        self.listening = False
        self._stream = wire.ServerStream()

    def received(self, end: End, data: bytes) -> None:
        """Take what came, and lose of it what is to be lost."""
        if end is self.client:
            if not self.listening and wire.listens(data):
                self.listening = True
                if self.proxy.listening_toxics is not HEALTHY:
                    self.set(self.proxy.listening_toxics)
            if wire.asks_to_commit(data) and self.rng.random() < self.proxy.lose_commit:
                self.proxy.commits_lost += 1
                self.reset()
                return
            self.up.feed(data)
            return
        passed: list[bytes] = []
        for message in self._stream.feed(data):
            if wire.is_commit(message) and self.rng.random() < self.proxy.cut_commit:
                self.proxy.commits_cut += 1
                self.reset()
                return
            if not (self.proxy.deaf_to_notifications and wire.is_notification(message)):
                passed.append(message)
        if passed:
            self.down.feed(b"".join(passed))


class DatabaseProxy(Proxy):
    """A proxy before PostgreSQL. The chances are those of each commit that passes."""

    link_class = DatabaseLink  # type: ignore[assignment]  # a link to PostgreSQL knows its proxy

    cut_commit = 0.0
    """That the commit happens and its answer is cut off."""
    lose_commit = 0.0
    """That the connection ends before the commit reaches the server."""
    deaf_to_notifications = False
    commits_cut = 0
    commits_lost = 0
    listening_toxics = HEALTHY

    def poison_listeners(self, toxics: Toxics) -> None:
        """Let the connections on which notifications come suffer this, and no others."""
        self.listening_toxics = toxics
        for link in self.listeners():
            link.set(toxics)

    def listeners(self) -> Iterator[DatabaseLink]:
        """Return the connections on which notifications come."""
        for link in list(self.links):
            if isinstance(link, DatabaseLink) and link.listening:
                yield link

    def heal(self) -> None:
        """Let every connection be healthy, and every commit be answered."""
        self.cut_commit = self.lose_commit = 0.0
        self.deaf_to_notifications = False
        self.listening_toxics = HEALTHY
        super().heal()
