"""A small server that speaks `qiangdan.v1` over real sockets, and makers of messages."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from crew_client import CrewClient, Timing
from crew_client.protocol import (
    SUBPROTOCOL,
    Ack,
    FromCrew,
    Hello,
    Location,
    Offer,
    OfferedOrder,
    Order,
    Ping,
    Pong,
    ToCrew,
    Welcome,
    decode_from_crew,
    encode,
)

T = TypeVar("T")
NOW = datetime(2025, 11, 3, 8, 0, tzinfo=UTC)


class Messages:
    """Makers of messages with everything that a test does not care about filled in."""

    now = NOW

    def order(self, id: str = "o1", **fields: Any) -> Order:
        given: dict[str, Any] = {
            "version": 1,
            "state": "offered",
            "crew": None,
            "claimed_by": None,
            "severity": 3,
            "category": "no_heat",
        } | fields
        return Order(
            id=id,
            zone="z1",
            location=Location(lon=126.63, lat=45.75),
            address={"text": "道里区中央大街1号"},
            reported_at=NOW,
            clocks={},
            **given,
        )

    def held(self, id: str = "o1", *, crew: str = "c1", state: str = "claimed", version: int = 1) -> Order:
        return self.order(id, state=state, crew=crew, claimed_by="grab", version=version)

    def offer(self, seq: int, id: str = "o1", *, closes_in_s: float = 60, **fields: Any) -> Offer:
        return Offer(
            seq=seq,
            order=self.order(id, **fields),
            mode="sealed",
            closes_at=NOW + timedelta(seconds=closes_in_s),
            eta_s=120,
            distance_m=700,
        )

    def offered(self, id: str = "o1", *, closes_in_s: float = 60) -> OfferedOrder:
        order = self.order(id)
        return OfferedOrder(
            **{field: getattr(order, field) for field in Order.__struct_fields__},
            mode="sealed",
            closes_at=NOW + timedelta(seconds=closes_in_s),
            eta_s=120,
            distance_m=700,
        )

    def welcome(self, seq: int = 0, **fields: Any) -> Welcome:
        given: dict[str, Any] = {"epoch": "e1", "offers": (), "orders": (), "resumed": False} | fields
        return Welcome(crew="c1", seq=seq, server_time=NOW, **given)


class Phone:
    """The server's end of one connection."""

    def __init__(self, socket: ServerConnection, hello: Hello) -> None:
        self.socket = socket
        self.hello = hello
        self.acks: list[int] = []
        self.pings = 0

    async def next(self) -> FromCrew:
        """The next command or state that the crew sends; acks and pings are counted and answered on the way."""
        while True:
            message = decode_from_crew(await asyncio.wait_for(self.socket.recv(), 5))
            if isinstance(message, Ack):
                self.acks.append(message.seq)
            elif isinstance(message, Ping):
                self.pings += 1
                await self.send(Pong())
            else:
                return message

    async def read_until(self, done: Callable[[], bool]) -> None:
        """Read acks and pings until `done`."""
        while not done():
            reading = asyncio.ensure_future(self.next())
            while not done() and not reading.done():
                await asyncio.wait([reading], timeout=0.005)
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    async def send(self, message: ToCrew) -> None:
        await self.socket.send(encode(message))

    def drop(self) -> None:
        """Lose the connection without a close frame."""
        self.socket.transport.abort()


class FakeServer:
    """Welcomes whoever comes and replays `log`; what else it says, the test says through a `Phone`."""

    def __init__(self, make: Messages) -> None:
        self.make = make
        self.epoch = "e1"
        self.log: list[Any] = []
        self.offers: tuple[OfferedOrder, ...] = ()
        self.orders: tuple[Order, ...] = ()
        self.tokens: list[str | None] = []
        self.paths: list[str] = []
        self.refuse_with: int | None = None
        self.welcoming = True
        self._phones: asyncio.Queue[Phone] = asyncio.Queue()
        self._server: Server | None = None

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    @property
    def seq(self) -> int:
        return self.log[-1].seq if self.log else 0

    async def start(self) -> None:
        self._server = await serve(
            self._serve, "127.0.0.1", 0, subprotocols=[Subprotocol(SUBPROTOCOL)], ping_interval=None
        )

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    async def phone(self) -> Phone:
        """The next connection that was welcomed."""
        return await asyncio.wait_for(self._phones.get(), 5)

    async def publish(self, phone: Phone, message: Any) -> None:
        """Write a message to the log and tell the phone."""
        self.log.append(message)
        await phone.send(message)

    async def soon(self, awaitable: Awaitable[T]) -> T:
        """What must happen at once, or the test fails."""
        return await asyncio.wait_for(awaitable, 5)

    async def _serve(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        self.tokens.append(socket.request.headers.get("Authorization"))
        self.paths.append(socket.request.path)
        if self.refuse_with is not None:
            await socket.close(self.refuse_with, "no")
            return
        try:
            hello = decode_from_crew(await socket.recv())
            assert isinstance(hello, Hello)
            phone = Phone(socket, hello)
            if self.welcoming:
                resumed = hello.resume_after is not None and hello.epoch == self.epoch
                lists: dict[str, Any] = {} if resumed else {"offers": self.offers, "orders": self.orders}
                await phone.send(self.make.welcome(self.seq, epoch=self.epoch, resumed=resumed, **lists))
                if resumed:
                    for message in self.log:
                        if message.seq > hello.resume_after:
                            await phone.send(message)
            self._phones.put_nowait(phone)
            await socket.wait_closed()
        except ConnectionClosed:
            pass


@pytest.fixture
def make() -> Messages:
    return Messages()


@pytest.fixture
async def server(make: Messages) -> AsyncIterator[FakeServer]:
    fake = FakeServer(make)
    await fake.start()
    yield fake
    await fake.stop()


@pytest.fixture
def client(server: FakeServer, make: Messages) -> Callable[..., CrewClient]:
    """Make a client of the fake server that comes back at once and counts its ids: m1, m2, ..."""

    def connect(**options: Any) -> CrewClient:
        ids = itertools.count(1)
        times = {name: options.pop(name) for name in list(options) if name.endswith("_s")}
        given: dict[str, Any] = {
            "new_id": lambda: f"m{next(ids)}",
            "clock": lambda: make.now,
            "delays": lambda rng: itertools.repeat(0.0),
            "timing": Timing(**({"ack_interval_s": 0.01} | times)),
        }
        return CrewClient(server.url, "secret", **(given | options))

    return connect
