"""What a dispatcher may change about a crew, and that offers follow it."""

from tests.acceptance.city import City, centre, zone_id
from tests.acceptance.conftest import MakeCity


async def test_a_crew_lent_to_a_zone_is_offered_its_orders_at_once(make_city: MakeCity) -> None:
    city = await make_city({"mode": "first", "ring_s": [300, 400], "assign_after_s": 600})
    crew, phone = await city.working(3, 1)
    order = await city.report(0, 0)
    seen = await city.get(f"/orders/{order['id']}/candidates")
    assert seen["items"][0]["reasons"] == ["outside_ring"]
    changed = await city.call(
        "PATCH", f"/crews/{crew.id}", role="dispatcher", json={"zones_lent": [zone_id(0), zone_id(0)]}
    )
    assert changed.status_code == 200, changed.text
    assert changed.json()["zones_lent"] == [zone_id(0)]
    offer = await phone.expect("offer")
    assert offer["order"]["id"] == order["id"]


async def test_what_is_left_out_stays_and_the_change_is_in_the_log_without_a_name(make_city: MakeCity) -> None:
    city = await make_city({})
    crew = await city.crew(skills=["pipework"], capacity=2)
    changed = (await city.call("PATCH", f"/crews/{crew.id}", json={"name": "李师傅", "capacity": 4})).json()
    assert (changed["name"], changed["skills"], changed["capacity"]) == ("李师傅", ["pipework"], 4)
    listed = (await city.get("/crews"))["items"]
    assert [(one["name"], one["capacity"]) for one in listed] == [("李师傅", 4)]
    events = (await city.get("/events", limit=500))["items"]
    (event,) = [event for event in events if event["kind"] == "crew.changed"]
    assert event["data"] == {
        "skills": ["pipework"],
        "home_zone": zone_id(0),
        "capacity": 4,
        "zones_lent": [],
        "revision": 1,
    }


async def test_a_crew_cannot_be_lent_to_a_zone_that_is_not_there(make_city: MakeCity) -> None:
    city = await make_city({})
    crew = await city.crew()
    refused = await city.call("PATCH", f"/crews/{crew.id}", json={"zones_lent": [zone_id(0), "nowhere"]})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == "/zones_lent/1"
    assert (await city.call("PATCH", "/crews/nobody", json={"capacity": 2})).status_code == 404


async def test_a_dispatcher_ends_a_shift_the_crew_hears_why_and_gets_no_more(quick: City) -> None:
    crew, phone = await quick.working(0)
    held = await quick.report(0)
    assert (await phone.verdict(held["id"]))["won"]
    assert (await quick.get("/crews"))["items"][0]["shift_since"]
    answer = await quick.call(
        "POST", f"/crews/{crew.id}/shift", role="dispatcher", json={"on": False, "reason": "连班太久"}
    )
    assert (answer.status_code, answer.json()["state"], answer.json()["shift_since"]) == (200, "off", None)
    told = await phone.expect("shift_changed", on=False)
    assert (told["by"], told["reason"]) == ("dispatcher", "连班太久")
    later = await quick.report(0)
    assert (await phone.verdict(later["id"]))["reason"] == "off_shift"
    assert (await quick.order(held["id"]))["crew"] == crew.id, "what he holds stays his"
    [event] = [e for e in (await quick.get("/events", limit=500))["items"] if e["kind"] == "crew.shift_ended"]
    assert event["actor"].startswith("user:") and event["data"]["reason"] == "连班太久"


async def test_a_dispatcher_begins_a_shift_and_offers_come_once_the_phone_says_where_it_is(quick: City) -> None:
    crew = await quick.crew(0)
    phone = await quick.phone(crew)
    await phone.hello()
    order = await quick.report(0)
    begun = await quick.call("POST", f"/crews/{crew.id}/shift", json={"on": True, "reason": "手机没电"})
    assert (begun.status_code, begun.json()["state"]) == (200, "idle")
    assert (await phone.expect("shift_changed", on=True))["by"] == "dispatcher"
    await phone.at(*centre(0))
    assert (await phone.expect("offer"))["order"]["id"] == order["id"]


async def test_a_shift_is_changed_by_dispatchers_alone_with_a_reason_and_for_crews_that_are_there(quick: City) -> None:
    crew = await quick.crew(0)
    word = {"on": True, "reason": "x"}
    for role in ("monitor", "intake"):
        assert (await quick.call("POST", f"/crews/{crew.id}/shift", role=role, json=word)).status_code == 403
    refused = await quick.call("POST", f"/crews/{crew.id}/shift", json={"on": True, "reason": " "})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/reason")
    assert (await quick.call("POST", "/crews/nobody/shift", json=word)).status_code == 404
