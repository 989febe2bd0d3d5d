"""Just enough of PostgreSQL's wire protocol to see what a server answers: message borders, commits, notifications.

PostgreSQL documentation, "Frontend/Backend Protocol", Message Formats: each message of the server is a type byte, a
length of four bytes that counts itself, and the rest.
"""

from collections.abc import Iterator

COMMAND_COMPLETE = ord("C")
NOTIFICATION = ord("A")
HEADER = 5


class ServerStream:
    """Cuts what a server sends into whole messages."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Return the messages that are whole by now."""
        data = self._rest + data if self._rest else data
        at, end = 0, len(data)
        while end - at >= HEADER:
            size = 1 + int.from_bytes(data[at + 1 : at + 5], "big")
            if end - at < size:
                break
            yield data[at : at + size]
            at += size
        self._rest = data[at:]


def is_commit(message: bytes) -> bool:
    """Return whether the message says that a transaction is committed."""
    return message[0] == COMMAND_COMPLETE and message[HEADER:] == b"COMMIT\0"


def is_notification(message: bytes) -> bool:
    """Return whether the message is a notification."""
    return message[0] == NOTIFICATION


def asks_to_commit(data: bytes) -> bool:
    """Return whether what a client sends is the simple query `COMMIT;`."""
    return data[:1] == b"Q" and data[HEADER : HEADER + 6] == b"COMMIT"


def listens(data: bytes) -> bool:
    """Return whether what a client sends asks for notifications."""
    return b"LISTEN " in data
