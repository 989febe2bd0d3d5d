"""The head of a request: what a client may write into it, and the libraries below us cannot take."""

import re
from typing import Any

from sanic import Request
from sanic.exceptions import BadURL

_UNREADABLE = re.compile(r"[^\t\x20-\x7e\x80-\xff]")


class Head(Request):
    """A request as Sanic makes it; one whose address cannot be read is answered, where Sanic itself would fail anew.

    Of such a request Sanic makes an empty one of method `NONE` to answer it, and gives that the same address.
    """

    def __init__(self, url_bytes: bytes, *others: Any, **named: Any) -> None:
        try:
            super().__init__(url_bytes, *others, **named)
        except BadURL:
            if named.get("method") != "NONE":
                raise
            super().__init__(b"*", *others, **named)


def write_readably(request: Request) -> None:
    """Replace in its headers what the reader of socket handshakes refuses, such as Chinese in a `User-Agent`."""
    for name, value in list(request.headers.items()):
        if _UNREADABLE.search(value):
            request.headers[name] = _UNREADABLE.sub("?", value)
