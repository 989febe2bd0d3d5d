"""The sending half of a socket, with a socket that is not there."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from dispatch.http import line as module
from dispatch.http.line import SocketLine


class Deaf:
    """A socket that takes one frame, late."""

    def __init__(self) -> None:
        self.taken = asyncio.Event()
        self.io_proto = SimpleNamespace(transport=None, _can_write=asyncio.Event())
        self.conn_mutex = asyncio.Lock()
        self.ws_proto = SimpleNamespace(state=None)

    async def send(self, frame: str) -> None:
        await self.taken.wait()


async def test_a_line_that_overflows_while_a_frame_is_on_its_way_ends_without_a_fuss(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    complaints: list[Any] = []
    monkeypatch.setattr(module.log, "exception", lambda *args, **more: complaints.append(args))
    socket = Deaf()
    codes: list[int] = []
    line = SocketLine(socket, queue=3, send_timeout_s=5, on_close=codes.append)
    for n in range(5):
        line.send(f"frame {n}")
        await asyncio.sleep(0)
    assert codes == [1006]
    flushing = line._flushing
    socket.taken.set()
    if flushing is not None:
        await flushing
    assert line.closing
    assert not complaints
