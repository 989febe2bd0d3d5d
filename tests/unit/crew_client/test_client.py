"""A client over real sockets: what its user notices when the network and the server misbehave."""

import asyncio
import itertools
import random
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from crew_client import (
    BadTokenError,
    ClientClosedError,
    CommandRefusedError,
    CrewClient,
    Evidence,
    IncompatibleError,
    ReplacedError,
)
from crew_client.protocol import (
    Decline,
    Error,
    Grab,
    GrabAck,
    GrabResult,
    HandBack,
    Hello,
    OfferClosed,
    Position,
    Progress,
    ProgressAck,
    Revoked,
    Shift,
    Updated,
    Welcome,
)
from crew_client.transport import socket_url

Connect = Callable[..., CrewClient]


@pytest.mark.parametrize(
    ("base", "whole"),
    [
        ("http://h:8000", "ws://h:8000/ws/v1/crew"),
        ("https://h/", "wss://h/ws/v1/crew"),
        ("wss://h/dispatch/", "wss://h/dispatch/ws/v1/crew"),
        ("ws://h/ws/v1/crew", "ws://h/ws/v1/crew"),
    ],
)
def test_the_address_of_a_server_becomes_that_of_its_crew_socket(base: str, whole: str) -> None:
    assert socket_url(base) == whole


@pytest.mark.parametrize("bad", ["h:8000", "ftp://h", "http://", ""])
def test_what_is_no_address_is_refused_at_once(bad: str) -> None:
    with pytest.raises(ValueError, match="no address of a server"):
        CrewClient(bad, "t")


async def test_entering_shows_the_snapshot_and_says_who_comes(server: Any, client: Connect, make: Any) -> None:
    server.offers, server.orders = (make.offered("o1"),), (make.held("o2"),)
    async with client() as crew:
        phone = await server.phone()
        assert (crew.crew, crew.seq, crew.state) == ("c1", 0, "online")
        assert (list(crew.offers), list(crew.orders)) == (["o1"], ["o2"])
    assert crew.state == "closed"
    assert phone.hello == Hello()
    assert (server.tokens, server.paths) == (["Bearer secret"], ["/ws/v1/crew"])


async def test_messages_arrive_typed_and_in_order(server: Any, client: Connect, make: Any) -> None:
    async with client() as crew:
        phone = await server.phone()
        closed = OfferClosed(seq=2, order="o1", reason="taken")
        await server.publish(phone, make.offer(1))
        await server.publish(phone, closed)
        assert isinstance(await server.soon(anext(crew)), Welcome)
        assert await server.soon(anext(crew)) == make.offer(1)
        assert await server.soon(anext(crew)) == closed


async def test_a_repeated_message_is_shown_once(server: Any, client: Connect, make: Any) -> None:
    async with client() as crew:
        phone = await server.phone()
        for seq in (1, 1, 2, 1, 2, 3):
            await phone.send(make.offer(seq, f"o{seq}"))
        seen = [await server.soon(anext(crew)) for _ in range(4)]
        assert [message.seq for message in seen[1:]] == [1, 2, 3]


async def test_an_unknown_message_of_a_newer_server_is_ignored(server: Any, client: Connect, make: Any) -> None:
    async with client() as crew:
        phone = await server.phone()
        await phone.socket.send('{"type": "weather", "seq": 1}')
        await phone.socket.send("not json")
        await phone.send(make.offer(2))
        await server.soon(anext(crew))
        assert await server.soon(anext(crew)) == make.offer(2)
        assert crew.welcomes == 1


async def test_a_grab_has_its_verdict(server: Any, client: Connect, make: Any) -> None:
    async with client() as crew:
        phone = await server.phone()
        asking = asyncio.create_task(crew.grab("o1"))
        assert await phone.next() == Grab(id="m1", order="o1")
        await phone.send(GrabAck(id="m1", order="o1", closes_at=make.now))
        verdict = GrabResult(id="m1", order="o1", won=True, reason="won")
        await phone.send(verdict)
        assert await server.soon(asking) == verdict


async def test_a_grab_survives_a_lost_connection_with_the_same_id(server: Any, client: Connect, make: Any) -> None:
    async with client() as crew:
        first = await server.phone()
        asking = asyncio.create_task(crew.grab("o1"))
        await first.next()
        server.log = [make.offer(1), Updated(seq=2, order=make.held())]
        first.drop()
        second = await server.phone()
        assert second.hello == Hello(resume_after=0, epoch="e1")
        assert await second.next() == Grab(id="m1", order="o1")
        await second.send(GrabResult(id="m1", order="o1", won=True, reason="won"))
        assert (await server.soon(asking)).won
        assert list(crew.orders) == ["o1"]
        assert crew.seq == 2


async def test_two_callers_with_one_id_share_one_grab(server: Any, client: Connect) -> None:
    async with client() as crew:
        phone = await server.phone()
        both = asyncio.gather(crew.grab("o1", id="same"), crew.grab("o1", id="same"))
        assert await phone.next() == Grab(id="same", order="o1")
        await phone.send(GrabResult(id="same", order="o1", won=False, reason="taken"))
        assert [verdict.reason for verdict in await server.soon(both)] == ["taken", "taken"]
        await crew.shift(True)
        assert await phone.next() == Shift(on=True)


async def test_a_cancelled_grab_is_not_asked_again(server: Any, client: Connect) -> None:
    async with client() as crew:
        first = await server.phone()
        asking = asyncio.create_task(crew.grab("o1"))
        await first.next()
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        first.drop()
        second = await server.phone()
        await crew.shift(True)
        assert await second.next() == Shift(on=True)


async def test_a_command_that_the_server_did_not_understand_raises(server: Any, client: Connect) -> None:
    async with client() as crew:
        phone = await server.phone()
        asking = asyncio.create_task(crew.grab("o1"))
        await phone.next()
        await phone.send(Error(code="bad_message", detail="what?", id="m1"))
        with pytest.raises(CommandRefusedError, match="what") as caught:
            await server.soon(asking)
        assert (caught.value.code, caught.value.id) == ("bad_message", "m1")


async def test_decline_and_progress_wait_for_their_answer(server: Any, client: Connect, make: Any) -> None:
    async with client() as crew:
        phone = await server.phone()
        await server.publish(phone, make.offer(1))
        await server.soon(anext(crew))
        await server.soon(anext(crew))
        declining = asyncio.create_task(crew.decline("o1", "too_far"))
        assert await phone.next() == Decline(id="m1", order="o1", reason="too_far")
        await phone.send(ProgressAck(id="m1", order="o1", state="offered"))
        assert (await server.soon(declining)).error is None
        assert not crew.offers
        warm = Evidence(temperature_c=20.5, note="排气")
        saying = asyncio.create_task(crew.progress("o2", "resolved", evidence=warm))
        assert await phone.next() == Progress(id="m2", order="o2", to="resolved", at=make.now, evidence=warm)
        await phone.send(ProgressAck(id="m2", order="o2", error="not_arrived"))
        assert (await server.soon(saying)).error == "not_arrived"


async def test_an_order_handed_back_leaves_the_list_when_the_server_says_so(
    server: Any, client: Connect, make: Any
) -> None:
    server.orders = (make.held("o1"),)
    async with client() as crew:
        phone = await server.phone()
        giving = asyncio.create_task(crew.hand_back("o1", "missing_part"))
        assert await phone.next() == HandBack(id="m1", order="o1", reason="missing_part", at=make.now)
        assert list(crew.orders) == ["o1"]
        await server.publish(phone, Revoked(seq=50, order="o1", by="crew", reason="missing_part"))
        await phone.send(ProgressAck(id="m1", order="o1", state="offered"))
        assert (await server.soon(giving)).error is None
        assert not crew.orders


async def test_a_server_that_begins_a_new_log_is_believed(server: Any, client: Connect, make: Any) -> None:
    server.log, server.offers = [make.offer(70)], (make.offered("o1"),)
    async with client() as crew:
        first = await server.phone()
        offers = crew.offers
        assert crew.seq == 70
        server.epoch, server.log, server.offers, server.orders = "e2", [], (), (make.held("o8"),)
        await first.socket.close(1012)
        second = await server.phone()
        assert second.hello == Hello(resume_after=70, epoch="e1")
        await server.publish(second, make.offer(1, "o9"))
        seen = [await server.soon(anext(crew)) for _ in range(3)]
        assert [type(message).__name__ for message in seen] == ["Welcome", "Welcome", "Offer"]
        assert (list(offers), list(crew.orders), crew.seq) == (["o9"], ["o8"], 1)


async def test_shift_and_position_are_restated_and_only_the_newest(server: Any, client: Connect, make: Any) -> None:
    async with client() as crew:
        first = await server.phone()
        await crew.shift(True)
        assert await first.next() == Shift(on=True)
        await crew.position(126.1, 45.1, accuracy_m=5)
        await crew.position(126.2, 45.2, accuracy_m=5)
        newest = Position(lon=126.2, lat=45.2, accuracy_m=5, at=make.now)
        assert await first.next() == newest
        first.drop()
        second = await server.phone()
        assert [await second.next(), await second.next()] == [Shift(on=True), newest]


async def test_what_was_seen_is_acknowledged_but_not_message_by_message(
    server: Any, client: Connect, make: Any
) -> None:
    async with client(ack_interval_s=0.2) as crew:
        phone = await server.phone()
        await server.soon(anext(crew))
        for seq in range(1, 101):
            await server.publish(phone, make.offer(seq, f"o{seq}"))
            await server.soon(anext(crew))
        await server.soon(phone.read_until(lambda: 100 in phone.acks))
        assert len(phone.acks) <= 5
        assert crew.seq == 100


async def test_a_quiet_connection_is_kept_alive_by_pings(server: Any, client: Connect) -> None:
    async with client(ping_interval_s=0.4) as crew:
        phone = await server.phone()
        await server.soon(phone.read_until(lambda: phone.pings >= 6))
        assert crew.welcomes == 1


async def test_a_half_open_connection_is_left_for_a_new_one(server: Any, client: Connect) -> None:
    async with client(ping_interval_s=0.4) as crew:
        asking = asyncio.create_task(crew.grab("o1"))
        stalled = await server.phone()  # which is never read from, and says nothing
        second = await server.phone()
        assert stalled.hello == Hello()
        assert await second.next() == Grab(id="m1", order="o1")
        await second.send(GrabResult(id="m1", order="o1", won=False, reason="closed"))
        assert (await server.soon(asking)).reason == "closed"


async def test_a_server_that_never_welcomes_is_tried_again(server: Any, client: Connect) -> None:
    server.welcoming = False
    entering = asyncio.create_task(client(ping_interval_s=0.4).__aenter__())
    await server.phone()
    server.welcoming = True
    crew = await server.soon(entering)
    assert crew.state == "online"
    await crew.__aexit__(None, None, None)


async def test_a_verdict_that_got_lost_on_a_living_connection_is_asked_for_again(server: Any, client: Connect) -> None:
    async with client(ping_interval_s=0.4) as crew:
        phone = await server.phone()
        asking = asyncio.create_task(crew.grab("o1"))
        assert await phone.next() == await phone.next() == Grab(id="m1", order="o1")
        await phone.send(GrabResult(id="m1", order="o1", won=False, reason="taken"))
        await server.soon(asking)


@pytest.mark.parametrize("code", [1000, 1001, 1012, 4408])
async def test_after_a_close_that_passes_the_client_comes_back(server: Any, client: Connect, code: int) -> None:
    async with client() as crew:
        await (await server.phone()).socket.close(code)
        await server.phone()
        assert crew.welcomes == 2


@pytest.mark.parametrize(("settled_s", "beginnings"), [(0.0, 2), (60.0, 1)])
async def test_the_delays_begin_afresh_only_after_a_connection_that_held(
    server: Any, client: Connect, settled_s: float, beginnings: int
) -> None:
    begun: list[Iterator[float]] = []

    def delays(rng: random.Random) -> Iterator[float]:
        begun.append(itertools.repeat(0.0))
        return begun[-1]

    async with client(settled_s=settled_s, delays=delays):
        (await server.phone()).drop()
        await server.phone()
        assert len(begun) == beginnings


@pytest.mark.parametrize(("code", "error"), [(4401, BadTokenError), (4400, IncompatibleError)])
async def test_a_final_refusal_is_raised_on_entering(
    server: Any, client: Connect, code: int, error: type[Exception]
) -> None:
    server.refuse_with = code
    with pytest.raises(error):
        await server.soon(client().__aenter__())
    assert len(server.tokens) == 1


async def test_a_replaced_crew_stays_away_and_everybody_who_waits_is_told(server: Any, client: Connect) -> None:
    async with client() as crew:
        phone = await server.phone()
        asking = asyncio.create_task(crew.grab("o1"))
        await phone.next()
        await phone.socket.close(4409)
        with pytest.raises(ReplacedError, match="elsewhere"):
            await server.soon(asking)
        assert isinstance(await server.soon(anext(crew)), Welcome)
        with pytest.raises(ReplacedError):
            await server.soon(anext(crew))
        with pytest.raises(ReplacedError):
            await crew.grab("o2")
    assert len(server.tokens) == 1


async def test_leaving_ends_the_loop_and_the_waiting_commands(server: Any, client: Connect) -> None:
    async with client() as crew:
        phone = await server.phone()
        asking = asyncio.create_task(crew.grab("o1"))
        await phone.next()
    with pytest.raises(ClientClosedError):
        await server.soon(asking)
    assert [type(message).__name__ async for message in crew] == ["Welcome"]


async def test_what_was_said_just_before_leaving_is_still_sent(server: Any, client: Connect) -> None:
    async with client() as crew:
        phone = await server.phone()
        await crew.shift(False)
    assert await phone.next() == Shift(on=False)
    await server.soon(phone.socket.wait_closed())
    assert phone.socket.close_code == 1000


async def test_a_user_who_does_not_read_still_gets_verdicts_and_then_the_whole_truth(
    server: Any, client: Connect, make: Any
) -> None:
    async with client(inbox_limit=10) as crew:
        phone = await server.phone()
        for seq in range(1, 1001):
            await server.publish(phone, make.offer(seq, f"o{seq % 7}"))
        asking = asyncio.create_task(crew.grab("o1"))
        assert await phone.next() == Grab(id="m1", order="o1")
        await phone.send(GrabResult(id="m1", order="o1", won=False, reason="outbid"))
        assert (await server.soon(asking)).reason == "outbid"
        first = await server.soon(anext(crew))
        assert isinstance(first, Welcome)
        assert not first.resumed
        assert len(first.offers) == 7
        rest = [await server.soon(anext(crew)) for _ in range(1000 - first.seq)]
        assert [message.seq for message in rest] == list(range(first.seq + 1, 1001))


async def test_entering_while_nobody_listens_can_be_given_up(client: Connect, server: Any) -> None:
    crew = client(delays=lambda rng: itertools.repeat(0.01))
    await server.stop()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await crew.__aenter__()
    assert crew.state == "closed"
    await server.start()


async def test_a_countdown_follows_the_clock_of_the_server(server: Any, client: Connect, make: Any) -> None:
    async with client(clock=lambda: make.now - timedelta(minutes=9)) as crew:
        assert crew.server_now() == make.now


async def test_a_command_that_no_frame_can_carry_is_refused_before_it_is_sent(server: Any, client: Connect) -> None:
    async with client() as crew:
        with pytest.raises(ValueError, match="order"):
            await crew.grab("x" * 65)
