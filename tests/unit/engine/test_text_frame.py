"""Frames written by hand are those that the protocol library reads."""

import pytest
from websockets.frames import Opcode
from websockets.protocol import CLIENT, Protocol

from dispatch.http.line import text_frame


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, 70_000])
def test_a_text_frame_of_any_size_is_read_whole(size: int) -> None:
    payload = ("冷" * size)[:size].encode()[:size]
    reader = Protocol(CLIENT, max_size=None)
    reader.receive_data(text_frame(payload) + text_frame(b"next"))
    first, second = reader.events_received()
    assert (first.opcode, first.fin, first.data) == (Opcode.TEXT, True, payload)  # type: ignore[union-attr]
    assert second.data == b"next"  # type: ignore[union-attr]
