"""The city as a grid of cells: where reports come from, counted as they come, and where idle crews may wait.

A cell is at once a point of demand and a waiting place, by its centre. Its weight is what has been reported in it,
severity by severity, plus a prior: a little everywhere, more where crews begin, since whoever posted them knew why, and
where the city's history says that reports come from, if it says so. Weights only grow; what matters is their
proportion. Nothing of a day is known before it happens.
"""

import numpy as np
import numpy.typing as npt

from geo import TravelTimes
from optimizer.situation import Ground, Reported

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

SIDE = 8
"""Cells along each side. On cities of 13 to 20 km, 6 and 12 were both worse: too coarse, and too thinly counted."""
PRIOR_OF_POST = 4.0
"""What a crew that begins in a cell is worth, in reports of severity 1."""
PRIOR_OF_CELL = 0.2
PRIOR_OF_HISTORY = 600.0
"""What all that is expected from history is worth, in reports of severity 1."""
_REMEMBERED = 20_000
"""How many rows of travel times are kept before they are forgotten all at once."""


class Cells:
    """A grid over a city with the demand counted so far, and the travel times between places and centres."""

    def __init__(self, ground: Ground, travel: TravelTimes, *, side: int = SIDE) -> None:
        """Lay the grid over the ground's box; a box without extent is one place, and that is fine too.

        Raises:
            ValueError: the box is not finite or the wrong way round, or there is no cell.
        """
        box = (ground.west, ground.south, ground.east, ground.north)
        if not np.isfinite(box).all() or ground.west > ground.east or ground.south > ground.north:
            raise ValueError(f"the box must be west, south, east, north in degrees, not {box}")
        if side < 1:
            raise ValueError(f"side must be at least 1, not {side}")
        self._ground, self._side, self._travel = ground, side, travel
        middle = (np.arange(side) + 0.5) / side
        lons = ground.west + (ground.east - ground.west) * middle
        lats = ground.south + (ground.north - ground.south) * middle
        self.centres: Floats = np.column_stack([np.tile(lons, side), np.repeat(lats, side)])
        self.weights: Floats = np.full(side * side, PRIOR_OF_CELL)
        for lon, lat in ground.posts:
            self.weights[self.of(lon, lat)] += PRIOR_OF_POST
        for lon, lat, share in ground.expected:
            self.weights[self.of(lon, lat)] += PRIOR_OF_HISTORY * share
        self.between: Floats = travel.matrix(self.centres, self.centres)
        self._rows: dict[tuple[float, float], Floats] = {}

    def __getstate__(self) -> dict[str, object]:
        """Leave the travel times behind, which may be a whole road map, and the rows that were kept of them."""
        return {**self.__dict__, "_travel": None, "_rows": {}}

    def use(self, travel: TravelTimes) -> None:
        """Ask these travel times from now on."""
        self._travel = travel

    @property
    def inhabited(self) -> Bools:
        """Which cells have ever had a crew's post or a report: only there does anybody wait."""
        return np.asarray(self.weights > 1.5 * PRIOR_OF_CELL)

    def of(self, lon: float, lat: float) -> int:
        """Return the cell of a place; what lies outside belongs to the nearest cell of the border."""
        ground = self._ground
        column = _step(lon, ground.west, ground.east, self._side)
        return _step(lat, ground.south, ground.north, self._side) * self._side + column

    def count(self, report: Reported) -> None:
        """Add a report to its cell's weight."""
        self.weights[self.of(report.lon, report.lat)] += report.severity

    def seconds_from(self, places: list[tuple[float, float]]) -> Floats:
        """Return the seconds from each place to each centre, (n, cells); places asked before are not asked again."""
        if len(self._rows) > _REMEMBERED:
            self._rows.clear()
        new = [place for place in dict.fromkeys(places) if place not in self._rows]
        if new:
            self._rows.update(zip(new, self._travel.matrix(new, self.centres), strict=True))
        return np.array([self._rows[place] for place in places]).reshape(len(places), len(self.centres))


def _step(degrees: float, low: float, high: float, side: int) -> int:
    if high <= low:
        return 0
    return min(max(int((degrees - low) / (high - low) * side), 0), side - 1)
