"""The same request again: Idempotency-Key on every POST, and (channel, external_id) of reports."""

import asyncio
from typing import Any

import pytest

from tests.acceptance.city import City, centre
from tests.acceptance.sockets import fresh_id
from tests.acceptance.test_input import assert_problem
from tests.acceptance.test_roles import ROUTES, Things, body_for

ELSEWHERE = ("/photos", "/acknowledge", "/accept", "/dismiss")
"""Routes whose repetition needs more than one request before it: test_phones.py, test_wallboard.py. And what decides
proposals, which the planner alone makes: its repetition is tried nowhere, it shares the mechanism."""
POSTS = [(m, r) for m, r in ROUTES if m == "POST" and not r.endswith(ELSEWHERE)]


def keyed() -> dict[str, str]:
    return {"Idempotency-Key": f"key-{fresh_id()}"}


async def resolved(city: City) -> str:
    """An order that somebody has resolved."""
    crew, phone = await city.working()
    order: str = (await city.report())["id"]
    await city.override(order, "assign", crew=crew.id)
    await phone.expect("assigned", order=order)
    for to in ("arrived", "resolved"):
        assert "error" not in await phone.progress(order, to)
    return order


@pytest.mark.parametrize(("method", "route"), POSTS)
async def test_the_same_key_and_body_give_the_first_answer_again(city: City, method: str, route: str) -> None:
    things = await Things.of(city)
    if route.endswith("/rating"):
        things.order = await resolved(city)
    path, body, headers = things.path(route), body_for(method, route, things), keyed()
    before = len(await city.events())
    first = await city.call(method, path, json=body, headers=headers)
    assert first.status_code in (200, 201), first.text
    after = len(await city.events())
    again = await city.call(method, path, json=body, headers=headers)
    assert (again.status_code, again.json()) == (first.status_code, first.json())
    assert len(await city.events()) == after
    assert after > before or route.startswith(("/users", "/zones")) or route.endswith(("/tokens", "/sign-in-links"))
    other = await city.call(method, path, json=_other(body), headers=headers)
    assert_problem(other, 422, "key_reused")


def _other(body: Any) -> Any:
    if isinstance(body, list):
        return [_other(body[0])]
    body = body or {}
    if "geometries" in body:
        return {"geometries": body["geometries"][::-1]}
    if "line" in body:
        return {**body, "line": {**body["line"], "coordinates": body["line"]["coordinates"][::-1]}}
    if not body:
        return {"token": "another"}
    optional = {"category": "description", "stars": "comment", "reason": "reason"}
    return {**body, next((field for known, field in optional.items() if known in body), "name"): "another"}


async def test_one_key_is_one_request_whatever_its_route(city: City) -> None:
    headers = keyed()
    await city.post("/users", {"name": "甲", "role": "intake"}, headers=headers)
    assert_problem(await city.call("POST", "/crews", json={"name": "甲"}, headers=headers), 422, "key_reused")
    crew, other = await city.crew(), await city.crew()
    headers = keyed()
    await city.post(f"/crews/{crew.id}/tokens", headers=headers)
    assert_problem(await city.call("POST", f"/crews/{other.id}/tokens", headers=headers), 422, "key_reused")


async def test_requests_with_one_key_at_once_have_one_answer(city: City) -> None:
    lon, lat = centre(0)
    body = {"channel": "wechat", "category": "leak", "location": {"lon": lon, "lat": lat}}
    headers = keyed()
    answers = await asyncio.gather(*(city.call("POST", "/reports", json=body, headers=headers) for _ in range(12)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    assert len((await city.get("/orders"))["items"]) == 1


async def test_a_list_of_overrides_sent_at_once_under_one_key_is_done_once(city: City) -> None:
    orders = [(await city.report())["id"] for _ in range(3)]
    body = [{"order": order, "action": "hold", "reason": "look"} for order in [*orders, orders[0]]]
    headers = keyed()
    answers = await asyncio.gather(*(city.call("POST", "/overrides", json=body, headers=headers) for _ in range(6)))
    assert len({answer.text for answer in answers}) == 1
    assert [item["status"] for item in answers[0].json()["items"]] == [200, 200, 200, 409]
    held = [event for event in await city.events() if event["kind"] == "order.held"]
    assert len(held) == 3


async def test_a_token_under_a_key_is_the_same_token_and_works(city: City) -> None:
    crew = await city.crew()
    headers = keyed()
    first = await city.post(f"/crews/{crew.id}/tokens", headers=headers)
    again = await city.post(f"/crews/{crew.id}/tokens", headers=headers)
    fresh = await city.post(f"/crews/{crew.id}/tokens")
    assert first == again
    assert fresh != first
    answer = await city.call("GET", "/zones", role=None, token=first["token"])
    assert answer.status_code == 200


@pytest.mark.parametrize("key", ["", "x" * 201])
async def test_a_key_has_1_to_200_characters(city: City, key: str) -> None:
    answer = await city.call("POST", "/crews", json={"name": "x"}, headers={"Idempotency-Key": key})
    assert_problem(answer, 422, "invalid", "/Idempotency-Key")
    answer = await city.call("POST", "/overrides", json=[], headers={"Idempotency-Key": key})
    assert_problem(answer, 422, "invalid", "/Idempotency-Key")


async def test_a_request_that_nobody_could_read_does_not_use_up_its_key(city: City) -> None:
    headers = keyed()
    assert (await city.call("POST", "/crews", json={}, headers=headers)).status_code == 422
    await city.post("/crews", {"name": "甲"}, headers=headers)


async def test_a_command_that_was_refused_is_refused_again_under_its_key(quick: City) -> None:
    crew, _ = await quick.working()
    order = (await quick.report())["id"]
    path, body, headers = f"/orders/{order}/override", {"action": "revoke", "reason": "look"}, keyed()
    first = await quick.call("POST", path, json=body, headers=headers)
    assert_problem(first, 409, "impossible")
    await quick.override(order, "assign", crew=crew.id)
    again = await quick.call("POST", path, json=body, headers=headers)
    assert_problem(again, 409, "impossible")
    assert again.json() == first.json()
    assert (await quick.order(order))["crew"] == crew.id
    assert_problem(await quick.call("POST", path, json=_other(body), headers=headers), 422, "key_reused")
    assert (await quick.call("POST", path, json=body, headers=keyed())).status_code == 200


async def test_a_command_that_is_refused_to_many_at_once_has_one_answer(quick: City) -> None:
    order = await quick.report()
    body = {"action": "hold", "reason": "look", "version": order["version"] + 7}
    headers = keyed()
    path = f"/orders/{order['id']}/override"
    answers = await asyncio.gather(*(quick.call("POST", path, json=body, headers=headers) for _ in range(12)))
    assert {answer.status_code for answer in answers} == {409}
    assert len({answer.text for answer in answers}) == 1
    await quick.override(order["id"], "hold")
    again = await quick.call("POST", path, json=body, headers=headers)
    assert again.text == answers[0].text


async def test_a_repeated_external_id_gives_200_and_the_first_answer(city: City) -> None:
    lon, lat = centre(1)
    body = {
        "channel": "12345",
        "category": "leak",
        "external_id": "HRB-1",
        "description": "漏水",
        "location": {"lon": lon, "lat": lat},
    }
    first = await city.call("POST", "/reports", json=body)
    assert first.status_code == 201
    order = first.json()["order"]["id"]
    again = await city.call("POST", "/reports", json=body)
    assert (again.status_code, again.json()) == (200, first.json())
    await city.override(order, "hold")
    other = await city.call("POST", "/reports", json={**body, "category": "burst", "description": "说法不同"})
    assert (other.status_code, other.json()) == (200, first.json())
    assert (await city.get(f"/reports/{first.json()['id']}"))["order"]["state"] == "held"
    elsewhere = await city.call("POST", "/reports", json={**body, "channel": "12319"})
    assert elsewhere.status_code == 201
    assert elsewhere.json()["id"] != first.json()["id"]


async def test_the_same_external_report_at_once_is_one_report(city: City) -> None:
    body = {"channel": "12345", "category": "leak", "external_id": "HRB-2"}
    answers = await asyncio.gather(*(city.call("POST", "/reports", json=body) for _ in range(16)))
    assert sorted(answer.status_code for answer in answers) == [200] * 15 + [201]
    assert len({answer.text for answer in answers}) == 1
    assert len((await city.get("/orders"))["items"]) == 1


async def test_reports_without_an_external_id_are_never_one(city: City) -> None:
    body = {"channel": "walk-in", "category": "no_heat"}
    assert (await city.post("/reports", body))["id"] != (await city.post("/reports", body))["id"]
