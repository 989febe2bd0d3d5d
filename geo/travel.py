"""How far and how long from one place to another. Metres on a sphere, whole seconds, WGS-84 degrees, longitude first.

`TravelTimes` is what the rest of the product asks; `MetricTravel` answers it with no road map at all. The axis order
and the rounding are those of CONTRACT.md section 6. Where there is no way the answer is infinity, never a guess;
`geo.travel_fallback` puts one in its place, and counts it.
"""

import math
from typing import Protocol

import numpy as np
import numpy.typing as npt

EARTH_RADIUS_M = 6_371_008.8
"""Mean radius of the Earth, IUGG: (2a + b) / 3 of the WGS-84 ellipsoid."""

Floats = npt.NDArray[np.float64]


class TravelTimes(Protocol):
    """Answers how long a crew takes from place to place.

    `quantile` asks for the time that this share of the trips does not exceed, above 0 and below 1. A source that
    knows no spread (`MetricTravel`, a road map) has one answer for all of them; `geo.travel_factors` adds the spread.
    """

    def seconds(self, lon1: float, lat1: float, lon2: float, lat2: float, *, quantile: float = 0.5) -> float:
        """Return the whole seconds from the first place to the second; infinity where there is no way."""
        ...

    def matrix(self, origins: npt.ArrayLike, destinations: npt.ArrayLike, *, quantile: float = 0.5) -> Floats:
        """Return whole seconds of shape (n, m) for n and m rows of (lon, lat); infinity where there is no way.

        Raises:
            ValueError: an argument is not rows of two finite numbers, or the quantile not between 0 and 1.
        """
        ...


class MetricTravel:
    """Travel by the great circle, lengthened by a detour factor, at one speed; rounded up to whole seconds."""

    __slots__ = ("detour", "speed_mps")

    def __init__(self, speed_mps: float = 6.0, detour: float = 1.3) -> None:
        """Take metres per second (above 0) and road metres per metre of great circle (at least 1).

        Raises:
            ValueError: a parameter is not finite or out of range.
        """
        if not (math.isfinite(speed_mps) and speed_mps > 0.0):
            raise ValueError(f"speed_mps must be a finite number above 0, not {speed_mps!r}")
        if not (math.isfinite(detour) and detour >= 1.0):
            raise ValueError(f"detour must be a finite number of at least 1, not {detour!r}")
        self.speed_mps = float(speed_mps)
        self.detour = float(detour)

    def __repr__(self) -> str:
        """Show the parameters."""
        return f"MetricTravel(speed_mps={self.speed_mps}, detour={self.detour})"

    def seconds(self, lon1: float, lat1: float, lon2: float, lat2: float, *, quantile: float = 0.5) -> float:
        """Return the whole seconds from the first place to the second, the same for every quantile."""
        check_quantile(quantile)
        return float(math.ceil(distance_m(lon1, lat1, lon2, lat2) * self.detour / self.speed_mps))

    def matrix(self, origins: npt.ArrayLike, destinations: npt.ArrayLike, *, quantile: float = 0.5) -> Floats:
        """Return seconds of shape (n, m) for n and m rows of (lon, lat), the same for every quantile.

        Raises:
            ValueError: an argument is not rows of two finite numbers, or the quantile not between 0 and 1.
        """
        check_quantile(quantile)
        start = np.radians(place_rows(origins, "origins"))[:, np.newaxis, :]
        end = np.radians(place_rows(destinations, "destinations"))[np.newaxis, :, :]
        half = np.sin((end - start) / 2.0) ** 2
        chord = half[..., 1] + np.cos(start[..., 1]) * np.cos(end[..., 1]) * half[..., 0]
        metres = 2.0 * EARTH_RADIUS_M * np.arcsin(np.sqrt(np.minimum(chord, 1.0)))
        return np.asarray(np.ceil(metres * self.detour / self.speed_mps), dtype=np.float64)


def distance_m(lon1: float, lat1: float, lon2: float, lat2: float) -> float:
    """Return the great-circle metres between two places, by the haversine formula on a sphere of `EARTH_RADIUS_M`."""
    phi1, phi2 = math.radians(lat1), math.radians(lat2)
    half_phi, half_lambda = (phi2 - phi1) / 2.0, math.radians(lon2 - lon1) / 2.0
    chord = math.sin(half_phi) ** 2 + math.cos(phi1) * math.cos(phi2) * math.sin(half_lambda) ** 2
    return 2.0 * EARTH_RADIUS_M * math.asin(math.sqrt(min(chord, 1.0)))


def check_quantile(quantile: float) -> None:
    """Raise `ValueError` for a quantile that is not above 0 and below 1."""
    if not 0.0 < quantile < 1.0:
        raise ValueError(f"quantile must be above 0 and below 1, not {quantile!r}")


def place_rows(places: npt.ArrayLike, name: str) -> Floats:
    """Return places as an array of shape (n, 2); raise `ValueError` that says `name` for anything else."""
    rows = np.asarray(places, dtype=np.float64)
    if rows.size == 0:
        return rows.reshape(0, 2)
    if rows.ndim != 2 or rows.shape[1] != 2:
        raise ValueError(f"{name} must be rows of (lon, lat), not an array of shape {rows.shape}")
    if not np.isfinite(rows).all():
        raise ValueError(f"{name} must be finite numbers")
    return rows
