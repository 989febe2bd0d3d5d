"""Road travel times: `geo.roads.RoadTravel` beside scipy's Dijkstra over every node of the same map, 100 x 500 places.

Both search from the 100 origins over the same ways and speeds, and both snap with a k-d tree; ours runs over junctions
alone, and also pays for the way from a place to its road, which the peer leaves out. The map is central Harbin where
the test data is at hand, otherwise a grid of streets. Median of turns; the first turn, which warms up, does not count.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import cKDTree

from benchmarks.figures import Row, median, row, within
from geo.road_file import Way, read_ways
from geo.road_graph import build_graph
from geo.roads import RoadTravel
from geo.travel import Floats, distance_m

NAME = "roads-matrix"
MATRIX_S = 0.5
LOAD_S = 5.0
_MIDDLE = np.array([126.63, 45.745])


class EveryNode:
    """The peer: a graph with a node for every node of the map, searched by scipy."""

    def __init__(self, ways: list[Way]) -> None:
        ids = {node: n for n, node in enumerate(sorted({node for way in ways for node in way.nodes}))}
        self.places = np.zeros((len(ids), 2))
        tails, heads, seconds = [], [], []
        for way in ways:
            numbers = [ids[node] for node in way.nodes]
            self.places[numbers] = way.places
            for k in range(len(numbers) - 1):
                metres = max(distance_m(*way.places[k], *way.places[k + 1]), 0.01)
                for a, b, speed in (
                    (numbers[k], numbers[k + 1], way.along_mps),
                    (numbers[k + 1], numbers[k], way.against_mps),
                ):
                    if speed > 0.0:
                        tails.append(a)
                        heads.append(b)
                        seconds.append(metres / speed)
        self.edges = coo_array((seconds, (tails, heads)), shape=(len(ids), len(ids))).tocsr()
        self.tree = cKDTree(self.places * [np.cos(np.radians(45.745)), 1.0])

    def matrix(self, origins: Floats, destinations: Floats) -> Floats:
        """Return seconds of shape (n, m) from node to node."""
        scale = [np.cos(np.radians(45.745)), 1.0]
        start, end = (self.tree.query(places * scale)[1] for places in (origins, destinations))
        return np.asarray(dijkstra(self.edges, indices=start)[:, end])


def run(*, seed: int = 1, rounds: int = 5, size: int | None = None) -> list[Row]:
    """Measure; `size` asks for a grid of size x size streets instead of Harbin."""
    file = _harbin()
    begun = time.perf_counter()
    ways = read_ways(file) if file is not None and size is None else street_grid(size or 100)
    read_s = time.perf_counter() - begun
    ours = RoadTravel(build_graph(ways))
    load_s = time.perf_counter() - begun
    peer = EveryNode(ways)
    rng = np.random.default_rng(seed)
    half = np.array([0.07, 0.04]) if size is None else np.array([0.005, 0.004])
    origins, destinations = (rng.uniform(_MIDDLE - half, _MIDDLE + half, (n, 2)) for n in (100, 500))
    turns = _turns(lambda: ours.matrix(origins, destinations), lambda: peer.matrix(origins, destinations), rounds)
    suffix = "Harbin" if file is not None and size is None else "grid"
    every = "scipy Dijkstra over every node"
    return [
        within(MATRIX_S, row(NAME, f"100 x 500, {suffix}", "s", ours=turns[0], peer=turns[1], peer_name=every)),
        within(LOAD_S, row(NAME, f"load, {suffix}", "s", ours=load_s, peer=read_s, peer_name="osmium reads the file")),
    ]


def street_grid(size: int) -> list[Way]:
    """Make ways of size x size streets 100 m apart, each with two bends a block, every third one-way."""
    ways = []
    step = np.array([0.00128, 0.0009])
    corner = _MIDDLE - step * size / 2
    for line in range(size):
        along = np.arange(0, size - 1 + 1e-9, 1 / 3)
        for axis in (0, 1):
            grid = np.column_stack(
                [along, np.full(len(along), line)] if axis == 0 else [np.full(len(along), line), along]
            )
            nodes = tuple(_node(x, y, size) for x, y in np.round(grid * 3).astype(int).tolist())
            ways.append(Way(nodes, corner + grid * step, 8.0, 0.0 if line % 3 == 1 else 8.0))
    return ways


def _node(x: int, y: int, size: int) -> int:
    return y * 3 * size + x


def _turns(ours: Callable[[], object], peer: Callable[[], object], rounds: int) -> tuple[float, float]:
    taken: tuple[list[float], list[float]] = ([], [])
    ours()
    peer()
    for _ in range(rounds):
        for call, times in zip((ours, peer), taken, strict=True):
            begun = time.perf_counter()
            call()
            times.append(time.perf_counter() - begun)
    return median(taken[0]), median(taken[1])


def _harbin() -> Path | None:
    root = Path(os.environ.get("QIANGDAN_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
    path = root / "harbin" / "harbin.osm.pbf"
    return path if path.is_file() else None
