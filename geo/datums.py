"""Datums of Chinese maps and phones: WGS-84, GCJ-02 and BD-09. The only file that knows about datums.

GPS speaks WGS-84. Maps sold in China shift it by law to GCJ-02 (up to some 700 m, which is another zone), and Baidu
shifts that once more to BD-09. The formulas are the published ones; their inverses have no closed form and are found
by iteration. Everything behind this file is WGS-84, longitude first.
"""

import math
from typing import Literal, get_args

Crs = Literal["wgs84", "gcj02", "bd09"]
"""The datum of a pair of coordinates."""

_KRASOVSKY_A = 6378245.0
_KRASOVSKY_E2 = 0.00669342162296594323
_BD_PI = math.pi * 3000.0 / 180.0
# The box outside which GCJ-02 is the identity, as published: west, south, east, north.
_WEST, _SOUTH, _EAST, _NORTH = 72.004, 0.8293, 137.8347, 55.8271
# Each step of the inverse shrinks the error at least thirtyfold, so ten leave nothing but rounding. The count is
# fixed rather than "until it is small": next to the box's border a test of convergence might never come true.
_INVERSE_STEPS = 10


def to_wgs84(lon: float, lat: float, crs: Crs = "wgs84") -> tuple[float, float]:
    """Convert degrees of datum `crs` to WGS-84, as (lon, lat).

    Inverts `from_wgs84` to less than a millimetre. Within the GCJ-02 box's border strip, far outside China's land,
    where no WGS-84 point or more than one maps to the place, the answer is still one fixed point.

    Raises:
        ValueError: an unknown datum, or a coordinate that is not finite or out of range, named.
    """
    check_lonlat(lon, lat)
    if crs == "wgs84":
        return lon, lat
    if crs == "gcj02":
        return _gcj02_to_wgs84(lon, lat)
    if crs == "bd09":
        return _within_range(*_gcj02_to_wgs84(*_bd09_to_gcj02(lon, lat)))
    raise _unknown(crs)


def from_wgs84(lon: float, lat: float, crs: Crs) -> tuple[float, float]:
    """Convert WGS-84 degrees to datum `crs`, as (lon, lat). Outside China GCJ-02 equals WGS-84.

    Raises:
        ValueError: an unknown datum, or a coordinate that is not finite or out of range, named.
    """
    check_lonlat(lon, lat)
    if crs == "wgs84":
        return lon, lat
    if crs == "gcj02":
        return _wgs84_to_gcj02(lon, lat)
    if crs == "bd09":
        return _within_range(*_gcj02_to_bd09(*_wgs84_to_gcj02(lon, lat)))
    raise _unknown(crs)


def _within_range(lon: float, lat: float) -> tuple[float, float]:
    """Keep a place on the rim of the world on it: BD-09's constant shift would lead over it."""
    return min(max(lon, -180.0), 180.0), min(max(lat, -90.0), 90.0)


def check_lonlat(lon: float, lat: float) -> None:
    """Raise ValueError, naming the argument, unless both are finite degrees in range."""
    if not -180.0 <= lon <= 180.0:
        raise ValueError(f"lon must be a number from -180 to 180, not {lon!r}")
    if not -90.0 <= lat <= 90.0:
        raise ValueError(f"lat must be a number from -90 to 90, not {lat!r}")


def _unknown(crs: str) -> ValueError:
    return ValueError(f"crs must be one of {', '.join(get_args(Crs))}, not {crs!r}")


def _in_box(lon: float, lat: float) -> bool:
    return _WEST <= lon <= _EAST and _SOUTH <= lat <= _NORTH


def _gcj02_offset(lon: float, lat: float) -> tuple[float, float]:
    """Return what GCJ-02 adds to a WGS-84 point, in degrees, not looking at the box."""
    x, y = lon - 105.0, lat - 35.0
    root = math.sqrt(abs(x))
    ripple = 20.0 * math.sin(6.0 * x * math.pi) + 20.0 * math.sin(2.0 * x * math.pi)
    north = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root
    north += (ripple + 20.0 * math.sin(y * math.pi) + 40.0 * math.sin(y / 3.0 * math.pi)) * 2.0 / 3.0
    north += (160.0 * math.sin(y / 12.0 * math.pi) + 320.0 * math.sin(y * math.pi / 30.0)) * 2.0 / 3.0
    east = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root
    east += (ripple + 20.0 * math.sin(x * math.pi) + 40.0 * math.sin(x / 3.0 * math.pi)) * 2.0 / 3.0
    east += (150.0 * math.sin(x / 12.0 * math.pi) + 300.0 * math.sin(x / 30.0 * math.pi)) * 2.0 / 3.0
    phi = math.radians(lat)
    magic = 1.0 - _KRASOVSKY_E2 * math.sin(phi) ** 2
    meridian = _KRASOVSKY_A * (1.0 - _KRASOVSKY_E2) / (magic * math.sqrt(magic))
    parallel = _KRASOVSKY_A / math.sqrt(magic) * math.cos(phi)
    return math.degrees(east / parallel), math.degrees(north / meridian)


def _wgs84_to_gcj02(lon: float, lat: float) -> tuple[float, float]:
    if not _in_box(lon, lat):
        return lon, lat
    east, north = _gcj02_offset(lon, lat)
    return lon + east, lat + north


def _gcj02_to_wgs84(lon: float, lat: float) -> tuple[float, float]:
    # The formula is inverted without the box, which would make the search jump to and fro across its border.
    if not _in_box(lon, lat):
        return lon, lat
    guess_lon, guess_lat = lon, lat
    for _ in range(_INVERSE_STEPS):
        east, north = _gcj02_offset(guess_lon, guess_lat)
        guess_lon, guess_lat = lon - east, lat - north
    return guess_lon, guess_lat


def _gcj02_to_bd09(lon: float, lat: float) -> tuple[float, float]:
    radius = math.hypot(lon, lat) + 0.00002 * math.sin(lat * _BD_PI)
    angle = math.atan2(lat, lon) + 0.000003 * math.cos(lon * _BD_PI)
    return radius * math.cos(angle) + 0.0065, radius * math.sin(angle) + 0.006


def _bd09_to_gcj02(lon: float, lat: float) -> tuple[float, float]:
    guess_lon, guess_lat = lon - 0.0065, lat - 0.006
    for _ in range(_INVERSE_STEPS):
        there_lon, there_lat = _gcj02_to_bd09(guess_lon, guess_lat)
        guess_lon, guess_lat = guess_lon + lon - there_lon, guess_lat + lat - there_lat
    return guess_lon, guess_lat
