"""Lists: `limit`, `cursor`, `{"items", "next"}`, and the filters of each."""

import json
from base64 import urlsafe_b64encode
from typing import Any

import pytest

from tests.acceptance.city import City, zone_id
from tests.acceptance.test_input import assert_problem


async def pages(city: City, path: str, limit: int, **query: Any) -> list[list[Any]]:
    """Every page of a list, following its cursors."""
    found, cursor = [], None
    while True:
        page = await city.get(path, limit=limit, **query, **({"cursor": cursor} if cursor else {}))
        assert set(page) - {"all"} == {"items", "next"}
        found.append(page["items"])
        if (cursor := page["next"]) is None:
            return found


LISTS = ["/orders", "/crews", "/orders/{order}/candidates", "/sla/clocks", "/sla/summary"]


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("limit", [1, 2, 3, 500])
async def test_pages_together_are_the_list_once(city: City, path: str, limit: int) -> None:
    for _ in range(2):
        await city.report()
        await city.crew()
    order = (await city.report())["id"]
    await city.crew()
    path = path.format(order=order)
    ((*whole,),) = await pages(city, path, 500)
    assert len(whole) == (9 if path == "/sla/clocks" else 3)  # three clocks for each of three orders
    parts = await pages(city, path, limit)
    names = [[_name(item) for item in part] for part in parts]
    assert [name for part in names for name in part] == [_name(item) for item in whole]
    assert all(len(part) <= limit for part in parts)
    assert all(len(part) == limit for part in parts[:-1])


async def test_what_a_crew_holds_and_what_it_did_is_one_list(quick: City) -> None:
    crews = [await quick.working(capacity=9) for _ in range(2)]
    wanted: list[str] = []
    for n in range(5):
        for crew, phone in crews:
            order = (await quick.report())["id"]
            await quick.override(order, "assign", crew=crew.id)
            await phone.expect("assigned", order=order)
            for to in ("arrived", "resolved") if n % 2 else ():
                assert "error" not in await phone.progress(order, to)
        wanted.insert(0, order)
    for limit in (1, 2, 500):
        parts = await pages(quick, "/orders", limit, crew=crew.id)
        assert [order["id"] for part in parts for order in part] == wanted


async def test_clocks_that_were_met_are_listed_by_order_the_newest_first(city: City) -> None:
    crew = (await city.crew(capacity=9)).id
    orders: list[str] = []
    for _ in range(3):
        orders.insert(0, (await city.report())["id"])
        await city.override(orders[0], "assign", crew=crew)
    for limit in (1, 2, 500):
        parts = await pages(city, "/sla/clocks", limit, state="met")
        assert [(clock["order"], clock["clock"]) for part in parts for clock in part] == [
            (order, "hand_down") for order in orders
        ]
    cursor = (await city.get("/sla/clocks", limit=1, state="met"))["next"]
    refused = await city.call("GET", "/sla/clocks", params={"cursor": cursor, "state": "running"})
    assert_problem(refused, 422, "invalid")


def _name(item: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(item.get(field) for field in ("id", "order", "clock", "crew"))


@pytest.mark.parametrize("path", [*LISTS, "/sla/alarms"])
async def test_a_cursor_that_the_list_did_not_give_is_refused(city: City, path: str) -> None:
    first = (await city.report())["id"]
    await city.report()
    made = [(await city.crew()).id for _ in range(2)]
    path = path.format(order=first)
    others = [other.format(order=first) for other in LISTS if other.format(order=first) != path]
    given = [(await city.get(other, limit=1))["next"] for other in others]
    assert all(given)
    own = [(await city.get(path, limit=1))["next"]] if path != "/sla/alarms" else []
    for cursor in (
        "zzz",
        "garbage",
        "-1",
        "0",
        "5",
        "²",
        "9" * 300,
        first,
        made[0],
        *given,
        *(f"{one}!" for one in own),
    ):
        answer = await city.call("GET", path, params={"cursor": cursor})
        assert_problem(answer, 422, "invalid", "/cursor")


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("/orders", ["orders", "a\0"]),
        ("/orders", ["orders"]),
        ("/orders", ["orders", 7]),
        ("/crews", ["crews", "a", "b"]),
        ("/sla/summary", ["summary", -1]),
        ("/sla/summary", ["summary", 10**30]),
        ("/sla/clocks", ["clocks", "2026-01-01T00:00:00Z", "a\0", "arrival"]),
        ("/sla/clocks", ["clocks", "2026-01-01T00:00:00", "a", "arrival"]),
        ("/sla/clocks", ["clocks", "0001-01-01T00:00:00+14:00", "a", "arrival"]),
        ("/sla/alarms", ["alarms", "2026-01-01T00:00:00Z", "a", "b\0", "2026-01-01T00:00:00Z"]),
        ("/sla/alarms", ["alarms", "2026-01-01T00:00:00Z", "a", "b", "9999-12-31T23:59:59-14:00"]),
    ],
)
async def test_a_cursor_made_up_by_hand_is_refused(city: City, path: str, values: list[Any]) -> None:
    cursor = urlsafe_b64encode(json.dumps(values).encode()).decode()
    assert_problem(await city.call("GET", path, params={"cursor": cursor}), 422, "invalid", "/cursor")


async def test_a_list_stays_itself_while_it_grows(city: City) -> None:
    first = [(await city.report())["id"] for _ in range(3)]
    page = await city.get("/orders", limit=2)
    await city.report()
    rest = await city.get("/orders", limit=2, cursor=page["next"])
    assert [order["id"] for order in page["items"] + rest["items"]] == list(reversed(first))


async def test_orders_are_filtered_by_state_zone_and_crew(quick: City) -> None:
    crew, phone = await quick.working()
    here, there = await quick.report(0), await quick.report(3)
    assert (await phone.verdict(here["id"]))["won"] is True
    await quick.override(there["id"], "hold")

    async def ids(**query: str) -> list[str]:
        return [order["id"] for order in (await quick.get("/orders", **query))["items"]]

    assert await ids(state="claimed") == [here["id"]]
    assert await ids(state="held,claimed") == [there["id"], here["id"]]
    assert await ids(zone=zone_id(3)) == [there["id"]]
    assert await ids(crew=crew.id) == [here["id"]]
    assert await ids(crew=crew.id, state="held") == []
    assert await ids(zone="nowhere") == []


async def test_events_are_read_gapless_from_any_position(city: City) -> None:
    for _ in range(5):
        await city.report()
    whole = await city.events()
    assert [event["seq"] for event in whole] == list(range(1, len(whole) + 1))
    assert all({"seq", "at", "kind", "actor", "data"} <= set(event) for event in whole)
    seen, after = [], 0
    while True:
        page = await city.get("/events", after=after, limit=2)
        assert set(page) == {"items", "last"}
        if not page["items"]:
            assert page["last"] == after
            break
        assert page["last"] == page["items"][-1]["seq"]
        seen += page["items"]
        after = page["last"]
    assert seen == whole
    assert (await city.get("/events", after=10**9)) == {"items": [], "last": 10**9}


async def test_events_hold_no_name_and_no_number(city: City) -> None:
    await city.report(description="王大爷家漏水 13800001111", contact={"name": "王大爷", "phone": "13800001111"})
    await city.crew(name="李师傅")
    for event in await city.events():
        assert not any(word in str(event) for word in ("王大爷", "13800001111", "李师傅"))


async def test_crews_show_state_load_and_position(quick: City) -> None:
    crew, phone = await quick.working(capacity=2, skills=["gas", "weld"])
    off = await quick.crew(1)

    async def shown(id: str) -> dict[str, Any]:
        return next(c for c in (await quick.get("/crews", role="dispatcher"))["items"] if c["id"] == id)

    idle = await shown(crew.id)
    assert (idle["state"], idle["load"], idle["skills"], idle["capacity"], idle["home_zone"]) == (
        "idle",
        0,
        ["gas", "weld"],
        2,
        "z00",
    )
    assert idle["position"] == {"lon": 126.605, "lat": 45.745}
    assert 0 <= idle["position_age_s"] < 30
    order = await quick.report()
    assert (await phone.verdict(order["id"]))["won"] is True
    busy = await shown(crew.id)
    assert (busy["state"], busy["load"]) == ("busy", 1)
    gone = await shown(off.id)
    assert (gone["state"], gone["position"], gone["position_age_s"], gone["load"]) == ("off", None, None, 0)
