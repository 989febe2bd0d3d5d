"""What the edge of a transaction says when the database fails it: nothing was done, unknown, or done."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import asyncpg
import pytest

from dispatch.errors import Unavailable
from dispatch.events import Event
from dispatch.store import Database, OutcomeUnknown, Tx
from tests.town import add_town


@pytest.fixture
async def db(database: str) -> AsyncIterator[Database]:
    """A database with the city `town`."""
    await add_town(database, "town")
    db = Database(database, size=2)
    yield db
    await db.close()


async def note(tx: Tx) -> str:
    tx.record(Event.of_city("city.noted", actor="user:test"))
    return "noted"


async def noted(db: Database) -> int:
    async with db.connection() as conn:
        count: int = await conn.fetchval("SELECT count(*) FROM event WHERE kind = 'city.noted'")
    return count


@pytest.fixture
def cut(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Every statement is cancelled when it is prepared and not yet executed; `undo` ends that."""
    prepare = asyncpg.Connection._get_statement

    async def and_no_further(self: object, *args: object, **options: object) -> None:
        await prepare(self, *args, **options)
        raise asyncio.CancelledError

    with monkeypatch.context() as patch:
        patch.setattr(asyncpg.Connection, "_get_statement", and_no_further)
        yield patch


async def test_a_reader_who_is_cancelled_leaves_nothing_behind_for_the_next_who_gets_his_connection(
    database: str, cut: pytest.MonkeyPatch
) -> None:
    """Between preparing a statement and executing it the server is in a transaction of which asyncpg knows nothing."""
    db = Database(database, size=1)
    with pytest.raises(asyncio.CancelledError):
        async with db.connection() as conn:
            await conn.fetch("SELECT count(*) FROM pg_class WHERE oid > $1", 5)
    cut.undo()
    async with db.snapshot() as conn:  # "SET TRANSACTION ISOLATION LEVEL must be called before any query"
        before = await conn.fetchval("SELECT clock_timestamp()")
    async with db.transaction("town") as tx:  # its time would be the cancelled statement's
        assert tx.now > before
    await db.close()


async def test_a_reader_who_is_cancelled_stays_cancelled_though_his_connection_dies_as_it_goes_back(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def dies(self: object) -> None:
        monkeypatch.undo()
        raise asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")

    with pytest.raises(asyncio.CancelledError):
        async with db.connection():
            monkeypatch.setattr(asyncpg.Connection, "_reset", dies)
            raise asyncio.CancelledError
    assert await noted(db) == 0, "the pool goes on"


async def test_a_connection_that_dies_as_it_goes_back_to_the_pool_takes_nothing_back(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    hinted: list[str] = []
    db.on_commit = hinted.append

    async def dies(self: object) -> None:
        monkeypatch.undo()
        raise asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")

    await db.open()
    monkeypatch.setattr(asyncpg.Connection, "_reset", dies)
    assert await db.run("town", note) == "noted"
    assert hinted == ["town"], "readers are told, as of any commit"
    assert await noted(db) == 1


async def test_a_commit_whose_answer_is_lost_is_called_unknown_and_a_repeatable_step_is_run_again(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    from asyncpg.transaction import Transaction

    commit = Transaction.commit

    async def loses_its_answer(self: Transaction) -> None:
        monkeypatch.undo()
        await commit(self)
        raise ConnectionResetError

    monkeypatch.setattr(Transaction, "commit", loses_its_answer)
    with pytest.raises(OutcomeUnknown):
        await db.run("town", note)
    assert await noted(db) == 1
    monkeypatch.setattr(Transaction, "commit", loses_its_answer)
    seen: list[int] = []

    async def look(tx: Tx) -> None:
        seen.append(await tx.conn.fetchval("SELECT count(*) FROM event"))
        await note(tx)

    await db.run("town", look, repeatable=True)
    assert seen == [1, 2], "the second run sees what the first has committed"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (asyncpg.DiskFullError("could not extend file"), "the disk of the database is full"),
        (asyncpg.OutOfMemoryError("out of memory"), "does not answer"),
        (asyncpg.PostgresIOError("could not fsync file"), "does not answer"),
        (asyncpg.ReadOnlySQLTransactionError("cannot execute INSERT"), "does not answer"),
        (asyncpg.AdminShutdownError("terminating connection"), "does not answer"),
    ],
)
async def test_a_database_that_cannot_work_is_unavailable_and_nothing_was_taken(
    db: Database, error: Exception, said: str
) -> None:
    async def fails(tx: Tx) -> None:
        await note(tx)
        raise error

    with pytest.raises(Unavailable, match=said):
        await db.run("town", fails)
    assert await noted(db) == 0


async def test_a_statement_that_takes_too_long_is_unavailable(db: Database) -> None:
    async def slow(tx: Tx) -> None:
        await tx.conn.execute("SET LOCAL statement_timeout = '50ms'")
        await tx.conn.execute("SELECT pg_sleep(5)")

    with pytest.raises(Unavailable, match="took too long"):
        await db.run("town", slow)


async def test_a_pool_whose_connections_all_wait_lets_the_next_caller_know_in_time(db: Database) -> None:
    async def hold(tx: Tx) -> None:
        await tx.conn.execute("SELECT pg_sleep(6)")

    holding = [asyncio.create_task(db.run("town", hold)) for _ in range(2)]
    await asyncio.sleep(0.2)
    with pytest.raises(Unavailable):
        await noted(db)
    await asyncio.gather(*holding)


async def test_sums_over_the_history_have_more_time_and_leave_connections_to_the_others(db: Database) -> None:
    asked = asyncio.Event()

    async def limit() -> str:
        async with db.long_read() as fetch:
            [row] = await fetch("SHOW statement_timeout")
            await asked.wait()
            return str(row[0])

    sums = [asyncio.create_task(limit()) for _ in range(3)]
    await asyncio.sleep(0.1)
    async with db.connection() as conn:  # while one of the two connections sums, and two wait for it
        assert await conn.fetchval("SHOW statement_timeout") == "10s"
    asked.set()
    assert await asyncio.gather(*sums) == ["45s"] * 3
