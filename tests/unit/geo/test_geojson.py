"""GeoJSON documents: what a foreign suite takes and refuses, and what breaks readers."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.geojson import MAX_PROBLEMS, GeoJsonError, check_geojson, parse_geojson

DATA = Path(os.environ.get("QIANGDAN_TEST_DATA", Path(__file__).parents[4] / "shared" / "data"))
SUITE = DATA / "suites" / "geojson"
GOOD, BAD = sorted(SUITE.glob("good/*.geojson")), sorted(SUITE.glob("bad/*.geojson"))


def _problems(document: Any) -> list[tuple[str, str]]:
    raw = document if isinstance(document, bytes) else json.dumps(document).encode()
    with pytest.raises(GeoJsonError) as caught:
        parse_geojson(raw)
    return [(problem.pointer, problem.detail) for problem in caught.value.problems]


def test_the_suite_is_there() -> None:
    if not GOOD:
        pytest.skip(f"the GeoJSON suite is not at {SUITE}; set QIANGDAN_TEST_DATA")
    assert len(GOOD) >= 18
    assert len(BAD) >= 21


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_good_documents_are_taken(path: Path) -> None:
    assert parse_geojson(path.read_bytes()) == json.loads(path.read_bytes())


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_bad_documents_are_refused_where_the_suite_has_an_error(path: Path) -> None:
    complaints = json.loads(path.with_suffix(".result").read_bytes())
    if all(complaint.get("level") == "message" for complaint in complaints):
        parse_geojson(path.read_bytes())
    else:
        assert _problems(path.read_bytes())


def _polygon(*rings: object) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": list(rings)}


def _collection(*geometries: object) -> dict[str, Any]:
    features = [{"type": "Feature", "properties": {}, "geometry": geometry} for geometry in geometries]
    return {"type": "FeatureCollection", "features": features}


RING = [[126.0, 45.0], [126.1, 45.0], [126.1, 45.1], [126.0, 45.0]]


@pytest.mark.parametrize(
    ("document", "pointer", "words"),
    [
        (b'{"type": "Point", "type": "Point", "coordinates": [1, 2]}', "", "duplicate members in an object: type"),
        (b'{"type":"Feature","geometry":null,"properties":{"a/b":{"k":1,"k":2}}}', "/properties/a~1b", "duplicate"),
        (b'{"type": "Point", "coordinates": [NaN, 1]}', "/coordinates/0", "finite"),
        (b'{"type": "Point", "coordinates": [1, -Infinity]}', "/coordinates/1", "finite"),
        (b'{"type": "Point", "coordinates": [1e999, 1]}', "/coordinates/0", "finite"),
        (b'{"type": "Point", "coordinates": [' + b"9" * 5000 + b", 1]}", "/coordinates/0", "finite"),
        (b'{"type":"Feature","geometry":null,"properties":{"x":1e999}}', "/properties/x", "finite"),
        (b'{"type": "Point", "coordinates": [true, 1]}', "/coordinates/0", "must be a number, not true"),
        (b"\xff\xfe", "", "not UTF-8"),
        (b"", "", "not JSON"),
        (b'"Point"', "", "root must be an object"),
        (b"[]", "", "root must be an object"),
        ({"type": ["Point"]}, "/type", "must be one of"),
        ({}, "", '"type" is missing'),
        (_collection(_polygon(RING, RING[:3])), "/features/0/geometry/coordinates/1", "four or more"),
        (_collection(None, _polygon([*RING[:3], RING[1]])), "/features/1/geometry/coordinates/0", "not closed"),
        (_collection(_polygon([])), "/features/0/geometry/coordinates/0", "four or more"),
        (_collection(_polygon(RING, 5)), "/features/0/geometry/coordinates/1", "the number 5 where an array"),
        (_collection({"type": "Polygon", "coordinates": RING}), "/features/0/geometry/coordinates/0/0", "position"),
        (_collection(_polygon([["126", "45"], *RING])), "/features/0/geometry/coordinates/0/0/0", 'not the text "126"'),
        (_collection(_polygon([{}, *RING])), "/features/0/geometry/coordinates/0/0", "an object where a position"),
        (_collection("here"), "/features/0/geometry", "must be an object or null"),
        ({"type": "FeatureCollection", "features": [None]}, "/features/0", "must be an object, not null"),
        ({"type": "Point", "coordinates": [1, 2], "bbox": [1, 2, 3]}, "/bbox", "four numbers"),
        ({"type": "Point", "coordinates": [1, 2], "bbox": [1, 5, 3, 4]}, "/bbox", "south"),
        ({"type": "Point", "coordinates": [1, 2], "bbox": {}}, "/bbox", "array"),
        ({"type": "Feature", "geometry": None, "properties": None, "id": True}, "/id", "string or a number"),
        ({"type": "LineString", "coordinates": [[1, 2]]}, "/coordinates", "two or more positions"),
    ],
)
def test_a_problem_is_named_with_its_place(document: Any, pointer: str, words: str) -> None:
    assert any(at == pointer and words in detail for at, detail in _problems(document)), _problems(document)


@pytest.mark.parametrize(
    "bomb",
    [
        b"[" * 200_000,
        b'{"a":' * 100_000,
        b'{"type":"Feature","geometry":null,"properties":' + b'{"a":' * 300 + b"1" + b"}" * 300 + b"}",
        b'{"type":"Polygon","coordinates":' + b"[" * 500 + b"]" * 500 + b"}",
        b'{"type":"GeometryCollection","geometries":[' * 450 + b"]}" * 450,
    ],
)
def test_deep_nesting_is_refused_not_suffered(bomb: bytes) -> None:
    [(_, detail)] = _problems(bomb)
    assert "nested too deeply" in detail


def test_all_problems_come_at_once_up_to_a_limit() -> None:
    assert len(_problems(_collection(5, 6, 7))) == 3
    assert len(_problems(_collection(*range(1000)))) == MAX_PROBLEMS


def test_a_byte_order_mark_and_three_dimensions_are_taken() -> None:
    assert parse_geojson(b'\xef\xbb\xbf{"type": "Point", "coordinates": [1, 2, 3]}')["coordinates"] == [1, 2, 3]


def test_a_parsed_document_is_checked_alike() -> None:
    assert check_geojson(_collection(_polygon(RING)))["type"] == "FeatureCollection"
    with pytest.raises(GeoJsonError, match="finite"):
        check_geojson({"type": "Point", "coordinates": [float("nan"), 1.0]})


_MEMBERS = st.sampled_from(["type", "coordinates", "features", "geometry", "geometries", "properties", "bbox", "id"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["", "Point", "46"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_MEMBERS, inner, max_size=4),
    max_leaves=12,
)
_TYPES = st.sampled_from(["Point", "Polygon", "MultiPolygon", "Feature", "FeatureCollection", "GeometryCollection"])


@given(st.dictionaries(_MEMBERS, JSON, max_size=5), _TYPES)
def test_any_json_is_either_taken_or_refused_in_words(document: dict[str, Any], kind: str) -> None:
    try:
        parse_geojson(json.dumps({**document, "type": kind}).encode())
    except GeoJsonError as error:
        assert all(problem.detail for problem in error.problems)


@given(st.binary(max_size=60))
def test_any_bytes_are_either_taken_or_refused_in_words(raw: bytes) -> None:
    try:
        parse_geojson(raw)
    except GeoJsonError as error:
        assert str(error)
