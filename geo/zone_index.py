"""From a place to its zone, quickly, and the same answer for ever. The only file that asks "which zone is this in".

The rule. A place belongs to a zone that covers it, border included. Where several do (a shared border, a sliver of
overlap), to the one with the smallest id, compared as text; so the order of the features does not matter. A place that
no zone covers but that is within `BORDER_TOLERANCE_DEG` of one belongs to it (the smallest id again): a point computed
to lie on a border is off by a rounding error, on either side.

The way. A grid answers most places from a table; a place in a border cell is tested against that cell's few zones.

Threads. An index does not change after construction. What shapely prepares for fast tests is not safe to share, so
each thread prepares its own copies, on first use.
"""

import threading
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from geo.datums import check_lonlat
from geo.neighbours import Neighbours
from geo.zone_grid import OUTSIDE, Grid, build_grid
from geo.zone_map import ZoneMap

BORDER_TOLERANCE_DEG = 1e-7
"""How far outside of every zone a place may be and still be on a border: about a centimetre, the seventh decimal."""

Ints = npt.NDArray[np.int64]


class ZoneIndex:
    """Answers which zone a place is in, for one version of the map. Safe to use from several threads."""

    def __init__(self, zone_map: ZoneMap, *, version: int = 0) -> None:
        """Build the index of a map, which must have a zone; `version` is kept for whoever asks."""
        self.version = version
        self.zone_map = zone_map
        zones = sorted(zone_map.zones, key=lambda zone: zone.id)
        if not zones:
            raise ValueError("an index needs a map with at least one zone")
        self._ids: list[str] = [zone.id for zone in zones]
        self._shapes = np.array([zone.geometry for zone in zones], dtype=object)
        self._grid = build_grid(self._shapes, margin=BORDER_TOLERANCE_DEG)
        self._cells = _cells(self._grid, self._ids)
        self._names = np.array([*self._ids, None], dtype=object)  # OUTSIDE, being -1, finds None
        self._prepared = _PreparedPerThread(self._shapes)
        self._neighbours = Neighbours(self._ids, self._shapes)

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of the zones, sorted."""
        return tuple(self._ids)

    def locate(self, lon: float, lat: float) -> str | None:
        """Return the id of the zone that a place is in, or None.

        Raises:
            ValueError: a coordinate is not finite or out of range, named.
        """
        grid = self._grid
        if not (grid.west <= lon <= grid.east and grid.south <= lat <= grid.north):
            check_lonlat(lon, lat)
            return None
        row, column = int((lat - grid.south) * grid.per_lat), int((lon - grid.west) * grid.per_lon)
        try:
            cell = self._cells[row * grid.columns + column]
        except IndexError:  # on the very rim of the grid, where there is no zone
            return None
        if cell is None or isinstance(cell, str):
            return cell
        prepared = self._prepared.shapes
        for zone in cell:
            if shapely.intersects_xy(prepared[zone], lon, lat):
                return self._ids[zone]
        place = shapely.Point(lon, lat)
        for zone in cell:
            if shapely.dwithin(self._shapes[zone], place, BORDER_TOLERANCE_DEG):
                return self._ids[zone]
        return None

    def locate_many(self, lons: npt.ArrayLike, lats: npt.ArrayLike) -> list[str | None]:
        """Return what `locate` says of each place; two arrays of one length.

        Raises:
            ValueError: the arrays differ in length or shape, or a coordinate is not finite or out of range.
        """
        lon, lat = _column(lons, "lons", 180.0), _column(lats, "lats", 90.0)
        if len(lon) != len(lat):
            raise ValueError(f"lons and lats must be of one length, not {len(lon)} and {len(lat)}")
        grid = self._grid
        codes = np.full(len(lon), OUTSIDE, dtype=np.int64)
        within = (lon >= grid.west) & (lon <= grid.east) & (lat >= grid.south) & (lat <= grid.north)
        row = ((lat[within] - grid.south) * grid.per_lat).astype(np.int64)
        column = ((lon[within] - grid.west) * grid.per_lon).astype(np.int64)
        cell = row * grid.columns + column
        on_rim = cell >= len(grid.codes)
        cell[on_rim] = 0  # the first cell holds no zone either
        codes[within] = np.where(on_rim, OUTSIDE, grid.codes[cell])
        border = np.flatnonzero(codes < OUTSIDE)
        if len(border):
            codes[border] = self._test(lon[border], lat[border], -2 - codes[border])
        found: list[str | None] = self._names[codes].tolist()
        return found

    def neighbours(self, zone_id: str) -> tuple[str, ...]:
        """Return the ids of the zones next to a zone, sorted: see `geo.neighbours` for what counts.

        Raises:
            KeyError: there is no such zone.
        """
        return self._neighbours.of(zone_id)

    def _test(self, lon: Any, lat: Any, cell: Ints) -> Ints:
        """Return the zone of each place in a border cell, by exact tests against the cell's zones."""
        grid, beyond = self._grid, len(self._ids)
        counts = grid.starts[cell + 1] - grid.starts[cell]
        place = np.repeat(np.arange(len(cell)), counts)
        offset = np.arange(len(place)) - np.repeat(np.cumsum(counts) - counts, counts)
        zone = grid.members[np.repeat(grid.starts[cell], counts) + offset]
        answer = np.full(len(cell), beyond, dtype=np.int64)
        covers = shapely.intersects_xy(self._prepared.shapes[zone], lon[place], lat[place])
        np.minimum.at(answer, place[covers], zone[covers])
        left = answer[place] == beyond
        if left.any():
            place, zone = place[left], zone[left]
            near = shapely.dwithin(self._shapes[zone], shapely.points(lon[place], lat[place]), BORDER_TOLERANCE_DEG)
            np.minimum.at(answer, place[near], zone[near])
        answer[answer == beyond] = OUTSIDE
        return answer


class _PreparedPerThread(threading.local):
    """Prepared copies of the shapes, one set per thread: threading.local runs __init__ once in each."""

    def __init__(self, shapes: Any) -> None:
        self.shapes = shapely.from_wkb(shapely.to_wkb(shapes))
        shapely.prepare(self.shapes)


def _cells(grid: Grid, ids: list[str]) -> list[str | tuple[int, ...] | None]:
    """Return the grid as a list for `locate`: an id, None, or the zones that a border cell may be in."""
    members, starts = grid.members.tolist(), grid.starts.tolist()
    border = [tuple(members[starts[b] : starts[b + 1]]) for b in range(len(starts) - 1)]
    table: list[str | tuple[int, ...] | None] = [*ids, *reversed(border), None]
    # Code c >= 0 is an id; OUTSIDE = -1 counts from the end and finds None; -2 finds the first border cell, and so on.
    return [table[code] for code in grid.codes.tolist()]


def _column(values: npt.ArrayLike, name: str, limit: float) -> npt.NDArray[np.float64]:
    column = np.asarray(values, dtype=np.float64)
    if column.ndim != 1:
        raise ValueError(f"{name} must be an array of one dimension, not {column.ndim}")
    if not (np.abs(column) <= limit).all():
        raise ValueError(f"{name} must be numbers from {-limit:g} to {limit:g}")
    return column
