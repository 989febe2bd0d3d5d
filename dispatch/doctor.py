"""What is wrong with this installation, and how to mend it: one finding for each thing that `serve` will need."""

import contextlib
import os
import shutil
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import httpx

from dispatch.cities import unusable
from dispatch.config import Settings
from dispatch.limits import ENOUGH, raise_open_file_limit
from dispatch.operator_errors import OperatorError, PortTaken
from dispatch.ports import Address, hold_port
from dispatch.store.connect import Connection, connected
from dispatch.store.embedded.binaries import major_version, wheel_binaries
from dispatch.store.migrate import check_durability, check_schema, check_server_version
from dispatch.store.tx import LOG
from geo import parse_usable_zones

ROOM = 1_000_000_000  # bytes; a season of a large city is some ten times that
CLOCK_DIFFERENCE_S = 1.0
OLDEST_PYTHON = (3, 11)


class Finding(NamedTuple):
    """One line: what was looked at, whether it is good, and what was found, or what is wrong and how to mend it."""

    subject: str
    good: bool
    detail: str


def check_machine(settings: Settings) -> Iterator[Finding]:
    """Look at what can be seen without a database."""
    yield _python()
    yield from _data_folder(settings.data_dir.expanduser().absolute())
    yield _port(settings.host, settings.port)
    yield _open_files()
    if settings.database_url is None:
        try:
            yield Finding("embedded PostgreSQL", True, f"version {major_version(wheel_binaries())}")
        except OperatorError as error:
            yield Finding("embedded PostgreSQL", False, str(error))


async def check_database(url: str) -> AsyncIterator[Finding]:
    """Look at the database: reachable, new enough, durable, migrated, of the same time, and its maps usable."""
    try:
        async with connected(url) as connection:
            yield Finding("database", True, "reachable")
            for subject, look in (
                ("PostgreSQL", _server_version),
                ("durability", _durability),
                ("schema", _schema),
                ("clock", _clock),
                ("zones", _zones),
            ):
                try:
                    yield Finding(subject, True, await look(connection))
                except OperatorError as error:
                    yield Finding(subject, False, str(error))
    except OperatorError as error:
        yield Finding("database", False, str(error))


def _python() -> Finding:
    found = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] >= OLDEST_PYTHON:
        return Finding("Python", True, found)
    return Finding("Python", False, f"{found} is too old: install Python 3.11 or later.")


def _data_folder(folder: Path) -> Iterator[Finding]:
    nearest = next(parent for parent in (folder, *folder.parents) if parent.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        yield Finding("data folder", False, f"{nearest} is not ours to write in: choose another with --data-dir.")
        return
    yield Finding("data folder", True, f"{folder}{'' if folder.exists() else ' (will be made)'}")
    free = shutil.disk_usage(nearest).free
    room = f"{free / 1e9:.1f} GB free"
    mend = f"{room} in {nearest}: make room, or choose another folder with --data-dir."
    yield Finding("disk", free >= ROOM, room if free >= ROOM else mend)


def _port(host: str, port: int) -> Finding:
    try:
        address, held = hold_port(host, port)
    except PortTaken as error:
        if _is_ours(Address(host, port)):
            return Finding("port", True, f"{port} on {host}: qiangdan answers there")
        return Finding("port", False, str(error))
    held.close()
    return Finding("port", True, f"{address.port} on {host} is free")


def _is_ours(address: Address) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        answer = httpx.get(f"{address.url}/openapi.json", timeout=2, trust_env=False)
        return answer.is_success and "qiangdan" in answer.text.lower()
    return False


def _open_files() -> Finding:
    limit = raise_open_file_limit()
    if limit >= ENOUGH:
        return Finding("open files", True, f"up to {limit}")
    return Finding(
        "open files", False, f"only {limit}, each crew's socket is one: raise the hard limit (ulimit -Hn {ENOUGH})."
    )


async def _server_version(connection: Connection) -> str:
    return f"version {await check_server_version(connection)}"


async def _durability(connection: Connection) -> str:
    await check_durability(connection)
    return "what is confirmed is on disk"


async def _schema(connection: Connection) -> str:
    return f"version {await check_schema(connection)}"


async def _zones(connection: Connection) -> str:
    if await connection.fetchval("SELECT to_regclass('zone_map')") is None:
        return "no map yet"
    cities = [row["city_id"] for row in await connection.fetch(LOG["list_cities"])]
    for city in cities:
        row = await connection.fetchrow(LOG["zone_map"], city)
        if row is not None and (problems := parse_usable_zones(row["document"].encode())[1]):
            raise OperatorError(f"{unusable(city, problems)}.")
    return f"the maps of {len(cities)} cities can be used" if len(cities) != 1 else "the map can be used"


async def _clock(connection: Connection) -> str:
    before = datetime.now(UTC)
    database = await connection.fetchval("SELECT clock_timestamp()")
    after = datetime.now(UTC)
    # Somewhere within the round trip; only what lies outside of it is a difference.
    apart = max((before - database).total_seconds(), (database - after).total_seconds(), 0.0)
    if apart > CLOCK_DIFFERENCE_S:
        raise OperatorError(
            f"the database's clock is {apart:.1f} s apart from this machine's: let both follow a time server (NTP)."
        )
    return f"{apart * 1000:.0f} ms apart from the database's"
