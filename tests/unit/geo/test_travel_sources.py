"""Travel times of servers, with what stands in for them: over a real connection to a small server in this process."""

import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
import pytest

from geo.travel import MetricTravel
from geo.travel_cache import CachedTravel
from geo.travel_choice import (
    TravelChoice,
    TravelChoiceError,
    make_prompt_travel,
    make_source,
    make_travel,
    read_travel,
)
from geo.travel_fallback import FallbackTravel, PromptTravel, TravelUnavailable
from geo.travel_server import TravelServer
from tests.unit.geo.routing_server import RoutingServer, routing_server, seconds
from tests.unit.geo.test_roads import SQUARE, place, road, write_map

Kind = Literal["valhalla", "osrm"]
A, B, C = (126.60, 45.70), (126.64, 45.73), (126.66, 45.71)
ISLAND, OFF_MAP = (126.95, 45.70), (127.50, 45.70)
METRIC = MetricTravel()


@pytest.fixture
def server() -> Iterator[RoutingServer]:
    with routing_server() as running:
        yield running


@pytest.fixture(params=["valhalla", "osrm"])
def kind(request: pytest.FixtureRequest) -> Kind:
    found: Kind = request.param
    return found


def test_a_server_is_asked_for_the_matrix_from_rows_to_columns(server: RoutingServer, kind: Kind) -> None:
    travel = TravelServer(kind, server.url)
    matrix = travel.matrix([A, B], [A, B, C])
    assert matrix.shape == (2, 3)
    assert matrix[0, 1] == pytest.approx(seconds(A, B), abs=1.0)
    assert matrix[1, 0] == pytest.approx(1.5 * matrix[0, 1], abs=2.0), "the way back is another"
    assert matrix[0, 0] == 0.0
    assert travel.seconds(*A, *C) == matrix[0, 2]
    assert (matrix == np.ceil(matrix)).all()
    assert server.asked[0] == (kind, 6)


def test_a_pair_without_a_way_is_infinite(server: RoutingServer, kind: Kind) -> None:
    matrix = TravelServer(kind, server.url).matrix([A, ISLAND], [B, ISLAND])
    assert np.isinf(matrix).tolist() == [[False, True], [True, False]]


def test_one_place_off_the_map_spoils_only_its_own_times(server: RoutingServer, kind: Kind) -> None:
    matrix = TravelServer(kind, server.url).matrix([A, OFF_MAP, B], [C, OFF_MAP])
    assert np.isinf(matrix).tolist() == [[False, True], [True, True], [False, True]]
    assert np.isinf(TravelServer(kind, server.url).matrix([OFF_MAP], [A])).all()


def test_a_large_matrix_is_asked_in_blocks_that_the_server_takes(server: RoutingServer, kind: Kind) -> None:
    rng = np.random.default_rng(1)
    origins, destinations = rng.uniform((126.5, 45.6), (126.8, 45.8), (120, 2)), rng.uniform(A, B, (130, 2))
    matrix = TravelServer(kind, server.url, timeout_s=30).matrix(origins, destinations)
    assert sum(pairs for _, pairs in server.asked) == 120 * 130
    assert max(pairs for _, pairs in server.asked) <= 2500
    for i, j in [(0, 0), (119, 129), (60, 3), (3, 77)]:
        assert matrix[i, j] == pytest.approx(seconds(tuple(origins[i]), tuple(destinations[j])), abs=1.0)


@pytest.mark.parametrize(
    "content",
    [
        b"<html>nginx</html>",
        b"{}",
        b'{"code": "Ok", "durations": [[1, 2]], "sources_to_targets": [[{"time": 1}, {"time": 2}]]}',
        b'{"code": "Ok", "durations": [[-5]], "sources_to_targets": [[{"time": -5}]]}',
        b'{"code": "TooBig", "sources_to_targets": 7}',
    ],
)
def test_an_answer_that_is_no_matrix_is_none(server: RoutingServer, kind: Kind, content: bytes) -> None:
    server.broken = content
    with pytest.raises(TravelUnavailable, match=r"127\.0\.0\.1"):
        TravelServer(kind, server.url).matrix([A], [B])


def test_a_server_that_fails_refuses_or_is_silent_is_unavailable(server: RoutingServer, kind: Kind) -> None:
    server.status = 503
    with pytest.raises(TravelUnavailable, match="503"):
        TravelServer(kind, server.url).matrix([A], [B])
    server.answering.clear()
    with pytest.raises(TravelUnavailable):
        TravelServer(kind, server.url, timeout_s=0.1).matrix([A], [B])
    with pytest.raises(TravelUnavailable):
        TravelServer(kind, "http://127.0.0.1:9", timeout_s=1).matrix([A], [B])


def test_where_the_server_is_silent_the_metric_stands_in_and_it_is_counted(server: RoutingServer, kind: Kind) -> None:
    tally: Counter[str] = Counter()
    travel = FallbackTravel(TravelServer(kind, server.url), METRIC, lambda what, n: tally.update({what: n}))
    assert travel.matrix([A], [B, ISLAND])[0].tolist() == [
        travel.source.seconds(*A, *B),
        METRIC.seconds(*A, *ISLAND),
    ]
    assert tally == {"source": 1, "unreachable": 1}
    server.broken = b"busy"
    assert travel.seconds(*A, *C) == METRIC.seconds(*A, *C)
    assert (travel.matrix([A, B], [C]) == METRIC.matrix([A, B], [C])).all()
    assert tally == {"source": 1, "unreachable": 1, "unavailable": 3}


def test_what_was_asked_is_not_asked_again_until_it_is_old(server: RoutingServer, kind: Kind) -> None:
    now = [0.0]
    travel = CachedTravel(TravelServer(kind, server.url), keep_s=60, clock=lambda: now[0])
    first = travel.matrix([A, B], [C, ISLAND])
    assert (travel.matrix([A, B], [C, ISLAND]) == first).all(), "no way is remembered too"
    assert travel.seconds(*A, *C) == first[0, 0]
    assert len(server.asked) == 1
    wider = travel.matrix([A], [C, ISLAND, B])
    assert wider[0, :2].tolist() == first[0].tolist()
    assert server.asked[1:] == [(kind, 1)], "only what was missing"
    now[0] = 61
    travel.matrix([A, B], [C, ISLAND])
    assert len(server.asked) == 3


def test_a_cache_keeps_no_more_than_it_may_and_no_failures(server: RoutingServer) -> None:
    travel = CachedTravel(TravelServer("osrm", server.url), most=4)
    server.broken = b"busy"
    with pytest.raises(TravelUnavailable):
        travel.matrix([A], [B])
    server.broken = None
    for lon in np.linspace(126.6, 126.7, 9).tolist():
        travel.seconds(*A, lon, 45.71)
    assert len(travel._known) <= 4


def test_a_prompt_answer_comes_at_once_and_the_servers_when_it_is_there(server: RoutingServer, kind: Kind) -> None:
    tally: Counter[str] = Counter()
    choice = TravelChoice(kind=kind, url=server.url, timeout_s=20)
    travel = make_prompt_travel(choice, tally=lambda what, n: tally.update({what: n}))
    assert isinstance(travel, PromptTravel)
    server.answering.clear()
    assert (travel.matrix([A, B], [C]) == METRIC.matrix([A, B], [C])).all(), "while the server is thinking"
    assert tally == {"not_yet_known": 2}
    server.answering.set()
    travel.settle()
    assert travel.matrix([A, B], [C]) == pytest.approx(np.array([[seconds(A, C)], [seconds(B, C)]]), abs=1.0)
    assert travel.seconds(*A, *C) == pytest.approx(seconds(A, C), abs=1.0)
    assert tally == {"not_yet_known": 2, "source": 3}
    assert travel.seconds(*A, *ISLAND) == METRIC.seconds(*A, *ISLAND)
    travel.settle()
    assert travel.seconds(*A, *ISLAND) == METRIC.seconds(*A, *ISLAND)
    assert tally["unreachable"] == 1
    travel.close()
    assert travel.seconds(*B, *A) == METRIC.seconds(*B, *A), "after it was closed, too"


def test_a_server_that_is_down_is_left_alone_for_a_while(server: RoutingServer) -> None:
    now = [0.0]
    tally: Counter[str] = Counter()
    cache = CachedTravel(TravelServer("osrm", server.url))
    travel = PromptTravel(cache, METRIC, lambda what, n: tally.update({what: n}), clock=lambda: now[0])
    server.broken = b"busy"
    for _ in range(5):
        travel.seconds(*A, *B)
        travel.settle()
    assert len(server.asked) == 1
    assert tally == {"not_yet_known": 5, "unavailable": 1}, "each stood in for, the server asked once"
    server.broken = None
    now[0] = 60.0
    travel.seconds(*A, *B)
    travel.settle()
    assert travel.seconds(*A, *B) == pytest.approx(seconds(A, B), abs=1.0)
    travel.close()


def test_the_patient_side_of_a_prompt_source_waits_for_the_server(server: RoutingServer) -> None:
    travel = make_prompt_travel(TravelChoice(kind="osrm", url=server.url))
    assert isinstance(travel, PromptTravel)
    assert travel.patient.seconds(*A, *B) == pytest.approx(seconds(A, B), abs=1.0)
    assert travel.seconds(*A, *B) == pytest.approx(seconds(A, B), abs=1.0), "and what it learned is known to both"
    travel.close()


def test_a_travel_file_chooses_and_its_paths_start_from_its_folder(tmp_path: Path) -> None:
    write_map(tmp_path / "town.osm", [road(*SQUARE)])
    file = tmp_path / "travel.toml"
    file.write_text('kind = "roads"\nfile = "town.osm"\n')
    travel = make_travel(read_travel(file))
    assert travel.seconds(*place(0, 0), *place(1, 1)) > 0
    assert travel.seconds(*place(0, 0), 0.0, 0.0) == METRIC.seconds(*place(0, 0), 0.0, 0.0), "off the map"
    assert math.isinf(make_source(read_travel(file)).seconds(*place(0, 0), 0.0, 0.0))
    file.write_text('kind = "metric"\nspeed_mps = 8\ndetour = 1.0\n')
    assert make_travel(read_travel(file)).seconds(*A, *B) == MetricTravel(8, 1.0).seconds(*A, *B)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('kind = "teleport"', "teleport"),
        ("speed = 6", "speed"),
        ("speed_mps = 0", "speed_mps"),
        ('kind = "roads"', "needs file"),
        ('kind = "osrm"', "needs url"),
        ('kind = "valhalla"', "either url"),
        ('kind = "osrm"\nurl = "ftp://here"', "http://"),
        ("hour_factors = [1, 2]", "hour_factors"),
        ('weather = "snow"', "snow"),
        ("kind = ", "Invalid value"),
    ],
)
def test_a_travel_file_that_is_wrong_says_where(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "travel.toml").write_text(text)
    with pytest.raises(TravelChoiceError, match=complaint):
        read_travel(tmp_path / "travel.toml")


def test_a_map_or_tiles_that_cannot_be_had_end_in_a_sentence_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(TravelChoiceError, match="cannot be read"):
        read_travel(tmp_path / "travel.toml")
    with pytest.raises(TravelChoiceError, match="no road map"):
        make_travel(TravelChoice(kind="roads", file=tmp_path / "nowhere.osm.pbf"))
    with pytest.raises(TravelChoiceError, match=r"Python 3\.12.*kind \"roads\"|no Valhalla tiles"):
        make_travel(TravelChoice(kind="valhalla", tiles=tmp_path / "tiles"))


def test_a_choice_survives_being_handed_to_a_child_process() -> None:
    choice = TravelChoice(kind="roads", file=Path("harbin.osm.pbf"), weather_factors={"snow": 1.4}, weather="snow")
    sent = msgspec.json.encode(choice, enc_hook=str)
    assert msgspec.json.decode(sent, type=TravelChoice, dec_hook=lambda kind, value: Path(value)) == choice
