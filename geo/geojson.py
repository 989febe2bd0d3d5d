"""Strict reading of GeoJSON (RFC 7946), at the level of the document.

What the shapes mean (do they cross, overlap, lie on the Earth) is asked in `geo.zones`. All that is wrong is
reported at once, each with a JSON pointer, up to `MAX_PROBLEMS`. Positions of more than two numbers, wrong winding
and members unknown to the standard are well-formed.
"""

import contextlib
from typing import Any

from geo.json_strict import JsonProblem, escape, read_json, unfit_values

MAX_PROBLEMS = 100
"""How many problems one error lists; a file with more is not mended by reading on."""

# Levels of arrays around the positions, per type of geometry.
_LEVELS = {
    "Point": 0,
    "MultiPoint": 1,
    "LineString": 1,
    "MultiLineString": 2,
    "Polygon": 2,
    "MultiPolygon": 3,
}
# RFC 7946 section 7.1: members that belong to another kind of object and may not appear here.
_FOREIGN = {
    "FeatureCollection": ("coordinates", "geometries", "geometry", "properties"),
    "Feature": ("coordinates", "geometries", "features"),
    "geometry": ("geometry", "properties", "features"),
}

GeoJsonProblem = JsonProblem


class GeoJsonError(ValueError):
    """The document is not well-formed GeoJSON; see `problems`, and `document`, what could be read of it."""

    def __init__(self, problems: list[GeoJsonProblem], document: Any = None) -> None:
        """Keep the problems and put the first into the message."""
        self.problems = tuple(problems)
        self.document = document
        first = problems[0]
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        super().__init__(f"not well-formed GeoJSON at {first.pointer or 'the root'}: {first.detail}{more}")


def parse_geojson(raw: bytes) -> dict[str, Any]:
    """Read a GeoJSON document: a geometry, a Feature or a FeatureCollection.

    Raises:
        GeoJsonError: it is not JSON, or not well-formed GeoJSON.
    """
    document, problems = read_json(raw)
    if problems:
        raise GeoJsonError(problems[:MAX_PROBLEMS], document)
    return _checked(document)


def check_geojson(document: Any) -> dict[str, Any]:
    """Check a document that is already parsed, and return it.

    Raises:
        GeoJsonError: it is not well-formed GeoJSON.
    """
    problems = unfit_values(document)
    if problems:
        raise GeoJsonError(problems[:MAX_PROBLEMS], document)
    return _checked(document)


def _checked(document: Any) -> dict[str, Any]:
    checker = _Checker()
    with contextlib.suppress(_EnoughError):
        checker.document(document)
    if checker.problems:
        raise GeoJsonError(checker.problems, document)
    assert isinstance(document, dict)
    return document


class _EnoughError(Exception):
    """The list of problems is full."""


class _Checker:
    """Walks a document and collects what is wrong with it."""

    def __init__(self) -> None:
        self.problems: list[GeoJsonProblem] = []

    def wrong(self, pointer: str, detail: str) -> None:
        self.problems.append(GeoJsonProblem(pointer, detail))
        if len(self.problems) >= MAX_PROBLEMS:
            raise _EnoughError

    def document(self, document: Any) -> None:
        if not isinstance(document, dict):
            self.wrong("", f"the root must be an object, not {_kind(document)}")
        elif document.get("type") == "FeatureCollection":
            self.collection(document)
        elif document.get("type") == "Feature":
            self.feature(document, "")
        else:
            self.geometry(document, "", also="FeatureCollection, Feature, ")

    def collection(self, collection: dict[str, Any]) -> None:
        self.foreign(collection, "", "FeatureCollection")
        self.bbox(collection, "")
        if "features" not in collection:
            self.wrong("", 'the member "features" is missing')
            return
        features = collection["features"]
        if not isinstance(features, (list, tuple)):
            self.wrong("/features", f'"features" must be an array, not {_kind(features)}')
            return
        for i, feature in enumerate(features):
            pointer = f"/features/{i}"
            if not isinstance(feature, dict):
                self.wrong(pointer, f"a feature must be an object, not {_kind(feature)}")
            elif feature.get("type") != "Feature":
                self.wrong(f"{pointer}/type", '"type" of each of the features must be "Feature"')
            else:
                self.feature(feature, pointer)

    def feature(self, feature: dict[str, Any], pointer: str) -> None:
        self.foreign(feature, pointer, "Feature")
        self.bbox(feature, pointer)
        for name in ("properties", "geometry"):
            if name not in feature:
                self.wrong(pointer, f'the member "{name}" is missing')
            elif feature[name] is not None and not isinstance(feature[name], dict):
                detail = f'"{name}" must be an object or null, not {_kind(feature[name])}'
                self.wrong(f"{pointer}/{name}", detail)
        name = feature.get("id", "")
        if not isinstance(name, (str, int, float)) or isinstance(name, bool):
            self.wrong(f"{pointer}/id", f'"id" of a feature must be a string or a number, not {_kind(name)}')
        if isinstance(feature.get("geometry"), dict):
            self.geometry(feature["geometry"], f"{pointer}/geometry")

    def geometry(self, geometry: dict[str, Any], pointer: str, *, also: str = "") -> None:
        kind = geometry.get("type")
        if kind == "GeometryCollection":
            self.geometry_collection(geometry, pointer)
            return
        if not isinstance(kind, str) or kind not in _LEVELS:
            known = f"{also}{', '.join(_LEVELS)} or GeometryCollection"
            missing = "is missing" if "type" not in geometry else f"must be one of {known}, not {_kind(kind)}"
            self.wrong(pointer if "type" not in geometry else f"{pointer}/type", f'"type" {missing}')
            return
        self.foreign(geometry, pointer, "geometry")
        self.bbox(geometry, pointer)
        if "coordinates" not in geometry:
            self.wrong(pointer, 'the member "coordinates" is missing')
            return
        self.nest(geometry["coordinates"], f"{pointer}/coordinates", kind, _LEVELS[kind])

    def geometry_collection(self, collection: dict[str, Any], pointer: str) -> None:
        self.foreign(collection, pointer, "geometry")
        self.bbox(collection, pointer)
        if "geometries" not in collection:
            self.wrong(pointer, 'the member "geometries" is missing')
            return
        parts = collection["geometries"]
        if not isinstance(parts, (list, tuple)):
            self.wrong(f"{pointer}/geometries", f'"geometries" must be an array, not {_kind(parts)}')
            return
        if len(parts) == 1:
            detail = "a GeometryCollection of one geometry: write that geometry, or its Multi type"
            self.wrong(f"{pointer}/geometries", detail)
        for i, part in enumerate(parts):
            if isinstance(part, dict):
                self.geometry(part, f"{pointer}/geometries/{i}")
            else:
                self.wrong(f"{pointer}/geometries/{i}", f"a geometry must be an object, not {_kind(part)}")

    def nest(self, value: Any, pointer: str, kind: str, levels: int) -> None:
        """Check `levels` arrays around positions; the innermost array is a line, a ring or a bunch of points."""
        if levels == 0:
            self.position(value, pointer)
            return
        if not isinstance(value, (list, tuple)):
            detail = f"{_kind(value)} where an array of coordinates belongs: nest it as a {kind} wants"
            self.wrong(pointer, detail)
            return
        if levels > 1:
            for i, item in enumerate(value):
                self.nest(item, f"{pointer}/{i}", kind, levels - 1)
            return
        before = len(self.problems)
        for i, position in enumerate(value):
            if type(position) is list and len(position) == 2 and type(position[0]) is type(position[1]) is float:
                continue  # the usual case, quickly; that the numbers are finite was seen while reading
            self.position(position, f"{pointer}/{i}")
        if len(self.problems) == before:
            self.path(value, pointer, kind)

    def path(self, positions: Any, pointer: str, kind: str) -> None:
        if kind in ("LineString", "MultiLineString") and len(positions) < 2:
            self.wrong(pointer, f"a line needs two or more positions, not {len(positions)}")
        if kind not in ("Polygon", "MultiPolygon"):
            return
        if len(positions) < 4:
            self.wrong(pointer, f"a ring needs four or more positions, not {len(positions)}")
        if positions and list(positions[0]) != list(positions[-1]):
            self.wrong(pointer, "the ring is not closed: its first and last positions must be the same")

    def position(self, position: Any, pointer: str) -> None:
        if not isinstance(position, (list, tuple)):
            detail = f"{_kind(position)} where a position belongs: an array of longitude and latitude"
            self.wrong(pointer, detail)
            return
        if len(position) < 2:
            self.wrong(pointer, "a position needs two or more numbers: longitude, latitude")
        for i, number in enumerate(position):
            if not _is_number(number):
                self.wrong(f"{pointer}/{i}", f"each element of a position must be a number, not {_kind(number)}")

    def bbox(self, holder: dict[str, Any], pointer: str) -> None:
        if "bbox" not in holder:
            return
        bbox = holder["bbox"]
        pointer = f"{pointer}/bbox"
        if not isinstance(bbox, (list, tuple)) or len(bbox) not in (4, 6):
            self.wrong(pointer, "a bbox must be an array of four numbers, or of six in three dimensions")
        elif not all(_is_number(edge) for edge in bbox):
            self.wrong(pointer, "each element of a bbox must be a number")
        elif bbox[1] > bbox[len(bbox) // 2 + 1]:
            self.wrong(pointer, "a bbox must be west, south, east, north: its south lies north of its north")

    def foreign(self, holder: dict[str, Any], pointer: str, kind: str) -> None:
        for name in _FOREIGN[kind]:
            if name in holder:
                article = "a geometry" if kind == "geometry" else f"a {kind}"
                self.wrong(f"{pointer}/{escape(name)}", f'{article} cannot have a member "{name}"')


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _kind(value: Any) -> str:
    """Name a JSON value in a sentence."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, (list, tuple)):
        return "an array"
    if isinstance(value, str):
        return f'the text "{value[:40]}"'
    return f"the number {value}"
