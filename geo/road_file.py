"""The roads of an OpenStreetMap file, as ways that a car may drive: nodes, places, speeds in both directions.

Classes, speeds and the rule that traffic moves at 0.8 of what signs allow are those of OSRM's car profile
(profiles/car.lua), save that a van on duty may use service roads, and gates with `access=private`: crews are let in.
"""

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import osmium
from msgspec import Struct
from osmium.filter import EntityFilter, KeyFilter
from osmium.osm import NODE, WAY

from geo.travel import Floats

CLASS_KMH = {
    "motorway": 90.0,
    "motorway_link": 45.0,
    "trunk": 85.0,
    "trunk_link": 40.0,
    "primary": 65.0,
    "primary_link": 30.0,
    "secondary": 55.0,
    "secondary_link": 25.0,
    "tertiary": 40.0,
    "tertiary_link": 20.0,
    "unclassified": 25.0,
    "residential": 25.0,
    "living_street": 10.0,
    "service": 15.0,
    "road": 25.0,
}
"""Speed by class where no sign is mapped; every other class of way is not for cars."""
SHARE_OF_LIMIT = 0.8
_CLOSED = frozenset({"no", "agricultural", "forestry", "emergency", "psv"})
_LIMIT = re.compile(r"(\d+(?:\.\d+)?)\s*(mph)?")
_KMH_PER_MPH = 1.609344


class RoadFileError(ValueError):
    """The file cannot be read as a road map; the message says why and what would do."""


class Way(Struct, frozen=True):
    """One way: its nodes' ids, their places as rows of (lon, lat), and metres per second along and against it.

    A speed of 0 means that nobody may drive in that direction.
    """

    nodes: tuple[int, ...]
    places: Floats
    along_mps: float
    against_mps: float


def read_ways(file: Path) -> list[Way]:
    """Return every way of an OpenStreetMap file (.osm, .osm.pbf, .osm.bz2) that a car may drive.

    Raises:
        RoadFileError: the file is missing, is no map, or holds no roads.
    """
    if not file.is_file():
        raise RoadFileError(f"there is no road map {file}; an extract of a city is to be had at download.geofabrik.de")
    try:
        ways = list(_drivable(file))
    except (RuntimeError, osmium.InvalidLocationError) as error:
        raise RoadFileError(f"{file} cannot be read as an OpenStreetMap file: {error}") from None
    if not ways:
        raise RoadFileError(f"{file} holds no roads that a car may drive")
    return ways


def _drivable(file: Path) -> Iterator[Way]:
    reader = osmium.FileProcessor(str(file), NODE | WAY).with_locations()
    for way in reader.with_filter(EntityFilter(WAY)).with_filter(KeyFilter("highway")):
        assert isinstance(way, osmium.osm.Way)
        along, against = speeds_mps(dict(way.tags))
        if along <= 0.0 and against <= 0.0:
            continue
        # Extracts cut ways at their edge: nodes beyond it have no place.
        known = [(node.ref, node.location) for node in way.nodes if node.location.valid()]
        if len(known) >= 2:
            places = np.array([(location.lon, location.lat) for _, location in known])
            yield Way(tuple(ref for ref, _ in known), places, along, against)


def speeds_mps(tags: Mapping[str, str]) -> tuple[float, float]:
    """Return the metres per second along and against a way with these tags; 0 where nobody may drive."""
    kmh = CLASS_KMH.get(tags.get("highway", ""))
    access = tags.get("motor_vehicle", tags.get("vehicle", tags.get("access", "")))
    if kmh is None or access in _CLOSED or tags.get("area") == "yes":
        return 0.0, 0.0
    along, against = (_limit_kmh(tags, way) or kmh for way in ("forward", "backward"))
    oneway = tags.get("oneway", "yes" if _is_oneway_by_kind(tags) else "no")
    if oneway in ("yes", "true", "1"):
        against = 0.0
    elif oneway in ("-1", "reverse"):
        along = 0.0
    return along * SHARE_OF_LIMIT / 3.6, against * SHARE_OF_LIMIT / 3.6


def _is_oneway_by_kind(tags: Mapping[str, str]) -> bool:
    return tags.get("junction") in ("roundabout", "circular") or tags["highway"] == "motorway"


def _limit_kmh(tags: Mapping[str, str], direction: str) -> float | None:
    """Return the signed limit, None where there is none or it is no number ("none", "CN:urban")."""
    found = _LIMIT.fullmatch(tags.get(f"maxspeed:{direction}", tags.get("maxspeed", "")).strip())
    if found is None:
        return None
    kmh = float(found[1]) * (_KMH_PER_MPH if found[2] else 1.0)
    return kmh if math.isfinite(kmh) and 1.0 <= kmh <= 200.0 else None
