"""What a dispatcher may change about a crew, and that offers follow it."""

from tests.acceptance.city import zone_id
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
