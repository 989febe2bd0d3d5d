"""The store in memory is all or nothing, and waits for nothing."""

import asyncio
from datetime import UTC, datetime

import pytest

from dispatch.cities import bare_city
from dispatch.config import Settings
from dispatch.crews import Crew, add_crew, set_shift
from dispatch.intake import ReportIn, take_report
from dispatch.orders import State
from dispatch.store import Contended, TryAgain, Tx
from dispatch.store.memory import MemoryCity

T0 = datetime(2026, 1, 15, 8, 0, tzinfo=UTC)
CITY = bare_city("city", Settings())


async def report(tx: Tx, name: str) -> None:
    body = ReportIn(channel="test", category="leak", external_id=name)
    await take_report(tx, body, city=CITY, crews=(), report_id=f"r-{name}", order_id=name, actor="user:test")


@pytest.fixture
def memory() -> MemoryCity:
    memory = MemoryCity("city")
    memory.run(T0, lambda tx: add_crew(tx, Crew("c", "c", (), None, 1), actor="user:test"))
    memory.run(T0, lambda tx: report(tx, "o1"))
    return memory


def test_a_step_that_raises_leaves_everything_as_it_was(memory: MemoryCity) -> None:
    async def much_and_then_not(tx: Tx) -> None:
        await set_shift(tx, "c", True)
        order = await tx.orders.lock_one("o1")
        await tx.orders.save(order.changed(state=State.HELD))
        await tx.orders.save(order.changed(state=State.CANCELLED).changed())
        await report(tx, "o2")
        await tx.append_events()
        raise ValueError("no")

    before = (dict(memory.tables.orders), dict(memory.tables.crews), list(memory.tables.events), memory.tables.last_seq)
    with pytest.raises(ValueError, match="no"):
        memory.run(T0, much_and_then_not)
    tables = memory.tables
    assert (tables.orders, tables.crews, tables.events, tables.last_seq) == before
    assert set(tables.externals.values()) == {"r-o1"}, "the other report can come again"


def test_an_order_saved_from_an_old_look_is_a_bug_that_shows(memory: MemoryCity) -> None:
    async def twice(tx: Tx) -> None:
        order = await tx.orders.lock_one("o1")
        await tx.orders.save(order.changed(state=State.HELD))
        await tx.orders.save(order.changed(state=State.CANCELLED))

    with pytest.raises(AssertionError, match="not one version further"):
        memory.run(T0, twice)
    assert memory.tables.orders["o1"].order.state is State.UNZONED


def test_who_asks_to_be_run_again_is_and_not_for_ever(memory: MemoryCity) -> None:
    runs = 0

    async def third_time_lucky(tx: Tx) -> int:
        nonlocal runs
        runs += 1
        await set_shift(tx, "c", True)
        if runs < 3:
            raise TryAgain
        return runs

    async def never(tx: Tx) -> None:
        raise TryAgain

    assert memory.run(T0, third_time_lucky) == 3
    assert [event.kind for event in memory.tables.events].count("crew.shift_started") == 1
    with pytest.raises(Contended):
        memory.run(T0, never)


def test_a_step_that_waits_for_something_else_is_told_so(memory: MemoryCity) -> None:
    async def waits(tx: Tx) -> None:
        await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="not in memory"):
        memory.run(T0, waits)


def test_events_are_numbered_without_a_gap_and_given_once(memory: MemoryCity) -> None:
    assert [event.seq for event in memory.drain()] == [1, 2]
    memory.run(T0, lambda tx: report(tx, "o2"))
    assert [event.seq for event in memory.drain()] == [3]
    assert memory.drain() == []
    assert memory.touched == {"o2"}
