"""The receiving half of a socket, with real frames and a connection that is not there."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from sanic.exceptions import WebsocketClosed
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

from dispatch.http.reader import MOST, FrameReader


class Wire:
    """What Sanic keeps of a socket; what it would send, or stop reading, is written down."""

    def __init__(self, max_size: int | None = None) -> None:
        self.ws_proto = ServerProtocol(state=OPEN, max_size=max_size)
        self.sent: list[bytes] = []
        self.reading = True
        self.io_proto = SimpleNamespace(transport=self)

    async def async_data_received(self, data: list[bytes], events: Any) -> None:
        assert not events
        self.sent += data

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def is_closing(self) -> bool:
        return False


def wire(opcode: Opcode, data: bytes, *, fin: bool = True) -> bytes:
    """Return a frame as a client sends it."""
    return Frame(opcode, data, fin).serialize(mask=True)


async def test_messages_come_in_their_order_whatever_the_pieces_in_which_the_bytes_came() -> None:
    reader = FrameReader(Wire())
    stream = b"".join(
        [
            wire(Opcode.TEXT, "一".encode()),
            wire(Opcode.TEXT, "二、".encode()[:2], fin=False),
            wire(Opcode.PING, b"still there?"),
            wire(Opcode.CONT, "二、".encode()[2:], fin=False),
            wire(Opcode.CONT, "三".encode()),
            wire(Opcode.BINARY, b"\x00\xff"),
        ]
    )
    for byte in stream:
        reader.feed(bytes([byte]))
    assert [await reader.recv() for _ in range(3)] == ["一", "二、三", b"\x00\xff"]


async def test_who_waits_gets_the_message_when_it_comes_and_one_who_gave_up_loses_none() -> None:
    reader = FrameReader(Wire())
    waiting = asyncio.create_task(reader.recv())
    await asyncio.sleep(0)
    waiting.cancel()
    reader.feed(wire(Opcode.TEXT, b"first"))
    with pytest.raises(asyncio.CancelledError):
        await waiting
    waiting = asyncio.create_task(reader.recv())
    assert await waiting == "first"
    waiting = asyncio.create_task(reader.recv())
    await asyncio.sleep(0)
    reader.feed(wire(Opcode.TEXT, b"second"))
    assert await waiting == "second"


async def test_a_ping_is_answered_and_a_pong_is_a_sign_of_life_that_nobody_reads() -> None:
    socket = Wire()
    reader = FrameReader(socket)
    reader.fed_at = 0.0
    reader.feed(wire(Opcode.PING, b"a") + wire(Opcode.PONG, b"b") + wire(Opcode.TEXT, b"c"))
    await asyncio.sleep(0)
    assert socket.sent == [Frame(Opcode.PONG, b"a").serialize(mask=False)]
    assert reader.fed_at > 0
    assert await reader.recv() == "c"


async def test_a_text_that_is_not_utf_8_closes_the_socket_with_1007() -> None:
    socket = Wire()
    reader = FrameReader(socket)
    reader.feed(wire(Opcode.TEXT, b"good") + wire(Opcode.TEXT, b"\xff\xfe"))
    await asyncio.sleep(0)
    assert await reader.recv() == "good"
    assert socket.sent[0][2:4] == (1007).to_bytes(2, "big")


async def test_a_frame_above_the_limit_closes_the_socket_with_1009_in_one_piece_or_several() -> None:
    for pieces in (
        [wire(Opcode.TEXT, b"x" * 65)],
        [wire(Opcode.TEXT, b"x" * 40, fin=False), wire(Opcode.CONT, b"y" * 40)],
    ):
        socket = Wire(max_size=64)
        reader = FrameReader(socket)
        for piece in pieces:
            reader.feed(piece)
        await asyncio.sleep(0)
        assert socket.sent[0][2:4] == (1009).to_bytes(2, "big")


async def test_a_client_that_says_more_than_is_taken_is_not_read_from_until_it_was() -> None:
    socket = Wire()
    reader = FrameReader(socket)
    for n in range(MOST + 1):
        assert socket.reading
        reader.feed(wire(Opcode.TEXT, b"%d" % n))
    assert not socket.reading
    told = [await reader.recv() for _ in range(MOST + 1)]
    assert told == [str(n) for n in range(MOST + 1)]
    assert socket.reading


async def test_what_was_said_before_a_goodbye_is_heard_and_then_it_is_over() -> None:
    for goodbye in ("close", "end"):
        socket = Wire()
        reader = FrameReader(socket)
        reader.feed(wire(Opcode.TEXT, b"last words"))
        if goodbye == "close":
            reader.feed(wire(Opcode.CLOSE, (1000).to_bytes(2, "big")))
        else:
            reader.end()
        assert await reader.recv() == "last words"
        with pytest.raises(WebsocketClosed):
            await reader.recv()
