"""The peer of the commits: pgbench, which ships with the server, with one claim per transaction.

The claim is the same change that the engine makes: the same columns of the same order row under the same condition
on state and version, and the same event row with the same data, in one statement, so that a transaction is one round
trip. It does less than the engine: no crew is locked and counted, no answer is kept, and, unless `counter` is asked
for, the event's number is not taken from the city's counter row (with it, each transaction waits for the one before
to be on disk, since the row stays locked until the commit).
"""

import asyncio
import re
import tempfile
from pathlib import Path
from typing import Any

import asyncpg

from dispatch.store.embedded import wheel_binaries

WITHOUT_COUNTER = "pgbench, 8 clients, one claim per transaction"
WITH_COUNTER = "pgbench, 8 clients, one claim per transaction, with the city's counter"
CLIENTS = 8

_CLAIM = """
\\set i :i + 1
\\set n :first + :client_id * :each + :i
WITH claimed AS (
    UPDATE orders
    SET version = version + 1, state = 'claimed', crew_id = 'crew-' || :client_id, claimed_by = 'grab',
        clocks = :clocks::json,
        offer = NULL
    WHERE city_id = 'default' AND order_id = 'o' || lpad((:n)::text, 8, '0') AND version = 1 AND state = 'offered'
    RETURNING order_id, crew_id
){counter}
INSERT INTO event (city_id, seq, at, kind, order_id, crew_id, actor, data)
SELECT 'default', {seq}, now(), 'order.claimed', order_id, crew_id, 'crew:' || crew_id,
       (:event)::json FROM {source};
"""
_COUNTER = """, counter AS (
    UPDATE city_log SET last_seq = last_seq + 1 WHERE city_id = 'default' RETURNING last_seq
)"""


class Pgbench:
    """Claims the orders of a database that `Stage` filled; each run takes the next ones."""

    def __init__(self, url: str, first: int, *, event: str, clocks: str) -> None:
        self._url = url
        self._next = first
        self._texts = {"event": event, "clocks": clocks}

    @classmethod
    async def on(cls, url: str) -> "Pgbench":
        """Look at the database: where its orders begin, and what an event of an order looks like."""
        conn = await asyncpg.connect(url)
        order = await conn.fetchrow("SELECT order_id, clocks::text FROM orders ORDER BY order_id LIMIT 1")
        event = await conn.fetchval("SELECT data::text FROM event WHERE kind = 'order.reported' LIMIT 1")
        await conn.execute("CREATE TABLE bare (n int)")
        await conn.close()
        return cls(url, int(order["order_id"][1:]) - 1, event=event, clocks=order["clocks"])

    async def claims(self, count: int, *, counter: bool = False) -> float:
        """Claim `count` distinct orders with eight clients; return the transactions a second."""
        each = count // CLIENTS
        script = _CLAIM.format(
            counter=_COUNTER if counter else "",
            seq="last_seq" if counter else "1000000000 + :n",
            source="claimed, counter" if counter else "claimed",
        )
        first, self._next = self._next, self._next + each * CLIENTS
        variables = {"i": 0, "first": first, "each": each, **self._texts}
        before = await self._claimed()
        said = await self._run(script, "-c", CLIENTS, "-j", 2, "-t", each, **variables)
        done = await self._claimed() - before
        if done != each * CLIENTS:
            raise RuntimeError(f"pgbench claimed {done} of {each * CLIENTS} orders")
        return float(_found(r"tps = ([\d.]+)", said))

    async def bare_commit_ms(self, seconds: int) -> float:
        """Return the mean time of a transaction of one client that inserts one number."""
        said = await self._run("INSERT INTO bare VALUES (1);", "-c", 1, "-T", seconds)
        return float(_found(r"latency average = ([\d.]+) ms", said))

    async def _claimed(self) -> int:
        conn = await asyncpg.connect(self._url)
        try:
            return int(await conn.fetchval("SELECT count(*) FROM orders WHERE state = 'claimed'"))
        finally:
            await conn.close()

    async def _run(self, script: str, *options: Any, **variables: Any) -> str:
        with tempfile.TemporaryDirectory(prefix="qiangdan-bench-") as folder:
            file = Path(folder) / "script.sql"
            file.write_text(script, encoding="utf-8")
            process = await asyncio.create_subprocess_exec(
                str(wheel_binaries() / "pgbench"),
                *("-n", "-M", "prepared", "-f", str(file)),
                *[str(option) for option in options],
                *[word for name, value in variables.items() for word in ("-D", f"{name}={value}")],
                self._url,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            said, complaint = await process.communicate()
        if process.returncode != 0:
            raise RuntimeError(f"pgbench failed: {complaint.decode()}")
        return said.decode()


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    if match is None:
        raise RuntimeError(f"pgbench said something else: {text}")
    return match[1]
