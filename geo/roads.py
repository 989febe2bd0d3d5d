"""Travel times over the roads of an OpenStreetMap file, read and searched in this process: no server to run.

A place is snapped to the nearest point of a road (k-d tree over points every 20 m) and pays for the way to it; between
those points the quickest way is found by Dijkstra's algorithm (scipy, compiled), one search from each place of the
smaller side of a matrix: on central Harbin some 1.5 ms each. No turn costs, no lights: what they take is learned from
the crews' arrivals (`geo.travel_factors`).
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from msgspec import Struct
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import cKDTree

from geo.areas import plane
from geo.road_file import read_ways
from geo.road_graph import Ints, RoadGraph, build_graph
from geo.travel import Floats, check_quantile, place_rows

OFF_ROAD_S_PER_M = 1.3 / 2.5
"""From a place to its road: 2.5 m/s among buildings and gates, by a way 1.3 times the straight one."""
MAX_SNAP_M = 1_000.0
"""A place further from any road is off the map: it cannot be reached."""
YARD_M = 100.0
"""Places on one piece of road and at most this far apart are neighbours: nobody drives round the block between them."""
_SEARCHES = 256
"""Searches in one go: each keeps a time for every junction."""
_NO_TIME = 1e-9  # scipy takes a zero for no edge


class Snapped(Struct, frozen=True):
    """Where places meet the road: the nearest road points, rows of (lon, lat), and how far each is from its place.

    `distance_m` is infinite for a place that is off the map.
    """

    places: Floats
    distance_m: Floats


class RoadTravel:
    """Travel over the roads of one map."""

    def __init__(self, graph: RoadGraph) -> None:
        """Take a graph and make what searches and snapping need."""
        self.graph = graph
        middle = graph.sample_place.mean(axis=0)
        self._to_plane, _ = plane(float(middle[0]), float(middle[1]))
        self._tree = cKDTree(self._to_plane(graph.sample_place))
        self._forward: csr_array = graph.edges()
        self._backward: csr_array = self._forward.T.tocsr()

    @classmethod
    def load(cls, file: Path) -> "RoadTravel":
        """Read a map.

        Raises:
            RoadFileError: the file is missing, is no map, or holds no connected roads.
        """
        return cls(build_graph(read_ways(file)))

    def __repr__(self) -> str:
        """Show the size of the map."""
        km = self.graph.length_m.sum() / 1000.0
        return f"RoadTravel({self.graph.junctions} junctions, {len(self.graph.start)} pieces, {km:.0f} km)"

    def snap(self, places: npt.ArrayLike) -> Snapped:
        """Return where each row of (lon, lat) meets the road, and how far away that is."""
        distance, sample = self._nearest(place_rows(places, "places"))
        return Snapped(self.graph.sample_place[sample], np.where(distance <= MAX_SNAP_M, distance, np.inf))

    def seconds(self, lon1: float, lat1: float, lon2: float, lat2: float, *, quantile: float = 0.5) -> float:
        """Return the whole seconds from the first place to the second; infinity where there is no way.

        A search of its own for one pair: ask `matrix` for several.
        """
        return float(self.matrix([(lon1, lat1)], [(lon2, lat2)], quantile=quantile)[0, 0])

    def matrix(self, origins: npt.ArrayLike, destinations: npt.ArrayLike, *, quantile: float = 0.5) -> Floats:
        """Return whole seconds of shape (n, m), the same for every quantile; infinity where there is no way."""
        check_quantile(quantile)
        start, end = place_rows(origins, "origins"), place_rows(destinations, "destinations")
        if not len(start) or not len(end):
            return np.zeros((len(start), len(end)))
        start_m, start_at = self._nearest(start)
        end_m, end_at = self._nearest(end)
        if len(np.unique(start_at)) <= len(np.unique(end_at)):
            road = self._search(start_at, end_at, backward=False)
        else:
            road = self._search(end_at, start_at, backward=True).T
        road = road + (start_m[:, np.newaxis] + end_m[np.newaxis, :]) * OFF_ROAD_S_PER_M
        self._on_one_piece(road, start, start_at, end, end_at)
        road[start_m > MAX_SNAP_M, :] = np.inf
        road[:, end_m > MAX_SNAP_M] = np.inf
        return np.ceil(np.round(road, 6))

    def _nearest(self, places: Floats) -> tuple[Floats, Ints]:
        """Return the metres to the nearest sample of each place, and its number."""
        distance, sample = self._tree.query(self._to_plane(places))
        return np.asarray(distance, dtype=np.float64), np.asarray(sample, dtype=np.int64)

    def _leaving(self, sample: Ints, *, backward: bool) -> tuple[Ints, Floats]:
        """Return for each sample the two junctions of its piece and the seconds to them, both of shape (n, 2).

        `backward` has the seconds from them instead.
        """
        graph, piece, share = self.graph, self.graph.sample_piece[sample], self.graph.sample_share[sample]
        along, against = graph.along_s[piece], graph.against_s[piece]
        with np.errstate(invalid="ignore"):  # a share of 0 of an infinite time is no time at all
            to_end = np.where(share < 1.0, (1.0 - share) * (against if backward else along), 0.0)
            to_start = np.where(share > 0.0, share * (along if backward else against), 0.0)
        junctions = np.column_stack([graph.end[piece], graph.start[piece]])
        return junctions, np.maximum(np.column_stack([to_end, to_start]), _NO_TIME)

    def _search(self, sources: Ints, targets: Ints, *, backward: bool) -> Floats:
        """Return road seconds of shape (sources, targets); `backward` from the targets to the sources."""
        unique, place = np.unique(sources, return_inverse=True)
        junctions, seconds = self._leaving(targets, backward=not backward)
        found = np.empty((len(unique), len(targets)))
        for first in range(0, len(unique), _SEARCHES):
            some = unique[first : first + _SEARCHES]
            reached = self._from_samples(some, backward=backward)
            by_either = reached[:, junctions] + seconds
            found[first : first + len(some)] = by_either.min(axis=2)
        return found[place]

    def _from_samples(self, samples: Ints, *, backward: bool) -> Floats:
        """Return the seconds from each sample to every junction (`backward`: from every junction to it)."""
        graph = self._backward if backward else self._forward
        n, count = self.graph.junctions, len(samples)
        junctions, seconds = self._leaving(samples, backward=backward)
        there = np.isfinite(seconds)
        # Each sample becomes a node of its own, with an edge to the one or two junctions that it leads to.
        with_samples = csr_array(
            (
                np.concatenate([graph.data, seconds[there]]),
                np.concatenate([graph.indices, junctions[there].astype(graph.indices.dtype)]),
                np.concatenate([graph.indptr, graph.indptr[-1] + np.cumsum(there.sum(axis=1))]),
            ),
            shape=(n + count, n + count),
        )
        return np.asarray(dijkstra(with_samples, indices=np.arange(n, n + count))[:, :n], dtype=np.float64)

    def _on_one_piece(self, road: Floats, start: Floats, start_at: Ints, end: Floats, end_at: Ints) -> None:
        """Shorten, in place, the times of pairs on one piece of road: along it, or straight across the yard."""
        graph = self.graph
        i, j = np.nonzero(graph.sample_piece[start_at][:, np.newaxis] == graph.sample_piece[end_at][np.newaxis, :])
        piece = graph.sample_piece[start_at[i]]
        ahead = graph.sample_share[end_at[j]] - graph.sample_share[start_at[i]]
        with np.errstate(invalid="ignore"):  # no way at all along a one-way street against its sense
            along = np.abs(ahead) * np.where(ahead > 0.0, graph.along_s[piece], graph.against_s[piece])
        access = self._apart(start[i], graph.sample_place[start_at[i]]) + self._apart(
            end[j], graph.sample_place[end_at[j]]
        )
        apart = self._apart(start[i], end[j])
        across = np.where(apart <= YARD_M, apart, np.inf)
        road[i, j] = np.fmin(road[i, j], np.fmin(along + access * OFF_ROAD_S_PER_M, across * OFF_ROAD_S_PER_M))

    def _apart(self, places: Floats, others: Floats) -> Floats:
        """Return the metres between each place and the other of the same row."""
        off = self._to_plane(places) - self._to_plane(others)
        return np.asarray(np.hypot(off[:, 0], off[:, 1]))
