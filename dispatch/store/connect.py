"""One connection for a command, and what it means when there is none."""

import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeAlias
from urllib.parse import urlsplit

import asyncpg

from dispatch.operator_errors import DatabaseUnreachable

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


@asynccontextmanager
async def connected(url: str, *, timeout_s: float = 10.0) -> AsyncIterator[Connection]:
    """Lend a connection of its own; raises `DatabaseUnreachable` with the reason, never with the password."""
    try:
        connection = await asyncpg.connect(
            url, timeout=timeout_s, server_settings={"application_name": "qiangdan", "timezone": "UTC"}
        )
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError, ValueError) as error:
        raise DatabaseUnreachable(explain(url, error)) from error
    try:
        yield connection
    finally:
        await connection.close(timeout=5)


def explain(url: str, error: BaseException) -> str:
    """Return the sentence for a connection that failed."""
    place = _place(url)
    if isinstance(error, asyncpg.InvalidPasswordError | asyncpg.InvalidAuthorizationSpecificationError):
        return f"The database at {place} does not let this user in ({error}): check user and password in its URL."
    if isinstance(error, asyncpg.InvalidCatalogNameError):
        return f"There is no such database at {place} ({error}): make it with 'createdb', or correct the URL."
    if isinstance(error, asyncpg.TooManyConnectionsError):
        return f"The database at {place} has no connection left: raise its max_connections or end something else."
    if isinstance(error, asyncpg.CannotConnectNowError):
        return f"The database at {place} is starting or stopping: try again in a moment."
    if isinstance(error, socket.gaierror):
        return f"The host of the database, {place}, is not known: correct the database URL."
    if isinstance(error, TimeoutError):
        return f"The database at {place} does not answer: is it running, and does a firewall let this through?"
    if isinstance(error, OSError):
        reason = os.strerror(error.errno) if error.errno else str(error)
        return f"Nobody listens at {place} ({reason}): start the database, or correct its URL."
    return f"The database at {place} cannot be used: {error}."


def _place(url: str) -> str:
    try:
        parts = urlsplit(url)
        return f"{parts.hostname}:{parts.port or 5432}" if parts.hostname else parts.query.partition("host=")[2] or "?"
    except ValueError:
        return "the given URL"
