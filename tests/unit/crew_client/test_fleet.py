"""Simulated technicians against a server of the test: what they say, and when they stop saying it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from crew_client.behaviour import Behaviour
from crew_client.fleet import Fleet
from crew_client.protocol import (
    Assigned,
    Decline,
    Grab,
    GrabResult,
    Position,
    Progress,
    ProgressAck,
    Revoked,
    Shift,
    Updated,
)

QUICK = {
    "reaction_median_s": 0.0,
    "keenness": 1.0,
    "keen_within_m": 1e9,
    "setting_off_median_s": 0.0,
    "travel_mps": 1e6,
    "service_median_s": 0.0,
    "suspend_share": 0.0,
    "dwell_real_s": 0.01,
    "standing_every_s": 3600.0,
    "fix_sigma_m": 0.0,
    "dead_zones_per_hour": 0.0,
    "wrong_clock_share": 0.0,
    "retry_s": 0.01,
}
DOOR = (126.63, 45.75)


@pytest.fixture
async def employ(server: Any) -> AsyncIterator[Callable[..., Fleet]]:
    """Set one technician to work, quick in all things but those that the test says."""
    running = []

    def start(**behaviour: Any) -> Fleet:
        fleet = Fleet(server.url, [("c1", "secret", 126.60, 45.70)], seed=1, behaviour=Behaviour(**(QUICK | behaviour)))
        running.append(asyncio.create_task(fleet.run()))
        return fleet

    yield start
    for task in running:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def command(phone: Any) -> Any:
    """The next thing said that is not a place."""
    while isinstance(message := await phone.next(), Position):
        pass
    return message


async def answer(server: Any, phone: Any, make: Any, *, error: str | None = None) -> Progress:
    """Take the next progress and answer it as a server would, or refuse it."""
    said = await command(phone)
    assert isinstance(said, Progress)
    if error is None:
        version = server.seq + 2
        order = make.held(said.order, state=said.to, version=version)
        await server.publish(phone, Updated(seq=server.seq + 1, order=order))
    state, proved = (None if error else said.to), said.to != "arrived"
    await phone.send(ProgressAck(id=said.id, order=said.order, state=state, error=error, unverified=not proved))
    return said


async def test_a_grabbed_order_is_served_from_the_offer_to_the_evidence(server: Any, employ: Any, make: Any) -> None:
    fleet = employ()
    phone = await server.phone()
    assert await phone.next() == Shift(on=True)
    first = await phone.next()
    assert (first.lon, first.lat) == pytest.approx((126.60, 45.70))
    await server.publish(phone, make.offer(1))
    grab = await command(phone)
    assert isinstance(grab, Grab)
    await server.publish(phone, Updated(seq=2, order=make.held()))
    await phone.send(GrabResult(id=grab.id, order="o1", won=True, reason="won"))
    assert (await answer(server, phone, make)).to == "en_route"
    fixes = [message for message in [await phone.next(), await phone.next()] if isinstance(message, Position)]
    assert [(fix.lon, fix.lat) for fix in fixes] == [pytest.approx(DOOR)] * 2
    assert (await answer(server, phone, make)).to == "arrived"
    resolved = await answer(server, phone, make)
    assert resolved.to == "resolved"
    assert resolved.evidence is not None
    assert resolved.evidence.temperature_c is not None and resolved.evidence.note
    await server.publish(phone, make.offer(server.seq + 1, "o2"))
    assert (await command(phone)).order == "o2"
    stats = fleet.stats
    assert (stats.offers, stats.grabs, stats.won, stats.arrived, stats.resolved) == (2, 2, 1, 1, 1)
    assert stats.unverified == 1


async def test_an_assigned_order_is_served_too_and_a_refused_arrival_is_tried_again(
    server: Any, employ: Any, make: Any
) -> None:
    fleet = employ()
    phone = await server.phone()
    await server.publish(phone, Assigned(seq=1, order=make.held(), by="optimizer", reason=None))
    assert await command(phone) == Shift(on=True)
    assert (await answer(server, phone, make)).to == "en_route"
    refused = await answer(server, phone, make, error="not_at_place")
    again = await answer(server, phone, make)
    assert (refused.to, again.to) == ("arrived", "arrived")
    assert refused.id != again.id
    assert (await answer(server, phone, make)).to == "resolved"
    assert fleet.stats.assigned == 1
    assert fleet.stats.refused == {"arrived:not_at_place": 1}


async def test_a_resolved_order_is_not_begun_again_while_its_update_is_on_the_way(
    server: Any, employ: Any, make: Any
) -> None:
    employ()
    server.orders = (make.held(),)
    phone = await server.phone()
    assert await command(phone) == Shift(on=True)
    assert [(await answer(server, phone, make)).to for _ in range(2)] == ["en_route", "arrived"]
    said = await command(phone)
    assert said.to == "resolved"
    await phone.send(ProgressAck(id=said.id, order="o1", state="resolved"))
    await server.publish(phone, Assigned(seq=server.seq + 1, order=make.held("o2"), by="dispatcher", reason=None))
    assert (await answer(server, phone, make)).order == "o2"


async def test_an_order_that_was_resolved_and_comes_back_is_served_again(server: Any, employ: Any, make: Any) -> None:
    employ()
    server.orders = (make.held(),)
    phone = await server.phone()
    assert await command(phone) == Shift(on=True)
    assert [(await answer(server, phone, make)).to for _ in range(3)] == ["en_route", "arrived", "resolved"]
    again = make.held(version=9)
    await server.publish(phone, Assigned(seq=server.seq + 1, order=again, by="dispatcher", reason="reopened"))
    assert (await answer(server, phone, make)).to == "en_route"


async def test_an_order_taken_away_on_the_road_is_dropped_for_the_next(server: Any, employ: Any, make: Any) -> None:
    fleet = employ(travel_mps=0.001)
    server.orders = (make.held("o1"),)
    phone = await server.phone()
    assert await command(phone) == Shift(on=True)
    assert (await answer(server, phone, make)).order == "o1"
    await server.publish(phone, Revoked(seq=server.seq + 1, order="o1", by="dispatcher", reason=None))
    await server.publish(phone, Assigned(seq=server.seq + 1, order=make.held("o2"), by="dispatcher", reason=None))
    said = await answer(server, phone, make)
    assert (said.order, said.to) == ("o2", "en_route")
    assert fleet.stats.revoked == 1


async def test_a_suspended_order_is_taken_up_again(server: Any, employ: Any, make: Any) -> None:
    fleet = employ(suspend_share=1.0, suspended_median_s=0.05)
    server.orders = (make.held(),)
    phone = await server.phone()
    assert await command(phone) == Shift(on=True)
    said = [await answer(server, phone, make) for _ in range(5)]
    assert [progress.to for progress in said] == ["en_route", "arrived", "suspended", "en_route", "arrived"]
    assert said[2].reason in ("resident_absent", "waiting_part", "waiting_utility")
    assert fleet.stats.suspended == 1


async def test_an_offer_that_does_not_please_is_declined_with_a_reason(server: Any, employ: Any, make: Any) -> None:
    employ(keenness=0.0, decline_share=1.0, keen_within_m=100.0)
    server.offers = (make.offered(),)
    phone = await server.phone()
    assert await command(phone) == Shift(on=True)
    said = await command(phone)
    assert isinstance(said, Decline)
    assert said.reason == "too_far"


async def test_a_dead_zone_cuts_the_crew_off_without_a_word_and_he_comes_back(server: Any, employ: Any) -> None:
    fleet = employ(dead_zones_per_hour=3600 / 0.5, dead_zone_median_s=0.05, silent_share=0.0)
    phone = await server.phone()
    await server.soon(phone.socket.wait_closed())
    assert phone.socket.close_code == 1006
    await server.phone()
    assert fleet.stats.dead_zones >= 1


async def test_a_crew_that_the_server_gives_up_leaves_and_is_counted(server: Any, employ: Any) -> None:
    server.refuse_with = 4401
    fleet = Fleet(server.url, [("c1", "bad", *DOOR), ("c2", "bad", *DOOR)], seed=1, start_over_s=0)
    await server.soon(fleet.run())
    assert fleet.stats.gave_up == 2


async def test_a_fleet_that_is_stopped_knocks_off(server: Any) -> None:
    fleet = Fleet(server.url, [("c1", "secret", *DOOR)], seed=1, start_over_s=0)
    running = asyncio.create_task(fleet.run())
    phone = await server.phone()
    assert await command(phone) == Shift(on=True)
    running.cancel()
    assert await command(phone) == Shift(on=False)
    with pytest.raises(asyncio.CancelledError):
        await server.soon(running)


async def test_one_phone_clock_of_the_fleet_is_wrong_and_the_order_is_served(
    server: Any, employ: Any, make: Any
) -> None:
    employ(wrong_clock_share=1.0)
    server.orders = (make.held(),)
    phone = await server.phone()
    fix = await phone.next()
    while not isinstance(fix, Position):
        fix = await phone.next()
    said = await answer(server, phone, make)
    assert said.to == "en_route"
    assert abs((said.at - fix.at).total_seconds()) < 5
