"""GeoReport v2: a request comes in as a form and is a report like any other, and goes out again as JSON and XML."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree

import httpx
import pytest

from tests.acceptance.city import City, centre
from tests.acceptance.conftest import MakeCity
from tests.acceptance.sockets import fresh_id
from tests.acceptance.test_input import each
from tests.acceptance.waiting import until

URL = "/open311/v2"
FORM: dict[str, Any] = {
    "service_code": "leak",
    "address_string": "道里区友谊路1号3栋2单元501",
    "address_id": "545483",
    "description": "暖气片漏水\n请快来",
    "first_name": "秀兰",
    "last_name": "王",
    "phone": "13800000000",
    "email": "wang@example.com",
    "device_id": "d-1",
    "account_id": "77",
    "media_url": "https://example.com/1.jpg",
    "attribute[ROOMS][]": ["客厅", "卧室"],
    "attribute[FLOOR]": "5",
}
SECRETS = ("友谊路", "545483", "漏水", "秀兰", "13800000000", "wang@", "example.com", "客厅")


def place(column: int = 0) -> dict[str, str]:
    """A place in a zone, to seven decimals."""
    lon, lat = centre(column)
    return {"lat": f"{lat + 0.0004321:.7f}", "long": f"{lon + 0.0001234:.7f}"}


async def ask(city: City, path: str, *, role: str | None = None, **query: Any) -> httpx.Response:
    """Ask about the city's requests, with a role's key or without one."""
    key = {"api_key": city.tokens[role]} if role else {}
    return await city.http.get(f"{URL}/{path}", params={"jurisdiction_id": city.id, **key, **query})


async def shown(city: City, path: str = "requests.json", *, role: str | None = None, **query: Any) -> Any:
    """What is answered; the same is asked for as XML, and must say the same."""
    answer = await ask(city, path, role=role, **query)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    said = answer.json()
    other = await ask(city, path.replace(".json", ".xml"), role=role, **query)
    assert other.headers["content-type"] == "text/xml; charset=utf-8"
    assert read_xml(other) == as_texts(said)
    return said


def read_xml(answer: httpx.Response) -> Any:
    """An XML answer as lists and dicts of texts, as JSON would have it."""
    assert answer.content.startswith(b'<?xml version="1.0" encoding="UTF-8"?>\n'), answer.text[:80]
    return read_element(ElementTree.fromstring(answer.content))


LISTS = {"services", "service_requests", "errors", "attributes", "endpoints", "formats"}


def read_element(element: ElementTree.Element) -> Any:
    if element.tag in LISTS:
        return [read_element(member) for member in element]
    return {member.tag: read_element(member) for member in element} if len(element) else element.text or ""


def as_texts(value: Any) -> Any:
    """A JSON answer with everything in it as XML writes it."""
    if isinstance(value, dict):
        return {name: as_texts(member) for name, member in value.items()}
    if isinstance(value, list):
        return [as_texts(member) for member in value]
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value).replace("\r", "\n")


async def send(city: City, *, format: str = "json", key: str | None = None, **fields: Any) -> httpx.Response:
    """Send a form as an intake client."""
    form = {"api_key": key or city.tokens["intake"], "service_code": "leak", **fields}
    return await city.http.post(f"{URL}/requests.{format}", data=form)


async def sent(city: City, **fields: Any) -> str:
    """Send a form that is taken; the id of its request."""
    answer = await send(city, **fields)
    assert answer.status_code == 201, answer.text
    (one,) = answer.json()
    made: str = one["service_request_id"]
    return made


def assert_refused(answer: httpx.Response, status: int, named: str) -> None:
    """The answer is GeoReport's error of this status, in the format asked for, and begins with what is wrong."""
    assert answer.status_code == status, f"{answer.status_code}: {answer.text[:500]}"
    xml = answer.request.url.path.endswith(".xml")
    (error,) = read_xml(answer) if xml else answer.json()
    assert error["code"] == (str(status) if xml else status)
    assert error["description"].startswith(named), error


async def test_discovery_leads_here(city: City) -> None:
    for path in ("discovery.json", "discovery"):
        said = (await city.http.get(f"{URL}/{path}")).json()
        (endpoint,) = said["endpoints"]
        assert endpoint["specification"] == "http://wiki.open311.org/GeoReport_v2"
        assert endpoint["url"] == f"{city.installation.url}{URL}"
        assert set(endpoint["formats"]) == {"application/json", "text/xml"}
    assert read_xml(await city.http.get(f"{URL}/discovery.xml")) == as_texts(said)
    assert (await city.http.get(f"{URL}/")).json() == said


async def test_services_are_listed_and_each_has_a_definition(city: City) -> None:
    services = await shown(city, "services.json")
    assert {"leak", "burst", "no_heat"} <= {service["service_code"] for service in services}
    for service in services:
        assert set(service) == {
            "service_code",
            "service_name",
            "description",
            "metadata",
            "type",
            "keywords",
            "group",
        }
        code = service["service_code"]
        assert await shown(city, f"services/{code}.json") == {"service_code": code, "attributes": []}
    assert_refused(await ask(city, "services/paint.xml"), 404, "service_code: 'paint'")
    assert_refused(await city.http.get(f"{URL}/services.json?jurisdiction_id=nowhere"), 404, "jurisdiction_id")


async def test_a_request_is_taken_dispatched_resolved_and_seen_all_the_way(quick: City) -> None:
    _, phone = await quick.working()
    answer = await send(quick, format="xml", **FORM, **place())
    assert answer.status_code == 201
    (receipt,) = read_xml(answer)
    order_id = receipt["service_request_id"]
    assert receipt["account_id"] == "77"
    assert receipt["service_notice"]

    offer = await phone.expect("offer", order=order_id)
    assert offer["order"]["address"] == {"text": FORM["address_string"], "address_id": "545483"}
    order = await quick.order(order_id)
    assert (order["state"], order["zone"], order["category"]) == ("offered", "z00", "leak")
    assert (order["description"], order["contact"]) == (FORM["description"], {"name": "王秀兰", "phone": "13800000000"})

    (seen,) = await shown(quick, role="dispatcher")
    assert seen == (await shown(quick, f"requests/{order_id}.json", role="dispatcher"))[0]
    assert (seen["service_request_id"], seen["status"], seen["status_notes"]) == (order_id, "open", "待抢")
    assert (seen["description"], seen["address"], seen["address_id"]) == (
        FORM["description"],
        FORM["address_string"],
        "545483",
    )
    assert {"lat": str(seen["lat"]), "long": str(seen["long"])} == place()
    assert seen["media_url"] == FORM["media_url"]
    assert instant(seen["requested_datetime"]) == instant(order["reported_at"]).replace(microsecond=0)
    assert seen["requested_datetime"].endswith("+08:00")
    assert instant(seen["expected_datetime"]) == instant(order["clocks"]["resolve"]["due_at"]).replace(microsecond=0)

    await phone.grab(order_id)
    assert (await phone.verdict(order_id))["won"]
    await phone.progress(order_id, "arrived")
    (on_site,) = await shown(quick, status="open")
    assert on_site["status_notes"] == "已到场"
    await phone.progress(order_id, "resolved")
    assert await shown(quick, status="open") == []
    (done,) = await shown(quick, status="closed")
    assert (done["service_request_id"], done["status"], done["status_notes"]) == (order_id, "closed", "已办结")
    timeline = (await quick.order(order_id))["timeline"]
    resolved = instant(next(event["at"] for event in timeline if event["kind"] == "order.resolved"))

    async def a_second_later() -> bool:
        return datetime.now(UTC) > resolved + timedelta(seconds=1)

    await until(a_second_later)
    await quick.post(f"/orders/{order_id}/rating", {"stars": 5, "resolved": True}, expect=200)
    (rated,) = await shown(quick, status="closed")
    assert rated["status_notes"] == "已关闭"
    assert instant(rated["updated_datetime"]) == resolved.replace(microsecond=0)


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


async def test_what_has_no_place_in_an_order_is_kept_with_the_report_alone(quick: City) -> None:
    _, phone = await quick.working()
    order = await sent(quick, **FORM, **place(), source="app")
    await phone.expect("offer", order=order)
    reported = next(event for event in await quick.events() if event["kind"] == "order.reported")
    report = (await quick.get(f"/reports/{reported['data']['report']}", role="intake"))["report"]
    assert report["channel"] == "open311"
    assert report["extra"] == {
        "email": "wang@example.com",
        "device_id": "d-1",
        "account_id": "77",
        "media_url": "https://example.com/1.jpg",
        "attribute[ROOMS][]": ["客厅", "卧室"],
        "attribute[FLOOR]": "5",
        "source": "app",
    }
    told = str([*phone.of("offer"), *await quick.events(), await quick.order(order)])
    assert not any(text in told for text in ("wang@", "example.com", "客厅", "d-1"))


async def test_extra_of_a_report_over_rest_is_kept_too(city: City) -> None:
    body = {"channel": "wechat", "category": "leak", "extra": {"openid": "x", "photos": ["a", "b"]}}
    made = await city.post("/reports", body, role="intake")
    assert (await city.get(f"/reports/{made['id']}"))["report"]["extra"] == body["extra"]


async def test_without_a_key_nobody_learns_who_lives_where(quick: City) -> None:
    order = await sent(quick, **FORM, **place())
    await quick.override(order, "transfer", to="二热 王秀兰 13800000000")
    for path in ("requests.json", f"requests/{order}.json"):
        (seen,) = await shown(quick, path)
        lon, lat = centre(0)
        assert (seen["lat"], seen["long"]) == (round(lat + 0.0004321, 3), round(lon + 0.0001234, 3))
        assert not any(secret in str(seen) for secret in SECRETS), seen
    for role in ("intake", "dispatcher", "monitor", "admin"):
        (whole,) = await shown(quick, role=role)
        assert {"lat": str(whole["lat"]), "long": str(whole["long"])} == place()
        assert whole["address"] == FORM["address_string"]
        assert "phone" not in whole
        assert "秀兰" not in f"{whole['address']}{whole['description']}"


async def test_an_installation_may_keep_its_requests_for_those_with_a_key(city: City) -> None:
    await sent(city)
    async with httpx.AsyncClient(base_url=city.installation.other_url, trust_env=False, verify=False) as http:
        for path in ("requests.xml", "requests/o1.json", "tokens/o1.json"):
            assert_refused(await http.get(f"{URL}/{path}"), 403, "api_key: was not provided")
        keyed = {"Authorization": f"Bearer {city.tokens['monitor']}"}
        assert len((await http.get(f"{URL}/requests.json", headers=keyed)).json()) == 1
        assert (await http.get(f"{URL}/services.json")).status_code == 200


@pytest.mark.parametrize("format", ["json", "xml"])
async def test_who_may_write_and_who_may_read(city: City, format: str) -> None:
    crew = await city.crew()
    for role, token in {**city.tokens, "crew": crew.token, "nobody": "nobody"}.items():
        answer = await send(city, format=format, key=token)
        if role in ("intake", "admin"):
            assert answer.status_code == 201
        else:
            assert_refused(answer, 403, "api_key")
        answer = await city.http.get(f"{URL}/requests.{format}", params={"api_key": token})
        if role in city.tokens:
            assert answer.status_code == 200
        else:
            assert_refused(answer, 403, "api_key")
    answer = await city.http.post(f"{URL}/requests.{format}", data={"service_code": "leak"})
    assert_refused(answer, 403, "api_key: was not provided")
    assert len(await shown(city)) == 2


async def test_a_key_may_stand_in_the_form_the_address_or_the_header(city: City) -> None:
    token, form = city.tokens["intake"], {"service_code": "leak"}
    answers = [
        await city.http.post(f"{URL}/requests.json", data={**form, "api_key": token}),
        await city.http.post(f"{URL}/requests.json", data=form, params={"api_key": token}),
        await city.http.post(f"{URL}/requests.json", data=form, headers={"Authorization": f"Bearer {token}"}),
    ]
    assert [answer.status_code for answer in answers] == [201] * 3
    reports = [event["data"]["report"] for event in await city.events() if event["kind"] == "order.reported"]
    for report in reports:
        assert token not in str(await city.get(f"/reports/{report}"))


async def test_cities_stay_apart(make_city: MakeCity) -> None:
    ours: City = await make_city()
    theirs: City = await make_city()
    order = await sent(theirs)
    assert [one["service_request_id"] for one in await shown(theirs)] == [order]
    assert await shown(ours) == await shown(ours, role="admin") == []
    assert await shown(ours, role="admin", service_request_id=order) == []
    assert_refused(await ask(ours, f"requests/{order}.json", role="admin"), 404, "service_request_id")
    assert_refused(await ask(ours, f"tokens/{order}.xml"), 404, "service_request_id")
    named = {"jurisdiction_id": theirs.id}
    answer = await send(ours, **named)
    assert_refused(answer, 404, "jurisdiction_id")
    query = {**named, "api_key": ours.tokens["admin"]}
    assert_refused(await ours.http.get(f"{URL}/requests.json", params=query), 404, "jurisdiction_id")
    assert_refused(await ours.http.get(f"{URL}/requests.json", params={"jurisdiction_id": "nowhere"}), 404, "jurisdic")
    assert (await send(ours, jurisdiction_id=ours.id)).status_code == 201
    assert order not in str((await ours.http.get(f"{URL}/requests.json")).json())  # that is the city `default`


@pytest.mark.parametrize("format", ["json", "xml"])
@pytest.mark.parametrize(
    ("fields", "status", "named"),
    [
        ({"service_code": ""}, 400, "service_code: was not provided"),
        ({"service_code": "paint"}, 404, "service_code: 'paint'"),
        ({"lat": "45.7"}, 400, "long: was not provided"),
        ({"lat": "north", "long": "126"}, 400, "lat: 'north'"),
        ({"lat": "45.7", "long": "NaN"}, 400, "long: 'NaN'"),
        ({"phone": "1" * 65}, 400, "phone: "),
        ({"description": "x" * 10_001}, 400, "description: "),
        ({"description": "a\0b"}, 400, "description: "),
        ({"media_url": ["a", "b"]}, 400, "media_url: given more than once"),
    ],
)
async def test_a_wrong_parameter_is_named(city: City, fields: Any, status: int, named: str, format: str) -> None:
    assert_refused(await send(city, format=format, **fields), status, named)
    assert await shown(city) == []


@pytest.mark.parametrize(
    "fields", [{}, {"lat": "91", "long": "200"}, {"lat": "0", "long": "0"}, {"address_string": "?"}]
)
async def test_a_request_is_never_refused_for_its_place(city: City, fields: dict[str, str]) -> None:
    order = await city.order(await sent(city, **fields))
    assert (order["state"], order["zone"]) == ("unzoned", None)


async def test_other_bodies_are_refused_with_the_way_out(city: City) -> None:
    token = city.tokens["intake"].encode()

    async def post(content: bytes, kind: bytes = b"application/x-www-form-urlencoded") -> httpx.Response:
        headers = {b"Authorization": b"Bearer " + token, b"Content-Type": kind}
        return await city.http.post(f"{URL}/requests.json", content=content, headers=headers)

    assert_refused(await post(b'{"service_code": "leak"}', b"application/json"), 400, "a request is sent as")
    assert_refused(await post(b"x", b"\xff\xfe"), 400, "a request is sent as")
    for content in (b"service_code=leak&description=\xff", b"service_code=leak&description=%FF", b"a=1&" * 2000):
        assert_refused(await post(content), 400, "the form")
    for content in (b"", b"--x", b"--x\r\n\r\n--x--", b"--x\r\nContent-Disposition\r\n\r\nleak\r\n--x--"):
        for kind in (b"multipart/form-data", b"multipart/form-data; boundary=x"):
            assert (await post(content, kind)).status_code == 400
    assert_refused(await post(b"description=" + b"x" * 1024 * 1024), 413, "the body")
    packed = {"Content-Encoding": "gzip", "Authorization": f"Bearer {city.tokens['intake']}"}
    assert_refused(await city.http.post(f"{URL}/requests.xml", content=b"x", headers=packed), 415, "the body says")
    assert await shown(city) == []


async def test_a_form_in_parts_is_taken_and_a_file_with_it_is_said_to_be_lost(city: City) -> None:
    keyed = {"Authorization": f"Bearer {city.tokens['intake']}"}
    form = {"service_code": "burst", "description": "爆管\r\n快来", "lat": "45.745", "long": "126.605"}
    answer = await city.http.post(f"{URL}/requests.json", data=form, files={"media": b"\xff\xd8"}, headers=keyed)
    assert answer.status_code == 201, answer.text
    assert "media_url" in answer.json()[0]["service_notice"]
    order = await city.order(answer.json()[0]["service_request_id"])
    assert (order["category"], order["zone"], order["description"]) == ("burst", "z00", "爆管\r\n快来")


async def test_the_same_key_and_form_give_the_first_answer_again(city: City) -> None:
    keyed = {"Idempotency-Key": f"key-{fresh_id()}", "Authorization": f"Bearer {city.tokens['intake']}"}
    form = {"service_code": "leak", "description": "漏水", "account_id": "77"}

    async def post(**fields: str) -> httpx.Response:
        return await city.http.post(f"{URL}/requests.json", data={**form, **fields}, headers=keyed)

    answers = await asyncio.gather(*(post() for _ in range(6)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    other = await city.http.post(f"{URL}/requests.xml", data=form, headers=keyed)
    assert read_xml(other) == as_texts(answers[0].json())
    assert (await post(api_key=city.tokens["intake"])).text == answers[0].text
    assert_refused(await post(description="别的"), 422, "This Idempotency-Key")
    assert len(await shown(city)) == 1
    bad = {**keyed, "Idempotency-Key": "x" * 201}
    assert_refused(await city.http.post(f"{URL}/requests.json", data=form, headers=bad), 400, "/Idempotency-Key")


async def test_requests_are_found_by_id_service_status_and_time(city: City) -> None:
    now = datetime.now(UTC)
    old = await city.report(category="noise", reported_at=(now - timedelta(days=100)).isoformat())
    recent = await city.report(category="leak", reported_at=(now - timedelta(days=3)).isoformat())
    merged = await city.report(category="burst")
    last = await city.report(category="no_heat")
    await city.override(merged["id"], "merge", into=last["id"])

    async def found(**query: Any) -> list[str]:
        return [one["service_request_id"] for one in await shown(city, **query)]

    assert await found() == [last["id"], merged["id"], recent["id"]]
    assert await found(service_code="leak,burst") == [merged["id"], recent["id"]]
    assert await found(status="closed") == [merged["id"]]
    assert await found(status="open,closed", service_code="noise") == []
    assert await found(status="open") == [last["id"], recent["id"]]
    assert await found(end_date=(now - timedelta(days=20)).isoformat()) == [old["id"]]
    assert await found(start_date=(now - timedelta(days=4)).isoformat(), end_date=now.isoformat()) == [recent["id"]]
    assert await found(service_request_id=f"{old['id']},{last['id']},nothing", status="closed") == [
        last["id"],
        old["id"],
    ]
    (one,) = await shown(city, f"requests/{merged['id']}.json")
    assert one["status_notes"] == f"已并单,并入 {last['id']}"
    token = await shown(city, f"tokens/{old['id']}.json")
    assert token == [{"service_request_id": old["id"], "token": old["id"]}]


async def test_pages_hold_every_request_once_and_lead_on(city: City) -> None:
    orders = [(await city.report())["id"] for _ in range(5)]
    answer = await ask(city, "requests.json", page_size=2, status="open")
    seen = [one["service_request_id"] for one in answer.json()]
    while "next" in answer.links:
        answer = await city.http.get(answer.links["next"]["url"])
        assert answer.json()
        seen += [one["service_request_id"] for one in answer.json()]
    assert seen == orders[::-1]
    assert (await ask(city, "requests.json", page=4, page_size=2)).json() == []
    assert "next" not in (await ask(city, "requests.json", page_size=5)).links


@pytest.mark.parametrize("format", ["json", "xml"])
@pytest.mark.parametrize(
    ("query", "named"),
    [
        ({"status": "done"}, "status: 'done'"),
        ({"start_date": "yesterday"}, "start_date: 'yesterday'"),
        ({"start_date": "2020-01-01T00:00:00Z"}, "start_date: more than 90 days"),
        ({"page": "0"}, "page: '0'"),
        ({"page_size": "1001"}, "page_size: at most 1000"),
        ({"service_code": "a\0b"}, "service_code: "),
    ],
)
async def test_a_wrong_question_is_named(city: City, query: dict[str, str], named: str, format: str) -> None:
    assert_refused(await ask(city, f"requests.{format}", **query), 400, named)


async def test_a_parameter_that_nobody_knows_hinders_no_reader(city: City) -> None:
    assert await shown(city, extensions="true", _="1700000000") == []


async def test_without_an_ending_the_client_says_what_it_takes(city: City) -> None:
    for path in ("requests", "services", "services/leak", "discovery"):
        for accept, kind in (
            ("*/*", "application/json"),
            ("text/xml", "text/xml"),
            ("application/xml;q=0.9, application/json;q=0.8", "text/xml"),
            ("application/json, text/xml", "application/json"),
            ("text/html", "application/json"),
            ("no media type at all", "application/json"),
        ):
            query = {"jurisdiction_id": city.id}
            answer = await city.http.get(f"{URL}/{path}", params=query, headers={"Accept": accept})
            assert answer.status_code == 200, answer.text
            assert answer.headers["content-type"] == f"{kind}; charset=utf-8", (path, accept)


async def test_other_formats_names_and_methods_are_refused_as_errors_of_georeport(city: City) -> None:
    for path in ("requests.yaml", "nothing", "nothing.xml", "requests/a/b.json", "services.json.gz"):
        assert_refused(await city.http.get(f"{URL}/{path}"), 404, "there is no ")
    look = "GET, HEAD, OPTIONS"
    for path, allowed in (("requests.json", f"{look}, POST"), ("services.xml", look), ("requests/o1.xml", look)):
        answer = await city.http.delete(f"{URL}/{path}")
        assert_refused(answer, 405, "This route does not know")
        assert answer.headers["allow"] == allowed
        asked = await city.http.options(f"{URL}/{path}")
        assert (asked.status_code, asked.headers["allow"], asked.content) == (204, allowed, b"")
    looked = await city.http.head(f"{URL}/services.json")
    assert (looked.status_code, looked.content) == (200, b"")
    for path in ("%FF%FE", "x%00", "%E5%95%8A", "x" * 5000):
        assert_refused(await ask(city, f"requests/{path}.json"), 404, "service_request_id")


async def test_naughty_strings_come_in_and_go_out_as_they_are(quick: City, naughty_strings: list[str]) -> None:
    made: dict[str, str] = {}

    async def taken(number: int, text: str) -> None:
        fields = {
            "description": text,
            "address_string": text,
            "first_name": text[:100],
            "phone": text[:64],
            "account_id": text,
            "media_url": text,
            f"attribute[{text}]": text,
        }
        answer = await send(quick, format=("json", "xml")[number % 2], **fields)
        if "\0" in text:
            assert answer.status_code == 400
            return
        assert answer.status_code == 201, f"{text!r}: {answer.text}"
        (receipt,) = answer.json() if number % 2 == 0 else read_xml(answer)
        made[receipt["service_request_id"]] = text

    await each(naughty_strings, taken)
    answer = await ask(quick, "requests.json", role="intake")
    assert {one["service_request_id"]: one["description"] or "" for one in answer.json()} == made
    assert {one["service_request_id"]: one["address"] or "" for one in answer.json()} == made
    root = ElementTree.fromstring((await ask(quick, "requests.xml", role="intake")).content)
    assert {one.findtext("service_request_id") for one in root} == set(made)


async def test_a_long_address_is_kept_whole_and_told_as_far_as_phones_can_show_it(quick: City) -> None:
    _, phone = await quick.working()
    long = "道里区友谊路\x01" * 3000
    order = await sent(quick, address_string=long, **place())
    assert (await phone.expect("offer", order=order))["order"]["address"] == {"text": long[:1000]}
    reported = next(event for event in await quick.events() if event["kind"] == "order.reported")
    report = (await quick.get(f"/reports/{reported['data']['report']}"))["report"]
    assert report["extra"] == {"address_string": long}


async def test_a_request_counts_among_the_reports_that_were_taken(city: City) -> None:
    async def counted(line: str) -> float:
        page = (await city.http.get("/metrics")).text
        return next((float(row.rpartition(" ")[2]) for row in page.splitlines() if row.startswith(line)), 0.0)

    taken = 'qiangdan_reports_total{outcome="taken"}'
    served = 'qiangdan_http_seconds_count{route="open311_post_requests",status="201"}'
    before = await counted(taken), await counted(served)
    await sent(city)

    async def both_grew() -> bool:
        return await counted(taken) >= before[0] + 1 and await counted(served) >= before[1] + 1

    await until(both_grew)
