"""Cutting a zone along a line, and joining zones."""

from typing import Any

import pytest
from shapely.geometry import shape

from geo import ZoneEditError, join_zones, parse_zones, split_zone


def box(west: float, south: float, east: float, north: float) -> dict[str, Any]:
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Polygon", "coordinates": [ring]}


def line(*places: tuple[float, float]) -> dict[str, Any]:
    return {"type": "LineString", "coordinates": [list(place) for place in places]}


def test_a_cut_gives_the_parts_the_largest_first_and_loses_no_ground() -> None:
    parts = split_zone(box(0, 0, 4, 1), line((1, -1), (1, 2)))
    assert [shape(part).area for part in parts] == [3, 1]


def test_the_parts_are_a_map_without_overlap_or_gap() -> None:
    parts = split_zone(box(126.6, 45.7, 126.7, 45.8), line((126.61, 45.6), (126.67, 45.74), (126.65, 45.9)))
    features = [
        {"type": "Feature", "properties": {"id": str(n), "name": str(n)}, "geometry": part}
        for n, part in enumerate(parts)
    ]
    zone_map = parse_zones({"type": "FeatureCollection", "features": features})
    assert (len(zone_map.zones), zone_map.warnings) == (2, ())


@pytest.mark.parametrize(
    ("knife", "why"),
    [
        (line((1, 0.2), (1, 0.8)), "from border to border"),
        (line((9, 9), (10, 10)), "from border to border"),
        (line((1, -1), (3, 2), (3, -1), (1, 2)), "does not cross itself"),
        (box(0, 0, 1, 1), "one line"),
        ({"type": "LineString"}, "no GeoJSON"),
    ],
)
def test_a_cut_that_cannot_be_made_says_why(knife: dict[str, Any], why: str) -> None:
    with pytest.raises(ZoneEditError, match=why):
        split_zone(box(0, 0, 4, 1), knife)


def test_zones_that_touch_become_one() -> None:
    assert shape(join_zones([box(0, 0, 1, 1), box(1, 0, 2, 1)])).equals(shape(box(0, 0, 2, 1)))


def test_zones_apart_do_not() -> None:
    with pytest.raises(ZoneEditError, match="do not touch"):
        join_zones([box(0, 0, 1, 1), box(2, 0, 3, 1)])
