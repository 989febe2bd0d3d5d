"""From the features of a document to zones, one feature at a time: names, shapes, ranges. Step one of `parse_zones`."""

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

import shapely

from geo.json_strict import escape
from geo.zone_map import Zone, ZoneProblem

MAX_ZONES = 10_000
"""Zones of a map; a city has tens to hundreds."""
SMALLEST_DEG = 1e-9
"""A zone that is smaller than a tenth of a millimetre is a point; geometry this small fails by underflow."""
MAX_ID = 64
"""Characters of a zone's id."""
MAX_NAME = 200
"""Characters of a zone's name."""

# Names under which GeoJSON of 2008 wrote "longitude and latitude, WGS-84".
_WGS84_NAMES = re.compile(
    r"(urn:(ogc|x-ogc):def:crs:(OGC:[0-9.]*:CRS84|EPSG:[0-9.]*:4326)|EPSG:4326|(OGC:)?CRS:?84|WGS[ -]?84)", re.I
)
_PLACE = re.compile(r"^(?P<reason>[^\[]*)\[(?P<lon>\S+) (?P<lat>\S+)\]$")
# GEOS's words for an invalid shape, in words for somebody who draws maps.
_REASONS = {
    "Self-intersection": "its border crosses itself",
    "Ring Self-intersection": "its border touches itself",
    "Hole lies outside shell": "a hole lies outside the zone",
    "Holes are nested": "a hole lies within a hole",
    "Nested shells": "one part lies within another part",
    "Nested holes": "a hole lies within a hole",
    "Interior is disconnected": "its holes cut it into pieces",
    "Duplicate Rings": "a ring is there twice",
    "Too few points in geometry component": "a ring has no area",
}


class ZoneReader:
    """Reads features into `zones`; what is wrong goes to `problems`, what is merely odd to `warnings`."""

    def __init__(self) -> None:
        """Start with nothing read."""
        self.zones: list[Zone] = []
        self.pointers: list[str] = []
        self.problems: list[ZoneProblem] = []
        self.warnings: list[ZoneProblem] = []
        self._first: dict[str, str] = {}
        self._with_heights: list[str] = []
        self._turned: list[str] = []

    def read(self, collection: Mapping[str, Any]) -> None:
        """Read a well-formed FeatureCollection."""
        if "crs" in collection and not _is_wgs84(collection["crs"]):
            detail = (
                'the member "crs" is not WGS-84; coordinates must be longitude and latitude in WGS-84, with no "crs"'
            )
            self.problems.append(ZoneProblem("/crs", None, detail))
        if not collection["features"]:
            self.problems.append(ZoneProblem("/features", None, "a map needs at least one zone; this one has none"))
        if len(collection["features"]) > MAX_ZONES:
            detail = f"a map has at most {MAX_ZONES:,} zones; this one has {len(collection['features']):,}"
            self.problems.append(ZoneProblem("/features", None, detail))
            return
        for i, feature in enumerate(collection["features"]):
            self._feature(feature, f"/features/{i}")
        self._odd(self._with_heights, "coordinates have heights, which are dropped")
        self._odd(
            self._turned, "rings were wound the wrong way and are turned (RFC 7946: outer rings counterclockwise)"
        )

    def _odd(self, zones: list[str], detail: str) -> None:
        """Warn once of what is odd in the same way about several zones."""
        if zones:
            names = ", ".join(repr(name) for name in zones[:5]) + (
                f" and {len(zones) - 5} more" if len(zones) > 5 else ""
            )
            self.warnings.append(
                ZoneProblem("/features", zones[0] if len(zones) == 1 else None, f"{detail}: zone {names}")
            )

    def _feature(self, feature: Mapping[str, Any], pointer: str) -> None:
        before = len(self.problems)
        properties = dict(feature["properties"] or {})
        zone_id = self._id(properties.pop("id", None), f"{pointer}/properties/id")
        name = self._name(properties.pop("name", None), f"{pointer}/properties/name", zone_id)
        policy = properties.pop("policy", None)
        if policy is not None and not isinstance(policy, dict):
            self._wrong(f"{pointer}/properties/policy", zone_id, '"policy" must be an object')
        for where, detail in _unstorable(properties if policy is None else {**properties, "policy": policy}):
            self._wrong(f"{pointer}/properties{where}", zone_id, detail)
        geometry = self._geometry(feature["geometry"], f"{pointer}/geometry", zone_id)
        if len(self.problems) == before and zone_id is not None and geometry is not None:
            self.zones.append(Zone(zone_id, name, policy, geometry, properties))
            self.pointers.append(pointer)

    def _wrong(self, pointer: str, zone: str | None, detail: str, **place: float) -> None:
        self.problems.append(ZoneProblem(pointer, zone, detail, **place))

    def _id(self, value: Any, pointer: str) -> str | None:
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if not isinstance(value, str) or not value.strip() or len(value) > MAX_ID or not value.isprintable():
            self._wrong(pointer, None, f'each zone needs an "id" in its properties: text of 1 to {MAX_ID} characters')
            return None
        if value in self._first:
            self._wrong(pointer, value, f"zone {value!r} is there twice: first as {self._first[value]}")
        self._first.setdefault(value, pointer.removesuffix("/properties/id"))
        return value

    def _name(self, value: Any, pointer: str, zone_id: str | None) -> str:
        if isinstance(value, str) and len(value) <= MAX_NAME and (value.isprintable()):
            return value
        self._wrong(
            pointer, zone_id, f'each zone needs a "name" in its properties: text of at most {MAX_NAME} characters'
        )
        return ""

    def _geometry(self, geometry: Mapping[str, Any] | None, pointer: str, zone_id: str | None) -> Any:
        """Return a valid, right-handed shape in two dimensions, or None after saying why not."""
        label = f"zone {zone_id!r}" if zone_id is not None else "the zone"
        kind = None if geometry is None else geometry["type"]
        if geometry is None or kind not in ("Polygon", "MultiPolygon"):
            self._wrong(
                f"{pointer}/type" if geometry else pointer,
                zone_id,
                f"{label} must be a Polygon or a MultiPolygon, not {kind}",
            )
            return None
        coordinates, where = geometry["coordinates"], f"{pointer}/coordinates"
        polygons, steps = ([coordinates], [where]) if kind == "Polygon" else (coordinates, _steps(where, coordinates))
        if not polygons or not all(polygons):
            self._wrong(where, zone_id, f"{label} is empty: it has no ring")
            return None
        rings = [
            (ring, f"{step}/{i}")
            for polygon, step in zip(polygons, steps, strict=True)
            for i, ring in enumerate(polygon)
        ]
        if not self._in_range(rings, zone_id, label):
            return None
        if any(len(position) > 2 for ring, _ in rings for position in ring):
            self._with_heights.append(zone_id or pointer)
        parts = [shapely.Polygon(_flat(polygon[0]), [_flat(hole) for hole in polygon[1:]]) for polygon in polygons]
        shape = parts[0] if kind == "Polygon" else shapely.MultiPolygon(parts)
        return self._valid(shape, where, zone_id, label)

    def _in_range(self, rings: list[tuple[Any, str]], zone_id: str | None, label: str) -> bool:
        for ring, pointer in rings:
            for i, (lon, lat, *_) in enumerate(ring):
                if -180 <= lon <= 180 and -90 <= lat <= 90:
                    continue
                swapped = abs(lon) <= 90 < abs(lat) <= 180
                hint = "; longitude and latitude look swapped: longitude comes first" if swapped else ""
                detail = f"{label} has a coordinate out of range (longitude {lon}, latitude {lat}){hint}"
                self._wrong(f"{pointer}/{i}", zone_id, detail, lon=float(lon), lat=float(lat))
                return False
            if (far := _far_apart(ring)) is not None:
                lon, lat = ring[far][:2]
                detail = f"{label} crosses the antimeridian near ({lon}, {lat}); cut it there (RFC 7946, 3.1.9)"
                self._wrong(f"{pointer}/{far}", zone_id, detail, lon=float(lon), lat=float(lat))
                return False
        return True

    def _valid(self, shape: Any, pointer: str, zone_id: str | None, label: str) -> Any:
        west, south, east, north = shape.bounds
        if max(east - west, north - south) < SMALLEST_DEG:
            self._wrong(pointer, zone_id, f"{label} is empty: all of it is one point", lon=west, lat=south)
            return None
        if not shapely.is_valid(shape):
            detail, lon, lat = _why_invalid(shape)
            self._wrong(pointer, zone_id, f"{label} is not a valid shape: {detail} at ({lon}, {lat})", lon=lon, lat=lat)
            return None
        right = shapely.orient_polygons(shape)
        if not _same_winding(shape, right):
            self._turned.append(zone_id or pointer)
        return right


def _far_apart(ring: Any) -> int | None:
    """Return the first position of a ring that is over half the Earth from one before it, None for none.

    Taken as it is written, such a ring is the zone's opposite.
    """
    west = east = ring[0][0]
    for i, (lon, *_) in enumerate(ring):
        west, east = min(west, lon), max(east, lon)
        if east - west > 180:
            return i
    return None


def _steps(pointer: str, items: Any) -> list[str]:
    return [f"{pointer}/{i}" for i in range(len(items))]


def _flat(ring: Any) -> list[tuple[float, float]]:
    return [(position[0], position[1]) for position in ring]


def _same_winding(shape: Any, right: Any) -> bool:
    return bool((shapely.get_coordinates(shape) == shapely.get_coordinates(right)).all())


def _is_wgs84(crs: Any) -> bool:
    name = crs
    if isinstance(crs, dict):
        properties = crs.get("properties")
        name = properties.get("name") if isinstance(properties, dict) else None
    return isinstance(name, str) and _WGS84_NAMES.fullmatch(name.strip()) is not None


def _why_invalid(shape: Any) -> tuple[str, float, float]:
    """Say why a shape is invalid, and where."""
    found = _PLACE.match(shapely.is_valid_reason(shape))
    lon, lat = (float(found["lon"]), float(found["lat"])) if found else (math.nan, math.nan)
    if not (math.isfinite(lon) and math.isfinite(lat)):
        lon, lat = shapely.get_coordinates(shape)[0].tolist()
    reason = found["reason"].strip() if found else "the shape is invalid"
    return _REASONS.get(reason, reason.lower()), lon, lat


def _unstorable(properties: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield (pointer, detail) of texts that JSON can write but neither UTF-8 nor a database can hold."""
    waiting: list[tuple[str, Any]] = [("", properties)]
    while waiting:
        pointer, item = waiting.pop()
        if isinstance(item, dict):
            waiting += [(f"{pointer}/{i}", name) for i, name in enumerate(item)]
            waiting += [
                (f"{pointer}/{escape(name)}".encode(errors="replace").decode(), child) for name, child in item.items()
            ]
        elif isinstance(item, (list, tuple)):
            waiting += [(f"{pointer}/{i}", child) for i, child in enumerate(item)]
        elif isinstance(item, str) and ("\0" in item or any("\ud800" <= letter <= "\udfff" for letter in item)):
            yield pointer, "a text holds a character that cannot be stored (NUL, or half a surrogate pair)"
