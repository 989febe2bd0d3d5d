"""A road map as a graph: pieces of road between junctions, all of which can be reached from all others.

Ways are cut where others meet them, so that what is left in between needs no node of its own: shortest paths then run
over junctions alone. A piece has two ends and a time in each direction, infinite against a one-way street. Only the
largest part in which every junction leads to every other is kept (Tarjan's strongly connected components): a car park
that the extract has cut off from its city would otherwise swallow whoever is snapped to it.
"""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from msgspec import Struct
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from geo.road_file import RoadFileError, Way
from geo.travel import EARTH_RADIUS_M, Floats

Ints = npt.NDArray[np.int64]

LEAST_S = 0.01
"""No piece takes no time: a zero would be no edge at all."""
SAMPLE_M = 20.0
"""Places are snapped to points along the pieces that are at most this far apart."""


class RoadGraph(Struct, frozen=True):
    """Pieces p from junction `start[p]` to `end[p]` in `along_s[p]` seconds, and back in `against_s[p]` (or infinity).

    Samples are points on the pieces: `sample_place` rows of (lon, lat) on piece `sample_piece`, the share
    `sample_share` of its length from its start. `lost` counts the pieces that were not in the largest part.
    """

    junctions: int
    start: Ints
    end: Ints
    along_s: Floats
    against_s: Floats
    length_m: Floats
    sample_place: Floats
    sample_piece: Ints
    sample_share: Floats
    lost: int

    def edges(self) -> csr_array:
        """Return the seconds from junction to junction, the shortest of parallel pieces, as a sparse matrix."""
        there, back = np.isfinite(self.along_s), np.isfinite(self.against_s)
        tails = np.concatenate([self.start[there], self.end[back]])
        heads = np.concatenate([self.end[there], self.start[back]])
        seconds = np.concatenate([self.along_s[there], self.against_s[back]])
        order = np.lexsort((seconds, heads, tails))
        tails, heads, seconds = tails[order], heads[order], seconds[order]
        first = np.ones(len(order), dtype=bool)
        first[1:] = (tails[1:] != tails[:-1]) | (heads[1:] != heads[:-1])
        first &= tails != heads
        shape = (self.junctions, self.junctions)
        return csr_array((seconds[first], (tails[first], heads[first])), shape=shape)


class _Piece(Struct, frozen=True):
    start: int
    end: int
    along_s: float
    against_s: float
    length_m: float
    places: Floats


def build_graph(ways: Sequence[Way]) -> RoadGraph:
    """Cut ways into pieces and keep the largest strongly connected part.

    Raises:
        RoadFileError: nothing is connected.
    """
    pieces = list(_pieces(ways))
    if not pieces:
        raise RoadFileError("the road map holds no road of any length")
    ids = sorted({end for piece in pieces for end in (piece.start, piece.end)})
    number = {node: n for n, node in enumerate(ids)}
    whole = _graph(pieces, number, lost=0)
    _, part = connected_components(whole.edges(), directed=True, connection="strong")
    largest = int(np.bincount(part).argmax())
    kept = [p for p in pieces if part[number[p.start]] == largest and part[number[p.end]] == largest]
    ids = sorted({end for piece in kept for end in (piece.start, piece.end)})
    if not kept:
        raise RoadFileError("in the road map no junction leads to another and back")
    return _graph(kept, {node: n for n, node in enumerate(ids)}, lost=len(pieces) - len(kept))


def _pieces(ways: Sequence[Way]) -> Iterator[_Piece]:
    """Yield the ways cut at every node that is an end, or on more than one of them."""
    visits: dict[int, int] = {}
    for way in ways:
        for node in way.nodes:
            visits[node] = visits.get(node, 0) + 1
        for node in (way.nodes[0], way.nodes[-1]):
            visits[node] += 1
    for way in ways:
        cuts = [k for k, node in enumerate(way.nodes) if visits[node] > 1]
        for first, last in pairwise(cuts):
            places = way.places[first : last + 1]
            length = float(_steps_m(places).sum())
            if length <= 0.0 and way.nodes[first] == way.nodes[last]:
                continue
            yield _Piece(
                way.nodes[first],
                way.nodes[last],
                max(length / way.along_mps, LEAST_S) if way.along_mps > 0.0 else math.inf,
                max(length / way.against_mps, LEAST_S) if way.against_mps > 0.0 else math.inf,
                length,
                places,
            )


def _graph(pieces: Sequence[_Piece], number: dict[int, int], *, lost: int) -> RoadGraph:
    samples = [_samples(piece) for piece in pieces]
    return RoadGraph(
        junctions=len(number),
        start=np.array([number[piece.start] for piece in pieces], dtype=np.int64),
        end=np.array([number[piece.end] for piece in pieces], dtype=np.int64),
        along_s=np.array([piece.along_s for piece in pieces]),
        against_s=np.array([piece.against_s for piece in pieces]),
        length_m=np.array([piece.length_m for piece in pieces]),
        sample_place=np.concatenate([places for places, _ in samples]),
        sample_piece=np.repeat(np.arange(len(pieces)), [len(shares) for _, shares in samples]),
        sample_share=np.concatenate([shares for _, shares in samples]),
        lost=lost,
    )


def _samples(piece: _Piece) -> tuple[Floats, Floats]:
    """Return places along a piece, at most `SAMPLE_M` apart, and each one's share of the length."""
    reached = np.concatenate([[0.0], np.cumsum(_steps_m(piece.places))])
    shares = np.linspace(0.0, 1.0, max(math.ceil(piece.length_m / SAMPLE_M), 1) + 1)
    at = shares * reached[-1]
    lons, lats = (np.interp(at, reached, piece.places[:, axis]) for axis in (0, 1))
    return np.column_stack([lons, lats]), shares


def _steps_m(places: Floats) -> Floats:
    """Return the metres between each place and the next; a step is short, so the Earth is flat there."""
    radians = np.radians(places)
    dlon = np.diff(radians[:, 0]) * np.cos((radians[1:, 1] + radians[:-1, 1]) / 2.0)
    return np.asarray(EARTH_RADIUS_M * np.hypot(dlon, np.diff(radians[:, 1])))
