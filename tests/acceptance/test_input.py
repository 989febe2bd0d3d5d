"""Bad input: a problem document that names the field, never a 500, never a dropped connection."""

import asyncio
import gzip
import json
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.acceptance.city import City, centre, usual_map
from tests.acceptance.test_roles import QUERY, ROUTES, Things

REPORT = {"channel": "wechat", "category": "no_heat"}
MIB = 1024 * 1024


def assert_problem(answer: httpx.Response, status: int, code: str, *pointers: str) -> dict[str, Any]:
    """The answer is a problem document of this status and code that points at these places."""
    assert answer.status_code == status, f"{answer.status_code}: {answer.text[:500]}"
    assert answer.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = answer.json()
    assert {"type", "title", "status", "detail", "code"} <= set(document)
    assert (document["status"], document["code"]) == (status, code)
    assert all(isinstance(document[name], str) and document[name] for name in ("type", "title", "detail"))
    if pointers:
        assert [error["pointer"] for error in document["errors"]] == list(pointers), document["errors"]
        assert all(error["detail"] for error in document["errors"])
    return document


async def post_raw(city: City, path: str, raw: bytes | str, **headers: str) -> httpx.Response:
    return await city.call("POST", path, content=raw, headers={"Content-Type": "application/json", **headers})


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"colour": "red"}, "/colour"),
        ({"channel": None}, "/channel"),
        ({"channel": ""}, "/channel"),
        ({"channel": "x" * 65}, "/channel"),
        ({"category": 7}, "/category"),
        ({"severity": 0}, "/severity"),
        ({"severity": 6}, "/severity"),
        ({"severity": "3"}, "/severity"),
        ({"severity": 2.5}, "/severity"),
        ({"severity": True}, "/severity"),
        ({"description": ["x"]}, "/description"),
        ({"contact": {"name": "王", "email": "x"}}, "/contact/email"),
        ({"contact": "王"}, "/contact"),
        ({"address": "道里区"}, "/address"),
        ({"location": {"lon": "126.6", "lat": 45}}, "/location/lon"),
        ({"location": {"lon": 126.6}}, "/location/lat"),
        ({"location": {"lon": 126.6, "lat": 45, "crs": "gcj-02"}}, "/location/crs"),
        ({"location": [126.6, 45]}, "/location"),
        ({"external_id": ""}, "/external_id"),
        ({"external_id": "x" * 201}, "/external_id"),
        ({"reported_at": "yesterday"}, "/reported_at"),
        ({"reported_at": "2026-01-01T08:00:00"}, "/reported_at"),
        ({"reported_at": "2999-01-01T08:00:00+08:00"}, "/reported_at"),
        ({"reported_at": "0001-01-01T00:00:00+14:00"}, "/reported_at"),
        ({"reported_at": 1700000000}, "/reported_at"),
        ({"required_skills": "gas"}, "/required_skills"),
        ({"required_skills": ["gas", 7]}, "/required_skills/1"),
        ({"required_skills": [""]}, "/required_skills/0"),
        ({"description": "a\0b"}, "/description"),
        ({"address": {"室": ["a\0b"]}}, "/address/室/0"),
        ({"address": {"a/b~c": "x\0"}}, "/address/a~1b~0c"),
    ],
)
async def test_a_wrong_field_is_named(city: City, fields: dict[str, Any], pointer: str) -> None:
    answer = await city.call("POST", "/reports", json={**REPORT, **fields})
    assert_problem(answer, 422, "invalid", pointer)
    assert (await city.get("/orders"))["items"] == []


async def test_null_is_taken_for_what_may_be_left_out(city: City) -> None:
    lon, lat = centre(0)
    optional = ("description", "severity", "contact", "address", "external_id", "reported_at", "required_skills")
    absent: dict[str, Any] = dict.fromkeys(optional)
    order = (await city.post("/reports", {**REPORT, **absent, "location": {"lon": lon, "lat": lat, "crs": None}}))[
        "order"
    ]
    assert (order["location"], order["severity"]) == ({"lon": lon, "lat": lat}, 3)
    contact = {"name": None, "phone": None}
    await city.post("/reports", {**REPORT, "location": None, "contact": contact})
    crew = await city.post("/crews", {"name": "一班", "skills": None, "home_zone": None, "capacity": None})
    assert (crew["skills"], crew["home_zone"], crew["capacity"]) == ([], None, 1)
    change = {"name": None, "skills": None, "capacity": None, "zones_lent": None}
    same = await city.call("PATCH", f"/crews/{crew['id']}", json=change)
    assert {**same.json(), "position_age_s": None} == crew
    word = {"action": "move", "reason": "x", "location": {"lon": lon, "lat": lat, "crs": None}}
    absent = dict.fromkeys(("version", "crew", "severity", "into", "to", "pause_reason"))
    await city.post(f"/orders/{order['id']}/override", {**word, **absent}, expect=200)
    missed = await city.call(
        "POST",
        f"/orders/{order['id']}/acknowledge",
        json={"clock": "arrival", "deadline": "2026-01-15T08:00:00+08:00", "kind": None, "note": None},
    )
    assert_problem(missed, 409, "impossible")
    assert (await city.call("POST", f"/crews/{crew['id']}/tokens/revoke", json={"token": None})).status_code == 200


@pytest.mark.parametrize("missing", ["channel", "category"])
async def test_a_missing_field_is_named(city: City, missing: str) -> None:
    body = {name: value for name, value in REPORT.items() if name != missing}
    assert_problem(await city.call("POST", "/reports", json=body), 422, "invalid", f"/{missing}")


@pytest.mark.parametrize(
    ("raw", "pointer"),
    [
        ('"location": {"lon": NaN, "lat": 45}', "/location/lon"),
        ('"location": {"lon": 126.6, "lat": Infinity}', "/location/lat"),
        ('"location": {"lon": 126.6, "lat": -Infinity}', "/location/lat"),
        ('"location": {"lon": 1e999, "lat": 45}', "/location/lon"),
        ('"severity": NaN', "/severity"),
        ('"address": {"floor": NaN}', "/address/floor"),
        ('"description": "\\ud800"', "/description"),
        ('"address": {"室": "\\udfff"}', "/address/室"),
    ],
)
async def test_numbers_and_texts_that_json_cannot_hold_are_named(city: City, raw: str, pointer: str) -> None:
    answer = await post_raw(city, "/reports", f'{{"channel": "wechat", "category": "leak", {raw}}}')
    assert_problem(answer, 422, "invalid", pointer)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b" ",
        b"{",
        b"{]",
        b"nul",
        b"{'channel': 'wechat'}",
        b'{"channel": "wechat",}',
        b'{"channel": "wechat", "category": "leak"} x',
        b'{"channel": "\xff\xfe"}',
        b'{"channel": "\x00"}',
        b"\xef\xbb\xbf",
        b"\x00",
    ],
)
async def test_broken_json_is_a_malformed_request(city: City, raw: bytes) -> None:
    assert_problem(await post_raw(city, "/reports", raw), 400, "malformed", "")


@pytest.mark.parametrize("raw", [b"null", b"7", b'"text"', b"[]", b"true"])
async def test_json_that_is_no_object_is_invalid(city: City, raw: bytes) -> None:
    assert_problem(await post_raw(city, "/reports", raw), 422, "invalid", "")


NO_JSON = ("/tokens", "/sign-in-links", "/photos", "/accept")
BODIES = [(m, r) for m, r in ROUTES if m == "POST" and not r.endswith(NO_JSON)]


@pytest.mark.parametrize(("method", "route"), BODIES)
async def test_every_route_with_a_body_refuses_what_it_does_not_know(city: City, method: str, route: str) -> None:
    path = (await Things.of(city)).path(route)
    if route != "/overrides":  # which answers item by item: test_overrides.py
        answer = await city.call(method, path, json={"unheard_of": 1})
        assert_problem(answer, 422, "invalid")
        assert answer.json()["errors"]
    for raw in (b"", b"\xff", b"]"):
        assert_problem(await post_raw(city, path, raw), 400, "malformed", "")
    for raw in (b"{", b"[[" * 3000, b'{"a":' * 5000):
        assert (await post_raw(city, path, raw)).status_code in (400, 422)


@pytest.mark.parametrize("depth", [50, 70, 900, 950, 970, 985, 1000, 100_000])
@pytest.mark.parametrize("opening", ["[", '{"a":'])
async def test_deep_nesting_is_taken_or_refused_and_the_city_goes_on(quick: City, depth: int, opening: str) -> None:
    closing = "]" if opening == "[" else "}"
    nested = opening * depth + "0" + closing * depth
    answer = await post_raw(quick, "/reports", f'{{"channel":"w","category":"leak","address":{{"a":{nested}}}}}')
    assert answer.status_code in (201, 400, 422), answer.text[:300]
    if depth <= 50:
        assert answer.status_code == 201
    _, phone = await quick.working()
    order = await quick.report()
    await phone.expect("offer", order=order["id"])
    for other in (await quick.get("/orders"))["items"]:
        await quick.order(other["id"])


async def test_a_body_over_one_mebibyte_is_refused_and_one_below_is_not(city: City) -> None:
    head, tail = b'{"channel":"w","category":"leak"', b"}"
    fits = head + b" " * (MIB - len(head) - len(tail)) + tail
    assert len(fits) == MIB
    assert (await post_raw(city, "/reports", fits)).status_code == 201
    assert_problem(await post_raw(city, "/reports", fits + b" "), 413, "too_large")
    assert_problem(await post_raw(city, "/reports", b"x" * (3 * MIB)), 413, "too_large")


async def test_a_body_of_unknown_length_is_measured_too(city: City) -> None:
    async def much() -> Any:
        for _ in range(40):
            yield b"x" * 65536

    answer = await city.call("POST", "/reports", content=much())
    assert_problem(answer, 413, "too_large")


async def test_zones_may_have_32_mebibytes_and_no_byte_more(city: City) -> None:
    zones = usual_map()
    room = 32 * MIB - len(json.dumps({**zones, "note": ""}))
    fits = json.dumps({**zones, "note": "x" * room}).encode()
    assert len(fits) == 32 * MIB
    answer = await city.call("PUT", "/zones", content=fits)
    assert answer.status_code == 200, answer.text[:300]
    assert_problem(await city.call("PUT", "/zones", content=fits + b" "), 413, "too_large")
    assert_problem(await city.call("PUT", "/zones", content=fits + b" " * MIB), 413, "too_large")
    assert (await city.get("/zones/locate", lon=126.605, lat=45.745)) == {"zone": "z00"}


@pytest.mark.parametrize(
    ("path", "query", "pointer"),
    [
        ("/orders", {"limit": "0"}, "/limit"),
        ("/orders", {"limit": "501"}, "/limit"),
        ("/orders", {"limit": "-1"}, "/limit"),
        ("/orders", {"limit": "ten"}, "/limit"),
        ("/orders", {"limit": "1.5"}, "/limit"),
        ("/orders", {"limit": "9" * 400}, "/limit"),
        ("/crews", {"limit": "501"}, "/limit"),
        ("/sla/clocks", {"limit": "0"}, "/limit"),
        ("/events", {"limit": "501"}, "/limit"),
        ("/events", {"after": "-1"}, "/after"),
        ("/events", {"after": "x"}, "/after"),
        ("/orders", {"state": "lost"}, "/state"),
        ("/orders", {"colour": "red"}, "/colour"),
        ("/orders", {"colour": ""}, "/colour"),
        ("/sla/clocks", {"state": "null"}, "/state"),
        ("/sla/summary", {"from": "null"}, "/from"),
        ("/sla/summary", {"from": "1700000000"}, "/from"),
        ("/orders", {"cursor": "a\0b"}, "/cursor"),
        ("/sla/clocks", {"cursor": "garbage"}, "/cursor"),
        ("/sla/summary", {"cursor": "garbage"}, "/cursor"),
        ("/sla/summary", {"limit": "501"}, "/limit"),
        ("/sla/clocks", {"state": "lost"}, "/state"),
        ("/sla/summary", {"from": "yesterday"}, "/from"),
        ("/sla/summary", {"from": "2026-01-01T00:00:00"}, "/from"),
        ("/sla/summary", {"from": "0001-01-01T00:00:00+14:00"}, "/from"),
        ("/sla/summary", {"to": "9999-12-31T23:59:59-14:00"}, "/to"),
        ("/zones/locate", {"lon": "NaN", "lat": "45"}, "/lon"),
        ("/zones/locate", {"lon": "126", "lat": "inf"}, "/lat"),
        ("/zones/locate", {"lon": "126", "lat": "91"}, "/lat"),
        ("/zones/locate", {"lon": "126"}, "/lat"),
        ("/zones/locate", {"lon": "x", "lat": "45"}, "/lon"),
        ("/zones", {"version": "1"}, "/version"),
    ],
)
async def test_a_wrong_query_parameter_is_named(city: City, path: str, query: dict[str, str], pointer: str) -> None:
    assert_problem(await city.call("GET", path, params=query), 422, "invalid", pointer)


@pytest.mark.parametrize(
    ("method", "path", "given", "choices"),
    [
        ("POST", "/users", {"name": "甲", "role": "boss"}, "admin dispatcher monitor intake"),
        ("POST", "/reports", {**REPORT, "location": {"lon": 1, "lat": 1, "crs": "x"}}, "wgs84 gcj02 bd09"),
        (
            "POST",
            "/orders/x/override",
            {"action": "dance", "reason": "x"},
            "assign revoke hold release offer move undo",
        ),
        (
            "POST",
            "/orders/x/override",
            {"action": "pause", "reason": "x", "pause_reason": "x"},
            "resident_absent waiting_part waiting_utility",
        ),
        ("GET", "/sla/clocks", {"state": "lost"}, "running at_risk breached met paused"),
        ("GET", "/zones/locate", {"lon": "1", "lat": "1", "crs": "x"}, "wgs84 gcj02 bd09"),
    ],
)
async def test_a_wrong_choice_is_told_the_right_ones(
    city: City, method: str, path: str, given: dict[str, Any], choices: str
) -> None:
    sent: dict[str, Any] = {"params": given} if method == "GET" else {"json": given}
    document = assert_problem(await city.call(method, path, **sent), 422, "invalid")
    assert set(choices.split()) <= set(document["errors"][0]["detail"].replace(",", "").split())


async def test_a_wrong_mode_of_a_zone_is_told_the_right_ones(city: City) -> None:
    answer = await city.call("PUT", "/zones", json=usual_map({"mode": "lottery"}))
    assert answer.status_code == 422
    assert "first" in answer.text and "sealed" in answer.text


@pytest.mark.parametrize(
    "moment", ["2026-01-01T00:00:00+08:00", "2026-01-01T00:00:00.5+0800", "2026-01-01 00:00:00+08:00"]
)
async def test_a_plus_that_nobody_escaped_is_one(city: City, moment: str) -> None:
    answer = await city.call("GET", f"/sla/summary?from={moment}")
    assert answer.status_code == 200, answer.text
    assert_problem(await city.call("GET", "/sla/summary?from=2026-01-01+00:00:00"), 422, "invalid", "/from")


async def test_too_large_headers_are_called_so(city: City) -> None:
    document = assert_problem(
        await city.call("GET", "/zones", headers={"X-Much": "x" * 20_000}), 431, "headers_too_large"
    )
    assert "headers have more than 8192 bytes" in document["detail"]


@pytest.mark.parametrize("encoding", ["gzip", "br", "GZIP", "deflate, gzip"])
async def test_a_packed_body_is_refused_with_the_way_out(city: City, encoding: str) -> None:
    packed = gzip.compress(json.dumps(REPORT).encode())
    answer = await city.call("POST", "/reports", content=packed, headers={"Content-Encoding": encoding})
    document = assert_problem(answer, 415, "encoded_body")
    assert encoding in document["detail"] and "without" in document["detail"]
    answer = await city.call("POST", "/reports", json=REPORT, headers={"Content-Encoding": "identity"})
    assert answer.status_code == 201


async def test_a_query_parameter_given_twice_is_refused(city: City) -> None:
    answer = await city.call("GET", "/orders?limit=5&limit=6")
    assert_problem(answer, 422, "invalid", "/limit")


async def test_the_limits_of_limits_are_allowed(city: City) -> None:
    for path in ("/orders", "/crews", "/sla/clocks", "/events"):
        for limit in (1, 500):
            await city.get(path, limit=limit)


@pytest.mark.parametrize("path", ["/nothing", "/orders/a/b/c", "/orders/../../etc", "/zones/zones", "", "/"])
async def test_an_unknown_path_is_a_problem_document(city: City, path: str) -> None:
    assert_problem(await city.http.get(f"/api/v1{path}"), 404, "not_found")
    assert_problem(await city.http.post(f"/api/v1{path}", content=b"x"), 404, "not_found")
    assert_problem(await city.http.get("/nowhere"), 404, "not_found")


async def test_a_wrong_method_is_a_problem_document(city: City) -> None:
    for route, known in METHODS.items():
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            if method not in known:
                answer = await city.call(method, route.format("x"))
                assert_problem(answer, 405, "method_not_allowed")
                assert set(answer.headers["allow"].split(", ")) == known
                if method == "GET":
                    assert (await city.http.head(f"/api/v1{route.format('x')}")).status_code == 405


METHODS: dict[str, set[str]] = {}
for one, of in ROUTES:
    METHODS.setdefault(of, {"OPTIONS"}).update({"GET", "HEAD"} if one == "GET" else {one})


async def test_options_tell_what_a_route_knows_without_a_token(city: City) -> None:
    asked = {f"/api/v1{route.format('x')}": known for route, known in METHODS.items()}
    for page in ("/healthz", "/metrics", "/openapi.json", "/console"):
        asked[page] = {"GET", "HEAD", "OPTIONS"}
    for path, known in asked.items():
        answer = await city.http.options(path)
        assert (answer.status_code, answer.content) == (204, b""), path
        assert set(answer.headers["allow"].split(", ")) == known, path
    assert (await city.http.options("/api/v1/nothing")).status_code == 404


LOOKS = [
    "/healthz",
    "/readyz",
    "/metrics",
    "/openapi.json",
    "/asyncapi.json",
    "/basemap.json",
    "/demo.json",
    "/console",
]


async def test_head_is_get_without_the_body(city: City) -> None:
    things = await Things.of(city)
    shown = {f"/api/v1{things.path(route)}": QUERY.get(route, {}) for method, route in ROUTES if method == "GET"}
    for path, query in {**shown, **{page: {} for page in LOOKS}}.items():
        role = (await city.crew()).token if path.endswith("/me/day") else city.tokens["admin"]
        headers = {"Authorization": f"Bearer {role}"}
        whole = await city.http.get(path, params=query, headers=headers)
        head = await city.http.head(path, params=query, headers=headers)
        assert (head.status_code, head.content) == (whole.status_code, b""), path
        assert head.status_code in (200, 204, 503 if path == "/console" else 200), path  # 503: pages that nobody built
        assert head.headers.get("content-type") == whole.headers.get("content-type"), path
    assert (await city.http.head("/api/v1/orders")).status_code == 401


async def each(texts: list[str], do: Callable[[int, str], Awaitable[None]]) -> None:
    """Do it for each of the strings, some at a time."""
    queue = list(enumerate(texts))

    async def work() -> None:
        while queue:
            await do(*queue.pop())

    await asyncio.gather(*(work() for _ in range(6)))


@pytest.mark.parametrize("path", ["/ws/v1/crew", "/ws/v1/console"])
async def test_a_socket_asked_for_as_a_page_is_a_problem_document(city: City, path: str) -> None:
    for headers in ({}, {"Upgrade": "websocket", "Connection": "Upgrade"}, {"Upgrade": "h2c", "Connection": "Upgrade"}):
        answer = await city.http.get(path, headers=headers)
        assert 400 <= answer.status_code < 500, f"{answer.status_code} {answer.text}"
        assert answer.headers["content-type"] == "application/problem+json"


async def test_an_address_that_would_cut_phones_off_is_refused_by_name(city: City) -> None:
    long = {"street": "长" * 3000}
    answer = await city.call("POST", "/reports", json={"channel": "t", "category": "no_heat", "address": long})
    assert_problem(answer, 422, "invalid", "/address")


async def test_a_name_of_any_length_in_a_path_is_not_found(city: City) -> None:
    for length in (65, 1000, 7000):
        assert_problem(await city.call("GET", f"/orders/{'x' * length}"), 404, "not_found")
    for path in ("/orders/x%2Fy", "/orders/%E5%95%8A", "/orders/%FF%FE", "/orders/x%00"):
        assert_problem(await city.call("GET", path), 404, "not_found")


async def test_naughty_strings_are_kept_as_they_are_or_refused_by_name(city: City, naughty_strings: list[str]) -> None:
    async def taken(number: int, text: str) -> None:
        fields = {
            "description": text,
            "address": {"路": text, text or "k": [text]},
            "contact": {"name": text[:200], "phone": text[:64]},
            "category": text[:64] or "x",
            "channel": text[:64] or "x",
            "external_id": f"{number} {text}"[:200],
            "required_skills": [text[:64] or "x"],
        }
        answer = await city.call("POST", "/reports", json=fields)
        assert answer.status_code in (201, 422), f"{text!r}: {answer.text}"
        if answer.status_code == 422:
            assert answer.json()["errors"][0]["pointer"], f"{text!r}"
            return
        made = answer.json()
        assert made["order"]["address"] == fields["address"]
        again = await city.call("POST", "/reports", json=fields)
        assert (again.status_code, again.json()["id"]) == (200, made["id"])
        whole = await city.order(made["order"]["id"])
        assert (whole["description"], whole["contact"], whole["category"]) == (
            text,
            fields["contact"],
            fields["category"],
        )

    await each(naughty_strings, taken)


async def test_naughty_strings_as_names_and_reasons(city: City, naughty_strings: list[str]) -> None:
    order = (await city.report())["id"]

    async def taken(number: int, text: str) -> None:
        name = text[:200]
        crew = await city.call("POST", "/crews", json={"name": name, "skills": [text[:64] or "x"]})
        user = await city.call("POST", "/users", json={"name": name, "role": "intake"})
        for answer in (crew, user):
            assert answer.status_code == (201 if name else 422), f"{text!r}: {answer.text}"
        action = "hold" if number % 2 == 0 else "release"
        answer = await city.call("POST", f"/orders/{order}/override", json={"action": action, "reason": text[:2000]})
        if text.strip():
            assert answer.status_code in (200, 409), f"{text!r}: {answer.text}"
        else:
            assert_problem(answer, 422, "invalid", "/reason")

    await each(naughty_strings, taken)
    crews, cursor = [], None
    while True:
        page = await city.get("/crews", limit=500, **({"cursor": cursor} if cursor else {}))
        crews += page["items"]
        if (cursor := page["next"]) is None:
            break
    assert sorted(crew["name"] for crew in crews) == sorted(text[:200] for text in naughty_strings if text)


async def test_naughty_strings_in_paths_and_queries(city: City, naughty_strings: list[str]) -> None:
    headers = {"Authorization": f"Bearer {city.tokens['admin']}"}

    async def looked_for(_: int, text: str) -> None:
        quoted = quote(text.encode("utf-8", "surrogatepass"), safe="")
        answer = await city.http.get(f"/api/v1/orders/{quoted}", headers=headers)
        # Nothing, or dots, make another path of it.
        assert answer.status_code in ((404,) if quoted.strip(".") else (200, 404, 405)), f"{text!r}: {answer.text}"
        asked = "&".join(f"{name}={quoted}" for name in ("zone", "crew", "cursor"))
        answer = await city.http.get(f"/api/v1/orders?{asked}", headers=headers)
        assert answer.status_code in (200, 422), f"{text!r}: {answer.text}"
        answer = await city.http.get(f"/api/v1/orders?state={quoted}&{quoted}=1", headers=headers)
        assert answer.status_code in (200, 422), f"{text!r}: {answer.text}"

    await each([*naughty_strings, "%00", "\0", "a/b", "..", "%", "\ud800"], looked_for)


async def test_naughty_strings_as_tokens_and_keys(city: City, naughty_strings: list[str]) -> None:
    async def tried(_: int, text: str) -> None:
        raw = text.encode("utf-8").replace(b"\r", b"").replace(b"\n", b"").replace(b"\0", b"").strip()
        if not raw or any(byte < 32 for byte in raw):
            return
        answer = await city.http.get("/api/v1/zones", headers={b"Authorization": b"Bearer " + raw})
        assert answer.status_code == 401, f"{text!r}: {answer.text}"
        keyed = {b"Authorization": f"Bearer {city.tokens['admin']}".encode(), b"Idempotency-Key": raw}
        answer = await city.http.post("/api/v1/crews", json={"name": "x"}, headers=keyed)
        assert answer.status_code in (201, 422), f"{text!r}: {answer.text}"

    await each(naughty_strings, tried)


async def test_a_key_that_is_no_text_is_refused_by_name(city: City) -> None:
    for raw in (b"\xff\xfe", b"\xed\xa0\x80", "键".encode("gb18030")):
        keyed = {b"Authorization": f"Bearer {city.tokens['admin']}".encode(), b"Idempotency-Key": raw}
        answer = await city.http.post("/api/v1/crews", json={"name": "x"}, headers=keyed)
        assert_problem(answer, 422, "invalid", "/Idempotency-Key")
    assert (await city.get("/crews"))["items"] == []


async def test_a_proxy_that_names_no_text_as_its_host_makes_no_sign_in_link_fail(city: City) -> None:
    crew = await city.crew()
    for name in (b"X-Forwarded-Host", b"X-Forwarded-Proto"):
        headers = {b"Authorization": f"Bearer {city.tokens['admin']}".encode(), name: b"\xff"}
        answer = await city.http.post(f"/api/v1/crews/{crew.id}/sign-in-links", headers=headers)
        assert answer.status_code == 201, answer.text


@pytest.mark.parametrize("header", ["User-Agent: 手机", "X-From: 道里区", "Cookie: \x7f"])
async def test_a_socket_opens_whatever_a_header_says_that_nobody_reads(city: City, header: str) -> None:
    for path in ("crew", "console"):
        answer = await raw_request(
            city,
            f"GET /ws/v1/{path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {'A' * 22}==\r\nSec-WebSocket-Protocol: qiangdan.v1\r\n"
            f"{header}\r\n\r\n",
        )
        assert answer.startswith(b"HTTP/1.1 101 "), answer


@pytest.mark.parametrize("header", ["Sec-WebSocket-Key: 键", "Sec-WebSocket-Version: 版", "Sec-WebSocket-Protocol: 议"])
async def test_a_handshake_that_says_what_it_must_in_no_ascii_is_a_problem_document(city: City, header: str) -> None:
    given = {
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "A" * 22 + "==",
        "Sec-WebSocket-Protocol": "qiangdan.v1",
    }
    name, _, value = header.partition(": ")
    lines = "".join(f"{key}: {text}\r\n" for key, text in {**given, name: value}.items())
    answer = await raw_request(
        city, f"GET /ws/v1/crew HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{lines}\r\n"
    )
    assert answer.startswith(b"HTTP/1.1 400 ") and b"application/problem+json" in answer, answer


@pytest.mark.parametrize("address", ["?", "abc", "http://", "http://[", "/\x7f"])
async def test_an_address_that_cannot_be_read_is_a_problem_document(city: City, address: str) -> None:
    answer = await raw_request(city, f"GET {address} HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ") and b"application/problem+json" in answer, answer


async def raw_request(city: City, text: str) -> bytes:
    """The head of the answer to a request that no client would let pass."""
    address = httpx.URL(city.installation.url)
    reader, writer = await asyncio.open_connection(address.host, address.port)
    try:
        writer.write(text.encode())
        async with asyncio.timeout(10):
            return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        return error.partial
    finally:
        writer.close()


async def test_naughty_strings_on_the_crew_socket(quick: City, naughty_strings: list[str]) -> None:
    _, phone = await quick.working()
    order = await quick.report()
    await phone.expect("offer", order=order["id"])
    for text in naughty_strings:
        if not 0 < len(text) <= 64 or "\0" in text:
            continue
        await phone.say("decline", id=text, order="nothing", reason=text)
        assert (await phone.expect("progress_ack", id=text))["error"] == "unknown_order"
        if len(phone.of("grab_result")) < 150:  # more at once would be too fast for a person
            await phone.say("grab", id=text, order=text)
            assert (await phone.expect("grab_result", id=text))["reason"] == "unknown_order"
        await phone.say("ping", text=text, **{"键" + text: text})
        assert (await phone.expect("pong", text=text))["键" + text] == text
    assert phone.of("error") == []
    assert (await phone.verdict(order["id"]))["won"] is True
    for number, text in enumerate(naughty_strings):
        to = "en_route" if number == 0 else "arrived" if number == 1 else "resolved"
        evidence = {"note": text[:4000], "photo": text}
        acked = await phone.progress(order["id"], to, evidence=evidence)
        assert "error" not in acked, f"{text!r}: {acked}"


async def test_a_report_is_never_refused_for_its_place(city: City) -> None:
    for location in (None, {"lon": 0, "lat": 0}, {"lon": 180, "lat": 90}, {"lon": -180.0, "lat": -90.0}):
        for crs in ("wgs84", "gcj02", "bd09"):
            body = {**REPORT, **({"location": {**location, "crs": crs}} if location else {}), "address": {}}
            answer = await city.post("/reports", body)
            assert answer["order"]["state"] == "unzoned"
            assert answer["order"]["zone"] is None
            assert set(answer["order"]["clocks"]) == {"hand_down", "arrival", "resolve"}


@pytest.mark.parametrize("place", [(181, 0), (0, -90.1), (45.74, 126.6), (1e300, -1e300)])
async def test_numbers_that_are_no_place_wait_for_a_dispatcher(city: City, place: tuple[float, float]) -> None:
    answer = await city.post("/reports", {**REPORT, "location": {"lon": place[0], "lat": place[1]}})
    assert (answer["order"]["state"], answer["order"]["location"]) == ("unzoned", None)
    shown = await city.get(f"/reports/{answer['id']}")
    assert {"lon": place[0], "lat": place[1]}.items() <= shown["report"]["location"].items()


async def test_a_report_in_a_zone_is_offered(city: City) -> None:
    order = await city.report(1, 1)
    assert (order["state"], order["zone"], order["severity"], order["crew"], order["claimed_by"]) == (
        "offered",
        "z11",
        2,
        None,
        None,
    )
    lon, lat = centre(1, 1)
    assert order["location"] == {"lon": lon, "lat": lat}
