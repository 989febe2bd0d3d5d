"""Grabs written from the engine's memory: what memory has wrong, the database puts right. Real PostgreSQL."""

from contextlib import AsyncExitStack

import pytest

from crew_client.protocol import GrabResult
from dispatch import claims
from dispatch.clockkeeper import ClockKeeper
from dispatch.crews import CrewChange, change_crew, set_shift
from dispatch.orders import State
from dispatch.overrides import OverrideIn
from tests.integration.test_grabs_race import FIRST, Engines, background, two_engines


class Unread:
    """Lets engine 0 read the log and where the crews are, and then no more: its memory stays as it is."""

    def __init__(self, engines: Engines) -> None:
        self._engines = engines
        self._lock = engines.desks[0].relay._reading

    async def __aenter__(self) -> None:
        await self._engines.caught_up()
        for engine in self._engines.pair:
            await engine.look_around()
        await self._lock.acquire()

    async def __aexit__(self, *_: object) -> None:
        self._lock.release()


async def verdict(engines: Engines, crew: str, order: str) -> str:
    answer = await engines.ask(0, crew, f"{crew}-{order}", order)
    assert isinstance(answer, GrabResult)
    return answer.reason


@pytest.fixture
def straight(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each batch that was tried from memory was written so."""
    tried: list[bool] = []
    claim = claims.claim_batch

    async def watched(*args: object) -> object:
        tried.append(False)
        judged = await claim(*args)  # type: ignore[arg-type]
        tried[-1] = True
        return judged

    monkeypatch.setattr("dispatch.grab_desk.claim_batch", watched)
    return tried


async def test_what_memory_has_right_is_written_at_once_and_told_without_reading_it_back(
    database: str, straight: list[bool]
) -> None:
    async with two_engines(database, FIRST) as engines:
        crew, order = await engines.town.working("crew", 0), await engines.town.report(0)
        async with Unread(engines):
            assert await verdict(engines, crew, order) == "won"
            await engines.town.order(order)  # a round of the loop
            mirror = engines.desks[0].mirror
            assert (mirror.orders[order].order.state, mirror.orders[order].order.crew) == ("claimed", crew)
        await engines.caught_up()
        assert engines.desks[0].mirror.state() == engines.desks[1].mirror.state()
        assert straight == [True]
        await engines.town.audit()


async def test_a_crew_that_may_no_longer_do_the_work_does_not_win_though_memory_has_not_heard_of_it(
    database: str, straight: list[bool]
) -> None:
    async with two_engines(database, FIRST) as engines:
        town = engines.town
        crew = await town.working("crew", 0, skills=("gas",))
        order = await town.report(0, required_skills=("gas",))
        async with Unread(engines):
            change = CrewChange(skills=("electric",))
            await town.run(lambda tx: change_crew(tx, crew, change, zones=(), actor="user:admin"))
            assert await verdict(engines, crew, order) == "not_eligible"
        assert straight == [False]
        assert (await town.order(order)).state is State.OFFERED
        await town.audit()


async def test_a_crew_whose_shift_has_ended_elsewhere_does_not_win(database: str, straight: list[bool]) -> None:
    async with two_engines(database, FIRST) as engines:
        town = engines.town
        crew, order = await town.working("crew", 0), await town.report(0)
        async with Unread(engines):
            await town.run(lambda tx: set_shift(tx, crew, False))
            assert await verdict(engines, crew, order) == "off_shift"
        assert straight == [False]
        assert (await town.order(order)).state is State.OFFERED
        await town.audit()


async def test_a_crew_that_filled_up_elsewhere_does_not_win(database: str, straight: list[bool]) -> None:
    async with two_engines(database, FIRST) as engines:
        town = engines.town
        crew, here, there = await town.working("crew", 0), await town.report(0), await town.report(0)
        async with Unread(engines):
            await engines.ask(1, crew, "there", there)
            assert await verdict(engines, crew, here) == "at_capacity"
        assert straight == [True, False]
        await town.audit()


async def test_a_dispatchers_word_wins_against_a_grab_that_has_not_heard_it(
    database: str, straight: list[bool]
) -> None:
    async with two_engines(database, FIRST) as engines:
        town = engines.town
        crew, other = await town.working("crew", 0), await town.working("other", 0)
        order = await town.report(0)
        async with Unread(engines):
            await engines.word(order, OverrideIn(action="assign", crew=other, reason="nearer"), engine=1)
            assert await verdict(engines, crew, order) == "taken"
        assert straight == [False]
        assert (await town.order(order)).crew == other
        await town.audit()


async def test_an_order_that_changed_meanwhile_and_is_still_open_is_won_under_locks(
    database: str, straight: list[bool]
) -> None:
    async with two_engines(database, FIRST) as engines:
        town = engines.town
        crew, order = await town.working("crew", 0), await town.report(0)
        async with Unread(engines):
            await engines.word(order, OverrideIn(action="reprioritize", severity=5, reason="a baby"), engine=1)
            assert await verdict(engines, crew, order) == "won"
        assert straight == [False]
        held = await town.order(order)
        assert (held.crew, held.severity) == (crew, 5)
        await town.audit()


async def test_of_a_batch_with_one_that_memory_has_wrong_nothing_is_lost(database: str, straight: list[bool]) -> None:
    async with two_engines(database, FIRST) as engines:
        town = engines.town
        crews = [await town.working(f"crew{n}", 0) for n in range(3)]
        orders = [await town.report(0) for _ in crews]
        async with Unread(engines):
            await town.run(lambda tx: set_shift(tx, crews[1], False))
            asks = [engines.ask(0, crew, crew, order) for crew, order in zip(crews, orders, strict=True)]
            told = {answer.order: answer for ask in asks if isinstance(answer := await ask, GrabResult)}
        assert [told[order].reason for order in orders] == ["won", "off_shift", "won"]
        await town.audit()


async def test_the_timers_that_a_grab_leaves_behind_are_put_away_without_a_word(database: str) -> None:
    policy = FIRST.__class__(mode="first", assign_after_s=0.2, ring_s=(0.1, 3600))
    async with two_engines(database, policy) as engines, AsyncExitStack() as stack:
        town = engines.town
        crew, order = await town.working("crew", 0), await town.report(0)
        await engines.caught_up()
        assert await verdict(engines, crew, order) == "won"
        keeper = background(engines, 0)
        stack.push_async_callback(keeper.db.close)
        before = await town.fetch("SELECT last_seq FROM city_log WHERE city_id = $1")
        row = None
        while row is None or row["offer_due_at"] is not None or row["assign_at"] is not None:
            await ClockKeeper().tick(keeper)
            [row] = await town.fetch("SELECT * FROM order_timer WHERE city_id = $1")
        assert row["alarm_at"] is not None, "the clock of the arrival runs on"
        assert await town.fetch("SELECT last_seq FROM city_log WHERE city_id = $1") == before
        await town.audit()
