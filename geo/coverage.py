"""Do zones overlap? Step two of `parse_zones`, which looks at all zones together."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import shapely

from geo.areas import area_text, measure, place_inside
from geo.geojson import MAX_PROBLEMS
from geo.zone_map import Zone, ZoneProblem

# Boxes that meet a zone's box, on average, beyond which a map is no map: side by side it is some ten.
_CROWD = 64


def find_overlaps(
    zones: Sequence[Zone], pointers: Sequence[str], *, most: int = MAX_PROBLEMS
) -> tuple[list[ZoneProblem], list[ZoneProblem]]:
    """Find pairs of zones whose interiors overlap; returns (errors, warnings), slivers being the latter.

    Stops looking once `most` errors are found.
    """
    errors: list[ZoneProblem] = []
    slivers: list[ZoneProblem] = []
    shapes = np.array([zone.geometry for zone in zones], dtype=object)
    for first, second in _suspects(shapes):
        overlaps = shapely.intersection(shapes[first], shapes[second])
        for k in np.flatnonzero(shapely.area(overlaps)).tolist():
            a, b = first[k], second[k]
            square, sliver = measure(overlaps[k])
            lon, lat = place_inside(overlaps[k])
            detail = (
                f"zones {zones[a].id!r} and {zones[b].id!r} overlap by {area_text(square)} near ({lon:.7f}, {lat:.7f})"
            )
            found = slivers if sliver else errors
            found.append(ZoneProblem(pointers[b], zones[a].id, detail, lon, lat, square))
        if len(errors) >= most:
            break
    return errors[:most], slivers[:most]


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
