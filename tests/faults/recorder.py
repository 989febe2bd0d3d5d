"""What a crew says and hears on its socket: written into the history, and disordered where that is asked for."""

import asyncio
import random
from typing import Any

import msgspec
from msgspec import Struct

from crew_client.transport import Socket
from tests.faults.history import History, Strange, Told, Verdict, Welcome, digest, now

COMMANDS = ('{"type":"grab"', '{"type":"decline"', '{"type":"progress"', '{"type":"hand_back"')


class OrderBrief(Struct, frozen=True, gc=False):
    """Of an order, what the checker compares."""

    id: str
    version: int
    state: str
    crew: str | None = None


class Frame(Struct, frozen=True, gc=False):
    """Of a frame to a crew, what the checker compares; `order` is an order or an id."""

    type: str
    seq: int | None = None
    id: str | None = None
    order: Any = None
    reason: str | None = None
    state: str | None = None
    error: str | None = None
    epoch: str = ""
    resumed: bool = False
    orders: tuple[OrderBrief, ...] = ()


_decode = msgspec.json.Decoder(Frame).decode


class Mischief:
    """How often a command is sent twice, and how often it is overtaken by the next."""

    def __init__(self) -> None:
        self.twice = 0.0
        self.overtaken = 0.0


class Recorder:
    """Writes down what one client hears; `foreign` is a word that only the other city knows."""

    def __init__(self, history: History, city: str, client: str, foreign: str) -> None:
        self.history = history
        self.city = city
        self.client = client
        self.foreign = foreign
        self.seen = -1
        self.bids = 0

    def hear(self, text: str) -> None:
        """Take a frame of a crew's socket."""
        frame = _decode(text)
        at = now()
        if self.foreign in text:
            self.strange(f"{frame.type} has a word of another city")
        if frame.type == "welcome":
            held = None if frame.resumed else tuple(sorted(order.id for order in frame.orders))
            self.welcomed(frame.epoch, frame.seq or 0, frame.resumed, held)
        elif frame.type == "grab_result":
            self.history.write(
                Verdict(self.city, self.client, at, frame.id or "", _id(frame.order), frame.reason or "")
            )
        elif frame.type == "progress_ack":
            result = f"error {frame.error}" if frame.error else frame.state or ""
            self.history.write(Verdict(self.city, self.client, at, frame.id or "", _id(frame.order), result))
        elif frame.type == "grab_ack":
            self.bids += 1
        elif frame.seq is not None:
            order = frame.order if isinstance(frame.order, dict) else None
            self.told(frame.seq, digest(text), order, None if order else _id(frame.order))

    def told(self, seq: int, digested: int, order: dict[str, Any] | None, order_id: str | None = None) -> None:
        """Write down something that has a place in the log."""
        self.seen = max(self.seen, seq)
        if order is None:
            self.history.write(Told(self.city, self.client, now(), seq, digested, order_id))
        else:
            told = (order["id"], order["version"], order["state"], order["crew"])
            self.history.write(Told(self.city, self.client, now(), seq, digested, *told))

    def welcomed(self, epoch: str, seq: int, resumed: bool, held: tuple[str, ...] | None = None) -> None:
        """Write down that a connection came about."""
        if not resumed:
            self.seen = seq
        self.history.write(Welcome(self.city, self.client, now(), epoch, seq, resumed, held))

    def strange(self, what: str) -> None:
        """Write down what should never be seen."""
        self.history.write(Strange(self.city, self.client, now(), what))


class RecordedSocket:
    """A crew's socket whose incoming frames are written down, and whose commands may go out twice or out of order."""

    def __init__(self, socket: Socket, recorder: Recorder, mischief: Mischief, rng: random.Random) -> None:
        self._socket = socket
        self._recorder = recorder
        self._mischief = mischief
        self._rng = rng
        self._late: list[str] = []
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def recv(self) -> str | bytes:
        frame = await self._socket.recv()
        assert isinstance(frame, str)
        self._recorder.hear(frame)
        return frame

    async def send(self, frame: str) -> None:
        if frame.startswith(COMMANDS):
            if self._rng.random() < self._mischief.twice:
                await self._socket.send(frame)
            if self._rng.random() < self._mischief.overtaken:
                self._late.append(frame)
                if self._timer is None:
                    self._timer = asyncio.get_running_loop().call_later(self._rng.uniform(0.02, 0.5), self._catch_up)
                return
        await self._socket.send(frame)

    def _catch_up(self) -> None:
        self._timer = None
        late, self._late = self._late, []
        self._rng.shuffle(late)

        async def send() -> None:
            try:
                for frame in late:
                    await self._socket.send(frame)
            except Exception:
                return  # the connection is gone; the client sends again what has no answer

        task = asyncio.create_task(send())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        await self._socket.close()

    def abort(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._socket.abort()


def _id(order: Any) -> str:
    return order if isinstance(order, str) else ""
