"""Keeps a session connected: one socket after the other, with a task that reads and one that writes.

A socket is dropped when it was silent for two ping intervals (half-open: a phone in a pocket, a cell that died), when a
send took too long, or when the server closed it. `backoff.why_give_up` tells which ends are final; after the others
the next socket is opened, with a delay that grows while connections do not hold.
"""

import asyncio
import contextlib
import logging
import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from crew_client import backoff
from crew_client.protocol import Ack, FromCrew, Ping, ProtocolError, ToCrew, Welcome, decode_to_crew, encode
from crew_client.session import Session
from crew_client.transport import ABNORMAL, OpenSocket, Socket, SocketLostError, open_socket

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Timing:
    """The patience of a link, in seconds.

    `ping_interval_s` must stay below half of the server's 60 s of patience. `ack_interval_s` is the least time between
    two acks. A connection that held for `settled_s` begins the delays afresh.
    """

    ping_interval_s: float = 20.0
    ack_interval_s: float = 1.0
    send_timeout_s: float = 10.0
    open_timeout_s: float = 10.0
    settled_s: float = 10.0


class Link:
    """Moves frames between sockets and a session; every message goes to `take`, which hands it to the session."""

    def __init__(
        self,
        url: str,
        token: str,
        *,
        session: Session,
        take: Callable[[ToCrew], None],
        timing: Timing,
        rng: random.Random,
        delays: Callable[[random.Random], Iterator[float]] = backoff.jittered,
        open_socket: OpenSocket = open_socket,
    ) -> None:
        self._url = url
        self._token = token
        self._session = session
        self._take = take
        self._timing = timing
        self._rng = rng
        self._delays = delays
        self._open_socket = open_socket
        self._wake = asyncio.Event()
        self._welcomed_at = math.inf

    def wake(self) -> None:
        """Say that the session may have something to send."""
        self._wake.set()

    async def run(self) -> None:
        """Connect again and again; ends with `GaveUpError`, or when cancelled with a goodbye to the server."""
        loop = asyncio.get_running_loop()
        delays = self._delays(self._rng)
        while True:
            self._welcomed_at = math.inf
            try:
                await self._connect()
            except SocketLostError as lost:
                _log.info("connection lost: %s", lost)
                final = backoff.why_give_up(lost.code)
                if final is not None:
                    raise final(lost.code, lost.reason) from None
            if loop.time() - self._welcomed_at >= self._timing.settled_s:
                delays = self._delays(self._rng)
            await asyncio.sleep(next(delays))

    async def _connect(self) -> None:
        """Live through one connection, from the handshake to `SocketLostError`."""
        socket = await self._open_socket(self._url, self._token, timeout_s=self._timing.open_timeout_s)
        writer: asyncio.Task[None] | None = None
        try:
            await self._send(socket, self._session.hello())
            while True:
                message = await self._hear(socket)
                if message is None:
                    continue
                self._take(message)
                self._wake.set()
                if isinstance(message, Welcome) and writer is None:
                    self._welcomed_at = asyncio.get_running_loop().time()
                    writer = asyncio.create_task(self._write(socket), name="crew-link-writer")
        except asyncio.CancelledError:
            # Only who leaves cancels. The writer, woken before, has said what was left to say.
            await socket.close()
            raise
        finally:
            self._session.lost()
            if writer is not None:
                await end(writer)
            # A half-open socket would answer no close frame, and the new one must not wait for it.
            socket.abort()

    async def _hear(self, socket: Socket) -> ToCrew | None:
        """Wait for one message; None for one that a newer server says and this client does not know."""
        silence_s = 2 * self._timing.ping_interval_s
        try:
            async with asyncio.timeout(silence_s):
                frame = await socket.recv()
        except TimeoutError:
            raise SocketLostError(ABNORMAL, f"nothing heard for {silence_s:g} s") from None
        try:
            return decode_to_crew(frame)
        except ProtocolError as error:
            _log.warning("a message is not understood and ignored: %s", error)
            return None

    async def _write(self, socket: Socket) -> None:
        """Send what is due: states and commands at once, acks throttled, pings in time."""
        loop = asyncio.get_running_loop()
        ping_at = loop.time() + self._timing.ping_interval_s
        ack_at = loop.time()
        acked: int | None = None
        try:
            while True:
                self._wake.clear()
                for message in self._session.outgoing():
                    await self._send(socket, message)
                if loop.time() >= ping_at:
                    ping_at = loop.time() + self._timing.ping_interval_s
                    self._session.nudge()
                    self._wake.set()
                    await self._send(socket, Ping())
                seq = self._session.mirror.seq
                if seq is not None and seq != acked and loop.time() >= ack_at:
                    await self._send(socket, Ack(seq=seq))
                    acked, ack_at = seq, loop.time() + self._timing.ack_interval_s
                due = ping_at if self._session.mirror.seq == acked else min(ping_at, ack_at)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout_at(due):
                        await self._wake.wait()
        except SocketLostError:
            # The reader finds out as well, and knows what to do.
            socket.abort()
        except Exception:
            _log.exception("the writer failed")
            socket.abort()

    async def _send(self, socket: Socket, message: FromCrew) -> None:
        try:
            async with asyncio.timeout(self._timing.send_timeout_s):
                await socket.send(encode(message))
        except TimeoutError:
            raise SocketLostError(ABNORMAL, f"a send took longer than {self._timing.send_timeout_s:g} s") from None


async def end(task: asyncio.Task[None]) -> None:
    """Cancel a task and wait until it is over; what it failed with was reported where it failed."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
