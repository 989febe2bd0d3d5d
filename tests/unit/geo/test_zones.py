"""Maps of zones: what is taken, what is refused with zone and place, and real polygons of Harbin and Switzerland."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely

from geo.areas import area_m2
from geo.datums import to_wgs84
from geo.geojson import MAX_PROBLEMS
from geo.zone_reading import MAX_ZONES
from geo.zones import ZoneMap, ZoneMapError, ZoneProblem, parse_usable_zones, parse_zones, survey_zones

DATA = Path(os.environ.get("QIANGDAN_TEST_DATA", Path(__file__).parents[4] / "shared" / "data"))

M = 1.0 / 111_195.0
"""Degrees of latitude in a metre."""


def _read(*parts: str) -> Any:
    path = DATA.joinpath(*parts)
    if not path.is_file():
        pytest.skip(f"test data is not at {path}; set QIANGDAN_TEST_DATA")
    return json.loads(path.read_bytes())


def _square(west: float, south: float, side: float = 0.01) -> list[list[float]]:
    east, north = west + side, south + side
    return [[west, south], [east, south], [east, north], [west, north], [west, south]]


def _zone(zone_id: object, *rings: Sequence[Sequence[float]], **properties: object) -> dict[str, Any]:
    geometry = {"type": "Polygon", "coordinates": list(rings)}
    return {"type": "Feature", "properties": {"id": zone_id, "name": "片区", **properties}, "geometry": geometry}


def _map(*features: dict[str, Any], **members: object) -> dict[str, Any]:
    return {"type": "FeatureCollection", "features": list(features), **members}


def _problems(document: Any) -> tuple[ZoneProblem, ...]:
    with pytest.raises(ZoneMapError) as caught:
        parse_zones(document)
    return caught.value.problems


def test_bytes_and_a_parsed_document_give_the_same_map() -> None:
    document = _map(
        _zone("a", _square(126.6, 45.7), policy={"mode": "first"}, colour="red"), _zone(7, _square(126.7, 45.7))
    )
    zone_map = parse_zones(json.dumps(document).encode())
    assert zone_map == parse_zones(document)
    assert [(zone.id, zone.name, zone.policy) for zone in zone_map.zones] == [
        ("a", "片区", {"mode": "first"}),
        ("7", "片区", None),
    ]
    assert zone_map.warnings == ()


def test_the_collection_gives_back_the_map_with_foreign_properties_and_right_handed_rings() -> None:
    backwards = _square(126.6, 45.7)[::-1]
    hole = _square(126.603, 45.703, 0.001)  # counterclockwise, which is wrong for a hole
    zone_map = parse_zones(_map(_zone("a", backwards, hole, colour={"r": 255})))
    [feature] = zone_map.feature_collection()["features"]
    assert feature["properties"] == {"id": "a", "name": "片区", "colour": {"r": 255}}
    outer, inner = (shapely.LinearRing(ring) for ring in feature["geometry"]["coordinates"])
    assert outer.is_ccw
    assert not inner.is_ccw
    assert parse_zones(zone_map.feature_collection()).zones == zone_map.zones
    assert json.loads(json.dumps(zone_map.feature_collection())) == zone_map.feature_collection()
    assert any("wound the wrong way" in warning.detail and warning.zone == "a" for warning in zone_map.warnings)


def test_changing_the_collection_leaves_the_map_alone() -> None:
    zone_map = parse_zones(_map(_zone("a", _square(126.6, 45.7), policy={"window_s": 6})))
    zone_map.feature_collection()["features"][0]["properties"]["policy"]["window_s"] = 60
    assert zone_map.feature_collection()["features"][0]["properties"]["policy"] == {"window_s": 6}


def test_an_overlap_names_both_zones_a_place_inside_and_its_area() -> None:
    [problem] = _problems(_map(_zone("a", _square(126.6, 45.7)), _zone("b", _square(126.609, 45.709))))
    common = shapely.box(126.609, 45.709, 126.61, 45.71)
    assert "'a'" in problem.detail
    assert "'b'" in problem.detail
    assert {problem.zone, problem.pointer} == {"a", "/features/1"}
    assert common.contains(shapely.Point(problem.lon, problem.lat))
    # 0.001 degrees each way at 45.7095 N: 77.7 m by 111.2 m
    assert problem.area_m2 == pytest.approx(111.195 * 111.195 * np.cos(np.radians(45.7095)), rel=1e-4)
    assert f"{problem.area_m2:,.0f} m²" in problem.detail


@pytest.mark.parametrize(
    "other",
    [
        _square(126.6, 45.7),
        _square(126.602, 45.702, 0.002),
        _square(126.59, 45.69, 0.03),
        _square(126.6, 45.705),
        [[126.605, 45.69], [126.606, 45.69], [126.606, 45.72], [126.605, 45.72], [126.605, 45.69]],
    ],
    ids=["twin", "inside", "around", "half", "cross"],
)
def test_every_kind_of_overlap_is_found_in_either_order(other: list[list[float]]) -> None:
    one, two = _zone("a", _square(126.6, 45.7)), _zone("b", other)
    for document in (_map(one, two), _map(two, one)):
        [problem] = _problems(document)
        assert "overlap" in problem.detail


def test_overlaps_of_a_random_map_are_those_that_brute_force_finds() -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        boxes = [shapely.box(x, y, x + w, y + h) for x, y, w, h in rng.integers(1, 8, (7, 4)).tolist()]
        features = [_zone(f"z{i}", shapely.get_coordinates(box).tolist()) for i, box in enumerate(boxes)]
        pairs = {
            (f"z{i}", f"z{j}")
            for j in range(7)
            for i in range(j)
            if shapely.relate_pattern(boxes[i], boxes[j], "T********")
        }
        try:
            parse_zones(_map(*features))
            found = set()
        except ZoneMapError as error:
            found = {(p.zone, f"z{p.pointer.removeprefix('/features/')}") for p in error.problems}
        assert found == pairs


@pytest.mark.parametrize(("metres", "refused"), [(0.002, False), (0.5, True)])
def test_a_sliver_of_overlap_is_a_warning_and_no_more(metres: float, refused: bool) -> None:
    document = _map(_zone("a", _square(126.6, 45.7)), _zone("b", _square(126.6, 45.71 - metres * M)))
    if refused:
        assert "overlap" in _problems(document)[0].detail
    else:
        [warning] = parse_zones(document).warnings
        assert "overlap" in warning.detail
        assert warning.area_m2 == pytest.approx(metres * 777.0, rel=0.02)


def test_zones_that_share_a_border_or_a_corner_are_fine() -> None:
    features = [_zone(f"{i}{j}", _square(126 + i / 64, 45 + j / 64, 1 / 64)) for i in range(3) for j in range(3)]
    assert parse_zones(_map(*features)).warnings == ()


def test_a_gap_is_a_warning_with_place_area_and_zones_around() -> None:
    ring = [(0, 0), (1, 0), (2, 0), (0, 1), (2, 1), (0, 2), (1, 2), (2, 2)]
    features = [_zone(f"{i}{j}", _square(126 + i / 64, 45 + j / 64, 1 / 64)) for i, j in ring]
    [warning] = parse_zones(_map(*features)).warnings
    hole = shapely.box(126 + 1 / 64, 45 + 1 / 64, 126 + 2 / 64, 45 + 2 / 64)
    assert hole.contains(shapely.Point(warning.lon, warning.lat))
    assert warning.area_m2 == pytest.approx(area_m2(hole))
    assert "gap" in warning.detail
    assert "'01'" in warning.detail


def test_an_island_in_a_gap_does_not_count_as_gap() -> None:
    frame = _zone("frame", _square(126.6, 45.7, 0.03), _square(126.61, 45.71)[::-1])
    island = _zone("island", _square(126.613, 45.713, 0.004))
    [warning] = parse_zones(_map(frame, island)).warnings
    place = shapely.Point(warning.lon, warning.lat)
    assert not shapely.Polygon(_square(126.613, 45.713, 0.004)).contains(place)
    assert warning.area_m2 == pytest.approx(area_m2(shapely.Polygon(_square(126.61, 45.71))) * 0.84, rel=0.001)


@pytest.mark.parametrize(
    ("metres", "warned"), [(0.01, False), (3.0, True), (111.2, True), (240.0, True), (260.0, False)]
)
def test_a_narrow_strip_between_zones_is_a_gap_though_it_is_open(metres: float, warned: bool) -> None:
    upper = _square(126.6, 45.71 + metres * M, 0.01)
    warnings = parse_zones(_map(_zone("a", _square(126.6, 45.7)), _zone("b", upper))).warnings
    assert len(warnings) == warned
    for warning in warnings:
        assert warning.area_m2 == pytest.approx(metres * 776.6, rel=0.01)
        assert 45.71 < (warning.lat or 0.0) < 45.71 + metres * M
        assert "'a', 'b'" in warning.detail


def test_a_narrow_bay_of_one_zone_is_its_own_business() -> None:
    bay = [[126.6, 45.7], [126.61, 45.7], [126.61, 45.71], [126.60504, 45.71], [126.60502, 45.702], [126.605, 45.71]]
    zones = _zone("a", [*bay, [126.6, 45.71], [126.6, 45.7]]), _zone("b", _square(126.61, 45.7))
    assert parse_zones(_map(*zones)).warnings == ()


def test_gaps_within_each_other_are_counted_once() -> None:
    frame = _zone("frame", _square(126.6, 45.7, 0.03), _square(126.605, 45.705, 0.02)[::-1])
    island = _zone("island", _square(126.61, 45.71, 0.01), _square(126.613, 45.713, 0.004)[::-1])
    outer, inner = parse_zones(_map(frame, island)).warnings
    assert inner.area_m2 == pytest.approx(area_m2(shapely.Polygon(_square(126.613, 45.713, 0.004))))
    assert outer.area_m2 == pytest.approx(area_m2(shapely.box(126.605, 45.705, 126.625, 45.725)) * 0.75, rel=0.001)


def test_disjoint_zones_and_a_filled_hole_are_no_gaps() -> None:
    frame = _zone("frame", _square(126.6, 45.7, 0.03), _square(126.61, 45.71)[::-1])
    assert (
        parse_zones(_map(frame, _zone("core", _square(126.61, 45.71)), _zone("far", _square(127, 46)))).warnings == ()
    )


BOW = [[126.6, 45.7], [126.61, 45.71], [126.61, 45.7], [126.6, 45.71], [126.6, 45.7]]


def test_a_border_that_crosses_itself_is_refused_with_zone_and_place() -> None:
    [problem] = _problems(_map(_zone("good", _square(126.7, 45.7)), _zone("bow", BOW)))
    assert problem.zone == "bow"
    assert "crosses itself" in problem.detail
    assert (problem.lon, problem.lat) == pytest.approx((126.605, 45.705))
    assert problem.pointer == "/features/1/geometry/coordinates"


@pytest.mark.parametrize(
    ("rings", "words"),
    [
        ([_square(126.6, 45.7), _square(126.7, 45.7, 0.001)[::-1]], "hole lies outside"),
        ([_square(126.6, 45.7), _square(126.6, 45.7)[::-1]], "not a valid shape"),
        ([[[126.6, 45.7], [126.61, 45.7], [126.62, 45.7], [126.6, 45.7]]], "not a valid shape"),
        ([[[126.6, 45.7]] * 4], "one point"),
        ([_square(0.0, 0.0, 1e-300)], "one point"),
        ([], "empty"),
        ([[[1266.0, 45.7], [126.7, 45.7], [126.7, 45.8], [1266.0, 45.7]]], "out of range"),
        ([[[45.7, 126.6], [45.8, 126.6], [45.8, 126.7], [45.7, 126.6]]], "swapped"),
    ],
)
def test_a_shape_that_cannot_be_is_refused(rings: list[list[list[float]]], words: str) -> None:
    [problem] = _problems(_map(_zone("z", *rings)))
    assert words in problem.detail
    assert problem.zone == "z"


@pytest.mark.parametrize(
    ("feature", "pointer", "words"),
    [
        (_zone("", _square(126, 45)), "/features/0/properties/id", '"id"'),
        (_zone("x" * 65, _square(126, 45)), "/features/0/properties/id", "1 to 64"),
        (_zone(None, _square(126, 45)), "/features/0/properties/id", '"id"'),
        (_zone(True, _square(126, 45)), "/features/0/properties/id", '"id"'),
        (_zone(1.5, _square(126, 45)), "/features/0/properties/id", '"id"'),
        (_zone("a\nb", _square(126, 45)), "/features/0/properties/id", '"id"'),
        (_zone("a", _square(126, 45), name=None), "/features/0/properties/name", '"name"'),
        (_zone("a", _square(126, 45), policy="first"), "/features/0/properties/policy", "object"),
        (_zone("a", _square(126, 45), note="\x00"), "/features/0/properties/note", "cannot be stored"),
        (_zone("a", _square(126, 45), policy={"\ud800": 1}), "/features/0/properties/policy/0", "cannot be stored"),
        ({**_zone("a"), "geometry": None}, "/features/0/geometry", "not None"),
        (
            {**_zone("a"), "geometry": {"type": "Point", "coordinates": [1, 2]}},
            "/features/0/geometry/type",
            "not Point",
        ),
        ({**_zone("a"), "properties": None}, "/features/0/properties/id", '"id"'),
    ],
)
def test_a_feature_that_is_no_zone_is_refused(feature: dict[str, Any], pointer: str, words: str) -> None:
    assert any(problem.pointer == pointer and words in problem.detail for problem in _problems(_map(feature)))


def test_an_id_may_be_there_once_however_it_is_written() -> None:
    [problem] = _problems(_map(_zone(7, _square(126, 45)), _zone("7", _square(127, 45))))
    assert problem.pointer == "/features/1/properties/id"
    assert "/features/0" in problem.detail


def test_what_is_not_a_collection_or_empty_is_refused() -> None:
    assert "FeatureCollection" in _problems(_zone("a", _square(126, 45)))[0].detail
    assert "at least one zone" in _problems(_map())[0].detail
    assert "not JSON" in _problems(b"{")[0].detail


def test_an_ill_formed_ring_is_reported_with_its_zone() -> None:
    [problem] = _problems(_map(_zone("fine", _square(126, 45)), _zone("open", _square(127, 45)[:4])))
    assert (problem.zone, problem.pointer) == ("open", "/features/1/geometry/coordinates/0")


@pytest.mark.parametrize("name", ["urn:ogc:def:crs:OGC:1.3:CRS84", "EPSG:4326", "urn:ogc:def:crs:EPSG::4326"])
def test_a_crs_that_says_wgs84_is_taken(name: str) -> None:
    document = _map(_zone("a", _square(126, 45)), crs={"type": "name", "properties": {"name": name}})
    assert len(parse_zones(document).zones) == 1


@pytest.mark.parametrize(
    "crs", [{"type": "name", "properties": {"name": "EPSG:3857"}}, None, "gcj02", {"properties": 5}]
)
def test_another_crs_is_refused(crs: object) -> None:
    assert _problems(_map(_zone("a", _square(126, 45)), crs=crs))[0].pointer == "/crs"


def test_heights_are_dropped_with_a_warning() -> None:
    high = [[*position, 120.0] for position in _square(126, 45)]
    zone_map = parse_zones(_map(_zone("a", high)))
    [warning] = zone_map.warnings
    assert "heights" in warning.detail
    assert zone_map.feature_collection()["features"][0]["geometry"]["coordinates"] == [_square(126, 45)]


def test_all_problems_of_all_zones_come_at_once_up_to_a_limit() -> None:
    assert len(_problems(_map(_zone("bow", BOW), _zone("", _square(127, 45)), _zone("x", _square(128, 99))))) == 3
    assert len(_problems(_map(*(_zone("", BOW) for _ in range(200))))) == MAX_PROBLEMS


def test_a_pile_of_zones_is_refused_without_comparing_each_with_each() -> None:
    pile = _map(*(_zone(i, _square(126.6 + i * 1e-6, 45.7)) for i in range(3000)))
    assert len(_problems(pile)) == MAX_PROBLEMS  # takes 0.3 s; each with each takes minutes, and the test's time is up


def test_a_survey_names_every_overlap_and_gap_and_says_where_it_was_cut() -> None:
    pairs = [_zone(f"{n}{side}", _square(126.0 + n * 0.05 + shift, 45.7)) for n in range(150) for side, shift in
             (("a", 0.0), ("b", 0.005), ("c", 0.01504))]  # fmt: skip
    survey = survey_zones(json.dumps(_map(*pairs)).encode())
    assert len([problem for problem in survey.problems if "overlap" in problem.detail]) == 150
    assert len([warning for warning in survey.warnings if "gap" in warning.detail]) == 150
    assert (survey.gaps_known, survey.cut) == (True, False)
    assert survey_zones(json.dumps(_map(*pairs)).encode(), most=150).cut
    broken = survey_zones(json.dumps(_map(*pairs, _zone("bow", BOW))).encode())
    assert (broken.gaps_known, broken.warnings) == (False, ())


def test_a_map_of_too_many_zones_is_refused() -> None:
    [problem] = _problems(_map(*[_zone("a", _square(126.6, 45.7))] * (MAX_ZONES + 1)))
    assert "10,000" in problem.detail


def test_a_zone_across_the_antimeridian_must_be_cut_there() -> None:
    split = [_zone("east", _square(179.99, 45.0)), _zone("west", _square(-180.0, 45.0))]
    assert len(parse_zones(_map(*split)).zones) == 2
    round_the_earth = [[179.9, 45], [-179.9, 45], [-179.9, 46], [179.9, 46], [179.9, 45]]
    [problem] = _problems(_map(_zone("round", round_the_earth)))
    assert (problem.zone, problem.pointer) == ("round", "/features/0/geometry/coordinates/0/1")
    assert (problem.lon, problem.lat) == (-179.9, 45)
    assert "crosses the antimeridian" in problem.detail and "cut it there (RFC 7946, 3.1.9)" in problem.detail
    in_steps = [[170, 45], [0, 44], [-170, 45], [-170, 46], [0, 46], [170, 46], [170, 45]]
    assert "antimeridian" in _problems(_map(_zone("in steps", in_steps)))[0].detail


def test_of_a_map_that_was_taken_once_the_zones_that_are_good_go_on() -> None:
    round_the_earth = [[179.9, 45], [-179.9, 45], [-179.9, 46], [179.9, 46], [179.9, 45]]
    good = [_zone("a", _square(126.6, 45.7)), _zone("b", _square(126.7, 45.7))]
    stored = _map(good[0], _zone("round", round_the_earth), good[1])
    kept, problems = parse_usable_zones(json.dumps(stored).encode())
    assert kept is not None
    assert [zone.id for zone in kept.zones] == ["a", "b"]
    assert [(problem.zone, "antimeridian" in problem.detail) for problem in problems] == [("round", True)]
    assert parse_usable_zones(json.dumps(_map(*good)).encode())[1] == ()


def test_of_a_map_without_a_good_zone_or_in_other_coordinates_nothing_is_used() -> None:
    nowhere = [[179.9, 45], [-179.9, 45], [-179.9, 46], [179.9, 46], [179.9, 45]]
    kept, problems = parse_usable_zones(json.dumps(_map(_zone("round", nowhere))).encode())
    assert (kept, [problem.zone for problem in problems]) == (None, ["round"])
    elsewhere = {**_map(_zone("a", _square(126.6, 45.7)), _zone("round", nowhere)), "crs": "EPSG:3857"}
    assert parse_usable_zones(json.dumps(elsewhere).encode())[0] is None
    assert parse_usable_zones(b"[]")[0] is None
    assert parse_usable_zones(b"{")[0] is None


def test_area_is_that_of_the_sphere() -> None:
    whole_earth = shapely.box(-180, -90, 180, 90)
    assert area_m2(whole_earth) == pytest.approx(510_065_000e6, rel=1e-4)


def _with_ids(document: dict[str, Any]) -> dict[str, Any]:
    for i, feature in enumerate(document["features"]):
        feature["properties"]["id"] = f"{i:03d}"
    return document


def test_two_of_the_77_street_offices_of_harbin_overlap_and_the_others_do_not() -> None:
    document = _with_ids(_read("harbin", "harbin_subdistricts_admin8_wgs84.geojson"))
    assert len(document["features"]) == 77
    [problem] = _problems(document)
    names = {feature["properties"]["id"]: feature["properties"]["name"] for feature in document["features"]}
    two = [zone_id for zone_id in names if f"'{zone_id}'" in problem.detail]
    assert len(two) == 2
    assert problem.area_m2 == pytest.approx(19_741, abs=1)
    document["features"] = [feature for feature in document["features"] if feature["properties"]["id"] != two[1]]
    assert len(parse_zones(document).zones) == 76


def _in_wgs84(coordinates: Any) -> Any:
    if isinstance(coordinates[0], list):
        return [_in_wgs84(part) for part in coordinates]
    return list(to_wgs84(coordinates[0], coordinates[1], "gcj02"))


def test_the_18_districts_of_harbin_stay_a_map_through_the_change_of_datum() -> None:
    document = _with_ids(_read("harbin", "harbin_18_districts_gcj02.geojson"))
    for feature in document["features"]:
        feature["geometry"]["coordinates"] = _in_wgs84(feature["geometry"]["coordinates"])
    zone_map = parse_zones(document)
    assert len(zone_map.zones) == 18
    assert [warning for warning in zone_map.warnings if warning.area_m2] == []
    # Harbin has some 53,100 square kilometres.
    assert sum(area_m2(zone.geometry) for zone in zone_map.zones) == pytest.approx(53_100e6, rel=0.01)


def test_switzerland_is_a_zone_and_switzerland_kinked_is_refused_with_the_place() -> None:
    for path, kinked in (
        (("simple", "switzerland.geojson"), False),
        (("notSimple", "switzerlandKinked.geojson"), True),
    ):
        feature = _read("suites", "pip", *path)
        feature["properties"] |= {"id": "CHE", "name": "Switzerland"}
        if not kinked:
            assert isinstance(parse_zones(_map(feature)), ZoneMap)
            continue
        [problem] = _problems(_map(feature))
        assert problem.zone == "CHE"
        outline = shapely.LineString(feature["geometry"]["coordinates"][0])
        assert shapely.distance(outline, shapely.Point(problem.lon, problem.lat)) < 1e-6


def test_a_thousand_zones_of_a_hundred_vertices_are_read() -> None:
    turn = np.linspace(0.0, 2.0 * np.pi, 101)[:-1]
    features = []
    for i in range(1000):
        lon, lat = 126 + (i % 40) / 50, 45 + (i // 40) / 50
        ring = np.column_stack([lon + 0.0099 * np.cos(turn), lat + 0.0099 * np.sin(turn)]).tolist()
        features.append(_zone(f"z{i}", [*ring, ring[0]]))
    raw = json.dumps(_map(*features)).encode()
    assert len(parse_zones(raw).zones) == 1000
