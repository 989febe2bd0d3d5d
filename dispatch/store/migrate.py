"""The schema's way forward: each SQL file of `migrations/` once, in order, in a transaction of its own.

`schema_migration` remembers number, name and checksum of what was applied. Several processes may migrate at
once: an advisory lock makes them take turns, and the later ones find nothing left to do. There is no way back;
a mistake is mended by the next migration.
"""

import hashlib
import re
from collections.abc import Sequence
from importlib.resources import files
from typing import TYPE_CHECKING, NamedTuple

from dispatch.operator_errors import DurabilityOff, MigrationEdited, SchemaError, SchemaTooNew, SchemaTooOld
from dispatch.store.connect import Connection

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

OLDEST_POSTGRES = 15
ADVISORY_LOCK = 7_226_101_120_118_001  # any number, always the same one
MUST_BE_ON = ("fsync", "full_page_writes", "synchronous_commit")

_MAKE_TABLE = """
CREATE TABLE IF NOT EXISTS schema_migration (
    version integer PRIMARY KEY,
    name text NOT NULL,
    sha256 text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)
"""


class Migration(NamedTuple):
    """One file: its number, its name, its SQL."""

    version: int
    name: str
    sql: str

    @property
    def sha256(self) -> str:
        """The checksum by which an edited file is noticed."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def shipped_migrations(folder: "Traversable | None" = None) -> list[Migration]:
    """Return the migrations of this version, by number; raises `SchemaError` if a number is missing or twice there."""
    found = []
    for file in (folder or files("migrations")).iterdir():
        if match := re.fullmatch(r"(\d{4})_(\w+)\.sql", file.name):
            found.append(Migration(int(match[1]), match[2], file.read_text(encoding="utf-8")))
        elif file.name.endswith(".sql"):
            raise SchemaError(f"The migration {file.name} has no name like 0001_what_it_does.sql: rename it.")
    found.sort()
    if [migration.version for migration in found] != list(range(1, len(found) + 1)):
        raise SchemaError("The migrations are not numbered 1, 2, 3, ...: number them anew before the first release.")
    return found


async def migrate(connection: Connection, migrations: Sequence[Migration] | None = None) -> list[Migration]:
    """Apply what is missing and return it, oldest first; the connection must not be in a transaction.

    Raises `SchemaTooNew` or `MigrationEdited`, before anything is changed, and `SchemaError` for a server too old.
    """
    wanted = shipped_migrations() if migrations is None else list(migrations)
    await check_server_version(connection)
    await connection.execute("SELECT pg_advisory_lock($1)", ADVISORY_LOCK)
    try:
        await connection.execute(_MAKE_TABLE)
        applied = _compare(await _applied(connection), wanted)
        missing = wanted[applied:]
        for migration in missing:
            async with connection.transaction():
                await connection.execute(migration.sql)
                await connection.execute(
                    "INSERT INTO schema_migration (version, name, sha256) VALUES ($1, $2, $3)",
                    migration.version,
                    migration.name,
                    migration.sha256,
                )
        return missing
    finally:
        await connection.execute("SELECT pg_advisory_unlock($1)", ADVISORY_LOCK)


async def check_schema(connection: Connection, migrations: Sequence[Migration] | None = None) -> int:
    """Return the schema's version if it is the one that this program needs.

    Raises `SchemaTooOld`, `SchemaTooNew` or `MigrationEdited`.
    """
    wanted = shipped_migrations() if migrations is None else list(migrations)
    applied = _compare(await _applied(connection), wanted)
    if applied < len(wanted):
        raise SchemaTooOld(
            f"The database's schema is at version {applied}, this program needs {len(wanted)}: run 'qiangdan migrate'."
        )
    return applied


async def check_durability(connection: Connection) -> None:
    """Raise `DurabilityOff` where the server may forget a commit that it has confirmed."""
    rows = await connection.fetch("SELECT name, setting FROM pg_settings WHERE name = ANY($1)", list(MUST_BE_ON))
    # synchronous_commit has steps; `local` and above wait for this server's disk.
    off = sorted(row["name"] for row in rows if row["setting"] == "off")
    if off:
        raise DurabilityOff(
            f"PostgreSQL runs with {' and '.join(off)} off, so a confirmed claim could be lost: set "
            f"{', '.join(f'{name} = on' for name in off)} for the server, this database and this role."
        )


async def check_server_version(connection: Connection) -> int:
    """Return the server's major version; raises `SchemaError` where it is too old for our SQL."""
    number = int(await connection.fetchval("SHOW server_version_num"))
    if number // 10_000 < OLDEST_POSTGRES:
        raise SchemaError(
            f"The database is PostgreSQL {number // 10_000}, this program needs {OLDEST_POSTGRES} or later: "
            "upgrade it, or leave out the database URL to use the embedded one."
        )
    return number // 10_000


async def _applied(connection: Connection) -> list[tuple[int, str, str]]:
    if await connection.fetchval("SELECT to_regclass('schema_migration')") is None:
        return []
    rows = await connection.fetch("SELECT version, name, sha256 FROM schema_migration ORDER BY version")
    return [(row["version"], row["name"], row["sha256"]) for row in rows]


def _compare(applied: Sequence[tuple[int, str, str]], wanted: Sequence[Migration]) -> int:
    """Return how many of the wanted migrations are applied, and complain where the two histories differ."""
    if len(applied) > len(wanted):
        raise SchemaTooNew(
            f"The database's schema is at version {len(applied)}, this program knows {len(wanted)}: "
            "install the later qiangdan that migrated it."
        )
    for (version, name, sha256), migration in zip(applied, wanted, strict=False):
        if (version, sha256) != (migration.version, migration.sha256):
            raise MigrationEdited(
                f"The migration {migration.version:04d}_{migration.name}.sql is not the one that was applied as "
                f"{version:04d}_{name}: bring back that file and put the change into a new migration."
            )
    return len(applied)
