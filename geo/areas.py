"""Areas, lengths and places on the ground, of shapes in WGS-84 degrees.

Areas are of the sphere, by Lambert's cylindrical equal-area projection, so they hold for a flat and for a province.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import shapely

from geo.travel import EARTH_RADIUS_M

SLIVER_M2 = 1.0
"""An overlap or gap below this area is the noise of rounded coordinates."""
SLIVER_WIDTH_M = 0.02
"""So is one that is on average narrower than this: coordinates with seven decimals are up to 11 mm apart."""
M_PER_DEGREE = float(np.radians(1.0)) * EARTH_RADIUS_M
"""Metres in a degree of latitude."""


def area_m2(shape: Any) -> float:
    """Return the area of a shape in square metres, on a sphere of `EARTH_RADIUS_M`."""
    return float(shapely.area(shapely.transform(shape, _equal_area)))


def measure(shape: Any) -> tuple[float, bool]:
    """Return the area in square metres, and whether that is a sliver."""
    square = area_m2(shape)
    half_way_round = shapely.length(shape) * M_PER_DEGREE / 2.0
    return square, square < SLIVER_M2 or square < SLIVER_WIDTH_M * half_way_round


def area_text(square: float) -> str:
    """Write square metres for people."""
    return f"{square:,.0f} m²" if square >= 10 else f"{square:.2g} m²"


def place_inside(shape: Any) -> tuple[float, float]:
    """Return (lon, lat) of a place inside the largest piece of a shape."""
    pieces = shapely.get_parts(shape)
    point = shapely.point_on_surface(pieces[int(np.argmax(shapely.area(pieces)))])
    return float(point.x), float(point.y)


def plane(lon: float, lat: float) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    """Return two functions of coordinate arrays, degrees to metres and back, for the surroundings of a place.

    A plane that touches the sphere there: good for measuring metres within a city, not for a province.
    """
    scale = np.array([M_PER_DEGREE * max(0.01, float(np.cos(np.radians(lat)))), M_PER_DEGREE])
    origin = np.array([lon, lat])
    return lambda degrees: (degrees - origin) * scale, lambda metres: metres / scale + origin


def _equal_area(lonlat: Any) -> Any:
    radians = np.radians(lonlat)
    return EARTH_RADIUS_M * np.column_stack([radians[:, 0], np.sin(radians[:, 1])])
