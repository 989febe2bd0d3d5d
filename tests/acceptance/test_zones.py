"""PUT, GET and locate of zones: what is taken, what is refused by name and changes nothing, what waits."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.city import SIDE, SOUTH, WEST, City, centre, square, usual_map, zone_id
from tests.acceptance.conftest import MakeCity
from tests.acceptance.test_input import assert_problem
from tests.acceptance.waiting import until

PLACE = Path("suites/geojson")


async def put(city: City, document: Any) -> httpx.Response:
    content = document if isinstance(document, bytes) else json.dumps(document).encode()
    return await city.call("PUT", "/zones", content=content)


async def refused(city: City, document: Any, *words: str, pointer: str | None = None) -> httpx.Response:
    """The map is not taken, the answer says why, and the map before is in force."""
    before = await city.get("/zones")
    answer = await put(city, document)
    assert_problem(answer, 422, "invalid")
    problem = answer.json()
    assert problem["errors"]
    said = " ".join(error["detail"] for error in problem["errors"])
    assert all(word in said for word in words), said
    if pointer is not None:
        assert pointer in [error["pointer"] for error in problem["errors"]], problem["errors"]
    assert await city.get("/zones") == before
    return answer


async def test_a_map_is_put_in_force_as_the_next_version(make_city: MakeCity) -> None:
    city: City = await make_city(zones=False)
    assert await city.get("/zones") == {"type": "FeatureCollection", "version": 0, "features": []}
    assert await city.put_zones() == {"version": 1, "zones": 8, "warnings": []}
    assert (await city.put_zones())["version"] == 2
    shown = await city.get("/zones", role="intake")
    assert (shown["type"], shown["version"]) == ("FeatureCollection", 2)
    assert shown["features"] == usual_map()["features"]


async def test_policy_and_foreign_properties_are_kept(city: City) -> None:
    feature = square(0, 0, policy={"mode": "first", "window_s": 3})
    feature["properties"]["manager"] = "赵"
    await put(city, {"type": "FeatureCollection", "features": [feature]})
    assert (await city.get("/zones"))["features"][0]["properties"] == feature["properties"]


async def test_a_multipolygon_is_one_zone(city: City) -> None:
    parts = [square(0, 0)["geometry"]["coordinates"], square(3, 1)["geometry"]["coordinates"]]
    zone = {
        "type": "Feature",
        "properties": {"id": "both", "name": "两处"},
        "geometry": {"type": "MultiPolygon", "coordinates": parts},
    }
    assert (await put(city, {"type": "FeatureCollection", "features": [zone]})).status_code == 200
    for column, row in ((0, 0), (3, 1)):
        lon, lat = centre(column, row)
        assert (await city.get("/zones/locate", lon=lon, lat=lat))["zone"] == "both"


async def test_overlapping_zones_are_refused_with_both_names_and_the_place(city: City) -> None:
    overlapping = usual_map()
    ring = overlapping["features"][0]["geometry"]["coordinates"][0]
    for corner in ring[1:3]:
        corner[0] = round(corner[0] + SIDE / 2, 6)
    answer = await refused(city, overlapping, "z00", "z10", "126.6", "45.74", "m²")
    assert "z00" in answer.json()["detail"] or "z10" in answer.json()["detail"]
    lon, lat = centre(1)
    assert (await city.get("/zones/locate", lon=lon - SIDE / 4, lat=lat))["zone"] == "z10"


async def test_a_border_that_crosses_itself_is_refused_with_zone_and_place(city: City) -> None:
    bowtie = square(0, 0)
    ring = bowtie["geometry"]["coordinates"][0]
    ring[1], ring[2] = ring[2], ring[1]
    await refused(city, {"type": "FeatureCollection", "features": [bowtie]}, "z00", "126.605", "45.745")


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        (lambda f: f["properties"].pop("id"), "/features/1/properties/id"),
        (lambda f: f["properties"].pop("name"), "/features/1/properties/name"),
        (lambda f: f["properties"].update(id="z00"), "/features/1/properties/id"),
        (lambda f: f["properties"].update(id=""), "/features/1/properties/id"),
        (lambda f: f["properties"].update(id="x" * 65), "/features/1/properties/id"),
        (lambda f: f["properties"].update(name=7), "/features/1/properties/name"),
        (lambda f: f["properties"].update(policy=[]), "/features/1/properties/policy"),
        (lambda f: f["properties"].update(policy={"windows_s": 3}), "/features/1/properties/policy/windows_s"),
        (lambda f: f["properties"].update(policy={"mode": "loud"}), "/features/1/properties/policy/mode"),
        (lambda f: f["properties"].update(policy={"window_s": -1}), "/features/1/properties/policy/window_s"),
        (lambda f: f["properties"].update(policy={"window_s": "6"}), "/features/1/properties/policy/window_s"),
        (lambda f: f["properties"].update(policy={"ring_s": [30, 15]}), "/features/1/properties/policy/ring_s"),
        (lambda f: f["properties"].update(policy={"ring_s": [1, 2, 3]}), "/features/1/properties/policy/ring_s"),
        (lambda f: f.update(geometry={"type": "Point", "coordinates": [1, 2]}), "/features/1/geometry/type"),
        (lambda f: f.update(geometry=None), "/features/1/geometry"),
    ],
)
async def test_a_wrong_zone_is_pointed_at(city: City, change: Any, pointer: str) -> None:
    document = usual_map()
    change(document["features"][1])
    await refused(city, document, pointer=pointer)


@pytest.mark.parametrize("place", [[181, 45], [126, 91], [126.6, -95], ["126", 45], [126]])
async def test_a_coordinate_out_of_range_is_refused(city: City, place: list[Any]) -> None:
    document = usual_map()
    document["features"][2]["geometry"]["coordinates"][0][1] = place
    answer = await refused(city, document)
    assert answer.json()["errors"][0]["pointer"].startswith("/features/2/geometry/coordinates/0/1")


@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b'{"type":"FeatureCollection"}',
        b'{"type":"FeatureCollection","features":[]}',
        b'{"type":"FeatureCollection","features":' + b"[" * 5000 + b"]" * 5000 + b"}",
        json.dumps(usual_map()).replace("126.6,", "NaN,").encode(),
        json.dumps(usual_map()).encode()[:-20],
    ],
)
async def test_what_is_no_map_is_refused(city: City, raw: bytes) -> None:
    await refused(city, raw)


async def test_an_empty_body_is_no_map(city: City) -> None:
    assert_problem(await put(city, b""), 400, "malformed")


def _suite(folder: str) -> list[str]:
    data = Path(__file__).parents[3] / "shared" / "data" / PLACE / folder
    return sorted(path.name for path in data.glob("*.geojson"))


@pytest.mark.parametrize("name", _suite("bad"))
async def test_bad_geojson_is_refused_and_changes_nothing(city: City, shared_data: Path, name: str) -> None:
    raw = (shared_data / PLACE / "bad" / name).read_bytes()
    await refused(city, raw)


@pytest.mark.parametrize("name", _suite("good"))
async def test_good_geojson_that_is_no_map_of_zones_is_refused_for_that(
    city: City, shared_data: Path, name: str
) -> None:
    await refused(city, (shared_data / PLACE / "good" / name).read_bytes())


async def test_a_good_polygon_of_the_suite_becomes_a_zone(city: City, shared_data: Path) -> None:
    polygon = json.loads((shared_data / PLACE / "good" / "good-polygon.geojson").read_bytes())
    geometry = polygon.get("geometry", polygon)
    zone = {"type": "Feature", "properties": {"id": "s", "name": "s"}, "geometry": geometry}
    assert (await put(city, {"type": "FeatureCollection", "features": [zone]})).status_code == 200


def as_zones(document: Any, key: str) -> dict[str, Any]:
    """A foreign collection with ids and names as zones have them."""
    features = [
        {**feature, "properties": {"id": str(feature["properties"][key]), "name": feature["properties"]["name"]}}
        for feature in document["features"]
    ]
    return {"type": "FeatureCollection", "features": features}


async def test_the_18_districts_of_harbin_are_a_map(city: City, shared_data: Path) -> None:
    raw = json.loads((shared_data / "harbin" / "harbin_18_districts_gcj02.geojson").read_bytes())
    answer = await put(city, as_zones(raw, "adcode"))
    assert (answer.status_code, answer.json()["zones"]) == (200, 18)
    daoli = raw["features"][0]["properties"]["center"]
    assert (await city.get("/zones/locate", lon=daoli[0], lat=daoli[1]))["zone"] == "230102"


async def test_the_street_offices_of_harbin_are_refused_for_the_two_that_overlap(city: City, shared_data: Path) -> None:
    raw = json.loads((shared_data / "harbin" / "harbin_subdistricts_admin8_wgs84.geojson").read_bytes())
    zones = as_zones(raw, "osm_id")
    answer = await refused(city, zones)
    named = answer.json()["errors"]
    assert len(named) == 1
    both = [zone for zone in zones["features"] if zone["properties"]["id"] in named[0]["detail"]]
    assert len(both) == 2
    zones["features"].remove(both[0])
    assert (await put(city, zones)).status_code == 200


async def test_switzerland_is_a_zone_and_switzerland_kinked_is_refused(city: City, shared_data: Path) -> None:
    for name, status in (("notSimple/switzerlandKinked", 422), ("simple/switzerland", 200)):
        feature = json.loads((shared_data / "suites" / "pip" / f"{name}.geojson").read_bytes())
        feature["properties"] = {"id": "ch", "name": "Schweiz"}
        answer = await put(city, {"type": "FeatureCollection", "features": [feature]})
        assert answer.status_code == status
    for lon, lat, zone in ((8.2275, 46.8182, "ch"), (2.35, 48.85, None)):
        assert (await city.get("/zones/locate", lon=lon, lat=lat))["zone"] == zone


async def test_a_place_on_a_shared_border_is_in_exactly_one_zone_always_the_same(city: City) -> None:
    border = [(round(WEST + SIDE, 6), round(SOUTH + SIDE * n / 7, 6)) for n in range(8)]
    corner = (round(WEST + SIDE, 6), round(SOUTH + SIDE, 6))
    first = [(await city.get("/zones/locate", lon=lon, lat=lat))["zone"] for lon, lat in [*border, corner]]
    assert all(zone in {"z00", "z10", "z01", "z11"} for zone in first)
    turned = usual_map()
    turned["features"].reverse()
    await put(city, turned)
    again = [(await city.get("/zones/locate", lon=lon, lat=lat))["zone"] for lon, lat in [*border, corner]]
    assert again == first


async def test_locate_knows_the_datums_and_what_is_outside(city: City) -> None:
    lon, lat = centre(0)
    assert await city.get("/zones/locate", lon=lon, lat=lat) == {"zone": "z00"}
    assert await city.get("/zones/locate", lon=lon, lat=lat - 1) == {"zone": None}
    # The same street in the datums of Chinese maps and phones.
    assert (await city.get("/zones/locate", lon=126.610911, lat=45.746916, crs="gcj02")) == {"zone": "z00"}
    assert (await city.get("/zones/locate", lon=126.617314, lat=45.753242, crs="bd09")) == {"zone": "z00"}
    for crs in ("gcj02", "bd09"):
        for corner in ((180, 90), (-180, -90), (0, 0)):
            assert await city.get("/zones/locate", lon=corner[0], lat=corner[1], crs=crs) == {"zone": None}


@pytest.mark.parametrize(
    ("crs", "lon", "lat"), [("gcj02", 126.610911, 45.746916), ("bd09", 126.617314, 45.753242), ("wgs84", *centre(0))]
)
async def test_a_report_in_another_datum_lies_where_it_is(city: City, crs: str, lon: float, lat: float) -> None:
    order = await city.report(location={"lon": lon, "lat": lat, "crs": crs})
    assert order["zone"] == zone_id(0)
    assert order["location"]["lon"] == pytest.approx(126.605, abs=0.00001)
    assert order["location"]["lat"] == pytest.approx(45.745, abs=0.00001)


async def test_a_report_that_waited_is_opened_when_a_map_has_its_place(make_city: MakeCity) -> None:
    city: City = await make_city(zones=False)
    crew = await city.crew()
    phone = await city.phone(crew)
    await phone.on_shift(*centre(0))
    waiting = await city.report()
    nowhere = await city.report(location=None)
    assert (waiting["state"], waiting["zone"], nowhere["state"]) == ("unzoned", None, "unzoned")
    await city.put_zones({"mode": "first"})
    offer = await phone.expect("offer", order=waiting["id"])
    assert offer["order"]["zone"] == "z00"
    assert offer["mode"] == "first"
    assert (await city.order(nowhere["id"]))["state"] == "unzoned"
    assert (await phone.verdict(waiting["id"]))["won"] is True


async def test_a_new_map_counts_at_once_on_both_engines(city: City) -> None:
    lon, lat = centre(0)
    renamed = usual_map()
    for feature in renamed["features"]:
        feature["properties"]["id"] = f"new-{feature['properties']['id']}"
    assert (await put(city, renamed)).status_code == 200
    assert (await city.get("/zones/locate", lon=lon, lat=lat))["zone"] == "new-z00"
    assert (await city.report())["zone"] == "new-z00"

    async def there_too() -> bool:
        answer = await city.http.get(
            f"{city.installation.other_url}/api/v1/zones/locate",
            params={"lon": lon, "lat": lat},
            headers={"Authorization": f"Bearer {city.tokens['admin']}"},
        )
        return bool(answer.json()["zone"] == "new-z00")

    await until(there_too)


async def test_open_orders_follow_a_new_map(quick: City) -> None:
    """Who holds one keeps it; what is open goes to the crews of its new zone, or to a dispatcher where it has none."""
    crew, holder = await quick.working(1)
    held = (await quick.report(1))["id"]
    assert (await holder.verdict(held))["won"] is True
    open_one, kept_back, outside = [(await quick.report(column))["id"] for column in (0, 0, 2)]
    await quick.override(kept_back, "hold")
    renamed = usual_map({"mode": "first", "ring_s": [300, 600], "assign_after_s": 3600})
    renamed["features"] = [
        {**feature, "properties": {**feature["properties"], "id": f"new-{feature['properties']['id']}"}}
        for feature in renamed["features"]
        if feature["properties"]["id"] != "z20"
    ]
    neighbour = await quick.crew(home_zone=None)
    assert (await put(quick, renamed)).status_code == 200

    async def all_moved() -> bool:
        zones = [(await quick.order(order))["zone"] for order in (held, open_one, kept_back, outside)]
        return zones == ["new-z10", "new-z00", "new-z00", None]

    await until(all_moved)
    assert [(await quick.order(order))["state"] for order in (held, open_one, kept_back, outside)] == [
        "claimed",
        "offered",
        "held",
        "unzoned",
    ]
    assert (await quick.order(held))["crew"] == crew.id
    there = await quick.call("PATCH", f"/crews/{neighbour.id}", json={"home_zone": "new-z00"})
    assert there.status_code == 200, there.text
    phone = await quick.phone(neighbour)
    await phone.on_shift(*centre(0))
    await phone.expect("offer", order=open_one)
    await quick.override(kept_back, "release")
    assert (await phone.expect("offer", order=kept_back))["order"]["zone"] == "new-z00"


async def test_a_gap_between_zones_is_a_warning_with_its_place(city: City) -> None:
    around = [square(column, row) for row in range(3) for column in range(3) if (column, row) != (1, 1)]
    answer = await put(city, {"type": "FeatureCollection", "features": around})
    assert answer.status_code == 200
    (warning,) = answer.json()["warnings"]
    assert "126.6" in warning["detail"]
    assert "m²" in warning["detail"]
