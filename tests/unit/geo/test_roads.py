"""Travel over roads: small maps written for the purpose, an independent search, and central Harbin if it is at hand."""

import heapq
import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from geo.road_file import CLASS_KMH, SHARE_OF_LIMIT, RoadFileError, read_ways, speeds_mps
from geo.roads import MAX_SNAP_M, RoadTravel
from geo.travel import MetricTravel, distance_m

HARBIN = (
    Path(os.environ.get("QIANGDAN_TEST_DATA", Path(__file__).parents[4] / "shared" / "data"))
    / "harbin"
    / "harbin.osm.pbf"
)
LON, LAT, STEP = 126.60, 45.74, 0.004
Maker = Callable[..., RoadTravel]


def place(column: float, row: float) -> tuple[float, float]:
    """The node of a grid, numbered from the south-west."""
    return LON + column * STEP, LAT + row * STEP


def write_map(file: Path, ways: Sequence[tuple[Sequence[tuple[int, int]], dict[str, str]]]) -> Path:
    """Write ways over grid nodes as OpenStreetMap XML."""
    nodes = sorted({node for way, _ in ways for node in way})
    lines = ['<osm version="0.6">']
    for n, (column, row) in enumerate(nodes, start=1):
        lon, lat = place(column, row)
        lines.append(f'<node id="{n}" version="1" lon="{lon:.7f}" lat="{lat:.7f}"/>')
    for n, (way, tags) in enumerate(ways, start=1):
        refs = "".join(f'<nd ref="{nodes.index(node) + 1}"/>' for node in way)
        told = "".join(f'<tag k="{key}" v="{value}"/>' for key, value in tags.items())
        lines.append(f'<way id="{n}" version="1">{refs}{told}</way>')
    file.write_text("\n".join([*lines, "</osm>"]))
    return file


@pytest.fixture
def made(tmp_path: Path) -> Maker:
    return lambda *ways: RoadTravel.load(write_map(tmp_path / "map.osm", ways))


def road(*nodes: tuple[int, int], **tags: str) -> tuple[Sequence[tuple[int, int]], dict[str, str]]:
    return nodes, {"highway": "residential", **tags}


SQUARE = ((0, 0), (1, 0), (1, 1), (0, 1), (0, 0))


def test_the_way_back_from_a_one_way_street_goes_round_the_block(made: Maker) -> None:
    travel = made(road((0, 0), (1, 0), oneway="yes"), road((1, 0), (1, 1), (0, 1), (0, 0)))
    there, back = travel.seconds(*place(0, 0), *place(1, 0)), travel.seconds(*place(1, 0), *place(0, 0))
    metres = distance_m(*place(0, 0), *place(1, 0))
    assert there == pytest.approx(metres / (25 * 0.8 / 3.6), abs=1.5)
    assert back > 2.5 * there


def test_a_one_way_street_mapped_against_its_sense_is_driven_the_other_way(made: Maker) -> None:
    travel = made(road((0, 0), (1, 0), oneway="-1"), road((1, 0), (1, 1), (0, 1), (0, 0)))
    assert travel.seconds(*place(1, 0), *place(0, 0)) < travel.seconds(*place(0, 0), *place(1, 0)) / 2.5


def test_within_a_one_way_street_the_place_behind_is_round_the_block(made: Maker) -> None:
    travel = made(road((0, 0), (3, 0), oneway="yes"), road((3, 0), (3, 1), (0, 1), (0, 0)))
    assert travel.seconds(*place(1, 0), *place(2, 0)) < 100
    assert travel.seconds(*place(2, 0), *place(0.5, 0)) > 200


def test_signs_and_classes_set_the_speed() -> None:
    assert speeds_mps({"highway": "primary"})[0] == pytest.approx(CLASS_KMH["primary"] * SHARE_OF_LIMIT / 3.6)
    assert speeds_mps({"highway": "primary", "maxspeed": "40"})[0] == pytest.approx(40 * SHARE_OF_LIMIT / 3.6)
    assert speeds_mps({"highway": "primary", "maxspeed": "30 mph"})[0] == pytest.approx(
        48.28 * SHARE_OF_LIMIT / 3.6, rel=1e-3
    )
    along, against = speeds_mps({"highway": "primary", "maxspeed:backward": "20"})
    assert along > 3 * against > 0
    assert speeds_mps({"highway": "primary", "maxspeed": "CN:urban"}) == speeds_mps({"highway": "primary"})
    assert speeds_mps({"highway": "primary", "maxspeed": "0"}) == speeds_mps({"highway": "primary"})


@pytest.mark.parametrize(
    "tags",
    [
        {"highway": "footway"},
        {"highway": "proposed"},
        {"building": "yes"},
        {"highway": "service", "access": "no"},
        {"highway": "service", "motor_vehicle": "no"},
        {"highway": "service", "area": "yes"},
    ],
)
def test_nobody_drives_where_cars_may_not(tags: dict[str, str]) -> None:
    assert speeds_mps(tags) == (0.0, 0.0)


def test_a_roundabout_is_driven_one_way_unless_it_says_otherwise() -> None:
    assert speeds_mps({"highway": "tertiary", "junction": "roundabout"})[1] == 0.0
    assert speeds_mps({"highway": "tertiary", "junction": "roundabout", "oneway": "no"})[1] > 0.0


def test_the_faster_road_is_taken_although_it_is_longer(made: Maker) -> None:
    travel = made(road((0, 0), (3, 0), highway="living_street"), road((0, 0), (0, 1), (3, 1), (3, 0), highway="trunk"))
    metres = distance_m(*place(0, 0), *place(3, 0))
    assert travel.seconds(*place(0, 0), *place(3, 0)) < metres / (10 * 0.8 / 3.6)


def test_of_two_roads_between_the_same_junctions_the_quicker_counts(made: Maker) -> None:
    slow, quick = road((0, 0), (3, 0), highway="living_street"), road((0, 0), (0, 1), (3, 1), (3, 0), highway="trunk")
    ends = road((-1, 0), (0, 0)), road((3, 0), (4, 0))
    travel, without = made(slow, quick, *ends), made(slow, *ends)
    assert travel.seconds(*place(-1, 0), *place(4, 0)) < 0.8 * without.seconds(*place(-1, 0), *place(4, 0))


def test_a_part_that_leads_nowhere_is_left_out_and_its_places_snap_to_the_rest(made: Maker) -> None:
    travel = made(road(*SQUARE), road((5, 0), (6, 0)), road((1, 1), (2, 2), oneway="yes"))
    assert travel.graph.lost == 2
    snapped = travel.snap([place(2, 2), place(0, 0)])
    assert snapped.places[0] == pytest.approx(place(1, 1), abs=1e-6)
    assert snapped.distance_m[0] == pytest.approx(distance_m(*place(2, 2), *place(1, 1)), rel=0.01)
    assert snapped.distance_m[1] == pytest.approx(0.0, abs=0.1)


def test_the_way_from_a_place_to_its_road_is_paid_for(made: Maker) -> None:
    travel = made(road(*SQUARE))
    lon, lat = place(0.5, 0)
    off = travel.seconds(lon, lat - 0.002, *place(1, 1)) - travel.seconds(lon, lat, *place(1, 1))
    assert off == pytest.approx(distance_m(lon, lat, lon, lat - 0.002) * 1.3 / 2.5, abs=4)  # snapped to 20 m


def test_a_place_off_the_map_cannot_be_reached(made: Maker) -> None:
    travel = made(road(*SQUARE))
    far = place(0, -5)
    matrix = travel.matrix([place(0, 0), far], [place(1, 1), far, (0.0, 0.0)])
    assert np.isfinite(matrix).tolist() == [[True, False, False], [False, False, False]]
    assert math.isinf(travel.snap([far]).distance_m[0])
    assert distance_m(*far, *place(0, 0)) > MAX_SNAP_M


def test_neighbours_on_one_road_walk_across_and_the_same_place_takes_no_time(made: Maker) -> None:
    travel = made(road(*SQUARE))
    lon, lat = place(0.5, 0)
    assert travel.seconds(lon, lat, lon, lat) == 0.0
    assert travel.seconds(lon, lat - 0.001, lon, lat - 0.001) == 0.0
    assert travel.seconds(lon, lat - 0.001, lon + 0.0001, lat - 0.001) < 10


def test_a_matrix_of_nothing_is_empty_and_bad_places_are_refused(made: Maker) -> None:
    travel = made(road(*SQUARE))
    assert travel.matrix([], [place(0, 0)]).shape == (0, 1)
    with pytest.raises(ValueError, match="origins"):
        travel.matrix([(math.nan, 45.0)], [place(0, 0)])
    with pytest.raises(ValueError, match="quantile"):
        travel.matrix([place(0, 0)], [place(0, 0)], quantile=0.0)


@pytest.mark.parametrize("seed", range(8))
def test_times_are_those_of_an_independent_search(made: Maker, seed: int) -> None:
    rng = np.random.default_rng(seed)
    size = 6
    ways: list[Any] = []
    for column in range(size):
        for row in range(size):
            for other in ((column + 1, row), (column, row + 1)):
                if max(other) < size and rng.random() < 0.85:
                    kind = str(rng.choice(["residential", "primary", "service"]))
                    ways.append(road((column, row), other, highway=kind, oneway=str(rng.choice(["yes", "no", "-1"]))))
    travel = made(*ways)
    nodes = [(c, r) for c in range(size) for r in range(size)]
    known = [node for node in nodes if travel.snap([place(*node)]).distance_m[0] < 1.0]
    assert len(known) > 5
    places = [place(*node) for node in known]
    expected = np.array([[_independent(ways, node)[other] for other in known] for node in known])
    assert travel.matrix(places, places) == pytest.approx(np.ceil(expected), abs=1.0)
    assert (travel.matrix(places[:3], places) == travel.matrix(places, places)[:3]).all()
    assert (travel.matrix(places, places[:3]) == travel.matrix(places, places)[:, :3]).all()


def _independent(ways: Sequence[Any], start: tuple[int, int]) -> dict[tuple[int, int], float]:
    """Dijkstra over the nodes as they were written, one edge after the other."""
    edges: dict[tuple[int, int], list[tuple[tuple[int, int], float]]] = {}
    for (a, b), tags in ways:
        along, against = speeds_mps(tags)
        metres = distance_m(*place(*a), *place(*b))
        for tail, head, speed in ((a, b, along), (b, a, against)):
            if speed:
                edges.setdefault(tail, []).append((head, metres / speed))
    reached: dict[tuple[int, int], float] = {}
    waiting = [(0.0, start)]
    while waiting:
        taken, node = heapq.heappop(waiting)
        if node not in reached:
            reached[node] = taken
            for head, more in edges.get(node, []):
                heapq.heappush(waiting, (taken + more, head))
    return reached


def test_a_missing_map_and_one_that_is_none_are_refused_with_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(RoadFileError, match="no road map"):
        read_ways(tmp_path / "nowhere.osm.pbf")
    broken = tmp_path / "broken.osm.pbf"
    broken.write_bytes(b"\x00\x01\x02 this is no map")
    with pytest.raises(RoadFileError, match="cannot be read"):
        read_ways(broken)
    with pytest.raises(RoadFileError, match="no roads"):
        RoadTravel.load(write_map(tmp_path / "feet.osm", [road((0, 0), (1, 0), highway="footway")]))
    with pytest.raises(RoadFileError, match="leads to another and back"):
        RoadTravel.load(write_map(tmp_path / "line.osm", [road((0, 0), (1, 0), oneway="yes")]))


def test_central_harbin_is_one_net_and_no_faster_than_the_fastest_road() -> None:
    if not HARBIN.is_file():
        pytest.skip(f"the map of Harbin is not at {HARBIN}; set QIANGDAN_TEST_DATA")
    travel = RoadTravel.load(HARBIN)
    rng = np.random.default_rng(1)
    origins, destinations = (rng.uniform((126.58, 45.72), (126.70, 45.78), (n, 2)) for n in (30, 60))
    matrix = travel.matrix(origins, destinations)
    assert np.isfinite(matrix).all()
    fastest = MetricTravel(speed_mps=120 * SHARE_OF_LIMIT / 3.6, detour=1.0).matrix(origins, destinations)
    assert (matrix >= fastest - 1).all()
    assert np.median(travel.snap(destinations).distance_m) < 100
    # By way of a third place it never gets shorter, but for rounding and the yards that are walked across.
    over = travel.matrix(origins, destinations[:1]) + travel.matrix(destinations[:1], destinations)
    assert (matrix <= over + 2 + 2 * travel.snap(destinations).distance_m.max()).all()
