"""Do zones overlap, and what do they leave out between them? Step two of `parse_zones`: all zones together.

Areas are of the sphere, by Lambert's cylindrical equal-area projection, so they hold for a flat and for a province.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import shapely

from geo.travel import EARTH_RADIUS_M
from geo.zone_map import Zone, ZoneProblem

SLIVER_M2 = 1.0
"""An overlap or gap below this area is the noise of rounded coordinates."""
SLIVER_WIDTH_M = 0.02
"""So is one that is on average narrower than this: coordinates with seven decimals are up to 11 mm apart."""


def find_overlaps(zones: Sequence[Zone], pointers: Sequence[str]) -> tuple[list[ZoneProblem], list[ZoneProblem]]:
    """Find pairs of zones whose interiors overlap; returns (errors, warnings), slivers being the latter."""
    errors: list[ZoneProblem] = []
    slivers: list[ZoneProblem] = []
    shapes = np.array([zone.geometry for zone in zones], dtype=object)
    if shapely.coverage_is_valid(shapes):
        return errors, slivers
    first, second = _suspects(shapes)
    overlaps = shapely.intersection(shapes[first], shapes[second])
    for a, b, overlap in zip(first, second, overlaps, strict=True):
        square, sliver = _measure(overlap)
        if square == 0.0:
            continue
        lon, lat = _inside(overlap)
        detail = f"zones {zones[a].id!r} and {zones[b].id!r} overlap by {_area(square)} near ({lon:.7f}, {lat:.7f})"
        found = slivers if sliver else errors
        found.append(ZoneProblem(pointers[b], zones[a].id, detail, lon, lat, square))
    return errors, slivers


def find_gaps(zones: Sequence[Zone]) -> list[ZoneProblem]:
    """Find places that zones enclose and none of them serves, largest first."""
    shapes = np.array([zone.geometry for zone in zones], dtype=object)
    united = shapely.coverage_union_all(shapes) if shapely.coverage_is_valid(shapes) else shapely.union_all(shapes)
    parts = shapely.get_parts(united)
    holes = [shapely.Polygon(ring) for part in parts for ring in getattr(part, "interiors", ())]
    tree = shapely.STRtree(shapes)
    gaps = []
    for hole in holes:
        # A zone may lie within a hole like an island, touching nothing.
        gap = shapely.difference(hole, united) if len(parts) > 1 else hole
        square, sliver = _measure(gap)
        if sliver:
            continue
        lon, lat = _inside(gap)
        around = sorted(zones[i].id for i in tree.query(gap, predicate="touches"))
        names = ", ".join(repr(name) for name in around[:5]) + (" and others" if len(around) > 5 else "")
        detail = f"no zone serves a gap of {_area(square)} near ({lon:.7f}, {lat:.7f}), among {names or 'the zones'}"
        gaps.append(ZoneProblem("/features", around[0] if around else None, detail, lon, lat, square))
    return sorted(gaps, key=lambda gap: (-(gap.area_m2 or 0.0), gap.lon or 0.0, gap.lat or 0.0))


def area_m2(shape: Any) -> float:
    """Return the area of a shape of WGS-84 degrees, in square metres on a sphere of `EARTH_RADIUS_M`."""
    return float(shapely.area(shapely.transform(shape, _equal_area)))


def _suspects(shapes: Any) -> tuple[Any, Any]:
    """Return the pairs i < j that meet and of which at least one breaks the rules of a coverage."""
    odd = ~shapely.is_empty(shapely.coverage_invalid_edges(shapes))
    first, second = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    keep = (first < second) & (odd[first] | odd[second])
    return first[keep], second[keep]


def _measure(shape: Any) -> tuple[float, bool]:
    """Return the area in square metres, and whether that is a sliver."""
    square = area_m2(shape)
    half_way_round = shapely.length(shape) * np.radians(1.0) * EARTH_RADIUS_M / 2.0
    return square, square < SLIVER_M2 or square < SLIVER_WIDTH_M * half_way_round


def _inside(shape: Any) -> tuple[float, float]:
    """Return a place inside the largest piece of a shape."""
    pieces = shapely.get_parts(shape)
    point = shapely.point_on_surface(pieces[int(np.argmax(shapely.area(pieces)))])
    return float(point.x), float(point.y)


def _equal_area(lonlat: Any) -> Any:
    radians = np.radians(lonlat)
    return EARTH_RADIUS_M * np.column_stack([radians[:, 0], np.sin(radians[:, 1])])


def _area(square: float) -> str:
    return f"{square:,.0f} m²" if square >= 10 else f"{square:.2g} m²"
