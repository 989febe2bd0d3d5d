"""The pool, and the one place where transactions begin, commit and are tried again.

A transaction that lost its connection while it committed may have committed: `OutcomeUnknown`. Whoever asks
again does so with the key that was stored in the same transaction, and gets the first answer back.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TypeVar

import asyncpg

from dispatch.errors import Unavailable
from dispatch.store.tx import Tx

T = TypeVar("T")

SESSION = {
    "application_name": "qiangdan",
    "timezone": "UTC",
    "statement_timeout": "10s",
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "15s",
}

LONG_S = 45
"""How long a statement that sums up the history may take; who asks over HTTP is answered within a minute."""

BEGIN = "SELECT now(), set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true)"
"""What a transaction begins with: its time, and that rows are looked up one by one, in the order in which a statement
names them. So two that take the same rows take them in the same order."""

GONE = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # "another operation is in progress": the connection died in the middle of one
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.PostgresSystemError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.exceptions.IdleInTransactionSessionTimeoutError,
    ConnectionError,
    OSError,
    TimeoutError,
)
"""The database did not answer, went away while it did, or cannot do its work: no disk, no memory, only a copy."""

CROSSED = (
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.LockNotAvailableError,
)
"""Two transactions were in each other's way; the same again will do."""


class TryAgain(Exception):
    """A step saw that a row changed between its look and its lock; the edge runs it once more."""


class OutcomeUnknown(Unavailable):
    """The database went away during the commit; ask again with the same key to learn what became of it."""


class Contended(Unavailable):
    """Too many are changing the same rows at once; nothing was taken, try again in a moment."""


class Database:
    """A pool of connections to one PostgreSQL, opened lazily and reopened by itself after it was gone."""

    def __init__(self, url: str, *, size: int = 8, on_commit: Callable[[str], None] | None = None) -> None:
        self.url = url
        self._size = size
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None
        self._opening = asyncio.Lock()
        self._long_reads = asyncio.Semaphore(max(size // 4, 1))
        self._cut_short: set[int] = set()
        self.on_commit = on_commit or (lambda city_id: None)

    async def open(self) -> "asyncpg.Pool[asyncpg.Record]":
        """Return the pool; raise `Unavailable` where no connection can be had."""
        if self._pool is None:
            async with self._opening:
                if self._pool is None:
                    try:
                        self._pool = await asyncpg.create_pool(
                            self.url,
                            min_size=1,
                            max_size=self._size,
                            timeout=5,
                            command_timeout=15,
                            max_inactive_connection_lifetime=300,
                            reset=self._tidy,
                            server_settings=SESSION,
                        )
                    except GONE as error:
                        raise Unavailable(f"the database does not answer: {error}") from error
        return self._pool

    async def close(self) -> None:
        """Close every connection; what is under way gets three seconds."""
        if self._pool is not None:
            pool, self._pool = self._pool, None
            try:
                async with asyncio.timeout(3):
                    await pool.close()
            except (TimeoutError, *GONE):
                pool.terminate()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
        """Lend a connection for reading; raise `Unavailable` where the database does not answer."""
        pool = await self.open()
        try:
            conn = await pool.acquire(timeout=5)
            backend = conn.get_server_pid()
            try:
                yield conn
            except BaseException:
                self._cut_short.add(backend)
                with suppress(asyncpg.PostgresError, *GONE):  # the first error is told, a cancellation above all
                    await pool.release(conn)
                raise
            await pool.release(conn)
        except GONE as error:
            raise Unavailable(why_unavailable(error)) from error

    async def _tidy(self, conn: "asyncpg.Connection[asyncpg.Record]") -> None:
        """Make a connection that comes back fit for the next; asyncpg has rolled back what it knows to be open.

        In place of the statements that asyncpg would run after every use: nothing here sets or locks anything for a
        session. But a reader who stops between preparing a statement and executing it (cancelled, or out of time)
        leaves a transaction open of which only the server knows, with the time and the snapshot of that moment.
        """
        if (backend := conn.get_server_pid()) in self._cut_short:
            self._cut_short.discard(backend)
            await conn.execute("SELECT 1")

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
        """Lend a connection that sees one moment of the database."""
        async with self.connection() as conn, conn.transaction(isolation="repeatable_read", readonly=True):
            yield conn

    @asynccontextmanager
    async def long_read(self) -> AsyncIterator[Callable[..., Awaitable[list[asyncpg.Record]]]]:
        """Lend the `fetch` of a `snapshot` whose statements may take `LONG_S`: sums over much of the history.

        Few at a time, so that those who ask for sums do not take the connections of those who dispatch.
        """
        async with self._long_reads, self.snapshot() as conn:
            await conn.execute(f"SET LOCAL statement_timeout = '{LONG_S}s'")
            yield partial(conn.fetch, timeout=LONG_S + 2)

    @asynccontextmanager
    async def transaction(self, city_id: str) -> AsyncIterator[Tx]:
        """Run a block as one transaction of a city: its events are appended last, then all is committed.

        Raises `Unavailable` where nothing was done, `OutcomeUnknown` where the commit's answer was lost.
        """
        committing = committed = False
        pool = await self.open()
        try:
            async with pool.acquire(timeout=5) as conn:
                running = conn.transaction()
                await running.start()
                try:
                    tx = Tx(conn, city_id, await conn.fetchval(BEGIN))
                    yield tx
                    await tx.append_events()
                except BaseException:
                    await _roll_back(running)
                    raise
                committing = True
                await running.commit()
                committed = True
        except GONE as error:
            # What is committed stays so, also where the connection dies as it goes back to the pool.
            if committing and not committed:
                raise OutcomeUnknown() from error
            if not committed:
                raise Unavailable(why_unavailable(error)) from error
        if tx.last_seq is not None:
            self.on_commit(city_id)

    async def run(self, city_id: str, step: Callable[[Tx], Awaitable[T]], *, repeatable: bool = False) -> T:
        """Run a step as one transaction, again where it crossed another.

        `repeatable` says that the step may also be run again after an unknown outcome, since it finds its own first
        answer; then it is tried for about eight seconds before `Unavailable` is raised.
        """
        crossed = lost = 0
        while True:
            try:
                async with self.transaction(city_id) as tx:
                    return await step(tx)
            except (TryAgain, *CROSSED):
                crossed += 1
                if crossed > 10:
                    raise Contended() from None
                await asyncio.sleep(0.002 * crossed)
            except Unavailable:
                lost += 1
                if not repeatable or lost > 16:
                    raise
                await asyncio.sleep(0.5)


def why_unavailable(error: BaseException) -> str:
    """Return the sentence for an error of `GONE`."""
    if isinstance(error, asyncpg.DiskFullError):
        return "the disk of the database is full; nothing was taken, make room there"
    if isinstance(error, asyncpg.QueryCanceledError):
        return "the database took too long; nothing was taken, try again in a moment"
    return f"the database does not answer: {type(error).__name__}"


async def _roll_back(running: asyncpg.transaction.Transaction) -> None:
    try:
        await running.rollback()
    except (*GONE, asyncpg.PostgresError):
        pass  # the connection is gone, and with it the transaction; the first error is the one to tell
