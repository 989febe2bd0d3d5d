"""Phones that come back: resumes at a steady rate, and everybody at once after the engine was killed.

10,000 crews of 18 zones are signed in. First one phone after the other, 150 a second at planned moments, loses its
connection and resumes; the delay counts from the plan to `welcome`. Then the engine is killed with SIGKILL, one
report comes into each zone while it is away, and a new engine starts on the same port; phones come back as the SDK
does, each after a wait drawn from a ceiling that grows, and the time counts from the kill. Every phone must have
heard of the order of its zone, once, whether in what is repeated or in the snapshot, and each connection's numbers
must grow. The peer is a plain Sanic echo with the same clients: handshake and one message.
"""

import asyncio
import random
import signal
from collections.abc import Sequence
from time import perf_counter

from benchmarks.figures import Row, percentile, reaching, row, within
from benchmarks.phones import SOURCES, Phone, dial, masked, pinged, until
from benchmarks.stage import Served, Stage, free_port, postgres, run_async, served_echo, served_engine, token_of
from benchmarks.watched import Span, Watched, sockets_allowed
from crew_client.backoff import jittered

NAME = "churn"
PEER = "handshake and echo on a Sanic websocket"
LEAST_RESUMES_S = 150
MOST_BACK_S = 60.0
ZONES = 18
AT_ONCE = 200
"""Handshakes that one storm of clients has under way: what a listening queue and one core can hold without loss."""


def run(*, sockets: int = 10_000, seconds: float = 30.0) -> list[Row]:
    """Measure so many seconds of steady resumes, and the return of so many phones."""
    sockets = sockets_allowed(sockets)
    with postgres() as url:
        return run_async(_measure(url, sockets, seconds))


async def _measure(url: str, sockets: int, seconds: float) -> list[Row]:
    zones = min(ZONES, sockets)
    stage = await Stage.build(url, zones=zones, crews=sockets)
    crowd = [Returning(token_of(crew.id), number) for number, crew in enumerate(stage.crews)]
    async with pinged(crowd):
        port = free_port()
        with served_engine(url, port=port) as served:
            await _all_back(crowd, port)
            steady = await _steady(crowd, served, seconds)
            killed = perf_counter()
            served.process.send_signal(signal.SIGKILL)
            served.process.wait()
        orders = await stage.open_orders(range(zones))
        with served_engine(url, port=port) as served:
            await _all_back(crowd, port)
            back_s, back_cpu_s = perf_counter() - killed, Watched(served.process.pid).cpu_s
            await until(lambda: all(orders[each.number % zones] in each.orders for each in crowd), within_s=30)
    await stage.close()
    if wrong := [phone for phone in crowd if phone.wrong or set(phone.orders) != {orders[phone.number % zones]}]:
        raise RuntimeError(f"{len(wrong)} of {len(crowd)} phones missed something or heard it out of order")
    others = [Returning(None, number) for number in range(sockets)]
    with served_echo() as echo:
        await _all_back(others, echo.port)
        plain = await _steady(others, echo, seconds)
        for phone in others:
            phone.drop()
        span = Span(Watched(echo.process.pid))
        began = perf_counter()
        await _all_back(others, echo.port)
        plain_s, plain_cpu_s = perf_counter() - began, span.cpu_s
    rate = row(NAME, "resumes-per-core-second", "1/s", ours=steady[0], peer=plain[0], peer_name=PEER)
    delay = [1e3 * percentile(each[1], 0.99) for each in (steady, plain)]
    return [
        reaching(LEAST_RESUMES_S, rate),
        row(NAME, f"resume-p99-at-{LEAST_RESUMES_S}-per-s", "ms", ours=delay[0], peer=delay[1], peer_name=PEER),
        within(MOST_BACK_S, row(NAME, f"{sockets}-back", "s", ours=back_s, peer=plain_s, peer_name=PEER)),
        row(NAME, f"{sockets}-back-cpu", "s", ours=back_cpu_s, peer=plain_cpu_s, peer_name=PEER),
    ]


class Returning:
    """A crew's phone over all of its connections: what it has seen, and whether that was in order."""

    def __init__(self, token: str | None, number: int) -> None:
        self.number = number
        self.orders: list[str] = []
        self.wrong = False
        self._token = token
        self._seq: int | None = None
        self._epoch = ""
        self._phone: Phone | None = None
        self._welcome = asyncio.Event()

    async def come_back(self, port: int) -> None:
        """Connect, with waits between the tries, and return when it was welcomed."""
        waits = jittered(random.Random(self.number))
        while True:
            try:
                await self.connect(port)
                return
            except (ConnectionError, TimeoutError):
                await asyncio.sleep(next(waits))

    async def connect(self, port: int) -> None:
        """Connect once."""
        self._welcome.clear()
        path = "/ws" if self._token is None else "/ws/v1/crew"
        self._phone = await dial(port, path, self._token, self._hear, source=SOURCES[self.number % len(SOURCES)])
        async with asyncio.timeout(30):
            await self._phone.open
            epoch = f',"epoch":"{self._epoch}"' if self._epoch else ""
            seq = "null" if self._seq is None else self._seq
            self._phone.send(masked(f'{{"type":"hello","resume_after":{seq}{epoch}}}'.encode()))
            await self._welcome.wait()

    def send(self, frame: bytes) -> None:
        """Send a frame, where there is a connection."""
        if self._phone is not None and self._welcome.is_set():
            self._phone.send(frame)

    def drop(self) -> None:
        """Lose the connection without a word."""
        assert self._phone is not None
        self._phone.heard = lambda phone, frame: None
        self._phone.transport.abort()

    def _hear(self, phone: Phone, frame: bytes) -> None:
        if phone is not self._phone and self._phone is not None and self._welcome.is_set():
            return
        if frame.startswith((b'{"type":"welcome"', b'{"type":"hello"')):
            if self._token is not None:
                self._take_welcome(frame)
            self._welcome.set()
        elif frame.startswith(b'{"type":"offer"'):
            seq = int(_between(frame, b'"seq":', b","))
            self.wrong |= self._seq is not None and seq <= self._seq
            self._seq = seq
            self.orders.append(_between(frame, b'"order":{"id":"', b'"').decode())

    def _take_welcome(self, frame: bytes) -> None:
        seq = int(_between(frame, b'"seq":', b","))
        self._epoch = _between(frame, b'"epoch":"', b'"').decode()
        if b'"resumed":true' in frame[-60:]:
            self.wrong |= seq != self._seq
        else:
            self.orders = [part.split(b'"', 1)[0].decode() for part in frame.split(b'{"id":"')[1:]]
        self._seq = seq


async def _all_back(crowd: Sequence[Returning], port: int) -> None:
    """Return when every phone is welcome."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(phone: Returning) -> None:
        async with gate:
            await phone.come_back(port)

    async with asyncio.timeout(300):
        await asyncio.gather(*(one(phone) for phone in crowd))


async def _steady(crowd: Sequence[Returning], served: Served, seconds: float) -> tuple[float, list[float]]:
    """Let phones drop and resume at the planned rate; return resumes by processor second, and the delays in seconds."""
    began = perf_counter() + 0.1
    span = Span(Watched(served.process.pid))
    delays: list[float] = []

    async def one(phone: Returning, planned: float) -> None:
        phone.drop()
        await phone.come_back(served.port)
        delays.append(perf_counter() - planned)

    resuming = []
    for number in range(int(LEAST_RESUMES_S * seconds)):
        planned = began + number / LEAST_RESUMES_S
        await asyncio.sleep(max(planned - perf_counter(), 0))
        resuming.append(asyncio.create_task(one(crowd[number % len(crowd)], planned)))
    await asyncio.gather(*resuming)
    return len(delays) / span.cpu_s, delays


def _between(frame: bytes, head: bytes, tail: bytes) -> bytes:
    begin = frame.index(head) + len(head)
    return frame[begin : frame.index(tail, begin)]
