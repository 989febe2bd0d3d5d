"""Where things are: datums, zones, travel times. WGS-84 degrees, longitude first; imports nothing else of ours."""

from geo.datums import Crs, from_wgs84, to_wgs84
from geo.geojson import GeoJsonError, GeoJsonProblem, check_geojson, parse_geojson
from geo.travel import EARTH_RADIUS_M, MetricTravel, TravelTimes, distance_m
from geo.zone_editing import ZoneEditError, join_zones, split_zone
from geo.zone_index import ZoneIndex
from geo.zone_map import Zone, ZoneMap, ZoneMapError, ZoneProblem
from geo.zones import parse_zones

__all__ = [
    "EARTH_RADIUS_M",
    "Crs",
    "GeoJsonError",
    "GeoJsonProblem",
    "MetricTravel",
    "TravelTimes",
    "Zone",
    "ZoneEditError",
    "ZoneIndex",
    "ZoneMap",
    "ZoneMapError",
    "ZoneProblem",
    "check_geojson",
    "distance_m",
    "from_wgs84",
    "join_zones",
    "parse_geojson",
    "parse_zones",
    "split_zone",
    "to_wgs84",
]
