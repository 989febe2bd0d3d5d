"""Lookup: one zone per place whatever the order, as shapely says it; neighbours; threads."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from geo.zone_index import BORDER_TOLERANCE_DEG, ZoneIndex
from geo.zones import parse_zones

DATA = Path(os.environ.get("QIANGDAN_TEST_DATA", Path(__file__).parents[4] / "shared" / "data"))
HARBIN = DATA / "harbin" / "harbin_subdistricts_admin8_wgs84.geojson"

M = 1.0 / 111_195.0
"""Degrees of latitude in a metre."""


def _box(west: float, south: float, east: float, north: float) -> list[list[float]]:
    return [[west, south], [east, south], [east, north], [west, north], [west, south]]


def _map(zones: dict[str, list[list[list[float]]]]) -> dict[str, Any]:
    features = [
        {"type": "Feature", "properties": {"id": i, "name": i}, "geometry": {"type": "Polygon", "coordinates": rings}}
        for i, rings in zones.items()
    ]
    return {"type": "FeatureCollection", "features": features}


def _index(zones: dict[str, list[list[list[float]]]]) -> ZoneIndex:
    return ZoneIndex(parse_zones(_map(zones)))


QUARTERS = {
    "d": [_box(126.0, 45.0, 126.5, 45.5)],
    "c": [_box(126.5, 45.0, 127.0, 45.5)],
    "b": [_box(126.0, 45.5, 126.5, 46.0)],
    "a": [_box(126.5, 45.5, 127.0, 46.0)],
}


def _irregular(seed: int, count: int = 60) -> dict[str, list[list[list[float]]]]:
    """Voronoi cells of random points, cut to a rectangle: their corners are shared, their borders at any angle."""
    rng = np.random.default_rng(seed)
    points = shapely.MultiPoint(rng.uniform((126.5, 45.65), (126.8, 45.83), (count, 2)))
    cells = shapely.get_parts(shapely.voronoi_polygons(points))
    cells = shapely.intersection(cells, shapely.box(126.5, 45.65, 126.8, 45.83))
    return {f"z{i:02d}": [shapely.get_coordinates(cell).tolist()] for i, cell in enumerate(cells)}


def _expected(index: ZoneIndex, lon: float, lat: float) -> str | None:
    """Return by the rule, from unprepared shapes, one by one, what `locate` should say."""
    place = shapely.Point(lon, lat)
    zones = sorted(index.zone_map.zones, key=lambda zone: zone.id)
    for zone in zones:
        if shapely.intersects(zone.geometry, place):
            return zone.id
    return next((zone.id for zone in zones if shapely.distance(zone.geometry, place) <= BORDER_TOLERANCE_DEG), None)


def test_a_place_inside_is_in_its_zone_and_a_place_outside_in_none() -> None:
    index = _index(QUARTERS)
    assert index.locate(126.2, 45.2) == "d"
    assert index.locate(126.7, 45.9) == "a"
    assert index.locate(125.9, 45.2) is None
    assert index.locate(-126.2, -45.2) is None


def test_a_shared_border_belongs_to_the_smaller_id_and_a_corner_to_the_smallest() -> None:
    index = _index(QUARTERS)
    assert index.locate(126.5, 45.2) == "c"
    assert index.locate(126.2, 45.5) == "b"
    assert index.locate(126.5, 45.5) == "a"


def test_ids_are_compared_as_text() -> None:
    index = _index({"9": [_box(126.0, 45.0, 126.5, 45.5)], "10": [_box(126.5, 45.0, 127.0, 45.5)]})
    assert index.locate(126.5, 45.2) == "10"


@pytest.mark.parametrize("place", [(126.0, 45.0), (127.0, 46.0), (126.0, 45.3), (126.9, 46.0), (127.0, 45.0)])
def test_the_outer_border_is_inside(place: tuple[float, float]) -> None:
    index = _index(QUARTERS)
    assert index.locate(*place) is not None
    assert index.locate_many([place[0]], [place[1]]) == [index.locate(*place)]


def test_a_place_a_centimetre_off_the_outer_border_still_counts_and_a_metre_off_does_not() -> None:
    index = _index(QUARTERS)
    assert index.locate(126.2, 45.0 - 0.5 * BORDER_TOLERANCE_DEG) == "d"
    assert index.locate(126.2, 45.0 - 1.0 * M) is None
    assert index.locate_many([126.2, 126.2], [45.0 - 0.5 * BORDER_TOLERANCE_DEG, 45.0 - 1.0 * M]) == ["d", None]


def test_points_computed_to_lie_on_borders_are_in_exactly_one_zone_whatever_the_order() -> None:
    zones = _irregular(5)
    index, backwards = _index(zones), _index(dict(reversed(zones.items())))
    for rings in list(zones.values())[:20]:
        corners = np.array(rings[0])
        for share in (0.0, 1 / 3, 0.5, 0.77):
            for lon, lat in (corners[:-1] + share * (corners[1:] - corners[:-1])).tolist():
                found = index.locate(lon, lat)
                assert found is not None
                assert found == backwards.locate(lon, lat) == _expected(index, lon, lat)


@pytest.mark.parametrize("seed", range(3))
def test_many_places_get_what_shapely_says_one_by_one_and_at_once(seed: int) -> None:
    index = _index(_irregular(seed))
    rng = np.random.default_rng(seed)
    places = rng.uniform((126.49, 45.64), (126.81, 45.84), (800, 2))
    one_by_one = [index.locate(lon, lat) for lon, lat in places.tolist()]
    assert one_by_one == [_expected(index, lon, lat) for lon, lat in places.tolist()]
    assert index.locate_many(places[:, 0], places[:, 1]) == one_by_one
    assert None in one_by_one


def test_every_part_of_a_zone_of_several_parts_counts() -> None:
    document = _map({"b": [_box(126.0, 45.0, 126.1, 45.1)]})
    parts = [
        [_box(126.1, 45.0, 126.2, 45.1)],
        [_box(126.4, 45.0, 126.5, 45.1), _box(126.42, 45.02, 126.44, 45.04)[::-1]],
    ]
    geometry = {"type": "MultiPolygon", "coordinates": parts}
    document["features"].append({"type": "Feature", "properties": {"id": "a", "name": "a"}, "geometry": geometry})
    index = ZoneIndex(parse_zones(document))
    places = {(126.05, 45.05): "b", (126.1, 45.05): "a", (126.15, 45.05): "a", (126.3, 45.05): None}
    places |= {(126.41, 45.01): "a", (126.43, 45.03): None, (126.42, 45.03): "a", (126.4999999, 45.0999999): "a"}
    assert {place: index.locate(*place) for place in places} == places
    assert index.locate_many(*zip(*places, strict=True)) == list(places.values())


def test_the_rim_of_the_map_is_outside() -> None:
    index = _index(QUARTERS)
    rim = 2.0 * BORDER_TOLERANCE_DEG  # where the lookup table ends
    lons = [126.2, 126.2, 126.0 - rim, 127.0 + rim, 127.0 + rim]
    lats = [46.0 + rim, 45.0 - rim, 45.2, 45.2, 46.0 + rim]
    assert [index.locate(lon, lat) for lon, lat in zip(lons, lats, strict=True)] == [None] * 5
    assert index.locate_many(lons, lats) == [None] * 5


LAYOUT = _index(
    {
        "hole": [_box(0, 0, 9, 9), _box(3, 3, 6, 6)[::-1]],
        "island": [_box(4, 4, 5, 5)],
        "needle": [[[9, 0], [30, 0.001], [9, 0.002], [9, 0]]],
        "comb": [[[0, 9], [9, 9], [9, 12], [8, 9.5], [7, 12], [6, 9.5], [5, 12], [4, 9.5], [3, 12], [0, 9]]],
    }
)


@given(st.integers(0, 3100) | st.floats(-1, 31), st.integers(0, 1300) | st.floats(-1, 13))
def test_holes_islands_needles_and_combs(lon: float, lat: float) -> None:
    lon, lat = (lon / 100 if isinstance(lon, int) else lon), (lat / 100 if isinstance(lat, int) else lat)
    assert LAYOUT.locate(lon, lat) == _expected(LAYOUT, lon, lat)
    assert LAYOUT.locate_many([lon], [lat]) == [LAYOUT.locate(lon, lat)]


def test_a_sliver_of_overlap_goes_to_the_smaller_id() -> None:
    index = _index({"b": [_box(126.0, 45.0, 126.5, 45.0001)], "a": [_box(126.0, 45.0001 - 1e-8, 126.5, 45.0002)]})
    assert index.locate(126.2, 45.0001 - 5e-9) == "a"


@pytest.mark.parametrize("side", [1e-8, 1e-6, 170.0])
def test_maps_of_any_size_are_indexed(side: float) -> None:
    index = _index({"a": [_box(0.0, 0.0, side, side / 2)]})
    assert index.locate(side / 2, side / 4) == "a"
    assert index.locate(side + 1e-6, 0.0) is None
    assert index.locate_many([side / 2, side + 1e-6], [side / 4, 0.0]) == ["a", None]


@pytest.mark.parametrize(
    ("lon", "lat", "name"),
    [(float("nan"), 45.0, "lon"), (126.0, float("nan"), "lat"), (181.0, 45.0, "lon"), (126.0, float("-inf"), "lat")],
)
def test_a_coordinate_that_is_none_is_refused_by_name(lon: float, lat: float, name: str) -> None:
    index = _index(QUARTERS)
    with pytest.raises(ValueError, match=f"^{name} "):
        index.locate(lon, lat)
    with pytest.raises(ValueError, match=f"^{name}s "):
        index.locate_many([126.2, lon], [45.2, lat])


def test_arrays_of_other_shapes_are_refused_and_none_is_fine() -> None:
    index = _index(QUARTERS)
    with pytest.raises(ValueError, match="one length"):
        index.locate_many([126.2], [45.2, 45.3])
    with pytest.raises(ValueError, match="one dimension"):
        index.locate_many([[126.2]], [[45.2]])
    assert index.locate_many([], []) == []


def test_the_version_is_kept() -> None:
    assert ZoneIndex(parse_zones(_map(QUARTERS)), version=7).version == 7


def test_neighbours_share_a_stretch_of_border_and_not_a_corner() -> None:
    index = _index(QUARTERS)
    assert index.neighbours("a") == ("b", "c")
    assert index.neighbours("d") == ("b", "c")


def test_zones_drawn_by_hand_with_metres_between_them_are_neighbours() -> None:
    index = _index(
        {
            "a": [_box(126.0, 45.0, 126.01, 45.01)],
            "near": [_box(126.0, 45.01 + 3 * M, 126.01, 45.02)],
            "far": [_box(126.0, 45.0 - 0.01, 126.01, 45.0 - 30 * M)],
            "corner": [_box(126.01 + 3 * M, 45.01 + 3 * M, 126.02, 45.02)],
        }
    )
    assert index.neighbours("a") == ("near",)
    assert "a" in index.neighbours("near")


def test_neighbours_are_mutual_on_a_map_of_any_shape() -> None:
    index = _index(_irregular(9))
    near = {zone.id: index.neighbours(zone.id) for zone in index.zone_map.zones}
    assert all(one in near[other] for one in near for other in near[one])
    assert all(near.values())


def test_a_border_noded_differently_on_both_sides_still_makes_neighbours() -> None:
    left = [[126.0, 45.0], [126.01, 45.0], [126.0133, 45.01], [126.0, 45.01], [126.0, 45.0]]
    right = [[126.01, 45.0], [126.02, 45.0], [126.02, 45.01], [126.0133, 45.01], [126.0111, 45.0033333], [126.01, 45.0]]
    assert _index({"l": [left], "r": [right]}).neighbours("l") == ("r",)


def test_neighbours_of_no_zone_are_a_key_error() -> None:
    with pytest.raises(KeyError):
        _index(QUARTERS).neighbours("e")


def test_several_threads_get_the_same_answers() -> None:
    index = _index(_irregular(11))
    places = np.random.default_rng(2).uniform((126.5, 45.65), (126.8, 45.83), (3000, 2))
    alone = index.locate_many(places[:, 0], places[:, 1])

    def look(_: int) -> list[str | None]:
        return [index.locate(lon, lat) for lon, lat in places.tolist()]

    with ThreadPoolExecutor(4) as threads:
        assert all(answers == alone for answers in threads.map(look, range(8)))


def test_street_offices_of_harbin_agree_with_shapely() -> None:
    if not HARBIN.is_file():
        pytest.skip(f"the polygons of Harbin are not at {HARBIN}; set QIANGDAN_TEST_DATA")
    document = json.loads(HARBIN.read_bytes())
    for i, feature in enumerate(document["features"]):
        feature["properties"]["id"] = f"{i:03d}"
    del document["features"][21]  # overlaps number 17, see test_zones
    index = ZoneIndex(parse_zones(document))
    shapes = [zone.geometry for zone in index.zone_map.zones]
    corners = shapely.get_coordinates(shapes)
    places = np.concatenate([corners, (corners[1:] + corners[:-1]) / 2.0])[::5]
    found = index.locate_many(places[:, 0], places[:, 1])
    assert found == [_expected(index, lon, lat) for lon, lat in places.tolist()]
