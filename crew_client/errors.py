"""What goes wrong for a crew's client, as one tree; the class docstring is the default message.

    CrewClientError
    ├── GaveUpError             the connection is over for good; `code` is the close code or the HTTP status
    │   ├── BadTokenError       4401, 401, 403: the server does not know this token
    │   ├── ReplacedError       4409: the crew is connected from elsewhere
    │   └── IncompatibleError   4400, 1009, 404, ...: client and server do not speak the same protocol
    ├── CommandRefusedError     the server answered a command with `error`: it was not understood, let alone judged
    └── ClientClosedError       the client was closed while a command was still waiting for its verdict

A lost connection is no error: the client comes back by itself. A lost grab is no error either, it is a result.
A command that the protocol cannot carry (an id of 65 characters) raises `ValueError` before it is sent.
"""


class CrewClientError(Exception):
    """The crew client failed."""


class GaveUpError(CrewClientError):
    """The server closed the connection for good."""

    def __init__(self, code: int, detail: str = "") -> None:
        super().__init__(f"{self.__doc__} [{code}{': ' + detail if detail else ''}]")
        self.code = code
        self.detail = detail


class BadTokenError(GaveUpError):
    """The server does not accept this token: ask an administrator for a new one."""


class ReplacedError(GaveUpError):
    """This crew has connected from elsewhere; only one connection at a time is served."""


class IncompatibleError(GaveUpError):
    """Client and server do not speak the same protocol: check the address, then the versions."""


class CommandRefusedError(CrewClientError):
    """The server did not take a command; `code` is stable, `detail` is for people."""

    def __init__(self, code: str, detail: str, *, id: str) -> None:
        super().__init__(f"{detail} [{code}]")
        self.code = code
        self.detail = detail
        self.id = id


class ClientClosedError(CrewClientError):
    """The client was closed before the verdict came; ask again with the same id to learn it."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)
