"""Zone lookup: `geo.ZoneIndex` beside shapely's STRtree used directly, on the same zones and places.

Single: one place at a time, as reports and phones bring them; the peer builds a Point and queries it with the predicate
`intersects`. Batch: arrays of places; the peer builds all points and queries them at once. Both are asked in turns, so
that whatever else the machine does falls on both, and medians of the turns are compared. The synthetic map has as many
zones as Harbin has street offices in its centre; those themselves are measured too where the test data is present.
"""

import itertools
import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from geo import ZoneIndex, ZoneMap, ZoneMapError, parse_zones

NAME = "zone-lookup"
PEER = "shapely STRtree, predicate intersects"
TARGET_RATIO = 1.5
"""Time of ours by time of the peer that single lookups promise to stay under; batches are held to the same."""

_ZONES = 77
_BENDS = 12
_BATCH = 5_000
_SINGLE = 500

Floats = npt.NDArray[np.float64]


def run(*, seed: int = 1, seconds: float = 2.0) -> list[dict[str, Any]]:
    """Measure for about `seconds` in all; returns one row per figure, microseconds per place, smaller being better."""
    maps = {"": synthetic_map(seed)}
    harbin = _harbin_map()
    if harbin is not None:
        maps["-harbin"] = harbin
    rows = []
    for suffix, zone_map in maps.items():
        rows += _measure(zone_map, suffix, np.random.default_rng(seed), seconds / len(maps) / 2.0)
    return rows


def synthetic_map(seed: int) -> ZoneMap:
    """Make a map of irregular zones: Voronoi cells of random points, with borders bent alike on both sides."""
    rng = np.random.default_rng(seed)
    frame = shapely.box(126.51, 45.66, 126.77, 45.83)
    points = rng.uniform((126.51, 45.66), (126.77, 45.83), (_ZONES, 2))
    cells = shapely.get_parts(shapely.voronoi_polygons(shapely.MultiPoint(points)))
    cells = shapely.orient_polygons(shapely.intersection(cells, frame))
    borders: dict[tuple[tuple[float, ...], tuple[float, ...]], Floats] = {}
    features = []
    for number, cell in enumerate(cells):
        corners = [tuple(corner) for corner in np.round(shapely.get_coordinates(cell), 7).tolist()]
        ring: list[Any] = []
        for start, end in itertools.pairwise(corners):
            key = (min(start, end), max(start, end))
            if key not in borders:
                borders[key] = _bent(rng, np.array(key[0]), np.array(key[1]))
            line = borders[key] if key[0] == start else borders[key][::-1]
            ring += line[:-1].tolist()
        geometry = {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}
        properties = {"id": f"zone-{number:02d}", "name": f"zone {number}"}
        features.append({"type": "Feature", "properties": properties, "geometry": geometry})
    return parse_zones({"type": "FeatureCollection", "features": features})


def _bent(rng: np.random.Generator, start: Floats, end: Floats) -> Floats:
    """Return a line from start to end that wavers a little; too little to meet another one."""
    along = np.linspace(0.0, 1.0, _BENDS + 2)[:, np.newaxis]
    aside = np.zeros((_BENDS + 2, 1))
    aside[1:-1, 0] = rng.uniform(-0.004, 0.004, _BENDS)
    run = end - start
    return np.asarray(start + along * run + aside * np.array([-run[1], run[0]]))


def _harbin_map() -> ZoneMap | None:
    """Return the street offices of central Harbin, or None where they are not at hand."""
    root = Path(os.environ.get("QIANGDAN_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
    path = root / "harbin" / "harbin_subdistricts_admin8_wgs84.geojson"
    if not path.is_file():
        return None
    document = json.loads(path.read_bytes())
    for number, feature in enumerate(document["features"]):
        feature["properties"]["id"] = f"office-{number:02d}"
    try:
        return parse_zones(document)
    except ZoneMapError as error:  # in the data two of them overlap: leave one of each such pair out
        left_out = {problem.zone for problem in error.problems}
        document["features"] = [each for each in document["features"] if each["properties"]["id"] not in left_out]
        return parse_zones(document)


def _measure(zone_map: ZoneMap, suffix: str, rng: np.random.Generator, seconds: float) -> list[dict[str, Any]]:
    index = ZoneIndex(zone_map)
    shapes = [zone.geometry for zone in zone_map.zones]
    tree = shapely.STRtree(shapes)
    west, south, east, north = shapely.total_bounds(shapes).tolist()
    lons, lats = rng.uniform(west, east, _BATCH), rng.uniform(south, north, _BATCH)
    places = list(zip(lons[:_SINGLE].tolist(), lats[:_SINGLE].tolist(), strict=True))

    def ours_single() -> None:
        for lon, lat in places:
            index.locate(lon, lat)

    def peer_single() -> None:
        for lon, lat in places:
            tree.query(shapely.Point(lon, lat), predicate="intersects")

    def ours_batch() -> None:
        index.locate_many(lons, lats)

    def peer_batch() -> None:
        tree.query(shapely.points(lons, lats), predicate="intersects")

    single = _medians(ours_single, peer_single, seconds)
    batch = _medians(ours_batch, peer_batch, seconds)
    return [_row(f"single{suffix}", single, _SINGLE), _row(f"batch{suffix}", batch, _BATCH)]


def _medians(ours: Callable[[], None], peer: Callable[[], None], seconds: float) -> tuple[float, float]:
    """Run both in turns for about `seconds`, at least five turns each; returns the median seconds of a turn."""
    ours()
    peer()
    times: tuple[list[float], list[float]] = ([], [])
    until = time.perf_counter() + seconds
    while len(times[0]) < 5 or time.perf_counter() < until:
        for call, taken in zip((ours, peer), times, strict=True):
            started = time.perf_counter()
            call()
            taken.append(time.perf_counter() - started)
    return statistics.median(times[0]), statistics.median(times[1])


def _row(figure: str, medians: tuple[float, float], places: int) -> dict[str, Any]:
    ours, peer = (1e6 * median / places for median in medians)
    return {
        "bench": NAME,
        "figure": figure,
        "unit": "µs per place, less is better",
        "ours": round(ours, 3),
        "peer": round(peer, 3),
        "peer_name": PEER,
        "ratio": round(ours / peer, 3),
        "target": TARGET_RATIO,
        "holds": ours / peer <= TARGET_RATIO,
    }
