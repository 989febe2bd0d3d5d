"""One city in memory: the edge that commits, and the transaction that steps see."""

from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from msgspec import Raw

from dispatch.crews import Crew
from dispatch.events import Event, Logged
from dispatch.orders import Order, State
from dispatch.store.crews import GrabRow
from dispatch.store.database import Contended, TryAgain
from dispatch.store.memory.crews import MemoryCrews
from dispatch.store.memory.orders import MemoryOrders
from dispatch.store.memory.tables import OrderRow, Tables
from dispatch.store.tx import Settled, Tx, Win

T = TypeVar("T")
Step = Callable[[Tx], Coroutine[Any, Any, T]]

TRIES = 11
"""How often a step that asks to be run again is, as `Database.run` does."""


class MemoryTx(Tx):
    """A running transaction in memory; see `store.tx.Tx`."""

    def __init__(self, tables: Tables, city_id: str, now: datetime) -> None:
        self.city_id = city_id
        self.now = now
        self.orders = MemoryOrders(tables, now)
        self.crews = MemoryCrews(tables)
        self.events: list[Event] = []
        self.last_seq: int | None = None
        self._tables = tables

    async def append_events(self) -> None:
        """Write the recorded events; called once, by the edge, as the last thing before the commit."""
        for event in self.events:
            self._append(event)
        self.events = []

    def _append(self, event: Event) -> None:
        tables = self._tables
        tables.last_seq = self.last_seq = tables.last_seq + 1
        tables.events.append(
            Logged(tables.last_seq, self.now, event.kind, event.actor, Raw(event.data), event.order, event.crew)
        )

    async def settle(self, grabs: Sequence[GrabRow], won: Mapping[int, Win]) -> Settled:
        """Write judged grabs, and what those at the places in `won` come to; nothing where a winner does not fit."""
        assert not self.events, "the events of a batch of grabs are numbered with it"
        tables = self._tables
        for place, (changed, event, revision) in sorted(won.items()):
            row, crew = tables.orders.get(grabs[place].order), tables.crews.get(grabs[place].crew)
            if row is None or crew is None or not _fits(row.order, crew, changed.version, revision):
                return Settled(0, claimed=False)
            held = row.order.changed(
                state=State.CLAIMED, crew=crew.id, claimed_by="grab", clocks=dict(changed.clocks), offer=None
            )
            tables.put(tables.orders, held.id, msgspec.structs.replace(row, order=held))
            await self.crews.add_load({crew.id: 1})
            self._append(event)
        return Settled(await self.crews.insert_grabs(self.now, grabs), claimed=True)


def _fits(order: Order, crew: Crew, version: int, revision: int) -> bool:
    """Return whether an open order may fall to a crew, the order being one version back and the crew unchanged."""
    open_to_it = order.state is State.OFFERED and order.version == version - 1
    return open_to_it and crew.on_shift and crew.load < crew.capacity and crew.revision == revision


class MemoryCity:
    """The city of one simulation; `touched` holds the ids of the orders that its last transaction wrote."""

    def __init__(self, city_id: str) -> None:
        self.id = city_id
        self.tables = Tables()
        self.touched: set[str] = set()

    @contextmanager
    def transaction(self, now: datetime) -> Iterator[MemoryTx]:
        """Run a block as one transaction that happens at `now`; whatever it raises takes it back whole."""
        tables = self.tables
        events, last_seq = len(tables.events), tables.last_seq
        tx = MemoryTx(tables, self.id, now)
        try:
            yield tx
            finish(tx.append_events())
        except BaseException:
            tables.take_back()
            del tables.events[events:]
            tables.last_seq = last_seq
            raise
        self.touched = tables.keep()

    def run(self, now: datetime, step: Step[T]) -> T:
        """Run a step as one transaction at `now`, again where it asks for it; raise `Contended` where it never ends."""
        for _ in range(TRIES):
            try:
                with self.transaction(now) as tx:
                    return finish(step(tx))
            except TryAgain:
                continue
        raise Contended

    def begin_with(self, crews: Iterable[Crew], orders: Iterable[Order]) -> None:
        """Take over crews and orders as they stood somewhere else; no event tells of it."""
        for crew in crews:
            self.tables.put(self.tables.crews, crew.id, crew)
        for order in orders:
            self.tables.put(self.tables.orders, order.id, OrderRow.of(order))
        self.tables.keep()

    def drain(self) -> list[Logged]:
        """Return the events since the last call, and forget them."""
        events, self.tables.events = self.tables.events, []
        return events


def finish(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that has nothing to wait for, without an event loop.

    Raises:
        RuntimeError: it does wait, for something that is not in memory.
    """
    try:
        work.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    work.close()
    raise RuntimeError(f"{work!r} waited for something that is not in memory")
