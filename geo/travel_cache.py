"""Travel times that were asked before, kept by cells of about 50 metres.

Crews stand still far more than they drive, and orders do not move: nearly every pair of an offer was asked a moment
ago. A pair is kept under the cells of its two places, with the answer for the places that were asked first.
"""

import threading
from collections.abc import Callable
from time import monotonic

import numpy as np
import numpy.typing as npt

from geo.travel import Floats, TravelTimes, check_quantile, place_rows

CELLS_PER_DEGREE = 2_000
_SHIFT = 1 << 20
Pair = tuple[int, int]


class CachedTravel:
    """A source of travel times behind a cache; safe to use from several threads.

    Infinity (no way) is kept like any time; what the source raises is not.
    """

    def __init__(
        self, source: TravelTimes, *, most: int = 500_000, keep_s: float = 900.0, clock: Callable[[], float] = monotonic
    ) -> None:
        """Keep at most `most` pairs for `keep_s` seconds each."""
        self.source = source
        self._most = most
        self._keep_s = keep_s
        self._clock = clock
        self._known: dict[Pair, tuple[float, float]] = {}
        self._lock = threading.Lock()

    def seconds(self, lon1: float, lat1: float, lon2: float, lat2: float, *, quantile: float = 0.5) -> float:
        """Return the whole seconds from the first place to the second; infinity where there is no way."""
        check_quantile(quantile)
        pair = (_cell(lon1, lat1), _cell(lon2, lat2))
        kept = self._known.get(pair)
        if kept is not None and kept[1] > self._clock():
            return kept[0]
        found = self.source.seconds(lon1, lat1, lon2, lat2)
        self._keep({pair: found})
        return found

    def matrix(self, origins: npt.ArrayLike, destinations: npt.ArrayLike, *, quantile: float = 0.5) -> Floats:
        """Return whole seconds of shape (n, m), the same for every quantile; infinity where there is no way."""
        check_quantile(quantile)
        start, end = place_rows(origins, "origins"), place_rows(destinations, "destinations")
        found = self.known(start, end)
        missing = np.isnan(found)
        if missing.any():
            rows, columns = np.flatnonzero(missing.any(axis=1)), np.flatnonzero(missing.any(axis=0))
            fetched = self.source.matrix(start[rows], end[columns])
            grid = np.ix_(rows, columns)
            found[grid] = np.where(np.isnan(found[grid]), fetched, found[grid])
            starts, ends = _cells(start[rows]), _cells(end[columns])
            self._keep(
                {
                    (a, b): t
                    for a, row in zip(starts, fetched.tolist(), strict=True)
                    for b, t in zip(ends, row, strict=True)
                }
            )
        return found

    def known(self, origins: Floats, destinations: Floats) -> Floats:
        """Return what is kept, of shape (n, m): not a number where nothing is. Asks nobody."""
        starts, ends, now, known = _cells(origins), _cells(destinations), self._clock(), self._known
        nothing = (np.nan, now)
        found = np.array([[_fresh(known.get((a, b), nothing), now) for b in ends] for a in starts], dtype=np.float64)
        return found.reshape(len(starts), len(ends))

    def _keep(self, times: dict[Pair, float]) -> None:
        until = self._clock() + self._keep_s
        with self._lock:
            if len(self._known) + len(times) > self._most:
                self._known = {}  # a full cache is an old one; readers go on with the one they hold
            self._known.update({pair: (seconds, until) for pair, seconds in times.items()})


def _fresh(kept: tuple[float, float], now: float) -> float:
    return kept[0] if kept[1] >= now else float("nan")


def _cell(lon: float, lat: float) -> int:
    return round((lon + 180.0) * CELLS_PER_DEGREE) * _SHIFT + round((lat + 90.0) * CELLS_PER_DEGREE)


def _cells(places: Floats) -> list[int]:
    numbers = np.rint((places + np.array([180.0, 90.0])) * CELLS_PER_DEGREE).astype(np.int64)
    cells: list[int] = (numbers[:, 0] * _SHIFT + numbers[:, 1]).tolist()
    return cells
