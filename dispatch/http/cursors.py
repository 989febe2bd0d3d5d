"""Cursors: where the next page of a list begins, to be given back as they are; each says of which list it is."""

from base64 import b64decode, urlsafe_b64encode
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from dispatch.errors import Invalid
from dispatch.http.shapes import aware

T = TypeVar("T", bound=tuple[Any, ...])
Place = Annotated[int, Meta(ge=0, le=10**9)]


def cursor_of(of: str, *values: datetime | str | int) -> str:
    """Return the cursor of a list whose last row had these values."""
    return urlsafe_b64encode(msgspec.json.encode((of, *values))).decode()


def read_cursor(of: str, cursor: str | None, kind: type[T]) -> T | None:
    """Return the values of a list's cursor, times in UTC; raise `Invalid` where this list cannot have given it."""
    if cursor is None:
        return None
    try:
        given = msgspec.json.decode(b64decode(cursor, altchars=b"-_", validate=True), type=list[Any])
        values = msgspec.convert(given[1:], kind)
        if given[:1] != [of] or any(isinstance(value, str) and "\0" in value for value in values):
            raise ValueError("another list's, or no id at all")
        return kind(aware(value, "cursor") if isinstance(value, datetime) else value for value in values)
    except (ValueError, msgspec.MsgspecError, Invalid):
        raise Invalid.field("/cursor", "is not one that this list gave; leave it out to begin anew") from None


def page_of(of: str, rows: Sequence[Any], query: Any) -> tuple[list[Any], str | None]:
    """Return the page of a short list that `limit` and `cursor` ask for, and the cursor of the next."""
    (begin,) = read_cursor(of, query.cursor, tuple[Place]) or (0,)
    end = begin + query.limit
    return list(rows[begin:end]), cursor_of(of, end) if end < len(rows) else None
