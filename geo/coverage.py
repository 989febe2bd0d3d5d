"""Do zones overlap, and what do they leave out between them? Step two of `parse_zones`: all zones together.

Areas are of the sphere, by Lambert's cylindrical equal-area projection, so they hold for a flat and for a province.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import shapely

from geo.geojson import MAX_PROBLEMS
from geo.travel import EARTH_RADIUS_M
from geo.zone_map import Zone, ZoneProblem

SLIVER_M2 = 1.0
"""An overlap or gap below this area is the noise of rounded coordinates."""
SLIVER_WIDTH_M = 0.02
"""So is one that is on average narrower than this: coordinates with seven decimals are up to 11 mm apart."""

# Boxes that meet a zone's box, on average, beyond which a map is no map: side by side it is some ten.
_CROWD = 64


def find_overlaps(zones: Sequence[Zone], pointers: Sequence[str]) -> tuple[list[ZoneProblem], list[ZoneProblem]]:
    """Find pairs of zones whose interiors overlap; returns (errors, warnings), slivers being the latter.

    Stops looking once `MAX_PROBLEMS` errors are found.
    """
    errors: list[ZoneProblem] = []
    slivers: list[ZoneProblem] = []
    shapes = np.array([zone.geometry for zone in zones], dtype=object)
    for first, second in _suspects(shapes):
        overlaps = shapely.intersection(shapes[first], shapes[second])
        for k in np.flatnonzero(shapely.area(overlaps)).tolist():
            a, b = first[k], second[k]
            square, sliver = _measure(overlaps[k])
            lon, lat = _inside(overlaps[k])
            detail = f"zones {zones[a].id!r} and {zones[b].id!r} overlap by {_area(square)} near ({lon:.7f}, {lat:.7f})"
            found = slivers if sliver else errors
            found.append(ZoneProblem(pointers[b], zones[a].id, detail, lon, lat, square))
        if len(errors) >= MAX_PROBLEMS:
            break
    return errors[:MAX_PROBLEMS], slivers[:MAX_PROBLEMS]


def find_gaps(zones: Sequence[Zone]) -> list[ZoneProblem]:
    """Find places that zones enclose and none of them serves: the `MAX_PROBLEMS` largest, largest first."""
    shapes = np.array([zone.geometry for zone in zones], dtype=object)
    united = shapely.coverage_union_all(shapes) if shapely.coverage_is_valid(shapes) else shapely.union_all(shapes)
    parts = shapely.get_parts(united)
    holes = [shapely.Polygon(ring) for part in parts for ring in getattr(part, "interiors", ())]
    tree, islands = shapely.STRtree(shapes), shapely.STRtree(parts)
    gaps = []
    for hole in holes:
        # A zone may lie within a hole like an island, touching the rest nowhere or in a point.
        within = parts[islands.query(hole, predicate="contains")]
        filled = shapely.union_all(
            shapely.polygons(shapely.get_exterior_ring(within))
        )  # their holes are gaps of their own
        gap = shapely.difference(hole, filled)
        square, sliver = _measure(gap)
        if sliver:
            continue
        lon, lat = _inside(gap)
        around = sorted(zones[i].id for i in tree.query(gap, predicate="touches"))
        names = ", ".join(repr(name) for name in around[:5]) + (" and others" if len(around) > 5 else "")
        detail = f"no zone serves a gap of {_area(square)} near ({lon:.7f}, {lat:.7f}), among {names or 'the zones'}"
        gaps.append(ZoneProblem("/features", around[0] if around else None, detail, lon, lat, square))
    return sorted(gaps, key=lambda gap: (-(gap.area_m2 or 0.0), gap.lon or 0.0, gap.lat or 0.0))[:MAX_PROBLEMS]


def area_m2(shape: Any) -> float:
    """Return the area of a shape of WGS-84 degrees, in square metres on a sphere of `EARTH_RADIUS_M`."""
    return float(shapely.area(shapely.transform(shape, _equal_area)))


def _suspects(shapes: Any) -> Iterator[tuple[Any, Any]]:
    """Yield batches of pairs i < j of shapes that meet and may overlap; none for a perfect tiling."""
    tree = shapely.STRtree(shapes)
    if _is_crowded(shapes, tree):
        # Everything lies on everything: the coverage test would take for ever, and the first zones have errors enough.
        for j, shape in enumerate(shapes):
            below = tree.query(shape, predicate="intersects")
            below = np.sort(below[below < j])
            yield below, np.full(len(below), j)
        return
    if len(shapes) == 0 or shapely.coverage_is_valid(shapes):
        return
    # Of two that overlap at least one breaks the rules of a coverage; the other may be around it.
    odd = ~shapely.is_empty(shapely.coverage_invalid_edges(shapes))
    first, second = tree.query(shapes, predicate="intersects")
    keep = (first < second) & (odd[first] | odd[second])
    order = np.lexsort((first[keep], second[keep]))
    yield first[keep][order], second[keep][order]


def _is_crowded(shapes: Any, tree: shapely.STRtree) -> bool:
    """Say whether the boxes of the shapes meet far more often than those of zones side by side."""
    met = 0
    for shape in shapes:
        met += len(tree.query(shape))
        if met > _CROWD * len(shapes):
            return True
    return False


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
