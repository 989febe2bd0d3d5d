"""Messages on their way from the reader, which must never wait, to the user's loop, which may take its time."""

import asyncio
from collections import deque
from collections.abc import Callable

from crew_client.protocol import ToCrew, Welcome


class Inbox:
    """A bounded queue for one reader.

    When it is full, everything in it is replaced by one `welcome` with `resumed: false`: the whole truth as of now.
    That is what a server says to a client which has missed too much, so who can handle one can handle the other.
    Verdicts that are lost from the queue in this way still reach the caller who waits for them.
    """

    def __init__(self, limit: int) -> None:
        if limit < 1:
            raise ValueError("an inbox holds at least one message")
        self._limit = limit
        self._messages: deque[ToCrew] = deque()
        self._filled = asyncio.Event()
        self._closed = False
        self._error: Exception | None = None

    def put(self, message: ToCrew, *, snapshot: Callable[[], Welcome]) -> None:
        """Add a message; `snapshot` gives the truth, with `message` in it, where there is no room."""
        if self._closed:
            return
        if len(self._messages) >= self._limit:
            self._messages.clear()
            message = snapshot()
        self._messages.append(message)
        self._filled.set()

    def close(self, error: Exception | None) -> None:
        """End the queue: what is in it can still be read, then comes `error`, or the plain end."""
        if not self._closed:
            self._closed = True
            self._error = error
        self._filled.set()

    async def get(self) -> ToCrew:
        """Wait for the next message; `StopAsyncIteration` at the end."""
        while not self._messages:
            if self._error is not None:
                raise self._error
            if self._closed:
                raise StopAsyncIteration
            self._filled.clear()
            await self._filled.wait()
        return self._messages.popleft()
