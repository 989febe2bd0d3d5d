"""Straight lines on a city's ground: near enough for a simulated technician, and not for anything else."""

import math
from typing import NamedTuple

METRES_PER_DEGREE = 111_195.0
"""Of latitude, on a sphere with the earth's mean radius of 6,371,009 m."""


class Place(NamedTuple):
    """A point in WGS-84 degrees."""

    lon: float
    lat: float


def metres_between(a: Place, b: Place) -> float:
    """The straight distance in metres; good to 0.1 % within a city."""
    return math.hypot(*_offset_m(a, b))


def between(a: Place, b: Place, share: float) -> Place:
    """The point at `share` (0 to 1) of the way from `a` to `b`."""
    share = min(max(share, 0.0), 1.0)
    return Place(a.lon + (b.lon - a.lon) * share, a.lat + (b.lat - a.lat) * share)


def shifted(place: Place, *, east_m: float, north_m: float) -> Place:
    """The point so many metres to the east and north."""
    lat = place.lat + north_m / METRES_PER_DEGREE
    return Place(place.lon + east_m / (METRES_PER_DEGREE * math.cos(math.radians(place.lat))), lat)


def _offset_m(a: Place, b: Place) -> tuple[float, float]:
    east = (b.lon - a.lon) * math.cos(math.radians((a.lat + b.lat) / 2)) * METRES_PER_DEGREE
    return east, (b.lat - a.lat) * METRES_PER_DEGREE
