"""Users and their tokens: issued, listed, made void on every engine, and never the last administrator's."""

import asyncio

from dispatch.access import hash_of
from tests.acceptance.city import City
from tests.acceptance.sockets import Console
from tests.acceptance.test_input import assert_problem
from tests.acceptance.test_lists import pages
from tests.acceptance.waiting import until


def name_of(token: str) -> str:
    """What lists call a token."""
    return hash_of(token).hex()[:16]


async def until_refused(city: City, token: str, *, other_engine: bool = False) -> None:
    """Wait until an engine knows a token no more."""
    url = city.installation.other_url if other_engine else city.installation.url

    async def refused() -> bool:
        headers = {"Authorization": f"Bearer {token}"}
        return (await city.http.get(f"{url}/api/v1/zones", headers=headers)).status_code == 401

    await until(refused)


async def test_a_users_token_is_made_void_on_every_engine_and_his_screens_are_closed(city: City) -> None:
    user = await city.post("/users", {"name": "值班员", "role": "dispatcher"})
    path = f"/users/{user['id']}/tokens"
    lost, kept = [(await city.post(path))["token"] for _ in range(2)]
    listed = (await city.get(path))["items"]
    assert [one["id"] for one in listed] == [name_of(lost), name_of(kept)]
    assert lost not in str(listed)
    inside = city.installation
    screens = [await Console.open(url, inside.asyncapi, token=lost) for url in (inside.url, inside.other_url)]
    for screen in screens:
        await screen.hello()
    assert await city.post(f"{path}/revoke", {"token": name_of(lost)}, expect=200) == {"revoked": 1}
    for screen in screens:
        assert await screen.closing() == 1012
    for other_engine in (False, True):
        await until_refused(city, lost, other_engine=other_engine)
    assert (await city.call("GET", "/zones", token=kept)).status_code == 200
    assert [one["id"] for one in (await city.get(path))["items"]] == [name_of(kept)]
    again = await city.call("POST", f"{path}/revoke", json={"token": name_of(lost)})
    assert_problem(again, 404, "not_found")
    assert await city.post(f"{path}/revoke", {}, expect=200) == {"revoked": 1}
    await until_refused(city, kept)


async def test_who_has_the_answer_of_a_sign_out_is_sure_that_its_engine_lets_nobody_in_any_more(city: City) -> None:
    user = await city.post("/users", {"name": "值班员", "role": "monitor"})
    crew = await city.crew()
    for subject in (f"/users/{user['id']}", f"/crews/{crew.id}"):
        for _ in range(10):
            token = (await city.post(f"{subject}/tokens"))["token"]
            assert (await city.call("GET", "/zones", token=token)).status_code == 200
            await city.post(f"{subject}/tokens/revoke", {}, expect=200)
            assert (await city.call("GET", "/zones", token=token)).status_code == 401


async def test_users_are_listed_with_the_administrator_that_every_city_has(city: City) -> None:
    made = [await city.post("/users", {"name": f"值班员 {n}", "role": "monitor"}) for n in range(3)]
    whole = (await city.get("/users"))["items"]
    assert whole == [{"id": "admin", "name": "admin", "role": "admin"}, *made]
    parts = await pages(city, "/users", 2)
    assert [len(part) for part in parts] == [2, 2]
    assert [user for part in parts for user in part] == whole


async def test_the_first_administrators_token_is_replaced(city: City) -> None:
    first = city.tokens["admin"]
    fresh = (await city.post("/users/admin/tokens"))["token"]
    city.tokens["admin"] = fresh
    assert await city.post("/users/admin/tokens/revoke", {"token": name_of(first)}, expect=200) == {"revoked": 1}
    for other_engine in (False, True):
        await until_refused(city, first, other_engine=other_engine)
    assert (await city.get("/me"))["role"] == "admin"


async def test_the_last_token_of_an_administrator_stays(city: City) -> None:
    only = name_of(city.tokens["admin"])
    for body in ({}, {"token": only}):
        refused = assert_problem(await city.call("POST", "/users/admin/tokens/revoke", json=body), 409, "impossible")
        assert "issue another" in refused["detail"]
    assert [one["id"] for one in (await city.get("/users/admin/tokens"))["items"]] == [only]
    deputy = await city.post("/users", {"name": "副手", "role": "admin"})
    token = (await city.post(f"/users/{deputy['id']}/tokens"))["token"]
    assert await city.post("/users/admin/tokens/revoke", {}, expect=200) == {"revoked": 1}
    city.tokens["admin"] = token
    refused = assert_problem(
        await city.call("POST", f"/users/{deputy['id']}/tokens/revoke", json={}), 409, "impossible"
    )
    assert refused["title"]


async def test_two_administrators_who_sign_each_other_out_at_once_do_not_both_succeed(city: City) -> None:
    for _ in range(5):
        deputy = (await city.post("/users", {"name": "副手", "role": "admin"}))["id"]
        token = (await city.post(f"/users/{deputy}/tokens"))["token"]
        each = (("admin", token), (deputy, city.tokens["admin"]))
        answers = await asyncio.gather(
            *(city.call("POST", f"/users/{user}/tokens/revoke", token=by, json={}) for user, by in each)
        )
        assert sorted(answer.status_code for answer in answers) in ([200, 409], [200, 401])
        if answers[0].status_code == 200:
            city.tokens["admin"] = token
            city.tokens["admin"] = (await city.post("/users/admin/tokens"))["token"]
            await city.post(f"/users/{deputy}/tokens/revoke", {}, expect=200)
