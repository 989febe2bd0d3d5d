"""Which zones lie next to each other: where an offer may widen to.

Two zones are neighbours if they share a stretch of border, not just a corner. Maps drawn by hand do not meet exactly,
so zones also count whose borders run within `GAP_M` of each other for at least `ALONGSIDE_M`.
"""

from typing import Any

import numpy as np
import shapely

from geo.areas import M_PER_DEGREE, plane

GAP_M = 5.0
"""Borders this close run alongside."""
ALONGSIDE_M = 20.0
"""For this long, unless they share a stretch exactly. At a common corner borders are close for a few metres, too."""

_SHARE_A_STRETCH = "****1****"  # DE-9IM: the borders meet in something of dimension one


class Neighbours:
    """Finds neighbours on demand and remembers them; two threads that ask at once find the same."""

    def __init__(self, ids: list[str], shapes: Any) -> None:
        """Take ids and valid shapes in WGS-84 degrees, in one order."""
        self._ids = ids
        self._number = {zone_id: i for i, zone_id in enumerate(ids)}
        self._shapes = shapes
        self._tree = shapely.STRtree(shapes)
        self._known: dict[str, tuple[str, ...]] = {}

    def of(self, zone_id: str) -> tuple[str, ...]:
        """Return the ids of the neighbours of a zone, sorted; KeyError if there is no such zone."""
        if zone_id not in self._known:
            me = self._number[zone_id]
            shape = self._shapes[me]
            west, south, east, north = shape.bounds
            squeeze = max(0.01, float(np.cos(np.radians(max(abs(south), abs(north))))))
            lon, lat = GAP_M / M_PER_DEGREE / squeeze, GAP_M / M_PER_DEGREE
            near = self._tree.query(shapely.box(west - lon, south - lat, east + lon, north + lat))
            found = [self._ids[i] for i in near if i != me and _alongside(shape, self._shapes[i])]
            self._known[zone_id] = tuple(sorted(found))
        return self._known[zone_id]


def _alongside(one: Any, other: Any) -> bool:
    if shapely.relate_pattern(one, other, _SHARE_A_STRETCH):
        return True
    to_metres, _ = plane(*shapely.get_coordinates(one)[0].tolist())
    mine = shapely.transform(shapely.boundary(one), to_metres)
    theirs = shapely.transform(shapely.boundary(other), to_metres)
    if not shapely.dwithin(mine, theirs, GAP_M):
        return False
    close = shapely.buffer(_clip(theirs, mine), GAP_M)
    return bool(shapely.length(shapely.intersection(_clip(mine, theirs), close)) >= ALONGSIDE_M)


def _clip(lines: Any, to: Any) -> Any:
    """Cut lines down to the box of others, grown by the gap, so that the rest of a long border costs nothing."""
    west, south, east, north = to.bounds
    return shapely.clip_by_rect(lines, west - GAP_M, south - GAP_M, east + GAP_M, north + GAP_M)
