"""The database of dictionaries keeps transactions apart as PostgreSQL does, where they meet at their statements."""

import asyncio
from collections.abc import Coroutine
from random import Random
from typing import Any

import pytest

from dispatch.crews import Crew
from dispatch.errors import Unavailable
from dispatch.events import Event
from dispatch.store import Tx
from dispatch.store.database import OutcomeUnknown
from tests.simulation.database import Process, Server, SimulatedDatabase
from tests.simulation.virtual_time import VirtualLoop


class Bench:
    """A server with two processes at it, and a loop to run them on."""

    def __init__(self) -> None:
        self.failed: list[str] = []
        self.loop = VirtualLoop(self.failed.append)  # type: ignore[abstract]  # asyncio needs no more of it
        self.server = Server(self.loop, Random(1), lambda tx: None)
        for name in ("c1", "c2"):
            self.server.tables.crews[name] = Crew(name, name, (), None, 3)
        self.one, self.other = (SimulatedDatabase(self.server, Process(name)) for name in ("one", "other"))

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        self.loop.run(work)
        self.loop.end()
        assert not self.failed

    def load(self, crew: str) -> int:
        return self.server.tables.crews[crew].load


@pytest.fixture
def bench() -> Bench:
    return Bench()


async def take(tx: Tx, crew: str, *, wait_s: float = 0.0) -> None:
    """Lock a crew, look, wait, and count one order more: what two at once must not do on one look."""
    seen = (await tx.crews.lock([crew]))[crew]
    await asyncio.sleep(wait_s)
    await tx.crews.add_load({crew: 1})
    assert (await tx.crews.find([crew]))[crew].load == seen.load + 1


def test_a_row_that_another_holds_is_waited_for_and_seen_as_he_left_it(bench: Bench) -> None:
    async def both() -> None:
        slow = bench.one.run("town", lambda tx: take(tx, "c1", wait_s=1.0))
        quick = bench.other.run("town", lambda tx: take(tx, "c1"))
        await asyncio.gather(slow, quick)

    bench.run(both())
    assert bench.load("c1") == 2


def test_what_is_not_committed_is_seen_by_nobody_else_and_gone_after_an_error(bench: Bench) -> None:
    async def half(tx: Tx) -> None:
        await take(tx, "c1", wait_s=0.5)
        await asyncio.sleep(1.0)
        raise ValueError("no")

    async def both() -> None:
        failing = asyncio.ensure_future(bench.one.run("town", half))
        await asyncio.sleep(1.0)
        async with bench.other.transaction("town") as tx:
            assert (await tx.crews.find(["c1"]))["c1"].load == 0
        with pytest.raises(ValueError, match="no"):
            await failing

    bench.run(both())
    assert bench.load("c1") == 0


def test_two_who_wait_for_each_other_are_parted_and_one_runs_again(bench: Bench) -> None:
    async def crosswise(tx: Tx, first: str, second: str) -> None:
        await take(tx, first, wait_s=0.2)
        await take(tx, second)

    async def both() -> None:
        one = bench.one.run("town", lambda tx: crosswise(tx, "c1", "c2"))
        other = bench.other.run("town", lambda tx: crosswise(tx, "c2", "c1"))
        await asyncio.gather(one, other)

    bench.run(both())
    assert (bench.load("c1"), bench.load("c2")) == (2, 2)
    assert bench.server.locks.circles > 0


def test_the_log_has_the_order_of_the_commits(bench: Bench) -> None:
    async def say(tx: Tx, kind: str, wait_s: float) -> None:
        tx.record(Event.of_city(kind, actor="user:test"))
        await asyncio.sleep(wait_s)

    async def both() -> None:
        late = bench.one.run("town", lambda tx: say(tx, "late", 1.0))
        early = bench.other.run("town", lambda tx: say(tx, "early", 0.5))
        await asyncio.gather(late, early)

    bench.run(both())
    assert [(event.seq, event.kind) for event in bench.server.tables.events] == [(1, "early"), (2, "late")]


def test_a_lost_answer_leaves_it_open_whether_the_commit_was_done(bench: Bench) -> None:
    outcomes: list[int] = []

    async def often() -> None:
        bench.server.lost_answers = 1.0
        for _ in range(20):
            before = bench.load("c1")
            with pytest.raises(OutcomeUnknown):
                await bench.one.run("town", lambda tx: tx.crews.add_load({"c1": 1}))
            outcomes.append(bench.load("c1") - before)

    bench.run(often())
    assert set(outcomes) == {0, 1}


def test_what_a_process_holds_is_free_when_it_dies_and_it_never_hears_again(bench: Bench) -> None:
    heard: list[str] = []

    async def dies() -> None:
        await bench.one.run("town", lambda tx: take(tx, "c1", wait_s=5.0))
        heard.append("the dead one")

    async def both() -> None:
        dead = asyncio.ensure_future(dies())
        await asyncio.sleep(1.0)
        bench.one.process.dead = True
        bench.server.abort(bench.one.process)
        await bench.other.run("town", lambda tx: take(tx, "c1"))
        await asyncio.sleep(60.0)
        dead.cancel()

    bench.run(both())
    assert bench.load("c1") == 1 and not heard


def test_a_server_that_is_away_does_nothing_and_says_so(bench: Bench) -> None:
    async def away() -> None:
        bench.server.away = True
        with pytest.raises(Unavailable):
            await bench.one.run("town", lambda tx: take(tx, "c1"))

    bench.run(away())
    assert bench.load("c1") == 0
