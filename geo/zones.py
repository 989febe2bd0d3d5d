"""Zones: from a GeoJSON document to a map that can be trusted, and from a place to its zone. Step 2 of docs/flow.md.

`parse_zones` promises that the interiors of the zones of a `ZoneMap` do not overlap, that each is a valid shape on the
Earth, and that everything wrong is reported at once with zone and place. A zone that crosses the antimeridian must be
cut there, into parts on either side.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from geo.coverage import find_overlaps
from geo.gaps import find_gaps
from geo.geojson import MAX_PROBLEMS, GeoJsonError, check_geojson, parse_geojson
from geo.json_strict import read_json
from geo.zone_index import ZoneIndex
from geo.zone_map import Zone, ZoneMap, ZoneMapError, ZoneProblem
from geo.zone_reading import ZoneReader

__all__ = [
    "Zone",
    "ZoneIndex",
    "ZoneMap",
    "ZoneMapError",
    "ZoneProblem",
    "ZoneSurvey",
    "parse_usable_zones",
    "parse_zones",
    "survey_zones",
]

_FEATURE = re.compile(r"/features/(\d+)")
MOST_NAMED = 10_000
"""How many overlaps, and how many gaps, a survey names."""


def parse_zones(raw: bytes | dict[str, Any]) -> ZoneMap:
    """Read and check a FeatureCollection of zones, as bytes or already parsed.

    Raises:
        ZoneMapError: with every problem found, up to `geo.geojson.MAX_PROBLEMS`.
    """
    reader = _read(raw)
    overlaps, slivers = find_overlaps(reader.zones, reader.pointers)
    problems = reader.problems + overlaps
    if problems:
        raise ZoneMapError(tuple(problems[:MAX_PROBLEMS]))
    return ZoneMap(tuple(reader.zones), tuple(reader.warnings + slivers + find_gaps(reader.zones)))


def parse_usable_zones(raw: bytes) -> tuple[ZoneMap | None, tuple[ZoneProblem, ...]]:
    """Return what is good of a map that an earlier version took by its own rules, and all that is wrong with the rest.

    A zone with a problem is left out, and of two that overlap the later; None where no zone is left, or where the
    document as a whole is wrong. Pointers of later problems count without the zones that were left out before.
    """
    try:
        return parse_zones(raw), ()
    except ZoneMapError as error:
        problems = error.problems
    document, _ = read_json(raw)
    found = list(problems)
    while wrong := {int(place[1]) for problem in problems if (place := _FEATURE.match(problem.pointer))}:
        document["features"] = [one for n, one in enumerate(document["features"]) if n not in wrong]
        if not document["features"]:
            break
        try:
            return parse_zones(document), tuple(found)
        except ZoneMapError as error:
            problems = error.problems
            found += problems
    return None, tuple(found)


@dataclass(frozen=True)
class ZoneSurvey:
    """All that there is to say of a map of zones, good or not.

    `zones` are those that could be read, each under its pointer. `cut`: there may be more of some kind of problem than
    is listed. `gaps_known`: gaps are among the warnings; they are not looked for where a zone could not be read, since
    its place would look like one.
    """

    zones: Mapping[str, Zone]
    problems: tuple[ZoneProblem, ...]
    warnings: tuple[ZoneProblem, ...]
    gaps_known: bool
    cut: bool


def survey_zones(raw: bytes, *, most: int = MOST_NAMED) -> ZoneSurvey:
    """Look a map over for somebody who mends it: every overlap and every gap, up to `most` of each."""
    try:
        reader = _read(raw)
    except ZoneMapError as error:
        return ZoneSurvey({}, error.problems, (), gaps_known=False, cut=len(error.problems) >= MAX_PROBLEMS)
    overlaps, slivers = find_overlaps(reader.zones, reader.pointers, most=most)
    gaps = [] if reader.problems else find_gaps(reader.zones, most=most)
    return ZoneSurvey(
        dict(zip(reader.pointers, reader.zones, strict=True)),
        tuple(reader.problems + overlaps),
        tuple(reader.warnings + slivers + gaps),
        gaps_known=not reader.problems,
        cut=any(len(found) >= most for found in (overlaps, slivers, gaps)),
    )


def _read(raw: bytes | dict[str, Any]) -> ZoneReader:
    """Read the zones of a document one by one; raise `ZoneMapError` where it is no FeatureCollection."""
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
    return reader


def _zone_of(document: Any, pointer: str) -> str | None:
    """Return the id of the zone that a pointer leads into, as far as it can be read."""
    try:
        _, features, i, *_ = pointer.split("/")
        name = document[features][int(i)]["properties"]["id"]
    except (ValueError, KeyError, IndexError, TypeError):
        return None
    return str(name)[:64] if isinstance(name, (str, int)) else None
