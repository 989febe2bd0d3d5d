"""LISTEN and NOTIFY on connections of their own, so that neither a lock nor a lost link touches what does work."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import asyncpg

from dispatch.logs import logger
from dispatch.store.connect import Connection
from dispatch.store.database import GONE

CHANNEL = "qiangdan"
HEARTBEAT_S = 5.0
log = logger("notify")


class Notifier:
    """Sends notifications of at most 8 kB."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._conn: Connection | None = None

    async def send(self, message: str) -> None:
        """Send one notification to everybody who listens; where the database is away, as soon as it is back."""
        while True:
            try:
                if self._conn is None or self._conn.is_closed():
                    self._conn = await connect(self._url)
                await self._conn.execute("SELECT pg_notify($1, $2)", CHANNEL, message)
                return
            except (*GONE, asyncpg.PostgresError) as error:
                log.debug("notification waits", error=type(error).__name__)
                self.close()
                await asyncio.sleep(0.2)

    def close(self) -> None:
        """Let go of the connection."""
        if self._conn is not None:
            self._conn.terminate()
            self._conn = None


async def listen(url: str, heard: Callable[[str], None], began: Callable[[], None]) -> None:
    """Call `heard` with every notification, for ever; a link that is lost, or no longer answers, is made anew.

    `began` is called whenever a link begins: what was said before is not heard.
    """

    def pass_on(_conn: Any, _pid: int, _channel: str, payload: str) -> None:
        heard(payload)

    while True:
        conn: Connection | None = None
        try:
            lost = asyncio.Event()
            conn = await connect(url)
            conn.add_termination_listener(lambda _conn, lost=lost: lost.set())
            await conn.add_listener(CHANNEL, pass_on)
            began()
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(HEARTBEAT_S):
                        await lost.wait()
                await conn.fetchval("SELECT 1")
        except (*GONE, asyncpg.PostgresError) as error:
            log.debug("not listening", error=type(error).__name__)
            await asyncio.sleep(0.5)
        finally:
            if conn is not None:
                conn.terminate()


async def connect(url: str) -> Connection:
    """Return a connection of its own."""
    return await asyncpg.connect(
        url, timeout=5, command_timeout=5, server_settings={"application_name": "qiangdan-notify"}
    )
