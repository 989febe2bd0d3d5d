"""The crew socket: every promise of the contract's third section, over plain frames."""

import asyncio
import contextlib
import json
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.acceptance.city import SIDE, City, Crew, centre
from tests.acceptance.conftest import SILENCE_S, MakeCity
from tests.acceptance.sockets import Frame, Phone, device_time, fresh_id


async def raw_phone(city: City, **more: Any) -> Phone:
    inside = city.installation
    return await Phone.open(inside.url, inside.asyncapi, **more)


async def holding(city: City, **fields: Any) -> tuple[Crew, Phone, str]:
    """A crew that has grabbed an order at its door."""
    crew, phone = await city.working(capacity=5)
    order = (await city.report(**fields))["id"]
    await phone.expect("offer", order=order)
    assert (await phone.verdict(order))["won"] is True
    await phone.expect("updated", order=order)
    return crew, phone, order


# Beginning and end


async def test_hello_is_answered_with_what_is_open_and_what_one_holds(quick: City) -> None:
    crew, phone, held = await holding(quick, description="漏水", contact={"name": "王", "phone": "138"})
    waiting = await quick.report(severity=4)
    offer = await phone.expect("offer", order=waiting["id"])
    again = await quick.phone(crew)
    welcome = await again.hello()
    assert (welcome["crew"], welcome["resumed"]) == (crew.id, False)
    assert abs(datetime.fromisoformat(welcome["server_time"]) - datetime.now(UTC)) < timedelta(seconds=5)
    assert welcome["epoch"]
    assert welcome["seq"] >= offer["seq"]
    (mine,), (open_,) = welcome["orders"], welcome["offers"]
    assert (mine["id"], mine["state"], mine["crew"], mine["contact"]["phone"]) == (held, "claimed", crew.id, "138")
    assert (open_["id"], open_["mode"], open_["closes_at"]) == (waiting["id"], "first", offer["closes_at"])
    assert "contact" not in open_


async def test_the_token_may_come_in_the_handshake_or_in_hello(quick: City) -> None:
    crew = await quick.crew()
    async with await raw_phone(quick, token=crew.token) as phone:
        assert (await phone.hello())["crew"] == crew.id
    async with await raw_phone(quick) as phone:
        assert (await phone.hello(token=crew.token))["crew"] == crew.id
    async with await raw_phone(quick, token=crew.token) as phone:
        assert (await phone.hello(token=crew.token, resume_after=None))["crew"] == crew.id


@pytest.mark.parametrize("how", ["handshake", "hello", "none"])
async def test_a_bad_token_closes_4401(quick: City, how: str) -> None:
    async with await raw_phone(quick, token="qd_wrong" if how == "handshake" else None) as phone:
        with contextlib.suppress(ConnectionClosed):
            await phone.say("hello", **({"token": "qd_wrong"} if how == "hello" else {}))
        assert await phone.closing() == 4401
        assert phone.frames == []


async def test_before_hello_there_is_nothing_but_ping(quick: City) -> None:
    crew = await quick.crew()
    order = await quick.report()
    async with await raw_phone(quick) as phone:
        for kind, fields in (
            ("grab", {"id": "g", "order": order["id"]}),
            ("shift", {"on": True}),
            ("decline", {"id": "d", "order": order["id"]}),
        ):
            await phone.say(kind, **fields)
            error = await phone.expect("error")
            assert error["code"] == "hello_first"
            assert error.get("id") == fields.get("id")
        await phone.settle()
        await phone.hello(token=crew.token)
        await phone.say("hello")
        assert (await phone.expect("error"))["code"] == "hello_twice"


async def test_a_ping_comes_back_whole_whatever_it_holds(quick: City) -> None:
    _, phone = await quick.working()
    extra = {"n": 1, "deep": {"a": [1, 2.5, None, True]}, "键": "值", "at": device_time()}
    await phone.say("ping", **extra)
    assert await phone.expect("pong", n=1) == {"type": "pong", **extra}


async def test_a_page_of_another_origin_is_refused(quick: City) -> None:
    crew = await quick.crew()
    for origin in ("https://evil.example", "null", "http://127.0.0.1:1"):
        with pytest.raises((InvalidStatus, ConnectionClosed)):
            async with connect(
                f"{quick.installation.url.replace('http', 'ws', 1)}/ws/v1/crew",
                additional_headers={"Authorization": f"Bearer {crew.token}", "Origin": origin},
                proxy=None,
            ) as connection:
                await connection.send('{"type":"hello"}')
                await asyncio.wait_for(connection.recv(), 5)
    async with await raw_phone(quick, token=crew.token, Origin=quick.installation.url) as phone:
        await phone.hello()


async def test_the_subprotocol_is_agreed(quick: City) -> None:
    crew = await quick.crew()
    phone = await quick.phone(crew)
    assert phone.connection.subprotocol == "qiangdan.v1"


@pytest.mark.parametrize("path", ["crew", "console"])
@pytest.mark.parametrize(
    ("offered", "agreed"), [(None, None), (["other", "qiangdan.v1"], "qiangdan.v1"), (["other"], "refused")]
)
async def test_who_offers_no_subprotocol_gets_none_and_who_offers_only_others_is_refused(
    quick: City, path: str, offered: list[Any] | None, agreed: str | None
) -> None:
    url = quick.installation.url.replace("http", "ws", 1) + f"/ws/v1/{path}"
    if agreed == "refused":
        with pytest.raises(InvalidStatus) as refused:
            await connect(url, subprotocols=offered, proxy=None)
        answer = refused.value.response
        assert (answer.status_code, answer.headers["Content-Type"]) == (400, "application/problem+json")
        assert json.loads(answer.body)["detail"] == "offer the subprotocol qiangdan.v1, or none"
        return
    async with connect(url, subprotocols=offered, proxy=None) as socket:
        assert socket.subprotocol == agreed
        await socket.send('{"type":"ping"}')
        assert json.loads(await socket.recv()) == {"type": "pong"}


# What cannot be read

UNREADABLE: list[tuple[str | bytes, str]] = [
    ("", ""),
    ("{", ""),
    ("[]", ""),
    ("null", ""),
    ("7", ""),
    ('"hello"', ""),
    ("{}", "type"),
    ('{"type":"dance"}', "dance"),
    ('{"type":7}', "type"),
    ('{"type":"shift"}', "on"),
    ('{"type":"shift","on":"yes"}', "on"),
    ('{"type":"grab","order":"o"}', "id"),
    ('{"type":"grab","id":"","order":"o"}', "id"),
    (json.dumps({"type": "grab", "id": "x" * 65, "order": "o"}), "id"),
    ('{"type":"grab","id":"a\\u0000","order":"o"}', "id: holds a NUL"),
    ('{"type":"grab","id":"\\ud800","order":"o"}', "id"),
    ('{"type":"ping","x":"\\ud800"}', "x"),
    ('{"type":"ping","x":' + "[" * 20000 + "]" * 20000 + "}", ""),
    ('{"type":"position","lon":NaN,"lat":45,"accuracy_m":1,"at":"2026-01-01T00:00:00Z"}', "lon"),
    ('{"type":"position","lon":126,"lat":1e999,"accuracy_m":1,"at":"2026-01-01T00:00:00Z"}', "lat"),
    ('{"type":"position","lon":181,"lat":45,"accuracy_m":1,"at":"2026-01-01T00:00:00Z"}', "lon"),
    ('{"type":"position","lon":126,"lat":45,"accuracy_m":-1,"at":"2026-01-01T00:00:00Z"}', "accuracy_m"),
    ('{"type":"position","lon":126,"lat":45,"accuracy_m":1,"at":"noon"}', "at"),
    ('{"type":"position","lon":126,"lat":45,"accuracy_m":1,"at":"2026-01-01T00:00:00"}', "at"),
    ('{"type":"position","lon":126,"lat":45,"accuracy_m":1,"at":"0001-01-01T00:00:00+14:00"}', "at"),
    ('{"type":"progress","id":"p","order":"o","to":"done","at":"2026-01-01T00:00:00Z"}', "to"),
    ('{"type":"progress","id":"p","order":"o","to":"arrived","at":"2026-01-01T00:00:00"}', "at"),
    ('{"type":"progress","id":"p","order":"o","to":"arrived","at":"9999-12-31T23:59:59-14:00"}', "at"),
    (
        '{"type":"progress","id":"p","order":"o","to":"arrived","at":"2026-01-01T00:00:00Z","evidence":{"note":1}}',
        "evidence.note",
    ),
    ('{"type":"ack","seq":-1}', "seq"),
    (b'{"type":"ping"}', "text frames"),
    (b"\x00\xff", "text frames"),
]


@pytest.mark.parametrize(("frame", "word"), UNREADABLE)
async def test_what_cannot_be_read_is_an_error_that_names_it_and_the_socket_stays(
    quick: City, frame: str | bytes, word: str
) -> None:
    _, phone = await quick.working()
    await phone.connection.send(frame)
    error = await phone.expect("error")
    assert error["code"]
    assert word in error["detail"], error
    await phone.settle()
    order = (await quick.report())["id"]
    await phone.expect("offer", order=order)


@pytest.mark.parametrize("pieces", [[b'{"type":"\xff"}'], [b'{"type":"pi', b'\xe4"}'], [b'{"x":"\xed\xa0\x80"}']])
async def test_text_that_is_no_utf8_closes_1007(quick: City, pieces: list[bytes]) -> None:
    crew, phone = await quick.working()
    await phone.connection.send(pieces[0] if len(pieces) == 1 else pieces, text=True)
    assert await phone.closing() == 1007
    again = await quick.phone(crew)
    await again.hello()


async def test_an_error_names_the_command_that_it_is_about(quick: City) -> None:
    _, phone = await quick.working()
    await phone.say("grab", id="mine", order=7)
    assert "order" in (await phone.expect("error", id="mine"))["detail"]


async def test_an_error_about_an_id_that_is_too_long_carries_none(quick: City) -> None:
    _, phone = await quick.working()
    await phone.say("grab", id="x" * 65, order="o")
    assert "id" not in await phone.expect("error")


async def test_a_position_without_a_datum_and_times_in_a_leap_second_are_taken(quick: City) -> None:
    crew = await quick.crew()
    phone = await quick.phone(crew)
    await phone.hello()
    await phone.say("shift", on=True)
    lon, lat = centre(0)
    at = "2016-12-31T23:59:60.250Z"
    await phone.say("position", lon=lon, lat=lat, accuracy_m=5, at=at, crs=None)
    order = (await quick.report(reported_at="2016-12-31T23:59:60Z"))["id"]
    await phone.expect("offer", order=order)
    assert (await phone.verdict(order))["won"] is True
    assert "error" not in await phone.progress(order, "arrived", at="2017-01-01T07:59:60+08:00")
    told = await quick.order(order)
    assert told["reported_at"] == "2016-12-31T23:59:59Z"
    (arrived,) = [event for event in told["timeline"] if event["kind"] == "order.arrived"]
    assert datetime.fromisoformat(arrived["data"]["device_at"]) == datetime(2016, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert not phone.of("error")


async def test_a_newer_phone_is_understood_what_it_says_beside_is_ignored(quick: City) -> None:
    new: dict[str, Any] = {"battery": 0.5, "of": [{"a": None}]}
    crew = await quick.crew()
    phone = await quick.phone(crew)
    await phone.hello(**new)
    await phone.say("shift", on=True, **new)
    lon, lat = centre(0)
    await phone.say("position", lon=lon, lat=lat, accuracy_m=5, at=device_time(), altitude_m=120, **new)
    order = (await quick.report())["id"]
    await phone.expect("offer", order=order)
    await phone.say("ack", seq=1, **new)
    await phone.say("grab", id="g", order=order, **new)
    assert (await phone.expect("grab_result", id="g"))["won"] is True
    evidence = {"temperature_c": 20.5, "humidity": 0.4}
    assert "error" not in await phone.progress(order, "arrived", **new)
    assert "error" not in await phone.progress(order, "resolved", evidence=evidence)
    (resolved,) = [event for event in (await quick.order(order))["timeline"] if event["kind"] == "order.resolved"]
    assert resolved["data"]["evidence"]["temperature_c"] == 20.5
    await phone.say("dance", **new)
    assert "dance" in (await phone.expect("error"))["detail"]
    screen = await quick.console()
    await screen.hello(theme="dark")
    await screen.say("ack", seq=1, **new)
    await screen.settle()
    assert not screen.of("error")


async def test_after_20_unreadable_messages_in_a_minute_it_closes_4400(quick: City) -> None:
    _, phone = await quick.working()
    for _ in range(19):
        await phone.connection.send("{")
    await phone.settle()
    assert len(phone.of("error")) == 19
    for _ in range(3):
        with contextlib.suppress(ConnectionClosed):
            await phone.connection.send("{")
    assert await phone.closing() == 4400


async def test_a_frame_of_64_kib_is_taken_and_a_larger_one_closes_1009(quick: City) -> None:
    _, phone = await quick.working()
    frame = json.dumps({"type": "ping", "n": "x"})
    await phone.connection.send(frame.replace("x", "x" * (64 * 1024 - len(frame) + 1)))
    assert len((await phone.expect("pong"))["n"]) == 64 * 1024 - len(frame) + 1
    with contextlib.suppress(ConnectionClosed):
        await phone.connection.send(frame.replace("x", "x" * (64 * 1024 - len(frame) + 2)))
    assert await phone.closing() == 1009


# One crew, one socket


@pytest.mark.parametrize("other_engine", [False, True])
async def test_a_second_connection_replaces_the_first(quick: City, other_engine: bool) -> None:
    crew, first = await quick.working()
    second = await quick.phone(crew, other_engine=other_engine)
    await second.hello()
    assert await first.closing() == 4409
    order = (await quick.report())["id"]
    await second.expect("offer", order=order)
    assert not first.of("offer")
    third = await quick.phone(crew)
    await third.hello()
    assert await second.closing() == 4409


async def test_a_crew_that_says_nothing_is_disconnected_4408_and_who_pings_is_not_nor_a_screen_that_listens(
    quick: City,
) -> None:
    screen, stranger = [await quick.console(other_engine=True) for _ in range(2)]
    await screen.hello()
    silent_crew, talking_crew = await quick.crew(), await quick.crew()
    silent = await quick.phone(silent_crew, other_engine=True)
    talking = await quick.phone(talking_crew, other_engine=True)
    await silent.hello()
    await talking.hello()
    begun = monotonic()
    while not silent.closed.is_set():
        assert monotonic() - begun < 20 * SILENCE_S
        await talking.say("ping")
        await asyncio.sleep(0.2)
    assert silent.close_code == 4408
    assert monotonic() - begun > SILENCE_S - 1
    await talking.settle()
    assert await stranger.closing() == 4408, "a screen that has not said hello"
    await screen.settle()


# The same id, the same verdict


async def test_the_same_id_gets_the_same_verdict_on_another_socket_and_another_engine(quick: City) -> None:
    crew, phone = await quick.working(capacity=3)
    rival_crew, rival = await quick.working()
    won_order, lost_order = (await quick.report())["id"], (await quick.report())["id"]
    for order in (won_order, lost_order):
        await phone.expect("offer", order=order)
    assert (await rival.verdict(lost_order))["won"] is True
    won, lost = await phone.verdict(won_order), await phone.verdict(lost_order)
    assert (won["reason"], lost["reason"]) == ("won", "taken")
    await quick.override(lost_order, "revoke")  # now it could be had again, but not by the old word
    for other_engine in (False, True):
        again = await quick.phone(crew, other_engine=other_engine)
        await again.hello()
        for verdict in (lost, won):
            await again.grab(verdict["order"], verdict["id"])
            assert await again.expect("grab_result", id=verdict["id"]) == verdict
    assert (await quick.order(lost_order))["state"] == "offered"
    assert rival_crew.id != crew.id


async def test_a_repeated_word_of_an_earlier_winner_does_not_close_the_offer_to_others(quick: City) -> None:
    _, first = await quick.working()
    _, second = await quick.working()
    order = (await quick.report())["id"]
    await first.expect("offer", order=order)
    won = await first.verdict(order)
    assert won["won"] is True
    await quick.override(order, "revoke")
    await first.expect("revoked", order=order)
    await second.expect("offer", order=order, where=lambda frame: frame["order"]["version"] > 1)
    await first.grab(order, won["id"])
    assert await first.expect("grab_result", id=won["id"]) == won
    assert (await second.verdict(order))["won"] is True


async def test_an_id_that_named_another_command_is_an_error(quick: City) -> None:
    _, phone, order = await holding(quick)
    await phone.grab("other", phone.of("grab_result")[0]["id"])
    assert (await phone.expect("error"))["code"] == "id_reused"
    acked = await phone.progress(order, "en_route", id="p1")
    assert acked["state"] == "en_route"
    assert (await phone.progress(order, "arrived", id="p1"))["error"] == "id_reused"
    assert await phone.progress(order, "en_route", id="p1") == acked


async def test_a_bid_repeated_before_the_window_ends_is_acknowledged_again_and_won_once(make_city: MakeCity) -> None:
    city: City = await make_city({"mode": "sealed", "window_s": 1.5, "assign_after_s": 600, "ring_s": [300, 300]})
    crew, phone = await city.working()
    _, silent = await city.working()
    order = (await city.report())["id"]
    await silent.expect("offer", order=order)
    await phone.grab(order, "bid")
    acked = await phone.expect("grab_ack", id="bid")
    again = await city.phone(crew)
    await again.hello()
    await again.grab(order, "bid")
    assert await again.expect("grab_ack", id="bid") == acked
    assert (await again.expect("grab_result", id="bid"))["won"] is True
    await again.grab(order, "bid")
    assert (await again.expect("grab_result", id="bid"))["won"] is True
    assert len((await city.order(order))["grabs"]) == 1


# Resume


def told(phone: Phone) -> list[Frame]:
    return [frame for frame in phone.frames if "seq" in frame and frame["type"] != "welcome"]


async def test_resume_repeats_what_was_missed_in_order(quick: City) -> None:
    crew, phone = await quick.working(capacity=9)
    _, rival = await quick.working(capacity=9)
    first = (await quick.report())["id"]
    seen = await phone.expect("offer", order=first)
    await phone.connection.close()
    second = (await quick.report())["id"]
    await rival.expect("offer", order=second)
    assert (await rival.verdict(first))["won"] is True
    await quick.override(second, "assign", crew=crew.id)
    await quick.override(second, "reprioritize", severity=4)
    await quick.override(second, "revoke")
    for other_engine in (False, True):
        back = await quick.phone(crew, other_engine=other_engine)
        welcome = await back.hello(resume_after=seen["seq"])
        assert welcome["resumed"] is True
        await back.expect("revoked", order=second)
        await back.settle()
        assert [(frame["type"], _order(frame)) for frame in told(back)] == [
            ("offer", second),
            ("offer_closed", first),
            ("assigned", second),
            ("updated", second),
            ("revoked", second),
        ]
        seqs = [frame["seq"] for frame in told(back)]
        assert seqs == sorted(seqs)
        assert seqs[0] > seen["seq"]
        assert welcome["orders"] == []


def _order(frame: Frame) -> Any:
    order = frame["order"]
    return order["id"] if isinstance(order, dict) else order


async def test_resume_with_nothing_missed_repeats_nothing(quick: City) -> None:
    crew, phone = await quick.working()
    order = (await quick.report())["id"]
    seen = await phone.expect("offer", order=order)
    back = await quick.phone(crew)
    welcome = await back.hello(resume_after=seen["seq"])
    assert (welcome["resumed"], welcome["seq"]) == (True, seen["seq"])
    await back.settle()
    assert told(back) == []
    assert [offer["id"] for offer in welcome["offers"]] == [order]


@pytest.mark.parametrize("why", ["ahead", "far_ahead", "epoch"])
async def test_where_resume_cannot_be_there_is_a_whole_snapshot(quick: City, why: str) -> None:
    crew, phone, held = await holding(quick)
    open_order = (await quick.report())["id"]
    await phone.expect("offer", order=open_order)
    welcome = await (await quick.phone(crew)).hello()
    asked: dict[str, Any] = {
        "ahead": {"resume_after": welcome["seq"] + 1},
        "far_ahead": {"resume_after": 2**70},
        "epoch": {"resume_after": 1, "epoch": "another"},
    }[why]
    back = await quick.phone(crew)
    again = await back.hello(**asked)
    assert (again["resumed"], again["seq"]) == (False, welcome["seq"])
    assert [order["id"] for order in again["orders"]] == [held]
    assert [offer["id"] for offer in again["offers"]] == [open_order]


async def test_who_was_away_too_long_gets_a_whole_snapshot(quick: City) -> None:
    crew, phone, held = await holding(quick)
    seq = phone.of("updated")[-1]["seq"]
    await phone.connection.close()
    for number in range(150):
        items = [
            {"order": held, "action": "reprioritize", "severity": 1 + n % 5, "reason": str(number)} for n in (0, 1)
        ]
        await quick.post("/overrides", items, expect=200)
    back = await quick.phone(crew)
    welcome = await back.hello(resume_after=seq)
    assert welcome["resumed"] is False
    assert [order["id"] for order in welcome["orders"]] == [held]
    await back.settle()
    assert told(back) == []


# A dispatcher's word


async def test_an_override_is_heard_by_the_crews_concerned(quick: City) -> None:
    crew, phone = await quick.working()
    other_crew = await quick.crew()
    other = await quick.phone(other_crew, other_engine=True)
    await other.on_shift(*centre(0))
    order = (await quick.report())["id"]

    async def heard(phone: Phone, kind: str, action: str, **fields: Any) -> Frame:
        await quick.override(order, action, **fields)
        return await phone.expect(kind, order=order)

    assigned = await heard(phone, "assigned", "assign", crew=crew.id)
    assert (assigned["by"], assigned["reason"], assigned["order"]["claimed_by"]) == ("dispatcher", "test", "dispatcher")
    updated = await heard(phone, "updated", "reprioritize", severity=4)
    assert updated["order"]["severity"] == 4
    lon, lat = centre(1)
    moved = await heard(phone, "updated", "move", location={"lon": lon, "lat": lat})
    assert (moved["order"]["location"], moved["order"]["zone"]) == ({"lon": lon, "lat": lat}, "z10")
    given = await heard(other, "assigned", "assign", crew=other_crew.id)
    assert given["order"]["crew"] == other_crew.id
    revoked = await phone.expect("revoked", order=order)
    assert (revoked["by"], revoked["reason"]) == ("dispatcher", "test")
    await heard(other, "revoked", "hold")
    assert (await phone.progress(order, "en_route"))["error"] == "not_yours"


async def test_an_offer_that_is_taken_back_is_closed_as_withdrawn(quick: City) -> None:
    _, phone = await quick.working()
    order = (await quick.report())["id"]
    await phone.expect("offer", order=order)
    await quick.override(order, "hold")
    assert (await phone.expect("offer_closed", order=order))["reason"] == "withdrawn"
    await quick.override(order, "release")
    await phone.expect("offer", order=order)
    crew = await quick.crew()
    await quick.override(order, "assign", crew=crew.id)
    assert (await phone.expect("offer_closed", order=order))["reason"] == "assigned"


async def test_an_open_offer_that_changes_is_updated(quick: City) -> None:
    _, phone = await quick.working()
    order = (await quick.report())["id"]
    await phone.expect("offer", order=order)
    await quick.override(order, "reprioritize", severity=4)
    updated = await phone.expect("updated", order=order)
    assert (updated["order"]["severity"], updated["order"]["state"]) == (4, "offered")


async def test_bids_lose_against_a_dispatcher(make_city: MakeCity) -> None:
    city: City = await make_city({"mode": "sealed", "window_s": 60, "assign_after_s": 600, "ring_s": [300, 300]})
    crew, phone = await city.working()
    _, silent = await city.working()
    order = (await city.report())["id"]
    await silent.expect("offer", order=order)
    bid = await phone.grab(order)
    await phone.expect("grab_ack", id=bid)
    other = await city.crew()
    await city.override(order, "assign", crew=other.id)
    verdict = await phone.expect("grab_result", id=bid)
    assert (verdict["won"], verdict["reason"]) == (False, "taken")
    assert crew.id != other.id


# On the way, at the door, done


async def test_a_visit_from_grab_to_rating(quick: City) -> None:
    crew, phone, order = await holding(quick)
    acked = await phone.progress(order, "en_route")
    assert (acked["state"], acked["order"]) == ("en_route", order)
    assert (await phone.expect("updated", order=order))["order"]["state"] == "en_route"
    for n in range(12):
        await phone.at(*centre(0))
        await asyncio.sleep(0.5 if n < 11 else 0)
    arrived = await phone.progress(order, "arrived")
    assert arrived["state"] == "arrived"
    assert not arrived.get("unverified"), "two fixes at the door, five seconds apart, prove it"
    evidence = {"temperature_c": 17.5, "note": "放气", "photo": "p/1.jpg"}
    assert (await phone.progress(order, "resolved", evidence=evidence))["state"] == "resolved"
    whole = await quick.order(order)
    assert (whole["state"], whole["unverified"], whole["crew"]) == ("resolved", False, crew.id)
    assert {name: clock["state"] for name, clock in whole["clocks"].items()} == {
        "hand_down": "met",
        "arrival": "met",
        "resolve": "met",
        "call_back": "running",
    }
    last = whole["timeline"][-1]
    assert (last["kind"], last["data"]["evidence"]) == ("order.resolved", evidence)
    assert last["data"]["device_at"]
    rated = await quick.post(f"/orders/{order}/rating", {"stars": 5, "resolved": True}, role="intake", expect=200)
    assert rated["state"] == "closed"
    welcome = await (await quick.phone(crew)).hello()
    assert welcome["orders"] == []


async def test_an_arrival_without_fixes_is_taken_and_flagged(quick: City) -> None:
    lon, lat = centre(0)
    _, phone = await quick.working(at=(lon + SIDE / 2, lat))
    order = (await quick.report())["id"]
    assert (await phone.verdict(order))["won"] is True
    arrived = await phone.progress(order, "arrived")
    assert (arrived["state"], arrived["unverified"]) == ("arrived", True)
    assert (await quick.order(order))["unverified"] is True
    assert (await quick.override(order, "confirm_arrival"))["unverified"] is False


async def test_not_resolved_opens_the_order_again(quick: City) -> None:
    _, phone, order = await holding(quick)
    for to in ("arrived", "resolved"):
        await phone.progress(order, to)
    answer = await quick.post(f"/orders/{order}/rating", {"stars": 1, "resolved": False, "comment": "还冷"}, expect=200)
    assert (answer["state"], answer["crew"], answer["claimed_by"]) == ("offered", None, None)
    offer = await phone.expect("offer", order=order)
    assert offer["order"]["version"] == answer["version"]
    early = await quick.call("POST", f"/orders/{order}/rating", json={"stars": 5, "resolved": True})
    assert (early.status_code, early.json()["code"]) == (409, "impossible")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"reason": "resident_absent", "evidence": {"note": "敲门无人应答"}}, "resident_absent"),
        ({"reason": "waiting_part", "evidence": {"photo": "p1"}}, "waiting_part"),
        ({"reason": "waiting_utility", "evidence": {"temperature_c": 11}}, "waiting_utility"),
        ({"evidence": {"note": "住户不在家,电话无人接"}}, "resident_absent"),
        ({"reason": "waiting_part", "evidence": {"note": " "}}, None),
        ({"reason": "waiting_part"}, None),
        ({"evidence": {"note": "吃午饭"}}, None),
        ({}, None),
    ],
)
async def test_suspended_for_a_listed_reason_with_evidence_stops_the_clocks(
    quick: City, fields: dict[str, Any], reason: str | None
) -> None:
    crew, phone, order = await holding(quick)
    before = (await quick.order(order))["clocks"]["resolve"]
    assert (await phone.progress(order, "suspended", **fields))["state"] == "suspended"
    whole = await quick.order(order)
    clock = whole["clocks"]["resolve"]
    assert (whole["state"], whole["crew"]) == ("suspended", crew.id)
    assert (clock["state"], clock.get("pause_reason")) == (("paused", reason) if reason else ("running", None))
    welcome = await (await quick.phone(crew)).hello()
    assert [o["id"] for o in welcome["orders"]] == [order]
    await asyncio.sleep(0.3)
    back = await quick.phone(crew)
    await back.hello()
    assert (await back.progress(order, "en_route"))["state"] == "en_route"
    after = (await quick.order(order))["clocks"]["resolve"]
    moved = datetime.fromisoformat(after["due_at"]) - datetime.fromisoformat(before["due_at"])
    assert after["state"] == "running"
    if reason:
        assert timedelta(seconds=0.25) < moved < timedelta(seconds=5)
        assert after["paused_s"] == pytest.approx(moved.total_seconds(), abs=0.01)
    else:
        assert moved == timedelta(0)


async def test_what_a_crew_cannot_do_is_said(quick: City) -> None:
    _, phone, order = await holding(quick)
    other = (await quick.report())["id"]
    assert (await phone.progress(order, "resolved"))["error"] == "not_possible"
    assert (await phone.progress(other, "en_route"))["error"] == "not_yours"
    assert (await phone.progress("nothing", "en_route"))["error"] == "unknown_order"
    assert (await phone.decline("nothing"))["error"] == "unknown_order"
    await phone.say("progress", id=fresh_id(), order=order, to="suspended", at=device_time(), reason="lunch")
    assert (await phone.expect("error"))["code"] == "malformed"
    assert (await quick.order(order))["state"] == "claimed"


async def test_ack_is_heard_in_silence(quick: City) -> None:
    _, phone = await quick.working()
    count = len(phone.frames)
    await phone.say("ack", seq=1)
    await phone.settle()
    assert len(phone.frames) == count + 1
