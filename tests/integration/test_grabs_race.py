"""Grabs race for orders at the desks of two engines, on a real PostgreSQL: one winner, and no verdict ever changes."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import asyncpg
import msgspec
import pytest

from crew_client.protocol import GrabResult
from dispatch import grabs
from dispatch.access import Identity
from dispatch.background import Background
from dispatch.city_desk import CityDesk
from dispatch.clockkeeper import ClockKeeper
from dispatch.config import ClockSettings, Settings
from dispatch.crews import Crew
from dispatch.engine import Engine
from dispatch.grabs import Acked, Answer, Ask
from dispatch.http.crew_socket import CrewSession
from dispatch.http.session import Watch
from dispatch.intake import ReportedPlace, ReportIn, take_report
from dispatch.orders import State
from dispatch.overrides import OverrideIn, override
from dispatch.policy import GrabPolicy
from dispatch.store import Database, Tx
from dispatch.store.crews import CrewRows, Fix
from tests.solvers import plan
from tests.town import Town, ask, centre

FIRST = GrabPolicy(mode="first", assign_after_s=3600, ring_s=(3600, 3600))
SEALED = GrabPolicy(mode="sealed", window_s=0.4, assign_after_s=3600, ring_s=(3600, 3600))


class Engines:
    """Two engines of one city without HTTP, each with a pool of its own."""

    def __init__(self, town: Town, pair: tuple[Engine, Engine], desks: tuple[CityDesk, CityDesk]) -> None:
        self.town = town
        self.pair = pair
        self.desks = desks

    async def ask(self, n: int, crew: str, message: str, order: str) -> Answer:
        return await ask(self.desks[n % 2].grabs, crew, message, order)

    async def caught_up(self) -> None:
        for desk in self.desks:
            await desk.relay.catch_up()

    async def word(self, order: str, word: OverrideIn, *, engine: int = 0) -> State:
        desk = self.desks[engine]
        changed = await self.pair[engine].run(
            self.town.id,
            lambda tx: override(
                tx,
                order,
                word,
                actor="user:d",
                override_id=f"v-{order}-{word.action}-{random.random()}",
                city=desk.mirror.city,
                crews=desk.mirror.crews.values(),
            ),
        )
        return changed.state


@asynccontextmanager
async def two_engines(url: str, policy: GrabPolicy) -> AsyncIterator[Engines]:
    """Make a city and two engines that read it."""
    settings = Settings(database_url=url, grab=policy)
    async with AsyncExitStack() as stack:
        db = Database(url, size=4)
        stack.push_async_callback(db.close)
        town = await Town.found(db, "town", settings)
        pair = Engine(settings, url), Engine(settings, url)
        for engine in pair:
            stack.push_async_callback(engine.stop)
            await engine.bus.start(engine._heard)
        first, second = pair
        yield Engines(town, pair, (await first.desk("town"), await second.desk("town")))


def verdicts(answers: list[Answer]) -> Counter[str]:
    assert all(isinstance(answer, GrabResult) for answer in answers), answers
    return Counter(answer.reason for answer in answers if isinstance(answer, GrabResult))


async def test_of_fifty_that_grab_at_two_engines_at_once_one_wins_and_all_get_an_answer(database: str) -> None:
    async with two_engines(database, FIRST) as engines:
        town = engines.town
        crews = [await town.working(f"crew{n:02d}", 0) for n in range(50)]
        for _ in range(3):
            order = await town.report(0)
            await engines.caught_up()
            answers = await asyncio.gather(
                *(engines.ask(n, crew, f"{crew}-{order}", order) for n, crew in enumerate(crews))
            )
            told = verdicts(answers)
            assert told["won"] == 1
            assert set(told) <= {"won", "taken", "at_capacity"}
            [winner] = [crew for crew, answer in zip(crews, answers, strict=True) if getattr(answer, "won", False)]
            held = await town.order(order)
            assert (held.state, held.crew, held.claimed_by) == ("claimed", winner, "grab")
        await town.audit()


async def test_the_same_message_at_both_engines_at_once_gets_the_same_verdict(database: str) -> None:
    async with two_engines(database, FIRST) as engines:
        town = engines.town
        crews = [await town.working(f"crew{n}", 0, capacity=9) for n in range(4)]
        for round_ in range(5):
            order = await town.report(0)
            await engines.caught_up()
            asked = [(crew, f"{crew}-{round_}", n) for crew in crews for n in range(4)]
            random.Random(round_).shuffle(asked)
            answers = await asyncio.gather(*(engines.ask(n, crew, message, order) for crew, message, n in asked))
            by_message: dict[str, set[str]] = {}
            for (_, message, _), answer in zip(asked, answers, strict=True):
                assert isinstance(answer, GrabResult)
                by_message.setdefault(message, set()).add(answer.reason)
            assert all(len(reasons) == 1 for reasons in by_message.values()), by_message
            assert sum(reasons == {"won"} for reasons in by_message.values()) == 1
        await town.audit()


async def test_a_crew_with_room_for_one_that_grabs_ten_at_once_wins_one(database: str) -> None:
    async with two_engines(database, FIRST) as engines:
        town = engines.town
        crew = await town.working("crew", 0, capacity=1)
        orders = [await town.report(0) for _ in range(10)]
        await engines.caught_up()
        told = verdicts(await asyncio.gather(*(engines.ask(n, crew, f"m{n}", order) for n, order in enumerate(orders))))
        assert told == {"won": 1, "at_capacity": 9}
        await town.audit()


async def test_a_sealed_window_that_is_full_and_over_at_once_has_one_winner_and_a_verdict_for_each_bid(
    database: str,
) -> None:
    async with two_engines(database, SEALED) as engines:
        town = engines.town
        crews = [await town.working(f"crew{n}", 0, away_m=200.0 * (n + 1)) for n in range(6)]
        keepers = [background(engines, n) for n in range(2)]
        for round_ in range(4):
            order = await town.report(0)
            await engines.caught_up()
            late = round_ % 2  # everybody answers before the end, or the last answers at it
            bids = [engines.ask(n, crew, f"{crew}-{round_}", order) for n, crew in enumerate(crews)]
            acks = await asyncio.gather(*bids[late:])
            assert all(isinstance(ack, Acked) for ack in acks)
            if late:
                over = max(ack.closes_at for ack in acks if isinstance(ack, Acked)) - await town.run(_now)
                await asyncio.sleep(max(over.total_seconds(), 0))
            await asyncio.gather(
                *bids[:late], *(ClockKeeper().tick(keeper) for keeper in keepers), *(plan(keeper) for keeper in keepers)
            )
            async with asyncio.timeout(5):
                while (await town.order(order)).state is not State.CLAIMED:
                    await ClockKeeper().tick(keepers[0])
            rows = await town.fetch("SELECT crew_id, reason FROM crew_grab WHERE city_id = $1 AND order_id = $2", order)
            assert all(row["reason"] for row in rows), "a bid without a verdict"
            won = [row["crew_id"] for row in rows if row["reason"] == "won"]
            assert won == [(await town.order(order)).crew]
            again = await engines.ask(1, won[0], f"{won[0]}-{round_}", order)
            assert isinstance(again, GrabResult) and again.won
            await engines.word(order, OverrideIn(action="cancel", reason="done"))
        await town.audit()
        for keeper in keepers:
            await keeper.db.close()


async def test_a_window_does_not_close_before_a_nearer_crew_was_asked_that_another_engine_has_just_located(
    database: str,
) -> None:
    patient = msgspec.structs.replace(SEALED, window_s=600)
    async with two_engines(database, patient) as engines:
        town = engines.town
        await town.working("far", 0, away_m=900)
        await town.hire("near", 0)
        await engines.caught_up()
        here, there = engines.pair
        await there.crews.set_shift("town", "near", True)
        now = await town.run(_now)
        await there.crews.hear_position("town", Fix("near", *centre(0), 5.0, device_at=now, received_at=now))
        await engines.caught_up()
        order = await report_at(here, town)
        await engines.caught_up()
        await engines.ask(0, "far", "f1", order)
        await asyncio.gather(*here._commands)
        assert (await town.order(order)).state is State.OFFERED, "the nearer one was not asked yet"
        await there.desks["town"].relay.catch_up()
        await there.crews._join_open(there.desks["town"].mirror, "near")
        await engines.ask(1, "near", "n1", order)
        await asyncio.gather(*there._commands)
        assert (await town.order(order)).crew == "near"


async def test_who_is_not_near_enough_to_be_asked_keeps_no_window_open(database: str) -> None:
    careful = msgspec.structs.replace(SEALED, window_s=600, leave_to_grabs="when_safe")
    async with two_engines(database, careful) as engines:
        town = engines.town
        await town.working("far", 0, away_m=9_000)
        await town.working("near", 0)
        order = await town.report(0)
        await engines.caught_up()
        assert set(engines.desks[0].mirror.orders[order].offered) == {"near"}
        await engines.ask(0, "near", "n1", order)
        await asyncio.gather(*engines.pair[0]._commands)
        assert (await town.order(order)).crew == "near"


@pytest.mark.parametrize("policy", [FIRST, SEALED], ids=["first", "sealed"])
async def test_a_grab_is_judged_by_where_the_crew_was_as_it_grabbed(database: str, policy: GrabPolicy) -> None:
    async with two_engines(database, policy) as engines:
        town, engine = engines.town, engines.pair[0]
        await town.hire("crew", 0)
        await engines.caught_up()
        await engine.crews.set_shift("town", "crew", True)
        lon, lat = centre(0)
        for away in (0.01, 0.0):
            now = engine.now()
            await engine.crews.hear_position("town", Fix("crew", lon, lat + away, 5.0, device_at=now, received_at=now))
        order = await town.report(0)
        await engines.caught_up()
        if policy is FIRST:  # not straight from memory alone
            engines.desks[0].mirror.orders[order].offered.clear()
        await engines.ask(0, "crew", "g1", order)
        [bid] = await town.fetch("SELECT eta_s, distance_m FROM crew_grab WHERE city_id = $1")
        assert (bid["eta_s"], bid["distance_m"]) == (0, 0)


async def test_a_decline_waits_for_the_bid_that_was_sent_before_it(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with two_engines(database, msgspec.structs.replace(SEALED, window_s=600)) as engines:
        town, engine, desk = engines.town, engines.pair[0], engines.desks[0]
        for name in ("crew", "other"):
            await town.working(name, 0)
        order = await town.report(0)
        await engines.caught_up()
        session = CrewSession(engine, SimpleNamespace(io_proto=None), Watch(60))
        session.line = heard = Line()  # type: ignore[assignment]
        session.identity = Identity(town.id, "crew", "crew")
        await session.hear('{"type":"hello"}')
        judge, may_begin = desk.grabs._judge, asyncio.Event()

        async def slowly(batch: Any) -> None:
            await may_begin.wait()
            await judge(batch)

        monkeypatch.setattr(desk.grabs, "_judge", slowly)
        for kind in ("grab", "decline"):
            await session.hear(msgspec.json.encode({"type": kind, "id": kind, "order": order}).decode())
        assert session._working is not None
        await asyncio.wait([session._working], timeout=0.3)
        assert "progress_ack" not in heard.kinds()
        may_begin.set()
        async with asyncio.timeout(10):
            while "progress_ack" not in heard.kinds():
                await asyncio.sleep(0.01)
        [bid] = await town.fetch("SELECT reason FROM crew_grab WHERE city_id = $1")
        assert bid["reason"] == "closed"


class Line:
    """A socket's sending half that keeps what it is given."""

    closing = False

    def __init__(self) -> None:
        self.frames: list[str] = []

    def send(self, frame: str) -> None:
        self.frames.append(frame)

    def kinds(self) -> list[str]:
        return [msgspec.json.decode(frame)["type"] for frame in self.frames]


async def report_at(engine: Engine, town: Town) -> str:
    """Take a report at an engine, which opens it to the crews that it knows of."""
    mirror = engine.desks[town.id].mirror
    lon, lat = centre(0)
    report = ReportIn(channel="test", category="no_heat", severity=2, location=ReportedPlace(lon, lat))
    crews = mirror.crews.values()
    await engine.run(
        town.id,
        lambda tx: take_report(
            tx, report, city=mirror.city, crews=crews, report_id="r1", order_id="o1", actor="user:test"
        ),
    )
    return "o1"


async def test_a_dispatcher_s_word_that_races_grabs_is_the_last_one(database: str) -> None:
    async with two_engines(database, FIRST) as engines:
        town = engines.town
        crews = [await town.working(f"crew{n}", 0, capacity=50) for n in range(8)]
        chosen = await town.working("chosen", 2, capacity=50)
        for round_ in range(8):
            order = await town.report(0)
            await engines.caught_up()
            grabbing = [
                asyncio.create_task(engines.ask(n, crew, f"{crew}-{round_}", order)) for n, crew in enumerate(crews)
            ]
            await asyncio.sleep(0.001 * round_)
            await engines.word(order, OverrideIn(action="assign", reason="test", crew=chosen), engine=round_ % 2)
            told = verdicts(list(await asyncio.gather(*grabbing)))
            assert told["won"] <= 1
            held = await town.order(order)
            assert (held.crew, held.claimed_by) == (chosen, "dispatcher")
            if told["won"]:
                rows = await town.fetch(
                    "SELECT data -> 'lost' ->> 'crew' AS crew FROM event WHERE city_id = $1 AND order_id = $2"
                    " AND kind = 'order.assigned'",
                    order,
                )
                assert rows[0]["crew"] is not None, "the crew that loses the order is told"
        await town.audit()


async def test_two_clock_keepers_that_both_believe_they_lead_sound_each_alarm_once(database: str) -> None:
    async with two_engines(database, FIRST) as engines:
        town = engines.town
        hurried = ClockSettings(hand_down_s=0.4, arrival_s=0.6, resolve_s=0.8, at_risk_share=0.5)
        town.settings = msgspec.structs.replace(town.settings, clocks=hurried)
        orders = [await town.report(n % 3) for n in range(30)]
        keepers = [background(engines, n) for n in range(2)]
        until = asyncio.get_running_loop().time() + 1.5
        while asyncio.get_running_loop().time() < until:
            await asyncio.gather(*(ClockKeeper().tick(keeper) for keeper in keepers for _ in range(2)))
        rows = await town.fetch(
            "SELECT order_id, kind, data ->> 'clock' AS clock, count(*) AS n FROM event"
            " WHERE city_id = $1 AND kind LIKE 'clock.%' GROUP BY 1, 2, 3"
        )
        assert all(row["n"] == 1 for row in rows)
        breached = {(row["order_id"], row["clock"]) for row in rows if row["kind"] == "clock.breached"}
        assert breached == {(order, clock) for order in orders for clock in ("hand_down", "arrival", "resolve")}
        await town.audit()
        for keeper in keepers:
            await keeper.db.close()


async def test_a_grab_whose_commit_lost_its_answer_is_told_the_verdict_that_was_committed(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with two_engines(database, FIRST) as engines:
        town = engines.town
        crews = [await town.working(f"crew{n}", 0) for n in range(5)]
        order = await town.report(0)
        await engines.caught_up()
        lost = lose_the_answers_of_commits(monkeypatch, times=2)
        told = verdicts(
            list(await asyncio.gather(*(engines.ask(n, crew, f"{crew}-m", order) for n, crew in enumerate(crews))))
        )
        assert lost() == 2
        assert told == {"won": 1, "taken": 4}
        rows = await town.fetch("SELECT count(*) AS n FROM event WHERE city_id = $1 AND kind = 'order.claimed'")
        assert rows[0]["n"] == 1
        await town.audit()


async def test_grabs_whose_connections_are_cut_again_and_again_get_one_verdict_each(database: str) -> None:
    async with two_engines(database, FIRST) as engines:
        town = engines.town
        crews = [await town.working(f"crew{n:02d}", 0, capacity=40) for n in range(20)]
        orders = [await town.report(0) for _ in range(30)]
        await engines.caught_up()
        stop = asyncio.Event()
        cutting = asyncio.create_task(cut_connections(database, stop))
        asked = [(crew, f"{crew}-{order}", order) for order in orders for crew in crews]
        answers = await asyncio.gather(
            *(engines.ask(n, crew, message, order) for n, (crew, message, order) in enumerate(asked))
        )
        stop.set()
        assert await cutting > 0
        winners = Counter(a.order for a in answers if isinstance(a, GrabResult) and a.won)
        assert winners == Counter(orders)
        again = await asyncio.gather(
            *(engines.ask(n + 1, crew, message, order) for n, (crew, message, order) in enumerate(asked))
        )
        assert again == answers
        await town.audit()


async def test_a_repeated_grab_of_an_order_that_was_opened_again_closes_it_to_nobody(database: str) -> None:
    async with two_engines(database, FIRST) as engines:
        town = engines.town
        first, second = await town.working("first", 0), await town.working("second", 0)
        order = await town.report(0)
        await engines.caught_up()
        assert verdicts([await engines.ask(0, first, "mine", order)]) == {"won": 1}
        await engines.word(order, OverrideIn(action="revoke", reason="test"))
        await engines.caught_up()
        assert verdicts([await engines.ask(0, first, "mine", order)]) == {"won": 1}, "the same verdict, of a past cycle"
        assert verdicts([await engines.ask(0, second, "now me", order)]) == {"won": 1}
        await town.audit()


async def test_the_holder_who_asks_again_before_the_engine_has_read_his_claim_is_told_that_he_has_it(
    database: str,
) -> None:
    async with two_engines(database, FIRST) as engines:
        crew = await engines.town.working("crew", 0, capacity=2)
        order = await engines.town.report(0)
        await engines.caught_up()
        async with engines.desks[0].relay._reading:  # it reads nothing meanwhile
            told = [await engines.ask(0, crew, message, order) for message in ("one", "two")]
        assert verdicts(told) == {"won": 2}


async def test_two_grabs_of_an_order_in_one_batch_have_one_winner_though_the_desk_took_it_for_sealed(
    database: str,
) -> None:
    async with two_engines(database, FIRST) as engines:
        town = engines.town
        crews = [await town.working(f"crew{n}", 0) for n in range(3)]
        order = await town.report(0)
        city = engines.desks[0].mirror.city
        asks = [Ask(crew, f"{crew}-m", order) for crew in crews]
        answers = await town.run(lambda tx: grabs.judge_batch(tx, asks, city))
        assert verdicts(answers.answers) == {"won": 1, "taken": 2}
        await town.audit()


async def test_bids_of_a_window_that_ends_as_the_next_ring_opens_are_judged_at_its_end(database: str) -> None:
    policy = GrabPolicy(mode="sealed", window_s=0.3, ring_s=(0.3, 3600), assign_after_s=3600)
    async with two_engines(database, policy) as engines:
        town = engines.town
        near = await town.working("near", 0)
        await town.working("next", 1)
        await town.working("silent", 0)
        order = await town.report(0)
        await engines.caught_up()
        ack = await engines.ask(0, near, "bid", order)
        assert isinstance(ack, Acked)
        keeper = background(engines, 0)
        while await town.run(_now) < ack.closes_at:
            await asyncio.sleep(0.02)
        await ClockKeeper().tick(keeper)
        assert (await town.order(order)).crew == near
        await keeper.db.close()


async def test_the_machine_does_not_assign_past_a_bid_that_comes_in_as_it_looks(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = GrabPolicy(mode="sealed", window_s=60, assign_after_s=0, ring_s=(3600, 3600))
    async with two_engines(database, policy) as engines:
        town = engines.town
        bidder = await town.working("bidder", 0, away_m=900)
        await town.working("nearer", 0, away_m=10)
        order = await town.report(0)
        await engines.caught_up()
        locking = CrewRows.lock
        bids: list[Answer] = []

        async def lock_after_the_bid(self: CrewRows, crew_ids: Sequence[str]) -> dict[str, Crew]:
            if list(crew_ids) == ["nearer"] and not bids:
                bids.append(await engines.ask(0, bidder, "bid", order))
            return await locking(self, crew_ids)

        monkeypatch.setattr(CrewRows, "lock", lock_after_the_bid)
        keeper = background(engines, 0)
        await plan(keeper)
        assert [type(bid) for bid in bids] == [Acked]
        assert (await town.order(order)).state is State.OFFERED, "who asked goes before who is told"
        await keeper.db.close()


def lose_the_answers_of_commits(monkeypatch: pytest.MonkeyPatch, *, times: int) -> "Counted":
    """Let the next commits happen and the connection die before their answers arrive."""
    from asyncpg.transaction import Transaction

    committing = Transaction.commit
    counted = Counted()

    async def commit(self: Transaction) -> None:
        await committing(self)
        if counted.n < times:
            counted.n += 1
            self._connection.terminate()
            raise ConnectionResetError("the answer to the commit was lost")

    monkeypatch.setattr(Transaction, "commit", commit)
    return counted


class Counted:
    """How often something happened."""

    n = 0

    def __call__(self) -> int:
        return self.n


async def cut_connections(url: str, stop: asyncio.Event) -> int:
    """Kill backends at random until told to stop; return how many."""
    rng = random.Random(7)
    cut = 0
    connection = await asyncpg.connect(url)
    try:
        while not stop.is_set():
            rows = await connection.fetch(
                "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'qiangdan'"
            )
            if rows:
                await connection.execute("SELECT pg_terminate_backend($1)", rng.choice(rows)["pid"])
                cut += 1
            await asyncio.sleep(0.02)
    finally:
        await connection.close()
    return cut


async def _now(tx: Tx) -> datetime:
    return tx.now


def background(engines: Engines, n: int) -> Background:
    """A background process's parts, without the process."""
    return Background(engines.town.settings, f"test-{n}")


async def test_a_desk_with_a_grab_that_just_came_in_is_not_settled(database: str) -> None:
    async with two_engines(database, FIRST) as engines:
        crew, order = await engines.town.working("crew", 0), await engines.town.report(0)
        await engines.caught_up()
        desk = engines.desks[0].grabs
        verdict = desk.ask(Ask(crew, "last", order))
        await desk.settled()
        assert verdict.done(), "a drain that waits for grabs under way does not leave this one behind"


async def test_the_same_decline_at_both_engines_at_once_is_taken_once_and_answered_twice(database: str) -> None:
    async with two_engines(database, SEALED) as engines:
        crew, order = await engines.town.working("crew", 0), await engines.town.report(0)
        await engines.caught_up()
        for n in range(10):
            twice = [
                engine.crews.decline("town", crew, f"no-{n}", order, None) for engine in engines.pair for _ in range(2)
            ]
            answers = await asyncio.gather(*twice)
            assert [answer.error for answer in answers] == [None] * 4
        assert len(await engines.town.fetch("SELECT 1 FROM event WHERE city_id = $1 AND kind = 'order.declined'")) == 10
        other = await engines.town.report(0)
        reused = await engines.pair[0].crews.decline("town", crew, "no-1", other, None)
        assert reused.error == "id_reused"


async def test_a_decline_that_came_too_late_keeps_its_answer_and_is_no_answer_to_a_later_cycle(database: str) -> None:
    async with two_engines(database, SEALED) as engines:
        crew, order = await engines.town.working("crew", 0), await engines.town.report(0)
        await engines.caught_up()
        await engines.word(order, OverrideIn(action="hold", reason="test"))
        first = await engines.pair[0].crews.decline("town", crew, "late", order, None)
        assert (first.state, first.error) == ("held", None)
        await engines.word(order, OverrideIn(action="release", reason="test"))
        assert await engines.pair[1].crews.decline("town", crew, "late", order, None) == first
        assert not await engines.town.fetch("SELECT 1 FROM event WHERE city_id = $1 AND kind = 'order.declined'")
        [row] = await engines.town.fetch("SELECT kind FROM crew_command WHERE city_id = $1")
        assert row["kind"] == "decline", "it is no answer to any cycle"


async def test_who_was_given_an_order_that_another_had_won_is_not_told_that_he_won_it(database: str) -> None:
    async with two_engines(database, FIRST) as engines:
        town = engines.town
        winner, chosen = await town.working("winner", 0), await town.working("chosen", 0)
        order = await town.report(0)
        await engines.caught_up()
        assert verdicts([await engines.ask(0, winner, "m", order)]) == {"won": 1}
        await engines.word(order, OverrideIn(action="assign", reason="test", crew=chosen))
        assert verdicts([await engines.ask(1, chosen, "late", order)]) == {"taken": 1}
        assert (await town.order(order)).crew == chosen
        await town.audit()
