"""Hints between processes: whose log to read, where a crew was located, which crew has a newer socket. Never data.

With `QIANGDAN_BUS_URL` they go over NATS, else over LISTEN/NOTIFY. NOTIFY takes a lock on the whole instance at
commit, so it never runs in a transaction that does work: one sender per process gathers hints and sends them after
the commits, from a connection of its own. Listening has its own connection too, with a heartbeat. A lost hint costs
at most the second until the next look.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

import msgspec
from msgspec import Struct

from dispatch.logs import logger
from dispatch.store.notify import CHANNEL, Notifier, listen

GATHER_S = 0.005
log = logger("bus")


class Hint(Struct, frozen=True, omit_defaults=True):
    """What one process tells the others. `sessions` are (city, crew, session): the newest socket of a crew.

    `placed` are the cities in which a crew was located for the first time in its shift. `asks` is for the sessions of
    everybody: the sender may have missed some.
    """

    sender: str
    cities: tuple[str, ...] = ()
    sessions: tuple[tuple[str, str, str], ...] = ()
    asks: bool = False
    placed: tuple[str, ...] = ()


Listener = Callable[[Hint], None]
_decode = msgspec.json.Decoder(Hint).decode


class Bus(Protocol):
    """Carries hints."""

    async def start(self, listener: Listener | None) -> None:
        """Begin to send and, where there is a listener, to listen."""
        ...

    def changed(self, city: str) -> None:
        """Tell the others that a city's log has grown."""
        ...

    def took(self, city: str, crew: str, session: str) -> None:
        """Tell the others that a crew's newest socket is here."""
        ...

    def placed(self, city: str) -> None:
        """Tell the others that the first fix of a crew's shift is written."""
        ...

    async def stop(self) -> None:
        """Stop sending and listening."""
        ...


class _Gathering:
    """Gathers hints for a few milliseconds, so that a busy process sends few messages."""

    def __init__(self, sender: str) -> None:
        self.sender = sender
        self._cities: set[str] = set()
        self._sessions: list[tuple[str, str, str]] = []
        self._asks = False
        self._placed: set[str] = set()
        self._some = asyncio.Event()

    def ask(self) -> None:
        """Ask the others which crews' newest sockets they have."""
        self._asks = True
        self._some.set()

    def changed(self, city: str) -> None:
        """Tell the others that a city's log has grown."""
        self._cities.add(city)
        self._some.set()

    def took(self, city: str, crew: str, session: str) -> None:
        """Tell the others that a crew's newest socket is here."""
        self._sessions.append((city, crew, session))
        self._some.set()

    def placed(self, city: str) -> None:
        """Tell the others that the first fix of a crew's shift is written."""
        self._placed.add(city)
        self._some.set()

    async def next(self) -> bytes:
        """Wait for hints and return them as one message, at most 7 kB: a notification carries no more than 8."""
        await self._some.wait()
        await asyncio.sleep(GATHER_S)
        sessions, self._sessions = self._sessions[:50], self._sessions[50:]
        cities, self._cities = tuple(self._cities)[:40], set(tuple(self._cities)[40:])
        placed, self._placed = tuple(self._placed)[:40], set(tuple(self._placed)[40:])
        asks, self._asks = self._asks, False
        if not self._sessions and not self._cities and not self._placed:
            self._some.clear()
        return msgspec.json.encode(Hint(self.sender, cities, tuple(sessions), asks, placed))


class PostgresBus(_Gathering):
    """Hints over LISTEN/NOTIFY."""

    def __init__(self, url: str, sender: str) -> None:
        super().__init__(sender)
        self._url = url
        self._notifier = Notifier(url)
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self, listener: Listener | None) -> None:
        """Begin to send and, where there is a listener, to listen."""
        self._tasks.append(asyncio.create_task(self._send(), name="bus-send"))
        if listener is not None:
            heard = listen(self._url, lambda payload: _pass_on(payload, self.sender, listener), self.ask)
            self._tasks.append(asyncio.create_task(heard, name="bus-listen"))

    async def stop(self) -> None:
        """Stop sending and listening."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._notifier.close()

    async def _send(self) -> None:
        while True:
            message = await self.next()
            await self._notifier.send(message.decode())


class NatsBus(_Gathering):
    """Hints over NATS."""

    def __init__(self, url: str, sender: str) -> None:
        super().__init__(sender)
        self._url = url
        self._client: Any = None
        self._task: asyncio.Task[None] | None = None

    async def start(self, listener: Listener | None) -> None:
        """Begin to send and, where there is a listener, to listen; waits for nothing, since hints are only hints."""
        self._task = asyncio.create_task(self._live(listener), name="bus")

    async def _live(self, listener: Listener | None) -> None:
        import nats

        async def quiet(error: Exception) -> None:
            log.debug("nats", error=type(error).__name__)

        async def heard(message: Any) -> None:
            assert listener is not None
            _pass_on(message.data, self.sender, listener)

        async def back() -> None:
            if listener is not None:
                self.ask()

        # Goes on trying for ever where NATS does not answer.
        self._client = await nats.connect(
            self._url,
            max_reconnect_attempts=-1,
            reconnect_time_wait=0.5,
            error_cb=quiet,
            reconnected_cb=back,
            allow_reconnect=True,
        )
        if listener is not None:
            await self._client.subscribe(CHANNEL, cb=heard)
            self.ask()
        await self._send()

    async def stop(self) -> None:
        """Stop sending and listening."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._client is not None:
            with suppress(Exception):
                async with asyncio.timeout(2):
                    await self._client.close()

    async def _send(self) -> None:
        while True:
            message = await self.next()
            try:
                await self._client.publish(CHANNEL, message)
            except Exception as error:
                log.debug("hint not sent", error=type(error).__name__)


def _pass_on(payload: str | bytes, sender: str, listener: Listener) -> None:
    try:
        hint = _decode(payload)
    except msgspec.MsgspecError:
        log.warning("hint not understood")
        return
    if hint.sender != sender:
        listener(hint)


def make_bus(database_url: str, bus_url: str | None, sender: str) -> PostgresBus | NatsBus:
    """Return the bus that the settings ask for."""
    return NatsBus(bus_url, sender) if bus_url else PostgresBus(database_url, sender)
