"""What do zones leave out between them? Step three of `parse_zones`; gaps are warnings.

A gap is a place that zones enclose and none of them serves, or a strip between zones, narrower than `STRIP_M`, that is
open to the outside: a border drawn twice, a street or a row of houses that nobody thought of. Zones that lie further
apart are meant to: a river is between them, or another company's district.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import shapely

from geo.areas import M_PER_DEGREE, area_text, measure, place_inside, plane
from geo.geojson import MAX_PROBLEMS
from geo.zone_map import Zone, ZoneProblem

STRIP_M = 250.0
"""An open strip between zones is a gap if it is narrower than this."""
_TOUCH_M = 0.5


def find_gaps(zones: Sequence[Zone], *, most: int = MAX_PROBLEMS) -> list[ZoneProblem]:
    """Find what zones leave out: the `most` largest gaps, largest first."""
    shapes = np.array([zone.geometry for zone in zones], dtype=object)
    tree = shapely.STRtree(shapes)
    united = shapely.coverage_union_all(shapes) if shapely.coverage_is_valid(shapes) else shapely.union_all(shapes)
    gaps = []
    for gap in (*_holes(united), *_strips(united, shapes)):
        square, sliver = measure(gap)
        if sliver:
            continue
        lon, lat = place_inside(gap)
        around = sorted(zones[i].id for i in tree.query(gap, predicate="dwithin", distance=_TOUCH_M / M_PER_DEGREE))
        names = ", ".join(repr(name) for name in around[:5]) + (" and others" if len(around) > 5 else "")
        detail = f"no zone serves a gap of {area_text(square)} near ({lon:.7f}, {lat:.7f}), beside {names}"
        gaps.append(ZoneProblem("/features", around[0] if around else None, detail, lon, lat, square))
    return sorted(gaps, key=lambda gap: (-(gap.area_m2 or 0.0), gap.lon or 0.0, gap.lat or 0.0))[:most]


def _holes(united: Any) -> Iterator[Any]:
    """Yield what is enclosed, without zones that lie in it like islands."""
    parts = shapely.get_parts(united)
    islands = shapely.STRtree(parts)
    for part in parts:
        for ring in part.interiors:
            hole = shapely.Polygon(ring)
            within = parts[islands.query(hole, predicate="contains")]
            # An island's own holes are gaps of their own.
            yield shapely.difference(hole, shapely.union_all(shapely.polygons(shapely.get_exterior_ring(within))))


def _strips(united: Any, shapes: Any) -> Iterator[Any]:
    """Yield narrow strips between at least two shapes: what is added by growing the outline and shrinking it again."""
    west, south, east, north = united.bounds
    to_metres, to_degrees = plane((west + east) / 2.0, (south + north) / 2.0)
    outline = shapely.union_all(shapely.polygons(shapely.get_exterior_ring(shapely.get_parts(united))))
    outline = shapely.transform(outline, to_metres)
    # Mitred corners come back as they were; round ones would leave a crumb in each bend of the outline.
    grown = shapely.buffer(outline, STRIP_M / 2.0, join_style="mitre")
    closed = shapely.buffer(grown, -STRIP_M / 2.0, join_style="mitre")
    tree = shapely.STRtree(shapely.transform(shapes, to_metres))
    for strip in shapely.get_parts(shapely.difference(closed, outline)):
        if len(tree.query(strip, predicate="dwithin", distance=_TOUCH_M)) > 1:
            yield shapely.transform(strip, to_degrees)
