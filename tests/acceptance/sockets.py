"""A phone and a console as a stranger would write them: plain frames, nothing of the product's own client."""

import asyncio
import itertools
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from time import monotonic
from typing import Any, Self

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.acceptance.documents import AsyncApi

Frame = dict[str, Any]
WITHIN_S = 10.0

_ids = itertools.count(1)


def fresh_id() -> str:
    """A message id that no other command of this run has."""
    return f"m{next(_ids)}"


def device_time() -> str:
    """What a phone's clock says."""
    return datetime.now(UTC).isoformat()


class Socket:
    """One connection; every frame that comes is kept, in order, and held to the AsyncAPI document."""

    channel = "crew"

    def __init__(self, connection: ClientConnection, judge: AsyncApi) -> None:
        self.connection = connection
        self.frames: list[Frame] = []
        self.arrived: list[float] = []
        self.wrong: list[str] = []
        self.closed = asyncio.Event()
        self._judge = judge
        self._news = asyncio.Event()
        self._returned: set[int] = set()
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def open(cls, url: str, judge: AsyncApi, *, token: str | None = None, **headers: str) -> Self:
        """Connect, with the token in the handshake where one is given."""
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        connection = await connect(
            f"{url.replace('http', 'ws', 1)}/ws/v1/{cls.channel}",
            subprotocols=["qiangdan.v1"],  # type: ignore[list-item]
            additional_headers=headers,
            proxy=None,
            compression=None,
            max_size=None,
            ping_interval=None,
        )
        return cls(connection, judge)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.connection.close()
        await self._reader
        assert not self.wrong, self.wrong[0]

    async def _read(self) -> None:
        try:
            async for text in self.connection:
                assert isinstance(text, str)
                frame = json.loads(text)
                self.frames.append(frame)
                self.arrived.append(monotonic())
                try:
                    self._judge.check(self.channel, frame)
                except AssertionError as error:
                    self.wrong.append(str(error))
                self._news.set()
        except ConnectionClosed:
            pass
        finally:
            self.closed.set()
            self._news.set()

    @property
    def close_code(self) -> int | None:
        """Why the server closed the connection."""
        return self.connection.close_code

    async def closing(self, *, within_s: float = WITHIN_S) -> int | None:
        """Wait for the server to close the connection and return its code."""
        async with asyncio.timeout(within_s):
            await self.closed.wait()
        return self.close_code

    async def say(self, kind: str, /, **fields: Any) -> None:
        """Send a message."""
        await self.connection.send(json.dumps({"type": kind, **fields}))

    async def expect(
        self, kind: str, /, *, within_s: float = WITHIN_S, where: Callable[[Frame], bool] | None = None, **fields: Any
    ) -> Frame:
        """Return the first such frame that no other call has returned, as soon as it is there."""
        give_up_at = monotonic() + within_s
        at = 0
        while True:
            while at < len(self.frames):
                frame = self.frames[at]
                at += 1
                if (
                    frame["type"] == kind
                    and at not in self._returned
                    and _has(frame, fields)
                    and (where is None or where(frame))
                ):
                    self._returned.add(at)
                    return frame
            left = give_up_at - monotonic()
            if left <= 0 or self.closed.is_set():
                raise AssertionError(f"no {kind} {fields} came (closed: {self.close_code}); there was {self.frames}")
            self._news.clear()
            try:
                await asyncio.wait_for(self._news.wait(), left)
            except TimeoutError:
                continue

    def of(self, kind: str) -> list[Frame]:
        """Every frame of a kind so far."""
        return [frame for frame in self.frames if frame["type"] == kind]

    async def settle(self) -> None:
        """Return when the server has answered a ping: what it sent before is here."""
        await self.say("ping", n=(mark := fresh_id()))
        await self.expect("pong", n=mark)


def _has(frame: Mapping[str, Any], fields: Mapping[str, Any]) -> bool:
    for name, value in fields.items():
        found = frame.get(name)
        if name == "order" and isinstance(found, dict):
            found = found["id"]
        if found != value:
            return False
    return True


class Phone(Socket):
    """A technician's phone."""

    channel = "crew"

    async def hello(self, **fields: Any) -> Frame:
        """Say hello and return the welcome."""
        await self.say("hello", **fields)
        return await self.expect("welcome")

    async def at(self, lon: float, lat: float) -> None:
        """Tell a position."""
        await self.say("position", lon=lon, lat=lat, accuracy_m=10, at=device_time())

    async def on_shift(self, lon: float, lat: float) -> Frame:
        """Say hello, begin the shift and tell where one is."""
        welcome = await self.hello()
        await self.say("shift", on=True)
        await self.at(lon, lat)
        return welcome

    async def grab(self, order: str, id: str | None = None) -> str:
        """Ask for an order and return the message's id."""
        id = id or fresh_id()
        await self.say("grab", id=id, order=order)
        return id

    async def verdict(self, order: str, **fields: Any) -> Frame:
        """Ask for an order and return the verdict."""
        id = await self.grab(order)
        return await self.expect("grab_result", id=id, **fields)

    async def progress(self, order: str, to: str, **fields: Any) -> Frame:
        """Report progress and return the acknowledgement."""
        id = fields.pop("id", None) or fresh_id()
        await self.say("progress", id=id, order=order, to=to, at=fields.pop("at", device_time()), **fields)
        return await self.expect("progress_ack", id=id)

    async def decline(self, order: str) -> Frame:
        """Say no and return the acknowledgement."""
        id = fresh_id()
        await self.say("decline", id=id, order=order)
        return await self.expect("progress_ack", id=id)


class Console(Socket):
    """A dispatcher's screen."""

    channel = "console"

    async def hello(self, **fields: Any) -> Frame:
        """Say hello and return the snapshot."""
        await self.say("hello", **fields)
        return await self.expect("snapshot")

    def seqs(self) -> list[int]:
        """The numbers of the events heard so far."""
        return [frame["seq"] for frame in self.of("event")]
