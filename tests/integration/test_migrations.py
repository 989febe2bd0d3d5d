"""Migrations on a real database: once, in order, whole or not at all."""

import asyncio
from pathlib import Path

import asyncpg
import pytest

from dispatch.operator_errors import DurabilityOff, MigrationEdited, SchemaError, SchemaTooNew, SchemaTooOld
from dispatch.store.migrate import Migration, check_durability, check_schema, migrate, shipped_migrations

pytestmark = pytest.mark.matters_on_old_postgres

FIRST = Migration(1, "first", "CREATE TABLE a (n int); INSERT INTO a VALUES (1);")
SECOND = Migration(2, "second", "ALTER TABLE a ADD COLUMN m int;")
BROKEN = Migration(2, "broken", "CREATE TABLE b (n int); SELECT 1 / 0;")


@pytest.fixture
async def connection(empty_database: str) -> asyncpg.Connection:
    return await asyncpg.connect(empty_database)


async def test_each_migration_is_applied_once_and_remembered(connection: asyncpg.Connection) -> None:
    assert await migrate(connection, [FIRST]) == [FIRST]
    assert await migrate(connection, [FIRST, SECOND]) == [SECOND]
    assert await migrate(connection, [FIRST, SECOND]) == []
    assert await connection.fetchval("SELECT count(*) FROM a") == 1
    assert await check_schema(connection, [FIRST, SECOND]) == 2


async def test_a_migration_that_fails_leaves_nothing_and_the_ones_before_stay(connection: asyncpg.Connection) -> None:
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(connection, [FIRST, BROKEN])
    assert await connection.fetchval("SELECT to_regclass('b')") is None
    assert await migrate(connection, [FIRST, SECOND]) == [SECOND]


async def test_processes_that_migrate_at_once_take_turns(empty_database: str) -> None:
    connections = [await asyncpg.connect(empty_database) for _ in range(4)]
    done = await asyncio.gather(*(migrate(connection, [FIRST, SECOND]) for connection in connections))
    assert sorted(len(applied) for applied in done) == [0, 0, 0, 2]
    for connection in connections:
        await connection.close()


async def test_an_edited_migration_is_refused_by_name(connection: asyncpg.Connection) -> None:
    await migrate(connection, [FIRST])
    edited = FIRST._replace(sql=FIRST.sql + " -- better")
    with pytest.raises(MigrationEdited, match=r"0001_first.*new migration"):
        await migrate(connection, [edited, SECOND])
    assert await check_schema(connection, [FIRST]) == 1


async def test_a_schema_that_does_not_fit_says_which_side_is_behind(connection: asyncpg.Connection) -> None:
    with pytest.raises(SchemaTooOld, match="at version 0, this program needs 1: run 'qiangdan migrate'"):
        await check_schema(connection, [FIRST])
    await migrate(connection, [FIRST, SECOND])
    for refused in (check_schema, migrate):
        with pytest.raises(SchemaTooNew, match="install the later qiangdan"):
            await refused(connection, [FIRST])


async def test_a_server_that_may_forget_is_refused(connection: asyncpg.Connection) -> None:
    await check_durability(connection)
    await connection.execute("SET synchronous_commit = off")
    with pytest.raises(DurabilityOff, match="synchronous_commit"):
        await check_durability(connection)


async def test_the_shipped_migrations_apply_to_an_empty_database(connection: asyncpg.Connection) -> None:
    assert await migrate(connection) == shipped_migrations()
    assert await check_schema(connection) == len(shipped_migrations())


async def test_each_test_gets_a_database_of_its_own_with_the_schema(database: str) -> None:
    connection = await asyncpg.connect(database)
    assert await check_schema(connection) == len(shipped_migrations())
    await connection.close()


@pytest.mark.parametrize("names", [["0002_b.sql"], ["0001_a.sql", "0001_b.sql"], ["first.sql"]])
def test_misnumbered_files_are_refused(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        (tmp_path / name).write_text("SELECT 1")
    with pytest.raises(SchemaError):
        shipped_migrations(tmp_path)
