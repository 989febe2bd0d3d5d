"""A WebSocket client that may break every rule: frames by hand (RFC 6455), blocking, one socket a time."""

import contextlib
import json
import os
import socket
import struct
from typing import Any, Self
from urllib.parse import urlsplit

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
WITHIN_S = 10.0


class Gone(Exception):
    """The server has ended the connection; `code` is that of its close frame, None where there was none."""

    def __init__(self, code: int | None) -> None:
        super().__init__(f"closed with {code}")
        self.code = code


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0, masked: bool = True) -> bytes:
    """The bytes of one frame; what the standard forbids is made as asked."""
    first = (0x80 if fin else 0) | rsv << 4 | opcode
    size, bit = len(payload), 0x80 if masked else 0
    if size < 126:
        head = bytes((first, bit | size))
    elif size < 1 << 16:
        head = bytes((first, bit | 126)) + struct.pack(">H", size)
    else:
        head = bytes((first, bit | 127)) + struct.pack(">Q", size)
    # A mask of zeros is as good as another, and the trace stays readable.
    return head + (bytes(4) if masked else b"") + payload


class RawSocket:
    """One connection after its handshake."""

    def __init__(self, url: str, channel: str, *, token: str | None) -> None:
        address = urlsplit(url)
        self._socket = socket.create_connection((address.hostname or "", address.port or 80), timeout=WITHIN_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._data = b""
        self.heard: list[dict[str, Any]] = []
        self.pongs: list[bytes] = []
        bearer = f"Authorization: Bearer {token}\r\n" if token is not None else ""
        self.send(
            f"GET /ws/v1/{channel} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {'A' * 22}==\r\n"
            f"Sec-WebSocket-Protocol: qiangdan.v1\r\n{bearer}\r\n".encode()
        )
        while b"\r\n\r\n" not in self._data:
            self._receive()
        head, _, self._data = self._data.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 "), head

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, data: bytes) -> None:
        """Send bytes; a connection that the server has ended meanwhile shows when it is read."""
        with contextlib.suppress(ConnectionError):
            self._socket.sendall(data)

    def say(self, message: Any) -> None:
        """Send a message as one text frame."""
        self.send(frame(TEXT, json.dumps(message).encode()))

    def reset(self) -> None:
        """End the connection as a phone does that loses its net: without a word, what is unread thrown away."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    def next(self) -> dict[str, Any]:
        """The next message; pongs are noted, the server's pings answered. Raises `Gone`."""
        while True:
            opcode, payload = self._next_frame()
            if opcode == TEXT:
                message: dict[str, Any] = json.loads(payload)
                self.heard.append(message)
                return message
            if opcode == CLOSE:
                self.send(frame(CLOSE, payload[:2]))
                raise Gone(int.from_bytes(payload[:2], "big") if len(payload) >= 2 else None)
            if opcode == PING:
                self.send(frame(PONG, payload))
            elif opcode == PONG:
                self.pongs.append(payload)
            else:
                raise AssertionError(f"the server sent a frame of opcode {opcode}: {payload[:80]!r}")

    def settle(self) -> list[dict[str, Any]]:
        """What came until the server answered a ping of ours, in the order in which it came. Raises `Gone`."""
        mark = os.urandom(6).hex()
        begun = len(self.heard)
        self.say({"type": "ping", "mark": mark})
        while self.next() != {"type": "pong", "mark": mark}:
            pass
        return self.heard[begun:-1]

    def close_code(self) -> int | None:
        """Read until the server ends the connection, and return its code."""
        try:
            while True:
                self.next()
        except Gone as gone:
            return gone.code

    def _next_frame(self) -> tuple[int, bytes]:
        while len(self._data) < 2:
            self._receive()
        size, at = self._data[1] & 0x7F, 2
        if size >= 126:
            at = 4 if size == 126 else 10
            while len(self._data) < at:
                self._receive()
            size = int.from_bytes(self._data[2:at], "big")
        while len(self._data) < at + size:
            self._receive()
        first, payload = self._data[0], self._data[at : at + size]
        self._data = self._data[at + size :]
        assert first & 0x80 and not first & 0x70, "the server sent a fragment or a reserved bit"
        return first & 0x0F, payload

    def _receive(self) -> None:
        try:
            got = self._socket.recv(1 << 16)
        except ConnectionError:
            got = b""
        if not got:
            raise Gone(None)
        self._data += got
