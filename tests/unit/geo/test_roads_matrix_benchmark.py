"""The road benchmark: gives complete rows, and compares two that find the same ways."""

import numpy as np

from benchmarks import roads_matrix
from dispatch.cli.bench import COLUMNS
from geo.road_graph import build_graph
from geo.roads import RoadTravel


def test_rows_are_complete() -> None:
    rows = roads_matrix.run(rounds=1, size=12)
    assert [tuple(row) for row in rows] == [COLUMNS, COLUMNS]
    assert all(row["ours"] > 0 and row["peer"] >= 0 for row in rows)


def test_the_peer_finds_the_same_ways() -> None:
    ways = roads_matrix.street_grid(12)
    ours, peer = RoadTravel(build_graph(ways)), roads_matrix.EveryNode(ways)
    places = peer.places[np.random.default_rng(1).choice(len(peer.places), 60, replace=False)]
    known = places[ours.snap(places).distance_m < 1.0]
    assert len(known) > 20
    apart = ours.matrix(known, known) - peer.matrix(known, known)
    assert np.abs(apart).max() <= 4.0, "whole seconds, snapped to 20 m at 8 m/s, at both ends"
