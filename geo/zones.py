"""Zones: from a GeoJSON document to a map that can be trusted, and from a place to its zone. Step 2 of docs/flow.md.

`parse_zones` promises that the interiors of the zones of a `ZoneMap` do not overlap, that each is a valid shape on the
Earth, and that everything wrong is reported at once with zone and place. A map that crosses the antimeridian is not
understood: its zones reach round the Earth the other way.
"""

from typing import Any

from geo.coverage import find_overlaps
from geo.gaps import find_gaps
from geo.geojson import MAX_PROBLEMS, GeoJsonError, check_geojson, parse_geojson
from geo.zone_index import ZoneIndex
from geo.zone_map import Zone, ZoneMap, ZoneMapError, ZoneProblem
from geo.zone_reading import ZoneReader

__all__ = ["Zone", "ZoneIndex", "ZoneMap", "ZoneMapError", "ZoneProblem", "parse_zones"]


def parse_zones(raw: bytes | dict[str, Any]) -> ZoneMap:
    """Read and check a FeatureCollection of zones, as bytes or already parsed.

    Raises:
        ZoneMapError: with every problem found, up to `geo.geojson.MAX_PROBLEMS`.
    """
    try:
        document = parse_geojson(raw) if isinstance(raw, bytes) else check_geojson(raw)
    except GeoJsonError as error:
        problems = [ZoneProblem(p.pointer, _zone_of(error.document, p.pointer), p.detail) for p in error.problems]
        raise ZoneMapError(tuple(problems)) from error
    if document["type"] != "FeatureCollection":
        detail = f"a map of zones must be a FeatureCollection, not a {document['type']}"
        raise ZoneMapError((ZoneProblem("/type", None, detail),))
    reader = ZoneReader()
    reader.read(document)
    overlaps, slivers = find_overlaps(reader.zones, reader.pointers)
    problems = reader.problems + overlaps
    if problems:
        raise ZoneMapError(tuple(problems[:MAX_PROBLEMS]))
    return ZoneMap(tuple(reader.zones), tuple(reader.warnings + slivers + find_gaps(reader.zones)))


def _zone_of(document: Any, pointer: str) -> str | None:
    """Return the id of the zone that a pointer leads into, as far as it can be read."""
    try:
        _, features, i, *_ = pointer.split("/")
        name = document[features][int(i)]["properties"]["id"]
    except (ValueError, KeyError, IndexError, TypeError):
        return None
    return str(name)[:64] if isinstance(name, (str, int)) else None
