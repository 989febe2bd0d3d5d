"""What a phone does beside grabbing: signs in by a link, sends photos, hands back, asks how the day went."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree

import asyncpg
import pytest

from tests.acceptance.city import City
from tests.acceptance.conftest import MakeCity
from tests.acceptance.sockets import Phone, device_time, fresh_id
from tests.acceptance.test_crew_socket import holding

DEVICE = "a-secret-of-this-phone-alone"
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00 not much of a picture"


async def sign_in(city: City, code: str, device: str = DEVICE) -> tuple[int, dict[str, str]]:
    answer = await city.call("POST", "/sign-in", role=None, json={"code": code, "device": device})
    return answer.status_code, answer.json()


async def link(city: City, crew: str, **headers: str) -> dict[str, str]:
    answer = await city.call("POST", f"/crews/{crew}/sign-in-links", headers=headers)
    assert answer.status_code == 201, answer.text
    made: dict[str, str] = answer.json()
    return made


def code_of(made: dict[str, str]) -> str:
    return urlsplit(made["url"]).fragment.removeprefix("code=")


async def test_a_link_signs_one_phone_in(city: City) -> None:
    crew = await city.crew()
    made = await link(city, crew.id)
    assert made["url"].startswith(f"{city.installation.url}/crew#code=")
    assert ElementTree.fromstring(made["svg"]).tag.endswith("svg")
    left = datetime.fromisoformat(made["expires_at"]) - datetime.now(UTC)
    assert timedelta(minutes=14) < left <= timedelta(minutes=15)
    status, answer = await sign_in(city, code_of(made))
    assert (status, answer["crew"]) == (200, crew.id)
    phone = await Phone.open(city.installation.url, city.installation.asyncapi)
    async with phone:
        assert (await phone.hello(token=answer["token"]))["crew"] == crew.id


async def test_a_phone_that_lost_the_answer_asks_again_and_nobody_else_can(city: City) -> None:
    made = await link(city, (await city.crew()).id)
    first = await sign_in(city, code_of(made))
    assert await sign_in(city, code_of(made)) == first
    status, problem = await sign_in(city, code_of(made), "the-secret-of-another-phone")
    assert (status, problem["code"]) == (410, "link_gone")
    assert "another device" in problem["detail"]


async def test_two_phones_that_scan_at_once_do_not_both_get_in(city: City) -> None:
    code = code_of(await link(city, (await city.crew()).id))
    answers = await asyncio.gather(*(sign_in(city, code, f"the-secret-of-phone-{n}") for n in range(4)))
    assert sorted(status for status, _ in answers) == [200, 410, 410, 410]


async def test_a_link_is_over_after_a_quarter_of_an_hour(city: City) -> None:
    made = await link(city, (await city.crew()).id)
    connection = await asyncpg.connect(city.installation.database_url)
    try:
        await connection.execute("UPDATE sign_in_code SET expires_at = now() WHERE city_id = $1", city.id)
        kept = await connection.fetchval("SELECT string_agg(s::text, '') FROM sign_in_code AS s")
    finally:
        await connection.close()
    assert code_of(made) not in kept
    status, problem = await sign_in(city, code_of(made))
    assert (status, problem["code"]) == (410, "link_gone")


async def test_a_made_up_code_opens_nothing(city: City) -> None:
    status, problem = await sign_in(city, "made-up")
    assert (status, problem["code"]) == (410, "link_gone")


async def test_the_same_key_gives_the_same_link(city: City) -> None:
    crew = await city.crew()
    key = {"Idempotency-Key": "once"}
    assert (await link(city, crew.id, **key))["url"] == (await link(city, crew.id, **key))["url"]
    assert (await link(city, crew.id))["url"] != (await link(city, crew.id))["url"]


async def test_behind_a_proxy_the_link_leads_to_where_people_are(city: City) -> None:
    crew = await city.crew()
    made = await link(city, crew.id, **{"X-Forwarded-Proto": "https", "X-Forwarded-Host": "repair.example"})
    assert made["url"].startswith("https://repair.example/crew#code=")


async def test_a_photo_is_kept_for_who_watches(city: City) -> None:
    crew = await city.crew()
    for _ in range(2):
        sent = await city.call("POST", "/photos", role=None, token=crew.token, content=JPEG)
        assert sent.status_code == 201, sent.text
    shown = await city.call("GET", f"/photos/{sent.json()['photo']}", role="dispatcher")
    assert (shown.content, shown.headers["content-type"]) == (JPEG, "image/jpeg")


@pytest.mark.parametrize(("content", "status"), [(b"<script>", 422), (b"", 422), (JPEG + bytes(1024 * 1024), 413)])
async def test_what_is_no_photo_is_refused(city: City, content: bytes, status: int) -> None:
    crew = await city.crew()
    sent = await city.call("POST", "/photos", role=None, token=crew.token, content=content)
    assert sent.status_code == status, sent.text


async def hand_back(phone: Phone, order: str, *, id: str = "", reason: str = "missing_part") -> dict[str, str]:
    id = id or fresh_id()
    await phone.say("hand_back", id=id, order=order, reason=reason, at=device_time())
    answer: dict[str, str] = await phone.expect("progress_ack", id=id)
    return answer


async def test_an_order_handed_back_is_open_to_everybody_else_at_once(make_city: MakeCity) -> None:
    city = await make_city({"mode": "first", "assign_after_s": 600})
    crew, phone, order = await holding(city)
    other, colleague = await city.working()
    answer = await hand_back(phone, order, id="h1")
    assert answer["state"] == "offered"
    revoked = await phone.expect("revoked", order=order)
    assert (revoked["by"], revoked["reason"]) == ("crew", "missing_part")
    await colleague.expect("offer", order=order)
    assert (await hand_back(phone, order, id="h1")) == answer
    assert (await phone.verdict(order))["reason"] == "not_eligible"
    assert (await colleague.verdict(order))["won"] is True
    whole = await city.order(order)
    assert whole["crew"] == other.id
    told = [event for event in whole["timeline"] if event["kind"] == "order.handed_back"]
    assert [(event["actor"], event["data"]["reason"]) for event in told] == [(f"crew:{crew.id}", "missing_part")]
    crews = {one["id"]: one["load"] for one in (await city.get("/crews"))["items"]}
    assert (crews[crew.id], crews[other.id]) == (0, 1)


async def test_only_what_one_holds_can_be_handed_back(quick: City) -> None:
    _, phone, order = await holding(quick)
    _, stranger = await quick.working(1)
    assert (await hand_back(stranger, order))["error"] == "not_yours"
    assert (await hand_back(phone, "nothing"))["error"] == "unknown_order"
    await phone.say("hand_back", id="x", order=order, reason="bored", at=device_time())
    assert (await phone.expect("error", id="x"))["code"] == "malformed"
    assert (await quick.order(order))["state"] == "claimed"


async def test_the_day_tells_what_the_score_rests_on(quick: City) -> None:
    since = datetime.now(UTC).isoformat()
    crew, phone, order = await holding(quick)
    await phone.progress(order, "arrived")
    await phone.progress(order, "resolved", evidence={"note": "放气"})
    await quick.post(f"/orders/{order}/rating", {"stars": 5, "resolved": True}, role="intake", expect=200)
    answer = await quick.call("GET", "/me/day", role=None, token=crew.token, params={"since": since})
    day = answer.json()
    assert (day["arrived"], day["in_time"], day["resolved"], day["ratings"]) == (1, 1, 1, 1)
    assert day["score"] == pytest.approx(0.5 + day["weight"] * 0.5)
    assert (day["orders"][0]["order"], day["orders"][0]["stars"]) == (order, 5)
    me = (await quick.call("GET", "/me", role=None, token=crew.token)).json()
    assert (me["role"], me["subject"], me["city"]) == ("crew", crew.id, quick.id)


async def test_a_resident_who_thinks_again_counts_once_in_the_score_and_is_heard(quick: City) -> None:
    since = datetime.now(UTC).isoformat()
    crew, phone, order = await holding(quick)
    await phone.progress(order, "arrived")
    await phone.progress(order, "resolved")

    async def rate(stars: int, *, resolved: bool = True) -> tuple[Any, ...]:
        rated = await quick.post(f"/orders/{order}/rating", {"stars": stars, "resolved": resolved}, expect=200)
        day = (await quick.call("GET", "/me/day", role=None, token=crew.token, params={"since": since})).json()
        return rated["state"], day["score"], day["ratings"]

    good, bad = 0.5 + 0.1 * 0.5, 0.5 - 0.1 * 0.5
    assert await rate(5) == ("closed", pytest.approx(good), 1)
    assert await rate(5) == ("closed", pytest.approx(good), 1), "said twice is said once"
    assert await rate(1) == ("closed", pytest.approx(bad), 1)
    assert await rate(5) == ("closed", pytest.approx(good), 1)
    assert await rate(1, resolved=False) == ("offered", pytest.approx(bad), 1), "cold again the next day"
    told = [event["data"].get("stars") for event in (await quick.order(order))["timeline"]]
    assert [stars for stars in told if stars] == [5, 5, 1, 5, 1], "every word is in the order's story"
    assert (await phone.verdict(order))["won"] is True
    await phone.progress(order, "arrived")
    await phone.progress(order, "resolved")
    assert await rate(5) == ("closed", pytest.approx(bad * 0.9 + 0.1), 2), "another visit, another rating"


async def test_a_lost_phone_s_token_is_void_at_once_on_every_engine_and_the_others_stay(quick: City) -> None:
    crew = await quick.crew(0)
    lost = await quick.phone(crew)
    await lost.hello()
    second = (await quick.post(f"/crews/{crew.id}/tokens"))["token"]
    tokens = (await quick.get(f"/crews/{crew.id}/tokens"))["items"]
    assert len(tokens) == 2
    assert all(set(one) == {"id", "issued_at"} for one in tokens), "no token is shown"
    answer = await quick.post(f"/crews/{crew.id}/tokens/revoke", {"token": tokens[0]["id"]}, expect=200)
    assert answer == {"revoked": 1}
    assert await lost.closing() == 1012
    assert (await quick.call("GET", "/zones", token=crew.token)).status_code == 401
    assert (await quick.call("GET", "/zones", token=second)).status_code == 200
    again = await quick.phone(crew, other_engine=True)
    assert await again.closing() == 4401
    assert [one["id"] for one in (await quick.get(f"/crews/{crew.id}/tokens"))["items"]] == [tokens[1]["id"]]


async def test_every_token_of_a_crew_is_revoked_at_once_with_the_links_and_by_administrators_alone(quick: City) -> None:
    crew = await quick.crew(0)
    link = await quick.post(f"/crews/{crew.id}/sign-in-links")
    code = link["url"].rpartition("=")[2]
    for role in ("dispatcher", "monitor"):
        assert (await quick.call("GET", f"/crews/{crew.id}/tokens", role=role)).status_code == 403
        refused = await quick.call("POST", f"/crews/{crew.id}/tokens/revoke", role=role, json={})
        assert refused.status_code == 403
    assert await quick.post(f"/crews/{crew.id}/tokens/revoke", {}, expect=200) == {"revoked": 1}
    assert (await quick.call("GET", "/zones", token=crew.token)).status_code == 401
    gone = await quick.call("POST", "/sign-in", role=None, json={"code": code, "device": "d" * 16})
    assert gone.status_code in (404, 409, 410), gone.text
    assert (await quick.call("POST", "/crews/nobody/tokens/revoke", json={})).status_code == 404
    none = await quick.call("POST", f"/crews/{crew.id}/tokens/revoke", json={"token": "feedfacefeedface"})
    assert none.status_code == 404
