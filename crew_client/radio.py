"""Sockets that can lose their signal, in the two ways in which phones do."""

from crew_client.transport import ABNORMAL, OpenSocket, Socket, SocketLostError


class Radio:
    """Opens sockets while there is signal; `open` is a `transport.OpenSocket`.

    `lose` drops the socket without a close frame or, if `silent`, leaves it half-open: what is sent goes nowhere, what
    the server says is not heard, and nobody knows. `regain` brings the signal back; a half-open socket dies then.
    """

    def __init__(self, open_socket: OpenSocket) -> None:
        self._open_socket = open_socket
        self._current: _RadioSocket | None = None
        self._signal = True

    async def open(self, url: str, token: str, *, timeout_s: float) -> Socket:
        """Connect, if there is signal."""
        if not self._signal:
            raise SocketLostError(ABNORMAL, "no signal")
        socket = _RadioSocket(await self._open_socket(url, token, timeout_s=timeout_s))
        if not self._signal:
            socket.abort()
            raise SocketLostError(ABNORMAL, "no signal")
        self._current = socket
        return socket

    def lose(self, *, silent: bool) -> None:
        """Enter a dead zone."""
        self._signal = False
        if self._current is not None:
            self._current.muted = True
            if not silent:
                self._current.abort()

    def regain(self) -> None:
        """Leave the dead zone."""
        self._signal = True
        if self._current is not None and self._current.muted:
            self._current.abort()


class _RadioSocket:
    def __init__(self, inner: Socket) -> None:
        self._inner = inner
        self.muted = False

    async def recv(self) -> str | bytes:
        while True:
            frame = await self._inner.recv()
            if not self.muted:
                return frame

    async def send(self, frame: str) -> None:
        if not self.muted:
            await self._inner.send(frame)

    async def close(self) -> None:
        await self._inner.close()

    def abort(self) -> None:
        self._inner.abort()
