"""What an editor does to the shape of zones: cut one along a line, join some into one. GeoJSON in, GeoJSON out."""

from typing import Any

import shapely
from shapely.geometry import mapping, shape
from shapely.ops import split as cut

from geo.geojson import GeoJsonError, check_geojson

Geometry = dict[str, Any]


class ZoneEditError(ValueError):
    """The shapes do not allow this; the message says why."""


def split_zone(geometry: Geometry, line: Geometry) -> list[Geometry]:
    """Return the parts of a Polygon or MultiPolygon on both sides of a LineString, the largest first.

    Raises:
        ZoneEditError: where the line does not cross the zone from border to border.
    """
    area, knife = _area(geometry), _read(line)
    if knife.geom_type != "LineString" or not knife.is_simple:
        raise ZoneEditError("the cut must be one line that does not cross itself")
    pieces = [piece for part in shapely.get_parts(area) for piece in cut(part, knife).geoms]
    if len(pieces) <= len(shapely.get_parts(area)):
        raise ZoneEditError("the line must cross the zone from border to border")
    pieces.sort(key=lambda piece: -piece.area)
    return [_written(piece) for piece in pieces]


def join_zones(geometries: list[Geometry]) -> Geometry:
    """Return one shape that covers all, which must touch along a border.

    Raises:
        ZoneEditError: where they do not touch, so that one zone would lie in two places.
    """
    areas = [_area(geometry) for geometry in geometries]
    parts = max(len(shapely.get_parts(area)) for area in areas)
    joined = shapely.union_all(areas)
    if len(shapely.get_parts(joined)) > parts:
        raise ZoneEditError("the zones do not touch: they cannot be one")
    return _written(joined)


def _read(geometry: Geometry) -> Any:
    try:
        return shape(check_geojson(geometry))
    except GeoJsonError as error:
        raise ZoneEditError(f"this is no GeoJSON geometry: {error.problems[0].detail}") from None
    except (shapely.GEOSException, ValueError, TypeError, KeyError, AttributeError, IndexError):
        raise ZoneEditError("this is no GeoJSON geometry") from None


def _area(geometry: Geometry) -> Any:
    area = _read(geometry)
    if area.geom_type not in ("Polygon", "MultiPolygon") or area.is_empty:
        raise ZoneEditError("a zone must be a Polygon or a MultiPolygon")
    if not area.is_valid:
        raise ZoneEditError(f"the zone is not a clean shape: {shapely.is_valid_reason(area)}")
    return area


def _written(area: Any) -> Geometry:
    written: Geometry = mapping(shapely.orient_polygons(area))  # right-handed, as RFC 7946 asks
    return written
