"""What a map of zones is, and what can be wrong with one. Read by `geo.zones`, asked through `geo.zone_index`."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import shapely


@dataclass(frozen=True)
class ZoneProblem:
    """One thing wrong with a map: which member of the document, which zone, what, where and how large.

    `pointer` is a JSON pointer (RFC 6901) into the FeatureCollection. `lon` and `lat` name a place where the problem
    can be seen, in WGS-84 degrees, and `area_m2` its extent; None where that makes no sense.
    """

    pointer: str
    zone: str | None
    detail: str
    lon: float | None = None
    lat: float | None = None
    area_m2: float | None = None


class ZoneMapError(ValueError):
    """The map of zones cannot be used; `problems` says where and why."""

    def __init__(self, problems: tuple[ZoneProblem, ...]) -> None:
        """Keep the problems and put the first into the message."""
        self.problems = problems
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        super().__init__(f"the map of zones cannot be used: {problems[0].detail}{more}")


@dataclass(frozen=True)
class Zone:
    """One zone: a valid, right-handed Polygon or MultiPolygon in WGS-84 degrees.

    `policy` is as it was written and unchecked; `properties` are the members that are not ours, kept as they are.
    """

    id: str
    name: str
    policy: Mapping[str, Any] | None
    geometry: shapely.Polygon | shapely.MultiPolygon
    properties: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ZoneMap:
    """Zones whose interiors do not overlap, in the order of the document, with what is odd about them."""

    zones: tuple[Zone, ...]
    warnings: tuple[ZoneProblem, ...] = ()

    def feature_collection(self) -> dict[str, Any]:
        """Return the map as a GeoJSON FeatureCollection (RFC 7946): two dimensions, right-hand rule."""
        return {"type": "FeatureCollection", "features": [_feature(zone) for zone in self.zones]}


def _feature(zone: Zone) -> dict[str, Any]:
    properties: dict[str, Any] = {"id": zone.id, "name": zone.name}
    if zone.policy is not None:
        properties["policy"] = copy.deepcopy(dict(zone.policy))
    properties |= copy.deepcopy(dict(zone.properties))
    polygons = [_rings(polygon) for polygon in shapely.get_parts(zone.geometry)]
    geometry = (
        {"type": "Polygon", "coordinates": polygons[0]}
        if zone.geometry.geom_type == "Polygon"
        else {"type": "MultiPolygon", "coordinates": polygons}
    )
    return {"type": "Feature", "properties": properties, "geometry": geometry}


def _rings(polygon: shapely.Polygon) -> list[list[list[float]]]:
    return [shapely.get_coordinates(ring).tolist() for ring in (polygon.exterior, *polygon.interiors)]
