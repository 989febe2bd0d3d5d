"""A PostgreSQL of dictionaries: transactions that interleave at their statements, row locks, commits, and its faults.

What it has of the real one: each statement sees what is committed as it begins and what its own transaction wrote; rows
stay locked until the end; who updates a row that another holds waits, and sees it as the other left it; a commit is
whole or nothing; the answer to a commit can be lost either way; deadlocks are found; a process that dies takes its open
transactions with it. What it has not: SQL, plans, disks, clocks of its own. `Database.run`, which tries again, is the
product's.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import Enum
from random import Random
from types import TracebackType
from typing import Any

from dispatch.errors import Unavailable
from dispatch.store.crews import CREWS, Fix, GrabRow
from dispatch.store.database import GONE, Database, OutcomeUnknown
from dispatch.store.memory import Tables
from dispatch.store.memory.city import MemoryTx
from dispatch.store.memory.crews import MemoryCrews
from dispatch.store.memory.orders import MemoryOrders
from dispatch.store.memory.tables import OrderRow
from dispatch.store.orders import ORDERS
from dispatch.store.tx import LOG, Settled, Tx, Win
from tests.simulation.locks import Locks
from tests.simulation.queries import QUERIES
from tests.simulation.rows import LockingCrews, LockingOrders, Row, crew_row, order_row
from tests.simulation.tables import Committed, Uncommitted
from tests.simulation.virtual_time import VirtualLoop

CITY = "town"
COUNTER: Row = ("counter",)
_TICK = timedelta(microseconds=1)


class Process:
    """What can die: an engine, a clock-keeper, a planner. Dead, it never gets an answer to anything again."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.dead = False


class Fate(Enum):
    """What becomes of a commit: done and answered; done, and nobody hears of it; never done, and nobody hears of it."""

    ANSWERED = 0
    UNHEARD = 1
    LOST = 2


class Server:
    """The rows, the locks, the clock, and what is wrong with them just now."""

    def __init__(self, loop: VirtualLoop, rng: Random, committed: "Callable[[SimulatedTx], None]") -> None:
        self.tables = Committed()
        self.locks = Locks()
        self.running: dict[SimulatedTx, None] = {}
        self.away = False
        self.pause_share = 0.3
        self.lost_answers = 0.0
        self.unheard = 0
        self._loop, self._rng, self._committed = loop, rng, committed
        self._last = loop.now()

    def tick(self) -> datetime:
        """Return a moment that no transaction has had."""
        self._last = max(self._loop.now(), self._last + _TICK)
        return self._last

    async def way(self, process: Process) -> None:
        """Take the way of a statement to the server."""
        if self._rng.random() < self.pause_share:
            await asyncio.sleep(self._rng.expovariate(250.0))
        if process.dead or self.away:
            await self.alive(process)

    async def alive(self, process: Process) -> None:
        """Go on, unless the process is dead, or nobody answers."""
        if process.dead:
            await asyncio.get_running_loop().create_future()
        if self.away:
            raise ConnectionResetError("the server closed the connection")

    def abort(self, process: Process | None = None) -> None:
        """Take back what is running: of a process that has died, or all of it."""
        for tx in [tx for tx in self.running if process is None or tx.process is process]:
            if tx.committing and self._rng.random() < 0.5:
                self.commit(tx)  # it was on its way
            else:
                self.end(tx)

    def commit(self, tx: "SimulatedTx") -> None:
        """Make a transaction's rows everybody's."""
        self._committed(tx)
        tx.tables.commit()
        tx.committed = True
        self.end(tx)

    def end(self, tx: "SimulatedTx") -> None:
        """Let go of what a transaction holds."""
        tx.over = True
        self.running.pop(tx, None)
        self.locks.release(tx)

    def fate(self) -> Fate:
        """Return what becomes of a commit that is on its way."""
        if not self.lost_answers or self._rng.random() >= self.lost_answers:
            return Fate.ANSWERED
        return Fate.UNHEARD if self._rng.random() < 0.6 else Fate.LOST

    async def commit_way(self) -> None:
        """Take the way of a commit: to the disk."""
        await asyncio.sleep(self._rng.expovariate(200.0))


class SimulatedTx(MemoryTx):
    """A running transaction; see the module."""

    def __init__(self, server: Server, process: Process) -> None:
        self.server, self.process = server, process
        self.over = self.committing = self.committed = False
        self.tables = Uncommitted(server.tables)
        super().__init__(self.tables, CITY, server.tick())
        self.orders = LockingOrders(self)
        self.crews = LockingCrews(self)
        self.conn: Any = TxConnection(self)
        server.running[self] = None

    async def statement(self, *rows: Row) -> None:
        """Begin a statement that locks these rows."""
        await self.server.way(self.process)
        await self.lock(*rows)

    async def lock(self, *rows: Row) -> None:
        """Take rows, one after the other."""
        for row in rows:
            if self.over:
                break
            await self.server.locks.take(row, self)
        if self.over:
            await self.server.alive(self.process)
            raise ConnectionResetError("the server ended the transaction")

    def could_lock(self, row: Row) -> bool:
        """Return whether a row could be had without waiting."""
        return self.server.locks.free(row, self)

    async def append_events(self) -> None:
        if self.events:
            await self.statement(COUNTER)
            self.tables.last_seq = self.server.tables.last_seq
            await super().append_events()

    async def settle(self, grabs: Sequence[GrabRow], won: Mapping[int, Win]) -> Settled:
        await self.server.way(self.process)
        winners = [grabs[place] for place in won]
        await self.lock(*map(crew_row, sorted(grab.crew for grab in winners)))
        await self.lock(*map(order_row, sorted(grab.order for grab in winners)))
        await self.lock(*(("grab", grab.crew, grab.message) for grab in grabs))
        await self.lock(COUNTER)
        self.tables.last_seq = self.server.tables.last_seq
        whole, self.crews = self.crews, MemoryCrews(self.tables)  # one statement: nothing happens in the midst of it
        try:
            return await super().settle(grabs, won)
        finally:
            self.crews = whole


class Transaction:
    """The block of one transaction."""

    def __init__(self, db: "SimulatedDatabase") -> None:
        self._db, self._server = db, db.server
        self._tx: SimulatedTx | None = None

    async def __aenter__(self) -> Tx:
        try:
            await self._server.way(self._db.process)
        except ConnectionResetError as error:
            raise Unavailable("the database does not answer") from error
        self._tx = SimulatedTx(self._server, self._db.process)
        return self._tx

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._tx is not None
        tx, server = self._tx, self._server
        try:
            if error is None:
                await tx.append_events()
            elif not isinstance(error, GONE):
                return
            else:
                raise error
            tx.committing = True
            fate = server.fate()
            await server.commit_way()
            if not tx.over and fate is not Fate.LOST:
                server.commit(tx)
            await server.way(tx.process)
            if fate is not Fate.ANSWERED or not tx.committed:
                server.unheard += 1
                raise OutcomeUnknown
        except GONE as gone:
            raise (OutcomeUnknown() if tx.committing else Unavailable("the database does not answer")) from gone
        finally:
            if not tx.over:
                server.end(tx)
            del tx.orders, tx.crews, tx.conn  # they refer to the transaction in turn, and circles take long to collect
        if tx.last_seq is not None:
            self._db.on_commit(CITY)


class SimulatedDatabase(Database):
    """The pool of one process."""

    def __init__(self, server: Server, process: Process, *, on_commit: Callable[[str], None] | None = None) -> None:
        super().__init__("simulated", on_commit=on_commit)
        self.server, self.process = server, process

    def transaction(self, city_id: str) -> Any:
        """Return the block of a transaction."""
        return Transaction(self)

    def connection(self) -> Any:
        """Return a connection for reading."""
        return Connection(self.server, self.process)

    def snapshot(self) -> Any:
        """Return a connection that sees one moment."""
        return Connection(self.server, self.process, one_moment=True)


class Connection:
    """A connection outside of transactions: each statement is one by itself."""

    def __init__(self, server: Server, process: Process, *, one_moment: bool = False) -> None:
        self._server, self._process, self._one_moment = server, process, one_moment

    async def __aenter__(self) -> "Connection":
        try:
            await self._server.way(self._process)
        except ConnectionResetError as error:
            raise Unavailable("the database does not answer") from error
        return self

    async def __aexit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, GONE):
            raise Unavailable("the database does not answer") from error

    async def fetch(self, sql: str, *values: Any) -> list[Any]:
        if not self._one_moment:
            await self._server.way(self._process)
        return QUERIES[sql](self._server.tables, *values)

    async def fetchrow(self, sql: str, *values: Any) -> Any:
        found = await self.fetch(sql, *values)
        return found[0] if found else None

    async def fetchval(self, sql: str, *values: Any) -> Any:
        if sql in ("SELECT now()", "SELECT clock_timestamp()"):
            await self._server.way(self._process)
            return self._server.tick()
        row = await self.fetchrow(sql, *values)
        return next(iter(row.values())) if row else None

    async def execute(self, sql: str, *values: Any) -> str:
        """Run one of the few writes that are no steps, in a transaction of its own."""
        if sql == CREWS["save_positions"]:
            return ""  # what `save_fixes` writes, of which it is the other half
        if sql == ORDERS["stop_offer_timers"] and not self._gone(self._server.tables, *values):
            await self._server.way(self._process)
            return "UPDATE 0"
        tx = SimulatedTx(self._server, self._process)
        try:
            written = await self._write(tx, sql, values)
            if tx.over:
                raise ConnectionResetError("the server ended the transaction")
            self._server.commit(tx)
            return f"UPDATE {written}"
        finally:
            if not tx.over:
                self._server.end(tx)

    async def _write(self, tx: SimulatedTx, sql: str, values: Sequence[Any]) -> int:
        await self._server.way(self._process)
        if sql == CREWS["save_fixes"]:
            fixes = [Fix(*row) for row in zip(*values[1:], strict=True)]
            await tx.lock(*map(crew_row, sorted({fix.crew for fix in fixes})))
            await MemoryCrews(tx.tables).save_fixes(fixes)
            return len(fixes)
        assert sql == ORDERS["stop_offer_timers"], f"a write that the simulation does not know: {sql}"
        free = [row for row in self._gone(tx.tables, *values) if tx.could_lock(order_row(row.order.id))]
        for row in free:
            await tx.lock(order_row(row.order.id))
            await MemoryOrders(tx.tables, tx.now).reschedule(row.order, offer_due_at=None, assign_at=None)
        return len(free)

    @staticmethod
    def _gone(tables: Tables, now: datetime, limit: int) -> list[OrderRow]:
        """Return the orders whose timers are due, and which are no longer open."""
        due = dict.fromkeys([*tables.due("offer_due_at", now)[:limit], *tables.due("assign_at", now)[:limit]])
        return [row for row in (tables.orders[key] for key in due) if row.order.state != "offered"]


class TxConnection:
    """What a transaction asks in SQL of its own: the keys of requests, and an order as it was reported."""

    def __init__(self, tx: SimulatedTx) -> None:
        self._tx = tx

    async def fetchval(self, sql: str, *values: Any) -> Any:
        if sql != LOG["claim_key"]:
            await self._tx.statement()
            rows = QUERIES[sql](self._tx.server.tables, *values)
            return next(iter(rows[0].values())) if rows else None
        _, subject, key, body_hash, at = values
        await self._tx.statement(("key", subject, key))
        keys = self._tx.tables.keys
        if (subject, key) in keys:
            return None
        self._tx.tables.put(keys, (subject, key), {"body_hash": body_hash, "status": None, "answer": None, "at": at})
        return True

    async def fetchrow(self, sql: str, *values: Any) -> Any:
        assert sql == LOG["lock_key"], f"a question that the simulation does not know: {sql}"
        await self._tx.statement(("key", *values[1:]))
        return self._tx.tables.keys[values[1], values[2]]

    async def execute(self, sql: str, *values: Any) -> None:
        assert sql == LOG["answer_key"], f"a write that the simulation does not know: {sql}"
        _, subject, key, status, answer = values
        await self._tx.statement(("key", subject, key))
        row = {**self._tx.tables.keys[subject, key], "status": status, "answer": answer}
        self._tx.tables.put(self._tx.tables.keys, (subject, key), row)
