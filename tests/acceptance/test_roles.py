"""Who may use which route: the contract's role column, for every role, and cities that never see each other."""

import contextlib

import asyncpg
import pytest
from websockets.exceptions import ConnectionClosed

from dispatch.access import issue_token
from dispatch.http.app import all_routes
from dispatch.http.routing import Route
from tests.acceptance.city import City, centre, square, usual_map
from tests.acceptance.conftest import MakeCity
from tests.acceptance.sockets import Console, Phone

PICTURE = b"\xff\xd8\xff\xe0 not much of a picture"
NO_REPLAN = "p01"
"""Proposals come from the planner alone; who is let in hears that there is none of this name."""
ANY = {"admin", "dispatcher", "monitor", "intake", "crew"}
ALLOWED: dict[tuple[str, str], set[str]] = {
    ("PUT", "/zones"): {"admin"},
    ("POST", "/zones/check"): {"admin", "dispatcher"},
    ("POST", "/zones/split"): {"admin", "dispatcher"},
    ("POST", "/zones/join"): {"admin", "dispatcher"},
    ("GET", "/zones"): ANY,
    ("GET", "/zones/locate"): ANY,
    ("POST", "/crews"): {"admin"},
    ("POST", "/crews/{}/tokens"): {"admin"},
    ("GET", "/crews/{}/tokens"): {"admin"},
    ("POST", "/crews/{}/tokens/revoke"): {"admin"},
    ("POST", "/crews/{}/shift"): {"admin", "dispatcher"},
    ("GET", "/replans"): {"admin", "dispatcher", "monitor"},
    ("POST", "/replans/{}/accept"): {"admin", "dispatcher"},
    ("POST", "/replans/{}/dismiss"): {"admin", "dispatcher"},
    ("GET", "/crews"): {"admin", "dispatcher"},
    ("PATCH", "/crews/{}"): {"admin", "dispatcher"},
    ("POST", "/users"): {"admin"},
    ("GET", "/users"): {"admin"},
    ("POST", "/users/{}/tokens"): {"admin"},
    ("GET", "/users/{}/tokens"): {"admin"},
    ("POST", "/users/{}/tokens/revoke"): {"admin"},
    ("POST", "/reports"): {"admin", "intake"},
    ("GET", "/reports/{}"): {"admin", "intake"},
    ("GET", "/orders"): {"admin", "dispatcher", "monitor"},
    ("GET", "/orders/{}"): {"admin", "dispatcher", "monitor"},
    ("GET", "/orders/{}/candidates"): {"admin", "dispatcher"},
    ("POST", "/orders/{}/override"): {"admin", "dispatcher"},
    ("POST", "/overrides"): {"admin", "dispatcher"},
    ("POST", "/orders/{}/rating"): {"admin", "intake"},
    ("GET", "/sla/summary"): {"admin", "monitor"},
    ("GET", "/sla/clocks"): {"admin", "monitor"},
    ("GET", "/sla/board"): {"admin", "dispatcher", "monitor"},
    ("GET", "/sla/hours"): {"admin", "dispatcher", "monitor"},
    ("GET", "/sla/endangered"): {"admin", "dispatcher", "monitor"},
    ("GET", "/sla/alarms"): {"admin", "dispatcher", "monitor"},
    ("GET", "/sla/report"): {"admin", "dispatcher", "monitor"},
    ("POST", "/orders/{}/acknowledge"): {"admin", "dispatcher", "monitor"},
    ("GET", "/events"): {"admin", "dispatcher", "monitor"},
    ("GET", "/me"): ANY,
    ("GET", "/me/day"): {"crew"},
    ("POST", "/crews/{}/sign-in-links"): {"admin"},
    ("POST", "/photos"): {"crew"},
    ("GET", "/photos/{}"): {"admin", "dispatcher", "monitor"},
}
"""The contract's table."""


CUT = {"type": "LineString", "coordinates": [[centre(0)[0], 45.0], [centre(0)[0], 46.0]]}


def shape(column: int) -> object:
    return square(column, 0)["geometry"]


def template(route: Route) -> str:
    return "/".join("{}" if step.startswith("<") else step for step in route.path.split("/"))


ROUTES = {(route.method, template(route)): route for route in all_routes().table if route.opener is None}
OPEN = {(route.method, template(route)) for route in all_routes().table if route.opener is not None}


def test_every_route_of_the_contract_is_there() -> None:
    assert set(ALLOWED) <= set(ROUTES)


def test_one_route_alone_needs_no_token() -> None:
    assert {("POST", "/sign-in")} == OPEN


class Things:
    """One of everything that a path may name."""

    def __init__(self, crew: str, user: str, report: str, order: str, photo: str) -> None:
        self.crew, self.user, self.report, self.order, self.photo = crew, user, report, order, photo

    def path(self, route: str) -> str:
        name = {
            "crews": self.crew,
            "users": self.user,
            "reports": self.report,
            "orders": self.order,
            "photos": self.photo,
            "replans": NO_REPLAN,
        }
        return route.format(name.get(route.split("/")[1], ""))

    @classmethod
    async def of(cls, city: City) -> "Things":
        crew = await city.crew()
        user = await city.post("/users", {"name": "值班员", "role": "dispatcher"})
        lon, lat = centre(0)
        body = {"channel": "test", "category": "leak", "location": {"lon": lon, "lat": lat}}
        report = await city.post("/reports", body)
        photo = await city.call("POST", "/photos", role=None, token=crew.token, content=PICTURE)
        return cls(crew.id, user["id"], report["id"], report["order"]["id"], photo.json()["photo"])


def body_for(method: str, route: str, things: Things) -> object:
    return {
        ("PUT", "/zones"): usual_map(),
        ("POST", "/zones/check"): usual_map(),
        ("POST", "/zones/split"): {"geometry": shape(0), "line": CUT},
        ("POST", "/zones/join"): {"geometries": [shape(0), shape(1)]},
        ("POST", "/crews"): {"name": "一班"},
        ("PATCH", "/crews/{}"): {"capacity": 2},
        ("POST", "/crews/{}/shift"): {"on": True, "reason": "radio"},
        ("POST", "/crews/{}/tokens/revoke"): {},
        ("POST", "/users/{}/tokens/revoke"): {},
        ("POST", "/replans/{}/dismiss"): {"reason": "stays"},
        ("POST", "/users"): {"name": "甲", "role": "monitor"},
        ("POST", "/reports"): {"channel": "wechat", "category": "no_heat"},
        ("POST", "/orders/{}/override"): {"action": "hold", "reason": "look first"},
        ("POST", "/overrides"): [{"order": things.order, "action": "hold", "reason": "look first"}],
        ("POST", "/orders/{}/rating"): {"stars": 5, "resolved": True},
        ("POST", "/orders/{}/acknowledge"): {"clock": "arrival", "deadline": "2026-01-15T08:00:00+08:00"},
    }.get((method, route))


QUERY = {"/zones/locate": {"lon": "126.6", "lat": "45.7"}, "/me/day": {"since": "2026-01-15T00:00:00+08:00"}}


@pytest.mark.parametrize(("method", "route"), ROUTES)
async def test_a_route_lets_in_exactly_the_roles_of_the_contract(make_city: MakeCity, method: str, route: str) -> None:
    city: City = await make_city()
    things = await Things.of(city)
    body, query = body_for(method, route, things), QUERY.get(route, {})
    tokens = {**city.tokens, "crew": (await city.crew()).token}
    assert (method, route) in ALLOWED, f"{method} {route} is not in the contract: say here who may use it"
    for role, token in tokens.items():
        content = {"content": PICTURE} if route == "/photos" else {"json": body}
        answer = await city.call(method, things.path(route), role=None, token=token, params=query, **content)
        if role in ALLOWED[method, route]:
            known = (404,) if route.startswith("/replans/") else (200, 201, 409)
            assert answer.status_code in known, f"{role}: {answer.text}"
        else:
            assert answer.status_code == 403, f"{role}: {answer.status_code} {answer.text}"
            assert answer.json()["code"] == "forbidden"


@pytest.mark.parametrize("authorization", [None, "Bearer nobody", "Bearer", "Basic YTpi", "nonsense", "Bearer qd_\xe9"])
async def test_every_route_asks_for_a_token(city: City, authorization: str | None) -> None:
    headers = {} if authorization is None else {"Authorization": authorization.encode("latin-1")}
    for method, route in ROUTES:
        answer = await city.call(method, route.format("x"), role=None, headers=headers, json=[])
        assert answer.status_code == 401, f"{method} {route}: {answer.text}"
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert answer.json()["code"] == "unauthenticated"


NAMING = [key for key in ROUTES if "{}" in key[1]]


@pytest.mark.parametrize(("method", "route"), NAMING)
async def test_another_citys_id_is_not_found(make_city: MakeCity, method: str, route: str) -> None:
    ours: City = await make_city()
    theirs: City = await make_city()
    things = await Things.of(theirs)
    answer = await ours.call(method, things.path(route), json=body_for(method, route, things))
    assert answer.status_code == 404, answer.text
    assert answer.json()["code"] == "not_found"


async def test_an_override_finds_no_crew_and_no_order_of_another_city(make_city: MakeCity) -> None:
    ours: City = await make_city()
    theirs: City = await make_city()
    foreign = await Things.of(theirs)
    order = (await ours.report())["id"]
    for fields in ({"action": "assign", "crew": foreign.crew}, {"action": "merge", "into": foreign.order}):
        answer = await ours.call("POST", f"/orders/{order}/override", json={**fields, "reason": "x"})
        assert answer.status_code == 404, answer.text
    items = [{"order": foreign.order, "action": "cancel", "reason": "x"}]
    results = (await ours.post("/overrides", items, expect=200))["items"]
    assert [(r["status"], r["code"]) for r in results] == [(404, "not_found")]
    assert (await theirs.order(foreign.order))["state"] == "offered"


async def test_no_list_shows_another_citys_rows(make_city: MakeCity) -> None:
    ours: City = await make_city(zones=False)
    theirs: City = await make_city()
    foreign = await Things.of(theirs)
    assert (await ours.get("/crews"))["items"] == []
    assert (await ours.get("/orders"))["items"] == []
    assert (await ours.get("/orders", crew=foreign.crew))["items"] == []
    assert (await ours.get("/sla/clocks"))["items"] == []
    assert (await ours.get("/sla/summary"))["items"] == []
    assert (await ours.get("/events")) == {"items": [], "last": 0}
    assert (await ours.get("/zones"))["features"] == []
    lon, lat = centre(0)
    assert (await ours.get("/zones/locate", lon=lon, lat=lat)) == {"zone": None}
    assert (await theirs.get("/zones/locate", lon=lon, lat=lat)) == {"zone": "z00"}


async def test_an_external_id_belongs_to_its_city(make_city: MakeCity) -> None:
    body = {"channel": "12345", "category": "leak", "external_id": "A-1"}
    ours: City = await make_city()
    theirs: City = await make_city()
    first = await theirs.post("/reports", body)
    second = await ours.post("/reports", body)
    assert first["id"] != second["id"]


async def test_an_idempotency_key_belongs_to_its_city(make_city: MakeCity) -> None:
    ours: City = await make_city()
    theirs: City = await make_city()
    headers = {"Idempotency-Key": "the-same-word"}
    first = await theirs.post("/crews", {"name": "甲"}, headers=headers)
    second = await ours.post("/crews", {"name": "乙"}, headers=headers)
    assert first["id"] != second["id"]


async def test_sockets_show_only_their_own_city(make_city: MakeCity) -> None:
    policy = {"mode": "first", "assign_after_s": 600}
    ours: City = await make_city(policy)
    theirs: City = await make_city(policy)
    _, phone = await ours.working()
    console = await ours.console()
    await console.hello()
    _, foreign_phone = await theirs.working()
    foreign = await theirs.report()
    await foreign_phone.expect("offer", order=foreign["id"])
    await foreign_phone.verdict(foreign["id"], won=True)
    mine = await ours.report()
    await phone.expect("offer", order=mine["id"])
    await console.expect("event", kind="order.offered", order=mine["id"])
    await phone.settle()
    await console.settle()
    assert foreign["id"] not in str(phone.frames)
    assert foreign["id"] not in str(console.frames)
    assert {frame["order"] for frame in console.of("event") if "order" in frame} == {mine["id"]}


async def test_a_grab_finds_no_order_of_another_city(make_city: MakeCity) -> None:
    ours: City = await make_city({"mode": "first"})
    theirs: City = await make_city()
    foreign = await theirs.report()
    _, phone = await ours.working()
    assert (await phone.verdict(foreign["id"]))["reason"] == "unknown_order"
    assert (await phone.progress(foreign["id"], "en_route"))["error"] == "unknown_order"
    assert (await phone.decline(foreign["id"]))["error"] == "unknown_order"


@pytest.mark.parametrize("role", ["admin", "dispatcher", "monitor", "intake", "crew"])
async def test_a_socket_is_for_its_roles(make_city: MakeCity, role: str) -> None:
    city: City = await make_city()
    tokens = {**city.tokens, "crew": (await city.crew()).token}
    inside = city.installation
    for kind, allowed in ((Phone, {"crew"}), (Console, {"admin", "dispatcher", "monitor"})):
        for in_handshake in (True, False):
            token = tokens[role] if in_handshake else None
            socket = await kind.open(inside.url, inside.asyncapi, token=token)
            async with socket:
                with_token = {} if in_handshake else {"token": tokens[role]}
                if role in allowed:
                    await socket.say("hello", **with_token)
                    await socket.expect("welcome" if kind is Phone else "snapshot")
                else:
                    with contextlib.suppress(ConnectionClosed):
                        await socket.say("hello", **with_token)
                    assert await socket.closing() == 4401


async def test_tokens_are_not_in_the_database(make_city: MakeCity) -> None:
    city: City = await make_city()
    crew = await city.crew()
    connection = await asyncpg.connect(city.installation.database_url)
    try:
        rows = await connection.fetch("SELECT row_to_json(t)::text FROM token AS t")
        kept = await connection.fetch("SELECT answer FROM idempotency WHERE city_id = $1", city.id)
        assert await issue_token(connection, city.id, role="monitor", subject="x") not in str(rows)
    finally:
        await connection.close()
    assert crew.token not in str(rows)
    assert crew.token.encode() not in b"".join(bytes(row["answer"] or b"") for row in kept)
