"""Where things are: datums, zones, travel times. WGS-84 degrees, longitude first; imports nothing else of ours."""

from geo.datums import Crs, from_wgs84, to_wgs84
from geo.geojson import GeoJsonError, GeoJsonProblem, check_geojson, parse_geojson
from geo.travel import EARTH_RADIUS_M, MetricTravel, TravelTimes, distance_m
from geo.travel_choice import TravelChoice, TravelChoiceError, make_prompt_travel, make_travel, read_travel
from geo.travel_factors import Conditions, FactoredTravel, TravelFactors, Trip, learn_factors
from geo.zone_editing import ZoneEditError, join_zones, split_zone
from geo.zone_index import ZoneIndex
from geo.zone_map import Zone, ZoneMap, ZoneMapError, ZoneProblem
from geo.zones import parse_usable_zones, parse_zones

__all__ = [
    "EARTH_RADIUS_M",
    "Conditions",
    "Crs",
    "FactoredTravel",
    "GeoJsonError",
    "GeoJsonProblem",
    "MetricTravel",
    "TravelChoice",
    "TravelChoiceError",
    "TravelFactors",
    "TravelTimes",
    "Trip",
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
    "learn_factors",
    "make_prompt_travel",
    "make_travel",
    "parse_geojson",
    "parse_usable_zones",
    "parse_zones",
    "read_travel",
    "split_zone",
    "to_wgs84",
]
