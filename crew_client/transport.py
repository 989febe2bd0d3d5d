"""The socket under the client: a small Protocol, and the adapter that makes it of the library `websockets`.

Whatever ends a connection, or keeps it from beginning, is a `SocketLostError` with a code, which
`backoff.why_give_up` judges.
The simulated fleet brings sockets of its own, which can lose their signal.
"""

from typing import Protocol
from urllib.parse import urlsplit, urlunsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.typing import Subprotocol

from crew_client.protocol import SUBPROTOCOL

SOCKET_PATH = "/ws/v1/crew"
ABNORMAL = 1006
"""The close code of a socket that died without a word (RFC 6455, 7.1.5)."""
_LARGEST_MESSAGE = 16 * 2**20
_SCHEMES = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}


class SocketLostError(Exception):
    """The connection is gone, or was never made; `code` is a close code or the HTTP status of a refusal."""

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(f"{code} {reason}".strip())
        self.code = code
        self.reason = reason


class Socket(Protocol):
    """One open WebSocket. `recv` and `send` raise `SocketLostError`; a cancelled `recv` loses nothing."""

    async def recv(self) -> str | bytes:
        """Wait for the next frame."""

    async def send(self, frame: str) -> None:
        """Send a text frame; waits while the peer does not read."""

    async def close(self) -> None:
        """Say goodbye (1000) and wait briefly for the answer."""

    def abort(self) -> None:
        """Drop the connection at once, without a word."""


class OpenSocket(Protocol):
    """How a client comes by a socket; raises `SocketLostError`."""

    async def __call__(self, url: str, token: str, *, timeout_s: float) -> Socket:
        """Connect to `url`, with `token` in `Authorization`."""


class _WebSocket:
    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    async def recv(self) -> str | bytes:
        try:
            return await self._connection.recv()
        except ConnectionClosed as closed:
            raise _lost(closed) from None

    async def send(self, frame: str) -> None:
        try:
            await self._connection.send(frame)
        except ConnectionClosed as closed:
            raise _lost(closed) from None

    async def close(self) -> None:
        await self._connection.close()

    def abort(self) -> None:
        self._connection.transport.abort()


async def open_socket(url: str, token: str, *, timeout_s: float) -> Socket:
    """Connect to a server; `url` is a whole socket address, see `socket_url`."""
    try:
        connection = await connect(
            url,
            additional_headers={"Authorization": f"Bearer {token}"},
            subprotocols=[Subprotocol(SUBPROTOCOL)],
            # Frames are small, and a deflate window per crew costs the server more than it saves.
            compression=None,
            # The protocol has a ping of its own, which also tells that the engine behind the socket lives.
            ping_interval=None,
            open_timeout=timeout_s,
            close_timeout=2.0,
            max_size=_LARGEST_MESSAGE,
        )
    except InvalidStatus as refusal:
        raise SocketLostError(refusal.response.status_code, "the server refused the handshake") from None
    except (OSError, InvalidHandshake) as error:
        raise SocketLostError(ABNORMAL, str(error) or type(error).__name__) from None
    return _WebSocket(connection)


def socket_url(base_url: str) -> str:
    """Make the crew socket's address of a server's: `https://host/base` > `wss://host/base/ws/v1/crew`.

    An address that ends with the socket's path already stays; anything but http(s) and ws(s) is a `ValueError`.
    """
    parts = urlsplit(base_url)
    if parts.scheme not in _SCHEMES or not parts.hostname or parts.port == 0:
        raise ValueError(f"{base_url!r} is no address of a server: it should look like https://host or wss://host")
    path = parts.path.rstrip("/")
    if not path.endswith(SOCKET_PATH):
        path += SOCKET_PATH
    return urlunsplit((_SCHEMES[parts.scheme], parts.netloc, path, parts.query, ""))


def _lost(closed: ConnectionClosed) -> SocketLostError:
    close = closed.rcvd or closed.sent
    return SocketLostError(close.code, close.reason) if close else SocketLostError(ABNORMAL, "the connection dropped")
