"""What the two kinds of socket share: who it is, what may come in, and when it is over.

One task reads and is never cancelled by us (a cancelled `recv` breaks a Sanic socket for good); silence is noticed by
a watch that closes the socket from outside. Commands run one after the other beside the reader, so that a ping is
answered while a commit is under way.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Coroutine
from time import monotonic
from typing import TYPE_CHECKING, Any

import msgspec

from dispatch.access import Identity, Role
from dispatch.deliveries import say
from dispatch.errors import Unavailable
from dispatch.http.line import GONE, SocketLine
from dispatch.http.reader import FrameReader
from dispatch.logs import logger
from dispatch.problems import unreadable_values

if TYPE_CHECKING:
    from dispatch.engine import Engine

MOST_ERRORS = 20
ERROR_WINDOW_S = 60.0
MOST_COMMANDS = 1_000
PING_AFTER_S = 20.0
PONG_WITHIN_S = 20.0
log = logger("socket")


class Session(ABC):
    """One connected socket of either kind; who `must_speak` says something within the idle timeout."""

    kind = "socket"
    must_speak = True
    roles: frozenset[Role] = frozenset()
    pinged_at = 0.0

    def __init__(self, engine: "Engine", ws: Any, watch: "Watch") -> None:
        self.engine = engine
        self.ws = ws
        self.identity: Identity | None = None
        self.heard_at = monotonic()
        # Lists, since a deque takes 600 bytes while it is empty, as it is on nearly every socket.
        self._errors: list[float] = []
        self._commands: list[Coroutine[Any, Any, None]] = []
        self._working: asyncio.Task[None] | None = None
        limits = engine.settings.sockets
        self.line = SocketLine(
            ws,
            queue=limits.queue,
            send_timeout_s=limits.send_timeout_s,
            on_close=lambda code: engine.metrics.sockets_closed.labels(str(code)).inc(),
        )
        self._watch = watch

    async def run(self, token: str | None) -> None:
        """Serve the socket until it is over."""
        self.engine.metrics.sockets.labels(self.kind).inc()
        self._watch.sessions.add(self)
        try:
            if token is None or await self.identify(token):
                await self._read()
        except GONE:
            pass
        except Unavailable as error:
            self.line.close(1013, error.detail[:100])
        except Exception:
            log.exception("a socket failed")
            self.line.close(1011, "something went wrong here")
        finally:
            self._watch.sessions.discard(self)
            self.engine.metrics.sockets.labels(self.kind).dec()
            self.left()
            if self.line._closing is not None:
                await asyncio.wait([self.line._closing], timeout=self.engine.settings.sockets.send_timeout_s)

    async def identify(self, token: str) -> bool:
        """Learn whose token it is; a bad one closes the socket."""
        identity = await self.engine.command(self.engine.identify(token))
        if identity is None or not identity.may(self.roles):
            self.line.close(
                4401, "this token is not known here" if identity is None else "this token is for other work"
            )
            return False
        self.identity = identity
        return True

    @property
    def alive_at(self) -> float:
        """When the client was heard of last, a pong included; seconds of the monotonic clock."""
        reader: FrameReader = self.ws.io_proto.reader
        return reader.fed_at

    async def admit(self, token: str | None) -> bool:
        """Take the token of a hello where the handshake carried none; without one the socket is closed."""
        if self.identity is not None:
            return True
        if token is None:
            self.line.close(4401, "a token is needed: in Authorization or in hello")
            return False
        return await self.identify(token)

    async def _read(self) -> None:
        reader: FrameReader = self.ws.io_proto.reader
        while True:
            frame = await reader.recv()
            if self.line.closing:
                continue  # what comes after our goodbye is for nobody, but must be read for it to arrive
            self.heard_at = monotonic()
            if isinstance(frame, bytes):
                self.error("malformed", "send text frames, one JSON object each", malformed=True)
            else:
                await self.hear(frame)

    @abstractmethod
    async def hear(self, frame: str) -> None:
        """Take one text frame."""

    @abstractmethod
    def left(self) -> None:
        """The socket is over: let go of what it held."""

    def later(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a command after those that came before it; the reader goes on."""
        if len(self._commands) >= MOST_COMMANDS:
            work.close()
            self.error("busy", "too many commands are waiting; send the next when some were answered")
            return
        self._commands.append(work)
        if self._working is None:
            self._working = asyncio.create_task(self._work())

    async def _work(self) -> None:
        try:
            while self._commands:
                await self._commands.pop(0)
        finally:
            self._working = None

    def pong(self, frame: str) -> None:
        """Send a ping's members back."""
        try:
            told = say({**msgspec.json.decode(frame), "type": "pong"})
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            self.unreadable(frame, str(error))
        else:
            self.line.send(told)

    def unreadable(self, frame: str, detail: str, *, id: str | None = None) -> None:
        """Send the error of a frame that is no message, naming the value that keeps it from being JSON, if any does."""
        if problems := unreadable_values(frame):
            detail = f"{problems[0].pointer.lstrip('/').replace('/', '.') or 'message'}: {problems[0].detail}"
        self.error("malformed", detail, id=id, malformed=True)

    def error(self, code: str, detail: str, *, id: str | None = None, malformed: bool = False) -> None:
        """Send an error; too many malformed messages in a minute close the socket."""
        told = {"type": "error", "code": code, "detail": detail}
        self.line.send(say(told if id is None else {**told, "id": id}))
        if malformed:
            now = monotonic()
            self._errors.append(now)
            while self._errors and now - self._errors[0] > ERROR_WINDOW_S:
                self._errors.pop(0)
            if len(self._errors) >= MOST_ERRORS:
                self.line.close(4400, "too many messages that cannot be read")


class Watch:
    """Pings sockets that are silent, and closes those that say nothing for too long; one task for all of them.

    A ping is sent after `PING_AFTER_S` without a frame; where not even a pong comes, the connection is dead. From a
    crew, and before a console's hello, a message of the protocol must come within the idle timeout.
    """

    def __init__(self, idle_timeout_s: float) -> None:
        self.sessions: set[Session] = set()
        self._idle = idle_timeout_s

    async def run(self) -> None:
        """Look every second until cancelled."""
        while True:
            await asyncio.sleep(1.0)
            self.look(monotonic())

    def look(self, now: float) -> None:
        """Do what is due at `now` (seconds of the monotonic clock)."""
        for session in list(self.sessions):
            quiet_s = now - session.alive_at
            if session.line.closing:
                continue
            if session.must_speak and now - session.heard_at > self._idle:
                session.line.close(4408, "no message for too long")
            elif quiet_s > PING_AFTER_S + PONG_WITHIN_S:
                session.line.abort()
            elif quiet_s > PING_AFTER_S and session.pinged_at <= session.alive_at and session.line.ping():
                session.pinged_at = now
