"""What a dispatcher may do: every action in every state, versions, reasons, lists, undo."""

import json
from typing import Any

import pytest

from dispatch.orders import ACTIONS, State
from tests.acceptance.city import City, Crew, centre
from tests.acceptance.sockets import Phone
from tests.acceptance.test_input import assert_problem

STATES = [state.value for state in State]


class Desk:
    """A city with two crews and the means to bring an order into any state."""

    def __init__(self, city: City, crew: Crew, phone: Phone, other: Crew) -> None:
        self.city, self.crew, self.phone, self.other = city, crew, phone, other

    @classmethod
    async def of(cls, city: City) -> "Desk":
        crew, phone = await city.working(capacity=100)
        return cls(city, crew, phone, await city.crew())

    async def order_in(self, state: str) -> dict[str, Any]:
        """A fresh order in a state."""
        city = self.city
        if state == "unzoned":
            return await city.order((await city.report(location={"lon": 1, "lat": 1}))["id"])
        order = (await city.report())["id"]
        if state in ("claimed", "en_route", "arrived", "resolved", "closed", "suspended"):
            await city.override(order, "assign", crew=self.crew.id)
            await self.phone.expect("assigned", order=order)
        for step in {
            "en_route": ["en_route"],
            "arrived": ["arrived"],
            "resolved": ["arrived", "resolved"],
            "closed": ["arrived", "resolved"],
            "suspended": ["suspended"],
        }.get(state, []):
            assert "error" not in await self.phone.progress(order, step)
        if state == "closed":
            await city.override(order, "close")
        if state == "merged":
            await city.override(order, "merge", into=(await city.report())["id"])
        if state in ("held", "transferred", "cancelled"):
            action = {"held": "hold", "transferred": "transfer", "cancelled": "cancel"}[state]
            fields: dict[str, Any] = {"to": "开发商"} if action == "transfer" else {}
            await city.override(order, action, **fields)
        found = await city.order(order)
        assert found["state"] == state
        return found


async def fields_for(desk: Desk, action: str) -> dict[str, Any]:
    lon, lat = centre(2)
    match action:
        case "assign":
            return {"crew": desk.other.id}
        case "reprioritize":
            return {"severity": 4}
        case "move":
            return {"location": {"lon": lon, "lat": lat}}
        case "merge":
            return {"into": (await desk.city.report())["id"]}
        case "transfer":
            return {"to": "区供热办"}
        case "pause":
            return {"pause_reason": "waiting_part"}
        case _:
            return {}


OPENED = {"claimed": "offered", "en_route": "offered", "arrived": "offered"}
AFTER: dict[str, Any] = {
    "assign": "claimed",
    "revoke": "offered",
    "hold": "held",
    "release": "offered",
    "offer": "offered",
    "merge": "merged",
    "unmerge": "offered",
    "transfer": "transferred",
    "cancel": "cancelled",
    "confirm_arrival": "arrived",
    "close": "closed",
}


@pytest.mark.parametrize("state", STATES)
async def test_every_action_in_a_state_is_done_or_refused_with_the_reason(quick: City, state: str) -> None:
    desk = await Desk.of(quick)
    for action, allowed in ACTIONS.items():
        order = await desk.order_in(state)
        last = [event["seq"] for event in order["timeline"]][-1]
        if action == "undo":
            continue
        body = {"action": action, "reason": "看过了", **(await fields_for(desk, action))}
        if action == "offer" and state == "unzoned":
            body["action"] = "offer"  # it has a place, outside every zone: the whole city may have it
        if action == "resume" and state in {s.value for s in allowed}:
            await quick.override(order["id"], "pause", pause_reason="waiting_part")
            order = await quick.order(order["id"])
            last = order["timeline"][-1]["seq"]
        answer = await quick.call("POST", f"/orders/{order['id']}/override", role="dispatcher", json=body)
        if state not in {s.value for s in allowed}:
            problem = assert_problem(answer, 409, "impossible")
            assert state in problem["detail"], f"{action}: {problem['detail']}"
            assert (await quick.order(order["id"]))["version"] == order["version"]
            continue
        assert answer.status_code == 200, f"{action} in {state}: {answer.text}"
        after = answer.json()
        expected = AFTER.get(action, state)
        if action == "move":
            expected = {"unzoned": "offered", "offered": "offered"}.get(state, state)
        assert (after["state"], after["version"]) == (expected, order["version"] + 1), f"{action} in {state}"
        assert (after["crew"] is not None) == (
            after["state"] in ("claimed", "en_route", "arrived", "resolved", "closed", "suspended")
        ), f"{action} in {state}"
        whole = await quick.order(order["id"])
        assert {name: whole[name] for name in after} == after
        (event,) = [e for e in whole["timeline"] if e["seq"] > last and e["data"].get("reason") == "看过了"]
        assert (event["actor"], event["data"]["action"]) == ("user:u-dispatcher", action)
        assert event["data"]["order"] == after


async def load(city: City, crew: Crew) -> int:
    found: int = next(c["load"] for c in (await city.get("/crews"))["items"] if c["id"] == crew.id)
    return found


async def test_loads_follow_every_override(quick: City) -> None:
    desk = await Desk.of(quick)
    order = (await quick.report())["id"]

    async def loads() -> tuple[int, int]:
        return await load(quick, desk.crew), await load(quick, desk.other)

    await quick.override(order, "assign", crew=desk.crew.id)
    assert await loads() == (1, 0)
    await quick.override(order, "assign", crew=desk.other.id)
    assert await loads() == (0, 1)
    await quick.override(order, "undo")
    assert await loads() == (1, 0)
    await quick.override(order, "hold")
    assert await loads() == (0, 0)
    await quick.override(order, "undo")
    assert await loads() == (1, 0)
    await quick.override(order, "cancel")
    assert await loads() == (0, 0)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"action": "hold"}, "/reason"),
        ({"action": "hold", "reason": ""}, "/reason"),
        ({"action": "hold", "reason": "  \n"}, "/reason"),
        ({"action": "hold", "reason": "x" * 2001}, "/reason"),
        ({"reason": "x"}, "/action"),
        ({"action": "explode", "reason": "x"}, "/action"),
        ({"action": "assign", "reason": "x"}, "/crew"),
        ({"action": "reprioritize", "reason": "x"}, "/severity"),
        ({"action": "reprioritize", "reason": "x", "severity": 6}, "/severity"),
        ({"action": "move", "reason": "x"}, "/location"),
        ({"action": "move", "reason": "x", "location": {"lon": 200, "lat": 0}}, "/location/lon"),
        ({"action": "merge", "reason": "x"}, "/into"),
        ({"action": "transfer", "reason": "x"}, "/to"),
        ({"action": "pause", "reason": "x"}, "/pause_reason"),
        ({"action": "pause", "reason": "x", "pause_reason": "lunch"}, "/pause_reason"),
        ({"action": "hold", "reason": "x", "version": "1"}, "/version"),
        ({"action": "hold", "reason": "x", "colour": "red"}, "/colour"),
    ],
)
async def test_an_override_that_says_too_little_is_pointed_at(quick: City, body: dict[str, Any], pointer: str) -> None:
    order = await quick.report()
    answer = await quick.call("POST", f"/orders/{order['id']}/override", json=body)
    assert_problem(answer, 422, "invalid", pointer)
    assert (await quick.order(order["id"]))["version"] == order["version"]


async def test_a_version_that_is_no_longer_current_is_refused_with_the_current_order(quick: City) -> None:
    order = await quick.report()
    held = await quick.override(order["id"], "hold", version=order["version"])
    for version in (order["version"], held["version"] + 1, -1, 0, 2**40):
        body = {"action": "release", "reason": "x", "version": version}
        answer = await quick.call("POST", f"/orders/{order['id']}/override", json=body)
        problem = assert_problem(answer, 409, "stale_version")
        assert problem["order"] == held
    await quick.override(order["id"], "release", version=held["version"])


async def test_impossible_things_are_said(quick: City) -> None:
    desk = await Desk.of(quick)
    order, done = (await quick.report())["id"], (await quick.report())["id"]
    await quick.override(done, "cancel")
    await quick.override(order, "assign", crew=desk.crew.id)
    unplaced = (await quick.report(location=None))["id"]
    for order_id, body in (
        (order, {"action": "assign", "crew": desk.crew.id}),
        (order, {"action": "merge", "into": done}),
        (order, {"action": "resume"}),
        (unplaced, {"action": "offer"}),
    ):
        answer = await quick.call("POST", f"/orders/{order_id}/override", json={**body, "reason": "x"})
        assert_problem(answer, 409, "impossible")
    answer = await quick.call(
        "POST", f"/orders/{order}/override", json={"action": "merge", "into": order, "reason": "x"}
    )
    assert_problem(answer, 422, "invalid", "/into")
    for missing in ({"action": "assign", "crew": "nobody"}, {"action": "merge", "into": "nothing"}):
        answer = await quick.call("POST", f"/orders/{order}/override", json={**missing, "reason": "x"})
        assert_problem(answer, 404, "not_found")
    answer = await quick.call("POST", "/orders/nothing/override", json={"action": "hold", "reason": "x"})
    assert_problem(answer, 404, "not_found")


async def test_a_list_of_overrides_is_answered_one_by_one(quick: City) -> None:
    first, second = await quick.report(), await quick.report()
    items = [
        {"order": first["id"], "action": "hold", "reason": "a", "version": first["version"]},
        {"order": first["id"], "action": "hold", "reason": "b"},
        {"order": "nothing", "action": "hold", "reason": "c"},
        {"order": second["id"], "action": "assign", "reason": "d"},
        {"order": first["id"], "action": "release", "reason": "e", "version": first["version"]},
        {"order": second["id"], "action": "cancel", "reason": "f"},
    ]
    results = (await quick.post("/overrides", items, role="dispatcher", expect=200))["items"]
    assert [result["order"] for result in results] == [item["order"] for item in items]
    assert [(result["status"], result.get("code")) for result in results] == [
        (200, None),
        (409, "impossible"),
        (404, "not_found"),
        (422, "invalid"),
        (409, "stale_version"),
        (200, None),
    ]
    assert [result["result"]["state"] for result in results if "result" in result][-1] == "cancelled"
    assert (await quick.order(first["id"]))["state"] == "held"
    assert await quick.post("/overrides", [], expect=200) == {"items": []}


async def test_a_list_of_overrides_has_at_most_500(quick: City) -> None:
    item = {"order": "x", "action": "hold", "reason": "x"}
    assert len((await quick.post("/overrides", [item] * 500, expect=200))["items"]) == 500
    answer = await quick.call("POST", "/overrides", json=[item] * 501)
    assert_problem(answer, 422, "invalid", "")
    assert "500" in answer.json()["detail"]


@pytest.mark.parametrize("body", [None, {}, "x", 7, {"order": "x", "action": "hold", "reason": "x"}])
async def test_what_is_no_list_of_overrides_is_refused_as_a_whole(quick: City, body: Any) -> None:
    answer = await quick.call("POST", "/overrides", content=json.dumps(body))
    assert_problem(answer, 422, "invalid", "")


async def test_a_list_tells_what_its_stale_item_missed_and_where_an_item_is_wrong(quick: City) -> None:
    order = await quick.report()
    await quick.override(order["id"], "hold")
    good = {"order": order["id"], "action": "release", "reason": "x"}
    wrong: list[tuple[Any, str]] = [
        ({**good, "reason": ""}, "/reason"),
        ({**good, "reason": "  "}, "/reason"),
        ({**good, "reason": "a\0b"}, "/reason"),
        ({"order": order["id"], "action": "release"}, "/reason"),
        ({**good, "action": "reprioritize", "severity": 9}, "/severity"),
        ({**good, "action": "dance"}, "/action"),
        ({**good, "action": "assign"}, "/crew"),
        ({**good, "colour": "red"}, "/colour"),
        ({"action": "release", "reason": "x"}, "/order"),
        ({**good, "order": 7}, "/order"),
        ("release it", ""),
        (None, ""),
    ]
    items = [{**good, "version": order["version"]}, *(item for item, _ in wrong), good]
    stale, *refused, done = (await quick.post("/overrides", items, role="dispatcher", expect=200))["items"]
    alone = await quick.call(
        "POST", f"/orders/{order['id']}/override", json={"action": "hold", "reason": "x", "version": order["version"]}
    )
    assert (stale["status"], stale["code"]) == (409, "stale_version")
    assert (stale["current"]["state"], stale["current"]["version"]) == ("held", order["version"] + 1)
    assert set(stale["current"]) == set(alone.json()["order"])
    for n, ((item, pointer), result) in enumerate(zip(wrong, refused, strict=True), 1):
        assert (result["status"], result["code"]) == (422, "invalid"), item
        assert [error["pointer"] for error in result["errors"]] == [f"/{n}{pointer}"]
        assert result["errors"][0]["detail"]
        named = item.get("order") if isinstance(item, dict) else None
        assert result["order"] == (named if isinstance(named, str) else "")
    assert (done["status"], done["result"]["state"]) == (200, "offered")


async def test_a_value_that_no_json_holds_refuses_the_list_and_is_named(quick: City) -> None:
    order = (await quick.report())["id"]
    good = f'{{"order": "{order}", "action": "hold", "reason": "x"}}'
    for bad, pointer in (('"severity": NaN', "/1/severity"), ('"crew": "\\ud800"', "/1/crew")):
        answer = await quick.call("POST", "/overrides", content=f'[{good}, {{"order": "x", {bad}}}]')
        assert_problem(answer, 422, "invalid", pointer)
    assert (await quick.order(order))["state"] == "offered"


@pytest.mark.parametrize(
    "action", ["assign", "hold", "cancel", "merge", "transfer", "reprioritize", "move", "offer", "revoke", "release"]
)
async def test_undo_puts_an_order_back(quick: City, action: str) -> None:
    desk = await Desk.of(quick)
    order = await desk.order_in({"revoke": "claimed", "release": "held"}.get(action, "offered"))
    await quick.override(order["id"], action, **(await fields_for(desk, action)))
    back = await quick.override(order["id"], "undo")
    same = ("state", "zone", "severity", "location", "crew", "claimed_by", "incident")
    assert {name: back[name] for name in same} == {name: order[name] for name in same}
    assert back["version"] == order["version"] + 2
    again = await quick.call("POST", f"/orders/{order['id']}/override", json={"action": "undo", "reason": "x"})
    if action not in ("revoke", "release"):  # those came after another of his overrides
        assert_problem(again, 409, "impossible")


async def test_undo_is_for_the_last_override_of_the_same_dispatcher_while_nothing_came_after(quick: City) -> None:
    desk = await Desk.of(quick)
    order = (await quick.report())["id"]
    undo = {"action": "undo", "reason": "x"}
    assert_problem(await quick.call("POST", f"/orders/{order}/override", json=undo), 409, "impossible")
    await quick.override(order, "assign", crew=desk.crew.id)
    other = await quick.call("POST", f"/orders/{order}/override", role="admin", json=undo)
    assert "another dispatcher" in assert_problem(other, 409, "impossible")["detail"]
    await desk.phone.expect("assigned", order=order)
    await desk.phone.progress(order, "en_route")
    late = await quick.call("POST", f"/orders/{order}/override", role="dispatcher", json=undo)
    assert "too late" in assert_problem(late, 409, "impossible")["detail"]


async def test_the_crews_concerned_hear_of_an_undo(quick: City) -> None:
    crew, phone = await quick.working()
    order = (await quick.report())["id"]
    await phone.expect("offer", order=order)
    assert (await phone.verdict(order))["won"] is True
    await quick.override(order, "hold")
    await phone.expect("revoked", order=order)
    await quick.override(order, "undo")
    given = await phone.expect("assigned", order=order)
    assert (given["by"], given["order"]["crew"], given["order"]["claimed_by"]) == ("dispatcher", crew.id, "grab")


async def test_a_merged_order_names_what_it_went_into_and_comes_back(quick: City) -> None:
    main, same = (await quick.report())["id"], (await quick.report())["id"]
    merged = await quick.override(same, "merge", into=main)
    assert (merged["state"], merged["incident"]) == ("merged", main)
    assert (await quick.order(same))["merged_into"] == main
    back = await quick.override(same, "unmerge")
    assert (back["state"], back["incident"]) == ("offered", None)
    assert {clock["state"] for clock in back["clocks"].values()} == {"running"}


async def test_an_order_that_others_were_merged_into_is_not_cancelled_over_their_heads(quick: City) -> None:
    main, same = (await quick.report())["id"], (await quick.report())["id"]
    await quick.override(same, "merge", into=main)
    refused = await quick.call("POST", f"/orders/{main}/override", json={"action": "cancel", "reason": "test"})
    assert same in assert_problem(refused, 409, "impossible")["detail"]
    await quick.override(same, "unmerge")
    assert (await quick.override(main, "cancel"))["state"] == "cancelled"


async def test_a_transfer_has_a_clock_until_it_comes_back(quick: City) -> None:
    order = (await quick.report())["id"]
    moved = await quick.override(order, "transfer", to="市自来水公司")
    assert moved["clocks"]["transfer"]["state"] == "running"
    assert (await quick.order(order))["transferred_to"] == "市自来水公司"
    back = await quick.override(order, "release")
    assert back["clocks"]["transfer"]["state"] == "met"
    assert (await quick.order(order))["transferred_to"] is None


@pytest.mark.parametrize("action", ["release", "hold", "offer"])
async def test_who_takes_a_transferred_order_back_ends_the_transfer(quick: City, action: str) -> None:
    order = (await quick.report())["id"]
    await quick.override(order, "transfer", to="市自来水公司")
    back = await quick.override(order, action)
    assert back["clocks"]["transfer"]["state"] == "met"
    assert (await quick.order(order))["transferred_to"] is None


async def test_a_second_transfer_has_a_clock_of_its_own_beside_the_first(quick: City) -> None:
    order = (await quick.report())["id"]
    await quick.override(order, "transfer", to="市自来水公司")
    await quick.override(order, "release")
    clocks = (await quick.override(order, "transfer", to="燃气公司"))["clocks"]
    assert (clocks["transfer"]["state"], clocks["transfer#1"]["state"]) == ("running", "met")
    assert clocks["transfer"]["started_at"] > clocks["transfer#1"]["started_at"]
