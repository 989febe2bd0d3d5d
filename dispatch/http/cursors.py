"""Cursors of lists that are sorted by several values: those of the last row, to be given back as they are."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from dispatch.errors import Invalid
from dispatch.http.shapes import aware

T = TypeVar("T", bound=tuple[Any, ...])


def cursor_of(*values: datetime | str) -> str:
    """Return the cursor of the row with these values."""
    return urlsafe_b64encode(msgspec.json.encode(values)).decode()


def read_cursor(cursor: str | None, kind: type[T]) -> T | None:
    """Return the values of a cursor, times in UTC; raise `Invalid` where no list can have given it."""
    if cursor is None:
        return None
    try:
        values = msgspec.json.decode(urlsafe_b64decode(cursor.encode()), type=kind)
        if any(isinstance(value, str) and "\0" in value for value in values):
            raise ValueError("no id holds a NUL")
        return kind(aware(value, "cursor") if isinstance(value, datetime) else value for value in values)
    except (ValueError, msgspec.MsgspecError, Invalid):
        raise Invalid.field("/cursor", "is not one that this list gave") from None
