"""A uniform grid over a map of zones: which cells lie wholly in one zone, and which zones a border cell may lie in.

Most places answer from the grid alone. A cell counts as a border cell for a zone if that zone's border comes within
`margin` of it; every other cell lies wholly inside or wholly outside of that zone, by more than the margin.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

OUTSIDE = -1
"""Code of a cell that no zone comes near to."""

# Cells per zone, and in all: enough that few cells are border cells, few enough to build in a fraction of a second.
_CELLS_PER_ZONE = 1024
_FEWEST, _MOST = 64 * 64, 640 * 640

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Grid:
    """Cells of a map, row by row from the south-west.

    `codes[row * columns + column]` is the number of the zone that covers the cell, or `OUTSIDE`, or, for the border
    cell b, `-2 - b`; that cell's zones are `members[starts[b]:starts[b + 1]]`, ascending.
    """

    west: float
    south: float
    east: float
    north: float
    per_lon: float
    per_lat: float
    columns: int
    codes: Ints
    starts: Ints
    members: Ints


def build_grid(shapes: Any, *, margin: float) -> Grid:
    """Lay a grid over an array of shapes; `margin` is in degrees, as everything here."""
    west, south, east, north = shapely.total_bounds(shapes).tolist()
    west, south, east, north = west - 2 * margin, south - 2 * margin, east + 2 * margin, north + 2 * margin
    wanted = min(max(_CELLS_PER_ZONE * len(shapes), _FEWEST), _MOST)
    # Never finer than the margin; as many rows as columns, since degrees need not be square.
    side = int(wanted**0.5)
    columns = max(1, min(side, int((east - west) / (4 * margin))))
    rows = max(1, min(side, int((north - south) / (4 * margin))))
    per_lon, per_lat = columns / (east - west), rows / (north - south)
    cell, zone = _border_cells(shapes, (west, south, per_lon, per_lat, columns, rows), margin)
    border = np.unique(cell)
    codes = _fill(shapes, border, (west, south, per_lon, per_lat, columns, rows))
    # A zone whose border keeps away from a border cell covers it or not: its middle tells.
    lon = west + (border % columns + 0.5) / per_lon
    lat = south + (border // columns + 0.5) / per_lat
    at, covering = shapely.STRtree(shapes).query(shapely.points(lon, lat), predicate="intersects")
    pairs = np.unique(np.concatenate([cell, border[at]]) * len(shapes) + np.concatenate([zone, covering]))
    owners, members = np.divmod(pairs, len(shapes))
    starts = np.searchsorted(owners, np.append(border, np.iinfo(np.int64).max))
    codes[border] = -2 - np.arange(len(border))
    return Grid(west, south, east, north, per_lon, per_lat, columns, codes, starts, members)


_Frame = tuple[float, float, float, float, int, int]


def _border_cells(shapes: Any, frame: _Frame, margin: float) -> tuple[Ints, Ints]:
    """Return (cell, zone) pairs of the cells that come within `margin` of a zone's border."""
    west, south, per_lon, per_lat, columns, rows = frame
    polygons, shape = shapely.get_parts(shapes, return_index=True)
    rings, polygon = shapely.get_rings(polygons, return_index=True)
    owner = shape[polygon]
    points, ring = shapely.get_coordinates(rings, return_index=True)
    same = ring[1:] == ring[:-1]
    start, end, zone = points[:-1][same], points[1:][same], owner[ring[1:][same]]
    # Cut each edge into pieces of at most half a cell either way: a piece then lies in the cells of its box's corners.
    reach = np.abs(end - start) * (per_lon, per_lat)
    pieces = np.maximum(1, np.ceil(2.0 * reach.max(axis=1))).astype(np.int64)
    edge = np.repeat(np.arange(len(pieces)), pieces)
    step = np.arange(len(edge)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    one, two = step / pieces[edge], (step + 1) / pieces[edge]
    run = (end - start)[edge]
    near, far = start[edge] + one[:, None] * run, start[edge] + two[:, None] * run
    low, high = np.minimum(near, far) - margin, np.maximum(near, far) + margin
    cells = [
        np.clip(((lat - south) * per_lat).astype(np.int64), 0, rows - 1) * columns
        + np.clip(((lon - west) * per_lon).astype(np.int64), 0, columns - 1)
        for lon in (low[:, 0], high[:, 0])
        for lat in (low[:, 1], high[:, 1])
    ]
    keys = np.unique(np.concatenate(cells) * len(shapes) + np.tile(zone[edge], 4))
    cell, owned = np.divmod(keys, len(shapes))
    return cell, owned


def _fill(shapes: Any, border: Ints, frame: _Frame) -> Ints:
    """Return a code for each cell that is no border cell: between two border cells of a row all cells are alike."""
    west, south, per_lon, per_lat, columns, rows = frame
    is_border = np.zeros(rows * columns, dtype=bool)
    is_border[border] = True
    place = np.arange(rows * columns)
    opens = ~is_border & ((place % columns == 0) | np.roll(is_border, 1))
    first = np.flatnonzero(opens)
    lon = west + (first % columns + 0.5) / per_lon
    lat = south + (first // columns + 0.5) / per_lat
    at, zone = shapely.STRtree(shapes).query(shapely.points(lon, lat), predicate="intersects")
    answer = np.full(len(first), len(shapes), dtype=np.int64)
    np.minimum.at(answer, at, zone)
    answer[answer == len(shapes)] = OUTSIDE
    run = np.cumsum(opens) - 1
    codes = np.full(rows * columns, OUTSIDE, dtype=np.int64)
    codes[~is_border] = answer[run[~is_border]]
    return codes
