"""What an editor of zones asks before it puts a map in force."""

from tests.acceptance.city import centre, square, usual_map, zone_id
from tests.acceptance.conftest import MakeCity


async def test_a_check_names_what_is_wrong_and_changes_nothing(make_city: MakeCity) -> None:
    city = await make_city()
    wrong = {
        "type": "FeatureCollection",
        "features": [square(0, 0), {**square(0, 0), "properties": {"id": "b", "name": "b"}}],
    }
    told = await city.post("/zones/check", wrong, role="dispatcher", expect=200)
    assert told["moves"] is None
    (problem,) = told["problems"]
    assert "overlap" in problem["detail"]
    assert problem["lon"] is not None
    assert (await city.get("/zones"))["version"] == 1


async def test_a_check_and_a_map_put_in_force_refuse_the_same_policies_by_zone(make_city: MakeCity) -> None:
    city = await make_city()
    wrong = usual_map()
    wrong["features"][1]["properties"]["policy"] = {"mode": "fast"}
    wrong["features"][3]["properties"]["policy"] = {"window_s": -1}
    told = await city.post("/zones/check", wrong, role="dispatcher", expect=200)
    assert [(problem["pointer"], problem["zone"]) for problem in told["problems"]] == [
        ("/features/1/properties/policy/mode", zone_id(1)),
        ("/features/3/properties/policy/window_s", zone_id(3)),
    ]
    refused = await city.call("PUT", "/zones", json=wrong)
    assert refused.status_code == 422
    assert [error["detail"][: len("zone z10")] for error in refused.json()["errors"]] == ["zone z10", "zone z30"]


async def test_a_check_tells_which_orders_and_crews_a_map_would_move(make_city: MakeCity) -> None:
    city = await make_city({"mode": "first", "assign_after_s": 600})
    stays, moves = await city.report(1), await city.report(0)
    homeless = await city.crew(0)
    await city.crew(1)
    fewer = usual_map()
    fewer["features"][0]["properties"]["id"] = "renamed"
    told = await city.post("/zones/check", fewer, role="dispatcher", expect=200)
    assert told["problems"] == []
    assert told["moves"] == {
        "orders": [{"order": moves["id"], "zone": zone_id(0), "to": "renamed"}],
        "crews": [homeless.id],
    }
    assert stays["zone"] == zone_id(1)


async def test_a_map_that_began_from_an_older_one_is_refused(make_city: MakeCity) -> None:
    city = await make_city()
    taken = await city.call("PUT", "/zones", json=usual_map(), params={"based_on": 1})
    assert taken.json()["version"] == 2
    late = await city.call("PUT", "/zones", json=usual_map(), params={"based_on": 1})
    assert (late.status_code, late.json()["code"], late.json()["version"]) == (409, "stale_version", 2)


async def test_a_zone_is_cut_and_joined_again(make_city: MakeCity) -> None:
    city = await make_city()
    whole = square(0, 0)["geometry"]
    lon, lat = centre(0)
    cut = {"type": "LineString", "coordinates": [[lon, lat - 1], [lon, lat + 1]]}
    parts = (await city.post("/zones/split", {"geometry": whole, "line": cut}, role="dispatcher", expect=200))[
        "geometries"
    ]
    assert len(parts) == 2
    (joined,) = (await city.post("/zones/join", {"geometries": parts}, role="dispatcher", expect=200))["geometries"]
    assert joined["type"] == "Polygon"
    short = {**cut, "coordinates": [[lon, lat], [lon, lat + 1]]}
    refused = await city.call("POST", "/zones/split", json={"geometry": whole, "line": short})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == "/line"
